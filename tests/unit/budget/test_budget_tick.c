/* SPDX-License-Identifier: MIT */
/* lib/budget/budget_tick.c: demand, ticks that are early, missed or missing, bounds. */
#include "fixture.h"

static const ttb__budget *inside(const play *p) { return ttb__budget_of(&p->b); }

static void test_demand(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  play p = play_start(&c);
  assert_int_equal(ttb__budget_demand(inside(&p), 1000000), 4096);
  assert_int_equal(ttb__budget_demand(inside(&p), 2500000), 10240);
  assert_int_equal(ttb__budget_demand(inside(&p), 0), 0);
  assert_int_equal(ttb__budget_demand(inside(&p), -7), 0);
  assert_int_equal(ttb__budget_demand(inside(&p), INT64_MIN), 0);
  assert_int_equal(ttb__budget_demand(inside(&p), INT64_MAX), TTB__BUDGET_MOST);
  ttb_budget_free(&p.b);
  /* Exactly at the limit needs no more; whatever the unit. */
  for (int64_t replica = 1; replica < INT64_C(1) << 49; replica = replica * 7 + 3) {
    c.replica_milli = replica * 10;
    c.limit_ppm = 900000;
    p = play_start(&c);
    assert_int_equal(ttb__budget_replicas(ttb__budget_demand(inside(&p), replica * 9)), 1);
    if (replica > 1000)
      assert_int_equal(ttb__budget_replicas(ttb__budget_demand(inside(&p), replica * 9 + replica / 100)), 2);
    ttb_budget_free(&p.b);
  }
}

static void test_curve(void **unused) {
  (void)unused;
  ttb_budget_config c = TTB_CONFIG(ttb_budget_config);
  /* Each further replica carries less. */
  int64_t curve[4] = {1000, 1900, 2700, 3400};
  c.carries_milli = curve, c.carries_n = 4;
  play p = play_start(&c);
  for (int32_t n = 1; n <= 4; n++) {
    assert_int_equal(ttb__budget_demand(inside(&p), curve[n - 1]), n * 4096);
    assert_int_equal(ttb__budget_replicas(ttb__budget_demand(inside(&p), curve[n - 1] + 1)), n + 1);
  }
  assert_int_equal(ttb__budget_demand(inside(&p), 500), 2048);
  /* Beyond its end it goes on as its last two points do. */
  assert_int_equal(ttb__budget_demand(inside(&p), 3400 + 700 * 5), 9 * 4096);
  assert_int_equal(ttb__budget_demand(inside(&p), INT64_MAX), TTB__BUDGET_MOST);
  ttb_budget_free(&p.b);
}

static void test_arguments(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  play p = play_start(&c);
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision), untouched = d;
  assert_int_equal(ttb_budget_tick(NULL, 0, &s, 0, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_tick(&p.b, 0, NULL, 0, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, 0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_tick(&p.b, 1, &s, 0, &d), TTB_ERR_RANGE);
  s.current = -1;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, 0, &d), TTB_ERR_RANGE);
  s.current = TTB_BUDGET_MAX_REPLICAS + 1;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, 0, &d), TTB_ERR_RANGE);
  s.current = 0, s.floor = -1;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, 0, &d), TTB_ERR_RANGE);
  s.floor = 0, s.reserved = 1;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, 0, &d), TTB_ERR_UNSUPPORTED);
  s.reserved = 0, s.struct_size = 8;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, 0, &d), TTB_ERR_RANGE);
  s.struct_size = sizeof s, d.struct_size = untouched.struct_size = 8;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, 0, &d), TTB_ERR_RANGE);
  assert_memory_equal(&d, &untouched, sizeof d);
  assert_int_equal(play_info(&p).ticks, 0);
  ttb_budget_free(&p.b);
}

static void test_first_and_steady(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  play p = play_start(&c);
  p.current = 10;
  /* The prior is cautious: more than the load alone, less than three times it. */
  ttb_budget_decision d = play_tick(&p, 9500);
  assert_int_equal(d.reason, TTB_BUDGET_MORE);
  assert_true(d.desired > 10 && d.desired < 30);
  assert_int_equal(d.demand_milli, 9500);
  assert_int_equal(d.arm, 0);
  for (int i = 0; i < 3 * DAY; i++) d = play_tick(&p, 9500);
  /* A load that never moves needs what it is, and nothing is done any more. */
  assert_int_equal(d.desired, 10);
  assert_int_equal(d.reason, TTB_BUDGET_STEADY);
  uint64_t actions = play_info(&p).actions;
  for (int i = 0; i < 3 * DAY; i++) assert_int_equal(play_tick(&p, 9500).desired, 10);
  assert_int_equal(play_info(&p).actions, actions);
  assert_int_equal(play_info(&p).violations, 0);
  ttb_budget_free(&p.b);
}

static void test_early_missed_missing(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  play p = play_start(&c);
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
  for (int i = 0; i < 10; i++) play_tick(&p, 5000);
  uint64_t now = SECOND + 9 * TICK;
  int32_t had = p.current;
  s.current = had;
  s.load_milli = 90000000;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, now + 7 * SECOND, &d), TTB_OK);
  assert_int_equal(d.reason, TTB_BUDGET_EARLY);
  assert_int_equal(d.desired, had);
  assert_int_equal(play_info(&p).ticks, 10);
  /* Half a tick later is a tick. */
  s.load_milli = 5000000;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, now + 8 * SECOND, &d), TTB_OK);
  assert_int_equal(play_info(&p).ticks, 11);
  /* Three were missed. */
  now += 8 * SECOND;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, now + 4 * TICK, &d), TTB_OK);
  assert_int_equal(play_info(&p).ticks, 15);
  now += 4 * TICK;
  s.missing = 1, s.load_milli = 0;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, now + TICK, &d), TTB_OK);
  assert_int_equal(d.reason, TTB_BUDGET_MISSING);
  assert_int_equal(d.desired, had);
  assert_int_equal(play_info(&p).ticks, 15);
  /* An hour is forgotten, not filled in. */
  s.missing = 0, s.load_milli = 5000000;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, now + HOUR * TICK, &d), TTB_OK);
  assert_int_equal(play_info(&p).ticks, 16);
  assert_int_equal(play_info(&p).age_ms >= 0, 1);
  ttb_budget_free(&p.b);
}

