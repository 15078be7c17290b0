/* SPDX-License-Identifier: MIT */
/* Outliers as traffic is observed: counting, rows of errors, ejecting and giving
 * back. Rows, enforcing shares and ejection times are those of Envoy's outlier
 * detection (source/common/upstream/outlier_detection_impl.cc); the words and
 * I1..I4 are in outlier.h.
 *
 * All accesses are relaxed: the eject word decides alone; what orders it and the
 * number of the ejected stands in outlier_room.c. */
#include "outlier.h"

#include "../base/random.h"
#include "health.h"

static uint32_t or_0(int32_t x) { return x > 0 ? (uint32_t)x : 0; }

void ttb__outlier_open(ttb__outlier_params *ret, const ttb_health_config *c) {
  *ret = (ttb__outlier_params){
      .profile = or_0(c->eject),
      .flags = c->flags,
      .interval_ms = c->eject_interval_ms,
      .base_ms = c->eject_base_ms,
      .max_ms = c->eject_max_ms,
      .jitter_ms = or_0(c->eject_jitter_ms),
      .max_ppm = or_0(c->eject_max_ppm),
      .min_kept = or_0(c->eject_min_kept),
      .systemic_ppm = or_0(c->eject_systemic_ppm),
      .errors = or_0(c->eject_errors),
      .gateway = or_0(c->eject_gateway),
      .local = or_0(c->eject_local),
      .hosts = c->eject_hosts,
      .requests = c->eject_requests,
      .stdev_ppm = or_0(c->eject_stdev_ppm),
      .failure_ppm = or_0(c->eject_failure_ppm),
      .failure_hosts = c->eject_failure_hosts,
      .failure_requests = c->eject_failure_requests,
      .z_ppm = or_0(c->eject_z_ppm),
      .gap_ppm = or_0(c->eject_gap_ppm),
      .enforce_errors = or_0(c->enforce_errors_ppm),
      .enforce_gateway = or_0(c->enforce_gateway_ppm),
      .enforce_local = or_0(c->enforce_local_ppm),
      .enforce_rate = or_0(c->enforce_rate_ppm),
      .enforce_failure = or_0(c->enforce_failure_ppm),
  };
}

/* ---- ejecting ---- */

uint64_t ttb__outlier_length(const ttb__outlier_params *p, uint32_t times) {
  uint64_t ms = (uint64_t)p->base_ms * times;
  return ms < p->max_ms ? ms : p->max_ms;
}

static uint32_t next_times(const ttb__outlier_params *p, uint32_t times) {
  bool more = p->profile == TTB_HEALTH_EJECT_GRPC ||
              (uint64_t)times * p->base_ms < (uint64_t)p->max_ms + p->base_ms;
  return more && times < TTB__OUTLIER_TIMES ? times + 1 : times > 0 ? times : 1;
}

/* A place first, then the mark (outlier_room.c). */
static bool eject(ttb__health *t, uint32_t slot, uint32_t gen, uint64_t now) {
  ttb__a64 *word = &t->outliers[slot].eject;
  uint64_t before = ttb__load_rlx(word), mark;
  uint32_t epoch;
  if (ttb__eject_is(before, gen)) return false;
  bool room = ttb__room_take(t, &epoch);
  if (room) {
    do {
      if (ttb__eject_is(before, gen)) { /* by another, just now */
        ttb__room_give(t, epoch);
        return false;
      }
      mark = ttb__eject(gen, true, next_times(&t->outlier, ttb__eject_times(before, gen)), now);
    } while (!ttb__cas_rlx(word, &before, mark));
    room = ttb__room_keep(t, epoch);
    if (!room) (void)ttb__cas_rlx(word, &mark, before);
  }
  (void)ttb__add_rlx(room ? &t->ejections->enforced : &t->ejections->overflows, 1);
  return room;
}

bool ttb__outlier_detect(ttb__health *t, uint32_t slot, uint32_t gen, uint32_t enforce_ppm,
                         uint64_t now) {
  uint64_t state = t->seed + ((uint64_t)slot << 40);
  state = ttb__splitmix(&state) ^ ttb__add_rlx(&t->ejections->detected, 1);
  if (t->outlier.flags & TTB_HEALTH_EJECT_SHADOW) return false;
  if (ttb__scale32((uint32_t)(ttb__splitmix(&state) >> 32), 1000000) >= enforce_ppm) return false;
  return eject(t, slot, gen, now);
}

bool ttb__outlier_is_ejected(const ttb__health *t, uint32_t slot) {
  uint64_t w = ttb__load_rlx(&t->slots[slot].state);
  return ttb__target_enabled(w) &&
         ttb__eject_is(ttb__load_rlx(&t->outliers[slot].eject), ttb__target_gen(w));
}

