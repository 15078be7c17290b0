/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/bulkhead.c: exact cap, reserves, tickets, leases. */
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

static void make(uint32_t permits, int32_t lease_ms, uint32_t r1, uint32_t r2, uint32_t r3) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.capacity = 2;
  c.permits = permits;
  c.lease_ms = lease_ms;
  c.reserve_1 = r1, c.reserve_2 = r2, c.reserve_3 = r3;
  assert_int_equal(ttb_limiter_new(&l, &c, NULL), TTB_OK);
}
static int teardown(void **state) {
  (void)state;
  ttb_limiter_free(&l);
  return 0;
}
static int64_t take(uint32_t ask, uint64_t now) { return ttb_limiter_acquire(&l, 1, ask, now); }
static uint32_t taken(uint32_t ask) {
  uint32_t n = 0;
  while (take(ask, T0) >= 0) n++;
  return n;
}
static ttb_limiter_info info(uint32_t ask, uint64_t now) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_limiter_explain(&l, 1, ask, now, &i), TTB_OK);
  return i;
}

static void test_exact_cap(void **state) {
  (void)state;
  const uint32_t caps[] = {1, 7, 8, 9, 25, 1000, 16384};
  for (int k = 0; k < 7; k++) {
    make(caps[k], 0, 0, 0, 0);
    assert_int_equal(taken(0), caps[k]);
    assert_int_equal(take(0, T0), TTB_LIMIT);
    assert_int_equal(take(3, T0 + 86400000 * MS), TTB_LIMIT); /* no lease: for ever */
    assert_int_equal(info(0, T0).in_use, caps[k]);
    assert_true(ttb_limiter_acquire(&l, 0, 0, T0) >= 0); /* another key's own */
    ttb_limiter_free(&l);
  }
}

static void test_reports(void **state) {
  (void)state;
  make(2, 0, 0, 0, 0);
  int64_t a = take(0, T0), b = take(0, T0);
  for (int32_t outcome = TTB_SUCCESS; outcome <= TTB_SLOW_FAILURE; outcome++) {
    assert_int_equal(ttb_limiter_report(&l, a, outcome, T0), TTB_OK);
    assert_int_equal(ttb_limiter_report(&l, a, outcome, T0), TTB_STALE); /* double */
    int64_t next = take(0, T0);
    assert_true(next >= 0 && next != a);
    assert_int_equal(ttb_limiter_report(&l, a, outcome, T0), TTB_STALE); /* another's now */
    a = next;
    assert_int_equal(take(0, T0), TTB_LIMIT);
  }
  assert_int_equal(ttb_limiter_report(&l, b, 0, T0), TTB_OK);
  assert_int_equal(info(0, T0).in_use, 1);
  ttb_limiter_stats s = {.struct_size = sizeof s};
  assert_int_equal(ttb_limiter_statistics(&l, &s), TTB_OK);
  assert_int_equal(s.stale, 12);
  assert_int_equal(s.refused, 6);
}

static void test_reserves(void **state) {
  (void)state;
  make(10, 0, 2, 5, 9);
  assert_int_equal(taken(3), 1);
  assert_int_equal(taken(2), 4);
  assert_int_equal(taken(1), 3);
  assert_int_equal(taken(0), 2);
  ttb_limiter_free(&l);
  /* The important use up first what the others may not touch. */
  make(10, 0, 2, 5, 9);
  for (int i = 0; i < 5; i++) assert_true(take(0, T0) >= 0);
  assert_int_equal(taken(2), 5);
  assert_int_equal(taken(0), 0);
  ttb_limiter_free(&l);
  /* In any order: one that grows does not matter either. */
  make(10, 0, 9, 5, 2);
  assert_int_equal(taken(1), 1);
  assert_int_equal(taken(3), 7);
  assert_int_equal(taken(2), 0);
  assert_int_equal(taken(0), 2);
}

/* A joined handle's memory of its last permit does not reach into what the less
 * important could use. */
static void test_hint(void **state) {
  (void)state;
  make(10, 0, 0, 0, 5);
  ttb_limiter h;
  assert_int_equal(ttb_limiter_join(&l, 7, &h), TTB_OK);
  for (int i = 0; i < 100; i++) {
    int64_t low = ttb_limiter_acquire(&h, 1, 3, T0);
    assert_true(ttb__ticket_unpack(low).permit >= 5);
    assert_int_equal(ttb_limiter_report(&h, low, 0, T0), TTB_OK);
    int64_t high = ttb_limiter_acquire(&h, 1, 0, T0);
    assert_true(ttb__ticket_unpack(high).permit < 5);
    assert_int_equal(ttb_limiter_report(&h, high, 0, T0), TTB_OK);
  }
  ttb_limiter_free(&h);
}

