/* SPDX-License-Identifier: MIT */
/* Unit tests of outlier ejection in a pool (lib/pool/derive.c, call.c). */
#include "fixture.h"

#include "../../../lib/pool/pool.h"

#define N 5

/* A pool whose breakers never open, so that only health can eject. */
typedef struct config {
  ttb_pool_config pool;
  ttb_breaker_config breaker;
  ttb_health_config health;
} config;

static void fill(config *c, int32_t probing) {
  *c = (config){TTB_CONFIG(ttb_pool_config), TTB_CONFIG(ttb_breaker_config),
                TTB_CONFIG(ttb_health_config)};
  c->breaker.consecutive = TTB_OFF;
  c->breaker.min_calls = 100000;
  c->health.eject = TTB_HEALTH_EJECT_ROBUST;
  c->pool.probing = probing;
  c->pool.breaker = &c->breaker;
  c->pool.health = &c->health;
}

/* Calls, of which every fourth on the bad slots (a bit each) fails; returns a hash
 * of who was picked. */
static uint64_t traffic(fleet *f, uint32_t calls, uint32_t bad) {
  uint32_t n[N] = {0};
  uint64_t picked = 0;
  for (uint32_t i = 0; i < calls; i++) {
    int64_t t = ttb_pool_acquire(&f->mine, 0, f->clock.now_ns);
    assert_true(t >= 0);
    uint32_t s = (uint32_t)ttb_ticket_slot(t);
    bool fails = ++n[s] % 4 == 0 && (bad >> s & 1) != 0;
    assert_int_equal(ttb_pool_report(&f->mine, t, fails ? TTB_FAILURE : TTB_SUCCESS, 1000,
                                     f->clock.now_ns),
                     TTB_OK);
    picked = picked * 31 + s;
  }
  return picked;
}

static int32_t tick(fleet *f, uint64_t ms) {
  vclock_ms(&f->clock, ms);
  return ttb_pool_tick(&f->mine, f->clock.now_ns);
}

static ttb_health_stats health_of(const fleet *f) {
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  assert_int_equal(ttb_health_statistics(&ttb__pool_of(&f->mine)->health, f->clock.now_ns, &s),
                   TTB_OK);
  return s;
}

static void expect(fleet *f, int32_t kind, uint32_t slot, int64_t value) {
  ttb_pool_event e = fleet_event(f);
  assert_int_equal(e.kind, kind);
  assert_int_equal(e.slot, slot);
  assert_int_equal(e.id, 100 + slot);
  assert_int_equal(e.value, value);
}

static void test_out_and_back(void **state) {
  (void)state;
  for (int32_t mode = TTB_POOL_PROBE_TRAFFIC; mode <= TTB_POOL_PROBE_ACTIVE; mode++) {
    fleet f;
    config c;
    fill(&c, mode);
    fleet_open(&f, &c.pool, N);
    fleet_skip_events(&f);
    traffic(&f, 1000, 1 << 2);
    assert_int_equal(fleet_row(&f, 2).causes, 0); /* rates are judged by the sweep */
    assert_int_equal(fleet_event(&f).kind, 0);
    assert_int_equal(tick(&f, 0), 1);
    ttb_pool_info i = fleet_row(&f, 2);
    assert_int_equal(i.causes, TTB_CAUSE_OUTLIER);
    assert_int_equal(i.reason, TTB_BALANCER_BY_OUTLIER);
    assert_int_equal(i.breaker, TTB_BREAKER_CLOSED);
    assert_int_equal(i.status, TTB_STATUS_UNKNOWN); /* the status stays */
    assert_int_equal(i.eject_left_ms, 30000);
    assert_int_equal(fleet_row(&f, 1).eject_left_ms, 0);
    assert_int_equal(fleet_stats(&f).eligible, N - 1);
    expect(&f, TTB_POOL_CAUSES, 2, TTB_CAUSE_OUTLIER);
    expect(&f, TTB_POOL_EJECTED, 2, TTB_HEALTH_EJECTED);

    /* Again it is derived the same, by whoever. */
    assert_int_equal(tick(&f, 100), 0);
    for (int k = 0; k < 500; k++) assert_int_not_equal(fleet_call(&f, TTB_SUCCESS), 2);
    for (int k = 0; k < 298; k++) assert_int_equal(tick(&f, 100), 0);
    assert_int_equal(fleet_row(&f, 2).causes, TTB_CAUSE_OUTLIER); /* 29.9 s */
    assert_int_equal(fleet_row(&f, 2).eject_left_ms, 100);
    assert_int_equal(fleet_event(&f).kind, 0);
    int32_t changed = 0;
    for (int k = 0; k < 101; k++) changed += tick(&f, 100); /* the sweep after 30 s */
    assert_int_equal(changed, 1);
    assert_int_equal(fleet_row(&f, 2).causes, 0);
    assert_int_equal(fleet_row(&f, 2).eject_left_ms, 0);
    expect(&f, TTB_POOL_CAUSES, 2, 0);
    expect(&f, TTB_POOL_READMITTED, 2, TTB_HEALTH_EJECTED);
    assert_int_equal(fleet_event(&f).kind, 0);
    (void)fleet_ticket_on(&f, 2);
    fleet_close(&f);
  }
}

