/* SPDX-License-Identifier: MIT */
/* lib/balancer/peak_ewma.c and peak_ewma.h */
#include "helper.h"

#include <math.h>

#include "../../../lib/balancer/peak_ewma.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)

static uint64_t inverse_of(uint32_t tau_ms) {
  return ttb__half_life(ttb__cost_half_life(tau_ms));
}

static double ns_of(uint64_t word) { return (double)(ttb__cost_of(word) << TTB__COST_UNIT); }

/* Against the formula, in doubles, over a random history. */
static void is_the_formula(void **state) {
  uint64_t inverse = inverse_of(10000), word = 0, now = 5 * S, r = 1, at = 0;
  double cost = 0;
  (void)state;
  for (int i = 0; i < 20000; i++) {
    uint64_t latency = MS / 2 + (r = r * UINT64_C(6364136223846793005) + 1) % (50 * MS);
    now += (r >> 33) % (500 * MS);
    double w = exp(-(double)(now - at) / 10e9);
    cost = cost == 0 || (double)latency > cost ? (double)latency
                                               : cost * w + (double)latency * (1 - w);
    at = now;
    word = ttb__cost_after(word, inverse, now, latency, false);
    assert_true(fabs(ns_of(word) - cost) < cost * 2e-3);
    double later = cost * exp(-0.5);
    assert_true(fabs((double)ttb__cost_read(word, inverse, now + 5 * S) * 32 - later) < later * 2e-3);
  }
}

/* The decay of small costs by many samples is not held up by rounding. */
static void rounding_does_not_hold(void **state) {
  uint64_t inverse = inverse_of(10000), word = 0, now = S;
  (void)state;
  word = ttb__cost_after(word, inverse, now, 100000, false);
  for (int i = 0; i < 20000; i++) word = ttb__cost_after(word, inverse, now += MS, 50000, false);
  /* 50 + 50 e^-2 = 56.77 us */
  assert_true(fabs(ns_of(word) - 56767) < 600);
}

static void failures_double(void **state) {
  uint64_t inverse = inverse_of(10000), word = 0, now = 7 * S;
  (void)state;
  word = ttb__cost_after(word, inverse, now, 20 * MS, false);
  uint64_t base = ttb__cost_read(word, inverse, now);
  for (uint32_t k = 1; k <= 6; k++) {
    word = ttb__cost_after(word, inverse, now, MS / 10, true);
    assert_int_equal(ttb__cost_read(word, inverse, now), base << k);
  }
  for (uint32_t k = 6; k-- > 0;) {
    word = ttb__cost_after(word, inverse, now, MS, false);
    assert_int_equal(ttb__cost_read(word, inverse, now), base << k);
  }
  for (int k = 0; k < 100; k++) word = ttb__cost_after(word, inverse, now, MS, true);
  assert_int_equal(ttb__cost_read(word, inverse, now), UINT32_MAX); /* 137 s, no more */
  assert_true(ttb__cost_read(word, inverse, now + 60 * S) < base); /* tried again */
  word = ttb__cost_after(0, inverse, now, 1, true); /* unknown, and fails at once */
  assert_int_equal(ttb__cost_read(word, inverse, now), 2 * (MS >> TTB__COST_READ));
}

/* A thread whose clock is late neither decays nor revives. */
static void clocks_differ(void **state) {
  uint64_t inverse = inverse_of(10000);
  uint64_t word = ttb__cost_after(0, inverse, 100 * S, 20 * MS, false);
  (void)state;
  assert_int_equal(ttb__cost_read(word, inverse, 99 * S), 20 * MS >> TTB__COST_READ);
  assert_int_equal(ttb__cost_after(word, inverse, 99 * S, MS, false), word);
  assert_int_equal(ttb__cost_read(0, inverse, 5), 0);
  /* the longest and the shortest */
  word = ttb__cost_after(0, inverse, 0, UINT64_MAX, false);
  assert_int_equal(ttb__cost_read(word, inverse, 0), UINT32_MAX);
  word = ttb__cost_after(0, inverse, 0, 0, false);
  assert_int_equal(ttb__cost_read(word, inverse, 100 * S), 1);
  assert_true(ttb__cost_read(UINT64_MAX, inverse, 0) <= UINT32_MAX); /* a neighbour's */
}

