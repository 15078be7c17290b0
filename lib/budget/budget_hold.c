/* SPDX-License-Identifier: MIT */
/* Holds: how a need that changes each tick becomes a count that seldom does.
 *
 *     up    as soon as more is needed: to what is needed, and `pad` more
 *     down  to the most that was needed in the last `ticks`, once that is more
 *           than `band` below what there is
 *
 * Twelve of them run in the shadow. The cheapest that takes no more actions a day
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
    {0, 0, 0},    {0, 13, 5},   {0, 26, 13},  {0, 39, 20}, {0, 52, 26},  {2, 26, 13},
    {2, 39, 20},  {2, 52, 26},  {5, 39, 20},  {5, 52, 26}, {10, 52, 39}, {20, 52, 39},
};

static int32_t count_of(const ttb__a32 *w) {
  uint32_t x = ttb__load_rlx(w);
  return x <= TTB_BUDGET_MAX_REPLICAS ? (int32_t)x : TTB_BUDGET_MAX_REPLICAS;
}

/* The most that was needed: in the block at work and so many before it. */
static int32_t most_needed(const ttb__budget_slot *s, uint32_t i, int32_t need, int32_t block) {
  return holds[i].blocks == 0 ? need : ttb__higher(block, count_of(&s->hold_most[i]));
}

/* A block is over: every hold looks back anew. They stand in order of their
 * windows, so one walk over the blocks will do. */
static void next_block(ttb__budget_slot *s, uint64_t tick) {
  int32_t most = 0;
  uint32_t seen = 0;
  ttb__store_rlx(&s->blocks[(tick / 4 - 1) % TTB__BLOCKS], ttb__load_rlx(&s->block));
  for (uint32_t i = 0; i < TTB__HOLDS; i++) {
    for (; seen < holds[i].blocks; seen++)
      most = ttb__higher(most, count_of(&s->blocks[(tick / 4 - 1 - seen) % TTB__BLOCKS]));
    ttb__budget_put(&s->hold_most[i], most);
  }
}

static int32_t up_to(const hold *h, int32_t need) {
  return need + (int32_t)((int64_t)need * h->pad >> 8);
}

static int32_t step(const hold *h, int32_t have, int32_t need, int32_t most) {
  if (need > have) return up_to(h, need);
  return most < have - (int32_t)((int64_t)have * h->band >> 8) ? most : have;
}

void ttb__hold_run(ttb__budget_slot *s, int32_t need, int32_t current, uint64_t tick) {
  int32_t block = tick % 4 == 0 ? need : ttb__higher(need, count_of(&s->block));
  bool anew = tick % TTB__REVIEW == 0;
  if (tick % 4 == 0) next_block(s, tick);
  ttb__budget_put(&s->block, block);
  for (uint32_t i = 0; i < TTB__HOLDS; i++) {
    int32_t have = tick == 0 ? current : count_of(&s->hold[i]);
    int32_t next = step(&holds[i], have, need, most_needed(s, i, need, block));
    uint64_t sum = anew ? 0 : ttb__load_rlx(&s->hold_sum[i]);
    ttb__budget_put(&s->hold[i], next);
    ttb__store_rlx(&s->hold_sum[i], sum + (uint32_t)next + ((uint64_t)(next != have) << 44));
  }
}

uint32_t ttb__hold_review(const ttb__budget *b, ttb__budget_slot *s, uint64_t tick, uint32_t used) {
  uint32_t best = TTB__HOLDS - 1, fewest = UINT32_MAX, shift = 1;
  uint64_t best_cost = UINT64_MAX;
  bool found = false;
  while (shift < 7 && tick / TTB__REVIEW >> shift) shift++;
  for (uint32_t i = 0; i < TTB__HOLDS; i++) {
    uint64_t sum = ttb__load_rlx(&s->hold_sum[i]);
    uint64_t cost = (sum & ((UINT64_C(1) << 44) - 1)) << 16, taken = (sum >> 44) << 20;
    uint32_t actions = (uint32_t)taken & 0xfffffff;
    if (tick >= TTB__REVIEW) {
      cost = ttb__toward(ttb__load_rlx(&s->hold_cost[i]), cost, shift);
      actions = (uint32_t)ttb__toward(ttb__load_rlx(&s->hold_actions[i]) & 0xfffffff, taken & 0xfffffff, shift);
    }
    ttb__store_rlx(&s->hold_cost[i], cost);
    ttb__store_rlx(&s->hold_actions[i], actions);
    bool fits = b->token_q16 == 0 || actions <= b->action_q20;
    if (i == used) cost -= cost >> 6;
    if (fits && (!found || cost < best_cost)) best = i, best_cost = cost, found = true;
    if (!found && actions < fewest) best = i, fewest = actions;
  }
  return best;
}

ttb__held ttb__hold_apply(const ttb__budget *b, const ttb__budget_slot *s, uint32_t i, int32_t need,
                          int32_t current) {
  int32_t block = ttb__higher(need, count_of(&s->block));
  int32_t next = step(&holds[i], current, need, most_needed(s, i, need, block));
  if (next > current) return (ttb__held){next, TTB_BUDGET_MORE};
  if (next == current) return (ttb__held){next, need < current ? TTB_BUDGET_HELD : TTB_BUDGET_STEADY};
  if (b->token_q16 > 0 && ttb__load_rlx(&s->tokens) < 65536)
    return (ttb__held){current, TTB_BUDGET_ACTIONS};
  return (ttb__held){next, TTB_BUDGET_FEWER};
}
