/* SPDX-License-Identifier: MIT */
/* MD5, for placements that are defined by it and for nothing else: see md5.c. */
#ifndef TTB_LIB_BALANCER_MD5_H
#define TTB_LIB_BALANCER_MD5_H

#include <stdint.h>

typedef struct ttb__md5 {
  uint32_t word[4]; /* the digest is these, each little-endian */
} ttb__md5;

ttb__md5 ttb__md5_of(const void *text, uint64_t n);

#endif
