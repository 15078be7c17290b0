/* SPDX-License-Identifier: MIT */
/* See bench.h. */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <trimtab/base.h>

enum { CHUNK_US = 200, CHUNKS_TWO = 200, TRIALS_TWO = 11 };

static double read_ns(clockid_t clock) {
  struct timespec ts;
  clock_gettime(clock, &ts);
  return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}
static double cpu_ns(void) { return read_ns(CLOCK_THREAD_CPUTIME_ID); }
static double wall_ns(void) { return read_ns(CLOCK_MONOTONIC); }

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
static double median(double *values, uint32_t n) {
  if (n == 0) return 0;
  qsort(values, n, sizeof(values[0]), compare);
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* ---- floors */

static struct {
  _Alignas(128) _Atomic uint64_t own;
  _Alignas(128) _Atomic uint64_t shared;
  _Alignas(128) uint64_t sink;
} words;

enum { L2_LINES = 4096 };
static struct {
  _Alignas(64) uint32_t next;
} chain[L2_LINES];

static void build_chain(void) {
  static uint32_t order[L2_LINES];
  uint64_t x = 1;
  for (uint32_t i = 0; i < L2_LINES; i++) order[i] = i;
  for (uint32_t i = L2_LINES - 1; i > 0; i--) {
    x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
    uint32_t j = (uint32_t)((x >> 33) % (i + 1)), swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  for (uint32_t i = 0; i < L2_LINES; i++) chain[order[i]].next = order[(i + 1) % L2_LINES];
}

static void floor_add(void *ctx, uint64_t n) {
  (void)ctx;
  while (n--) atomic_fetch_add_explicit(&words.own, 1, memory_order_relaxed);
}
static void floor_clock(void *ctx, uint64_t n) {
  struct timespec ts;
  (void)ctx;
  while (n--) {
    clock_gettime(CLOCK_MONOTONIC, &ts);
    words.sink += (uint64_t)ts.tv_nsec;
  }
}
static void floor_l2(void *ctx, uint64_t n) {
  uint32_t at = 0;
  (void)ctx;
  while (n--) at = chain[at].next;
  words.sink += at;
}
static void floor_hash(void *ctx, uint64_t n) {
  uint64_t key[2] = {1, 2};
  (void)ctx;
  while (n--) key[0] += ttb_hash(key, sizeof(key), 1);
  words.sink += key[0];
}
static void floor_contended(void *ctx, uint32_t thread, uint64_t n) {
  (void)ctx;
  (void)thread;
  while (n--) atomic_fetch_add_explicit(&words.shared, 1, memory_order_relaxed);
}

static const char *const floor_names[] = {"fetch_add", "clock", "L2 load", "hash 16 B",
                                          "fetch_add, 2 threads"};
static bench_case floors[BENCH_FLOORS] = {
    {.name = "fetch_add", .run = floor_add},
    {.name = "clock", .run = floor_clock},
    {.name = "L2 load", .run = floor_l2},
    {.name = "hash 16 B", .run = floor_hash},
};
static bench_case contended = {.name = "fetch_add, 2 threads", .run_of = floor_contended};

/* ---- one thread */

/* ns a call, of one chunk. */
static double chunk_one(const bench_case *c) {
  double begun = cpu_ns();
  c->run(c->ctx, c->n);
  return (cpu_ns() - begun) / (double)c->n;
}

static void calibrate(bench_case *c) {
  for (c->n = 1; c->n < (UINT64_C(1) << 40); c->n *= 2) {
    double begun = cpu_ns();
    if (c->run) c->run(c->ctx, c->n);
    else c->run_of(c->ctx, 0, c->n);
    if (cpu_ns() - begun > CHUNK_US * 1e3) break;
  }
}

static void measure_one(bench *b) {
  static double ns[BENCH_MAX_CASES][BENCH_MAX_TRIALS], ratio[BENCH_MAX_CASES][BENCH_MAX_TRIALS];
  static double floor_ns[BENCH_FLOORS][BENCH_MAX_TRIALS];
  for (uint32_t trial = 0; trial < b->trials; trial++) {
    for (int f = 0; f < BENCH_FLOORS; f++) floor_ns[f][trial] = chunk_one(&floors[f]);
    for (uint32_t i = 0; i < b->count; i++) {
      bench_case *c = &b->cases[i];
      double before, after;
      if (!c->run) continue;
      before = chunk_one(&floors[c->floor]);
      ns[i][trial] = chunk_one(c);
      after = chunk_one(&floors[c->floor]);
      ratio[i][trial] = ns[i][trial] / ((before + after) / 2);
    }
  }
  for (int f = 0; f < BENCH_FLOORS; f++) floors[f].ns = median(floor_ns[f], b->trials);
  for (uint32_t i = 0; i < b->count; i++) {
    if (!b->cases[i].run) continue;
    b->cases[i].ns = median(ns[i], b->trials);
    b->cases[i].ratio = median(ratio[i], b->trials);
  }
}

/* ---- two threads */

typedef struct chunk {
  double begin, end, cpu;
} chunk;
typedef struct side {
  bench_case *c;
  uint32_t thread;
  pthread_barrier_t *barrier;
  chunk chunks[CHUNKS_TWO];
} side;

static void *run_side(void *argument) {
  side *s = argument;
  pthread_barrier_wait(s->barrier);
  for (int i = 0; i < CHUNKS_TWO; i++) {
    double cpu = cpu_ns();
    s->chunks[i].begin = wall_ns();
    s->c->run_of(s->c->ctx, s->thread, s->c->n);
    s->chunks[i].cpu = cpu_ns() - cpu;
    s->chunks[i].end = wall_ns();
  }
  return NULL;
}

/* Ran nearly all of its wall time, so it was not waiting for a core. */
static bool ran(const chunk *c) { return c->cpu > 0.9 * (c->end - c->begin); }

/* The other thread was running all the time this chunk took. */
static bool overlaps(const chunk *c, const side *other) {
  double covered = 0;
  for (int i = 0; i < CHUNKS_TWO; i++) {
    const chunk *o = &other->chunks[i];
    double begin = o->begin > c->begin ? o->begin : c->begin;
    double end = o->end < c->end ? o->end : c->end;
    if (begin < end && ran(o)) covered += end - begin;
  }
  return covered > 0.95 * (c->end - c->begin);
}

/* Median ns a call of the chunks that count; 0 if too few do. */
static double trial_two(bench_case *c) {
  static side sides[2];
  static double values[2 * CHUNKS_TWO];
  uint32_t count = 0;
  pthread_t other;
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, NULL, 2);
  for (uint32_t i = 0; i < 2; i++) sides[i] = (side){.c = c, .thread = i, .barrier = &barrier};
  if (pthread_create(&other, NULL, run_side, &sides[1]) != 0) return 0;
  run_side(&sides[0]);
  pthread_join(other, NULL);
  pthread_barrier_destroy(&barrier);
  for (int s = 0; s < 2; s++)
    for (int i = 0; i < CHUNKS_TWO; i++)
      if (ran(&sides[s].chunks[i]) && overlaps(&sides[s].chunks[i], &sides[1 - s]))
        values[count++] = sides[s].chunks[i].cpu / (double)c->n;
  return count >= CHUNKS_TWO / 10 ? median(values, count) : 0;
}

static void measure_two(bench *b) {
  static double ns[BENCH_MAX_CASES][TRIALS_TWO], ratio[BENCH_MAX_CASES][TRIALS_TWO];
  static double floor_ns[BENCH_MAX_CASES * TRIALS_TWO];
  uint32_t counts[BENCH_MAX_CASES] = {0}, floor_count = 0;
  for (int trial = 0; trial < TRIALS_TWO; trial++) {
    for (uint32_t i = 0; i < b->count; i++) {
      bench_case *c = &b->cases[i];
      double before, own, after;
      if (!c->run_of) continue;
      before = trial_two(&contended);
      own = trial_two(c);
      after = trial_two(&contended);
      if (before > 0 && own > 0 && after > 0) {
        ns[i][counts[i]] = own;
        ratio[i][counts[i]++] = own / ((before + after) / 2);
        floor_ns[floor_count++] = (before + after) / 2;
      }
    }
  }
  contended.ns = median(floor_ns, floor_count);
  for (uint32_t i = 0; i < b->count; i++) {
    if (!b->cases[i].run_of) continue;
    b->cases[i].ns = median(ns[i], counts[i]);
    b->cases[i].ratio = median(ratio[i], counts[i]);
  }
}

/* ---- the frame */

bench bench_start(int argc, char **argv) {
  bench b = {.trials = 101};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--json") == 0) b.json = argv[i + 1];
    else if (strcmp(argv[i], "--trials") == 0) b.trials = (uint32_t)strtoul(argv[i + 1], NULL, 10);
  }
  if (b.trials < 1 || b.trials > BENCH_MAX_TRIALS) b.trials = 101;
  return b;
}

