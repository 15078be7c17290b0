/* SPDX-License-Identifier: MIT */
/* The memory model of the explorer: release/acquire with views.
 *
 * After J. Kang, C.-K. Hur, O. Lahav, V. Vafeiadis and D. Dreyer, "A promising
 * semantics for relaxed-memory concurrency" (POPL 2017), without the promises.
 *
 * I1  Each location keeps all its stores in modification order. Each actor has
 *     a view: for each location the newest store it knows of.
 * I2  A load returns any store not older than the actor's view, and a failed
 *     compare-and-swap is a load. A read-modify-write that takes place reads the
 *     newest store and stands right behind it.
 * I3  A store stands anywhere behind the actor's view, not only at the end, but
 *     never between a read-modify-write and what that one read.
 * I4  A release store carries the actor's view, and read-modify-writes behind it
 *     hand it on (the release sequence); an acquire load joins what it reads.
 * I5  The stores of a killed actor have all taken place: later ones stand behind
 *     them. But its death tells nobody what they were: loads may still miss them.
 *
 * Left out: loads that read stores of the future (load buffering). */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPANS 4
#define GRANULES 2048 /* of 4 bytes, a span */

typedef struct store {
  uint64_t value;
  uint8_t by;      /* actor + 1, 0 for the initial value */
  uint8_t rmw;     /* glued to the store before */
  uint8_t carries; /* the view is not empty */
  ex_view view;
} store;

typedef struct location {
  void *at;
  uint32_t width;
  uint32_t n;
  store store[EX_STORES];
} location;

typedef struct span {
  char *at;
  size_t size;
  uint8_t location[GRANULES]; /* + 1, 0 is none yet */
} span;

static span spans[SPANS];
static uint32_t span_count;
static location locations[EX_LOCATIONS];
static uint32_t location_count;
static ex_view views[EX_ACTORS];
static bool killed[EX_ACTORS];

ex_site ex_sites[EX_SITES];
uint32_t ex_site_count;
uint64_t ex_site_mark;

static void die(const char *text) {
  fprintf(stderr, "explore: %s\n", text);
  exit(2);
}

/* One name for a header, whichever way it was included: from its lib/ on. */
static const char *short_name(const char *file) {
  static struct { const char *file, *name; } known[64];
  static uint32_t n;
  for (uint32_t i = 0; i < n; i++)
    if (known[i].file == file) return known[i].name;
  const char *name = file;
  for (const char *p = file; (p = strstr(p, "lib/")) != NULL; p += 4)
    if (p == file || p[-1] == '/') name = p;
  if (n == sizeof known / sizeof known[0]) die("too many files");
  known[n].file = file;
  known[n++].name = name;
  return name;
}

/* Sites are found by a small hash: this is on the path of every step. */
ex_site *ex_site_of(const char *file, int line, int kind, memory_order order, bool identity) {
  static uint16_t table[4 * EX_SITES];
  file = short_name(file);
  uint32_t slot = ((uint32_t)line * 31u + (uint32_t)kind * 7u + (uint32_t)order +
                   (uint32_t)strlen(file) * 131u) %
                  (4 * EX_SITES);
  for (;; slot = (slot + 1) % (4 * EX_SITES)) {
    if (table[slot] == 0) break;
    ex_site *s = &ex_sites[table[slot] - 1];
    if (s->line == line && s->kind == kind && s->order == order && s->identity == identity &&
        (s->file == file || strcmp(s->file, file) == 0)) {
      s->met |= ex_site_mark;
      return s;
    }
  }
  if (ex_site_count == EX_SITES) die("too many sites, raise EX_SITES");
  ex_site *s = &ex_sites[ex_site_count];
  *s = (ex_site){.file = file,
                 .line = line,
                 .kind = kind,
                 .order = order,
                 .identity = identity,
                 .met = ex_site_mark};
  table[slot] = (uint16_t)++ex_site_count;
  return s;
}

void ex_model_clear(void) {
  span_count = 0;
  location_count = 0;
}

void ex_model_add(void *at, size_t size) {
  if (span_count == SPANS || size > 4 * GRANULES) die("too much shared memory");
  spans[span_count].at = at;
  spans[span_count].size = size;
  memset(spans[span_count].location, 0, sizeof spans[span_count].location);
  span_count++;
}

static uint64_t peek(const location *l) {
  return l->width == 8 ? atomic_load_explicit((_Atomic uint64_t *)l->at, memory_order_relaxed)
                       : atomic_load_explicit((_Atomic uint32_t *)l->at, memory_order_relaxed);
}

/* Memory itself always holds the newest store, for the checks. */
static void poke(const location *l) {
  uint64_t x = l->store[l->n - 1].value;
  if (l->width == 8)
    atomic_store_explicit((_Atomic uint64_t *)l->at, x, memory_order_relaxed);
  else
    atomic_store_explicit((_Atomic uint32_t *)l->at, (uint32_t)x, memory_order_relaxed);
}

