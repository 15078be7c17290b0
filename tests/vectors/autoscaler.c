/* SPDX-License-Identifier: MIT */
/* Runner for the autoscaler's vectors: autoscaler FILE...
 *
 * The set is told by the file's name:
 *   hpa_sequences   whole sequences: windows, policies and changes over time
 *   hpa_behavior    rate limits, limits of a direction, stabilisation, bookkeeping
 *   hpa_calc, hpa_calc_fuzz   the formulas of Object and External metrics
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

#include "../../lib/autoscaler/autoscaler.h"
#include "plan_cases.h"

#define MAX_RULES TTB_AUTOSCALER_MAX_POLICIES
#define NOW_S 1000000

static const ttb_autoscaler_metric COUNT = {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_TOTAL, 0,
                                            0, 1000};
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

static const char *behaviour_not_offered(const json_t *c) {
  const char *op = text(c, "op");
  if (!strcmp(op, "rate_limit_legacy") || !strcmp(op, "stabilize_legacy"))
    return "an HPA without behavior";
  if (!strcmp(op, "store_event") && json_is_null(json_object_get(c, "rules")))
    return "an HPA without behavior books nothing";
  return NULL;
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
  EXPECT("new", ttb_autoscaler_new(&a, &p.c, NULL), TTB_OK);
  bool ok = false;
  snprintf(fault, sizeof fault, "unknown op '%s'", op);
  if (limits) ok = rate_limit(&a, c);
  else if (!strcmp(op, "scale_up_limit")) ok = direction_limit(&a, c, true);
  else if (!strcmp(op, "scale_down_limit")) ok = direction_limit(&a, c, false);
  else if (windows) ok = stabilised(&a, c);
  else if (store) ok = bookkeeping(&a, c);
  ttb_autoscaler_free(&a);
  return ok;
}

static uint32_t kind_of(const json_t *c) {
  const char *kind = text(c, "kind");
  if (!strcmp(kind, "object_value") || !strcmp(kind, "external_value")) return TTB_AUTOSCALER_VALUE;
  if (!strcmp(kind, "object_average") || !strcmp(kind, "external_average"))
    return TTB_AUTOSCALER_TOTAL;
  return 0;
}

static const char *formula_not_offered(const json_t *c) {
  return kind_of(c) == 0 ? "per-pod metrics" : NULL;
}

/* The one value of a case: external ones are summed as the controller does. */
static int64_t total_of(const json_t *c, bool average) {
  const json_t *list = json_object_get(c, "samples");
  int64_t sum = 0;
  for (size_t i = 0; i < json_array_size(list); i++) {
    int64_t value = number(json_array_get(list, i), "value");
    if (value > 0 && sum > INT64_MAX - value) sum = INT64_MAX;
    else sum += value;
    if (average && sum < 0) return INT64_MAX;
  }
  return sum;
}

static int32_t ready_pods(const json_t *c) {
  const json_t *pods = json_object_get(c, "pods");
  int32_t n = 0;
  for (size_t i = 0; i < json_array_size(pods); i++) {
    const json_t *p = json_array_get(pods, i);
    n += !strcmp(text(p, "phase"), "Running") && json_is_true(json_object_get(p, "ready"));
  }
  return or_off(n);
}

static bool run_formula(const json_t *c) {
  const json_t *config = json_object_get(c, "config"), *want = json_object_get(c, "expect");
  bool external = !strncmp(text(c, "kind"), "external", 8);
  ttb_autoscaler_metric m = {.struct_size = sizeof m, .kind = kind_of(c),
                             .target_milli = number(c, "target")};
  ttb_autoscaler_config config_of = TTB_CONFIG(ttb_autoscaler_config);
  config_of.min_replicas = TTB_OFF;
  config_of.max_replicas = TTB_AUTOSCALER_MAX_REPLICAS;
  config_of.tolerance_up_ppm = ppm(json_number_value(json_object_get(config, "tolerance_up")));
  config_of.tolerance_down_ppm = ppm(json_number_value(json_object_get(config, "tolerance_down")));
  config_of.metrics = &m;
  config_of.metrics_n = 1;
  int32_t current = (int32_t)number(c, "current_replicas");
  bool total = m.kind == TTB_AUTOSCALER_TOTAL;
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  s.value_milli = total_of(c, external && total);
  if (!total) s.replicas = ready_pods(c);
  s.missing = json_array_size(json_object_get(c, "samples")) == 0 ||
              (!total && current != 0 && json_array_size(json_object_get(c, "pods")) == 0);
  ttb_autoscaler a;
  ttb_autoscaler_row row = TTB_CONFIG(ttb_autoscaler_row);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  d.rows = &row;
  d.rows_n = 1;
  EXPECT("new", ttb_autoscaler_new(&a, &config_of, NULL), TTB_OK);
  int32_t code = ttb_autoscaler_evaluate(&a, 0, &s, 1, current, seconds(NOW_S), &d);
  ttb_autoscaler_free(&a);
  EXPECT("code", code, TTB_OK);
  if (json_object_get(want, "error")) {
    /* Within the tolerance no pods are listed, so an empty list may go unnoticed. */
    EXPECT("missing", row.reason, TTB_AUTOSCALER_MISSING);
    return true;
  }
  EXPECT("replicas", row.proposal, number(want, "replicas"));
  EXPECT("usage", row.value_milli, number(want, "usage"));
  return true;
}

/* Queueing arithmetic lies with the autoscaler's sets; plan answers it. */
static bool run_erlang(const json_t *c) { return plan_case("erlang", c, fault, sizeof fault); }

/* ---- files ---- */

static const struct {
  const char *set;
  bool (*run)(const json_t *c);
  const char *(*not_offered)(const json_t *c);
} sets[] = {
    {"hpa_sequences", run_sequence, NULL},
    {"hpa_behavior", run_behaviour, behaviour_not_offered},
    {"hpa_calc", run_formula, formula_not_offered},
    {"hpa_calc_fuzz", run_formula, formula_not_offered},
    {"erlang", run_erlang, NULL},
};

static bool is_set(const char *path, const char *set) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  size_t n = strlen(set);
  return !strncmp(name, set, n) && !strcmp(name + n, ".json");
}

int main(int argc, char **argv) {
  unsigned passed = 0, failed = 0, skipped = 0;
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
        const char *why = sets[k].not_offered ? sets[k].not_offered(c) : NULL;
        fault[0] = 0;
        if (why) {
          skipped++;
        } else if (sets[k].run(c)) {
          passed++;
        } else {
          printf("FAILED %s: %s\n", text(c, "id"), fault);
          failed++;
        }
      }
    }
    json_decref(root);
  }
  if (skipped) printf("%u not offered (an HPA without behavior; per-pod metrics)\n", skipped);
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
