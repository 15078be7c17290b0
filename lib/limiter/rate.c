/* SPDX-License-Identifier: MIT */
/* Rate: the generic cell rate algorithm in one word.
 *
 * ITU-T I.371, the virtual scheduling form. The word is the "theoretical arrival
 * time": when the key would be idle again if nothing more came. An event moves
 * it on by one interval and passes if it then is at most a burst of intervals
 * ahead of now. This equals a bucket of `burst` tokens that fills at the rate.
 *
 * I1  Time is virtual (../base/clock.h) in 1/256 ns, modulo 2^64: 2.28 years.
 *     The interval is rounded up, so the rate is never exceeded.
 * I2  More than a burst (and a caller's lag) ahead of now means idle: the word
 *     is 0, older than 1.14 years, or somebody scribbled. Only in the last days
 *     of those 2.28 years an idle key could be refused, for its burst's length.
 * I3  Time that stands still, or is late, grants nothing. */
#include "limiter.h"

#define LAG (TTB__LIMITER_LAG_MS * 256000000)

static uint64_t stride(const ttb_limiter_config *c) {
  (void)c;
  return 8;
}

static void open(ttb__limiter *l, const ttb_limiter_config *c) {
  l->max_ask = c->burst < TTB__MAX_PERMIT ? c->burst : TTB__MAX_PERMIT;
  l->u.rate.interval = ttb__limiter_interval(c->rate, c->period_ms);
  l->u.rate.horizon = l->u.rate.interval * c->burst;
}

/* Virtual time finer than its milliseconds. While it stands still the fraction
 * runs on, by less than one. */
static uint64_t fine(uint64_t now_ms, uint64_t now_ns) {
  return (now_ms * 1000000 + now_ns % 1000000) * 256;
}

/* How far the key is from idle. */
static uint64_t ahead_of(const ttb__limiter *l, uint64_t w, uint64_t now) {
  uint64_t ahead = w - now;
  return ahead <= l->u.rate.horizon + LAG ? ahead : 0;
}

static int64_t acquire(ttb__limiter *l, void *slot, uint32_t number, uint32_t ask,
                       uint64_t now_ns) {
  ttb__a64 *word = slot;
  uint32_t events = ask > 0 ? ask : 1;
  uint64_t cost = events * l->u.rate.interval;
  uint64_t now = fine(ttb__limiter_clock(l, now_ns), now_ns), w = ttb__load_rlx(word), ahead;
  do {
    ahead = ahead_of(l, w, now) + cost;
    if (ahead > l->u.rate.horizon) return TTB_LIMIT;
  } while (!ttb__cas_rlx(word, &w, now + ahead));
  return ttb__ticket_pack(number, TTB_LIMITER_RATE, l->row, events);
}

static int32_t report(ttb__limiter *l, void *slot, ttb__ticket t, int32_t outcome,
                      uint64_t now_ns) {
  ttb__a64 *word = slot;
  if (t.gen != TTB_LIMITER_RATE || t.permit == 0 || t.permit > l->max_ask) return TTB_STALE;
  if (outcome != TTB_CANCELLED) return TTB_OK;
  uint64_t cost = t.permit * l->u.rate.interval;
  uint64_t now = fine(ttb__limiter_clock(l, now_ns), now_ns), w = ttb__load_rlx(word), ahead;
  do {
    ahead = ahead_of(l, w, now);
    if (ahead == 0) return TTB_OK; /* the time has given it back already */
  } while (!ttb__cas_rlx(word, &w, now + (ahead > cost ? ahead - cost : 0)));
  return TTB_OK;
}

static int32_t look(const ttb__limiter *l, void *slot, uint32_t ask, uint64_t now_ns,
                    ttb_limiter_info *ret) {
  const ttb__a64 *word = slot;
  uint64_t cost = (ask > 0 ? ask : 1) * l->u.rate.interval, horizon = l->u.rate.horizon;
  uint64_t now = fine(ttb__clock_peek(&l->region->clock, now_ns), now_ns);
  uint64_t ahead = ahead_of(l, ttb__load_rlx(word), now);
  if (ahead + cost <= horizon) {
    ret->available = (uint32_t)((horizon - ahead) / l->u.rate.interval);
    return TTB_OK;
  }
  if (ahead < horizon) ret->available = (uint32_t)((horizon - ahead) / l->u.rate.interval);
  ret->retry_after_ns = (int64_t)((ahead + cost - horizon + 255) / 256);
  return TTB_LIMIT;
}

/* The bucket is full again: nobody could tell it from a new one. */
static bool idle(const ttb__limiter *l, const void *slot, uint64_t now_ns) {
  const ttb__a64 *word = slot;
  uint64_t now = fine(ttb__clock_look(&l->region->clock, now_ns), now_ns);
  return ahead_of(l, ttb__load_rlx(word), now) == 0;
}

const ttb__limiter_kind ttb__limiter_rate = {
    stride, open, acquire, report, look, NULL, idle, NULL};
