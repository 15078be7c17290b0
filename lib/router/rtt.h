/* SPDX-License-Identifier: MIT */
/* Average of round trips: exponentially weighted, alpha = 0.2, the first sample
 * is the average (the MongoDB drivers' server selection specification).
 *
 *     word = measured 1 | nanoseconds 47, 16 bits of fraction
 *
 * I1  Integers only: average' = (4 average + sample) / 5, rounded to nearest.
 * I2  The word 0 is "never measured"; an average of 0 ns is another word.
 * I3  Updates are load, compute, store: of two at once one may be lost. An
 *     average of samples can miss one. */
#ifndef TTB_LIB_ROUTER_RTT_H
#define TTB_LIB_ROUTER_RTT_H

#include <stdint.h>

#define TTB__RTT_FRACTION 16
#define TTB__RTT_MAX_NS (UINT64_C(1) << 43) /* 2.4 hours; 5 of them fit the word */
#define TTB__RTT_MEASURED (UINT64_C(1) << 63)

/* The average without its flag, for comparing. */
static inline uint64_t ttb__rtt_value(uint64_t word) { return word & ~TTB__RTT_MEASURED; }

/* ns, rounded; -1 if never measured. */
static inline int64_t ttb__rtt_ns(uint64_t word) {
  if (!(word & TTB__RTT_MEASURED)) return -1;
  return (int64_t)((ttb__rtt_value(word) + (1u << (TTB__RTT_FRACTION - 1))) >> TTB__RTT_FRACTION);
}

static inline uint64_t ttb__rtt_next(uint64_t word, uint64_t sample_ns) {
  uint64_t ns = sample_ns < TTB__RTT_MAX_NS ? sample_ns : TTB__RTT_MAX_NS;
  uint64_t sample = ns << TTB__RTT_FRACTION, average = ttb__rtt_value(word);
  if (!(word & TTB__RTT_MEASURED)) return TTB__RTT_MEASURED | sample;
  if (average > TTB__RTT_MAX_NS << TTB__RTT_FRACTION) average = sample; /* not our word */
  return TTB__RTT_MEASURED | (4 * average + sample + 2) / 5;
}

#endif
