/* SPDX-License-Identifier: MIT */
/* Health shared by processes: proc_health [KILLS [SEED]].
 *
 * First quietly: two processes on one mapping at different addresses agree, and
 * each change of status and each lease goes to one of them. Then with kill -9:
 * whatever a process was doing, the others read legal words, no target is lost
 * to the probers for longer than a lease, and every slot can be used as ever;
 * never more are ejected than may be, once a sweep has looked. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <trimtab/health.h>

#include "torture.h"

#define SLOTS 8
#define ROUNDS 200000
#define MOST_EJECTED 3 /* of SLOTS */
#define START UINT64_C(3600000000000)
#define MS UINT64_C(1000000)

/* Beside the region: what each process was told. */
typedef struct told {
  uint64_t changes, handed_out, errors;
  uint64_t now_ms; /* one clock for all: moved on by __atomic_fetch_add */
} told;

static int wrong(const char *what, uint64_t got, uint64_t want) {
  printf("FAILED %s: %llu, expected %llu\n", what, (unsigned long long)got,
         (unsigned long long)want);
  return -1;
}

static ttb_health_config config_of(void) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = SLOTS;
  c.rise = 2;
  c.fall = 3;
  c.ttl_ms = 50;
  c.interval_ms = 20;
  c.lease_ms = 40;
  c.passive_errors = 4;
  return c;
}

