/* SPDX-License-Identifier: MIT */
/* The phases of the demo; see script.h. */
#include "script.h"

#include <string.h>

const phase_row script[] = {
    {"warm", "warm", 0, 4, 80, 80, FAULT_NONE},
    {"ramp", "load ramps up", 4, 14, 80, 300, FAULT_NONE},
    {"killed", "one killed -9", 14, 20, 300, 300, FAULT_KILL},
    {"slow", "one slow x10", 20, 27, 300, 300, FAULT_SLOW},
    {"errors", "one fails half", 27, 33, 300, 300, FAULT_ERRORS},
    {"gone", "load gone", 33, 44, 40, 40, FAULT_NONE},
};
const int script_phases = (int)(sizeof script / sizeof script[0]);

int script_phase_at(double t_s) {
  for (int i = 0; i < script_phases; i++)
    if (t_s >= script[i].start_s && t_s < script[i].end_s) return i;
  return -1;
}

double script_rate_at(double t_s) {
  int i = script_phase_at(t_s);
  if (i < 0) return 0;
  const phase_row *p = &script[i];
  double part = (t_s - p->start_s) / (p->end_s - p->start_s);
  return p->rate_from + (p->rate_to - p->rate_from) * part;
}

double script_length_s(void) { return script[script_phases - 1].end_s; }

static const char *const fault_names[] = {
    [FAULT_NONE] = "none",     [FAULT_KILL] = "kill",       [FAULT_SLOW] = "slow",
    [FAULT_ERRORS] = "errors", [FAULT_GARBAGE] = "garbage", [FAULT_CLOSE] = "close",
    [FAULT_HANG] = "hang",     [FAULT_SHORT] = "short",
};

const char *fault_name(enum fault f) { return fault_names[f]; }

int fault_by_name(const char *name) {
  for (int i = 0; i < (int)(sizeof fault_names / sizeof fault_names[0]); i++)
    if (strcmp(name, fault_names[i]) == 0) return i;
  return -1;
}
