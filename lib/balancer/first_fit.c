/* SPDX-License-Identifier: MIT */
/* First fit: the first endpoint, in the order of slots, that has room; so the
 * last ones stay idle and can be switched off.
 *
 * The rule of HAProxy's `balance first`, whose maxconn of a server is here the
 * endpoint's weight: so many calls it takes at a time. When all are full HAProxy
 * queues; here the least loaded for its weight gets the call, as in
 * least_connections.c.
 *
 * I1  As I1 of least_connections.c: exact at rest. Beside other threads each may
 *     put one call too many on an endpoint that another is just filling.
 * I2  It refuses only if nobody may be picked. */
#include "balancer.h"

/* At the worst every endpoint's line is looked at. */
#define MAX_ENDPOINTS 4096

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  for (uint32_t slot = ttb__balancer_next(b, 0, x); slot < b->capacity;
       slot = ttb__balancer_next(b, slot + 1, x)) {
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w && ttb__in_flight(ttb__endpoint_at(b, slot), active) < ttb__word_weight(w))
      return ttb__candidate(slot, w);
  }
  return ttb__choose_least(b, hash, x);
}

const ttb__algorithm ttb__first_fit = {
    .number = TTB_BALANCER_FIRST_FIT,
    .max_endpoints = MAX_ENDPOINTS,
    .tracks = 1,
    .entries = ttb__roster_entries,
    .scratch = ttb__no_scratch,
    .build = ttb__roster_build,
    .choose = choose,
};
