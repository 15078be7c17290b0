/* SPDX-License-Identifier: MIT */
/* Joined threads: their permits carry their row, so that a survivor can take
 * back what a dead process held. The rules of rows are in ../base/rows.h.
 *
 * I1  A row is freed only after every permit that names it is given back, so a
 *     new owner of the row never meets an old one's permits. */
#include "limiter.h"

#include <string.h>

void ttb__limiter_use_row(ttb__limiter *l, ttb__row mine) {
  l->row = mine.index;
  l->mine = mine;
  /* Each begins on a line of its own as far as there are lines. */
  if (l->number == TTB_LIMITER_BULKHEAD)
    l->u.bulkhead.hint = l->row * 8 % l->u.bulkhead.permits.n;
}

int32_t ttb_limiter_join(const ttb_limiter *shared, uint64_t token, ttb_limiter *ret) {
  const ttb__limiter *l = ttb__limiter_of(shared);
  if (!l || !ret) return TTB_ERR_MISUSE;
  if (token < 1 || token > TTB_MAX_TOKEN) return TTB_ERR_RANGE;
  ttb__row mine;
  int32_t row = ttb__rows_join(l->rows, l->threads, token, &mine);
  if (row < 0) return row;
  ttb__limiter joined = *l;
  ttb__limiter_use_row(&joined, mine);
  joined.owned = 0; /* the memory stays with whoever made it */
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &joined, sizeof joined);
  return TTB_OK;
}

void ttb__limiter_give_all(const ttb__limiter *l, uint32_t row) {
  if (!l->kind->give_all) return;
  for (uint32_t slot = 0; slot < l->capacity; slot++)
    l->kind->give_all(l, ttb__limiter_slot_at(l, slot), row);
}

void ttb__limiter_leave(ttb__limiter *l) {
  if (ttb__rows_leave(l->rows, &l->mine) < 0) return; /* recovered already */
  ttb__limiter_give_all(l, l->row);
  (void)ttb__rows_finish(l->rows, &l->mine);
}

int32_t ttb_limiter_recover(ttb_limiter *joined, uint64_t token) {
  ttb__limiter *l = ttb__limiter_of(joined);
  if (!l || l->row == TTB__NO_ROW) return TTB_ERR_MISUSE;
  if (token < 1 || token > TTB_MAX_TOKEN) return TTB_ERR_RANGE;
  uint64_t own = ttb__row_token(l->mine.word);
  if (token == own) return TTB_ERR_MISUSE;
  ttb__row row;
  uint32_t cursor = 0;
  int32_t freed = 0;
  while (ttb__rows_recover_next(l->rows, l->threads, token, own, &cursor, &row) >= 0) {
    ttb__limiter_give_all(l, row.index);
    freed += ttb__rows_finish(l->rows, &row) == TTB_OK;
  }
  return freed;
}
