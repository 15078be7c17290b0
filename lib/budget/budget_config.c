/* SPDX-License-Identifier: MIT */
/* What a violation budget can be told, as rows: see ../base/config.h.
 *
 * I1  The stored configuration has the fields of the public one up to its
 *     pointer, in the same places (asserted below). */
#include "budget.h"

#include <string.h>

#define MOST_LOAD (INT64_C(1) << 53)
#define ALL_FLAGS (TTB_BUDGET_NO_FORECAST | TTB_BUDGET_CAPPED)
#define SCALARS(T)                                                                            \
  TTB__FIELD(T, U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),                                \
      TTB__FIELD(T, U32, capacity, "", 1, TTB_MAX_SLOTS, 1, 0),                               \
      TTB__FIELD(T, I64, replica_milli, "milli", 1, MOST_LOAD, 0, 0),                         \
      TTB__FIELD(T, I32, budget_ppm, "ppm", 100, 500000, 10000, 0),                           \
      TTB__FIELD(T, I32, limit_ppm, "ppm", 1, 1000000, 900000, 0),                            \
      TTB__FIELD(T, I32, min_replicas, "replicas", 1, TTB_BUDGET_MAX_REPLICAS, 1,             \
                 TTB__MAY_BE_OFF),                                                            \
      TTB__FIELD(T, I32, max_replicas, "replicas", 1, TTB_BUDGET_MAX_REPLICAS, 100, 0),       \
      TTB__FIELD(T, U32, startup_ms, "ms", 1, 3600000, 60000, 0),                             \
      TTB__FIELD(T, U32, tick_ms, "ms", 1000, 300000, 15000, 0),                              \
      TTB__FIELD(T, I32, actions_a_day, "", 10, 1000000, 450, TTB__MAY_BE_OFF),               \
      TTB__FIELD(T, U32, flags, "", 0, ALL_FLAGS, 0, 0),                                      \
      TTB__FIELD(T, U32, carries_n, "", 0, TTB_BUDGET_MAX_CURVE, 0, 0),                       \
      TTB__FIELD(T, U32, reserved, "", 0, 0, 0, 0)

static const ttb__field config_fields[] = {
    SCALARS(ttb_budget_config),
    TTB__FIELD(ttb_budget_config, PTR, carries_milli, "milli", 0, 0, 0, TTB__ANY),
};
const ttb__struct ttb__budget_config_fields = TTB__STRUCT(ttb_budget_config, config_fields);

static const ttb__field stored_fields[] = {SCALARS(ttb__budget_stored)};
const ttb__struct ttb__budget_stored_fields = TTB__STRUCT(ttb__budget_stored, stored_fields);
_Static_assert(sizeof(ttb__budget_stored) == offsetof(ttb_budget_config, carries_milli) &&
                   offsetof(ttb__budget_stored, reserved) == offsetof(ttb_budget_config, reserved),
               "I1");

#define S(type, field, unit) TTB__OUT(ttb_budget_sample, type, field, unit)
static const ttb__field sample_fields[] = {
    S(U32, struct_size, "bytes"),  S(U32, missing, ""),
    S(I64, load_milli, "milli"),   S(I64, peak_milli, "milli"),
    S(I32, current, "replicas"),   S(I32, serving, "replicas"),
    S(I32, floor, "replicas"),
    TTB__FIELD(ttb_budget_sample, U32, reserved, "", 0, 0, 0, 0),
};
const ttb__struct ttb__budget_sample_fields = TTB__STRUCT(ttb_budget_sample, sample_fields);

#define D(type, field, unit) TTB__OUT(ttb_budget_decision, type, field, unit)
static const ttb__field decision_fields[] = {
    D(U32, struct_size, "bytes"),        D(I32, desired, "replicas"),
    D(I32, current, "replicas"),         D(I32, reason, ""),
    D(I32, needed, "replicas"),          D(I32, arm, ""),
    D(I32, hold, ""),                    D(I32, demand_milli, "milli replicas"),
    D(I32, base_milli, "milli replicas"), D(I32, scale_milli, "milli replicas"),
    D(I32, headroom_ppm, "ppm"),         D(I32, spent_ppm, "ppm"),
};
const ttb__struct ttb__budget_decision_fields = TTB__STRUCT(ttb_budget_decision, decision_fields);

