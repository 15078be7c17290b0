/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/breaker_config.c and the _check call. */
#include <trimtab/breaker.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "check_rows.h"

static ttb_breaker_config base(void) { return TTB_CONFIG(ttb_breaker_config); }

/* The i-th field with a range: the seed has none. */
static uint32_t field_at(uint32_t i) { return i < 11 ? i + 1 : i + 2; }

static void test_defaults_as_documented(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t min, max, def;
  } doc[] = {
      {"capacity", 1, 1048576, 1},
      {"consecutive", 1, 1000000, 5},
      {"failure_rate_ppm", 1, 1000000, 500000},
      {"window_ms", 1000, 86400000, 10000},
      {"min_calls", 1, 100000, 20},
      {"open_ms", 1, 3600000, 5000},
      {"half_open_probes", 1, 32, 1},
      {"half_open_successes", 1, 1000000, 1},
      {"lease_ms", 1, 3600000, 60000},
      {"threads", 1, 254, 64},
      {"flags", 0, 1023, 0},
      {"slow_rate_ppm", 1, 1000000, TTB_OFF},
      {"half_open_calls", 1, 10000, TTB_OFF},
      {"half_open_rate_ppm", 1, 1000000, 500000},
      {"open_growth_ppm", 1000000, 100000000, 1000000},
      {"open_max_ms", 1, 3600000, 300000},
      {"open_jitter_ppm", 1, 1000000, TTB_OFF},
      {"open_decay_ms", 1, 86400000, 60000},
      {"window_calls", 1, 4096, TTB_OFF},
      {"ramp_ms", 1, 3600000, TTB_OFF},
      {"ramp_start_ppm", 1, 1000000, 100000},
      {"cusum_healthy_ppm", 1, 900000, 50000},
      {"cusum_bad_ppm", 1, 990000, TTB_OFF},
      {"cusum_calls", 1, INT64_C(1000000000000000), 10000000},
      {"key_idle_ms", 1, 86400000, TTB_OFF},
      {"slow_ms", 1, 3600000, TTB_OFF},
      {"average_success_ppm", 1, 1000000, TTB_OFF},
      {"average_calls", 1, 10000, TTB_OFF},
      {"open_steps", 1, 15, TTB_OFF},
      {"stripes", 1, 64, 1},
      {"tickets", 16, 2048, 256},
  };
  for (uint32_t i = 0; i < sizeof doc / sizeof doc[0]; i++) {
    ttb_field f = {.struct_size = sizeof f};
    assert_int_equal(ttb_breaker_field(0, field_at(i), &f), TTB_OK);
    assert_string_equal(f.name, doc[i].name);
    assert_true(f.min == doc[i].min && f.max == doc[i].max && f.def == doc[i].def);
  }
}

static void test_all_fields(void **state) {
  (void)state;
  ttb_field f = {.struct_size = sizeof f};
  assert_int_equal(check_rows(ttb_breaker_field), 4);
  assert_int_equal(ttb_breaker_field(4, 0, &f), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_field(0, 99, &f), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_field(0, 0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_field(1, 0, &f), TTB_OK);
  assert_string_equal(f.type_name, "ttb_breaker_info");
  assert_int_equal(ttb_breaker_field(2, 0, &f), TTB_OK);
  assert_string_equal(f.type_name, "ttb_breaker_stats");
}

/* Each ranged field at both ends and one beyond, by its row. */
static void test_each_field_at_its_ends(void **state) {
  (void)state;
  for (uint32_t i = 0; i < 21; i++) {
    ttb_field f = {.struct_size = sizeof f};
    assert_int_equal(ttb_breaker_field(0, field_at(i), &f), TTB_OK);
    const int64_t values[] = {f.min, f.max, f.max + 1, f.min - 1, -2};
    for (int k = 0; k < 5; k++) {
      ttb_breaker_config c = base();
      ttb_detail d = {.struct_size = sizeof d};
      uint32_t v = (uint32_t)values[k];
      memcpy((char *)&c + f.offset, &v, 4);
      bool off = f.def == TTB_OFF || strcmp(f.name, "open_decay_ms") == 0; /* may be -1 */
      if (off && values[k] == TTB_OFF) continue;
      int32_t want = k < 2 || v == 0 ? TTB_OK : TTB_ERR_RANGE;
      assert_int_equal(ttb_breaker_check(&c, &d), want);
      assert_int_equal(d.code, want);
      if (want == TTB_OK) continue;
      assert_string_equal(d.field, f.name);
      assert_true(d.min == f.min && d.max == f.max);
      assert_true(ttb_breaker_size(&c) == TTB_ERR_RANGE);
    }
  }
}

static void test_rules_switched_off(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  ttb_detail d = {.struct_size = sizeof d};
  c.consecutive = TTB_OFF;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
  c.failure_rate_ppm = TTB_OFF;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE); /* no rule is left */
  assert_string_equal(d.field, "failure_rate_ppm");
  c.consecutive = 1;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
  const uint32_t off = (uint32_t)TTB_OFF;
  c = base(), c.open_ms = off;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE); /* has no "off" */
}

