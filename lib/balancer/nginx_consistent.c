/* SPDX-License-Identifier: MIT */
/* nginx's consistent hash, with the points where nginx has them.
 *
 * `hash $key consistent` (ngx_http_upstream_hash_module.c, commit 3f6f782, which
 * follows Perl's Cache::Memcached::Fast): a server of weight w has 160 * w points
 * of 32 bits. Each is the CRC-32 of host, a zero byte, port and the point before
 * (4 bytes, little-endian; 0 before the first). An endpoint's host is its id in
 * decimal, and it has no port. A key's position is the low half of the hash given:
 * nginx's is the CRC-32 of the key.
 *
 * I1  An endpoint's points depend on its id and weight only: when one comes or
 *     goes, no key moves between two others. This holds while 160 points a weight
 *     fit into table_size; if they do not, everybody has fewer in proportion (one
 *     at least), and weight_error_ppm says how far off that is.
 * I2  Equal points belong to the lower id; nginx keeps whichever qsort puts
 *     first. */
#include "nginx_consistent.h"
#include "crc32.h"

#define POINTS 160u
#define MAX_SIZE 5000011u
#define MAX_ENDPOINTS 31250 /* of weight 1 */

/* Rooms for weights of 4 in the mean. */
#define DEFAULT_WEIGHT 4u

uint32_t ttb__nginx_base(const void *text, uint32_t n) {
  return ttb__crc32_add(UINT32_MAX, text, n);
}

uint32_t ttb__nginx_point(uint32_t base, uint32_t before) {
  const unsigned char le[4] = {(unsigned char)before, (unsigned char)(before >> 8),
                               (unsigned char)(before >> 16), (unsigned char)(before >> 24)};
  return ~ttb__crc32_add(base, le, 4);
}

/* ---- the algorithm ---- */

static uint32_t table_size(const ttb_balancer_config *c) {
  if (c->table_size) return c->table_size;
  uint64_t size = (uint64_t)POINTS * DEFAULT_WEIGHT * c->capacity;
  return size < MAX_SIZE ? (uint32_t)size : MAX_SIZE;
}

static int32_t check(const ttb_balancer_config *c, ttb_detail *d) {
  uint32_t least = POINTS * c->capacity;
  if (table_size(c) < least)
    return ttb__fail(d, TTB_ERR_NOSPACE, "table_size", -1, table_size(c), least, MAX_SIZE);
  return TTB_OK;
}

static uint32_t entries(const ttb_balancer_config *c) { return TTB__CIRCLE_ENTRIES(table_size(c)); }
static uint64_t scratch(const ttb_balancer_config *c) { return 4 * (uint64_t)c->capacity; }

static uint64_t points_of(uint64_t weight, uint64_t sum, uint32_t n, uint32_t room) {
  if (sum * POINTS <= room) return weight * POINTS;
  uint64_t points = weight * (room - n) / sum;
  return points ? points : 1;
}

static uint32_t build(const ttb__roster *r, uint32_t *scratch_words, ttb__copy *copy) {
  ttb__circle c = ttb__circle_of(r->b, copy);
  ttb__roster sorted = ttb__roster_by_id(r, scratch_words);
  uint64_t sum = 0, total = 0;
  uint32_t worst = 0;
  for (uint32_t i = 0; i < r->n; i++) sum += ttb__roster_weight(&sorted, i);
  for (uint32_t i = 0; i < r->n; i++)
    total += points_of(ttb__roster_weight(&sorted, i), sum, r->n, c.room);
  for (uint32_t i = 0; i < r->n; i++) {
    char text[20 + 1];
    uint64_t weight = ttb__roster_weight(&sorted, i);
    uint64_t points = points_of(weight, sum, r->n, c.room);
    uint32_t n = ttb__decimal(text, ttb__roster_id(&sorted, i)), point = 0;
    text[n] = 0;
    uint32_t base = ttb__nginx_base(text, n + 1);
    for (uint64_t k = 0; k < points && c.n < c.room; k++) {
      point = ttb__nginx_point(base, point);
      ttb__circle_add(&c, ttb__position32(point, i), ttb__roster_slot(&sorted, i));
    }
    uint32_t error = ttb__error_ppm(points * sum, weight * total);
    if (error > worst) worst = error;
  }
  ttb__circle_sort(&c);
  ttb__flip_put32(&copy->error_ppm, worst);
  return c.n;
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  return ttb__choose_on_circle(b, ttb__position32((uint32_t)hash, 0), x);
}

const ttb__algorithm ttb__nginx_consistent = {
    .number = TTB_BALANCER_NGINX_CONSISTENT,
    .max_endpoints = MAX_ENDPOINTS,
    .weighs = 1,
    .check = check,
    .hashes = 1,
    .entries = entries,
    .scratch = scratch,
    .build = build,
    .choose = choose,
};
