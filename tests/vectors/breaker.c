/* SPDX-License-Identifier: MIT */
/* What peers' own suites expect of a breaker: build/tests/vectors/breaker FILE...
 *
 * A scenario is a config and steps; the set is told by the file's name. A line a
 * failing case; a case this cannot run counts as failed. Scenarios whose note
 * says PEER DEFECT tell what the peer does wrong: they pass if ours differs in
 * exactly the steps named here. */
#define _GNU_SOURCE
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <trimtab/breaker.h>

#include "singlestep.h"

static const struct {
  const char *set, *why;
} not_offered[] = {
    {"brpc", "weighs failures by their latency: a fast-failing backend stays in"},
};

/* Sets that other modules answer, in files of their own. */
bool limits_scenario(const json_t *scenario) __attribute__((weak));
bool outlier_scenario(const json_t *scenario) __attribute__((weak));
static bool (*other_of(const char *set))(const json_t *) {
  if (strcmp(set, "outlier") == 0) return outlier_scenario;
  bool limits = strcmp(set, "limits") == 0 || strcmp(set, "retry-budget") == 0;
  return limits || strcmp(set, "throttle") == 0 ? limits_scenario : NULL;
}

/* The steps (from 0) in which ours must differ from the peer. */
static const struct {
  const char *id;
  int steps[2]; /* -1: none */
} defects[] = {
    {"r4-21-stale-counted", {15, -1}},
    {"r4-22-release-inflates-permits", {12, 14}},
    {"gb-06-lost-probe-wedges", {7, -1}},
};

#define MAX_IDS 64
#define MAX_PROCESSES 4
#define SIZE 262144u

typedef struct run {
  ttb_breaker b;
  ttb_breaker_config c;
  void *mem;
  const char *set, *project;
  int64_t at_ms, shift_ms; /* the scenario's time, and what skipping added */
  double slow_ms;
  bool plain_window; /* the set tests a window, not a breaker */
  bool begins;       /* reset at time 0 */
  struct {
    char id[40];
    int64_t ticket;
    uint32_t gen;
    bool out; /* not reported yet */
  } ids[MAX_IDS];
  int n_ids;
  pid_t process[MAX_PROCESSES];
  /* refused in this state: the count when the generation changed */
  uint32_t gen;
  uint64_t refused_before;
  char why[200]; /* what a step did not like */
} run;

static bool no(run *r, const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(r->why, sizeof r->why, format, list);
  va_end(list);
  return false;
}

/* ---- readers ---- */

static const char *text(const json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "";
}
static double number(const json_t *o, const char *key) {
  return json_number_value(json_object_get(o, key));
}
static bool has(const json_t *o, const char *key) { return json_object_get(o, key) != NULL; }

/* Whether all keys of an object are among these: what is not understood must
 * not pass unseen. */
static bool only(run *r, const json_t *o, const char *keys) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)o, key, value) {
    char word[64];
    snprintf(word, sizeof word, " %s ", key);
    if (!strstr(keys, word)) return no(r, "'%s' is not offered", key);
  }
  return true;
}

static uint64_t now(const run *r) {
  return UINT64_C(3600000000000) + (uint64_t)(r->at_ms + r->shift_ms) * 1000000;
}

/* ---- configs, by profile ---- */

static bool resilience4j(run *r, const json_t *k) {
  bool count = strcmp(text(k, "window_type"), "count") == 0;
  if (!only(r, k, " window_type window_s window min_calls failure_rate_gte slow_rate_gte "
                  "slow_ms_gt half_open_calls open_ms open_multiplier "))
    return false;
  r->c.consecutive = TTB_OFF;
  r->c.failure_rate_ppm = (int32_t)(number(k, "failure_rate_gte") * 10000);
  r->c.slow_rate_ppm = (int32_t)(number(k, "slow_rate_gte") * 10000);
  if (count) r->c.window_calls = (int32_t)number(k, "window");
  else r->c.window_ms = (uint32_t)(number(k, "window_s") * 1000);
  r->c.min_calls = (uint32_t)number(k, "min_calls");
  r->c.half_open_probes = (uint32_t)number(k, "half_open_calls");
  r->c.half_open_calls = (int32_t)number(k, "half_open_calls");
  r->c.half_open_rate_ppm = r->c.failure_rate_ppm;
  r->c.open_ms = (uint32_t)number(k, "open_ms");
  r->c.open_decay_ms = TTB_OFF;
  if (has(k, "open_multiplier"))
    r->c.open_growth_ppm = (int32_t)(number(k, "open_multiplier") * 1000000);
  r->c.flags = TTB_BREAKER_OPEN_AFTER | TTB_BREAKER_TRIP_ON_SUCCESS | TTB_BREAKER_PROBES_IN_ALL;
  r->slow_ms = number(k, "slow_ms_gt");
  r->c.slow_ms = (int32_t)r->slow_ms;
  return true;
}

