/* SPDX-License-Identifier: MIT */
/* What results do to a target: report, observe, set, enable. See I1..I4 in
 * health.h.
 *
 * All accesses are relaxed. The state word decides alone and no other word is
 * published by it. */
#include "../base/fixed.h"
#include "health.h"

int32_t ttb__health_changed(ttb__health *t, ttb__health_slot *s, uint32_t gen, uint32_t level,
                            uint32_t reason, uint64_t now) {
  ttb__store_rlx(&s->since, ttb__since(gen, level, reason, now));
  uint64_t w = ttb__load_rlx(&s->changes);
  while (!ttb__cas_rlx(&s->changes, &w, ttb__tagged(gen, ttb__tagged_of(w, gen) + 1))) continue;
  ttb__add_rlx(&t->table->changes, 1);
  return (int32_t)level;
}

/* Makes a probe due at once. */
static void want(ttb__health_slot *s, uint64_t state, uint64_t now) {
  ttb__store_rlx(&s->ask, ttb__ask(ttb__target_gen(state), TTB__WANTED, now));
}

static int32_t late(ttb__health *t) {
  ttb__add_rlx(&t->table->late, 1);
  return TTB_STALE;
}

static bool is_failure(int32_t outcome) {
  return outcome == TTB_FAILURE || outcome == TTB_SLOW_FAILURE;
}

/* A pass, and how slow it was; or a failure, and how many in a row it counts for. */
typedef struct result {
  uint32_t failures;      /* 0: a pass */
  uint32_t slow, slowish; /* a pass that degrades; one that does not end being degraded */
  uint32_t reason;        /* of a failure, or of being degraded */
  uint32_t from_traffic;  /* no report: neither renews ttl_ms nor speaks to what is stale */
} result;

static inline ttb__verdict judge(const ttb__health *t, ttb__verdict v, const result *r) {
  if (r->failures) return ttb__verdict_fail(&t->thresholds, v, r->failures);
  return ttb__verdict_pass(&t->thresholds, v,
                           (v.level == TTB_STATUS_DEGRADED ? r->slowish : r->slow) != 0);
}

/* One result: TTB_OK, the new level, or TTB_STALE. *ret_before is the state
 * word it was applied to. */
static inline int32_t apply(ttb__health *t, ttb__health_slot *s, const result *r, uint64_t now,
                            uint64_t *ret_before) {
  uint64_t w = ttb__load_rlx(&s->state), next;
  uint32_t was;
  ttb__verdict v;
  do {
    if (!ttb__target_enabled(w)) return late(t);
    was = ttb__health_level(t, w, now);
    v = ttb__target_verdict(w);
    if (was == TTB_STATUS_STALE) {
      if (r->from_traffic) return TTB_OK;
      v = (ttb__verdict){TTB_STATUS_STALE, 0, 0};
    }
    v = judge(t, v, r);
    /* Time only goes forward: a caller that was asleep since it asked for the
     * time must not make the target older. */
    uint64_t at = r->from_traffic || ((now - w) & TTB__TIME_MASK) > TTB__TIME_MASK / 2 ? w : now;
    *ret_before = w;
    next = ttb__target(ttb__target_gen(w), 1, v, at);
  } while (next != w && !ttb__cas_rlx(&s->state, &w, next));
  if (v.level == was) return TTB_OK;
  uint32_t reason = v.level == TTB_STATUS_HEALTHY ? TTB_HEALTH_BY_PASSES : r->reason;
  return ttb__health_changed(t, s, ttb__target_gen(w), v.level, reason, now);
}

/* The average weighs a sample by the time since the report before: 1 ms at the
 * least, so that a burst counts too. */
static void measure(const ttb__health *t, ttb__health_slot *s, uint64_t latency_ns,
                    uint64_t before, uint64_t now) {
  uint32_t gen = ttb__target_gen(before);
  uint64_t old = ttb__tagged_of(ttb__load_rlx(&s->average), gen), new = latency_ns;
  if (latency_ns > TTB__TAGGED_MASK) latency_ns = new = TTB__TAGGED_MASK;
  if (old != 0) {
    uint64_t elapsed = ttb__ms_since(before, now);
    new = ttb__average(old, latency_ns, ttb__decay(elapsed ? elapsed : 1, t->half_life_inverse));
  }
  ttb__store_rlx(&s->latency, ttb__tagged(gen, latency_ns));
  ttb__store_rlx(&s->average, ttb__tagged(gen, new));
}

/* What a report says besides the status. */
static inline void learn(ttb__health *t, uint32_t slot, const result *r, uint64_t latency_ns,
                         uint64_t before, uint64_t now) {
  if (r->reason != TTB_HEALTH_BY_FAILURES && latency_ns > 0)
    measure(t, &t->slots[slot], latency_ns, before, now);
  if (!r->failures && t->outliers && t->outlier.flags & TTB_HEALTH_EJECT_PROBED)
    (void)ttb__outlier_return(t, slot, now);
}

