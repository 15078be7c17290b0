/* SPDX-License-Identifier: MIT */
/* From breaker and health to causes and weights, and the tick that does it for
 * all.
 *
 * I1  Everything here is a function of the truth elsewhere: doing it twice, by
 *     two processes, or after a kill in the middle, comes to the same.
 * I2  Of causes only the breaker's, the probes' and the outliers' bits are
 *     touched. */
#include "pool.h"

bool ttb__pool_breaker_says_no(const ttb__pool *p, uint32_t slot, uint64_t now_ns) {
  if (p->probing == TTB_POOL_PROBE_TRAFFIC)
    return ttb_breaker_peek(&p->breaker, slot, now_ns) != TTB_OK;
  const ttb__breaker *b = ttb__breaker_of(&p->breaker);
  uint32_t kind = ttb__state_kind(ttb__load_rlx(&ttb__breaker_slot_at(b, slot)->state));
  return kind != TTB_BREAKER_CLOSED && kind != TTB_BREAKER_DISABLED;
}

bool ttb__pool_mark(ttb__pool *p, uint32_t slot, uint32_t causes, bool on, uint64_t now_ns) {
  if (ttb_balancer_mark(&p->balancer, slot, causes, on) <= 0) return false;
  ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
  if (ttb_balancer_inspect(&p->balancer, slot, &i) == TTB_OK)
    ttb__pool_event(p, TTB_POOL_CAUSES, slot, i.id, i.causes, now_ns);
  return true;
}

void ttb__pool_derive_breaker(ttb__pool *p, uint32_t slot, uint64_t now_ns) {
  (void)ttb__pool_mark(p, slot, TTB_CAUSE_BREAKER, ttb__pool_breaker_says_no(p, slot, now_ns),
                       now_ns);
}

/* ---- weights ---- */

#define OFF (UINT64_C(1) << 43) /* the caller has set 0; the weight is the former one */

static uint64_t wish_of(const ttb_balancer_info *i, uint32_t weight, bool off) {
  return (uint64_t)i->generation << 44 | (off ? OFF : 0) | weight;
}
static uint32_t weight_of(uint64_t wish) {
  uint64_t weight = wish & (OFF - 1);
  return weight <= TTB_POOL_MAX_WEIGHT ? (uint32_t)weight : 0;
}

/* The wish kept for i, or if there is none (its adder was killed before it kept
 * it) what the balancer's word says. */
static uint64_t wish_for(const ttb_balancer_info *i, uint64_t kept) {
  if (kept >> 44 == i->generation && weight_of(kept) > 0) return kept;
  uint32_t weight = i->weight / TTB__POOL_UNIT;
  if (weight > TTB_POOL_MAX_WEIGHT) weight = TTB_POOL_MAX_WEIGHT; /* a neighbour's nonsense */
  return wish_of(i, weight > 0 ? weight : 1, (i->causes & TTB_CAUSE_WEIGHT) != 0);
}

uint32_t ttb__pool_weight(const ttb__pool *p, const ttb_balancer_info *i) {
  return weight_of(wish_for(i, ttb__load_rlx(&p->weights[i->slot])));
}

void ttb__pool_keep_weight(ttb__pool *p, const ttb_balancer_info *i, uint32_t weight) {
  uint32_t kept = weight > 0 ? weight : ttb__pool_weight(p, i);
  ttb__store_rlx(&p->weights[i->slot], wish_of(i, kept, weight == 0));
}

uint32_t ttb__pool_weight_now(const ttb__pool *p, uint32_t weight, int32_t status) {
  uint64_t full = (uint64_t)weight * TTB__POOL_UNIT;
  if (status != TTB_STATUS_DEGRADED || p->degraded_weight_ppm < 0) return (uint32_t)full;
  uint64_t less = full * (uint64_t)p->degraded_weight_ppm / 1000000;
  return less > 0 ? (uint32_t)less : 1;
}

static bool derive_weight(ttb__pool *p, const ttb_balancer_info *i, int32_t status) {
  uint64_t kept = ttb__load_rlx(&p->weights[i->slot]), wish = wish_for(i, kept);
  /* Kept from here on: else a degraded one's lesser weight would be the next
   * tick's full one. */
  if (wish != kept) (void)ttb__cas_rlx(&p->weights[i->slot], &kept, wish);
  bool off = (wish & OFF) != 0, is_off = (i->causes & TTB_CAUSE_WEIGHT) != 0;
  uint32_t now = off ? 0 : ttb__pool_weight_now(p, weight_of(wish), status);
  if (off == is_off && (off || now == i->weight)) return false;
  /* TTB_AGAIN: another writer is at work; the next tick tries again. */
  return ttb_balancer_set_weight(&p->balancer, i->id, now) == TTB_OK;
}

/* ---- outliers ---- */

/* Ejections are found and ended by reports and by sweeps alike, in any process:
 * whoever's mark shows it in the balancer tells of it. */
