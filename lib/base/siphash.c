/* SPDX-License-Identifier: MIT */
/* SipHash-2-4: see siphash.h. Two rounds a word of the message, four at the end. */
#include "siphash.h"

typedef struct lanes {
  uint64_t a, b, c, d;
} lanes;

static uint64_t turned(uint64_t x, int by) { return x << by | x >> (64 - by); }

static void round_of(lanes *v) {
  v->a += v->b, v->b = turned(v->b, 13) ^ v->a, v->a = turned(v->a, 32);
  v->c += v->d, v->d = turned(v->d, 16) ^ v->c;
  v->a += v->d, v->d = turned(v->d, 21) ^ v->a;
  v->c += v->b, v->b = turned(v->b, 17) ^ v->c, v->c = turned(v->c, 32);
}

static void absorb(lanes *v, uint64_t word) {
  v->d ^= word;
  round_of(v);
  round_of(v);
  v->a ^= word;
}

/* n <= 8 bytes, little-endian. */
static uint64_t bytes(const unsigned char *p, uint64_t n) {
  uint64_t word = 0;
  for (uint64_t i = 0; i < n; i++) word |= (uint64_t)p[i] << 8 * i;
  return word;
}

uint64_t ttb__siphash(const unsigned char *key, const unsigned char *message, uint64_t n) {
  uint64_t k0 = bytes(key, 8), k1 = bytes(key + 8, 8), done = 0;
  /* "somepseudorandomlygeneratedbytes" */
  lanes v = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
             k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
  for (; n - done >= 8; done += 8) absorb(&v, bytes(message + done, 8));
  absorb(&v, n << 56 | bytes(message + done, n - done));
  v.c ^= 0xff;
  for (int i = 0; i < 4; i++) round_of(&v);
  return v.a ^ v.b ^ v.c ^ v.d;
}