/* A row of errors ejects by the report that fills it; one is always kept. */
static void test_rows_eject_at_once(void **state) {
  (void)state;
  fleet f;
  config c;
  fill(&c, TTB_POOL_PROBE_TRAFFIC);
  c.health.eject_errors = 3;
  fleet_open(&f, &c.pool, 2);
  fleet_skip_events(&f);
  fleet_fail(&f, 0, 2);
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  fleet_fail(&f, 0, 1);
  assert_int_equal(fleet_row(&f, 0).causes, TTB_CAUSE_OUTLIER);
  expect(&f, TTB_POOL_CAUSES, 0, TTB_CAUSE_OUTLIER);
  expect(&f, TTB_POOL_EJECTED, 0, TTB_HEALTH_EJECTED); /* and no new status */
  assert_int_equal(fleet_event(&f).kind, 0);
  for (int i = 0; i < 30; i++) assert_int_equal(fleet_call(&f, TTB_FAILURE), 1);
  assert_int_equal(fleet_row(&f, 1).causes, 0);
  assert_int_equal(health_of(&f).overflows, 10);
  fleet_close(&f);
}

/* The report that ejects may also change the status, and that is what it is told. */
static void test_ejected_and_down_by_one_report(void **state) {
  (void)state;
  fleet f;
  config c;
  fill(&c, TTB_POOL_PROBE_ACTIVE);
  c.health.eject_errors = c.health.passive_errors = 3;
  c.health.passive_action = TTB_HEALTH_MARK_DOWN;
  fleet_open(&f, &c.pool, 3);
  fleet_skip_events(&f);
  fleet_fail(&f, 1, 3);
  assert_int_equal(fleet_row(&f, 1).causes, TTB_CAUSE_PROBE | TTB_CAUSE_OUTLIER);
  expect(&f, TTB_POOL_STATUS, 1, TTB_STATUS_UNHEALTHY);
  expect(&f, TTB_POOL_CAUSES, 1, TTB_CAUSE_PROBE);
  expect(&f, TTB_POOL_CAUSES, 1, TTB_CAUSE_PROBE | TTB_CAUSE_OUTLIER);
  expect(&f, TTB_POOL_EJECTED, 1, TTB_HEALTH_EJECTED);
  /* Probes end the one, time the other. */
  for (int i = 0; i < 2; i++)
    (void)ttb_pool_probe_result(&f.mine, 1, TTB_SUCCESS, 1000, f.clock.now_ns);
  assert_int_equal(fleet_row(&f, 1).causes, TTB_CAUSE_OUTLIER);
  (void)tick(&f, 30000);
  assert_int_equal(fleet_row(&f, 1).causes, 0);
  fleet_close(&f);
}

