/* SPDX-License-Identifier: MIT */
/* Inside a balancer: the words of an endpoint, the tables, the private handle,
 * and what an algorithm is.
 *
 *     eligibility = generation 20 | weight 16 | unused 2 | zone 6 | priority 4 |
 *                   causes 8 | unused 3 | backup 1 | status 3 | used 1
 *     cell        = generation's low 12 bits | calls in flight 20, or 0 for none
 *     ticket      = slot 20 | generation 20 | row 8 | permit 15 (tickets.h)
 *
 * An endpoint's line holds its word and then one cell a row: 14 in the first 64
 * bytes, 16 in each further line.
 *
 * I1  The eligibility word is the only truth about an endpoint: that it is
 *     there, its generation, its weight, whether it may be picked. It changes by
 *     compare-and-swap. Tables, bitmap and index only help to find it quickly
 *     and can at any time be made again from the words and ids (a table that is
 *     patched: and from its published copy).
 * I2  A pick ends with a load of that word. Whatever a table said, nobody is
 *     picked whose word has a cause set or is not used.
 * I3  A cell is written by its row's owner (with moving tickets: by threads of
 *     its process, by read-modify-write). It names the generation it counts
 *     for: a report of another one finds a foreign cell and changes nothing. So
 *     a pick that raced with a removal and a reuse of its slot counts, and is
 *     reported, under its old generation, and the newcomer's count is right.
 * I4  Tables hold slot numbers only, checked against the capacity when read.
 * I5  Writers hold the owner lock. Order: id, then word, then index, table;
 *     killed in between, recovery makes the latter from the former. */
#ifndef TTB_LIB_BALANCER_BALANCER_H
#define TTB_LIB_BALANCER_BALANCER_H

#include "../base/atomic.h"
#include "../base/clock.h"
#include "../base/fixed.h"
#include "../base/flip.h"
#include "../base/handle.h"
#include "../base/lock.h"
#include "../base/mulhi.h"
#include "../base/random.h"
#include "../base/region.h"
#include "../base/rows.h"
#include "../base/ticket.h"

#include <trimtab/balancer.h>

#define TTB__BALANCER_FLAGS                                                      \
  (TTB_BALANCER_TRACK | TTB_BALANCER_MOVING_TICKETS | TTB_BALANCER_CHECK_TICKETS | \
   TTB_BALANCER_TAGS | TTB_BALANCER_CAPS | TTB_BALANCER_LEVELS | TTB_BALANCER_LOAD_WEIGHTS)

#define TTB__PICK_FLAGS (TTB_PICK_FALLBACK | TTB_PICK_DRAINING)

/* Of a handle's flags only: its algorithm wants to know what was taken or ended. */
#define TTB__BALANCER_HOOKED (1u << 31)
/* Of a handle's flags only: its configuration narrows every pick; and does so by
 * a plan. */
#define TTB__BALANCER_SCOPED (1u << 30)
#define TTB__BALANCER_PLANNED (1u << 29)
/* Of a handle's flags only: its load is bounded (bounded.c). */
#define TTB__BALANCER_BOUNDED (1u << 28)
/* Whoever has one of these goes the careful way through acquire and report. */
#define TTB__BALANCER_CAREFUL \
  (TTB_BALANCER_MOVING_TICKETS | TTB_BALANCER_CHECK_TICKETS | TTB_BALANCER_LOAD_WEIGHTS | \
   TTB__BALANCER_HOOKED | TTB__BALANCER_BOUNDED)

/* Entry of a table that is no slot. */
#define TTB__NO_SLOT UINT32_MAX

/* Random draws before an algorithm falls back to looking at all. */
#define TTB__BALANCER_TRIES 16u

/* ---- the region ---- */

typedef struct ttb__endpoint {
  ttb__a64 word;
  ttb__a32 cell[14]; /* config.threads of them: see the stride */
} ttb__endpoint;
_Static_assert(sizeof(ttb__endpoint) == 64, "14 cells fit the line");

