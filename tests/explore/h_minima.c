/* SPDX-License-Identifier: MIT */
/* Bounds of groups (lib/balancer/minima.h): reports that lower an endpoint's key, and
 * pickers that raise the group's bound to what they saw. At rest no bound is above the
 * least key. A reporter may be killed between its two stores: who recovers sets its
 * cell and the bound to 0. */
#include "../../lib/balancer/minima.h"

#include "explore.h"

static struct {
  ttb__a64 group;
  ttb__a32 cell[2]; /* the calls in flight of two endpoints, which are also the keys */
} m;

static void setup(void) {
  ex_shared(&m, sizeof m);
  ttb__store_rlx(&m.cell[0], 1);
  ttb__store_rlx(&m.cell[1], 1);
}

static void report(uint32_t i) {
  ttb__store_rlx(&m.cell[i], 0);
  if (ex_logic("a report that lowers nothing tells nobody")) return;
  ttb__bound_lower(&m.group, 0);
}
static void report_0(void) { report(0); }
static void report_1(void) { report(1); }

/* As least_of_group in least_connections.c. */
static void look(void) {
  uint64_t looked = ttb__bound_look(&m.group);
  uint32_t a = ttb__load_rlx(&m.cell[0]), b = ttb__load_rlx(&m.cell[1]), least = a < b ? a : b;
  if (ex_logic("the word is taken after the look")) looked = ttb__bound_look(&m.group);
  if (least > looked >> 16) ttb__bound_raise(&m.group, looked, least);
}

static void recover(void) {
  ex_wait_dead(0);
  ttb__store_rlx(&m.cell[0], 0);
  if (ex_logic("recovery leaves bounds alone")) return;
  ttb__bound_lower(&m.group, 0);
}

static void check(void) {
  uint32_t a = ttb__load_rlx(&m.cell[0]), b = ttb__load_rlx(&m.cell[1]);
  ex_check(ttb__load_rlx(&m.group) >> 16 <= (a < b ? a : b), "a bound above the least key");
}

const ex_harness ex_minima = {
    .name = "minima",
    .what = "bounds of groups: two reports, two pickers",
    .setup = setup,
    .actor = {report_0, look, report_1, look},
    .check = check,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
    .logic = {"a report that lowers nothing tells nobody", "the word is taken after the look"},
};

const ex_harness ex_minima_kill = {
    .name = "minima-kill",
    .what = "a report killed at any step, its thread recovered beside two pickers",
    .setup = setup,
    .actor = {report_0, look, recover, look},
    .check = check,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
    .logic = {"recovery leaves bounds alone"},
};
