/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/mulhi.h: the 128-bit form of this machine and the
 * portable one agree, and dividing by an inverse is dividing. */
#include "../../../lib/base/mulhi.h"

/* The portable form, whatever the machine has. */
#define ttb__mulhi portable_mulhi
#undef TTB_LIB_BASE_MULHI_H
#undef __SIZEOF_INT128__
#include "../../../lib/base/mulhi.h"
#undef ttb__mulhi

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* By hand, digit by digit in base 2^16: slow, plain, independent. */
static uint64_t by_hand(uint64_t a, uint64_t b) {
  uint64_t digits[8] = {0};
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) {
      uint64_t carry = (a >> 16 * i & 0xffff) * (b >> 16 * j & 0xffff);
      for (int k = i + j; carry != 0; k++) {
        carry += digits[k];
        digits[k] = carry & 0xffff;
        carry >>= 16;
      }
    }
  return digits[4] | digits[5] << 16 | digits[6] << 32 | digits[7] << 48;
}

static void test_edges(void **state) {
  (void)state;
  const uint64_t edge[] = {0, 1, 2, 0xffffffff, UINT64_C(1) << 32, UINT64_C(1) << 63,
                           UINT64_MAX - 1, UINT64_MAX, UINT64_C(0x123456789abcdef0)};
  const int n = sizeof edge / sizeof edge[0];
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      assert_true(ttb__mulhi(edge[i], edge[j]) == by_hand(edge[i], edge[j]));
      assert_true(portable_mulhi(edge[i], edge[j]) == by_hand(edge[i], edge[j]));
    }
  assert_true(ttb__mulhi(UINT64_MAX, UINT64_MAX) == UINT64_MAX - 1);
}

static void test_random(void **state) {
  (void)state;
  uint64_t x = 1;
  for (int i = 0; i < 200000; i++) {
    uint64_t a = x = x * UINT64_C(6364136223846793005) + 1;
    uint64_t b = x = x * UINT64_C(6364136223846793005) + 1;
    a ^= a >> 31;
    b ^= b >> 31;
    assert_true(ttb__mulhi(a, b) == by_hand(a, b));
    assert_true(portable_mulhi(a, b) == by_hand(a, b));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_edges),
      cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
