/* SPDX-License-Identifier: MIT */
/* What a table of targets can be told, as rows: see ../base/config.h; and what
 * each profile of ejection has by default. */
#include "health.h"

#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_health_config, type, field, unit, min, max, def, flags)

#define FLAGS                                                                            \
  (TTB_HEALTH_DISABLED | TTB_HEALTH_EJECT_SHADOW | TTB_HEALTH_EJECT_SPLIT |              \
   TTB_HEALTH_EJECT_ONE | TTB_HEALTH_EJECT_PROBED)

/* A default of 0 stands for another field's value: see read_config. */
static const ttb__field config_fields[] = {
    C(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(U32, capacity, "", 1, TTB_MAX_SLOTS, 1, 0),
    C(U32, rise, "probes", 1, TTB__MAX_ROW, 1, 0),
    C(U32, fall, "probes", 1, TTB__MAX_ROW, 1, 0),
    C(I32, degrade_after, "probes", 1, TTB__MAX_ROW, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, start, "", TTB_HEALTH_START_UNKNOWN, TTB_HEALTH_START_FULLY_DOWN,
      TTB_HEALTH_START_UNKNOWN, 0),
    C(I32, degraded_ms, "ms", 1, 3600000, 1000, TTB__MAY_BE_OFF),
    C(U32, recover_ms, "ms", 1, 3600000, 0, 0),
    C(I32, fail_ms, "ms", 1, 3600000, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, ttl_ms, "ms", 1, 86400000, 30000, TTB__MAY_BE_OFF),
    C(I32, max_pause_ms, "ms", 1, 3600000, 5000, TTB__MAY_BE_OFF),
    C(U32, interval_ms, "ms", 1, 86400000, 2000, 0),
    C(U32, fast_interval_ms, "ms", 1, 86400000, 0, 0),
    C(U32, down_interval_ms, "ms", 1, 86400000, 0, 0),
    C(I32, jitter_ppm, "ppm", 1, 500000, 100000, TTB__MAY_BE_OFF),
    C(U32, lease_ms, "ms", 1, 3600000, 5000, 0),
    C(I32, passive_errors, "calls", 1, 1000000, 10, TTB__MAY_BE_OFF),
    C(I32, passive_action, "", TTB_HEALTH_FAIL_CHECK, TTB_HEALTH_MARK_DOWN, TTB_HEALTH_FAIL_CHECK,
      0),
    C(U32, half_life_ms, "ms", 2, 3600000, 10000, 0),
    C(U32, flags, "", 0, FLAGS, 0, 0),
    C(U64, seed, "", 0, 0, 0, TTB__ANY),
    C(I32, eject, "", TTB_HEALTH_EJECT_ROBUST, TTB_HEALTH_EJECT_GRPC, TTB_OFF, TTB__MAY_BE_OFF),
    C(U32, eject_interval_ms, "ms", 1, 3600000, 10000, 0),
    C(U32, eject_base_ms, "ms", 1, 86400000, 30000, 0),
    C(U32, eject_max_ms, "ms", 1, 86400000, 0, 0),
    C(I32, eject_jitter_ms, "ms", 1, 3600000, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, eject_max_ppm, "ppm", 1, 1000000, 0, TTB__MAY_BE_OFF),
    C(I32, eject_min_kept, "targets", 1, TTB_MAX_SLOTS, 0, TTB__MAY_BE_OFF),
    C(I32, eject_systemic_ppm, "ppm", 1, 1000000, 0, TTB__MAY_BE_OFF),
    C(I32, eject_errors, "calls", 1, 60000, 0, TTB__MAY_BE_OFF),
    C(I32, eject_gateway, "calls", 1, 60000, 0, TTB__MAY_BE_OFF),
    C(I32, eject_local, "calls", 1, 60000, 0, TTB__MAY_BE_OFF),
    C(U32, eject_hosts, "targets", 2, TTB_MAX_SLOTS, 0, 0),
    C(U32, eject_requests, "calls", 1, 1000000, 0, 0),
    C(I32, eject_stdev_ppm, "ppm", 1, 100000000, 1900000, TTB__MAY_BE_OFF),
    C(I32, eject_failure_ppm, "ppm", 1, 1000000, 850000, TTB__MAY_BE_OFF),
    C(U32, eject_failure_hosts, "targets", 1, TTB_MAX_SLOTS, 5, 0),
    C(U32, eject_failure_requests, "calls", 1, 1000000, 50, 0),
    C(I32, eject_z_ppm, "ppm", 100000, 100000000, 4500000, 0),
    C(I32, eject_gap_ppm, "ppm", 1, 1000000, 50000, TTB__MAY_BE_OFF),
    C(I32, enforce_errors_ppm, "ppm", 1, 1000000, 1000000, TTB__MAY_BE_OFF),
    C(I32, enforce_gateway_ppm, "ppm", 1, 1000000, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, enforce_local_ppm, "ppm", 1, 1000000, 1000000, TTB__MAY_BE_OFF),
    C(I32, enforce_rate_ppm, "ppm", 1, 1000000, 1000000, TTB__MAY_BE_OFF),
    C(I32, enforce_failure_ppm, "ppm", 1, 1000000, 0, TTB__MAY_BE_OFF),
};
const ttb__struct ttb__health_config_fields = TTB__STRUCT(ttb_health_config, config_fields);

#define I(type, field, unit) TTB__OUT(ttb_health_info, type, field, unit)

static const ttb__field info_fields[] = {
    I(U32, struct_size, "bytes"), I(I32, status, ""),
    I(I32, reason, ""),           I(I32, enabled, ""),
    I(U32, generation, ""),       I(U32, passes, "probes"),
    I(U32, failures, "probes"),   I(U32, counter, ""),
    I(U32, errors, "calls"),      I(I32, pace, ""),
    I(U32, changes, ""),          I(U32, reserved, ""),
    I(I64, since_ms, "ms"),       I(I64, age_ms, "ms"),
    I(I64, next_due_ms, "ms"),    I(U64, latency_ns, "ns"),
    I(U64, latency_avg_ns, "ns"), I(I32, ejected, ""),
    I(U32, ejections, ""),        I(I64, eject_left_ms, "ms"),
    I(U32, calls, "calls"),       I(U32, call_failures, "calls"),
};
const ttb__struct ttb__health_info_fields = TTB__STRUCT(ttb_health_info, info_fields);

#define S(type, field) TTB__OUT(ttb_health_stats, type, field, "")

static const ttb__field stats_fields[] = {
    S(U32, struct_size), S(U32, capacity),  S(U32, enabled), S(U32, unknown),
    S(U32, healthy),     S(U32, degraded),  S(U32, unhealthy), S(U32, stale),
    S(U64, changes),     S(U64, late),      S(U64, pauses),  S(U64, clock_adoptions),
    S(U32, ejected),     S(U32, judged),    S(U64, sweeps),  S(U64, detected),
    S(U64, enforced),    S(U64, overflows), S(U64, systemic), S(I32, mean_ppm),
    S(I32, threshold_ppm),
};
const ttb__struct ttb__health_stats_fields = TTB__STRUCT(ttb_health_stats, stats_fields);

#define M(type, field, max, flags) \
  TTB__FIELD(ttb_health_member, type, field, "", 0, max, 0, flags)

static const ttb__field member_fields[] = {
    M(U32, struct_size, 0, TTB__ANY),
    M(U32, slot, TTB_MAX_SLOTS - 1, 0),
    M(I32, criticality, TTB_HEALTH_INFO, 0),
    M(U32, reserved, 0, 0),
    M(PTR, name, 0, TTB__ANY),
    M(PTR, measurement, 0, TTB__ANY),
    M(PTR, id, 0, TTB__ANY),
    M(PTR, type, 0, TTB__ANY),
    M(PTR, output, 0, TTB__ANY),
};
const ttb__struct ttb__health_member_fields = TTB__STRUCT(ttb_health_member, member_fields);

#define V(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_health_view, type, field, unit, min, max, def, flags)

/* The last ms of the year 9999: four digits are all that `time` has. */
#define LAST_WALL_MS INT64_C(253402300799999)

static const ttb__field view_fields[] = {
    V(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    V(U32, count, "", 0, TTB_MAX_SLOTS, 0, 0),
    V(I32, at_least, "", 1, TTB_MAX_SLOTS, 0, TTB__MAY_BE_OFF),
    V(I32, degraded_as, "", TTB_STATUS_HEALTHY, TTB_STATUS_UNHEALTHY, TTB_STATUS_DEGRADED, 0),
    V(I32, unknown_as, "", TTB_STATUS_HEALTHY, TTB_STATUS_UNHEALTHY, TTB_STATUS_DEGRADED, 0),
    V(I32, stale_as, "", TTB_STATUS_HEALTHY, TTB_STATUS_UNHEALTHY, TTB_STATUS_UNHEALTHY, 0),
    V(I32, http_pass, "", 200, 399, 200, 0),
    V(I32, http_warn, "", 200, 599, 200, 0),
    V(I32, http_fail, "", 400, 599, 503, 0),
    V(U32, reserved, "", 0, 0, 0, 0),
    V(U64, wall_ms, "ms", 0, LAST_WALL_MS, 0, 0),
    V(PTR, members, "", 0, 0, 0, TTB__ANY),
    V(PTR, service_id, "", 0, 0, 0, TTB__ANY),
    V(PTR, version, "", 0, 0, 0, TTB__ANY),
    V(PTR, description, "", 0, 0, 0, TTB__ANY),
};
const ttb__struct ttb__health_view_fields = TTB__STRUCT(ttb_health_view, view_fields);

#define Y(type, field) TTB__OUT(ttb_health_summary, type, field, "")

static const ttb__field summary_fields[] = {
    Y(U32, struct_size), Y(I32, status),    Y(I32, http_code), Y(U32, healthy),
    Y(U32, degraded),    Y(U32, unhealthy), Y(U32, unknown),   Y(U32, stale),
};
const ttb__struct ttb__health_summary_fields = TTB__STRUCT(ttb_health_summary, summary_fields);

/* What a profile has by default where they differ, in the order of
 * TTB_HEALTH_EJECT_*; those of the peers are theirs. */
static const struct {
  int32_t max_ppm, min_kept, systemic_ppm, errors, gateway, local;
  uint32_t hosts, requests;
  int32_t enforce_failure_ppm;
} eject_defaults[] = {
    {500000, 1, 500000, TTB_OFF, TTB_OFF, TTB_OFF, 3, 50, TTB_OFF},
    {100000, TTB_OFF, TTB_OFF, 5, 5, 5, 5, 100, TTB_OFF},
    {100000, TTB_OFF, TTB_OFF, TTB_OFF, TTB_OFF, TTB_OFF, 5, 100, 1000000},
};

int32_t ttb__health_eject_read(ttb_health_config *c, ttb_detail *d) {
  if (c->eject_max_ms == 0) c->eject_max_ms = c->eject_base_ms > 300000 ? c->eject_base_ms : 300000;
  if (c->eject_max_ms < c->eject_base_ms)
    return ttb__fail(d, TTB_ERR_RANGE, "eject_max_ms", -1, c->eject_max_ms, c->eject_base_ms,
                     86400000);
  uint32_t p = c->eject > 0 ? (uint32_t)c->eject - 1 : 0;
  if (c->eject_max_ppm == 0) c->eject_max_ppm = eject_defaults[p].max_ppm;
  if (c->eject_min_kept == 0) c->eject_min_kept = eject_defaults[p].min_kept;
  if (c->eject_systemic_ppm == 0) c->eject_systemic_ppm = eject_defaults[p].systemic_ppm;
  if (c->eject_errors == 0) c->eject_errors = eject_defaults[p].errors;
  if (c->eject_gateway == 0) c->eject_gateway = eject_defaults[p].gateway;
  if (c->eject_local == 0) c->eject_local = eject_defaults[p].local;
  if (c->eject_hosts == 0) c->eject_hosts = eject_defaults[p].hosts;
  if (c->eject_requests == 0) c->eject_requests = eject_defaults[p].requests;
  if (c->enforce_failure_ppm == 0) c->enforce_failure_ppm = eject_defaults[p].enforce_failure_ppm;
  return TTB_OK;
}

int32_t ttb_health_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {
      &ttb__health_config_fields, &ttb__health_info_fields, &ttb__health_stats_fields,
      &ttb__health_member_fields, &ttb__health_view_fields, &ttb__health_summary_fields};
  return ttb__field_get(all, sizeof all / sizeof *all, which, index, ret_field);
}
