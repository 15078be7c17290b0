/* SPDX-License-Identifier: MIT */
/* The policies of baselines.h. */
#include "baselines.h"

#include <math.h>
#include <string.h>

/* ---- Kubernetes HPA v2, by the library's engine ---- */

#define P(type_, value_, period)                                              \
  {.struct_size = sizeof(ttb_autoscaler_policy), .type = type_, .value = value_, \
   .period_ms = period}

static int32_t hpa_new(baseline *b, ttb_autoscaler_config *c) {
  ttb_autoscaler_metric m = TTB_CONFIG(ttb_autoscaler_metric);
  m.kind = TTB_AUTOSCALER_TOTAL;
  m.target_milli = (int64_t)(b->target * 1e6);
  c->min_replicas = b->model.min > 0 ? b->model.min : TTB_OFF;
  c->max_replicas = b->model.max;
  c->tick_ms = (uint32_t)(b->model.tick_s * 1000);
  c->metrics = &m;
  c->metrics_n = 1;
  return ttb_autoscaler_new(&b->hpa, c, NULL);
}

static int32_t hpa_init(baseline *b) {
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  return hpa_new(b, &c);
}

static int32_t text_init(baseline *b) {
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  const ttb_autoscaler_policy up = P(TTB_AUTOSCALER_PERCENT, 100, 15000);
  const ttb_autoscaler_policy down = P(TTB_AUTOSCALER_PERCENT, 10, 60000);
  c.up_window_ms = 60000;
  c.up_policies = &up, c.up_policies_n = 1;
  c.down_policies = &down, c.down_policies_n = 1;
  return hpa_new(b, &c);
}

static int32_t tight_init(baseline *b) {
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.tolerance_up_ppm = c.tolerance_down_ppm = 20000;
  return hpa_new(b, &c);
}

static int32_t gcp_init(baseline *b) {
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  const ttb_autoscaler_policy up = P(TTB_AUTOSCALER_REPLICAS, 1000000, 15000);
  c.tolerance_up_ppm = c.tolerance_down_ppm = TTB_OFF;
  c.down_window_ms = 600000;
  c.up_policies = &up, c.up_policies_n = 1;
  return hpa_new(b, &c);
}

/* The load in replicas at 100 %: one unit of the engine's milli is a thousandth
 * of a thousandth of one. */
static int32_t hpa_tick(baseline *b, const replay_view *v) {
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  s.value_milli = (int64_t)(v->load / b->model.capacity * 1e6);
  int32_t code = ttb_autoscaler_evaluate(&b->hpa, 0, &s, 1, v->current, v->now_ns, &d);
  return code < 0 ? code : d.desired;
}

/* ---- the others ---- */

static int32_t replicas(const baseline *b, double load) {
  double n = ceil(load / (b->target * b->model.capacity));
  return n < 1e6 ? (int32_t)n : 1000000;
}

/* Mean of the newest samples of `ticks` ticks that ended `skip` ticks ago. */
static double mean(const baseline *b, size_t skip, size_t ticks) {
  double sum = 0;
  for (size_t i = skip; i < skip + ticks; i++) sum += b->load[(b->seen + 640 - 1 - i) % 64];
  return sum / (double)ticks;
}

static void keep(baseline *b, const replay_view *v) {
  if (b->seen == 0)
    for (size_t i = 0; i < 64; i++) b->load[i] = v->newest;
  b->load[b->seen++ % 64] = v->newest;
}

/* AWS target tracking: out after 3 datapoints of a minute above the target, in
 * after 15 below 90 % of it, instances that start count as capacity. */
static int32_t aws_tick(baseline *b, const replay_view *v) {
  keep(b, v);
  if (b->seen % 4 != 0) return v->current;
  double one = b->target * b->model.capacity * (v->current > 0 ? v->current : 1);
  int out = 1, in = 1;
  double most = 0;
  for (size_t i = 0; i < 15; i++) {
    double m = mean(b, 4 * i, 4);
    if (i < 3 && m <= one) out = 0;
    if (m >= 0.9 * one) in = 0;
    if (m > most) most = m;
  }
  if (out) return replicas(b, mean(b, 0, 4));
  return in ? replicas(b, most) : v->current;
}

/* Step scaling: +10, +20, +50 % by how far above the target, then a minute of
 * rest; -10 % after 15 datapoints below 80 % of it. */
