/* SPDX-License-Identifier: MIT */
/* plan on numbers of any kind: NaNs, infinities, subnormals, negative zeros.
 *
 *     input = function 1 | n 4 | k 4 | doubles of 8 bytes each, as they are
 *
 * Every code is one of those documented, every output finite and within its
 * range, and untouched where the call failed. Counts that would only take long
 * are cut. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/plan.h>

#define MOST 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
  if (!ok) abort();
}

static const double untouched = 4.25;

/* What a call with a double to return may do. */
static bool fine(int32_t code, const double *ret, double min, double max) {
  if (code == TTB_OK) return *ret >= min && *ret <= max; /* no NaN is */
  return (code == TTB_ERR_RANGE || code == TTB_LIMIT) &&
         memcmp(ret, &untouched, sizeof *ret) == 0;
}

static bool is_count(int32_t n) {
  return (n >= 0 && n <= TTB_PLAN_MAX) || n == TTB_ERR_RANGE || n == TTB_LIMIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t function = 0;
  uint32_t n = 0, k = 0, count;
  double x[MOST] = {0}, v = untouched, w = untouched, z = untouched;
  if (size < 9) return 0;
  function = data[0];
  memcpy(&n, data + 1, 4);
  memcpy(&k, data + 5, 4);
  size = size - 9 < sizeof x ? size - 9 : sizeof x;
  memcpy(x, data + 9, size);
  count = (uint32_t)(size / 8);
  /* Numbers that are in range now and then. */
  if (function & 64) n %= 2000, k %= 2000;
  if (function & 128)
    for (uint32_t i = 0; i < MOST; i++) {
      uint64_t bits;
      memcpy(&bits, &x[i], 8);
      x[i] = (double)(bits >> 32) * 0x1p-32 * (i % 2 && function & 32 ? 1000 : 1);
    }
  switch (function % 24) {
  case 0: must(fine(ttb_plan_k_of_n(n, k, x[0], x[1], &v), &v, 0, 1)); break;
  case 1: must(fine(ttb_plan_k_of_unlike(x, count, k % 50, &v), &v, 0, 1)); break;
  case 2: must(fine(ttb_plan_series(x, count, &v), &v, 0, 1)); break;
  case 3: must(fine(ttb_plan_parallel(x, count, &v), &v, 0, 1)); break;
  case 4: must(fine(ttb_plan_downtime(x[0], &v), &v, 0, TTB_PLAN_YEAR_S)); break;
  case 5: must(fine(ttb_plan_down(x[0], &v), &v, 0, 1)); break;
  case 6: must(is_count(ttb_plan_replicas(k, x[0], x[1], x[2]))); break;
  case 7: must(fine(ttb_plan_safe_utilisation(n, k, &v), &v, 0, 1)); break;
  case 8: must(fine(ttb_plan_utilisation_after(n, k, x[0], &v), &v, 0, 1e23)); break;
  case 9: must(is_count(ttb_plan_n_plus_k(x[0], x[1], k))); break;
  case 10: must(fine(ttb_plan_cost(x[0], x[1], k, x[2], &v), &v, 0, 1e23)); break;
  case 11: must(is_count(ttb_plan_spares(x[0], x[1], x[2], x[3]))); break;
  case 12: must(fine(ttb_plan_usl_throughput(x[0], x[1], x[2], n, &v), &v, 0, 1e23)); break;
  case 13: {
    double two[MOST];
    for (uint32_t i = 0; i < MOST; i++)
      two[i] = k & 1 ? i + 1 : x[MOST - 1 - i] * 1e5 + (k & 2 ? 1 : 0);
    int32_t code = ttb_plan_usl_fit(two, x, count, &v, &w, &z);
    must(fine(code, &v, 0, TTB_PLAN_HUGE) && fine(code, &w, 0, TTB_PLAN_HUGE) &&
         fine(code, &z, 0, TTB_PLAN_HUGE));
    if (code == TTB_OK) must(ttb_plan_usl_throughput(v, w, z, 1, &v) == TTB_OK);
    break;
  }
  case 14: must(is_count(ttb_plan_usl_peak(x[0], x[1]))); break;
  case 15: must(fine(ttb_plan_usl_limit(x[0], x[1], x[2], &v), &v, 0, 1e23)); break;
  case 16: must(is_count(ttb_plan_usl_replicas(x[0], x[1], x[2], x[3]))); break;
  case 17: must(fine(ttb_plan_erlang_b(x[0], n, &v), &v, 0, 1)); break;
  case 18: must(fine(ttb_plan_erlang_c(x[0], n, &v), &v, 0, 1)); break;
  case 19: must(fine(ttb_plan_wait(x[0], n, &v), &v, 0, 1e17)); break;
  case 20: must(fine(ttb_plan_wait_over(x[0], n, x[1], &v), &v, 0, 1)); break;
  case 21: must(is_count(ttb_plan_servers(x[0], x[1], x[2]))); break;
  case 22:
    must(is_count(ttb_plan_servers_blocked(x[0], x[1])));
    must(is_count(ttb_plan_square_root(x[0], x[1])));
    break;
  default:
    must(fine(ttb_plan_beta_waits(x[0], &v), &v, 0, 1));
    must(fine(ttb_plan_beta(x[1], &w), &w, 0, 37));
    break;
  }
  return 0;
}
