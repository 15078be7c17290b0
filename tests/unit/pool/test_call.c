/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/pool/call.c: the way of a call, and what breaks it. */
#include "fixture.h"

#include "../../../lib/pool/pool.h"

static ttb_pool_config plain(void) { return TTB_CONFIG(ttb_pool_config); }

static void test_nobody(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 0);
  assert_int_equal(ttb_pool_acquire(&f.mine, 0, f.clock.now_ns), TTB_NO_ENDPOINT);
  fleet_close(&f);
}

static void test_spread_and_in_flight(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 4);
  int64_t t[40];
  for (int i = 0; i < 40; i++) t[i] = ttb_pool_acquire(&f.mine, 0, f.clock.now_ns);
  assert_int_equal(fleet_stats(&f).in_flight, 40);
  for (uint32_t s = 0; s < 4; s++) /* two choices keep them within a few of 10 */
    assert_in_range(fleet_row(&f, s).in_flight, 7, 13);
  for (int i = 0; i < 40; i++)
    assert_int_equal(ttb_pool_report(&f.mine, t[i], TTB_SUCCESS, 1, f.clock.now_ns), TTB_OK);
  assert_int_equal(fleet_stats(&f).in_flight, 0);
  fleet_close(&f);
}

static void test_failing_is_ejected_and_probed_back(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 3);
  fleet_skip_events(&f);
  fleet_fail(&f, 1, 5); /* five in a row: the default */
  ttb_pool_event e = fleet_story(&f);
  assert_int_equal(e.kind, TTB_POOL_EJECTED);
  assert_int_equal(e.id, 101);
  assert_int_equal(e.slot, 1);
  assert_int_equal(e.value, TTB_BREAKER_OPENED);
  assert_int_equal(e.token, 42);
  assert_int_equal(e.now_ns, f.clock.now_ns);
  assert_int_equal(fleet_row(&f, 1).causes, TTB_CAUSE_BREAKER);
  assert_int_equal(fleet_row(&f, 1).breaker, TTB_BREAKER_OPEN);
  assert_int_equal(fleet_row(&f, 1).retry_after_ms, 5000);
  for (int i = 0; i < 1000; i++) assert_int_not_equal(fleet_call(&f, TTB_SUCCESS), 1);

  /* Its open time over, a tick lets it have one marked call and no second. */
  vclock_ms(&f.clock, 5000);
  assert_int_equal(ttb_pool_tick(&f.mine, f.clock.now_ns), 1);
  int64_t probe = fleet_ticket_on(&f, 1);
  assert_int_equal(ttb_pool_is_probe(probe), 1);
  for (int i = 0; i < 1000; i++) assert_int_not_equal(fleet_call(&f, TTB_SUCCESS), 1);

  /* A failed probe opens it again, a good one lets it in for good. */
  assert_int_equal(ttb_pool_report(&f.mine, probe, TTB_FAILURE, 1, f.clock.now_ns), TTB_OK);
  assert_int_equal(ttb_pool_report(&f.mine, probe, TTB_SUCCESS, 1, f.clock.now_ns), TTB_STALE);
  assert_int_equal(fleet_row(&f, 1).breaker, TTB_BREAKER_OPEN);
  vclock_ms(&f.clock, 5000);
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  probe = fleet_ticket_on(&f, 1);
  assert_int_equal(ttb_pool_is_probe(probe), 1);
  assert_int_equal(ttb_pool_report(&f.mine, probe, TTB_SUCCESS, 1, f.clock.now_ns), TTB_OK);
  assert_int_equal(fleet_row(&f, 1).causes, 0);
  assert_int_equal(ttb_pool_is_probe(fleet_ticket_on(&f, 1)), 0);

  const int32_t then[] = {TTB_POOL_PROBED, TTB_POOL_EJECTED, TTB_POOL_PROBED, TTB_POOL_READMITTED};
  for (int i = 0; i < 4; i++) assert_int_equal(fleet_story(&f).kind, then[i]);
  assert_int_equal(f.lost, 0);
  fleet_close(&f);
}

