/* SPDX-License-Identifier: MIT */
/* Inside an autoscaler: the words of a slot, the private handle, the stages.
 *
 *     entry  = value 24 | virtual ms 40      a proposal or a change and its time
 *     queue  = head 32 | count 32            a ring of entries (stabilise.c)
 *     order  = set | from 24 | to 24         a decision not yet seen carried out
 *     result = desired 24 | proposed 24 | reason 8 | metric 8
 *     current = set | current 24
 *
 * I1  A slot has one writer at a time; every word is legal on its own, and the
 *     writes of an evaluation are ordered so that after a kill between any two
 *     the state is that of before, or that of after, or the proposal is
 *     remembered and the decision is not, or a change is booked twice.
 * I2  Nothing read from the region is used as an index, size or divisor before
 *     it was bounded by the handle's own copy of the configuration.
 * I3  40 bits of virtual ms last 34 years; 24 bits of value hold every count
 *     (TTB__MANY stands for all that are more, which decide the same). */
#ifndef TTB_LIB_AUTOSCALER_AUTOSCALER_H
#define TTB_LIB_AUTOSCALER_AUTOSCALER_H

#include "../base/fp.h"

#include "../base/atomic.h"
#include "../base/handle.h"
#include "../base/region.h"

#include <trimtab/autoscaler.h>

#define TTB__MANY 0xfffffe
#define TTB__NONE 0xffffffu /* in a result: nothing was proposed */
#define TTB__SET (UINT64_C(1) << 48)
#define TTB__COUNT UINT64_C(0xffffff)
#define TTB__ENTRY_TIME ((UINT64_C(1) << 40) - 1)
#define TTB__NO_METRIC 0xffu
/* Entries of a ring at the most: more share one. */
#define TTB__MAX_ENTRIES 16384u

/* What a handle has to look at beyond the HPA's stages. */
#define TTB__HAS_STARTUP 1u
#define TTB__HAS_SCHEDULE 2u
#define TTB__HAS_BRAKES 4u

/* The directions. */
#define TTB__UP 0u
#define TTB__DOWN 1u

typedef struct ttb__autoscaler_slot {
  ttb__a64 known; /* virtual ms of the last evaluation; 0: this slot has no past */
  ttb__a64 order, order_at;
  ttb__a64 queue[2];   /* proposals for the up and the down window */
  ttb__a64 changes[2]; /* entries used of changes up and down */
  ttb__a64 result, current;
  ttb__a64 evaluations, moves[2], held, merged;
  ttb__a64 surplus;  /* replica-ms that were not needed and are not saved yet */
  ttb__a64 stopped;  /* 1: scaled to 0 by the autoscaler itself */
  ttb__a64 entry[]; /* proposals up, proposals down, changes up, changes down */
} ttb__autoscaler_slot;
_Static_assert(sizeof(ttb__autoscaler_slot) == 128, "two lines");

/* The configuration as a region holds it: the public one without its pointers,
 * all defaults put in; the arrays follow at their full length. */
typedef struct ttb__autoscaler_stored {
  uint32_t struct_size, capacity;
  int32_t min_replicas, max_replicas, tolerance_up_ppm, tolerance_down_ppm;
  uint32_t up_window_ms;
  int32_t down_window_ms;
  uint32_t up_select, down_select, tick_ms, flags;
  uint32_t metrics_n, up_policies_n, down_policies_n;
  uint32_t combine, from_zero, startup_ms, billing_ms, action_cost_ms;
  uint32_t up_cooldown_ms, down_cooldown_ms, week_offset_s;
  uint32_t steps_n, schedule_n, reserved;
} ttb__autoscaler_stored;

