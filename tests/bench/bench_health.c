/* SPDX-License-Identifier: MIT */
/* What health costs, as ratios to a relaxed fetch_add of the same run.
 *
 * A call of a "sweep" is one over all its targets: the counts are put in place (a
 * store each), the sweep takes and judges them; of the dead, each is given back and
 * ejected again (gRPC's: every other time). */
#include <stdint.h>
#include <stdio.h>

#include <trimtab/health.h>

#include "../../lib/health/health.h"
#include "bench.h"

#define TARGETS 64
#define MEMBERS 16

typedef struct table {
  ttb_health h;
  uint64_t now_ns;
  ttb_health_member members[MEMBERS];
  ttb_health_view view;
  volatile int64_t sink;
} table;

/* Steady state, a new millisecond each time: the clock's store and one CAS. */
static void report(void *ctx, uint64_t n) {
  table *t = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) {
    t->now_ns += 1000000;
    sum += ttb_health_report(&t->h, (uint32_t)i % TARGETS, TTB_SUCCESS, 0, t->now_ns);
  }
  t->sink = sum;
}

/* Rounds over all targets, a millisecond apart: the clock is written once a round. */
static void report_rounds(void *ctx, uint64_t n) {
  table *t = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) {
    if (i % TARGETS == 0) t->now_ns += 1000000;
    sum += ttb_health_report(&t->h, (uint32_t)i % TARGETS, TTB_SUCCESS, 0, t->now_ns);
  }
  t->sink = sum;
}

/* Several results of one target a millisecond: nothing changes, nothing is written. */
static void report_same(void *ctx, uint64_t n) {
  table *t = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++)
    sum += ttb_health_report(&t->h, (uint32_t)i % TARGETS, TTB_SUCCESS, 0, t->now_ns);
  t->sink = sum;
}

/* The same with a latency: the average decays as well. */
static void report_latency(void *ctx, uint64_t n) {
  table *t = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) {
    t->now_ns += 1000000;
    sum += ttb_health_report(&t->h, (uint32_t)i % TARGETS, TTB_SUCCESS, 5000000 + i, t->now_ns);
  }
  t->sink = sum;
}

static void observe(void *ctx, uint64_t n) {
  table *t = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++)
    sum += ttb_health_observe(&t->h, (uint32_t)i % TARGETS, TTB_SUCCESS, t->now_ns);
  t->sink = sum;
}

static void status(void *ctx, uint64_t n) {
  table *t = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++)
    sum += ttb_health_status(&t->h, (uint32_t)i % TARGETS, t->now_ns);
  t->sink = sum;
}

static void status_n(void *ctx, uint64_t n) {
  table *t = ctx;
  int32_t all[TARGETS];
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) sum += ttb_health_status_n(&t->h, NULL, TARGETS, t->now_ns, all);
  t->sink = sum;
}

static void tick(void *ctx, uint64_t n) {
  table *t = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) sum += ttb_health_tick(&t->h, t->now_ns, NULL, 0);
  t->sink = sum;
}

static void due(void *ctx, uint64_t n) {
  table *t = ctx;
  uint32_t slots[TARGETS];
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) sum += ttb_health_due(&t->h, t->now_ns, slots, TARGETS);
  t->sink = sum;
}

static void overall(void *ctx, uint64_t n) {
  table *t = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) sum += ttb_health_overall(&t->h, &t->view, t->now_ns, NULL);
  t->sink = sum;
}

static void json(void *ctx, uint64_t n) {
  table *t = ctx;
  static char buf[8192];
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++)
    sum += ttb_health_json(&t->h, &t->view, t->now_ns, buf, sizeof buf, NULL);
  t->sink = sum;
}

