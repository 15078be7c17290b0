/* SPDX-License-Identifier: MIT */
/* What health costs, as ratios to a relaxed fetch_add of the same run. */
#include <stdint.h>
#include <stdio.h>

#include <trimtab/health.h>

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

int main(int argc, char **argv) {
  static table reported, timed, read;
  bench b = bench_start(argc, argv);
  if (make(&reported) < 0 || make(&timed) < 0 || make(&read) < 0) return 1;
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
  return bench_end(&b);
}
