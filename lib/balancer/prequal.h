/* SPDX-License-Identifier: MIT */
/* The rules of Prequal on probes in private memory, apart from where they are kept.
 *
 * B. Wydrowski, R. Kleinberg, S. M. Rumble, A. Archer, "Load is not what you should
 * balance: Introducing Prequal" (NSDI 2024, arXiv 2312.10172). */
#ifndef TTB_LIB_BALANCER_PREQUAL_H
#define TTB_LIB_BALANCER_PREQUAL_H

#include <stdint.h>

#define TTB__PROBES 16u

typedef struct ttb__probe {
  uint64_t latency_ns;
  uint32_t rif;
} ttb__probe;

/* The hot-cold rule: of those with `mask`'s bit set, the cold one (rif not above
 * theta) with the lowest latency; if all are hot, the one with the lowest rif.
 * mask is not 0. */
static inline uint32_t ttb__hot_cold(const ttb__probe *p, uint32_t mask, uint32_t theta) {
  uint32_t cold = UINT32_MAX, hot = 0;
  uint64_t best = UINT64_MAX, least = UINT64_MAX;
  for (uint32_t i = 0; i < TTB__PROBES && mask >> i; i++) {
    if (!(mask >> i & 1)) continue;
    if (p[i].rif <= theta && (p[i].latency_ns < best || cold == UINT32_MAX))
      best = p[i].latency_ns, cold = i;
    if (p[i].rif < least) least = p[i].rif, hot = i;
  }
  return cold != UINT32_MAX ? cold : hot;
}

/* Its opposite: of the hot the highest rif; if all are cold, the highest latency. */
static inline uint32_t ttb__worst_probe(const ttb__probe *p, uint32_t mask, uint32_t theta) {
  uint32_t cold = 0, hot = UINT32_MAX, most = 0;
  uint64_t slowest = 0;
  for (uint32_t i = 0; i < TTB__PROBES && mask >> i; i++) {
    if (!(mask >> i & 1)) continue;
    if (p[i].rif > theta && p[i].rif >= most) most = p[i].rif, hot = i;
    if (p[i].latency_ns >= slowest) slowest = p[i].latency_ns, cold = i;
  }
  return hot != UINT32_MAX ? hot : cold;
}

/* The quantile (nearest rank) of n ascending numbers, n > 0. */
static inline uint32_t ttb__rif_quantile(const uint32_t *sorted, uint32_t n, uint32_t ppm) {
  uint32_t rank = (uint32_t)(((uint64_t)n * ppm + 999999) / 1000000);
  return sorted[rank > 0 ? (rank < n ? rank : n) - 1 : 0];
}

/* How often a probe may be used, ppm: max(1, (1 + d) / ((1 - m/n) r - r_remove)) with d
 * = 1, r_remove = 1; UINT64_MAX where the formula has no bound: age alone ends it. */
static inline uint64_t ttb__probe_reuse(uint32_t m, uint32_t n, uint64_t rate_ppm) {
  if (n <= m) return UINT64_MAX;
  uint64_t fresh = (n - m) * rate_ppm / n;
  if (fresh <= 1000000) return UINT64_MAX;
  uint64_t uses = UINT64_C(2000000000000) / (fresh - 1000000);
  return uses > 1000000 ? uses : 1000000;
}

#endif
