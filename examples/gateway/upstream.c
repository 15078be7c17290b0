/* SPDX-License-Identifier: MIT */
/* Attempts over pooled connections of evhttp; see upstream.h.
 *
 * How evhttp tells the ends apart (libevent 2.1): a callback with a request
 * whose status is 0 means that no connection came about; a callback with NULL
 * follows the error callback that says why. An attempt as a whole is bounded by
 * a timer of our own, because evhttp's timeouts start anew with each byte. */
#include "upstream.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "fleet.h"
#include "measure.h"

#define MAX_RESPONSE_HEADERS (16 * 1024)
#define MAX_RESPONSE_BODY (1024 * 1024)

typedef struct upstream_conn {
  struct evhttp_connection *evcon;
  struct upstream_conn *next;
  uint64_t idle_since_ns;
  int busy;
  int dirty;
} upstream_conn;

typedef struct attempt {
  backend *b;
  upstream_conn *conn;
  struct evhttp_request *req;
  struct event *timer;
  upstream_done done;
  void *arg;
  uint64_t started_ns;
  enum evhttp_request_error error;
  int sending; /* within upstream_send: `done` must wait (I2) */
  int early;   /* it ended there, as `end` says */
  enum upstream_end end;
} attempt;

const char *upstream_end_name(enum upstream_end end) {
  static const char *const names[] = {
      [UPSTREAM_REPLY] = "reply",   [UPSTREAM_REFUSED] = "refused", [UPSTREAM_TIMEOUT] = "timeout",
      [UPSTREAM_CLOSED] = "closed", [UPSTREAM_GARBAGE] = "garbage", [UPSTREAM_FULL] = "full",
  };
  return names[end];
}

static void conn_free(backend *b, upstream_conn **link) {
  upstream_conn *c = *link;
  *link = c->next;
  evhttp_connection_free(c->evcon);
  b->open_conns--;
  free(c);
}

void upstream_trim(backend *b) {
  int idle = 0;
  for (upstream_conn **link = &b->conns; *link != NULL;) {
    upstream_conn *c = *link;
    /* We give an idle connection up before the backend does: a request never
     * meets a connection that is just being closed. */
    int old = !c->busy && now_ns() - c->idle_since_ns > UPSTREAM_IDLE_S * NS_PER_S;
    if (!c->busy && (c->dirty || old || ++idle > UPSTREAM_IDLE))
      conn_free(b, link);
    else
      link = &c->next;
  }
}

void upstream_close_all(backend *b) {
  while (b->conns != NULL) conn_free(b, &b->conns);
}

static upstream_conn *conn_take(struct event_base *base, backend *b) {
  for (upstream_conn *c = b->conns; c != NULL; c = c->next) {
    if (c->busy || c->dirty) continue;
    c->busy = 1;
    return c;
  }
  if (b->open_conns >= UPSTREAM_CONNS) return NULL;
  upstream_conn *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->evcon = evhttp_connection_base_new(base, NULL, "127.0.0.1", (uint16_t)b->port);
  if (c->evcon == NULL) {
    free(c);
    return NULL;
  }
  evhttp_connection_set_max_headers_size(c->evcon, MAX_RESPONSE_HEADERS);
  evhttp_connection_set_max_body_size(c->evcon, MAX_RESPONSE_BODY);
  evhttp_connection_set_timeout(c->evcon, 30);
  c->next = b->conns;
  b->conns = c;
  b->open_conns++;
  c->busy = 1;
  return c;
}

/* Ends the attempt and tells its owner. The connection can only be freed later,
 * by upstream_trim: evhttp is still using it. */
static void finish(attempt *a, enum upstream_end end, struct evhttp_request *req) {
  if (a->sending) {
    a->early = 1;
    a->end = end;
    return;
  }
  upstream_result r = {.end = end, .latency_ns = now_ns() - a->started_ns};
  if (end == UPSTREAM_REPLY) {
    r.status = evhttp_request_get_response_code(req);
    r.headers = evhttp_request_get_input_headers(req);
    r.body = evhttp_request_get_input_buffer(req);
    /* Bytes beyond the response would be taken for the next one's. */
    struct bufferevent *bev = evhttp_connection_get_bufferevent(a->conn->evcon);
    if (evbuffer_get_length(bufferevent_get_input(bev)) != 0) a->conn->dirty = 1;
  } else {
    a->conn->dirty = 1;
  }
  a->conn->busy = 0;
  a->conn->idle_since_ns = now_ns();
  a->b->inflight--;
  event_free(a->timer);
  upstream_done done = a->done;
  void *arg = a->arg;
  free(a);
  done(arg, &r);
}

