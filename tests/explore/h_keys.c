/* SPDX-License-Identifier: MIT */
/* Keys of a table (lib/base/keys.c) under breakers (lib/breaker/keyed.c): one
 * key has one slot whoever claims it at the same time; what calls of the last
 * key report never reaches the next; a claimer killed anywhere leaves a table
 * that goes on. */
#include "../../lib/base/keys.h"
#include "../../lib/breaker/breaker.h"

#include "explore.h"

#define MS UINT64_C(1000000)
#define NOW (3600000 * MS)
#define LATER (NOW + 60000 * MS)
#define BYTES 1024
#define OLD 5
#define NEW 6

static _Alignas(64) unsigned char memory[BYTES];
static ttb_breaker breaker;

static struct {
  uint32_t failed; /* failures of the new key that counted */
  int32_t slot[EX_ACTORS];
} g;

static uint32_t capacity;

static void make(uint32_t slots) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.capacity = capacity = slots;
  c.consecutive = 9;
  c.failure_rate_ppm = TTB_OFF;
  c.key_idle_ms = 1000;
  c.threads = EX_ACTORS;
  ex_shared(memory, sizeof memory);
  ex_ghost(&g, sizeof g);
  for (int i = 0; i < EX_ACTORS; i++) g.slot[i] = -1;
  int64_t size = ttb_breaker_size(&c);
  ex_check(size > 0 && size <= BYTES, "the region fits");
  ex_check(ttb_breaker_init(&breaker, memory, (uint64_t)size, &c) == TTB_OK, "init");
}

static uint32_t slots_of(uint64_t key) {
  const ttb__breaker *b = ttb__breaker_of(&breaker);
  uint32_t n = 0;
  for (uint32_t i = 0; i < capacity; i++) n += ttb__keys_owner(&b->keys, i) == key;
  return n;
}

static void claim(uint32_t actor) { g.slot[actor] = ttb_breaker_claim(&breaker, NEW, LATER); }

/* ---- a new key: two claim it, one may be killed ---- */

static void setup_new(void) { make(2); }
static void new_a(void) { claim(0); }
static void new_b(void) { claim(1); }
static void check_new(void) {
  if (!ex_dead(1)) ex_check(slots_of(NEW) == 1, "two slots have one key");
  ex_check(ttb_breaker_claim(&breaker, NEW, LATER) >= 0, "no slot for the key");
}

const ex_harness ex_keys_new = {
    .name = "keys-new",
    .what = "a new key: two claim it at once, one is killed at any step",
    .setup = setup_new,
    .actor = {new_a, new_b},
    .check = check_new,
    .crashable = 1u << 1,
    .crashes = 1,
    .bound = 4,
    .deep_bound = 6,
};

/* ---- a slot at rest changes its key while a call of the old one is out ---- */

static int64_t early;

static void setup_reuse(void) {
  make(1);
  early = ttb_breaker_acquire_key(&breaker, OLD, NOW);
}
static void reuse_a(void) { (void)ttb_breaker_report(&breaker, early, TTB_FAILURE, LATER); }
static void reuse_b(void) {
  int64_t t = ttb_breaker_acquire_key(&breaker, NEW, LATER);
  if (t >= 0) g.failed += ttb_breaker_report(&breaker, t, TTB_FAILURE, LATER) == TTB_OK;
}
static void reuse_c(void) { /* the old key comes back: its slot, or none */
  int64_t t = ttb_breaker_acquire_key(&breaker, OLD, LATER);
  if (t >= 0) (void)ttb_breaker_report(&breaker, t, TTB_FAILURE, LATER);
}
static void check_reuse(void) {
  ttb_breaker_info i = TTB_CONFIG(ttb_breaker_info);
  (void)ttb_breaker_explain(&breaker, 0, LATER, &i);
  if (i.key == NEW && ex_done(0) && !ex_dead(1))
    ex_check(i.consecutive == g.failed, "failures of the old key count for the new one");
  ex_check(ttb_breaker_claim(&breaker, i.key ? i.key : NEW, LATER + 1) == 0, "wedged");
}

const ex_harness ex_keys_reuse = {
    .name = "keys-reuse",
    .what = "a slot at rest gets another key while a call of the old one is out",
    .setup = setup_reuse,
    .actor = {reuse_a, reuse_b, reuse_c},
    .check = check_reuse,
    .crashable = 1u << 1,
    .crashes = 1,
    .bound = 3,
    .deep_bound = 4,
};

/* ---- two put one key in at different places, since one has not seen that a
 * slot is in use again ---- */

static uint64_t first_key; /* whose slot NEW would take */

static void setup_rivals(void) {
  make(2);
  int32_t first = ttb_breaker_claim(&breaker, NEW, NOW);
  make(2);
  uint64_t other = OLD + 100;
  if (ttb_breaker_claim(&breaker, OLD, NOW) == first) first_key = OLD;
  if (ttb_breaker_claim(&breaker, other, NOW) == first) first_key = other;
}
static void rivals_a(void) { claim(0); }
static void rivals_b(void) { claim(1); }
static void rivals_c(void) { (void)ttb_breaker_claim(&breaker, first_key, LATER); }
static void check_rivals(void) { ex_check(slots_of(NEW) == 1, "two slots have one key"); }

const ex_harness ex_keys_rivals = {
    .name = "keys-rivals",
    .what = "two claim one key; one of them has not seen a slot come into use",
    .setup = setup_rivals,
    .actor = {rivals_a, rivals_b, rivals_c},
    .check = check_rivals,
    .bound = 4,
    .deep_bound = 5,
};

/* ---- who finds a key finds its slot as new ---- */

static void setup_find(void) {
  make(1);
  early = ttb_breaker_acquire_key(&breaker, OLD, NOW);
}
static void find_a(void) { (void)ttb_breaker_claim(&breaker, NEW, LATER); }
static void find_b(void) {
  if (ttb_breaker_find(&breaker, NEW) < 0) return;
  int64_t t = ttb_breaker_acquire(&breaker, 0, LATER);
  ex_check(ttb__ticket_unpack(t).gen == 1, "the slot is still as its last key left it");
}
static void check_find(void) { ex_check(slots_of(NEW) == 1, "the key has no slot"); }

const ex_harness ex_keys_find = {
    .name = "keys-find",
    .what = "who finds a key just put in finds its breaker as new",
    .setup = setup_find,
    .actor = {find_a, find_b},
    .check = check_find,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

/* ---- a key just put in is in use ---- */

static void setup_used(void) {
  make(1);
  (void)ttb_breaker_claim(&breaker, OLD, NOW);
}
static void used_a(void) { claim(0); }
static void used_b(void) { g.slot[1] = ttb_breaker_claim(&breaker, OLD + 100, LATER); }
static void check_used(void) {
  ex_check(g.slot[0] < 0 || g.slot[1] < 0, "a key just put in was taken for an idle one");
}

const ex_harness ex_keys_used = {
    .name = "keys-used",
    .what = "two keys want the one slot at rest",
    .setup = setup_used,
    .actor = {used_a, used_b},
    .check = check_used,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};
