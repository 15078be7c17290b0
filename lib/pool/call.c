/* SPDX-License-Identifier: MIT */
/* The way of a call through a pool: acquire and report.
 *
 * I1  What the balancer picked, the breaker must agree to; a pick it refuses is
 *     given back, its cause is set, and another is made. Since the cause keeps
 *     the next pick away from it, the loop is short; it is bounded anyway.
 * I2  A report ends the call in flight before anything else. */
#include "pool.h"

#include <string.h>

#define TRIES 16
#define PROBE 0x4000u

/* ---- tickets ---- */

static int64_t ticket_of(int64_t balancers, int64_t breakers) {
  ttb__ticket t = ttb__ticket_unpack(balancers), b = ttb__ticket_unpack(breakers);
  uint32_t permit = b.gen & (PROBE - 1);
  if (b.permit != 0) permit = PROBE | ttb__permit_nonce(b.permit) << 5 | ttb__permit_index(b.permit);
  return ttb__ticket_pack(t.slot, t.gen, t.row, permit);
}

/* The breaker's ticket in a pool's, or TTB_STALE if its generation is over. */
static int64_t breakers_ticket(const ttb__pool *p, ttb__ticket t) {
  const ttb__breaker *b = ttb__breaker_of(&p->breaker);
  uint32_t gen = ttb__word_gen(ttb__load_rlx(&ttb__breaker_slot_at(b, t.slot)->state));
  if (t.permit & PROBE)
    return ttb__ticket_pack(t.slot, gen, t.row, ttb__permit(t.permit & 31, t.permit >> 5 & 0x1ff));
  if ((gen & (PROBE - 1)) != t.permit) return TTB_STALE;
  return ttb__ticket_pack(t.slot, gen, t.row, 0);
}

int32_t ttb_pool_is_probe(int64_t ticket) {
  if (ticket < 0) return TTB_ERR_MISUSE;
  return (ttb__ticket_unpack(ticket).permit & PROBE) != 0;
}

/* ---- acquire ---- */

/* The breaker's consent to a call on slot: its ticket; a refusal; TTB_AGAIN if it
 * would have been a probe and this call shall not be one. */
static int64_t consent(ttb__pool *p, uint32_t slot, bool ordinary, uint64_t now_ns) {
  int64_t b = ttb_breaker_acquire(&p->breaker, slot, now_ns);
  if (b < 0 || ttb__ticket_unpack(b).permit == 0) return b;
  bool active = p->probing == TTB_POOL_PROBE_ACTIVE;
  if (active || ordinary) {
    (void)ttb_breaker_report(&p->breaker, b, TTB_CANCELLED, now_ns);
    return active ? TTB_HALF_OPEN_FULL : TTB_AGAIN;
  }
  ttb__pool_derive_breaker(p, slot, now_ns); /* perhaps that was the last probe */
  ttb__pool_event_of(p, TTB_POOL_PROBED, slot, 0, now_ns);
  return b;
}

/* After a refusal b of what the balancer gave, t. Who only takes probes now, or
 * takes its calls back by and by, is left out of this call alone; who is open is
 * marked. */
TTB__SELDOM static int64_t pick_again(ttb__pool *p, uint64_t hash, const uint32_t *excluded,
                                      uint32_t n, bool ordinary, int64_t t, int64_t b,
                                      uint64_t now_ns) {
  uint32_t own[TTB__POOL_EXCLUDED + TRIES], n_own = n;
  bool ramps = false;
  if (n > 0) memcpy(own, excluded, n * sizeof *own);
  for (int i = 0; i < TRIES; i++) {
    uint32_t slot = ttb__ticket_unpack(t).slot;
    ttb__add_rlx(&p->table->refused, 1);
    ramps |= b == TTB_THROTTLED;
    if (b == TTB_AGAIN || b == TTB_THROTTLED)
      own[n_own++] = slot;
    else
      (void)ttb__pool_mark(p, slot, TTB_CAUSE_BREAKER, 1, now_ns);
    (void)ttb_balancer_report(&p->balancer, t, TTB_CANCELLED, 0, now_ns);
    t = ttb_balancer_acquire_except(&p->balancer, hash, own, n_own, now_ns);
    if (t < 0) break;
    b = consent(p, ttb__ticket_unpack(t).slot, ordinary, now_ns);
    if (b >= 0) return ticket_of(t, b);
  }
  if (t >= 0) (void)ttb_balancer_report(&p->balancer, t, TTB_CANCELLED, 0, now_ns);
  if (ramps) return TTB_THROTTLED;
  return t == TTB_ALL_EXCLUDED && n > 0 ? t : TTB_NO_ENDPOINT;
}

int64_t ttb__pool_pick(ttb__pool *p, uint64_t hash, const uint32_t *excluded, uint32_t n,
                       bool ordinary, uint64_t now_ns) {
  int64_t t = n == 0 ? ttb_balancer_acquire(&p->balancer, hash, now_ns)
                     : ttb_balancer_acquire_except(&p->balancer, hash, excluded, n, now_ns);
  if (t < 0) return t;
  int64_t b = consent(p, ttb__ticket_unpack(t).slot, ordinary, now_ns);
  if (b >= 0) return ticket_of(t, b);
  return pick_again(p, hash, excluded, n, ordinary, t, b, now_ns);
}

