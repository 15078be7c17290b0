/* SPDX-License-Identifier: MIT */
/* Read, write, report: one look at each node, two choices, one count.
 *
 * A pick is three steps: see (the nodes of the lowest level that are in the
 * latency window; a sight serves while it is fresh), draw (two at random by
 * weight, the less loaded one), take (count, then judge that node anew).
 *
 * I1  Taking ends with a judgement by the words of that moment: role, status,
 *     epoch, lag and generation of a ticket come from there. If it differs from
 *     the sight, the count is given back and all begins anew, TRIES times.
 * I2  The count comes before that load. It is a read-modify-write with acquire
 *     and pairs with the adder's (router_nodes.c, I3): a slot cannot be used
 *     anew between the two without being noticed.
 * I3  A ticket names the row and its incarnation, the slot and its generation.
 *     Whatever does not fit is TTB_STALE and changes nothing. */
#include "judge.h"

#include "../base/mulhi.h"
#include "rtt.h"

#define TRIES 8
#define INCARNATION_MASK TTB__MAX_PERMIT

/* ---- see ---- */

/* The nodes of the lowest level, how far they are, and the shortest of it.
 * Returns how many claim to be primary. */
static uint32_t look(const ttb__router *r, const ttb__view *view, ttb__sight *g,
                     uint64_t *ret_distance, uint64_t *ret_shortest) {
  const ttb__view v = *view; /* out of the way of the stores below */
  uint32_t high = ttb__router_high(r), claims = 0, level = 8, count = 0;
  uint64_t shortest = UINT64_MAX;
  bool lagging = false;
  for (uint32_t i = 0; i < high; i++) {
    const ttb__router_node *n = ttb__router_node_at(r, i);
    /* acquire: pairs with the release of ttb_router_observe: the sample read
     * next is at least as new as this state. Without it a node that just
     * became a replica could pass with a lag from before. */
    uint64_t state = ttb__load_acq(&n->state);
    uint32_t why = ttb__judge(&v, i, state, ttb__load_rlx(&n->sample));
    claims += ttb__claims(state, why);
    lagging |= why == TTB_ROUTER_LAGGING;
    if (why != TTB_ROUTER_MAY_BE_PICKED) continue;
    uint32_t l = ttb__level(&v, i, state);
    if (l > level) continue;
    if (l < level) {
      level = l;
      count = 0;
      shortest = UINT64_MAX;
    }
    uint64_t distance = ttb__distance(r, n);
    if (distance & TTB__RTT_MEASURED && ttb__rtt_value(distance) < shortest)
      shortest = ttb__rtt_value(distance);
    ret_distance[count] = distance;
    g->slot[count++] = (uint8_t)i;
  }
  g->count = count;
  g->level = level;
  g->lagging = lagging;
  *ret_shortest = shortest;
  return claims;
}

/* Leaves what is in the window; one never measured is. */
static void cut(const ttb__router *r, ttb__sight *g, const uint64_t *distance,
                uint64_t shortest) {
  uint64_t end = ttb__window_end(shortest, r->window);
  uint32_t kept = 0, weights = 0;
  for (uint32_t i = 0; i < g->count; i++) {
    if (!ttb__in_window(distance[i], end)) continue;
    const ttb__router_node *n = ttb__router_node_at(r, g->slot[i]);
    uint32_t weight = ttb__load_rlx(&n->weight) & 0xffff;
    if (weight == 0) weight = 1; /* not our word: weights are 1..65535 */
    weights += weight;
    g->slot[kept] = g->slot[i];
    g->weight[kept++] = (uint16_t)weight;
  }
  g->count = kept;
  g->weights = weights;
}

static bool is_fresh(const ttb__router *r, const ttb_router_wants *w, uint64_t now_ms,
                     uint64_t version) {
  const ttb__sight *g = &r->sight;
  return g->count > 0 && g->version == version && g->view.now_ms == now_ms &&
         g->mode == w->mode && g->max_lag_ms == w->max_lag_ms && g->view.avoid == w->avoid;
}

static void see(ttb__router *r, const ttb_router_wants *w, uint64_t now_ms, bool anew) {
  ttb__sight *g = &r->sight;
  /* acquire: pairs with ttb__router_changed. */
  uint64_t version = ttb__load_acq(&r->table->version);
  if (!anew && is_fresh(r, w, now_ms, version)) return;
  uint64_t distance[TTB_ROUTER_MAX_NODES], shortest;
  g->version = version;
  g->mode = w->mode;
  g->max_lag_ms = w->max_lag_ms;
  g->view = ttb__view_of(r, w, now_ms);
  if (look(r, &g->view, g, distance, &shortest) > 1) {
    g->view.conflict = true;
    (void)look(r, &g->view, g, distance, &shortest);
  }
  cut(r, g, distance, shortest);
}

