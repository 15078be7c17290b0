/* SPDX-License-Identifier: MIT */
/* lib/router/rtt.h. Expected values: the round-trip suite of the MongoDB
 * drivers' server selection specification (alpha 0.2). */
#include "fleet.h"

#include "../../../lib/router/rtt.h"

static void test_first_is_the_average(void **state) {
  (void)state;
  assert_int_equal(ttb__rtt_ns(0), -1);
  assert_int_equal(ttb__rtt_ns(ttb__rtt_next(0, 10 * MS)), 10 * MS);
  assert_int_equal(ttb__rtt_ns(ttb__rtt_next(0, 0)), 0);
}

static void test_values(void **state) {
  static const struct {
    uint64_t average, sample, expect;
  } v[] = {{0, 5000000, 1000000},
           {3100000, 36000000, 9680000},
           {9120000, 9120000, 9120000},
           {1000000, 1000000000, 200800000},
           {0, 250000, 50000}};
  (void)state;
  for (size_t i = 0; i < sizeof v / sizeof *v; i++)
    assert_int_equal(ttb__rtt_ns(ttb__rtt_next(ttb__rtt_next(0, v[i].average), v[i].sample)),
                     v[i].expect);
}

static void test_huge_samples_are_cut(void **state) {
  (void)state;
  uint64_t w = 0;
  for (int i = 0; i < 100; i++) w = ttb__rtt_next(w, UINT64_MAX);
  assert_int_equal(ttb__rtt_ns(w), TTB__RTT_MAX_NS);
}

static void test_foreign_words_heal(void **state) {
  (void)state;
  assert_int_equal(ttb__rtt_ns(ttb__rtt_next(UINT64_MAX, 7 * MS)), 7 * MS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_first_is_the_average),
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_huge_samples_are_cut),
      cmocka_unit_test(test_foreign_words_heal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
