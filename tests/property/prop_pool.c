/* SPDX-License-Identifier: MIT */
/* A pool against a plain model: lists of tickets, a breaker that only counts
 * failures in a row, an array of what the caller wished. */
#include <string.h>

#include <trimtab/pool.h>

#include "check.h"

#define SLOTS 8
#define TICKETS 64
#define FAIL 4
#define OPEN_MS 500

typedef struct model {
  struct {
    bool used, drained;
    uint64_t id;
    uint32_t in_flight, row, weight;
    int state; /* TTB_BREAKER_* */
    uint64_t until_ms;
    uint32_t round, probes;
  } slot[SLOTS];
  struct {
    int64_t ticket;
    uint32_t slot, round;
    uint64_t id;
    bool probe;
  } out[TICKETS];
  uint32_t n;
  uint64_t now_ms, next_id;
} model;

static uint64_t ns(const model *m) { return m->now_ms * 1000000; }

static ttb_pool_config config_of(check *c, bool active, ttb_breaker_config *b) {
  ttb_pool_config p = TTB_CONFIG(ttb_pool_config);
  *b = TTB_CONFIG(ttb_breaker_config);
  b->consecutive = FAIL;
  b->failure_rate_ppm = TTB_OFF;
  b->open_ms = OPEN_MS;
  b->lease_ms = 3600000; /* leases are prop_breaker's matter */
  p.capacity = SLOTS;
  p.probing = active ? TTB_POOL_PROBE_ACTIVE : TTB_POOL_PROBE_TRAFFIC;
  p.seed = check_rand(c);
  p.breaker = b;
  return p;
}

/* Whether the model lets an ordinary or a probing call go to a slot. */
static bool may(const model *m, uint32_t s, bool active, bool *probe) {
  *probe = false;
  if (!m->slot[s].used || m->slot[s].drained || m->slot[s].weight == 0) return false;
  if (m->slot[s].state == TTB_BREAKER_CLOSED) return true;
  if (active) return false;
  *probe = true;
  if (m->slot[s].state == TTB_BREAKER_OPEN) return m->now_ms >= m->slot[s].until_ms;
  return m->slot[s].probes == 0;
}

static void trip(model *m, uint32_t s) {
  m->slot[s].state = TTB_BREAKER_OPEN;
  m->slot[s].until_ms = m->now_ms + OPEN_MS;
  m->slot[s].round++;
  m->slot[s].row = m->slot[s].probes = 0;
}

static void settle(model *m, uint32_t i, int32_t outcome) {
  uint32_t s = m->out[i].slot;
  if (!m->slot[s].used || m->slot[s].id != m->out[i].id) return;
  if (m->out[i].round != m->slot[s].round) return;
  if (m->out[i].probe) m->slot[s].probes--;
  if (outcome >= TTB_IGNORED) return;
  bool failed = outcome == TTB_FAILURE;
  if (m->out[i].probe) {
    if (failed) {
      trip(m, s);
    } else {
      m->slot[s].state = TTB_BREAKER_CLOSED;
      m->slot[s].round++;
    }
  } else if (!failed) {
    m->slot[s].row = 0;
  } else if (++m->slot[s].row == FAIL) {
    trip(m, s);
  }
}

