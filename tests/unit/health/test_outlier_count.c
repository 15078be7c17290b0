/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/health/outlier_count.c: what was left behind is put right. */
#include "outlier_help.h"

static ttb__health *table(void) { return ttb__health_of(&h); }

static ttb__outlier_tally room(void) {
  return ttb__room_numbers(ttb__load_rlx(&table()->ejections->room));
}
static void assert_exact(void) {
  ttb__outlier_tally n = ttb__outlier_count(table());
  assert_int_equal(room().enabled, n.enabled);
  assert_int_equal(room().ejected, n.ejected);
}

/* The first failure ejects. */
static ttb_health_config at_once(uint32_t targets, int32_t most_ppm) {
  ttb_health_config c = config(TTB_HEALTH_EJECT_ENVOY, targets);
  c.eject_errors = 1;
  c.eject_max_ppm = most_ppm;
  c.flags = TTB_HEALTH_EJECT_PROBED;
  return c;
}

/* A place whose taker was killed is free again after a sweep; what a neighbour
 * scribbled is put right by it. */
static void test_left_behind(void **state) {
  (void)state;
  uint32_t epoch;
  ttb_health_config c = at_once(4, 250000);
  make(&c);
  assert_true(ttb__room_take(table(), &epoch)); /* and is killed */
  assert_int_equal(told(1, TTB_FAILURE), TTB_OK);
  sweep(10000);
  assert_exact();
  assert_int_equal(told(1, TTB_FAILURE), TTB_HEALTH_EJECTED);
  ttb__room_give(table(), epoch); /* it was asleep: a count has been since */
  assert_exact();
  assert_int_equal(told(2, TTB_FAILURE), TTB_OK);
  const uint64_t scribbles[] = {0, UINT64_MAX, UINT64_C(0x1fffff), UINT64_C(0x1fffff) << 21};
  for (int i = 0; i < 4; i++) {
    ttb__store_rlx(&table()->ejections->room, scribbles[i]);
    (void)told(2, TTB_FAILURE), (void)ttb_health_disable(&h, 3, now);
    (void)ttb_health_enable(&h, 3, now), (void)ttb_health_report(&h, 1, TTB_SUCCESS, 0, now);
    sweep(10000);
    assert_exact();
    assert_true(stats().ejected <= 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_left_behind, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
