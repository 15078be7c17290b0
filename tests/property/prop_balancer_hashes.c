/* SPDX-License-Identifier: MIT */
/* The hash algorithms whose table is a history, against their rules in the
 * plainest form: patched maglev's shares and what may move, anchor's buckets. */
#include <string.h>
#include <trimtab/balancer.h>

#include "../../lib/balancer/apportion.h"
#include "../../lib/base/mulhi.h"
#include "../../lib/base/random.h"
#include "../support/check.h"

enum { CAPACITY = 14, IDS = 40, MAX_M = 1009 };

typedef struct world {
  ttb_balancer shared, mine;
  uint64_t id[CAPACITY]; /* by slot; 0: nobody */
  uint32_t weight[CAPACITY], generation[CAPACITY], causes[CAPACITY];
} world;

static void begin_bounded(check *c, world *w, uint32_t algorithm, uint32_t m, int32_t ppm) {
  ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
  memset(w, 0, sizeof *w);
  config.algorithm = algorithm;
  config.capacity = CAPACITY;
  config.table_size = m;
  config.bounded_ppm = ppm;
  CHECK(c, ttb_balancer_new(&w->shared, &config, NULL) == TTB_OK &&
               ttb_balancer_join(&w->shared, 1, &w->mine) == TTB_OK, "set up");
}

static void begin(check *c, world *w, uint32_t algorithm, uint32_t m) {
  begin_bounded(c, w, algorithm, m, 0);
}

static void end(world *w) {
  ttb_balancer_free(&w->mine);
  ttb_balancer_free(&w->shared);
}

/* What there is now. */
static void look(world *w) {
  for (uint32_t s = 0; s < CAPACITY; s++) {
    ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
    bool there = ttb_balancer_inspect(&w->shared, s, &i) == TTB_OK;
    w->id[s] = there ? i.id : 0;
    w->weight[s] = there ? i.weight : 0;
    w->generation[s] = there ? i.generation : 0;
    w->causes[s] = there ? i.causes : 0;
  }
}

/* One change of the set: one endpoint, or a list that shares many with the last. */
static void disturb(check *c, world *w) {
  uint64_t id = (uint64_t)check_between(c, 1, IDS);
  uint32_t most = check_chance(c, 1, 3) ? 1 : check_chance(c, 1, 4) ? 65535 : 6, n = 0;
  ttb_endpoint list[CAPACITY];
  switch (check_below(c, 5)) {
  case 0:
  case 1:
    list[0] = (ttb_endpoint){sizeof *list, (uint32_t)check_between(c, 1, most), id};
    (void)ttb_balancer_add(&w->mine, list);
    break;
  case 2: (void)ttb_balancer_remove(&w->mine, id); break;
  case 3:
    (void)ttb_balancer_set_weight(&w->mine, id, (uint32_t)check_between(c, 1, most));
    break;
  default:
    for (uint32_t s = 0; s < CAPACITY; s++)
      if (w->id[s] && check_chance(c, 3, 4))
        list[n++] = (ttb_endpoint){sizeof *list, w->weight[s], w->id[s]};
    for (uint32_t k = (uint32_t)check_below(c, 4); k > 0 && n < CAPACITY; k--)
      list[n++] = (ttb_endpoint){sizeof *list, (uint32_t)check_between(c, 1, most),
                                 (uint64_t)check_between(c, IDS + 1, 1 << 30)};
    (void)ttb_balancer_update(&w->mine, list, n, NULL);
    break;
  }
}

/* ---- patched maglev ---- */

/* The m lowest of all claims, heard one by one: (2k + 1) / weight, the first at 0;
 * equal ones (rounded as I3 of apportion.c says) by the order of the list. */
static void claims(const uint32_t *weight, uint32_t *share, uint32_t n, uint32_t m) {
  memset(share, 0, n * sizeof *share);
  for (uint32_t heard = 0; heard < m; heard++) {
    uint32_t best = n;
    uint64_t lowest = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
      uint64_t claim = share[i] ? ((2 * (uint64_t)share[i] + 1) << 38) / weight[i] : 0;
      if (claim < lowest) lowest = claim, best = i;
    }
    share[best]++;
  }
}

