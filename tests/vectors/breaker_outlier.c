/* SPDX-License-Identifier: MIT */
/* What Envoy's and gRPC's suites expect of outlier ejection: the set outlier. A
 * scenario is a config, loads and sweeps at given times. */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/health.h>

#include "../../lib/health/outlier.h"
#include "breaker_sets.h"

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)
#define HOSTS 256

typedef struct run {
  ttb_health h;
  uint64_t now;
  uint32_t hosts;
  double factor;
  bool rates_only; /* every step makes its own table */
  char why[200];
} run;

static bool no(run *r, const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(r->why, sizeof r->why, format, list);
  va_end(list);
  return false;
}

static const char *text(const json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "";
}
static bool has(const json_t *o, const char *key) { return json_object_get(o, key) != NULL; }
static double number(const json_t *o, const char *key) {
  return json_number_value(json_object_get(o, key));
}
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

/* A percentage, of which 0 is zero on purpose. */
static int32_t percent(const json_t *o, const char *key) {
  int32_t ppm = (int32_t)lround(number(o, key) * 10000);
  return ppm > 0 ? ppm : TTB_OFF;
}

/* ---- configs ---- */

static bool enables(const json_t *k, const char *what) {
  const json_t *list = json_object_get(k, "enable");
  for (size_t i = 0; i < json_array_size(list); i++)
    if (strcmp(json_string_value(json_array_get(list, i)), what) == 0) return true;
  return false;
}

/* Targets that only their traffic judges. */
static ttb_health_config plain(uint32_t hosts) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = hosts;
  c.start = TTB_HEALTH_START_FULLY_UP;
  c.ttl_ms = TTB_OFF;
  c.passive_errors = TTB_OFF;
  c.eject = TTB_HEALTH_EJECT_ENVOY;
  c.eject_errors = c.eject_gateway = c.eject_local = TTB_OFF;
  c.eject_stdev_ppm = c.eject_failure_ppm = TTB_OFF;
  return c;
}

static bool configure(run *r, const json_t *scenario) {
  const json_t *k = json_object_get(scenario, "config");
  if (has(k, "factor")) {
    r->factor = number(k, "factor");
    r->rates_only = true;
    return only(r, k, " factor ");
  }
  if (!only(r, k,
            " interval_ms base_ejection_ms max_ejection_ms max_ejection_percent consecutive "
            "sr_min_hosts sr_volume sr_stdev_factor fp_threshold fp_min_hosts fp_volume hosts "
            "enable enforcing_consecutive enforcing_failure_percentage enforcing_success_rate "
            "max_ejection_jitter_ms always_eject_one_host consecutive_gateway enforcing_gateway "))
    return false;
  r->hosts = (uint32_t)number(k, "hosts");
  ttb_health_config c = plain(r->hosts);
  if (strcmp(text(scenario, "profile"), "grpc-outlier") == 0) c.eject = TTB_HEALTH_EJECT_GRPC;
  c.eject_interval_ms = (uint32_t)number(k, "interval_ms");
  c.eject_base_ms = (uint32_t)number(k, "base_ejection_ms");
  c.eject_max_ms = (uint32_t)number(k, "max_ejection_ms");
  c.eject_jitter_ms = (int32_t)number(k, "max_ejection_jitter_ms");
  c.eject_max_ppm = percent(k, "max_ejection_percent");
  c.eject_min_kept = TTB_OFF;
  if (enables(k, "consecutive")) {
    c.eject_errors = (int32_t)number(k, "consecutive");
    if (has(k, "enforcing_consecutive")) c.enforce_errors_ppm = percent(k, "enforcing_consecutive");
  }
  if (enables(k, "gateway")) {
    c.eject_gateway = (int32_t)number(k, has(k, "consecutive_gateway") ? "consecutive_gateway" : "consecutive");
    c.enforce_gateway_ppm = has(k, "enforcing_gateway") ? percent(k, "enforcing_gateway") : 1000000;
  }
  if (enables(k, "success_rate")) {
    c.eject_stdev_ppm = (int32_t)lround(number(k, "sr_stdev_factor") * 1e6);
    c.eject_hosts = (uint32_t)number(k, "sr_min_hosts");
    c.eject_requests = (uint32_t)number(k, "sr_volume");
    if (has(k, "enforcing_success_rate")) c.enforce_rate_ppm = percent(k, "enforcing_success_rate");
  }
  if (enables(k, "failure_percentage")) {
    c.eject_failure_ppm = percent(k, "fp_threshold");
    c.eject_failure_hosts = (uint32_t)number(k, "fp_min_hosts");
    c.eject_failure_requests = (uint32_t)number(k, "fp_volume");
    c.enforce_failure_ppm = has(k, "enforcing_failure_percentage")
                                ? percent(k, "enforcing_failure_percentage")
                                : 1000000;
  }
  if (json_is_true(json_object_get(k, "always_eject_one_host"))) c.flags |= TTB_HEALTH_EJECT_ONE;
  int32_t code = ttb_health_new(&r->h, &c, NULL);
  return code == TTB_OK || no(r, "config: %s", ttb_errname(code));
}

