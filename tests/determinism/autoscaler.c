/* SPDX-License-Identifier: MIT */
/* Autoscalers of several kinds under random walks of values: the JSON of every
 * decision; pods, with and without behavior, steps, marks, brakes and schedules;
 * Knative and its windows. */
#include <string.h>

#include <trimtab/autoscaler.h>
#include <trimtab/knative.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

static void add_json(dec_hash *h, const ttb_autoscaler_decision *d) {
  char text[4000];
  int64_t n = ttb_autoscaler_json(d, text, sizeof text);
  for (int64_t i = 0; i + 8 <= n; i += 8) {
    uint64_t word = 0;
    for (int k = 0; k < 8; k++) word = word << 8 | (unsigned char)text[i + k];
    dec_hash_add(h, word);
  }
  dec_hash_add(h, (uint64_t)n);
}

/* Pods in all states, every brake, a schedule, steps and marks. */
static bool everything(check *c, dec_hash *h, uint32_t flags) {
  static const ttb_autoscaler_metric metrics[] = {
      {sizeof *metrics, TTB_AUTOSCALER_UTILISATION, 0, 0, 70000, 0, 0, 0},
      {sizeof *metrics, TTB_AUTOSCALER_AVERAGE, 0, TTB_AUTOSCALER_WATERMARK, 333, 111, 0, 0},
      {sizeof *metrics, TTB_AUTOSCALER_VALUE, TTB_AUTOSCALER_GUARD, TTB_AUTOSCALER_STEPS, 0, 0, 0, 0}};
  static const ttb_autoscaler_step steps[] = {
      {sizeof *steps, 2, 700, 0, TTB_AUTOSCALER_STEP_PERCENT, 17, 2, 0},
      {sizeof *steps, 2, 0, 100, TTB_AUTOSCALER_STEP_FACTOR, 933333, 0, 0}};
  static const ttb_autoscaler_schedule schedule[] = {
      {sizeof *schedule, 86400, 32400, 61200, 12, 0}, {sizeof *schedule, 604800, 400000, 0, 0, 300}};
  ttb_autoscaler_config config = TTB_CONFIG(ttb_autoscaler_config);
  ttb_autoscaler a;
  int32_t current = 10;
  uint64_t now = UINT64_C(3600000000000);
  config.metrics = metrics;
  config.metrics_n = 3;
  config.steps = steps;
  config.steps_n = 2;
  config.schedule = schedule;
  config.schedule_n = 2;
  config.max_replicas = 500;
  config.flags = flags;
  config.startup_ms = 45000;
  config.billing_ms = 60000;
  config.action_cost_ms = 90000;
  config.up_cooldown_ms = 15000;
  config.down_cooldown_ms = 30000;
  if (ttb_autoscaler_new(&a, &config, NULL) < 0) return false;
  for (int step = 0; step < 3000; step++) {
    ttb_autoscaler_sample s[3];
    ttb_autoscaler_row rows[3];
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    ttb_pods_config pc = TTB_CONFIG(ttb_pods_config);
    ttb_pods pods;
    int64_t load = check_between(c, 0, 1000);
    for (int i = 0; i < 3; i++) {
      s[i] = TTB_CONFIG(ttb_autoscaler_sample);
      rows[i] = TTB_CONFIG(ttb_autoscaler_row);
    }
    pc.target_milli = 70000;
    pc.flags = TTB_PODS_CPU;
    if (ttb_pods_start(&pods, &pc, 1000000) < 0) return false;
    for (int32_t i = 0; i < current && i < 40; i++) {
      ttb_pod p = TTB_CONFIG(ttb_pod);
      p.flags = TTB_POD_REQUESTED | TTB_POD_STARTED | 1u << check_below(c, 3) |
                (check_chance(c, 1, 20) ? 0 : TTB_POD_SAMPLED) |
                (check_chance(c, 1, 20) ? TTB_POD_PENDING : 0);
      p.value_milli = load + check_between(c, 0, 100);
      p.request_milli = 700;
      p.start_ms = check_chance(c, 1, 10) ? 900000 : 0;
      if (ttb_pods_add(&pods, &p, 1) < 0) return false;
    }
    s[0].pods = &pods;
    s[1].value_milli = load / 2;
    s[2].value_milli = check_between(c, 0, 1000);
    d.rows = rows;
    d.rows_n = 3;
    now += (uint64_t)check_between(c, 1000, 60000) * 1000000;
    if (ttb_autoscaler_evaluate(&a, 0, s, 3, current, now, &d) < 0) return false;
    add_json(h, &d);
    current = d.desired;
  }
  ttb_autoscaler_free(&a);
  return true;
}

static bool knative(check *c, dec_hash *h) {
  static ttb_knative k;
  static ttb_knative_window w;
  ttb_knative_config config = TTB_CONFIG(ttb_knative_config);
  uint64_t now = UINT64_C(3600000000000);
  config.target_milli = 7001;
  config.up_rate_milli = 1234;
  config.down_rate_milli = 1777;
  config.delay_ms = 30000;
  config.burst_milli = 20000;
  if (ttb_knative_start(&k, &config, 1, now) < 0 || ttb_knative_window_start(&w, 60000, 1000) < 0)
    return false;
  for (int step = 0; step < 5000; step++) {
    ttb_knative_input in = TTB_CONFIG(ttb_knative_input);
    ttb_knative_decision d = TTB_CONFIG(ttb_knative_decision);
    now += (uint64_t)check_between(c, 1, 4000) * 1000000;
    if (ttb_knative_window_record(&w, now, check_between(c, 0, 90000)) < 0 ||
        ttb_knative_window_average(&w, now, 1, &in.panic_milli) < 0 ||
        ttb_knative_window_average(&w, now, 0, &in.stable_milli) < 0)
      return false;
    in.ready = (int32_t)check_between(c, 0, 60);
    if (ttb_knative_decide(&k, &config, &in, now, &d) < 0) return false;
    dec_hash_add(h, (uint64_t)(uint32_t)d.desired << 32 | (uint32_t)d.stable << 8 | d.panicking);
    dec_hash_add(h, (uint64_t)d.next_change_ms ^ (uint64_t)d.excess_burst_milli << 20);
    dec_hash_add(h, (uint64_t)in.panic_milli << 32 ^ (uint64_t)in.stable_milli);
  }
  return true;
}

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
  if (!everything(&c, &h, TTB_AUTOSCALER_WHAT_IF) || !everything(&c, &h, TTB_AUTOSCALER_LEGACY) ||
      !knative(&c, &h))
    return 0;
  return h.value;
}
