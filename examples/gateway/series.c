/* SPDX-License-Identifier: MIT */
/* Bounded time series of a run; see series.h. */
#include "series.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "script.h"

#define BUCKET_MS 500.0
#define BUCKETS 240
#define STRIPS 32
#define SEGMENTS 96
#define HARMS 16
#define PHASES 32
#define EVENTS 160

typedef struct bucket {
  uint32_t offered;
  uint32_t get_errors;
  uint32_t post_errors;
  int replicas, ready, inflight;
  histogram latency;
} bucket;

typedef struct segment {
  double t_ms;
  enum show show;
} segment;

typedef struct harm {
  double t_ms;
  char what[12];
} harm;

/* One backend's life. */
typedef struct strip {
  uint32_t backend; /* 0: free */
  uint32_t n;
  uint32_t harms;
  segment segment[SEGMENTS];
  harm harm[HARMS];
} strip;

typedef struct note {
  double t_ms;
  uint32_t backend;
  char kind[16];
  char text[112];
} note;

struct series {
  char mode[16];
  int64_t newest; /* number of the newest bucket, -1: none yet */
  bucket bucket[BUCKETS];
  strip strip[STRIPS];
  uint32_t phases;
  struct {
    double t_ms;
    int phase;
  } phase[PHASES];
  uint32_t events; /* ever; the ring keeps the last EVENTS */
  note event[EVENTS];
};

static const char *const show_names[] = {"starting", "healthy", "degraded", "ejected",
                                         "probing",  "down",    "draining", "gone"};

const char *show_name(enum show show) { return show_names[show]; }

int show_by_name(const char *name) {
  for (int i = 0; i <= SHOW_GONE; i++)
    if (strcmp(name, show_names[i]) == 0) return i;
  return -1;
}

int status_is_good(int status) { return status >= 200 && status < 500; }

series *series_new(const char *mode) {
  series *s = calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  snprintf(s->mode, sizeof s->mode, "%s", mode);
  s->newest = -1;
  return s;
}

void series_free(series *s) { free(s); }

/* The bucket of a moment, or NULL if it is before the first or long past. */
static bucket *bucket_at(series *s, double t_ms) {
  if (t_ms < 0) return NULL;
  int64_t i = (int64_t)(t_ms / BUCKET_MS);
  if (i <= s->newest - BUCKETS) return NULL;
  while (s->newest < i) {
    const bucket *old = s->newest >= 0 ? &s->bucket[s->newest % BUCKETS] : NULL;
    bucket *b = &s->bucket[(s->newest + 1) % BUCKETS];
    bucket fresh = {0};
    if (old != NULL) {
      fresh.replicas = old->replicas;
      fresh.ready = old->ready;
    }
    *b = fresh;
    s->newest++;
  }
  return &s->bucket[i % BUCKETS];
}

void series_request(series *s, double t_ms, int is_post, int status, double ms) {
  bucket *b = bucket_at(s, t_ms);
  if (b == NULL) return;
  b->offered++;
  hist_add(&b->latency, ms);
  if (status_is_good(status)) return;
  if (is_post)
    b->post_errors++;
  else
    b->get_errors++;
}

void series_gauge(series *s, double t_ms, int replicas, int ready, int inflight) {
  bucket *b = bucket_at(s, t_ms);
  if (b == NULL) return;
  b->replicas = replicas;
  b->ready = ready;
  b->inflight = inflight;
}

static strip *strip_of(series *s, uint32_t backend) {
  strip *free_one = NULL, *oldest = NULL;
  for (int i = 0; i < STRIPS; i++) {
    strip *p = &s->strip[i];
    if (p->backend == backend) return p;
    if (p->backend == 0 && free_one == NULL) free_one = p;
    if (oldest == NULL || p->backend < oldest->backend) oldest = p;
  }
  if (free_one == NULL) free_one = oldest;
  *free_one = (strip){.backend = backend};
  return free_one;
}

void series_state(series *s, double t_ms, uint32_t backend, enum show show) {
  if (backend == 0) return;
  strip *p = strip_of(s, backend);
  if (p->n == SEGMENTS) {
    memmove(p->segment, p->segment + 1, (SEGMENTS - 1) * sizeof p->segment[0]);
    p->n--;
  }
  p->segment[p->n++] = (segment){.t_ms = t_ms, .show = show};
}

void series_fault(series *s, double t_ms, uint32_t backend, const char *what) {
  if (backend == 0) return;
  strip *p = strip_of(s, backend);
  if (p->harms == HARMS) {
    memmove(p->harm, p->harm + 1, (HARMS - 1) * sizeof p->harm[0]);
    p->harms--;
  }
  harm *h = &p->harm[p->harms++];
  h->t_ms = t_ms;
  snprintf(h->what, sizeof h->what, "%s", what);
}

void series_phase(series *s, double t_ms, int phase) {
  if (s->phases == PHASES) {
    memmove(s->phase, s->phase + 1, (PHASES - 1) * sizeof s->phase[0]);
    s->phases--;
  }
  s->phase[s->phases].t_ms = t_ms;
  s->phase[s->phases++].phase = phase;
}