static void shares(check *c) {
  check_property_slow(c, "apportion: the lowest of all claims", 20);
  while (check_step(c)) {
    uint32_t n = (uint32_t)check_between(c, 1, 20), m = n + (uint32_t)check_below(c, 400);
    uint32_t weight[20], share[20], expected[20];
    uint32_t most = check_chance(c, 1, 2) ? 65535 : (uint32_t)check_between(c, 1, 20);
    for (uint32_t i = 0; i < n; i++) weight[i] = (uint32_t)check_between(c, 1, most);
    claims(weight, expected, n, m);
    ttb__apportion(weight, share, n, m);
    for (uint32_t i = 0; i < n; i++)
      CHECK(c, share[i] == expected[i], "%u of %u entries, not %u, to weight %u, place %u of %u",
            share[i], m, expected[i], weight[i], i, n);
  }
}

static void compare_shares(check *c, const world *w, const int32_t *owner, uint32_t m) {
  uint32_t weight[CAPACITY], expected[CAPACITY], slot[CAPACITY], count[CAPACITY] = {0}, n = 0;
  for (uint64_t before = 0;;) { /* by ascending id */
    int next = -1;
    for (int s = 0; s < CAPACITY; s++)
      if (w->id[s] > before && (next < 0 || w->id[s] < w->id[next])) next = s;
    if (next < 0) break;
    before = w->id[next];
    slot[n] = (uint32_t)next;
    weight[n++] = w->weight[next];
  }
  for (uint32_t i = 0; i < m && n > 0; i++) count[owner[i]]++;
  claims(weight, expected, n, n ? m : 0);
  for (uint32_t i = 0; i < n; i++)
    CHECK(c, count[slot[i]] == expected[i], "slot %u has %u entries of %u, not %u", slot[i],
          count[slot[i]], m, expected[i]);
}

static void patches(check *c) {
  check_property_slow(c, "patched maglev: no entry moves between two who stay as they are", 100);
  static const uint32_t primes[] = {17, 101, MAX_M};
  uint64_t until = 0;
  uint32_t m = 0;
  world w, before;
  bool begun = false;
  int32_t owner[MAX_M], now[MAX_M];
  while (check_step(c)) {
    if (c->step >= until) {
      if (begun) end(&w);
      m = primes[check_below(c, 3)];
      begin(c, &w, TTB_BALANCER_PATCHED_MAGLEV, m);
      begun = true;
      until = c->step + (uint64_t)check_between(c, 10, 400);
      for (uint32_t i = 0; i < m; i++) owner[i] = -1;
    }
    before = w;
    disturb(c, &w);
    look(&w);
    for (uint32_t i = 0; i < m; i++) {
      int64_t t = ttb_balancer_acquire(&w.mine, i, 0);
      int32_t a = owner[i], b = now[i] = t < 0 ? -1 : ttb_ticket_slot(t);
      CHECK(c, b < 0 ? t == TTB_NO_ENDPOINT : w.id[b] != 0, "entry %u: %" PRId64, i, t);
      if (a < 0 || b < 0 || a == b) continue;
      bool a_stays = w.generation[a] == before.generation[a] && w.weight[a] == before.weight[a];
      bool b_stays = w.generation[b] == before.generation[b] && w.weight[b] == before.weight[b];
      CHECK(c, !a_stays || !b_stays, "entry %u of %u went from slot %d to slot %d", i, m, a, b);
    }
    compare_shares(c, &w, now, m);
    memcpy(owner, now, sizeof owner);
  }
  if (begun) end(&w);
}

/* ---- anchor ---- */

/* The paper's rule with the working set of every removal written down: working[k]
 * is the list, in its order, when k buckets worked; removed[k] who was then
 * removed from the one before. */
typedef struct buckets {
  uint32_t n;
  uint32_t working[CAPACITY + 1][CAPACITY], removed[CAPACITY];
  uint32_t slot[CAPACITY]; /* who has it, and 1; 0: it does not work */
} buckets;

