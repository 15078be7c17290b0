/* SPDX-License-Identifier: MIT */
/* Conditions: which reason each stage leaves, and upstream's words for it.
 *
 * After reconcileAutoscaler, computeReplicasForMetrics, normalizeDesiredReplicas
 * and normalizeDesiredReplicasWithBehaviors of horizontal.go of Kubernetes: the
 * order in which they set conditions, of which the last one stays.
 *
 * I1  A pure function of the decision. */
#include "autoscaler.h"

#include <trimtab/hpa.h>

#include <string.h>

#define F(type, field) TTB__OUT(ttb_hpa_condition, type, field, "")

static const ttb__field condition_fields[] = {
    F(U32, struct_size), F(U32, type),     F(U32, status),
    F(U32, reason),      F(I32, replicas), F(I32, metric),
};
static const ttb__struct condition_struct = TTB__STRUCT(ttb_hpa_condition, condition_fields);

typedef struct told {
  uint32_t status, reason;
  int32_t replicas, metric;
} told;

static const told nothing = {TTB_HPA_ABSENT, 0, -1, -1};

static told say(bool yes, uint32_t reason) {
  return (told){yes ? TTB_HPA_TRUE : TTB_HPA_FALSE, reason, -1, -1};
}

/* The metrics were asked and a count came of them. */
static bool decided(const ttb_autoscaler_decision *d) {
  return d->proposed >= 0 && d->reason != TTB_AUTOSCALER_MISSING;
}

static told able(const ttb_autoscaler_decision *d, uint32_t flags) {
  if (d->desired != d->current) {
    told t = say(!(flags & TTB_HPA_UPDATE_FAILED), flags & TTB_HPA_UPDATE_FAILED
                                                       ? TTB_HPA_FAILED_UPDATE_SCALE
                                                       : TTB_HPA_SUCCEEDED_RESCALE);
    t.replicas = d->desired;
    return t;
  }
  if (!decided(d)) return say(true, TTB_HPA_SUCCEEDED_GET_SCALE);
  if (d->window == 0 && d->brake == 0) return say(true, TTB_HPA_READY_FOR_NEW_SCALE);
  bool up = d->window ? d->window == TTB_AUTOSCALER_UP_WINDOW : d->proposed > d->current;
  return say(true, up ? TTB_HPA_SCALE_UP_STABILIZED : TTB_HPA_SCALE_DOWN_STABILIZED);
}

static told active(const ttb_autoscaler_decision *d) {
  told t = nothing;
  if (d->reason == TTB_AUTOSCALER_SWITCHED_OFF) {
    t = say(false, TTB_HPA_SCALING_DISABLED);
  } else if (decided(d)) {
    t = say(true, TTB_HPA_VALID_METRIC_FOUND);
    t.metric = d->metric;
  } else if (d->reason == TTB_AUTOSCALER_MISSING && d->failed >= 0) {
    t = say(false, d->failure == TTB_AUTOSCALER_INVALID_SOURCE
                       ? TTB_HPA_INVALID_METRIC_SOURCE_TYPE
                       : TTB_HPA_FAILED_GET_RESOURCE_METRIC - 1 + d->failed_source);
    t.metric = d->failed;
  }
  return t;
}

static told limited(const ttb_autoscaler_decision *d) {
  if (!decided(d)) return nothing;
  switch (d->limit) {
  case TTB_AUTOSCALER_UP_POLICY: return say(true, TTB_HPA_SCALE_UP_LIMIT);
  case TTB_AUTOSCALER_DOWN_POLICY: return say(true, TTB_HPA_SCALE_DOWN_LIMIT);
  case TTB_AUTOSCALER_AT_MAX: return say(true, TTB_HPA_TOO_MANY_REPLICAS);
  case TTB_AUTOSCALER_AT_MIN: return say(true, TTB_HPA_TOO_FEW_REPLICAS);
  default: return say(false, TTB_HPA_DESIRED_WITHIN_RANGE);
  }
}

/* Set on each successful rescale, so that it is never stale. */
static told zeroed(const ttb_autoscaler_decision *d, uint32_t flags) {
  bool rescaled = d->desired != d->current && !(flags & TTB_HPA_UPDATE_FAILED);
  if (!(flags & TTB_HPA_SCALE_TO_ZERO) || !(rescaled || d->zero)) return nothing;
  return say(d->zero, d->zero ? TTB_HPA_SCALED_TO_ZERO_ITSELF : TTB_HPA_NOT_SCALED_TO_ZERO);
}

