/* SPDX-License-Identifier: MIT */
/* Views: reading a caller's rows, and counting what they come to. */
#ifndef TTB_LIB_HEALTH_HEALTH_VIEW_H
#define TTB_LIB_HEALTH_HEALTH_VIEW_H

#include "health.h"

/* One member as it stands now. */
typedef struct ttb__member_state {
  uint32_t level;  /* as a reader sees it, 0..TTB_STATUS_STALE */
  int32_t counted; /* TTB_STATUS_HEALTHY (pass), _DEGRADED (warn), _UNHEALTHY (fail) */
  uint64_t word;   /* the target's state word */
} ttb__member_state;

/* The running count over a view's members. */
typedef struct ttb__tally {
  uint32_t by_level[TTB_STATUS_STALE + 1];
  uint32_t pass, warn; /* of those that are not info */
  int32_t worst;       /* optional ones as a warning at the worst */
} ttb__tally;

/* Reads and checks a view; ret gets the full struct. */
int32_t ttb__view_read(const ttb_health_view *view, ttb_health_view *ret, ttb_detail *d);
/* Reads and checks row i of a view that has been read. */
int32_t ttb__member_read(const ttb__health *t, const ttb_health_view *v, uint32_t i,
                         ttb_health_member *ret, ttb_detail *d);
/* Both for all rows: what every call on a view does first. */
int32_t ttb__view_check(const ttb__health *t, const ttb_health_view *view, ttb_health_view *ret,
                        ttb_detail *d);

ttb__member_state ttb__member_state_of(const ttb__health *t, const ttb_health_view *v,
                                       uint32_t slot, uint64_t now);
void ttb__tally_add(ttb__tally *y, int32_t criticality, ttb__member_state m);
/* What it comes to: TTB_STATUS_HEALTHY, _DEGRADED, _UNHEALTHY. */
int32_t ttb__tally_status(const ttb__tally *y, const ttb_health_view *v);
/* Fills a caller's summary, if there is one. */
int32_t ttb__tally_write(const ttb__tally *y, const ttb_health_view *v, ttb_health_summary *ret);

#endif
