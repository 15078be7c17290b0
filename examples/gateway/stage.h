/* SPDX-License-Identifier: MIT */
/* One run: a process that holds a gateway, its fleet and its steer, and does to
 * the fleet what the script says. The demo has two beside each other, with
 * trimtab and without. */
#ifndef GATEWAY_STAGE_H
#define GATEWAY_STAGE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "steer.h"

/* A page shared with the process that started the stage. Each word has one
 * writer: the stage or (marked *) the starter. */
typedef struct playbill {
  atomic_int port;        /* of the gateway; 0 until the first backends are ready */
  atomic_int admin_port;  /* of the live page; 0: none */
  atomic_int failed;      /* the stage could not be set up */
  atomic_int stop;        /* * end the run */
  atomic_ullong begin_ns; /* * when the script begins; 0: not yet */
  /* progress, for the terminal */
  atomic_int replicas;
  atomic_int inflight;
  atomic_int p99_ms;
  atomic_int errors;        /* a second */
  atomic_int killed_at_end; /* backends that did not end when asked to */
  char memory[2048];        /* what the steer says of its memory; written before the end */
} playbill;

typedef struct stage_options {
  const steer_ops *ops;
  steer_config steer;
  const char *log_path;
  uint64_t zero_ns;
  pid_t parent;   /* dies with it */
  int port;       /* 0: any */
  int admin_port; /* 0: any, -1: no live page */
  int loop;       /* play the script again and again */
  int idle;       /* play nothing: no phases, no faults */
} stage_options;

/* The life of a stage process; returns its exit status. */
int stage_main(const stage_options *options, playbill *bill);

#endif
