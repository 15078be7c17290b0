/* SPDX-License-Identifier: MIT */
/* Policies the violation budget is measured against. Each has one knob, the
 * utilisation it aims at, which the tables tune in hindsight.
 *
 * The HPAs are the library's own engine; the others are models after what their
 * vendors document, in plain double. */
#ifndef TESTS_SIM_BUDGET_BASELINES_H
#define TESTS_SIM_BUDGET_BASELINES_H

#include "../../../examples/backtest/replay.h"

#include <trimtab/autoscaler.h>

typedef struct baseline {
  double target; /* utilisation aimed at, 0..1: set before the run */
  const struct baseline_kind *kind;
  replay_model model;
  ttb_autoscaler hpa;
  size_t seen;
  double load[64];       /* newest sample of the last ticks, by tick modulo 64 */
  int32_t panic_peak;    /* Knative */
  size_t panic_until;
  size_t quiet_from;     /* AWS: no further action before this tick */
  double level, trend;   /* Holt-Winters */
  double season[288];
  double bucket_sum;
} baseline;

typedef struct baseline_kind {
  const char *name;
  const char *what; /* one line for tables */
  int32_t (*init)(baseline *b);
  int32_t (*tick)(baseline *b, const replay_view *v);
} baseline_kind;

#define BASELINES 9
extern const baseline_kind baseline_kinds[BASELINES];

/* A policy that runs kind at target with b as its state; baseline_end after it. */
replay_policy baseline_policy(baseline *b, const baseline_kind *kind, double target);
void baseline_end(baseline *b);

#endif
