/* SPDX-License-Identifier: MIT */
/* The router against a plain reference: lists, sorting and doubles instead of
 * words, levels and keys. */
#include <stdio.h>
#include <string.h>
#include <trimtab/router.h>

#include "check.h"

#define MS UINT64_C(1000000)
#define N 8
#define HELD 64

typedef struct model_node {
  bool present, drained, observed;
  uint64_t id, epoch, at_ms, claimed; /* claimed: when, in claims of the whole table */
  uint32_t role, status, in_flight;
  int64_t lag_ms;
  double rtt_ms; /* < 0: never measured */
} model_node;

typedef struct held {
  int64_t ticket;
  uint32_t slot;
} held;

typedef struct model {
  ttb_router_config c;
  ttb_router shared, mine;
  model_node node[N];
  held held[HELD];
  uint32_t nheld;
  uint64_t now_ms, next_id, top, claims;
} model;

/* A node's own constant distance, so that its average is exact. */
static double rtt_of(uint64_t id) {
  static const double ms[] = {1, 2, 10, 16, 17, 40};
  return ms[id % 6];
}

/* ---- the reference ---- */

static bool fresh(const model *m, const model_node *n) {
  return n->present && n->observed && n->role != TTB_ROLE_UNKNOWN &&
         (m->c.ttl_ms < 0 || m->now_ms - n->at_ms <= (uint64_t)m->c.ttl_ms);
}

static bool sound(const model *m, const model_node *n) {
  return fresh(m, n) && (n->status == TTB_STATUS_HEALTHY || n->status == TTB_STATUS_DEGRADED ||
                         n->status == TTB_STATUS_DRAINING);
}

static bool open_to_calls(const model *m, const model_node *n) {
  return sound(m, n) && n->status != TTB_STATUS_DRAINING && !n->drained;
}

/* The slot of the primary, or -1. */
static int primary_of(const model *m) {
  int found = -1, count = 0;
  uint64_t newest = 0;
  for (int i = 0; i < N; i++) {
    const model_node *n = &m->node[i];
    if (!sound(m, n) || n->role != TTB_ROLE_PRIMARY || n->epoch != m->top) continue;
    if (m->c.claims == TTB_ROUTER_LAST_CLAIM) {
      if (n->claimed == m->claims && n->claimed > newest) {
        newest = n->claimed;
        found = i;
      }
    } else {
      found = i;
      count++;
    }
  }
  if (count > 1) found = -1;
  return found >= 0 && open_to_calls(m, &m->node[found]) ? found : -1;
}

static int64_t lag_of(const model *m, const model_node *n) {
  if (n->lag_ms < 0 || n->lag_ms > 16777214) return INT64_MAX / 2;
  bool age = (m->c.flags & TTB_ROUTER_COUNT_AGE) != 0;
  return n->lag_ms + (age ? (int64_t)(m->now_ms - n->at_ms) : 0);
}

/* The replicas that are fresh enough, as a mask; *ret_late: there are others. */
static uint64_t replicas_of(const model *m, int32_t bound, bool *ret_late) {
  uint64_t all = 0, in = 0;
  uint32_t count = 0;
  int32_t soft = bound ? bound : m->c.max_lag_ms;
  for (int i = 0; i < N; i++) {
    const model_node *n = &m->node[i];
    if (!open_to_calls(m, n) || n->role != TTB_ROLE_REPLICA) continue;
    all |= UINT64_C(1) << i;
    if (soft >= 0 && lag_of(m, n) > soft) continue;
    in |= UINT64_C(1) << i;
    count++;
  }
  while (bound == 0 && m->c.hard_lag_ms >= 0 && count < m->c.min_replicas) {
    int best = -1;
    for (int i = 0; i < N; i++)
      if (all >> i & ~in >> i & 1 && lag_of(m, &m->node[i]) <= m->c.hard_lag_ms &&
          (best < 0 || lag_of(m, &m->node[i]) < lag_of(m, &m->node[best])))
        best = i;
    if (best < 0) break;
    in |= UINT64_C(1) << best;
    count++;
  }
  *ret_late = all != in;
  return in;
}

static uint64_t healthy_or_any(const model *m, uint64_t set) {
  uint64_t healthy = 0;
  for (int i = 0; i < N; i++)
    if (set >> i & 1 && m->node[i].status == TTB_STATUS_HEALTHY) healthy |= UINT64_C(1) << i;
  return healthy ? healthy : set;
}

