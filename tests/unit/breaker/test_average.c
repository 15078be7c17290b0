/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/average.h, of fixed windows, open times by hand and
 * the details: what finagle, gobreaker and resilience4j do with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../lib/breaker/average.h"

#define MS UINT64_C(1000000)
#define NOW (UINT64_C(5000) * 1000 * MS)

static _Alignas(64) unsigned char memory[65536];
static ttb_breaker b;

static void make(const ttb_breaker_config *c) {
  assert_int_equal(ttb_breaker_init(&b, memory, sizeof memory, c), TTB_OK);
}
static ttb_breaker_config average(int32_t calls, int32_t success_ppm) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.consecutive = c.failure_rate_ppm = TTB_OFF;
  c.average_calls = calls, c.average_success_ppm = success_ppm;
  return c;
}
static int32_t call(int32_t outcome, uint64_t now) {
  return ttb_breaker_report(&b, ttb_breaker_acquire(&b, 0, now), outcome, now);
}
static ttb_breaker_info look(uint64_t now) {
  ttb_breaker_info i = TTB_CONFIG(ttb_breaker_info);
  assert_int_equal(ttb_breaker_explain(&b, 0, now, &i), TTB_OK);
  return i;
}

/* e^-(n/d) by its series. */
static double exp_neg(double x) {
  double sum = 1, term = 1;
  for (int i = 1; i < 60; i++) sum += term *= x / i;
  return 1 / sum;
}

static void test_exponentials(void **state) {
  (void)state;
  for (uint64_t d = 1; d <= 10000; d = d * 3 + 1) {
    for (uint64_t n = 0; n < 12 * d; n += d / 3 + 1) {
      double off = (double)ttb__exp_neg(n, d) / 4294967296.0 - exp_neg((double)n / (double)d);
      assert_true(off < 1e-9 && off > -1e-9);
    }
    assert_int_equal(ttb__exp_neg(100 * d, d), 0);
  }
}

static void test_by_calls(void **state) {
  (void)state;
  ttb_breaker_config c = average(100, 500000);
  make(&c);
  assert_int_equal(look(NOW).average_ppm, -1);
  double success = 1;
  for (int i = 0; i < 100; i++) assert_int_equal(call(TTB_SUCCESS, NOW), TTB_OK);
  assert_int_equal(look(NOW).average_ppm, 1000000);
  for (int i = 1; i < 70; i++) {
    assert_int_equal(call(i % 2 ? TTB_FAILURE : TTB_SLOW_FAILURE, NOW), TTB_OK);
    success *= exp_neg(0.01);
    int32_t off = look(NOW).average_ppm - (int32_t)(success * 1e6);
    assert_true(off >= -2 && off <= 2);
  }
  assert_int_equal(call(TTB_FAILURE, NOW), TTB_BREAKER_OPENED); /* e^-0.7 < 0.5 */
}

static void test_a_healthy_success_writes_nothing(void **state) {
  (void)state;
  static unsigned char before[sizeof memory];
  ttb_breaker_config c = average(50, 900000);
  make(&c);
  for (int i = 0; i < 60; i++) (void)call(TTB_SUCCESS, NOW);
  memcpy(before, memory, sizeof memory);
  for (int i = 0; i < 1000; i++) (void)call(TTB_SUCCESS, NOW);
  assert_memory_equal(before, memory, sizeof memory);
}

static void test_by_time(void **state) {
  (void)state;
  ttb_breaker_config c = average(TTB_OFF, 500000);
  c.window_ms = 30000, c.min_calls = 3;
  make(&c);
  /* All fails, but the first window is not over. */
  for (uint64_t s = 0; s < 30; s++)
    assert_int_equal(call(TTB_FAILURE, NOW + s * 1000 * MS), TTB_OK);
  assert_int_equal(look(NOW + 30000 * MS).average_ppm, 0);
  assert_int_equal(call(TTB_FAILURE, NOW + 30000 * MS), TTB_BREAKER_OPENED);
  /* An idle day forgets; one bad call after it is the average, but alone. */
  (void)ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, NOW + 30000 * MS);
  uint64_t day = NOW + UINT64_C(86400000) * MS;
  (void)call(TTB_SUCCESS, NOW + 31000 * MS);
  assert_int_equal(call(TTB_FAILURE, day), TTB_OK);
  assert_int_equal(look(day).average_ppm, 0);
  assert_int_equal(call(TTB_FAILURE, day), TTB_OK);
  assert_int_equal(call(TTB_FAILURE, day), TTB_BREAKER_OPENED); /* min_calls */
  /* A time that is late moves nothing. */
  (void)ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, day);
  (void)call(TTB_SUCCESS, day + 20000 * MS);
  (void)call(TTB_FAILURE, day + 19500 * MS);
  assert_int_equal(look(day + 20000 * MS).average_ppm, 1000000);
}

static void test_another_generation_starts_anew(void **state) {
  (void)state;
  ttb_breaker_config c = average(10, 900000);
  make(&c);
  for (int i = 0; i < 9; i++) (void)call(TTB_FAILURE, NOW);
  int64_t late = ttb_breaker_acquire(&b, 0, NOW);
  (void)ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, NOW);
  assert_int_equal(look(NOW).average_ppm, -1);
  assert_int_equal(ttb_breaker_report(&b, late, TTB_FAILURE, NOW), TTB_STALE);
  (void)call(TTB_SUCCESS, NOW);
  assert_int_equal(look(NOW).average_ppm, 1000000);
}

