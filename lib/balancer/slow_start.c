/* SPDX-License-Identifier: MIT */
/* Slow start: how much of its share an endpoint gets that has just come (back).
 *
 * Two rules as pure functions. Envoy's (load_balancer_impl.cc, applySlowStartFactor,
 * commit 0d2acde): max((t / window)^(1 / aggression), least), t 1 ms at least.
 * HAProxy's (server.c, server_recalc_eweight, commit 50872da): (16 t + window) / window
 * sixteenths in whole seconds. There the factor is put on the weight, in some
 * algorithms; here it is the chance with which a pick considers the endpoint at all, so
 * that every algorithm has it and no table is built (an endpoint's deadline that was
 * computed with a small weight and kept is how hosts starve: envoyproxy/envoy#24629).
 *
 * I1  What counts is the factor against that of the endpoint that is there longest:
 *     a fleet that starts together starts at full share.
 * I2  When an endpoint began is written by the first who plans a pick after it came
 *     (balancer_plan.c): 0 stands for "not yet". So nobody who adds or marks needs
 *     the time, and a kill leaves a 0, which is right. */
#include "balancer.h"

#define WHOLE 1000000u

/* -log2(t / whole) in Q32, for 0 < t < whole: bit by bit, by squaring. */
static uint64_t minus_log2(uint64_t t, uint64_t whole) {
  uint64_t log = 0;
  /* Scaled to below 2^63, and then to [1/2, 1) of it. */
  while (whole >> 63) whole >>= 1, t >>= 1;
  if (t == 0) t = 1;
  while (whole - t >= t) t <<= 1, log += UINT64_C(1) << 32;
  /* x = t / whole in [1/2, 1) as Q64 */
  uint64_t x = 0, rest = t;
  for (int i = 0; i < 64; i++) {
    rest <<= 1;
    x <<= 1;
    if (rest >= whole) rest -= whole, x |= 1;
  }
  /* Each squaring doubles the logarithm. */
  for (uint32_t bit = 31; bit >= 6; bit--) {
    x = ttb__mulhi(x, x);
    if (x >> 63 == 0) x <<= 1, log += UINT64_C(1) << bit;
  }
  return log;
}

uint32_t ttb__slow_start_ppm(uint64_t elapsed_ns, uint64_t window_ns, uint32_t aggression_ppm,
                             uint32_t min_ppm) {
  if (elapsed_ns >= window_ns) return WHOLE;
  if (elapsed_ns < 1000000) elapsed_ns = 1000000;
  if (elapsed_ns >= window_ns) return WHOLE;
  uint64_t ppm;
  if (aggression_ppm == WHOLE) {
    ppm = window_ns < (UINT64_C(1) << 44) ? elapsed_ns * WHOLE / window_ns
                                          : elapsed_ns / (window_ns / WHOLE);
  } else {
    uint64_t log = minus_log2(elapsed_ns, window_ns);
    /* log < 2^38, so this fits; a millionth of it is lost at the most. */
    uint64_t x = log * WHOLE / aggression_ppm;
    ppm = x >> 32 > 32 ? 0 : ttb__pow2_neg((uint32_t)(x >> 32), (uint32_t)x) * WHOLE >> 32;
  }
  return ppm > min_ppm ? (uint32_t)ppm : min_ppm;
}

uint32_t ttb__slow_start_steps(uint64_t elapsed_ns, uint64_t window_ns) {
  uint64_t t = elapsed_ns / 1000000000, window = window_ns / 1000000000;
  if (window == 0 || t >= window) return 16;
  return (uint32_t)((16 * t + window) / window);
}

int32_t ttb_balancer_slow_start(uint64_t elapsed_ns, uint64_t window_ns, uint32_t aggression_ppm,
                                uint32_t min_ppm) {
  if (aggression_ppm == 0) aggression_ppm = WHOLE;
  if (min_ppm == 0) min_ppm = TTB__SLOW_START_MIN;
  if (window_ns > TTB__MAX_SLOW_START_MS * UINT64_C(1000000) ||
      aggression_ppm < TTB__MIN_AGGRESSION || aggression_ppm > TTB__MAX_AGGRESSION ||
      min_ppm > WHOLE)
    return TTB_ERR_RANGE;
  return (int32_t)ttb__slow_start_ppm(elapsed_ns, window_ns, aggression_ppm, min_ppm);
}

int32_t ttb_balancer_slow_start_steps(uint64_t elapsed_ns, uint64_t window_ns) {
  return (int32_t)ttb__slow_start_steps(elapsed_ns, window_ns);
}

/* ---- in a pick ---- */

static uint32_t factor_of(const ttb__balancer *b, uint64_t began) {
  uint64_t elapsed = began != 0 && b->now > began ? b->now - began : 0;
  uint64_t window = b->slow_start_ms * UINT64_C(1000000);
  if (b->slow_start_rule == TTB_BALANCER_STEPS)
    return ttb__slow_start_steps(elapsed, window) * (WHOLE / 16);
  return ttb__slow_start_ppm(elapsed, window, b->slow_start_aggression, b->slow_start_min);
}

uint32_t ttb__slow_start_share(const ttb__balancer *b, uint32_t slot, uint64_t oldest) {
  uint64_t began = ttb__load_rlx(&ttb__balancer_began(b)[slot]);
  uint64_t window = b->slow_start_ms * UINT64_C(1000000);
  if (began != 0 && b->now > began && b->now - began >= window) return WHOLE;
  uint64_t mine = factor_of(b, began), best = factor_of(b, oldest);
  return mine >= best ? WHOLE : (uint32_t)(mine * WHOLE / best);
}
