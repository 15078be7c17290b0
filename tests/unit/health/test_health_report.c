/* SPDX-License-Identifier: MIT */
/* Results, the latency rule, traffic, states set by hand, slot reuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <trimtab/health.h>

#include "../../../lib/health/health.h"
#include "vclock.h"

#define MS UINT64_C(1000000)

static ttb_health h;
static vclock clock_;

static void make(const ttb_health_config *config) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  if (!config) config = &c;
  clock_ = vclock_start();
  assert_int_equal(ttb_health_new(&h, config, NULL), TTB_OK);
}

static int end(void **state) {
  (void)state;
  ttb_health_free(&h);
  return 0;
}

static int32_t report(int32_t outcome, uint64_t latency_ns) {
  return ttb_health_report(&h, 0, outcome, latency_ns, vclock_ms(&clock_, 1));
}
static int32_t observe(int32_t outcome) {
  return ttb_health_observe(&h, 0, outcome, clock_.now_ns);
}
static int32_t status(void) { return ttb_health_status(&h, 0, clock_.now_ns); }
static ttb_health_info explain(void) {
  ttb_health_info i = TTB_CONFIG(ttb_health_info);
  assert_int_equal(ttb_health_explain(&h, 0, clock_.now_ns, &i), TTB_OK);
  return i;
}

/* The default: below 1000 ms healthy, at or above it degraded, an error unhealthy. */
static void plain_rule(void **state) {
  (void)state;
  make(NULL);
  assert_int_equal(status(), TTB_STATUS_UNKNOWN);
  assert_int_equal(report(TTB_SUCCESS, 1000 * MS - 1), TTB_STATUS_HEALTHY);
  assert_int_equal(report(TTB_SUCCESS, 1000 * MS), TTB_STATUS_DEGRADED);
  assert_int_equal(report(TTB_SUCCESS, 5000 * MS), TTB_OK);
  assert_int_equal(status(), TTB_STATUS_DEGRADED);
  assert_int_equal(explain().reason, TTB_HEALTH_BY_LATENCY);
  assert_int_equal(report(TTB_FAILURE, 1 * MS), TTB_STATUS_UNHEALTHY);
  assert_int_equal(explain().reason, TTB_HEALTH_BY_FAILURES);
  assert_int_equal(report(TTB_SUCCESS, 2000 * MS), TTB_STATUS_DEGRADED);
  assert_int_equal(report(TTB_SUCCESS, 0), TTB_STATUS_HEALTHY);
  assert_int_equal(explain().reason, TTB_HEALTH_BY_PASSES);
  assert_int_equal(report(TTB_SLOW, 1 * MS), TTB_STATUS_DEGRADED);
  assert_int_equal(explain().changes, 6);
}

static void latency_with_hysteresis(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.degraded_ms = 200;
  c.recover_ms = 100;
  c.fail_ms = 3000;
  make(&c);
  assert_int_equal(report(TTB_SUCCESS, 199 * MS), TTB_STATUS_HEALTHY);
  assert_int_equal(report(TTB_SUCCESS, 200 * MS), TTB_STATUS_DEGRADED);
  assert_int_equal(report(TTB_SUCCESS, 100 * MS), TTB_OK);
  assert_int_equal(report(TTB_SUCCESS, 100 * MS - 1), TTB_STATUS_HEALTHY);
  assert_int_equal(report(TTB_SUCCESS, 150 * MS), TTB_OK); /* healthy: only degraded_ms counts */
  assert_int_equal(report(TTB_SUCCESS, 3000 * MS), TTB_STATUS_UNHEALTHY);
  assert_int_equal(explain().reason, TTB_HEALTH_BY_LATENCY);
  assert_int_equal(report(TTB_SUCCESS, 3000 * MS - 1), TTB_STATUS_DEGRADED);
}

