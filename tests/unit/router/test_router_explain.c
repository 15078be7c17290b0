/* SPDX-License-Identifier: MIT */
/* lib/router/router_explain.c: each reason, in its order. */
#include "fleet.h"

static void test_reasons(void **state) {
  (void)state;
  fleet f = fleet_plain();
  for (uint64_t id = 1; id <= 5; id++) assert_int_equal(add(&f, id), (int32_t)id - 1);
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  assert_int_equal(why(&f, NULL, 0, T0), TTB_ROUTER_NO_ROLE);
  assert_int_equal(observe(&f, 1, P, 0, 2, T0), TTB_OK);
  assert_int_equal(observe(&f, 2, R, 0, 2, T0), TTB_OK);
  assert_int_equal(observe(&f, 3, R, 60000, 2, T0), TTB_OK);
  assert_int_equal(observe_status(&f, 4, R, TTB_STATUS_DEGRADED, T0), TTB_OK);
  assert_int_equal(observe(&f, 5, P, 0, 1, T0), TTB_STALE);

  assert_int_equal(why(&f, NULL, 0, T0), TTB_ROUTER_OUTRANKED);
  assert_int_equal(why(&f, NULL, 1, T0), TTB_ROUTER_MAY_BE_PICKED);
  assert_int_equal(why(&f, NULL, 2, T0), TTB_ROUTER_LAGGING);
  assert_int_equal(why(&f, NULL, 3, T0), TTB_ROUTER_DEGRADED);
  assert_int_equal(why(&f, NULL, 4, T0), TTB_ROUTER_FENCED);
  w.mode = TTB_READ_REPLICA;
  assert_int_equal(why(&f, &w, 0, T0), TTB_ROUTER_UNWANTED);
  w.avoid = 2;
  assert_int_equal(why(&f, &w, 1, T0), TTB_ROUTER_AVOIDED);
  assert_int_equal(why(&f, &w, 3, T0), TTB_ROUTER_MAY_BE_PICKED);
  assert_int_equal(observe_status(&f, 4, R, TTB_STATUS_UNHEALTHY, T0), TTB_OK);
  assert_int_equal(why(&f, NULL, 3, T0), TTB_ROUTER_UNHEALTHY);
  assert_int_equal(why(&f, NULL, 3, T0 + 31 * S), TTB_ROUTER_EXPIRED);
  assert_int_equal(row(&f, NULL, 3, T0 + 31 * S).status, TTB_STATUS_STALE);
  fleet_end(&f);
}

static void test_sizes(void **state) {
  (void)state;
  fleet f = fleet_plain();
  ttb_router_node n[2] = {TTB_CONFIG(ttb_router_node), TTB_CONFIG(ttb_router_node)};
  for (uint64_t id = 1; id <= 3; id++) assert_int_equal(add(&f, id), (int32_t)id - 1);
  assert_int_equal(ttb_router_remove(&f.mine, 1), TTB_OK);
  assert_int_equal(ttb_router_explain(&f.shared, NULL, T0, NULL, 0), 2);
  assert_int_equal(ttb_router_explain(&f.shared, NULL, T0, n, 1), 2);
  assert_int_equal(n[0].id, 2);
  assert_int_equal(n[1].id, 0);
  assert_int_equal(ttb_router_explain(&f.shared, NULL, T0, NULL, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_explain(&f.shared, NULL, T0, n, 65), TTB_ERR_RANGE);
  n[0].struct_size = 8;
  assert_int_equal(ttb_router_explain(&f.shared, NULL, T0, n, 1), TTB_ERR_RANGE);
  ttb_router_stats s = {0};
  assert_int_equal(ttb_router_statistics(&f.shared, &s), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_statistics(&f.shared, NULL), TTB_ERR_MISUSE);
  fleet_end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reasons),
      cmocka_unit_test(test_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
