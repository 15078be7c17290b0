/* SPDX-License-Identifier: MIT */
/* lib/balancer/apportion.c; tests/property/prop_balancer_hashes.c compares it with
 * the sorted list of all claims. */
#include "helper.h"

#include "../../../lib/balancer/apportion.h"

static void known(void **state) {
  static const struct {
    uint32_t n, m, weight[5], share[5];
  } cases[] = {
      {1, 7, {3}, {7}},
      {3, 3, {1, 65535, 1}, {1, 1, 1}},             /* one for everybody first */
      {3, 7, {1, 1, 1}, {3, 2, 2}},                 /* of equals the first listed */
      {2, 10, {65535, 1}, {9, 1}},
      {2, 3, {2, 1}, {2, 1}},
      {5, 100, {5300, 2400, 1000, 800, 500}, {53, 24, 10, 8, 5}}, /* exact where it can be */
      {5, 26, {9061, 7179, 5259, 3319, 1182}, {9, 8, 5, 3, 1}},
      {5, 5000011, {1, 2, 3, 4, 65535}, {76, 153, 229, 305, 4999248}},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint32_t share[5] = {0}, sum = 0;
    ttb__apportion(cases[i].weight, share, cases[i].n, cases[i].m);
    for (uint32_t k = 0; k < cases[i].n; k++) {
      assert_int_equal(share[k], cases[i].share[k]);
      sum += share[k];
    }
    assert_int_equal(sum, cases[i].m);
  }
}

/* Whatever a hostile neighbour makes of the weights while they are read: it ends. */
static void nonsense(void **state) {
  uint32_t weight[] = {0, UINT32_MAX, 0, 7}, share[4];
  (void)state;
  ttb__apportion(weight, share, 4, 101);
  ttb__apportion(weight, share, 1, 5000011);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known), cmocka_unit_test(nonsense)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