static void test_bounds_and_floor(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  c.min_replicas = 3, c.max_replicas = 12;
  play p = play_start(&c);
  ttb_budget_decision d = play_tick(&p, 100000);
  assert_int_equal(d.desired, 12);
  assert_int_equal(d.reason, TTB_BUDGET_AT_MAX);
  for (int i = 0; i < DAY; i++) d = play_tick(&p, 10);
  assert_int_equal(d.desired, 3);
  assert_int_equal(d.reason, TTB_BUDGET_AT_MIN);
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  s.current = 3, s.floor = 7, s.load_milli = 10000;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, SECOND + TICK * p.tick++, &d), TTB_OK);
  assert_int_equal(d.desired, 7);
  assert_int_equal(d.reason, TTB_BUDGET_AT_MIN);
  s.current = 7, s.floor = 90;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, SECOND + TICK * p.tick++, &d), TTB_OK);
  assert_int_equal(d.desired, 12);
  /* A count out of bounds is brought back, with a load or without. */
  s.current = 40, s.floor = 0, s.missing = 1;
  assert_int_equal(ttb_budget_tick(&p.b, 0, &s, SECOND + TICK * p.tick++, &d), TTB_OK);
  assert_int_equal(d.desired, 12);
  ttb_budget_free(&p.b);
}

static void test_capped(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  c.limit_ppm = 900000;
  for (uint32_t flags = 0; flags <= TTB_BUDGET_CAPPED; flags += TTB_BUDGET_CAPPED) {
    c.flags = flags;
    play p = play_start(&c);
    ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
    ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
    s.load_milli = 10000000, s.current = s.serving = 10; /* all that ten can do */
    assert_int_equal(ttb_budget_tick(&p.b, 0, &s, SECOND, &d), TTB_OK);
    assert_int_equal(d.demand_milli, flags ? 16666 : 11111);
    s.load_milli = 9600000;
    assert_int_equal(ttb_budget_tick(&p.b, 0, &s, SECOND + TICK, &d), TTB_OK);
    assert_int_equal(d.demand_milli, 10666);
    ttb_budget_free(&p.b);
  }
}

/* Violation is judged by the peak, if one is known (noise within a tick). */
static void test_peak(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  play p = play_start(&c);
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
  s.load_milli = 10000000, s.peak_milli = 14000000, s.current = 12;
  for (int i = 0; i < 2 * DAY; i++) {
    assert_int_equal(ttb_budget_tick(&p.b, 0, &s, SECOND + TICK * p.tick++, &d), TTB_OK);
    s.current = d.desired;
  }
  assert_in_range(d.desired, 14, 16);
  s.peak_milli = 0;
  for (int i = 0; i < 60 * DAY; i++) {
    assert_int_equal(ttb_budget_tick(&p.b, 0, &s, SECOND + TICK * p.tick++, &d), TTB_OK);
    s.current = d.desired;
  }
  assert_int_equal(d.desired, 10); /* forgotten by and by */
  ttb_budget_free(&p.b);
}

/* Nobody starts what is asked for: that is violation, and the caller's count is what counts. */
static void test_not_carried_out(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  play p = play_start(&c);
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
  s.load_milli = 10000000, s.current = 5;
  for (int i = 0; i < 100; i++)
    assert_int_equal(ttb_budget_tick(&p.b, 0, &s, SECOND + TICK * p.tick++, &d), TTB_OK);
  assert_true(d.desired >= 10);
  assert_int_equal(play_info(&p).violations, 99);
  assert_true(d.spent_ppm > 10000);
  ttb_budget_free(&p.b);
}

static void test_reset(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  play p = play_start(&c), q = play_start(&c);
  uint64_t dice = 3, again = 3;
  for (int i = 0; i < 3 * DAY; i++) play_tick(&p, (int64_t)(roll(&dice) % 20000));
  assert_int_equal(ttb_budget_reset(&p.b, 0), TTB_OK);
  assert_int_equal(ttb_budget_reset(&p.b, 1), TTB_ERR_RANGE);
  assert_int_equal(play_info(&p).desired, -1);
  assert_int_equal(play_info(&p).ticks, 0);
  /* As new: the same decisions as a first life. */
  p.current = 1, dice = 3;
  for (int i = 0; i < HOUR; i++) {
    ttb_budget_decision a = play_tick(&p, (int64_t)(roll(&dice) % 20000));
    ttb_budget_decision b = play_tick(&q, (int64_t)(roll(&again) % 20000));
    assert_memory_equal(&a, &b, sizeof a);
  }
  ttb_budget_free(&p.b);
  ttb_budget_free(&q.b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_demand),           cmocka_unit_test(test_curve),
      cmocka_unit_test(test_arguments),        cmocka_unit_test(test_first_and_steady),
      cmocka_unit_test(test_early_missed_missing), cmocka_unit_test(test_bounds_and_floor),
      cmocka_unit_test(test_capped),           cmocka_unit_test(test_peak),
      cmocka_unit_test(test_not_carried_out),  cmocka_unit_test(test_reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
