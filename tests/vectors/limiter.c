/* SPDX-License-Identifier: MIT */
/* What peers' own suites expect of a limiter: build/tests/vectors/limiter FILE...
 *
 * A scenario is a config and steps; its profile says which kind of limiter it
 * is about. A line a failing case; a case this cannot run counts as failed. */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <trimtab/limiter.h>

static const struct {
  const char *profile, *why;
} not_offered[] = {
    {"concurrent-budget", "Envoy's budget by retries in flight"},
    {"aimd", "adaptive concurrency limits"},
    {"vegas", "adaptive concurrency limits"},
    {"expavg", "adaptive concurrency limits"},
    {"gradient2", "adaptive concurrency limits"},
    {"envoy-gradient", "adaptive concurrency limits"},
};

#define MS UINT64_C(1000000)

typedef struct run {
  ttb_limiter l;
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
  } else if (strcmp(profile, "throttle") == 0) {
    return only(r, k, " "); /* each step has a limiter of its own */
  } else {
    return no(r, "the profile '%s' is not known", profile);
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

static bool run_scenario(const json_t *scenario) {
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

static const char *left_out(const json_t *scenario) {
  for (size_t i = 0; i < sizeof not_offered / sizeof not_offered[0]; i++)
    if (strcmp(not_offered[i].profile, text(scenario, "profile")) == 0) return not_offered[i].why;
  return NULL;
}

int main(int argc, char **argv) {
  unsigned passed = 0, failed = 0, left = 0;
  for (int a = 1; a < argc; a++) {
    json_error_t error;
    json_t *root = json_load_file(argv[a], 0, &error);
    const json_t *scenarios = json_object_get(root, "scenarios");
    if (json_array_size(scenarios) == 0) {
      printf("FAILED %s: %s\n", argv[a], root ? "no scenarios" : error.text);
      failed++;
    }
    for (size_t i = 0; i < json_array_size(scenarios); i++) {
      const json_t *s = json_array_get(scenarios, i);
      if (left_out(s)) {
        printf("not offered: %s: %s\n", text(s, "id"), left_out(s));
        left++;
      } else if (run_scenario(s)) {
        passed++;
      } else {
        failed++;
      }
    }
    json_decref(root);
  }
  if (left > 0) printf("%u not offered\n", left);
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
