/* SPDX-License-Identifier: MIT */
/* Policies of the library's autoscaler: the manifest's own, and its metrics and bounds
 * under other systems' rules.
 *
 * Metrics a pod are given pod by pod (ttb_pods): those that serve are measured, those
 * still starting are pending, as Kubernetes sees them. */
#include "policies.h"

#include <math.h>
#include <string.h>
#include <trimtab/autoscaler.h>

typedef struct engine {
  ttb_autoscaler a;
  const setup *s;
  double capacity; /* of the replay: the load of a replica at 100 % */
  int metric[MANIFEST_METRICS]; /* of the manifest, for each metric of the autoscaler */
  int metrics;
  int whole; /* metrics are one number each, not one a pod */
  ttb_autoscaler_decision d;
  ttb_autoscaler_row rows[MANIFEST_METRICS];
} engine;

/* ---- from a manifest to a configuration ---- */

static void metrics_of(engine *e, ttb_autoscaler_metric *ret, const setup *s) {
  static const uint32_t kinds[] = {[TARGET_UTILIZATION] = TTB_AUTOSCALER_UTILISATION,
                                   [TARGET_AVERAGE_VALUE] = TTB_AUTOSCALER_AVERAGE,
                                   [TARGET_VALUE] = TTB_AUTOSCALER_VALUE};
  for (int i = 0; i < s->hpa->metrics; i++) {
    const manifest_metric *m = &s->hpa->metric[i];
    if (s->factor[i] <= 0) continue;
    e->metric[e->metrics] = i;
    ttb_autoscaler_metric *to = &ret[e->metrics++];
    *to = TTB_CONFIG(ttb_autoscaler_metric);
    to->kind = kinds[m->target];
    /* An average over objects or from outside is of all replicas, ready or not. */
    if (m->target == TARGET_AVERAGE_VALUE && m->source >= SOURCE_OBJECT) to->kind = TTB_AUTOSCALER_TOTAL;
    to->target_milli = m->target_milli;
    to->source = (uint32_t)m->source + TTB_AUTOSCALER_RESOURCE;
  }
}

static uint32_t policies_of(const manifest_rules *r, ttb_autoscaler_policy *ret) {
  for (int i = 0; i < r->policies; i++) {
    ret[i] = TTB_CONFIG(ttb_autoscaler_policy);
    ret[i].type = r->policy[i].percent ? TTB_AUTOSCALER_PERCENT : TTB_AUTOSCALER_REPLICAS;
    ret[i].value = (uint32_t)r->policy[i].value;
    ret[i].period_ms = (uint32_t)r->policy[i].period_s * 1000;
  }
  return (uint32_t)r->policies;
}

static uint32_t select_of(const manifest_rules *r) {
  return strcmp(r->select, "Min") == 0        ? TTB_AUTOSCALER_SELECT_MIN
         : strcmp(r->select, "Disabled") == 0 ? TTB_AUTOSCALER_SELECT_DISABLED
                                              : TTB_AUTOSCALER_SELECT_MAX;
}

static int32_t tolerance_of(const manifest_rules *r) {
  if (r->tolerance_milli == 0) return TTB_OFF;
  return r->tolerance_milli < 0 ? 0 : (int32_t)fmin((double)r->tolerance_milli * 1000, INT32_MAX);
}

static void behavior_of(const manifest *m, ttb_autoscaler_config *c, ttb_autoscaler_policy *up,
                        ttb_autoscaler_policy *down) {
  c->up_window_ms = m->up.window_s > 0 ? (uint32_t)m->up.window_s * 1000 : 0;
  if (m->down.window_s >= 0) c->down_window_ms = m->down.window_s ? m->down.window_s * 1000 : TTB_OFF;
  c->up_select = select_of(&m->up);
  c->down_select = select_of(&m->down);
  c->tolerance_up_ppm = tolerance_of(&m->up);
  c->tolerance_down_ppm = tolerance_of(&m->down);
  /* Without policies of its own a direction keeps the defaults. */
  if (m->up.policies > 0) c->up_policies_n = policies_of(&m->up, up), c->up_policies = up;
  if (m->down.policies > 0) c->down_policies_n = policies_of(&m->down, down), c->down_policies = down;
}

/* ---- making one ---- */

