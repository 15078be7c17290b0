/* SPDX-License-Identifier: MIT */
/* Four threads on one table that eject, give back, sweep, and let targets come and
 * go, in rounds. Made for ThreadSanitizer; also, after each round: no more are
 * ejected than may be, the numbers in the room word err on the safe side
 * (lib/health/outlier_room.c, I1), and one sweep puts them right. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "../../lib/health/health.h"

#define THREADS 4
#define ROUNDS 20
#define STEPS 4000
#define TARGETS 4u
#define MOST 1u
#define T0 UINT64_C(3600000000000)
#define MS UINT64_C(1000000)

static ttb_health shared;
static uint64_t now_ms; /* moved on by all threads */
static bool leaving;    /* targets leave in this round */
static uint32_t failed;

static void must(bool ok, const char *what) {
  if (!ok && failed++ < 5) printf("FAILED: %s\n", what);
}

static void *work(void *arg) {
  uint64_t x = *(const uint64_t *)arg;
  for (int i = 0; i < STEPS; i++) {
    x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
    uint32_t slot = (uint32_t)(x >> 40) % TARGETS, what = (uint32_t)(x >> 32) % 12;
    uint64_t now = T0 + __atomic_add_fetch(&now_ms, what < 4, __ATOMIC_RELAXED) * MS;
    switch (what) {
    case 0:
    case 1:
    case 2:
    case 3: (void)ttb_health_tick(&shared, now, NULL, 0); break;
    case 4:
    case 5: (void)ttb_health_report(&shared, slot, TTB_SUCCESS, 0, now); break;
    case 6:
      if (leaving) (void)ttb_health_disable(&shared, slot, now);
      (void)ttb_health_enable(&shared, slot, now);
      break;
    default: (void)ttb_health_observe(&shared, slot, TTB_FAILURE, now);
    }
  }
  return NULL;
}

static void check(void) {
  const ttb__health *t = ttb__health_of(&shared);
  ttb__outlier_tally is = ttb__outlier_count(t);
  ttb__outlier_tally said = ttb__room_numbers(ttb__load_rlx(&t->ejections->room));
  must(said.ejected >= is.ejected, "fewer places taken than there are marks");
  must(said.enabled <= is.enabled, "more counted than are in use");
  if (!leaving) must(is.ejected <= MOST, "more ejected than may be");
  (void)ttb_health_tick(&shared, T0 + (now_ms += 10) * MS, NULL, 0);
  is = ttb__outlier_count(t);
  said = ttb__room_numbers(ttb__load_rlx(&t->ejections->room));
  must(said.ejected == is.ejected && said.enabled == is.enabled, "wrong after a sweep");
  must(is.enabled == TARGETS && is.ejected <= MOST, "more ejected than may be, after a sweep");
}

int main(void) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = TARGETS;
  c.passive_errors = TTB_OFF;
  c.flags = TTB_HEALTH_EJECT_PROBED;
  c.eject = TTB_HEALTH_EJECT_ENVOY;
  c.eject_errors = 1;
  c.eject_interval_ms = 1;
  c.eject_base_ms = 2;
  c.eject_max_ppm = 250000;
  if (ttb_health_new(&shared, &c, NULL) < 0) return 1;
  for (uint64_t round = 0; round < ROUNDS; round++) {
    pthread_t thread[THREADS];
    uint64_t seed[THREADS];
    leaving = round % 2 != 0;
    for (uint64_t i = 0; i < THREADS; i++) {
      seed[i] = (round * THREADS + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
      if (pthread_create(&thread[i], NULL, work, &seed[i]) != 0) return 1;
    }
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    check();
  }
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  (void)ttb_health_statistics(&shared, T0 + now_ms * MS, &s);
  must(s.enforced > ROUNDS && s.overflows > ROUNDS && s.sweeps > ROUNDS, "nothing was put to the test");
  ttb_health_free(&shared);
  printf("%d passed, %u failed\n", failed == 0, failed);
  return failed != 0;
}
