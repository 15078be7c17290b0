/* SPDX-License-Identifier: MIT */
/* See singlestep.h. */
#include "singlestep.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)

/* Where the child is; a shared word, so that neither a libc function nor a
 * signal on the way in or out counts as a part of the call. */
enum { BEFORE, INSIDE, AFTER };

static pid_t wait_for(pid_t pid, int *ret_status) {
  pid_t got;
  do got = waitpid(pid, ret_status, 0);
  while (got < 0 && errno == EINTR);
  return got;
}

static void kill_and_reap(pid_t pid) {
  int status;
  kill(pid, SIGKILL);
  while (wait_for(pid, &status) == pid && WIFSTOPPED(status)) kill(pid, SIGKILL);
}

static void child(singlestep *s, volatile int *place, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent || ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) _exit(77);
  if (s->enter) s->enter(s);
  raise(SIGSTOP);
  *place = INSIDE;
  s->call(s);
  *place = AFTER;
  for (;;) raise(SIGSTOP);
}

/* Runs the child n instructions into the call. 0: it is there; 1: the call had
 * ended; 2: it went wrong on its own; -1: no ptrace. */
static int run_to(singlestep *s, volatile int *place, uint64_t n, pid_t *ret_pid) {
  int status;
  uint64_t made = 0;
  pid_t parent = getpid(), pid;
  *place = BEFORE;
  fflush(stdout);
  pid = fork();
  if (pid == 0) child(s, place, parent);
  *ret_pid = pid;
  if (pid < 0) return -1;
  if (wait_for(pid, &status) != pid) return -1;
  if (!WIFSTOPPED(status)) {
    *ret_pid = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 77 ? -1 : 2;
  }
  if (WSTOPSIG(status) != SIGSTOP) return 2; /* enter crashed */
  for (;;) {
    if (*place == AFTER) return 1;
    if (*place == INSIDE && made++ == n) return 0;
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0) return -1;
    if (wait_for(pid, &status) != pid) return -1;
    if (!WIFSTOPPED(status)) {
      *ret_pid = 0;
      return 2;
    }
    if (WSTOPSIG(status) != SIGTRAP) return 2; /* a crash of its own */
  }
}

/* valgrind translates: what would be stepped is valgrind. */
static int under_valgrind(void) {
  const char *preload = getenv("LD_PRELOAD");
  return preload && strstr(preload, "vgpreload");
}

int singlestep_run(singlestep *s) {
  uint64_t stride = s->stride ? s->stride : 1, max = s->max ? s->max : 20000;
  volatile int *place =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int outcome = 0;
  s->points = s->failed = 0;
  if (under_valgrind()) return SINGLESTEP_UNSUPPORTED;
  s->mem = mmap(NULL, (size_t)s->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if ((void *)place == MAP_FAILED || s->mem == MAP_FAILED) {
    perror("mmap");
    return 1;
  }
  for (uint64_t n = 0; n <= max; n += stride) {
    pid_t pid = 0;
    const char *what = NULL;
    if (s->prepare(s) != 0) {
      printf("FAILED: prepare before kill point %" PRIu64 "\n", n);
      s->failed++;
      break;
    }
    outcome = run_to(s, place, n, &pid);
    if (pid > 0) kill_and_reap(pid);
    if (outcome < 0) break;
    if (outcome == 2) what = "the call crashed by itself";
    else if (s->recover && s->recover(s) != 0) what = "recover";
    else if (s->check(s, outcome == 1) != 0) what = "check";
    s->points++;
    if (what) {
      s->failed++;
      if (s->failed <= 5) printf("FAILED at kill point %" PRIu64 ": %s\n", n, what);
    }
    if (outcome == 1) break;
  }
  munmap((void *)place, 4096);
  munmap(s->mem, (size_t)s->size);
  s->mem = NULL;
  if (outcome < 0) return SINGLESTEP_UNSUPPORTED;
  if (outcome != 1 && s->failed == 0) {
    printf("FAILED: the call has more than %" PRIu64 " instructions\n", max);
    s->failed++;
  }
  return s->failed == 0 ? 0 : 1;
}

#else

int singlestep_run(singlestep *s) {
  s->points = s->failed = 0;
  return SINGLESTEP_UNSUPPORTED;
}

#endif
