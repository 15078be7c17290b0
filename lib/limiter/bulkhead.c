/* SPDX-License-Identifier: MIT */
/* Bulkhead: so many calls at once, and permits that survive their holder.
 *
 * After the tickets of Shopify's semian, by the words of permit.h, whose unit of
 * time is here the ms. Reserves follow the criticality of the Google SRE book,
 * chapter 21.
 *
 * I1  Importance k looks at permits from[k] .. permits-1 only, from the lowest
 *     up: what it may use is bounded by its place, not by a count that could be
 *     wrong, and what the less important may not touch is used up first.
 * I2  With a lease, a permit past its deadline is free for the taking. More
 *     time left than the lease means that the caller's time is older than the
 *     taker's, by at most TTB__LIMITER_LAG_MS; more still, that it is over. */
#include "limiter.h"

static uint64_t stride(const ttb_limiter_config *c) { return ttb__permits_bytes(c->permits); }

static void open(ttb__limiter *l, const ttb_limiter_config *c) {
  const uint32_t from[TTB__LIMITER_CLASSES] = {0, c->reserve_1, c->reserve_2, c->reserve_3};
  l->max_ask = TTB__LIMITER_CLASSES - 1;
  l->u.bulkhead.permits = ttb__permits_of(c->permits, 1, c->lease_ms > 0 ? (uint32_t)c->lease_ms : 0,
                                          TTB__LIMITER_LAG_MS);
  l->u.bulkhead.hint = 0;
  for (uint32_t k = 0; k < TTB__LIMITER_CLASSES; k++) {
    uint32_t own = c->permits;
    for (uint32_t j = 0; j < TTB__LIMITER_CLASSES; j++)
      if (from[j] > from[k] && from[j] < own) own = from[j];
    l->u.bulkhead.from[k] = from[k];
    l->u.bulkhead.own[k] = own;
  }
}

/* Where a caller looks first: at the permit it gave back last, if that is not one
 * the less important may use. */
static inline uint32_t first_of(const ttb__limiter *l, uint32_t ask) {
  uint32_t from = l->u.bulkhead.from[ask], hint = l->u.bulkhead.hint;
  return l->row != TTB__NO_ROW && hint > from && hint < l->u.bulkhead.own[ask] ? hint : from;
}

TTB__SELDOM static int64_t search(ttb__limiter *l, ttb__a64 *slot, uint32_t number, uint32_t ask,
                                  uint64_t now_ns) {
  const ttb__permits *p = &l->u.bulkhead.permits;
  uint64_t now_ms = ttb__limiter_clock(l, now_ns);
  int64_t t = ttb__permit_take(p, slot, number, first_of(l, ask), l->row, now_ms);
  if (t >= 0) return t;
  return ttb__permits_search(p, slot, number, l->u.bulkhead.from[ask], p->n, l->row, now_ms);
}

static int64_t acquire(ttb__limiter *l, void *slot, uint32_t number, uint32_t ask,
                       uint64_t now_ns) {
  const ttb__permits *p = &l->u.bulkhead.permits;
  if (p->lease == 0) { /* and so no time */
    int64_t t = ttb__permit_take(p, slot, number, first_of(l, ask), l->row, 0);
    if (t >= 0) return t;
  }
  return search(l, slot, number, ask, now_ns);
}

static int32_t report(ttb__limiter *l, void *slot, ttb__ticket t, int32_t outcome,
                      uint64_t now_ns) {
  uint64_t was;
  (void)outcome, (void)now_ns;
  int32_t code = ttb__permit_give(&l->u.bulkhead.permits, slot, t, &was);
  if (code == TTB_OK && l->row != TTB__NO_ROW) l->u.bulkhead.hint = t.permit;
  return code;
}

static int32_t look(const ttb__limiter *l, void *slot, uint32_t ask, uint64_t now_ns,
                    ttb_limiter_info *ret) {
  const ttb__permits *p = &l->u.bulkhead.permits;
  uint64_t now_ms = ttb__clock_peek(&l->region->clock, now_ns), oldest = 0;
  for (uint32_t i = 0; i < p->n; i++) {
    uint64_t w = ttb__load_rlx(ttb__permit_at(p, slot, i));
    bool out = ttb__permit_is_out(p, w, now_ms), asked = i >= l->u.bulkhead.from[ask];
    ret->in_use += out;
    ret->available += !out && asked;
    if (out && asked && ttb__permit_age(p, w, now_ms) > oldest) oldest = ttb__permit_age(p, w, now_ms);
  }
  if (ret->available > 0) return TTB_OK;
  /* A report may come sooner, but only leases have a time. */
  ret->retry_after_ns = p->lease == 0 ? -1 : (int64_t)((p->lease - oldest) * 1000000);
  return TTB_LIMIT;
}

static void count(const ttb__limiter *l, void *slot, uint64_t now_ns, uint32_t *held) {
  ttb__permits_count(&l->u.bulkhead.permits, slot, ttb__clock_peek(&l->region->clock, now_ns),
                     l->threads, held);
}

static void give_all(const ttb__limiter *l, void *slot, uint32_t row) {
  ttb__permits_give_all(&l->u.bulkhead.permits, slot, row);
}

const ttb__limiter_kind ttb__limiter_bulkhead = {
    stride, open, acquire, report, look, give_all, NULL, count};