static uint64_t window_of(const model *m, uint64_t set) {
  double shortest = 1e300;
  uint64_t in = 0;
  for (int i = 0; i < N; i++)
    if (set >> i & 1 && m->node[i].rtt_ms >= 0 && m->node[i].rtt_ms < shortest)
      shortest = m->node[i].rtt_ms;
  for (int i = 0; i < N; i++)
    if (set >> i & 1 && (m->c.window_us < 0 || m->node[i].rtt_ms < 0 ||
                         m->node[i].rtt_ms <= shortest + m->c.window_us / 1000.0))
      in |= UINT64_C(1) << i;
  return in;
}

/* Who may be picked; 0 with *ret_code. */
static uint64_t allowed(const model *m, const ttb_router_wants *w, int32_t *ret_code) {
  bool late;
  int p = primary_of(m);
  uint64_t primary = p < 0 ? 0 : UINT64_C(1) << p, peers = 0;
  uint64_t replicas = replicas_of(m, w->max_lag_ms, &late);
  for (int i = 0; i < N; i++)
    if (open_to_calls(m, &m->node[i]) && m->node[i].role == TTB_ROLE_PEER)
      peers |= UINT64_C(1) << i;
  uint32_t mode = w->mode ? w->mode : m->c.mode;
  uint64_t first = replicas, second = 0;
  if (mode == TTB_READ_PRIMARY || mode == TTB_READ_PRIMARY_PREFERRED) first = primary;
  if (mode == TTB_READ_NEAREST) first = primary | replicas;
  if (mode == TTB_READ_PRIMARY_PREFERRED) second = replicas;
  if (mode == TTB_READ_REPLICA_PREFERRED) second = primary;
  first |= peers;
  uint64_t sets[] = {first & ~w->avoid, second & ~w->avoid, first, second};
  for (int i = 0; i < 4; i++)
    if (sets[i]) return window_of(m, healthy_or_any(m, sets[i]));
  *ret_code = mode == TTB_READ_PRIMARY ? TTB_NO_PRIMARY
              : late                   ? TTB_TOO_STALE
                                       : TTB_NO_ENDPOINT;
  return 0;
}

/* ---- steps ---- */

static void start(check *c, model *m) {
  memset(m, 0, sizeof *m);
  m->c = TTB_CONFIG(ttb_router_config);
  m->c.capacity = N;
  m->c.threads = 3;
  m->c.seed = check_rand(c);
  m->c.mode = (uint32_t)check_between(c, 1, 5);
  m->c.claims = (uint32_t)check_between(c, 1, 2);
  m->c.flags = check_chance(c, 1, 3) ? TTB_ROUTER_COUNT_AGE : 0;
  if (check_chance(c, 1, 3)) m->c.flags |= TTB_ROUTER_TICKETS_MOVE;
  m->c.max_lag_ms = check_chance(c, 1, 6) ? TTB_OFF : (int32_t)check_between(c, 1, 5000);
  m->c.hard_lag_ms = TTB_OFF;
  m->c.min_replicas = (uint32_t)check_between(c, 1, 4);
  if (m->c.max_lag_ms > 0 && check_chance(c, 1, 2))
    m->c.hard_lag_ms = m->c.max_lag_ms + (int32_t)check_below(c, 9000);
  m->c.ttl_ms = check_chance(c, 1, 6) ? TTB_OFF : (int32_t)check_between(c, 1, 20000);
  m->c.window_us = check_chance(c, 1, 4) ? TTB_OFF : 15000;
  m->claims = 1;
  m->now_ms = 5000000 + check_below(c, 1000000);
  CHECK(c, ttb_router_new(&m->shared, &m->c, NULL) == TTB_OK, "new");
  CHECK(c, ttb_router_join(&m->shared, 1, &m->mine) == TTB_OK, "join");
}

static void step_add(check *c, model *m) {
  ttb_endpoint e = {sizeof e, 0, ++m->next_id};
  int32_t slot = ttb_router_add(&m->mine, &e), expect = TTB_ERR_NOSPACE;
  for (int i = N; i-- > 0;)
    if (!m->node[i].present && m->node[i].in_flight == 0) expect = i;
  CHECK(c, slot == expect, "added to %d, not %d", slot, expect);
  if (slot < 0 || slot >= N) return;
  m->node[slot] = (model_node){.present = true, .id = e.id, .rtt_ms = -1};
}

static void step_remove(check *c, model *m) {
  model_node *n = &m->node[check_below(c, N)];
  int32_t code = ttb_router_remove(&m->mine, n->present ? n->id : 999999999);
  CHECK(c, code == (n->present ? TTB_OK : TTB_ERR_UNKNOWN_ID), "remove: %d", code);
  n->present = n->observed = false;
}

