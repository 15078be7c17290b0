/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/retry.c: budgets by share and by tokens. */
#include "../../../lib/limiter/limiter.h"
#include "../../../lib/limiter/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)

static ttb_limiter l;

static void make(uint32_t kind, int32_t ratio_ppm, int32_t per_second, uint32_t window_ms,
                 uint32_t tokens) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = kind;
  c.ratio_ppm = ratio_ppm;
  c.per_second = per_second;
  c.window_ms = window_ms;
  c.tokens = tokens;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
}
static int teardown(void **state) {
  (void)state;
  ttb_limiter_free(&l);
  return 0;
}
static int64_t first(uint64_t now) { return ttb_limiter_acquire(&l, 0, 0, now); }
static int64_t retry(uint64_t now) { return ttb_limiter_acquire(&l, 0, 1, now); }
static uint32_t retries(uint64_t now) {
  uint32_t n = 0;
  while (retry(now) >= 0) n++;
  return n;
}
static ttb_limiter_info info(uint64_t now) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_limiter_explain(&l, 0, 1, now, &i), TTB_OK);
  return i;
}

/* Any ratio is exact: 30 % are 30 of 100, not 33 (tower's 1 / 0.3 is 3). */
static void test_ratios(void **state) {
  (void)state;
  const int32_t ppm[] = {1, 100000, 200000, 300000, 333333, 700000, 1000000, 2500000};
  for (int k = 0; k < 8; k++) {
    make(TTB_LIMITER_RETRY, ppm[k], TTB_OFF, 10000, 0);
    for (int i = 0; i < 10000; i++) assert_true(first(T0) >= 0);
    assert_int_equal(info(T0).available, ppm[k] / 100);
    assert_int_equal(retries(T0), ppm[k] / 100);
    assert_int_equal(info(T0).requests, 10000);
    assert_int_equal(info(T0).accepts, ppm[k] / 100);
    assert_int_equal(ttb_limiter_peek(&l, 0, 1, T0), TTB_LIMIT);
    assert_int_equal(ttb_limiter_peek(&l, 0, 0, T0), TTB_OK);
    ttb_limiter_free(&l);
  }
}

static void test_reserve_and_window(void **state) {
  (void)state;
  make(TTB_LIMITER_RETRY, TTB_OFF, 2, 5000, 0);
  assert_int_equal(info(T0).balance_ppm, 10000000);
  for (int i = 0; i < 100; i++) assert_true(first(T0) >= 0); /* earn nothing */
  assert_int_equal(retries(T0), 10);
  assert_int_equal(retries(T0 + 4000 * MS), 0);
  assert_int_equal(retries(T0 + 5400 * MS), 10); /* those of then are forgotten */
  ttb_limiter_free(&l);
  make(TTB_LIMITER_RETRY, 1000000, TTB_OFF, 1000, 0);
  assert_true(first(T0) >= 0);
  assert_int_equal(retries(T0 + 1100 * MS), 0); /* earned too long ago */
  assert_true(first(T0 + 1200 * MS) >= 0);
  assert_int_equal(retries(T0 + 2000 * MS), 1);
}

static void test_cancel(void **state) {
  (void)state;
  make(TTB_LIMITER_RETRY, 500000, TTB_OFF, 1000, 0);
  int64_t a = first(T0), b = first(T0), r = retry(T0);
  assert_true(a >= 0 && b >= 0 && r >= 0);
  assert_int_equal(ttb_limiter_report(&l, r, TTB_FAILURE, T0), TTB_OK);
  assert_int_equal(retries(T0), 0);
  assert_int_equal(ttb_limiter_report(&l, r, TTB_CANCELLED, T0), TTB_OK);
  assert_int_equal(info(T0).balance_ppm, 1000000);
  assert_int_equal(ttb_limiter_report(&l, b, TTB_CANCELLED, T0), TTB_OK);
  assert_int_equal(info(T0).balance_ppm, 500000);
  /* Nothing there any more; never below zero. */
  assert_true(first(T0 + 1000 * MS) >= 0);
  assert_int_equal(ttb_limiter_report(&l, a, TTB_CANCELLED, T0 + 1000 * MS), TTB_OK);
  assert_int_equal(info(T0 + 1000 * MS).balance_ppm, 500000);
  assert_int_equal(ttb_limiter_report(&l, r, TTB_CANCELLED, T0), TTB_OK);
  assert_int_equal(ttb_limiter_report(&l, ttb__ticket_pack(0, 0, 255, 3), 0, T0), TTB_STALE);
}

/* A bucket near the top halves both its counts. */
static void test_a_full_bucket(void **state) {
  (void)state;
  make(TTB_LIMITER_RETRY, 100000, TTB_OFF, 60000, 0);
  for (int i = 0; i < 600000; i++) assert_true(first(T0) >= 0);
  ttb_limiter_info i = info(T0);
  assert_true(i.requests > 130000 && i.requests < 262144);
  uint32_t n = retries(T0);
  assert_true(n == i.requests / 10);
}

