/* SPDX-License-Identifier: MIT */
/* Knative's autoscaler: a minute's mean decides, the newest value when it panics. It aims at
 * the manifest's utilisation, or at 70 %. */
#include "policies.h"

#include <math.h>
#include <trimtab/knative.h>

typedef struct knative {
  ttb_knative k;
  ttb_knative_window window;
  ttb_knative_config c;
  ttb_knative_decision d;
  double capacity;
  int32_t before;
} knative;

/* Loads in thousandths of a replica at 100 %, whatever the trace's unit. */
#define REPLICA 1e6

static int32_t make(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  knative *k = state;
  double target = 0.7;
  for (int i = s->hpa->metrics - 1; i >= 0; i--)
    if (s->factor[i] > 0 && s->hpa->metric[i].target == TARGET_UTILIZATION)
      target = (double)s->hpa->metric[i].target_milli / 1e5 * s->factor[i] / m->capacity;
  k->c = TTB_CONFIG(ttb_knative_config);
  k->c.target_milli = (int64_t)fmax(1, REPLICA * target);
  k->c.min_replicas = (uint32_t)m->min;
  k->c.max_replicas = (uint32_t)m->max;
  k->d = TTB_CONFIG(ttb_knative_decision);
  k->capacity = m->capacity;
  uint32_t tick_ms = (uint32_t)(m->tick_s * 1000);
  if (ttb_knative_start(&k->k, &k->c, 1, 0) == TTB_OK &&
      ttb_knative_window_start(&k->window, 4 * tick_ms, tick_ms) == TTB_OK)
    return 0;
  fprintf(complaints, "the manifest's targets do not make a Knative autoscaler\n");
  return -1;
}

static int32_t tick(void *state, const replay_view *v) {
  knative *k = state;
  ttb_knative_input in = TTB_CONFIG(ttb_knative_input);
  in.ready = v->serving > 0 ? v->serving : 1;
  in.panic_milli = (int64_t)fmin(v->newest / k->capacity * REPLICA, 1e15);
  int32_t code = ttb_knative_window_record(&k->window, v->now_ns, in.panic_milli);
  if (code == TTB_OK) code = ttb_knative_window_average(&k->window, v->now_ns, 0, &in.stable_milli);
  if (code == TTB_OK) code = ttb_knative_decide(&k->k, &k->c, &in, v->now_ns, &k->d);
  k->before = v->current;
  return code < 0 ? code : k->d.desired;
}

static const char *why(const void *state) {
  const knative *k = state;
  if (k->d.panicking) return "panic: the newest value asks for twice what serves, or did within a minute";
  return k->d.desired >= k->before ? "the minute's mean asks for more" : "the minute's mean asks for fewer";
}

static void detail(const void *state, char *ret, size_t size) {
  const knative *k = state;
  snprintf(ret, size, "the minute asks for %d, the newest value for %d", k->d.stable, k->d.panic);
}

const policy_row policy_knative = {
    .name = "knative",
    .about = "Knative's stable and panic windows, at the manifest's utilisation",
    .bytes = sizeof(knative),
    .make = make,
    .tick = tick,
    .why = why,
    .detail = detail,
};
