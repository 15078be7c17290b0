/* SPDX-License-Identifier: MIT */
/* Looking at a breaker without touching it: peek, explain, statistics. */
#include "breaker.h"
#include "rules.h"
#include "window.h"

/* What an acquire at this time would meet. */
typedef struct view {
  uint32_t gen, kind, step;
  uint64_t left;
} view;

static view look(const ttb__breaker *b, ttb__breaker_slot *s, uint64_t now) {
  uint64_t w = ttb__load_rlx(&s->state);
  view v = {ttb__word_gen(w), ttb__state_kind(w), ttb__state_step(w), 0};
  if (v.kind == TTB_BREAKER_CLOSED) v.step = ttb__breaker_step_to_open(b, w, now);
  if (v.kind == TTB_BREAKER_OPEN) v.left = ttb__state_remaining(w, now, ttb__breaker_longest(b));
  if (v.kind == TTB_BREAKER_HALF_OPEN) v.left = ttb__state_remaining(w, now, b->lease_ms);
  return v;
}

/* How long a call has to wait: 0 not at all, -1 for ever. */
static int64_t wait_of(const ttb__breaker *b, ttb__breaker_slot *s, view v) {
  switch (v.kind) {
  case TTB_BREAKER_OPEN: return (int64_t)v.left;
  case TTB_BREAKER_HALF_OPEN:
    return ttb__breaker_probes_out(b, s, v.gen) < b->probes ? 0 : (int64_t)v.left;
  case TTB_BREAKER_CLOSED:
  case TTB_BREAKER_DISABLED: return 0;
  default: return -1;
  }
}

int32_t ttb_breaker_peek(const ttb_breaker *h, uint32_t slot, uint64_t now_ns) {
  const ttb__breaker *b = ttb__breaker_of(h);
  if (!b) return TTB_ERR_MISUSE;
  if (slot >= b->capacity) return TTB_ERR_RANGE;
  ttb__breaker_slot *s = ttb__breaker_slot_at(b, slot);
  view v = look(b, s, ttb__clock_peek(&b->region->clock, now_ns));
  if (wait_of(b, s, v) == 0) return TTB_OK;
  return v.kind == TTB_BREAKER_HALF_OPEN ? TTB_HALF_OPEN_FULL : TTB_OPEN;
}

int32_t ttb_breaker_explain(const ttb_breaker *h, uint32_t slot, uint64_t now_ns,
                            ttb_breaker_info *ret) {
  const ttb__breaker *b = ttb__breaker_of(h);
  if (!b || !ret) return TTB_ERR_MISUSE;
  if (slot >= b->capacity) return TTB_ERR_RANGE;
  ttb__breaker_slot *s = ttb__breaker_slot_at(b, slot);
  uint64_t now = ttb__clock_peek(&b->region->clock, now_ns);
  view v = look(b, s, now);
  ttb_breaker_info i = {.state = (int32_t)v.kind, .generation = v.gen, .failure_rate_ppm = -1,
                         .slow_rate_ppm = -1,     .open_step = v.step};
  if (v.kind == TTB_BREAKER_OPEN && v.left == 0) i.state = TTB_BREAKER_HALF_OPEN;
  if (v.kind > TTB_BREAKER_DISABLED) i.state = TTB_BREAKER_FORCED_OPEN; /* as acquire takes it */
  i.retry_after_ms = wait_of(b, s, v);
  i.opened = (uint32_t)ttb__load_rlx(&s->opened);
  /* While open the numbers are those that opened it: of the generation before. */
  bool before = v.kind == TTB_BREAKER_OPEN && v.left > 0;
  uint32_t gen = before ? (v.gen - 1) & TTB__GEN_MASK : v.gen;
  ttb__streak k = ttb__streak_of(ttb__load_rlx(&s->streak), gen);
  i.consecutive = k.row;
  i.cusum = k.sum;
  i.cusum_limit = b->sum_limit;
  if (b->keys.key) i.key = ttb__keys_owner(&b->keys, slot);
  if (v.kind == TTB_BREAKER_HALF_OPEN) i.probes_out = ttb__breaker_probes_out(b, s, gen);
  if (v.kind == TTB_BREAKER_HALF_OPEN || before) {
    uint64_t round = ttb__load_rlx(&s->round);
    if (round & TTB__ROUND_IS_RAMP) round = 0; /* it closed before that */
    if (b->half_calls > 0) {
      ttb__round r = ttb__round_of(round, gen);
      i.probe_calls = r.calls;
      i.probe_failures = r.failures;
      i.probe_slow = r.slow;
      i.probe_successes = r.calls - r.failures;
    } else {
      i.probe_successes = (uint32_t)ttb__count_of(round, gen);
    }
  }
  if (b->rules & TTB__RULES_OF_WINDOW) {
    uint32_t turn = ttb__window_turn(b->window_inverse, now, gen);
    ttb__counts c = ttb__breaker_counts(b, s, gen, turn);
    bool enough = c.calls >= b->min_calls;
    i.calls = c.calls;
    i.failures = c.failures;
    if (b->rules & TTB__RULE_SLOW) i.slow = ttb__breaker_slow(b, s, gen, turn, c.calls);
    if (enough && b->rules & TTB__RULE_SLOW)
      i.slow_rate_ppm = (int32_t)((uint64_t)i.slow * 1000000 / c.calls);
    if (enough && b->rules & TTB__RULE_FAILURES)
      i.failure_rate_ppm = (int32_t)((uint64_t)c.failures * 1000000 / c.calls);
  }
  return ttb__struct_write(&ttb__breaker_info_fields, &i, ret);
}

int32_t ttb_breaker_is_probe(int64_t ticket) {
  if (ticket < 0) return TTB_ERR_MISUSE;
  return ttb__ticket_unpack(ticket).permit != 0;
}
