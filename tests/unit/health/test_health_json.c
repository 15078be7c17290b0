/* SPDX-License-Identifier: MIT */
/* The text: whole, cut at every length, and with whatever bytes in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <trimtab/health.h>

#define NOW UINT64_C(3600000000000)
#define MS UINT64_C(1000000)

static ttb_health h;

static int make(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = 6;
  c.ttl_ms = 2000;
  c.passive_errors = 1;
  if (ttb_health_new(&h, &c, NULL) < 0) return -1;
  ttb_health_report(&h, 4, TTB_SUCCESS, 1 * MS, NOW - 2345 * MS);
  ttb_health_report(&h, 0, TTB_SUCCESS, 12345678, NOW - 1500 * MS);
  ttb_health_report(&h, 1, TTB_SUCCESS, 1500 * MS, NOW);
  ttb_health_report(&h, 2, TTB_FAILURE, 7 * MS, NOW);
  ttb_health_report(&h, 5, TTB_SUCCESS, 20 * MS, NOW);
  ttb_health_observe(&h, 5, TTB_FAILURE, NOW);
  return 0;
}
static int end(void **state) {
  (void)state;
  ttb_health_free(&h);
  return 0;
}

static char buf[65536];

static ttb_health_member row(uint32_t slot, const char *name) {
  ttb_health_member m = TTB_CONFIG(ttb_health_member);
  m.slot = slot;
  m.name = name;
  return m;
}
static ttb_health_view view_of(const ttb_health_member *members, uint32_t count) {
  ttb_health_view v = TTB_CONFIG(ttb_health_view);
  v.members = members;
  v.count = count;
  return v;
}
static const char *json(const ttb_health_view *v) {
  int64_t n = ttb_health_json(&h, v, NOW, buf, sizeof buf, NULL);
  assert_int_equal(n, strlen(buf));
  return buf;
}

static void a_whole_one(void **state) {
  (void)state;
  ttb_health_member m[7] = {row(0, "orders"), row(1, "orders"), row(2, "mail"),  row(3, "geo"),
                            row(4, "search"), row(5, "stock"),  row(0, "cache")};
  m[0].id = "a1";
  m[0].type = "datastore";
  m[2].criticality = TTB_HEALTH_OPTIONAL;
  m[2].output = "connection \"refused\"\n";
  m[6].measurement = "connections";
  ttb_health_view v = view_of(m, 7);
  v.service_id = "shop";
  v.version = "1";
  v.description = "h\xc3\xa9";
  v.wall_ms = UINT64_C(1769860800250); /* 2026-01-31T12:00:00.250Z */
  assert_string_equal(
      json(&v),
      "{\"status\":\"fail\",\"serviceId\":\"shop\",\"version\":\"1\",\"description\":\"h\xc3\xa9\","
      "\"checks\":{\"orders:responseTime\":["
      "{\"componentId\":\"a1\",\"componentType\":\"datastore\",\"observedValue\":12.346,"
      "\"observedUnit\":\"ms\",\"status\":\"pass\",\"time\":\"2026-01-31T11:59:58.750Z\"},"
      "{\"observedValue\":1500,\"observedUnit\":\"ms\",\"status\":\"warn\","
      "\"time\":\"2026-01-31T12:00:00.250Z\",\"output\":\"slow\"}],"
      "\"mail:responseTime\":[{\"status\":\"fail\",\"time\":\"2026-01-31T12:00:00.250Z\","
      "\"output\":\"connection \\\"refused\\\"\\n\"}],"
      "\"geo:responseTime\":[{\"status\":\"warn\",\"output\":\"no report yet\"}],"
      "\"search:responseTime\":[{\"observedValue\":1,\"observedUnit\":\"ms\",\"status\":\"fail\","
      "\"time\":\"2026-01-31T11:59:57.905Z\",\"output\":\"no report for 2345 ms\"}],"
      "\"stock:responseTime\":[{\"observedValue\":20,\"observedUnit\":\"ms\",\"status\":\"fail\","
      "\"time\":\"2026-01-31T12:00:00.250Z\",\"output\":\"calls failed\"}],"
      "\"cache:connections\":[{\"observedValue\":12.346,\"observedUnit\":\"ms\","
      "\"status\":\"pass\",\"time\":\"2026-01-31T11:59:58.750Z\"}]}}");
}

static void the_empty_one(void **state) {
  (void)state;
  ttb_health_view v = view_of(NULL, 0);
  assert_string_equal(json(&v), "{\"status\":\"pass\"}");
}

static void the_status_is_patched_in(void **state) {
  (void)state;
  static const char *const words[] = {"pass", "warn", "fail"};
  for (uint32_t slot = 0; slot < 3; slot++) {
    ttb_health_member m = row(slot, "x");
    ttb_health_view v = view_of(&m, 1);
    ttb_health_summary s = TTB_CONFIG(ttb_health_summary);
    assert_true(ttb_health_json(&h, &v, NOW, buf, sizeof buf, &s) > 0);
    assert_memory_equal(buf + 11, words[slot], 4);
    assert_int_equal(s.status, slot + 1);
    assert_int_equal(s.http_code, slot == 2 ? 503 : 200);
  }
}

