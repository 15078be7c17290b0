/* SPDX-License-Identifier: MIT */
/* Permits: words that name their holder.
 *
 *     permit = nonce 20 | holder 9 (row + 1, 0: free) | time 35
 *
 * The time is whatever its kind keeps there: when it lapses (bulkhead), when it
 * was taken (adaptive). Shopify's semian has the kernel give back what a dead
 * process held (SysV SEM_UNDO); here the word itself says whose it is.
 *
 * I1  A permit is out exactly while its word names a holder; it is taken and
 *     given by one compare-and-swap. So never more are out than there are.
 * I2  The nonce grows with each taking and stands in the ticket: a report that
 *     is late, double or another's finds another word. */
#ifndef TTB_LIB_LIMITER_PERMIT_H
#define TTB_LIB_LIMITER_PERMIT_H

#include "limiter.h"

#define TTB__PERMIT_TIME ((UINT64_C(1) << 35) - 1)

static inline uint64_t ttb__permit(uint32_t nonce, uint32_t holder, uint64_t time) {
  return (uint64_t)(nonce & TTB__GEN_MASK) << 44 | (uint64_t)holder << 35 |
         (time & TTB__PERMIT_TIME);
}
static inline uint32_t ttb__permit_nonce(uint64_t w) { return (uint32_t)(w >> 44); }
static inline uint32_t ttb__permit_holder(uint64_t w) { return (uint32_t)(w >> 35) & 0x1ff; }

/* Takes permit i of `slot`, seen free as w: a ticket, or TTB_LIMIT. A failed
 * exchange means that somebody else had it meanwhile. */
static inline int64_t ttb__permit_take(ttb__a64 *permits, uint32_t slot, uint32_t i, uint64_t w,
                                       uint32_t row, uint64_t time) {
  uint32_t nonce = (ttb__permit_nonce(w) + 1) & TTB__GEN_MASK;
  if (!ttb__cas_rlx(&permits[i], &w, ttb__permit(nonce, row + 1, time))) return TTB_LIMIT;
  return ttb__ticket_pack(slot, nonce, row, i);
}

/* Gives back what a ticket names, of n permits: TTB_OK, or TTB_STALE. *ret_time
 * is what stood in the word. */
static inline int32_t ttb__permit_give(ttb__a64 *permits, uint32_t n, ttb__ticket t,
                                       uint64_t *ret_time) {
  if (t.permit >= n) return TTB_STALE;
  uint64_t w = ttb__load_rlx(&permits[t.permit]);
  if (ttb__permit_nonce(w) != t.gen || ttb__permit_holder(w) != t.row + 1) return TTB_STALE;
  *ret_time = w & TTB__PERMIT_TIME;
  return ttb__cas_rlx(&permits[t.permit], &w, ttb__permit(t.gen, 0, 0)) ? TTB_OK : TTB_STALE;
}

/* Gives back all that a row holds. */
static inline void ttb__permits_give_all(ttb__a64 *permits, uint32_t n, uint32_t row) {
  for (uint32_t i = 0; i < n; i++) {
    /* newest: a plain load might miss the permit the dead one took last. */
    uint64_t w = ttb__newest_rlx(&permits[i]);
    if (ttb__permit_holder(w) == row + 1)
      (void)ttb__cas_rlx(&permits[i], &w, ttb__permit(ttb__permit_nonce(w), 0, 0));
  }
}

#endif
