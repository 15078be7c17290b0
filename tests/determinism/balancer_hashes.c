/* SPDX-License-Identifier: MIT */
/* Comings, goings, marks, calls and reports from a seed, for each algorithm by hash,
 * with and without a bound. */
#include <trimtab/balancer.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

static void change(dec_hash *h, check *c, ttb_balancer *b) {
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  e.id = 1 + check_below(c, 30);
  e.weight = (uint32_t)check_below(c, 9);
  /* In this order, whatever order a compiler gives arguments. */
  uint32_t what = (uint32_t)check_below(c, 4), slot = (uint32_t)check_below(c, 20);
  int32_t on = (int32_t)check_below(c, 2), code = 0;
  switch (what) {
  case 0: code = ttb_balancer_add(b, &e); break;
  case 1: code = ttb_balancer_remove(b, e.id); break;
  case 2: code = ttb_balancer_set_weight(b, e.id, e.weight); break;
  default: code = ttb_balancer_mark(b, slot, TTB_CAUSE_PROBE, on); break;
  }
  dec_hash_add(h, (uint64_t)(int64_t)code);
}

static void run(dec_hash *h, uint64_t seed, uint32_t algorithm, int32_t bounded_ppm) {
  check c = {.state = seed + algorithm};
  ttb_balancer shared, b;
  ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
  config.algorithm = algorithm;
  config.capacity = 20;
  config.seed = seed;
  config.bounded_ppm = bounded_ppm;
  if (algorithm == TTB_BALANCER_MAGLEV || algorithm == TTB_BALANCER_PATCHED_MAGLEV)
    config.table_size = 1009;
  if (ttb_balancer_new(&shared, &config, NULL) < 0) return; /* not by hash, or not there */
  if (ttb_balancer_join(&shared, 5, &b) < 0) return;
  int64_t out[64];
  uint32_t n = 0;
  for (int i = 0; i < 20000; i++) {
    uint64_t dice = check_rand(&c);
    if (dice % 199 < 3 || i < 20) change(h, &c, &b);
    if (n < 64 && dice % 3) {
      int64_t t = ttb_balancer_acquire(&b, dice % 5 ? dice : 7, (uint64_t)i * 100000);
      dec_hash_add(h, (uint64_t)t);
      if (t >= 0) out[n++] = t;
    } else if (n > 0) {
      uint32_t k = (uint32_t)(dice >> 40) % n;
      dec_hash_add(h, (uint64_t)ttb_balancer_report(&b, out[k], TTB_SUCCESS, 0, 0));
      out[k] = out[--n];
    }
  }
  ttb_balancer_free(&b);
  ttb_balancer_free(&shared);
}

uint64_t determinism_balancer_hashes(uint64_t seed) {
  dec_hash h = dec_hash_start();
  for (uint32_t a = TTB_BALANCER_MAGLEV; a <= TTB_BALANCER_NGINX_HASH; a++) {
    run(&h, seed, a, 0);
    run(&h, seed, a, 1250000);
  }
  return h.value;
}