/* Calls one after the other, 4 at a time, on 10 endpoints; endpoint i answers after
 * latency[i], with failures where told. Picks of each. */
static void drive(const uint64_t *latency, const bool *fails, uint32_t *picks) {
  enum { N = 10, AT_ONCE = 4 };
  struct {
    int64_t ticket;
    uint64_t start, end;
  } call[AT_ONCE] = {{0, 0, 0}};
  pair p = make(config_of(TTB_BALANCER_PEAK_EWMA, N));
  fill(&p, N, NULL);
  memset(picks, 0, 4 * N);
  for (uint64_t now = S; now < 120 * S; now += MS / 2)
    for (int k = 0; k < AT_ONCE; k++) {
      if (call[k].end > now) continue;
      if (call[k].end) {
        int32_t slot = ttb_ticket_slot(call[k].ticket);
        assert_int_equal(ttb_balancer_report(&p.mine, call[k].ticket,
                                             fails[slot] ? TTB_FAILURE : TTB_SUCCESS,
                                             now - call[k].start, now), TTB_OK);
      }
      call[k].ticket = ttb_balancer_acquire(&p.mine, 0, now);
      int32_t slot = ttb_ticket_slot(call[k].ticket);
      picks[slot]++;
      call[k].start = now;
      call[k].end = now + latency[slot];
    }
  drop(&p);
}

static uint32_t sum_of(const uint32_t *picks) {
  uint32_t sum = 0;
  for (int i = 0; i < 10; i++) sum += picks[i];
  return sum;
}

/* A black hole that answers with errors in 1 ms among endpoints of 20 ms. */
static void a_black_hole_attracts_nothing(void **state) {
  uint64_t latency[10];
  bool fails[10] = {false};
  uint32_t picks[10];
  (void)state;
  for (int i = 0; i < 10; i++) latency[i] = 20 * MS;
  latency[3] = MS;
  drive(latency, fails, picks);
  assert_true(picks[3] > sum_of(picks) / 6); /* taken nearly whenever drawn, 1 in 5 */
  fails[3] = true;
  drive(latency, fails, picks);
  assert_in_range(picks[3], 1, sum_of(picks) / 100); /* a tenth would be fair */
}

static void the_slow_one_gets_less(void **state) {
  uint64_t latency[10];
  bool fails[10] = {false};
  uint32_t picks[10];
  (void)state;
  for (int i = 0; i < 10; i++) latency[i] = 20 * MS;
  latency[7] = 200 * MS;
  drive(latency, fails, picks);
  assert_in_range(picks[7], 1, sum_of(picks) / 100);
}

/* Ignored and cancelled calls say nothing; a newcomer in a used slot is unknown. */
static void what_counts(void **state) {
  pair p = make(config_of(TTB_BALANCER_PEAK_EWMA, 2));
  (void)state;
  fill(&p, 2, NULL);
  for (int k = 0; k < 50; k++) {
    int64_t t = ttb_balancer_acquire(&p.mine, 0, S);
    uint64_t latency = ttb_ticket_slot(t) ? 10 * MS : MS;
    ttb_balancer_report(&p.mine, t, TTB_SUCCESS, latency, S);
  }
  for (int k = 0; k < 50; k++) { /* 0 is quicker, whatever these say */
    int64_t t = ttb_balancer_acquire(&p.mine, 0, S);
    assert_int_equal(ttb_ticket_slot(t), 0);
    ttb_balancer_report(&p.mine, t, k % 2 ? TTB_IGNORED : TTB_CANCELLED, S, S);
  }
  assert_int_equal(ttb_balancer_remove(&p.mine, 1), TTB_OK);
  assert_int_equal(add(&p.mine, 9, 1), 0);
  for (int k = 0; k < 3; k++) { /* idle and unknown: taken at once; then not before it answers */
    int64_t t = ttb_balancer_acquire(&p.mine, 0, S);
    assert_int_equal(ttb_ticket_slot(t), k == 0 ? 0 : 1);
  }
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_the_formula),
      cmocka_unit_test(rounding_does_not_hold),
      cmocka_unit_test(failures_double),
      cmocka_unit_test(clocks_differ),
      cmocka_unit_test(a_black_hole_attracts_nothing),
      cmocka_unit_test(the_slow_one_gets_less),
      cmocka_unit_test(what_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
