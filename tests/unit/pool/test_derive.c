/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/pool/derive.c: causes, weights, ticks, probes. */
#include "fixture.h"

#include "../../../lib/pool/pool.h"

static ttb_pool_config active(void) {
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.probing = TTB_POOL_PROBE_ACTIVE;
  return c;
}

static int32_t probe(fleet *f, uint32_t slot, int32_t outcome, uint64_t ms) {
  return ttb_pool_probe_result(&f->mine, slot, outcome, ms * 1000000, f->clock.now_ns);
}

static void test_only_probes_bring_back(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = active();
  fleet_open(&f, &c, 2);
  fleet_fail(&f, 0, 5);
  assert_int_equal(fleet_row(&f, 0).causes, TTB_CAUSE_BREAKER);
  /* Too early: a good probe does not close a breaker that is still open. */
  assert_int_equal(probe(&f, 0, TTB_SUCCESS, 1), TTB_STATUS_HEALTHY);
  assert_int_equal(fleet_row(&f, 0).breaker, TTB_BREAKER_OPEN);
  vclock_ms(&f.clock, 20000);
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  for (int i = 0; i < 500; i++) assert_int_equal(fleet_call(&f, TTB_SUCCESS), 1);
  fleet_skip_events(&f);
  assert_int_equal(probe(&f, 0, TTB_FAILURE, 1), TTB_OK); /* fall is 3 */
  assert_int_equal(fleet_story(&f).kind, TTB_POOL_PROBED);
  assert_int_equal(fleet_story(&f).value, TTB_BREAKER_REOPENED);
  vclock_ms(&f.clock, 5000);
  assert_true(probe(&f, 0, TTB_SUCCESS, 1) >= 0);
  ttb_pool_event e = fleet_story(&f);
  assert_int_equal(e.kind, TTB_POOL_PROBED);
  assert_int_equal(e.value, 1);
  assert_int_equal(fleet_story(&f).kind, TTB_POOL_READMITTED);
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  assert_int_equal(ttb_pool_is_probe(fleet_ticket_on(&f, 0)), 0);
  fleet_close(&f);
}

static void test_ordinary_calls_never_probe_when_active(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = active();
  fleet_open(&f, &c, 2);
  fleet_fail(&f, 0, 5);
  vclock_ms(&f.clock, 5000);
  /* Even with the cause bit lost. */
  ttb_balancer_mark(&ttb__pool_of(&f.mine)->balancer, 0, TTB_CAUSE_BREAKER, 0);
  for (int i = 0; i < 100; i++) assert_int_equal(fleet_call(&f, TTB_SUCCESS), 1);
  assert_int_equal(fleet_row(&f, 0).causes, TTB_CAUSE_BREAKER);
  fleet_close(&f);
}

static void test_health_takes_out_and_back(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = active();
  fleet_open(&f, &c, 2);
  assert_int_equal(probe(&f, 0, TTB_SUCCESS, 1), TTB_STATUS_HEALTHY);
  assert_int_equal(probe(&f, 0, TTB_FAILURE, 1), TTB_OK);
  assert_int_equal(probe(&f, 0, TTB_FAILURE, 1), TTB_OK);
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  assert_int_equal(probe(&f, 0, TTB_FAILURE, 1), TTB_STATUS_UNHEALTHY);
  assert_int_equal(fleet_row(&f, 0).causes, TTB_CAUSE_PROBE);
  assert_int_equal(fleet_row(&f, 0).status, TTB_STATUS_UNHEALTHY);
  for (int i = 0; i < 100; i++) assert_int_equal(fleet_call(&f, TTB_SUCCESS), 1);
  assert_int_equal(probe(&f, 0, TTB_SUCCESS, 1), TTB_OK);
  assert_int_equal(probe(&f, 0, TTB_SUCCESS, 1), TTB_STATUS_HEALTHY);
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  assert_int_equal(ttb_pool_probe_result(&f.mine, 7, 0, 0, f.clock.now_ns), TTB_STALE);
  assert_int_equal(ttb_pool_probe_result(&f.mine, 64, 0, 0, f.clock.now_ns), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_probe_result(&f.shared, 0, 0, 0, f.clock.now_ns), TTB_ERR_MISUSE);
  fleet_close(&f);
}

