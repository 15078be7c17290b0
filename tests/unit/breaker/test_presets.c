/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/presets.c: each is a legal configuration and does
 * what its row in docs/breaker.md says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <trimtab/breaker.h>

#define MS UINT64_C(1000000)
#define START (UINT64_C(5000) * 1000 * MS)

static _Alignas(64) unsigned char memory[65536];
static ttb_breaker b;
static uint64_t now;

static void start(int32_t preset) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  assert_int_equal(ttb_breaker_preset(preset, &c), TTB_OK);
  assert_int_equal(c.struct_size, sizeof c);
  assert_int_equal(ttb_breaker_check(&c, NULL), TTB_OK);
  assert_int_equal(ttb_breaker_init(&b, memory, sizeof memory, &c), TTB_OK);
  now = START;
}

static ttb_breaker_info look(void) {
  ttb_breaker_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_breaker_explain(&b, 0, now, &i), TTB_OK);
  return i;
}

/* How many calls of this outcome it takes until something happens, 0 if more
 * than most; after so many successes. */
static int takes(int good, int32_t outcome, int most) {
  for (int i = -good; i < most; i++) {
    int64_t t = ttb_breaker_acquire(&b, 0, now);
    assert_true(t >= 0);
    if (ttb_breaker_report(&b, t, i < 0 ? TTB_SUCCESS : outcome, now) > 0) return i + 1;
  }
  return 0;
}

static void test_when_they_open(void **state) {
  (void)state;
  static const struct {
    int32_t preset;
    int good, failures, slow, open_ms, jitter_ms;
  } rows[] = {
      {TTB_BREAKER_PLAIN, 1000, 5, 0, 60000, 0},
      {TTB_BREAKER_RESILIENCE4J, 0, 100, 100, 60001, 0},
      {TTB_BREAKER_RESILIENCE4J, 60, 50, 100, 60001, 0},
      {TTB_BREAKER_GOBREAKER, 1000, 6, 0, 60001, 0},
      {TTB_BREAKER_POLLY, 99, 11, 0, 5000, 0},
      {TTB_BREAKER_FAILSAFE, 1000, 1, 0, 60000, 0},
      {TTB_BREAKER_ENVOY, 1000, 5, 0, 30000, 0},
      {TTB_BREAKER_HYSTRIX, 30, 30, 0, 5001, 0},
      {TTB_BREAKER_HYSTRIX, 0, 20, 0, 5001, 0},
      {TTB_BREAKER_HTTP, 1000, 8, 0, 5000, 1000},
      {TTB_BREAKER_HTTP, 2, 8, 18, 5000, 1000},
      {TTB_BREAKER_DATABASE, 4, 5, 16, 2000, 1000},
      {TTB_BREAKER_CACHE, 1000, 3, 1000, 1000, 200},
      {TTB_BREAKER_SLOW_MODEL, 3, 3, 7, 15000, 3000},
      {TTB_BREAKER_SLOW_MODEL, 0, 3, 6, 15000, 3000},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    start(rows[i].preset);
    assert_int_equal(takes(rows[i].good, TTB_FAILURE, 2000), rows[i].failures);
    assert_in_range(look().retry_after_ms, rows[i].open_ms - rows[i].jitter_ms, rows[i].open_ms);
    start(rows[i].preset);
    assert_int_equal(takes(rows[i].good, TTB_SLOW, 2000), rows[i].slow);
  }
}

static void test_how_they_close(void **state) {
  (void)state;
  static const int successes[] = {0, 1, 10, 1, 1, 1, 1, 1, 5, 3, 5, 1};
  for (int32_t p = TTB_BREAKER_PLAIN; p <= TTB_BREAKER_SLOW_MODEL; p++) {
    start(p);
    assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, now), TTB_OK);
    now += (uint64_t)look().retry_after_ms * MS;
    assert_int_equal(takes(0, TTB_SUCCESS, 100), successes[p]);
    assert_int_equal(look().state, TTB_BREAKER_CLOSED);
  }
}

