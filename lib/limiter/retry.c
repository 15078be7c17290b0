/* SPDX-License-Identifier: MIT */
/* Retry budgets: a share of the calls (finagle, tower), or tokens (gRPC A6).
 *
 *     balance = reserve + ratio * first attempts - 1 * retries     of the window
 *
 * finagle's RetryBudget and tower's TpsBudget count in scaled tokens; here both
 * counts stand in the buckets and the ratio is applied to their sum, so any
 * ratio is exact to the millionth (tower's 1 / 0.3 becomes 3). gRPC's tokens are
 * one word that holds what is missing of the full number: 0 is untouched, and a
 * success then writes nothing.
 *
 * I1  A retry is taken by a swap of the newest bucket from the word that was
 *     summed: of callers in one turn, none overdraws. Callers of two turns at
 *     the very moment it changes may, by one retry each.
 * I2  However many there are, no more pass than the balance says: near the top of a
 *     bucket calls are forgotten sooner than the retries they paid for (turns.h).
 * I3  The word of tokens stays within 0 .. full by its own swaps; what somebody
 *     scribbles beyond is read as full (none left). */
#include "limiter.h"
#include "turns.h"

#define ONE 1000000 /* one retry, one token */
#define FIRST 1u    /* a ticket's permit: what acquire took */
#define RETRY 2u

/* ---- a share of the calls ---- */

static uint64_t stride(const ttb_limiter_config *c) {
  (void)c;
  return 8 * TTB__TURNS;
}

static void open(ttb__limiter *l, const ttb_limiter_config *c) {
  l->max_ask = UINT32_MAX;
  l->u.retry.inverse = ttb__turns_inverse(c->window_ms);
  l->u.retry.ratio_ppm = c->ratio_ppm > 0 ? (uint32_t)c->ratio_ppm : 0;
  l->u.retry.reserve_ppm =
      c->per_second > 0 ? (int64_t)c->per_second * c->window_ms * (ONE / 1000) : 0;
}

static int64_t balance_of(const ttb__limiter *l, ttb__turns c) {
  return l->u.retry.reserve_ppm + (int64_t)c.all * l->u.retry.ratio_ppm - (int64_t)c.some * ONE;
}

static int64_t acquire(ttb__limiter *l, void *slot, uint32_t number, uint32_t ask,
                       uint64_t now_ns) {
  ttb__a64 *buckets = slot;
  uint32_t turn = ttb__turns_now(l->u.retry.inverse, ttb__limiter_clock(l, now_ns));
  uint32_t gen = turn & TTB__GEN_MASK;
  if (ask == 0) {
    ttb__turns_add(buckets, turn, 1, 0, l->u.retry.ratio_ppm);
    return ttb__ticket_pack(number, gen, l->row, FIRST);
  }
  ttb__a64 *b = &buckets[turn % TTB__TURNS];
  uint64_t w = ttb__load_rlx(b), next;
  do {
    if (balance_of(l, ttb__turns_sum(buckets, turn)) < ONE) return TTB_LIMIT;
    next = ttb__turns_after(w, turn, 0, 1, l->u.retry.ratio_ppm);
    if (next == 0) return TTB_LIMIT; /* its time has left the window, or the bucket is full */
  } while (!ttb__cas_rlx(b, &w, next));
  return ttb__ticket_pack(number, gen, l->row, RETRY);
}

/* Takes back what a cancelled attempt put into its bucket, if that still counts. */
static void take_back(ttb__a64 *b, uint32_t gen, uint32_t kind) {
  uint64_t w = ttb__load_rlx(b), one = ttb__turns_one(kind == FIRST, kind == RETRY);
  do {
    if ((ttb__turns_turn(w) & TTB__GEN_MASK) != gen) return;
    if ((kind == FIRST ? ttb__turns_all(w) : ttb__turns_some(w)) == 0) return;
  } while (!ttb__cas_rlx(b, &w, w - one));
}

static int32_t report(ttb__limiter *l, void *slot, ttb__ticket t, int32_t outcome,
                      uint64_t now_ns) {
  ttb__a64 *buckets = slot;
  (void)l, (void)now_ns;
  if (t.permit != FIRST && t.permit != RETRY) return TTB_STALE;
  if (outcome == TTB_CANCELLED) take_back(&buckets[t.gen % TTB__TURNS], t.gen, t.permit);
  return TTB_OK;
}

