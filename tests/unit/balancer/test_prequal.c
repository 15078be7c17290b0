/* SPDX-License-Identifier: MIT */
/* lib/balancer/prequal.c and prequal.h */
#include "helper.h"

#include "../../../lib/balancer/prequal.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)

static int32_t tell(pair *p, uint32_t slot, uint32_t rif, uint64_t latency, uint64_t now) {
  return ttb_balancer_probe_result(&p->mine, slot, rif, latency, now);
}
/* Acquires and reports at a time; the slot. */
static int32_t pick(pair *p, uint64_t now, int32_t outcome) {
  int64_t t = ttb_balancer_acquire(&p->mine, 0, now);
  if (t < 0) return (int32_t)t;
  assert_int_equal(ttb_balancer_report(&p->mine, t, outcome, MS, now), TTB_OK);
  return ttb_ticket_slot(t);
}

static void rules(void **state) {
  ttb__probe p[TTB__PROBES] = {{50, 1}, {5, 9}, {20, 2}};
  uint32_t sorted[] = {1, 2, 9};
  (void)state;
  assert_int_equal(ttb__rif_quantile(sorted, 3, 840000), 9);
  assert_int_equal(ttb__rif_quantile(sorted, 3, 500000), 2);
  assert_int_equal(ttb__rif_quantile(sorted, 3, 1), 1);
  assert_int_equal(ttb__rif_quantile(sorted, 3, 1000000), 9);
  assert_int_equal(ttb__hot_cold(p, 7, 9), 1);
  assert_int_equal(ttb__hot_cold(p, 7, 5), 2);
  assert_int_equal(ttb__hot_cold(p, 7, 0), 0);
  assert_int_equal(ttb__hot_cold(p, 6, 0), 2);
  assert_int_equal(ttb__worst_probe(p, 7, 5), 1);
  assert_int_equal(ttb__worst_probe(p, 7, 9), 0);
  assert_int_equal(ttb__probe_reuse(16, 1000, 5000000), 1000000);
  assert_int_equal(ttb__probe_reuse(16, 20, 5000000), UINT64_MAX); /* 0.2 * 5 - 1 = 0 */
  assert_int_equal(ttb__probe_reuse(16, 10, 5000000), UINT64_MAX);
  assert_int_equal(ttb__probe_reuse(16, 32, 3000000), 4000000); /* 2 / (1.5 - 1) */
}

/* 3 probes a call are due, to different endpoints, to 16; two when nothing happens. */
static void probes_due(void **state) {
  pair p = make(config_of(TTB_BALANCER_PREQUAL, 40));
  uint32_t slot[40];
  (void)state;
  assert_int_equal(ttb_balancer_probe_due(&p.mine, S, slot, 40), 0); /* nobody is there */
  fill(&p, 40, NULL);
  assert_int_equal(ttb_balancer_probe_due(&p.mine, S, slot, 40), 2);
  assert_int_equal(ttb_balancer_probe_due(&p.mine, S, slot, 40), 0);
  assert_int_equal(ttb_balancer_probe_due(&p.mine, S + 501 * MS, slot, 40), 2);
  assert_true(pick(&p, S, TTB_SUCCESS) >= 0);
  assert_int_equal(ttb_balancer_probe_due(&p.mine, S, slot, 2), 2);
  assert_int_equal(ttb_balancer_probe_due(&p.mine, S, slot, 2), 1);
  for (int i = 0; i < 40; i++) (void)pick(&p, S, TTB_SUCCESS);
  int32_t n = ttb_balancer_probe_due(&p.mine, S, slot, 40);
  assert_in_range(n, 12, 16); /* some were drawn twice */
  for (int32_t i = 0; i < n; i++)
    for (int32_t j = 0; j < i; j++) assert_int_not_equal(slot[i], slot[j]);
  for (uint32_t s = 0; s < 40; s++)
    if (s != 7) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
  for (int i = 0; i < 40; i++) (void)pick(&p, S, TTB_SUCCESS);
  n = ttb_balancer_probe_due(&p.mine, S, slot, 40);
  assert_int_equal(n, 1);
  assert_int_equal(slot[0], 7);
  drop(&p);
}