static void test_traffic_takes_down_only_with_active_probes(void **state) {
  (void)state;
  for (int mode = TTB_POOL_PROBE_TRAFFIC; mode <= TTB_POOL_PROBE_ACTIVE; mode++) {
    fleet f;
    ttb_pool_config c = active();
    ttb_breaker_config b = TTB_CONFIG(ttb_breaker_config);
    ttb_health_config h = TTB_CONFIG(ttb_health_config);
    b.consecutive = TTB_OFF;
    b.min_calls = 100000;
    h.passive_errors = 3;
    h.passive_action = TTB_HEALTH_MARK_DOWN;
    c.probing = mode;
    c.breaker = &b;
    c.health = &h;
    fleet_open(&f, &c, 2);
    fleet_fail(&f, 0, 3);
    bool down = fleet_row(&f, 0).causes == TTB_CAUSE_PROBE;
    assert_int_equal(down, mode == TTB_POOL_PROBE_ACTIVE);
    fleet_close(&f);
  }
}

static void test_degraded_gets_less(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = active();
  fleet_open(&f, &c, 4);
  assert_int_equal(probe(&f, 2, TTB_SUCCESS, 1500), TTB_STATUS_DEGRADED);
  assert_int_equal(fleet_row(&f, 2).weight, 1);
  assert_int_equal(fleet_row(&f, 2).weight_64ths, 6);
  assert_int_equal(fleet_row(&f, 2).causes, 0);
  int n = 0;
  for (int i = 0; i < 10000; i++) n += fleet_call(&f, TTB_SUCCESS) == 2;
  assert_in_range(n, 1, 10000 / 4 / 3); /* below a third of its fair share */
  assert_true(probe(&f, 2, TTB_SUCCESS, 10) >= 0);
  probe(&f, 2, TTB_SUCCESS, 10);
  assert_int_equal(fleet_row(&f, 2).weight_64ths, 64);
  fleet_close(&f);
}

static void test_weights(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = active();
  fleet_open(&f, &c, 2);
  assert_int_equal(ttb_pool_set_weight(&f.mine, 100, 1000), TTB_OK);
  assert_int_equal(fleet_row(&f, 0).weight_64ths, 64000);
  assert_int_equal(ttb_pool_set_weight(&f.mine, 100, 1001), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_set_weight(&f.mine, 999, 1), TTB_ERR_UNKNOWN_ID);
  probe(&f, 0, TTB_SUCCESS, 1500);
  assert_int_equal(fleet_row(&f, 0).weight, 1000);
  assert_int_equal(fleet_row(&f, 0).weight_64ths, 6400);
  /* 0 is the caller's wish; no tick takes it back. */
  assert_int_equal(ttb_pool_set_weight(&f.mine, 100, 0), TTB_OK);
  assert_int_equal(ttb_pool_tick(&f.mine, f.clock.now_ns), 0);
  assert_int_equal(fleet_row(&f, 0).causes, TTB_CAUSE_WEIGHT);
  assert_int_equal(ttb_pool_set_weight(&f.mine, 100, 3), TTB_OK);
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  assert_int_equal(fleet_row(&f, 0).weight, 3);
  assert_int_equal(fleet_row(&f, 0).weight_64ths, 19);
  fleet_close(&f);
}

