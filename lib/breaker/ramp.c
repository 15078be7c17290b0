/* SPDX-License-Identifier: MIT */
/* After closing: not the whole flood at once (asked for in Hystrix#1647). The
 * share of calls that pass grows evenly from ramp_start_ppm to all in ramp_ms:
 *
 *     share(t) = start + (1 - start) * t / ramp_ms
 *
 * Which calls pass is no matter of chance: the n-th passes if the n-th point of
 * a Weyl sequence (multiples of the golden ratio, modulo 1; H. Weyl 1916) lies
 * below the share. Its points are as even as can be: of any k calls in a row
 * the share pass, give or take a few, and no period of the callers meets one of
 * ours.
 *
 * I1  n is counted in the word `round`, which a closed breaker does not need
 *     otherwise: a read-modify-write a call, while the ramp lasts.
 * I2  It begins at a point of its own for each seed, slot and generation. */
#include "breaker.h"

#include "../base/mulhi.h"

bool ttb__breaker_ramp_passes(const ttb__breaker *b, const ttb__breaker_slot *s, uint32_t gen,
                              uint64_t n, uint64_t closed_ms) {
  if (closed_ms >= b->ramp_ms) return true;
  uint64_t share = b->ramp_start_ppm + (1000000 - b->ramp_start_ppm) * closed_ms / b->ramp_ms;
  uint64_t point = ttb__breaker_draw(b, s, gen) + (n & (TTB__ROUND_IS_RAMP - 1)) * UINT64_C(0x9e3779b97f4a7c15);
  return ttb__mulhi(point, 1000000) < share;
}
