/* SPDX-License-Identifier: MIT */
/* Inside a breaker: the words of a slot and the private handle.
 *
 *     state = generation 20 | kind 3 | ramp 1 | step 4 | deadline 36 (virtual ms)
 *     streak = generation 20 | sum 20 | failures in a row 24
 *     round           = generation 20 | successes 44, or, judged by rates,
 *                       generation 20 | 0 2 | slow 14 | failures 14 | calls 14,
 *                       or, in a ramp, generation 20 | 1 | calls 43
 *     probe           = generation 20 | holder 12 | nonce 32
 *
 * I1  The state word is the only truth about the state. Every transition is
 *     one CAS that raises the generation; its winner owns the event.
 * I2  Every other word names the generation it belongs to; a word of another
 *     generation reads as empty. So nothing has to be cleared together with a
 *     transition, and a caller killed between two words leaves both legal. A
 *     word of another generation is taken over only while the state has ours:
 *     a late caller never wipes out what a later generation wrote.
 * I3  A probe is taken by a CAS that names its holder and counts the nonce up,
 *     and given back by a CAS from exactly that value: a late or double report
 *     finds another nonce, generation or holder.
 * I4  Deadlines are compared by remaining time. More than the configured length
 *     means that the caller's time is older than the deadline's setter's, by at
 *     most TTB__LAG_MS; more still, that the deadline is over.
 * I5  The step of the state says how often the open time has grown; only with
 *     growth on is it ever above 0. While closed, the deadline then is the time
 *     of closing, from which the step decays (open_time.c).
 * I6  The ramp bit is set only while closed, and is cleared without a new
 *     generation when the ramp is over (ramp.c): nothing else changes then. With
 *     TTB_BREAKER_FIXED_WINDOW, which excludes a ramp, the same bit says that the
 *     deadline is when the window began. */
#ifndef TTB_LIB_BREAKER_BREAKER_H
#define TTB_LIB_BREAKER_BREAKER_H

#include "../base/atomic.h"
#include "../base/handle.h"
#include "../base/keys.h"
#include "../base/region.h"
#include "../base/rows.h"
#include "../base/ticket.h"
#include "window.h"

#include <trimtab/breaker.h>

#define TTB__BREAKER_MAX_PROBES 32u
/* Probes that share the first line of a slot. */
#define TTB__BREAKER_INLINE_PROBES 4u

/* Outcomes by what they say. */
#define TTB__OUTCOMES 6
static inline bool ttb__failed(int32_t outcome) {
  return outcome == TTB_FAILURE || outcome == TTB_SLOW_FAILURE;
}
static inline bool ttb__was_slow(int32_t outcome) {
  return outcome == TTB_SLOW || outcome == TTB_SLOW_FAILURE;
}
static inline bool ttb__says_nothing(int32_t outcome) {
  return outcome == TTB_IGNORED || outcome == TTB_CANCELLED;
}

typedef struct ttb__breaker_slot {
  ttb__a64 state;
  ttb__a64 streak;
  ttb__a64 round;
  ttb__a64 opened; /* how often; for people */
  ttb__a64 probe[]; /* config.half_open_probes; then, each on a line of its own if it is on:
                       the extra words, and the window (window.h or last_calls.h) */
} ttb__breaker_slot;

/* Counters of the table: touched by refusals and stale reports only. */
typedef struct ttb__breaker_table {
  ttb__a64 refused, stale;
  uint64_t reserved[6];
} ttb__breaker_table;
_Static_assert(sizeof(ttb__breaker_table) == 64, "one line");

