/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/window.h: turns, buckets, saturation. */
#include "../../../lib/breaker/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static ttb__a64 buckets[6 * TTB__BUCKETS];
static const ttb__window win = {buckets, 1, 0};
static uint64_t inverse;

static int fresh(void **state) {
  (void)state;
  memset(buckets, 0, sizeof buckets);
  inverse = ttb__window_inverse(16000); /* a turn a second */
  return 0;
}

static uint32_t turn(uint64_t ms) { return ttb__window_turn(inverse, ms, 0); }
static void add(uint64_t ms, uint32_t failures) {
  ttb__window_add(win, 0, turn(ms), failures);
}
static void expect(uint64_t ms, uint32_t calls, uint32_t failures) {
  ttb__counts c = ttb__window_sum(win, turn(ms));
  assert_int_equal(c.calls, calls);
  assert_int_equal(c.failures, failures);
}

static void test_turns_by_the_inverse(void **state) {
  (void)state;
  const uint32_t windows[] = {1000, 1024, 10000, 16000, 65536, 99991, 3600000, 86400000};
  for (int i = 0; i < 8; i++) {
    uint64_t inv = ttb__window_inverse(windows[i]), x = 1;
    for (int k = 0; k < 100000; k++) {
      x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
      uint64_t ms = x >> (30 + (x & 31)); /* up to half a year */
      uint64_t exact = ms * 16 / windows[i];
      assert_int_equal(ttb__window_turn(inv, ms, 0), exact & TTB__TURN_MASK);
      assert_int_equal(ttb__window_turn(inv, ms, 3), (exact + 96) & TTB__TURN_MASK);
    }
    /* Far in the future turns may begin early by a little, but never go back. */
    uint64_t last = 0;
    for (uint64_t ms = UINT64_C(1) << 42; ms < (UINT64_C(1) << 42) + 200000; ms += 13) {
      uint32_t t = ttb__window_turn(inv, ms, 0);
      assert_true(last == 0 || t - last < 16);
      last = t;
    }
  }
}

static void test_packing(void **state) {
  (void)state;
  uint64_t w = ttb__bucket(TTB__TURN_MASK, (ttb__counts){TTB__COUNT_MASK, 5});
  assert_int_equal(ttb__bucket_turn(w), TTB__TURN_MASK);
  assert_int_equal(ttb__bucket_counts(w).calls, TTB__COUNT_MASK);
  assert_int_equal(ttb__bucket_counts(w).failures, 5);
}

static void test_sixteen_turns(void **state) {
  (void)state;
  add(100000, 1);
  add(100999, 0);
  expect(100999, 2, 1);
  expect(115999, 2, 1); /* the 16th turn still sees it */
  expect(116000, 0, 0); /* the 17th does not */
  for (uint64_t ms = 100000; ms < 200000; ms += 100) {
    add(ms, ms % 200 == 0);
    ttb__counts c = ttb__window_sum(win, turn(ms));
    assert_true(c.calls <= 163);
    if (ms >= 116000) assert_true(c.calls >= 151);
  }
}

static void test_idle_gaps_of_any_length(void **state) {
  (void)state;
  /* 16 turns (the same bucket again), 17, 32, a day, 46 days, and odd ones. */
  const uint64_t gaps[] = {16000, 17000, 32000, 86400000, 4000000000, 31999, 7777777};
  uint64_t ms = 1000000;
  for (int i = 0; i < 7; i++) {
    for (int k = 0; k < 5; k++) add(ms, 1);
    expect(ms, i == 0 ? 5 : 6, 5); /* with the success after the last gap */
    ms += gaps[i];
    expect(ms, 0, 0);
    add(ms, 0);
    expect(ms, 1, 0);
  }
}

/* I1: an older time counts into the bucket that stands, and takes nothing away. */
static void test_older_time(void **state) {
  (void)state;
  add(116500, 1);
  add(116500, 1);
  add(100500, 1);      /* 16 turns older, the same bucket: outside its window */
  expect(116500, 2, 2);
  add(115500, 1);      /* one turn older: a bucket of its own */
  expect(116500, 3, 3);
  for (uint64_t older = 1; older < 16; older++) add(116500 - older * 1000, 0);
  expect(116500, 18, 3);
}

