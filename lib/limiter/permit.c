/* SPDX-License-Identifier: MIT */
/* Searching permits, and looking at all of them: see permit.h. */
#include "permit.h"

#include "../base/bits.h"

/* Those of block b that are among from .. to-1. */
static uint64_t block_of(uint32_t b, uint32_t from, uint32_t to) {
  uint64_t bits = ~UINT64_C(0);
  if (b == from / 64) bits <<= from % 64;
  if (b == to / 64) bits &= ~(~UINT64_C(0) << to % 64);
  return bits;
}

/* Looks at every permit: clears the bits of those that are not out and says when
 * to do so again. What a plain load misses of a killed caller, the next look
 * sees. */
static void look_at_all(const ttb__permits *p, ttb__a64 *mem, uint64_t seen, uint64_t now) {
  /* A permit taken from now on lapses no sooner than a lease from now. */
  uint64_t soonest = p->lease != 0 && p->lease < p->pause ? p->lease : p->pause;
  for (uint32_t first = 0; first < p->n; first += 64) {
    uint32_t end = first + 64 < p->n ? first + 64 : p->n;
    uint64_t not_out = 0;
    for (uint32_t i = first; i < end; i++) {
      uint64_t w = ttb__load_rlx(ttb__permit_at(p, mem, i));
      if (!ttb__permit_is_out(p, w, now)) {
        not_out |= UINT64_C(1) << i % 64;
      } else if (p->lease != 0) {
        uint64_t left = p->lease - ttb__permit_age(p, w, now);
        if (left < soonest) soonest = left;
      }
    }
    ttb__a64 *skip = ttb__permit_skip(mem, first);
    if (ttb__load_rlx(skip) & not_out) (void)ttb__and_rlx(skip, ~not_out);
  }
  (void)ttb__cas_rlx(&mem[0], &seen, now + soonest);
}

/* A permit that a set bit hides lapses in `left`: all must be looked at by then.
 * Only who reads the time late comes here with anything to do. */
static void look_in(const ttb__permits *p, ttb__a64 *mem, uint64_t now, uint64_t left) {
  uint64_t again = ttb__load_rlx(&mem[0]);
  while (again - now - 1 < p->pause && again - now > left)
    if (ttb__cas_rlx(&mem[0], &again, now + left)) return;
}

int64_t ttb__permits_search(const ttb__permits *p, ttb__a64 *mem, uint32_t slot, uint32_t from,
                            uint32_t to, uint32_t row, uint64_t now) {
  uint64_t again = ttb__load_rlx(&mem[0]);
  if (again - now - 1 >= p->pause) look_at_all(p, mem, again, now); /* past, or beyond belief */
  for (uint32_t b = from / 64; b <= (to - 1) / 64; b++) {
    uint64_t left = ~ttb__load_rlx(&mem[1 + b]);
    if (left == 0) continue; /* as most are when few are free */
    for (left &= block_of(b, from, to); left != 0; left &= left - 1) {
      uint32_t i = b * 64 + ttb__lowest_bit(left);
      uint64_t bit = left & (0 - left), w = ttb__load_rlx(ttb__permit_at(p, mem, i));
      if (ttb__permit_is_out(p, w, now)) {
        (void)ttb__or_rlx(&mem[1 + b], bit);
        /* newest, and release: if this read comes before the permit is given,
         * the giver's exchange reads from it and then sees the bit; if after,
         * we see that it is free. Without, neither might, and it would be free
         * behind a set bit (I3). */
        w = ttb__newest_rel(ttb__permit_at(p, mem, i));
        if (ttb__permit_is_out(p, w, now)) {
          if (p->lease != 0) look_in(p, mem, now, p->lease - ttb__permit_age(p, w, now));
          continue;
        }
        (void)ttb__and_rlx(&mem[1 + b], ~bit);
      }
      int64_t t = ttb__permit_swap(p, mem, slot, i, w, row, now);
      if (t >= 0) return t;
    }
  }
  return TTB_LIMIT;
}

void ttb__permits_count(const ttb__permits *p, ttb__a64 *mem, uint64_t now, uint32_t rows,
                        uint32_t *held) {
  for (uint32_t i = 0; i < p->n; i++) {
    uint64_t w = ttb__load_rlx(ttb__permit_at(p, mem, i));
    uint32_t row = ttb__permit_holder(w) - 1;
    if (ttb__permit_is_out(p, w, now)) held[row < rows ? row : rows]++;
  }
}

void ttb__permits_give_all(const ttb__permits *p, ttb__a64 *mem, uint32_t row) {
  for (uint32_t i = 0; i < p->n; i++) {
    /* newest: a plain load might miss the permit the dead one took last. acquire,
     * twice: pairs with the release of a search. Whose bit hides a permit that is
     * free now has set it before we clear it below. */
    uint64_t w = ttb__newest_acq(ttb__permit_at(p, mem, i));
    if (ttb__permit_holder(w) == row + 1)
      (void)ttb__cas_acq(ttb__permit_at(p, mem, i), &w, ttb__permit_free(w));
  }
  for (uint32_t i = 0; i < p->n; i += 64) (void)ttb__and_rlx(ttb__permit_skip(mem, i), 0);
}
