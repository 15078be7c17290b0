/* SPDX-License-Identifier: MIT */
/* Averages over a window of buckets, plain and weighted.
 *
 * After pkg/autoscaler/aggregation/bucketing.go of knative/serving@98e5ef90: what
 * was recorded late counts if its bucket is still in the window; buckets without
 * data since the last record do not count in a plain average, and take their
 * weight in a weighted one.
 *
 * I1  Buckets are within -2^52..2^52, so no sum of them wraps.
 * I2  Weights are of 2^62 and computed by multiplication only; the root that gives
 *     them is found by halving an interval, so all platforms have the same. */
#include "knative.h"

#include "../base/mulhi.h"

#include <string.h>

#define MOST (INT64_C(1) << 52)
#define ONE (UINT64_C(1) << 62)

static int64_t cut(int64_t n) { return n > MOST ? MOST : n < -MOST ? -MOST : n; }

static uint64_t times(uint64_t a, uint64_t b) { return ttb__mulhi(a << 1, b << 1); }

static uint64_t power(uint64_t base, uint32_t n) {
  uint64_t p = ONE;
  for (; n > 0; n >>= 1) {
    if (n & 1) p = times(p, base);
    base = times(base, base);
  }
  return p;
}

/* The n-th root of 1/10,000, at most 0.8: what remains for the older buckets. */
static uint64_t rest_of(uint32_t n) {
  uint64_t low = 0, high = ONE / 5 * 4;
  if (power(high, n) > ONE / 10000) {
    while (high - low > 1) {
      uint64_t middle = low + (high - low) / 2;
      if (power(middle, n) > ONE / 10000) high = middle;
      else low = middle;
    }
  }
  return high;
}

static ttb__knative_window *open_window(const ttb_knative_window *h) {
  ttb__knative_window *w = (ttb__knative_window *)(uintptr_t)h;
  bool live = w && w->tag == TTB__KNATIVE_WINDOW_TAG && w->n > 0 &&
              w->n <= TTB_KNATIVE_MAX_BUCKETS && w->bucket_ms > 0;
  return live ? w : NULL;
}

/* Bucket numbers begin with 1: 0 stands for none. */
static uint64_t number_of(const ttb__knative_window *w, uint64_t now_ns) {
  return now_ns / 1000000 / w->bucket_ms + 1;
}

int32_t ttb_knative_window_start(ttb_knative_window *ret, uint32_t window_ms, uint32_t bucket_ms) {
  if (!ret) return TTB_ERR_MISUSE;
  if (window_ms == 0 || window_ms > 3600000 || bucket_ms == 0 || bucket_ms > window_ms)
    return TTB_ERR_RANGE;
  uint32_t n = (window_ms + bucket_ms - 1) / bucket_ms;
  if (n > TTB_KNATIVE_MAX_BUCKETS) return TTB_ERR_RANGE;
  memset(ret, 0, sizeof *ret);
  ttb__knative_window *w = (ttb__knative_window *)(void *)ret;
  w->tag = TTB__KNATIVE_WINDOW_TAG;
  w->n = n;
  w->bucket_ms = bucket_ms;
  w->rest = rest_of(n);
  return TTB_OK;
}

int32_t ttb_knative_window_record(ttb_knative_window *h, uint64_t now_ns, int64_t value) {
  ttb__knative_window *w = open_window(h);
  if (!w) return TTB_ERR_MISUSE;
  uint64_t at = number_of(w, now_ns);
  if (w->last == 0 || (at > w->last && at - w->last >= w->n)) {
    memset(w->bucket, 0, sizeof w->bucket);
    w->first = w->last = at;
  } else if (at > w->last) {
    while (w->last < at) w->bucket[++w->last % w->n] = 0;
  } else if (w->last - at >= w->n) {
    return TTB_OK;
  }
  if (at < w->first) w->first = at;
  int64_t *bucket = &w->bucket[at % w->n];
  *bucket = cut(cut(*bucket) + cut(value));
  return TTB_OK;
}

static int64_t plain(const ttb__knative_window *w, uint32_t ago) {
  uint64_t span = w->last - w->first + 1, n = w->n - ago;
  int64_t sum = 0;
  if (span < n) n = span;
  for (uint32_t i = 0; i < w->n - ago; i++)
    if (i < w->last) sum += cut(w->bucket[(w->last - i) % w->n]);
  int64_t half = (int64_t)(n / 2);
  return (sum + (sum < 0 ? -half : half)) / (int64_t)n;
}

static int64_t weighted(const ttb__knative_window *w, uint32_t ago) {
  uint64_t rest = w->rest < ONE ? w->rest : 0, weight = times(ONE - rest, power(rest, ago));
  int64_t sum = 0;
  for (uint32_t i = 0; i < w->n - ago && i < w->last; i++) {
    int64_t v = cut(w->bucket[(w->last - i) % w->n]);
    uint64_t size = (uint64_t)(v < 0 ? -v : v);
    int64_t part = (int64_t)ttb__mulhi(size << 10, weight << 2); /* of 1024 */
    sum += v < 0 ? -part : part;
    weight = times(weight, rest);
  }
  return (sum + (sum < 0 ? -512 : 512)) / 1024;
}

int32_t ttb_knative_window_average(const ttb_knative_window *h, uint64_t now_ns,
                                   uint32_t is_weighted, int64_t *ret) {
  const ttb__knative_window *w = open_window(h);
  if (!w || !ret) return TTB_ERR_MISUSE;
  if (is_weighted > 1) return TTB_ERR_RANGE;
  uint64_t at = number_of(w, now_ns), ago = at > w->last ? at - w->last : 0;
  if (w->last == 0 || ago >= w->n || w->first > w->last) *ret = 0;
  else *ret = is_weighted ? weighted(w, (uint32_t)ago) : plain(w, (uint32_t)ago);
  return TTB_OK;
}
