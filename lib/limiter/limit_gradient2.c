/* SPDX-License-Identifier: MIT */
/* Gradient2: the limit follows latency against its own long average.
 *
 *     gradient = tolerance * long / latency, within 0.5 .. 1
 *     limit = (1 - smoothing) * limit + smoothing * (limit * gradient + queue)
 *
 * From Netflix's concurrency-limits (Gradient2Limit.java, ExpAvgMeasurement.java).
 * The long average is exponential over `window` samples, the plain mean of the
 * first ten; while it is more than twice the latency it loses 5 % a sample, so
 * that a long bad time is forgotten quickly. A limit that is not half used stays.
 * Drops are not looked at: a call that failed brings no latency.
 *
 *     a = samples 4 | their sum (below 10) or the average, Q20 60
 *
 * I1  A window without a latency changes nothing. */
#include "limits.h"

#define WARM 10u
#define FRACTION 20
#define SUM ((UINT64_C(1) << 60) - 1)
#define VALUE ((UINT64_C(1) << (34 + FRACTION)) - 1)

static uint64_t mean_of(uint64_t a) {
  uint64_t n = a >> 60, x = a & SUM;
  if (n == 0) return 0;
  if (n < WARM) x /= n;
  return x < VALUE ? x : VALUE;
}

uint64_t ttb__limit_gradient2_long(uint64_t a) { return mean_of(a) >> FRACTION; }

/* The word a after a sample. */
static uint64_t add(uint64_t a, uint64_t latency, uint32_t window) {
  uint64_t n = a >> 60, x = latency << FRACTION, value = mean_of(a);
  if (n < WARM) {
    uint64_t sum = n > 0 ? (a & SUM) + x : x;
    if (sum > WARM * VALUE) sum = WARM * VALUE; /* scribbled */
    return (n + 1) << 60 | (n + 1 < WARM ? sum : sum / WARM);
  }
  /* 2 / (window + 1) of the difference; Q20 leaves room for the 2. */
  uint64_t apart = x > value ? x - value : value - x, step = 2 * apart / (window + 1);
  return (uint64_t)WARM << 60 | (x > value ? value + step : value - step);
}

void ttb__limit_gradient2(const ttb__limit_params *p, ttb__limit_state *s,
                          const ttb__limit_sample *x) {
  if (x->latency == 0) return;
  s->a = add(s->a, x->latency, p->u.gradient2.window);
  uint64_t average = mean_of(s->a);
  if (s->a >> 60 == WARM && average > x->latency << (FRACTION + 1))
    s->a = (uint64_t)WARM << 60 | ttb__limit_part(average, 950000);
  if ((uint64_t)x->inflight << 33 < s->limit) return;
  uint64_t ratio = (average << 8) / x->latency, most = UINT64_C(4) << 28; /* Q28 */
  uint64_t g = ttb__limit_part(ratio < most ? ratio : most, p->u.gradient2.tolerance);
  if (g < UINT64_C(1) << 27) g = UINT64_C(1) << 27;
  if (g > UINT64_C(1) << 28) g = UINT64_C(1) << 28;
  uint64_t next = ttb__limit_times(s->limit, g) + ((uint64_t)p->u.gradient2.queue << 32);
  s->limit = ttb__limit_clamp(p, ttb__limit_towards(s->limit, next, p->smoothing));
}
