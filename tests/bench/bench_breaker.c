/* SPDX-License-Identifier: MIT */
/* A closed breaker: what every call pays. */
#include <stdio.h>

#include <trimtab/breaker.h>

#include "bench.h"

static uint64_t now = UINT64_C(3600000000000);

static void peek(void *ctx, uint64_t n) {
  while (n--) (void)ttb_breaker_peek(ctx, 0, now);
}
static void acquire(void *ctx, uint64_t n) {
  while (n--) (void)ttb_breaker_acquire(ctx, 0, now);
}
static void acquire_report(void *ctx, uint64_t n) {
  while (n--) {
    int64_t ticket = ttb_breaker_acquire(ctx, 0, now += 100);
    (void)ttb_breaker_report(ctx, ticket, TTB_SUCCESS, now);
  }
}
/* Two threads on one breaker; the time stands, so that each has its own. */
static void acquire_report_of(void *ctx, uint32_t thread, uint64_t n) {
  uint64_t time = now;
  (void)thread;
  while (n--) {
    int64_t ticket = ttb_breaker_acquire(ctx, 0, time += 100);
    (void)ttb_breaker_report(ctx, ticket, TTB_SUCCESS, time);
  }
}

int main(int argc, char **argv) {
  bench b = bench_start(argc, argv);
  ttb_breaker breaker, row;
  ttb_breaker_config config = TTB_CONFIG(ttb_breaker_config);
  if (ttb_breaker_new(&breaker, &config, NULL) < 0) return 1;
  config.failure_rate_ppm = TTB_OFF;
  if (ttb_breaker_new(&row, &config, NULL) < 0) return 1;
  bench_one(&b, "breaker peek", BENCH_ADD, peek, &breaker);
  bench_one(&b, "breaker acquire", BENCH_ADD, acquire, &breaker);
  bench_one(&b, "breaker acquire+report, consecutive only", BENCH_ADD, acquire_report, &row);
  bench_one(&b, "breaker acquire+report", BENCH_ADD, acquire_report, &breaker);
  bench_two(&b, "breaker acquire+report, 2 threads", acquire_report_of, &breaker);
  int status = bench_end(&b);
  ttb_breaker_free(&row);
  ttb_breaker_free(&breaker);
  return status;
}