/* Any report. */
static TTB__SELDOM int32_t report(ttb__health *t, uint32_t slot, int32_t outcome,
                                  uint64_t latency_ns, uint64_t now) {
  ttb__health_slot *s = &t->slots[slot];
  uint64_t before;
  if (outcome == TTB_IGNORED || outcome == TTB_CANCELLED) {
    uint64_t w = ttb__load_rlx(&s->state);
    if (!ttb__target_enabled(w)) return late(t);
    if (outcome == TTB_CANCELLED) want(s, w, now);
    return TTB_OK;
  }
  bool failed = is_failure(outcome), said_slow = outcome == TTB_SLOW;
  result r = {.failures = failed || latency_ns >= t->fail_ns,
              .slow = said_slow || latency_ns >= t->degraded_ns,
              .slowish = said_slow || latency_ns >= t->recover_ns,
              .reason = failed ? TTB_HEALTH_BY_FAILURES : TTB_HEALTH_BY_LATENCY};
  int32_t code = apply(t, s, &r, now, &before);
  if (code >= 0) learn(t, slot, &r, latency_ns, before, now);
  return code;
}

/* The report that nearly all are: a quick pass of a healthy target that has as many
 * in a row as count. It changes nothing but the time. */
static inline bool goes_on(ttb__health *t, ttb__health_slot *s, uint64_t now,
                           uint64_t *ret_before) {
  uint64_t w = ttb__load_rlx(&s->state), age = (now - w) & TTB__TIME_MASK;
  if (((w ^ t->steady) & TTB__VERDICT_MASK) != 0 || age >= t->steady_ms) return false;
  *ret_before = w;
  return age == 0 || ttb__cas_rlx(&s->state, &w, (w & ~TTB__TIME_MASK) | (now & TTB__TIME_MASK));
}

int32_t ttb_health_report(ttb_health *h, uint32_t slot, int32_t outcome, uint64_t latency_ns,
                          uint64_t now_ns) {
  ttb__health *t = ttb__health_of(h);
  if (!t) return TTB_ERR_MISUSE;
  if (slot >= t->capacity || outcome < TTB_SUCCESS || outcome > TTB_SLOW_FAILURE)
    return TTB_ERR_RANGE;
  uint64_t now = ttb__clock_now(&t->region->clock, now_ns), before;
  if (outcome != TTB_SUCCESS || latency_ns >= t->quick_ns ||
      !goes_on(t, &t->slots[slot], now, &before))
    return report(t, slot, outcome, latency_ns, now);
  learn(t, slot, &(result){.failures = 0}, latency_ns, before, now);
  return TTB_OK;
}

/* One error more in the row: true when the row is full, which also ends it. */
static bool row_is_full(const ttb__health *t, ttb__health_slot *s, uint32_t gen) {
  uint64_t w = ttb__load_rlx(&s->errors), n;
  do {
    n = ttb__tagged_of(w, gen) + 1;
  } while (!ttb__cas_rlx(&s->errors, &w, ttb__tagged(gen, n < t->passive_errors ? n : 0)));
  return n >= t->passive_errors;
}

static void end_row(ttb__health_slot *s, uint32_t gen) {
  uint64_t w = ttb__load_rlx(&s->errors);
  while (ttb__tagged_of(w, gen) != 0)
    if (ttb__cas_rlx(&s->errors, &w, ttb__tagged(gen, 0))) return;
}

/* A full row of errors is a failed probe, or worse. */
static int32_t passive(ttb__health *t, ttb__health_slot *s, uint64_t w, int32_t outcome,
                       uint64_t now_ns) {
  uint32_t gen = ttb__target_gen(w);
  if (t->passive_errors == 0) return TTB_OK;
  if (outcome != TTB_FAILURE) {
    end_row(s, gen);
    return TTB_OK;
  }
  if (!row_is_full(t, s, gen)) return TTB_OK;
  uint64_t now = ttb__clock_now(&t->region->clock, now_ns), before;
  result r = {.failures = t->passive_failures,
              .reason = TTB_HEALTH_BY_TRAFFIC,
              .from_traffic = 1};
  int32_t code = apply(t, s, &r, now, &before);
  if (code >= 0) want(s, w, now); /* to know for sure */
  return code;
}

