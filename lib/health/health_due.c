/* SPDX-License-Identifier: MIT */
/* Which targets should be probed now.
 *
 * The three intervals are HAProxy's (srv_getinter in src/server.c): inter while
 * all is well, fastinter while the status is about to change, downinter while
 * it stays down. Jitter only ever shortens one, so the worst time to detect a
 * failure is what the intervals say.
 *
 *     ask = generation 16 | wanted 1 | handed out 1 | unused 10 | time 36
 *
 * I1  When a probe is due follows from the last report in the state word; a
 *     report writes nothing for it. The jitter is drawn from seed, slot and the
 *     time of that report: every process comes to the same moment.
 * I2  A due target is handed out by the CAS that puts the time into `ask`: to
 *     one caller. It is leased while no report has come since, for lease_ms at
 *     the longest. So a prober that died holds up nothing.
 * I3  A `wanted` target is due at once, unless a report has come since; so is
 *     one that has no history. */
#include "health.h"

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014). */
static inline uint32_t draw(uint64_t x) {
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)(x >> 32);
}

static uint64_t at_least_0(uint64_t of, uint64_t less) { return of > less ? of - less : 0; }

/* ms until the interval after the last report is over. */
static inline uint64_t interval_left(const ttb__health *t, uint32_t slot, uint64_t w,
                                     uint64_t now) {
  int32_t pace = ttb__health_pace(ttb__target_verdict(w));
  uint64_t wait = t->interval_ms[pace - 1], spread = t->spread_ms[pace - 1];
  uint64_t age = ttb__ms_since(w, now);
  if (age >= wait) return 0;
  uint64_t at = w & TTB__TIME_MASK;
  uint64_t less = spread * draw(t->seed + at + slot * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
  return at_least_0(wait - less, age);
}

uint64_t ttb__health_due_in(const ttb__health *t, uint32_t slot, uint64_t w, uint64_t ask,
                            uint64_t now) {
  uint64_t after_report = (ask - w) & TTB__TIME_MASK, left = 0;
  bool ours = ttb__target_gen(ask) == ttb__target_gen(w) && after_report < TTB__TIME_MASK / 2;
  bool first = ttb__target_verdict(w).row == 0;
  if (ours && (ask & TTB__WANTED) != 0) return 0;
  if (ours && (ask & TTB__HANDED_OUT) != 0 && (after_report > 0 || first))
    left = at_least_0(t->lease_ms, ttb__ms_since(ask, now));
  if (left > 0 || first) return left; /* it was due when it was handed out */
  return interval_left(t, slot, w, now);
}

int32_t ttb_health_due(ttb_health *h, uint64_t now_ns, uint32_t *ret_slots, uint32_t n) {
  ttb__health *t = ttb__health_of(h);
  if (!t || n > INT32_MAX || (n > 0 && !ret_slots)) return TTB_ERR_MISUSE;
  uint64_t now = ttb__clock_now(&t->region->clock, now_ns);
  uint64_t cursor = ttb__load_rlx(&t->table->cursor);
  uint32_t slot = cursor < t->capacity ? (uint32_t)cursor : 0, found = 0;
  for (uint32_t looked = 0; looked < t->capacity && found < n; looked++) {
    ttb__health_slot *s = &t->slots[slot];
    uint64_t w = ttb__load_rlx(&s->state), ask = ttb__load_rlx(&s->ask);
    if (ttb__target_enabled(w) && ttb__health_due_in(t, slot, w, ask, now) == 0 &&
        ttb__cas_rlx(&s->ask, &ask, ttb__ask(ttb__target_gen(w), TTB__HANDED_OUT, now)))
      ret_slots[found++] = slot;
    if (++slot == t->capacity) slot = 0;
  }
  if (found > 0 && slot != cursor) ttb__store_rlx(&t->table->cursor, slot);
  return (int32_t)found;
}

int64_t ttb_health_next_due_ms(const ttb_health *h, uint64_t now_ns) {
  const ttb__health *t = ttb__health_of(h);
  if (!t) return TTB_ERR_MISUSE;
  uint64_t now = ttb__health_look(t, now_ns), least = INT64_MAX;
  for (uint32_t i = 0; i < t->capacity && least > 0; i++) {
    uint64_t w = ttb__load_rlx(&t->slots[i].state);
    if (!ttb__target_enabled(w)) continue;
    uint64_t left = ttb__health_due_in(t, i, w, ttb__load_rlx(&t->slots[i].ask), now);
    if (left < least) least = left;
  }
  return (int64_t)least;
}
