/* SPDX-License-Identifier: MIT */
/* lib/balancer/slow_start.c: the curves, and what a pick makes of them. */
#include "helper.h"

#include <math.h>

#define S UINT64_C(1000000000)

static void curve(void **state) {
  (void)state;
  for (uint32_t a = 100000; a <= 10000000; a += 99000) {
    int32_t before = 0;
    for (uint64_t t = 0; t <= 60; t++) {
      int32_t ppm = ttb_balancer_slow_start(t * S, 60 * S, a, 1);
      double x = pow(t == 0 ? 0.001 / 60 : (double)t / 60, 1e6 / a) * 1e6;
      assert_true(ppm >= before && fabs(ppm - (x > 1 ? x : 1)) < 2);
      before = ppm;
    }
    assert_int_equal(before, 1000000);
  }
  assert_int_equal(ttb_balancer_slow_start(0, 0, 0, 0), 1000000);
  assert_int_equal(ttb_balancer_slow_start(0, 60 * S, 0, 0), 100000);
  assert_int_equal(ttb_balancer_slow_start(UINT64_MAX, 60 * S, 0, 0), 1000000);
  assert_int_equal(ttb_balancer_slow_start(43200 * S, 86400 * S, 0, 0), 500000);
  assert_int_equal(ttb_balancer_slow_start(0, 86401 * S, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_slow_start(0, S, 99999, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_slow_start(0, S, 10000001, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_slow_start(0, S, 0, 1000001), TTB_ERR_RANGE);
}

static void steps(void **state) {
  (void)state;
  for (uint64_t t = 0; t < 60; t++)
    assert_int_equal(ttb_balancer_slow_start_steps(t * S, 60 * S), (16 * t + 60) / 60);
  assert_int_equal(ttb_balancer_slow_start_steps(60 * S, 60 * S), 16);
  assert_int_equal(ttb_balancer_slow_start_steps(0, S / 2), 16);
  assert_int_equal(ttb_balancer_slow_start_steps(UINT64_MAX, UINT64_MAX), 16);
}

static void pick_many(pair *p, uint64_t now, uint32_t *picked, uint32_t n) {
  for (uint64_t i = 0; i < n; i++) {
    int64_t t = ttb_balancer_acquire(&p->mine, mixed(i), now);
    assert_true(t >= 0);
    picked[ttb_ticket_slot(t)]++;
    assert_int_equal(ttb_balancer_report(&p->mine, t, TTB_SUCCESS, 0, now), TTB_OK);
  }
}

/* A newcomer among three gets a tenth of a share, then half, then all of it, with
 * every algorithm that spreads; the three that began together are at full share. */
static void a_newcomer(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a) || a == TTB_BALANCER_FIRST_FIT) continue;
    ttb_balancer_config c = config_of(a, 4);
    c.slow_start_ms = 60000;
    pair p = make(c);
    uint32_t before[4] = {0}, first[4] = {0}, half[4] = {0}, all[4] = {0};
    for (uint64_t id = 1; id <= 3; id++) add(&p.mine, id, 1);
    pick_many(&p, 100 * S, before, 6000);
    for (int i = 0; i < 3; i++) assert_in_range(before[i], 1300, 2800);
    add(&p.mine, 4, 1);
    assert_int_equal(ttb_balancer_level_stats(&p.shared, NULL, 0), 17); /* only looks */
    pick_many(&p, 200 * S, first, 12000); /* here it begins */
    assert_in_range(first[3], 120, 700);  /* a tenth of 3000, of what is left to it */
    pick_many(&p, 230 * S, half, 12000);
    assert_in_range(half[3], 1000, 2400);
    pick_many(&p, 261 * S, all, 12000);
    assert_in_range(all[3], 2200, 4000);
    /* It fails and comes back: again. */
    ttb_balancer_mark(&p.shared, 3, TTB_CAUSE_PROBE, 1);
    pick_many(&p, 300 * S, before, 100);
    ttb_balancer_mark(&p.shared, 3, TTB_CAUSE_PROBE, 0);
    memset(first, 0, sizeof first);
    pick_many(&p, 301 * S, first, 12000);
    assert_in_range(first[3], 120, 700);
    drop(&p);
  }
}

/* By hash, keys go to a newcomer one after the other and never back. */
static void keys_move_once(void **state) {
  enum { KEYS = 3000 };
  static const uint32_t algorithms[] = {TTB_BALANCER_MAGLEV, TTB_BALANCER_RENDEZVOUS,
                                        TTB_BALANCER_NGINX_CONSISTENT, TTB_BALANCER_ANCHOR};
  (void)state;
  for (int k = 0; k < 4; k++) {
    ttb_balancer_config c = config_of(algorithms[k], 10);
    c.slow_start_ms = 10000;
    pair p = make(c);
    int32_t at[KEYS], came = 0;
    for (uint64_t id = 1; id <= 9; id++) add(&p.mine, id, 1);
    uint32_t some[10] = {0};
    pick_many(&p, S, some, 10);
    add(&p.mine, 10, 1);
    for (uint64_t i = 0; i < KEYS; i++)
      at[i] = ttb_ticket_slot(ttb_balancer_acquire(&p.mine, mixed(i), 50 * S));
    for (uint64_t now = 51; now <= 60; now++)
      for (uint64_t i = 0; i < KEYS; i++) {
        int32_t slot = ttb_ticket_slot(ttb_balancer_acquire(&p.mine, mixed(i), now * S));
        if (slot != at[i]) assert_int_equal(slot, 9), came++;
        at[i] = slot;
      }
    assert_in_range(came, 150, 500); /* nine tenths of a tenth */
    drop(&p);
  }
}

/* Nobody else may be picked: then the newcomer gets everything. Slow start refuses
 * nobody. */
static void alone(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a)) continue;
    ttb_balancer_config c = config_of(a, 3);
    c.slow_start_ms = 60000;
    pair p = make(c);
    add(&p.mine, 1, 1);
    assert_true(ttb_balancer_acquire(&p.mine, 1, 100 * S) >= 0);
    add(&p.mine, 2, 1);
    ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_PROBE, 1);
    uint32_t out = 0;
    for (uint64_t i = 0; i < 300; i++)
      assert_int_equal(
          ttb_ticket_slot(ttb_balancer_acquire_except(&p.mine, mixed(i), &out, 1, 200 * S)), 1);
    drop(&p);
  }
}

/* The clock goes back for good: it begins again, and is not starved for ever. */
static void another_clock(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_WEIGHTED_RANDOM, 2);
  c.slow_start_ms = 10000;
  pair p = make(c);
  uint32_t picked[2] = {0};
  (void)state;
  add(&p.mine, 1, 1);
  pick_many(&p, 1000 * S, picked, 10);
  add(&p.mine, 2, 1);
  pick_many(&p, 1100 * S, picked, 10);
  ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_ADMIN, 1); /* somebody notices */
  ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_ADMIN, 0);
  pick_many(&p, 5 * S, picked, 10);
  memset(picked, 0, sizeof picked);
  pick_many(&p, 16 * S, picked, 4000);
  assert_in_range(picked[1], 1800, 2200);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(curve),          cmocka_unit_test(steps), cmocka_unit_test(a_newcomer),
      cmocka_unit_test(keys_move_once), cmocka_unit_test(alone), cmocka_unit_test(another_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
