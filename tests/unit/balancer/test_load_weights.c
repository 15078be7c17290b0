/* SPDX-License-Identifier: MIT */
/* lib/balancer/load_weights.c and load_weights.h */
#include "helper.h"

#include "../../../lib/balancer/load_weights.h"

#define S UINT64_C(1000000000)

static void formulas(void **state) {
  ttb_load l = {sizeof l, 200000, 100000, 10000};
  (void)state;
  assert_int_equal(ttb__worth_by_load(&l, 1000000), 333333);
  assert_int_equal(ttb__worth_by_load(&l, 2000000), 250000);
  l.utilisation_ppm = 0;
  assert_int_equal(ttb__worth_by_load(&l, 1000000), 0);
  l = (ttb_load){sizeof l, INT32_MAX, UINT64_C(1) << 40, UINT64_C(1) << 40};
  assert_true(ttb__worth_by_load(&l, 100000000) > 0);
  l.utilisation_ppm = 1;
  l.eps_milli = 0;
  assert_int_equal(ttb__worth_by_load(&l, 1), (UINT64_C(1) << 40) * 1000000);
  /* ten times the mean, a hundredth of it, the mean */
  assert_int_equal(ttb__weight_by_worth(5000, 10, 5000), 65535);
  assert_int_equal(ttb__weight_by_worth(10, 10, 5000), 6554);
  assert_int_equal(ttb__weight_by_worth(1, 1000, 10000), 66);
  assert_int_equal(ttb__weight_by_worth(0, 50, 100), 32768);
  assert_int_equal(ttb__weight_by_worth(UINT64_MAX / 4, UINT64_MAX / 4, UINT64_MAX / 4), 65535);
  assert_int_equal(ttb__weight_by_worth(0, 0, 0), 1);
}

/* Calls for two seconds' worth of reports at a time; endpoint i says it is half as
 * loaded as endpoint i + 1. */
static void tell(pair *p, uint64_t now, uint32_t from) {
  for (int i = 0; i < 30; i++) {
    int64_t t = ttb_balancer_acquire(&p->mine, 0, now);
    uint32_t s = (uint32_t)ttb_ticket_slot(t);
    ttb_load l = {sizeof l, s >= from ? 100000 << s : 0, 50000, 0};
    assert_int_equal(ttb_balancer_report_load(&p->mine, t, TTB_SUCCESS, 1, &l, now), TTB_OK);
  }
}

static void follow_reports(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_WEIGHTED_ROUND_ROBIN, 4);
  uint32_t picks[4] = {0};
  (void)state;
  c.flags = TTB_BALANCER_LOAD_WEIGHTS;
  pair p = make(c);
  fill(&p, 3, NULL);
  assert_int_equal(ttb_balancer_reweigh(&p.mine, 100 * S), 0);
  tell(&p, 100 * S, 0);
  assert_int_equal(ttb_balancer_reweigh(&p.mine, 101 * S), 0); /* blackout */
  tell(&p, 111 * S, 0);
  uint64_t before = stats_of(&p.shared).rebuilds;
  assert_int_equal(ttb_balancer_reweigh(&p.mine, 111 * S), 3);
  assert_int_equal(stats_of(&p.shared).rebuilds, before + 1);
  assert_int_equal(ttb_balancer_reweigh(&p.mine, 111 * S), 3);
  assert_int_equal(stats_of(&p.shared).rebuilds, before + 1); /* nothing has changed */
  assert_int_equal(info_of(&p.shared, 0).weight, 65535);
  assert_int_equal(info_of(&p.shared, 1).weight, 32768);
  assert_int_equal(info_of(&p.shared, 2).weight, 16384);
  for (int i = 0; i < 7000; i++) picks[turn(&p)]++;
  assert_in_range(picks[0], 3980, 4020);
  assert_in_range(picks[1], 1980, 2020);
  /* A newcomer weighs the mean; who is set to 0 stays out. */
  assert_int_equal(add(&p.mine, 50, 1), 3);
  assert_int_equal(ttb_balancer_set_weight(&p.mine, 2, 0), TTB_OK);
  assert_int_equal(ttb_balancer_reweigh(&p.mine, 112 * S), 3);
  assert_int_equal(info_of(&p.shared, 3).weight, 38229);
  assert_int_equal(info_of(&p.shared, 1).causes, TTB_CAUSE_WEIGHT);
  /* After three minutes without, nothing is known; all weigh the same. */
  assert_int_equal(ttb_balancer_reweigh(&p.mine, 292 * S), 0);
  for (uint32_t s = 0; s < 4; s++) assert_int_equal(info_of(&p.shared, s).weight, 1);
  /* And it begins with the blackout again. */
  tell(&p, 300 * S, 0);
  assert_int_equal(ttb_balancer_reweigh(&p.mine, 305 * S), 0);
  drop(&p);
}

static void bad_input(void **state) {
  ttb_balancer_config c = config_of(0, 4);
  pair plain = make(c);
  (void)state;
  c.flags = TTB_BALANCER_LOAD_WEIGHTS;
  c.load_blackout_ms = TTB_OFF;
  pair p = make(c);
  ttb_load l = {sizeof l, -1, 1, 1};
  fill(&p, 2, NULL);
  fill(&plain, 2, NULL);
  assert_int_equal(ttb_balancer_reweigh(&plain.mine, S), TTB_ERR_UNSUPPORTED);
  assert_int_equal(ttb_balancer_reweigh(&p.shared, S), TTB_ERR_MISUSE);
  int64_t t = acquire(&p);
  assert_int_equal(ttb_balancer_report_load(&p.mine, t, 0, 0, &l, S), TTB_ERR_RANGE);
  l.utilisation_ppm = 5;
  l.qps_milli = (UINT64_C(1) << 40) + 1;
  assert_int_equal(ttb_balancer_report_load(&p.mine, t, 0, 0, &l, S), TTB_ERR_RANGE);
  l.struct_size = 3;
  assert_int_equal(ttb_balancer_report_load(&p.mine, t, 0, 0, &l, S), TTB_ERR_RANGE);
  l = (ttb_load){sizeof l, 5, 5, 0};
  assert_int_equal(ttb_balancer_report_load(&p.mine, -5, 0, 0, &l, S), TTB_ERR_MISUSE);
  assert_int_equal(info_of(&p.shared, (uint32_t)ttb_ticket_slot(t)).in_flight, 1);
  assert_int_equal(ttb_balancer_report_load(&p.mine, t, 0, 0, &l, S), TTB_OK);
  assert_int_equal(ttb_balancer_report_load(&p.mine, t, 0, 0, &l, S), TTB_STALE);
  assert_int_equal(ttb_balancer_reweigh(&p.mine, S), 1); /* one alone is no comparison */
  t = ttb_balancer_acquire(&plain.mine, 0, 0);
  assert_int_equal(ttb_balancer_report_load(&plain.mine, t, 0, 0, &l, S), TTB_OK);
  t = ttb_balancer_acquire(&plain.mine, 0, 0);
  assert_int_equal(ttb_balancer_report_load(&plain.mine, t, 0, 0, NULL, S), TTB_OK);
  drop(&p);
  drop(&plain);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(formulas),
      cmocka_unit_test(follow_reports),
      cmocka_unit_test(bad_input),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
