/* SPDX-License-Identifier: MIT */
/* Calls of every kind of limiter from a seed, and all it says of them. */
#include <trimtab/limiter.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

static void describe(dec_hash *h, const ttb_limiter *l, uint32_t slot, uint64_t now) {
  ttb_limiter_info i = TTB_CONFIG(ttb_limiter_info);
  (void)ttb_limiter_explain(l, slot, 0, now, &i);
  dec_hash_add(h, (uint64_t)i.available << 32 | i.in_use);
  dec_hash_add(h, (uint64_t)i.reject_ppm ^ i.requests << 20 ^ i.accepts << 40);
  dec_hash_add(h, (uint64_t)i.balance_ppm ^ (uint64_t)i.retry_after_ns << 8);
  dec_hash_add(h, i.latency_ns ^ (uint64_t)i.limit << 32 ^ (uint64_t)i.measuring << 63);
}

static void run(dec_hash *h, uint64_t seed, uint32_t kind, uint32_t algorithm) {
  check c = {.state = seed + kind};
  ttb_limiter shared, l;
  ttb_limiter_config config = TTB_CONFIG(ttb_limiter_config);
  config.kind = kind;
  config.capacity = 5;
  config.permits = 7;
  config.reserve_2 = 3;
  config.lease_ms = 400;
  config.rate = 17;
  config.aggression = 3;
  config.algorithm = algorithm;
  config.max_limit = 30;
  config.min_limit = 2;
  config.limit_samples = 3;
  config.smoothing_ppm = 300000;
  config.min_retries = 1;
  config.seed = seed;
  if (ttb_limiter_new(&shared, &config, NULL) < 0 || ttb_limiter_join(&shared, 5, &l) < 0) return;
  uint64_t now = UINT64_C(1000000000);
  int64_t out[8];
  uint32_t n = 0;
  for (int i = 0; i < 20000; i++) {
    uint64_t dice = check_rand(&c);
    uint32_t slot = (uint32_t)(dice >> 8) % 5;
    now += dice % 40000000;
    if (n < 8 && dice % 3) {
      uint32_t ask = kind == TTB_LIMITER_THROTTLE || kind == TTB_LIMITER_ADAPTIVE ? 0 : (uint32_t)(dice >> 40) % 4;
      int64_t t = ttb_limiter_acquire(&l, slot, ask, now);
      dec_hash_add(h, (uint64_t)t);
      if (t >= 0) out[n++] = t;
    } else if (n > 0) {
      uint32_t k = (uint32_t)(dice >> 33) % n;
      int32_t outcome = slot < 3 && i / 3000 % 2 ? TTB_FAILURE : (int32_t)((dice >> 20) % 6);
      dec_hash_add(h, (uint64_t)(int64_t)ttb_limiter_report(&l, out[k], outcome, now));
      out[k] = out[--n];
    }
    if (i % 100 == 0) describe(h, &l, slot, now);
  }
  ttb_limiter_free(&l);
  ttb_limiter_free(&shared);
}

static void keyed(dec_hash *h, uint64_t seed) {
  check c = {.state = seed};
  ttb_limiter l;
  ttb_limiter_config config = TTB_CONFIG(ttb_limiter_config);
  config.kind = TTB_LIMITER_RATE;
  config.flags = TTB_LIMITER_KEYED;
  config.capacity = 100;
  config.seed = seed;
  if (ttb_limiter_new(&l, &config, NULL) < 0) return;
  uint64_t now = UINT64_C(1000000000);
  for (int i = 0; i < 20000; i++) {
    uint64_t dice = check_rand(&c);
    now += dice % 2000000;
    dec_hash_add(h, (uint64_t)ttb_limiter_acquire_key(&l, 1 + (dice >> 32) % 200, 0, now));
  }
  ttb_limiter_free(&l);
}

uint64_t determinism_limiter(uint64_t seed) {
  dec_hash h = dec_hash_start();
  for (uint32_t k = TTB_LIMITER_BULKHEAD; k <= TTB_LIMITER_RETRY_CONCURRENT; k++) run(&h, seed, k, 0);
  for (uint32_t a = TTB_LIMIT_AIMD; a <= TTB_LIMIT_GRADIENT; a++)
    run(&h, seed, TTB_LIMITER_ADAPTIVE, a);
  keyed(&h, seed);
  ttb_limiter_backoff_config b = TTB_CONFIG(ttb_limiter_backoff_config);
  for (uint32_t i = 0; i < 1000; i++) {
    b.seed = seed + i;
    b.jitter = 1 + i % 4;
    dec_hash_add(&h, (uint64_t)ttb_limiter_backoff_ms(&b, i % 9, i));
  }
  return h.value;
}
