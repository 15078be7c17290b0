/* SPDX-License-Identifier: MIT */
/* Breakers of every rule from a seed, by slot and by key, and all they say. */
#include <trimtab/breaker.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

static void describe(dec_hash *h, const ttb_breaker *b, uint32_t slot, uint64_t now) {
  ttb_breaker_info i = TTB_CONFIG(ttb_breaker_info);
  (void)ttb_breaker_explain(b, slot, now, &i);
  dec_hash_add(h, (uint64_t)i.generation << 32 | (uint32_t)i.state << 24 | i.open_step);
  dec_hash_add(h, (uint64_t)i.calls << 32 | i.failures);
  dec_hash_add(h, (uint64_t)i.slow << 32 | (uint32_t)i.average_ppm);
  dec_hash_add(h, (uint64_t)i.cusum << 32 | i.cusum_limit);
  dec_hash_add(h, i.key ^ (uint64_t)i.retry_after_ms << 20);
  dec_hash_add(h, i.duration_us ^ (uint64_t)i.ignored << 40 ^ (uint64_t)i.successes_in_row << 20);
}

static ttb_breaker_config of_kind(check *c, uint32_t kind, uint64_t seed) {
  ttb_breaker_config k = TTB_CONFIG(ttb_breaker_config);
  k.capacity = 24;
  k.key_idle_ms = 500;
  k.open_ms = 200;
  k.lease_ms = 300;
  k.open_growth_ppm = 1700000;
  k.open_jitter_ppm = 300000;
  k.min_calls = 5;
  k.window_ms = 2000;
  k.slow_ms = 20;
  k.seed = seed;
  if (kind == 1) k.window_calls = 100, k.slow_rate_ppm = 400000, k.flags = TTB_BREAKER_DETAILED;
  if (kind == 2) {
    k.cusum_healthy_ppm = (int32_t)check_between(c, 1000, 200000);
    k.cusum_bad_ppm = 3 * k.cusum_healthy_ppm;
    k.cusum_calls = check_below(c, 1000000000) + 1;
  }
  if (kind == 3) k.average_success_ppm = 700000, k.average_calls = 20;
  if (kind == 4) k.average_success_ppm = 700000;
  if (kind == 5) {
    k.flags = TTB_BREAKER_FIXED_WINDOW | TTB_BREAKER_DETAILED | TTB_BREAKER_CHECK_TICKETS;
    k.open_decay_ms = 1500;
  }
  if (kind == 6) k.ramp_ms = 400, k.half_open_calls = 4, k.half_open_probes = 3;
  return k;
}

static void run(dec_hash *h, uint64_t seed, uint32_t kind) {
  check c = {.state = seed + kind};
  ttb_breaker b;
  ttb_breaker_config k = of_kind(&c, kind, seed);
  if (ttb_breaker_new(&b, &k, NULL) < 0) abort(); /* a hash of nothing would be equal everywhere */
  uint64_t now = UINT64_C(1000000000);
  int64_t out[16] = {0};
  for (int step = 0; step < 4000; step++) {
    now += check_below(&c, 20000000);
    uint32_t n = (uint32_t)check_below(&c, 16);
    int64_t t = ttb_breaker_acquire_key(&b, 1 + check_below(&c, 30), now);
    dec_hash_add(h, (uint64_t)t);
    if (t >= 0) {
      int32_t outcome = check_chance(&c, 1, 3) ? TTB_FAILURE : (int32_t)check_below(&c, 6);
      if (check_chance(&c, 1, 8)) {
        int64_t late = out[n];
        out[n] = t;
        t = late;
      }
      dec_hash_add(h, (uint64_t)ttb_breaker_report_timed(&b, t, outcome, check_below(&c, 40000000), now));
    }
    if (step % 16 == 0) describe(h, &b, (uint32_t)check_below(&c, 24), now);
  }
  ttb_breaker_free(&b);
}

uint64_t determinism_breaker(uint64_t seed) {
  dec_hash h = dec_hash_start();
  for (uint32_t kind = 0; kind <= 6; kind++) run(&h, seed, kind);
  return h.value;
}
