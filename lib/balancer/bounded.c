/* SPDX-License-Identifier: MIT */
/* Consistent hashing with bounded loads, over every algorithm by hash.
 *
 * V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded
 * Loads" (SODA 2018): of m calls in flight, this one included, none of n endpoints
 * may have more than ceil(c m / n); a key whose endpoint has that many goes on, as
 * the algorithm goes on, to the next that has fewer. Here by weight:
 *
 *     cap = ceil(c * (in flight + 1) * weight / sum of weights)
 *
 * c is bounded_ppm, rounded up to 1/65536, and the sum is that of all who may be
 * picked (with levels: of the level, whose part of the calls counts).
 *
 * I1  in flight < cap is compared as in flight * sum < ceil(c * (in flight + 1) *
 *     weight): products of at most 64 bits, no division, nothing kept by endpoint.
 *     What an endpoint has in flight is the sum of its cells, exact as ever.
 * I2  There is no counter that all add to. Each row's total has a line of its own;
 *     a thread knows its own total exactly and looks at the others' every 16 picks
 *     and after 1 ms. So a cap is off by c * weight / sum of what others began or
 *     ended meanwhile.
 * I3  A total is the sum of its row's cells: what a cell forgets (I3 of balancer.h)
 *     is taken off, and cleaning a dead row zeroes both. Between a cell and its
 *     total a killed owner may leave a difference, which cleaning ends.
 * I4  The bound gives way before a pick is refused: if everybody that it may go to
 *     is over the bound, the least loaded of these gets it (Envoy's rule). Caps sum
 *     to more than there are calls, so without exclusions somebody has room, as far
 *     as I2 goes. */
#include "bounded.h"

#define LOOK_PICKS 16
#define LOOK_NS UINT64_C(1000000)

/* Calls in flight are counted to this: with a weight and c they fill 64 bits. */
#define MOST ((UINT64_C(1) << 28) - 1)

TTB__SELDOM static void look(const ttb__balancer *b, ttb__bound *mine) {
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  uint64_t sum = 0;
  for (uint32_t row = 0; row < active; row++)
    if (row != b->row) sum += ttb__load_rlx(&ttb__bound_of(b, row)->total);
  mine->others = sum;
  mine->looked_ns = b->now;
  mine->picks = 0;
}

void ttb__bound_begin(ttb__balancer *b) { ttb__bound_of(b, b->row)->picks = LOOK_PICKS; }

void ttb__bound_scope(ttb__balancer *b, const ttb__plan *p, uint32_t level, ttb__scope *x) {
  ttb__bound *mine = ttb__bound_of(b, b->row);
  if (mine->picks++ >= LOOK_PICKS || b->now - mine->looked_ns >= LOOK_NS) look(b, mine);
  uint64_t calls = mine->others + ttb__load_rlx(&mine->total);
  if (b->flags & TTB_BALANCER_LEVELS && calls < MOST) calls = calls * p->healthy[level] / 100;
  x->bound = b->bound_16 * ((calls < MOST ? calls : MOST - 1) + 1);
  x->bound_weight = p->weight[level];
}

int64_t ttb__choose_bounded(ttb__balancer *b, uint64_t hash) {
  ttb__scope x = {.zones = UINT64_MAX};
  ttb__bound_scope(b, ttb__balancer_plan(b), 0, &x);
  int64_t candidate = ttb__choose_of_table(b, hash, &x);
  if (candidate >= 0) return candidate;
  x.bound_weight = 0;
  return ttb__choose_least(b, hash, &x);
}

void ttb__bound_count(ttb__balancer *b, uint32_t row, uint32_t more, uint32_t fewer) {
  ttb__a64 *total = &ttb__bound_of(b, row)->total;
  uint64_t seen = ttb__load_rlx(total);
  if (!(b->flags & TTB_BALANCER_MOVING_TICKETS)) {
    ttb__store_rlx(total, seen + more > fewer ? seen + more - fewer : 0);
    return;
  }
  while (!ttb__cas_rlx(total, &seen, seen + more > fewer ? seen + more - fewer : 0)) continue;
}

int32_t ttb_balancer_bounds(uint64_t in_flight, int32_t bounded_ppm, const uint32_t *weights,
                            uint32_t n, uint64_t *ret_caps) {
  uint64_t sum = 0, before = 0;
  if (n > 0 && (!weights || !ret_caps)) return TTB_ERR_MISUSE;
  if (bounded_ppm < TTB__MIN_BOUND || bounded_ppm > TTB__MAX_BOUND || in_flight > MOST ||
      n > TTB_MAX_SLOTS)
    return TTB_ERR_RANGE;
  for (uint32_t i = 0; i < n; i++) {
    if (weights[i] < 1 || weights[i] > 65535) return TTB_ERR_RANGE;
    sum += weights[i];
  }
  uint64_t all = ((in_flight + 1) * (uint64_t)bounded_ppm + 999999) / 1000000;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t whole = all / sum, rest = all % sum, after = before + weights[i];
    uint64_t cap = whole * weights[i] + after * rest / sum - before * rest / sum;
    ret_caps[i] = cap ? cap : 1;
    before = after;
  }
  return TTB_OK;
}
