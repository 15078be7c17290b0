/* SPDX-License-Identifier: MIT */
/* How each algorithm is set up and called. All workers share one balancer, each
 * with a handle of its own, or each has one all by itself. Endpoint e has id
 * e + 1. */
#include "algorithms.h"

#include <stdlib.h>
#include <string.h>

typedef struct user {
  const fleet *fleet;
  uint32_t shared;                            /* 1, or CLIENTS balancers apart */
  ttb_balancer whole[CLIENTS], mine[CLIENTS]; /* one of the two pairs is used */
  ttb_pool pool[CLIENTS], my_pool[CLIENTS];
  bool by_pool;
  uint32_t endpoint[CLIENTS][LARGEST]; /* by slot */
} user;

static void must(int64_t code) {
  if (code < 0) abort();
}
static ttb_endpoint endpoint_of(uint32_t e, uint32_t weight) {
  ttb_endpoint r = TTB_CONFIG(ttb_endpoint);
  r.id = e + 1, r.weight = weight;
  return r;
}
static uint32_t balancers_of(const user *u) { return u->shared ? 1 : CLIENTS; }
static uint32_t balancer_of(const user *u, uint32_t worker) { return u->shared ? 0 : worker; }

/* ---- a balancer ---- */

static int64_t acquire(void *self, uint32_t worker, uint64_t hash, uint64_t now, uint32_t *ret) {
  user *u = self;
  int64_t t = ttb_balancer_acquire(&u->mine[worker], hash, now);
  if (t >= 0) *ret = u->endpoint[balancer_of(u, worker)][ttb_ticket_slot(t)];
  return t;
}
static void report(void *self, uint32_t worker, int64_t ticket, bool ok, uint64_t latency,
                   uint64_t now) {
  user *u = self;
  must(ttb_balancer_report(&u->mine[worker], ticket, ok ? TTB_SUCCESS : TTB_FAILURE, latency, now));
}
static void add(void *self, uint32_t e, uint32_t weight, uint64_t now) {
  user *u = self;
  (void)now;
  ttb_endpoint it = endpoint_of(e, weight);
  for (uint32_t b = 0; b < balancers_of(u); b++) {
    int32_t slot = ttb_balancer_add(&u->mine[b], &it);
    must(slot);
    u->endpoint[b][slot] = e;
  }
}
static void mark(void *self, uint32_t e, uint64_t now) {
  user *u = self;
  (void)now;
  for (uint32_t b = 0; b < balancers_of(u); b++)
    must(ttb_balancer_set_status(&u->whole[b], e + 1, TTB_STATUS_UNHEALTHY));
}
static void tick(void *self, uint64_t now) { (void)self, (void)now; }
static void end(void *self) {
  user *u = self;
  for (uint32_t w = 0; w < CLIENTS; w++) ttb_balancer_free(&u->mine[w]);
  for (uint32_t b = 0; b < balancers_of(u); b++) ttb_balancer_free(&u->whole[b]);
  free(u);
}

static uint32_t present(const scenario *s, uint32_t n, ttb_endpoint *list) {
  uint32_t there = 0;
  for (uint32_t e = 0; e < n; e++)
    if (!fleet_joins_late(s, e)) list[there++] = endpoint_of(e, fleet_weight(s, e));
  return there;
}

static ttb_balancer_config config_of(const algorithm *a, const scenario *s, uint32_t n,
                                     uint64_t seed) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.algorithm = a->number, c.capacity = n, c.seed = seed;
  c.threads = s->apart ? 1 : CLIENTS;
  if (a->set) a->set(&c);
  return c;
}

