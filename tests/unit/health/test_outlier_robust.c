/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/health/outlier_robust.c: each against the median of the others. */
#include "outlier_help.h"

static void load(uint32_t targets, uint32_t dead, uint32_t n) {
  for (uint32_t i = 0; i < targets; i++) calls(i, i < dead ? 0 : n, i < dead ? n : 0);
}

/* Where the deviation test is blind: 2 of 5, 3 of 10, 8 of 20. */
static void test_no_masking(void **state) {
  (void)state;
  const uint32_t cases[][2] = {{3, 1}, {4, 1}, {4, 2}, {5, 2}, {10, 3}, {10, 5}, {20, 8}, {100, 49}};
  for (int k = 0; k < 8; k++) {
    ttb_health_config c = config(TTB_HEALTH_EJECT_ROBUST, cases[k][0]);
    make(&c);
    load(cases[k][0], cases[k][1], 100);
    sweep(10000);
    assert_int_equal(stats().ejected, cases[k][1]);
    for (uint32_t i = 0; i < cases[k][0]; i++) assert_int_equal(ejected(i), i < cases[k][1]);
    ttb_health_free(&h);
  }
}

/* Most look bad: it is not they who are. */
static void test_systemic(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ROBUST, 10);
  c.eject_systemic_ppm = 250000;
  c.eject_max_ppm = 1000000;
  make(&c);
  load(10, 3, 100);
  sweep(10000);
  assert_int_equal(stats().ejected, 0);
  assert_int_equal(stats().systemic, 1);
  load(10, 2, 100);
  sweep(10000);
  assert_int_equal(stats().ejected, 2);
  assert_int_equal(stats().systemic, 1);
  ttb_health_free(&h);
  make(&c);
  load(10, 10, 100); /* all alike: nobody stands out */
  sweep(10000);
  assert_int_equal(stats().detected, 0);
}

/* In a tight cluster 99 % beside 99.99 % is no outlier: the gap is 5 points. */
static void test_gap(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ROBUST, 20);
  make(&c);
  for (uint32_t i = 0; i < 20; i++) calls(i, i == 5 ? 9900 : 9999, i == 5 ? 100 : 1);
  sweep(10000);
  assert_int_equal(stats().detected, 0);
  for (uint32_t i = 0; i < 20; i++) calls(i, i == 5 ? 9499 : 9999, i == 5 ? 501 : 1);
  sweep(10000);
  assert_int_equal(ejected(5), 1);
  assert_in_range(stats().mean_ppm, 999899, 999901);
  assert_in_range(stats().threshold_ppm, 949899, 949901);
}

/* By hand: 100 calls, 10 % elsewhere, so 11 are expected. 4.5 deviations are
 * sqrt(100 * .11 * .89) * 4.5 = 14.08 failures more. */
static void test_deviations(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ROBUST, 5);
  const uint32_t bad[] = {25, 26};
  for (int k = 0; k < 2; k++) {
    make(&c);
    for (uint32_t i = 0; i < 5; i++) calls(i, i == 2 ? 100 - bad[k] : 90, i == 2 ? bad[k] : 10);
    sweep(10000);
    assert_int_equal(stats().ejected, (uint32_t)k);
    ttb_health_free(&h);
  }
  /* Nobody else fails: one failure is expected of anybody all the same; 50 calls
   * take (f - 1)^2 >= 20.25 * 0.98, so 6. */
  for (uint32_t f = 5; f <= 6; f++) {
    make(&c);
    for (uint32_t i = 0; i < 5; i++) calls(i, i == 2 ? 50 - f : 50, i == 2 ? f : 0);
    sweep(10000);
    assert_int_equal(stats().ejected, f - 5);
    ttb_health_free(&h);
  }
}

static void test_least(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ROBUST, 3);
  make(&c);
  load(2, 1, 100); /* two that can be compared are too few */
  sweep(10000);
  assert_int_equal(stats().judged, 0);
  load(3, 1, 49); /* too few calls */
  sweep(10000);
  assert_int_equal(stats().judged, 0);
  load(3, 1, 50);
  sweep(10000);
  assert_int_equal(stats().judged, 3);
  assert_int_equal(ejected(0), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_no_masking, teardown),
      cmocka_unit_test_teardown(test_systemic, teardown),
      cmocka_unit_test_teardown(test_gap, teardown),
      cmocka_unit_test_teardown(test_deviations, teardown),
      cmocka_unit_test_teardown(test_least, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
