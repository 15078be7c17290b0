/* SPDX-License-Identifier: MIT */
/* lib/balancer/rendezvous.c */
#include "helper.h"

#include "../../../lib/balancer/rendezvous.h"

/* -log2(u / 2^64) at u = (64 + i) / 64 * 2^k, from log2's values; and between:
 * log2(1.5) = 0.584962500721156, log2(1.0078125) = 0.011227255423254. */
static void logarithm(void **state) {
  const uint64_t one = UINT64_C(1) << 32;
  (void)state;
  for (uint64_t k = 0; k < 64; k++)
    assert_int_equal(ttb__minus_log2(UINT64_C(1) << k), (64 - k) * one);
  assert_int_equal(ttb__minus_log2(0), 64 * one);
  assert_in_range(ttb__minus_log2(UINT64_MAX), 0, 1);
  assert_int_equal(ttb__minus_log2(UINT64_C(3) << 62), one - 2512394810);
  uint64_t got = ttb__minus_log2((UINT64_C(1) << 63) + (UINT64_C(1) << 56));
  assert_in_range(got, one - 48220695 - 600, one - 48220695 + 600);
}

/* Falls as u rises. */
static void monotonic(void **state) {
  uint64_t before = UINT64_MAX;
  (void)state;
  for (uint64_t i = 1; i < 200000; i++) {
    uint64_t log = ttb__minus_log2(i * (UINT64_MAX / 200000));
    assert_true(log <= before);
    before = log;
  }
}

static void keys(void **state) {
  (void)state;
  keeps_keys(TTB_BALANCER_RENDEZVOUS, 0);
  forgets_history(TTB_BALANCER_RENDEZVOUS);
  shares_by_weight(TTB_BALANCER_RENDEZVOUS, 4);
}

/* A weight that rises draws keys to its endpoint and moves no other. */
static void weights(void **state) {
  pair p = make(config_of(TTB_BALANCER_RENDEZVOUS, 10));
  int32_t before[2000];
  (void)state;
  fill(&p, 10, NULL);
  for (uint64_t i = 0; i < 2000; i++) before[i] = home(&p, i);
  ttb_balancer_set_weight(&p.mine, 4, 5);
  uint32_t mine = 0;
  for (uint64_t i = 0; i < 2000; i++) {
    int32_t now = home(&p, i);
    mine += now == 3;
    if (now != 3) assert_int_equal(now, before[i]);
    if (before[i] == 3) assert_int_equal(now, 3);
  }
  assert_in_range(mine, 610, 820); /* 5 of 14 */
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(logarithm),
      cmocka_unit_test(monotonic),
      cmocka_unit_test(keys),
      cmocka_unit_test(weights),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
