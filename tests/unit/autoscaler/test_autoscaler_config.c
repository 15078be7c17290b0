/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/autoscaler_config.c: ranges, defaults, details, presets, rows. */
#include "fixture.h"

static ttb_detail detail;

static int32_t check(const ttb_autoscaler_config *c) {
  detail = TTB_CONFIG(ttb_detail);
  return ttb_autoscaler_check(c, &detail);
}

static void refused(const ttb_autoscaler_config *c, const char *field, int32_t index) {
  assert_int_equal(check(c), TTB_ERR_RANGE);
  assert_string_equal(detail.field, field);
  assert_int_equal(detail.index, index);
  assert_true(ttb_autoscaler_size(c) == TTB_ERR_RANGE);
}

static void test_scalars(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  assert_int_equal(check(&c), TTB_OK);
  assert_int_equal(ttb_autoscaler_check(NULL, &detail), TTB_ERR_MISUSE);
#define BAD(f, v) \
  c = TTB_CONFIG(ttb_autoscaler_config), c.f = v, refused(&c, #f, -1)
  BAD(capacity, TTB_MAX_SLOTS + 1);
  BAD(min_replicas, -2);
  BAD(max_replicas, TTB_OFF);
  BAD(max_replicas, TTB_AUTOSCALER_MAX_REPLICAS + 1);
  BAD(tolerance_up_ppm, -2);
  BAD(tolerance_down_ppm, 1000000001);
  BAD(up_window_ms, 86400001);
  BAD(down_window_ms, 86400001);
  BAD(up_select, 4);
  BAD(down_select, 4);
  BAD(tick_ms, 3600001);
  BAD(flags, 16);
  BAD(combine, 3);
  BAD(from_zero, 4);
  BAD(startup_ms, 86400001);
  BAD(billing_ms, 86400001);
  BAD(action_cost_ms, UINT32_C(1) << 31);
  BAD(up_cooldown_ms, 86400001);
  BAD(down_cooldown_ms, 86400001);
  BAD(week_offset_s, 604800);
  BAD(steps_n, 33);
  BAD(schedule_n, 17);
  BAD(metrics_n, 17);
  BAD(up_policies_n, 9);
  BAD(down_policies_n, 9);
  BAD(struct_size, 3);
  c = TTB_CONFIG(ttb_autoscaler_config);
  c.reserved = 1;
  assert_int_equal(check(&c), TTB_ERR_UNSUPPORTED);
  c.reserved = 0;
  c.min_replicas = 5;
  c.max_replicas = 4;
  refused(&c, "max_replicas", -1);
}

static void test_arrays(void **unused) {
  (void)unused;
  ttb_autoscaler_metric m[2] = {count_metric, count_metric};
  ttb_autoscaler_policy p[2] = {POLICY(TTB_AUTOSCALER_REPLICAS, 1, 1),
                                POLICY(TTB_AUTOSCALER_PERCENT, 1, 1)};
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.metrics_n = 2;
  assert_int_equal(check(&c), TTB_ERR_MISUSE); /* no array */
  c.metrics = m;
  assert_int_equal(check(&c), TTB_OK);
  m[1].kind = 5;
  refused(&c, "kind", 1);
  m[1].kind = TTB_AUTOSCALER_VALUE;
  m[1].target_milli = 0;
  refused(&c, "target_milli", 1);
  m[1].target_milli = -1;
  refused(&c, "target_milli", 1);
  m[1].kind = 0; /* utilisation has a default target */
  m[1].target_milli = 0;
  assert_int_equal(check(&c), TTB_OK);
  m[1].struct_size = 8;
  refused(&c, "struct_size", 1);
  m[1].struct_size = sizeof *m;
  c.up_policies_n = c.down_policies_n = 2;
  assert_int_equal(check(&c), TTB_ERR_MISUSE);
  c.up_policies = c.down_policies = p;
  assert_int_equal(check(&c), TTB_OK);
  p[1].value = 0;
  refused(&c, "up_policies.value", 1);
  c.up_policies_n = 1;
  refused(&c, "down_policies.value", 1);
  p[1].value = 1;
  p[1].period_ms = 86400001;
  refused(&c, "down_policies.period_ms", 1);
  p[1].period_ms = 0;
  assert_int_equal(check(&c), TTB_OK);
  p[0].type = TTB_AUTOSCALER_UP_TO; /* says nothing about going down */
  refused(&c, "down_policies.type", 0);
}

static void test_methods(void **unused) {
  (void)unused;
  ttb_autoscaler_metric m = count_metric;
  ttb_autoscaler_step s = TTB_CONFIG(ttb_autoscaler_step);
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.metrics = &m;
  c.metrics_n = 1;
  m.method = TTB_AUTOSCALER_WATERMARK;
  refused(&c, "low_milli", 0); /* must be given */
  m.low_milli = m.target_milli + 1;
  refused(&c, "low_milli", 0);
  m.low_milli = m.target_milli;
  assert_int_equal(check(&c), TTB_OK);
  c.steps_n = 1;
  assert_int_equal(check(&c), TTB_ERR_MISUSE);
  c.steps = &s;
  refused(&c, "steps.metric", 0); /* its method is another */
  m.method = TTB_AUTOSCALER_STEPS;
  m.target_milli = 0;
  assert_int_equal(check(&c), TTB_OK);
  s.metric = 1;
  refused(&c, "steps.metric", 0);
  s.metric = 0;
  s.lower_milli = s.upper_milli = 7;
  refused(&c, "steps.upper_milli", 0);
  s.type = 5;
  refused(&c, "type", 0);
  m.method = 4;
  refused(&c, "method", 0);
}

static void test_schedule_rows(void **unused) {
  (void)unused;
  ttb_autoscaler_schedule w = TTB_CONFIG(ttb_autoscaler_schedule);
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.schedule_n = 1;
  assert_int_equal(check(&c), TTB_ERR_MISUSE);
  c.schedule = &w;
  assert_int_equal(check(&c), TTB_OK);
  w.period_s = 86401;
  refused(&c, "period_s", 0);
  w.period_s = 86400;
  w.begin_s = 86400;
  refused(&c, "begin_s", 0);
  w.begin_s = 0;
  w.end_s = 86401;
  refused(&c, "end_s", 0);
  w.end_s = 86400;
  w.min_replicas = -1;
  refused(&c, "min_replicas", 0);
}

/* A newer program's longer elements: taken if what is unknown is zero. */
static void test_stride(void **unused) {
  (void)unused;
  struct {
    ttb_autoscaler_metric m;
    uint64_t more;
  } longer[2] = {{count_metric, 0}, {count_metric, 0}};
  longer[0].m.struct_size = longer[1].m.struct_size = sizeof *longer;
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.metrics = &longer[0].m;
  c.metrics_n = 2;
  assert_int_equal(check(&c), TTB_OK);
  longer[1].more = 1;
  assert_int_equal(check(&c), TTB_ERR_UNSUPPORTED);
  assert_int_equal(detail.index, 1);
}

static void test_preset_is_the_default(void **unused) {
  (void)unused;
  ttb_autoscaler_config preset = TTB_CONFIG(ttb_autoscaler_config), none = preset;
  ttb__autoscaler_stored a, b;
  ttb__autoscaler_arrays x, y;
  assert_int_equal(ttb_autoscaler_preset(TTB_AUTOSCALER_PRESET_HPA, &preset), TTB_OK);
  assert_int_equal(ttb__autoscaler_read(&preset, &a, &x, NULL), TTB_OK);
  assert_int_equal(ttb__autoscaler_read(&none, &b, &y, NULL), TTB_OK);
  assert_memory_equal(&a, &b, sizeof a);
  assert_memory_equal(&x, &y, sizeof x);
  assert_int_equal(ttb_autoscaler_preset(0, &preset), TTB_ERR_RANGE);
  assert_int_equal(ttb_autoscaler_preset(1, NULL), TTB_ERR_MISUSE);
}

/* The rows tile every struct: no gap, no overlap, nothing behind. */
static void test_rows(void **unused) {
  (void)unused;
  static const uint32_t width[] = {0, 4, 4, 8, 8, 8, (uint32_t)sizeof(void *)};
  ttb_field f = TTB_CONFIG(ttb_field);
  uint32_t which = 0;
  for (; ttb_autoscaler_field(which, 0, &f) == TTB_OK; which++) {
    uint32_t at = 0;
    for (uint32_t i = 0; ttb_autoscaler_field(which, i, &f) == TTB_OK; i++) {
      assert_int_equal(f.offset, at);
      at += width[f.type];
    }
    assert_int_equal(at, f.type_size);
  }
  assert_int_equal(which, 14);
  assert_int_equal(ttb_autoscaler_field(0, 0, NULL), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scalars), cmocka_unit_test(test_arrays), cmocka_unit_test(test_stride),
      cmocka_unit_test(test_methods), cmocka_unit_test(test_schedule_rows),
      cmocka_unit_test(test_preset_is_the_default), cmocka_unit_test(test_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