static bool time_window(run *r, const json_t *k) {
  if (!only(r, k, " window_type window_s min_calls failure_rate_gte slow_rate_gte slow_ms_gt "
                  "half_open_calls open_ms lease_ms open_end ramp_ms ramp_start "))
    return false;
  if (strcmp(text(k, "window_type"), "time") != 0) return no(r, "a count window is not offered");
  r->c.consecutive = TTB_OFF;
  r->c.failure_rate_ppm = (int32_t)(number(k, "failure_rate_gte") * 10000);
  r->c.window_ms = (uint32_t)(number(k, "window_s") * 1000);
  r->c.min_calls = (uint32_t)number(k, "min_calls");
  r->c.half_open_probes = r->c.half_open_successes = (uint32_t)number(k, "half_open_calls");
  r->c.open_ms = (uint32_t)number(k, "open_ms");
  r->c.lease_ms = (uint32_t)number(k, "lease_ms");
  r->c.ramp_ms = (int32_t)number(k, "ramp_ms");
  r->c.ramp_start_ppm = (int32_t)(number(k, "ramp_start") * 1000000);
  r->slow_ms = number(k, "slow_ms_gt");
  r->c.slow_ms = (int32_t)r->slow_ms;
  r->c.flags = TTB_BREAKER_CHECK_TICKETS;
  return true;
}

static bool gobreaker(run *r, const json_t *k) {
  const json_t *trip = json_object_get(k, "trip");
  if (!only(r, k, " half_open_max interval_ms open_ms trip bucket_ms ") ||
      !only(r, trip, " consecutive_failures_gt min_calls failure_ratio_gte over "))
    return false;
  r->c.half_open_probes = r->c.half_open_successes = (uint32_t)number(k, "half_open_max");
  r->c.flags = TTB_BREAKER_PROBES_IN_ALL;
  r->c.open_ms = (uint32_t)number(k, "open_ms");
  if (has(trip, "consecutive_failures_gt")) {
    r->c.consecutive = (int32_t)number(trip, "consecutive_failures_gt") + 1;
    r->c.failure_rate_ppm = TTB_OFF;
    return true;
  }
  r->c.flags |= TTB_BREAKER_DETAILED | (has(k, "bucket_ms") ? 0 : TTB_BREAKER_FIXED_WINDOW);
  r->c.consecutive = TTB_OFF;
  r->c.failure_rate_ppm = (int32_t)(number(trip, "failure_ratio_gte") * 1000000);
  r->c.min_calls = (uint32_t)number(trip, "min_calls");
  r->c.window_ms = (uint32_t)number(k, "interval_ms");
  r->begins = true; /* its first window begins now, not with the first call */
  return true;
}

/* k of the last n; in half-open the successes' k of n, if there is one, decides
 * as soon as it is sure. */
static bool failsafe(run *r, const json_t *k) {
  const json_t *fail = json_object_get(k, "fail"), *good = json_object_get(k, "success");
  if (!only(r, k, " fail success ")) return false;
  int of = (int)json_integer_value(json_array_get(fail, 1));
  int bad = (int)json_integer_value(json_array_get(fail, 0));
  r->c.consecutive = bad == of ? of : TTB_OFF;
  r->c.failure_rate_ppm = bad == of ? TTB_OFF : 1000000 * bad / of;
  r->c.window_calls = bad == of ? TTB_OFF : of;
  if (good) {
    of = (int)json_integer_value(json_array_get(good, 1));
    bad = of - (int)json_integer_value(json_array_get(good, 0)) + 1;
  }
  r->c.half_open_probes = (uint32_t)of;
  r->c.half_open_calls = of;
  r->c.half_open_rate_ppm = 1000000 * bad / of;
  r->c.flags = TTB_BREAKER_EARLY_VERDICT;
  return true;
}

/* One policy of finagle's; `any_of` names several, which go into one breaker. */
static bool policy(run *r, const json_t *k) {
  if (!only(r, k, " consecutive success_rate window_requests window_ms min_requests dead_ms "
                  "dead_after_ms "))
    return false;
  const json_t *dead = json_object_get(k, "dead_ms");
  if (has(k, "consecutive")) r->c.consecutive = (int32_t)number(k, "consecutive");
  if (has(k, "success_rate"))
    r->c.average_success_ppm = (int32_t)(number(k, "success_rate") * 1000000 + 0.5);
  if (has(k, "window_requests")) r->c.average_calls = (int32_t)number(k, "window_requests");
  if (has(k, "window_ms")) r->c.window_ms = (uint32_t)number(k, "window_ms");
  if (has(k, "min_requests"))
    r->c.min_calls = number(k, "min_requests") < 1 ? 1 : (uint32_t)number(k, "min_requests");
  size_t n = json_array_size(dead);
  double first = json_number_value(json_array_get(dead, 0));
  r->c.open_ms = (uint32_t)first;
  if (n > 1 || has(k, "dead_after_ms")) {
    double second = n > 1 ? json_number_value(json_array_get(dead, 1)) : first;
    for (size_t i = 2; i < n; i++)
      if (json_number_value(json_array_get(dead, i)) * first !=
          json_number_value(json_array_get(dead, i - 1)) * second)
        return no(r, "open times that do not grow evenly are not offered");
    r->c.open_growth_ppm = (int32_t)(second / first * 1000000);
    r->c.open_steps = (int32_t)n;
    r->c.open_max_ms = (uint32_t)number(k, "dead_after_ms");
  }
  return true;
}