/* One of the two copies of the table. */
typedef struct ttb__copy {
  ttb__a32 length;    /* entries in use */
  ttb__a32 error_ppm; /* of the weights in it */
  ttb__a32 entry[];
} ttb__copy;

typedef struct ttb__balancer_table {
  ttb__flip flip; /* which copy; read by every pick, written by rebuilds */
  uint64_t reserved0[7];
  ttb__a64 cursor; /* turns leased so far, of the round robins */
  uint64_t reserved1[7];
  ttb__lock lock;
  ttb__a64 rebuilds, stale;
  ttb__a32 indexed; /* entries of the index in use, stale ones too */
  ttb__a32 high;    /* slots ever used: 0 .. high-1 */
  ttb__a64 panics;  /* picks made in panic */
  uint64_t reserved3[3];
  ttb__a64 version; /* grows when a word has changed; see balancer_plan.c */
  uint64_t reserved4[7];
  ttb__a32 clients[TTB_MAX_ZONE + 1]; /* by zone; all 0: not told */
} ttb__balancer_table;
_Static_assert(sizeof(ttb__balancer_table) == 512, "eight lines");

/* Priorities, and the backups as one more. */
#define TTB__LEVELS (TTB_MAX_PRIORITY + 2)
#define TTB__BACKUP_LEVEL (TTB_MAX_PRIORITY + 1)

#define TTB__MAX_OVERPROVISIONING 1000000000
#define TTB__MAX_SLOW_START_MS 86400000
#define TTB__SLOW_START_MIN 100000
#define TTB__MIN_BOUND 1010000
#define TTB__MAX_BOUND 15000000
#define TTB__MIN_AGGRESSION 100000
#define TTB__MAX_AGGRESSION 10000000

/* Where a thread's picks go: its own (balancer_plan.c). */
typedef struct ttb__plan {
  uint32_t healthy[TTB__LEVELS], degraded[TTB__LEVELS]; /* percent */
  uint32_t panics[TTB__LEVELS];
  uint32_t zoned; /* the level that prefers the local zone; TTB__LEVELS: none */
  uint64_t oldest; /* when the first of those who may be picked began */
  uint64_t weight[TTB__LEVELS]; /* of the healthy */
  uint32_t stay;   /* 1/10000 of the calls that stay in the zone */
  uint32_t residual[TTB_MAX_ZONE + 1]; /* where the others go: sums up to each zone */
  uint32_t reserved[23];
} ttb__plan;
_Static_assert(sizeof(ttb__plan) == 704, "a whole number of lines");

/* ---- what an algorithm is ---- */

typedef struct ttb__balancer ttb__balancer;

/* The endpoints there are, while a table is built: slots in ascending order,
 * in scratch memory of the region. Hostile neighbours may change it under the
 * builder, hence the accessors, which never return what is no slot. */
typedef struct ttb__roster {
  const ttb__balancer *b;
  const uint32_t *slot;
  uint32_t n;
  const ttb__copy *old; /* the published copy, for tables that are patched; its length may be 0 */
} ttb__roster;

/* What narrows one pick (scope.c). Algorithms hand it on and look at nothing in
 * it; NULL is the plain pick, which everybody with a clean word is in. */
typedef struct ttb__scope {
  const uint32_t *slots; /* these not, */
  const int64_t *tickets; /* nor the endpoints of these */
  uint32_t n, n_tickets;
  uint64_t zones;   /* one of these; bit a zone */
  uint64_t tags;    /* all of these; 0 unless endpoints have tags */
  uint64_t ignored; /* causes that do not count now, where they stand in the word */
  uint64_t mask, level; /* word & mask == level: of this level; mask 0: of any */
  uint32_t tier;    /* TTB__TIER_*: how well they must be */
  /* Who is in slow start is in scope by chance; NULL: as if it were over. */
  ttb__random *chance;
  uint64_t key;    /* nor by chance, but by this key's luck with each; 0: no key */
  uint64_t oldest; /* see slow_start.c */
  uint64_t bound, bound_weight; /* only who is below it (bounded.h); weight 0: any */
  bool capped;      /* only who has room; set only if endpoints have limits */
} ttb__scope;