static caller balancer(const void *how, const scenario *s, const fleet *f, uint32_t n,
                       uint64_t seed, uint64_t now) {
  const algorithm *a = how;
  user *u = calloc(1, sizeof *u);
  ttb_endpoint list[LARGEST];
  uint32_t there = present(s, n, list);
  (void)now;
  if (!u) abort();
  u->fleet = f, u->shared = !s->apart;
  for (uint32_t b = 0; b < balancers_of(u); b++) {
    ttb_balancer_config c = config_of(a, s, n, seed + b);
    must(ttb_balancer_new(&u->whole[b], &c, NULL));
  }
  for (uint32_t w = 0; w < CLIENTS; w++)
    must(ttb_balancer_join(&u->whole[balancer_of(u, w)], w + 1, &u->mine[w]));
  for (uint32_t b = 0; b < balancers_of(u); b++) {
    must(ttb_balancer_update(&u->mine[b], list, there, NULL));
    for (uint32_t i = 0; i < there; i++)
      u->endpoint[b][ttb_balancer_find(&u->mine[b], list[i].id)] = (uint32_t)list[i].id - 1;
  }
  return (caller){u, acquire, report, add, mark, tick, end};
}

/* ---- Prequal: each worker probes after its calls, and is answered at once ---- */

static int64_t probing_acquire(void *self, uint32_t worker, uint64_t hash, uint64_t now,
                               uint32_t *ret) {
  user *u = self;
  int64_t t = acquire(self, worker, hash, now, ret);
  uint32_t slots[16];
  int32_t due = ttb_balancer_probe_due(&u->mine[worker], now, slots, 16);
  must(due);
  for (int32_t i = 0; i < due; i++) {
    uint32_t e = u->endpoint[balancer_of(u, worker)][slots[i]];
    if (!fleet_answers(u->fleet, e)) continue;
    must(ttb_balancer_probe_result(&u->mine[worker], slots[i], fleet_in_flight(u->fleet, e),
                                   fleet_latency(u->fleet, e, now), now));
  }
  return t;
}

static caller prequal(const void *how, const scenario *s, const fleet *f, uint32_t n,
                      uint64_t seed, uint64_t now) {
  caller c = balancer(how, s, f, n, seed, now);
  c.acquire = probing_acquire;
  return c;
}

/* ---- a pool: breakers and probes take out who fails ---- */

static int64_t pool_acquire(void *self, uint32_t worker, uint64_t hash, uint64_t now,
                            uint32_t *ret) {
  user *u = self;
  int64_t t = ttb_pool_acquire(&u->my_pool[worker], hash, now);
  if (t >= 0) *ret = u->endpoint[balancer_of(u, worker)][ttb_ticket_slot(t)];
  return t;
}
static void pool_report(void *self, uint32_t worker, int64_t ticket, bool ok, uint64_t latency,
                        uint64_t now) {
  user *u = self;
  must(ttb_pool_report(&u->my_pool[worker], ticket, ok ? TTB_SUCCESS : TTB_FAILURE, latency, now));
}
static void pool_add(void *self, uint32_t e, uint32_t weight, uint64_t now) {
  user *u = self;
  ttb_endpoint it = endpoint_of(e, weight);
  for (uint32_t b = 0; b < balancers_of(u); b++) {
    int32_t slot = ttb_pool_add(&u->my_pool[b], &it, now);
    must(slot);
    u->endpoint[b][slot] = e;
  }
}
static void pool_mark(void *self, uint32_t e, uint64_t now) {
  user *u = self;
  for (uint32_t b = 0; b < balancers_of(u); b++) {
    int32_t slot = ttb_pool_find(&u->my_pool[b], e + 1);
    must(slot);
    for (int i = 0; i < 3; i++) /* health's fall */
      must(ttb_pool_probe_result(&u->my_pool[b], (uint32_t)slot, TTB_FAILURE, TIMEOUT, now));
  }
}
static void pool_tick(void *self, uint64_t now) {
  user *u = self;
  for (uint32_t b = 0; b < balancers_of(u); b++) must(ttb_pool_tick(&u->my_pool[b], now));
}
static void pool_end(void *self) {
  user *u = self;
  for (uint32_t w = 0; w < CLIENTS; w++) ttb_pool_free(&u->my_pool[w]);
  for (uint32_t b = 0; b < balancers_of(u); b++) ttb_pool_free(&u->pool[b]);
  free(u);
}

