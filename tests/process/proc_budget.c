/* SPDX-License-Identifier: MIT */
/* A violation budget among processes: proc_budget [KILLS [SEED]].
 *
 *  1. Three processes that map the region at three addresses take turns, one of
 *     them killed; together they decide as one does alone.
 *  2. A process is killed at every 1009th instruction of a tick (every 97th if KILLS
 *     is 1000 or more). What follows is legal, and mostly to the replica what follows
 *     without that kill or without that call.
 *  3. Four writers, each on its own slot, killed at random and replaced: decisions
 *     stay within bounds and never below what is needed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <trimtab/budget.h>

#include "singlestep.h"
#include "torture.h"

#define TICK UINT64_C(15000000000)
#define STEPS 600u

static ttb_budget_config config_of(uint32_t capacity) {
  ttb_budget_config c = TTB_CONFIG(ttb_budget_config);
  c.capacity = capacity;
  c.replica_milli = 1000;
  c.max_replicas = 60;
  return c;
}

static ttb_budget_decision ask(ttb_budget *b, uint32_t slot, int64_t load, int32_t current,
                               uint64_t tick) {
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
  s.load_milli = load;
  s.current = current;
  if (ttb_budget_tick(b, slot, &s, (tick + 1) * TICK, &d) < 0) d.desired = -1;
  return d;
}

/* Some load for a tick, the same in every process. */
static int64_t load_at(uint64_t tick) {
  return (int64_t)(ttb_hash(&tick, sizeof tick, 7) % (tick % 90 < 45 ? 20000 : 9000));
}

/* ---- 1 ---- */

static void steps(void *mem, uint64_t size, uint32_t from, uint32_t to, int32_t *desired) {
  ttb_budget b;
  if (ttb_budget_attach(&b, mem, size) < 0) _exit(3);
  for (uint32_t i = from; i < to; i++) desired[i + 1] = ask(&b, 0, load_at(i), desired[i], i).desired;
}

static int takes_turns(void) {
  ttb_budget_config c = config_of(1);
  uint64_t size = (uint64_t)ttb_budget_size(&c), page = 4096;
  uint64_t at = (size + page - 1) / page * page, all = at + 4 * page;
  static int32_t alone[STEPS + 1];
  FILE *file = tmpfile();
  if (!file || ftruncate(fileno(file), (off_t)all) < 0) return 1;
  char *mem = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
  if (mem == MAP_FAILED) return 1;
  int32_t *together = (int32_t *)(void *)(mem + at);
  ttb_budget a, b;
  if (ttb_budget_init(&a, mem, size, &c) < 0 || ttb_budget_new(&b, &c, NULL) < 0) return 1;
  together[0] = alone[0] = 10;
  for (uint32_t i = 0; i < STEPS; i++) alone[i + 1] = ask(&b, 0, load_at(i), alone[i], i).desired;
  ttb_budget_free(&b);
  for (uint32_t turn = 0; turn < 3; turn++) {
    pid_t pid = fork();
    if (pid == 0) {
      char *other = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
      if (other == MAP_FAILED || other == mem) _exit(2);
      munmap(mem, all);
      steps(other, size, turn * STEPS / 3, (turn + 1) * STEPS / 3, (int32_t *)(void *)(other + at));
      if (turn == 1) kill(getpid(), SIGKILL);
      _exit(0);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) return 1;
    if (turn != 1 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
      printf("FAILED turn %u: status %x\n", turn, (unsigned)status);
      return 1;
    }
  }
  int changes = 0;
  for (uint32_t i = 0; i <= STEPS; i++) {
    changes += i > 0 && alone[i] != alone[i - 1];
    if (together[i] == alone[i]) continue;
    printf("FAILED tick %u: %d together, %d alone\n", i, together[i], alone[i]);
    return 1;
  }
  munmap(mem, all);
  fclose(file);
  printf("three processes at three addresses: %u decisions as one alone, %d changes\n", STEPS, changes);
  return changes > 10 ? 0 : 1;
}

/* ---- 2 ---- */

#define PAST 447u /* so that the tick which is killed is one of review */
#define AFTER 300u
static ttb_budget stepped;
static ttb_budget_config stepped_config;
static int32_t futures[2][AFTER]; /* not called, called */

static void past(ttb_budget *b) {
  int32_t current = 5;
  for (uint64_t i = 0; i < PAST; i++) current = ask(b, 0, load_at(i), current, i).desired;
}

static void call(singlestep *s) {
  (void)s;
  (void)ask(&stepped, 0, load_at(PAST), 15, PAST);
}

