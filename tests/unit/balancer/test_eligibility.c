/* SPDX-License-Identifier: MIT */
/* lib/balancer/eligibility.c: causes, statuses, the bitmap. */
#include "helper.h"

#include "../../../lib/balancer/balancer.h"

static const uint32_t causes[] = {TTB_CAUSE_ADMIN,   TTB_CAUSE_PROBE, TTB_CAUSE_OUTLIER,
                                  TTB_CAUSE_BREAKER, TTB_CAUSE_DRAIN, TTB_CAUSE_OVERLOAD};

static bool bit_of(pair *p, uint32_t slot) {
  return ttb__load_rlx(&ttb__balancer_bitmap(ttb__balancer_of(&p->shared))[slot / 64]) >>
             slot % 64 & 1;
}

/* Each source has a bit of its own: one clears only that. */
static void marks(void **state) {
  pair p = make(config_of(0, 100));
  (void)state;
  fill(&p, 100, NULL);
  for (uint32_t i = 0; i < 6; i++) {
    assert_int_equal(ttb_balancer_mark(&p.shared, 70, causes[i], 1), 1);
    assert_int_equal(ttb_balancer_mark(&p.shared, 70, causes[i], 1), 0);
    assert_int_equal(info_of(&p.shared, 70).causes, 2 * causes[i] - 1);
    assert_int_equal(info_of(&p.shared, 70).reason, TTB_BALANCER_BY_ADMIN);
    assert_false(bit_of(&p, 70));
  }
  for (uint32_t i = 0; i < 6; i++) {
    assert_int_equal(info_of(&p.shared, 70).reason, TTB_BALANCER_BY_ADMIN + (int)i);
    assert_int_equal(stats_of(&p.shared).eligible, 99);
    assert_int_equal(ttb_balancer_mark(&p.shared, 70, causes[i], 0), 1);
    assert_int_equal(ttb_balancer_mark(&p.shared, 70, causes[i], 0), 0);
  }
  assert_int_equal(stats_of(&p.shared).eligible, 100);
  assert_true(bit_of(&p, 70));
  assert_int_equal(ttb_balancer_mark(&p.shared, 3, TTB_CAUSE_ADMIN | TTB_CAUSE_DRAIN, 1), 1);
  assert_int_equal(info_of(&p.shared, 3).causes, TTB_CAUSE_ADMIN | TTB_CAUSE_DRAIN);
  assert_int_equal(stats_of(&p.shared).rebuilds, 1); /* nothing was rebuilt */
  drop(&p);
}

static void bad_marks(void **state) {
  pair p = make(config_of(0, 4));
  (void)state;
  add(&p.mine, 1, 1);
  assert_int_equal(ttb_balancer_mark(&p.shared, 1, TTB_CAUSE_ADMIN, 1), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_balancer_mark(&p.shared, 4, TTB_CAUSE_ADMIN, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_mark(&p.shared, 0, 0, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_WEIGHT, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_mark(&p.shared, 0, 128, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_ADMIN, 2), TTB_ERR_RANGE);
  assert_int_equal(info_of(&p.shared, 0).causes, 0);
  drop(&p);
}

static void statuses(void **state) {
  static const struct {
    int32_t status;
    uint32_t causes;
  } cases[] = {
      {TTB_STATUS_UNHEALTHY, TTB_CAUSE_PROBE}, {TTB_STATUS_HEALTHY, 0},
      {TTB_STATUS_STALE, TTB_CAUSE_PROBE},     {TTB_STATUS_DRAINING, TTB_CAUSE_DRAIN},
      {TTB_STATUS_DEGRADED, 0},                {TTB_STATUS_DRAINING, TTB_CAUSE_DRAIN},
      {TTB_STATUS_UNHEALTHY, TTB_CAUSE_PROBE}, {TTB_STATUS_UNKNOWN, 0},
  };
  pair p = make(config_of(0, 4));
  (void)state;
  add(&p.mine, 50, 1);
  ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_BREAKER, 1);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(ttb_balancer_set_status(&p.shared, 50, cases[i].status), TTB_OK);
    assert_int_equal(info_of(&p.shared, 0).status, cases[i].status);
    assert_int_equal(info_of(&p.shared, 0).causes, cases[i].causes | TTB_CAUSE_BREAKER);
    assert_int_equal(info_of(&p.shared, 0).weight, 1);
    assert_int_equal(info_of(&p.shared, 0).generation, 1);
  }
  assert_int_equal(ttb_balancer_set_status(&p.shared, 50, 6), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_set_status(&p.shared, 50, -1), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_set_status(&p.shared, 51, 1), TTB_ERR_UNKNOWN_ID);
  uint64_t ids[] = {50, 51};
  int32_t set[] = {TTB_STATUS_HEALTHY, TTB_STATUS_HEALTHY}, codes[2];
  assert_int_equal(ttb_balancer_set_status_n(&p.shared, ids, set, 2, codes), 1);
  assert_int_equal(codes[1], TTB_ERR_UNKNOWN_ID);
  drop(&p);
}

