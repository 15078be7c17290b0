/* SPDX-License-Identifier: MIT */
/* The public view of a ticket: see ticket.h. */
#include "ticket.h"

#include <trimtab/base.h>

int32_t ttb_ticket_slot(int64_t ticket) {
  if (ticket < 0) return TTB_ERR_MISUSE;
  return (int32_t)ttb__ticket_unpack(ticket).slot;
}
