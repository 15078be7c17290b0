/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/limiter.c: life, layout, batches, bad input. */
#include "../../../lib/limiter/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)

#include "../../support/alloc.h"

static const uint32_t kinds[] = {TTB_LIMITER_BULKHEAD, TTB_LIMITER_RATE, TTB_LIMITER_RETRY,
                                 TTB_LIMITER_RETRY_TOKENS, TTB_LIMITER_THROTTLE};
static _Alignas(64) unsigned char memory[16384];

static ttb_limiter_config config_of(uint32_t kind) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = kind;
  c.permits = 8;
  c.capacity = 4;
  return c;
}

static void test_sizes(void **state) {
  (void)state;
  const int64_t eight_slots[] = {1024, 64, 1024, 64, 1536}; /* docs/limiter.md says so */
  for (int i = 0; i < 5; i++) {
    ttb_limiter_config c = config_of(kinds[i]);
    c.capacity = 8;
    int64_t small = ttb_limiter_size(&c);
    assert_int_equal(small % 64, 0);
    c.capacity = 16;
    assert_int_equal(ttb_limiter_size(&c) - small, eight_slots[i]);
  }
  ttb_limiter_config c = config_of(TTB_LIMITER_BULKHEAD);
  c.permits = 16384;
  c.capacity = TTB_MAX_SLOTS;
  assert_true(ttb_limiter_size(&c) > INT64_C(137438953472)); /* does not wrap */
  assert_int_equal(ttb_limiter_size(NULL), TTB_ERR_MISUSE);
}

static void test_init_and_attach(void **state) {
  (void)state;
  for (int i = 0; i < 5; i++) {
    ttb_limiter_config c = config_of(kinds[i]);
    ttb_limiter l, other, untouched;
    uint64_t size = (uint64_t)ttb_limiter_size(&c);
    memset(memory, 0xa5, sizeof memory);
    memset(&untouched, 0x77, sizeof untouched);
    other = untouched;
    assert_int_equal(ttb_limiter_init(&other, memory, size - 64, &c), TTB_ERR_NOSPACE);
    assert_int_equal(ttb_limiter_init(&other, memory + 8, size, &c), TTB_ERR_MISUSE);
    assert_int_equal(ttb_limiter_init(&other, NULL, size, &c), TTB_ERR_MISUSE);
    assert_int_equal(ttb_limiter_init(NULL, memory, size, &c), TTB_ERR_MISUSE);
    assert_int_equal(ttb_limiter_init(&other, memory, size, NULL), TTB_ERR_MISUSE);
    assert_memory_equal(&other, &untouched, sizeof other);
    memset(memory, 0xa5, sizeof memory);
    memset(memory, 0, 64);
    assert_int_equal(ttb_limiter_attach(&other, memory, size), TTB_AGAIN);
    assert_int_equal(ttb_limiter_init(&l, memory, size, &c), TTB_OK);
    assert_int_equal(memory[size], 0xa5);
    assert_int_equal(ttb_limiter_attach(&other, memory, size - 64), TTB_ERR_NOSPACE);
    assert_int_equal(ttb_limiter_attach(NULL, memory, size), TTB_ERR_MISUSE);
    assert_int_equal(ttb_limiter_attach(&other, memory, size), TTB_OK);

    ttb_limiter_stats s = {.struct_size = sizeof s};
    assert_int_equal(ttb_limiter_statistics(&l, &s), TTB_OK);
    assert_int_equal(s.capacity, 4);
    assert_int_equal(s.kind, kinds[i]);
    int64_t t = ttb_limiter_acquire(&l, 3, 0, T0);
    assert_true(t >= 0);
    assert_int_equal(ttb_ticket_slot(t), 3);
    assert_int_equal(ttb_limiter_report(&other, t, TTB_SUCCESS, T0), TTB_OK);

    /* Another kind of object, another config, a lie about the size. */
    ttb__region *r = (void *)memory;
    r->kind = TTB__KIND_BREAKER;
    assert_int_equal(ttb_limiter_attach(&other, memory, size), TTB_ERR_MISMATCH);
    r->kind = TTB__KIND_LIMITER;
    r->size += 64;
    assert_int_equal(ttb_limiter_attach(&other, memory, size + 64), TTB_ERR_CORRUPT);
    r->size -= 64;
    ttb_limiter_config *stored = (void *)(memory + sizeof(ttb__region));
    stored->capacity += 64;
    assert_int_equal(ttb_limiter_attach(&other, memory, size), TTB_ERR_CORRUPT);
    ttb_limiter_free(&l);
    assert_int_equal(ttb_limiter_report(&l, t, TTB_SUCCESS, T0), TTB_ERR_MISUSE);
  }
}

static int32_t make(void *ctx, const ttb_allocator *a) {
  ttb_limiter_config c = config_of(TTB_LIMITER_RETRY);
  return ttb_limiter_new(ctx, &c, a);
}
static void end(void *ctx) { ttb_limiter_free(ctx); }

static void test_new(void **state) {
  (void)state;
  ttb_limiter l;
  assert_int_equal(alloc_torture(make, end, &l), 1);
  ttb_limiter_config c = config_of(99);
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_new(NULL, &c, NULL), TTB_ERR_MISUSE);
  c.kind = TTB_LIMITER_RATE;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
  ttb_limiter_free(&l);
  ttb_limiter_free(&l);
  ttb_limiter_free(NULL);
}

