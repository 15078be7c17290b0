/* SPDX-License-Identifier: MIT */
/* Peak EWMA: of two endpoints drawn the one where a call is expected to take less
 * time, waiting for those before it included.
 *
 * The rule of finagle's PeakEwma and tower's: load = cost * (in flight + 1), cost
 * being the peak-sensitive average of peak_ewma.h; here per weight, by cross
 * multiplication. As in finagle an endpoint nobody has heard of is taken at once while
 * it is idle, and not again before it has answered.
 *
 * I1  What is known of an endpoint is one shared word; a killed thread loses its
 *     last sample at the most.
 * I2  Costs as read are below 2^32, calls counted to 65,535, weights below 2^16: a
 *     product of three fits 64 bits. */
#include "peak_ewma.h"
#include "two.h"

static inline uint64_t load_of(const ttb__balancer *b, uint32_t slot, uint32_t active) {
  uint64_t in_flight = ttb__in_flight(ttb__endpoint_at(b, slot), active);
  uint64_t word = ttb__load_rlx((ttb__a64 *)ttb__slot_state(b, slot));
  uint64_t cost = ttb__cost_read(word, b->half_life_inverse, b->now);
  if (cost == 0) cost = in_flight ? UINT32_MAX : 0;
  return cost * (in_flight < 65535 ? in_flight + 1 : 65535);
}

static inline int64_t better(const ttb__balancer *b, ttb__two i, ttb__two j, uint32_t coin) {
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  uint64_t wi = ttb__word_weight(i.word), wj = ttb__word_weight(j.word);
  uint64_t li = load_of(b, i.slot, active) * wj, lj = load_of(b, j.slot, active) * wi;
  bool first = li == lj ? ttb__first_of_equals(wi, wj, coin) : li < lj;
  return first ? ttb__candidate(i.slot, i.word) : ttb__candidate(j.slot, j.word);
}

TTB__SELDOM static int64_t search(ttb__balancer *b, const ttb__scope *x) {
  return ttb__search_two(b, x, better);
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  ttb__two i, j;
  (void)hash;
  if (b->seen_length < 2) return ttb__choose_least(b, 0, x);
  uint32_t coin = ttb__draw_two(b, x, &i, &j);
  if (!i.word || !j.word) return search(b, x);
  return better(b, i, j, coin);
}

static void observe(ttb__balancer *b, const ttb__ended *e) {
  if (e->outcome == TTB_IGNORED || e->outcome == TTB_CANCELLED) return;
  ttb__cost_sample(ttb__slot_state(b, e->slot), b->half_life_inverse, e->now_ns, e->latency_ns,
                   e->outcome == TTB_FAILURE);
}

const ttb__algorithm ttb__peak_ewma = {
    .number = TTB_BALANCER_PEAK_EWMA,
    .max_endpoints = TTB_MAX_SLOTS,
    .tracks = 1,
    .entries = ttb__roster_entries,
    .scratch = ttb__no_scratch,
    .build = ttb__roster_build,
    .choose = choose,
    .slot_bytes = 8,
    .observe = observe,
};
