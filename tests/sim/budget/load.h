/* SPDX-License-Identifier: MIT */
/* Loads to replay: made from a seed, or read from a file. */
#ifndef TESTS_SIM_BUDGET_LOAD_H
#define TESTS_SIM_BUDGET_LOAD_H

#include "../../../examples/backtest/replay.h"

typedef struct sim_load {
  char name[64];
  double *load; /* a value a tick of 15 s; to be freed */
  size_t ticks;
} sim_load;

#define SIM_LOADS 8

/* Load i of those made from seeds, of so many days. */
sim_load sim_load_make(int i, int days);

/* A trace: "# step_s=SECONDS ..." and a value a line, `between` as for
 * replay_resample. ticks is 0 if it cannot be read. */
sim_load sim_load_read(const char *path, int32_t between);

/* The same values with its blocks of six hours in another order: nothing of a day's
 * profile is left. */
sim_load sim_load_shuffled(const sim_load *from);

#endif
