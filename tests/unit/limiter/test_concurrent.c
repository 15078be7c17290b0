/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/concurrent.c: Envoy's budget of retries in flight. */
#include "../../../lib/limiter/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define T0 UINT64_C(3600000000000)

static ttb_limiter l;

static int setup(void **state) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  (void)state;
  c.kind = TTB_LIMITER_RETRY_CONCURRENT;
  c.capacity = 2;
  c.threads = 3;
  return ttb_limiter_new(&l, &c, NULL);
}
static int teardown(void **state) {
  (void)state;
  ttb_limiter_free(&l);
  return 0;
}
static ttb_limiter_info info(uint32_t ask) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_limiter_explain(&l, 1, ask, T0, &i), TTB_OK);
  return i;
}
static int64_t take(ttb_limiter *h, uint32_t ask) { return ttb_limiter_acquire(h, 1, ask, T0); }
static int32_t end(ttb_limiter *h, int64_t t) { return ttb_limiter_report(h, t, TTB_SUCCESS, T0); }

static void test_share(void **state) {
  (void)state;
  int64_t r[10];
  for (int i = 0; i < 3; i++) assert_true((r[i] = take(&l, 1)) >= 0); /* the least, of nothing */
  assert_int_equal(take(&l, 1), TTB_LIMIT);
  assert_int_equal(info(1).available, 0);
  assert_int_equal(info(1).retry_after_ns, -1);
  assert_int_equal(info(0).available, UINT32_MAX);
  for (int i = 0; i < 16; i++) assert_true(take(&l, 0) >= 0);
  assert_int_equal(info(1).requests, 19);
  assert_int_equal(take(&l, 7), TTB_LIMIT); /* 20 % of 19 is 3 */
  assert_true(take(&l, 0) >= 0);
  assert_true((r[3] = take(&l, 1)) >= 0); /* of 20: 4 */
  assert_int_equal(take(&l, 1), TTB_LIMIT);
  assert_int_equal(end(&l, r[3]), TTB_OK);
  assert_int_equal(info(1).accepts, 3);
  assert_int_equal(info(1).in_use, 20);
}

/* `available` is how many pass in a row: each retry is a call more. */
static void test_available(void **state) {
  (void)state;
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  const int32_t budget[] = {TTB_OFF, 1, 200000, 333333, 500000, 900000, 999999};
  const int32_t least[] = {TTB_OFF, 1, 3, 10};
  ttb_limiter_free(&l);
  c.kind = TTB_LIMITER_RETRY_CONCURRENT;
  c.capacity = 2;
  for (int b = 0; b < 7; b++)
    for (int m = 0; m < 4; m++)
      for (int calls = 0; calls < 24; calls++) {
        c.budget_ppm = budget[b];
        c.min_retries = least[m];
        assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
        for (int i = 0; i < calls; i++) (void)take(&l, i % 7 == 3);
        uint32_t n = info(1).available, got = 0, most = n < 1000 ? n + 1 : 1000;
        while (got < most && take(&l, 1) >= 0) got++;
        assert_int_equal(got, n < 1000 ? n : 1000);
        ttb_limiter_free(&l);
      }
}

static void test_reports(void **state) {
  (void)state;
  int64_t a = take(&l, 0), r = take(&l, 1);
  assert_int_equal(end(&l, a), TTB_OK);
  assert_int_equal(end(&l, a), TTB_STALE); /* what is left is a retry */
  assert_int_equal(end(&l, r), TTB_OK);
  assert_int_equal(end(&l, r), TTB_STALE);
  assert_int_equal(info(0).requests, 0);
  assert_int_equal(end(&l, r | INT64_C(3) << 48), TTB_STALE);           /* neither */
  assert_int_equal(end(&l, (r & ~(INT64_C(255) << 40)) | INT64_C(9) << 40), TTB_STALE); /* no row */
}

static void test_join(void **state) {
  (void)state;
  ttb_limiter a, b;
  assert_int_equal(ttb_limiter_join(&l, 1, &a), TTB_OK);
  assert_int_equal(ttb_limiter_join(&l, 2, &b), TTB_OK);
  int64_t first = take(&b, 0), retry = take(&b, 1);
  assert_true(take(&a, 0) >= 0);
  assert_int_equal(info(1).requests, 3);
  assert_int_equal(end(&a, first), TTB_OK); /* any thread may */
  assert_int_equal(ttb_limiter_recover(&a, 2), 1);
  assert_int_equal(info(1).requests, 1);
  assert_int_equal(info(1).accepts, 0);
  assert_int_equal(end(&a, retry), TTB_STALE);
  assert_int_equal(ttb_limiter_join(&l, 3, &b), TTB_OK); /* the row again */
  int64_t again = take(&b, 1);
  assert_int_equal(end(&a, retry), TTB_STALE); /* of the row's life before */
  assert_int_equal(end(&b, again), TTB_OK);
  assert_true(take(&b, 1) >= 0);
  ttb_limiter_free(&b);
  ttb_limiter_free(&a);
  assert_int_equal(info(1).requests, 0);
}

static void test_off(void **state) {
  (void)state;
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter_free(&l);
  c.kind = TTB_LIMITER_RETRY_CONCURRENT;
  c.capacity = 2;
  c.min_retries = TTB_OFF;
  c.budget_ppm = 1000000;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
  assert_int_equal(take(&l, 1), TTB_LIMIT);
  assert_true(take(&l, 0) >= 0);
  assert_true(take(&l, 1) >= 0);
  assert_true(take(&l, 1) >= 0); /* all may be retries of one another */
  ttb_limiter_free(&l);
  c.budget_ppm = TTB_OFF;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
  for (int i = 0; i < 100; i++) assert_true(take(&l, 0) >= 0);
  assert_int_equal(take(&l, 1), TTB_LIMIT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_share, setup, teardown),
      cmocka_unit_test_setup_teardown(test_available, setup, teardown),
      cmocka_unit_test_setup_teardown(test_reports, setup, teardown),
      cmocka_unit_test_setup_teardown(test_join, setup, teardown),
      cmocka_unit_test_setup_teardown(test_off, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
