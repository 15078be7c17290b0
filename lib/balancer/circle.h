/* SPDX-License-Identifier: MIT */
/* Points on a circle: what ring hash, ketama and nginx's consistent hash have in
 * common. They differ only in where an endpoint's points lie; see circle.c. */
#ifndef TTB_LIB_BALANCER_CIRCLE_H
#define TTB_LIB_BALANCER_CIRCLE_H

#include "balancer.h"

/* A table of points, or one being built. By its room, which is a matter of the
 * configuration, three parts of it have their places:
 *
 *     [0]             each point's hand: 12 bits of its position below those of the
 *                     index, and 20 of the slot; behind the last the first again
 *     [room + 1]      the index: where the points of each of 2^bits equal arcs begin
 *     [2 room + 2]    the positions, two words each
 *
 * A lookup reads a word or two of the index and of the hands. It needs the
 * positions only where 12 bits cannot tell, once in thousands. */
typedef struct ttb__circle {
  ttb__a32 *entry;
  uint32_t n, room; /* points */
  uint32_t bits;    /* floor(log2 n) */
} ttb__circle;

#define TTB__CIRCLE_ENTRIES(room) (4 * (room) + 2)

/* Circles of 32-bit points have them in the upper half, and below it the rank of
 * who put it there, so that of two equal points the first comes first. */
static inline uint64_t ttb__position32(uint32_t point, uint32_t rank) {
  return (uint64_t)point << 32 | rank;
}

/* Adds a point; without room it does not. */
void ttb__circle_add(ttb__circle *c, uint64_t position, uint32_t slot);
/* Puts the points in the order of their positions, of equal ones in that of their
 * slots, and makes the index. */
void ttb__circle_sort(ttb__circle *c);
/* The first point at or after a position, of n > 0: from the last on to the first. */
uint32_t ttb__circle_find(const ttb__circle *c, uint64_t position);
static inline uint32_t ttb__circle_slot(const ttb__circle *c, uint32_t i) {
  return ttb__flip_get32(&c->entry[i]) & TTB__GEN_MASK;
}

/* The points a table has room for. */
static inline uint32_t ttb__circle_room(const ttb__balancer *b) { return b->entries / 4; }
static inline ttb__circle ttb__circle_of(const ttb__balancer *b, ttb__copy *copy) {
  return (ttb__circle){.entry = copy->entry, .room = ttb__circle_room(b)};
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
