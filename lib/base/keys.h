/* SPDX-License-Identifier: MIT */
/* Keys: which slot of a table belongs to which 64-bit key, found or claimed
 * without a lock.
 *
 * Slots lie in buckets of sixteen, whose keys share two lines. A key may live in
 * two buckets, and is put into the emptier one (Y. Azar et al., "Balanced
 * allocations", 1999; two choices of sixteen fill a table of 110,000 to 86 to 89
 * of 100 before the first key finds no place). When both are full, it takes over a slot whose key has not
 * been asked for during the idle time, if the module says that it is at rest.
 *
 *     key = 0 never used | the key | TTB__KEY_MARK + mark: between two keys
 *
 * I1  The key word alone says whose a slot is. It changes by compare-and-swap:
 *     0 -> key, key -> mark -> key. It never becomes 0 again, so whoever looks
 *     for a key and meets a 0 in its bucket need not look further there.
 * I2  Between mark and key the slot is made as new (`renew`: a new generation,
 *     so that tickets of the old key are stale). A caller killed in between
 *     leaves the mark; the next who needs a slot goes on from there. The mark
 *     holds 16 bits of the generation, so a claimer that slept through another
 *     change of owner does not take its mark for the one it set.
 * I3  One key, one slot: who has put a key in looks at all its other places by
 *     read-modify-write; of two who did at the same time at least one sees the
 *     other, and the later place gives way. Killed before it does, it leaves a
 *     slot that nobody finds, until that is idle.
 * I4  `used` is written before a key is put in, and by those who find it, once a
 *     tick. It only says when a slot may be taken over. */
#ifndef TTB_LIB_BASE_KEYS_H
#define TTB_LIB_BASE_KEYS_H

#include <trimtab/base.h>

#include "atomic.h"

#define TTB__KEY_MARK (~UINT64_C(0xffff))
#define TTB__KEY_TICK_BITS 7 /* `used` counts 128 ms */

/* Where the keys of a table lie; private, made from the config. */
typedef struct ttb__keys {
  ttb__a64 *key;  /* a slot's each, in the region, on a line */
  ttb__a32 *used; /* a slot's each */
  uint32_t capacity, buckets, idle_ticks;
} ttb__keys;

/* What a module says of its slots. */
typedef struct ttb__keys_of {
  bool (*at_rest)(const void *table, uint32_t slot, uint64_t now_ms); /* may be taken over */
  uint32_t (*mark)(const void *table, uint32_t slot); /* 16 bits that change when it is renewed */
  /* as new, unless that is done */
  void (*renew)(void *table, uint32_t slot, uint32_t mark, uint64_t now_ms);
} ttb__keys_of;

/* Bytes of the two arrays of so many slots; both begin on a line. */
static inline uint64_t ttb__keys_bytes(uint32_t capacity) {
  uint64_t keys = (8 * (uint64_t)capacity + 63) & ~UINT64_C(63);
  return keys + ((4 * (uint64_t)capacity + 63) & ~UINT64_C(63));
}

ttb__keys ttb__keys_at(void *mem, uint32_t capacity, uint32_t idle_ms);

static inline bool ttb__key_is_valid(uint64_t key) { return key != 0 && key < TTB__KEY_MARK; }

/* The slot of a key, or TTB_ERR_UNKNOWN_ID. */
int32_t ttb__keys_find(const ttb__keys *k, uint64_t key);

/* The same, and a claim if there is none: TTB_LIMIT if no slot can be had,
 * TTB_AGAIN if others were quicker each time. */
int32_t ttb__keys_claim(const ttb__keys *k, const ttb__keys_of *of, void *table, uint64_t key,
                        uint64_t now_ms);

/* Whose slot it is, as far as this caller knows; 0 nobody's. */
static inline uint64_t ttb__keys_owner(const ttb__keys *k, uint32_t slot) {
  uint64_t key = ttb__load_rlx(&k->key[slot]);
  return key < TTB__KEY_MARK ? key : 0;
}

/* A key has been asked for. */
static inline void ttb__keys_touch(const ttb__keys *k, uint32_t slot, uint64_t now_ms) {
  uint32_t tick = (uint32_t)(now_ms >> TTB__KEY_TICK_BITS);
  if (ttb__load_rlx(&k->used[slot]) != tick) ttb__store_rlx(&k->used[slot], tick);
}

#endif
