/* SPDX-License-Identifier: MIT */
/* Tickets: everything a report needs to find its way, in 63 bits.
 *
 *     62........48 47....40 39..........20 19...........0
 *       permit 15    row 8   generation 20     slot 20
 *
 * generation is the slot's (balancer) or the round's (breaker); row is the
 * joined thread that acquired, TTB__NO_ROW for a handle that never joined;
 * permit is free for the module. A ticket is never negative, so it shares its
 * int64 with codes. */
#ifndef TTB_LIB_BASE_TICKET_H
#define TTB_LIB_BASE_TICKET_H

#include <stdint.h>

#define TTB__GEN_BITS 20
#define TTB__GEN_MASK 0xfffffu
#define TTB__NO_ROW 255u
#define TTB__MAX_PERMIT 0x7fffu

typedef struct ttb__ticket {
  uint32_t slot, gen, row, permit;
} ttb__ticket;

static inline int64_t ttb__ticket_pack(uint32_t slot, uint32_t gen, uint32_t row, uint32_t permit) {
  return (int64_t)((uint64_t)slot | (uint64_t)gen << 20 | (uint64_t)row << 40 |
                   (uint64_t)permit << 48);
}

/* Any non-negative number unpacks; the caller checks slot against its table. */
static inline ttb__ticket ttb__ticket_unpack(int64_t ticket) {
  uint64_t t = (uint64_t)ticket;
  return (ttb__ticket){.slot = (uint32_t)(t & 0xfffff),
                       .gen = (uint32_t)(t >> 20 & TTB__GEN_MASK),
                       .row = (uint32_t)(t >> 40 & 0xff),
                       .permit = (uint32_t)(t >> 48)};
}

#endif