static void add(bench *b, bench_case c) {
  if (b->count == BENCH_MAX_CASES) {
    fprintf(stderr, "bench: more than %d cases\n", BENCH_MAX_CASES);
    exit(1);
  }
  b->cases[b->count++] = c;
}
void bench_one(bench *b, const char *name, int floor, void (*run)(void *ctx, uint64_t n),
               void *ctx) {
  add(b, (bench_case){.name = name, .floor = floor, .run = run, .ctx = ctx});
}
void bench_two(bench *b, const char *name,
               void (*run)(void *ctx, uint32_t thread, uint64_t n), void *ctx) {
  add(b, (bench_case){.name = name, .floor = BENCH_CONTENDED, .run_of = run, .ctx = ctx});
}

static int write_json(const bench *b) {
  FILE *file = fopen(b->json, "w");
  if (file == NULL) {
    perror(b->json);
    return 1;
  }
  fprintf(file, "{\"cases\": [");
  for (uint32_t i = 0; i < b->count; i++) {
    const bench_case *c = &b->cases[i];
    fprintf(file, "%s\n  {\"name\": \"%s\", \"ns\": %.3f, \"ratio\": %.3f, \"floor\": \"%s\"}",
            i ? "," : "", c->name, c->ns, c->ratio, floor_names[c->floor]);
  }
  fprintf(file, "\n]}\n");
  return fclose(file) == 0 ? 0 : 1;
}

int bench_end(bench *b) {
  bool two = false;
  build_chain();
  for (int f = 0; f < BENCH_FLOORS; f++) calibrate(&floors[f]);
  calibrate(&contended);
  for (uint32_t i = 0; i < b->count; i++) {
    calibrate(&b->cases[i]);
    two = two || b->cases[i].run_of;
  }
  measure_one(b);
  if (two) measure_two(b);
  printf("%-44s %9s %9s  %s\n", "name", "ns", "x floor", "floor");
  for (int f = 0; f < BENCH_FLOORS; f++)
    printf("%-44s %9.2f %9s\n", floor_names[f], floors[f].ns, "");
  if (two && contended.ns > 0) printf("%-44s %9.2f %9s\n", contended.name, contended.ns, "");
  for (uint32_t i = 0; i < b->count; i++) {
    const bench_case *c = &b->cases[i];
    if (c->ns > 0)
      printf("%-44s %9.2f %9.2f  %s\n", c->name, c->ns, c->ratio, floor_names[c->floor]);
    else
      printf("%-44s the two threads did not run at the same time\n", c->name);
  }
  return b->json ? write_json(b) : 0;
}