static caller pool(const void *how, const scenario *s, const fleet *f, uint32_t n, uint64_t seed,
                   uint64_t now) {
  const algorithm *a = how;
  user *u = calloc(1, sizeof *u);
  ttb_endpoint list[LARGEST];
  uint32_t there = present(s, n, list);
  if (!u) abort();
  u->fleet = f, u->shared = !s->apart;
  for (uint32_t b = 0; b < balancers_of(u); b++) {
    ttb_balancer_config part = config_of(a, s, n, seed + b);
    ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
    c.capacity = n, c.threads = part.threads, c.balancer = &part;
    must(ttb_pool_new(&u->pool[b], &c, NULL));
  }
  for (uint32_t w = 0; w < CLIENTS; w++)
    must(ttb_pool_join(&u->pool[balancer_of(u, w)], w + 1, &u->my_pool[w]));
  caller c = {u, pool_acquire, pool_report, pool_add, pool_mark, pool_tick, pool_end};
  for (uint32_t b = 0; b < balancers_of(u); b++) {
    must(ttb_pool_update(&u->my_pool[b], list, there, now, NULL));
    for (uint32_t i = 0; i < there; i++)
      u->endpoint[b][ttb_pool_find(&u->my_pool[b], list[i].id)] = (uint32_t)list[i].id - 1;
  }
  return c;
}

/* ---- the rows ---- */

static void of_five(ttb_balancer_config *c) { c->choices = 5, c->exact = 1; }
static void slow_start(ttb_balancer_config *c) { c->slow_start_ms = 4000; }
static void bounded(ttb_balancer_config *c) { c->bounded_ppm = 1250000; }

/* Largest: rendezvous looks at everybody in each pick. */
const algorithm algorithms[] = {
    {"weighted random", balancer, TTB_BALANCER_WEIGHTED_RANDOM, false, 1000, NULL},
    {"round robin", balancer, TTB_BALANCER_ROUND_ROBIN, false, 1000, NULL},
    {"round robin, slow start", balancer, TTB_BALANCER_ROUND_ROBIN, false, 1000, slow_start},
    {"weighted round robin", balancer, TTB_BALANCER_WEIGHTED_ROUND_ROBIN, false, 1000, NULL},
    {"two choices", balancer, TTB_BALANCER_TWO_CHOICES, false, 1000, NULL},
    {"least connections", balancer, TTB_BALANCER_LEAST_CONNECTIONS, false, 1000, NULL},
    {"least of five drawn", balancer, TTB_BALANCER_LEAST_CONNECTIONS, false, 1000, of_five},
    {"first fit", balancer, TTB_BALANCER_FIRST_FIT, false, 1000, NULL},
    {"peak EWMA", balancer, TTB_BALANCER_PEAK_EWMA, false, 1000, NULL},
    {"prequal", prequal, TTB_BALANCER_PREQUAL, false, 1000, NULL},
    {"maglev", balancer, TTB_BALANCER_MAGLEV, true, 1000, NULL},
    {"maglev, bounded 1.25", balancer, TTB_BALANCER_MAGLEV, false, 1000, bounded},
    {"patched maglev", balancer, TTB_BALANCER_PATCHED_MAGLEV, true, 1000, NULL},
    {"ring hash", balancer, TTB_BALANCER_RING_HASH, true, 1000, NULL},
    {"jump", balancer, TTB_BALANCER_JUMP, true, 1000, NULL},
    {"anchor", balancer, TTB_BALANCER_ANCHOR, true, 1000, NULL},
    {"rendezvous", balancer, TTB_BALANCER_RENDEZVOUS, true, 100, NULL},
    {"ketama", balancer, TTB_BALANCER_KETAMA, true, 1000, NULL},
    {"nginx consistent", balancer, TTB_BALANCER_NGINX_CONSISTENT, true, 1000, NULL},
    {"nginx hash", balancer, TTB_BALANCER_NGINX_HASH, true, 1000, NULL},
    {"pool: two choices", pool, TTB_BALANCER_TWO_CHOICES, false, 1000, NULL},
    {"pool: peak EWMA", pool, TTB_BALANCER_PEAK_EWMA, false, 1000, NULL},
    {"pool: round robin", pool, TTB_BALANCER_WEIGHTED_ROUND_ROBIN, false, 1000, NULL},
    {"pool: maglev", pool, TTB_BALANCER_MAGLEV, true, 1000, NULL},
};
const uint32_t algorithms_count = sizeof algorithms / sizeof *algorithms;
