/* SPDX-License-Identifier: MIT */
/* Runner for the autoscaler's vectors: autoscaler FILE...
 *
 * The set is told by the file's name:
 *   hpa_sequences   whole sequences: windows, policies and changes over time
 *   hpa_behavior    rate limits, limits of a direction, stabilisation, bookkeeping
 *   hpa_group_pods  which pods count
 *   hpa_calc, hpa_calc_fuzz   one metric: pods, Object, External
 *   hpa_reconcile   a whole reconciliation with its conditions
 *   knative_kpa, knative_windows   panic and stable, maxima and averages of windows
 *   keda            activation, fallback, jobs
 *
 * Expected values come from Kubernetes' own tests and from a build of its logic
 * (see the files' "source"). All but store_event goes through the public API. A
 * recommendation history is compared by what follows from it; the slots it lies
 * in are the controller's own business. A proposal of p replicas is told as a
 * total of p thousand milli with a target of 1000 and no tolerance. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/hpa.h>
#include <trimtab/keda.h>

#include "../../lib/autoscaler/autoscaler.h"
#include "../../lib/autoscaler/knative.h"
#include "plan_cases.h"

#define MAX_RULES TTB_AUTOSCALER_MAX_POLICIES
#define NOW_S 1000000

static const ttb_autoscaler_metric COUNT = {.struct_size = sizeof(ttb_autoscaler_metric),
                                            .kind = TTB_AUTOSCALER_TOTAL,
                                            .target_milli = 1000};
static char fault[256];

static const char *text(const json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "";
}
static int64_t number(const json_t *o, const char *key) {
  return json_integer_value(json_object_get(o, key));
}
static uint64_t seconds(int64_t s) { return (uint64_t)s * UINT64_C(1000000000); }
static int32_t or_off(int64_t n) { return n == 0 ? TTB_OFF : (int32_t)n; }
static int32_t ppm(double ratio) { return or_off(lround(ratio * 1e6)); }

#define EXPECT(what, got, want)                                                      \
  do {                                                                               \
    long long g = (long long)(got), w = (long long)(want);                           \
    if (g != w) {                                                                    \
      snprintf(fault, sizeof fault, "%s: got %lld, expected %lld", what, g, w);      \
      return false;                                                                  \
    }                                                                                \
  } while (0)

static bool same_number(const char *what, int64_t got, int64_t want) {
  EXPECT(what, got, want);
  return true;
}

/* ---- configuration ---- */

static uint32_t read_rules(const json_t *rules, ttb_autoscaler_policy *ret, uint32_t *select) {
  const char *s = text(rules, "select");
  *select = !strcmp(s, "Min")        ? TTB_AUTOSCALER_SELECT_MIN
            : !strcmp(s, "Disabled") ? TTB_AUTOSCALER_SELECT_DISABLED
                                     : TTB_AUTOSCALER_SELECT_MAX;
  const json_t *list = json_object_get(rules, "policies");
  uint32_t n = (uint32_t)json_array_size(list);
  for (uint32_t i = 0; i < n && i < MAX_RULES; i++) {
    const json_t *p = json_array_get(list, i);
    ret[i] = (ttb_autoscaler_policy){
        .struct_size = sizeof *ret,
        .type = !strcmp(text(p, "type"), "Percent") ? TTB_AUTOSCALER_PERCENT
                                                    : TTB_AUTOSCALER_REPLICAS,
        .value = (uint32_t)number(p, "value"),
        .period_ms = (uint32_t)number(p, "period_s") * 1000};
  }
  return n;
}

typedef struct plan {
  ttb_autoscaler_config c;
  ttb_autoscaler_policy up[MAX_RULES], down[MAX_RULES];
} plan;

/* Behaviour rules, bounds; one metric that proposes what it is told. */
static void plan_behaviour(plan *p, const json_t *up, const json_t *down, int64_t min,
                           int64_t max) {
  memset(p, 0, sizeof *p);
  p->c.struct_size = sizeof p->c;
  p->c.min_replicas = or_off(min);
  p->c.max_replicas = (int32_t)max;
  p->c.tolerance_up_ppm = p->c.tolerance_down_ppm = TTB_OFF;
  p->c.tick_ms = 1000;
  p->c.flags = TTB_AUTOSCALER_GRADUAL; /* the sets start from counts outside the bounds */
  p->c.metrics = &COUNT;
  p->c.metrics_n = 1;
  p->c.up_policies = p->up;
  p->c.down_policies = p->down;
  if (json_is_object(up)) {
    p->c.up_policies_n = read_rules(up, p->up, &p->c.up_select);
    p->c.up_window_ms = (uint32_t)number(up, "stabilization_s") * 1000;
  }
  if (json_is_object(down)) {
    p->c.down_policies_n = read_rules(down, p->down, &p->c.down_select);
    p->c.down_window_ms = or_off(number(down, "stabilization_s") * 1000);
  }
}

static bool propose(ttb_autoscaler *a, int64_t current, int64_t proposal, uint64_t now,
                    ttb_autoscaler_decision *ret) {
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  s.value_milli = proposal * 1000;
  *ret = TTB_CONFIG(ttb_autoscaler_decision);
  EXPECT("code", ttb_autoscaler_evaluate(a, 0, &s, 1, (int32_t)current, now, ret), TTB_OK);
  return true;
}

static const char *limit_name(int32_t limit) {
  switch (limit) {
  case TTB_AUTOSCALER_UP_POLICY: return "ScaleUpLimit";
  case TTB_AUTOSCALER_DOWN_POLICY: return "ScaleDownLimit";
  case TTB_AUTOSCALER_AT_MAX: return "TooManyReplicas";
  case TTB_AUTOSCALER_AT_MIN: return "TooFewReplicas";
  default: return "DesiredWithinRange";
  }
}
static const char *window_name(int32_t window) {
  return window == TTB_AUTOSCALER_UP_WINDOW     ? "ScaleUpStabilized"
         : window == TTB_AUTOSCALER_DOWN_WINDOW ? "ScaleDownStabilized"
                                                : "";
}

static bool same_name(const char *what, const char *got, const char *want) {
  if (!strcmp(got, want)) return true;
  snprintf(fault, sizeof fault, "%s: got '%s', expected '%s'", what, got, want);
  return false;
}

/* Puts [value, age] pairs into the state, oldest first. */
static bool remember(ttb_autoscaler *a, int32_t what, const json_t *up, const json_t *down) {
  const json_t *lists[2] = {up, down};
  for (int64_t age = 20000; age >= 0; age--)
    for (int way = 0; way < 2; way++)
      for (size_t i = 0; i < json_array_size(lists[way]); i++) {
        const json_t *pair = json_array_get(lists[way], i);
        if (json_integer_value(json_array_get(pair, 1)) != age) continue;
        int32_t value = (int32_t)json_integer_value(json_array_get(pair, 0));
        EXPECT("record", ttb_autoscaler_record(a, 0, what, way ? -value : value,
                                               seconds(NOW_S - age)), TTB_OK);
      }
  return true;
}