#define TTB__TIER_ANY 0u
#define TTB__TIER_HEALTHY 1u  /* whose status is not DEGRADED */
#define TTB__TIER_DEGRADED 2u /* whose status is */
/* A call that ended and counted: not stale, of this generation of its slot. */
typedef struct ttb__ended {
  uint32_t slot;
  int32_t outcome;
  uint64_t latency_ns, now_ns;
  const ttb_load *load; /* checked; NULL if the answer said nothing */
} ttb__ended;

typedef struct ttb__algorithm {
  uint32_t number, max_endpoints;
  int32_t tracks; /* needs the calls in flight */
  int32_t weighs; /* its table depends on the weights */
  int32_t hashes; /* the same hash has the same endpoint */
  /* More than the ranges; may be NULL. */
  int32_t (*check)(const ttb_balancer_config *c, ttb_detail *d);
  /* Words of a copy of its table, and of its builder's scratch memory. */
  uint32_t (*entries)(const ttb_balancer_config *c);
  uint64_t (*scratch)(const ttb_balancer_config *c);
  /* Fills the idle copy, returns its length. At least one endpoint is there. */
  uint32_t (*build)(const ttb__roster *r, uint32_t *scratch, ttb__copy *copy);
  /* {slot, generation} of an eligible endpoint as a ticket without row and permit,
   * or TTB_NO_ENDPOINT. The time is b->now. May change the handle, nothing else. */
  int64_t (*choose)(ttb__balancer *b, uint64_t hash, const ttb__scope *x);
  /* ---- of those that learn; 0 or NULL elsewhere ---- */
  /* Bytes of shared state an endpoint has, a multiple of 8: all zero when its slot
   * is given out. And a joined row: all zero when it joins. */
  uint32_t slot_bytes, row_bytes;
  uint64_t (*common_bytes)(const ttb_balancer_config *c); /* before the slots'; may be NULL */
  /* After a pick has been counted, and after a call has ended. */
  void (*took)(ttb__balancer *b, uint32_t slot);
  void (*observe)(ttb__balancer *b, const ttb__ended *e);
  /* After an endpoint's word has changed; slot TTB__NO_SLOT: anything may have. */
  void (*changed)(const ttb__balancer *b, uint32_t slot);
} ttb__algorithm;

/* The one place where algorithms are listed; NULL if there is none. */
const ttb__algorithm *ttb__balancer_algorithm(uint32_t number);

extern const ttb__algorithm ttb__two_choices, ttb__round_robin, ttb__weighted_round_robin,
    ttb__least_connections, ttb__maglev, ttb__ring_hash, ttb__jump_hash, ttb__rendezvous,
    ttb__weighted_random, ttb__ketama, ttb__nginx_consistent, ttb__first_fit, ttb__peak_ewma, ttb__prequal,
    ttb__patched_maglev, ttb__anchor, ttb__nginx_hash;

/* ---- the handle ---- */

/* How far turns have come in a scope (round_robin.c). */
typedef struct ttb__turns {
  uint64_t key, turn;
} ttb__turns;
#define TTB__TURNS 8u

