/* SPDX-License-Identifier: MIT */
/* How long arrangements are down: binomial tails with a common cause
 * (Fleming's beta factor), unlike servers (Barlow and Heidtmann 1984), chains
 * and groups.
 *
 * I1  All shares of time are of being down: small numbers, added up. 1 - down
 *     is only ever a factor.
 * I2  The binomial weights are relative to the greatest, which is 1: none
 *     overflows, and one that underflows belongs to a tail that is 0 anyhow. */
#include "plan.h"

/* P(at least t of n are down), 1 <= t <= n. */
static double tail_of(uint32_t n, uint32_t t, double q) {
  if (q <= 0) return 0;
  if (q >= 1) return 1;
  const double odds = q / (1 - q), mode = (n + 1.0) * q;
  const uint32_t m = mode < n ? (uint32_t)mode : n;
  double tail = 0, rest = 0, w = 1;
  for (uint32_t j = m;;) {
    if (j < t) rest += w;
    else tail += w;
    if (j == n) break;
    w *= (n - j) * odds / (j + 1.0);
    j++;
    if (w < (j <= t ? TTB_PLAN_TINY : tail * TTB__PLAN_NEGLIGIBLE)) break;
  }
  w = 1;
  for (uint32_t j = m; j > 0;) {
    w *= j / ((n - j + 1.0) * odds);
    j--;
    if (w < (tail + rest) * TTB__PLAN_NEGLIGIBLE) break;
    if (j < t) rest += w;
    else tail += w;
  }
  return tail / (tail + rest);
}

static double k_of_n(uint32_t n, uint32_t k, double down, double common) {
  if (k == 0) return 0;
  if (down >= 1) return 1;
  double shared = common * down, own = down * (1 - common) / (1 - shared);
  return ttb__not_tiny(shared + (1 - shared) * tail_of(n, n - k + 1, own));
}

int32_t ttb_plan_k_of_n(uint32_t n, uint32_t k, double down, double common, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (n < 1 || n > TTB_PLAN_MAX || k > n) return TTB_ERR_RANGE;
  if (!ttb__within(down, 0, 1) || !ttb__within(common, 0, 1)) return TTB_ERR_RANGE;
  *ret = k_of_n(n, k, down, common);
  return TTB_OK;
}

static bool all_shares(const double *downs, uint32_t n) {
  if (n < 1 || n > TTB_PLAN_MAX) return false;
  for (uint32_t i = 0; i < n; i++)
    if (!ttb__within(downs[i], 0, 1)) return false;
  return true;
}

/* state[s]: how likely s servers are down (or up), s < end, adding one server
 * after the other. Returns how likely there are `end` or more. */
static double add_up(const double *downs, uint32_t n, bool count_down, uint32_t end,
                     double *state) {
  double beyond = 0;
  memset(state, 0, end * sizeof *state);
  state[0] = 1;
  for (uint32_t i = 0; i < n; i++) {
    double up = 1 - downs[i], yes = count_down ? downs[i] : up, no = count_down ? up : downs[i];
    beyond += state[end - 1] * yes;
    for (uint32_t s = end; --s > 0;) state[s] = state[s] * no + state[s - 1] * yes;
    state[0] *= no;
  }
  return beyond;
}

/* Counts whichever is sooner decided: n-k+1 down, or k up. */
int32_t ttb_plan_k_of_unlike(const double *downs, uint32_t n, uint32_t k, double *ret) {
  if (!downs || !ret) return TTB_ERR_MISUSE;
  if (n > TTB_PLAN_MAX_UNLIKE || k > n || !all_shares(downs, n)) return TTB_ERR_RANGE;
  double state[(TTB_PLAN_MAX_UNLIKE + 1) / 2], down = 0;
  uint32_t t = n - k + 1;
  if (t < k) {
    down = add_up(downs, n, true, t, state);
  } else if (k > 0) {
    (void)add_up(downs, n, false, k, state);
    for (uint32_t s = 0; s < k; s++) down += state[s];
  }
  *ret = down > 1 ? 1 : ttb__not_tiny(down);
  return TTB_OK;
}

int32_t ttb_plan_series(const double *downs, uint32_t n, double *ret) {
  if (!downs || !ret) return TTB_ERR_MISUSE;
  if (!all_shares(downs, n)) return TTB_ERR_RANGE;
  double down = 0;
  for (uint32_t i = 0; i < n; i++) down += downs[i] * (1 - down);
  *ret = down > 1 ? 1 : ttb__not_tiny(down);
  return TTB_OK;
}

int32_t ttb_plan_parallel(const double *downs, uint32_t n, double *ret) {
  if (!downs || !ret) return TTB_ERR_MISUSE;
  if (!all_shares(downs, n)) return TTB_ERR_RANGE;
  double down = 1;
  for (uint32_t i = 0; i < n; i++) down = ttb__not_tiny(down * downs[i]);
  *ret = down;
  return TTB_OK;
}

int32_t ttb_plan_downtime(double down, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (!ttb__within(down, 0, 1)) return TTB_ERR_RANGE;
  *ret = ttb__not_tiny(down * TTB_PLAN_YEAR_S);
  return TTB_OK;
}

int32_t ttb_plan_down(double seconds, double *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  if (!ttb__within(seconds, 0, TTB_PLAN_YEAR_S)) return TTB_ERR_RANGE;
  *ret = ttb__not_tiny(seconds / TTB_PLAN_YEAR_S);
  return TTB_OK;
}

typedef struct aim {
  double down, common, target;
  uint32_t k;
} aim;

static bool good_enough(uint32_t n, const void *about) {
  const aim *a = about;
  return k_of_n(n, a->k, a->down, a->common) <= a->target;
}

int32_t ttb_plan_replicas(uint32_t k, double down, double common, double target) {
  if (k < 1 || k > TTB_PLAN_MAX || !ttb__within(down, 0, 1) || !ttb__within(common, 0, 1))
    return TTB_ERR_RANGE;
  if (!ttb__within(target, TTB_PLAN_TINY, 1)) return TTB_ERR_RANGE;
  aim a = {down, common, target, k};
  return ttb__smallest(k, TTB_PLAN_MAX, good_enough, &a);
}
