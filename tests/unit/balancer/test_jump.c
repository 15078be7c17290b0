/* SPDX-License-Identifier: MIT */
/* lib/balancer/jump.c */
#include "helper.h"

#include "../../../lib/balancer/jump.h"

/* Golden values of the paper's code, as in Guava's HashingTest. */
static void golden(void **state) {
  static const uint32_t golden100[] = {0,  55, 62, 8,  45, 59, 86, 97, 82, 59,
                                       73, 37, 17, 56, 86, 21, 90, 37, 38, 83};
  (void)state;
  for (uint64_t key = 0; key < 20; key++) assert_int_equal(ttb__jump(key, 100), golden100[key]);
  assert_int_equal(ttb__jump(UINT64_C(10863919174838991), 11), 6);
  assert_int_equal(ttb__jump(UINT64_C(2016238256797177309), 11), 3);
  assert_int_equal(ttb__jump(2, 100001), 80343);
  assert_int_equal(ttb__jump(2202, 100001), 15018);
}

/* The algorithm is the function while every slot may be picked. */
static void is_the_function(void **state) {
  pair p = make(config_of(TTB_BALANCER_JUMP, 50));
  (void)state;
  for (uint32_t n = 1; n <= 50; n++) {
    add(&p.mine, n, 3);
    assert_int_equal(stats_of(&p.shared).table_length, n);
    for (uint64_t key = 0; key < 200; key++)
      assert_int_equal(ttb_ticket_slot(ttb_balancer_acquire(&p.mine, key, 0)), ttb__jump(key, n));
  }
  drop(&p);
}

static void keys(void **state) {
  (void)state;
  keeps_keys(TTB_BALANCER_JUMP, 0);
}

/* Slots that are empty at the end stay buckets: what left there comes back to
 * the same keys, and no other key moves on the way. */
static void holes_stay(void **state) {
  enum { KEYS = 3000 };
  static int32_t before[KEYS];
  pair p = make(config_of(TTB_BALANCER_JUMP, 30));
  (void)state;
  fill(&p, 30, NULL);
  for (uint64_t i = 0; i < KEYS; i++) before[i] = home(&p, i);
  for (uint64_t id = 30; id > 3; id--) {
    ttb_balancer_remove(&p.mine, id);
    for (uint64_t i = 0; i < KEYS; i += 7)
      if (before[i] < (int32_t)id - 1) assert_int_equal(home(&p, i), before[i]);
  }
  assert_int_equal(stats_of(&p.shared).table_length, 30);
  uint32_t picks[3] = {0};
  for (uint64_t i = 0; i < KEYS; i++) picks[home(&p, i)]++;
  for (int i = 0; i < 3; i++) assert_in_range(picks[i], 850, 1150);
  drop(&p);
}

/* One of 5,000: beyond all probes, still found and never refused. */
static void a_needle(void **state) {
  pair p = make(config_of(TTB_BALANCER_JUMP, 5000));
  (void)state;
  fill(&p, 5000, NULL);
  for (uint32_t s = 0; s < 5000; s++)
    if (s != 1234) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
  for (uint64_t i = 0; i < 100; i++) assert_int_equal(home(&p, i), 1234);
  ttb_balancer_mark(&p.shared, 1234, TTB_CAUSE_PROBE, 1);
  assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(golden),
      cmocka_unit_test(is_the_function),
      cmocka_unit_test(keys),
      cmocka_unit_test(holes_stay),
      cmocka_unit_test(a_needle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