typedef TTB__HANDLE_STRUCT ttb__breaker {
  uint64_t tag;
  /* hot */
  unsigned char *slots;
  uint32_t capacity, stride;
  uint64_t window_inverse; /* 0: no time window */
  uint32_t window_at;      /* offset of the window in a slot */
  uint32_t stripes;        /* of the time window, a power of two */
  int32_t consecutive, failure_rate_ppm;
  uint32_t min_calls, lease_ms, probes, successes;
  uint32_t judged, plain; /* a bit an outcome: rules hear it; it only counts, as a success */
  uint8_t heard[TTB__OUTCOMES]; /* the rules that are, by outcome */
  uint32_t rules, flags, rate_above; /* above: 1 if a rate is too high only above its threshold */
  uint32_t streak, strike_row;          /* whether one is kept; what a failure adds to the row */
  uint32_t sum_up, sum_down, sum_limit; /* the CUSUM rule's steps and limit, or 0 */
  int32_t slow_rate_ppm;
  uint32_t last_calls, last_words; /* 0: no count window */
  uint32_t half_calls; /* 0: closes after `successes`, opens at a failure */
  int32_t half_rate_ppm;
  /* how long it stays open */
  uint32_t open_ms, open_growth_ppm, open_max_ms; /* max: of all steps */
  uint32_t open_steps;                            /* from this step on it is open_max_ms */
  uint32_t open_jitter_ppm, open_decay_ms;        /* 0: none; closing ends the steps */
  uint32_t ramp_ms, ramp_start_ppm;
  uint64_t seed;
  uint32_t row; /* TTB__NO_ROW unless joined */
  uint32_t tickets; /* 0: not checked one by one */
  ttb__seen seen;   /* of a joined handle */
  /* seldom used rules */
  uint32_t extra_at, planes; /* offset of the extra words; planes of the time window */
  uint32_t window_ms, slow_ms, average_calls, average_success_ppm;
  uint64_t average_keep, average_inverse;
  unsigned char *receipts;
  /* cold */
  uint32_t threads;
  ttb__region *region;
  ttb__breaker_table *table;
  ttb__rows *rows;
  ttb__keys keys; /* key NULL: not a table of keys */
  ttb__row mine; /* the row of a joined handle */
  uint64_t owned; /* bytes to give back, 0 if the memory is the caller's */
  ttb_allocator allocator;
} ttb__breaker;
_Static_assert(sizeof(ttb__breaker) <= sizeof(ttb_breaker), "the handle's size is frozen");

extern const ttb__struct ttb__breaker_config_fields, ttb__breaker_info_fields,
    ttb__breaker_stats_fields, ttb__breaker_cusum_fields;

/* NULL unless h is a live breaker handle. */
static inline ttb__breaker *ttb__breaker_of(const ttb_breaker *h) {
  ttb__breaker *b = (ttb__breaker *)(uintptr_t)h;
  return b && b->tag == TTB__TAG(TTB__KIND_BREAKER) ? b : NULL;
}

static inline ttb__breaker_slot *ttb__breaker_slot_at(const ttb__breaker *b, uint32_t slot) {
  return (ttb__breaker_slot *)(void *)(b->slots + (uint64_t)slot * b->stride);
}

/* Where a slot's window begins, and its extra words. */
static inline ttb__a64 *ttb__breaker_words(const ttb__breaker *b, ttb__breaker_slot *s) {
  return (ttb__a64 *)(void *)((unsigned char *)s + b->window_at);
}

#define TTB__EXTRA_AVERAGE 0u   /* average.h */
#define TTB__EXTRA_SUCCESSES 1u /* generation 20 | successes in a row 44 */
static inline ttb__a64 *ttb__breaker_extra(const ttb__breaker *b, ttb__breaker_slot *s,
                                           uint32_t which) {
  return (ttb__a64 *)(void *)((unsigned char *)s + b->extra_at) + which;
}

/* ---- the words ---- */

#define TTB__DEADLINE_MASK ((UINT64_C(1) << 36) - 1)

#define TTB__MAX_STEP 15u
#define TTB__RAMP (UINT64_C(1) << 40)
#define TTB__RAMP_STEP 16u /* that bit, for who writes it with the step */

static inline uint64_t ttb__state(uint32_t gen, uint32_t kind, uint64_t deadline) {
  return (uint64_t)(gen & TTB__GEN_MASK) << 44 | (uint64_t)kind << 41 |
         (deadline & TTB__DEADLINE_MASK);
}
static inline uint32_t ttb__word_gen(uint64_t w) { return (uint32_t)(w >> 44); }
static inline uint32_t ttb__state_kind(uint64_t w) { return (uint32_t)(w >> 41 & 7); }
static inline uint64_t ttb__with_step(uint64_t w, uint32_t step) { return w | (uint64_t)step << 36; }
static inline uint32_t ttb__state_step(uint64_t w) {
  return (uint32_t)(w >> 36) & TTB__MAX_STEP;
}

/* A kind that callers see as OPEN: by hand, for a time of its own. */
#define TTB__OPEN_FOR 5u
#define TTB__MOST_OPEN_FOR 604800000u

