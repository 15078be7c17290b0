/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/limit_aimd.c: the rule alone. */
#include "../../../lib/limiter/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t after(uint32_t limit, uint32_t inflight, bool dropped) {
  const ttb__limit_params p = {.min = 5, .max = 50, .backoff = 900000};
  ttb__limit_state s = {.limit = (uint64_t)limit << 32};
  const ttb__limit_sample x = {.latency = 64, .inflight = inflight, .dropped = dropped};
  ttb__limit_aimd(&p, &s, &x);
  assert_int_equal(s.limit & 0xffffffff, 0); /* I1 */
  return s.limit >> 32;
}

static void test_up(void **state) {
  (void)state;
  assert_int_equal(after(20, 10, false), 21);
  assert_int_equal(after(20, 9, false), 20);
  assert_int_equal(after(21, 11, false), 22);
  assert_int_equal(after(21, 10, false), 21);
  assert_int_equal(after(50, 50, false), 50);
}

static void test_down(void **state) {
  (void)state;
  assert_int_equal(after(20, 0, true), 18);
  assert_int_equal(after(19, 19, true), 17); /* 17.1 */
  assert_int_equal(after(5, 5, true), 5);
  for (uint32_t n = 6; n <= 50; n++) /* as Java's (int)(n * 0.9) */
    assert_int_equal(after(n, n, true), n * 9 / 10 > 5 ? n * 9 / 10 : 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_up), cmocka_unit_test(test_down)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
