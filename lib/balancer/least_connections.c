/* SPDX-License-Identifier: MIT */
/* Least connections (Envoy and gRPC: least request): the endpoint with the fewest
 * calls in flight for its weight.
 *
 * The rule of nginx' least_conn and IPVS' wlc: compared is in flight / weight, by
 * cross multiplication. With a bias it is Envoy's: (in flight + 1) ^ bias / weight.
 * Where there are more than `exact` endpoints the least loaded of some drawn ones is
 * taken (least_request's choice_count), all different.
 *
 * I1  Exact as far as a sum of cells can be: at rest it is the minimum; beside
 *     other threads it is the minimum of what they had stored.
 * I2  Of equal ones, where all are looked at (16 endpoints or fewer, or a narrowed
 *     pick), each has its chance by weight, in one pass (a weighted reservoir of one):
 *     the next of k equals replaces the one held with probability weight / sum of
 *     weights so far. Above that idle ones are drawn by weight; of busy equals the
 *     group is drawn evenly, and within the group by weight.
 * I3  It refuses only if nobody may be picked. */
#include "alias.h"
#include "minima.h"
#include "../base/bits.h"
#include "../base/fixed.h"

/* Powers of 1..POWERS, two words each, behind the alias table. */
#define POWERS 256u

/* Groups whose bounds are looked at together. */
#define BLOCK 8u

/* To so many endpoints all are looked at each time. */
#define SMALL 16u
_Static_assert(TTB__GROUP <= SMALL, "a group is a few");

/* ---- one endpoint's load ---- */

static uint64_t power_of(const ttb__balancer *b, uint32_t n) {
  if (n > POWERS) return ttb__power(n, b->bias);
  const ttb__a32 *power = &b->seen->entry[b->entries - 2 * n];
  return (uint64_t)(ttb__flip_get32(&power[1]) & 0xffff) << 32 | ttb__flip_get32(&power[0]);
}

/* What is compared per weight. */
static inline uint64_t load_of(const ttb__balancer *b, uint32_t slot, uint32_t active) {
  uint32_t in_flight = ttb__in_flight(ttb__endpoint_at(b, slot), active);
  return b->bias ? power_of(b, in_flight + 1) : in_flight;
}

/* The key of minima.h. With a bias it is load / weight to 41 bits, as a number with
 * an exponent: what is less is not more, which is all a key must be. */
static inline uint64_t key_of(const ttb__balancer *b, uint64_t load, uint64_t weight) {
  if (b->bias) {
    uint64_t ratio = load << 16, shift = 0;
    if (weight > 1) ratio /= weight;
    while (ratio >> shift >> 42) shift++;
    return (shift << 41) + (ratio >> shift);
  }
  if (load > 65535) return TTB__KEY_NONE - 1;
  return weight > 1 ? (load << 32) / weight : load << 32;
}

/* ---- the best so far ---- */

typedef struct best {
  int64_t found;
  uint64_t load, weight, equal;
} best;

static inline void consider(ttb__balancer *b, best *m, uint32_t slot, uint64_t w, uint64_t load) {
  uint64_t weight = ttb__word_weight(w);
  if (m->found >= 0 && load * m->weight > m->load * weight) return;
  if (m->found >= 0 && load * m->weight == m->load * weight) {
    m->equal += weight;
    if (ttb__mulhi(ttb__random_next(&b->random), m->equal) >= weight) return;
  } else {
    m->equal = weight;
  }
  m->found = ttb__candidate(slot, w);
  m->load = load;
  m->weight = weight;
}

/* ---- all ---- */

static int64_t least_of_all(ttb__balancer *b, const ttb__scope *x) {
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  best m = {.found = TTB_NO_ENDPOINT};
  for (uint32_t slot = ttb__balancer_next(b, 0, x); slot < b->capacity;
       slot = ttb__balancer_next(b, slot + 1, x)) {
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w) consider(b, &m, slot, w, load_of(b, slot, active));
  }
  return m.found;
}

int64_t ttb__choose_least(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  (void)hash;
  return least_of_all(b, x);
}

/* ---- some ---- */

/* Of `choices` different ones drawn; n is more than that. */
static int64_t least_of_some(ttb__balancer *b, uint32_t n, const ttb__scope *x) {
  uint32_t active = ttb__rows_active(b->rows, b->threads), drawn[10], k = 0;
  best m = {.found = TTB_NO_ENDPOINT};
  for (uint32_t i = 0; i < ttb__balancer_tries(b, x) + b->choices && k < b->choices; i++) {
    uint32_t at = ttb__scale32((uint32_t)(ttb__random_next(&b->random) >> 32), n), j = 0;
    uint32_t slot = ttb__balancer_entry(b, TTB__ALIAS_WORDS * at);
    while (j < k && drawn[j] != slot) j++;
    uint64_t w = j < k ? 0 : ttb__eligible_word(b, slot, x);
    if (!w) continue;
    drawn[k++] = slot;
    consider(b, &m, slot, w, load_of(b, slot, active));
  }
  return k == b->choices ? m.found : least_of_all(b, x);
}

/* ---- a few ---- */

