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
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
