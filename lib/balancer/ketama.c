/* SPDX-License-Identifier: MIT */
/* Ketama, with the points where libmemcached has them.
 *
 * R. Jones' ketama (Last.fm, 2007) as libmemcached 1.1.4 does it with
 * MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED: of n servers one of share s has
 * floor(40 * n * s) texts "name-k", and each text's MD5 is four points of 32 bits,
 * little-endian. (Without weights libmemcached makes one point of each of 100
 * texts, spymemcached of others; ttb__ketama_place does all three.) An endpoint's
 * name is its id in decimal. A key's position is the low half of the hash given:
 * ttb_ketama_hash makes libmemcached's.
 *
 * I1  The number of texts comes from libmemcached's single precision, step by
 *     step; a product of two floats, or their quotient, is rounded once wherever
 *     it is computed (24 bits twice are 48: doubles and x87 hold them).
 * I2  Equal points belong to the lower id; libmemcached leaves that to qsort. */
#include "ketama.h"
#include "md5.h"

/* 160 points each, in 64 MB of tables. */
#define MAX_ENDPOINTS 16384

/* Shares may be rounded up to a whole text: one more each. */
#define POINTS_EACH 164u

uint32_t ttb__ketama_texts(uint32_t weight, uint64_t sum, uint32_t n) {
  float share = (float)weight / (float)sum;
  float points = share * 160.0f;
  float texts = points / 4.0f;
  texts = texts * (float)n;
  return texts < 1e6f ? (uint32_t)texts : 1000000; /* hostile weights; 655,360 is the most */
}

void ttb__ketama_place(ttb__circle *c, char *text, uint32_t n, uint32_t slot, uint32_t rank,
                       uint32_t texts, uint32_t points_per_text) {
  text[n] = '-';
  for (uint32_t k = 0; k < texts && c->n < c->room; k++) {
    ttb__md5 md = ttb__md5_of(text, n + 1 + ttb__decimal(text + n + 1, k));
    for (uint32_t i = 0; i < points_per_text && i < 4; i++)
      ttb__circle_add(c, ttb__position32(md.word[i], rank), slot);
  }
}

uint64_t ttb_ketama_hash(const void *key, uint64_t n) {
  return key || n == 0 ? ttb__md5_of(key, n).word[0] : 0;
}

/* ---- the algorithm ---- */

static uint32_t entries(const ttb_balancer_config *c) {
  return TTB__CIRCLE_ENTRIES(POINTS_EACH * c->capacity);
}

static uint64_t scratch(const ttb_balancer_config *c) { return 4 * (uint64_t)c->capacity; }

static uint32_t build(const ttb__roster *r, uint32_t *scratch_words, ttb__copy *copy) {
  ttb__circle c = ttb__circle_of(r->b, copy);
  ttb__roster sorted = ttb__roster_by_id(r, scratch_words);
  uint64_t sum = 0, total = 0;
  uint32_t worst = 0;
  for (uint32_t i = 0; i < r->n; i++) sum += ttb__roster_weight(&sorted, i);
  for (uint32_t i = 0; i < r->n; i++)
    total += ttb__ketama_texts(ttb__roster_weight(&sorted, i), sum, r->n);
  for (uint32_t i = 0; i < r->n; i++) {
    char text[20 + 11];
    uint32_t weight = ttb__roster_weight(&sorted, i), texts = ttb__ketama_texts(weight, sum, r->n);
    ttb__ketama_place(&c, text, ttb__decimal(text, ttb__roster_id(&sorted, i)),
                      ttb__roster_slot(&sorted, i), i, texts, 4);
    uint32_t error = ttb__error_ppm(texts * sum, weight * total);
    if (error > worst) worst = error;
  }
  ttb__circle_sort(&c);
  ttb__flip_put32(&copy->error_ppm, worst);
  return c.n;
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  return ttb__choose_on_circle(b, ttb__position32((uint32_t)hash, 0), x);
}

const ttb__algorithm ttb__ketama = {
    .number = TTB_BALANCER_KETAMA,
    .max_endpoints = MAX_ENDPOINTS,
    .weighs = 1,
    .hashes = 1,
    .entries = entries,
    .scratch = scratch,
    .build = build,
    .choose = choose,
};
