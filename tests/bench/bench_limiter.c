/* SPDX-License-Identifier: MIT */
/* What every call pays of limits that are not reached; and of those that are, or
 * nearly: a refusal must cost no more the more is refused. */
#include <stddef.h>

#include <trimtab/limiter.h>

#include "bench.h"

static uint64_t now = UINT64_C(3600000000000);

/* acquire and report. */
static void call(void *ctx, uint64_t n) {
  while (n--) {
    int64_t ticket = ttb_limiter_acquire(ctx, 0, 0, now += 100);
    (void)ttb_limiter_report(ctx, ticket, TTB_SUCCESS, now);
  }
}
static void acquire(void *ctx, uint64_t n) {
  while (n--) (void)ttb_limiter_acquire(ctx, 0, 0, now += 100);
}
/* Two threads, each with a handle of its own: ctx is an array of two. */
static void call_of(void *ctx, uint32_t thread, uint64_t n) {
  ttb_limiter *l = (ttb_limiter *)ctx + thread;
  while (n--) {
    int64_t ticket = ttb_limiter_acquire(l, 0, 0, 0);
    (void)ttb_limiter_report(l, ticket, TTB_SUCCESS, 0);
  }
}

/* A hundred thousand clients in turn, each far from its limit. */
static void keyed(void *ctx, uint64_t n) {
  static uint64_t key;
  while (n--) {
    key = key * UINT64_C(6364136223846793005) + 1;
    (void)ttb_limiter_acquire_key(ctx, 1 + (key >> 40) % 100000, 0, now += 100);
  }
}

/* Tables that are full, or nearly: all but `left` permits are out. */
#define CROWDS 7
static const struct crowd {
  const char *name;
  uint32_t kind, permits, left;
} crowds[CROWDS] = {
    {"bulkhead of 25, the last permit+report", TTB_LIMITER_BULKHEAD, 25, 1},
    {"bulkhead of 1,000, the last permit+report", TTB_LIMITER_BULKHEAD, 1000, 1},
    {"bulkhead of 16,384, the last permit+report", TTB_LIMITER_BULKHEAD, 16384, 1},
    {"bulkhead of 25, full: refused", TTB_LIMITER_BULKHEAD, 25, 0},
    {"bulkhead of 1,000, full: refused", TTB_LIMITER_BULKHEAD, 1000, 0},
    {"bulkhead of 16,384, full: refused", TTB_LIMITER_BULKHEAD, 16384, 0},
    {"adaptive, 900 of 1,000 out: acquire+report", TTB_LIMITER_ADAPTIVE, 1000, 100},
};

static int crowd(ttb_limiter *l, const struct crowd *x) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = x->kind;
  c.permits = c.max_limit = c.min_limit = x->permits;
  if (ttb_limiter_new(l, &c, NULL) < 0) return -1;
  for (uint32_t i = x->left; i < x->permits; i++)
    if (ttb_limiter_acquire(l, 0, 0, now) < 0) return -1;
  return 0;
}

