/* SPDX-License-Identifier: MIT */
/* The rows of every struct, defaults and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../lib/health/health.h"

static uint32_t bytes_of(uint32_t type) {
  return type == TTB_TYPE_U32 || type == TTB_TYPE_I32 ? 4
         : type == TTB_TYPE_PTR                       ? (uint32_t)sizeof(void *)
                                                      : 8;
}

static void rows_tile_the_structs(void **state) {
  (void)state;
  static const uint32_t sizes[] = {sizeof(ttb_health_config), sizeof(ttb_health_info),
                                   sizeof(ttb_health_stats),  sizeof(ttb_health_member),
                                   sizeof(ttb_health_view),   sizeof(ttb_health_summary)};
  for (uint32_t which = 0; which < 6; which++) {
    uint32_t at = 0, i = 0;
    ttb_field f = TTB_CONFIG(ttb_field);
    for (; ttb_health_field(which, i, &f) == TTB_OK; i++) {
      assert_int_equal(f.offset, at);
      assert_int_equal(f.type_size, sizes[which]);
      at += bytes_of(f.type);
    }
    assert_true(i > 1);
    assert_int_equal(at, sizes[which]);
    assert_int_equal(ttb_health_field(which, i, &f), TTB_ERR_RANGE);
  }
  ttb_field f = TTB_CONFIG(ttb_field);
  assert_int_equal(ttb_health_field(6, 0, &f), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_field(0, 0, NULL), TTB_ERR_MISUSE);
}

/* Puts v into field f of a fresh config and checks it. */
static int32_t check_with(const ttb_field *f, int64_t v, ttb_detail *d) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  int32_t v32 = (int32_t)v;
  c.degraded_ms = 3600000; /* leaves recover_ms all its range */
  c.eject_base_ms = 1;     /* and eject_max_ms */
  if (bytes_of(f->type) == 4)
    memcpy((char *)&c + f->offset, &v32, 4);
  else
    memcpy((char *)&c + f->offset, &v, 8);
  return ttb_health_check(&c, d);
}

static void each_field_has_its_range(void **state) {
  (void)state;
  ttb_field f = TTB_CONFIG(ttb_field);
  for (uint32_t i = 1; ttb_health_field(0, i, &f) == TTB_OK; i++) {
    ttb_detail d = TTB_CONFIG(ttb_detail);
    assert_int_equal(check_with(&f, 0, &d), TTB_OK);
    if (!strcmp(f.name, "seed")) {
      assert_int_equal(check_with(&f, -1, &d), TTB_OK);
      continue;
    }
    assert_int_equal(check_with(&f, f.max, &d), TTB_OK);
    if (f.min > 0) assert_int_equal(check_with(&f, f.min, &d), TTB_OK);
    assert_int_equal(check_with(&f, f.max + 1, &d), TTB_ERR_RANGE);
    assert_string_equal(d.field, f.name);
    assert_int_equal(d.got, f.max + 1);
    assert_int_equal(check_with(&f, -2, &d), TTB_ERR_RANGE);
  }
}

static void fields_that_may_be_off(void **state) {
  (void)state;
  static const char *const may[] = {"degrade_after", "degraded_ms", "fail_ms",       "ttl_ms",
                                    "max_pause_ms",  "jitter_ppm",  "passive_errors",
                                    "eject", "eject_jitter_ms", "eject_max_ppm", "eject_min_kept",
                                    "eject_systemic_ppm", "eject_errors", "eject_gateway",
                                    "eject_local", "eject_stdev_ppm", "eject_failure_ppm",
                                    "eject_gap_ppm", "enforce_errors_ppm", "enforce_gateway_ppm",
                                    "enforce_local_ppm", "enforce_rate_ppm", "enforce_failure_ppm"};
  ttb_field f = TTB_CONFIG(ttb_field);
  for (uint32_t i = 1; ttb_health_field(0, i, &f) == TTB_OK; i++) {
    int found = !strcmp(f.name, "seed");
    for (size_t k = 0; k < sizeof may / sizeof *may; k++) found |= !strcmp(f.name, may[k]);
    assert_int_equal(check_with(&f, TTB_OFF, NULL), found ? TTB_OK : TTB_ERR_RANGE);
  }
}

