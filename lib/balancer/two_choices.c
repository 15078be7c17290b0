/* SPDX-License-Identifier: MIT */
/* Power of two choices: draw two different endpoints, take the less loaded.
 *
 * M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (IEEE
 * TPDS 2001): the largest load is O(log log n) above the mean instead of
 * O(log n / log log n) for one choice. Drawn without replacement (with it, one
 * can draw the busiest twice: envoyproxy/envoy#14859). Load is in flight per
 * weight, compared by cross multiplication; equal loads are decided by chance in
 * proportion to the weights (equal weights: a random bit), so that also an idle
 * fleet shows its weights.
 *
 * I1  Both candidates are eligible; if many are not, single draws look for two
 *     that are, and at last all are looked at. So it refuses only if nobody may
 *     be picked. */
#include "balancer.h"

typedef struct candidate {
  uint32_t slot;
  uint64_t word; /* 0: not eligible */
} candidate;

/* coin: 32 random bits. */
static inline int64_t better(const ttb__balancer *b, candidate i, candidate j, uint32_t coin) {
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  uint64_t wi = ttb__word_weight(i.word), wj = ttb__word_weight(j.word);
  uint64_t li = ttb__in_flight(ttb__endpoint_at(b, i.slot), active) * wj;
  uint64_t lj = ttb__in_flight(ttb__endpoint_at(b, j.slot), active) * wi;
  bool first = li == lj ? coin * (wi + wj) >> 32 < wi : li < lj;
  return first ? ttb__candidate(i.slot, i.word) : ttb__candidate(j.slot, j.word);
}

/* Draws an eligible endpoint other than `avoid`, or gives up. */
static candidate draw(ttb__balancer *b, const ttb__scope *x, uint32_t avoid) {
  candidate c = {TTB__NO_SLOT, 0};
  for (uint32_t i = 0; i < ttb__balancer_tries(b, x) && c.word == 0; i++) {
    uint32_t at = ttb__scale32((uint32_t)(ttb__random_next(&b->random) >> 32), b->seen_length);
    c.slot = ttb__balancer_entry(b, at);
    c.word = c.slot == avoid ? 0 : ttb__eligible_word(b, c.slot, x);
  }
  return c;
}

/* Where one of the first two was not eligible. */
TTB__SELDOM static int64_t search(ttb__balancer *b, const ttb__scope *x) {
  candidate i = draw(b, x, TTB__NO_SLOT);
  if (!i.word) return ttb__choose_least(b, 0, x);
  candidate j = draw(b, x, i.slot);
  if (!j.word) return ttb__choose_least(b, 0, x);
  return better(b, i, j, (uint32_t)ttb__random_next(&b->random));
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  (void)hash;
  uint32_t n = b->seen_length;
  if (n < 2) return ttb__choose_least(b, 0, x);
  /* One number makes three: its low half the first draw, what scaling leaves of
   * that the coin, its high half the second draw among the others. */
  uint64_t r = ttb__random_next(&b->random), first = (r & UINT32_MAX) * n;
  uint32_t p = (uint32_t)(first >> 32), q = ttb__scale32((uint32_t)(r >> 32), n - 1);
  q += q >= p;
  candidate i = {ttb__balancer_entry(b, p), 0}, j = {ttb__balancer_entry(b, q), 0};
  i.word = ttb__eligible_word(b, i.slot, x);
  j.word = ttb__eligible_word(b, j.slot, x);
  if (!i.word || !j.word) return search(b, x);
  return better(b, i, j, (uint32_t)first);
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
