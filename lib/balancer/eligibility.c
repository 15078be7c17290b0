/* SPDX-License-Identifier: MIT */
/* Eligibility: who may be picked, and who says otherwise. See I1, I2 in
 * balancer.h.
 *
 * Beside the words lies a bitmap of the eligible, one bit a slot, for those who
 * look for a needle: all-scans, and the answer that there is none.
 *
 * I1  When nobody is between a word's change and its settling, the bit says
 *     what the word says. Each change is followed by a settling, which ends by
 *     finding the word as it was when the bit was written (a read-modify-write
 *     that changes nothing). Of two settlings of one word the later therefore
 *     knows the newest word, and what the earlier wrote came before.
 * I2  A set bit is never believed without its word. A bit that a killed caller
 *     left clear hides an endpoint from the needle-seekers until the next mark
 *     of that endpoint, or recover. */
#include "balancer.h"
#include "../base/bits.h"

uint64_t ttb__balancer_change(const ttb__balancer *b, uint32_t slot, uint64_t clear, uint64_t set) {
  ttb__a64 *word = &ttb__endpoint_at(b, slot)->word;
  uint64_t w = ttb__load_rlx(word), next;
  do {
    if (!ttb__word_used(w)) return 0;
    next = (w & ~clear) | set;
    /* Back: before the word says so, for who sees it there to see that it has yet
     * to begin. */
    if (b->slow_start_ms && ttb__word_eligible(next) && !ttb__word_eligible(w))
      ttb__store_rlx(&ttb__balancer_began(b)[slot], 0);
    /* acquire and release: I1, see ttb__balancer_settle. */
  } while (!ttb__cas_acqrel(word, &w, next));
  return w;
}

void ttb__balancer_settle(const ttb__balancer *b, uint32_t slot) {
  ttb__a64 *word = &ttb__endpoint_at(b, slot)->word, *bits = &ttb__balancer_bitmap(b)[slot / 64];
  uint64_t bit = UINT64_C(1) << slot % 64, w = ttb__load_rlx(word);
  do {
    if (ttb__word_eligible(w))
      ttb__or_rlx(bits, bit);
    else
      ttb__and_rlx(bits, ~bit);
    /* acquire and release: pairs with itself and with ttb__balancer_change in
     * others. Without it an older settling's bit may come after a newer one's. */
  } while (!ttb__cas_acqrel(word, &w, w));
  if (b->algorithm->changed) b->algorithm->changed(b, slot);
  ttb__balancer_changed(b);
}

uint32_t ttb__balancer_next(const ttb__balancer *b, uint32_t from, const ttb__scope *x) {
  const ttb__a64 *bitmap = ttb__balancer_bitmap(b);
  if (x && x->ignored) return from < b->capacity ? from : b->capacity; /* bits know all causes */
  for (uint32_t i = from / 64; i * 64 < b->capacity; i++) {
    uint64_t bits = ttb__load_rlx(&bitmap[i]);
    if (i == from / 64) bits &= ~UINT64_C(0) << from % 64;
    if (bits == 0) continue;
    uint32_t slot = i * 64 + ttb__lowest_bit(bits);
    return slot < b->capacity ? slot : b->capacity;
  }
  return b->capacity;
}

bool ttb__balancer_any(const ttb__balancer *b, const ttb__scope *x) {
  for (uint32_t s = ttb__balancer_next(b, 0, x); s < b->capacity;
       s = ttb__balancer_next(b, s + 1, x))
    if (ttb__eligible_word(b, s, x)) return true;
  return false;
}

int32_t ttb_balancer_mark(const ttb_balancer *h, uint32_t slot, uint32_t causes, int32_t on) {
  const uint32_t all = TTB_CAUSE_WEIGHT - 1;
  const ttb__balancer *b = ttb__balancer_of(h);
  if (!b) return TTB_ERR_MISUSE;
  if (slot >= b->capacity || causes == 0 || causes & ~all || (on != 0 && on != 1))
    return TTB_ERR_RANGE;
  uint64_t bits = (uint64_t)causes << 8;
  uint64_t before = ttb__balancer_change(b, slot, on ? 0 : bits, on ? bits : 0);
  if (before == 0) return TTB_ERR_UNKNOWN_ID;
  ttb__balancer_settle(b, slot);
  return (before & bits) != (on ? bits : 0);
}

int32_t ttb_balancer_set_status(const ttb_balancer *h, uint64_t id, int32_t status) {
  const uint64_t probe = (uint64_t)TTB_CAUSE_PROBE << 8, drain = (uint64_t)TTB_CAUSE_DRAIN << 8;
  const ttb__balancer *b = ttb__balancer_of(h);
  if (!b) return TTB_ERR_MISUSE;
  if (status < TTB_STATUS_UNKNOWN || status > TTB_STATUS_DRAINING) return TTB_ERR_RANGE;
  int32_t slot = ttb_balancer_find(h, id);
  if (slot < 0) return slot;
  uint64_t set = ttb__word_with_status(0, (uint32_t)status);
  if (status == TTB_STATUS_UNHEALTHY || status == TTB_STATUS_STALE) set |= probe;
  if (status == TTB_STATUS_DRAINING) set |= drain;
  uint64_t clear = ttb__word_with_status(0, 7) | probe | drain;
  if (!ttb__balancer_change(b, (uint32_t)slot, clear, set)) return TTB_ERR_UNKNOWN_ID;
  ttb__balancer_settle(b, (uint32_t)slot);
  return TTB_OK;
}

int32_t ttb_balancer_set_status_n(const ttb_balancer *h, const uint64_t *ids,
                                  const int32_t *statuses, uint32_t n, int32_t *ret_codes) {
  if (!ttb__balancer_of(h) || n > INT32_MAX || (n > 0 && (!ids || !statuses)))
    return TTB_ERR_MISUSE;
  int32_t set = 0;
  for (uint32_t i = 0; i < n; i++) {
    int32_t code = ttb_balancer_set_status(h, ids[i], statuses[i]);
    if (ret_codes) ret_codes[i] = code;
    set += code == TTB_OK;
  }
  return set;
}
