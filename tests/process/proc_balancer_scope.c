/* SPDX-License-Identifier: MIT */
/* A balancer with every modifier under kill -9: proc_balancer_scope [KILLS [SEED]].
 *
 * 1. Limits beside other processes: never more than max_inflight and one call of
 *    each other thread are out on an endpoint.
 * 2. Three pickers and a writer that adds, removes, describes anew, marks and weighs,
 *    on a balancer with levels, zones, residency, tags, limits and slow start,
 *    killed at random, recovered, replaced. No picker ever gets an endpoint of a
 *    zone not allowed, nor one that an operator had out before its acquire began.
 *    With all dead and recovered nothing is in flight, and the survivor's plan is
 *    what the words say. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <trimtab/balancer.h>

#include "../../lib/balancer/balancer.h"
#include "../support/torture.h"

#define PARENT TTB_MAX_TOKEN
#define ALLOWED (1u << 1 | 1u << 2) /* zones */

static unsigned passed, failed;

static void verdict(const char *what, bool ok) {
  if (!ok) printf("FAILED %s\n", what);
  if (ok) passed++;
  else failed++;
}

static uint64_t next(uint64_t *random) {
  *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return *random >> 20;
}

/* ---- 1. limits ---- */

enum { PROCESSES = 3, SLOTS = 2, CAP = 4, ROUNDS = 60000, HOLD = 10 };

typedef struct counters {
  _Atomic int32_t started;
  struct {
    _Alignas(64) _Atomic int32_t out, most;
  } slot[SLOTS];
} counters;

/* Counts what it surely has out: after acquire, until before report. */
static void hold(ttb_balancer *b, counters *n, uint64_t token) {
  ttb_balancer mine;
  int64_t t[HOLD];
  uint64_t random = token;
  memset(t, 0xff, sizeof t);
  if (ttb_balancer_join(b, token, &mine) < 0) _exit(2);
  atomic_fetch_add(&n->started, 1);
  for (int i = 0; i < 50000 && atomic_load(&n->started) < PROCESSES; i++) usleep(100);
  for (int i = 0; i < ROUNDS + HOLD; i++) {
    int64_t *h = &t[i < ROUNDS ? next(&random) % HOLD : (uint64_t)(i - ROUNDS)];
    if (*h >= 0) {
      atomic_fetch_sub(&n->slot[ttb_ticket_slot(*h)].out, 1);
      if (ttb_balancer_report(&mine, *h, TTB_SUCCESS, 0, 0) != TTB_OK) _exit(3);
      *h = -1;
    }
    if (i >= ROUNDS) continue; /* what is left is given back */
    *h = ttb_balancer_acquire(&mine, next(&random), 0);
    if (*h < 0 && *h != TTB_LIMIT) _exit(4);
    if (*h < 0) continue;
    int32_t s = ttb_ticket_slot(*h), out = atomic_fetch_add(&n->slot[s].out, 1) + 1;
    int32_t most = atomic_load(&n->slot[s].most);
    while (out > most && !atomic_compare_exchange_weak(&n->slot[s].most, &most, out)) continue;
  }
  _exit(0);
}

static bool limits(void) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.flags = TTB_BALANCER_CAPS;
  c.capacity = SLOTS;
  size_t size = (size_t)ttb_balancer_size(&c);
  unsigned char *mem = mmap(NULL, 4096 + size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (mem == MAP_FAILED) return false;
  counters *n = (counters *)(void *)mem;
  ttb_balancer b, mine;
  if (ttb_balancer_init(&b, mem + 4096, size, &c) < 0 || ttb_balancer_join(&b, PARENT, &mine) < 0)
    return false;
  for (uint64_t id = 1; id <= SLOTS; id++) {
    ttb_endpoint e = {.struct_size = sizeof e, .id = id, .max_inflight = CAP};
    if (ttb_balancer_add(&mine, &e) < 0) return false;
  }
  pid_t pid[PROCESSES];
  bool ok = true;
  for (int i = 0; i < PROCESSES; i++) {
    pid[i] = fork();
    if (pid[i] == 0) hold(&b, n, (uint64_t)i + 1);
    ok = ok && pid[i] > 0;
  }
  for (int i = 0; i < PROCESSES; i++) {
    int status = 1;
    ok = waitpid(pid[i], &status, 0) == pid[i] && status == 0 && ok;
    ok = ttb_balancer_recover(&mine, (uint64_t)i + 1) == 1 && ok;
  }
  for (int s = 0; s < SLOTS; s++) {
    int32_t most = atomic_load(&n->slot[s].most);
    printf("limit %d, %d processes: at most %d out\n", CAP, PROCESSES, most);
    ok = ok && most >= CAP && most <= CAP + PROCESSES - 1;
  }
  munmap(mem, 4096 + size);
  return ok;
}

