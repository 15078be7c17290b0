/* SPDX-License-Identifier: MIT */
/* lib/plan/usl.c. Fits: the normal equations solved with exact rationals, over
 * all subsets of coefficients, the best of those without a negative one. */
#include "close.h"

static void test_throughput(void **state) {
  (void)state;
  static const struct {
    double rate, contention, coherency;
    uint32_t n;
    double expected;
  } rows[] = {
      {1000, 0, 0, 7, 7000},
      {1000, 0.5, 0, 10, 1818.1818181818182},
      {995.6, .0267, .000769, 35, 12343.999631585846},
      {1, .02, .0005, 32, 15.122873345935728},
      {100, 1, .1, 4, 76.92307692307692},
      {20, .03, 1e-9, 10000000, 499.99880000288},
  };
  double x = UNTOUCHED;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(ttb_plan_usl_throughput(rows[i].rate, rows[i].contention, rows[i].coherency,
                                             rows[i].n, &x),
                     TTB_OK);
    assert_close(x, rows[i].expected, NEAR);
  }
  x = UNTOUCHED;
  assert_int_equal(ttb_plan_usl_throughput(1, 0, 0, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_usl_throughput(0, 0, 0, 1, &x), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_usl_throughput(1, 0, 0, 0, &x), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_usl_throughput(1, 0, 0, TTB_PLAN_MAX + 1, &x), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    assert_int_equal(ttb_plan_usl_throughput(never[i], 0, 0, 1, &x), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_usl_throughput(1, never[i], 0, 1, &x), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_usl_throughput(1, 0, never[i], 1, &x), TTB_ERR_RANGE);
  }
  assert_true(x == UNTOUCHED);
}

static void test_peak(void **state) {
  (void)state;
  assert_int_equal(ttb_plan_usl_peak(0, 0.1), 3); /* sqrt(10) */
  assert_int_equal(ttb_plan_usl_peak(.02, .0005), 44);
  assert_int_equal(ttb_plan_usl_peak(.0267, .000769), 36); /* 35.58; 36 does more than 35 */
  assert_int_equal(ttb_plan_usl_peak(.5, 1e-8), 7071);
  assert_int_equal(ttb_plan_usl_peak(.999, .5), 1);
  assert_int_equal(ttb_plan_usl_peak(0, .5), 1); /* 2 do as much as 1 */
  assert_int_equal(ttb_plan_usl_peak(0, .49), 2);
  assert_int_equal(ttb_plan_usl_peak(1, 0), 1);
  assert_int_equal(ttb_plan_usl_peak(1e15, 1e15), 1);
  assert_int_equal(ttb_plan_usl_peak(0, 2e-14), 7071068);
  assert_int_equal(ttb_plan_usl_peak(0, 0.9e-14), TTB_LIMIT);
  assert_int_equal(ttb_plan_usl_peak(0.5, 0), TTB_LIMIT);
  for (size_t i = 0; i < NEVER; i++) {
    assert_int_equal(ttb_plan_usl_peak(never[i], 0), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_usl_peak(0, never[i]), TTB_ERR_RANGE);
  }
}