/* Closed, and no ramp: a call just passes. */
static inline bool ttb__state_passes(uint64_t w) { return (w >> 40 & 15) == 0; }

/* A caller may be preempted this long between reading the clock and the state. */
#define TTB__LAG_MS UINT64_C(3600000)

/* ms until the deadline, at most `longest`; 0 if it is over (I4). */
static inline uint64_t ttb__state_remaining(uint64_t w, uint64_t now_ms, uint64_t longest) {
  uint64_t left = ((w & TTB__DEADLINE_MASK) - now_ms) & TTB__DEADLINE_MASK;
  if (left > longest + TTB__LAG_MS) return 0;
  return left < longest ? left : longest;
}

/* For how long it has been closed, if the state remembers. A time before the
 * closing is a late caller's (I4). */
static inline uint64_t ttb__closed_for(uint64_t w, uint64_t now_ms) {
  uint64_t closed = (now_ms - (w & TTB__DEADLINE_MASK)) & TTB__DEADLINE_MASK;
  return closed > TTB__DEADLINE_MASK - TTB__LAG_MS ? 0 : closed;
}

/* A tagged count: its value in this generation. */
static inline uint64_t ttb__count_of(uint64_t w, uint32_t gen) {
  return ttb__word_gen(w) == gen ? w & ((UINT64_C(1) << 44) - 1) : 0;
}
static inline uint64_t ttb__count(uint32_t gen, uint64_t n) { return (uint64_t)gen << 44 | n; }

/* Whether generation gen may write over w, a word that goes with the state (I2).
 * Read w by ttb__load_acq, write it by ttb__cas_rel: who sees the word of a
 * later generation then sees a state at least as late. */
static inline bool ttb__may_write(uint64_t w, uint32_t gen, const ttb__a64 *state) {
  return ttb__word_gen(w) == gen || ttb__word_gen(ttb__load_rlx(state)) == gen;
}

static inline uint64_t ttb__probe(uint32_t gen, uint32_t holder, uint32_t nonce) {
  return (uint64_t)gen << 44 | (uint64_t)holder << 32 | nonce;
}
static inline uint32_t ttb__probe_holder(uint64_t w) { return (uint32_t)(w >> 32 & 0xfff); }
static inline uint32_t ttb__probe_nonce(uint64_t w) { return (uint32_t)w; }
/* Whether a probe word stands for a probe out in this generation. */
static inline bool ttb__probe_is_out(uint64_t w, uint32_t gen) {
  return ttb__word_gen(w) == gen && ttb__probe_holder(w) != 0;
}

/* A probe's permit in the ticket: index + 1 in 6 bits, 9 bits of nonce. */
static inline uint32_t ttb__permit(uint32_t index, uint32_t nonce) {
  return (index + 1) | (nonce & 0x1ff) << 6;
}
static inline uint32_t ttb__permit_index(uint32_t permit) { return (permit & 0x3f) - 1; }
static inline bool ttb__permit_is_probe(uint32_t permit) {
  return (permit & 0x3f) != 0 && (permit & 0x3f) <= TTB__BREAKER_MAX_PROBES;
}
static inline uint32_t ttb__permit_nonce(uint32_t permit) { return permit >> 6; }

/* ---- the CUSUM rule (cusum.c) ---- */

#define TTB__MOST_CUSUM_CALLS UINT64_C(1000000000000000)

typedef struct ttb__cusum {
  uint32_t up, down, limit; /* a failure adds up, a success takes down off, limit opens */
  uint64_t calls;           /* between false trips, at the healthy rate, on average */
} ttb__cusum;

/* The smallest limit with at least `calls` between false trips. TTB_ERR_RANGE if
 * the rates are too close to each other for any. */
int32_t ttb__cusum_plan(int32_t healthy_ppm, int32_t bad_ppm, uint64_t calls, ttb__cusum *ret);

/* ---- the open time (open_time.c) ---- */

/* The step of a breaker in state w: while closed, what has not decayed. */
uint32_t ttb__breaker_step_now(const ttb__breaker *b, uint64_t w, uint64_t now_ms);
/* The step with which it opens now, and closes. */
uint32_t ttb__breaker_step_to_open(const ttb__breaker *b, uint64_t w, uint64_t now_ms);
uint32_t ttb__breaker_step_to_close(const ttb__breaker *b, uint64_t w);
/* When the open time of generation gen, begun now, is over. */
uint64_t ttb__breaker_open_until(const ttb__breaker *b, const ttb__breaker_slot *s, uint32_t gen,
                                 uint32_t step, uint64_t now_ms);
