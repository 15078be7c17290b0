/* SPDX-License-Identifier: MIT */
/* Target tracking: from a metric's value to a proposal.
 *
 * After pkg/controller/podautoscaler/replica_calculator.go of Kubernetes: the
 * short path of GetResourceReplicas (all replicas measured), and GetObject...,
 * GetExternal...Replicas with Value and AverageValue.
 *
 * I1  The double operations are those of the HPA in its order (../base/fp.h).
 * I2  Every value has a result: below zero proposes 0, more than
 *     INT32_MAX replicas are INT32_MAX (Kubernetes#141397). */
#include "autoscaler.h"

static int32_t saturate32(int64_t n) {
  return n > INT32_MAX ? INT32_MAX : n < INT32_MIN ? INT32_MIN : (int32_t)n;
}

/* trunc(a * b / c), saturating; a, b, c not below 0, c not 0, b below 2^20. */
static int64_t scale(int64_t a, uint32_t b, int64_t c) {
  if (b == 0 || a <= INT64_MAX / (int64_t)b) return a * (int64_t)b / c;
  /* a * b does not fit: multiply the remainder bit by bit instead. */
  uint64_t divisor = (uint64_t)c, whole = (uint64_t)a / divisor, part = (uint64_t)a % divisor;
  uint64_t quotient = 0, rest = 0;
  if (whole > INT64_MAX / b) return INT64_MAX;
  for (uint32_t bit = 1u << 20; bit; bit >>= 1) {
    quotient *= 2, rest *= 2;
    if (rest >= divisor) rest -= divisor, quotient++;
    if (!(b & bit)) continue;
    rest += part;
    if (rest >= divisor) rest -= divisor, quotient++;
  }
  uint64_t sum = whole * b + quotient;
  return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

static int64_t scale_signed(int64_t a, uint32_t b, int64_t c) {
  if (a >= 0) return scale(a, b, c);
  return -scale(a == INT64_MIN ? INT64_MAX : -a, b, c);
}

/* The number that is compared with the target. False: there is none. */
static bool value_of(const ttb__scaled_metric *m, const ttb_autoscaler_sample *s, int64_t *ret) {
  if (s->missing || s->capacity_milli < 0) return false;
  *ret = s->value_milli;
  if (m->kind != TTB_AUTOSCALER_UTILISATION) return true;
  bool fine = m->flags & TTB_AUTOSCALER_FINE;
  if (s->capacity_milli > 0)
    *ret = scale_signed(s->value_milli, fine ? 100000 : 100, s->capacity_milli);
  else if (!fine)
    *ret /= 1000;
  if (!fine) *ret = (int64_t)saturate32(*ret) * 1000;
  return true;
}

static int32_t count_of(const ttb_autoscaler_sample *s, int32_t current) {
  return s->replicas == 0 ? current : s->replicas < 0 ? 0 : s->replicas;
}

static bool within(const ttb__autoscaler *a, ttb__fp ratio) {
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

static int32_t compare(int32_t proposal, int32_t current) {
  return proposal > current   ? TTB_AUTOSCALER_ABOVE_TARGET
         : proposal < current ? TTB_AUTOSCALER_BELOW_TARGET
                              : TTB_AUTOSCALER_STEADY;
}

ttb__proposal ttb__autoscaler_propose(const ttb__autoscaler *a, const ttb__scaled_metric *m,
                                      const ttb_autoscaler_sample *s, int32_t current) {
  ttb__proposal p = {-1, TTB_AUTOSCALER_MISSING, -1, 0};
  int64_t value;
  if (!value_of(m, s, &value)) return p;
  int32_t count = count_of(s, current);
  bool per_replica = m->kind == TTB_AUTOSCALER_UTILISATION || m->kind == TTB_AUTOSCALER_AVERAGE;
  if (per_replica && count == 0) return p; /* nobody was measured */

  bool total = m->kind == TTB_AUTOSCALER_TOTAL;
  /* What there is, from which the tolerance holds: a total speaks of its count. */
  int32_t here = total ? count : current;
  if (value < 0) {
    p.replicas = 0;
  } else if (here == 0) {
    /* From zero: no replicas to compare with, no tolerance. */
    p.replicas = saturate32(ttb__fp_ceil(ttb__fp_div(ttb__fp_int((uint64_t)value), m->divisor)));
  } else {
    ttb__fp ratio = ratio_of(m, value, count);
    if (within(a, ratio)) {
      ttb__fp one = ttb__fp_int(1);
      bool exact = ttb__fp_le(ratio, one) && ttb__fp_le(one, ratio);
      p.replicas = here;
      p.reason = exact ? TTB_AUTOSCALER_STEADY : TTB_AUTOSCALER_TOLERANCE;
      return p;
    }
    p.replicas = saturate32(
        ttb__fp_ceil(total ? ttb__fp_div(ttb__fp_int((uint64_t)value), m->divisor)
                           : ttb__fp_mul(ratio, ttb__fp_int((uint64_t)count))));
  }
  p.reason = compare(p.replicas, current);
  return p;
}

void ttb__autoscaler_tell(const ttb__scaled_metric *m, const ttb_autoscaler_sample *s,
                          int32_t current, ttb__proposal *p) {
  int64_t value;
  if (p->reason == TTB_AUTOSCALER_MISSING || !value_of(m, s, &value)) return;
  int32_t count = count_of(s, current);
  p->value_milli = value;
  if (m->kind == TTB_AUTOSCALER_TOTAL && value >= 0)
    p->value_milli = count == 0 ? 0
                                : ttb__fp_ceil(ttb__fp_div(ttb__fp_int((uint64_t)value),
                                                           ttb__fp_int((uint64_t)count)));
  if (m->kind == TTB_AUTOSCALER_TOTAL && value < 0) p->value_milli = count == 0 ? 0 : value / count;
  if (value < 0 || (m->kind == TTB_AUTOSCALER_TOTAL && count == 0)) return;
  p->ratio_ppm = ttb__fp_floor(ttb__fp_mul(ratio_of(m, value, count), ttb__fp_int(1000000)));
}
