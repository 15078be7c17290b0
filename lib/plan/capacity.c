/* SPDX-License-Identifier: MIT */
/* How full servers may be when some can fail, how many a load takes, and what
 * the spares cost.
 *
 * I1  A double can say 1.1 / 0.1 only as a little more than 11: counts forgive
 *     one part in 10^9, so that a rounding never buys a server.
 * I2  Quotients are compared with TTB_PLAN_MAX before they become integers: a
 *     tiny capacity or price gives a huge or infinite one. */
#include "plan.h"

int32_t ttb_plan_safe_utilisation(uint32_t n, uint32_t failures, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (n < 1 || n > TTB_PLAN_MAX || failures >= n) return TTB_ERR_RANGE;
  *ret = (n - failures) / (double)n;
  return TTB_OK;
}

int32_t ttb_plan_utilisation_after(uint32_t n, uint32_t failures, double utilisation, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (n < 1 || n > TTB_PLAN_MAX || failures >= n) return TTB_ERR_RANGE;
  if (!ttb__within(utilisation, 0, TTB_PLAN_HUGE)) return TTB_ERR_RANGE;
  *ret = ttb__not_tiny(utilisation * n / (n - failures));
  return TTB_OK;
}

int32_t ttb_plan_n_plus_k(double load, double capacity, uint32_t spares) {
  if (!ttb__within(load, 0, TTB_PLAN_HUGE) || !ttb__is_amount(capacity)) return TTB_ERR_RANGE;
  if (spares > TTB_PLAN_MAX) return TTB_ERR_RANGE;
  double need = load / capacity * (1 - TTB__PLAN_SLACK);
  if (need > TTB_PLAN_MAX) return TTB_LIMIT;
  uint32_t n = (uint32_t)need;
  n += n < need;
  return n <= TTB_PLAN_MAX - spares ? (int32_t)(n + spares) : TTB_LIMIT;
}

int32_t ttb_plan_cost(double load, double capacity, uint32_t spares, double price, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (!ttb__within(price, 0, TTB_PLAN_HUGE)) return TTB_ERR_RANGE;
  int32_t n = ttb_plan_n_plus_k(load, capacity, spares);
  if (n < 0) return n;
  *ret = ttb__not_tiny(n * price);
  return TTB_OK;
}

int32_t ttb_plan_spares(double load, double capacity, double price, double budget) {
  if (!ttb__is_amount(price) || !ttb__within(budget, 0, TTB_PLAN_HUGE)) return TTB_ERR_RANGE;
  int32_t n = ttb_plan_n_plus_k(load, capacity, 0);
  if (n < 0) return n;
  double afford = budget / price * (1 + TTB__PLAN_SLACK);
  int32_t most = afford < TTB_PLAN_MAX ? (int32_t)afford : TTB_PLAN_MAX;
  return most >= n ? most - n : TTB_LIMIT;
}
