/* SPDX-License-Identifier: MIT */
/* The CUSUM rule: how many calls a worse failure rate needs to be told from the
 * healthy one, at a wanted distance between false trips.
 *
 *     S = max(0, S + up)   at a failure        opens at S >= limit
 *     S = max(0, S - down) at a success
 *
 * It is the sequential test of E. Page ("Continuous inspection schemes", 1954)
 * for the two rates p0 (healthy) and p1 (bad): the best steps are the log
 * likelihood ratios ln(p1/p0) and ln((1-p0)/(1-p1)). As M. Reynolds and Z.
 * Stoumbos do ("A CUSUM chart for monitoring a proportion when inspecting
 * continuously", 1999), their quotient is rounded to a whole number m, so that S
 * walks on integers:
 *
 *     up = m, down = 1    if failures weigh more (the usual case);
 *     up = 1, down = m    if successes do.
 *
 * The limit is then no approximation. Let p be the healthy rate, q = 1 - p, and
 * y = limit - S. With up = m, the mean number of calls until S reaches the limit
 * satisfies  u(y) = 1 + q u(y+1) + p u(y-m),  u(y <= 0) = 0, and at the top,
 * where S stays at 0, y+1 is y. It is linear in u(1), u(y) = c A(y) - B(y), with
 *
 *     A(y+1) - A(y) = p/q (A(y) - A(y-m))          A(1) = 1, A(y <= 0) = 0
 *     B(y+1) - B(y) = p/q (B(y) - B(y-m)) + 1/q    B(1) = 0
 *     u(limit) = (1/p + B(l) - B(l-m)) / (A(l) - A(l-m)) A(l) - B(l),  l = limit
 *
 * and with up = 1 the mean time from s to s + 1, d(s), satisfies
 *
 *     d(s) = (1 + q (d(s-m) + ... + d(s-1))) / p,  u = d(0) + ... + d(limit-1).
 *
 * I1  All terms are positive: nothing is lost by cancelling, whatever the limit.
 * I2  Computed when a handle is made, in ttb__fp: the same limit everywhere. */
#include "../base/fp.h"
#include "breaker.h"

#define MOST_STEPS 255u
#define MOST_LIMIT 8191u
#define MILLION UINT64_C(1000000)

/* log2(n / d), n > d, in Q32: bit by bit, by squaring. */
static uint64_t log2_of(uint64_t n, uint64_t d) {
  uint64_t whole = 0, bits = 0;
  for (; n >= 2 * d; d *= 2) whole++;
  uint64_t x = (n << 31) / d; /* 1.0 .. 2.0 in Q31 */
  for (int i = 0; i < 32; i++) {
    x = x * x >> 31;
    bits = bits << 1 | x >> 32;
    x >>= x >> 32;
  }
  return whole << 32 | bits;
}

/* The rate at which S neither rises nor falls: is it between the two? */
static bool between(uint64_t healthy, uint64_t bad, uint64_t up, uint64_t down) {
  return healthy * (up + down) < MILLION * down && bad * (up + down) > MILLION * down;
}

static bool steps(uint64_t healthy, uint64_t bad, ttb__cusum *ret) {
  uint64_t fail = log2_of(bad, healthy), pass = log2_of(MILLION - healthy, MILLION - bad);
  bool more = fail >= pass;
  uint64_t big = more ? fail : pass, small = more ? pass : fail;
  uint64_t m = small > 0 ? (2 * big + small) / (2 * small) : MOST_STEPS;
  if (m > MOST_STEPS) m = MOST_STEPS;
  for (uint64_t i = 0; i < 3; i++) { /* rounding may have left the two */
    uint64_t n = i == 0 ? m : i == 1 ? m + 1 : m - 1;
    if (n < 1 || n > MOST_STEPS) continue;
    ret->up = more ? (uint32_t)n : 1;
    ret->down = more ? 1 : (uint32_t)n;
    if (between(healthy, bad, ret->up, ret->down)) return true;
  }
  return false;
}

/* The last m of a sequence, and their sum. */
typedef struct recent {
  ttb__fp last[MOST_STEPS];
  uint32_t m, n;
} recent;

