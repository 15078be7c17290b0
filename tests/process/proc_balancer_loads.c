/* SPDX-License-Identifier: MIT */
/* The balancer's algorithms that keep state, under kill -9: proc_balancer_loads [KILLS
 * [SEED]].
 *
 * 1. Kill at every instruction of acquire + report (a failure, with a load report), of
 *    probe_due + probe_result, and of reweigh: with the dead one recovered, nothing of
 *    it is in flight, all endpoints are picked, and least connections is exact again.
 * 2. Three pickers and one who marks on a balancer of least connections, killed at
 *    random: when all are dead and recovered, no bound of a group is above the least key
 *    in it, and every pick takes a least loaded endpoint. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <trimtab/balancer.h>

#include "../support/singlestep.h"
#include "../support/torture.h"

#define PARENT TTB_MAX_TOKEN
#define CHILD UINT64_C(4242)
#define N 40u
#define NOW UINT64_C(77000000000)

static unsigned passed, failed;

static void verdict(const char *what, bool ok) {
  if (!ok) printf("FAILED %s\n", what);
  if (ok) passed++;
  else failed++;
}

static ttb_balancer_config config_of(uint32_t algorithm, uint32_t flags) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.algorithm = algorithm;
  c.flags = flags;
  c.capacity = N;
  c.load_blackout_ms = TTB_OFF;
  return c;
}

static bool fill(ttb_balancer *mine) {
  ttb_endpoint list[N];
  for (uint32_t i = 0; i < N; i++)
    list[i] = (ttb_endpoint){.struct_size = sizeof *list, .weight = 1 + i % 3, .id = i + 1};
  return ttb_balancer_update(mine, list, N, NULL) == TTB_OK;
}

static ttb_balancer_stats stats_of(const ttb_balancer *b) {
  ttb_balancer_stats s = TTB_CONFIG(ttb_balancer_stats);
  (void)ttb_balancer_statistics(b, &s);
  return s;
}

static ttb_balancer_info info_of(const ttb_balancer *b, uint32_t slot) {
  ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
  (void)ttb_balancer_inspect(b, slot, &i);
  return i;
}

/* 400 picks, held, each the least loaded for its weight. */
static bool exact(ttb_balancer *mine) {
  int64_t held[400];
  bool ok = true;
  for (int k = 0; k < 400; k++) {
    ttb_balancer_info i[N];
    for (uint32_t s = 0; s < N; s++) i[s] = info_of(mine, s);
    held[k] = ttb_balancer_acquire(mine, 0, NOW);
    uint32_t got = (uint32_t)ttb_ticket_slot(held[k]);
    for (uint32_t s = 0; s < N && ok; s++)
      ok = got < N && (i[s].causes || i[got].in_flight * i[s].weight <= i[s].in_flight * i[got].weight);
  }
  for (int k = 0; k < 400; k++) (void)ttb_balancer_report(mine, held[k], TTB_SUCCESS, 1000, NOW);
  if (!ok) printf("  a pick was not of the least loaded\n");
  return ok;
}

/* Calls go on: nobody but the marked is left out for good. */
static bool goes_on(ttb_balancer *mine, uint64_t at) {
  int64_t held[400];
  uint64_t seen = 0;
  for (int k = 0; k < 400; k++) {
    held[k] = ttb_balancer_acquire(mine, 0, at);
    if (held[k] < 0) return false;
    seen |= UINT64_C(1) << ttb_ticket_slot(held[k]);
  }
  for (int k = 0; k < 400; k++)
    if (ttb_balancer_report(mine, held[k], TTB_SUCCESS, 1000000, at) != TTB_OK) return false;
  if (seen != (UINT64_C(1) << N) - 1) printf("  seen %llx\n", (unsigned long long)seen);
  return seen == (UINT64_C(1) << N) - 1;
}

/* ---- 1. every instruction ---- */

enum { CALL, PROBES, REWEIGH, KINDS };
static const char *const kinds[] = {"acquire + report", "probes", "reweigh"};

typedef struct stepped {
  uint32_t algorithm, flags;
  int what;
  ttb_balancer shared, mine, child;
  int64_t held;
} stepped;

static void one_call(ttb_balancer *mine) {
  int64_t t = ttb_balancer_acquire(mine, 0, NOW);
  ttb_load load = {sizeof load, 300000 + (int32_t)(t & 63) * 10000, 50000, 100};
  (void)ttb_balancer_report_load(mine, t, TTB_FAILURE, 1000000, &load, NOW);
}

static void probes(ttb_balancer *mine) {
  uint32_t slots[4];
  int32_t due = ttb_balancer_probe_due(mine, NOW, slots, 4);
  for (int32_t i = 0; i < due; i++)
    (void)ttb_balancer_probe_result(mine, slots[i], 3, 1000000, NOW);
}

static int prepare(singlestep *s) {
  stepped *x = s->ctx;
  ttb_balancer_config c = config_of(x->algorithm, x->flags);
  if (ttb_balancer_init(&x->shared, s->mem, s->size, &c) < 0 ||
      ttb_balancer_join(&x->shared, PARENT, &x->mine) < 0 || !fill(&x->mine))
    return 1;
  for (int i = 0; i < 60; i++) one_call(&x->mine);
  for (int i = 0; i < 50; i++) (void)ttb_balancer_acquire(&x->mine, 0, NOW); /* some are busy */
  x->held = ttb_balancer_acquire(&x->mine, 0, NOW);
  return x->held < 0;
}

