/* SPDX-License-Identifier: MIT */
/* The model of replay.h.
 *
 * I1  A policy is shown nothing of the tick it decides in, or later.
 * I2  current = serving + what the ring of orders holds, before and after each
 *     step; replicas are paid while they are current. */
#include "replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

replay_model replay_defaults(void) {
  return (replay_model){.tick_s = 15, .startup_s = 60, .limit = 0.9, .timeout_s = 10, .min = 1,
                        .max = 1000};
}

/* ---- traces ---- */

static double clean(double x) { return x > 0 && x < 1e300 ? x : 0; }

size_t replay_resample(const double *value, size_t n, double step_s, double tick_s, int32_t between,
                       double **ret_load) {
  if (!value || !ret_load || n == 0 || !(step_s > 0) || !(tick_s > 0)) return 0;
  double length = (double)n * step_s / tick_s;
  if (!(length >= 1) || length > 1e9) return 0;
  size_t ticks = (size_t)length;
  double *load = malloc(ticks * sizeof *load);
  if (!load) return 0;
  for (size_t k = 0; k < ticks; k++) {
    double at = (double)k * tick_s / step_s;
    size_t i = (size_t)at < n ? (size_t)at : n - 1, j = i + 1 < n ? i + 1 : i;
    double part = between == REPLAY_HOLD ? 0 : at - (double)i;
    load[k] = clean(value[i]) * (1 - part) + clean(value[j]) * part;
  }
  *ret_load = load;
  return ticks;
}

double replay_capacity_for(const double *load, size_t ticks, double replicas) {
  double sum = 0;
  for (size_t k = 0; k < ticks; k++) sum += load[k];
  return sum > 0 && replicas > 0 ? sum / (double)ticks / replicas : 1;
}

/* ---- replicas ---- */

typedef struct fleet {
  int32_t serving, starting;
  size_t startup;                       /* in ticks */
  int32_t ordered[REPLAY_MAX_STARTUP];  /* by tick of the order, modulo startup */
} fleet;

static int32_t current(const fleet *f) { return f->serving + f->starting; }

/* Tick k begins: what was ordered `startup` ticks ago serves. */
static void begin(fleet *f, size_t k) {
  if (f->startup == 0) return;
  int32_t *due = &f->ordered[k % f->startup];
  f->serving += *due;
  f->starting -= *due;
  *due = 0;
}

static void set(fleet *f, size_t k, int32_t wanted) {
  int32_t change = wanted - current(f);
  if (f->startup == 0) {
    f->serving = wanted;
  } else if (change > 0) {
    f->ordered[k % f->startup] += change;
    f->starting += change;
  }
  /* The newest orders are the first to be taken back. */
  for (size_t age = 0; age < f->startup && change < 0; age++) {
    int32_t *order = &f->ordered[(k + f->startup - age) % f->startup];
    int32_t back = *order < -change ? *order : -change;
    *order -= back;
    f->starting -= back;
    change += back;
  }
  if (f->startup > 0 && change < 0) f->serving += change;
}

/* ---- the run ---- */

static int32_t clamp(double x, int32_t min, int32_t max) {
  return x < min ? min : x > max ? max : (int32_t)x;
}

static int32_t sign(double x) { return (x > 0) - (x < 0); }

static int sensible(const replay_model *m) {
  return m->tick_s > 0 && m->startup_s >= 0 && m->startup_s / m->tick_s < REPLAY_MAX_STARTUP - 1 &&
         m->capacity > 0 && m->limit > 0 && m->limit <= 1 && m->timeout_s >= 0 && m->min >= 0 &&
         m->max >= m->min && m->max > 0 && (m->signal == REPLAY_OFFERED || m->signal == REPLAY_CAPPED);
}

