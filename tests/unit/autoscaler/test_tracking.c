/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/tracking.c: values, ratios, tolerances, proposals. */
#include "fixture.h"

typedef struct setup {
  uint32_t kind, metric_flags, flags;
  int64_t target;
  int32_t up, down;
} setup;

static ttb_autoscaler_row row_of(setup t, ttb_autoscaler_sample s, int32_t current) {
  ttb_autoscaler_metric m = {sizeof m, t.kind, t.metric_flags, 0, t.target, 0, 0, 0};
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.min_replicas = TTB_OFF;
  c.max_replicas = TTB_AUTOSCALER_MAX_REPLICAS;
  c.flags = t.flags;
  c.tolerance_up_ppm = t.up;
  c.tolerance_down_ppm = t.down;
  c.metrics = &m;
  c.metrics_n = 1;
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_row row = TTB_CONFIG(ttb_autoscaler_row);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  d.rows = &row;
  d.rows_n = 1;
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, current, SECOND, &d), TTB_OK);
  ttb_autoscaler_free(&a);
  return row;
}

static const setup cpu = {TTB_AUTOSCALER_UTILISATION, 0, 0, 70000, 0, 0};

static void test_utilisation(void **unused) {
  (void)unused;
  ttb_autoscaler_row r = row_of(cpu, value(91500), 4);
  assert_int_equal(r.value_milli, 91000); /* whole percent */
  assert_int_equal(r.proposal, 6);        /* 4 * 1.3 = 5.2 */
  assert_int_equal(r.ratio_ppm, 1300000);
  assert_int_equal(r.reason, TTB_AUTOSCALER_ABOVE_TARGET);
  assert_int_equal(row_of(cpu, value(77000), 4).reason, TTB_AUTOSCALER_TOLERANCE);
  assert_int_equal(row_of(cpu, value(77999), 4).reason, TTB_AUTOSCALER_TOLERANCE); /* cut */
  assert_int_equal(row_of(cpu, value(70000), 4).reason, TTB_AUTOSCALER_STEADY);
  assert_int_equal(row_of(cpu, value(35000), 4).proposal, 2);
  setup fine = cpu;
  fine.metric_flags = TTB_AUTOSCALER_FINE;
  assert_int_equal(row_of(fine, value(77999), 4).proposal, 5);
  ttb_autoscaler_sample sum = value(3660);
  sum.capacity_milli = 4000;
  assert_int_equal(row_of(cpu, sum, 4).value_milli, 91000);
  assert_int_equal(row_of(fine, sum, 4).value_milli, 91500);
  sum.capacity_milli = -1;
  assert_int_equal(row_of(cpu, sum, 4).reason, TTB_AUTOSCALER_MISSING);
  sum.capacity_milli = INT64_MAX;
  sum.value_milli = INT64_MAX; /* exact where the product does not fit */
  assert_int_equal(row_of(cpu, sum, 4).value_milli, 100000);
  sum.value_milli = INT64_MAX / 4 * 3;
  assert_int_equal(row_of(fine, sum, 4).value_milli, 74999);
  sum.capacity_milli = 1;
  assert_int_equal(row_of(cpu, sum, 4).value_milli, INT64_C(2147483647000));
  sum.value_milli = INT64_MIN;
  assert_int_equal(row_of(cpu, sum, 4).proposal, 0);
  assert_int_equal(row_of(fine, sum, 4).proposal, 0);
}

/* The very edges: 1.1 and 0.9 belong to a tolerance of 10 %, but not before 1.33. */
static void test_edges(void **unused) {
  (void)unused;
  setup t = {TTB_AUTOSCALER_VALUE, 0, 0, 1000, 0, 0};
  assert_int_equal(row_of(t, value(1100), 10).proposal, 10);
  assert_int_equal(row_of(t, value(1101), 10).proposal, 12);
  assert_int_equal(row_of(t, value(900), 10).proposal, 10);
  assert_int_equal(row_of(t, value(899), 10).proposal, 9);
  t.flags = TTB_AUTOSCALER_OLD_TOLERANCE;
  assert_int_equal(row_of(t, value(1100), 10).proposal, 11);
  assert_int_equal(row_of(t, value(900), 10).proposal, 10);
  t = (setup){TTB_AUTOSCALER_VALUE, 0, 0, 100, TTB_OFF, TTB_OFF};
  assert_int_equal(row_of(t, value(7), 100).proposal, 8); /* 0.07 * 100 in double */
  t.down = 1000000;
  assert_int_equal(row_of(t, value(0), 100).reason, TTB_AUTOSCALER_TOLERANCE);
  assert_int_equal(row_of(t, value(-1), 100).proposal, 0);
}

static void test_kinds(void **unused) {
  (void)unused;
  setup total = {TTB_AUTOSCALER_TOTAL, 0, 0, 2150, 0, 0};
  ttb_autoscaler_row r = row_of(total, value(8600), 3);
  assert_int_equal(r.proposal, 4);
  assert_int_equal(r.value_milli, 2867); /* the average, upwards */
  assert_int_equal(row_of(total, value(0), 3).proposal, 0);
  assert_int_equal(row_of(total, value(8600), 0).proposal, 4); /* from zero */
  setup average = {TTB_AUTOSCALER_AVERAGE, 0, 0, 15000, 0, 0};
  ttb_autoscaler_sample s = value(20000);
  assert_int_equal(row_of(average, s, 3).proposal, 4);
  s.replicas = 6;
  assert_int_equal(row_of(average, s, 3).proposal, 8);
  s.replicas = TTB_OFF; /* nobody was measured */
  assert_int_equal(row_of(average, s, 3).reason, TTB_AUTOSCALER_MISSING);
  setup one = {TTB_AUTOSCALER_VALUE, 0, 0, 10000, 0, 0};
  s = value(50000);
  s.replicas = 1; /* of three, one serves */
  assert_int_equal(row_of(one, s, 3).proposal, 5);
  assert_int_equal(row_of(one, value(INT64_MAX), 3).proposal, INT32_MAX);
  assert_int_equal(row_of(one, value(INT64_MIN), 3).proposal, 0);
  assert_int_equal(row_of(one, value(INT64_MIN), 3).ratio_ppm, -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_utilisation), cmocka_unit_test(test_edges),
      cmocka_unit_test(test_kinds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
