/* SPDX-License-Identifier: MIT */
/* The count window: the last n calls as bits of a ring, 32 to a word.
 *
 *     head  = generation 20 | calls 44
 *     words = generation 20 | 0 12 | outcomes 32    failures; then, if slow calls
 *                                                   count, as many of those
 *     (with TTB_BREAKER_DETAILED) durations, 32 bits a call
 *
 * The i-th call has place i mod ring, the next power of two of n (at least 32).
 * The window is the last n places before the head, counted when somebody asks:
 * nothing is ever subtracted, so nothing can drift. k of the last n is what
 * Failsafe and gobreaker's users count; resilience4j's default window is of this
 * kind.
 *
 * I1  The head moves by compare-and-swap and hands out each place once. A success
 *     over a success changes no bit: then the head is the only word written.
 * I2  A caller killed between head and bits leaves in its place what was there a
 *     ring ago (or nothing), until the ring comes round: one outcome, never more.
 * I3  Words of another generation read as zeros (I2 in breaker.h). */
#ifndef TTB_LIB_BREAKER_LAST_CALLS_H
#define TTB_LIB_BREAKER_LAST_CALLS_H

#include "breaker.h"
#include "window.h"

#define TTB__LAST_CALLS_MAX 4096

/* Words of 32 places for a window of n calls: a power of two. */
static inline uint32_t ttb__last_words(uint32_t n) {
  uint32_t words = 1;
  while (words * 32 < n) words *= 2;
  return words;
}

/* Where a slot's ring lies; private. */
typedef struct ttb__last {
  ttb__a64 *head;
  const ttb__a64 *state;
  uint32_t gen, n, words;
} ttb__last;

static inline ttb__a64 *ttb__last_failures(ttb__last l) { return l.head + 1; }
static inline ttb__a64 *ttb__last_slow(ttb__last l) { return l.head + 1 + l.words; }
static inline ttb__a32 *ttb__last_durations(ttb__last l) {
  return (ttb__a32 *)(void *)(l.head + 1 + 2 * l.words);
}

#define TTB__LAST_MASK ((UINT64_C(1) << 44) - 1)

/* The place of one call more; -1 if the generation is over. */
static inline int64_t ttb__last_place(ttb__last l) {
  for (;;) {
    /* acquire: pairs with the release below, as for every word that goes with
     * the state (ttb__may_write): a late report leaves a later generation's. */
    uint64_t w = ttb__load_acq(l.head);
    if (!ttb__may_write(w, l.gen, l.state)) return -1;
    uint64_t calls = ttb__count_of(w, l.gen);
    if (ttb__cas_rel(l.head, &w, ttb__count(l.gen, (calls + 1) & TTB__LAST_MASK)))
      return (int64_t)(calls & (l.words * 32 - 1));
  }
}

/* Writes one bit of a plane. */
static inline void ttb__last_set(ttb__last l, ttb__a64 *plane, uint32_t place, bool bad) {
  ttb__a64 *word = &plane[place / 32];
  uint64_t bit = UINT64_C(1) << place % 32;
  for (;;) {
    uint64_t w = ttb__load_acq(word); /* acquire: as above */
    uint64_t bits = ttb__count_of(w, l.gen), next = bad ? bits | bit : bits & ~bit;
    if (next == bits || !ttb__may_write(w, l.gen, l.state)) return;
    if (ttb__cas_rel(word, &w, ttb__count(l.gen, next))) return;
  }
}

static inline uint32_t ttb__bits_set(uint32_t x) {
  x -= x >> 1 & 0x55555555u;
  x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
  return ((x + (x >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24;
}

/* Bits of a plane in the window; `also`, if given: those set there, too. */
static inline uint32_t ttb__last_count(ttb__last l, const ttb__a64 *plane, const ttb__a64 *also) {
  uint64_t end = ttb__count_of(ttb__load_rlx(l.head), l.gen), from = end < l.n ? 0 : end - l.n;
  uint32_t sum = 0;
  while (from < end) {
    uint32_t place = (uint32_t)from & (l.words * 32 - 1), low = place % 32, n = 32 - low;
    if (end - from < n) n = (uint32_t)(end - from);
    uint64_t bits = ttb__count_of(ttb__load_rlx(&plane[place / 32]), l.gen);
    if (also) bits &= ttb__count_of(ttb__load_rlx(&also[place / 32]), l.gen);
    sum += ttb__bits_set((uint32_t)(bits >> low) & (uint32_t)((UINT64_C(1) << n) - 1));
    from += n;
  }
  return sum;
}

static inline ttb__counts ttb__last_counts(ttb__last l) {
  uint64_t calls = ttb__count_of(ttb__load_rlx(l.head), l.gen);
  return (ttb__counts){calls < l.n ? (uint32_t)calls : l.n,
                       ttb__last_count(l, ttb__last_failures(l), NULL)};
}

/* The sum of the window's durations. */
static inline uint64_t ttb__last_duration(ttb__last l) {
  uint64_t end = ttb__count_of(ttb__load_rlx(l.head), l.gen), sum = 0;
  for (uint64_t i = end < l.n ? 0 : end - l.n; i < end; i++)
    sum += ttb__load_rlx(&ttb__last_durations(l)[i & (l.words * 32 - 1)]);
  return sum;
}

#endif
