/* SPDX-License-Identifier: MIT */
/* A module's part of the determinism test: makes many decisions from a seed and
 * returns their hash (dec_hash.h). Add a file <module>.c with the function, a
 * line here and a row in determinism.c. No clock, no address, no libm. */
#ifndef TESTS_DETERMINISM_H
#define TESTS_DETERMINISM_H

#include <stdint.h>

uint64_t determinism_autoscaler(uint64_t seed);
uint64_t determinism_budget(uint64_t seed);
uint64_t determinism_balancer_hashes(uint64_t seed);
uint64_t determinism_balancer_loads(uint64_t seed);
uint64_t determinism_base(uint64_t seed);
uint64_t determinism_breaker(uint64_t seed);
uint64_t determinism_plan(uint64_t seed);
uint64_t determinism_pool(uint64_t seed);
uint64_t determinism_router(uint64_t seed);
uint64_t determinism_limiter(uint64_t seed);
uint64_t determinism_ladder(uint64_t seed);
uint64_t determinism_health(uint64_t seed);
uint64_t determinism_balancer_scope(uint64_t seed);

#endif
