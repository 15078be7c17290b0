/* SPDX-License-Identifier: MIT */
/* erlang: B, C, mean wait, servers for a waiting probability and for a tail of
 * the wait. availability_math: chains, groups, k of n, like and unlike; there
 * p and availability are of being up. */
#include "plan_cases.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <trimtab/plan.h>

bool plan_has_set(const char *set) {
  return !strcmp(set, "erlang") || !strcmp(set, "availability_math");
}

static double number(const json_t *o, const char *key) {
  const json_t *v = json_object_get(o, key);
  return v ? json_number_value(v) : NAN;
}

/* A number that is not there is a NaN: close to nothing. */
static bool is_close(const char *what, double got, double expected, double by, char *why,
                     size_t n) {
  if (fabs(got - expected) <= by) return true;
  snprintf(why, n, "%s is %.17g, not %.17g", what, got, expected);
  return false;
}

static bool erlang(const json_t *one, char *why, size_t n) {
  const json_t *expect = json_object_get(one, "expect");
  const char *op = json_string_value(json_object_get(one, "op"));
  double load = number(one, "load"), b = NAN, c = NAN, w = NAN, e;
  if (op && !strcmp(op, "erlang")) {
    uint32_t servers = (uint32_t)json_integer_value(json_object_get(one, "servers"));
    if (ttb_plan_erlang_b(load, servers, &b) < 0 || ttb_plan_erlang_c(load, servers, &c) < 0 ||
        ttb_plan_wait(load, servers, &w) < 0)
      return snprintf(why, n, "refused"), false;
    e = number(expect, "erlang_b");
    if (!is_close("B", b, e, e * 1e-12, why, n)) return false;
    e = number(expect, "erlang_c");
    if (!is_close("C", c, e, e * 1e-12, why, n)) return false;
    e = number(expect, "mean_wait_in_service_times");
    return is_close("mean wait", w, e, e * 1e-12, why, n);
  }
  bool tail = op && !strcmp(op, "min_servers_wait_tail");
  if (!tail && !(op && !strcmp(op, "min_servers_pwait")))
    return snprintf(why, n, "unknown op"), false;
  int32_t servers = ttb_plan_servers(load, tail ? number(one, "t_service") : 0, number(one, "p"));
  if (!is_close("servers", servers, number(expect, "servers"), 0, why, n)) return false;
  if (tail) return true;
  /* The beta that this many servers amount to. */
  e = number(expect, "sqrt_staffing_beta");
  return is_close("beta", (servers - load) / sqrt(load), e, 1e-12 * fmax(1, fabs(e)), why, n);
}

static bool availability(const json_t *one, char *why, size_t n) {
  const char *kind = json_string_value(json_object_get(one, "kind"));
  const json_t *p = json_object_get(one, "p");
  double downs[TTB_PLAN_MAX_UNLIKE], down = NAN;
  uint32_t count = (uint32_t)json_array_size(p);
  uint32_t k = (uint32_t)json_integer_value(json_object_get(one, "k"));
  int32_t code = TTB_ERR_UNSUPPORTED;
  if (!kind || count > TTB_PLAN_MAX_UNLIKE) return snprintf(why, n, "no kind, or too many"), false;
  for (uint32_t i = 0; i < count; i++) downs[i] = 1 - json_number_value(json_array_get(p, i));
  if (!strcmp(kind, "series")) code = ttb_plan_series(downs, count, &down);
  else if (!strcmp(kind, "parallel")) code = ttb_plan_parallel(downs, count, &down);
  else if (!strncmp(kind, "k_of_n", 6) && json_is_array(p))
    code = ttb_plan_k_of_unlike(downs, count, k, &down);
  else if (!strcmp(kind, "k_of_n"))
    code = ttb_plan_k_of_n((uint32_t)json_integer_value(json_object_get(one, "n")), k,
                           1 - number(one, "p"), 0, &down);
  if (code < 0) return snprintf(why, n, "%s: %s", kind, ttb_errname(code)), false;
  return is_close(kind, 1 - down, number(one, "availability"), 1e-14, why, n);
}

bool plan_case(const char *set, const json_t *one, char *why, size_t why_size) {
  if (why_size) *why = '\0';
  return !strcmp(set, "erlang") ? erlang(one, why, why_size) : availability(one, why, why_size);
}
