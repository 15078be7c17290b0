/* SPDX-License-Identifier: MIT */
/* The lowest bit of a word. */
#ifndef TTB_LIB_BASE_BITS_H
#define TTB_LIB_BASE_BITS_H

#include <stdint.h>

/* Its number, 0..63; bits is not 0. */
static inline uint32_t ttb__lowest_bit(uint64_t bits) {
#if defined(__GNUC__)
  return (uint32_t)__builtin_ctzll(bits);
#else
  uint32_t i = 0;
  while (!(bits >> i & 1)) i++;
  return i;
#endif
}

#endif