static bool accrual(run *r, const json_t *k) {
  const json_t *any = json_object_get(k, "any_of");
  r->c.consecutive = r->c.failure_rate_ppm = TTB_OFF;
  r->begins = true;
  if (!any) return policy(r, k);
  for (size_t i = 0; i < json_array_size(any); i++)
    if (!policy(r, json_array_get(any, i))) return false;
  return only(r, k, " any_of ");
}

/* Which side of the boundary a project takes is what these scenarios tell. */
static bool boundary(run *r, const json_t *k) {
  static const struct {
    const char *project;
    uint32_t flags;
  } sides[] = {{"sony/gobreaker", TTB_BREAKER_OPEN_AFTER},
               {"resilience4j/", TTB_BREAKER_OPEN_AFTER},
               {"dmexe/failsafe-rs", TTB_BREAKER_OPEN_AFTER},
               {"Netflix/Hystrix", TTB_BREAKER_OPEN_AFTER},
               {"alibaba/Sentinel@", TTB_BREAKER_RATE_ABOVE},
               {"nodeshift/opossum", TTB_BREAKER_RATE_ABOVE},
               {"connor4312/cockatiel", TTB_BREAKER_RATE_ABOVE},
               {"grpc/", TTB_BREAKER_RATE_ABOVE}};
  for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++)
    if (strncmp(r->project, sides[i].project, strlen(sides[i].project)) == 0)
      r->c.flags = sides[i].flags;
  if (!only(r, k, " open_ms rate min_calls ")) return false;
  r->c.consecutive = TTB_OFF;
  r->c.open_ms = (uint32_t)number(k, "open_ms");
  r->c.failure_rate_ppm = (int32_t)(number(k, "rate") * 10000);
  r->c.min_calls = (uint32_t)number(k, "min_calls");
  return true;
}

static bool bare_window(run *r, const json_t *k) {
  if (!only(r, k, " window_s bucket_ms rate_rounding ")) return false;
  r->c.consecutive = TTB_OFF;
  r->c.window_ms = (uint32_t)(number(k, "window_s") * 1000);
  r->c.min_calls = 100000; /* so that it never opens */
  r->c.flags = TTB_BREAKER_DETAILED;
  r->plain_window = true;
  return true;
}

static bool count_window(run *r, const json_t *k) {
  if (!only(r, k, " window ")) return false;
  r->c.consecutive = TTB_OFF;
  r->c.slow_rate_ppm = r->c.failure_rate_ppm = 1000000;
  r->c.flags = TTB_BREAKER_RATE_ABOVE | TTB_BREAKER_DETAILED; /* so that it never opens */
  r->c.window_calls = (int32_t)number(k, "window");
  r->plain_window = true;
  return true;
}

static bool configure(run *r, const json_t *scenario) {
  static const struct {
    const char *set;
    bool (*read)(run *, const json_t *);
  } sets[] = {
      {"edge-desired", time_window},   {"breaker-resilience4j", resilience4j},
      {"breaker-gobreaker", gobreaker}, {"breaker-failsafe", failsafe},
      {"accrual", accrual},            {"boundaries", boundary},
      {"window-time", bare_window},    {"window-count", count_window},
  };
  r->c = TTB_CONFIG(ttb_breaker_config);
  for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
    if (strcmp(sets[i].set, r->set) != 0) continue;
    if (!sets[i].read(r, json_object_get(scenario, "config"))) return false;
    int64_t size = ttb_breaker_size(&r->c);
    if (size < 0 || size > SIZE) return no(r, "config: %s", ttb_errname((int32_t)size));
    int32_t code = ttb_breaker_init(&r->b, r->mem, (uint64_t)size, &r->c);
    if (code < 0) return no(r, "init: %s", ttb_errname(code));
    if (r->begins) (void)ttb_breaker_set(&r->b, 0, TTB_BREAKER_CLOSED, now(r));
    return true;
  }
  return no(r, "unknown set '%s'", r->set);
}

/* ---- steps ---- */

static ttb_breaker_info info(run *r) {
  ttb_breaker_info i = {.struct_size = sizeof i};
  (void)ttb_breaker_explain(&r->b, 0, now(r), &i);
  return i;
}
static uint64_t refused(run *r) {
  ttb_breaker_stats s = {.struct_size = sizeof s};
  (void)ttb_breaker_statistics(&r->b, &s);
  return s.refused;
}

static int outcome_of(const json_t *step) {
  static const struct {
    const char *word;
    int outcome;
  } words[] = {{"success", TTB_SUCCESS},   {"failure", TTB_FAILURE},
               {"ignored", TTB_IGNORED},   {"excluded", TTB_IGNORED},
               {"slow_success", TTB_SLOW}, {"slow_failure", TTB_SLOW_FAILURE}};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strcmp(text(step, "outcome"), words[i].word) == 0) return words[i].outcome;
  return -1;
}