static void test_probe_ends_it(void **state) {
  (void)state;
  fleet f;
  config c;
  fill(&c, TTB_POOL_PROBE_ACTIVE);
  c.health.eject_errors = 3;
  c.health.flags = TTB_HEALTH_EJECT_PROBED;
  c.health.start = TTB_HEALTH_START_FULLY_UP; /* one failed probe is not enough */
  fleet_open(&f, &c.pool, 3);
  fleet_fail(&f, 1, 3);
  assert_int_equal(fleet_row(&f, 1).causes, TTB_CAUSE_OUTLIER);
  fleet_skip_events(&f);
  assert_int_equal(ttb_pool_probe_result(&f.mine, 1, TTB_FAILURE, 1000, f.clock.now_ns), TTB_OK);
  assert_int_equal(fleet_row(&f, 1).causes, TTB_CAUSE_OUTLIER);
  (void)ttb_pool_probe_result(&f.mine, 1, TTB_SUCCESS, 1000, f.clock.now_ns);
  assert_int_equal(fleet_row(&f, 1).causes, 0);
  ttb_pool_event e, last = {0};
  while ((e = fleet_event(&f)).kind != 0) last = e;
  assert_int_equal(last.kind, TTB_POOL_READMITTED);
  assert_int_equal(last.value, TTB_HEALTH_EJECTED);
  fleet_close(&f);
}

/* Shadow mode detects, and the pool does what it does without ejection. */
static void test_shadow_changes_nothing(void **state) {
  (void)state;
  fleet f[2];
  config c;
  for (int i = 0; i < 2; i++) {
    fill(&c, TTB_POOL_PROBE_TRAFFIC);
    if (i == 0) c.health.eject = TTB_OFF;
    else c.health.flags = TTB_HEALTH_EJECT_SHADOW, c.health.eject_errors = 1;
    fleet_open(&f[i], &c.pool, N);
    fleet_skip_events(&f[i]);
  }
  for (int round = 0; round < 5; round++) {
    assert_true(traffic(&f[0], 1000, 1 << 2) == traffic(&f[1], 1000, 1 << 2));
    for (int i = 0; i < 2; i++) {
      assert_int_equal(tick(&f[i], 10000), 0);
      assert_int_equal(fleet_row(&f[i], 2).causes, 0);
      assert_int_equal(fleet_event(&f[i]).kind, 0);
    }
  }
  assert_int_equal(health_of(&f[0]).detected, 0);
  assert_in_range(health_of(&f[1]).detected, 200, 300);
  assert_int_equal(health_of(&f[1]).enforced, 0);
  for (int i = 0; i < 2; i++) fleet_close(&f[i]);
}

/* Two of five are bad: two outliers, unless that many are everybody's trouble, or
 * more than may be out. */
static void test_systemic_and_most(void **state) {
  (void)state;
  const struct {
    int32_t systemic_ppm, max_ppm;
    uint32_t eligible, systemic, overflows;
  } want[] = {{0, 0, 3, 0, 0}, {300000, 0, 5, 1, 0}, {0, 200000, 4, 0, 1}};
  for (int i = 0; i < 3; i++) {
    fleet f;
    config c;
    fill(&c, TTB_POOL_PROBE_TRAFFIC);
    c.health.eject_systemic_ppm = want[i].systemic_ppm;
    c.health.eject_max_ppm = want[i].max_ppm;
    fleet_open(&f, &c.pool, N);
    traffic(&f, 2000, 1 << 1 | 1 << 4);
    assert_int_equal(tick(&f, 0), 5 - want[i].eligible);
    assert_int_equal(fleet_stats(&f).eligible, want[i].eligible);
    assert_int_equal(health_of(&f).systemic, want[i].systemic);
    assert_int_equal(health_of(&f).overflows, want[i].overflows);
    fleet_close(&f);
  }
}

/* What a killed process did not mark, or marked too late, lives for one tick; here
 * it is another one's, attached to the same memory. */
