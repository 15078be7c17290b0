/* SPDX-License-Identifier: MIT */
/* Nodes come and go: add, remove, set, drain, find.
 *
 * I1  One changes the table at a time (owner lock, ../base/lock.h), so an id
 *     stands in at most one used slot. Nobody waits: TTB_AGAIN.
 * I2  Adding ends with the store that makes the slot used, removing is the CAS
 *     that makes it unused: whoever is killed before it has changed nothing.
 * I3  A slot is used again only if every cell of it is zero. The cells are
 *     read by read-modify-write with release, and a reader counts by one with
 *     acquire before it looks at the state again. Whichever comes later in the
 *     cell's order sees the other: the adder the count, or the reader the
 *     removal. Two plain accesses could miss each other. */
#include "router.h"

#include <string.h>

static int32_t begin_change(ttb__router *r) {
  return ttb__lock_try(&r->table->lock, ttb__row_token(r->mine.word));
}

static void end_change(ttb__router *r) {
  ttb__router_changed(r);
  (void)ttb__lock_unlock(&r->table->lock, ttb__row_token(r->mine.word));
}

static int32_t slot_of(const ttb__router *r, uint64_t id) {
  uint32_t high = ttb__router_high(r);
  for (uint32_t i = 0; i < high; i++) {
    const ttb__router_node *n = ttb__router_node_at(r, i);
    /* acquire: pairs with the release in occupy(): a used slot shows its id. */
    if (ttb__node_used(ttb__load_acq(&n->state)) && ttb__load_rlx(&n->id) == id)
      return (int32_t)i;
  }
  return TTB_ERR_UNKNOWN_ID;
}

static bool is_free(const ttb__router *r, ttb__router_node *n) {
  if (ttb__node_used(ttb__load_rlx(&n->state))) return false;
  for (uint32_t i = 0; i < r->threads; i++)
    /* release: pairs with the acquire of the count in route.c (I3). */
    if (ttb__newest_rel(&n->cell[i]) != 0) return false;
  return true;
}

static void occupy(ttb__router *r, uint32_t slot, const ttb_endpoint *e) {
  ttb__router_node *n = ttb__router_node_at(r, slot);
  uint64_t was = ttb__load_rlx(&n->state);
  ttb__store_rlx(&n->id, e->id);
  ttb__store_rlx(&n->weight, e->weight);
  ttb__store_rlx(&n->rtt, 0);
  ttb__store_rlx(&n->latency, 0);
  ttb__store_rlx(&n->position, 0);
  ttb__store_rlx(&n->failures, 0);
  /* release: pairs with the acquire in router_observe.c: who sees the sample
   * gone sees whose slot it is now, and does not put the old node's there. */
  ttb__store_rel(&n->sample, 0);
  if (ttb__load_rlx(&r->table->high) <= slot) ttb__store_rlx(&r->table->high, slot + 1);
  /* release: pairs with the loads of state everywhere: a used slot shows its
   * own id and none of the last node's words. */
  ttb__store_rel(&n->state, ttb__node_state(0, ttb__node_gen(was) + 1, TTB__NODE_USED));
}

static int32_t occupy_any(ttb__router *r, const ttb_endpoint *e) {
  for (uint32_t i = 0; i < r->capacity; i++)
    if (is_free(r, ttb__router_node_at(r, i))) {
      occupy(r, i, e);
      return (int32_t)i;
    }
  return TTB_ERR_NOSPACE;
}

static void vacate(ttb__router_node *n) {
  uint64_t w = ttb__load_rlx(&n->state);
  while (!ttb__cas_rlx(&n->state, &w, ttb__node_state(0, ttb__node_gen(w), 0)))
    continue; /* an observation came between */
}

static int32_t read_endpoint(const void *from, int32_t index, ttb_endpoint *ret) {
  int32_t code = ttb__config_read(&ttb__endpoint_fields, from, ret, index, NULL);
  if (code < 0) return code;
  return ret->id ? TTB_OK : TTB_ERR_RANGE;
}

int32_t ttb_router_add(ttb_router *joined, const ttb_endpoint *endpoint) {
  ttb__router *r = ttb__router_joined(joined);
  ttb_endpoint e;
  if (!r || !endpoint) return TTB_ERR_MISUSE;
  int32_t code = read_endpoint(endpoint, -1, &e);
  if (code < 0) return code;
  if (begin_change(r) < 0) return TTB_AGAIN;
  code = slot_of(r, e.id) >= 0 ? TTB_ERR_DUPLICATE : occupy_any(r, &e);
  end_change(r);
  return code;
}