TTB__HANDLE_STRUCT ttb__balancer {
  uint64_t tag;
  /* hot */
  unsigned char *endpoints; /* line of slot 0 */
  const ttb__algorithm *algorithm;
  ttb__rows *rows;
  ttb__balancer_table *table;
  const ttb__copy *seen; /* the copy of generation seen_generation */
  uint64_t seen_generation;
  uint64_t seen_inverse; /* 2^64 / seen_length */
  uint32_t seen_length;
  uint32_t seen_bits; /* floor(log2 seen_length); 0 of 0 */
  uint32_t seen_dense; /* 1: a roster without gaps, entry i is i and needs no look */
  uint32_t capacity, stride, threads;
  uint32_t flags, row; /* row is TTB__NO_ROW unless joined */
  uint32_t last;       /* what ttb_balancer_last says */
  uint64_t now;        /* of the call that runs; ns */
  unsigned char *common_state, *slot_state, *row_state; /* of slot 0, of the own row */
  uint32_t slot_bytes, row_bytes;
  uint64_t half_life_inverse; /* of costs (decay_ms), 1/ns */
  uint64_t probe_age, probe_rate; /* of Prequal: ns, ppm */
  uint32_t rif_quantile;          /* ppm */
  uint32_t choices, exact, bias;  /* of least connections; bias in 1/65536 */
  uint32_t least, busy; /* what a group's look found, TTB__NO_SLOT: nothing; nobody was idle */
  uint64_t group_seen, group_rest; /* see minima.h */
  int64_t ticket; /* row and permit of this handle's tickets */
  ttb__random random;
  uint64_t turn;    /* the next turn leased, of the endless sequence */
  uint32_t at, left; /* its place in the table; turns left of the lease */
  uint32_t lease, tracked;
  uint32_t entries; /* words of a copy */
  uint32_t ticket_bits, ticket_next; /* of the ticket table; see tickets.h */
  uint32_t index_mask;
  /* cold: offsets from the region, which is also the start of the memory */
  ttb__region *region;
  uint32_t copies_at[2]; /* in lines of 64 bytes, as all below */
  uint32_t bitmap_at, ids_at, index_at, scratch_at, tickets_at, tags_at, caps_at;
  uint32_t worths_at, error_penalty, load_blackout, load_expiry; /* load_weights.c; ppm, ms */
  uint32_t config_order;
  uint64_t residency; /* zones that may be picked at all */
  ttb__plan *plan;    /* of a joined handle's row */
  uint64_t planned;   /* the version it is of */
  uint32_t zone, zone_min, overprovisioning_ppm, panic_ppm;
  uint32_t slow_start_ms, slow_start_rule, slow_start_min, slow_start_aggression;
  uint32_t began_at, plans_at, bounds_at;
  uint32_t bound_16; /* bounded_ppm in 1/65536 */
  ttb__turns turns[TTB__TURNS];
  uint32_t turns_next; /* the one to be forgotten next */
  ttb__row mine;
  uint64_t owned; /* bytes to give back, 0 if the memory is the caller's */
  void *free_ctx;
  void (*free)(void *ctx, void *ptr, uint64_t size, uint64_t align);
};
_Static_assert(sizeof(ttb__balancer) <= sizeof(ttb_balancer), "the handle's size is frozen");

extern const ttb__struct ttb__balancer_config_fields, ttb__balancer_info_fields,
    ttb__balancer_stats_fields, ttb__balancer_load_fields, ttb__balancer_pick_fields;

/* NULL unless h is a live balancer handle. */
static inline ttb__balancer *ttb__balancer_of(const ttb_balancer *h) {
  ttb__balancer *b = (ttb__balancer *)(uintptr_t)h;
  return b && b->tag == TTB__TAG(TTB__KIND_BALANCER) ? b : NULL;
}
/* NULL unless it has also joined. */
static inline ttb__balancer *ttb__balancer_joined(const ttb_balancer *h) {
  ttb__balancer *b = ttb__balancer_of(h);
  return b && b->row != TTB__NO_ROW ? b : NULL;
}