static bool derive_outlier(ttb__pool *p, uint32_t slot, uint32_t causes, uint64_t now_ns) {
  bool ejected = ttb_health_ejected(&p->health, slot) > 0;
  if (ejected == ((causes & TTB_CAUSE_OUTLIER) != 0)) return false;
  if (!ttb__pool_mark(p, slot, TTB_CAUSE_OUTLIER, ejected, now_ns)) return false;
  ttb__pool_event_of(p, ejected ? TTB_POOL_EJECTED : TTB_POOL_READMITTED, slot,
                     TTB_HEALTH_EJECTED, now_ns);
  return true;
}

/* ---- a slot, all slots ---- */

/* The health target of a slot exists just as long as its endpoint (I1 of pool.h). */
static bool is_target(const ttb__pool *p, uint32_t slot) {
  const ttb__health *t = ttb__health_of(&p->health);
  return ttb__target_enabled(ttb__load_rlx(&t->slots[slot].state));
}

static int32_t status_of(ttb__pool *p, uint32_t slot, uint64_t now_ns) {
  if (!is_target(p, slot)) (void)ttb_health_enable(&p->health, slot, now_ns);
  return ttb_health_status(&p->health, slot, now_ns);
}

int32_t ttb__pool_derive(ttb__pool *p, uint32_t slot, uint64_t now_ns) {
  ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
  bool probed = is_target(p, slot); /* looked at first: add does it last */
  if (ttb_balancer_inspect(&p->balancer, slot, &i) < 0) {
    if (probed) (void)ttb_health_disable(&p->health, slot, now_ns);
    return 0;
  }
  int32_t status = status_of(p, slot, now_ns);
  uint32_t want = 0, own = TTB_CAUSE_BREAKER | TTB_CAUSE_PROBE;
  if (ttb__pool_breaker_says_no(p, slot, now_ns)) want |= TTB_CAUSE_BREAKER;
  if (status == TTB_STATUS_UNHEALTHY) want |= TTB_CAUSE_PROBE;
  bool changed = false;
  if (want & ~i.causes)
    changed |= ttb__pool_mark(p, slot, want & ~i.causes, true, now_ns);
  if (i.causes & own & ~want)
    changed |= ttb__pool_mark(p, slot, i.causes & own & ~want, false, now_ns);
  changed |= derive_outlier(p, slot, i.causes, now_ns);
  changed |= derive_weight(p, &i, status);
  return changed;
}

int32_t ttb_pool_tick(ttb_pool *h, uint64_t now_ns) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p) return TTB_ERR_MISUSE;
  uint32_t stale[1024]; /* each turn looks from the first slot on: few turns */
  int32_t n;
  /* The breakers' clock too: while all of them refuse, nobody else would tell
   * it that there is a new one, and deriving only looks. */
  (void)ttb__clock_now(&ttb__breaker_of(&p->breaker)->region->clock, now_ns);
  do {
    n = ttb_health_tick(&p->health, now_ns, stale, 1024);
    for (int32_t i = 0; i < n; i++)
      ttb__pool_event_of(p, TTB_POOL_STATUS, stale[i], TTB_STATUS_STALE, now_ns);
  } while (n == 1024);
  ttb__pool_limits_tell(p, now_ns);
  int32_t changed = 0;
  for (uint32_t slot = 0; slot < p->capacity; slot++)
    changed += ttb__pool_derive(p, slot, now_ns);
  return changed;
}

/* ---- probes ---- */

int32_t ttb_pool_probe_due(ttb_pool *h, uint64_t now_ns, uint32_t *ret_slots, uint32_t n) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p) return TTB_ERR_MISUSE;
  return ttb_health_due(&p->health, now_ns, ret_slots, n);
}

/* A probe of a breaker that waits for one. */
static void probe_breaker(ttb__pool *p, uint32_t slot, int32_t outcome, uint64_t now_ns) {
  if (p->probing != TTB_POOL_PROBE_ACTIVE) return; /* there ordinary calls decide */
  const ttb__breaker *b = ttb__breaker_of(&p->breaker);
  uint32_t kind = ttb__state_kind(ttb__load_rlx(&ttb__breaker_slot_at(b, slot)->state));
  if (kind != TTB_BREAKER_OPEN && kind != TTB_BREAKER_HALF_OPEN) return;
  int64_t t = ttb_breaker_acquire(&p->breaker, slot, now_ns);
  if (t < 0) return; /* its open time is not over */
  int32_t what = ttb_breaker_report(&p->breaker, t, outcome, now_ns);
  bool passed = outcome == TTB_SUCCESS || outcome == TTB_SLOW;
  ttb__pool_event_of(p, TTB_POOL_PROBED, slot, passed, now_ns);
  ttb__pool_breaker_moved(p, slot, what, now_ns);
}

int32_t ttb_pool_probe_result(ttb_pool *h, uint32_t slot, int32_t outcome, uint64_t latency_ns,
                              uint64_t now_ns) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p) return TTB_ERR_MISUSE;
  int32_t status = ttb_health_report(&p->health, slot, outcome, latency_ns, now_ns);
  if (status < 0) return status;
  if (status > 0) ttb__pool_event_of(p, TTB_POOL_STATUS, slot, status, now_ns);
  probe_breaker(p, slot, outcome, now_ns);
  (void)ttb__pool_derive(p, slot, now_ns);
  return status;
}
