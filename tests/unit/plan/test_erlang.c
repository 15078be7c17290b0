/* SPDX-License-Identifier: MIT */
/* lib/plan/erlang.c */
#include "close.h"

/* wait -1: the queue grows without end. The last ones by the recursion with 50
 * digits. */
static const struct {
  double load;
  uint32_t servers;
  double b, c, wait;
} rows[] = {
    {0.5, 1, 0.3333333333333333, 0.5, 1.0},
    {1, 1, 0.5, 1.0, -1.0},
    {1, 3, 0.0625, 0.09090909090909091, 0.045454545454545456},
    {2, 0, 1.0, 1.0, -1.0},
    {2, 1, 0.6666666666666666, 1.0, -1.0},
    {10, 12, 0.11973918844482515, 0.44938822429827086, 0.22469411214913543},
    {10, 5, 0.5639521768554027, 1.0, -1.0},
    {10, 40, 5.564294565211516e-13, 7.419059420280645e-13, 2.473019806760215e-14},
    {100, 100, 0.07570045271086097, 1.0, -1.0},
    {100, 130, 0.0005762362270707728, 0.0024922365939338284, 8.307455313112761e-05},
    {100, 1, 0.9900990099009901, 1.0, -1.0},
    {500, 508, 0.025530244307760328, 0.6245744191742593, 0.07807180239678241},
    {0.1, 3, 0.00015080681646810438, 0.00015600624024961, 5.379525525848621e-05},
    {1e-09, 2, 4.999999995e-19, 4.999999997500001e-19, 2.5e-19},
    {3.7, 9, 0.008897615366218381, 0.015015886348275314, 0.0028331861034481725},
    {1000, 1056, 0.0027366648430201847, 0.04920126265175117, 0.000878593975924128},
    {1e-200, 1, 1e-200, 1e-200, 1e-200},
    {1e-200, 2, 0.0, 0.0, 0.0},
    {1e6, 1000000, 0.000797460306855561, 1, -1},
    {990000, 1000000, 5.499543126526709e-26, 5.499543126526709e-24, 5.499543126526709e-28},
    {999000.5, 1000000, 0.0002876065727890917, 0.22350194409586716, 0.22350194409586716 / 999.5},
    {2e6, 1000000, 0.500000499998, 1, -1},
};

static void test_formulas(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    double v = UNTOUCHED, part = rows[i].servers > 2000 ? 1e-11 : NEAR;
    assert_int_equal(ttb_plan_erlang_b(rows[i].load, rows[i].servers, &v), TTB_OK);
    assert_close(v, rows[i].b, part);
    assert_int_equal(ttb_plan_erlang_c(rows[i].load, rows[i].servers, &v), TTB_OK);
    assert_close(v, rows[i].c, part);
    v = UNTOUCHED;
    if (rows[i].wait < 0) {
      assert_int_equal(ttb_plan_wait(rows[i].load, rows[i].servers, &v), TTB_LIMIT);
      assert_true(v == UNTOUCHED);
    } else {
      assert_int_equal(ttb_plan_wait(rows[i].load, rows[i].servers, &v), TTB_OK);
      assert_close(v, rows[i].wait, part);
    }
  }
}

static void test_ends(void **state) {
  (void)state;
  double v;
  assert_int_equal(ttb_plan_erlang_b(0, 0, &v), TTB_OK);
  assert_true(v == 1);
  assert_int_equal(ttb_plan_erlang_b(0, 1, &v), TTB_OK);
  assert_true(v == 0);
  assert_int_equal(ttb_plan_erlang_c(0, 1, &v), TTB_OK);
  assert_true(v == 0);
  assert_int_equal(ttb_plan_wait(0, 1, &v), TTB_OK);
  assert_true(v == 0);
  assert_int_equal(ttb_plan_erlang_b(DBL_TRUE_MIN, 3, &v), TTB_OK);
  assert_true(v == 0);
  assert_int_equal(ttb_plan_erlang_b(1, TTB_PLAN_MAX, &v), TTB_OK);
  assert_true(v == 0);
  assert_int_equal(ttb_plan_erlang_b(TTB_PLAN_MAX, TTB_PLAN_MAX, &v), TTB_OK);
  assert_true(v > 0.00025 && v < 0.00026);
  /* Just above the load: everybody waits, for very long. */
  assert_int_equal(ttb_plan_wait(nextafter(1, 0), 1, &v), TTB_OK);
  assert_close(v, 9007199254740991.0, NEAR);
}

