/* SPDX-License-Identifier: MIT */
/* CRC-32 (ISO 3309; the polynomial 0xedb88320, reflected), four bits a step: for
 * keys and names, not for files.
 *
 * I1  The CRC of a text is the remainder of a polynomial, so that of A B is that of
 *     A times x^(8 |B|), plus that of B; the inversions before and after cancel
 *     out (W. Peterson, D. Brown, "Cyclic Codes for Error Detection", 1961).
 *     A key's CRC and length are therefore enough to hash it with a text before it. */
#include "crc32.h"

#define POLYNOMIAL 0xedb88320u
#define ONE 0x80000000u /* x^0: reflected, the highest bit */

uint32_t ttb__crc32_add(uint32_t state, const void *bytes, uint64_t n) {
  static const uint32_t nibble[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  const unsigned char *p = bytes;
  for (uint64_t i = 0; i < n; i++) {
    state = nibble[(state ^ p[i]) & 15] ^ state >> 4;
    state = nibble[(state ^ (uint32_t)p[i] >> 4) & 15] ^ state >> 4;
  }
  return state;
}

static uint32_t times(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = ONE; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = b & 1 ? b >> 1 ^ POLYNOMIAL : b >> 1;
  }
  return product;
}

uint32_t ttb__crc32_join(uint32_t first, uint32_t second, uint64_t second_bytes) {
  uint32_t power = ONE, square = ONE >> 8; /* x^8: a byte */
  for (; second_bytes > 0; second_bytes >>= 1) {
    if (second_bytes & 1) power = times(power, square);
    square = times(square, square);
  }
  return times(power, first) ^ second;
}
