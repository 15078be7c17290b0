/* SPDX-License-Identifier: MIT */
/* Drawing two different endpoints, for those who then take the better one.
 *
 * Drawn without replacement (with it, one can draw the busiest twice:
 * envoyproxy/envoy#14859), each from one half of one random number.
 *
 * I1  Both candidates may be picked; if many may not, single draws look for two
 *     that may, and at last all are looked at. So it refuses only if nobody may
 *     be picked. */
#ifndef TTB_LIB_BALANCER_TWO_H
#define TTB_LIB_BALANCER_TWO_H

#include "balancer.h"

typedef struct ttb__two {
  uint32_t slot;
  uint64_t word; /* 0: may not be picked */
} ttb__two;

/* The better of two as ttb__candidate; coin: 32 random bits for ties. A constant
 * function, so that it becomes part of the caller. */
typedef int64_t (*ttb__better)(const ttb__balancer *b, ttb__two i, ttb__two j, uint32_t coin);

/* Whether the first of two equals wins: in proportion to the weights, so that
 * also an idle fleet shows them. */
static inline bool ttb__first_of_equals(uint64_t first, uint64_t second, uint32_t coin) {
  return coin * (first + second) >> 32 < first;
}

/* Draws an endpoint that may be picked, other than `avoid`, or gives up. */
static inline ttb__two ttb__draw(ttb__balancer *b, const ttb__scope *x, uint32_t avoid) {
  ttb__two c = {TTB__NO_SLOT, 0};
  for (uint32_t i = 0; i < ttb__balancer_tries(b, x) && c.word == 0; i++) {
    uint32_t at = ttb__scale32((uint32_t)(ttb__random_next(&b->random) >> 32), b->seen_length);
    c.slot = ttb__balancer_entry(b, at);
    c.word = c.slot == avoid ? 0 : ttb__eligible_word(b, c.slot, x);
  }
  return c;
}

/* Looks at all: each against the best so far, from anywhere on. */
static inline int64_t ttb__best_of_all(ttb__balancer *b, const ttb__scope *x, ttb__better better) {
  int64_t best = TTB_NO_ENDPOINT;
  uint64_t random = ttb__random_next(&b->random);
  uint32_t start = ttb__scale32((uint32_t)random, b->capacity);
  for (int lap = 0; lap < 2; lap++) {
    uint32_t end = lap ? start : b->capacity;
    for (uint32_t slot = ttb__balancer_next(b, lap ? 0 : start, x); slot < end;
         slot = ttb__balancer_next(b, slot + 1, x)) {
      ttb__two c = {slot, ttb__eligible_word(b, slot, x)}, held = {0, 0};
      if (!c.word) continue;
      held.slot = (uint32_t)best & TTB__GEN_MASK;
      if (best >= 0) held.word = ttb__eligible_word(b, held.slot, x);
      best = held.word ? better(b, held, c, (uint32_t)ttb__random_next(&b->random))
                       : ttb__candidate(slot, c.word);
    }
  }
  return best;
}

/* Where one of the first two was not eligible. */
static inline int64_t ttb__search_two(ttb__balancer *b, const ttb__scope *x, ttb__better better) {
  ttb__two i = ttb__draw(b, x, TTB__NO_SLOT), j = {TTB__NO_SLOT, 0};
  if (i.word) j = ttb__draw(b, x, i.slot);
  if (!j.word) return ttb__best_of_all(b, x, better);
  return better(b, i, j, (uint32_t)ttb__random_next(&b->random));
}

/* Draws two; word 0 where one may not be picked. Returns a coin. b->seen_length is
 * 2 at least. One number makes three: its low half the first draw, what scaling
 * leaves of that the coin, its high half the second draw among the others. */
static inline uint32_t ttb__draw_two(ttb__balancer *b, const ttb__scope *x, ttb__two *i,
                                     ttb__two *j) {
  uint32_t n = b->seen_length;
  uint64_t r = ttb__random_next(&b->random), first = (r & UINT32_MAX) * n;
  uint32_t p = (uint32_t)(first >> 32), q = ttb__scale32((uint32_t)(r >> 32), n - 1);
  q += q >= p;
  i->slot = b->seen_dense ? p : ttb__balancer_entry(b, p);
  j->slot = b->seen_dense ? q : ttb__balancer_entry(b, q);
  i->word = ttb__eligible_word(b, i->slot, x);
  j->word = ttb__eligible_word(b, j->slot, x);
  return (uint32_t)first;
}

#endif
