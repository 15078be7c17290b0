/* SPDX-License-Identifier: MIT */
/* 2^-x: see fixed.h. The table holds 2^-(i/64) in Q32, rounded; the rest, below
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
