/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/autoscaler_presets.c: peers' rules as configuration. */
#include "fixture.h"

static ttb_autoscaler preset(int32_t which) {
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  assert_int_equal(ttb_autoscaler_preset(which, &c), TTB_OK);
  return start(&c);
}

static ttb_autoscaler_decision four(ttb_autoscaler *a, int64_t cpu, int64_t memory, int64_t ms,
                                    int64_t errors_ppm, int32_t current, uint64_t second) {
  ttb_autoscaler_sample s[4] = {value(cpu), value(memory), value(ms), value(errors_ppm * 1000)};
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  assert_int_equal(ttb_autoscaler_evaluate(a, 0, s, 4, current, second * SECOND, &d), TTB_OK);
  return d;
}

/* The class as it is written: any above, double; all below, halve. */
static int32_t by_hand(int64_t cpu, int64_t memory, int64_t ms, int64_t errors, int32_t n) {
  if (cpu > 70000 || memory > 80000 || ms > 500000 || errors > 10000)
    return n < 20 ? (n * 2 < 20 ? n * 2 : 20) : n;
  if (cpu < 30000 && memory < 40000 && ms < 100000 && errors < 1000)
    return n > 2 ? (n / 2 > 2 ? n / 2 : 2) : n;
  return n;
}

static void test_double_halve(void **unused) {
  (void)unused;
  static const int64_t cpu[] = {0, 29999, 30000, 50000, 70000, 70001, 1000000};
  static const int64_t memory[] = {0, 39999, 40000, 80000, 80001};
  static const int64_t ms[] = {0, 99999, 100000, 500000, 500001};
  static const int64_t errors[] = {0, 999, 1000, 10000, 10001};
  ttb_autoscaler a = preset(TTB_AUTOSCALER_PRESET_DOUBLE_HALVE);
  uint64_t second = 100;
  for (int32_t n = 2; n <= 20; n++)
    for (uint32_t i = 0; i < 7 * 5 * 5 * 5; i++) {
      int64_t c = cpu[i % 7], m = memory[i / 7 % 5], t = ms[i / 35 % 5], e = errors[i / 175];
      assert_int_equal(four(&a, c, m, t, e, n, second++).desired, by_hand(c, m, t, e, n));
    }
  ttb_autoscaler_free(&a);
}

static void test_double_halve_safe(void **unused) {
  (void)unused;
  ttb_autoscaler a = preset(TTB_AUTOSCALER_PRESET_DOUBLE_HALVE_SAFE);
  ttb_autoscaler_decision d = four(&a, 80000, 0, 0, 0, 4, 100);
  assert_int_equal(d.desired, 8);
  d = four(&a, 80000, 0, 0, 0, 8, 115); /* the four are starting: not ordered twice */
  assert_int_equal(d.desired, 8);
  d = four(&a, 50000, 0, 0, 900000, 8, 200); /* all is failing: more would not help */
  assert_int_equal(d.desired, 8);
  d = four(&a, 10000, 0, 0, 0, 8, 210); /* calm: not within five minutes */
  assert_int_equal(d.desired, 8);
  assert_int_equal(d.window, TTB_AUTOSCALER_DOWN_WINDOW);
  d = four(&a, 10000, 0, 0, 900000, 8, 520); /* and not while it fails */
  assert_int_equal(d.reason, TTB_AUTOSCALER_GUARDED);
  d = four(&a, 10000, 0, 0, 0, 8, 900);
  assert_int_equal(d.desired, 7); /* one a minute, or 10 % */
  d = four(&a, 25000, 0, 0, 0, 7, 961);
  assert_int_equal(d.desired, 6);
  d = four(&a, 29000, 0, 0, 0, 6, 1500);
  d = four(&a, 29000, 0, 0, 0, 5, 1900);
  d = four(&a, 29000, 0, 0, 0, 4, 2300);
  assert_int_equal(d.desired, 3);
  d = four(&a, 29000, 0, 0, 0, 3, 2700);
  assert_int_equal(d.desired, 2);
  ttb_autoscaler_free(&a);
}

static ttb_autoscaler_decision cpu(ttb_autoscaler *a, int64_t percent, int32_t n, uint64_t second) {
  ttb_autoscaler_sample s = value(percent * 1000);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  assert_int_equal(ttb_autoscaler_evaluate(a, 0, &s, 1, n, second * SECOND, &d), TTB_OK);
  return d;
}

static void test_aws(void **unused) {
  (void)unused;
  ttb_autoscaler a = preset(TTB_AUTOSCALER_PRESET_AWS_TARGET);
  for (uint64_t t = 0; t < 20; t++) assert_int_equal(cpu(&a, 80, 10, 60 * t).desired, 10);
  assert_int_equal(cpu(&a, 120, 10, 1200).desired, 10);
  assert_int_equal(cpu(&a, 120, 10, 1260).desired, 10);
  assert_int_equal(cpu(&a, 120, 10, 1320).desired, 15); /* the third datapoint */
  for (uint64_t t = 0; t < 14; t++) assert_int_equal(cpu(&a, 40, 15, 1380 + 60 * t).desired, 15);
  assert_int_equal(cpu(&a, 40, 15, 1380 + 60 * 14).desired, 8); /* the fifteenth */
  assert_int_equal(cpu(&a, 73, 8, 10000).desired, 8);           /* above 90 % of the target: hold */
  ttb_autoscaler_free(&a);
}

static void test_gcp(void **unused) {
  (void)unused;
  ttb_autoscaler a = preset(TTB_AUTOSCALER_PRESET_GCP_MIG);
  assert_int_equal(cpu(&a, 100, 10, 100).desired, 13);
  assert_int_equal(cpu(&a, 40, 13, 699).desired, 13); /* the peak of ten minutes */
  assert_int_equal(cpu(&a, 40, 13, 700).desired, 7);
  ttb_autoscaler_free(&a);
}

static void test_all_are_legal(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  for (int32_t p = TTB_AUTOSCALER_PRESET_HPA; p <= TTB_AUTOSCALER_PRESET_DOUBLE_HALVE_SAFE; p++) {
    assert_int_equal(ttb_autoscaler_preset(p, &c), TTB_OK);
    assert_int_equal(ttb_autoscaler_check(&c, NULL), TTB_OK);
  }
  assert_int_equal(ttb_autoscaler_preset(7, &c), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_double_halve), cmocka_unit_test(test_double_halve_safe),
      cmocka_unit_test(test_aws), cmocka_unit_test(test_gcp), cmocka_unit_test(test_all_are_legal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
