/* SPDX-License-Identifier: MIT */
/* Presets: what peers do, as rows of configuration.
 *
 * - HPA: pkg/apis/autoscaling/v2/defaults.go of Kubernetes; without `behavior`:
 *   calculateScaleUpLimit and stabilizeRecommendation of horizontal.go.
 * - AWS: the guides of Application Auto Scaling and EC2 Auto Scaling: a high alarm
 *   of 3 datapoints of a minute, a low one of 15 at 90 % of the target; a window
 *   whose lowest (highest) proposal counts says the same.
 * - Google: managed instance groups keep what the peak of the last ten minutes
 *   needed.
 *
 * I1  The arrays are static: who wants to change them copies them first. */
#include "autoscaler.h"

#define METRIC(kind, method, target) \
  {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_##kind, 0, TTB_AUTOSCALER_##method, target, 0, 0, 0}
#define POLICY(type, value, period) \
  {sizeof(ttb_autoscaler_policy), TTB_AUTOSCALER_##type, value, period}
#define STEP(metric, lower, upper, type, value) \
  {sizeof(ttb_autoscaler_step), metric, lower, upper, TTB_AUTOSCALER_STEP_##type, value, 0, 0}

const ttb_autoscaler_metric ttb__hpa_metrics[1] = {METRIC(UTILISATION, RATIO, 80000)};
const ttb_autoscaler_policy ttb__hpa_up[2] = {POLICY(REPLICAS, 4, 15000),
                                              POLICY(PERCENT, 100, 15000)};
const ttb_autoscaler_policy ttb__legacy_up[2] = {POLICY(PERCENT, 100, 15000),
                                                 POLICY(UP_TO, 4, 15000)};
const ttb_autoscaler_policy ttb__hpa_down[1] = {POLICY(PERCENT, 100, 15000)};

/* More than anybody has, in no time: no limit. */
static const ttb_autoscaler_policy unlimited[] = {
    POLICY(REPLICAS, TTB_AUTOSCALER_MAX_REPLICAS, 1)};

/* ---- double and halve ---- */

/* CPU and memory in percent, response time in ms, errors in millionths of the
 * requests. "Above 70" begins at the next thousandth. */
static const ttb_autoscaler_metric thresholds[] = {
    METRIC(VALUE, STEPS, 0), METRIC(VALUE, STEPS, 0), METRIC(VALUE, STEPS, 0),
    METRIC(VALUE, STEPS, 0)};
static const ttb_autoscaler_step double_halve[] = {
    STEP(0, 70001, 0, FACTOR, 2000000),    STEP(0, 0, 30000, FACTOR, 500000),
    STEP(1, 80001, 0, FACTOR, 2000000),    STEP(1, 0, 40000, FACTOR, 500000),
    STEP(2, 500001, 0, FACTOR, 2000000),   STEP(2, 0, 100000, FACTOR, 500000),
    STEP(3, 10000001, 0, FACTOR, 2000000), STEP(3, 0, 1000000, FACTOR, 500000)};

/* The safe one knows that CPU and memory are shared by the replicas, so it can
 * tell what fewer would have to bear. */
static const ttb_autoscaler_metric safe_thresholds[] = {
    METRIC(AVERAGE, STEPS, 0), METRIC(AVERAGE, STEPS, 0), METRIC(VALUE, STEPS, 0),
    {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_VALUE, TTB_AUTOSCALER_GUARD,
     TTB_AUTOSCALER_STEPS, 0, 0, 0, 0}};
static const ttb_autoscaler_policy safe_up[] = {POLICY(PERCENT, 100, 60000)};
static const ttb_autoscaler_policy safe_down[] = {POLICY(PERCENT, 10, 60000),
                                                  POLICY(REPLICAS, 1, 60000)};

static void double_and_halve(ttb_autoscaler_config *c, bool safe) {
  c->min_replicas = 2;
  c->max_replicas = 20;
  c->metrics = safe ? safe_thresholds : thresholds;
  c->metrics_n = 4;
  c->steps = double_halve;
  c->steps_n = 8;
  c->down_window_ms = safe ? 300000 : TTB_OFF;
  c->up_policies = safe ? safe_up : unlimited;
  c->down_policies = safe ? safe_down : unlimited;
  c->up_policies_n = 1;
  c->down_policies_n = safe ? 2 : 1;
  if (!safe) return;
  c->startup_ms = c->up_cooldown_ms = 60000;
  c->flags = TTB_AUTOSCALER_WHAT_IF;
}

int32_t ttb_autoscaler_preset(int32_t preset, ttb_autoscaler_config *ret) {
  if (!ret) return TTB_ERR_MISUSE;
  ttb_autoscaler_config c = {
      .capacity = 1,
      .min_replicas = 1,
      .max_replicas = 100,
      .tolerance_up_ppm = 100000,
      .tolerance_down_ppm = 100000,
      .down_window_ms = 300000,
      .up_select = TTB_AUTOSCALER_SELECT_MAX,
      .down_select = TTB_AUTOSCALER_SELECT_MAX,
      .tick_ms = 15000,
      .metrics_n = 1,
      .up_policies_n = 2,
      .down_policies_n = 1,
      .combine = TTB_AUTOSCALER_COMBINE_MAX,
      .from_zero = TTB_AUTOSCALER_FROM_ZERO_ANY,
      .metrics = ttb__hpa_metrics,
      .up_policies = ttb__hpa_up,
      .down_policies = ttb__hpa_down,
  };
  switch (preset) {
  case TTB_AUTOSCALER_PRESET_HPA: break;
  case TTB_AUTOSCALER_PRESET_HPA_LEGACY:
    c.flags = TTB_AUTOSCALER_LEGACY;
    c.up_policies = ttb__legacy_up;
    break;
  case TTB_AUTOSCALER_PRESET_AWS_TARGET:
    c.tolerance_up_ppm = TTB_OFF;
    c.tick_ms = 60000;
    c.up_window_ms = 180000;
    c.down_window_ms = 900000;
    c.up_policies = c.down_policies = unlimited;
    c.up_policies_n = 1;
    break;
  case TTB_AUTOSCALER_PRESET_GCP_MIG:
    c.tolerance_up_ppm = c.tolerance_down_ppm = TTB_OFF;
    c.down_window_ms = 600000;
    c.up_policies = c.down_policies = unlimited;
    c.up_policies_n = 1;
    break;
  case TTB_AUTOSCALER_PRESET_DOUBLE_HALVE: double_and_halve(&c, false); break;
  case TTB_AUTOSCALER_PRESET_DOUBLE_HALVE_SAFE: double_and_halve(&c, true); break;
  default: return TTB_ERR_RANGE;
  }
  return ttb__struct_write(&ttb__autoscaler_config_fields, &c, ret);
}