static void test_tick_repairs(void **state) {
  (void)state;
  fleet f;
  config c;
  ttb_pool other, its;
  fill(&c, TTB_POOL_PROBE_TRAFFIC);
  c.health.eject_errors = 3;
  fleet_open(&f, &c.pool, 4);
  fleet_fail(&f, 0, 3);
  ttb__pool *p = ttb__pool_of(&f.shared);
  assert_int_equal(ttb_pool_attach(&other, p->region, p->owned), TTB_OK);
  assert_int_equal(ttb_pool_join(&other, 43, &its), TTB_OK);
  assert_int_equal(ttb_balancer_mark(&p->balancer, 0, TTB_CAUSE_OUTLIER, 0), 1);
  assert_int_equal(ttb_balancer_mark(&p->balancer, 1, TTB_CAUSE_OUTLIER, 1), 1);
  fleet_skip_events(&f);
  assert_int_equal(ttb_pool_tick(&its, f.clock.now_ns), 2);
  assert_int_equal(fleet_row(&f, 0).causes, TTB_CAUSE_OUTLIER);
  assert_int_equal(fleet_row(&f, 1).causes, 0);
  assert_int_equal(ttb_pool_tick(&its, f.clock.now_ns), 0);
  /* Its reports are observed too. */
  const uint32_t but_2[] = {0, 1, 3};
  for (int i = 0; i < 3; i++) {
    int64_t t = ttb_pool_acquire_except(&its, 0, but_2, 3, f.clock.now_ns);
    assert_int_equal(ttb_pool_report(&its, t, TTB_FAILURE, 0, f.clock.now_ns), TTB_OK);
  }
  assert_int_equal(fleet_row(&f, 2).causes, TTB_CAUSE_OUTLIER);
  ttb_pool_free(&its);
  ttb_pool_free(&other);
  fleet_close(&f);
}

/* An ejection is its endpoint's: who comes into the slot is not ejected. */
static void test_newcomer_is_in(void **state) {
  (void)state;
  fleet f;
  config c;
  fill(&c, TTB_POOL_PROBE_TRAFFIC);
  c.health.eject_errors = 3;
  fleet_open(&f, &c.pool, 3);
  fleet_fail(&f, 1, 3);
  assert_int_equal(fleet_row(&f, 1).causes, TTB_CAUSE_OUTLIER);
  assert_int_equal(ttb_pool_remove(&f.mine, 101, f.clock.now_ns), TTB_OK);
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  e.id = 200;
  assert_int_equal(ttb_pool_add(&f.mine, &e, f.clock.now_ns), 1);
  assert_int_equal(tick(&f, 100), 0);
  assert_int_equal(fleet_row(&f, 1).causes, 0);
  (void)fleet_ticket_on(&f, 1);
  fleet_close(&f);
}

/* Without active probes nothing could undo it: calls take nobody's status down,
 * though they are observed now. */
static void test_no_status_by_traffic(void **state) {
  (void)state;
  fleet f;
  config c;
  fill(&c, TTB_POOL_PROBE_TRAFFIC);
  c.health.passive_errors = 3;
  c.health.passive_action = TTB_HEALTH_MARK_DOWN;
  fleet_open(&f, &c.pool, 2);
  fleet_fail(&f, 0, 20);
  (void)tick(&f, 100);
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  assert_int_equal(fleet_row(&f, 0).status, TTB_STATUS_UNKNOWN);
  fleet_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_out_and_back),
      cmocka_unit_test(test_rows_eject_at_once),
      cmocka_unit_test(test_ejected_and_down_by_one_report),
      cmocka_unit_test(test_probe_ends_it),
      cmocka_unit_test(test_shadow_changes_nothing),
      cmocka_unit_test(test_systemic_and_most),
      cmocka_unit_test(test_tick_repairs),
      cmocka_unit_test(test_newcomer_is_in),
      cmocka_unit_test(test_no_status_by_traffic),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
