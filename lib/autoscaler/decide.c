/* SPDX-License-Identifier: MIT */
/* One evaluation: metrics, windows, policies, bounds, brakes, and the reason.
 *
 * After reconcileAutoscaler, normalizeDesiredReplicasWithBehaviors and
 * convertDesiredReplicasWithBehaviorRate in horizontal.go of Kubernetes.
 *
 * I1  The order of writes: the last decision is booked, the proposal remembered,
 *     the new decision noted. Each is one word at its end (see autoscaler.h I1).
 * I2  A change is booked when the next call shows that it was carried out, and
 *     only as far as it was, with the time of its decision.
 * I3  From a count within the bounds the result lies within them, and never
 *     beyond `current` on the other side of the proposal. */
#include "autoscaler.h"

#include <string.h>

/* Books what was carried out of the last decision. Killed between its two
 * writes, the next writer books the same change once more: for one period the
 * policies allow less than they could. */
static void settle(const ttb__autoscaler *a, ttb__autoscaler_slot *s, int32_t current) {
  uint64_t order = ttb__load_rlx(&s->order);
  if (!(order & TTB__SET)) return;
  int32_t from = (int32_t)(order >> 24 & TTB__COUNT), to = (int32_t)(order & TTB__COUNT);
  int32_t done = current - from, all = to - from;
  if (all > 0) {
    if (done > all) done = all;
    if (done > 0) ttb__policies_book(a, s, TTB__UP, done, ttb__load_rlx(&s->order_at));
  } else {
    if (done < all) done = all;
    if (done < 0) ttb__policies_book(a, s, TTB__DOWN, -done, ttb__load_rlx(&s->order_at));
  }
  ttb__store_rlx(&s->order, 0);
}

static void begin(const ttb__autoscaler *a, ttb__autoscaler_slot *s, int32_t current,
                  uint64_t now) {
  if (ttb__load_rlx(&s->known) == 0) ttb__window_remember(a, s, current, now);
  settle(a, s, current);
  ttb__store_rlx(&s->known, now);
}

/* ---- the metrics ---- */

/* Checks what the caller gave before anything is written. */
static int32_t check_samples(const ttb__autoscaler *a, const ttb_autoscaler_sample *first,
                             uint32_t n, ttb__samples *ret) {
  if (n > a->metrics_n) return TTB_ERR_RANGE;
  if (n > 0 && !first) return TTB_ERR_MISUSE;
  *ret = (ttb__samples){first, n, n > 0 ? first->struct_size : 0};
  if (n > 0 && ret->stride != sizeof(ttb_autoscaler_sample)) {
    /* A newer program's: the unknown tail must be zero. */
    ttb_autoscaler_sample ignored;
    int32_t code = ttb__config_read(&ttb__autoscaler_sample_fields, first, &ignored, -1, NULL);
    if (code < 0) return code;
    if (ret->stride % 8 != 0) return TTB_ERR_RANGE;
  }
  for (uint32_t i = 0; i < n; i++) {
    const ttb_autoscaler_sample *s = ttb__sample_at(ret, i);
    if (s->struct_size != ret->stride) return TTB_ERR_RANGE;
    if (s->replicas < TTB_OFF || s->replicas > TTB_AUTOSCALER_MAX_REPLICAS) return TTB_ERR_RANGE;
    if (s->pods && !s->missing && !ttb__pods_match(s->pods, &a->metrics[i]))
      return TTB_ERR_MISMATCH;
  }
  return TTB_OK;
}

static int32_t check_rows(const ttb_autoscaler_decision *d) {
  if (d->struct_size < sizeof *d) return TTB_ERR_RANGE;
  if (d->rows_n > 0 && d->rows && d->rows->struct_size < sizeof(ttb_autoscaler_row))
    return TTB_ERR_RANGE;
  return TTB_OK;
}

static TTB__SELDOM void write_row(const ttb__autoscaler *a, uint32_t i,
                                  const ttb_autoscaler_sample *s, ttb__count n, ttb__proposal p,
                                  const ttb_autoscaler_decision *out) {
  const ttb__scaled_metric *m = &a->metrics[i];
  ttb__told told;
  ttb__autoscaler_tell(a, i, s, n, &told);
  ttb_autoscaler_row row = {.kind = m->kind,
                            .reason = p.reason,
                            .proposal = p.replicas,
                            .value_milli = told.value_milli,
                            .target_milli = m->target,
                            .ratio_ppm = told.ratio_ppm,
                            .raw_milli = told.raw_milli,
                            .second_ppm = told.second_ppm,
                            .failure = p.failure,
                            .step = p.step,
                            .ready = told.ready,
                            .unready = told.unready,
                            .unmeasured = told.unmeasured,
                            .ignored = told.ignored};
  uint32_t stride = out->rows->struct_size;
  char *to = (char *)out->rows + (uint64_t)i * stride;
  memcpy(to, &stride, sizeof stride);
  ttb__struct_write(&ttb__autoscaler_row_fields, &row, to);
}

