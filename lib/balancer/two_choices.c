/* SPDX-License-Identifier: MIT */
/* Power of two choices: draw two different endpoints, take the less loaded.
 *
 * M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (IEEE
 * TPDS 2001): the largest load is O(log log n) above the mean instead of
 * O(log n / log log n) for one choice. Load is in flight per weight, compared by
 * cross multiplication; equal loads are decided by chance in proportion to the
 * weights. */
#include "two.h"

/* Without a branch: nobody foresees which of two is better, and idle fleets are
 * ties decided by chance. */
static inline int64_t better(const ttb__balancer *b, ttb__two i, ttb__two j, uint32_t coin) {
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  uint64_t wi = ttb__word_weight(i.word), wj = ttb__word_weight(j.word);
  const ttb__a32 *of_i = ttb__cell_at(b, i.slot, 0), *of_j = ttb__cell_at(b, j.slot, 0);
  uint32_t in_i = 0, in_j = 0; /* calls in flight, as ttb__in_flight */
  for (uint32_t row = 0; row < active; row++) {
    in_i += ttb__load_rlx(&of_i[row]);
    in_j += ttb__load_rlx(&of_j[row]);
  }
  uint64_t li = (in_i & TTB__CELL_COUNT) * wj, lj = (in_j & TTB__CELL_COUNT) * wi;
  bool first = li < lj + ttb__first_of_equals(wi, wj, coin); /* of equals, or less */
  int64_t ci = ttb__candidate(i.slot, i.word), cj = ttb__candidate(j.slot, j.word);
  return cj ^ ((ci ^ cj) & -(int64_t)first);
}

TTB__SELDOM static int64_t search(ttb__balancer *b, const ttb__scope *x) {
  ttb__two i = ttb__draw(b, x, TTB__NO_SLOT), j = {TTB__NO_SLOT, 0};
  if (i.word) j = ttb__draw(b, x, i.slot);
  if (!j.word) return ttb__choose_least(b, 0, x);
  return better(b, i, j, (uint32_t)ttb__random_next(&b->random));
}

TTB__SELDOM static int64_t choose_scoped(ttb__balancer *b, const ttb__scope *x) {
  ttb__two i, j;
  if (b->seen_length < 2) return ttb__choose_least(b, 0, x);
  uint32_t coin = ttb__draw_two(b, x, &i, &j);
  return i.word && j.word ? better(b, i, j, coin) : search(b, x);
}

/* The plain pick apart: what calls nothing saves no registers. */
static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  ttb__two i, j;
  (void)hash;
  if (x || b->seen_length < 2) return choose_scoped(b, x);
  uint32_t coin = ttb__draw_two(b, NULL, &i, &j);
  return i.word && j.word ? better(b, i, j, coin) : search(b, NULL);
}

const ttb__algorithm ttb__two_choices = {
    .number = TTB_BALANCER_TWO_CHOICES,
    .max_endpoints = TTB_MAX_SLOTS,
    .tracks = 1,
    .entries = ttb__roster_entries,
    .scratch = ttb__no_scratch,
    .build = ttb__roster_build,
    .choose = choose,
};