/* What a full bucket forgets is worth no more than the calls it forgets: however
 * many ask, no more retries pass than are free and earned. */
static void test_never_more(void **state) {
  (void)state;
  const int32_t ratio[] = {TTB_OFF, 1, 100000, 2000000};
  for (int k = 0; k < 4; k++) {
    make(TTB_LIMITER_RETRY, ratio[k], 100000, 5000, 0); /* 500,000 for free */
    int64_t earned = ratio[k] > 0 ? ratio[k] : 0, balance = 500000 * INT64_C(1000000);
    for (uint64_t i = 0; i < 900000; i++) {
      uint64_t t = T0 + i / 300000 * 400 * MS; /* three buckets */
      if (i % 4 == 0 && first(t) >= 0) balance += earned;
      int32_t would = ttb_limiter_peek(&l, 0, 1, t);
      int64_t got = retry(t);
      assert_int_equal(got >= 0, would == TTB_OK);
      balance -= got >= 0 ? 1000000 : 0;
      assert_true(balance >= 0 && info(t).balance_ppm <= balance);
    }
    assert_true(balance < 250000 * INT64_C(1000000) || earned > 1000000);
    ttb_limiter_free(&l);
  }
}

/* gRFC A6: retries only above half; a failure costs one, a success earns a
 * tenth. The vector rb-17 has the same numbers. */
static void test_tokens(void **state) {
  (void)state;
  make(TTB_LIMITER_RETRY_TOKENS, 100000, 0, 0, 10);
  int64_t t = first(T0);
  assert_int_equal(info(T0).balance_ppm, 10000000);
  assert_int_equal(info(T0).available, 5);
  for (int i = 0; i < 5; i++) {
    assert_true(retry(T0) >= 0);
    assert_int_equal(ttb_limiter_report(&l, t, TTB_FAILURE, T0), TTB_OK);
  }
  assert_int_equal(retry(T0), TTB_LIMIT);
  assert_true(first(T0) >= 0); /* first attempts always pass */
  assert_int_equal(ttb_limiter_report(&l, t, TTB_IGNORED, T0), TTB_OK);
  assert_int_equal(ttb_limiter_report(&l, t, TTB_CANCELLED, T0), TTB_OK);
  assert_int_equal(info(T0).balance_ppm, 5000000);
  assert_int_equal(ttb_limiter_report(&l, t, TTB_SLOW, T0), TTB_OK);
  assert_int_equal(info(T0).balance_ppm, 5100000);
  assert_true(retry(T0) >= 0);
  for (int i = 0; i < 100; i++) (void)ttb_limiter_report(&l, t, TTB_SUCCESS, T0);
  assert_int_equal(info(T0).balance_ppm, 10000000);
  for (int i = 0; i < 20; i++) (void)ttb_limiter_report(&l, t, TTB_FAILURE, T0);
  assert_int_equal(info(T0).balance_ppm, 0);
  assert_int_equal(info(T0).retry_after_ns, -1);
  /* Scribbled over: none left, and it mends. */
  ttb__store_rlx((ttb__a64 *)ttb__limiter_slot_at(ttb__limiter_of(&l), 0), UINT64_MAX);
  assert_int_equal(info(T0).balance_ppm, 0);
  for (int i = 0; i < 100; i++) (void)ttb_limiter_report(&l, t, TTB_SUCCESS, T0);
  assert_int_equal(info(T0).balance_ppm, 10000000);
}

/* I1, I3 of turns.h. */
static void test_turns(void **state) {
  (void)state;
  ttb__a64 b[TTB__TURNS];
  memset(b, 0, sizeof b);
  ttb__turns_add(b, 100, 1, 1, 0);
  ttb__turns_add(b, 98, 1, 0, 0);  /* late, into a bucket of its own */
  ttb__turns_add(b, 84, 1, 0, 0);  /* late by a window: nowhere */
  assert_int_equal(ttb__turns_sum(b, 100).all, 2);
  ttb__turns_add(b, 116, 1, 0, 0); /* turns the bucket of 100 */
  assert_int_equal(ttb__turns_sum(b, 116).all, 1);
  assert_int_equal(ttb__turns_sum(b, 116).some, 0);
  ttb__turns_add(b, TTB__TURNS_MASK, 1, 0, 0);
  ttb__turns_add(b, 0, 1, 0, 0); /* round the wrap */
  assert_int_equal(ttb__turns_sum(b, 0).all, 2);
}

int main(void) {
#define T(f) cmocka_unit_test_teardown(f, teardown)
  const struct CMUnitTest tests[] = {
      T(test_ratios),        T(test_reserve_and_window), T(test_cancel),
      T(test_a_full_bucket), T(test_never_more),         T(test_tokens),             cmocka_unit_test(test_turns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
