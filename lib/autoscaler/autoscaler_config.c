/* SPDX-License-Identifier: MIT */
/* What an autoscaler can be told, as rows: see ../base/config.h. Defaults are
 * those of the HPA v2 API (pkg/apis/autoscaling/v2/defaults.go of Kubernetes).
 *
 * I1  The stored configuration has the fields of the public one up to its
 *     pointers, in the same places (asserted below). */
#include "autoscaler.h"

#include <string.h>

#define ALL_FLAGS                                                        \
  (TTB_AUTOSCALER_OLD_TOLERANCE | TTB_AUTOSCALER_GRADUAL | TTB_AUTOSCALER_LEGACY | \
   TTB_AUTOSCALER_WHAT_IF)
#define METRIC_FLAGS (TTB_AUTOSCALER_FINE | TTB_AUTOSCALER_GUARD | TTB_AUTOSCALER_STATUS)
#define SCALARS(T)                                                                \
  TTB__FIELD(T, U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),                    \
      TTB__FIELD(T, U32, capacity, "", 1, TTB_MAX_SLOTS, 1, 0),                   \
      TTB__FIELD(T, I32, min_replicas, "replicas", 1, TTB_AUTOSCALER_MAX_REPLICAS, 1, \
                 TTB__MAY_BE_OFF),                                                \
      TTB__FIELD(T, I32, max_replicas, "replicas", 1, TTB_AUTOSCALER_MAX_REPLICAS, 100, 0), \
      TTB__FIELD(T, I32, tolerance_up_ppm, "ppm", 1, 1000000000, 100000, TTB__MAY_BE_OFF),  \
      TTB__FIELD(T, I32, tolerance_down_ppm, "ppm", 1, 1000000000, 100000, TTB__MAY_BE_OFF),   \
      TTB__FIELD(T, U32, up_window_ms, "ms", 0, 86400000, 0, 0),                  \
      TTB__FIELD(T, I32, down_window_ms, "ms", 1, 86400000, 300000, TTB__MAY_BE_OFF),       \
      TTB__FIELD(T, U32, up_select, "", 1, 3, TTB_AUTOSCALER_SELECT_MAX, 0),      \
      TTB__FIELD(T, U32, down_select, "", 1, 3, TTB_AUTOSCALER_SELECT_MAX, 0),    \
      TTB__FIELD(T, U32, tick_ms, "ms", 1, 3600000, 15000, 0),                    \
      TTB__FIELD(T, U32, flags, "", 0, ALL_FLAGS, 0, 0),                          \
      TTB__FIELD(T, U32, metrics_n, "", 0, TTB_AUTOSCALER_MAX_METRICS, 0, 0),     \
      TTB__FIELD(T, U32, up_policies_n, "", 0, TTB_AUTOSCALER_MAX_POLICIES, 0, 0),          \
      TTB__FIELD(T, U32, down_policies_n, "", 0, TTB_AUTOSCALER_MAX_POLICIES, 0, 0),        \
      TTB__FIELD(T, U32, combine, "", 1, 2, TTB_AUTOSCALER_COMBINE_MAX, 0),       \
      TTB__FIELD(T, U32, from_zero, "", 1, 3, TTB_AUTOSCALER_FROM_ZERO_ANY, 0),   \
      TTB__FIELD(T, U32, startup_ms, "ms", 0, 86400000, 0, 0),                    \
      TTB__FIELD(T, U32, billing_ms, "ms", 0, 86400000, 0, 0),                    \
      TTB__FIELD(T, U32, action_cost_ms, "replica ms", 0, INT32_MAX, 0, 0),       \
      TTB__FIELD(T, U32, up_cooldown_ms, "ms", 0, 86400000, 0, 0),                \
      TTB__FIELD(T, U32, down_cooldown_ms, "ms", 0, 86400000, 0, 0),              \
      TTB__FIELD(T, U32, week_offset_s, "s", 0, 604799, 0, 0),                    \
      TTB__FIELD(T, U32, steps_n, "", 0, TTB_AUTOSCALER_MAX_STEPS, 0, 0),         \
      TTB__FIELD(T, U32, schedule_n, "", 0, TTB_AUTOSCALER_MAX_SCHEDULE, 0, 0),   \
      TTB__FIELD(T, U32, reserved, "", 0, 0, 0, 0)
