/* SPDX-License-Identifier: MIT */
/* What a pool can be told, and what it tells its parts.
 *
 * I1  Capacity, threads and seed are the pool's; a part may repeat but not
 *     contradict them. */
#include "pool.h"

#include <string.h>

#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_pool_config, type, field, unit, min, max, def, flags)

static const ttb__field config_fields[] = {
    C(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(U32, capacity, "", 1, TTB_MAX_SLOTS, 64, 0),
    C(U32, threads, "", 1, 254, 14, 0),
    C(U32, events, "", 16, 65536, 256, 0),
    C(I32, probing, "", TTB_POOL_PROBE_TRAFFIC, TTB_POOL_PROBE_ACTIVE, TTB_POOL_PROBE_TRAFFIC, 0),
    C(I32, degraded_weight_ppm, "ppm", 1, 1000000, 100000, TTB__MAY_BE_OFF),
    C(U64, seed, "", 0, 0, 0, TTB__ANY),
    C(PTR, balancer, "", 0, 0, 0, TTB__ANY),
    C(PTR, breaker, "", 0, 0, 0, TTB__ANY),
    C(PTR, health, "", 0, 0, 0, TTB__ANY),
    C(PTR, limits, "", 0, 0, 0, TTB__ANY),
    C(U32, n_limits, "", 0, TTB_POOL_MAX_LIMITS, 0, 0),
    C(U32, reserved, "", 0, 0, 0, 0),
};
const ttb__struct ttb__pool_config_fields = TTB__STRUCT(ttb_pool_config, config_fields);

_Static_assert(offsetof(ttb__pool_settings, seed) == offsetof(ttb_pool_config, seed) &&
                   sizeof(ttb__pool_settings) == offsetof(ttb_pool_config, balancer),
               "the settings are the beginning of the config");
/* The same rows, without the pointers and what follows. */
const ttb__struct ttb__pool_settings_fields = {"ttb_pool_config", config_fields,
                                               sizeof config_fields / sizeof *config_fields - 6,
                                               sizeof(ttb__pool_settings),
                                               sizeof(ttb__pool_settings)};

#define I(type, field, unit) TTB__OUT(ttb_pool_info, type, field, unit)

static const ttb__field info_fields[] = {
    I(U32, struct_size, "bytes"), I(U32, slot, ""),          I(U64, id, ""),
    I(U32, weight, ""),           I(U32, in_flight, "calls"), I(U32, causes, ""),
    I(I32, status, ""),           I(I32, reason, ""),        I(U32, generation, ""),
    I(U32, weight_64ths, "1/64"), I(I32, breaker, ""),       I(I64, retry_after_ms, "ms"),
    I(I64, eject_left_ms, "ms"),
};
const ttb__struct ttb__pool_info_fields = TTB__STRUCT(ttb_pool_info, info_fields);

#define S(type, field) TTB__OUT(ttb_pool_stats, type, field, "")

static const ttb__field stats_fields[] = {
    S(U32, struct_size), S(U32, capacity),  S(U32, endpoints), S(U32, eligible),
    S(U32, joined),      S(U32, reserved),  S(U64, in_flight), S(U64, stale),
    S(U64, refused),     S(U64, events),    S(U64, events_dropped), S(U64, limited),
};
const ttb__struct ttb__pool_stats_fields = TTB__STRUCT(ttb_pool_stats, stats_fields);

#define E(type, field, unit) TTB__OUT(ttb_pool_event, type, field, unit)

static const ttb__field event_fields[] = {
    E(U64, now_ns, "ns"), E(U64, id, ""),    E(U32, slot, ""),     E(I32, kind, ""),
    E(I64, value, ""),    E(U64, token, ""), E(U64, reserved, ""),
};
const ttb__struct ttb__pool_event_fields = TTB__STRUCT(ttb_pool_event, event_fields);

#define K(type, field) TTB__OUT(ttb_pool_call, type, field, "")

static const ttb__field call_fields[] = {
    K(U32, struct_size), K(U32, flags),  K(U64, hash),   K(U32, attempt),    K(U32, importance),
    K(U32, events),      K(U32, n_excluded), K(I32, refused_by), K(U32, n_held), K(I64, ticket),
    K(I64, held_0),      K(I64, held_1), K(I64, held_2), K(I64, held_3),     K(PTR, excluded_slots),
};
const ttb__struct ttb__pool_call_fields = TTB__STRUCT(ttb_pool_call, call_fields);

int32_t ttb_pool_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {&ttb__pool_config_fields, &ttb__pool_info_fields,
                                           &ttb__pool_stats_fields, &ttb__pool_event_fields,
                                           &ttb__pool_call_fields};
  return ttb__field_get(all, 5, which, index, ret_field);
}

