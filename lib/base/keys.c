/* SPDX-License-Identifier: MIT */
/* Finding and claiming: see keys.h. */
#include "keys.h"

#include "mulhi.h"
#include "random.h"

#define WAYS 16u
#define PLACES (2 * WAYS)
#define TRIES 8u
#define NOWHERE UINT32_MAX

ttb__keys ttb__keys_at(void *mem, uint32_t capacity, uint32_t idle_ms) {
  unsigned char *at = mem;
  return (ttb__keys){.key = mem,
                     .used = (ttb__a32 *)(void *)(at + ((8 * (uint64_t)capacity + 63) & ~UINT64_C(63))),
                     .capacity = capacity,
                     .buckets = (capacity + WAYS - 1) / WAYS,
                     .idle_ticks = (idle_ms >> TTB__KEY_TICK_BITS) + 2};
}

/* The places of a key, in the order in which they are looked at. */
typedef struct places {
  uint32_t bucket[2], way, n;
} places;

static places places_of(const ttb__keys *k, uint64_t key) {
  uint64_t state = key, a = ttb__splitmix(&state), b = ttb__splitmix(&state);
  places p = {{(uint32_t)ttb__mulhi(a, k->buckets), (uint32_t)ttb__mulhi(b, k->buckets)},
              (uint32_t)a % WAYS, PLACES};
  if (k->buckets == 1) p.n = WAYS;
  else if (p.bucket[1] == p.bucket[0]) p.bucket[1] = (p.bucket[0] + 1) % k->buckets;
  return p;
}

/* The slot at a place, or NOWHERE: the last bucket may be short. */
static uint32_t slot_at(const ttb__keys *k, const places *p, uint32_t i) {
  uint32_t slot = p->bucket[i / WAYS] * WAYS + (p->way + i) % WAYS;
  return slot < k->capacity ? slot : NOWHERE;
}

static int32_t find(const ttb__keys *k, const places *p, uint64_t key) {
  for (uint32_t i = 0; i < p->n; i++) {
    uint32_t slot = slot_at(k, p, i);
    if (slot == NOWHERE) continue;
    /* acquire: pairs with the release of put. Without it the slot could show
     * what it was under its last key. */
    uint64_t seen = ttb__load_acq(&k->key[slot]);
    if (seen == key) return (int32_t)slot;
    if (seen == 0) i |= WAYS - 1; /* not in this bucket (I1) */
  }
  return TTB_ERR_UNKNOWN_ID;
}

int32_t ttb__keys_find(const ttb__keys *k, uint64_t key) {
  places p = places_of(k, key);
  return find(k, &p, key);
}

/* Takes a slot from its key. True for the one caller who did. */
static bool take(const ttb__keys *k, const ttb__keys_of *of, void *table, uint32_t slot,
                 uint64_t *seen, uint64_t now_ms) {
  uint32_t mark = of->mark(table, slot) & 0xffff;
  if (!ttb__cas_rlx(&k->key[slot], seen, TTB__KEY_MARK | mark)) return false;
  *seen = TTB__KEY_MARK | mark;
  of->renew(table, slot, mark, now_ms);
  return true;
}

/* Places of one kind in a bucket: how many, the first, what stands there. */
typedef struct room {
  uint32_t n, first;
  uint64_t seen;
} room;

static void add_place(room *r, uint32_t place, uint64_t key) {
  if (r->n++ == 0) r->first = place, r->seen = key;
}

/* Whether nobody has asked for a slot's key during the idle time. Used after this
 * caller's time (it was preempted) is in use. */
static bool idle(const ttb__keys *k, uint32_t slot, uint32_t tick) {
  uint32_t since = tick - ttb__load_rlx(&k->used[slot]);
  return since >= k->idle_ticks && since <= UINT32_MAX / 2;
}

/* A place for a new key: one never used or left between two keys, else one at
 * rest; of the bucket that has more of them. *seen is what stands there. */
static uint32_t place_for(const ttb__keys *k, const ttb__keys_of *of, const void *table,
                          const places *p, uint64_t now_ms, uint64_t *seen) {
  room empty[2] = {{0, NOWHERE, 0}, {0, NOWHERE, 0}}, resting[2] = {{0, NOWHERE, 0}, {0, NOWHERE, 0}};
  uint32_t tick = (uint32_t)(now_ms >> TTB__KEY_TICK_BITS);
  for (uint32_t i = 0; i < p->n; i++) {
    uint32_t slot = slot_at(k, p, i);
    if (slot == NOWHERE) continue;
    /* acquire: pairs with the release of put. Without it a key just put in could
     * be seen with an old `used` (I4). */
    uint64_t key = ttb__load_acq(&k->key[slot]);
    if (key == 0 || key >= TTB__KEY_MARK) add_place(&empty[i / WAYS], i, key);
    else if (idle(k, slot, tick) && of->at_rest(table, slot, now_ms))
      add_place(&resting[i / WAYS], i, key);
  }
  const room *r = empty[0].n + empty[1].n > 0 ? empty : resting;
  r += r[1].n > r[0].n;
  *seen = r->seen;
  return r->first;
}

/* Puts a key in where `seen` stands, if nobody was quicker. */
static bool put(const ttb__keys *k, const ttb__keys_of *of, void *table, uint32_t slot,
                uint64_t seen, uint64_t key, uint64_t now_ms) {
  if (seen >= TTB__KEY_MARK) of->renew(table, slot, (uint32_t)seen & 0xffff, now_ms); /* I2 */
  else if (seen != 0 && !take(k, of, table, slot, &seen, now_ms)) return false;
  ttb__store_rlx(&k->used[slot], (uint32_t)(now_ms >> TTB__KEY_TICK_BITS));
  /* release: who finds the key finds the slot as new, and used now. acquire:
   * pairs with alone, see there. */
  return ttb__cas_acqrel(&k->key[slot], &seen, key);
}

/* The key was put in at place `own`: the slot at which it stays (I3). */
static uint32_t alone(const ttb__keys *k, const ttb__keys_of *of, void *table, const places *p,
                      uint32_t own, uint64_t key, uint64_t now_ms) {
  uint32_t mine = slot_at(k, p, own);
  for (uint32_t i = 0; i < p->n; i++) {
    uint32_t slot = slot_at(k, p, i);
    if (i == own || slot == NOWHERE) continue;
    /* newest, and release: if this read comes before another puts the key in
     * here, that one's put reads from it, and sees ours when it looks. */
    if (ttb__newest_rel(&k->key[slot]) != key) continue;
    uint64_t seen = key;
    (void)take(k, of, table, i < own ? mine : slot, &seen, now_ms);
    if (i < own) return slot;
  }
  return mine;
}

int32_t ttb__keys_claim(const ttb__keys *k, const ttb__keys_of *of, void *table, uint64_t key,
                        uint64_t now_ms) {
  places p = places_of(k, key);
  for (uint32_t tries = 0; tries < TRIES; tries++) {
    int32_t found = find(k, &p, key);
    if (found >= 0) return found;
    uint64_t seen = 0;
    uint32_t at = place_for(k, of, table, &p, now_ms, &seen);
    if (at == NOWHERE) return TTB_LIMIT;
    if (put(k, of, table, slot_at(k, &p, at), seen, key, now_ms))
      return (int32_t)alone(k, of, table, &p, at, key, now_ms);
  }
  return TTB_AGAIN;
}
