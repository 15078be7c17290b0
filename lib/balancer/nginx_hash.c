/* SPDX-License-Identifier: MIT */
/* nginx's plain hash: the key's remainder by the sum of the weights.
 *
 * `hash $key` without `consistent` (ngx_http_upstream_hash_module.c, commit
 * 3f6f782): h = (CRC-32 of the key >> 16) & 0x7fff; h modulo the total weight is a
 * place on the list of servers, each as long as its weight. If that server may not
 * be picked the CRC-32 is taken of "1" and the key, added to h, and so on to "20";
 * then round robin. The hash given holds what is needed for that, the key's CRC-32
 * and its length (ttb_nginx_hash; see crc32.c). Servers are in the order of their
 * ids; nginx has them as configured.
 *
 * I1  With any change of the sum of weights nearly all keys move: it is here for
 *     those who must agree with an nginx.
 * I2  15 bits: of weights that sum to more than 32,768 the rest is met by attempts
 *     only.
 * I3  The table is the slots in the order of ids, then where each one's weight
 *     ends. The first part is what round robin walks. */
#include "circle.h"
#include "crc32.h"
#include "nginx_hash.h"

/* So that weights of 65,535 each sum to less than 2^32. */
#define MAX_ENDPOINTS 65536

#define ATTEMPTS 20u

uint64_t ttb_nginx_hash(const void *key, uint64_t n) {
  if (!key && n > 0) return 0;
  return n << 32 | (uint32_t)~ttb__crc32_add(UINT32_MAX, key, n);
}

uint32_t ttb__nginx_step(uint64_t hash, uint32_t attempt) {
  uint32_t crc = (uint32_t)hash;
  if (attempt > 0) {
    char text[20];
    uint32_t n = ttb__decimal(text, attempt);
    crc = ttb__crc32_join(~ttb__crc32_add(UINT32_MAX, text, n), crc, hash >> 32);
  }
  return crc >> 16 & 0x7fff;
}

static uint32_t entries(const ttb_balancer_config *c) { return 2 * c->capacity; }
static uint64_t scratch(const ttb_balancer_config *c) { return 4 * (uint64_t)c->capacity; }

static uint32_t build(const ttb__roster *r, uint32_t *scratch_words, ttb__copy *copy) {
  ttb__roster sorted = ttb__roster_by_id(r, scratch_words);
  uint32_t end = 0;
  for (uint32_t i = 0; i < r->n; i++) {
    end += ttb__roster_weight(&sorted, i);
    ttb__flip_put32(&copy->entry[i], ttb__roster_slot(&sorted, i));
    ttb__flip_put32(&copy->entry[r->b->capacity + i], end);
  }
  return r->n;
}

/* The first endpoint whose weight ends behind a place. */
static uint32_t at_place(const ttb__a32 *end, uint32_t n, uint32_t place) {
  uint32_t low = 0, high = n - 1;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (ttb__flip_get32(&end[middle]) <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  uint32_t n = b->seen_length < b->capacity ? b->seen_length : b->capacity, sum = 0;
  if (n == 0) return TTB_NO_ENDPOINT;
  const ttb__a32 *end = b->seen->entry + b->capacity;
  uint32_t total = ttb__flip_get32(&end[n - 1]);
  for (uint32_t i = 0; i <= ATTEMPTS && total > 0; i++) {
    sum += ttb__nginx_step(hash, i);
    uint32_t slot = ttb__balancer_entry(b, at_place(end, n, sum % total));
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w) return ttb__candidate(slot, w);
  }
  return ttb__choose_turn(b, hash, x);
}

const ttb__algorithm ttb__nginx_hash = {
    .number = TTB_BALANCER_NGINX_HASH,
    .max_endpoints = MAX_ENDPOINTS,
    .hashes = 1,
    .weighs = 1,
    .entries = entries,
    .scratch = scratch,
    .build = build,
    .choose = choose,
};