static int32_t start(engine *e, const setup *s, const replay_model *model, ttb_autoscaler_config *c,
                     FILE *complaints) {
  e->s = s;
  e->capacity = model->capacity;
  c->min_replicas = s->hpa->min > 0 ? s->hpa->min : TTB_OFF;
  c->max_replicas = s->hpa->max;
  if (ttb_autoscaler_new(&e->a, c, NULL) < 0) {
    ttb_detail detail = TTB_CONFIG(ttb_detail);
    char words[200];
    (void)ttb_autoscaler_check(c, &detail);
    ttb_detail_format(&detail, words, sizeof words);
    fprintf(complaints, "the manifest makes no autoscaler: %s\n", words);
    return -1;
  }
  e->d = TTB_CONFIG(ttb_autoscaler_decision);
  for (int i = 0; i < MANIFEST_METRICS; i++) e->rows[i] = TTB_CONFIG(ttb_autoscaler_row);
  return 0;
}

static int32_t make(void *state, const setup *s, const replay_model *model, int32_t preset, int behavior,
                    FILE *complaints) {
  engine *e = state;
  ttb_autoscaler_metric metrics[MANIFEST_METRICS];
  ttb_autoscaler_policy up[MANIFEST_POLICIES], down[MANIFEST_POLICIES];
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  ttb_autoscaler_preset(preset, &c);
  metrics_of(e, metrics, s);
  c.metrics = metrics;
  c.metrics_n = (uint32_t)e->metrics;
  if (behavior) behavior_of(s->hpa, &c, up, down);
  return start(e, s, model, &c, complaints);
}

static int32_t make_manifest(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  int behavior = s->hpa->behavior;
  return make(state, s, m, behavior ? TTB_AUTOSCALER_PRESET_HPA : TTB_AUTOSCALER_PRESET_HPA_LEGACY,
              behavior, complaints);
}
static int32_t make_default(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  return make(state, s, m, TTB_AUTOSCALER_PRESET_HPA_LEGACY, 0, complaints);
}
static int32_t make_aws(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  return make(state, s, m, TTB_AUTOSCALER_PRESET_AWS_TARGET, 0, complaints);
}
static int32_t make_gcp(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  return make(state, s, m, TTB_AUTOSCALER_PRESET_GCP_MIG, 0, complaints);
}

/* The rules by thresholds look at CPU; of memory, response time and errors a trace says
 * nothing, so they are calm. */
static int32_t thresholds(void *state, const setup *s, const replay_model *m, int32_t preset,
                          FILE *complaints) {
  engine *e = state;
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  ttb_autoscaler_preset(preset, &c);
  e->metrics = (int)c.metrics_n;
  e->whole = 1;
  return start(e, s, m, &c, complaints);
}
static int32_t make_double(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  return thresholds(state, s, m, TTB_AUTOSCALER_PRESET_DOUBLE_HALVE, complaints);
}
static int32_t make_safe(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  return thresholds(state, s, m, TTB_AUTOSCALER_PRESET_DOUBLE_HALVE_SAFE, complaints);
}

/* ---- a tick ---- */

static int64_t milli(double v) { return (int64_t)fmin(round(v * 1000), 9e18); }

/* Of each pod the same: what serves shares the load, what starts has no sample. */
static int32_t pods_of(const manifest_metric *m, double each, const replay_view *v, ttb_pods *ret) {
  ttb_pods_config c = TTB_CONFIG(ttb_pods_config);
  int utilisation = m->target == TARGET_UTILIZATION;
  c.kind = utilisation ? TTB_PODS_UTILISATION : TTB_PODS_AVERAGE;
  c.target_milli = m->target_milli;
  int32_t code = ttb_pods_start(ret, &c, (int64_t)(v->now_ns / 1000000));
  for (int32_t i = 0; code == TTB_OK && i < v->current; i++) {
    ttb_pod p = TTB_CONFIG(ttb_pod);
    p.flags = TTB_POD_REQUESTED | (i < v->serving ? TTB_POD_READY | TTB_POD_STARTED | TTB_POD_SAMPLED : TTB_POD_PENDING);
    p.request_milli = 1000000; /* a thousand millicores and more digits than an HPA has */
    p.value_milli = milli(utilisation ? each * 1000 : each);
    code = ttb_pods_add(ret, &p, 1);
  }
  return code;
}

