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
  uint32_t weight[CAPACITY], generation[CAPACITY];
} world;

static void begin(check *c, world *w, uint32_t algorithm, uint32_t m) {
  ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
  memset(w, 0, sizeof *w);
  config.algorithm = algorithm;
  config.capacity = CAPACITY;
  config.table_size = m;
  CHECK(c, ttb_balancer_new(&w->shared, &config, NULL) == TTB_OK &&
               ttb_balancer_join(&w->shared, 1, &w->mine) == TTB_OK, "set up");
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

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  shares(&c);
  patches(&c);
  anchors(&c);
  return check_end(&c);
}