/* The winning proposal and who made it; rows for whoever asked. Among proposals of
 * 0 the last has the name, as in the HPA. */
static ttb__proposal track(const ttb__autoscaler *a, const ttb__samples *in, ttb__count n,
                           ttb_autoscaler_decision *d) {
  ttb__proposal best = {-1, TTB_AUTOSCALER_MISSING, 0, -1};
  bool least = a->combine == TTB_AUTOSCALER_COMBINE_MIN;
  for (uint32_t i = 0; i < a->metrics_n; i++) {
    const ttb_autoscaler_sample *s = ttb__sample_at(in, i);
    ttb__proposal p = ttb__autoscaler_propose(a, i, s, n);
    if (a->metrics[i].flags & TTB_AUTOSCALER_GUARD && p.replicas > n.current) {
      p.replicas = n.current;
      p.reason = TTB_AUTOSCALER_GUARDED;
    }
    if (d->rows && i < d->rows_n) write_row(a, i, s, n, p, d);
    if (p.reason == TTB_AUTOSCALER_MISSING) {
      if (d->missing++ == 0) {
        d->failed = (int32_t)i;
        d->failure = p.failure;
        d->failed_source = a->metrics[i].source;
      }
    } else if (best.replicas <= 0 && !(least && best.replicas == 0)) {
      best = p;
      d->metric = (int32_t)i;
    } else if (least ? p.replicas < best.replicas : p.replicas > best.replicas) {
      best = p;
      d->metric = (int32_t)i;
    }
  }
  return best;
}

static bool has_outside_metric(const ttb__autoscaler *a) {
  for (uint32_t i = 0; i < a->metrics_n; i++)
    if (a->metrics[i].kind == TTB_AUTOSCALER_TOTAL || a->metrics[i].kind == TTB_AUTOSCALER_VALUE)
      return true;
  return false;
}

/* Whether a workload of 0 replicas may be started by what is measured. */
static bool wakes(const ttb__autoscaler *a, const ttb_autoscaler_decision *d) {
  switch (a->from_zero) {
  case TTB_AUTOSCALER_FROM_ZERO_NEVER: return false;
  case TTB_AUTOSCALER_FROM_ZERO_OWN:
    return d->zero == 1 && (d->min_replicas != 0 || has_outside_metric(a));
  default: return d->min_replicas == 0 && has_outside_metric(a);
  }
}

/* ---- windows, policies, bounds ---- */

static int32_t stabilise(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint64_t now,
                         ttb_autoscaler_decision *d) {
  int32_t lowest = d->proposed, highest = d->proposed, value, x = d->current;
  uint64_t age, up_age = 0, down_age = 0;
  if (ttb__window_bound(&a->way[TTB__UP], s, TTB__UP, now, &value, &age) && value < lowest)
    lowest = value, up_age = age;
  if (ttb__window_bound(&a->way[TTB__DOWN], s, TTB__DOWN, now, &value, &age) && value > highest)
    highest = value, down_age = age;
  if (x < lowest) x = lowest;
  if (x > highest) x = highest;
  if (x == d->proposed) return x;
  bool up = d->proposed >= d->current;
  d->window = up ? TTB_AUTOSCALER_UP_WINDOW : TTB_AUTOSCALER_DOWN_WINDOW;
  d->window_value = up ? lowest : highest;
  d->window_age_ms = (int32_t)(up ? up_age : down_age);
  return x;
}

static int32_t limit(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint64_t now,
                     ttb_autoscaler_decision *d) {
  int32_t x = d->stabilised, current = d->current;
  if (x == current) return x;
  bool up = x > current;
  uint32_t way = up ? TTB__UP : TTB__DOWN;
  ttb__allowance allowed = ttb__policies_ask(a, s, way, current, now);
  /* Never back beyond what there is. */
  int32_t most = up ? (allowed.limit > current ? allowed.limit : current)
                    : (allowed.limit < current ? allowed.limit : current);
  d->policy = allowed.policy;
  d->policy_limit = most < 0 ? 0 : most;
  d->policy_used = allowed.used;
  if (allowed.policy >= 0)
    d->policy_period_ms = (int32_t)a->way[way].policies[allowed.policy].period_ms;
  int32_t bound = up ? d->max_replicas : d->min_replicas;
  bool by_policy = up ? bound > most : bound < most;
  if (by_policy) bound = most;
  if (up ? x <= bound : x >= bound) return x;
  if (up) d->limit = by_policy ? TTB_AUTOSCALER_UP_POLICY : TTB_AUTOSCALER_AT_MAX;
  else d->limit = by_policy ? TTB_AUTOSCALER_DOWN_POLICY : TTB_AUTOSCALER_AT_MIN;
  return bound;
}