static void step_acquire(check *c, ttb_pool *mine, model *m, bool active) {
  uint32_t excluded[3], n = (uint32_t)check_below(c, 4);
  for (uint32_t i = 0; i < n; i++) excluded[i] = (uint32_t)check_below(c, SLOTS + 1);
  if (m->n == TICKETS) return;
  (void)ttb_pool_tick(mine, ns(m));
  int64_t t = ttb_pool_acquire_except(mine, 0, excluded, n, ns(m));
  uint32_t allowed = 0, listed = 0;
  bool probe;
  for (uint32_t s = 0; s < SLOTS; s++) {
    bool ok = may(m, s, active, &probe), out = false;
    for (uint32_t i = 0; i < n; i++) out |= excluded[i] == s;
    allowed += ok && !out;
    listed += ok && out;
  }
  if (allowed == 0) {
    int64_t want = listed > 0 ? TTB_ALL_EXCLUDED : TTB_NO_ENDPOINT;
    CHECK(c, t == want, "nobody may be picked, got %" PRId64 " instead of %" PRId64, t, want);
    return;
  }
  CHECK(c, t >= 0, "%u may be picked, got %" PRId64, allowed, t);
  if (t < 0) return;
  uint32_t s = (uint32_t)ttb_ticket_slot(t);
  CHECK(c, s < SLOTS && may(m, s, active, &probe), "slot %u may not be picked", s);
  for (uint32_t i = 0; i < n; i++) CHECK(c, excluded[i] != s, "slot %u was excluded", s);
  CHECK(c, ttb_pool_is_probe(t) == probe, "slot %u: probe is %d", s, !probe);
  if (c->wrong) return;
  if (probe && m->slot[s].state == TTB_BREAKER_OPEN) {
    m->slot[s].state = TTB_BREAKER_HALF_OPEN;
    m->slot[s].round++;
  }
  if (probe) m->slot[s].probes++;
  m->slot[s].in_flight++;
  m->out[m->n].ticket = t;
  m->out[m->n].slot = s;
  m->out[m->n].id = m->slot[s].id;
  m->out[m->n].round = m->slot[s].round;
  m->out[m->n++].probe = probe;
}

static void step_report(check *c, ttb_pool *mine, model *m) {
  if (m->n == 0) return;
  uint32_t i = (uint32_t)check_below(c, m->n);
  int32_t outcome = check_chance(c, 1, 2) ? TTB_FAILURE : (int32_t)check_below(c, 5);
  int64_t t = m->out[i].ticket;
  int32_t code = ttb_pool_report(mine, t, outcome, check_below(c, 1u << 30), ns(m));
  CHECK(c, code == TTB_OK, "report gave %d", code);
  uint32_t s = m->out[i].slot;
  if (m->slot[s].used && m->slot[s].id == m->out[i].id) m->slot[s].in_flight--;
  settle(m, i, outcome);
  m->out[i] = m->out[--m->n];
  /* A second report of the same ticket is stale, unless this thread has another
   * call out on the same endpoint, whose count it may then take (see balancer.h). */
  for (uint32_t k = 0; k < m->n; k++)
    if (m->out[k].slot == s) return;
  code = ttb_pool_report(mine, t, TTB_FAILURE, 0, ns(m));
  CHECK(c, code == TTB_STALE, "a second report gave %d", code);
}

static void step_set(check *c, ttb_pool *mine, model *m) {
  uint32_t s = (uint32_t)check_below(c, SLOTS);
  bool used = m->slot[s].used;
  switch (check_below(c, 4)) {
  case 0:
    if (used) {
      CHECK(c, ttb_pool_remove(mine, m->slot[s].id, ns(m)) == TTB_OK, "remove %u", s);
      m->slot[s].used = false;
    }
    return;
  case 1: {
    ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
    e.id = ++m->next_id;
    e.weight = (uint32_t)check_below(c, 5);
    int32_t slot = ttb_pool_add(mine, &e, ns(m));
    if (slot == TTB_ERR_NOSPACE) { /* none free, or calls still out on the free ones */
      for (uint32_t k = 0; k < SLOTS; k++) {
        bool held = m->slot[k].used;
        for (uint32_t i = 0; i < m->n; i++) held |= m->out[i].slot == k;
        CHECK(c, held, "slot %u is free, add says there is none", k);
      }
      return;
    }
    CHECK(c, slot >= 0 && slot < SLOTS && !m->slot[slot].used, "add gave %d", slot);
    if (c->wrong) return;
    for (uint32_t i = 0; i < m->n; i++)
      CHECK(c, m->out[i].slot != (uint32_t)slot, "slot %d is reused with a call out", slot);
    uint32_t round = m->slot[slot].round + 1;
    memset(&m->slot[slot], 0, sizeof m->slot[slot]);
    m->slot[slot].used = true;
    m->slot[slot].id = e.id;
    m->slot[slot].round = round;
    m->slot[slot].weight = e.weight ? e.weight : 1;
    return;
  }
  case 2:
    if (used) {
      m->slot[s].drained = check_chance(c, 1, 4);
      ttb_pool_drain(mine, m->slot[s].id, m->slot[s].drained, ns(m));
    }
    return;
  default:
    if (used) {
      m->slot[s].weight = (uint32_t)check_below(c, 4);
      CHECK(c, ttb_pool_set_weight(mine, m->slot[s].id, m->slot[s].weight) == TTB_OK, "weight");
    }
  }
}

