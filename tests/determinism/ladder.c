/* SPDX-License-Identifier: MIT */
/* Measurements and requests from a seed, and what a ladder says to them. */
#include <trimtab/ladder.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

uint64_t determinism_ladder(uint64_t seed) {
  dec_hash h = dec_hash_start();
  check c = {.state = seed};
  ttb_ladder l;
  ttb_ladder_config config = TTB_CONFIG(ttb_ladder_config);
  config.hold_ms = 300;
  config.expire_ms = 2000;
  if (ttb_ladder_new(&l, &config, NULL) < 0) return 0;
  uint64_t now = UINT64_C(1000000000);
  for (int i = 0; i < 20000; i++) {
    uint64_t dice = check_rand(&c);
    now += dice % 100000000;
    if (i % 1000 < 900)
      dec_hash_add(&h, (uint64_t)ttb_ladder_observe(&l, (int32_t)(dice >> 33) % 1100000, now));
    ttb_ladder_ask ask = {.flags = (uint32_t)(dice >> 8) & 3,
                          .importance = (uint32_t)(dice >> 10) & 3,
                          .primary = dice >> 12 & 3 ? 0 : TTB_OPEN,
                          .cache_age_ms = (int64_t)(dice >> 20) % 5000000};
    ttb_ladder_answer a = {0};
    dec_hash_add(&h, (uint64_t)ttb_ladder_serve(&l, &ask, now, &a));
    dec_hash_add(&h, (uint64_t)(a.reason << 8 | a.cache << 4 | a.level));
    ttb_ladder_info info = TTB_CONFIG(ttb_ladder_info);
    if (ttb_ladder_explain(&l, now, &info) == TTB_OK)
      dec_hash_add(&h, (uint64_t)info.falls_in_ms ^ (uint64_t)info.measured_ms << 20);
  }
  ttb_ladder_free(&l);
  return h.value;
}
