/* SPDX-License-Identifier: MIT */
/* What a router can be told and what it tells, as rows: see ../base/config.h. */
#include "router.h"
#include "rtt.h"

#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_router_config, type, field, unit, min, max, def, flags)

static const ttb__field config_fields[] = {
    C(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(U32, capacity, "nodes", 1, TTB_ROUTER_MAX_NODES, 16, 0),
    C(U32, threads, "", 1, 254, 64, 0),
    C(U32, mode, "", TTB_READ_REPLICA_PREFERRED, TTB_READ_NEAREST, TTB_READ_REPLICA_PREFERRED, 0),
    C(U32, claims, "", TTB_ROUTER_CONFLICT, TTB_ROUTER_LAST_CLAIM, TTB_ROUTER_CONFLICT, 0),
    C(U32, flags, "", 1, 7, 0, 0),
    C(I32, max_lag_ms, "ms", 1, TTB__MAX_LAG, 30000, TTB__MAY_BE_OFF),
    C(I32, hard_lag_ms, "ms", 1, TTB__MAX_LAG, TTB_OFF, TTB__MAY_BE_OFF),
    C(U32, min_replicas, "nodes", 1, TTB_ROUTER_MAX_NODES, 2, 0),
    C(I32, ttl_ms, "ms", 1, 86400000, 30000, TTB__MAY_BE_OFF),
    C(I32, window_us, "us", 1, 60000000, 15000, TTB__MAY_BE_OFF),
    C(U32, reserved, "", 0, 0, 0, 0),
    C(U64, seed, "", 0, 0, 0, TTB__ANY),
};
const ttb__struct ttb__router_config_fields = TTB__STRUCT(ttb_router_config, config_fields);

#define O(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_router_observation, type, field, unit, min, max, def, flags)

static const ttb__field observation_fields[] = {
    O(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    O(U32, role, "", TTB_ROLE_UNKNOWN, TTB_ROLE_PEER, TTB_ROLE_UNKNOWN, 0),
    O(U32, status, "", TTB_STATUS_HEALTHY, TTB_STATUS_DRAINING, TTB_STATUS_HEALTHY, 0),
    O(U32, reserved, "", 0, 0, 0, 0),
    O(I64, lag_ms, "ms", 0, 0, 0, TTB__ANY),
    O(I64, rtt_ns, "ns", 1, (int64_t)TTB__RTT_MAX_NS, 0, 0),
    O(U64, epoch, "", 1, (int64_t)TTB_ROUTER_MAX_EPOCH, 0, 0),
    O(U64, position, "", 0, 0, 0, TTB__ANY),
};
const ttb__struct ttb__router_observation_fields =
    TTB__STRUCT(ttb_router_observation, observation_fields);

#define W(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_router_wants, type, field, unit, min, max, def, flags)

static const ttb__field wants_fields[] = {
    W(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    W(U32, mode, "", TTB_READ_REPLICA_PREFERRED, TTB_READ_NEAREST, 0, 0),
    W(I32, max_lag_ms, "ms", 1, TTB__MAX_LAG, 0, TTB__MAY_BE_OFF),
    W(U32, reserved, "", 0, 0, 0, 0),
    W(U64, avoid, "slots", 0, 0, 0, TTB__ANY),
};
const ttb__struct ttb__router_wants_fields = TTB__STRUCT(ttb_router_wants, wants_fields);

#define N(type, field, unit) TTB__OUT(ttb_router_node, type, field, unit)

static const ttb__field node_fields[] = {
    N(U32, struct_size, "bytes"), N(U32, slot, ""),         N(U64, id, ""),
    N(I32, role, ""),             N(I32, status, ""),       N(I32, why, ""),
    N(U32, weight, ""),           N(U32, in_flight, "calls"), N(U32, failures, "calls"),
    N(I64, lag_ms, "ms"),         N(I64, age_ms, "ms"),     N(I64, rtt_ns, "ns"),
    N(I64, latency_ns, "ns"),     N(U64, epoch, ""),        N(U64, position, ""),
};
const ttb__struct ttb__router_node_fields = TTB__STRUCT(ttb_router_node, node_fields);

#define S(type, field) TTB__OUT(ttb_router_stats, type, field, "")

static const ttb__field stats_fields[] = {
    S(U32, struct_size), S(U32, capacity),  S(U32, nodes),       S(U32, joined),
    S(U64, epoch),       S(U64, no_primary), S(U64, too_stale),  S(U64, no_endpoint),
    S(U64, fallbacks),   S(U64, fenced),    S(U64, stale),       S(U64, clock_adoptions),
};
const ttb__struct ttb__router_stats_fields = TTB__STRUCT(ttb_router_stats, stats_fields);

int32_t ttb__router_wants(const ttb__router *r, const ttb_router_wants *wants,
                          ttb_router_wants *ret) {
  *ret = (ttb_router_wants){.struct_size = sizeof *ret, .mode = r->mode};
  if (!wants) return TTB_OK;
  if (wants->struct_size == sizeof *wants && wants->mode <= TTB_READ_NEAREST &&
      wants->max_lag_ms >= TTB_OFF && wants->max_lag_ms <= (int32_t)TTB__MAX_LAG &&
      wants->reserved == 0) {
    *ret = *wants; /* the usual case, without the rows */
  } else {
    int32_t code = ttb__config_read(&ttb__router_wants_fields, wants, ret, -1, NULL);
    if (code < 0) return code;
  }
  if (ret->mode == 0) ret->mode = r->mode;
  return TTB_OK;
}

int32_t ttb_router_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {
      &ttb__router_config_fields, &ttb__router_observation_fields, &ttb__router_wants_fields,
      &ttb__router_node_fields, &ttb__router_stats_fields};
  return ttb__field_get(all, 5, which, index, ret_field);
}