static int32_t report(run *r, const json_t *step, int64_t ticket, int outcome) {
  uint64_t ns = (uint64_t)(number(step, "duration_ms") * 1e6);
  return ttb_breaker_report_timed(&r->b, ticket, outcome, ns, now(r));
}

static bool do_allow(run *r, const json_t *step) {
  int64_t t = ttb_breaker_acquire(&r->b, 0, now(r));
  if (t >= 0 && r->n_ids < MAX_IDS) {
    snprintf(r->ids[r->n_ids].id, sizeof r->ids[0].id, "%s", text(step, "id"));
    r->ids[r->n_ids].gen = info(r).generation;
    r->ids[r->n_ids].out = true;
    r->ids[r->n_ids++].ticket = t;
  }
  if (json_is_true(json_object_get(step, "expect")))
    return t >= 0 ? true : no(r, "refused: %s", ttb_errname((int32_t)t));
  if (t >= 0) return no(r, "granted");
  const char *reject = text(step, "reject");
  if (strcmp(reject, "half_open_full") == 0 && t != TTB_HALF_OPEN_FULL)
    return no(r, "refused as %s", ttb_errname((int32_t)t));
  if (strcmp(reject, "open") == 0 && t != TTB_OPEN)
    return no(r, "refused as %s", ttb_errname((int32_t)t));
  return true;
}

static bool report_id(run *r, const json_t *step, int outcome) {
  for (int i = r->n_ids; i-- > 0;) {
    if (strcmp(r->ids[i].id, text(step, "id")) != 0) continue;
    int32_t code = report(r, step, r->ids[i].ticket, outcome);
    r->ids[i].out = false;
    return code >= 0 || code == TTB_STALE ? true : no(r, "report: %s", ttb_errname(code));
  }
  return no(r, "no permit '%s'", text(step, "id"));
}

static bool do_done(run *r, const json_t *step) {
  int outcome = outcome_of(step);
  return outcome < 0 ? no(r, "outcome '%s'", text(step, "outcome")) : report_id(r, step, outcome);
}
static bool do_release(run *r, const json_t *step) { return report_id(r, step, TTB_CANCELLED); }

static bool do_call(run *r, const json_t *step) {
  int n = has(step, "n") ? (int)number(step, "n") : 1, outcome = outcome_of(step);
  bool expect = !has(step, "expect") || json_is_true(json_object_get(step, "expect"));
  if (outcome < 0) return no(r, "outcome '%s'", text(step, "outcome"));
  for (int i = 0; i < n; i++) {
    int64_t t = ttb_breaker_acquire(&r->b, 0, now(r));
    if ((t >= 0) != expect) return no(r, "call %d: %s", i + 1, t < 0 ? "refused" : "granted");
    if (t >= 0) (void)report(r, step, t, outcome);
  }
  return true;
}

static bool do_at(run *r, const json_t *step) {
  r->at_ms = (int64_t)number(step, "ms");
  return true;
}

static int state_of(const char *word) {
  static const char *const words[] = {"CLOSED", "OPEN", "HALF_OPEN", "FORCED_OPEN", "DISABLED"};
  for (int i = 0; i < 5; i++)
    if (strcmp(word, words[i]) == 0) return i;
  return -1;
}

static bool do_state(run *r, const json_t *step) {
  int got = info(r).state, want = state_of(text(step, "expect"));
  return got == want ? true : no(r, "state %d", got);
}

/* Half-open by hand does not exist: open, then wait. */
static bool do_force(run *r, const json_t *step) {
  int to = state_of(text(step, "to"));
  if (!only(r, step, " op to error for_ms until_ms ")) return false;
  if (has(step, "for_ms") || has(step, "until_ms")) {
    double for_ms = has(step, "for_ms") ? number(step, "for_ms")
                                        : number(step, "until_ms") - (double)r->at_ms;
    return ttb_breaker_open_for(&r->b, 0, (uint32_t)for_ms, now(r)) == TTB_OK;
  }
  if (json_is_true(json_object_get(step, "error")))
    return ttb_breaker_set(&r->b, 0, to, now(r)) < 0 ? true : no(r, "was allowed");
  bool half = to == TTB_BREAKER_HALF_OPEN;
  if (!half || info(r).state != TTB_BREAKER_OPEN) {
    int32_t code = ttb_breaker_set(&r->b, 0, half ? TTB_BREAKER_OPEN : to, now(r));
    if (code < 0) return no(r, "set: %s", ttb_errname(code));
  }
  if (half) r->shift_ms += info(r).retry_after_ms;
  return true;
}
static bool do_reset(run *r, const json_t *step) {
  (void)step;
  return ttb_breaker_set(&r->b, 0, TTB_BREAKER_CLOSED, now(r)) == TTB_OK;
}
static bool do_opened(run *r, const json_t *step) {
  (void)step;
  return ttb_breaker_set(&r->b, 0, TTB_BREAKER_OPEN, now(r)) == TTB_OK;
}
static bool do_would_probe(run *r, const json_t *step) {
  bool got = ttb_breaker_peek(&r->b, 0, now(r)) == TTB_OK;
  return got == json_is_true(json_object_get(step, "expect")) ? true : no(r, "it is %d", got);
}

