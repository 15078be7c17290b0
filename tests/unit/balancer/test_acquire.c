/* SPDX-License-Identifier: MIT */
/* lib/balancer/acquire.c and tickets.h: tickets and counts. */
#include "helper.h"

#include "../../../lib/base/ticket.h"

static pair tracked(uint32_t flags, uint32_t n) {
  ttb_balancer_config c = config_of(TTB_BALANCER_ROUND_ROBIN, 8);
  c.flags = TTB_BALANCER_TRACK | flags;
  c.lease = 1;
  pair p = make(c);
  fill(&p, n, NULL);
  return p;
}

static void counts_come_and_go(void **state) {
  static const uint32_t flags[] = {0, TTB_BALANCER_MOVING_TICKETS, TTB_BALANCER_CHECK_TICKETS,
                                   TTB_BALANCER_MOVING_TICKETS | TTB_BALANCER_CHECK_TICKETS};
  (void)state;
  for (int k = 0; k < 4; k++) {
    pair p = tracked(flags[k], 2);
    int64_t t[5];
    for (int i = 0; i < 5; i++) t[i] = acquire(&p);
    assert_int_equal(info_of(&p.shared, 0).in_flight, 3);
    assert_int_equal(info_of(&p.shared, 1).in_flight, 2);
    assert_int_equal(stats_of(&p.shared).in_flight, 5);
    for (int i = 0; i < 5; i++) assert_int_equal(report(&p, t[i]), TTB_OK);
    assert_int_equal(stats_of(&p.shared).in_flight, 0);
    for (int i = 0; i < 5; i++) assert_int_equal(report(&p, t[i]), TTB_STALE);
    assert_int_equal(stats_of(&p.shared).in_flight, 0);
    assert_int_equal(stats_of(&p.shared).stale, 5);
    drop(&p);
  }
}

static void no_endpoint(void **state) {
  pair p = tracked(0, 0);
  uint32_t x[] = {0};
  (void)state;
  assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  assert_int_equal(ttb_balancer_acquire_except(&p.mine, 0, x, 1, 0), TTB_NO_ENDPOINT);
  assert_int_equal(ttb_balancer_next(&p.mine, -1, 0, 0, 0, 0), TTB_NO_ENDPOINT);
  add(&p.mine, 1, 1);
  assert_int_equal(ttb_balancer_acquire_except(&p.mine, 0, x, 1, 0), TTB_ALL_EXCLUDED);
  assert_int_equal(ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_ADMIN, 1), 1);
  assert_int_equal(ttb_balancer_acquire_except(&p.mine, 0, x, 1, 0), TTB_NO_ENDPOINT);
  assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  drop(&p);
}

static void exclusion(void **state) {
  (void)state;
  for (uint32_t algorithm = 1; algorithm <= 5; algorithm++) {
    pair p = make(config_of(algorithm, 8));
    uint32_t x[] = {0, 2, 3, 99, UINT32_MAX, 2};
    fill(&p, 5, NULL);
    for (uint64_t i = 0; i < 200; i++) {
      int32_t slot = ttb_ticket_slot(ttb_balancer_acquire_except(&p.mine, i, x, 6, 0));
      assert_true(slot == 1 || slot == 4);
    }
    assert_int_equal(ttb_ticket_slot(ttb_balancer_acquire_except(&p.mine, 7, NULL, 0, 0)) >= 0, 1);
    assert_int_equal(ttb_balancer_acquire_except(&p.mine, 7, NULL, 1, 0), TTB_ERR_MISUSE);
    drop(&p);
  }
}

/* Where calls go if those of one endpoint end so: a hash. */
static uint64_t picks_after(uint32_t algorithm, int32_t outcome) {
  pair p = make(config_of(algorithm, 5));
  fill(&p, 5, NULL);
  uint64_t hash = 0, now = 1000000000;
  for (int i = 0; i < 2000; i++, now += 1000000) {
    int64_t t = ttb_balancer_acquire(&p.mine, 0, now);
    int32_t slot = ttb_ticket_slot(t), how = slot == 2 ? outcome : TTB_SUCCESS;
    hash = hash * 31 + (uint64_t)slot;
    assert_int_equal(ttb_balancer_report(&p.mine, t, how, 5000000, now + 500000), TTB_OK);
  }
  drop(&p);
  return hash;
}

