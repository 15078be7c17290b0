/* SPDX-License-Identifier: MIT */
/* Calls, faults, probes and ticks of a pool from a seed, and all it says of
 * them; once for each algorithm of the balancer, every other one of them with
 * outliers ejected. */
#include <trimtab/pool.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

static void describe(dec_hash *h, const ttb_pool *p, uint64_t now) {
  ttb_pool_info rows[12] = {TTB_CONFIG(ttb_pool_info)};
  int32_t n = ttb_pool_explain(p, now, NULL, 0, now, rows, 12);
  dec_hash_add(h, (uint64_t)n);
  for (int32_t i = 0; i < n && i < 12; i++) {
    dec_hash_add(h, rows[i].id << 32 | rows[i].slot << 16 | rows[i].in_flight);
    dec_hash_add(h, (uint64_t)rows[i].weight_64ths << 32 | rows[i].causes);
    dec_hash_add(h, (uint64_t)rows[i].breaker << 32 | (uint32_t)rows[i].status);
    dec_hash_add(h, (uint64_t)rows[i].retry_after_ms ^ (uint64_t)rows[i].reason << 40);
  }
}

static void run(dec_hash *h, uint64_t seed, uint32_t algorithm) {
  check c = {.state = seed + algorithm};
  ttb_pool shared, p;
  ttb_balancer_config b = TTB_CONFIG(ttb_balancer_config);
  ttb_pool_config config = TTB_CONFIG(ttb_pool_config);
  ttb_health_config health = TTB_CONFIG(ttb_health_config);
  health.eject = TTB_HEALTH_EJECT_ROBUST;
  health.eject_errors = 4; /* the breaker takes five */
  health.eject_interval_ms = 3000;
  health.eject_base_ms = 5000;
  if (algorithm % 2 == 0) config.health = &health;
  b.algorithm = algorithm;
  config.balancer = &b;
  config.capacity = 12;
  config.seed = seed;
  if (ttb_pool_new(&shared, &config, NULL) < 0 || ttb_pool_join(&shared, 5, &p) < 0) return;
  uint64_t now = UINT64_C(1000000000), cursor = 0, lost = 0;
  int64_t out[16];
  uint32_t n = 0;
  for (int i = 0; i < 20000; i++) {
    uint64_t dice = check_rand(&c);
    now += dice % 40000000;
    if (dice % 97 == 0) {
      ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
      e.id = 1 + dice / 97 % 9;
      e.weight = (uint32_t)(dice >> 20) % 7;
      int32_t slot = ttb_pool_add(&p, &e, now);
      if (slot == TTB_ERR_DUPLICATE && dice % 2) slot = ttb_pool_remove(&p, e.id, now);
      dec_hash_add(h, (uint64_t)(int64_t)slot);
    }
    if (dice % 11 == 0) dec_hash_add(h, (uint64_t)(int64_t)ttb_pool_tick(&p, now));
    if (dice % 13 == 0) {
      uint32_t slots[4];
      int32_t due = ttb_pool_probe_due(&p, now, slots, 4);
      for (int32_t k = 0; k < due; k++) {
        uint64_t ms = check_below(&c, 1500);
        dec_hash_add(h, (uint64_t)(int64_t)ttb_pool_probe_result(
                            &p, slots[k], (int32_t)check_below(&c, 2), ms * 1000000, now));
      }
    }
    if (n < 16 && dice % 3) {
      int64_t t = ttb_pool_acquire(&p, dice, now);
      dec_hash_add(h, (uint64_t)t);
      if (t >= 0) out[n++] = t;
    } else if (n > 0) {
      uint32_t k = (uint32_t)(dice >> 33) % n;
      bool bad = ttb_ticket_slot(out[k]) == 2 && i / 4000 % 2;
      dec_hash_add(h, (uint64_t)(int64_t)ttb_pool_report(&p, out[k], bad ? TTB_FAILURE : TTB_SUCCESS,
                                                         dice % 1000, now));
      out[k] = out[--n];
    }
    if (i % 500 == 0) describe(h, &p, now);
  }
  ttb_pool_event e;
  while (ttb_pool_events(&p, &cursor, &e, 1, &lost) == 1)
    dec_hash_add(h, e.now_ns ^ e.id << 48 ^ (uint64_t)e.kind << 40 ^ (uint64_t)e.value);
  dec_hash_add(h, lost);
  ttb_pool_free(&p);
  ttb_pool_free(&shared);
}

uint64_t determinism_pool(uint64_t seed) {
  dec_hash h = dec_hash_start();
  for (uint32_t a = TTB_BALANCER_TWO_CHOICES; a <= TTB_BALANCER_NGINX_HASH; a++) run(&h, seed, a);
  return h.value;
}
