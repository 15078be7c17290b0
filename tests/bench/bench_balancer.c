/* SPDX-License-Identifier: MIT */
/* The balancer against the floor: acquire (and report, where calls in flight
 * are counted) at 10 to 10,000 endpoints, with one thread and with two, and
 * beside it "plain counters": two choices by a counter an endpoint that all
 * threads add to, without eligibility, tickets or recovery (Envoy's shape). */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trimtab/balancer.h>

#include "../../lib/base/random.h"
#include "../support/bench.h"

#define HELD 64 /* tickets outstanding in the cases of two threads */

/* What one thread has to itself is on lines of its own. */
typedef struct subject {
  ttb_balancer shared;
  uint32_t n;
  struct {
    _Alignas(128) ttb_balancer mine;
    int64_t held[HELD];
  } thread[2];
} subject;

typedef struct counters {
  struct {
    _Alignas(64) _Atomic uint64_t active;
  } *host;
  uint32_t n;
  struct {
    _Alignas(128) ttb__random random;
    uint32_t held[HELD];
  } thread[2];
} counters;

static volatile int64_t sink;

static subject *make(uint32_t algorithm, uint32_t n, uint32_t joined) {
  subject *s = aligned_alloc(128, sizeof *s);
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  ttb_endpoint *list = calloc(n, sizeof *list);
  ttb_balancer writer;
  c.algorithm = algorithm;
  c.capacity = n;
  if (!s || !list) exit(1);
  memset(s, 0, sizeof *s);
  if (ttb_balancer_new(&s->shared, &c, NULL) < 0) exit(1);
  for (uint32_t i = 0; i < n; i++)
    list[i] = (ttb_endpoint){.struct_size = sizeof *list, .id = i + 1};
  for (uint32_t i = 0; i < joined; i++)
    if (ttb_balancer_join(&s->shared, 1, &s->thread[i % 2].mine) < 0) exit(1);
  writer = s->thread[0].mine;
  if (ttb_balancer_update(&writer, list, n, NULL) < 0) exit(1);
  for (int t = 0; t < 2; t++)
    for (int i = 0; i < HELD; i++) s->thread[t].held[i] = -1;
  free(list);
  s->n = n;
  return s;
}

static counters *make_counters(uint32_t n) {
  counters *c = aligned_alloc(128, sizeof *c);
  if (!c) exit(1);
  memset(c, 0, sizeof *c);
  if (!(c->host = aligned_alloc(64, n * sizeof *c->host))) exit(1);
  memset(c->host, 0, n * sizeof *c->host);
  c->n = n;
  for (uint32_t t = 0; t < 2; t++) c->thread[t].random = ttb__random_start(1, t);
  return c;
}

static void acquire(void *ctx, uint64_t n) {
  subject *s = ctx;
  int64_t sum = 0;
  for (uint64_t i = 0; i < n; i++)
    sum += ttb_balancer_acquire(&s->thread[0].mine, i * UINT64_C(0x9e3779b97f4a7c15), 0);
  sink = sum;
}

static void acquire_report(void *ctx, uint64_t n) {
  subject *s = ctx;
  for (uint64_t i = 0; i < n; i++) {
    int64_t t = ttb_balancer_acquire(&s->thread[0].mine, 0, 0);
    sink = ttb_balancer_report(&s->thread[0].mine, t, TTB_SUCCESS, 0, 0);
  }
}

/* A call a microsecond, latencies that vary; and so many calls out all the time. */
typedef struct busy {
  subject *s;
  int64_t *held;
  uint64_t n, now, random;
} busy;

static busy *make_busy(subject *s, uint64_t n) {
  busy *b = malloc(sizeof *b);
  if (!b || !(b->held = malloc((n + 1) * sizeof *b->held))) exit(1);
  b->s = s;
  b->n = n;
  b->now = b->random = 1000000000;
  for (uint64_t i = 0; i < n; i++) b->held[i] = ttb_balancer_acquire(&s->thread[0].mine, 0, b->now);
  return b;
}

