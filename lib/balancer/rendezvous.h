/* SPDX-License-Identifier: MIT */
/* The score of rendezvous hashing: see rendezvous.c. */
#ifndef TTB_LIB_BALANCER_RENDEZVOUS_H
#define TTB_LIB_BALANCER_RENDEZVOUS_H

#include <stdint.h>

/* -log2(u / 2^64) in Q32, 0 to 64.0; of u = 0 that of 1. */
uint64_t ttb__minus_log2(uint64_t u);
/* What key and endpoint have together: 64 mixed bits. */
uint64_t ttb__rendezvous_mix(uint64_t hash, uint64_t id);

#endif
