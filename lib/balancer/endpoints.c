/* SPDX-License-Identifier: MIT */
/* Endpoints come, go and change weight: the writers, under the owner lock.
 *
 * I1  The store of the word is the moment an endpoint is there or gone. Killed
 *     before it, the writer has done nothing; after it, recovery completes what
 *     follows from it (index, bitmap, table).
 * I2  A slot is reused only when nobody lives there and no cell counts on it,
 *     and with the next generation (I3 of balancer.h covers who looked before). */
#include "load_weights.h"

#include <string.h>

/* b: whom it is for; NULL if that is not known. */
static int32_t read_endpoint(const ttb__balancer *b, const void *src, ttb_endpoint *ret,
                             int32_t index, ttb_detail *d) {
  ttb_endpoint e;
  int32_t code = ttb__config_read(&ttb__endpoint_fields, src, &e, index, d);
  if (code < 0) return code;
  if (e.id == 0) return ttb__fail(d, TTB_ERR_RANGE, "id", index, 0, 1, INT64_MAX);
  /* Not to be lost in silence by those who do not keep it. */
  if (b && e.tags && !(b->flags & TTB_BALANCER_TAGS))
    return ttb__fail(d, TTB_ERR_UNSUPPORTED, "tags", index, (int64_t)e.tags, 0, 0);
  if (b && e.max_inflight && !(b->flags & TTB_BALANCER_CAPS))
    return ttb__fail(d, TTB_ERR_UNSUPPORTED, "max_inflight", index, e.max_inflight, 0, 0);
  *ret = e;
  return TTB_OK;
}

int32_t ttb_balancer_endpoint_check(const ttb_endpoint *endpoint, ttb_detail *ret_detail) {
  ttb_endpoint e;
  return read_endpoint(NULL, endpoint, &e, -1, ret_detail);
}

static int32_t lock(ttb__balancer *b) {
  return ttb__lock_try(&b->table->lock, ttb__row_token(b->mine.word));
}
static int32_t unlock(ttb__balancer *b, int32_t code) {
  (void)ttb__lock_unlock(&b->table->lock, ttb__row_token(b->mine.word));
  return code;
}

/* The first free slot at or after `from`; capacity if there is none. */
static uint32_t free_slot(const ttb__balancer *b, uint32_t from) {
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  for (; from < b->capacity; from++) {
    const ttb__endpoint *e = ttb__endpoint_at(b, from);
    if (!ttb__word_used(ttb__load_rlx(&e->word)) && ttb__in_flight(e, active) == 0) break;
  }
  return from;
}

/* What does not fit into the word. */
static void keep(ttb__balancer *b, const ttb_endpoint *e, uint32_t slot) {
  /* release: pairs with ttb__scoped_word (I2 of scope.c). */
  if (b->flags & TTB_BALANCER_TAGS) ttb__store_rel(&ttb__balancer_tags(b)[slot], e->tags);
  if (b->flags & TTB_BALANCER_CAPS)
    ttb__store_rlx(&ttb__balancer_caps(b)[slot], e->max_inflight);
}

void ttb__balancer_place(ttb__balancer *b, const ttb_endpoint *e, uint32_t slot) {
  ttb__a64 *word = &ttb__endpoint_at(b, slot)->word;
  ttb__store_rlx(&ttb__balancer_ids(b)[slot], e->id);
  if (b->slow_start_ms) ttb__store_rlx(&ttb__balancer_began(b)[slot], 0);
  keep(b, e, slot);
  ttb__zero_words(ttb__slot_state(b, slot), b->slot_bytes);
  if (b->flags & TTB_BALANCER_LOAD_WEIGHTS)
    ttb__zero_words((ttb__worth *)ttb__balancer_part(b, b->worths_at) + slot, sizeof(ttb__worth));
  uint64_t w = ttb__load_rlx(word);
  /* release: pairs with lives_in in table.c. acquire: as ttb__balancer_change. */
  while (!ttb__cas_acqrel(word, &w, ttb__word(ttb__word_generation(w) + 1, e))) continue;
  if (slot >= ttb__load_rlx(&b->table->high)) ttb__store_rlx(&b->table->high, slot + 1);
  ttb__balancer_settle(b, slot);
  ttb__balancer_index(b, e->id, slot);
}

