/* SPDX-License-Identifier: MIT */
/* Picks within bounds, by levels, zones and in slow start, from a seed; once for
 * each algorithm of the balancer. */
#include <trimtab/balancer.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

#define SECOND UINT64_C(1000000000)

static void describe(dec_hash *h, const ttb_balancer *b, const ttb_pick *pick, uint64_t now) {
  ttb_balancer_info rows[12] = {TTB_CONFIG(ttb_balancer_info)};
  ttb_level levels[17] = {TTB_CONFIG(ttb_level)};
  int32_t n = ttb_balancer_explain_with(b, pick, now, rows, 12);
  for (int32_t i = 0; i < n && i < 12; i++)
    dec_hash_add(h, rows[i].id << 32 | (uint64_t)rows[i].causes << 16 | (uint32_t)rows[i].reason);
  n = ttb_balancer_level_stats(b, levels, 17);
  for (int32_t i = 0; i < n; i++)
    dec_hash_add(h, (uint64_t)levels[i].endpoints << 48 | (uint64_t)levels[i].healthy << 32 |
                        (uint64_t)levels[i].degraded << 24 | (uint64_t)levels[i].healthy_load << 16 |
                        (uint64_t)levels[i].degraded_load << 8 | (uint64_t)levels[i].panic);
}

static void run(dec_hash *h, uint64_t seed, uint32_t algorithm) {
  check c = {.state = seed + algorithm};
  ttb_balancer shared, b;
  ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
  config.algorithm = algorithm;
  config.capacity = 12;
  config.flags = TTB_BALANCER_TAGS | TTB_BALANCER_CAPS | TTB_BALANCER_LEVELS;
  config.seed = seed;
  config.zone = 1;
  config.zone_min = 2;
  config.residency = 14;
  config.slow_start_ms = 5000;
  config.slow_start_aggression_ppm = 1000000 + algorithm % 4 * 300000;
  config.slow_start_rule = 1 + algorithm % 2;
  if (ttb_balancer_new(&shared, &config, NULL) < 0 || ttb_balancer_join(&shared, 5, &b) < 0) return;
  uint64_t now = SECOND;
  int64_t out[24];
  uint32_t n = 0;
  for (int i = 0; i < 6000; i++) {
    uint64_t dice = check_rand(&c);
    uint32_t x = (uint32_t)(dice >> 50) % 12;
    ttb_pick pick = {.struct_size = sizeof pick,
                     .flags = (uint32_t)(dice >> 8) % 4,
                     .hash = dice,
                     .zones = dice >> 16 & 15,
                     .tags = (dice >> 20 & 7) < 2 ? dice >> 24 & 3 : 0,
                     .id = dice % 17 == 0 ? dice >> 28 & 15 : 0,
                     .excluded_slots = &x,
                     .n_excluded = dice >> 32 & 1};
    now += dice % 20000000;
    if (dice % 41 == 0) {
      ttb_endpoint e = {.struct_size = sizeof e,
                        .id = 1 + dice / 41 % 14,
                        .weight = (uint32_t)(dice >> 33) % 5,
                        .zone = (uint32_t)(dice >> 36) % 4,
                        .priority = (uint32_t)(dice >> 38) % 3,
                        .flags = (dice >> 40 & 7) == 0,
                        .max_inflight = (uint32_t)(dice >> 43) % 5,
                        .tags = dice >> 46 & 3};
      int32_t slot = ttb_balancer_add(&b, &e);
      if (slot == TTB_ERR_DUPLICATE && dice & 1) slot = ttb_balancer_remove(&b, e.id);
      dec_hash_add(h, (uint64_t)(int64_t)slot);
    }
    if (dice % 7 == 0)
      dec_hash_add(h, (uint64_t)(int64_t)ttb_balancer_mark(&shared, x, 1u << (dice >> 56) % 6,
                                                           dice >> 60 < 5));
    if (dice % 19 == 0)
      dec_hash_add(h, (uint64_t)(int64_t)ttb_balancer_set_status(&shared, 1 + (dice >> 44) % 14,
                                                                 (int32_t)(dice >> 58) % 6));
    if (n < 20 && dice % 3) {
      int64_t t = dice % 5 ? ttb_balancer_acquire_with(&b, &pick, now)
                           : ttb_balancer_acquire(&b, dice, now);
      dec_hash_add(h, (uint64_t)t);
      dec_hash_add(h, (uint64_t)(int64_t)ttb_balancer_last(&b));
      if (t >= 0) out[n++] = t;
    } else if (n > 0) {
      uint32_t k = (uint32_t)(dice >> 40) % n;
      dec_hash_add(h, (uint64_t)(int64_t)ttb_balancer_report(&b, out[k], TTB_SUCCESS, SECOND / 50, now));
      out[k] = out[--n];
    }
    if (i % 500 == 499) describe(h, &b, &pick, now);
  }
  ttb_balancer_free(&b);
  ttb_balancer_free(&shared);
}

uint64_t determinism_balancer_scope(uint64_t seed) {
  dec_hash h = dec_hash_start();
  for (uint32_t algorithm = 1; algorithm < 32; algorithm++) run(&h, seed, algorithm);
  char token[TTB_STICKY_SIZE];
  for (uint64_t id = 1; id < 100; id++) {
    (void)ttb_sticky_seal("sixteen secrets!", id * seed, token);
    for (int i = 0; i < 22; i++) dec_hash_add(&h, (unsigned char)token[i]);
  }
  return h.value;
}
