/* SPDX-License-Identifier: MIT */
/* Kill -9 at every instruction: a child runs one call, the parent lets it make
 * n instructions of it by PTRACE_SINGLESTEP, kills it there, recovers, checks;
 * for n = 0, 1, 2, ... until the call ends before the kill.
 *
 *     singlestep s = {.size = size, .prepare = prepare, .call = call,
 *                     .recover = recover, .check = check, .ctx = &my};
 *     singlestep_run(&s);        s.points kill points, s.failed of them wrong
 *
 * `prepare`, `recover`, `check` run in the parent, `enter` (not stepped: attach,
 * join) and `call` in the child. A hook of the parent returns 0 if all is well
 * and prints what is not. The work grows with the square of the instructions:
 * 500 take about a second; `stride` looks at every stride-th only.
 *
 * A parent may always trace its own child; where ptrace is not there at all
 * (qemu-user, valgrind) or one step is not one instruction (load-linked machines never
 * get out of a loop), singlestep_run returns SINGLESTEP_UNSUPPORTED. */
#ifndef TESTS_SUPPORT_SINGLESTEP_H
#define TESTS_SUPPORT_SINGLESTEP_H

#include <stdint.h>

#define SINGLESTEP_UNSUPPORTED (-1)

typedef struct singlestep singlestep;
struct singlestep {
  uint64_t size;   /* bytes of the shared mapping at mem */
  uint64_t stride; /* default 1 */
  uint64_t max;    /* most instructions looked at; default 20000 */
  void *ctx;
  int (*prepare)(singlestep *s); /* makes mem what it is before the call */
  void (*enter)(singlestep *s);  /* may be NULL */
  void (*call)(singlestep *s);
  int (*recover)(singlestep *s);          /* may be NULL */
  int (*check)(singlestep *s, int ended); /* ended: the call came to its end */

  /* Filled in. */
  void *mem;       /* the shared mapping; unmapped at the end */
  uint64_t points; /* kill points looked at */
  uint64_t failed; /* of them wrong */
};

/* 0 if every point was right and the call came to its end, 1 if not. */
int singlestep_run(singlestep *s);

#endif
