/* SPDX-License-Identifier: MIT */
/* The algorithms that are compared: a row each. */
#ifndef TESTS_SIM_LATENCY_ALGORITHMS_H
#define TESTS_SIM_LATENCY_ALGORITHMS_H

#include <trimtab/pool.h>

#include "fleet.h"

typedef struct algorithm {
  const char *name;
  make_caller *make;
  uint32_t number;  /* TTB_BALANCER_* */
  bool by_key;      /* a key decides, and no state: workers need not share */
  uint32_t largest; /* fleet it is tried with; a larger one takes it too long */
  void (*set)(ttb_balancer_config *c); /* options of its own; may be NULL */
} algorithm;

extern const algorithm algorithms[];
extern const uint32_t algorithms_count;

#endif
