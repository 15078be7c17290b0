/* SPDX-License-Identifier: MIT */
/* Seeded random numbers: a key and a counter in private memory.
 *
 * The n-th number of a stream is a function of key and n alone, so the same
 * seed and the same serial history draw the same numbers on every platform.
 * Mixing is one 64 x 64 multiplication, folded: the generator wyrand of W. Yi's
 * wyhash (final version 3), whose second constant is here the stream's key. Keys
 * come from splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable
 * pseudorandom number generators", OOPSLA 2014). Not for secrets.
 *
 * I1  State is the owner's alone: a draw touches no shared word.
 * I2  Streams of one seed differ in their keys and in where they begin. */
#ifndef TTB_LIB_BASE_RANDOM_H
#define TTB_LIB_BASE_RANDOM_H

#include "mulhi.h"

typedef struct ttb__random {
  uint64_t key, counter;
} ttb__random;

/* splitmix64: advances *state, returns the next of its numbers. Slower than
 * ttb__random_next and good from any state: it makes the keys. */
static inline uint64_t ttb__splitmix(uint64_t *state) {
  uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* Stream number `stream` of a seed. */
static inline ttb__random ttb__random_start(uint64_t seed, uint64_t stream) {
  uint64_t state = seed;
  state = ttb__splitmix(&state) ^ stream;
  uint64_t key = ttb__splitmix(&state);
  return (ttb__random){.key = key, .counter = ttb__splitmix(&state)};
}

/* 64 random bits. */
static inline uint64_t ttb__random_next(ttb__random *r) {
  uint64_t a = r->counter += UINT64_C(0xa0761d6478bd642f), b = a ^ r->key;
  return ttb__mulhi(a, b) ^ a * b;
}

/* 32 random bits scaled to 0..n-1 (Lemire). The bias is below n / 2^32. */
static inline uint32_t ttb__scale32(uint32_t bits, uint32_t n) {
  return (uint32_t)((uint64_t)bits * n >> 32);
}

#endif
