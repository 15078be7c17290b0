/* SPDX-License-Identifier: MIT */
/* plan against other ways to the same numbers: sums over all subsets, the plain
 * recursion in long double, integers; and what must rise, fall or undo itself. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <trimtab/plan.h>

#include "check.h"

/* What references are computed with: more than double where that is not
 * software. */
#if LDBL_MANT_DIG == 113
typedef double wide;
#else
typedef long double wide;
#endif

/* min..max, evenly by its logarithm. */
static double spread(check *c, double min, double max) {
  double part = (double)(check_rand(c) >> 11) * 0x1p-53;
  return min * pow(max / min, part);
}

/* A multiple of 2^-20, so that its complement is exact; often small. */
static double share(check *c) {
  return (double)check_below(c, UINT64_C(2) << check_below(c, 20)) * 0x1p-20;
}

static bool close_to(double got, wide expected, double part) {
  if (expected < 2e-290 && got < 2e-290) return true; /* TTB_PLAN_TINY comes out as 0 */
  return fabs((double)(got - expected)) <= fabs((double)expected) * part;
}

/* ---- availability ---- */

static double k_of_n(check *c, uint32_t n, uint32_t k, double down, double common) {
  double d = NAN;
  int32_t code = ttb_plan_k_of_n(n, k, down, common, &d);
  CHECK(c, code == TTB_OK && d >= 0 && d <= 1, "%u of %u at %a, %a: %d, %g", k, n, down, common,
        code, d);
  return d;
}

/* How likely fewer than k of n are up, by adding one server after the other. */
static wide added_up(uint32_t n, uint32_t k, double down) {
  wide p[65] = {1}, sum = 0;
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t s = i + 2; s-- > 0;)
      p[s] = p[s] * down + (s > 0 ? p[s - 1] * (1 - (wide)down) : 0);
  for (uint32_t s = 0; s < k; s++) sum += p[s];
  return sum;
}

static void property_k_of_n(check *c) {
  check_property_slow(c, "k of n is the sum over how many are up", 10);
  while (check_step(c)) {
    uint32_t n = (uint32_t)check_between(c, 1, 64), k = (uint32_t)check_between(c, 0, n);
    double q = share(c), common = check_chance(c, 1, 2) ? share(c) : 0;
    if (q > 1) q = 1;
    if (common > 1) common = 1;
    double d = k_of_n(c, n, k, q, 0);
    CHECK(c, close_to(d, added_up(n, k, q), 1e-11), "%u of %u at %a: %.17g, not %.17g", k, n, q, d,
          (double)added_up(n, k, q));
    wide all = (wide)q * common;
    wide own = q < 1 ? (q - all) / (1 - all) : 1;
    wide both = k ? all + (1 - all) * added_up(n, k, (double)own) : 0;
    d = k_of_n(c, n, k, q, common);
    CHECK(c, close_to(d, both, 1e-11), "%u of %u at %a, common %a: %.17g, not %.17g", k, n, q,
          common, d, (double)both);
  }
}

static void property_k_of_n_order(check *c) {
  check_property_slow(c, "k of n: more needed, more down, fewer servers: down for longer", 20);
  while (check_step(c)) {
    uint32_t n = (uint32_t)spread(c, 1, 5000), k = (uint32_t)check_between(c, 1, n);
    double q = share(c);
    if (q > 0.99) q = 0.99;
    double d = k_of_n(c, n, k, q, 0), slack = 1 + 1e-10;
    CHECK(c, d <= k_of_n(c, n, k < n ? k + 1 : k, q, 0) * slack, "k %u of %u at %a", k, n, q);
    CHECK(c, d <= k_of_n(c, n, k, q + 0x1p-7, 0) * slack, "q: %u of %u at %a", k, n, q);
    CHECK(c, k_of_n(c, n + 1, k, q, 0) <= d * slack, "n: %u of %u at %a", k, n, q);
    /* Fewer than k up, or n-k+1 up: the other way round it is the rest. */
    double rest = k_of_n(c, n, n - k + 1, 1 - q, 0);
    CHECK(c, fabs(d + rest - 1) < 1e-10, "%u of %u at %a: %g and %g", k, n, q, d, rest);
    /* Much in common: never better than what is in common. */
    double common = k_of_n(c, n, k, q, 0.25);
    CHECK(c, common >= q * 0.25 * (1 - 1e-15), "%u of %u at %a: %g", k, n, q, common);
  }
}

