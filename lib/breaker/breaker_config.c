/* SPDX-License-Identifier: MIT */
/* What a breaker can be told, as rows: see ../base/config.h. */
#include "average.h"
#include "breaker.h"
#include "last_calls.h"

#define TTB__BREAKER_FLAGS                                                      \
  (TTB_BREAKER_ALL | TTB_BREAKER_OPEN_AFTER | TTB_BREAKER_RATE_ABOVE |          \
   TTB_BREAKER_TRIP_ON_SUCCESS | TTB_BREAKER_EARLY_VERDICT | TTB_BREAKER_METRICS_ONLY |  \
   TTB_BREAKER_CHECK_TICKETS | TTB_BREAKER_FIXED_WINDOW | TTB_BREAKER_DETAILED | \
   TTB_BREAKER_PROBES_IN_ALL)

#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_breaker_config, type, field, unit, min, max, def, flags)

static const ttb__field config_fields[] = {
    C(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(U32, capacity, "", 1, TTB_MAX_SLOTS, 1, 0),
    C(I32, consecutive, "calls", 1, 1000000, 5, TTB__MAY_BE_OFF),
    C(I32, failure_rate_ppm, "ppm", 1, 1000000, 500000, TTB__MAY_BE_OFF),
    C(U32, window_ms, "ms", 1000, 86400000, 10000, 0),
    C(U32, min_calls, "calls", 1, 100000, 20, 0),
    C(U32, open_ms, "ms", 1, 3600000, 5000, 0),
    C(U32, half_open_probes, "calls", 1, TTB__BREAKER_MAX_PROBES, 1, 0),
    C(U32, half_open_successes, "calls", 1, 1000000, 1, 0),
    C(U32, lease_ms, "ms", 1, 3600000, 60000, 0),
    C(U32, threads, "", 1, 254, 64, 0),
    C(U32, flags, "", 0, TTB__BREAKER_FLAGS, 0, 0),
    C(U64, seed, "", 0, 0, 0, TTB__ANY),
    C(I32, slow_rate_ppm, "ppm", 1, 1000000, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, half_open_calls, "calls", 1, 10000, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, half_open_rate_ppm, "ppm", 1, 1000000, 500000, 0),
    C(I32, open_growth_ppm, "ppm", 1000000, 100000000, 1000000, 0),
    C(U32, open_max_ms, "ms", 1, 3600000, 300000, 0),
    C(I32, open_jitter_ppm, "ppm", 1, 1000000, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, open_decay_ms, "ms", 1, 86400000, 60000, TTB__MAY_BE_OFF),
    C(I32, window_calls, "calls", 1, TTB__LAST_CALLS_MAX, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, ramp_ms, "ms", 1, 3600000, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, ramp_start_ppm, "ppm", 1, 1000000, 100000, 0),
    C(I32, cusum_healthy_ppm, "ppm", 1, 900000, 50000, 0),
    C(I32, cusum_bad_ppm, "ppm", 1, 990000, TTB_OFF, TTB__MAY_BE_OFF),
    C(U64, cusum_calls, "calls", 1, TTB__MOST_CUSUM_CALLS, 10000000, 0),
    C(I32, key_idle_ms, "ms", 1, 86400000, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, slow_ms, "ms", 1, 3600000, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, average_success_ppm, "ppm", 1, 1000000, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, average_calls, "calls", 1, TTB__AVERAGE_CALLS_MAX, TTB_OFF, TTB__MAY_BE_OFF),
    C(I32, open_steps, "", 1, TTB__MAX_STEP, TTB_OFF, TTB__MAY_BE_OFF),
    C(U32, stripes, "", 1, 64, 1, 0),
    C(U32, tickets, "", 16, 2048, 256, 0),
    C(U32, reserved, "", 0, 0, 0, 0),
};
const ttb__struct ttb__breaker_config_fields = TTB__STRUCT(ttb_breaker_config, config_fields);

#define I(type, field, unit) TTB__OUT(ttb_breaker_info, type, field, unit)

static const ttb__field info_fields[] = {
    I(U32, struct_size, "bytes"),     I(I32, state, ""),
    I(U32, generation, ""),           I(U32, calls, "calls"),
    I(U32, failures, "calls"),        I(I32, failure_rate_ppm, "ppm"),
    I(U32, consecutive, "calls"),     I(U32, probes_out, "calls"),
    I(U32, probe_successes, "calls"), I(U32, opened, ""),
    I(I64, retry_after_ms, "ms"),     I(U32, slow, "calls"),
    I(I32, slow_rate_ppm, "ppm"),     I(U32, open_step, ""),
    I(U32, probe_calls, "calls"),     I(U32, probe_failures, "calls"),
    I(U32, probe_slow, "calls"),      I(U32, cusum, ""),
    I(U32, cusum_limit, ""),          I(U64, key, ""),
    I(I32, average_ppm, "ppm"),       I(U32, slow_failures, "calls"),
    I(U32, ignored, "calls"),         I(U32, successes_in_row, "calls"),
    I(U64, duration_us, "us"),
};
const ttb__struct ttb__breaker_info_fields = TTB__STRUCT(ttb_breaker_info, info_fields);

#define S(type, field) TTB__OUT(ttb_breaker_stats, type, field, "")

static const ttb__field stats_fields[] = {
    S(U32, struct_size), S(U32, capacity), S(U32, joined),         S(U32, reserved),
    S(U64, refused),     S(U64, stale),    S(U64, clock_adoptions),
};
const ttb__struct ttb__breaker_stats_fields = TTB__STRUCT(ttb_breaker_stats, stats_fields);

#define P(type, field, unit) TTB__OUT(ttb_breaker_cusum_plan, type, field, unit)

static const ttb__field cusum_fields[] = {
    P(U32, struct_size, "bytes"), P(U32, up, ""), P(U32, down, ""), P(U32, limit, ""),
    P(U64, calls, "calls"),
};
const ttb__struct ttb__breaker_cusum_fields = TTB__STRUCT(ttb_breaker_cusum_plan, cusum_fields);

int32_t ttb_breaker_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {
      &ttb__breaker_config_fields, &ttb__breaker_info_fields, &ttb__breaker_stats_fields,
      &ttb__breaker_cusum_fields};
  return ttb__field_get(all, 4, which, index, ret_field);
}