typedef struct ttb__autoscaler_arrays {
  ttb_autoscaler_metric metrics[TTB_AUTOSCALER_MAX_METRICS];
  ttb_autoscaler_policy policies[2][TTB_AUTOSCALER_MAX_POLICIES];
  ttb_autoscaler_step steps[TTB_AUTOSCALER_MAX_STEPS];
  ttb_autoscaler_schedule schedule[TTB_AUTOSCALER_MAX_SCHEDULE];
} ttb__autoscaler_arrays;
_Static_assert(sizeof(ttb__autoscaler_arrays) % 64 == 0, "whole lines");

typedef struct ttb__scaled_metric {
  int64_t target, low;
  ttb__fp divisor, low_divisor; /* target, low */
  uint32_t kind, flags, method, source;
} ttb__scaled_metric;

typedef struct ttb__scaled_policy {
  ttb__fp factor; /* percent: |1 + value/100| up, |1 - value/100| down */
  int32_t value;
  uint32_t period_ms;
  uint32_t type, negative; /* negative: the factor is below 0 */
} ttb__scaled_policy;

/* What concerns one direction. */
typedef struct ttb__direction {
  uint32_t window_ms, window_entries, window_at;    /* entries and where they begin */
  uint32_t longest_ms, change_entries, changes_at;
  uint32_t select, policies_n, cooldown_ms, reserved;
  ttb__scaled_policy policies[TTB_AUTOSCALER_MAX_POLICIES];
} ttb__direction;

typedef TTB__HANDLE_STRUCT ttb__autoscaler {
  uint64_t tag;
  unsigned char *slots;
  uint32_t capacity, stride;
  int32_t min, max;
  uint32_t flags, metrics_n, combine, from_zero;
  uint32_t extras; /* TTB__HAS_*: what a plain HPA does not ask for */
  uint32_t startup_ms, billing_ms, action_cost_ms, week_offset_s;
  int32_t up_ppm; /* tolerance_up */
  uint32_t steps_n, schedule_n;
  ttb__fp lowest, highest;               /* of a ratio within the tolerance */
  ttb__fp tolerance_up, tolerance_down;  /* the same, for the old form */
  ttb__direction way[2];
  ttb__scaled_metric metrics[TTB_AUTOSCALER_MAX_METRICS];
  ttb_autoscaler_step steps[TTB_AUTOSCALER_MAX_STEPS];
  ttb_autoscaler_schedule schedule[TTB_AUTOSCALER_MAX_SCHEDULE];
  ttb__region *region;
  uint64_t owned; /* bytes to give back, 0 if the memory is the caller's */
  ttb_allocator allocator;
} ttb__autoscaler;
_Static_assert(sizeof(ttb__autoscaler) <= sizeof(ttb_autoscaler), "the handle's size is frozen");

extern const ttb__struct ttb__autoscaler_config_fields, ttb__autoscaler_stored_fields,
    ttb__autoscaler_metric_fields, ttb__autoscaler_policy_fields, ttb__autoscaler_sample_fields,
    ttb__autoscaler_row_fields, ttb__autoscaler_decision_fields, ttb__autoscaler_info_fields,
    ttb__autoscaler_stats_fields, ttb__autoscaler_step_fields, ttb__autoscaler_schedule_fields,
    ttb__pods_config_fields, ttb__pod_fields, ttb__container_fields, ttb__pods_info_fields;

/* Reads and checks a caller's config into what is stored. */
int32_t ttb__autoscaler_read(const ttb_autoscaler_config *config, ttb__autoscaler_stored *ret,
                             ttb__autoscaler_arrays *ret_arrays, ttb_detail *d);
/* The same for what a region holds, whose scalars were checked one by one. */
int32_t ttb__autoscaler_reread(ttb__autoscaler_stored *s, const ttb__autoscaler_arrays *stored,
                               ttb__autoscaler_arrays *ret_arrays);

/* Defaults of the arrays (autoscaler_presets.c). */
extern const ttb_autoscaler_metric ttb__hpa_metrics[1];
extern const ttb_autoscaler_policy ttb__hpa_up[2], ttb__legacy_up[2], ttb__hpa_down[1];

