/* SPDX-License-Identifier: MIT */
/* The list of policies, and the one that cannot be had: see policies.h. */
#include "policies.h"

#include <math.h>
#include <string.h>

/* ---- clairvoyant: knows the trace, orders in time ---- */

typedef struct clairvoyant {
  const setup *s;
  const replay_model *m;
  int32_t last, answer;
} clairvoyant;

static int32_t clairvoyant_make(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  (void)complaints;
  *(clairvoyant *)state = (clairvoyant){.s = s, .m = m};
  return 0;
}

static int32_t clairvoyant_tick(void *state, const replay_view *v) {
  clairvoyant *c = state;
  size_t ahead = v->tick + (size_t)ceil(c->m->startup_s / c->m->tick_s);
  double most = 0;
  for (size_t k = v->tick; k <= ahead && k < c->s->ticks; k++)
    if (c->s->load[k] > most) most = c->s->load[k];
  c->last = v->current;
  c->answer = (int32_t)fmin(ceil(most / (c->m->limit * c->m->capacity)), 1e9);
  return c->answer;
}

static const char *clairvoyant_why(const void *state) {
  const clairvoyant *c = state;
  return c->answer > c->last ? "the load will need it" : "no load will need it soon";
}

const policy_row policy_clairvoyant = {
    .name = "clairvoyant",
    .about = "knows the load a start-up time ahead: nobody can do better; for comparison",
    .bytes = sizeof(clairvoyant),
    .make = clairvoyant_make,
    .tick = clairvoyant_tick,
    .why = clairvoyant_why,
};

/* ---- the list ---- */

const policy_row *const policies[] = {
    &policy_hpa,
    &policy_hpa_default,
    &policy_aws_target,
    &policy_gcp_mig,
    &policy_knative,
    &policy_double_halve,
    &policy_double_halve_safe,
    &policy_budget,
    &policy_clairvoyant,
};
const int policies_n = (int)(sizeof policies / sizeof policies[0]);

const policy_row *policy_by_name(const char *name) {
  for (int i = 0; i < policies_n; i++)
    if (strcmp(policies[i]->name, name) == 0) return policies[i];
  return NULL;
}
