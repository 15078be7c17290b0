/* SPDX-License-Identifier: MIT */
/* The router between processes: one observes and another routes, at different
 * addresses; kill -9 at every instruction of a promotion and every second one of a
 * read and an addition; and workers that are killed at random among observations, reads,
 * writes and changes of the table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <trimtab/router.h>

#include "singlestep.h"
#include "torture.h"

#define MS UINT64_C(1000000)
#define NOW UINT64_C(3600000000000)
#define NODES 5
#define PARENT 999999

static unsigned failures, successes;

static void expect(int ok, const char *what) {
  if (ok) {
    successes++;
    return;
  }
  failures++;
  printf("FAILED %s\n", what);
}

static ttb_router_config config(void) {
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.threads = 16;
  c.ttl_ms = TTB_OFF;
  return c;
}

static int32_t add(ttb_router *r, uint64_t id) {
  ttb_endpoint e = {sizeof e, 0, id};
  return ttb_router_add(r, &e);
}

static int32_t see(ttb_router *r, uint64_t id, uint32_t role, uint64_t epoch, uint64_t now) {
  ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
  o.role = role;
  o.epoch = epoch;
  return ttb_router_observe(r, id, &o, now);
}

static uint64_t epoch_of(const ttb_router *r) {
  ttb_router_stats s = TTB_CONFIG(ttb_router_stats);
  (void)ttb_router_statistics(r, &s);
  return s.epoch;
}

static uint64_t in_flight(const ttb_router *r) {
  ttb_router_node row[64];
  for (int i = 0; i < 64; i++) row[i] = TTB_CONFIG(ttb_router_node);
  uint64_t sum = 0;
  int32_t n = ttb_router_explain(r, NULL, NOW, row, 64);
  for (int32_t i = 0; i < n; i++) sum += row[i].in_flight;
  return sum;
}

/* ---- two processes, two addresses ---- */

static int32_t read_id(ttb_router *r, uint64_t now) {
  int64_t t = ttb_router_read(r, NULL, now);
  if (t < 0) return (int32_t)t;
  (void)ttb_router_report(r, t, TTB_SUCCESS, 0, now);
  return ttb_ticket_slot(t) + 1; /* ids are slots + 1 here */
}

static void agree(void) {
  ttb_router_config c = config();
  c.ttl_ms = 30000;
  size_t size = (size_t)ttb_router_size(&c);
  FILE *file = tmpfile();
  if (!file || ftruncate(fileno(file), (off_t)size) < 0) {
    expect(0, "a file to share");
    return;
  }
  void *a = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
  void *b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
  ttb_router shared, mine;
  expect(a != MAP_FAILED && b != MAP_FAILED && a != b, "two mappings");
  expect(ttb_router_attach(&shared, a, size) == TTB_AGAIN, "attach before init");
  expect(ttb_router_init(&shared, a, size, &c) == TTB_OK, "init");
  expect(ttb_router_join(&shared, PARENT, &mine) == TTB_OK, "join");
  for (uint64_t id = 1; id <= 3; id++) expect(add(&mine, id) >= 0, "add");
  for (int step = 0; step < 3; step++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { /* monitoring, at the other address */
      ttb_router theirs;
      int bad = ttb_router_attach(&theirs, b, size) < 0;
      uint64_t now = NOW + (uint64_t)step * 60000 * MS, epoch = step == 2 ? 2 : 1;
      uint64_t primary = step == 2 ? 2 : 1;
      for (uint64_t id = 1; id <= 3; id++)
        bad |= see(&theirs, id, id == primary ? TTB_ROLE_PRIMARY : TTB_ROLE_REPLICA, epoch,
                   now) < 0;
      _exit(bad);
    }
    int status = 1;
    expect(waitpid(child, &status, 0) == child && status == 0, "the observer");
    uint64_t now = NOW + (uint64_t)step * 60000 * MS;
    int64_t t = ttb_router_write(&mine, now);
    expect(t >= 0 && ttb_ticket_slot(t) == (step == 2 ? 1 : 0), "writes go to its primary");
    expect(ttb_router_report(&mine, t, TTB_SUCCESS, 0, now) == TTB_OK, "report");
    for (int i = 0; i < 100; i++) {
      int32_t id = read_id(&mine, now);
      expect(id >= 1 && id <= 3 && id != (step == 2 ? 2 : 1), "reads go to its replicas");
    }
    expect(read_id(&mine, now + 31000 * MS) == TTB_NO_ENDPOINT, "it fell silent");
  }
  ttb_router_free(&mine);
  munmap(a, size);
  munmap(b, size);
  fclose(file);
}