/* ---- the sets ---- */

static bool sequence(ttb_autoscaler *a, const json_t *c) {
  const json_t *steps = json_object_get(c, "steps"), *expect = json_object_get(c, "expect");
  int64_t current = number(c, "start");
  for (size_t i = 0; i < json_array_size(steps); i++) {
    const json_t *step = json_array_get(steps, i), *want = json_array_get(expect, i);
    ttb_autoscaler_decision d;
    if (!propose(a, current, json_integer_value(json_array_get(step, 1)),
                 seconds(json_integer_value(json_array_get(step, 0))), &d))
      return false;
    current = json_integer_value(json_array_get(want, 0));
    char what[32];
    snprintf(what, sizeof what, "step %zu", i);
    EXPECT(what, d.desired, current);
    if (!same_name(what, window_name(d.window), json_string_value(json_array_get(want, 1))) ||
        !same_name(what, limit_name(d.limit), json_string_value(json_array_get(want, 2))))
      return false;
  }
  ttb_autoscaler_stats stats = TTB_CONFIG(ttb_autoscaler_stats);
  EXPECT("statistics", ttb_autoscaler_statistics(a, &stats), TTB_OK);
  EXPECT("merged", stats.merged, 0);
  return json_array_size(steps) > 0;
}

static bool run_sequence(const json_t *c) {
  plan p;
  ttb_autoscaler a;
  plan_behaviour(&p, json_object_get(c, "scale_up"), json_object_get(c, "scale_down"),
                 number(c, "min"), number(c, "max"));
  EXPECT("new", ttb_autoscaler_new(&a, &p.c, NULL), TTB_OK);
  bool ok = sequence(&a, c);
  ttb_autoscaler_free(&a);
  return ok;
}

static bool rate_limit(ttb_autoscaler *a, const json_t *c) {
  const json_t *want = json_object_get(c, "expect");
  ttb_autoscaler_decision d;
  return remember(a, TTB_AUTOSCALER_CHANGE, json_object_get(c, "up_events"),
                  json_object_get(c, "down_events")) &&
         propose(a, number(c, "current"), number(c, "desired"), seconds(NOW_S), &d) &&
         same_number("replicas", d.desired, number(want, "replicas")) &&
         same_name("reason", limit_name(d.limit), text(want, "reason"));
}

static bool direction_limit(ttb_autoscaler *a, const json_t *c, bool up) {
  ttb_autoscaler_decision d;
  if (!remember(a, TTB_AUTOSCALER_CHANGE, json_object_get(c, "up_events"),
                json_object_get(c, "down_events")) ||
      !propose(a, number(c, "current"), up ? 100000 : 0, seconds(NOW_S), &d))
    return false;
  EXPECT("policy_limit", d.policy_limit, number(json_object_get(c, "expect"), "replicas"));
  EXPECT("desired", d.desired, d.policy_limit);
  return true;
}

static bool stabilised(ttb_autoscaler *a, const json_t *c) {
  ttb_autoscaler_decision d;
  if (!remember(a, TTB_AUTOSCALER_PROPOSAL, json_object_get(c, "history"), NULL) ||
      !propose(a, number(c, "current"), number(c, "desired"), seconds(NOW_S), &d))
    return false;
  EXPECT("stabilised", d.stabilised, number(json_object_get(c, "expect"), "replicas"));
  return true;
}

/* The bookkeeping itself: internals, since the list is nobody's result. */
static bool bookkeeping(ttb_autoscaler *h, const json_t *c) {
  bool down = !strcmp(text(c, "direction"), "down");
  uint32_t way = down ? TTB__DOWN : TTB__UP;
  const json_t *events = json_object_get(c, "events"), *want = json_object_get(c, "expect");
  if (!remember(h, TTB_AUTOSCALER_CHANGE, down ? NULL : events, down ? events : NULL)) return false;
  const ttb__autoscaler *a = ttb__autoscaler_of(h);
  ttb__autoscaler_slot *s = ttb__autoscaler_slot_at(a, 0);
  uint64_t now = ttb__clock_now(&a->region->clock, seconds(NOW_S));
  uint32_t period = (uint32_t)number(c, "sum_period_s") * 1000;
  EXPECT("sum", ttb__policies_sum(a, s, way, period, now), number(want, "sum_before"));
  ttb__policies_book(a, s, way, (int32_t)number(c, "change"), now);
  const json_t *list = json_object_get(want, "events");
  const ttb__direction *d = &a->way[way];
  uint32_t n = ttb__policies_count(d, s, way);
  EXPECT("events", n, json_array_size(list));
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *pair = json_array_get(list, i);
    uint32_t found = 0;
    for (uint32_t k = 0; k < n; k++) {
      uint64_t w = ttb__load_rlx(&s->entry[d->changes_at + k]);
      found += ttb__entry_value(w) == json_integer_value(json_array_get(pair, 0)) &&
               (ttb__entry_age(w, now) > d->longest_ms) == json_is_true(json_array_get(pair, 1));
    }
    EXPECT("event", found, 1);
  }
  return true;
}

/* Without behavior: the factor is a percentage policy, the least a count to go up to. */
static void plan_legacy(plan *p, int64_t factor, int64_t least) {
  p->c.flags |= TTB_AUTOSCALER_LEGACY;
  p->up[0] = (ttb_autoscaler_policy){sizeof *p->up, TTB_AUTOSCALER_PERCENT,
                                     (uint32_t)(factor - 1) * 100, 15000};
  p->up[1] = (ttb_autoscaler_policy){sizeof *p->up, TTB_AUTOSCALER_UP_TO, (uint32_t)least, 15000};
  p->c.up_policies_n = 2;
  p->c.down_policies_n = 0;
}

/* What the present count is does not matter to the sets without behavior. */
static bool legacy(ttb_autoscaler *a, const json_t *c) {
  const json_t *want = json_object_get(c, "expect"), *current = json_object_get(c, "current");
  ttb_autoscaler_decision d;
  bool limits = json_is_integer(current);
  EXPECT("record", ttb_autoscaler_record(a, 0, TTB_AUTOSCALER_PROPOSAL, 0, seconds(1)), TTB_OK);
  return remember(a, TTB_AUTOSCALER_PROPOSAL, json_object_get(c, "history"), NULL) &&
         propose(a, limits ? number(c, "current") : number(c, "desired"), number(c, "desired"),
                 seconds(NOW_S), &d) &&
         same_number("replicas", limits ? d.desired : d.stabilised, number(want, "replicas")) &&
         (!limits || same_name("reason", limit_name(d.limit), text(want, "reason")));
}

