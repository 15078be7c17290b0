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

/* For loops over all algorithms: whether there is one of this number. */
#define ALGORITHM_NUMBERS 32u
static inline int offered(uint32_t algorithm) {
  ttb_balancer_config c = config_of(algorithm, 12);
  return algorithm > 0 && ttb_balancer_check(&c, NULL) == TTB_OK;
}

/* The hash of key number i: any, well mixed. */
static inline uint64_t mixed(uint64_t i) {
  uint64_t z = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  return z ^ z >> 27;
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

/* The slot of key number i, which is mixed first; counted as ended. */
static inline int32_t home(pair *p, uint64_t i) {
  int64_t t = ttb_balancer_acquire(&p->mine, mixed(i), 0);
  assert_true(t >= 0);
  assert_int_equal(report(p, t), TTB_OK);
  return ttb_ticket_slot(t);
}

/* What a consistent hash promises, of 100 endpoints. Marked, one gives up its
 * keys to many others, and gets them back; nobody else's move. Removed, the same
 * (`strays` others of 10,000 may move too), and who comes next only takes. */
static inline void keeps_keys(uint32_t algorithm, uint32_t strays) {
  enum { KEYS = 10000 };
  static int32_t before[KEYS], after[KEYS];
  pair p = make(config_of(algorithm, 100));
  uint32_t heirs[100] = {0}, distinct = 0, moved = 0, taken = 0;
  fill(&p, 100, NULL);
  for (uint64_t i = 0; i < KEYS; i++) heirs[before[i] = home(&p, i)]++;
  for (int i = 0; i < 100; i++) assert_in_range(heirs[i], 30, 250);

  memset(heirs, 0, sizeof heirs);
  ttb_balancer_mark(&p.shared, 42, TTB_CAUSE_PROBE, 1);
  for (uint64_t i = 0; i < KEYS; i++) {
    int32_t now = home(&p, i);
    if (before[i] == 42) heirs[now]++;
    else assert_int_equal(now, before[i]);
  }
  for (int i = 0; i < 100; i++) distinct += heirs[i] > 0;
  assert_int_equal(heirs[42], 0);
  assert_true(distinct > 25);
  ttb_balancer_mark(&p.shared, 42, TTB_CAUSE_PROBE, 0);
  for (uint64_t i = 0; i < KEYS; i++) assert_int_equal(home(&p, i), before[i]);

  assert_int_equal(ttb_balancer_remove(&p.mine, 43), TTB_OK);
  for (uint64_t i = 0; i < KEYS; i++) {
    after[i] = home(&p, i);
    assert_int_not_equal(after[i], 42);
    moved += before[i] != 42 && after[i] != before[i];
  }
  assert_in_range(moved, 0, strays);
  assert_int_equal(add(&p.mine, 4711, 1), 42);
  moved = 0;
  for (uint64_t i = 0; i < KEYS; i++) {
    int32_t now = home(&p, i);
    taken += now == 42;
    moved += now != 42 && now != after[i];
  }
  assert_in_range(moved, 0, strays);
  assert_in_range(taken, 30, 250);
  drop(&p);
}

/* The same ids in other slots, after another history: the same choice. */
static inline void forgets_history(uint32_t algorithm) {
  pair p = make(config_of(algorithm, 40)), q = make(config_of(algorithm, 40));
  for (uint64_t id = 1; id <= 20; id++) add(&p.mine, id * 1000, 1 + (uint32_t)id % 3);
  for (uint64_t id = 1; id <= 7; id++) add(&q.mine, id, 9);
  for (uint64_t id = 20; id >= 1; id--) add(&q.mine, id * 1000, 1 + (uint32_t)id % 3);
  for (uint64_t id = 1; id <= 7; id++) ttb_balancer_remove(&q.mine, id);
  for (uint64_t i = 0; i < 5000; i++)
    assert_int_equal(info_of(&p.shared, (uint32_t)home(&p, i)).id,
                     info_of(&q.shared, (uint32_t)home(&q, i)).id);
  drop(&p);
  drop(&q);
}

/* Shares of four endpoints of weights 1, 2, 3, 4, within `percent` of what they
 * should be. */
static inline void shares_by_weight(uint32_t algorithm, uint32_t percent) {
  pair p = make(config_of(algorithm, 4));
  uint32_t w[] = {1, 2, 3, 4}, picks[4] = {0};
  fill(&p, 4, w);
  for (uint64_t i = 0; i < 100000; i++) picks[home(&p, i)]++;
  for (uint32_t i = 0; i < 4; i++)
    assert_in_range(picks[i], 100 * w[i] * (100 - percent), 100 * w[i] * (100 + percent));
  drop(&p);
}

#endif