static int64_t acquire(ttb_pool *h, uint64_t hash, const uint32_t *excluded, uint32_t n,
                       bool ordinary, uint64_t now_ns) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p || (n > 0 && !excluded)) return TTB_ERR_MISUSE;
  if (n > TTB__POOL_EXCLUDED) return TTB_ERR_RANGE;
  if (p->n_limits > 0) return TTB_ERR_UNSUPPORTED; /* a ticket cannot say what it holds */
  return ttb__pool_pick(p, hash, excluded, n, ordinary, now_ns);
}

int64_t ttb_pool_acquire_except(ttb_pool *h, uint64_t hash, const uint32_t *excluded_slots,
                                uint32_t n, uint64_t now_ns) {
  return acquire(h, hash, excluded_slots, n, false, now_ns);
}

int64_t ttb_pool_acquire_ordinary(ttb_pool *h, uint64_t hash, const uint32_t *excluded_slots,
                                  uint32_t n, uint64_t now_ns) {
  return acquire(h, hash, excluded_slots, n, true, now_ns);
}

int64_t ttb_pool_acquire(ttb_pool *h, uint64_t hash, uint64_t now_ns) {
  return acquire(h, hash, NULL, 0, false, now_ns);
}

int32_t ttb_pool_acquire_n(ttb_pool *h, const uint64_t *hashes, uint32_t n, uint64_t now_ns,
                           int64_t *ret_tickets) {
  if (!ttb__pool_joined(h) || n > INT32_MAX || (n > 0 && !ret_tickets)) return TTB_ERR_MISUSE;
  int32_t granted = 0;
  for (uint32_t i = 0; i < n; i++) {
    ret_tickets[i] = ttb_pool_acquire(h, hashes ? hashes[i] : 0, now_ns);
    granted += ret_tickets[i] >= 0;
  }
  return granted;
}

/* ---- report ---- */

void ttb__pool_breaker_moved(ttb__pool *p, uint32_t slot, int32_t what, uint64_t now_ns) {
  if (what <= 0) return;
  ttb__pool_derive_breaker(p, slot, now_ns);
  if (what == TTB_BREAKER_RECLOSED)
    ttb__pool_event_of(p, TTB_POOL_READMITTED, slot, 0, now_ns);
  else
    ttb__pool_event_of(p, TTB_POOL_EJECTED, slot, what, now_ns);
}

int32_t ttb_pool_report(ttb_pool *h, int64_t ticket, int32_t outcome, uint64_t latency_ns,
                        uint64_t now_ns) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p || ticket < 0) return TTB_ERR_MISUSE;
  ttb__ticket t = ttb__ticket_unpack(ticket);
  if (t.slot >= p->capacity) return TTB_ERR_RANGE;
  uint32_t permit = ttb__balancer_permit(ttb__balancer_of(&p->balancer), t.row);
  int64_t balancers = ttb__ticket_pack(t.slot, t.gen, t.row, permit);
  int32_t code = ttb_balancer_report(&p->balancer, balancers, outcome, latency_ns, now_ns);
  if (code < 0) return code;

  int64_t breakers = breakers_ticket(p, t);
  if (breakers >= 0) {
    int32_t what =
        ttb_breaker_report_timed(&p->breaker, breakers, outcome, latency_ns, now_ns);
    ttb__pool_breaker_moved(p, t.slot, what, now_ns);
    /* A probe that ended without a verdict makes room for another. */
    if (what == TTB_OK && t.permit & PROBE) ttb__pool_derive_breaker(p, t.slot, now_ns);
  }
  if (ttb__pool_observes(p)) {
    int32_t what = ttb_health_observe(&p->health, t.slot, outcome, now_ns);
    if (what > 0) {
      if (what != TTB_HEALTH_EJECTED)
        ttb__pool_event_of(p, TTB_POOL_STATUS, t.slot, what, now_ns);
      (void)ttb__pool_derive(p, t.slot, now_ns); /* a new status may hide an ejection */
    }
  }
  return TTB_OK;
}

int32_t ttb_pool_report_n(ttb_pool *h, const int64_t *tickets, const int32_t *outcomes,
                          const uint64_t *latencies_ns, uint32_t n, uint64_t now_ns,
                          int32_t *ret_codes) {
  if (!ttb__pool_joined(h) || n > INT32_MAX || (n > 0 && !tickets)) return TTB_ERR_MISUSE;
  int32_t ended = 0;
  for (uint32_t i = 0; i < n; i++) {
    int32_t code = TTB_ERR_MISUSE;
    if (tickets[i] >= 0)
      code = ttb_pool_report(h, tickets[i], outcomes ? outcomes[i] : TTB_SUCCESS,
                             latencies_ns ? latencies_ns[i] : 0, now_ns);
    if (ret_codes) ret_codes[i] = code;
    ended += code == TTB_OK;
  }
  return ended;
}