static bool run_behaviour(const json_t *c) {
  const char *op = text(c, "op");
  const json_t *rules = json_object_get(c, "rules");
  const json_t *up = json_object_get(c, "scale_up"), *down = json_object_get(c, "scale_down");
  bool store = !strcmp(op, "store_event"), windows = !strcmp(op, "stabilize_behavior");
  if (!strcmp(op, "scale_up_limit") || (store && !strcmp(text(c, "direction"), "up"))) up = rules;
  if (!strcmp(op, "scale_down_limit") || (store && !strcmp(text(c, "direction"), "down")))
    down = rules;
  bool limits = !strcmp(op, "rate_limit_behavior");
  plan p;
  ttb_autoscaler a;
  plan_behaviour(&p, up, down, limits ? number(c, "min") : 0, limits ? number(c, "max") : 1000000);
  p.c.up_window_ms = windows ? (uint32_t)number(c, "up_window_s") * 1000 : 0;
  p.c.down_window_ms = windows ? or_off(number(c, "down_window_s") * 1000) : TTB_OFF;
  if (!strcmp(op, "rate_limit_legacy")) {
    plan_legacy(&p, number(c, "legacy_up_factor"), number(c, "legacy_up_min"));
    p.c.min_replicas = or_off(number(c, "min"));
    p.c.max_replicas = (int32_t)number(c, "max");
  } else if (!strcmp(op, "stabilize_legacy") || (store && json_is_null(rules))) {
    plan_legacy(&p, 2, 4);
    p.c.down_window_ms = or_off(number(c, "window_s") * 1000);
  }
  EXPECT("new", ttb_autoscaler_new(&a, &p.c, NULL), TTB_OK);
  bool ok = false;
  snprintf(fault, sizeof fault, "unknown op '%s'", op);
  if (limits) ok = rate_limit(&a, c);
  else if (!strcmp(op, "scale_up_limit")) ok = direction_limit(&a, c, true);
  else if (!strcmp(op, "scale_down_limit")) ok = direction_limit(&a, c, false);
  else if (p.c.flags & TTB_AUTOSCALER_LEGACY && !store) ok = legacy(&a, c);
  else if (windows) ok = stabilised(&a, c);
  else if (store) ok = bookkeeping(&a, c);
  ttb_autoscaler_free(&a);
  return ok;
}

/* ---- pods ---- */

#define MAX_PODS 64
#define MAX_CONTAINERS 8

static bool is(const json_t *o, const char *key, const char *value) {
  return !strcmp(text(o, key), value);
}

/* The sample of a pod, or NULL. */
static const json_t *sample_of(const json_t *samples, const char *pod) {
  for (size_t i = 0; i < json_array_size(samples); i++)
    if (is(json_array_get(samples, i), "pod", pod)) return json_array_get(samples, i);
  return NULL;
}

static ttb_pod read_sample(const json_t *s) {
  ttb_pod p = TTB_CONFIG(ttb_pod);
  if (!s) return p;
  p.flags = TTB_POD_SAMPLED;
  p.value_milli = number(s, "value");
  p.sample_ms = number(s, "timestamp") * 1000;
  p.window_ms = (uint32_t)number(s, "window") * 1000;
  return p;
}

/* Use and requests of the containers, if the case has any. */
static void fold(ttb_pod *p, const json_t *sample, const json_t *requests, int32_t which) {
  const json_t *values = json_object_get(sample, "containers");
  ttb_container list[MAX_CONTAINERS];
  size_t n = json_array_size(requests) > json_array_size(values) ? json_array_size(requests)
                                                                 : json_array_size(values);
  bool sampled = p->flags & TTB_POD_SAMPLED;
  if (n == 0 || n > MAX_CONTAINERS) return;
  for (size_t i = 0; i < n; i++) {
    const json_t *value = json_array_get(values, i), *request = json_array_get(requests, i);
    list[i] = (ttb_container){.struct_size = sizeof *list,
                              .flags = (json_is_integer(value) ? TTB_POD_SAMPLED : 0) |
                                       (json_is_integer(request) ? TTB_POD_REQUESTED : 0),
                              .value_milli = json_integer_value(value),
                              .request_milli = json_integer_value(request)};
  }
  int64_t value = p->value_milli;
  if (values && json_array_size(values) < n && which < 0) n = json_array_size(values);
  (void)ttb_pod_fold(p, list, (uint32_t)n, which);
  if (!values) { /* a plain sample: only the requests are by container */
    p->value_milli = value;
    p->flags = (p->flags & ~TTB_POD_SAMPLED) | (sampled ? TTB_POD_SAMPLED : 0);
  }
}

static ttb_pod read_pod(const json_t *pod, const json_t *samples, int32_t container) {
  const json_t *sample = sample_of(samples, text(pod, "name"));
  const json_t *ready = json_object_get(pod, "ready");
  ttb_pod p = read_sample(sample);
  if (is(pod, "phase", "Pending")) p.flags |= TTB_POD_PENDING;
  if (is(pod, "phase", "Failed") || is(pod, "phase", "Succeeded")) p.flags |= TTB_POD_ENDED;
  if (json_is_true(json_object_get(pod, "deleted"))) p.flags |= TTB_POD_DELETED;
  if (json_is_true(ready)) p.flags |= TTB_POD_READY;
  if (json_is_false(ready)) p.flags |= TTB_POD_NOT_READY;
  if (json_is_integer(json_object_get(pod, "start"))) p.flags |= TTB_POD_STARTED;
  p.start_ms = number(pod, "start") * 1000;
  p.ready_changed_ms = number(pod, "ready_transition") * 1000;
  fold(&p, sample, json_object_get(pod, "requests"), container);
  return p;
}

static bool start_pods(ttb_pods *ret, const json_t *config, uint32_t kind, int64_t target,
                       bool cpu) {
  ttb_pods_config c = TTB_CONFIG(ttb_pods_config);
  c.kind = kind;
  c.target_milli = target;
  c.flags = cpu ? TTB_PODS_CPU : 0;
  c.cpu_init_ms = or_off(number(config, "cpu_init_s") * 1000);
  c.readiness_delay_ms = or_off(number(config, "initial_readiness_delay_s") * 1000);
  EXPECT("pods", ttb_pods_start(ret, &c, (int64_t)NOW_S * 1000), TTB_OK);
  return true;
}