static inline void *ttb__balancer_part(const ttb__balancer *b, uint32_t line) {
  return (unsigned char *)b->region + (uint64_t)line * 64;
}
static inline ttb__a64 *ttb__balancer_bitmap(const ttb__balancer *b) {
  return ttb__balancer_part(b, b->bitmap_at);
}
static inline ttb__a64 *ttb__balancer_ids(const ttb__balancer *b) {
  return ttb__balancer_part(b, b->ids_at);
}
/* Only where the configuration asks for them. */
static inline ttb__a64 *ttb__balancer_tags(const ttb__balancer *b) {
  return ttb__balancer_part(b, b->tags_at);
}
static inline ttb__a32 *ttb__balancer_caps(const ttb__balancer *b) {
  return ttb__balancer_part(b, b->caps_at);
}
static inline ttb__a64 *ttb__balancer_began(const ttb__balancer *b) {
  return ttb__balancer_part(b, b->began_at);
}
static inline ttb__plan *ttb__plan_of_row(const ttb__balancer *b, uint32_t row) {
  return (ttb__plan *)ttb__balancer_part(b, b->plans_at) + row;
}
static inline ttb__endpoint *ttb__endpoint_at(const ttb__balancer *b, uint32_t slot) {
  return (ttb__endpoint *)(void *)(b->endpoints + (uint64_t)slot * b->stride);
}
static inline ttb__a32 *ttb__cell_at(const ttb__balancer *b, uint32_t slot, uint32_t row) {
  unsigned char *line = b->endpoints + (uint64_t)slot * b->stride;
  return (ttb__a32 *)(void *)(line + offsetof(ttb__endpoint, cell) + 4 * (uint64_t)row);
}

/* What the algorithm knows of a slot. */
static inline void *ttb__slot_state(const ttb__balancer *b, uint32_t slot) {
  return b->slot_state + (uint64_t)slot * b->slot_bytes;
}

/* Clears words that others may look at; n is a multiple of 8. */
static inline void ttb__zero_words(void *words, uint64_t n) {
  for (uint64_t i = 0; i < n / 8; i++) ttb__store_rlx(&((ttb__a64 *)words)[i], 0);
}

/* ---- the eligibility word ---- */

#define TTB__WORD_USED UINT64_C(1)
#define TTB__WORD_CAUSES (UINT64_C(0xff) << 8)
#define TTB__WORD_BACKUP (UINT64_C(1) << 4)
#define TTB__WORD_LEVEL (UINT64_C(15) << 16 | TTB__WORD_BACKUP)
/* What an endpoint's description sets. */
#define TTB__WORD_DESCRIBED (UINT64_C(0xffffff) << 20 | TTB__WORD_LEVEL)

static inline uint64_t ttb__word_described(const ttb_endpoint *e) {
  return (uint64_t)(e->weight & 0xffff) << 28 | (uint64_t)(e->zone & TTB_MAX_ZONE) << 20 |
         (uint64_t)(e->priority & TTB_MAX_PRIORITY) << 16 |
         (e->flags & TTB_ENDPOINT_BACKUP ? TTB__WORD_BACKUP : 0);
}
static inline uint64_t ttb__word(uint32_t gen, const ttb_endpoint *e) {
  return (uint64_t)(gen & TTB__GEN_MASK) << 44 | ttb__word_described(e) | TTB__WORD_USED;
}
static inline uint32_t ttb__word_zone(uint64_t w) { return (uint32_t)(w >> 20) & TTB_MAX_ZONE; }
static inline uint32_t ttb__word_priority(uint64_t w) {
  return (uint32_t)(w >> 16) & TTB_MAX_PRIORITY;
}
static inline uint32_t ttb__word_generation(uint64_t w) { return (uint32_t)(w >> 44); }
static inline uint32_t ttb__word_weight(uint64_t w) { return (uint32_t)(w >> 28) & 0xffff; }
static inline uint32_t ttb__word_causes(uint64_t w) { return (uint32_t)(w >> 8) & 0xff; }
static inline uint32_t ttb__word_status(uint64_t w) {
  uint32_t status = (uint32_t)(w >> 1) & 7;
  return status <= TTB_STATUS_DRAINING ? status : TTB_STATUS_UNKNOWN; /* a neighbour's nonsense */
}
static inline bool ttb__word_used(uint64_t w) { return (w & TTB__WORD_USED) != 0; }
static inline bool ttb__word_eligible(uint64_t w) {
  return (w & (TTB__WORD_CAUSES | TTB__WORD_USED)) == TTB__WORD_USED;
}
static inline uint64_t ttb__word_with_weight(uint64_t w, uint32_t weight) {
  return (w & ~(UINT64_C(0xffff) << 28)) | (uint64_t)weight << 28;
}
static inline uint64_t ttb__word_with_status(uint64_t w, uint32_t status) {
  return (w & ~UINT64_C(0xe)) | (uint64_t)status << 1;
}

