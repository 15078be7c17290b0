/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/join.c: rows, and what a survivor takes back. */
#include "../../../lib/breaker/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static ttb_breaker b;
static uint64_t now;

static int setup(void **state) {
  (void)state;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.capacity = 3;
  c.consecutive = 1;
  c.failure_rate_ppm = TTB_OFF;
  c.half_open_probes = 4;
  c.half_open_successes = 4;
  c.threads = 3;
  now = 3600000 * MS;
  if (ttb_breaker_new(&b, &c, NULL) < 0) return -1;
  for (uint32_t slot = 0; slot < 3; slot++)
    (void)ttb_breaker_set(&b, slot, TTB_BREAKER_OPEN, now);
  now += 5000 * MS;
  return 0;
}
static int teardown(void **state) {
  (void)state;
  ttb_breaker_free(&b);
  return 0;
}

static uint32_t joined(void) {
  ttb_breaker_stats s = {.struct_size = sizeof s};
  assert_int_equal(ttb_breaker_statistics(&b, &s), TTB_OK);
  return s.joined;
}
static uint32_t out(uint32_t slot) {
  ttb_breaker_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_breaker_explain(&b, slot, now, &i), TTB_OK);
  return i.probes_out;
}
static int64_t take(ttb_breaker *h, uint32_t slot) {
  int64_t t = ttb_breaker_acquire(h, slot, now);
  assert_true(t >= 0);
  return t;
}

static void test_join_until_full(void **state) {
  (void)state;
  ttb_breaker h[3], bad;
  memset(&bad, 0x77, sizeof bad);
  ttb_breaker before = bad;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(ttb_breaker_join(&b, 7, &h[i]), TTB_OK);
    assert_int_equal(joined(), i + 1);
  }
  assert_int_equal(ttb_breaker_join(&b, 7, &bad), TTB_ERR_NOSPACE);
  assert_memory_equal(&bad, &before, sizeof bad);
  ttb_breaker_free(&h[1]);
  assert_int_equal(joined(), 2);
  assert_int_equal(ttb_breaker_join(&b, 8, &h[1]), TTB_OK);
  for (int i = 0; i < 3; i++) ttb_breaker_free(&h[i]);
  assert_int_equal(joined(), 0);
}