/* An HPA without behavior goes on at once where a limit held it. */
static int32_t legacy_next(const ttb__autoscaler *a, const ttb_autoscaler_decision *d) {
  if (d->limit == TTB_AUTOSCALER_UP_POLICY) return 0;
  if (d->window == 0) return -1;
  return (int32_t)a->way[TTB__DOWN].window_ms - d->window_age_ms;
}

/* How long the decision holds: what keeps it from the proposal is a window whose
 * front must age, or changes that must leave a period. Everything else stays. */
static int32_t next_change(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint64_t now,
                           const ttb_autoscaler_decision *d) {
  if (d->proposed < 0 || d->proposed == d->desired) return -1;
  if (a->flags & TTB_AUTOSCALER_LEGACY) return legacy_next(a, d);
  bool up = d->proposed > d->desired;
  uint32_t way = up ? TTB__UP : TTB__DOWN;
  const ttb__direction *dir = &a->way[way];
  int32_t bound = up ? d->max_replicas : d->min_replicas;
  bool beyond = up ? d->desired > bound : d->desired < bound; /* will be brought back */
  if (d->desired == bound) return -1;
  if (dir->select == TTB_AUTOSCALER_SELECT_DISABLED && !beyond) return -1;
  int64_t next = INT64_MAX;
  int32_t value;
  uint64_t age;
  bool by_window = ttb__window_bound(dir, s, way, now, &value, &age) &&
                   (up ? value <= d->desired : value >= d->desired);
  if (by_window) {
    next = (int64_t)dir->window_ms - (int64_t)age;
  } else {
    next = ttb__policies_next(a, s, way, now);
    if (d->desired != d->current)
      for (uint32_t i = 0; i < dir->policies_n; i++)
        if (dir->policies[i].period_ms < next) next = dir->policies[i].period_ms;
  }
  return next == INT64_MAX ? -1 : (int32_t)next;
}

/* What an HPA does not have: times at which a schedule, a start or a brake lets go. */
static TTB__SELDOM int32_t next_extra(const ttb__autoscaler *a, ttb__autoscaler_slot *s,
                                      uint64_t now, uint64_t now_ns, int32_t wanted,
                                      const ttb_autoscaler_decision *d) {
  int64_t next = d->next_change_ms < 0 ? INT64_MAX : d->next_change_ms, at;
  /* Behind a brake nothing moves until it lets go; but more to be saved is saved sooner. */
  if (d->brake && d->brake != TTB_AUTOSCALER_ACTION_COST) next = INT64_MAX;
  if (a->extras & TTB__HAS_SCHEDULE && (at = ttb__schedule_next(a, now_ns)) < next) next = at;
  if (a->extras & TTB__HAS_STARTUP) {
    at = ttb__policies_leaves(a, s, TTB__UP, a->startup_ms, now, false);
    if (d->desired > d->current && a->startup_ms < at) at = a->startup_ms;
    if (at < next) next = at;
  }
  if (d->brake && (at = ttb__brakes_next(a, s, now, wanted, d)) < next) next = at;
  return next == INT64_MAX ? -1 : next > INT32_MAX ? INT32_MAX : (int32_t)next;
}

/* ---- the decision ---- */

static bool settled_without_metrics(const ttb__autoscaler *a, ttb_autoscaler_decision *d) {
  if (d->current == 0 && !wakes(a, d)) {
    bool mute = a->from_zero == TTB_AUTOSCALER_FROM_ZERO_ANY && d->min_replicas == 0;
    d->reason = mute ? TTB_AUTOSCALER_MISSING : TTB_AUTOSCALER_SWITCHED_OFF;
    return true;
  }
  bool above = d->current > d->max_replicas, below = d->current < d->min_replicas;
  if (d->current == 0 || !(above || below) || a->flags & TTB_AUTOSCALER_GRADUAL) return false;
  d->desired = above ? d->max_replicas : d->min_replicas;
  d->reason = d->limit = above ? TTB_AUTOSCALER_AT_MAX : TTB_AUTOSCALER_AT_MIN;
  d->next_change_ms = 0;
  return true;
}

