/* SPDX-License-Identifier: MIT */
/* 2^-x against libm, and what averages rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "../../../lib/base/fixed.h"

static void powers_are_exact(void **state) {
  (void)state;
  for (uint32_t whole = 0; whole <= 32; whole++)
    assert_int_equal(ttb__pow2_neg(whole, 0), TTB__ONE >> whole);
  assert_int_equal(ttb__pow2_neg(33, 0), 0);
  assert_int_equal(ttb__pow2_neg(UINT32_MAX, UINT32_MAX), 0);
  /* 2^32 / sqrt(2) = 3037000499.976 */
  assert_in_range(ttb__pow2_neg(0, 0x80000000u), 3037000498, 3037000501);
}

static void within_two_units_of_libm(void **state) {
  (void)state;
  double worst = 0;
  for (uint64_t f = 0; f < TTB__ONE; f += 4099) {
    double exact = ldexp(exp2(-ldexp((double)f, -32)), 32);
    double off = fabs((double)ttb__pow2_neg(0, (uint32_t)f) - exact);
    if (off > worst) worst = off;
  }
  if (worst > 2.0) print_error("worst: %f\n", worst);
  assert_true(worst <= 2.0);
}

static void it_never_rises(void **state) {
  (void)state;
  uint64_t before = TTB__ONE;
  for (uint64_t f = 0; f < TTB__ONE; f += 1021) {
    uint64_t now = ttb__pow2_neg(0, (uint32_t)f);
    assert_true(now <= before);
    before = now;
  }
  for (uint32_t i = 1; i < 64; i++) { /* and not where one row of the table meets the next */
    uint32_t edge = i << 26;
    assert_true(ttb__pow2_neg(0, edge) <= ttb__pow2_neg(0, edge - 1));
  }
}

static void logarithms_and_powers(void **state) {
  (void)state;
  for (uint32_t k = 0; k < 32; k++) assert_int_equal(ttb__log2(1u << k), (uint64_t)k << 32);
  for (uint32_t n = 1; n < 1100000; n += n < 5000 ? 1 : 997) {
    assert_true(fabs(ldexp((double)ttb__log2(n), -32) - log2(n)) < 1e-9);
    for (uint32_t e = 1; e <= 8 << 16; e += 3001) {
      double exact = pow(n, e / 65536.0);
      if (exact > 2e9) assert_true(ttb__power(n, e) >= UINT64_C(1900000000) << 16);
      else assert_true(fabs(ldexp((double)ttb__power(n, e), -16) - exact) < 2e-5 + exact * 1e-8);
    }
  }
  assert_int_equal(ttb__power(1, 8 << 16), 65536);
  assert_int_equal(ttb__power(UINT32_MAX, 8 << 16), UINT64_C(1) << 47);
}

static void halves_after_a_half_life(void **state) {
  (void)state;
  static const uint64_t half_lives[] = {2, 3, 10, 10000, 3600000, 10000000000u, 86400000000000u};
  for (size_t i = 0; i < sizeof half_lives / sizeof *half_lives; i++) {
    uint64_t h = half_lives[i], inverse = ttb__half_life(h);
    assert_int_equal(ttb__decay(0, inverse), TTB__ONE);
    for (uint64_t k = 1; k < 33; k++) { /* I3: the inverse is rounded up */
      double exact = ldexp(1, 32 - (int)k);
      double off = exact - (double)ttb__decay(h * k, inverse);
      assert_true(off >= 0 && off <= 1 + exact * (double)k * ldexp((double)h, -64));
    }
    assert_int_equal(ttb__decay(h * 40, inverse), 0);
    assert_int_equal(ttb__decay(UINT64_MAX, inverse), 0);
  }
}

static void averages_lie_between(void **state) {
  (void)state;
  const uint64_t top = (UINT64_C(1) << 48) - 1;
  static const uint64_t keeps[] = {0, 1, UINT32_MAX / 2, UINT32_MAX, TTB__ONE};
  const uint64_t values[] = {0, 1, 1000, 123456789, top - 1, top};
  for (size_t k = 0; k < 5; k++)
    for (size_t i = 0; i < 6; i++)
      for (size_t j = 0; j < 6; j++) {
        uint64_t a = values[i], b = values[j], got = ttb__average(a, b, keeps[k]);
        assert_true(got >= (a < b ? a : b) && got <= (a < b ? b : a));
      }
  assert_int_equal(ttb__average(1000, 2000, TTB__ONE / 2), 1500);
  assert_int_equal(ttb__average(2000, 1000, TTB__ONE / 4), 1250);
  assert_int_equal(ttb__average(77, 5, 0), 5);
  assert_int_equal(ttb__average(77, 5, TTB__ONE), 77);
  assert_int_equal(ttb__average(0, top, TTB__ONE / 2), top - top / 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(powers_are_exact),       cmocka_unit_test(within_two_units_of_libm),
      cmocka_unit_test(it_never_rises),         cmocka_unit_test(logarithms_and_powers),
      cmocka_unit_test(halves_after_a_half_life),
      cmocka_unit_test(averages_lie_between),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