static void test_tokens(void **state) {
  (void)state;
  ttb_breaker h;
  assert_int_equal(ttb_breaker_join(&b, 0, &h), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_join(&b, TTB_MAX_TOKEN + 1, &h), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_join(&b, UINT64_MAX, &h), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_join(&b, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_join(&b, TTB_MAX_TOKEN, &h), TTB_OK);
  assert_int_equal(ttb_breaker_recover(&b, 1), TTB_ERR_MISUSE); /* never joined */
  assert_int_equal(ttb_breaker_recover(&h, TTB_MAX_TOKEN), TTB_ERR_MISUSE); /* itself */
  assert_int_equal(ttb_breaker_recover(&h, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_recover(&h, TTB_MAX_TOKEN + 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_recover(&h, 12345), 0); /* nobody */
  ttb_breaker_free(&h);
}

static void test_tickets_name_their_row(void **state) {
  (void)state;
  ttb_breaker h;
  assert_int_equal(ttb_breaker_join(&b, 7, &h), TTB_OK);
  assert_int_equal(ttb__ticket_unpack(take(&h, 0)).row, 0);
  assert_int_equal(ttb__ticket_unpack(take(&b, 0)).row, TTB__NO_ROW);
  ttb_breaker_free(&h);
}

/* Every probe of the dead process, in all slots and of all its threads, and of
 * nobody else. */
static void test_recover(void **state) {
  (void)state;
  ttb_breaker survivor, dead[2];
  assert_int_equal(ttb_breaker_join(&b, 1, &survivor), TTB_OK);
  assert_int_equal(ttb_breaker_join(&b, 66, &dead[0]), TTB_OK);
  assert_int_equal(ttb_breaker_join(&b, 66, &dead[1]), TTB_OK);
  int64_t mine = take(&survivor, 0), shared = take(&b, 0);
  int64_t theirs = take(&dead[0], 0);
  take(&dead[1], 0), take(&dead[1], 2);
  assert_int_equal(ttb_breaker_acquire(&b, 0, now), TTB_HALF_OPEN_FULL);

  assert_int_equal(ttb_breaker_recover(&survivor, 66), 2);
  assert_int_equal(out(0), 2);
  assert_int_equal(out(2), 0);
  assert_int_equal(joined(), 1);
  assert_int_equal(ttb_breaker_recover(&survivor, 66), 0); /* idempotent */
  assert_int_equal(ttb_breaker_report(&b, theirs, TTB_FAILURE, now), TTB_STALE);
  assert_int_equal(ttb_breaker_report(&b, mine, TTB_SUCCESS, now), TTB_OK);
  assert_int_equal(ttb_breaker_report(&survivor, shared, TTB_SUCCESS, now), TTB_OK);
  ttb_breaker_free(&survivor);

  /* A handle of a row taken away (its process was not dead after all). */
  ttb_breaker next;
  assert_int_equal(ttb_breaker_join(&b, 5, &next), TTB_OK);
  ttb_breaker_free(&dead[0]);
  ttb_breaker_free(&dead[1]);
  assert_int_equal(joined(), 1);
  ttb_breaker_free(&next);
}

/* The next owner of a row does not inherit its probes, nor do old tickets fit
 * its own. */
static void test_a_row_is_reused(void **state) {
  (void)state;
  ttb_breaker first, second, survivor;
  assert_int_equal(ttb_breaker_join(&b, 9, &survivor), TTB_OK);
  assert_int_equal(ttb_breaker_join(&b, 10, &first), TTB_OK);
  int64_t old = take(&first, 1);
  assert_int_equal(ttb_breaker_recover(&survivor, 10), 1);
  assert_int_equal(ttb_breaker_join(&b, 11, &second), TTB_OK);
  int64_t t = take(&second, 1);
  assert_int_equal(ttb__ticket_unpack(t).row, ttb__ticket_unpack(old).row);
  assert_int_equal(ttb_breaker_report(&second, old, TTB_SUCCESS, now), TTB_STALE);
  assert_int_equal(out(1), 1);
  assert_int_equal(ttb_breaker_report(&second, t, TTB_SUCCESS, now), TTB_OK);
  ttb_breaker_free(&second);
  ttb_breaker_free(&survivor);
}

static void test_leaving_gives_back(void **state) {
  (void)state;
  ttb_breaker h;
  assert_int_equal(ttb_breaker_join(&b, 7, &h), TTB_OK);
  int64_t t = take(&h, 0);
  take(&h, 1);
  take(&b, 1);
  ttb_breaker_free(&h);
  assert_int_equal(out(0), 0);
  assert_int_equal(out(1), 1);
  assert_int_equal(ttb_breaker_report(&b, t, TTB_SUCCESS, now), TTB_STALE);
}

/* The recoverer died in the middle: recovering it finishes its work. */
static void test_the_recoverer_dies_too(void **state) {
  (void)state;
  ttb_breaker survivor, dead, half;
  assert_int_equal(ttb_breaker_join(&b, 1, &survivor), TTB_OK);
  assert_int_equal(ttb_breaker_join(&b, 66, &dead), TTB_OK);
  assert_int_equal(ttb_breaker_join(&b, 77, &half), TTB_OK);
  take(&dead, 0), take(&dead, 1);
  ttb__breaker *h = ttb__breaker_of(&half);
  uint32_t cursor = 0;
  ttb__row row;
  assert_true(ttb__rows_recover_next(h->rows, h->threads, 66, 77, &cursor, &row) >= 0);
  assert_int_equal(ttb_breaker_recover(&survivor, 66), 0); /* 77 has it */
  assert_int_equal(out(0), 1);
  assert_int_equal(ttb_breaker_recover(&survivor, 77), 2); /* its own row and that one */
  assert_int_equal(out(0) + out(1), 0);
  assert_int_equal(joined(), 1);
  ttb_breaker_free(&survivor);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(test_join_until_full),
      T(test_tokens),
      T(test_tickets_name_their_row),
      T(test_recover),
      T(test_a_row_is_reused),
      T(test_leaving_gives_back),
      T(test_the_recoverer_dies_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
