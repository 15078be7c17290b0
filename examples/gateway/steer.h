/* SPDX-License-Identifier: MIT */
/* What the gateway asks of whoever steers it. Everything else in this folder is
 * plumbing: the gateway moves bytes, the steer decides.
 *
 * There are two: steer_trimtab.c asks trimtab's pool and autoscaler,
 * steer_naive.c does what one writes without them: round robin over all that
 * was started. */
#ifndef GATEWAY_STEER_H
#define GATEWAY_STEER_H

#include <stddef.h>
#include <stdint.h>

#define STEER_MAX_BACKENDS 16

/* pick: the answer is no */
#define STEER_NONE (-1)     /* nobody may be picked */
#define STEER_EXCLUDED (-2) /* everybody who may be picked was tried already */

/* How an attempt ended. */
enum steer_outcome {
  STEER_SUCCESS,
  STEER_FAILURE,
  STEER_IGNORED,  /* says nothing about the backend */
  STEER_CANCELLED /* nothing was sent */
};

/* A backend in the eyes of the steer. */
enum steer_state { STEER_HEALTHY, STEER_DEGRADED, STEER_EJECTED, STEER_PROBING };

typedef struct steer_pick {
  uint64_t backend;
  int64_t ticket;
  int probe; /* a marked probe: this request finds out whether it is fit again */
} steer_pick;

/* What the gateway measured since the last evaluation. */
typedef struct steer_load {
  int replicas;      /* backends there are, whatever they do */
  int ready;         /* of these, those that accept */
  double inflight;   /* requests in the fleet, mean over time */
  double per_second; /* requests that arrived a second */
} steer_load;

typedef struct steer_scale {
  int want;        /* replicas to have now */
  int raw;         /* what the metrics alone ask for, before any window or policy */
  char reason[80]; /* plain text */
} steer_scale;

/* Something the steer wants in the log: `kind` as in the README ("eject"...). */
typedef struct steer_event {
  const char *kind;
  uint64_t backend;
  char why[64];
} steer_event;

typedef struct steer_config {
  uint32_t capacity;
  int min_replicas;
  int max_replicas;
  int start_replicas;
  uint64_t seed;
} steer_config;

typedef struct steer steer;

/* A steer's row of operations. Times are now_ns(). */
typedef struct steer_ops {
  const char *name;
  int max_tries;                              /* attempts a request, at the most */
  steer *(*open)(const steer_config *config); /* NULL: it failed, said why on stderr */
  void (*close)(steer *s);
  /* The set of backends. 0, or negative. */
  int (*add)(steer *s, uint64_t backend, uint64_t now);
  int (*drain)(steer *s, uint64_t backend, uint64_t now);  /* no new picks */
  int (*remove)(steer *s, uint64_t backend, uint64_t now); /* nothing is in flight on it */
  /* A request. `repeatable`: it may be sent again if it fails. pick returns 0
   * and fills *ret, or STEER_NONE, STEER_EXCLUDED. */
  int (*pick)(steer *s, const uint64_t *exclude, uint32_t n, int repeatable, uint64_t now,
              steer_pick *ret);
  void (*report)(steer *s, int64_t ticket, enum steer_outcome outcome, uint64_t latency_ns,
                 uint64_t now);
  /* Every 20 ms. */
  void (*tick)(steer *s, uint64_t now);
  /* Which backends to send a health check to now; returns how many. */
  uint32_t (*probes_due)(steer *s, uint64_t now, uint64_t *ret, uint32_t n);
  void (*probe_result)(steer *s, uint64_t backend, int ok, uint64_t latency_ns, uint64_t now);
  /* Every second. */
  void (*scale)(steer *s, const steer_load *load, uint64_t now, steer_scale *ret);
  /* For the page and the log. */
  enum steer_state (*state)(steer *s, uint64_t backend, uint64_t now);
  int (*next_event)(steer *s, steer_event *ret); /* 1: *ret holds one more */
  /* Settings the log records, as JSON fields without braces. */
  void (*settings)(steer *s, char *ret, size_t n);
  /* A few lines about its memory, for the end of the run; "" if it has none. */
  void (*memory)(steer *s, char *ret, size_t n);
} steer_ops;

extern const steer_ops steer_naive;
extern const steer_ops steer_trimtab;

#endif
