/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/backoff.c: steps, jitters, bounds. */
#include "../../../lib/limiter/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)

static ttb_limiter_backoff_config config(uint32_t jitter) {
  ttb_limiter_backoff_config c = TTB_CONFIG(ttb_limiter_backoff_config);
  c.jitter = jitter;
  c.base_ms = 100;
  c.cap_ms = 3000;
  return c;
}

static void test_steps(void **state) {
  (void)state;
  const int64_t steps[] = {100, 200, 400, 800, 1600, 3000, 3000};
  ttb_limiter_backoff_config c = config(TTB_BACKOFF_NONE);
  for (uint32_t i = 0; i < 7; i++) assert_int_equal(ttb_limiter_backoff_ms(&c, i, 0), steps[i]);
  assert_int_equal(ttb_limiter_backoff_ms(&c, UINT32_MAX, UINT64_MAX), 3000);
  c.base_ms = 3600000;
  c.cap_ms = 86400000;
  assert_int_equal(ttb_limiter_backoff_ms(&c, 31, 0), 86400000);
  c = TTB_CONFIG(ttb_limiter_backoff_config);
  c.jitter = TTB_BACKOFF_NONE;
  assert_int_equal(ttb_limiter_backoff_ms(&c, 0, 0), 100);
  assert_int_equal(ttb_limiter_backoff_ms(&c, 40, 0), 20000);
}

/* Each jitter's bounds, and that it gets near to both. */
static void bounds(uint32_t jitter, uint32_t attempt, uint64_t previous, int64_t from, int64_t to) {
  int64_t least = INT64_MAX, most = -1;
  for (uint64_t seed = 0; seed < 3000; seed++) {
    ttb_limiter_backoff_config c = config(jitter);
    c.seed = seed;
    int64_t ms = ttb_limiter_backoff_ms(&c, attempt, previous);
    assert_int_equal(ms, ttb_limiter_backoff_ms(&c, attempt, previous));
    if (ms < least) least = ms;
    if (ms > most) most = ms;
  }
  int64_t slack = (to - from) / 100;
  assert_in_range(least, from, from + slack);
  assert_in_range(most, to - slack, to);
}

static void test_jitters(void **state) {
  (void)state;
  bounds(TTB_BACKOFF_FULL, 0, 0, 0, 100);
  bounds(TTB_BACKOFF_FULL, 3, 0, 0, 800);
  bounds(TTB_BACKOFF_FULL, 30, 0, 0, 3000);
  bounds(TTB_BACKOFF_EQUAL, 3, 0, 400, 800);
  bounds(TTB_BACKOFF_EQUAL, 3000, 0, 1500, 3000);
  bounds(TTB_BACKOFF_DECORRELATED, 0, 0, 100, 300);
  bounds(TTB_BACKOFF_DECORRELATED, 1, 300, 100, 900);
  bounds(TTB_BACKOFF_DECORRELATED, 9, 2999, 100, 3000);
  bounds(TTB_BACKOFF_DECORRELATED, 9, UINT64_MAX, 100, 3000);
}

/* Three times the last wait, also where the cap is no multiple of three. */
static void test_three_times(void **state) {
  (void)state;
  ttb_limiter_backoff_config c = config(TTB_BACKOFF_DECORRELATED);
  c.base_ms = 1;
  for (c.cap_ms = 9; c.cap_ms < 12; c.cap_ms++)
    for (uint64_t previous = 0; previous < 6; previous++) {
      int64_t most = 0, want = previous > 1 ? 3 * (int64_t)previous : 3;
      for (c.seed = 0; c.seed < 300; c.seed++) {
        int64_t ms = ttb_limiter_backoff_ms(&c, 1, previous);
        if (ms > most) most = ms;
      }
      assert_int_equal(most, want < c.cap_ms ? want : c.cap_ms);
    }
}

static void test_bad_input(void **state) {
  (void)state;
  ttb_limiter_backoff_config c = config(5);
  ttb_detail d = {.struct_size = sizeof d};
  assert_int_equal(ttb_limiter_backoff_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "jitter");
  assert_int_equal(ttb_limiter_backoff_ms(&c, 0, 0), TTB_ERR_RANGE);
  c = config(0);
  c.cap_ms = 99;
  assert_int_equal(ttb_limiter_backoff_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "cap_ms");
  assert_int_equal(ttb_limiter_backoff_ms(&c, 0, 0), TTB_ERR_RANGE);
  c.base_ms = c.cap_ms = 1;
  assert_in_range(ttb_limiter_backoff_ms(&c, 0, 0), 0, 1);
  c.struct_size = 1;
  assert_int_equal(ttb_limiter_backoff_ms(&c, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_backoff_ms(NULL, 0, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_backoff_check(NULL, NULL), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steps),
      cmocka_unit_test(test_jitters),
      cmocka_unit_test(test_three_times),
      cmocka_unit_test(test_bad_input),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