/* Nobody but a breaker tells a slow failure from another. */
static void slow_failures(void **state) {
  (void)state;
  uint64_t bad = picks_after(TTB_BALANCER_PEAK_EWMA, TTB_FAILURE);
  assert_true(picks_after(TTB_BALANCER_PEAK_EWMA, TTB_SLOW_FAILURE) == bad);
  assert_true(picks_after(TTB_BALANCER_PEAK_EWMA, TTB_SUCCESS) != bad);
  assert_true(picks_after(TTB_BALANCER_ROUND_ROBIN, TTB_SLOW_FAILURE) ==
              picks_after(TTB_BALANCER_ROUND_ROBIN, TTB_SUCCESS));
}

static void bad_reports(void **state) {
  pair p = tracked(0, 2);
  (void)state;
  int64_t t = acquire(&p);
  assert_int_equal(ttb_balancer_report(&p.mine, -5, 0, 0, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_report(&p.mine, t, -1, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_report(&p.mine, t, 6, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_report(&p.mine, t | 1000, 0, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_report(&p.shared, t, 0, 0, 0), TTB_ERR_MISUSE);
  /* another row, another incarnation, another generation */
  ttb__ticket k = ttb__ticket_unpack(t);
  assert_int_equal(report(&p, ttb__ticket_pack(k.slot, k.gen, k.row + 1, k.permit)), TTB_STALE);
  assert_int_equal(report(&p, ttb__ticket_pack(k.slot, k.gen, k.row, k.permit + 1)), TTB_STALE);
  assert_int_equal(report(&p, ttb__ticket_pack(k.slot, k.gen + 1, k.row, k.permit)), TTB_STALE);
  assert_int_equal(stats_of(&p.shared).in_flight, 1);
  assert_int_equal(report(&p, t), TTB_OK);
  drop(&p);
}

/* Tickets of one thread are nothing to another, unless they move. */
static void moving(void **state) {
  (void)state;
  for (int k = 0; k < 3; k++) {
    pair p = tracked(k ? TTB_BALANCER_MOVING_TICKETS : 0, 1);
    ttb_balancer other;
    assert_int_equal(ttb_balancer_join(&p.shared, k == 2 ? 2 : 1, &other), TTB_OK);
    int64_t t = acquire(&p);
    int32_t code = ttb_balancer_report(&other, t, TTB_SUCCESS, 0, 0);
    assert_int_equal(code, k == 1 ? TTB_OK : TTB_STALE); /* k = 2: another process */
    assert_int_equal(stats_of(&p.shared).in_flight, k == 1 ? 0 : 1);
    assert_int_equal(report(&p, t), k == 1 ? TTB_STALE : TTB_OK);
    ttb_balancer_free(&other);
    drop(&p);
  }
}

/* A double report beside another ticket on the same endpoint: the documented
 * limit without the option, and its end with it. */
static void double_report(void **state) {
  (void)state;
  for (int checked = 0; checked < 2; checked++) {
    pair p = tracked(checked ? TTB_BALANCER_CHECK_TICKETS : 0, 1);
    int64_t a = acquire(&p), b = acquire(&p);
    assert_int_equal(report(&p, a), TTB_OK);
    assert_int_equal(report(&p, a), checked ? TTB_STALE : TTB_OK);
    assert_int_equal(report(&p, b), checked ? TTB_OK : TTB_STALE);
    assert_int_equal(stats_of(&p.shared).in_flight, 0);
    drop(&p);
  }
}

static void ticket_table_full(void **state) {
  ttb_balancer_config c = config_of(0, 4);
  c.flags = TTB_BALANCER_CHECK_TICKETS;
  c.tickets = 16;
  pair p = make(c);
  int64_t t[16];
  (void)state;
  fill(&p, 4, NULL);
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < 16; i++) assert_true((t[i] = acquire(&p)) >= 0);
    assert_int_equal(acquire(&p), TTB_LIMIT);
    assert_int_equal(stats_of(&p.shared).in_flight, 16);
    for (int i = 15; i >= 0; i--) assert_int_equal(report(&p, t[i]), TTB_OK);
    for (int i = 0; i < 16; i++) assert_int_equal(report(&p, t[i]), TTB_STALE);
  }
  drop(&p);
}

/* A ticket of an endpoint that left is reported as ever; when another lives in
 * its slot it is stale. The slot is not given away before. */
static void slot_reuse(void **state) {
  static const uint32_t flags[] = {0, TTB_BALANCER_CHECK_TICKETS, TTB_BALANCER_MOVING_TICKETS};
  (void)state;
  for (int k = 0; k < 3; k++) {
    pair p = tracked(flags[k], 1);
    int64_t a = acquire(&p), b = acquire(&p);
    assert_int_equal(ttb_balancer_remove(&p.mine, 1), TTB_OK);
    assert_int_equal(add(&p.mine, 2, 1), 1); /* slot 0 has calls in flight */
    assert_int_equal(report(&p, a), TTB_OK);
    assert_int_equal(add(&p.mine, 3, 1), 2);
    assert_int_equal(report(&p, b), TTB_OK);
    assert_int_equal(add(&p.mine, 4, 1), 0);
    assert_int_equal(info_of(&p.shared, 0).generation, 2);
    assert_int_equal(report(&p, b), TTB_STALE);
    int64_t c = acquire(&p);
    while (ttb_ticket_slot(c) != 0) c = acquire(&p);
    assert_int_equal(report(&p, b), TTB_STALE); /* and takes nothing from c */
    assert_int_equal(report(&p, c), TTB_OK);
    drop(&p);
  }
}

/* Without counts a report of a reused slot is seen by the generation. */
static void untracked(void **state) {
  pair p = make(config_of(TTB_BALANCER_ROUND_ROBIN, 2));
  (void)state;
  add(&p.mine, 1, 1);
  int64_t t = acquire(&p);
  assert_int_equal(report(&p, t), TTB_OK);
  assert_int_equal(info_of(&p.shared, 0).in_flight, 0);
  ttb_balancer_remove(&p.mine, 1);
  add(&p.mine, 2, 1);
  assert_int_equal(report(&p, t), TTB_STALE);
  drop(&p);
}

static void batches(void **state) {
  pair p = tracked(0, 3);
  int64_t t[7];
  int32_t codes[7];
  (void)state;
  assert_int_equal(ttb_balancer_acquire_n(&p.mine, NULL, 6, 0, t), 6);
  for (int i = 0; i < 6; i++) assert_int_equal(ttb_ticket_slot(t[i]), i % 3);
  t[6] = TTB_NO_ENDPOINT;
  assert_int_equal(ttb_balancer_report_n(&p.mine, t, NULL, NULL, 7, 0, codes), 6);
  assert_int_equal(codes[5], TTB_OK);
  assert_int_equal(codes[6], TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_acquire_n(&p.mine, NULL, 1, 0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_acquire_n(&p.mine, NULL, UINT32_MAX, 0, t), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_acquire_n(&p.mine, NULL, 0, 0, NULL), 0);
  assert_int_equal(ttb_balancer_report_n(&p.mine, NULL, NULL, NULL, 1, 0, NULL), TTB_ERR_MISUSE);
  drop(&p);
}

/* A batch counts its own picks: 64 of two choices over 8 do not herd. */
static void batch_does_not_herd(void **state) {
  pair p = make(config_of(TTB_BALANCER_LEAST_CONNECTIONS, 8));
  int64_t t[64];
  (void)state;
  fill(&p, 8, NULL);
  assert_int_equal(ttb_balancer_acquire_n(&p.mine, NULL, 64, 0, t), 64);
  for (uint32_t s = 0; s < 8; s++) assert_int_equal(info_of(&p.shared, s).in_flight, 8);
  drop(&p);
}

static void fused(void **state) {
  pair p = tracked(0, 2);
  int64_t t = -1;
  (void)state;
  for (int i = 0; i < 100; i++) {
    t = ttb_balancer_next(&p.mine, t, TTB_SUCCESS, 5, 0, 0);
    assert_int_equal(ttb_ticket_slot(t), i % 2);
    assert_int_equal(stats_of(&p.shared).in_flight, 1);
  }
  drop(&p);
}

/* 2^20 tickets never reported: the cell starts anew, its neighbours are whole. */
static void a_cell_that_overflows(void **state) {
  pair p = tracked(0, 1);
  ttb_balancer other;
  (void)state;
  assert_int_equal(ttb_balancer_join(&p.shared, 1, &other), TTB_OK);
  int64_t t = ttb_balancer_acquire(&other, 0, 0);
  for (uint32_t i = 0; i < (1u << 20) + 5; i++) assert_true(acquire(&p) >= 0);
  assert_in_range(info_of(&p.shared, 0).in_flight, 1, 8);
  assert_int_equal(info_of(&p.shared, 0).generation, 1);
  assert_int_equal(ttb_balancer_report(&other, t, 0, 0, 0), TTB_OK);
  ttb_balancer_free(&other);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_come_and_go), cmocka_unit_test(no_endpoint),
      cmocka_unit_test(exclusion),          cmocka_unit_test(bad_reports),
      cmocka_unit_test(slow_failures),
      cmocka_unit_test(moving),             cmocka_unit_test(double_report),
      cmocka_unit_test(ticket_table_full),  cmocka_unit_test(slot_reuse),
      cmocka_unit_test(untracked),          cmocka_unit_test(batches),
      cmocka_unit_test(batch_does_not_herd), cmocka_unit_test(fused),
      cmocka_unit_test(a_cell_that_overflows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