void ttb__balancer_evict(ttb__balancer *b, uint32_t slot) {
  (void)ttb__balancer_change(b, slot, TTB__WORD_USED, 0);
  ttb__balancer_settle(b, slot);
}

/* True if the table depends on what changed. */
static bool reweigh(ttb__balancer *b, uint32_t slot, uint32_t weight) {
  const uint64_t cause = (uint64_t)TTB_CAUSE_WEIGHT << 8;
  uint64_t before;
  if (weight == 0)
    before = ttb__balancer_change(b, slot, 0, cause);
  else
    before = ttb__balancer_change(b, slot, ttb__word_with_weight(cause, 0xffff),
                                  ttb__word_with_weight(0, weight));
  ttb__balancer_settle(b, slot);
  return weight != 0 && b->algorithm->weighs && ttb__word_weight(before) != weight;
}

/* Gives an endpoint that stays another description. */
static void redescribe(ttb__balancer *b, const ttb_endpoint *e, uint32_t slot) {
  const uint64_t cause = (uint64_t)TTB_CAUSE_WEIGHT << 8;
  keep(b, e, slot);
  (void)ttb__balancer_change(b, slot, TTB__WORD_DESCRIBED | cause, ttb__word_described(e));
  ttb__balancer_settle(b, slot);
}

int32_t ttb_balancer_add(ttb_balancer *h, const ttb_endpoint *endpoint) {
  ttb_endpoint e;
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b) return TTB_ERR_MISUSE;
  int32_t code = read_endpoint(b, endpoint, &e, -1, NULL);
  if (code < 0) return code;
  if ((code = lock(b)) < 0) return code;
  if (ttb__balancer_lookup(b, e.id) >= 0) return unlock(b, TTB_ERR_DUPLICATE);
  uint32_t slot = free_slot(b, 0);
  if (slot == b->capacity) return unlock(b, TTB_ERR_NOSPACE);
  ttb__balancer_place(b, &e, slot);
  ttb__balancer_rebuild(b);
  return unlock(b, (int32_t)slot);
}

int32_t ttb_balancer_remove(ttb_balancer *h, uint64_t id) {
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b) return TTB_ERR_MISUSE;
  int32_t code = lock(b);
  if (code < 0) return code;
  int32_t slot = ttb__balancer_lookup(b, id);
  if (slot < 0) return unlock(b, slot);
  ttb__balancer_evict(b, (uint32_t)slot);
  ttb__balancer_rebuild(b);
  return unlock(b, TTB_OK);
}

int32_t ttb_balancer_set_weight(ttb_balancer *h, uint64_t id, uint32_t weight) {
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b) return TTB_ERR_MISUSE;
  if (weight > 65535) return TTB_ERR_RANGE;
  int32_t code = lock(b);
  if (code < 0) return code;
  int32_t slot = ttb__balancer_lookup(b, id);
  if (slot < 0) return unlock(b, slot);
  if (reweigh(b, (uint32_t)slot, weight)) ttb__balancer_rebuild(b);
  return unlock(b, TTB_OK);
}

/* ---- update ---- */

/* A caller's array: elements of equal struct_size, which is the stride. */
typedef struct list {
  const unsigned char *first;
  uint32_t stride, n;
  const ttb__update *by;
} list;

static const void *element(const list *l, uint32_t i) { return l->first + (uint64_t)i * l->stride; }

/* Endpoint i as the balancer shall have it. */
static int32_t read_element(const ttb__balancer *b, const list *l, uint32_t i, ttb_endpoint *ret,
                            ttb_detail *d) {
  int32_t code = read_endpoint(b, element(l, i), ret, (int32_t)i, d);
  if (code < 0 || !l->by) return code;
  if (ret->weight > l->by->max_weight)
    return ttb__fail(d, TTB_ERR_RANGE, "weight", (int32_t)i, ret->weight, 1, l->by->max_weight);
  ret->weight *= l->by->unit;
  return TTB_OK;
}

static uint32_t size_of(const void *element) {
  uint32_t size;
  memcpy(&size, element, sizeof size);
  return size;
}

/* Checks every element and that no id is there twice. Uses scratch memory as a
 * table of ids: position in the list + 1, 0 is empty. */