/* NULL unless h is a live autoscaler handle. */
static inline ttb__autoscaler *ttb__autoscaler_of(const ttb_autoscaler *h) {
  ttb__autoscaler *a = (ttb__autoscaler *)(uintptr_t)h;
  return a && a->tag == TTB__TAG(TTB__KIND_AUTOSCALER) ? a : NULL;
}

static inline ttb__autoscaler_slot *ttb__autoscaler_slot_at(const ttb__autoscaler *a,
                                                            uint32_t slot) {
  return (ttb__autoscaler_slot *)(void *)(a->slots + (uint64_t)slot * a->stride);
}

/* ---- entries ---- */

static inline uint64_t ttb__entry(int32_t value, uint64_t time) {
  return (uint64_t)(uint32_t)value << 40 | (time & TTB__ENTRY_TIME);
}
static inline int32_t ttb__entry_value(uint64_t w) { return (int32_t)(w >> 40); }
static inline uint64_t ttb__entry_age(uint64_t w, uint64_t now) {
  return (now - w) & TTB__ENTRY_TIME;
}

static inline int32_t ttb__few(int64_t n) {
  return n < 0 ? 0 : n < TTB__MANY ? (int32_t)n : TTB__MANY;
}

/* trunc(a * b / c), saturating; none is below 0, c is not 0. */
int64_t ttb__scale(int64_t a, int64_t b, int64_t c);

static inline int32_t ttb__saturate32(int64_t n) {
  return n > INT32_MAX ? INT32_MAX : n < INT32_MIN ? INT32_MIN : (int32_t)n;
}

/* ---- metrics (tracking.c, steps.c, rebalance.c) ---- */

/* What a metric proposes. reason MISSING: nothing, and failure says why. */
typedef struct ttb__proposal {
  int32_t replicas, reason, failure, step;
} ttb__proposal;

/* What people want to see besides. */
typedef struct ttb__told {
  int64_t value_milli, ratio_ppm, raw_milli, second_ppm;
  int32_t ready, unready, unmeasured, ignored;
} ttb__told;

/* How many replicas there are, and how many of them serve. */
typedef struct ttb__count {
  int32_t current, serving;
} ttb__count;

ttb__proposal ttb__autoscaler_propose(const ttb__autoscaler *a, uint32_t metric,
                                      const ttb_autoscaler_sample *s, ttb__count n);
void ttb__autoscaler_tell(const ttb__autoscaler *a, uint32_t metric, const ttb_autoscaler_sample *s,
                          ttb__count n, ttb__told *ret);
/* Whether a ratio counts as on target. */
bool ttb__autoscaler_within(const ttb__autoscaler *a, ttb__fp ratio);

static inline ttb__proposal ttb__no_proposal(int32_t failure) {
  return (ttb__proposal){-1, TTB_AUTOSCALER_MISSING, failure, -1};
}
static inline ttb__proposal ttb__propose(int32_t replicas, int32_t current) {
  int32_t reason = replicas > current   ? TTB_AUTOSCALER_ABOVE_TARGET
                   : replicas < current ? TTB_AUTOSCALER_BELOW_TARGET
                                        : TTB_AUTOSCALER_STEADY;
  return (ttb__proposal){replicas, reason, 0, -1};
}

ttb__proposal ttb__steps_propose(const ttb__autoscaler *a, uint32_t metric, int64_t value,
                                 int32_t current);
ttb__proposal ttb__watermark_propose(const ttb__autoscaler *a, const ttb__scaled_metric *m,
                                     int64_t value, int32_t count, int32_t current);
/* What a step makes of a count. */
int32_t ttb__step_to(const ttb_autoscaler_step *s, int32_t current);