static void test_stale_takes_nothing_out(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = active();
  fleet_open(&f, &c, 2);
  for (int i = 0; i < 3; i++) probe(&f, 0, TTB_FAILURE, 1);
  assert_int_equal(fleet_row(&f, 0).causes, TTB_CAUSE_PROBE);
  for (int i = 0; i < 400; i++) { /* 40 s of ticks, no probe: the prober has died */
    vclock_ms(&f.clock, 100);
    ttb_pool_tick(&f.mine, f.clock.now_ns);
  }
  assert_int_equal(fleet_row(&f, 0).status, TTB_STATUS_STALE);
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  fleet_close(&f);
}

static void test_due_probes(void **state) {
  (void)state;
  fleet f;
  uint32_t slots[8];
  ttb_pool_config c = active();
  fleet_open(&f, &c, 3);
  assert_int_equal(ttb_pool_probe_due(&f.mine, f.clock.now_ns, slots, 8), 3);
  assert_int_equal(ttb_pool_probe_due(&f.mine, f.clock.now_ns, slots, 8), 0);
  vclock_ms(&f.clock, 5000); /* the lease of what was never reported */
  assert_int_equal(ttb_pool_probe_due(&f.mine, f.clock.now_ns, slots, 8), 3);
  assert_int_equal(ttb_pool_remove(&f.mine, 101, f.clock.now_ns), TTB_OK);
  vclock_ms(&f.clock, 5000);
  assert_int_equal(ttb_pool_probe_due(&f.mine, f.clock.now_ns, slots, 8), 2);
  fleet_close(&f);
}

/* Whatever a killed process left undone, one tick puts right (I1 of pool.h). */
static void test_tick_repairs(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = active();
  fleet_open(&f, &c, 2);
  ttb__pool *p = ttb__pool_of(&f.mine);
  fleet_fail(&f, 0, 5);
  ttb_balancer_mark(&p->balancer, 0, TTB_CAUSE_BREAKER, 0); /* bit never set */
  ttb_balancer_mark(&p->balancer, 1, TTB_CAUSE_BREAKER | TTB_CAUSE_PROBE, 1); /* never cleared */
  ttb_balancer_mark(&p->balancer, 1, TTB_CAUSE_ADMIN, 1); /* not the pool's to clear */
  ttb_health_disable(&p->health, 1, f.clock.now_ns);      /* added, never enabled */
  ttb__store_rlx(&p->weights[1], 0);                      /* weight never kept */
  assert_int_equal(ttb_pool_tick(&f.mine, f.clock.now_ns), 2);
  assert_int_equal(fleet_row(&f, 0).causes, TTB_CAUSE_BREAKER);
  assert_int_equal(fleet_row(&f, 1).causes, TTB_CAUSE_ADMIN);
  assert_int_equal(fleet_row(&f, 1).weight, 1);
  assert_int_equal(probe(&f, 1, TTB_SUCCESS, 1), TTB_STATUS_HEALTHY);
  assert_int_equal(ttb_pool_tick(&f.mine, f.clock.now_ns), 0);
  assert_int_equal(ttb_pool_tick(&f.shared, f.clock.now_ns), TTB_ERR_MISUSE);
  fleet_close(&f);
}

/* Killed inside remove, after the balancer and before the health table; or a
 * tick that looked before the removal and enabled after it. */
static void test_no_target_without_endpoint(void **state) {
  (void)state;
  fleet f;
  uint32_t slots[8];
  ttb_pool_config c = active();
  fleet_open(&f, &c, 2);
  assert_int_equal(ttb_balancer_remove(&ttb__pool_of(&f.mine)->balancer, 100), TTB_OK);
  assert_int_equal(ttb_pool_tick(&f.mine, f.clock.now_ns), 0);
  assert_int_equal(ttb_pool_probe_due(&f.mine, f.clock.now_ns, slots, 8), 1);
  assert_int_equal(slots[0], 1);
  assert_int_equal(probe(&f, 0, TTB_SUCCESS, 1), TTB_STALE);
  fleet_close(&f);
}

/* Killed inside add, before the weight was kept: being degraded tick after tick
 * does not eat it up. */