static void enter(singlestep *s) {
  stepped *x = s->ctx;
  ttb_balancer b;
  if (ttb_balancer_attach(&b, s->mem, s->size) < 0 || ttb_balancer_join(&b, CHILD, &x->child) < 0)
    _exit(9);
  for (int i = 0; i < 20; i++) (void)ttb_balancer_acquire(&x->child, 0, NOW);
  if (x->algorithm == TTB_BALANCER_PREQUAL) probes(&x->child);
}

static void call(singlestep *s) {
  stepped *x = s->ctx;
  if (x->what == CALL) one_call(&x->child);
  else if (x->what == PROBES) probes(&x->child);
  else (void)ttb_balancer_reweigh(&x->child, NOW);
}

static int recover_child(singlestep *s) {
  stepped *x = s->ctx;
  return ttb_balancer_recover(&x->mine, CHILD) != 1;
}

static int check_after(singlestep *s, int ended) {
  stepped *x = s->ctx;
  bool tracked = x->algorithm != TTB_BALANCER_PREQUAL &&
                 x->algorithm != TTB_BALANCER_WEIGHTED_RANDOM;
  bool ok = stats_of(&x->mine).in_flight == (tracked ? 51 : 0) && stats_of(&x->mine).joined == 1;
  (void)ended;
  if (x->what == REWEIGH) ok = ok && ttb_balancer_reweigh(&x->mine, NOW) > 1; /* its lock, too */
  if (x->algorithm == TTB_BALANCER_LEAST_CONNECTIONS) ok = ok && exact(&x->mine);
  else ok = ok && goes_on(&x->mine, NOW + UINT64_C(100000000000));
  return !ok;
}

static void every_instruction(void) {
  static const struct {
    uint32_t algorithm, flags;
    int what;
  } cases[] = {
      {TTB_BALANCER_LEAST_CONNECTIONS, 0, CALL},
      {TTB_BALANCER_PEAK_EWMA, 0, CALL},
      {TTB_BALANCER_PREQUAL, 0, CALL},
      {TTB_BALANCER_PREQUAL, 0, PROBES},
      {TTB_BALANCER_WEIGHTED_RANDOM, TTB_BALANCER_LOAD_WEIGHTS, CALL},
      {TTB_BALANCER_TWO_CHOICES, TTB_BALANCER_LOAD_WEIGHTS, REWEIGH},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    stepped x = {.algorithm = cases[k].algorithm, .flags = cases[k].flags, .what = cases[k].what};
    ttb_balancer_config c = config_of(x.algorithm, x.flags);
    singlestep s = {.size = (uint64_t)ttb_balancer_size(&c), .ctx = &x, .prepare = prepare,
                    .enter = enter, .call = call, .recover = recover_child, .check = check_after};
    int result = singlestep_run(&s);
    if (result == SINGLESTEP_UNSUPPORTED) {
      printf("single steps: not possible here\n");
      return;
    }
    printf("algorithm %u, %s: %llu kill points, %llu wrong\n", x.algorithm, kinds[x.what],
           (unsigned long long)s.points, (unsigned long long)s.failed);
    verdict(kinds[x.what], result == 0 && s.points > 10);
  }
}

/* ---- 2. torture ---- */

typedef struct setup {
  uint64_t size;
  ttb_balancer b, mine;
} setup;

static void work(torture *t, uint32_t worker, uint64_t token) {
  setup *u = t->ctx;
  ttb_balancer b, mine;
  int64_t held[60];
  uint64_t random = token;
  memset(held, 0xff, sizeof held);
  if (ttb_balancer_attach(&b, t->mem, u->size) < 0 || ttb_balancer_join(&b, token, &mine) < 0)
    _exit(2);
  for (;;) {
    random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    uint32_t r = (uint32_t)(random >> 33);
    if (worker == 0) {
      (void)ttb_balancer_mark(&b, r % N, TTB_CAUSE_PROBE, (int32_t)(r / N % 2));
      if (r % 8 == 0) (void)ttb_balancer_set_weight(&mine, 1 + r / 8 % N, 1 + r / 512 % 3);
    } else {
      int64_t *h = &held[r % 60];
      if (*h >= 0 && ttb_balancer_report(&mine, *h, TTB_SUCCESS, 1, NOW) != TTB_OK) _exit(3);
      *h = ttb_balancer_acquire(&mine, 0, NOW);
    }
    torture_progress(t, worker);
  }
}

static int recover_worker(torture *t, uint32_t worker, uint64_t token) {
  setup *u = t->ctx;
  (void)worker;
  int32_t freed = ttb_balancer_recover(&u->mine, token);
  return freed < 0 || freed > 1;
}

static int check_quiet(torture *t) {
  setup *u = t->ctx;
  int bad = stats_of(&u->b).in_flight != 0 || stats_of(&u->b).joined != 1;
  if (bad) printf("in flight %llu\n", (unsigned long long)stats_of(&u->b).in_flight);
  return bad | !exact(&u->mine);
}

int main(int argc, char **argv) {
  ttb_balancer_config c = config_of(TTB_BALANCER_LEAST_CONNECTIONS, 0);
  setup u = {.size = (uint64_t)ttb_balancer_size(&c)};
  torture t = {.workers = 4, .size = u.size, .ctx = &u, .work = work, .recover = recover_worker,
               .check_quiet = check_quiet};
  every_instruction();
  torture_arguments(&t, argc, argv);
  if (torture_map(&t) < 0 || ttb_balancer_init(&u.b, t.mem, u.size, &c) < 0 ||
      ttb_balancer_join(&u.b, PARENT, &u.mine) < 0 || !fill(&u.mine))
    return 1;
  verdict("killed at random", torture_run(&t) == 0);
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