/* What the metrics pipeline shows of one metric. */
static int32_t sample_of(const engine *e, const replay_view *v, int metric, ttb_pods *pods,
                         ttb_autoscaler_sample *ret) {
  const manifest_metric *m = &e->s->hpa->metric[metric];
  double factor = e->s->factor[metric];
  *ret = TTB_CONFIG(ttb_autoscaler_sample);
  if (m->source < SOURCE_OBJECT) {
    double each = m->target == TARGET_UTILIZATION ? v->utilisation * e->capacity / factor
                  : v->serving > 0                ? v->load * factor / v->serving
                                                  : 0;
    ret->pods = pods;
    return pods_of(m, each, v, pods);
  }
  ret->value_milli = milli(v->load * factor);
  if (m->target == TARGET_VALUE) ret->replicas = v->serving > 0 ? v->serving : TTB_OFF;
  return TTB_OK;
}

static int32_t tick(void *state, const replay_view *v) {
  engine *e = state;
  ttb_autoscaler_sample samples[MANIFEST_METRICS];
  ttb_pods pods[MANIFEST_METRICS];
  int32_t code = TTB_OK;
  for (int i = 0; code == TTB_OK && i < e->metrics; i++) {
    if (!e->whole) {
      code = sample_of(e, v, e->metric[i], &pods[i], &samples[i]);
      continue;
    }
    samples[i] = TTB_CONFIG(ttb_autoscaler_sample);
    if (i == 0) samples[i].value_milli = milli(100 * v->utilisation);
  }
  if (code < 0) return code;
  e->d.rows = e->rows;
  e->d.rows_n = (uint32_t)e->metrics;
  code = ttb_autoscaler_evaluate(&e->a, 0, samples, (uint32_t)e->metrics, v->current, v->now_ns, &e->d);
  return code < 0 ? code : e->d.desired;
}

/* ---- words ---- */

static const char *why(const void *state) {
  return ttb_autoscaler_reason(((const engine *)state)->d.reason);
}

static void detail(const void *state, char *ret, size_t size) {
  const engine *e = state;
  const ttb_autoscaler_decision *d = &e->d;
  size_t n = 0;
  *ret = 0;
  if (e->whole) {
    n = (size_t)snprintf(ret, size, "cpu %.4g %%", (double)e->rows[0].value_milli / 1000);
  } else if (d->metric >= 0 && d->metric < e->metrics) {
    const ttb_autoscaler_row *r = &e->rows[d->metric];
    const manifest_metric *m = &e->s->hpa->metric[e->metric[d->metric]];
    const char *unit = m->target == TARGET_UTILIZATION ? " %" : "";
    n = (size_t)snprintf(ret, size, "%s %.4g%s against %.4g%s asks for %d", m->name, (double)r->value_milli / 1000,
                         unit, (double)r->target_milli / 1000, unit, r->proposal);
    if (r->second_ppm >= 0 && n < size)
      n += (size_t)snprintf(ret + n, size - n, " with %d starting", r->unready);
  }
  if (d->window && n < size)
    n += (size_t)snprintf(ret + n, size - n, "; %d was asked for %.0f s ago", d->window_value,
                          d->window_age_ms / 1000.0);
  if (d->policy >= 0 && d->limit && n < size)
    snprintf(ret + n, size - n, "; the policy of %.0f s allows %d", d->policy_period_ms / 1000.0, d->policy_limit);
}

static void end(void *state) { ttb_autoscaler_free(&((engine *)state)->a); }

#define ROW(name_, make_, about_)                                                                   \
  {                                                                                                 \
    .name = name_, .about = about_, .bytes = sizeof(engine), .make = make_, .tick = tick,           \
    .why = why, .detail = detail, .end = end                                                        \
  }

const policy_row policy_hpa = ROW("hpa", make_manifest, "the manifest as it is, by Kubernetes' rules");
const policy_row policy_hpa_default =
    ROW("hpa-default", make_default, "the manifest's metrics and bounds, without its behavior");
const policy_row policy_aws_target =
    ROW("aws-target", make_aws, "the same metrics by AWS' target tracking: out after 3 minutes, in after 15");
const policy_row policy_gcp_mig =
    ROW("gcp-mig", make_gcp, "the same metrics by Google's managed groups: the peak of ten minutes");
const policy_row policy_double_halve =
    ROW("double-halve", make_double, "what many write by hand: double above 70 % CPU, halve below 30 %");
const policy_row policy_double_halve_safe =
    ROW("double-halve-safe", make_safe, "the same thresholds without its faults; see TTB_AUTOSCALER_PRESET_DOUBLE_HALVE_SAFE");
