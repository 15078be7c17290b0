/* SPDX-License-Identifier: MIT */
/* The explorer's engine: depth-first over all choices, by stateless replay.
 *
 * An execution starts from the same memory each time. Actors run as fibers up
 * to their next access; then the engine picks one transition: an actor and an
 * outcome of its access (model.c), or a kill. The choices of an execution are a
 * path; the next execution replays it up to the last choice that has an
 * alternative left. After P. Godefroid, "Model checking for programming
 * languages using VeriSoft" (POPL 1997), with a visited set on top.
 *
 * I1  Actors are deterministic: an actor's position is the hash of what it has
 *     read. State = positions + memory with its history + views + ghosts.
 * I2  A state met again is not explored again.
 * I3  The order of transitions depends on the path only, so replays agree.
 *
 * Fibers start by makecontext and switch by _setjmp/_longjmp, which save no
 * signal mask and are twenty times faster than swapcontext. Fortified longjmp
 * takes a jump to another stack for a mistake, hence: */
#undef _FORTIFY_SOURCE
#define _XOPEN_SOURCE 700
#include "engine.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "visited.h"

#define STACK_BYTES 65536
#define MAX_STEPS 1000
#define MAX_SPANS 8

#define ABSENT 0
#define READY 1 /* has a step to take */
#define DONE 2
#define DEAD 3

typedef struct fiber {
  jmp_buf top; /* its outermost frame: where a new execution begins */
  jmp_buf at;  /* where it waits for its step */
  ucontext_t context;
  ex_op op;
  uint64_t position;
  int state;
  _Alignas(16) char stack[STACK_BYTES];
} fiber;

typedef struct choice {
  uint32_t chosen, total;
} choice;

typedef struct event {
  uint32_t actor;
  ex_op op;
  uint32_t outcome, outcomes;
  bool kill;
} event;

typedef struct copy {
  void *at;
  void *image;
  size_t size;
  bool ghost;
} copy;

static fiber fibers[EX_ACTORS];
static int current = -1; /* the actor that runs, -1 outside */
static jmp_buf engine_at;
static ucontext_t engine_context;

static const ex_harness *harness;
static ex_limits limits;
static ex_result result;
static choice path[MAX_STEPS];
static uint32_t path_length;
static event trace[MAX_STEPS];
static uint32_t trace_length;
static uint32_t kills;
static int32_t departures;
static int last_actor;
static copy copies[MAX_SPANS];
static uint32_t copy_count;

/* ---- what harnesses call ---- */

static void keep(void *at, size_t size, bool ghost) {
  if (copy_count == MAX_SPANS) abort();
  memset(at, 0, size);
  copies[copy_count++] = (copy){.at = at, .size = size, .ghost = ghost};
}

void ex_shared(void *at, size_t size) {
  keep(at, size, false);
  ex_model_add(at, size);
}
void ex_ghost(void *at, size_t size) { keep(at, size, true); }
void ex_private(void *at, size_t size) { keep(at, size, false); }

void ex_check(bool ok, const char *text) {
  if (ok || result.failed) return;
  result.failed = text;
}

bool ex_logic(const char *name) { return limits.logic && strcmp(limits.logic, name) == 0; }

bool ex_dead(uint32_t actor) { return fibers[actor].state == DEAD; }
bool ex_done(uint32_t actor) { return fibers[actor].state == DONE; }

/* ---- fibers ---- */

/* The calling actor waits until the engine has taken its step. */
ex_op ex_step(ex_op op) {
  fiber *f = &fibers[current];
  f->op = op;
  f->state = READY;
  if (_setjmp(f->at) == 0) _longjmp(engine_at, 1);
  return fibers[current].op;
}

bool ex_inside(void) { return current >= 0; }

void ex_wait_dead(uint32_t actor) { (void)ex_step((ex_op){.kind = EX_KIND_WAIT, .x = actor}); }
uint32_t ex_choose(uint32_t n) {
  return (uint32_t)ex_step((ex_op){.kind = EX_KIND_CHOOSE, .x = n}).result;
}

/* A fiber's outermost frame: runs the actor once for each jump to `top`. */
static void fiber_main(void) {
  if (_setjmp(fibers[current].top) == 0) _longjmp(engine_at, 1);
  harness->actor[current]();
  fibers[current].state = DONE;
  _longjmp(engine_at, 1);
}