/* All pods of a case in one call, then the samples nobody owns. */
static bool count_pods(ttb_pods *to, const json_t *pods, const json_t *samples, int32_t container) {
  ttb_pod list[MAX_PODS];
  uint32_t n = 0;
  EXPECT("room", json_array_size(pods) + json_array_size(samples) <= MAX_PODS, true);
  for (size_t i = 0; i < json_array_size(pods); i++)
    list[n++] = read_pod(json_array_get(pods, i), samples, container);
  for (size_t i = 0; i < json_array_size(samples); i++) {
    const json_t *s = json_array_get(samples, i);
    bool owned = false;
    for (size_t k = 0; k < json_array_size(pods); k++)
      owned |= is(json_array_get(pods, k), "name", text(s, "pod"));
    if (owned) continue;
    list[n] = read_sample(s);
    fold(&list[n], s, NULL, container);
    list[n++].flags |= TTB_POD_UNLISTED;
  }
  EXPECT("add", ttb_pods_add(to, list, n), TTB_OK);
  return true;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool same_group(const char *name, uint32_t group, const ttb_pods *rules, const json_t *pods,
                       const json_t *samples, const json_t *want) {
  const char *names[MAX_PODS];
  size_t n = 0;
  for (size_t i = 0; i < json_array_size(pods) && i < MAX_PODS; i++) {
    ttb_pod p = read_pod(json_array_get(pods, i), samples, TTB_POD_ALL_CONTAINERS);
    if (ttb_pods_group(rules, &p) == (int32_t)group) names[n++] = text(json_array_get(pods, i), "name");
  }
  qsort(names, n, sizeof *names, compare_names);
  EXPECT(name, n, json_array_size(want));
  for (size_t i = 0; i < n; i++)
    if (!same_name(name, names[i], json_string_value(json_array_get(want, i)))) return false;
  return true;
}

static bool run_groups(const json_t *c) {
  const json_t *pods = json_object_get(c, "pods"), *samples = json_object_get(c, "samples");
  const json_t *want = json_object_get(c, "expect");
  ttb_pods rules;
  ttb_pods_info info = TTB_CONFIG(ttb_pods_info);
  if (!start_pods(&rules, json_object_get(c, "config"), TTB_PODS_AVERAGE, 1000,
                  is(c, "resource", "cpu")) ||
      !count_pods(&rules, pods, samples, TTB_POD_ALL_CONTAINERS))
    return false;
  EXPECT("count", ttb_pods_count(&rules, &info), TTB_OK);
  EXPECT("ready_count", info.ready, number(want, "ready_count"));
  EXPECT("unready", info.unready, json_array_size(json_object_get(want, "unready")));
  EXPECT("missing", info.missing, json_array_size(json_object_get(want, "missing")));
  EXPECT("ignored", info.ignored, json_array_size(json_object_get(want, "ignored")));
  return same_group("unready", TTB_PODS_UNREADY, &rules, pods, samples,
                    json_object_get(want, "unready")) &&
         same_group("missing", TTB_PODS_MISSING, &rules, pods, samples,
                    json_object_get(want, "missing")) &&
         same_group("ignored", TTB_PODS_IGNORED, &rules, pods, samples,
                    json_object_get(want, "ignored"));
}

/* ---- one metric ---- */

static uint32_t kind_of(const json_t *c) {
  static const struct {
    const char *name;
    uint32_t kind;
  } kinds[] = {{"object_value", TTB_AUTOSCALER_VALUE},
               {"external_value", TTB_AUTOSCALER_VALUE},
               {"object_average", TTB_AUTOSCALER_TOTAL},
               {"external_average", TTB_AUTOSCALER_TOTAL},
               {"resource_utilization", TTB_AUTOSCALER_UTILISATION},
               {"resource_value", TTB_AUTOSCALER_AVERAGE},
               {"pods", TTB_AUTOSCALER_AVERAGE}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (is(c, "kind", kinds[i].name)) return kinds[i].kind;
  return 0;
}

/* The one value of a case: external ones are summed as the controller does. */
static int64_t total_of(const json_t *list, bool average) {
  int64_t sum = 0;
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i);
    int64_t value = json_is_integer(item) ? json_integer_value(item) : number(item, "value");
    if (value > 0 && sum > INT64_MAX - value) sum = INT64_MAX;
    else sum += value;
    if (average && sum < 0) return INT64_MAX;
  }
  return sum;
}

static int32_t ready_pods(const json_t *pods) {
  int32_t n = 0;
  for (size_t i = 0; i < json_array_size(pods); i++) {
    const json_t *p = json_array_get(pods, i);
    n += !strcmp(text(p, "phase"), "Running") && json_is_true(json_object_get(p, "ready"));
  }
  return or_off(n);
}

static bool run_formula(const json_t *c) {
  const json_t *config = json_object_get(c, "config"), *want = json_object_get(c, "expect");
  const json_t *pods = json_object_get(c, "pods"), *samples = json_object_get(c, "samples");
  uint32_t kind = kind_of(c);
  bool external = !strncmp(text(c, "kind"), "external", 8);
  bool total = kind == TTB_AUTOSCALER_TOTAL, utilisation = kind == TTB_AUTOSCALER_UTILISATION;
  ttb_autoscaler_metric m = {.struct_size = sizeof m,
                             .kind = kind,
                             .target_milli = number(c, "target") * (utilisation ? 1000 : 1)};
  ttb_autoscaler_config config_of = TTB_CONFIG(ttb_autoscaler_config);
  config_of.max_replicas = TTB_AUTOSCALER_MAX_REPLICAS;
  config_of.tolerance_up_ppm = ppm(json_number_value(json_object_get(config, "tolerance_up")));
  config_of.tolerance_down_ppm = ppm(json_number_value(json_object_get(config, "tolerance_down")));
  config_of.metrics = &m;
  config_of.metrics_n = 1;
  int32_t current = (int32_t)number(c, "current_replicas");
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  ttb_pods counted;
  if (utilisation || kind == TTB_AUTOSCALER_AVERAGE) {
    const json_t *container = json_object_get(c, "container");
    bool cpu = strcmp(text(c, "kind"), "pods") &&
               (!json_object_get(c, "resource") || is(c, "resource", "cpu"));
    if (!start_pods(&counted, config, utilisation ? TTB_PODS_UTILISATION : TTB_PODS_AVERAGE,
                    m.target_milli, cpu) ||
        !count_pods(&counted, pods, samples,
                    json_is_integer(container) ? (int32_t)json_integer_value(container)
                                               : TTB_POD_ALL_CONTAINERS))
      return false;
    s.pods = &counted;
  } else {
    s.value_milli = total_of(samples, external && total);
    if (!total) s.replicas = ready_pods(pods);
    s.missing = json_array_size(samples) == 0 ||
                (!total && current != 0 && json_array_size(pods) == 0);
  }
  /* From 0 the controller asks the pods' metrics too, if it stopped them itself. */
  config_of.min_replicas = current == 0 && s.pods ? 1 : TTB_OFF;
  config_of.from_zero = TTB_AUTOSCALER_FROM_ZERO_OWN;
  ttb_autoscaler a;
  ttb_autoscaler_row row = TTB_CONFIG(ttb_autoscaler_row);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  d.rows = &row;
  d.rows_n = 1;
  EXPECT("new", ttb_autoscaler_new(&a, &config_of, NULL), TTB_OK);
  EXPECT("record", ttb_autoscaler_record(&a, 0, TTB_AUTOSCALER_STOPPED, 1, 0), TTB_OK);
  int32_t code = ttb_autoscaler_evaluate(&a, 0, &s, 1, current, seconds(NOW_S), &d);
  ttb_autoscaler_free(&a);
  EXPECT("code", code, TTB_OK);
  if (json_object_get(want, "error")) {
    /* Within the tolerance no pods are listed, so an empty list may go unnoticed. */
    EXPECT("missing", row.reason, TTB_AUTOSCALER_MISSING);
    return true;
  }
  EXPECT("replicas", row.proposal, number(want, "replicas"));
  if (json_object_get(want, "utilization")) {
    EXPECT("utilization", row.value_milli, number(want, "utilization") * 1000);
    EXPECT("raw_average", row.raw_milli, number(want, "raw_average"));
  } else {
    EXPECT("usage", row.value_milli, number(want, "usage"));
  }
  return true;
}

