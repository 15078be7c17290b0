/* SPDX-License-Identifier: MIT */
/* Prequal: the best of a small pool of probes that the caller has made, without
 * waiting for any.
 *
 * The paper is named in prequal.h, with its rules. A probe asks an endpoint for its
 * requests in flight and the latency it would have. Each joined thread has a pool of
 * 16, the hottest oldest ones leave:
 *
 *     probe_due -> (the caller asks) -> probe_result -> pool -> acquire
 *
 *   - choice: hot-cold rule over those not older than probe_age_ms; with fewer than
 *     two of them, a random endpoint;
 *   - hot is above the rif_quantile of the last 32 answers;
 *   - each pick adds 1 to the rif of its endpoint in the pool, uses one of the uses
 *     the reuse formula gives, earns probe_rate probes, and removes one probe, in turns
 *     the oldest and the worst, while more than two are left;
 *   - an endpoint that fails loses its probes, and its later ones count 2^k fold, k
 *     as in peak_ewma.h: else it would look idle because it fails at once.
 *
 * I1  The pool lies in the row's own memory and is written by its owner alone. Read, it
 *     is checked as any other: a slot must exist, be of the generation probed, and be
 *     eligible by its word.
 * I2  It refuses only if nobody may be picked. */
#include "prequal.h"
#include "peak_ewma.h"
#include "two.h"

#define RIFS 32u
#define MOST_CREDIT UINT64_C(16000000)
#define LEAST_PROBES 2u

/* One answer: who = slot 20 | generation 20 | uses left 24. */
typedef struct entry {
  ttb__a64 who, rif, latency, at;
} entry;

typedef struct pool {
  ttb__a32 n, turn, rifs, next, theta, reserved0;
  ttb__a64 credit, asked; /* probes earned, ppm; when probes were last due */
  uint64_t reserved1[3];
  entry probe[TTB__PROBES];
  ttb__a32 ring[RIFS], sorted[RIFS];
} pool;
_Static_assert(sizeof(pool) == 832, "thirteen lines");

#define USES(who) ((who) >> 40)

static pool *pool_of(const ttb__balancer *b) { return (pool *)(void *)b->row_state; }

static uint32_t count_of(const pool *p) {
  uint32_t n = ttb__load_rlx(&p->n);
  return n < TTB__PROBES ? n : TTB__PROBES;
}
static uint32_t slot_of(uint64_t who) { return (uint32_t)who & TTB__GEN_MASK; }
static uint32_t generation_of(uint64_t who) { return (uint32_t)(who >> 20) & TTB__GEN_MASK; }

static bool fresh(const ttb__balancer *b, const entry *e, uint64_t now) {
  uint64_t at = ttb__load_rlx(&e->at);
  return at >= now || now - at <= b->probe_age;
}

/* Copies the fresh ones' numbers; returns which they are. */
static uint32_t read_pool(const ttb__balancer *b, const pool *p, ttb__probe *ret, uint64_t now) {
  uint32_t mask = 0, n = count_of(p);
  for (uint32_t i = 0; i < n; i++) {
    ret[i].rif = (uint32_t)ttb__load_rlx(&p->probe[i].rif);
    ret[i].latency_ns = ttb__load_rlx(&p->probe[i].latency);
    mask |= (uint32_t)fresh(b, &p->probe[i], now) << i;
  }
  return mask;
}

static void put(entry *to, const entry *from) {
  ttb__store_rlx(&to->who, ttb__load_rlx(&from->who));
  ttb__store_rlx(&to->rif, ttb__load_rlx(&from->rif));
  ttb__store_rlx(&to->latency, ttb__load_rlx(&from->latency));
  ttb__store_rlx(&to->at, ttb__load_rlx(&from->at));
}

/* The last one takes its place. i < n. */
static uint32_t drop(pool *p, uint32_t i, uint32_t n) {
  if (i < n - 1) put(&p->probe[i], &p->probe[n - 1]);
  ttb__store_rlx(&p->n, n - 1);
  return n - 1;
}

/* ---- choosing ---- */

