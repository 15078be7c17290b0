/* SPDX-License-Identifier: MIT */
/* Brakes: what a change costs, looked at before it is ordered.
 *
 * The what-if test is Azure autoscale's rule against flapping; cooldowns are
 * those of AWS Application Auto Scaling; the action cost is the break-even rule of
 * ski rental (Karlin, Manasse, Rudolph, Sleator, Competitive snoopy caching, 1988).
 *
 * I1  A brake only moves the count towards what there is, never beyond.
 * I2  What-if: after a scale-in a metric whose load stands still asks for no more
 *     than there then is. Its value is taken at the upper end of what the sample
 *     may stand for (utilisation is cut to percent), and the arithmetic is of
 *     integers, rounded to the safe side.
 * I3  The surplus is one word with one writer; a writer killed before it stored
 *     it counts one interval less. */
#include "autoscaler.h"

/* A value at which a metric, at n replicas, may ask for more; 0: none is known. */
static int64_t out_at(const ttb__autoscaler *a, uint32_t metric, int32_t n) {
  const ttb__scaled_metric *m = &a->metrics[metric];
  if (m->method != TTB_AUTOSCALER_STEPS)
    return ttb__scale(m->target, 1000000 + (int64_t)a->up_ppm, 1000000);
  int64_t lowest = 0;
  for (uint32_t i = 0; i < a->steps_n; i++) {
    const ttb_autoscaler_step *s = &a->steps[i];
    if (s->metric != metric || ttb__step_to(s, n) <= n) continue;
    if (lowest == 0 || s->lower_milli < lowest) lowest = s->lower_milli;
  }
  return lowest;
}

/* Whether the value depends on how many share a load: a step of a latency or of a
 * queue's length says nothing about another count, and a guard asks for nothing. */
static bool is_shared(const ttb__scaled_metric *m) {
  if (m->flags & TTB_AUTOSCALER_GUARD) return false;
  bool of_one = m->kind == TTB_AUTOSCALER_UTILISATION || m->kind == TTB_AUTOSCALER_AVERAGE;
  return of_one || m->method != TTB_AUTOSCALER_STEPS;
}

/* The fewest replicas among which a metric's load may be spread. */
static int64_t fewest(const ttb__autoscaler *a, uint32_t metric, const ttb_autoscaler_sample *s,
                      ttb__count n, int32_t wanted) {
  const ttb__scaled_metric *m = &a->metrics[metric];
  ttb__told told;
  int64_t out = out_at(a, metric, wanted), value, count = 1;
  if (s->missing || !is_shared(m) || out == 0) return 0;
  if (m->kind == TTB_AUTOSCALER_TOTAL) {
    value = s->value_milli;
  } else {
    ttb__autoscaler_tell(a, metric, s, n, &told);
    bool cut = m->kind == TTB_AUTOSCALER_UTILISATION && !(m->flags & TTB_AUTOSCALER_FINE);
    int64_t unseen = cut ? 1000 : 1;
    value = told.value_milli < INT64_MAX - unseen ? told.value_milli + unseen : INT64_MAX;
    count = told.ready;
  }
  if (value <= 0 || out <= 1) return value <= 0 ? 0 : n.current;
  int64_t k = ttb__scale(value, count, out - 1);
  return k < INT64_MAX ? k + 1 : k;
}

/* The lowest count no brake objects to, and which objected below it. */
static int32_t floor_of(const ttb__autoscaler *a, ttb__autoscaler_slot *s, const ttb__samples *in,
                        uint64_t now, int32_t wanted, ttb_autoscaler_decision *d) {
  ttb__count n = {d->current, d->serving};
  int64_t floor = wanted;
  if (a->flags & TTB_AUTOSCALER_WHAT_IF)
    for (uint32_t i = 0; i < a->metrics_n; i++) {
      int64_t k = fewest(a, i, ttb__sample_at(in, i), n, wanted);
      if (k <= floor) continue;
      floor = k;
      d->brake = TTB_AUTOSCALER_FLAPPING;
    }
  if (a->billing_ms > 0) {
    int64_t paid = ttb__policies_sum(a, s, TTB__UP, a->billing_ms, now);
    if (paid > floor) floor = paid, d->brake = TTB_AUTOSCALER_PAID;
  }
  uint32_t wait = a->way[TTB__DOWN].cooldown_ms;
  if (wait > 0 && floor < d->current &&
      (ttb__policies_sum(a, s, TTB__UP, wait, now) > 0 ||
       ttb__policies_sum(a, s, TTB__DOWN, wait, now) > 0))
    floor = d->current, d->brake = TTB_AUTOSCALER_COOLDOWN;
  return floor < d->current ? (int32_t)floor : d->current;
}

/* Lets replicas go once what they cost needlessly adds up to an action's cost. */
static int32_t worth(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint64_t before,
                     uint64_t now, int32_t wanted, ttb_autoscaler_decision *d) {
  if (a->action_cost_ms == 0) return wanted;
  uint64_t surplus = 0, idle = (uint64_t)(uint32_t)(d->current - wanted);
  if (wanted < d->current) {
    uint64_t had = ttb__load_rlx(&s->surplus), span = now - before;
    surplus = had < a->action_cost_ms ? had : a->action_cost_ms;
    surplus += idle * (span < a->action_cost_ms ? span : a->action_cost_ms);
    if (surplus < a->action_cost_ms) {
      d->brake = TTB_AUTOSCALER_ACTION_COST;
      wanted = d->current;
    } else {
      surplus = 0;
    }
  }
  ttb__store_rlx(&s->surplus, surplus);
  return wanted;
}

int32_t ttb__brakes(const ttb__autoscaler *a, ttb__autoscaler_slot *s, const ttb__samples *in,
                    uint64_t before, uint64_t now, ttb_autoscaler_decision *d) {
  int32_t x = d->desired;
  uint32_t wait = a->way[TTB__UP].cooldown_ms;
  if (x > d->current && wait > 0 && ttb__policies_sum(a, s, TTB__UP, wait, now) > 0) {
    d->brake = TTB_AUTOSCALER_COOLDOWN;
    x = d->current;
  }
  if (x < d->current) x = floor_of(a, s, in, now, x, d);
  return worth(a, s, before, now, x, d);
}

/* When a cooldown ends: with its latest change. */
static int64_t cooled(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                      uint32_t wait, uint64_t now) {
  return ttb__policies_leaves(a, s, way, wait, now, true);
}

int64_t ttb__brakes_next(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint64_t now,
                         int32_t wanted, const ttb_autoscaler_decision *d) {
  uint32_t wait = a->way[wanted > d->current ? TTB__UP : TTB__DOWN].cooldown_ms;
  switch (d->brake) {
  case TTB_AUTOSCALER_PAID: return ttb__policies_leaves(a, s, TTB__UP, a->billing_ms, now, false);
  case TTB_AUTOSCALER_COOLDOWN: {
    int64_t up = cooled(a, s, TTB__UP, wait, now);
    if (wanted > d->current) return up;
    int64_t down = cooled(a, s, TTB__DOWN, wait, now);
    return up == INT64_MAX ? down : down == INT64_MAX ? up : up > down ? up : down;
  }
  case TTB_AUTOSCALER_ACTION_COST: {
    /* At most all of them were idle; the brakes before this one may have kept some. */
    int64_t left = (int64_t)a->action_cost_ms - (int64_t)ttb__load_rlx(&s->surplus);
    int64_t idle = (int64_t)d->current - wanted;
    return left < 1 ? 1 : (left + idle - 1) / idle;
  }
  default: return INT64_MAX;
  }
}
