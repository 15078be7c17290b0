/* SPDX-License-Identifier: MIT */
/* Staleness: seen by readers, announced once, held back over a local pause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <trimtab/health.h>

#include "../../../lib/health/health.h"
#include "vclock.h"

static ttb_health h;
static vclock clock_;
static uint32_t slots[8];

static void make(uint32_t capacity, int32_t ttl_ms, int32_t max_pause_ms) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = capacity;
  c.ttl_ms = ttl_ms;
  c.max_pause_ms = max_pause_ms;
  c.rise = 3;
  c.fall = 3;
  clock_ = vclock_start();
  assert_int_equal(ttb_health_new(&h, &c, NULL), TTB_OK);
}
static int end(void **state) {
  (void)state;
  ttb_health_free(&h);
  return 0;
}
static int32_t report(uint32_t slot, int32_t outcome) {
  return ttb_health_report(&h, slot, outcome, 0, clock_.now_ns);
}
static int32_t status(uint32_t slot) { return ttb_health_status(&h, slot, clock_.now_ns); }
static int32_t tick(uint32_t n) { return ttb_health_tick(&h, clock_.now_ns, slots, n); }

static void readers_see_it_to_the_millisecond(void **state) {
  (void)state;
  make(2, 5000, TTB_OFF);
  report(0, TTB_SUCCESS);
  vclock_ms(&clock_, 4999);
  assert_int_equal(status(0), TTB_STATUS_HEALTHY);
  vclock_ms(&clock_, 1);
  assert_int_equal(status(0), TTB_STATUS_STALE);
  assert_int_equal(status(1), TTB_STATUS_UNKNOWN); /* never reported: not stale */
  vclock_s(&clock_, 86400 * 40);
  assert_int_equal(status(0), TTB_STATUS_STALE);
}

static void next_result_decides(void **state) {
  (void)state;
  make(2, 5000, TTB_OFF);
  report(0, TTB_SUCCESS);
  report(1, TTB_FAILURE);
  vclock_ms(&clock_, 5000);
  /* rise and fall are 3, but what was known is worth nothing any more */
  assert_int_equal(report(0, TTB_FAILURE), TTB_STATUS_UNHEALTHY);
  assert_int_equal(report(1, TTB_SUCCESS), TTB_STATUS_HEALTHY);
  vclock_ms(&clock_, 5000);
  assert_int_equal(report(0, TTB_FAILURE), TTB_STATUS_UNHEALTHY); /* a change: it was stale */
}

static void announced_once(void **state) {
  (void)state;
  make(5, 1000, TTB_OFF);
  for (uint32_t i = 0; i < 4; i++) report(i, i == 3 ? TTB_FAILURE : TTB_SUCCESS);
  vclock_ms(&clock_, 999);
  assert_int_equal(tick(8), 0);
  vclock_ms(&clock_, 1);
  assert_int_equal(tick(3), 3); /* no room for the fourth ... */
  assert_int_equal(slots[0] + slots[1] + slots[2], 3);
  assert_int_equal(tick(8), 1); /* ... which comes now */
  assert_int_equal(slots[0], 3);
  assert_int_equal(tick(8), 0);
  assert_int_equal(report(0, TTB_SUCCESS), TTB_STATUS_HEALTHY);
  vclock_ms(&clock_, 1000);
  assert_int_equal(ttb_health_tick(&h, clock_.now_ns, NULL, 0), 1);
  assert_int_equal(ttb_health_tick(&h, clock_.now_ns, NULL, 3), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_tick(NULL, clock_.now_ns, slots, 3), TTB_ERR_MISUSE);
  ttb_health_info i = TTB_CONFIG(ttb_health_info);
  vclock_ms(&clock_, 7);
  assert_int_equal(ttb_health_explain(&h, 0, clock_.now_ns, &i), TTB_OK);
  assert_int_equal(i.reason, TTB_HEALTH_BY_SILENCE);
  assert_int_equal(i.since_ms, 7);
  assert_int_equal(i.age_ms, 1007);
}

static void off_is_off(void **state) {
  (void)state;
  make(1, TTB_OFF, TTB_OFF);
  report(0, TTB_SUCCESS);
  vclock_s(&clock_, 86400);
  assert_int_equal(status(0), TTB_STATUS_HEALTHY);
  assert_int_equal(tick(8), 0);
}

