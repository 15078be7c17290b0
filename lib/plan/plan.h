/* SPDX-License-Identifier: MIT */
/* What the files of plan share: ranges, the search for a smallest whole number,
 * and exp.
 *
 * I1  No result is a NaN or infinite. Arguments are checked first; sums whose
 *     reciprocal is the result stop growing past 1 / TTB_PLAN_TINY.
 * I2  Sums have positive terms only and differences are of the caller's own
 *     numbers, so nothing cancels: each result is within one part in 10^10.
 * I3  Only + - * / and sqrt, which IEEE 754 rounds the same everywhere: libm's
 *     exp does not. Where double is wider (TTB__FP_EXACT 0) I2 still holds; no
 *     decision of another module hangs on these bits. */
#ifndef TTB_LIB_PLAN_PLAN_H
#define TTB_LIB_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <trimtab/plan.h>

#include "../base/fp.h"

/* A term of a sum with less than this share of it, and all that follow it
 * geometrically, can be left out. */
#define TTB__PLAN_NEGLIGIBLE 1e-21

/* A shortage (or excess) of up to this share is none. */
#define TTB__PLAN_SLACK 1e-9

/* False for a NaN. */
static inline bool ttb__within(double x, double min, double max) { return x >= min && x <= max; }

/* Above zero and not huge. */
static inline bool ttb__is_amount(double x) { return x > 0 && x <= TTB_PLAN_HUGE; }

static inline double ttb__not_tiny(double x) { return x < TTB_PLAN_TINY ? 0 : x; }

typedef bool ttb__enough(uint32_t n, const void *about);

/* The smallest n from `from` on that is enough, or TTB_LIMIT if `to` is not;
 * what is more than enough is enough. */
static inline int32_t ttb__smallest(int64_t from, int64_t to, ttb__enough *enough,
                                    const void *about) {
  int64_t step = 1, below = from - 1, n = from;
  if (from > to) return TTB_LIMIT;
  while (!enough((uint32_t)n, about)) {
    if (n == to) return TTB_LIMIT;
    below = n;
    n = to - n > step ? n + step : to;
    step *= 2;
  }
  while (n - below > 1) {
    int64_t middle = below + (n - below) / 2;
    if (enough((uint32_t)middle, about)) n = middle;
    else below = middle;
  }
  return (int32_t)n;
}

/* e^x for -700 <= x <= 700: 2^k e^r with |r| <= ln(2) / 2, and Taylor's series.
 * The product of k and the first part of ln(2) is exact. */
static inline double ttb__exp(double x) {
  int32_t k = (int32_t)(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
  double r = x - k * 0x1.62e42feep-1 - k * 0x1.a39ef35793c76p-33, term = 1, sum = 1, power;
  for (int i = 1; i < 15; i++) {
    term *= r / i;
    sum += term;
  }
  uint64_t bits = (uint64_t)(uint32_t)(k + 1023) << 52;
  memcpy(&power, &bits, sizeof power);
  return sum * power;
}

#endif
