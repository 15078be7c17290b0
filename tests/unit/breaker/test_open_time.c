/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/open_time.c: growth, its bound, decay, jitter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/breaker/breaker.h"

#define MS UINT64_C(1000000)
#define START (UINT64_C(5000) * 1000 * MS)

static _Alignas(64) unsigned char memory[65536];
static uint64_t now;

static ttb_breaker made(ttb_breaker_config c) {
  ttb_breaker b;
  c.consecutive = c.consecutive ? c.consecutive : 1;
  assert_int_equal(ttb_breaker_init(&b, memory, sizeof memory, &c), TTB_OK);
  now = START;
  (void)ttb_breaker_peek(&b, 0, now);
  return b;
}

static ttb_breaker_config growing(uint32_t open_ms, int32_t growth_ppm, uint32_t max_ms) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.failure_rate_ppm = TTB_OFF;
  c.open_ms = open_ms, c.open_growth_ppm = growth_ppm, c.open_max_ms = max_ms;
  return c;
}

static ttb_breaker_info look(ttb_breaker *b) {
  ttb_breaker_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_breaker_explain(b, 0, now, &i), TTB_OK);
  return i;
}

/* One call; how long the breaker is open then. */
static int64_t call(ttb_breaker *b, int32_t outcome) {
  int64_t t = ttb_breaker_acquire(b, 0, now);
  assert_true(t >= 0);
  assert_true(ttb_breaker_report(b, t, outcome, now) >= 0);
  return look(b).retry_after_ms;
}

/* The end of the open time, to the millisecond. */
static void wait_for(ttb_breaker *b, int64_t ms) {
  now += (uint64_t)(ms - 1) * MS;
  assert_int_equal(ttb_breaker_acquire(b, 0, now), TTB_OPEN);
  now += MS;
  assert_int_equal(ttb_breaker_peek(b, 0, now), TTB_OK);
}

static void test_without_growth(void **state) {
  (void)state;
  ttb_breaker b = made(growing(5000, 0, 0));
  for (int i = 0; i < 40; i++) {
    assert_int_equal(call(&b, TTB_FAILURE), 5000);
    assert_int_equal(look(&b).open_step, 0);
    wait_for(&b, 5000);
  }
}

/* resilience4j's exponential function with its default 1.5; Envoy's cap. */
static void test_growth_and_bound(void **state) {
  (void)state;
  static const int64_t lengths[] = {5000, 7500, 11250, 16875, 20000, 20000, 20000};
  ttb_breaker b = made(growing(5000, 1500000, 20000));
  for (uint32_t i = 0; i < 7; i++) {
    assert_int_equal(call(&b, TTB_FAILURE), lengths[i]);
    assert_int_equal(look(&b).open_step, i < 4 ? i : 4);
    wait_for(&b, lengths[i]);
  }
}

static void test_small_growth_of_a_small_time(void **state) {
  (void)state;
  ttb_breaker b = made(growing(1, 1000001, 100));
  for (int64_t i = 1; i < 50; i++) {
    assert_int_equal(call(&b, TTB_FAILURE), i <= 16 ? i : 16); /* 15 steps are all there are */
    wait_for(&b, i <= 16 ? i : 16);
  }
}

static void test_the_largest(void **state) {
  (void)state;
  ttb_breaker b = made(growing(3599999, 100000000, 3600000));
  assert_int_equal(call(&b, TTB_FAILURE), 3599999);
  wait_for(&b, 3599999);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(call(&b, TTB_FAILURE), 3600000);
    wait_for(&b, 3600000);
  }
}

/* The next opening soon after closing goes on from there; each open_decay_ms
 * closed takes one step back. */
