/* SPDX-License-Identifier: MIT */
/* lib/balancer/weighted_round_robin.c */
#include "helper.h"

#include "../../../lib/base/random.h"

static pair with(uint32_t order, uint32_t table_size, uint32_t n, const uint32_t *weights) {
  ttb_balancer_config c = config_of(TTB_BALANCER_WEIGHTED_ROUND_ROBIN, n);
  c.wrr_order = order;
  c.table_size = table_size;
  pair p = make(c);
  fill(&p, n, weights);
  return p;
}

/* The example of nginx commit 52327e0627f4: {a 5, b 1, c 1} gives a a b a c a a. */
static void nginx_example(void **state) {
  static const int32_t expected[] = {0, 0, 1, 0, 2, 0, 0};
  pair p = with(TTB_BALANCER_NGINX, 0, 3, (uint32_t[]){5, 1, 1});
  (void)state;
  for (int i = 0; i < 21; i++) assert_int_equal(turn(&p), expected[i % 7]);
  drop(&p);
}

/* Tijdeman's rule by hand for 2:1 (n = 2, 2n-2 = 2): turn 1: 2/3 >= 1/2 for the
 * first only; turn 2: 1/3 < 1/2, so the second; turn 3: the first. */
static void tijdeman_by_hand(void **state) {
  static const int32_t expected[] = {0, 1, 0};
  pair p = with(0, 0, 2, (uint32_t[]){2, 1});
  (void)state;
  for (int i = 0; i < 9; i++) assert_int_equal(turn(&p), expected[i % 3]);
  drop(&p);
}

/* |turns - t * w / W| <= 1 - 1/(2n-2) at every t, in integers. */
static void deviation(pair *p, uint32_t n, const uint32_t *w, uint64_t sum) {
  uint64_t x[64] = {0}, d = 2 * (uint64_t)n - 2;
  for (uint64_t t = 1; t <= 2 * sum; t++) {
    x[turn(p)]++;
    for (uint32_t i = 0; i < n; i++) {
      int64_t diff = (int64_t)(x[i] * sum) - (int64_t)(t * w[i]);
      if (diff < 0) diff = -diff;
      assert_true((uint64_t)diff * d <= sum * (d - 1));
    }
  }
  for (uint32_t i = 0; i < n; i++) assert_int_equal(x[i], 2 * w[i]);
}

static void deviation_is_below_one(void **state) {
  uint64_t r = 5;
  (void)state;
  for (int k = 0; k < 60; k++) {
    uint32_t n = 2 + (uint32_t)(ttb__splitmix(&r) % 40), w[64];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
      uint32_t range = ttb__splitmix(&r) % 3 ? 5 : 90;
      sum += w[i] = 1 + (uint32_t)(ttb__splitmix(&r) % range);
    }
    w[0]++, sum++;
    pair p = with(0, 4096, n, w);
    uint32_t common = (uint32_t)(sum / stats_of(&p.shared).table_length);
    for (uint32_t i = 0; i < n; i++) w[i] /= common;
    assert_int_equal(stats_of(&p.shared).weight_error_ppm, 0);
    deviation(&p, n, w, sum / common);
    drop(&p);
  }
}

static void common_divisor(void **state) {
  pair p = with(0, 8, 3, (uint32_t[]){50000, 10000, 20000});
  (void)state;
  assert_int_equal(stats_of(&p.shared).table_length, 8);
  assert_int_equal(stats_of(&p.shared).weight_error_ppm, 0);
  deviation(&p, 3, (uint32_t[]){5, 1, 2}, 8);
  drop(&p);
}

/* Weights that do not fit are rounded, and the error is told. */
static void quantised(void **state) {
  pair p = with(0, 100, 3, (uint32_t[]){65535, 32767, 1});
  uint32_t picks[3] = {0};
  ttb_balancer_stats s = stats_of(&p.shared);
  (void)state;
  assert_in_range(s.table_length, 97, 100);
  for (uint32_t i = 0; i < s.table_length; i++) picks[turn(&p)]++;
  assert_int_equal(picks[2], 1); /* never nothing */
  assert_in_range(picks[0], 64, 67);
  double share = 1.0 / s.table_length, meant = 1.0 / (65535 + 32767 + 1);
  assert_in_range((uint64_t)s.weight_error_ppm, (uint64_t)((share / meant - 1) * 1e6) - 2,
                  (uint64_t)((share / meant - 1) * 1e6) + 2);
  drop(&p);
}

static void weights_at_run_time(void **state) {
  pair p = with(0, 0, 2, (uint32_t[]){1, 1});
  uint32_t picks[2] = {0};
  (void)state;
  uint64_t rebuilds = stats_of(&p.shared).rebuilds;
  assert_int_equal(ttb_balancer_set_weight(&p.mine, 1, 1), TTB_OK); /* as it was */
  assert_int_equal(stats_of(&p.shared).rebuilds, rebuilds);
  assert_int_equal(ttb_balancer_set_weight(&p.mine, 1, 9), TTB_OK);
  for (int i = 0; i < 1000; i++) picks[turn(&p)]++;
  assert_in_range(picks[0], 899, 901);
  drop(&p);
}

/* Weights change before nearly every call: a table begun anew each time would give all
 * calls to its first turn (envoy#31378). */
static void no_cold_start_bias(void **state) {
  pair p = with(0, 0, 2, (uint32_t[]){3, 1});
  uint32_t picks[2] = {0};
  uint64_t r = 1;
  (void)state;
  assert_int_equal(ttb_balancer_set_weight(&p.mine, 2, 100), TTB_OK);
  for (int i = 0; i < 4000; i++) {
    uint32_t weight = 300 + (uint32_t)(ttb__splitmix(&r) % 3);
    assert_int_equal(ttb_balancer_set_weight(&p.mine, 1, weight), TTB_OK);
    picks[turn(&p)]++;
  }
  assert_in_range(picks[1], 800, 1200);
  drop(&p);
}

static void one_and_many(void **state) {
  uint32_t n = 2000, *w = calloc(n, sizeof *w);
  pair p = with(0, 0, 1, NULL);
  (void)state;
  for (int i = 0; i < 9; i++) assert_int_equal(turn(&p), 0);
  drop(&p);
  for (uint32_t i = 0; i < n; i++) w[i] = 1 + i % 7;
  p = with(0, 0, n, w);
  uint32_t length = stats_of(&p.shared).table_length, *picks = calloc(n, sizeof *picks);
  for (uint32_t i = 0; i < length; i++) picks[turn(&p)]++;
  for (uint32_t i = 0; i < n; i++) assert_int_equal(picks[i], w[i]);
  free(picks);
  free(w);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nginx_example),       cmocka_unit_test(tijdeman_by_hand),
      cmocka_unit_test(deviation_is_below_one), cmocka_unit_test(common_divisor),
      cmocka_unit_test(quantised),           cmocka_unit_test(weights_at_run_time),
      cmocka_unit_test(no_cold_start_bias),  cmocka_unit_test(one_and_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
