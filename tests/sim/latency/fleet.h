/* SPDX-License-Identifier: MIT */
/* The fleet that the latency simulation sends calls to, in virtual time.
 *
 * Calls come as a Poisson stream from CLIENTS workers. An endpoint works on one
 * call at a time, first come first served; how long a call takes is drawn with
 * the call (exponential, mean 50 ms at the fleet's mean speed), divided by the
 * endpoint's speed. A caller gives up after 2 s; a call nobody waits for any more
 * is not begun. So the plain case is the M/M/1 queue of the textbooks, and what
 * they say about it is checked (latency.c).
 *
 * I1  The calls (times, lengths, keys, workers) are a function of scenario and
 *     seed alone: every algorithm is given the same.
 * I2  Integers only, no clock, no order of threads: the same table everywhere. */
#ifndef TESTS_SIM_LATENCY_FLEET_H
#define TESTS_SIM_LATENCY_FLEET_H

#include <stdbool.h>
#include <stdint.h>

enum { CLIENTS = 16, ZONES = 5, LARGEST = 1000 };

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define SERVICE (50 * MS)      /* mean length of a call */
#define TIMEOUT (2 * SECOND)   /* a caller gives up */
#define WARM (2 * SECOND)      /* measured from here ... */
#define LENGTH (12 * SECOND)   /* ... to here */
#define TROUBLE (4 * SECOND)   /* when things go wrong */
#define NOTICED (6 * SECOND)   /* when the health prober has marked a dead zone */
#define COLD (4 * SECOND)      /* how long a newcomer takes to warm up */

/* What happens. */
typedef enum {
  NOTHING,
  SLOW,  /* one endpoint in 20 becomes ten times slower */
  HOLE,  /* one in 50 answers everything with an error, in 1 ms */
  ZONE,  /* a zone of five answers nothing any more; marked 2 s later */
  JOIN,  /* one in ten joins only now, five times slower until it is warm */
  HOT,   /* one key for each 100 endpoints has as many calls as an endpoint's share */
} trouble;

typedef struct scenario {
  const char *name;
  const char *about;
  uint32_t load;  /* of the fleet's capacity, percent */
  bool mixed;     /* speeds 1, 2 and 4 */
  bool told;      /* the balancer has them as weights */
  bool apart;     /* each worker has a balancer of its own */
  trouble trouble;
} scenario;

/* What a caller uses. `self` is its own; worker is 0..CLIENTS-1. */
typedef struct caller {
  void *self;
  /* A ticket and the endpoint, or a negative code. */
  int64_t (*acquire)(void *self, uint32_t worker, uint64_t hash, uint64_t now,
                     uint32_t *ret_endpoint);
  void (*report)(void *self, uint32_t worker, int64_t ticket, bool ok, uint64_t latency,
                 uint64_t now);
  void (*add)(void *self, uint32_t endpoint, uint32_t weight, uint64_t now);
  void (*mark)(void *self, uint32_t endpoint, uint64_t now); /* the prober says: down */
  void (*tick)(void *self, uint64_t now);                    /* every 100 ms */
  void (*end)(void *self);
} caller;

/* The fleet as a caller sees it. */
typedef struct fleet fleet;
/* Makes a caller with the endpoints that are there from the beginning: of
 * 0..n-1 those that fleet_joins_late does not name. */
typedef caller make_caller(const void *how, const scenario *s, const fleet *f, uint32_t n,
                           uint64_t seed, uint64_t now);
uint32_t fleet_weight(const scenario *s, uint32_t endpoint);
bool fleet_joins_late(const scenario *s, uint32_t endpoint);
/* What an endpoint answers a prober, if it does: calls it has, and how long one
 * takes now. */
bool fleet_answers(const fleet *f, uint32_t endpoint);
uint32_t fleet_in_flight(const fleet *f, uint32_t endpoint);
uint64_t fleet_latency(const fleet *f, uint32_t endpoint, uint64_t now);

/* What it came to, over several runs. Latencies are those of calls that were
 * served or given up; an error at once is no latency to be proud of. */
enum { BUCKETS = 20001 }; /* of 0.1 ms */
typedef struct outcome {
  uint32_t latency[BUCKETS];
  uint64_t calls, errors, sum_us;
  uint64_t busiest_permille, idlest_permille; /* calls of an endpoint in its share, added up */
  uint64_t runs;
} outcome;

void fleet_run(const scenario *s, uint32_t n, uint64_t seed, make_caller *make, const void *how,
               outcome *ret);

/* The latency that `of_10000` of 10,000 calls stay within, in 0.1 ms. */
uint32_t outcome_quantile(const outcome *o, uint32_t of_10000);

#endif