static void first_store(location *l) {
  l->n = 1;
  l->store[0].value = peek(l);
  l->store[0].by = l->store[0].rmw = l->store[0].carries = 0;
}

void ex_model_reset(void) {
  for (uint32_t i = 0; i < location_count; i++) first_store(&locations[i]);
  memset(views, 0, sizeof views);
  memset(killed, 0, sizeof killed);
}

uint32_t ex_model_location(const void *at, uint32_t width) {
  for (uint32_t s = 0; s < span_count; s++) {
    size_t offset = (size_t)((const char *)at - spans[s].at);
    if ((const char *)at < spans[s].at || offset + width > spans[s].size) continue;
    uint8_t *known = &spans[s].location[offset / 4];
    if (*known == 0) {
      if (location_count == EX_LOCATIONS) die("too many locations, raise EX_LOCATIONS");
      location *l = &locations[location_count++];
      l->at = spans[s].at + offset;
      l->width = width;
      first_store(l);
      *known = (uint8_t)location_count;
    }
    if (locations[*known - 1].width != width) die("one address, two widths");
    return *known - 1u;
  }
  die("an actor touched memory that is not registered with ex_shared");
  return 0;
}

const char *ex_model_name(uint32_t i, char buf[32]) {
  for (uint32_t s = 0; s < span_count; s++) {
    const char *at = locations[i].at;
    if (at < spans[s].at || at >= spans[s].at + spans[s].size) continue;
    snprintf(buf, 32, "%c+%u", "MNOP"[s], (uint32_t)(at - spans[s].at));
  }
  return buf;
}

/* What the op does, mutations considered. */
static int kind_of(const ex_op *op) {
  return op->site && op->site->plain ? EX_KIND_LOAD : op->kind;
}
static bool acquires(const ex_op *op) {
  memory_order o = op->site->order;
  return !op->site->weak && (o == memory_order_acquire || o == memory_order_acq_rel);
}
static bool releases(const ex_op *op) {
  memory_order o = op->site->order;
  return !op->site->weak && (o == memory_order_release || o == memory_order_acq_rel);
}

/* The rank behind which a store of this actor must stand (I3, I5). */
static uint32_t floor_of(uint32_t actor, const location *l, uint32_t index) {
  uint32_t floor = views[actor].at[index];
  for (uint32_t r = floor + 1; r < l->n; r++)
    if (l->store[r].by != 0 && killed[l->store[r].by - 1]) floor = r;
  return floor;
}

/* The rank of the outcome-th place for a store, from the end; or their number. */
static uint32_t store_places(uint32_t actor, uint32_t index, uint32_t outcome, uint32_t *ret_rank) {
  const location *l = &locations[index];
  uint32_t floor = floor_of(actor, l, index), n = 0;
  for (uint32_t r = l->n; r > floor; r--) {
    if (r < l->n && l->store[r].rmw) continue;
    if (n++ == outcome) *ret_rank = r;
  }
  return n;
}

/* The same for what a compare-and-swap may read: the newest, or an older one
 * that differs. */
static uint32_t cas_reads(uint32_t actor, const ex_op *op, uint32_t outcome, uint32_t *ret_rank) {
  const location *l = &locations[op->location];
  uint32_t n = 0;
  for (uint32_t r = l->n; r-- > views[actor].at[op->location];) {
    if (r + 1 < l->n && l->store[r].value == op->expected) continue;
    if (n++ == outcome) *ret_rank = r;
  }
  return n;
}

uint32_t ex_model_outcomes(uint32_t actor, const ex_op *op) {
  uint32_t unused;
  switch (kind_of(op)) {
    case EX_KIND_CHOOSE: return (uint32_t)op->x;
    case EX_KIND_WAIT: return killed[op->x] ? 1 : 0;
    case EX_KIND_LOAD: return locations[op->location].n - views[actor].at[op->location];
    case EX_KIND_STORE: return store_places(actor, op->location, UINT32_MAX, &unused);
    case EX_KIND_CAS: return cas_reads(actor, op, UINT32_MAX, &unused);
    default: return 1;
  }
}

static void join(ex_view *into, const ex_view *from) {
  for (uint32_t i = 0; i < location_count; i++)
    if (into->at[i] < from->at[i]) into->at[i] = from->at[i];
}

/* Reads the store of rank r. */
static void read_at(uint32_t actor, ex_op *op, uint32_t r, bool acquire) {
  const store *s = &locations[op->location].store[r];
  if (views[actor].at[op->location] < r) views[actor].at[op->location] = (uint8_t)r;
  if (acquire && s->carries) join(&views[actor], &s->view);
  op->result = s->value;
}

