/* SPDX-License-Identifier: MIT */
/* AnchorHash: consistent, any order of leaving, a lookup that does not grow with N.
 *
 * G. Mendelson, S. Vargaftik, K. Barabash, D. Lorenz, I. Keslassy, A. Orda,
 * "AnchorHash: A Scalable Consistent Hash" (IEEE/ACM ToN 29, 2021), the
 * implementation of section V. Of `capacity` buckets some work. A key hashes to
 * one of all; if that is removed, it hashes again among those that worked when it
 * was removed, and so on. A bucket that comes back is the one removed last. Here
 * a newcomer is given that bucket, whatever its slot.
 *
 * Chosen before MementoHash (Coluzzi et al., 2023), which needs less memory: that
 * one begins with a jump hash, whose ln N dependent steps are what a table is to
 * save; this one begins, and mostly ends, with one load.
 *
 * I1  The state is the order in which the buckets that do not work were removed:
 *     removed[i], i = working .. capacity - 1, the last removed first. A replay of
 *     it gives the successors again. So, as in patched_maglev.c, the table is built
 *     from the published copy and the words, and a dead writer's idle copy is never
 *     read. State that is not a permutation (hostile memory) is thrown away.
 * I2  Leavers' keys go to all others alike; a newcomer's come from all others
 *     alike; no other key moves. Buckets belong to slots, and leavers go before
 *     newcomers come: so whoever is replaced in one update hands its keys to the
 *     newcomer.
 * I3  As in jump.c, who may not be picked sends a key on to its next hash, and
 *     loses no other. */
#include "circle.h"

/* Parts of the table, a word a bucket each. */
#define PLACE 0     /* of a bucket: the slot, or REMOVED and how many then worked */
#define SUCCESSOR 1 /* of a removed bucket: who took its place among the working */
#define PARTS 2

#define REMOVED 0x80000000u

/* Steps of a lookup; orderly ones expect (1 + ln(capacity / working))^2, which is
 * 200 at the most. */
#define STEPS 4096
/* Hashes tried, as in jump.c. */
#define PROBES 64

static uint32_t entries(const ttb_balancer_config *c) { return PARTS * c->capacity; }

/* ---- the state, while it is built ---- */

typedef struct anchor {
  uint32_t capacity, working;
  ttb__a32 *entry; /* the idle copy */
  uint32_t *at;    /* the bucket at each place: the first `working` places are the working ones */
  uint32_t *place; /* of each bucket; that of a removed one is where it was */
  uint32_t *removed;
  uint32_t *seat; /* of each slot: NOBODY, LACKING or SEATED */
} anchor;

enum { NOBODY, LACKING, SEATED };

static uint64_t scratch(const ttb_balancer_config *c) { return 4 * 4 * (uint64_t)c->capacity; }

static uint32_t bounded(const anchor *a, uint32_t i) { return i < a->capacity ? i : 0; }

static void put(const anchor *a, uint32_t part, uint32_t bucket, uint32_t x) {
  ttb__flip_put32(&a->entry[part * (uint64_t)a->capacity + bucket], x);
}

static void seat_in(const anchor *a, uint32_t bucket, uint32_t slot) {
  put(a, PLACE, bucket, slot);
  a->seat[slot] = SEATED;
}

/* The paper's REMOVEBUCKET. Its ADDBUCKET, which comes last here, is to take
 * removed[working] and to count it. */
static void remove_bucket(anchor *a, uint32_t bucket) {
  uint32_t left = --a->working, last = bounded(a, a->at[left]);
  a->at[bounded(a, a->place[bucket])] = last;
  a->place[last] = a->place[bucket];
  a->removed[left] = bucket;
  put(a, PLACE, bucket, REMOVED | left);
  put(a, SUCCESSOR, bucket, last);
}

/* Reads the order of removals from the published copy; what is no such order
 * counts as "all removed, the first bucket last". */
static void recall(anchor *a, const ttb__copy *old) {
  const ttb__a32 *place = &old->entry[PLACE * (uint64_t)a->capacity];
  bool sound = ttb__load_rlx(&old->length) == a->capacity;
  a->working = a->capacity;
  for (uint32_t i = 0; i < a->capacity; i++) a->removed[i] = TTB__NO_SLOT;
  for (uint32_t bucket = 0; bucket < a->capacity && sound; bucket++) {
    uint32_t word = ttb__load_rlx(&place[bucket]), i = word & ~REMOVED;
    if (!(word & REMOVED)) continue;
    sound = i < a->capacity && a->removed[i] == TTB__NO_SLOT;
    if (sound) a->removed[i] = bucket, a->working--;
  }
  for (uint32_t i = a->working; i < a->capacity; i++)
    sound = sound && a->removed[i] != TTB__NO_SLOT;
  if (sound) return;
  a->working = 0;
  for (uint32_t i = 0; i < a->capacity; i++) a->removed[i] = i;
}

