/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/throttle.c: the formula, the draw, the window. */
#include "../../../lib/limiter/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)

static ttb_limiter l;

static void make(uint64_t seed, uint32_t min_requests) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_THROTTLE;
  c.max_reject_ppm = 1000000;
  c.min_requests = min_requests;
  c.capacity = 2;
  c.seed = seed;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
}
static int teardown(void **state) {
  (void)state;
  ttb_limiter_free(&l);
  return 0;
}
static ttb_limiter_info info(uint64_t now) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_limiter_explain(&l, 0, 0, now, &i), TTB_OK);
  return i;
}
static void reports(int n, int32_t outcome, uint64_t now) {
  int64_t t = ttb__ticket_pack(0, TTB_LIMITER_THROTTLE, 255, 0);
  for (int i = 0; i < n; i++) assert_int_equal(ttb_limiter_report(&l, t, outcome, now), TTB_OK);
}

static void test_formula(void **state) {
  (void)state;
  /* SRE book, K = 2: max(0, (requests - 2 accepts) / (requests + 1)). */
  assert_int_equal(ttb_limiter_reject_ppm(0, 0, 500000, 1, 1000000), 0);
  assert_int_equal(ttb_limiter_reject_ppm(100, 50, 500000, 1, 1000000), 0);
  assert_int_equal(ttb_limiter_reject_ppm(99, 0, 500000, 1, 1000000), 990000);
  assert_int_equal(ttb_limiter_reject_ppm(99, 12, 500000, 1, 1000000), 750000);
  assert_int_equal(ttb_limiter_reject_ppm(99, 0, 500000, 1, 800000), 800000);
  assert_int_equal(ttb_limiter_reject_ppm(10, 11, 500000, 1, 800000), 0);
  /* Roots: 1/4 and 1/2, 1/8 and 1/2. */
  assert_int_equal(ttb_limiter_reject_ppm(99, 74, 1000000, 2, 1000000), 500000);
  assert_in_range(ttb_limiter_reject_ppm(79, 69, 1000000, 3, 1000000), 499998, 500001);
  /* Large numbers. */
  assert_int_equal(ttb_limiter_reject_ppm((UINT64_C(1) << 40) - 1, 0, 1000, 1, 1000000), 1000000);
  assert_in_range(ttb_limiter_reject_ppm(UINT64_C(1) << 39, UINT64_C(1) << 38, 1000000, 1, 1000000),
                  499999, 500001);
  assert_int_equal(ttb_limiter_reject_ppm(UINT64_C(1) << 40, 0, 1000, 1, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_reject_ppm(1, 0, 999, 1, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_reject_ppm(1, 0, 1000001, 1, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_reject_ppm(1, 0, 1000, 0, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_reject_ppm(1, 0, 1000, 9, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_reject_ppm(1, 0, 1000, 1, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_reject_ppm(1, 0, 1000, 1, 1000001), TTB_ERR_RANGE);
}

static void test_counting(void **state) {
  (void)state;
  make(1, 1);
  reports(10, TTB_SUCCESS, T0);
  reports(10, TTB_SLOW, T0);
  reports(79, TTB_FAILURE, T0);
  reports(50, TTB_IGNORED, T0);
  reports(50, TTB_CANCELLED, T0);
  assert_int_equal(info(T0).requests, 99);
  assert_int_equal(info(T0).accepts, 20);
  assert_int_equal(info(T0).reject_ppm, 590000);
  int refused = 0;
  for (int i = 0; i < 100; i++) refused += ttb_limiter_acquire(&l, 0, 0, T0) == TTB_THROTTLED;
  assert_int_equal(info(T0).requests, 99 + refused); /* as in the book */
  assert_true(refused > 40 && refused < 95);
  assert_int_equal(ttb_limiter_acquire(&l, 1, 0, T0) >= 0, 1); /* another key's own */
  assert_int_equal(info(T0 + 10700 * MS).requests, 0);         /* the window is over */
  assert_true(ttb_limiter_acquire(&l, 0, 0, T0 + 10700 * MS) >= 0);
}

static void test_min_requests(void **state) {
  (void)state;
  make(1, 20);
  reports(19, TTB_FAILURE, T0);
  assert_int_equal(info(T0).reject_ppm, 0);
  reports(1, TTB_FAILURE, T0);
  assert_int_equal(info(T0).reject_ppm, 952381); /* 20 / 21 */
  assert_int_equal(ttb_limiter_peek(&l, 0, 0, T0), TTB_OK); /* not certain */
}

/* The formula is below 1, however near: what is refused counts as a request, and
 * without a call that passes there would never be an accept again. */
static void test_never_all(void **state) {
  (void)state;
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_THROTTLE;
  c.max_reject_ppm = 1000000;
  c.aggression = 8;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
  reports(255000, TTB_FAILURE, T0);
  assert_int_equal(ttb_limiter_reject_ppm(255000, 0, 500000, 8, 1000000), 1000000);
  assert_int_equal(info(T0).reject_ppm, 999999);
  assert_int_equal(ttb_limiter_peek(&l, 0, 0, T0), TTB_OK);
  int passed = 0;
  for (uint64_t i = 0; i < 4000000; i++) passed += ttb_limiter_acquire(&l, 0, 0, T0 + i * 25000) >= 0;
  assert_in_range(passed, 1, 12);
}

/* One seed, one history: one row of draws; another seed, another row. */
static void test_draws(void **state) {
  (void)state;
  uint64_t rows[3] = {0};
  for (int k = 0; k < 3; k++) {
    make(k == 2 ? 8 : 7, 1);
    reports(30, TTB_SUCCESS, T0);
    reports(100, TTB_FAILURE, T0);
    for (int i = 0; i < 64; i++)
      rows[k] = rows[k] << 1 | (ttb_limiter_acquire(&l, 0, 0, T0) == TTB_THROTTLED);
    ttb_limiter_free(&l);
  }
  assert_true(rows[0] == rows[1]);
  assert_true(rows[0] != rows[2]);
}

/* As often as the probability says: half, within four standard deviations. */
static void test_frequency(void **state) {
  (void)state;
  make(3, 1);
  reports(25000, TTB_SUCCESS, T0);
  reports(74999, TTB_FAILURE, T0);
  int refused = 0;
  for (int i = 0; i < 1000; i++) refused += ttb_limiter_acquire(&l, 0, 0, T0) == TTB_THROTTLED;
  assert_in_range(refused, 437, 567);
}

int main(void) {
#define T(f) cmocka_unit_test_teardown(f, teardown)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_formula), T(test_counting),  T(test_min_requests),
      T(test_draws),                  T(test_frequency), T(test_never_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
