/* SPDX-License-Identifier: MIT */
/* Weights that endpoints earn by their load reports: the formulas. See load_weights.c. */
#ifndef TTB_LIB_BALANCER_LOAD_WEIGHTS_H
#define TTB_LIB_BALANCER_LOAD_WEIGHTS_H

#include "balancer.h"

/* What one endpoint is known to be worth. All zero: nothing. */
typedef struct ttb__worth {
  ttb__a64 weight; /* calls in 1000 s it would answer at full load, below 2^62 */
  ttb__a64 times;  /* ms, low 32 bits: since when without a break, last report; 0: never */
} ttb__worth;
_Static_assert(sizeof(ttb__worth) == 16, "layout");

/* qps / (utilisation + penalty * eps / qps); 0 if the report does not say enough. */
static inline uint64_t ttb__worth_by_load(const ttb_load *l, uint32_t penalty_ppm) {
  if (l->utilisation_ppm <= 0 || l->qps_milli == 0) return 0;
  /* errors a call in ppm: eps and qps are below 2^41 */
  uint64_t errors = l->eps_milli < l->qps_milli * 1000 ? l->eps_milli * 1000000 / l->qps_milli
                                                       : UINT64_C(1000000000);
  uint64_t load = (uint64_t)l->utilisation_ppm + errors * penalty_ppm / 1000000;
  return l->qps_milli * 1000000 / load;
}

/* The sum of n worths, 0 for unknown, is theirs to make; this is what one of them
 * weighs: unknown ones as the mean of the known, none below a hundredth of it or above
 * ten times. most: the largest worth that is known. */
static inline uint32_t ttb__weight_by_worth(uint64_t worth, uint64_t mean, uint64_t most) {
  uint64_t low = mean / 100, high = mean < UINT64_MAX / 10 ? mean * 10 : UINT64_MAX;
  if (most > high) most = high;
  if (worth == 0) worth = mean;
  if (worth < low) worth = low;
  if (worth > most) worth = most;
  while (most >> 47) most >>= 1, worth >>= 1;
  if (most == 0) return 1;
  uint64_t weight = (worth * 65535 + most / 2) / most;
  return weight < 1 ? 1 : weight < 65535 ? (uint32_t)weight : 65535;
}

/* Part of a report. */
void ttb__load_heard(const ttb__balancer *b, const ttb__ended *e);

#endif
