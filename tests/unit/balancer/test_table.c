/* SPDX-License-Identifier: MIT */
/* lib/balancer/table.c: the index of ids, the view of the table, division. */
#include "helper.h"

#include "../../../lib/balancer/balancer.h"

static void division(void **state) {
  static const uint32_t d[] = {1, 2, 3, 7, 64, 65537, 5000011, UINT32_MAX};
  static const uint64_t n[] = {0, 1, 2, 6, 7, 63, 64, 65536, 65537, UINT32_MAX,
                               UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63};
  (void)state;
  for (size_t i = 0; i < sizeof d / sizeof *d; i++) {
    uint64_t inverse = ttb__mod_inverse(d[i]), x = 1;
    for (size_t k = 0; k < sizeof n / sizeof *n; k++)
      assert_int_equal(ttb__mod(n[k], d[i], inverse), n[k] % d[i]);
    for (int k = 0; k < 10000; k++) {
      uint64_t r = ttb__splitmix(&x);
      assert_int_equal(ttb__mod(r, d[i], inverse), r % d[i]);
      assert_int_equal(ttb__mod(r - r % d[i], d[i], inverse), 0);
      assert_int_equal(ttb__mod(r - r % d[i] - 1, d[i], inverse), (r - r % d[i] - 1) % d[i]);
    }
  }
}

/* Thousands come and go: every id present is found, no other. */
static void churn(void **state) {
  static const uint32_t capacities[] = {1, 2, 3, 5, 100};
  (void)state;
  for (size_t k = 0; k < 5; k++) {
    pair p = make(config_of(0, capacities[k]));
    ttb__balancer *b = ttb__balancer_of(&p.shared);
    uint64_t x = 1, live[100] = {0};
    for (int i = 0; i < 3000; i++) {
      uint32_t at = (uint32_t)(ttb__splitmix(&x) % capacities[k]);
      if (live[at]) assert_int_equal(ttb_balancer_remove(&p.mine, live[at]), TTB_OK);
      assert_int_equal(ttb_balancer_find(&p.shared, live[at] | 1), TTB_ERR_UNKNOWN_ID);
      live[at] = ttb__splitmix(&x) & ~UINT64_C(1);
      int32_t slot = add(&p.mine, live[at], 1);
      assert_in_range(slot, 0, capacities[k] - 1);
      for (uint32_t j = 0; j < capacities[k]; j++)
        if (live[j]) {
          int32_t found = ttb__balancer_lookup(b, live[j]);
          assert_in_range(found, 0, capacities[k] - 1);
          assert_int_equal(info_of(&p.shared, (uint32_t)found).id, live[j]);
        }
    }
    drop(&p);
  }
}

/* A reader that meets an index being made anew looks at the endpoints. */
static void find_without_index(void **state) {
  pair p = make(config_of(0, 10));
  ttb__balancer *b = ttb__balancer_of(&p.shared);
  (void)state;
  fill(&p, 10, NULL);
  memset(ttb__balancer_part(b, b->index_at), 0, 4 * ((size_t)b->index_mask + 1));
  assert_int_equal(ttb__balancer_lookup(b, 8), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_balancer_find(&p.shared, 8), 7);
  assert_int_equal(ttb_balancer_find(&p.shared, 11), TTB_ERR_UNKNOWN_ID);
  drop(&p);
}

/* A handle learns of new tables by itself. */
static void views_follow(void **state) {
  pair p = make(config_of(TTB_BALANCER_ROUND_ROBIN, 10));
  ttb_balancer other;
  (void)state;
  assert_int_equal(ttb_balancer_join(&p.shared, 2, &other), TTB_OK);
  for (uint32_t n = 1; n <= 10; n++) {
    add(&p.mine, n, 1);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < n; i++)
      seen |= 1u << ttb_ticket_slot(ttb_balancer_acquire(&other, 0, 0));
    assert_int_equal(seen, (1u << n) - 1);
  }
  assert_int_equal(stats_of(&p.shared).rebuilds, 10);
  assert_int_equal(stats_of(&p.shared).table_length, 10);
  ttb_balancer_free(&other);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(division),
      cmocka_unit_test(churn),
      cmocka_unit_test(find_without_index),
      cmocka_unit_test(views_follow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
