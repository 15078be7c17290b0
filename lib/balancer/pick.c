/* SPDX-License-Identifier: MIT */
/* Picks that are not plain: what narrows them, in which order, and what gives way
 * when nobody is left.
 *
 *     hard    residency, tags, excluded endpoints, limits of calls in flight
 *
 * I1  Nothing that is hard ever gives way: every scope made here is a part of the
 *     hard one, and the word that confirms a pick is asked for the hard part too.
 * I2  Refusals say what stood in the way: whoever would have been picked without
 *     the exclusions (TTB_ALL_EXCLUDED), without the limits (TTB_LIMIT), or nobody
 *     (TTB_NO_ENDPOINT). */
#include "balancer.h"

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
  uint32_t level = w & TTB__WORD_BACKUP ? TTB_MAX_PRIORITY + 1 : ttb__word_priority(w);
  b->last = bits | level << 8 | ttb__word_zone(w) << 16;
  return candidate;
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
  int64_t candidate = ttb__choose_of_table(b, pick->hash, &x);
  if (candidate < 0) return refusal(b, x);
  return note(b, candidate, bits);
}