/* ---- steps ---- */

static ttb_health_stats stats(const run *r) {
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  (void)ttb_health_statistics(&r->h, r->now, &s);
  return s;
}

static void calls(run *r, uint32_t host, int32_t outcome, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) (void)ttb_health_observe(&r->h, host, outcome, r->now);
}

static bool load(run *r, const json_t *s) {
  bool all = strcmp(text(s, "host"), "*") == 0;
  for (uint32_t i = 0; i < r->hosts; i++) {
    if (!all && i != (uint32_t)atoi(text(s, "host"))) continue;
    calls(r, i, TTB_SUCCESS, (uint32_t)number(s, "ok"));
    calls(r, i, TTB_FAILURE, (uint32_t)number(s, "bad"));
  }
  return true;
}

static void results(run *r, uint32_t host, const char *pattern) {
  for (; *pattern; pattern++)
    calls(r, host, *pattern == 'S'   ? TTB_SUCCESS
                   : *pattern == 'G' ? TTB_HEALTH_GATEWAY
                   : *pattern == 'L' ? TTB_HEALTH_LOCAL
                                     : TTB_FAILURE,
          1);
}

static bool near(double got, double want) { return fabs(got - want) <= 1e-3; }

static bool ejected_are(run *r, const json_t *list) {
  for (uint32_t i = 0; i < r->hosts; i++) {
    bool want = false;
    for (size_t k = 0; k < json_array_size(list); k++)
      want = want || (uint32_t)atoi(json_string_value(json_array_get(list, k))) == i;
    if (ttb_health_ejected(&r->h, i) != want)
      return no(r, "host %u is %sejected", i, want ? "not " : "");
  }
  return true;
}

static bool rates_are(run *r, const json_t *rates) {
  const char *host;
  json_t *want;
  json_object_foreach((json_t *)(uintptr_t)rates, host, want) {
    ttb_health_info i = TTB_CONFIG(ttb_health_info);
    (void)ttb_health_explain(&r->h, (uint32_t)atoi(host), r->now, &i);
    double rate = i.calls ? 100.0 * (i.calls - i.call_failures) / i.calls : -1;
    if (!near(rate, json_number_value(want))) return no(r, "host %s: rate %f", host, rate);
  }
  return true;
}

