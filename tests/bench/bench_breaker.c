/* SPDX-License-Identifier: MIT */
/* What a call of a closed breaker pays, by rule; two threads on one breaker,
 * sharing its window and striped; a breaker a key; bytes a breaker. For the
 * peers in the same run see peers_breaker. */
#include <inttypes.h>
#include <stdio.h>

#include <trimtab/breaker.h>
#include <trimtab/segment.h>

#include "bench.h"

#define KEYS 100000u

static uint64_t now = UINT64_C(3600000000000);
static uint64_t keys[KEYS];
static uint32_t at;

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
/* One call of a hundred fails: nothing trips. */
static void one_in_a_hundred(void *ctx, uint64_t n) {
  while (n--) {
    int64_t ticket = ttb_breaker_acquire(ctx, 0, now += 100);
    (void)ttb_breaker_report(ctx, ticket, n % 100 == 0 ? TTB_FAILURE : TTB_SUCCESS, now);
  }
}
static void acquire_report_key(void *ctx, uint64_t n) {
  while (n--) {
    at = at * 1103515245 + 12345;
    int64_t ticket = ttb_breaker_acquire_key(ctx, keys[(at >> 8) % KEYS], now += 100);
    (void)ttb_breaker_report(ctx, ticket, TTB_SUCCESS, now);
  }
}
/* Two threads on one breaker. As threads do, they share a clock and look at it now
 * and then: one of its own would be milliseconds off, and one of them always late. */
static void acquire_report_of(void *ctx, uint32_t thread, uint64_t n) {
  uint64_t time = ttb_now();
  ttb_breaker *mine = ctx;
  while (n--) {
    if (n % 256 == 0) time = ttb_now();
    int64_t ticket = ttb_breaker_acquire(&mine[thread], 0, time);
    (void)ttb_breaker_report(&mine[thread], ticket, TTB_SUCCESS, time);
  }
}

static ttb_breaker made(ttb_breaker_config c) {
  ttb_breaker b = {{0}};
  if (ttb_breaker_new(&b, &c, NULL) < 0) fprintf(stderr, "no breaker\n");
  return b;
}

static void bytes(const char *name, ttb_breaker_config c) {
  c.capacity = 1 << 16;
  int64_t many = ttb_breaker_size(&c);
  c.capacity = 1 << 15;
  printf("%-44s %9" PRId64 " bytes a breaker\n", name, (many - ttb_breaker_size(&c)) >> 15);
}

int main(int argc, char **argv) {
  bench b = bench_start(argc, argv);
  ttb_breaker_config all = TTB_CONFIG(ttb_breaker_config), row = all, cusum, last, checked, striped,
                     keyed;
  row.failure_rate_ppm = TTB_OFF;
  cusum = row, cusum.cusum_bad_ppm = 300000;
  last = all, last.window_calls = 100;
  checked = all, checked.flags = TTB_BREAKER_CHECK_TICKETS;
  striped = all, striped.stripes = 2;
  keyed = cusum, keyed.capacity = KEYS + KEYS / 4, keyed.key_idle_ms = 60000;

  ttb_breaker window = made(all), rows = made(row), sums = made(cusum), counts = made(last),
              tickets = made(checked), table = made(keyed), stripes = made(striped), joined;
  ttb_breaker both[2] = {window, window}, row_each[2], own[2];
  if (ttb_breaker_join(&stripes, 1, &own[0]) < 0 || ttb_breaker_join(&stripes, 2, &own[1]) < 0 ||
      ttb_breaker_join(&tickets, 1, &joined) < 0 ||
      ttb_breaker_join(&window, 1, &row_each[0]) < 0 || ttb_breaker_join(&window, 2, &row_each[1]) < 0)
    return 1;
  for (uint64_t i = 0; i < KEYS; i++) {
    keys[i] = ttb_hash(&i, sizeof i, 0);
    if (ttb_breaker_claim(&table, keys[i], now) < 0) printf("no slot for a key\n");
  }
  bench_one(&b, "breaker peek", BENCH_ADD, peek, &window);
  bench_one(&b, "breaker acquire", BENCH_ADD, acquire, &window);
  bench_one(&b, "breaker acquire+report", BENCH_ADD, acquire_report, &window);
  bench_one(&b, "  joined", BENCH_ADD, acquire_report, &row_each[0]);
  bench_one(&b, "  1 % failures", BENCH_ADD, one_in_a_hundred, &window);
  bench_one(&b, "  consecutive only", BENCH_ADD, acquire_report, &rows);
  bench_one(&b, "  CUSUM and consecutive", BENCH_ADD, acquire_report, &sums);
  bench_one(&b, "  CUSUM, 1 % failures", BENCH_ADD, one_in_a_hundred, &sums);
  bench_one(&b, "  last 100 calls", BENCH_ADD, acquire_report, &counts);
  bench_one(&b, "  last 100 calls, 1 % failures", BENCH_ADD, one_in_a_hundred, &counts);
  bench_one(&b, "  checked tickets, joined", BENCH_ADD, acquire_report, &joined);
  bench_one(&b, "  by key, 100,000 of them", BENCH_ADD, acquire_report_key, &table);
  bench_two(&b, "breaker acquire+report, 2 threads joined", acquire_report_of, row_each);
  bench_two(&b, "  not joined", acquire_report_of, both);
  bench_two(&b, "  striped", acquire_report_of, own);
  int status = bench_end(&b);
  bytes("time window", all);
  all.slow_rate_ppm = 1000000;
  bytes("time window and slow rate", all);
  bytes("consecutive", row);
  bytes("CUSUM and consecutive", cusum);
  bytes("last 100 calls", last);
  bytes("CUSUM by key", keyed);
  for (int i = 0; i < 2; i++) ttb_breaker_free(&own[i]), ttb_breaker_free(&row_each[i]);
  ttb_breaker_free(&joined);
  ttb_breaker *owned[] = {&window, &rows, &sums, &counts, &tickets, &table, &stripes};
  for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) ttb_breaker_free(owned[i]);
  return status;
}
