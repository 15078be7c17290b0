/* SPDX-License-Identifier: MIT */
/* The manifest's own autoscaler, and Kubernetes' defaults at the same targets. */
#include "policies.h"

#include <math.h>
#include <string.h>
#include <trimtab/autoscaler.h>

typedef struct hpa {
  ttb_autoscaler a;
  const setup *s;
  double capacity; /* of the replay: the load of a replica at 100 % */
  int metric[MANIFEST_METRICS]; /* of the manifest, for each metric of the autoscaler */
  int metrics;
  ttb_autoscaler_decision d;
  ttb_autoscaler_row rows[MANIFEST_METRICS];
} hpa;

static int32_t milli(double v) { return (int32_t)fmin(v, INT32_MAX); }

static void metrics_of(hpa *h, ttb_autoscaler_metric *ret, const setup *s) {
  static const uint32_t kinds[] = {[TARGET_UTILIZATION] = TTB_AUTOSCALER_UTILISATION,
                                   [TARGET_AVERAGE_VALUE] = TTB_AUTOSCALER_AVERAGE,
                                   [TARGET_VALUE] = TTB_AUTOSCALER_VALUE};
  for (int i = 0; i < s->hpa->metrics; i++) {
    const manifest_metric *m = &s->hpa->metric[i];
    if (s->factor[i] <= 0) continue;
    h->metric[h->metrics] = i;
    ttb_autoscaler_metric *to = &ret[h->metrics++];
    *to = TTB_CONFIG(ttb_autoscaler_metric);
    to->kind = kinds[m->target];
    /* An average over objects or from outside is of all replicas, ready or not. */
    if (m->target == TARGET_AVERAGE_VALUE && m->source >= SOURCE_OBJECT) to->kind = TTB_AUTOSCALER_TOTAL;
    to->target_milli = m->target_milli;
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
  return strcmp(r->select, "Min") == 0 ? TTB_AUTOSCALER_SELECT_MIN
         : strcmp(r->select, "Disabled") == 0 ? TTB_AUTOSCALER_SELECT_DISABLED
                                              : TTB_AUTOSCALER_SELECT_MAX;
}

static int32_t tolerance_of(const manifest_rules *r) {
  if (r->tolerance_milli == 0) return TTB_OFF;
  return r->tolerance_milli < 0 ? 0 : milli((double)r->tolerance_milli * 1000);
}

static int32_t make(void *state, const setup *s, const replay_model *model, int defaults,
                    FILE *complaints) {
  hpa *h = state;
  ttb_autoscaler_metric metrics[MANIFEST_METRICS];
  ttb_autoscaler_policy up[MANIFEST_POLICIES], down[MANIFEST_POLICIES];
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  h->s = s;
  h->capacity = model->capacity;
  metrics_of(h, metrics, s);
  c.min_replicas = s->hpa->min > 0 ? s->hpa->min : TTB_OFF;
  c.max_replicas = s->hpa->max;
  c.metrics = metrics;
  c.metrics_n = (uint32_t)h->metrics;
  if (!defaults) {
    const manifest_rules *u = &s->hpa->up, *d = &s->hpa->down;
    c.up_window_ms = u->window_s > 0 ? (uint32_t)u->window_s * 1000 : 0;
    c.down_window_ms = d->window_s < 0 ? 0 : d->window_s == 0 ? TTB_OFF : d->window_s * 1000;
    c.up_select = select_of(u);
    c.down_select = select_of(d);
    c.tolerance_up_ppm = tolerance_of(u);
    c.tolerance_down_ppm = tolerance_of(d);
    c.up_policies = up;
    c.up_policies_n = policies_of(u, up);
    c.down_policies = down;
    c.down_policies_n = policies_of(d, down);
  }
  int32_t code = ttb_autoscaler_new(&h->a, &c, NULL);
  if (code < 0) {
    ttb_detail detail = TTB_CONFIG(ttb_detail);
    char words[200];
    (void)ttb_autoscaler_check(&c, &detail);
    ttb_detail_format(&detail, words, sizeof words);
    fprintf(complaints, "the manifest makes no autoscaler: %s\n", words);
    return -1;
  }
  h->d = TTB_CONFIG(ttb_autoscaler_decision);
  for (int i = 0; i < MANIFEST_METRICS; i++)
    h->rows[i] = TTB_CONFIG(ttb_autoscaler_row);
  return 0;
}

static int32_t make_manifest(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  return make(state, s, m, 0, complaints);
}
static int32_t make_default(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  return make(state, s, m, 1, complaints);
}

/* What the metrics pipeline shows of one metric. */
static ttb_autoscaler_sample sample_of(const hpa *h, const replay_view *v, int metric) {
  const manifest_metric *m = &h->s->hpa->metric[metric];
  double factor = h->s->factor[metric];
  ttb_autoscaler_sample x = TTB_CONFIG(ttb_autoscaler_sample);
  x.replicas = v->serving > 0 ? v->serving : TTB_OFF;
  double value = v->load * factor;
  if (m->target == TARGET_UTILIZATION) {
    value = 100 * v->utilisation * h->capacity / factor;
  } else if (m->target == TARGET_AVERAGE_VALUE && m->source < SOURCE_OBJECT) {
    value = v->serving > 0 ? value / v->serving : 0;
  }
  x.missing = v->serving == 0 && m->source < SOURCE_OBJECT;
  x.value_milli = (int64_t)fmin(value * 1000, 9e18);
  return x;
}

static int32_t tick(void *state, const replay_view *v) {
  hpa *h = state;
  ttb_autoscaler_sample samples[MANIFEST_METRICS];
  for (int i = 0; i < h->metrics; i++) samples[i] = sample_of(h, v, h->metric[i]);
  h->d.rows = h->rows;
  h->d.rows_n = (uint32_t)h->metrics;
  int32_t code = ttb_autoscaler_evaluate(&h->a, 0, samples, (uint32_t)h->metrics, v->current,
                                         v->now_ns, &h->d);
  return code < 0 ? code : h->d.desired;
}

static const char *why(const void *state) {
  return ttb_autoscaler_reason(((const hpa *)state)->d.reason);
}

static void detail(const void *state, char *ret, size_t size) {
  const hpa *h = state;
  const ttb_autoscaler_decision *d = &h->d;
  int n = 0;
  if (d->metric >= 0 && d->metric < h->metrics) {
    const ttb_autoscaler_row *r = &h->rows[d->metric];
    const manifest_metric *m = &h->s->hpa->metric[h->metric[d->metric]];
    const char *unit = m->target == TARGET_UTILIZATION ? " %" : "";
    n = snprintf(ret, size, "%s %.4g%s against %.4g%s asks for %d", m->name, (double)r->value_milli / 1000,
                 unit, (double)r->target_milli / 1000, unit, r->proposal);
  }
  if (n >= 0 && (size_t)n < size && d->window)
    n += snprintf(ret + n, size - (size_t)n, "; %d was asked for %.0f s ago", d->window_value,
                  d->window_age_ms / 1000.0);
  if (n >= 0 && (size_t)n < size && d->policy >= 0 && d->limit)
    n += snprintf(ret + n, size - (size_t)n, "; the policy of %.0f s allows %d", d->policy_period_ms / 1000.0,
                  d->policy_limit);
  if (n == 0 && size > 0) *ret = 0;
}

static void end(void *state) { ttb_autoscaler_free(&((hpa *)state)->a); }

const policy_row policy_hpa = {
    .name = "hpa",
    .about = "the manifest as it is, by Kubernetes' rules",
    .bytes = sizeof(hpa),
    .make = make_manifest,
    .tick = tick,
    .why = why,
    .detail = detail,
    .end = end,
};

const policy_row policy_hpa_default = {
    .name = "hpa-default",
    .about = "the manifest's metrics and bounds, with Kubernetes' default behavior",
    .bytes = sizeof(hpa),
    .make = make_default,
    .tick = tick,
    .why = why,
    .detail = detail,
    .end = end,
};
