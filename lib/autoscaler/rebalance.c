/* SPDX-License-Identifier: MIT */
/* From the sums of pods to a proposal, in two passes.
 *
 * After GetResourceReplicas and calcPlainMetricReplicas of replica_calculator.go
 * and metrics/utilization.go of Kubernetes.
 *
 * I1  The double operations are the HPA's in its order; a ratio keeps its sign
 *     beside it, since ttb__fp has none.
 * I2  Where upstream's integers would wrap, these saturate. */
#include "pods.h"

#include "../base/mulhi.h"

#include "autoscaler.h"

/* What one pass looks at. */
typedef struct pass {
  ttb__sum value, request;
  uint32_t known, all; /* pods; pods and samples without one */
} pass;

typedef struct ratio {
  bool negative;
  ttb__fp size;
  int64_t shown; /* the utilisation or the average, milli */
} ratio;

static int compare(ratio r) {
  ttb__fp one = ttb__fp_int(1);
  if (r.negative || !ttb__fp_le(one, r.size)) return -1;
  return ttb__fp_le(r.size, one) ? 0 : 1;
}

static bool within(const ttb__autoscaler *a, ratio r) {
  return !r.negative && ttb__autoscaler_within(a, r.size);
}

static int32_t times(ratio r, uint32_t n) {
  if (r.negative) return 0;
  return ttb__saturate32(ttb__fp_ceil(ttb__fp_mul(r.size, ttb__fp_int(n))));
}

/* False: there is nothing to divide by. */
static bool take(const ttb__scaled_metric *m, const ttb__pods *p, const pass *x, ratio *ret) {
  int64_t shown;
  if (m->kind == TTB_AUTOSCALER_UTILISATION) {
    ttb__sum s = x->value, r = x->request;
    ttb__sum_shrink(&s, &r);
    int64_t value = (int64_t)s.lo, request = (int64_t)r.lo;
    if (request <= 0) return false;
    bool fine = m->flags & TTB_AUTOSCALER_FINE, below = value < 0;
    int64_t size = below ? (value == INT64_MIN ? INT64_MAX : -value) : value;
    size = ttb__scale(size, fine ? 100000 : 100, request);
    if (!fine) size = (int64_t)ttb__saturate32(size) * 1000;
    shown = below ? -size : size;
  } else {
    if (x->all == 0) return false;
    shown = ttb__sum_divide(ttb__sum_of(x->value, p->value[1]), x->all);
  }
  uint64_t size = shown < 0 ? UINT64_C(0) - (uint64_t)shown : (uint64_t)shown;
  *ret = (ratio){shown < 0, ttb__fp_div(ttb__fp_int(size), m->divisor), shown};
  return true;
}

static int64_t ppm_of(ratio r) {
  return r.negative ? -1 : ttb__fp_floor(ttb__fp_mul(r.size, ttb__fp_int(1000000)));
}

/* The missing with what speaks against the change, the unready at 0 against one up. */
static void rebalance(const ttb__pods *p, int toward, pass *x) {
  uint32_t missing = p->group[TTB_PODS_MISSING], unready = p->group[TTB_PODS_UNREADY];
  if (toward != 0) {
    x->known += missing;
    x->all += missing;
    x->request = ttb__sum_of(x->request, p->request[1]);
  }
  if (toward < 0 && p->kind == TTB_PODS_UTILISATION) {
    x->value = ttb__sum_of(x->value, p->filled);
  } else if (toward < 0) {
    uint64_t target = (uint64_t)p->target;
    x->value = ttb__sum_of(
        x->value, (ttb__sum){target * missing, (int64_t)ttb__mulhi(target, missing)});
  }
  if (toward > 0) {
    x->known += unready;
    x->all += unready;
    x->request = ttb__sum_of(x->request, p->request[2]);
  }
}

static int32_t failure_of(const ttb__pods *p) {
  if (p->samples == 0) return TTB_AUTOSCALER_NO_SAMPLES;
  if (p->listed == 0) return TTB_AUTOSCALER_NO_PODS;
  if (p->group[TTB_PODS_READY] + p->group[0] == 0) return TTB_AUTOSCALER_ALL_UNREADY;
  if (p->kind == TTB_PODS_UTILISATION && p->requestless > 0) return TTB_AUTOSCALER_NO_REQUEST;
  return 0;
}

bool ttb__pods_match(const ttb_pods *h, const ttb__scaled_metric *m) {
  const ttb__pods *p = ttb__pods_of(h);
  return p && p->kind == m->kind && p->target == m->target && m->method == TTB_AUTOSCALER_RATIO;
}

static ttb__proposal steady(int32_t current, bool exact) {
  return (ttb__proposal){current, exact ? TTB_AUTOSCALER_STEADY : TTB_AUTOSCALER_TOLERANCE, 0, -1};
}

ttb__proposal ttb__pods_propose(const ttb__autoscaler *a, const ttb__scaled_metric *m,
                                const ttb_pods *pods, int32_t current, ttb__told *told) {
  const ttb__pods *p = ttb__pods_of(pods);
  uint32_t ready = p->group[TTB_PODS_READY];
  ratio first, second;
  if (told) {
    told->ready = (int32_t)ready;
    told->unready = (int32_t)p->group[TTB_PODS_UNREADY];
    told->unmeasured = (int32_t)p->group[TTB_PODS_MISSING];
    told->ignored = (int32_t)p->group[TTB_PODS_IGNORED];
  }
  int32_t failure = failure_of(p);
  if (failure) return ttb__no_proposal(failure);
  pass x = {p->value[0], p->request[0], ready, ready + p->group[0]};
  if (!take(m, p, &x, &first)) return ttb__no_proposal(TTB_AUTOSCALER_NO_CAPACITY);
  if (told) {
    told->value_milli = first.shown;
    told->ratio_ppm = ppm_of(first);
    told->raw_milli = m->kind == TTB_AUTOSCALER_UTILISATION
                          ? ttb__sum_divide(x.value, x.known)
                          : first.shown;
  }
  int toward = compare(first);
  bool unready = toward > 0 && p->group[TTB_PODS_UNREADY] > 0;
  if (!unready && p->group[TTB_PODS_MISSING] == 0) {
    if (within(a, first)) return steady(current, toward == 0);
    return ttb__propose(times(first, ready), current);
  }
  rebalance(p, toward, &x);
  if (!take(m, p, &x, &second)) return ttb__no_proposal(TTB_AUTOSCALER_NO_CAPACITY);
  if (told) told->second_ppm = ppm_of(second);
  int now = compare(second);
  if (within(a, second) || toward * now < 0) return steady(current, now == 0);
  int32_t n = times(second, x.all);
  if ((now < 0 && n > current) || (now > 0 && n < current)) return steady(current, false);
  return ttb__propose(n, current);
}
