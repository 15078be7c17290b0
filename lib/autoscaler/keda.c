/* SPDX-License-Identifier: MIT */
/* KEDA: activation and fallback, and the tables of all its structs.
 *
 * After RequestScale, scaleFromZeroOrIdle and scaleToZeroOrIdle in
 * pkg/scaling/executor/scale_scaledobjects.go and pkg/fallback/fallback.go of
 * kedacore/keda@8b4f083c.
 *
 * I1  Pure functions of what they are given. */
#include "keda.h"

#include "autoscaler.h"

#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_keda_config, type, field, unit, min, max, def, flags)

static const ttb__field config_fields[] = {
    C(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(I32, min_replicas, "replicas", 0, TTB_AUTOSCALER_MAX_REPLICAS, 0, 0),
    C(I32, idle_replicas, "replicas", 1, TTB_AUTOSCALER_MAX_REPLICAS, 0, TTB__MAY_BE_OFF),
    C(I32, cooldown_ms, "ms", 1, INT32_MAX, 300000, TTB__MAY_BE_OFF),
    C(U32, initial_cooldown_ms, "ms", 0, INT32_MAX, 0, 0),
    C(I32, fallback_replicas, "replicas", 0, TTB_AUTOSCALER_MAX_REPLICAS, 0, 0),
    C(U32, fallback_behavior, "", 1, 4, TTB_KEDA_STATIC, 0),
    C(U32, fallback_failures, "", 0, INT32_MAX, 0, 0),
};
static const ttb__struct config_struct = TTB__STRUCT(ttb_keda_config, config_fields);

#define I(type, field, unit) TTB__OUT(ttb_keda_input, type, field, unit)

static const ttb__field input_fields[] = {
    I(U32, struct_size, "bytes"), I(I32, current, "replicas"), I(U32, active, ""),
    I(U32, failing, ""),          I(U32, force, ""),           I(U32, pause_in, ""),
    I(U32, pause_out, ""),        I(U32, reserved, ""),        I(I64, active_age_ms, "ms"),
    I(I64, created_age_ms, "ms"),
};
static const ttb__struct input_struct = TTB__STRUCT(ttb_keda_input, input_fields);

#define D(type, field, unit) TTB__OUT(ttb_keda_decision, type, field, unit)

static const ttb__field decision_fields[] = {
    D(U32, struct_size, "bytes"), D(I32, replicas, "replicas"),  D(I32, reason, ""),
    D(U32, active, ""),           D(I64, next_change_ms, "ms"),
};
static const ttb__struct decision_struct = TTB__STRUCT(ttb_keda_decision, decision_fields);

/* ---- activation ---- */

typedef struct verdict {
  int32_t replicas, reason;
  int64_t next_ms;
} verdict;

static int32_t fallen_back(const ttb_keda_config *c, int32_t current) {
  int32_t given = c->fallback_replicas;
  switch (c->fallback_behavior) {
  case TTB_KEDA_CURRENT: return current;
  case TTB_KEDA_CURRENT_IF_HIGHER: return current > given ? current : given;
  case TTB_KEDA_CURRENT_IF_LOWER: return current < given ? current : given;
  default: return given;
  }
}

static verdict go(const ttb_keda_input *in, int32_t to, int32_t reason) {
  bool paused = to > in->current ? in->pause_out : to < in->current && in->pause_in;
  if (paused) return (verdict){in->current, TTB_KEDA_PAUSED, -1};
  return (verdict){to, to == in->current ? TTB_KEDA_STAYS : reason, -1};
}

static verdict when_cooled(const ttb_keda_config *c, const ttb_keda_input *in, int32_t to) {
  bool was_active = in->active_age_ms >= 0;
  int64_t cooldown = c->cooldown_ms < 0 ? 0 : c->cooldown_ms;
  int64_t wait = was_active ? cooldown : (int64_t)c->initial_cooldown_ms;
  int64_t age = was_active ? in->active_age_ms : in->created_age_ms;
  if (age > wait || in->pause_in) return go(in, to, TTB_KEDA_IDLED);
  return (verdict){in->current, TTB_KEDA_COOLING, wait - (age < 0 ? 0 : age) + 1};
}

static verdict judge(const ttb_keda_config *c, const ttb_keda_input *in) {
  bool idles = c->idle_replicas != 0;
  int32_t idle = c->idle_replicas < 0 ? 0 : c->idle_replicas, min = c->min_replicas;
  if (in->active || in->force) {
    bool low = in->current == 0 || (idles && in->current < min);
    return low ? go(in, min > 0 ? min : 1, TTB_KEDA_ACTIVATED)
               : (verdict){in->current, TTB_KEDA_STAYS, -1};
  }
  if (in->failing) {
    if (c->fallback_replicas == 0) return (verdict){in->current, TTB_KEDA_FAILED, -1};
    return go(in, fallen_back(c, in->current), TTB_KEDA_FELL_BACK);
  }
  if (idles ? in->current > idle : in->current > 0 && min == 0)
    return when_cooled(c, in, idles && idle < min ? idle : min);
  if (!idles && in->current < min) return go(in, min, TTB_KEDA_TO_MIN);
  return (verdict){in->current, TTB_KEDA_STAYS, -1};
}

int32_t ttb_keda_activate(const ttb_keda_config *config, const ttb_keda_input *input,
                          ttb_keda_decision *ret) {
  ttb_keda_config c;
  ttb_keda_input in;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__config_read(&config_struct, config, &c, -1, NULL);
  if (code < 0 || (code = ttb__config_read(&input_struct, input, &in, -1, NULL)) < 0) return code;
  if (in.current < 0 || in.current > TTB_AUTOSCALER_MAX_REPLICAS) return TTB_ERR_RANGE;
  verdict v = judge(&c, &in);
  ttb_keda_decision d = {.replicas = v.replicas,
                         .reason = v.reason,
                         .active = in.active || in.force,
                         .next_change_ms = v.next_ms};
  return ttb__struct_write(&decision_struct, &d, ret);
}

/* ---- fallback ---- */

int32_t ttb_keda_fallback(const ttb_keda_config *config, int64_t target, int32_t current,
                          uint32_t *failures, ttb_autoscaler_sample *sample) {
  ttb_keda_config c;
  if (!failures || !sample) return TTB_ERR_MISUSE;
  int32_t code = ttb__config_read(&config_struct, config, &c, -1, NULL);
  if (code < 0) return code;
  if (sample->struct_size < sizeof *sample || target < 1 || current < 0) return TTB_ERR_RANGE;
  if (c.fallback_replicas == 0) return 0;
  if (!sample->missing) {
    *failures = 0;
    return 0;
  }
  if (*failures < UINT32_MAX) ++*failures;
  if (*failures <= c.fallback_failures) return 0;
  int64_t n = fallen_back(&c, current);
  sample->missing = 0;
  sample->value_milli = n > 0 && target > INT64_MAX / n ? INT64_MAX : target * n;
  return 1;
}

int32_t ttb_keda_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {&config_struct,
                                           &input_struct,
                                           &decision_struct,
                                           &ttb__keda_jobs_config_struct,
                                           &ttb__keda_jobs_input_struct,
                                           &ttb__keda_jobs_decision_struct,
                                           &ttb__keda_trigger_struct};
  return ttb__field_get(all, sizeof all / sizeof *all, which, index, ret_field);
}
