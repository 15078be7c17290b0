/* SPDX-License-Identifier: MIT */
/* Keyed tables: a slot for each 64-bit key, found or claimed.
 *
 * Beside the slots stands an array of keys. A key lives within LOOK
 * places from its home (linear probing, W. Peterson 1957). A place whose slot is
 * idle, that is, not to be told from a new one, may be claimed for another key:
 * nothing has to be erased, so a claim is one compare-and-swap of the key.
 *
 * I1  A place that has a key always has one, so a key is never behind a place
 *     that is 0: there the search ends.
 * I2  Of callers that miss one key, each claims the first place that is idle or
 *     0: the same one, and who loses the exchange looks again and finds it.
 * I3  A place is idle between its claim and the first event. Who claims it for
 *     another key then is charged with that event, and the first key starts anew:
 *     an event too few there, one too many here, once. If a place falls idle
 *     between the looks of two callers of one key, each may have one; the first
 *     is found ever after. Kinds whose cap has to be exact know no idle. */
#include "limiter.h"

#include "../base/random.h"

#define LOOK 32u

static uint32_t home_of(const ttb__limiter *l, uint64_t key) {
  uint64_t state = l->seed ^ key;
  return (uint32_t)ttb__mulhi(ttb__splitmix(&state), l->capacity);
}

static uint32_t next(const ttb__limiter *l, uint32_t place) {
  return place + 1 < l->capacity ? place + 1 : 0;
}

int32_t ttb_limiter_claim(ttb_limiter *h, uint64_t key, uint64_t now_ns) {
  ttb__limiter *l = ttb__limiter_of(h);
  if (!l) return TTB_ERR_MISUSE;
  if (!l->keys) return TTB_ERR_UNSUPPORTED;
  if (key == 0) return TTB_ERR_RANGE;
  uint32_t look = l->capacity < LOOK ? l->capacity : LOOK, home = home_of(l, key);
  for (;;) {
    uint32_t place = home, chosen = UINT32_MAX;
    uint64_t instead = 0, k = 1;
    for (uint32_t i = 0; i < look && k != 0; i++, place = next(l, place)) {
      k = ttb__load_rlx(&l->keys[place]);
      if (k == key) return (int32_t)place;
      if (chosen != UINT32_MAX) continue;
      if (k != 0 && (!l->kind->idle || !l->kind->idle(l, ttb__limiter_slot_at(l, place), now_ns)))
        continue;
      chosen = place, instead = k;
    }
    if (chosen == UINT32_MAX) return TTB_ERR_NOSPACE;
    if (ttb__cas_rlx(&l->keys[chosen], &instead, key)) return (int32_t)chosen;
  }
}

int64_t ttb_limiter_acquire_key(ttb_limiter *h, uint64_t key, uint32_t ask, uint64_t now_ns) {
  int32_t slot = ttb_limiter_claim(h, key, now_ns);
  return slot < 0 ? slot : ttb_limiter_acquire(h, (uint32_t)slot, ask, now_ns);
}

int32_t ttb_limiter_acquire_key_n(ttb_limiter *h, const uint64_t *keys, const uint32_t *asks,
                                  uint32_t n, uint64_t now_ns, int64_t *ret_tickets) {
  if (!ttb__limiter_of(h) || n > INT32_MAX || (n > 0 && (!keys || !ret_tickets)))
    return TTB_ERR_MISUSE;
  int32_t granted = 0;
  for (uint32_t i = 0; i < n; i++) {
    ret_tickets[i] = ttb_limiter_acquire_key(h, keys[i], asks ? asks[i] : 0, now_ns);
    granted += ret_tickets[i] >= 0;
  }
  return granted;
}
