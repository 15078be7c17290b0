/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/autoscaler_explain.c: explain, statistics, reasons. */
#include "fixture.h"

static ttb_autoscaler_info look(const ttb_autoscaler *a, uint64_t second) {
  ttb_autoscaler_info i = TTB_CONFIG(ttb_autoscaler_info);
  assert_int_equal(ttb_autoscaler_explain(a, 0, second * SECOND, &i), TTB_OK);
  return i;
}

static void test_explain(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.down_window_ms = 60000;
  c.up_window_ms = 5000;
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_info i = look(&a, 1000);
  assert_int_equal(i.desired, -1);
  assert_int_equal(i.age_ms, -1);
  assert_int_equal(i.down_window_max, -1);
  (void)ask(&a, 7, 4, 1000);
  i = look(&a, 1003);
  assert_int_equal(i.desired, 4);
  assert_int_equal(i.proposed, 7);
  assert_int_equal(i.current, 4);
  assert_int_equal(i.reason, TTB_AUTOSCALER_UP_WINDOW);
  assert_int_equal(i.metric, 0);
  assert_int_equal(i.up_window_min, 4);
  assert_int_equal(i.down_window_max, 7);
  assert_int_equal(i.age_ms, 3000);
  assert_int_equal(i.proposals, 3); /* 4 and 7 up, 7 down */
  assert_int_equal(look(&a, 1005).up_window_min, -1);
  (void)ask(&a, 9, 4, 1006);
  (void)ask(&a, 9, 9, 1007);
  assert_int_equal(look(&a, 1007).changes, 1);
  ttb_autoscaler_sample gone = TTB_CONFIG(ttb_autoscaler_sample);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  gone.missing = 1;
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &gone, 1, 9, 1008 * SECOND, &d), TTB_OK);
  i = look(&a, 1008);
  assert_int_equal(i.proposed, -1);
  assert_int_equal(i.metric, -1);
  ttb_autoscaler_stats s = TTB_CONFIG(ttb_autoscaler_stats);
  assert_int_equal(ttb_autoscaler_statistics(&a, &s), TTB_OK);
  assert_int_equal(s.evaluations, 4);
  assert_int_equal(s.ups, 1);
  assert_int_equal(s.downs, 0);
  assert_int_equal(s.held, 1);
  assert_int_equal(ttb_autoscaler_reset(&a, 0), TTB_OK);
  i = look(&a, 1009);
  assert_int_equal(i.desired, -1);
  assert_int_equal(i.proposals + i.changes, 0);
  assert_int_equal(ask(&a, 9, 4, 1010).desired, 4); /* a first look again */
  assert_int_equal(ttb_autoscaler_explain(&a, 1, 0, &i), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_explain(&a, 0, 0, NULL), TTB_ERR_MISUSE);
  i.struct_size = 2;
  assert_int_equal(ttb_autoscaler_explain(&a, 0, 0, &i), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_statistics(NULL, &s), TTB_ERR_MISUSE);
  ttb_autoscaler_free(&a);
}

static void test_reasons(void **unused) {
  (void)unused;
  for (int32_t r = TTB_AUTOSCALER_STEADY; r <= TTB_AUTOSCALER_GUARDED; r++)
    assert_string_not_equal(ttb_autoscaler_reason(r), "no such reason");
  assert_string_equal(ttb_autoscaler_reason(-1), "no such reason");
  assert_string_equal(ttb_autoscaler_reason(17), "no such reason");
  assert_string_equal(ttb_autoscaler_reason(INT32_MIN), "no such reason");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_explain),
      cmocka_unit_test(test_reasons),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