int32_t ttb_router_remove(ttb_router *joined, uint64_t id) {
  ttb__router *r = ttb__router_joined(joined);
  if (!r) return TTB_ERR_MISUSE;
  if (begin_change(r) < 0) return TTB_AGAIN;
  int32_t slot = slot_of(r, id);
  if (slot >= 0) vacate(ttb__router_node_at(r, (uint32_t)slot));
  end_change(r);
  return slot < 0 ? slot : TTB_OK;
}

/* ---- set ---- */

/* Reads n endpoints and refuses what cannot be a table. */
static int32_t read_all(const ttb__router *r, const ttb_endpoint *endpoints, uint32_t n,
                        ttb_endpoint *ret) {
  if (n > r->capacity) return TTB_ERR_NOSPACE;
  uint32_t stride = 0;
  if (n > 0) memcpy(&stride, endpoints, sizeof stride);
  for (uint32_t i = 0; i < n; i++) {
    const void *from = (const unsigned char *)endpoints + (uint64_t)i * stride;
    uint32_t size;
    memcpy(&size, from, sizeof size);
    if (size != stride) return TTB_ERR_RANGE;
    int32_t code = read_endpoint(from, (int32_t)i, &ret[i]);
    if (code < 0) return code;
    for (uint32_t j = 0; j < i; j++)
      if (ret[j].id == ret[i].id) return TTB_ERR_DUPLICATE;
  }
  return TTB_OK;
}

static bool has(const ttb_endpoint *e, uint32_t n, uint64_t id) {
  for (uint32_t i = 0; i < n; i++)
    if (e[i].id == id) return true;
  return false;
}

static int32_t set_all(ttb__router *r, const ttb_endpoint *e, uint32_t n) {
  int32_t changed = 0;
  uint32_t high = ttb__router_high(r);
  for (uint32_t i = 0; i < high; i++) {
    ttb__router_node *node = ttb__router_node_at(r, i);
    if (!ttb__node_used(ttb__load_rlx(&node->state))) continue;
    if (has(e, n, ttb__load_rlx(&node->id))) continue;
    vacate(node);
    changed++;
  }
  for (uint32_t i = 0; i < n; i++) {
    int32_t slot = slot_of(r, e[i].id);
    if (slot >= 0) {
      ttb__store_rlx(&ttb__router_node_at(r, (uint32_t)slot)->weight, e[i].weight);
      continue;
    }
    if (occupy_any(r, &e[i]) < 0) return TTB_AGAIN;
    changed++;
  }
  return changed;
}

int32_t ttb_router_set(ttb_router *joined, const ttb_endpoint *endpoints, uint32_t n) {
  ttb__router *r = ttb__router_joined(joined);
  ttb_endpoint e[TTB_ROUTER_MAX_NODES];
  if (!r || (n > 0 && !endpoints)) return TTB_ERR_MISUSE;
  int32_t code = read_all(r, endpoints, n, e);
  if (code < 0) return code;
  if (begin_change(r) < 0) return TTB_AGAIN;
  code = set_all(r, e, n);
  end_change(r);
  return code;
}

/* ---- for any handle ---- */

int32_t ttb_router_drain(ttb_router *h, uint64_t id, uint32_t on) {
  ttb__router *r = ttb__router_of(h);
  if (!r) return TTB_ERR_MISUSE;
  if (on > 1) return TTB_ERR_RANGE;
  int32_t slot = slot_of(r, id);
  if (slot < 0) return slot;
  ttb__router_node *n = ttb__router_node_at(r, (uint32_t)slot);
  uint64_t w = ttb__load_rlx(&n->state), next;
  uint32_t gen = ttb__node_gen(w);
  do {
    if (!ttb__node_used(w) || ttb__node_gen(w) != gen || ttb__load_rlx(&n->id) != id)
      return TTB_ERR_UNKNOWN_ID;
    next = on ? w | TTB__NODE_DRAIN : w & ~(uint64_t)TTB__NODE_DRAIN;
    /* release: the word carries the observation's on to who acquires it. */
  } while (!ttb__cas_rel(&n->state, &w, next));
  ttb__router_changed(r);
  return TTB_OK;
}

int32_t ttb_router_find(const ttb_router *h, uint64_t id) {
  const ttb__router *r = ttb__router_of(h);
  return r ? slot_of(r, id) : TTB_ERR_MISUSE;
}
