/* SPDX-License-Identifier: MIT */
/* Schedules: bounds that hold for hours of a day or of a week (AWS scheduled
 * actions, KEDA's cron scaler, Azure profiles, as floors and ceilings).
 *
 * I1  Times are whole seconds of the caller's clock; an interval has its begin
 *     and not its end, and one that ends before it begins runs over midnight (or
 *     over Sunday night).
 * I2  The bounds found are legal: 0..max, min not above max; the ceiling gives way
 *     to the floor, both to the configured max_replicas. */
#include "autoscaler.h"

static uint64_t second_of(const ttb__autoscaler *a, const ttb_autoscaler_schedule *w,
                          uint64_t now_ns) {
  return (now_ns / 1000000000 + a->week_offset_s) % w->period_s;
}

static bool holds(const ttb_autoscaler_schedule *w, uint64_t second) {
  if (w->begin_s < w->end_s) return second >= w->begin_s && second < w->end_s;
  return second >= w->begin_s || second < w->end_s;
}

void ttb__schedule_bounds(const ttb__autoscaler *a, uint64_t now_ns, int32_t *min, int32_t *max) {
  int32_t low = a->min, high = a->max;
  for (uint32_t i = 0; i < a->schedule_n; i++) {
    const ttb_autoscaler_schedule *w = &a->schedule[i];
    if (!holds(w, second_of(a, w, now_ns))) continue;
    int32_t ceiling = w->max_replicas < 0 ? 0 : w->max_replicas;
    if (w->min_replicas > low) low = w->min_replicas;
    if (w->max_replicas != 0 && ceiling < high) high = ceiling;
  }
  *min = low < a->max ? low : a->max;
  *max = high > *min ? high : *min;
}

int64_t ttb__schedule_next(const ttb__autoscaler *a, uint64_t now_ns) {
  int64_t next = INT64_MAX;
  for (uint32_t i = 0; i < a->schedule_n; i++) {
    const ttb_autoscaler_schedule *w = &a->schedule[i];
    uint64_t second = second_of(a, w, now_ns);
    uint32_t edges[2] = {w->begin_s, w->end_s};
    for (uint32_t k = 0; k < 2; k++) {
      uint64_t left = (edges[k] % w->period_s + w->period_s - second) % w->period_s;
      if (left == 0) left = w->period_s;
      int64_t ms = (int64_t)(left * 1000 - now_ns % 1000000000 / 1000000);
      if (ms < next) next = ms;
    }
  }
  return next;
}