/* A bucket ahead by less than a window takes what comes late for it. */
static void test_a_bucket_ahead(void **state) {
  (void)state;
  uint32_t t = turn(100000);
  ttb__store_rlx(&buckets[t % 16], ttb__bucket(t + 15, (ttb__counts){4, 1}));
  ttb__window_add(win, 0, t, 1);
  assert_true(ttb__load_rlx(&buckets[t % 16]) == ttb__bucket(t + 15, (ttb__counts){5, 2}));
  /* Ahead by a window or more (a later generation): not ours to count in. */
  ttb__store_rlx(&buckets[t % 16], ttb__bucket(t + 16, (ttb__counts){4, 1}));
  ttb__window_add(win, 0, t, 1);
  ttb__store_rlx(&buckets[t % 16], ttb__bucket(t + 32, (ttb__counts){4, 1}));
  ttb__window_add(win, 0, t, 1);
  assert_true(ttb__load_rlx(&buckets[t % 16]) == ttb__bucket(t + 32, (ttb__counts){4, 1}));
  /* Ahead by months: forgotten, so it turns. */
  ttb__store_rlx(&buckets[t % 16], ttb__bucket(t + TTB__TURN_AHEAD, (ttb__counts){4, 1}));
  ttb__window_add(win, 0, t, 1);
  assert_true(ttb__load_rlx(&buckets[t % 16]) == ttb__bucket(t, (ttb__counts){1, 1}));
}

/* Each generation leaves all older buckets behind, also across its wrap. */
static void test_generations(void **state) {
  (void)state;
  const uint32_t last = 0xfffff;
  for (uint32_t i = 0; i < 40; i++) {
    uint32_t gen = (last - 20 + i) & 0xfffff, t = ttb__window_turn(inverse, 5000000, gen);
    assert_int_equal(ttb__window_sum(win, t).calls, 0);
    ttb__window_add(win, 0, t, 1);
    ttb__window_add(win, 0, t, 0);
    assert_int_equal(ttb__window_sum(win, t).calls, 2);
    if (i == 0) continue; /* a report of the generation before changes nothing */
    ttb__window_add(win, 0, ttb__window_turn(inverse, 5000000, (gen - 1) & 0xfffff), 1);
    if (gen != 0) assert_int_equal(ttb__window_sum(win, t).calls, 2);
  }
}

/* 28 bits of turn come round after months; no state in between may blind a
 * bucket for long. */
static void test_every_age(void **state) {
  (void)state;
  uint32_t blind = 0;
  for (uint64_t age = 0; age <= TTB__TURN_MASK; age += 4097) {
    uint32_t now = 123456;
    memset(buckets, 0, sizeof buckets);
    ttb__store_rlx(&buckets[now % 16],
                   ttb__bucket((uint32_t)(now - age) & TTB__TURN_MASK, (ttb__counts){3, 3}));
    ttb__window_add(win, 0, now, 0);
    blind += ttb__window_sum(win, now).calls == 0;
  }
  assert_true(blind <= (TTB__TURN_AHEAD >> 12) + 1); /* 68 minutes of 194 days at 1000 ms */
}

/* I2. */
static void test_saturation(void **state) {
  (void)state;
  uint32_t failures = 0;
  for (uint32_t i = 0; i < 3000000; i++) {
    add(100000, i % 4 == 0);
    failures += i % 4 == 0;
    if (i < TTB__COUNT_FULL) continue;
    ttb__counts c = ttb__bucket_counts(ttb__load_rlx(&buckets[turn(100000) % 16]));
    assert_true(c.calls >= 120000 && c.calls <= TTB__COUNT_FULL);
    assert_true(c.failures * 4 + 4 >= c.calls - 4 && c.failures * 4 <= c.calls + 8); /* a quarter */
    assert_int_equal(ttb__bucket_turn(ttb__load_rlx(&buckets[turn(100000) % 16])), turn(100000));
  }
  assert_true(failures == 750000);
}

