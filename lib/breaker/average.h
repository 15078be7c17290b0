/* SPDX-License-Identifier: MIT */
/* The moving average of failures: the success rates of finagle's
 * FailureAccrualPolicy, over calls or over time.
 *
 *     by calls: average = average * e^(-1/average_calls) + failed * (1 - e^(..))
 *               word    = generation 20 | calls 14 | average 30
 *     by time:  the same with e^(-elapsed/window_ms) since the call before
 *               word    = generation 20 | 1 | last 22 | average 21
 *
 * The first call of a generation is the average. `last` is in 1024ths of
 * window_ms and comes round after 4,096 windows.
 *
 * I1  One word, one compare-and-swap a call; none for a success where there has
 *     been no failure (by calls: once average_calls are in; by time: within a
 *     1024th of the window). */
#ifndef TTB_LIB_BREAKER_AVERAGE_H
#define TTB_LIB_BREAKER_AVERAGE_H

#include "../base/fixed.h"
#include "breaker.h"

#define TTB__AVERAGE_CALLS_MAX 10000u
#define TTB__LOG2_E_Q32 UINT64_C(6196328019) /* log2(e) * 2^32 */

/* By calls and by time: how many bits the average has, and the other number. */
#define TTB__BITS_BY_CALLS 30
#define TTB__BITS_BY_TIME 21
#define TTB__TICKS_A_WINDOW 1024u
#define TTB__TICK_MASK 0x3fffffu

static inline uint64_t ttb__average_one(uint32_t bits) { return (UINT64_C(1) << bits) - 1; }

/* e^-(n/d) in Q32. */
static inline uint64_t ttb__exp_neg(uint64_t n, uint64_t d) {
  if (n / d > 40) return 0;
  uint64_t x = n * TTB__LOG2_E_Q32 / d;
  return ttb__pow2_neg((uint32_t)(x >> 32), (uint32_t)x);
}

/* An average after one call, of `bits` bits; keep in Q32. */
static inline uint64_t ttb__average_next(uint64_t average, bool failed, uint64_t keep,
                                         uint32_t bits) {
  uint64_t one = ttb__average_one(bits), left = average * keep >> 32;
  return failed ? left + (one - (one * keep >> 32)) : left;
}

/* The word after one more call. */
static inline uint64_t ttb__average_word(const ttb__breaker *b, uint64_t w, uint32_t gen,
                                         bool failed, uint64_t now_ms) {
  uint64_t n = ttb__count_of(w, gen);
  uint32_t bits = b->average_calls > 0 ? TTB__BITS_BY_CALLS : TTB__BITS_BY_TIME;
  uint64_t one = ttb__average_one(bits), average = n & one, first = failed ? one : 0;
  if (b->average_calls > 0) {
    uint64_t calls = n >> bits;
    average = calls > 0 ? ttb__average_next(average, failed, b->average_keep, bits) : first;
    return ttb__count(gen, (calls < b->average_calls ? calls + 1 : calls) << bits | average);
  }
  uint64_t tick = ttb__mulhi(now_ms * TTB__TICKS_A_WINDOW, b->average_inverse) & TTB__TICK_MASK;
  uint64_t elapsed = (tick - (n >> bits)) & TTB__TICK_MASK, present = UINT64_C(1) << 43;
  if (elapsed > TTB__TICK_MASK - TTB__TICKS_A_WINDOW) { /* a late caller's time */
    elapsed = 0;
    tick = n >> bits & TTB__TICK_MASK;
  }
  average = n != 0 ? ttb__average_next(average, failed, ttb__exp_neg(elapsed, TTB__TICKS_A_WINDOW), bits)
                   : first;
  return ttb__count(gen, present | tick << bits | average);
}

/* Counts one call. True if the success rate is too low then, and known well
 * enough (by time, the caller looks at that). */
static inline bool ttb__average_add(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen,
                                    bool failed, uint64_t now_ms) {
  ttb__a64 *word = ttb__breaker_extra(b, s, TTB__EXTRA_AVERAGE);
  uint32_t bits = b->average_calls > 0 ? TTB__BITS_BY_CALLS : TTB__BITS_BY_TIME;
  for (;;) {
    /* acquire: pairs with the release below: a late report leaves a later
     * generation's average (ttb__may_write). */
    uint64_t w = ttb__load_acq(word), next = ttb__average_word(b, w, gen, failed, now_ms);
    if (!ttb__may_write(w, gen, &s->state)) return false;
    if (next != w && !ttb__cas_rel(word, &w, next)) continue;
    uint64_t one = ttb__average_one(bits), n = ttb__count_of(next, gen);
    /* success < threshold, in millionths of one */
    bool low = (one - (n & one)) * 1000000 < (uint64_t)b->average_success_ppm * one;
    return low && (b->average_calls == 0 || n >> bits >= b->average_calls);
  }
}

/* The success rate, -1 before the first call. */
static inline int32_t ttb__average_success(const ttb__breaker *b, ttb__breaker_slot *s,
                                           uint32_t gen) {
  uint64_t n = ttb__count_of(ttb__load_rlx(ttb__breaker_extra(b, s, TTB__EXTRA_AVERAGE)), gen);
  uint64_t one = ttb__average_one(b->average_calls > 0 ? TTB__BITS_BY_CALLS : TTB__BITS_BY_TIME);
  return n == 0 ? -1 : (int32_t)((one - (n & one)) * 1000000 / one);
}

#endif