static int32_t step_tick(baseline *b, const replay_view *v) {
  keep(b, v);
  if (b->seen % 4 != 0 || b->seen < b->quiet_from) return v->current;
  double n = v->current > 0 ? v->current : 1, one = b->target * b->model.capacity * n;
  double ratio = mean(b, 0, 4) / one, change = 0;
  if (ratio > 1) change = ratio < 1.1 ? 0.1 : ratio < 1.3 ? 0.2 : 0.5;
  int in = 1;
  for (size_t i = 0; i < 15; i++)
    if (mean(b, 4 * i, 4) >= 0.8 * one) in = 0;
  if (change > 0) b->quiet_from = b->seen + 4;
  if (change > 0) return (int32_t)ceil(n * (1 + change));
  return in ? (int32_t)floor(n * 0.9) : v->current;
}

/* Knative's pod autoscaler: a minute's mean, or the newest sample while that
 * asks for twice what serves; down by at most half. */
static int32_t knative_tick(baseline *b, const replay_view *v) {
  keep(b, v);
  int32_t ready = v->serving > 0 ? v->serving : 1;
  int32_t stable = replicas(b, mean(b, 0, 4)), panic = replicas(b, v->newest), least = ready / 2;
  if (stable < least) stable = least;
  if (panic < least) panic = least;
  if (panic >= 2 * ready) b->panic_until = b->seen + 4;
  if (b->seen > b->panic_until) b->panic_peak = 0;
  if (b->seen > b->panic_until || b->panic_until == 0) return stable;
  if (panic > b->panic_peak) b->panic_peak = panic;
  if (stable > b->panic_peak) b->panic_peak = stable;
  return b->panic_peak;
}

/* HPA, and additive Holt-Winters over a day of 5-minute buckets as a floor under it. */
static int32_t seasonal_tick(baseline *b, const replay_view *v) {
  int32_t n = hpa_tick(b, v);
  if (n < 0) return n;
  size_t in = b->seen % 20, bucket = b->seen / 20;
  b->bucket_sum = (in == 0 ? 0 : b->bucket_sum) + v->newest;
  b->seen++;
  double *season = &b->season[bucket % 288];
  if (in == 19) {
    double x = b->bucket_sum / 20, level = b->level;
    if (bucket == 0) level = x;
    b->level = 0.3 * (x - *season) + 0.7 * (level + b->trend);
    b->trend = 0.02 * (b->level - level) + 0.98 * b->trend;
    *season = bucket < 288 ? x - b->level : 0.2 * (x - b->level) + 0.8 * *season;
  }
  if (bucket < 288) return n;
  double part = (double)in / 20;
  double ahead = b->season[bucket % 288] * (1 - part) + b->season[(bucket + 1) % 288] * part;
  int32_t floor = replicas(b, fmax(0, b->level + b->trend + ahead));
  return floor > n ? floor : n;
}

/* The class AutoScaler that is found in tutorials: twice as many above the
 * target, half as many below 3/7 of it (its 70 and 30 %). */
static int32_t doubling_tick(baseline *b, const replay_view *v) {
  double use = v->utilisation;
  int32_t n = v->current > 0 ? v->current : 1;
  if (use > b->target) return n < 1000000 ? n * 2 : n;
  return use < b->target * 3 / 7 ? n / 2 : n;
}

const baseline_kind baseline_kinds[BASELINES] = {
    {"hpa", "HPA v2 with its defaults", hpa_init, hpa_tick},
    {"hpa-text", "HPA v2: up 60 s, 100 %/15 s; down 300 s, 10 %/60 s", text_init, hpa_tick},
    {"hpa-tight", "HPA v2 with a tolerance of 2 %", tight_init, hpa_tick},
    {"aws-target", "target tracking after AWS: 3 and 15 datapoints", NULL, aws_tick},
    {"aws-step", "step scaling after AWS: +10, +20, +50 %", NULL, step_tick},
    {"gcp", "peak of ten minutes after Google's MIG", gcp_init, hpa_tick},
    {"knative", "Knative's stable and panic windows", NULL, knative_tick},
    {"hpa-seasonal", "HPA v2 over a Holt-Winters floor", hpa_init, seasonal_tick},
    {"doubling", "twice above 70 %, half below 30 %", NULL, doubling_tick},
};

/* ---- as policies ---- */

static int32_t init(void *ctx, const replay_model *model) {
  baseline *b = ctx;
  b->model = *model;
  return b->kind->init ? b->kind->init(b) : 0;
}

static int32_t tick(void *ctx, const replay_view *view) {
  baseline *b = ctx;
  return b->kind->tick(b, view);
}

replay_policy baseline_policy(baseline *b, const baseline_kind *kind, double target) {
  memset(b, 0, sizeof *b);
  b->kind = kind;
  b->target = target;
  return (replay_policy){.name = kind->name, .ctx = b, .init = init, .tick = tick};
}

void baseline_end(baseline *b) { ttb_autoscaler_free(&b->hpa); }
