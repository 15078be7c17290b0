/* SPDX-License-Identifier: MIT */
/* Inside an accumulator of pods: the sums, and what rebalance.c reads of them.
 *
 * I1  Sums are 128 bits of two's complement: 2^32 values of 64 bits fit, so no
 *     order of adding wraps.
 * I2  A ratio of sums that are larger is taken of their halves, quarters, ...
 * I3  What a second pass needs of a pod besides its group's request and count is
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

/* trunc(s / n), saturating; n is not 0. */
static inline int64_t ttb__sum_divide(ttb__sum s, uint32_t n) {
  bool below = s.hi < 0;
  uint64_t hi = (uint64_t)s.hi, lo = s.lo;
  if (below) {
    lo = ~lo + 1;
    hi = ~hi + (lo == 0);
  }
  /* Long division, 32 bits a step. */
  uint64_t part[3] = {hi, lo >> 32, lo & 0xffffffff}, q[3], rest = 0;
  q[0] = part[0] / n, rest = part[0] % n;
  for (int i = 1; i < 3; i++) {
    uint64_t step = rest << 32 | part[i];
    q[i] = step / n;
    rest = step % n;
  }
  uint64_t size = q[1] << 32 | q[2];
  if (q[0] > 0 || size > INT64_MAX) return below ? INT64_MIN : INT64_MAX;
  return below ? -(int64_t)size : (int64_t)size;
}

/* Halves both until they are within 64 bits: their ratio stays. */
static inline void ttb__sum_shrink(ttb__sum *a, ttb__sum *b) {
  while ((a->hi ^ (int64_t)a->lo >> 63) | (b->hi ^ (int64_t)b->lo >> 63)) {
    *a = (ttb__sum){a->lo >> 1 | (uint64_t)a->hi << 63, a->hi / 2 - (a->hi % 2 < 0)};
    *b = (ttb__sum){b->lo >> 1 | (uint64_t)b->hi << 63, b->hi / 2 - (b->hi % 2 < 0)};
  }
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