/* What a pick returns for it. */
static inline int64_t ttb__candidate(uint32_t slot, uint64_t w) {
  return ttb__ticket_pack(slot, ttb__word_generation(w), 0, 0);
}

/* ---- cells ---- */

#define TTB__CELL_TAG 20
#define TTB__CELL_COUNT 0xfffffu

/* The calls in flight on an endpoint. A cell without any is 0, so the sum needs
 * no look at the tags: they fall off above the counts. */
static inline uint32_t ttb__in_flight(const ttb__endpoint *e, uint32_t active) {
  return ttb__cells_sum(e->cell, active) & TTB__CELL_COUNT;
}

/* A name of a scope, the same for the same narrowing; never 0. 0 for one that
 * names endpoints, which few picks share (scope.c). */
uint64_t ttb__scope_key(const ttb__scope *x);
/* ttb__eligible_word of a pick with a scope (scope.c). */
uint64_t ttb__scoped_word(const ttb__balancer *b, uint32_t slot, const ttb__scope *x);

/* The eligibility word of a slot if this pick may take it, else 0. */
static inline uint64_t ttb__eligible_word(const ttb__balancer *b, uint32_t slot,
                                          const ttb__scope *x) {
  if (slot >= b->capacity) return 0;
  if (x) return ttb__scoped_word(b, slot, x);
  uint64_t w = ttb__load_rlx(&ttb__endpoint_at(b, slot)->word);
  return ttb__word_eligible(w) ? w : 0;
}

/* Draws, or steps in a table, before an algorithm looks at all: in a scope many
 * may be passed over, and looking at all is dear, too. */
static inline uint32_t ttb__balancer_tries(const ttb__balancer *b, const ttb__scope *x) {
  return x ? TTB__BALANCER_TRIES + b->seen_length / 8 : TTB__BALANCER_TRIES;
}

/* ---- tables (table.c) ---- */

/* n % d, with inverse = 2^64 / d rounded down (Barrett). d > 0. */
static inline uint32_t ttb__mod(uint64_t n, uint32_t d, uint64_t inverse) {
  uint64_t r = n - ttb__mulhi(n, inverse) * d;
  return (uint32_t)(r >= d ? r - d : r);
}
static inline uint64_t ttb__mod_inverse(uint32_t d) { return d > 1 ? UINT64_MAX / d : UINT64_MAX; }

/* Looks up what the published copy is, once a generation. */
void ttb__balancer_refresh(ttb__balancer *b, uint64_t generation);

/* True if the handle knows the published copy; else it has learnt of it. */
static inline bool ttb__balancer_seen(ttb__balancer *b) {
  /* acquire: as ttb__flip_begin and ttb__flip_again. */
  uint64_t generation = ttb__load_acq(&b->table->flip.generation);
  if (generation == b->seen_generation) return true;
  ttb__balancer_refresh(b, generation);
  return false;
}

/* Entry i of the copy seen; i < seen_length. */
static inline uint32_t ttb__balancer_entry(const ttb__balancer *b, uint32_t i) {
  return ttb__flip_get32(&b->seen->entry[i]);
}

/* Builds the table from the words and publishes it. Under the lock. */
void ttb__balancer_rebuild(ttb__balancer *b);
/* The same for the index of ids. */
void ttb__balancer_reindex(ttb__balancer *b);
/* Notes that id lives in slot; makes the index anew when it is full of the past. */
void ttb__balancer_index(ttb__balancer *b, uint64_t id, uint32_t slot);
/* Its slot, or TTB_ERR_UNKNOWN_ID. */
int32_t ttb__balancer_find(const ttb__balancer *b, uint64_t id);
/* The same by the index alone; exact under the lock. */
int32_t ttb__balancer_lookup(const ttb__balancer *b, uint64_t id);

