/* SPDX-License-Identifier: MIT */
/* Priority levels: how much of the load each gets, and when one panics. A pure
 * function of counts.
 *
 * The rules are Envoy's (source/extensions/load_balancing_policies/common/
 * load_balancer_impl.cc, commit 247ad91). A level whose healthy share, times the
 * overprovisioning factor, is 100 % or more takes all that those before have left.
 * What is healthy comes before what is degraded; what rounding leaves over goes to
 * the first level that has anybody. A level panics if all together cannot take 100 %
 * and its share of endpoints that work lies below the threshold; if all panic, each
 * level gets its share of all endpoints.
 *
 * I1  Whole percents, rounded down as there; loads sum to 100 if anybody is
 *     available or all panic, else to 0. */
#include "balancer.h"

#define MAX_LEVELS 64u
#define OVERPROVISIONING 1400000u
#define PANIC 500000

/* Counts a level may have: so that sums and products fit. */
#define MAX_COUNT (UINT32_C(1) << 31)

typedef struct shares {
  uint32_t percent[MAX_LEVELS];
} shares;

static uint32_t percent_of(uint32_t part, uint64_t whole, uint64_t factor_ppm) {
  if (whole == 0) return 0;
  uint64_t percent = factor_ppm * part / (whole * 10000);
  return percent < 100 ? (uint32_t)percent : 100;
}

/* Gives each level what it is able to take of *left; the first that is able to
 * take any, or n. */
static uint32_t distribute(const shares *able, uint32_t n, uint32_t total, uint32_t *left,
                           shares *load) {
  uint32_t first = n;
  for (uint32_t i = 0; i < n; i++) {
    if (first == n && able->percent[i] > 0) first = i;
    uint32_t part = able->percent[i] * 100 / total;
    load->percent[i] = part < *left ? part : *left;
    *left -= load->percent[i];
  }
  return first;
}

static uint64_t counted(const ttb_level *l) { return l->endpoints - l->excluded; }

static bool panics(const ttb_level *l, uint64_t panic_ppm) {
  return ((uint64_t)l->healthy + l->degraded) * 1000000 < panic_ppm * (counted(l) ? counted(l) : 1);
}

/* All panic: everybody counts. */
static void spread(ttb_level *levels, uint32_t n) {
  uint64_t all = 0;
  uint32_t left = 100, first = n;
  for (uint32_t i = 0; i < n; i++) all += levels[i].endpoints;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t part = all ? (uint32_t)(100 * (uint64_t)levels[i].endpoints / all) : 0;
    if (first == n && levels[i].endpoints > 0) first = i;
    levels[i].healthy_load = (int32_t)part;
    levels[i].degraded_load = 0;
    left -= part;
  }
  if (first < n) levels[first].healthy_load += (int32_t)left;
}

void ttb__levels(ttb_level *levels, uint32_t n, uint32_t over_ppm, uint32_t panic_ppm) {
  shares healthy, degraded, load, worse = {{0}};
  uint32_t total = 0, left = 100, panicking = 0;
  for (uint32_t i = 0; i < n; i++) {
    healthy.percent[i] = percent_of(levels[i].healthy, counted(&levels[i]), over_ppm);
    degraded.percent[i] = percent_of(levels[i].degraded, counted(&levels[i]), over_ppm);
    total += healthy.percent[i] + degraded.percent[i];
    load.percent[i] = 0;
  }
  if (total > 100) total = 100;
  if (total > 0) {
    uint32_t first = distribute(&healthy, n, total, &left, &load);
    uint32_t second = distribute(&degraded, n, total, &left, &worse);
    if (first < n)
      load.percent[first] += left;
    else
      worse.percent[second] += left;
  }
  for (uint32_t i = 0; i < n; i++) {
    levels[i].healthy_load = (int32_t)load.percent[i];
    levels[i].degraded_load = (int32_t)worse.percent[i];
    levels[i].panic = total != 100 && panics(&levels[i], panic_ppm);
    panicking += (uint32_t)levels[i].panic;
  }
  if (panicking == n) spread(levels, n);
}

int32_t ttb_balancer_levels(ttb_level *levels, uint32_t n, uint32_t overprovisioning_ppm,
                            int32_t panic_ppm) {
  if (!levels && n > 0) return TTB_ERR_MISUSE;
  if (n < 1 || n > MAX_LEVELS) return TTB_ERR_RANGE;
  if (overprovisioning_ppm == 0) overprovisioning_ppm = OVERPROVISIONING;
  if (panic_ppm == 0) panic_ppm = PANIC;
  if (panic_ppm == TTB_OFF) panic_ppm = 0;
  if (overprovisioning_ppm < 1000000 || overprovisioning_ppm > TTB__MAX_OVERPROVISIONING ||
      panic_ppm < 0 || panic_ppm > 1000000)
    return TTB_ERR_RANGE;
  for (uint32_t i = 0; i < n; i++) {
    const ttb_level *l = &levels[i];
    if (l->struct_size != sizeof *l || l->endpoints > MAX_COUNT || l->excluded > l->endpoints ||
        (uint64_t)l->healthy + l->degraded > l->endpoints)
      return TTB_ERR_RANGE;
  }
  ttb__levels(levels, n, overprovisioning_ppm, (uint32_t)panic_ppm);
  return TTB_OK;
}
