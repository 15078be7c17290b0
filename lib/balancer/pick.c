/* SPDX-License-Identifier: MIT */
/* Picks that are not plain: what narrows them, in which order, and what gives way
 * when nobody is left.
 *
 *     hard    residency, tags, excluded endpoints, limits of calls in flight
 *     drawn   by the thread's plan: level and tier, zone, luck in slow start, bound
 *
 * Of what was drawn luck gives way first, then the zone, then the bound, then level
 * and tier: the first level that has anybody, the healthy before the degraded,
 * backups last. Then probes and outlier detection are not believed, if panic is
 * allowed. Bounded are the healthy of a level; what gives way to others, or to
 * panic, is not.
 *
 * I1  Nothing that is hard ever gives way: every scope made here is a part of the
 *     hard one, and the word that confirms a pick is asked for the hard part too.
 * I2  Refusals say what stood in the way: whoever would have been picked without
 *     the exclusions (TTB_ALL_EXCLUDED), without the limits (TTB_LIMIT), or nobody
 *     (TTB_NO_ENDPOINT). */
#include "bounded.h"

/* The hard part of a pick. */
static ttb__scope hard_scope(const ttb__balancer *b, const ttb_pick *p, const int64_t *tickets,
                             uint32_t n_tickets) {
  return (ttb__scope){
      .slots = p->excluded_slots,
      .n = p->n_excluded,
      .tickets = tickets,
      .n_tickets = n_tickets,
      .zones = b->residency & (p->zones ? p->zones : UINT64_MAX),
      .tags = p->tags,
      .capped = (b->flags & TTB_BALANCER_CAPS) != 0,
  };
}

/* Why nobody was found in a scope. */
TTB__SELDOM static int64_t refusal(const ttb__balancer *b, ttb__scope x) {
  if (x.n || x.n_tickets) {
    x.n = x.n_tickets = 0;
    if (ttb__balancer_any(b, &x)) return TTB_ALL_EXCLUDED;
  }
  if (x.capped) {
    x.capped = false;
    if (ttb__balancer_any(b, &x)) return TTB_LIMIT;
  }
  return TTB_NO_ENDPOINT;
}

/* The endpoint asked for by its id; TTB_ERR_UNKNOWN_ID, TTB_NOT_ELIGIBLE. */
static int64_t choose_by_id(const ttb__balancer *b, const ttb_pick *p, ttb__scope x) {
  int32_t slot = ttb__balancer_find(b, p->id);
  if (slot < 0) return slot;
  if (p->flags & TTB_PICK_DRAINING) x.ignored = (uint64_t)TTB_CAUSE_DRAIN << 8;
  uint64_t w = ttb__scoped_word(b, (uint32_t)slot, &x);
  if (!w) return TTB_NOT_ELIGIBLE;
  /* It may have left, and another moved in, since it was found. */
  if (ttb__balancer_find(b, p->id) != slot) return TTB_ERR_UNKNOWN_ID;
  return ttb__candidate((uint32_t)slot, w);
}

/* What ttb_balancer_last says of a candidate. */
static int64_t note(ttb__balancer *b, int64_t candidate, uint32_t bits) {
  uint32_t slot = (uint32_t)candidate & TTB__GEN_MASK;
  uint64_t w = ttb__load_rlx(&ttb__endpoint_at(b, slot)->word);
  if (b->flags & TTB_BALANCER_LEVELS && ttb__word_status(w) == TTB_STATUS_DEGRADED)
    bits |= TTB_LAST_DEGRADED;
  b->last = bits | ttb__word_level_of(b, w) << 8 | ttb__word_zone(w) << 16;
  return candidate;
}

/* ---- by plan ---- */

/* How late an endpoint comes when those drawn have failed: the healthy by priority,
 * the degraded, then the backups. */
static uint32_t rank_of(const ttb__balancer *b, uint64_t w) {
  bool degraded = ttb__word_status(w) == TTB_STATUS_DEGRADED;
  uint32_t level = ttb__word_level_of(b, w);
  return (level == TTB__BACKUP_LEVEL ? 64 : level) + (degraded ? 32 : 0);
}

/* Narrows a scope to the first level and tier that has anybody in it; false if none
 * has. */
static bool narrow_to_first(const ttb__balancer *b, ttb__scope *x) {
  uint32_t best = UINT32_MAX;
  for (uint32_t s = ttb__balancer_next(b, 0, x); s < b->capacity;
       s = ttb__balancer_next(b, s + 1, x)) {
    uint64_t w = ttb__scoped_word(b, s, x);
    uint32_t rank = w ? rank_of(b, w) : UINT32_MAX;
    if (rank < best) best = rank;
  }
  if (best == UINT32_MAX) return false;
  if (!(b->flags & TTB_BALANCER_LEVELS)) return true;
  uint32_t level = best >= 64 ? TTB__BACKUP_LEVEL : best & 31;
  ttb__narrow_to_level(x, level, best & 32 ? TTB__TIER_DEGRADED : TTB__TIER_HEALTHY);
  return true;
}

