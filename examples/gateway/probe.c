/* SPDX-License-Identifier: MIT */
/* Active health checks; see probe.h. */
#include "probe.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "measure.h"
#include "upstream.h"

typedef struct probe {
  fleet *f;
  uint32_t backend;
} probe;

static void finish(fleet *f, uint32_t id, int ok, const char *why, uint64_t latency_ns) {
  uint64_t now = now_ns();
  f->ops->probe_result(f->steer, id, ok, latency_ns, now);
  log_event_at(f->log, now, "probe", "\"backend\":%u,\"ok\":%d,\"why\":\"%s\",\"ms\":%.3f", id, ok,
               why, (double)latency_ns / 1e6);
}

static void on_answer(void *arg, const upstream_result *r) {
  probe *p = arg;
  int ok = r->end == UPSTREAM_REPLY && r->status == 200;
  finish(p->f, p->backend, ok, upstream_end_name(r->end), r->latency_ns);
  free(p);
}

void probe_run(fleet *f) {
  uint64_t due[STEER_MAX_BACKENDS];
  uint32_t n = f->ops->probes_due(f->steer, now_ns(), due, STEER_MAX_BACKENDS);
  struct evkeyvalq headers;
  TAILQ_INIT(&headers);
  evhttp_add_header(&headers, "Host", "127.0.0.1");
  for (uint32_t i = 0; i < n; i++) {
    backend *b = fleet_find(f, due[i]);
    probe *p = b != NULL ? calloc(1, sizeof *p) : NULL;
    upstream_request request = {.method = EVHTTP_REQ_GET,
                                .target = "/health",
                                .headers = &headers,
                                .timeout_ms = PROBE_TIMEOUT_MS};
    if (p != NULL) *p = (probe){.f = f, .backend = b->id};
    if (p == NULL || upstream_send(f->base, b, &request, on_answer, p) != 0) {
      free(p);
      finish(f, (uint32_t)due[i], 0, "full", 0);
    }
  }
  evhttp_clear_headers(&headers);
}
