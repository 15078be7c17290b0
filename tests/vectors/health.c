/* SPDX-License-Identifier: MIT */
/* What other systems' suites expect of health: build/tests/vectors/health FILE...
 * The set is told by the file's name; a line a failing case. */
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/health.h>

#include "breaker_sets.h"
#include "plan_cases.h"

static unsigned passed, failed;
static const char *set;
static size_t number;

static uint64_t now_ns = UINT64_C(3600000000000);
static uint64_t later(void) { return now_ns += 1000000; }

static const struct {
  const char *what, *why;
} not_offered[] = {
    {"aggregation spring", "orders of a caller's own status names; OUT_OF_SERVICE beside DOWN"},
    {"aggregation spring_http", "codes a status name; 1xx for a pass"},
    {"k8s_thresholds liveness", "on hold until a new container: the caller's restart"},
    {"phi_akka_pekko, phi_cassandra", "accrual detectors are not in this release"},
    {"nagios_flap", "flap detection is not in this release"},
    {"lifeguard_memberlist", "suspicion by peers is not in this release"},
};

static bool wrong(const char *format, ...) {
  va_list list;
  printf("FAILED %s case %zu: ", set, number);
  va_start(list, format);
  vprintf(format, list);
  va_end(list);
  printf("\n");
  return false;
}

static void count(bool ok) {
  if (ok) passed++;
  else failed++;
  number++;
}

/* ---- small readers ---- */

static const char *text(const json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "";
}
static uint32_t integer(const json_t *o, const char *key) {
  return (uint32_t)json_integer_value(json_object_get(o, key));
}
static const char *item(const json_t *array, size_t i) {
  const char *s = json_string_value(json_array_get(array, i));
  return s ? s : "";
}

static bool make(ttb_health *h, const ttb_health_config *c) {
  int32_t code = ttb_health_new(h, c, NULL);
  return code < 0 ? wrong("config: %s", ttb_strerror(code)) : true;
}

static ttb_health_info explain(const ttb_health *h) {
  ttb_health_info i = TTB_CONFIG(ttb_health_info);
  ttb_health_explain(h, 0, now_ns, &i);
  return i;
}

/* ---- thresholds ---- */

static int32_t start_of(const char *name) {
  return !strcmp(name, "up")           ? TTB_HEALTH_START_UP
         : !strcmp(name, "down")       ? TTB_HEALTH_START_DOWN
         : !strcmp(name, "fully-up")   ? TTB_HEALTH_START_FULLY_UP
         : !strcmp(name, "fully-down") ? TTB_HEALTH_START_FULLY_DOWN
                                       : -2;
}

static const char *pace_name(int32_t pace) {
  return pace == TTB_HEALTH_STEADY ? "inter" : pace == TTB_HEALTH_DOWN ? "downinter" : "fastinter";
}

static bool haproxy(const json_t *c) {
  const char *seq = text(c, "seq");
  const json_t *expect = json_object_get(c, "expect");
  ttb_health_config config = TTB_CONFIG(ttb_health_config);
  config.rise = integer(c, "rise");
  config.fall = integer(c, "fall");
  config.start = start_of(text(c, "init"));
  config.passive_errors = 1;
  config.passive_action = strchr(seq, 'S') ? TTB_HEALTH_SUDDEN_DEATH : TTB_HEALTH_MARK_DOWN;
  ttb_health h;
  if (!make(&h, &config)) return false;
  bool ok = *seq && strlen(seq) == json_array_size(expect);
  for (size_t i = 0; ok && seq[i]; i++) {
    if (seq[i] == 'P' || seq[i] == 'F')
      ttb_health_report(&h, 0, seq[i] == 'P' ? TTB_SUCCESS : TTB_FAILURE, 1000, later());
    else
      ttb_health_observe(&h, 0, TTB_FAILURE, later());
    const json_t *e = json_array_get(expect, i);
    ttb_health_info x = explain(&h);
    const char *state = x.status == TTB_STATUS_HEALTHY ? "UP" : "DOWN";
    if (x.counter != json_integer_value(json_array_get(e, 0)) || strcmp(state, item(e, 1)) ||
        strcmp(pace_name(x.pace), item(e, 2)))
      ok = wrong("step %zu of %s: [%u %s %s]", i, seq, x.counter, state, pace_name(x.pace));
  }
  ttb_health_free(&h);
  return ok;
}

