/* SPDX-License-Identifier: MIT */
/* Patched Maglev: Maglev's table and lookup, but changed only where it must be.
 *
 * Maglev fills its table anew for each set of endpoints, and some entries change
 * hands between two who stay (maglev.c). Here the table is patched: a leaver's
 * entries are dealt to those who stay, a newcomer is given its share out of
 * everybody's, and no other entry changes. How many entries each has is a matter
 * of weights alone (apportion.c), so however long the history, shares are as even
 * as Maglev's on the first day; only where they lie depends on it. The first table
 * of equal weights is Maglev's.
 *
 * I1  The table is the state. It is built from the published copy and the words,
 *     and never from the idle copy. A writer killed half-way leaves the published
 *     copy whole, so who comes next starts from what readers see; a build that
 *     finds nothing changed changes nothing.
 * I2  Entries belong to slots: who is given the slot of a leaver in one and the
 *     same update inherits its entries, as far as its share goes.
 * I3  Shares only fall when somebody comes or grows and only rise when somebody
 *     goes or shrinks (I1 of apportion.c). So when endpoints leave no survivor
 *     gives an entry up, and when they come entries change to newcomers only.
 * I4  As I1 of maglev.c for the ineligible, and as I2 there for scratch memory. */
#include "apportion.h"
#include "circle.h"
#include "maglev.h"

/* What the builder knows of the endpoint in a slot; share 0: nobody. */
typedef struct seat {
  uint32_t share, owned;
  uint32_t at, skip; /* its permutation, as in ttb__maglev_row */
} seat;

typedef struct patch {
  const ttb__roster *sorted; /* by id */
  seat *seats;               /* a slot each */
  uint32_t capacity, m;
  ttb__a32 *entry; /* the idle copy */
} patch;

static uint64_t scratch(const ttb_balancer_config *c) {
  return (sizeof(seat) + 3 * sizeof(uint32_t)) * (uint64_t)c->capacity;
}

static seat *seat_at(const patch *p, uint32_t slot) {
  return slot < p->capacity && p->seats[slot].share ? &p->seats[slot] : NULL;
}
static bool gains(const seat *s) { return s && s->owned < s->share; }

/* ---- what is kept ---- */

/* Gives everybody its share; returns the largest error. */
static uint32_t assign(patch *p, const ttb__roster *r, uint32_t *weight, uint32_t *share) {
  uint64_t sum = 0;
  uint32_t worst = 0;
  for (uint32_t slot = 0; slot < p->capacity; slot++) p->seats[slot] = (seat){0};
  for (uint32_t i = 0; i < r->n; i++) sum += weight[i] = ttb__roster_weight(r, i);
  ttb__apportion(weight, share, r->n, p->m);
  for (uint32_t i = 0; i < r->n; i++) {
    seat s = {.share = share[i]};
    ttb__maglev_permutation(ttb__roster_id(r, i), p->m, &s.at, &s.skip);
    p->seats[ttb__roster_slot(r, i)] = s;
    uint32_t error = ttb__error_ppm(s.share * sum, (uint64_t)weight[i] * p->m);
    if (error > worst) worst = error;
  }
  return worst;
}

/* Carries over the entries of those who are still there. */
static void keep(patch *p, const ttb__copy *old) {
  bool any = ttb__load_rlx(&old->length) == p->m;
  for (uint32_t i = 0; i < p->m; i++) {
    uint32_t slot = any ? ttb__load_rlx(&old->entry[i]) : TTB__NO_SLOT;
    seat *s = seat_at(p, slot);
    if (s) s->owned++;
    ttb__flip_put32(&p->entry[i], s ? slot : TTB__NO_SLOT);
  }
}

/* ---- what changes hands ---- */

static uint32_t step(const patch *p, const seat *s, uint32_t at) {
  uint32_t skip = s->skip % p->m;
  return at >= p->m - skip ? at - (p->m - skip) : at + skip;
}

/* Who owns more than its share lets go of entries, wherever a gainer's permutation
 * meets them: so they lie scattered. */
static void release(patch *p) {
  uint64_t excess = 0;
  const seat *gainer = NULL;
  for (uint32_t i = 0; i < p->sorted->n; i++) {
    const seat *s = seat_at(p, ttb__roster_slot(p->sorted, i));
    if (!s) continue;
    if (s->owned > s->share) excess += s->owned - s->share;
    if (!gainer && gains(s)) gainer = s;
  }
  if (!gainer) return;
  uint32_t at = gainer->at % p->m;
  for (uint32_t i = 0; i < p->m && excess > 0; i++, at = step(p, gainer, at)) {
    seat *s = seat_at(p, ttb__load_rlx(&p->entry[at]));
    if (!s || s->owned <= s->share) continue;
    ttb__flip_put32(&p->entry[at], TTB__NO_SLOT);
    s->owned--, excess--;
  }
}

/* Maglev's turns, for the entries that are free and those who lack some. */
static void deal(patch *p, uint32_t *order) {
  uint64_t steps = (uint64_t)p->m * TTB__MAGLEV_STEPS;
  uint32_t n = p->sorted->n;
  while (n > 0) {
    uint32_t lacking = 0;
    for (uint32_t i = 0; i < n; i++) {
      uint32_t slot = order[i];
      seat *s = seat_at(p, slot);
      if (!gains(s)) continue;
      uint32_t at = s->at % p->m;
      while (ttb__load_rlx(&p->entry[at]) != TTB__NO_SLOT) {
        if (steps-- == 0) return; /* hostile memory */
        at = step(p, s, at);
      }
      ttb__flip_put32(&p->entry[at], slot);
      s->at = at;
      s->owned++;
      if (gains(s)) order[lacking++] = slot;
    }
    n = lacking;
  }
}

static uint32_t build(const ttb__roster *r, uint32_t *scratch_words, ttb__copy *copy) {
  uint32_t capacity = r->b->capacity, *order = scratch_words;
  patch p = {
      .seats = (seat *)(order + 3 * (uint64_t)capacity), /* behind weight and share */
      .capacity = capacity,
      .m = r->b->entries,
      .entry = copy->entry,
  };
  ttb__roster sorted = ttb__roster_by_id(r, order);
  p.sorted = &sorted;
  uint32_t *weight = order + capacity, *share = weight + capacity;
  ttb__flip_put32(&copy->error_ppm, assign(&p, &sorted, weight, share));
  keep(&p, r->old);
  release(&p);
  deal(&p, order);
  return p.m;
}

const ttb__algorithm ttb__patched_maglev = {
    .number = TTB_BALANCER_PATCHED_MAGLEV,
    .max_endpoints = TTB_MAX_SLOTS,
    .hashes = 1,
    .weighs = 1,
    .check = ttb__maglev_check,
    .entries = ttb__maglev_size,
    .scratch = scratch,
    .build = build,
    .choose = ttb__choose_maglev,
};
