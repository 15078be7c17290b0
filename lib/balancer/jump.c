/* SPDX-License-Identifier: MIT */
/* Jump hash: consistent without a table.
 *
 * J. Lamping, E. Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm"
 * (2014). A key's bucket among n is found by about ln n jumps; with a bucket more
 * only the new one gains keys, with one less only the last one's move. So in the
 * paper only the last bucket can leave. Here buckets are slots: a slot that is
 * empty, or whose endpoint may not be picked, passes its keys on to the buckets
 * of their next hashes, until somebody is found.
 *
 * I1  The buckets are the slots that anybody has ever lived in. Their number
 *     never falls, so it can be made again from the words (a word, once used, is
 *     never 0 again).
 * I2  Each key has a fixed order of buckets, in which a new last bucket may only
 *     take a place before others: the key's endpoint is the first of that order
 *     who may be picked. So when somebody leaves, or is marked, only its keys
 *     move; when somebody comes, keys move only to it.
 * I3  Placement follows slots: all who share the balancer agree; other balancers
 *     do if their endpoints came in the same order. */
#include "../base/fp.h"
#include "circle.h"
#include "jump.h"

/* Hashes tried; then the slots behind the last bucket are, in their order. */
#define PROBES 64

uint32_t ttb__jump(uint64_t key, uint32_t buckets) {
  const ttb__fp most = ttb__fp_int(UINT64_C(1) << 31);
  uint64_t bucket = 0, next = 0;
  while (next < buckets) {
    bucket = next;
    key = key * UINT64_C(2862933555777941757) + 1;
    /* 2^31 / r is 2^31 at most, bucket + 1 below 2^32: no overflow. */
    ttb__fp factor = ttb__fp_div(most, ttb__fp_int((key >> 33) + 1));
    next = (uint64_t)ttb__fp_floor(ttb__fp_mul(ttb__fp_int(bucket + 1), factor));
  }
  return (uint32_t)bucket;
}

static uint32_t build(const ttb__roster *r, uint32_t *scratch, ttb__copy *copy) {
  uint32_t n = r->b->capacity;
  (void)scratch, (void)copy;
  while (n > 1 && ttb__load_rlx(&ttb__endpoint_at(r->b, n - 1)->word) == 0) n--;
  return n;
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  uint32_t n = b->seen_length, slot = 0;
  uint64_t state = hash, key = hash;
  if (n == 0) return TTB_NO_ENDPOINT;
  for (uint32_t i = 0; i < PROBES; i++, key = ttb__splitmix(&state)) {
    slot = ttb__jump(key, n);
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w) return ttb__candidate(slot, w);
    if (i == ttb__balancer_tries(b, x) && !ttb__balancer_any(b, x)) return TTB_NO_ENDPOINT;
  }
  return ttb__choose_near(b, slot, x);
}

const ttb__algorithm ttb__jump_hash = {
    .number = TTB_BALANCER_JUMP,
    .max_endpoints = TTB_MAX_SLOTS,
    .hashes = 1,
    .entries = ttb__roster_entries, /* none is used: the length says all */
    .scratch = ttb__no_scratch,
    .build = build,
    .choose = choose,
};
