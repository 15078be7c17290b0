/* SPDX-License-Identifier: MIT */
/* An autoscaler among processes: proc_autoscaler [KILLS [SEED]].
 *
 *  1. Three processes that map the region at three addresses take turns, each
 *     gone before the next begins; together they decide as one does alone.
 *  2. A process is killed at every instruction of an evaluation (every third if
 *     KILLS is below 1000). What follows is
 *     what follows without that call, or with its proposal remembered, and in
 *     either case with or without the last change booked twice.
 *  3. Four writers, each on its own slot, killed at random and replaced. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <trimtab/autoscaler.h>

#include "singlestep.h"
#include "torture.h"

#define MS UINT64_C(1000000)
#define STEPS 300

static const ttb_autoscaler_metric count_metric = {sizeof(ttb_autoscaler_metric),
                                                   TTB_AUTOSCALER_TOTAL, 0, 0, 1000, 0, 0, 0};

static ttb_autoscaler_config config_of(uint32_t capacity, int32_t window_ms, uint32_t tick_ms) {
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.capacity = capacity;
  c.max_replicas = 40;
  c.tolerance_up_ppm = c.tolerance_down_ppm = TTB_OFF;
  c.down_window_ms = window_ms;
  c.tick_ms = tick_ms;
  c.metrics = &count_metric;
  c.metrics_n = 1;
  return c;
}

static int32_t ask(ttb_autoscaler *a, uint32_t slot, int32_t proposal, int32_t current,
                   uint64_t now) {
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  s.value_milli = (int64_t)proposal * 1000;
  int32_t code = ttb_autoscaler_evaluate(a, slot, &s, 1, current, now, &d);
  return code < 0 ? code : d.desired;
}

/* Some proposal for a step, the same in every process. */
static int32_t proposal_at(uint32_t step) {
  return (int32_t)(ttb_hash(&step, sizeof step, 7) % (step % 60 < 30 ? 40 : 8));
}

/* ---- 1 ---- */

static void steps(void *mem, uint64_t size, uint32_t from, uint32_t to, int32_t *desired) {
  ttb_autoscaler a;
  if (ttb_autoscaler_attach(&a, mem, size) < 0) _exit(3);
  for (uint32_t i = from; i < to; i++)
    desired[i + 1] = ask(&a, 0, proposal_at(i), desired[i], (3600000 + 1000 * i) * MS);
}

static int takes_turns(void) {
  ttb_autoscaler_config c = config_of(1, 20000, 1000);
  uint64_t size = (uint64_t)ttb_autoscaler_size(&c), page = 4096;
  uint64_t at = (size + page - 1) / page * page, all = at + 4 * page;
  static int32_t alone[STEPS + 1];
  FILE *file = tmpfile();
  if (!file || ftruncate(fileno(file), (off_t)all) < 0) return 1;
  char *mem = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
  if (mem == MAP_FAILED) return 1;
  int32_t *together = (int32_t *)(void *)(mem + at);
  ttb_autoscaler a, b;
  if (ttb_autoscaler_init(&a, mem, size, &c) < 0 || ttb_autoscaler_new(&b, &c, NULL) < 0) return 1;
  together[0] = alone[0] = 10;
  for (uint32_t i = 0; i < STEPS; i++)
    alone[i + 1] = ask(&b, 0, proposal_at(i), alone[i], (3600000 + 1000 * i) * MS);
  ttb_autoscaler_free(&b);
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
    printf("FAILED step %u: %d together, %d alone\n", i, together[i], alone[i]);
    return 1;
  }
  munmap(mem, all);
  fclose(file);
  printf("three processes at three addresses: %u decisions as one alone, %d changes\n", STEPS,
         changes);
  return changes > 10 ? 0 : 1;
}

/* ---- 2 ---- */

#define AFTER 40
static ttb_autoscaler stepped;
static ttb_autoscaler_config stepped_config;
static int32_t futures[4][AFTER];

/* A past that fills the window's queue and ends with a change of +4 just ordered. */
static void past(ttb_autoscaler *a, int booked_twice) {
  for (int32_t i = 0; i < 8; i++) (void)ask(a, 0, 9 - i, 5, (100000 + 500 * (uint64_t)i) * MS);
  (void)ask(a, 0, 30, 5, 110000 * MS); /* orders 5 -> 10: 100 % */
  if (booked_twice) (void)ttb_autoscaler_record(a, 0, TTB_AUTOSCALER_CHANGE, 5, 110000 * MS);
}

static void call(singlestep *s) {
  (void)s;
  (void)ask(&stepped, 0, 33, 10, 111000 * MS);
}

static void future(ttb_autoscaler *a, int32_t *ret) {
  int32_t current = 10;
  for (int32_t i = 0; i < AFTER; i++) {
    ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    s.value_milli = i < 10 ? 2000 : i < 20 ? 35000 : 2000;
    if (ttb_autoscaler_evaluate(a, 0, &s, 1, current, (111100 + 900 * (uint64_t)i) * MS, &d) < 0)
      d.desired = -1;
    current = d.desired;
    ret[i] = d.desired * 10000 + d.window_value * 100 + d.policy_used;
  }
}

static int prepare(singlestep *s) {
  if (ttb_autoscaler_init(&stepped, s->mem, s->size, &stepped_config) < 0) return 1;
  past(&stepped, 0);
  return 0;
}

