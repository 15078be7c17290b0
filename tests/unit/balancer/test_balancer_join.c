/* SPDX-License-Identifier: MIT */
/* lib/balancer/balancer_join.c: rows, leaving, recovery. */
#include "helper.h"

#include "../../../lib/balancer/balancer.h"

static void rows(void **state) {
  ttb_balancer_config c = config_of(0, 4);
  ttb_balancer a, b;
  c.threads = 2;
  pair p = make(c);
  (void)state;
  assert_int_equal(ttb_balancer_join(&p.shared, 0, &a), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_join(&p.shared, TTB_MAX_TOKEN + 1, &a), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_join(&p.shared, 5, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_join(&p.shared, TTB_MAX_TOKEN, &a), TTB_OK);
  assert_int_equal(ttb_balancer_join(&p.shared, 6, &b), TTB_ERR_NOSPACE);
  assert_int_equal(stats_of(&p.shared).joined, 2);
  ttb_balancer_free(&a);
  assert_int_equal(ttb_balancer_join(&p.shared, 6, &b), TTB_OK);
  ttb_balancer_free(&b);
  drop(&p);
}

/* What a leaver has in flight goes with it; its tickets are stale to the next
 * owner of the row. */
static void leaving(void **state) {
  pair p = make(config_of(0, 4));
  ttb_balancer a;
  (void)state;
  fill(&p, 2, NULL);
  assert_int_equal(ttb_balancer_join(&p.shared, 5, &a), TTB_OK);
  int64_t t = ttb_balancer_acquire(&a, 0, 0);
  int64_t kept = acquire(&p);
  assert_int_equal(stats_of(&p.shared).in_flight, 2);
  ttb_balancer_free(&a);
  assert_int_equal(stats_of(&p.shared).in_flight, 1);
  assert_int_equal(ttb_balancer_join(&p.shared, 5, &a), TTB_OK);
  int64_t u = ttb_balancer_acquire(&a, 0, 0);
  while (ttb_ticket_slot(u) != ttb_ticket_slot(t)) u = ttb_balancer_acquire(&a, 0, 0);
  assert_int_equal(ttb_balancer_report(&a, t, 0, 0, 0), TTB_STALE);
  assert_int_equal(ttb_balancer_report(&a, u, 0, 0, 0), TTB_OK);
  assert_int_equal(report(&p, kept), TTB_OK);
  ttb_balancer_free(&a);
  drop(&p);
}

static void recovery(void **state) {
  static const uint32_t flags[] = {0, TTB_BALANCER_CHECK_TICKETS, TTB_BALANCER_MOVING_TICKETS};
  (void)state;
  for (int k = 0; k < 3; k++) {
    ttb_balancer_config c = config_of(0, 50);
    c.flags = flags[k];
    c.threads = 20; /* two lines an endpoint */
    pair p = make(c);
    ttb_balancer dead[18];
    int64_t t = -1;
    fill(&p, 50, NULL);
    for (int i = 0; i < 18; i++) {
      assert_int_equal(ttb_balancer_join(&p.shared, 100 + (uint64_t)i % 2, &dead[i]), TTB_OK);
      for (int j = 0; j < 10; j++) t = ttb_balancer_acquire(&dead[i], 0, 0);
      assert_true(t >= 0);
    }
    int64_t mine = acquire(&p);
    assert_int_equal(stats_of(&p.shared).in_flight, 181);
    assert_int_equal(ttb_balancer_recover(&p.mine, 101), 9);
    assert_int_equal(stats_of(&p.shared).in_flight, 91);
    assert_int_equal(ttb_balancer_recover(&p.mine, 101), 0);
    assert_int_equal(ttb_balancer_recover(&p.mine, 100), 9);
    assert_int_equal(stats_of(&p.shared).in_flight, 1);
    assert_int_equal(stats_of(&p.shared).joined, 1);
    assert_int_equal(report(&p, t), TTB_STALE);
    assert_int_equal(report(&p, mine), TTB_OK);
    assert_int_equal(ttb_balancer_recover(&p.mine, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_recover(&p.mine, 0), TTB_ERR_RANGE);
    assert_int_equal(ttb_balancer_recover(&p.shared, 100), TTB_ERR_MISUSE);
    drop(&p);
  }
}

/* A writer that died with the lock, after the word and before the rest. */
static void a_dead_writer(void **state) {
  pair p = make(config_of(TTB_BALANCER_WEIGHTED_ROUND_ROBIN, 8));
  ttb__balancer *b = ttb__balancer_joined(&p.mine);
  (void)state;
  fill(&p, 2, NULL);
  assert_int_equal(ttb__lock_try(&b->table->lock, 77), TTB_OK);
  ttb__store_rlx(&ttb__balancer_ids(b)[2], 3);
  ttb_endpoint e = {.id = 3, .weight = 4};
  ttb__store_rlx(&ttb__endpoint_at(b, 2)->word, ttb__word(1, &e)); /* added by it, half */
  ttb__balancer_change(b, 0, TTB__WORD_USED, 0);                  /* removed by it, half */
  for (int i = 0; i < 4; i++) assert_int_equal(turn(&p), 1);
  assert_int_equal(ttb_balancer_find(&p.shared, 3), 2);
  assert_int_equal(ttb_balancer_recover(&p.mine, 77), 0);
  assert_int_equal(ttb__balancer_lookup(b, 3), 2);
  uint32_t picks[3] = {0};
  for (int i = 0; i < 50; i++) picks[turn(&p)]++;
  assert_int_equal(picks[0], 0);
  assert_int_equal(picks[1], 10);
  assert_int_equal(picks[2], 40);
  assert_int_equal(add(&p.mine, 9, 1), 0);
  drop(&p);
}

static void two_mappings_agree(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_ROUND_ROBIN, 8);
  c.lease = 1;
  uint64_t size = (uint64_t)ttb_balancer_size(&c);
  unsigned char *mem = aligned_alloc(64, size);
  ttb_balancer a, b;
  pair p, q;
  (void)state;
  assert_int_equal(ttb_balancer_init(&a, mem, size, &c), TTB_OK);
  assert_int_equal(ttb_balancer_attach(&b, mem, size), TTB_OK);
  p.shared = a;
  q.shared = b;
  assert_int_equal(ttb_balancer_join(&a, 1, &p.mine), TTB_OK);
  assert_int_equal(ttb_balancer_join(&b, 2, &q.mine), TTB_OK);
  fill(&p, 3, NULL);
  for (int i = 0; i < 12; i++) assert_int_equal(turn(i % 2 ? &q : &p), i % 3);
  ttb_balancer_free(&p.mine);
  ttb_balancer_free(&q.mine);
  free(mem);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows),          cmocka_unit_test(leaving),
      cmocka_unit_test(recovery),      cmocka_unit_test(a_dead_writer),
      cmocka_unit_test(two_mappings_agree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
