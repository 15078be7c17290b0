/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/autoscaler_json.c: decisions as text, doubles as samples. */
#include <math.h>

#include "fixture.h"

static void test_json(void **unused) {
  (void)unused;
  ttb_autoscaler_row row = TTB_CONFIG(ttb_autoscaler_row);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  ttb_autoscaler_config c = count_config();
  ttb_autoscaler_sample s = value(12001);
  char text[2000], cut[100];
  d.rows = &row;
  d.rows_n = 1;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 10, 100 * SECOND, &d), TTB_OK);
  ttb_autoscaler_free(&a);
  int64_t n = ttb_autoscaler_json(&d, text, sizeof text);
  assert_string_equal(
      text,
      "{\"desired\":13,\"current\":10,\"reason\":1,\"why\":\"a metric is above its target\","
      "\"metric\":0,\"missing\":0,\"proposed\":13,\"stabilised\":13,\"window\":0,"
      "\"window_value\":-1,\"window_age_ms\":-1,\"limit\":0,\"brake\":0,\"policy\":1,"
      "\"policy_limit\":20,\"policy_period_ms\":15000,\"policy_used\":0,\"next_change_ms\":-1,"
      "\"min_replicas\":1,\"max_replicas\":100,\"serving\":10,\"failed\":-1,\"failure\":0,"
      "\"failed_source\":0,\"zero\":0,\"rows_n\":1,\"rows\":[{\"kind\":3,\"reason\":1,"
      "\"why\":\"a metric is above its target\",\"proposal\":13,\"value_milli\":1201,"
      "\"target_milli\":1000,\"ratio_ppm\":1200100,\"raw_milli\":0,\"second_ppm\":-1,"
      "\"failure\":0,\"step\":-1,\"ready\":10,\"unready\":0,\"unmeasured\":0,\"ignored\":0}]}");
  assert_int_equal(n, (int64_t)strlen(text));
  assert_int_equal(ttb_autoscaler_json(&d, NULL, 0), n);
  for (uint64_t size = 1; size < sizeof cut; size++) {
    memset(cut, '#', sizeof cut);
    assert_int_equal(ttb_autoscaler_json(&d, cut, size), n);
    assert_int_equal(strlen(cut), size - 1);
    assert_memory_equal(cut, text, size - 1);
    assert_int_equal(cut[size < sizeof cut - 1 ? size : 0] == '#', size < sizeof cut - 1);
  }
  row.value_milli = INT64_MIN;
  assert_true(ttb_autoscaler_json(&d, text, sizeof text) > n);
  assert_non_null(strstr(text, "\"value_milli\":-9223372036854775808,"));
  assert_int_equal(ttb_autoscaler_json(NULL, text, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_autoscaler_json(&d, NULL, 1), TTB_ERR_MISUSE);
  d.rows_n = 17;
  assert_int_equal(ttb_autoscaler_json(&d, text, 1), TTB_ERR_RANGE);
  d.struct_size = 4;
  assert_int_equal(ttb_autoscaler_json(&d, text, 1), TTB_ERR_RANGE);
}

static int64_t of(double x) {
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  s.missing = 7;
  assert_int_equal(ttb_autoscaler_sample_of(x, &s), TTB_OK);
  assert_int_equal(s.missing, 0);
  return s.value_milli;
}

static void test_doubles(void **unused) {
  (void)unused;
  assert_true(of(0) == 0 && of(-0.0) == 0 && of(5e-324) == 0 && of(1e-300) == 0);
  assert_true(of(1) == 1000 && of(-1) == -1000 && of(73.5) == 73500);
  assert_true(of(0.0004) == 0 && of(0.0006) == 1 && of(-0.0006) == -1);
  assert_true(of(0.00048828125) == 0 && of(0.5) == 500 && of(0.0625) == 63 && of(-0.0625) == -63);
  assert_true(of(0.1) == 100 && of(1e15) == INT64_C(1000000000000000000));
  assert_true(of(9.2e15) == INT64_C(9200000000000000000));
  assert_true(of(9.3e15) == INT64_MAX && of(-9.3e15) == -INT64_MAX && of(1e308) == INT64_MAX);
  assert_true(of(INFINITY) == INT64_MAX && of(-INFINITY) == -INT64_MAX);
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  assert_int_equal(ttb_autoscaler_sample_of(NAN, &s), TTB_OK);
  assert_int_equal(s.missing, TTB_AUTOSCALER_NO_VALUE);
  assert_int_equal(ttb_autoscaler_sample_of(1, NULL), TTB_ERR_MISUSE);
  s.struct_size = 8;
  assert_int_equal(ttb_autoscaler_sample_of(1, &s), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_json), cmocka_unit_test(test_doubles)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
