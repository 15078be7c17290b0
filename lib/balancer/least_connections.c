/* SPDX-License-Identifier: MIT */
/* Least connections: the endpoint with the fewest calls in flight for its
 * weight, found by looking at every eligible one. The rule of nginx' least_conn
 * and IPVS' wlc: compared is in flight / weight, by cross multiplication.
 *
 * I1  Exact as far as a sum of cells can be: at rest it is the minimum; beside
 *     other threads it is the minimum of what they had stored.
 * I2  Equal ones are chosen in proportion to their weights, in one pass (a
 *     weighted reservoir of one): the next of k equals replaces the one held
 *     with probability weight / sum of weights so far. */
#include "balancer.h"

/* A line an endpoint: about 1 us a thousand when they are in the cache. */
#define MAX_ENDPOINTS 4096

int64_t ttb__choose_least(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  (void)hash;
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  int64_t best = TTB_NO_ENDPOINT;
  uint64_t best_load = 0, best_weight = 0, equal = 0;
  for (uint32_t slot = ttb__balancer_next(b, 0, x); slot < b->capacity;
       slot = ttb__balancer_next(b, slot + 1, x)) {
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (!w) continue;
    uint64_t weight = ttb__word_weight(w);
    uint64_t load = ttb__in_flight(ttb__endpoint_at(b, slot), active);
    if (best >= 0 && load * best_weight > best_load * weight) continue;
    if (best >= 0 && load * best_weight == best_load * weight) {
      equal += weight;
      if (ttb__mulhi(ttb__random_next(&b->random), equal) >= weight) continue;
    } else {
      equal = weight;
    }
    best = ttb__candidate(slot, w);
    best_load = load;
    best_weight = weight;
  }
  return best;
}

const ttb__algorithm ttb__least_connections = {
    .number = TTB_BALANCER_LEAST_CONNECTIONS,
    .max_endpoints = MAX_ENDPOINTS,
    .tracks = 1,
    .entries = ttb__roster_entries,
    .scratch = ttb__no_scratch,
    .build = ttb__roster_build,
    .choose = ttb__choose_least,
};
