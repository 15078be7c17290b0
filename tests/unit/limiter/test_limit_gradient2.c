/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/limit_gradient2.c: the rule alone. */
#include "../../../lib/limiter/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CALLS(n) ((uint64_t)(n) << 32)

static ttb__limit_params p;
static ttb__limit_state s;

static int setup(void **state) {
  (void)state;
  p = (ttb__limit_params){.min = 20, .max = 200, .smoothing = 200000,
                          .u.gradient2 = {4, 600, 1500000}};
  s = (ttb__limit_state){.limit = CALLS(100)};
  return 0;
}
static uint64_t told(uint64_t latency, uint32_t inflight) {
  const ttb__limit_sample x = {.latency = latency, .inflight = inflight};
  ttb__limit_gradient2(&p, &s, &x);
  return s.limit;
}

/* The mean of ten, then 2/601 of the way. */
static void test_long(void **state) {
  (void)state;
  for (uint64_t i = 1; i <= 10; i++) {
    told(600000 + i * 1000, 0);
    assert_int_equal(ttb__limit_gradient2_long(s.a), 600000 + (i + 1) * 500);
  }
  told(605500 + 6010, 0);
  assert_in_range(ttb__limit_gradient2_long(s.a), 605519, 605520);
  for (int i = 0; i < 5000; i++) told(900000, 0);
  assert_in_range(ttb__limit_gradient2_long(s.a), 899990, 900000);
}

/* More than twice the latency: 5 % less a sample. */
static void test_forgets(void **state) {
  (void)state;
  for (int i = 0; i < 10; i++) told(1000000, 0);
  told(500000, 0); /* twice, less a little */
  uint64_t before = ttb__limit_gradient2_long(s.a);
  assert_true(before > 998000);
  told(400000, 0);
  uint64_t mean = before - 2 * (before - 400000) / 601;
  assert_in_range(ttb__limit_gradient2_long(s.a), mean * 95 / 100 - 2, mean * 95 / 100 + 2);
}

static void test_limit(void **state) {
  (void)state;
  assert_int_equal(told(1000, 100), CALLS(100) + CALLS(4) / 5 + 1); /* + 0.8, to the nearest */
  setup(NULL);
  assert_int_equal(told(1000, 49), CALLS(100)); /* not half used */
  assert_int_equal(told(0, 100), CALLS(100));   /* nothing came back */
  setup(NULL);
  for (int i = 0; i < 10; i++) told(1000, 0);
  s.limit = CALLS(100);
  told(100000, 100); /* half at the least: 0.8 * 100 + 0.2 * (50 + 4) */
  assert_in_range(s.limit, CALLS(90) + CALLS(4) / 5 - 9, CALLS(90) + CALLS(4) / 5 + 9);
  for (int i = 0; i < 100; i++) told(100000 << (i > 30 ? 0 : 1), 200);
  assert_in_range(s.limit, CALLS(20), CALLS(200));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_long, setup),
      cmocka_unit_test_setup(test_forgets, setup),
      cmocka_unit_test_setup(test_limit, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
