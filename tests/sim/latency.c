/* SPDX-License-Identifier: MIT */
/* What each algorithm does to latency: a table by situation, algorithm and size.
 *
 *     latency [--full]
 *
 * Runs are independent and share the machine's processors; the order they are
 * made in changes nothing. Before the table is printed the simulation is held
 * against two results it must reproduce: the M/M/1 queue under random choice and
 * the supermarket model under two choices. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "latency/algorithms.h"

static const scenario scenarios[] = {
    {"plain-75", "all endpoints alike, load 75 %", 75, false, false, false, NOTHING},
    {"plain-90", "all endpoints alike, load 90 %", 90, false, false, false, NOTHING},
    {"told-75", "speeds 1, 2, 4, given as weights, load 75 %", 75, true, true, false, NOTHING},
    {"told-90", "speeds 1, 2, 4, given as weights, load 90 %", 90, true, true, false, NOTHING},
    {"untold-75", "speeds 1, 2, 4, nobody says so, load 75 %", 75, true, false, false, NOTHING},
    {"slow", "one endpoint in 20 is suddenly ten times slower, load 75 %", 75, false, false, false,
     SLOW},
    {"hole", "one endpoint in 50 fails everything within 1 ms, load 75 %", 75, false, false, false,
     HOLE},
    {"zone", "a zone of five hangs, its endpoints are marked 2 s later, load 60 % before", 60,
     false, false, false, ZONE},
    {"join", "one endpoint in ten joins, five times slower at first, load 75 %", 75, false, false,
     false, JOIN},
    {"hot", "one key for each 100 endpoints has the calls of a whole endpoint, load 75 %", 75,
     false, false, false, HOT},
    {"apart-75", "16 workers that share nothing, load 75 %", 75, false, false, true, NOTHING},
    {"apart-90", "16 workers that share nothing, load 90 %", 90, false, false, true, NOTHING},
    {"apart-hole", "16 workers that share nothing; one endpoint in 50 fails everything, load 75 %",
     75, false, false, true, HOLE},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

/* The smaller a fleet, the more runs it takes to have as many calls. */
static const struct size {
  uint32_t n, runs;
  bool all; /* every situation; else those whose names are below */
} sizes[] = {{1000, 1, true}, {100, 4, false}, {10, 20, false}};
enum { SIZES = sizeof sizes / sizeof *sizes };
static const char *const of_every_size[] = {"plain-75", "plain-90", "slow", "hole"};

typedef struct line {
  const scenario *s;
  const algorithm *a;
  struct size size;
  outcome o;
} line;

static line *lines;
static uint32_t lines_count;
static atomic_uint next_line;

static void *work(void *unused) {
  uint32_t i;
  while ((i = atomic_fetch_add(&next_line, 1)) < lines_count) {
    line *l = &lines[i];
    for (uint32_t run = 0; run < l->size.runs; run++)
      fleet_run(l->s, l->size.n, 1 + run, l->a->make, l->a, &l->o);
  }
  return unused;
}

static bool wanted(const scenario *s, const algorithm *a, const struct size *size) {
  if (s->apart && a->by_key) return false; /* the same as if they shared */
  if (size->n > a->largest) return false;
  if (size->all) return true;
  for (uint32_t i = 0; i < sizeof of_every_size / sizeof *of_every_size; i++)
    if (strcmp(of_every_size[i], s->name) == 0) return true;
  return false;
}

static const line *find(const char *scenario_name, uint32_t number) {
  for (uint32_t i = 0; i < lines_count; i++)
    if (strcmp(lines[i].s->name, scenario_name) == 0 && lines[i].a->number == number &&
        lines[i].size.n == 1000)
      return &lines[i];
  abort();
}

