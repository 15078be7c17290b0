/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/rate.c: the cell rate algorithm to the nanosecond. */
#include "../../../lib/limiter/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)

#define S (1000 * MS)

static ttb_limiter l;

static void make(uint32_t rate, uint32_t period_ms, uint32_t burst) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_RATE;
  c.capacity = 9;
  c.rate = rate;
  c.period_ms = period_ms;
  c.burst = burst;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
}
static int teardown(void **state) {
  (void)state;
  ttb_limiter_free(&l);
  return 0;
}
static int64_t take(uint32_t n, uint64_t now) { return ttb_limiter_acquire(&l, 5, n, now); }
static uint32_t taken(uint64_t now) {
  uint32_t n = 0;
  while (take(0, now) >= 0) n++;
  return n;
}
static ttb_limiter_info info(uint32_t n, uint64_t now) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_limiter_explain(&l, 5, n, now, &i), TTB_OK);
  return i;
}

static void test_burst_then_rate(void **state) {
  (void)state;
  make(10, 1000, 5);
  assert_int_equal(info(0, T0).available, 5);
  assert_int_equal(taken(T0), 5);
  assert_int_equal(info(0, T0).retry_after_ns, 100 * (int64_t)MS);
  assert_int_equal(taken(T0 + 100 * MS - 1), 0);
  assert_int_equal(info(0, T0 + 100 * MS - 1).retry_after_ns, 1);
  assert_int_equal(taken(T0 + 100 * MS), 1);
  assert_int_equal(taken(T0 + 350 * MS), 2); /* half of the next stays */
  assert_int_equal(taken(T0 + 400 * MS), 1);
  assert_int_equal(taken(T0 + 3600 * S), 5); /* never more than a burst */
  assert_int_equal(ttb_limiter_acquire(&l, 4, 5, T0), ttb__ticket_pack(4, 2, 255, 5));
}

static void test_events(void **state) {
  (void)state;
  make(1000, 1000, 100);
  assert_true(take(60, T0) >= 0);
  assert_int_equal(take(60, T0), TTB_LIMIT);
  assert_int_equal(info(60, T0).available, 40);
  assert_int_equal(info(60, T0).retry_after_ns, 20 * (int64_t)MS);
  assert_int_equal(ttb_limiter_peek(&l, 5, 40, T0), TTB_OK);
  assert_int_equal(ttb_limiter_peek(&l, 5, 41, T0), TTB_LIMIT);
  assert_true(take(40, T0) >= 0);
  assert_true(take(60, T0 + 60 * MS) >= 0);
  assert_int_equal(take(101, T0 + S), TTB_ERR_RANGE); /* never could pass */
}

static void test_cancel(void **state) {
  (void)state;
  make(1, 1000, 3);
  int64_t a = take(2, T0), b = take(1, T0);
  assert_int_equal(taken(T0), 0);
  assert_int_equal(ttb_limiter_report(&l, b, TTB_SUCCESS, T0), TTB_OK);
  assert_int_equal(taken(T0), 0);
  assert_int_equal(ttb_limiter_report(&l, a, TTB_CANCELLED, T0), TTB_OK);
  assert_int_equal(taken(T0), 2);
  assert_int_equal(ttb_limiter_report(&l, a, TTB_CANCELLED, T0 + 3600 * S), TTB_OK);
  assert_int_equal(taken(T0 + 3600 * S), 3); /* not above a burst */
  /* Tickets that were never given out. */
  assert_int_equal(ttb_limiter_report(&l, ttb__ticket_pack(5, 2, 255, 0), 4, T0), TTB_STALE);
  assert_int_equal(ttb_limiter_report(&l, ttb__ticket_pack(5, 2, 255, 4), 4, T0), TTB_STALE);
  assert_int_equal(ttb_limiter_report(&l, ttb__ticket_pack(5, 1, 255, 1), 4, T0), TTB_STALE);
}

/* 3 a second: thirds of a second are rounded up, so never 4 in one. */
static void test_thirds(void **state) {
  (void)state;
  make(3, 1000, 1);
  uint32_t n = 0;
  for (uint64_t t = 0; t < 100 * S; t += MS / 2) n += take(0, T0 + t) >= 0;
  assert_true(n == 300 || n == 299);
  assert_int_equal(ttb__limiter_of(&l)->u.rate.interval, 85333333334u);
}

static void test_clock_jumps(void **state) {
  (void)state;
  make(1, 1000, 5);
  assert_int_equal(taken(T0), 5);
  assert_int_equal(taken(T0 - 10 * S), 0); /* back: stands still */
  assert_int_equal(taken(T0 - 9 * S + MS), 1); /* and goes on from there once believed */
  assert_int_equal(taken(T0 + 7200 * S), 5);
  assert_int_equal(taken(T0 + 7200 * S - MS), 0);
  assert_int_equal(taken(UINT64_MAX), 5);
  assert_int_equal(taken(0), 0);
}

static void test_hostile_words(void **state) {
  (void)state;
  make(10, 1000, 5);
  ttb__a64 *w = ttb__limiter_slot_at(ttb__limiter_of(&l), 5);
  const uint64_t bad[] = {UINT64_MAX, UINT64_MAX / 2, 1, UINT64_C(1) << 63};
  for (int i = 0; i < 4; i++) {
    ttb__store_rlx(w, bad[i]);
    assert_int_equal(taken(T0), 5);
  }
}

int main(void) {
#define T(f) cmocka_unit_test_teardown(f, teardown)
  const struct CMUnitTest tests[] = {
      T(test_burst_then_rate), T(test_events),      T(test_cancel),
      T(test_thirds),          T(test_clock_jumps), T(test_hostile_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
