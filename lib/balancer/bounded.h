/* SPDX-License-Identifier: MIT */
/* Bounded load: the caps of a pick, and the totals they follow from. The rules are
 * in bounded.c. */
#ifndef TTB_LIB_BALANCER_BOUNDED_H
#define TTB_LIB_BALANCER_BOUNDED_H

#include "balancer.h"

/* Of each row, in the region: a line of its own. All but the total is its owner's
 * alone. */
typedef struct ttb__bound {
  ttb__a64 total;      /* what the row has in flight */
  uint64_t others;     /* what all other rows had, when looked at last */
  uint64_t looked_ns;  /* when that was */
  uint64_t picks;      /* made since */
  uint64_t reserved[4];
} ttb__bound;
_Static_assert(sizeof(ttb__bound) == 64, "a line");

static inline ttb__bound *ttb__bound_of(const ttb__balancer *b, uint32_t row) {
  return (ttb__bound *)ttb__balancer_part(b, b->bounds_at) + row;
}

/* Whether an endpoint of eligibility word w has all it may have (I1). */
static inline bool ttb__is_over_bound(const ttb__balancer *b, uint32_t slot, uint64_t w,
                                      const ttb__scope *x) {
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  uint64_t held = ttb__in_flight(ttb__endpoint_at(b, slot), active);
  return held * x->bound_weight >= (x->bound * ttb__word_weight(w) + 0xffff) >> 16;
}

/* For a row that has just joined: it has looked at nobody yet. */
void ttb__bound_begin(ttb__balancer *b);
/* Sets the bound of a scope that is one level's healthy part, or all there is. */
void ttb__bound_scope(ttb__balancer *b, const ttb__plan *p, uint32_t level, ttb__scope *x);
/* The algorithm's choice of a balancer that is bounded and nothing else. */
int64_t ttb__choose_bounded(ttb__balancer *b, uint64_t hash);
/* Notes that a row has `more` calls in flight, and `fewer` not any longer. */
void ttb__bound_count(ttb__balancer *b, uint32_t row, uint32_t more, uint32_t fewer);

#endif
