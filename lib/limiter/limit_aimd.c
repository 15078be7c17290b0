/* SPDX-License-Identifier: MIT */
/* AIMD: one more while calls come back, a tenth less when one is dropped.
 *
 *     dropped                  limit = floor(limit * backoff)
 *     inflight >= limit / 2    limit = limit + 1
 *
 * Additive increase, multiplicative decrease (D.-M. Chiu, R. Jain, 1989), as in
 * Netflix's concurrency-limits (AIMDLimit.java). A limit that is not half used
 * is not raised: nothing would have tested it.
 *
 * I1  The limit is a whole number of calls. */
#include "limits.h"

void ttb__limit_aimd(const ttb__limit_params *p, ttb__limit_state *s, const ttb__limit_sample *x) {
  uint64_t calls = s->limit >> 32;
  if (x->dropped) calls = ttb__limit_part(calls, p->backoff);
  else if (2 * (uint64_t)x->inflight >= calls) calls++;
  s->limit = ttb__limit_clamp(p, calls << 32);
}
