/* SPDX-License-Identifier: MIT */
/* Shared by the unit tests of lib/budget. */
#ifndef TESTS_UNIT_BUDGET_FIXTURE_H
#define TESTS_UNIT_BUDGET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../../lib/budget/budget.h"

#define SECOND UINT64_C(1000000000)
#define TICK (15 * SECOND)
#define HOUR 240 /* ticks */
#define DAY 5760

/* A replica does 1000 at 100 % and may be used whole; 1 % of violation. */
static inline ttb_budget_config plain_config(void) {
  ttb_budget_config c = TTB_CONFIG(ttb_budget_config);
  c.replica_milli = 1000000;
  c.limit_ppm = 1000000;
  return c;
}

typedef struct play {
  ttb_budget b;
  uint64_t tick;
  int32_t current;
  ttb_budget_decision d;
} play;

static inline play play_start(const ttb_budget_config *c) {
  play p = {.current = 1};
  assert_int_equal(ttb_budget_new(&p.b, c, NULL), TTB_OK);
  return p;
}

/* One tick under so much load (units, 1000 a replica), carried out at once. */
static inline ttb_budget_decision play_tick(play *p, int64_t load) {
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  s.load_milli = load * 1000;
  s.current = p->current;
  p->d = TTB_CONFIG(ttb_budget_decision);
  assert_int_equal(ttb_budget_tick(&p->b, 0, &s, SECOND + TICK * p->tick++, &p->d), TTB_OK);
  assert_int_equal(p->d.current, p->current);
  p->current = p->d.desired;
  return p->d;
}

static inline ttb_budget_info play_info(play *p) {
  ttb_budget_info i = TTB_CONFIG(ttb_budget_info);
  assert_int_equal(ttb_budget_explain(&p->b, 0, SECOND + TICK * p->tick, &i), TTB_OK);
  return i;
}

/* splitmix64 */
static inline uint64_t roll(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

#endif