static void compare(check *c, const ttb_pool *mine, const model *m) {
  uint64_t total = 0;
  for (uint32_t s = 0; s < SLOTS; s++) {
    ttb_pool_info i = TTB_CONFIG(ttb_pool_info);
    int32_t code = ttb_pool_inspect(mine, s, ns(m), &i);
    CHECK(c, code == (m->slot[s].used ? TTB_OK : TTB_ERR_UNKNOWN_ID), "slot %u: %d", s, code);
    if (code != TTB_OK) continue;
    CHECK(c, i.id == m->slot[s].id, "slot %u: id", s);
    CHECK(c, i.in_flight == m->slot[s].in_flight, "slot %u: %u in flight, should be %u", s,
          i.in_flight, m->slot[s].in_flight);
    int state = m->slot[s].state;
    if (state == TTB_BREAKER_OPEN && m->now_ms >= m->slot[s].until_ms) state = TTB_BREAKER_HALF_OPEN;
    CHECK(c, i.breaker == state, "slot %u: breaker is %d, should be %d", s, i.breaker, state);
    total += i.in_flight;
  }
  ttb_pool_stats st = TTB_CONFIG(ttb_pool_stats);
  (void)ttb_pool_statistics(mine, &st);
  CHECK(c, st.in_flight >= total && st.in_flight == m->n, "%" PRIu64 " in flight, %u tickets out",
        st.in_flight, m->n);
}

/* Active probing: a probe of an endpoint the model knows about. */
static void step_probe(check *c, ttb_pool *mine, model *m) {
  uint32_t s = (uint32_t)check_below(c, SLOTS);
  bool ok = check_chance(c, 2, 3);
  int32_t code = ttb_pool_probe_result(mine, s, ok ? TTB_SUCCESS : TTB_FAILURE, 1000, ns(m));
  if (!m->slot[s].used) {
    CHECK(c, code == TTB_STALE, "a probe of nobody gave %d", code);
    return;
  }
  if (m->slot[s].state == TTB_BREAKER_CLOSED || m->now_ms < m->slot[s].until_ms) return;
  m->slot[s].round++; /* to half-open */
  if (ok) {
    m->slot[s].state = TTB_BREAKER_CLOSED;
    m->slot[s].round++;
  } else {
    trip(m, s);
  }
}