static void test_bad_calls(void **state) {
  (void)state;
  const uint32_t beyond[] = {4, 11, 0, 0, 1}; /* the first ask that is too large; 0: none */
  ttb_limiter none = {{0}};
  assert_int_equal(ttb_limiter_acquire(NULL, 0, 0, T0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_acquire(&none, 0, 0, T0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_report(NULL, 0, TTB_SUCCESS, T0), TTB_ERR_MISUSE);
  for (int i = 0; i < 5; i++) {
    ttb_limiter_config c = config_of(kinds[i]);
    ttb_limiter l;
    assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
    assert_int_equal(ttb_limiter_acquire(&l, 4, 0, T0), TTB_ERR_RANGE);
    assert_int_equal(ttb_limiter_acquire(&l, UINT32_MAX, 0, T0), TTB_ERR_RANGE);
    if (beyond[i]) assert_int_equal(ttb_limiter_acquire(&l, 0, beyond[i], T0), TTB_ERR_RANGE);
    int64_t t = ttb_limiter_acquire(&l, 0, 0, T0);
    assert_int_equal(ttb_limiter_report(&l, t, -1, T0), TTB_ERR_RANGE);
    assert_int_equal(ttb_limiter_report(&l, t, 6, T0), TTB_ERR_RANGE);
    assert_int_equal(ttb_limiter_report(&l, -1, 0, T0), TTB_ERR_MISUSE);
    assert_int_equal(ttb_limiter_report(&l, t | 0xfffff, 0, T0), TTB_ERR_RANGE);
    assert_int_equal(ttb_limiter_report(&l, t ^ INT64_C(1) << 30, 0, T0),
                     kinds[i] == TTB_LIMITER_RETRY ? TTB_OK : TTB_STALE);
    assert_int_equal(ttb_limiter_report(&l, INT64_C(0x7fff) << 48, 0, T0), TTB_STALE);
    ttb_limiter_stats s = {.struct_size = sizeof s};
    assert_int_equal(ttb_limiter_statistics(&l, &s), TTB_OK);
    assert_true(s.stale >= 1);
    ttb_limiter_free(&l);
  }
}

/* What a kind knows after calls that ended so, one by one and in a batch. */
static ttb_limiter_info after(uint32_t kind, int32_t outcome) {
  ttb_limiter_config c = config_of(kind);
  ttb_limiter_info i = {.struct_size = sizeof i};
  ttb_limiter l;
  c.algorithm = TTB_LIMIT_AIMD;
  c.limit_window_ms = TTB_OFF;
  c.min_limit = 1;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
  for (int n = 0; n < 3; n++) {
    int64_t t[2];
    for (int k = 0; k < 2; k++) assert_true((t[k] = ttb_limiter_acquire(&l, 0, 0, T0)) >= 0);
    assert_int_equal(ttb_limiter_report(&l, t[0], outcome, T0), TTB_OK);
    assert_int_equal(ttb_limiter_report_n(&l, &t[1], &outcome, 1, T0, NULL), 1);
  }
  assert_int_equal(ttb_limiter_explain(&l, 0, 0, T0, &i), TTB_OK);
  ttb_limiter_free(&l);
  return i;
}

/* Nobody but a breaker tells a slow failure from another. */
static void test_slow_failures(void **state) {
  (void)state;
  for (uint32_t kind = TTB_LIMITER_BULKHEAD; kind <= TTB_LIMITER_RETRY_CONCURRENT; kind++) {
    ttb_limiter_info good = after(kind, TTB_SUCCESS), bad = after(kind, TTB_FAILURE),
                     slow = after(kind, TTB_SLOW_FAILURE);
    bool listens = kind == TTB_LIMITER_RETRY_TOKENS || kind == TTB_LIMITER_THROTTLE ||
                   kind == TTB_LIMITER_ADAPTIVE;
    assert_memory_equal(&slow, &bad, sizeof bad);
    assert_int_equal(memcmp(&good, &bad, sizeof bad) != 0, listens);
  }
}

static void test_batches(void **state) {
  (void)state;
  ttb_limiter_config c = config_of(TTB_LIMITER_BULKHEAD);
  ttb_limiter l;
  c.permits = 2;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
  const uint32_t slots[] = {0, 0, 0, 1, 9}, asks[] = {0, 3, 0, 4, 0};
  int64_t t[5];
  int32_t codes[5], outcomes[5] = {0};
  assert_int_equal(ttb_limiter_acquire_n(&l, slots, NULL, 5, T0, t), 3);
  assert_int_equal(t[2], TTB_LIMIT);
  assert_int_equal(t[4], TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_report_n(&l, t, outcomes, 5, T0, codes), 3);
  assert_int_equal(codes[2], TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_report_n(&l, t, outcomes, 5, T0, NULL), 0); /* twice */
  assert_int_equal(ttb_limiter_acquire_n(&l, slots, asks, 5, T0, t), 2);
  assert_int_equal(t[3], TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_acquire_n(&l, NULL, NULL, 0, T0, NULL), 0);
  assert_int_equal(ttb_limiter_acquire_n(&l, NULL, NULL, 1, T0, t), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_acquire_n(&l, slots, NULL, UINT32_MAX, T0, t), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_report_n(&l, NULL, NULL, 1, T0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_report_n(NULL, t, outcomes, 1, T0, NULL), TTB_ERR_MISUSE);
  ttb_limiter_free(&l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes), cmocka_unit_test(test_init_and_attach),
      cmocka_unit_test(test_new),   cmocka_unit_test(test_bad_calls),
      cmocka_unit_test(test_slow_failures), cmocka_unit_test(test_batches),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
