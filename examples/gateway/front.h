/* SPDX-License-Identifier: MIT */
/* The gateway proper: takes requests from clients, asks the steer whom to send
 * them to, sends them, retries what may be retried, replies.
 *
 * Retries: at most ops->max_tries attempts a request, each on a backend not
 * tried before, all within FRONT_DEADLINE_MS. Idempotent methods are sent again
 * after any failure; the others (POST, PATCH) only if nothing was sent at all,
 * that is if the connection was refused or there was none to spare.
 *
 * A client that hangs up: the attempt under way is brought to its end and its
 * true outcome reported, because a backend that makes clients hang up must not
 * look healthy for it. But nothing is sent again for a client that has gone.
 *
 * Refused by evhttp itself: what it cannot parse and header sections beyond
 * FRONT_MAX_HEADERS (400), bodies beyond FRONT_MAX_BODY (413), methods nobody
 * proxies (501). See relay.c for what else is refused. */
#ifndef GATEWAY_FRONT_H
#define GATEWAY_FRONT_H

#include <stdint.h>

#include "fleet.h"
#include "log.h"
#include "steer.h"

struct evhttp;
struct series;

#define FRONT_MAX_HEADERS (8 * 1024)
#define FRONT_MAX_BODY (256 * 1024)
#define FRONT_ATTEMPT_MS 1000
#define FRONT_DEADLINE_MS 2500
#define FRONT_IDLE_S 60

typedef struct front {
  struct event_base *base;
  event_log *log;
  const steer_ops *ops;
  steer *steer;
  fleet *fleet;
  struct series *series; /* what the live page shows; may be NULL */
  struct evhttp *http;
  struct evhttp_bound_socket *bound;
  int port;
  uint32_t requests; /* numbers them */
  int inflight;
  /* since the last front_load */
  uint64_t since_ns, changed_ns;
  double area; /* in-flight requests integrated over time, in ns */
  uint32_t arrived;
} front;

/* Listens on 127.0.0.1, on `port` or an ephemeral one (0). */
int front_open(front *f, struct event_base *base, event_log *log, const steer_ops *ops, steer *s,
               fleet *backends, int port);
/* Stops accepting; requests under way go on. */
void front_stop_accepting(front *f);
/* Only when nothing is in flight. */
void front_close(front *f);

/* Load since the last call: fills inflight and per_second. */
void front_load(front *f, uint64_t now, steer_load *ret);

#endif