static void take_out(buckets *a, uint32_t bucket) {
  uint32_t n = a->n--;
  for (uint32_t i = 0; i < n - 1; i++)
    a->working[n - 1][i] = a->working[n][i] == bucket ? a->working[n][n - 1] : a->working[n][i];
  a->removed[n - 1] = bucket;
  a->slot[bucket] = 0;
}

static void nobody(buckets *a) {
  a->n = CAPACITY;
  for (uint32_t i = 0; i < CAPACITY; i++) a->working[CAPACITY][i] = i;
  while (a->n > 0) take_out(a, a->n - 1);
}

static uint32_t bucket_of(const buckets *a, uint64_t key) {
  uint32_t b = (uint32_t)ttb__mulhi(key * UINT64_C(0x9e3779b97f4a7c15), CAPACITY), k;
  while (!a->slot[b]) {
    for (k = a->n; a->removed[k] != b; k++) continue;
    uint64_t state = key ^ b * UINT64_C(0xd1b54a32d192ed03);
    b = a->working[k][ttb__mulhi(ttb__splitmix(&state), k)];
  }
  return b;
}

/* Leavers by bucket, then newcomers by slot, each into the bucket removed last;
 * who lives where a leaver lived has its bucket. */
static void follow(buckets *a, const world *w) {
  bool seated[CAPACITY] = {false}, any = false;
  for (uint32_t s = 0; s < CAPACITY; s++) any = any || w->id[s];
  for (uint32_t b = 0; b < CAPACITY; b++) {
    if (!a->slot[b]) continue;
    if (w->id[a->slot[b] - 1]) seated[a->slot[b] - 1] = true;
    else take_out(a, b);
  }
  if (!any) nobody(a); /* an empty balancer forgets */
  for (uint32_t s = 0; s < CAPACITY; s++)
    if (w->id[s] && !seated[s]) a->slot[a->removed[a->n++]] = s + 1;
}

static void anchors(check *c) {
  check_property_slow(c, "anchor: the paper's working sets, written down", 100);
  uint64_t until = 0;
  world w;
  buckets a;
  bool begun = false;
  while (check_step(c)) {
    if (c->step >= until) {
      if (begun) end(&w);
      begin(c, &w, TTB_BALANCER_ANCHOR, 0);
      memset(&a, 0, sizeof a);
      nobody(&a);
      begun = true;
      until = c->step + (uint64_t)check_between(c, 10, 400);
    }
    disturb(c, &w);
    look(&w);
    follow(&a, &w);
    for (uint32_t k = 0; k < 200; k++) {
      uint64_t key = check_rand(c);
      int64_t t = ttb_balancer_acquire(&w.mine, key, 0);
      CHECK(c, t < 0 ? a.n == 0 : a.n > 0 && (uint32_t)ttb_ticket_slot(t) + 1 == a.slot[bucket_of(&a, key)],
            "key %" PRIu64 ": %" PRId64 ", %u work", key, t, a.n);
    }
  }
  if (begun) end(&w);
}

/* ---- bounded load ---- */

/* Who has its share and more of m calls in flight: c is that of the library, in
 * 1/65536. */
static uint32_t full(const world *w, const uint32_t *held, uint64_t m, uint64_t c, uint32_t *ret) {
  uint64_t sum = 0;
  uint32_t n = 0;
  for (uint32_t s = 0; s < CAPACITY; s++)
    if (w->id[s] && !w->causes[s]) sum += w->weight[s];
  for (uint32_t s = 0; s < CAPACITY; s++)
    if (w->id[s] && sum && held[s] * sum >= (c * (m + 1) * w->weight[s] + 65535) / 65536)
      ret[n++] = s;
  return n;
}

/* The same change to both. Who has calls out stays: its slot would not be free here,
 * and is in the twin, which counts none. */
