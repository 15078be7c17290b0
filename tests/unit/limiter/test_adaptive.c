/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/adaptive.c: permits, latencies, windows, measuring. */
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
static uint64_t now;

static ttb_limiter_config config(uint32_t algorithm) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_ADAPTIVE;
  c.algorithm = algorithm;
  c.capacity = 2;
  return c;
}
static void make(const ttb_limiter_config *c) {
  now = T0;
  assert_int_equal(ttb_limiter_new(&l, c, NULL), TTB_OK);
}
static int teardown(void **state) {
  (void)state;
  ttb_limiter_free(&l);
  return 0;
}
static ttb_limiter_info info(void) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_limiter_explain(&l, 1, 0, now, &i), TTB_OK);
  return i;
}
static uint32_t limit(void) { return info().limit; }
static int64_t take(void) { return ttb_limiter_acquire(&l, 1, 0, now); }
static int32_t end(int64_t t, int32_t outcome) { return ttb_limiter_report(&l, t, outcome, now); }

/* n calls at once, each of so many us; they count as a sample each. */
static void calls(uint32_t n, uint64_t us, int32_t outcome) {
  static int64_t t[1000];
  for (uint32_t i = 0; i < n; i++) assert_true((t[i] = take()) >= 0);
  now += us * 1000;
  for (uint32_t i = 0; i < n; i++) assert_int_equal(end(t[i], outcome), TTB_OK);
}

static void test_exact_cap(void **state) {
  (void)state;
  for (uint32_t a = TTB_LIMIT_AIMD; a <= TTB_LIMIT_GRADIENT; a++) {
    ttb_limiter_config c = config(a);
    make(&c);
    uint32_t n = 0, wanted = a == TTB_LIMIT_GRADIENT ? 3 : 20;
    assert_int_equal(limit(), wanted);
    assert_int_equal(info().available, wanted);
    while (take() >= 0) n++;
    assert_int_equal(n, wanted);
    assert_int_equal(info().in_use, wanted);
    assert_int_equal(ttb_limiter_peek(&l, 1, 0, now), TTB_LIMIT);
    assert_int_equal(info().retry_after_ns, -1);
    assert_true(ttb_limiter_acquire(&l, 0, 0, now) >= 0); /* another key's own */
    assert_int_equal(ttb_limiter_acquire(&l, 1, 1, now), TTB_ERR_RANGE);
    ttb_limiter_free(&l);
  }
}

static void test_tickets(void **state) {
  (void)state;
  ttb_limiter_config c = config(TTB_LIMIT_AIMD);
  make(&c);
  int64_t a = take();
  assert_int_equal(end(a, TTB_CANCELLED), TTB_OK);
  assert_int_equal(end(a, TTB_SUCCESS), TTB_STALE);
  int64_t b = take();
  assert_true(b != a);
  assert_int_equal(end(a, TTB_SUCCESS), TTB_STALE); /* another's now */
  assert_int_equal(end(b | INT64_C(0x7fff) << 48, TTB_SUCCESS), TTB_STALE); /* no such permit */
  assert_int_equal(info().in_use, 1);
}

/* A window ends with the first report that finds both: its time over, and
 * enough calls in it. */
static void test_windows(void **state) {
  (void)state;
  ttb_limiter_config c = config(TTB_LIMIT_AIMD);
  make(&c);
  calls(9, 1000, TTB_SUCCESS);
  assert_int_equal(limit(), 20);
  calls(9, 1000, TTB_SUCCESS); /* the first window needs no time, only ten calls */
  assert_int_equal(limit(), 20); /* never ten at once: nobody tests the limit */
  calls(15, 1000, TTB_SUCCESS);
  assert_int_equal(limit(), 20);
  now += 98 * MS;
  calls(1, 500, TTB_SUCCESS);
  assert_int_equal(limit(), 20);
  now += MS;
  calls(1, 500, TTB_SUCCESS); /* fifteen had been out at once */
  assert_int_equal(limit(), 21);
  now += 1000 * MS;
  calls(9, 500, TTB_SUCCESS);
  assert_int_equal(limit(), 21); /* time, but no ten calls */
  calls(1, 500, TTB_SUCCESS);
  assert_int_equal(limit(), 21); /* ten, of which never eleven at once */
}

