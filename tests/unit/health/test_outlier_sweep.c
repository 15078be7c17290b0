/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/health/outlier_sweep.c: when, whose counts, how long. */
#include "outlier_help.h"

static ttb_health_config rows_of_five(int32_t profile) {
  ttb_health_config c = config(profile, 2);
  c.eject_errors = 5;
  c.eject_max_ppm = 1000000;
  c.eject_min_kept = TTB_OFF;
  c.eject_base_ms = 20000;
  c.eject_max_ms = 50000;
  return c;
}

static void test_once_an_interval(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ROBUST, 2);
  make(&c);
  sweep(0);
  assert_int_equal(stats().sweeps, 1);
  sweep(9999);
  assert_int_equal(stats().sweeps, 1);
  sweep(1);
  sweep(0);
  assert_int_equal(stats().sweeps, 2);
  sweep(100000); /* a long pause is one sweep */
  assert_int_equal(stats().sweeps, 3);
}

static void test_counts(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ROBUST, 2);
  make(&c);
  calls(0, 7, 3);
  told(0, TTB_IGNORED), told(0, TTB_CANCELLED), told(0, TTB_HEALTH_GATEWAY);
  assert_int_equal(info(0).calls, 0); /* not before the sweep */
  sweep(10000);
  assert_int_equal(info(0).calls, 11);
  assert_int_equal(info(0).call_failures, 4);
  assert_int_equal(info(1).calls, 0);
  calls(0, 1, 0);
  sweep(10000);
  assert_int_equal(info(0).calls, 1);
  sweep(10000);
  assert_int_equal(info(0).calls, 0);
}

/* A counter that is full stands still: its rates stay right, nothing runs over. */
static void test_full(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ROBUST, 1);
  make(&c);
  for (uint32_t i = 0; i < (1u << 21) + 5000; i++) told(0, i % 4 ? TTB_SUCCESS : TTB_FAILURE);
  sweep(10000);
  assert_int_equal(info(0).calls, TTB__OUTLIER_FULL);
  assert_in_range(info(0).call_failures, TTB__OUTLIER_FULL / 4, TTB__OUTLIER_FULL / 4 + 1);
}

/* Envoy's lengths: longer each time, shorter an interval without. */
static void test_lengths(void **state) {
  (void)state;
  ttb_health_config c = rows_of_five(TTB_HEALTH_EJECT_ENVOY);
  make(&c);
  const uint32_t seconds[] = {20, 40, 50, 50, 50};
  for (int i = 0; i < 5; i++) {
    calls(0, 0, 5);
    assert_int_equal(info(0).eject_left_ms, seconds[i] * 1000);
    for (uint32_t s = 10; s < seconds[i]; s += 10) {
      sweep(10000);
      assert_int_equal(ejected(0), 1);
    }
    sweep(10000);
    assert_int_equal(ejected(0), 0);
    assert_int_equal(info(0).eject_left_ms, 0);
  }
  uint32_t times = info(0).ejections;
  assert_true(times >= 3);
  for (uint32_t k = times; k-- > 0;) {
    sweep(10000);
    assert_int_equal(info(0).ejections, k);
  }
  sweep(10000);
  assert_int_equal(info(0).ejections, 0);
}

/* Times fall after the tests: one that is found again in the sweep that would have
 * forgiven it gets the longer time (Envoy's order). */
static void test_found_again(void **state) {
  (void)state;
  ttb_health_config c = rows_of_five(TTB_HEALTH_EJECT_ENVOY);
  c.capacity = 6;
  make(&c);
  calls(0, 0, 5);
  sweep(10000);
  sweep(10000);
  assert_int_equal(ejected(0), 0); /* it is back, and for an interval behaves */
  for (uint32_t i = 0; i < 6; i++) calls(i, 20, 0);
  for (uint32_t i = 0; i < 6; i++)
    for (int k = 0; k < 20; k++) calls(i, i == 0 ? 1 : 5, i == 0 ? 4 : 0); /* no row of five */
  sweep(10000);
  assert_int_equal(ejected(0), 1);
  assert_int_equal(info(0).ejections, 2);
  assert_int_equal(info(0).eject_left_ms, 40000);
}

