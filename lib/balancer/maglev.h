/* SPDX-License-Identifier: MIT */
/* The filling of a Maglev table, apart from where its permutations come from:
 * see maglev.c. */
#ifndef TTB_LIB_BALANCER_MAGLEV_H
#define TTB_LIB_BALANCER_MAGLEV_H

#include "balancer.h"

/* One endpoint while a table is filled. */
typedef struct ttb__maglev_row {
  uint32_t slot, weight;
  uint32_t at;   /* the next entry it wants: first its offset, then on by skip */
  uint32_t skip; /* 1..m-1 */
  uint32_t turns;
} ttb__maglev_row;

/* Fills entry[0..m-1], m prime, by the rows' turns in their order. */
void ttb__maglev_fill(ttb__maglev_row *rows, uint32_t n, uint32_t m, ttb__a32 *entry);

#endif