static void test_lease(void **state) {
  (void)state;
  make(1, 100, 0, 0, 0);
  int64_t lost = take(0, T0);
  assert_int_equal(info(0, T0 + 40 * MS).retry_after_ns, 60 * (int64_t)MS);
  assert_int_equal(take(0, T0 + 99 * MS), TTB_LIMIT);
  assert_int_equal(ttb_limiter_peek(&l, 1, 0, T0 + 99 * MS), TTB_LIMIT);
  assert_int_equal(ttb_limiter_peek(&l, 1, 0, T0 + 100 * MS), TTB_OK);
  assert_int_equal(info(0, T0 + 100 * MS).in_use, 0);
  int64_t next = take(0, T0 + 100 * MS);
  assert_true(next >= 0);
  assert_int_equal(ttb_limiter_report(&l, lost, 0, T0 + 100 * MS), TTB_STALE);
  assert_int_equal(take(0, T0 + 101 * MS), TTB_LIMIT);
  /* Late, but nobody wanted it: it is still ours to give back. */
  assert_int_equal(ttb_limiter_report(&l, next, 0, T0 + 900 * MS), TTB_OK);
}

/* A clock that jumps back cannot hold a permit longer than its lease (and the
 * second it takes to believe the new clock). */
static void test_lease_and_a_jump_back(void **state) {
  (void)state;
  make(1, 5000, 0, 0, 0);
  assert_true(take(0, T0) >= 0);
  uint64_t now = 1000 * MS;
  int i = 0;
  for (; i < 1000 && take(0, now) < 0; i++) now += 10 * MS;
  assert_true(i > 490 && i < 610);
}

/* Leases that end in a table that is full, each to the ms; a dead process' are
 * back at once. */
static void test_full_and_lapsing(void **state) {
  (void)state;
  const uint32_t sizes[] = {1, 25, 63, 64, 65, 300};
  for (int k = 0; k < 6; k++) {
    uint32_t n = sizes[k];
    make(n, 1000, 0, 0, 0);
    for (uint64_t i = 0; i < n; i++) assert_true(take(0, T0 + i * MS) >= 0);
    for (uint64_t i = 0; i < n; i++) {
      for (int j = 0; j < 3; j++) assert_int_equal(take(0, T0 + (999 + i) * MS), TTB_LIMIT);
      assert_int_equal(info(0, T0 + (999 + i) * MS).retry_after_ns, MS);
      int64_t t = take(0, T0 + (1000 + i) * MS);
      assert_int_equal(ttb__ticket_unpack(t).permit, i);
      assert_int_equal(take(0, T0 + (1000 + i) * MS), TTB_LIMIT);
    }
    ttb_limiter_free(&l);
  }
}

/* What lapsed among one's own is used before what the others may use. */
static void test_lapsed_and_reserved(void **state) {
  (void)state;
  make(200, 50, 0, 0, 130);
  for (int i = 0; i < 130; i++) assert_true(ttb__ticket_unpack(take(0, T0)).permit < 130);
  assert_true(ttb__ticket_unpack(take(0, T0)).permit >= 130);
  assert_true(ttb__ticket_unpack(take(0, T0 + 49 * MS)).permit >= 130);
  for (int i = 0; i < 130; i++) assert_true(ttb__ticket_unpack(take(0, T0 + 50 * MS)).permit < 130);
  assert_true(ttb__ticket_unpack(take(0, T0 + 50 * MS)).permit >= 130);
}

static void test_hostile_words(void **state) {
  (void)state;
  make(4, 100, 0, 0, 0);
  ttb__limiter *h = ttb__limiter_of(&l);
  unsigned char *slot = ttb__limiter_slot_at(h, 1);
  for (uint32_t i = 0; i < h->stride; i += 8) ttb__store_rlx((ttb__a64 *)(void *)(slot + i), UINT64_MAX);
  (void)take(0, T0);
  assert_true(info(0, T0).in_use <= 4);
  memset(slot, 0, h->stride);
  assert_int_equal(taken(0), 4);
}

int main(void) {
#define T(f) cmocka_unit_test_teardown(f, teardown)
  const struct CMUnitTest tests[] = {
      T(test_exact_cap), T(test_reports),
      T(test_reserves),  T(test_hint),
      T(test_lease),     T(test_lease_and_a_jump_back),
      T(test_full_and_lapsing), T(test_lapsed_and_reserved),
      T(test_hostile_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
