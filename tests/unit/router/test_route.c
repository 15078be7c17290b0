/* SPDX-License-Identifier: MIT */
/* lib/router/route.c: reads, writes, reports. */
#include "fleet.h"

/* A primary in slot 0 and n replicas behind it. */
static fleet cluster(const ttb_router_config *c, uint32_t n) {
  fleet f = fleet_of(c);
  for (uint64_t id = 1; id <= n + 1; id++) {
    assert_int_equal(add(&f, id), (int32_t)id - 1);
    assert_int_equal(observe(&f, id, id == 1 ? P : R, 0, 1, T0), TTB_OK);
  }
  return f;
}
static fleet plain(uint32_t n) {
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  return cluster(&c, n);
}

static void test_modes(void **state) {
  (void)state;
  fleet f = plain(1);
  int both = 0;
  assert_int_equal(write_to(&f, T0), 0);
  assert_int_equal(read_to(&f, NULL, T0), 1);
  assert_int_equal(mode_to(&f, TTB_READ_REPLICA_PREFERRED, T0), 1);
  assert_int_equal(mode_to(&f, TTB_READ_REPLICA, T0), 1);
  assert_int_equal(mode_to(&f, TTB_READ_PRIMARY, T0), 0);
  assert_int_equal(mode_to(&f, TTB_READ_PRIMARY_PREFERRED, T0), 0);
  for (int i = 0; i < 100; i++) both |= 1 << mode_to(&f, TTB_READ_NEAREST, T0);
  assert_int_equal(both, 3);

  assert_int_equal(observe(&f, 2, R, 30001, 1, T0), TTB_OK); /* the replica falls behind */
  assert_int_equal(stats(&f).fallbacks, 0);
  assert_int_equal(read_to(&f, NULL, T0), 0);
  assert_int_equal(stats(&f).fallbacks, 1);
  assert_int_equal(mode_to(&f, TTB_READ_REPLICA, T0), TTB_TOO_STALE);
  assert_int_equal(mode_to(&f, TTB_READ_NEAREST, T0), 0);
  assert_int_equal(observe(&f, 2, R, 30000, 1, T0), TTB_OK); /* the bound itself is within */
  assert_int_equal(mode_to(&f, TTB_READ_REPLICA, T0), 1);
  assert_int_equal(observe_status(&f, 2, R, TTB_STATUS_UNHEALTHY, T0), TTB_OK);
  assert_int_equal(mode_to(&f, TTB_READ_REPLICA, T0), TTB_NO_ENDPOINT);

  assert_int_equal(observe(&f, 2, R, 0, 1, T0), TTB_OK);
  assert_int_equal(observe(&f, 1, TTB_ROLE_UNKNOWN, 0, 0, T0), TTB_OK); /* no primary */
  assert_int_equal(write_to(&f, T0), TTB_NO_PRIMARY);
  assert_int_equal(mode_to(&f, TTB_READ_PRIMARY, T0), TTB_NO_PRIMARY);
  assert_int_equal(mode_to(&f, TTB_READ_PRIMARY_PREFERRED, T0), 1);
  ttb_router_stats s = stats(&f);
  assert_int_equal(s.no_primary, 2);
  assert_int_equal(s.too_stale, 1);
  assert_int_equal(s.no_endpoint, 1);
  fleet_end(&f);
}

static void test_status(void **state) {
  (void)state;
  fleet f = plain(2);
  static const struct {
    uint32_t status;
    bool passes;
  } v[] = {{TTB_STATUS_HEALTHY, true},    {TTB_STATUS_DEGRADED, true},
           {TTB_STATUS_UNHEALTHY, false}, {TTB_STATUS_STALE, false},
           {TTB_STATUS_DRAINING, false},  {TTB_STATUS_UNKNOWN, true}};
  assert_int_equal(observe(&f, 3, TTB_ROLE_UNKNOWN, 0, 0, T0), TTB_OK);
  for (int i = 0; i < 6; i++) {
    assert_int_equal(observe_status(&f, 2, R, v[i].status, T0), TTB_OK);
    assert_int_equal(mode_to(&f, TTB_READ_REPLICA, T0), v[i].passes ? 1 : TTB_NO_ENDPOINT);
  }
  /* A degraded replica only while no healthy one is there, but before the primary. */
  assert_int_equal(observe_status(&f, 2, R, TTB_STATUS_DEGRADED, T0), TTB_OK);
  assert_int_equal(read_to(&f, NULL, T0), 1);
  assert_int_equal(observe(&f, 3, R, 0, 0, T0), TTB_OK);
  for (int i = 0; i < 50; i++) assert_int_equal(read_to(&f, NULL, T0), 2);
  fleet_end(&f);
}