/* Whether the limit was in use: by what was refused, by what still is out. */
static void test_in_use(void **state) {
  (void)state;
  ttb_limiter_config c = config(TTB_LIMIT_AIMD);
  c.limit_window_ms = TTB_OFF;
  c.initial_limit = c.min_limit = 4;
  make(&c);
  int64_t t[5];
  for (int i = 0; i < 4; i++) assert_true((t[i] = take()) >= 0);
  now += MS;
  for (int i = 0; i < 4; i++) end(t[i], i == 3 ? TTB_SUCCESS : TTB_IGNORED);
  assert_int_equal(limit(), 5); /* four had been out at once */
  calls(1, 1000, TTB_SUCCESS);
  assert_int_equal(limit(), 5); /* one: nobody tests the limit */
  for (int i = 0; i < 3; i++) assert_true((t[i] = take()) >= 0);
  end(t[0], TTB_SUCCESS);
  assert_int_equal(limit(), 6);
  end(t[1], TTB_SUCCESS); /* two were out then, one is left: 2 * 2 < 6 */
  assert_int_equal(limit(), 6);
}

static void test_drops(void **state) {
  (void)state;
  ttb_limiter_config c = config(TTB_LIMIT_AIMD);
  c.limit_window_ms = TTB_OFF;
  c.initial_limit = 100;
  c.min_limit = 10;
  c.timeout_ms = 50;
  make(&c);
  calls(1, 1000, TTB_FAILURE);
  assert_int_equal(limit(), 90);
  calls(1, 50000, TTB_SUCCESS);
  assert_int_equal(limit(), 90);
  calls(1, 50001, TTB_SUCCESS); /* longer than timeout_ms */
  assert_int_equal(limit(), 81);
  calls(1, 50001, TTB_IGNORED);
  calls(1, 50001, TTB_CANCELLED);
  assert_int_equal(limit(), 81);
  for (int i = 0; i < 50; i++) calls(1, 1000, TTB_FAILURE);
  assert_int_equal(limit(), 10);
}

/* After a cut: what is out above the limit runs on and is not granted again. */
static void test_cut(void **state) {
  (void)state;
  ttb_limiter_config c = config(TTB_LIMIT_AIMD);
  c.limit_window_ms = TTB_OFF;
  c.initial_limit = 10;
  c.min_limit = 1;
  c.backoff_ppm = 500000;
  make(&c);
  int64_t t[10];
  for (int i = 0; i < 10; i++) assert_true((t[i] = take()) >= 0);
  assert_int_equal(end(t[9], TTB_FAILURE), TTB_OK);
  assert_int_equal(limit(), 5);
  assert_int_equal(take(), TTB_LIMIT);
  for (int i = 5; i < 9; i++) assert_int_equal(end(t[i], TTB_IGNORED), TTB_OK);
  assert_int_equal(take(), TTB_LIMIT);
  assert_int_equal(info().in_use, 5);
  assert_int_equal(end(t[0], TTB_IGNORED), TTB_OK);
  assert_true(take() >= 0);
}

static void test_lease(void **state) {
  (void)state;
  ttb_limiter_config c = config(TTB_LIMIT_AIMD);
  c.initial_limit = c.min_limit = c.max_limit = 2;
  c.lease_ms = 3600000;
  make(&c);
  int64_t a = take(), b = take();
  now += 3599999 * MS;
  assert_int_equal(take(), TTB_LIMIT);
  assert_int_equal(info().retry_after_ns, MS);
  now += MS;
  assert_int_equal(info().available, 2);
  int64_t a2 = take();
  assert_true(a2 >= 0);
  assert_int_equal(end(a, TTB_SUCCESS), TTB_STALE);
  assert_int_equal(end(b, TTB_SUCCESS), TTB_OK); /* late, but nobody had it since */
  assert_int_equal(info().in_use, 1);
  now += 30 * (86400000 * MS); /* the word's time has gone round and round */
  assert_int_equal(info().in_use, 0);
}

/* Leases that end while the limit is reached, each to the quarter of a us; and
 * the lowest is found again. */