/* ---- the parts ---- */

/* Copies a part's configuration as given, shorter or longer, over zeros. */
static void take(void *dst, uint32_t size, const void *given) {
  memset(dst, 0, size);
  if (given) {
    uint32_t n;
    memcpy(&n, given, sizeof n);
    memcpy(dst, given, n < size ? n : size);
  }
  memcpy(dst, &size, sizeof size);
}

/* The pool's value for a part's field, unless the part contradicts. */
static int32_t agree(uint32_t *field, uint32_t pools, const char *name, ttb_detail *d) {
  if (*field != 0 && *field != pools)
    return ttb__fail(d, TTB_ERR_RANGE, name, -1, *field, pools, pools);
  *field = pools;
  return TTB_OK;
}

static int32_t balancer_part(const ttb_pool_config *c, ttb__pool_parts *r, ttb_detail *d) {
  /* Field by field only: how they go together depends on the pool's capacity. */
  ttb_balancer_config any;
  int32_t code =
      c->balancer ? ttb__config_read(&ttb__balancer_config_fields, c->balancer, &any, -1, d) : TTB_OK;
  if (code < 0) return code;
  take(&r->balancer, sizeof r->balancer, c->balancer);
  if (r->balancer.flags & TTB_BALANCER_CHECK_TICKETS)
    return ttb__fail(d, TTB_ERR_RANGE, "balancer.flags", -1, r->balancer.flags, 0,
                     TTB_BALANCER_TRACK | TTB_BALANCER_MOVING_TICKETS);
  if ((code = agree(&r->balancer.capacity, r->settings.capacity, "balancer.capacity", d)) < 0 ||
      (code = agree(&r->balancer.threads, r->settings.threads, "balancer.threads", d)) < 0)
    return code;
  r->balancer.flags |= TTB_BALANCER_TRACK;
  if (r->balancer.seed == 0) r->balancer.seed = r->settings.seed;
  return ttb_balancer_check(&r->balancer, d);
}

static int32_t breaker_part(const ttb_pool_config *c, ttb__pool_parts *r, ttb_detail *d) {
  int32_t code = c->breaker ? ttb_breaker_check(c->breaker, d) : TTB_OK;
  if (code < 0) return code;
  take(&r->breaker, sizeof r->breaker, c->breaker);
  if ((code = agree(&r->breaker.capacity, r->settings.capacity, "breaker.capacity", d)) < 0 ||
      (code = agree(&r->breaker.threads, r->settings.threads, "breaker.threads", d)) < 0)
    return code;
  if (r->breaker.key_idle_ms > 0) /* slots are the endpoints' */
    return ttb__fail(d, TTB_ERR_RANGE, "breaker.key_idle_ms", -1, r->breaker.key_idle_ms, 0, 0);
  if (r->breaker.flags & TTB_BREAKER_CHECK_TICKETS) /* a pool's ticket has no room for the place */
    return ttb__fail(d, TTB_ERR_RANGE, "breaker.flags", -1, r->breaker.flags, 0,
                     r->breaker.flags & ~TTB_BREAKER_CHECK_TICKETS);
  r->breaker.threads = 1; /* its rows are the balancer's (I3 in pool.h) */
  if (r->breaker.seed == 0) r->breaker.seed = r->settings.seed;
  return ttb_breaker_check(&r->breaker, d);
}

static int32_t health_part(const ttb_pool_config *c, ttb__pool_parts *r, ttb_detail *d) {
  int32_t code = c->health ? ttb_health_check(c->health, d) : TTB_OK;
  if (code < 0) return code;
  take(&r->health, sizeof r->health, c->health);
  if ((code = agree(&r->health.capacity, r->settings.capacity, "health.capacity", d)) < 0)
    return code;
  /* For probes over a network one result is not enough (docs/health.md). */
  if (r->health.rise == 0) r->health.rise = 2;
  if (r->health.fall == 0) r->health.fall = 3;
  /* Calls take an endpoint down only where probes can bring it back. */
  if (r->settings.probing != TTB_POOL_PROBE_ACTIVE) r->health.passive_errors = TTB_OFF;
  r->health.flags |= TTB_HEALTH_DISABLED;
  if (r->health.seed == 0) r->health.seed = r->settings.seed;
  return ttb_health_check(&r->health, d);
}