/* ---- kill -9 at one instruction after the other ---- */

typedef struct stepped {
  ttb_router shared, mine, child;
  int which; /* 0 promotion, 1 read, 2 add */
} stepped;

static int step_prepare(singlestep *s) {
  stepped *x = s->ctx;
  ttb_router_config c = config();
  memset(s->mem, 0, s->size);
  if (ttb_router_init(&x->shared, s->mem, s->size, &c) < 0) return 1;
  if (ttb_router_join(&x->shared, PARENT, &x->mine) < 0) return 1;
  for (uint64_t id = 1; id <= 3; id++)
    if (add(&x->mine, id) < 0 ||
        see(&x->mine, id, id == 1 ? TTB_ROLE_PRIMARY : TTB_ROLE_REPLICA, 1, NOW) < 0)
      return 1;
  return 0;
}

static void step_enter(singlestep *s) {
  stepped *x = s->ctx;
  if (ttb_router_attach(&x->child, s->mem, s->size) < 0) _exit(3);
  ttb_router joined;
  if (ttb_router_join(&x->child, 7, &joined) < 0) _exit(3);
  x->child = joined;
}

static void step_call(singlestep *s) {
  stepped *x = s->ctx;
  if (x->which == 0) (void)see(&x->child, 2, TTB_ROLE_PRIMARY, 2, NOW);
  if (x->which == 1) (void)ttb_router_read(&x->child, NULL, NOW);
  if (x->which == 2) (void)add(&x->child, 9);
}

static int step_recover(singlestep *s) {
  stepped *x = s->ctx;
  return ttb_router_recover(&x->mine, 7) == 1 ? 0 : 1;
}

static int say(const char *what) {
  printf("after the kill: %s\n", what);
  return 1;
}

static int step_check(singlestep *s, int ended) {
  stepped *x = s->ctx;
  uint64_t epoch = epoch_of(&x->mine);
  if (in_flight(&x->mine) != 0) return say("calls in flight");
  int64_t t = ttb_router_write(&x->mine, NOW);
  if (x->which == 0) {
    /* The old one under the old epoch, the new one under the new, or nobody. */
    if (epoch == 1 && (t < 0 || ttb_ticket_slot(t) != 0)) return say("epoch 1 lost its primary");
    if (epoch == 2 && t >= 0 && ttb_ticket_slot(t) != 1) return say("a write to the old primary");
    if (ended && (t < 0 || ttb_ticket_slot(t) != 1)) return say("the promotion is lost");
    if (see(&x->mine, 2, TTB_ROLE_PRIMARY, 2, NOW) != TTB_OK) return say("cannot observe");
    t = ttb_router_write(&x->mine, NOW);
    if (t < 0 || ttb_ticket_slot(t) != 1) return say("the next look does not heal it");
  } else if (t < 0 || ttb_ticket_slot(t) != 0) {
    return say("the primary is gone");
  }
  if (x->which == 2) {
    int32_t code = add(&x->mine, 9);
    if (ended && code != TTB_ERR_DUPLICATE) return say("the added node is gone");
    if (code != TTB_ERR_DUPLICATE && code != 3) return say("cannot add");
    if (ttb_router_find(&x->mine, 9) != 3) return say("not where it belongs");
  }
  return 0;
}

static void step(void) {
  static const char *const names[] = {"promotion", "read", "add"};
  static stepped x;
  ttb_router_config c = config();
  for (x.which = 0; x.which < 3; x.which++) {
    singlestep s = {.size = (uint64_t)ttb_router_size(&c),
                    .ctx = &x,
                    .prepare = step_prepare,
                    .enter = step_enter,
                    .call = step_call,
                    .recover = step_recover,
                    .check = step_check};
    int code = singlestep_run(&s);
    if (code == SINGLESTEP_UNSUPPORTED) {
      printf("%s: no single steps here\n", names[x.which]);
      continue;
    }
    printf("%s: %llu kill points, %llu wrong\n", names[x.which], (unsigned long long)s.points,
           (unsigned long long)s.failed);
    expect(code == 0 && s.points > 50, names[x.which]);
  }
}

/* ---- kill -9 at random ---- */

/* Node k (id k + 1) is primary of the epochs that are k modulo NODES, and of no
 * others: so an epoch names its primary. */