static void test_limit(void **state) {
  (void)state;
  double x = UNTOUCHED;
  assert_int_equal(ttb_plan_usl_limit(1000, 1.0 / 3, 0, &x), TTB_OK); /* Amdahl */
  assert_close(x, 3000, NEAR);
  assert_int_equal(ttb_plan_usl_limit(1000, 1, 0, &x), TTB_OK);
  assert_close(x, 1000, NEAR);
  assert_int_equal(ttb_plan_usl_limit(1000, 4, 0, &x), TTB_OK); /* one alone is best */
  assert_close(x, 1000, NEAR);
  assert_int_equal(ttb_plan_usl_limit(1, .02, .0005, &x), TTB_OK);
  assert_close(x, 44 / (1 + .02 * 43 + .0005 * 44 * 43), NEAR);
  /* A peak beyond TTB_PLAN_MAX: sqrt(1e20), at half of 1 / contention. */
  assert_int_equal(ttb_plan_usl_limit(1, 1e-5, 1e-20, &x), TTB_OK);
  assert_close(x, 1 / (1e-5 + 2e-10), 1e-10);
  assert_int_equal(ttb_plan_usl_limit(1, 1e-3, DBL_TRUE_MIN, &x), TTB_OK);
  assert_close(x, 1e3, NEAR);
  x = UNTOUCHED;
  assert_int_equal(ttb_plan_usl_limit(1, 0, 0, &x), TTB_LIMIT);
  assert_int_equal(ttb_plan_usl_limit(1, DBL_TRUE_MIN, 0, &x), TTB_LIMIT);
  assert_int_equal(ttb_plan_usl_limit(1, 0, DBL_TRUE_MIN, &x), TTB_LIMIT);
  assert_int_equal(ttb_plan_usl_limit(1, 0, 0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_usl_limit(0, 0, 1, &x), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    assert_int_equal(ttb_plan_usl_limit(never[i], 0, 1, &x), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_usl_limit(1, never[i], 1, &x), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_usl_limit(1, 0, never[i], &x), TTB_ERR_RANGE);
  }
  assert_true(x == UNTOUCHED);
}

static void test_replicas(void **state) {
  (void)state;
  assert_int_equal(ttb_plan_usl_replicas(1000, 0, 0, 4000), 4);
  assert_int_equal(ttb_plan_usl_replicas(1000, 0, 0, 4001), 5);
  assert_int_equal(ttb_plan_usl_replicas(0.7, 0, 0, 2.1), 3); /* 0.7 * 3 is below 2.1 in doubles */
  assert_int_equal(ttb_plan_usl_replicas(1000, 0, 0, 1), 1);
  assert_int_equal(ttb_plan_usl_replicas(1000, 1.0 / 3, 0, 2000), 4);
  assert_int_equal(ttb_plan_usl_replicas(1000, 1.0 / 3, 0, 2500), 10);
  assert_int_equal(ttb_plan_usl_replicas(1000, 1.0 / 3, 0, 3000), TTB_LIMIT);
  assert_int_equal(ttb_plan_usl_replicas(1, .02, .0005, 15), 31);
  assert_int_equal(ttb_plan_usl_replicas(1, .02, .0005, 20), TTB_LIMIT);
  assert_int_equal(ttb_plan_usl_replicas(1, 0, 0, 1e7), TTB_PLAN_MAX);
  assert_int_equal(ttb_plan_usl_replicas(1, 0, 0, 1.1e7), TTB_LIMIT);
  assert_int_equal(ttb_plan_usl_replicas(1, 0, 0, 0), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    assert_int_equal(ttb_plan_usl_replicas(never[i], 0, 0, 1), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_usl_replicas(1, never[i], 0, 1), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_usl_replicas(1, 0, never[i], 1), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_usl_replicas(1, 0, 0, never[i]), TTB_ERR_RANGE);
  }
}

static void check_fit(const double *n, const double *x, uint32_t count, double rate,
                      double contention, double coherency) {
  double r, s, k;
  assert_int_equal(ttb_plan_usl_fit(n, x, count, &r, &s, &k), TTB_OK);
  assert_close(r, rate, 1e-12);
  assert_close(s, contention, 1e-11);
  assert_close(k, coherency, 1e-11);
}

static void test_fit(void **state) {
  (void)state;
  static const double powers[] = {1, 2, 4, 8, 16, 32};
  /* Within the law; measured with noise. */
  static const double noisy[] = {1000, 1900, 3500, 6000, 8400, 8300};
  check_fit(powers, noisy, 6, 986.8599057256303, 0.029907183708833676, 0.001876517912359774);
  /* A ray tracer (data of Gunther 2007, chapter 5). */
  static const double cpus[] = {1, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64};
  static const double frames[] = {20, 78, 130, 170, 190, 200, 210, 230, 260, 280, 310};
  check_fit(cpus, frames, 11, 21.74623509957568, 0.056856528418323136, 3.454758405292022e-06);
  /* Better than linear: linear. */
  static const double few[] = {1, 2, 3, 4}, super[] = {100, 210, 330, 460};
  check_fit(few, super, 4, 107.79069767441861, 0, 0);
  /* Contention would be negative. */
  static const double late[] = {100, 199, 390, 650};
  check_fit(powers, late, 4, 100.80048681345627, 0, 0.00420944675679078);
  /* Two points: Amdahl. Twice each: the same. */
  static const double two[] = {1, 4, 1, 4}, twice[] = {1000, 2000, 1000, 2000};
  check_fit(two, twice, 2, 1000, 1.0 / 3, 0);
  check_fit(two, twice, 4, 1000, 1.0 / 3, 0);
  /* Amdahl's law would begin below zero; 0.2 = c0 + 2 c2, 0.8 = c0 + 12 c2. */
  static const double late_two[] = {2, 4}, slower[] = {10, 5};
  check_fit(late_two, slower, 2, 1 / 0.08, 0, 0.06 / 0.08);
}

/* Points of a law give the law back, far from n = 1 too. */
static void test_fit_exact(void **state) {
  (void)state;
  static const double from[] = {1, 10, 1000, 100000};
  for (size_t f = 0; f < 4; f++) {
    double n[8], x[8], r, s, k;
    for (int i = 0; i < 8; i++) {
      n[i] = from[f] * (1 + i);
      x[i] = 500 * n[i] / (1 + 0.02 * (n[i] - 1) + 1e-5 * n[i] * (n[i] - 1));
    }
    assert_int_equal(ttb_plan_usl_fit(n, x, 8, &r, &s, &k), TTB_OK);
    /* What n - 1 and the constant tell apart is n over its spacing. */
    assert_close(r, 500, f < 2 ? 1e-10 : 1);
    assert_close(s, 0.02, f < 2 ? 1e-10 : 1);
    assert_close(k, 1e-5, f < 2 ? 1e-10 : 1);
    for (int i = 0; i < 8; i++)
      assert_close(r * n[i] / (1 + s * (n[i] - 1) + k * n[i] * (n[i] - 1)), x[i], 1e-11);
  }
}

static void test_fit_refuses(void **state) {
  (void)state;
  double n[] = {1, 2, 4}, x[] = {1, 2, 3}, r = UNTOUCHED, s = UNTOUCHED, k = UNTOUCHED;
  assert_int_equal(ttb_plan_usl_fit(NULL, x, 3, &r, &s, &k), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_usl_fit(n, NULL, 3, &r, &s, &k), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_usl_fit(n, x, 3, NULL, &s, &k), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_usl_fit(n, x, 3, &r, NULL, &k), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_usl_fit(n, x, 3, &r, &s, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_usl_fit(n, x, 0, &r, &s, &k), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_usl_fit(n, x, 1, &r, &s, &k), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_usl_fit(n, x, UINT32_MAX, &r, &s, &k), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    n[1] = never[i];
    assert_int_equal(ttb_plan_usl_fit(n, x, 3, &r, &s, &k), TTB_ERR_RANGE);
    n[1] = 2;
    x[1] = never[i];
    assert_int_equal(ttb_plan_usl_fit(n, x, 3, &r, &s, &k), TTB_ERR_RANGE);
    x[1] = 2;
  }
  n[1] = 0.5;
  assert_int_equal(ttb_plan_usl_fit(n, x, 3, &r, &s, &k), TTB_ERR_RANGE);
  n[1] = 2;
  x[1] = 0;
  assert_int_equal(ttb_plan_usl_fit(n, x, 3, &r, &s, &k), TTB_ERR_RANGE);
  x[1] = 2;
  n[1] = n[2] = 1; /* all at one n */
  assert_int_equal(ttb_plan_usl_fit(n, x, 3, &r, &s, &k), TTB_ERR_RANGE);
  assert_true(r == UNTOUCHED && s == UNTOUCHED && k == UNTOUCHED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_throughput), cmocka_unit_test(test_peak),
      cmocka_unit_test(test_limit),      cmocka_unit_test(test_replicas),
      cmocka_unit_test(test_fit),        cmocka_unit_test(test_fit_exact),
      cmocka_unit_test(test_fit_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
