/* SPDX-License-Identifier: MIT */
/* Hedging: when to send a second request beside a slow first one.
 *
 * After the latency that a share of the calls stay below (J. Dean, L. Barroso,
 * "The Tail at Scale", CACM 56(2), 2013: send it after the 95th percentile, and
 * 5 % more load cut the tail). Whether it may be sent is a retry budget's to say.
 *
 * The quantile is tracked by one number, without memory of the samples: it goes
 * up by a share of itself when a sample lies above it and down when below, in
 * the proportion in which a quantile has them (Robbins and Monro 1951; "Frugal
 * Streaming", Q. Ma, S. Muthukrishnan, M. Sandler, 2013, with steps that are
 * relative). At rest q of the samples lie below.
 *
 *     sample >  estimate    estimate * (1 + q / 32)
 *     sample <= estimate    estimate * (1 - (1 - q) / 32)
 *
 * I1  Pure: the new estimate is a function of the arguments.
 * I2  At least 1 ns once there is a sample, never above MOST. */
#include "limiter.h"

/* 2.4 hours: room for the product with a share in ppm. */
#define MOST (UINT64_C(1) << 43)

int64_t ttb_limiter_hedge_ns(int64_t estimate_ns, uint64_t latency_ns, int32_t quantile_ppm) {
  uint64_t one = 1000000, e = (uint64_t)estimate_ns, q = (uint64_t)quantile_ppm;
  if (estimate_ns < 0 || quantile_ppm < 1 || quantile_ppm > 999999) return TTB_ERR_RANGE;
  if (latency_ns > MOST) latency_ns = MOST;
  if (e > MOST) e = MOST;
  if (e == 0) e = latency_ns; /* the first one */
  else if (latency_ns > e) e += e * q / (32 * one) + 1;
  else e -= e * (one - q) / (32 * one);
  return (int64_t)(e > MOST ? MOST : e > 0 ? e : 1);
}
