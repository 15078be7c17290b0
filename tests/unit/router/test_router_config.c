/* SPDX-License-Identifier: MIT */
/* lib/router/router_config.c: what can be said, and what is refused. */
#include "fleet.h"

#include "check_rows.h"

static int32_t check(const ttb_router_config *c, ttb_detail *d) {
  *d = TTB_CONFIG(ttb_detail);
  return ttb_router_check(c, d);
}

static void test_rows(void **state) {
  (void)state;
  assert_int_equal(check_rows(ttb_router_field), 5);
}

static void test_ranges(void **state) {
  (void)state;
  ttb_detail d;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  assert_int_equal(check(&c, &d), TTB_OK);
  assert_int_equal(check(NULL, &d), TTB_ERR_MISUSE);
#define REFUSED(name, value)                             \
  do {                                                    \
    c = TTB_CONFIG(ttb_router_config);                    \
    c.name = value;                                       \
    assert_int_equal(check(&c, &d), TTB_ERR_RANGE);       \
    assert_string_equal(d.field, #name);                  \
    assert_int_equal(d.got, (int64_t)c.name);            \
  } while (0)
  REFUSED(capacity, 65);
  REFUSED(threads, 255);
  REFUSED(mode, 6);
  REFUSED(claims, 3);
  REFUSED(flags, 8);
  REFUSED(max_lag_ms, 16777215);
  REFUSED(max_lag_ms, -2);
  REFUSED(hard_lag_ms, 29999); /* below max_lag_ms */
  REFUSED(min_replicas, 65);
  REFUSED(ttl_ms, 86400001);
  REFUSED(window_us, 60000001);
  c = TTB_CONFIG(ttb_router_config);
  c.reserved = 1; /* a field of a later library */
  assert_int_equal(check(&c, &d), TTB_ERR_UNSUPPORTED);
  c = TTB_CONFIG(ttb_router_config);
  c.max_lag_ms = TTB_OFF;
  c.hard_lag_ms = 60000; /* nothing to give way from */
  assert_int_equal(check(&c, &d), TTB_ERR_RANGE);
  c = TTB_CONFIG(ttb_router_config);
  c.max_lag_ms = c.ttl_ms = c.window_us = c.hard_lag_ms = TTB_OFF;
  assert_int_equal(check(&c, &d), TTB_OK);
  c.struct_size = 8;
  assert_int_equal(check(&c, &d), TTB_ERR_RANGE);
}

static void test_unknown_tail(void **state) {
  (void)state;
  struct {
    ttb_router_config c;
    uint64_t tail;
  } big;
  memset(&big, 0, sizeof big);
  big.c.struct_size = sizeof big;
  assert_int_equal(ttb_router_check(&big.c, NULL), TTB_OK);
  big.tail = 1;
  assert_int_equal(ttb_router_check(&big.c, NULL), TTB_ERR_UNSUPPORTED);

  fleet f = fleet_plain();
  struct {
    ttb_router_wants w;
    uint64_t tail;
  } wants;
  memset(&wants, 0, sizeof wants);
  wants.w.struct_size = sizeof wants;
  assert_int_equal(ttb_router_read(&f.mine, &wants.w, T0), TTB_NO_ENDPOINT);
  wants.tail = 1;
  assert_int_equal(ttb_router_read(&f.mine, &wants.w, T0), TTB_ERR_UNSUPPORTED);
  fleet_end(&f);
}

static void test_wants(void **state) {
  (void)state;
  fleet f = fleet_plain();
  ttb_router_wants good = TTB_CONFIG(ttb_router_wants), w = good;
  assert_int_equal(ttb_router_read(&f.mine, &w, T0), TTB_NO_ENDPOINT);
  w.mode = 6;
  assert_int_equal(ttb_router_read(&f.mine, &w, T0), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_explain(&f.mine, &w, T0, NULL, 0), TTB_ERR_RANGE);
  w = good;
  w.max_lag_ms = -2;
  assert_int_equal(ttb_router_read(&f.mine, &w, T0), TTB_ERR_RANGE);
  w.max_lag_ms = 16777215;
  assert_int_equal(ttb_router_read(&f.mine, &w, T0), TTB_ERR_RANGE);
  w = good;
  w.reserved = 1;
  assert_int_equal(ttb_router_read(&f.mine, &w, T0), TTB_ERR_UNSUPPORTED);
  w = good;
  w.struct_size = 4;
  assert_int_equal(ttb_router_read(&f.mine, &w, T0), TTB_ERR_RANGE);
  fleet_end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_unknown_tail),
      cmocka_unit_test(test_wants),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