/* Calls admitted in this generation and not reported yet. */
static int out_of(const run *r, uint32_t gen) {
  int n = 0;
  for (int i = 0; i < r->n_ids; i++) n += r->ids[i].out && r->ids[i].gen == gen;
  return n;
}

/* What one number of a metrics step is here; false if there is no such. */
static bool metric(run *r, const char *key, double *ret) {
  ttb_breaker_info i = info(r);
  bool half = i.state == TTB_BREAKER_HALF_OPEN;
  bool round = half || i.probe_calls > 0; /* also the one that opened it again */
  double good = round ? i.probe_successes : i.calls - i.failures;
  double bad = round ? i.probe_failures : i.failures;
  double slow = round ? i.probe_slow : i.slow;
  if (strcmp(key, "total") == 0) *ret = good + bad;
  else if (strcmp(key, "requests") == 0) *ret = good + bad + i.ignored + out_of(r, i.generation);
  else if (strcmp(key, "successful") == 0) *ret = good;
  else if (strcmp(key, "failed") == 0) *ret = bad;
  else if (strcmp(key, "slow") == 0 && r->c.slow_rate_ppm > 0) *ret = slow;
  else if (strcmp(key, "slow_successful") == 0 && r->plain_window) *ret = slow - i.slow_failures;
  else if (strcmp(key, "slow_failed") == 0 && r->plain_window) *ret = i.slow_failures;
  else if (strcmp(key, "total_duration_ms") == 0 && r->plain_window) *ret = (double)i.duration_us / 1e3;
  else if (strcmp(key, "avg_duration_ms") == 0 && r->plain_window)
    *ret = i.calls > 0 ? (double)i.duration_us / 1e3 / i.calls : 0;
  else if (strcmp(key, "slow_rate") == 0 && (round || r->plain_window))
    *ret = good + bad > 0 ? slow * 100 / (good + bad) : 0;
  else if (strcmp(key, "slow_rate") == 0)
    *ret = i.slow_rate_ppm < 0 ? -1 : i.slow_rate_ppm / 1e4;
  else if (strcmp(key, "failure_rate") == 0 && round && !half)
    *ret = bad * 100 / (good + bad);
  else if (strcmp(key, "excluded") == 0) *ret = i.ignored;
  else if (strcmp(key, "consecutive_failures") == 0)
    *ret = i.consecutive;
  else if (strcmp(key, "consecutive_successes") == 0) *ret = half ? good : i.successes_in_row;
  else if (strcmp(key, "not_permitted") == 0) *ret = (double)(refused(r) - r->refused_before);
  else if (strcmp(key, "failure_rate") == 0 && r->plain_window)
    *ret = good + bad > 0 ? bad * 100 / (good + bad) : 0;
  else if (strcmp(key, "success_rate") == 0 && r->plain_window)
    *ret = good + bad > 0 ? good * 100 / (good + bad) : 0;
  else if (strcmp(key, "failure_rate") == 0)
    *ret = half || i.failure_rate_ppm < 0 ? -1 : i.failure_rate_ppm / 1e4;
  else return false;
  return true;
}

static bool do_metrics(run *r, const json_t *step) {
  const char *key;
  json_t *value;
  json_object_foreach(json_object_get(step, "expect"), key, value) {
    double got, want = json_number_value(value);
    /* Rates of bare windows come rounded to whole percents. */
    double near = strstr(key, "rate") ? (r->plain_window ? 0.5 : 0.001) : 0;
    if (!metric(r, key, &got)) return no(r, "'%s' is not offered", key);
    if (got < want - near || got > want + near) return no(r, "%s is %g, not %g", key, got, want);
  }
  return true;
}

/* A breaker of its own with so many outcomes: does the last one open it? */
static bool do_window(run *r, const json_t *step) {
  int total = (int)number(step, "total"), failures = (int)number(step, "failed");
  int32_t code = 0;
  for (int i = 0; i < total; i++) {
    int64_t t = ttb_breaker_acquire(&r->b, 0, now(r));
    code = ttb_breaker_report(&r->b, t, i < total - failures ? TTB_SUCCESS : TTB_FAILURE, now(r));
  }
  bool tripped = code == TTB_BREAKER_OPENED;
  return tripped == json_is_true(json_object_get(step, "expect_trip")) ? true
                                                                       : no(r, "trip: %d", tripped);
}

/* One call of a failure policy. Finagle marks dead and asks again at once; here
 * the open time passes first, and the failure is a probe's. */
