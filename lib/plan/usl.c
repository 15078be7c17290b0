/* SPDX-License-Identifier: MIT */
/* The universal scalability law (Gunther 1993, 2007):
 *
 *     X(n) = rate n / (1 + contention (n-1) + coherency n (n-1))
 *
 * and its fit to measurements. n / X is linear in u = n - 1 and v = n (n-1):
 *
 *     n / X = c0 + c1 u + c2 v,    rate = 1/c0, contention = c1/c0, coherency = c2/c0
 *
 * by least squares of relative errors: each residual counts by (X / n)^2.
 *
 * I1  Sums of squares are of residuals, never of the numbers themselves: first
 *     means, then differences from them; v enters by what of it u does not
 *     explain (Frisch and Waugh 1933). Numbers are scaled to the largest first.
 * I2  The best without negative c1 and c2 is the best of those of {u, v}, {u},
 *     {v}, {} that have none: the problem is convex. */
#include "plan.h"

#include <math.h>

#include "../base/fp.h" /* sqrt: the one function of libm here, rounded alike everywhere */

/* A coherency below this changes nothing that a double could show. */
#define NONE 1e-60

typedef struct law {
  double rate, contention, coherency;
} law;

static bool is_law(law l) {
  return ttb__is_amount(l.rate) && ttb__within(l.contention, 0, TTB_PLAN_HUGE) &&
         ttb__within(l.coherency, 0, TTB_PLAN_HUGE);
}

static double at(law l, double n) {
  return l.rate * n / (1 + l.contention * (n - 1) + l.coherency * n * (n - 1));
}

int32_t ttb_plan_usl_throughput(double rate, double contention, double coherency, uint32_t n,
                                double *ret) {
  law l = {rate, contention, coherency};
  if (!ret) return TTB_ERR_MISUSE;
  if (!is_law(l) || n < 1 || n > TTB_PLAN_MAX) return TTB_ERR_RANGE;
  *ret = ttb__not_tiny(at(l, n));
  return TTB_OK;
}

/* ---- the most it can do ---- */

static bool is_past_peak(uint32_t n, const void *about) {
  const law *l = about;
  return l->coherency * n * (n + 1.0) >= 1 - l->contention;
}

static int32_t peak_of(law l) { return ttb__smallest(1, TTB_PLAN_MAX, is_past_peak, &l); }

int32_t ttb_plan_usl_peak(double contention, double coherency) {
  law l = {1, contention, coherency};
  return is_law(l) ? peak_of(l) : TTB_ERR_RANGE;
}

int32_t ttb_plan_usl_limit(double rate, double contention, double coherency, double *ret) {
  law l = {rate, contention, coherency};
  if (!ret) return TTB_ERR_MISUSE;
  if (!is_law(l)) return TTB_ERR_RANGE;
  int32_t peak = peak_of(l);
  double most = rate;
  if (peak > 0) most = at(l, peak);
  else if (coherency > NONE) most = at(l, sqrt((1 - contention) / coherency));
  else if (contention > 0) most = rate / contention;
  else return TTB_LIMIT;
  if (most > rate * TTB_PLAN_MAX) return TTB_LIMIT;
  *ret = ttb__not_tiny(most);
  return TTB_OK;
}

typedef struct wish {
  law l;
  double throughput;
} wish;

static bool is_met(uint32_t n, const void *about) {
  const wish *w = about;
  return at(w->l, n) >= w->throughput;
}

/* Throughput grows up to the peak and never after it. */
int32_t ttb_plan_usl_replicas(double rate, double contention, double coherency, double throughput) {
  wish w = {{rate, contention, coherency}, throughput * (1 - TTB__PLAN_SLACK)};
  if (!is_law(w.l) || !ttb__is_amount(throughput)) return TTB_ERR_RANGE;
  int32_t peak = peak_of(w.l);
  return ttb__smallest(1, peak > 0 ? peak : TTB_PLAN_MAX, is_met, &w);
}

/* ---- fit ---- */

typedef struct data {
  const double *n, *x;
  uint32_t count;
  double n_max, y_max; /* scales: u and v then lie within 0..1, y = n / X too */
} data;

/* What there is to be explained, and what may explain it. */
enum { U, V, Y };

static double value(const data *d, int which, uint32_t i) {
  double n = d->n[i], u = (n - 1) / d->n_max;
  return which == U ? u : which == V ? u * (n / d->n_max) : n / d->x[i] / d->y_max;
}

/* a = intercept + slope * b, by least squares. */
typedef struct line {
  double intercept, slope;
} line;

static double weight(const data *d, uint32_t i) {
  double y = value(d, Y, i);
  return 1 / (y * y);
}