/* Whatever is out, in every algorithm only the rest is picked, and it comes back. */
static void only_the_eligible(void **state) {
  (void)state;
  for (uint32_t algorithm = 1; algorithm <= 5; algorithm++) {
    ttb_balancer_config c = config_of(algorithm, 200);
    pair p = make(c);
    uint32_t picked[200] = {0};
    fill(&p, 200, NULL);
    for (uint32_t s = 0; s < 200; s++)
      if (s != 7 && s != 130 && s != 131)
        ttb_balancer_mark(&p.shared, s, causes[s % 6], 1);
    for (uint64_t i = 0; i < 3000; i++) {
      int64_t t = ttb_balancer_acquire(&p.mine, i * UINT64_C(0x9e3779b97f4a7c15), 0);
      picked[ttb_ticket_slot(t)]++;
    }
    assert_int_equal(picked[7] + picked[130] + picked[131], 3000);
    /* A fair share each: two choices and rounds exactly or nearly, hash roughly. */
    assert_in_range(picked[7], 700, 1300);
    assert_in_range(picked[130], 700, 1300);
    ttb_balancer_mark(&p.shared, 7, TTB_CAUSE_ADMIN, 1);
    ttb_balancer_mark(&p.shared, 130, TTB_CAUSE_ADMIN, 1);
    for (int i = 0; i < 100; i++) assert_int_equal(turn(&p), 131);
    ttb_balancer_mark(&p.shared, 131, TTB_CAUSE_ADMIN, 1);
    for (int i = 0; i < 100; i++) assert_int_equal(turn(&p), TTB_NO_ENDPOINT);
    ttb_balancer_mark(&p.shared, 40, causes[40 % 6], 0);
    for (int i = 0; i < 100; i++) assert_int_equal(turn(&p), 40);
    drop(&p);
  }
}

/* A bit left wrong by a killed marker: settling and recovery bring it in line. */
static void wrong_bits(void **state) {
  pair p = make(config_of(TTB_BALANCER_FIRST_FIT, 70));
  ttb__balancer *b = ttb__balancer_of(&p.shared);
  (void)state;
  fill(&p, 70, NULL);
  ttb__store_rlx(&ttb__balancer_bitmap(b)[0], 0);
  ttb__store_rlx(&ttb__balancer_bitmap(b)[1], UINT64_MAX); /* beyond the capacity, too */
  for (int i = 0; i < 50; i++) assert_in_range(turn(&p), 64, 69);
  ttb_balancer_mark(&p.shared, 5, TTB_CAUSE_ADMIN, 0);
  assert_true(bit_of(&p, 5));
  assert_int_equal(ttb_balancer_recover(&p.mine, 99), 0);
  for (uint32_t s = 0; s < 70; s++) assert_true(bit_of(&p, s));
  assert_int_equal(ttb__balancer_next(b, 69, NULL), 69);
  assert_int_equal(ttb__balancer_next(b, 70, NULL), 70);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(marks),    cmocka_unit_test(bad_marks),
      cmocka_unit_test(statuses), cmocka_unit_test(only_the_eligible),
      cmocka_unit_test(wrong_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