static void step_observe(check *c, model *m) {
  static const uint32_t roles[] = {0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 3};
  static const uint32_t statuses[] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 5};
  model_node *n = &m->node[check_below(c, N)];
  if (!n->present) return;
  ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
  o.role = roles[check_below(c, 12)];
  if (o.role == TTB_ROLE_PEER && !check_chance(c, 1, 10)) o.role = TTB_ROLE_REPLICA;
  o.status = statuses[check_below(c, 13)];
  o.lag_ms = check_chance(c, 1, 8) ? -1 : check_between(c, 0, 8000);
  if (check_chance(c, 1, 50)) o.lag_ms = INT64_MAX;
  o.epoch = check_chance(c, 1, 2) ? m->top : check_below(c, m->top + 2);
  if (o.role != TTB_ROLE_PRIMARY && check_chance(c, 3, 4)) o.epoch = 0;
  if (check_chance(c, 3, 4)) o.rtt_ns = (int64_t)(rtt_of(n->id) * 1e6);
  int32_t code = ttb_router_observe(&m->shared, n->id, &o, m->now_ms * MS);

  bool primary = o.role == TTB_ROLE_PRIMARY, old = o.epoch < m->top;
  uint32_t status = o.status ? o.status : TTB_STATUS_HEALTHY;
  bool fit = status != TTB_STATUS_UNHEALTHY && status != TTB_STATUS_STALE;
  CHECK(c, code == (primary && old ? TTB_STALE : TTB_OK), "observe: %d", code);
  if (o.epoch > m->top) {
    m->top = o.epoch;
    m->claims++; /* whoever claimed before has lost */
  }
  if (primary && fit && !old && n->claimed != m->claims) n->claimed = ++m->claims;
  n->observed = true;
  n->role = o.role;
  n->status = status;
  n->lag_ms = o.lag_ms;
  n->epoch = o.epoch;
  n->at_ms = m->now_ms;
  if (o.role == TTB_ROLE_UNKNOWN || !fit)
    n->rtt_ms = -1;
  else if (o.rtt_ns > 0)
    n->rtt_ms = rtt_of(n->id);
}

/* Often to the last moment of an observation, or the one after it. */
static void step_time(check *c, model *m) {
  const model_node *n = &m->node[check_below(c, N)];
  uint64_t end = n->at_ms + (uint64_t)(m->c.ttl_ms > 0 ? m->c.ttl_ms : 0) + check_below(c, 2);
  if (n->observed && end > m->now_ms && check_chance(c, 1, 20)) m->now_ms = end;
  else m->now_ms += check_below(c, 1u << check_below(c, 13));
}

static void step_drain(check *c, model *m) {
  model_node *n = &m->node[check_below(c, N)];
  if (!n->present) return;
  n->drained = check_chance(c, 1, 4);
  CHECK(c, ttb_router_drain(&m->shared, n->id, n->drained) == TTB_OK, "drain");
}

static void report(check *c, model *m, uint32_t i) {
  held h = m->held[i];
  m->held[i] = m->held[--m->nheld];
  int32_t outcome = (int32_t)check_below(c, 5);
  int32_t code = ttb_router_report(&m->mine, h.ticket, outcome, check_below(c, 1000), 0);
  CHECK(c, code == TTB_OK, "report: %d", code);
  m->node[h.slot].in_flight--;
}

static void took(check *c, model *m, int64_t t, uint64_t set, int32_t refusal) {
  if (set == 0) {
    CHECK(c, t == refusal, "got %lld, not %d", (long long)t, refusal);
    return;
  }
  CHECK(c, t >= 0, "refused with %lld, but %llx may be picked", (long long)t,
        (unsigned long long)set);
  if (t < 0) return;
  uint32_t slot = (uint32_t)ttb_ticket_slot(t);
  CHECK(c, slot < N && set >> slot & 1, "picked %u of %llx", slot, (unsigned long long)set);
  if (slot >= N) return;
  m->node[slot].in_flight++;
  m->held[m->nheld++] = (held){t, slot};
  if (m->nheld == HELD) report(c, m, (uint32_t)check_below(c, HELD));
}

