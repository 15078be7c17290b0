/* SPDX-License-Identifier: MIT */
/* The policies a trace can be replayed with: one row each, over the library's API.
 *
 * A policy sees what replay.h shows it and answers with a count; why() and detail()
 * word its last answer. Adding one is one file (or a few lines in one) and one row. */
#ifndef BACKTEST_POLICIES_H
#define BACKTEST_POLICIES_H

#include <stdio.h>

#include "manifest.h"
#include "replay.h"

/* What policies are made from. */
typedef struct setup {
  const manifest *hpa;
  /* How the load makes each metric of the manifest: of a utilisation the load with which a
   * replica is at 100 %, of the others the metric's units a unit of load; 0: left out. */
  double factor[MANIFEST_METRICS];
  double budget;      /* share of time in violation that is allowed */
  const double *load; /* the whole trace, for the policy that knows it all */
  size_t ticks;
} setup;

typedef struct policy_row {
  const char *name, *about;
  size_t bytes; /* of its state, zero at first */
  /* 0, or -1 after a complaint. */
  int32_t (*make)(void *state, const setup *s, const replay_model *m, FILE *complaints);
  int32_t (*tick)(void *state, const replay_view *v);
  /* A sentence for the last answer, one of few. */
  const char *(*why)(const void *state);
  /* More of it, in numbers; may be NULL. */
  void (*detail)(const void *state, char *ret, size_t size);
  void (*end)(void *state); /* may be NULL */
} policy_row;

extern const policy_row *const policies[];
extern const int policies_n;

/* NULL: none is called so. */
const policy_row *policy_by_name(const char *name);

extern const policy_row policy_hpa, policy_hpa_default, policy_aws_target, policy_gcp_mig,
    policy_knative, policy_double_halve, policy_double_halve_safe, policy_budget, policy_clairvoyant;

#endif
