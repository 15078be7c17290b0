/* SPDX-License-Identifier: MIT */
/* Round robin: turns, one after the other, from a cursor that all threads share
 * and lease from.
 *
 * The cursor counts turns since the beginning of time; turn t belongs to entry
 * t mod length of the table. It never goes back and is not reset when the table
 * changes, so nobody's turn comes more often because others flap
 * (envoyproxy/envoy#10064), nor always first after a refresh (#31378).
 *
 * I1  A turn is given to one thread once. A thread killed in the middle of a
 *     lease takes the rest of it along: at most `lease` turns in a row, of all
 *     endpoints alike.
 * I2  An ineligible endpoint's turn is passed over, not given to its neighbour
 *     for good: the next pick goes on behind the one that was found.
 * I3  It refuses only if nobody may be picked: after as many turns as there are
 *     entries the table itself is looked through. */
#include "balancer.h"

static void lease(ttb__balancer *b) {
  uint64_t first = ttb__add_rlx(&b->table->cursor, b->lease);
  b->turn = first + b->lease;
  b->left = b->lease;
  b->at = ttb__mod(first, b->seen_length, b->seen_inverse);
}

int64_t ttb__choose_turn(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  (void)hash;
  uint32_t n = b->seen_length;
  for (uint32_t i = 0; i < n; i++) {
    if (b->left == 0) lease(b);
    uint32_t at = b->at;
    b->at = at + 1 == n ? 0 : at + 1;
    b->left--;
    uint32_t slot = ttb__balancer_entry(b, at);
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w) return ttb__candidate(slot, w);
    if (i == TTB__BALANCER_TRIES && !ttb__balancer_any(b, x)) return TTB_NO_ENDPOINT;
  }
  /* Turns of other threads lay between ours: what is left was theirs to give. */
  for (uint32_t i = 0; i < n; i++) {
    uint32_t slot = ttb__balancer_entry(b, i);
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w) return ttb__candidate(slot, w);
  }
  return TTB_NO_ENDPOINT;
}

const ttb__algorithm ttb__round_robin = {
    .number = TTB_BALANCER_ROUND_ROBIN,
    .max_endpoints = TTB_MAX_SLOTS,
    .entries = ttb__roster_entries,
    .scratch = ttb__no_scratch,
    .build = ttb__roster_build,
    .choose = ttb__choose_turn,
};
