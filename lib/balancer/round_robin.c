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
 *     entries the table itself is looked through.
 * I4  Picks of different scopes do not take each other's turns. Of the table A1 A2
 *     B1 B2 one cursor for all would give scopes A and B by turns A1 B1 A1 B1, and
 *     A2 never: so a thread remembers for some scopes how far each has come, and
 *     draws a turn in those it has forgotten. So does a pick that names endpoints
 *     (a retry elsewhere): it moves no cursor. */
#include "balancer.h"

static void lease(ttb__balancer *b) {
  uint64_t first = ttb__add_rlx(&b->table->cursor, b->lease);
  b->turn = first + b->lease;
  b->left = b->lease;
  b->at = ttb__mod(first, b->seen_length, b->seen_inverse);
}

/* The first in scope among the n turns from `at` on; *passed: turns up to it. */
static int64_t walk(ttb__balancer *b, uint32_t at, const ttb__scope *x, uint32_t *passed) {
  uint32_t n = b->seen_length;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t slot = ttb__balancer_entry(b, at);
    uint64_t w = ttb__eligible_word(b, slot, x);
    *passed = i + 1;
    if (w) return ttb__candidate(slot, w);
    at = at + 1 == n ? 0 : at + 1;
  }
  return TTB_NO_ENDPOINT;
}

/* A turn drawn, of those in scope: which entry of the table; *found is the candidate.
 * Walking on from anywhere would favour who stands behind a gap. */
static uint32_t draw_turn(ttb__balancer *b, const ttb__scope *x, int64_t *found) {
  uint32_t n = b->seen_length, at = 0, passed = 0, tries = ttb__balancer_tries(b, x);
  for (uint32_t i = 0; i < tries; i++) {
    at = ttb__scale32((uint32_t)(ttb__random_next(&b->random) >> 32), n);
    uint32_t slot = ttb__balancer_entry(b, at);
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (!w) continue;
    *found = ttb__candidate(slot, w);
    return at;
  }
  *found = walk(b, at, x, &passed);
  return at + passed - 1;
}

TTB__SELDOM static int64_t choose_in_scope(ttb__balancer *b, const ttb__scope *x) {
  uint32_t n = b->seen_length, passed = 0, i = 0;
  int64_t found;
  if (n == 0) return TTB_NO_ENDPOINT;
  uint64_t key = ttb__scope_key(x);
  while (i < TTB__TURNS && b->turns[i].key != key) i++;
  if (key && i < TTB__TURNS) {
    found = walk(b, ttb__mod(b->turns[i].turn, n, b->seen_inverse), x, &passed);
    b->turns[i].turn += passed;
    return found;
  }
  uint32_t at = draw_turn(b, x, &found);
  if (key) b->turns[b->turns_next++ % TTB__TURNS] = (ttb__turns){key, at + UINT64_C(1)};
  return found;
}

int64_t ttb__choose_turn(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  (void)hash;
  if (x) return choose_in_scope(b, x);
  uint32_t n = b->seen_length, passed;
  for (uint32_t i = 0; i < n; i++) {
    if (b->left == 0) lease(b);
    uint32_t at = b->at;
    b->at = at + 1 == n ? 0 : at + 1;
    b->left--;
    uint32_t slot = ttb__balancer_entry(b, at);
    uint64_t w = ttb__eligible_word(b, slot, NULL);
    if (w) return ttb__candidate(slot, w);
    if (i == TTB__BALANCER_TRIES && !ttb__balancer_any(b, NULL)) return TTB_NO_ENDPOINT;
  }
  /* Turns of other threads lay between ours: what is left was theirs to give. */
  return walk(b, 0, NULL, &passed);
}

const ttb__algorithm ttb__round_robin = {
    .number = TTB_BALANCER_ROUND_ROBIN,
    .max_endpoints = TTB_MAX_SLOTS,
    .entries = ttb__roster_entries,
    .scratch = ttb__no_scratch,
    .build = ttb__roster_build,
    .choose = ttb__choose_turn,
};
