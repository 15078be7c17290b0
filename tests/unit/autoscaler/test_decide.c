/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/decide.c: several metrics, bounds, misuse, a whole manifest. */
#include "fixture.h"

static const ttb_autoscaler_metric pair[] = {
    {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_UTILISATION, 0, 0, 70000, 0, 0, 0},
    {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_UTILISATION, 0, 0, 80000, 0, 0, 0}};
static const ttb_autoscaler_policy double_up[] = {POLICY(TTB_AUTOSCALER_PERCENT, 100, 15)};
static const ttb_autoscaler_policy tenth_down[] = {POLICY(TTB_AUTOSCALER_PERCENT, 10, 60)};

/* 3 to 50 replicas, cpu at 70 %, memory at 80 %; up after a minute, doubling in
 * 15 s; down after five minutes, a tenth a minute. */
static ttb_autoscaler_config manifest(void) {
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.min_replicas = 3;
  c.max_replicas = 50;
  c.metrics = pair;
  c.metrics_n = 2;
  c.up_window_ms = 60000;
  c.up_policies = double_up;
  c.up_policies_n = 1;
  c.down_policies = tenth_down;
  c.down_policies_n = 1;
  return c;
}

static ttb_autoscaler_decision two(ttb_autoscaler *a, int64_t cpu, int64_t memory, int32_t current,
                                   uint64_t second) {
  ttb_autoscaler_sample s[2] = {value(cpu * 1000), value(memory * 1000)};
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  s[0].missing = cpu < 0;
  s[1].missing = memory < 0;
  assert_int_equal(ttb_autoscaler_evaluate(a, 0, s, 2, current, second * SECOND, &d), TTB_OK);
  return d;
}

static void test_manifest(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = manifest();
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_decision d = two(&a, 140, 40, 10, 1000);
  assert_int_equal(d.proposed, 20);
  assert_int_equal(d.desired, 10);
  assert_int_equal(d.reason, TTB_AUTOSCALER_UP_WINDOW);
  d = two(&a, 140, 40, 10, 1060);
  assert_int_equal(d.desired, 20);
  assert_int_equal(d.reason, TTB_AUTOSCALER_ABOVE_TARGET);
  assert_int_equal(d.metric, 0);
  d = two(&a, 210, 40, 20, 1061); /* 60, but the window still holds 20 */
  assert_int_equal(d.desired, 20);
  d = two(&a, 210, 40, 20, 1121);
  assert_int_equal(d.desired, 40);
  assert_int_equal(d.limit, TTB_AUTOSCALER_UP_POLICY);
  d = two(&a, 105, 40, 40, 1182);
  assert_int_equal(d.desired, 50);
  assert_int_equal(d.reason, TTB_AUTOSCALER_AT_MAX);
  d = two(&a, 7, 8, 50, 1190); /* load gone */
  assert_int_equal(d.desired, 50);
  assert_int_equal(d.reason, TTB_AUTOSCALER_DOWN_WINDOW);
  d = two(&a, 7, 8, 50, 1500);
  assert_int_equal(d.desired, 45);
  assert_int_equal(d.reason, TTB_AUTOSCALER_DOWN_POLICY);
  assert_int_equal(d.next_change_ms, 60000);
  assert_int_equal(two(&a, 7, 8, 45, 1559).desired, 45);
  assert_int_equal(two(&a, 7, 8, 45, 1560).desired, 40); /* 40.5, cut */
  ttb_autoscaler_free(&a);
}

static void test_missing(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = manifest();
  c.up_window_ms = 0;
  c.down_window_ms = TTB_OFF;
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_decision d = two(&a, -1, 160, 10, 1000);
  assert_int_equal(d.desired, 20); /* up by the other one */
  assert_int_equal(d.metric, 1);
  assert_int_equal(d.missing, 1);
  d = two(&a, 7, -1, 20, 1100); /* but not down */
  assert_int_equal(d.desired, 20);
  assert_int_equal(d.reason, TTB_AUTOSCALER_MISSING);
  assert_int_equal(d.next_change_ms, -1);
  d = two(&a, 70, -1, 20, 1101); /* hold is fine */
  assert_int_equal(d.reason, TTB_AUTOSCALER_STEADY);
  d = two(&a, -1, -1, 20, 1102);
  assert_int_equal(d.desired, 20);
  assert_int_equal(d.proposed, -1);
  assert_int_equal(d.missing, 2);
  ttb_autoscaler_decision e = TTB_CONFIG(ttb_autoscaler_decision);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, NULL, 0, 20, 1103 * SECOND, &e), TTB_OK);
  assert_int_equal(e.reason, TTB_AUTOSCALER_MISSING); /* not given is missing */
  ttb_autoscaler_free(&a);
}

