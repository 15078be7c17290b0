/* SPDX-License-Identifier: MIT */
/* lib/balancer/bounded.c; tests/property/prop_balancer_hashes.c compares whole
 * histories with an unbounded twin that excludes whoever is full. */
#include "helper.h"

#include "../../../lib/balancer/bounded.h"

static const uint32_t by_hash[] = {
    TTB_BALANCER_MAGLEV, TTB_BALANCER_RING_HASH, TTB_BALANCER_JUMP, TTB_BALANCER_RENDEZVOUS,
    TTB_BALANCER_KETAMA, TTB_BALANCER_NGINX_CONSISTENT, TTB_BALANCER_PATCHED_MAGLEV,
    TTB_BALANCER_ANCHOR, TTB_BALANCER_NGINX_HASH};
#define BY_HASH (sizeof by_hash / sizeof *by_hash)

static ttb_balancer_config bounded(uint32_t algorithm, uint32_t capacity, int32_t ppm) {
  ttb_balancer_config c = config_of(algorithm, capacity);
  c.bounded_ppm = ppm;
  return c;
}

static uint64_t total_of(const ttb_balancer *h) {
  const ttb__balancer *b = (const ttb__balancer *)(const void *)h;
  return ttb__load_rlx(&ttb__bound_of(b, b->row)->total);
}

static void configs(void **state) {
  (void)state;
  for (size_t i = 0; i < BY_HASH; i++) {
    ttb_balancer_config c = bounded(by_hash[i], 10, 1250000);
    assert_int_equal(ttb_balancer_check(&c, NULL), TTB_OK);
    c.bounded_ppm = 1009999;
    assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
    c.bounded_ppm = 15000001;
    assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
  }
  ttb_balancer_config c = bounded(TTB_BALANCER_TWO_CHOICES, 10, 1250000);
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
}

/* One key and nothing else: the calls of 10 endpoints stay within the bound at any
 * time, and spread over as few as may hold them. */
static void one_hot_key(void **state) {
  (void)state;
  for (size_t a = 0; a < BY_HASH; a++) {
    pair p = make(bounded(by_hash[a], 10, 1250000));
    uint32_t busy = 0;
    int64_t held[100];
    fill(&p, 10, NULL);
    for (uint32_t m = 0; m < 100; m++) {
      int64_t t = held[m] = acquire(&p);
      uint32_t cap = (125 * (m + 1) + 999) / 1000;
      assert_true(t >= 0);
      assert_in_range(info_of(&p.shared, (uint32_t)ttb_ticket_slot(t)).in_flight, 1, cap);
    }
    for (uint32_t s = 0; s < 10; s++) busy += info_of(&p.shared, s).in_flight > 0;
    /* The first 96 calls in eights of 12, then there is room again from the first on.
     * (nginx' goes round after 20 attempts.) */
    if (by_hash[a] != TTB_BALANCER_NGINX_HASH) assert_int_equal(busy, 8);
    assert_int_equal(total_of(&p.mine), 100);
    for (uint32_t m = 0; m < 100; m++) assert_int_equal(report(&p, held[m]), TTB_OK);
    assert_int_equal(total_of(&p.mine), 0);
    drop(&p);
  }
}

/* Weights count, and who may not be picked does not. */
static void weights(void **state) {
  pair p = make(bounded(TTB_BALANCER_MAGLEV, 4, 1500000));
  uint32_t w[] = {1, 2, 3, 4};
  (void)state;
  fill(&p, 4, w);
  for (uint32_t m = 0; m < 40; m++) assert_true(acquire(&p) >= 0);
  for (uint32_t s = 0; s < 4; s++) /* ceil(1.5 * 40 * w / 10) */
    assert_in_range(info_of(&p.shared, s).in_flight, 0, 6 * w[s]);
  ttb_balancer_mark(&p.shared, 3, TTB_CAUSE_PROBE, 1); /* its calls are still out */
  for (uint32_t m = 40; m < 60; m++) assert_true(acquire(&p) >= 0);
  for (uint32_t s = 0; s < 3; s++) /* ceil(1.5 * 60 * w / 6) */
    assert_in_range(info_of(&p.shared, s).in_flight, 0, 15 * w[s]);
  ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_PROBE, 1);
  ttb_balancer_mark(&p.shared, 1, TTB_CAUSE_PROBE, 1);
  for (uint32_t m = 0; m < 50; m++) assert_int_equal(ttb_ticket_slot(acquire(&p)), 2);
  drop(&p);
}

