/* SPDX-License-Identifier: MIT */
/* What a balancer can be told, as rows: see ../base/config.h; and the one list
 * of algorithms. To add one: a file that defines a ttb__algorithm, its line here,
 * its number in <trimtab/balancer.h>. */
#include "balancer.h"

static const ttb__algorithm *const algorithms[] = {
    &ttb__two_choices, &ttb__round_robin, &ttb__weighted_round_robin, &ttb__least_connections,
    &ttb__maglev,      &ttb__ring_hash,   &ttb__jump_hash,            &ttb__rendezvous,
    &ttb__weighted_random, &ttb__ketama,  &ttb__nginx_consistent,     &ttb__first_fit,
    &ttb__peak_ewma,   &ttb__prequal,     &ttb__patched_maglev, &ttb__anchor,   &ttb__nginx_hash,
};
#define ALGORITHMS (sizeof algorithms / sizeof *algorithms)

const ttb__algorithm *ttb__balancer_algorithm(uint32_t number) {
  for (uint32_t i = 0; i < ALGORITHMS; i++)
    if (algorithms[i]->number == number) return algorithms[i];
  return NULL;
}

#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_balancer_config, type, field, unit, min, max, def, flags)

static const ttb__field config_fields[] = {
    C(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(U32, algorithm, "", 1, TTB_BALANCER_NGINX_HASH, TTB_BALANCER_TWO_CHOICES, 0),
    C(U32, capacity, "endpoints", 1, TTB_MAX_SLOTS, 64, 0),
    C(U32, threads, "", 1, 254, 14, 0),
    C(U32, flags, "", 1, TTB__BALANCER_FLAGS, 0, 0),
    C(U32, table_size, "entries", 1, 5000011, 0, 0),
    C(U32, wrr_order, "", 1, 2, TTB_BALANCER_TIJDEMAN, 0),
    C(U32, lease, "turns", 1, 4096, 64, 0),
    C(U32, tickets, "", 16, 2048, 256, 0),
    C(I32, bounded_ppm, "ppm", TTB__MIN_BOUND, TTB__MAX_BOUND, 0, 0),
    C(U64, seed, "", 0, 0, 0, TTB__ANY),
    C(U64, residency, "", 0, 0, 0, TTB__ANY),
    C(U32, decay_ms, "ms", 100, 3600000, 10000, 0),
    C(U32, choices, "endpoints", 2, 10, 2, 0),
    C(U32, exact, "endpoints", 1, 4096, 1024, 0),
    C(I32, bias_ppm, "ppm", 1, 8000000, 0, 0),
    C(U32, zone, "", 1, TTB_MAX_ZONE, 0, 0),
    C(U32, zone_min, "endpoints", 1, TTB_MAX_SLOTS, 6, 0),
    C(U32, overprovisioning_ppm, "ppm", 1000000, TTB__MAX_OVERPROVISIONING, 1400000, 0),
    C(I32, panic_ppm, "ppm", 1, 1000000, 500000, TTB__MAY_BE_OFF),
    C(U32, slow_start_ms, "ms", 1, TTB__MAX_SLOW_START_MS, 0, 0),
    C(U32, slow_start_rule, "", 1, 2, TTB_BALANCER_CURVE, 0),
    C(U32, slow_start_aggression_ppm, "ppm", TTB__MIN_AGGRESSION, TTB__MAX_AGGRESSION, 1000000, 0),
    C(U32, slow_start_min_ppm, "ppm", 1, 1000000, TTB__SLOW_START_MIN, 0),
    C(U32, probe_rate_ppm, "ppm", 100000, 16000000, 3000000, 0),
    C(U32, probe_age_ms, "ms", 1, 60000, 1000, 0),
    C(U32, rif_quantile_ppm, "ppm", 1, 1000000, 840896, 0),
    C(U32, error_penalty_ppm, "ppm", 1, 100000000, 1000000, 0),
    C(I32, load_blackout_ms, "ms", 1, 3600000, 10000, TTB__MAY_BE_OFF),
    C(I32, load_expiry_ms, "ms", 1, 3600000, 180000, 0),
};
const ttb__struct ttb__balancer_config_fields = TTB__STRUCT(ttb_balancer_config, config_fields);

#define I(type, field, unit) TTB__OUT(ttb_balancer_info, type, field, unit)

static const ttb__field info_fields[] = {
    I(U32, struct_size, "bytes"), I(U32, slot, ""),   I(U64, id, ""),
    I(U32, weight, ""),           I(U32, in_flight, "calls"), I(U32, causes, ""),
    I(I32, status, ""),           I(I32, reason, ""), I(U32, generation, ""),
    I(U32, zone, ""),             I(U32, priority, ""), I(U32, flags, ""),
    I(U32, max_inflight, "calls"), I(U64, tags, ""),
};
/* A row may end after its generation: a pool's begins so. */
const ttb__struct ttb__balancer_info_fields = {
    "ttb_balancer_info", info_fields, sizeof info_fields / sizeof *info_fields,
    sizeof(ttb_balancer_info), offsetof(ttb_balancer_info, zone)};

#define S(type, field, unit) TTB__OUT(ttb_balancer_stats, type, field, unit)

static const ttb__field stats_fields[] = {
    S(U32, struct_size, "bytes"), S(U32, capacity, "endpoints"), S(U32, endpoints, ""),
    S(U32, eligible, ""),         S(U32, joined, ""),            S(U32, table_length, "entries"),
    S(U64, in_flight, "calls"),   S(U64, stale, ""),             S(U64, rebuilds, ""),
    S(I32, weight_error_ppm, "ppm"), S(U32, reserved, ""),       S(U64, panics, ""),
};
const ttb__struct ttb__balancer_stats_fields = TTB__STRUCT(ttb_balancer_stats, stats_fields);

#define P(type, field, unit, min, max, flags) \
  TTB__FIELD(ttb_pick, type, field, unit, min, max, 0, flags)

static const ttb__field pick_fields[] = {
    P(U32, struct_size, "bytes", 0, 0, TTB__ANY), P(U32, flags, "", 1, TTB__PICK_FLAGS, 0),
    P(U64, hash, "", 0, 0, TTB__ANY),             P(U64, zones, "", 0, 0, TTB__ANY),
    P(U64, tags, "", 0, 0, TTB__ANY),             P(U64, id, "", 0, 0, TTB__ANY),
    P(U32, n_excluded, "", 0, 0, TTB__ANY),       P(U32, reserved, "", 0, 0, 0),
    P(PTR, excluded_slots, "", 0, 0, TTB__ANY),
};
const ttb__struct ttb__balancer_pick_fields = TTB__STRUCT(ttb_pick, pick_fields);

static const ttb__field level_fields[] = {
    TTB__OUT(ttb_level, U32, struct_size, "bytes"), TTB__OUT(ttb_level, U32, endpoints, ""),
    TTB__OUT(ttb_level, U32, healthy, ""),          TTB__OUT(ttb_level, U32, degraded, ""),
    TTB__OUT(ttb_level, U32, excluded, ""),         TTB__OUT(ttb_level, I32, healthy_load, "%"),
    TTB__OUT(ttb_level, I32, degraded_load, "%"),   TTB__OUT(ttb_level, I32, panic, ""),
};
static const ttb__struct ttb__balancer_level_fields = TTB__STRUCT(ttb_level, level_fields);

int32_t ttb__pick_read(const ttb__balancer *b, const ttb_pick *pick, ttb_pick *ret) {
  if (!pick) return TTB_ERR_MISUSE;
  if (pick->struct_size == sizeof *pick && pick->flags <= TTB__PICK_FLAGS && pick->reserved == 0) {
    *ret = *pick; /* the usual case, without the rows */
  } else {
    int32_t code = ttb__config_read(&ttb__balancer_pick_fields, pick, ret, -1, NULL);
    if (code < 0) return code;
  }
  if (ret->n_excluded > 0 && !ret->excluded_slots) return TTB_ERR_MISUSE;
  return ret->tags && !(b->flags & TTB_BALANCER_TAGS) ? TTB_ERR_UNSUPPORTED : TTB_OK;
}

#define L(type, field, unit, max) TTB__FIELD(ttb_load, type, field, unit, 0, max, 0, 0)

static const ttb__field load_fields[] = {
    TTB__FIELD(ttb_load, U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    L(I32, utilisation_ppm, "ppm", INT32_MAX),
    L(U64, qps_milli, "calls/1000 s", INT64_C(1) << 40),
    L(U64, eps_milli, "errors/1000 s", INT64_C(1) << 40),
};
const ttb__struct ttb__balancer_load_fields = TTB__STRUCT(ttb_load, load_fields);

int32_t ttb_balancer_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {
      &ttb__balancer_config_fields, &ttb__balancer_info_fields, &ttb__balancer_stats_fields,
      &ttb__endpoint_fields, &ttb__balancer_load_fields, &ttb__balancer_pick_fields,
      &ttb__balancer_level_fields};
  return ttb__field_get(all, 7, which, index, ret_field);
}