/* Calls that cannot be retried are never the ones to try an endpoint out. */
static void test_ordinary_calls_are_no_probes(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 2);
  fleet_fail(&f, 0, 5);
  vclock_ms(&f.clock, 5000);
  ttb_pool_tick(&f.mine, f.clock.now_ns); /* slot 0 waits for its probe */
  fleet_skip_events(&f);
  for (int i = 0; i < 200; i++) {
    int64_t t = ttb_pool_acquire_ordinary(&f.mine, 0, NULL, 0, f.clock.now_ns);
    assert_int_equal(ttb_ticket_slot(t), 1);
    assert_int_equal(ttb_pool_is_probe(t), 0);
    ttb_pool_report(&f.mine, t, TTB_SUCCESS, 0, f.clock.now_ns);
  }
  assert_int_equal(fleet_event(&f).kind, 0); /* and it still waits for it */
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  const uint32_t one = 1;
  assert_int_equal(ttb_pool_acquire_ordinary(&f.mine, 0, &one, 1, f.clock.now_ns),
                   TTB_ALL_EXCLUDED);
  for (int i = 0; i < 5; i++)
    ttb_pool_report(&f.mine, ttb_pool_acquire_ordinary(&f.mine, 0, NULL, 0, f.clock.now_ns),
                    TTB_FAILURE, 0, f.clock.now_ns);
  assert_int_equal(ttb_pool_acquire_ordinary(&f.mine, 0, NULL, 0, f.clock.now_ns),
                   TTB_NO_ENDPOINT);
  assert_int_equal(fleet_stats(&f).in_flight, 0);
  assert_int_equal(ttb_pool_is_probe(fleet_ticket_on(&f, 0)), 1);
  assert_int_equal(ttb_pool_acquire_ordinary(&f.mine, 0, NULL, 1, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_acquire_ordinary(&f.mine, 0, &one, 1001, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_acquire_ordinary(&f.shared, 0, NULL, 0, 0), TTB_ERR_MISUSE);
  fleet_close(&f);
}

static void test_probe_without_verdict_makes_room(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 2);
  fleet_fail(&f, 0, 5);
  vclock_ms(&f.clock, 5000);
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  int64_t probe = fleet_ticket_on(&f, 0);
  assert_int_equal(ttb_pool_report(&f.mine, probe, TTB_CANCELLED, 0, f.clock.now_ns), TTB_OK);
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  assert_int_equal(ttb_pool_is_probe(fleet_ticket_on(&f, 0)), 1);
  fleet_close(&f);
}

static void test_all_ejected_is_a_clear_outcome(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 2);
  fleet_fail(&f, 0, 5);
  fleet_fail(&f, 1, 5);
  assert_int_equal(ttb_pool_acquire(&f.mine, 0, f.clock.now_ns), TTB_NO_ENDPOINT);
  fleet_close(&f);
}

static void test_exclusion(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 3);
  const uint32_t two[] = {0, 2}, all[] = {0, 1, 2, 77};
  for (int i = 0; i < 200; i++) {
    int64_t t = ttb_pool_acquire_except(&f.mine, 0, two, 2, f.clock.now_ns);
    assert_int_equal(ttb_ticket_slot(t), 1);
    ttb_pool_report(&f.mine, t, TTB_SUCCESS, 0, f.clock.now_ns);
  }
  assert_int_equal(ttb_pool_acquire_except(&f.mine, 0, all, 4, f.clock.now_ns), TTB_ALL_EXCLUDED);
  fleet_fail(&f, 1, 5);
  assert_int_equal(ttb_pool_acquire_except(&f.mine, 0, two, 2, f.clock.now_ns), TTB_ALL_EXCLUDED);
  assert_int_equal(ttb_pool_acquire_except(&f.mine, 0, all, 1025, f.clock.now_ns), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_acquire_except(&f.mine, 0, NULL, 1, f.clock.now_ns), TTB_ERR_MISUSE);
  fleet_close(&f);
}

/* A cause bit that got lost (its setter was killed): the breaker refuses the pick,
 * it is given back and made again, the bit is set, and nothing stays counted. */
