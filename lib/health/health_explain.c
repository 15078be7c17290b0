/* SPDX-License-Identifier: MIT */
/* Looking at targets without touching them: explain, statistics. */
#include "health.h"

int32_t ttb_health_explain(const ttb_health *h, uint32_t slot, uint64_t now_ns,
                           ttb_health_info *ret) {
  const ttb__health *t = ttb__health_of(h);
  if (!t || !ret) return TTB_ERR_MISUSE;
  if (slot >= t->capacity) return TTB_ERR_RANGE;
  ttb__health_slot *s = &t->slots[slot];
  uint64_t now = ttb__health_look(t, now_ns), w = ttb__load_rlx(&s->state);
  uint64_t since = ttb__load_rlx(&s->since);
  uint32_t gen = ttb__target_gen(w), level = ttb__health_level(t, w, now);
  ttb__verdict v = ttb__target_verdict(w);
  ttb_health_info i = {
      .status = (int32_t)level,
      .enabled = ttb__target_enabled(w),
      .generation = gen,
      .passes = v.failing ? 0 : v.row,
      .failures = v.failing ? v.row : 0,
      .errors = (uint32_t)ttb__tagged_of(ttb__load_rlx(&s->errors), gen),
      .pace = ttb__health_pace(v),
      .changes = (uint32_t)ttb__tagged_of(ttb__load_rlx(&s->changes), gen),
      .since_ms = -1,
      .age_ms = v.row ? (int64_t)ttb__ms_since(w, now) : -1,
      .next_due_ms = -1,
      .latency_ns = ttb__tagged_of(ttb__load_rlx(&s->latency), gen),
      .latency_avg_ns = ttb__tagged_of(ttb__load_rlx(&s->average), gen),
  };
  if (i.enabled)
    i.next_due_ms = (int64_t)ttb__health_due_in(t, slot, w, ttb__load_rlx(&s->ask), now);
  if (ttb__since_fits(since, gen, level)) {
    i.since_ms = (int64_t)ttb__ms_since(since, now);
    i.reason = (int32_t)ttb__since_reason(since);
  }
  if (level == TTB_STATUS_STALE) {
    i.reason = TTB_HEALTH_BY_SILENCE;
    i.since_ms = (int64_t)ttb__ms_since(w, now) - t->ttl_ms;
    if (i.since_ms < 0) i.since_ms = 0; /* recorded by a tick whose clock was ahead */
    v = (ttb__verdict){TTB_STATUS_STALE, 0, 0};
  }
  i.counter = ttb__verdict_counter(&t->thresholds, v);
  if (t->outliers) {
    uint64_t last = ttb__load_rlx(&t->outliers[slot].last);
    i.ejected = ttb__outlier_is_ejected(t, slot);
    i.ejections = ttb__eject_times(ttb__load_rlx(&t->outliers[slot].eject), gen);
    i.eject_left_ms = (int64_t)ttb__outlier_left(t, slot, now);
    i.calls = ttb__outlier_calls(last);
    i.call_failures = ttb__outlier_failures(last) + ttb__outlier_local(last);
  }
  return ttb__struct_write(&ttb__health_info_fields, &i, ret);
}

int32_t ttb_health_statistics(const ttb_health *h, uint64_t now_ns, ttb_health_stats *ret) {
  const ttb__health *t = ttb__health_of(h);
  if (!t || !ret) return TTB_ERR_MISUSE;
  uint64_t now = ttb__health_look(t, now_ns);
  uint32_t by_level[TTB_STATUS_STALE + 1] = {0};
  ttb_health_stats s = {.capacity = t->capacity};
  for (uint32_t i = 0; i < t->capacity; i++) {
    uint64_t w = ttb__load_rlx(&t->slots[i].state);
    if (!ttb__target_enabled(w)) continue;
    s.enabled++;
    by_level[ttb__health_level(t, w, now)]++;
  }
  s.unknown = by_level[TTB_STATUS_UNKNOWN];
  s.healthy = by_level[TTB_STATUS_HEALTHY];
  s.degraded = by_level[TTB_STATUS_DEGRADED];
  s.unhealthy = by_level[TTB_STATUS_UNHEALTHY];
  s.stale = by_level[TTB_STATUS_STALE];
  s.changes = ttb__load_rlx(&t->table->changes);
  s.late = ttb__load_rlx(&t->table->late);
  s.pauses = ttb__load_rlx(&t->table->pauses);
  s.clock_adoptions = ttb__load_rlx(&t->region->clock.adoptions);
  if (t->outliers) {
    const ttb__outlier_table *e = t->ejections;
    uint64_t rates = ttb__load_rlx(&e->rates);
    s.ejected = ttb__outlier_count(t).ejected;
    s.judged = (uint32_t)ttb__load_rlx(&e->judged);
    s.sweeps = ttb__load_rlx(&e->sweeps);
    s.detected = ttb__load_rlx(&e->detected);
    s.enforced = ttb__load_rlx(&e->enforced);
    s.overflows = ttb__load_rlx(&e->overflows);
    s.systemic = ttb__load_rlx(&e->systemic);
    if (s.judged > 0) {
      s.mean_ppm = (int32_t)((int64_t)(rates >> 32) - (INT64_C(1) << 31));
      s.threshold_ppm = (int32_t)((int64_t)(uint32_t)rates - (INT64_C(1) << 31));
    }
  }
  return ttb__struct_write(&ttb__health_stats_fields, &s, ret);
}