/* ---- a whole reconciliation ---- */

#define MAX_METRICS 4

typedef struct reconcile {
  plan plan;
  ttb_autoscaler_metric metric[MAX_METRICS];
  ttb_autoscaler_sample sample[MAX_METRICS];
  ttb_pods pods[MAX_METRICS];
  uint32_t n;
} reconcile;

static uint32_t source_of(const json_t *m) {
  static const char *const names[] = {"", "Resource", "ContainerResource", "Pods", "Object",
                                      "External"};
  for (uint32_t i = 1; i < sizeof names / sizeof *names; i++)
    if (is(m, "type", names[i])) return i;
  return 0;
}

/* Levels are one number a pod (Resource: shared evenly by its containers; Pods), or
 * the list of values (Object, External). */
static bool count_levels(const json_t *c, ttb_pods *to, uint32_t source, int32_t container) {
  const json_t *levels = json_object_get(c, "levels"), *pods = json_object_get(c, "pods");
  json_t *samples = json_array();
  for (size_t i = 0; i < json_array_size(levels); i++) {
    const json_t *pod = json_array_get(pods, i);
    int64_t level = json_integer_value(json_array_get(levels, i));
    char name[24];
    snprintf(name, sizeof name, "p%zu", i);
    json_t *s = json_pack("{s:s,s:i,s:i}", "pod", pod ? text(pod, "name") : name, "timestamp",
                          NOW_S, "window", 60);
    if (source == TTB_AUTOSCALER_PODS) json_object_set_new(s, "value", json_integer(level));
    else json_object_set_new(s, "containers", json_pack("[I,I]", (json_int_t)(level / 2),
                                                        (json_int_t)(level / 2)));
    json_array_append_new(samples, s);
  }
  bool ok = count_pods(to, pods, samples, container);
  json_decref(samples);
  return ok;
}

static bool read_metric(const json_t *c, const json_t *m, reconcile *r) {
  uint32_t i = r->n++, source = source_of(m);
  ttb_autoscaler_metric *spec = &r->metric[i];
  ttb_autoscaler_sample *s = &r->sample[i];
  const json_t *fails = json_object_get(m, "fails"), *container = json_object_get(m, "container");
  bool per_pod = source >= TTB_AUTOSCALER_RESOURCE && source <= TTB_AUTOSCALER_PODS;
  bool average = json_is_integer(json_object_get(m, "average"));
  bool utilisation = json_is_integer(json_object_get(m, "utilization"));
  *spec = TTB_CONFIG(ttb_autoscaler_metric);
  *s = TTB_CONFIG(ttb_autoscaler_sample);
  spec->source = source;
  spec->kind = utilisation               ? TTB_AUTOSCALER_UTILISATION
               : per_pod                 ? TTB_AUTOSCALER_AVERAGE
               : average                 ? TTB_AUTOSCALER_TOTAL
                                         : TTB_AUTOSCALER_VALUE;
  spec->target_milli = utilisation ? number(m, "utilization") * 1000
                       : average   ? number(m, "average")
                                   : number(m, "value");
  if (spec->target_milli == 0) spec->target_milli = 1000; /* an invalid metric has none */
  if (fails || source == 0) {
    s->missing = source == 0 || !strcmp(json_string_value(fails), "InvalidMetricSourceType")
                     ? TTB_AUTOSCALER_INVALID_SOURCE
                     : TTB_AUTOSCALER_NO_VALUE;
  } else if (per_pod) {
    s->pods = &r->pods[i];
    return start_pods(&r->pods[i], json_object_get(c, "config"),
                      utilisation ? TTB_PODS_UTILISATION : TTB_PODS_AVERAGE, spec->target_milli,
                      source != TTB_AUTOSCALER_PODS) &&
           count_levels(c, &r->pods[i], source,
                        json_is_integer(container) ? (int32_t)json_integer_value(container)
                                                   : TTB_POD_ALL_CONTAINERS);
  } else {
    const json_t *levels = json_object_get(c, "levels");
    s->value_milli = total_of(levels, average && source == TTB_AUTOSCALER_EXTERNAL);
    s->replicas = average ? or_off(number(c, "status_replicas"))
                          : ready_pods(json_object_get(c, "pods"));
    s->missing = json_array_size(levels) == 0;
    if (average) spec->flags = TTB_AUTOSCALER_STATUS;
  }
  return true;
}

static void read_tolerance(const json_t *c, const char *way, const char *base, int32_t *ret) {
  const json_t *config = json_object_get(c, "config");
  const json_t *own = json_object_get(json_object_get(c, way), "tolerance");
  bool may = json_is_true(json_object_get(config, "configurable_tolerance"));
  *ret = ppm(json_number_value(may && own ? own : json_object_get(config, base)));
}

static bool same_conditions(const ttb_autoscaler_decision *d, const json_t *want, bool to_zero) {
  ttb_hpa_condition list[TTB_HPA_CONDITIONS];
  for (int i = 0; i < TTB_HPA_CONDITIONS; i++) list[i] = TTB_CONFIG(ttb_hpa_condition);
  EXPECT("conditions", ttb_hpa_conditions(d, to_zero ? TTB_HPA_SCALE_TO_ZERO : 0, list,
                                          TTB_HPA_CONDITIONS), TTB_OK);
  for (int i = 0; i < TTB_HPA_CONDITIONS; i++) {
    const char *type = ttb_hpa_type(list[i].type);
    const json_t *one = json_object_get(want, type);
    if (!one) continue;
    EXPECT(type, list[i].status,
           json_is_true(json_array_get(one, 0)) ? TTB_HPA_TRUE : TTB_HPA_FALSE);
    if (!same_name(type, ttb_hpa_reason(list[i].reason),
                   json_string_value(json_array_get(one, 1))))
      return false;
  }
  return true;
}