/* Endpoint i of a roster: its slot, and its weight, 1 at least. */
static inline uint32_t ttb__roster_slot(const ttb__roster *r, uint32_t i) {
  uint32_t slot = r->slot[i];
  return slot < r->b->capacity ? slot : 0;
}
static inline uint32_t ttb__roster_weight(const ttb__roster *r, uint32_t i) {
  const ttb__endpoint *e = ttb__endpoint_at(r->b, ttb__roster_slot(r, i));
  uint32_t weight = ttb__word_weight(ttb__load_rlx(&e->word));
  return weight ? weight : 1;
}

/* |a - b| / b in ppm: how far a share is off what it should be. */
static inline uint32_t ttb__error_ppm(uint64_t a, uint64_t b) {
  uint64_t diff = a > b ? a - b : b - a;
  if (b == 0) return 0;
  uint64_t ppm = diff < UINT64_MAX / 1000000 ? diff * 1000000 / b : diff / (b / 1000000 + 1);
  return ppm < INT32_MAX ? (uint32_t)ppm : INT32_MAX;
}

/* The table of those who look at endpoints only: the roster as it is. */
uint32_t ttb__roster_entries(const ttb_balancer_config *c);
uint32_t ttb__roster_build(const ttb__roster *r, uint32_t *scratch, ttb__copy *copy);
uint64_t ttb__no_scratch(const ttb_balancer_config *c);

/* ---- what algorithms share ---- */

/* The least loaded of all that may be picked (least_connections.c). */
int64_t ttb__choose_least(ttb__balancer *b, uint64_t hash, const ttb__scope *x);
/* The one whose turn it is (round_robin.c). */
int64_t ttb__choose_turn(ttb__balancer *b, uint64_t hash, const ttb__scope *x);

/* ---- who lives where (endpoints.c); under the lock ---- */

/* Lets an endpoint live in a free slot. Who lived in a slot is gone. */
void ttb__balancer_place(ttb__balancer *b, const ttb_endpoint *e, uint32_t slot);
void ttb__balancer_evict(ttb__balancer *b, uint32_t slot);

/* ---- eligibility (eligibility.c) ---- */

/* Brings the bitmap in line with a word. */
void ttb__balancer_settle(const ttb__balancer *b, uint32_t slot);
/* The first slot at or after `from` worth a look: whose bit is set. capacity if
 * there is none. */
uint32_t ttb__balancer_next(const ttb__balancer *b, uint32_t from, const ttb__scope *x);
/* Whether anybody may be picked, as far as the bitmap knows. */
bool ttb__balancer_any(const ttb__balancer *b, const ttb__scope *x);
/* Changes an endpoint's word: clears, then sets bits. The word before; 0 if nobody lives there. */
uint64_t ttb__balancer_change(const ttb__balancer *b, uint32_t slot, uint64_t clear, uint64_t set);

/* ---- picks that are not plain (pick.c) ---- */

/* A candidate by everything that narrows a pick: `pick` of the caller (NULL:
 * none), the balancer's own configuration. What ttb__algorithm.choose returns, or a
 * code that says what stood in the way. */
int64_t ttb__balancer_pick(ttb__balancer *b, const ttb_pick *pick, const int64_t *tickets,
                           uint32_t n_tickets);
/* Reads a caller's pick (balancer_config.c). */
int32_t ttb__pick_read(const ttb__balancer *b, const ttb_pick *pick, ttb_pick *ret);
/* The algorithm's choice in a scope, of one whole table (acquire.c). */
int64_t ttb__choose_of_table(ttb__balancer *b, uint64_t hash, const ttb__scope *x);

/* ---- levels, zones, slow start ---- */

