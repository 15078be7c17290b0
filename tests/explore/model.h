/* SPDX-License-Identifier: MIT */
/* The memory model: inside of the explorer, not for harnesses. */
#ifndef TTB_TESTS_EXPLORE_MODEL_H
#define TTB_TESTS_EXPLORE_MODEL_H

#include "../../lib/base/atomic.h"
#include "explore.h"

#define EX_LOCATIONS 64
#define EX_STORES 40
#define EX_SITES 512

/* Two more kinds of steps beside those of explore_hook.h. */
#define EX_KIND_CHOOSE 6
#define EX_KIND_WAIT 7

/* Where an actor stands in the stores of each location: it has seen that one,
 * so none before it will be read again. */
typedef struct ex_view {
  uint8_t at[EX_LOCATIONS];
} ex_view;

/* A place in the source. */
typedef struct ex_site {
  const char *file;
  int line;
  int kind;
  memory_order order;
  bool identity; /* a read-modify-write that changes nothing: "newest" */
  bool weak;     /* mutation: acts as relaxed */
  bool plain;    /* mutation: a "newest" acts as a plain load */
  uint64_t met;  /* a bit a harness that came by, see ex_site_mark */
} ex_site;

/* The bit that sites met from now on get. */
extern uint64_t ex_site_mark;

/* A step an actor is about to take. */
typedef struct ex_op {
  int kind;
  uint32_t location;
  ex_site *site;
  uint64_t x;        /* operand */
  uint64_t expected; /* of a compare-and-swap */
  uint64_t result;   /* the value read */
  bool swapped;
} ex_op;

ex_site *ex_site_of(const char *file, int line, int kind, memory_order order, bool identity);
extern ex_site ex_sites[EX_SITES];
extern uint32_t ex_site_count;

void ex_model_clear(void);                /* a new harness: forget all memory */
void ex_model_add(void *at, size_t size); /* a shared span */
void ex_model_reset(void);                /* a new execution, memory as it is now */
uint32_t ex_model_location(const void *at, uint32_t width);
uint32_t ex_model_outcomes(uint32_t actor, const ex_op *op);
void ex_model_perform(uint32_t actor, ex_op *op, uint32_t outcome);
void ex_model_kill(uint32_t actor);
uint64_t ex_model_hash(uint64_t hash, uint32_t running, uint32_t crashable);
const char *ex_model_name(uint32_t location, char buf[32]);

static inline uint64_t ex_mix(uint64_t hash, uint64_t x) {
  hash = (hash ^ x) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 29;
}

#endif