/* I5. All threads have looked just before the bucket was full, and none looks again
 * before it has to. */
static void test_saturation_unseen(void **state) {
  (void)state;
  uint32_t t = turn(100000), more = 0;
  ttb__a64 *b = ttb__window_bucket(win.buckets, 0, t);
  ttb__store_rlx(b, ttb__bucket(t, (ttb__counts){TTB__COUNT_FULL - 1, 5}));
  assert_true(ttb__bucket_takes(ttb__load_rlx(b), t));
  for (int thread = 0; thread < 254; thread++) {
    ttb__seen seen = {win.buckets, b, 100000, 0, TTB__UNSEEN};
    while (ttb__window_add_unseen(&seen, win.buckets, 0, 100000)) more++;
    assert_int_equal(seen.left, 0);
  }
  for (int thread = 254; thread < 1023; thread++) ttb__add_rlx(b, 1), more++;
  ttb__counts c = ttb__bucket_counts(ttb__load_rlx(b));
  assert_int_equal(c.calls, TTB__COUNT_FULL - 1 + more);
  assert_int_equal(c.failures, 5);
  assert_int_equal(ttb__bucket_turn(ttb__load_rlx(b)), t);
  assert_false(ttb__window_add(win, 0, t, 0)); /* who looks halves */
  assert_true(ttb__bucket_counts(ttb__load_rlx(b)).calls < TTB__COUNT_FULL);
}

static void test_unseen_is_of_one_slot_generation_and_ms(void **state) {
  (void)state;
  ttb__a64 *b = ttb__window_bucket(win.buckets, 0, turn(100000));
  ttb__seen seen = {buckets, b, 100000, 7, 2};
  assert_false(ttb__window_add_unseen(&seen, buckets + 1, 7, 100000));
  assert_false(ttb__window_add_unseen(&seen, buckets, 8, 100000));
  assert_false(ttb__window_add_unseen(&seen, buckets, 7, 100001));
  assert_false(ttb__window_add_unseen(&(ttb__seen){NULL, NULL, 0, 0, 0}, buckets, 7, 100000));
  assert_int_equal(ttb__load_rlx(b), 0);
  assert_true(ttb__window_add_unseen(&seen, buckets, 7, 100000));
  assert_true(ttb__window_add_unseen(&seen, buckets, 7, 100000));
  assert_false(ttb__window_add_unseen(&seen, buckets, 7, 100000));
  assert_int_equal(ttb__load_rlx(b), 2);
}

static void test_saturation_with_late_adders(void **state) {
  (void)state;
  uint32_t t = turn(100000);
  /* 1023 threads that had looked before the bucket was full may still add. */
  ttb__store_rlx(&buckets[t % 16], ttb__bucket(t, (ttb__counts){TTB__COUNT_MASK, TTB__COUNT_MASK}));
  ttb__window_add(win, 0, t, 1);
  ttb__counts c = ttb__bucket_counts(ttb__load_rlx(&buckets[t % 16]));
  assert_int_equal(c.calls, TTB__COUNT_MASK / 2 + 1);
  assert_int_equal(c.failures, TTB__COUNT_MASK / 2 + 1);
  /* All 16 together still fit 32 bits, and a 64-bit rate. */
  for (uint32_t i = 0; i < 16; i++)
    ttb__store_rlx(&buckets[i], ttb__bucket(t - (t - i) % 16, (ttb__counts){TTB__COUNT_MASK, 1}));
  assert_int_equal(ttb__window_sum(win, t).calls, 16 * TTB__COUNT_MASK);
}

/* Behind a first zero bucket nothing is ever lost, whatever the time. */
static void test_fresh_buckets_at_any_time(void **state) {
  (void)state;
  for (uint64_t t = 0; t <= TTB__TURN_MASK; t += 65521) {
    memset(buckets, 0, sizeof buckets);
    ttb__window_add(win, 0, (uint32_t)t, 1);
    assert_int_equal(ttb__window_sum(win, (uint32_t)t).calls, 1);
  }
}

