/* SPDX-License-Identifier: MIT */
/* Weighted random: one draw, whatever the number of endpoints.
 *
 * M. D. Vose, "A Linear Algorithm for Generating Random Numbers with a Given
 * Distribution" (IEEE TSE 1991), the alias method of A. J. Walker: n columns of
 * equal height hold one endpoint, or two, one above the other. A draw is a column
 * and a height.
 *
 * I1  In integers: an endpoint of weight w has w * n of the sum W of the weights in
 *     each column's units. Only the height where the second begins is rounded,
 *     down to 2^-32 of a column.
 * I2  An ineligible endpoint's draws are drawn again, so the others keep their
 *     proportions; when too few draws hit, all who may be picked are gone through
 *     with the same chances.
 * I3  As I2 of weighted_round_robin.c, for scratch memory. */
#include "alias.h"

#define MAX_ENDPOINTS 1048576

static uint32_t entries(const ttb_balancer_config *c) { return TTB__ALIAS_WORDS * c->capacity; }

/* A word for alignment, 8 bytes of what is left, 4 of a list. */
uint64_t ttb__alias_scratch(const ttb_balancer_config *c) { return 4 + 12 * (uint64_t)c->capacity; }

/* a / b in Q32, for a < b < 2^48. */
static uint32_t ratio(uint64_t a, uint64_t b) {
  uint64_t high = (a << 16) / b, low = ((a << 16) % b << 16) / b;
  return (uint32_t)(high << 16 | low);
}

uint32_t ttb__alias_build(const ttb__roster *r, uint32_t *scratch_words, ttb__copy *copy) {
  uint32_t n = r->n, capacity = r->b->capacity, scarce = 0, ample = 0;
  uint64_t *left = (uint64_t *)(void *)(scratch_words + (capacity & 1));
  /* The scarce from the front, the ample from the back. */
  uint32_t *list = (uint32_t *)(void *)(left + capacity);
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += ttb__roster_weight(r, i);
  for (uint32_t i = 0; i < n; i++) {
    left[i] = (uint64_t)ttb__roster_weight(r, i) * n;
    if (left[i] < sum) list[scarce++] = i;
    else list[n - ++ample] = i;
  }
  /* Whoever is left over has a column for itself. */
  for (uint32_t i = 0; i < n; i++) {
    ttb__a32 *column = &copy->entry[TTB__ALIAS_WORDS * (uint64_t)i];
    ttb__flip_put32(&column[0], ttb__roster_slot(r, i));
    ttb__flip_put32(&column[1], ttb__roster_slot(r, i));
    ttb__flip_put32(&column[2], UINT32_MAX);
  }
  while (scarce > 0 && ample > 0) {
    uint32_t poor = list[--scarce], rich = list[n - ample];
    if (poor >= n || rich >= n || left[poor] >= sum) break; /* hostile memory */
    ttb__a32 *column = &copy->entry[TTB__ALIAS_WORDS * (uint64_t)poor];
    ttb__flip_put32(&column[1], ttb__roster_slot(r, rich));
    ttb__flip_put32(&column[2], ratio(left[poor], sum));
    left[rich] -= sum - left[poor];
    if (left[rich] >= sum) continue;
    ample--;
    list[scarce++] = rich;
  }
  return n;
}

/* One of all that may be picked, by weight: a reservoir of one. */
TTB__SELDOM static int64_t search(ttb__balancer *b, const ttb__scope *x) {
  int64_t found = TTB_NO_ENDPOINT;
  uint64_t sum = 0;
  for (uint32_t slot = ttb__balancer_next(b, 0, x); slot < b->capacity;
       slot = ttb__balancer_next(b, slot + 1, x)) {
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (!w) continue;
    sum += ttb__word_weight(w);
    if (ttb__mulhi(ttb__random_next(&b->random), sum) < ttb__word_weight(w))
      found = ttb__candidate(slot, w);
  }
  return found;
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  (void)hash;
  uint32_t n = b->seen_length;
  if (n > b->entries / TTB__ALIAS_WORDS) n = b->entries / TTB__ALIAS_WORDS;
  if (n == 0) return TTB_NO_ENDPOINT;
  for (uint32_t i = 0; i < ttb__balancer_tries(b, x); i++) {
    uint32_t slot = ttb__alias_draw(b, n, ttb__random_next(&b->random));
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w) return ttb__candidate(slot, w);
  }
  return search(b, x);
}

const ttb__algorithm ttb__weighted_random = {
    .number = TTB_BALANCER_WEIGHTED_RANDOM,
    .max_endpoints = MAX_ENDPOINTS,
    .weighs = 1,
    .entries = entries,
    .scratch = ttb__alias_scratch,
    .build = ttb__alias_build,
    .choose = choose,
};
