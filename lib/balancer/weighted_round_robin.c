/* SPDX-License-Identifier: MIT */
/* Smooth weighted round robin: a table of turns, built once, walked by the
 * cursor of round_robin.c.
 *
 * R. Tijdeman, "The chairman assignment problem" (Discrete Mathematics 32, 1980):
 * with shares l_1..l_n that sum to 1, let turn j go to the endpoint that has
 * waited long enough (l_i j - x_i >= 1/(2n-2), x_i its turns so far) and must
 * have a turn soonest (smallest (x_i + 1 - 1/(2n-2)) / l_i). Then no endpoint is
 * ever further than 1 - 1/(2n-2) turns from its share, which is the best possible
 * for all shares. That is "earliest deadline first" among those released, so it
 * takes a heap and lists by release, O(turns x log n).
 *
 * The other order is nginx' (commit 52327e0627f4): each turn everybody gains its
 * weight, the richest takes the turn and pays the sum. O(turns x n).
 *
 * I1  An endpoint gets `share` turns of a period of `period`: its weight divided
 *     by the weights' greatest common divisor if the sum fits the table, else its
 *     weight scaled to the table and rounded, 1 at least.
 * I2  Scratch memory lies in the region: indices read from it are checked, loops
 *     are bounded by numbers that are not read from it. */
#include "balancer.h"

#include <string.h>

#define MAX_ENDPOINTS 131072
#define MAX_TURNS 2097152
#define MAX_NGINX 1024

#define NONE UINT32_MAX

typedef struct plan {
  uint32_t n, period;
  uint64_t d;      /* 2n - 2 */
  uint32_t *share; /* turns in a period */
  uint32_t *given; /* turns so far; nginx: the current weight */
  uint32_t *next;  /* of those released at the same turn */
  uint32_t *heap;  /* of those released */
  uint32_t heaped;
} plan;

static uint32_t table_size(const ttb_balancer_config *c) {
  if (c->table_size) return c->table_size;
  uint32_t size = 16 * c->capacity;
  return size < 4096 ? 4096 : size;
}

static int32_t check(const ttb_balancer_config *c, ttb_detail *d) {
  if (c->table_size > MAX_TURNS)
    return ttb__fail(d, TTB_ERR_RANGE, "table_size", -1, c->table_size, 2, MAX_TURNS);
  if (c->table_size && c->table_size < 2 * c->capacity)
    return ttb__fail(d, TTB_ERR_NOSPACE, "table_size", -1, c->table_size, 2 * c->capacity,
                     MAX_TURNS);
  if (c->wrr_order == TTB_BALANCER_NGINX && c->capacity > MAX_NGINX)
    return ttb__fail(d, TTB_ERR_RANGE, "capacity", -1, c->capacity, 1, MAX_NGINX);
  return TTB_OK;
}

static uint64_t scratch(const ttb_balancer_config *c) { return 16 * (uint64_t)c->capacity; }

/* ---- shares ---- */

static uint32_t gcd(uint32_t a, uint32_t b) {
  while (b) {
    uint32_t r = a % b;
    a = b;
    b = r;
  }
  return a;
}

/* Fills share and period (I1); returns the largest error. */
static uint32_t divide(plan *p, const ttb__roster *r, uint32_t turns) {
  uint64_t sum = 0, period = 0;
  uint32_t common = 0, worst = 0;
  for (uint32_t i = 0; i < p->n; i++) {
    uint32_t weight = ttb__roster_weight(r, i);
    sum += weight;
    common = gcd(weight, common);
  }
  bool fits = sum / common <= turns;
  /* Rounding up adds at most one a head. */
  uint64_t scale = fits ? sum / common : turns - p->n;
  for (uint32_t i = 0; i < p->n; i++) {
    uint64_t share = (ttb__roster_weight(r, i) * scale + sum / 2) / sum;
    if (share == 0) share = 1;
    p->share[i] = (uint32_t)share;
    period += share;
  }
  p->period = period < turns ? (uint32_t)period : turns;
  for (uint32_t i = 0; i < p->n && !fits; i++) {
    uint32_t e = ttb__error_ppm(p->share[i] * sum, (uint64_t)ttb__roster_weight(r, i) * p->period);
    if (e > worst) worst = e;
  }
  return worst;
}

/* ---- Tijdeman ---- */

