/* SPDX-License-Identifier: MIT */
/* XXH64, written from the xxHash specification (Y. Collet,
 * doc/xxhash_spec.md). Reads little-endian words whatever the machine, so the
 * result is the same everywhere. Published values: tests/unit/base/test_hash.c. */
#include <trimtab/base.h>

#define P1 UINT64_C(0x9E3779B185EBCA87)
#define P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P3 UINT64_C(0x165667B19E3779F9)
#define P4 UINT64_C(0x85EBCA77C2B2AE63)
#define P5 UINT64_C(0x27D4EB2F165667C5)

static inline uint64_t rotl(uint64_t x, int r) { return x << r | x >> (64 - r); }

static inline uint64_t le32(const unsigned char *p) {
  return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static inline uint64_t le64(const unsigned char *p) { return le32(p) | le32(p + 4) << 32; }

static inline uint64_t lane(uint64_t acc, uint64_t word) { return rotl(acc + word * P2, 31) * P1; }

static inline uint64_t merge(uint64_t h, uint64_t acc) { return (h ^ lane(0, acc)) * P1 + P4; }

static uint64_t stripes(const unsigned char **p, const unsigned char *end, uint64_t seed) {
  uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
  for (; end - *p >= 32; *p += 32) {
    a = lane(a, le64(*p));
    b = lane(b, le64(*p + 8));
    c = lane(c, le64(*p + 16));
    d = lane(d, le64(*p + 24));
  }
  uint64_t h = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
  return merge(merge(merge(merge(h, a), b), c), d);
}

static uint64_t tail(uint64_t h, const unsigned char *p, const unsigned char *end) {
  for (; end - p >= 8; p += 8) h = rotl(h ^ lane(0, le64(p)), 27) * P1 + P4;
  if (end - p >= 4) {
    h = rotl(h ^ le32(p) * P1, 23) * P2 + P3;
    p += 4;
  }
  for (; p < end; p++) h = rotl(h ^ *p * P5, 11) * P1;
  return h;
}

uint64_t ttb_hash(const void *key, uint64_t n, uint64_t seed) {
  static const unsigned char none[1] = {0};
  if (!key && n > 0) return 0;
  const unsigned char *p = key ? key : none, *end = p + n;
  uint64_t h = n >= 32 ? stripes(&p, end, seed) : seed + P5;
  h = tail(h + n, p, end);
  h = (h ^ h >> 33) * P2;
  h = (h ^ h >> 29) * P3;
  return h ^ h >> 32;
}
