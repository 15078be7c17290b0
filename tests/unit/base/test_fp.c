/* SPDX-License-Identifier: MIT */
/* base/fp.h: the integer form gives the bits of the machine's double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "../../../lib/base/fp.h"

static uint64_t state = 7;
static uint64_t draw(void) {
  uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (z ^ (z >> 31)) >> (z >> 3 & 63); /* all magnitudes */
}

static void test_known_values(void **unused) {
  (void)unused;
  uint64_t seven = ttb__soft_int(7), hundred = ttb__soft_int(100);
  assert_true(ttb__soft_int(1) == TTB__SOFT_ONE);
  assert_true(seven == UINT64_C(0x401c000000000000));
  assert_true(ttb__soft_div(seven, hundred) == UINT64_C(0x3fb1eb851eb851ec)); /* 0.07 */
  /* 0.07 * 100 lies above 7. */
  uint64_t x = ttb__soft_mul(ttb__soft_div(seven, hundred), hundred);
  assert_true(x == UINT64_C(0x401c000000000001));
  assert_int_equal(ttb__soft_to_int(x, true), 8);
  assert_int_equal(ttb__soft_to_int(x, false), 7);
  /* 1 + 0.1 is the double next to 11/10, 1 - 0.1 that next to 9/10. */
  uint64_t tenth = ttb__soft_div(ttb__soft_int(1), ttb__soft_int(10));
  assert_true(ttb__soft_sum(TTB__SOFT_ONE, tenth, false) ==
              ttb__soft_div(ttb__soft_int(11), ttb__soft_int(10)));
  assert_true(ttb__soft_sum(TTB__SOFT_ONE, tenth, true) ==
              ttb__soft_div(ttb__soft_int(9), ttb__soft_int(10)));
  /* Ties go to even, carries reach the exponent. */
  assert_true(ttb__soft_int((UINT64_C(1) << 53) + 1) == ttb__soft_int(UINT64_C(1) << 53));
  assert_true(ttb__soft_int(UINT64_MAX) == UINT64_C(0x43f0000000000000));
  assert_true(ttb__soft_to_int(ttb__soft_int(UINT64_MAX), false) == INT64_MAX);
  assert_true(ttb__soft_sum(tenth, tenth, true) == 0);
  assert_true(ttb__soft_sum(tenth, 0, true) == tenth);
  assert_int_equal(ttb__soft_to_int(0, true), 0);
  uint64_t tiny = ttb__soft_div(ttb__soft_int(1), ttb__soft_int(UINT64_C(1) << 60));
  assert_int_equal(ttb__soft_to_int(tiny, true), 1);
  assert_int_equal(ttb__soft_to_int(tiny, false), 0);
}

/* What modules call gives the same answers whatever it is made of. */
static void test_module_form(void **unused) {
  (void)unused;
  ttb__fp seven = ttb__fp_int(7), hundred = ttb__fp_int(100), one = ttb__fp_int(1);
  assert_int_equal(ttb__fp_ceil(ttb__fp_mul(ttb__fp_div(seven, hundred), hundred)), 8);
  assert_int_equal(ttb__fp_floor(ttb__fp_div(hundred, seven)), 14);
  assert_int_equal(ttb__fp_ceil(ttb__fp_div(hundred, seven)), 15);
  assert_true(ttb__fp_le(one, ttb__fp_add(one, one)));
  assert_false(ttb__fp_le(seven, one));
  assert_true(ttb__fp_le(ttb__fp_sub(one, one), ttb__fp_int(0)));
  assert_true(ttb__fp_ceil(ttb__fp_int(UINT64_MAX)) == INT64_MAX);
  assert_int_equal(ttb__fp_ceil(ttb__fp_int(0)), 0);
}

#if TTB__FP_EXACT
static uint64_t bits(double x) {
  uint64_t b;
  memcpy(&b, &x, sizeof b);
  return b;
}

static void test_against_the_machine(void **unused) {
  (void)unused;
  for (int i = 0; i < 1000000; i++) {
    uint64_t m = draw(), n = draw();
    double a = (double)m, b = (double)n;
    assert_true(ttb__soft_int(m) == bits(a));
    if (n != 0) {
      double q = a / b, p = q * b;
      assert_true(ttb__soft_div(bits(a), bits(b)) == bits(q));
      assert_true(ttb__soft_mul(bits(q), bits(b)) == bits(p));
      assert_true(ttb__soft_to_int(bits(q), true) == ttb__fp_ceil(q));
      assert_true(ttb__soft_to_int(bits(q), false) == ttb__fp_floor(q));
      double low = q < b ? q : b, high = q < b ? b : q, sum = high + low, less = high - low;
      assert_true(ttb__soft_sum(bits(high), bits(low), false) == bits(sum));
      assert_true(ttb__soft_sum(bits(high), bits(low), true) == bits(less));
    }
  }
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_values),
      cmocka_unit_test(test_module_form),
#if TTB__FP_EXACT
      cmocka_unit_test(test_against_the_machine),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
