/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/last_calls.h: the count window in one word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/breaker/last_calls.h"

static ttb__a64 word, state;

static void fresh(uint32_t gen) {
  ttb__store_rlx(&word, 0);
  ttb__store_rlx(&state, ttb__state(gen, TTB_BREAKER_CLOSED, 0));
}
static void add(uint32_t gen, uint32_t n, uint32_t bad) { ttb__last_add(&word, &state, gen, n, bad); }
static void holds(uint32_t gen, uint32_t calls, uint32_t bad) {
  ttb__counts c = ttb__last_counts(ttb__last_of(ttb__load_rlx(&word), gen));
  assert_int_equal(c.calls, calls);
  assert_int_equal(c.failures, bad);
}

static void test_fills_and_slides(void **state_) {
  (void)state_;
  fresh(7);
  holds(7, 0, 0);
  /* resilience4j's FixedSizeSlidingWindowMetricsTest: four places */
  static const struct {
    uint32_t in, calls, bad;
  } steps[] = {{1, 1, 1}, {0, 2, 1}, {0, 3, 1}, {0, 4, 1}, {0, 4, 0}, {1, 4, 1}, {1, 4, 2},
               {1, 4, 3}, {1, 4, 4}, {0, 4, 3}};
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    add(7, 4, steps[i].in);
    holds(7, steps[i].calls, steps[i].bad);
  }
}

/* Every size, a pattern of period 3, against the count itself. */
static void test_every_size(void **state_) {
  (void)state_;
  for (uint32_t n = 1; n <= TTB__LAST_CALLS_MAX; n++) {
    fresh(3);
    for (uint32_t i = 1; i <= 200; i++) {
      uint32_t bad = 0, calls = i < n ? i : n;
      add(3, n, i % 3 == 0);
      for (uint32_t k = i; k > i - calls; k--) bad += k % 3 == 0;
      holds(3, calls, bad);
      assert_int_equal(ttb__word_gen(ttb__load_rlx(&word)), 3); /* never overflows into it */
    }
  }
}

static void test_another_generation_reads_as_empty(void **state_) {
  (void)state_;
  fresh(5);
  for (int i = 0; i < 9; i++) add(5, 8, 1);
  holds(5, 8, 8);
  holds(6, 0, 0);
  holds(4, 0, 0);
  ttb__store_rlx(&state, ttb__state(6, TTB_BREAKER_CLOSED, 0)); /* a transition */
  add(5, 8, 0); /* the word is still ours: counts where nobody looks any more */
  holds(6, 0, 0);
  add(6, 8, 1); /* taken over */
  holds(6, 1, 1);
  add(5, 8, 1); /* late: counts nowhere */
  holds(6, 1, 1);
  holds(5, 0, 0);
}

/* Any bytes: no more calls than there are bits, no more bad ones than calls. */
static void test_hostile_words(void **state_) {
  (void)state_;
  uint64_t x = 1;
  for (int i = 0; i < 100000; i++) {
    x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
    ttb__store_rlx(&word, x);
    uint32_t gen = ttb__word_gen(x);
    ttb__store_rlx(&state, ttb__state(gen, TTB_BREAKER_CLOSED, 0));
    ttb__counts c = ttb__last_counts(ttb__last_of(x, gen));
    assert_true(c.calls <= 43 && c.failures <= c.calls);
    add(gen, 10, 1);
    assert_int_equal(ttb__word_gen(ttb__load_rlx(&word)), gen);
    c = ttb__last_counts(ttb__last_of(ttb__load_rlx(&word), gen));
    assert_true(c.calls <= 10 && c.failures >= 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fills_and_slides),
      cmocka_unit_test(test_every_size),
      cmocka_unit_test(test_another_generation_reads_as_empty),
      cmocka_unit_test(test_hostile_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