static int32_t check_list(ttb__balancer *b, const list *l, ttb_detail *d) {
  uint32_t *table = (uint32_t *)ttb__balancer_part(b, b->scratch_at) + b->capacity;
  memset(table, 0, 4 * ((size_t)b->index_mask + 1));
  for (uint32_t i = 0; i < l->n; i++) {
    ttb_endpoint e, other;
    int32_t code = read_element(b, l, i, &e, d);
    if (code < 0) return code;
    if (size_of(element(l, i)) != l->stride)
      return ttb__fail(d, TTB_ERR_RANGE, "struct_size", (int32_t)i, size_of(element(l, i)),
                       l->stride, l->stride);
    uint64_t mixed = e.id;
    uint32_t p = (uint32_t)ttb__splitmix(&mixed) & b->index_mask;
    for (uint32_t k = 0; k <= b->index_mask && table[p] != 0; k++, p = (p + 1) & b->index_mask) {
      uint32_t j = table[p] - 1;
      if (j < i && read_element(b, l, j, &other, NULL) == TTB_OK && other.id == e.id)
        return ttb__fail(d, TTB_ERR_DUPLICATE, "id", (int32_t)i, (int64_t)e.id, 0, 0);
    }
    table[p] = i + 1;
  }
  return TTB_OK;
}

static void tell(const list *l, int32_t what, uint32_t slot, uint64_t id, uint32_t weight) {
  if (l->by) l->by->tell(l->by->ctx, what, slot, id, weight / l->by->unit);
}

int32_t ttb_balancer_update(ttb_balancer *h, const ttb_endpoint *endpoints, uint32_t n,
                            ttb_detail *ret_detail) {
  return ttb__balancer_update(h, endpoints, n, NULL, ret_detail);
}

int32_t ttb__balancer_update(ttb_balancer *h, const ttb_endpoint *endpoints, uint32_t n,
                             const ttb__update *by, ttb_detail *ret_detail) {
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b || (n > 0 && !endpoints))
    return ttb__fail(ret_detail, TTB_ERR_MISUSE, "endpoints", -1, 0, 0, 0);
  if (n > b->capacity)
    return ttb__fail(ret_detail, TTB_ERR_NOSPACE, "n", -1, n, 0, b->capacity);
  list l = {.first = (const unsigned char *)endpoints, .n = n, .by = by};
  if (n > 0) l.stride = size_of(endpoints);
  int32_t code = lock(b);
  if (code < 0) return ttb__fail(ret_detail, code, NULL, -1, 0, 0, 0);
  if ((code = check_list(b, &l, ret_detail)) < 0) return unlock(b, code);

  ttb_endpoint e;
  uint32_t *stays = ttb__balancer_part(b, b->scratch_at); /* a word a slot */
  memset(stays, 0, 4 * (size_t)b->capacity);
  for (uint32_t i = 0; i < n; i++) {
    if (read_element(b, &l, i, &e, NULL) < 0) continue;
    int32_t slot = ttb__balancer_lookup(b, e.id);
    if (slot >= 0) stays[slot] = 1;
  }
  for (uint32_t slot = 0; slot < b->capacity; slot++)
    if (!stays[slot] && ttb__word_used(ttb__load_rlx(&ttb__endpoint_at(b, slot)->word))) {
      ttb__balancer_evict(b, slot);
      tell(&l, TTB__LEFT, slot, ttb__load_rlx(&ttb__balancer_ids(b)[slot]), 0);
    }
  for (uint32_t i = 0, at = 0; i < n; i++) {
    if (read_element(b, &l, i, &e, NULL) < 0) continue;
    int32_t slot = ttb__balancer_lookup(b, e.id);
    if (slot >= 0) {
      redescribe(b, &e, (uint32_t)slot);
      tell(&l, TTB__STAYED, (uint32_t)slot, e.id, e.weight);
    } else if ((at = free_slot(b, at)) < b->capacity) {
      ttb__balancer_place(b, &e, at);
      tell(&l, TTB__CAME, at, e.id, e.weight);
    } else {
      code = ttb__fail(ret_detail, TTB_ERR_NOSPACE, "endpoints", (int32_t)i, n, 0, b->capacity);
    }
  }
  ttb__balancer_rebuild(b);
  return unlock(b, code);
}
