/* SPDX-License-Identifier: MIT */
/* Square-root staffing: n = a + beta sqrt(a), after Erlang 1924, and what it
 * promises in the limit of many servers (Halfin and Whitt 1981).
 *
 * I1  Phi(b) / phi(b) = 1/2 / phi(b) + b + b^3/3 + b^5/(3*5) + ...: positive
 *     terms, no table and no erf. */
#include "plan.h"

#include <math.h>

#include "../base/fp.h" /* sqrt: the one function of libm here, rounded alike everywhere */

#define BETA_MAX 37.0
#define SQRT_2PI 2.5066282746310002

int32_t ttb_plan_square_root(double load, double beta) {
  if (!ttb__within(load, 0, TTB_PLAN_MAX) || !ttb__within(beta, 0, BETA_MAX)) return TTB_ERR_RANGE;
  /* Below 1.2e7: fits. */
  double need = load + beta * sqrt(load);
  uint32_t n = (uint32_t)need;
  n += n < need;
  return n <= TTB_PLAN_MAX ? (int32_t)n : TTB_LIMIT;
}

static double waits_at(double beta) {
  double square = beta * beta, term = beta, series = beta;
  for (int odd = 3; term > series * TTB__PLAN_NEGLIGIBLE; odd += 2) {
    term *= square / odd;
    series += term;
  }
  return 1 / (1 + beta * (SQRT_2PI / 2 * ttb__exp(square / 2) + series));
}

int32_t ttb_plan_beta_waits(double beta, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (!ttb__within(beta, 0, BETA_MAX)) return TTB_ERR_RANGE;
  *ret = ttb__not_tiny(waits_at(beta));
  return TTB_OK;
}

/* Halves the interval until it is one. waits_at falls from 1 at 0 to less than
 * TTB_PLAN_TINY at BETA_MAX. */
int32_t ttb_plan_beta(double waits, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (!ttb__within(waits, TTB_PLAN_TINY, 1)) return TTB_ERR_RANGE;
  double low = 0, high = BETA_MAX;
  for (int i = 0; i < 100 && waits < 1; i++) {
    double middle = low + (high - low) / 2;
    if (waits_at(middle) > waits) low = middle;
    else high = middle;
  }
  *ret = waits < 1 ? high : 0;
  return TTB_OK;
}
