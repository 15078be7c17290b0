/* SPDX-License-Identifier: MIT */
/* The time window: 16 packed buckets, one read-modify-write a call.
 *
 *     bucket = turn 28 | failures 18 | calls 18
 *
 * A *turn* is the number of the bucket's sixteenth of window_ms since the
 * beginning of time, plus 32 for each generation of the breaker: a new
 * generation thereby leaves every older bucket behind without touching it. The
 * bucket of turn e is e mod 16; a bucket counts while e - turn < 16. With stripes
 * there are so many buckets of each turn; a thread adds to its own stripe's, and
 * who asks sums over all.
 *
 * I1  A bucket only turns forward. A caller with an older time counts into the
 *     bucket that stands (a spike that compared with != lost the newer one);
 *     one so late that its outcome has left the window, or that belongs to an
 *     earlier generation, counts nowhere.
 * I2  calls never overflows into failures: near the top both are halved by CAS
 *     (a spike without this tripped a healthy breaker after 4,194,304 calls).
 *     What is left is more than the largest min_calls.
 * I3  A caller preempted between reading a bucket and adding to it, for a whole
 *     window, puts one outcome into a later bucket. That is all that can happen.
 * I4  A plane is 16 words more, {turn 28 | sum 36}: of slow calls, and with
 *     TTB_BREAKER_DETAILED of others. Calls are in the buckets. Who halves a
 *     bucket halves those of the other stripes and the planes next. Killed in
 *     between, what was left weighs up to twice until that bucket leaves, slow
 *     calls never more than the calls; one in 120,000 calls is there.
 * I5  A joined thread that has seen its bucket adds up to TTB__UNSEEN calls of the
 *     same ms and generation without looking again: the bucket cannot have turned
 *     while the time has not.
 *     An addition whose result nobody asks for does not wait for the line; to read
 *     the line before, or what was there after, makes two threads twice as slow.
 *
 * A bucket is newer than a caller's turn if it is ahead by less than
 * TTB__TURN_AHEAD, else older: so neither a bucket untouched for months nor the
 * wrap of the generation is taken for the future. 28 bits of turn last 194 days
 * at the shortest window before a forgotten bucket could be taken for a fresh
 * one, longer than the clock may skip. */
#ifndef TTB_LIB_BREAKER_WINDOW_H
#define TTB_LIB_BREAKER_WINDOW_H

#include "../base/atomic.h"
#include "../base/handle.h"
#include "../base/mulhi.h"

#define TTB__BUCKETS 16u
#define TTB__TURN_MASK 0xfffffffu
#define TTB__TURN_AHEAD (1u << 16)
#define TTB__COUNT_BITS 18
#define TTB__COUNT_MASK 0x3ffffu
/* Calls a joined thread adds between two looks (I5). */
#define TTB__UNSEEN 64u
/* Room for what up to 1,023 threads, 254 of them joined, add between two looks. */
#define TTB__COUNT_FULL (TTB__COUNT_MASK - 1023u - 254u * TTB__UNSEEN)

typedef struct ttb__counts {
  uint32_t calls, failures;
} ttb__counts;

static inline uint64_t ttb__bucket(uint32_t turn, ttb__counts c) {
  return (uint64_t)turn << 36 | (uint64_t)c.failures << TTB__COUNT_BITS | c.calls;
}
static inline uint32_t ttb__bucket_turn(uint64_t w) { return (uint32_t)(w >> 36); }
static inline ttb__counts ttb__bucket_counts(uint64_t w) {
  return (ttb__counts){(uint32_t)(w & TTB__COUNT_MASK),
                       (uint32_t)(w >> TTB__COUNT_BITS & TTB__COUNT_MASK)};
}

/* 2^64 / window_ms: with it the turn needs no division. */
static inline uint64_t ttb__window_inverse(uint32_t window_ms) {
  return UINT64_MAX / window_ms + 1;
}

static inline uint32_t ttb__window_turn(uint64_t inverse, uint64_t now_ms, uint32_t generation) {
  return (uint32_t)(ttb__mulhi(now_ms * TTB__BUCKETS, inverse) + generation * UINT64_C(32)) &
         TTB__TURN_MASK;
}

/* Where a slot's window lies; private. */
typedef struct ttb__window {
  ttb__a64 *buckets; /* of all stripes, then the planes */
  uint32_t stripes, planes;
} ttb__window;

#define TTB__PLANE_MASK ((UINT64_C(1) << 36) - 1)

static inline ttb__a64 *ttb__window_plane(ttb__window w, uint32_t plane) {
  return w.buckets + (w.stripes + plane) * TTB__BUCKETS;
}

/* A bucket of this turn was halved: so are those of the other stripes, and the planes. */
static inline void ttb__window_halve_rest(ttb__window win, const ttb__a64 *halved, uint32_t turn) {
  for (uint32_t i = 0; i < win.stripes; i++) {
    ttb__a64 *at = &win.buckets[i * TTB__BUCKETS + turn % TTB__BUCKETS];
    uint64_t w = ttb__load_rlx(at);
    while (at != halved && ttb__bucket_turn(w) == turn) {
      ttb__counts c = ttb__bucket_counts(w);
      ttb__counts half = {c.calls - c.calls / 2, c.failures - c.failures / 2};
      if (ttb__cas_rlx(at, &w, ttb__bucket(turn, half))) break;
    }
  }
  for (uint32_t p = 0; p < win.planes; p++) {
    ttb__a64 *at = &ttb__window_plane(win, p)[turn % TTB__BUCKETS];
    uint64_t w = ttb__load_rlx(at);
    while (ttb__bucket_turn(w) == turn)
      if (ttb__cas_rlx(at, &w, (w & ~TTB__PLANE_MASK) | (w & TTB__PLANE_MASK) / 2)) break;
  }
}