static void test_decay(void **state) {
  (void)state;
  static const struct {
    uint64_t closed_ms;
    int64_t length;
  } cases[] = {{0, 8000}, {999, 8000}, {1000, 4000}, {1999, 4000}, {2000, 2000}, {3000, 1000},
               {999000, 1000}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ttb_breaker_config c = growing(1000, 2000000, 60000);
    c.open_decay_ms = 1000;
    ttb_breaker b = made(c);
    for (int k = 0; k < 3; k++) wait_for(&b, call(&b, TTB_FAILURE)); /* 1, 2, 4 s */
    assert_int_equal(call(&b, TTB_SUCCESS), 0);
    assert_int_equal(look(&b).state, TTB_BREAKER_CLOSED);
    assert_int_equal(look(&b).open_step, 3);
    now += cases[i].closed_ms * MS;
    assert_int_equal(call(&b, TTB_FAILURE), cases[i].length);
  }
}

/* A fixed window that is over takes with it what has decayed in it. */
static void test_decay_over_fixed_windows(void **state) {
  (void)state;
  ttb_breaker_config c = growing(1000, 2000000, 60000);
  c.failure_rate_ppm = 500000;
  c.window_ms = 10000;
  c.open_decay_ms = 10000;
  c.flags = TTB_BREAKER_FIXED_WINDOW;
  ttb_breaker b = made(c);
  for (int k = 0; k < 3; k++) wait_for(&b, call(&b, TTB_FAILURE));
  assert_int_equal(call(&b, TTB_SUCCESS), 0);
  for (uint32_t s = 0; s < 50; s++) {
    uint32_t windows = s / 11; /* one begins with the first call after 10 s */
    assert_int_equal(call(&b, TTB_SUCCESS), 0);
    if (s % 11 != 10) assert_int_equal(look(&b).open_step, windows < 3 ? 3 - windows : 0);
    now += 1000 * MS;
  }
}

static void test_closing_forgets_if_decay_is_off(void **state) {
  (void)state;
  ttb_breaker_config c = growing(1000, 2000000, 60000);
  c.open_decay_ms = TTB_OFF;
  ttb_breaker b = made(c);
  for (int k = 0; k < 3; k++) wait_for(&b, call(&b, TTB_FAILURE));
  assert_int_equal(call(&b, TTB_SUCCESS), 0);
  assert_int_equal(look(&b).open_step, 0);
  assert_int_equal(call(&b, TTB_FAILURE), 1000);
}

/* A late caller (I4) who opens it does not make a year of a moment. */
static void test_decay_and_a_late_caller(void **state) {
  (void)state;
  ttb_breaker_config c = growing(1000, 2000000, 60000);
  c.open_decay_ms = 1;
  ttb_breaker b = made(c);
  const ttb__breaker *in = ttb__breaker_of(&b);
  uint64_t w = ttb__with_step(ttb__state(9, TTB_BREAKER_CLOSED, 1000000), 5);
  assert_int_equal(ttb__breaker_step_to_open(in, w, 1000000), 5);
  assert_int_equal(ttb__breaker_step_to_open(in, w, 1000000 - 1), 5);
  assert_int_equal(ttb__breaker_step_to_open(in, w, 1000000 - TTB__LAG_MS), 5);
  assert_int_equal(ttb__breaker_step_to_open(in, w, 1000004), 1);
  assert_int_equal(ttb__breaker_step_to_open(in, w, UINT64_C(1) << 35), 0);
}

static void test_by_hand(void **state) {
  (void)state;
  ttb_breaker b = made(growing(1000, 2000000, 60000));
  for (int i = 0; i < 3; i++) { /* opening an open one begins its time anew */
    assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, now), TTB_OK);
    assert_int_equal(look(&b).retry_after_ms, 1000);
  }
  wait_for(&b, 1000);
  assert_true(ttb_breaker_acquire(&b, 0, now) >= 0);
  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, now), TTB_OK); /* as a failed probe */
  assert_int_equal(look(&b).retry_after_ms, 2000);
  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, now), TTB_OK); /* a reset */
  assert_int_equal(look(&b).open_step, 0);
  assert_int_equal(call(&b, TTB_FAILURE), 1000);
}