/* ---- 2. torture ---- */

typedef struct shared {
  _Alignas(64) _Atomic uint64_t out; /* round << 8 | slot + 1 of an endpoint that is out, 0: none */
  _Alignas(64) _Atomic uint64_t now; /* the clock: a number that grows */
  _Alignas(64) _Atomic uint32_t violations;
} shared;

typedef struct setup {
  uint64_t size[3];
  ttb_balancer b[3], mine[3]; /* the parent's */
} setup;

static shared *shared_of(torture *t) { return t->mem; }
static unsigned char *region_of(torture *t, int i) {
  setup *u = t->ctx;
  unsigned char *at = (unsigned char *)t->mem + 192;
  for (int k = 0; k < i; k++) at += u->size[k];
  return at;
}

static ttb_balancer_config config_of(int i) {
  static const uint32_t algorithms[] = {TTB_BALANCER_TWO_CHOICES, TTB_BALANCER_WEIGHTED_ROUND_ROBIN,
                                        TTB_BALANCER_MAGLEV};
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.algorithm = algorithms[i];
  c.flags = TTB_BALANCER_LEVELS | TTB_BALANCER_TAGS | TTB_BALANCER_CAPS;
  c.capacity = 10;
  c.threads = 16;
  c.residency = ALLOWED;
  c.zone = 1;
  c.zone_min = 1;
  c.slow_start_ms = 50;
  if (i > 0) c.table_size = i == 1 ? 64 : 101;
  return c;
}

/* Endpoints 1..6 stay in slots 0..5, whatever else of them changes. */
static ttb_endpoint endpoint(uint64_t id, uint64_t r) {
  return (ttb_endpoint){.struct_size = sizeof(ttb_endpoint),
                        .id = id,
                        .weight = 1 + (uint32_t)(r >> 4) % 5,
                        .zone = 1 + (uint32_t)(id + (id > 6 ? r : 0)) % 3, /* 1..6 keep theirs */
                        .priority = (uint32_t)(r >> 10) % 3,
                        .flags = (r >> 14 & 7) == 0 ? TTB_ENDPOINT_BACKUP : 0,
                        .max_inflight = (uint32_t)(r >> 18) % 5 * 3,
                        .tags = r >> 24 & 3};
}

