/* SPDX-License-Identifier: MIT */
/* Joined threads, and what is left of those who died. The rules of rows are in
 * ../base/rows.h, those of the lock in ../base/lock.h.
 *
 * I1  A row is freed only after its cells and its state are zero and its tickets
 *     not out.
 * I2  Everything recovery does can be cut short and done again. */
#include "bounded.h"
#include "tickets.h"

#include <string.h>

static unsigned char *row_state(const ttb__balancer *b, uint32_t row) {
  uint32_t own = b->row == TTB__NO_ROW ? 0 : b->row; /* row_state is the handle's own row's */
  return b->row_state + ((int64_t)row - own) * (int64_t)b->row_bytes;
}

int32_t ttb_balancer_join(const ttb_balancer *shared, uint64_t token, ttb_balancer *ret) {
  const ttb__balancer *b = ttb__balancer_of(shared);
  if (!b || !ret || ret == shared) return TTB_ERR_MISUSE;
  if (token < 1 || token > TTB_MAX_TOKEN) return TTB_ERR_RANGE;
  ttb__balancer joined = *b;
  int32_t row = ttb__rows_join(b->rows, b->threads, token, &joined.mine);
  if (row < 0) return row;
  uint32_t incarnation = ttb__row_incarnation(joined.mine.word);
  joined.row = (uint32_t)row;
  joined.ticket = ttb__ticket_pack(0, 0, joined.row, incarnation & TTB__MAX_PERMIT);
  joined.random = ttb__random_start(b->region->seed, (uint64_t)joined.row << 20 | incarnation);
  joined.turn = joined.left = joined.ticket_next = 0;
  joined.row_state = row_state(b, joined.row);
  joined.plan = ttb__plan_of_row(b, joined.row);
  if (b->flags & TTB__BALANCER_BOUNDED) ttb__bound_begin(&joined);
  joined.owned = 0; /* the memory stays with whoever made it */
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &joined, sizeof joined);
  return TTB_OK;
}

/* Ends all that a row has in flight. */
static void clean(ttb__balancer *b, uint32_t row) {
  ttb__cells_clear(ttb__cell_at(b, 0, row), b->stride, b->capacity);
  if (b->flags & TTB_BALANCER_CHECK_TICKETS) ttb__tickets_clear(b, row);
  ttb__zero_words(row_state(b, row), b->row_bytes);
  if (b->flags & TTB__BALANCER_BOUNDED) ttb__store_rlx(&ttb__bound_of(b, row)->total, 0);
  if (b->algorithm->changed) b->algorithm->changed(b, TTB__NO_SLOT);
}

void ttb__balancer_leave(ttb__balancer *b, ttb__cleaner also, void *ctx) {
  if (ttb__rows_leave(b->rows, &b->mine) < 0) return; /* recovered already */
  clean(b, b->row);
  if (also) also(ctx, b->row);
  (void)ttb__rows_finish(b->rows, &b->mine);
}

/* Who died may have been killed between a word and its bit. */
static void settle_all(ttb__balancer *b) {
  uint64_t bits = 0;
  for (uint32_t slot = 0; slot < b->capacity; slot++) {
    /* newest, both: a plain load may not have seen what the dead one did last. */
    if (slot % 64 == 0) bits = ttb__newest_rlx(&ttb__balancer_bitmap(b)[slot / 64]);
    uint64_t w = ttb__newest_rlx(&ttb__endpoint_at(b, slot)->word);
    if ((bits >> slot % 64 & 1) != ttb__word_eligible(w)) ttb__balancer_settle(b, slot);
  }
  ttb__balancer_changed(b); /* or before it had said so */
}

int32_t ttb_balancer_recover(ttb_balancer *h, uint64_t token) {
  ttb__balancer *b = ttb__balancer_joined(h);
  return b ? ttb__balancer_recover(b, token, NULL, NULL) : TTB_ERR_MISUSE;
}

int32_t ttb__balancer_recover(ttb__balancer *b, uint64_t token, ttb__cleaner also, void *ctx) {
  if (token < 1 || token > TTB_MAX_TOKEN) return TTB_ERR_RANGE;
  uint64_t own = ttb__row_token(b->mine.word);
  if (token == own) return TTB_ERR_MISUSE;

  if (ttb__lock_takeover(&b->table->lock, token, own) == TTB_OK) {
    ttb__balancer_reindex(b);
    ttb__balancer_rebuild(b);
    (void)ttb__lock_unlock(&b->table->lock, own);
  }
  ttb__row row;
  uint32_t cursor = 0;
  int32_t freed = 0;
  while (ttb__rows_recover_next(b->rows, b->threads, token, own, &cursor, &row) >= 0) {
    clean(b, row.index);
    if (also) also(ctx, row.index);
    freed += ttb__rows_finish(b->rows, &row) == TTB_OK;
  }
  settle_all(b);
  if (b->algorithm->changed) b->algorithm->changed(b, TTB__NO_SLOT);
  return freed;
}