/* Stripes: sums see all of them; each turns its own buckets. */
static void test_stripes(void **state) {
  (void)state;
  const ttb__window four = {buckets, 4, 1};
  for (uint32_t stripe = 0; stripe < 4; stripe++)
    for (uint32_t i = 0; i <= stripe; i++) ttb__window_add(four, stripe, 100, stripe == 3);
  ttb__window_add_plane(four, 0, 100, 5);
  ttb__counts c = ttb__window_sum(four, 100);
  assert_int_equal(c.calls, 10);
  assert_int_equal(c.failures, 4);
  assert_int_equal(ttb__window_sum_plane(four, 0, 100), 5);
  ttb__window_add(four, 2, 116, 0); /* the same buckets, a window later */
  c = ttb__window_sum(four, 116);
  assert_int_equal(c.calls, 1);
  assert_int_equal(ttb__window_sum_plane(four, 0, 116), 0);
}

/* One stripe is full: the others of that turn, and of no other, are halved with it. */
static void test_a_full_stripe(void **state) {
  (void)state;
  const ttb__window four = {buckets, 4, 0};
  for (uint32_t stripe = 0; stripe < 3; stripe++)
    for (uint32_t i = 0; i < 9; i++) ttb__window_add(four, stripe, 100, stripe == 1);
  ttb__window_add(four, 3, 84, 1); /* the same bucket, a window ago */
  ttb__store_rlx(&buckets[16 + 100 % 16], ttb__bucket(100, (ttb__counts){TTB__COUNT_FULL, 40}));
  ttb__window_add(four, 1, 100, 0);
  ttb__counts c = ttb__window_sum(four, 100);
  assert_int_equal(c.calls, TTB__COUNT_FULL / 2 + 1 + 5 + 5);
  assert_int_equal(c.failures, 20);
  assert_int_equal(ttb__window_sum(four, 84).calls, 1);
}

/* I4: who halves a bucket halves its planes; others stay. */
static void test_planes(void **state) {
  (void)state;
  const ttb__window with = {buckets, 1, 2};
  ttb__window_add_plane(with, 0, 7, 100);
  ttb__window_add_plane(with, 1, 7, 1000);
  ttb__window_add_plane(with, 1, 8, 1000);
  ttb__store_rlx(&buckets[7], ttb__bucket(7, (ttb__counts){TTB__COUNT_FULL, 0}));
  ttb__window_add(with, 0, 7, 0);
  assert_int_equal(ttb__window_sum_plane(with, 0, 8), 50);
  assert_int_equal(ttb__window_sum_plane(with, 1, 8), 1500);
  assert_int_equal(ttb__window_sum(with, 8).calls, TTB__COUNT_FULL / 2 + 1);
  /* A plane near its top stays there. */
  ttb__window_add_plane(with, 0, 9, TTB__PLANE_MASK / 2 + 1);
  ttb__window_add_plane(with, 0, 9, TTB__PLANE_MASK / 2);
  assert_true(ttb__window_sum_plane(with, 0, 9) == 50 + TTB__PLANE_MASK / 2 + 1);
  /* An older time counts where it belongs, one outside the window nowhere. */
  ttb__window_add_plane(with, 1, 20, 3);
  ttb__window_add_plane(with, 1, 4, 3);
  ttb__window_add_plane(with, 1, 19, 3);
  assert_int_equal(ttb__window_sum_plane(with, 1, 20), 1500 + 6);
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, fresh)
  const struct CMUnitTest tests[] = {
      T(test_turns_by_the_inverse),
      T(test_packing),
      T(test_sixteen_turns),
      T(test_idle_gaps_of_any_length),
      T(test_older_time),
      T(test_a_bucket_ahead),
      T(test_generations),
      T(test_every_age),
      T(test_saturation),
      T(test_saturation_with_late_adders),
      T(test_saturation_unseen),
      T(test_unseen_is_of_one_slot_generation_and_ms),
      T(test_fresh_buckets_at_any_time),
      T(test_stripes),
      T(test_a_full_stripe),
      T(test_planes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
