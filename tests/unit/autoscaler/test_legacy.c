/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/legacy.c: an HPA without behavior. */
#include "fixture.h"

static ttb_autoscaler_config legacy_config(void) {
  ttb_autoscaler_config c = count_config();
  c.flags = TTB_AUTOSCALER_LEGACY;
  c.down_window_ms = 300000;
  return c;
}

static void test_up_limit(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = legacy_config();
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_decision d = ask(&a, 50, 1, 1);
  assert_int_equal(d.desired, 4); /* at least up to 4 */
  assert_int_equal(d.limit, TTB_AUTOSCALER_UP_POLICY);
  assert_int_equal(d.next_change_ms, 0); /* and on at once */
  assert_int_equal(ask(&a, 50, 4, 2).desired, 8); /* no period: doubled again in a second */
  assert_int_equal(ask(&a, 500, 60, 3).desired, 100);
  assert_int_equal(ask(&a, 500, 60, 4).limit, TTB_AUTOSCALER_AT_MAX);
  ttb_autoscaler_free(&a);
}

static void test_window_is_inclusive(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = legacy_config();
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 10, 10, 1000).desired, 10);
  ttb_autoscaler_decision d = ask(&a, 5, 10, 1300); /* as old as the window */
  assert_int_equal(d.desired, 10);
  assert_int_equal(d.window, TTB_AUTOSCALER_DOWN_WINDOW);
  assert_int_equal(d.window_age_ms, 300000);
  assert_int_equal(d.next_change_ms, 1);
  d = ask(&a, 5, 10, 1301);
  assert_int_equal(d.desired, 5);
  ttb_autoscaler_free(&a);
}

static void test_window_may_raise(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = legacy_config();
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 10, 10, 1).desired, 10);
  assert_int_equal(ask(&a, 3, 6, 2).desired, 10); /* somebody took 4 away */
  ttb_autoscaler_free(&a);
}

static void test_bounds(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = legacy_config();
  c.min_replicas = 3;
  c.down_window_ms = TTB_OFF;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 5, 5, 1).desired, 5);
  ttb_autoscaler_decision d = ask(&a, 1, 5, 2);
  assert_int_equal(d.desired, 3);
  assert_int_equal(d.limit, TTB_AUTOSCALER_AT_MIN);
  ttb_autoscaler_free(&a);
}

static void test_nothing_is_booked(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = legacy_config(), with = count_config();
  with.down_window_ms = 300000;
  ttb_autoscaler_info i = TTB_CONFIG(ttb_autoscaler_info);
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 20, 10, 1).desired, 20);
  assert_int_equal(ask(&a, 20, 20, 2).desired, 20);
  assert_int_equal(ttb_autoscaler_explain(&a, 0, 3 * SECOND, &i), TTB_OK);
  assert_int_equal(i.changes, 0);
  assert_true(ttb_autoscaler_size(&c) < ttb_autoscaler_size(&with));
  ttb_autoscaler_free(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_up_limit),         cmocka_unit_test(test_window_is_inclusive),
      cmocka_unit_test(test_window_may_raise), cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_nothing_is_booked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
