/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/brakes.c and the start-up time: what a change costs. */
#include "fixture.h"

static void test_what_if(void **unused) {
  (void)unused;
  static const ttb_autoscaler_step steps[] = {
      {sizeof *steps, 0, 70001, 0, TTB_AUTOSCALER_STEP_FACTOR, 2000000, 0, 0},
      {sizeof *steps, 0, 0, 30000, TTB_AUTOSCALER_STEP_FACTOR, 250000, 0, 0}};
  ttb_autoscaler_metric m = {sizeof m, TTB_AUTOSCALER_AVERAGE, 0, TTB_AUTOSCALER_STEPS, 0, 0, 0, 0};
  ttb_autoscaler_config c = count_config();
  c.metrics = &m;
  c.steps = steps;
  c.steps_n = 2;
  ttb_autoscaler_sample s = value(25000);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  ttb_autoscaler a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 16, SECOND, &d), TTB_OK);
  assert_int_equal(d.desired, 4); /* who would then have to bear 100 % each */
  ttb_autoscaler_free(&a);
  c.flags = TTB_AUTOSCALER_WHAT_IF;
  a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 16, SECOND, &d), TTB_OK);
  assert_int_equal(d.desired, 6); /* 16 * 25 / 6 = 66.7 % */
  assert_int_equal(d.brake, TTB_AUTOSCALER_FLAPPING);
  assert_int_equal(d.reason, TTB_AUTOSCALER_FLAPPING);
  m.kind = TTB_AUTOSCALER_VALUE; /* a latency is not shared: nothing is known */
  ttb_autoscaler_free(&a);
  a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 16, SECOND, &d), TTB_OK);
  assert_int_equal(d.desired, 4);
  assert_int_equal(d.brake, 0);
  ttb_autoscaler_free(&a);
}

/* Utilisation is cut to percent: what was cut off counts in the test. */
static void test_what_if_knows_what_was_cut(void **unused) {
  (void)unused;
  ttb_autoscaler_metric m = TTB_CONFIG(ttb_autoscaler_metric);
  m.target_milli = 10000;
  ttb_autoscaler_config c = count_config();
  c.metrics = &m;
  c.flags = TTB_AUTOSCALER_WHAT_IF;
  ttb_autoscaler_sample s = value(1999); /* counts as 1 % */
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  ttb_autoscaler a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 50, SECOND, &d), TTB_OK);
  assert_int_equal(d.proposed, 5);
  assert_true(d.desired >= 10); /* 50 * 1.999 % shared by 9 is more than 10 % */
  ttb_autoscaler_free(&a);
}

static void test_billing(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.billing_ms = 60000;
  c.startup_ms = 0;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 6, 4, 100).desired, 6);
  ttb_autoscaler_decision d = ask(&a, 1, 6, 110);
  assert_int_equal(d.desired, 2); /* the two new ones are paid for */
  assert_int_equal(d.brake, TTB_AUTOSCALER_PAID);
  assert_int_equal(d.next_change_ms, 50000);
  d = ask(&a, 1, 2, 159);
  assert_int_equal(d.desired, 2);
  assert_int_equal(d.next_change_ms, 1000);
  assert_int_equal(ask(&a, 1, 2, 160).desired, 1);
  ttb_autoscaler_free(&a);
}

static void test_cooldowns(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.up_cooldown_ms = 30000;
  c.down_cooldown_ms = 60000;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 12, 10, 100).desired, 12);
  ttb_autoscaler_decision d = ask(&a, 14, 12, 129);
  assert_int_equal(d.desired, 12);
  assert_int_equal(d.brake, TTB_AUTOSCALER_COOLDOWN);
  assert_int_equal(d.next_change_ms, 1000);
  d = ask(&a, 5, 12, 159); /* down waits for any change */
  assert_int_equal(d.desired, 12);
  assert_int_equal(d.next_change_ms, 1000);
  assert_int_equal(ask(&a, 10, 12, 160).desired, 10);
  d = ask(&a, 5, 10, 219);
  assert_int_equal(d.brake, TTB_AUTOSCALER_COOLDOWN);
  assert_int_equal(ask(&a, 12, 10, 219).desired, 12); /* up does not wait for a change down */
  ttb_autoscaler_free(&a);
}

static void test_action_cost(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.action_cost_ms = 100000; /* 100 replica seconds */
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 10, 10, 100).desired, 10);
  ttb_autoscaler_decision d = ask(&a, 8, 10, 110); /* 2 * 10 s */
  assert_int_equal(d.desired, 10);
  assert_int_equal(d.brake, TTB_AUTOSCALER_ACTION_COST);
  assert_int_equal(d.next_change_ms, 40000);
  d = ask(&a, 8, 10, 149);
  assert_int_equal(d.desired, 10);
  assert_int_equal(d.next_change_ms, 1000);
  assert_int_equal(ask(&a, 8, 10, 150).desired, 8);
  d = ask(&a, 7, 8, 160); /* it begins anew */
  assert_int_equal(d.brake, TTB_AUTOSCALER_ACTION_COST);
  assert_int_equal(d.next_change_ms, 5000); /* a policy may let more go by then */
  assert_int_equal(ask(&a, 8, 8, 249).desired, 8); /* needed after all: forgotten */
  d = ask(&a, 7, 8, 250);
  assert_int_equal(d.next_change_ms, 99000);
  assert_int_equal(ask(&a, 9, 8, 251).desired, 9); /* up costs nothing */
  ttb_autoscaler_free(&a);
}

