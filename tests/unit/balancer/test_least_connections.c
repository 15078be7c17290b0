/* SPDX-License-Identifier: MIT */
/* lib/balancer/least_connections.c */
#include "helper.h"

#include "../../../lib/base/random.h"

/* Always a minimum of in flight / weight, whatever has gone before. */
static void is_a_minimum(void **state) {
  pair p = make(config_of(TTB_BALANCER_LEAST_CONNECTIONS, 12));
  uint32_t w[12];
  uint64_t r = 3, load[12] = {0};
  int64_t out[64];
  uint32_t held = 0;
  (void)state;
  for (int i = 0; i < 12; i++) w[i] = 1 + (uint32_t)(ttb__splitmix(&r) % 9);
  fill(&p, 12, w);
  for (int i = 0; i < 5000; i++) {
    if (held == 64 || (held > 0 && ttb__splitmix(&r) % 2)) {
      uint32_t k = (uint32_t)(ttb__splitmix(&r) % held);
      load[ttb_ticket_slot(out[k])]--;
      assert_int_equal(report(&p, out[k]), TTB_OK);
      out[k] = out[--held];
      continue;
    }
    int64_t t = acquire(&p);
    int32_t s = ttb_ticket_slot(t);
    for (int k = 0; k < 12; k++) assert_true(load[s] * w[k] <= load[k] * w[s]);
    load[s]++;
    out[held++] = t;
  }
  drop(&p);
}

/* Ties: by weight, uniform among equals. 5 sigma. */
static void ties(void **state) {
  pair p = make(config_of(TTB_BALANCER_LEAST_CONNECTIONS, 4));
  uint32_t w[] = {1, 2, 3, 4}, picks[4] = {0};
  (void)state;
  fill(&p, 4, w);
  for (int i = 0; i < 100000; i++) picks[turn(&p)]++;
  for (uint32_t i = 0; i < 4; i++)
    assert_in_range(picks[i], 10000 * w[i] - 780, 10000 * w[i] + 780);
  drop(&p);
}

/* Many, so that groups are looked at: idle ones by weight. 5 sigma. */
static void idle_by_weight(void **state) {
  enum { N = 200, PICKS = 100000 };
  pair p = make(config_of(TTB_BALANCER_LEAST_CONNECTIONS, N));
  uint32_t w[N], picks[N] = {0}, sum = 0;
  (void)state;
  for (uint32_t i = 0; i < N; i++) sum += w[i] = 1 + i % 4;
  fill(&p, N, w);
  for (int i = 0; i < PICKS; i++) picks[turn(&p)]++;
  for (uint32_t i = 0; i < N; i++) {
    uint32_t fair = PICKS * w[i] / sum;
    assert_in_range(picks[i], fair - 6 * 32 * w[i] / 4, fair + 6 * 32);
  }
  drop(&p);
}

/* All with one call out, then one of them without: it is found at once, whoever
 * reported, also after a leave has taken back a thread's calls. */
static void the_only_idle_one(void **state) {
  enum { N = 500 };
  ttb_balancer_config c = config_of(TTB_BALANCER_LEAST_CONNECTIONS, N);
  pair p = make(c);
  ttb_balancer other;
  int64_t t[N];
  (void)state;
  assert_int_equal(ttb_balancer_join(&p.shared, 2, &other), TTB_OK);
  fill(&p, N, NULL);
  for (int i = 0; i < N; i++) t[i] = ttb_balancer_acquire(i % 2 ? &other : &p.mine, 0, 0);
  for (uint32_t s = 0; s < N; s++) assert_int_equal(info_of(&p.shared, s).in_flight, 1);
  for (int i = 0; i < N; i += 7) {
    int32_t slot = ttb_ticket_slot(t[i]);
    assert_int_equal(ttb_balancer_report(i % 2 ? &other : &p.mine, t[i], TTB_FAILURE, 0, 0), TTB_OK);
    int64_t next = ttb_balancer_acquire(&p.mine, 0, 0);
    assert_int_equal(ttb_ticket_slot(next), slot);
    if (i % 2) continue;
    t[i] = next;
  }
  ttb_balancer_free(&other);
  uint32_t idle = 0, second = 0;
  for (uint32_t s = 0; s < N; s++) idle += info_of(&p.shared, s).in_flight == 0;
  assert_true(idle > 100);
  for (uint32_t i = 0; i < idle; i++) assert_int_equal(info_of(&p.shared, (uint32_t)ttb_ticket_slot(acquire(&p))).in_flight, 1);
  for (uint32_t s = 0; s < N; s++) second += info_of(&p.shared, s).in_flight != 1;
  assert_int_equal(second, 0);
  drop(&p);
}

