/* SPDX-License-Identifier: MIT */
/* lib/balancer/balancer_explain.c */
#include "helper.h"

/* What explain calls CHOSEN is what the next acquire returns, and asking takes
 * nothing. */
static void foresees(void **state) {
  (void)state;
  for (uint32_t algorithm = 1; algorithm <= 5; algorithm++) {
    ttb_balancer_config c = config_of(algorithm, 8);
    c.lease = 3;
    pair p = make(c), twin = make(c);
    fill(&p, 6, (uint32_t[]){1, 2, 3, 4, 5, 6});
    fill(&twin, 6, (uint32_t[]){1, 2, 3, 4, 5, 6});
    ttb_balancer_mark(&p.shared, 2, TTB_CAUSE_DRAIN, 1);
    ttb_balancer_mark(&twin.shared, 2, TTB_CAUSE_DRAIN, 1);
    for (uint64_t i = 0; i < 100; i++) {
      ttb_balancer_info rows[6];
      uint32_t x[] = {(uint32_t)(i % 6)};
      uint32_t n = i % 2, chosen = 0;
      uint64_t hash = i * UINT64_C(0x9e3779b97f4a7c15);
      memset(rows, 0xaa, sizeof rows);
      rows[0].struct_size = sizeof *rows;
      assert_int_equal(ttb_balancer_explain(&p.mine, hash, x, n, rows, 6), 6);
      int64_t t = ttb_balancer_acquire_except(&p.mine, hash, x, n, 0);
      assert_int_equal(t, ttb_balancer_acquire_except(&twin.mine, hash, x, n, 0));
      for (uint32_t k = 0; k < 6; k++) {
        assert_int_equal(rows[k].slot, k);
        assert_int_equal(rows[k].id, k + 1);
        assert_int_equal(rows[k].weight, k + 1);
        assert_int_equal(rows[k].struct_size, sizeof *rows);
        int32_t reason = TTB_BALANCER_NOT_CHOSEN;
        if ((int32_t)k == ttb_ticket_slot(t)) reason = TTB_BALANCER_CHOSEN;
        if (n && k == x[0]) reason = TTB_BALANCER_EXCLUDED;
        if (k == 2) reason = TTB_BALANCER_BY_DRAIN;
        assert_int_equal(rows[k].reason, reason);
        chosen += rows[k].reason == TTB_BALANCER_CHOSEN;
      }
      assert_int_equal(chosen, 1);
      if (i % 3) {
        assert_int_equal(report(&p, t), TTB_OK);
        assert_int_equal(report(&twin, t), TTB_OK);
      }
    }
    drop(&p);
    drop(&twin);
  }
}

static void unjoined_and_short(void **state) {
  pair p = make(config_of(0, 8));
  ttb_balancer_info rows[3] = {{.struct_size = sizeof *rows}};
  (void)state;
  fill(&p, 5, NULL);
  assert_int_equal(ttb_balancer_explain(&p.shared, 0, NULL, 0, rows, 2), 5);
  assert_int_equal(rows[1].reason, TTB_BALANCER_CHOSEN); /* it may be */
  assert_int_equal(rows[2].struct_size, 0);
  assert_int_equal(ttb_balancer_explain(&p.shared, 0, NULL, 0, NULL, 0), 5);
  assert_int_equal(ttb_balancer_explain(&p.shared, 0, NULL, 1, rows, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_explain(&p.shared, 0, NULL, 0, NULL, 1), TTB_ERR_MISUSE);
  rows[0].struct_size = 7;
  assert_int_equal(ttb_balancer_explain(&p.shared, 0, NULL, 0, rows, 2), TTB_ERR_RANGE);
  drop(&p);
}

static void inspecting(void **state) {
  pair p = make(config_of(0, 2));
  ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
  ttb_balancer_stats s = {0};
  (void)state;
  assert_int_equal(ttb_balancer_inspect(&p.shared, 0, &i), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_balancer_inspect(&p.shared, 2, &i), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_inspect(&p.shared, 0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_statistics(&p.shared, &s), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_statistics(&p.shared, NULL), TTB_ERR_MISUSE);
  add(&p.mine, 4, 3);
  i.struct_size = 0;
  assert_int_equal(ttb_balancer_inspect(&p.shared, 0, &i), TTB_ERR_RANGE);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(foresees),
      cmocka_unit_test(unjoined_and_short),
      cmocka_unit_test(inspecting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