static void recover_not_above_degraded(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  ttb_detail d = TTB_CONFIG(ttb_detail);
  c.degraded_ms = 200;
  c.recover_ms = 200;
  assert_int_equal(ttb_health_check(&c, &d), TTB_OK);
  c.recover_ms = 201;
  assert_int_equal(ttb_health_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "recover_ms");
  assert_int_equal(d.max, 200);
  c.degraded_ms = TTB_OFF;
  assert_int_equal(ttb_health_check(&c, &d), TTB_OK);
}

/* What each profile has by default. */
static void profiles(void **state) {
  (void)state;
  ttb_health_config c = TTB_CONFIG(ttb_health_config), full;
  for (c.eject = TTB_HEALTH_EJECT_ROBUST; c.eject <= TTB_HEALTH_EJECT_GRPC; c.eject++) {
    assert_int_equal(ttb__config_read(&ttb__health_config_fields, &c, &full, -1, NULL), TTB_OK);
    assert_int_equal(ttb__health_eject_read(&full, NULL), TTB_OK);
    bool robust = c.eject == TTB_HEALTH_EJECT_ROBUST, envoy = c.eject == TTB_HEALTH_EJECT_ENVOY;
    assert_int_equal(full.eject_max_ppm, robust ? 500000 : 100000);
    assert_int_equal(full.eject_min_kept, robust ? 1 : TTB_OFF);
    assert_int_equal(full.eject_systemic_ppm, robust ? 500000 : TTB_OFF);
    assert_int_equal(full.eject_errors, envoy ? 5 : TTB_OFF);
    assert_int_equal(full.eject_hosts, robust ? 3 : 5);
    assert_int_equal(full.eject_requests, robust ? 50 : 100);
    assert_int_equal(full.eject_max_ms, 300000);
    assert_int_equal(full.eject_stdev_ppm, 1900000);
    assert_int_equal(full.eject_failure_ppm, 850000);
    assert_int_equal(full.enforce_gateway_ppm, TTB_OFF);
    assert_int_equal(full.enforce_failure_ppm, c.eject == TTB_HEALTH_EJECT_GRPC ? 1000000 : TTB_OFF);
  }
  ttb_detail d = TTB_CONFIG(ttb_detail);
  c.eject = TTB_OFF; /* wrong all the same */
  c.eject_base_ms = 5000;
  c.eject_max_ms = 4999;
  assert_int_equal(ttb_health_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "eject_max_ms");
  assert_int_equal(d.min, 5000);
}

static void sizes_of_the_struct(void **state) {
  (void)state;
  struct {
    ttb_health_config c;
    uint64_t tail;
  } newer = {.c = TTB_CONFIG(ttb_health_config)};
  newer.c.struct_size = (uint32_t)sizeof newer;
  assert_int_equal(ttb_health_check(&newer.c, NULL), TTB_OK);
  newer.tail = 1;
  assert_int_equal(ttb_health_check(&newer.c, NULL), TTB_ERR_UNSUPPORTED);
  newer.c.struct_size = 0;
  assert_int_equal(ttb_health_check(&newer.c, NULL), TTB_ERR_RANGE);
  newer.c.struct_size = (uint32_t)sizeof newer.c - 1;
  assert_int_equal(ttb_health_check(&newer.c, NULL), TTB_ERR_RANGE);
  assert_int_equal(ttb_health_check(NULL, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_size(NULL), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_tile_the_structs),      cmocka_unit_test(each_field_has_its_range),
      cmocka_unit_test(fields_that_may_be_off), cmocka_unit_test(profiles),     cmocka_unit_test(recover_not_above_degraded),
      cmocka_unit_test(sizes_of_the_struct),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