int32_t ttb_health_observe(ttb_health *h, uint32_t slot, int32_t outcome, uint64_t now_ns) {
  ttb__health *t = ttb__health_of(h);
  if (!t) return TTB_ERR_MISUSE;
  if (outcome == TTB_SLOW_FAILURE) outcome = TTB_FAILURE;
  bool aside = outcome == TTB_HEALTH_GATEWAY || outcome == TTB_HEALTH_LOCAL;
  if (slot >= t->capacity || ((outcome < TTB_SUCCESS || outcome > TTB_CANCELLED) && !aside))
    return TTB_ERR_RANGE;
  ttb__health_slot *s = &t->slots[slot];
  uint64_t w = ttb__load_rlx(&s->state);
  if (!ttb__target_enabled(w)) return late(t);
  if (outcome >= TTB_IGNORED && !aside) return TTB_OK;
  bool ejected =
      t->outliers && ttb__outlier_note(t, slot, ttb__target_gen(w), outcome, now_ns);
  int32_t code = passive(t, s, w, aside ? TTB_FAILURE : outcome, now_ns);
  return code == TTB_OK && ejected ? TTB_HEALTH_EJECTED : code;
}

int32_t ttb_health_ejected(const ttb_health *h, uint32_t slot) {
  const ttb__health *t = ttb__health_of(h);
  if (!t) return TTB_ERR_MISUSE;
  if (slot >= t->capacity) return TTB_ERR_RANGE;
  return t->outliers && ttb__outlier_is_ejected(t, slot);
}

/* ---- by hand ---- */

static bool verdict_by_hand(const ttb__health *t, int32_t status, ttb__verdict *ret) {
  switch (status) {
  case TTB_STATUS_UNKNOWN: *ret = (ttb__verdict){TTB_STATUS_UNKNOWN, 0, 0}; return true;
  case TTB_STATUS_HEALTHY:
    *ret = (ttb__verdict){TTB_STATUS_HEALTHY, 0, t->thresholds.rise};
    return true;
  case TTB_STATUS_UNHEALTHY:
    *ret = (ttb__verdict){TTB_STATUS_UNHEALTHY, 1, t->thresholds.fall};
    return true;
  default: return false;
  }
}

int32_t ttb_health_set(ttb_health *h, uint32_t slot, int32_t status, uint64_t now_ns) {
  ttb__health *t = ttb__health_of(h);
  ttb__verdict v;
  if (!t) return TTB_ERR_MISUSE;
  if (slot >= t->capacity || !verdict_by_hand(t, status, &v)) return TTB_ERR_RANGE;
  ttb__health_slot *s = &t->slots[slot];
  uint64_t now = ttb__clock_now(&t->region->clock, now_ns), w = ttb__load_rlx(&s->state);
  uint32_t was;
  do {
    if (!ttb__target_enabled(w)) return late(t);
    was = ttb__health_level(t, w, now);
  } while (!ttb__cas_rlx(&s->state, &w, ttb__target(ttb__target_gen(w), 1, v, now)));
  if (v.level == was) return TTB_OK;
  return ttb__health_changed(t, s, ttb__target_gen(w), v.level, TTB_HEALTH_BY_HAND, now);
}

/* Generations have come round: what a slot's words say of one that had this number
 * before must not pass for the new one's. */
static void forget(ttb__health_slot *s) {
  ttb__a64 *words[] = {&s->ask, &s->latency, &s->average, &s->errors, &s->changes};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) ttb__store_rlx(words[i], 0);
}

/* A new generation: every other word of the slot reads as empty from here on. */
static int32_t begin(ttb_health *h, uint32_t slot, bool enabled, uint64_t now_ns) {
  ttb__health *t = ttb__health_of(h);
  if (!t) return TTB_ERR_MISUSE;
  if (slot >= t->capacity) return TTB_ERR_RANGE;
  ttb__health_slot *s = &t->slots[slot];
  ttb__verdict v = enabled ? t->start : (ttb__verdict){TTB_STATUS_UNKNOWN, 0, 0};
  uint64_t now = ttb__clock_now(&t->region->clock, now_ns), w = ttb__load_rlx(&s->state), next;
  uint32_t epoch = t->outliers ? ttb__room_epoch(t) : 0;
  do {
    next = ttb__target(ttb__target_gen(w) + 1, enabled, v, now);
  } while (!ttb__cas_rlx(&s->state, &w, next));
  if (ttb__target_gen(next) == 0) forget(s);
  ttb__store_rlx(&s->since,
                 ttb__since(ttb__target_gen(next), v.level, TTB_HEALTH_BY_NOTHING, now));
  if (v.row > 0) want(s, next, now); /* without a history it is due anyhow */
  if (t->outliers) ttb__outlier_begin(t, slot, w, next, epoch);
  return TTB_OK;
}

int32_t ttb_health_enable(ttb_health *h, uint32_t slot, uint64_t now_ns) {
  return begin(h, slot, true, now_ns);
}

int32_t ttb_health_disable(ttb_health *h, uint32_t slot, uint64_t now_ns) {
  return begin(h, slot, false, now_ns);
}
