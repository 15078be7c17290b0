/* SPDX-License-Identifier: MIT */
/* lib/budget/budget_arms.c: headroom as the quantile, the choice, the aim. */
#include "fixture.h"

static ttb__budget_slot *slot_of(const play *p) {
  return ttb__budget_slot_at(ttb__budget_of(&p->b), 0);
}

static void explain(play *p, ttb_budget_row rows[TTB_BUDGET_ARMS], ttb_budget_info *i) {
  *i = TTB_CONFIG(ttb_budget_info);
  for (int k = 0; k < TTB_BUDGET_ARMS; k++) rows[k] = TTB_CONFIG(ttb_budget_row);
  i->rows = rows, i->rows_n = TTB_BUDGET_ARMS;
  assert_int_equal(ttb_budget_explain(&p->b, 0, SECOND + TICK * p->tick, i), TTB_OK);
  assert_int_equal(i->rows_n, TTB_BUDGET_ARMS);
}

/* After a review: no arm needs more than its headroom for more than the aim, and
 * the one that speaks is the cheapest (or within a 64th, if it spoke before). */
static void test_headroom_keeps_the_aim(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  play p = play_start(&c);
  uint64_t dice = 5;
  int64_t level = 20000;
  for (int t = 0; t < 10 * DAY; t++) {
    level += (int64_t)(roll(&dice) % 801) - 400 + (20000 - level) / 200;
    play_tick(&p, level + (roll(&dice) % 400 == 0 ? 30000 : 0));
    if (t % TTB__REVIEW != TTB__REVIEW - 1 || t < HOUR) continue;
    ttb_budget_row rows[TTB_BUDGET_ARMS];
    ttb_budget_info i;
    explain(&p, rows, &i);
    int64_t least = INT64_MAX, said = 0;
    for (int k = 0; k < TTB_BUDGET_ARMS; k++) {
      assert_true(rows[k].violation_ppm <= i.aim_ppm + 20);
      if (rows[k].cost_milli < least) least = rows[k].cost_milli;
      if (rows[k].chosen) said = rows[k].cost_milli;
      assert_int_equal(rows[k].chosen, k == i.arm);
      int64_t ask = rows[k].base_milli + (int64_t)rows[k].headroom_ppm * rows[k].scale_milli / 1000000;
      assert_in_range(rows[k].ask_milli, ask - 100, ask + 100);
    }
    assert_true(said - said / 60 <= least + 1);
  }
  ttb_budget_free(&p.b);
}

/* A histogram made by hand: 1000 ticks, 10 of which needed a headroom of 2. */
static void test_quantile(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  c.budget_ppm = 20000;
  play p = play_start(&c);
  play_tick(&p, 5000);
  ttb__budget_slot *s = slot_of(&p);
  const ttb__budget *b = ttb__budget_of(&p.b);
  for (uint32_t i = 0; i < TTB__ARMS; i++)
    for (uint32_t k = 0; k < TTB__BINS; k++) ttb__store_rlx(&s->needed[i][k], 0);
  ttb__store_rlx(&s->total, 1000);
  ttb__store_rlx(&s->needed[3][0], 990);
  /* 2.0 is 512 in Q8, 576 with the quarter: octave 9, sub-bin 2. */
  ttb__store_rlx(&s->needed[3][3 * 16 + 2], 10);
  ttb__arms_review(b, s, 1000, 0);
  assert_int_equal(ttb__load_rlx(&s->headroom[3]), 0); /* 1.7 % may lack */
  ttb__store_rlx(&s->needed[3][3 * 16 + 2], 30);
  ttb__arms_review(b, s, 1000, 0);
  assert_in_range(ttb__load_rlx(&s->headroom[3]), 512, 544);
  /* Weight beyond the last bin's begin needs the most there is. */
  ttb__store_rlx(&s->needed[3][TTB__BINS - 1], 900);
  ttb__arms_review(b, s, 1000, 0);
  assert_true(ttb__load_rlx(&s->headroom[3]) > 60000);
  ttb_budget_free(&p.b);
}