static void latency_switched_off(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.degraded_ms = TTB_OFF;
  make(&c);
  assert_int_equal(report(TTB_SUCCESS, UINT64_MAX - 1), TTB_STATUS_HEALTHY);
  assert_int_equal(report(TTB_SLOW, 0), TTB_STATUS_DEGRADED);
  assert_int_equal(report(TTB_SUCCESS, 3600000 * MS), TTB_STATUS_HEALTHY);
}

static void rise_and_fall(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.rise = 2;
  c.fall = 3;
  make(&c);
  assert_int_equal(report(TTB_SUCCESS, 0), TTB_STATUS_HEALTHY);
  assert_int_equal(explain().counter, 4);
  assert_int_equal(report(TTB_FAILURE, 0), TTB_OK);
  assert_int_equal(report(TTB_FAILURE, 0), TTB_OK);
  assert_int_equal(explain().failures, 2);
  assert_int_equal(explain().counter, 2);
  assert_int_equal(explain().pace, TTB_HEALTH_CHANGING);
  assert_int_equal(report(TTB_FAILURE, 0), TTB_STATUS_UNHEALTHY);
  assert_int_equal(report(TTB_FAILURE, 0), TTB_OK);
  assert_int_equal(explain().pace, TTB_HEALTH_DOWN);
  assert_int_equal(report(TTB_SUCCESS, 0), TTB_OK);
  assert_int_equal(explain().passes, 1);
  assert_int_equal(report(TTB_IGNORED, 0), TTB_OK);
  assert_int_equal(report(TTB_CANCELLED, 0), TTB_OK);
  assert_int_equal(explain().passes, 1);
  assert_int_equal(report(TTB_SUCCESS, 0), TTB_STATUS_HEALTHY);
}

/* An outcome of base.h is one everywhere: it failed, and late. */
static void slow_failures(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.passive_errors = 2;
  c.fall = 2;
  make(&c);
  assert_int_equal(report(TTB_SUCCESS, 7), TTB_STATUS_HEALTHY);
  assert_int_equal(report(TTB_SLOW_FAILURE, 3000 * MS), TTB_OK);
  assert_int_equal(explain().failures, 1);
  assert_int_equal(explain().latency_ns, 7); /* of failures it is not kept */
  assert_int_equal(observe(TTB_SLOW_FAILURE), TTB_OK);
  assert_int_equal(explain().errors, 1);
  assert_int_equal(observe(TTB_SLOW_FAILURE), TTB_STATUS_UNHEALTHY);
  assert_int_equal(report(TTB_SLOW_FAILURE + 1, 0), TTB_ERR_RANGE);
  assert_int_equal(observe(TTB_SLOW_FAILURE + 1), TTB_ERR_RANGE);
}

static void starts(void **state) {
  (void)state;
  static const struct {
    int32_t start, status, failures, passes; /* results needed to change it; 0: one decides */
  } rows[] = {
      {TTB_HEALTH_START_UNKNOWN, TTB_STATUS_UNKNOWN, 1, 1},
      {TTB_HEALTH_START_UP, TTB_STATUS_HEALTHY, 1, 0},
      {TTB_HEALTH_START_DOWN, TTB_STATUS_UNHEALTHY, 0, 1},
      {TTB_HEALTH_START_FULLY_UP, TTB_STATUS_HEALTHY, 3, 0},
      {TTB_HEALTH_START_FULLY_DOWN, TTB_STATUS_UNHEALTHY, 0, 2},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ttb_health_config c = TTB_CONFIG(ttb_health_config);
    c.rise = 2;
    c.fall = 3;
    c.start = rows[i].start;
    make(&c);
    assert_int_equal(status(), rows[i].status);
    for (int32_t k = 1; k <= rows[i].failures; k++)
      assert_int_equal(report(TTB_FAILURE, 0), k == rows[i].failures ? TTB_STATUS_UNHEALTHY : 0);
    ttb_health_free(&h);
    make(&c);
    for (int32_t k = 1; k <= rows[i].passes; k++)
      assert_int_equal(report(TTB_SUCCESS, 0), k == rows[i].passes ? TTB_STATUS_HEALTHY : 0);
    ttb_health_free(&h);
  }
}