/* N counts to the threshold; A and I are "unhealthy at once": told by hand. */
static bool envoy(const json_t *c) {
  const char *seq = text(c, "seq");
  const json_t *expect = json_object_get(c, "expect");
  ttb_health_config config = TTB_CONFIG(ttb_health_config);
  config.rise = integer(c, "healthy_threshold");
  config.fall = integer(c, "unhealthy_threshold");
  config.start = TTB_HEALTH_START_DOWN;
  ttb_health h;
  if (!make(&h, &config)) return false;
  bool ok = *seq && strlen(seq) == json_array_size(expect);
  for (size_t i = 0; ok && seq[i]; i++) {
    int32_t code = seq[i] == 'A' || seq[i] == 'I'
                       ? ttb_health_set(&h, 0, TTB_STATUS_UNHEALTHY, later())
                       : ttb_health_report(&h, 0, seq[i] == 'P' ? TTB_SUCCESS : TTB_FAILURE, 1000,
                                           later());
    ttb_health_info x = explain(&h);
    bool up = x.status == TTB_STATUS_HEALTHY;
    const char *change = code > 0                           ? "changed"
                         : x.pace == TTB_HEALTH_CHANGING ? "pending"
                                                            : "unchanged";
    const char *pace = x.pace == TTB_HEALTH_STEADY ? "interval"
                       : x.pace == TTB_HEALTH_DOWN ? "unhealthy"
                       : up                        ? "unhealthy_edge"
                                                   : "healthy_edge";
    const json_t *e = json_array_get(expect, i);
    if (strcmp(up ? "healthy" : "unhealthy", item(e, 0)) || strcmp(change, item(e, 1)) ||
        strcmp(pace, item(e, 2)))
      ok = wrong("step %zu of %s: [%d %s %s]", i, seq, x.status, change, pace);
  }
  ttb_health_free(&h);
  return ok;
}

static bool kubernetes(const json_t *c) {
  const char *seq = text(c, "seq"), *expect = text(c, "expect");
  ttb_health_config config = TTB_CONFIG(ttb_health_config);
  config.rise = integer(c, "success");
  config.fall = integer(c, "failure");
  config.start = start_of(text(c, "init")[0] == 'F' ? "fully-down" : "fully-up");
  ttb_health h;
  if (!make(&h, &config)) return false;
  bool ok = *seq && strlen(seq) == strlen(expect) && !strcmp(text(c, "kind"), "readiness");
  for (size_t i = 0; ok && seq[i]; i++) {
    ttb_health_report(&h, 0, seq[i] == 'P' ? TTB_SUCCESS : TTB_FAILURE, 1000, later());
    bool up = ttb_health_status(&h, 0, now_ns) == TTB_STATUS_HEALTHY;
    if (up != (expect[i] == 'P')) ok = wrong("step %zu of %s: %s", i, seq, up ? "up" : "down");
  }
  ttb_health_free(&h);
  return ok;
}

static bool consul(const json_t *c) {
  static const char *const names[] = {"?", "passing", "warning", "critical", "?"};
  const char *seq = text(c, "seq");
  const json_t *expect = json_object_get(c, "expect");
  ttb_health_config config = TTB_CONFIG(ttb_health_config);
  config.rise = integer(c, "sp");
  config.fall = integer(c, "fc");
  config.degrade_after = (int32_t)integer(c, "fw");
  config.start = TTB_HEALTH_START_DOWN;
  ttb_health h;
  if (!make(&h, &config)) return false;
  bool ok = *seq && strlen(seq) == json_array_size(expect);
  for (size_t i = 0; ok && seq[i]; i++) {
    int32_t outcome = seq[i] == 'P' ? TTB_SUCCESS : seq[i] == 'W' ? TTB_SLOW : TTB_FAILURE;
    ttb_health_report(&h, 0, outcome, 1000, later());
    int32_t status = ttb_health_status(&h, 0, now_ns);
    if (strcmp(names[status], item(expect, i)))
      ok = wrong("step %zu of %s: %s", i, seq, names[status]);
  }
  ttb_health_free(&h);
  return ok;
}

/* ---- aggregation ---- */

#define MOST 16

/* Brings a slot into the status a name stands for. */
static bool put(ttb_health *h, uint32_t slot, const char *name) {
  int32_t outcome = !strcmp(name, "Healthy") || !strcmp(name, "UP")     ? TTB_SUCCESS
                    : !strcmp(name, "Degraded")                         ? TTB_SLOW
                    : !strcmp(name, "Unhealthy") || !strcmp(name, "DOWN") ? TTB_FAILURE
                    : !strcmp(name, "UNKNOWN")                          ? -1
                                                                        : -2;
  if (outcome == -2) return wrong("no such status: %s", name);
  if (outcome >= 0) ttb_health_report(h, slot, outcome, 1000, later());
  return true;
}

