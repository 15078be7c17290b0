/* SPDX-License-Identifier: MIT */
/* From a metric's value to a proposal: the ratio to its target.
 *
 * After pkg/controller/podautoscaler/replica_calculator.go of Kubernetes: the
 * short path of GetResourceReplicas (all replicas measured), and GetObject...,
 * GetExternal...Replicas with Value and AverageValue. Other methods are in
 * steps.c, pods in rebalance.c.
 *
 * I1  The double operations are those of the HPA in its order (../base/fp.h).
 * I2  Every value has a result: below zero proposes 0, more than
 *     INT32_MAX replicas are INT32_MAX (Kubernetes#141397). */
#include "autoscaler.h"

int64_t ttb__scale(int64_t a, int64_t b, int64_t c) {
  if (b == 0 || a <= INT64_MAX / b) return a * b / c;
  /* a * b does not fit: multiply the remainder bit by bit instead. */
  uint64_t divisor = (uint64_t)c, whole = (uint64_t)a / divisor, part = (uint64_t)a % divisor;
  uint64_t quotient = 0, rest = 0;
  if (whole > (uint64_t)(INT64_MAX / b)) return INT64_MAX;
  for (uint64_t bit = UINT64_C(1) << 62; bit; bit >>= 1) {
    quotient *= 2, rest *= 2;
    if (rest >= divisor) rest -= divisor, quotient++;
    if (!((uint64_t)b & bit)) continue;
    rest += part;
    if (rest >= divisor) rest -= divisor, quotient++;
    if (quotient > INT64_MAX) return INT64_MAX;
  }
  uint64_t sum = whole * (uint64_t)b + quotient;
  return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

static int64_t scale_signed(int64_t a, int64_t b, int64_t c) {
  if (a >= 0) return ttb__scale(a, b, c);
  return -ttb__scale(a == INT64_MIN ? INT64_MAX : -a, b, c);
}

/* The number a sample shows; false: it shows none. */
static inline bool value_of(const ttb__scaled_metric *m, const ttb_autoscaler_sample *s,
                            int64_t *ret) {
  if (s->missing || s->capacity_milli < 0) return false;
  *ret = s->value_milli;
  if (m->kind != TTB_AUTOSCALER_UTILISATION) return true;
  bool fine = m->flags & TTB_AUTOSCALER_FINE;
  if (s->capacity_milli > 0)
    *ret = scale_signed(s->value_milli, fine ? 100000 : 100, s->capacity_milli);
  else if (!fine)
    *ret /= 1000;
  if (!fine) *ret = (int64_t)ttb__saturate32(*ret) * 1000;
  return true;
}

/* How many replicas the value speaks of. */
static inline int32_t count_of(const ttb__scaled_metric *m, const ttb_autoscaler_sample *s,
                               ttb__count n) {
  int32_t given = s->replicas < 0 ? 0 : s->replicas;
  if (m->kind == TTB_AUTOSCALER_TOTAL)
    return m->flags & TTB_AUTOSCALER_STATUS ? given : n.current;
  return s->replicas == 0 ? n.serving : given;
}

bool ttb__autoscaler_within(const ttb__autoscaler *a, ttb__fp ratio) {
  if (!(a->flags & TTB_AUTOSCALER_OLD_TOLERANCE))
    return ttb__fp_le(a->lowest, ratio) && ttb__fp_le(ratio, a->highest);
  ttb__fp one = ttb__fp_int(1);
  return ttb__fp_le(ratio, one) ? ttb__fp_le(ttb__fp_sub(one, ratio), a->tolerance_down)
                                : ttb__fp_le(ttb__fp_sub(ratio, one), a->tolerance_up);
}

/* value / target, for kinds whose target is a replica's: / (target * count). */
static ttb__fp ratio_of(const ttb__scaled_metric *m, int64_t value, int32_t count) {
  ttb__fp v = ttb__fp_int((uint64_t)value);
  if (m->kind == TTB_AUTOSCALER_TOTAL)
    return ttb__fp_div(v, ttb__fp_mul(m->divisor, ttb__fp_int((uint64_t)count)));
  return ttb__fp_div(v, m->divisor);
}

static ttb__proposal by_ratio(const ttb__autoscaler *a, const ttb__scaled_metric *m, int64_t value,
                              int32_t count, int32_t current) {
  bool total = m->kind == TTB_AUTOSCALER_TOTAL;
  /* What there is, from which the tolerance holds: a total speaks of its count. */
  int32_t here = total ? count : current;
  if (value < 0) return ttb__propose(0, current);
  /* From zero: no replicas to compare with, no tolerance. */
  if (here == 0)
    return ttb__propose(
        ttb__saturate32(ttb__fp_ceil(ttb__fp_div(ttb__fp_int((uint64_t)value), m->divisor))),
        current);
  ttb__fp ratio = ratio_of(m, value, count);
  if (ttb__autoscaler_within(a, ratio)) {
    ttb__fp one = ttb__fp_int(1);
    bool exact = ttb__fp_le(ratio, one) && ttb__fp_le(one, ratio);
    return (ttb__proposal){here, exact ? TTB_AUTOSCALER_STEADY : TTB_AUTOSCALER_TOLERANCE, 0, -1};
  }
  return ttb__propose(
      ttb__saturate32(ttb__fp_ceil(total ? ttb__fp_div(ttb__fp_int((uint64_t)value), m->divisor)
                                         : ttb__fp_mul(ratio, ttb__fp_int((uint64_t)count)))),
      current);
}

ttb__proposal ttb__autoscaler_propose(const ttb__autoscaler *a, uint32_t metric,
                                      const ttb_autoscaler_sample *s, ttb__count n) {
  const ttb__scaled_metric *m = &a->metrics[metric];
  if (s->missing)
    return ttb__no_proposal(s->missing == TTB_AUTOSCALER_INVALID_SOURCE
                                ? TTB_AUTOSCALER_INVALID_SOURCE
                                : TTB_AUTOSCALER_NO_VALUE);
  if (s->pods) return ttb__pods_propose(a, m, s->pods, n.current, NULL);
  int64_t value;
  if (!value_of(m, s, &value))
    return ttb__no_proposal(TTB_AUTOSCALER_NO_CAPACITY);
  int32_t count = count_of(m, s, n);
  bool of_replicas = m->kind == TTB_AUTOSCALER_UTILISATION || m->kind == TTB_AUTOSCALER_AVERAGE;
  if (of_replicas && (count == 0 || n.current == 0)) return ttb__no_proposal(TTB_AUTOSCALER_NOBODY);
  if (m->method == TTB_AUTOSCALER_RATIO) return by_ratio(a, m, value, count, n.current);
  if (m->method == TTB_AUTOSCALER_STEPS) return ttb__steps_propose(a, metric, value, n.current);
  return ttb__watermark_propose(a, m, value, count, n.current);
}

void ttb__autoscaler_tell(const ttb__autoscaler *a, uint32_t metric, const ttb_autoscaler_sample *s,
                          ttb__count n, ttb__told *ret) {
  const ttb__scaled_metric *m = &a->metrics[metric];
  *ret = (ttb__told){.ratio_ppm = -1, .second_ppm = -1};
  if (s->missing) return;
  if (s->pods) {
    (void)ttb__pods_propose(a, m, s->pods, n.current, ret);
    return;
  }
  int64_t value;
  if (!value_of(m, s, &value)) return;
  bool total = m->kind == TTB_AUTOSCALER_TOTAL;
  int32_t count = count_of(m, s, n);
  ret->ready = count;
  ret->value_milli = value;
  if (total && value >= 0)
    ret->value_milli = count == 0 ? 0
                                  : ttb__fp_ceil(ttb__fp_div(ttb__fp_int((uint64_t)value),
                                                             ttb__fp_int((uint64_t)count)));
  if (total && value < 0) ret->value_milli = count == 0 ? 0 : value / count;
  if (value < 0 || (total && count == 0) || m->target == 0) return;
  ret->ratio_ppm = ttb__fp_floor(ttb__fp_mul(ratio_of(m, value, count), ttb__fp_int(1000000)));
}
