/* SPDX-License-Identifier: MIT */
/* Judging a node: may it be picked, and how much is it wanted? Read, write and
 * explain all ask here, so that an explanation cannot differ from a pick.
 *
 * I1  A judgement reads nothing but the two words it is given and the view.
 * I2  The order of the reasons is that of TTB_ROUTER_NO_ROLE .. UNWANTED.
 * I3  A node that may be picked has a level, 0..7; the lowest level that any
 *     node has is the one that is picked from:
 *         4 on the avoid mask | 2 second choice of role | 1 degraded */
#ifndef TTB_LIB_ROUTER_JUDGE_H
#define TTB_LIB_ROUTER_JUDGE_H

#include "router.h"
#include "rtt.h"

#define TTB__EMPTY_SLOT 255u

/* Lag with the slot below it, so that no two are equal. */
static inline uint64_t ttb__lag_key(uint64_t lag_ms, uint32_t slot) { return lag_ms << 6 | slot; }

static inline uint64_t ttb__lag_of(const ttb__view *v, uint64_t sample) {
  uint64_t lag = ttb__sample_lag(sample);
  int64_t age = ttb__sample_age(sample, v->now_ms);
  if (v->count_age && age > 0) lag += (uint64_t)age >> TTB__LAG_BITS;
  return lag;
}

static inline uint32_t ttb__rank(const ttb__view *v, uint64_t state) {
  return v->ranks >> (8 * ttb__node_role(state)) & 0xff;
}

/* TTB_ROUTER_MAY_BE_PICKED .. TTB_ROUTER_UNWANTED, or TTB__EMPTY_SLOT. */
static inline uint32_t ttb__judge(const ttb__view *v, uint32_t slot, uint64_t state,
                                  uint64_t sample) {
  uint32_t role = ttb__node_role(state), status = ttb__node_status(state);
  if (!ttb__node_used(state)) return TTB__EMPTY_SLOT;
  if (role == TTB_ROLE_UNKNOWN) return TTB_ROUTER_NO_ROLE;
  if (ttb__sample_age(sample, v->now_ms) > v->ttl) return TTB_ROUTER_EXPIRED;
  if (status != TTB_STATUS_HEALTHY && status != TTB_STATUS_DEGRADED &&
      status != TTB_STATUS_DRAINING)
    return TTB_ROUTER_UNHEALTHY;
  if (role == TTB_ROLE_PRIMARY) {
    if (ttb__node_epoch(state) != ttb__node_epoch(v->claim)) return TTB_ROUTER_FENCED;
    if (v->last_claim &&
        v->claim != ttb__claim(ttb__node_epoch(state), ttb__node_gen(state), slot + 1))
      return TTB_ROUTER_FENCED;
    if (v->conflict) return TTB_ROUTER_CONFLICTING;
  }
  if (status == TTB_STATUS_DRAINING || state & TTB__NODE_DRAIN) return TTB_ROUTER_DRAINING;
  if (role == TTB_ROLE_REPLICA && ttb__lag_key(ttb__lag_of(v, sample), slot) > v->bound)
    return TTB_ROUTER_LAGGING;
  return ttb__rank(v, state) < 2 ? TTB_ROUTER_MAY_BE_PICKED : TTB_ROUTER_UNWANTED;
}

/* Whether a node so judged claims to be the primary of the highest epoch. */
static inline bool ttb__claims(uint64_t state, uint32_t why) {
  return ttb__node_role(state) == TTB_ROLE_PRIMARY &&
         (why == TTB_ROUTER_MAY_BE_PICKED || why == TTB_ROUTER_DRAINING ||
          why == TTB_ROUTER_UNWANTED || why == TTB_ROUTER_CONFLICTING);
}

static inline uint32_t ttb__level(const ttb__view *v, uint32_t slot, uint64_t state) {
  return (uint32_t)(v->avoid >> slot & 1) << 2 | ttb__rank(v, state) << 1 |
         (ttb__node_status(state) == TTB_STATUS_DEGRADED);
}

/* The longest round trip of a window that begins at the shortest; measured
 * ones only, UINT64_MAX if there is none. */
static inline uint64_t ttb__window_end(uint64_t shortest, uint64_t window) {
  return shortest > UINT64_MAX - window ? UINT64_MAX : shortest + window;
}

/* One that was never measured is in every window. */
static inline bool ttb__in_window(uint64_t distance, uint64_t end) {
  return ttb__rtt_value(distance) <= end;
}

/* What a node is measured by: its round trip, or its latency (a flag). */
static inline uint64_t ttb__distance(const ttb__router *r, const ttb__router_node *n) {
  return ttb__load_rlx((const ttb__a64 *)(const void *)((const unsigned char *)n + r->rtt_at));
}

/* The view of a call; without looking at conflicts. */
ttb__view ttb__view_of(const ttb__router *r, const ttb_router_wants *wants, uint64_t now_ms);

#endif