static void traffic_takes_down_only(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.passive_errors = 3;
  c.rise = 2;
  c.fall = 2;
  make(&c);
  report(TTB_SUCCESS, 0);
  for (int i = 0; i < 2; i++) assert_int_equal(observe(TTB_FAILURE), 0);
  assert_int_equal(explain().errors, 2);
  assert_int_equal(observe(TTB_IGNORED), 0);
  assert_int_equal(explain().errors, 2);
  assert_int_equal(observe(TTB_SUCCESS), 0); /* ends the row */
  assert_int_equal(explain().errors, 0);
  for (int i = 0; i < 3; i++) assert_int_equal(observe(TTB_FAILURE), 0);
  assert_int_equal(explain().errors, 0);
  assert_int_equal(explain().failures, 1);
  assert_int_equal(explain().next_due_ms, 0); /* a probe shall say */
  for (int i = 0; i < 2; i++) assert_int_equal(observe(TTB_FAILURE), 0);
  assert_int_equal(observe(TTB_FAILURE), TTB_STATUS_UNHEALTHY);
  assert_int_equal(explain().reason, TTB_HEALTH_BY_TRAFFIC);
  for (int i = 0; i < 50; i++) assert_int_equal(observe(TTB_SUCCESS), 0);
  assert_int_equal(status(), TTB_STATUS_UNHEALTHY);
}

static void traffic_actions(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.passive_errors = 1;
  c.fall = 4;
  c.passive_action = TTB_HEALTH_SUDDEN_DEATH;
  make(&c);
  report(TTB_SUCCESS, 0);
  assert_int_equal(observe(TTB_FAILURE), TTB_OK);
  assert_int_equal(report(TTB_FAILURE, 0), TTB_STATUS_UNHEALTHY);
  ttb_health_free(&h);
  c.passive_action = TTB_HEALTH_MARK_DOWN;
  make(&c);
  report(TTB_SUCCESS, 0);
  assert_int_equal(observe(TTB_FAILURE), TTB_STATUS_UNHEALTHY);
  ttb_health_free(&h);
  c.passive_errors = TTB_OFF;
  make(&c);
  report(TTB_SUCCESS, 0);
  for (int i = 0; i < 100; i++) assert_int_equal(observe(TTB_FAILURE), 0);
  assert_int_equal(status(), TTB_STATUS_HEALTHY);
}

static void traffic_does_not_renew(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.passive_errors = 1;
  c.ttl_ms = 1000;
  make(&c);
  report(TTB_SUCCESS, 0);
  vclock_ms(&clock_, 600);
  assert_int_equal(observe(TTB_FAILURE), TTB_STATUS_UNHEALTHY);
  vclock_ms(&clock_, 400);
  assert_int_equal(status(), TTB_STATUS_STALE);
  assert_int_equal(observe(TTB_FAILURE), TTB_OK);
  assert_int_equal(status(), TTB_STATUS_STALE);
}

static void by_hand(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.rise = 3;
  c.fall = 2;
  make(&c);
  assert_int_equal(ttb_health_set(&h, 0, TTB_STATUS_HEALTHY, clock_.now_ns), TTB_STATUS_HEALTHY);
  assert_int_equal(ttb_health_set(&h, 0, TTB_STATUS_HEALTHY, clock_.now_ns), TTB_OK);
  assert_int_equal(explain().reason, TTB_HEALTH_BY_HAND);
  assert_int_equal(report(TTB_FAILURE, 0), TTB_OK);
  assert_int_equal(report(TTB_FAILURE, 0), TTB_STATUS_UNHEALTHY);
  assert_int_equal(ttb_health_set(&h, 0, TTB_STATUS_UNKNOWN, clock_.now_ns), TTB_OK);
  assert_int_equal(status(), TTB_STATUS_UNKNOWN);
  assert_int_equal(report(TTB_SUCCESS, 0), TTB_STATUS_HEALTHY);
  assert_int_equal(ttb_health_set(&h, 0, TTB_STATUS_DEGRADED, clock_.now_ns), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_set(&h, 0, TTB_STATUS_STALE, clock_.now_ns), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_set(&h, 0, -1, clock_.now_ns), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_set(&h, 1, 1, clock_.now_ns), TTB_ERR_RANGE);
}

