/* SPDX-License-Identifier: MIT */
/* The gateway with trimtab: every answer comes from a ttb_pool and a
 * ttb_autoscaler. This is all of trimtab there is in the gateway.
 *
 * The settings are those of a demo that must show in seconds what takes minutes
 * in earnest: short windows, short open times, quick health checks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trimtab/autoscaler.h>
#include <trimtab/jemalloc.h>
#include <trimtab/pool.h>
#include <unistd.h>

#include "backend.h"
#include "steer.h"

#define CONSECUTIVE 3         /* failures in a row that eject a backend */
#define DOWN_WINDOW_MS 5000   /* replicas leave only if none were needed for so long */
#define REQUESTS_A_REPLICA 55 /* a second; a backend can do about 100 */

struct steer {
  ttb_jemalloc arena;
  ttb_allocator allocator;
  ttb_pool shared, pool; /* `pool` is this thread's own handle */
  ttb_autoscaler scaler;
  int64_t pool_bytes, scaler_bytes;
  uint64_t id_of_slot[STEER_MAX_BACKENDS];
  uint64_t cursor; /* of the event ring */
  steer_config config;
};

static int open_pool(steer *s) {
  ttb_breaker_config breaker = TTB_CONFIG(ttb_breaker_config);
  breaker.consecutive = CONSECUTIVE;
  breaker.failure_rate_ppm = 300000;
  breaker.window_ms = 3200;
  breaker.open_ms = 1000;
  breaker.half_open_successes = 4; /* a backend that fails half its work rarely gets there */
  breaker.lease_ms = 3000;
  ttb_health_config health = TTB_CONFIG(ttb_health_config);
  health.rise = 2;
  health.fall = 2;
  health.degraded_ms = 100;
  health.interval_ms = 500;
  health.fast_interval_ms = 250;
  health.lease_ms = 1000;
  ttb_pool_config config = TTB_CONFIG(ttb_pool_config);
  config.capacity = s->config.capacity;
  config.seed = s->config.seed;
  config.breaker = &breaker;
  config.health = &health;
  s->pool_bytes = ttb_pool_size(&config);
  int32_t code = ttb_pool_new(&s->shared, &config, &s->allocator);
  if (code == TTB_OK) code = ttb_pool_join(&s->shared, (uint64_t)getpid(), &s->pool);
  return code;
}

static int open_scaler(steer *s) {
  ttb_autoscaler_metric metrics[2] = {TTB_CONFIG(ttb_autoscaler_metric),
                                      TTB_CONFIG(ttb_autoscaler_metric)};
  metrics[0].kind = TTB_AUTOSCALER_TOTAL; /* requests a second */
  metrics[0].target_milli = REQUESTS_A_REPLICA * 1000;
  metrics[1].kind = TTB_AUTOSCALER_UTILISATION; /* of the places in the backends */
  metrics[1].target_milli = 100000;             /* 100 %: beyond it a queue forms */
  ttb_autoscaler_policy down = TTB_CONFIG(ttb_autoscaler_policy);
  down.value = 2;
  down.period_ms = 1000;
  ttb_autoscaler_config config = TTB_CONFIG(ttb_autoscaler_config);
  config.min_replicas = s->config.min_replicas;
  config.max_replicas = s->config.max_replicas;
  config.tolerance_up_ppm = 50000;
  config.down_window_ms = DOWN_WINDOW_MS;
  config.tick_ms = 1000;
  config.metrics = metrics;
  config.metrics_n = 2;
  config.down_policies = &down;
  config.down_policies_n = 1;
  s->scaler_bytes = ttb_autoscaler_size(&config);
  return ttb_autoscaler_new(&s->scaler, &config, &s->allocator);
}

static void trimtab_close(steer *s) {
  ttb_pool_free(&s->pool);
  ttb_pool_free(&s->shared);
  ttb_autoscaler_free(&s->scaler);
  if (ttb_jemalloc_close(&s->arena) != TTB_OK) fprintf(stderr, "gateway: the arena is not empty\n");
  free(s);
}

