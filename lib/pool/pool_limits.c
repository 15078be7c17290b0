/* SPDX-License-Identifier: MIT */
/* A call through a pool with limits: begin and end.
 *
 * I1  Limits are asked one after the other, the cheapest refusal first, then an
 *     endpoint is picked. Whoever refuses, what was granted before is cancelled:
 *     a refused call holds nothing.
 * I2  What a call holds stands in the caller's struct and in the limits' own
 *     words, which name the row: a kill loses the first, recovery gives back by
 *     the second.
 * I3  The end of a call is that of its ticket. The limits' tickets end with it, even
 *     if it is stale (the endpoint may have gone meanwhile): a permit that was given
 *     back already is so there too, and changes nothing. A thread that may not end
 *     the call leaves all as it is for the one that may. */
#include "pool.h"

#define N TTB_POOL_MAX_LIMITS

/* What a refusal costs: a load, a word, cells, two windows, then permits that
 * are looked at one by one. */
static uint32_t cost_of(const ttb_limiter *l) {
  switch (ttb__limiter_of(l)->number) {
  case TTB_LIMITER_RETRY_TOKENS: return 0;
  case TTB_LIMITER_RATE: return 1;
  case TTB_LIMITER_RETRY_CONCURRENT: return 2;
  case TTB_LIMITER_RETRY: return 3;
  case TTB_LIMITER_THROTTLE: return 4;
  case TTB_LIMITER_ADAPTIVE: return 5;
  default: return 6;
  }
}

void ttb__pool_limits_open(ttb__pool *p) {
  for (uint32_t i = 0; i < p->n_limits; i++) {
    uint32_t k = i;
    ttb__limiter_of(&p->limits[i])->rows = ttb__balancer_of(&p->balancer)->rows;
    for (; k > 0 && cost_of(&p->limits[p->order[k - 1]]) > cost_of(&p->limits[i]); k--)
      p->order[k] = p->order[k - 1];
    p->order[k] = (uint8_t)i;
  }
}

static uint32_t ask_of(const ttb_limiter *l, const ttb_pool_call *c) {
  switch (ttb__limiter_of(l)->number) {
  case TTB_LIMITER_BULKHEAD: return c->importance;
  case TTB_LIMITER_RATE: return c->events;
  case TTB_LIMITER_RETRY:
  case TTB_LIMITER_RETRY_TOKENS:
  case TTB_LIMITER_RETRY_CONCURRENT: return c->attempt;
  default: return 0;
  }
}

/* The limits' tickets, in the order they were asked in. */
static void give_back(ttb__pool *p, const int64_t *held, uint32_t n, int32_t outcome,
                      uint64_t now_ns) {
  while (n-- > 0) (void)ttb_limiter_report(&p->limits[p->order[n]], held[n], outcome, now_ns);
}

int64_t ttb_pool_begin(ttb_pool *h, ttb_pool_call *call, uint64_t now_ns) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p || !call || (call->n_excluded > 0 && !call->excluded_slots)) return TTB_ERR_MISUSE;
  if (call->struct_size != sizeof *call || call->flags & ~TTB_POOL_ORDINARY)
    return TTB_ERR_UNSUPPORTED;
  if (call->n_excluded > TTB__POOL_EXCLUDED || call->importance > 3) return TTB_ERR_RANGE;
  int64_t held[N] = {-1, -1, -1, -1}, t = 0;
  uint32_t n = 0;
  call->ticket = -1;
  call->refused_by = -1;
  for (; n < p->n_limits; n++) {
    ttb_limiter *l = &p->limits[p->order[n]];
    held[n] = t = ttb_limiter_acquire(l, 0, ask_of(l, call), now_ns);
    if (t >= 0) continue;
    if (t == TTB_LIMIT || t == TTB_THROTTLED) call->refused_by = p->order[n];
    break;
  }
  if (t >= 0)
    t = ttb__pool_pick(p, call->hash, call->excluded_slots, call->n_excluded,
                       (call->flags & TTB_POOL_ORDINARY) != 0, now_ns);
  if (t < 0) {
    give_back(p, held, n, TTB_CANCELLED, now_ns);
    return t;
  }
  call->held_0 = held[0], call->held_1 = held[1], call->held_2 = held[2], call->held_3 = held[3];
  call->n_held = n;
  return call->ticket = t;
}

/* Whether only another thread can end it. */
static bool is_anothers(const ttb__pool *p, int64_t ticket) {
  const ttb__balancer *b = ttb__balancer_of(&p->balancer);
  return ttb__ticket_unpack(ticket).row != b->row && !(b->flags & TTB_BALANCER_MOVING_TICKETS);
}

int32_t ttb_pool_end(ttb_pool *h, ttb_pool_call *call, int32_t outcome, uint64_t latency_ns,
                     uint64_t now_ns) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p || !call) return TTB_ERR_MISUSE;
  if (call->struct_size != sizeof *call) return TTB_ERR_UNSUPPORTED;
  if (outcome < TTB_SUCCESS || outcome > TTB_SLOW_FAILURE || call->n_held > p->n_limits)
    return TTB_ERR_RANGE;
  if (call->ticket < 0) return TTB_STALE;
  const int64_t held[N] = {call->held_0, call->held_1, call->held_2, call->held_3};
  int32_t code = ttb_pool_report(h, call->ticket, outcome, latency_ns, now_ns);
  if (code == TTB_STALE && is_anothers(p, call->ticket)) return code;
  give_back(p, held, call->n_held, outcome, now_ns);
  call->ticket = -1;
  call->n_held = 0;
  return code;
}

/* ---- what they say ---- */

static uint64_t refused_by(const ttb__pool *p, uint32_t limit) {
  return ttb__load_rlx(&ttb__limiter_of(&p->limits[limit])->table->refused);
}

uint64_t ttb__pool_limits_refused(const ttb__pool *p) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < p->n_limits; i++) sum += refused_by(p, i);
  return sum;
}

void ttb__pool_limits_tell(ttb__pool *p, uint64_t now_ns) {
  for (uint32_t i = 0; i < p->n_limits; i++) {
    uint64_t told = ttb__load_rlx(&p->table->told[i]), now = refused_by(p, i);
    /* Of several tickers one tells. */
    if (now != told && ttb__cas_rlx(&p->table->told[i], &told, now))
      ttb__pool_event(p, TTB_POOL_LIMITED, 0, i + 1, (int64_t)((now - told) & INT64_MAX), now_ns);
  }
}

int32_t ttb_pool_limit(const ttb_pool *h, uint32_t limit, uint32_t ask, uint64_t now_ns,
                       ttb_limiter_info *ret) {
  const ttb__pool *p = ttb__pool_of(h);
  if (!p || !ret) return TTB_ERR_MISUSE;
  if (limit >= p->n_limits) return TTB_ERR_RANGE;
  return ttb_limiter_explain(&p->limits[limit], 0, ask, now_ns, ret);
}