/* 64 bits of seed, slot and generation. */
uint64_t ttb__breaker_draw(const ttb__breaker *b, const ttb__breaker_slot *s, uint32_t gen);
/* Whether the n-th call of a ramp passes, so long after closing (ramp.c). */
bool ttb__breaker_ramp_passes(const ttb__breaker *b, const ttb__breaker_slot *s, uint32_t gen,
                              uint64_t n, uint64_t closed_ms);
/* What is left of the time of a state that has one; 0 of the others. */
static inline uint64_t ttb__breaker_left(const ttb__breaker *b, uint64_t w, uint64_t now_ms) {
  uint32_t after = (b->flags & TTB_BREAKER_OPEN_AFTER) != 0;
  switch (ttb__state_kind(w)) {
  case TTB_BREAKER_OPEN: return ttb__state_remaining(w, now_ms, (uint64_t)b->open_max_ms + after);
  case TTB__OPEN_FOR:
    return ttb__state_remaining(w, now_ms, (uint64_t)TTB__MOST_OPEN_FOR + after);
  case TTB_BREAKER_HALF_OPEN: return ttb__state_remaining(w, now_ms, b->lease_ms);
  default: return 0;
  }
}

/* The state of a breaker that is closed now, as new: its generation is yet to be
 * put in. The time is kept for those who ask for it. */
static inline uint64_t ttb__breaker_closed(const ttb__breaker *b, uint32_t step, uint64_t now_ms) {
  bool fixed = (b->flags & TTB_BREAKER_FIXED_WINDOW) != 0;
  bool timed = fixed || step > 0 || b->average_inverse != 0;
  return ttb__with_step(ttb__state(0, TTB_BREAKER_CLOSED, timed ? now_ms : 0),
                        step | (fixed ? TTB__RAMP_STEP : 0));
}

/* Whether a fixed window is over; then a new generation begins. */
static inline bool ttb__breaker_window_is_over(const ttb__breaker *b, uint64_t w,
                                               uint64_t now_ms) {
  return b->flags & TTB_BREAKER_FIXED_WINDOW && ttb__state_kind(w) == TTB_BREAKER_CLOSED &&
         w & TTB__RAMP && ttb__closed_for(w, now_ms) > b->window_ms;
}

/* ---- the round (probes.c) ---- */

/* Takes a probe of generation gen: a ticket, TTB_HALF_OPEN_FULL, or TTB_AGAIN
 * if the generation is over. */
int64_t ttb__breaker_take_probe(ttb__breaker *b, ttb__breaker_slot *s, uint32_t slot, uint32_t gen);
/* Gives it back: true for the one caller whose probe it was. */
bool ttb__breaker_give_probe(ttb__breaker *b, ttb__breaker_slot *s, int64_t ticket);
/* Whether a probe can be had, as far as this caller sees. */
bool ttb__breaker_has_room(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen);
uint32_t ttb__breaker_probes_out(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen);

/* A round judged by rates: its outcomes so far. */
typedef struct ttb__round {
  uint32_t calls, failures, slow;
} ttb__round;

#define TTB__ROUND_MASK 0x3fffu
#define TTB__ROUND_IS_RAMP (UINT64_C(1) << 43)

static inline ttb__round ttb__round_of(uint64_t w, uint32_t gen) {
  uint64_t n = ttb__count_of(w, gen);
  return (ttb__round){(uint32_t)n & TTB__ROUND_MASK, (uint32_t)(n >> 14) & TTB__ROUND_MASK,
                      (uint32_t)(n >> 28) & TTB__ROUND_MASK};
}
static inline uint64_t ttb__round_word(uint32_t gen, ttb__round r) {
  return ttb__count(gen, r.calls | (uint64_t)r.failures << 14 | (uint64_t)r.slow << 28);
}

/* ---- joined threads (join.c) ---- */

void ttb__breaker_leave(ttb__breaker *b);
/* Gives back every probe a row holds, in whatever generation. */
void ttb__breaker_give_all(ttb__breaker *b, uint32_t row);

#endif
