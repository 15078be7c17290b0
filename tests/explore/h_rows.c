/* SPDX-License-Identifier: MIT */
/* Rows and cells (lib/base/rows.h): kills, recovery, recoverers that are killed
 * or compete, leaving, and the next owner of the row. Two endpoints. */
#include "../../lib/base/rows.h"

#include "explore.h"

#define A 31u
#define B 32u
#define R 33u
#define S 34u
#define ENDPOINTS 2u
#define ROWS 2u

static struct {
  struct {
    ttb__a32 active;
    uint32_t reserved;
    ttb__a64 row[ROWS];
  } rows; /* as ttb__rows, with its rows */
  ttb__a32 cell[ENDPOINTS][ROWS];
  ttb__a32 flag;
  uint32_t reserved;
} m;

static struct {
  uint32_t cleaner[ROWS];   /* actor + 1 that cleans the row */
  uint32_t held[ENDPOINTS]; /* in flight by those that live */
  uint32_t joined;          /* B has a row */
} g;

static uint32_t rows_used; /* how many of ROWS the harness plays with */

static ttb__rows *rows(void) { return (ttb__rows *)(void *)&m.rows; }

static void setup_1(void) {
  ex_shared(&m, sizeof m);
  ex_ghost(&g, sizeof g);
  rows_used = 1;
}
static void setup_2(void) {
  setup_1();
  rows_used = ROWS;
}

/* Zeroes the row's cells, frees it. */
static void clean(uint32_t actor, const ttb__row *row) {
  ex_check(g.cleaner[row->index] == 0 || ex_dead(g.cleaner[row->index] - 1), "two clean one row");
  g.cleaner[row->index] = actor + 1;
  bool late = ex_logic("zeroes-after-freeing");
  if (!late) ttb__cells_clear(&m.cell[0][row->index], sizeof m.cell[0], ENDPOINTS);
  ex_check(ttb__rows_finish(rows(), row) == TTB_OK, "finish refused the cleaner");
  g.cleaner[row->index] = 0;
  if (late) ttb__cells_clear(&m.cell[0][row->index], sizeof m.cell[0], ENDPOINTS);
}

static void recover(uint32_t actor, uint64_t dead, uint64_t token) {
  ttb__row row;
  uint32_t cursor = 0;
  if (ex_logic("recovers-nothing")) return;
  while (ttb__rows_recover_next(rows(), rows_used, dead, token, &cursor, &row) >= 0)
    clean(actor, &row);
}

/* Works with two endpoints and is killed somewhere. */
static void worker(void) {
  ttb__row row;
  if (ttb__rows_join(rows(), rows_used, A, &row) < 0) return;
  ttb__cell_inc(&m.cell[0][row.index]);
  ttb__cell_inc(&m.cell[1][row.index]);
  ex_check(ttb__cell_dec(&m.cell[0][row.index]) == TTB_OK, "a dec found nothing to take");
}

/* Joins, one in flight on endpoint 0 for good, on 1 for a while. */
static void next_owner(void) {
  ttb__row row;
  if (ttb__rows_join(rows(), rows_used, B, &row) < 0) return;
  g.joined = 1;
  ttb__cell_inc(&m.cell[0][row.index]);
  g.held[0] = 1;
  uint32_t active = ttb__rows_active(rows(), rows_used);
  ex_check(active > row.index, "the owner's own row is not active");
  ttb__cell_inc(&m.cell[1][row.index]);
  ex_check(ttb__cell_dec(&m.cell[1][row.index]) == TTB_OK, "a dec found nothing to take");
}

static void recoverer(void) {
  ex_wait_dead(0);
  recover(1, A, R);
}

/* Recovers the recoverer; what A left is R's by then or still A's. */
static void second_recoverer(void) {
  ex_wait_dead(1);
  ex_wait_dead(0);
  recover(2, R, S);
  recover(2, A, S);
}

/* Recovers A beside the first one. */
static void rival(void) {
  ex_wait_dead(0);
  recover(2, A, S);
}

/* All dead are recovered in the end if their recoverers came through: then the
 * sums are what the living hold. */
