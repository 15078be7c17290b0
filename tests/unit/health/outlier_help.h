/* SPDX-License-Identifier: MIT */
/* Targets with traffic, for the tests of ejection. */
#ifndef TESTS_UNIT_HEALTH_OUTLIER_HELP_H
#define TESTS_UNIT_HEALTH_OUTLIER_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../lib/health/health.h"

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)

static ttb_health h;
static uint64_t now;

static ttb_health_config config(int32_t profile, uint32_t targets) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.eject = profile;
  c.capacity = targets;
  c.passive_errors = TTB_OFF;
  c.ttl_ms = TTB_OFF;
  c.seed = 1;
  return c;
}
static void make(const ttb_health_config *c) {
  now = T0;
  assert_int_equal(ttb_health_new(&h, c, NULL), TTB_OK);
}
static int teardown(void **state) {
  (void)state;
  ttb_health_free(&h);
  return 0;
}
static int32_t told(uint32_t slot, int32_t outcome) {
  return ttb_health_observe(&h, slot, outcome, now);
}
static inline void calls(uint32_t slot, uint32_t good, uint32_t bad) {
  while (good-- > 0) assert_int_equal(told(slot, TTB_SUCCESS), TTB_OK);
  while (bad-- > 0) (void)told(slot, TTB_FAILURE);
}
static inline void sweep(uint32_t ms) {
  now += ms * MS;
  assert_true(ttb_health_tick(&h, now, NULL, 0) >= 0);
}
static inline ttb_health_stats stats(void) {
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  assert_int_equal(ttb_health_statistics(&h, now, &s), TTB_OK);
  return s;
}
static inline ttb_health_info info(uint32_t slot) {
  ttb_health_info i = TTB_CONFIG(ttb_health_info);
  assert_int_equal(ttb_health_explain(&h, slot, now, &i), TTB_OK);
  return i;
}
static inline int32_t ejected(uint32_t slot) { return ttb_health_ejected(&h, slot); }

#endif
