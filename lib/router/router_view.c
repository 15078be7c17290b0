/* SPDX-License-Identifier: MIT */
/* What one call looks with: the order of roles in its mode, and its lag bound.
 *
 * Modes: the MongoDB drivers' server selection specification. The bound that
 * gives way: Vitess, go/vt/discovery (FilterStatsByReplicationLag): keep those
 * within the low bound, and the least late up to the high one until there are
 * min_replicas. */
#include "judge.h"

#define RANKS(primary, replica) \
  ((uint32_t)2 | (uint32_t)(primary) << 8 | (uint32_t)(replica) << 16 | (uint32_t)0 << 24)

static const uint32_t ranks[] = {
    [TTB_READ_REPLICA_PREFERRED] = RANKS(1, 0),
    [TTB_READ_REPLICA] = RANKS(2, 0),
    [TTB_READ_PRIMARY] = RANKS(0, 2),
    [TTB_READ_PRIMARY_PREFERRED] = RANKS(0, 1),
    [TTB_READ_NEAREST] = RANKS(0, 0),
};

static uint64_t bound_of(int32_t lag_ms) {
  return lag_ms < 0 ? UINT64_MAX : ttb__lag_key((uint64_t)lag_ms, 63);
}

/* Puts a key into an ascending list of n. */
static void insert(uint64_t *keys, uint32_t n, uint64_t key) {
  uint32_t i = n;
  for (; i > 0 && keys[i - 1] > key; i--) keys[i] = keys[i - 1];
  keys[i] = key;
}

/* The bound that lets the min_replicas least late ones pass, up to v->bound. */
static uint64_t bound_that_fills(const ttb__router *r, const ttb__view *v) {
  uint64_t keys[TTB_ROUTER_MAX_NODES];
  uint32_t n = 0, high = ttb__router_high(r);
  for (uint32_t i = 0; i < high; i++) {
    const ttb__router_node *node = ttb__router_node_at(r, i);
    uint64_t state = ttb__load_rlx(&node->state), sample = ttb__load_rlx(&node->sample);
    if (ttb__node_role(state) != TTB_ROLE_REPLICA) continue;
    uint32_t why = ttb__judge(v, i, state, sample);
    if (why != TTB_ROUTER_MAY_BE_PICKED && why != TTB_ROUTER_UNWANTED) continue;
    insert(keys, n++, ttb__lag_key(ttb__lag_of(v, sample), i));
  }
  if (n == 0) return 0;
  return keys[(n < r->min_replicas ? n : r->min_replicas) - 1];
}

ttb__view ttb__view_of(const ttb__router *r, const ttb_router_wants *wants, uint64_t now_ms) {
  ttb__view v = {
      .now_ms = now_ms,
      .claim = ttb__load_rlx(&r->table->claim),
      .bound = bound_of(wants->max_lag_ms ? wants->max_lag_ms : r->max_lag_ms),
      .avoid = wants->avoid,
      .ttl = r->ttl,
      .ranks = ranks[wants->mode],
      .count_age = (r->flags & TTB_ROUTER_COUNT_AGE) != 0,
      .last_claim = r->claims == TTB_ROUTER_LAST_CLAIM,
  };
  if (r->hard_lag_ms >= 0 && wants->max_lag_ms == 0) {
    uint64_t soft = v.bound;
    v.bound = bound_of(r->hard_lag_ms);
    uint64_t filled = bound_that_fills(r, &v);
    v.bound = filled > soft ? filled : soft;
  }
  return v;
}
