/* SPDX-License-Identifier: MIT */
/* IEEE 754 double to the bit, also where double is not.
 *
 * Some decisions are defined by another program's double arithmetic and show
 * its last bit (0.07 * 100 is above 7, so its ceil is 8). Where every operation
 * of this machine rounds to double, ttb__fp is a double; elsewhere (x87, which
 * computes wider; -ffast-math) it is the same bits computed with integers. The
 * answers are equal, which tests/unit/base/test_fp.c checks operation by
 * operation; so plain `cc -std=c11` decides the same on i386.
 *
 * I1  Values are finite and not negative; callers keep the sign. Neither
 *     subnormal nor infinite results can come of int64 operands.
 * I2  Each function rounds once, to nearest, ties to even, and nothing is
 *     contracted: no function multiplies and adds.
 *
 * Files that need more of double than this may do so if TTB__FP_EXACT is 1. */
#ifndef TTB_LIB_BASE_FP_H
#define TTB_LIB_BASE_FP_H

#include <float.h>
#include <stdbool.h>
#include <stdint.h>

#include "mulhi.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

/* 0 and 1: double is double; 16: narrower types are promoted to _Float16. */
#if (FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 16) && \
    !defined(__FAST_MATH__) && !defined(TTB__FP_INTEGER)
#define TTB__FP_EXACT 1
#else
#define TTB__FP_EXACT 0
#endif

/* ---- with integers: the bits of a double in a uint64_t ---- */

#define TTB__SOFT_ONE (UINT64_C(1023) << 52)

static inline uint64_t ttb__soft_mantissa(uint64_t x) {
  return (x & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
}
/* x = mantissa * 2^exponent */
static inline int32_t ttb__soft_exponent(uint64_t x) { return (int32_t)(x >> 52) - 1075; }

/* m * 2^e, rounded; more says that there is something below m's last bit (then
 * m has at least 55 bits). */
static inline uint64_t ttb__soft_round(uint64_t m, int32_t e, bool more) {
  if (m == 0) return 0;
  while (!(m >> 63)) m <<= 1, e--;
  uint64_t low = m & 0x7ff;
  m >>= 11, e += 11;
  if (low > 0x400 || (low == 0x400 && (more || (m & 1)))) m++;
  /* A carry out of the mantissa moves into the exponent by itself. */
  return ((uint64_t)(uint32_t)(e + 1075) << 52) + (m - (UINT64_C(1) << 52));
}

static inline uint64_t ttb__soft_int(uint64_t n) { return ttb__soft_round(n, 0, false); }

static inline uint64_t ttb__soft_mul(uint64_t a, uint64_t b) {
  if (a == 0 || b == 0) return 0;
  uint64_t ma = ttb__soft_mantissa(a) << 11, mb = ttb__soft_mantissa(b) << 11;
  return ttb__soft_round(ttb__mulhi(ma, mb),
                         ttb__soft_exponent(a) + ttb__soft_exponent(b) - 22 + 64, ma * mb != 0);
}

/* Long division, eleven bits a step. b is not 0. */
static inline uint64_t ttb__soft_div(uint64_t a, uint64_t b) {
  if (a == 0) return 0;
  uint64_t rest = ttb__soft_mantissa(a), mb = ttb__soft_mantissa(b), q = rest / mb;
  rest %= mb;
  for (int i = 0; i < 5; i++) {
    rest <<= 11;
    q = q << 11 | rest / mb;
    rest %= mb;
  }
  return ttb__soft_round(q, ttb__soft_exponent(a) - ttb__soft_exponent(b) - 55, rest != 0);
}

/* a + b, or a - b; a is not below b. */
static inline uint64_t ttb__soft_sum(uint64_t a, uint64_t b, bool minus) {
  if (b == 0) return a;
  int32_t apart = ttb__soft_exponent(a) - ttb__soft_exponent(b);
  uint64_t ma = ttb__soft_mantissa(a) << 10, mb = ttb__soft_mantissa(b) << 10;
  uint64_t shifted = apart > 63 ? 0 : mb >> apart;
  bool lost = apart > 63 || (shifted << apart) != mb;
  uint64_t m = minus ? ma - shifted - lost : ma + shifted;
  return ttb__soft_round(m, ttb__soft_exponent(a) - 10, lost);
}

/* To an integer, up or down; more than INT64_MAX is INT64_MAX. */
static inline int64_t ttb__soft_to_int(uint64_t x, bool up) {
  if (x == 0) return 0;
  uint64_t m = ttb__soft_mantissa(x);
  int32_t e = ttb__soft_exponent(x);
  if (e > 10) return INT64_MAX;
  if (e >= 0) return (int64_t)(m << e);
  if (e < -52) return up;
  uint64_t whole = m >> -e;
  return (int64_t)(whole + (up && whole << -e != m));
}

/* ---- what modules use ---- */

#if TTB__FP_EXACT
typedef double ttb__fp;

static inline ttb__fp ttb__fp_int(uint64_t n) { return (double)n; }
static inline ttb__fp ttb__fp_mul(ttb__fp a, ttb__fp b) { return a * b; }
static inline ttb__fp ttb__fp_div(ttb__fp a, ttb__fp b) { return a / b; }
static inline ttb__fp ttb__fp_add(ttb__fp a, ttb__fp b) { return a + b; }
static inline ttb__fp ttb__fp_sub(ttb__fp a, ttb__fp b) { return a - b; }
static inline bool ttb__fp_le(ttb__fp a, ttb__fp b) { return a <= b; }
static inline int64_t ttb__fp_floor(ttb__fp x) {
  return x < 9223372036854775808.0 ? (int64_t)x : INT64_MAX;
}
static inline int64_t ttb__fp_ceil(ttb__fp x) {
  int64_t whole = ttb__fp_floor(x);
  return whole < INT64_MAX && (double)whole < x ? whole + 1 : whole;
}
#else
typedef struct ttb__fp {
  uint64_t bits;
} ttb__fp;

static inline ttb__fp ttb__fp_int(uint64_t n) { return (ttb__fp){ttb__soft_int(n)}; }
static inline ttb__fp ttb__fp_mul(ttb__fp a, ttb__fp b) {
  return (ttb__fp){ttb__soft_mul(a.bits, b.bits)};
}
static inline ttb__fp ttb__fp_div(ttb__fp a, ttb__fp b) {
  return (ttb__fp){ttb__soft_div(a.bits, b.bits)};
}
static inline ttb__fp ttb__fp_add(ttb__fp a, ttb__fp b) {
  return (ttb__fp){a.bits >= b.bits ? ttb__soft_sum(a.bits, b.bits, false)
                                    : ttb__soft_sum(b.bits, a.bits, false)};
}
/* a is not below b (I1). */
static inline ttb__fp ttb__fp_sub(ttb__fp a, ttb__fp b) {
  return (ttb__fp){ttb__soft_sum(a.bits, b.bits, true)};
}
static inline bool ttb__fp_le(ttb__fp a, ttb__fp b) { return a.bits <= b.bits; }
static inline int64_t ttb__fp_floor(ttb__fp x) { return ttb__soft_to_int(x.bits, false); }
static inline int64_t ttb__fp_ceil(ttb__fp x) { return ttb__soft_to_int(x.bits, true); }
#endif

#endif
