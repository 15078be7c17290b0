/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/config.c: rows at work, and the rows of all modules. */
#include "../../../lib/base/config.h"

#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <trimtab/breaker.h>
#if __has_include(<trimtab/balancer.h>)
#include <trimtab/balancer.h>
#define HAVE_BALANCER
#endif
#if __has_include(<trimtab/health.h>)
#include <trimtab/health.h>
#define HAVE_HEALTH
#endif
#if __has_include(<trimtab/autoscaler.h>)
#include <trimtab/autoscaler.h>
#define HAVE_AUTOSCALER
#endif
#if __has_include(<trimtab/budget.h>)
#include <trimtab/budget.h>
#define HAVE_BUDGET
#endif
#if __has_include(<trimtab/router.h>)
#include <trimtab/router.h>
#define HAVE_ROUTER
#endif
#if __has_include(<trimtab/pool.h>)
#include <trimtab/pool.h>
#define HAVE_POOL
#endif

#include "check_rows.h"

/* A struct with a field of every type. */
typedef struct every {
  uint32_t struct_size;
  uint32_t count;
  int32_t signed_one;
  int32_t may_be_off;
  uint64_t wide;
  int64_t wide_signed;
  double real;
  double real_or_off;
  uint64_t any;
  uint32_t last;
  uint32_t reserved;
} every;

