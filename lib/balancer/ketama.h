/* SPDX-License-Identifier: MIT */
/* The points of ketama, apart from whose names they are made of: see ketama.c. */
#ifndef TTB_LIB_BALANCER_KETAMA_H
#define TTB_LIB_BALANCER_KETAMA_H

#include "circle.h"

/* How many texts are hashed for one of n servers; each makes 4 points. */
uint32_t ttb__ketama_texts(uint32_t weight, uint64_t sum, uint32_t n);

/* Adds the points of a server: texts "name-0", "name-1", ...; the name is the n
 * bytes at text, where 11 more have room; each text makes 1..4 points. rank
 * decides between servers whose points are equal. */
void ttb__ketama_place(ttb__circle *c, char *text, uint32_t n, uint32_t slot, uint32_t rank,
                       uint32_t texts, uint32_t points_per_text);

#endif