static void push(recent *r, ttb__fp x) { r->last[r->n++ % r->m] = x; }
static ttb__fp sum(const recent *r) {
  ttb__fp s = ttb__fp_int(0);
  for (uint32_t i = 0; i < r->m && i < r->n; i++) s = ttb__fp_add(s, r->last[i]);
  return s;
}

/* Calls until the limit, for each limit in turn, until they are enough. */
static bool climb_by_many(ttb__fp p, ttb__fp q, ttb__fp wanted, ttb__cusum *ret) {
  recent da = {.m = ret->up}, db = {.m = ret->up};
  ttb__fp a = ttb__fp_int(1), b = ttb__fp_int(0), one = ttb__fp_int(1);
  ttb__fp odds = ttb__fp_div(p, q);
  push(&da, one);
  for (uint32_t l = 1; l <= MOST_LIMIT; l++) {
    ttb__fp sa = sum(&da), sb = sum(&db);
    ttb__fp c = ttb__fp_div(ttb__fp_add(ttb__fp_div(one, p), sb), sa);
    ttb__fp u = ttb__fp_sub(ttb__fp_mul(c, a), b);
    if (ttb__fp_le(wanted, u)) {
      ret->limit = l;
      ret->calls = (uint64_t)ttb__fp_floor(u);
      return true;
    }
    push(&da, ttb__fp_mul(odds, sa));
    push(&db, ttb__fp_add(ttb__fp_mul(odds, sb), ttb__fp_div(one, q)));
    a = ttb__fp_add(a, ttb__fp_mul(odds, sa));
    b = ttb__fp_add(b, ttb__fp_add(ttb__fp_mul(odds, sb), ttb__fp_div(one, q)));
  }
  return false;
}

static bool climb_by_one(ttb__fp p, ttb__fp q, ttb__fp wanted, ttb__cusum *ret) {
  recent d = {.m = ret->down};
  ttb__fp u = ttb__fp_int(0), one = ttb__fp_int(1);
  for (uint32_t l = 1; l <= MOST_LIMIT; l++) {
    ttb__fp next = ttb__fp_div(ttb__fp_add(one, ttb__fp_mul(q, sum(&d))), p);
    push(&d, next);
    u = ttb__fp_add(u, next);
    if (!ttb__fp_le(wanted, u)) continue;
    ret->limit = l;
    ret->calls = (uint64_t)ttb__fp_floor(u);
    return true;
  }
  return false;
}

int32_t ttb__cusum_plan(int32_t healthy_ppm, int32_t bad_ppm, uint64_t calls, ttb__cusum *ret) {
  uint64_t healthy = (uint64_t)healthy_ppm, bad = (uint64_t)bad_ppm;
  if (healthy_ppm < 1 || bad_ppm <= healthy_ppm || bad >= MILLION || !steps(healthy, bad, ret))
    return TTB_ERR_RANGE;
  ttb__fp p = ttb__fp_div(ttb__fp_int(healthy), ttb__fp_int(MILLION));
  ttb__fp q = ttb__fp_div(ttb__fp_int(MILLION - healthy), ttb__fp_int(MILLION));
  bool found = ret->down == 1 ? climb_by_many(p, q, ttb__fp_int(calls), ret)
                              : climb_by_one(p, q, ttb__fp_int(calls), ret);
  return found ? TTB_OK : TTB_ERR_RANGE;
}

int32_t ttb_breaker_cusum(int32_t healthy_ppm, int32_t bad_ppm, uint64_t calls,
                          ttb_breaker_cusum_plan *ret) {
  ttb__cusum plan;
  if (!ret) return TTB_ERR_MISUSE;
  if (calls < 1 || calls > TTB__MOST_CUSUM_CALLS) return TTB_ERR_RANGE;
  int32_t code = ttb__cusum_plan(healthy_ppm, bad_ppm, calls, &plan);
  if (code < 0) return code;
  ttb_breaker_cusum_plan out = {
      .up = plan.up, .down = plan.down, .limit = plan.limit, .calls = plan.calls};
  return ttb__struct_write(&ttb__breaker_cusum_fields, &out, ret);
}
