/* SPDX-License-Identifier: MIT */
/* The state machine: acquire, report, set. See I1..I4 in breaker.h.
 *
 * Each word decides alone, and words of another generation read as empty, so
 * accesses are relaxed; only taking over a word of another generation needs
 * more (I2). */
#include "breaker.h"
#include "rules.h"
#include "window.h"

static uint64_t clock_of(ttb__breaker *b, uint64_t now_ns) {
  return ttb__clock_now(&b->region->clock, now_ns);
}

static int64_t refuse(ttb__breaker *b, int32_t code) {
  ttb__add_rlx(&b->table->refused, 1);
  return code;
}

/* One transition: true for the caller whose CAS made it. Only the ramp's end
 * changes a state within its generation: that stops nobody. */
static bool move(ttb__breaker_slot *s, uint64_t *seen, uint32_t kind, uint32_t step,
                 uint64_t deadline) {
  uint32_t gen = ttb__word_gen(*seen);
  uint64_t next = ttb__with_step(ttb__state(gen + 1, kind, deadline), step);
  do {
    if (ttb__cas_rlx(&s->state, seen, next)) return true;
  } while (ttb__word_gen(*seen) == gen);
  return false;
}

static bool to_open(ttb__breaker *b, ttb__breaker_slot *s, uint64_t *seen, uint64_t now) {
  uint32_t step = ttb__breaker_step_to_open(b, *seen, now);
  uint64_t until = ttb__breaker_open_until(b, s, ttb__word_gen(*seen) + 1, step, now);
  if (!move(s, seen, TTB_BREAKER_OPEN, step, until)) return false;
  ttb__add_rlx(&s->opened, 1);
  return true;
}

/* The time of closing is kept for the steps and the ramp only. */
static bool to_closed(ttb__breaker *b, ttb__breaker_slot *s, uint64_t *seen, uint64_t now_ns) {
  uint32_t step = ttb__breaker_step_to_close(b, *seen);
  if (step == 0 && b->ramp_ms == 0) return move(s, seen, TTB_BREAKER_CLOSED, 0, 0);
  if (b->ramp_ms > 0) step |= TTB__RAMP_STEP;
  return move(s, seen, TTB_BREAKER_CLOSED, step, clock_of(b, now_ns));
}

static bool to_half_open(ttb__breaker *b, ttb__breaker_slot *s, uint64_t *seen, uint64_t now) {
  return move(s, seen, TTB_BREAKER_HALF_OPEN, ttb__state_step(*seen), now + b->lease_ms);
}

/* Counts one more, from zero, in a word of generation gen: how many there are then, 0 if
 * the generation is over. */
static uint64_t count_one(ttb__breaker_slot *s, ttb__a64 *word, uint32_t gen, uint64_t zero) {
  for (;;) {
    /* acquire: pairs with the release below. Without it a late report could
     * wipe out the count of a later generation. */
    uint64_t w = ttb__load_acq(word);
    if (!ttb__may_write(w, gen, &s->state)) return 0;
    uint64_t n = ttb__count_of(w, gen);
    n = (n != 0 ? n : zero) + 1;
    if (ttb__cas_rel(word, &w, ttb__count(gen, n))) return n;
  }
}

/* ---- acquire ---- */

/* Not closed: moves on if time says so. Each turn of the loop follows a
 * transition somebody made. The state is read before the clock, so that a
 * deadline is seldom compared with an older time (I4). */
static TTB__SELDOM int64_t acquire_slow(ttb__breaker *b, ttb__breaker_slot *s, uint32_t slot,
                                        uint64_t now_ns) {
  for (;;) {
    uint64_t w = ttb__load_rlx(&s->state), now = clock_of(b, now_ns);
    uint32_t gen = ttb__word_gen(w);
    switch (ttb__state_kind(w)) {
    case TTB_BREAKER_CLOSED:
      if (w & TTB__RAMP) {
        uint64_t closed = ttb__closed_for(w, now);
        if (closed >= b->ramp_ms) {
          (void)ttb__cas_rlx(&s->state, &w, w & ~TTB__RAMP); /* or somebody else does */
          break;
        }
        uint64_t n = count_one(s, &s->round, gen, TTB__ROUND_IS_RAMP);
        if (n == 0) break;
        if (!ttb__breaker_ramp_passes(b, s, gen, n, closed)) return refuse(b, TTB_THROTTLED);
      }
      return ttb__ticket_pack(slot, gen, b->row, 0);
    case TTB_BREAKER_DISABLED: return ttb__ticket_pack(slot, gen, b->row, 0);
    case TTB_BREAKER_OPEN:
      if (ttb__state_remaining(w, now, ttb__breaker_longest(b)) > 0) return refuse(b, TTB_OPEN);
      to_half_open(b, s, &w, now);
      break;
    case TTB_BREAKER_HALF_OPEN:
      if (ttb__state_remaining(w, now, b->lease_ms) == 0) {
        to_half_open(b, s, &w, now);
      } else {
        int64_t t = ttb__breaker_take_probe(b, s, slot, gen);
        if (t == TTB_HALF_OPEN_FULL) return refuse(b, TTB_HALF_OPEN_FULL);
        if (t >= 0) return t;
      }
      break;
    default: return refuse(b, TTB_OPEN);
    }
  }
}

