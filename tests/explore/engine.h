/* SPDX-License-Identifier: MIT */
/* The exploration of one harness: inside of the explorer, not for harnesses. */
#ifndef TTB_TESTS_EXPLORE_ENGINE_H
#define TTB_TESTS_EXPLORE_ENGINE_H

#include <stdio.h>

#include "explore.h"
#include "model.h"

typedef struct ex_result {
  uint64_t states;     /* different ones met */
  uint64_t executions; /* runs from the beginning, cut short or not */
  uint64_t ends;       /* of them, those that ran to an end */
  bool bounded;        /* something was left out */
  const char *failed;  /* text of the check that failed, or NULL */
} ex_result;

typedef struct ex_limits {
  int32_t bound;           /* or EX_COMPLETE */
  uint64_t max_executions; /* 0 is no limit */
  const char *logic;       /* logic mutation that is on, or NULL */
} ex_limits;

ex_result ex_explore(const ex_harness *harness, const ex_limits *limits);

/* True while an actor runs. */
bool ex_inside(void);

/* The actor waits until the engine has taken this step; returns it with its result. */
ex_op ex_step(ex_op op);

/* Prints the steps of the last execution: after a failure, how it came to it. */
void ex_print_trace(FILE *to);

#endif
