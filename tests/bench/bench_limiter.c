/* SPDX-License-Identifier: MIT */
/* Limits that are not reached: what every call pays. */
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

int main(int argc, char **argv) {
  bench b = bench_start(argc, argv);
  ttb_limiter bulkhead, mine[2], rate, refused, retry, tokens, throttle;
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

  bench_one(&b, "bulkhead acquire+report", BENCH_ADD, call, &bulkhead);
  bench_one(&b, "bulkhead acquire+report, joined", BENCH_ADD, call, &mine[0]);
  bench_two(&b, "bulkhead acquire+report, 2 threads joined", call_of, mine);
  bench_one(&b, "rate acquire", BENCH_ADD, acquire, &rate);
  bench_one(&b, "rate acquire, refused", BENCH_ADD, acquire, &refused);
  bench_one(&b, "retry first attempt+report", BENCH_ADD, call, &retry);
  bench_one(&b, "retry tokens acquire+report", BENCH_ADD, call, &tokens);
  bench_one(&b, "throttle acquire+report", BENCH_ADD, call, &throttle);
  int status = bench_end(&b);
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
