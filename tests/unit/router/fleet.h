/* SPDX-License-Identifier: MIT */
/* A small table of nodes for the router's unit tests. */
#ifndef TESTS_UNIT_ROUTER_FLEET_H
#define TESTS_UNIT_ROUTER_FLEET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <trimtab/router.h>

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define T0 (3600 * S)

#define P TTB_ROLE_PRIMARY
#define R TTB_ROLE_REPLICA

typedef struct fleet {
  ttb_router shared, mine;
} fleet;

static inline fleet fleet_of(const ttb_router_config *c) {
  fleet f;
  assert_int_equal(ttb_router_new(&f.shared, c, NULL), TTB_OK);
  assert_int_equal(ttb_router_join(&f.shared, 1, &f.mine), TTB_OK);
  return f;
}

static inline fleet fleet_plain(void) {
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  return fleet_of(&c);
}

static inline void fleet_end(fleet *f) {
  ttb_router_free(&f->mine);
  ttb_router_free(&f->shared);
}

static inline int32_t add_weighted(fleet *f, uint64_t id, uint32_t weight) {
  ttb_endpoint e = {.struct_size = sizeof e, .weight = weight, .id = id};
  return ttb_router_add(&f->mine, &e);
}
static inline int32_t add(fleet *f, uint64_t id) { return add_weighted(f, id, 0); }

static inline ttb_router_observation seen(uint32_t role, int64_t lag_ms, uint64_t epoch) {
  ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
  o.role = role;
  o.lag_ms = lag_ms;
  o.epoch = epoch;
  return o;
}

static inline int32_t observe(fleet *f, uint64_t id, uint32_t role, int64_t lag_ms,
                              uint64_t epoch, uint64_t now) {
  ttb_router_observation o = seen(role, lag_ms, epoch);
  return ttb_router_observe(&f->shared, id, &o, now);
}

static inline int32_t observe_status(fleet *f, uint64_t id, uint32_t role, uint32_t status,
                                     uint64_t now) {
  ttb_router_observation o = seen(role, 0, 0);
  o.status = status;
  return ttb_router_observe(&f->shared, id, &o, now);
}

/* Where a pick went, given back at once: a slot, or a code. */
static inline int32_t read_to(fleet *f, const ttb_router_wants *w, uint64_t now) {
  int64_t t = ttb_router_read(&f->mine, w, now);
  if (t < 0) return (int32_t)t;
  assert_int_equal(ttb_router_report(&f->mine, t, TTB_CANCELLED, 0, now), TTB_OK);
  return ttb_ticket_slot(t);
}
static inline int32_t mode_to(fleet *f, uint32_t mode, uint64_t now) {
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  w.mode = mode;
  return read_to(f, &w, now);
}
static inline int32_t write_to(fleet *f, uint64_t now) {
  int64_t t = ttb_router_write(&f->mine, now);
  if (t < 0) return (int32_t)t;
  assert_int_equal(ttb_router_report(&f->mine, t, TTB_CANCELLED, 0, now), TTB_OK);
  return ttb_ticket_slot(t);
}

static inline ttb_router_node row(fleet *f, const ttb_router_wants *w, uint32_t slot,
                                  uint64_t now) {
  ttb_router_node n[64];
  for (int i = 0; i < 64; i++) n[i] = TTB_CONFIG(ttb_router_node);
  int32_t count = ttb_router_explain(&f->shared, w, now, n, 64);
  assert_true(count >= 0);
  for (int32_t i = 0; i < count; i++)
    if (n[i].slot == slot) return n[i];
  fail_msg("no node in slot %u", slot);
  return n[0];
}
static inline int32_t why(fleet *f, const ttb_router_wants *w, uint32_t slot, uint64_t now) {
  return row(f, w, slot, now).why;
}

static inline ttb_router_stats stats(fleet *f) {
  ttb_router_stats s = TTB_CONFIG(ttb_router_stats);
  assert_int_equal(ttb_router_statistics(&f->shared, &s), TTB_OK);
  return s;
}

#endif
