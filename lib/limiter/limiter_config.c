/* SPDX-License-Identifier: MIT */
/* What a limiter and a backoff can be told, as rows: see ../base/config.h; and
 * what must hold between fields.
 *
 * I1  Rules between fields are those of the table's kind alone. */
#include "limiter.h"

#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_limiter_config, type, field, unit, min, max, def, flags)

static const ttb__field config_fields[] = {
    C(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(U32, kind, "", 1, TTB__LIMITER_KINDS, TTB_LIMITER_BULKHEAD, 0),
    C(U32, capacity, "", 1, TTB_MAX_SLOTS, 1, 0),
    C(U32, threads, "", 1, 254, 64, 0),
    C(U32, permits, "calls", 1, TTB__LIMITER_MAX_PERMITS, 25, 0),
    C(U32, reserve_1, "calls", 0, TTB__LIMITER_MAX_PERMITS - 1, 0, 0),
    C(U32, reserve_2, "calls", 0, TTB__LIMITER_MAX_PERMITS - 1, 0, 0),
    C(U32, reserve_3, "calls", 0, TTB__LIMITER_MAX_PERMITS - 1, 0, 0),
    C(I32, lease_ms, "ms", 1, 3600000, TTB_OFF, TTB__MAY_BE_OFF),
    C(U32, rate, "events", 1, 1000000000, 100, 0),
    C(U32, period_ms, "ms", 1, 86400000, 1000, 0),
    C(U32, burst, "events", 1, 1000000000, 10, 0),
    C(U32, window_ms, "ms", 1000, 86400000, 10000, 0),
    C(I32, ratio_ppm, "ppm", 1, 1000000000, 200000, TTB__MAY_BE_OFF),
    C(I32, per_second, "retries", 1, 1000000, 10, TTB__MAY_BE_OFF),
    C(U32, tokens, "tokens", 1, 1000000, 10, 0),
    C(I32, accept_ppm, "ppm", 1000, 1000000, 500000, 0),
    C(U32, aggression, "", 1, 8, 1, 0),
    C(I32, max_reject_ppm, "ppm", 1, 1000000, 800000, 0),
    C(U32, min_requests, "calls", 1, 100000, 20, 0),
    C(U64, seed, "", 0, 0, 0, TTB__ANY),
};
const ttb__struct ttb__limiter_config_fields = TTB__STRUCT(ttb_limiter_config, config_fields);

#define I(type, field, unit) TTB__OUT(ttb_limiter_info, type, field, unit)

static const ttb__field info_fields[] = {
    I(U32, struct_size, "bytes"), I(U32, kind, ""),           I(U32, available, ""),
    I(U32, in_use, "calls"),      I(I32, reject_ppm, "ppm"),  I(U32, reserved, ""),
    I(U64, requests, "calls"),    I(U64, accepts, "calls"),   I(I64, balance_ppm, "ppm"),
    I(I64, retry_after_ns, "ns"),
};
const ttb__struct ttb__limiter_info_fields = TTB__STRUCT(ttb_limiter_info, info_fields);

#define S(type, field) TTB__OUT(ttb_limiter_stats, type, field, "")

static const ttb__field stats_fields[] = {
    S(U32, struct_size), S(U32, capacity), S(U32, joined),          S(U32, kind),
    S(U64, refused),     S(U64, stale),    S(U64, clock_adoptions),
};
const ttb__struct ttb__limiter_stats_fields = TTB__STRUCT(ttb_limiter_stats, stats_fields);

#define B(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_limiter_backoff_config, type, field, unit, min, max, def, flags)

static const ttb__field backoff_fields[] = {
    B(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    B(U32, jitter, "", TTB_BACKOFF_FULL, TTB_BACKOFF_NONE, TTB_BACKOFF_FULL, 0),
    B(U32, base_ms, "ms", 1, 3600000, 100, 0),
    B(U32, cap_ms, "ms", 1, 86400000, 20000, 0),
    B(U64, seed, "", 0, 0, 0, TTB__ANY),
};
const ttb__struct ttb__limiter_backoff_fields =
    TTB__STRUCT(ttb_limiter_backoff_config, backoff_fields);

static int32_t reserve_fits(const ttb_limiter_config *c, uint32_t reserve, const char *name,
                            ttb_detail *d) {
  if (reserve < c->permits) return TTB_OK;
  return ttb__fail(d, TTB_ERR_RANGE, name, -1, reserve, 0, (int64_t)c->permits - 1);
}

static int32_t burst_fits(const ttb_limiter_config *c, ttb_detail *d) {
  uint64_t interval = ttb__limiter_interval(c->rate, c->period_ms);
  uint64_t most = TTB__LIMITER_HORIZON_MS * 256000000 / interval;
  if (c->burst <= most) return TTB_OK;
  return ttb__fail(d, TTB_ERR_RANGE, "burst", -1, c->burst, 1, (int64_t)most);
}

int32_t ttb__limiter_config_read(const ttb_limiter_config *config, ttb_limiter_config *ret,
                                 ttb_detail *d) {
  ttb_limiter_config c;
  int32_t code = ttb__config_read(&ttb__limiter_config_fields, config, &c, -1, d);
  if (code < 0) return code;
  if (c.kind == TTB_LIMITER_BULKHEAD) {
    if ((code = reserve_fits(&c, c.reserve_1, "reserve_1", d)) < 0) return code;
    if ((code = reserve_fits(&c, c.reserve_2, "reserve_2", d)) < 0) return code;
    if ((code = reserve_fits(&c, c.reserve_3, "reserve_3", d)) < 0) return code;
  }
  if (c.kind == TTB_LIMITER_RATE && (code = burst_fits(&c, d)) < 0) return code;
  *ret = c;
  return TTB_OK;
}

int32_t ttb_limiter_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {
      &ttb__limiter_config_fields, &ttb__limiter_info_fields, &ttb__limiter_stats_fields,
      &ttb__limiter_backoff_fields};
  return ttb__field_get(all, 4, which, index, ret_field);
}