struct ttb__pods;
const struct ttb__pods *ttb__pods_of(const ttb_pods *h); /* NULL: not started */
bool ttb__pods_match(const ttb_pods *h, const ttb__scaled_metric *m);
ttb__proposal ttb__pods_propose(const ttb__autoscaler *a, const ttb__scaled_metric *m,
                                const ttb_pods *pods, int32_t current, ttb__told *ret_told);

/* The caller's samples: elements of stride bytes, those past n missing. */
typedef struct ttb__samples {
  const ttb_autoscaler_sample *first;
  uint32_t n, stride;
} ttb__samples;

static inline const ttb_autoscaler_sample *ttb__sample_at(const ttb__samples *in, uint32_t i) {
  static const ttb_autoscaler_sample none = {.missing = TTB_AUTOSCALER_NO_VALUE};
  if (i >= in->n) return &none;
  return (const void *)((const char *)in->first + (uint64_t)i * in->stride);
}

/* ---- windows (stabilise.c) ---- */

/* The entry that binds a direction at this time: the lowest proposal of the up
 * window, the highest of the down window. False: the window is empty. */
bool ttb__window_bound(const ttb__direction *d, ttb__autoscaler_slot *s, uint32_t way,
                       uint64_t now, int32_t *ret_value, uint64_t *ret_age);
/* Remembers a proposal in both windows. */
void ttb__window_remember(const ttb__autoscaler *a, ttb__autoscaler_slot *s, int32_t value,
                          uint64_t now);
/* Entries in a window, for people. */
uint32_t ttb__window_count(const ttb__direction *d, ttb__autoscaler_slot *s, uint32_t way);

/* ---- policies (policies.c) ---- */

/* What the policies of a direction allow. */
typedef struct ttb__allowance {
  int32_t limit;  /* replicas; may lie on the wrong side of current */
  int32_t policy; /* which one says so; -1: the direction is disabled */
  int32_t used;   /* net change already made in its period and direction */
} ttb__allowance;

ttb__allowance ttb__policies_ask(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                                 int32_t current, uint64_t now);
/* Books a change made at `time`. */
void ttb__policies_book(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                        int32_t change, uint64_t time);
/* Sum of a direction's changes younger than period_ms. */
int64_t ttb__policies_sum(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                          uint32_t period_ms, uint64_t now);
/* ms until one of a direction's policies counts something less; INT64_MAX: never. */
int64_t ttb__policies_next(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                           uint64_t now);
uint32_t ttb__policies_count(const ttb__direction *d, ttb__autoscaler_slot *s, uint32_t way);
/* ms until a change of that list leaves a span; INT64_MAX: none is in it. With latest, until
 * the last of them does. */
int64_t ttb__policies_leaves(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                             uint32_t span_ms, uint64_t now, bool latest);

/* ---- an HPA without behavior (legacy.c) ---- */

int32_t ttb__legacy(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint64_t now,
                    ttb_autoscaler_decision *d);

/* ---- schedules (schedule.c) ---- */

/* Bounds at a time, and ms until they may be others (INT64_MAX: never). */
void ttb__schedule_bounds(const ttb__autoscaler *a, uint64_t now_ns, int32_t *min, int32_t *max);
int64_t ttb__schedule_next(const ttb__autoscaler *a, uint64_t now_ns);

/* ---- brakes (brakes.c) ---- */

/* What remains of d->desired; fills d->brake. `before`: the last evaluation. */
int32_t ttb__brakes(const ttb__autoscaler *a, ttb__autoscaler_slot *s, const ttb__samples *in,
                    uint64_t before, uint64_t now, ttb_autoscaler_decision *d);
/* ms until a brake lets go; INT64_MAX: not by itself. wanted: what it held back. */
int64_t ttb__brakes_next(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint64_t now,
                         int32_t wanted, const ttb_autoscaler_decision *d);

/* Counts one up in a word that has one writer. */
static inline void ttb__tally(ttb__a64 *word) { ttb__store_rlx(word, ttb__load_rlx(word) + 1); }

#endif