TTB__SELDOM static int64_t any_one(ttb__balancer *b, const ttb__scope *x) {
  if (b->seen_length == 0) return TTB_NO_ENDPOINT;
  ttb__two i = ttb__draw(b, x, TTB__NO_SLOT);
  return i.word ? ttb__candidate(i.slot, i.word) : ttb__choose_least(b, 0, x);
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  const pool *p = pool_of(b);
  ttb__probe probe[TTB__PROBES];
  uint32_t mask = read_pool(b, p, probe, b->now), theta = ttb__load_rlx(&p->theta);
  (void)hash;
  if (!(mask & (mask - 1))) return any_one(b, x);
  for (; mask; ) {
    uint32_t i = ttb__hot_cold(probe, mask, theta);
    uint64_t who = ttb__load_rlx(&p->probe[i].who);
    uint64_t w = ttb__eligible_word(b, slot_of(who), x);
    if (w && ttb__word_generation(w) == generation_of(who)) return ttb__candidate(slot_of(who), w);
    mask &= ~(1u << i);
  }
  return any_one(b, x);
}

/* ---- what a pick does to the pool ---- */

static uint32_t oldest(const pool *p, uint32_t n) {
  uint64_t first = UINT64_MAX;
  uint32_t found = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t at = ttb__load_rlx(&p->probe[i].at);
    if (at < first) first = at, found = i;
  }
  return found;
}

static void took(ttb__balancer *b, uint32_t slot) {
  pool *p = pool_of(b);
  uint32_t n = count_of(p), turn = ttb__load_rlx(&p->turn);
  uint64_t credit = ttb__load_rlx(&p->credit) + b->probe_rate;
  ttb__store_rlx(&p->credit, credit < MOST_CREDIT ? credit : MOST_CREDIT);
  for (uint32_t i = 0; i < n;) {
    uint64_t who = ttb__load_rlx(&p->probe[i].who);
    bool stays = fresh(b, &p->probe[i], b->now);
    if (stays && slot_of(who) == slot) {
      ttb__store_rlx(&p->probe[i].rif, ttb__load_rlx(&p->probe[i].rif) + 1);
      ttb__store_rlx(&p->probe[i].who, who - (UINT64_C(1) << 40));
      stays = USES(who) > 1;
    }
    if (stays) i++;
    else n = drop(p, i, n);
  }
  if (n <= LEAST_PROBES) return;
  ttb__store_rlx(&p->turn, turn + 1);
  if (turn % 2 == 0) {
    (void)drop(p, oldest(p, n), n);
    return;
  }
  ttb__probe probe[TTB__PROBES];
  (void)read_pool(b, p, probe, b->now);
  (void)drop(p, ttb__worst_probe(probe, (1u << n) - 1, ttb__load_rlx(&p->theta)), n);
}

static void observe(ttb__balancer *b, const ttb__ended *e) {
  if (e->outcome == TTB_IGNORED || e->outcome == TTB_CANCELLED) return;
  ttb__cost_sample(ttb__slot_state(b, e->slot), b->half_life_inverse, e->now_ns, e->latency_ns,
                   e->outcome == TTB_FAILURE);
  if (e->outcome != TTB_FAILURE) return;
  pool *p = pool_of(b);
  for (uint32_t i = 0, n = count_of(p); i < n;) {
    if (slot_of(ttb__load_rlx(&p->probe[i].who)) == e->slot) n = drop(p, i, n);
    else i++;
  }
}

/* ---- probes ---- */

/* theta after one more answer: the ring says which is the oldest of the sorted. */
static void learn(ttb__balancer *b, pool *p, uint32_t rif) {
  uint32_t sorted[RIFS], n = ttb__load_rlx(&p->rifs), next = ttb__load_rlx(&p->next) % RIFS, i;
  if (n > RIFS) n = RIFS;
  for (i = 0; i < n; i++) sorted[i] = ttb__load_rlx(&p->sorted[i]);
  if (n == RIFS) {
    uint32_t leaver = ttb__load_rlx(&p->ring[next]);
    for (i = 0; i < n - 1 && sorted[i] != leaver; i++) continue;
    for (n--; i < n; i++) sorted[i] = sorted[i + 1];
  }
  for (i = n++; i > 0 && sorted[i - 1] > rif; i--) sorted[i] = sorted[i - 1];
  sorted[i] = rif;
  for (i = 0; i < n; i++) ttb__store_rlx(&p->sorted[i], sorted[i]);
  ttb__store_rlx(&p->ring[next], rif);
  ttb__store_rlx(&p->next, (next + 1) % RIFS);
  ttb__store_rlx(&p->rifs, n);
  ttb__store_rlx(&p->theta, ttb__rif_quantile(sorted, n, b->rif_quantile));
}