static bool reconciled(ttb_autoscaler *a, const reconcile *r, const json_t *c) {
  const json_t *want = json_object_get(c, "expect"), *history = json_object_get(c, "history");
  bool to_zero = json_is_true(json_object_get(json_object_get(c, "config"), "scale_to_zero"));
  int32_t spec = (int32_t)number(c, "spec_replicas");
  ttb_autoscaler_row rows[MAX_METRICS];
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  for (uint32_t i = 0; i < r->n; i++) rows[i] = TTB_CONFIG(ttb_autoscaler_row);
  d.rows = rows;
  d.rows_n = r->n;
  if (json_is_true(json_object_get(c, "scaled_to_zero")))
    EXPECT("record", ttb_autoscaler_record(a, 0, TTB_AUTOSCALER_STOPPED, 1, 0), TTB_OK);
  if (json_is_array(history)) {
    /* Known, so that its count is not remembered: a proposal nobody sees any more. */
    EXPECT("record", ttb_autoscaler_record(a, 0, TTB_AUTOSCALER_PROPOSAL, 0, seconds(1)), TTB_OK);
    if (!remember(a, TTB_AUTOSCALER_PROPOSAL, history, NULL)) return false;
  }
  EXPECT("code", ttb_autoscaler_evaluate(a, 0, r->sample, r->n, spec, seconds(NOW_S), &d), TTB_OK);
  EXPECT("desired", d.desired, number(want, "desired"));
  EXPECT("rescaled", d.desired != spec, json_is_true(json_object_get(want, "rescaled")));
  EXPECT("error", ttb_hpa_failed(&d), json_is_true(json_object_get(want, "error")));
  if (json_object_get(want, "utilization"))
    EXPECT("utilization", rows[0].value_milli, number(want, "utilization") * 1000);
  return same_conditions(&d, json_object_get(want, "conditions"), to_zero);
}

static bool run_reconcile(const json_t *c) {
  static reconcile r;
  const json_t *config = json_object_get(c, "config"), *metrics = json_object_get(c, "metrics");
  const json_t *up = json_object_get(c, "scale_up"), *down = json_object_get(c, "scale_down");
  memset(&r, 0, sizeof r);
  plan_behaviour(&r.plan, up, down, number(c, "min"), number(c, "max"));
  ttb_autoscaler_config *p = &r.plan.c;
  p->flags = 0;
  if (!json_object_get(down, "stabilization_s"))
    p->down_window_ms = or_off(number(config, "downscale_window_s") * 1000);
  if (json_is_null(up) && json_is_null(down))
    plan_legacy(&r.plan, number(config, "legacy_up_factor"), number(config, "legacy_up_min"));
  read_tolerance(c, "scale_up", "tolerance_up", &p->tolerance_up_ppm);
  read_tolerance(c, "scale_down", "tolerance_down", &p->tolerance_down_ppm);
  p->from_zero = json_is_true(json_object_get(config, "scale_to_zero"))
                     ? TTB_AUTOSCALER_FROM_ZERO_OWN
                     : TTB_AUTOSCALER_FROM_ZERO_NEVER;
  EXPECT("metrics", json_array_size(metrics) <= MAX_METRICS, true);
  for (size_t i = 0; i < json_array_size(metrics); i++)
    if (!read_metric(c, json_array_get(metrics, i), &r)) return false;
  p->metrics = r.metric;
  p->metrics_n = r.n;
  ttb_autoscaler a;
  EXPECT("new", ttb_autoscaler_new(&a, p, NULL), TTB_OK);
  bool ok = reconciled(&a, &r, c);
  ttb_autoscaler_free(&a);
  return ok;
}

/* ---- Knative ---- */

static double real(const json_t *o, const char *key) {
  return json_number_value(json_object_get(o, key));
}
static int64_t thousand(double x) { return llround(x * 1000); }
static uint64_t instant(double s) { return (uint64_t)llround(s * 1e9); }
static int64_t or_off64(int64_t n) { return n == 0 ? TTB_OFF : n; }

static ttb_knative_config knative_of(const json_t *spec) {
  ttb_knative_config c = TTB_CONFIG(ttb_knative_config);
  double burst = real(spec, "target_burst_capacity");
  c.target_milli = thousand(real(spec, "target"));
  c.total_milli = thousand(real(spec, "total"));
  c.burst_milli = burst < 0 ? TTB_OFF : thousand(burst);
  c.panic_milli = thousand(real(spec, "panic_threshold"));
  c.up_rate_milli = thousand(real(spec, "max_scale_up_rate"));
  c.down_rate_milli = thousand(real(spec, "max_scale_down_rate"));
  c.stable_ms = (int32_t)or_off64(number(spec, "stable_window_s") * 1000);
  c.delay_ms = (uint32_t)number(spec, "scale_down_delay_s") * 1000;
  c.unreachable = !json_is_true(json_object_get(spec, "reachable"));
  c.activation = (uint32_t)number(spec, "activation_scale");
  return c;
}

static bool knative_step(ttb_knative *k, ttb_knative_config *c, const json_t *step, uint64_t base) {
  const json_t *want = json_object_get(step, "expect"), *set = json_object_get(step, "set");
  const json_t *since = json_object_get(want, "panic_since");
  ttb_knative_input in = TTB_CONFIG(ttb_knative_input);
  ttb_knative_decision d = TTB_CONFIG(ttb_knative_decision);
  if (json_object_get(set, "reachable"))
    c->unreachable = !json_is_true(json_object_get(set, "reachable"));
  in.ready = json_is_integer(json_object_get(step, "ready")) ? (int32_t)number(step, "ready")
                                                             : TTB_OFF;
  in.missing = !json_is_number(json_object_get(step, "stable"));
  in.stable_milli = thousand(real(step, "stable"));
  in.panic_milli = thousand(real(step, "panic"));
  EXPECT("decide", ttb_knative_decide(k, c, &in, base + instant(real(step, "t")), &d), TTB_OK);
  EXPECT("valid", d.valid, json_is_true(json_object_get(want, "valid")));
  if (!d.valid) return true;
  EXPECT("desired", d.desired, number(want, "desired"));
  int64_t ebc = (int64_t)floor((double)d.excess_burst_milli / 1000);
  EXPECT("excess burst", llabs(ebc - number(want, "ebc")) <= 1, true);
  if (json_is_null(since)) EXPECT("panic", d.panicking, 0);
  if (json_is_number(since))
    EXPECT("panic age", d.panic_age_ms,
           llround((real(step, "t") - json_number_value(since)) * 1000));
  return true;
}