static void on_error(enum evhttp_request_error error, void *arg) {
  attempt *a = arg;
  a->error = error; /* on_response follows, but for a cancelled request */
}

static void on_response(struct evhttp_request *req, void *arg) {
  attempt *a = arg;
  if (req == NULL) {
    switch (a->error) {
      case EVREQ_HTTP_TIMEOUT: finish(a, UPSTREAM_TIMEOUT, NULL); return;
      case EVREQ_HTTP_INVALID_HEADER:
      case EVREQ_HTTP_DATA_TOO_LONG: finish(a, UPSTREAM_GARBAGE, NULL); return;
      case EVREQ_HTTP_EOF:
      case EVREQ_HTTP_BUFFER_ERROR:
      case EVREQ_HTTP_REQUEST_CANCEL: break;
    }
    finish(a, UPSTREAM_CLOSED, NULL);
    return;
  }
  int status = evhttp_request_get_response_code(req);
  if (status == 0)
    finish(a, UPSTREAM_REFUSED, NULL);
  else if (status < 200 || status > 599)
    finish(a, UPSTREAM_GARBAGE, NULL);
  else
    finish(a, UPSTREAM_REPLY, req);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  attempt *a = arg;
  if (a->early) {
    finish(a, a->end, NULL);
    return;
  }
  evhttp_cancel_request(a->req); /* calls on_error, not on_response */
  finish(a, UPSTREAM_TIMEOUT, NULL);
}

static void copy_headers(struct evhttp_request *req, const struct evkeyvalq *from) {
  struct evkeyvalq *to = evhttp_request_get_output_headers(req);
  const struct evkeyval *h;
  TAILQ_FOREACH(h, from, next) evhttp_add_header(to, h->key, h->value);
}

int upstream_send(struct event_base *base, backend *b, const upstream_request *request,
                  upstream_done done, void *arg) {
  upstream_conn *conn = conn_take(base, b);
  attempt *a = conn != NULL ? calloc(1, sizeof *a) : NULL;
  if (a == NULL) goto full;
  *a = (attempt){.b = b, .conn = conn, .done = done, .arg = arg, .started_ns = now_ns()};
  a->error = EVREQ_HTTP_EOF;
  a->timer = evtimer_new(base, on_timeout, a);
  a->req = evhttp_request_new(on_response, a);
  if (a->timer == NULL || a->req == NULL) goto full;
  evhttp_request_set_error_cb(a->req, on_error);
  copy_headers(a->req, request->headers);
  if (request->body != NULL) {
    size_t n = evbuffer_get_length(request->body);
    const unsigned char *bytes = evbuffer_pullup(request->body, -1);
    if (n != 0 &&
        (bytes == NULL || evbuffer_add(evhttp_request_get_output_buffer(a->req), bytes, n) != 0))
      goto full;
  }
  struct timeval tv = {.tv_sec = request->timeout_ms / 1000,
                       .tv_usec = (suseconds_t)(request->timeout_ms % 1000) * 1000};
  b->inflight++;
  a->sending = 1;
  int failed = evhttp_make_request(conn->evcon, a->req, request->method, request->target);
  a->sending = 0;
  if (a->early) tv = (struct timeval){0}; /* as when no socket is to be had */
  event_add(a->timer, &tv);
  if (a->early || failed == 0) return 0;
  b->inflight--;
  a->req = NULL;
  conn->dirty = 1;
full:
  if (a != NULL) {
    if (a->timer != NULL) event_free(a->timer);
    if (a->req != NULL) evhttp_request_free(a->req);
    free(a);
  }
  if (conn != NULL) conn->busy = 0;
  return UPSTREAM_FULL;
}