static void property_unlike(check *c) {
  check_property_slow(c, "unlike servers: the sum over all subsets", 200);
  while (check_step(c)) {
    double q[10], d;
    uint32_t n = (uint32_t)check_between(c, 1, 10), k = (uint32_t)check_between(c, 0, n);
    wide expected = 0;
    for (uint32_t i = 0; i < n; i++) q[i] = fmin(share(c), 1);
    for (uint32_t set = 0; set < 1u << n; set++) {
      wide p = 1;
      uint32_t up = 0;
      for (uint32_t i = 0; i < n; i++) {
        up += set >> i & 1;
        p *= set >> i & 1 ? 1 - (wide)q[i] : q[i];
      }
      if (up < k) expected += p;
    }
    CHECK(c, ttb_plan_k_of_unlike(q, n, k, &d) == TTB_OK, "code");
    CHECK(c, close_to(d, expected, 1e-12), "%u of %u: %.17g, not %.17g", k, n, d,
          (double)expected);
    double chain, group, one, all;
    CHECK(c, ttb_plan_series(q, n, &chain) == TTB_OK && ttb_plan_parallel(q, n, &group) == TTB_OK,
          "code");
    CHECK(c, ttb_plan_k_of_unlike(q, n, n, &all) == TTB_OK &&
                 ttb_plan_k_of_unlike(q, n, 1, &one) == TTB_OK, "code");
    CHECK(c, close_to(chain, all, 1e-12) && close_to(group, one, 1e-12), "%g %g, %g %g", chain, all,
          group, one);
  }
}

static void property_replicas(check *c) {
  check_property_slow(c, "replicas: enough, and one less is not", 1000);
  while (check_step(c)) {
    uint32_t k = (uint32_t)spread(c, 1, 3000);
    double q = fmin(share(c), 0.9), common = check_chance(c, 1, 2) ? 0.05 : 0;
    double target = spread(c, 1e-12, 0.5);
    int32_t n = ttb_plan_replicas(k, q, common, target);
    if (n == TTB_LIMIT) {
      CHECK(c, q * common > target * (1 - 1e-9), "no n for %u at %a, %g", k, q, target);
      continue;
    }
    CHECK(c, n >= (int32_t)k, "%d for %u", n, k);
    if (n < (int32_t)k) continue;
    CHECK(c, k_of_n(c, (uint32_t)n, k, q, common) <= target, "%d is too few for %u", n, k);
    if (n > (int32_t)k)
      CHECK(c, k_of_n(c, (uint32_t)n - 1, k, q, common) > target, "%d is too many for %u", n, k);
  }
}

static void property_downtime(check *c) {
  check_property(c, "downtime and back");
  while (check_step(c)) {
    double d = fmin(share(c), 1), s, back = NAN;
    CHECK(c, ttb_plan_downtime(d, &s) == TTB_OK && ttb_plan_down(s, &back) == TTB_OK, "code");
    CHECK(c, close_to(back, d, 1e-15), "%a, %a", d, back);
  }
}

/* ---- capacity: whole numbers, by integers ---- */