static void test_expiry(void **state) {
  (void)state;
  fleet f = plain(1);
  assert_int_equal(read_to(&f, NULL, T0 + 30 * S), 1); /* 30 s is within */
  assert_int_equal(write_to(&f, T0 + 30 * S), 0);
  assert_int_equal(read_to(&f, NULL, T0 + 30 * S + MS), TTB_NO_ENDPOINT);
  assert_int_equal(write_to(&f, T0 + 30 * S + MS), TTB_NO_PRIMARY);
  assert_int_equal(observe(&f, 2, R, 0, 1, T0 + 30 * S + MS), TTB_OK);
  assert_int_equal(read_to(&f, NULL, T0 + 30 * S + MS), 1);
  fleet_end(&f);

  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.ttl_ms = TTB_OFF;
  f = cluster(&c, 1);
  assert_int_equal(write_to(&f, T0 + 86400 * S), 0);
  fleet_end(&f);
}

/* Clocks that jump neither hold an observation for ever nor lose it at once. */
static void test_clock_jumps(void **state) {
  (void)state;
  fleet f = plain(1);
  assert_int_equal(read_to(&f, NULL, T0 + 10 * S), 1);
  assert_int_equal(read_to(&f, NULL, T0 + 10 * S - MS), 1);
  assert_int_equal(read_to(&f, NULL, 5 * S), 1); /* another boot, and on from there */
  assert_int_equal(read_to(&f, NULL, 10 * S), 1);
  for (uint64_t now = 11 * S; now <= 40 * S; now += S / 2) (void)read_to(&f, NULL, now);
  assert_int_equal(read_to(&f, NULL, 40 * S), TTB_NO_ENDPOINT);
  assert_int_equal(read_to(&f, NULL, UINT64_MAX), TTB_NO_ENDPOINT);
  assert_int_equal(read_to(&f, NULL, 0), TTB_NO_ENDPOINT);
  assert_int_equal(observe(&f, 2, R, 0, 1, S), TTB_OK);
  assert_int_equal(read_to(&f, NULL, S), 1);
  fleet_end(&f);
}

static void test_age_counts(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.flags = TTB_ROUTER_COUNT_AGE;
  c.max_lag_ms = 5000;
  fleet f = cluster(&c, 1);
  assert_int_equal(observe(&f, 2, R, 2000, 1, T0), TTB_OK);
  assert_int_equal(read_to(&f, NULL, T0 + 3000 * MS), 1);
  assert_int_equal(read_to(&f, NULL, T0 + 3001 * MS), 0);
  fleet_end(&f);
}

static void test_bound_of_the_call(void **state) {
  (void)state;
  fleet f = plain(1);
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  assert_int_equal(observe(&f, 2, R, 400, 1, T0), TTB_OK);
  w.max_lag_ms = 399;
  assert_int_equal(read_to(&f, &w, T0), 0);
  w.max_lag_ms = 400;
  assert_int_equal(read_to(&f, &w, T0), 1);
  assert_int_equal(observe(&f, 2, R, 3600000, 1, T0), TTB_OK);
  assert_int_equal(read_to(&f, &w, T0), 0);
  w.max_lag_ms = TTB_OFF;
  assert_int_equal(read_to(&f, &w, T0), 1);
  fleet_end(&f);
}

static void test_avoid(void **state) {
  (void)state;
  fleet f = plain(2);
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  w.avoid = 1u << 1;
  for (int i = 0; i < 50; i++) assert_int_equal(read_to(&f, &w, T0), 2);
  w.avoid = 3u << 1;
  assert_int_equal(read_to(&f, &w, T0), 0);
  w.avoid = ~UINT64_C(0); /* nothing else will do */
  int32_t to = read_to(&f, &w, T0);
  assert_true(to == 1 || to == 2);
  fleet_end(&f);
}

static void rtt(fleet *f, uint64_t id, int64_t us) {
  ttb_router_observation o = seen(R, 0, 0);
  o.rtt_ns = us * 1000;
  assert_int_equal(ttb_router_observe(&f->shared, id, &o, T0), TTB_OK);
}

static uint64_t reached(fleet *f) {
  uint64_t mask = 0;
  for (int i = 0; i < 300; i++) mask |= UINT64_C(1) << read_to(f, NULL, T0);
  return mask;
}

static void test_window(void **state) {
  (void)state;
  fleet f = plain(4);
  rtt(&f, 2, 5000);
  rtt(&f, 3, 20000); /* 15 ms further: the last within */
  rtt(&f, 4, 20001);
  assert_int_equal(reached(&f), 0x16); /* slot 4 was never measured: within */
  assert_int_equal(why(&f, NULL, 3, T0), TTB_ROUTER_FAR);
  /* The window begins at the shortest of those that may be picked. */
  assert_int_equal(observe(&f, 2, TTB_ROLE_UNKNOWN, 0, 0, T0), TTB_OK);
  assert_int_equal(reached(&f), 0x1c);
  fleet_end(&f);

  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.window_us = TTB_OFF;
  f = cluster(&c, 2);
  rtt(&f, 2, 1);
  rtt(&f, 3, 60000000);
  assert_int_equal(reached(&f), 6);
  fleet_end(&f);
}

