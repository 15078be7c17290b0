/* SPDX-License-Identifier: MIT */
/* The count window: the last n calls as the bits of one word (two with the slow
 * rule), newest lowest, under a leading 1 that tells how many there are.
 *
 *     last = generation 20 | 0.. 1 outcome outcome ... outcome (44)
 *
 * k of the last n is what Failsafe and gobreaker's users count; resilience4j's
 * default window is of this kind, but longer. A word of another generation reads
 * as the leading 1 alone: nothing yet (I2 in breaker.h).
 *
 * I1  A call enters by one CAS; the one before it n calls ago leaves by the same.
 * I2  With the slow rule there are two words, one CAS each: between them a call
 *     is in one and not yet in the other, and a kill there leaves it so. Both
 *     forget it after n calls more. */
#ifndef TTB_LIB_BREAKER_LAST_CALLS_H
#define TTB_LIB_BREAKER_LAST_CALLS_H

#include "breaker.h"
#include "window.h"

#define TTB__LAST_CALLS_MAX 40

static inline uint64_t ttb__last_of(uint64_t w, uint32_t gen) {
  uint64_t v = ttb__count_of(w, gen);
  return v != 0 ? v : 1;
}

/* v with one more outcome, of at most n. */
static inline uint64_t ttb__last_push(uint64_t v, uint32_t n, uint32_t bad) {
  uint64_t full = UINT64_C(1) << n;
  v = v << 1 | bad;
  return v < 2 * full ? v : full | (v & (full - 1));
}

static inline ttb__counts ttb__last_counts(uint64_t v) {
  ttb__counts c = {0, 0};
  for (; v > 1; v >>= 1) {
    c.calls++;
    c.failures += (uint32_t)v & 1;
  }
  return c;
}

/* Counts one outcome; nowhere if the generation is over. */
static inline void ttb__last_add(ttb__a64 *word, const ttb__a64 *state, uint32_t gen, uint32_t n,
                                 uint32_t bad) {
  for (;;) {
    /* acquire: pairs with the release below, as for every word that goes with
     * the state (ttb__may_write): a late report leaves a later generation's. */
    uint64_t w = ttb__load_acq(word);
    if (!ttb__may_write(w, gen, state)) return;
    if (ttb__cas_rel(word, &w, ttb__count(gen, ttb__last_push(ttb__last_of(w, gen), n, bad))))
      return;
  }
}

#endif