static void test_refused_pick_is_given_back(void **state) {
  (void)state;
  fleet f;
  const uint32_t one = 1;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 2);
  int64_t late = ttb_pool_acquire_except(&f.mine, 0, &one, 1, f.clock.now_ns);
  fleet_fail(&f, 1, 5);
  assert_int_equal(ttb_balancer_mark(&ttb__pool_of(&f.mine)->balancer, 1, TTB_CAUSE_BREAKER, 0), 1);
  assert_int_equal(fleet_row(&f, 1).causes, 0);
  for (int i = 0; i < 100; i++) assert_int_equal(fleet_call(&f, TTB_SUCCESS), 0);
  assert_int_equal(fleet_row(&f, 1).causes, TTB_CAUSE_BREAKER);
  assert_int_equal(fleet_stats(&f).refused, 1);
  assert_int_equal(fleet_stats(&f).in_flight, 1);
  assert_int_equal(ttb_pool_report(&f.mine, late, TTB_SUCCESS, 0, f.clock.now_ns), TTB_OK);
  fleet_close(&f);
}

/* A report of an earlier round ends its call and moves no breaker. */
static void test_late_report(void **state) {
  (void)state;
  fleet f;
  const uint32_t one = 1;
  ttb_pool_config c = plain();
  ttb_breaker_config b = TTB_CONFIG(ttb_breaker_config);
  b.consecutive = 1;
  c.breaker = &b;
  fleet_open(&f, &c, 2);
  int64_t t[2];
  for (int i = 0; i < 2; i++)
    t[i] = ttb_pool_acquire_except(&f.mine, 0, &one, 1, f.clock.now_ns);
  assert_int_equal(ttb_pool_report(&f.mine, t[0], TTB_FAILURE, 1, f.clock.now_ns), TTB_OK);
  assert_int_equal(fleet_row(&f, 0).breaker, TTB_BREAKER_OPEN);
  vclock_ms(&f.clock, 4999);
  assert_int_equal(ttb_pool_report(&f.mine, t[1], TTB_FAILURE, 1, f.clock.now_ns), TTB_OK);
  assert_int_equal(fleet_stats(&f).in_flight, 0);
  assert_int_equal(fleet_row(&f, 0).retry_after_ms, 1);
  fleet_close(&f);
}

/* The latency of a report is what the breaker's slow_ms judges. */
static void test_slow_calls_open_the_breaker(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = plain();
  ttb_breaker_config b = TTB_CONFIG(ttb_breaker_config);
  b.consecutive = b.failure_rate_ppm = TTB_OFF;
  b.slow_rate_ppm = 500000, b.slow_ms = 100, b.min_calls = 4;
  c.breaker = &b;
  fleet_open(&f, &c, 1);
  const uint64_t ms = 1000000, took[] = {100 * ms, 1, 100 * ms + 1, 300 * ms};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(fleet_row(&f, 0).breaker, TTB_BREAKER_CLOSED);
    int64_t t = ttb_pool_acquire(&f.mine, 0, f.clock.now_ns);
    assert_int_equal(ttb_pool_report(&f.mine, t, TTB_SUCCESS, took[i], f.clock.now_ns), TTB_OK);
  }
  assert_int_equal(fleet_row(&f, 0).breaker, TTB_BREAKER_OPEN);
  fleet_close(&f);
}

static void test_bad_reports(void **state) {
  (void)state;
  fleet f;
  ttb_pool other;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 2);
  int64_t t = ttb_pool_acquire(&f.mine, 0, f.clock.now_ns);
  assert_int_equal(ttb_pool_report(&f.mine, t, 9, 0, f.clock.now_ns), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_report(&f.mine, -5, 0, 0, f.clock.now_ns), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_report(NULL, t, 0, 0, f.clock.now_ns), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_report(&f.shared, t, 0, 0, f.clock.now_ns), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_report(&f.mine, INT64_MAX, 0, 0, f.clock.now_ns), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_join(&f.shared, 43, &other), TTB_OK);
  assert_int_equal(ttb_pool_report(&other, t, 0, 0, f.clock.now_ns), TTB_STALE);
  ttb_pool_free(&other);
  assert_int_equal(fleet_stats(&f).in_flight, 1);
  assert_int_equal(ttb_pool_report(&f.mine, t, TTB_SUCCESS, 0, f.clock.now_ns), TTB_OK);
  assert_int_equal(ttb_pool_report(&f.mine, t, TTB_SUCCESS, 0, f.clock.now_ns), TTB_STALE);
  assert_int_equal(fleet_stats(&f).stale, 2);
  assert_int_equal(ttb_pool_is_probe(-1), TTB_ERR_MISUSE);
  fleet_close(&f);
}

