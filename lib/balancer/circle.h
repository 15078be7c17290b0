/* SPDX-License-Identifier: MIT */
/* Points on a circle: what ring hash, ketama and nginx's consistent hash have in
 * common. They differ only in where an endpoint's points lie; see circle.c. */
#ifndef TTB_LIB_BALANCER_CIRCLE_H
#define TTB_LIB_BALANCER_CIRCLE_H

#include "balancer.h"

/* A point is three words of a table: its position's halves, and the slot. */
#define TTB__CIRCLE_WORDS 3u

/* Where points are put while a table is built. */
typedef struct ttb__circle {
  ttb__a32 *entry;
  uint32_t n, room; /* points */
} ttb__circle;

/* Circles of 32-bit points have them in the upper half, and below it the rank of
 * who put it there, so that of two equal points the first comes first. */
static inline uint64_t ttb__position32(uint32_t point, uint32_t rank) {
  return (uint64_t)point << 32 | rank;
}

/* Adds a point; without room it does not. */
void ttb__circle_add(ttb__circle *c, uint64_t position, uint32_t slot);
/* Puts the points in the order of their positions. */
void ttb__circle_sort(ttb__circle *c);
/* The first point at or after a position, of n > 0: from the last on to the first. */
uint32_t ttb__circle_find(const ttb__a32 *entry, uint32_t n, uint64_t position);
static inline uint32_t ttb__circle_slot(const ttb__a32 *entry, uint32_t i) {
  return ttb__flip_get32(&entry[TTB__CIRCLE_WORDS * (uint64_t)i + 2]);
}

/* Who has the first point at or after a position, of those who may be picked. */
int64_t ttb__choose_on_circle(ttb__balancer *b, uint64_t position, const ttb__scope *x);
/* The first slot at or after `from`, and on from 0, that may be picked. */
int64_t ttb__choose_near(const ttb__balancer *b, uint32_t from, const ttb__scope *x);

/* A roster in the order of ids, which does not depend on history; order has
 * room for its n slots. */
ttb__roster ttb__roster_by_id(const ttb__roster *r, uint32_t *order);
static inline uint64_t ttb__roster_id(const ttb__roster *r, uint32_t i) {
  return ttb__load_rlx(&ttb__balancer_ids(r->b)[ttb__roster_slot(r, i)]);
}

/* Writes a number in decimal, without a NUL; returns its length, 20 at most. */
uint32_t ttb__decimal(char *to, uint64_t n);

#endif
