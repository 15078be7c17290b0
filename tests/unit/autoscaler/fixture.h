/* SPDX-License-Identifier: MIT */
/* What the autoscaler's unit tests share: a workload whose metric proposes the
 * count it is told, and a clock in seconds. */
#ifndef TESTS_UNIT_AUTOSCALER_FIXTURE_H
#define TESTS_UNIT_AUTOSCALER_FIXTURE_H

#include "../../../lib/autoscaler/autoscaler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define POLICY(t, v, s) \
  {.struct_size = sizeof(ttb_autoscaler_policy), .type = t, .value = v, .period_ms = (s) * 1000}

static const ttb_autoscaler_metric count_metric = {sizeof(ttb_autoscaler_metric),
                                                   TTB_AUTOSCALER_TOTAL, 0, 0, 1000, 0, 0, 0};

/* 1..100 replicas, no windows, no tolerance, the HPA's policies. */
static inline ttb_autoscaler_config count_config(void) {
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.max_replicas = 100;
  c.down_window_ms = TTB_OFF;
  c.tolerance_up_ppm = c.tolerance_down_ppm = TTB_OFF;
  c.tick_ms = 1000;
  c.metrics = &count_metric;
  c.metrics_n = 1;
  return c;
}

static inline ttb_autoscaler start(const ttb_autoscaler_config *c) {
  ttb_autoscaler a;
  assert_int_equal(ttb_autoscaler_new(&a, c, NULL), TTB_OK);
  return a;
}

static inline ttb_autoscaler_sample value(int64_t milli) {
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  s.value_milli = milli;
  return s;
}

static inline ttb_autoscaler_decision ask(ttb_autoscaler *a, int32_t proposal, int32_t current,
                                          uint64_t second) {
  ttb_autoscaler_sample s = value((int64_t)proposal * 1000);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  assert_int_equal(ttb_autoscaler_evaluate(a, 0, &s, 1, current, second * SECOND, &d), TTB_OK);
  return d;
}

#endif
