/* SPDX-License-Identifier: MIT */
/* Looking at a limiter without touching it: peek, explain, holders, statistics.
 *
 * I1  peek and explain read the same words by the same function as each other,
 *     and change none: not even the clock's. */
#include "limiter.h"

static int32_t look(const ttb_limiter *h, uint32_t slot, uint32_t ask, uint64_t now_ns,
                    ttb_limiter_info *ret, int32_t *ret_code) {
  const ttb__limiter *l = ttb__limiter_of(h);
  if (!l) return TTB_ERR_MISUSE;
  if (slot >= l->capacity || ask > l->max_ask) return TTB_ERR_RANGE;
  *ret = (ttb_limiter_info){.kind = l->number};
  *ret_code = l->kind->look(l, ttb__limiter_slot_at(l, slot), ask, now_ns, ret);
  return TTB_OK;
}

int32_t ttb_limiter_peek(const ttb_limiter *h, uint32_t slot, uint32_t ask, uint64_t now_ns) {
  ttb_limiter_info i;
  int32_t would, code = look(h, slot, ask, now_ns, &i, &would);
  return code < 0 ? code : would;
}

int32_t ttb_limiter_explain(const ttb_limiter *h, uint32_t slot, uint32_t ask, uint64_t now_ns,
                            ttb_limiter_info *ret) {
  ttb_limiter_info i;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t would, code = look(h, slot, ask, now_ns, &i, &would);
  return code < 0 ? code : ttb__struct_write(&ttb__limiter_info_fields, &i, ret);
}

/* The process of a row: 0 (nobody) if it is being cleaned up. */
static uint64_t process_of(const ttb__limiter *l, uint32_t row) {
  uint64_t word = row < l->threads ? ttb__load_rlx(&l->rows->row[row]) : 0;
  return ttb__row_state(word) == TTB__ROW_LIVE ? ttb__row_token(word) : 0;
}

int32_t ttb_limiter_holders(const ttb_limiter *h, uint32_t slot, uint64_t now_ns,
                            uint64_t *ret_tokens, uint32_t *ret_held, uint32_t n) {
  const ttb__limiter *l = ttb__limiter_of(h);
  if (!l || (n > 0 && (!ret_tokens || !ret_held))) return TTB_ERR_MISUSE;
  if (slot >= l->capacity) return TTB_ERR_RANGE;
  uint64_t token[TTB__NO_ROW];
  uint32_t held[TTB__NO_ROW] = {0}, found = 0; /* rows 0..253, and nobody */
  if (l->kind->count) l->kind->count(l, ttb__limiter_slot_at(l, slot), now_ns, held);
  for (uint32_t row = 0; row <= l->threads; row++) {
    if (held[row] == 0) continue;
    uint64_t of = process_of(l, row);
    uint32_t sum = held[row], i = 0;
    while (i < found && token[i] != of) i++; /* threads of one process are one */
    if (i < found) sum += held[i]; /* found <= row: that place has been read */
    else found++;
    token[i] = of, held[i] = sum;
  }
  for (uint32_t i = 0; i < found && i < n; i++) ret_tokens[i] = token[i], ret_held[i] = held[i];
  return (int32_t)found;
}

int32_t ttb_limiter_statistics(const ttb_limiter *h, ttb_limiter_stats *ret) {
  const ttb__limiter *l = ttb__limiter_of(h);
  if (!l || !ret) return TTB_ERR_MISUSE;
  ttb_limiter_stats s = {.capacity = l->capacity, .kind = l->number};
  for (uint32_t i = 0; i < l->threads; i++)
    s.joined += ttb__row_state(ttb__load_rlx(&l->rows->row[i])) == TTB__ROW_LIVE;
  s.refused = ttb__load_rlx(&l->table->refused);
  s.stale = ttb__load_rlx(&l->table->stale);
  s.clock_adoptions = ttb__load_rlx(&l->region->clock.adoptions);
  return ttb__struct_write(&ttb__limiter_stats_fields, &s, ret);
}