static void test_full_and_lapsing(void **state) {
  (void)state;
  const uint32_t limits[] = {1, 63, 64, 65, 300};
  for (int k = 0; k < 5; k++) {
    ttb_limiter_config c = config(TTB_LIMIT_AIMD);
    c.min_limit = limits[k];
    c.max_limit = 1000;
    c.lease_ms = 250;
    c.initial_limit = limits[k];
    make(&c);
    for (uint32_t i = 0; i < limits[k]; i++, now += 100250) assert_true(take() >= 0);
    uint64_t end = T0 + 250 * MS;
    for (uint32_t i = 0; i < limits[k]; i++, end += 100250) {
      now = end - 250;
      for (int j = 0; j < 3; j++) assert_int_equal(take(), TTB_LIMIT);
      assert_int_equal(info().retry_after_ns, 250);
      now = end;
      assert_int_equal(ttb__ticket_unpack(take()).permit, i);
      assert_int_equal(take(), TTB_LIMIT);
    }
    ttb_limiter_free(&l);
  }
}

/* A clock that goes back makes no latency of its own. */
static void test_clock(void **state) {
  (void)state;
  ttb_limiter_config c = config(TTB_LIMIT_VEGAS);
  c.limit_window_ms = TTB_OFF;
  make(&c);
  calls(1, 7000, TTB_SUCCESS);
  assert_int_equal(info().latency_ns, 7 * MS);
  const uint64_t back[] = {400000, 5 * MS, 999 * MS, 2000 * MS, 8200000 * MS};
  for (int i = 0; i < 5; i++) {
    now += 10900000;
    int64_t t = take();
    now -= back[i];
    assert_int_equal(end(t, TTB_SUCCESS), TTB_OK); /* it says nothing, given back all the same */
    assert_int_equal(info().in_use, 0);
    assert_int_equal(info().latency_ns, 7 * MS);
    now += back[i];
  }
  int64_t t = take();
  now += 8200000 * MS; /* the permit's time goes round after 2.4 hours */
  assert_int_equal(end(t, TTB_SUCCESS), TTB_OK);
  assert_int_equal(info().latency_ns, 7 * MS);
  assert_int_equal(limit(), 20);
  calls(1, 0, TTB_SUCCESS); /* one that takes no time does so */
  assert_int_equal(info().latency_ns, 250);
  t = take();
  now -= 5 * MS;
  assert_int_equal(end(t, TTB_FAILURE), TTB_OK); /* a drop is one at any time */
  assert_int_equal(limit(), 19);
}

/* A timeout longer than the longest latency is one, too. */
static void test_long_timeout(void **state) {
  (void)state;
  ttb_limiter_config c = config(TTB_LIMIT_AIMD);
  c.limit_window_ms = TTB_OFF;
  c.min_limit = 1;
  c.timeout_ms = 3600000;
  make(&c);
  calls(1, 3600000000, TTB_SUCCESS);
  assert_int_equal(limit(), 20);
  calls(1, 3600000001, TTB_SUCCESS);
  assert_int_equal(limit(), 18);
}

/* Envoy's: held at min_limit for measure_samples calls, then on from where it was. */
static void test_measuring(void **state) {
  (void)state;
  ttb_limiter_config c = config(TTB_LIMIT_GRADIENT);
  c.measure_jitter_ppm = TTB_OFF;
  make(&c);
  assert_int_equal(info().measuring, 1);
  for (int i = 0; i < 49; i++) calls(1, i % 2 ? 8000 : 12000, TTB_SUCCESS);
  assert_int_equal(info().measuring, 1);
  calls(1, 8000, TTB_SUCCESS);
  assert_int_equal(info().measuring, 0);
  uint64_t least = info().latency_ns; /* the median, to an eighth of an octave */
  assert_true(least >= 8 * MS && least <= 12 * MS);
  assert_int_equal(limit(), 3);
  for (int i = 0; i < 12; i++) {
    now += 100 * MS;
    calls(limit(), 8000, TTB_SUCCESS);
  }
  uint32_t grown = limit();
  assert_true(grown > 50);
  now += 60000 * MS;
  int64_t early = take();
  calls(1, 8000, TTB_SUCCESS); /* the minute is over: measured anew */
  assert_int_equal(info().measuring, 1);
  assert_int_equal(limit(), 3);
  now += 500 * MS;
  for (int i = 0; i < 49; i++) calls(1, 4000, TTB_SUCCESS);
  assert_int_equal(end(early, TTB_SUCCESS), TTB_OK); /* began before: not one of them */
  assert_int_equal(info().measuring, 1);
  calls(1, 4000, TTB_SUCCESS);
  assert_int_equal(info().measuring, 0);
  assert_true(info().latency_ns >= 35 * MS / 10 && info().latency_ns <= 45 * MS / 10);
  assert_true(limit() >= grown);
}

