/* SPDX-License-Identifier: MIT */
/* Tickets of a closed breaker that are checked one by one
 * (TTB_BREAKER_CHECK_TICKETS): a ring of the tickets that a row has out. Handles
 * that never joined share one more ring.
 *
 *     next  = how many were given out
 *     entry = out 1 | the ticket that is out, or was last
 *
 * A ticket's permit tells its place: 13 bits of `next`, above the numbers that
 * half-open probes use.
 *
 * I1  A ticket is out while its entry is exactly {1, ticket}; one of many reports
 *     wins the compare-and-swap that ends it.
 * I2  Places are used in turn. With more than `tickets` out the oldest is
 *     forgotten (its report is stale), so a ticket nobody reports costs nothing,
 *     and the dead need no cleaning here. */
#ifndef TTB_LIB_BREAKER_RECEIPTS_H
#define TTB_LIB_BREAKER_RECEIPTS_H

#include "breaker.h"

#define TTB__RECEIPT_OUT (UINT64_C(1) << 63)
#define TTB__RECEIPT_USES 8192u

static inline uint64_t ttb__receipts_stride(uint32_t tickets) { return 64 + 8 * (uint64_t)tickets; }

static inline ttb__a64 *ttb__receipts_of(const ttb__breaker *b, uint32_t row) {
  uint64_t ring = row == TTB__NO_ROW ? b->threads : row;
  return (ttb__a64 *)(void *)(b->receipts + ring * ttb__receipts_stride(b->tickets));
}

/* The permit of the n-th ticket of a row, and back. */
static inline uint32_t ttb__receipt_permit(uint32_t n) {
  return ((n >> 9) + 1 + TTB__BREAKER_MAX_PROBES) | (n & 0x1ff) << 6;
}
static inline uint32_t ttb__receipt_number(uint32_t permit) {
  return (((permit & 0x3f) - 1 - TTB__BREAKER_MAX_PROBES) << 9) | permit >> 6;
}
static inline bool ttb__permit_is_receipt(uint32_t permit) {
  return (permit & 0x3f) > TTB__BREAKER_MAX_PROBES;
}

static inline int64_t ttb__receipt_issue(const ttb__breaker *b, uint32_t slot, uint32_t gen) {
  ttb__a64 *ring = ttb__receipts_of(b, b->row);
  uint64_t n;
  if (b->row == TTB__NO_ROW) {
    n = ttb__add_rlx(ring, 1);
  } else { /* nobody else's */
    n = ttb__load_rlx(ring);
    ttb__store_rlx(ring, n + 1);
  }
  uint32_t use = (uint32_t)n & (TTB__RECEIPT_USES - 1);
  int64_t ticket = ttb__ticket_pack(slot, gen, b->row, ttb__receipt_permit(use));
  ttb__store_rlx(&ring[8 + (use & (b->tickets - 1))], (uint64_t)ticket | TTB__RECEIPT_OUT);
  return ticket;
}

/* True for the one report that ends it. */
static inline bool ttb__receipt_redeem(const ttb__breaker *b, int64_t ticket) {
  ttb__ticket t = ttb__ticket_unpack(ticket);
  if (!ttb__permit_is_receipt(t.permit) || (t.row != TTB__NO_ROW && t.row >= b->threads))
    return false;
  uint32_t use = ttb__receipt_number(t.permit) & (TTB__RECEIPT_USES - 1);
  uint64_t out = (uint64_t)ticket | TTB__RECEIPT_OUT;
  ttb__a64 *entry = &ttb__receipts_of(b, t.row)[8 + (use & (b->tickets - 1))];
  return ttb__cas_rlx(entry, &out, (uint64_t)ticket);
}

#endif