static void step_read(check *c, model *m) {
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  w.mode = (uint32_t)check_below(c, 6);
  if (check_chance(c, 1, 3)) w.max_lag_ms = (int32_t)check_between(c, 1, 9000);
  if (check_chance(c, 1, 20)) w.max_lag_ms = TTB_OFF;
  if (check_chance(c, 1, 3)) w.avoid = check_rand(c);
  int32_t refusal = 0;
  uint64_t set = allowed(m, &w, &refusal), shown = 0;
  took(c, m, ttb_router_read(&m->mine, &w, m->now_ms * MS), set, refusal);

  ttb_router_node row[N];
  for (int i = 0; i < N; i++) row[i] = TTB_CONFIG(ttb_router_node);
  int32_t rows = ttb_router_explain(&m->shared, &w, m->now_ms * MS, row, N);
  CHECK(c, rows >= 0 && rows <= N, "explain: %d", rows);
  for (int32_t i = 0; i < rows && i < N; i++) {
    shown |= (uint64_t)(row[i].why == 0) << row[i].slot;
    CHECK(c, row[i].in_flight == m->node[row[i].slot].in_flight, "in flight: %u, not %u",
          row[i].in_flight, m->node[row[i].slot].in_flight);
  }
  CHECK(c, shown == set, "explained %llx, not %llx", (unsigned long long)shown,
        (unsigned long long)set);
}

static void step_write(check *c, model *m) {
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  w.mode = TTB_READ_PRIMARY;
  int32_t refusal = 0;
  uint64_t set = allowed(m, &w, &refusal);
  took(c, m, ttb_router_write(&m->mine, m->now_ms * MS), set, refusal);
}

static void finish(check *c, model *m) {
  while (m->nheld > 0) report(c, m, m->nheld - 1);
  for (int i = 0; i < N; i++)
    CHECK(c, m->node[i].in_flight == 0, "slot %d keeps %u", i, m->node[i].in_flight);
  ttb_router_free(&m->mine);
  ttb_router_free(&m->shared);
}

static void property_reference(check *c) {
  static model m;
  check_property(c, "picks, refusals, counts and explanations are those of the reference");
  uint32_t left = 0;
  bool begun = false;
  while (check_step(c)) {
    if (left == 0) {
      if (begun) finish(c, &m);
      start(c, &m);
      begun = true;
      left = 1500;
    }
    left--;
    uint64_t k = check_below(c, 100);
    if (k < 3) step_add(c, &m);
    else if (k < 4) step_remove(c, &m);
    else if (k < 30) step_observe(c, &m);
    else if (k < 33) step_drain(c, &m);
    else if (k < 50) step_time(c, &m);
    else if (k < 70) step_read(c, &m);
    else if (k < 80) step_write(c, &m);
    else if (m.nheld > 0) report(c, &m, (uint32_t)check_below(c, m.nheld));
  }
  if (begun) finish(c, &m);
}

/* 1000 reads a node, nothing held: six standard deviations are plenty. */
static void property_spread(check *c) {
  check_property_slow(c, "reads are spread evenly over equal replicas", 5000);
  while (check_step(c)) {
    uint32_t n = (uint32_t)check_between(c, 2, 64), count[64] = {0};
    ttb_router shared, mine;
    ttb_router_config config = TTB_CONFIG(ttb_router_config);
    config.capacity = n;
    config.seed = check_rand(c);
    CHECK(c, ttb_router_new(&shared, &config, NULL) == TTB_OK, "new");
    CHECK(c, ttb_router_join(&shared, 1, &mine) == TTB_OK, "join");
    for (uint32_t i = 0; i < n; i++) {
      ttb_endpoint e = {sizeof e, 0, i + 1};
      ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
      o.role = TTB_ROLE_REPLICA;
      CHECK(c, ttb_router_add(&mine, &e) == (int32_t)i, "add");
      CHECK(c, ttb_router_observe(&mine, e.id, &o, MS) == TTB_OK, "observe");
    }
    for (uint32_t i = 0; i < 1000 * n; i++) {
      int64_t t = ttb_router_read(&mine, NULL, MS);
      CHECK(c, t >= 0 && (uint32_t)ttb_ticket_slot(t) < n, "read: %lld", (long long)t);
      count[ttb_ticket_slot(t) & 63]++;
      CHECK(c, ttb_router_report(&mine, t, TTB_SUCCESS, 0, MS) == TTB_OK, "report");
    }
    for (uint32_t i = 0; i < n; i++)
      CHECK(c, count[i] > 1000 - 190 && count[i] < 1000 + 190, "node %u of %u got %u", i, n,
            count[i]);
    ttb_router_free(&mine);
    ttb_router_free(&shared);
  }
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  property_reference(&c);
  property_spread(&c);
  return check_end(&c);
}
