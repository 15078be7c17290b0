/* SPDX-License-Identifier: MIT */
/* One attempt: a request sent to one backend over a pooled keep-alive
 * connection, and how it ended.
 *
 * I1  A connection carries one request at a time; idle ones are kept, up to
 *     UPSTREAM_IDLE a backend and UPSTREAM_IDLE_S long, and at most UPSTREAM_CONNS are open.
 * I2  `done` is called exactly once for every attempt that upstream_send
 *     accepted, never from within upstream_send.
 * I3  A connection on which anything unexpected happened is not used again. */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include <event2/http.h>
#include <stdint.h>

struct backend;
struct evbuffer;
struct event_base;
struct evkeyvalq;

#define UPSTREAM_IDLE 16
#define UPSTREAM_IDLE_S 30
#define UPSTREAM_CONNS 96

enum upstream_end {
  UPSTREAM_REPLY,   /* a whole response came */
  UPSTREAM_REFUSED, /* no connection: nothing was sent */
  UPSTREAM_TIMEOUT, /* no whole response in time */
  UPSTREAM_CLOSED,  /* it closed before the response was whole */
  UPSTREAM_GARBAGE, /* what came was no HTTP response, or too long */
  UPSTREAM_FULL     /* all connections are busy: nothing was sent */
};

/* A word for the log. */
const char *upstream_end_name(enum upstream_end end);

typedef struct upstream_result {
  enum upstream_end end;
  uint64_t latency_ns;
  int status;                /* of UPSTREAM_REPLY only, as the next two */
  struct evkeyvalq *headers; /* valid during `done` */
  struct evbuffer *body;     /* valid during `done`; may be taken from */
} upstream_result;

typedef void (*upstream_done)(void *arg, const upstream_result *result);

/* What to send. */
typedef struct upstream_request {
  enum evhttp_cmd_type method;
  const char *target;              /* path and query */
  const struct evkeyvalq *headers; /* copied */
  struct evbuffer *body;           /* copied; may be NULL */
  uint32_t timeout_ms;             /* for the attempt as a whole */
} upstream_request;

/* Starts an attempt. 0, or UPSTREAM_FULL when the backend has no connection to
 * spare (then `done` is not called). */
int upstream_send(struct event_base *base, struct backend *b, const upstream_request *request,
                  upstream_done done, void *arg);

/* Frees dirty connections and idle ones in excess; to be called from a timer. */
void upstream_trim(struct backend *b);
/* Frees all; nothing may be in flight. */
void upstream_close_all(struct backend *b);

#endif