void series_event(series *s, double t_ms, const char *kind, uint32_t backend, const char *text) {
  note *e = &s->event[s->events++ % EVENTS];
  e->t_ms = t_ms;
  e->backend = backend;
  snprintf(e->kind, sizeof e->kind, "%s", kind);
  snprintf(e->text, sizeof e->text, "%s", text);
}

void series_recent(const series *s, double t_ms, double *ret_p99_ms, double *ret_errors) {
  histogram sum = {0};
  uint32_t errors = 0;
  int64_t last = (int64_t)(t_ms / BUCKET_MS);
  for (int64_t i = last - 2; i < last; i++) {
    if (i < 0 || i > s->newest || i <= s->newest - BUCKETS) continue;
    const bucket *b = &s->bucket[i % BUCKETS];
    hist_merge(&sum, &b->latency);
    errors += b->get_errors + b->post_errors;
  }
  *ret_p99_ms = hist_quantile(&sum, 0.99);
  *ret_errors = errors * (1000.0 / (2 * BUCKET_MS));
}

/* One array of numbers, a value a bucket. */
enum column { OFFERED, GET_ERRORS, POST_ERRORS, REPLICAS, READY, INFLIGHT, P50, P99 };
static const char *const column_names[] = {"offered", "get_errors", "post_errors", "replicas",
                                           "ready",   "inflight",   "p50",         "p99"};

static double cell(const bucket *b, enum column c) {
  switch (c) {
    case OFFERED: return b->offered * (1000.0 / BUCKET_MS);
    case GET_ERRORS: return b->get_errors * (1000.0 / BUCKET_MS);
    case POST_ERRORS: return b->post_errors * (1000.0 / BUCKET_MS);
    case REPLICAS: return b->replicas;
    case READY: return b->ready;
    case INFLIGHT: return b->inflight;
    case P50: return hist_quantile(&b->latency, 0.50);
    case P99: return hist_quantile(&b->latency, 0.99);
  }
  return 0;
}

void series_json(const series *s, double now_ms, struct evbuffer *out) {
  int64_t last = (int64_t)(now_ms / BUCKET_MS); /* the bucket that is still filling */
  if (last > s->newest) last = s->newest;
  int64_t first = s->newest >= BUCKETS ? s->newest - BUCKETS + 1 : 0;
  double from_ms = (double)first * BUCKET_MS;
  evbuffer_add_printf(out, "{\"mode\":\"%s\",\"bucket_ms\":%.0f,\"from_ms\":%.0f,\"now_ms\":%.0f",
                      s->mode, BUCKET_MS, from_ms, now_ms);
  for (int c = OFFERED; c <= P99; c++) {
    evbuffer_add_printf(out, ",\n\"%s\":[", column_names[c]);
    for (int64_t i = first; i < last; i++)
      evbuffer_add_printf(out, "%s%.4g", i > first ? "," : "",
                          cell(&s->bucket[i % BUCKETS], (enum column)c));
    evbuffer_add_printf(out, "]");
  }
  evbuffer_add_printf(out, ",\n\"backends\":[");
  const char *comma = "";
  for (int i = 0; i < STRIPS; i++) {
    const strip *p = &s->strip[i];
    if (p->backend == 0 || p->n == 0) continue;
    const segment *end = &p->segment[p->n - 1];
    if (end->show == SHOW_GONE && end->t_ms < from_ms) continue;
    evbuffer_add_printf(out, "%s\n{\"id\":%u,\"states\":[", comma, p->backend);
    for (uint32_t k = 0; k < p->n; k++)
      evbuffer_add_printf(out, "%s[%.0f,\"%s\"]", k > 0 ? "," : "", p->segment[k].t_ms,
                          show_name(p->segment[k].show));
    evbuffer_add_printf(out, "],\"faults\":[");
    for (uint32_t k = 0; k < p->harms; k++)
      evbuffer_add_printf(out, "%s[%.0f,\"%s\"]", k > 0 ? "," : "", p->harm[k].t_ms,
                          p->harm[k].what);
    evbuffer_add_printf(out, "]}");
    comma = ",";
  }
  evbuffer_add_printf(out, "],\n\"phases\":[");
  for (uint32_t i = 0; i < s->phases; i++)
    evbuffer_add_printf(out, "%s[%.0f,\"%s\"]", i > 0 ? "," : "", s->phase[i].t_ms,
                        s->phase[i].phase >= 0 ? script[s->phase[i].phase].label : "");
  evbuffer_add_printf(out, "],\n\"events\":[");
  comma = "";
  for (uint32_t i = s->events > EVENTS ? s->events - EVENTS : 0; i < s->events; i++) {
    const note *e = &s->event[i % EVENTS];
    evbuffer_add_printf(out, "%s\n[%.0f,\"%s\",%u,\"%s\"]", comma, e->t_ms, e->kind, e->backend,
                        e->text);
    comma = ",";
  }
  evbuffer_add_printf(out, "]}");
}
