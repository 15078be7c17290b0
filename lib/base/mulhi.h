/* SPDX-License-Identifier: MIT */
/* The upper half of a 64 x 64 product: division by a constant of the handle,
 * and a random number scaled to a range, without dividing (Lemire, "Fast random
 * integer generation in an interval", 2019). */
#ifndef TTB_LIB_BASE_MULHI_H
#define TTB_LIB_BASE_MULHI_H

#include <stdint.h>

static inline uint64_t ttb__mulhi(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
  __extension__ typedef unsigned __int128 u128;
  return (uint64_t)((u128)a * b >> 64);
#else
  uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
  uint64_t mid = ah * bl + (al * bl >> 32);
  uint64_t mid2 = al * bh + (uint32_t)mid;
  return ah * bh + (mid >> 32) + (mid2 >> 32);
#endif
}

#endif