/* What n statuses come to; names of the answer by status. */
static bool aggregate(const json_t *statuses, uint32_t n, uint32_t healthy, int32_t at_least,
                      int32_t unknown_as, const char *const names[4], const char *expected,
                      int32_t expected_http) {
  ttb_health_member members[MOST];
  ttb_health_view view = TTB_CONFIG(ttb_health_view);
  ttb_health_summary sum = TTB_CONFIG(ttb_health_summary);
  ttb_health_config config = TTB_CONFIG(ttb_health_config);
  ttb_health h;
  config.capacity = MOST;
  if (n > MOST) return wrong("%u members", n);
  if (!make(&h, &config)) return false;
  bool ok = true;
  for (uint32_t i = 0; ok && i < n; i++) {
    members[i] = TTB_CONFIG(ttb_health_member);
    members[i].slot = i;
    members[i].name = "member";
    ok = put(&h, i, statuses ? item(statuses, i) : i < healthy ? "UP" : "DOWN");
  }
  view.members = members;
  view.count = n;
  view.at_least = at_least;
  view.unknown_as = unknown_as;
  int32_t status = ttb_health_overall(&h, &view, later(), &sum);
  if (ok && (status < 0 || status > 3 || strcmp(names[status], expected)))
    ok = wrong("%d, not %s", status, expected);
  if (ok && sum.status != status) ok = wrong("summary %d, status %d", sum.status, status);
  if (ok && expected_http && sum.http_code != expected_http) ok = wrong("HTTP %d", sum.http_code);
  ttb_health_free(&h);
  return ok;
}

static const char *const aspnet_names[4] = {"", "Healthy", "Degraded", "Unhealthy"};
static const char *const up_names[4] = {"", "UP", "?", "DOWN"};
static const char *const route_names[4] = {"", "healthy", "?", "unhealthy"};

static bool by_list(const json_t *list, const char *expected, int32_t http) {
  bool aspnet = strchr(expected, 'e') != NULL; /* not all capitals */
  return aggregate(list, (uint32_t)json_array_size(list), 0, 0, TTB_STATUS_HEALTHY,
                   aspnet ? aspnet_names : up_names, expected, http);
}

static bool route53(const json_t *c) {
  int32_t k = (int32_t)integer(c, "threshold");
  return aggregate(NULL, integer(c, "children"), integer(c, "healthy"), k ? k : TTB_OFF,
                   TTB_STATUS_HEALTHY, route_names, text(c, "out"), 0);
}

static void aggregation(const json_t *root) {
  static const char *const lists[] = {"spring", "aspnet", "microprofile"};
  const json_t *c, *http = json_object_get(root, "aspnet_http");
  size_t i;
  for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
    json_array_foreach(json_object_get(root, lists[l]), i, c)
      count(by_list(json_object_get(c, "statuses"), text(c, "expected"),
                    (int32_t)integer(http, text(c, "expected"))));
  json_array_foreach(json_object_get(root, "route53"), i, c) count(route53(c));
  json_array_foreach(json_object_get(root, "cases"), i, c)
    count(json_object_get(c, "children") ? route53(c)
                                         : by_list(json_object_get(c, "in_"), text(c, "out"), 0));
}

/* ---- files ---- */

static const struct {
  const char *name;
  bool (*run)(const json_t *one);
} sets[] = {
    {"haproxy_rise_fall", haproxy},
    {"envoy_thresholds", envoy},
    {"k8s_thresholds", kubernetes},
    {"consul_status_handler", consul},
};

/* Availability arithmetic lies with health's sets; plan answers it. */
static bool of_plan(const json_t *c) {
  char why[200];
  return plan_case(set, c, why, sizeof why) || wrong("%s", why);
}

static void run_file(const char *path) {
  json_error_t error;
  json_t *root = json_load_file(path, 0, &error), *c;
  unsigned before = passed + failed;
  const char *base = strrchr(path, '/');
  char name[64];
  size_t i;
  snprintf(name, sizeof name, "%s", base ? base + 1 : path);
  if (strchr(name, '.')) *strchr(name, '.') = 0;
  set = name;
  number = 0;
  if (!root) {
    count(wrong("%s", error.text));
    return;
  }
  if (!strcmp(name, "aggregation")) aggregation(root);
  for (size_t s = 0; s < sizeof sets / sizeof *sets; s++)
    if (!strcmp(name, sets[s].name))
      json_array_foreach(json_object_get(root, "cases"), i, c) count(sets[s].run(c));
  if (!strcmp(name, "outlier"))
    json_array_foreach(json_object_get(root, "scenarios"), i, c) count(outlier_scenario(c));
  if (plan_has_set(name))
    json_array_foreach(json_object_get(root, "cases"), i, c) count(of_plan(c));
  if (passed + failed == before) count(wrong("no case of this file can be run"));
  json_decref(root);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) run_file(argv[i]);
  printf("not offered:\n");
  for (size_t i = 0; i < sizeof not_offered / sizeof *not_offered; i++)
    printf("  %s: %s\n", not_offered[i].what, not_offered[i].why);
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
