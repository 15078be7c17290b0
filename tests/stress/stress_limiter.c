/* SPDX-License-Identifier: MIT */
/* Four threads on one table of each kind; they also explain, join and leave.
 * Made for ThreadSanitizer; also: never more permits in the threads' hands than
 * there are, all of them back at the end and found, and never more events than a
 * burst. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <trimtab/limiter.h>

#define THREADS 4
#define STEPS 50000
#define SLOTS 2u
#define PERMITS 3
#define BURST 10000u
#define KINDS 5u
#define T0 UINT64_C(3600000000000)

static ttb_limiter shared[KINDS + 1], joined[THREADS][KINDS + 1];
static atomic_uint failed, events;
static atomic_int out[SLOTS];

static void must(bool ok, const char *what) {
  if (!ok && atomic_fetch_add(&failed, 1) < 5) printf("FAILED: %s\n", what);
}

/* One or two at once: who takes a second one finds the first one out. */
static void bulkhead(ttb_limiter *l, uint64_t random) {
  uint32_t slot = (uint32_t)random % SLOTS, ask = (uint32_t)(random >> 8) % 4, n = 0;
  int64_t t[2];
  while (n < 1 + random / 64 % 2 && (t[n] = ttb_limiter_acquire(l, slot, ask, T0)) >= 0) {
    must(atomic_fetch_add(&out[slot], 1) < PERMITS, "too many permits out");
    n++;
  }
  while (n-- > 0) {
    atomic_fetch_sub(&out[slot], 1);
    must(ttb_limiter_report(l, t[n], TTB_SUCCESS, T0) == TTB_OK, "report");
    if (random % 16 == 0) must(ttb_limiter_report(l, t[n], TTB_SUCCESS, T0) == TTB_STALE, "double");
  }
}

static void other(ttb_limiter *l, uint32_t kind, uint64_t random) {
  uint32_t ask = kind == TTB_LIMITER_THROTTLE ? 0 : (uint32_t)(random >> 8) % 2;
  uint64_t now = kind == TTB_LIMITER_RATE ? T0 : T0 + (random >> 20) % 3000000000;
  int64_t t = ttb_limiter_acquire(l, (uint32_t)random % SLOTS, ask, now);
  if (t < 0) return;
  if (kind == TTB_LIMITER_RATE) atomic_fetch_add(&events, 1);
  int32_t outcome = (int32_t)((random >> 12) % 4);
  must(ttb_limiter_report(l, t, outcome, now) == TTB_OK, "report");
}

static void *work(void *arg) {
  uint64_t number = *(const uint64_t *)arg, x = number + 1;
  ttb_limiter *mine = joined[number];
  for (uint32_t k = 1; k <= KINDS; k++)
    if (ttb_limiter_join(&shared[k], number + 1, &mine[k]) < 0) exit(1);
  for (uint32_t i = 0; i < STEPS; i++) {
    x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
    uint64_t random = x >> 20;
    uint32_t kind = 1 + i % KINDS;
    ttb_limiter *l = x >> 63 ? &mine[kind] : &shared[kind];
    if (kind == TTB_LIMITER_BULKHEAD) bulkhead(l, random);
    else other(l, kind, random);
    if (i % 100 < 5) {
      ttb_limiter_info info = TTB_CONFIG(ttb_limiter_info);
      (void)ttb_limiter_explain(&shared[kind], 0, 0, T0, &info);
    }
    if (i % 1000 < 5) { /* anew; whoever is dead already has left nothing */
      must(ttb_limiter_recover(&mine[kind], 99) == 0, "recover of nobody");
      ttb_limiter_free(&mine[kind]);
      if (ttb_limiter_join(&shared[kind], number + 1, &mine[kind]) < 0) exit(1);
    }
  }
  return NULL; /* the handles live on: leaving would clear the bits of permits */
}

int main(void) {
  pthread_t thread[THREADS];
  uint64_t number[THREADS];
  for (uint32_t k = 1; k <= KINDS; k++) {
    ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
    c.kind = k;
    c.capacity = SLOTS;
    c.permits = PERMITS;
    c.reserve_3 = 1;
    c.rate = 1;
    c.period_ms = 100000;
    c.burst = BURST;
    c.window_ms = 1000;
    if (ttb_limiter_new(&shared[k], &c, NULL) < 0) return 1;
  }
  for (uint64_t i = 0; i < THREADS; i++) {
    number[i] = i;
    if (pthread_create(&thread[i], NULL, work, &number[i]) != 0) return 1;
  }
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  for (uint32_t slot = 0; slot < SLOTS; slot++) {
    ttb_limiter_info i = TTB_CONFIG(ttb_limiter_info);
    (void)ttb_limiter_explain(&shared[TTB_LIMITER_BULKHEAD], slot, 0, T0, &i);
    must(i.in_use == 0, "a permit was lost");
    /* At one time nobody looks at all permits: each was left such that it is found. */
    for (int n = 0; n < PERMITS; n++)
      must(ttb_limiter_acquire(&shared[TTB_LIMITER_BULKHEAD], slot, 0, T0) >= 0, "a hidden permit");
  }
  must(atomic_load(&events) == SLOTS * BURST, "events of a burst");
  for (uint32_t k = 1; k <= KINDS; k++) {
    for (int i = 0; i < THREADS; i++) ttb_limiter_free(&joined[i][k]);
    ttb_limiter_free(&shared[k]);
  }
  printf("%d passed, %u failed\n", atomic_load(&failed) == 0, atomic_load(&failed));
  return atomic_load(&failed) != 0;
}
