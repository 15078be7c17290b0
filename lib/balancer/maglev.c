/* SPDX-License-Identifier: MIT */
/* Maglev hashing: the same hash, the same endpoint, by one load.
 *
 * D. Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
 * Balancer" (NSDI 2016), section 3.4: each endpoint has its own permutation of
 * the table's entries, (offset + j * skip) mod m; in turns each takes the first of
 * its entries that is still free. Weights as in Envoy's maglev: in round k an
 * endpoint has a turn if k * weight >= its turns so far * the largest weight.
 * Offset and skip are XXH64 of the id's 8 bytes (little-endian) with seeds 0 and 1,
 * modulo m, and modulo m - 1 plus 1, and rows are in the order of the ids; so
 * balancers with the same ids and weights agree whatever their history.
 *
 * I1  An ineligible endpoint keeps its entries: nothing is rebuilt, its keys go
 *     on to the next eligible entry of the table, each always to the same, and
 *     come back. Other keys do not move at all.
 * I2  As I2 of weighted_round_robin.c, for scratch memory. */
#include "maglev.h"

#define DEFAULT_SIZE 65537u
#define MAX_SIZE 5000011u

static bool is_prime(uint32_t m) {
  if (m < 2) return false;
  for (uint32_t d = 2; d * d <= m; d++)
    if (m % d == 0) return false;
  return true;
}

uint32_t ttb__maglev_size(const ttb_balancer_config *c) {
  return c->table_size ? c->table_size : DEFAULT_SIZE;
}

int32_t ttb__maglev_check(const ttb_balancer_config *c, ttb_detail *d) {
  uint32_t m = ttb__maglev_size(c);
  if (!is_prime(m)) return ttb__fail(d, TTB_ERR_RANGE, "table_size", -1, m, 2, MAX_SIZE);
  if (m < c->capacity)
    return ttb__fail(d, TTB_ERR_NOSPACE, "table_size", -1, m, c->capacity, MAX_SIZE);
  return TTB_OK;
}

static uint64_t scratch(const ttb_balancer_config *c) {
  return sizeof(ttb__maglev_row) * (uint64_t)c->capacity;
}

/* ---- filling ---- */

void ttb__maglev_fill(ttb__maglev_row *rows, uint32_t n, uint32_t m, ttb__a32 *entry) {
  uint64_t steps = (uint64_t)m * TTB__MAGLEV_STEPS, filled = 0;
  uint32_t max_weight = 1;
  for (uint32_t i = 0; i < m; i++) ttb__flip_put32(&entry[i], TTB__NO_SLOT);
  for (uint32_t i = 0; i < n; i++)
    if (rows[i].weight > max_weight) max_weight = rows[i].weight;

  for (uint64_t round = 1; filled < m && round <= m; round++) {
    for (uint32_t i = 0; i < n && filled < m; i++) {
      ttb__maglev_row *r = &rows[i];
      if (round * r->weight < (uint64_t)r->turns * max_weight) continue;
      uint32_t at = r->at % m, skip = r->skip % m;
      while (ttb__load_rlx(&entry[at]) != TTB__NO_SLOT) {
        if (steps-- == 0) return; /* hostile memory: what is left is nobody's */
        at = at >= m - skip ? at - (m - skip) : at + skip;
      }
      ttb__flip_put32(&entry[at], r->slot);
      r->at = at; /* taken: the next search goes on from it */
      r->turns++;
      filled++;
    }
  }
}

/* Heapsort by id: in place, and its indices do not depend on what it reads. */
static bool after(const ttb__roster *r, const ttb__maglev_row *a, const ttb__maglev_row *b) {
  const ttb__a64 *ids = ttb__balancer_ids(r->b);
  uint32_t last = r->b->capacity - 1;
  return ttb__load_rlx(&ids[a->slot < last ? a->slot : last]) >
         ttb__load_rlx(&ids[b->slot < last ? b->slot : last]);
}

static void sink(const ttb__roster *r, ttb__maglev_row *rows, uint32_t k, uint32_t n) {
  ttb__maglev_row row = rows[k];
  for (uint32_t child = 2 * k + 1; child < n; k = child, child = 2 * k + 1) {
    if (child + 1 < n && after(r, &rows[child + 1], &rows[child])) child++;
    if (!after(r, &rows[child], &row)) break;
    rows[k] = rows[child];
  }
  rows[k] = row;
}

static void sort(const ttb__roster *r, ttb__maglev_row *rows, uint32_t n) {
  for (uint32_t k = n / 2; k-- > 0;) sink(r, rows, k, n);
  while (n > 1) {
    ttb__maglev_row top = rows[0];
    rows[0] = rows[--n];
    rows[n] = top;
    sink(r, rows, 0, n);
  }
}

void ttb__maglev_permutation(uint64_t id, uint32_t m, uint32_t *ret_at, uint32_t *ret_skip) {
  unsigned char key[8];
  for (int k = 0; k < 8; k++) key[k] = (unsigned char)(id >> 8 * k);
  *ret_at = (uint32_t)(ttb_hash(key, sizeof key, 0) % m);
  *ret_skip = (uint32_t)(ttb_hash(key, sizeof key, 1) % (m - 1) + 1);
}

static uint32_t build(const ttb__roster *r, uint32_t *scratch_words, ttb__copy *copy) {
  ttb__maglev_row *rows = (ttb__maglev_row *)scratch_words;
  uint32_t m = r->b->entries;
  for (uint32_t i = 0; i < r->n; i++) {
    uint32_t slot = ttb__roster_slot(r, i);
    uint64_t id = ttb__load_rlx(&ttb__balancer_ids(r->b)[slot]);
    rows[i] = (ttb__maglev_row){.slot = slot, .weight = ttb__roster_weight(r, i)};
    ttb__maglev_permutation(id, m, &rows[i].at, &rows[i].skip);
  }
  sort(r, rows, r->n);
  ttb__maglev_fill(rows, r->n, m, copy->entry);
  return m;
}

/* ---- lookup ---- */

int64_t ttb__choose_maglev(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  uint32_t m = b->seen_length;
  if (m == 0) return TTB_NO_ENDPOINT;
  uint32_t at = ttb__mod(hash, m, b->seen_inverse);
  for (uint32_t i = 0; i < m; i++) {
    uint32_t slot = ttb__balancer_entry(b, at);
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w) return ttb__candidate(slot, w);
    if (i == ttb__balancer_tries(b, x) && !ttb__balancer_any(b, x)) break;
    at = at + 1 == m ? 0 : at + 1;
  }
  return TTB_NO_ENDPOINT;
}

const ttb__algorithm ttb__maglev = {
    .number = TTB_BALANCER_MAGLEV,
    .max_endpoints = TTB_MAX_SLOTS,
    .weighs = 1,
    .check = ttb__maglev_check,
    .hashes = 1,
    .entries = ttb__maglev_size,
    .scratch = scratch,
    .build = build,
    .choose = ttb__choose_maglev,
};
