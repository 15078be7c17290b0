/* SPDX-License-Identifier: MIT */
/* A running 64-bit hash of decisions: what a module answered, in order. Equal
 * on every machine if the decisions are. Feed numbers, never bytes of structs.
 *
 *     dec_hash h = dec_hash_start();
 *     dec_hash_add(&h, (uint64_t)ttb_breaker_acquire(&b, 0, now));
 *     return h.value;
 */
#ifndef TESTS_SUPPORT_DEC_HASH_H
#define TESTS_SUPPORT_DEC_HASH_H

#include <stdint.h>

typedef struct dec_hash {
  uint64_t value;
} dec_hash;

static inline dec_hash dec_hash_start(void) {
  return (dec_hash){UINT64_C(0x6a09e667f3bcc908)};
}

/* One decision more. The multiplication carries up, the shift carries down, so
 * every bit and its place in the order count. */
static inline void dec_hash_add(dec_hash *h, uint64_t x) {
  uint64_t v = (h->value ^ x) * UINT64_C(0x9e3779b97f4a7c15);
  h->value = v ^ (v >> 29);
}

#endif