static void property_capacity(check *c) {
  check_property(c, "servers, costs and spares are those of integer arithmetic");
  while (check_step(c)) {
    int64_t load = check_between(c, 0, 100000), capacity = check_between(c, 1, 5000);
    int64_t spares = check_between(c, 0, 20), price = check_between(c, 1, 4000), n, most;
    int64_t budget = check_between(c, 0, 10000000);
    double cost;
    n = (load + capacity - 1) / capacity;
    CHECK(c, ttb_plan_n_plus_k((double)load, (double)capacity, (uint32_t)spares) == n + spares,
          "%d for %d", (int)load, (int)capacity);
    /* In another unit: tenths are no doubles. */
    CHECK(c, ttb_plan_n_plus_k((double)load * 0.1, (double)capacity * 0.1, 0) == n,
          "tenths: %d for %d", (int)load, (int)capacity);
    CHECK(c, ttb_plan_cost((double)load, (double)capacity, (uint32_t)spares, (double)price,
                           &cost) == TTB_OK && cost == (double)((n + spares) * price), "cost");
    most = budget / price - n;
    int32_t got = ttb_plan_spares((double)load, (double)capacity, (double)price, (double)budget);
    CHECK(c, got == (most < 0 ? TTB_LIMIT : most), "%d spares, not %d", got, (int)most);
    uint32_t all = (uint32_t)check_between(c, 1, 10000), f = (uint32_t)check_below(c, all);
    double safe, full = NAN;
    CHECK(c, ttb_plan_safe_utilisation(all, f, &safe) == TTB_OK &&
                 ttb_plan_utilisation_after(all, f, safe, &full) == TTB_OK, "code");
    CHECK(c, close_to(full, 1, 1e-15), "%u of %u: %.17g", f, all, full);
  }
}

/* ---- the law ---- */

typedef struct law {
  double rate, contention, coherency;
} law;

static law some_law(check *c) {
  law l = {spread(c, 1e-3, 1e6), 0, 0};
  if (check_chance(c, 3, 4)) l.contention = spread(c, 1e-6, 1);
  if (check_chance(c, 3, 4)) l.coherency = spread(c, 1e-12, 0.1);
  return l;
}

static double at(check *c, law l, uint32_t n) {
  double x = NAN;
  CHECK(c, ttb_plan_usl_throughput(l.rate, l.contention, l.coherency, n, &x) == TTB_OK, "n %u", n);
  return x;
}

static void property_law(check *c) {
  check_property_slow(c, "the law: peak, limit and replicas are those of its values", 5);
  while (check_step(c)) {
    law l = some_law(c);
    double limit = INFINITY, slack = 1 + 1e-12;
    int32_t peak = ttb_plan_usl_peak(l.contention, l.coherency);
    int32_t code = ttb_plan_usl_limit(l.rate, l.contention, l.coherency, &limit);
    CHECK(c, code == TTB_OK || (code == TTB_LIMIT && l.contention < 1e-6 && l.coherency < 1e-13),
          "no limit with %g, %g", l.contention, l.coherency);
    uint32_t n = (uint32_t)spread(c, 1, TTB_PLAN_MAX);
    double x = at(c, l, n);
    CHECK(c, x <= limit * slack, "%g at %u is above %g", x, n, limit);
    if (peak > 0) {
      double top = at(c, l, (uint32_t)peak);
      CHECK(c, x <= top * slack, "%g at %u, %g at the peak %d", x, n, top, peak);
      CHECK(c, close_to(limit, top, 1e-14), "limit %g, peak %g", limit, top);
      CHECK(c, at(c, l, (uint32_t)peak + 1) <= top * slack, "more at %d", peak + 1);
    } else {
      CHECK(c, at(c, l, TTB_PLAN_MAX - 1) <= at(c, l, TTB_PLAN_MAX) * slack, "falls");
    }
    double wanted = x * check_between(c, 50, 150) / 100;
    int32_t need = ttb_plan_usl_replicas(l.rate, l.contention, l.coherency, wanted);
    if (need == TTB_LIMIT) {
      CHECK(c, at(c, l, peak > 0 ? (uint32_t)peak : TTB_PLAN_MAX) < wanted, "it is reached");
      continue;
    }
    CHECK(c, need >= 1 && (peak < 0 || need <= peak), "%d", need);
    CHECK(c, at(c, l, (uint32_t)need) >= wanted * (1 - 1.1e-9), "%d is too few", need);
    if (need > 1) CHECK(c, at(c, l, (uint32_t)need - 1) < wanted, "%d is too many", need);
  }
}

/* The sum of squares of relative errors, which a fit is to make small. */
static double squares(const double *n, const double *x, uint32_t count, double c0, double c1,
                      double c2) {
  double sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    double r = c0 + c1 * (n[i] - 1) + c2 * n[i] * (n[i] - 1);
    sum += (1 - r * x[i] / n[i]) * (1 - r * x[i] / n[i]);
  }
  return sum;
}

