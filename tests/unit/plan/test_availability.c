/* SPDX-License-Identifier: MIT */
/* lib/plan/availability.c */
#include "close.h"

static double k_of_n(uint32_t n, uint32_t k, double down, double common) {
  double d = UNTOUCHED;
  assert_int_equal(ttb_plan_k_of_n(n, k, down, common, &d), TTB_OK);
  return d;
}

static void test_k_of_n(void **state) {
  (void)state;
  static const struct {
    uint32_t n, k;
    double down, common, expected;
  } rows[] = {
      {4, 1, 0.001, 0.0, 1.0000000000000002e-12},
      {4, 2, 0.001, 0.0, 3.997e-09},
      {4, 3, 0.001, 0.0, 5.992003e-06},
      {4, 4, 0.001, 0.0, 0.003994003999},
      {5, 4, 0.001, 0.0, 9.980014996e-06},
      {6, 4, 0.001, 0.0, 1.9955035990000002e-08},
      {4, 3, 0.001, 0.05, 5.540841352147205e-05},
      {3, 2, 0.01, 0.1, 0.001241782322863404},
      {1, 1, 0.25, 0.5, 0.25},
      {7, 4, 0.5, 0.0, 0.5},
      {10, 5, 0.999, 0.0, 0.9999999999997491},
      {20, 1, 0.5, 0.0, 9.5367431640625e-07},
      {100, 90, 0.02, 0.0, 5.646028384575371e-06},
      {100, 90, 0.02, 0.01, 0.00020514733041396868},
      {1000, 500, 0.5, 0.0, 0.4873874909108196},
      {1000, 990, 0.01, 0.0, 0.4169591966989018},
      {1000, 900, 0.01, 0.0, 7.44004493940208e-66},
      {2000, 1, 0.9, 0.0, 3.0550539125986597e-92},
      {40, 1, 1e-07, 0.0, 9.999999999999982e-281},
      {41, 1, 1e-07, 0.0, 9.999999999999981e-288},
      {42, 1, 1e-07, 0.0, 0.0}, /* 1e-294 is below TTB_PLAN_TINY */
      {5, 3, 1e-12, 1e-09, 1.00000000000001e-21},
      {3, 1, 0.5, 1.0, 0.5}, /* all in common: as one */
      {3, 3, 0.5, 1.0, 0.5},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_close(k_of_n(rows[i].n, rows[i].k, rows[i].down, rows[i].common), rows[i].expected,
                 2e-12);
}

static void test_k_of_n_ends(void **state) {
  (void)state;
  assert_true(k_of_n(5, 0, 1, 1) == 0);
  assert_true(k_of_n(5, 1, 1, 0) == 1);
  assert_true(k_of_n(5, 5, 1, 1) == 1);
  assert_true(k_of_n(5, 5, 0, 1) == 0);
  assert_close(k_of_n(1, 1, 0.3, 0.1), 0.3, NEAR); /* whatever it has in common */
  assert_true(k_of_n(3, 2, DBL_TRUE_MIN, 0) == 0);
  assert_true(k_of_n(3, 3, nextafter(1, 0), 0) == 1);
  /* Half of ten million and one: by symmetry. */
  assert_close(k_of_n(9999999, 5000000, 0.5, 0), 0.5, 1e-10);
  assert_true(k_of_n(TTB_PLAN_MAX, 1, 0.5, 0) == 0);
  assert_close(k_of_n(TTB_PLAN_MAX, TTB_PLAN_MAX, 1e-12, 0), 9.99995000066666e-06, 1e-10);
}

static void test_k_of_n_refuses(void **state) {
  (void)state;
  double d = UNTOUCHED;
  assert_int_equal(ttb_plan_k_of_n(3, 2, 0.1, 0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_k_of_n(0, 0, 0.1, 0, &d), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_k_of_n(3, 4, 0.1, 0, &d), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_k_of_n(TTB_PLAN_MAX + 1, 1, 0.1, 0, &d), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_k_of_n(UINT32_MAX, UINT32_MAX, 0.1, 0, &d), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    assert_int_equal(ttb_plan_k_of_n(3, 2, never[i], 0, &d), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_k_of_n(3, 2, 0.1, never[i], &d), TTB_ERR_RANGE);
  }
  assert_int_equal(ttb_plan_k_of_n(3, 2, nextafter(1, 2), 0, &d), TTB_ERR_RANGE);
  assert_true(d == UNTOUCHED);
}

static void test_unlike(void **state) {
  (void)state;
  static const double downs[] = {.001, .002, .01, .05, .3};
  static const double expected[] = {0.0,          3.0000000000000005e-10, 4.858000000000001e-07,
                                    0.0002047608, 0.0191710198,           0.3436237333};
  double d;
  for (uint32_t k = 0; k <= 5; k++) {
    assert_int_equal(ttb_plan_k_of_unlike(downs, 5, k, &d), TTB_OK);
    assert_close(d, expected[k], NEAR);
  }
  assert_int_equal(ttb_plan_series(downs, 5, &d), TTB_OK);
  assert_close(d, expected[5], NEAR);
  assert_int_equal(ttb_plan_parallel(downs, 5, &d), TTB_OK);
  assert_close(d, expected[1], NEAR);
}

/* Of like servers it is the binomial tail; both by other sums. */
static void test_unlike_alike(void **state) {
  (void)state;
  static double downs[TTB_PLAN_MAX_UNLIKE];
  static const uint32_t ks[] = {1, 2, 511, 512, 513, 514, 1000, 1020, 1023, 1024};
  double d;
  for (uint32_t i = 0; i < TTB_PLAN_MAX_UNLIKE; i++) downs[i] = 0.004;
  for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
    assert_int_equal(ttb_plan_k_of_unlike(downs, TTB_PLAN_MAX_UNLIKE, ks[i], &d), TTB_OK);
    assert_close(d, k_of_n(TTB_PLAN_MAX_UNLIKE, ks[i], 0.004, 0), 1e-11);
  }
  for (uint32_t i = 0; i < TTB_PLAN_MAX_UNLIKE; i++) downs[i] = 1;
  assert_int_equal(ttb_plan_k_of_unlike(downs, TTB_PLAN_MAX_UNLIKE, 1000, &d), TTB_OK);
  assert_true(d == 1);
}

static void test_lists_refuse(void **state) {
  (void)state;
  double downs[3] = {0.1, 0.2, 0.3}, d = UNTOUCHED;
  typedef int32_t list_function(const double *, uint32_t, double *);
  static list_function *const both[] = {ttb_plan_series, ttb_plan_parallel};
  assert_int_equal(ttb_plan_k_of_unlike(NULL, 3, 1, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_k_of_unlike(downs, 3, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_k_of_unlike(downs, 3, 4, &d), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_k_of_unlike(downs, 0, 0, &d), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_k_of_unlike(downs, TTB_PLAN_MAX_UNLIKE + 1, 1, &d), TTB_ERR_RANGE);
  for (int f = 0; f < 2; f++) {
    assert_int_equal(both[f](NULL, 3, &d), TTB_ERR_MISUSE);
    assert_int_equal(both[f](downs, 3, NULL), TTB_ERR_MISUSE);
    assert_int_equal(both[f](downs, 0, &d), TTB_ERR_RANGE);
    assert_int_equal(both[f](downs, UINT32_MAX, &d), TTB_ERR_RANGE);
  }
  for (size_t i = 0; i < NEVER; i++) {
    downs[2] = never[i];
    assert_int_equal(ttb_plan_k_of_unlike(downs, 3, 1, &d), TTB_ERR_RANGE);
    for (int f = 0; f < 2; f++) assert_int_equal(both[f](downs, 3, &d), TTB_ERR_RANGE);
  }
  assert_true(d == UNTOUCHED);
}

/* Three calls in a row, and five: 26.3 h and 43.7 h a year at 99.9 % each. */
static void test_chains(void **state) {
  (void)state;
  static const double calls[] = {.001, .001, .001, .001, .001};
  double d, s;
  assert_int_equal(ttb_plan_series(calls, 3, &d), TTB_OK);
  assert_close(d, 0.002997001, NEAR);
  assert_int_equal(ttb_plan_downtime(d, &s), TTB_OK);
  assert_close(s / 3600, 26.25372876, NEAR);
  assert_int_equal(ttb_plan_series(calls, 5, &d), TTB_OK);
  assert_close(d, 0.004990009995001, NEAR);
  /* Three of four behind a balancer, and behind a balancer and a database. */
  double parts[] = {k_of_n(4, 3, .001, 0), .001, .001};
  assert_int_equal(ttb_plan_series(parts, 2, &d), TTB_OK);
  assert_close(d, 0.001005986010997, NEAR);
  assert_int_equal(ttb_plan_series(parts, 3, &d), TTB_OK);
  assert_close(d, 0.0020049800249860032, NEAR);
  double dead[] = {1, 0.5, 1}, many[] = {1e-200, 1e-200};
  assert_int_equal(ttb_plan_series(dead, 3, &d), TTB_OK);
  assert_true(d == 1);
  assert_int_equal(ttb_plan_parallel(dead, 3, &d), TTB_OK);
  assert_true(d == 0.5);
  assert_int_equal(ttb_plan_parallel(many, 2, &d), TTB_OK);
  assert_true(d == 0);
}

static void test_downtime(void **state) {
  (void)state;
  double v = UNTOUCHED;
  assert_int_equal(ttb_plan_downtime(0.001, &v), TTB_OK);
  assert_close(v, 8.76 * 3600, NEAR);
  assert_int_equal(ttb_plan_downtime(1e-6, &v), TTB_OK);
  assert_close(v, 31.536, NEAR);
  assert_int_equal(ttb_plan_downtime(1, &v), TTB_OK);
  assert_true(v == TTB_PLAN_YEAR_S);
  assert_int_equal(ttb_plan_down(31.536, &v), TTB_OK);
  assert_close(v, 1e-6, NEAR);
  assert_int_equal(ttb_plan_down(0, &v), TTB_OK);
  assert_true(v == 0);
  assert_int_equal(ttb_plan_down(DBL_TRUE_MIN, &v), TTB_OK);
  assert_true(v == 0);
  v = UNTOUCHED;
  assert_int_equal(ttb_plan_downtime(0.1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_down(0.1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_down(TTB_PLAN_YEAR_S + 1, &v), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    assert_int_equal(ttb_plan_downtime(never[i], &v), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_down(never[i], &v), TTB_ERR_RANGE);
  }
  assert_true(v == UNTOUCHED);
}

static void test_replicas(void **state) {
  (void)state;
  assert_int_equal(ttb_plan_replicas(1, 0.001, 0, 1e-6), 3); /* 1e-6 twice over is not below */
  assert_int_equal(ttb_plan_replicas(1, 0.001, 0, 1.1e-6), 2);
  assert_int_equal(ttb_plan_replicas(3, 0.001, 0, 6e-6), 4);
  assert_int_equal(ttb_plan_replicas(3, 0.001, 0, 5.9e-6), 5);
  assert_int_equal(ttb_plan_replicas(4, 0.001, 0, 1e-5), 5);
  assert_int_equal(ttb_plan_replicas(4, 0.001, 0, 1), 4);
  assert_int_equal(ttb_plan_replicas(4, 0, 0, 1e-290), 4);
  assert_int_equal(ttb_plan_replicas(4, 0.001, 0.05, 1e-4), 5);
  assert_int_equal(ttb_plan_replicas(4, 0.001, 0.05, 4.9e-5), TTB_LIMIT); /* 5e-5 in common */
  assert_int_equal(ttb_plan_replicas(4, 1, 0, 0.5), TTB_LIMIT);
  assert_int_equal(ttb_plan_replicas(TTB_PLAN_MAX, 0.5, 0, 0.5), TTB_LIMIT);
  assert_int_equal(ttb_plan_replicas(TTB_PLAN_MAX, 0.5, 0, 1), TTB_PLAN_MAX);
  assert_int_equal(ttb_plan_replicas(0, 0.001, 0, 0.1), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_replicas(TTB_PLAN_MAX + 1, 0.001, 0, 0.1), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_replicas(1, 0.001, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_replicas(1, 0.001, 0, 1e-291), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    assert_int_equal(ttb_plan_replicas(1, never[i], 0, 0.1), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_replicas(1, 0.1, never[i], 0.1), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_replicas(1, 0.1, 0, never[i]), TTB_ERR_RANGE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_k_of_n),       cmocka_unit_test(test_k_of_n_ends),
      cmocka_unit_test(test_k_of_n_refuses), cmocka_unit_test(test_unlike),
      cmocka_unit_test(test_unlike_alike), cmocka_unit_test(test_lists_refuse),
      cmocka_unit_test(test_chains),       cmocka_unit_test(test_downtime),
      cmocka_unit_test(test_replicas),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
