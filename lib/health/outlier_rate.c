/* SPDX-License-Identifier: MIT */
/* Two tests of Envoy's outlier detection and of gRPC's (proposal A50).
 *
 *     success rate          rate < mean - factor * stdev, over all that are judged
 *     failure percentage    failures >= threshold (gRPC: above it)
 *
 * They are kept for whoever moves from those. The first is weak by its own
 * arithmetic: k dead of n stand sqrt((n - k) / k) deviations from the mean, so
 * with 1.9 none is found once more than 21.7 % are dead; and among close rates
 * somebody always is 1.9 away. outlier_robust.c has neither fault.
 *
 * I1  Rates are Q26 and the deviation is that of the population (n, not n - 1);
 *     integers, so that every machine ejects the same. */
#include "health.h"

#define ONE (INT64_C(1) << 26)

/* The integer square root, bit by bit. */
static uint64_t root_of(uint64_t x) {
  uint64_t r = 0;
  for (uint64_t bit = UINT64_C(1) << 62; bit > 0; bit >>= 2) {
    if (x >= r + bit) x -= r + bit, r = (r >> 1) + bit;
    else r >>= 1;
  }
  return r;
}

static int64_t rate_q26(ttb__outlier_rate r) {
  uint64_t good = r.calls - r.failures;
  return (int64_t)(((good << 26) + r.calls / 2) / r.calls);
}

static void tell(ttb__health *t, uint32_t judged, int64_t mean, int64_t threshold) {
  int64_t m = (mean * 1000000 + ONE / 2) >> 26, h = (threshold * 1000000 + ONE / 2) >> 26;
  uint64_t offset = UINT64_C(1) << 31;
  ttb__store_rlx(&t->ejections->rates,
                 ((uint64_t)m + offset) << 32 | (uint32_t)((uint64_t)h + offset));
  ttb__store_rlx(&t->ejections->judged, judged);
}

void ttb__outlier_success_rate(ttb__health *t, bool local, uint64_t now) {
  const ttb__outlier_params *p = &t->outlier;
  ttb__outlier_rate r;
  uint64_t sum = 0, squares = 0;
  uint32_t n = 0;
  if (p->stdev_ppm == 0) return;
  for (uint32_t i = 0; i < t->capacity; i++)
    if (ttb__outlier_rate_of(t, i, local, p->requests, &r)) sum += (uint64_t)rate_q26(r), n++;
  if (n < p->hosts) {
    tell(t, 0, 0, 0);
    return;
  }
  int64_t mean = (int64_t)((sum + n / 2) / n);
  for (uint32_t i = 0; i < t->capacity; i++) {
    if (!ttb__outlier_rate_of(t, i, local, p->requests, &r)) continue;
    int64_t apart = rate_q26(r) - mean;
    squares += (uint64_t)(apart * apart) >> 8; /* of 2^20 targets still below 2^64 */
  }
  int64_t stdev = (int64_t)root_of(squares / n << 8);
  int64_t threshold = mean - (int64_t)((uint64_t)stdev * p->stdev_ppm / 1000000);
  tell(t, n, mean, threshold);
  for (uint32_t i = 0; i < t->capacity; i++)
    if (ttb__outlier_rate_of(t, i, local, p->requests, &r) && rate_q26(r) < threshold)
      (void)ttb__outlier_detect(t, i, ttb__target_gen(ttb__load_rlx(&t->slots[i].state)),
                                p->enforce_rate, now);
}

static bool fails_too_much(const ttb__outlier_params *p, ttb__outlier_rate r) {
  uint64_t is = (uint64_t)r.failures * 1000000, most = (uint64_t)r.calls * p->failure_ppm;
  return p->profile == TTB_HEALTH_EJECT_GRPC ? is > most : is >= most;
}

void ttb__outlier_failure_percentage(ttb__health *t, bool local, uint64_t now) {
  const ttb__outlier_params *p = &t->outlier;
  ttb__outlier_rate r;
  uint32_t n = 0;
  if (p->failure_ppm == 0) return;
  for (uint32_t i = 0; i < t->capacity; i++)
    n += ttb__outlier_rate_of(t, i, local, p->failure_requests, &r);
  if (n < p->failure_hosts) return;
  for (uint32_t i = 0; i < t->capacity; i++)
    if (ttb__outlier_rate_of(t, i, local, p->failure_requests, &r) && fails_too_much(p, r))
      (void)ttb__outlier_detect(t, i, ttb__target_gen(ttb__load_rlx(&t->slots[i].state)),
                                p->enforce_failure, now);
}
