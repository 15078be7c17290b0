/* SPDX-License-Identifier: MIT */
/* Requests, attempts, retries, replies; see front.h. */
#include "front.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"
#include "relay.h"
#include "series.h"
#include "upstream.h"

#define MAX_TRIES 4

/* A request of a client, from its arrival to its reply. */
typedef struct exchange {
  front *f;
  struct evhttp_request *client;
  uint32_t id;
  enum evhttp_cmd_type method;
  uint64_t arrived_ns;
  struct evkeyvalq headers; /* for the backend */
  uint64_t tried[MAX_TRIES];
  uint32_t tries;
  steer_pick pick; /* the attempt under way */
} exchange;

static void count_inflight(front *f, uint64_t now, int change) {
  f->area += (double)(now - f->changed_ns) * f->inflight;
  f->changed_ns = now;
  f->inflight += change;
}

void front_load(front *f, uint64_t now, steer_load *ret) {
  count_inflight(f, now, 0);
  double ns = (double)(now - f->since_ns);
  ret->inflight = ns > 0 ? f->area / ns : 0;
  ret->per_second = ns > 0 ? f->arrived * 1e9 / ns : 0;
  f->since_ns = now;
  f->area = 0;
  f->arrived = 0;
}

/* Has the client closed its end? Nothing is read: evhttp does that. */
static int client_gone(const exchange *x) {
  struct evhttp_connection *conn = evhttp_request_get_connection(x->client);
  if (conn == NULL) return 1;
  char byte;
  ssize_t n = recv(bufferevent_getfd(evhttp_connection_get_bufferevent(conn)), &byte, 1,
                   MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Ends the exchange with a reply: the backend's, or one of our own (`own`). */
static void reply(exchange *x, int status, const upstream_result *from, const char *own) {
  front *f = x->f;
  uint64_t now = now_ns();
  double ms = (double)(now - x->arrived_ns) / 1e6;
  int gone = client_gone(x);
  int head = x->method == EVHTTP_REQ_HEAD;
  struct evkeyvalq *headers = evhttp_request_get_output_headers(x->client);
  log_event_at(f->log, now, "reply",
               "\"req\":%u,\"method\":\"%s\",\"status\":%d,\"ms\":%.3f,\"tries\":%u,\"gone\":%d",
               x->id, relay_method_name(x->method), status, ms, x->tries, gone);
  if (f->series != NULL)
    series_request(f->series, log_ms(f->log, now), x->method == EVHTTP_REQ_POST, status, ms);
  if (from != NULL) {
    relay_response_headers(from->headers, headers, head);
    evhttp_send_reply(x->client, status, NULL, head ? NULL : from->body);
  } else {
    struct evbuffer *body = head ? NULL : evbuffer_new();
    if (body != NULL) evbuffer_add_printf(body, "%d %s\n", status, own);
    evhttp_add_header(headers, "Content-Type", "text/plain");
    if (status == 503) evhttp_add_header(headers, "Retry-After", "1");
    evhttp_send_reply(x->client, status, NULL, body);
    if (body != NULL) evbuffer_free(body);
  }
  evhttp_clear_headers(&x->headers);
  count_inflight(f, now, -1);
  free(x);
}

static void on_attempt(void *arg, const upstream_result *r);

/* Asks for a backend not tried yet and sends the request there. 1 if an attempt
 * is under way, 0 if there is nobody (left) to try. */
static int send_next(exchange *x) {
  front *f = x->f;
  while (x->tries < (uint32_t)f->ops->max_tries && x->tries < MAX_TRIES) {
    uint64_t now = now_ns();
    uint64_t used_ms = (now - x->arrived_ns) / NS_PER_MS;
    if (used_ms + 50 > FRONT_DEADLINE_MS) return 0;
    int rc =
        f->ops->pick(f->steer, x->tried, x->tries, relay_is_idempotent(x->method), now, &x->pick);
    if (rc != 0) {
      log_event_at(f->log, now, "nopick", "\"req\":%u,\"why\":\"%s\"", x->id,
                   rc == STEER_EXCLUDED ? "all tried" : "no endpoint");
      return 0;
    }
    x->tried[x->tries++] = x->pick.backend;
    log_event_at(f->log, now, "pick",
                 "\"req\":%u,\"method\":\"%s\",\"try\":%u,\"backend\":%u,\"probe\":%d", x->id,
                 relay_method_name(x->method), x->tries, (unsigned)x->pick.backend, x->pick.probe);
    uint64_t left_ms = FRONT_DEADLINE_MS - used_ms;
    upstream_request request = {
        .method = x->method,
        .target = relay_target(x->client),
        .headers = &x->headers,
        .body = evhttp_request_get_input_buffer(x->client),
        .timeout_ms = left_ms < FRONT_ATTEMPT_MS ? (uint32_t)left_ms : FRONT_ATTEMPT_MS,
    };
    backend *b = fleet_find(f->fleet, x->pick.backend);
    if (b != NULL && upstream_send(f->base, b, &request, on_attempt, x) == 0) return 1;
    f->ops->report(f->steer, x->pick.ticket, STEER_CANCELLED, 0, now);
    log_event_at(f->log, now, "report",
                 "\"req\":%u,\"backend\":%u,\"outcome\":\"cancelled\",\"why\":\"full\"", x->id,
                 (unsigned)x->pick.backend);
  }
  return 0;
}

static enum steer_outcome outcome_of(const upstream_result *r) {
  if (r->end != UPSTREAM_REPLY || r->status >= 500) return STEER_FAILURE;
  return r->status >= 400 ? STEER_IGNORED : STEER_SUCCESS;
}

static void on_attempt(void *arg, const upstream_result *r) {
  static const char *const outcomes[] = {"success", "failure", "ignored", "cancelled"};
  exchange *x = arg;
  front *f = x->f;
  uint64_t now = now_ns();
  enum steer_outcome outcome = outcome_of(r);
  f->ops->report(f->steer, x->pick.ticket, outcome, r->latency_ns, now);
  log_event_at(f->log, now, "report",
               "\"req\":%u,\"backend\":%u,\"outcome\":\"%s\",\"why\":\"%s\",\"status\":%d,"
               "\"ms\":%.3f,\"probe\":%d",
               x->id, (unsigned)x->pick.backend, outcomes[outcome], upstream_end_name(r->end),
               r->status, (double)r->latency_ns / 1e6, x->pick.probe);
  int nothing_sent = r->end == UPSTREAM_REFUSED;
  if (outcome == STEER_FAILURE && (nothing_sent || relay_is_idempotent(x->method)) &&
      x->tries < (uint32_t)f->ops->max_tries) {
    if (client_gone(x)) {
      log_event_at(f->log, now, "client_gone", "\"req\":%u", x->id);
    } else {
      uint64_t from = x->pick.backend;
      if (send_next(x)) {
        log_event_at(f->log, now, "retry", "\"req\":%u,\"from\":%u,\"to\":%u,\"why\":\"%s\"", x->id,
                     (unsigned)from, (unsigned)x->pick.backend,
                     r->end == UPSTREAM_REPLY ? "5xx" : upstream_end_name(r->end));
        return;
      }
    }
  }
  if (r->end == UPSTREAM_REPLY)
    reply(x, r->status, r, NULL);
  else if (r->end == UPSTREAM_TIMEOUT)
    reply(x, 504, NULL, "the backend did not answer in time");
  else
    reply(x, 502, NULL, "the backend gave no usable answer");
}

static void on_request(struct evhttp_request *req, void *arg) {
  front *f = arg;
  const char *why = "";
  int status = relay_check(req, &why);
  exchange *x = status == 0 ? calloc(1, sizeof *x) : NULL;
  if (x == NULL) {
    log_event(f->log, "refused", "\"status\":%d,\"why\":\"%s\"", status != 0 ? status : 500, why);
    evhttp_add_header(evhttp_request_get_output_headers(req), "Connection", "close");
    evhttp_send_reply(req, status != 0 ? status : 500, NULL, NULL);
    return;
  }
  x->f = f;
  x->client = req;
  x->id = ++f->requests;
  x->method = evhttp_request_get_command(req);
  x->arrived_ns = now_ns();
  TAILQ_INIT(&x->headers);
  count_inflight(f, x->arrived_ns, 1);
  f->arrived++;
  if (relay_request_headers(req, &x->headers) != 0) {
    reply(x, 500, NULL, "out of memory");
    return;
  }
  if (!send_next(x)) reply(x, 503, NULL, "no backend is available");
}

int front_open(front *f, struct event_base *base, event_log *log, const steer_ops *ops, steer *s,
               fleet *backends, int port) {
  *f = (front){.base = base, .log = log, .ops = ops, .steer = s, .fleet = backends};
  f->since_ns = f->changed_ns = now_ns();
  f->http = evhttp_new(base);
  if (f->http == NULL) return -1;
  evhttp_set_max_headers_size(f->http, FRONT_MAX_HEADERS);
  evhttp_set_max_body_size(f->http, FRONT_MAX_BODY);
  evhttp_set_timeout(f->http, FRONT_IDLE_S);
  evhttp_set_allowed_methods(f->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                          EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                          EVHTTP_REQ_PATCH);
  evhttp_set_gencb(f->http, on_request, f);
  f->bound = evhttp_bind_socket_with_handle(f->http, "127.0.0.1", (uint16_t)port);
  struct sockaddr_in addr;
  socklen_t len = sizeof addr;
  if (f->bound == NULL ||
      getsockname(evhttp_bound_socket_get_fd(f->bound), (struct sockaddr *)&addr, &len) != 0) {
    evhttp_free(f->http);
    f->http = NULL;
    return -1;
  }
  f->port = ntohs(addr.sin_port);
  return 0;
}

void front_stop_accepting(front *f) {
  if (f->bound != NULL) evhttp_del_accept_socket(f->http, f->bound);
  f->bound = NULL;
}

void front_close(front *f) {
  if (f->http != NULL) evhttp_free(f->http);
  f->http = NULL;
}