static ttb__balancer *probing(ttb_balancer *h, int32_t *ret_code) {
  ttb__balancer *b = ttb__balancer_joined(h);
  *ret_code = b ? TTB_ERR_UNSUPPORTED : TTB_ERR_MISUSE;
  return b && b->algorithm == &ttb__prequal ? b : NULL;
}

int32_t ttb_balancer_probe_due(ttb_balancer *h, uint64_t now_ns, uint32_t *ret_slots, uint32_t n) {
  int32_t code;
  ttb__balancer *b = probing(h, &code);
  if (!b) return code;
  if (n > 0 && !ret_slots) return TTB_ERR_MISUSE;
  pool *p = pool_of(b);
  uint64_t credit = ttb__load_rlx(&p->credit), asked = ttb__load_rlx(&p->asked);
  /* Also without calls, so that the pool is not empty when the next one comes. */
  if (credit < LEAST_PROBES * 1000000 &&
      (asked == 0 || (now_ns > asked && now_ns - asked > b->probe_age / 2)))
    credit = LEAST_PROBES * 1000000;
  uint32_t due = 0, most = (uint32_t)(credit / 1000000);
  if (most > n) most = n;
  (void)ttb__balancer_seen(b);
  for (uint32_t tries = 0; due < most && b->seen_length > 0 && tries < 2 * most; tries++) {
    ttb__two c = ttb__draw(b, NULL, TTB__NO_SLOT);
    bool twice = !c.word;
    for (uint32_t i = 0; i < due; i++) twice = twice || ret_slots[i] == c.slot;
    if (!twice) ret_slots[due++] = c.slot;
  }
  ttb__store_rlx(&p->credit, credit - due * UINT64_C(1000000));
  if (due > 0) ttb__store_rlx(&p->asked, now_ns ? now_ns : 1);
  return (int32_t)due;
}

int32_t ttb_balancer_probe_result(ttb_balancer *h, uint32_t slot, uint32_t rif,
                                  uint64_t latency_ns, uint64_t now_ns) {
  int32_t code;
  ttb__balancer *b = probing(h, &code);
  if (!b) return code;
  if (slot >= b->capacity) return TTB_ERR_RANGE;
  uint64_t w = ttb__load_rlx(&ttb__endpoint_at(b, slot)->word);
  if (!ttb__word_used(w)) return TTB_ERR_UNKNOWN_ID;
  pool *p = pool_of(b);
  uint64_t state = ttb__load_rlx((ttb__a64 *)ttb__slot_state(b, slot));
  uint64_t half_lives = ttb__mulhi(ttb__cost_elapsed(state, now_ns), b->half_life_inverse);
  uint32_t failures = ttb__cost_failures(state, half_lives);
  if (rif > 0xffff) rif = 0xffff;
  if (latency_ns > UINT64_C(1) << 48) latency_ns = UINT64_C(1) << 48;
  learn(b, p, rif);
  rif = ((rif + 1) << failures) - 1;
  uint64_t reuse = ttb__probe_reuse(TTB__PROBES, b->seen_length, b->probe_rate);
  uint64_t uses = reuse / 1000000;
  uses += ttb__random_next(&b->random) % 1000000 < reuse % 1000000; /* its mean is kept */
  if (uses > 0xffffff) uses = 0xffffff;
  uint32_t n = count_of(p), at = n;
  if (n == TTB__PROBES) at = oldest(p, n);
  else ttb__store_rlx(&p->n, n + 1);
  entry *e = &p->probe[at];
  ttb__store_rlx(&e->who, uses << 40 | (uint64_t)ttb__word_generation(w) << 20 | slot);
  ttb__store_rlx(&e->rif, rif);
  ttb__store_rlx(&e->latency, latency_ns << failures);
  ttb__store_rlx(&e->at, now_ns);
  return TTB_OK;
}

const ttb__algorithm ttb__prequal = {
    .number = TTB_BALANCER_PREQUAL,
    .max_endpoints = TTB_MAX_SLOTS,
    .entries = ttb__roster_entries,
    .scratch = ttb__no_scratch,
    .build = ttb__roster_build,
    .choose = choose,
    .slot_bytes = 8,
    .row_bytes = sizeof(pool),
    .took = took,
    .observe = observe,
};
