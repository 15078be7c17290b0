/* SPDX-License-Identifier: MIT */
/* Violation budgets under a random walk with bursts and gaps: every decision, and
 * what the arms have come to. */
#include <trimtab/budget.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

static void add_explain(dec_hash *h, ttb_budget *b, uint64_t now) {
  ttb_budget_row rows[TTB_BUDGET_ARMS];
  ttb_budget_info i = TTB_CONFIG(ttb_budget_info);
  for (int k = 0; k < TTB_BUDGET_ARMS; k++) rows[k] = TTB_CONFIG(ttb_budget_row);
  i.rows = rows;
  i.rows_n = TTB_BUDGET_ARMS;
  if (ttb_budget_explain(b, 0, now, &i) < 0) return;
  for (int k = 0; k < TTB_BUDGET_ARMS; k++) {
    dec_hash_add(h, (uint64_t)(uint32_t)rows[k].headroom_ppm << 32 | (uint32_t)rows[k].violation_ppm);
    dec_hash_add(h, (uint64_t)rows[k].cost_milli);
  }
  dec_hash_add(h, (uint64_t)(uint32_t)i.forecast_error_ppm << 32 | (uint32_t)i.level_milli);
}

uint64_t determinism_budget(uint64_t seed) {
  static const int64_t curve[] = {123456789, 234567890, 323456789, 399999999, 461234567};
  check c = {.state = seed};
  dec_hash h = dec_hash_start();
  for (int k = 0; k < 3; k++) {
    ttb_budget_config config = TTB_CONFIG(ttb_budget_config);
    ttb_budget b;
    int32_t current = 10;
    uint64_t now = UINT64_C(3600000000000);
    int64_t load = 100000000;
    config.replica_milli = 12345678;
    config.max_replicas = 1000;
    config.budget_ppm = k == 1 ? 3000 : 0;
    config.startup_ms = k == 1 ? 600000 : 0;
    config.flags = k == 1 ? TTB_BUDGET_CAPPED : 0;
    config.carries_milli = curve;
    config.carries_n = k == 2 ? 5 : 0;
    if (ttb_budget_new(&b, &config, NULL) < 0) return 0;
    for (int step = 0; step < 20000; step++) {
      ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
      ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
      load += check_between(&c, -3000000, 3000000) + (100000000 - load) / 100;
      s.missing = check_chance(&c, 1, 300);
      s.load_milli = check_chance(&c, 1, 200) ? load * 3 : load;
      s.peak_milli = check_chance(&c, 1, 3) ? load + load / 8 : 0;
      s.current = current;
      s.serving = current;
      now += (uint64_t)check_between(&c, 12000, check_chance(&c, 1, 100) ? 300000 : 18000) * 1000000;
      if (ttb_budget_tick(&b, 0, &s, now, &d) < 0) return 0;
      dec_hash_add(&h, (uint64_t)(uint32_t)d.desired << 32 | (uint32_t)d.needed);
      dec_hash_add(&h, (uint64_t)(uint32_t)d.reason << 32 | (uint32_t)d.demand_milli);
      current = d.desired;
      if (step % 1000 == 999) add_explain(&h, &b, now);
    }
    ttb_budget_free(&b);
  }
  return h.value;
}