static bool policy_call(run *r, int outcome, const json_t *dead) {
  if (info(r).state == TTB_BREAKER_OPEN) r->shift_ms += info(r).retry_after_ms;
  int64_t t = ttb_breaker_acquire(&r->b, 0, now(r));
  int32_t code = ttb_breaker_report(&r->b, t, outcome, now(r));
  bool opened = code == TTB_BREAKER_OPENED || code == TTB_BREAKER_REOPENED;
  int64_t wait = info(r).retry_after_ms;
  if (code < 0 || opened != json_is_number(dead)) return no(r, "opened: %d", code);
  return !opened || wait == json_integer_value(dead) ? true
                                                     : no(r, "open for %lld", (long long)wait);
}
static bool do_fail(run *r, const json_t *step) {
  for (int n = (int)number(step, "n"); n > 0; n--)
    if (!policy_call(r, TTB_FAILURE, json_object_get(step, "expect_dead_ms"))) return false;
  return true;
}
static bool do_ok(run *r, const json_t *step) {
  for (int n = (int)number(step, "n"); n > 0; n--)
    if (!policy_call(r, TTB_SUCCESS, NULL)) return false;
  return true;
}
/* The same with so much time before each. */
static bool do_every(run *r, const json_t *step) {
  bool fails = strcmp(text(step, "do"), "fail") == 0;
  if (!only(r, step, " op ms n do expect_dead_ms ")) return false;
  for (int n = (int)number(step, "n"); n > 0; n--) {
    r->at_ms += (int64_t)number(step, "ms");
    if (!policy_call(r, fails ? TTB_FAILURE : TTB_SUCCESS, json_object_get(step, "expect_dead_ms")))
      return false;
  }
  return true;
}
/* A failure, a success, and so on, with so much time before each. */
static bool do_alternate(run *r, const json_t *step) {
  for (int n = 2 * (int)number(step, "pairs"); n > 0; n--) {
    r->at_ms += (int64_t)number(step, "ms");
    if (!policy_call(r, n % 2 ? TTB_SUCCESS : TTB_FAILURE, NULL)) return false;
  }
  return true;
}

/* ---- killed between two stores: at every instruction ---- */

#define LEASE_OVER (UINT64_C(120000) * 1000000)

typedef struct killed {
  run *r;
  const char *what;
  ttb_breaker b;
  uint32_t calls;
} killed;

/* The state in which the call `what` is made. */
static int prepare_kill(singlestep *s) {
  killed *k = s->ctx;
  bool transition = strcmp(k->what, "transition") == 0;
  memset(s->mem, 0, (size_t)s->size);
  if (ttb_breaker_init(&k->b, s->mem, s->size, &k->r->c) < 0) return 1;
  uint32_t n = transition ? k->r->c.min_calls - 1 : 2;
  for (uint32_t i = 0; i < n; i++)
    (void)ttb_breaker_report(&k->b, ttb_breaker_acquire(&k->b, 0, now(k->r)), TTB_FAILURE, now(k->r));
  if (strcmp(k->what, "allow") == 0) (void)ttb_breaker_set(&k->b, 0, TTB_BREAKER_OPEN, now(k->r) - LEASE_OVER);
  ttb_breaker_info i = TTB_CONFIG(ttb_breaker_info);
  (void)ttb_breaker_explain(&k->b, 0, now(k->r), &i);
  k->calls = i.calls;
  return 0;
}
static void enter_kill(singlestep *s) { (void)s; }
static void call_kill(singlestep *s) {
  killed *k = s->ctx;
  bool rotate = strcmp(k->what, "rotate") == 0; /* a bucket later */
  uint64_t at = now(k->r) + (rotate ? k->r->c.window_ms / 8 * UINT64_C(1000000) : 0);
  int64_t t = ttb_breaker_acquire(&k->b, 0, at);
  if (strcmp(k->what, "allow") != 0)
    (void)ttb_breaker_report(&k->b, t, strcmp(k->what, "done") == 0 ? TTB_SUCCESS : TTB_FAILURE, at);
}
static int recover_kill(singlestep *s) {
  (void)s; /* time alone sees to it */
  return 0;
}
/* At most one outcome more or less; at most the quota of probes; a lease later
 * it can be closed again, and a whole life follows. */
static int check_kill(singlestep *s, int ended) {
  killed *k = s->ctx;
  uint64_t at = now(k->r) + k->r->c.window_ms / 8 * UINT64_C(1000000);
  ttb_breaker_info i = TTB_CONFIG(ttb_breaker_info);
  (void)ended;
  (void)ttb_breaker_explain(&k->b, 0, at, &i);
  if (i.state == TTB_BREAKER_CLOSED && i.calls - k->calls > 1) return 1;
  uint32_t granted = 0;
  if (i.state == TTB_BREAKER_HALF_OPEN)
    for (int n = 0; n < 100; n++) granted += ttb_breaker_acquire(&k->b, 0, at) >= 0;
  if (granted + i.probes_out > k->r->c.half_open_probes) return 1;
  for (int n = 0; n < 64 && i.state != TTB_BREAKER_CLOSED; n++) {
    int64_t t = ttb_breaker_acquire(&k->b, 0, at);
    if (t < 0) at += LEASE_OVER;
    else (void)ttb_breaker_report(&k->b, t, TTB_SUCCESS, at);
    (void)ttb_breaker_explain(&k->b, 0, at, &i);
  }
  if (i.state != TTB_BREAKER_CLOSED) return 1;
  (void)ttb_breaker_set(&k->b, 0, TTB_BREAKER_CLOSED, at);
  int32_t code = 0;
  for (uint32_t n = 0; n < k->r->c.min_calls; n++)
    code = ttb_breaker_report(&k->b, ttb_breaker_acquire(&k->b, 0, at), TTB_FAILURE, at);
  return code == TTB_BREAKER_OPENED ? 0 : 1;
}
static bool do_kill_at_every_store(run *r, const json_t *step) {
  const json_t *of = json_object_get(step, "of");
  for (size_t i = 0; i < json_array_size(of); i++) {
    killed k = {.r = r, .what = json_string_value(json_array_get(of, i))};
    if (!k.what || !strstr(" allow done rotate transition ", k.what)) return no(r, "which call?");
    singlestep s = {.size = (uint64_t)ttb_breaker_size(&r->c), .ctx = &k, .prepare = prepare_kill,
                    .enter = enter_kill, .call = call_kill, .recover = recover_kill,
                    .check = check_kill};
    int code = singlestep_run(&s);
    if (code == SINGLESTEP_UNSUPPORTED) continue; /* this machine cannot; proc_breaker says so */
    if (code != 0 || s.failed > 0) return no(r, "%s: %d wrong", k.what, (int)s.failed);
  }
  return json_array_size(of) > 0;
}
/* Checked after each kill. */
static bool do_invariants(run *r, const json_t *step) {
  return only(r, step, " op ");
}

