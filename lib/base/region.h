/* SPDX-License-Identifier: MIT */
/* Regions: the header every object's memory begins with.
 *
 *       0  magic: written last, by release, when the object is complete
 *       8  abi, kind of object
 *      16  layout hash: sizes and constants of this build's formats
 *      24  size of the object in bytes
 *      32  seed
 *      40  size of the stored config
 *      64  clock (its own line: written once a millisecond)
 *     128  the config with its defaults put in, then the module's own parts
 *
 * I1  Data only: offsets, never pointers; every width explicit.
 * I2  init trusts no byte of the memory; attach trusts none but compares all
 *     facts with what this library would have laid out itself.
 * I3  A region without the magic (fresh zeros, or being built) is TTB_AGAIN, so
 *     that "create or attach" needs no other signal.
 *
 * The hash over layout facts follows LMDB's lock-file format number: builds
 * that would lay the region out differently refuse to share it. */
#ifndef TTB_LIB_BASE_REGION_H
#define TTB_LIB_BASE_REGION_H

#include "atomic.h"
#include "clock.h"
#include "config.h"

/* Reads "TTBREG01" in memory on a little-endian machine; another byte order
 * sees another number. */
#define TTB__MAGIC UINT64_C(0x3130474552425454)

#define TTB__KIND_BREAKER 1u
#define TTB__KIND_BALANCER 2u
#define TTB__KIND_HEALTH 3u
#define TTB__KIND_ROUTER 4u
#define TTB__KIND_AUTOSCALER 5u
#define TTB__KIND_POOL 6u
#define TTB__KIND_LIMITER 7u
#define TTB__KIND_LADDER 8u
#define TTB__KIND_BUDGET 9u

typedef struct ttb__region {
  ttb__a64 magic;
  uint32_t abi, kind;
  uint64_t layout, size, seed;
  uint32_t config_size, reserved;
  uint64_t reserved2[2];
  ttb__clock clock;
} ttb__region;
_Static_assert(sizeof(ttb__region) == 128, "the region header is two lines");

static inline uint64_t ttb__round64(uint64_t n) { return (n + 63) & ~UINT64_C(63); }

/* Where the module's own parts begin, after header and config. */
static inline uint64_t ttb__region_body(uint32_t config_size) {
  return sizeof(ttb__region) + ttb__round64(config_size);
}

/* What identifies a module's format: its kind, the structs it stores. */
typedef struct ttb__format {
  uint32_t kind;
  const ttb__struct *config;
  const uint32_t *facts; /* sizes and offsets of what the module lays out */
  uint32_t nfacts;
} ttb__format;

/* Checks a caller's span: not NULL, aligned, at least need bytes. */
int32_t ttb__region_span(const void *mem, uint64_t size, uint64_t need);

/* Clears `need` bytes and writes header and config; the object is invisible to
 * attach until ttb__region_ready. config is the full struct. */
void ttb__region_build(void *mem, uint64_t need, const ttb__format *f, const void *config,
                       uint64_t seed);
void ttb__region_ready(void *mem);

/* Checks a region somebody else made and copies its config, checked, to
 * ret_config (the full struct). *ret_size is what the header claims; the caller
 * compares it with its own layout of that config. */
int32_t ttb__region_open(const void *mem, uint64_t size, const ttb__format *f, void *ret_config,
                         uint64_t *ret_size);

/* Memory for `new`: size bytes (or the error that `size` gave) from an allocator,
 * NULL meaning the C library's; which one, to release them by, is in *ret. */
int32_t ttb__take(const ttb_allocator *a, int64_t size, ttb_allocator *ret, void **ret_mem);
void ttb__release(const ttb_allocator *a, void *mem, uint64_t size);

#endif
