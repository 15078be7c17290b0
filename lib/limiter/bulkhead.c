/* SPDX-License-Identifier: MIT */
/* Bulkhead: so many calls at once, and permits that survive their holder.
 *
 * After the tickets of Shopify's semian, by the words of permit.h, whose time is
 * here the virtual ms at which the permit lapses. Reserves follow the
 * criticality of the Google SRE book, chapter 21.
 *
 * I1  Importance k looks at permits 0 .. top[k]-1 only, from the top down: what
 *     it may use is bounded by its place, not by a count that could be wrong,
 *     and what the less important may not touch is used up first.
 * I2  With a lease, a permit past its deadline is free for the taking. More
 *     time left than the lease means that the caller's time is older than the
 *     taker's, by at most TTB__LIMITER_LAG_MS; more still, that it is over. */
#include "permit.h"

static bool is_out(const ttb__limiter *l, uint64_t w, uint64_t now_ms) {
  if (ttb__permit_holder(w) == 0) return false;
  if (l->u.bulkhead.lease_ms == 0) return true;
  uint64_t left = ((w & TTB__PERMIT_TIME) - now_ms) & TTB__PERMIT_TIME;
  return left != 0 && left <= l->u.bulkhead.lease_ms + TTB__LIMITER_LAG_MS;
}

static uint64_t stride(const ttb_limiter_config *c) {
  return ttb__round64(8 * (uint64_t)c->permits);
}

static void open(ttb__limiter *l, const ttb_limiter_config *c) {
  const uint32_t reserve[TTB__LIMITER_CLASSES] = {0, c->reserve_1, c->reserve_2, c->reserve_3};
  l->max_ask = TTB__LIMITER_CLASSES - 1;
  l->u.bulkhead.permits = c->permits;
  l->u.bulkhead.lease_ms = c->lease_ms > 0 ? (uint32_t)c->lease_ms : 0;
  l->u.bulkhead.hint = 0;
  uint32_t *top = l->u.bulkhead.top;
  for (uint32_t k = 0; k < TTB__LIMITER_CLASSES; k++) top[k] = c->permits - reserve[k];
  for (uint32_t k = 0; k < TTB__LIMITER_CLASSES; k++) {
    uint32_t low = 0;
    for (uint32_t j = 0; j < TTB__LIMITER_CLASSES; j++)
      if (top[j] < top[k] && top[j] > low) low = top[j];
    l->u.bulkhead.low[k] = low;
  }
}

/* Takes permit i if it can be had: a ticket, or TTB_LIMIT. */
static inline int64_t take(const ttb__limiter *l, ttb__a64 *permits, uint32_t slot, uint32_t i,
                           uint64_t now_ms) {
  uint64_t w = ttb__load_rlx(&permits[i]);
  if (is_out(l, w, now_ms)) return TTB_LIMIT;
  uint64_t deadline = l->u.bulkhead.lease_ms ? now_ms + l->u.bulkhead.lease_ms : 0;
  return ttb__permit_take(permits, slot, i, w, l->row, deadline);
}

static int64_t acquire(ttb__limiter *l, void *slot, uint32_t number, uint32_t ask,
                       uint64_t now_ns) {
  ttb__a64 *permits = slot;
  uint64_t now_ms = l->u.bulkhead.lease_ms ? ttb__limiter_clock(l, now_ns) : 0;
  uint32_t top = l->u.bulkhead.top[ask], hint = l->u.bulkhead.hint;
  if (l->row != TTB__NO_ROW && hint < top && hint >= l->u.bulkhead.low[ask]) {
    int64_t t = take(l, permits, number, hint, now_ms);
    if (t >= 0) return t;
  }
  for (uint32_t i = top; i-- > 0;) {
    int64_t t = take(l, permits, number, i, now_ms);
    if (t >= 0) return t;
  }
  return TTB_LIMIT;
}

static int32_t report(ttb__limiter *l, void *slot, ttb__ticket t, int32_t outcome,
                      uint64_t now_ns) {
  uint64_t deadline;
  (void)outcome, (void)now_ns;
  int32_t code = ttb__permit_give(slot, l->u.bulkhead.permits, t, &deadline);
  if (code == TTB_OK && l->row != TTB__NO_ROW) l->u.bulkhead.hint = t.permit;
  return code;
}

static int32_t look(const ttb__limiter *l, void *slot, uint32_t ask, uint64_t now_ns,
                    ttb_limiter_info *ret) {
  const ttb__a64 *permits = slot;
  uint64_t now_ms = ttb__clock_peek(&l->region->clock, now_ns);
  uint64_t soonest = UINT64_MAX;
  for (uint32_t i = 0; i < l->u.bulkhead.permits; i++) {
    uint64_t w = ttb__load_rlx(&permits[i]);
    if (!is_out(l, w, now_ms)) {
      ret->available += i < l->u.bulkhead.top[ask];
      continue;
    }
    ret->in_use++;
    uint64_t left = ((w & TTB__PERMIT_TIME) - now_ms) & TTB__PERMIT_TIME;
    if (l->u.bulkhead.lease_ms && i < l->u.bulkhead.top[ask] && left < soonest) soonest = left;
  }
  if (ret->available > 0) return TTB_OK;
  if (soonest != UINT64_MAX && soonest > l->u.bulkhead.lease_ms) soonest = l->u.bulkhead.lease_ms;
  /* A report may come sooner, but only leases have a time. */
  ret->retry_after_ns = soonest == UINT64_MAX ? -1 : (int64_t)(soonest * 1000000);
  return TTB_LIMIT;
}

static void give_all(const ttb__limiter *l, void *slot, uint32_t row) {
  ttb__permits_give_all(slot, l->u.bulkhead.permits, row);
}

const ttb__limiter_kind ttb__limiter_bulkhead = {
    stride, open, acquire, report, look, give_all, NULL};