/* What a look at a few endpoints found: the least key, the next one, and who has
 * the least. */
typedef struct few {
  uint64_t least, rest;
  uint64_t word[SMALL];
  uint32_t ties;
} few;

/* Looks at n slots, n <= SMALL: either those listed, or from `first` on. */
static inline void look(const ttb__balancer *b, few *f, const uint32_t *slots, uint32_t first,
                        uint32_t n, const ttb__scope *x) {
  uint32_t active = ttb__rows_active(b->rows, b->threads), ties = 0;
  uint64_t key[SMALL], least = TTB__KEY_NONE, rest = TTB__KEY_NONE;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t slot = slots ? slots[i] : first + i;
    uint64_t k = TTB__KEY_NONE, w = ttb__eligible_word(b, slot, x);
    if (w) k = key_of(b, load_of(b, slot, active), ttb__word_weight(w));
    uint64_t larger = k < least ? least : k;
    f->word[i] = w;
    key[i] = k;
    least = k < least ? k : least;
    rest = larger < rest ? larger : rest;
  }
  for (uint32_t i = 0; i < n; i++) ties |= (uint32_t)(key[i] == least) << i;
  f->least = least;
  f->rest = rest;
  f->ties = ties;
}

/* Which of those who have the least key: each by weight. */
static inline uint32_t break_tie(ttb__balancer *b, const few *f) {
  uint64_t sum = 0, draw;
  uint32_t ties = f->ties;
  if (f->rest != f->least) return ttb__lowest_bit(ties);
  for (uint32_t t = ties; t; t &= t - 1) sum += ttb__word_weight(f->word[ttb__lowest_bit(t)]);
  draw = ttb__mulhi(ttb__random_next(&b->random), sum);
  for (; ties & (ties - 1); ties &= ties - 1) {
    uint64_t weight = ttb__word_weight(f->word[ttb__lowest_bit(ties)]);
    if (draw < weight) break;
    draw -= weight;
  }
  return ttb__lowest_bit(ties);
}

static int64_t least_of_few(ttb__balancer *b, uint32_t n, const ttb__scope *x) {
  uint32_t slot[SMALL], at;
  few f;
  for (uint32_t i = 0; i < n; i++) slot[i] = ttb__balancer_entry(b, TTB__ALIAS_WORDS * i);
  look(b, &f, slot, 0, n, x);
  if (f.least == TTB__KEY_NONE) return TTB_NO_ENDPOINT;
  at = break_tie(b, &f);
  return ttb__candidate(slot[at], f.word[at]);
}

/* ---- all, by groups ---- */

/* The least of a group's endpoints, if its key is `bound`; else raises the bound. */
static inline int64_t least_of_group(ttb__balancer *b, uint32_t g, uint64_t bound) {
  ttb__a64 *group = &ttb__bounds(b)[g];
  uint64_t looked = ttb__bound_look(group);
  uint32_t first = g << TTB__GROUP_SHIFT, n = b->capacity - first;
  few f;
  look(b, &f, NULL, first, n < TTB__GROUP ? n : TTB__GROUP, NULL);
  if (f.least > bound) {
    ttb__bound_raise(group, looked, f.least);
    return TTB_NO_ENDPOINT;
  }
  uint32_t at = break_tie(b, &f);
  b->least = first + at;
  b->group_seen = looked;
  b->group_rest = f.rest;
  return ttb__candidate(first + at, f.word[at]);
}

