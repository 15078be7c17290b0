/* SPDX-License-Identifier: MIT */
/* lib/balancer/endpoints.c: add, remove, set_weight, update. */
#include "helper.h"

#include "../../../lib/balancer/balancer.h"

static void adding(void **state) {
  pair p = make(config_of(0, 3));
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  (void)state;
  assert_int_equal(ttb_balancer_add(&p.mine, &e), TTB_ERR_RANGE); /* id 0 */
  assert_int_equal(ttb_balancer_add(&p.mine, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_add(&p.shared, &e), TTB_ERR_MISUSE);
  assert_int_equal(add(&p.mine, 5, 65536), TTB_ERR_RANGE);
  assert_int_equal(add(&p.mine, UINT64_MAX, 65535), 0);
  assert_int_equal(add(&p.mine, 5, 0), 1); /* default weight */
  assert_int_equal(info_of(&p.shared, 1).weight, 1);
  assert_int_equal(add(&p.mine, 5, 1), TTB_ERR_DUPLICATE);
  assert_int_equal(add(&p.mine, 6, 1), 2);
  assert_int_equal(add(&p.mine, 7, 1), TTB_ERR_NOSPACE);
  assert_int_equal(stats_of(&p.shared).endpoints, 3);
  assert_int_equal(ttb_balancer_find(&p.shared, UINT64_MAX), 0);
  assert_int_equal(ttb_balancer_remove(&p.mine, 7), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_balancer_remove(&p.mine, 5), TTB_OK);
  assert_int_equal(ttb_balancer_find(&p.shared, 5), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(add(&p.mine, 7, 1), 1);
  drop(&p);
}

static void checking(void **state) {
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  ttb_detail d = TTB_CONFIG(ttb_detail);
  (void)state;
  assert_int_equal(ttb_balancer_endpoint_check(&e, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "id");
  e.id = 1;
  e.weight = 70000;
  assert_int_equal(ttb_balancer_endpoint_check(&e, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "weight");
  assert_int_equal(d.got, 70000);
  e.weight = 0;
  assert_int_equal(ttb_balancer_endpoint_check(&e, &d), TTB_OK);
  assert_int_equal(ttb_balancer_endpoint_check(NULL, &d), TTB_ERR_MISUSE);
}

/* Another writer at work: TTB_AGAIN, nothing changed. */
static void the_lock(void **state) {
  pair p = make(config_of(0, 3));
  ttb__balancer *b = (ttb__balancer *)(void *)&p.mine;
  ttb_endpoint e = {sizeof e, 1, 9};
  (void)state;
  add(&p.mine, 1, 1);
  assert_int_equal(ttb__lock_try(&b->table->lock, 42), TTB_OK);
  assert_int_equal(add(&p.mine, 2, 1), TTB_AGAIN);
  assert_int_equal(ttb_balancer_remove(&p.mine, 1), TTB_AGAIN);
  assert_int_equal(ttb_balancer_set_weight(&p.mine, 1, 5), TTB_AGAIN);
  assert_int_equal(ttb_balancer_update(&p.mine, &e, 1, NULL), TTB_AGAIN);
  assert_int_equal(stats_of(&p.shared).endpoints, 1);
  assert_true(acquire(&p) >= 0);
  assert_int_equal(ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_ADMIN, 1), 1); /* needs no lock */
  assert_int_equal(ttb_balancer_recover(&p.mine, 42), 0);
  assert_int_equal(add(&p.mine, 2, 1), 1);
  drop(&p);
}

static void weight_zero(void **state) {
  (void)state;
  for (uint32_t algorithm = 1; algorithm <= 5; algorithm++) {
    pair p = make(config_of(algorithm, 4));
    uint32_t w[] = {3, 2};
    fill(&p, 2, w);
    uint64_t rebuilds = stats_of(&p.shared).rebuilds;
    assert_int_equal(ttb_balancer_set_weight(&p.mine, 1, 0), TTB_OK);
    assert_int_equal(stats_of(&p.shared).rebuilds, rebuilds);
    assert_int_equal(info_of(&p.shared, 0).reason, TTB_BALANCER_BY_WEIGHT);
    assert_int_equal(info_of(&p.shared, 0).weight, 3);
    for (uint64_t i = 0; i < 50; i++)
      assert_int_equal(ttb_ticket_slot(ttb_balancer_acquire(&p.mine, i, 0)), 1);
    assert_int_equal(ttb_balancer_set_weight(&p.mine, 2, 0), TTB_OK);
    assert_int_equal(acquire(&p), TTB_NO_ENDPOINT); /* all weights are zero */
    assert_int_equal(ttb_balancer_set_weight(&p.mine, 1, 3), TTB_OK);
    assert_int_equal(turn(&p), 0);
    assert_int_equal(ttb_balancer_set_weight(&p.mine, 1, 65536), TTB_ERR_RANGE);
    assert_int_equal(ttb_balancer_set_weight(&p.mine, 9, 1), TTB_ERR_UNKNOWN_ID);
    drop(&p);
  }
}

static void updating(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_LEAST_CONNECTIONS, 4);
  pair p = make(c);
  ttb_endpoint list[4] = {{sizeof *list, 1, 10}, {sizeof *list, 1, 20}, {sizeof *list, 5, 30}};
  (void)state;
  assert_int_equal(ttb_balancer_update(&p.mine, list, 3, NULL), TTB_OK);
  assert_int_equal(stats_of(&p.shared).rebuilds, 1);
  int32_t slot30 = ttb_balancer_find(&p.shared, 30);
  ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_ADMIN, 1);
  ttb_balancer_mark(&p.shared, 1, TTB_CAUSE_ADMIN, 1);
  int64_t t = acquire(&p);
  assert_int_equal(ttb_ticket_slot(t), slot30);
  assert_int_equal(ttb_balancer_set_weight(&p.mine, 30, 0), TTB_OK);

  /* 10 leaves, 30 and 20 stay, 40 comes. */
  ttb_endpoint next[3] = {{sizeof *list, 7, 30}, {sizeof *list, 1, 40}, {sizeof *list, 2, 20}};
  assert_int_equal(ttb_balancer_update(&p.mine, next, 3, NULL), TTB_OK);
  assert_int_equal(ttb_balancer_find(&p.shared, 10), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_balancer_find(&p.shared, 30), slot30);
  ttb_balancer_info i = info_of(&p.shared, (uint32_t)slot30);
  assert_int_equal(i.weight, 7);
  assert_int_equal(i.in_flight, 1);
  assert_int_equal(i.generation, 1);
  assert_int_equal(i.causes, 0); /* weight 0 is over */
  assert_int_equal(info_of(&p.shared, 1).causes, TTB_CAUSE_ADMIN); /* kept */
  assert_int_equal(ttb_balancer_find(&p.shared, 40), 0);
  assert_int_equal(info_of(&p.shared, 0).causes, 0); /* another life */
  assert_int_equal(info_of(&p.shared, 0).generation, 2);
  assert_int_equal(report(&p, t), TTB_OK);
  assert_int_equal(ttb_balancer_update(&p.mine, NULL, 0, NULL), TTB_OK);
  assert_int_equal(stats_of(&p.shared).endpoints, 0);
  assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  drop(&p);
}

static void bad_updates(void **state) {
  pair p = make(config_of(0, 3));
  ttb_endpoint list[4] = {{sizeof *list, 1, 10}, {sizeof *list, 1, 20}, {sizeof *list, 1, 10}};
  ttb_detail d = TTB_CONFIG(ttb_detail);
  (void)state;
  add(&p.mine, 99, 4);
  assert_int_equal(ttb_balancer_update(&p.mine, list, 3, &d), TTB_ERR_DUPLICATE);
  assert_int_equal(d.index, 2);
  list[2] = (ttb_endpoint){sizeof *list, 1, 0};
  assert_int_equal(ttb_balancer_update(&p.mine, list, 3, &d), TTB_ERR_RANGE);
  assert_int_equal(d.index, 2);
  assert_string_equal(d.field, "id");
  list[2] = (ttb_endpoint){sizeof *list + 8, 1, 30};
  assert_int_equal(ttb_balancer_update(&p.mine, list, 3, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "struct_size");
  list[2] = (ttb_endpoint){sizeof *list, 1, 30};
  assert_int_equal(ttb_balancer_update(&p.mine, list, 4, &d), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_balancer_update(&p.mine, NULL, 1, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_update(&p.shared, list, 1, &d), TTB_ERR_MISUSE);
  assert_int_equal(stats_of(&p.shared).endpoints, 1);
  assert_int_equal(ttb_balancer_find(&p.shared, 99), 0);
  assert_int_equal(info_of(&p.shared, 0).weight, 4);
  drop(&p);
}

/* A caller of a newer library: longer elements whose rest is zero. */
static void longer_elements(void **state) {
  struct {
    ttb_endpoint e;
    uint64_t more;
  } list[2] = {{{sizeof *list, 2, 5}, 0}, {{sizeof *list, 3, 6}, 0}};
  pair p = make(config_of(0, 3));
  (void)state;
  assert_int_equal(ttb_balancer_update(&p.mine, &list[0].e, 2, NULL), TTB_OK);
  assert_int_equal(info_of(&p.shared, 1).weight, 3);
  assert_int_equal(info_of(&p.shared, 1).id, 6);
  list[1].e.struct_size = sizeof(ttb_endpoint);
  assert_int_equal(ttb_balancer_update(&p.mine, &list[0].e, 2, NULL), TTB_ERR_RANGE);
  list[1].e.struct_size = sizeof *list;
  list[1].more = 1;
  assert_int_equal(ttb_balancer_update(&p.mine, &list[0].e, 2, NULL), TTB_ERR_UNSUPPORTED);
  drop(&p);
}

/* No room while calls are in flight on those who left; then repeat. */
static void room_comes_later(void **state) {
  pair p = make(config_of(0, 2));
  ttb_endpoint next[2] = {{sizeof *next, 1, 30}, {sizeof *next, 1, 40}};
  ttb_detail d = TTB_CONFIG(ttb_detail);
  (void)state;
  fill(&p, 2, NULL);
  int64_t t = acquire(&p);
  assert_int_equal(ttb_balancer_update(&p.mine, next, 2, &d), TTB_ERR_NOSPACE);
  assert_int_equal(d.index, 1);
  assert_int_equal(stats_of(&p.shared).endpoints, 1);
  assert_int_equal(stats_of(&p.shared).in_flight, 1);
  assert_int_equal(report(&p, t), TTB_OK);
  assert_int_equal(ttb_balancer_update(&p.mine, next, 2, &d), TTB_OK);
  assert_int_equal(stats_of(&p.shared).endpoints, 2);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(adding),      cmocka_unit_test(checking),
      cmocka_unit_test(the_lock),    cmocka_unit_test(weight_zero),
      cmocka_unit_test(updating),    cmocka_unit_test(bad_updates),
      cmocka_unit_test(longer_elements), cmocka_unit_test(room_comes_later),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
