/* SPDX-License-Identifier: MIT */
/* lib/plan/staffing.c, and the exp of lib/plan/plan.h it rests on. */
#include "close.h"

#include "../../../lib/plan/plan.h"

static void test_exp(void **state) {
  (void)state;
  static const double e[][2] = {{0, 1},
                                {1e-9, 1.000000001},
                                {.1, 1.1051709180756477},
                                {.3465, 1.4141094938303624},
                                {.3466, 1.4142509118505286},
                                {1, 2.718281828459045},
                                {-1, 0.36787944117144233},
                                {10, 22026.465794806718},
                                {-10, 4.5399929762484854e-05},
                                {100.5, 4.4319559098458955e+43},
                                {-345.678, 7.480869601401225e-151},
                                {699.9, 9.177151136957067e+303},
                                {-699.9, 1.0896627777796162e-304}};
  for (size_t i = 0; i < sizeof e / sizeof *e; i++) assert_close(ttb__exp(e[i][0]), e[i][1], 1e-15);
  /* Against the C library's, which is within an ulp or two. */
  for (double x = -700; x <= 700; x += 0.0371) assert_close(ttb__exp(x), exp(x), 2e-15);
}

static bool from_seven(uint32_t n, const void *about) {
  *(uint32_t *)(uintptr_t)about += 1;
  return n >= 7;
}

static void test_smallest(void **state) {
  (void)state;
  for (int32_t from = 0; from < 12; from++)
    for (int32_t to = 0; to < 12; to++) {
      uint32_t asked = 0;
      int32_t expected = to < 7 || from > to ? TTB_LIMIT : from > 7 ? from : 7;
      assert_int_equal(ttb__smallest(from, to, from_seven, &asked), expected);
      assert_true(asked <= 8);
    }
}

static void test_square_root(void **state) {
  (void)state;
  assert_int_equal(ttb_plan_square_root(100, 1), 110);
  assert_int_equal(ttb_plan_square_root(100, 1.01), 111);
  assert_int_equal(ttb_plan_square_root(100, 0), 100);
  assert_int_equal(ttb_plan_square_root(0, 37), 0);
  assert_int_equal(ttb_plan_square_root(0.25, 0.5), 1);
  assert_int_equal(ttb_plan_square_root(1000, 1.7398362717905034), 1056);
  assert_int_equal(ttb_plan_square_root(TTB_PLAN_MAX, 0), TTB_PLAN_MAX);
  assert_int_equal(ttb_plan_square_root(TTB_PLAN_MAX, 0.01), TTB_LIMIT);
  assert_int_equal(ttb_plan_square_root(1, 37.1), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    assert_int_equal(ttb_plan_square_root(never[i], 1), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_square_root(1, never[i]), TTB_ERR_RANGE);
  }
}

static void test_beta_waits(void **state) {
  (void)state;
  static const double at[][2] = {{0, 1},
                                 {.001, 0.9987472565702737},
                                 {.25, 0.7209321134030546},
                                 {.5, 0.504538640997945},
                                 {1, 0.22336127479826073},
                                 {1.5, 0.08469039449385773},
                                 {2, 0.026881362429432263},
                                 {3, 0.0014770946446142933},
                                 {5, 2.9734389976756013e-07},
                                 {10, 7.69459862670642e-24},
                                 {20, 2.7604741810798816e-89},
                                 {36, 4.1858464378344295e-284},
                                 {37, 0}};
  double v = UNTOUCHED;
  for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
    assert_int_equal(ttb_plan_beta_waits(at[i][0], &v), TTB_OK);
    assert_close(v, at[i][1], 2e-13);
  }
  assert_int_equal(ttb_plan_beta_waits(DBL_TRUE_MIN, &v), TTB_OK);
  assert_true(v == 1);
  v = UNTOUCHED;
  assert_int_equal(ttb_plan_beta_waits(1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_beta_waits(nextafter(37, 38), &v), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++)
    assert_int_equal(ttb_plan_beta_waits(never[i], &v), TTB_ERR_RANGE);
  assert_true(v == UNTOUCHED);
}

static void test_beta(void **state) {
  (void)state;
  static const double of[][2] = {
      {.9, 0.08287596267026388},   {.5, 0.5060544689891807},  {.2, 1.0615162754187175},
      {.05, 1.7398362717905034},   {.01, 2.3748881475350503}, {1e-6, 4.761513701197736},
      {1e-100, 21.273556634343773}, {1, 0}};
  double v = UNTOUCHED;
  for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
    assert_int_equal(ttb_plan_beta(of[i][0], &v), TTB_OK);
    assert_close(v, of[i][1], 1e-14);
  }
  assert_int_equal(ttb_plan_beta(TTB_PLAN_TINY, &v), TTB_OK);
  assert_true(v > 36 && v < 37);
  v = UNTOUCHED;
  assert_int_equal(ttb_plan_beta(0.5, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_beta(0, &v), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) assert_int_equal(ttb_plan_beta(never[i], &v), TTB_ERR_RANGE);
  assert_true(v == UNTOUCHED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exp),        cmocka_unit_test(test_smallest),
      cmocka_unit_test(test_square_root), cmocka_unit_test(test_beta_waits),
      cmocka_unit_test(test_beta),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
