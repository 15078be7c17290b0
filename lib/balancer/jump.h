/* SPDX-License-Identifier: MIT */
/* The jump hash itself: see jump.c. */
#ifndef TTB_LIB_BALANCER_JUMP_H
#define TTB_LIB_BALANCER_JUMP_H

#include <stdint.h>

/* The bucket of a key, 0..buckets-1; buckets > 0. */
uint32_t ttb__jump(uint64_t key, uint32_t buckets);

#endif
