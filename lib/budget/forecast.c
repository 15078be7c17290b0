/* SPDX-License-Identifier: MIT */
/* The forecast: how much more demand the profile of a day, or of a week, has
 * shown for the time to come than for now.
 *
 *     rise = profile(now + ahead) - profile(now)
 *
 * A bucket of a profile is a mean over its days (weeks), the newest counting a
 * third; between the middles of two buckets it is a line. The phase of a day is
 * that of the region's clock: no calendar is needed.
 *
 * I1  It only adds, and at the most the load itself.
 * I2  A profile is used once all of it has been filled, while the mean error of its
 *     buckets is below 30 % of the load; of the two the one that errs less. */
#include "budget.h"

#define TRUST 19660u /* 30 % in Q16 */

typedef struct form {
  uint32_t buckets, length_ms;
} form;
static const form day = {TTB__DAY, 300000}, week = {TTB__WEEK, 1800000};

/* The profile at a time, Q12. */
static int32_t at(const form *f, ttb__a32 *mean, uint64_t v) {
  uint64_t half = f->length_ms / 2, w = v + half;
  uint32_t next = (uint32_t)(w / f->length_ms % f->buckets);
  uint32_t before = next > 0 ? next - 1 : f->buckets - 1;
  int64_t part = (int64_t)(w % f->length_ms), a = ttb__budget_get(&mean[before]);
  return (int32_t)(a + (ttb__budget_get(&mean[next]) - a) * part / f->length_ms);
}

/* A bucket is over: what was foreseen of it is judged, then it is learned. */
static void finish(const form *f, ttb__profile *p, ttb__a32 *mean, uint32_t bucket, int32_t x) {
  int32_t old = ttb__budget_get(&mean[bucket]);
  uint32_t filled = ttb__load_rlx(&p->filled);
  if (filled >= f->buckets) {
    int64_t off = (int64_t)x - old;
    uint64_t error = (uint64_t)(off < 0 ? -off : off) * 65536 / (uint32_t)(x + TTB__BUDGET_ONE / 8);
    uint32_t cut = error < 4 * 65536 ? (uint32_t)error : 4 * 65536;
    ttb__store_rlx(&p->error, (uint32_t)ttb__toward(ttb__load_rlx(&p->error), cut, 5));
  } else {
    ttb__store_rlx(&p->filled, filled + 1);
    ttb__store_rlx(&p->error, 65536);
  }
  ttb__budget_put(&mean[bucket], filled >= f->buckets ? old + (x - old) / 3 : x);
}

static void learn(const form *f, ttb__profile *p, ttb__a32 *mean, int32_t x, uint64_t v) {
  uint64_t now = v / f->length_ms, bucket = ttb__load_rlx(&p->bucket);
  uint64_t w = ttb__load_rlx(&p->sum), count = w & 0xffffff;
  if (now != bucket) {
    /* A bucket that was missed ends the filling in of an unbroken profile. */
    if (now != bucket + 1 && ttb__load_rlx(&p->filled) < f->buckets) ttb__store_rlx(&p->filled, 0);
    if (count > 0)
      finish(f, p, mean, (uint32_t)(bucket % f->buckets), ttb__budget_cut((int64_t)(w >> 24) / (int64_t)count));
    ttb__store_rlx(&p->bucket, now);
    w = count = 0;
  }
  /* 2^11 loads of 2^29 fill the sum: a second a tick for half an hour. */
  if (count < 2047) ttb__store_rlx(&p->sum, w + ((uint64_t)(uint32_t)x << 24) + 1);
}

static int32_t rise(const form *f, ttb__profile *p, ttb__a32 *mean, uint64_t v, uint32_t ahead_ms) {
  if (ttb__load_rlx(&p->filled) < f->buckets || ttb__load_rlx(&p->error) >= TRUST) return 0;
  return at(f, mean, v + ahead_ms) - at(f, mean, v);
}

int32_t ttb__forecast(ttb__budget_slot *s, int32_t x, uint64_t v, uint32_t ahead_ms) {
  learn(&day, &s->day, s->day_mean, x, v);
  learn(&week, &s->week, s->week_mean, x, v);
  bool by_week = ttb__load_rlx(&s->week.filled) >= TTB__WEEK &&
                 ttb__load_rlx(&s->week.error) < ttb__load_rlx(&s->day.error);
  int32_t more = by_week ? rise(&week, &s->week, s->week_mean, v, ahead_ms)
                         : rise(&day, &s->day, s->day_mean, v, ahead_ms);
  return more < 0 ? 0 : ttb__lower(more, x);
}

int32_t ttb__forecast_error(const ttb__budget_slot *s) {
  bool by_day = ttb__load_rlx(&s->day.filled) >= TTB__DAY;
  bool by_week = ttb__load_rlx(&s->week.filled) >= TTB__WEEK;
  if (!by_day && !by_week) return -1;
  uint32_t d = ttb__load_rlx(&s->day.error), w = ttb__load_rlx(&s->week.error);
  uint64_t error = by_week && (!by_day || w < d) ? w : d;
  return (int32_t)((error < 4 * 65536 ? error : 4 * 65536) * 1000000 >> 16);
}
