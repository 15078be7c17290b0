/* SPDX-License-Identifier: MIT */
/* Benchmarks: a ratio to a physical floor measured in the same run, never a
 * number of nanoseconds alone.
 *
 *     static void pick(void *ctx, uint64_t n) { while (n--) ...; }
 *
 *     int main(int argc, char **argv) {
 *       bench b = bench_start(argc, argv);      [--json FILE] [--trials N]
 *       bench_one(&b, "breaker acquire+report", BENCH_ADD, pick, &my);
 *       bench_two(&b, "the same, two threads", pick_of, &my);
 *       return bench_end(&b);
 *     }
 *
 * Method: CPU time of the thread (CLOCK_THREAD_CPUTIME_ID); each trial measures
 * floor, case, floor in a row and takes the ratio of the case to the mean of
 * the two floors; all cases take turns, trial by trial; printed are the medians
 * over all trials. So a machine that changes its pace in phases moves both
 * sides of a ratio. For two threads only chunks count that ran wholly while
 * the other thread was running too.
 *
 * Prints a table: name | ns | x floor | floor. */
#ifndef TESTS_SUPPORT_BENCH_H
#define TESTS_SUPPORT_BENCH_H

#include <stdint.h>

/* The floors. Those of one call each: */
enum {
  BENCH_ADD,       /* relaxed fetch_add on a line of its own */
  BENCH_CLOCK,     /* clock_gettime(CLOCK_MONOTONIC) */
  BENCH_L2,        /* a dependent load that hits L2: 256 KiB of lines in random order */
  BENCH_HASH,      /* ttb_hash of 16 bytes */
  BENCH_FLOORS,
  BENCH_CONTENDED = BENCH_FLOORS, /* fetch_add of two threads on one line */
};

#define BENCH_MAX_CASES 128
#define BENCH_MAX_TRIALS 1001

typedef struct bench_case {
  const char *name;
  int floor;
  void (*run)(void *ctx, uint64_t n);                    /* one thread */
  void (*run_of)(void *ctx, uint32_t thread, uint64_t n); /* two threads, 0 and 1 */
  void *ctx;
  uint64_t n;   /* calls a chunk, found by calibration */
  double ns;    /* results: medians */
  double ratio;
} bench_case;

typedef struct bench {
  const char *json;
  uint32_t trials; /* odd; default 101, two threads 11 */
  uint32_t count;
  bench_case cases[BENCH_MAX_CASES];
} bench;

bench bench_start(int argc, char **argv);

/* Adds a case: run makes n calls. Its ratio is to `floor`. */
void bench_one(bench *b, const char *name, int floor, void (*run)(void *ctx, uint64_t n),
               void *ctx);

/* Adds a case of two threads, each making n calls; ratio to BENCH_CONTENDED. */
void bench_two(bench *b, const char *name,
               void (*run)(void *ctx, uint32_t thread, uint64_t n), void *ctx);

/* Measures and prints everything. The exit status. */
int bench_end(bench *b);

#endif