/* Whether i must have its next turn before j; the first listed if equal. */
static bool sooner(const plan *p, uint32_t i, uint32_t j) {
  uint64_t a = ((p->given[i] + UINT64_C(1)) * p->d - 1) * p->share[j];
  uint64_t b = ((p->given[j] + UINT64_C(1)) * p->d - 1) * p->share[i];
  return a == b ? i < j : a < b;
}

static uint32_t heap_at(const plan *p, uint32_t k) {
  uint32_t i = p->heap[k];
  return i < p->n ? i : 0; /* I2 */
}

static void push(plan *p, uint32_t i) {
  if (p->heaped == p->n) return;
  uint32_t k = p->heaped++;
  for (; k > 0 && sooner(p, i, heap_at(p, (k - 1) / 2)); k = (k - 1) / 2)
    p->heap[k] = heap_at(p, (k - 1) / 2);
  p->heap[k] = i;
}

static uint32_t pop(plan *p) {
  if (p->heaped == 0) return 0;
  uint32_t top = heap_at(p, 0), last = heap_at(p, --p->heaped), k = 0;
  for (;;) {
    uint32_t child = 2 * k + 1;
    if (child >= p->heaped) break;
    if (child + 1 < p->heaped && sooner(p, heap_at(p, child + 1), heap_at(p, child))) child++;
    if (!sooner(p, heap_at(p, child), last)) break;
    p->heap[k] = heap_at(p, child);
    k = child;
  }
  p->heap[k] = last;
  return top;
}

/* Puts i on the list of the turn that releases it, turn `now` or later. The
 * turns not yet given away hold, in the copy, the heads of these lists. */
static void wait(plan *p, ttb__copy *copy, uint32_t i, uint32_t now) {
  if (p->given[i] >= p->share[i]) return;
  uint64_t at = (p->given[i] * p->d + 1) * p->period, per = p->d * p->share[i];
  if (per == 0) return; /* I2 */
  uint64_t turn = (at + per - 1) / per - 1; /* ceil, counted from 0 */
  if (turn < now) turn = now;
  if (turn >= p->period) return;
  p->next[i] = ttb__load_rlx(&copy->entry[turn]);
  ttb__flip_put32(&copy->entry[turn], i);
}

static void tijdeman(plan *p, const ttb__roster *r, ttb__copy *copy) {
  for (uint32_t t = 0; t < p->period; t++) ttb__flip_put32(&copy->entry[t], NONE);
  for (uint32_t i = 0; i < p->n; i++) wait(p, copy, i, 0);
  for (uint32_t t = 0; t < p->period; t++) {
    uint32_t i = ttb__load_rlx(&copy->entry[t]);
    for (uint32_t k = 0; k < p->n && i < p->n; k++, i = p->next[i]) push(p, i);
    i = pop(p);
    p->given[i]++;
    ttb__flip_put32(&copy->entry[t], ttb__roster_slot(r, i));
    wait(p, copy, i, t + 1);
  }
}

/* ---- nginx ---- */

/* The first of equals has the turn. */
static void nginx(plan *p, const ttb__roster *r, ttb__copy *copy) {
  for (uint32_t t = 0; t < p->period; t++) {
    uint32_t best = 0;
    for (uint32_t i = 0; i < p->n; i++) {
      p->given[i] += p->share[i];
      if ((int32_t)p->given[i] > (int32_t)p->given[best]) best = i;
    }
    p->given[best] -= p->period;
    ttb__flip_put32(&copy->entry[t], ttb__roster_slot(r, best));
  }
}

static uint32_t build(const ttb__roster *r, uint32_t *scratch_words, ttb__copy *copy) {
  uint32_t capacity = r->b->capacity;
  plan p = {.n = r->n,
            .d = r->n > 1 ? 2 * (uint64_t)r->n - 2 : 1,
            .share = scratch_words,
            .given = scratch_words + capacity,
            .next = scratch_words + 2 * (uint64_t)capacity,
            .heap = scratch_words + 3 * (uint64_t)capacity};
  memset(p.given, 0, 4 * (size_t)p.n);
  ttb__flip_put32(&copy->error_ppm, divide(&p, r, r->b->entries));
  if (r->b->config_order == TTB_BALANCER_NGINX)
    nginx(&p, r, copy);
  else
    tijdeman(&p, r, copy);
  return p.period;
}

const ttb__algorithm ttb__weighted_round_robin = {
    .number = TTB_BALANCER_WEIGHTED_ROUND_ROBIN,
    .max_endpoints = MAX_ENDPOINTS,
    .weighs = 1,
    .check = check,
    .entries = table_size,
    .scratch = scratch,
    .build = build,
    .choose = ttb__choose_turn,
};
