/* SPDX-License-Identifier: MIT */
/* lib/balancer/balancer_config.c: the rows tile their structs, the numbers of
 * algorithms are all there. */
#include "helper.h"

#include "../../../lib/balancer/balancer.h"

static void rows_tile(void **state) {
  static const uint32_t sizes[] = {sizeof(ttb_balancer_config), sizeof(ttb_balancer_info),
                                   sizeof(ttb_balancer_stats), sizeof(ttb_endpoint),
                                   sizeof(ttb_load), sizeof(ttb_pick),
                                   sizeof(ttb_level)};
  static const uint32_t widths[] = {0, 4, 4, 8, 8, 8, sizeof(void *)};
  ttb_field f = TTB_CONFIG(ttb_field);
  (void)state;
  for (uint32_t which = 0; which < 7; which++) {
    uint32_t at = 0, index = 0;
    while (ttb_balancer_field(which, index++, &f) == TTB_OK) {
      assert_int_equal(f.offset, at);
      assert_int_equal(f.type_size, sizes[which]);
      at += widths[f.type];
    }
    assert_int_equal(at, sizes[which]);
  }
  assert_int_equal(ttb_balancer_field(7, 0, &f), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_field(0, 0, NULL), TTB_ERR_MISUSE);
}

static void algorithms(void **state) {
  (void)state;
  for (uint32_t i = 1; i <= 17; i++) assert_int_equal(ttb__balancer_algorithm(i)->number, i);
  assert_null(ttb__balancer_algorithm(0));
  assert_null(ttb__balancer_algorithm(18));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rows_tile), cmocka_unit_test(algorithms)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