static void property_fit(check *c) {
  check_property_slow(c, "fit: points of a law give it back; with noise nothing near fits better",
                      20);
  while (check_step(c)) {
    double n[12], x[12], noise = check_chance(c, 1, 2) ? 0 : spread(c, 1e-6, 0.3);
    uint32_t count = (uint32_t)check_between(c, 3, 12);
    law l = some_law(c), f = {NAN, NAN, NAN};
    for (uint32_t i = 0; i < count; i++) {
      n[i] = i + 1.0;
      if (check_chance(c, 1, 2)) n[i] = (double)(UINT64_C(1) << i);
      x[i] = at(c, l, (uint32_t)n[i]) * exp(noise * ((double)check_between(c, -1000, 1000) / 1e3));
    }
    n[0] = 1, n[1] = 2;
    x[0] = at(c, l, 1), x[1] = at(c, l, 2);
    int32_t code = ttb_plan_usl_fit(n, x, count, &f.rate, &f.contention, &f.coherency);
    CHECK(c, code == TTB_OK, "code %d", code);
    CHECK(c, f.rate > 0 && f.contention >= 0 && f.coherency >= 0, "%g %g %g", f.rate, f.contention,
          f.coherency);
    if (noise == 0)
      for (uint32_t i = 0; i < count; i++)
        CHECK(c, close_to(at(c, f, (uint32_t)n[i]), x[i], 1e-9), "%g at %g, not %g",
              at(c, f, (uint32_t)n[i]), n[i], x[i]);
    double c0 = 1 / f.rate, c1 = c0 * f.contention, c2 = c0 * f.coherency;
    double least = squares(n, x, count, c0, c1, c2);
    for (int i = 0; i < 8; i++) {
      double m = n[count - 1], by = c0 * spread(c, 1e-6, 1e-1);
      double d0 = by * (double)check_between(c, -1, 1);
      double d1 = by / m * (double)check_between(c, -1, 1);
      double d2 = by / m / m * (double)check_between(c, -1, 1);
      if (c0 + d0 <= 0 || c1 + d1 < 0 || c2 + d2 < 0) continue;
      double other = squares(n, x, count, c0 + d0, c1 + d1, c2 + d2);
      CHECK(c, least <= other + count * 1e-14, "%g, but %g with %g %g %g", least, other, d0, d1,
            d2);
    }
  }
}

/* ---- queues ---- */

static void property_erlang(check *c) {
  check_property_slow(c, "Erlang B and C are those of the recursion", 200);
  while (check_step(c)) {
    double a = spread(c, 1e-3, 2000), b, w, p;
    uint32_t n = (uint32_t)check_between(c, 0, 3000);
    if (check_chance(c, 1, 2)) n = (uint32_t)(a + sqrt(a) * (double)check_below(c, 20));
    wide r = 1;
    for (uint32_t j = 1; j <= n; j++) r = a * r / (j + a * r);
    CHECK(c, ttb_plan_erlang_b(a, n, &b) == TTB_OK, "code");
    CHECK(c, close_to(b, r, 1e-11), "B(%a, %u): %.17g, not %.17g", a, n, b, (double)r);
    CHECK(c, ttb_plan_erlang_c(a, n, &p) == TTB_OK, "code");
    int32_t code = ttb_plan_wait(a, n, &w);
    if (n <= a) {
      CHECK(c, p == 1 && code == TTB_LIMIT, "C(%a, %u): %g, %d", a, n, p, code);
    } else {
      wide waits = n * r / (n - a * (1 - r));
      CHECK(c, close_to(p, waits, 1e-11), "C(%a, %u): %.17g, not %.17g", a, n, p,
            (double)waits);
      CHECK(c, code == TTB_OK && close_to(w, waits / (n - a), 1e-11), "wait(%a, %u): %g", a, n, w);
    }
  }
}

