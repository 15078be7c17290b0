/* SPDX-License-Identifier: MIT */
/* lib/balancer/two_choices.c */
#include "helper.h"

/* One call in flight on all but two of N: who draws one of the two takes it, so
 * over all pairs each is chosen as often as it is drawn at all. */
static void takes_the_less_loaded(void **state) {
  pair p = make(config_of(0, 2));
  (void)state;
  fill(&p, 2, NULL);
  int32_t last = -1;
  for (int i = 0; i < 1000; i++) { /* never two in a row on one of two */
    int64_t t = acquire(&p);
    if (i % 2) assert_int_not_equal(ttb_ticket_slot(t), last);
    last = ttb_ticket_slot(t);
  }
  assert_int_equal(info_of(&p.shared, 0).in_flight, 500);
  drop(&p);
}

/* Idle ties are decided by a fair coin: 100,000 turns over 10, +- 5 sigma. */
static void idle_is_even(void **state) {
  pair p = make(config_of(0, 10));
  uint32_t picks[10] = {0};
  (void)state;
  fill(&p, 10, NULL);
  for (int i = 0; i < 100000; i++) picks[turn(&p)]++;
  for (int i = 0; i < 10; i++) assert_in_range(picks[i], 9525, 10475);
  drop(&p);
}

/* Two endpoints, idle, weights 1 and 3: a weighted coin. */
static void idle_ties_by_weight(void **state) {
  pair p = make(config_of(0, 2));
  uint32_t w[] = {1, 3}, picks[2] = {0};
  (void)state;
  fill(&p, 2, w);
  for (int i = 0; i < 40000; i++) picks[turn(&p)]++;
  assert_in_range(picks[0], 9567, 10433);
  drop(&p);
}

/* Under load in flight follows the weights: within the two-choices spread. */
static void loaded_by_weight(void **state) {
  pair p = make(config_of(0, 4));
  uint32_t w[] = {1, 2, 3, 4};
  (void)state;
  fill(&p, 4, w);
  for (int i = 0; i < 1000; i++) assert_true(acquire(&p) >= 0);
  for (uint32_t s = 0; s < 4; s++)
    assert_in_range(info_of(&p.shared, s).in_flight, 100 * w[s] - 12, 100 * w[s] + 12);
  drop(&p);
}

/* Mitzenmacher: n balls into n bins, two choices: maximum about log2 log2 n +
 * O(1); one choice would have 7 or 8 at n = 4096. */
static void maximum_is_small(void **state) {
  pair p = make(config_of(0, 4096));
  uint32_t most = 0;
  (void)state;
  fill(&p, 4096, NULL);
  for (int i = 0; i < 4096; i++) assert_true(acquire(&p) >= 0);
  for (uint32_t s = 0; s < 4096; s++) {
    uint32_t n = info_of(&p.shared, s).in_flight;
    if (n > most) most = n;
  }
  assert_in_range(most, 2, 4);
  drop(&p);
}

static void same_seed_same_picks(void **state) {
  ttb_balancer_config c = config_of(0, 50);
  c.seed = 12;
  pair p = make(c), q = make(c);
  c.seed = 13;
  pair r = make(c);
  int differ = 0;
  (void)state;
  fill(&p, 50, NULL);
  fill(&q, 50, NULL);
  fill(&r, 50, NULL);
  for (int i = 0; i < 1000; i++) {
    int64_t t = acquire(&p);
    assert_int_equal(t, acquire(&q));
    differ += t != acquire(&r);
    if (i % 3) assert_int_equal(report(&p, t), report(&q, t));
  }
  assert_true(differ > 900);
  drop(&p);
  drop(&q);
  drop(&r);
}

/* As even with a slot free in the middle, with that one given out again, and with
 * the last one free: 90,000 turns, +- 5 sigma. */
static void even_with_gaps(void **state) {
  static const uint32_t leaves[] = {4, 0, 10}; /* their ids; 0: number 4 comes back */
  pair p = make(config_of(0, 10));
  (void)state;
  fill(&p, 10, NULL);
  for (int k = 0; k < 3; k++) {
    uint32_t picks[10] = {0}, there = leaves[k] ? 9 : 10;
    if (leaves[k]) assert_int_equal(ttb_balancer_remove(&p.mine, leaves[k]), TTB_OK);
    else assert_int_equal(add(&p.mine, 4, 0), 3);
    for (int i = 0; i < 90000; i++) picks[turn(&p)]++;
    for (uint32_t s = 0; s < 10; s++) {
      if (leaves[k] == s + 1) assert_int_equal(picks[s], 0);
      else assert_in_range(picks[s], 90000 / there - 480, 90000 / there + 480);
    }
  }
  drop(&p);
}

static void one_endpoint(void **state) {
  pair p = make(config_of(0, 3));
  (void)state;
  fill(&p, 1, NULL);
  for (int i = 0; i < 10; i++) assert_int_equal(ttb_ticket_slot(acquire(&p)), 0);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_the_less_loaded), cmocka_unit_test(idle_is_even),
      cmocka_unit_test(idle_ties_by_weight),   cmocka_unit_test(loaded_by_weight),
      cmocka_unit_test(maximum_is_small),      cmocka_unit_test(same_seed_same_picks),
      cmocka_unit_test(even_with_gaps),        cmocka_unit_test(one_endpoint),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
