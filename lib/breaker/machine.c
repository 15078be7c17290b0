/* SPDX-License-Identifier: MIT */
/* The state machine: acquire, report, set. See I1..I4 in breaker.h.
 *
 * Each word decides alone, and words of another generation read as empty, so
 * accesses are relaxed; only taking over a word of another generation needs
 * more (I2). */
#include "breaker.h"
#include "average.h"
#include "receipts.h"
#include "rules.h"
#include "window.h"

static uint64_t clock_of(ttb__breaker *b, uint64_t now_ns) {
  return ttb__clock_now(&b->region->clock, now_ns);
}

static int64_t refuse(ttb__breaker *b, int32_t code) {
  ttb__add_rlx(&b->table->refused, 1);
  return code;
}

/* One transition, to `next` in a new generation: true for the caller whose CAS
 * made it. Only the ramp's end changes a state within its generation: that stops
 * nobody. */
static bool move_to(ttb__breaker_slot *s, uint64_t *seen, uint64_t next) {
  uint32_t gen = ttb__word_gen(*seen);
  next |= ttb__count(gen + 1, 0);
  do {
    if (ttb__cas_rlx(&s->state, seen, next)) return true;
  } while (ttb__word_gen(*seen) == gen);
  return false;
}

static bool move(ttb__breaker_slot *s, uint64_t *seen, uint32_t kind, uint32_t step,
                 uint64_t deadline) {
  return move_to(s, seen, ttb__with_step(ttb__state(0, kind, deadline), step));
}

static bool to_open(ttb__breaker *b, ttb__breaker_slot *s, uint64_t *seen, uint64_t now) {
  uint32_t step = ttb__breaker_step_to_open(b, *seen, now);
  uint64_t until = ttb__breaker_open_until(b, s, ttb__word_gen(*seen) + 1, step, now);
  if (!move(s, seen, TTB_BREAKER_OPEN, step, until)) return false;
  ttb__add_rlx(&s->opened, 1);
  return true;
}

/* Closed, as new but for the step. The time is kept for those who ask for it. */
static bool to_new(ttb__breaker *b, ttb__breaker_slot *s, uint64_t *seen, uint32_t step,
                   uint64_t now_ns) {
  bool timed = ttb__breaker_closed(b, step, 1) != ttb__breaker_closed(b, step, 0);
  return move_to(s, seen, ttb__breaker_closed(b, step, timed ? clock_of(b, now_ns) : 0));
}

/* A round closes it. */
static bool to_closed(ttb__breaker *b, ttb__breaker_slot *s, uint64_t *seen, uint64_t now_ns) {
  uint32_t step = ttb__breaker_step_to_close(b, *seen);
  if (b->ramp_ms > 0)
    return move(s, seen, TTB_BREAKER_CLOSED, step | TTB__RAMP_STEP, clock_of(b, now_ns));
  return to_new(b, s, seen, step, now_ns);
}

static bool to_half_open(ttb__breaker *b, ttb__breaker_slot *s, uint64_t *seen, uint64_t now) {
  return move(s, seen, TTB_BREAKER_HALF_OPEN, ttb__state_step(*seen), now + b->lease_ms);
}