static int look_ahead(ttb_budget *b, int32_t *ret) {
  int32_t current = 15;
  for (uint32_t i = 0; i < AFTER; i++) {
    ttb_budget_decision d = ask(b, 0, load_at(PAST + 1 + i), current, PAST + 1 + i);
    if (d.desired < 1 || d.desired > 60 || d.desired < (d.needed < 60 ? d.needed : 60)) return 1;
    ret[i] = current = d.desired;
  }
  return 0;
}

static int prepare(singlestep *s) {
  if (ttb_budget_init(&stepped, s->mem, s->size, &stepped_config) < 0) return 1;
  past(&stepped);
  return 0;
}

static int check_future(singlestep *s, int ended) {
  ttb_budget b;
  int32_t got[AFTER];
  (void)ended;
  if (ttb_budget_attach(&b, s->mem, s->size) < 0) return 1;
  if (look_ahead(&b, got)) {
    printf("FAILED what follows the kill is not legal\n");
    return 1;
  }
  int k = 0;
  while (k < 2 && memcmp(got, futures[k], sizeof got)) k++;
  s->met[k]++;
  return 0;
}

/* 0, 1, or -1 if this machine cannot single-step. */
static int every_instruction(uint64_t most) {
  ttb_budget b;
  stepped_config = config_of(1);
  for (int k = 0; k < 2; k++) {
    if (ttb_budget_new(&b, &stepped_config, NULL) < 0) return 1;
    past(&b);
    if (k == 1) (void)ask(&b, 0, load_at(PAST), 15, PAST);
    if (look_ahead(&b, futures[k])) return 1;
    ttb_budget_free(&b);
  }
  singlestep s = {.size = (uint64_t)ttb_budget_size(&stepped_config),
                  .most = most,
                  .prepare = prepare,
                  .call = call,
                  .check = check_future};
  int status = singlestep_run(&s);
  if (status == SINGLESTEP_UNSUPPORTED) return -1;
  printf("killed at %llu instructions of a tick: %u as if not called, %u as if ended, %u between, "
         "%llu wrong\n", (unsigned long long)s.points, s.met[0], s.met[1], s.met[2],
         (unsigned long long)s.failed);
  return status || s.met[0] == 0 || s.met[1] == 0;
}

/* ---- 3 ---- */

static void work(torture *t, uint32_t worker, uint64_t token) {
  ttb_budget b;
  ttb_budget_info i = TTB_CONFIG(ttb_budget_info);
  if (ttb_budget_attach(&b, t->mem, t->size) < 0 || ttb_budget_explain(&b, worker, 0, &i) < 0) _exit(9);
  /* Its own time goes on where the one before was killed. */
  uint64_t tick = i.ticks + 100 * (token % 1000), random = token;
  for (int32_t current = 10;; tick++) {
    random = ttb_hash(&random, sizeof random, token);
    ttb_budget_decision d = ask(&b, worker, (int64_t)(random % 30000), current, tick);
    int32_t least = d.needed < 60 ? d.needed : 60;
    if (d.desired < 1 || d.desired > 60 || (d.reason != TTB_BUDGET_EARLY && d.desired < least)) {
      printf("FAILED worker %u: %d, needed %d\n", worker, d.desired, d.needed);
      fflush(stdout);
      _exit(8);
    }
    current = d.desired;
    torture_progress(t, worker);
  }
}

static int look(torture *t, uint32_t slot) {
  ttb_budget b;
  ttb_budget_info i = TTB_CONFIG(ttb_budget_info);
  if (ttb_budget_attach(&b, t->mem, t->size) < 0 || ttb_budget_explain(&b, slot, 0, &i) < 0) return 1;
  if (i.desired >= -1 && i.desired <= 60 && i.spent_ppm >= 0 && i.spent_ppm <= 1000000) return 0;
  printf("FAILED slot %u: desired %d, spent %d ppm\n", slot, i.desired, i.spent_ppm);
  return 1;
}

static int recover(torture *t, uint32_t worker, uint64_t token) {
  (void)token; /* nothing is held, so nothing has to be taken back */
  return look(t, worker);
}

static int quiet(torture *t) {
  for (uint32_t slot = 0; slot < t->workers; slot++)
    if (look(t, slot)) return 1;
  return 0;
}

int main(int argc, char **argv) {
  ttb_budget_config c = config_of(4);
  ttb_budget b;
  torture t = {.workers = 4,
               .size = (uint64_t)ttb_budget_size(&c),
               .work = work,
               .recover = recover,
               .check_quiet = quiet};
  torture_arguments(&t, argc, argv);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (takes_turns() != 0) t.failed++;
  int status = every_instruction(t.kills < 1000 ? 0 : SINGLESTEP_ALL);
  if (status > 0) t.failed++;
  if (status < 0) printf("no single-stepping here: left out\n");
  if (torture_map(&t) < 0 || ttb_budget_init(&b, t.mem, t.size, &c) < 0) return 1;
  return torture_run(&t);
}