/* What a balance is worth to an attempt. */
static int32_t judge(int64_t balance, int64_t least, uint32_t ask, ttb_limiter_info *ret) {
  ret->balance_ppm = balance;
  if (ask == 0) {
    ret->available = UINT32_MAX;
    return TTB_OK;
  }
  int64_t n = balance >= least ? (balance - least) / ONE + 1 : 0;
  ret->available = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
  if (n > 0) return TTB_OK;
  ret->retry_after_ns = -1;
  return TTB_LIMIT;
}

static int32_t look(const ttb__limiter *l, void *slot, uint32_t ask, uint64_t now_ns,
                    ttb_limiter_info *ret) {
  const ttb__a64 *buckets = slot;
  uint32_t turn = ttb__turns_now(l->u.retry.inverse, ttb__clock_peek(&l->region->clock, now_ns));
  ttb__turns c = ttb__turns_sum(buckets, turn);
  ret->requests = c.all;
  ret->accepts = c.some;
  int32_t code = judge(balance_of(l, c), ONE, ask, ret);
  uint64_t w = ttb__load_rlx(&buckets[turn % TTB__TURNS]);
  if (ask == 0 || ttb__turns_after(w, turn, 0, 1, l->u.retry.ratio_ppm) != 0) return code;
  ret->available = 0; /* no room for one more in this bucket */
  ret->retry_after_ns = -1;
  return TTB_LIMIT;
}

static bool idle(const ttb__limiter *l, const void *slot, uint64_t now_ns) {
  uint64_t now_ms = ttb__clock_look(&l->region->clock, now_ns);
  ttb__turns c = ttb__turns_sum(slot, ttb__turns_now(l->u.retry.inverse, now_ms));
  return c.all == 0 && c.some == 0;
}

const ttb__limiter_kind ttb__limiter_retry = {
    stride, open, acquire, report, look, NULL, idle, NULL};

/* ---- tokens ---- */

static uint64_t tokens_stride(const ttb_limiter_config *c) {
  (void)c;
  return 8;
}

static void tokens_open(ttb__limiter *l, const ttb_limiter_config *c) {
  l->max_ask = UINT32_MAX;
  l->u.tokens.full = (uint64_t)c->tokens * ONE;
  l->u.tokens.ratio_ppm = c->ratio_ppm > 0 ? (uint32_t)c->ratio_ppm : 0;
}

static uint64_t tokens_left(const ttb__limiter *l, uint64_t missing) {
  return missing < l->u.tokens.full ? l->u.tokens.full - missing : 0;
}

static int64_t tokens_acquire(ttb__limiter *l, void *slot, uint32_t number, uint32_t ask,
                              uint64_t now_ns) {
  const ttb__a64 *word = slot;
  (void)now_ns;
  if (ask > 0 && tokens_left(l, ttb__load_rlx(word)) <= l->u.tokens.full / 2) return TTB_LIMIT;
  return ttb__ticket_pack(number, TTB_LIMITER_RETRY_TOKENS, l->row, 0);
}

static int32_t tokens_report(ttb__limiter *l, void *slot, ttb__ticket t, int32_t outcome,
                             uint64_t now_ns) {
  ttb__a64 *word = slot;
  (void)now_ns;
  if (t.gen != TTB_LIMITER_RETRY_TOKENS || t.permit != 0) return TTB_STALE;
  if (outcome >= TTB_IGNORED) return TTB_OK;
  uint64_t w = ttb__load_rlx(word), next, full = l->u.tokens.full, ratio = l->u.tokens.ratio_ppm;
  do {
    uint64_t missing = w < full ? w : full;
    if (outcome == TTB_FAILURE) next = missing + ONE < full ? missing + ONE : full;
    else next = missing > ratio ? missing - ratio : 0;
  } while (next != w && !ttb__cas_rlx(word, &w, next));
  return TTB_OK;
}

/* A passing retry takes no token itself, only its failure does; so `available`
 * is how many of them may fail before the next is refused. */
static int32_t tokens_look(const ttb__limiter *l, void *slot, uint32_t ask, uint64_t now_ns,
                           ttb_limiter_info *ret) {
  const ttb__a64 *word = slot;
  (void)now_ns;
  uint64_t left = tokens_left(l, ttb__load_rlx(word));
  return judge((int64_t)left, (int64_t)(l->u.tokens.full / 2 + 1), ask, ret);
}

static bool tokens_idle(const ttb__limiter *l, const void *slot, uint64_t now_ns) {
  (void)l, (void)now_ns;
  return ttb__load_rlx((const ttb__a64 *)slot) == 0;
}

const ttb__limiter_kind ttb__limiter_retry_tokens = {
    tokens_stride, tokens_open, tokens_acquire, tokens_report, tokens_look, NULL, tokens_idle,
    NULL};