#define R(type, field, unit) TTB__OUT(ttb_budget_row, type, field, unit)
static const ttb__field row_fields[] = {
    R(U32, struct_size, "bytes"),         R(I32, arm, ""),
    R(I32, chosen, ""),                   R(I32, headroom_ppm, "ppm"),
    R(I32, violation_ppm, "ppm"),         R(I32, base_milli, "milli replicas"),
    R(I32, scale_milli, "milli replicas"), R(I32, ask_milli, "milli replicas"),
    R(I64, cost_milli, "milli replicas"),
};
const ttb__struct ttb__budget_row_fields = TTB__STRUCT(ttb_budget_row, row_fields);

#define I(type, field, unit) TTB__OUT(ttb_budget_info, type, field, unit)
static const ttb__field info_fields[] = {
    I(U32, struct_size, "bytes"),  I(I32, desired, "replicas"),
    I(I32, reason, ""),            I(I32, arm, ""),
    I(I32, hold, ""),              I(I32, spent_ppm, "ppm"),
    I(I32, aim_ppm, "ppm"),        I(I32, forecast_error_ppm, "ppm"),
    I(I32, actions_left, ""),      I(I32, level_milli, "milli replicas"),
    I(U64, ticks, ""),             I(U64, violations, ""),
    I(U64, actions, ""),           I(I64, age_ms, "ms"),
    I(U32, rows_n, ""),            I(U32, reserved, ""),
    I(PTR, rows, ""),
};
const ttb__struct ttb__budget_info_fields = TTB__STRUCT(ttb_budget_info, info_fields);

int32_t ttb__budget_bounds(const ttb__budget_stored *c, ttb_detail *d) {
  if (c->max_replicas < c->min_replicas)
    return ttb__fail(d, TTB_ERR_RANGE, "max_replicas", -1, c->max_replicas, c->min_replicas,
                     TTB_BUDGET_MAX_REPLICAS);
  if (c->replica_milli == 0 && c->carries_n == 0)
    return ttb__fail(d, TTB_ERR_RANGE, "replica_milli", -1, 0, 1, MOST_LOAD);
  return TTB_OK;
}

static int32_t check_curve(const int64_t *curve, uint32_t n, ttb_detail *d) {
  if (n > 0 && !curve) return ttb__fail(d, TTB_ERR_MISUSE, "carries_milli", -1, 0, 0, 0);
  for (uint32_t i = 0; i < n; i++) {
    int64_t least = i > 0 ? curve[i - 1] + 1 : 1;
    if (curve[i] < least || curve[i] > MOST_LOAD)
      return ttb__fail(d, TTB_ERR_RANGE, "carries_milli", (int32_t)i, curve[i], least, MOST_LOAD);
  }
  return TTB_OK;
}

int32_t ttb__budget_read(const ttb_budget_config *config, ttb__budget_stored *ret,
                         const int64_t **ret_curve, ttb_detail *d) {
  ttb_budget_config c;
  int32_t code = ttb__config_read(&ttb__budget_config_fields, config, &c, -1, d);
  if (code < 0) return code;
  if ((code = check_curve(c.carries_milli, c.carries_n, d)) < 0) return code;
  memcpy(ret, &c, sizeof *ret);
  ret->struct_size = sizeof *ret;
  *ret_curve = c.carries_milli;
  return ttb__budget_bounds(ret, d);
}

int32_t ttb_budget_field(uint32_t which, uint32_t index, ttb_field *ret) {
  static const ttb__struct *const all[] = {
      &ttb__budget_config_fields, &ttb__budget_sample_fields, &ttb__budget_decision_fields,
      &ttb__budget_row_fields, &ttb__budget_info_fields};
  return ttb__field_get(all, sizeof all / sizeof *all, which, index, ret);
}