/* Those who had a bucket and are still there keep it. */
static void reseat(anchor *a, const ttb__copy *old) {
  const ttb__a32 *place = &old->entry[PLACE * (uint64_t)a->capacity];
  uint32_t working = a->working;
  for (uint32_t i = 0; i < a->capacity; i++) a->at[i] = a->place[i] = i;
  for (a->working = a->capacity; a->working > working;)
    remove_bucket(a, bounded(a, a->removed[a->working - 1]));
  if (working == 0) return;
  for (uint32_t bucket = 0; bucket < a->capacity; bucket++) {
    uint32_t slot = ttb__load_rlx(&place[bucket]);
    if (slot & REMOVED) continue;
    if (slot < a->capacity && a->seat[slot] == LACKING) seat_in(a, bucket, slot);
    else if (a->working > 0) remove_bucket(a, bucket);
  }
}

static uint32_t build(const ttb__roster *r, uint32_t *scratch_words, ttb__copy *copy) {
  uint32_t n = r->b->capacity;
  anchor a = {
      .capacity = n,
      .entry = copy->entry,
      .at = scratch_words,
      .place = scratch_words + n,
      .removed = scratch_words + 2 * (uint64_t)n,
      .seat = scratch_words + 3 * (uint64_t)n,
  };
  for (uint32_t slot = 0; slot < n; slot++) a.seat[slot] = NOBODY;
  for (uint32_t i = 0; i < r->n; i++) a.seat[ttb__roster_slot(r, i)] = LACKING;
  recall(&a, r->old);
  reseat(&a, r->old);
  for (uint32_t i = 0; i < r->n && a.working < n; i++) {
    uint32_t slot = ttb__roster_slot(r, i);
    if (a.seat[slot] == LACKING) seat_in(&a, bounded(&a, a.removed[a.working++]), slot);
  }
  return n;
}

/* ---- lookup ---- */

/* Where a key goes when its bucket is removed; TTB__NO_SLOT for hostile tables. */
TTB__SELDOM static uint32_t descend(const ttb__a32 *entry, uint32_t capacity, uint64_t key,
                                    uint32_t bucket, uint32_t word) {
  const ttb__a32 *successor = entry + SUCCESSOR * (uint64_t)capacity;
  for (uint32_t steps = 0; steps < STEPS; steps++) {
    uint32_t then = word & ~REMOVED; /* worked when it was removed */
    uint64_t state = key ^ bucket * UINT64_C(0xd1b54a32d192ed03);
    bucket = (uint32_t)ttb__mulhi(ttb__splitmix(&state), then);
    for (; steps < STEPS && bucket < capacity; steps++) {
      word = ttb__flip_get32(&entry[bucket]);
      if (!(word & REMOVED)) return word;
      if ((word & ~REMOVED) < then) break;
      bucket = ttb__flip_get32(&successor[bucket]);
    }
    if (bucket >= capacity) break;
  }
  return TTB__NO_SLOT;
}

static inline uint32_t home_of(const ttb__balancer *b, uint64_t key) {
  /* Multiplied, so that keys that differ only in their low bits spread. */
  uint32_t bucket = (uint32_t)ttb__mulhi(key * UINT64_C(0x9e3779b97f4a7c15), b->capacity);
  uint32_t word = ttb__balancer_entry(b, bucket);
  return word & REMOVED ? descend(b->seen->entry, b->capacity, key, bucket, word) : word;
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  uint64_t state = hash, key = hash;
  uint32_t slot = 0;
  if (b->seen_length == 0) return TTB_NO_ENDPOINT;
  for (uint32_t i = 0; i < PROBES; i++, key = ttb__splitmix(&state)) {
    slot = home_of(b, key);
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w) return ttb__candidate(slot, w);
    if (i == ttb__balancer_tries(b, x) && !ttb__balancer_any(b, x)) return TTB_NO_ENDPOINT;
  }
  return ttb__choose_near(b, slot < b->capacity ? slot : 0, x);
}

const ttb__algorithm ttb__anchor = {
    .number = TTB_BALANCER_ANCHOR,
    .max_endpoints = TTB_MAX_SLOTS,
    .hashes = 1,
    .entries = entries,
    .scratch = scratch,
    .build = build,
    .choose = choose,
};