static inline uint64_t lesser(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* The least of a block, as a tree: no long chain of compares. */
static inline uint64_t least_of_block(const ttb__a64 *w) {
  uint64_t a = lesser(ttb__load_rlx(&w[0]), ttb__load_rlx(&w[1]));
  uint64_t b = lesser(ttb__load_rlx(&w[2]), ttb__load_rlx(&w[3]));
  uint64_t c = lesser(ttb__load_rlx(&w[4]), ttb__load_rlx(&w[5]));
  uint64_t d = lesser(ttb__load_rlx(&w[6]), ttb__load_rlx(&w[7]));
  return lesser(lesser(a, b), lesser(c, d));
}

/* The least bound of n groups, and, from a drawn one on, a group that has it. */
static uint64_t least_bound(const ttb__a64 *bounds, uint32_t n, uint32_t drawn, uint32_t *ret) {
  uint64_t block[TTB__EXACT_SLOTS / TTB__GROUP / BLOCK], least = UINT64_MAX;
  uint32_t blocks = (n + BLOCK - 1) / BLOCK, from = ttb__scale32(drawn, blocks);
  for (uint32_t k = 0; k < n / BLOCK; k++) {
    block[k] = least_of_block(&bounds[k * BLOCK]);
    least = lesser(least, block[k]);
  }
  if (n % BLOCK) {
    uint64_t last = UINT64_MAX;
    for (uint32_t g = n - n % BLOCK; g < n; g++) last = lesser(last, ttb__load_rlx(&bounds[g]));
    block[n / BLOCK] = last;
    least = lesser(least, last);
  }
  least >>= 16;
  uint64_t with = 0, after;
  for (uint32_t k = 0; k < blocks; k++) with |= (uint64_t)(block[k] >> 16 == least) << k;
  after = with >> from << from;
  uint32_t first = ttb__lowest_bit(after ? after : with) * BLOCK;
  uint32_t last = n - first < BLOCK ? n - first : BLOCK;
  with = 0;
  for (uint32_t i = 0; i < last; i++)
    with |= (uint64_t)(ttb__load_rlx(&bounds[first + i]) >> 16 <= least) << i;
  from = drawn % BLOCK;
  after = with >> from << from;
  *ret = first + (with ? ttb__lowest_bit(after ? after : with) : 0); /* raised meanwhile */
  return least;
}

TTB__SELDOM static int64_t least_by_groups(ttb__balancer *b, uint32_t n) {
  /* Each round finds one or raises a bound; who is raced too often looks at all. */
  for (uint32_t tries = 0; tries < 2 * n + 8; tries++) {
    uint32_t g;
    uint64_t bound = least_bound(ttb__bounds(b), n, (uint32_t)ttb__random_next(&b->random), &g);
    if (bound == TTB__KEY_NONE) break;
    int64_t found = least_of_group(b, g, bound);
    if (found < 0) continue;
    b->busy = bound > 0;
    return found;
  }
  return least_of_all(b, NULL);
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  uint32_t n = b->seen_length;
  (void)hash;
  b->least = TTB__NO_SLOT;
  if (n > b->entries / TTB__ALIAS_WORDS) n = b->entries / TTB__ALIAS_WORDS;
  if (n <= SMALL) return least_of_few(b, n, x);
  uint32_t last = ttb__balancer_entry(b, TTB__ALIAS_WORDS * (n - 1)); /* the highest slot */
  if (last >= b->capacity) last = b->capacity - 1; /* a neighbour's nonsense */
  if (n > b->exact || last >= TTB__EXACT_SLOTS) return least_of_some(b, n, x);
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  for (int i = 0; i < 2 && !b->busy && !b->bias; i++) { /* nobody has less than none */
    uint32_t slot = ttb__alias_draw(b, n, ttb__random_next(&b->random));
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w && ttb__in_flight(ttb__endpoint_at(b, slot), active) == 0)
      return ttb__candidate(slot, w);
  }
  if (x) return least_of_all(b, x);
  return least_by_groups(b, ttb__group_count(last + 1));
}

/* ---- what follows ---- */

static uint64_t key_now(const ttb__balancer *b, uint32_t slot) {
  uint64_t w = ttb__eligible_word(b, slot, NULL);
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  if (!w) return TTB__KEY_NONE;
  return key_of(b, load_of(b, slot, active), ttb__word_weight(w));
}

/* The group's bound rises by what this pick has added. */
static void took(ttb__balancer *b, uint32_t slot) {
  if (b->least != slot) return;
  b->least = TTB__NO_SLOT;
  uint64_t key = key_now(b, slot);
  if (key > b->group_rest) key = b->group_rest;
  ttb__bound_raise(&ttb__bounds(b)[slot >> TTB__GROUP_SHIFT], b->group_seen, key);
}

static void observe(ttb__balancer *b, const ttb__ended *e) {
  if (e->slot >= TTB__EXACT_SLOTS) return;
  ttb__bound_lower(&ttb__bounds(b)[e->slot >> TTB__GROUP_SHIFT], key_now(b, e->slot));
}

static void changed(const ttb__balancer *b, uint32_t slot) {
  uint32_t first = slot >> TTB__GROUP_SHIFT, end = first + 1, n = ttb__group_count(b->capacity);
  if (slot == TTB__NO_SLOT) first = 0, end = n;
  for (; first < end && first < n; first++) ttb__bound_lower(&ttb__bounds(b)[first], 0);
}

/* ---- the table ---- */

static uint32_t entries(const ttb_balancer_config *c) {
  return TTB__ALIAS_WORDS * c->capacity + (c->bias_ppm ? 2 * POWERS : 0);
}

static uint32_t build(const ttb__roster *r, uint32_t *scratch, ttb__copy *copy) {
  const ttb__balancer *b = r->b;
  for (uint32_t n = 1; n <= POWERS && b->bias; n++) {
    uint64_t power = ttb__power(n, b->bias);
    ttb__flip_put32(&copy->entry[b->entries - 2 * n], (uint32_t)power);
    ttb__flip_put32(&copy->entry[b->entries - 2 * n + 1], (uint32_t)(power >> 32));
  }
  return ttb__alias_build(r, scratch, copy);
}

static uint64_t bounds_bytes(const ttb_balancer_config *c) {
  return 8 * (uint64_t)ttb__group_count(c->capacity);
}

const ttb__algorithm ttb__least_connections = {
    .number = TTB_BALANCER_LEAST_CONNECTIONS,
    .max_endpoints = TTB_MAX_SLOTS,
    .tracks = 1,
    .weighs = 1,
    .entries = entries,
    .scratch = ttb__alias_scratch,
    .build = build,
    .choose = choose,
    .common_bytes = bounds_bytes,
    .took = took,
    .observe = observe,
    .changed = changed,
};
