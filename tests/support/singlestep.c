/* SPDX-License-Identifier: MIT */
/* See singlestep.h. */
#define _GNU_SOURCE
#include "singlestep.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
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

#define MOST_INSTRUCTIONS 10000000

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

/* Starts a child that stands before its call. 0; 2: it went wrong on its own;
 * -1: no ptrace. */
static int start(singlestep *s, volatile int *place, pid_t *ret_pid) {
  int status;
  pid_t parent = getpid(), pid;
  *place = BEFORE;
  fflush(stdout);
  pid = fork();
  if (pid == 0) child(s, place, parent);
  *ret_pid = pid;
  if (pid < 0 || wait_for(pid, &status) != pid) return -1;
  if (WIFSTOPPED(status)) return WSTOPSIG(status) == SIGSTOP ? 0 : 2; /* 2: enter crashed */
  *ret_pid = 0;
  return WIFEXITED(status) && WEXITSTATUS(status) == 77 ? -1 : 2;
}

/* One instruction further; as start. */
static int step(pid_t *pid) {
  int status;
  if (ptrace(PTRACE_SINGLESTEP, *pid, NULL, NULL) < 0 || wait_for(*pid, &status) != *pid) return -1;
  if (WIFSTOPPED(status)) return WSTOPSIG(status) == SIGTRAP ? 0 : 2; /* 2: a crash of its own */
  *pid = 0;
  return 2;
}

/* What is wrong with what the child would leave behind if it were killed where it
 * stands: judged by a process of its own, on a copy of the memory. */
static const char *judge(singlestep *s, int fd, int ended) {
  int status;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    if (mmap(s->mem, (size_t)s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) !=
        s->mem)
      _exit(3);
    int wrong = s->recover && s->recover(s) != 0 ? 1 : s->check(s, ended) != 0 ? 2 : 0;
    fflush(stdout);
    _exit(wrong);
  }
  if (pid < 0 || wait_for(pid, &status) != pid || !WIFEXITED(status)) return "its judge died";
  switch (WEXITSTATUS(status)) {
  case 0: return NULL;
  case 1: return "recover";
  case 2: return "check";
  default: return "no copy of the memory";
  }
}

/* valgrind translates: what would be stepped is valgrind. */
static int under_valgrind(void) {
  const char *preload = getenv("LD_PRELOAD");
  return preload && strstr(preload, "vgpreload");
}

typedef struct shared {
  volatile int place;
  uint32_t met[SINGLESTEP_MET];
} shared;

/* Lets a child go through the call, and judges where it stands after every
 * stride-th instruction; 0: never. *ret_made: its instructions. As start. */
static int go_through(singlestep *s, int fd, shared *m, uint64_t stride, uint64_t *ret_made) {
  pid_t pid = 0;
  int code = start(s, &m->place, &pid);
  *ret_made = 0;
  while (code == 0) {
    bool ended = m->place == AFTER;
    if (stride > 0 && (ended || (m->place == INSIDE && *ret_made % stride == 0))) {
      const char *what = judge(s, fd, ended);
      s->points++;
      if (what && s->failed++ < 5)
        printf("FAILED at kill point %" PRIu64 ": %s\n", *ret_made, what);
    }
    if (ended) break;
    if (m->place == INSIDE && (*ret_made)++ == MOST_INSTRUCTIONS) {
      printf("FAILED: the call does not end\n");
      s->failed++;
      break;
    }
    code = step(&pid);
  }
  if (pid > 0) kill_and_reap(pid);
  return code;
}

/* Once to see how long the call is, once to judge. */
static int prepare_and_run(singlestep *s, int fd, shared *m) {
  uint64_t most = s->most ? s->most : 1000, length = 0, stride = 0;
  for (int pass = 0; pass < 2 && s->failed == 0; pass++) {
    if (s->prepare(s) != 0) {
      printf("FAILED: prepare\n");
      s->failed++;
      return 0;
    }
    int code = go_through(s, fd, m, stride, &length);
    if (code != 0) return code;
    stride = length / most + 1;
  }
  return 0;
}

int singlestep_run(singlestep *s) {
  s->points = s->failed = 0;
  if (under_valgrind()) return SINGLESTEP_UNSUPPORTED;
  static shared *m; /* stays, for met */
  if (!m) m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int fd = memfd_create("singlestep", MFD_CLOEXEC);
  if ((void *)m == MAP_FAILED || fd < 0 || ftruncate(fd, (off_t)s->size) < 0 ||
      (s->mem = mmap(NULL, (size_t)s->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) ==
          MAP_FAILED) {
    perror("singlestep");
    return 1;
  }
  memset(m->met, 0, sizeof m->met);
  s->met = m->met;
  int code = prepare_and_run(s, fd, m);
  if (code == 2) {
    printf("FAILED: the call crashed by itself\n");
    s->failed++;
  }
  munmap(s->mem, (size_t)s->size);
  close(fd);
  s->mem = NULL;
  if (code < 0) return SINGLESTEP_UNSUPPORTED;
  return s->failed == 0 ? 0 : 1;
}

#else

int singlestep_run(singlestep *s) {
  s->points = s->failed = 0;
  return SINGLESTEP_UNSUPPORTED;
}

#endif
