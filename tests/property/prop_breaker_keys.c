/* SPDX-License-Identifier: MIT */
/* A table of keys against one plain breaker a key: whose slot it is, when it may
 * change hands, what is left of the old key then, and what every answer must be.
 * Where a new key is put is the table's affair; that it may be put there is not. */
#include <string.h>

#include <trimtab/breaker.h>

#include "check.h"

#define MS UINT64_C(1000000)
#define SLOTS 40
#define KEYS 60
#define TICKETS 64
#define LIFE 4000
#define TICK 128 /* ms: how finely the table remembers when a key was asked for */

typedef struct ref_slot {
  uint64_t key; /* 0: never used */
  int64_t asked, deadline;
  int kind;
  uint32_t gen, row, successes, opened, out;
  int64_t probe[4];
} ref_slot;

typedef struct given {
  int64_t ticket;
  uint32_t slot, gen;
  bool probe;
} given;

typedef struct life {
  ttb_breaker b;
  ttb_breaker_config c;
  ref_slot slot[SLOTS];
  int place[KEYS + 2]; /* of a key, -1: none */
  given given[TICKETS];
  uint32_t n_given;
  int64_t v; /* ms since the first call */
  uint64_t now_ns;
  int left;
} life;

static life l;

/* ---- one breaker: so many failures in a row ---- */

static void move(ref_slot *s, int kind, int64_t deadline) {
  s->kind = kind;
  s->deadline = deadline;
  s->gen++;
  s->row = s->successes = s->out = 0;
}

static void open_it(ref_slot *s) {
  move(s, TTB_BREAKER_OPEN, l.v + l.c.open_ms);
  s->opened++;
}

/* 0: a plain ticket, 1: a probe, or a refusal. */
static int64_t acquire(ref_slot *s) {
  bool waits = s->kind == TTB_BREAKER_OPEN || s->kind == TTB_BREAKER_HALF_OPEN;
  if (waits && l.v >= s->deadline) move(s, TTB_BREAKER_HALF_OPEN, l.v + l.c.lease_ms);
  if (s->kind == TTB_BREAKER_OPEN || s->kind == TTB_BREAKER_FORCED_OPEN) return TTB_OPEN;
  if (s->kind != TTB_BREAKER_HALF_OPEN) return 0;
  return s->out < l.c.half_open_probes ? 1 : TTB_HALF_OPEN_FULL;
}

static int32_t report(const given *g, int32_t outcome) {
  ref_slot *s = &l.slot[g->slot];
  bool calls = s->kind == TTB_BREAKER_CLOSED || s->kind == TTB_BREAKER_DISABLED;
  uint32_t i = 0;
  if (g->gen != s->gen) return TTB_STALE;
  if (g->probe) {
    while (i < s->out && s->probe[i] != g->ticket) i++;
    if (i == s->out) return TTB_STALE;
    s->probe[i] = s->probe[--s->out];
  } else if (!calls) {
    return TTB_STALE;
  }
  if (outcome > TTB_FAILURE || s->kind == TTB_BREAKER_DISABLED) return TTB_OK;
  if (g->probe && outcome == TTB_FAILURE) {
    open_it(s);
    return TTB_BREAKER_REOPENED;
  }
  if (g->probe) {
    if (++s->successes < l.c.half_open_successes) return TTB_OK;
    move(s, TTB_BREAKER_CLOSED, 0);
    return TTB_BREAKER_RECLOSED;
  }
  s->row = outcome == TTB_FAILURE ? s->row + 1 : 0;
  if (s->row < (uint32_t)l.c.consecutive) return TTB_OK;
  open_it(s);
  return TTB_BREAKER_OPENED;
}

/* ---- the table ---- */

static bool at_rest(const ref_slot *s) {
  if (s->kind == TTB_BREAKER_FORCED_OPEN || s->kind == TTB_BREAKER_DISABLED) return false;
  return s->kind == TTB_BREAKER_CLOSED || l.v >= s->deadline;
}

