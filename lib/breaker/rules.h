/* SPDX-License-Identifier: MIT */
/* When a breaker opens, and what a round's rates say: rules as bits.
 *
 *     row       consecutive failures reached
 *     failures  failure rate of the window reached, min_calls in it
 *     slow      share of slow calls of the window reached, min_calls in it
 *     sum       the CUSUM reached its limit
 *     average   moving average of successes too low
 *
 * A rule is heard at outcomes it is about: a failure, but a slow call for the
 * slow rule (as Polly: a success never opens). With ALL every rule is
 * heard at each of them, since all must say so at once; with TRIP_ON_SUCCESS at
 * every outcome, as resilience4j does.
 *
 * I1  Comparisons are of products of integers, never of quotients: a rate of
 *     exactly the threshold is told from one beside it. */
#ifndef TTB_LIB_BREAKER_RULES_H
#define TTB_LIB_BREAKER_RULES_H

#include "breaker.h"
#include "last_calls.h"
#include "streak.h"
#include "window.h"

#define TTB__RULE_ROW 1u
#define TTB__RULE_FAILURES 2u
#define TTB__RULE_SLOW 4u
#define TTB__RULE_SUM 8u
#define TTB__RULE_AVERAGE 16u
/* Those that ask the streak, and the window. */
#define TTB__RULES_OF_STREAK (TTB__RULE_ROW | TTB__RULE_SUM)
#define TTB__RULES_OF_WINDOW (TTB__RULE_FAILURES | TTB__RULE_SLOW)

/* Whether `bad` of `calls` are too many. */
static inline bool ttb__breaker_too_many(const ttb__breaker *b, uint64_t bad, uint64_t calls,
                                         int32_t rate_ppm) {
  return bad * 1000000 >= (uint64_t)rate_ppm * calls + b->rate_above;
}

/* The rules, of those that are on, that are heard at an outcome. */
static inline uint32_t ttb__breaker_heard(uint32_t rules, uint32_t flags, int32_t outcome) {
  if (flags & TTB_BREAKER_TRIP_ON_SUCCESS) return rules;
  uint32_t slow = ttb__was_slow(outcome) ? rules & TTB__RULE_SLOW : 0;
  if (!ttb__failed(outcome) && slow == 0) return 0;
  if (flags & TTB_BREAKER_ALL) return rules;
  return (ttb__failed(outcome) ? rules & ~TTB__RULE_SLOW : 0) | slow;
}

/* A slot's window, of either kind. */
static inline ttb__window ttb__breaker_window(const ttb__breaker *b, ttb__breaker_slot *s) {
  return (ttb__window){ttb__breaker_words(b, s), b->stripes, b->planes};
}
static inline ttb__last ttb__breaker_last(const ttb__breaker *b, ttb__breaker_slot *s,
                                          uint32_t gen) {
  return (ttb__last){ttb__breaker_words(b, s), &s->state, gen, b->last_calls, b->last_words};
}

/* The planes of a time window. The first alone with the slow rule, all of them
 * with TTB_BREAKER_DETAILED. */
#define TTB__PLANE_SLOW 0u
#define TTB__PLANE_SLOW_FAILURES 1u
#define TTB__PLANE_IGNORED 2u
#define TTB__PLANE_DURATION 3u /* us */

/* What is in it. */
static inline ttb__counts ttb__breaker_counts(const ttb__breaker *b, ttb__breaker_slot *s,
                                              uint32_t gen, uint32_t turn) {
  if (b->last_calls > 0) return ttb__last_counts(ttb__breaker_last(b, s, gen));
  return ttb__window_sum(ttb__breaker_window(b, s), turn);
}

/* The slow ones of these calls. */
static inline uint32_t ttb__breaker_slow(const ttb__breaker *b, ttb__breaker_slot *s,
                                         uint32_t gen, uint32_t turn, uint32_t calls) {
  uint64_t slow;
  if (b->last_calls > 0) {
    ttb__last l = ttb__breaker_last(b, s, gen);
    slow = ttb__last_count(l, ttb__last_slow(l), NULL);
  } else {
    slow = ttb__window_sum_plane(ttb__breaker_window(b, s), TTB__PLANE_SLOW, turn);
  }
  return slow < calls ? (uint32_t)slow : calls;
}

/* What an outcome has made of the words beside the window. */
typedef struct ttb__facts {
  ttb__streak streak;
  bool low;        /* the moving average is too low */
  uint64_t w, now; /* the state; the time, if there is a time window */
} ttb__facts;

/* Which of the heard rules say open. */
static inline uint32_t ttb__breaker_said(const ttb__breaker *b, ttb__breaker_slot *s,
                                         uint32_t heard, ttb__facts f, uint32_t gen,
                                         uint32_t turn) {
  uint32_t said = 0;
  if (heard & TTB__RULE_ROW && f.streak.row >= (uint32_t)b->consecutive) said |= TTB__RULE_ROW;
  if (heard & TTB__RULE_SUM && f.streak.sum >= b->sum_limit) said |= TTB__RULE_SUM;
  if (f.low && heard & TTB__RULE_AVERAGE && b->average_calls > 0) said |= TTB__RULE_AVERAGE;
  bool by_time = f.low && heard & TTB__RULE_AVERAGE && b->average_calls == 0 &&
                 ttb__closed_for(f.w, f.now) >= b->window_ms;
  if (!(heard & TTB__RULES_OF_WINDOW) && !by_time) return said;
  ttb__counts c = ttb__breaker_counts(b, s, gen, turn);
  if (c.calls < b->min_calls) return said;
  if (by_time) said |= TTB__RULE_AVERAGE;
  if (heard & TTB__RULE_FAILURES &&
      ttb__breaker_too_many(b, c.failures, c.calls, b->failure_rate_ppm))
    said |= TTB__RULE_FAILURES;
  if (heard & TTB__RULE_SLOW &&
      ttb__breaker_too_many(b, ttb__breaker_slow(b, s, gen, turn, c.calls), c.calls,
                            b->slow_rate_ppm))
    said |= TTB__RULE_SLOW;
  return said;
}

static inline bool ttb__breaker_opens(const ttb__breaker *b, uint32_t said) {
  return b->flags & TTB_BREAKER_ALL ? said == b->rules : said != 0;
}

/* A round judged by rates: > 0 close, < 0 open, 0 go on. */
static inline int ttb__breaker_verdict(const ttb__breaker *b, ttb__round r) {
  uint32_t n = b->half_calls, left = r.calls < n ? n - r.calls : 0, all = r.calls + left;
  if (left > 0 && !(b->flags & TTB_BREAKER_EARLY_VERDICT)) return 0;
  bool slow = (b->rules & TTB__RULE_SLOW) != 0;
  if (ttb__breaker_too_many(b, r.failures, all, b->half_rate_ppm) ||
      (slow && ttb__breaker_too_many(b, r.slow, all, b->slow_rate_ppm)))
    return -1;
  if (ttb__breaker_too_many(b, r.failures + left, all, b->half_rate_ppm) ||
      (slow && ttb__breaker_too_many(b, r.slow + left, all, b->slow_rate_ppm)))
    return 0;
  return 1;
}

#endif
