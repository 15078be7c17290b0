/* SPDX-License-Identifier: MIT */
/* The gateway without trimtab: plain round robin over every backend that was
 * started, no health, no retries, a fixed number of replicas. This is what the
 * demo compares with. */
#include <stdio.h>
#include <stdlib.h>

#include "steer.h"

struct steer {
  uint64_t backend[STEER_MAX_BACKENDS];
  uint32_t n;
  uint32_t next;
  int replicas;
};

static steer *naive_open(const steer_config *config) {
  steer *s = calloc(1, sizeof *s);
  if (s != NULL) s->replicas = config->start_replicas;
  return s;
}

static void naive_close(steer *s) { free(s); }

static int naive_add(steer *s, uint64_t backend, uint64_t now) {
  (void)now;
  if (s->n == STEER_MAX_BACKENDS) return -1;
  s->backend[s->n++] = backend;
  return 0;
}

static int naive_remove(steer *s, uint64_t backend, uint64_t now) {
  (void)now;
  for (uint32_t i = 0; i < s->n; i++) {
    if (s->backend[i] != backend) continue;
    for (; i + 1 < s->n; i++) s->backend[i] = s->backend[i + 1];
    s->n--;
    return 0;
  }
  return -1;
}

static int naive_pick(steer *s, const uint64_t *exclude, uint32_t n, int repeatable, uint64_t now,
                      steer_pick *ret) {
  (void)exclude, (void)n, (void)repeatable, (void)now;
  if (s->n == 0) return STEER_NONE;
  *ret = (steer_pick){.backend = s->backend[s->next++ % s->n]};
  return 0;
}

static void naive_report(steer *s, int64_t ticket, enum steer_outcome outcome, uint64_t latency_ns,
                         uint64_t now) {
  (void)s, (void)ticket, (void)outcome, (void)latency_ns, (void)now;
}

static void naive_tick(steer *s, uint64_t now) { (void)s, (void)now; }

static uint32_t naive_probes_due(steer *s, uint64_t now, uint64_t *ret, uint32_t n) {
  (void)s, (void)now, (void)ret, (void)n;
  return 0;
}

static void naive_probe_result(steer *s, uint64_t backend, int ok, uint64_t latency_ns,
                               uint64_t now) {
  (void)s, (void)backend, (void)ok, (void)latency_ns, (void)now;
}

static void naive_scale(steer *s, const steer_load *load, uint64_t now, steer_scale *ret) {
  (void)load, (void)now;
  ret->want = ret->raw = s->replicas;
  snprintf(ret->reason, sizeof ret->reason, "fixed");
}

static enum steer_state naive_state(steer *s, uint64_t backend, uint64_t now) {
  (void)s, (void)backend, (void)now;
  return STEER_HEALTHY; /* for all it knows */
}

static int naive_next_event(steer *s, steer_event *ret) {
  (void)s, (void)ret;
  return 0;
}

static void naive_settings(steer *s, char *ret, size_t n) {
  snprintf(ret, n, "\"replicas\":%d", s->replicas);
}

static void naive_memory(steer *s, char *ret, size_t n) {
  (void)s;
  if (n != 0) ret[0] = '\0';
}

const steer_ops steer_naive = {
    .name = "naive",
    .max_tries = 1,
    .open = naive_open,
    .close = naive_close,
    .add = naive_add,
    .drain = naive_remove, /* it knows no draining: out is out */
    .remove = naive_remove,
    .pick = naive_pick,
    .report = naive_report,
    .tick = naive_tick,
    .probes_due = naive_probes_due,
    .probe_result = naive_probe_result,
    .scale = naive_scale,
    .state = naive_state,
    .next_event = naive_next_event,
    .settings = naive_settings,
    .memory = naive_memory,
};