/* For a time of its own: the step is kept, but for what has decayed by then. */
static void test_by_hand_after_decay(void **state) {
  (void)state;
  for (int closed = 0; closed <= 3; closed++) {
    ttb_breaker_config c = growing(1000, 2000000, 60000);
    c.open_decay_ms = 1000;
    ttb_breaker b = made(c);
    for (int k = 0; k < 2; k++) wait_for(&b, call(&b, TTB_FAILURE)); /* 1, 2 s */
    assert_int_equal(call(&b, TTB_SUCCESS), 0);
    now += (uint64_t)closed * 1000 * MS;
    assert_int_equal(ttb_breaker_open_for(&b, 0, 7000, now), TTB_OK);
    uint32_t step = closed < 2 ? 2 - (uint32_t)closed : 0;
    assert_int_equal(look(&b).open_step, step);
    wait_for(&b, 7000);
    assert_true(ttb_breaker_acquire(&b, 0, now) >= 0);
    assert_int_equal(ttb_breaker_open_for(&b, 0, 7000, now), TTB_OK); /* no failed probe */
    assert_int_equal(look(&b).open_step, step);
  }
}

static void test_open_ends_after(void **state) {
  (void)state;
  ttb_breaker_config c = growing(1000, 0, 0);
  c.flags = TTB_BREAKER_OPEN_AFTER;
  ttb_breaker b = made(c);
  assert_int_equal(call(&b, TTB_FAILURE), 1001);
  now += 1000 * MS;
  assert_int_equal(ttb_breaker_acquire(&b, 0, now), TTB_OPEN);
  now += MS;
  assert_int_equal(ttb_breaker_is_probe(ttb_breaker_acquire(&b, 0, now)), 1);
}

/* Within (length - share, length], all over it, the same from the same seed. */
static void test_jitter(void **state) {
  (void)state;
  int64_t first[200], sum = 0, least = INT64_MAX, most = 0;
  for (int turn = 0; turn < 3; turn++) {
    ttb_breaker_config c = growing(1000, 0, 0);
    c.open_jitter_ppm = 500000, c.seed = turn < 2 ? 7 : 8;
    ttb_breaker b = made(c);
    int same = 0;
    for (int i = 0; i < 200; i++) {
      int64_t length = call(&b, TTB_FAILURE);
      assert_true(length >= 500 && length <= 1000);
      wait_for(&b, length);
      if (turn == 0) {
        first[i] = length, sum += length;
        least = length < least ? length : least, most = length > most ? length : most;
      }
      same += first[i] == length;
    }
    assert_true(turn == 2 ? same < 10 : same == 200);
  }
  assert_true(sum > 200 * 720 && sum < 200 * 780); /* the mean, 750, within 3 sigma */
  assert_true(least < 520 && most > 980);
}

static void test_jitter_of_slots_differs(void **state) {
  (void)state;
  ttb_breaker_config c = growing(10000, 0, 0);
  c.open_jitter_ppm = 1000000, c.capacity = 32;
  ttb_breaker b = made(c);
  int same = 0;
  int64_t last = 0;
  for (uint32_t slot = 0; slot < 32; slot++) {
    ttb_breaker_info i = {.struct_size = sizeof i};
    assert_int_equal(ttb_breaker_set(&b, slot, TTB_BREAKER_OPEN, now), TTB_OK);
    assert_int_equal(ttb_breaker_explain(&b, slot, now, &i), TTB_OK);
    assert_true(i.retry_after_ms >= 1 && i.retry_after_ms <= 10000); /* never not at all */
    same += i.retry_after_ms == last;
    last = i.retry_after_ms;
  }
  assert_true(same <= 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_without_growth),
      cmocka_unit_test(test_growth_and_bound),
      cmocka_unit_test(test_small_growth_of_a_small_time),
      cmocka_unit_test(test_the_largest),
      cmocka_unit_test(test_decay),
      cmocka_unit_test(test_decay_over_fixed_windows),
      cmocka_unit_test(test_closing_forgets_if_decay_is_off),
      cmocka_unit_test(test_decay_and_a_late_caller),
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_by_hand_after_decay),
      cmocka_unit_test(test_open_ends_after),
      cmocka_unit_test(test_jitter),
      cmocka_unit_test(test_jitter_of_slots_differs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
