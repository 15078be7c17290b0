/* SPDX-License-Identifier: MIT */
/* Observations and epochs: what monitoring saw becomes words.
 *
 * The fence is that of the MongoDB drivers' server discovery specification
 * (electionId, setVersion): a claim below the highest epoch is void.
 *
 * I1  Order of the stores: epoch, sample, state. The state word goes last and
 *     by release: who acquires it sees a sample and an epoch at least as new.
 *     An observer killed in between leaves a raised epoch without its primary
 *     (nobody takes writes until the next observation) or a fresh sample with
 *     the state before it (its life is longer by one look): never a primary of
 *     an older epoch, never a lag without its age.
 * I2  An observation of a node that was removed meanwhile reaches no other
 *     node's words: sample and state change by CAS from values that were read
 *     before the id was compared. */
#include "router.h"
#include "rtt.h"

#include <string.h>

/* A node as it was met. */
typedef struct met {
  ttb__router_node *node;
  uint64_t sample, state;
  uint32_t slot;
} met;

static bool meet(const ttb__router *r, uint64_t id, met *ret) {
  uint32_t high = ttb__router_high(r);
  for (uint32_t i = 0; i < high; i++) {
    ttb__router_node *n = ttb__router_node_at(r, i);
    /* acquire: pairs with the release of the cleared sample in occupy(). */
    uint64_t sample = ttb__load_acq(&n->sample);
    if (ttb__load_rlx(&n->id) != id) continue;
    uint64_t state = ttb__load_rlx(&n->state);
    if (!ttb__node_used(state)) continue;
    *ret = (met){n, sample, state, i};
    return true;
  }
  return false;
}

static bool is_fit(uint32_t status) {
  return status != TTB_STATUS_UNHEALTHY && status != TTB_STATUS_STALE;
}

/* Raises the epoch if this one is higher; notes who claimed it last. False if
 * the observation claims to be primary under an older one. */
static bool take_epoch(ttb__router *r, const met *m, const ttb_router_observation *o) {
  bool claims = o->role == TTB_ROLE_PRIMARY && is_fit(o->status);
  uint64_t next = ttb__claim(o->epoch, claims ? ttb__node_gen(m->state) : 0,
                             claims ? m->slot + 1 : 0);
  uint64_t seen = ttb__load_rlx(&r->table->claim);
  for (;;) {
    if (o->epoch < ttb__node_epoch(seen)) return o->role != TTB_ROLE_PRIMARY;
    if (o->epoch == ttb__node_epoch(seen) && (!claims || seen == next)) return true;
    if (ttb__cas_rlx(&r->table->claim, &seen, next)) return true;
  }
}

static void take_rtt(ttb__router_node *n, const ttb_router_observation *o) {
  if (o->role == TTB_ROLE_UNKNOWN || !is_fit(o->status))
    ttb__store_rlx(&n->rtt, 0); /* what comes back may have moved */
  else if (o->rtt_ns > 0)
    ttb__store_rlx(&n->rtt, ttb__rtt_next(ttb__load_rlx(&n->rtt), (uint64_t)o->rtt_ns));
}

int32_t ttb_router_observe(ttb_router *h, uint64_t id, const ttb_router_observation *observation,
                           uint64_t now_ns) {
  ttb__router *r = ttb__router_of(h);
  ttb_router_observation o;
  met m;
  if (!r || !observation) return TTB_ERR_MISUSE;
  int32_t code = ttb__config_read(&ttb__router_observation_fields, observation, &o, -1, NULL);
  if (code < 0) return code;
  uint64_t now = ttb__clock_now(&r->region->clock, now_ns);

  uint64_t sample = ttb__sample(now, o.role == TTB_ROLE_REPLICA ? o.lag_ms : 0);
  bool valid;
  do {
    if (!meet(r, id, &m)) return TTB_ERR_UNKNOWN_ID;
    valid = take_epoch(r, &m, &o);
    /* A failed CAS: another observer came between, or the slot changed hands. */
  } while (!ttb__cas_rlx(&m.node->sample, &m.sample, sample));

  uint64_t w = m.state, next;
  do {
    if (!ttb__node_used(w) || ttb__node_gen(w) != ttb__node_gen(m.state))
      return TTB_ERR_UNKNOWN_ID;
    next = ttb__node_state(o.epoch, ttb__node_gen(w),
                           ((uint32_t)w & TTB__NODE_DRAIN) | TTB__NODE_USED | o.status << 2 |
                               o.role);
    if (w == next) break;
    /* release: pairs with the acquire in route.c and explain (I1). */
  } while (!ttb__cas_rel(&m.node->state, &w, next));

  ttb__store_rlx(&m.node->position, o.position);
  take_rtt(m.node, &o);
  ttb__router_changed(r);
  if (valid) return TTB_OK;
  ttb__add_rlx(&r->table->fenced, 1);
  return TTB_STALE;
}

int32_t ttb_router_observe_n(ttb_router *h, const uint64_t *ids,
                             const ttb_router_observation *observations, uint32_t n,
                             uint64_t now_ns, int32_t *ret_codes) {
  if (!ttb__router_of(h) || n > INT32_MAX || (n > 0 && (!ids || !observations)))
    return TTB_ERR_MISUSE;
  uint32_t stride = 0;
  if (n > 0) memcpy(&stride, observations, sizeof stride);
  int32_t taken = 0;
  for (uint32_t i = 0; i < n; i++) {
    const void *from = (const unsigned char *)observations + (uint64_t)i * stride;
    uint32_t size;
    memcpy(&size, from, sizeof size);
    int32_t code = TTB_ERR_RANGE;
    if (size == stride) code = ttb_router_observe(h, ids[i], from, now_ns);
    if (ret_codes) ret_codes[i] = code;
    taken += code == TTB_OK;
  }
  return taken;
}

int32_t ttb_router_set_epoch(ttb_router *h, uint64_t epoch) {
  ttb__router *r = ttb__router_of(h);
  if (!r) return TTB_ERR_MISUSE;
  if (epoch > TTB_ROUTER_MAX_EPOCH) return TTB_ERR_RANGE;
  ttb__store_rlx(&r->table->claim, ttb__claim(epoch, 0, 0));
  ttb__router_changed(r);
  return TTB_OK;
}