bool ttb__outlier_return(ttb__health *t, uint32_t slot, uint64_t now) {
  ttb__outlier_slot *s = &t->outliers[slot];
  uint64_t w = ttb__load_rlx(&s->eject);
  uint32_t gen = ttb__target_gen(ttb__load_rlx(&t->slots[slot].state));
  if (!ttb__eject_is(w, gen)) return false;
  uint32_t epoch = ttb__room_epoch(t);
  if (!ttb__cas_rlx(&s->eject, &w, ttb__eject(gen, false, ttb__eject_times(w, gen), now)))
    return false;
  ttb__room_give(t, epoch);
  ttb__store_rlx(&s->rows, (uint64_t)gen << 48); /* it starts afresh, but for the times */
  return true;
}

void ttb__outlier_begin(ttb__health *t, uint32_t slot, uint64_t before, uint64_t after,
                        uint32_t epoch) {
  ttb__outlier_slot *s = &t->outliers[slot];
  bool was = ttb__target_enabled(before), is = ttb__target_enabled(after);
  uint64_t w = ttb__load_rlx(&s->eject);
  if (is && !was) ttb__room_enabled(t, epoch);
  if (was && !is) ttb__room_disabled(t);
  while (w != 0 && w >> 48 != ttb__target_gen(after)) {
    bool marked = was && ttb__eject_is(w, ttb__target_gen(before));
    if (!ttb__cas_rlx(&s->eject, &w, 0)) continue;
    if (marked) ttb__room_give(t, epoch);
    break;
  }
  ttb__store_rlx(&s->counts, 0);
  ttb__store_rlx(&s->last, 0);
  ttb__store_rlx(&s->rows, 0);
}

/* ---- observing ---- */

/* Rows of equal failures, 16 bits each; one that is full starts anew. */
typedef struct rows {
  uint32_t errors, gateway, local;
} rows;

static bool one_more(uint32_t *row, uint32_t full) {
  if (full == 0 || ++*row < full) return false;
  *row = 0;
  return true;
}

/* What an outcome makes of the rows; ret_full says which are full by it. */
static rows advance(const ttb__outlier_params *p, rows r, int32_t outcome, bool ret_full[3]) {
  bool split = (p->flags & TTB_HEALTH_EJECT_SPLIT) != 0;
  bool local = outcome == TTB_HEALTH_LOCAL;
  ret_full[0] = ret_full[1] = ret_full[2] = false;
  if (outcome < TTB_HEALTH_GATEWAY && outcome != TTB_FAILURE) return (rows){0, 0, 0};
  if (local && split) {
    ret_full[2] = one_more(&r.local, p->local);
    return r;
  }
  r.local = 0;
  ret_full[0] = one_more(&r.errors, p->errors);
  if (outcome == TTB_FAILURE) r.gateway = 0;
  else ret_full[1] = one_more(&r.gateway, p->gateway);
  return r;
}

static void count_call(const ttb__outlier_params *p, ttb__outlier_slot *s, int32_t outcome) {
  uint64_t one = UINT64_C(1) << 2 * TTB__OUTLIER_FIELD;
  bool local = outcome == TTB_HEALTH_LOCAL && (p->flags & TTB_HEALTH_EJECT_SPLIT) != 0;
  if (local) one |= 1;
  else if (outcome == TTB_FAILURE || outcome >= TTB_HEALTH_GATEWAY)
    one |= UINT64_C(1) << TTB__OUTLIER_FIELD;
  if (ttb__outlier_calls(ttb__load_rlx(&s->counts)) < TTB__OUTLIER_FULL)
    (void)ttb__add_rlx(&s->counts, one);
}

bool ttb__outlier_note(ttb__health *t, uint32_t slot, uint32_t gen, int32_t outcome,
                       uint64_t now_ns) {
  const ttb__outlier_params *p = &t->outlier;
  ttb__outlier_slot *s = &t->outliers[slot];
  bool full[3];
  count_call(p, s, outcome);
  uint64_t w = ttb__load_rlx(&s->rows), next;
  do {
    uint64_t own = w >> 48 == gen ? w : 0;
    rows r = {(uint32_t)(own >> 32) & 0xffff, (uint32_t)(own >> 16) & 0xffff,
              (uint32_t)own & 0xffff};
    r = advance(p, r, outcome, full);
    next = (uint64_t)gen << 48 | (uint64_t)(r.errors & 0xffff) << 32 |
           (uint64_t)(r.gateway & 0xffff) << 16 | (r.local & 0xffff);
  } while (next != w && !ttb__cas_rlx(&s->rows, &w, next));
  if (!full[0] && !full[1] && !full[2]) return false;
  if (ttb__eject_is(ttb__load_rlx(&s->eject), gen)) return false; /* a call that was still out */
  uint64_t now = ttb__clock_now(&t->region->clock, now_ns);
  bool ejected = full[0] && ttb__outlier_detect(t, slot, gen, p->enforce_errors, now);
  ejected |= full[1] && ttb__outlier_detect(t, slot, gen, p->enforce_gateway, now);
  ejected |= full[2] && ttb__outlier_detect(t, slot, gen, p->enforce_local, now);
  return ejected;
}
