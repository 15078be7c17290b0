/* SPDX-License-Identifier: MIT */
/* Three autoscalers under a random walk of values: every decision and its reason. */
#include <trimtab/autoscaler.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

uint64_t determinism_autoscaler(uint64_t seed) {
  static const ttb_autoscaler_metric metrics[] = {
      {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_UTILISATION, 0, 0, 70000, 0, 0, 0},
      {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_VALUE, 0, 0, 333, 0, 0, 0},
      {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_TOTAL, 0, 0, 7001, 0, 0, 0}};
  check c = {.state = seed};
  dec_hash h = dec_hash_start();
  for (uint32_t k = 0; k < 3; k++) {
    ttb_autoscaler_config config = TTB_CONFIG(ttb_autoscaler_config);
    ttb_autoscaler a;
    int32_t current = 10;
    uint64_t now = UINT64_C(3600000000000);
    config.metrics = metrics;
    config.metrics_n = 3;
    config.max_replicas = 1000;
    config.up_window_ms = k * 30000;
    config.flags = k == 2 ? TTB_AUTOSCALER_OLD_TOLERANCE : 0;
    config.tolerance_up_ppm = k == 1 ? 50000 : 0;
    if (ttb_autoscaler_new(&a, &config, NULL) < 0) return 0;
    for (int step = 0; step < 20000; step++) {
      ttb_autoscaler_sample s[3];
      ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
      for (int i = 0; i < 3; i++) {
        s[i] = TTB_CONFIG(ttb_autoscaler_sample);
        s[i].missing = check_chance(&c, 1, 50);
      }
      s[0].value_milli = check_between(&c, 0, 160000);
      s[1].value_milli = check_between(&c, 0, 500);
      s[2].value_milli = check_between(&c, 0, 7001 * (int64_t)current * 2);
      now += (uint64_t)check_between(&c, 1000, 30000) * 1000000;
      if (ttb_autoscaler_evaluate(&a, 0, s, 3, current, now, &d) < 0) return 0;
      dec_hash_add(&h, (uint64_t)(uint32_t)d.desired << 32 | (uint32_t)d.proposed);
      dec_hash_add(&h, (uint64_t)(uint32_t)d.reason << 32 | (uint32_t)d.next_change_ms);
      current = d.desired;
    }
    ttb_autoscaler_free(&a);
  }
  return h.value;
}
