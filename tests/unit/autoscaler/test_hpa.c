/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/hpa.c: conditions in Kubernetes' words. */
#include <trimtab/hpa.h>

#include "fixture.h"

static ttb_hpa_condition list[TTB_HPA_CONDITIONS];

static void tell(const ttb_autoscaler_decision *d, uint32_t flags) {
  for (int i = 0; i < TTB_HPA_CONDITIONS; i++) list[i] = TTB_CONFIG(ttb_hpa_condition);
  assert_int_equal(ttb_hpa_conditions(d, flags, list, TTB_HPA_CONDITIONS), TTB_OK);
}

static void says(uint32_t type, uint32_t status, const char *reason) {
  assert_int_equal(list[type].status, status);
  assert_string_equal(ttb_hpa_reason(list[type].reason), reason);
}

static void message(uint32_t type, const char *metric, const char *want) {
  char text[200];
  assert_int_equal(ttb_hpa_message(&list[type], metric, text, sizeof text), (int64_t)strlen(want));
  assert_string_equal(text, want);
  assert_int_equal(ttb_hpa_message(&list[type], metric, NULL, 0), (int64_t)strlen(want));
  assert_int_equal(ttb_hpa_message(&list[type], metric, text, 5), (int64_t)strlen(want));
  assert_int_equal(strlen(text), 4);
}

static void test_conditions(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.down_window_ms = 60000;
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_decision d = ask(&a, 12, 10, 100);
  tell(&d, 0);
  says(TTB_HPA_ABLE_TO_SCALE, TTB_HPA_TRUE, "SucceededRescale");
  message(0, NULL, "the HPA controller was able to update the target scale to 12");
  says(TTB_HPA_SCALING_ACTIVE, TTB_HPA_TRUE, "ValidMetricFound");
  message(1, NULL, "the HPA was able to successfully calculate a replica count from metric 0");
  message(1, "cpu", "the HPA was able to successfully calculate a replica count from cpu");
  says(TTB_HPA_SCALING_LIMITED, TTB_HPA_FALSE, "DesiredWithinRange");
  says(TTB_HPA_SCALED_TO_ZERO, TTB_HPA_ABSENT, "");
  tell(&d, TTB_HPA_UPDATE_FAILED | TTB_HPA_SCALE_TO_ZERO);
  says(TTB_HPA_ABLE_TO_SCALE, TTB_HPA_FALSE, "FailedUpdateScale");
  message(0, "gone", "the HPA controller was unable to update the target scale: gone");
  says(TTB_HPA_SCALED_TO_ZERO, TTB_HPA_ABSENT, "");
  tell(&d, TTB_HPA_SCALE_TO_ZERO);
  says(TTB_HPA_SCALED_TO_ZERO, TTB_HPA_FALSE, "NotScaledToZero");
  d = ask(&a, 5, 12, 101);
  tell(&d, 0);
  says(TTB_HPA_ABLE_TO_SCALE, TTB_HPA_TRUE, "ScaleDownStabilized");
  d = ask(&a, 12, 12, 101);
  tell(&d, 0);
  says(TTB_HPA_ABLE_TO_SCALE, TTB_HPA_TRUE, "ReadyForNewScale");
  d = ask(&a, 500, 12, 102);
  tell(&d, 0);
  says(TTB_HPA_SCALING_LIMITED, TTB_HPA_TRUE, "ScaleUpLimit");
  d = ask(&a, 500, 90, 162);
  tell(&d, 0);
  says(TTB_HPA_SCALING_LIMITED, TTB_HPA_TRUE, "TooManyReplicas");
  ttb_autoscaler_free(&a);
}

static void test_failures(void **unused) {
  (void)unused;
  static const char *const names[] = {"FailedGetResourceMetric", "FailedGetContainerResourceMetric",
                                      "FailedGetPodsMetric", "FailedGetObjectMetric",
                                      "FailedGetExternalMetric"};
  for (uint32_t source = 1; source <= 5; source++) {
    ttb_autoscaler_metric m = count_metric;
    ttb_autoscaler_config c = count_config();
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    ttb_autoscaler_sample s = value(0);
    m.source = source;
    c.metrics = &m;
    ttb_autoscaler a = start(&c);
    s.missing = TTB_AUTOSCALER_NO_VALUE;
    assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 5, SECOND, &d), TTB_OK);
    tell(&d, 0);
    says(TTB_HPA_ABLE_TO_SCALE, TTB_HPA_TRUE, "SucceededGetScale");
    says(TTB_HPA_SCALING_ACTIVE, TTB_HPA_FALSE, names[source - 1]);
    says(TTB_HPA_SCALING_LIMITED, TTB_HPA_ABSENT, "");
    assert_int_equal(ttb_hpa_failed(&d), 1);
    s.missing = TTB_AUTOSCALER_INVALID_SOURCE;
    assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 5, SECOND, &d), TTB_OK);
    tell(&d, 0);
    says(TTB_HPA_SCALING_ACTIVE, TTB_HPA_FALSE, "InvalidMetricSourceType");
    assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 0, SECOND, &d), TTB_OK);
    tell(&d, 0);
    says(TTB_HPA_SCALING_ACTIVE, TTB_HPA_FALSE, "ScalingDisabled");
    ttb_autoscaler_free(&a);
  }
}

static void test_to_zero(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.min_replicas = TTB_OFF;
  ttb_autoscaler a = start(&c);
  (void)ask(&a, 3, 3, 100);
  ttb_autoscaler_decision d = ask(&a, 0, 3, 120);
  tell(&d, TTB_HPA_SCALE_TO_ZERO);
  says(TTB_HPA_SCALED_TO_ZERO, TTB_HPA_TRUE, "ScaledToZero");
  d = ask(&a, 0, 0, 140); /* stays so */
  tell(&d, TTB_HPA_SCALE_TO_ZERO);
  says(TTB_HPA_SCALED_TO_ZERO, TTB_HPA_TRUE, "ScaledToZero");
  ttb_autoscaler_free(&a);
}

static void test_misuse(void **unused) {
  (void)unused;
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  list[0] = TTB_CONFIG(ttb_hpa_condition);
  assert_int_equal(ttb_hpa_conditions(NULL, 0, list, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_hpa_conditions(&d, 0, NULL, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_hpa_conditions(&d, 4, list, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_hpa_conditions(&d, 0, list, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_hpa_conditions(&d, 0, list, 5), TTB_ERR_RANGE);
  assert_int_equal(ttb_hpa_failed(NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_hpa_message(NULL, "", NULL, 0), TTB_ERR_MISUSE);
  list[0].reason = 1000;
  assert_int_equal(ttb_hpa_message(&list[0], "", NULL, 0), 0);
  list[0].struct_size = 3;
  assert_int_equal(ttb_hpa_conditions(&d, 0, list, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_hpa_message(&list[0], "", NULL, 0), TTB_ERR_RANGE);
  assert_string_equal(ttb_hpa_reason(22), "no such reason");
  assert_string_equal(ttb_hpa_type(4), "no such condition");
  for (uint32_t r = 1; r < 22; r++) assert_string_not_equal(ttb_hpa_reason(r), "no such reason");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conditions), cmocka_unit_test(test_failures),
      cmocka_unit_test(test_to_zero), cmocka_unit_test(test_misuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