static void property_erlang_order(check *c) {
  check_property_slow(c, "more servers, less load, more patience: fewer wait or are turned away",
                      100);
  while (check_step(c)) {
    double a = spread(c, 1e-3, 100000), more = a * 1.001, b[3], w[3], over, t = spread(c, 1e-6, 10);
    uint32_t n = (uint32_t)(a + sqrt(a) * (double)check_between(c, 0, 5)) + 1;
    CHECK(c, ttb_plan_erlang_b(a, n, &b[0]) == TTB_OK && ttb_plan_erlang_b(a, n + 1, &b[1]) ==
                 TTB_OK && ttb_plan_erlang_b(more, n, &b[2]) == TTB_OK, "code");
    CHECK(c, ttb_plan_erlang_c(a, n, &w[0]) == TTB_OK && ttb_plan_erlang_c(a, n + 1, &w[1]) ==
                 TTB_OK && ttb_plan_erlang_c(more, n, &w[2]) == TTB_OK, "code");
    CHECK(c, b[1] < b[0] && b[0] < b[2], "B(%a, %u): %g %g %g", a, n, b[0], b[1], b[2]);
    CHECK(c, w[1] < w[0] && w[0] <= w[2], "C(%a, %u): %g %g %g", a, n, w[0], w[1], w[2]);
    CHECK(c, b[0] <= w[0], "C(%a, %u): %g, B %g", a, n, w[0], b[0]);
    CHECK(c, ttb_plan_wait_over(a, n, t, &over) == TTB_OK, "code");
    CHECK(c, close_to(over, w[0] * exp(-(n - a) * t), 1e-11),
          "over %g: %g", t, over);
  }
}

static void property_servers(check *c) {
  check_property_slow(c, "servers: enough, and one less is not", 200);
  while (check_step(c)) {
    double a = spread(c, 1e-3, 100000), p = spread(c, 1e-9, 1), v;
    double t = check_chance(c, 1, 2) ? 0 : spread(c, 1e-4, 5);
    int32_t n = ttb_plan_servers(a, t, p), m = ttb_plan_servers_blocked(a, p);
    CHECK(c, n > a && ttb_plan_wait_over(a, (uint32_t)n, t, &v) == TTB_OK && v <= p * (1 + 1e-10),
          "%d for %a", n, a);
    if (n - 1 > a)
      CHECK(c, ttb_plan_wait_over(a, (uint32_t)n - 1, t, &v) == TTB_OK && v > p * (1 - 1e-10),
            "%d is too many for %a", n, a);
    CHECK(c, m >= 0 && ttb_plan_erlang_b(a, (uint32_t)m, &v) == TTB_OK && v <= p * (1 + 1e-10),
          "%d for %a", m, a);
    if (m > 0)
      CHECK(c, ttb_plan_erlang_b(a, (uint32_t)m - 1, &v) == TTB_OK && v > p * (1 - 1e-10),
            "%d is too many for %a", m, a);
  }
}

static void property_square_root(check *c) {
  check_property_slow(c, "square-root staffing undoes itself and is near the exact number", 500);
  while (check_step(c)) {
    double p = spread(c, 1e-200, 1), beta, back = NAN;
    CHECK(c, ttb_plan_beta(p, &beta) == TTB_OK && ttb_plan_beta_waits(beta, &back) == TTB_OK,
          "code");
    CHECK(c, close_to(back, p, 1e-10), "beta %.17g: %g, not %g", beta, back, p);
    double a = spread(c, 2, 50000), waits = spread(c, 0.005, 0.95);
    CHECK(c, ttb_plan_beta(waits, &beta) == TTB_OK, "code");
    int32_t rule = ttb_plan_square_root(a, beta), exact = ttb_plan_servers(a, 0, waits);
    CHECK(c, rule - exact <= 2 && exact - rule <= 2, "%d, exactly %d, for %g, %g", rule, exact, a,
          waits);
  }
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  property_k_of_n(&c);
  property_k_of_n_order(&c);
  property_unlike(&c);
  property_replicas(&c);
  property_downtime(&c);
  property_capacity(&c);
  property_law(&c);
  property_fit(&c);
  property_erlang(&c);
  property_erlang_order(&c);
  property_servers(&c);
  property_square_root(&c);
  return check_end(&c);
}
