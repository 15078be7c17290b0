/* SPDX-License-Identifier: MIT */
/* Holds: how a need that changes each tick becomes a count that seldom does.
 *
 *     up    as soon as more is needed: to what is needed, and `pad` more
 *     down  to the most that was needed in the last `ticks`, once that is more
 *           than `band` below what there is
 *
 * Sixteen of them run in the shadow. The cheapest that takes no more actions a day
 * than allowed is used; if none does, the one with the fewest.
 *
 * I1  A hold never has fewer than are needed now.
 * I2  Whatever the shadows say, downs are paid with tokens that come at half of
 *     actions_a_day, so there are no more downs than that; nor more ups, then, in
 *     the long run, than it takes to climb back in steps of `pad`. */
#include "budget.h"

typedef struct hold {
  uint32_t blocks; /* of 4 ticks; 0: this tick alone */
  uint32_t band, pad; /* 1/256 */
} hold;

static const hold holds[TTB__HOLDS] = {
    {0, 0, 0},    {0, 13, 5},   {0, 26, 13},  {0, 39, 20}, {0, 52, 26},
    {0, 64, 39},  {2, 26, 13},  {2, 39, 20},  {2, 52, 26},  {2, 64, 39},
    {5, 26, 13},  {5, 39, 20},  {5, 52, 26},  {10, 39, 20}, {10, 52, 39},
    {20, 52, 39},
};

static int32_t count_of(const ttb__a32 *w) {
  uint32_t x = ttb__load_rlx(w);
  return x <= TTB_BUDGET_MAX_REPLICAS ? (int32_t)x : TTB_BUDGET_MAX_REPLICAS;
}

/* The most that was needed: in the block at work and so many before it. */
static int32_t most_needed(ttb__budget_slot *s, uint32_t blocks, int32_t need, uint64_t tick) {
  if (blocks == 0) return need;
  int32_t most = ttb__higher(need, count_of(&s->block));
  for (uint32_t k = 1; k <= blocks; k++)
    most = ttb__higher(most, count_of(&s->blocks[(tick / 4 - k) % TTB__BLOCKS]));
  return most;
}

static int32_t up_to(const hold *h, int32_t need) {
  return need + (int32_t)((int64_t)need * h->pad >> 8);
}

static int32_t step(const hold *h, int32_t have, int32_t need, int32_t most) {
  if (need > have) return up_to(h, need);
  return most < have - (int32_t)((int64_t)have * h->band >> 8) ? most : have;
}

uint32_t ttb__hold_run(const ttb__budget *b, ttb__budget_slot *s, int32_t need, int32_t current,
                       uint64_t tick, uint32_t used) {
  int32_t most = ttb__higher(need, count_of(&s->block));
  uint32_t seen = 0, best = TTB__HOLDS - 1, fewest = UINT32_MAX;
  uint64_t best_cost = UINT64_MAX;
  bool found = false;
  if (tick % 4 == 0) {
    ttb__store_rlx(&s->blocks[(tick / 4 - 1) % TTB__BLOCKS], ttb__load_rlx(&s->block));
    ttb__budget_put(&s->block, need);
    most = need;
  } else {
    ttb__budget_put(&s->block, most);
  }
  for (uint32_t i = 0; i < TTB__HOLDS; i++) {
    const hold *h = &holds[i];
    /* The holds stand in order of their windows: one walk over the blocks. */
    for (; seen < h->blocks; seen++)
      most = ttb__higher(most, count_of(&s->blocks[(tick / 4 - 1 - seen) % TTB__BLOCKS]));
    int32_t have = tick == 0 ? current : count_of(&s->hold[i]);
    int32_t next = step(h, have, need, h->blocks == 0 ? need : most);
    uint32_t actions = ttb__load_rlx(&s->hold_actions[i]);
    uint64_t cost = ttb__load_rlx(&s->hold_cost[i]);
    if (tick == 0) cost = (uint64_t)(uint32_t)next << 24;
    actions = (uint32_t)ttb__toward(actions & 0x1ffffff, next != have ? 1u << 24 : 0, 12);
    cost = ttb__toward(cost, (uint64_t)(uint32_t)next << 24, 12);
    ttb__budget_put(&s->hold[i], next);
    ttb__store_rlx(&s->hold_actions[i], actions);
    ttb__store_rlx(&s->hold_cost[i], cost);
    bool fits = b->token_q16 == 0 || actions <= b->action_q24;
    if (i == used) cost -= cost >> 6;
    if (fits && (!found || cost < best_cost)) best = i, best_cost = cost, found = true;
    if (!found && actions < fewest) best = i, fewest = actions;
  }
  return best;
}

ttb__held ttb__hold_apply(const ttb__budget *b, ttb__budget_slot *s, uint32_t i, int32_t need,
                          int32_t current, uint64_t tick) {
  const hold *h = &holds[i % TTB__HOLDS];
  int32_t next = step(h, current, need, most_needed(s, h->blocks, need, tick));
  if (next > current) return (ttb__held){next, TTB_BUDGET_MORE};
  if (next == current) return (ttb__held){next, need < current ? TTB_BUDGET_HELD : TTB_BUDGET_STEADY};
  if (b->token_q16 > 0 && ttb__load_rlx(&s->tokens) < 65536)
    return (ttb__held){current, TTB_BUDGET_ACTIONS};
  return (ttb__held){next, TTB_BUDGET_FEWER};
}
