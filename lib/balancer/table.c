/* SPDX-License-Identifier: MIT */
/* Tables: the flip-published one that algorithms read, and the index of ids.
 *
 * I1  Both are made from the endpoints' words and ids alone, so doing it again
 *     at any time, also after a writer was killed in the middle, is right. Tables
 *     whose keys must not move (patched maglev, anchor) are made from these and
 *     the published copy, which no writer touches; what a killed one left in the
 *     idle copy is never read.
 * I2  The index is written by the holder of the owner lock, in place, and is
 *     exact for the next one. Readers take a hit for a hit after looking at the
 *     endpoint itself, and a miss for a reason to look at all of them. */
#include "balancer.h"

#include <string.h>

void ttb__balancer_refresh(ttb__balancer *b, uint64_t generation) {
  b->seen_generation = generation;
  b->seen = ttb__balancer_part(b, b->copies_at[ttb__flip_copy(generation)]);
  uint32_t length = ttb__flip_get32(&b->seen->length);
  b->seen_length = length < b->entries ? length : b->entries;
  for (b->seen_bits = 0; b->seen_length >> 1 >> b->seen_bits != 0;) b->seen_bits++;
  b->seen_inverse = ttb__mod_inverse(b->seen_length ? b->seen_length : 1);
  /* A roster ascends: if its last entry is its own number, so are all. */
  b->seen_dense = b->seen_length && b->algorithm->build == ttb__roster_build &&
                  ttb__flip_get32(&b->seen->entry[b->seen_length - 1]) == b->seen_length - 1;
  /* The phase goes on in the new table. */
  if (b->seen_length) b->at = ttb__mod(b->turn - b->left, b->seen_length, b->seen_inverse);
}

void ttb__balancer_rebuild(ttb__balancer *b) {
  uint32_t *slots = ttb__balancer_part(b, b->scratch_at), n = 0;
  for (uint32_t slot = 0; slot < b->capacity; slot++)
    if (ttb__word_used(ttb__load_rlx(&ttb__endpoint_at(b, slot)->word))) slots[n++] = slot;

  uint64_t next = ttb__flip_build(&b->table->flip);
  ttb__copy *copy = ttb__balancer_part(b, b->copies_at[ttb__flip_copy(next)]);
  const ttb__copy *old = ttb__balancer_part(b, b->copies_at[ttb__flip_copy(next - 1)]);
  ttb__roster roster = {b, slots, n, old};
  ttb__flip_put32(&copy->error_ppm, 0);
  uint32_t length = n ? b->algorithm->build(&roster, slots + b->capacity, copy) : 0;
  ttb__flip_put32(&copy->length, length);
  ttb__flip_publish(&b->table->flip, next);
  ttb__store_rlx(&b->table->rebuilds, ttb__load_rlx(&b->table->rebuilds) + 1);
}

uint32_t ttb__roster_entries(const ttb_balancer_config *c) { return c->capacity; }

uint64_t ttb__no_scratch(const ttb_balancer_config *c) {
  (void)c;
  return 0;
}

uint32_t ttb__roster_build(const ttb__roster *r, uint32_t *scratch, ttb__copy *copy) {
  (void)scratch;
  for (uint32_t i = 0; i < r->n; i++) ttb__flip_put32(&copy->entry[i], ttb__roster_slot(r, i));
  return r->n;
}

/* ---- the index: open addressing, slot + 1, 0 is empty ---- */

static ttb__a32 *index_of(const ttb__balancer *b) { return ttb__balancer_part(b, b->index_at); }

static uint32_t place_of(const ttb__balancer *b, uint64_t id) {
  return (uint32_t)ttb__splitmix(&id) & b->index_mask;
}

static void insert(ttb__balancer *b, uint64_t id, uint32_t slot) {
  ttb__a32 *index = index_of(b);
  uint32_t p = place_of(b, id);
  for (uint32_t i = 0; i <= b->index_mask; i++, p = (p + 1) & b->index_mask) {
    if (ttb__load_rlx(&index[p]) != 0) continue;
    ttb__store_rlx(&index[p], slot + 1);
    ttb__store_rlx(&b->table->indexed, ttb__load_rlx(&b->table->indexed) + 1);
    return;
  }
}

void ttb__balancer_reindex(ttb__balancer *b) {
  ttb__a32 *index = index_of(b);
  for (uint32_t p = 0; p <= b->index_mask; p++) ttb__store_rlx(&index[p], 0);
  ttb__store_rlx(&b->table->indexed, 0);
  for (uint32_t slot = 0; slot < b->capacity; slot++) {
    if (!ttb__word_used(ttb__load_rlx(&ttb__endpoint_at(b, slot)->word))) continue;
    insert(b, ttb__load_rlx(&ttb__balancer_ids(b)[slot]), slot);
    if (slot >= ttb__load_rlx(&b->table->high)) ttb__store_rlx(&b->table->high, slot + 1);
  }
}

void ttb__balancer_index(ttb__balancer *b, uint64_t id, uint32_t slot) {
  /* At most half of it is of the present; entries of the past go at 3/4. */
  if (ttb__load_rlx(&b->table->indexed) > b->index_mask / 4 * 3)
    ttb__balancer_reindex(b); /* which sees the newcomer's word */
  else
    insert(b, id, slot);
}

static bool lives_in(const ttb__balancer *b, uint64_t id, uint32_t slot) {
  /* acquire: pairs with the release of the word by place() in endpoints.c. Who
   * sees the word sees the id it belongs to. */
  uint64_t w = ttb__load_acq(&ttb__endpoint_at(b, slot)->word);
  return ttb__word_used(w) && ttb__load_rlx(&ttb__balancer_ids(b)[slot]) == id;
}

int32_t ttb__balancer_lookup(const ttb__balancer *b, uint64_t id) {
  const ttb__a32 *index = index_of(b);
  uint32_t p = place_of(b, id);
  for (uint32_t i = 0; i <= b->index_mask; i++, p = (p + 1) & b->index_mask) {
    uint32_t entry = ttb__load_rlx(&index[p]);
    if (entry == 0) break;
    if (entry <= b->capacity && lives_in(b, id, entry - 1)) return (int32_t)(entry - 1);
  }
  return TTB_ERR_UNKNOWN_ID;
}

int32_t ttb__balancer_find(const ttb__balancer *b, uint64_t id) {
  int32_t slot = ttb__balancer_lookup(b, id);
  if (slot >= 0) return slot;
  /* Not there, or the index is just being made anew. */
  for (uint32_t s = 0; s < b->capacity; s++)
    if (lives_in(b, id, s)) return (int32_t)s;
  return TTB_ERR_UNKNOWN_ID;
}

int32_t ttb_balancer_find(const ttb_balancer *h, uint64_t id) {
  const ttb__balancer *b = ttb__balancer_of(h);
  return b ? ttb__balancer_find(b, id) : TTB_ERR_MISUSE;
}
