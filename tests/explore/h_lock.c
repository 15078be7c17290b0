/* SPDX-License-Identifier: MIT */
/* The owner lock (lib/base/lock.h): two who want it, one of them is killed at any
 * step; then two try to take over, or the one who does is killed as well. */
#include "../../lib/base/lock.h"

#include "explore.h"

#define A 11u
#define B 12u
#define C 13u
#define D 14u

static struct {
  ttb__lock lock;
  ttb__a32 data; /* written under the lock */
  uint32_t reserved;
} m;

static struct {
  uint32_t inside;          /* actor + 1 that holds it */
  uint32_t settled;         /* data as of the last unlock */
  uint32_t took[EX_ACTORS]; /* how often it was taken over from that one */
} g;

static void setup(void) {
  ex_shared(&m, sizeof m);
  ex_ghost(&g, sizeof g);
}

/* What a holder does: reads what earlier holders wrote, adds one. */
static void hold(uint32_t actor, uint64_t token) {
  ex_check(g.inside == 0 || ex_dead(g.inside - 1), "two hold the lock");
  g.inside = actor + 1;
  uint32_t seen = ttb__load_rlx(&m.data);
  ex_check(seen >= g.settled, "a holder misses what an earlier one wrote");
  ttb__store_rlx(&m.data, seen + 1);
  ex_check(ttb__lock_unlock(&m.lock, token) == TTB_OK, "unlock refused its holder");
  g.settled = seen + 1;
  if (g.inside == actor + 1) g.inside = 0;
}

static void a(void) {
  if (ttb__lock_try(&m.lock, A) == TTB_OK) hold(0, A);
}
static void b(void) {
  if (ttb__lock_try(&m.lock, B) == TTB_OK) hold(1, B);
}
/* Takes over from an actor that was killed. */
static void take_over(uint32_t actor, uint64_t token, uint32_t from, uint64_t dead) {
  ex_wait_dead(from);
  if (ttb__lock_takeover(&m.lock, dead, token) != TTB_OK) return;
  ex_check(g.took[from]++ == 0, "two took one lock over");
  hold(actor, token);
}
static void c(void) { take_over(2, C, 1, B); }
static void d(void) { take_over(3, D, 1, B); }
static void d_after_c(void) {
  take_over(3, D, 2, C);
  take_over(3, D, 1, B); /* C may have died before it took over */
}

static void check(void) {
  uint64_t holder = ttb__lock_holder(ttb__load_rlx(&m.lock.word));
  if (holder == 0) return;
  ex_check(holder == B || holder == C, "the lock is left behind");
  if (holder == B)
    ex_check(!ex_dead(1) || (ex_dead(2) && !ex_done(3)), "a dead process keeps the lock");
  if (holder == C) ex_check(ex_dead(2) && !ex_done(3), "a dead process keeps the lock");
}

const ex_harness ex_lock = {
    .name = "lock",
    .what = "owner lock: a holder killed at any step, two take over",
    .setup = setup,
    .actor = {a, b, c, d},
    .check = check,
    .crashable = 1u << 1,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

const ex_harness ex_lock_chain = {
    .name = "lock-chain",
    .what = "the one who takes over is killed as well",
    .setup = setup,
    .actor = {a, b, c, d_after_c},
    .check = check,
    .crashable = 1u << 1 | 1u << 2,
    .crashes = 2,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};
