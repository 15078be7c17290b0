/* SPDX-License-Identifier: MIT */
/* Gradient: Envoy's adaptive concurrency controller.
 *
 *     gradient = least * (1 + buffer) / latency, within 0.5 .. 2
 *     limit = floor(limit * gradient + sqrt(limit * gradient))
 *
 * (source/extensions/filters/http/adaptive_concurrency/controller/
 * gradient_controller.cc; latency is a quantile of a window.) The least latency
 * is measured, not guessed: every `every` ms, later by a random part of it, the
 * limit is held at `min` until so many calls have come back; then the limit goes
 * on from where it was. Five windows in a row at `min` begin a measurement, too.
 *
 *     a = windows at min 3 | limit to go on from 15 | least latency 34
 *     b = measurements 24 | virtual ms of the next 40
 *
 * I1  In a measurement the limit is `min`; its first is before anything else.
 * I2  The limit is a whole number of calls. */
#include "limits.h"

#include "../base/random.h"

#define AT_MIN 5u
#define TIME ((UINT64_C(1) << 40) - 1)

static uint64_t word_a(uint64_t at_min, uint64_t limit, uint64_t least) {
  return at_min << 49 | limit << 34 | least;
}

static uint64_t next_time(const ttb__limit_params *p, const ttb__limit_sample *x, uint64_t count) {
  uint64_t state = p->seed + ((uint64_t)x->slot << 40) + count, spread, later;
  spread = ttb__limit_part(p->u.gradient.every_ms, p->u.gradient.jitter);
  later = ttb__scale32((uint32_t)(ttb__splitmix(&state) >> 32), (uint32_t)spread + 1);
  return (count << 40) | ((x->now_ms + p->u.gradient.every_ms + later) & TIME);
}

/* A measurement may begin, and no jump of the clock puts it off for ever. */
static bool is_time(const ttb__limit_params *p, uint64_t b, uint64_t now_ms) {
  uint64_t left = (b - now_ms) & TIME;
  return left == 0 || left > 2 * (uint64_t)p->u.gradient.every_ms;
}

/* The root of Q32 as Q24, rounded down, bit by bit. x is below 2^48. */
static uint64_t root(uint64_t x) {
  uint64_t r = 0, rest = x << 16;
  for (uint64_t bit = UINT64_C(1) << 62; bit > 0; bit >>= 2) {
    if (rest >= r + bit) rest -= r + bit, r = (r >> 1) + bit;
    else r >>= 1;
  }
  return r;
}

static uint64_t gradient_of(const ttb__limit_params *p, uint64_t least, uint64_t latency) {
  uint64_t allowed = least + ttb__limit_part(least, p->u.gradient.buffer);
  if (allowed >= 2 * latency) return UINT64_C(2) << 28;
  uint64_t g = (allowed << 28) / latency;
  return g > UINT64_C(1) << 27 ? g : UINT64_C(1) << 27;
}

void ttb__limit_gradient(const ttb__limit_params *p, ttb__limit_state *s,
                         const ttb__limit_sample *x) {
  uint64_t at_min = s->a >> 49 & 7, before = s->a >> 34 & 0x7fff;
  uint64_t least = s->a & TTB__LIMIT_LATENCY, limit = s->limit >> 32;
  if (x->latency == 0) return;
  if (s->measuring) {
    s->measuring = false;
    s->a = word_a(0, 0, x->latency);
    s->b = next_time(p, x, (s->b >> 40) + 1);
    s->limit = ttb__limit_clamp(p, before << 32);
    return;
  }
  uint64_t scaled = ttb__limit_times(limit << 32, gradient_of(p, least, x->latency));
  uint64_t next = ttb__limit_clamp(p, (scaled + (root(scaled) << 8)) >> 32 << 32);
  at_min = limit == p->min && next >> 32 == p->min ? at_min + 1 : 0;
  if (at_min >= AT_MIN || is_time(p, s->b, x->now_ms)) {
    s->measuring = true;
    s->a = word_a(0, next >> 32, least);
    s->limit = (uint64_t)p->min << 32;
    return;
  }
  s->a = word_a(at_min, 0, least);
  s->limit = next;
}
