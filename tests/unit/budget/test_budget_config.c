/* SPDX-License-Identifier: MIT */
/* lib/budget/budget_config.c: what is refused, and how it is worded. */
#include "fixture.h"

#include "check_rows.h"

static void expect(const ttb_budget_config *c, int32_t code, const char *field, int32_t index) {
  ttb_detail d = TTB_CONFIG(ttb_detail);
  assert_int_equal(ttb_budget_check(c, &d), code);
  assert_int_equal(d.code, code);
  if (field) assert_string_equal(d.field, field);
  assert_int_equal(d.index, index);
  if (code < 0) assert_int_equal(ttb_budget_size(c), code);
}

static void test_rows(void **unused) {
  (void)unused;
  assert_int_equal(check_rows(ttb_budget_field), 5);
}

static void test_ranges(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  expect(&c, TTB_OK, NULL, -1);
  c.replica_milli = 0;
  expect(&c, TTB_ERR_RANGE, "replica_milli", -1);
  c.replica_milli = -5;
  expect(&c, TTB_ERR_RANGE, "replica_milli", -1);
  c = plain_config();
  c.budget_ppm = 99;
  expect(&c, TTB_ERR_RANGE, "budget_ppm", -1);
  c = plain_config();
  c.min_replicas = 10, c.max_replicas = 9;
  expect(&c, TTB_ERR_RANGE, "max_replicas", -1);
  c.min_replicas = TTB_OFF;
  expect(&c, TTB_OK, NULL, -1);
  c.tick_ms = 999;
  expect(&c, TTB_ERR_RANGE, "tick_ms", -1);
  c = plain_config();
  c.startup_ms = 3600001;
  expect(&c, TTB_ERR_RANGE, "startup_ms", -1);
  c = plain_config();
  c.actions_a_day = 9;
  expect(&c, TTB_ERR_RANGE, "actions_a_day", -1);
  c.actions_a_day = TTB_OFF;
  expect(&c, TTB_OK, NULL, -1);
  c.flags = 4;
  expect(&c, TTB_ERR_RANGE, "flags", -1);
  c = plain_config();
  c.reserved = 1;
  expect(&c, TTB_ERR_UNSUPPORTED, "reserved", -1);
  assert_int_equal(ttb_budget_check(NULL, NULL), TTB_ERR_MISUSE);
}

static void test_curves(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  int64_t curve[3] = {5, 5, 9};
  c.carries_n = 3;
  expect(&c, TTB_ERR_MISUSE, "carries_milli", -1);
  c.carries_milli = curve;
  expect(&c, TTB_ERR_RANGE, "carries_milli", 1);
  curve[1] = 6;
  c.replica_milli = 0; /* not needed beside a curve */
  expect(&c, TTB_OK, NULL, -1);
  curve[0] = 0;
  expect(&c, TTB_ERR_RANGE, "carries_milli", 0);
  curve[0] = 1, curve[2] = (INT64_C(1) << 53) + 1;
  expect(&c, TTB_ERR_RANGE, "carries_milli", 2);
  c.carries_n = 1025;
  expect(&c, TTB_ERR_RANGE, "carries_n", -1);
}

static void test_fields(void **unused) {
  (void)unused;
  ttb_field f = {.struct_size = sizeof f};
  assert_int_equal(ttb_budget_field(0, 3, &f), TTB_OK);
  assert_string_equal(f.name, "budget_ppm");
  assert_int_equal(f.def, 10000);
  assert_int_equal(ttb_budget_field(5, 0, &f), TTB_ERR_RANGE);
  assert_int_equal(ttb_budget_field(0, 99, &f), TTB_ERR_RANGE);
  assert_int_equal(ttb_budget_field(0, 0, NULL), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_curves),
      cmocka_unit_test(test_fields),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
