/* SPDX-License-Identifier: MIT */
/* The table at the end: a row a phase, counted from the event log alone. */
#ifndef GATEWAY_TABLE_H
#define GATEWAY_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "measure.h"

struct evbuffer;
struct series;

#define TABLE_ROWS 9 /* phases and the whole run */

typedef struct row {
  const char *name;
  uint32_t gets, gets_good;
  uint32_t posts, posts_failed;
  histogram latency; /* of all requests, as the client saw them */
  int replicas_min, replicas_max;
  uint32_t ejections, readmissions;
  uint32_t degradations; /* backends found slow */
  uint32_t probes; /* requests sent to find out whether a backend is fit again */
  uint32_t retries;
  uint32_t scaled_up, scaled_down; /* replicas, not decisions */
} row;

typedef struct table {
  char mode[16];
  int rows;
  row row[TABLE_ROWS]; /* the last one is the whole run */
  double replica_seconds;
  double end_ms;
} table;

/* Reads an event log into a table and (if not NULL) `plots` for the page.
 * 0, or -1 if the file cannot be read. */
int table_read(table *ret, struct series *plots, const char *path);

void table_print(const table *t, FILE *out);
/* Appends the table as one JSON object. */
void table_json(const table *t, struct evbuffer *out);

#endif