/* The quantile of a window, not its mean. */
static void test_quantile(void **state) {
  (void)state;
  const int32_t ppm[] = {100000, 500000, 900000, 1000000};
  const uint64_t from[] = {900, 900, 900, 85000}, to[] = {1100, 1100, 1100, 115000};
  for (int i = 0; i < 4; i++) {
    ttb_limiter_config c = config(TTB_LIMIT_GRADIENT);
    c.quantile_ppm = ppm[i];
    c.measure_samples = 100;
    make(&c);
    for (int k = 0; k < 100; k++) calls(1, k % 20 == 7 ? 100000 : 1000, TTB_SUCCESS);
    assert_int_equal(info().measuring, 0);
    assert_in_range(info().latency_ns, from[i] * 1000, to[i] * 1000);
    ttb_limiter_free(&l);
  }
}

/* The handle of a thread: its permits come back with its row. */
static void test_join(void **state) {
  (void)state;
  ttb_limiter_config c = config(TTB_LIMIT_GRADIENT2);
  ttb_limiter mine, other;
  make(&c);
  assert_int_equal(ttb_limiter_join(&l, 1, &mine), TTB_OK);
  assert_int_equal(ttb_limiter_join(&l, 2, &other), TTB_OK);
  int64_t t = -1;
  for (int i = 0; i < 12; i++) assert_true((t = ttb_limiter_acquire(&other, 1, 0, now)) >= 0);
  for (int i = 0; i < 8; i++) assert_true(ttb_limiter_acquire(&mine, 1, 0, now) >= 0);
  assert_int_equal(ttb_limiter_acquire(&mine, 1, 0, now), TTB_LIMIT);
  assert_int_equal(ttb_limiter_recover(&mine, 2), 1);
  assert_int_equal(info().in_use, 8);
  assert_int_equal(ttb_limiter_report(&mine, t, TTB_SUCCESS, now), TTB_STALE);
  int64_t again = ttb_limiter_acquire(&mine, 1, 0, now);
  assert_int_equal(ttb_limiter_report(&l, again, TTB_SUCCESS, now), TTB_OK); /* by any handle */
  ttb_limiter_free(&mine);
  assert_int_equal(info().in_use, 0);
  ttb_limiter_free(&other);
}

/* Whatever a neighbour writes into the slot: a limit within its bounds. */
static void test_scribbled(void **state) {
  (void)state;
  uint64_t x = 88172645463325252u;
  for (uint32_t a = TTB_LIMIT_AIMD; a <= TTB_LIMIT_GRADIENT; a++) {
    ttb_limiter_config c = config(a);
    c.limit_window_ms = TTB_OFF;
    make(&c);
    ttb__limiter *h = ttb__limiter_of(&l);
    for (int round = 0; round < 3000; round++) {
      for (uint64_t i = 0; i < 10; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint64_t w = round % 3 == 0 ? UINT64_MAX << (x % 64) : x >> (x >> 40) % 64;
        memcpy(h->slots + h->stride + 8 * i, &w, 8);
      }
      int64_t t = take();
      now += x % 1000000000;
      if (t >= 0) assert_true(end(t, TTB_SUCCESS) <= 0);
      assert_in_range(limit(), 1, c.algorithm == TTB_LIMIT_AIMD || a == TTB_LIMIT_GRADIENT2 ? 200 : 1000);
      memset(h->slots + h->stride + 128, 0, (size_t)h->stride - 128);
    }
    ttb_limiter_free(&l);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_exact_cap, teardown),
      cmocka_unit_test_teardown(test_tickets, teardown),
      cmocka_unit_test_teardown(test_windows, teardown),
      cmocka_unit_test_teardown(test_in_use, teardown),
      cmocka_unit_test_teardown(test_drops, teardown),
      cmocka_unit_test_teardown(test_cut, teardown),
      cmocka_unit_test_teardown(test_lease, teardown),
      cmocka_unit_test_teardown(test_full_and_lapsing, teardown),
      cmocka_unit_test_teardown(test_clock, teardown),
      cmocka_unit_test_teardown(test_long_timeout, teardown),
      cmocka_unit_test_teardown(test_measuring, teardown),
      cmocka_unit_test_teardown(test_quantile, teardown),
      cmocka_unit_test_teardown(test_join, teardown),
      cmocka_unit_test_teardown(test_scribbled, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
