/* SPDX-License-Identifier: MIT */
/* The states met so far: inside of the explorer, not for harnesses. */
#ifndef TTB_TESTS_EXPLORE_VISITED_H
#define TTB_TESTS_EXPLORE_VISITED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Empties the set. */
void ex_visited_reset(void);

/* True if it was not there yet; it is then. */
bool ex_visited_add(uint64_t hash);

#endif
