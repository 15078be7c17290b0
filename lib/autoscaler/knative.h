/* SPDX-License-Identifier: MIT */
/* Inside Knative's states: what knative.c and knative_window.c keep.
 *
 * I1  No pointer, every width explicit; what is used as an index is bounded
 *     before, whatever stands there. */
#ifndef TTB_LIB_AUTOSCALER_KNATIVE_H
#define TTB_LIB_AUTOSCALER_KNATIVE_H

#include "../base/fp.h"

#include "../base/config.h"
#include "../base/handle.h"

#include <trimtab/knative.h>

#define TTB__KNATIVE_TAG UINT64_C(0x6b6e617469766531)
#define TTB__KNATIVE_WINDOW_TAG UINT64_C(0x6b6e617477696e31)

/* The largest value of the last `size` indices: a monotone queue whose values fall
 * and whose indices rise. Entries: value 32 | index 32. */
typedef TTB__HANDLE_STRUCT ttb__sliding_max {
  uint32_t head, count;
  uint64_t entry[TTB_KNATIVE_MAX_BUCKETS];
} ttb__sliding_max;

void ttb__sliding_max_record(ttb__sliding_max *m, uint32_t size, uint32_t index, int32_t value);
int32_t ttb__sliding_max_current(const ttb__sliding_max *m);
/* Indices until the largest value leaves; 0: it is the newest. */
uint32_t ttb__sliding_max_left(const ttb__sliding_max *m, uint32_t size, uint32_t index);

typedef TTB__HANDLE_STRUCT ttb__knative {
  uint64_t tag, last; /* ns of the last decision */
  uint64_t panic_since;
  int32_t panicking, panic_maximum;
  ttb__sliding_max delay;
} ttb__knative;
_Static_assert(sizeof(ttb__knative) <= sizeof(ttb_knative), "the state's size is frozen");

typedef TTB__HANDLE_STRUCT ttb__knative_window {
  uint64_t tag, first, last; /* buckets' numbers; last 0: nothing was recorded */
  uint64_t rest;             /* 1 - weight of the newest bucket, of 2^62 */
  uint32_t n, bucket_ms;
  int64_t bucket[TTB_KNATIVE_MAX_BUCKETS];
} ttb__knative_window;
_Static_assert(sizeof(ttb__knative_window) <= sizeof(ttb_knative_window),
               "the state's size is frozen");

#endif
