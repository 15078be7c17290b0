/* SPDX-License-Identifier: MIT */
/* The points of Envoy's ring, apart from whose keys they are made of: see
 * ring_hash.c. */
#ifndef TTB_LIB_BALANCER_RING_HASH_H
#define TTB_LIB_BALANCER_RING_HASH_H

#include "circle.h"

/* How many points the first of the hosts have, whose weights sum to s:
 * ceil(s * times / per). */
typedef struct ttb__ring_scale {
  uint64_t times, per;
} ttb__ring_scale;

/* sum and least are those of the weights, both above 0; min and max points. */
ttb__ring_scale ttb__ring_scale_of(uint64_t sum, uint64_t least, uint64_t min, uint64_t max);
uint64_t ttb__ring_up_to(ttb__ring_scale scale, uint64_t s);

typedef uint64_t (*ttb__ring_hasher)(const void *key, uint64_t n, uint64_t seed);

/* Adds `count` points of the host whose key is the n bytes at text, where 11 more
 * bytes have room: point i is the hash of key, '_' and i in decimal. */
void ttb__ring_place(ttb__circle *c, char *text, uint32_t n, uint32_t slot, uint64_t count,
                     ttb__ring_hasher hash, uint64_t seed);

#endif
