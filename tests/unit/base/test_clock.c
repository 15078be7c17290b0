/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/clock.{h,c}: the clock rule, jump by jump. */
#include "../../../lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define START TTB__CLOCK_START
#define DAY UINT64_C(86400000)

static ttb__clock clock_words;
static ttb__clock *c = &clock_words;

/* Virtual ms since the first call, at this time of the caller's clock. */
static uint64_t at(uint64_t ms) { return ttb__clock_now(c, ms * 1000000) - START; }
static uint64_t look(uint64_t ms) { return ttb__clock_peek(c, ms * 1000000) - START; }
static uint64_t adoptions(void) { return ttb__load_rlx(&c->adoptions); }

static int fresh(void **state) {
  (void)state;
  memset(c, 0, sizeof *c);
  return 0;
}

static void test_first_call(void **state) {
  (void)state;
  assert_int_equal(sizeof(ttb__clock), 64);
  assert_int_equal(look(123456), 0); /* looking begins nothing */
  assert_int_equal(ttb__load_rlx(&c->last), 0);
  assert_int_equal(at(123456), 0);
  assert_int_equal(ttb__load_rlx(&c->last), START);
  assert_int_equal(adoptions(), 0);
}

static void test_forward(void **state) {
  (void)state;
  at(5000);
  assert_int_equal(at(5000), 0);
  assert_int_equal(ttb__clock_now(c, 5000999999) - START, 0); /* ms are whole */
  assert_int_equal(at(5001), 1);
  assert_int_equal(at(6001), 1001);
  assert_int_equal(at(6001 + 60000), 61001);
  assert_int_equal(at(6001 + 60000 + DAY), 61001 + DAY); /* an idle day */
  assert_int_equal(adoptions(), 0);
}

static void test_idle_to_the_limit(void **state) {
  (void)state;
  at(0);
  assert_int_equal(at(TTB__MAX_SKIP_MS), TTB__MAX_SKIP_MS);
  assert_int_equal(adoptions(), 0);
  assert_int_equal(at(2 * TTB__MAX_SKIP_MS + 1), 2 * TTB__MAX_SKIP_MS); /* cut short by 1 */
  assert_int_equal(adoptions(), 1);
  assert_int_equal(at(2 * TTB__MAX_SKIP_MS + 2), 2 * TTB__MAX_SKIP_MS + 1); /* and goes on */
  assert_int_equal(adoptions(), 1);
}

static void test_back_a_little_stands(void **state) {
  (void)state;
  at(10000);
  assert_int_equal(at(12000), 2000);
  assert_int_equal(at(11999), 2000);
  assert_int_equal(at(11000), 2000); /* 1000 ms: still jitter */
  assert_int_equal(look(11000), 2000);
  assert_int_equal(at(12001), 2001);
  assert_int_equal(adoptions(), 0);
  assert_int_equal(ttb__load_rlx(&c->late), 0);
}

/* Another boot: nobody has a better clock, so after a second it rules. */
static void test_back_for_good(void **state) {
  (void)state;
  at(50 * DAY);
  assert_int_equal(at(50 * DAY + 2000), 2000);
  assert_int_equal(at(7000), 2000);
  assert_int_equal(at(7500), 2000);
  assert_int_equal(look(8000), 2000);
  assert_int_equal(at(8000), 2000); /* exactly a second: not yet */
  assert_int_equal(adoptions(), 0);
  assert_int_equal(look(8001), 3001); /* looking ahead adopts nothing */
  assert_int_equal(adoptions(), 0);
  assert_int_equal(at(8001), 3001); /* no ms is lost */
  assert_int_equal(adoptions(), 1);
  assert_int_equal(at(8002), 3002);
  assert_int_equal(at(18002), 13002);
  assert_int_equal(adoptions(), 1);
}

static void test_back_for_good_with_rare_calls(void **state) {
  (void)state;
  at(100000);
  assert_int_equal(at(50000), 0);
  assert_int_equal(at(55000), 5000); /* what was to last 5 s is over */
  assert_int_equal(adoptions(), 1);
}

static void test_back_to_zero(void **state) {
  (void)state;
  at(DAY);
  assert_int_equal(at(0), 0);
  assert_int_equal(at(0), 0);
  assert_int_equal(at(1000), 0);
  assert_int_equal(at(1001), 1001);
  assert_int_equal(adoptions(), 1);
}

/* One caller whose time is 3 s old, among others: time neither stops nor runs. */
static void test_a_late_caller_among_others(void **state) {
  (void)state;
  at(100000);
  for (uint64_t t = 1; t < 100000; t++) {
    assert_int_equal(at(100000 + t), t);
    if (t % 3 == 0) assert_int_equal(at(97000 + t), t);
  }
  assert_int_equal(adoptions(), 0);
}

/* Event loops that cached the time 2, 5, 9 and 100 s ago, each beside the right
 * one: time is what the right ones say. */
static void test_many_late_callers(void **state) {
  (void)state;
  const uint64_t late[] = {2000, 5000, 9000, 100000};
  at(1000000);
  for (uint64_t t = 1; t < 60000; t++) {
    assert_int_equal(at(1000000 + t), t);
    assert_int_equal(at(1000000 + t - late[(t * t + t / 7) % 4]), t);
  }
  /* Ever later ones in a row do not matter either. */
  for (uint64_t t = 60000; t < 90000; t++) {
    assert_int_equal(at(1000000 + t), t);
    for (int i = 0; i < 4; i++) assert_int_equal(at(1000000 + t - late[i]), t);
  }
  assert_int_equal(adoptions(), 0);
}

