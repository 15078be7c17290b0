/* SPDX-License-Identifier: MIT */
/* ttb_hash over keys of every short length, from seeded bytes. */
#include <trimtab/base.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

uint64_t determinism_base(uint64_t seed) {
  check c = {.state = seed};
  dec_hash h = dec_hash_start();
  unsigned char key[200];
  for (int round = 0; round < 200; round++) {
    for (uint64_t i = 0; i < sizeof(key); i++) key[i] = (unsigned char)check_rand(&c);
    for (uint64_t n = 0; n <= sizeof(key); n++) dec_hash_add(&h, ttb_hash(key, n, seed + n));
  }
  return h.value;
}