static void pick(torture *t, uint32_t worker, ttb_balancer *mine, uint64_t *random) {
  int64_t held[3][4];
  memset(held, 0xff, sizeof held);
  for (;;) {
    for (int i = 0; i < 3; i++) {
      uint64_t r = next(random), now = atomic_fetch_add(&shared_of(t)->now, 100000);
      int64_t *h = &held[i][r % 4];
      if (*h >= 0) {
        int32_t code = ttb_balancer_report(&mine[i], *h, TTB_SUCCESS, 0, now);
        if (code != TTB_OK && !(code == TTB_STALE && ttb_ticket_slot(*h) >= 6)) _exit(3);
      }
      ttb_pick p = {.struct_size = sizeof p, .hash = r, .tags = (r >> 8 & 7) == 0,
                    .id = (r >> 12 & 15) == 0 ? 1 + (r >> 16) % 6 : 0, .flags = TTB_PICK_FALLBACK};
      uint64_t before = atomic_load_explicit(&shared_of(t)->out, memory_order_acquire);
      *h = r & 16 ? ttb_balancer_acquire(&mine[i], r, now)
                  : ttb_balancer_acquire_with(&mine[i], &p, now);
      uint64_t after = atomic_load_explicit(&shared_of(t)->out, memory_order_acquire);
      if (*h < 0 && *h != TTB_NO_ENDPOINT && *h != TTB_LIMIT) _exit(4);
      if (*h < 0) continue;
      int32_t slot = ttb_ticket_slot(*h), zone = (int32_t)TTB_LAST_ZONE(ttb_balancer_last(&mine[i]));
      /* Zones of 1..6 never change; slot s is of zone 1 + (s + 1) % 3. */
      bool beyond = slot < 6 && !(ALLOWED >> (1 + (slot + 1) % 3) & 1);
      if (beyond || (slot < 6 && !(ALLOWED >> zone & 1)) ||
          (before != 0 && before == after && slot + 1 == (int32_t)(before & 255)))
        atomic_fetch_add(&shared_of(t)->violations, 1);
    }
    torture_progress(t, worker);
  }
}

static void change(torture *t, uint32_t worker, ttb_balancer *mine, uint64_t *random) {
  atomic_store(&shared_of(t)->out, 0); /* of a predecessor */
  for (int i = 0; i < 3; i++)
    for (uint32_t s = 0; s < 6; s++) (void)ttb_balancer_mark(&mine[i], s, TTB_CAUSE_ADMIN, 0);
  for (;;) {
    uint64_t r = next(random);
    uint32_t slot = (uint32_t)r % 6;
    for (int i = 0; i < 3; i++) {
      ttb_endpoint list[7], e = endpoint(10 + r % 5, r);
      uint32_t clients[4] = {0, 1 + (uint32_t)r % 5, 2, 3};
      int32_t code = 0;
      for (uint64_t id = 1; id <= 7; id++)
        list[id - 1] = endpoint(id < 7 ? id : 20 + r % 3, r >> id);
      switch (r / 8 % 6) {
      case 0: code = ttb_balancer_add(&mine[i], &e); break;
      case 1: code = ttb_balancer_remove(&mine[i], 10 + r % 5); break;
      case 2: code = ttb_balancer_set_weight(&mine[i], 1 + slot, (uint32_t)(r >> 12) % 6); break;
      case 3: code = ttb_balancer_set_status(&mine[i], 1 + slot, (int32_t)((r >> 12) % 6)); break;
      case 4: code = ttb_balancer_set_clients(&mine[i], clients, 4); break;
      default: code = ttb_balancer_update(&mine[i], list, 7, NULL); break;
      }
      if (code < 0 && code != TTB_ERR_DUPLICATE && code != TTB_ERR_UNKNOWN_ID &&
          code != TTB_ERR_NOSPACE && code != TTB_AGAIN) {
        printf("change: %s\n", ttb_errname(code));
        fflush(stdout);
        _exit(5);
      }
    }
    uint32_t cause = 1u << (1 + r / 64 % 4);
    for (int i = 0; i < 3; i++) {
      (void)ttb_balancer_mark(&mine[i], (uint32_t)(r >> 9) % 6, cause, r >> 13 & 1);
      (void)ttb_balancer_mark(&mine[i], slot, TTB_CAUSE_ADMIN, 1);
    }
    atomic_store_explicit(&shared_of(t)->out, r << 8 | (slot + 1), memory_order_release);
    for (int i = 0; i < 20; i++) (void)ttb_balancer_find(&mine[0], 999); /* for a while */
    atomic_store_explicit(&shared_of(t)->out, 0, memory_order_release);
    for (int i = 0; i < 3; i++) (void)ttb_balancer_mark(&mine[i], slot, TTB_CAUSE_ADMIN, 0);
    torture_progress(t, worker);
  }
}