static void run(check *c, bool active) {
  ttb_pool shared, mine;
  ttb_breaker_config b;
  ttb_health_config h = TTB_CONFIG(ttb_health_config);
  model m;
  bool there = false;
  /* Health has its own property test; here it must not interfere. */
  h.start = TTB_HEALTH_START_FULLY_UP;
  h.fall = 100;
  h.ttl_ms = TTB_OFF;
  h.degraded_ms = TTB_OFF;
  h.passive_errors = TTB_OFF;
  while (check_step(c)) {
    if (!there || check_chance(c, 1, 5000)) {
      if (there) ttb_pool_free(&mine);
      if (there) ttb_pool_free(&shared);
      ttb_pool_config p = config_of(c, active, &b);
      p.health = &h;
      memset(&m, 0, sizeof m);
      m.now_ms = 1000000 + check_below(c, 1000000);
      there = ttb_pool_new(&shared, &p, NULL) == TTB_OK && ttb_pool_join(&shared, 7, &mine) == TTB_OK;
      CHECK(c, there, "no pool");
      if (!there) return;
    }
    switch (check_below(c, 16)) {
    case 0: step_set(c, &mine, &m); break;
    case 1: m.now_ms += check_below(c, 300); break;
    case 2: compare(c, &mine, &m); break;
    case 3:
      if (active) step_probe(c, &mine, &m);
      break;
    case 4: case 5: case 6: case 7: case 8: case 9: step_report(c, &mine, &m); break;
    default: step_acquire(c, &mine, &m, active); break;
    }
  }
  if (there) ttb_pool_free(&mine);
  if (there) ttb_pool_free(&shared);
}

/* A pool and, beside it, a health table that is told the same: who is ejected
 * there has the cause here, after each report and each tick, and every change is
 * told once. */
static void run_ejection(check *c) {
  ttb_pool shared, mine;
  ttb_health twin;
  bool there = false, used[SLOTS] = {0}, out[SLOTS] = {0};
  uint64_t now = 1, id = 0, cursor = 0, lost = 0;
  uint32_t bad = 0;
  while (check_step(c)) {
    if (!there || check_chance(c, 1, 3000)) {
      if (there) ttb_pool_free(&mine), ttb_pool_free(&shared), ttb_health_free(&twin);
      ttb_breaker_config b = TTB_CONFIG(ttb_breaker_config);
      ttb_health_config h = TTB_CONFIG(ttb_health_config);
      ttb_pool_config p = TTB_CONFIG(ttb_pool_config);
      b.consecutive = TTB_OFF, b.min_calls = 100000;
      h.eject = TTB_HEALTH_EJECT_ROBUST + (int32_t)check_below(c, 3);
      h.eject_errors = check_chance(c, 1, 2) ? TTB_OFF : 3 + (int32_t)check_below(c, 3);
      h.eject_interval_ms = 100 + (uint32_t)check_below(c, 400);
      h.eject_base_ms = 500, h.eject_requests = 5, h.eject_hosts = 2;
      h.eject_max_ppm = 500000;
      h.passive_errors = TTB_OFF, h.flags = TTB_HEALTH_DISABLED, h.seed = 1 + check_rand(c);
      p.capacity = h.capacity = SLOTS, p.breaker = &b, p.health = &h;
      now = UINT64_C(1000000000000), cursor = lost = 0;
      there = ttb_pool_new(&shared, &p, NULL) == TTB_OK && ttb_pool_join(&shared, 7, &mine) == TTB_OK &&
              ttb_health_new(&twin, &h, NULL) == TTB_OK;
      CHECK(c, there, "no pool");
      if (!there) return;
      memset(used, 0, sizeof used), memset(out, 0, sizeof out);
    }
    uint32_t dice = (uint32_t)check_below(c, 64), s = (uint32_t)check_below(c, SLOTS);
    if (dice == 0 && used[s]) {
      ttb_pool_info i = TTB_CONFIG(ttb_pool_info);
      (void)ttb_pool_inspect(&mine, s, now, &i);
      CHECK(c, ttb_pool_remove(&mine, i.id, now) == TTB_OK, "remove %u", s);
      (void)ttb_health_disable(&twin, s, now);
      used[s] = out[s] = false;
    } else if (dice <= 2) {
      ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
      e.id = ++id;
      int32_t slot = ttb_pool_add(&mine, &e, now);
      if (slot >= 0) used[slot] = true, (void)ttb_health_enable(&twin, (uint32_t)slot, now);
    } else if (dice <= 5) {
      if (check_chance(c, 1, 8)) bad = (uint32_t)check_below(c, 1 << SLOTS) & (uint32_t)check_below(c, 1 << SLOTS);
      now += check_below(c, 50000000);
      (void)ttb_pool_tick(&mine, now);
      (void)ttb_health_tick(&twin, now, NULL, 0);
    } else {
      int64_t t = ttb_pool_acquire(&mine, 0, now);
      bool any = false;
      for (uint32_t k = 0; k < SLOTS; k++) any |= used[k] && !out[k];
      CHECK(c, (t >= 0) == any, "picked %" PRId64 ", %d may be", t, any);
      if (t < 0) continue;
      s = (uint32_t)ttb_ticket_slot(t);
      CHECK(c, s < SLOTS && used[s] && !out[s], "slot %u is ejected", s);
      if (c->wrong) return;
      int32_t outcome = (bad >> s & 1) && check_chance(c, 3, 4) ? TTB_FAILURE : (int32_t)check_below(c, 5) / 4;
      CHECK(c, ttb_pool_report(&mine, t, outcome, 1000, now) == TTB_OK, "report");
      (void)ttb_health_observe(&twin, s, outcome, now);
    }
    ttb_pool_event e;
    while (ttb_pool_events(&shared, &cursor, &e, 1, &lost) == 1) {
      if (e.kind != TTB_POOL_EJECTED && e.kind != TTB_POOL_READMITTED) continue;
      CHECK(c, e.value == TTB_HEALTH_EJECTED && out[e.slot] == (e.kind == TTB_POOL_READMITTED),
            "slot %u: event %d, value %" PRId64, e.slot, e.kind, e.value);
      out[e.slot] = e.kind == TTB_POOL_EJECTED;
    }
    for (uint32_t k = 0; k < SLOTS; k++) {
      ttb_pool_info i = TTB_CONFIG(ttb_pool_info);
      bool is = ttb_health_ejected(&twin, k) == 1;
      if (used[k]) (void)ttb_pool_inspect(&mine, k, now, &i);
      CHECK(c, is == out[k] && i.causes == (is ? TTB_CAUSE_OUTLIER : 0),
            "slot %u: ejected %d, told %d, causes %u", k, is, out[k], i.causes);
    }
  }
  if (there) ttb_pool_free(&mine), ttb_pool_free(&shared), ttb_health_free(&twin);
}

