/* SPDX-License-Identifier: MIT */
/* What a pick costs, by number of nodes: a read (with its report), a write, a
 * batch of reads, an observation. The floor is one relaxed fetch_add. */
#include <stdio.h>
#include <stdlib.h>
#include <trimtab/router.h>

#include "bench.h"

#define NOW UINT64_C(3600000000000)

typedef struct fleet {
  ttb_router shared, mine;
  uint64_t now;
} fleet;

static void must(int64_t code, const char *what) {
  if (code >= 0) return;
  printf("%s: %s\n", what, ttb_strerror((int32_t)code));
  exit(1);
}

/* A primary and nodes - 1 replicas, all near and fresh. */
static void make(fleet *f, uint32_t nodes, uint32_t mode) {
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.capacity = nodes;
  c.mode = mode;
  c.ttl_ms = TTB_OFF;
  must(ttb_router_new(&f->shared, &c, NULL), "new");
  must(ttb_router_join(&f->shared, 1, &f->mine), "join");
  f->now = NOW;
  for (uint32_t i = 0; i < nodes; i++) {
    ttb_endpoint e = {sizeof e, 1, i + 1};
    must(ttb_router_add(&f->mine, &e), "add");
    ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
    o.role = i == 0 ? TTB_ROLE_PRIMARY : TTB_ROLE_REPLICA;
    o.lag_ms = i;
    o.rtt_ns = 1000000 + i;
    o.epoch = 1;
    must(ttb_router_observe(&f->mine, i + 1, &o, NOW), "observe");
  }
}

static void read_report(void *ctx, uint64_t n) {
  fleet *f = ctx;
  while (n--) {
    int64_t t = ttb_router_read(&f->mine, NULL, NOW);
    (void)ttb_router_report(&f->mine, t, TTB_SUCCESS, 0, NOW);
  }
}

static void read_alone(void *ctx, uint64_t n) {
  fleet *f = ctx;
  while (n--) (void)ttb_router_read(&f->mine, NULL, NOW);
}

/* Each in a millisecond of its own: looks at all nodes. */
static void read_anew(void *ctx, uint64_t n) {
  fleet *f = ctx;
  while (n--) {
    f->now += 1000000;
    (void)ttb_router_read(&f->mine, NULL, f->now);
  }
}

static void write_report(void *ctx, uint64_t n) {
  fleet *f = ctx;
  while (n--) {
    int64_t t = ttb_router_write(&f->mine, NOW);
    (void)ttb_router_report(&f->mine, t, TTB_SUCCESS, 0, NOW);
  }
}

/* n reads in batches of 64. */
static void read_batch(void *ctx, uint64_t n) {
  fleet *f = ctx;
  int64_t t[64];
  for (; n >= 64; n -= 64) (void)ttb_router_read_n(&f->mine, NULL, 64, NOW, t);
  if (n) (void)ttb_router_read_n(&f->mine, NULL, (uint32_t)n, NOW, t);
}

static void observe(void *ctx, uint64_t n) {
  fleet *f = ctx;
  ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
  o.role = TTB_ROLE_REPLICA;
  o.epoch = 1;
  o.rtt_ns = 1000000;
  while (n--) (void)ttb_router_observe(&f->mine, 2, &o, NOW);
}

int main(int argc, char **argv) {
  static const uint32_t sizes[] = {3, 16, 50};
  static char names[3][5][64];
  static fleet spread[3], counted[3], near[3], anew[3];
  bench b = bench_start(argc, argv);
  for (int i = 0; i < 3; i++) {
    uint32_t n = sizes[i];
    make(&spread[i], n, TTB_READ_REPLICA_PREFERRED);
    make(&counted[i], n, TTB_READ_REPLICA_PREFERRED);
    make(&anew[i], n, TTB_READ_REPLICA_PREFERRED);
    make(&near[i], n, TTB_READ_NEAREST);
    snprintf(names[i][0], 64, "read, %u nodes", n);
    snprintf(names[i][1], 64, "read+report, nearest, %u nodes", n);
    snprintf(names[i][2], 64, "read_n by 64, %u nodes, each", n);
    snprintf(names[i][3], 64, "write+report, %u nodes", n);
    snprintf(names[i][4], 64, "read, each in a new ms, %u nodes", n);
    bench_one(&b, names[i][4], BENCH_ADD, read_anew, &anew[i]);
    bench_one(&b, names[i][0], BENCH_ADD, read_alone, &counted[i]);
    bench_one(&b, names[i][1], BENCH_ADD, read_report, &near[i]);
    bench_one(&b, names[i][2], BENCH_ADD, read_batch, &counted[i]);
    bench_one(&b, names[i][3], BENCH_ADD, write_report, &spread[i]);
  }
  bench_one(&b, "observe, 16 nodes", BENCH_ADD, observe, &spread[1]);
  return bench_end(&b);
}