static int check(singlestep *s, int ended) {
  ttb_autoscaler a;
  int32_t got[AFTER];
  (void)ended;
  if (ttb_autoscaler_attach(&a, s->mem, s->size) < 0) return 1;
  future(&a, got);
  for (int k = 0; k < 4; k++)
    if (!memcmp(got, futures[k], sizeof got)) return s->met[k]++, 0;
  printf("FAILED a future that is none of the four:");
  for (int i = 0; i < AFTER; i++) printf(" %d", got[i]);
  printf("\n");
  return 1;
}

/* 0, 1, or -1 if this machine cannot single-step. */
static int every_instruction(void) {
  stepped_config = config_of(1, 10000, 1000);
  for (int k = 0; k < 4; k++) {
    ttb_autoscaler a;
    if (ttb_autoscaler_new(&a, &stepped_config, NULL) < 0) return 1;
    past(&a, k & 1);
    if (k & 2) (void)ttb_autoscaler_record(&a, 0, TTB_AUTOSCALER_PROPOSAL, 33, 111000 * MS);
    future(&a, futures[k]);
    ttb_autoscaler_free(&a);
  }
  singlestep s = {.size = (uint64_t)ttb_autoscaler_size(&stepped_config),
                  .prepare = prepare,
                  .call = call,
                  .check = check};
  int status = singlestep_run(&s);
  if (status == SINGLESTEP_UNSUPPORTED) return -1;
  printf("killed at %llu instructions of an evaluation: %u as if not called, %u remembered, "
         "%u with a change booked twice, %llu wrong\n",
         (unsigned long long)s.points, s.met[0], s.met[2], s.met[1] + s.met[3],
         (unsigned long long)s.failed);
  for (int k = 1; k < 4; k++)
    if (!memcmp(futures[0], futures[k], sizeof *futures)) return 1; /* the check is blind */
  return status;
}

/* ---- 3 ---- */

#define WINDOW_MS 20u
#define KEPT 4096

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void work(torture *t, uint32_t worker, uint64_t token) {
  static struct {
    uint64_t at;
    int32_t value;
  } seen[KEPT];
  ttb_autoscaler a;
  uint32_t n = 0;
  uint64_t random = token;
  if (ttb_autoscaler_attach(&a, t->mem, t->size) < 0) _exit(9);
  for (int32_t current = 1 + (int32_t)(token % 40);; n++) {
    random = ttb_hash(&random, sizeof random, token);
    int32_t p = (int32_t)(random % 40), highest = p;
    uint64_t now = now_ns();
    int32_t desired = ask(&a, worker, p, current, now);
    /* If this worker slept in between, the others have taken the time on. */
    uint64_t latest = now_ns();
    for (uint32_t i = n > KEPT - 1 ? n - (KEPT - 1) : 0; i < n; i++)
      if (latest / MS - seen[i % KEPT].at / MS < WINDOW_MS && seen[i % KEPT].value > highest)
        highest = seen[i % KEPT].value;
    if (desired < 1 || desired > 40 || (desired < current && desired < highest)) {
      printf("FAILED worker %u: %d after %d, the window has %d\n", worker, desired, current,
             highest);
      fflush(stdout);
      _exit(8);
    }
    seen[n % KEPT].at = now;
    seen[n % KEPT].value = p;
    current = desired;
    torture_progress(t, worker);
  }
}

static int look(torture *t, uint32_t slot) {
  ttb_autoscaler a;
  ttb_autoscaler_info i = TTB_CONFIG(ttb_autoscaler_info);
  if (ttb_autoscaler_attach(&a, t->mem, t->size) < 0) return 1;
  if (ttb_autoscaler_explain(&a, slot, now_ns(), &i) < 0) return 1;
  if (i.desired >= -1 && i.desired <= 40 && i.down_window_max <= 40 && i.proposed <= 40) return 0;
  printf("FAILED slot %u: desired %d, window %d, proposed %d\n", slot, i.desired, i.down_window_max,
         i.proposed);
  return 1;
}

static int recover(torture *t, uint32_t worker, uint64_t token) {
  (void)token; /* nothing is held, so nothing has to be taken back */
  return look(t, worker);
}

static int quiet(torture *t) {
  ttb_autoscaler a;
  if (ttb_autoscaler_attach(&a, t->mem, t->size) < 0) return 1;
  for (uint32_t slot = 0; slot < t->workers; slot++) {
    int32_t desired = ask(&a, slot, 5, 7, now_ns());
    if (desired < 1 || desired > 40 || look(t, slot)) return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  ttb_autoscaler_config c = config_of(4, WINDOW_MS, 1);
  ttb_autoscaler a;
  torture t = {.workers = 4,
               .size = (uint64_t)ttb_autoscaler_size(&c),
               .work = work,
               .recover = recover,
               .check_quiet = quiet};
  torture_arguments(&t, argc, argv);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (takes_turns() != 0) t.failed++;
  int status = every_instruction();
  if (status > 0) t.failed++;
  if (status < 0) printf("no single-stepping here: left out\n");
  if (torture_map(&t) < 0 || ttb_autoscaler_init(&a, t.mem, t.size, &c) < 0) return 1;
  return torture_run(&t);
}