int64_t ttb_breaker_acquire(ttb_breaker *h, uint32_t slot, uint64_t now_ns) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (!b) return TTB_ERR_MISUSE;
  if (slot >= b->capacity) return TTB_ERR_RANGE;
  ttb__breaker_slot *s = ttb__breaker_slot_at(b, slot);
  uint64_t w = ttb__load_rlx(&s->state);
  if (ttb__state_passes(w)) return ttb__ticket_pack(slot, ttb__word_gen(w), b->row, 0);
  return acquire_slow(b, s, slot, now_ns);
}

/* ---- report ---- */

/* The turn of now in this generation. */
static uint32_t turn_of(ttb__breaker *b, uint32_t gen, uint64_t now_ns) {
  return ttb__window_turn(b->window_inverse, clock_of(b, now_ns), gen);
}

/* One call more in the window. */
static inline void count_call(ttb__breaker *b, ttb__breaker_slot *s, uint32_t turn,
                              uint32_t failures) {
  ttb__a64 *bucket = &ttb__breaker_buckets(b, s)[turn % TTB__BUCKETS];
  uint64_t w = ttb__load_rlx(bucket);
  if (!ttb__window_took(bucket, w, turn, failures))
    ttb__window_turn_or_halve(bucket, w, turn, failures, (b->rules & TTB__RULE_SLOW) != 0);
}

static int32_t report_success(ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen,
                              uint64_t now_ns) {
  if (b->rules & TTB__RULES_OF_STREAK) ttb__streak_calm(b, s, gen);
  if (b->window_inverse) count_call(b, s, turn_of(b, gen, now_ns), 0);
  return TTB_OK;
}

/* An outcome at which a rule may say open: it counts, then the rules are asked. */
static TTB__SELDOM int32_t report_judged(ttb__breaker *b, ttb__breaker_slot *s, uint64_t w,
                                         int32_t outcome, uint64_t now_ns) {
  uint32_t gen = ttb__word_gen(w), turn = 0, failed = ttb__failed(outcome);
  bool slow = ttb__was_slow(outcome);
  ttb__streak k = {0, 0};
  if (b->rules & TTB__RULES_OF_STREAK) {
    if (failed) k = ttb__streak_strike(b, s, gen);
    else ttb__streak_calm(b, s, gen);
  }
  if (b->window_inverse) {
    turn = turn_of(b, gen, now_ns);
    count_call(b, s, turn, failed);
    if (slow && b->rules & TTB__RULE_SLOW)
      ttb__window_add_slow(ttb__breaker_buckets(b, s), turn);
  } else if (b->last_calls > 0) {
    ttb__a64 *last = ttb__breaker_buckets(b, s);
    ttb__last_add(&last[0], &s->state, gen, b->last_calls, failed);
    if (b->rules & TTB__RULE_SLOW)
      ttb__last_add(&last[1], &s->state, gen, b->last_calls, slow);
  }
  uint32_t said = ttb__breaker_said(b, s, b->heard[outcome], k, gen, turn);
  if (!ttb__breaker_opens(b, said)) return TTB_OK;
  if (b->flags & TTB_BREAKER_METRICS_ONLY) {
    if (move(s, &w, TTB_BREAKER_CLOSED, 0, 0)) ttb__add_rlx(&s->opened, 1);
    return TTB_OK;
  }
  return to_open(b, s, &w, clock_of(b, now_ns)) ? TTB_BREAKER_OPENED : TTB_OK;
}

/* Counts an outcome in a round judged by rates: what there is then, calls 0 if
 * the generation is over. */