/* Another process attaches, acquires and then only waits to be killed. */
static bool do_allow_in_process(run *r, const json_t *step) {
  int p = (int)number(step, "proc"), pipes[2], n = (int)number(step, "n");
  int32_t granted = -1;
  if (p < 0 || p >= MAX_PROCESSES || pipe(pipes) != 0) return no(r, "no process");
  r->process[p] = fork();
  if (r->process[p] == 0) {
    ttb_breaker mine;
    granted = 0;
    if (ttb_breaker_attach(&mine, r->mem, SIZE) < 0) _exit(1);
    for (int i = 0; i < n; i++) granted += ttb_breaker_acquire(&mine, 0, now(r)) >= 0;
    if (write(pipes[1], &granted, sizeof granted) != sizeof granted) _exit(1);
    for (;;) pause();
  }
  close(pipes[1]);
  if (read(pipes[0], &granted, sizeof granted) != sizeof granted) granted = -1;
  close(pipes[0]);
  return granted == n ? true : no(r, "granted %d", granted);
}
static bool end_process(run *r, int p) {
  if (p < 0 || p >= MAX_PROCESSES || r->process[p] <= 0) return no(r, "no process");
  kill(r->process[p], SIGKILL);
  waitpid(r->process[p], NULL, 0);
  r->process[p] = 0;
  return true;
}
static bool do_kill(run *r, const json_t *step) {
  return end_process(r, (int)number(step, "proc"));
}

#define THREADS 8
typedef struct crowd {
  run *r;
  int n, granted;
} crowd;
static void *one_of_the_crowd(void *arg) {
  crowd *c = arg;
  for (int i = 0; i < c->n; i++) c->granted += ttb_breaker_acquire(&c->r->b, 0, now(c->r)) >= 0;
  return NULL;
}
static bool do_parallel_allow(run *r, const json_t *step) {
  pthread_t thread[THREADS];
  crowd c[THREADS];
  int n = (int)number(step, "n"), granted = 0;
  for (int i = 0; i < THREADS; i++) {
    c[i] = (crowd){r, n / THREADS + (i < n % THREADS), 0};
    if (pthread_create(&thread[i], NULL, one_of_the_crowd, &c[i]) != 0) return no(r, "no thread");
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(thread[i], NULL);
    granted += c[i].granted;
  }
  return granted == (int)number(step, "expect_granted") ? true : no(r, "granted %d", granted);
}

/* Which share of a thousand calls passes at each of these times. */
static bool do_admit_fraction(run *r, const json_t *step) {
  const json_t *at = json_object_get(step, "at_ms"), *want = json_object_get(step, "expect");
  for (size_t i = 0; i < json_array_size(at); i++) {
    int passed = 0;
    r->at_ms = json_integer_value(json_array_get(at, i));
    for (int n = 0; n < 1000; n++) passed += ttb_breaker_acquire(&r->b, 0, now(r)) >= 0;
    double off = passed / 1000.0 - json_number_value(json_array_get(want, i));
    if (off > number(step, "tol") || off < -number(step, "tol"))
      return no(r, "%d of 1000 at %d ms", passed, (int)r->at_ms);
  }
  return json_array_size(at) > 0;
}

static bool do_allow_info(run *r, const json_t *step) {
  const json_t *want = json_object_get(step, "expect");
  int64_t t = ttb_breaker_acquire(&r->b, 0, now(r)), wait = info(r).retry_after_ms;
  if (!only(r, want, " allowed reason retry_after_ms ")) return false;
  if ((t >= 0) != json_is_true(json_object_get(want, "allowed"))) return no(r, "granted or not");
  if (strcmp(text(want, "reason"), "open") == 0 && t != TTB_OPEN)
    return no(r, "%s", ttb_errname((int32_t)t));
  return wait == (int64_t)number(want, "retry_after_ms") ? true : no(r, "wait %d", (int)wait);
}

