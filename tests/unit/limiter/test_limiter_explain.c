/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/limiter_explain.c: looking changes nothing. */
#include "../../../lib/limiter/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)

static _Alignas(64) unsigned char memory[8192], before[8192];

static void test_looking_leaves_no_trace(void **state) {
  (void)state;
  for (uint32_t kind = 1; kind <= TTB__LIMITER_KINDS; kind++) {
    ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
    ttb_limiter l;
    c.kind = kind;
    c.lease_ms = 100;
    assert_int_equal(ttb_limiter_init(&l, memory, sizeof memory, &c), TTB_OK);
    for (int i = 0; i < 5; i++) {
      int64_t t = ttb_limiter_acquire(&l, 0, 0, T0);
      if (i % 2) assert_int_equal(ttb_limiter_report(&l, t, TTB_FAILURE, T0), TTB_OK);
    }
    memcpy(before, memory, sizeof memory);
    for (uint64_t k = 0; k < 9; k++) {
      ttb_limiter_info i = {.struct_size = sizeof i};
      uint64_t now = T0 + (k - 4) * 50 * MS;
      assert_int_equal(ttb_limiter_explain(&l, 0, 0, now, &i), TTB_OK);
      assert_int_equal(i.kind, kind);
      assert_int_equal(i.reserved, 0);
      assert_int_equal(ttb_limiter_peek(&l, 0, 0, now), TTB_OK);
    }
    assert_memory_equal(before, memory, sizeof memory);
  }
}

static void test_bad_input(void **state) {
  (void)state;
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter l, none = {{0}};
  ttb_limiter_info i = {.struct_size = sizeof i};
  ttb_limiter_stats s = {.struct_size = sizeof s};
  assert_int_equal(ttb_limiter_init(&l, memory, sizeof memory, &c), TTB_OK);
  assert_int_equal(ttb_limiter_explain(&l, 1, 0, T0, &i), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_explain(&l, 0, 4, T0, &i), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_explain(&l, 0, 0, T0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_explain(&none, 0, 0, T0, &i), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_peek(&l, 1, 0, T0), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_peek(&l, 0, 4, T0), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_peek(NULL, 0, 0, T0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_statistics(&l, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_statistics(NULL, &s), TTB_ERR_MISUSE);
  i.struct_size = s.struct_size = 8;
  i.kind = 77;
  assert_int_equal(ttb_limiter_explain(&l, 0, 0, T0, &i), TTB_ERR_RANGE);
  assert_int_equal(i.kind, 77);
  assert_int_equal(ttb_limiter_statistics(&l, &s), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_looking_leaves_no_trace),
      cmocka_unit_test(test_bad_input),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
