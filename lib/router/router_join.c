/* SPDX-License-Identifier: MIT */
/* Joined threads: a row, its cells, its random sequence. The rules of rows are
 * in ../base/rows.h.
 *
 * I1  A row is freed only after its cells of every node are zero, so a new
 *     owner of the row begins with nothing in flight.
 * I2  The owner lock of a dead process is given back before its rows are: when
 *     recover returns, nothing of it stands in the way. What it left half done
 *     is legal: an unused slot with a new id, a set of which a part is done. */
#include "router.h"

#include <string.h>

/* splitmix64's finisher (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t z) {
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

uint64_t ttb__router_start(uint64_t seed, const ttb__row *row) {
  uint64_t who = (uint64_t)ttb__row_incarnation(row->word) << 8 | row->index;
  return mix(seed + mix(who + 1));
}

int32_t ttb_router_join(const ttb_router *shared, uint64_t token, ttb_router *ret) {
  const ttb__router *r = ttb__router_of(shared);
  if (!r || !ret || ret == shared) return TTB_ERR_MISUSE;
  if (token < 1 || token > TTB_MAX_TOKEN) return TTB_ERR_RANGE;
  ttb__row mine;
  int32_t row = ttb__rows_join(r->rows, r->threads, token, &mine);
  if (row < 0) return row;
  ttb__router joined = *r;
  joined.row = (uint32_t)row;
  joined.mine = mine;
  joined.random = ttb__router_start(r->seed, &mine);
  joined.owned = 0; /* the memory stays with whoever made it */
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &joined, sizeof joined);
  return TTB_OK;
}

static void clear_cells(ttb__router *r, uint32_t row) {
  ttb__cells_clear(&ttb__router_node_at(r, 0)->cell[row], r->stride, r->capacity);
}

void ttb__router_leave(ttb__router *r) {
  if (ttb__rows_leave(r->rows, &r->mine) < 0) return; /* recovered already */
  clear_cells(r, r->row);
  (void)ttb__rows_finish(r->rows, &r->mine);
}

int32_t ttb_router_recover(ttb_router *joined, uint64_t token) {
  ttb__router *r = ttb__router_joined(joined);
  if (!r) return TTB_ERR_MISUSE;
  if (token < 1 || token > TTB_MAX_TOKEN) return TTB_ERR_RANGE;
  uint64_t own = ttb__row_token(r->mine.word);
  if (token == own) return TTB_ERR_MISUSE;
  if (ttb__lock_takeover(&r->table->lock, token, own) == TTB_OK)
    (void)ttb__lock_unlock(&r->table->lock, own);
  ttb__row row;
  uint32_t cursor = 0;
  int32_t freed = 0;
  while (ttb__rows_recover_next(r->rows, r->threads, token, own, &cursor, &row) >= 0) {
    clear_cells(r, row.index);
    freed += ttb__rows_finish(r->rows, &row) == TTB_OK;
  }
  return freed;
}
