/* SPDX-License-Identifier: MIT */
/* What a replay came to: a table for the terminal, JSON, and a page. */
#ifndef BACKTEST_REPORT_H
#define BACKTEST_REPORT_H

#include <stdio.h>

#include "policies.h"
#include "replay.h"
#include "trace.h"

/* An answer that differed from the one before. */
typedef struct change {
  double time_s;
  int32_t replicas;
  const char *reason; /* static */
  char *detail;       /* owned; may be NULL */
} change;

typedef struct result {
  const policy_row *policy;
  replay_score score;
  change *changes;
  size_t n, room, total; /* kept; room there; how many there were */
} result;

/* What was played, for the head of each report. */
typedef struct played {
  const char *trace_path, *hpa_path;
  const trace *trace;
  const manifest *hpa;
  const setup *setup;
  const replay_model *model;
  double *load;
  size_t ticks;
} played;

void report_table(FILE *out, const played *p, const result *results, int n);
/* 0, or -1 with errno set. */
int report_json(const char *path, const played *p, const result *results, int n);
int report_html(const char *path, const played *p, const result *results, int n);

#endif
