/* SPDX-License-Identifier: MIT */
/* Steps and watermarks: rules with thresholds of their own.
 *
 * Steps are AWS' step scaling (an interval of the metric, what to do in it;
 * percentages are cut towards zero but change at least MinAdjustmentMagnitude)
 * and the threshold rules of Azure, Nomad and of hand-written scalers. Watermarks
 * are those of DataDog's WatermarkPodAutoscaler: above the high one up, rounded
 * up, below the low one down, rounded down, never to nobody.
 *
 * I1  A step's result lies in 0..TTB__MANY, whatever its numbers are. */
#include "autoscaler.h"

int32_t ttb__step_to(const ttb_autoscaler_step *s, int32_t current) {
  int64_t n = current, change, least = s->least > 0 ? s->least : 1;
  switch (s->type) {
  case TTB_AUTOSCALER_STEP_EXACT: return ttb__few(s->value);
  case TTB_AUTOSCALER_STEP_FACTOR: return s->value < 0 ? 0 : ttb__few(n * s->value / 1000000);
  case TTB_AUTOSCALER_STEP_PERCENT:
    change = n * s->value / 100;
    if (s->value > 0 && change < least) change = least;
    if (s->value < 0 && change > -least) change = -least;
    return ttb__few(n + change);
  default: return ttb__few(n + s->value);
  }
}

ttb__proposal ttb__steps_propose(const ttb__autoscaler *a, uint32_t metric, int64_t value,
                                 int32_t current) {
  if (value < 0) value = 0;
  for (uint32_t i = 0; i < a->steps_n; i++) {
    const ttb_autoscaler_step *s = &a->steps[i];
    if (s->metric != metric || value < s->lower_milli) continue;
    if (s->upper_milli != 0 && value >= s->upper_milli) continue;
    ttb__proposal p = ttb__propose(ttb__step_to(s, current), current);
    p.step = (int32_t)i;
    return p;
  }
  return ttb__propose(current, current);
}

ttb__proposal ttb__watermark_propose(const ttb__autoscaler *a, const ttb__scaled_metric *m,
                                     int64_t value, int32_t count, int32_t current) {
  bool total = m->kind == TTB_AUTOSCALER_TOTAL;
  if (value < 0) value = 0;
  ttb__fp v = ttb__fp_int((uint64_t)value), n = ttb__fp_int((uint64_t)count);
  if (total && count == 0)
    return ttb__propose(ttb__saturate32(ttb__fp_ceil(ttb__fp_div(v, m->divisor))), current);
  ttb__fp high = ttb__fp_div(v, total ? ttb__fp_mul(m->divisor, n) : m->divisor);
  ttb__fp low = ttb__fp_div(v, total ? ttb__fp_mul(m->low_divisor, n) : m->low_divisor);
  if (!ttb__fp_le(high, a->highest))
    return ttb__propose(ttb__saturate32(ttb__fp_ceil(ttb__fp_mul(high, n))), current);
  if (!ttb__fp_le(a->lowest, low)) {
    int64_t fewer = ttb__fp_floor(ttb__fp_mul(low, n));
    return ttb__propose(fewer < 1 ? 1 : ttb__saturate32(fewer), current);
  }
  ttb__proposal hold = ttb__propose(current, current);
  hold.reason = TTB_AUTOSCALER_TOLERANCE;
  return hold;
}
