/* SPDX-License-Identifier: MIT */
/* Rows: who has joined. Cells: what each of them has in flight.
 *
 * A thread that joins a table gets a row, and with the row one small cell in
 * the line of each endpoint. Only the row's owner writes its cells, by plain
 * stores; the load of an endpoint is the sum of its cells. Truth is one word
 * whose owner is its address: a kill at any instruction leaves each cell
 * either counted or not, and zeroing the cells of a dead row settles all.
 * After LMDB's reader table (a slot is used by one thread only) and per-CPU
 * counters (P. McKenney, "Is Parallel Programming Hard", chapter 5).
 *
 * A row is one word {incarnation 20 | state 4 | token 40}:
 *
 *     FREE --join--> LIVE(process) --leave, or recover by another--> DEAD(cleaner)
 *       ^                                                              |      |
 *       +------------------------ finish ------------------------------+      |
 *                            recover, if the cleaner has died: DEAD(new cleaner)
 *
 * I1  One word says it all; it changes by compare-and-swap only.
 * I2  A row is joined only when its last owner's cells are all zero: finish
 *     comes after the cleaning, and join sees what was before finish.
 * I3  At any time at most one cleaner owns a row. Cleaning means blind stores
 *     of zero (and compare-and-swaps of words that name the row), so doing it
 *     half and then again is doing it once.
 * I4  The incarnation grows with each join; a ticket carries row and
 *     incarnation, so one of an earlier owner is recognised.
 * I5  0 .. active-1 are the rows that were ever used. join raises `active`
 *     before it returns, hence before the first store to a cell; `active` never
 *     shrinks. Whoever knows of an operation (happens-before) reads an `active`
 *     that includes its row, by coherence alone: relaxed is enough. Whoever
 *     misses it misses only what runs beside the sum, and no sum is a snapshot.
 * I6  Nobody but its owner writes to a cell of a LIVE row and nobody but its
 *     cleaner to one of a DEAD row. recover is the caller's statement that the
 *     process is dead: a stopped or slow one may wake up and store again, and
 *     no word can prevent it. An old heartbeat is not a death.
 *
 * Tickets that move between threads (a flag of the table) break "only the owner
 * writes": there the cells are changed by read-modify-writes (the _shared
 * forms), a report goes to the cell of the row in the ticket, and an owner
 * leaves only when none of its tickets is out. */
#ifndef TTB_LIB_BASE_ROWS_H
#define TTB_LIB_BASE_ROWS_H

#include <trimtab/base.h>

#include "atomic.h"

#define TTB__ROW_FREE 0u
#define TTB__ROW_LIVE 1u
#define TTB__ROW_DEAD 2u

/* Incarnations are counted modulo this. */
#define TTB__ROW_INCARNATIONS (1u << 20)

/* In the region, followed by the rows. All zero is valid: all free. How many
 * rows there are is the handle's to know, never the region's. */
typedef struct ttb__rows {
  ttb__a32 active;
  uint32_t reserved;
  ttb__a64 row[];
} ttb__rows;
_Static_assert(sizeof(ttb__rows) == 8, "layout");

/* Bytes of n rows, a multiple of 8. */
#define TTB__ROWS_BYTES(n) (8 + 8 * (uint64_t)(n))

/* A row as its owner or cleaner holds it, in private memory. */
typedef struct ttb__row {
  uint64_t word;  /* what stands in the region as long as it is ours */
  uint32_t index; /* 0 .. n-1 */
  uint32_t reserved;
} ttb__row;

static inline uint64_t ttb__row_word(uint32_t incarnation, uint32_t state, uint64_t token) {
  return (uint64_t)(incarnation % TTB__ROW_INCARNATIONS) << 44 | (uint64_t)state << 40 | token;
}
static inline uint32_t ttb__row_incarnation(uint64_t word) { return (uint32_t)(word >> 44); }
static inline uint32_t ttb__row_state(uint64_t word) { return (uint32_t)(word >> 40) & 15u; }
static inline uint64_t ttb__row_token(uint64_t word) { return word & TTB_MAX_TOKEN; }

/* Claims a free row for a thread of process `token` (1..TTB_MAX_TOKEN). Its
 * cells are zero. Returns its index, or TTB_ERR_NOSPACE. */
int32_t ttb__rows_join(ttb__rows *rows, uint32_t n, uint64_t token, ttb__row *ret_row);

/* The owner begins to leave: the row becomes its own to clean. It then zeroes
 * its cells and calls ttb__rows_finish. 0, or TTB_STALE if it is not ours any
 * more. On success row->word follows. */
int32_t ttb__rows_leave(ttb__rows *rows, ttb__row *row);

/* The next row from *cursor on (start at 0) that belonged to process `dead`,
 * which the caller, of process `token`, must now clean and finish. Returns its
 * index, or TTB_ERR_UNKNOWN_ID when there are no more. TTB_ERR_MISUSE if
 * dead == token. */
int32_t ttb__rows_recover_next(ttb__rows *rows, uint32_t n, uint64_t dead, uint64_t token,
                               uint32_t *cursor, ttb__row *ret_row);

/* Cleaning is done: the row is free. 0, or TTB_STALE if it was not ours. */
int32_t ttb__rows_finish(ttb__rows *rows, const ttb__row *row);

/* How many cells matter (I5): never more than n, whatever the region says. */
static inline uint32_t ttb__rows_active(const ttb__rows *rows, uint32_t n) {
  uint32_t active = ttb__load_rlx(&rows->active);
  return active < n ? active : n;
}

/* True while `row` is what stands in the region: nobody has recovered it. */
static inline bool ttb__rows_mine(const ttb__rows *rows, const ttb__row *row) {
  return ttb__load_rlx(&rows->row[row->index]) == row->word;
}

/* One more in flight, by the owner of the cell. */
static inline void ttb__cell_inc(ttb__a32 *cell) { ttb__store_rlx(cell, ttb__load_rlx(cell) + 1); }

/* One less. At 0 it stays 0: TTB_ERR_MISUSE. */
static inline int32_t ttb__cell_dec(ttb__a32 *cell) {
  uint32_t held = ttb__load_rlx(cell);
  if (held == 0) return TTB_ERR_MISUSE;
  ttb__store_rlx(cell, held - 1);
  return TTB_OK;
}

/* The same for tickets that move between threads. */
static inline void ttb__cell_inc_shared(ttb__a32 *cell) { (void)ttb__add_rlx(cell, 1); }
static inline int32_t ttb__cell_dec_shared(ttb__a32 *cell) {
  uint32_t held = ttb__load_rlx(cell);
  while (held != 0)
    if (ttb__cas_rlx(cell, &held, held - 1)) return TTB_OK;
  return TTB_ERR_MISUSE;
}

/* The load of an endpoint: the sum of its first `active` cells. */
static inline uint32_t ttb__cells_sum(const ttb__a32 *cells, uint32_t active) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < active; i++) sum += ttb__load_rlx(&cells[i]);
  return sum;
}

/* Zeroes one row's cells: `n` of them, each `stride` bytes after the one before. */
static inline void ttb__cells_clear(ttb__a32 *first, uint64_t stride, uint64_t n) {
  for (uint64_t i = 0; i < n; i++)
    ttb__store_rlx((ttb__a32 *)(void *)((char *)first + i * stride), 0);
}

#endif
