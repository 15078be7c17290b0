/* SPDX-License-Identifier: MIT */
/* Permits: words that name their holder, and bits beside them that say which
 * are not worth a look.
 *
 *     permit = nonce 20 | holder 9 (row + 1, 0: free) | time of taking 35
 *     skip   = 64 bits: this permit was found out
 *     memory = when to look again | skip ... | (line) permit ...
 *
 * Shopify's semian has the kernel give back what a dead process held (SysV
 * SEM_UNDO); here the word itself says whose it is. Times are virtual, in the
 * units of the kind: ms (bulkhead), quarters of a us (adaptive).
 *
 * I1  A permit is out exactly while its word names a holder whose lease has not
 *     ended; it is taken and given by one compare-and-swap. So never more are out
 *     than there are, whatever the bits say.
 * I2  The nonce grows with each taking and stands in the ticket: a report that
 *     is late, double or another's finds another word.
 * I3  A free permit has its bit clear, or a caller alive is about to clear it.
 *     A taker leaves the bit as it is; the next who comes by and finds the permit
 *     out sets it, then reads the permit once more by read-modify-write; who
 *     gives clears the bit if it is set. Of these two at least one sees the other.
 * I4  A look at all permits finds what I3 does not: those whose lease ended, and
 *     those whose giver or finder was killed. Who searches looks at all of them
 *     when the first word says so: as soon as the lease of one behind a bit can
 *     end, and TTB__PERMIT_PAUSE_MS after the last look at the latest. Recover
 *     clears all bits.
 * I5  No bit and no time can make a caller look outside; those that are wrong
 *     hide permits until I4. All zero is all free. */
#ifndef TTB_LIB_LIMITER_PERMIT_H
#define TTB_LIB_LIMITER_PERMIT_H

#include <trimtab/base.h>

#include "../base/atomic.h"
#include "../base/ticket.h"

#define TTB__PERMIT_TIME ((UINT64_C(1) << 35) - 1)
#define TTB__PERMIT_PAUSE_MS 100

/* What a table of permits is: private, made from the config. */
typedef struct ttb__permits {
  uint64_t lease; /* units, 0: none */
  uint64_t ahead; /* units by which a taker's time may be later than the reader's */
  uint32_t pause; /* units between looks at all */
  uint32_t n;     /* 1 .. TTB__MAX_PERMIT + 1 */
  uint32_t head;  /* words before the permits */
} ttb__permits;

/* n permits; a ms has `ms` units. */
static inline ttb__permits ttb__permits_of(uint32_t n, uint32_t ms, uint32_t lease_ms,
                                           uint64_t ahead_ms) {
  return (ttb__permits){.lease = (uint64_t)lease_ms * ms,
                        .ahead = ahead_ms * ms,
                        .pause = TTB__PERMIT_PAUSE_MS * ms,
                        .n = n,
                        .head = ((n + 63) / 64 + 8) & ~7u};
}
static inline uint64_t ttb__permits_bytes(uint32_t n) {
  return ((uint64_t)ttb__permits_of(n, 1, 0, 0).head + ((n + 7) & ~7u)) * sizeof(ttb__a64);
}

/* What stands before the time: a nonce and a holder (0: free). */
static inline uint64_t ttb__permit_name(uint64_t nonce, uint32_t holder) {
  return nonce << 44 | (uint64_t)holder << 35;
}
static inline uint64_t ttb__permit_free(uint64_t w) { return w >> 44 << 44; }
static inline uint32_t ttb__permit_holder(uint64_t w) { return (uint32_t)(w >> 35) & 0x1ff; }

/* How long ago it was taken. 0 if its taker's time was later than ours: by
 * `ahead` at the most; more is a permit of long ago. */
static inline uint64_t ttb__permit_age(const ttb__permits *p, uint64_t w, uint64_t now) {
  uint64_t age = (now - w) & TTB__PERMIT_TIME;
  return age <= TTB__PERMIT_TIME - p->ahead ? age : 0;
}

static inline bool ttb__permit_is_out(const ttb__permits *p, uint64_t w, uint64_t now) {
  if (ttb__permit_holder(w) == 0) return false;
  return p->lease == 0 || ttb__permit_age(p, w, now) < p->lease;
}

static inline ttb__a64 *ttb__permit_at(const ttb__permits *p, ttb__a64 *mem, uint32_t i) {
  return &mem[p->head + i];
}
static inline ttb__a64 *ttb__permit_skip(ttb__a64 *mem, uint32_t i) { return &mem[1 + i / 64]; }

/* Takes permit i, seen free as w: a ticket, or TTB_LIMIT. A failed exchange
 * means that somebody else had it meanwhile. */
static inline int64_t ttb__permit_swap(const ttb__permits *p, ttb__a64 *mem, uint32_t slot,
                                       uint32_t i, uint64_t w, uint32_t row, uint64_t now) {
  uint64_t next = ttb__permit_name((w >> 44) + 1, row + 1) | (now & TTB__PERMIT_TIME);
  if (!ttb__cas_rlx(ttb__permit_at(p, mem, i), &w, next)) return TTB_LIMIT;
  return ttb__ticket_pack(slot, (uint32_t)(next >> 44), row, i);
}

/* Takes permit i if it can be had, whatever its bit says. */
static inline int64_t ttb__permit_take(const ttb__permits *p, ttb__a64 *mem, uint32_t slot,
                                       uint32_t i, uint32_t row, uint64_t now) {
  uint64_t w = ttb__load_rlx(ttb__permit_at(p, mem, i));
  return ttb__permit_is_out(p, w, now) ? TTB_LIMIT
                                       : ttb__permit_swap(p, mem, slot, i, w, row, now);
}

/* Gives back what a ticket names: TTB_OK, or TTB_STALE. *ret_word is what the
 * permit was. */
static inline int32_t ttb__permit_give(const ttb__permits *p, ttb__a64 *mem, ttb__ticket t,
                                       uint64_t *ret_word) {
  if (t.permit >= p->n) return TTB_STALE;
  uint64_t w = ttb__load_rlx(ttb__permit_at(p, mem, t.permit));
  *ret_word = w;
  if ((w ^ ttb__permit_name(t.gen, t.row + 1)) > TTB__PERMIT_TIME) return TTB_STALE;
  /* acquire: pairs with the release of ttb__permits_search. If that read came
   * before, the load below must show the bit set before it; without, a free
   * permit would keep its bit (I3). */
  if (!ttb__cas_acq(ttb__permit_at(p, mem, t.permit), &w, ttb__permit_free(w)))
    return TTB_STALE;
  uint64_t bit = UINT64_C(1) << t.permit % 64;
  ttb__a64 *skip = ttb__permit_skip(mem, t.permit);
  if (ttb__load_rlx(skip) & bit) (void)ttb__and_rlx(skip, ~bit);
  return TTB_OK;
}

/* Takes the lowest of the permits from .. to-1 that can be had: a ticket, or
 * TTB_LIMIT. from < to <= n. */
int64_t ttb__permits_search(const ttb__permits *p, ttb__a64 *mem, uint32_t slot, uint32_t from,
                            uint32_t to, uint32_t row, uint64_t now);

/* Adds what each row holds to held[row], and what no row does to held[rows]. */
void ttb__permits_count(const ttb__permits *p, ttb__a64 *mem, uint64_t now, uint32_t rows,
                        uint32_t *held);

/* Gives back all that a row holds, and clears all bits. */
void ttb__permits_give_all(const ttb__permits *p, ttb__a64 *mem, uint32_t row);

#endif
