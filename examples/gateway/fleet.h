/* SPDX-License-Identifier: MIT */
/* The fleet: backend processes and their lives.
 *
 *     start -> STARTING -> READY -> DRAINING -> (SIGTERM) -> reaped -> gone
 *                 ^          |
 *                 |          v  died by itself (or by kill -9)
 *                 +-------- DOWN  started again after a while, same id and port
 *
 * I1  Every process is a child of the gateway, is reaped by its pid and dies
 *     with the gateway.
 * I2  A backend that died stays in the set: finding out, leaving it alone and
 *     letting it back in is the steer's work, not the fleet's.
 * I3  A port belongs to its backend for life: the fleet holds it by a bound
 *     socket that never listens. */
#ifndef GATEWAY_FLEET_H
#define GATEWAY_FLEET_H

#include <stdint.h>
#include <sys/types.h>

#include "log.h"
#include "script.h"
#include "steer.h"

struct event;
struct event_base;
struct bufferevent;
struct series;
struct upstream_conn;

enum life { LIFE_STARTING, LIFE_READY, LIFE_DRAINING, LIFE_DOWN };

typedef struct backend {
  uint32_t id; /* 1, 2, ...; never used again */
  enum life life;
  int in_set; /* the steer knows it */
  pid_t pid;  /* 0 while no process lives */
  int port;
  int port_fd;
  struct bufferevent *control;
  struct event *timer; /* the next step of its life */
  int terminated;      /* SIGTERM was sent */
  int restarts;
  enum fault fault;
  struct fleet *fleet;
  /* for upstream.c */
  int inflight;
  int open_conns;
  struct upstream_conn *conns;
  /* for stage.c: what the page shows */
  int shown;
} backend;

typedef struct fleet {
  struct event_base *base;
  event_log *log;
  const steer_ops *ops;
  steer *steer;
  const char *program;   /* what to exec for a backend */
  struct series *series; /* what the page shows */
  struct event *sigchld;
  backend *member[STEER_MAX_BACKENDS];
  uint32_t next_id;
  uint32_t start_ms;
  int closing;
} fleet;

int fleet_open(fleet *f, struct event_base *base, event_log *log, const steer_ops *ops, steer *s);
/* Kills and reaps whatever lives. Returns how many had to be killed. */
int fleet_close(fleet *f);

/* Starts one more backend process; it joins the set when it is ready. */
backend *fleet_start(fleet *f);
/* Takes the backend out of the set, waits for what is in flight, ends it. */
void fleet_stop(fleet *f, backend *b);
/* Brings the number of replicas to `want`; returns the change. */
int fleet_resize(fleet *f, int want);
/* Starts to end all of them in order (at the end of the run). */
void fleet_stop_all(fleet *f);

/* Does something bad to a backend, or heals it (FAULT_NONE). */
void fleet_hurt(fleet *f, backend *b, enum fault fault);

backend *fleet_find(fleet *f, uint64_t id);
/* Replicas: all but the draining ones. */
int fleet_count(const fleet *f);
int fleet_count_life(const fleet *f, enum life life);

#endif