static void fiber_make(int i) {
  fiber *f = &fibers[i];
  if (getcontext(&f->context) != 0) abort();
  f->context.uc_stack.ss_sp = f->stack;
  f->context.uc_stack.ss_size = sizeof f->stack;
  f->context.uc_link = NULL;
  makecontext(&f->context, fiber_main, 0);
  current = i;
  if (_setjmp(engine_at) == 0) (void)swapcontext(&engine_context, &f->context);
  current = -1;
}

/* Lets an actor run up to its next step, or its end. */
static void fiber_run(int i, bool from_top) {
  current = i;
  if (_setjmp(engine_at) == 0) _longjmp(from_top ? fibers[i].top : fibers[i].at, 1);
  current = -1;
}

/* ---- one execution ---- */

/* What may happen next: `outcomes` ways for `actor`, or its death. */
typedef struct transition {
  uint32_t actor, first, outcomes;
  bool kill, preempts, departs; /* departs: any outcome but the first does */
} transition;

static bool preempts(uint32_t actor) {
  return last_actor >= 0 && (uint32_t)last_actor != actor && fibers[last_actor].state == READY &&
         ex_model_outcomes((uint32_t)last_actor, &fibers[last_actor].op) > 0;
}

/* Lists the transitions (keeps I3); returns the number of choices they are. */
static uint32_t list(transition *t, uint32_t *ret_n) {
  uint32_t n = 0, total = 0;
  /* The actor of the last step first: fewest switches, shortest traces. */
  for (uint32_t k = 0; k < EX_ACTORS; k++) {
    uint32_t a = (k + (last_actor < 0 ? 0 : (uint32_t)last_actor)) % EX_ACTORS;
    if (fibers[a].state != READY) continue;
    uint32_t outcomes = ex_model_outcomes(a, &fibers[a].op);
    if (outcomes == 0) continue;
    bool bounded = limits.bound != EX_COMPLETE, costs = bounded && preempts(a);
    bool departs = bounded && fibers[a].op.kind != EX_KIND_CHOOSE;
    if (departures + costs > limits.bound && costs) {
      result.bounded = true;
      continue;
    }
    if (departs && outcomes > 1 && departures + costs == limits.bound) {
      result.bounded = true;
      outcomes = 1;
    }
    t[n++] = (transition){
        .actor = a, .first = total, .outcomes = outcomes, .preempts = costs, .departs = departs};
    total += outcomes;
  }
  uint32_t steps = total;
  for (uint32_t a = 0; a < EX_ACTORS && kills < harness->crashes; a++) {
    if (!(harness->crashable >> a & 1)) continue;
    if (fibers[a].state != READY && fibers[a].state != DONE) continue;
    t[n++] = (transition){.actor = a, .first = total, .outcomes = 1, .kill = true};
    total++;
  }
  /* Nobody can go on: it may end here, also where somebody could be killed. */
  if (steps == 0 && total > 0) {
    t[n++] = (transition){.actor = EX_ACTORS, .first = total, .outcomes = 1};
    total++;
  }
  *ret_n = n;
  return total;
}

/* Takes the choice-th of them. False: the end was chosen. */
static bool take(const transition *t, uint32_t n, uint32_t chosen) {
  uint32_t i = n - 1;
  while (t[i].first > chosen) i--;
  uint32_t a = t[i].actor, outcome = chosen - t[i].first;
  if (a == EX_ACTORS) return false;
  fiber *f = &fibers[a];
  if (t[i].kill) {
    ex_model_kill(a);
    kills++;
    trace[trace_length++] = (event){.actor = a, .kill = true};
    f->state = DEAD;
    return true;
  }
  ex_model_perform(a, &f->op, outcome);
  f->position = ex_mix(ex_mix(f->position, f->op.result), f->op.swapped + 2u);
  trace[trace_length++] =
      (event){.actor = a, .op = f->op, .outcome = outcome, .outcomes = t[i].outcomes};
  departures += t[i].preempts + (t[i].departs && outcome > 0);
  last_actor = (int)a;
  fiber_run((int)a, false);
  return true;
}

