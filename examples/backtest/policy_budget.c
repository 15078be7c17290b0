/* SPDX-License-Identifier: MIT */
/* The violation budget: told what a replica does and what may be missed, nothing else. */
#include "policies.h"

#include <math.h>
#include <string.h>
#include <trimtab/budget.h>

typedef struct budget {
  ttb_budget b;
  double capacity;
  ttb_budget_decision d;
} budget;

/* Loads in thousandths of a replica at 100 %, whatever the trace's unit. */
#define REPLICA INT64_C(1000000)

static int32_t make(void *state, const setup *s, const replay_model *m, FILE *complaints) {
  budget *b = state;
  ttb_budget_config c = TTB_CONFIG(ttb_budget_config);
  c.replica_milli = REPLICA;
  c.budget_ppm = (int32_t)lround(s->budget * 1e6);
  c.limit_ppm = (int32_t)lround(m->limit * 1e6);
  c.min_replicas = m->min > 0 ? m->min : TTB_OFF;
  c.max_replicas = m->max;
  c.startup_ms = m->startup_s > 0 ? (uint32_t)(m->startup_s * 1000) : 1;
  c.tick_ms = (uint32_t)(m->tick_s * 1000);
  if (m->signal == REPLAY_CAPPED) c.flags = TTB_BUDGET_CAPPED;
  if (ttb_budget_new(&b->b, &c, NULL) < 0) {
    ttb_detail detail = TTB_CONFIG(ttb_detail);
    char words[200];
    (void)ttb_budget_check(&c, &detail);
    ttb_detail_format(&detail, words, sizeof words);
    fprintf(complaints, "no budget for this: %s\n", words);
    return -1;
  }
  b->capacity = m->capacity;
  b->d = TTB_CONFIG(ttb_budget_decision);
  return 0;
}

static int32_t tick(void *state, const replay_view *v) {
  budget *b = state;
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  s.load_milli = (int64_t)fmin(v->newest / b->capacity * (double)REPLICA, 9e18);
  s.current = v->current;
  s.serving = v->serving;
  int32_t code = ttb_budget_tick(&b->b, 0, &s, v->now_ns, &b->d);
  return code < 0 ? code : b->d.desired;
}

static const char *why(const void *state) { return ttb_budget_reason(((const budget *)state)->d.reason); }

static void detail(const void *state, char *ret, size_t size) {
  const ttb_budget_decision *d = &((const budget *)state)->d;
  snprintf(ret, size, "the load needs %.1f, with headroom %d (by %s)", d->demand_milli / 1000.0, d->needed,
           ttb_budget_arm(d->arm));
}

static void end(void *state) { ttb_budget_free(&((budget *)state)->b); }

const policy_row policy_budget = {
    .name = "budget",
    .about = "told the start-up time and how much violation is allowed (--budget), and nothing else",
    .bytes = sizeof(budget),
    .make = make,
    .tick = tick,
    .why = why,
    .detail = detail,
    .end = end,
};
