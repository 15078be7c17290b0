/* SPDX-License-Identifier: MIT */
/* Configurations to begin with: what users of other breakers know, and four
 * kinds of callee. A row says only in what it differs from the default; what it
 * cannot say is in docs/breaker.md.
 *
 * Sources: resilience4j (CircuitBreakerConfig), gobreaker v2 (Settings), Polly v8 (CircuitBreakerStrategyOptions),
 * Failsafe (CircuitBreakerConfig), Envoy (outlier_detection, consecutive_5xx
 * with base_ejection_time), Hystrix (HystrixCommandProperties), and the plain
 * breaker of M. Nygard, "Release It!". */
#include "breaker.h"

#include <string.h>

static const ttb_breaker_config presets[] = {
    [TTB_BREAKER_PLAIN] = {.consecutive = 5, .failure_rate_ppm = TTB_OFF, .open_ms = 60000},
    [TTB_BREAKER_RESILIENCE4J] = {.consecutive = TTB_OFF, .failure_rate_ppm = 500000,
                                  .slow_rate_ppm = 1000000, .slow_ms = 60000,
                                  .window_calls = 100, .min_calls = 100,
                                  .open_ms = 60000, .open_decay_ms = TTB_OFF,
                                  .half_open_probes = 10, .half_open_calls = 10,
                                  .half_open_rate_ppm = 500000,
                                  .flags = TTB_BREAKER_OPEN_AFTER | TTB_BREAKER_TRIP_ON_SUCCESS |
                                           TTB_BREAKER_PROBES_IN_ALL},
    [TTB_BREAKER_GOBREAKER] = {.consecutive = 6, .failure_rate_ppm = TTB_OFF, .open_ms = 60000,
                               .flags = TTB_BREAKER_OPEN_AFTER | TTB_BREAKER_PROBES_IN_ALL},
    [TTB_BREAKER_POLLY] = {.consecutive = TTB_OFF, .failure_rate_ppm = 100000, .window_ms = 30000,
                           .min_calls = 100, .open_ms = 5000},
    [TTB_BREAKER_FAILSAFE] = {.consecutive = 1, .failure_rate_ppm = TTB_OFF, .open_ms = 60000},
    [TTB_BREAKER_ENVOY] = {.consecutive = 5, .failure_rate_ppm = TTB_OFF, .open_ms = 30000,
                           .open_growth_ppm = 2000000, .open_max_ms = 300000,
                           .open_decay_ms = 10000},
    [TTB_BREAKER_HYSTRIX] = {.consecutive = TTB_OFF, .failure_rate_ppm = 500000,
                             .window_ms = 10000, .min_calls = 20, .open_ms = 5000,
                             .flags = TTB_BREAKER_OPEN_AFTER | TTB_BREAKER_TRIP_ON_SUCCESS},
    /* Many short calls, comes back in seconds; one bad answer is none, a third of
     * them is found by the sum long before the rate. */
    [TTB_BREAKER_HTTP] = {.consecutive = TTB_OFF, .failure_rate_ppm = 500000, .slow_rate_ppm = 900000,
                          .cusum_healthy_ppm = 50000, .cusum_bad_ppm = 300000,
                          .window_ms = 10000, .min_calls = 20, .open_ms = 5000,
                          .open_growth_ppm = 2000000, .open_max_ms = 60000,
                          .open_jitter_ppm = 200000, .half_open_probes = 3, .half_open_calls = 5,
                          .lease_ms = 30000},
    /* A failover takes half a minute; the first to return must not be many. */
    [TTB_BREAKER_DATABASE] = {.consecutive = 5, .failure_rate_ppm = 500000,
                              .slow_rate_ppm = 800000, .window_ms = 30000, .min_calls = 20,
                              .open_ms = 2000, .open_growth_ppm = 2000000, .open_max_ms = 30000,
                              .open_jitter_ppm = 500000, .half_open_successes = 3,
                              .lease_ms = 30000},
    /* Cheap to miss and to try again: out at once, back at once. */
    [TTB_BREAKER_CACHE] = {.consecutive = 3, .failure_rate_ppm = 300000, .slow_rate_ppm = 500000,
                           .window_ms = 5000, .min_calls = 50, .open_ms = 1000,
                           .open_growth_ppm = 2000000, .open_max_ms = 10000,
                           .open_jitter_ppm = 200000, .half_open_probes = 2,
                           .half_open_successes = 5, .lease_ms = 5000},
    /* Few calls of a minute each: the last ones count, not the last seconds. */
    [TTB_BREAKER_SLOW_MODEL] = {.consecutive = 3, .failure_rate_ppm = 500000,
                                .slow_rate_ppm = 700000, .window_calls = 10, .min_calls = 6,
                                .open_ms = 15000, .open_growth_ppm = 2000000,
                                .open_max_ms = 300000, .open_jitter_ppm = 200000,
                                .open_decay_ms = 600000, .lease_ms = 300000},
};

int32_t ttb_breaker_preset(int32_t preset, ttb_breaker_config *ret_config) {
  if (!ret_config) return TTB_ERR_MISUSE;
  if (preset < 1 || preset >= (int32_t)(sizeof presets / sizeof presets[0])) return TTB_ERR_RANGE;
  ttb_breaker_config c = presets[preset];
  c.struct_size = sizeof c;
  c.capacity = 0; /* the default */
  return ttb__struct_write(&ttb__breaker_config_fields, &c, ret_config);
}