static void test_wait_over(void **state) {
  (void)state;
  static const struct {
    double load;
    uint32_t servers;
    double wait, share;
  } over[] = {
      {10, 12, 0, 0.44938822429827086},
      {10, 12, 0.5, 0.16532068882387466},
      {10, 12, 1, 0.06081808261860492},
      {10, 14, 2, 5.841475604554111e-05},
      {1000, 1005, 1, 0.0055064850584989585},
      {1, 2, 100, 1.2400253253402787e-44},
      {1, 2, 600, 8.834655176681036e-262},
      {1, 2, 680, 0}, /* 1.6e-296 */
      {1, 2, 1e15, 0},
      {0.5, 3, 0.25, 0.008110021644227125},
      {3, 3, 1e15, 1},
      {3, 0, 1, 1},
  };
  for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
    double v = UNTOUCHED;
    assert_int_equal(ttb_plan_wait_over(over[i].load, over[i].servers, over[i].wait, &v), TTB_OK);
    assert_close(v, over[i].share, 2e-13);
  }
}

static void test_servers(void **state) {
  (void)state;
  assert_int_equal(ttb_plan_servers(10, 0, 0.05), 17);
  assert_int_equal(ttb_plan_servers(10, 0.5, 0.01), 15);
  assert_int_equal(ttb_plan_servers(10, 2, 0.5), 11);
  assert_int_equal(ttb_plan_servers(100, 0.1, 0.001), 125);
  assert_int_equal(ttb_plan_servers(0.01, 0, 0.05), 1);
  assert_int_equal(ttb_plan_servers(0.01, 0, 1), 1);
  assert_int_equal(ttb_plan_servers(10, 0, 1), 11); /* 10 would never catch up */
  assert_int_equal(ttb_plan_servers(1000, 0, 0.2), 1034);
  assert_int_equal(ttb_plan_servers(99999.5, 0, 0.01), 100752);
  assert_int_equal(ttb_plan_servers(12, 1, 1e-9), 26);
  assert_int_equal(ttb_plan_servers(1, 0, 1e-280), 158);
  assert_int_equal(ttb_plan_servers(0, 0, 0.01), 0);
  assert_int_equal(ttb_plan_servers(DBL_TRUE_MIN, 0, 0.01), 1);
  assert_int_equal(ttb_plan_servers(TTB_PLAN_MAX, 0, 0.5), TTB_LIMIT);
  assert_int_equal(ttb_plan_servers(TTB_PLAN_MAX - 1, 0, 1e-9), TTB_LIMIT);
  assert_int_equal(ttb_plan_servers(TTB_PLAN_MAX - 1, 0, 1), TTB_PLAN_MAX);
}

static void test_servers_blocked(void **state) {
  (void)state;
  assert_int_equal(ttb_plan_servers_blocked(10, 0.01), 18);
  assert_int_equal(ttb_plan_servers_blocked(10, 0.5), 6);
  assert_int_equal(ttb_plan_servers_blocked(10, 1), 0);
  assert_int_equal(ttb_plan_servers_blocked(100, 0.001), 128);
  assert_int_equal(ttb_plan_servers_blocked(1.5, 0.02), 5);
  assert_int_equal(ttb_plan_servers_blocked(20000, 0.3), 14003);
  assert_int_equal(ttb_plan_servers_blocked(1e-5, 0.5), 1);
  assert_int_equal(ttb_plan_servers_blocked(5, 1e-280), 227);
  assert_int_equal(ttb_plan_servers_blocked(0, 1e-280), 0);
  assert_int_equal(ttb_plan_servers_blocked(TTB_PLAN_MAX, 1e-9), TTB_LIMIT);
}

static void test_refuses(void **state) {
  (void)state;
  double v = UNTOUCHED;
  assert_int_equal(ttb_plan_erlang_b(1, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_erlang_c(1, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_wait(1, 2, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_wait_over(1, 1, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_plan_erlang_b(1, TTB_PLAN_MAX + 1, &v), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_erlang_c(1, UINT32_MAX, &v), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_wait(1, UINT32_MAX, &v), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_erlang_b(TTB_PLAN_MAX + 0.5, 1, &v), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_servers(1, 0, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_servers(1, 0, 1e-291), TTB_ERR_RANGE);
  assert_int_equal(ttb_plan_servers_blocked(1, 0), TTB_ERR_RANGE);
  for (size_t i = 0; i < NEVER; i++) {
    double x = never[i];
    assert_int_equal(ttb_plan_erlang_b(x, 2, &v), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_erlang_c(x, 2, &v), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_wait(x, 2, &v), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_wait_over(x, 2, 1, &v), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_wait_over(1, 2, x, &v), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_servers(x, 0, 0.5), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_servers(1, x, 0.5), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_servers(1, 0, x), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_servers_blocked(x, 0.5), TTB_ERR_RANGE);
    assert_int_equal(ttb_plan_servers_blocked(1, x), TTB_ERR_RANGE);
  }
  assert_true(v == UNTOUCHED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_formulas), cmocka_unit_test(test_ends),
      cmocka_unit_test(test_wait_over), cmocka_unit_test(test_servers),
      cmocka_unit_test(test_servers_blocked), cmocka_unit_test(test_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