static int make(table *t) {
  static const char *const names[MEMBERS] = {
      "orders-db", "users-db", "cache", "search", "payments", "mail", "queue", "images",
      "sessions", "pricing", "stock", "geo", "audit", "flags", "metrics", "disk"};
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = TARGETS;
  c.rise = 2;
  c.fall = 3;
  t->now_ns = UINT64_C(3600000000000);
  if (ttb_health_new(&t->h, &c, NULL) < 0) return -1;
  for (uint32_t i = 0; i < TARGETS; i++)
    ttb_health_report(&t->h, i, TTB_SUCCESS, 12345678, t->now_ns);
  for (uint32_t i = 0; i < MEMBERS; i++) {
    t->members[i] = TTB_CONFIG(ttb_health_member);
    t->members[i].slot = i;
    t->members[i].name = names[i];
    t->members[i].type = "datastore";
  }
  t->view = TTB_CONFIG(ttb_health_view);
  t->view.members = t->members;
  t->view.count = MEMBERS;
  t->view.wall_ms = UINT64_C(1767225600000);
  return 0;
}

/* ---- ejection ---- */

typedef struct ejecting {
  ttb_health h;
  uint64_t now_ns;
  uint32_t targets, dead_ppm;
  volatile int64_t sink;
} ejecting;

static void observe_success(void *ctx, uint64_t n) {
  ejecting *e = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++)
    sum += ttb_health_observe(&e->h, (uint32_t)i % TARGETS, TTB_SUCCESS, e->now_ns);
  e->sink = sum;
}

static void observe_failure(void *ctx, uint64_t n) {
  ejecting *e = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++)
    sum += ttb_health_observe(&e->h, (uint32_t)i % TARGETS, TTB_FAILURE, e->now_ns);
  e->sink = sum;
}

/* One failure ejects, a probe that passes gives back. */
static void eject_and_return(void *ctx, uint64_t n) {
  ejecting *e = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) {
    sum += ttb_health_observe(&e->h, (uint32_t)i % e->targets, TTB_FAILURE, e->now_ns);
    sum += ttb_health_report(&e->h, (uint32_t)i % e->targets, TTB_SUCCESS, 0, e->now_ns);
  }
  e->sink = sum;
}

static void sweep(void *ctx, uint64_t n) {
  ejecting *e = ctx;
  ttb__health *t = ttb__health_of(&e->h);
  uint64_t good = UINT64_C(1000) << 2 * TTB__OUTLIER_FIELD;
  uint64_t bad = good | UINT64_C(950) << TTB__OUTLIER_FIELD;
  uint32_t dead = (uint32_t)((uint64_t)e->targets * e->dead_ppm / 1000000);
  while (n-- > 0) {
    for (uint32_t i = 0; i < e->targets; i++)
      ttb__store_rlx(&t->outliers[i].counts, i < dead ? bad : good + i % 8);
    e->now_ns += UINT64_C(1000000000000); /* whoever was ejected comes back */
    e->sink = ttb_health_tick(&e->h, e->now_ns, NULL, 0);
  }
}

static int make_ejecting(ejecting *e, uint32_t targets, int32_t profile, uint32_t dead_ppm) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = e->targets = targets;
  c.ttl_ms = c.passive_errors = TTB_OFF;
  c.eject = profile;
  c.eject_max_ppm = 500000;
  c.eject_errors = TTB_OFF;
  c.eject_gateway = TTB_OFF;
  c.enforce_failure_ppm = 1000000;
  e->dead_ppm = dead_ppm;
  e->now_ns = UINT64_C(3600000000000);
  return ttb_health_new(&e->h, &c, NULL);
}

/* dead_ppm of them are ejected already, and one failure ejects the next. */
static int make_rows(ejecting *e, uint32_t targets, uint32_t dead_ppm) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = e->targets = targets;
  c.passive_errors = TTB_OFF;
  c.eject = TTB_HEALTH_EJECT_ENVOY;
  c.eject_max_ppm = 300000;
  c.eject_errors = 1;
  c.eject_gateway = TTB_OFF;
  c.flags = TTB_HEALTH_EJECT_PROBED;
  e->now_ns = UINT64_C(3600000000000);
  if (ttb_health_new(&e->h, &c, NULL) < 0) return -1;
  for (uint32_t k = 0; k < (uint64_t)targets * dead_ppm / 1000000; k++)
    if (ttb_health_observe(&e->h, targets - 1 - k, TTB_FAILURE, e->now_ns) < 0) return -1;
  return 0;
}

