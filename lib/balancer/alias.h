/* SPDX-License-Identifier: MIT */
/* The alias table of weighted_random.c, for others who draw by weight: three words
 * a column (who is below, who is above, from which height on), column i's first
 * word being roster entry i. */
#ifndef TTB_LIB_BALANCER_ALIAS_H
#define TTB_LIB_BALANCER_ALIAS_H

#include "balancer.h"

#define TTB__ALIAS_WORDS 3u

uint64_t ttb__alias_scratch(const ttb_balancer_config *c);
/* The number of columns, which is that of endpoints. */
uint32_t ttb__alias_build(const ttb__roster *r, uint32_t *scratch, ttb__copy *copy);

/* Draws one of n columns by weight. */
static inline uint32_t ttb__alias_draw(const ttb__balancer *b, uint32_t n, uint64_t random) {
  uint64_t at = TTB__ALIAS_WORDS * (uint64_t)ttb__scale32((uint32_t)random, n);
  const ttb__a32 *column = &b->seen->entry[at];
  return ttb__flip_get32(&column[(uint32_t)(random >> 32) >= ttb__flip_get32(&column[2])]);
}

#endif