static void slots_are_reused(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.flags = TTB_HEALTH_DISABLED;
  make(&c);
  assert_int_equal(report(TTB_SUCCESS, 0), TTB_STALE);
  assert_int_equal(observe(TTB_FAILURE), TTB_STALE);
  assert_int_equal(ttb_health_set(&h, 0, TTB_STATUS_HEALTHY, clock_.now_ns), TTB_STALE);
  assert_int_equal(explain().enabled, 0);
  assert_int_equal(explain().next_due_ms, -1);
  assert_int_equal(ttb_health_enable(&h, 0, clock_.now_ns), TTB_OK);
  assert_int_equal(explain().generation, 1);
  report(TTB_SUCCESS, 5 * MS);
  observe(TTB_FAILURE);
  assert_int_equal(ttb_health_disable(&h, 0, clock_.now_ns), TTB_OK);
  assert_int_equal(status(), TTB_STATUS_UNKNOWN);
  assert_int_equal(report(TTB_SUCCESS, 0), TTB_STALE);
  assert_int_equal(ttb_health_enable(&h, 0, clock_.now_ns), TTB_OK);
  ttb_health_info i = explain(); /* nothing of the one before */
  assert_int_equal(i.generation, 3);
  assert_int_equal(i.status, TTB_STATUS_UNKNOWN);
  assert_int_equal(i.latency_ns + i.latency_avg_ns + i.errors + i.changes, 0);
  assert_int_equal(i.age_ms, -1);
  assert_int_equal(i.next_due_ms, 0);
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  assert_int_equal(ttb_health_statistics(&h, clock_.now_ns, &s), TTB_OK);
  assert_int_equal(s.late, 4);
  assert_int_equal(ttb_health_enable(&h, 1, clock_.now_ns), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_disable(NULL, 0, clock_.now_ns), TTB_ERR_MISUSE);
}

static void average_of_latency(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.half_life_ms = 1000;
  make(&c);
  report(TTB_SUCCESS, 100 * MS);
  assert_int_equal(explain().latency_avg_ns, 100 * MS);
  ttb_health_report(&h, 0, TTB_SUCCESS, 300 * MS, vclock_ms(&clock_, 1000));
  assert_in_range(explain().latency_avg_ns, 200 * MS - 1, 200 * MS + 1);
  assert_int_equal(explain().latency_ns, 300 * MS);
  ttb_health_report(&h, 0, TTB_FAILURE, 900 * MS, vclock_ms(&clock_, 10));
  ttb_health_report(&h, 0, TTB_SUCCESS, 0, vclock_ms(&clock_, 10)); /* not measured */
  assert_int_equal(explain().latency_ns, 300 * MS);
  ttb_health_report(&h, 0, TTB_SUCCESS, UINT64_MAX, vclock_ms(&clock_, 60000));
  assert_true(explain().latency_ns == (UINT64_C(1) << 48) - 1);
}

