/* SPDX-License-Identifier: MIT */
/* Looking at a router without touching it: explain, statistics.
 *
 * I1  Explain judges with the functions of judge.h, as a pick does, in two
 *     passes: judge all nodes, then place those that may be picked by level
 *     and window. */
#include "judge.h"

#include "rtt.h"

typedef struct opinion {
  uint64_t state, sample, distance;
  uint32_t why;
} opinion;

static uint32_t judge_all(const ttb__router *r, const ttb__view *v, opinion *o, uint32_t n) {
  uint32_t claims = 0;
  for (uint32_t i = 0; i < n; i++) {
    const ttb__router_node *node = ttb__router_node_at(r, i);
    /* acquire: as in route.c. */
    o[i].state = ttb__load_acq(&node->state);
    o[i].sample = ttb__load_rlx(&node->sample);
    o[i].distance = ttb__distance(r, node);
    o[i].why = ttb__judge(v, i, o[i].state, o[i].sample);
    claims += ttb__claims(o[i].state, o[i].why);
  }
  return claims;
}

/* Why a node of this level loses to one of the best. */
static uint32_t lost_by(uint32_t level, uint32_t best) {
  uint32_t differs = level ^ best;
  if (differs & 4) return TTB_ROUTER_AVOIDED;
  return differs & 2 ? TTB_ROUTER_OUTRANKED : TTB_ROUTER_DEGRADED;
}

/* Places those that may be picked. */
static void place_all(const ttb__router *r, const ttb__view *v, opinion *o, uint32_t n) {
  uint32_t best = 8;
  uint64_t shortest = UINT64_MAX;
  for (uint32_t i = 0; i < n; i++)
    if (o[i].why == TTB_ROUTER_MAY_BE_PICKED && ttb__level(v, i, o[i].state) < best)
      best = ttb__level(v, i, o[i].state);
  for (uint32_t i = 0; i < n; i++) {
    if (o[i].why != TTB_ROUTER_MAY_BE_PICKED) continue;
    uint32_t level = ttb__level(v, i, o[i].state);
    uint64_t far = ttb__rtt_value(o[i].distance);
    if (level != best)
      o[i].why = lost_by(level, best);
    else if (o[i].distance & TTB__RTT_MEASURED && far < shortest)
      shortest = far;
  }
  uint64_t end = ttb__window_end(shortest, r->window);
  for (uint32_t i = 0; i < n; i++)
    if (o[i].why == TTB_ROUTER_MAY_BE_PICKED && !ttb__in_window(o[i].distance, end))
      o[i].why = TTB_ROUTER_FAR;
}

static ttb_router_node row_of(const ttb__router *r, const ttb__view *v, uint32_t slot,
                              const opinion *o) {
  const ttb__router_node *n = ttb__router_node_at(r, slot);
  int64_t age = ttb__sample_age(o->sample, v->now_ms);
  uint32_t lag = ttb__sample_lag(o->sample), active = ttb__rows_active(r->rows, r->threads);
  ttb_router_node row = {
      .slot = slot,
      .id = ttb__load_rlx(&n->id),
      .role = (int32_t)ttb__node_role(o->state),
      .status = (int32_t)ttb__node_status(o->state),
      .why = (int32_t)o->why,
      .weight = ttb__load_rlx(&n->weight),
      .in_flight = ttb__cells_sum(n->cell, active),
      .failures = ttb__load_rlx(&n->failures),
      .lag_ms = lag == TTB__LAG_UNKNOWN ? -1 : (int64_t)lag,
      .age_ms = age > 0 ? age >> TTB__LAG_BITS : 0,
      .rtt_ns = ttb__rtt_ns(ttb__load_rlx(&n->rtt)),
      .latency_ns = ttb__rtt_ns(ttb__load_rlx(&n->latency)),
      .epoch = ttb__node_epoch(o->state),
      .position = ttb__load_rlx(&n->position),
  };
  if (o->sample == 0) row.age_ms = row.lag_ms = -1;
  if (o->why == TTB_ROUTER_EXPIRED) row.status = TTB_STATUS_STALE;
  return row;
}

int32_t ttb_router_explain(const ttb_router *h, const ttb_router_wants *wants, uint64_t now_ns,
                           ttb_router_node *ret_nodes, uint32_t n) {
  const ttb__router *r = ttb__router_of(h);
  ttb_router_wants w;
  opinion o[TTB_ROUTER_MAX_NODES];
  if (!r || (n > 0 && !ret_nodes)) return TTB_ERR_MISUSE;
  if (n > TTB_ROUTER_MAX_NODES) return TTB_ERR_RANGE;
  int32_t code = ttb__router_wants(r, wants, &w);
  if (code < 0) return code;
  uint32_t stride = n > 0 ? ret_nodes->struct_size : 0, high = ttb__router_high(r);
  if (n > 0 && (stride < ttb__router_node_fields.first_size || stride % 8 != 0))
    return TTB_ERR_RANGE;

  ttb__view v = ttb__view_of(r, &w, ttb__clock_peek(&r->region->clock, now_ns));
  if (judge_all(r, &v, o, high) > 1) {
    v.conflict = true;
    (void)judge_all(r, &v, o, high);
  }
  place_all(r, &v, o, high);
  uint32_t nodes = 0;
  for (uint32_t i = 0; i < high; i++) {
    if (o[i].why == TTB__EMPTY_SLOT) continue;
    if (nodes < n) {
      ttb_router_node row = row_of(r, &v, i, &o[i]);
      void *to = (unsigned char *)ret_nodes + (uint64_t)nodes * stride;
      if ((code = ttb__struct_write(&ttb__router_node_fields, &row, to)) < 0) return code;
    }
    nodes++;
  }
  return (int32_t)nodes;
}

int32_t ttb_router_statistics(const ttb_router *h, ttb_router_stats *ret) {
  const ttb__router *r = ttb__router_of(h);
  if (!r || !ret) return TTB_ERR_MISUSE;
  const ttb__router_table *t = r->table;
  ttb_router_stats s = {
      .capacity = r->capacity,
      .epoch = ttb__node_epoch(ttb__load_rlx(&t->claim)),
      .no_primary = ttb__load_rlx(&t->no_primary),
      .too_stale = ttb__load_rlx(&t->too_stale),
      .no_endpoint = ttb__load_rlx(&t->no_endpoint),
      .fallbacks = ttb__load_rlx(&t->fallbacks),
      .fenced = ttb__load_rlx(&t->fenced),
      .stale = ttb__load_rlx(&t->stale),
      .clock_adoptions = ttb__load_rlx(&r->region->clock.adoptions),
  };
  uint32_t high = ttb__router_high(r);
  for (uint32_t i = 0; i < high; i++)
    s.nodes += ttb__node_used(ttb__load_rlx(&ttb__router_node_at(r, i)->state));
  for (uint32_t i = 0; i < r->threads; i++)
    s.joined += ttb__row_state(ttb__load_rlx(&r->rows->row[i])) == TTB__ROW_LIVE;
  return ttb__struct_write(&ttb__router_stats_fields, &s, ret);
}
