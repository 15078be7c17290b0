/* SPDX-License-Identifier: MIT */
/* Prints "module hash" lines: the decisions of each module for a fixed seed.
 * The same on every machine and for every compiler; tests/run compares. */
#include <inttypes.h>
#include <stdio.h>

#include "determinism.h"

static const struct {
  const char *module;
  uint64_t (*run)(uint64_t seed);
} rows[] = {
    {"autoscaler", determinism_autoscaler},
    {"balancer_hashes", determinism_balancer_hashes},
    {"base", determinism_base},
    {"plan", determinism_plan},
    {"pool", determinism_pool},
    {"router", determinism_router},
    {"limiter", determinism_limiter},
    {"ladder", determinism_ladder},
    {"health", determinism_health},
    {"breaker", determinism_breaker},
    {"balancer_scope", determinism_balancer_scope},
    {"budget", determinism_budget},
    {"balancer_loads", determinism_balancer_loads},
};

int main(void) {
  for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    printf("%s %016" PRIx64 "\n", rows[i].module, rows[i].run(UINT64_C(20261122) + i));
  return 0;
}