static uint64_t splitmix(uint64_t *s) {
  uint64_t z = (*s += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* ---- two processes, nobody dies ---- */

static void agree(void *region, uint64_t size, told *all, uint64_t seed) {
  ttb_health h;
  told mine = {0, 0, 0, 0};
  if (ttb_health_attach(&h, region, size) < 0) _exit(1);
  for (int i = 0; i < ROUNDS; i++) {
    uint64_t now = START + __atomic_fetch_add(&all->now_ms, splitmix(&seed) % 40 == 0, 5) * MS;
    uint32_t slot = (uint32_t)(splitmix(&seed) % SLOTS), slots[SLOTS];
    int32_t code = ttb_health_report(&h, slot, (int32_t)(splitmix(&seed) % 3), 0, now);
    mine.changes += code > 0;
    mine.errors += code < 0;
    code = ttb_health_observe(&h, slot, TTB_FAILURE, now);
    mine.changes += code > 0;
    mine.errors += code < 0;
    if (i % 16 == 0) mine.changes += (uint64_t)ttb_health_tick(&h, now, NULL, 0);
    if (i % 8 == 0) mine.handed_out += (uint64_t)ttb_health_due(&h, now, slots, 2);
  }
  __atomic_fetch_add(&all->changes, mine.changes, 5);
  __atomic_fetch_add(&all->handed_out, mine.handed_out, 5);
  __atomic_fetch_add(&all->errors, mine.errors, 5);
}

static uint64_t changes_of(ttb_health *h, uint64_t now) {
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  ttb_health_statistics(h, now, &s);
  return s.changes;
}

static int two_processes(void) {
  ttb_health_config c = config_of();
  uint64_t size = (uint64_t)ttb_health_size(&c), room = (size + 4095) & ~UINT64_C(4095);
  FILE *f = tmpfile();
  if (!f || ftruncate(fileno(f), (off_t)(room + 4096)) < 0) return wrong("tmpfile", 0, 1);
  int flags = PROT_READ | PROT_WRITE;
  char *a = mmap(NULL, room + 4096, flags, MAP_SHARED, fileno(f), 0);
  char *b = mmap(NULL, room + 4096, flags, MAP_SHARED, fileno(f), 0); /* another address */
  told *all = (told *)(void *)(a + room);
  ttb_health h;
  if (a == MAP_FAILED || b == MAP_FAILED || ttb_health_init(&h, a, size, &c) < 0)
    return wrong("set-up", 0, 1);
  pid_t child = fork();
  if (child == 0) {
    agree(b, size, (told *)(void *)(b + room), 1);
    _exit(0);
  }
  agree(a, size, all, 2);
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0)
    return wrong("child", (uint64_t)status, 0);

  uint64_t now = START + all->now_ms * MS;
  if (all->errors) return wrong("errors", all->errors, 0);
  if (changes_of(&h, now) != all->changes)
    return wrong("changes announced", all->changes, changes_of(&h, now));
  if (all->changes < 1000) return wrong("changes at all", all->changes, 1000);
  ttb_health other;
  if (ttb_health_attach(&other, b, size) < 0) return wrong("attach", 0, 1);
  for (uint32_t i = 0; i < SLOTS; i++)
    if (ttb_health_status(&h, i, now) != ttb_health_status(&other, i, now))
      return wrong("status of both mappings", i, i);
  printf("two processes: %llu changes, each announced once; %llu probes handed out\n",
         (unsigned long long)all->changes, (unsigned long long)all->handed_out);
  munmap(a, room + 4096);
  munmap(b, room + 4096);
  fclose(f);
  return 0;
}

/* Both wait for each other, then ask for all that is due, without reporting;
 * the next round begins when the leases end. So each round hands out each
 * target exactly once, to one of them. And both count errors, none lost. */
static void ask(ttb_health *h, uint64_t *arrived, uint64_t *got, uint64_t rounds, uint64_t seed) {
  uint32_t slots[SLOTS];
  for (uint64_t r = 0; r < rounds; r++) {
    __atomic_fetch_add(arrived, 1, 5);
    for (uint32_t spins = 0; __atomic_load_n(arrived, 5) < 2 * (r + 1); spins++)
      if (spins % 1000 == 999) sched_yield();
    for (volatile uint64_t wait = splitmix(&seed) % 64; wait > 0;) wait--;
    int32_t n = ttb_health_due(h, START + r * 40 * MS, slots, SLOTS);
    for (int32_t k = 0; k < n; k++) __atomic_fetch_add(&got[slots[k]], 1, 5);
    (void)ttb_health_observe(h, 0, TTB_FAILURE, START + r * 40 * MS);
  }
}

static int one_lease_each(void) {
  enum { TIMES = 50000 };
  ttb_health_config c = config_of();
  c.passive_errors = 1000000;
  uint64_t size = (uint64_t)ttb_health_size(&c);
  char *mem = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  uint64_t *got = (uint64_t *)(void *)(mem + size);
  ttb_health h;
  if (mem == MAP_FAILED || ttb_health_init(&h, mem, size, &c) < 0) return wrong("set-up", 0, 1);
  pid_t child = fork();
  ask(&h, &got[SLOTS], got, TIMES, child == 0);
  if (child == 0) _exit(0);
  waitpid(child, NULL, 0);
  for (uint32_t i = 0; i < SLOTS; i++)
    if (got[i] != TIMES) return wrong("probes of a slot, one a lease", got[i], TIMES);
  ttb_health_info x = TTB_CONFIG(ttb_health_info);
  ttb_health_explain(&h, 0, START, &x);
  if (x.errors != 2 * TIMES) return wrong("errors of traffic counted", x.errors, 2 * TIMES);
  printf("two processes: %d leases of each of %u targets, each to one\n", TIMES, SLOTS);
  munmap(mem, size + 4096);
  return 0;
}

/* ---- with kills ---- */

static uint64_t *clock_of(torture *t) {
  return (uint64_t *)(void *)((char *)t->mem + t->size - 64);
}
static uint64_t time_of(torture *t) { return START + __atomic_load_n(clock_of(t), 5) * MS; }

static void work(torture *t, uint32_t worker, uint64_t token) {
  ttb_health h;
  uint64_t seed = token;
  if (ttb_health_attach(&h, t->mem, t->size - 64) < 0) _exit(1);
  for (;;) {
    uint64_t now = START + __atomic_fetch_add(clock_of(t), splitmix(&seed) % 10 == 0, 5) * MS;
    uint32_t slot = (uint32_t)(splitmix(&seed) % SLOTS), slots[SLOTS];
    switch (splitmix(&seed) % 8) {
    case 0: (void)ttb_health_tick(&h, now, slots, SLOTS); break;
    case 1: (void)ttb_health_due(&h, now, slots, 3); break;
    case 2: (void)ttb_health_observe(&h, slot, TTB_FAILURE, now); break;
    case 3: (void)ttb_health_set(&h, slot, TTB_STATUS_HEALTHY, now); break;
    case 4:
      if (slot == 0) (void)ttb_health_disable(&h, slot, now);
      if (slot == 0) (void)ttb_health_enable(&h, slot, now);
      break;
    default:
      (void)ttb_health_report(&h, slot, (int32_t)(splitmix(&seed) % 3), splitmix(&seed) >> 34, now);
    }
    torture_progress(t, worker);
  }
}

/* Nothing is held, so there is nothing to recover. */
static int recover(torture *t, uint32_t worker, uint64_t token) {
  (void)t, (void)worker, (void)token;
  return 0;
}

static int check_running(torture *t) {
  ttb_health *h = t->ctx;
  for (uint32_t i = 0; i < SLOTS; i++) {
    ttb_health_info x = TTB_CONFIG(ttb_health_info);
    if (ttb_health_explain(h, i, time_of(t), &x) < 0) return wrong("explain", i, 0);
    if (x.status < 0 || x.status > TTB_STATUS_STALE) return wrong("status", (uint64_t)x.status, 0);
    if (x.passes > 2 || x.failures > 3 || x.errors > 3 || x.counter > 4)
      return wrong("counters of slot", i, 0);
    if (x.next_due_ms > 40) return wrong("due in", (uint64_t)x.next_due_ms, 40);
  }
  return 0;
}

/* Whatever the dead left of ejections: legal after a sweep, all over in the end. */
static int check_ejections(torture *t) {
  ttb_health *h = t->ctx;
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  for (int i = 0; i < 10; i++) {
    uint64_t now = START + __atomic_add_fetch(clock_of(t), 30, 5) * MS;
    if (ttb_health_tick(h, now, NULL, 0) < 0 || ttb_health_statistics(h, now, &s) < 0)
      return wrong("tick", 0, 0);
    if (s.ejected > MOST_EJECTED) return wrong("ejected", s.ejected, MOST_EJECTED);
  }
  if (s.ejected != 0) return wrong("ejected for ever", s.ejected, 0);
  if (s.enforced == 0 || s.sweeps == 0) return wrong("nothing was ever ejected", s.sweeps, 0);
  return 0;
}

static int check_quiet(torture *t) {
  ttb_health *h = t->ctx;
  uint32_t slots[SLOTS];
  if (check_ejections(t) < 0) return -1;
  if (check_running(t) < 0) return -1;
  ttb_health_enable(h, 0, time_of(t)); /* a worker may have died between disable and enable */
  __atomic_fetch_add(clock_of(t), 41, 5); /* every lease and interval is over */
  uint64_t now = time_of(t);
  int32_t n = ttb_health_due(h, now, slots, SLOTS);
  if (n != SLOTS) return wrong("due after everybody's death", (uint64_t)n, SLOTS);
  uint64_t before = changes_of(h, now), told_of = 0;
  for (uint32_t i = 0; i < SLOTS; i++) {
    for (int k = 0; k < 3; k++) told_of += ttb_health_report(h, i, TTB_FAILURE, 0, now) > 0;
    if (ttb_health_status(h, i, now) != TTB_STATUS_UNHEALTHY) return wrong("down", i, 0);
    for (int k = 0; k < 2; k++) told_of += ttb_health_report(h, i, TTB_SUCCESS, 0, now) > 0;
    if (ttb_health_status(h, i, now) != TTB_STATUS_HEALTHY) return wrong("up", i, 0);
  }
  if (changes_of(h, now) - before != told_of) return wrong("changes", told_of, 0);
  return 0;
}

int main(int argc, char **argv) {
  ttb_health h;
  ttb_health_config c = config_of();
  torture t = {.workers = 3,
               .size = (uint64_t)ttb_health_size(&c) + 64,
               .work = work,
               .recover = recover,
               .check_running = check_running,
               .check_quiet = check_quiet,
               .ctx = &h};
  c.eject = TTB_HEALTH_EJECT_ENVOY;
  c.eject_errors = 3;
  c.eject_interval_ms = 30;
  c.eject_base_ms = 20;
  c.eject_max_ms = 100;
  c.eject_max_ppm = 400000;
  c.eject_stdev_ppm = 1000000;
  c.eject_hosts = 3;
  c.eject_requests = 5;
  t.size = (uint64_t)ttb_health_size(&c) + 64;
  torture_arguments(&t, argc, argv);
  if (two_processes() < 0 || one_lease_each() < 0) {
    printf("0 passed, 1 failed\n");
    return 1;
  }
  if (torture_map(&t) < 0) return 1;
  if (ttb_health_init(&h, t.mem, t.size - 64, &c) < 0) return 1;
  return torture_run(&t);
}
