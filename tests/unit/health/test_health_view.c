/* SPDX-License-Identifier: MIT */
/* What a view comes to, and what of a view is refused. Whole tables of other
 * systems are in tests/vectors (aggregation). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <trimtab/health.h>

#define NOW UINT64_C(3600000000000)

/* Slots 0..4: healthy, degraded, unhealthy, unknown, stale. */
static ttb_health h;

static int make(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = 5;
  c.ttl_ms = 1000;
  if (ttb_health_new(&h, &c, NULL) < 0) return -1;
  ttb_health_report(&h, 4, TTB_SUCCESS, 0, NOW - 1000000000);
  ttb_health_report(&h, 0, TTB_SUCCESS, 0, NOW);
  ttb_health_report(&h, 1, TTB_SLOW, 0, NOW);
  ttb_health_report(&h, 2, TTB_FAILURE, 0, NOW);
  return 0;
}
static int end(void **state) {
  (void)state;
  ttb_health_free(&h);
  return 0;
}

static ttb_health_member members[16];

/* "0r1o": slot and criticality (r, o, i), in pairs. */
static ttb_health_view view_of(const char *rows) {
  ttb_health_view v = TTB_CONFIG(ttb_health_view);
  v.members = members;
  for (; *rows; rows += 2) {
    ttb_health_member m = TTB_CONFIG(ttb_health_member);
    m.slot = (uint32_t)(rows[0] - '0');
    m.criticality = rows[1] == 'r' ? TTB_HEALTH_REQUIRED
                    : rows[1] == 'o' ? TTB_HEALTH_OPTIONAL
                                     : TTB_HEALTH_INFO;
    m.name = "m";
    members[v.count++] = m;
  }
  return v;
}
static int32_t overall(ttb_health_view v) { return ttb_health_overall(&h, &v, NOW, NULL); }

#define PASS TTB_STATUS_HEALTHY
#define WARN TTB_STATUS_DEGRADED
#define FAIL TTB_STATUS_UNHEALTHY