static void check(void) {
  if (!ex_dead(0)) return; /* A lives and holds what it holds */
  bool settled = ex_dead(1) ? ex_done(2) : ex_done(1);
  ex_check(settled, "recovery does not come through");
  for (uint32_t e = 0; e < ENDPOINTS; e++) {
    uint32_t sum = ttb__cells_sum(m.cell[e], ttb__rows_active(rows(), rows_used));
    ex_check(sum == g.held[e], "a sum is not what the living hold");
  }
  for (uint32_t i = 0; i < rows_used; i++) {
    uint64_t word = ttb__load_rlx(&rows()->row[i]);
    ex_check(ttb__row_state(word) == TTB__ROW_FREE || ttb__row_token(word) == B,
             "a row of the dead is left behind");
  }
}

const ex_harness ex_rows = {
    .name = "rows",
    .what = "a worker killed at any step, its recoverer too, the row joined anew",
    .setup = setup_1,
    .actor = {worker, recoverer, second_recoverer, next_owner},
    .check = check,
    .crashable = 1u << 0 | 1u << 1,
    .crashes = 2,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
    .logic = {"zeroes-after-freeing", "recovers-nothing"},
};

const ex_harness ex_rows_rivals = {
    .name = "rows-rivals",
    .what = "two recover one dead worker, the row joined anew",
    .setup = setup_1,
    .actor = {worker, recoverer, rival, next_owner},
    .check = check,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
    .logic = {"zeroes-after-freeing"},
};

const ex_harness ex_rows_two = {
    .name = "rows-two",
    .what = "the same with two rows",
    .setup = setup_2,
    .actor = {worker, recoverer, second_recoverer, next_owner},
    .check = check,
    .crashable = 1u << 0 | 1u << 1,
    .crashes = 2,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

/* ---- leaving, and who knows of an operation counts it ---- */

/* The flag is the harness' own way to tell of an operation. */
static void leaver(void) {
  ttb__row row;
  if (ttb__rows_join(rows(), ROWS, A, &row) < 0) return;
  ttb__cell_inc(&m.cell[0][row.index]);
  ex_check(ttb__rows_leave(rows(), &row) == TTB_OK, "leave refused the owner");
  clean(0, &row);
}

static void teller(void) {
  ttb__row row;
  if (ttb__rows_join(rows(), ROWS, B, &row) < 0) return;
  ttb__cell_inc(&m.cell[1][row.index]);
  ttb__store_rel(&m.flag, 1);
}

static void knower(void) {
  if (ttb__load_acq(&m.flag) == 0) return;
  uint32_t sum = ttb__cells_sum(m.cell[1], ttb__rows_active(rows(), ROWS));
  ex_check(sum == 1, "a sum misses an operation it knows of");
}

static void check_leave(void) {
  uint32_t active = ttb__rows_active(rows(), ROWS);
  ex_check(ttb__cells_sum(m.cell[0], active) == 0, "who left is still counted");
  ex_check(ttb__cells_sum(m.cell[1], active) == 1, "who stays is not counted");
}

const ex_harness ex_rows_leave = {
    .name = "rows-leave",
    .what = "one leaves, one joins, one who knows of its operation sums",
    .setup = setup_2,
    .actor = {leaver, teller, knower},
    .check = check_leave,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

/* ---- tickets that move between threads ---- */

static void giver(void) {
  ttb__cell_inc_shared(&m.cell[0][0]);
  ttb__cell_inc_shared(&m.cell[0][0]);
  ttb__store_rel(&m.flag, 1);
  ex_check(ttb__cell_dec_shared(&m.cell[0][0]) == TTB_OK, "a dec found nothing to take");
}
static void taker(void) {
  if (ttb__load_acq(&m.flag) == 0) return;
  ex_check(ttb__cell_dec_shared(&m.cell[0][0]) == TTB_OK, "a dec found nothing to take");
  g.joined = 1;
}
static void check_shared(void) {
  ex_check(ttb__load_rlx(&m.cell[0][0]) == 1 - g.joined, "a moved ticket is miscounted");
}

const ex_harness ex_cells_shared = {
    .name = "cells-shared",
    .what = "one thread acquires, another reports",
    .setup = setup_1,
    .actor = {giver, taker},
    .check = check_shared,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};
