/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/health/outlier_rate.c: Envoy's and gRPC's two tests. */
#include "outlier_help.h"

static ttb_health_config only(int32_t profile, uint32_t targets, bool rate) {
  ttb_health_config c = config(profile, targets);
  c.eject_errors = TTB_OFF;
  c.eject_max_ppm = 1000000;
  if (rate) c.eject_failure_ppm = TTB_OFF;
  else c.eject_stdev_ppm = TTB_OFF;
  c.enforce_failure_ppm = 1000000;
  return c;
}

static void test_success_rate(void **state) {
  (void)state;
  ttb_health_config c = only(TTB_HEALTH_EJECT_ENVOY, 5, true);
  make(&c);
  for (uint32_t i = 0; i < 5; i++) calls(i, i == 4 ? 50 : 100, i == 4 ? 50 : 0);
  sweep(10000);
  assert_int_equal(stats().mean_ppm, 900000); /* 50, 100 x 4 */
  assert_int_equal(stats().threshold_ppm, 520000); /* 90 - 1.9 * 20 */
  assert_int_equal(ejected(4), 1);
  assert_int_equal(stats().ejected, 1);
}

/* Neither with too few targets, nor with too few calls. */
static void test_least(void **state) {
  (void)state;
  ttb_health_config c = only(TTB_HEALTH_EJECT_ENVOY, 5, true);
  make(&c);
  for (uint32_t i = 0; i < 5; i++) calls(i, i == 4 ? 50 : 100, i == 4 ? 49 : 0);
  sweep(10000);
  assert_int_equal(stats().judged, 0);
  assert_int_equal(stats().ejected, 0);
}

/* Equal rates have no outlier, whatever they are. */
static void test_equal(void **state) {
  (void)state;
  ttb_health_config c = only(TTB_HEALTH_EJECT_GRPC, 9, true);
  make(&c);
  for (uint32_t round = 1; round < 30; round++) {
    for (uint32_t i = 0; i < 9; i++) calls(i, 100 * (i + 1), round * (i + 1));
    sweep(10000);
    assert_int_equal(stats().judged, 9);
    assert_int_equal(stats().detected, 0);
  }
}

static void test_failure_percentage(void **state) {
  (void)state;
  for (int32_t p = TTB_HEALTH_EJECT_ENVOY; p <= TTB_HEALTH_EJECT_GRPC; p++) {
    ttb_health_config c = only(p, 6, false);
    make(&c);
    for (uint32_t i = 0; i < 4; i++) calls(i, 100, 0);
    calls(4, 15, 85);
    calls(5, 14, 86);
    sweep(10000);
    assert_int_equal(ejected(4), p == TTB_HEALTH_EJECT_ENVOY); /* at the threshold: >= or > */
    assert_int_equal(ejected(5), 1);
    ttb_health_free(&h);
    make(&c);
    for (uint32_t i = 0; i < 4; i++) calls(i, 100, 0);
    calls(4, 0, 49); /* too few calls, so too few targets */
    sweep(10000);
    assert_int_equal(stats().detected, 0);
    ttb_health_free(&h);
  }
}

/* Failures of local origin are a population of their own when split. */
static void test_split(void **state) {
  (void)state;
  ttb_health_config c = only(TTB_HEALTH_EJECT_ENVOY, 6, false);
  c.flags = TTB_HEALTH_EJECT_SPLIT;
  c.eject_local = TTB_OFF;
  make(&c);
  for (uint32_t i = 0; i < 6; i++) {
    calls(i, i == 1 ? 60 : 100, 0);
    for (int k = 0; k < 500 && i == 1; k++) told(1, TTB_HEALTH_LOCAL);
  }
  sweep(10000);
  assert_int_equal(ejected(1), 1); /* 500 of 560 never got there */
  assert_int_equal(stats().ejected, 1);
  assert_int_equal(info(1).call_failures, 500);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_success_rate, teardown),
      cmocka_unit_test_teardown(test_least, teardown),
      cmocka_unit_test_teardown(test_equal, teardown),
      cmocka_unit_test_teardown(test_failure_percentage, teardown),
      cmocka_unit_test_teardown(test_split, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
