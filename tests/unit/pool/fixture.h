/* SPDX-License-Identifier: MIT */
/* A joined pool with endpoints 100, 101, ... and a virtual clock. */
#ifndef TESTS_UNIT_POOL_FIXTURE_H
#define TESTS_UNIT_POOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <trimtab/pool.h>

#include "vclock.h"

typedef struct fleet {
  ttb_pool shared, mine;
  vclock clock;
  uint64_t cursor, lost;
} fleet;

static inline void fleet_open(fleet *f, const ttb_pool_config *c, uint32_t n) {
  f->clock = vclock_start();
  f->cursor = f->lost = 0;
  ttb_detail d = TTB_CONFIG(ttb_detail);
  char why[128];
  if (ttb_pool_check(c, &d) < 0) {
    ttb_detail_format(&d, why, sizeof why);
    fail_msg("%s", why);
  }
  assert_int_equal(ttb_pool_new(&f->shared, c, NULL), TTB_OK);
  assert_int_equal(ttb_pool_join(&f->shared, 42, &f->mine), TTB_OK);
  for (uint32_t i = 0; i < n; i++) {
    ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
    e.id = 100 + i;
    assert_int_equal(ttb_pool_add(&f->mine, &e, f->clock.now_ns), (int)i);
  }
}

static inline void fleet_close(fleet *f) {
  ttb_pool_free(&f->mine);
  ttb_pool_free(&f->shared);
}

static inline ttb_pool_info fleet_row(const fleet *f, uint32_t slot) {
  ttb_pool_info i = TTB_CONFIG(ttb_pool_info);
  assert_int_equal(ttb_pool_inspect(&f->mine, slot, f->clock.now_ns, &i), TTB_OK);
  return i;
}

static inline ttb_pool_stats fleet_stats(const fleet *f) {
  ttb_pool_stats s = TTB_CONFIG(ttb_pool_stats);
  assert_int_equal(ttb_pool_statistics(&f->mine, &s), TTB_OK);
  return s;
}

/* The next event, or one of kind 0. */
static inline ttb_pool_event fleet_event(fleet *f) {
  ttb_pool_event e = {0};
  (void)ttb_pool_events(&f->shared, &f->cursor, &e, 1, &f->lost);
  return e;
}

/* The next one that is not TTB_POOL_CAUSES (those have a test of their own). */
static inline ttb_pool_event fleet_story(fleet *f) {
  ttb_pool_event e;
  do {
    e = fleet_event(f);
  } while (e.kind == TTB_POOL_CAUSES);
  return e;
}

static inline void fleet_skip_events(fleet *f) {
  while (fleet_event(f).kind != 0) continue;
}

/* One call on whatever is picked; returns its slot or a code. */
static inline int32_t fleet_call(fleet *f, int32_t outcome) {
  int64_t t = ttb_pool_acquire(&f->mine, 0, f->clock.now_ns);
  if (t < 0) return (int32_t)t;
  assert_int_equal(ttb_pool_report(&f->mine, t, outcome, 1000, f->clock.now_ns), TTB_OK);
  return ttb_ticket_slot(t);
}

/* Calls until slot was picked, then reports outcome for that one call; others succeed. */
static inline int64_t fleet_ticket_on(fleet *f, uint32_t slot) {
  for (int i = 0; i < 10000; i++) {
    int64_t t = ttb_pool_acquire(&f->mine, 0, f->clock.now_ns);
    assert_true(t >= 0);
    if (ttb_ticket_slot(t) == (int32_t)slot) return t;
    assert_int_equal(ttb_pool_report(&f->mine, t, TTB_SUCCESS, 1000, f->clock.now_ns), TTB_OK);
  }
  fail_msg("slot %u is never picked", slot);
  return -1;
}

static inline void fleet_fail(fleet *f, uint32_t slot, uint32_t times) {
  for (uint32_t i = 0; i < times; i++)
    assert_int_equal(ttb_pool_report(&f->mine, fleet_ticket_on(f, slot), TTB_FAILURE, 1000,
                                     f->clock.now_ns),
                     TTB_OK);
}

#endif
