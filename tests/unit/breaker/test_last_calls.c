/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/last_calls.h: the count window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../lib/breaker/last_calls.h"

#define MOST_WORDS (TTB__LAST_CALLS_MAX / 32)

static ttb__a64 words[1 + 2 * MOST_WORDS + 16 * MOST_WORDS], state;

static ttb__last last_of(uint32_t gen, uint32_t n) {
  return (ttb__last){words, &state, gen, n, ttb__last_words(n)};
}
static void fresh(uint32_t gen) {
  memset(words, 0, sizeof words);
  ttb__store_rlx(&state, ttb__state(gen, TTB_BREAKER_CLOSED, 0));
}
static void add(uint32_t gen, uint32_t n, uint32_t bad) {
  ttb__last l = last_of(gen, n);
  int64_t place = ttb__last_place(l);
  if (place >= 0) ttb__last_set(l, ttb__last_failures(l), (uint32_t)place, bad != 0);
}
static void holds(uint32_t gen, uint32_t n, uint32_t calls, uint32_t bad) {
  ttb__counts c = ttb__last_counts(last_of(gen, n));
  assert_int_equal(c.calls, calls);
  assert_int_equal(c.failures, bad);
}

static void test_fills_and_slides(void **state_) {
  (void)state_;
  fresh(7);
  holds(7, 4, 0, 0);
  /* resilience4j's FixedSizeSlidingWindowMetricsTest: four places */
  static const struct {
    uint32_t in, calls, bad;
  } steps[] = {{1, 1, 1}, {0, 2, 1}, {0, 3, 1}, {0, 4, 1}, {0, 4, 0}, {1, 4, 1}, {1, 4, 2},
               {1, 4, 3}, {1, 4, 4}, {0, 4, 3}};
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    add(7, 4, steps[i].in);
    holds(7, 4, steps[i].calls, steps[i].bad);
  }
}

/* Many sizes, a pattern of period 3, against the count itself. */
static void test_sizes(void **state_) {
  (void)state_;
  for (uint32_t n = 1; n <= TTB__LAST_CALLS_MAX; n += n < 70 ? 1 : n / 2 + 7) {
    fresh(3);
    for (uint32_t i = 1; i <= 3 * n + 200; i++) {
      uint32_t bad, calls = i < n ? i : n;
      add(3, n, i % 3 == 0);
      bad = i / 3 - (i - calls) / 3;
      holds(3, n, calls, bad);
    }
  }
  holds(3, TTB__LAST_CALLS_MAX, TTB__LAST_CALLS_MAX, ttb__last_counts(last_of(3, 4096)).failures);
}

static void test_rings(void **state_) {
  (void)state_;
  assert_int_equal(ttb__last_words(1), 1);
  assert_int_equal(ttb__last_words(32), 1);
  assert_int_equal(ttb__last_words(33), 2);
  assert_int_equal(ttb__last_words(100), 4);
  assert_int_equal(ttb__last_words(4096), 128);
}

/* I1: a success over a success writes the head alone. */
static void test_a_success_writes_the_head(void **state_) {
  (void)state_;
  static ttb__a64 before[sizeof words / 8];
  fresh(3);
  for (int i = 0; i < 200; i++) add(3, 100, i == 5);
  for (int i = 0; i < 128; i++) add(3, 100, 0);
  memcpy(before, words, sizeof words);
  for (int i = 0; i < 500; i++) add(3, 100, 0);
  assert_memory_equal(&before[1], &words[1], sizeof words - 8);
}

static void test_another_generation_reads_as_empty(void **state_) {
  (void)state_;
  fresh(5);
  for (int i = 0; i < 9; i++) add(5, 8, 1);
  holds(5, 8, 8, 8);
  holds(6, 8, 0, 0);
  holds(4, 8, 0, 0);
  ttb__store_rlx(&state, ttb__state(6, TTB_BREAKER_CLOSED, 0)); /* a transition */
  add(5, 8, 0); /* the word is still ours: counts where nobody looks any more */
  holds(6, 8, 0, 0);
  add(6, 8, 0); /* taken over: the bits of before are gone, though nobody cleared them */
  holds(6, 8, 1, 0);
  add(6, 8, 1);
  holds(6, 8, 2, 1);
  add(5, 8, 1); /* late: counts nowhere */
  holds(6, 8, 2, 1);
  holds(5, 8, 0, 0);
}

/* I2: killed between head and bits: an old outcome, until the ring is round. */
static void test_killed_between(void **state_) {
  (void)state_;
  fresh(2);
  for (int i = 0; i < 32; i++) add(2, 20, i < 4); /* places 0..3 are bad */
  holds(2, 20, 20, 0);
  assert_int_equal(ttb__last_place(last_of(2, 20)), 0);
  holds(2, 20, 20, 1);
  for (int i = 0; i < 31; i++) add(2, 20, 0);
  holds(2, 20, 20, 0);
  add(2, 20, 0);
  holds(2, 20, 20, 0);
}

static void test_durations_and_both(void **state_) {
  (void)state_;
  fresh(1);
  ttb__last l = last_of(1, 40);
  for (uint32_t i = 0; i < 100; i++) {
    uint32_t place = (uint32_t)ttb__last_place(l);
    ttb__last_set(l, ttb__last_failures(l), place, i % 2);
    ttb__last_set(l, ttb__last_slow(l), place, i % 3 == 0);
    ttb__store_rlx(&ttb__last_durations(l)[place], i);
  }
  assert_true(ttb__last_duration(l) == (60 + 99) * 40 / 2);
  assert_int_equal(ttb__last_count(l, ttb__last_slow(l), NULL), 14);
  assert_int_equal(ttb__last_count(l, ttb__last_slow(l), ttb__last_failures(l)), 7);
}

/* Any bytes: no more calls than the window has, no more bad ones than calls. */
static void test_hostile_words(void **state_) {
  (void)state_;
  uint64_t x = 1;
  for (int i = 0; i < 20000; i++) {
    for (int k = 0; k < 5; k++) {
      x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
      ttb__store_rlx(&words[k], k > 0 && i % 2 ? (x & TTB__LAST_MASK) | (UINT64_C(9) << 44) : x);
    }
    if (i % 2) ttb__store_rlx(&words[0], UINT64_C(9) << 44 | (x & TTB__LAST_MASK));
    uint32_t gen = ttb__word_gen(ttb__load_rlx(&words[0]));
    ttb__store_rlx(&state, ttb__state(gen, TTB_BREAKER_CLOSED, 0));
    for (int k = 0; k < 3; k++) {
      ttb__counts c = ttb__last_counts(last_of(gen, 100));
      assert_true(c.calls <= 100 && c.failures <= c.calls);
      add(gen, 100, 1);
      assert_int_equal(ttb__word_gen(ttb__load_rlx(&words[0])), gen);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fills_and_slides),
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_rings),
      cmocka_unit_test(test_a_success_writes_the_head),
      cmocka_unit_test(test_another_generation_reads_as_empty),
      cmocka_unit_test(test_killed_between),
      cmocka_unit_test(test_durations_and_both),
      cmocka_unit_test(test_hostile_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
