/* SPDX-License-Identifier: MIT */
/* One tick of a violation budget: all arms and holds, learned from and decided. A
 * year of 15 s ticks is 2.1 million of them. */
#include <stdio.h>

#include <trimtab/budget.h>

#include "bench.h"

typedef struct load {
  ttb_budget b;
  ttb_budget_sample s;
  uint64_t now, random;
  int64_t level, spread;
} load;

static void tick(void *ctx, uint64_t n) {
  load *l = ctx;
  while (n--) {
    ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
    l->random = l->random * UINT64_C(6364136223846793005) + 1;
    l->level += (l->spread ? (int64_t)(l->random >> 33) % l->spread - l->spread / 2 : 0);
    l->level += (14000000 - l->level) / 500;
    l->s.load_milli = l->level;
    l->now += UINT64_C(15000000000);
    (void)ttb_budget_tick(&l->b, 0, &l->s, l->now, &d);
    l->s.current = d.desired;
  }
}

static int start(load *l, int64_t spread, uint32_t startup_ms) {
  ttb_budget_config c = TTB_CONFIG(ttb_budget_config);
  c.replica_milli = 1000000;
  c.max_replicas = 1000;
  c.startup_ms = startup_ms;
  *l = (load){.s = TTB_CONFIG(ttb_budget_sample), .now = 1, .random = 1, .level = 14000000,
              .spread = spread};
  return ttb_budget_new(&l->b, &c, NULL);
}

int main(int argc, char **argv) {
  static load steady, walk, slow;
  bench b = bench_start(argc, argv);
  if (start(&steady, 0, 60000) < 0 || start(&walk, 400000, 60000) < 0 ||
      start(&slow, 400000, 600000) < 0)
    return 1;
  bench_one(&b, "budget tick, a load that never moves", BENCH_ADD, tick, &steady);
  bench_one(&b, "budget tick, random walk", BENCH_ADD, tick, &walk);
  bench_one(&b, "budget tick, ten minutes of start-up", BENCH_ADD, tick, &slow);
  int status = bench_end(&b);
  ttb_budget_free(&steady.b);
  ttb_budget_free(&walk.b);
  ttb_budget_free(&slow.b);
  return status;
}