static int32_t limit_part(const ttb_pool_config *c, uint32_t i, ttb__pool_parts *r,
                          ttb_detail *d) {
  uint32_t stride, size;
  memcpy(&stride, c->limits, sizeof stride);
  const unsigned char *given = (const unsigned char *)c->limits + (uint64_t)i * stride;
  memcpy(&size, given, sizeof size);
  if (size != stride)
    return ttb__fail(d, TTB_ERR_RANGE, "limits.struct_size", (int32_t)i, size, stride, stride);
  ttb_limiter_config *l = &r->limits[i];
  int32_t code = ttb_limiter_check((const ttb_limiter_config *)(const void *)given, d);
  if (code < 0) return code;
  take(l, sizeof *l, given);
  if ((code = agree(&l->capacity, 1, "limits.capacity", d)) < 0 ||
      (code = agree(&l->threads, r->settings.threads, "limits.threads", d)) < 0)
    return code;
  if (l->flags & TTB_LIMITER_KEYED) /* there is one slot, of the pool */
    return ttb__fail(d, TTB_ERR_RANGE, "limits.flags", (int32_t)i, l->flags, 0, 0);
  if (l->seed == 0) l->seed = r->settings.seed;
  return ttb_limiter_check(l, d);
}

static int32_t limit_parts(const ttb_pool_config *c, ttb__pool_parts *r, ttb_detail *d) {
  if (c->n_limits > 0 && !c->limits)
    return ttb__fail(d, TTB_ERR_MISUSE, "limits", -1, 0, 0, 0);
  r->n_limits = c->n_limits;
  for (uint32_t i = 0; i < c->n_limits; i++) {
    int32_t code = limit_part(c, i, r, d);
    if (code < 0) return code;
  }
  return TTB_OK;
}

/* A round that waits for several probes must outlive them, or it never ends well:
 * active probes come an interval apart. */
static int32_t lease_is_enough(const ttb__pool_parts *r, ttb_detail *d) {
  ttb_breaker_config b;
  ttb_health_config h;
  if (r->settings.probing != TTB_POOL_PROBE_ACTIVE ||
      ttb__config_read(&ttb__breaker_config_fields, &r->breaker, &b, -1, d) < 0 ||
      ttb__config_read(&ttb__health_config_fields, &r->health, &h, -1, d) < 0)
    return TTB_OK;
  uint32_t interval = h.interval_ms, probes = b.half_open_successes;
  if (h.fast_interval_ms > interval) interval = h.fast_interval_ms;
  if (h.down_interval_ms > interval) interval = h.down_interval_ms;
  if (b.half_open_calls > 0 && (uint32_t)b.half_open_calls > probes)
    probes = (uint32_t)b.half_open_calls;
  uint64_t needs = (uint64_t)interval * (probes - 1);
  if (needs < b.lease_ms) return TTB_OK;
  return ttb__fail(d, TTB_ERR_RANGE, "breaker.lease_ms", -1, b.lease_ms, (int64_t)needs + 1,
                   3600000);
}

int32_t ttb__pool_config_read(const ttb_pool_config *config, ttb__pool_parts *ret, ttb_detail *d) {
  ttb_pool_config c;
  int32_t code = ttb__config_read(&ttb__pool_config_fields, config, &c, -1, d);
  if (code < 0) return code;
  if ((c.events & (c.events - 1)) != 0)
    return ttb__fail(d, TTB_ERR_RANGE, "events", -1, c.events, 16, 65536);
  memcpy(&ret->settings, &c, sizeof ret->settings);
  ret->settings.struct_size = sizeof ret->settings;
  if ((code = balancer_part(&c, ret, d)) < 0) return code;
  if ((code = breaker_part(&c, ret, d)) < 0) return code;
  if ((code = health_part(&c, ret, d)) < 0) return code;
  if ((code = limit_parts(&c, ret, d)) < 0) return code;
  return lease_is_enough(ret, d);
}

int32_t ttb_pool_check(const ttb_pool_config *config, ttb_detail *ret_detail) {
  ttb__pool_parts parts;
  return ttb__pool_config_read(config, &parts, ret_detail);
}
