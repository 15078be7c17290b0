/* SPDX-License-Identifier: MIT */
/* Weights by load reports (TTB_BALANCER_LOAD_WEIGHTS): an endpoint that answers many
 * calls at little load is given more.
 *
 * gRPC's client-side weighted round robin (gRFC A58) on ORCA's reports, as Envoy has it
 * too: weight = qps / (utilisation + penalty * eps / qps); a report without qps or
 * utilisation counts for nothing; reports count only after load_blackout_ms of them, and
 * none after load_expiry_ms without; who is not known weighs the mean of the others; and
 * as in gRPC's C++ core all lie between a hundredth of the mean and ten times.
 *
 * Reports are noted an endpoint; ttb_balancer_reweigh, which the caller makes from time
 * to time, makes them weights of the endpoints' words, and one new table if the
 * algorithm has weights in it. So they serve every algorithm that knows weights.
 *
 * I1  What is noted is a hint of two words, written by whoever reports last. They may
 *     be of two reports: both are of that endpoint, and the next one mends it.
 * I2  A cause is never touched: whoever was set to weight 0 stays without calls.
 * I3  Times are the caller's ms, modulo 2^32, compared by difference; one in the
 *     future is now. */
#include "load_weights.h"

static ttb__worth *worth_of(const ttb__balancer *b, uint32_t slot) {
  return (ttb__worth *)ttb__balancer_part(b, b->worths_at) + slot;
}

static uint32_t elapsed(uint32_t now, uint32_t then) {
  return (int32_t)(now - then) > 0 ? now - then : 0;
}
/* Never 0, which is "never". */
static uint32_t ms_of(uint64_t now_ns) { return (uint32_t)(now_ns / 1000000) | 1; }

void ttb__load_heard(const ttb__balancer *b, const ttb__ended *e) {
  uint64_t weight = ttb__worth_by_load(e->load, b->error_penalty);
  ttb__worth *worth = worth_of(b, e->slot);
  if (weight == 0) return;
  uint32_t now = ms_of(e->now_ns);
  uint64_t times = ttb__load_rlx(&worth->times);
  if (times == 0 || elapsed(now, (uint32_t)times) >= b->load_expiry)
    times = (uint64_t)now << 32; /* it begins anew */
  ttb__store_rlx(&worth->weight, weight);
  ttb__store_rlx(&worth->times, (times & ~(uint64_t)UINT32_MAX) | now);
}

/* What counts of it now. */
static uint64_t worth_now(const ttb__balancer *b, uint32_t slot, uint64_t now_ns) {
  const ttb__worth *worth = worth_of(b, slot);
  uint64_t times = ttb__load_rlx(&worth->times);
  uint32_t now = ms_of(now_ns);
  if (times == 0 || elapsed(now, (uint32_t)times) >= b->load_expiry) return 0;
  if (elapsed(now, (uint32_t)(times >> 32)) < b->load_blackout) return 0;
  return ttb__load_rlx(&worth->weight) & (UINT64_MAX >> 2);
}

static bool weigh(const ttb__balancer *b, uint32_t slot, uint32_t weight) {
  uint64_t w = ttb__load_rlx(&ttb__endpoint_at(b, slot)->word);
  if (ttb__word_weight(w) == weight) return false;
  (void)ttb__balancer_change(b, slot, ttb__word_with_weight(0, 0xffff),
                             ttb__word_with_weight(0, weight));
  ttb__balancer_settle(b, slot);
  return true;
}

int32_t ttb_balancer_reweigh(ttb_balancer *h, uint64_t now_ns) {
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b) return TTB_ERR_MISUSE;
  if (!(b->flags & TTB_BALANCER_LOAD_WEIGHTS)) return TTB_ERR_UNSUPPORTED;
  int32_t code = ttb__lock_try(&b->table->lock, ttb__row_token(b->mine.word));
  if (code < 0) return code;
  uint64_t mean = 0, rest = 0, most = 0;
  uint32_t known = 0;
  for (uint32_t slot = 0; slot < b->capacity; slot++) {
    uint64_t worth = 0;
    if (ttb__word_used(ttb__load_rlx(&ttb__endpoint_at(b, slot)->word)))
      worth = worth_now(b, slot, now_ns);
    if (worth == 0) continue;
    if (worth > most) most = worth;
    known++;
    mean += worth / 1048576; /* sums of 2^20 worths below 2^62 fit, in two parts */
    rest += worth % 1048576;
  }
  if (known > 0) {
    uint64_t left = mean % known * 1048576 + rest;
    mean = mean / known * 1048576 + left / known;
  }
  bool changed = false;
  for (uint32_t slot = 0; slot < b->capacity; slot++) {
    if (!ttb__word_used(ttb__load_rlx(&ttb__endpoint_at(b, slot)->word))) continue;
    uint64_t worth = worth_now(b, slot, now_ns);
    changed |= weigh(b, slot, known > 1 ? ttb__weight_by_worth(worth, mean, most) : 1);
  }
  if (changed && b->algorithm->weighs) ttb__balancer_rebuild(b);
  (void)ttb__lock_unlock(&b->table->lock, ttb__row_token(b->mine.word));
  return (int32_t)known;
}
