/* SPDX-License-Identifier: MIT */
/* Traffic and probes of a table from a seed, with each profile of ejection. */
#include <trimtab/health.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

static void run(dec_hash *h, uint64_t seed, int32_t profile) {
  check c = {.state = seed + (uint64_t)profile};
  ttb_health t;
  ttb_health_config config = TTB_CONFIG(ttb_health_config);
  config.capacity = 12;
  config.rise = 2;
  config.fall = 3;
  config.seed = seed;
  config.eject = profile;
  config.eject_errors = 7;
  config.eject_max_ppm = 400000;
  config.eject_requests = config.eject_failure_requests = 20;
  config.eject_jitter_ms = 3000;
  config.enforce_rate_ppm = 900000;
  config.enforce_failure_ppm = 700000;
  if (ttb_health_new(&t, &config, NULL) < 0) return;
  uint64_t now = UINT64_C(1000000000);
  for (int i = 0; i < 40000; i++) {
    uint64_t dice = check_rand(&c);
    uint32_t slot = (uint32_t)(dice >> 8) % 12, bad = slot < 3 ? 60 : 3;
    now += dice % 20000000;
    int32_t outcome = (dice >> 20) % 100 < bad ? TTB_FAILURE : TTB_SUCCESS;
    dec_hash_add(h, (uint64_t)(int64_t)ttb_health_observe(&t, slot, outcome, now));
    if (i % 16 == 0)
      dec_hash_add(h, (uint64_t)(int64_t)ttb_health_report(&t, slot, outcome, dice >> 40, now));
    if (i % 8 == 0) (void)ttb_health_tick(&t, now, NULL, 0);
    if (i % 100 != 0) continue;
    ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
    ttb_health_info f = TTB_CONFIG(ttb_health_info);
    (void)ttb_health_statistics(&t, now, &s);
    (void)ttb_health_explain(&t, slot, now, &f);
    dec_hash_add(h, s.detected << 40 ^ s.enforced << 20 ^ s.overflows ^ (uint64_t)s.ejected << 60);
    dec_hash_add(h, (uint64_t)(uint32_t)s.mean_ppm << 32 | (uint32_t)s.threshold_ppm);
    dec_hash_add(h, (uint64_t)f.eject_left_ms << 8 ^ f.latency_avg_ns ^ (uint64_t)f.status);
  }
  ttb_health_free(&t);
}

uint64_t determinism_health(uint64_t seed) {
  dec_hash h = dec_hash_start();
  for (int32_t p = TTB_HEALTH_EJECT_ROBUST; p <= TTB_HEALTH_EJECT_GRPC; p++) run(&h, seed, p);
  return h.value;
}
