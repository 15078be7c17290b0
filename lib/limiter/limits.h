/* SPDX-License-Identifier: MIT */
/* Rules that derive a limit of calls at once from how long calls take: what
 * they are told, what they keep, and the rows of rules.
 *
 * A rule sees one sample a window: the mean (or a quantile) of the latencies,
 * whether the limit was in use, whether calls were dropped. It runs once a
 * window, in whichever process closed it.
 *
 *     limit     Q32: calls * 2^32
 *     latency   Q4 of a quarter microsecond: 1/64 us
 *
 * I1  Integers only. Any state, also a scribbled one, gives a limit within
 *     min .. max.
 * I2  State 0 is "nothing known". The two words a and b are the rule's own and
 *     are stored one by one: a rule takes any pair of them. */
#ifndef TTB_LIB_LIMITER_LIMITS_H
#define TTB_LIB_LIMITER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/mulhi.h"

/* What a rule is configured to; from ttb_limiter_config with its defaults. */
typedef struct ttb__limit_params {
  uint64_t seed;
  uint32_t initial, min, max;   /* calls */
  uint32_t smoothing, backoff;  /* ppm; backoff 0: less log10 of the limit */
  union {
    struct {
      uint32_t alpha, beta; /* times log10 of the limit */
    } vegas;
    struct {
      uint32_t queue, window, tolerance; /* calls, samples, ppm */
    } gradient2;
    struct {
      uint32_t buffer, every_ms, jitter; /* ppm, ms, ppm */
    } gradient;
  } u;
} ttb__limit_params;

typedef struct ttb__limit_sample {
  uint64_t latency;  /* 0: no call of the window came to an end */
  uint64_t now_ms;   /* virtual */
  uint32_t inflight; /* the most there were */
  uint32_t slot;
  bool dropped; /* a call failed, or took too long */
} ttb__limit_sample;

typedef struct ttb__limit_state {
  uint64_t limit, a, b;
  bool measuring; /* in and out: the next window measures the least latency (gradient) */
} ttb__limit_state;

typedef void ttb__limit_rule(const ttb__limit_params *p, ttb__limit_state *s,
                             const ttb__limit_sample *x);
extern ttb__limit_rule ttb__limit_aimd, ttb__limit_vegas, ttb__limit_gradient2,
    ttb__limit_gradient;

/* What gradient2 has learnt as the long latency, from its word a; 0 nothing. */
uint64_t ttb__limit_gradient2_long(uint64_t a);

/* ---- arithmetic ---- */

#define TTB__LIMIT_PPM UINT64_C(1000000)
/* No call counts as longer: 268 s, in quarters of a us. */
#define TTB__LIMIT_LONGEST ((UINT64_C(1) << 30) - 1)
#define TTB__LIMIT_LATENCY ((UINT64_C(1) << 34) - 1) /* the same, as a sample's latency */

/* x * ppm / 10^6, rounded down; x below 2^57, ppm below 2^26. */
static inline uint64_t ttb__limit_part(uint64_t x, uint32_t ppm) {
  return x / TTB__LIMIT_PPM * ppm + x % TTB__LIMIT_PPM * ppm / TTB__LIMIT_PPM;
}

/* A part of the way from one limit to another: an exponential average. To the
 * nearest: five steps of 0.8 make 4, not a little less and so 3 calls. */
static inline uint64_t ttb__limit_towards(uint64_t from, uint64_t to, uint32_t ppm) {
  uint64_t apart = to >= from ? to - from : from - to;
  uint64_t step = apart / TTB__LIMIT_PPM * ppm;
  step += (apart % TTB__LIMIT_PPM * ppm + TTB__LIMIT_PPM / 2) / TTB__LIMIT_PPM;
  return to >= from ? from + step : from - step;
}

static inline uint64_t ttb__limit_clamp(const ttb__limit_params *p, uint64_t limit) {
  uint64_t min = (uint64_t)p->min << 32, max = (uint64_t)p->max << 32;
  return limit < min ? min : limit > max ? max : limit;
}

/* limit * g, g in Q28 and at most 2. */
static inline uint64_t ttb__limit_times(uint64_t limit, uint64_t g) {
  return ttb__mulhi(limit << 16, g << 20);
}

/* The whole part of log10, 1 at the least. */
static inline uint32_t ttb__limit_log10(uint64_t limit) {
  uint32_t n = (uint32_t)(limit >> 32), log = 1;
  for (n /= 100; n > 0; n /= 10) log++;
  return log;
}

#endif