/* Of the levels that panic and have a share, the first that has anybody. */
static int64_t choose_panicking(ttb__balancer *b, const ttb__plan *p, uint64_t hash,
                                const ttb__scope *hard) {
  int64_t candidate = TTB_NO_ENDPOINT;
  for (uint32_t level = 0; level < TTB__LEVELS && candidate < 0; level++) {
    if (!p->panics[level] || p->healthy[level] + p->degraded[level] == 0) continue;
    ttb__scope x = *hard;
    ttb__narrow_to_level(&x, level, TTB__TIER_ANY);
    ttb__narrow_to_panic(&x);
    candidate = ttb__choose_of_table(b, hash, &x);
  }
  return candidate;
}

/* Nobody was in the part of `hard` that was drawn. */
TTB__SELDOM static int64_t choose_elsewhere(ttb__balancer *b, const ttb__plan *p, uint64_t hash,
                                            const ttb__scope *hard, uint32_t *bits) {
  ttb__scope x = *hard;
  *bits = (*bits & (TTB_LAST_ASKED | TTB_LAST_FALLBACK)) | TTB_LAST_ELSEWHERE;
  if (narrow_to_first(b, &x)) return ttb__choose_of_table(b, hash, &x);
  if (!(b->flags & TTB_BALANCER_LEVELS)) return refusal(b, *hard);
  *bits |= TTB_LAST_PANIC;
  int64_t candidate = choose_panicking(b, p, hash, hard);
  if (candidate >= 0) return candidate;
  int64_t code = refusal(b, *hard);
  if (code != TTB_NO_ENDPOINT || b->panic_ppm == 0) return code;
  /* All that this pick may have are failing, though their levels are well. */
  x = *hard;
  ttb__narrow_to_panic(&x);
  if (!narrow_to_first(b, &x)) return TTB_NO_ENDPOINT;
  x.tier = TTB__TIER_ANY;
  return ttb__choose_of_table(b, hash, &x);
}

/* The level a scope was narrowed to. */
static uint32_t level_of(const ttb__scope *x) {
  if (x->level & TTB__WORD_BACKUP) return TTB__BACKUP_LEVEL;
  return (uint32_t)(x->level >> 16) & TTB_MAX_PRIORITY;
}

static int64_t choose_by_plan(ttb__balancer *b, uint64_t hash, const ttb__scope *hard,
                              uint32_t *bits) {
  const ttb__plan *p = ttb__balancer_plan(b);
  ttb__scope level = *hard;
  *bits |= ttb__narrow(b, p, hash, &level);
  if (b->slow_start_ms) {
    uint64_t state = hash;
    level.chance = &b->random;
    level.key = b->algorithm->hashes ? ttb__splitmix(&state) | 1 : 0;
    level.oldest = p->oldest;
  }
  if (b->flags & TTB__BALANCER_BOUNDED && level.tier != TTB__TIER_DEGRADED && !level.ignored)
    ttb__bound_scope(b, p, level_of(&level), &level);
  int64_t candidate = ttb__choose_of_table(b, hash, &level);
  if (candidate >= 0) return candidate;
  if (level.chance) { /* whoever is there, however new */
    level.chance = NULL;
    candidate = ttb__choose_of_table(b, hash, &level);
    if (candidate >= 0) return candidate;
  }
  if (level.zones != hard->zones) { /* and wherever in the level */
    level.zones = hard->zones;
    *bits &= ~(uint32_t)TTB_LAST_LOCAL;
    candidate = ttb__choose_of_table(b, hash, &level);
    if (candidate >= 0) return candidate;
  }
  if (level.bound_weight) {
    level.bound_weight = 0;
    candidate = ttb__choose_least(b, hash, &level);
    if (candidate >= 0) return candidate;
  }
  return choose_elsewhere(b, p, hash, hard, bits);
}

int64_t ttb__balancer_pick(ttb__balancer *b, const ttb_pick *pick, const int64_t *tickets,
                           uint32_t n_tickets) {
  ttb__scope x = hard_scope(b, pick, tickets, n_tickets);
  uint32_t bits = 0;
  b->last = 0;
  if (pick->id) {
    int64_t asked = choose_by_id(b, pick, x);
    if (asked >= 0) return note(b, asked, TTB_LAST_ASKED);
    if (!(pick->flags & TTB_PICK_FALLBACK)) return asked;
    bits |= TTB_LAST_FALLBACK;
  }
  int64_t candidate;
  if (b->flags & TTB__BALANCER_PLANNED) {
    candidate = choose_by_plan(b, pick->hash, &x, &bits);
  } else {
    candidate = ttb__choose_of_table(b, pick->hash, &x);
    if (candidate < 0) candidate = refusal(b, x);
  }
  return candidate < 0 ? candidate : note(b, candidate, bits);
}
