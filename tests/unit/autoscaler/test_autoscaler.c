/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/autoscaler.c: sizes, regions, handles. */
#include "fixture.h"

#include <stdlib.h>

#include "../../support/alloc.h"

static void test_sizes(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  int64_t one = ttb_autoscaler_size(&c);
  assert_true(one > 0 && one % 64 == 0);
  c.capacity = 2;
  /* Two lines and 28 entries: 22 ticks of the window, 3 of each direction's period. */
  assert_int_equal(ttb_autoscaler_size(&c) - one, 384);
  c.capacity = TTB_MAX_SLOTS;
  c.tick_ms = 1;
  c.down_window_ms = 86400000;
  c.up_window_ms = 86400000;
  assert_true(ttb_autoscaler_size(&c) > INT64_C(1) << 32);
  assert_int_equal(ttb_autoscaler_size(NULL), TTB_ERR_MISUSE);
}

static void test_region_elsewhere(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.down_window_ms = 60000;
  uint64_t size = (uint64_t)ttb_autoscaler_size(&c);
  void *first = aligned_alloc(64, size), *second = aligned_alloc(64, size);
  ttb_autoscaler a, b;
  memset(first, 0x5a, size);
  assert_int_equal(ttb_autoscaler_attach(&a, first, size), TTB_ERR_CORRUPT);
  memset(first, 0, size);
  assert_int_equal(ttb_autoscaler_attach(&a, first, size), TTB_AGAIN);
  assert_int_equal(ttb_autoscaler_init(&a, first, size - 1, &c), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_autoscaler_init(&a, (char *)first + 8, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_autoscaler_init(&a, NULL, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_autoscaler_init(NULL, first, size, &c), TTB_ERR_MISUSE);
  memset(first, 0xff, size); /* init trusts no byte */
  assert_int_equal(ttb_autoscaler_init(&a, first, size, &c), TTB_OK);
  assert_int_equal(ask(&a, 9, 10, 100).desired, 10);
  /* A copy of the bytes is a snapshot. */
  memcpy(second, first, size);
  memset(first, 0xff, size);
  assert_int_equal(ttb_autoscaler_attach(&b, second, size), TTB_OK);
  assert_int_equal(ask(&b, 9, 10, 130).reason, TTB_AUTOSCALER_DOWN_WINDOW);
  assert_int_equal(ask(&b, 9, 10, 160).desired, 9);
  ttb_autoscaler_free(&a);
  ttb_autoscaler_free(&b);
  free(first);
  free(second);
}

static void test_attach_checks(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  uint64_t size = (uint64_t)ttb_autoscaler_size(&c), words = size / 4;
  unsigned char *mem = aligned_alloc(64, size), *copy = malloc(size);
  ttb_autoscaler a;
  assert_int_equal(ttb_autoscaler_init(&a, mem, size, &c), TTB_OK);
  memcpy(copy, mem, size);
  assert_int_equal(ttb_autoscaler_attach(&a, mem, size - 64), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_autoscaler_attach(&a, mem, 64), TTB_ERR_NOSPACE);
  ttb__region *r = (void *)mem;
  r->kind = TTB__KIND_BREAKER;
  assert_int_equal(ttb_autoscaler_attach(&a, mem, size), TTB_ERR_MISMATCH);
  memcpy(mem, copy, size);
  r->layout ^= 1;
  assert_int_equal(ttb_autoscaler_attach(&a, mem, size), TTB_ERR_VERSION);
  memcpy(mem, copy, size);
  /* Any word of the configuration spoilt: refused, or another legal one; never a crash. */
  for (uint64_t i = 32; i < words; i++) {
    static const uint32_t bad[] = {0, 1, 17, 0x7fffffff, 0x80000000, 0xffffffff};
    for (unsigned k = 0; k < 6; k++) {
      memcpy(mem, copy, size);
      memcpy(mem + 4 * i, &bad[k], 4);
      int32_t code = ttb_autoscaler_attach(&a, mem, size);
      assert_true(code == TTB_OK || code == TTB_ERR_CORRUPT);
      if (code == TTB_OK) (void)ask(&a, 5, 3, 10);
    }
  }
  free(copy);
  free(mem);
}

static int32_t make(void *ctx, const ttb_allocator *al) {
  ttb_autoscaler_config c = count_config();
  return ttb_autoscaler_new(ctx, &c, al);
}
static void end(void *ctx) { ttb_autoscaler_free(ctx); }

static void test_new(void **unused) {
  (void)unused;
  ttb_autoscaler a;
  assert_int_equal(alloc_torture(make, end, &a), 1);
  assert_int_equal(ttb_autoscaler_new(NULL, NULL, NULL), TTB_ERR_MISUSE);
  ttb_autoscaler_free(&a); /* cleared: a no-op */
  ttb_autoscaler_free(NULL);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, NULL, 0, 1, 0, &d), TTB_ERR_MISUSE);
}

static void test_slots_are_apart(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.capacity = 3;
  c.down_window_ms = 60000;
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_sample s[3] = {value(9000), value(5000), value(1000)};
  ttb_autoscaler_decision d[3];
  int32_t current[3] = {4, 5, 6}, codes[3];
  for (int i = 0; i < 3; i++) d[i] = TTB_CONFIG(ttb_autoscaler_decision);
  assert_int_equal(ttb_autoscaler_evaluate_n(&a, NULL, 3, s, 1, current, 50 * SECOND, d, codes), 3);
  assert_int_equal(d[0].desired, 8); /* 4 a period, or 100 % */
  assert_int_equal(d[1].desired, 5);
  assert_int_equal(d[2].desired, 6);
  assert_int_equal(d[2].window_value, 6);
  uint32_t slots[2] = {2, 3};
  assert_int_equal(ttb_autoscaler_evaluate_n(&a, slots, 2, s, 1, current, 51 * SECOND, d, codes),
                   1);
  assert_int_equal(codes[1], TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_evaluate_n(&a, NULL, 1, NULL, 1, current, 0, d, NULL),
                   TTB_ERR_MISUSE);
  ttb_autoscaler_free(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes),          cmocka_unit_test(test_region_elsewhere),
      cmocka_unit_test(test_attach_checks),  cmocka_unit_test(test_new),
      cmocka_unit_test(test_slots_are_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
