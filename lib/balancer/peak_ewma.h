/* SPDX-License-Identifier: MIT */
/* What a call on an endpoint is taken to cost: one word an endpoint.
 *
 *     word = time 24 | failures 4 | cost 36, or 0: nothing is known
 *
 * cost is in 2 ns (to 137 s), time in 2^22 ns, modulo 19 hours. Read, a cost is in
 * 32 ns, to 2^32 - 1.
 *
 * The rule of finagle's PeakEwma, which tower took over: a latency above the cost
 * becomes the cost at once (the peak); one below draws it down,
 * cost * w + latency * (1 - w) with w = e^-(elapsed / tau). Read, the cost is
 * cost * w, so that who is not called is tried again some time.
 *
 * Failures: an endpoint that fails at once has short latencies, and by them alone
 * it would get all calls (envoyproxy/envoy#39737). So a failure never lowers the cost,
 * raises it to 1 ms at least, and counts: each failure more doubles what the
 * endpoint is taken to cost, each success halves that again, as does each half-life
 * of the cost. A few errors in a hundred thus cost a few per cent, errors only cost
 * 2^15, and one who recovers is tried again after some half-lives.
 *
 * I1  A word is changed by compare-and-swap, so no sample overwrites another.
 * I2  A sample that changes nothing does not move the time on either: the
 *     next one sees all that has elapsed, so rounding cannot hold the decay up.
 * I3  A time in the future is now: threads' clocks may differ a little. */
#ifndef TTB_LIB_BALANCER_PEAK_EWMA_H
#define TTB_LIB_BALANCER_PEAK_EWMA_H

#include <stdbool.h>

#include "../base/atomic.h"
#include "../base/fixed.h"

#define TTB__COST_UNIT 1  /* 2^1 ns */
#define TTB__COST_READ 5  /* 2^5 ns */
#define TTB__COST_TICK 22 /* 2^22 ns */
#define TTB__COST_TICKS 0xffffffu
#define TTB__COST_MAX ((UINT64_C(1) << 36) - 1)
#define TTB__COST_FAILED 500000u /* 1 ms */

/* Half-life of a cost of time constant tau_ms, ns: tau * ln 2. */
static inline uint64_t ttb__cost_half_life(uint32_t tau_ms) { return tau_ms * UINT64_C(693147); }

static inline uint64_t ttb__cost_elapsed(uint64_t word, uint64_t now_ns) {
  uint32_t ticks = (uint32_t)(now_ns >> TTB__COST_TICK) - (uint32_t)(word >> 40);
  ticks &= TTB__COST_TICKS;
  return ticks > TTB__COST_TICKS / 2 ? 0 : (uint64_t)ticks << TTB__COST_TICK;
}

static inline uint64_t ttb__cost_pack(uint64_t now_ns, uint32_t failures, uint64_t cost) {
  return (now_ns >> TTB__COST_TICK & TTB__COST_TICKS) << 40 | (uint64_t)failures << 36 | cost;
}
static inline uint64_t ttb__cost_of(uint64_t word) { return word & TTB__COST_MAX; }

/* Failures that still count after so many half-lives. */
static inline uint32_t ttb__cost_failures(uint64_t word, uint64_t half_lives) {
  uint32_t failures = (uint32_t)(word >> 36) & 15;
  return failures > half_lives ? failures - (uint32_t)half_lives : 0;
}

/* What a call costs, in 32 ns, failures included: 1..2^32-1; 0: nothing is known.
 * inverse: ttb__half_life of the half-life. */
static inline uint64_t ttb__cost_read(uint64_t word, uint64_t inverse, uint64_t now_ns) {
  uint64_t cost = ttb__cost_of(word), elapsed = ttb__cost_elapsed(word, now_ns);
  if (cost == 0) return 0;
  cost >>= TTB__COST_READ - TTB__COST_UNIT;
  if (elapsed != 0) cost = cost * ttb__decay(elapsed, inverse) >> 32;
  if (word >> 36 & 15) {
    cost <<= ttb__cost_failures(word, ttb__mulhi(elapsed, inverse));
    if (cost > UINT32_MAX) cost = UINT32_MAX;
  }
  return cost ? cost : 1;
}

/* `sample`, and what the decay leaves of the old cost above it, rounded to the
 * nearest: always down would hasten small costs. */
static inline uint64_t ttb__cost_fall(uint64_t old, uint64_t sample, uint64_t keep) {
  return sample + ((ttb__mulhi((old - sample) << 17, keep << 16) + 1) >> 1);
}

/* The word after a call that took latency_ns. */
static inline uint64_t ttb__cost_after(uint64_t word, uint64_t inverse, uint64_t now_ns,
                                       uint64_t latency_ns, bool failed) {
  uint64_t old = ttb__cost_of(word), sample = latency_ns >> TTB__COST_UNIT, cost;
  uint64_t elapsed = ttb__cost_elapsed(word, now_ns);
  uint32_t failures = ttb__cost_failures(word, ttb__mulhi(elapsed, inverse));
  if (sample > TTB__COST_MAX) sample = TTB__COST_MAX;
  if (failed) {
    cost = elapsed ? ttb__cost_fall(old, 0, ttb__decay(elapsed, inverse)) : old;
    if (cost < sample) cost = sample;
    if (cost < TTB__COST_FAILED) cost = TTB__COST_FAILED;
    if (failures < 15) failures++;
  } else {
    cost = sample > old ? sample : old;
    if (sample < old && elapsed) cost = ttb__cost_fall(old, sample, ttb__decay(elapsed, inverse));
    if (cost == 0) cost = 1;
    if (failures > 0) failures--;
  }
  if (cost == old && failures == ((uint32_t)(word >> 36) & 15)) return word;
  return ttb__cost_pack(now_ns, failures, cost);
}

/* The same to a shared word. */
static inline void ttb__cost_sample(ttb__a64 *state, uint64_t inverse, uint64_t now_ns,
                                    uint64_t latency_ns, bool failed) {
  uint64_t word = ttb__load_rlx(state), next;
  do {
    next = ttb__cost_after(word, inverse, now_ns, latency_ns, failed);
    if (next == word) return;
  } while (!ttb__cas_rlx(state, &word, next));
}

#endif
