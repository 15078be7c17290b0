/* SPDX-License-Identifier: MIT */
/* The explorer explored: the classic litmus tests. Each must show exactly the
 * outcomes that C11 allows it under release/acquire and relaxed, no more and no
 * fewer; names after S. Sarkar et al. and the herd tools. */
#include "../../lib/base/atomic.h"
#include "explore.h"

static struct { ttb__a32 x, y, z, w; } m;

static struct { uint32_t r[4]; } g;

static uint32_t seen; /* a bit an outcome, over all executions */

static void setup(void) {
  ex_shared(&m, sizeof m);
  ex_ghost(&g, sizeof g);
  seen = 0;
}

/* r0 r1 r2 r3 as a number, two bits each would do: they are 0, 1, 2. */
static void note(void) { seen |= 1u << (g.r[0] + 2 * g.r[1] + 4 * g.r[2] + 8 * g.r[3]); }

static void both(uint32_t expected, const char *text) {
  ex_check((seen & ~expected) == 0, text);
  ex_check((expected & ~seen) == 0, "litmus: an outcome that C11 allows is missing");
}

#define LITMUS(id, title, expected, text, ...)                      \
  static void id##_after(void) { both(expected, "litmus: " text); } \
  const ex_harness ex_litmus_##id = {.name = "litmus-" #id,         \
                                     .what = title,                 \
                                     .setup = setup,                \
                                     .actor = {__VA_ARGS__},        \
                                     .check = note,                 \
                                     .after = id##_after,           \
                                     .bound = EX_COMPLETE,          \
                                     .deep_bound = EX_COMPLETE};

/* Message passing: seen the flag, seen the data; without orders not. */
static void mp_put(void) {
  ttb__store_rlx(&m.x, 1);
  ttb__store_rel(&m.y, 1);
}
static void mp_get(void) {
  g.r[0] = ttb__load_acq(&m.y);
  g.r[1] = ttb__load_rlx(&m.x);
}
static void mp_get_relaxed(void) {
  g.r[0] = ttb__load_rlx(&m.y);
  g.r[1] = ttb__load_rlx(&m.x);
}
LITMUS(mp, "message passing", 1u << 0 | 1u << 2 | 1u << 3, "stale data behind an acquired flag",
       mp_put, mp_get)
LITMUS(mp_rlx, "message passing, relaxed", 15u, "impossible", mp_put, mp_get_relaxed)

/* ... also through a read-modify-write of a third (the release sequence). */
static void rs_middle(void) { (void)ttb__add_rlx(&m.y, 1); }
static void rs_get(void) {
  uint32_t y = ttb__load_acq(&m.y);
  g.r[0] = y == 2;
  g.r[1] = ttb__load_rlx(&m.x);
  if (y != 2) g.r[1] = 0;
}
LITMUS(rs, "release sequence", 1u << 0 | 1u << 3, "a read-modify-write breaks the release sequence",
       mp_put, rs_middle, rs_get)

/* Store buffering: both may miss the other, whatever the order. */
static void sb_0(void) {
  ttb__store_rel(&m.x, 1);
  g.r[0] = ttb__load_acq(&m.y);
}
static void sb_1(void) {
  ttb__store_rel(&m.y, 1);
  g.r[1] = ttb__load_acq(&m.x);
}
LITMUS(sb, "store buffering", 15u, "impossible", sb_0, sb_1)

/* Coherence: two loads of one location never go back. */
static void co_put(void) { ttb__store_rlx(&m.x, 1); }
static void co_get(void) {
  g.r[0] = ttb__load_rlx(&m.x);
  g.r[1] = ttb__load_rlx(&m.x);
}
LITMUS(corr, "coherence of two loads", 1u << 0 | 1u << 2 | 1u << 3, "a location goes back in time",
       co_put, co_get)

/* Independent reads of independent writes: readers may disagree on the order. */
static void iriw_x(void) { ttb__store_rel(&m.x, 1); }
static void iriw_y(void) { ttb__store_rel(&m.y, 1); }
static void iriw_0(void) {
  g.r[0] = ttb__load_acq(&m.x);
  g.r[1] = ttb__load_acq(&m.y);
}
static void iriw_1(void) {
  g.r[2] = ttb__load_acq(&m.y);
  g.r[3] = ttb__load_acq(&m.x);
}
LITMUS(iriw, "independent reads of independent writes", 0xffffu, "impossible", iriw_x, iriw_y,
       iriw_0, iriw_1)

/* 2+2W: the last stores of two locations may be the first of each actor. */
static void ww_0(void) {
  ttb__store_rlx(&m.x, 1);
  ttb__store_rlx(&m.y, 2);
}
static void ww_1(void) {
  ttb__store_rlx(&m.y, 1);
  ttb__store_rlx(&m.x, 2);
}
static void ww_note(void) {
  g.r[0] = ttb__load_rlx(&m.x) - 1;
  g.r[1] = ttb__load_rlx(&m.y) - 1;
  note();
}
static void ww_after(void) { both(15u, "litmus: impossible"); }
const ex_harness ex_litmus_2_2w = {.name = "litmus-2+2w",
                                   .what = "two stores each, crosswise",
                                   .setup = setup,
                                   .actor = {ww_0, ww_1},
                                   .check = ww_note,
                                   .after = ww_after,
                                   .bound = EX_COMPLETE,
                                   .deep_bound = EX_COMPLETE};

/* Two read-modify-writes never read the same store. */
static void rmw_0(void) { g.r[0] = ttb__add_rlx(&m.x, 1); }
static void rmw_1(void) { g.r[1] = ttb__add_rlx(&m.x, 1); }
LITMUS(rmw, "two read-modify-writes", 1u << 1 | 1u << 2, "an addition is lost", rmw_0, rmw_1)