/* gRPC's: the boundary is later, and times have no end but the length has. */
static void test_grpc(void **state) {
  (void)state;
  ttb_health_config c = rows_of_five(TTB_HEALTH_EJECT_GRPC);
  make(&c);
  calls(0, 0, 5);
  sweep(10000);
  sweep(10000);
  assert_int_equal(ejected(0), 1); /* after 20 s is not at 20 s */
  sweep(10000);
  assert_int_equal(ejected(0), 0);
  for (uint32_t k = 2; k < 10; k++) {
    calls(0, 0, 5);
    assert_int_equal(info(0).ejections, k);
    assert_int_equal(info(0).eject_left_ms, k == 2 ? 40000 : 50000);
    for (int i = 0; i < 6 && ejected(0) == 1; i++) sweep(10000);
    assert_int_equal(ejected(0), 0);
  }
  for (uint32_t k = 9; k-- > 0;) { /* at once, one an interval */
    sweep(10000);
    assert_int_equal(info(0).ejections, k);
  }
}

static void test_jitter(void **state) {
  (void)state;
  ttb_health_config c = rows_of_five(TTB_HEALTH_EJECT_ENVOY);
  c.capacity = 50;
  c.eject_jitter_ms = 5000;
  make(&c);
  int64_t least = INT64_MAX, most = 0;
  for (uint32_t i = 0; i < 50; i++) {
    calls(i, 0, 5);
    int64_t left = info(i).eject_left_ms;
    least = left < least ? left : least;
    most = left > most ? left : most;
    assert_in_range(left, 20000, 25000);
  }
  assert_true(most - least > 3000);
}

/* Too many, after the table has shrunk: the first ones come back. */
static void test_surplus(void **state) {
  (void)state;
  ttb_health_config c = rows_of_five(TTB_HEALTH_EJECT_ENVOY);
  c.capacity = 10;
  c.eject_max_ppm = 300000;
  make(&c);
  for (uint32_t i = 7; i < 10; i++) calls(i, 0, 5);
  assert_int_equal(stats().ejected, 3);
  for (uint32_t i = 0; i < 5; i++) assert_int_equal(ttb_health_disable(&h, i, now), TTB_OK);
  sweep(10000);
  assert_int_equal(stats().ejected, 1); /* of five */
  assert_int_equal(ejected(9), 1);
}

/* A sweeper that slept between asking for the time and using it: what was ejected
 * meanwhile has not been for years, and the interval's sweep has been made. */
static void test_asleep(void **state) {
  (void)state;
  ttb_health_config c = rows_of_five(TTB_HEALTH_EJECT_ENVOY);
  make(&c);
  sweep(0);
  uint64_t asked = ttb__load_rlx(&ttb__health_of(&h)->ejections->swept);
  for (uint32_t slept_ms = 1500; slept_ms < 3000000; slept_ms *= 8) {
    sweep(slept_ms);
    calls(0, 0, 5);
    assert_int_equal(ejected(0), 1);
    uint32_t sweeps = (uint32_t)stats().sweeps;
    ttb__outlier_sweep(ttb__health_of(&h), asked); /* in the sweep, or before it begins */
    assert_int_equal(stats().sweeps, sweeps);
    ttb__store_rlx(&ttb__health_of(&h)->ejections->swept, 0);
    ttb__outlier_sweep(ttb__health_of(&h), asked);
    assert_int_equal(ejected(0), 1);
    sweep(100000);
    assert_int_equal(ejected(0), 0);
    asked = ttb__load_rlx(&ttb__health_of(&h)->ejections->swept);
  }
}

/* What is ejected is not judged by what still comes back from it. */
static void test_not_judged(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ROBUST, 5);
  make(&c);
  for (uint32_t i = 0; i < 5; i++) calls(i, i == 2 ? 0 : 100, i == 2 ? 100 : 0);
  sweep(10000);
  assert_int_equal(ejected(2), 1);
  assert_int_equal(stats().judged, 5);
  for (uint32_t i = 0; i < 5; i++) calls(i, 100, 0);
  sweep(10000);
  assert_int_equal(stats().judged, 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_once_an_interval, teardown),
      cmocka_unit_test_teardown(test_counts, teardown),
      cmocka_unit_test_teardown(test_full, teardown),
      cmocka_unit_test_teardown(test_lengths, teardown),
      cmocka_unit_test_teardown(test_found_again, teardown),
      cmocka_unit_test_teardown(test_grpc, teardown),
      cmocka_unit_test_teardown(test_jitter, teardown),
      cmocka_unit_test_teardown(test_surplus, teardown),
      cmocka_unit_test_teardown(test_asleep, teardown),
      cmocka_unit_test_teardown(test_not_judged, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
