/* SPDX-License-Identifier: MIT */
/* What peers' own suites expect of limits: the sets limits, retry-budget and
 * throttle. A scenario is a config and steps; its profile says which kind of
 * limiter it is about. */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <trimtab/limiter.h>

#include "../../lib/limiter/limits.h"
#include "breaker_sets.h"

#define MS UINT64_C(1000000)

typedef struct run {
  ttb_limiter l;
  ttb__limit_params params; /* of a rule that is asked alone */
  ttb__limit_state state;
  uint64_t now;
  char why[200]; /* what a step did not like */
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
static int32_t ppm(double ratio) { return (int32_t)lround(ratio * 1e6); }

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

static ttb_limiter_info info(const run *r) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  (void)ttb_limiter_explain(&r->l, 0, 0, r->now, &i);
  return i;
}

/* ---- configs, by profile ---- */

/* A number of log10s of the limit: "3*log10", or for limits below 100 just 3. */
static uint32_t logs(const json_t *k, const char *key) {
  return has(k, key) ? (uint32_t)(text(k, key)[0] ? text(k, key)[0] - '0' : number(k, key)) : 0;
}

/* Netflix's limits decide at each call. */
static bool configure_limit(run *r, const json_t *k, const char *profile, ttb_limiter_config *c) {
  c->kind = TTB_LIMITER_ADAPTIVE;
  c->limit_window_ms = TTB_OFF;
  c->initial_limit = (uint32_t)number(k, "initial");
  c->max_limit = (uint32_t)number(k, "max");
  c->min_limit = number(k, "min") > 0 ? (uint32_t)number(k, "min") : 1;
  c->smoothing_ppm = ppm(number(k, "smoothing"));
  if (strcmp(profile, "aimd") == 0) {
    c->algorithm = TTB_LIMIT_AIMD;
    c->backoff_ppm = ppm(number(k, "backoff"));
    c->timeout_ms = (int32_t)number(k, "timeout_ms");
    return only(r, k, " min max initial backoff timeout_ms ");
  }
  if (strcmp(profile, "vegas") == 0) {
    c->algorithm = TTB_LIMIT_VEGAS;
    c->alpha = logs(k, "alpha");
    c->beta = logs(k, "beta");
    if (strcmp(text(k, "decrease"), "half") == 0) c->backoff_ppm = 500000;
    return only(r, k, " alpha beta smoothing initial max decrease ");
  }
  if (strcmp(profile, "gradient2") == 0) {
    c->algorithm = TTB_LIMIT_GRADIENT2;
    c->queue = (uint32_t)number(k, "queue");
    c->long_window = (uint32_t)number(k, "long_window");
    c->tolerance_ppm = ppm(number(k, "tolerance"));
    return only(r, k, " initial min max smoothing queue long_window tolerance ");
  }
  return no(r, "the profile '%s' is not known", profile);
}

static bool configure(run *r, const json_t *scenario) {
  const json_t *k = json_object_get(scenario, "config");
  const char *profile = text(scenario, "profile");
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  if (strcmp(profile, "token-budget") == 0) {
    if (!only(r, k, " ttl_ms min_per_s percent slots ")) return false;
    c.kind = TTB_LIMITER_RETRY;
    c.window_ms = (uint32_t)number(k, "ttl_ms");
    c.per_second = number(k, "min_per_s") > 0 ? (int32_t)number(k, "min_per_s") : TTB_OFF;
    c.ratio_ppm = number(k, "percent") > 0 ? ppm(number(k, "percent")) : TTB_OFF;
  } else if (strcmp(profile, "grpc-a6") == 0) {
    if (!only(r, k, " max_tokens token_ratio ")) return false;
    c.kind = TTB_LIMITER_RETRY_TOKENS;
    c.tokens = (uint32_t)number(k, "max_tokens");
    c.ratio_ppm = ppm(number(k, "token_ratio"));
  } else if (strcmp(profile, "concurrent-budget") == 0) {
    if (!only(r, k, " budget_percent min_retry_concurrency ")) return false;
    c.kind = TTB_LIMITER_RETRY_CONCURRENT;
    c.budget_ppm = ppm(number(k, "budget_percent") / 100);
    c.min_retries = (int32_t)number(k, "min_retry_concurrency");
  } else if (strcmp(profile, "throttle") == 0) {
    return only(r, k, " "); /* each step has a limiter of its own */
  } else if (strcmp(profile, "expavg") == 0) {
    r->params.u.gradient2.window = (uint32_t)number(k, "window");
    return (only(r, k, " window warmup ") && number(k, "warmup") == 10) || no(r, "a warm-up of 10 alone");
  } else if (strcmp(profile, "envoy-gradient") == 0) {
    r->params.min = (uint32_t)number(k, "min");
    r->params.max = (uint32_t)number(k, "max");
    r->params.u.gradient.buffer = (uint32_t)ppm(number(k, "buffer"));
    r->params.u.gradient.every_ms = 60000;
    return only(r, k, " buffer min max percentile ");
  } else if (!configure_limit(r, k, profile, &c)) {
    return false;
  }
  int32_t code = ttb_limiter_new(&r->l, &c, NULL);
  return code == TTB_OK || no(r, "config: %s", ttb_errname(code));
}