int32_t ttb_hpa_conditions(const ttb_autoscaler_decision *d, uint32_t flags,
                           ttb_hpa_condition *ret, uint32_t n) {
  if (!d || !ret) return TTB_ERR_MISUSE;
  if (d->struct_size < sizeof *d || n == 0 || n > TTB_HPA_CONDITIONS ||
      flags & ~(TTB_HPA_UPDATE_FAILED | TTB_HPA_SCALE_TO_ZERO) || ret->struct_size < sizeof *ret)
    return TTB_ERR_RANGE;
  const told all[TTB_HPA_CONDITIONS] = {able(d, flags), active(d), limited(d), zeroed(d, flags)};
  uint32_t stride = ret->struct_size;
  for (uint32_t i = 0; i < n; i++) {
    ttb_hpa_condition c = {.type = i,
                           .status = all[i].status,
                           .reason = all[i].reason,
                           .replicas = all[i].replicas,
                           .metric = all[i].metric};
    char *to = (char *)ret + (uint64_t)i * stride;
    memcpy(to, &stride, sizeof stride);
    ttb__struct_write(&condition_struct, &c, to);
  }
  return TTB_OK;
}

int32_t ttb_hpa_failed(const ttb_autoscaler_decision *d) {
  if (!d) return TTB_ERR_MISUSE;
  return d->missing > 0;
}

const char *ttb_hpa_type(uint32_t type) {
  static const char *const names[] = {"AbleToScale", "ScalingActive", "ScalingLimited",
                                      "ScaledToZero"};
  return type < TTB_HPA_CONDITIONS ? names[type] : "no such condition";
}

/* ---- words ---- */

/* %d is the count, %m the metric. */
static const struct {
  const char *reason, *message;
} words[] = {
    {"", ""},
    {"SucceededGetScale", "the HPA controller was able to get the target's current scale"},
    {"ReadyForNewScale", "recommended size matches current size"},
    {"ScaleDownStabilized", "recent recommendations were higher than current one, applying the "
                            "highest recent recommendation"},
    {"ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest "
                          "recent recommendation"},
    {"SucceededRescale", "the HPA controller was able to update the target scale to %d"},
    {"FailedUpdateScale", "the HPA controller was unable to update the target scale: %m"},
    {"ValidMetricFound", "the HPA was able to successfully calculate a replica count from %m"},
    {"ScalingDisabled", "scaling is disabled since the replica count of the target is zero"},
    {"FailedGetResourceMetric", "the HPA was unable to compute the replica count: %m"},
    {"FailedGetContainerResourceMetric", "the HPA was unable to compute the replica count: %m"},
    {"FailedGetPodsMetric", "the HPA was unable to compute the replica count: %m"},
    {"FailedGetObjectMetric", "the HPA was unable to compute the replica count: %m"},
    {"FailedGetExternalMetric", "the HPA was unable to compute the replica count: %m"},
    {"InvalidMetricSourceType", "the HPA was unable to compute the replica count: %m"},
    {"ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"},
    {"ScaleDownLimit",
     "the desired replica count is decreasing faster than the maximum scale rate"},
    {"TooManyReplicas", "the desired replica count is more than the maximum replica count"},
    {"TooFewReplicas", "the desired replica count is less than the minimum replica count"},
    {"DesiredWithinRange", "the desired count is within the acceptable range"},
    {"ScaledToZero", "the HPA controller scaled the workload to zero"},
    {"NotScaledToZero", "the HPA controller did not scale the workload to zero"},
};
#define WORDS (sizeof words / sizeof *words)

const char *ttb_hpa_reason(uint32_t reason) {
  return reason < WORDS ? words[reason].reason : "no such reason";
}

static uint64_t put(char *buf, uint64_t size, uint64_t at, const char *text) {
  for (; *text; text++, at++)
    if (at + 1 < size) buf[at] = *text;
  return at;
}

static const char *number(char digits[12], int32_t n) {
  uint32_t at = 11, rest = n < 0 ? 0 : (uint32_t)n;
  digits[at] = 0;
  do {
    digits[--at] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  return digits + at;
}

int64_t ttb_hpa_message(const ttb_hpa_condition *c, const char *metric, char *buf, uint64_t size) {
  if (!c || (!buf && size > 0)) return TTB_ERR_MISUSE;
  if (c->struct_size < sizeof *c) return TTB_ERR_RANGE;
  const char *text = c->reason < WORDS ? words[c->reason].message : "";
  char digits[12], one[2] = {0, 0};
  uint64_t at = 0;
  for (; *text; text++) {
    if (*text != '%') {
      one[0] = *text;
      at = put(buf, size, at, one);
    } else if (*++text == 'd') {
      at = put(buf, size, at, number(digits, c->replicas));
    } else if (metric) {
      at = put(buf, size, at, metric);
    } else {
      at = put(buf, size, put(buf, size, at, "metric "), number(digits, c->metric));
    }
  }
  if (size > 0) buf[at < size ? at : size - 1] = 0;
  return (int64_t)at;
}

int32_t ttb_hpa_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {&condition_struct};
  return ttb__field_get(all, 1, which, index, ret_field);
}