/* A key has a slot now that it had not before: was it to be had? */
static void took(check *c, uint64_t key, uint32_t slot) {
  ref_slot *s = &l.slot[slot];
  if (s->key != 0) {
    CHECK(c, l.v - s->asked > l.c.key_idle_ms && at_rest(s), "slot of key %d, asked for %d ms ago",
          (int)s->key, (int)(l.v - s->asked));
    l.place[s->key] = -1;
    move(s, TTB_BREAKER_CLOSED, 0);
    s->opened = 0;
  }
  s->key = key;
  l.place[key] = (int)slot;
}

/* Nobody could be moved for it: with one bucket, nowhere. */
static void found_none(check *c, uint64_t key) {
  CHECK(c, l.place[key] < 0, "a key that has slot %d got none", l.place[key]);
  for (uint32_t i = 0; i < l.c.capacity && l.c.capacity <= 16; i++) {
    const ref_slot *s = &l.slot[i];
    CHECK(c, s->key != 0, "slot %u is free", i);
    CHECK(c, l.v - s->asked < l.c.key_idle_ms + 3 * TICK || !at_rest(s), "slot %u is at rest", i);
  }
}

static void ask(check *c) {
  uint64_t key = 1 + check_below(c, l.left % 512 < 256 ? KEYS : l.c.capacity);
  int64_t t = 0;
  int32_t found = ttb_breaker_find(&l.b, key), slot;
  CHECK(c, found == (l.place[key] < 0 ? TTB_ERR_UNKNOWN_ID : l.place[key]), "found %d, is at %d",
        found, l.place[key]);
  bool only_claim = check_chance(c, 1, 8);
  if (only_claim) slot = ttb_breaker_claim(&l.b, key, l.now_ns);
  else t = ttb_breaker_acquire_key(&l.b, key, l.now_ns), slot = ttb_breaker_find(&l.b, key);
  if (slot < 0) {
    CHECK(c, only_claim ? slot == TTB_LIMIT : t == TTB_LIMIT, "no slot: %d, %d", slot, (int)t);
    found_none(c, key);
    return;
  }
  if (l.place[key] < 0) took(c, key, (uint32_t)slot);
  CHECK(c, l.place[key] == slot, "moved from %d to %d", l.place[key], slot);
  ref_slot *s = &l.slot[slot];
  s->asked = l.v;
  if (only_claim) return;
  int64_t want = acquire(s);
  if (want < 0 || t < 0) {
    CHECK(c, t == want, "%d for %d", (int)t, (int)want);
    return;
  }
  CHECK(c, ttb_ticket_slot(t) == slot && ttb_breaker_is_probe(t) == want, "ticket of %d, probe %d",
        ttb_ticket_slot(t), (int)want);
  if (want == 1) s->probe[s->out++] = t;
  l.given[l.n_given++ % TICKETS] = (given){t, (uint32_t)slot, s->gen, want == 1};
}

static void tell(check *c) {
  uint64_t n = l.n_given < TICKETS ? l.n_given : TICKETS;
  if (n == 0) return;
  if (check_chance(c, 3, 4) && n > 4) n = 4; /* mostly fresh ones */
  const given *g = &l.given[(l.n_given - 1 - check_below(c, n)) % TICKETS];
  int32_t outcome = (int32_t)check_below(c, check_chance(c, 1, 8) ? 5 : 2);
  if (outcome == TTB_SLOW) outcome = TTB_IGNORED;
  int32_t want = report(g, outcome), got = ttb_breaker_report(&l.b, g->ticket, outcome, l.now_ns);
  CHECK(c, got == want, "report of %d: %d, want %d", outcome, got, want);
}

