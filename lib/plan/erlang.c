/* SPDX-License-Identifier: MIT */
/* Erlang's formulas (1917) for Poisson arrivals: B, servers without a queue; C,
 * servers with one endless queue. a is the load, n the servers.
 *
 *     S = 1/B,    S(0) = 1,    S(n) = 1 + n/a * S(n-1)        (Jagerman 1974)
 *     C = n B / (n - a (1 - B)) = n / ((n - a) S + a)
 *
 * I1  S is worked with, not B: it is a sum of positive terms, and C in terms of
 *     it has no difference but n - a.
 * I2  S past S_MAX stays there; B and C are then far below TTB_PLAN_TINY, so 0.
 *     So no loop is longer than the peak of S is wide: about 75 sqrt(a). */
#include "plan.h"

#define S_MAX 1e300

/* The recursion from its outer end: 1 + n/a (1 + (n-1)/a (1 + ...)), which can
 * stop when terms get small. */
static double inverse_b(double a, uint32_t n) {
  double term = 1, sum = 1;
  for (uint32_t j = n; j > 0 && sum < S_MAX; j--) {
    term *= j / a;
    sum += term;
    if (term < sum * TTB__PLAN_NEGLIGIBLE) break;
  }
  return sum < S_MAX ? sum : S_MAX;
}

static double next_inverse_b(double a, uint32_t n, double s) {
  s = 1 + n / a * s;
  return s < S_MAX ? s : S_MAX;
}

static double b_of(double s) { return ttb__not_tiny(1 / s); }

static double c_of(double a, uint32_t n, double s) {
  if (n <= a) return 1;
  return ttb__not_tiny(n / ((n - a) * s + a));
}

static double over_of(double a, uint32_t n, double s, double wait) {
  double c = c_of(a, n, s), exponent = (n - a) * wait;
  if (n <= a) return 1;
  return exponent < 700 ? ttb__not_tiny(c * ttb__exp(-exponent)) : 0;
}

static bool sound(double load, uint32_t servers) {
  return ttb__within(load, 0, TTB_PLAN_MAX) && servers <= TTB_PLAN_MAX;
}

int32_t ttb_plan_erlang_b(double load, uint32_t servers, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (!sound(load, servers)) return TTB_ERR_RANGE;
  *ret = b_of(inverse_b(load, servers));
  return TTB_OK;
}

int32_t ttb_plan_erlang_c(double load, uint32_t servers, double *ret) {
  return ttb_plan_wait_over(load, servers, 0, ret);
}

int32_t ttb_plan_wait(double load, uint32_t servers, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (!sound(load, servers)) return TTB_ERR_RANGE;
  if (servers <= load) return TTB_LIMIT;
  *ret = ttb__not_tiny(c_of(load, servers, inverse_b(load, servers)) / (servers - load));
  return TTB_OK;
}

int32_t ttb_plan_wait_over(double load, uint32_t servers, double wait, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (!sound(load, servers) || !ttb__within(wait, 0, TTB_PLAN_HUGE)) return TTB_ERR_RANGE;
  *ret = over_of(load, servers, inverse_b(load, servers), wait);
  return TTB_OK;
}

/* From the first n that can do, one recursion step a server. */
int32_t ttb_plan_servers(double load, double wait, double share) {
  if (!sound(load, 0) || !ttb__within(wait, 0, TTB_PLAN_HUGE)) return TTB_ERR_RANGE;
  if (!ttb__within(share, TTB_PLAN_TINY, 1)) return TTB_ERR_RANGE;
  if (load <= 0) return 0;
  uint32_t n = (uint32_t)load + 1;
  for (double s = inverse_b(load, n); n <= TTB_PLAN_MAX; s = next_inverse_b(load, n, s)) {
    if (over_of(load, n, s, wait) <= share) return (int32_t)n;
    n++;
  }
  return TTB_LIMIT;
}

/* B is above 1 - n/a, which says where to begin. */
int32_t ttb_plan_servers_blocked(double load, double share) {
  if (!sound(load, 0) || !ttb__within(share, TTB_PLAN_TINY, 1)) return TTB_ERR_RANGE;
  if (load <= 0) return 0;
  uint32_t n = (uint32_t)(load * (1 - share));
  if (n > 0) n--;
  for (double s = inverse_b(load, n); n <= TTB_PLAN_MAX; s = next_inverse_b(load, n, s)) {
    if (b_of(s) <= share) return (int32_t)n;
    n++;
  }
  return TTB_LIMIT;
}
