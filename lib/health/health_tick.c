/* SPDX-License-Identifier: MIT */
/* Staleness, and the guard against taking our own sleep for everybody's death.
 *
 * If ticks were further apart than max_pause_ms, then the process (or the whole
 * machine) stood still: nobody could report. For that round and max_pause_ms
 * more no target becomes stale, so that probers get their turn first. After
 * Cassandra's guard of its failure detector (cassandra.max_local_pause_in_ms).
 *
 *     ticked = last tick 32 | held until 32, both virtual ms modulo 2^32
 *
 * I1  Both halves change by one CAS, so no other ticker sees the new tick
 *     without the hold it brings.
 * I2  The guard is bounded: once held, it holds again only after a tick that
 *     came in time and found the hold over. A ticker that is always late
 *     delays staleness once, by max_pause_ms.
 * I3  2^32 ms exceed what the clock may skip; after a longer silence of all
 *     ticks a pause may go unnoticed, or an old hold count once more. */
#include "health.h"

static uint64_t tick_word(uint64_t last, uint64_t held_until) {
  return (uint64_t)(uint32_t)last << 32 | (uint32_t)held_until;
}

static bool is_held(const ttb__health *t, uint64_t word, uint64_t now) {
  uint32_t until = (uint32_t)word, left = until - (uint32_t)now;
  return until != 0 && left != 0 && left <= t->max_pause_ms;
}

bool ttb__health_held(const ttb__health *t, uint64_t now) {
  return is_held(t, ttb__load_rlx(&t->table->ticked), now);
}

/* Notes this tick; true if staleness is held back in it. */
static bool note_tick(ttb__health *t, uint64_t now) {
  uint64_t w = ttb__load_rlx(&t->table->ticked), next;
  bool pause;
  if (t->max_pause_ms == 0) return false;
  do {
    uint32_t last = (uint32_t)(w >> 32), gap = (uint32_t)now - last, held_until = (uint32_t)w;
    if (0 - gap <= TTB__ASLEEP_MS && gap != 0) return is_held(t, w, now); /* another was ahead */
    pause = last != 0 && gap > t->max_pause_ms && held_until == 0;
    if (pause) {
      held_until = (uint32_t)now + t->max_pause_ms;
      if (held_until == 0) held_until = 1;
    } else if (gap <= t->max_pause_ms && !is_held(t, w, now)) {
      held_until = 0;
    }
    next = tick_word(now, held_until);
  } while (next != w && !ttb__cas_rlx(&t->table->ticked, &w, next));
  if (pause) ttb__add_rlx(&t->table->pauses, 1);
  return is_held(t, next, now);
}

/* True for the caller that made it stale. */
static bool make_stale(ttb__health *t, ttb__health_slot *s, uint64_t now) {
  uint64_t w = ttb__load_rlx(&s->state);
  ttb__verdict v = ttb__target_verdict(w);
  if (v.level == TTB_STATUS_UNKNOWN || v.level == TTB_STATUS_STALE) return false;
  if (!ttb__health_silent(t, w, now)) return false;
  v.level = TTB_STATUS_STALE;
  if (!ttb__cas_rlx(&s->state, &w, ttb__target(ttb__target_gen(w), 1, v, w))) return false;
  (void)ttb__health_changed(t, s, ttb__target_gen(w), v.level, TTB_HEALTH_BY_SILENCE, now);
  return true;
}

int32_t ttb_health_tick(ttb_health *h, uint64_t now_ns, uint32_t *ret_slots, uint32_t n) {
  ttb__health *t = ttb__health_of(h);
  if (!t || (!ret_slots && n > 0)) return TTB_ERR_MISUSE;
  uint64_t now = ttb__clock_now(&t->region->clock, now_ns);
  if (t->outliers) ttb__outlier_sweep(t, now);
  if (note_tick(t, now) || t->ttl_ms == 0) return 0;
  uint32_t found = 0;
  for (uint32_t i = 0; i < t->capacity && (!ret_slots || found < n); i++) {
    if (!make_stale(t, &t->slots[i], now)) continue;
    if (ret_slots) ret_slots[found] = i;
    found++;
  }
  return (int32_t)found;
}

int32_t ttb_health_status(const ttb_health *h, uint32_t slot, uint64_t now_ns) {
  const ttb__health *t = ttb__health_of(h);
  if (!t) return TTB_ERR_MISUSE;
  if (slot >= t->capacity) return TTB_ERR_RANGE;
  uint64_t w = ttb__load_rlx(&t->slots[slot].state);
  return (int32_t)ttb__health_level(t, w, ttb__health_look(t, now_ns));
}
