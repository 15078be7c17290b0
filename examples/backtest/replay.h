/* SPDX-License-Identifier: MIT */
/* Replay: what an autoscaling policy would have done to a recorded load.
 *
 * A discrete model of a replicated service, one tick (15 s) at a time:
 *
 *     load of the trace --> queue --> replicas that serve
 *            |                             ^  start-up time
 *            +--- signal, late ---> policy-+
 *
 * In each tick k, in this order:
 *
 *   1. replicas ordered start-up time ago begin to serve;
 *   2. the policy is asked, and sees ticks k-1 and k-2 only. More replicas are
 *      ordered (and paid) at once; fewer are taken away at once, those that have
 *      not started yet first;
 *   3. the load of tick k is served. What the serving replicas cannot do waits in
 *      one fluid queue; what would have to wait longer than timeout_s is dropped.
 *
 * A tick is in *violation* if something waits at its end, or if its load is above
 * limit (0.9) of what serves. The *clairvoyant minimum* is the fewest replicas
 * that violate nothing: ceil(load / (limit * capacity)) in each tick, no start-up
 * time. Cost is what was paid relative to it: 1.0 cannot be beaten without
 * violation.
 *
 * The signal. REPLAY_OFFERED: the load as it arrived (a request counter at the
 * front door). REPLAY_CAPPED: what was served (CPU use), which stops at 100 % of
 * what serves and so hides how much more there was: capacity feeds back on it.
 *
 * Nothing here is random or reads a clock: the same trace and policy give the
 * same result, and a year of 15 s ticks takes about 20 ms besides the policy.
 *
 *     double *load;                                     // requests/s, a value a tick
 *     size_t ticks = replay_resample(value, n, 300, 15, REPLAY_LINEAR, &load);
 *     replay_model m = replay_defaults();
 *     m.capacity = 50;                                  // requests/s of a replica
 *     m.min = 2, m.max = 100;
 *     replay_policy p = {"mine", &state, my_init, my_tick, NULL};
 *     replay_score s;
 *     if (replay_run(&m, load, ticks, &p, NULL, NULL, &s) == 0)
 *       printf("%.2f %% of the time in violation at %.3f of the minimum\n",
 *              100 * s.violation, s.cost);
 *     free(load);
 *
 * Metrics after "Quantifying Cloud Performance and Dependability" (Herbst et al.,
 * ACM ToMPECS 2018; SPEC RG Cloud): accuracy, timeshare and instability. */
#ifndef TRIMTAB_EXAMPLES_REPLAY_H
#define TRIMTAB_EXAMPLES_REPLAY_H

#include <stddef.h>
#include <stdint.h>

/* What a policy is shown of the load. */
enum { REPLAY_OFFERED = 0, REPLAY_CAPPED = 1 };

/* What lies between two values of a trace. */
enum { REPLAY_LINEAR = 0, REPLAY_HOLD = 1 };

/* Ticks a start-up time may last at the most. */
#define REPLAY_MAX_STARTUP 4096

/* The service. Start with replay_defaults(); capacity must be set. */
typedef struct replay_model {
  double tick_s;     /* length of a tick: 15 */
  double startup_s;  /* from order to service, rounded up to ticks: 60 */
  double capacity;   /* load a replica does at 100 %, in the trace's unit a second */
  double limit;      /* share of what serves above which a tick is in violation: 0.9 */
  double timeout_s;  /* who would wait longer is dropped: 10 */
  int32_t signal;    /* REPLAY_OFFERED */
  int32_t min, max;  /* replicas: 1, 1000; a policy's answer is clamped to them */
  int32_t initial;   /* serving at the start; 0: what the first load needs at 70 % */
  size_t score_from; /* first tick that counts for the score: 0; before it policies learn */
} replay_model;

replay_model replay_defaults(void);

/* What a policy sees in tick k. Loads are in the trace's unit a second. */
typedef struct replay_view {
  size_t tick;      /* k */
  uint64_t now_ns;  /* its start; tick 0 begins at one second */
  double load;      /* the signal: mean of ticks k-1 and k-2, as a metrics pipeline shows it */
  double newest;    /* the signal of tick k-1 alone: the finest sample there is */
  double utilisation; /* load / (capacity * serving) of those two ticks: 1.0 is 100 % */
  int32_t current;  /* replicas ordered and not taken away: serving ones and starting ones */
  int32_t serving;  /* of them, those that serve now */
} replay_view;

/* A policy: init (may be NULL) before the first tick; tick returns how many
 * replicas there shall be. A negative result ends the replay and is its result. */
typedef struct replay_policy {
  const char *name;
  void *ctx;
  int32_t (*init)(void *ctx, const replay_model *model);
  int32_t (*tick)(void *ctx, const replay_view *view);
  const char *(*why)(void *ctx); /* may be NULL: words for the last answer, for people */
} replay_policy;

/* One tick as it went, for drawings and tables. */
typedef struct replay_step {
  const replay_view *view;
  double load;       /* offered in this tick, a second */
  double queue;      /* waiting at its end */
  double dropped;    /* dropped in it */
  int32_t replicas;  /* paid: what the policy wanted, clamped */
  int32_t serving;
  int32_t needed;    /* the clairvoyant minimum */
  int32_t violation; /* 0 or 1 */
} replay_step;

/* How it went, over the ticks from score_from. Shares are 0..1. */
typedef struct replay_score {
  size_t ticks;
  double days;
  double violation;          /* share of time in violation */
  double violation_s;        /* that time */
  double violation_requests; /* share of the load that came in such ticks */
  double dropped;            /* share of the load */
  double replica_hours;      /* paid */
  double minimum_hours;      /* of the clairvoyant minimum */
  double cost;               /* replica_hours / minimum_hours */
  double mean_replicas;
  int32_t peak_replicas;
  uint64_t actions, flips;   /* changes; changes against the direction of the one before */
  double actions_a_day, flips_a_day;
  /* SPEC RG: supply is what serves, demand the clairvoyant minimum. In percent. */
  double theta_u, theta_o;   /* accuracy: mean share of demand not met, supplied in excess */
  double tau_u, tau_o;       /* time share under- and over-provisioned */
  double instability;        /* time share in which they do not move the same way */
} replay_score;

/* Brings n values, each of them step_s long, to ticks of tick_s. Linear: a value
 * stands at the start of its step and the last one is held; hold: it lasts the
 * step. Returns the ticks and, in *ret_load, memory to free(); 0 if it ran out or
 * an argument makes no sense (n is 0, a length not above 0). Values that are
 * negative or no number count as 0. */
size_t replay_resample(const double *value, size_t n, double step_s, double tick_s, int32_t between,
                       double **ret_load);

/* The capacity with which the mean of a load needs so many replicas at 100 %:
 * gives traces of any unit one scale. 1 if the load is 0 throughout. */
double replay_capacity_for(const double *load, size_t ticks, double replicas);

/* Runs a policy over a load (a value a tick, not negative). each, if not NULL, is
 * called once a tick, also before score_from. Returns 0, a negative result of the
 * policy, or -1 if the model makes no sense (see replay_model). */
int32_t replay_run(const replay_model *model, const double *load, size_t ticks,
                   const replay_policy *policy, void (*each)(void *ctx, const replay_step *step),
                   void *ctx, replay_score *ret_score);

#endif