/* Tickets of an endpoint that left end its calls; the newcomer is not touched. */
static void test_report_after_removal(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 2);
  int64_t t = fleet_ticket_on(&f, 0);
  assert_int_equal(ttb_pool_remove(&f.mine, 100, f.clock.now_ns), TTB_OK);
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  e.id = 200;
  assert_int_equal(ttb_pool_add(&f.mine, &e, f.clock.now_ns), 2); /* slot 0 still holds a call */
  for (int i = 0; i < 6; i++) {
    int32_t code = ttb_pool_report(&f.mine, t, TTB_FAILURE, 0, f.clock.now_ns);
    assert_int_equal(code, i == 0 ? TTB_OK : TTB_STALE);
  }
  e.id = 201;
  assert_int_equal(ttb_pool_add(&f.mine, &e, f.clock.now_ns), 0);
  assert_int_equal(ttb_pool_report(&f.mine, t, TTB_FAILURE, 0, f.clock.now_ns), TTB_STALE);
  assert_int_equal(fleet_row(&f, 0).in_flight, 0);
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  fleet_close(&f);
}

static void test_moving_tickets(void **state) {
  (void)state;
  fleet f;
  ttb_pool other;
  ttb_pool_config c = plain();
  ttb_balancer_config b = TTB_CONFIG(ttb_balancer_config);
  b.flags = TTB_BALANCER_MOVING_TICKETS;
  c.balancer = &b;
  fleet_open(&f, &c, 2);
  assert_int_equal(ttb_pool_join(&f.shared, 42, &other), TTB_OK); /* a thread of the same process */
  int64_t t = ttb_pool_acquire(&f.mine, 0, f.clock.now_ns);
  assert_int_equal(ttb_pool_report(&other, t, TTB_SUCCESS, 0, f.clock.now_ns), TTB_OK);
  assert_int_equal(fleet_stats(&f).in_flight, 0);
  ttb_pool_free(&other);
  fleet_close(&f);
}