static void test_reported_latency(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.flags = TTB_ROUTER_RTT_REPORTED;
  fleet f = cluster(&c, 2);
  for (int i = 0; i < 40; i++) {
    int64_t t = ttb_router_read(&f.mine, NULL, T0);
    uint64_t took = ttb_ticket_slot(t) == 1 ? 2 * MS : 40 * MS;
    assert_int_equal(ttb_router_report(&f.mine, t, TTB_SUCCESS, took, T0), TTB_OK);
  }
  assert_int_equal(row(&f, NULL, 1, T0).latency_ns, 2 * MS);
  assert_int_equal(row(&f, NULL, 2, T0).latency_ns, 40 * MS);
  for (int i = 0; i < 50; i++) assert_int_equal(read_to(&f, NULL, T0 + MS), 1);
  fleet_end(&f);
}

/* Two choices: the load decides, the most loaded of three is never taken. */
static void test_two_choices(void **state) {
  (void)state;
  fleet f = plain(3);
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  int64_t held[27];
  static const int load[] = {3, 4, 20};
  for (int node = 0, n = 0; node < 3; node++)
    for (int i = 0; i < load[node]; i++) {
      w.avoid = ~(UINT64_C(2) << node);
      assert_int_equal(ttb_ticket_slot(held[n++] = ttb_router_read(&f.mine, &w, T0)), node + 1);
    }
  int count[4] = {0};
  for (int i = 0; i < 3000; i++) count[read_to(&f, NULL, T0)]++;
  assert_in_range(count[1], 1900, 2100);
  assert_in_range(count[2], 900, 1100);
  assert_int_equal(count[3], 0);
  for (int i = 0; i < 27; i++)
    assert_int_equal(ttb_router_report(&f.mine, held[i], TTB_SUCCESS, 0, T0), TTB_OK);
  for (uint32_t i = 1; i <= 3; i++) assert_int_equal(row(&f, NULL, i, T0).in_flight, 0);
  fleet_end(&f);
}

static void test_even_spread(void **state) {
  (void)state;
  fleet f = plain(5);
  int count[6] = {0};
  for (int i = 0; i < 10000; i++) count[read_to(&f, NULL, T0)]++;
  assert_int_equal(count[0], 0);
  for (int i = 1; i <= 5; i++) assert_in_range(count[i], 1850, 2150);
  fleet_end(&f);
}

/* Held calls settle in proportion to the weights. */
static void test_weights(void **state) {
  (void)state;
  fleet f = fleet_plain();
  assert_int_equal(add_weighted(&f, 1, 1), 0);
  assert_int_equal(add_weighted(&f, 2, 3), 1);
  assert_int_equal(add_weighted(&f, 3, 6), 2);
  for (uint64_t id = 1; id <= 3; id++) assert_int_equal(observe(&f, id, R, 0, 0, T0), TTB_OK);
  for (int i = 0; i < 1000; i++) assert_true(ttb_router_read(&f.mine, NULL, T0) >= 0);
  assert_in_range(row(&f, NULL, 0, T0).in_flight, 90, 110);
  assert_in_range(row(&f, NULL, 1, T0).in_flight, 285, 315);
  assert_in_range(row(&f, NULL, 2, T0).in_flight, 580, 620);
  fleet_end(&f);
}

/* Peers take anything, whatever the mode and the lag. */
static void test_peers(void **state) {
  (void)state;
  fleet f = fleet_plain();
  for (uint64_t id = 1; id <= 2; id++) {
    assert_int_equal(add(&f, id), (int32_t)id - 1);
    assert_int_equal(observe(&f, id, TTB_ROLE_PEER, -1, 0, T0), TTB_OK);
  }
  for (uint32_t mode = 0; mode <= 5; mode++) {
    int both = 0;
    for (int i = 0; i < 50; i++) both |= 1 << mode_to(&f, mode, T0);
    assert_int_equal(both, 3);
  }
  int both = 0;
  for (int i = 0; i < 50; i++) both |= 1 << write_to(&f, T0);
  assert_int_equal(both, 3);
  fleet_end(&f);
}

