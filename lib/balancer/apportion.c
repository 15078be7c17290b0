/* SPDX-License-Identifier: MIT */
/* How many entries of a table each endpoint gets: apportionment by the method of
 * Webster and Sainte-Lague, with one for everybody first.
 *
 * M. Balinski, H. Young, "Fair Representation" (1982): an endpoint of weight w
 * claims its k-th entry (from 0) at (k + 1/2) / w, the first at 0, and the m lowest
 * of all claims are heard. A claim does not depend on the others, which is why
 * this method and not one that rounds quotas:
 *
 * I1  When somebody leaves or becomes lighter, no other's share shrinks; when
 *     somebody comes or becomes heavier, no other's grows. (Largest remainders,
 *     for example, sometimes take from one survivor for another.)
 * I2  The result depends on the weights and their order only. Equal weights get
 *     shares that differ by 1 at the most.
 * I3  Claims are rounded down to 2^-39 of 1 / w, and compared as integers. */
#include "apportion.h"

/* (2k + 1) of a claim stands this far left: below 2^62 for k < 2^23. */
#define CLAIM_BITS 38

/* How many of its claims are `value` or lower. */
static uint32_t heard(uint32_t weight, uint64_t value) {
  uint64_t odd = ((value + 1) * weight - 1) >> CLAIM_BITS; /* the largest 2k + 1, or 1 more */
  return odd ? (uint32_t)((odd - 1) / 2) + 1 : 1;
}

static uint64_t heard_of_all(const uint32_t *weight, uint32_t n, uint64_t value) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += heard(weight[i], value);
  return sum;
}

void ttb__apportion(const uint32_t *weight, uint32_t *share, uint32_t n, uint32_t m) {
  uint32_t most = 1;
  for (uint32_t i = 0; i < n; i++)
    if (weight[i] > most) most = weight[i];
  /* The lowest value by which m are heard: the heaviest alone has m claims below
   * `high`, so that (value + 1) * weight stays below 2^63. */
  uint64_t low = 0, high = ((2 * (uint64_t)m + 1) << CLAIM_BITS) / most;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (heard_of_all(weight, n, middle) < m) low = middle + 1;
    else high = middle;
  }
  /* All that are lower; then of those at it as many as there are entries. */
  uint64_t left = m;
  for (uint32_t i = 0; i < n; i++) {
    share[i] = low ? heard(weight[i], low - 1) : 1;
    left -= share[i] < left ? share[i] : left;
  }
  for (uint32_t i = 0; i < n && left > 0; i++)
    if (low && heard(weight[i], low) > share[i]) share[i]++, left--;
}
