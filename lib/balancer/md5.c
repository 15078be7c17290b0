/* SPDX-License-Identifier: MIT */
/* MD5, written from RFC 1321 (R. Rivest, 1992); its test suite is in
 * tests/unit/balancer/test_md5.c. Not for secrets: MD5 has long been broken.
 *
 * I1  The digest does not depend on the machine's byte order: words are put
 *     together from bytes. */
#include "md5.h"

#include <string.h>

/* floor(2^32 * |sin(i + 1)|) */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t turns[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t rotl(uint32_t x, uint32_t r) { return x << r | x >> (32 - r); }

static void block(ttb__md5 *md, const unsigned char *p) {
  uint32_t x[16], a = md->word[0], b = md->word[1], c = md->word[2], d = md->word[3];
  for (uint32_t i = 0; i < 16; i++, p += 4)
    x[i] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
  for (uint32_t i = 0; i < 64; i++) {
    uint32_t f, k;
    switch (i / 16) {
    case 0: f = (b & c) | (~b & d), k = i; break;
    case 1: f = (b & d) | (c & ~d), k = 5 * i + 1; break;
    case 2: f = b ^ c ^ d, k = 3 * i + 5; break;
    default: f = c ^ (b | ~d), k = 7 * i; break;
    }
    uint32_t next = b + rotl(a + f + x[k % 16] + sines[i], turns[i / 16][i % 4]);
    a = d, d = c, c = b, b = next;
  }
  md->word[0] += a, md->word[1] += b, md->word[2] += c, md->word[3] += d;
}

ttb__md5 ttb__md5_of(const void *text, uint64_t n) {
  ttb__md5 md = {{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
  const unsigned char *p = text;
  uint64_t left = n;
  for (; left >= 64; left -= 64, p += 64) block(&md, p);
  unsigned char last[128] = {0};
  if (left > 0) memcpy(last, p, (size_t)left);
  last[left] = 0x80;
  uint32_t end = left < 56 ? 56 : 120;
  for (uint32_t i = 0; i < 8; i++) last[end + i] = (unsigned char)(n * 8 >> 8 * i);
  block(&md, last);
  if (end == 120) block(&md, last + 64);
  return md;
}
