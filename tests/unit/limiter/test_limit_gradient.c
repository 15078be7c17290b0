/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/limit_gradient.c: the rule alone. */
#include "../../../lib/limiter/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CALLS(n) ((uint64_t)(n) << 32)

static ttb__limit_params p;
static ttb__limit_state s;
static uint64_t now;

static int setup(void **state) {
  (void)state;
  p = (ttb__limit_params){.seed = 1, .min = 3, .max = 1000, .u.gradient = {250000, 60000, 150000}};
  s = (ttb__limit_state){.limit = CALLS(3), .measuring = true};
  now = 1000000;
  return 0;
}
static uint64_t told(uint64_t latency) {
  const ttb__limit_sample x = {.latency = latency, .now_ms = now, .inflight = 1};
  ttb__limit_gradient(&p, &s, &x);
  assert_int_equal(s.limit & 0xffffffff, 0); /* I2 */
  return s.limit >> 32;
}

/* 3, then 3 * 1.25 + sqrt(3.75) = 5.69, ... */
static void test_grows(void **state) {
  (void)state;
  assert_int_equal(told(5000), 3);
  assert_false(s.measuring);
  const uint64_t steps[] = {5, 8, 13, 20, 30};
  for (int i = 0; i < 5; i++) assert_int_equal(told(5000), steps[i]);
  for (int i = 0; i < 30; i++) told(5000);
  assert_int_equal(s.limit, CALLS(1000));
  assert_int_equal(told(10000), 650); /* 625 + 25 */
  assert_int_equal(told(1000000), 343); /* 325 + 18.03 */
  assert_int_equal(told(0), 343);
}

static void test_five_at_min(void **state) {
  (void)state;
  told(5000);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(told(100000), 3);
    assert_false(s.measuring);
  }
  assert_int_equal(told(100000), 3);
  assert_true(s.measuring);
  assert_int_equal(told(100000), 3);
  assert_false(s.measuring);
  assert_int_equal(told(100000), 5);
}

/* Every measure_ms, later by up to the jitter; goes on from where it was. */
static void test_time(void **state) {
  (void)state;
  uint64_t seen[8], differ = 0;
  told(5000);
  for (int k = 0; k < 8; k++) {
    uint64_t from = now, was = 0;
    while (!s.measuring && now < from + 100000) was = s.limit, now += 10, told(6250);
    seen[k] = now - from;
    assert_in_range(seen[k], 60000, 69010);
    differ += seen[k] != seen[0];
    assert_int_equal(s.limit, CALLS(3));
    told(5000);
    assert_false(s.measuring);
    assert_true(s.limit >= was);
  }
  assert_true(differ >= 6);
  now += UINT64_C(1) << 39; /* a clock from elsewhere begins one at once */
  told(5000);
  assert_true(s.measuring);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_grows, setup),
      cmocka_unit_test_setup(test_five_at_min, setup),
      cmocka_unit_test_setup(test_time, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
