/* SPDX-License-Identifier: MIT */
/* lib/router/router_nodes.c: nodes come and go. */
#include "fleet.h"

static void test_add_remove(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.capacity = 3;
  fleet f = fleet_of(&c);
  ttb_endpoint bad = {sizeof bad, 65536, 1};
  assert_int_equal(ttb_router_add(&f.mine, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_add(&f.mine, &bad), TTB_ERR_RANGE);
  assert_int_equal(add(&f, 0), TTB_ERR_RANGE);
  assert_int_equal(add(&f, 11), 0);
  assert_int_equal(add(&f, UINT64_MAX), 1);
  assert_int_equal(add(&f, 11), TTB_ERR_DUPLICATE);
  assert_int_equal(add(&f, 13), 2);
  assert_int_equal(add(&f, 14), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_router_find(&f.shared, UINT64_MAX), 1);
  assert_int_equal(ttb_router_remove(&f.mine, 12), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_router_remove(&f.mine, 11), TTB_OK);
  assert_int_equal(ttb_router_remove(&f.mine, 11), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_router_find(&f.shared, 11), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(stats(&f).nodes, 2);
  assert_int_equal(add(&f, 14), 0);
  fleet_end(&f);
}

/* A slot is used again only when nothing is in flight on it. */
static void test_reuse(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.capacity = 1;
  fleet f = fleet_of(&c);
  assert_int_equal(add(&f, 1), 0);
  assert_int_equal(observe(&f, 1, P, 0, 5, T0), TTB_OK);
  int64_t a = ttb_router_write(&f.mine, T0), b = ttb_router_write(&f.mine, T0);
  assert_true(a >= 0 && b >= 0);
  assert_int_equal(ttb_router_remove(&f.mine, 1), TTB_OK);
  assert_int_equal(ttb_router_write(&f.mine, T0), TTB_NO_PRIMARY);
  assert_int_equal(observe(&f, 1, P, 0, 5, T0), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(add(&f, 2), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_router_report(&f.mine, a, TTB_SUCCESS, 0, T0), TTB_OK);
  assert_int_equal(add(&f, 2), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_router_report(&f.mine, b, TTB_SUCCESS, 0, T0), TTB_OK);
  assert_int_equal(add(&f, 2), 0);
  /* It is a new node: nothing of the old one is left. */
  assert_int_equal(ttb_router_write(&f.mine, T0), TTB_NO_PRIMARY);
  ttb_router_node n = row(&f, NULL, 0, T0);
  assert_int_equal(n.why, TTB_ROUTER_NO_ROLE);
  assert_int_equal(n.age_ms, -1);
  assert_int_equal(n.rtt_ns, -1);
  assert_int_equal(observe(&f, 2, P, 0, 5, T0), TTB_OK);
  int64_t t = ttb_router_write(&f.mine, T0);
  assert_int_equal(ttb_ticket_slot(t), 0);
  assert_true(t != a);
  assert_int_equal(ttb_router_report(&f.mine, a, TTB_SUCCESS, 0, T0), TTB_STALE);
  assert_int_equal(row(&f, NULL, 0, T0).in_flight, 1);
  assert_int_equal(ttb_router_report(&f.mine, t, TTB_SUCCESS, 0, T0), TTB_OK);
  assert_int_equal(stats(&f).stale, 1);
  fleet_end(&f);
}

static void test_set(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.capacity = 3;
  fleet f = fleet_of(&c);
  ttb_endpoint e[] = {{sizeof *e, 1, 1}, {sizeof *e, 2, 2}, {sizeof *e, 3, 3}, {sizeof *e, 4, 4}};
  assert_int_equal(ttb_router_set(&f.mine, e, 3), 3);
  assert_int_equal(ttb_router_set(&f.mine, e, 3), 0);
  assert_int_equal(observe(&f, 2, P, 0, 1, T0), TTB_OK);
  int64_t held = ttb_router_write(&f.mine, T0);
  /* 1 and 3 go, 2 stays as it is, 4 comes. */
  e[0] = e[3];
  e[1].weight = 9;
  assert_int_equal(ttb_router_set(&f.mine, e, 2), 3);
  assert_int_equal(ttb_router_find(&f.shared, 2), 1);
  assert_int_equal(row(&f, NULL, 1, T0).weight, 9);
  assert_int_equal(row(&f, NULL, 1, T0).in_flight, 1);
  assert_int_equal(write_to(&f, T0), 1);

  /* Refused as a whole. */
  ttb_endpoint twice[] = {e[0], e[1], e[0]};
  assert_int_equal(ttb_router_set(&f.mine, twice, 3), TTB_ERR_DUPLICATE);
  assert_int_equal(ttb_router_set(&f.mine, e, 4), TTB_ERR_NOSPACE);
  twice[2].id = 0;
  assert_int_equal(ttb_router_set(&f.mine, twice, 3), TTB_ERR_RANGE);
  twice[2].id = 8;
  twice[2].struct_size = 8;
  assert_int_equal(ttb_router_set(&f.mine, twice, 3), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_set(&f.mine, NULL, 1), TTB_ERR_MISUSE);
  assert_int_equal(stats(&f).nodes, 2);

  /* A held slot cannot take a new node: what can be done is done. */
  ttb_endpoint three[] = {{sizeof *e, 1, 21}, {sizeof *e, 1, 22}, {sizeof *e, 1, 23}};
  assert_int_equal(ttb_router_set(&f.mine, three, 3), TTB_AGAIN);
  assert_int_equal(stats(&f).nodes, 2);
  assert_int_equal(ttb_router_report(&f.mine, held, TTB_SUCCESS, 0, T0), TTB_OK);
  assert_int_equal(ttb_router_set(&f.mine, three, 3), 1);
  assert_int_equal(ttb_router_set(&f.mine, NULL, 0), 3);
  fleet_end(&f);
}

static void test_drain(void **state) {
  (void)state;
  fleet f = fleet_plain();
  assert_int_equal(add(&f, 1), 0);
  assert_int_equal(add(&f, 2), 1);
  assert_int_equal(observe(&f, 1, P, 0, 1, T0), TTB_OK);
  assert_int_equal(observe(&f, 2, R, 0, 1, T0), TTB_OK);
  assert_int_equal(read_to(&f, NULL, T0), 1);
  assert_int_equal(ttb_router_drain(&f.shared, 2, 2), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_drain(&f.shared, 3, 1), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_router_drain(&f.shared, 2, 1), TTB_OK);
  assert_int_equal(read_to(&f, NULL, T0), 0);
  assert_int_equal(observe(&f, 2, R, 0, 1, T0 + S), TTB_OK); /* does not end it */
  assert_int_equal(read_to(&f, NULL, T0 + S), 0);
  assert_int_equal(why(&f, NULL, 1, T0 + S), TTB_ROUTER_DRAINING);
  assert_int_equal(ttb_router_drain(&f.shared, 2, 0), TTB_OK);
  assert_int_equal(read_to(&f, NULL, T0 + S), 1);
  assert_int_equal(ttb_router_drain(&f.shared, 1, 1), TTB_OK);
  assert_int_equal(ttb_router_write(&f.mine, T0 + S), TTB_NO_PRIMARY);
  fleet_end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_add_remove),
      cmocka_unit_test(test_reuse),
      cmocka_unit_test(test_set),
      cmocka_unit_test(test_drain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