static void test_startup(void **unused) {
  (void)unused;
  ttb_autoscaler_metric m = TTB_CONFIG(ttb_autoscaler_metric);
  m.target_milli = 50000;
  ttb_autoscaler_config c = count_config();
  c.metrics = &m;
  c.startup_ms = 60000;
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_sample s = value(100000);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 4, 100 * SECOND, &d), TTB_OK);
  assert_int_equal(d.desired, 8);
  assert_int_equal(d.serving, 4);
  /* The four still bear all of it; without the start-up time 16 would be asked for. */
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 8, 130 * SECOND, &d), TTB_OK);
  assert_int_equal(d.serving, 4);
  assert_int_equal(d.desired, 8);
  assert_int_equal(d.next_change_ms, 30000);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 8, 160 * SECOND, &d), TTB_OK);
  assert_int_equal(d.serving, 8);
  assert_int_equal(d.desired, 16); /* now it is real */
  s.replicas = 2; /* the caller knows better */
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 16, 161 * SECOND, &d), TTB_OK);
  assert_int_equal(d.proposed, 4);
  ttb_autoscaler_free(&a);
}

static void test_from_zero(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.min_replicas = TTB_OFF;
  c.from_zero = TTB_AUTOSCALER_FROM_ZERO_OWN;
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_decision d = ask(&a, 3, 0, 100);
  assert_int_equal(d.desired, 0); /* somebody else stopped it */
  assert_int_equal(d.reason, TTB_AUTOSCALER_SWITCHED_OFF);
  assert_int_equal(ask(&a, 3, 3, 101).desired, 3);
  d = ask(&a, 0, 3, 102);
  assert_int_equal(d.desired, 0);
  assert_int_equal(d.zero, 1);
  d = ask(&a, 3, 0, 103);
  assert_int_equal(d.desired, 3); /* it did so itself */
  assert_int_equal(d.zero, 0);
  assert_int_equal(ttb_autoscaler_reset(&a, 0), TTB_OK);
  assert_int_equal(ask(&a, 3, 0, 104).desired, 0);
  assert_int_equal(ttb_autoscaler_record(&a, 0, TTB_AUTOSCALER_STOPPED, 1, 0), TTB_OK);
  assert_int_equal(ask(&a, 3, 0, 105).desired, 3);
  ttb_autoscaler_free(&a);
  c.from_zero = TTB_AUTOSCALER_FROM_ZERO_NEVER;
  a = start(&c);
  assert_int_equal(ttb_autoscaler_record(&a, 0, TTB_AUTOSCALER_STOPPED, 1, 0), TTB_OK);
  assert_int_equal(ask(&a, 3, 0, 105).desired, 0);
  ttb_autoscaler_free(&a);
}

/* A copy of the bytes answers "what if" and leaves the original alone. */
static void test_snapshot(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.down_window_ms = 60000;
  c.action_cost_ms = 100000;
  _Alignas(64) static unsigned char memory[16384], copy[16384];
  ttb_autoscaler a, b;
  assert_true(ttb_autoscaler_size(&c) <= (int64_t)sizeof memory);
  assert_int_equal(ttb_autoscaler_init(&a, memory, sizeof memory, &c), TTB_OK);
  for (uint64_t t = 100; t < 150; t++) (void)ask(&a, 10, 10, t);
  memcpy(copy, memory, sizeof copy);
  assert_int_equal(ttb_autoscaler_attach(&b, copy, sizeof copy), TTB_OK);
  for (uint64_t t = 150; t < 400; t += 10) {
    ttb_autoscaler_decision x = ask(&a, 5, 10, t), y = ask(&b, 5, 10, t);
    assert_memory_equal(&x, &y, sizeof x);
    if (t == 200) { /* the copy goes another way */
      assert_int_equal(ask(&b, 50, 10, 205).desired, 20);
      memcpy(copy, memory, sizeof copy);
    }
  }
  ttb_autoscaler_free(&b);
  ttb_autoscaler_free(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_if),  cmocka_unit_test(test_what_if_knows_what_was_cut),
      cmocka_unit_test(test_billing),  cmocka_unit_test(test_cooldowns),
      cmocka_unit_test(test_startup),  cmocka_unit_test(test_action_cost),
      cmocka_unit_test(test_from_zero), cmocka_unit_test(test_snapshot),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