/* So many targets, so many of them dead. */
static int add_sweeps(bench *b) {
  static const struct {
    const char *name;
    int32_t profile;
    uint32_t targets, dead_ppm;
  } rows[] = {
      {"health sweep of 1,000, robust", TTB_HEALTH_EJECT_ROBUST, 1000, 0},
      {"health sweep of 1,000, robust, 30 % dead", TTB_HEALTH_EJECT_ROBUST, 1000, 300000},
      {"health sweep of 10,000, robust", TTB_HEALTH_EJECT_ROBUST, 10000, 0},
      {"health sweep of 10,000, robust, 30 % dead", TTB_HEALTH_EJECT_ROBUST, 10000, 300000},
      {"health sweep of 10,000, Envoy", TTB_HEALTH_EJECT_ENVOY, 10000, 0},
      {"health sweep of 10,000, Envoy, 30 % dead", TTB_HEALTH_EJECT_ENVOY, 10000, 300000},
      {"health sweep of 10,000, gRPC", TTB_HEALTH_EJECT_GRPC, 10000, 0},
      {"health sweep of 10,000, gRPC, 30 % dead", TTB_HEALTH_EJECT_GRPC, 10000, 300000},
  };
  static ejecting made[sizeof rows / sizeof rows[0]];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (make_ejecting(&made[i], rows[i].targets, rows[i].profile, rows[i].dead_ppm) < 0) return -1;
    bench_one(b, rows[i].name, BENCH_ADD, sweep, &made[i]);
  }
  return 0;
}

int main(int argc, char **argv) {
  static table reported, timed, read;
  static ejecting counted, few, many, full;
  bench b = bench_start(argc, argv);
  if (make(&reported) < 0 || make(&timed) < 0 || make(&read) < 0) return 1;
  if (make_ejecting(&counted, TARGETS, TTB_HEALTH_EJECT_ROBUST, 0) < 0) return 1;
  if (make_rows(&few, 64, 0) < 0 || make_rows(&many, 10000, 0) < 0) return 1;
  if (make_rows(&full, 10000, 300000) < 0) return 1;
  bench_one(&b, "health report, 1 ms apart", BENCH_ADD, report, &reported);
  bench_one(&b, "health report, rounds of 64", BENCH_ADD, report_rounds, &reported);
  bench_one(&b, "health report, same millisecond", BENCH_ADD, report_same, &reported);
  bench_one(&b, "health report, with latency", BENCH_ADD, report_latency, &timed);
  bench_one(&b, "health observe, a success", BENCH_ADD, observe, &read);
  bench_one(&b, "health status", BENCH_ADD, status, &read);
  bench_one(&b, "health status_n of 64", BENCH_ADD, status_n, &read);
  bench_one(&b, "health tick over 64", BENCH_ADD, tick, &read);
  bench_one(&b, "health due over 64, none due", BENCH_ADD, due, &read);
  bench_one(&b, "health overall of 16", BENCH_ADD, overall, &read);
  bench_one(&b, "health json of 16, with time", BENCH_ADD, json, &read);
  bench_one(&b, "health observe a success, counted", BENCH_ADD, observe_success, &counted);
  bench_one(&b, "health observe a failure, counted", BENCH_ADD, observe_failure, &counted);
  bench_one(&b, "health eject and return, of 64", BENCH_ADD, eject_and_return, &few);
  bench_one(&b, "health eject and return, of 10,000", BENCH_ADD, eject_and_return, &many);
  bench_one(&b, "health failure while 30 % are ejected", BENCH_ADD, observe_failure, &full);
  if (add_sweeps(&b) < 0) return 1;
  return bench_end(&b);
}
