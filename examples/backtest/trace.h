/* SPDX-License-Identifier: MIT */
/* A load trace: what the workload was asked for, over time.
 *
 * Read from CSV, one row a sample:
 *
 *     time,requests_per_s             a first row without numbers names the columns
 *     2024-05-01T00:00:00Z,412.5      ISO 8601, or seconds (or ms: time_unit) as a number
 *
 * or, with the step said once and one value a line:
 *
 *     # step_s=60
 *     412.5
 *
 * Nothing is guessed: a row that is no time and value, a negative value, a time that
 * does not come after the one before, are faults, reported with their line. Lines
 * that are empty or begin with # are passed over. A time without a zone is UTC.
 * I1  times ascend strictly, values are finite and not negative. */
#ifndef BACKTEST_TRACE_H
#define BACKTEST_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct trace {
  double *time_s; /* from the first row on */
  double *value;
  size_t n;
  double start_s;  /* of the first row, since 1970 if the file says so, else 0 */
  int dated;       /* times were dates, or seconds since 1970 */
  double step_s;   /* the usual distance of two rows (the median) */
  size_t faults;   /* rows that are none */
  size_t gaps;     /* places where rows are missing: more than three steps apart */
  char column[64]; /* name of the value's column; "value" if it has none */
} trace;

typedef struct trace_how {
  const char *column;   /* the value's column by name or number from 1; NULL: the second */
  double time_unit_s;   /* of times that are numbers: 1, 0.001, ... */
  int skip_bad;         /* leave bad rows out instead of refusing the file */
  FILE *complaints;     /* where faults are told, one a line */
} trace_how;

/* 0, or -1 after a complaint: not readable, faults and not skip_bad, fewer than two rows. */
int trace_read(const char *path, const trace_how *how, trace *ret);
void trace_free(trace *t);

/* The load of each tick: the mean over it of what the rows say. Between two rows a value is
 * held, or with linear != 0 leads straight to the next; over a gap it is held in any case.
 * Returns how many ticks, 0 if there is no memory; *ret is to be freed. */
size_t trace_ticks(const trace *t, double tick_s, int linear, double **ret);
/* When the last row's value ends. */
double trace_length_s(const trace *t);
/* Mean over time. */
double trace_mean(const trace *t);

#endif
