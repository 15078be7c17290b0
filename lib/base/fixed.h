/* SPDX-License-Identifier: MIT */
/* Decay without libm: 2^-x in fixed point, the same on every machine, and the
 * moving average built on it.
 *
 *     value(now) = value(then) * 2^-(elapsed / half_life)
 *
 * I1  Q32: 1.0 is 2^32. 2^-0 is exactly 1.0; the result never rises as x does
 *     and is within 2 units of the last place of the exact value.
 * I2  The unit of time is the caller's (ns, ms): half-life and elapsed time
 *     need only be the same. No division on the hot path: a handle keeps
 *     ttb__half_life(h).
 * I3  Its rounding makes k half-lives too long by k * h / 2^64 of one: a part in
 *     five million for an hour in ns. */
#ifndef TTB_LIB_BASE_FIXED_H
#define TTB_LIB_BASE_FIXED_H

#include <stdint.h>

#include "mulhi.h"

#define TTB__ONE (UINT64_C(1) << 32)

/* log2(n) in Q32, n > 0; exact for powers of two. */
uint64_t ttb__log2(uint32_t n);

/* n^(exponent / 2^16) in Q16 for n > 0 and exponents to 8; 2^47 from 2^31 on. */
uint64_t ttb__power(uint32_t n, uint32_t exponent);

/* 2^-(whole + fraction / 2^32) in Q32. */
uint64_t ttb__pow2_neg(uint32_t whole, uint32_t fraction);

/* 2^64 / half_life, for half_life of 2 or more. */
static inline uint64_t ttb__half_life(uint64_t half_life) { return UINT64_MAX / half_life + 1; }

/* What is left of 1.0 after `elapsed`, in Q32. */
static inline uint64_t ttb__decay(uint64_t elapsed, uint64_t half_life_inverse) {
  uint64_t whole = ttb__mulhi(elapsed, half_life_inverse);
  if (whole > 32) return 0;
  return ttb__pow2_neg((uint32_t)whole, (uint32_t)(elapsed * half_life_inverse >> 32));
}

/* The average after a sample: `keep` (Q32, at most 1.0) of the old value, the
 * rest of the sample. Both below 2^48. */
static inline uint64_t ttb__average(uint64_t old, uint64_t sample, uint64_t keep) {
  if (keep >= TTB__ONE) return old;
  if (old >= sample) return sample + ttb__mulhi((old - sample) << 16, keep << 16);
  return sample - ttb__mulhi((sample - old) << 16, keep << 16);
}

#endif