/* A store moves in at rank r: who knew the ones behind knows them one further. */
static void shift(uint32_t index, uint32_t r) {
  location *l = &locations[index];
  memmove(&l->store[r + 1], &l->store[r], (l->n - r) * sizeof l->store[0]);
  for (uint32_t a = 0; a < EX_ACTORS; a++)
    if (views[a].at[index] >= r) views[a].at[index]++;
  for (uint32_t i = 0; i < location_count; i++)
    for (uint32_t s = 0; s < locations[i].n + (i == index); s++) {
      store *o = &locations[i].store[s];
      if (o->carries && o->view.at[index] >= r) o->view.at[index]++;
    }
}

/* Writes x as the store of rank r. */
static void write_at(uint32_t actor, const ex_op *op, uint32_t r, uint64_t x, bool rmw) {
  location *l = &locations[op->location];
  if (l->n == EX_STORES) die("too many stores, raise EX_STORES");
  if (r < l->n) shift(op->location, r);
  l->n++;
  store *s = &l->store[r];
  s->value = l->width == 8 ? x : (uint32_t)x;
  s->by = (uint8_t)(actor + 1);
  s->rmw = rmw;
  s->carries = rmw ? s[-1].carries : 0;
  if (s->carries) s->view = s[-1].view; /* the release sequence goes on */
  views[actor].at[op->location] = (uint8_t)r;
  if (releases(op)) {
    if (s->carries)
      join(&s->view, &views[actor]);
    else
      s->view = views[actor];
    s->carries = 1;
  }
  poke(l);
}

static void perform_rmw(uint32_t actor, ex_op *op) {
  uint32_t last = locations[op->location].n - 1;
  read_at(actor, op, last, acquires(op));
  uint64_t x = op->kind == EX_KIND_ADD   ? op->result + op->x
               : op->kind == EX_KIND_AND ? (op->result & op->x)
                                         : (op->result | op->x);
  write_at(actor, op, last + 1, x, true);
}

static void perform_cas(uint32_t actor, ex_op *op, uint32_t outcome) {
  uint32_t r = 0;
  (void)cas_reads(actor, op, outcome, &r);
  const location *l = &locations[op->location];
  op->swapped = r + 1 == l->n && l->store[r].value == op->expected;
  read_at(actor, op, r, op->swapped && acquires(op));
  if (op->swapped) write_at(actor, op, r + 1, op->x, true);
}

void ex_model_perform(uint32_t actor, ex_op *op, uint32_t outcome) {
  uint32_t r = 0;
  switch (kind_of(op)) {
    case EX_KIND_CHOOSE: op->result = outcome; break;
    case EX_KIND_WAIT: break;
    case EX_KIND_LOAD:
      read_at(actor, op, locations[op->location].n - 1 - outcome, acquires(op));
      break;
    case EX_KIND_STORE:
      (void)store_places(actor, op->location, outcome, &r);
      write_at(actor, op, r, op->x, false);
      break;
    case EX_KIND_CAS: perform_cas(actor, op, outcome); break;
    default: perform_rmw(actor, op);
  }
}

void ex_model_kill(uint32_t actor) { killed[actor] = true; }

/* Hashes a view relative to what no running actor can read any more. */
static uint64_t hash_view(uint64_t hash, const ex_view *v, const ex_view *base) {
  uint64_t word = 0;
  for (uint32_t i = 0; i < location_count; i++) {
    uint8_t known = v->at[i] > base->at[i] ? (uint8_t)(v->at[i] - base->at[i]) : 0;
    if (known != 0) word ^= ex_mix(i + 1, known);
  }
  return ex_mix(hash, word);
}

uint64_t ex_model_hash(uint64_t hash, uint32_t running, uint32_t crashable) {
  ex_view base;
  for (uint32_t i = 0; i < location_count; i++) {
    base.at[i] = (uint8_t)(locations[i].n - 1);
    for (uint32_t a = 0; a < EX_ACTORS; a++)
      if (running >> a & 1 && views[a].at[i] < base.at[i]) base.at[i] = views[a].at[i];
  }
  for (uint32_t a = 0; a < EX_ACTORS; a++) {
    hash = ex_mix(hash, killed[a]);
    if (running >> a & 1) hash = hash_view(hash, &views[a], &base);
  }
  for (uint32_t i = 0; i < location_count; i++) {
    const location *l = &locations[i];
    if (l->n == 1) continue; /* as if not touched yet */
    for (uint32_t r = base.at[i]; r < l->n; r++) {
      const store *s = &l->store[r];
      uint64_t by = 0, rmw = 0;
      if (r > base.at[i]) rmw = s->rmw; /* else nothing can come before it (I3) */
      if (r > base.at[i] && s->by != 0 && crashable >> (s->by - 1) & 1) by = s->by;
      hash = ex_mix(hash, s->value);
      hash = ex_mix(hash, (uint64_t)(l->n - r) << 32 | (uint64_t)i << 16 | by << 8 | rmw);
      if (s->carries) hash = hash_view(hash, &s->view, &base);
    }
  }
  return hash;
}