static void test_bounds(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.min_replicas = 3;
  c.max_replicas = 10;
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_decision d = ask(&a, 20, 15, 1000);
  assert_int_equal(d.desired, 10);
  assert_int_equal(d.reason, TTB_AUTOSCALER_AT_MAX);
  assert_int_equal(d.next_change_ms, 0);
  assert_int_equal(ask(&a, 0, 2, 1001).desired, 3);
  d = ask(&a, 5, 0, 1002); /* somebody stopped it */
  assert_int_equal(d.desired, 0);
  assert_int_equal(d.reason, TTB_AUTOSCALER_SWITCHED_OFF);
  d = ask(&a, 1, 4, 1003);
  assert_int_equal(d.desired, 3);
  assert_int_equal(d.reason, TTB_AUTOSCALER_AT_MIN);
  ttb_autoscaler_free(&a);

  c.min_replicas = TTB_OFF; /* to zero and back */
  a = start(&c);
  assert_int_equal(ask(&a, 0, 4, 1000).desired, 0);
  assert_int_equal(ask(&a, 0, 0, 1100).reason, TTB_AUTOSCALER_STEADY);
  assert_int_equal(ask(&a, 2, 0, 1200).desired, 2);
  ttb_autoscaler_free(&a);

  c.metrics = pair; /* utilisation says nothing about nobody */
  a = start(&c);
  assert_int_equal(ask(&a, 100, 0, 1000).reason, TTB_AUTOSCALER_MISSING);
  ttb_autoscaler_free(&a);
}

static void test_gradual(void **unused) {
  (void)unused;
  static const ttb_autoscaler_policy one[] = {POLICY(TTB_AUTOSCALER_REPLICAS, 1, 10)};
  ttb_autoscaler_config c = count_config();
  c.max_replicas = 5;
  c.flags = TTB_AUTOSCALER_GRADUAL;
  c.down_policies = one;
  c.down_policies_n = 1;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 2, 8, 1000).desired, 7);
  assert_int_equal(ask(&a, 2, 7, 1009).desired, 7);
  assert_int_equal(ask(&a, 2, 7, 1010).desired, 6);
  ttb_autoscaler_free(&a);
}

static void test_misuse(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_sample s[2] = {value(5000), value(5000)};
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision), before = d;
  assert_int_equal(ttb_autoscaler_evaluate(NULL, 0, s, 1, 1, 0, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, NULL, 1, 1, 0, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, s, 1, 1, 0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 1, s, 1, 1, 0, &d), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, s, 2, 1, 0, &d), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, s, 1, -1, 0, &d), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, s, 1, 10000001, 0, &d), TTB_ERR_RANGE);
  s[0].replicas = -2;
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, s, 1, 1, 0, &d), TTB_ERR_RANGE);
  s[0] = value(1);
  s[0].struct_size = 8;
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, s, 1, 1, 0, &d), TTB_ERR_RANGE);
  s[0] = value(1);
  d.struct_size = before.struct_size = 12;
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, s, 1, 1, 0, &d), TTB_ERR_RANGE);
  assert_memory_equal(&d, &before, sizeof d); /* untouched */
  assert_int_equal(ttb_autoscaler_record(&a, 0, 4, 1, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_record(&a, 0, TTB_AUTOSCALER_STOPPED, 2, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_record(&a, 0, TTB_AUTOSCALER_CHANGE, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_record(&a, 0, TTB_AUTOSCALER_PROPOSAL, -1, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_record(&a, 1, TTB_AUTOSCALER_PROPOSAL, 1, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_record(NULL, 0, TTB_AUTOSCALER_PROPOSAL, 1, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_autoscaler_reset(NULL, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_autoscaler_reset(&a, 1), TTB_ERR_RANGE);
  ttb_autoscaler_free(&a);
}

/* A newer program: longer samples and decisions. */
static void test_longer_structs(void **unused) {
  (void)unused;
  struct {
    ttb_autoscaler_sample s;
    uint64_t more;
  } s = {value(9000), 0};
  struct {
    ttb_autoscaler_decision d;
    uint64_t more;
  } d = {TTB_CONFIG(ttb_autoscaler_decision), 99};
  ttb_autoscaler_config c = count_config();
  ttb_autoscaler a = start(&c);
  s.s.struct_size = sizeof s;
  d.d.struct_size = sizeof d;
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s.s, 1, 9, SECOND, &d.d), TTB_OK);
  assert_int_equal(d.d.desired, 9);
  assert_int_equal(d.more, 0);
  assert_int_equal(d.d.struct_size, sizeof d);
  s.more = 1;
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s.s, 1, 9, SECOND, &d.d), TTB_ERR_UNSUPPORTED);
  ttb_autoscaler_free(&a);
}

/* Clock jumps: back, far back, far forward; the window loses and revives nothing. */
static void test_clock(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.down_window_ms = 60000;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 5, 9, 100000).desired, 9);
  assert_int_equal(ask(&a, 5, 9, 10).desired, 9); /* another boot */
  assert_int_equal(ask(&a, 5, 9, 40).desired, 9);
  assert_int_equal(ask(&a, 5, 9, 69).desired, 9);
  assert_int_equal(ask(&a, 5, 9, 71).desired, 5);
  assert_int_equal(ask(&a, 9, 9, UINT64_MAX / SECOND).desired, 9);
  ttb_autoscaler_free(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_manifest), cmocka_unit_test(test_missing),
      cmocka_unit_test(test_bounds),   cmocka_unit_test(test_gradual),
      cmocka_unit_test(test_misuse),   cmocka_unit_test(test_longer_structs),
      cmocka_unit_test(test_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
