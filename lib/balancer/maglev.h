/* SPDX-License-Identifier: MIT */
/* The filling of a Maglev table, apart from where its permutations come from, and
 * what patched maglev shares: see maglev.c. */
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

/* Steps a filling may take in all, per entry: an orderly one takes about ln m
 * (15 at the largest), or m for a single endpoint, which is m in all. */
#define TTB__MAGLEV_STEPS 64u

/* Fills entry[0..m-1], m prime, by the rows' turns in their order. */
void ttb__maglev_fill(ttb__maglev_row *rows, uint32_t n, uint32_t m, ttb__a32 *entry);

/* Where an endpoint's permutation of m entries begins, and its step. */
void ttb__maglev_permutation(uint64_t id, uint32_t m, uint32_t *ret_at, uint32_t *ret_skip);

/* What maglev and patched maglev have in common. */
uint32_t ttb__maglev_size(const ttb_balancer_config *c);
int32_t ttb__maglev_check(const ttb_balancer_config *c, ttb_detail *d);
int64_t ttb__choose_maglev(ttb__balancer *b, uint64_t hash, const ttb__scope *x);

#endif