static steer *trimtab_open(const steer_config *config) {
  steer *s = calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  s->config = *config;
  int32_t code = ttb_jemalloc_open(&s->arena, &s->allocator);
  if (code != TTB_OK) {
    fprintf(stderr, "gateway: no arena: %s\n", ttb_strerror(code));
    free(s);
    return NULL;
  }
  code = open_pool(s);
  if (code == TTB_OK) code = open_scaler(s);
  if (code == TTB_OK) return s;
  fprintf(stderr, "gateway: %s\n", ttb_strerror(code));
  trimtab_close(s);
  return NULL;
}

static int trimtab_add(steer *s, uint64_t backend, uint64_t now) {
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  e.id = backend;
  int32_t slot = ttb_pool_add(&s->pool, &e, now);
  if (slot < 0) return slot;
  s->id_of_slot[slot] = backend;
  return 0;
}

static int trimtab_drain(steer *s, uint64_t backend, uint64_t now) {
  return ttb_pool_drain(&s->pool, backend, 1, now);
}

static int trimtab_remove(steer *s, uint64_t backend, uint64_t now) {
  return ttb_pool_remove(&s->pool, backend, now);
}

static int trimtab_pick(steer *s, const uint64_t *exclude, uint32_t n, int repeatable, uint64_t now,
                        steer_pick *ret) {
  uint32_t slots[STEER_MAX_BACKENDS], k = 0;
  for (uint32_t i = 0; i < n && k < STEER_MAX_BACKENDS; i++) {
    int32_t slot = ttb_pool_find(&s->pool, exclude[i]);
    if (slot >= 0) slots[k++] = (uint32_t)slot;
  }
  /* What cannot be sent twice shall not be the one to try out a backend. */
  int64_t t = repeatable ? ttb_pool_acquire_except(&s->pool, 0, slots, k, now)
                         : ttb_pool_acquire_ordinary(&s->pool, 0, slots, k, now);
  if (t < 0) return t == TTB_ALL_EXCLUDED ? STEER_EXCLUDED : STEER_NONE;
  ret->backend = s->id_of_slot[ttb_ticket_slot(t)];
  ret->ticket = t;
  ret->probe = ttb_pool_is_probe(t) == 1;
  return 0;
}

static void trimtab_report(steer *s, int64_t ticket, enum steer_outcome outcome,
                           uint64_t latency_ns, uint64_t now) {
  static const int32_t outcomes[] = {TTB_SUCCESS, TTB_FAILURE, TTB_IGNORED, TTB_CANCELLED};
  ttb_pool_report(&s->pool, ticket, outcomes[outcome], latency_ns, now);
}

static void trimtab_tick(steer *s, uint64_t now) { ttb_pool_tick(&s->pool, now); }

static uint32_t trimtab_probes_due(steer *s, uint64_t now, uint64_t *ret, uint32_t n) {
  uint32_t slots[STEER_MAX_BACKENDS];
  if (n > STEER_MAX_BACKENDS) n = STEER_MAX_BACKENDS;
  int32_t got = ttb_pool_probe_due(&s->pool, now, slots, n);
  for (int32_t i = 0; i < got; i++) ret[i] = s->id_of_slot[slots[i]];
  return got > 0 ? (uint32_t)got : 0;
}

static void trimtab_probe_result(steer *s, uint64_t backend, int ok, uint64_t latency_ns,
                                 uint64_t now) {
  int32_t slot = ttb_pool_find(&s->pool, backend);
  if (slot >= 0)
    ttb_pool_probe_result(&s->pool, (uint32_t)slot, ok ? TTB_SUCCESS : TTB_FAILURE, latency_ns,
                          now);
}

static void trimtab_scale(steer *s, const steer_load *load, uint64_t now, steer_scale *ret) {
  ttb_autoscaler_sample samples[2] = {TTB_CONFIG(ttb_autoscaler_sample),
                                      TTB_CONFIG(ttb_autoscaler_sample)};
  samples[0].value_milli = (int64_t)(load->per_second * 1000);
  samples[1].value_milli = (int64_t)(load->inflight * 1000);
  samples[1].capacity_milli = (int64_t)load->ready * BACKEND_CONCURRENCY * 1000;
  samples[1].replicas = load->ready;
  samples[1].missing = load->ready == 0;
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  ret->want = ret->raw = load->replicas;
  if (ttb_autoscaler_evaluate(&s->scaler, 0, samples, 2, load->replicas, now, &d) != TTB_OK) return;
  ret->want = d.desired;
  if (d.proposed >= 0) ret->raw = d.proposed;
  snprintf(ret->reason, sizeof ret->reason, "%s", ttb_autoscaler_reason(d.reason));
}

