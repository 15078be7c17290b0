/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/limiter_keys.c: found, claimed, reused when idle. */
#include "../../../lib/limiter/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)

static ttb_limiter l;

static void make(uint32_t kind, uint32_t capacity) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = kind;
  c.flags = TTB_LIMITER_KEYED;
  c.capacity = capacity;
  c.rate = 10; /* 10 at once, one in 100 ms */
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
}
static int teardown(void **state) {
  (void)state;
  ttb_limiter_free(&l);
  return 0;
}

static void test_same_key_same_slot(void **state) {
  (void)state;
  make(TTB_LIMITER_RATE, 64);
  int32_t a = ttb_limiter_claim(&l, 7, T0), b = ttb_limiter_claim(&l, 8, T0);
  assert_true(a >= 0 && a < 64 && b >= 0 && b < 64);
  assert_int_equal(ttb_limiter_claim(&l, 7, T0), a);
  int n = 0;
  int64_t t = 0, last = 0;
  while ((t = ttb_limiter_acquire_key(&l, 7, 0, T0)) >= 0) last = t, n++;
  assert_int_equal(t, TTB_LIMIT);
  assert_int_equal(n, 10);
  assert_int_equal(ttb_ticket_slot(last), ttb_limiter_claim(&l, 7, T0));
  assert_true(ttb_limiter_acquire_key(&l, 9, 10, T0) >= 0); /* another's is its own */
  assert_int_equal(ttb_limiter_acquire_key(&l, 9, 11, T0), TTB_ERR_RANGE);
}

static void test_codes(void **state) {
  (void)state;
  make(TTB_LIMITER_RATE, 1);
  int64_t out[2];
  const uint64_t keys[2] = {5, 0};
  assert_int_equal(ttb_limiter_claim(NULL, 1, T0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_claim(&l, 0, T0), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_acquire_key(&l, 0, 0, T0), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_acquire_key_n(&l, NULL, NULL, 1, T0, out), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_acquire_key_n(&l, NULL, NULL, 0, T0, NULL), 0);
  assert_int_equal(ttb_limiter_acquire_key_n(&l, keys, NULL, 2, T0, out), 1);
  assert_int_equal(out[1], TTB_ERR_RANGE);
  ttb_limiter_free(&l);
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
  assert_int_equal(ttb_limiter_claim(&l, 1, T0), TTB_ERR_UNSUPPORTED);
}

/* A full bucket is nobody's: its place goes to who comes, and only then. */
static void test_idle_reuse(void **state) {
  (void)state;
  make(TTB_LIMITER_RATE, 2);
  assert_true(ttb_limiter_acquire_key(&l, 1, 3, T0) >= 0);
  assert_true(ttb_limiter_acquire_key(&l, 2, 5, T0) >= 0);
  assert_int_equal(ttb_limiter_acquire_key(&l, 3, 0, T0), TTB_ERR_NOSPACE);
  int32_t first = ttb_limiter_claim(&l, 1, T0);
  assert_int_equal(ttb_limiter_claim(&l, 3, T0 + 299 * MS), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_limiter_claim(&l, 3, T0 + 301 * MS), first);
  int n = 0;
  while (ttb_limiter_acquire_key(&l, 3, 0, T0 + 301 * MS) >= 0) n++;
  assert_int_equal(n, 10); /* as new */
  assert_int_equal(ttb_limiter_claim(&l, 1, T0 + 301 * MS), TTB_ERR_NOSPACE);
}

/* Windows with nothing in them are idle, what is in flight never is. */
static void test_other_kinds(void **state) {
  (void)state;
  const struct {
    uint32_t kind;
    bool reused;
  } kinds[] = {{TTB_LIMITER_RETRY, true},     {TTB_LIMITER_RETRY_TOKENS, true},
               {TTB_LIMITER_THROTTLE, true},  {TTB_LIMITER_BULKHEAD, false},
               {TTB_LIMITER_ADAPTIVE, false}, {TTB_LIMITER_RETRY_CONCURRENT, false}};
  for (int i = 0; i < 6; i++) {
    make(kinds[i].kind, 1);
    int64_t t = ttb_limiter_acquire_key(&l, 1, 0, T0);
    assert_true(t >= 0);
    assert_int_equal(ttb_limiter_report(&l, t, TTB_FAILURE, T0), TTB_OK);
    assert_int_equal(ttb_limiter_claim(&l, 2, T0), TTB_ERR_NOSPACE);
    if (kinds[i].kind == TTB_LIMITER_RETRY_TOKENS) /* five successes earn it back */
      for (int k = 0; k < 5; k++) assert_int_equal(ttb_limiter_report(&l, t, TTB_SUCCESS, T0), TTB_OK);
    assert_int_equal(ttb_limiter_claim(&l, 2, T0 + 20000 * MS), kinds[i].reused ? 0 : TTB_ERR_NOSPACE);
    ttb_limiter_free(&l);
  }
}

/* A hundred thousand busy clients in a table twice as large: each its own. */
static void test_many(void **state) {
  (void)state;
  enum { N = 100000, CAPACITY = 200000 };
  make(TTB_LIMITER_RATE, CAPACITY);
  uint8_t *taken = calloc(1, CAPACITY);
  int lost = 0;
  assert_non_null(taken);
  for (uint64_t k = 1; k <= N; k++) {
    int64_t t = ttb_limiter_acquire_key(&l, k, 10, T0);
    if (t < 0) {
      assert_int_equal(t, TTB_ERR_NOSPACE);
      lost++;
      continue;
    }
    assert_int_equal(taken[ttb_ticket_slot(t)]++, 0);
  }
  assert_int_equal(lost, 0);
  for (uint64_t k = 1; k <= N; k++)
    assert_int_equal(ttb_limiter_acquire_key(&l, k, 0, T0), TTB_LIMIT);
  for (uint64_t k = N + 1; k <= 2 * N; k++) /* later, others */
    assert_true(ttb_limiter_acquire_key(&l, k, 10, T0 + 2000 * MS) >= 0);
  free(taken);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_same_key_same_slot, teardown),
      cmocka_unit_test_teardown(test_codes, teardown),
      cmocka_unit_test_teardown(test_idle_reuse, teardown),
      cmocka_unit_test_teardown(test_other_kinds, teardown),
      cmocka_unit_test_teardown(test_many, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