/* What violates more than it may aims lower, what spends nothing higher; in bounds. */
static void test_aim(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  play p = play_start(&c);
  play_tick(&p, 5000);
  ttb__budget_slot *s = slot_of(&p);
  const ttb__budget *b = ttb__budget_of(&p.b);
  uint32_t first = ttb__arms_aim(b, s);
  assert_in_range((uint64_t)first * 1000000 >> 24, 8490, 8500); /* 85 % of 1 % */
  for (int k = 0; k < 2000; k++) {
    ttb__store_rlx(&s->spent, 1u << 26);
    ttb__arms_review(b, s, 1000, 0);
  }
  assert_in_range((uint64_t)ttb__arms_aim(b, s) * 1000000 >> 24, 6300, 6400);
  for (int k = 0; k < 2000; k++) {
    ttb__store_rlx(&s->spent, 0);
    ttb__arms_review(b, s, 1000, 0);
  }
  assert_in_range((uint64_t)ttb__arms_aim(b, s) * 1000000 >> 24, 29000, 30000);
  ttb_budget_free(&p.b);
}

/* A daily jump: the forecast is learned in some days and is used ahead of time. */
static void test_forecast_pays(void **unused) {
  (void)unused;
  uint64_t violations[2], cost[2] = {0, 0};
  for (uint32_t without = 0; without < 2; without++) {
    ttb_budget_config c = plain_config();
    c.flags = without ? TTB_BUDGET_NO_FORECAST : 0;
    play p = play_start(&c);
    uint64_t dice = 11;
    for (int t = 0; t < 14 * DAY; t++) {
      int in = t % DAY;
      int64_t load = (in % 240 < 60 ? 9000 : 5000) + (int64_t)(roll(&dice) % 300);
      ttb_budget_decision d = play_tick(&p, load);
      if (t >= 7 * DAY) cost[without] += (uint64_t)d.desired;
      if (t == 7 * DAY) violations[without] = play_info(&p).violations;
      if (without) assert_true(d.arm < 13);
    }
    violations[without] = play_info(&p).violations - violations[without];
    if (!without) assert_in_range(play_info(&p).forecast_error_ppm, 0, 150000);
    if (without) assert_int_equal(play_info(&p).forecast_error_ppm, -1);
    ttb_budget_free(&p.b);
  }
  assert_true(violations[0] <= violations[1] + 100);
  assert_true(cost[0] * 100 < cost[1] * 95);
}

static void test_words(void **unused) {
  (void)unused;
  for (int32_t k = 0; k < TTB_BUDGET_ARMS; k++) {
    assert_true(strlen(ttb_budget_arm(k)) > 4);
    for (int32_t j = 0; j < k; j++) assert_string_not_equal(ttb_budget_arm(j), ttb_budget_arm(k));
  }
  assert_string_equal(ttb_budget_arm(-1), ttb_budget_arm(TTB_BUDGET_ARMS));
  for (int32_t k = 0; k <= TTB_BUDGET_EARLY; k++)
    assert_string_not_equal(ttb_budget_reason(k), ttb_budget_reason(k + 1));
  assert_string_equal(ttb_budget_reason(-1), ttb_budget_reason(INT32_MAX));
}

static void test_explain_arguments(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  play p = play_start(&c);
  ttb_budget_info i = TTB_CONFIG(ttb_budget_info);
  ttb_budget_row rows[2] = {TTB_CONFIG(ttb_budget_row), TTB_CONFIG(ttb_budget_row)};
  assert_int_equal(ttb_budget_explain(NULL, 0, 0, &i), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_explain(&p.b, 0, 0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_explain(&p.b, 1, 0, &i), TTB_ERR_RANGE);
  i.rows = rows, i.rows_n = 2;
  assert_int_equal(ttb_budget_explain(&p.b, 0, 0, &i), TTB_OK);
  assert_int_equal(i.rows_n, 0); /* never asked */
  assert_int_equal(i.desired, -1);
  assert_int_equal(i.age_ms, -1);
  play_tick(&p, 5000);
  i.rows = rows, i.rows_n = 2;
  assert_int_equal(ttb_budget_explain(&p.b, 0, SECOND + 3 * SECOND, &i), TTB_OK);
  assert_int_equal(i.rows_n, 2);
  assert_int_equal(i.age_ms, 3000);
  assert_int_equal(i.level_milli, 5000);
  assert_int_equal(rows[1].arm, 1);
  rows[0].struct_size = 4;
  assert_int_equal(ttb_budget_explain(&p.b, 0, 0, &i), TTB_ERR_RANGE);
  ttb_budget_free(&p.b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_headroom_keeps_the_aim), cmocka_unit_test(test_quantile),
      cmocka_unit_test(test_aim),                    cmocka_unit_test(test_forecast_pays),
      cmocka_unit_test(test_words),                  cmocka_unit_test(test_explain_arguments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
