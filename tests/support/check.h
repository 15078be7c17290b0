/* SPDX-License-Identifier: MIT */
/* Small frame for property programs: prop_X [STEPS [SEED]].
 *
 *     int main(int argc, char **argv) {
 *       check c = check_start(argc, argv);
 *
 *       check_property(&c, "a window never counts more than it was told");
 *       my_model m = start();
 *       while (check_step(&c)) {
 *         uint64_t k = check_below(&c, 10);
 *         int32_t got = ...;
 *         CHECK(&c, got <= m.told, "got %d, told %d", got, m.told);
 *       }
 *       return check_end(&c);
 *     }
 *
 * Each property gets STEPS steps (default 10^6) and a generator of its own,
 * seeded from SEED (default 1) and its name, so that adding a property changes
 * no other. The first failure ends the property and prints the arguments that
 * replay it. A property that made no step fails. Closes with
 * `N passed, N failed`; check_end returns the exit status. */
#ifndef TESTS_SUPPORT_CHECK_H
#define TESTS_SUPPORT_CHECK_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct check {
  const char *program;
  const char *property; /* NULL before the first */
  uint64_t seed;        /* of the run */
  uint64_t state;       /* of the generator */
  uint64_t steps;       /* asked for */
  uint64_t limit;       /* of this property */
  uint64_t step;        /* made in this property */
  uint32_t passed;
  uint32_t failed;
  bool wrong; /* this property failed */
} check;

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t check_rand(check *c) {
  uint64_t z = (c->state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* 0..n-1; n of 0 counts as 1. The bias of the modulus does not matter here. */
static inline uint64_t check_below(check *c, uint64_t n) {
  return check_rand(c) % (n ? n : 1);
}

/* min..max, both included. */
static inline int64_t check_between(check *c, int64_t min, int64_t max) {
  return (int64_t)((uint64_t)min + check_below(c, (uint64_t)max - (uint64_t)min + 1));
}

/* True in `parts` of `whole` cases. */
static inline bool check_chance(check *c, uint32_t parts, uint32_t whole) {
  return check_below(c, whole) < parts;
}

static inline check check_start(int argc, char **argv) {
  check c = {.program = argv[0], .seed = 1, .steps = 1000000};
  if (argc > 1) c.steps = strtoull(argv[1], NULL, 10);
  if (argc > 2) c.seed = strtoull(argv[2], NULL, 10);
  return c;
}

static inline void check_close(check *c) {
  if (c->property == NULL) return;
  if (!c->wrong && c->step == 0) {
    printf("FAILED %s: no step was made\n", c->property);
    c->wrong = true;
  }
  if (c->wrong) c->failed++;
  else c->passed++;
  c->property = NULL;
}

/* Begins a property of STEPS / divisor steps (at least one): for slow ones. */
static inline void check_property_slow(check *c, const char *name, uint64_t divisor) {
  check_close(c);
  c->property = name;
  c->limit = c->steps / divisor > 0 ? c->steps / divisor : 1;
  c->step = 0;
  c->wrong = false;
  c->state = c->seed;
  for (const char *p = name; *p; p++) c->state = check_rand(c) ^ (uint64_t)(unsigned char)*p;
}

static inline void check_property(check *c, const char *name) {
  check_property_slow(c, name, 1);
}

/* True while there are steps to make and nothing went wrong. */
static inline bool check_step(check *c) {
  if (c->wrong || c->step >= c->limit) return false;
  c->step++;
  return true;
}

__attribute__((format(printf, 5, 6))) static inline void check_report(
    check *c, const char *file, int line, const char *condition, const char *format, ...) {
  va_list list;
  if (c->wrong) return; /* what follows a failure says nothing new */
  c->wrong = true;
  printf("FAILED %s\n  %s:%d: %s\n  ", c->property ? c->property : "?", file, line, condition);
  va_start(list, format);
  vprintf(format, list);
  va_end(list);
  printf("\n  at step %" PRIu64 " of seed %" PRIu64 "; replay: %s %" PRIu64 " %" PRIu64 "\n",
         c->step, c->seed, c->program, c->steps, c->seed);
  fflush(stdout);
}

/* Notes a failure if `condition` is false; goes on (check_step then ends). */
#define CHECK(c, condition, ...) \
  ((condition) ? (void)0 : check_report(c, __FILE__, __LINE__, #condition, __VA_ARGS__))

static inline int check_end(check *c) {
  check_close(c);
  printf("%" PRIu32 " passed, %" PRIu32 " failed\n", c->passed, c->failed);
  return c->failed == 0 && c->passed > 0 ? 0 : 1;
}

#endif
