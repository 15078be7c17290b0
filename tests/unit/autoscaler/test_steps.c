/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/steps.c: steps, watermarks, guards, how proposals become one. */
#include "fixture.h"

static int32_t step(uint32_t type, int32_t n, uint32_t least, int32_t current) {
  ttb_autoscaler_metric m = {sizeof m, TTB_AUTOSCALER_VALUE, 0, TTB_AUTOSCALER_STEPS, 0, 0, 0, 0};
  ttb_autoscaler_step s[2] = {{sizeof *s, 0, 100, 200, type, n, least, 0},
                              {sizeof *s, 0, 0, 0, TTB_AUTOSCALER_STEP_EXACT, 77, 0, 0}};
  ttb_autoscaler_config c = count_config();
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  ttb_autoscaler_sample v = value(100);
  c.metrics = &m;
  c.steps = s;
  c.steps_n = 2;
  c.max_replicas = TTB_AUTOSCALER_MAX_REPLICAS;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &v, 1, current, SECOND, &d), TTB_OK);
  v.value_milli = 200; /* the end does not belong to it */
  ttb_autoscaler_decision e = TTB_CONFIG(ttb_autoscaler_decision);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &v, 1, current, SECOND, &e), TTB_OK);
  assert_int_equal(e.proposed, 77);
  v.value_milli = -5; /* as 0 */
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &v, 1, current, SECOND, &e), TTB_OK);
  assert_int_equal(e.proposed, 77);
  ttb_autoscaler_free(&a);
  return d.proposed;
}

static void test_types(void **unused) {
  (void)unused;
  assert_int_equal(step(TTB_AUTOSCALER_STEP_CHANGE, 3, 0, 10), 13);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_CHANGE, -30, 0, 10), 0);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_PERCENT, 25, 0, 10), 12); /* 2.5 towards 0 */
  assert_int_equal(step(TTB_AUTOSCALER_STEP_PERCENT, 1, 0, 10), 11);  /* at least 1 */
  assert_int_equal(step(TTB_AUTOSCALER_STEP_PERCENT, 25, 4, 10), 14);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_PERCENT, -25, 0, 10), 8);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_PERCENT, -1, 2, 10), 8);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_PERCENT, 0, 9, 10), 10);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_EXACT, 5, 0, 10), 5);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_EXACT, -5, 0, 10), 0);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_FACTOR, 500000, 0, 5), 2);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_FACTOR, 2000000, 0, 5), 10);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_FACTOR, -1, 0, 5), 0);
  assert_int_equal(step(TTB_AUTOSCALER_STEP_FACTOR, INT32_MAX, 0, 9999999), 16777214);
}

static ttb_autoscaler_decision mark(uint32_t kind, int64_t v, int32_t current) {
  ttb_autoscaler_metric m = {sizeof m, kind, 0, TTB_AUTOSCALER_WATERMARK, 80000, 40000, 0, 0};
  ttb_autoscaler_config c = count_config();
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  ttb_autoscaler_sample s = value(v);
  c.metrics = &m;
  c.tolerance_up_ppm = c.tolerance_down_ppm = 0; /* 10 % */
  ttb_autoscaler a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, current, SECOND, &d), TTB_OK);
  ttb_autoscaler_free(&a);
  return d;
}

static void test_watermarks(void **unused) {
  (void)unused;
  assert_int_equal(mark(TTB_AUTOSCALER_AVERAGE, 88000, 10).proposed, 10); /* within 10 % */
  assert_int_equal(mark(TTB_AUTOSCALER_AVERAGE, 88001, 10).proposed, 12);
  assert_int_equal(mark(TTB_AUTOSCALER_AVERAGE, 60000, 10).reason, TTB_AUTOSCALER_TOLERANCE);
  assert_int_equal(mark(TTB_AUTOSCALER_AVERAGE, 36000, 10).proposed, 10);
  assert_int_equal(mark(TTB_AUTOSCALER_AVERAGE, 35000, 10).proposed, 8); /* 8.75 down */
  assert_int_equal(mark(TTB_AUTOSCALER_AVERAGE, 0, 10).proposed, 1);     /* never to nobody */
  assert_int_equal(mark(TTB_AUTOSCALER_TOTAL, 1000000, 10).proposed, 13);
  assert_int_equal(mark(TTB_AUTOSCALER_TOTAL, 300000, 10).proposed, 7);
}

static ttb_autoscaler_decision two(uint32_t combine, uint32_t flags, int64_t x, int64_t y) {
  ttb_autoscaler_metric m[2] = {count_metric, count_metric};
  ttb_autoscaler_config c = count_config();
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  ttb_autoscaler_sample s[2] = {value(x * 1000), value(y * 1000)};
  m[1].flags = flags;
  c.metrics = m;
  c.metrics_n = 2;
  c.combine = combine;
  s[0].missing = x < 0;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, s, 2, 10, SECOND, &d), TTB_OK);
  ttb_autoscaler_free(&a);
  return d;
}

static void test_combine(void **unused) {
  (void)unused;
  const uint32_t max = TTB_AUTOSCALER_COMBINE_MAX, min = TTB_AUTOSCALER_COMBINE_MIN;
  assert_int_equal(two(max, 0, 5, 12).desired, 12); /* out if any */
  assert_int_equal(two(max, 0, 5, 10).desired, 10);
  assert_int_equal(two(max, 0, 5, 8).desired, 8); /* in if all */
  assert_int_equal(two(min, 0, 5, 12).desired, 5);
  assert_int_equal(two(min, 0, 12, 15).desired, 12);
  assert_int_equal(two(min, 0, 0, 5).proposed, 0);
  assert_int_equal(two(min, 0, 0, 5).metric, 0);
  assert_int_equal(two(min, 0, 5, 0).metric, 1);
  assert_int_equal(two(min, 0, -1, 5).desired, 10); /* one is missing: not down */
  assert_int_equal(two(min, 0, -1, 15).desired, 15);
}

static void test_guard(void **unused) {
  (void)unused;
  ttb_autoscaler_decision d = two(0, TTB_AUTOSCALER_GUARD, 5, 50);
  assert_int_equal(d.desired, 10); /* nothing goes, nothing comes */
  assert_int_equal(d.reason, TTB_AUTOSCALER_GUARDED);
  assert_int_equal(d.metric, 1);
  assert_int_equal(two(0, TTB_AUTOSCALER_GUARD, 12, 50).desired, 12);
  assert_int_equal(two(0, TTB_AUTOSCALER_GUARD, 5, 6).desired, 6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_types),   cmocka_unit_test(test_watermarks),
      cmocka_unit_test(test_combine), cmocka_unit_test(test_guard),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
