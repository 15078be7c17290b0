/* SPDX-License-Identifier: MIT */
/* The walk of nginx's plain hash, apart from whose weights it is: nginx_hash.c. */
#ifndef TTB_LIB_BALANCER_NGINX_HASH_H
#define TTB_LIB_BALANCER_NGINX_HASH_H

#include <stdint.h>

/* What attempt 0, 1, ... adds to the sum whose remainder by the total weight is
 * the place: 15 bits of the CRC-32 of [attempt, unless 0] and key. hash is what
 * ttb_nginx_hash returned. */
uint32_t ttb__nginx_step(uint64_t hash, uint32_t attempt);

#endif