static void time_of(uint64_t wall_ms, const char *expected) {
  ttb_health_member m = row(1, "x");
  ttb_health_view v = view_of(&m, 1);
  v.wall_ms = wall_ms;
  const char *at = strstr(json(&v), "\"time\":\"");
  assert_non_null(at);
  assert_memory_equal(at + 8, expected, 24);
}

static void times(void **state) {
  (void)state;
  time_of(1, "1970-01-01T00:00:00.001Z");
  time_of(UINT64_C(951782399999), "2000-02-28T23:59:59.999Z");
  time_of(UINT64_C(951782400000), "2000-02-29T00:00:00.000Z");
  time_of(UINT64_C(951868800000), "2000-03-01T00:00:00.000Z");
  time_of(UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z");
  time_of(UINT64_C(4107456000000), "2100-02-28T00:00:00.000Z");
  time_of(UINT64_C(253402300799999), "9999-12-31T23:59:59.999Z");
}

/* Unicode 3.9, table 3-7, at its edges. */
static void texts(void **state) {
  (void)state;
  static const struct {
    const char *in, *out;
  } rows[] = {
      {"a\"b\\c/", "a\\\"b\\\\c/"},
      {"\n\r\t\b\x1f\x7f", "\\n\\r\\t\\u0008\\u001f\\u007f"},
      {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8e", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8e"},
      {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},         /* overlong NUL */
      {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
      {"\xed\x9f\xbf", "\xed\x9f\xbf"},
      {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
      {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xf5", "\xef\xbf\xbd"},
      {"x\xe2\x82", "x\xef\xbf\xbd\xef\xbf\xbd"}, /* ends too early */
      {"\x80z", "\xef\xbf\xbdz"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ttb_health_view v = view_of(NULL, 0);
    char expected[128] = "{\"status\":\"pass\",\"version\":\"";
    strcat(strcat(expected, rows[i].out), "\"}");
    v.version = rows[i].in;
    assert_string_equal(json(&v), expected);
  }
}

/* Cut at every length: the same beginning, never past the end, no half character. */
static void every_size(void **state) {
  (void)state;
  ttb_health_member m[3] = {row(0, "p\xf0\x9f\x90\x8e"), row(2, "q"), row(4, "r")};
  m[1].output = "\xe2\x82\xac\x01\xc3\xa9";
  ttb_health_view v = view_of(m, 3);
  v.description = "\"\xf0\x9f\x90\x8e\xf0\x9f\x90\x8e\"";
  v.wall_ms = 1769860800250u;
  int64_t length = ttb_health_json(&h, &v, NOW, NULL, 0, NULL);
  char *whole = malloc((size_t)length + 1);
  assert_int_equal(ttb_health_json(&h, &v, NOW, whole, (uint64_t)length + 1, NULL), length);
  assert_int_equal(strlen(whole), length);
  for (int64_t size = 1; size <= length + 1; size++) {
    char *cut = malloc((size_t)size); /* exact: a sanitizer sees a write behind it */
    memset(cut, 'Z', (size_t)size);
    assert_int_equal(ttb_health_json(&h, &v, NOW, cut, (uint64_t)size, NULL), length);
    size_t n = strlen(cut);
    assert_true((int64_t)n < size && size - (int64_t)n <= 6); /* as much as fits */
    assert_memory_equal(cut, whole, n);
    assert_true(((unsigned char)whole[n] & 0xc0) != 0x80); /* the next begins a character */
    free(cut);
  }
  free(whole);
}

static void bad_calls(void **state) {
  (void)state;
  ttb_health_view v = view_of(NULL, 0);
  ttb_health_summary s = {.struct_size = 2};
  memset(buf, 'Z', 64);
  assert_int_equal(ttb_health_json(NULL, &v, NOW, buf, 64, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_json(&h, NULL, NOW, buf, 64, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_json(&h, &v, NOW, NULL, 64, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_json(&h, &v, NOW, buf, 64, &s), TTB_ERR_RANGE);
  v.http_fail = 200;
  assert_int_equal(ttb_health_json(&h, &v, NOW, buf, 64, NULL), TTB_ERR_RANGE);
  for (int i = 0; i < 64; i++) assert_int_equal(buf[i], 'Z');
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_whole_one), cmocka_unit_test(the_empty_one),
      cmocka_unit_test(the_status_is_patched_in), cmocka_unit_test(times),
      cmocka_unit_test(texts), cmocka_unit_test(every_size), cmocka_unit_test(bad_calls),
  };
  return cmocka_run_group_tests(tests, make, end);
}
