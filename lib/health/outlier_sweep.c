/* SPDX-License-Identifier: MIT */
/* The sweep over all targets, once an interval.
 *
 * The order of its parts is Envoy's (onIntervalTimer): targets whose time is
 * over come back first, then the tests judge those that were in use, then the
 * times of those that behave fall by one (only once an interval has passed since
 * the return; so one that is ejected again by its rate gets the longer time). In
 * gRPC (A50) they come back last and their times fall at once; the one who comes
 * back is judged next time all the same, for it has no calls. The cost is a few
 * looks at each target, whatever is ejected.
 *
 * I1  One caller sweeps: the one whose compare-and-swap moves `swept` on. */
#include "health.h"

/* Whether this caller is the one to sweep now. */
static bool is_mine(ttb__health *t, uint64_t now) {
  uint64_t w = ttb__load_rlx(&t->ejections->swept), gap = now - w;
  if (w != 0 && (gap < t->outlier.interval_ms || 0 - gap <= TTB__ASLEEP_MS)) return false;
  return ttb__cas_rlx(&t->ejections->swept, &w, now);
}

/* What there is of this interval becomes what there was of the last. */
static void take_counts(ttb__outlier_slot *s, bool in_use) {
  uint64_t w = ttb__load_rlx(&s->counts);
  while (w != 0 && !ttb__cas_rlx(&s->counts, &w, 0)) continue;
  ttb__store_rlx(&s->last, (w & ~TTB__OUTLIER_JUDGED) | (in_use ? TTB__OUTLIER_JUDGED : 0));
}

static uint64_t length_of(const ttb__health *t, uint32_t slot, uint64_t w, uint32_t gen) {
  uint64_t ms = ttb__outlier_length(&t->outlier, ttb__eject_times(w, gen));
  uint64_t random = (t->seed + w + slot) * UINT64_C(0x9e3779b97f4a7c15);
  if (t->outlier.jitter_ms == 0) return ms;
  return ms + ttb__outlier_jitter((random ^ random >> 29) >> 8, t->outlier.jitter_ms);
}

uint64_t ttb__outlier_left(const ttb__health *t, uint32_t slot, uint64_t now) {
  uint64_t w = ttb__load_rlx(&t->outliers[slot].eject);
  uint32_t gen = ttb__target_gen(ttb__load_rlx(&t->slots[slot].state));
  uint64_t length = length_of(t, slot, w, gen), age = ttb__ms_since(w, now);
  return ttb__outlier_is_ejected(t, slot) && age < length ? length - age : 0;
}

/* Back, if its time is over. */
static void end_of_time(ttb__health *t, uint32_t slot, uint32_t gen, uint64_t now) {
  uint64_t w = ttb__load_rlx(&t->outliers[slot].eject), age = ttb__ms_since(w, now);
  if (!ttb__eject_is(w, gen)) return;
  uint64_t length = length_of(t, slot, w, gen);
  if (t->outlier.profile == TTB_HEALTH_EJECT_GRPC ? age > length : age >= length)
    (void)ttb__outlier_return(t, slot, now);
}

/* Its times, down by one if it behaves. */
static void forget_one(ttb__health *t, uint32_t slot, uint32_t gen, uint64_t now) {
  ttb__a64 *word = &t->outliers[slot].eject;
  uint64_t w = ttb__load_rlx(word);
  uint32_t times = ttb__eject_times(w, gen);
  if (times == 0 || ttb__eject_is(w, gen)) return;
  if (t->outlier.profile == TTB_HEALTH_EJECT_GRPC ||
      ttb__ms_since(w, now) >= t->outlier.interval_ms)
    (void)ttb__cas_rlx(word, &w, ttb__eject(gen, false, times - 1, w));
}

/* More are ejected than may be, for targets left the table: the first ones come
 * back. */
static void return_surplus(ttb__health *t, uint64_t now) {
  if (ttb__room_is_kept(t)) return;
  ttb__outlier_tally n = ttb__outlier_count(t);
  for (uint32_t i = 0; i < t->capacity && n.ejected > 0; i++) {
    if (ttb__outlier_allowed(&t->outlier, n)) return;
    if (ttb__outlier_is_ejected(t, i) && ttb__outlier_return(t, i, now)) n.ejected--;
  }
}

bool ttb__outlier_rate_of(const ttb__health *t, uint32_t slot, bool local, uint32_t least_calls,
                          ttb__outlier_rate *ret) {
  uint64_t w = ttb__load_rlx(&t->outliers[slot].last);
  uint32_t calls = ttb__outlier_calls(w), aside = ttb__outlier_local(w);
  if ((w & TTB__OUTLIER_JUDGED) == 0) return false;
  if (!local) calls = calls > aside ? calls - aside : 0;
  if (calls < least_calls || calls == 0) return false;
  uint32_t failures = local ? aside : ttb__outlier_failures(w);
  *ret = (ttb__outlier_rate){calls, failures < calls ? failures : calls};
  return true;
}

static void judge(ttb__health *t, bool local, uint64_t now) {
  if (t->outlier.profile == TTB_HEALTH_EJECT_ROBUST) {
    ttb__outlier_robust(t, local, now);
  } else {
    ttb__outlier_success_rate(t, local, now);
    ttb__outlier_failure_percentage(t, local, now);
  }
}

void ttb__outlier_sweep(ttb__health *t, uint64_t now) {
  bool grpc = t->outlier.profile == TTB_HEALTH_EJECT_GRPC;
  if (!is_mine(t, now)) return;
  (void)ttb__add_rlx(&t->ejections->sweeps, 1);
  for (uint32_t i = 0; i < t->capacity; i++) {
    uint64_t w = ttb__load_rlx(&t->slots[i].state);
    bool enabled = ttb__target_enabled(w);
    if (enabled && !grpc) end_of_time(t, i, ttb__target_gen(w), now);
    take_counts(&t->outliers[i], enabled && !ttb__outlier_is_ejected(t, i));
  }
  ttb__room_count(t);
  judge(t, false, now);
  if (t->outlier.flags & TTB_HEALTH_EJECT_SPLIT) judge(t, true, now);
  for (uint32_t i = 0; i < t->capacity; i++) {
    if (ttb__eject_is_empty(ttb__load_rlx(&t->outliers[i].eject))) continue; /* nearly all */
    uint64_t w = ttb__load_rlx(&t->slots[i].state);
    if (!ttb__target_enabled(w)) continue;
    forget_one(t, i, ttb__target_gen(w), now);
    if (grpc) end_of_time(t, i, ttb__target_gen(w), now);
  }
  return_surplus(t, now);
}