static void test_report(void **state) {
  (void)state;
  fleet f = plain(1);
  int64_t t = ttb_router_read(&f.mine, NULL, T0);
  assert_int_equal(ttb_router_report(&f.mine, -1, 0, 0, T0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_report(&f.mine, t, 5, 0, T0), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_report(&f.mine, t, -1, 0, T0), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_report(&f.mine, t | 0xfffff, 0, 0, T0), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_report(&f.mine, INT64_MAX - 0xfffff, 0, 0, T0), TTB_STALE);
  assert_int_equal(ttb_router_report(&f.mine, t, TTB_FAILURE, 5 * MS, T0), TTB_OK);
  assert_int_equal(ttb_router_report(&f.mine, t, TTB_FAILURE, 5 * MS, T0), TTB_STALE);
  ttb_router_node n = row(&f, NULL, 1, T0);
  assert_int_equal(n.failures, 1);
  assert_int_equal(n.latency_ns, -1); /* of a failure it says nothing */
  assert_int_equal(stats(&f).stale, 2);

  /* Another thread's ticket is foreign, unless tickets move. */
  ttb_router other;
  assert_int_equal(ttb_router_join(&f.shared, 1, &other), TTB_OK);
  t = ttb_router_read(&f.mine, NULL, T0);
  assert_int_equal(ttb_router_report(&other, t, TTB_SUCCESS, 0, T0), TTB_STALE);
  assert_int_equal(ttb_router_report(&f.mine, t, TTB_SUCCESS, 0, T0), TTB_OK);
  ttb_router_free(&other);
  fleet_end(&f);
}

static void test_tickets_move(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.flags = TTB_ROUTER_TICKETS_MOVE;
  fleet f = cluster(&c, 1);
  ttb_router other;
  assert_int_equal(ttb_router_join(&f.shared, 1, &other), TTB_OK);
  int64_t t = ttb_router_read(&f.mine, NULL, T0), u = ttb_router_read(&other, NULL, T0);
  assert_int_equal(row(&f, NULL, 1, T0).in_flight, 2);
  assert_int_equal(ttb_router_report(&other, t, TTB_SUCCESS, 0, T0), TTB_OK);
  assert_int_equal(ttb_router_report(&other, t, TTB_SUCCESS, 0, T0), TTB_STALE);
  assert_int_equal(row(&f, NULL, 1, T0).in_flight, 1);
  ttb_router_free(&other); /* its tickets go with its row */
  assert_int_equal(row(&f, NULL, 1, T0).in_flight, 0);
  assert_int_equal(ttb_router_report(&f.mine, u, TTB_SUCCESS, 0, T0), TTB_STALE);
  fleet_end(&f);
}

/* A batch is n single calls in order. */
static void test_batches(void **state) {
  (void)state;
  fleet f = plain(5), g = plain(5);
  int64_t t[200];
  int32_t outcomes[200] = {0}, codes[200];
  uint64_t latencies[200];
  for (int i = 0; i < 200; i++) latencies[i] = (uint64_t)i * MS;
  assert_int_equal(ttb_router_read_n(&f.mine, NULL, 200, T0, t), 200);
  for (int i = 0; i < 200; i++) assert_true(ttb_router_read(&g.mine, NULL, T0) == t[i]);
  assert_int_equal(ttb_router_report_n(&f.mine, t, outcomes, latencies, 200, T0, codes), 200);
  assert_int_equal(ttb_router_report_n(&f.mine, t, outcomes, NULL, 200, T0, codes), 0);
  assert_int_equal(codes[199], TTB_STALE);
  t[0] = TTB_TOO_STALE;
  assert_int_equal(ttb_router_report_n(&f.mine, t, outcomes, NULL, 1, T0, codes), 0);
  assert_int_equal(codes[0], TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_read_n(&f.mine, NULL, 0, T0, NULL), 0);
  assert_int_equal(ttb_router_read_n(&f.mine, NULL, 1, T0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_read_n(&f.mine, NULL, 1u << 31, T0, t), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_report_n(&f.mine, NULL, outcomes, NULL, 1, T0, NULL),
                   TTB_ERR_MISUSE);
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  w.mode = 9;
  assert_int_equal(ttb_router_read_n(&f.mine, &w, 1, T0, t), TTB_ERR_RANGE);
  for (uint64_t id = 1; id <= 6; id++) assert_int_equal(ttb_router_remove(&f.mine, id), TTB_OK);
  assert_int_equal(ttb_router_read_n(&f.mine, NULL, 5, T0, t), 0);
  assert_int_equal(t[4], TTB_NO_ENDPOINT);
  fleet_end(&f);
  fleet_end(&g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_modes),         cmocka_unit_test(test_status),
      cmocka_unit_test(test_expiry),        cmocka_unit_test(test_clock_jumps),
      cmocka_unit_test(test_age_counts),    cmocka_unit_test(test_bound_of_the_call),
      cmocka_unit_test(test_avoid),         cmocka_unit_test(test_window),
      cmocka_unit_test(test_reported_latency), cmocka_unit_test(test_two_choices),
      cmocka_unit_test(test_even_spread),   cmocka_unit_test(test_weights),
      cmocka_unit_test(test_peers),         cmocka_unit_test(test_report),
      cmocka_unit_test(test_tickets_move),  cmocka_unit_test(test_batches),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