/* Who comes back, comes or gets more weight is seen at once. */
static void changes_are_seen(void **state) {
  enum { N = 100 };
  pair p = make(config_of(TTB_BALANCER_LEAST_CONNECTIONS, N + 1));
  (void)state;
  fill(&p, N, NULL);
  for (uint32_t i = 0; i < N; i += 2) ttb_balancer_mark(&p.shared, i, TTB_CAUSE_PROBE, 1);
  for (uint32_t i = 0; i < 3 * N / 2; i++) assert_true(ttb_ticket_slot(acquire(&p)) % 2 == 1);
  ttb_balancer_mark(&p.shared, 30, TTB_CAUSE_PROBE, 0);
  for (int i = 0; i < 3; i++) assert_int_equal(ttb_ticket_slot(acquire(&p)), 30);
  assert_int_equal(add(&p.mine, 4711, 1), N);
  for (int i = 0; i < 3; i++) assert_int_equal(ttb_ticket_slot(acquire(&p)), N);
  assert_int_equal(ttb_balancer_set_weight(&p.mine, 4711, 2), TTB_OK);
  for (int i = 0; i < 3; i++) assert_int_equal(ttb_ticket_slot(acquire(&p)), N);
  drop(&p);
}

/* Envoy's bias: the least (in flight + 1)^bias / weight. */
static void bias(void **state) {
  static const int32_t ppm[] = {1000000, 500000, 2000000};
  (void)state;
  for (int k = 0; k < 3; k++) {
    ttb_balancer_config c = config_of(TTB_BALANCER_LEAST_CONNECTIONS, 2);
    uint32_t w[] = {1, 4}, load[2] = {0};
    c.bias_ppm = ppm[k];
    pair p = make(c);
    fill(&p, 2, w);
    for (int i = 0; i < 600; i++) load[ttb_ticket_slot(acquire(&p))]++;
    /* bias 1: 1 to 4; 1/2: 1 to 16; 2: 1 to 2; also beyond the table of powers */
    uint32_t one = k == 0 ? 120 : k == 1 ? 35 : 200;
    assert_in_range(load[0], one - 1, one + 1);
    drop(&p);
  }
}

/* Above `exact` so many are drawn, all different: of 20, 10 of which are busy, two
 * drawn are both busy in 9 of 38 picks; ten drawn in next to none. */
static void choices(void **state) {
  static const uint32_t n[] = {2, 10};
  (void)state;
  for (int k = 0; k < 2; k++) {
    ttb_balancer_config c = config_of(TTB_BALANCER_LEAST_CONNECTIONS, 20);
    c.exact = 1;
    c.choices = n[k];
    pair p = make(c);
    uint32_t busy = 0;
    fill(&p, 20, NULL);
    for (uint32_t s = 10; s < 20; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
    for (int i = 0; i < 100; i++) assert_in_range(ttb_ticket_slot(acquire(&p)), 0, 9);
    for (uint32_t s = 10; s < 20; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 0);
    for (int i = 0; i < 38000; i++) busy += turn(&p) < 10;
    assert_in_range(busy, k ? 0 : 8600, k ? 5 : 9400);
    drop(&p);
  }
}

static void all_threads_count(void **state) {
  pair p = make(config_of(TTB_BALANCER_LEAST_CONNECTIONS, 3));
  ttb_balancer other;
  (void)state;
  assert_int_equal(ttb_balancer_join(&p.shared, 2, &other), TTB_OK);
  fill(&p, 3, NULL);
  uint32_t seen = 0;
  seen |= 1u << ttb_ticket_slot(acquire(&p));
  seen |= 1u << ttb_ticket_slot(ttb_balancer_acquire(&other, 0, 0));
  seen |= 1u << ttb_ticket_slot(acquire(&p));
  assert_int_equal(seen, 7);
  ttb_balancer_free(&other);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_a_minimum),
      cmocka_unit_test(ties),
      cmocka_unit_test(all_threads_count),
      cmocka_unit_test(idle_by_weight),
      cmocka_unit_test(the_only_idle_one),
      cmocka_unit_test(changes_are_seen),
      cmocka_unit_test(bias),
      cmocka_unit_test(choices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