static void the_worst_decides(void **state) {
  (void)state;
  static const struct {
    const char *rows;
    int32_t status;
  } rows[] = {{"", PASS},     {"0r", PASS},   {"1r", WARN},       {"2r", FAIL},     {"3r", WARN},
              {"4r", FAIL},   {"0o", PASS},   {"1o", WARN},       {"2o", WARN},     {"3o", WARN},
              {"4o", WARN},   {"2i", PASS},   {"0r2o", WARN},     {"0r2i", PASS},   {"1r2o", WARN},
              {"0r0r2r", FAIL}, {"2r2i0r", FAIL}, {"4i3i2i1i", PASS}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal(overall(view_of(rows[i].rows)), rows[i].status);
}

static void what_the_rest_counts_as(void **state) {
  (void)state;
  for (int32_t as = PASS; as <= FAIL; as++) {
    ttb_health_view v = view_of("1r");
    v.degraded_as = as;
    assert_int_equal(overall(v), as);
    v = view_of("3r");
    v.unknown_as = as;
    assert_int_equal(overall(v), as);
    v = view_of("4r");
    v.stale_as = as;
    assert_int_equal(overall(v), as);
  }
}

static void k_of_n(void **state) {
  (void)state;
  ttb_health_view v = view_of("0r0r1r2r2o2i");
  static const int32_t expected[] = {PASS, PASS, PASS, WARN, FAIL, FAIL, FAIL};
  for (int32_t k = 1; k <= 6; k++) {
    v.at_least = k;
    assert_int_equal(overall(v), expected[k]);
  }
  v.at_least = TTB_OFF;
  assert_int_equal(overall(v), PASS);
}

static void the_summary(void **state) {
  (void)state;
  ttb_health_view v = view_of("0r0r1o2i3i4i");
  ttb_health_summary s = TTB_CONFIG(ttb_health_summary);
  assert_int_equal(ttb_health_overall(&h, &v, NOW, &s), WARN);
  const ttb_health_summary expected = {sizeof s, WARN, 200, 2, 1, 1, 1, 1};
  assert_memory_equal(&s, &expected, sizeof s);
  v.http_warn = 429;
  assert_int_equal(ttb_health_overall(&h, &v, NOW, &s), WARN);
  assert_int_equal(s.http_code, 429);
  v = view_of("2r");
  assert_int_equal(ttb_health_overall(&h, &v, NOW, &s), FAIL);
  assert_int_equal(s.http_code, 503);
  v = view_of("0r");
  v.http_pass = 204;
  assert_int_equal(ttb_health_overall(&h, &v, NOW, &s), PASS);
  assert_int_equal(s.http_code, 204);
  s.struct_size = 3;
  assert_int_equal(ttb_health_overall(&h, &v, NOW, &s), TTB_ERR_RANGE);
}

static int32_t refused(ttb_health_view v, const char *field, int32_t index) {
  ttb_detail d = TTB_CONFIG(ttb_detail);
  int32_t code = ttb_health_view_check(&h, &v, &d);
  assert_int_equal(code, d.code);
  if (code < 0) {
    assert_int_equal(overall(v), code);
    assert_string_equal(d.field, field);
    assert_int_equal(d.index, index);
  }
  return code;
}

static void refusals(void **state) {
  (void)state;
  ttb_health_view v = view_of("0r1r");
  assert_int_equal(refused(v, "", -1), TTB_OK);
  members[1].slot = 5;
  assert_int_equal(refused(v, "slot", 1), TTB_ERR_RANGE);
  v = view_of("0r1r");
  members[1].criticality = 3;
  assert_int_equal(refused(v, "criticality", 1), TTB_ERR_RANGE);
  v = view_of("0r1r");
  members[1].reserved = 1;
  assert_int_equal(refused(v, "reserved", 1), TTB_ERR_RANGE);
  v = view_of("0r1r");
  members[1].name = NULL;
  assert_int_equal(refused(v, "name", 1), TTB_ERR_MISUSE);
  members[1].name = "";
  assert_int_equal(refused(v, "name", 1), TTB_ERR_MISUSE);
  members[1].name = "db:time";
  assert_int_equal(refused(v, "name", 1), TTB_ERR_MISUSE);
  v = view_of("0r1r");
  members[1].struct_size = 4;
  assert_int_equal(refused(v, "struct_size", 1), TTB_ERR_RANGE);
  members[0].struct_size = members[1].struct_size = 4;
  assert_int_equal(refused(v, "struct_size", 0), TTB_ERR_RANGE);
  v = view_of("0r");
  v.members = NULL;
  assert_int_equal(refused(v, "members", -1), TTB_ERR_MISUSE);
  v = view_of("0r");
  v.http_pass = 503;
  assert_int_equal(refused(v, "http_pass", -1), TTB_ERR_RANGE);
  v = view_of("0r");
  v.stale_as = TTB_STATUS_STALE;
  assert_int_equal(refused(v, "stale_as", -1), TTB_ERR_RANGE);
  v = view_of("0r");
  v.wall_ms = UINT64_C(253402300800000);
  assert_int_equal(refused(v, "wall_ms", -1), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_view_check(&h, NULL, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_view_check(NULL, &v, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_overall(NULL, &v, NOW, NULL), TTB_ERR_MISUSE);
}

/* Rows of a newer program: a longer stride, its unknown tail zero. */
static void longer_rows(void **state) {
  (void)state;
  struct {
    ttb_health_member m;
    uint64_t tail;
  } rows[2];
  memset(rows, 0, sizeof rows);
  for (uint32_t i = 0; i < 2; i++) {
    rows[i].m = (ttb_health_member){.struct_size = sizeof rows[0], .slot = i, .name = "m"};
  }
  ttb_health_view v = TTB_CONFIG(ttb_health_view);
  v.members = &rows[0].m;
  v.count = 2;
  assert_int_equal(overall(v), WARN);
  rows[1].tail = 1;
  assert_int_equal(refused(v, "ttb_health_member", 1), TTB_ERR_UNSUPPORTED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_worst_decides), cmocka_unit_test(what_the_rest_counts_as),
      cmocka_unit_test(k_of_n),            cmocka_unit_test(the_summary),
      cmocka_unit_test(refusals),          cmocka_unit_test(longer_rows),
  };
  return cmocka_run_group_tests(tests, make, end);
}