static void by_hand(check *c) {
  static const int states[] = {TTB_BREAKER_CLOSED, TTB_BREAKER_CLOSED, TTB_BREAKER_OPEN,
                               TTB_BREAKER_FORCED_OPEN, TTB_BREAKER_DISABLED};
  uint32_t slot = (uint32_t)check_below(c, l.c.capacity);
  int state = states[check_below(c, 5)];
  if (state == TTB_BREAKER_OPEN) open_it(&l.slot[slot]);
  else move(&l.slot[slot], state, 0);
  CHECK(c, ttb_breaker_set(&l.b, slot, state, l.now_ns) == TTB_OK, "set %d", state);
}

static void look(check *c) {
  uint32_t slot = (uint32_t)check_below(c, l.c.capacity);
  const ref_slot *s = &l.slot[slot];
  ttb_breaker_info i = TTB_CONFIG(ttb_breaker_info);
  CHECK(c, ttb_breaker_explain(&l.b, slot, l.now_ns, &i) == TTB_OK, "explain");
  bool over = s->kind == TTB_BREAKER_OPEN && l.v >= s->deadline;
  CHECK(c, i.key == s->key, "key %d, is %d", (int)i.key, (int)s->key);
  CHECK(c, i.state == (over ? TTB_BREAKER_HALF_OPEN : s->kind), "state %d, is %d", i.state,
        s->kind);
  CHECK(c, i.generation == s->gen && i.opened == s->opened, "generation %u/%u, opened %u/%u",
        i.generation, s->gen, i.opened, s->opened);
  if (s->kind == TTB_BREAKER_CLOSED)
    CHECK(c, i.consecutive == s->row, "row %u, is %u", i.consecutive, s->row);
}

static void begin(check *c) {
  static const uint32_t sizes[] = {1, 3, 16, 17, SLOTS};
  ttb_breaker_free(&l.b);
  memset(&l, 0, sizeof l);
  for (int k = 0; k < KEYS + 2; k++) l.place[k] = -1;
  l.c.struct_size = sizeof l.c;
  l.c.capacity = sizes[check_below(c, 5)];
  l.c.key_idle_ms = (int32_t)check_between(c, 1, check_chance(c, 1, 2) ? 300 : 20000);
  l.c.consecutive = (int32_t)check_between(c, 1, 3);
  l.c.failure_rate_ppm = TTB_OFF;
  l.c.open_ms = (uint32_t)check_between(c, 1, 2000);
  l.c.lease_ms = (uint32_t)check_between(c, 1, 2000);
  l.c.half_open_probes = (uint32_t)check_between(c, 1, 4);
  l.c.half_open_successes = (uint32_t)check_between(c, 1, 3);
  l.left = LIFE;
  l.now_ns = check_rand(c) >> 10;
  CHECK(c, ttb_breaker_new(&l.b, &l.c, NULL) == TTB_OK, "new");
  int32_t first = ttb_breaker_claim(&l.b, KEYS + 1, l.now_ns); /* time begins */
  CHECK(c, first >= 0, "the first key: %d", first);
  l.slot[first].key = KEYS + 1;
  l.place[KEYS + 1] = first;
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  check_property(&c, "each key has a breaker of its own, and loses it only when idle and at rest");
  while (check_step(&c)) {
    if (l.left-- <= 0) begin(&c);
    int64_t ms = check_chance(&c, 1, 3) ? (int64_t)check_below(&c, 30) : 0;
    if (check_chance(&c, 1, 50)) ms = (int64_t)check_below(&c, 2 * (uint64_t)l.c.key_idle_ms);
    if (check_chance(&c, 1, 1000)) ms = (int64_t)check_below(&c, 3 * 86400000);
    l.v += ms;
    l.now_ns += (uint64_t)ms * MS;
    if (check_chance(&c, 1, 64)) by_hand(&c);
    else if (check_chance(&c, 1, 2)) ask(&c);
    else tell(&c);
    look(&c);
  }
  ttb_breaker_free(&l.b);
  return check_end(&c);
}
