/* SPDX-License-Identifier: MIT */
/* Vegas: as many calls as make a short queue.
 *
 *     queue = ceil(limit * (1 - least / latency))      log = log10(limit), at least 1
 *
 *     dropped                  limit - log
 *     inflight < limit / 2     as it is
 *     queue <= log             limit + beta * log      hardly any: a long step
 *     queue < alpha * log      limit + log
 *     queue > beta * log       limit - log
 *     else                     as it is
 *
 * TCP Vegas (L. Brakmo, L. Peterson, 1995) as in Netflix's concurrency-limits
 * (VegasLimit.java). With a backoff the steps down are limit * backoff. The
 * least latency is forgotten now and then, or a good moment long ago would
 * count for ever: after 30 * limit samples, times a jitter of 0.5 to 1.
 *
 *     a = least latency 34
 *     b = how often it was forgotten 24 | samples since 40
 *
 * I1  A sample that gives the least latency a new value changes nothing else. */
#include "limits.h"

#include "../base/random.h"

#define PROBE_EVERY 30u
#define SAMPLES ((UINT64_C(1) << 40) - 1)

/* Whether so many samples are enough to forget the least latency. */
static bool is_over(const ttb__limit_params *p, const ttb__limit_state *s, uint32_t slot,
                    uint64_t samples) {
  uint64_t state = p->seed + ((uint64_t)slot << 40) + (s->b >> 40);
  uint64_t jitter = 500000 + ttb__scale32((uint32_t)(ttb__splitmix(&state) >> 32), 500001);
  return samples >= ttb__limit_part((s->limit >> 32) * PROBE_EVERY, (uint32_t)jitter);
}

static uint64_t lower(const ttb__limit_params *p, uint64_t limit, uint64_t log) {
  if (p->backoff != 0) return ttb__limit_part(limit, p->backoff);
  return limit > log << 32 ? limit - (log << 32) : 0;
}

/* Calls that wait, by Little's law: Q12 keeps the product within 64 bits. */
static uint64_t queue_of(uint64_t limit, uint64_t least, uint64_t latency) {
  uint64_t one = latency << 12;
  return ((limit >> 20) * (latency - least) + one - 1) / one;
}

void ttb__limit_vegas(const ttb__limit_params *p, ttb__limit_state *s,
                      const ttb__limit_sample *x) {
  uint64_t samples = (s->b & SAMPLES) + 1, least = s->a & TTB__LIMIT_LATENCY;
  uint64_t log = ttb__limit_log10(s->limit), next;
  if (x->latency > 0) {
    bool over = is_over(p, s, x->slot, samples);
    s->b = over ? ((s->b >> 40) + 1) << 40 : (s->b & ~SAMPLES) | (samples & SAMPLES);
    if (over || least == 0 || x->latency < least) {
      s->a = x->latency;
      return;
    }
  }
  uint64_t queue = x->latency > 0 ? queue_of(s->limit, least, x->latency) : 0;
  if (x->dropped) next = lower(p, s->limit, log);
  else if (x->latency == 0 || (uint64_t)x->inflight << 33 < s->limit) return;
  else if (queue <= log) next = s->limit + (p->u.vegas.beta * log << 32);
  else if (queue < p->u.vegas.alpha * log) next = s->limit + (log << 32);
  else if (queue > p->u.vegas.beta * log) next = lower(p, s->limit, log);
  else return;
  s->limit = ttb__limit_clamp(
      p, ttb__limit_towards(s->limit, ttb__limit_clamp(p, next), p->smoothing));
}
