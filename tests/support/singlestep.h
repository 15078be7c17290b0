/* SPDX-License-Identifier: MIT */
/* Kill -9 at every instruction: a child runs one call under PTRACE_SINGLESTEP.
 * After each instruction the memory is just what the child would leave behind if
 * it were killed there; a process forked from the parent recovers and checks a
 * copy of it, and then the child makes its next instruction.
 *
 *     singlestep s = {.size = size, .prepare = prepare, .call = call,
 *                     .recover = recover, .check = check, .ctx = &my};
 *     singlestep_run(&s);        s.points kill points, s.failed of them wrong
 *
 * `prepare` runs in the parent; `enter` (not stepped: attach, join) and
 * `call` in the child; `recover` and `check` in a copy of the parent, so what they
 * change is gone after them. These return 0 if all is well and print what is not.
 * So they count what they meet in s->met, which is shared.
 *
 * 1,000 points take about half a second. A longer call is judged at `most` points,
 * evenly spread.
 *
 * A parent may always trace its own child; where ptrace is not there at all
 * (qemu-user, valgrind) or one step is not one instruction (load-linked machines never
 * get out of a loop), singlestep_run returns SINGLESTEP_UNSUPPORTED. */
#ifndef TESTS_SUPPORT_SINGLESTEP_H
#define TESTS_SUPPORT_SINGLESTEP_H

#include <stdint.h>

#define SINGLESTEP_UNSUPPORTED (-1)
#define SINGLESTEP_ALL UINT64_MAX /* for most */
#define SINGLESTEP_MET 8

typedef struct singlestep singlestep;
struct singlestep {
  uint64_t size; /* bytes of the shared mapping at mem */
  uint64_t most; /* points judged; default 1000 */
  void *ctx;
  int (*prepare)(singlestep *s); /* makes mem what it is before the call; called twice */
  void (*enter)(singlestep *s);  /* may be NULL */
  void (*call)(singlestep *s);
  int (*recover)(singlestep *s);          /* may be NULL */
  int (*check)(singlestep *s, int ended); /* ended: the call came to its end */

  /* Filled in. */
  void *mem;       /* the shared mapping; unmapped at the end */
  uint32_t *met;   /* SINGLESTEP_MET shared words for checks to count in; until the next run */
  uint64_t points; /* kill points looked at */
  uint64_t failed; /* of them wrong */
};

/* 0 if every point was right and the call came to its end, 1 if not. */
int singlestep_run(singlestep *s);

#endif