static void test_batches(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = plain();
  fleet_open(&f, &c, 3);
  int64_t t[9];
  int32_t codes[9], outcomes[9] = {0};
  assert_int_equal(ttb_pool_acquire_n(&f.mine, NULL, 8, f.clock.now_ns, t), 8);
  t[8] = TTB_NO_ENDPOINT; /* refusals are passed over */
  assert_int_equal(ttb_pool_report_n(&f.mine, t, outcomes, NULL, 9, f.clock.now_ns, codes), 8);
  assert_int_equal(codes[8], TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_report_n(&f.mine, t, NULL, NULL, 8, f.clock.now_ns, NULL), 0);
  assert_int_equal(ttb_pool_acquire_n(&f.mine, NULL, 0, f.clock.now_ns, NULL), 0);
  assert_int_equal(ttb_pool_acquire_n(&f.mine, NULL, 1, f.clock.now_ns, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_report_n(&f.mine, NULL, NULL, NULL, 1, 0, NULL), TTB_ERR_MISUSE);
  fleet_close(&f);
}

/* One endpoint fails, comes back through its round, and takes its calls back by
 * and by: it stays in, and what it turns away goes elsewhere. */
static void test_a_ramp_turns_calls_to_the_others(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  ttb_breaker_config br = TTB_CONFIG(ttb_breaker_config);
  br.consecutive = 3, br.open_ms = 1000, br.ramp_ms = 10000, br.ramp_start_ppm = 100000;
  ttb_balancer_config bal = TTB_CONFIG(ttb_balancer_config);
  bal.algorithm = TTB_BALANCER_ROUND_ROBIN;
  c.breaker = &br, c.balancer = &bal;
  fleet_open(&f, &c, 2);
  fleet_fail(&f, 0, 3);
  assert_int_equal(fleet_row(&f, 0).breaker, TTB_BREAKER_OPEN);
  vclock_ms(&f.clock, 1000);
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  for (int i = 0; i < 4 && fleet_row(&f, 0).breaker != TTB_BREAKER_CLOSED; i++)
    (void)fleet_call(&f, TTB_SUCCESS);
  assert_int_equal(fleet_row(&f, 0).breaker, TTB_BREAKER_CLOSED);
  int32_t before = 0;
  for (int second = 0; second <= 10; second++) {
    int32_t there = 0;
    for (int i = 0; i < 200; i++) {
      int32_t slot = fleet_call(&f, TTB_SUCCESS);
      assert_true(slot >= 0); /* nobody is refused: the other one is there */
      there += slot == 0;
    }
    assert_int_equal(fleet_row(&f, 0).causes, 0);
    if (second == 0) assert_in_range(there, 5, 15); /* of its 100 turns one in ten */
    if (second == 10) assert_int_equal(there, 100);
    assert_true(there >= before - 2);
    before = there;
    vclock_ms(&f.clock, 1000);
    ttb_pool_tick(&f.mine, f.clock.now_ns);
  }
  assert_int_equal(fleet_stats(&f).in_flight, 0);
  fleet_close(&f);
}

static void test_if_all_ramp_some_are_throttled(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  ttb_breaker_config br = TTB_CONFIG(ttb_breaker_config);
  br.consecutive = 1, br.open_ms = 1000, br.ramp_ms = 10000, br.ramp_start_ppm = 200000;
  c.breaker = &br;
  fleet_open(&f, &c, 1);
  fleet_fail(&f, 0, 1);
  vclock_ms(&f.clock, 1000);
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  assert_int_equal(fleet_call(&f, TTB_SUCCESS), 0); /* the probe */
  int32_t passed = 0, throttled = 0;
  const uint32_t none = 7;
  for (int i = 0; i < 100; i++) {
    int32_t got = fleet_call(&f, TTB_SUCCESS);
    passed += got == 0;
    throttled += got == TTB_THROTTLED;
  }
  assert_int_equal(passed + throttled, 100);
  assert_in_range(passed, 15, 25);
  const uint32_t it = 0;
  assert_int_equal(ttb_pool_acquire_except(&f.mine, 0, &it, 1, f.clock.now_ns), TTB_ALL_EXCLUDED);
  int64_t t = TTB_THROTTLED;
  for (int i = 0; i < 100 && t == TTB_THROTTLED; i++)
    t = ttb_pool_acquire_except(&f.mine, 0, &none, 1, f.clock.now_ns);
  assert_true(t >= 0);
  assert_int_equal(ttb_pool_report(&f.mine, t, TTB_SUCCESS, 0, f.clock.now_ns), TTB_OK);
  assert_int_equal(fleet_stats(&f).in_flight, 0);
  fleet_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nobody),
      cmocka_unit_test(test_spread_and_in_flight),
      cmocka_unit_test(test_failing_is_ejected_and_probed_back),
      cmocka_unit_test(test_ordinary_calls_are_no_probes),
      cmocka_unit_test(test_probe_without_verdict_makes_room),
      cmocka_unit_test(test_all_ejected_is_a_clear_outcome),
      cmocka_unit_test(test_exclusion),
      cmocka_unit_test(test_refused_pick_is_given_back),
      cmocka_unit_test(test_late_report),
      cmocka_unit_test(test_slow_calls_open_the_breaker),
      cmocka_unit_test(test_bad_reports),
      cmocka_unit_test(test_report_after_removal),
      cmocka_unit_test(test_moving_tickets),
      cmocka_unit_test(test_batches),
      cmocka_unit_test(test_a_ramp_turns_calls_to_the_others),
      cmocka_unit_test(test_if_all_ramp_some_are_throttled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
