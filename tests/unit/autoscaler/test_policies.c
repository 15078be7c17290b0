/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/policies.c: steps a period, selection, bookkeeping. */
#include "fixture.h"

static void test_hpa_up(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config(); /* 4 replicas or 100 % in 15 s */
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_decision d = ask(&a, 90, 1, 1000);
  assert_int_equal(d.desired, 5);
  assert_int_equal(d.reason, TTB_AUTOSCALER_UP_POLICY);
  assert_int_equal(d.policy, 0);
  assert_int_equal(d.policy_period_ms, 15000);
  assert_int_equal(d.next_change_ms, 15000);
  d = ask(&a, 90, 5, 1014);
  assert_int_equal(d.desired, 5);
  assert_int_equal(d.policy_used, 4);
  assert_int_equal(d.next_change_ms, 1000);
  d = ask(&a, 90, 5, 1015);
  assert_int_equal(d.desired, 10);
  assert_int_equal(d.policy, 1); /* 100 % allows more now */
  ttb_autoscaler_free(&a);
}

static void test_select(void **unused) {
  (void)unused;
  static const ttb_autoscaler_policy two[] = {POLICY(TTB_AUTOSCALER_REPLICAS, 2, 60),
                                              POLICY(TTB_AUTOSCALER_PERCENT, 50, 60)};
  static const int32_t up[] = {8, 7, 5}, down[] = {2, 3, 5};
  for (uint32_t select = 1; select <= 3; select++) {
    ttb_autoscaler_config c = count_config();
    c.up_policies = c.down_policies = two;
    c.up_policies_n = c.down_policies_n = 2;
    c.up_select = c.down_select = select;
    ttb_autoscaler a = start(&c);
    assert_int_equal(ask(&a, 90, 5, 1000).desired, up[select - 1]);
    ttb_autoscaler_reset(&a, 0);
    ttb_autoscaler_decision d = ask(&a, 1, 5, 1001);
    assert_int_equal(d.desired, down[select - 1]);
    if (select == TTB_AUTOSCALER_SELECT_DISABLED) {
      assert_int_equal(d.policy, -1);
      assert_int_equal(d.next_change_ms, -1);
    }
    ttb_autoscaler_free(&a);
  }
}

/* Only what was carried out is booked, with the time of its decision. */
static void test_booked_as_carried_out(void **unused) {
  (void)unused;
  static const ttb_autoscaler_policy ten[] = {POLICY(TTB_AUTOSCALER_REPLICAS, 10, 60)};
  ttb_autoscaler_config c = count_config();
  c.up_policies = ten;
  c.up_policies_n = 1;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 90, 5, 1000).desired, 15);
  assert_int_equal(ask(&a, 90, 5, 1001).desired, 15);  /* nothing was started */
  assert_int_equal(ask(&a, 90, 8, 1002).desired, 15);  /* 3 of 10 */
  ttb_autoscaler_decision d = ask(&a, 90, 15, 1003);
  assert_int_equal(d.desired, 15);
  assert_int_equal(d.policy_used, 10);
  assert_int_equal(ask(&a, 90, 20, 1004).desired, 20); /* 5 more by somebody else: not ours */
  assert_int_equal(ask(&a, 90, 20, 1061).desired, 23); /* the first 3 are over a minute old */
  ttb_autoscaler_free(&a);
}

static void test_both_directions_count(void **unused) {
  (void)unused;
  /* Kubernetes, TestScalingWithRules "percent policy and previous scale up and down events". */
  static const ttb_autoscaler_policy p[] = {POLICY(TTB_AUTOSCALER_PERCENT, 300, 300)};
  ttb_autoscaler_config c = count_config();
  c.up_policies = p;
  c.up_policies_n = 1;
  c.down_policies = p;
  c.down_policies_n = 1;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ttb_autoscaler_record(&a, 0, TTB_AUTOSCALER_CHANGE, 4, 940 * SECOND), TTB_OK);
  assert_int_equal(ttb_autoscaler_record(&a, 0, TTB_AUTOSCALER_CHANGE, -2, 940 * SECOND), TTB_OK);
  assert_int_equal(ask(&a, 24, 6, 1000).desired, 16);
  /* More than all: cut at the lower bound. */
  assert_int_equal(ask(&a, 0, 6, 1001).desired, 1);
  ttb_autoscaler_free(&a);
}

static void test_full(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.tick_ms = 15000; /* three entries a direction */
  ttb_autoscaler a = start(&c);
  for (uint64_t i = 0; i < 10; i++)
    assert_int_equal(ttb_autoscaler_record(&a, 0, TTB_AUTOSCALER_CHANGE, 1, (1000 + i) * SECOND),
                     TTB_OK);
  ttb_autoscaler_decision d = ask(&a, 90, 50, 1009);
  assert_int_equal(d.policy_used, 10); /* none is lost */
  assert_int_equal(d.desired, 80);
  ttb_autoscaler_free(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hpa_up),
      cmocka_unit_test(test_select),
      cmocka_unit_test(test_booked_as_carried_out),
      cmocka_unit_test(test_both_directions_count),
      cmocka_unit_test(test_full),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
