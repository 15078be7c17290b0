/* SPDX-License-Identifier: MIT */
/* Concurrent retry budget: retries in flight at most a share of what is.
 *
 *     a retry passes while    retries < max(min_retries, floor(budget * calls))
 *
 * Envoy's RetryBudgetImpl (source/common/upstream/resource_manager_impl.h) with
 * its defaults, 20 % and 3; calls are all that are in flight, retries among them.
 *
 *     cell = incarnation of the row 16 | retries 24 | calls 24
 *
 * I1  Each joined row has a cell of its own, what never joined shares one; the
 *     budget looks at their sum. A cell is one word, so a call is counted whole
 *     or not at all, and zeroing the cell of a dead row settles all.
 * I2  A cell speaks of the row's incarnation in it only: a late report of an
 *     earlier one is stale, a new owner begins at 0.
 * I3  The sum is no snapshot: retries that ask at the same moment may overshoot
 *     by as many as there are at it, as in Envoy. */
#include "limiter.h"

#define FIELD 24
#define MOST ((UINT64_C(1) << FIELD) - 1)
#define FIRST 1u /* a ticket's permit, and what it adds to a cell */
#define RETRY 2u

static uint64_t one_of(uint32_t kind) {
  return kind == RETRY ? (UINT64_C(1) << FIELD) + 1 : 1;
}
static uint64_t calls_of(uint64_t w) { return w & MOST; }
static uint64_t retries_of(uint64_t w) { return w >> FIELD & MOST; }
static uint64_t empty(uint32_t incarnation) { return (uint64_t)incarnation << 48; }

static uint64_t stride(const ttb_limiter_config *c) {
  return ttb__round64(8 * ((uint64_t)c->threads + 1));
}

static void open(ttb__limiter *l, const ttb_limiter_config *c) {
  l->max_ask = UINT32_MAX;
  l->u.concurrent.budget_ppm = c->budget_ppm > 0 ? (uint32_t)c->budget_ppm : 0;
  l->u.concurrent.min_retries = c->min_retries > 0 ? (uint32_t)c->min_retries : 0;
}

typedef struct in_flight {
  uint64_t calls, retries;
} in_flight;

static in_flight sum_of(const ttb__limiter *l, const ttb__a64 *cells) {
  uint64_t w = ttb__load_rlx(&cells[l->threads]); /* of those that never joined */
  in_flight sum = {calls_of(w), retries_of(w)};
  uint32_t active = ttb__rows_active(l->rows, l->threads);
  for (uint32_t i = 0; i < active; i++) {
    w = ttb__load_rlx(&cells[i]);
    sum.calls += calls_of(w), sum.retries += retries_of(w);
  }
  return sum;
}

static uint64_t most_retries(const ttb__limiter *l, uint64_t calls) {
  uint64_t share = ttb__limit_part(calls, l->u.concurrent.budget_ppm);
  return share > l->u.concurrent.min_retries ? share : l->u.concurrent.min_retries;
}

/* How many retries pass in a row: each is a call more, of which a share is theirs.
 * The next passes while retries + 1 <= budget * calls, both one more each time. */
static uint32_t in_a_row(const ttb__limiter *l, in_flight now) {
  uint64_t ppm = l->u.concurrent.budget_ppm, least = l->u.concurrent.min_retries, n = 0;
  uint64_t may = now.calls * ppm, must = (now.retries + 1) * TTB__LIMIT_PPM;
  if (may >= must && ppm == TTB__LIMIT_PPM) return UINT32_MAX;
  if (may >= must) n = (may - must) / (TTB__LIMIT_PPM - ppm) + 1;
  if (least > now.retries && least - now.retries > n) n = least - now.retries;
  return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static int64_t acquire(ttb__limiter *l, void *slot, uint32_t number, uint32_t ask,
                       uint64_t now_ns) {
  ttb__a64 *cells = slot;
  (void)now_ns;
  if (ask > 0) {
    in_flight now = sum_of(l, cells);
    if (now.retries >= most_retries(l, now.calls)) return TTB_LIMIT;
  }
  bool joined = l->row != TTB__NO_ROW;
  uint32_t gen = joined ? ttb__row_incarnation(l->mine.word) : 0, kind = ask > 0 ? RETRY : FIRST;
  ttb__a64 *cell = &cells[joined ? l->row : l->threads];
  uint64_t w = ttb__load_rlx(cell), base;
  do {
    base = w >> 48 == (gen & 0xffff) ? w : empty(gen);
    if (calls_of(base) == MOST) return TTB_LIMIT;
  } while (!ttb__cas_rlx(cell, &w, base + one_of(kind)));
  return ttb__ticket_pack(number, gen, l->row, kind);
}

static int32_t report(ttb__limiter *l, void *slot, ttb__ticket t, int32_t outcome,
                      uint64_t now_ns) {
  ttb__a64 *cells = slot;
  (void)outcome, (void)now_ns;
  if (t.permit != FIRST && t.permit != RETRY) return TTB_STALE;
  if (t.row != TTB__NO_ROW && t.row >= l->threads) return TTB_STALE;
  ttb__a64 *cell = &cells[t.row != TTB__NO_ROW ? t.row : l->threads];
  uint64_t w = ttb__load_rlx(cell);
  do {
    if (w >> 48 != (t.gen & 0xffff) || calls_of(w) == 0) return TTB_STALE;
    if (t.permit == RETRY ? retries_of(w) == 0 : calls_of(w) == retries_of(w)) return TTB_STALE;
  } while (!ttb__cas_rlx(cell, &w, w - one_of(t.permit)));
  return TTB_OK;
}

static int32_t look(const ttb__limiter *l, void *slot, uint32_t ask, uint64_t now_ns,
                    ttb_limiter_info *ret) {
  in_flight now = sum_of(l, slot);
  uint64_t most = most_retries(l, now.calls);
  (void)now_ns;
  ret->requests = now.calls;
  ret->accepts = now.retries;
  ret->in_use = (uint32_t)now.calls;
  ret->limit = (uint32_t)most;
  ret->available = ask == 0 ? UINT32_MAX : in_a_row(l, now);
  if (ret->available > 0) return TTB_OK;
  ret->retry_after_ns = -1;
  return TTB_LIMIT;
}

static void count(const ttb__limiter *l, void *slot, uint64_t now_ns, uint32_t *held) {
  const ttb__a64 *cells = slot;
  (void)now_ns;
  for (uint32_t i = 0; i <= l->threads; i++) held[i] += (uint32_t)calls_of(ttb__load_rlx(&cells[i]));
}

static void give_all(const ttb__limiter *l, void *slot, uint32_t row) {
  ttb__a64 *cells = slot;
  (void)l;
  ttb__store_rlx(&cells[row], 0);
}

const ttb__limiter_kind ttb__limiter_concurrent = {
    stride, open, acquire, report, look, give_all, NULL, count};