/* A fixed window is over: the next begins, with what is left of the step. */
static bool to_next_window(ttb__breaker *b, ttb__breaker_slot *s, uint64_t *seen, uint64_t now) {
  return move_to(s, seen, ttb__breaker_closed(b, ttb__breaker_step_now(b, *seen, now), now));
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

/* The ticket of a call that is no probe. */
static inline int64_t grant(const ttb__breaker *b, uint32_t slot, uint32_t gen) {
  if (b->tickets > 0) return ttb__receipt_issue(b, slot, gen);
  return ttb__ticket_pack(slot, gen, b->row, 0);
}

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
      if (ttb__breaker_window_is_over(b, w, now)) {
        (void)to_next_window(b, s, &w, now);
        break;
      }
      if (w & TTB__RAMP && b->ramp_ms > 0) {
        uint64_t closed = ttb__closed_for(w, now);
        if (closed >= b->ramp_ms) {
          (void)ttb__cas_rlx(&s->state, &w, w & ~TTB__RAMP); /* or somebody else does */
          break;
        }
        uint64_t n = count_one(s, &s->round, gen, TTB__ROUND_IS_RAMP);
        if (n == 0) break;
        if (!ttb__breaker_ramp_passes(b, s, gen, n, closed)) return refuse(b, TTB_THROTTLED);
      }
      return grant(b, slot, gen);
    case TTB_BREAKER_DISABLED: return grant(b, slot, gen);
    case TTB_BREAKER_OPEN:
    case TTB__OPEN_FOR:
      if (ttb__breaker_left(b, w, now) > 0) return refuse(b, TTB_OPEN);
      to_half_open(b, s, &w, now);
      break;
    case TTB_BREAKER_HALF_OPEN:
      if (ttb__breaker_left(b, w, now) == 0) {
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
  if (ttb__state_passes(w)) return grant(b, slot, ttb__word_gen(w));
  return acquire_slow(b, s, slot, now_ns);
}

/* ---- report ---- */

/* The turn of now in this generation. */
static uint32_t turn_of(const ttb__breaker *b, uint32_t gen, uint64_t now) {
  return ttb__window_turn(b->window_inverse, now, gen);
}

static inline uint32_t stripe_of(const ttb__breaker *b) { return b->row & (b->stripes - 1); }

/* Counts a success. */
static TTB__SELDOM int32_t count_success(ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen,
                                         uint64_t now_ns) {
  if (b->streak) ttb__streak_calm(b, s, gen);
  if (!b->window_inverse) return TTB_OK;
  uint64_t now = clock_of(b, now_ns);
  uint32_t turn = turn_of(b, gen, now);
  ttb__window win = ttb__breaker_window(b, s);
  bool room = ttb__window_add(win, stripe_of(b), turn, 0);
  if (b->row != TTB__NO_ROW)
    b->seen = (ttb__seen){s, ttb__window_bucket(win.buckets, stripe_of(b), turn), now, gen,
                          room ? TTB__UNSEEN : 0};
  return TTB_OK;
}

/* The same where little has to be done: no failure came before, the millisecond
 * and the bucket are those of the call before. */
static inline int32_t report_success(ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen,
                                     uint64_t now_ns) {
  uint64_t now;
  if (b->streak && !ttb__streak_is_calm(s, gen)) return count_success(b, s, gen, now_ns);
  if (!b->window_inverse) return TTB_OK;
  if (!ttb__clock_stands(&b->region->clock, now_ns, &now)) return count_success(b, s, gen, now_ns);
  if (ttb__window_add_unseen(&b->seen, s, gen, now)) return TTB_OK;
  uint32_t turn = turn_of(b, gen, now);
  ttb__a64 *bucket = ttb__window_bucket(ttb__breaker_words(b, s), stripe_of(b), turn);
  if (b->row != TTB__NO_ROW || !ttb__bucket_takes(ttb__load_rlx(bucket), turn))
    return count_success(b, s, gen, now_ns);
  ttb__add_rlx(bucket, 1);
  return TTB_OK;
}

static int32_t stale(ttb__breaker *b) {
  ttb__add_rlx(&b->table->stale, 1);
  return TTB_STALE;
}

/* How a call ended. */
typedef struct ending {
  bool failed, slow;
  uint32_t duration_us;
} ending;

static void to_time_window(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t turn, ending e) {
  ttb__window win = ttb__breaker_window(b, s);
  bool detailed = (b->flags & TTB_BREAKER_DETAILED) != 0;
  (void)ttb__window_add(win, stripe_of(b), turn, e.failed);
  if (e.slow && win.planes > 0) ttb__window_add_plane(win, TTB__PLANE_SLOW, turn, 1);
  if (!detailed) return;
  if (e.slow && e.failed) ttb__window_add_plane(win, TTB__PLANE_SLOW_FAILURES, turn, 1);
  if (e.duration_us > 0) ttb__window_add_plane(win, TTB__PLANE_DURATION, turn, e.duration_us);
}

static void to_last_calls(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen, ending e) {
  ttb__last l = ttb__breaker_last(b, s, gen);
  bool detailed = (b->flags & TTB_BREAKER_DETAILED) != 0;
  int64_t place = ttb__last_place(l);
  if (place < 0) return;
  ttb__last_set(l, ttb__last_failures(l), (uint32_t)place, e.failed);
  if (detailed || b->rules & TTB__RULE_SLOW)
    ttb__last_set(l, ttb__last_slow(l), (uint32_t)place, e.slow);
  if (detailed) ttb__store_rlx(&ttb__last_durations(l)[place], e.duration_us);
}

/* Successes in a row, for people. */
static void to_row_of_successes(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen,
                                ending e) {
  ttb__a64 *word = ttb__breaker_extra(b, s, TTB__EXTRA_SUCCESSES);
  uint64_t w = ttb__load_rlx(word);
  if (!e.failed) (void)count_one(s, word, gen, 0);
  else if (ttb__count_of(w, gen) != 0) (void)ttb__cas_rlx(word, &w, ttb__count(gen, 0));
}

/* An outcome after which more is done than counting a success: it counts, then
 * the rules are asked. */
static TTB__SELDOM int32_t report_judged(ttb__breaker *b, ttb__breaker_slot *s, uint64_t w,
                                         int32_t outcome, uint32_t duration_us, uint64_t now_ns) {
  uint32_t gen = ttb__word_gen(w), turn = 0;
  ending e = {ttb__failed(outcome), ttb__was_slow(outcome), duration_us};
  ttb__facts facts = {{0, 0}, false, w, 0};
  if (b->window_inverse) {
    facts.now = clock_of(b, now_ns);
    turn = turn_of(b, gen, facts.now);
    if (ttb__breaker_window_is_over(b, w, facts.now)) {
      (void)to_next_window(b, s, &w, facts.now);
      return stale(b);
    }
  }
  if (outcome == TTB_IGNORED) {
    if (b->flags & TTB_BREAKER_DETAILED && b->window_inverse)
      ttb__window_add_plane(ttb__breaker_window(b, s), TTB__PLANE_IGNORED, turn, 1);
    return TTB_OK;
  }
  if (b->streak) {
    if (e.failed) facts.streak = ttb__streak_strike(b, s, gen);
    else ttb__streak_calm(b, s, gen);
  }
  if (b->window_inverse) to_time_window(b, s, turn, e);
  else if (b->last_calls > 0) to_last_calls(b, s, gen, e);
  if (b->flags & TTB_BREAKER_DETAILED) to_row_of_successes(b, s, gen, e);
  if (b->rules & TTB__RULE_AVERAGE)
    facts.low = ttb__average_add(b, s, gen, e.failed, facts.now);
  uint32_t said = ttb__breaker_said(b, s, b->heard[outcome], facts, gen, turn);
  if (!ttb__breaker_opens(b, said)) return TTB_OK;
  if (b->flags & TTB_BREAKER_METRICS_ONLY) {
    if (to_new(b, s, &w, 0, now_ns)) ttb__add_rlx(&s->opened, 1);
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

/* The outcome of a call of a closed breaker. */
static inline int32_t settle(ttb__breaker *b, ttb__breaker_slot *s, uint64_t w, int32_t outcome,
                             uint32_t duration_us, uint64_t now_ns) {
  if (b->plain >> outcome & 1) return report_success(b, s, ttb__word_gen(w), now_ns);
  if (!(b->judged >> outcome & 1)) return TTB_OK;
  return report_judged(b, s, w, outcome, duration_us, now_ns);
}

/* A probe, a breaker that is not closed, a late ticket, or tickets that are checked. */
static TTB__SELDOM int32_t report_slow(ttb__breaker *b, int64_t ticket, int32_t outcome,
                                       uint32_t duration_us, uint64_t now_ns) {
  ttb__ticket t = ttb__ticket_unpack(ticket);
  ttb__breaker_slot *s = ttb__breaker_slot_at(b, t.slot);
  uint64_t w = ttb__load_rlx(&s->state);
  if (ttb__word_gen(w) != t.gen) return stale(b);
  uint32_t kind = ttb__state_kind(w), permit = t.permit;
  if (kind == TTB_BREAKER_DISABLED || kind == TTB_BREAKER_CLOSED) {
    bool good = b->tickets > 0 ? ttb__receipt_redeem(b, ticket) : permit == 0;
    if (!good) return stale(b);
    return kind == TTB_BREAKER_CLOSED ? settle(b, s, w, outcome, duration_us, now_ns) : TTB_OK;
  }
  /* No other ticket is given out in these states. */
  if (kind != TTB_BREAKER_HALF_OPEN || !ttb__permit_is_probe(permit)) return stale(b);
  if (!ttb__breaker_give_probe(b, s, ticket)) return stale(b);
  if (ttb__says_nothing(outcome)) return TTB_OK;
  return report_probe(b, s, w, outcome, now_ns);
}

static inline int32_t report(ttb__breaker *b, int64_t ticket, int32_t outcome,
                             uint32_t duration_us, uint64_t now_ns) {
  if (!b || ticket < 0) return TTB_ERR_MISUSE;
  ttb__ticket t = ttb__ticket_unpack(ticket);
  if (t.slot >= b->capacity || (uint32_t)outcome >= TTB__OUTCOMES) return TTB_ERR_RANGE;

  ttb__breaker_slot *s = ttb__breaker_slot_at(b, t.slot);
  uint64_t w = ttb__load_rlx(&s->state);
  if (((ttb__word_gen(w) ^ t.gen) | t.permit | b->tickets | ttb__state_kind(w)) != 0)
    return report_slow(b, ticket, outcome, duration_us, now_ns);
  return settle(b, s, w, outcome, duration_us, now_ns);
}

int32_t ttb_breaker_report(ttb_breaker *h, int64_t ticket, int32_t outcome, uint64_t now_ns) {
  return report(ttb__breaker_of(h), ticket, outcome, 0, now_ns);
}

int32_t ttb_breaker_report_timed(ttb_breaker *h, int64_t ticket, int32_t outcome,
                                 uint64_t duration_ns, uint64_t now_ns) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (b && b->slow_ms > 0 && duration_ns > b->slow_ms * UINT64_C(1000000)) {
    if (outcome == TTB_SUCCESS) outcome = TTB_SLOW;
    else if (outcome == TTB_FAILURE) outcome = TTB_SLOW_FAILURE;
  }
  uint64_t us = duration_ns / 1000;
  return report(b, ticket, outcome, us < UINT32_MAX ? (uint32_t)us : UINT32_MAX, now_ns);
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
  uint64_t next = state == TTB_BREAKER_CLOSED ? ttb__breaker_closed(b, 0, now)
                                              : ttb__state(0, (uint32_t)state, 0);
  while (!(is_open ? to_open(b, s, &w, now) : move_to(s, &w, next)))
    continue; /* somebody else's transition came between: ours follows it */
  return TTB_OK;
}

int32_t ttb_breaker_open_for(ttb_breaker *h, uint32_t slot, uint32_t for_ms, uint64_t now_ns) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (!b) return TTB_ERR_MISUSE;
  if (slot >= b->capacity || for_ms < 1 || for_ms > TTB__MOST_OPEN_FOR) return TTB_ERR_RANGE;
  ttb__breaker_slot *s = ttb__breaker_slot_at(b, slot);
  uint64_t now = clock_of(b, now_ns), w = ttb__load_rlx(&s->state);
  uint64_t until = now + for_ms + ((b->flags & TTB_BREAKER_OPEN_AFTER) != 0);
  while (!move(s, &w, TTB__OPEN_FOR, ttb__breaker_step_now(b, w, now), until)) continue;
  ttb__add_rlx(&s->opened, 1);
  return TTB_OK;
}
