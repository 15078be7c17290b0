/* SPDX-License-Identifier: MIT */
/* Inside a router: the words of a node and the private handle.
 *
 *     state  = epoch 44 | generation 12 | drain 1 | unused 1 | used 1 | status 3 | role 2
 *     sample = observed at (virtual ms) 40 | lag (ms) 24
 *     claim  = epoch 44 | generation 12 | slot + 1 of the newest claimant 8
 *
 * I1  What a node is stands in its state word, and changes by CAS only. Who is
 *     primary is not stored: it is what the state words of a moment and the
 *     highest epoch (in the claim word) say together. So no word can contradict
 *     another, whoever was killed between two of them.
 * I2  The epoch in the claim word only grows (but by ttb_router_set_epoch), and
 *     it is raised before the state word that carries it is written.
 * I3  Lag and the time it was measured are one word: no lag without its age.
 * I4  A slot is used again only when all cells of it are zero, with the next
 *     generation; either the adder sees a reader's count or that reader sees
 *     the removal (route.c, router_nodes.c).
 * I5  Whoever changes what a pick looks at raises the version afterwards. It
 *     only saves looking again: each pick judges the one node it takes by the
 *     words of that moment, and looks anew once a millisecond in any case.
 * I6  A node's first line is written by monitoring, the lines after it by
 *     workers: looking at all nodes meets no line that every call writes. */
#ifndef TTB_LIB_ROUTER_ROUTER_H
#define TTB_LIB_ROUTER_ROUTER_H

#include "../base/atomic.h"
#include "../base/handle.h"
#include "../base/lock.h"
#include "../base/region.h"
#include "../base/rows.h"
#include "../base/ticket.h"

#include <trimtab/router.h>

typedef struct ttb__router_node {
  ttb__a64 state, sample;
  ttb__a64 rtt; /* see rtt.h */
  ttb__a64 id;
  ttb__a64 position;
  ttb__a32 weight;
  uint32_t reserved;
  uint64_t reserved2[2];
  /* the next lines */
  ttb__a64 latency; /* as rtt */
  ttb__a32 failures;
  uint32_t reserved3;
  ttb__a32 cell[]; /* config.threads */
} ttb__router_node;
_Static_assert(offsetof(ttb__router_node, latency) == 64, "monitoring has a line of its own");

typedef struct ttb__router_table {
  ttb__a64 claim;
  ttb__a64 version; /* counts changes of what a pick looks at */
  ttb__a32 high;    /* slots ever used are below it */
  uint32_t reserved;
  ttb__lock lock; /* of add, remove, set */
  uint64_t reserved2[4];
  /* the next line: touched by refusals and the like only */
  ttb__a64 no_primary, too_stale, no_endpoint, fallbacks, fenced, stale;
  uint64_t reserved3[2];
} ttb__router_table;
_Static_assert(sizeof(ttb__router_table) == 128, "two lines");

/* What one call looks with (router_view.c, judge.h). */
typedef TTB__HANDLE_STRUCT ttb__view {
  uint64_t now_ms;
  uint64_t claim;
  uint64_t bound; /* lag keys up to it pass */
  uint64_t avoid;
  int64_t ttl;
  uint32_t ranks; /* of the roles in this mode: 0 first, 1 second, 2 unwanted; a byte each */
  bool count_age, last_claim;
  bool conflict; /* two claim the highest epoch: nobody is primary */
} ttb__view;

/* What a thread saw last: who may be picked, and what it is the answer to.
 * Good for the same question in the same millisecond of the same version. */
typedef TTB__HANDLE_STRUCT ttb__sight {
  uint64_t version;
  ttb__view view;
  uint32_t mode;
  int32_t max_lag_ms;
  uint32_t count; /* 0: none; always looks anew */
  uint32_t level, weights;
  bool lagging; /* a replica was passed over for its lag alone */
  uint8_t slot[TTB_ROUTER_MAX_NODES];
  uint16_t weight[TTB_ROUTER_MAX_NODES];
} ttb__sight;

typedef TTB__HANDLE_STRUCT ttb__router {
  uint64_t tag;
  /* hot */
  unsigned char *nodes;
  ttb__router_table *table;
  ttb__region *region;
  ttb__rows *rows;
  int64_t ttl;     /* in the units of a sample word */
  uint64_t window; /* in the units of rtt.h */
  uint64_t random;
  uint32_t capacity, stride, rtt_at, mode, claims, flags;
  int32_t max_lag_ms, hard_lag_ms;
  uint32_t min_replicas, threads;
  uint32_t row; /* TTB__NO_ROW unless joined */
  /* cold */
  uint32_t reserved;
  uint64_t seed;
  ttb__row mine;  /* the row of a joined handle */
  uint64_t owned; /* bytes to give back, 0 if the memory is the caller's */
  ttb_allocator allocator;
  ttb__sight sight; /* of a joined handle */
} ttb__router;
_Static_assert(sizeof(ttb__router) <= sizeof(ttb_router), "the handle's size is frozen");

