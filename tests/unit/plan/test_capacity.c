/* SPDX-License-Identifier: MIT */
/* lib/plan/capacity.c */
#include "close.h"

static void test_utilisation(void **state) {
  (void)state;
  double u = UNTOUCHED;
  assert_int_equal(ttb_plan_safe_utilisation(4, 1, &u), TTB_OK);
  assert_true(u == 0.75);
  assert_int_equal(ttb_plan_safe_utilisation(4, 0, &u), TTB_OK);
  assert_true(u == 1);
  assert_int_equal(ttb_plan_safe_utilisation(24, 10, &u), TTB_OK); /* a region of 10 */
  assert_close(u, 14.0 / 24, NEAR);
  assert_int_equal(ttb_plan_utilisation_after(4, 1, 0.7, &u), TTB_OK);
  assert_close(u, 2.8 / 3, NEAR);
  assert_int_equal(ttb_plan_utilisation_after(4, 2, 0.7, &u), TTB_OK);
  assert_close(u, 1.4, NEAR);
  assert_int_equal(ttb_plan_utilisation_after(TTB_PLAN_MAX, TTB_PLAN_MAX - 1, 1e15, &u), TTB_OK);
  assert_close(u, 1e22, NEAR);
  u = UNTOUCHED;
  assert_int_equal(ttb_plan_safe_utilisation(4, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_utilisation_after(4, 1, 0.5, NULL), TTB_ERR_MISUSE);
  static const uint32_t bad[][2] = {{0, 0}, {4, 4}, {4, 5}, {TTB_PLAN_MAX + 1, 1}, {1, UINT32_MAX}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(ttb_plan_safe_utilisation(bad[i][0], bad[i][1], &u), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_utilisation_after(bad[i][0], bad[i][1], 0.5, &u), TTB_ERR_RANGE);
  }
  for (size_t i = 0; i < NEVER; i++)
    assert_int_equal(ttb_plan_utilisation_after(4, 1, never[i], &u), TTB_ERR_RANGE);
  assert_true(u == UNTOUCHED);
}

static void test_n_plus_k(void **state) {
  (void)state;
  assert_int_equal(ttb_plan_n_plus_k(4000, 1000, 0), 4);
  assert_int_equal(ttb_plan_n_plus_k(4000, 1000, 2), 6);
  assert_int_equal(ttb_plan_n_plus_k(4001, 1000, 0), 5);
  assert_int_equal(ttb_plan_n_plus_k(3999, 1000, 0), 4);
  assert_int_equal(ttb_plan_n_plus_k(1.1, 0.1, 0), 11); /* a little more than 11 in doubles */
  assert_int_equal(ttb_plan_n_plus_k(0.3, 0.1, 0), 3);  /* a little less than 3 */
  assert_int_equal(ttb_plan_n_plus_k(1e-300, 1e15, 0), 1);
  assert_int_equal(ttb_plan_n_plus_k(0, 1000, 0), 0);
  assert_int_equal(ttb_plan_n_plus_k(0, 1000, TTB_PLAN_MAX), TTB_PLAN_MAX);
  assert_int_equal(ttb_plan_n_plus_k(1, 1000, TTB_PLAN_MAX), TTB_LIMIT);
  assert_int_equal(ttb_plan_n_plus_k(1e7, 1, 0), TTB_PLAN_MAX);
  assert_int_equal(ttb_plan_n_plus_k(1e7 + 1, 1, 0), TTB_LIMIT);
  assert_int_equal(ttb_plan_n_plus_k(1, DBL_TRUE_MIN, 0), TTB_LIMIT); /* infinitely many */
  assert_int_equal(ttb_plan_n_plus_k(1, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_n_plus_k(1, 1, TTB_PLAN_MAX + 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_n_plus_k(1, 1, UINT32_MAX), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    assert_int_equal(ttb_plan_n_plus_k(never[i], 1, 0), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_n_plus_k(1, never[i], 0), TTB_ERR_RANGE);
  }
}

/* One of $3,000 against several of $500, 4,000 requests a second. */
static void test_cost(void **state) {
  (void)state;
  double cost = UNTOUCHED;
  assert_int_equal(ttb_plan_cost(4000, 4000, 0, 3000, &cost), TTB_OK);
  assert_true(cost == 3000);
  assert_int_equal(ttb_plan_cost(4000, 4000, 1, 3000, &cost), TTB_OK);
  assert_true(cost == 6000);
  assert_int_equal(ttb_plan_cost(4000, 1000, 0, 500, &cost), TTB_OK);
  assert_true(cost == 2000);
  assert_int_equal(ttb_plan_cost(4000, 1000, 1, 500, &cost), TTB_OK);
  assert_true(cost == 2500);
  assert_int_equal(ttb_plan_cost(4000, 1000, 1, 0, &cost), TTB_OK);
  assert_true(cost == 0);
  cost = UNTOUCHED;
  assert_int_equal(ttb_plan_cost(4000, 1000, 1, 500, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_cost(4000, 1e-9, 1, 500, &cost), TTB_LIMIT);
  assert_int_equal(ttb_plan_cost(4000, 0, 1, 500, &cost), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++)
    assert_int_equal(ttb_plan_cost(1, 1, 0, never[i], &cost), TTB_ERR_RANGE);
  assert_true(cost == UNTOUCHED);
}

static void test_spares(void **state) {
  (void)state;
  assert_int_equal(ttb_plan_spares(4000, 1000, 500, 3000), 2);
  assert_int_equal(ttb_plan_spares(4000, 1000, 500, 2999), 1);
  assert_int_equal(ttb_plan_spares(4000, 1000, 500, 2000), 0);
  assert_int_equal(ttb_plan_spares(4000, 1000, 500, 1999), TTB_LIMIT);
  assert_int_equal(ttb_plan_spares(4000, 1000, 0.1, 1.1), 7);
  assert_int_equal(ttb_plan_spares(4, 1, 0.1, 0.7), 3); /* 0.7 / 0.1 is below 7 */
  assert_int_equal(ttb_plan_spares(0, 1000, 500, 0), 0);
  assert_int_equal(ttb_plan_spares(4, 1, DBL_TRUE_MIN, 1), TTB_PLAN_MAX - 4);
  assert_int_equal(ttb_plan_spares(4, DBL_TRUE_MIN, 1, 1), TTB_LIMIT);
  assert_int_equal(ttb_plan_spares(4, 1, 0, 1), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    assert_int_equal(ttb_plan_spares(never[i], 1, 1, 1), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_spares(1, never[i], 1, 1), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_spares(1, 1, never[i], 1), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_spares(1, 1, 1, never[i]), TTB_ERR_RANGE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_utilisation),
      cmocka_unit_test(test_n_plus_k),
      cmocka_unit_test(test_cost),
      cmocka_unit_test(test_spares),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
