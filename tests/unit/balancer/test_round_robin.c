/* SPDX-License-Identifier: MIT */
/* lib/balancer/round_robin.c */
#include "helper.h"

static void in_order(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_ROUND_ROBIN, 8);
  c.seed = 0;
  pair p = make(c);
  (void)state;
  fill(&p, 5, (uint32_t[]){9, 1, 1, 1, 1}); /* weights are nothing to it */
  for (int i = 0; i < 1000; i++) assert_int_equal(turn(&p), i % 5);
  drop(&p);
}

/* An ineligible endpoint's turn is passed over, the others stay even. */
static void passes_over(void **state) {
  pair p = make(config_of(TTB_BALANCER_ROUND_ROBIN, 10));
  uint32_t picks[10] = {0};
  (void)state;
  fill(&p, 10, NULL);
  for (uint32_t s = 1; s < 9; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
  for (int i = 0; i < 1000; i++) picks[turn(&p)]++;
  assert_int_equal(picks[0], 500);
  assert_int_equal(picks[9], 500);
  drop(&p);
}

/* Threads lease 64 turns each; with lease 1 they share one order. */
static void leases(void **state) {
  (void)state;
  for (uint32_t lease = 1; lease <= 64; lease += 63) {
    ttb_balancer_config c = config_of(TTB_BALANCER_ROUND_ROBIN, 64);
    c.lease = lease;
    pair p = make(c);
    ttb_balancer other;
    assert_int_equal(ttb_balancer_join(&p.shared, 1, &other), TTB_OK);
    fill(&p, 64, NULL);
    for (int i = 0; i < 64; i++) {
      assert_int_equal(turn(&p), lease == 1 ? 2 * i % 64 : i);
      int64_t t = ttb_balancer_acquire(&other, 0, 0);
      assert_int_equal(ttb_ticket_slot(t), lease == 1 ? (2 * i + 1) % 64 : i);
    }
    ttb_balancer_free(&other);
    drop(&p);
  }
}

/* The set changes all the time: nobody is always first (envoy#10064). A flapping
 * neighbour must not cost anyone its share. */
static void phase_is_kept(void **state) {
  pair p = make(config_of(TTB_BALANCER_ROUND_ROBIN, 6));
  uint32_t picks[6] = {0};
  (void)state;
  fill(&p, 5, NULL);
  for (int round = 0; round < 3000; round++) {
    if (round % 2) assert_int_equal(ttb_balancer_remove(&p.mine, 77), TTB_OK);
    else assert_int_equal(add(&p.mine, 77, 1), 5);
    picks[turn(&p)]++; /* one call between two changes: a restart would pick 0 always */
  }
  for (int i = 0; i < 5; i++) assert_in_range(picks[i], 300, 800);
  drop(&p);
}

/* Another seed begins elsewhere; the order is the same. */
static void seed_sets_the_phase(void **state) {
  uint32_t first[8] = {0}, different = 0;
  (void)state;
  for (uint64_t seed = 1; seed <= 64; seed++) {
    ttb_balancer_config c = config_of(TTB_BALANCER_ROUND_ROBIN, 8);
    c.seed = seed;
    pair p = make(c);
    fill(&p, 8, NULL);
    int32_t s = turn(&p);
    first[s]++;
    for (int i = 1; i < 20; i++) assert_int_equal(turn(&p), (s + i) % 8);
    drop(&p);
  }
  for (int i = 0; i < 8; i++) different += first[i] > 0;
  assert_in_range(different, 7, 8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(in_order),      cmocka_unit_test(passes_over),
      cmocka_unit_test(leases),        cmocka_unit_test(phase_is_kept),
      cmocka_unit_test(seed_sets_the_phase),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