/* The rule of levels, counts being checked (levels.c). */
void ttb__levels(ttb_level *levels, uint32_t n, uint32_t over_ppm, uint32_t panic_ppm);
/* The rule of zones: what stays, of 10000 (zones.c). */
uint32_t ttb__zones(uint32_t local, const uint32_t *clients, const uint32_t *endpoints, uint32_t n,
                    uint32_t *ret_residual);
/* The rules of slow start (slow_start.c): in ppm; in sixteenths; in ppm, of a slot
 * against who began at `oldest`. */
uint32_t ttb__slow_start_ppm(uint64_t elapsed_ns, uint64_t window_ns, uint32_t aggression_ppm,
                             uint32_t min_ppm);
uint32_t ttb__slow_start_steps(uint64_t elapsed_ns, uint64_t window_ns);
uint32_t ttb__slow_start_share(const ttb__balancer *b, uint32_t slot, uint64_t oldest);

/* Who is there (balancer_plan.c): by level, and members by zone. */
typedef struct ttb__census {
  ttb_level level[TTB__LEVELS];
  uint32_t members[TTB_MAX_ZONE + 1];
  uint64_t weight[TTB__LEVELS]; /* of the healthy */
  uint64_t oldest;
  uint32_t healthy[TTB__LEVELS][TTB_MAX_ZONE + 1]; /* only where a zone comes first */
} ttb__census;
void ttb__balancer_count(const ttb__balancer *b, ttb__census *c);
void ttb__balancer_share(const ttb__balancer *b, ttb__census *c);
/* The level of a word; 0 if the balancer has no levels. */
uint32_t ttb__word_level_of(const ttb__balancer *b, uint64_t w);
/* This thread's plan, of the newest version it knows of. */
const ttb__plan *ttb__balancer_plan(ttb__balancer *b);
/* After a word has changed. */
void ttb__balancer_changed(const ttb__balancer *b);
/* Narrows a scope to what the plan, and chance or the key, say; TTB_LAST_* of it. */
uint32_t ttb__narrow(ttb__balancer *b, const ttb__plan *p, uint64_t hash, ttb__scope *x);
void ttb__narrow_to_level(ttb__scope *x, uint32_t level, uint32_t tier);
void ttb__narrow_to_panic(ttb__scope *x);

/* ---- explaining ---- */

/* Row and causes of one endpoint; false if nobody lives in slot. */
bool ttb__balancer_describe(const ttb__balancer *b, uint32_t slot, ttb_balancer_info *ret);

/* ---- joined threads (balancer_join.c) ---- */

/* What else a pool has to clean of a row before it is freed; may be NULL. */
typedef void (*ttb__cleaner)(void *ctx, uint32_t row);

void ttb__balancer_leave(ttb__balancer *b, ttb__cleaner also, void *ctx);
int32_t ttb__balancer_recover(ttb__balancer *b, uint64_t token, ttb__cleaner also, void *ctx);

/* ---- updates by whoever owns a balancer (endpoints.c) ---- */

enum { TTB__LEFT, TTB__CAME, TTB__STAYED };
typedef struct ttb__update {
  uint32_t unit, max_weight; /* the balancer's weight of 1; the owner's largest */
  void *ctx;
  /* What became of an endpoint: told under the owner lock, once its word says so. */
  void (*tell)(void *ctx, int32_t what, uint32_t slot, uint64_t id, uint32_t weight);
} ttb__update;
int32_t ttb__balancer_update(ttb_balancer *h, const ttb_endpoint *endpoints, uint32_t n,
                             const ttb__update *by, ttb_detail *ret_detail);

/* The permit of tickets of a row, unless they are checked one by one: its
 * incarnation. Row and incarnation of another thread only with moving tickets. */
static inline uint32_t ttb__balancer_permit(const ttb__balancer *b, uint32_t row) {
  if (row == b->row || row >= b->threads) return ttb__ticket_unpack(b->ticket).permit;
  return ttb__row_incarnation(ttb__load_rlx(&b->rows->row[row])) & TTB__MAX_PERMIT;
}

#endif
