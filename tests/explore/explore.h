/* SPDX-License-Identifier: MIT */
/* What a harness needs: see README.md for how to write one. */
#ifndef TTB_TESTS_EXPLORE_H
#define TTB_TESTS_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EX_ACTORS 4
#define EX_LOGIC 6

/* No bound: the exploration is complete. A bound limits how often an execution
 * departs from the plain course of things: an actor interrupted while it could
 * go on, a load of an older store, a store that moves before another. */
#define EX_COMPLETE (-1)

typedef struct ex_harness {
  const char *name;
  const char *what;               /* one line: what it shows */
  void (*setup)(void);            /* registers memory, makes the objects; runs once */
  void (*actor[EX_ACTORS])(void); /* deterministic but for what they read */
  void (*check)(void);            /* after each execution; reads the newest of all */
  uint32_t crashable;             /* a bit an actor: may be killed at any step */
  uint32_t crashes;               /* killed in one execution at the most */
  void (*after)(void);            /* once, after the last execution of all */
  int32_t bound;                  /* departures in one execution, or EX_COMPLETE */
  int32_t deep_bound;             /* the same for --deep */
  const char *logic[EX_LOGIC];    /* logic mutations it must catch, see ex_logic */
} ex_harness;

/* Memory the actors share: every access to it goes through atomic.h. */
void ex_shared(void *at, size_t size);

/* Memory of the harness itself: what the checks keep book in. Actors may write
 * it and hand it to ex_check, but must not let it decide what they do. */
void ex_ghost(void *at, size_t size);

/* Private memory of actors that outlives their functions (handles). */
void ex_private(void *at, size_t size);

/* Fails the execution if not ok; `text` names the check. */
void ex_check(bool ok, const char *text);

/* True if the logic mutation `name` is on: the harness then does it wrong. */
bool ex_logic(const char *name);

/* Blocks the calling actor until that one was killed. It learns nothing else. */
void ex_wait_dead(uint32_t actor);

/* One of 0 .. n-1: all are tried. */
uint32_t ex_choose(uint32_t n);

/* For checks: was this actor killed; did it come to its end? */
bool ex_dead(uint32_t actor);
bool ex_done(uint32_t actor);

#endif
