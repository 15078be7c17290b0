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

/* Who holds what, of each kind that holds anything: threads of a process are one,
 * what never joined is nobody's, a lease that ended holds nothing. */
static void test_holders(void **state) {
  (void)state;
  static const uint32_t kinds[] = {TTB_LIMITER_BULKHEAD, TTB_LIMITER_ADAPTIVE, TTB_LIMITER_RETRY_CONCURRENT};
  for (int k = 0; k < 3; k++) {
    ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
    ttb_limiter l, a, b, twin;
    uint64_t token[5] = {99, 99, 99, 99, 99};
    uint32_t held[5] = {99, 99, 99, 99, 99};
    c.kind = kinds[k];
    c.capacity = 2;
    c.threads = 4;
    c.lease_ms = 1000;
    assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
    assert_int_equal(ttb_limiter_join(&l, 7, &a), TTB_OK);
    assert_int_equal(ttb_limiter_join(&l, 8, &b), TTB_OK);
    assert_int_equal(ttb_limiter_join(&l, 7, &twin), TTB_OK);
    assert_int_equal(ttb_limiter_holders(&l, 0, T0, token, held, 5), 0);
    assert_int_equal(token[0], 99);
    int64_t t = ttb_limiter_acquire(&a, 0, 0, T0);
    assert_true(t >= 0 && ttb_limiter_acquire(&b, 0, 0, T0) >= 0);
    assert_true(ttb_limiter_acquire(&twin, 0, 0, T0) >= 0 && ttb_limiter_acquire(&l, 0, 0, T0) >= 0);
    assert_true(ttb_limiter_acquire(&b, 1, 0, T0) >= 0);
    assert_int_equal(ttb_limiter_holders(&l, 0, T0, token, held, 5), 3);
    assert_true(token[0] == 7 && held[0] == 2 && token[1] == 8 && held[1] == 1);
    assert_true(token[2] == 0 && held[2] == 1 && token[3] == 99 && held[3] == 99);
    assert_int_equal(ttb_limiter_holders(&l, 1, T0, token, held, 1), 1);
    assert_true(token[0] == 8 && held[0] == 1);
    assert_int_equal(ttb_limiter_report(&a, t, TTB_SUCCESS, T0), TTB_OK);
    assert_int_equal(ttb_limiter_recover(&a, 8), 1);
    token[1] = 99;
    assert_int_equal(ttb_limiter_holders(&l, 0, T0, token, held, 1), 2); /* no room for the second */
    assert_true(token[0] == 7 && held[0] == 1 && token[1] == 99);
    assert_int_equal(ttb_limiter_holders(&l, 0, T0, NULL, NULL, 0), 2);
    if (kinds[k] != TTB_LIMITER_RETRY_CONCURRENT)
      assert_int_equal(ttb_limiter_holders(&l, 0, T0 + 1000 * MS, token, held, 5), 0);
    assert_int_equal(ttb_limiter_holders(&l, 2, T0, token, held, 5), TTB_ERR_RANGE);
    assert_int_equal(ttb_limiter_holders(&l, 0, T0, NULL, held, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_limiter_holders(&l, 0, T0, token, NULL, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_limiter_holders(NULL, 0, T0, token, held, 1), TTB_ERR_MISUSE);
    ttb_limiter_free(&twin);
    ttb_limiter_free(&b);
    ttb_limiter_free(&a);
    ttb_limiter_free(&l);
  }
}

/* The most there can be, a row under repair, and a holder that hostile bytes name. */
static void test_holders_of_strange_bytes(void **state) {
  (void)state;
  static ttb_limiter h[254];
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter l;
  uint64_t token[255];
  uint32_t held[255];
  c.threads = 254;
  c.permits = 300;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
  for (uint32_t i = 0; i < 254; i++) {
    assert_int_equal(ttb_limiter_join(&l, i + 1, &h[i]), TTB_OK);
    assert_true(ttb_limiter_acquire(&h[i], 0, 0, T0) >= 0);
  }
  assert_true(ttb_limiter_acquire(&l, 0, 0, T0) >= 0);
  assert_int_equal(ttb_limiter_holders(&l, 0, T0, token, held, 255), 255);
  assert_true(token[253] == 254 && token[254] == 0 && held[254] == 1);
  ttb__limiter *in = ttb__limiter_of(&l);
  uint64_t row = ttb__load_rlx(&in->rows->row[5]); /* its process is dead and somebody is at it */
  ttb__store_rlx(&in->rows->row[5], ttb__row_word(ttb__row_incarnation(row), TTB__ROW_DEAD, 77));
  for (uint32_t i = 0; i < 300; i++)
    ttb__store_rlx(ttb__permit_at(&in->u.bulkhead.permits, (ttb__a64 *)ttb__limiter_slot_at(in, 0), i),
                   ttb__permit_name(1, i < 100 ? 6 : 511));
  assert_int_equal(ttb_limiter_holders(&l, 0, T0, token, held, 255), 1);
  assert_true(token[0] == 0 && held[0] == 300);
  ttb__store_rlx(&in->rows->row[5], row);
  for (uint32_t i = 0; i < 254; i++) ttb_limiter_free(&h[i]);
  ttb_limiter_free(&l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_looking_leaves_no_trace),
      cmocka_unit_test(test_bad_input),
      cmocka_unit_test(test_holders),
      cmocka_unit_test(test_holders_of_strange_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