/* Mean time in the system, in mean lengths of a call, against theory. */
static bool agrees(const char *what, const line *l, double theory, double tolerance) {
  double mean = (double)l->o.sum_us * 1000 / (double)(l->o.calls - l->o.errors) / SERVICE;
  bool ok = fabs(mean - theory) <= tolerance * theory;
  printf("# %s: mean %.2f, theory %.2f, %s %.0f %%\n", what, mean, theory,
         ok ? "within" : "NOT within", tolerance * 100);
  return ok;
}
/* Mitzenmacher 2001: the sum over i of load^((2^i - 2)). */
static double supermarket(double load) {
  double sum = 0;
  for (int i = 1; i < 10; i++) sum += pow(load, exp2(i) - 2);
  return sum;
}

int main(int argc, char **argv) {
  uint32_t times = argc > 1 && strcmp(argv[1], "--full") == 0 ? 10 : 1;
  lines = calloc(SIZES * SCENARIOS * algorithms_count, sizeof *lines);
  if (!lines) return 1;
  for (uint32_t z = 0; z < SIZES; z++)
    for (uint32_t s = 0; s < SCENARIOS; s++)
      for (uint32_t a = 0; a < algorithms_count; a++) {
        if (!wanted(&scenarios[s], &algorithms[a], &sizes[z])) continue;
        line *l = &lines[lines_count++];
        l->s = &scenarios[s], l->a = &algorithms[a], l->size = sizes[z];
        l->size.runs *= times;
      }

  pthread_t threads[64];
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  int started = 0;
  while (started < 63 && started < processors - 1 &&
         pthread_create(&threads[started], NULL, work, NULL) == 0)
    started++;
  work(NULL);
  while (started > 0) pthread_join(threads[--started], NULL);

  printf("# Latency by algorithm, simulated. tests/sim/latency.c; what it means: docs/choosing.md\n"
         "# An endpoint serves one call at a time, 50 ms on average (exponential); callers give up\n"
         "# after 2 s. p50, p99, p999: ms, of calls served or given up. errors: %% of all calls.\n"
         "# busiest, idlest: calls of an endpoint, as a multiple of its share by speed.\n");
  bool ok = agrees("M/M/1 at 75 %", find("plain-75", TTB_BALANCER_WEIGHTED_RANDOM), 4.0, 0.03);
  ok &= agrees("supermarket model at 75 %", find("plain-75", TTB_BALANCER_TWO_CHOICES),
               supermarket(0.75), 0.03);
  ok &= agrees("supermarket model at 90 %", find("plain-90", TTB_BALANCER_TWO_CHOICES),
               supermarket(0.9), 0.03);

  const scenario *last = NULL;
  for (uint32_t i = 0; i < lines_count; i++) {
    line *l = &lines[i];
    if (l->s != last)
      printf("\n# %s: %s; %u endpoints\n# %-11s %5s %-23s %7s %7s %7s %7s %8s %7s\n", l->s->name,
             l->s->about, l->size.n, "situation", "n", "algorithm", "p50", "p99", "p999", "errors",
             "busiest", "idlest");
    last = l->s;
    printf("%-13s %5u %-23s", l->s->name, l->size.n, l->a->name);
    static const uint32_t of_10000[] = {5000, 9900, 9990};
    for (int q = 0; q < 3; q++) {
      uint32_t x = outcome_quantile(&l->o, of_10000[q]);
      printf(" %5u.%u", x / 10, x % 10);
    }
    uint64_t e = l->o.calls ? (l->o.errors * 10000 + l->o.calls / 2) / l->o.calls : 0;
    uint64_t b = (l->o.busiest_permille / l->o.runs + 5) / 10;
    uint64_t d = (l->o.idlest_permille / l->o.runs + 5) / 10;
    printf(" %4u.%02u %5u.%02u %4u.%02u\n", (unsigned)(e / 100), (unsigned)(e % 100),
           (unsigned)(b / 100), (unsigned)(b % 100), (unsigned)(d / 100), (unsigned)(d % 100));
  }
  free(lines);
  return ok ? 0 : 1;
}