static enum steer_state trimtab_state(steer *s, uint64_t backend, uint64_t now) {
  ttb_pool_info info = TTB_CONFIG(ttb_pool_info);
  int32_t slot = ttb_pool_find(&s->pool, backend);
  if (slot < 0 || ttb_pool_inspect(&s->pool, (uint32_t)slot, now, &info) != TTB_OK)
    return STEER_EJECTED;
  if (info.causes & (TTB_CAUSE_PROBE | TTB_CAUSE_OUTLIER | TTB_CAUSE_BREAKER)) return STEER_EJECTED;
  if (info.breaker == TTB_BREAKER_HALF_OPEN) return STEER_PROBING;
  return info.status == TTB_STATUS_DEGRADED ? STEER_DEGRADED : STEER_HEALTHY;
}

static const char *status_name(int64_t status) {
  static const char *const names[] = {"unknown",   "healthy", "degraded",
                                      "unhealthy", "stale",   "draining"};
  return status >= 0 && status <= TTB_STATUS_DRAINING ? names[status] : "?";
}

static int trimtab_next_event(steer *s, steer_event *ret) {
  ttb_pool_event e;
  while (ttb_pool_events(&s->pool, &s->cursor, &e, 1, NULL) == 1) {
    *ret = (steer_event){.backend = e.id};
    switch (e.kind) {
      case TTB_POOL_EJECTED:
        ret->kind = e.value == TTB_BREAKER_REOPENED ? "reopen" : "eject";
        snprintf(ret->why, sizeof ret->why, "%s",
                 e.value == TTB_BREAKER_REOPENED ? "a probe failed" : "too many failures");
        return 1;
      case TTB_POOL_READMITTED:
        ret->kind = "readmit";
        snprintf(ret->why, sizeof ret->why, "its probes succeeded");
        return 1;
      case TTB_POOL_STATUS:
        ret->kind = "health";
        snprintf(ret->why, sizeof ret->why, "%s", status_name(e.value));
        return 1;
      default: /* added, removed, draining, probed: the gateway logs these itself */ break;
    }
  }
  return 0;
}

static void trimtab_settings(steer *s, char *ret, size_t n) {
  snprintf(ret, n,
           "\"consecutive\":%d,\"down_window_ms\":%d,\"min_replicas\":%d,\"max_replicas\":%d",
           CONSECUTIVE, DOWN_WINDOW_MS, s->config.min_replicas, s->config.max_replicas);
}

static void trimtab_memory(steer *s, char *ret, size_t n) {
  ttb_jemalloc_stats m = TTB_CONFIG(ttb_jemalloc_stats);
  if (n != 0) ret[0] = '\0';
  if (ttb_jemalloc_statistics(&s->arena, &m) != TTB_OK) return;
  snprintf(ret, n,
           "jemalloc arena %u holds all of trimtab: %" PRIu64
           " bytes in use (pool of %u endpoints %" PRId64 ", autoscaler %" PRId64 "),\n%" PRIu64
           " resident; %" PRIu64 " allocations and %" PRIu64 " frees since the start.\n",
           m.index, m.allocated, s->config.capacity, s->pool_bytes, s->scaler_bytes, m.resident,
           m.allocations, m.frees);
}

const steer_ops steer_trimtab = {
    .name = "trimtab",
    .max_tries = 3,
    .open = trimtab_open,
    .close = trimtab_close,
    .add = trimtab_add,
    .drain = trimtab_drain,
    .remove = trimtab_remove,
    .pick = trimtab_pick,
    .report = trimtab_report,
    .tick = trimtab_tick,
    .probes_due = trimtab_probes_due,
    .probe_result = trimtab_probe_result,
    .scale = trimtab_scale,
    .state = trimtab_state,
    .next_event = trimtab_next_event,
    .settings = trimtab_settings,
    .memory = trimtab_memory,
};
