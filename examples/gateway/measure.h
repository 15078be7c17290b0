/* SPDX-License-Identifier: MIT */
/* What the demo measures with: the monotonic clock, a seeded random generator
 * and a latency histogram of fixed size.
 *
 * I1  The histogram never allocates and never loses a count: what lies outside
 *     its range is counted in the first or last bin.
 * I2  A quantile is exact to one bin, that is to about 3 %. */
#ifndef GATEWAY_MEASURE_H
#define GATEWAY_MEASURE_H

#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

/* splitmix64: same seed, same numbers. */
uint64_t random_next(uint64_t *state);
/* Uniform in [0, 1). */
double random_unit(uint64_t *state);
/* Exponential with mean 1: the gaps of a Poisson process. */
double random_exp(uint64_t *state);

#define HIST_BINS 400
/* Bin i holds [0.05 ms * 1.03^i, 0.05 ms * 1.03^(i+1)): 50 us to 6800 s. */
typedef struct histogram {
  uint32_t count;
  uint32_t bin[HIST_BINS];
} histogram;

void hist_add(histogram *h, double ms);
void hist_merge(histogram *into, const histogram *from);
/* The value below which the share q lies, in ms; 0 of an empty one. */
double hist_quantile(const histogram *h, double q);

#endif