extern const ttb__struct ttb__router_config_fields, ttb__router_observation_fields,
    ttb__router_wants_fields, ttb__router_node_fields, ttb__router_stats_fields;

/* NULL unless h is a live router handle. */
static inline ttb__router *ttb__router_of(const ttb_router *h) {
  ttb__router *r = (ttb__router *)(uintptr_t)h;
  return r && r->tag == TTB__TAG(TTB__KIND_ROUTER) ? r : NULL;
}
/* NULL unless it is a joined one. */
static inline ttb__router *ttb__router_joined(const ttb_router *h) {
  ttb__router *r = ttb__router_of(h);
  return r && r->row != TTB__NO_ROW ? r : NULL;
}

static inline ttb__router_node *ttb__router_node_at(const ttb__router *r, uint32_t slot) {
  return (ttb__router_node *)(void *)(r->nodes + (uint64_t)slot * r->stride);
}

/* Slots to look at: never more than there are, whatever the region says. */
static inline uint32_t ttb__router_high(const ttb__router *r) {
  uint32_t high = ttb__load_rlx(&r->table->high);
  return high < r->capacity ? high : r->capacity;
}

/* ---- the words ---- */

#define TTB__NODE_USED 0x20u
#define TTB__NODE_DRAIN 0x80u
#define TTB__NODE_GEN_MASK 0xfffu
#define TTB__EPOCH_SHIFT 20

static inline uint64_t ttb__node_state(uint64_t epoch, uint32_t gen, uint32_t bits) {
  return epoch << TTB__EPOCH_SHIFT | (uint64_t)(gen & TTB__NODE_GEN_MASK) << 8 | bits;
}
static inline uint64_t ttb__node_epoch(uint64_t w) { return w >> TTB__EPOCH_SHIFT; }
static inline uint32_t ttb__node_gen(uint64_t w) { return (uint32_t)(w >> 8) & TTB__NODE_GEN_MASK; }
static inline uint32_t ttb__node_status(uint64_t w) { return (uint32_t)(w >> 2) & 7; }
static inline uint32_t ttb__node_role(uint64_t w) { return (uint32_t)w & 3; }
static inline bool ttb__node_used(uint64_t w) { return (w & TTB__NODE_USED) != 0; }

/* Who claims: epoch and generation where a state word has them. */
static inline uint64_t ttb__claim(uint64_t epoch, uint32_t gen, uint32_t slot_plus_1) {
  return ttb__node_state(epoch, gen, slot_plus_1);
}

#define TTB__LAG_BITS 24
#define TTB__LAG_UNKNOWN 0xffffffu /* and everything longer */
#define TTB__MAX_LAG (TTB__LAG_UNKNOWN - 1)

static inline uint64_t ttb__sample(uint64_t at_ms, int64_t lag_ms) {
  uint64_t lag = lag_ms < 0 || lag_ms > TTB__MAX_LAG ? TTB__LAG_UNKNOWN : (uint64_t)lag_ms;
  return at_ms << TTB__LAG_BITS | lag;
}
static inline uint32_t ttb__sample_lag(uint64_t s) { return (uint32_t)s & TTB__LAG_UNKNOWN; }
/* Age in units of 2^-24 ms; below zero if it is from a clock a bit ahead. */
static inline int64_t ttb__sample_age(uint64_t s, uint64_t now_ms) {
  return (int64_t)((now_ms << TTB__LAG_BITS) - (s & ~(uint64_t)TTB__LAG_UNKNOWN));
}

/* I5. release: pairs with the acquire in route.c: who knows the version sees
 * what it stands for. Without it a thread could keep an older sight under it. */
static inline void ttb__router_changed(ttb__router *r) { ttb__add_rel(&r->table->version, 1); }

/* ---- parts of other files ---- */

/* Reads a caller's wants; NULL stands for none. mode is never 0 afterwards. */
int32_t ttb__router_wants(const ttb__router *r, const ttb_router_wants *wants,
                          ttb_router_wants *ret);
void ttb__router_leave(ttb__router *r);
/* Where a thread's random sequence begins. */
uint64_t ttb__router_start(uint64_t seed, const ttb__row *row);

#endif
