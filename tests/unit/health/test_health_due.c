/* SPDX-License-Identifier: MIT */
/* Which targets are due: intervals, jitter, leases, turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <trimtab/health.h>

#include "vclock.h"

static ttb_health h;
static vclock clock_;
static uint32_t slots[64];

static ttb_health_config config_of(uint32_t capacity) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = capacity;
  c.rise = 2;
  c.fall = 2;
  c.interval_ms = 2000;
  c.fast_interval_ms = 500;
  c.down_interval_ms = 8000;
  c.lease_ms = 1000;
  c.jitter_ppm = TTB_OFF;
  c.ttl_ms = TTB_OFF;
  return c;
}
static void make(const ttb_health_config *c) {
  clock_ = vclock_start();
  assert_int_equal(ttb_health_new(&h, c, NULL), TTB_OK);
}
static int end(void **state) {
  (void)state;
  ttb_health_free(&h);
  return 0;
}
static int32_t due(uint32_t n) { return ttb_health_due(&h, clock_.now_ns, slots, n); }
static int64_t next(void) { return ttb_health_next_due_ms(&h, clock_.now_ns); }
static void report(uint32_t slot, int32_t outcome) {
  (void)ttb_health_report(&h, slot, outcome, 0, clock_.now_ns);
}

static void the_three_paces(void **state) {
  (void)state;
  ttb_health_config c = config_of(1);
  make(&c);
  static const struct {
    int32_t outcome;
    int64_t wait;
  } rows[] = {{TTB_SUCCESS, 2000}, {TTB_FAILURE, 500},  {TTB_SUCCESS, 2000}, {TTB_FAILURE, 500},
              {TTB_FAILURE, 8000}, {TTB_FAILURE, 8000}, {TTB_SUCCESS, 500},  {TTB_FAILURE, 8000},
              {TTB_SUCCESS, 500},  {TTB_SUCCESS, 2000}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(due(64), 1);
    vclock_ms(&clock_, 3);
    report(0, rows[i].outcome);
    assert_int_equal(next(), rows[i].wait);
    vclock_ms(&clock_, (uint64_t)rows[i].wait - 1);
    assert_int_equal(due(64), 0);
    assert_int_equal(next(), 1);
    vclock_ms(&clock_, 1);
    assert_int_equal(next(), 0);
  }
}

static void a_lost_probe_is_due_again(void **state) {
  (void)state;
  ttb_health_config c = config_of(1);
  make(&c);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(due(64), 1);
    assert_int_equal(due(64), 0);
    assert_int_equal(next(), 1000);
    vclock_ms(&clock_, 999);
    assert_int_equal(due(64), 0);
    vclock_ms(&clock_, 1);
  }
  assert_int_equal(due(64), 1);
  report(0, TTB_SUCCESS); /* in the same millisecond */
  assert_int_equal(next(), 2000);
}

static void ignored_and_cancelled(void **state) {
  (void)state;
  ttb_health_config c = config_of(1);
  make(&c);
  assert_int_equal(due(64), 1);
  vclock_ms(&clock_, 10);
  report(0, TTB_IGNORED);
  assert_int_equal(next(), 990);
  report(0, TTB_CANCELLED);
  assert_int_equal(due(64), 1);
  report(0, TTB_SUCCESS);
  assert_int_equal(next(), 2000);
}

/* Fully up or down from the start, there is a history, but a probe is wanted. */
static void any_start_is_due_at_once(void **state) {
  (void)state;
  for (int32_t start = TTB_HEALTH_START_UNKNOWN; start <= TTB_HEALTH_START_FULLY_DOWN; start++) {
    ttb_health_config c = config_of(1);
    c.start = start;
    if (start > TTB_HEALTH_START_UNKNOWN) ttb_health_free(&h);
    make(&c);
    assert_int_equal(due(64), 1);
    assert_int_equal(due(64), 0);
    vclock_ms(&clock_, 1);
    ttb_health_enable(&h, 0, clock_.now_ns);
    assert_int_equal(due(64), 1);
    assert_int_equal(due(64), 0);
  }
}

static void only_slots_in_use(void **state) {
  (void)state;
  ttb_health_config c = config_of(4);
  c.flags = TTB_HEALTH_DISABLED;
  make(&c);
  assert_int_equal(due(64), 0);
  assert_true(next() == INT64_MAX);
  ttb_health_enable(&h, 2, clock_.now_ns);
  assert_int_equal(next(), 0);
  assert_int_equal(due(64), 1);
  assert_int_equal(slots[0], 2);
  ttb_health_disable(&h, 2, clock_.now_ns);
  vclock_s(&clock_, 100);
  assert_int_equal(due(64), 0);
  ttb_health_enable(&h, 2, clock_.now_ns); /* the lease of the one before is gone */
  assert_int_equal(due(64), 1);
}

static void small_helpings_starve_none(void **state) {
  (void)state;
  ttb_health_config c = config_of(10);
  make(&c);
  uint32_t seen[10] = {0};
  /* three at a time, never reported, faster than the leases end */
  for (int i = 0; i < 40; i++) {
    int32_t n = due(3);
    for (int32_t k = 0; k < n; k++) seen[slots[k]]++;
    vclock_ms(&clock_, 300);
  }
  for (int i = 0; i < 10; i++) assert_in_range(seen[i], 9, 11);
}

static void jitter_only_shortens_and_repeats(void **state) {
  (void)state;
  ttb_health_config c = config_of(64);
  c.jitter_ppm = 200000;
  c.seed = 42;
  int64_t waits[64];
  for (int round = 0; round < 2; round++) {
    make(&c);
    int64_t least = INT64_MAX, most = 0;
    for (uint32_t s = 0; s < 64; s++) report(s, TTB_SUCCESS);
    for (uint32_t s = 0; s < 64; s++) {
      ttb_health_info i = TTB_CONFIG(ttb_health_info);
      assert_int_equal(ttb_health_explain(&h, s, clock_.now_ns, &i), TTB_OK);
      if (i.next_due_ms < least) least = i.next_due_ms;
      if (i.next_due_ms > most) most = i.next_due_ms;
      if (round == 1) assert_int_equal(i.next_due_ms, waits[s]);
      waits[s] = i.next_due_ms;
    }
    assert_in_range(least, 1600, 1700); /* spread over 20 % of 2000 ms */
    assert_in_range(most, 1900, 2000);
    if (round == 0) ttb_health_free(&h);
  }
}

static void bad_calls(void **state) {
  (void)state;
  ttb_health_config c = config_of(1);
  make(&c);
  assert_int_equal(ttb_health_due(NULL, 1, slots, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_due(&h, 1, NULL, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_due(&h, 1, slots, UINT32_MAX), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_due(&h, 1, NULL, 0), 0);
  assert_int_equal(ttb_health_next_due_ms(NULL, 1), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(the_three_paces, end),
      cmocka_unit_test_teardown(a_lost_probe_is_due_again, end),
      cmocka_unit_test_teardown(ignored_and_cancelled, end),
      cmocka_unit_test_teardown(any_start_is_due_at_once, end),
      cmocka_unit_test_teardown(only_slots_in_use, end),
      cmocka_unit_test_teardown(small_helpings_starve_none, end),
      cmocka_unit_test_teardown(jitter_only_shortens_and_repeats, end),
      cmocka_unit_test_teardown(bad_calls, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
