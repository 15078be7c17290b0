/* SPDX-License-Identifier: MIT */
/* acquire + report of a pool: balancer, breaker and health together, beside the
 * balancer alone; and what a tick costs. */
#include <stddef.h>

#include <trimtab/pool.h>

#include "bench.h"

static uint64_t now = UINT64_C(3600000000000);

static void pool_call(void *ctx, uint64_t n) {
  while (n--) {
    int64_t t = ttb_pool_acquire(ctx, 0, now += 100);
    (void)ttb_pool_report(ctx, t, TTB_SUCCESS, 1000, now);
  }
}
static void balancer_call(void *ctx, uint64_t n) {
  while (n--) {
    int64_t t = ttb_balancer_acquire(ctx, 0, now);
    (void)ttb_balancer_report(ctx, t, TTB_SUCCESS, 1000, now);
  }
}
static void pool_tick(void *ctx, uint64_t n) {
  while (n--) (void)ttb_pool_tick(ctx, now += 100);
}
/* The time stands between the threads, so that each has its own. */
static void pool_call_of(void *ctx, uint32_t thread, uint64_t n) {
  ttb_pool *mine = (ttb_pool *)ctx + thread;
  uint64_t time = now;
  while (n--) {
    int64_t t = ttb_pool_acquire(mine, 0, time += 100);
    (void)ttb_pool_report(mine, t, TTB_SUCCESS, 1000, time);
  }
}

int main(int argc, char **argv) {
  bench b = bench_start(argc, argv);
  static ttb_pool shared[2], mine[2][2];
  ttb_balancer alone, joined;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  ttb_balancer_config bc = TTB_CONFIG(ttb_balancer_config);
  const uint32_t sizes[] = {10, 1000};
  for (int k = 0; k < 2; k++) {
    c.capacity = sizes[k];
    if (ttb_pool_new(&shared[k], &c, NULL) < 0) return 1;
    for (uint64_t i = 0; i < 2; i++)
      if (ttb_pool_join(&shared[k], 1 + i, &mine[k][i]) < 0) return 1;
    for (uint64_t id = 1; id <= sizes[k]; id++) {
      ttb_endpoint e = {sizeof e, 1, id};
      if (ttb_pool_add(&mine[k][0], &e, now) < 0) return 1;
    }
  }
  if (ttb_balancer_new(&alone, &bc, NULL) < 0 || ttb_balancer_join(&alone, 1, &joined) < 0) return 1;
  for (uint64_t id = 1; id <= 10; id++) {
    ttb_endpoint e = {sizeof e, 1, id};
    if (ttb_balancer_add(&joined, &e) < 0) return 1;
  }
  bench_one(&b, "balancer alone acquire+report, N = 10", BENCH_ADD, balancer_call, &joined);
  bench_one(&b, "pool acquire+report, N = 10", BENCH_ADD, pool_call, &mine[0][0]);
  bench_one(&b, "pool acquire+report, N = 1,000", BENCH_ADD, pool_call, &mine[1][0]);
  bench_two(&b, "pool acquire+report, N = 1,000, 2 threads", pool_call_of, mine[1]);
  bench_one(&b, "pool tick, N = 10", BENCH_ADD, pool_tick, &mine[0][0]);
  return bench_end(&b);
}