static ttb__round count_round(ttb__breaker_slot *s, uint32_t gen, ttb__round one) {
  for (;;) {
    uint64_t w = ttb__load_acq(&s->round); /* acquire: as in count_one */
    if (!ttb__may_write(w, gen, &s->state)) return (ttb__round){0, 0, 0};
    ttb__round r = ttb__round_of(w, gen);
    if (r.calls == TTB__ROUND_MASK) return r; /* the verdict is due since long */
    r = (ttb__round){r.calls + 1, r.failures + one.failures, r.slow + one.slow};
    if (ttb__cas_rel(&s->round, &w, ttb__round_word(gen, r))) return r;
  }
}

/* > 0 the round closes the breaker, < 0 it opens it again, 0 it goes on. */
static int judge(ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen, int32_t outcome) {
  ttb__round one = {1, ttb__failed(outcome),
                    ttb__was_slow(outcome) && (b->rules & TTB__RULE_SLOW) != 0};
  if (b->half_calls > 0) {
    one = count_round(s, gen, one);
    return one.calls > 0 ? ttb__breaker_verdict(b, one) : 0;
  }
  if (one.failures + one.slow > 0) return -1;
  return count_one(s, &s->round, gen, 0) >= b->successes;
}

/* The outcomes of a round are counted even if its last reporter dies before it
 * closes the breaker: the next one then does. */
static int32_t report_probe(ttb__breaker *b, ttb__breaker_slot *s, uint64_t w, int32_t outcome,
                            uint64_t now_ns) {
  int verdict = judge(b, s, ttb__word_gen(w), outcome);
  if (verdict < 0) return to_open(b, s, &w, clock_of(b, now_ns)) ? TTB_BREAKER_REOPENED : TTB_OK;
  return verdict > 0 && to_closed(b, s, &w, now_ns) ? TTB_BREAKER_RECLOSED : TTB_OK;
}

static int32_t stale(ttb__breaker *b) {
  ttb__add_rlx(&b->table->stale, 1);
  return TTB_STALE;
}

/* A probe, or a breaker that is not closed. */
static TTB__SELDOM int32_t report_slow(ttb__breaker *b, ttb__breaker_slot *s, uint64_t w,
                                       int64_t ticket, int32_t outcome, uint64_t now_ns) {
  uint32_t kind = ttb__state_kind(w);
  bool is_probe = ttb__ticket_unpack(ticket).permit != 0;
  if (kind == TTB_BREAKER_DISABLED && !is_probe) return TTB_OK;
  /* No other ticket is given out in these states. */
  if (kind != TTB_BREAKER_HALF_OPEN || !is_probe) return stale(b);
  if (!ttb__breaker_give_probe(b, s, ticket)) return stale(b);
  if (ttb__says_nothing(outcome)) return TTB_OK;
  return report_probe(b, s, w, outcome, now_ns);
}

int32_t ttb_breaker_report(ttb_breaker *h, int64_t ticket, int32_t outcome, uint64_t now_ns) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (!b || ticket < 0) return TTB_ERR_MISUSE;
  ttb__ticket t = ttb__ticket_unpack(ticket);
  if (t.slot >= b->capacity || (uint32_t)outcome >= TTB__OUTCOMES)
    return TTB_ERR_RANGE;

  ttb__breaker_slot *s = ttb__breaker_slot_at(b, t.slot);
  uint64_t w = ttb__load_rlx(&s->state);
  if (ttb__word_gen(w) != t.gen) return stale(b);
  if (t.permit != 0 || ttb__state_kind(w) != TTB_BREAKER_CLOSED)
    return report_slow(b, s, w, ticket, outcome, now_ns);
  if (b->judged >> outcome & 1) return report_judged(b, s, w, outcome, now_ns);
  if (ttb__says_nothing(outcome)) return TTB_OK;
  return report_success(b, s, t.gen, now_ns);
}

/* ---- set ---- */

int32_t ttb_breaker_set(ttb_breaker *h, uint32_t slot, int32_t state, uint64_t now_ns) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (!b) return TTB_ERR_MISUSE;
  if (slot >= b->capacity) return TTB_ERR_RANGE;
  if (state != TTB_BREAKER_CLOSED && state != TTB_BREAKER_OPEN &&
      state != TTB_BREAKER_FORCED_OPEN && state != TTB_BREAKER_DISABLED)
    return TTB_ERR_RANGE;
  ttb__breaker_slot *s = ttb__breaker_slot_at(b, slot);
  uint64_t now = clock_of(b, now_ns), w = ttb__load_rlx(&s->state);
  bool is_open = state == TTB_BREAKER_OPEN;
  while (!(is_open ? to_open(b, s, &w, now) : move(s, &w, (uint32_t)state, 0, 0)))
    continue; /* somebody else's transition came between: ours follows it */
  return TTB_OK;
}
