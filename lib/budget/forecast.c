/* SPDX-License-Identifier: MIT */
/* The forecast: how much more demand than there is the profile of a day, or of a
 * week, has shown for the time to come.
 *
 *     rise = max(profile(now), profile(now + ahead)) - load
 *
 * A bucket of a profile is a mean over its days (weeks), the newest counting a
 * third. The phase of a day is that of the region's clock: no calendar is needed.
 *
 * I1  It only adds, and at the most the load itself.
 * I2  A profile is used once all of it has been filled, while what it said of the
 *     last days was in the mean less than 30 % of the load off; of the two the one
 *     that errs less. */
#include "budget.h"

#define TRUST 5033164u    /* 30 % in Q24 */
#define WORST (4u << 24)  /* a single error at the most */
/* Errors of about a week of 15 s ticks: one in four ticks, 2^SHIFT of them. */
#define SHIFT 13

typedef struct form {
  uint32_t buckets, length_ms;
} form;
static const form day = {TTB__DAY, 300000}, week = {TTB__WEEK, 1800000};

/* The profile at a time, Q12. */
static int32_t at(const form *f, const ttb__a32 *mean, uint64_t v) {
  return ttb__budget_get(&mean[v / f->length_ms % f->buckets]);
}

/* A bucket is over. */
static void finish(const form *f, ttb__profile *p, ttb__a32 *mean, uint32_t bucket, int32_t x,
                   uint32_t error) {
  int32_t old = ttb__budget_get(&mean[bucket]);
  uint32_t filled = ttb__load_rlx(&p->filled);
  if (filled < f->buckets) {
    ttb__store_rlx(&p->filled, filled + 1);
    ttb__store_rlx(&p->error, error);
  }
  ttb__budget_put(&mean[bucket], filled >= f->buckets ? old + (x - old) / 3 : x);
}

/* error: what a profile that has just been filled begins with. */
static void learn(const form *f, ttb__profile *p, ttb__a32 *mean, int32_t x, uint64_t v,
                  uint32_t error) {
  uint64_t end = ttb__load_rlx(&p->end), w = ttb__load_rlx(&p->sum), count = w & 0xffffff;
  if (v >= end || end - v > f->length_ms) {
    /* A bucket that was missed breaks off the filling in of a profile. */
    bool next = v >= end && v - end < f->length_ms && end != 0;
    if (!next && ttb__load_rlx(&p->filled) < f->buckets) ttb__store_rlx(&p->filled, 0);
    if (count > 0 && end >= f->length_ms)
      finish(f, p, mean, (uint32_t)((end / f->length_ms - 1) % f->buckets),
             ttb__budget_cut((int64_t)(w >> 24) / (int64_t)count), error);
    ttb__store_rlx(&p->end, (v / f->length_ms + 1) * f->length_ms);
    w = count = 0;
  }
  /* 2^11 loads of 2^29 fill the sum: a second a tick for half an hour. */
  if (count < 2047) ttb__store_rlx(&p->sum, w + ((uint64_t)(uint32_t)x << 24) + 1);
}

/* What a full profile said of now is judged. False: it is not full. */
static bool judged(const form *f, ttb__profile *p, const ttb__a32 *mean, int32_t x, uint64_t v) {
  if (ttb__load_rlx(&p->filled) < f->buckets) return false;
  int64_t off = (int64_t)x - at(f, mean, v);
  uint64_t error = ((uint64_t)(off < 0 ? -off : off) << 24) / (uint32_t)(x + TTB__BUDGET_ONE / 8);
  uint32_t cut = error < WORST ? (uint32_t)error : WORST;
  ttb__store_rlx(&p->error, (uint32_t)ttb__toward(ttb__load_rlx(&p->error), cut, SHIFT));
  return true;
}

int32_t ttb__forecast(ttb__budget_slot *s, int32_t x, uint64_t v, uint32_t ahead_ms, bool renew) {
  learn(&day, &s->day, s->day_mean, x, v, TRUST);
  learn(&week, &s->week, s->week_mean, x, v, ttb__load_rlx(&s->day.error));
  if (renew) {
    bool by_day = judged(&day, &s->day, s->day_mean, x, v);
    bool by_week = judged(&week, &s->week, s->week_mean, x, v);
    uint32_t day_error = ttb__load_rlx(&s->day.error), week_error = ttb__load_rlx(&s->week.error);
    int32_t most = 0;
    if (by_week && week_error < TRUST && (!by_day || week_error < day_error))
      most = ttb__higher(at(&week, s->week_mean, v), at(&week, s->week_mean, v + ahead_ms));
    else if (by_day && day_error < TRUST)
      most = ttb__higher(at(&day, s->day_mean, v), at(&day, s->day_mean, v + ahead_ms));
    ttb__budget_put(&s->foreseen, most);
  }
  int32_t more = ttb__budget_get(&s->foreseen) - x;
  return more < 0 ? 0 : ttb__lower(more, x);
}

int32_t ttb__forecast_error(const ttb__budget_slot *s) {
  bool by_day = ttb__load_rlx(&s->day.filled) >= TTB__DAY;
  bool by_week = ttb__load_rlx(&s->week.filled) >= TTB__WEEK;
  if (!by_day && !by_week) return -1;
  uint32_t d = ttb__load_rlx(&s->day.error), w = ttb__load_rlx(&s->week.error);
  uint64_t error = by_week && (!by_day || w < d) ? w : d;
  return (int32_t)((error < WORST ? error : WORST) * 1000000 >> 24);
}
