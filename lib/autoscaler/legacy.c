/* SPDX-License-Identifier: MIT */
/* An HPA without `behavior`: one window, one limit, and no memory of changes.
 *
 * After normalizeDesiredReplicas, stabilizeRecommendation,
 * convertDesiredReplicasWithRules and calculateScaleUpLimit of horizontal.go of
 * Kubernetes.
 *
 * I1  Entries as old as the window count (the handle's window is 1 ms longer).
 * I2  The highest proposal of the window counts whatever there is: it may raise
 *     the count while the metrics ask for less. */
#include "autoscaler.h"

int32_t ttb__legacy(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint64_t now,
                    ttb_autoscaler_decision *d) {
  int32_t x = d->proposed, value;
  uint64_t age;
  if (ttb__window_bound(&a->way[TTB__DOWN], s, TTB__DOWN, now, &value, &age) && value > x) {
    x = value;
    d->window = TTB_AUTOSCALER_DOWN_WINDOW;
    d->window_value = value;
    d->window_age_ms = (int32_t)age;
  }
  d->stabilised = x;
  ttb__allowance allowed = ttb__policies_ask(a, s, TTB__UP, d->current, now);
  bool by_policy = d->max_replicas > allowed.limit;
  int32_t most = by_policy ? allowed.limit : d->max_replicas;
  d->policy = allowed.policy;
  d->policy_limit = allowed.limit < 0 ? 0 : allowed.limit;
  if (x < d->min_replicas) {
    d->limit = TTB_AUTOSCALER_AT_MIN;
    return d->min_replicas;
  }
  if (x <= most) return x;
  d->limit = by_policy ? TTB_AUTOSCALER_UP_POLICY : TTB_AUTOSCALER_AT_MAX;
  return most;
}