/* Whoever is left for a pick has its cap: the least loaded of them gets it. */
static void gives_way(void **state) {
  ttb_balancer_config c = bounded(TTB_BALANCER_MAGLEV, 4, 1010000);
  pair p = make(c);
  uint32_t w[] = {1, 1, 1, 1000}, heavy = 3;
  (void)state;
  fill(&p, 4, w);
  for (uint32_t slot = 0; slot < 3; slot++) {
    static const uint32_t calls[] = {103, 102, 104};
    uint32_t x[] = {3, (slot + 1) % 3, (slot + 2) % 3};
    for (uint32_t m = 0; m < calls[slot]; m++)
      assert_true(ttb_balancer_acquire_except(&p.mine, 5, x, 3, 0) >= 0);
  }
  assert_int_equal(info_of(&p.shared, 0).in_flight, 103);
  assert_int_equal(info_of(&p.shared, 1).in_flight, 102);
  assert_int_equal(info_of(&p.shared, 2).in_flight, 104);
  int64_t t = ttb_balancer_acquire_except(&p.mine, 5, &heavy, 1, 0);
  assert_int_equal(ttb_ticket_slot(t), 1);
  /* and who asks says why */
  ttb_balancer_info rows[4] = {TTB_CONFIG(ttb_balancer_info)};
  assert_int_equal(ttb_balancer_explain(&p.mine, 5, NULL, 0, rows, 4), 4);
  for (int i = 0; i < 3; i++) assert_int_equal(rows[i].reason, TTB_BALANCER_OVER_BOUND);
  assert_int_equal(rows[3].reason, TTB_BALANCER_CHOSEN);
  drop(&p);
}

/* Two threads: each knows its own calls at once, the other's after 16 picks, or
 * after a millisecond. */
static void others(void **state) {
  ttb_balancer_config c = bounded(TTB_BALANCER_ANCHOR, 2, 1010000);
  pair p = make(c);
  ttb_balancer other;
  (void)state;
  assert_int_equal(ttb_balancer_join(&p.shared, 2, &other), TTB_OK);
  fill(&p, 2, NULL);
  for (int i = 0; i < 2; i++) assert_true(ttb_balancer_acquire(&other, 1, 0) >= 0); /* one each */
  assert_true(ttb_balancer_acquire(&p.mine, 1, 0) >= 0);
  for (int i = 0; i < 1000; i++) assert_true(ttb_balancer_acquire(&other, 1, 0) >= 0);
  int64_t alone = ttb_balancer_acquire(&p.mine, 1, 0), known[18];
  /* By what it knows both are full, so the less loaded has it. */
  assert_true(alone >= 0);
  for (int i = 0; i < 18; i++) known[i] = ttb_balancer_acquire(&p.mine, 1, 0);
  uint32_t a = info_of(&p.shared, 0).in_flight, b = info_of(&p.shared, 1).in_flight;
  assert_int_equal(a + b, 1022);
  assert_in_range(a, 500, 522);
  for (int i = 0; i < 18; i++) assert_int_equal(report(&p, known[i]), TTB_OK);
  /* The other dies: its total goes with its calls. */
  assert_int_equal(ttb_balancer_recover(&p.mine, 2), 1);
  assert_int_equal(stats_of(&p.shared).in_flight, 2);
  assert_true(ttb_balancer_acquire(&p.mine, 1, 2000000) >= 0);
  const ttb__balancer *h = (const ttb__balancer *)(const void *)&p.mine;
  assert_int_equal(ttb__bound_of(h, h->row)->others, 0);
  assert_int_equal(total_of(&p.mine), 3);
  drop(&p);
}

