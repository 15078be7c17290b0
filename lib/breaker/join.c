/* SPDX-License-Identifier: MIT */
/* Joined threads: their probes carry their row, so that a survivor can take
 * back what a dead process held. The rules of rows are in ../base/rows.h.
 *
 * I1  A row is freed only after every probe word that names it is given back,
 *     so a new owner of the row never meets an old one's probes. */
#include "breaker.h"

#include <string.h>

int32_t ttb_breaker_join(const ttb_breaker *shared, uint64_t token, ttb_breaker *ret) {
  const ttb__breaker *b = ttb__breaker_of(shared);
  if (!b || !ret || ret == shared) return TTB_ERR_MISUSE;
  if (token < 1 || token > TTB_MAX_TOKEN) return TTB_ERR_RANGE;
  ttb__row mine;
  int32_t row = ttb__rows_join(b->rows, b->threads, token, &mine);
  if (row < 0) return row;
  ttb__breaker joined = *b;
  joined.row = (uint32_t)row;
  joined.mine = mine;
  joined.owned = 0; /* the memory stays with whoever made it */
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &joined, sizeof joined);
  return TTB_OK;
}

void ttb__breaker_give_all(ttb__breaker *b, uint32_t row) {
  for (uint32_t slot = 0; slot < b->capacity; slot++) {
    ttb__breaker_slot *s = ttb__breaker_slot_at(b, slot);
    for (uint32_t i = 0; i < b->probes; i++) {
      /* newest: a plain load might miss the probe the dead one took last. */
      uint64_t w = ttb__newest_rlx(&s->probe[i]);
      if (ttb__probe_holder(w) != row + 1) continue;
      (void)ttb__cas_rlx(&s->probe[i], &w,
                         ttb__probe(ttb__word_gen(w), 0, ttb__probe_nonce(w)));
    }
  }
}

void ttb__breaker_leave(ttb__breaker *b) {
  if (ttb__rows_leave(b->rows, &b->mine) < 0) return; /* recovered already */
  ttb__breaker_give_all(b, b->row);
  (void)ttb__rows_finish(b->rows, &b->mine);
}

int32_t ttb_breaker_recover(ttb_breaker *joined, uint64_t token) {
  ttb__breaker *b = ttb__breaker_of(joined);
  if (!b || b->row == TTB__NO_ROW) return TTB_ERR_MISUSE;
  if (token < 1 || token > TTB_MAX_TOKEN) return TTB_ERR_RANGE;
  uint64_t own = ttb__row_token(b->mine.word);
  if (token == own) return TTB_ERR_MISUSE;
  ttb__row row;
  uint32_t cursor = 0;
  int32_t freed = 0;
  while (ttb__rows_recover_next(b->rows, b->threads, token, own, &cursor, &row) >= 0) {
    ttb__breaker_give_all(b, row.index);
    freed += ttb__rows_finish(b->rows, &row) == TTB_OK;
  }
  return freed;
}
