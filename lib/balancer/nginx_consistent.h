/* SPDX-License-Identifier: MIT */
/* The points of nginx's consistent hash: see nginx_consistent.c. */
#ifndef TTB_LIB_BALANCER_NGINX_CONSISTENT_H
#define TTB_LIB_BALANCER_NGINX_CONSISTENT_H

#include "circle.h"

/* What all points of a server begin with: of "host\0port", n bytes. */
uint32_t ttb__nginx_base(const void *text, uint32_t n);
/* The point after `before`; 0 before the first. */
uint32_t ttb__nginx_point(uint32_t base, uint32_t before);

#endif
