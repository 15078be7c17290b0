/* SPDX-License-Identifier: MIT */
/* Plan's counts as they are, its doubles as floats: a machine whose double is
 * wider (x87) may differ in the last bits of a double, see lib/plan/plan.h. */
#include <string.h>
#include <trimtab/plan.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

/* 0..1, often small. */
static double part(check *c) {
  double v = (double)(check_rand(c) >> 11) * 0x1p-53;
  for (uint64_t halves = check_below(c, 30); halves > 0; halves--) v *= 0.5;
  return v;
}

static void add(dec_hash *h, double v) {
  float f = (float)v;
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  dec_hash_add(h, bits);
}

uint64_t determinism_plan(uint64_t seed) {
  check c = {.state = seed};
  dec_hash h = dec_hash_start();
  for (int step = 0; step < 5000; step++) {
    uint32_t n = (uint32_t)check_between(&c, 1, 1 << check_between(&c, 1, 12));
    uint32_t k = (uint32_t)check_between(&c, 1, n);
    double p[] = {part(&c), part(&c), part(&c), part(&c), part(&c)}, at[8], did[8], v[17] = {0};
    double load = part(&c) * 100000, wait = part(&c) * 10, target = part(&c) + 1e-12;
    if (target > 1) target = 1;
    for (int i = 0; i < 8; i++) at[i] = i * i + 1, did[i] = (i + 1) * (1 + part(&c));
    (void)ttb_plan_k_of_n(n, k, p[0], p[1], &v[0]);
    (void)ttb_plan_k_of_unlike(p, 5, 3, &v[1]);
    (void)ttb_plan_series(p, 5, &v[2]);
    (void)ttb_plan_parallel(p, 5, &v[3]);
    (void)ttb_plan_downtime(p[0], &v[4]);
    (void)ttb_plan_utilisation_after(n, k - 1, p[0], &v[5]);
    (void)ttb_plan_usl_throughput(load + 1, p[0], p[1], n, &v[6]);
    (void)ttb_plan_usl_limit(load + 1, p[0], p[1], &v[7]);
    (void)ttb_plan_usl_fit(at, did, 8, &v[8], &v[9], &v[10]);
    (void)ttb_plan_erlang_b(load, n, &v[11]);
    (void)ttb_plan_erlang_c(load, (uint32_t)load + 3, &v[12]);
    (void)ttb_plan_wait(load, (uint32_t)load + 2, &v[13]);
    (void)ttb_plan_wait_over(load, (uint32_t)load + 1, wait, &v[14]);
    (void)ttb_plan_beta_waits(wait, &v[15]);
    (void)ttb_plan_beta(target, &v[16]);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) add(&h, v[i]);
    const int32_t counts[] = {
        ttb_plan_replicas(k, p[0], p[1] * 0.1, target),
        ttb_plan_n_plus_k(load, wait + 1e-3, 2),
        ttb_plan_spares(load, wait + 1e-3, p[0] + 1e-3, load * 7),
        ttb_plan_usl_peak(p[0], p[1] * p[2]),
        ttb_plan_usl_replicas(load + 1, p[0], p[1] * p[2], load * 2 + 1),
        ttb_plan_servers(load, wait, target),
        ttb_plan_servers_blocked(load, target),
        ttb_plan_square_root(load, wait),
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
      dec_hash_add(&h, (uint32_t)counts[i]);
  }
  return h.value;
}