int32_t replay_run(const replay_model *m, const double *load, size_t ticks,
                   const replay_policy *policy, void (*each)(void *ctx, const replay_step *step),
                   void *ctx, replay_score *ret) {
  if (!m || !load || !policy || !policy->tick || !ret || !sensible(m)) return -1;
  if (policy->init) {
    int32_t code = policy->init(policy->ctx, m);
    if (code < 0) return code;
  }
  static const fleet none;
  fleet f = none;
  f.startup = (size_t)ceil(m->startup_s / m->tick_s);
  double first = ticks > 0 ? load[0] : 0;
  f.serving = m->initial > 0 ? clamp(m->initial, m->min, m->max)
                             : clamp(ceil(first / (0.7 * m->capacity)), m->min, m->max);

  replay_score s;
  memset(&s, 0, sizeof s);
  double seen[2] = {first, first}, use[2]; /* the signal and the utilisation, k-1 and k-2 */
  use[0] = use[1] = f.serving > 0 ? first / (f.serving * m->capacity) : 0;
  double queue = 0, offered = 0, offered_bad = 0, dropped_sum = 0, paid = 0, minimum = 0;
  int32_t before = 0, needed_before = 0, last_way = 0;

  for (size_t k = 0; k < ticks; k++) {
    begin(&f, k);
    int32_t was = current(&f);
    replay_view v = {.tick = k,
                     .now_ns = (uint64_t)(1e9 + (double)k * m->tick_s * 1e9),
                     .load = (seen[0] + seen[1]) / 2,
                     .newest = seen[0],
                     .utilisation = (use[0] + use[1]) / 2,
                     .current = was,
                     .serving = f.serving};
    int32_t wanted = policy->tick(policy->ctx, &v);
    if (wanted < 0) return wanted;
    wanted = clamp(wanted, m->min, m->max);
    set(&f, k, wanted);

    double supply = f.serving * m->capacity;
    double waits = queue + (load[k] - supply) * m->tick_s;
    double most = supply * m->timeout_s;
    double dropped = waits > most ? waits - most : 0;
    double served = supply;
    if (waits <= 0) served = load[k] + queue / m->tick_s;
    queue = waits <= 0 ? 0 : waits - dropped;
    int32_t violation = queue > 0 || dropped > 0 || load[k] > m->limit * supply;
    int32_t needed = clamp(ceil(load[k] / (m->limit * m->capacity)), m->min, m->max);

    seen[1] = seen[0], use[1] = use[0];
    seen[0] = m->signal == REPLAY_CAPPED ? served : load[k];
    use[0] = supply > 0 ? seen[0] / supply : seen[0] > 0 ? 1 : 0;

    if (k >= m->score_from) {
      int32_t change = sign(wanted - was);
      s.ticks++;
      s.violation += violation;
      offered += load[k], dropped_sum += dropped / m->tick_s;
      if (violation) offered_bad += load[k];
      paid += wanted, minimum += needed;
      s.actions += change != 0;
      s.flips += change != 0 && last_way == -change;
      if (change != 0) last_way = change;
      if (wanted > s.peak_replicas) s.peak_replicas = wanted;
      int32_t lack = needed - f.serving;
      if (needed > 0) {
        if (lack > 0) s.theta_u += (double)lack / needed;
        if (lack < 0) s.theta_o += (double)-lack / needed;
      }
      s.tau_u += lack > 0, s.tau_o += lack < 0;
      if (s.ticks > 1) s.instability += sign(f.serving - before) != sign(needed - needed_before);
    }
    before = f.serving, needed_before = needed;
    if (each) {
      replay_step step = {.view = &v, .load = load[k], .queue = queue, .dropped = dropped,
                          .replicas = wanted, .serving = f.serving, .needed = needed,
                          .violation = violation};
      each(ctx, &step);
    }
  }

  double n = s.ticks > 0 ? (double)s.ticks : 1, hours = m->tick_s / 3600;
  s.days = (double)s.ticks * m->tick_s / 86400;
  s.violation_s = s.violation * m->tick_s;
  s.violation /= n;
  s.violation_requests = offered > 0 ? offered_bad / offered : 0;
  s.dropped = offered > 0 ? dropped_sum / offered : 0;
  s.replica_hours = paid * hours, s.minimum_hours = minimum * hours;
  s.cost = minimum > 0 ? paid / minimum : 1;
  s.mean_replicas = paid / n;
  s.actions_a_day = s.days > 0 ? (double)s.actions / s.days : 0;
  s.flips_a_day = s.days > 0 ? (double)s.flips / s.days : 0;
  s.theta_u *= 100 / n, s.theta_o *= 100 / n, s.tau_u *= 100 / n, s.tau_o *= 100 / n;
  s.instability *= s.ticks > 1 ? 100 / (n - 1) : 0;
  *ret = s;
  return 0;
}
