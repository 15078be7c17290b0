/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/stabilise.c: windows, their edges, hostile words. */
#include "fixture.h"

static ttb_autoscaler_config windows(uint32_t up_s, int32_t down_s) {
  ttb_autoscaler_config c = count_config();
  c.up_window_ms = up_s * 1000;
  c.down_window_ms = down_s == 0 ? TTB_OFF : down_s * 1000;
  return c;
}

static void test_down(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = windows(0, 300);
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_decision d = ask(&a, 4, 10, 1000);
  assert_int_equal(d.desired, 10); /* the first look remembers what there is */
  assert_int_equal(d.reason, TTB_AUTOSCALER_DOWN_WINDOW);
  assert_int_equal(d.window_value, 10);
  assert_int_equal(d.window_age_ms, 0);
  assert_int_equal(d.next_change_ms, 300000);
  d = ask(&a, 6, 10, 1100);
  assert_int_equal(d.window_age_ms, 100000);
  assert_int_equal(d.next_change_ms, 200000);
  assert_int_equal(ask(&a, 4, 10, 1299).desired, 10);
  d = ask(&a, 4, 10, 1300); /* the 10 is as old as the window: it counts no more */
  assert_int_equal(d.desired, 6);
  assert_int_equal(d.window_value, 6);
  assert_int_equal(d.next_change_ms, 100000);
  assert_int_equal(ask(&a, 4, 6, 1399).desired, 6);
  assert_int_equal(ask(&a, 4, 6, 1400).desired, 4);
  ttb_autoscaler_free(&a);
}

static void test_up(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = windows(60, 0);
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 9, 5, 1000).desired, 5);
  assert_int_equal(ask(&a, 7, 5, 1030).desired, 5);
  ttb_autoscaler_decision d = ask(&a, 9, 5, 1060);
  assert_int_equal(d.desired, 7);
  assert_int_equal(d.reason, TTB_AUTOSCALER_UP_WINDOW);
  assert_int_equal(ask(&a, 3, 7, 1061).desired, 3); /* down at once */
  ttb_autoscaler_free(&a);
}

/* A full ring keeps the value and takes the newer time. */
static void test_full(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = windows(0, 2);
  c.tick_ms = 1000; /* room for four */
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_stats s = TTB_CONFIG(ttb_autoscaler_stats);
  for (int32_t i = 0; i < 20; i++) {
    ttb_autoscaler_sample v = value((40 - i) * 1000);
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    uint64_t now = 100 * SECOND + (uint64_t)i * (SECOND / 10);
    assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &v, 1, 50, now, &d), TTB_OK);
    assert_int_equal(d.desired, 50);
  }
  assert_int_equal(ttb_autoscaler_statistics(&a, &s), TTB_OK);
  assert_int_equal(s.merged, 17); /* 50, 40, 39, 38 had a place */
  assert_int_equal(ask(&a, 21, 50, 103).desired, 38); /* kept longer, not lost */
  assert_int_equal(ask(&a, 21, 38, 104).desired, 21);
  ttb_autoscaler_free(&a);
}

static void test_forget_after_a_gap(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = windows(60, 300);
  ttb_autoscaler a = start(&c);
  (void)ask(&a, 9, 9, 1000);
  assert_int_equal(ask(&a, 1, 9, 2000000).desired, 1); /* weeks later */
  ttb_autoscaler_free(&a);
}

static void test_hostile_words(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = windows(60, 300);
  ttb_autoscaler h = start(&c);
  const ttb__autoscaler *a = ttb__autoscaler_of(&h);
  ttb__autoscaler_slot *s = ttb__autoscaler_slot_at(a, 0);
  static const uint64_t bad[] = {UINT64_MAX, UINT64_C(1) << 63, 0xffffffff,
                                 UINT64_C(61) << 32 | 62};
  for (unsigned i = 0; i < 4; i++) {
    ttb__store_rlx(&s->queue[0], bad[i]);
    ttb__store_rlx(&s->queue[1], bad[i]);
    ttb__store_rlx(&s->changes[0], bad[i]);
    ttb__store_rlx(&s->changes[1], bad[i]);
    ttb__store_rlx(&s->order, bad[i]);
    ttb_autoscaler_decision d = ask(&h, 7, 5, 1000 + i);
    assert_true(d.desired >= 1 && d.desired <= 100);
  }
  ttb_autoscaler_free(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_down), cmocka_unit_test(test_up), cmocka_unit_test(test_full),
      cmocka_unit_test(test_forget_after_a_gap), cmocka_unit_test(test_hostile_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
