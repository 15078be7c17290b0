/* SPDX-License-Identifier: MIT */
/* The play the demo performs: phases, the load of each moment, the faults.
 * Both runs, with trimtab and without, follow this one table. */
#ifndef GATEWAY_SCRIPT_H
#define GATEWAY_SCRIPT_H

/* What is done to one backend when a phase begins and undone when it ends. */
enum fault {
  FAULT_NONE,
  FAULT_KILL,
  FAULT_SLOW,
  FAULT_ERRORS,
  FAULT_GARBAGE,
  FAULT_CLOSE,
  FAULT_HANG,
  FAULT_SHORT
};

typedef struct phase_row {
  const char *name;  /* a word, for the log and the table */
  const char *label; /* for the plot */
  double start_s;
  double end_s;
  double rate_from; /* requests a second offered at the start */
  double rate_to;   /* and at the end; linear between */
  enum fault fault;
} phase_row;

extern const phase_row script[];
extern const int script_phases;

/* Which phase t falls into: 0..script_phases-1, or -1 outside. */
int script_phase_at(double t_s);
/* Requests a second to offer at t; 0 outside. */
double script_rate_at(double t_s);
/* When the last phase ends. */
double script_length_s(void);

/* "kill", "slow", ... ; and back, -1 if there is no such fault. */
const char *fault_name(enum fault f);
int fault_by_name(const char *name);

#endif
