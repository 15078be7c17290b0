/* SPDX-License-Identifier: MIT */
/* lib/balancer/zones.c: what stays in a zone. Envoy's own cases are vectors. */
#include "helper.h"

static void shares(void **state) {
  uint32_t residual[3];
  (void)state;
  /* Endpoints are where clients are: all stay. */
  uint32_t even[] = {5, 5, 10}, half[] = {1, 1, 2}, less[] = {5, 15, 20}, none[3] = {0};
  assert_int_equal(ttb_balancer_zones(0, half, even, 3, residual), 10000);
  assert_int_equal(residual[2], 0);
  /* A quarter of the clients, an eighth of the endpoints: half of them stay. */
  assert_int_equal(ttb_balancer_zones(0, half, less, 3, residual), 5000);
  assert_int_equal(residual[0], 0);
  assert_int_equal(residual[1], 1250); /* 3/8 - 1/4 */
  assert_int_equal(residual[2], 1250);
  assert_int_equal(ttb_balancer_zones(2, half, less, 3, residual), 10000);
  assert_int_equal(ttb_balancer_zones(0, half, none, 3, residual), 0);
  assert_int_equal(residual[2], 0);
  assert_int_equal(ttb_balancer_zones(0, none, even, 3, residual), 10000);
}

/* With every zone's clients sending by this rule, all endpoints get alike: the load
 * of a zone is its share of endpoints. */
static void balanced(void **state) {
  uint64_t z = 7;
  (void)state;
  for (int round = 0; round < 5000; round++) {
    uint32_t clients[6], endpoints[6], residual[6], n = 6;
    double load[6] = {0}, all_clients = 0, all_endpoints = 0;
    for (uint32_t i = 0; i < n; i++) {
      z = z * UINT64_C(6364136223846793005) + 1442695040888963407u;
      clients[i] = (uint32_t)(z >> 40) % 50, endpoints[i] = (uint32_t)(z >> 50) % 50 + 1;
      all_clients += clients[i], all_endpoints += endpoints[i];
    }
    if (all_clients == 0) continue;
    for (uint32_t i = 0; i < n; i++) {
      double mine = clients[i] / all_clients;
      double stay = ttb_balancer_zones(i, clients, endpoints, n, residual) / 10000.0;
      load[i] += mine * stay;
      for (uint32_t k = 0; k < n && residual[n - 1] > 0; k++)
        load[k] += mine * (1 - stay) * (residual[k] - (k ? residual[k - 1] : 0)) / residual[n - 1];
    }
    for (uint32_t i = 0; i < n; i++) {
      double off = load[i] - endpoints[i] / all_endpoints;
      assert_true(off < 0.005 && off > -0.005);
    }
  }
}

static void bad_zones(void **state) {
  uint32_t a[65] = {0}, residual[65];
  (void)state;
  assert_int_equal(ttb_balancer_zones(0, NULL, a, 3, residual), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_zones(0, a, NULL, 3, residual), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_zones(0, a, a, 3, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_zones(3, a, a, 3, residual), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_zones(0, a, a, 0, residual), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_zones(0, a, a, 65, residual), TTB_ERR_RANGE);
  for (int i = 0; i < 64; i++) a[i] = UINT32_MAX;
  assert_int_equal(ttb_balancer_zones(0, a, a, 64, residual), 10000);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(shares), cmocka_unit_test(balanced),
                                     cmocka_unit_test(bad_zones)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
