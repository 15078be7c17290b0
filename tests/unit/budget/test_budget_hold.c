/* SPDX-License-Identifier: MIT */
/* lib/budget/budget_hold.c: few actions, never fewer than needed. */
#include "fixture.h"

/* A load that jumps about each tick would change the count each tick. */
static void test_actions(void **unused) {
  (void)unused;
  static const int32_t limits[] = {TTB_OFF, 2000, 450, 60};
  uint64_t before = UINT64_MAX;
  double cost_before = 0;
  for (int k = 0; k < 4; k++) {
    ttb_budget_config c = plain_config();
    c.actions_a_day = limits[k];
    play p = play_start(&c);
    uint64_t dice = 21, actions = 0, cost = 0;
    int64_t level = 30000;
    for (int t = 0; t < 12 * DAY; t++) {
      if (t == 6 * DAY) actions = play_info(&p).actions, cost = 0;
      level += (int64_t)(roll(&dice) % 6001) - 3000 + (30000 - level) / 20;
      cost += (uint64_t)play_tick(&p, level > 0 ? level : 0).desired;
    }
    actions = (play_info(&p).actions - actions) / 6;
    assert_true(actions < before);
    assert_true((double)cost > cost_before);
    if (limits[k] > 0) assert_true(actions <= (uint64_t)limits[k]);
    before = actions, cost_before = (double)cost;
    ttb_budget_free(&p.b);
  }
}

static void test_never_below_the_need(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  c.max_replicas = 1000, c.actions_a_day = 10;
  play p = play_start(&c);
  uint64_t dice = 22;
  for (int t = 0; t < 2 * DAY; t++) {
    int32_t had = p.current;
    ttb_budget_decision d = play_tick(&p, (int64_t)(roll(&dice) % 60000));
    assert_true(d.desired >= d.needed);
    switch (d.reason) {
    case TTB_BUDGET_MORE: assert_true(d.needed > had && d.desired >= d.needed); break;
    case TTB_BUDGET_FEWER: assert_true(d.desired < had); break;
    case TTB_BUDGET_STEADY: assert_true(d.desired == had && d.needed == had); break;
    case TTB_BUDGET_HELD:
    case TTB_BUDGET_ACTIONS: assert_true(d.desired == had && d.needed < had); break;
    default: assert_true(d.desired == 1 || d.desired == 1000);
    }
  }
  ttb_budget_free(&p.b);
}

/* Downs are paid with tokens: never more than were saved up and came in. */
static void test_tokens(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  c.max_replicas = 1000, c.actions_a_day = 20;
  play p = play_start(&c);
  int downs = 0, refused = 0;
  for (int t = 0; t < 4 * DAY; t++) {
    int32_t had = p.current;
    ttb_budget_decision d = play_tick(&p, t / 150 % 2 ? 100000 : 1000);
    downs += d.desired < had;
    refused += d.reason == TTB_BUDGET_ACTIONS;
  }
  /* 3 saved up, half of 20 a day. */
  assert_true(downs > 15 && downs <= 3 + 40 + 1);
  assert_true(refused > 0);
  ttb_budget_free(&p.b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_actions),
      cmocka_unit_test(test_never_below_the_need),
      cmocka_unit_test(test_tokens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
