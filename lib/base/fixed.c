/* SPDX-License-Identifier: MIT */
/* 2^-x, log2 and powers: see fixed.h. The table holds 2^-(i/64) in Q32, rounded; the rest, below
 * 1/64, is e^-t by four terms of its series, t = rest * ln 2 < 0.0109, whose
 * fifth (t^5/120 < 1.3e-12) is below the last bit. */
#include "fixed.h"

#define LN2_Q32 UINT64_C(0xb17217f8)

static const uint64_t power[64] = {
    0x100000000, 0x0fd3e0c0d, 0x0fa83b2db, 0x0f7d0df73, 0x0f5257d15, 0x0f281773c,
    0x0efe4b99c, 0x0ed4f301f, 0x0eac0c6e8, 0x0e8396a50, 0x0e5b906e7, 0x0e33f8973,
    0x0e0ccdeec, 0x0de60f482, 0x0dbfbb798, 0x0d99d15c2, 0x0d744fccb, 0x0d4f35aac,
    0x0d2a81d92, 0x0d06333db, 0x0ce248c15, 0x0cbec14ff, 0x0c9b9bd86, 0x0c78d74c9,
    0x0c5672a11, 0x0c346ccda, 0x0c12c4cca, 0x0bf1799b6, 0x0bd08a39f, 0x0baff5ab2,
    0x0b8fbaf47, 0x0b6fd91e3, 0x0b504f334, 0x0b311c413, 0x0b123f582, 0x0af3b78ad,
    0x0ad583eea, 0x0ab7a39b6, 0x0a9a15ab5, 0x0a7cd93b5, 0x0a5fed6aa, 0x0a43515ae,
    0x0a2704303, 0x0a0b05110, 0x09ef53261, 0x09d3ed9a7, 0x09b8d39ba, 0x099e04593,
    0x09837f052, 0x096942d37, 0x094f4efa9, 0x0935a2b2f, 0x091c3d374, 0x09031dc43,
    0x08ea4398b, 0x08d1adf5b, 0x08b95c1e4, 0x08a14d575, 0x088980e81, 0x0871f6197,
    0x085aac368, 0x0843a28c4, 0x082cd8699, 0x08164d1f4,
};

/* Rounded product of two Q32 whose plain product fits. */
static inline uint64_t times(uint64_t a, uint64_t b) { return (a * b + TTB__ONE / 2) >> 32; }

uint64_t ttb__pow2_neg(uint32_t whole, uint32_t fraction) {
  if (whole > 32) return 0;
  uint64_t t = times(fraction & 0x3ffffff, LN2_Q32);
  /* 1 - t (1 - t/2 (1 - t/3 (1 - t/4))) */
  uint64_t e = TTB__ONE - t / 4;
  e = TTB__ONE - times(t, e) / 3;
  e = TTB__ONE - times(t, e) / 2;
  e = TTB__ONE - times(t, e);
  /* p * e, by what e lacks of 1.0: p * e itself would need 65 bits. */
  uint64_t p = power[fraction >> 26], short_of_one = TTB__ONE - e;
  return (p - times(p, short_of_one)) >> whole;
}

/* log2(1 + i/64) in Q32, rounded. */
static const uint64_t logarithm[65] = {
    0x000000000, 0x005b9e5a1, 0x00b5d69bb, 0x010eb38a0, 0x01663f6fb, 0x01bc84241,
    0x02118b11a, 0x02655d3c5, 0x02b803474, 0x0309857a0, 0x0359ebc5b, 0x03a93dc98,
    0x03f782d72, 0x0444c1f6b, 0x049101eac, 0x04dc4933b, 0x05269e12f, 0x0570068e8,
    0x05b888736, 0x06002958c, 0x0646eea24, 0x068cdd82a, 0x06d1fafdd, 0x07164beb5,
    0x0759d4f81, 0x079c9aa88, 0x07dea15a3, 0x081fed45d, 0x086082807, 0x08a064fd5,
    0x08df988f5, 0x091e20ea1, 0x095c01a3a, 0x09993e356, 0x09d5d9fd5, 0x0a11d83f5,
    0x0a4d3c25e, 0x0a8808c38, 0x0ac241135, 0x0afbe7fa1, 0x0b3500472, 0x0b6d8cb54,
    0x0ba58feb2, 0x0bdd0c7ca, 0x0c1404eae, 0x0c4a7ba58, 0x0c80730b0, 0x0cb5ed695,
    0x0ceaecfeb, 0x0d1f73f9c, 0x0d53847ac, 0x0d8720936, 0x0dba4a47b, 0x0ded038e6,
    0x0e1f4e517, 0x0e512c6e5, 0x0e829fb69, 0x0eb3a9f02, 0x0ee44cd5a, 0x0f148a170,
    0x0f446359b, 0x0f73da38e, 0x0fa2f045e, 0x0fd1a708c, 0x100000000,
};

/* 1 / ln 2 in Q32. */
#define PER_LN2_Q32 UINT64_C(0x171547653)

uint64_t ttb__log2(uint32_t n) {
  uint32_t whole = 31;
  while (whole > 0 && !(n >> whole)) whole--;
  /* n = 2^whole (1 + i/64) (1 + d), d below 1/64; ln(1 + d) by four terms. */
  uint64_t mantissa = (uint64_t)n << (32 - whole); /* Q32, 1.0 and above */
  uint32_t i = (uint32_t)(mantissa >> 26) & 63;
  uint64_t step = TTB__ONE + ((uint64_t)i << 26);
  uint64_t d = ((mantissa - step) << 32) / step;
  uint64_t ln = TTB__ONE / 3 - d / 4;
  ln = TTB__ONE / 2 - times(d, ln);
  ln = TTB__ONE - times(d, ln);
  return ((uint64_t)whole << 32) + logarithm[i] + times(times(d, ln), PER_LN2_Q32);
}

uint64_t ttb__power(uint32_t n, uint32_t exponent) {
  uint64_t power2 = ttb__log2(n) * exponent >> 16; /* Q32; 5 + 32 + 19 bits at the most */
  uint64_t whole = power2 >> 32, left = TTB__ONE - (uint32_t)power2;
  if (whole >= 31) return UINT64_C(1) << 47;
  /* 2^f = 2 * 2^-(1 - f), in Q16 */
  uint64_t part = left == TTB__ONE ? TTB__ONE / 2 : ttb__pow2_neg(0, (uint32_t)left);
  uint64_t shifted = part << whole; /* Q31 */
  return (shifted + (1u << 14)) >> 15;
}