/* Adds one outcome to a bucket that does not simply take it, whose value was w. */
static TTB__SELDOM void ttb__window_turn_or_halve(ttb__window win, ttb__a64 *b, uint64_t w,
                                                  uint32_t turn, uint32_t failures) {
  uint64_t next;
  bool halved;
  do {
    uint32_t ahead = (ttb__bucket_turn(w) - turn) & TTB__TURN_MASK;
    ttb__counts c = ttb__bucket_counts(w);
    halved = false;
    if (ahead >= TTB__TURN_AHEAD || c.calls == 0) {
      next = ttb__bucket(turn, (ttb__counts){1, failures});
    } else if (ahead >= TTB__BUCKETS) {
      return;
    } else if (c.calls < TTB__COUNT_FULL) {
      ttb__add_rlx(b, (uint64_t)failures << TTB__COUNT_BITS | 1);
      return;
    } else {
      c = (ttb__counts){c.calls / 2 + 1, c.failures / 2 + failures};
      next = ttb__bucket(ttb__bucket_turn(w), c);
      halved = true;
    }
  } while (!ttb__cas_rlx(b, &w, next));
  if (halved) ttb__window_halve_rest(win, b, ttb__bucket_turn(next));
}

static inline ttb__a64 *ttb__window_bucket(ttb__a64 *buckets, uint32_t stripe, uint32_t turn) {
  return &buckets[stripe * TTB__BUCKETS + turn % TTB__BUCKETS];
}

/* Whether a bucket seen as w simply takes one call more. */
static inline bool ttb__bucket_takes(uint64_t w, uint32_t turn) {
  return ttb__bucket_turn(w) == turn && ttb__bucket_counts(w).calls < TTB__COUNT_FULL;
}

/* Counts one outcome in a stripe: ordinarily one addition. True if the bucket was
 * of this turn and had room. */
static inline bool ttb__window_add(ttb__window win, uint32_t stripe, uint32_t turn,
                                   uint32_t failures) {
  ttb__a64 *b = ttb__window_bucket(win.buckets, stripe, turn);
  uint64_t w = ttb__load_rlx(b);
  if (!ttb__bucket_takes(w, turn)) {
    ttb__window_turn_or_halve(win, b, w, turn, failures);
    return false;
  }
  ttb__add_rlx(b, (uint64_t)failures << TTB__COUNT_BITS | 1);
  return true;
}

/* What a joined thread knows of the bucket it last looked at; private. */
typedef struct ttb__seen {
  const void *of; /* the slot whose bucket it is, in this ms and generation */
  ttb__a64 *bucket;
  uint64_t now_ms;
  uint32_t gen, left; /* so many calls more it may add unseen */
} ttb__seen;

/* Counts a success unseen, if that may be (I5). */
static inline bool ttb__window_add_unseen(ttb__seen *seen, const void *of, uint32_t gen,
                                          uint64_t now_ms) {
  if (seen->of != of || seen->gen != gen || seen->now_ms != now_ms || seen->left == 0) return false;
  seen->left--;
  ttb__add_rlx(seen->bucket, 1);
  return true;
}

static inline ttb__counts ttb__window_sum(ttb__window win, uint32_t turn) {
  ttb__counts sum = {0, 0};
  for (uint32_t i = 0; i < win.stripes * TTB__BUCKETS; i++) {
    uint64_t w = ttb__load_rlx(&win.buckets[i]);
    if (((turn - ttb__bucket_turn(w)) & TTB__TURN_MASK) >= TTB__BUCKETS) continue;
    ttb__counts c = ttb__bucket_counts(w);
    sum.calls += c.calls;
    sum.failures += c.failures < c.calls ? c.failures : c.calls;
  }
  return sum;
}

/* Adds to a plane. Near its top (2^35) a sum stays where it is. */
static inline void ttb__window_add_plane(ttb__window win, uint32_t plane, uint32_t turn,
                                         uint64_t n) {
  ttb__a64 *b = &ttb__window_plane(win, plane)[turn % TTB__BUCKETS];
  uint64_t w = ttb__load_rlx(b);
  for (;;) {
    uint32_t ahead = (ttb__bucket_turn(w) - turn) & TTB__TURN_MASK;
    uint64_t sum = w & TTB__PLANE_MASK;
    if (ahead < TTB__TURN_AHEAD && sum != 0) {
      if (ahead < TTB__BUCKETS && sum <= TTB__PLANE_MASK / 2) ttb__add_rlx(b, n);
      return;
    }
    if (ttb__cas_rlx(b, &w, (uint64_t)turn << 36 | n)) return;
  }
}

static inline uint64_t ttb__window_sum_plane(ttb__window win, uint32_t plane, uint32_t turn) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < TTB__BUCKETS; i++) {
    uint64_t w = ttb__load_rlx(&ttb__window_plane(win, plane)[i]);
    if (((turn - ttb__bucket_turn(w)) & TTB__TURN_MASK) >= TTB__BUCKETS) continue;
    sum += w & TTB__PLANE_MASK;
  }
  return sum;
}

#endif
