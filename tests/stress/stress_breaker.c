/* SPDX-License-Identifier: MIT */
/* Four threads on one handle, one of them also sets, explains, attaches and
 * joins. Made for ThreadSanitizer; also: never more probes of one generation in
 * the threads' hands than there are, and no transition told twice. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <trimtab/breaker.h>

#define THREADS 4
#define STEPS 100000
#define SLOTS 2u
#define PROBES 2
#define GENS (1u << 20)
#define MS UINT64_C(1000000)

static ttb_breaker shared;
static void *region;
static uint64_t bytes;
static atomic_uint failed;
static _Atomic uint64_t clock_ns = 3600000 * MS;
static _Atomic signed char out[SLOTS][GENS];
static _Atomic unsigned char told[SLOTS][GENS];

static void must(bool ok, const char *what) {
  if (!ok && atomic_fetch_add(&failed, 1) < 5) printf("FAILED: %s\n", what);
}

static void call(ttb_breaker *b, uint32_t slot, uint64_t random) {
  uint64_t now = atomic_fetch_add_explicit(&clock_ns, 20000, memory_order_relaxed);
  int64_t t = ttb_breaker_acquire(b, slot, now);
  if (t < 0) return;
  uint32_t gen = (uint32_t)(t >> 20) & (GENS - 1);
  bool probe = ttb_breaker_is_probe(t) == 1;
  if (probe) must(atomic_fetch_add(&out[slot][gen], 1) < PROBES, "too many probes out");
  bool fails = random % 4 < (probe ? 1 : 3);
  if (probe) atomic_fetch_sub(&out[slot][gen], 1);
  int32_t code = ttb_breaker_report(b, t, fails ? TTB_FAILURE : TTB_SUCCESS, now);
  must(code >= 0 || code == TTB_STALE, "report");
  if (code > 0)
    must(atomic_fetch_add(&told[slot][(gen + 1) % GENS], 1) == 0, "a transition was told twice");
}

static void *work(void *arg) {
  uint64_t number = *(const uint64_t *)arg, x = number + 1;
  ttb_breaker mine;
  for (uint32_t i = 0; i < STEPS; i++) {
    x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
    uint32_t slot = (uint32_t)(x >> 60) % SLOTS;
    call(&shared, slot, x >> 33);
    if (number != 0 || i % 16 != 0) continue;
    ttb_breaker_info info = {.struct_size = sizeof info};
    ttb_breaker_stats stats = {.struct_size = sizeof stats};
    must(ttb_breaker_explain(&shared, slot, clock_ns, &info) == TTB_OK, "explain");
    must(info.probes_out <= PROBES && info.failures <= info.calls, "explain is wrong");
    must(ttb_breaker_statistics(&shared, &stats) == TTB_OK, "statistics");
    must(ttb_breaker_attach(&mine, region, bytes) == TTB_OK, "attach beside running threads");
    must(ttb_breaker_join(&shared, 7, &mine) == TTB_OK, "join");
    call(&mine, slot, x >> 33);
    ttb_breaker_free(&mine);
    if (i % 1024 == 0)
      must(ttb_breaker_set(&shared, slot, TTB_BREAKER_CLOSED, clock_ns) == TTB_OK, "set");
  }
  return NULL;
}

int main(void) {
  pthread_t thread[THREADS];
  uint64_t number[THREADS];
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.capacity = SLOTS;
  c.consecutive = 4;
  c.window_ms = 1000;
  c.min_calls = 10;
  c.open_ms = 1;
  c.lease_ms = 5;
  c.half_open_probes = PROBES;
  c.half_open_successes = 2;
  bytes = (uint64_t)ttb_breaker_size(&c);
  region = aligned_alloc(TTB_ALIGN, bytes);
  if (!region || ttb_breaker_init(&shared, region, bytes, &c) < 0) return 1;
  for (uint64_t i = 0; i < THREADS; i++) {
    number[i] = i;
    if (pthread_create(&thread[i], NULL, work, &number[i]) != 0) return 1;
  }
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  ttb_breaker_stats stats = {.struct_size = sizeof stats};
  (void)ttb_breaker_statistics(&shared, &stats);
  must(stats.joined == 0, "a row is left");
  ttb_breaker_free(&shared);
  free(region);
  printf("%d passed, %u failed\n", failed == 0, atomic_load(&failed));
  return failed == 0 ? 0 : 1;
}
