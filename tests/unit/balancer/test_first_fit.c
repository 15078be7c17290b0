/* SPDX-License-Identifier: MIT */
/* lib/balancer/first_fit.c */
#include "helper.h"

/* Fills slot by slot, to the weight, and goes back to the first that has room. */
static void fills_in_order(void **state) {
  pair p = make(config_of(TTB_BALANCER_FIRST_FIT, 3));
  uint32_t w[] = {2, 1, 3};
  static const int32_t order[] = {0, 0, 1, 2, 2, 2};
  int64_t out[6];
  (void)state;
  fill(&p, 3, w);
  for (int i = 0; i < 6; i++) assert_int_equal(ttb_ticket_slot(out[i] = acquire(&p)), order[i]);
  report(&p, out[2]);
  report(&p, out[4]);
  assert_int_equal(ttb_ticket_slot(acquire(&p)), 1);
  assert_int_equal(ttb_ticket_slot(acquire(&p)), 2);
  for (int i = 0; i < 6; i++) (void)report(&p, out[i]);
  drop(&p);
}

/* All full: the least loaded for its weight. */
static void overflows_evenly(void **state) {
  pair p = make(config_of(TTB_BALANCER_FIRST_FIT, 3));
  uint32_t w[] = {2, 1, 3};
  (void)state;
  fill(&p, 3, w);
  for (int i = 0; i < 60; i++) assert_true(acquire(&p) >= 0);
  for (uint32_t s = 0; s < 3; s++) assert_int_equal(info_of(&p.shared, s).in_flight, 10 * w[s]);
  drop(&p);
}

static void passes_over(void **state) {
  pair p = make(config_of(TTB_BALANCER_FIRST_FIT, 3));
  uint32_t no[] = {1};
  (void)state;
  fill(&p, 3, NULL);
  ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_DRAIN, 1);
  assert_int_equal(turn(&p), 1);
  assert_int_equal(ttb_ticket_slot(ttb_balancer_acquire_except(&p.mine, 0, no, 1, 0)), 2);
  ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_DRAIN, 0);
  assert_int_equal(turn(&p), 0);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fills_in_order),
      cmocka_unit_test(overflows_evenly),
      cmocka_unit_test(passes_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
