/* SPDX-License-Identifier: MIT */
/* Rows: join, leave, recover, finish. The rules are in rows.h. */
#include "rows.h"

/* Keeps I5. Ends: the word only grows, by whoever changes it. */
static void raise_active(ttb__a32 *active, uint32_t to) {
  uint32_t seen = ttb__load_rlx(active);
  while (seen < to && !ttb__cas_rlx(active, &seen, to)) {
  }
}

/* Claims one row if it is free. A failed exchange shows the newer word: it was
 * taken, or taken and freed again, which is free. */
static bool claim(ttb__a64 *row, uint64_t token, uint64_t *ret_word) {
  uint64_t seen = ttb__load_rlx(row);
  while (ttb__row_state(seen) == TTB__ROW_FREE) {
    uint64_t mine = ttb__row_word(ttb__row_incarnation(seen) + 1, TTB__ROW_LIVE, token);
    /* acquire: pairs with ttb__rows_finish. Without it the new owner's plain
     * load of a cell may still see the last owner's count (I2). */
    if (ttb__cas_acq(row, &seen, mine)) {
      *ret_word = mine;
      return true;
    }
  }
  return false;
}

int32_t ttb__rows_join(ttb__rows *rows, uint32_t n, uint64_t token, ttb__row *ret_row) {
  for (uint32_t i = 0; i < n; i++) {
    uint64_t word;
    if (!claim(&rows->row[i], token, &word)) continue;
    raise_active(&rows->active, i + 1);
    *ret_row = (ttb__row){.word = word, .index = i};
    return (int32_t)i;
  }
  return TTB_ERR_NOSPACE;
}

int32_t ttb__rows_leave(ttb__rows *rows, ttb__row *row) {
  uint64_t seen = row->word;
  uint64_t mine = ttb__row_word(ttb__row_incarnation(seen), TTB__ROW_DEAD, ttb__row_token(seen));
  if (ttb__row_state(seen) != TTB__ROW_LIVE) return TTB_STALE;
  if (!ttb__cas_rlx(&rows->row[row->index], &seen, mine)) return TTB_STALE;
  row->word = mine;
  return TTB_OK;
}

int32_t ttb__rows_recover_next(ttb__rows *rows, uint32_t n, uint64_t dead, uint64_t token,
                               uint32_t *cursor, ttb__row *ret_row) {
  if (dead == token) return TTB_ERR_MISUSE;
  while (*cursor < n) {
    uint32_t i = (*cursor)++;
    /* newest: a plain load may not have seen that the dead process joined, and
     * its row would stay for ever. relaxed: the cleaner reads nothing of it. */
    uint64_t seen = ttb__newest_rlx(&rows->row[i]);
    uint64_t mine = ttb__row_word(ttb__row_incarnation(seen), TTB__ROW_DEAD, token);
    if (ttb__row_state(seen) == TTB__ROW_FREE || ttb__row_token(seen) != dead) continue;
    if (!ttb__cas_rlx(&rows->row[i], &seen, mine)) continue; /* another recoverer has it */
    *ret_row = (ttb__row){.word = mine, .index = i};
    return (int32_t)i;
  }
  return TTB_ERR_UNKNOWN_ID;
}

int32_t ttb__rows_finish(ttb__rows *rows, const ttb__row *row) {
  uint64_t seen = row->word;
  uint64_t freed = ttb__row_word(ttb__row_incarnation(seen), TTB__ROW_FREE, 0);
  if (ttb__row_state(seen) != TTB__ROW_DEAD) return TTB_STALE;
  /* release: pairs with join. What was zeroed is zero to the next owner (I2). */
  return ttb__cas_rel(&rows->row[row->index], &seen, freed) ? TTB_OK : TTB_STALE;
}
