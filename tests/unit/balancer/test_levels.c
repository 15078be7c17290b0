/* SPDX-License-Identifier: MIT */
/* lib/balancer/levels.c: the rule of levels. Envoy's own cases are vectors. */
#include "helper.h"

static ttb_level level(uint32_t endpoints, uint32_t healthy, uint32_t degraded) {
  return (ttb_level){.struct_size = sizeof(ttb_level),
                     .endpoints = endpoints, .healthy = healthy, .degraded = degraded};
}

static void loads(void **state) {
  ttb_level l[3] = {level(10, 10, 0), level(10, 10, 0), level(0, 0, 0)};
  (void)state;
  assert_int_equal(ttb_balancer_levels(l, 3, 0, 0), TTB_OK);
  assert_int_equal(l[0].healthy_load, 100);
  assert_int_equal(l[1].healthy_load, 0);
  assert_int_equal(l[0].panic, 0);
  l[0].healthy = 7; /* 7/10 * 1.4 = 98 % */
  assert_int_equal(ttb_balancer_levels(l, 3, 0, 0), TTB_OK);
  assert_int_equal(l[0].healthy_load, 98);
  assert_int_equal(l[1].healthy_load, 2);
  l[0].degraded = 3; /* healthy ones of all levels come before */
  assert_int_equal(ttb_balancer_levels(l, 3, 0, 0), TTB_OK);
  assert_int_equal(l[0].degraded_load, 0);
  assert_int_equal(l[1].healthy_load, 2);
  l[1].healthy = 0;
  assert_int_equal(ttb_balancer_levels(l, 3, 0, 0), TTB_OK);
  assert_int_equal(l[0].healthy_load, 98);
  assert_int_equal(l[0].degraded_load, 2);
}

static void panics(void **state) {
  ttb_level l[2] = {level(10, 3, 0), level(30, 3, 0)};
  (void)state;
  assert_int_equal(ttb_balancer_levels(l, 2, 0, 0), TTB_OK); /* 42 + 14 % */
  assert_int_equal(l[0].panic + l[1].panic, 2);
  assert_int_equal(l[0].healthy_load, 25); /* by endpoints */
  assert_int_equal(l[1].healthy_load, 75);
  assert_int_equal(ttb_balancer_levels(l, 2, 0, 200000), TTB_OK);
  assert_int_equal(l[0].panic, 0);
  assert_int_equal(l[1].panic, 1);
  assert_int_equal(l[0].healthy_load, 75);
  assert_int_equal(ttb_balancer_levels(l, 2, 0, TTB_OFF), TTB_OK);
  assert_int_equal(l[0].panic + l[1].panic, 0);
  l[0].healthy = l[1].healthy = 0;
  assert_int_equal(ttb_balancer_levels(l, 2, 0, TTB_OFF), TTB_OK);
  assert_int_equal(l[0].healthy_load + l[1].healthy_load, 0);
  assert_int_equal(ttb_balancer_levels(l, 2, 1000000000, 1), TTB_OK);
  assert_int_equal(l[0].panic, 1);
}

/* Whatever the counts: 100 percent or none at all, and to nobody who is not there. */
static void sums(void **state) {
  uint64_t z = 1;
  (void)state;
  for (int round = 0; round < 20000; round++) {
    ttb_level l[5];
    uint32_t available = 0;
    int32_t sum = 0, panicking = 0;
    for (int i = 0; i < 5; i++) {
      z = z * UINT64_C(6364136223846793005) + 1442695040888963407u;
      uint32_t n = (uint32_t)(z >> 40) % 8, healthy = n ? (uint32_t)(z >> 44) % (n + 1) : 0;
      l[i] = level(n, healthy, n > healthy ? (uint32_t)(z >> 50) % (n - healthy + 1) : 0);
      available += l[i].healthy + l[i].degraded;
    }
    int32_t panic = round % 2 ? 0 : TTB_OFF;
    assert_int_equal(ttb_balancer_levels(l, 5, 0, panic), TTB_OK);
    for (int i = 0; i < 5; i++) {
      sum += l[i].healthy_load + l[i].degraded_load;
      panicking += l[i].panic;
      assert_true(l[i].healthy_load >= 0 && l[i].degraded_load >= 0);
      if (l[i].endpoints == 0) assert_int_equal(l[i].healthy_load + l[i].degraded_load, 0);
    }
    for (int i = 0; i < 5 && panicking < 5; i++) {
      if (l[i].healthy == 0) assert_int_equal(l[i].healthy_load, 0);
      if (l[i].degraded == 0) assert_int_equal(l[i].degraded_load, 0);
    }
    if (available > 0) assert_int_equal(sum, 100);
    if (panic == TTB_OFF) assert_int_equal(panicking, 0);
  }
}

static void bad_counts(void **state) {
  ttb_level l[65];
  (void)state;
  for (int i = 0; i < 65; i++) l[i] = level(2, 1, 0);
  assert_int_equal(ttb_balancer_levels(NULL, 1, 0, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_levels(l, 0, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_levels(l, 65, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_levels(l, 64, 0, 0), TTB_OK);
  assert_int_equal(ttb_balancer_levels(l, 1, 999999, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_levels(l, 1, 1000000001, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_levels(l, 1, 0, 1000001), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_levels(l, 1, 0, -2), TTB_ERR_RANGE);
  l[0].degraded = 2; /* 3 of 2 */
  assert_int_equal(ttb_balancer_levels(l, 1, 0, 0), TTB_ERR_RANGE);
  l[0] = level(2, 1, 0);
  l[0].excluded = 3;
  assert_int_equal(ttb_balancer_levels(l, 1, 0, 0), TTB_ERR_RANGE);
  l[0] = level(UINT32_MAX, 1, 0);
  assert_int_equal(ttb_balancer_levels(l, 1, 0, 0), TTB_ERR_RANGE);
  l[0] = level(2, 1, 0);
  l[0].struct_size = 8;
  assert_int_equal(ttb_balancer_levels(l, 1, 0, 0), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(loads), cmocka_unit_test(panics),
                                     cmocka_unit_test(sums), cmocka_unit_test(bad_counts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