/* ---- steps ---- */

/* The formula alone, and a limiter that was told so many outcomes. */
static bool reject_probability(run *r, const json_t *s) {
  bool go = strcmp(text(s, "formula"), "failsafe_go") == 0;
  if (!only(r, s, go ? " op formula executions successes success_rate_threshold max_rejection "
                       "execution_threshold expect "
                     : " op formula requests successes sr_threshold aggression max_rejection expect "))
    return false;
  uint32_t n = (uint32_t)number(s, go ? "executions" : "requests");
  uint32_t good = (uint32_t)number(s, "successes");
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_THROTTLE;
  c.accept_ppm = ppm(number(s, go ? "success_rate_threshold" : "sr_threshold"));
  c.max_reject_ppm = ppm(number(s, "max_rejection"));
  c.aggression = go ? 1 : (uint32_t)number(s, "aggression");
  c.min_requests = number(s, "execution_threshold") > 1 ? (uint32_t)number(s, "execution_threshold") : 1;
  int32_t want = ppm(number(s, "expect"));
  int32_t pure = ttb_limiter_reject_ppm(n, good, c.accept_ppm, c.aggression, c.max_reject_ppm);
  if (pure < want - 1 || pure > want + 1) return no(r, "%d ppm, expected %d", pure, want);

  if (ttb_limiter_new(&r->l, &c, NULL) < 0) return no(r, "config");
  int64_t t = ttb_limiter_acquire(&r->l, 0, 0, r->now);
  for (uint32_t i = 0; i < n; i++)
    (void)ttb_limiter_report(&r->l, t, i < good ? TTB_SUCCESS : TTB_FAILURE, r->now);
  int32_t told = info(r).reject_ppm;
  ttb_limiter_free(&r->l);
  return told == pure || no(r, "a limiter says %d ppm, the formula %d", told, pure);
}

static bool deposit_then_try(run *r, const json_t *s) {
  int retries = 0, n = (int)number(s, "n");
  for (int i = 0; i < n; i++) {
    (void)ttb_limiter_acquire(&r->l, 0, 0, r->now);
    retries += ttb_limiter_acquire(&r->l, 0, 1, r->now) >= 0;
  }
  return fabs(retries - number(s, "expect_retries")) <= number(s, "tolerance") ||
         no(r, "%d retries", retries);
}

static bool withdraw(run *r, bool expect, int n) {
  for (int i = 0; i < n; i++) {
    int64_t t = ttb_limiter_acquire(&r->l, 0, 1, r->now);
    if ((t >= 0) != expect) return no(r, "retry %d: %s", i + 1, t < 0 ? ttb_errname((int32_t)t) : "granted");
  }
  return true;
}

static bool reports(run *r, int32_t outcome, int n) {
  int64_t t = ttb_limiter_acquire(&r->l, 0, 0, r->now);
  for (int i = 0; i < n; i++)
    if (ttb_limiter_report(&r->l, t, outcome, r->now) != TTB_OK) return no(r, "report");
  return true;
}

/* So many calls at once; one of them is the sample, the others say nothing. */
static bool sample(run *r, const json_t *s) {
  static int64_t ticket[8192];
  uint32_t inflight = (uint32_t)number(s, "inflight"), n = 0;
  bool drop = json_is_true(json_object_get(s, "drop"));
  do {
    ticket[n] = ttb_limiter_acquire(&r->l, 0, 0, r->now);
  } while (ticket[n] >= 0 && ++n < inflight);
  if (n == 0) return no(r, "refused");
  r->now += (uint64_t)(number(s, "rtt_ms") * 1e6);
  for (uint32_t i = 0; i < n; i++) {
    int32_t outcome = i > 0 ? TTB_CANCELLED : drop ? TTB_FAILURE : TTB_SUCCESS;
    if (ttb_limiter_report(&r->l, ticket[i], outcome, r->now) != TTB_OK) return no(r, "report");
  }
  uint32_t limit = info(r).limit;
  return limit == (uint32_t)number(s, "expect_limit") || no(r, "limit %u", limit);
}

