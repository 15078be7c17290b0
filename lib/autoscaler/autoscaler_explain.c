/* SPDX-License-Identifier: MIT */
/* Looking at an autoscaler without touching it, and words for its reasons.
 *
 * I1  Nothing here writes. Beside a writer each number is one that stood there;
 *     together they may be of two evaluations. */
#include "autoscaler.h"

int32_t ttb_autoscaler_explain(const ttb_autoscaler *h, uint32_t slot, uint64_t now_ns,
                               ttb_autoscaler_info *ret) {
  const ttb__autoscaler *a = ttb__autoscaler_of(h);
  if (!a || !ret) return TTB_ERR_MISUSE;
  if (slot >= a->capacity) return TTB_ERR_RANGE;
  ttb__autoscaler_slot *s = ttb__autoscaler_slot_at(a, slot);
  uint64_t now = ttb__clock_peek(&a->region->clock, now_ns), known = ttb__load_rlx(&s->known);
  ttb_autoscaler_info i = {.desired = -1, .current = -1, .proposed = -1, .metric = -1,
                           .up_window_min = -1, .down_window_max = -1, .age_ms = -1};
  uint64_t age;
  uint64_t current = ttb__load_rlx(&s->current);
  if (current & TTB__SET) {
    uint64_t w = ttb__load_rlx(&s->result);
    uint32_t proposed = (uint32_t)(w >> 16) & TTB__COUNT, metric = (uint32_t)w & 0xff;
    i.desired = (int32_t)(w >> 40);
    i.current = (int32_t)(current & TTB__COUNT);
    i.proposed = proposed == TTB__NONE ? -1 : (int32_t)proposed;
    i.reason = (int32_t)(w >> 8 & 0xff);
    i.metric = metric == TTB__NO_METRIC ? -1 : (int32_t)metric;
    i.age_ms = now > known ? (int64_t)(now - known) : 0;
  }
  ttb__window_bound(&a->way[TTB__UP], s, TTB__UP, now, &i.up_window_min, &age);
  ttb__window_bound(&a->way[TTB__DOWN], s, TTB__DOWN, now, &i.down_window_max, &age);
  for (uint32_t way = TTB__UP; way <= TTB__DOWN; way++) {
    i.proposals += ttb__window_count(&a->way[way], s, way);
    i.changes += ttb__policies_count(&a->way[way], s, way);
  }
  return ttb__struct_write(&ttb__autoscaler_info_fields, &i, ret);
}

int32_t ttb_autoscaler_statistics(const ttb_autoscaler *h, ttb_autoscaler_stats *ret) {
  const ttb__autoscaler *a = ttb__autoscaler_of(h);
  if (!a || !ret) return TTB_ERR_MISUSE;
  ttb_autoscaler_stats t = {.capacity = a->capacity};
  for (uint32_t i = 0; i < a->capacity; i++) {
    const ttb__autoscaler_slot *s = ttb__autoscaler_slot_at(a, i);
    t.evaluations += ttb__load_rlx(&s->evaluations);
    t.ups += ttb__load_rlx(&s->moves[TTB__UP]);
    t.downs += ttb__load_rlx(&s->moves[TTB__DOWN]);
    t.held += ttb__load_rlx(&s->held);
    t.merged += ttb__load_rlx(&s->merged);
  }
  t.clock_adoptions = ttb__load_rlx(&a->region->clock.adoptions);
  return ttb__struct_write(&ttb__autoscaler_stats_fields, &t, ret);
}

const char *ttb_autoscaler_reason(int32_t reason) {
  static const char *const text[] = {
      "the metrics ask for what there is",
      "a metric is above its target",
      "all metrics are below their targets",
      "the metrics are within the tolerance of their targets",
      "a recent proposal was lower: the up window lets it go no higher",
      "a recent proposal was higher: the down window lets it go no lower",
      "the scale-up policies allow no more in this period",
      "the scale-down policies allow no fewer in this period",
      "more are asked for than max_replicas",
      "fewer are asked for than min_replicas",
      "metrics are missing: the count is held",
      "there are no replicas and nothing may start them: somebody switched it off",
      "with fewer replicas the same load would soon ask for more again",
      "the replicas are paid for already",
      "too soon after the last change",
      "what would be saved is not yet worth an action",
      "a guard metric is above its target: nothing goes",
  };
  if (reason < 0 || reason >= (int32_t)(sizeof text / sizeof *text)) return "no such reason";
  return text[reason];
}

int32_t ttb_autoscaler_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {
      &ttb__autoscaler_config_fields,   &ttb__autoscaler_metric_fields,
      &ttb__autoscaler_policy_fields,   &ttb__autoscaler_sample_fields,
      &ttb__autoscaler_row_fields,      &ttb__autoscaler_decision_fields,
      &ttb__autoscaler_info_fields,     &ttb__autoscaler_stats_fields,
      &ttb__autoscaler_step_fields,     &ttb__autoscaler_schedule_fields,
      &ttb__pods_config_fields,         &ttb__pod_fields,
      &ttb__container_fields,           &ttb__pods_info_fields};
  return ttb__field_get(all, sizeof all / sizeof *all, which, index, ret_field);
}
