/* SPDX-License-Identifier: MIT */
/* Looking at a breaker without touching it: peek, explain, statistics. */
#include "average.h"
#include "breaker.h"
#include "rules.h"

/* What an acquire at this time would meet. */
typedef struct view {
  uint32_t gen, kind, step;
  uint64_t left;
  bool begins; /* a fixed window is over: the next acquire begins another */
} view;

static view look(const ttb__breaker *b, ttb__breaker_slot *s, uint64_t now) {
  uint64_t w = ttb__load_rlx(&s->state);
  view v = {ttb__word_gen(w), ttb__state_kind(w), ttb__breaker_step_now(b, w, now),
            ttb__breaker_left(b, w, now), ttb__breaker_window_is_over(b, w, now)};
  if (v.kind == TTB__OPEN_FOR) v.kind = TTB_BREAKER_OPEN;
  return v;
}

/* How long a call has to wait: 0 not at all, -1 for ever. */
static int64_t wait_of(const ttb__breaker *b, ttb__breaker_slot *s, view v) {
  switch (v.kind) {
  case TTB_BREAKER_OPEN: return (int64_t)v.left;
  case TTB_BREAKER_HALF_OPEN:
    return ttb__breaker_has_room(b, s, v.gen) ? 0 : (int64_t)v.left;
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

static uint32_t as_u32(uint64_t n) { return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX; }

/* What only TTB_BREAKER_DETAILED counts in a window. */
static void details(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen, uint32_t turn,
                    ttb_breaker_info *i) {
  if (b->last_calls > 0) {
    ttb__last l = ttb__breaker_last(b, s, gen);
    i->slow_failures = ttb__last_count(l, ttb__last_slow(l), ttb__last_failures(l));
    i->duration_us = ttb__last_duration(l);
    return;
  }
  ttb__window win = ttb__breaker_window(b, s);
  i->slow_failures = as_u32(ttb__window_sum_plane(win, TTB__PLANE_SLOW_FAILURES, turn));
  i->ignored = as_u32(ttb__window_sum_plane(win, TTB__PLANE_IGNORED, turn));
  i->duration_us = ttb__window_sum_plane(win, TTB__PLANE_DURATION, turn);
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
                         .slow_rate_ppm = -1, .open_step = v.step, .average_ppm = -1};
  if (v.kind == TTB_BREAKER_OPEN && v.left == 0) i.state = TTB_BREAKER_HALF_OPEN;
  if (v.kind > TTB_BREAKER_DISABLED) i.state = TTB_BREAKER_FORCED_OPEN; /* as acquire takes it */
  i.retry_after_ms = wait_of(b, s, v);
  i.opened = (uint32_t)ttb__load_rlx(&s->opened);
  /* While open the numbers are those that opened it: of the generation before. */
  bool before = v.kind == TTB_BREAKER_OPEN && v.left > 0;
  if (v.begins) i.generation = (v.gen + 1) & TTB__GEN_MASK;
  uint32_t gen = (before ? v.gen - 1 : v.begins ? v.gen + 1 : v.gen) & TTB__GEN_MASK;
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
  if (b->rules & TTB__RULE_AVERAGE) i.average_ppm = ttb__average_success(b, s, gen);
  if (b->flags & TTB_BREAKER_DETAILED)
    i.successes_in_row =
        as_u32(ttb__count_of(ttb__load_rlx(ttb__breaker_extra(b, s, TTB__EXTRA_SUCCESSES)), gen));
  if (b->window_inverse || b->last_calls > 0) {
    uint32_t turn = ttb__window_turn(b->window_inverse, now, gen);
    ttb__counts c = ttb__breaker_counts(b, s, gen, turn);
    bool enough = c.calls >= b->min_calls;
    i.calls = c.calls;
    i.failures = c.failures;
    if (b->rules & TTB__RULE_SLOW || b->flags & TTB_BREAKER_DETAILED)
      i.slow = ttb__breaker_slow(b, s, gen, turn, c.calls);
    if (b->flags & TTB_BREAKER_DETAILED) details(b, s, gen, turn, &i);
    if (enough && b->rules & TTB__RULE_SLOW)
      i.slow_rate_ppm = (int32_t)((uint64_t)i.slow * 1000000 / c.calls);
    if (enough && b->rules & TTB__RULE_FAILURES)
      i.failure_rate_ppm = (int32_t)((uint64_t)c.failures * 1000000 / c.calls);
  }
  return ttb__struct_write(&ttb__breaker_info_fields, &i, ret);
}

int32_t ttb_breaker_is_probe(int64_t ticket) {
  if (ticket < 0) return TTB_ERR_MISUSE;
  return ttb__permit_is_probe(ttb__ticket_unpack(ticket).permit);
}