static void decide(const ttb__autoscaler *a, ttb__autoscaler_slot *s, const ttb__samples *in,
                   uint64_t before, uint64_t now, uint64_t now_ns, ttb_autoscaler_decision *d) {
  if (a->extras & TTB__HAS_SCHEDULE)
    ttb__schedule_bounds(a, now_ns, &d->min_replicas, &d->max_replicas);
  if (a->extras & TTB__HAS_STARTUP) {
    int64_t new = ttb__policies_sum(a, s, TTB__UP, a->startup_ms, now);
    d->serving = new < d->current ? d->current - (int32_t)new : d->current > 0;
  }
  int32_t wanted = d->current;
  if (settled_without_metrics(a, d)) {
    d->rows_n = 0;
  } else {
    if (d->rows_n > a->metrics_n) d->rows_n = a->metrics_n;
    ttb__proposal best = track(a, in, (ttb__count){d->current, d->serving}, d);
    if (best.replicas >= 0) d->proposed = ttb__few(best.replicas);
    if (best.replicas < 0 || (d->missing > 0 && best.replicas < d->current)) {
      d->reason = TTB_AUTOSCALER_MISSING;
      ttb__tally(&s->held);
    } else {
      if (a->flags & TTB_AUTOSCALER_LEGACY) {
        d->desired = ttb__legacy(a, s, now, d);
      } else if (d->proposed == d->current) {
        /* Inside any window's bounds, and no change for a policy. */
        d->stabilised = d->current;
      } else {
        d->stabilised = stabilise(a, s, now, d);
        d->desired = limit(a, s, now, d);
      }
      if (d->current == 0 && d->desired < d->min_replicas) {
        d->desired = d->min_replicas;
        if (!d->limit) best.reason = TTB_AUTOSCALER_AT_MIN;
      }
      wanted = d->desired;
      if (a->extras & TTB__HAS_BRAKES) d->desired = ttb__brakes(a, s, in, before, now, d);
      d->reason = d->brake ? d->brake : d->limit ? d->limit : d->window ? d->window : best.reason;
      ttb__window_remember(a, s, d->proposed, now);
      d->next_change_ms = next_change(a, s, now, d);
    }
  }
  if (a->extras) d->next_change_ms = next_extra(a, s, now, now_ns, wanted, d);
}

/* Notes the decision for the next call, for explain and for the counters. */
static void note(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint64_t now,
                 ttb_autoscaler_decision *d) {
  if (d->desired != d->current) {
    d->zero = d->desired == 0 && d->min_replicas == 0 && has_outside_metric(a);
    ttb__store_rlx(&s->order_at, now);
    /* release: a writer in another process that goes on after this one (see
     * settle) finds the order with its time. */
    ttb__store_rel(&s->order,
                   TTB__SET | (uint64_t)(uint32_t)d->current << 24 | (uint32_t)d->desired);
    ttb__tally(&s->moves[d->desired > d->current ? TTB__UP : TTB__DOWN]);
    ttb__store_rlx(&s->stopped, (uint64_t)d->zero);
  }
  uint64_t proposed = d->proposed < 0 ? TTB__NONE : (uint64_t)d->proposed;
  uint64_t metric = d->metric < 0 ? TTB__NO_METRIC : (uint64_t)d->metric;
  ttb__store_rlx(&s->current, TTB__SET | (uint64_t)d->current);
  ttb__store_rlx(&s->result, (uint64_t)d->desired << 40 | proposed << 16 |
                                 (uint64_t)d->reason << 8 | metric);
  ttb__tally(&s->evaluations);
}

