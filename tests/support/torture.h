/* SPDX-License-Identifier: MIT */
/* Process torture: N workers over one shared mapping, one of them killed with
 * -9 at a random moment, recovered by the survivor, replaced; K times.
 *
 *     static void work(torture *t, uint32_t worker, uint64_t token) {
 *       ttb_breaker mine;                     in the child: attach and join
 *       ...
 *       for (;;) { acquire; report; torture_progress(t, worker); }
 *     }
 *     static int recover(torture *t, uint32_t worker, uint64_t token);
 *     static int check_quiet(torture *t);
 *
 *     int main(int argc, char **argv) {
 *       torture t = {.workers = 4, .size = size, .work = work, ...};
 *       torture_arguments(&t, argc, argv);      [KILLS [SEED]]
 *       if (torture_map(&t) < 0) return 1;
 *       ... init the region at t.mem ...
 *       return torture_run(&t);                 prints `N passed, N failed`
 *     }
 *
 * Hooks run in the parent and return 0 if all is well; what is wrong they print
 * themselves. The parent has one thread and forks; a worker dies with it.
 *
 * What counts as a failure: a hook that says so; a worker that ends by itself
 * or is killed by another signal than ours; a worker that makes no progress for
 * stuck_ms (a lock left behind by the dead shows here). */
#ifndef TESTS_SUPPORT_TORTURE_H
#define TESTS_SUPPORT_TORTURE_H

#include <stdint.h>
#include <sys/types.h>

#define TORTURE_MAX_WORKERS 64

typedef struct torture torture;
struct torture {
  uint32_t workers;     /* 1..64 */
  uint32_t kills;       /* how many; default 100 */
  uint64_t seed;        /* default 1 */
  uint32_t life_us;     /* a worker is killed 0..life_us after the last kill; default 2000 */
  uint32_t at_once;     /* so many die together, which is quicker; default 1 */
  uint32_t quiet_every; /* kills between two quiet checks; default 10 */
  uint32_t max_s;       /* ends the run early, with what it has; default 300 */
  uint32_t stuck_ms;    /* default 20000 */
  uint64_t size;        /* bytes of the shared mapping */
  void *ctx;            /* the caller's own */

  /* In the child, until it is killed. `token` is new for each incarnation. */
  void (*work)(torture *t, uint32_t worker, uint64_t token);
  /* After a worker's death, while the others run. */
  int (*recover)(torture *t, uint32_t worker, uint64_t token);
  /* After each recovery, while the others run: what always holds. May be NULL. */
  int (*check_running)(torture *t);
  /* With every worker dead and recovered: what holds exactly. May be NULL. */
  int (*check_quiet)(torture *t);

  /* Filled in. */
  void *mem;        /* the mapping, from torture_map */
  uint32_t killed;  /* kills so far */
  uint32_t failed;  /* failures so far */
  uint32_t checked; /* hooks that found all well */
  uint64_t tokens;  /* given out */
  uint64_t random;
  struct {
    pid_t pid; /* 0: none */
    uint64_t token;
  } worker[TORTURE_MAX_WORKERS];
  volatile uint64_t *progress; /* shared; a word a worker, each on its line */
};

/* Reads [KILLS [SEED]]. More than 1,000 kills are a long run: half of the workers die
 * together each time, and all kills are made, however long that takes. */
void torture_arguments(torture *t, int argc, char **argv);

/* Maps t->size zeroed bytes, shared with all workers. 0, or -1. */
int torture_map(torture *t);

/* Says that worker got one operation further. In the child. */
void torture_progress(torture *t, uint32_t worker);

/* A random number of the run's own sequence; in the parent. */
uint64_t torture_rand(torture *t);

/* Runs it, prints the counts, reaps every child. The exit status. */
int torture_run(torture *t);

#endif