static bool expected(run *r, const json_t *e) {
  if (!only(r, e, " mean threshold host_rate ejected ejected_count ")) return false;
  ttb_health_stats s = stats(r);
  double mean = s.judged ? s.mean_ppm / 1e4 : -1, threshold = s.judged ? s.threshold_ppm / 1e4 : -1;
  if (has(e, "mean") && !near(mean, number(e, "mean"))) return no(r, "mean %f", mean);
  if (has(e, "threshold") && !near(threshold, number(e, "threshold")))
    return no(r, "threshold %f", threshold);
  if (has(e, "ejected_count") && s.ejected != (uint32_t)number(e, "ejected_count"))
    return no(r, "%u ejected", s.ejected);
  if (has(e, "ejected") && !ejected_are(r, json_object_get(e, "ejected"))) return false;
  return rates_are(r, json_object_get(e, "host_rate"));
}

static bool sweep(run *r, const json_t *s) {
  r->now = T0 + (uint64_t)number(s, "ms") * MS;
  (void)ttb_health_tick(&r->h, r->now, NULL, 0);
  return !has(s, "expect") || expected(r, json_object_get(s, "expect"));
}

static bool counter(run *r, const json_t *s) {
  const char *name = text(s, "name");
  ttb_health_stats now = stats(r);
  uint64_t got = strcmp(name, "overflow") == 0                                      ? now.overflows
                 : strcmp(name, "active") == 0                                      ? now.ejected
                 : strcmp(name, "detected") == 0                                    ? now.detected
                 : strcmp(name, "ejections") == 0 || strcmp(name, "enforced") == 0 ? now.enforced
                                                                                    : UINT64_MAX;
  return got == (uint64_t)number(s, "expect") || no(r, "%s is %lld", name, (long long)got);
}

/* Ejected by five failures, out when a sweep finds its time over, and again. */
static bool repeat(run *r, const json_t *s) {
  const json_t *list = json_object_get(s, "expect_duration_ms");
  uint32_t host = (uint32_t)atoi(text(s, "host"));
  for (size_t i = 0; i < json_array_size(list); i++) {
    results(r, host, "FFFFF");
    if (ttb_health_ejected(&r->h, host) != 1) return no(r, "ejection %zu: none", i);
    uint64_t from = r->now;
    for (int k = 0; k < 1000 && ttb_health_ejected(&r->h, host) == 1; k++)
      (void)ttb_health_tick(&r->h, r->now += 10000 * MS, NULL, 0);
    double ms = (double)((r->now - from) / MS);
    if (ms != json_number_value(json_array_get(list, i))) return no(r, "ejection %zu: %f ms", i, ms);
  }
  return json_array_size(list) == (size_t)number(s, "n") || no(r, "n");
}

/* A table of its own, each host with 10,000 calls at its rate. */
static bool threshold(run *r, const json_t *s) {
  double rate[HOSTS];
  uint32_t n = 0;
  const json_t *list = json_object_get(s, "rates"), *rle = json_object_get(s, "rates_rle");
  for (size_t i = 0; i < json_array_size(list) && n < HOSTS; i++)
    rate[n++] = json_number_value(json_array_get(list, i));
  for (size_t i = 0; i < json_array_size(rle); i++)
    for (int k = (int)json_number_value(json_array_get(json_array_get(rle, i), 1)); k > 0 && n < HOSTS; k--)
      rate[n++] = json_number_value(json_array_get(json_array_get(rle, i), 0));
  ttb_health_config c = plain(n);
  c.eject_stdev_ppm = (int32_t)lround(r->factor * 1e6);
  c.eject_hosts = 2;
  c.eject_max_ppm = 1000000;
  r->hosts = n;
  if (n < 2 || ttb_health_new(&r->h, &c, NULL) < 0) return no(r, "config");
  for (uint32_t i = 0; i < n; i++) {
    uint32_t good = (uint32_t)lround(rate[i] * 100);
    calls(r, i, TTB_SUCCESS, good);
    calls(r, i, TTB_FAILURE, 10000 - good);
  }
  (void)ttb_health_tick(&r->h, r->now, NULL, 0);
  ttb_health_stats now = stats(r);
  const json_t *e = json_object_get(s, "expect");
  double stdev = (now.mean_ppm - now.threshold_ppm) / 1e4 / r->factor;
  bool ok = only(r, e, " mean stdev threshold outliers ");
  if (ok && !near(now.mean_ppm / 1e4, number(e, "mean"))) ok = no(r, "mean %d ppm", now.mean_ppm);
  if (ok && !near(stdev, number(e, "stdev"))) ok = no(r, "stdev %f", stdev);
  if (ok && !near(now.threshold_ppm / 1e4, number(e, "threshold")))
    ok = no(r, "threshold %d ppm", now.threshold_ppm);
  if (ok && has(e, "outliers") && now.detected != (uint64_t)number(e, "outliers"))
    ok = no(r, "%llu outliers", (unsigned long long)now.detected);
  ttb_health_free(&r->h);
  return ok;
}