static int write_is_right(ttb_router *r) {
  uint64_t before = epoch_of(r);
  int64_t t = ttb_router_write(r, NOW);
  uint64_t after = epoch_of(r);
  if (t < 0) return t == TTB_NO_PRIMARY || t == TTB_AGAIN;
  int right = before != after || (uint64_t)ttb_ticket_slot(t) == before % NODES;
  return ttb_router_report(r, t, TTB_SUCCESS, 5, NOW) == TTB_OK && right;
}

static void work(torture *t, uint32_t worker, uint64_t token) {
  ttb_router shared, mine;
  int64_t held[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
  uint64_t z = token * UINT64_C(0x9e3779b97f4a7c15) + worker;
  if (ttb_router_attach(&shared, t->mem, t->size) < 0) _exit(10);
  if (ttb_router_join(&shared, token, &mine) < 0) _exit(11);
  for (;;) {
    z = z * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t k = z >> 40, extra = 100 + worker;
    uint64_t epoch = epoch_of(&mine) + (k >> 8) % 3;
    switch (k % 8) {
    case 0: (void)see(&mine, epoch % NODES + 1, TTB_ROLE_PRIMARY, epoch, NOW); break;
    case 1: (void)see(&mine, (k >> 4) % NODES + 1, TTB_ROLE_REPLICA, 0, NOW); break;
    case 2:
      if (add(&mine, extra) >= 0 && see(&mine, extra, TTB_ROLE_REPLICA, 0, NOW) != TTB_OK)
        _exit(12);
      break;
    case 3: (void)ttb_router_remove(&mine, extra); break;
    case 4:
      if (!write_is_right(&mine)) _exit(13);
      break;
    default: {
      int64_t *h = &held[(k >> 4) % 8];
      if (*h >= 0 && ttb_router_report(&mine, *h, TTB_SUCCESS, 5, NOW) != TTB_OK) _exit(14);
      *h = ttb_router_read(&mine, NULL, NOW);
    }
    }
    torture_progress(t, worker);
  }
}

typedef struct own {
  ttb_router shared, mine;
} own;

static int recover(torture *t, uint32_t worker, uint64_t token) {
  own *o = t->ctx;
  (void)worker;
  return ttb_router_recover(&o->mine, token) < 0;
}

static int check_running(torture *t) {
  own *o = t->ctx;
  return !write_is_right(&o->mine);
}

/* Nobody is left: nothing is in flight, the lock is free, each slot usable. */
static int check_quiet(torture *t) {
  own *o = t->ctx;
  if (in_flight(&o->mine) != 0) return say("calls in flight");
  for (uint64_t id = 100; id < 100 + t->workers; id++) {
    int32_t code = ttb_router_remove(&o->mine, id);
    if (code != TTB_OK && code != TTB_ERR_UNKNOWN_ID) return say("cannot remove");
  }
  for (uint64_t id = 1000; id < 1000 + 16 - NODES; id++)
    if (add(&o->mine, id) < 0) return say("a slot is lost");
  if (add(&o->mine, 2000) != TTB_ERR_NOSPACE) return say("more slots than there are");
  for (uint64_t id = 1000; id < 1000 + 16 - NODES; id++)
    if (ttb_router_remove(&o->mine, id) < 0) return say("cannot remove again");
  uint64_t epoch = epoch_of(&o->mine);
  if (see(&o->mine, epoch % NODES + 1, TTB_ROLE_PRIMARY, epoch, NOW) != TTB_OK)
    return say("the primary is refused");
  int64_t k = ttb_router_write(&o->mine, NOW);
  if (k < 0 || (uint64_t)ttb_ticket_slot(k) != epoch % NODES) return say("writes go elsewhere");
  return ttb_router_report(&o->mine, k, TTB_SUCCESS, 0, NOW) != TTB_OK;
}

int main(int argc, char **argv) {
  own o;
  ttb_router_config c = config();
  torture t = {.workers = 4,
               .size = (uint64_t)ttb_router_size(&c),
               .ctx = &o,
               .work = work,
               .recover = recover,
               .check_running = check_running,
               .check_quiet = check_quiet};
  torture_arguments(&t, argc, argv);
  agree();
  step();
  if (torture_map(&t) < 0) return 1;
  if (ttb_router_init(&o.shared, t.mem, t.size, &c) < 0) return 1;
  if (ttb_router_join(&o.shared, PARENT, &o.mine) < 0) return 1;
  for (uint64_t id = 1; id <= NODES; id++)
    if (add(&o.mine, id) != (int32_t)id - 1) return 1;
  t.failed = failures;
  t.checked = successes;
  return torture_run(&t);
}