static void test_a_fixed_window_begins_anew(void **state) {
  (void)state;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.consecutive = 3, c.window_ms = 10000, c.flags = TTB_BREAKER_FIXED_WINDOW;
  make(&c);
  (void)call(TTB_FAILURE, NOW);
  (void)call(TTB_FAILURE, NOW + 9999 * MS);
  int64_t late = ttb_breaker_acquire(&b, 0, NOW + 10000 * MS);
  assert_int_equal(look(NOW + 10000 * MS).calls, 2);
  assert_int_equal(look(NOW + 10001 * MS).calls, 0);
  assert_int_equal(look(NOW + 10001 * MS).consecutive, 0);
  assert_int_equal(look(NOW + 10001 * MS).generation, 1);
  assert_int_equal(ttb_breaker_report(&b, late, TTB_FAILURE, NOW + 10001 * MS), TTB_STALE);
  assert_int_equal(call(TTB_FAILURE, NOW + 10001 * MS), TTB_OK);
  assert_int_equal(call(TTB_FAILURE, NOW + 20001 * MS), TTB_OK);
  assert_int_equal(look(NOW + 20001 * MS).consecutive, 2);
  assert_int_equal(call(TTB_FAILURE, NOW + 20002 * MS), TTB_OK); /* the next one */
  assert_int_equal(look(NOW + 20002 * MS).consecutive, 1);
}

/* What cannot be is taken for the longest there is, not for something short. */
static void test_durations_have_a_bound(void **state) {
  (void)state;
  static const uint64_t ns[] = {UINT64_MAX, UINT64_C(1000) << 35, UINT64_C(5000) << 32};
  for (int32_t calls = -1; calls <= 10; calls += 11) {
    ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
    c.window_calls = calls, c.flags = TTB_BREAKER_DETAILED;
    make(&c);
    for (uint64_t i = 0; i < 3; i++) {
      int64_t t = ttb_breaker_acquire(&b, 0, NOW);
      assert_int_equal(ttb_breaker_report_timed(&b, t, TTB_SUCCESS, ns[i], NOW), TTB_OK);
      assert_true(look(NOW).duration_us == (i + 1) * UINT32_MAX);
    }
    int64_t t = ttb_breaker_acquire(&b, 0, NOW);
    assert_int_equal(ttb_breaker_report_timed(&b, t, TTB_SUCCESS, 1999, NOW), TTB_OK);
    assert_true(look(NOW).duration_us == UINT64_C(3) * UINT32_MAX + 1);
  }
}

static void test_open_for_a_time(void **state) {
  (void)state;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  make(&c);
  assert_int_equal(ttb_breaker_open_for(NULL, 0, 1, NOW), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_open_for(&b, 1, 1, NOW), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_open_for(&b, 0, 0, NOW), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_open_for(&b, 0, 604800001, NOW), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_open_for(&b, 0, 604800000, NOW), TTB_OK);
  assert_int_equal(look(NOW).state, TTB_BREAKER_OPEN);
  assert_int_equal(look(NOW).opened, 1);
  assert_true(look(NOW).retry_after_ms == 604800000);
  uint64_t later = NOW + UINT64_C(604800000) * MS;
  assert_int_equal(ttb_breaker_acquire(&b, 0, later - MS), TTB_OPEN);
  assert_int_equal(ttb_breaker_is_probe(ttb_breaker_acquire(&b, 0, later)), 1);
}

static void test_open_steps(void **state) {
  (void)state;
  static const uint32_t lengths[] = {1000, 2000, 4000, 60000, 60000};
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.consecutive = 1, c.open_ms = 1000, c.open_growth_ppm = 2000000, c.open_max_ms = 60000;
  c.open_steps = 3;
  make(&c);
  uint64_t now = NOW;
  for (int i = 0; i < 5; i++) {
    assert_true(call(TTB_FAILURE, now) > 0);
    assert_int_equal(look(now).retry_after_ms, lengths[i]);
    now += lengths[i] * MS;
  }
}

static void test_probes_in_all(void **state) {
  (void)state;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.half_open_probes = 3, c.half_open_successes = 3, c.flags = TTB_BREAKER_PROBES_IN_ALL;
  make(&c);
  (void)ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, NOW);
  uint64_t now = NOW + 5000 * MS;
  (void)call(TTB_SUCCESS, now);
  (void)call(TTB_SUCCESS, now);
  int64_t last = ttb_breaker_acquire(&b, 0, now);
  assert_int_equal(ttb_breaker_peek(&b, 0, now), TTB_HALF_OPEN_FULL);
  assert_int_equal(ttb_breaker_acquire(&b, 0, now), TTB_HALF_OPEN_FULL);
  assert_int_equal(ttb_breaker_report(&b, last, TTB_SUCCESS, now), TTB_BREAKER_RECLOSED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exponentials),
      cmocka_unit_test(test_by_calls),
      cmocka_unit_test(test_a_healthy_success_writes_nothing),
      cmocka_unit_test(test_by_time),
      cmocka_unit_test(test_another_generation_starts_anew),
      cmocka_unit_test(test_a_fixed_window_begins_anew),
      cmocka_unit_test(test_durations_have_a_bound),
      cmocka_unit_test(test_open_for_a_time),
      cmocka_unit_test(test_open_steps),
      cmocka_unit_test(test_probes_in_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
