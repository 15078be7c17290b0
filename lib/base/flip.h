/* SPDX-License-Identifier: MIT */
/* Flip: how a table is replaced under its readers.
 *
 * Two copies, A and B, and one generation word: copy (generation & 1) is the
 * published one, the other is idle. The writer, who holds the owner lock
 * (lock.h), builds the idle copy and publishes it by raising the generation.
 * After Linux' seqcount_latch (include/linux/seqlock.h) and H.-J. Boehm, "Can
 * seqlocks get along with programming language memory models?" (MSPC 2012),
 * but without fences: the words themselves carry release and acquire.
 *
 * I1  The published copy is never written; only the idle one is.
 * I2  A read that ends `clean` saw words of one generation only.
 * I3  Readers never wait: at most TTB__FLIP_RETRIES more tries, then the last
 *     one is used as it is. So entries are indices and nothing else, and the
 *     last load of a pick (the eligibility word) decides whether one counts.
 * I4  A writer killed at any step leaves garbage in the idle copy and nowhere
 *     else. Who takes its lock over builds that whole copy again; it finds out
 *     which copy is idle by read-modify-write, because a plain load may miss
 *     the dead writer's last publication and then spoil the published copy.
 *
 * Reading:                                   Writing, under the owner lock:
 *     v = ttb__flip_begin(flip);                 next = ttb__flip_build(flip);
 *     do {                                       copy = ttb__flip_copy(next);
 *       ... ttb__flip_get32(&t[v.copy][i])       ttb__flip_put32(&t[copy][i], x) each i
 *     } while (ttb__flip_again(flip, &v));       ttb__flip_publish(flip, next);
 */
#ifndef TTB_LIB_BASE_FLIP_H
#define TTB_LIB_BASE_FLIP_H

#include "atomic.h"

/* More tries after a first one that met a new generation. */
#define TTB__FLIP_RETRIES 2

/* In the region. All zero is valid: copy 0 is published. */
typedef struct ttb__flip {
  ttb__a64 generation;
} ttb__flip;

/* One read of the table, on the reader's stack. */
typedef struct ttb__flip_view {
  uint64_t generation; /* the one being read */
  uint32_t copy;       /* which copy: 0 or 1 */
  uint16_t tries;      /* made so far, the first not counted */
  uint16_t clean;      /* set by the last ttb__flip_again: I2 holds */
} ttb__flip_view;

/* The copy a generation lives in. */
static inline uint32_t ttb__flip_copy(uint64_t generation) { return (uint32_t)(generation & 1); }

/* Starts a read. */
static inline ttb__flip_view ttb__flip_begin(const ttb__flip *flip) {
  /* acquire: pairs with ttb__flip_publish. Without it the reader knows the new
   * generation but may still read words of the copy's last use. */
  uint64_t generation = ttb__load_acq(&flip->generation);
  return (ttb__flip_view){.generation = generation, .copy = ttb__flip_copy(generation)};
}

/* Words of the copy being read. acquire: pairs with ttb__flip_put. A word that
 * the next-but-one build wrote brings along that the generation has moved on;
 * without it ttb__flip_again could still read the old generation and call a
 * mix clean. */
static inline uint32_t ttb__flip_get32(const ttb__a32 *word) { return ttb__load_acq(word); }
static inline uint64_t ttb__flip_get64(const ttb__a64 *word) { return ttb__load_acq(word); }

/* Ends a read. True: the table changed meanwhile, read v->copy anew. False:
 * done, v->clean says how. */
static inline bool ttb__flip_again(const ttb__flip *flip, ttb__flip_view *v) {
  /* acquire: this load also begins the next try; as ttb__flip_begin. */
  uint64_t generation = ttb__load_acq(&flip->generation);
  v->clean = generation == v->generation;
  if (v->clean || v->tries == TTB__FLIP_RETRIES) return false;
  v->generation = generation;
  v->copy = ttb__flip_copy(generation);
  v->tries++;
  return true;
}

/* Starts a build; returns the generation it will be published as. */
static inline uint64_t ttb__flip_build(ttb__flip *flip) {
  /* read-modify-write: keeps I1 after a takeover (see I4).
   * acquire: pairs with ttb__flip_publish of a dead writer, so that the new
   * one may read the published copy, to carry entries over from it. */
  return ttb__newest_acq(&flip->generation) + 1;
}

/* Writes a word of the idle copy. release: pairs with ttb__flip_get, see there. */
static inline void ttb__flip_put32(ttb__a32 *word, uint32_t x) { ttb__store_rel(word, x); }
static inline void ttb__flip_put64(ttb__a64 *word, uint64_t x) { ttb__store_rel(word, x); }

/* Publishes what was built. */
static inline void ttb__flip_publish(ttb__flip *flip, uint64_t next) {
  /* release: pairs with ttb__flip_begin and ttb__flip_again, see there. */
  ttb__store_rel(&flip->generation, next);
}

#endif