static void bad_calls(void **state) {
  (void)state;
  make(NULL);
  assert_int_equal(ttb_health_report(NULL, 0, 0, 0, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_report(&h, 1, 0, 0, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_report(&h, UINT32_MAX, 0, 0, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_report(&h, 0, -1, 0, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_report(&h, 0, TTB_SLOW_FAILURE + 1, 0, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_observe(NULL, 0, 0, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_observe(&h, 1, 0, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_observe(&h, 0, 9, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_status(&h, 1, 1), TTB_ERR_RANGE);
}

/* No clock makes a fresh report old, or keeps an old one fresh for long. */
static void clock_jumps(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.ttl_ms = 10000;
  make(&c);
  report(TTB_SUCCESS, 0);
  vclock_jump_ms(&clock_, -3000000);
  assert_int_equal(status(), TTB_STATUS_HEALTHY);
  assert_int_equal(report(TTB_SUCCESS, 0), TTB_OK);
  vclock_ms(&clock_, 9000);
  assert_int_equal(status(), TTB_STATUS_HEALTHY);
  vclock_ms(&clock_, 1000);
  assert_int_equal(status(), TTB_STATUS_STALE);
  /* time stands still for it: not stale */
  assert_int_equal(ttb_health_report(&h, 0, TTB_SUCCESS, 0, 0), TTB_OK);
  assert_int_equal(ttb_health_report(&h, 0, TTB_SUCCESS, 0, UINT64_MAX), TTB_STATUS_HEALTHY);
  assert_in_range(ttb_health_status(&h, 0, 1), TTB_STATUS_HEALTHY, TTB_STATUS_STALE);
}

/* A caller that asked for the time and then slept while another reported. */
static void time_of_a_report_never_goes_back(void **state) {
  (void)state;
  make(NULL);
  report(TTB_SUCCESS, 0);
  ttb__a64 *word = &ttb__health_of(&h)->slots[0].state;
  for (uint32_t slept_ms = 400; slept_ms < 3600000; slept_ms *= 8) {
    uint64_t ahead = ttb__load_rlx(word) + slept_ms;
    ttb__store_rlx(word, ahead);
    assert_int_equal(status(), TTB_STATUS_HEALTHY); /* not a year old: STALE */
    assert_int_equal(report(TTB_SUCCESS, 0), TTB_OK);
    assert_true(ttb__load_rlx(word) == ahead);
    assert_int_equal(explain().age_ms, 0);
    ttb__store_rlx(word, ahead - slept_ms);
  }
}

/* After 65536 targets their numbers begin anew; what the first left behind is not
 * the last one's. */
static void generations_come_round(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.passive_errors = 3;
  c.eject = TTB_HEALTH_EJECT_ENVOY;
  c.eject_errors = 4;
  make(&c);
  report(TTB_SUCCESS, 7);
  report(TTB_CANCELLED, 0);
  for (int i = 0; i < 2; i++) observe(TTB_FAILURE);
  assert_int_equal(explain().generation, 0);
  for (int i = 0; i < 65536; i++) (void)ttb_health_enable(&h, 0, clock_.now_ns);
  ttb_health_info i = explain();
  assert_int_equal(i.generation, 0);
  assert_int_equal(i.errors, 0);
  assert_int_equal(i.changes, 0);
  assert_int_equal(i.latency_ns, 0);
  assert_int_equal(i.latency_avg_ns, 0);
  for (int k = 0; k < 2; k++) assert_int_equal(observe(TTB_FAILURE), TTB_OK);
  assert_int_equal(explain().ejections, 0);
  for (int k = 0; k < 65537; k++) (void)ttb_health_enable(&h, 0, clock_.now_ns);
  assert_int_equal(explain().errors, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(plain_rule, end),
      cmocka_unit_test_teardown(latency_with_hysteresis, end),
      cmocka_unit_test_teardown(latency_switched_off, end),
      cmocka_unit_test_teardown(rise_and_fall, end),
      cmocka_unit_test_teardown(slow_failures, end),
      cmocka_unit_test_teardown(starts, end),
      cmocka_unit_test_teardown(traffic_takes_down_only, end),
      cmocka_unit_test_teardown(traffic_actions, end),
      cmocka_unit_test_teardown(traffic_does_not_renew, end),
      cmocka_unit_test_teardown(by_hand, end),
      cmocka_unit_test_teardown(slots_are_reused, end),
      cmocka_unit_test_teardown(average_of_latency, end),
      cmocka_unit_test_teardown(bad_calls, end),
      cmocka_unit_test_teardown(clock_jumps, end),
      cmocka_unit_test_teardown(time_of_a_report_never_goes_back, end),
      cmocka_unit_test_teardown(generations_come_round, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
