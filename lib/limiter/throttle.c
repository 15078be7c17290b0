/* SPDX-License-Identifier: MIT */
/* Throttle: refuse a share of the calls while the other side refuses.
 *
 * The formula of the Google SRE book (chapter 21, "Handling Overload") with
 * K = 1 / accept, which with its root and its cap is Envoy's admission control
 * and failsafe-go's throttler, too. A refusal counts as a request, as in the
 * book; Envoy counts only what it sent.
 *
 * I1  The draw is a mix of the seed, the slot and a count of draws, so that one
 *     seed and one serial history give the same decisions. A healthy slot draws
 *     nothing and writes nothing in acquire.
 * I2  A call counts when it is reported: a caller killed before takes one
 *     outcome with it. */
#include "limiter.h"

#include "../base/fixed.h"
#include "../base/random.h"
#include "turns.h"

#define WHOLE 1000000u /* accepts are a part of the requests: halved with them */

typedef struct throttle_slot {
  ttb__a64 bucket[TTB__TURNS];
  ttb__a64 draws;
} throttle_slot;

/* The a-th root of p, both Q32, p below 1. */
static uint64_t root_of(uint64_t p, uint32_t a) {
  uint64_t root = 0;
  for (uint64_t bit = TTB__ONE / 2; bit > 0; bit /= 2) {
    uint64_t power = root | bit;
    for (uint32_t i = 1; i < a; i++) power = power * (root | bit) >> 32;
    if (power <= p) root |= bit;
  }
  return root;
}

/* All arguments in range: requests below 2^40, accept_ppm 1000..10^6. */
static int32_t reject_ppm(uint64_t requests, uint64_t accepts, int32_t accept_ppm,
                          uint32_t aggression, int32_t max_reject_ppm) {
  uint64_t asked = requests * (uint64_t)accept_ppm;
  if (accepts >= requests || accepts * 1000000 >= asked) return 0;
  uint64_t over = asked - accepts * 1000000, of = (requests + 1) * (uint64_t)accept_ppm;
  while (of >= TTB__ONE) of >>= 1, over >>= 1;
  uint64_t p = (over << 32) / of;
  if (p >= TTB__ONE) return max_reject_ppm;
  if (aggression > 1) p = root_of(p, aggression);
  int32_t ppm = (int32_t)((p * 1000000 + TTB__ONE / 2) >> 32);
  return ppm < max_reject_ppm ? ppm : max_reject_ppm;
}

int32_t ttb_limiter_reject_ppm(uint64_t requests, uint64_t accepts, int32_t accept_ppm,
                               uint32_t aggression, int32_t max_reject_ppm) {
  if (requests >> 40 != 0 || accept_ppm < 1000 || accept_ppm > 1000000 || aggression < 1 ||
      aggression > 8 || max_reject_ppm < 1 || max_reject_ppm > 1000000)
    return TTB_ERR_RANGE;
  return reject_ppm(requests, accepts, accept_ppm, aggression, max_reject_ppm);
}

static uint64_t stride(const ttb_limiter_config *c) {
  (void)c;
  return ttb__round64(sizeof(throttle_slot));
}

static void open(ttb__limiter *l, const ttb_limiter_config *c) {
  l->max_ask = 0;
  l->u.throttle.inverse = ttb__turns_inverse(c->window_ms);
  l->u.throttle.seed = c->seed;
  l->u.throttle.accept_ppm = c->accept_ppm;
  l->u.throttle.max_reject_ppm = c->max_reject_ppm;
  l->u.throttle.aggression = c->aggression;
  l->u.throttle.min_requests = c->min_requests;
}

/* Below 1, as the formula is before it is rounded: refusals are requests, so if
 * none passed there would be no accept ever again. */
static int32_t probability(const ttb__limiter *l, ttb__turns c) {
  if (c.all < l->u.throttle.min_requests) return 0;
  int32_t ppm = reject_ppm(c.all, c.some, l->u.throttle.accept_ppm, l->u.throttle.aggression,
                           l->u.throttle.max_reject_ppm);
  return ppm < 1000000 ? ppm : 999999;
}

/* 0..999999, from how many draws this slot has seen. */
static uint32_t draw(const ttb__limiter *l, throttle_slot *s, uint32_t number) {
  uint64_t state = l->u.throttle.seed + ((uint64_t)number << 40);
  state = ttb__splitmix(&state) ^ ttb__add_rlx(&s->draws, 1);
  return ttb__scale32((uint32_t)(ttb__splitmix(&state) >> 32), 1000000);
}

static int64_t acquire(ttb__limiter *l, void *slot, uint32_t number, uint32_t ask,
                       uint64_t now_ns) {
  throttle_slot *s = slot;
  (void)ask;
  uint32_t turn = ttb__turns_now(l->u.throttle.inverse, ttb__limiter_clock(l, now_ns));
  int32_t ppm = probability(l, ttb__turns_sum(s->bucket, turn));
  if (ppm > 0 && draw(l, s, number) < (uint32_t)ppm) {
    ttb__turns_add(s->bucket, turn, 1, 0, WHOLE);
    return TTB_THROTTLED;
  }
  return ttb__ticket_pack(number, TTB_LIMITER_THROTTLE, l->row, 0);
}

static int32_t report(ttb__limiter *l, void *slot, ttb__ticket t, int32_t outcome,
                      uint64_t now_ns) {
  throttle_slot *s = slot;
  if (t.gen != TTB_LIMITER_THROTTLE || t.permit != 0) return TTB_STALE;
  if (outcome >= TTB_IGNORED) return TTB_OK;
  uint32_t turn = ttb__turns_now(l->u.throttle.inverse, ttb__limiter_clock(l, now_ns));
  ttb__turns_add(s->bucket, turn, 1, outcome != TTB_FAILURE, WHOLE);
  return TTB_OK;
}

static int32_t look(const ttb__limiter *l, void *slot, uint32_t ask, uint64_t now_ns,
                    ttb_limiter_info *ret) {
  const throttle_slot *s = slot;
  (void)ask;
  uint64_t now_ms = ttb__clock_peek(&l->region->clock, now_ns);
  ttb__turns c = ttb__turns_sum(s->bucket, ttb__turns_now(l->u.throttle.inverse, now_ms));
  ret->requests = c.all;
  ret->accepts = c.some;
  ret->reject_ppm = probability(l, c);
  return TTB_OK;
}

static bool idle(const ttb__limiter *l, const void *slot, uint64_t now_ns) {
  const throttle_slot *s = slot;
  uint64_t now_ms = ttb__clock_look(&l->region->clock, now_ns);
  return ttb__turns_sum(s->bucket, ttb__turns_now(l->u.throttle.inverse, now_ms)).all == 0;
}

const ttb__limiter_kind ttb__limiter_throttle = {
    stride, open, acquire, report, look, NULL, idle, NULL};
