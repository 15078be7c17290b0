/* SPDX-License-Identifier: MIT */
/* Each target against the median of the others.
 *
 *     m = the (lower) median failure rate of the others, p = m + 1 / calls
 *     outlier if   (failures - calls * p)^2 >= z^2 * calls * p * (1 - p)
 *             and  failures / calls >= m + gap
 *
 * The score test of one binomial proportion, with a leave-one-out median for the
 * reference (after P. Huber's and F. Hampel's robust statistics): dead targets
 * do not move it until they are half of all, and in a healthy set a distance of
 * z = 4.5 deviations and 5 points is rare whatever the number of targets. One
 * failure more than the median is expected of anybody, because the median of few
 * calls is itself a coarse number: without it, 20 targets of 100 calls had 1.8 %
 * false sweeps instead of 0.05 % (tests/sim/outlier.c). A
 * mean and its deviation have both faults (outlier_rate.c). If more than a share
 * of all look bad, it is not they who are: none is ejected, that is counted.
 *
 * I1  Who is above the median of the others has the same one as everybody above
 *     it: the n/2-th rate of all. So one rank is looked for, in three digits: the
 *     table is read six times in all, and 2 KiB of stack are enough.
 * I2  Doubles only through ../base/fp.h: the same everywhere. */
#include "../base/fp.h"
#include "health.h"

#define BITS 26
#define DIGIT 9
_Static_assert((BITS + 1) % DIGIT == 0, "rates up to 1.0 are whole digits");

static uint64_t failure_q26(ttb__outlier_rate r) {
  return ((uint64_t)r.failures << BITS) / r.calls;
}

/* The rate of that rank (from 0) among the judged: digit by digit, as radix sort
 * would, each from a count of those that share the digits before. */
static uint64_t rate_at(const ttb__health *t, bool local, uint32_t rank) {
  uint64_t found = 0;
  ttb__outlier_rate r;
  for (uint32_t shift = BITS + 1; shift > 0;) {
    uint32_t heap[1u << DIGIT] = {0}, digit = 0;
    shift -= DIGIT;
    for (uint32_t i = 0; i < t->capacity; i++) {
      if (!ttb__outlier_rate_of(t, i, local, t->outlier.requests, &r)) continue;
      uint64_t q = failure_q26(r);
      if (q >> shift >> DIGIT == found) heap[q >> shift & ((1u << DIGIT) - 1)]++;
    }
    while (digit < (1u << DIGIT) - 1 && rank >= heap[digit]) rank -= heap[digit++];
    found = found << DIGIT | digit;
  }
  return found;
}

static bool is_outlier(const ttb__outlier_params *p, uint64_t median, ttb__outlier_rate r) {
  uint64_t q = failure_q26(r), one = UINT64_C(1) << BITS, expect = median + one / r.calls;
  if (q <= expect || (q - median) * 1000000 < (uint64_t)p->gap_ppm << BITS) return false;
  ttb__fp z = ttb__fp_div(ttb__fp_int(p->z_ppm), ttb__fp_int(1000000));
  ttb__fp rate = ttb__fp_div(ttb__fp_int(expect), ttb__fp_int(one)), n = ttb__fp_int(r.calls);
  ttb__fp expected = ttb__fp_mul(n, rate), found = ttb__fp_int(r.failures);
  if (ttb__fp_le(found, expected)) return false;
  ttb__fp apart = ttb__fp_sub(found, expected);
  ttb__fp variance = ttb__fp_mul(expected, ttb__fp_sub(ttb__fp_int(1), rate));
  return ttb__fp_le(ttb__fp_mul(ttb__fp_mul(z, z), variance), ttb__fp_mul(apart, apart));
}

void ttb__outlier_robust(ttb__health *t, bool local, uint64_t now) {
  const ttb__outlier_params *p = &t->outlier;
  ttb__outlier_rate r;
  uint32_t n = 0, bad = 0;
  for (uint32_t i = 0; i < t->capacity; i++)
    n += ttb__outlier_rate_of(t, i, local, p->requests, &r);
  ttb__store_rlx(&t->ejections->judged, n < p->hosts ? 0 : n);
  if (n < p->hosts) return;
  uint64_t median = rate_at(t, local, (n - 2) / 2);
  uint64_t offset = UINT64_C(1) << 31, good = 1000000 - (median * 1000000 >> BITS);
  ttb__store_rlx(&t->ejections->rates,
                 (good + offset) << 32 | (uint32_t)(good - p->gap_ppm + offset));
  for (uint32_t i = 0; i < t->capacity; i++)
    bad += ttb__outlier_rate_of(t, i, local, p->requests, &r) && is_outlier(p, median, r);
  if (p->systemic_ppm != 0 && bad * UINT64_C(1000000) > (uint64_t)p->systemic_ppm * n) {
    (void)ttb__add_rlx(&t->ejections->systemic, 1);
    return;
  }
  for (uint32_t i = 0; bad > 0 && i < t->capacity; i++)
    if (ttb__outlier_rate_of(t, i, local, p->requests, &r) && is_outlier(p, median, r))
      (void)ttb__outlier_detect(t, i, ttb__target_gen(ttb__load_rlx(&t->slots[i].state)),
                                p->enforce_rate, now);
}