static bool run_knative(const json_t *c) {
  static ttb_knative k;
  const json_t *steps = json_object_get(c, "steps"), *want = json_object_get(c, "expect_initial");
  const json_t *ready = json_object_get(c, "initial_ready"), *panic = json_object_get(c, "panic_since");
  const uint64_t base = seconds(NOW_S);
  ttb_knative_config config = knative_of(json_object_get(c, "spec"));
  EXPECT("start", ttb_knative_start(&k, &config, json_is_integer(ready)
                                                     ? (int32_t)json_integer_value(ready)
                                                     : TTB_OFF, base), TTB_OK);
  ttb__knative *inside = (ttb__knative *)(void *)&k;
  if (json_is_number(panic)) {
    /* The set begins in the middle of a panic. */
    inside->panicking = 1;
    inside->panic_since = base + instant(json_number_value(panic));
    inside->panic_maximum = (int32_t)number(c, "max_panic_pods");
  }
  if (want) {
    EXPECT("panic", inside->panicking != 0, json_is_true(json_object_get(want, "panic")));
    EXPECT("maximum", inside->panic_maximum, number(want, "max_panic_pods"));
  }
  for (size_t i = 0; i < json_array_size(steps); i++)
    if (!knative_step(&k, &config, json_array_get(steps, i), base)) return false;
  return true;
}

static bool sliding(const json_t *c) {
  static ttb__sliding_max m;
  const json_t *index = json_object_get(c, "index"), *values = json_object_get(c, "values");
  memset(&m, 0, sizeof m);
  for (size_t i = 0; i < json_array_size(index); i++) {
    ttb__sliding_max_record(&m, (uint32_t)number(c, "size"),
                            (uint32_t)json_integer_value(json_array_get(index, i)),
                            (int32_t)json_integer_value(json_array_get(values, i)));
    EXPECT("maximum", ttb__sliding_max_current(&m),
           json_integer_value(json_array_get(json_object_get(c, "expect"), i)));
  }
  return true;
}

static bool time_max(const json_t *c) {
  static ttb__sliding_max m;
  const json_t *events = json_object_get(c, "events");
  int64_t step = number(c, "granularity_s"), window = number(c, "window_s");
  memset(&m, 0, sizeof m);
  for (size_t i = 0; i < json_array_size(events); i++) {
    const json_t *e = json_array_get(events, i);
    ttb__sliding_max_record(&m, (uint32_t)((window + step - 1) / step),
                            (uint32_t)(json_integer_value(json_array_get(e, 0)) / step),
                            (int32_t)json_integer_value(json_array_get(e, 1)));
  }
  EXPECT("maximum", ttb__sliding_max_current(&m), number(c, "expect"));
  return true;
}

/* The library's averages are of thousandths. */
static bool averages(const json_t *c, bool weighted) {
  static ttb_knative_window window;
  const json_t *steps = json_object_get(c, "steps");
  EXPECT("start", ttb_knative_window_start(&window, (uint32_t)(real(c, "window_s") * 1000),
                                           (uint32_t)(real(c, "granularity_s") * 1000)), TTB_OK);
  for (size_t i = 0; i < json_array_size(steps); i++) {
    const json_t *s = json_array_get(steps, i);
    uint64_t at = instant(json_number_value(json_array_get(s, 1)));
    int64_t value = thousand(json_number_value(json_array_get(s, 2))), got;
    if (!strcmp(json_string_value(json_array_get(s, 0)), "rec")) {
      EXPECT("record", ttb_knative_window_record(&window, at, value), TTB_OK);
    } else {
      EXPECT("average", ttb_knative_window_average(&window, at, weighted, &got), TTB_OK);
      char what[32];
      snprintf(what, sizeof what, "average %zu", i);
      EXPECT(what, got, value);
    }
  }
  return json_array_size(steps) > 0;
}

static bool run_windows(const json_t *c) {
  if (is(c, "op", "sliding_max")) return sliding(c);
  if (is(c, "op", "time_max")) return time_max(c);
  if (is(c, "op", "window_average")) return averages(c, false);
  if (is(c, "op", "window_weighted_average")) return averages(c, true);
  return same_name("op", text(c, "op"), "one that is known");
}

/* ---- KEDA ---- */

static uint32_t behaviour_of(const json_t *c) {
  return is(c, "behavior", "currentReplicas")           ? TTB_KEDA_CURRENT
         : is(c, "behavior", "currentReplicasIfHigher") ? TTB_KEDA_CURRENT_IF_HIGHER
         : is(c, "behavior", "currentReplicasIfLower")  ? TTB_KEDA_CURRENT_IF_LOWER
                                                        : TTB_KEDA_STATIC;
}

static bool keda_activate(const json_t *c) {
  const json_t *want = json_object_get(c, "expect"), *idle = json_object_get(c, "idle_replicas");
  const json_t *age = json_object_get(c, "last_active_age_s"), *made = json_object_get(c, "created_age_s");
  const json_t *active = json_object_get(want, "active_condition");
  ttb_keda_config k = TTB_CONFIG(ttb_keda_config);
  ttb_keda_input in = TTB_CONFIG(ttb_keda_input);
  ttb_keda_decision d = TTB_CONFIG(ttb_keda_decision);
  k.min_replicas = (int32_t)number(c, "min_replicas");
  k.idle_replicas = json_is_integer(idle) ? or_off(json_integer_value(idle)) : 0;
  k.cooldown_ms = or_off(number(c, "cooldown_s") * 1000);
  k.initial_cooldown_ms = (uint32_t)number(c, "initial_cooldown_s") * 1000;
  k.fallback_replicas = (int32_t)number(c, "fallback_replicas");
  k.fallback_behavior = behaviour_of(c);
  in.current = (int32_t)number(c, "current");
  in.active = json_is_true(json_object_get(c, "active"));
  in.failing = json_is_true(json_object_get(c, "error"));
  in.force = json_is_true(json_object_get(c, "force"));
  in.pause_in = json_is_true(json_object_get(c, "pause_in"));
  in.pause_out = json_is_true(json_object_get(c, "pause_out"));
  in.active_age_ms = json_is_number(age) ? thousand(json_number_value(age)) : -1;
  /* Without an age the object is old: longer than any cooldown. */
  in.created_age_ms = json_is_number(made) ? thousand(json_number_value(made)) : INT64_MAX;
  EXPECT("activate", ttb_keda_activate(&k, &in, &d), TTB_OK);
  EXPECT("replicas", d.replicas, number(want, "replicas"));
  if (json_is_boolean(active)) EXPECT("active", d.active, json_is_true(active));
  return true;
}