static void test_envoy_grows(void **state) {
  (void)state;
  static const int lengths[] = {30000, 60000, 120000, 240000, 300000, 300000};
  start(TTB_BREAKER_ENVOY);
  assert_int_equal(takes(0, TTB_FAILURE, 9), 5);
  for (int i = 0; i < 6; i++) {
    assert_int_equal(look().retry_after_ms, lengths[i]);
    now += (uint64_t)lengths[i] * MS;
    assert_int_equal(takes(0, TTB_FAILURE, 9), 1);
  }
}

/* 10 of 20 failed: resilience4j looks after every call, Hystrix every half second, at
 * whatever came last; Polly only at a failure. */
static void test_a_success_completes_the_calls(void **state) {
  (void)state;
  start(TTB_BREAKER_HYSTRIX);
  assert_int_equal(takes(0, TTB_FAILURE, 10), 0);
  assert_int_equal(takes(0, TTB_SUCCESS, 20), 10);
  start(TTB_BREAKER_RESILIENCE4J);
  assert_int_equal(takes(0, TTB_FAILURE, 50), 0);
  assert_int_equal(takes(0, TTB_SUCCESS, 100), 50);
  start(TTB_BREAKER_POLLY);
  assert_int_equal(takes(0, TTB_FAILURE, 50), 0);
  assert_int_equal(takes(0, TTB_SUCCESS, 100), 0);
}

/* So many probes in all, not at a time. */
static void probes_in_all(const ttb_breaker_config *c, int n) {
  int64_t t[16];
  assert_int_equal(ttb_breaker_init(&b, memory, sizeof memory, c), TTB_OK);
  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, now), TTB_OK);
  now += (uint64_t)look().retry_after_ms * MS;
  for (int i = 0; i < n; i++) {
    t[i] = ttb_breaker_acquire(&b, 0, now);
    assert_int_equal(ttb_breaker_is_probe(t[i]), 1);
  }
  for (int i = 0; i < n; i++) {
    assert_int_equal(ttb_breaker_acquire(&b, 0, now), TTB_HALF_OPEN_FULL);
    assert_int_equal(ttb_breaker_report(&b, t[i], TTB_SUCCESS, now),
                     i < n - 1 ? TTB_OK : TTB_BREAKER_RECLOSED);
  }
}

static void test_probes_in_all(void **state) {
  (void)state;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  now = START;
  assert_int_equal(ttb_breaker_preset(TTB_BREAKER_RESILIENCE4J, &c), TTB_OK);
  probes_in_all(&c, 10);
  assert_int_equal(ttb_breaker_preset(TTB_BREAKER_GOBREAKER, &c), TTB_OK);
  c.half_open_probes = c.half_open_successes = 3; /* MaxRequests */
  probes_in_all(&c, 3);
}

/* resilience4j's 60 s are its slow_ms. */
static void test_slow_after_a_minute(void **state) {
  (void)state;
  start(TTB_BREAKER_RESILIENCE4J);
  for (int i = 0; i < 99; i++)
    assert_int_equal(ttb_breaker_report_timed(&b, ttb_breaker_acquire(&b, 0, now), TTB_SUCCESS,
                                              60000 * MS + 1, now),
                     TTB_OK);
  assert_int_equal(look().slow, 99);
  int64_t t = ttb_breaker_acquire(&b, 0, now);
  assert_int_equal(ttb_breaker_report_timed(&b, t, TTB_SUCCESS, 60000 * MS, now), TTB_OK);
  assert_int_equal(look().slow_rate_ppm, 990000);
}

static void test_bad_input(void **state) {
  (void)state;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config), before = c;
  assert_int_equal(ttb_breaker_preset(TTB_BREAKER_PLAIN, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_preset(0, &c), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_preset(TTB_BREAKER_SLOW_MODEL + 1, &c), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_preset(-1, &c), TTB_ERR_RANGE);
  assert_memory_equal(&c, &before, sizeof c);
  c.struct_size = 0;
  assert_int_equal(ttb_breaker_preset(1, &c), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_when_they_open),
      cmocka_unit_test(test_how_they_close),
      cmocka_unit_test(test_envoy_grows),
      cmocka_unit_test(test_a_success_completes_the_calls),
      cmocka_unit_test(test_probes_in_all),
      cmocka_unit_test(test_slow_after_a_minute),
      cmocka_unit_test(test_bad_input),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