int main(int argc, char **argv) {
  bench b = bench_start(argc, argv);
  ttb_limiter bulkhead, mine[2], rate, refused, retry, tokens, throttle;
  ttb_limiter adaptive[4], each, own[2], concurrent, row, clients, full[CROWDS];
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.permits = 64;
  if (ttb_limiter_new(&bulkhead, &c, NULL) < 0 || ttb_limiter_join(&bulkhead, 1, &mine[0]) < 0 ||
      ttb_limiter_join(&bulkhead, 1, &mine[1]) < 0)
    return 1;
  c.kind = TTB_LIMITER_RATE;
  c.rate = 1000000000; /* an event a ns: never reached at one in 100 ns */
  c.burst = 1000000;
  if (ttb_limiter_new(&rate, &c, NULL) < 0) return 1;
  c.rate = c.burst = 1;
  c.period_ms = 86400000;
  if (ttb_limiter_new(&refused, &c, NULL) < 0) return 1;
  c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_RETRY;
  if (ttb_limiter_new(&retry, &c, NULL) < 0) return 1;
  c.kind = TTB_LIMITER_RETRY_TOKENS;
  if (ttb_limiter_new(&tokens, &c, NULL) < 0) return 1;
  c.kind = TTB_LIMITER_THROTTLE;
  if (ttb_limiter_new(&throttle, &c, NULL) < 0) return 1;

  for (uint32_t a = TTB_LIMIT_AIMD; a <= TTB_LIMIT_GRADIENT; a++) {
    c = TTB_CONFIG(ttb_limiter_config);
    c.kind = TTB_LIMITER_ADAPTIVE;
    c.algorithm = a;
    if (ttb_limiter_new(&adaptive[a - 1], &c, NULL) < 0) return 1;
  }
  c.algorithm = TTB_LIMIT_VEGAS;
  c.limit_window_ms = TTB_OFF;
  if (ttb_limiter_new(&each, &c, NULL) < 0) return 1;
  if (ttb_limiter_join(&adaptive[2], 1, &own[0]) < 0 || ttb_limiter_join(&adaptive[2], 1, &own[1]) < 0)
    return 1;
  c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_RETRY_CONCURRENT;
  if (ttb_limiter_new(&concurrent, &c, NULL) < 0 || ttb_limiter_join(&concurrent, 1, &row) < 0) return 1;
  c.kind = TTB_LIMITER_RATE;
  c.flags = TTB_LIMITER_KEYED;
  c.capacity = 200000;
  c.rate = 1000000000;
  c.burst = 1000000;
  if (ttb_limiter_new(&clients, &c, NULL) < 0) return 1;

  for (int i = 0; i < CROWDS; i++)
    if (crowd(&full[i], &crowds[i]) < 0) return 1;

  bench_one(&b, "bulkhead acquire+report", BENCH_ADD, call, &bulkhead);
  bench_one(&b, "bulkhead acquire+report, joined", BENCH_ADD, call, &mine[0]);
  bench_two(&b, "bulkhead acquire+report, 2 threads joined", call_of, mine);
  bench_one(&b, "rate acquire", BENCH_ADD, acquire, &rate);
  bench_one(&b, "rate acquire, refused", BENCH_ADD, acquire, &refused);
  bench_one(&b, "retry first attempt+report", BENCH_ADD, call, &retry);
  bench_one(&b, "retry tokens acquire+report", BENCH_ADD, call, &tokens);
  bench_one(&b, "throttle acquire+report", BENCH_ADD, call, &throttle);
  bench_one(&b, "adaptive acquire+report, aimd", BENCH_ADD, call, &adaptive[0]);
  bench_one(&b, "adaptive acquire+report, vegas", BENCH_ADD, call, &adaptive[1]);
  bench_one(&b, "adaptive acquire+report, gradient2", BENCH_ADD, call, &adaptive[2]);
  bench_one(&b, "adaptive acquire+report, gradient", BENCH_ADD, call, &adaptive[3]);
  bench_one(&b, "adaptive acquire+report, vegas, each call a window", BENCH_ADD, call, &each);
  bench_one(&b, "adaptive acquire+report, gradient2 joined", BENCH_ADD, call, &own[0]);
  bench_two(&b, "adaptive acquire+report, 2 threads joined", call_of, own);
  bench_one(&b, "concurrent first attempt+report, joined", BENCH_ADD, call, &row);
  bench_one(&b, "rate acquire, one of 100,000 keys", BENCH_ADD, keyed, &clients);
  for (int i = 0; i < CROWDS; i++)
    bench_one(&b, crowds[i].name, BENCH_ADD, crowds[i].left ? call : acquire, &full[i]);
  int status = bench_end(&b);
  for (int i = 0; i < CROWDS; i++) ttb_limiter_free(&full[i]);
  for (int i = 0; i < 2; i++) ttb_limiter_free(&own[i]);
  for (int i = 0; i < 4; i++) ttb_limiter_free(&adaptive[i]);
  ttb_limiter_free(&each);
  ttb_limiter_free(&row);
  ttb_limiter_free(&concurrent);
  ttb_limiter_free(&clients);
  ttb_limiter_free(&mine[1]);
  ttb_limiter_free(&mine[0]);
  ttb_limiter_free(&bulkhead);
  ttb_limiter_free(&rate);
  ttb_limiter_free(&refused);
  ttb_limiter_free(&retry);
  ttb_limiter_free(&tokens);
  ttb_limiter_free(&throttle);
  return status;
}