static bool keda_fallback(const json_t *c) {
  const json_t *want = json_object_get(c, "expect"), *metric = json_object_get(c, "metric");
  const json_t *status = json_object_get(want, "status"), *failed = json_object_get(want, "failures");
  ttb_keda_config k = TTB_CONFIG(ttb_keda_config);
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  uint32_t failures = (uint32_t)number(c, "failures");
  k.fallback_replicas = json_is_true(json_object_get(c, "enabled")) ? (int32_t)number(c, "replicas") : 0;
  k.fallback_failures = (uint32_t)number(c, "threshold");
  k.fallback_behavior = behaviour_of(c);
  s.missing = !json_is_number(metric);
  s.value_milli = thousand(json_number_value(metric));
  /* A refused rule (counts below 0) is one that is not there. */
  int32_t code = ttb_keda_fallback(&k, number(c, "target") * 1000, (int32_t)number(c, "current"),
                                   &failures, &s);
  EXPECT("code", code >= 0 || code == TTB_ERR_RANGE, true);
  EXPECT("error", s.missing != 0, json_is_true(json_object_get(want, "error")));
  if (!s.missing) EXPECT("value", s.value_milli, number(want, "value") * 1000);
  if (json_is_integer(failed)) EXPECT("failures", failures, json_integer_value(failed));
  return !status || same_name("status", failures ? "Failing" : "Happy", json_string_value(status));
}

static bool keda_jobs(const json_t *c) {
  const json_t *want = json_object_get(c, "expect"), *part = json_object_get(c, "running_pct");
  ttb_keda_jobs_config k = TTB_CONFIG(ttb_keda_jobs_config);
  ttb_keda_jobs_input in = TTB_CONFIG(ttb_keda_jobs_input);
  ttb_keda_jobs_decision d = TTB_CONFIG(ttb_keda_jobs_decision);
  k.strategy = is(c, "strategy", "custom") && json_is_number(part) ? TTB_KEDA_JOBS_CUSTOM
               : is(c, "strategy", "accurate")                     ? TTB_KEDA_JOBS_ACCURATE
               : is(c, "strategy", "eager")                        ? TTB_KEDA_JOBS_EAGER
                                                                   : TTB_KEDA_JOBS_DEFAULT;
  k.min_replicas = (int32_t)number(c, "min_replicas");
  k.max_replicas = (int32_t)number(c, "max_replicas");
  k.deduction = (int32_t)number(c, "deduction");
  k.running_ppm = (int32_t)llround(json_number_value(part) * 1e6);
  in.active = 1;
  in.wanted = number(c, "max_scale");
  in.queue = number(c, "scale_to");
  in.running = number(c, "running");
  in.pending = number(c, "pending");
  EXPECT("jobs", ttb_keda_jobs(&k, &in, &d), TTB_OK);
  EXPECT("max_scale", d.effective, number(want, "max_scale"));
  if (json_object_get(want, "scale_to")) EXPECT("scale_to", d.scale_to, number(want, "scale_to"));
  return true;
}

static bool keda_triggers(const json_t *c) {
  const json_t *want = json_object_get(c, "expect"), *list = json_object_get(c, "scalers");
  ttb_keda_trigger t[16];
  ttb_keda_jobs_config k = TTB_CONFIG(ttb_keda_jobs_config);
  ttb_keda_jobs_input in = TTB_CONFIG(ttb_keda_jobs_input);
  uint32_t n = (uint32_t)json_array_size(list);
  EXPECT("room", n <= 16, true);
  for (uint32_t i = 0; i < n; i++) {
    const json_t *s = json_array_get(list, i);
    t[i] = (ttb_keda_trigger){sizeof *t, json_is_true(json_object_get(s, "active")),
                              thousand(real(s, "queue")), thousand(real(s, "target"))};
  }
  k.min_replicas = (int32_t)number(c, "min_replicas");
  k.max_replicas = (int32_t)number(c, "max_replicas");
  uint32_t how = is(c, "calculation", "min")   ? TTB_KEDA_MIN
                 : is(c, "calculation", "avg") ? TTB_KEDA_AVG
                 : is(c, "calculation", "sum") ? TTB_KEDA_SUM
                                               : TTB_KEDA_MAX;
  EXPECT("triggers", ttb_keda_triggers(&k, t, n, how, &in), TTB_OK);
  EXPECT("active", in.active, json_is_true(json_object_get(want, "active")));
  EXPECT("queue", in.queue, number(want, "queue"));
  EXPECT("max_value", in.wanted, number(want, "max_value"));
  return true;
}

static bool run_keda(const json_t *c) {
  if (is(c, "op", "activate")) return keda_activate(c);
  if (is(c, "op", "fallback")) return keda_fallback(c);
  if (is(c, "op", "job_max_scale") || is(c, "op", "job_decision")) return keda_jobs(c);
  if (is(c, "op", "multi_scaler")) return keda_triggers(c);
  return same_name("op", text(c, "op"), "one that is known");
}

/* Queueing arithmetic lies with the autoscaler's sets; plan answers it. */
static bool run_erlang(const json_t *c) { return plan_case("erlang", c, fault, sizeof fault); }

/* ---- files ---- */

static const struct {
  const char *set;
  bool (*run)(const json_t *c);
} sets[] = {
    {"hpa_sequences", run_sequence}, {"hpa_behavior", run_behaviour},
    {"hpa_group_pods", run_groups},  {"hpa_calc", run_formula},
    {"hpa_calc_fuzz", run_formula},  {"hpa_reconcile", run_reconcile},
    {"knative_kpa", run_knative},    {"knative_windows", run_windows},
    {"keda", run_keda},              {"erlang", run_erlang},
};

static bool is_set(const char *path, const char *set) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  size_t n = strlen(set);
  return !strncmp(name, set, n) && !strcmp(name + n, ".json");
}

int main(int argc, char **argv) {
  unsigned passed = 0, failed = 0;
  for (int f = 1; f < argc; f++) {
    size_t k = 0;
    while (k < sizeof sets / sizeof *sets && !is_set(argv[f], sets[k].set)) k++;
    json_error_t error;
    json_t *root = json_load_file(argv[f], 0, &error);
    const json_t *cases = json_object_get(root, "cases");
    if (k == sizeof sets / sizeof *sets || json_array_size(cases) == 0) {
      printf("FAILED %s: %s\n", argv[f], root ? "unknown set or no cases" : error.text);
      failed++;
    } else {
      for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        fault[0] = 0;
        if (sets[k].run(c)) {
          passed++;
        } else {
          printf("FAILED %s: %s\n", text(c, "id"), fault);
          failed++;
        }
      }
    }
    json_decref(root);
  }
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
