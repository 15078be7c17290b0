/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/limit_vegas.c: the rule alone. */
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
  p = (ttb__limit_params){.seed = 1, .min = 1, .max = 1000, .smoothing = 1000000,
                          .u.vegas = {3, 6}};
  s = (ttb__limit_state){.limit = CALLS(100), .a = 1000};
  return 0;
}
static uint64_t after(uint64_t latency, uint32_t inflight, bool dropped) {
  ttb__limit_state t = s;
  const ttb__limit_sample x = {.latency = latency, .inflight = inflight, .dropped = dropped};
  ttb__limit_vegas(&p, &t, &x);
  return t.limit;
}

static void test_log10(void **state) {
  (void)state;
  assert_int_equal(ttb__limit_log10(0), 1);
  assert_int_equal(ttb__limit_log10(CALLS(99)), 1);
  assert_int_equal(ttb__limit_log10(CALLS(100) - 1), 1);
  assert_int_equal(ttb__limit_log10(CALLS(100)), 2);
  assert_int_equal(ttb__limit_log10(CALLS(1000)), 3);
  assert_int_equal(ttb__limit_log10(CALLS(32767)), 4);
}

/* log10 is 2, so alpha is 6 and beta 12. */
static void test_queue(void **state) {
  (void)state;
  assert_int_equal(after(1000, 60, false), CALLS(112)); /* none */
  assert_int_equal(after(1020, 60, false), CALLS(112)); /* 1.96: 2 */
  assert_int_equal(after(1021, 60, false), CALLS(102)); /* 2.06: 3 */
  assert_int_equal(after(1052, 60, false), CALLS(102)); /* 5 */
  assert_int_equal(after(1054, 60, false), CALLS(100)); /* 6: neither */
  assert_int_equal(after(1136, 60, false), CALLS(100)); /* 12 */
  assert_int_equal(after(1137, 60, false), CALLS(98));  /* 13 */
  assert_int_equal(after(5000, 60, false), CALLS(98));
  assert_int_equal(after(5000, 49, false), CALLS(100)); /* not half used */
  assert_int_equal(after(1000, 49, true), CALLS(98));   /* a drop counts anyhow */
  assert_int_equal(after(0, 0, true), CALLS(98));       /* nothing but drops */
  assert_int_equal(after(0, 99, false), CALLS(100));
}

static void test_bounds(void **state) {
  (void)state;
  s.limit = CALLS(995);
  assert_int_equal(after(1000, 995, false), CALLS(1000));
  s.limit = CALLS(1);
  assert_int_equal(after(9000, 1, true), CALLS(1));
  p.smoothing = 500000;
  p.backoff = 500000;
  s.limit = CALLS(100);
  assert_int_equal(after(9000, 100, false), CALLS(75));
}

static void test_least(void **state) {
  (void)state;
  const ttb__limit_sample less = {.latency = 900, .inflight = 100};
  ttb__limit_vegas(&p, &s, &less);
  assert_int_equal(s.a, 900);
  assert_int_equal(s.limit, CALLS(100)); /* I1 */
}

/* Forgotten after 30 * limit samples, times 0.5 to 1; each time another. */
static void test_forgets(void **state) {
  (void)state;
  const ttb__limit_sample worse = {.latency = 1100, .inflight = 1};
  uint32_t first = 0, spread = 0;
  for (int round = 0; round < 20; round++) {
    uint32_t n = 0;
    s.a = 1000;
    while (s.a == 1000 && n < 4000) ttb__limit_vegas(&p, &s, &worse), n++;
    assert_in_range(n, 1500, 3000);
    if (round == 0) first = n;
    spread += n != first;
  }
  assert_true(spread >= 15);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_log10, setup), cmocka_unit_test_setup(test_queue, setup),
      cmocka_unit_test_setup(test_bounds, setup), cmocka_unit_test_setup(test_least, setup),
      cmocka_unit_test_setup(test_forgets, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