static void a_pause_holds_it_back_once(void **state) {
  (void)state;
  make(1, 3000, 2000);
  report(0, TTB_SUCCESS);
  tick(8);
  vclock_ms(&clock_, 60000); /* the machine slept */
  assert_int_equal(tick(8), 0);
  assert_int_equal(status(0), TTB_STATUS_HEALTHY);
  vclock_ms(&clock_, 1000);
  assert_int_equal(tick(8), 0);
  assert_int_equal(status(0), TTB_STATUS_HEALTHY);
  vclock_ms(&clock_, 1000); /* held for max_pause_ms, not longer */
  assert_int_equal(status(0), TTB_STATUS_STALE);
  assert_int_equal(tick(8), 1);
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  assert_int_equal(ttb_health_statistics(&h, clock_.now_ns, &s), TTB_OK);
  assert_int_equal(s.pauses, 1);
  assert_int_equal(s.stale, 1);
}

static void a_result_in_the_hold_counts_as_ever(void **state) {
  (void)state;
  make(1, 3000, 2000);
  report(0, TTB_SUCCESS);
  tick(8);
  vclock_ms(&clock_, 60000);
  tick(8);
  assert_int_equal(report(0, TTB_FAILURE), TTB_OK); /* one of three: it is not stale */
  vclock_ms(&clock_, 2500);
  assert_int_equal(status(0), TTB_STATUS_HEALTHY);
}

static void a_ticker_always_late_cannot_hold_for_ever(void **state) {
  (void)state;
  make(1, 3000, 2000);
  report(0, TTB_SUCCESS);
  tick(8);
  int32_t found = 0;
  for (int i = 0; i < 3; i++) {
    vclock_ms(&clock_, 2500); /* each time later than max_pause_ms */
    found += tick(8);
  }
  assert_int_equal(found, 1);
  assert_int_equal(status(0), TTB_STATUS_STALE);
}

static void regular_again_it_holds_again(void **state) {
  (void)state;
  make(1, 3000, 2000);
  tick(8);
  for (int pause = 1; pause <= 3; pause++) {
    report(0, TTB_SUCCESS);
    for (int i = 0; i < 5; i++) {
      vclock_ms(&clock_, 1000);
      tick(8);
      report(0, TTB_SUCCESS);
    }
    vclock_ms(&clock_, 60000);
    assert_int_equal(tick(8), 0);
    ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
    assert_int_equal(ttb_health_statistics(&h, clock_.now_ns, &s), TTB_OK);
    assert_int_equal(s.pauses, pause);
  }
}

/* A gap of 40 days is not taken for a ticker that was ahead. */
static void very_long_sleep(void **state) {
  (void)state;
  make(1, 3000, 2000);
  report(0, TTB_SUCCESS);
  tick(8);
  vclock_s(&clock_, 86400 * 40);
  assert_int_equal(tick(8), 0);
  vclock_ms(&clock_, 1999);
  assert_int_equal(tick(8), 0);
  vclock_ms(&clock_, 1);
  assert_int_equal(tick(8), 1);
}

/* A ticker that slept between asking for the time and using it: others ticked on
 * meanwhile, that was no pause. */
static void a_late_tick_is_no_pause(void **state) {
  (void)state;
  make(1, 1000, 5000);
  tick(1);
  report(0, TTB_SUCCESS);
  ttb__a64 *ticked = &ttb__health_of(&h)->table->ticked;
  uint64_t ahead = ttb__load_rlx(ticked) + (UINT64_C(20000) << 32);
  ttb__store_rlx(ticked, ahead);
  tick(1);
  assert_true(ttb__load_rlx(ticked) == ahead);
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  assert_int_equal(ttb_health_statistics(&h, clock_.now_ns, &s), TTB_OK);
  assert_int_equal(s.pauses, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(readers_see_it_to_the_millisecond, end),
      cmocka_unit_test_teardown(next_result_decides, end),
      cmocka_unit_test_teardown(announced_once, end),
      cmocka_unit_test_teardown(off_is_off, end),
      cmocka_unit_test_teardown(a_pause_holds_it_back_once, end),
      cmocka_unit_test_teardown(a_result_in_the_hold_counts_as_ever, end),
      cmocka_unit_test_teardown(a_ticker_always_late_cannot_hold_for_ever, end),
      cmocka_unit_test_teardown(regular_again_it_holds_again, end),
      cmocka_unit_test_teardown(very_long_sleep, end),
      cmocka_unit_test_teardown(a_late_tick_is_no_pause, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
