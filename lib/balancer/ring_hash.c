/* SPDX-License-Identifier: MIT */
/* Ring hash, with the points where Envoy and gRPC have them.
 *
 * The placement is that of Envoy's ring_hash (source/extensions/
 * load_balancing_policies/ring_hash, commit 13e9fdb) and of gRPC's (gRFC A42):
 * host by host, the points so far are brought up to the weights so far times a
 * scale, and the scale is such that the lightest host has a whole number of
 * points and the ring at least a given size, unless that would exceed the
 * largest. Point i of a host is XXH64 of its key, '_' and i. An endpoint's key is
 * its id in decimal, and endpoints are in the order of their ids; so balancers
 * with the same ids and weights agree, with each other and with an Envoy whose
 * hosts hash by hostname and are called "17", "18", ...
 *
 * I1  Counts are exact (integers); Envoy adds up doubles. They differ only where
 *     a sum of weights falls on a whole number that the double misses.
 * I2  The number of points of a weight follows from all weights: when an
 *     endpoint comes or goes others may gain or lose a point or two, and the
 *     keys before those move. */
#include "ring_hash.h"

#define LEAST_SIZE 1024u /* Envoy's and gRPC's minimum */
#define MAX_SIZE 5000011u
#define POINTS_EACH 160u /* in the default size: as ketama; 1,024 for 1,000 hosts is too few */

/* ---- the rule ---- */

ttb__ring_scale ttb__ring_scale_of(uint64_t sum, uint64_t least, uint64_t min, uint64_t max) {
  uint64_t points = (least * min + sum - 1) / sum; /* of the lightest */
  if (points * sum > max * least) return (ttb__ring_scale){max, sum};
  return (ttb__ring_scale){points, least};
}

uint64_t ttb__ring_up_to(ttb__ring_scale scale, uint64_t s) {
  return (s * scale.times + scale.per - 1) / scale.per;
}

void ttb__ring_place(ttb__circle *c, char *text, uint32_t n, uint32_t slot, uint64_t count,
                     ttb__ring_hasher hash, uint64_t seed) {
  text[n] = '_';
  for (uint32_t i = 0; i < count && c->n < c->room; i++)
    ttb__circle_add(c, hash(text, n + 1 + ttb__decimal(text + n + 1, i), seed), slot);
}

/* ---- the algorithm ---- */

static uint32_t table_size(const ttb_balancer_config *c) {
  if (c->table_size) return c->table_size;
  uint64_t size = POINTS_EACH * (uint64_t)c->capacity;
  return size < LEAST_SIZE ? LEAST_SIZE : size < MAX_SIZE ? (uint32_t)size : MAX_SIZE;
}

static int32_t check(const ttb_balancer_config *c, ttb_detail *d) {
  if (table_size(c) < c->capacity)
    return ttb__fail(d, TTB_ERR_NOSPACE, "table_size", -1, table_size(c), c->capacity, MAX_SIZE);
  return TTB_OK;
}

/* table_size is the ring's least size, twice that its largest. */
static uint32_t entries(const ttb_balancer_config *c) {
  return TTB__CIRCLE_ENTRIES(2 * table_size(c));
}

static uint64_t scratch(const ttb_balancer_config *c) { return 4 * (uint64_t)c->capacity; }

static uint32_t build(const ttb__roster *r, uint32_t *scratch_words, ttb__copy *copy) {
  ttb__circle c = ttb__circle_of(r->b, copy);
  ttb__roster sorted = ttb__roster_by_id(r, scratch_words);
  uint64_t sum = 0, least = UINT32_MAX;
  for (uint32_t i = 0; i < r->n; i++) {
    uint32_t weight = ttb__roster_weight(&sorted, i);
    sum += weight;
    if (weight < least) least = weight;
  }
  ttb__ring_scale scale = ttb__ring_scale_of(sum, least, c.room / 2, c.room);
  uint64_t total = ttb__ring_up_to(scale, sum), before = 0, so_far = 0;
  uint32_t worst = 0;
  for (uint32_t i = 0; i < r->n; i++) {
    char text[20 + 11];
    uint64_t weight = ttb__roster_weight(&sorted, i);
    uint64_t count = ttb__ring_up_to(scale, before += weight) - so_far;
    so_far += count;
    ttb__ring_place(&c, text, ttb__decimal(text, ttb__roster_id(&sorted, i)),
                    ttb__roster_slot(&sorted, i), count, ttb_hash, 0);
    uint32_t error = ttb__error_ppm(count * sum, weight * total);
    if (error > worst) worst = error;
  }
  ttb__circle_sort(&c);
  ttb__flip_put32(&copy->error_ppm, worst);
  return c.n;
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  return ttb__choose_on_circle(b, hash, x);
}

const ttb__algorithm ttb__ring_hash = {
    .number = TTB_BALANCER_RING_HASH,
    .max_endpoints = TTB_MAX_SLOTS,
    .weighs = 1,
    .check = check,
    .hashes = 1,
    .entries = entries,
    .scratch = scratch,
    .build = build,
    .choose = choose,
};
