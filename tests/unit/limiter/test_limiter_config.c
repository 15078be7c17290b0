/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/limiter_config.c: rows, ranges, rules between fields. */
#include "../../../lib/limiter/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)

#include "../../support/check_rows.h"

static ttb_detail d;
static int32_t check(const ttb_limiter_config *c) {
  d = (ttb_detail){.struct_size = sizeof d};
  return ttb_limiter_check(c, &d);
}

static void test_rows(void **state) {
  (void)state;
  assert_int_equal(check_rows(ttb_limiter_field), 4);
}

static void test_defaults(void **state) {
  (void)state;
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config), full;
  assert_int_equal(check(&c), TTB_OK);
  assert_int_equal(ttb__limiter_config_read(&c, &full, NULL), TTB_OK);
  assert_int_equal(full.kind, TTB_LIMITER_BULKHEAD);
  assert_int_equal(full.permits, 25);     /* resilience4j's bulkhead */
  assert_int_equal(full.lease_ms, TTB_OFF);
  assert_int_equal(full.ratio_ppm, 200000); /* finagle's budget: 20 %, 10 a second, 10 s */
  assert_int_equal(full.per_second, 10);
  assert_int_equal(full.window_ms, 10000);
  assert_int_equal(full.accept_ppm, 500000); /* K = 2 */
  assert_int_equal(full.max_reject_ppm, 800000);
}

static void test_struct_size(void **state) {
  (void)state;
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  struct {
    ttb_limiter_config c;
    uint64_t tail;
  } longer = {.c = {.struct_size = sizeof longer}};
  assert_int_equal(ttb_limiter_check(&longer.c, NULL), TTB_OK);
  longer.tail = 1;
  assert_int_equal(check(&longer.c), TTB_ERR_UNSUPPORTED);
  c.struct_size = 0;
  assert_int_equal(check(&c), TTB_ERR_RANGE);
  c.struct_size = sizeof c - 8;
  assert_int_equal(check(&c), TTB_ERR_RANGE);
  c.struct_size = UINT32_MAX;
  assert_int_equal(check(&c), TTB_ERR_RANGE);
  assert_int_equal(check(NULL), TTB_ERR_MISUSE);
}

/* Every field, just below and above its range. */
static void test_ranges(void **state) {
  (void)state;
  ttb_field f = {.struct_size = sizeof f};
  for (uint32_t i = 1; ttb_limiter_field(0, i, &f) == TTB_OK; i++) {
    if (f.type == TTB_TYPE_U64) continue;
    ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
    int32_t v = (int32_t)(f.max + 1);
    memcpy((char *)&c + f.offset, &v, 4);
    assert_int_equal(check(&c), TTB_ERR_RANGE);
    assert_string_equal(d.field, f.name);
    if (f.type != TTB_TYPE_I32) continue;
    v = -2;
    memcpy((char *)&c + f.offset, &v, 4);
    assert_int_equal(check(&c), TTB_ERR_RANGE);
  }
}

static void test_reserves(void **state) {
  (void)state;
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.permits = 10;
  c.reserve_1 = c.reserve_2 = c.reserve_3 = 9;
  assert_int_equal(check(&c), TTB_OK);
  c.reserve_3 = 10;
  assert_int_equal(check(&c), TTB_ERR_RANGE);
  assert_string_equal(d.field, "reserve_3");
  assert_int_equal(d.max, 9);
  c.kind = TTB_LIMITER_RATE; /* of no concern to a rate */
  assert_int_equal(check(&c), TTB_OK);
}

static void test_burst(void **state) {
  (void)state;
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_RATE;
  c.rate = 1;
  c.period_ms = 86400000; /* one a day */
  c.burst = 30;
  assert_int_equal(check(&c), TTB_OK);
  c.burst = 31;
  assert_int_equal(check(&c), TTB_ERR_RANGE);
  assert_string_equal(d.field, "burst");
  assert_int_equal(d.max, 30);
  c.rate = 1000000000;
  c.period_ms = 1;
  c.burst = 1000000000;
  assert_int_equal(check(&c), TTB_OK);
  c.rate = 3;
  c.period_ms = 1000;
  c.burst = 0;
  assert_int_equal(ttb__limiter_interval(3, 1000), 85333333334u); /* up */
}

/* What each algorithm has by default, and what follows from the other limits. */
static void test_limits(void **state) {
  (void)state;
  const uint32_t want[5][3] = {{0}, {20, 20, 200}, {1, 20, 1000}, {20, 20, 200}, {3, 20, 1000}};
  const int32_t windows[5] = {0, 100, 100, 1000, 100};
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config), full;
  c.kind = TTB_LIMITER_ADAPTIVE;
  for (c.algorithm = TTB_LIMIT_AIMD; c.algorithm <= TTB_LIMIT_GRADIENT; c.algorithm++) {
    assert_int_equal(ttb__limiter_config_read(&c, &full, NULL), TTB_OK);
    assert_int_equal(full.min_limit, want[c.algorithm][0]);
    assert_int_equal(full.initial_limit, want[c.algorithm][1]);
    assert_int_equal(full.max_limit, want[c.algorithm][2]);
    assert_int_equal(full.limit_window_ms, windows[c.algorithm]);
    assert_int_equal(full.limit_samples, c.algorithm == TTB_LIMIT_GRADIENT ? 1 : 10);
  }
  c.algorithm = 0;
  c.max_limit = 7; /* the others follow */
  assert_int_equal(ttb__limiter_config_read(&c, &full, NULL), TTB_OK);
  assert_int_equal(full.algorithm, TTB_LIMIT_GRADIENT2);
  assert_int_equal(full.min_limit, 7);
  assert_int_equal(full.initial_limit, 7);
  c.max_limit = 0, c.min_limit = 500;
  assert_int_equal(ttb__limiter_config_read(&c, &full, NULL), TTB_OK);
  assert_int_equal(full.max_limit, 500);
  c.max_limit = 499;
  assert_int_equal(check(&c), TTB_ERR_RANGE);
  assert_string_equal(d.field, "min_limit");
  c.min_limit = 10, c.initial_limit = 9;
  assert_int_equal(check(&c), TTB_ERR_RANGE);
  assert_string_equal(d.field, "initial_limit");
  assert_int_equal(d.min, 10);
  c.initial_limit = 500;
  assert_int_equal(check(&c), TTB_ERR_RANGE);
  c.initial_limit = 0, c.algorithm = TTB_LIMIT_AIMD, c.backoff_ppm = TTB_OFF;
  assert_int_equal(check(&c), TTB_ERR_RANGE);
  assert_string_equal(d.field, "backoff_ppm");
  c.algorithm = TTB_LIMIT_VEGAS;
  assert_int_equal(check(&c), TTB_OK);
  c.limit_window_ms = TTB_OFF;
  assert_int_equal(ttb__limiter_config_read(&c, &full, NULL), TTB_OK);
  assert_int_equal(full.limit_samples, 1);
}

static void test_field(void **state) {
  (void)state;
  ttb_field f = {.struct_size = sizeof f};
  assert_int_equal(ttb_limiter_field(0, 1, &f), TTB_OK);
  assert_string_equal(f.name, "kind");
  assert_int_equal(ttb_limiter_field(4, 0, &f), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_field(0, 99, &f), TTB_ERR_RANGE);
  assert_int_equal(ttb_limiter_field(0, 0, NULL), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),        cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_struct_size), cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_reserves),    cmocka_unit_test(test_burst),
      cmocka_unit_test(test_field),
      cmocka_unit_test(test_limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
