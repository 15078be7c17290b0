/* SPDX-License-Identifier: MIT */
/* Inside an accumulator of pods: the sums, and what rebalance.c reads of them.
 *
 * I1  Sums are 128 bits of two's complement: 2^32 values of 64 bits fit, so no
 *     order of adding wraps. They become 64 bits, saturating, only when read.
 * I2  What a second pass needs of a pod besides its group's request and count is
 *     one sum, since max(100 %, target) is known at the start. */
#ifndef TTB_LIB_AUTOSCALER_PODS_H
#define TTB_LIB_AUTOSCALER_PODS_H

#include "../base/fp.h"
#include "../base/handle.h"

#include <trimtab/autoscaler.h>

typedef struct ttb__sum {
  uint64_t lo;
  int64_t hi;
} ttb__sum;

static inline void ttb__sum_add(ttb__sum *s, int64_t n) {
  uint64_t before = s->lo;
  s->lo += (uint64_t)n;
  s->hi += (n < 0 ? -1 : 0) + (s->lo < before);
}

static inline ttb__sum ttb__sum_of(ttb__sum a, ttb__sum b) {
  ttb__sum s = {a.lo + b.lo, a.hi + b.hi};
  s.hi += s.lo < a.lo;
  return s;
}

static inline int64_t ttb__sum_read(ttb__sum s) {
  if (s.hi > 0 || (s.hi == 0 && s.lo > INT64_MAX)) return INT64_MAX;
  if (s.hi < -1 || (s.hi == -1 && s.lo <= INT64_MAX)) return INT64_MIN;
  return (int64_t)s.lo;
}

typedef struct ttb__pods {
  uint64_t tag;
  int64_t target, now, init_ms, delay_ms;
  uint32_t kind, flags;
  ttb__sum value[2];   /* of the measured; of samples without a pod */
  ttb__sum request[3]; /* of the measured, the missing, the unready */
  ttb__sum filled;     /* the missing at max(100 %, target) of their request */
  uint32_t group[5];   /* how many, by TTB_PODS_*; [0]: samples without a pod */
  uint32_t samples;    /* of listed pods, whatever group; and of others */
  uint32_t listed, requestless, serving, reserved;
} ttb__pods;
_Static_assert(sizeof(ttb__pods) <= sizeof(ttb_pods), "the accumulator's size is frozen");

#define TTB__PODS_TAG UINT64_C(0x73646f7062747431)

#endif