static uint64_t state_hash(void) {
  uint64_t hash = kills;
  uint32_t running = 0;
  for (uint32_t a = 0; a < EX_ACTORS; a++) {
    hash = ex_mix(hash, (uint64_t)fibers[a].state);
    if (fibers[a].state == READY) {
      running |= 1u << a;
      hash = ex_mix(hash, fibers[a].position);
    }
  }
  if (limits.bound != EX_COMPLETE)
    hash = ex_mix(hash, (uint64_t)departures << 8 | (uint64_t)(last_actor + 1));
  for (uint32_t i = 0; i < copy_count; i++) {
    if (!copies[i].ghost) continue;
    const unsigned char *at = copies[i].at;
    for (size_t k = 0; k < copies[i].size; k++) hash = ex_mix(hash, at[k]);
  }
  return ex_model_hash(hash, running, harness->crashable);
}

static void begin(void) {
  for (uint32_t i = 0; i < copy_count; i++) memcpy(copies[i].at, copies[i].image, copies[i].size);
  ex_model_reset();
  trace_length = 0;
  kills = 0;
  departures = 0;
  last_actor = -1;
  for (int a = 0; a < EX_ACTORS; a++) {
    fibers[a].state = ABSENT;
    fibers[a].position = 0;
    if (!harness->actor[a]) continue;
    fiber_run(a, true);
  }
}

/* Runs along the path and extends it by first choices. */
static void execute(void) {
  transition t[2 * EX_ACTORS + 1];
  begin();
  for (uint32_t depth = 0; !result.failed; depth++) {
    uint32_t n, total;
    if (depth == path_length) {
      if (!ex_visited_add(state_hash())) return; /* I2 */
      result.states++;
      total = list(t, &n);
      if (total == 0) break;
      if (depth == MAX_STEPS) {
        ex_check(false, "does not come to an end");
        return;
      }
      path[path_length++] = (choice){.chosen = 0, .total = total};
    } else if (list(t, &n) != path[depth].total) {
      ex_check(false, "explorer: replay differs, an actor is not deterministic");
      return;
    }
    if (!take(t, n, path[depth].chosen)) break;
  }
  result.ends++;
  if (!result.failed && harness->check) harness->check();
}

/* To the next path. False: all are done. */
static bool backtrack(void) {
  while (path_length > 0 && path[path_length - 1].chosen + 1 == path[path_length - 1].total)
    path_length--;
  if (path_length == 0) return false;
  path[path_length - 1].chosen++;
  return true;
}

static void prepare(void) {
  for (uint32_t i = 0; i < copy_count; i++) free(copies[i].image);
  copy_count = 0;
  ex_model_clear();
  harness->setup();
  for (uint32_t i = 0; i < copy_count; i++) {
    copies[i].image = malloc(copies[i].size);
    if (!copies[i].image) abort();
    memcpy(copies[i].image, copies[i].at, copies[i].size);
  }
  for (int a = 0; a < EX_ACTORS; a++)
    if (harness->actor[a]) fiber_make(a);
}

ex_result ex_explore(const ex_harness *h, const ex_limits *l) {
  harness = h;
  limits = *l;
  result = (ex_result){.states = 0};
  path_length = 0;
  ex_visited_reset();
  prepare();
  do {
    result.executions++;
    execute();
    if (limits.max_executions != 0 && result.executions == limits.max_executions) {
      result.bounded = true;
      break;
    }
  } while (!result.failed && backtrack());
  if (!result.failed && harness->after) harness->after();
  return result;
}

static const char *order_name(memory_order order) {
  return order == memory_order_acquire   ? "acquire"
         : order == memory_order_release ? "release"
         : order == memory_order_acq_rel ? "acq_rel"
                                         : "relaxed";
}

void ex_print_trace(FILE *to) {
  static const char *const kinds[] = {"load", "store", "add", "and", "or", "cas", "choose", "wait"};
  for (uint32_t i = 0; i < trace_length; i++) {
    const event *e = &trace[i];
    char where[32] = "";
    if (e->kill) {
      fprintf(to, "  %u  KILLED\n", e->actor);
      continue;
    }
    fprintf(to, "  %u  %-6s ", e->actor, kinds[e->op.kind]);
    if (e->op.site)
      fprintf(to, "%-7s %-8s x=%-12llx %s=%-12llx %s %s:%d",
              e->op.site->weak ? "WEAK" : order_name(e->op.site->order),
              ex_model_name(e->op.location, where), (unsigned long long)e->op.x,
              e->op.kind == EX_KIND_CAS ? (e->op.swapped ? "swapped" : "failed") : "read",
              (unsigned long long)e->op.result, e->outcome == 0 ? "newest" : "OLDER ",
              e->op.site->file, e->op.site->line);
    fprintf(to, "\n");
  }
}
