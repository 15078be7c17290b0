/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/hedge.c: the estimate goes to the quantile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <trimtab/limiter.h>

static uint64_t state = 1;
static uint32_t below(uint32_t n) {
  state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)((state >> 32) * n >> 32);
}

/* Uniform from 1 to 11 ms: the quantile q is 1 + 10 q ms. The mean of the last
 * estimates, for each single one still moves. */
static void test_quantile(void **unused) {
  (void)unused;
  const int32_t ppm[] = {500000, 900000, 950000, 990000};
  for (int i = 0; i < 4; i++) {
    int64_t e = 0;
    uint64_t sum = 0, want = 1000000 + UINT64_C(10) * (uint64_t)ppm[i];
    for (int k = 0; k < 60000; k++) {
      e = ttb_limiter_hedge_ns(e, 1000000 + below(10000000), ppm[i]);
      if (k >= 20000) sum += (uint64_t)e;
    }
    assert_in_range(sum / 40000, want - want / 25, want + want / 25);
  }
}

/* It follows: ten times slower, and back again. */
static void test_follows(void **unused) {
  (void)unused;
  int64_t e = 0;
  for (int k = 0; k < 5000; k++) e = ttb_limiter_hedge_ns(e, 1000000 + below(1000), 950000);
  assert_in_range(e, 900000, 1100000);
  for (int k = 0; k < 200; k++) e = ttb_limiter_hedge_ns(e, 10000000 + below(1000), 950000);
  assert_in_range(e, 9000000, 11000000);
  for (int k = 0; k < 5000; k++) e = ttb_limiter_hedge_ns(e, 1000000 + below(1000), 950000);
  assert_in_range(e, 900000, 1100000);
}

static void test_edges(void **unused) {
  (void)unused;
  assert_int_equal(ttb_limiter_hedge_ns(-1, 5, 500000), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_hedge_ns(5, 5, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_hedge_ns(5, 5, 1000000), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_hedge_ns(0, 700, 950000), 700); /* the first one */
  assert_int_equal(ttb_limiter_hedge_ns(0, 0, 950000), 1);
  int64_t e = 1000;
  for (int k = 0; k < 100000; k++) e = ttb_limiter_hedge_ns(e, UINT64_MAX, 999999);
  const int64_t most = INT64_C(1) << 43;
  assert_in_range(e, most - most / 1000, most);
  assert_in_range(ttb_limiter_hedge_ns(INT64_MAX, UINT64_MAX, 1), most - most / 30, most);
  for (int k = 0; k < 1000000; k++) e = ttb_limiter_hedge_ns(e, 0, 1);
  assert_in_range(e, 1, 64);
  assert_true(ttb_limiter_hedge_ns(1, 100, 500000) > 1); /* never stuck at the bottom */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_quantile),
      cmocka_unit_test(test_follows),
      cmocka_unit_test(test_edges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
