/* SPDX-License-Identifier: MIT */
/* The event ring: what happened, for whoever cares to read it.
 *
 * A fixed power-of-two number of 64-byte records, many producers, any number of
 * readers. A record is a claim word and seven words of payload; position p of
 * the endless sequence lives in record p mod n, in lap p / n + 1. After the
 * bounded queue of D. Vyukov (a sequence in each cell), the helping of M. Michael
 * and M. Scott's queue (1996), and a seqlock a record (Boehm, see flip.h).
 *
 * The claim word is {lap 48 | holder 16}: holder 0 is a published record,
 * row + 1 a producer at work, TTB__RING_GONE one that died at it.
 *
 * I1  A record is written only by the holder its claim word names, and only
 *     from a claim to the publication of the same lap. A claim is never taken
 *     from a living producer: it could still write. So the record of a killed
 *     one is skipped, lap after lap, until ttb__ring_recover says it is gone.
 * I2  The head passes a position only after the position was claimed or found
 *     to be held; whoever meets a claimed position moves the head on. So no
 *     producer killed at any step wedges the ring for the others.
 * I3  What ttb__ring_get returns is one event as it was put: never a mix.
 * I4  Each reader gets an event at most once. Its cursor moves by the events it
 *     got plus the positions it reports as lost: lapped, or given up by a
 *     producer that died, or never used. An event that got no position at all
 *     is counted in `dropped`. So no loss goes unnoticed.
 * I5  Readers store nothing in the region and never wait: an unfinished record
 *     ends the reading, until half the ring lies behind it; then it is lost.
 */
#ifndef TTB_LIB_BASE_RING_H
#define TTB_LIB_BASE_RING_H

#include <trimtab/base.h>

#include "atomic.h"

/* Words of payload in a record. */
#define TTB__RING_WORDS 7

/* Positions a producer tries before it drops the event. */
#define TTB__RING_TRIES 4

/* Holder of a record whose producer died before it published. */
#define TTB__RING_GONE 0xffffu

/* Rows that can produce: 0 .. TTB__RING_MAX_ROW. */
#define TTB__RING_MAX_ROW 0xfffdu

typedef struct ttb__ring_record {
  ttb__a64 claim;
  ttb__a64 word[TTB__RING_WORDS];
} ttb__ring_record;
_Static_assert(sizeof(ttb__ring_record) == 64, "layout");

/* In the region, followed by the records. All zero is valid: empty. The number
 * of records, 1 << shift, is the handle's to know, never the region's. */
typedef struct ttb__ring {
  ttb__a64 head;    /* the next position */
  ttb__a64 dropped; /* events that found no position */
  uint64_t reserved[6];
  ttb__ring_record record[];
} ttb__ring;
_Static_assert(sizeof(ttb__ring) == 64, "layout");

/* Bytes of a ring of 1 << shift records, a multiple of 64. */
#define TTB__RING_BYTES(shift) (64 + (UINT64_C(64) << (shift)))

/* Puts an event, as the producer of row `row`. 0, or TTB_AGAIN: dropped and
 * counted, because each position tried was held by another. Lock-free. */
int32_t ttb__ring_put(ttb__ring *ring, uint32_t shift, uint32_t row,
                      const uint64_t event[TTB__RING_WORDS]);

/* Gets the next event at or after *cursor: 1, or 0 if there is none yet.
 * *cursor (0 is the beginning of time) moves on, *lost grows by the positions
 * that were passed without an event. `event` is untouched if the result is 0. */
int32_t ttb__ring_get(const ttb__ring *ring, uint32_t shift, uint64_t *cursor,
                      uint64_t event[TTB__RING_WORDS], uint64_t *lost);

/* Frees the records that the dead producer of row `row` had claimed. Part of
 * cleaning the row: after rows_recover_next, before rows_finish. Idempotent. */
void ttb__ring_recover(ttb__ring *ring, uint32_t shift, uint32_t row);

/* A cursor that starts now: it will meet only events put from here on. */
static inline uint64_t ttb__ring_now(const ttb__ring *ring) { return ttb__load_rlx(&ring->head); }

/* How many events were dropped since the ring was made. */
static inline uint64_t ttb__ring_dropped(const ttb__ring *ring) {
  return ttb__load_rlx(&ring->dropped);
}

#endif