static double mean_of(const data *d, int which) {
  double sum = 0, weights = 0;
  for (uint32_t i = 0; i < d->count; i++) {
    sum += weight(d, i) * value(d, which, i);
    weights += weight(d, i);
  }
  return sum / weights;
}

static line line_of(const data *d, int a, int b) {
  double ma = mean_of(d, a), mb = mean_of(d, b), ab = 0, bb = 0;
  for (uint32_t i = 0; i < d->count; i++) {
    double db = value(d, b, i) - mb, w = weight(d, i) * db;
    ab += (value(d, a, i) - ma) * w;
    bb += db * w;
  }
  double slope = bb > 0 ? ab / bb : 0;
  return (line){ma - slope * mb, slope};
}

typedef struct fit {
  double c[3]; /* of 1, u, v; scaled */
} fit;

/* How far a fit is off: the sum of squares of relative errors. BROKEN, and more
 * than any, if it breaks a constraint. */
#define BROKEN 1e300
static double misfit(const data *d, fit f) {
  double sum = 0;
  if (!(f.c[0] > 0 && f.c[1] >= 0 && f.c[2] >= 0)) return BROKEN;
  for (uint32_t i = 0; i < d->count; i++) {
    double r = value(d, Y, i) - f.c[0] - f.c[1] * value(d, U, i) - f.c[2] * value(d, V, i);
    sum += r * r * weight(d, i);
  }
  return sum;
}

/* By u and v; broken, if v does not tell more than u within what a double shows. */
static fit whole_fit(const data *d) {
  line yu = line_of(d, Y, U), vu = line_of(d, V, U);
  double ye = 0, ee = 0, vv = 0;
  for (uint32_t i = 0; i < d->count; i++) {
    double u = value(d, U, i), v = value(d, V, i), e = v - vu.intercept - vu.slope * u;
    ye += (value(d, Y, i) - yu.intercept - yu.slope * u) * e * weight(d, i);
    ee += e * e * weight(d, i);
    vv += v * v * weight(d, i);
  }
  if (ee <= 1e-24 * vv) return (fit){{0}};
  double c2 = ye / ee;
  return (fit){{yu.intercept - c2 * vu.intercept, yu.slope - c2 * vu.slope, c2}};
}

/* Fills in the scales; *ret_kinds is how many different n there are: 1, 2, 3
 * for more. */
static bool read_data(data *d, uint32_t *ret_kinds) {
  double first = 0, second = 0;
  *ret_kinds = 0;
  for (uint32_t i = 0; i < d->count; i++) {
    double n = d->n[i], x = d->x[i];
    if (!ttb__within(n, 1, TTB_PLAN_MAX)) return false;
    if (!ttb__within(x, 1 / TTB_PLAN_HUGE, TTB_PLAN_HUGE)) return false;
    if (n > d->n_max) d->n_max = n;
    if (n / x > d->y_max) d->y_max = n / x;
    if (i == 0) first = n, *ret_kinds = 1;
    else if (*ret_kinds == 1 && n != first) second = n, *ret_kinds = 2;
    else if (*ret_kinds == 2 && n != first && n != second) *ret_kinds = 3;
  }
  return true;
}

int32_t ttb_plan_usl_fit(const double *replicas, const double *throughputs, uint32_t count,
                         double *ret_rate, double *ret_contention, double *ret_coherency) {
  if (!replicas || !throughputs || !ret_rate || !ret_contention || !ret_coherency)
    return TTB_ERR_MISUSE;
  data d = {.n = replicas, .x = throughputs, .count = count};
  uint32_t kinds;
  if (count < 2 || count > TTB_PLAN_MAX || !read_data(&d, &kinds) || kinds < 2)
    return TTB_ERR_RANGE;
  line yu = line_of(&d, Y, U), yv = line_of(&d, Y, V);
  const fit tries[] = {{{mean_of(&d, Y), 0, 0}},
                       {{yu.intercept, yu.slope, 0}},
                       {{yv.intercept, 0, yv.slope}},
                       whole_fit(&d)};
  fit best = tries[0];
  double least = misfit(&d, best);
  for (int i = 1; i < 4; i++) {
    double off = misfit(&d, tries[i]);
    if (off >= least) continue;
    best = tries[i];
    least = off;
    if (kinds == 2) break; /* it goes through both points: Amdahl's law, if that will do */
  }
  law l = {1 / (best.c[0] * d.y_max), best.c[1] / best.c[0] / d.n_max,
           best.c[2] / best.c[0] / d.n_max / d.n_max};
  if (!is_law(l)) return TTB_ERR_RANGE;
  *ret_rate = l.rate;
  *ret_contention = l.contention;
  *ret_coherency = l.coherency;
  return TTB_OK;
}