int32_t ttb_autoscaler_evaluate(ttb_autoscaler *h, uint32_t slot,
                                const ttb_autoscaler_sample *first, uint32_t n, int32_t current,
                                uint64_t now_ns, ttb_autoscaler_decision *ret) {
  const ttb__autoscaler *a = ttb__autoscaler_of(h);
  ttb__samples in;
  if (!a || !ret) return TTB_ERR_MISUSE;
  if (slot >= a->capacity || current < 0 || current > TTB_AUTOSCALER_MAX_REPLICAS)
    return TTB_ERR_RANGE;
  int32_t code = check_samples(a, first, n, &in);
  if (code < 0 || (code = check_rows(ret)) < 0) return code;

  ttb_autoscaler_decision d = {.desired = current,
                               .current = current,
                               .metric = -1,
                               .proposed = -1,
                               .stabilised = -1,
                               .window_value = -1,
                               .window_age_ms = -1,
                               .policy = -1,
                               .policy_limit = -1,
                               .policy_period_ms = -1,
                               .next_change_ms = -1,
                               .min_replicas = a->min,
                               .max_replicas = a->max,
                               .serving = current,
                               .failed = -1,
                               .rows_n = ret->rows ? ret->rows_n : 0,
                               .rows = ret->rows};
  ttb__autoscaler_slot *s = ttb__autoscaler_slot_at(a, slot);
  uint64_t now = ttb__clock_now(&a->region->clock, now_ns);
  uint64_t before = ttb__load_rlx(&s->known);
  d.zero = ttb__load_rlx(&s->stopped) == 1;
  begin(a, s, current, now);
  decide(a, s, &in, before ? before : now, now, now_ns, &d);
  note(a, s, now, &d);
  if (ret->struct_size != sizeof d)
    return ttb__struct_write(&ttb__autoscaler_decision_fields, &d, ret);
  d.struct_size = sizeof d;
  *ret = d;
  return TTB_OK;
}

int32_t ttb_autoscaler_evaluate_n(ttb_autoscaler *h, const uint32_t *slots, uint32_t n,
                                  const ttb_autoscaler_sample *first, uint32_t samples_n,
                                  const int32_t *current, uint64_t now_ns,
                                  ttb_autoscaler_decision *ret, int32_t *ret_codes) {
  if (!ttb__autoscaler_of(h) || n > INT32_MAX) return TTB_ERR_MISUSE;
  if (n > 0 && (!current || !ret || (samples_n > 0 && !first))) return TTB_ERR_MISUSE;
  int32_t decided = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t each = samples_n > 0 ? (uint64_t)samples_n * first->struct_size : 0;
    const void *in = (const char *)first + i * each;
    void *out = (char *)ret + (uint64_t)i * ret->struct_size;
    int32_t code = ttb_autoscaler_evaluate(h, slots ? slots[i] : i, samples_n > 0 ? in : NULL,
                                           samples_n, current[i], now_ns, out);
    if (ret_codes) ret_codes[i] = code;
    decided += code == TTB_OK;
  }
  return decided;
}

int32_t ttb_autoscaler_record(ttb_autoscaler *h, uint32_t slot, int32_t what, int32_t value,
                              uint64_t now_ns) {
  const ttb__autoscaler *a = ttb__autoscaler_of(h);
  if (!a) return TTB_ERR_MISUSE;
  bool change = what == TTB_AUTOSCALER_CHANGE, stopped = what == TTB_AUTOSCALER_STOPPED;
  if (slot >= a->capacity || what < TTB_AUTOSCALER_PROPOSAL || what > TTB_AUTOSCALER_STOPPED)
    return TTB_ERR_RANGE;
  if (value < (change ? -TTB_AUTOSCALER_MAX_REPLICAS : 0) ||
      value > (stopped ? 1 : TTB_AUTOSCALER_MAX_REPLICAS) || (change && value == 0))
    return TTB_ERR_RANGE;
  ttb__autoscaler_slot *s = ttb__autoscaler_slot_at(a, slot);
  uint64_t now = ttb__clock_now(&a->region->clock, now_ns);
  if (stopped) {
    ttb__store_rlx(&s->stopped, (uint64_t)value);
    return TTB_OK; /* says nothing of the past of the count */
  }
  if (!change) ttb__window_remember(a, s, value, now);
  else ttb__policies_book(a, s, value > 0 ? TTB__UP : TTB__DOWN, value > 0 ? value : -value, now);
  if (ttb__load_rlx(&s->known) == 0) ttb__store_rlx(&s->known, now);
  return TTB_OK;
}

int32_t ttb_autoscaler_reset(ttb_autoscaler *h, uint32_t slot) {
  const ttb__autoscaler *a = ttb__autoscaler_of(h);
  if (!a) return TTB_ERR_MISUSE;
  if (slot >= a->capacity) return TTB_ERR_RANGE;
  ttb__autoscaler_slot *s = ttb__autoscaler_slot_at(a, slot);
  ttb__store_rlx(&s->order, 0);
  ttb__store_rlx(&s->current, 0);
  ttb__store_rlx(&s->surplus, 0);
  ttb__store_rlx(&s->stopped, 0);
  for (uint32_t way = TTB__UP; way <= TTB__DOWN; way++) {
    ttb__store_rlx(&s->queue[way], 0);
    ttb__store_rlx(&s->changes[way], 0);
  }
  ttb__store_rlx(&s->known, 0);
  return TTB_OK;
}
