/* SPDX-License-Identifier: MIT */
/* lib/balancer/weighted_random.c */
#include "helper.h"

#include "../../../lib/balancer/balancer.h"

/* 5 sigma of 200,000 draws, with very unequal weights. */
static void shares(void **state) {
  pair p = make(config_of(TTB_BALANCER_WEIGHTED_RANDOM, 7)); /* odd: scratch is aligned */
  uint32_t w[] = {1, 1, 2, 4, 8, 16, 68}, picks[7] = {0};
  (void)state;
  fill(&p, 7, w);
  for (int i = 0; i < 200000; i++) picks[turn(&p)]++;
  for (int i = 0; i < 7; i++) {
    double share = w[i] / 100.0, mean = 200000 * share, off = picks[i] - mean;
    assert_true(off * off < 25 * mean * (1 - share));
  }
  drop(&p);
}

/* The table holds the weights exactly: of each column 2^32 heights, summed over
 * the columns, everybody has its share but for the columns' roundings. */
static void exact(void **state) {
  uint64_t seed = 11;
  (void)state;
  for (uint32_t n = 1; n <= 60; n++) {
    pair p = make(config_of(TTB_BALANCER_WEIGHTED_RANDOM, n));
    uint32_t w[60];
    uint64_t sum = 0, have[60] = {0};
    for (uint32_t i = 0; i < n; i++) {
      w[i] = 1 + (uint32_t)(ttb__splitmix(&seed) % (n % 3 ? 10 : 65535));
      sum += w[i];
    }
    fill(&p, n, w);
    ttb__balancer *b = ttb__balancer_of(&p.mine);
    (void)ttb__balancer_seen(b);
    assert_int_equal(b->seen_length, n);
    for (uint32_t i = 0; i < n; i++) {
      uint32_t own = ttb__balancer_entry(b, 3 * i), above = ttb__balancer_entry(b, 3 * i + 1);
      uint64_t height = ttb__balancer_entry(b, 3 * i + 2);
      assert_true(own < n && above < n);
      have[own] += height;
      have[above] += (UINT64_C(1) << 32) - height;
    }
    for (uint32_t i = 0; i < n; i++) {
      double meant = (double)w[i] * n / (double)sum * 4294967296.0;
      assert_true((double)have[i] > meant - n - 1 && (double)have[i] < meant + n + 1);
    }
    drop(&p);
  }
}

/* Who may not be picked leaves the others' proportions alone, also when nearly
 * all may not and one by one is looked at. */
static void proportions(void **state) {
  pair p = make(config_of(TTB_BALANCER_WEIGHTED_RANDOM, 400));
  uint32_t w[400], picks[400] = {0};
  (void)state;
  for (int i = 0; i < 400; i++) w[i] = 100;
  w[10] = 1, w[399] = 3;
  fill(&p, 400, w);
  for (uint32_t s = 0; s < 400; s++)
    if (s != 10 && s != 399) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_DRAIN, 1);
  for (int i = 0; i < 20000; i++) picks[turn(&p)]++;
  assert_int_equal(picks[10] + picks[399], 20000);
  assert_in_range(picks[10], 4690, 5310);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shares),
      cmocka_unit_test(exact),
      cmocka_unit_test(proportions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