static const ttb__field every_rows[] = {
    TTB__FIELD(every, U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    TTB__FIELD(every, U32, count, "", 1, 4000000000, 7, 0),
    TTB__FIELD(every, I32, signed_one, "", -10, 10, 3, 0),
    TTB__FIELD(every, I32, may_be_off, "ms", 5, 100, 50, TTB__MAY_BE_OFF),
    TTB__FIELD(every, U64, wide, "ns", 1, INT64_MAX, 9, 0),
    TTB__FIELD(every, I64, wide_signed, "", INT64_MIN, INT64_MAX, 4, 0),
    TTB__FIELD(every, F64, real, "", -2, 100, 1, 0),
    TTB__FIELD(every, F64, real_or_off, "", 1, 100, 2, TTB__MAY_BE_OFF),
    TTB__FIELD(every, U64, any, "", 0, 0, 0, TTB__ANY),
    TTB__FIELD(every, U32, last, "", 1, 2, 1, 0),
    TTB__FIELD(every, U32, reserved, "", 0, 0, 0, 0),
};
/* Its first release ended after wide_signed. */
static const ttb__struct every_fields = {"every", every_rows,
                                         sizeof every_rows / sizeof every_rows[0], sizeof(every),
                                         offsetof(every, real)};

static int32_t every_field(uint32_t which, uint32_t index, ttb_field *ret) {
  static const ttb__struct *const all[] = {&every_fields};
  return ttb__field_get(all, 1, which, index, ret);
}

static int32_t read_every(const void *src, every *dst, ttb_detail *d) {
  return ttb__config_read(&every_fields, src, dst, -1, d);
}

static void test_zeros_become_defaults(void **state) {
  (void)state;
  every c = {.struct_size = sizeof c}, r;
  ttb_detail d = {.struct_size = sizeof d, .code = 1, .field = "x"};
  assert_int_equal(read_every(&c, &r, &d), TTB_OK);
  assert_int_equal(r.struct_size, sizeof r);
  assert_int_equal(r.count, 7);
  assert_int_equal(r.signed_one, 3);
  assert_int_equal(r.may_be_off, 50);
  assert_true(r.wide == 9 && r.wide_signed == 4 && r.any == 0);
  assert_true(r.real == 1 && r.real_or_off == 2);
  assert_int_equal(r.last, 1);
  assert_int_equal(d.code, TTB_OK);
  assert_null(d.field);
  assert_int_equal(d.index, -1);
}

static void test_ends_of_ranges(void **state) {
  (void)state;
  every c = {.struct_size = sizeof c, .count = 4000000000u, .signed_one = -10, .may_be_off = 5,
             .wide = INT64_MAX, .wide_signed = INT64_MIN, .real = -2, .real_or_off = 100,
             .any = UINT64_MAX, .last = 2}, r;
  assert_int_equal(read_every(&c, &r, NULL), TTB_OK);
  assert_memory_equal(&c, &r, sizeof c);
  c.may_be_off = TTB_OFF;
  c.real_or_off = TTB_OFF;
  c.real = 0.001; /* not zero: no default takes its place */
  assert_int_equal(read_every(&c, &r, NULL), TTB_OK);
  assert_memory_equal(&c, &r, sizeof c);
  c.real = -0.5;
  assert_int_equal(read_every(&c, &r, NULL), TTB_OK);
  assert_true(r.real == -0.5);
  c.real = -0.0; /* is zero */
  assert_int_equal(read_every(&c, &r, NULL), TTB_OK);
  assert_true(r.real == 1);
}

static void refuse_with(const every *c, int32_t code, const char *field, int64_t got, int64_t min,
                        int64_t max) {
  every r, before;
  ttb_detail d = {.struct_size = sizeof d};
  memset(&r, 0x5c, sizeof r);
  before = r;
  assert_int_equal(read_every(c, &r, &d), code);
  assert_memory_equal(&r, &before, sizeof r); /* outputs are untouched */
  assert_int_equal(d.code, code);
  assert_string_equal(d.field, field);
  assert_int_equal(d.index, -1);
  assert_true(d.got == got);
  assert_true(d.min == min);
  assert_true(d.max == max);
  assert_int_equal(read_every(c, &r, NULL), code);
}

static void test_out_of_range(void **state) {
  (void)state;
  const every good = {.struct_size = sizeof good};
  every c = good;
  c.count = UINT32_MAX;
  refuse_with(&c, TTB_ERR_RANGE, "count", UINT32_MAX, 1, 4000000000);
  c = good, c.signed_one = 11;
  refuse_with(&c, TTB_ERR_RANGE, "signed_one", 11, -10, 10);
  c = good, c.signed_one = -11;
  refuse_with(&c, TTB_ERR_RANGE, "signed_one", -11, -10, 10);
  c = good, c.may_be_off = -2;
  refuse_with(&c, TTB_ERR_RANGE, "may_be_off", -2, 5, 100);
  c = good, c.may_be_off = 4;
  refuse_with(&c, TTB_ERR_RANGE, "may_be_off", 4, 5, 100);
  c = good, c.wide = (uint64_t)INT64_MAX + 1;
  refuse_with(&c, TTB_ERR_RANGE, "wide", INT64_MIN, 1, INT64_MAX);
  c = good, c.last = 3;
  refuse_with(&c, TTB_ERR_RANGE, "last", 3, 1, 2);
}

static void test_doubles_out_of_range(void **state) {
  (void)state;
  const every good = {.struct_size = sizeof good};
  every c = good;
  c.real = 100.5;
  refuse_with(&c, TTB_ERR_RANGE, "real", 100, -2, 100);
  c.real = -2.25;
  refuse_with(&c, TTB_ERR_RANGE, "real", -2, -2, 100);
  c.real = 1e300;
  refuse_with(&c, TTB_ERR_RANGE, "real", INT64_MAX, -2, 100);
  c.real = -INFINITY;
  refuse_with(&c, TTB_ERR_RANGE, "real", INT64_MIN, -2, 100);
  c.real = NAN;
  refuse_with(&c, TTB_ERR_RANGE, "real", INT64_MIN, -2, 100);
  c = good, c.real_or_off = 0.5; /* below min, and not the default's 0 */
  refuse_with(&c, TTB_ERR_RANGE, "real_or_off", 0, 1, 100);
  c.real_or_off = -1.5;
  refuse_with(&c, TTB_ERR_RANGE, "real_or_off", -1, 1, 100);
}

/* A reserved field is one a newer library may know. */
static void test_reserved(void **state) {
  (void)state;
  every c = {.struct_size = sizeof c, .reserved = 1};
  refuse_with(&c, TTB_ERR_UNSUPPORTED, "reserved", 1, 0, 0);
}

static void test_struct_size(void **state) {
  (void)state;
  every c = {.struct_size = 0};
  refuse_with(&c, TTB_ERR_RANGE, "struct_size", 0, offsetof(every, real), 65536);
  c.struct_size = offsetof(every, real) - 1;
  refuse_with(&c, TTB_ERR_RANGE, "struct_size", offsetof(every, real) - 1, offsetof(every, real),
              65536);
  c.struct_size = 65537;
  refuse_with(&c, TTB_ERR_RANGE, "struct_size", 65537, offsetof(every, real), 65536);
  c.struct_size = UINT32_MAX;
  refuse_with(&c, TTB_ERR_RANGE, "struct_size", UINT32_MAX, offsetof(every, real), 65536);
}

/* A program older than the library: what it does not know has its default,
 * whatever lies behind its struct in memory. */
static void test_older_program(void **state) {
  (void)state;
  every c, r;
  memset(&c, 0xff, sizeof c);
  memset(&c, 0, offsetof(every, real));
  c.struct_size = offsetof(every, real);
  c.count = 12;
  assert_int_equal(read_every(&c, &r, NULL), TTB_OK);
  assert_int_equal(r.struct_size, sizeof r);
  assert_int_equal(r.count, 12);
  assert_true(r.real == 1);
  assert_int_equal(r.last, 1);
}

/* A program newer than the library: taken unless it uses what is new. */
static void test_newer_program(void **state) {
  (void)state;
  struct {
    every known;
    uint32_t more[4];
  } c = {.known = {.struct_size = sizeof c, .count = 5}};
  every r;
  ttb_detail d = {.struct_size = sizeof d};
  assert_int_equal(read_every(&c, &r, &d), TTB_OK);
  assert_int_equal(r.count, 5);
  assert_int_equal(r.struct_size, sizeof r);
  c.more[3] = 1u << 24;
  assert_int_equal(read_every(&c, &r, &d), TTB_ERR_UNSUPPORTED);
  assert_string_equal(d.field, "every");
  assert_true(d.got == sizeof c && d.max == sizeof(every));
}

static void test_null(void **state) {
  (void)state;
  every c = {.struct_size = sizeof c};
  ttb_detail d = {.struct_size = sizeof d};
  assert_int_equal(ttb__config_read(&every_fields, NULL, &c, -1, &d), TTB_ERR_MISUSE);
  assert_int_equal(d.code, TTB_ERR_MISUSE);
  assert_int_equal(ttb__config_read(&every_fields, &c, NULL, -1, NULL), TTB_ERR_MISUSE);
}

static void test_index_goes_to_the_detail(void **state) {
  (void)state;
  every c = {.struct_size = sizeof c, .last = 9};
  ttb_detail d = {.struct_size = sizeof d};
  assert_int_equal(ttb__config_read(&every_fields, &c, &c, 17, &d), TTB_ERR_RANGE);
  assert_int_equal(d.index, 17);
}

/* Fills a caller's detail of whatever size, and not a byte more. */
static void test_detail_of_any_size(void **state) {
  (void)state;
  unsigned char raw[sizeof(ttb_detail) + 8];
  for (uint32_t n = 0; n <= sizeof raw; n++) {
    ttb_detail d;
    memset(raw, '#', sizeof raw);
    memcpy(raw, &n, sizeof n);
    assert_int_equal(ttb__fail((ttb_detail *)(void *)raw, TTB_ERR_RANGE, "f", 2, 3, 4, 5),
                     TTB_ERR_RANGE);
    for (size_t i = n < sizeof d ? (n > 4 ? n : 4) : sizeof d; i < sizeof raw; i++)
      assert_int_equal(raw[i], '#');
    memcpy(&d, raw, sizeof d);
    assert_int_equal(d.struct_size, n);
    if (n >= 8) assert_int_equal(d.code, TTB_ERR_RANGE);
    if (n >= sizeof d) assert_string_equal(d.field, "f");
  }
  assert_int_equal(ttb__fail(NULL, TTB_AGAIN, "f", 0, 0, 0, 0), TTB_AGAIN);
}

static void test_write_outputs(void **state) {
  (void)state;
  every full = {.count = 1, .wide = 2, .last = 3}, ret;
  memset(&ret, 0x11, sizeof ret);
  ret.struct_size = sizeof ret;
  assert_int_equal(ttb__struct_write(&every_fields, &full, &ret), TTB_OK);
  assert_int_equal(ret.struct_size, sizeof ret);
  assert_true(ret.count == 1 && ret.wide == 2 && ret.last == 3);

  memset(&ret, 0x11, sizeof ret); /* a shorter one: nothing behind it is touched */
  ret.struct_size = offsetof(every, real);
  assert_int_equal(ttb__struct_write(&every_fields, &full, &ret), TTB_OK);
  assert_int_equal(ret.count, 1);
  assert_int_equal(ret.last, 0x11111111);

  struct {
    every known;
    uint32_t more[4];
  } longer;
  memset(&longer, 0x11, sizeof longer); /* a longer one: the rest is 0 */
  longer.known.struct_size = sizeof longer;
  assert_int_equal(ttb__struct_write(&every_fields, &full, &longer), TTB_OK);
  assert_int_equal(longer.known.last, 3);
  assert_int_equal(longer.more[0] | longer.more[3], 0);

  memset(&ret, 0x11, sizeof ret);
  ret.struct_size = 8;
  every before = ret;
  assert_int_equal(ttb__struct_write(&every_fields, &full, &ret), TTB_ERR_RANGE);
  assert_memory_equal(&ret, &before, sizeof ret);
  ret.struct_size = 70000;
  assert_int_equal(ttb__struct_write(&every_fields, &full, &ret), TTB_ERR_RANGE);
  assert_int_equal(ttb__struct_write(&every_fields, &full, NULL), TTB_ERR_MISUSE);
}

static void test_reflection(void **state) {
  (void)state;
  ttb_field f = {.struct_size = sizeof f};
  assert_int_equal(every_field(0, 3, &f), TTB_OK);
  assert_string_equal(f.name, "may_be_off");
  assert_string_equal(f.unit, "ms");
  assert_string_equal(f.type_name, "every");
  assert_int_equal(f.type, TTB_TYPE_I32);
  assert_int_equal(f.offset, 12);
  assert_true(f.min == 5 && f.max == 100 && f.def == 50 && f.type_size == sizeof(every));
  assert_int_equal(f.since, 0x000100);
  assert_int_equal(every_field(0, 11, &f), TTB_ERR_RANGE);
  assert_int_equal(every_field(1, 0, &f), TTB_ERR_RANGE);
  assert_int_equal(every_field(UINT32_MAX, UINT32_MAX, &f), TTB_ERR_RANGE);
  assert_int_equal(every_field(0, 0, NULL), TTB_ERR_MISUSE);
  f.struct_size = 3;
  assert_int_equal(every_field(0, 0, &f), TTB_ERR_MISUSE);
}

/* The check itself must be able to fail. */
static ttb__field crooked_rows[2];
static int32_t crooked(uint32_t which, uint32_t index, ttb_field *ret) {
  static const ttb__struct fields = {"crooked", crooked_rows, 2, 8, 8};
  static const ttb__struct *const all[] = {&fields};
  return ttb__field_get(all, 1, which, index, ret);
}
static int with(uint32_t offset, uint32_t type, const char *name, int64_t min, int64_t def) {
  crooked_rows[0] = every_rows[0];
  crooked_rows[1] = (ttb__field){name, "", offset, type, min, 9, def, TTB__SINCE_0_1, 0};
  return check_rows(crooked);
}
static void test_check_rows_can_fail(void **state) {
  (void)state;
  assert_int_equal(with(4, TTB_TYPE_U32, "b", 1, 2), 1);
  assert_int_equal(with(0, TTB_TYPE_U32, "b", 1, 2), -1);
  assert_int_equal(with(8, TTB_TYPE_U32, "b", 1, 2), -1);
  assert_int_equal(with(4, TTB_TYPE_U64, "b", 1, 2), -1);
  assert_int_equal(with(4, 99, "b", 1, 2), -1);
  assert_int_equal(with(4, TTB_TYPE_U32, "struct_size", 1, 2), -1);
  assert_int_equal(with(4, TTB_TYPE_U32, "b", 10, 10), -1);
  assert_int_equal(with(4, TTB_TYPE_U32, "b", 3, 2), -1);
}

static void test_rows_tile_all_structs(void **state) {
  (void)state;
  assert_int_equal(check_rows(every_field), 1);
  assert_true(check_rows(ttb_breaker_field) >= 3);
#ifdef HAVE_BALANCER
  assert_true(check_rows(ttb_balancer_field) >= 1);
#endif
#ifdef HAVE_HEALTH
  assert_true(check_rows(ttb_health_field) >= 1);
#endif
#ifdef HAVE_AUTOSCALER
  assert_true(check_rows(ttb_autoscaler_field) >= 1);
#endif
#ifdef HAVE_BUDGET
  assert_true(check_rows(ttb_budget_field) >= 1);
#endif
#ifdef HAVE_ROUTER
  assert_true(check_rows(ttb_router_field) >= 1);
#endif
#ifdef HAVE_POOL
  assert_true(check_rows(ttb_pool_field) >= 1);
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_zeros_become_defaults),
      cmocka_unit_test(test_ends_of_ranges),
      cmocka_unit_test(test_out_of_range),
      cmocka_unit_test(test_doubles_out_of_range),
      cmocka_unit_test(test_reserved),
      cmocka_unit_test(test_struct_size),
      cmocka_unit_test(test_older_program),
      cmocka_unit_test(test_newer_program),
      cmocka_unit_test(test_null),
      cmocka_unit_test(test_index_goes_to_the_detail),
      cmocka_unit_test(test_detail_of_any_size),
      cmocka_unit_test(test_write_outputs),
      cmocka_unit_test(test_reflection),
      cmocka_unit_test(test_check_rows_can_fail),
      cmocka_unit_test(test_rows_tile_all_structs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
