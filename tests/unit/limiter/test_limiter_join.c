/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/limiter_join.c: rows, and what a survivor takes back. */
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

static int setup(void **state) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  (void)state;
  c.capacity = 3;
  c.permits = 4;
  c.threads = 3;
  return ttb_limiter_new(&l, &c, NULL);
}
static int teardown(void **state) {
  (void)state;
  ttb_limiter_free(&l);
  return 0;
}
static uint32_t joined(void) {
  ttb_limiter_stats s = {.struct_size = sizeof s};
  assert_int_equal(ttb_limiter_statistics(&l, &s), TTB_OK);
  return s.joined;
}
static uint32_t out(uint32_t slot) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_limiter_explain(&l, slot, 0, T0, &i), TTB_OK);
  return i.in_use;
}
static int64_t take(ttb_limiter *h, uint32_t slot) {
  int64_t t = ttb_limiter_acquire(h, slot, 0, T0);
  assert_true(t >= 0);
  return t;
}

static void test_join_until_full(void **state) {
  (void)state;
  ttb_limiter h[3], bad;
  memset(&bad, 0x77, sizeof bad);
  ttb_limiter before = bad;
  for (int i = 0; i < 3; i++) assert_int_equal(ttb_limiter_join(&l, 7, &h[i]), TTB_OK);
  assert_int_equal(ttb_limiter_join(&l, 7, &bad), TTB_ERR_NOSPACE);
  assert_memory_equal(&bad, &before, sizeof bad);
  ttb_limiter_free(&h[1]);
  assert_int_equal(joined(), 2);
  assert_int_equal(ttb_limiter_join(&l, 8, &h[1]), TTB_OK);
  for (int i = 0; i < 3; i++) ttb_limiter_free(&h[i]);
  assert_int_equal(joined(), 0);
}

static void test_tokens(void **state) {
  (void)state;
  ttb_limiter h;
  assert_int_equal(ttb_limiter_join(&l, 0, &h), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_join(&l, TTB_MAX_TOKEN + 1, &h), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_join(&l, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_join(NULL, 1, &h), TTB_ERR_MISUSE);
  assert_int_equal(ttb_limiter_join(&l, 9, &h), TTB_OK);
  assert_int_equal(ttb_limiter_recover(&l, 1), TTB_ERR_MISUSE); /* never joined */
  assert_int_equal(ttb_limiter_recover(&h, 9), TTB_ERR_MISUSE); /* itself */
  assert_int_equal(ttb_limiter_recover(&h, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_recover(&h, TTB_MAX_TOKEN + 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_recover(&h, 12345), 0); /* nobody */
  ttb_limiter_free(&h);
}

/* Every permit of the dead process, of all slots and threads, nobody else's. */
static void test_recover(void **state) {
  (void)state;
  ttb_limiter survivor, dead[2];
  assert_int_equal(ttb_limiter_join(&l, 1, &survivor), TTB_OK);
  assert_int_equal(ttb_limiter_join(&l, 66, &dead[0]), TTB_OK);
  assert_int_equal(ttb_limiter_join(&l, 66, &dead[1]), TTB_OK);
  int64_t mine = take(&survivor, 0), shared = take(&l, 0), theirs = take(&dead[0], 0);
  take(&dead[1], 0), take(&dead[1], 2);
  assert_int_equal(ttb_limiter_acquire(&l, 0, 0, T0), TTB_LIMIT);
  assert_int_equal(ttb_limiter_recover(&survivor, 66), 2);
  assert_int_equal(out(0), 2);
  assert_int_equal(out(2), 0);
  assert_int_equal(ttb_limiter_recover(&survivor, 66), 0); /* idempotent */
  assert_int_equal(ttb_limiter_report(&l, theirs, TTB_SUCCESS, T0), TTB_STALE);
  assert_int_equal(ttb_limiter_report(&l, mine, TTB_SUCCESS, T0), TTB_OK);
  assert_int_equal(ttb_limiter_report(&survivor, shared, TTB_SUCCESS, T0), TTB_OK);
  assert_int_equal(out(0), 0);
  ttb_limiter_free(&survivor);
}

static void test_a_row_is_reused(void **state) {
  (void)state;
  ttb_limiter first, second, survivor;
  assert_int_equal(ttb_limiter_join(&l, 9, &survivor), TTB_OK);
  assert_int_equal(ttb_limiter_join(&l, 10, &first), TTB_OK);
  int64_t old = take(&first, 1);
  assert_int_equal(ttb_limiter_recover(&survivor, 10), 1);
  assert_int_equal(ttb_limiter_join(&l, 11, &second), TTB_OK);
  int64_t t = take(&second, 1);
  assert_int_equal(ttb__ticket_unpack(t).row, ttb__ticket_unpack(old).row);
  assert_int_equal(ttb_limiter_report(&second, old, TTB_SUCCESS, T0), TTB_STALE);
  assert_int_equal(out(1), 1);
  assert_int_equal(ttb_limiter_report(&second, t, TTB_SUCCESS, T0), TTB_OK);
  ttb_limiter_free(&second);
  ttb_limiter_free(&survivor);
}

static void test_leaving_gives_back(void **state) {
  (void)state;
  ttb_limiter h;
  assert_int_equal(ttb_limiter_join(&l, 7, &h), TTB_OK);
  int64_t t = take(&h, 0);
  take(&h, 1), take(&l, 1);
  ttb_limiter_free(&h);
  assert_int_equal(out(0), 0);
  assert_int_equal(out(1), 1);
  assert_int_equal(ttb_limiter_report(&l, t, TTB_SUCCESS, T0), TTB_STALE);
}

/* The recoverer died in the middle: recovering it finishes its work. */
static void test_the_recoverer_dies_too(void **state) {
  (void)state;
  ttb_limiter survivor, dead, half;
  assert_int_equal(ttb_limiter_join(&l, 1, &survivor), TTB_OK);
  assert_int_equal(ttb_limiter_join(&l, 66, &dead), TTB_OK);
  assert_int_equal(ttb_limiter_join(&l, 77, &half), TTB_OK);
  take(&dead, 0), take(&dead, 1);
  ttb__limiter *h = ttb__limiter_of(&half);
  uint32_t cursor = 0;
  ttb__row row;
  assert_true(ttb__rows_recover_next(h->rows, h->threads, 66, 77, &cursor, &row) >= 0);
  assert_int_equal(ttb_limiter_recover(&survivor, 66), 0); /* 77 has it */
  assert_int_equal(ttb_limiter_recover(&survivor, 77), 2); /* its own row and that one */
  assert_int_equal(out(0) + out(1), 0);
  assert_int_equal(joined(), 1);
  ttb_limiter_free(&survivor);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(test_join_until_full),    T(test_tokens),
      T(test_recover),            T(test_a_row_is_reused),
      T(test_leaving_gives_back), T(test_the_recoverer_dies_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
