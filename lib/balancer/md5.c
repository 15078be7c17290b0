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

static uint32_t rotl(uint32_t x, uint32_t r) { return x << r | x >> (32 - r); }

/* The RFC's four functions, and four steps of a round, so that the words need not
 * change places and shifts are constants. k is the word of the first step, by is
 * how far it is to the next's. */
#define F(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define G(b, c, d) (((b) & (d)) | ((c) & ~(d)))
#define H(b, c, d) ((b) ^ ((c) ^ (d)))
#define I(b, c, d) ((c) ^ ((b) | ~(d)))
#define STEP(f, a, b, c, d, k, t, r) a = b + rotl(a + f(b, c, d) + x[(k) % 16] + sines[t], r)
#define STEPS(f, k, by, t, r0, r1, r2, r3)            \
  do {                                                \
    STEP(f, a, b, c, d, k, t, r0);                    \
    STEP(f, d, a, b, c, (k) + (by), (t) + 1, r1);     \
    STEP(f, c, d, a, b, (k) + 2 * (by), (t) + 2, r2); \
    STEP(f, b, c, d, a, (k) + 3 * (by), (t) + 3, r3); \
  } while (0)

static void block(ttb__md5 *md, const unsigned char *p) {
  uint32_t x[16], a = md->word[0], b = md->word[1], c = md->word[2], d = md->word[3];
  for (uint32_t i = 0; i < 16; i++, p += 4)
    x[i] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
  for (uint32_t i = 0; i < 16; i += 4) STEPS(F, i, 1, i, 7, 12, 17, 22);
  for (uint32_t i = 0; i < 16; i += 4) STEPS(G, 5 * i + 1, 5, 16 + i, 5, 9, 14, 20);
  for (uint32_t i = 0; i < 16; i += 4) STEPS(H, 3 * i + 5, 3, 32 + i, 4, 11, 16, 23);
  for (uint32_t i = 0; i < 16; i += 4) STEPS(I, 7 * i, 7, 48 + i, 6, 10, 15, 21);
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