static bool do_step(run *r, const json_t *s) {
  const char *op = text(s, "op");
  if (strcmp(op, "sr_threshold") == 0)
    return only(r, s, " op rates rates_rle expect ") && threshold(r, s);
  if (r->rates_only) return no(r, "the step is not known");
  if (strcmp(op, "at") == 0) {
    r->now = T0 + (uint64_t)number(s, "ms") * MS;
    return only(r, s, " op ms ");
  }
  if (strcmp(op, "load") == 0) return only(r, s, " op host ok bad ") && load(r, s);
  if (strcmp(op, "sweep") == 0) return only(r, s, " op ms expect ") && sweep(r, s);
  if (strcmp(op, "results") == 0) {
    results(r, (uint32_t)atoi(text(s, "host")), text(s, "pattern"));
    return only(r, s, " op host pattern ");
  }
  if (strcmp(op, "ejected") == 0)
    return only(r, s, " op expect ") && ejected_are(r, json_object_get(s, "expect"));
  if (strcmp(op, "counter") == 0) return only(r, s, " op name expect ") && counter(r, s);
  if (strcmp(op, "repeat_ejections") == 0)
    return only(r, s, " op host n expect_duration_ms observed_at ") && repeat(r, s);
  if (strcmp(op, "remove") == 0)
    return only(r, s, " op host ") &&
           ttb_health_disable(&r->h, (uint32_t)atoi(text(s, "host")), r->now) == TTB_OK;
  if (strcmp(op, "jitter") == 0) {
    uint32_t ms = ttb__outlier_jitter((uint64_t)number(s, "random"), (uint32_t)number(s, "max_jitter_ms"));
    return only(r, s, " op random max_jitter_ms expect_ms ") &&
           (ms == (uint32_t)number(s, "expect_ms") || no(r, "%u ms", ms));
  }
  if (strcmp(op, "sweeps") == 0) {
    for (double ms = number(s, "from_ms"); ms <= number(s, "to_ms"); ms += number(s, "step_ms"))
      (void)ttb_health_tick(&r->h, r->now = T0 + (uint64_t)ms * MS, NULL, 0);
    return only(r, s, " op from_ms to_ms step_ms ") && (number(s, "step_ms") > 0 || no(r, "step_ms"));
  }
  return no(r, "the step is not known");
}

bool outlier_scenario(const json_t *scenario) {
  run r = {.now = T0};
  const char *id = text(scenario, "id");
  const json_t *steps = json_object_get(scenario, "steps");
  bool ok = configure(&r, scenario);
  if (!ok) printf("FAILED %s: %s\n", id, r.why);
  for (size_t i = 0; ok && i < json_array_size(steps); i++) {
    const json_t *step = json_array_get(steps, i);
    ok = do_step(&r, step);
    if (!ok) printf("FAILED %s: step %zu (%s): %s\n", id, i, text(step, "op"), r.why);
  }
  if (ok && json_array_size(steps) == 0) printf("FAILED %s: no steps\n", id);
  ttb_health_free(&r.h);
  return ok && json_array_size(steps) > 0;
}
