/* SPDX-License-Identifier: MIT */
/* Tickets that are checked one by one (TTB_BALANCER_CHECK_TICKETS): a table of
 * the tickets a row has out. The permit of a ticket is its place in the table
 * (ticket_bits) and, above, a count of the uses of that place.
 *
 *     entry = out 1 | the ticket that is out, or was last
 *
 * I1  A ticket is out while its entry is exactly {1, ticket}; redeeming it is one
 *     compare-and-swap, which one of many reports wins.
 * I2  An entry keeps its ticket when it is redeemed or its row is cleaned, so
 *     the next use of the place has another permit. A report that comes 2^(15 -
 *     ticket_bits) uses late, for the same slot and generation, is mistaken. */
#ifndef TTB_LIB_BALANCER_TICKETS_H
#define TTB_LIB_BALANCER_TICKETS_H

#include "balancer.h"

#define TTB__TICKET_OUT (UINT64_C(1) << 63)

static inline ttb__a64 *ttb__ticket_entries(const ttb__balancer *b, uint32_t row) {
  return (ttb__a64 *)ttb__balancer_part(b, b->tickets_at) + ((uint64_t)row << b->ticket_bits);
}

/* Makes a candidate a ticket of this handle's row; TTB_LIMIT if all are out. */
static inline int64_t ttb__ticket_issue(ttb__balancer *b, int64_t candidate) {
  ttb__a64 *entries = ttb__ticket_entries(b, b->row);
  uint32_t n = 1u << b->ticket_bits;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t place = b->ticket_next++ & (n - 1);
    uint64_t entry = ttb__load_rlx(&entries[place]);
    if (entry & TTB__TICKET_OUT) continue;
    uint32_t use = ((uint32_t)(entry >> 48) >> b->ticket_bits) + 1;
    uint32_t permit = (place | use << b->ticket_bits) & TTB__MAX_PERMIT;
    int64_t ticket = candidate | ttb__ticket_pack(0, 0, b->row, permit);
    ttb__store_rlx(&entries[place], (uint64_t)ticket | TTB__TICKET_OUT);
    return ticket;
  }
  return TTB_LIMIT;
}

/* True for the one report that ends it. The caller has checked the row. */
static inline bool ttb__ticket_redeem(ttb__balancer *b, int64_t ticket) {
  ttb__ticket t = ttb__ticket_unpack(ticket);
  uint32_t place = t.permit & ((1u << b->ticket_bits) - 1);
  uint64_t out = (uint64_t)ticket | TTB__TICKET_OUT;
  return ttb__cas_rlx(&ttb__ticket_entries(b, t.row)[place], &out, (uint64_t)ticket);
}

/* Part of cleaning a row: none of its tickets is out. */
static inline void ttb__tickets_clear(ttb__balancer *b, uint32_t row) {
  for (uint32_t i = 0; i < 1u << b->ticket_bits; i++)
    ttb__and_rlx(&ttb__ticket_entries(b, row)[i], ~TTB__TICKET_OUT);
}

#endif