static bool do_step(run *r, const json_t *step) {
  static const struct {
    const char *op;
    bool (*run)(run *, const json_t *);
  } ops[] = {
      {"at", do_at},           {"allow", do_allow},
      {"done", do_done},       {"release", do_release},
      {"call", do_call},       {"record", do_call},
      {"state", do_state},     {"force", do_force},
      {"reset", do_reset},     {"opened", do_opened},
      {"metrics", do_metrics}, {"would_probe", do_would_probe},
      {"window", do_window},   {"fail", do_fail},
      {"kill", do_kill},       {"allow_in_process", do_allow_in_process},
      {"allow_info", do_allow_info}, {"parallel_allow", do_parallel_allow},
      {"admit_fraction", do_admit_fraction}, {"ok", do_ok},
      {"every", do_every},     {"alternate", do_alternate},
      {"revived", do_reset},   {"invariants", do_invariants},
      {"kill_at_every_store", do_kill_at_every_store},
  };
  for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
    if (strcmp(ops[i].op, text(step, "op")) != 0) continue;
    bool ok = ops[i].run(r, step);
    ttb_breaker_info now_info = info(r);
    if (now_info.generation != r->gen) {
      r->gen = now_info.generation;
      r->refused_before = refused(r);
    }
    return ok;
  }
  return no(r, "step '%s' is not offered", text(step, "op"));
}

/* ---- scenarios ---- */

/* Whether step i of a defect scenario must differ; -1 if the id is not known. */
static int must_differ(const char *id, int i) {
  for (size_t k = 0; k < sizeof defects / sizeof defects[0]; k++)
    if (strcmp(defects[k].id, id) == 0)
      return i == defects[k].steps[0] || i == defects[k].steps[1];
  return -1;
}

static bool run_scenario(run *r, const json_t *scenario) {
  const char *id = text(scenario, "id");
  bool defect = strstr(text(scenario, "note"), "PEER DEFECT") != NULL;
  if (!configure(r, scenario)) {
    printf("FAILED %s: %s\n", id, r->why);
    return false;
  }
  const json_t *steps = json_object_get(scenario, "steps");
  bool differs = false;
  for (size_t i = 0; i < json_array_size(steps); i++) {
    const json_t *step = json_array_get(steps, i);
    r->why[0] = 0;
    bool ok = do_step(r, step);
    int must = defect ? must_differ(id, (int)i) : 0;
    differs = differs || !ok;
    if (must == -1 || ok == !must) continue;
    printf("FAILED %s: step %zu (%s %s): %s\n", id, i, text(step, "op"), text(step, "id"),
           ok ? "as the peer, whose defect it is" : r->why);
    return false;
  }
  if (defect && !differs) {
    printf("FAILED %s: as the peer, whose defect it is\n", id);
    return false;
  }
  if (json_array_size(steps) == 0) printf("FAILED %s: no steps\n", id);
  return json_array_size(steps) > 0;
}

static const char *left_out(const char *set) {
  for (size_t i = 0; i < sizeof not_offered / sizeof not_offered[0]; i++)
    if (strcmp(not_offered[i].set, set) == 0) return not_offered[i].why;
  return NULL;
}

int main(int argc, char **argv) {
  unsigned passed = 0, failed = 0, left = 0;
  void *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (mem == MAP_FAILED) return 1;
  for (int a = 1; a < argc; a++) {
    const char *slash = strrchr(argv[a], '/');
    char set[64];
    snprintf(set, sizeof set, "%s", slash ? slash + 1 : argv[a]);
    if (strlen(set) > 5 && strcmp(set + strlen(set) - 5, ".json") == 0) set[strlen(set) - 5] = 0;
    json_error_t error;
    json_t *root = json_load_file(argv[a], 0, &error);
    const json_t *scenarios = json_object_get(root, "scenarios");
    if (json_array_size(scenarios) == 0) {
      printf("FAILED %s: %s\n", argv[a], root ? "no scenarios" : error.text);
      failed++;
    }
    bool other = strcmp(set, "outlier") == 0 || strcmp(set, "limits") == 0 ||
                 strcmp(set, "retry-budget") == 0 || strcmp(set, "throttle") == 0;
    if (left_out(set)) printf("not offered: %s: %s\n", set, left_out(set));
    for (size_t i = 0; i < json_array_size(scenarios); i++) {
      if (left_out(set)) {
        left++;
        continue;
      }
      if (other) {
        bool (*one)(const json_t *) = other_of(set);
        if (one && one(json_array_get(scenarios, i))) passed++;
        else failed++;
        if (!one && i == 0) printf("FAILED %s: nobody answers it\n", set);
        continue;
      }
      const json_t *source = json_object_get(json_array_get(scenarios, i), "source");
      run r = {.set = set, .project = text(source, "project"), .mem = mem};
      memset(mem, 0, SIZE);
      if (run_scenario(&r, json_array_get(scenarios, i))) passed++;
      else failed++;
      for (int p = 0; p < MAX_PROCESSES; p++)
        if (r.process[p] > 0) (void)end_process(&r, p);
    }
    json_decref(root);
  }
  if (left > 0) printf("%u not offered\n", left);
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