static void test_weight_never_kept(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = active();
  fleet_open(&f, &c, 1);
  assert_int_equal(ttb_pool_set_weight(&f.mine, 100, 1000), TTB_OK);
  ttb__store_rlx(&ttb__pool_of(&f.mine)->weights[0], 0);
  probe(&f, 0, TTB_SUCCESS, 1500);
  for (int i = 0; i < 5; i++) ttb_pool_tick(&f.mine, f.clock.now_ns);
  assert_int_equal(fleet_row(&f, 0).weight, 1000);
  assert_int_equal(fleet_row(&f, 0).weight_64ths, 6400);
  probe(&f, 0, TTB_SUCCESS, 1);
  probe(&f, 0, TTB_SUCCESS, 1);
  assert_int_equal(fleet_row(&f, 0).weight_64ths, 64000);
  fleet_close(&f);
}

/* A tick that looked before the operator set 0 writes its weight after it: the
 * next tick finds the wish again. */
static void test_weight_0_is_not_lost(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = active();
  fleet_open(&f, &c, 1);
  ttb_balancer *b = &ttb__pool_of(&f.mine)->balancer;
  assert_int_equal(ttb_pool_set_weight(&f.mine, 100, 0), TTB_OK);
  assert_int_equal(ttb_balancer_set_weight(b, 100, 6), TTB_OK);
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  assert_int_equal(ttb_pool_tick(&f.mine, f.clock.now_ns), 1);
  assert_int_equal(fleet_row(&f, 0).causes, TTB_CAUSE_WEIGHT);
  /* And the other way round. */
  assert_int_equal(ttb_pool_set_weight(&f.mine, 100, 7), TTB_OK);
  assert_int_equal(ttb_balancer_set_weight(b, 100, 0), TTB_OK);
  assert_int_equal(ttb_pool_tick(&f.mine, f.clock.now_ns), 1);
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  assert_int_equal(fleet_row(&f, 0).weight_64ths, 7 * 64);
  fleet_close(&f);
}

/* The clock goes back while all breakers are open: nobody calls them, the tick
 * alone tells them. Open time, and the second that a late caller is given. */
static void test_clock_goes_back_with_all_open(void **state) {
  (void)state;
  for (int mode = TTB_POOL_PROBE_TRAFFIC; mode <= TTB_POOL_PROBE_ACTIVE; mode++) {
    fleet f;
    ttb_pool_config c = active();
    c.probing = mode;
    fleet_open(&f, &c, 1);
    vclock_ms(&f.clock, 3600000);
    fleet_fail(&f, 0, 5);
    f.clock.now_ns -= UINT64_C(1800000000000); /* half an hour */
    for (int ms = 0; ms < 6200; ms += 100) {
      ttb_pool_tick(&f.mine, f.clock.now_ns);
      vclock_ms(&f.clock, 100);
    }
    if (mode == TTB_POOL_PROBE_ACTIVE) probe(&f, 0, TTB_SUCCESS, 1);
    assert_int_equal(fleet_call(&f, TTB_SUCCESS), 0);
    fleet_close(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_only_probes_bring_back),
      cmocka_unit_test(test_ordinary_calls_never_probe_when_active),
      cmocka_unit_test(test_health_takes_out_and_back),
      cmocka_unit_test(test_traffic_takes_down_only_with_active_probes),
      cmocka_unit_test(test_degraded_gets_less),
      cmocka_unit_test(test_weights),
      cmocka_unit_test(test_stale_takes_nothing_out),
      cmocka_unit_test(test_due_probes),
      cmocka_unit_test(test_tick_repairs),
      cmocka_unit_test(test_no_target_without_endpoint),
      cmocka_unit_test(test_weight_never_kept),
      cmocka_unit_test(test_weight_0_is_not_lost),
      cmocka_unit_test(test_clock_goes_back_with_all_open),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