static void work(torture *t, uint32_t worker, uint64_t token) {
  setup *u = t->ctx;
  ttb_balancer b, mine[3];
  uint64_t random = token;
  for (int i = 0; i < 3; i++)
    if (ttb_balancer_attach(&b, region_of(t, i), u->size[i]) < 0 ||
        ttb_balancer_join(&b, token, &mine[i]) < 0)
      _exit(2);
  if (worker == 0) change(t, worker, mine, &random);
  else pick(t, worker, mine, &random);
}

static int recover_worker(torture *t, uint32_t worker, uint64_t token) {
  setup *u = t->ctx;
  if (worker == 0) atomic_store(&shared_of(t)->out, 0);
  for (int i = 0; i < 3; i++) {
    int32_t freed = ttb_balancer_recover(&u->mine[i], token);
    if (freed < 0 || freed > 1) {
      printf("recover: %d\n", freed);
      return 1;
    }
  }
  return 0;
}

static int check_running(torture *t) {
  uint32_t wrong = atomic_load(&shared_of(t)->violations);
  if (wrong) printf("%u picks that nothing allowed\n", wrong);
  return wrong != 0;
}

/* The plan of one who had picked before it all, against the words. */
static bool plans_well(ttb_balancer *mine) {
  ttb__balancer *b = ttb__balancer_of(mine);
  ttb__census c;
  const ttb__plan *p = ttb__balancer_plan(b);
  ttb__balancer_count(b, &c);
  ttb__balancer_share(b, &c);
  for (uint32_t i = 0; i < TTB__LEVELS; i++)
    if (p->healthy[i] != (uint32_t)c.level[i].healthy_load ||
        p->degraded[i] != (uint32_t)c.level[i].degraded_load ||
        p->panics[i] != (uint32_t)c.level[i].panic) {
      printf("level %u: the plan is old\n", i);
      return false;
    }
  return true;
}

static int check_quiet(torture *t) {
  setup *u = t->ctx;
  int bad = 0;
  for (int i = 0; i < 3; i++) {
    ttb_balancer_stats s = TTB_CONFIG(ttb_balancer_stats);
    bad |= !plans_well(&u->mine[i]);
    bad |= ttb_balancer_statistics(&u->b[i], &s) != TTB_OK || s.in_flight != 0 || s.joined != 1;
    for (uint64_t id = 1; id <= 6; id++)
      bad |= ttb_balancer_find(&u->b[i], id) != (int32_t)id - 1;
    /* Some pick, so that there is a plan to become old. */
    for (uint64_t k = 0; k < 20; k++) {
      int64_t ticket = ttb_balancer_acquire(&u->mine[i], k, atomic_load(&shared_of(t)->now));
      if (ticket >= 0) bad |= ttb_balancer_report(&u->mine[i], ticket, TTB_SUCCESS, 0, 0) != TTB_OK;
    }
  }
  return bad;
}

int main(int argc, char **argv) {
  setup u;
  torture t = {.workers = 4, .ctx = &u, .work = work, .recover = recover_worker,
               .check_running = check_running, .check_quiet = check_quiet};
  verdict("limits", limits());
  torture_arguments(&t, argc, argv);
  t.size = 192;
  for (int i = 0; i < 3; i++) {
    ttb_balancer_config c = config_of(i);
    t.size += u.size[i] = (uint64_t)ttb_balancer_size(&c);
  }
  if (torture_map(&t) < 0) return 1;
  for (int i = 0; i < 3; i++) {
    ttb_balancer_config c = config_of(i);
    if (ttb_balancer_init(&u.b[i], region_of(&t, i), u.size[i], &c) < 0 ||
        ttb_balancer_join(&u.b[i], PARENT, &u.mine[i]) < 0)
      return 1;
    for (uint64_t id = 1; id <= 6; id++) {
      ttb_endpoint e = endpoint(id, id * 77777);
      if (ttb_balancer_add(&u.mine[i], &e) < 0) return 1;
    }
  }
  verdict("killed at random", torture_run(&t) == 0);
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
