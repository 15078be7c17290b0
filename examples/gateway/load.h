/* SPDX-License-Identifier: MIT */
/* The load generator: a process of its own that sends requests to a gateway.
 *
 * It is open-loop: requests arrive as a Poisson process of the rate the script
 * gives, whether or not earlier ones were answered, and latency counts from the
 * moment a request was meant to be sent. So a gateway that stalls cannot slow
 * down its own measurement. Same seed, same arrivals and methods. */
#ifndef GATEWAY_LOAD_H
#define GATEWAY_LOAD_H

#include <stdint.h>
#include <sys/types.h>

typedef struct load_options {
  int port;
  uint64_t zero_ns;  /* the log's zero */
  uint64_t begin_ns; /* when the script begins */
  uint64_t seed;
  pid_t parent;         /* dies with it */
  const char *log_path; /* results are appended here, kind "client" */
  int loop;             /* play the script again and again */
} load_options;

/* The life of a load generator; returns its exit status. */
int load_main(const load_options *options);

#endif
