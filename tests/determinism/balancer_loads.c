/* SPDX-License-Identifier: MIT */
/* Picks of the algorithms that look at load, latency, probes and load reports, from a
 * seed: the tickets, and what explain and statistics say at times. */
#include <trimtab/balancer.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

enum { N = 60, HELD = 150 };

static void describe(dec_hash *h, const ttb_balancer *b) {
  ttb_balancer_info rows[N] = {TTB_CONFIG(ttb_balancer_info)};
  int32_t n = ttb_balancer_explain(b, 0, NULL, 0, rows, N);
  dec_hash_add(h, (uint64_t)(int64_t)n);
  for (int32_t i = 0; i < n && i < N; i++) {
    dec_hash_add(h, rows[i].id << 32 | rows[i].weight);
    dec_hash_add(h, (uint64_t)rows[i].in_flight << 32 | rows[i].causes << 8 | (uint32_t)rows[i].reason);
  }
}

static void run(dec_hash *h, uint64_t seed, ttb_balancer_config config) {
  check c = {.state = seed + config.algorithm * 8 + config.flags};
  ttb_balancer b, mine[2];
  ttb_endpoint list[N];
  int64_t held[HELD];
  uint32_t slots[16], outs = 0;
  uint64_t now = UINT64_C(5000000000);
  config.capacity = N;
  config.seed = seed;
  for (uint32_t i = 0; i < N; i++)
    list[i] = (ttb_endpoint){.struct_size = sizeof *list, .weight = 1 + i % 5, .id = i + 1};
  if (ttb_balancer_new(&b, &config, NULL) < 0) return;
  for (int i = 0; i < 2; i++)
    if (ttb_balancer_join(&b, 5, &mine[i]) < 0) return;
  dec_hash_add(h, (uint64_t)(int64_t)ttb_balancer_update(&mine[0], list, N, NULL));
  for (int i = 0; i < 20000; i++) {
    uint64_t dice = check_rand(&c);
    now += dice % 20000000;
    if (dice % 101 == 0)
      (void)ttb_balancer_mark(&b, (uint32_t)(dice >> 40) % N, TTB_CAUSE_PROBE, (dice >> 20) % 3 == 0);
    if (dice % 211 == 0)
      (void)ttb_balancer_set_weight(&mine[0], 1 + (dice >> 30) % N, (uint32_t)(dice >> 50));
    if (dice % 97 == 0) dec_hash_add(h, (uint64_t)(int64_t)ttb_balancer_reweigh(&mine[1], now));
    if (dice % 3 == 0) {
      int32_t due = ttb_balancer_probe_due(&mine[dice >> 63], now, slots, 16);
      dec_hash_add(h, (uint64_t)(int64_t)due);
      for (int32_t k = 0; k < due; k++) {
        /* Drawn one by one: a compiler may take arguments in any order. */
        uint32_t rif = (uint32_t)check_below(&c, 20);
        uint64_t latency = check_below(&c, 90000000);
        (void)ttb_balancer_probe_result(&mine[dice >> 63], slots[k], rif, latency, now);
      }
    }
    if (outs < HELD && dice % 5 < 3) {
      int64_t t = ttb_balancer_acquire(&mine[0], 0, now);
      dec_hash_add(h, (uint64_t)t);
      if (t >= 0) held[outs++] = t;
    } else if (outs > 0) {
      uint32_t k = (uint32_t)(dice >> 33) % outs, slot = (uint32_t)ttb_ticket_slot(held[k]);
      ttb_load load = TTB_CONFIG(ttb_load);
      load.utilisation_ppm = (int32_t)check_below(&c, 900000) + 1;
      load.qps_milli = check_below(&c, 90000);
      load.eps_milli = check_below(&c, 9000);
      (void)ttb_balancer_report_load(&mine[0], held[k], slot == 7 ? TTB_FAILURE : (int32_t)(dice % 5),
                                     (slot + 1) * 1000000 + dice % 1000000, &load, now);
      held[k] = held[--outs];
    }
    if (i % 1000 == 0) describe(h, &mine[0]);
  }
  for (int i = 0; i < 2; i++) ttb_balancer_free(&mine[i]);
  ttb_balancer_free(&b);
}

uint64_t determinism_balancer_loads(uint64_t seed) {
  dec_hash h = dec_hash_start();
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.algorithm = TTB_BALANCER_LEAST_CONNECTIONS;
  run(&h, seed, c);
  c.bias_ppm = 700000;
  run(&h, seed, c);
  c.exact = 1;
  c.choices = 3;
  run(&h, seed, c);
  c = (ttb_balancer_config){.struct_size = sizeof c, .algorithm = TTB_BALANCER_PEAK_EWMA};
  run(&h, seed, c);
  c.algorithm = TTB_BALANCER_PREQUAL;
  run(&h, seed, c);
  c.algorithm = TTB_BALANCER_WEIGHTED_ROUND_ROBIN;
  c.flags = TTB_BALANCER_LOAD_WEIGHTS;
  run(&h, seed, c);
  return h.value;
}
