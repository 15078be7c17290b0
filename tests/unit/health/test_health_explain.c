/* SPDX-License-Identifier: MIT */
/* Explain and statistics: numbers that agree with what happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <trimtab/health.h>

#include "../../../lib/health/health.h"
#include "vclock.h"

static ttb_health h;
static vclock clock_;

static int make(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = 6;
  c.ttl_ms = 10000;
  clock_ = vclock_start();
  return ttb_health_new(&h, &c, NULL);
}
static int end(void **state) {
  (void)state;
  ttb_health_free(&h);
  return 0;
}
static ttb_health_info explain(uint32_t slot) {
  ttb_health_info i = TTB_CONFIG(ttb_health_info);
  assert_int_equal(ttb_health_explain(&h, slot, clock_.now_ns, &i), TTB_OK);
  return i;
}

static void since_age_changes(void **state) {
  (void)state;
  ttb_health_info i = explain(0);
  assert_int_equal(i.status, TTB_STATUS_UNKNOWN);
  assert_int_equal(i.reason, TTB_HEALTH_BY_NOTHING);
  assert_int_equal(i.age_ms, -1);
  assert_int_equal(i.enabled, 1);
  ttb_health_report(&h, 0, TTB_SUCCESS, 5000000, vclock_ms(&clock_, 10));
  vclock_ms(&clock_, 100);
  ttb_health_report(&h, 0, TTB_SUCCESS, 5000000, clock_.now_ns);
  vclock_ms(&clock_, 30);
  i = explain(0);
  assert_int_equal(i.since_ms, 130);
  assert_int_equal(i.age_ms, 30);
  assert_int_equal(i.changes, 1);
  assert_int_equal(i.passes, 1);
  assert_int_equal(i.pace, TTB_HEALTH_STEADY);
  assert_int_equal(i.latency_ns, 5000000);
  vclock_ms(&clock_, 10000);
  i = explain(0);
  assert_int_equal(i.status, TTB_STATUS_STALE);
  assert_int_equal(i.reason, TTB_HEALTH_BY_SILENCE);
  assert_int_equal(i.since_ms, 30);
  assert_int_equal(i.changes, 1); /* seen, not yet recorded */
  assert_int_equal(ttb_health_tick(&h, clock_.now_ns, NULL, 0), 1);
  assert_int_equal(explain(0).changes, 2);
}

/* Who changed the level died before writing down since when: unknown, not wrong. */
static void a_since_that_does_not_fit(void **state) {
  (void)state;
  ttb_health_report(&h, 0, TTB_SUCCESS, 0, vclock_ms(&clock_, 1));
  ttb__health *t = ttb__health_of(&h);
  ttb__store_rlx(&t->slots[0].since, ttb__since(0, TTB_STATUS_UNHEALTHY, 1, 5));
  assert_int_equal(explain(0).since_ms, -1);
  ttb__store_rlx(&t->slots[0].since, ttb__since(1, TTB_STATUS_HEALTHY, 1, 5));
  assert_int_equal(explain(0).since_ms, -1);
}

static void statistics(void **state) {
  (void)state;
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  ttb_health_report(&h, 4, TTB_SUCCESS, 0, clock_.now_ns);
  vclock_ms(&clock_, 10000);
  ttb_health_report(&h, 0, TTB_SUCCESS, 0, clock_.now_ns);
  ttb_health_report(&h, 1, TTB_SLOW, 0, clock_.now_ns);
  ttb_health_report(&h, 2, TTB_FAILURE, 0, clock_.now_ns);
  ttb_health_disable(&h, 5, clock_.now_ns);
  ttb_health_report(&h, 5, TTB_SUCCESS, 0, clock_.now_ns);
  assert_int_equal(ttb_health_statistics(&h, clock_.now_ns, &s), TTB_OK);
  const ttb_health_stats expected = {.struct_size = sizeof s, .capacity = 6, .enabled = 5,
                                     .unknown = 1, .healthy = 1, .degraded = 1, .unhealthy = 1,
                                     .stale = 1, .changes = 4, .late = 1};
  assert_memory_equal(&s, &expected, sizeof s);
  vclock_jump_ms(&clock_, -5000);
  for (int i = 0; i < 5; i++) /* and goes on from there: a new clock domain */
    ttb_health_report(&h, 0, TTB_SUCCESS, 0, vclock_ms(&clock_, 1000));
  assert_int_equal(ttb_health_statistics(&h, clock_.now_ns, &s), TTB_OK);
  assert_int_equal(s.clock_adoptions, 1);
}

static void shorter_and_longer_structs(void **state) {
  (void)state;
  struct {
    ttb_health_info i;
    uint64_t tail;
  } longer;
  memset(&longer, 0xff, sizeof longer);
  longer.i.struct_size = sizeof longer;
  assert_int_equal(ttb_health_explain(&h, 0, clock_.now_ns, &longer.i), TTB_OK);
  assert_int_equal(longer.tail, 0);
  longer.i.struct_size = 5;
  assert_int_equal(ttb_health_explain(&h, 0, clock_.now_ns, &longer.i), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_explain(&h, 6, clock_.now_ns, &longer.i), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_explain(&h, 0, clock_.now_ns, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_explain(NULL, 0, clock_.now_ns, &longer.i), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_statistics(&h, clock_.now_ns, NULL), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(since_age_changes, make, end),
      cmocka_unit_test_setup_teardown(a_since_that_does_not_fit, make, end),
      cmocka_unit_test_setup_teardown(statistics, make, end),
      cmocka_unit_test_setup_teardown(shorter_and_longer_structs, make, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
