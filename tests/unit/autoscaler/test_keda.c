/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/keda.c: activation, idle, cooldowns, pauses, fallback. */
#include <trimtab/keda.h>

#include "fixture.h"

typedef struct setup {
  int32_t min, idle, current;
  uint32_t active, failing, force, pause_in, pause_out;
  int64_t age;
} setup;

static ttb_keda_decision go(setup t) {
  ttb_keda_config c = TTB_CONFIG(ttb_keda_config);
  ttb_keda_input in = TTB_CONFIG(ttb_keda_input);
  ttb_keda_decision d = TTB_CONFIG(ttb_keda_decision);
  c.min_replicas = t.min;
  c.idle_replicas = t.idle;
  c.initial_cooldown_ms = 1000;
  c.fallback_replicas = t.failing == 2 ? 7 : 0;
  in.current = t.current;
  in.active = t.active;
  in.failing = t.failing;
  in.force = t.force;
  in.pause_in = t.pause_in;
  in.pause_out = t.pause_out;
  in.active_age_ms = t.age;
  in.created_age_ms = 1000;
  assert_int_equal(ttb_keda_activate(&c, &in, &d), TTB_OK);
  return d;
}

#define IS(n, why, ...)                                \
  do {                                                 \
    ttb_keda_decision d = go((setup){__VA_ARGS__});    \
    assert_int_equal(d.replicas, n);                   \
    assert_int_equal(d.reason, TTB_KEDA_##why);        \
  } while (0)

static void test_activation(void **unused) {
  (void)unused;
  IS(1, ACTIVATED, .active = 1);
  IS(3, ACTIVATED, .active = 1, .min = 3);
  IS(5, STAYS, .active = 1, .current = 5);
  IS(2, STAYS, .active = 1, .min = 3, .current = 2);
  IS(3, ACTIVATED, .active = 1, .min = 3, .current = 2, .idle = 1);
  IS(1, ACTIVATED, .force = 1);
  IS(0, PAUSED, .active = 1, .pause_out = 1);
  IS(3, TO_MIN, .min = 3, .current = 2);
  IS(0, STAYS, .current = 0);
}

static void test_cooling(void **unused) {
  (void)unused;
  IS(0, IDLED, .current = 5, .age = 300001);
  IS(5, COOLING, .current = 5, .age = 300000); /* strictly longer */
  IS(5, COOLING, .current = 5, .age = -1);     /* never active: 1000 ms after it was made */
  IS(5, PAUSED, .current = 5, .age = 300001, .pause_in = 1);
  IS(5, STAYS, .current = 5, .min = 3, .age = 300001); /* the HPA's business */
  IS(1, IDLED, .current = 5, .min = 3, .idle = 1, .age = 300001);
  IS(0, IDLED, .current = 5, .min = 3, .idle = TTB_OFF, .age = 300001);
  IS(0, STAYS, .current = 0, .min = 3, .idle = TTB_OFF, .age = 300001);
  assert_int_equal(go((setup){.current = 5, .age = 299000}).next_change_ms, 1001);
}

static void test_failing(void **unused) {
  (void)unused;
  IS(5, FAILED, .current = 5, .failing = 1, .age = 300001);
  IS(7, FELL_BACK, .current = 5, .failing = 2, .age = 300001);
  IS(7, STAYS, .current = 7, .failing = 2, .age = 300001);
  IS(1, ACTIVATED, .active = 1, .failing = 1);
}

static int64_t fall(uint32_t behaviour, int32_t current) {
  ttb_keda_config c = TTB_CONFIG(ttb_keda_config);
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  uint32_t failures = 0;
  c.fallback_replicas = 6;
  c.fallback_failures = 2;
  c.fallback_behavior = behaviour;
  for (int i = 0; i < 2; i++) {
    s.missing = 1;
    assert_int_equal(ttb_keda_fallback(&c, 5000, current, &failures, &s), 0);
    assert_int_equal(s.missing, 1);
  }
  assert_int_equal(ttb_keda_fallback(&c, 5000, current, &failures, &s), 1);
  assert_int_equal(failures, 3);
  assert_int_equal(s.missing, 0);
  int64_t value_of = s.value_milli;
  assert_int_equal(ttb_keda_fallback(&c, 5000, current, &failures, &s), 0); /* it is back */
  assert_int_equal(failures, 0);
  return value_of;
}

static void test_fallback(void **unused) {
  (void)unused;
  assert_true(fall(0, 9) == 30000);
  assert_true(fall(TTB_KEDA_CURRENT, 9) == 45000);
  assert_true(fall(TTB_KEDA_CURRENT_IF_HIGHER, 9) == 45000);
  assert_true(fall(TTB_KEDA_CURRENT_IF_HIGHER, 4) == 30000);
  assert_true(fall(TTB_KEDA_CURRENT_IF_LOWER, 9) == 30000);
  assert_true(fall(TTB_KEDA_CURRENT_IF_LOWER, 4) == 20000);
  ttb_keda_config c = TTB_CONFIG(ttb_keda_config);
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  uint32_t failures = UINT32_MAX;
  s.missing = 1;
  assert_int_equal(ttb_keda_fallback(&c, 1, 1, &failures, &s), 0); /* none is configured */
  assert_int_equal(s.missing, 1);
  c.fallback_replicas = 10;
  assert_int_equal(ttb_keda_fallback(&c, INT64_MAX, 1, &failures, &s), 1);
  assert_true(s.value_milli == INT64_MAX && failures == UINT32_MAX);
}

static void test_misuse(void **unused) {
  (void)unused;
  ttb_keda_config c = TTB_CONFIG(ttb_keda_config);
  ttb_keda_input in = TTB_CONFIG(ttb_keda_input);
  ttb_keda_decision d = TTB_CONFIG(ttb_keda_decision);
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  uint32_t failures = 0;
  assert_int_equal(ttb_keda_activate(NULL, &in, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_keda_activate(&c, NULL, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_keda_activate(&c, &in, NULL), TTB_ERR_MISUSE);
  in.current = -1;
  assert_int_equal(ttb_keda_activate(&c, &in, &d), TTB_ERR_RANGE);
  c.min_replicas = -1;
  assert_int_equal(ttb_keda_activate(&c, &in, &d), TTB_ERR_RANGE);
  c.min_replicas = 0;
  assert_int_equal(ttb_keda_fallback(&c, 1, 1, NULL, &s), TTB_ERR_MISUSE);
  assert_int_equal(ttb_keda_fallback(&c, 1, 1, &failures, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_keda_fallback(&c, 0, 1, &failures, &s), TTB_ERR_RANGE);
  assert_int_equal(ttb_keda_fallback(&c, 1, -1, &failures, &s), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_activation), cmocka_unit_test(test_cooling),
      cmocka_unit_test(test_failing),    cmocka_unit_test(test_fallback),
      cmocka_unit_test(test_misuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