#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_autoscaler_config, type, field, unit, min, max, def, flags)

static const ttb__field config_fields[] = {
    SCALARS(ttb_autoscaler_config),
    C(PTR, metrics, "", 0, 0, 0, TTB__ANY),
    C(PTR, up_policies, "", 0, 0, 0, TTB__ANY),
    C(PTR, down_policies, "", 0, 0, 0, TTB__ANY),
    C(PTR, steps, "", 0, 0, 0, TTB__ANY),
    C(PTR, schedule, "", 0, 0, 0, TTB__ANY),
};
const ttb__struct ttb__autoscaler_config_fields =
    TTB__STRUCT(ttb_autoscaler_config, config_fields);

static const ttb__field stored_fields[] = {SCALARS(ttb__autoscaler_stored)};
const ttb__struct ttb__autoscaler_stored_fields =
    TTB__STRUCT(ttb__autoscaler_stored, stored_fields);
_Static_assert(sizeof(ttb__autoscaler_stored) == offsetof(ttb_autoscaler_config, metrics) &&
                   offsetof(ttb__autoscaler_stored, reserved) ==
                       offsetof(ttb_autoscaler_config, reserved),
               "I1");

#define M(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_autoscaler_metric, type, field, unit, min, max, def, flags)

static const ttb__field metric_fields[] = {
    M(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    M(U32, kind, "", 1, 4, TTB_AUTOSCALER_UTILISATION, 0),
    M(U32, flags, "", 0, METRIC_FLAGS, 0, 0),
    M(U32, method, "", 1, 3, TTB_AUTOSCALER_RATIO, 0),
    M(I64, target_milli, "milli", 1, INT64_MAX, 0, 0),
    M(I64, low_milli, "milli", 1, INT64_MAX, 0, 0),
    M(U32, source, "", 1, 5, 0, 0),
    M(U32, reserved, "", 0, 0, 0, 0),
};
const ttb__struct ttb__autoscaler_metric_fields = TTB__STRUCT(ttb_autoscaler_metric, metric_fields);

#define P(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_autoscaler_policy, type, field, unit, min, max, def, flags)

static const ttb__field policy_fields[] = {
    P(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    P(U32, type, "", 1, 3, TTB_AUTOSCALER_REPLICAS, 0),
    P(U32, value, "replicas or percent", 1, TTB_AUTOSCALER_MAX_REPLICAS, 0, 0),
    P(U32, period_ms, "ms", 1, 86400000, 15000, 0),
};
const ttb__struct ttb__autoscaler_policy_fields = TTB__STRUCT(ttb_autoscaler_policy, policy_fields);

#define E(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_autoscaler_step, type, field, unit, min, max, def, flags)

static const ttb__field step_fields[] = {
    E(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    E(U32, metric, "", 0, TTB_AUTOSCALER_MAX_METRICS - 1, 0, 0),
    E(I64, lower_milli, "milli", 0, INT64_MAX, 0, 0),
    E(I64, upper_milli, "milli", 0, INT64_MAX, 0, 0),
    E(U32, type, "", 1, 4, TTB_AUTOSCALER_STEP_CHANGE, 0),
    E(I32, value, "replicas, percent or ppm", -TTB_AUTOSCALER_MAX_REPLICAS, INT32_MAX, 0, 0),
    E(U32, least, "replicas", 0, TTB_AUTOSCALER_MAX_REPLICAS, 0, 0),
    E(U32, reserved, "", 0, 0, 0, 0),
};
const ttb__struct ttb__autoscaler_step_fields = TTB__STRUCT(ttb_autoscaler_step, step_fields);

#define W(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_autoscaler_schedule, type, field, unit, min, max, def, flags)

static const ttb__field schedule_fields[] = {
    W(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    W(U32, period_s, "s", 86400, 604800, 604800, 0),
    W(U32, begin_s, "s", 0, 604799, 0, 0),
    W(U32, end_s, "s", 0, 604800, 0, 0),
    W(I32, min_replicas, "replicas", 1, TTB_AUTOSCALER_MAX_REPLICAS, 0, 0),
    W(I32, max_replicas, "replicas", 1, TTB_AUTOSCALER_MAX_REPLICAS, 0, TTB__MAY_BE_OFF),
};
const ttb__struct ttb__autoscaler_schedule_fields =
    TTB__STRUCT(ttb_autoscaler_schedule, schedule_fields);

#define S(type, field, unit) TTB__OUT(ttb_autoscaler_sample, type, field, unit)

static const ttb__field sample_fields[] = {
    S(U32, struct_size, "bytes"),    S(U32, missing, ""),
    S(I64, value_milli, "milli"),    S(I64, capacity_milli, "milli"),
    S(I32, replicas, "replicas"),    S(U32, reserved, ""),
    S(PTR, pods, ""),
};
const ttb__struct ttb__autoscaler_sample_fields = TTB__STRUCT(ttb_autoscaler_sample, sample_fields);

#define R(type, field, unit) TTB__OUT(ttb_autoscaler_row, type, field, unit)

static const ttb__field row_fields[] = {
    R(U32, struct_size, "bytes"), R(U32, kind, ""),
    R(I32, reason, ""),           R(I32, proposal, "replicas"),
    R(I64, value_milli, "milli"), R(I64, target_milli, "milli"),
    R(I64, ratio_ppm, "ppm"),     R(I64, raw_milli, "milli"),
    R(I64, second_ppm, "ppm"),    R(I32, failure, ""),
    R(I32, step, ""),             R(I32, ready, "replicas"),
    R(I32, unready, "replicas"),  R(I32, unmeasured, "replicas"),
    R(I32, ignored, "replicas"),
};
const ttb__struct ttb__autoscaler_row_fields = TTB__STRUCT(ttb_autoscaler_row, row_fields);

#define D(type, field, unit) TTB__OUT(ttb_autoscaler_decision, type, field, unit)

static const ttb__field decision_fields[] = {
    D(U32, struct_size, "bytes"),     D(I32, desired, "replicas"),
    D(I32, current, "replicas"),      D(I32, reason, ""),
    D(I32, metric, ""),               D(I32, missing, ""),
    D(I32, proposed, "replicas"),     D(I32, stabilised, "replicas"),
    D(I32, window, ""),               D(I32, window_value, "replicas"),
    D(I32, window_age_ms, "ms"),      D(I32, limit, ""),
    D(I32, brake, ""),                D(I32, policy, ""),
    D(I32, policy_limit, "replicas"), D(I32, policy_period_ms, "ms"),
    D(I32, policy_used, "replicas"),  D(I32, next_change_ms, "ms"),
    D(I32, min_replicas, "replicas"), D(I32, max_replicas, "replicas"),
    D(I32, serving, "replicas"),      D(I32, failed, ""),
    D(I32, failure, ""),              D(U32, failed_source, ""),
    D(I32, zero, ""),                 D(U32, rows_n, ""),
    D(PTR, rows, ""),
};
const ttb__struct ttb__autoscaler_decision_fields =
    TTB__STRUCT(ttb_autoscaler_decision, decision_fields);

#define I(type, field, unit) TTB__OUT(ttb_autoscaler_info, type, field, unit)

static const ttb__field info_fields[] = {
    I(U32, struct_size, "bytes"),        I(I32, desired, "replicas"),
    I(I32, current, "replicas"),         I(I32, proposed, "replicas"),
    I(I32, reason, ""),                  I(I32, metric, ""),
    I(I32, up_window_min, "replicas"),   I(I32, down_window_max, "replicas"),
    I(U32, proposals, ""),               I(U32, changes, ""),
    I(I64, age_ms, "ms"),
};
const ttb__struct ttb__autoscaler_info_fields = TTB__STRUCT(ttb_autoscaler_info, info_fields);

#define T(type, field) TTB__OUT(ttb_autoscaler_stats, type, field, "")

static const ttb__field stats_fields[] = {
    T(U32, struct_size), T(U32, capacity), T(U64, evaluations), T(U64, ups),
    T(U64, downs),       T(U64, held),     T(U64, merged),      T(U64, clock_adoptions),
};
const ttb__struct ttb__autoscaler_stats_fields = TTB__STRUCT(ttb_autoscaler_stats, stats_fields);

/* ---- reading ---- */

/* An element's fault is told with the name of its array. */
static int32_t element_fault(int32_t code, uint32_t way, ttb_detail *d) {
  static const char *const names[2][4] = {
      {"up_policies.struct_size", "up_policies.type", "up_policies.value", "up_policies.period_ms"},
      {"down_policies.struct_size", "down_policies.type", "down_policies.value",
       "down_policies.period_ms"}};
  if (!d || d->struct_size < sizeof *d || !d->field) return code;
  for (uint32_t i = 0; i < 4; i++)
    if (strlen(d->field) == strlen(policy_fields[i].name) &&
        memcmp(d->field, policy_fields[i].name, strlen(d->field)) == 0)
      d->field = names[way][i];
  return code;
}

/* The stride of an array: the size its first element names; all must. */
static const void *element(const void *first, uint32_t i, uint32_t *stride) {
  memcpy(stride, first, sizeof *stride);
  return (const char *)first + (uint64_t)i * *stride;
}

static int32_t same_stride(const void *e, uint32_t stride, uint32_t i, ttb_detail *d) {
  uint32_t size;
  memcpy(&size, e, sizeof size);
  if (size == stride) return TTB_OK;
  return ttb__fail(d, TTB_ERR_RANGE, "struct_size", (int32_t)i, size, stride, stride);
}

/* What an HPA calls a kind of metric, if the caller does not say. */
static uint32_t source_of(uint32_t kind) {
  return kind == TTB_AUTOSCALER_UTILISATION ? TTB_AUTOSCALER_RESOURCE
         : kind == TTB_AUTOSCALER_AVERAGE   ? TTB_AUTOSCALER_PODS
                                            : TTB_AUTOSCALER_EXTERNAL;
}

static int32_t read_metrics(const ttb_autoscaler_metric *from, uint32_t n,
                            ttb_autoscaler_metric *ret, ttb_detail *d) {
  uint32_t stride;
  if (n > 0 && !from) return ttb__fail(d, TTB_ERR_MISUSE, "metrics", -1, 0, 0, 0);
  for (uint32_t i = 0; i < n; i++) {
    const void *e = element(from, i, &stride);
    int32_t code = ttb__config_read(&ttb__autoscaler_metric_fields, e, &ret[i], (int32_t)i, d);
    if (code < 0 || (code = same_stride(e, stride, i, d)) < 0) return code;
    if (ret[i].source == 0) ret[i].source = source_of(ret[i].kind);
    if (ret[i].target_milli == 0 && ret[i].kind == TTB_AUTOSCALER_UTILISATION)
      ret[i].target_milli = ttb__hpa_metrics[0].target_milli;
    if (ret[i].target_milli == 0 && ret[i].method != TTB_AUTOSCALER_STEPS)
      return ttb__fail(d, TTB_ERR_RANGE, "target_milli", (int32_t)i, 0, 1, INT64_MAX);
    if (ret[i].method == TTB_AUTOSCALER_WATERMARK &&
        (ret[i].low_milli == 0 || ret[i].low_milli > ret[i].target_milli))
      return ttb__fail(d, TTB_ERR_RANGE, "low_milli", (int32_t)i, ret[i].low_milli, 1,
                       ret[i].target_milli);
  }
  return TTB_OK;
}

static int32_t read_policies(const ttb_autoscaler_policy *from, uint32_t n, uint32_t way,
                             ttb_autoscaler_policy *ret, ttb_detail *d) {
  uint32_t stride;
  if (n > 0 && !from)
    return ttb__fail(d, TTB_ERR_MISUSE, way == TTB__UP ? "up_policies" : "down_policies", -1, 0, 0,
                     0);
  for (uint32_t i = 0; i < n; i++) {
    const void *e = element(from, i, &stride);
    int32_t code = ttb__config_read(&ttb__autoscaler_policy_fields, e, &ret[i], (int32_t)i, d);
    if (code < 0 || (code = same_stride(e, stride, i, d)) < 0) return element_fault(code, way, d);
    if (ret[i].value == 0)
      return element_fault(ttb__fail(d, TTB_ERR_RANGE, "value", (int32_t)i, 0, 1,
                                     TTB_AUTOSCALER_MAX_REPLICAS), way, d);
    if (way == TTB__DOWN && ret[i].type == TTB_AUTOSCALER_UP_TO)
      return element_fault(ttb__fail(d, TTB_ERR_RANGE, "type", (int32_t)i, ret[i].type, 1, 2), way,
                           d);
  }
  return TTB_OK;
}

static int32_t read_steps(const ttb_autoscaler_step *from, uint32_t n,
                          const ttb_autoscaler_metric *metrics, uint32_t metrics_n,
                          ttb_autoscaler_step *ret, ttb_detail *d) {
  uint32_t stride;
  if (n > 0 && !from) return ttb__fail(d, TTB_ERR_MISUSE, "steps", -1, 0, 0, 0);
  for (uint32_t i = 0; i < n; i++) {
    const void *e = element(from, i, &stride);
    int32_t code = ttb__config_read(&ttb__autoscaler_step_fields, e, &ret[i], (int32_t)i, d);
    if (code < 0 || (code = same_stride(e, stride, i, d)) < 0) return code;
    if (ret[i].metric >= metrics_n || metrics[ret[i].metric].method != TTB_AUTOSCALER_STEPS)
      return ttb__fail(d, TTB_ERR_RANGE, "steps.metric", (int32_t)i, ret[i].metric, 0,
                       (int64_t)metrics_n - 1);
    if (ret[i].upper_milli != 0 && ret[i].upper_milli <= ret[i].lower_milli)
      return ttb__fail(d, TTB_ERR_RANGE, "steps.upper_milli", (int32_t)i, ret[i].upper_milli,
                       ret[i].lower_milli, INT64_MAX);
  }
  return TTB_OK;
}

static int32_t read_schedule(const ttb_autoscaler_schedule *from, uint32_t n,
                             ttb_autoscaler_schedule *ret, ttb_detail *d) {
  uint32_t stride;
  if (n > 0 && !from) return ttb__fail(d, TTB_ERR_MISUSE, "schedule", -1, 0, 0, 0);
  for (uint32_t i = 0; i < n; i++) {
    const void *e = element(from, i, &stride);
    int32_t code = ttb__config_read(&ttb__autoscaler_schedule_fields, e, &ret[i], (int32_t)i, d);
    if (code < 0 || (code = same_stride(e, stride, i, d)) < 0) return code;
    uint32_t period = ret[i].period_s;
    if (period != 86400 && period != 604800)
      return ttb__fail(d, TTB_ERR_RANGE, "period_s", (int32_t)i, period, 86400, 604800);
    if (ret[i].begin_s >= period)
      return ttb__fail(d, TTB_ERR_RANGE, "begin_s", (int32_t)i, ret[i].begin_s, 0, period - 1);
    if (ret[i].end_s > period)
      return ttb__fail(d, TTB_ERR_RANGE, "end_s", (int32_t)i, ret[i].end_s, 0, period);
  }
  return TTB_OK;
}

static int32_t check_bounds(const ttb__autoscaler_stored *c, ttb_detail *d) {
  if (c->max_replicas >= c->min_replicas) return TTB_OK;
  return ttb__fail(d, TTB_ERR_RANGE, "max_replicas", -1, c->max_replicas, c->min_replicas,
                   TTB_AUTOSCALER_MAX_REPLICAS);
}

int32_t ttb__autoscaler_read(const ttb_autoscaler_config *config, ttb__autoscaler_stored *ret,
                             ttb__autoscaler_arrays *arrays, ttb_detail *d) {
  ttb_autoscaler_config c;
  int32_t code = ttb__config_read(&ttb__autoscaler_config_fields, config, &c, -1, d);
  if (code < 0) return code;
  memset(arrays, 0, sizeof *arrays);
  if (c.metrics_n == 0) c.metrics = ttb__hpa_metrics, c.metrics_n = 1;
  if (c.up_policies_n == 0) {
    c.up_policies = c.flags & TTB_AUTOSCALER_LEGACY ? ttb__legacy_up : ttb__hpa_up;
    c.up_policies_n = 2;
  }
  if (c.down_policies_n == 0) c.down_policies = ttb__hpa_down, c.down_policies_n = 1;
  if ((code = read_metrics(c.metrics, c.metrics_n, arrays->metrics, d)) < 0) return code;
  if ((code = read_policies(c.up_policies, c.up_policies_n, TTB__UP, arrays->policies[TTB__UP],
                            d)) < 0)
    return code;
  if ((code = read_policies(c.down_policies, c.down_policies_n, TTB__DOWN,
                            arrays->policies[TTB__DOWN], d)) < 0)
    return code;
  if ((code = read_steps(c.steps, c.steps_n, arrays->metrics, c.metrics_n, arrays->steps, d)) < 0)
    return code;
  if ((code = read_schedule(c.schedule, c.schedule_n, arrays->schedule, d)) < 0) return code;
  memcpy(ret, &c, sizeof *ret);
  ret->struct_size = sizeof *ret;
  return check_bounds(ret, d);
}

int32_t ttb__autoscaler_reread(ttb__autoscaler_stored *s, const ttb__autoscaler_arrays *stored,
                               ttb__autoscaler_arrays *ret) {
  ttb__autoscaler_arrays copy;
  memcpy(&copy, stored, sizeof copy); /* what is checked is what is used */
  memset(ret, 0, sizeof *ret);
  if (s->metrics_n == 0 || s->up_policies_n == 0 || s->down_policies_n == 0) return TTB_ERR_CORRUPT;
  for (uint32_t i = 0; i < TTB_AUTOSCALER_MAX_METRICS; i++)
    if (i < s->metrics_n && copy.metrics[i].struct_size != sizeof copy.metrics[i])
      return TTB_ERR_CORRUPT;
  for (uint32_t i = 0; i < TTB_AUTOSCALER_MAX_POLICIES; i++) {
    const ttb_autoscaler_policy *up = &copy.policies[TTB__UP][i];
    const ttb_autoscaler_policy *down = &copy.policies[TTB__DOWN][i];
    if (i < s->up_policies_n && up->struct_size != sizeof *up) return TTB_ERR_CORRUPT;
    if (i < s->down_policies_n && down->struct_size != sizeof *down) return TTB_ERR_CORRUPT;
  }
  for (uint32_t i = 0; i < s->steps_n; i++)
    if (copy.steps[i].struct_size != sizeof copy.steps[i]) return TTB_ERR_CORRUPT;
  for (uint32_t i = 0; i < s->schedule_n; i++)
    if (copy.schedule[i].struct_size != sizeof copy.schedule[i]) return TTB_ERR_CORRUPT;
  int32_t code = read_metrics(copy.metrics, s->metrics_n, ret->metrics, NULL);
  for (uint32_t way = TTB__UP; code >= 0 && way <= TTB__DOWN; way++)
    code = read_policies(copy.policies[way], way == TTB__UP ? s->up_policies_n : s->down_policies_n,
                         way, ret->policies[way], NULL);
  if (code >= 0)
    code = read_steps(copy.steps, s->steps_n, ret->metrics, s->metrics_n, ret->steps, NULL);
  if (code >= 0) code = read_schedule(copy.schedule, s->schedule_n, ret->schedule, NULL);
  return code < 0 ? code : check_bounds(s, NULL);
}