/* Netflix's ExpAvgMeasurement is the long average of gradient2. */
static bool average(run *r, const json_t *s) {
  ttb__limit_sample x = {.latency = (uint64_t)(number(s, "add") * 1000)};
  ttb__limit_gradient2(&r->params, &r->state, &x);
  double got = (double)ttb__limit_gradient2_long(r->state.a) / 1000;
  return fabs(got - number(s, "expect")) <= number(s, "tol") || no(r, "%f", got);
}

static bool envoy_limit(run *r, const json_t *s) {
  ttb__limit_state state = {.limit = (uint64_t)number(s, "limit") << 32,
                            .a = (uint64_t)number(s, "min_rtt_us") * 64,
                            .b = 31000}; /* the next measurement is far away */
  ttb__limit_sample x = {.latency = (uint64_t)number(s, "sample_rtt_us") * 64, .now_ms = 1000};
  ttb__limit_gradient(&r->params, &state, &x);
  return state.limit == (uint64_t)number(s, "expect") << 32 ||
         no(r, "limit %f", (double)state.limit / 4294967296.0);
}

static bool max_retries(run *r, const json_t *s) {
  static int64_t ticket[8192];
  uint32_t n = (uint32_t)(number(s, "active") + number(s, "pending"));
  for (uint32_t i = 0; i < n; i++)
    if ((ticket[i] = ttb_limiter_acquire(&r->l, 0, 0, r->now)) < 0) return no(r, "refused");
  uint32_t most = info(r).limit;
  for (uint32_t i = 0; i < n; i++)
    if (ttb_limiter_report(&r->l, ticket[i], TTB_SUCCESS, r->now) != TTB_OK) return no(r, "report");
  return most == (uint32_t)number(s, "expect") || no(r, "%u", most);
}

static bool do_step(run *r, const json_t *s) {
  const char *op = text(s, "op");
  int n = has(s, "n") ? (int)number(s, "n") : 1;
  bool expect = json_is_true(json_object_get(s, "expect"));
  if (strcmp(op, "at") == 0) {
    r->now = UINT64_C(3600000) * MS + (uint64_t)number(s, "ms") * MS;
    return only(r, s, " op ms ");
  }
  if (strcmp(op, "reject_probability") == 0) return reject_probability(r, s);
  if (strcmp(op, "deposit_then_try") == 0)
    return only(r, s, " op n expect_retries tolerance ") && deposit_then_try(r, s);
  if (strcmp(op, "sample") == 0)
    return only(r, s, " op rtt_ms inflight drop expect_limit ") && sample(r, s);
  if (strcmp(op, "avg") == 0) return only(r, s, " op add expect tol ") && average(r, s);
  if (strcmp(op, "envoy_limit") == 0)
    return only(r, s, " op limit min_rtt_us sample_rtt_us expect ") && envoy_limit(r, s);
  if (strcmp(op, "max_retries") == 0)
    return only(r, s, " op active pending expect ") && max_retries(r, s);
  if (!only(r, s, " op n expect ")) return false;
  if (strcmp(op, "withdraw") == 0) return withdraw(r, expect, n);
  if (strcmp(op, "deposit") == 0) {
    for (int i = 0; i < n; i++)
      if (ttb_limiter_acquire(&r->l, 0, 0, r->now) < 0) return no(r, "a first attempt was refused");
    return true;
  }
  if (strcmp(op, "balance") == 0) {
    int64_t whole = info(r).balance_ppm / 1000000;
    return whole == (int64_t)number(s, "expect") || no(r, "balance %lld", (long long)whole);
  }
  if (strcmp(op, "tokens") == 0) {
    int64_t left = info(r).balance_ppm;
    return left == ppm(number(s, "expect")) || no(r, "%lld millionths", (long long)left);
  }
  if (strcmp(op, "fail") == 0) return reports(r, TTB_FAILURE, n);
  if (strcmp(op, "ok") == 0) return reports(r, TTB_SUCCESS, n);
  if (strcmp(op, "retry_allowed") == 0) {
    int32_t code = ttb_limiter_peek(&r->l, 0, 1, r->now);
    return (code == TTB_OK) == expect || no(r, "%s", ttb_errname(code));
  }
  return no(r, "the step is not known");
}

bool limits_scenario(const json_t *scenario) {
  run r = {.now = UINT64_C(3600000) * MS};
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
  ttb_limiter_free(&r.l);
  return ok && json_array_size(steps) > 0;
}