/* Tickets that move: the total of the row that acquired follows. Stale ones, and
 * those of a slot given away, leave it right. */
static void tickets(void **state) {
  ttb_balancer_config c = bounded(TTB_BALANCER_MAGLEV, 2, 1250000);
  (void)state;
  c.flags = TTB_BALANCER_MOVING_TICKETS;
  pair p = make(c);
  ttb_balancer other;
  assert_int_equal(ttb_balancer_join(&p.shared, 1, &other), TTB_OK);
  fill(&p, 2, NULL);
  int64_t t = acquire(&p);
  uint32_t taken = (uint32_t)ttb_ticket_slot(t);
  int64_t u = ttb_balancer_acquire_except(&p.mine, 0, &taken, 1, 0);
  assert_int_equal(total_of(&p.mine), 2);
  assert_int_equal(ttb_balancer_report(&other, t, TTB_SUCCESS, 0, 0), TTB_OK);
  assert_int_equal(total_of(&p.mine), 1);
  assert_int_equal(ttb_balancer_report(&other, t, TTB_SUCCESS, 0, 0), TTB_STALE);
  assert_int_equal(total_of(&p.mine), 1);
  /* A cell of an earlier generation, as a pick that raced with a removal leaves it. */
  const ttb__balancer *b = (const ttb__balancer *)(const void *)&p.mine;
  assert_int_equal(report(&p, u), TTB_OK);
  ttb_balancer_mark(&p.shared, 1, TTB_CAUSE_ADMIN, 1);
  ttb__store_rlx(ttb__cell_at(b, 0, b->row), 77u << TTB__CELL_TAG | 5);
  ttb__store_rlx(&ttb__bound_of(b, b->row)->total, 5);
  t = acquire(&p);
  assert_int_equal(total_of(&p.mine), 1);
  assert_int_equal(report(&p, t), TTB_OK);
  assert_int_equal(total_of(&p.mine), 0);
  ttb_balancer_free(&other);
  drop(&p);
}

/* HAProxy's division (chash_server_is_eligible, worked out by hand); it sums to all
 * of it unless ones are given away. */
static void divided(void **state) {
  static const struct {
    uint64_t in_flight;
    int32_t ppm;
    uint32_t weight[4];
    uint64_t cap[4];
  } rows[] = {{0, 1500000, {16, 16, 16, 16}, {1, 1, 1, 1}},
              {1000, 2000000, {1, 2, 3, 4}, {200, 400, 601, 801}},
              {7, 1010000, {1, 2, 3, 4}, {1, 2, 3, 4}}};
  uint32_t w[50];
  uint64_t cap[50], seed = 1;
  (void)state;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(ttb_balancer_bounds(rows[i].in_flight, rows[i].ppm, rows[i].weight, 4, cap),
                     TTB_OK);
    for (int k = 0; k < 4; k++) assert_int_equal(cap[k], rows[i].cap[k]);
  }
  for (int round = 0; round < 200; round++) {
    uint64_t calls = 200000000 + ttb__splitmix(&seed) % 100000, sum = 0;
    for (int i = 0; i < 50; i++) w[i] = 1 + (uint32_t)(ttb__splitmix(&seed) % 65535);
    assert_int_equal(ttb_balancer_bounds(calls, 1250000, w, 50, cap), TTB_OK);
    for (int i = 0; i < 50; i++) sum += cap[i];
    assert_int_equal(sum, ((calls + 1) * 5 + 3) / 4);
  }
  assert_int_equal(ttb_balancer_bounds(0, 1009999, w, 1, cap), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_bounds(UINT64_C(1) << 28, 1250000, w, 1, cap), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_bounds(0, 1250000, NULL, 1, cap), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_bounds(0, 1250000, NULL, 0, NULL), TTB_OK);
  w[0] = 0;
  assert_int_equal(ttb_balancer_bounds(0, 1250000, w, 1, cap), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(configs),   cmocka_unit_test(one_hot_key), cmocka_unit_test(weights),
      cmocka_unit_test(gives_way), cmocka_unit_test(others),      cmocka_unit_test(tickets),
      cmocka_unit_test(divided),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
