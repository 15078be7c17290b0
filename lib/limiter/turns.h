/* SPDX-License-Identifier: MIT */
/* A window of 16 packed buckets that count two things.
 *
 *     bucket = turn 28 | some 18 | all 18
 *
 * A turn is the number of its sixteenth of window_ms since the beginning of
 * time; the bucket of turn e is e mod 16, and counts while e - turn < 16. The
 * same idea as a breaker's window (rotating buckets, as in Hystrix), without a
 * generation.
 *
 * I1  A bucket only turns forward. A caller with an older time counts into the
 *     newer bucket that stands, one whose time has left the window nowhere.
 * I2  Neither count overflows into its neighbour: near the top both are halved,
 *     which keeps their ratio. `ratio_ppm * all - some` never rises by it: if some
 *     is more than its share, only as much of it goes as the calls that go earned,
 *     and a bucket full of the rest takes no more.
 * I3  A bucket is newer than a turn if it is ahead by less than
 *     TTB__TURNS_AHEAD, else older: one untouched for up to 194 days (at the
 *     shortest window) is never taken for a fresh one. */
#ifndef TTB_LIB_LIMITER_TURNS_H
#define TTB_LIB_LIMITER_TURNS_H

#include "../base/atomic.h"
#include "../base/handle.h"
#include "../base/mulhi.h"

#define TTB__TURNS 16u
#define TTB__TURNS_MASK 0xfffffffu
#define TTB__TURNS_AHEAD (1u << 16)
#define TTB__TURNS_COUNT 0x3ffffu
/* Room for as many late adders as there can be threads between two looks. */
#define TTB__TURNS_FULL (TTB__TURNS_COUNT - 1023u)

typedef struct ttb__turns {
  uint32_t all, some;
} ttb__turns;

/* What one addition adds. */
static inline uint64_t ttb__turns_one(uint32_t all, uint32_t some) {
  return (uint64_t)some << 18 | all;
}
static inline uint64_t ttb__turns_word(uint32_t turn, uint32_t all, uint32_t some) {
  return (uint64_t)turn << 36 | ttb__turns_one(all, some);
}
static inline uint32_t ttb__turns_turn(uint64_t w) { return (uint32_t)(w >> 36); }
static inline uint32_t ttb__turns_all(uint64_t w) { return (uint32_t)w & TTB__TURNS_COUNT; }
static inline uint32_t ttb__turns_some(uint64_t w) {
  return (uint32_t)(w >> 18) & TTB__TURNS_COUNT;
}

/* 2^64 / window_ms: with it the turn needs no division. */
static inline uint64_t ttb__turns_inverse(uint32_t window_ms) {
  return UINT64_MAX / window_ms + 1;
}
static inline uint32_t ttb__turns_now(uint64_t inverse, uint64_t now_ms) {
  return (uint32_t)ttb__mulhi(now_ms * TTB__TURNS, inverse) & TTB__TURNS_MASK;
}

static inline bool ttb__turns_is_full(uint64_t w) {
  return ttb__turns_all(w) >= TTB__TURNS_FULL || ttb__turns_some(w) >= TTB__TURNS_FULL;
}

/* What is left of a full bucket: half of all, and of some half, but no more of them
 * than `ratio_ppm` of what went of all (I2). */
static inline uint64_t ttb__turns_half(uint64_t w, uint32_t ratio_ppm) {
  uint32_t all = ttb__turns_all(w), some = ttb__turns_some(w), half = some - some / 2;
  uint64_t worth = (uint64_t)(all - all / 2) * ratio_ppm / 1000000;
  return ttb__turns_word(ttb__turns_turn(w), all / 2, some - (half < worth ? half : (uint32_t)worth));
}

/* The word of a bucket, seen as w, with (all, some) more: 0 if the caller's time
 * has left the window, or there is no room. */
static inline uint64_t ttb__turns_after(uint64_t w, uint32_t turn, uint32_t all, uint32_t some,
                                        uint32_t ratio_ppm) {
  uint32_t ahead = (ttb__turns_turn(w) - turn) & TTB__TURNS_MASK;
  if (ahead >= TTB__TURNS_AHEAD || (w << 28) == 0) return ttb__turns_word(turn, all, some);
  if (ahead >= TTB__TURNS) return 0;
  if (ttb__turns_is_full(w)) w = ttb__turns_half(w, ratio_ppm);
  return ttb__turns_is_full(w) ? 0 : w + ttb__turns_one(all, some);
}

static inline void ttb__turns_add(ttb__a64 *buckets, uint32_t turn, uint32_t all, uint32_t some,
                                  uint32_t ratio_ppm) {
  ttb__a64 *b = &buckets[turn % TTB__TURNS];
  uint64_t w = ttb__load_rlx(b), next;
  if (ttb__turns_turn(w) == turn && !ttb__turns_is_full(w)) {
    ttb__add_rlx(b, ttb__turns_one(all, some));
    return;
  }
  do {
    next = ttb__turns_after(w, turn, all, some, ratio_ppm);
  } while (next != 0 && !ttb__cas_rlx(b, &w, next));
}

static inline ttb__turns ttb__turns_sum(const ttb__a64 *buckets, uint32_t turn) {
  ttb__turns sum = {0, 0};
  for (uint32_t i = 0; i < TTB__TURNS; i++) {
    uint64_t w = ttb__load_rlx(&buckets[i]);
    if (((turn - ttb__turns_turn(w)) & TTB__TURNS_MASK) >= TTB__TURNS) continue;
    sum.all += ttb__turns_all(w);
    sum.some += ttb__turns_some(w);
  }
  return sum;
}

#endif