/* The limit stated in clock.h: these cannot be told from a clock that went back
 * and on. */
static void test_two_late_callers_in_a_row(void **state) {
  (void)state;
  at(1000000);
  assert_int_equal(at(995000), 0);
  assert_int_equal(at(998000), 3000);
  assert_int_equal(adoptions(), 1);
}

/* Two groups, one 2 s late for ever, each silent for seconds in turn. */
static void test_two_domains_in_turn(void **state) {
  (void)state;
  uint64_t last = 0;
  at(1000000);
  for (uint64_t t = 1; t < 600000; t++) {
    uint64_t got = at(1000000 + t - (t / 5000 % 2 ? 2000 : 0));
    assert_true(got >= last);
    assert_true(got <= t);          /* never runs */
    assert_true(got + 2000 >= t / 2); /* never stops for good */
    last = got;
  }
}

/* A clock that jumps ahead and comes back is a new domain twice; time has
 * advanced by the jump once. */
static void test_ahead_and_back(void **state) {
  (void)state;
  at(100000);
  assert_int_equal(at(200000), 100000);
  assert_int_equal(at(100001), 100000);
  assert_int_equal(at(101002), 101001);
  assert_int_equal(at(101003), 101002);
  assert_int_equal(adoptions(), 1);
}

/* Callers that alternate between 0 and the largest time there is: time advances
 * by one skip at the most, and then stands. */
static void test_wild_values(void **state) {
  (void)state;
  assert_int_equal(ttb__clock_now(c, 0) - START, 0);
  assert_int_equal(ttb__clock_now(c, UINT64_MAX) - START, TTB__MAX_SKIP_MS);
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(ttb__clock_now(c, 0) - START, TTB__MAX_SKIP_MS);
    assert_int_equal(ttb__clock_now(c, UINT64_MAX) - START, TTB__MAX_SKIP_MS);
  }
  assert_int_equal(ttb__clock_now(c, UINT64_MAX) - START, TTB__MAX_SKIP_MS);
  assert_int_equal(ttb__clock_peek(c, 0) - START, TTB__MAX_SKIP_MS);
  assert_int_equal(adoptions(), 1);
}

static void test_begins_at_the_end_of_time(void **state) {
  (void)state;
  assert_int_equal(ttb__clock_now(c, UINT64_MAX) - START, 0);
  assert_int_equal(ttb__clock_now(c, 0) - START, 0);
  assert_int_equal(ttb__clock_now(c, 2000000000) - START, 2000);
  assert_int_equal(ttb__clock_now(c, 2001000000) - START, 2001);
}

/* Words left by a kill at any store, or scribbled by a neighbour: time goes
 * forward from wherever it is, and no call hangs. */
static void test_any_words(void **state) {
  (void)state;
  uint64_t x = 7;
  for (int i = 0; i < 100000; i++) {
    uint64_t *words[] = {(uint64_t *)&c->last, (uint64_t *)&c->offset, (uint64_t *)&c->before,
                         (uint64_t *)&c->late};
    for (int k = 0; k < 4; k++) {
      x = x * UINT64_C(6364136223846793005) + 1;
      if (x >> 62 == 0) memcpy(words[k], &x, 8);
      if (x >> 62 == 1) memset(words[k], 0, 8);
    }
    x = x * UINT64_C(6364136223846793005) + 1;
    uint64_t now = x >> (x & 31), seen = ttb__clock_peek(c, now), got = ttb__clock_now(c, now);
    assert_true(got == seen);
    assert_true(ttb__clock_now(c, now) - got <= TTB__MAX_SKIP_MS);
  }
}

static void test_peek_is_now_without_traces(void **state) {
  (void)state;
  uint64_t x = 1, ms = 5000000;
  at(ms);
  for (int i = 0; i < 100000; i++) {
    x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
    switch (x >> 61) {
    case 0: ms += x >> 40 & 0xfffff; break;
    case 1: ms -= x >> 40 & 0xfff; break;
    default: ms += x >> 60 & 1;
    }
    ttb__clock before = *c;
    uint64_t seen = ttb__clock_peek(c, ms * 1000000);
    assert_memory_equal(&before, c, sizeof before);
    assert_true(ttb__clock_now(c, ms * 1000000) == seen);
  }
}

/* Only forward, whatever a caller does. */
static void test_monotonic(void **state) {
  (void)state;
  uint64_t x = 3, ms = 100000000, last = 0;
  for (int i = 0; i < 300000; i++) {
    x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
    uint64_t by = x >> 8 & ((UINT64_C(1) << (x >> 58)) - 1) & 0xffffffff;
    ms = x >> 57 & 1 ? ms + by : ms - by % (ms + 1);
    if (ms > UINT64_MAX / 1000000) ms = 0;
    uint64_t v = ttb__clock_now(c, ms * 1000000);
    assert_true(v >= last);
    assert_true(last == 0 || v - last <= TTB__MAX_SKIP_MS);
    last = v;
  }
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, fresh)
  const struct CMUnitTest tests[] = {
      T(test_first_call),
      T(test_forward),
      T(test_idle_to_the_limit),
      T(test_back_a_little_stands),
      T(test_back_for_good),
      T(test_back_for_good_with_rare_calls),
      T(test_back_to_zero),
      T(test_a_late_caller_among_others),
      T(test_many_late_callers),
      T(test_two_late_callers_in_a_row),
      T(test_two_domains_in_turn),
      T(test_ahead_and_back),
      T(test_wild_values),
      T(test_begins_at_the_end_of_time),
      T(test_any_words),
      T(test_peek_is_now_without_traces),
      T(test_monotonic),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
