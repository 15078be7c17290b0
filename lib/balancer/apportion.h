/* SPDX-License-Identifier: MIT */
/* Dividing entries of a table among endpoints by their weights: apportion.c. */
#ifndef TTB_LIB_BALANCER_APPORTION_H
#define TTB_LIB_BALANCER_APPORTION_H

#include <stdint.h>

/* m entries among n weights of 1..65535, n <= m <= 2^23: fills share[0..n-1],
 * each 1 at least. Of equal claims the first listed is heard first. */
void ttb__apportion(const uint32_t *weight, uint32_t *share, uint32_t n, uint32_t m);

#endif
