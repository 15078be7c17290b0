/* SPDX-License-Identifier: MIT */
/* See torture.h. Only children of our own are signalled, by their pid, and each
 * is reaped by its pid. */
#include "torture.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_A_LINE = 8 };

static uint64_t now_us(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static void sleep_us(uint64_t us) {
  struct timespec ts = {(time_t)(us / 1000000u), (long)(us % 1000000u) * 1000};
  while (nanosleep(&ts, &ts) < 0 && errno == EINTR) {
  }
}

uint64_t torture_rand(torture *t) {
  uint64_t z = (t->random += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

void torture_arguments(torture *t, int argc, char **argv) {
  if (argc > 1) t->kills = (uint32_t)strtoul(argv[1], NULL, 10);
  if (argc > 2) t->seed = strtoull(argv[2], NULL, 10);
  if (t->kills <= 1000) return;
  t->max_s = t->kills;
  t->at_once = (t->workers + 1) / 2;
  t->quiet_every = 100;
}

int torture_map(torture *t) {
  void *mem = mmap(NULL, (size_t)t->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (mem == MAP_FAILED) {
    perror("mmap");
    return -1;
  }
  t->mem = mem;
  return 0;
}

void torture_progress(torture *t, uint32_t worker) { t->progress[worker * WORDS_A_LINE]++; }

static void fail(torture *t, const char *what, uint32_t worker) {
  t->failed++;
  printf("FAILED after %u kills of seed %" PRIu64 ": %s", t->killed, t->seed, what);
  if (worker < t->workers) printf(" (worker %u)", worker);
  printf("\n");
  fflush(stdout);
}

/* For who watches a long run: a line every ten seconds. */
static void tell(const torture *t, uint64_t *next_us) {
  if (now_us() < *next_us) return;
  *next_us = now_us() + 10000000;
  fprintf(stderr, "%u kills of %u\n", t->killed, t->kills);
}

static void call_check(torture *t, int (*check)(torture *), const char *what) {
  if (check == NULL) return;
  if (check(t) == 0) t->checked++;
  else fail(t, what, UINT32_MAX);
}

static bool start(torture *t, uint32_t worker) {
  pid_t parent = getpid(), pid;
  t->worker[worker].token = ++t->tokens;
  t->progress[worker * WORDS_A_LINE] = 0;
  fflush(stdout);
  pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    t->work(t, worker, t->worker[worker].token);
    fflush(stdout);
    _exit(0);
  }
  if (pid < 0) {
    perror("fork");
    fail(t, "fork", worker);
    return false;
  }
  t->worker[worker].pid = pid;
  return true;
}

/* Ends a worker for certain and takes back what it held. */
static void finish(torture *t, uint32_t worker) {
  int status = 0;
  pid_t pid = t->worker[worker].pid;
  if (pid == 0) return;
  kill(pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  t->worker[worker].pid = 0;
  if (WIFEXITED(status)) fail(t, "a worker ended by itself", worker);
  else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
    printf("signal %d\n", WTERMSIG(status));
    fail(t, "a worker crashed", worker);
  }
  if (t->recover == NULL) return;
  if (t->recover(t, worker, t->worker[worker].token) == 0) t->checked++;
  else fail(t, "recover", worker);
}

/* Waits until each worker got somewhere since its start. */
static void await_progress(torture *t) {
  uint64_t end = now_us() + (uint64_t)t->stuck_ms * 1000u;
  for (uint32_t i = 0; i < t->workers; i++) {
    while (t->progress[i * WORDS_A_LINE] == 0) {
      int status;
      if (t->worker[i].pid == 0) return;
      if (waitpid(t->worker[i].pid, &status, WNOHANG) == t->worker[i].pid) {
        printf("wait status 0x%x\n", (unsigned)status);
        t->worker[i].pid = 0;
        fail(t, "a worker ended by itself", i);
        return;
      }
      if (now_us() > end) {
        fail(t, "a worker makes no progress", i);
        return;
      }
      sleep_us(200);
    }
  }
}

/* Everybody gets somewhere, everybody dies, everything adds up. */
static void quiet(torture *t) {
  await_progress(t);
  for (uint32_t i = 0; i < t->workers; i++) finish(t, i);
  call_check(t, t->check_quiet, "the check with every worker gone");
}

int torture_run(torture *t) {
  uint64_t end, next = now_us() + 10000000;
  void *words;
  bool going = true;
  uint32_t survived = 0;
  if (t->kills == 0) t->kills = 100;
  if (t->seed == 0) t->seed = 1;
  if (t->life_us == 0) t->life_us = 2000;
  if (t->at_once == 0) t->at_once = 1;
  if (t->quiet_every == 0) t->quiet_every = 10;
  if (t->max_s == 0) t->max_s = 300;
  if (t->stuck_ms == 0) t->stuck_ms = 20000;
  if (t->workers == 0 || t->workers > TORTURE_MAX_WORKERS || t->at_once > t->workers || !t->work) {
    printf("torture: workers or work missing\n");
    return 1;
  }
  t->random = t->seed;
  words = mmap(NULL, TORTURE_MAX_WORKERS * WORDS_A_LINE * 8, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (words == MAP_FAILED) {
    perror("mmap");
    return 1;
  }
  t->progress = words;
  end = now_us() + (uint64_t)t->max_s * 1000000u;

  for (uint32_t i = 0; i < t->workers && going; i++) going = start(t, i);
  for (uint32_t since = 0; going && t->killed < t->kills && t->failed == 0 && now_us() < end;) {
    uint32_t first = (uint32_t)(torture_rand(t) % t->workers);
    sleep_us(torture_rand(t) % (t->life_us + 1u));
    for (uint32_t i = 0; i < t->at_once; i++) {
      pid_t pid = t->worker[(first + i) % t->workers].pid;
      if (pid > 0) kill(pid, SIGKILL);
    }
    for (uint32_t i = 0; i < t->at_once; i++) finish(t, (first + i) % t->workers);
    t->killed += t->at_once, since += t->at_once;
    call_check(t, t->check_running, "the check beside running workers");
    for (uint32_t i = 0; i < t->at_once && going; i++) going = start(t, (first + i) % t->workers);
    if (since >= t->quiet_every && t->killed < t->kills) {
      since = 0;
      quiet(t);
      for (uint32_t i = 0; i < t->workers && going; i++) going = start(t, i);
    }
    if (t->failed == 0) survived += t->at_once;
    tell(t, &next);
  }
  if (t->failed == 0) quiet(t);
  for (uint32_t i = 0; i < t->workers; i++) finish(t, i);
  munmap(words, TORTURE_MAX_WORKERS * WORDS_A_LINE * 8);
  printf("%u workers, %u kills of %u, seed %" PRIu64 "\n", t->workers, t->killed, t->kills, t->seed);
  /* A kill survived is a case. */
  printf("%u passed, %u failed\n", survived, t->failed);
  return t->failed == 0 && survived > 0 ? 0 : 1;
}