static void test_unknown_and_null(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  ttb_detail d = {.struct_size = sizeof d};
  assert_int_equal(ttb_breaker_check(NULL, &d), TTB_ERR_MISUSE);
  assert_int_equal(d.code, TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_check(NULL, NULL), TTB_ERR_MISUSE);
  assert_true(ttb_breaker_size(NULL) == TTB_ERR_MISUSE);
  c.flags = 0x80000000; /* a flag that may come */
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "flags");
  struct {
    ttb_breaker_config known;
    uint32_t more[2];
  } newer = {.known = base()};
  newer.known.struct_size = sizeof newer;
  assert_int_equal(ttb_breaker_check(&newer.known, NULL), TTB_OK);
  newer.more[1] = 1;
  assert_int_equal(ttb_breaker_check(&newer.known, NULL), TTB_ERR_UNSUPPORTED);
  c = base(), c.struct_size = 0;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "struct_size");
  c = base(), c.seed = UINT64_MAX;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
}

static void test_fields_that_go_together(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  ttb_detail d = {.struct_size = sizeof d};
  c.consecutive = c.failure_rate_ppm = TTB_OFF;
  c.slow_rate_ppm = 1; /* is a rule, too */
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
  c = base(), c.open_ms = 2000, c.open_max_ms = 1999;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK); /* nothing grows */
  c.open_growth_ppm = 1000001;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "open_max_ms");
  assert_true(d.got == 1999 && d.min == 2000);
  c.open_max_ms = 2000;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
  c = base(), c.flags = 1024;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  c = base(), c.stripes = 3;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "stripes");
  c = base(), c.tickets = 100;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "tickets");
  c = base(), c.open_steps = 3, c.open_ms = 2000, c.open_max_ms = 1999;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "open_max_ms");
  /* A fixed window needs a window of time, and the ramp's bit. */
  c = base(), c.flags = TTB_BREAKER_FIXED_WINDOW;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
  c.ramp_ms = 10;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "flags");
  c.ramp_ms = 0, c.window_calls = 10;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  c.window_calls = 0, c.failure_rate_ppm = TTB_OFF;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  /* Where each window begins its own time, a step must be able to decay in one. */
  c = base(), c.flags = TTB_BREAKER_FIXED_WINDOW, c.open_growth_ppm = 2000000;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "open_decay_ms");
  assert_true(d.got == 60000 && d.max == 10000);
  c.open_decay_ms = 10000;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
  c.open_decay_ms = 10001;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  c.open_growth_ppm = 0;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK); /* nothing to take back */
  c.open_steps = 1;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  c.open_decay_ms = TTB_OFF;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
  /* An average over window_ms is never known in a window that ends then. */
  c = base(), c.flags = TTB_BREAKER_FIXED_WINDOW, c.average_success_ppm = 900000;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "average_calls");
  c.average_calls = 10;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
  c = base(), c.average_success_ppm = 900000; /* over time: needs the window of time */
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
  c.window_calls = 10;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "average_calls");
  c.average_calls = 10;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_OK);
}

/* What the header promises a breaker costs. */
static void test_sizes(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  int64_t one = ttb_breaker_size(&c);
  assert_true(one > 0 && one % 64 == 0);
  c.capacity = 2;
  assert_int_equal(ttb_breaker_size(&c) - one, 192);
  c.half_open_probes = 4;
  assert_int_equal(ttb_breaker_size(&c) - one, 192);
  c = base(), c.slow_rate_ppm = 500000;
  one = ttb_breaker_size(&c);
  c.capacity = 2;
  assert_int_equal(ttb_breaker_size(&c) - one, 320);
  c.failure_rate_ppm = TTB_OFF; /* the slow rule needs the calls, too */
  assert_int_equal(ttb_breaker_size(&c) - one, 320);
  c = base(), c.slow_rate_ppm = 500000, c.window_calls = 40;
  one = ttb_breaker_size(&c);
  c.capacity = 2;
  assert_int_equal(ttb_breaker_size(&c) - one, 128);
  c = base(), c.failure_rate_ppm = TTB_OFF, c.window_calls = 40; /* nothing counts in it */
  one = ttb_breaker_size(&c);
  c.capacity = 2;
  assert_int_equal(ttb_breaker_size(&c) - one, 64);
  c = base(), c.failure_rate_ppm = TTB_OFF;
  one = ttb_breaker_size(&c);
  c.capacity = 1001;
  assert_int_equal(ttb_breaker_size(&c) - one, 64000);
  c.half_open_probes = 5;
  assert_true(ttb_breaker_size(&c) - one == 1001 * 128 - 64);
  c = base(), c.capacity = TTB_MAX_SLOTS, c.half_open_probes = 32, c.threads = 254;
  assert_true(ttb_breaker_size(&c) > (int64_t)TTB_MAX_SLOTS * (320 + 128));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults_as_documented),
      cmocka_unit_test(test_all_fields),
      cmocka_unit_test(test_each_field_at_its_ends),
      cmocka_unit_test(test_rules_switched_off),
      cmocka_unit_test(test_unknown_and_null),
      cmocka_unit_test(test_fields_that_go_together),
      cmocka_unit_test(test_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
