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
    C(U32, flags, "", 0, TTB_LIMITER_KEYED, 0, 0),
    C(U32, algorithm, "", TTB_LIMIT_AIMD, TTB_LIMIT_GRADIENT, TTB_LIMIT_GRADIENT2, 0),
    C(U32, initial_limit, "calls", 1, TTB__MAX_PERMIT, 0, 0),
    C(U32, min_limit, "calls", 1, TTB__MAX_PERMIT, 0, 0),
    C(U32, max_limit, "calls", 1, TTB__MAX_PERMIT, 0, 0),
    C(I32, limit_window_ms, "ms", 1, 3600000, 0, TTB__MAY_BE_OFF),
    C(U32, limit_samples, "calls", 1, 10000, 0, 0),
    C(I32, smoothing_ppm, "ppm", 1, 1000000, 0, 0),
    C(I32, backoff_ppm, "ppm", 1, 999999, 0, TTB__MAY_BE_OFF),
    C(I32, timeout_ms, "ms", 1, 3600000, 0, TTB__MAY_BE_OFF),
    C(U32, alpha, "calls", 1, 1000, 3, 0),
    C(U32, beta, "calls", 1, 1000, 6, 0),
    C(U32, queue, "calls", 1, 10000, 4, 0),
    C(U32, long_window, "samples", 1, 1000000, 600, 0),
    C(I32, tolerance_ppm, "ppm", 1000000, 10000000, 1500000, 0),
    C(I32, buffer_ppm, "ppm", 1, 10000000, 250000, TTB__MAY_BE_OFF),
    C(U32, measure_ms, "ms", 1000, 86400000, 60000, 0),
    C(U32, measure_samples, "calls", 1, 10000, 50, 0),
    C(I32, measure_jitter_ppm, "ppm", 1, 1000000, 150000, TTB__MAY_BE_OFF),
    C(I32, quantile_ppm, "ppm", 1, 1000000, 500000, 0),
    C(I32, budget_ppm, "ppm", 1, 1000000, 200000, TTB__MAY_BE_OFF),
    C(I32, min_retries, "calls", 1, 1000000, 3, TTB__MAY_BE_OFF),
};
const ttb__struct ttb__limiter_config_fields = TTB__STRUCT(ttb_limiter_config, config_fields);

#define I(type, field, unit) TTB__OUT(ttb_limiter_info, type, field, unit)

static const ttb__field info_fields[] = {
    I(U32, struct_size, "bytes"), I(U32, kind, ""),           I(U32, available, ""),
    I(U32, in_use, "calls"),      I(I32, reject_ppm, "ppm"),  I(U32, reserved, ""),
    I(U64, requests, "calls"),    I(U64, accepts, "calls"),   I(I64, balance_ppm, "ppm"),
    I(I64, retry_after_ns, "ns"), I(U64, latency_ns, "ns"),   I(U32, limit, "calls"),
    I(I32, measuring, ""),
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

/* What the peer of each algorithm has by default, in the order of TTB_LIMIT_*. */
static const struct {
  uint32_t min, max;
  int32_t window_ms;
  uint32_t samples;
  int32_t smoothing_ppm, backoff_ppm, timeout_ms;
} limit_defaults[] = {
    {20, 200, 100, 10, 1000000, 900000, 5000},
    {1, 1000, 100, 10, 1000000, TTB_OFF, TTB_OFF},
    {20, 200, 1000, 10, 200000, TTB_OFF, TTB_OFF},
    {3, 1000, 100, 1, 1000000, TTB_OFF, TTB_OFF},
};

/* Puts in the algorithm's own defaults and checks the order of the limits. */
static int32_t limits_fit(ttb_limiter_config *c, ttb_detail *d) {
  uint32_t a = c->algorithm - 1;
  if (c->limit_samples == 0) c->limit_samples = c->limit_window_ms < 0 ? 1 : limit_defaults[a].samples;
  if (c->limit_window_ms == 0) c->limit_window_ms = limit_defaults[a].window_ms;
  if (c->smoothing_ppm == 0) c->smoothing_ppm = limit_defaults[a].smoothing_ppm;
  if (c->backoff_ppm == 0) c->backoff_ppm = limit_defaults[a].backoff_ppm;
  if (c->timeout_ms == 0) c->timeout_ms = limit_defaults[a].timeout_ms;
  if (c->max_limit == 0) {
    c->max_limit = limit_defaults[a].max;
    if (c->max_limit < c->min_limit) c->max_limit = c->min_limit;
    if (c->max_limit < c->initial_limit) c->max_limit = c->initial_limit;
  }
  if (c->min_limit == 0) {
    c->min_limit = limit_defaults[a].min;
    if (c->min_limit > c->max_limit) c->min_limit = c->max_limit;
    if (c->initial_limit != 0 && c->min_limit > c->initial_limit) c->min_limit = c->initial_limit;
  }
  if (c->min_limit > c->max_limit)
    return ttb__fail(d, TTB_ERR_RANGE, "min_limit", -1, c->min_limit, 1, c->max_limit);
  if (c->initial_limit == 0) {
    c->initial_limit = 20;
    if (c->initial_limit < c->min_limit) c->initial_limit = c->min_limit;
    if (c->initial_limit > c->max_limit) c->initial_limit = c->max_limit;
  }
  if (c->initial_limit < c->min_limit || c->initial_limit > c->max_limit)
    return ttb__fail(d, TTB_ERR_RANGE, "initial_limit", -1, c->initial_limit, c->min_limit,
                     c->max_limit);
  if (c->algorithm == TTB_LIMIT_AIMD && c->backoff_ppm < 0)
    return ttb__fail(d, TTB_ERR_RANGE, "backoff_ppm", -1, c->backoff_ppm, 1, 999999);
  return TTB_OK;
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
  if (c.kind == TTB_LIMITER_ADAPTIVE && (code = limits_fit(&c, d)) < 0) return code;
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