/* ---- draw ---- */

static uint64_t next_random(ttb__router *r) {
  uint64_t z = r->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* The one, other than `not`, in whose part of the weights x lies. */
static uint32_t part_of(const ttb__sight *g, uint32_t not, uint32_t x) {
  uint32_t last = 0;
  for (uint32_t i = 0; i < g->count; i++) {
    if (i == not) continue;
    if (x < g->weight[i]) return i;
    x -= g->weight[i];
    last = i;
  }
  return last;
}

static uint64_t load_of(const ttb__router *r, uint32_t slot, uint32_t active) {
  return (uint64_t)ttb__cells_sum(ttb__router_node_at(r, slot)->cell, active) + 1;
}

/* The slot, by two choices. One random number serves both: the lower half of
 * its product with the weights is as random as the upper one. */
static uint32_t draw(ttb__router *r) {
  const ttb__sight *g = &r->sight;
  if (g->count == 1) return g->slot[0];
  uint64_t x = next_random(r), rest = x * g->weights;
  uint32_t a = (uint32_t)ttb__mulhi(x, g->weights), b;
  if (g->weights == g->count) { /* all alike */
    b = (uint32_t)ttb__mulhi(rest, g->count - 1);
    b += b >= a;
  } else {
    a = part_of(g, g->count, a);
    b = part_of(g, a, (uint32_t)ttb__mulhi(rest, g->weights - g->weight[a]));
  }
  uint32_t active = ttb__rows_active(r->rows, r->threads);
  uint64_t load_a = load_of(r, g->slot[a], active), load_b = load_of(r, g->slot[b], active);
  return g->slot[load_b * g->weight[a] < load_a * g->weight[b] ? b : a];
}

/* ---- take ---- */

static int32_t give_back(const ttb__router *r, ttb__a32 *cell) {
  return r->flags & TTB_ROUTER_TICKETS_MOVE ? ttb__cell_dec_shared(cell) : ttb__cell_dec(cell);
}

static uint32_t permit_of(uint64_t row_word) {
  return ttb__row_incarnation(row_word) & INCARNATION_MASK;
}

/* A ticket, or TTB_AGAIN if the node is not what it was. */
static int64_t take(ttb__router *r, uint32_t slot) {
  const ttb__sight *g = &r->sight;
  ttb__router_node *n = ttb__router_node_at(r, slot);
  ttb__a32 *cell = &n->cell[r->row];
  ttb__add_acq(cell, 1); /* acquire: I2 */
  /* acquire: as in look(). For a primary it also brings the epoch that was
   * raised before this state, so the load of the claim cannot miss it. */
  uint64_t state = ttb__load_acq(&n->state);
  bool same = ttb__judge(&g->view, slot, state, ttb__load_rlx(&n->sample)) ==
                  TTB_ROUTER_MAY_BE_PICKED &&
              ttb__level(&g->view, slot, state) == g->level;
  if (ttb__node_role(state) == TTB_ROLE_PRIMARY)
    same &= ttb__load_rlx(&r->table->claim) == g->view.claim;
  if (same)
    return ttb__ticket_pack(slot, ttb__node_gen(state), r->row, permit_of(r->mine.word));
  (void)give_back(r, cell);
  return TTB_AGAIN;
}

static int32_t refuse(ttb__router *r, const ttb_router_wants *w) {
  if (w->mode == TTB_READ_PRIMARY) {
    ttb__add_rlx(&r->table->no_primary, 1);
    return TTB_NO_PRIMARY;
  }
  if (r->sight.lagging) {
    ttb__add_rlx(&r->table->too_stale, 1);
    return TTB_TOO_STALE;
  }
  ttb__add_rlx(&r->table->no_endpoint, 1);
  return TTB_NO_ENDPOINT;
}

static int64_t pick(ttb__router *r, const ttb_router_wants *w, uint64_t now_ms) {
  for (int i = 0; i < TRIES; i++) {
    see(r, w, now_ms, i > 0);
    if (r->sight.count == 0) return refuse(r, w);
    int64_t ticket = take(r, draw(r));
    if (ticket < 0) continue;
    if (r->sight.level & 2) ttb__add_rlx(&r->table->fallbacks, 1);
    return ticket;
  }
  return TTB_AGAIN;
}

int64_t ttb_router_write(ttb_router *joined, uint64_t now_ns) {
  ttb__router *r = ttb__router_joined(joined);
  if (!r) return TTB_ERR_MISUSE;
  ttb_router_wants w = {.struct_size = sizeof w, .mode = TTB_READ_PRIMARY};
  return pick(r, &w, ttb__clock_now(&r->region->clock, now_ns));
}

int64_t ttb_router_read(ttb_router *joined, const ttb_router_wants *wants, uint64_t now_ns) {
  ttb__router *r = ttb__router_joined(joined);
  ttb_router_wants w;
  if (!r) return TTB_ERR_MISUSE;
  int32_t code = ttb__router_wants(r, wants, &w);
  if (code < 0) return code;
  return pick(r, &w, ttb__clock_now(&r->region->clock, now_ns));
}

int32_t ttb_router_read_n(ttb_router *joined, const ttb_router_wants *wants, uint32_t n,
                          uint64_t now_ns, int64_t *ret_tickets) {
  ttb__router *r = ttb__router_joined(joined);
  ttb_router_wants w;
  if (!r || n > INT32_MAX || (n > 0 && !ret_tickets)) return TTB_ERR_MISUSE;
  int32_t code = ttb__router_wants(r, wants, &w);
  if (code < 0) return code;
  uint64_t now_ms = ttb__clock_now(&r->region->clock, now_ns);
  int32_t tickets = 0;
  for (uint32_t i = 0; i < n; i++) {
    ret_tickets[i] = pick(r, &w, now_ms);
    tickets += ret_tickets[i] >= 0;
  }
  return tickets;
}

/* ---- report ---- */

/* The cell a ticket is counted in, or NULL if it is none of this handle's. */
static ttb__a32 *cell_of(const ttb__router *r, ttb__router_node *n, ttb__ticket t) {
  if (t.row == r->row) return t.permit == permit_of(r->mine.word) ? &n->cell[t.row] : NULL;
  if (!(r->flags & TTB_ROUTER_TICKETS_MOVE) || t.row >= r->threads) return NULL;
  uint64_t row = ttb__load_rlx(&r->rows->row[t.row]);
  if (ttb__row_state(row) != TTB__ROW_LIVE || t.permit != permit_of(row)) return NULL;
  return &n->cell[t.row];
}

int32_t ttb_router_report(ttb_router *joined, int64_t ticket, int32_t outcome,
                          uint64_t latency_ns, uint64_t now_ns) {
  ttb__router *r = ttb__router_joined(joined);
  (void)now_ns; /* nothing here depends on the time yet */
  if (!r || ticket < 0) return TTB_ERR_MISUSE;
  ttb__ticket t = ttb__ticket_unpack(ticket);
  if (t.slot >= r->capacity || outcome < TTB_SUCCESS || outcome > TTB_CANCELLED)
    return TTB_ERR_RANGE;
  ttb__router_node *n = ttb__router_node_at(r, t.slot);
  ttb__a32 *cell = cell_of(r, n, t);
  if (ttb__node_gen(ttb__load_rlx(&n->state)) != t.gen || !cell || give_back(r, cell) < 0) {
    ttb__add_rlx(&r->table->stale, 1);
    return TTB_STALE;
  }
  if (outcome == TTB_FAILURE) ttb__add_rlx(&n->failures, 1);
  if (outcome != TTB_SUCCESS && outcome != TTB_SLOW) return TTB_OK;
  if (latency_ns > 0)
    ttb__store_rlx(&n->latency, ttb__rtt_next(ttb__load_rlx(&n->latency), latency_ns));
  return TTB_OK;
}

int32_t ttb_router_report_n(ttb_router *joined, const int64_t *tickets, const int32_t *outcomes,
                            const uint64_t *latencies_ns, uint32_t n, uint64_t now_ns,
                            int32_t *ret_codes) {
  if (!ttb__router_joined(joined) || n > INT32_MAX || (n > 0 && (!tickets || !outcomes)))
    return TTB_ERR_MISUSE;
  int32_t counted = 0;
  for (uint32_t i = 0; i < n; i++) {
    int32_t code = TTB_ERR_MISUSE;
    uint64_t latency = latencies_ns ? latencies_ns[i] : 0;
    if (tickets[i] >= 0)
      code = ttb_router_report(joined, tickets[i], outcomes[i], latency, now_ns);
    if (ret_codes) ret_codes[i] = code;
    counted += code == TTB_OK;
  }
  return counted;
}
