/* SPDX-License-Identifier: MIT */
/* What the balancer's unit tests share. Include first. */
#ifndef TESTS_UNIT_BALANCER_HELPER_H
#define TESTS_UNIT_BALANCER_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <trimtab/balancer.h>

static inline ttb_balancer_config config_of(uint32_t algorithm, uint32_t capacity) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.algorithm = algorithm;
  c.capacity = capacity;
  return c;
}

/* A balancer and a handle that has joined as process 1. */
typedef struct pair {
  ttb_balancer shared, mine;
} pair;

static inline pair make(ttb_balancer_config c) {
  pair p;
  assert_int_equal(ttb_balancer_new(&p.shared, &c, NULL), TTB_OK);
  assert_int_equal(ttb_balancer_join(&p.shared, 1, &p.mine), TTB_OK);
  return p;
}

static inline void drop(pair *p) {
  ttb_balancer_free(&p->mine);
  ttb_balancer_free(&p->shared);
}

static inline int32_t add(ttb_balancer *mine, uint64_t id, uint32_t weight) {
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  e.id = id;
  e.weight = weight;
  return ttb_balancer_add(mine, &e);
}

/* Endpoints 1..n, of the weights given, or of 1. */
static inline void fill(pair *p, uint32_t n, const uint32_t *weights) {
  ttb_endpoint *list = calloc(n, sizeof *list);
  assert_non_null(list);
  for (uint32_t i = 0; i < n; i++)
    list[i] = (ttb_endpoint){sizeof *list, weights ? weights[i] : 1, i + 1};
  assert_int_equal(ttb_balancer_update(&p->mine, list, n, NULL), TTB_OK);
  free(list);
}

static inline int64_t acquire(pair *p) { return ttb_balancer_acquire(&p->mine, 0, 0); }
static inline int32_t report(pair *p, int64_t ticket) {
  return ttb_balancer_report(&p->mine, ticket, TTB_SUCCESS, 0, 0);
}
/* Acquires, reports, returns the slot or the code. */
static inline int32_t turn(pair *p) {
  int64_t t = acquire(p);
  if (t < 0) return (int32_t)t;
  assert_int_equal(report(p, t), TTB_OK);
  return ttb_ticket_slot(t);
}

static inline ttb_balancer_stats stats_of(const ttb_balancer *b) {
  ttb_balancer_stats s = TTB_CONFIG(ttb_balancer_stats);
  assert_int_equal(ttb_balancer_statistics(b, &s), TTB_OK);
  return s;
}

static inline ttb_balancer_info info_of(const ttb_balancer *b, uint32_t slot) {
  ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
  assert_int_equal(ttb_balancer_inspect(b, slot, &i), TTB_OK);
  return i;
}

#endif