static void disturb_both(check *c, world *w, world *twin, const uint32_t *held) {
  uint64_t id = (uint64_t)check_between(c, 1, IDS);
  int32_t slot = ttb_balancer_find(&w->shared, id), a, b;
  if (check_chance(c, 1, 2)) {
    uint32_t s = (uint32_t)check_below(c, CAPACITY);
    int32_t on = check_chance(c, 1, 3);
    a = ttb_balancer_mark(&w->shared, s, TTB_CAUSE_PROBE, on);
    b = ttb_balancer_mark(&twin->shared, s, TTB_CAUSE_PROBE, on);
  } else if (slot < 0 || check_chance(c, 1, 3)) {
    ttb_endpoint e = {.struct_size = sizeof e, .id = id};
    e.weight = (uint32_t)check_between(c, 1, check_chance(c, 1, 2) ? 1 : 60);
    a = ttb_balancer_add(&w->mine, &e);
    b = ttb_balancer_add(&twin->mine, &e);
  } else {
    if (held[slot]) return;
    a = ttb_balancer_remove(&w->mine, id);
    b = ttb_balancer_remove(&twin->mine, id);
  }
  CHECK(c, a == b, "the twin parted: %d, %d", a, b);
}

static void bounds(check *c) {
  check_property_slow(c, "bounded load: as unbounded without those who are full", 10);
  static const uint32_t by_hash[] = {
      TTB_BALANCER_MAGLEV, TTB_BALANCER_RING_HASH, TTB_BALANCER_JUMP, TTB_BALANCER_RENDEZVOUS,
      TTB_BALANCER_KETAMA, TTB_BALANCER_NGINX_CONSISTENT, TTB_BALANCER_PATCHED_MAGLEV,
      TTB_BALANCER_ANCHOR};
  uint64_t until = 0, c16 = 0;
  world w, twin; /* the same, unbounded */
  bool begun = false;
  uint32_t held[CAPACITY], x[CAPACITY], out = 0;
  int64_t ticket[200];
  while (check_step(c)) {
    if (c->step >= until) {
      if (begun) end(&w), end(&twin);
      uint32_t algorithm = by_hash[check_below(c, sizeof by_hash / sizeof *by_hash)];
      bool prime = algorithm == TTB_BALANCER_MAGLEV || algorithm == TTB_BALANCER_PATCHED_MAGLEV;
      uint64_t ppm = (uint64_t)check_between(c, 1010000, check_chance(c, 1, 2) ? 1300000 : 9000000);
      begin(c, &twin, algorithm, prime ? 101 : 0);
      begin_bounded(c, &w, algorithm, prime ? 101 : 0, (int32_t)ppm);
      c16 = (ppm * 65536 + 999999) / 1000000;
      memset(held, 0, sizeof held);
      out = 0;
      begun = true;
      until = c->step + (uint64_t)check_between(c, 50, 5000);
    }
    uint64_t what = check_below(c, 100), key = check_below(c, 4) ? check_rand(c) : 42;
    if (what < 8) {
      disturb_both(c, &w, &twin, held);
      look(&w);
    } else if (what < 45 && out > 0) {
      uint64_t k = check_below(c, out);
      CHECK(c, ttb_balancer_report(&w.mine, ticket[k], TTB_SUCCESS, 0, 0) == TTB_OK, "report");
      held[ttb_ticket_slot(ticket[k])]--;
      ticket[k] = ticket[--out];
    } else if (out < 200) {
      uint32_t n = full(&w, held, out, c16, x);
      int64_t t = ttb_balancer_acquire(&w.mine, key, 0);
      int64_t expected = ttb_balancer_acquire_except(&twin.mine, key, x, n, 0);
      CHECK(c, (t < 0) == (expected < 0), "%" PRId64 ", not %" PRId64, t, expected);
      if (t < 0) continue;
      CHECK(c, ttb_ticket_slot(t) == ttb_ticket_slot(expected),
            "slot %d, not %d, with %u out and %u full", ttb_ticket_slot(t),
            ttb_ticket_slot(expected), out, n);
      held[ttb_ticket_slot(t)]++;
      ticket[out++] = t;
    }
  }
  if (begun) end(&w), end(&twin);
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  shares(&c);
  patches(&c);
  anchors(&c);
  bounds(&c);
  return check_end(&c);
}