static void bad_calls(void **state) {
  pair p = make(config_of(TTB_BALANCER_PREQUAL, 4)), q = make(config_of(0, 4));
  uint32_t slot[4];
  (void)state;
  fill(&p, 2, NULL);
  assert_int_equal(ttb_balancer_probe_due(&q.mine, S, slot, 4), TTB_ERR_UNSUPPORTED);
  assert_int_equal(ttb_balancer_probe_due(&p.shared, S, slot, 4), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_probe_due(NULL, S, slot, 4), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_probe_due(&p.mine, S, NULL, 4), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_probe_due(&p.mine, S, NULL, 0), 0);
  assert_int_equal(ttb_balancer_probe_result(&q.mine, 0, 1, 1, S), TTB_ERR_UNSUPPORTED);
  assert_int_equal(ttb_balancer_probe_result(&p.shared, 0, 1, 1, S), TTB_ERR_MISUSE);
  assert_int_equal(tell(&p, 4, 1, 1, S), TTB_ERR_RANGE);
  assert_int_equal(tell(&p, 3, 1, 1, S), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(tell(&p, 1, UINT32_MAX, UINT64_MAX, S), TTB_OK);
  drop(&p);
  drop(&q);
}

static void takes_the_best_probe(void **state) {
  pair p = make(config_of(TTB_BALANCER_PREQUAL, 10));
  (void)state;
  fill(&p, 10, NULL);
  tell(&p, 1, 1, 50 * MS, S);
  tell(&p, 2, 9, 5 * MS, S);
  tell(&p, 3, 2, 20 * MS, S);
  int64_t t = ttb_balancer_acquire(&p.mine, 0, S); /* all cold: 9 is the quantile */
  assert_int_equal(ttb_ticket_slot(t), 2);
  t = ttb_balancer_acquire(&p.mine, 0, S); /* 10 is above it now; the oldest, of 1, went */
  assert_int_equal(ttb_ticket_slot(t), 3);
  assert_true(ttb_balancer_acquire(&p.mine, 0, S) >= 0);
  drop(&p);
}

/* Old probes, and those of who has gone, is marked or is another now, are not used. */
static void useless_probes(void **state) {
  pair p = make(config_of(TTB_BALANCER_PREQUAL, 8));
  uint32_t picked[8] = {0};
  (void)state;
  fill(&p, 8, NULL);
  for (uint32_t s = 0; s < 8; s++) tell(&p, s, 1, (s + 1) * MS, S);
  for (int i = 0; i < 4000; i++) picked[pick(&p, 2 * S + MS, TTB_SUCCESS)]++;
  for (uint32_t s = 0; s < 8; s++) assert_in_range(picked[s], 350, 650); /* random */
  for (uint32_t s = 0; s < 4; s++) tell(&p, s, 1, (s + 1) * MS, 3 * S);
  ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_ADMIN, 1);
  assert_int_equal(ttb_balancer_remove(&p.mine, 2), TTB_OK); /* slot 1 */
  assert_int_equal(add(&p.mine, 99, 1), 1);
  assert_int_equal(pick(&p, 3 * S, TTB_SUCCESS), 2);
  uint32_t x[] = {2};
  int64_t t = ttb_balancer_acquire_except(&p.mine, 0, x, 1, 3 * S);
  assert_int_not_equal(ttb_ticket_slot(t), 2);
  for (uint32_t s = 0; s < 8; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_ADMIN, 1);
  assert_int_equal(pick(&p, 3 * S, TTB_SUCCESS), TTB_NO_ENDPOINT);
  drop(&p);
}

/* A world of servers: latency grows with requests in flight, which answers tell. Each
 * call lasts as long as its server takes; four calls begin each ms. */
static void drive(uint32_t n, const uint64_t *base, uint32_t broken, uint32_t *picks) {
  enum { CALLS = 4096 };
  static struct {
    int64_t ticket;
    uint64_t end, start;
  } call[CALLS];
  uint32_t rif[64] = {0}, slot[16], next = 0;
  pair p = make(config_of(TTB_BALANCER_PREQUAL, n));
  fill(&p, n, NULL);
  memset(call, 0, sizeof call);
  memset(picks, 0, 4 * n);
  for (uint64_t now = S; now < 6 * S; now += MS) {
    for (uint32_t k = 0; k < CALLS; k++) {
      if (call[k].end == 0 || call[k].end > now) continue;
      uint32_t s = (uint32_t)ttb_ticket_slot(call[k].ticket);
      assert_int_equal(ttb_balancer_report(&p.mine, call[k].ticket,
                                           s == broken ? TTB_FAILURE : TTB_SUCCESS,
                                           now - call[k].start, now), TTB_OK);
      call[k].end = 0;
      rif[s]--;
    }
    for (int i = 0; i < 4; i++) {
      while (call[next % CALLS].end) next++;
      int64_t t = ttb_balancer_acquire(&p.mine, 0, now);
      uint32_t s = (uint32_t)ttb_ticket_slot(t);
      call[next % CALLS].ticket = t;
      call[next % CALLS].start = now;
      call[next % CALLS].end = now + base[s] * (4 + rif[s]) / 4;
      rif[s]++;
      picks[s]++;
      int32_t due = ttb_balancer_probe_due(&p.mine, now, slot, 16);
      for (int32_t k = 0; k < due; k++)
        tell(&p, slot[k], rif[slot[k]], base[slot[k]] * (4 + rif[slot[k]]) / 4, now);
    }
  }
  drop(&p);
}

/* Slow ones get little, and nobody attracts calls by failing at once. */
static void slow_and_broken(void **state) {
  uint64_t base[40];
  uint32_t picks[40];
  (void)state;
  for (int i = 0; i < 40; i++) base[i] = i < 10 ? 80 * MS : 20 * MS;
  drive(40, base, 99, picks);
  uint32_t slow = 0;
  for (int i = 0; i < 10; i++) slow += picks[i];
  assert_in_range(slow, 0, 20000 / 8); /* a quarter would be theirs by count */
  base[30] = MS;
  drive(40, base, 30, picks);
  assert_in_range(picks[30], 0, 20000 / 40); /* its share by count */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rules),           cmocka_unit_test(probes_due),
      cmocka_unit_test(bad_calls),       cmocka_unit_test(takes_the_best_probe),
      cmocka_unit_test(useless_probes),  cmocka_unit_test(slow_and_broken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