static void report_acquire(void *ctx, uint64_t n) {
  busy *b = ctx;
  ttb_balancer *mine = &b->s->thread[0].mine;
  for (uint64_t i = 0; i < n; i++) {
    b->now += 1000;
    b->random = b->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    int64_t *h = &b->held[(b->random >> 32) * b->n >> 32];
    (void)ttb_balancer_report(mine, *h, TTB_SUCCESS, 1000000 + (b->random >> 44), b->now);
    *h = ttb_balancer_acquire(mine, 0, b->now);
  }
}

/* Prequal with the three probes a call that are due, answered at once. */
static void probed(void *ctx, uint64_t n) {
  busy *b = ctx;
  ttb_balancer *mine = &b->s->thread[0].mine;
  uint32_t slots[4];
  report_acquire(ctx, n);
  for (uint64_t i = 0; i < n; i++) {
    int32_t due = ttb_balancer_probe_due(mine, b->now, slots, 3);
    for (int32_t k = 0; k < due; k++)
      (void)ttb_balancer_probe_result(mine, slots[k], (uint32_t)(i & 15), 1000000 + i % 9999, b->now);
  }
}

static void fused(void *ctx, uint64_t n) {
  subject *s = ctx;
  int64_t t = -1;
  ttb_balancer *mine = &s->thread[0].mine;
  for (uint64_t i = 0; i < n; i++) t = ttb_balancer_next(mine, t, TTB_SUCCESS, 0, 0, 0);
  sink = ttb_balancer_report(&s->thread[0].mine, t, TTB_SUCCESS, 0, 0);
}

static void batched(void *ctx, uint64_t n) {
  subject *s = ctx;
  for (uint64_t i = 0; i < n; i += HELD)
    sink = ttb_balancer_acquire_n(&s->thread[0].mine, NULL, HELD, 0, s->thread[0].held);
}

static void flip_status(void *ctx, uint64_t n) {
  subject *s = ctx;
  for (uint64_t i = 0; i < n; i++)
    sink = ttb_balancer_mark(&s->shared, (uint32_t)(i / 2 % s->n), TTB_CAUSE_PROBE, i % 2 == 0);
}

static void turn_over(void *ctx, uint32_t thread, uint64_t n) {
  subject *s = ctx;
  ttb_balancer *mine = &s->thread[thread].mine;
  for (uint64_t i = 0; i < n; i++) {
    int64_t *t = &s->thread[thread].held[i % HELD];
    if (*t >= 0) (void)ttb_balancer_report(mine, *t, TTB_SUCCESS, 0, 0);
    *t = ttb_balancer_acquire(mine, 0, 0);
  }
}

static void turns(void *ctx, uint32_t thread, uint64_t n) {
  subject *s = ctx;
  ttb_balancer *mine = &s->thread[thread].mine;
  for (uint64_t i = 0; i < n; i++) s->thread[thread].held[0] = ttb_balancer_acquire(mine, 0, 0);
}

static void plain(void *ctx, uint32_t thread, uint64_t n) {
  counters *c = ctx;
  for (uint64_t i = 0; i < n; i++) {
    uint32_t *held = &c->thread[thread].held[i % HELD];
    if (*held) atomic_fetch_sub_explicit(&c->host[*held - 1].active, 1, memory_order_relaxed);
    uint64_t r = ttb__random_next(&c->thread[thread].random);
    uint32_t a = ttb__scale32((uint32_t)r, c->n), b = ttb__scale32((uint32_t)(r >> 32), c->n);
    uint64_t la = atomic_load_explicit(&c->host[a].active, memory_order_relaxed);
    uint64_t lb = atomic_load_explicit(&c->host[b].active, memory_order_relaxed);
    if (lb < la) a = b;
    atomic_fetch_add_explicit(&c->host[a].active, 1, memory_order_relaxed);
    *held = a + 1;
  }
}

