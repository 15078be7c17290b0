/* SPDX-License-Identifier: MIT */
/* The streak: what a row of outcomes leaves in one word, failures in a row and
 * the sum of the CUSUM rule (cusum.c).
 *
 *     streak = generation 20 | sum 20 | failures in a row 24
 *
 * I1  A success finds 0 in a healthy breaker, and writes nothing: one load.
 * I2  Row and sum are one word, so an outcome changes both or neither. */
#ifndef TTB_LIB_BREAKER_STREAK_H
#define TTB_LIB_BREAKER_STREAK_H

#include "breaker.h"

#define TTB__ROW_BITS 24
#define TTB__ROW_MASK ((UINT64_C(1) << TTB__ROW_BITS) - 1)

typedef struct ttb__streak {
  uint32_t row, sum;
} ttb__streak;

static inline ttb__streak ttb__streak_of(uint64_t w, uint32_t gen) {
  uint64_t n = ttb__count_of(w, gen);
  return (ttb__streak){(uint32_t)(n & TTB__ROW_MASK), (uint32_t)(n >> TTB__ROW_BITS)};
}

static inline uint64_t ttb__streak_word(uint32_t gen, ttb__streak k) {
  return ttb__count(gen, (uint64_t)k.sum << TTB__ROW_BITS | k.row);
}

/* Whether a success changes nothing. */
static inline bool ttb__streak_is_calm(const ttb__breaker_slot *s, uint32_t gen) {
  return ttb__count_of(ttb__load_rlx(&s->streak), gen) == 0;
}

/* After a success. */
static inline void ttb__streak_calm(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen) {
  uint64_t w = ttb__load_rlx(&s->streak);
  while (ttb__count_of(w, gen) != 0) {
    ttb__streak k = ttb__streak_of(w, gen);
    k = (ttb__streak){0, k.sum > b->sum_down ? k.sum - b->sum_down : 0};
    if (ttb__cas_rlx(&s->streak, &w, ttb__streak_word(gen, k))) return;
  }
}

/* After a failure: what there is then, nothing if the generation is over. */
static inline ttb__streak ttb__streak_strike(const ttb__breaker *b, ttb__breaker_slot *s,
                                             uint32_t gen) {
  for (;;) {
    /* acquire: pairs with the release below. Without it a late report could
     * wipe out the streak of a later generation. */
    uint64_t w = ttb__load_acq(&s->streak);
    if (!ttb__may_write(w, gen, &s->state)) return (ttb__streak){0, 0};
    ttb__streak k = ttb__streak_of(w, gen);
    if (k.row < TTB__ROW_MASK) k.row += b->strike_row;
    k.sum = k.sum + b->sum_up < b->sum_limit ? k.sum + b->sum_up : b->sum_limit;
    if (ttb__cas_rel(&s->streak, &w, ttb__streak_word(gen, k))) return k;
  }
}

#endif
