/* SPDX-License-Identifier: MIT */
/* What the page plots: the last two minutes of a run in buckets of half a
 * second, the states of each backend, phases and notable events.
 *
 * The live page feeds it from the gateway as things happen, the report from the
 * event log afterwards; both hand the same JSON to the same page.
 * I1  Memory is bounded: old buckets, segments and events make room for new. */
#ifndef GATEWAY_SERIES_H
#define GATEWAY_SERIES_H

#include <stdint.h>

struct evbuffer;
typedef struct series series;

/* What the strip of a backend shows. */
enum show {
  SHOW_STARTING,
  SHOW_HEALTHY,
  SHOW_DEGRADED,
  SHOW_EJECTED,
  SHOW_PROBING,
  SHOW_DOWN,
  SHOW_DRAINING,
  SHOW_GONE
};

const char *show_name(enum show show);
int show_by_name(const char *name); /* -1: none */

series *series_new(const char *mode); /* NULL: no memory */
void series_free(series *s);

/* A finished request; status 0 means no answer at all. The report counts it when
 * it arrived, the live page, which cannot wait, when it ended. */
void series_request(series *s, double t_ms, int is_post, int status, double ms);
void series_gauge(series *s, double t_ms, int replicas, int ready, int inflight);
void series_state(series *s, double t_ms, uint32_t backend, enum show show);
/* What was really done to a backend (a name of script.h), whatever the gateway
 * believes of it. */
void series_fault(series *s, double t_ms, uint32_t backend, const char *what);
void series_phase(series *s, double t_ms, int phase);
void series_event(series *s, double t_ms, const char *kind, uint32_t backend, const char *text);

/* 99th percentile and errors a second of the last two full buckets. */
void series_recent(const series *s, double t_ms, double *ret_p99_ms, double *ret_errors);

/* Is this status a success in the demo's books? */
int status_is_good(int status);

/* Appends the whole as one JSON object. */
void series_json(const series *s, double now_ms, struct evbuffer *out);

#endif
