/* SPDX-License-Identifier: MIT */
/* Who is in the scope of a pick: the one place where what narrows a pick meets an
 * endpoint. Algorithms know only ttb__eligible_word, so each of them has every
 * modifier, and none knows any.
 *
 * I1  The word decides last: causes, zone, level and generation are those of one
 *     load, made after everything else was looked at.
 * I2  Tags belong to the generation of that word. A newcomer's are stored (release)
 *     after its predecessor's word was cleared and before its own is set, so
 *     who reads (acquire) the word, the tags and again the word, of one
 *     generation, has read the tags of that generation. */
#include "bounded.h"

static bool is_excluded(const ttb__scope *x, uint32_t slot) {
  for (uint32_t i = 0; i < x->n; i++)
    if (x->slots[i] == slot) return true;
  for (uint32_t i = 0; i < x->n_tickets; i++)
    if (ttb_ticket_slot(x->tickets[i]) == (int32_t)slot) return true;
  return false;
}

static bool has_room(const ttb__balancer *b, uint32_t slot) {
  uint32_t cap = ttb__load_rlx(&ttb__balancer_caps(b)[slot]);
  return cap == 0 ||
         ttb__in_flight(ttb__endpoint_at(b, slot), ttb__rows_active(b->rows, b->threads)) < cap;
}

/* Whether who has just come is considered. A key's luck with an endpoint does not
 * change, so it moves there once, when the share has grown to it. */
static bool is_in_luck(const ttb__balancer *b, uint32_t slot, const ttb__scope *x) {
  uint32_t share = ttb__slow_start_share(b, slot, x->oldest);
  if (share >= 1000000) return true;
  uint64_t state = x->key ^ (slot + UINT64_C(1)) << 32;
  uint64_t bits = x->key ? ttb__splitmix(&state) : ttb__random_next(x->chance);
  return ttb__scale32((uint32_t)(bits >> 32), 1000000) < share;
}

uint64_t ttb__scoped_word(const ttb__balancer *b, uint32_t slot, const ttb__scope *x) {
  const ttb__a64 *word = &ttb__endpoint_at(b, slot)->word;
  uint64_t before = 0;
  if (is_excluded(x, slot)) return 0;
  if (x->capped && !has_room(b, slot)) return 0;
  if (x->tags) {
    /* acquire, both: I2. Without the first the tags may be the predecessor's,
     * without the second the word read last may be it. */
    before = ttb__load_acq(word);
    if (x->tags & ~ttb__load_acq(&ttb__balancer_tags(b)[slot])) return 0;
  }
  uint64_t w = ttb__load_rlx(word);
  if (x->tags && ttb__word_generation(w) != ttb__word_generation(before)) return 0;
  if (!ttb__word_eligible(w & ~x->ignored)) return 0;
  if (!(x->zones >> ttb__word_zone(w) & 1) || (w & x->mask) != x->level) return 0;
  bool degraded = ttb__word_status(w) == TTB_STATUS_DEGRADED;
  if (x->tier != TTB__TIER_ANY && degraded != (x->tier == TTB__TIER_DEGRADED)) return 0;
  if (x->bound_weight && ttb__is_over_bound(b, slot, w, x)) return 0;
  return !x->chance || is_in_luck(b, slot, x) ? w : 0;
}

uint64_t ttb__scope_key(const ttb__scope *x) {
  if (x->n || x->n_tickets) return 0;
  uint64_t state = x->zones;
  state = ttb__splitmix(&state) ^ x->tags;
  state = ttb__splitmix(&state) ^ x->ignored ^ x->mask << 1 ^ x->level ^ (uint64_t)x->tier << 60;
  return ttb__splitmix(&state) | 1;
}