/* Two pools, of the same limits in another order, live the same life: what is
 * refused, and by which limit, does not depend on it; and a refused call leaves
 * nothing in any limit. */
static void run_limits(check *c) {
  ttb_pool shared[2], mine[2];
  ttb_pool_call out[2][TICKETS];
  uint32_t n = 0, permits = 1, burst = 1, spent = 0;
  uint64_t now = 1;
  bool there = false;
  while (check_step(c)) {
    if (!there || check_chance(c, 1, 2000)) {
      for (int i = 0; there && i < 2; i++) ttb_pool_free(&mine[i]), ttb_pool_free(&shared[i]);
      ttb_limiter_config l[2][2] = {{TTB_CONFIG(ttb_limiter_config), TTB_CONFIG(ttb_limiter_config)}};
      permits = 1 + (uint32_t)check_below(c, 12), burst = 1 + (uint32_t)check_below(c, 200);
      l[0][0].kind = TTB_LIMITER_BULKHEAD, l[0][0].permits = permits;
      l[0][1].kind = TTB_LIMITER_RATE, l[0][1].burst = burst;
      l[0][1].rate = 1, l[0][1].period_ms = 10000; /* nothing comes back while it lasts */
      l[1][0] = l[0][1], l[1][1] = l[0][0];
      ttb_breaker_config b = TTB_CONFIG(ttb_breaker_config);
      b.consecutive = FAIL, b.failure_rate_ppm = TTB_OFF, b.open_ms = OPEN_MS;
      now = UINT64_C(1000000000000), n = spent = 0;
      for (int i = 0; i < 2; i++) {
        ttb_pool_config p = TTB_CONFIG(ttb_pool_config);
        p.capacity = 4, p.limits = l[i], p.n_limits = 2, p.breaker = &b, p.seed = 5;
        there = ttb_pool_new(&shared[i], &p, NULL) == TTB_OK &&
                ttb_pool_join(&shared[i], 7, &mine[i]) == TTB_OK;
        for (uint64_t id = 1; there && id <= 2; id++) {
          ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
          e.id = id;
          there = ttb_pool_add(&mine[i], &e, now) >= 0;
        }
        CHECK(c, there, "no pool");
        if (!there) return;
      }
    }
    if (n < TICKETS && check_chance(c, 1, 2)) {
      int64_t t[2];
      uint32_t events = (uint32_t)check_below(c, 4);
      for (int i = 0; i < 2; i++) {
        out[i][n] = TTB_CONFIG(ttb_pool_call);
        out[i][n].events = events < burst ? events : 0;
        t[i] = ttb_pool_begin(&mine[i], &out[i][n], now);
      }
      CHECK(c, t[0] == t[1], "%" PRId64 " and %" PRId64, t[0], t[1]);
      uint32_t takes = out[0][n].events ? out[0][n].events : 1;
      bool dry = spent + takes > burst, full = n == permits;
      CHECK(c, (t[0] == TTB_LIMIT) == (dry || full), "got %" PRId64 ", dry %d, full %d", t[0], dry, full);
      if (t[0] == TTB_LIMIT) /* the rate is asked first, whatever the order */
        CHECK(c, out[0][n].refused_by == (dry ? 1 : 0) && out[1][n].refused_by == (dry ? 0 : 1),
              "refused by %d and %d", out[0][n].refused_by, out[1][n].refused_by);
      if (t[0] >= 0) n++, spent += takes;
    } else if (n > 0) {
      uint32_t k = (uint32_t)check_below(c, n);
      int32_t outcome = check_chance(c, 1, 3) ? TTB_FAILURE : (int32_t)check_below(c, 5);
      if (outcome == TTB_CANCELLED) spent -= out[0][k].events ? out[0][k].events : 1;
      n--;
      for (int i = 0; i < 2; i++) {
        int32_t code = ttb_pool_end(&mine[i], &out[i][k], outcome, 1000, now);
        CHECK(c, code == TTB_OK, "end gave %d", code);
        code = ttb_pool_end(&mine[i], &out[i][k], outcome, 1000, now);
        CHECK(c, code == TTB_STALE, "the second end gave %d", code);
        out[i][k] = out[i][n];
      }
    }
    now += 1000;
    for (uint32_t i = 0; i < 2; i++) {
      ttb_limiter_info b = TTB_CONFIG(ttb_limiter_info), r = b;
      ttb_pool_stats st = TTB_CONFIG(ttb_pool_stats);
      (void)ttb_pool_limit(&shared[i], i, 0, now, &b);
      (void)ttb_pool_limit(&shared[i], 1 - i, 0, now, &r);
      (void)ttb_pool_statistics(&mine[i], &st);
      CHECK(c, b.in_use == n && st.in_flight == n, "%u permits, %" PRIu64 " in flight, %u calls",
            b.in_use, st.in_flight, n);
      CHECK(c, r.available == burst - spent, "%u events left, not %u", r.available, burst - spent);
    }
  }
  for (int i = 0; there && i < 2; i++) ttb_pool_free(&mine[i]), ttb_pool_free(&shared[i]);
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  check_property(&c, "pool against a plain model, probed by traffic");
  run(&c, false);
  check_property(&c, "pool against a plain model, probed actively");
  run(&c, true);
  check_property(&c, "limits hold what calls hold, in whatever order they are");
  run_limits(&c);
  check_property(&c, "who is ejected as an outlier has the cause, and is told of once");
  run_ejection(&c);
  return check_end(&c);
}