static const char *name(const char *what, uint32_t n) {
  char *text = malloc(80);
  if (!text) exit(1);
  snprintf(text, 80, "%s, N=%u", what, n);
  return text;
}

int main(int argc, char **argv) {
  static const uint32_t sizes[] = {10, 100, 1000, 10000};
  bench b = bench_start(argc, argv);
  for (int k = 0; k < 4; k++) {
    uint32_t n = sizes[k];
    bench_one(&b, name("round robin acquire", n), BENCH_ADD, acquire,
              make(TTB_BALANCER_ROUND_ROBIN, n, 1));
    bench_one(&b, name("weighted round robin acquire", n), BENCH_ADD, acquire,
              make(TTB_BALANCER_WEIGHTED_ROUND_ROBIN, n, 1));
    bench_one(&b, name("two choices acquire+report", n), BENCH_ADD, acquire_report,
              make(TTB_BALANCER_TWO_CHOICES, n, 2));
    bench_one(&b, name("two choices next", n), BENCH_ADD, fused,
              make(TTB_BALANCER_TWO_CHOICES, n, 2));
    bench_one(&b, name("two choices, 14 joined", n), BENCH_ADD, acquire_report,
              make(TTB_BALANCER_TWO_CHOICES, n, 14));
    bench_one(&b, name("maglev acquire, hash given", n), BENCH_ADD, acquire,
              make(TTB_BALANCER_MAGLEV, n, 1));
    bench_one(&b, name("ring hash acquire, hash given", n), BENCH_ADD, acquire,
              make(TTB_BALANCER_RING_HASH, n, 1));
    bench_one(&b, name("jump acquire, hash given", n), BENCH_ADD, acquire,
              make(TTB_BALANCER_JUMP, n, 1));
    bench_one(&b, name("weighted random acquire", n), BENCH_ADD, acquire,
              make(TTB_BALANCER_WEIGHTED_RANDOM, n, 1));
    if (n <= 1000) {
      bench_one(&b, name("ketama acquire, hash given", n), BENCH_ADD, acquire,
                make(TTB_BALANCER_KETAMA, n, 1));
      bench_one(&b, name("rendezvous acquire, hash given", n), BENCH_ADD, acquire,
                make(TTB_BALANCER_RENDEZVOUS, n, 1));
    }
    bench_one(&b, name("least connections, idle", n), BENCH_ADD, acquire_report,
              make(TTB_BALANCER_LEAST_CONNECTIONS, n, 2));
    bench_one(&b, name("least connections, 3.5 N held", n), BENCH_ADD, report_acquire,
              make_busy(make(TTB_BALANCER_LEAST_CONNECTIONS, n, 2), 7 * n / 2));
    bench_one(&b, name("peak EWMA, 64 held", n), BENCH_ADD, report_acquire,
              make_busy(make(TTB_BALANCER_PEAK_EWMA, n, 2), 64));
    bench_one(&b, name("Prequal, 64 held, 3 probes a call", n), BENCH_ADD, probed,
              make_busy(make(TTB_BALANCER_PREQUAL, n, 2), 64));
  }
  bench_one(&b, "round robin, batches of 64, N=100", BENCH_ADD, batched,
            make(TTB_BALANCER_ROUND_ROBIN, 100, 1));
  bench_one(&b, "mark, N=10000", BENCH_ADD, flip_status, make(TTB_BALANCER_TWO_CHOICES, 10000, 1));
  for (int k = 0; k < 4; k++) {
    uint32_t n = sizes[k];
    bench_two(&b, name("two threads: two choices, 64 held", n), turn_over,
              make(TTB_BALANCER_TWO_CHOICES, n, 2));
    bench_two(&b, name("two threads: plain counters, 64 held", n), plain, make_counters(n));
  }
  bench_two(&b, "two threads: round robin, N=100", turns, make(TTB_BALANCER_ROUND_ROBIN, 100, 2));
  return bench_end(&b);
}
