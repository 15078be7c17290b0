/* SPDX-License-Identifier: MIT */
/* The balancer under kill -9: proc_balancer [KILLS [SEED]].
 *
 * 1. Two processes on one mapping, each at an address of its own, agree.
 * 2. Kill at every instruction of acquire + report, and of each writer's call.
 * 3. Three pickers and a writer on two balancers (two choices; weighted round
 *    robin with checked tickets), killed at random, recovered, replaced. With all
 *    dead and recovered nothing is in flight and each table is whole; and no
 *    picker ever gets an endpoint that was out before its acquire began. */
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

#include "../../lib/balancer/bounded.h"
#include "../support/singlestep.h"
#include "../support/torture.h"

#define PARENT TTB_MAX_TOKEN
#define CHILD UINT64_C(4242)

static unsigned passed, failed;

static void verdict(const char *what, bool ok) {
  if (!ok) printf("FAILED %s\n", what);
  if (ok) passed++;
  else failed++;
}

#define BOUNDED (1u << 31) /* beside flags: with a bound */

static ttb_balancer_config config_of(uint32_t algorithm, uint32_t flags) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  if (flags & BOUNDED) c.bounded_ppm = 1250000, flags &= ~BOUNDED;
  c.algorithm = algorithm;
  c.flags = flags;
  c.capacity = 8;
  c.threads = 16;
  if (algorithm == TTB_BALANCER_WEIGHTED_ROUND_ROBIN) c.table_size = 32;
  if (algorithm == TTB_BALANCER_RING_HASH) c.table_size = 16;
  if (algorithm == TTB_BALANCER_MAGLEV || algorithm == TTB_BALANCER_PATCHED_MAGLEV)
    c.table_size = 31;
  return c;
}

static int32_t add(ttb_balancer *mine, uint64_t id, uint32_t weight) {
  ttb_endpoint e = {sizeof e, weight, id};
  return ttb_balancer_add(mine, &e);
}

static ttb_balancer_stats stats_of(const ttb_balancer *b) {
  ttb_balancer_stats s = TTB_CONFIG(ttb_balancer_stats);
  (void)ttb_balancer_statistics(b, &s);
  return s;
}

/* ---- 1. two mappings ---- */

static bool two_mappings(void) {
  ttb_balancer_config c = config_of(TTB_BALANCER_LEAST_CONNECTIONS, 0);
  size_t size = (size_t)ttb_balancer_size(&c);
  int fd = memfd_create("balancer", 0);
  if (fd < 0 || ftruncate(fd, (off_t)size) < 0) return false;
  void *here = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ttb_balancer b, mine;
  if (here == MAP_FAILED || ttb_balancer_init(&b, here, size, &c) < 0 ||
      ttb_balancer_join(&b, PARENT, &mine) < 0)
    return false;
  for (uint64_t id = 1; id <= 4; id++) (void)add(&mine, id, 1);
  int64_t a = ttb_balancer_acquire(&mine, 0, 0);
  pid_t pid = fork();
  if (pid == 0) {
    void *there = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ttb_balancer other, own;
    if (there == here || ttb_balancer_attach(&other, there, size) < 0 ||
        ttb_balancer_join(&other, CHILD, &own) < 0)
      _exit(1);
    uint32_t seen = 1u << ttb_ticket_slot(a);
    int64_t t[3];
    for (int i = 0; i < 3; i++) {
      t[i] = ttb_balancer_acquire(&own, 0, 0);
      seen |= 1u << ttb_ticket_slot(t[i]);
    }
    if (seen != 15 || ttb_balancer_report(&own, a, TTB_SUCCESS, 0, 0) != TTB_STALE) _exit(2);
    if (ttb_balancer_report(&own, t[0], TTB_SUCCESS, 0, 0) != TTB_OK) _exit(3);
    if (ttb_balancer_mark(&other, 3, TTB_CAUSE_PROBE, 1) != 1) _exit(4);
    if (ttb_balancer_remove(&own, 2) != TTB_OK || add(&own, 9, 5) < 0) _exit(5);
    _exit(0); /* two tickets are out */
  }
  int status = 1;
  if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) return false;
  ttb_balancer_stats s = stats_of(&b);
  bool ok = s.in_flight == 3 && s.endpoints == 4 && s.eligible == 3 && s.joined == 2 &&
            ttb_balancer_find(&b, 2) < 0 && ttb_balancer_find(&b, 9) >= 0;
  ok = ok && ttb_balancer_recover(&mine, CHILD) == 1 && stats_of(&b).in_flight == 1 &&
       ttb_balancer_report(&mine, a, TTB_SUCCESS, 0, 0) == TTB_OK && stats_of(&b).in_flight == 0;
  close(fd);
  munmap(here, size);
  return ok;
}

/* ---- what holds of a balancer nobody is writing to ---- */

/* Whether this thread's plan, made of the newest version, is what the words say. */
static bool plans_well(ttb_balancer *mine) {
  ttb__balancer *b = ttb__balancer_of(mine);
  if (!(b->flags & TTB__BALANCER_PLANNED)) return true;
  ttb__census c;
  const ttb__plan *p = ttb__balancer_plan(b);
  ttb__balancer_count(b, &c);
  ttb__balancer_share(b, &c);
  bool same = true;
  for (uint32_t i = 0; i < TTB__LEVELS; i++)
    same = same && p->healthy[i] == (uint32_t)c.level[i].healthy_load &&
           p->degraded[i] == (uint32_t)c.level[i].degraded_load &&
           p->panics[i] == (uint32_t)c.level[i].panic;
  if (!same) printf("  the plan is old\n");
  return same;
}

/* With a bound: the totals of all rows are what is in flight. */
static bool totals_agree(const ttb_balancer *mine, uint64_t in_flight) {
  const ttb__balancer *b = (const ttb__balancer *)(const void *)mine;
  uint64_t sum = 0;
  if (!(b->flags & TTB__BALANCER_BOUNDED)) return true;
  for (uint32_t row = 0; row < b->threads; row++) sum += ttb__load_rlx(&ttb__bound_of(b, row)->total);
  if (sum != in_flight)
    printf("  totals %llu, in flight %llu\n", (unsigned long long)sum, (unsigned long long)in_flight);
  return sum == in_flight;
}

/* Every endpoint is found, picked in its turn, nobody else is; the lock is free;
 * in flight is what it should be. */
static bool whole(ttb_balancer *mine, uint64_t in_flight, bool rounds) {
  ttb_balancer_info rows[8] = {{.struct_size = sizeof *rows}};
  int32_t n = ttb_balancer_explain(mine, 0, NULL, 0, rows, 8);
  if (stats_of(mine).in_flight != in_flight) {
    printf("  in flight %llu, not %llu\n", (unsigned long long)stats_of(mine).in_flight,
           (unsigned long long)in_flight);
    return false;
  }
  if (!totals_agree(mine, in_flight)) return false;
  uint32_t eligible = 0, picked = 0, turns = 0;
  for (int32_t i = 0; i < n; i++) {
    if (ttb_balancer_find(mine, rows[i].id) != (int32_t)rows[i].slot) {
      printf("  id %llu is not found\n", (unsigned long long)rows[i].id);
      return false;
    }
    if (rows[i].causes == 0) eligible |= 1u << rows[i].slot, turns += rows[i].weight;
  }
  /* All are held for a while, so that also the loaded ones have their turn. */
  int64_t held[120];
  uint32_t n_held = 0, wanted = rounds ? 3 * turns : 60;
  while (n_held < wanted && n_held < 120) {
    int64_t t = ttb_balancer_acquire(mine, (n_held + 1) * UINT64_C(0x9e3779b97f4a7c15), 0);
    if (t < 0) break;
    picked |= 1u << ttb_ticket_slot(t);
    held[n_held++] = t;
  }
  while (n_held > 0)
    if (ttb_balancer_report(mine, held[--n_held], TTB_SUCCESS, 0, 0) != TTB_OK) return false;
  if (picked != eligible) {
    printf("  eligible %x, picked %x\n", eligible, picked);
    return false;
  }
  if (!plans_well(mine)) return false;
  int32_t code = ttb_balancer_set_weight(mine, rows[0].id, rows[0].weight);
  return code == (n ? TTB_OK : TTB_ERR_UNKNOWN_ID);
}

/* ---- 2. every instruction ---- */

enum { KEYS = 62 };

typedef struct stepped {
  uint32_t algorithm, flags;
  int what;
  ttb_balancer shared, mine, child;
  int64_t held;
  int32_t home[KEYS]; /* before the call, in the histories */
} stepped;

enum { PICK, ADD, REMOVE, WEIGHT, UPDATE, MARK, CALLS };
static const char *const call_names[] = {"acquire + report", "add",    "remove",
                                         "set_weight",       "update", "mark"};

/* Tables that are their own past: after recovery it has to be the same past. */
static bool is_history(const stepped *x) {
  return x->algorithm == TTB_BALANCER_PATCHED_MAGLEV || x->algorithm == TTB_BALANCER_ANCHOR;
}

static int32_t home_of(ttb_balancer *mine, uint64_t key) {
  int64_t t = ttb_balancer_acquire(mine, key, 0);
  (void)ttb_balancer_report(mine, t, TTB_SUCCESS, 0, 0);
  return ttb_ticket_slot(t);
}

/* A key moves from who left, to who came or grew, and between nobody else. */
static bool keys_stayed(stepped *x) {
  for (uint64_t k = 0; k < KEYS; k++) {
    int32_t was = x->home[k], now = home_of(&x->mine, k);
    if (now == was || (x->what == ADD && now == 3) || (x->what == REMOVE && was == 1) ||
        (x->what == WEIGHT && now == 1) || x->what == UPDATE)
      continue;
    printf("  key %llu moved from slot %d to %d\n", (unsigned long long)k, was, now);
    return false;
  }
  return true;
}

static int prepare(singlestep *s) {
  stepped *x = s->ctx;
  ttb_balancer_config c = config_of(x->algorithm, x->flags);
  if (ttb_balancer_init(&x->shared, s->mem, s->size, &c) < 0 ||
      ttb_balancer_join(&x->shared, PARENT, &x->mine) < 0)
    return 1;
  for (uint64_t id = 1; id <= 3; id++)
    if (add(&x->mine, id, (uint32_t)id) < 0) return 1;
  for (uint64_t k = 0; k < KEYS; k++) x->home[k] = home_of(&x->mine, k);
  x->held = ttb_balancer_acquire(&x->mine, 0, 0); /* and so it has a plan, to become old */
  return x->held < 0;
}

static void enter(singlestep *s) {
  stepped *x = s->ctx;
  ttb_balancer b;
  if (ttb_balancer_attach(&b, s->mem, s->size) < 0 || ttb_balancer_join(&b, CHILD, &x->child) < 0)
    _exit(9);
}

static void call(singlestep *s) {
  stepped *x = s->ctx;
  ttb_endpoint list[] = {{sizeof *list, 4, 2}, {sizeof *list, 1, 7}};
  int64_t t;
  switch (x->what) {
  case PICK:
    t = ttb_balancer_acquire(&x->child, 0, 0);
    (void)ttb_balancer_report(&x->child, t, TTB_SUCCESS, 0, 0);
    break;
  case ADD: (void)add(&x->child, 5, 2); break;
  case REMOVE: (void)ttb_balancer_remove(&x->child, 2); break;
  case WEIGHT: (void)ttb_balancer_set_weight(&x->child, 2, 5); break;
  case UPDATE: (void)ttb_balancer_update(&x->child, list, 2, NULL); break;
  default: (void)ttb_balancer_mark(&x->child, 1, TTB_CAUSE_PROBE, 1); break;
  }
}

static int recover_child(singlestep *s) {
  stepped *x = s->ctx;
  int32_t freed = ttb_balancer_recover(&x->mine, CHILD);
  return freed != 1;
}

/* Whatever the call had done: it is done or not, and all is whole. */
static int check_after(singlestep *s, int ended) {
  stepped *x = s->ctx;
  bool rounds = x->algorithm == TTB_BALANCER_WEIGHTED_ROUND_ROBIN, ok = whole(&x->mine, 1, rounds);
  uint32_t n = stats_of(&x->mine).endpoints, eligible = stats_of(&x->mine).eligible;
  int32_t two = ttb_balancer_find(&x->mine, 2), five = ttb_balancer_find(&x->mine, 5);
  switch (x->what) {
  case ADD: ok = ok && (n == 4) == (five >= 0) && n >= 3 && (!ended || five >= 0); break;
  case REMOVE: ok = ok && (n == 2) == (two < 0) && n <= 3 && (!ended || two < 0); break;
  case UPDATE: /* 1 and 3 go, 7 comes; in part is allowed */
    ok = ok && two == 1 && n >= 1 && n <= 3 && (!ended || n == 2);
    break;
  case MARK: ok = ok && n == 3 && eligible >= 2 && (!ended || eligible == 2); break;
  default: ok = ok && n == 3; break;
  }
  if (is_history(x) && x->what != MARK) ok = ok && keys_stayed(x);
  ok = ok && ttb_balancer_report(&x->mine, x->held, TTB_SUCCESS, 0, 0) == TTB_OK &&
       stats_of(&x->mine).in_flight == 0 && stats_of(&x->mine).joined == 1;
  return !ok;
}

/* The picks of every kind; the writers of those that have their own. They build
 * tables: thorough looks at every instruction of that, too. */
static void every_instruction(bool thorough) {
  static const struct {
    uint32_t algorithm, flags;
  } kinds[] = {
      {TTB_BALANCER_TWO_CHOICES, 0},
      {TTB_BALANCER_TWO_CHOICES, TTB_BALANCER_CHECK_TICKETS},
      {TTB_BALANCER_TWO_CHOICES, TTB_BALANCER_MOVING_TICKETS},
      {TTB_BALANCER_WEIGHTED_ROUND_ROBIN, TTB_BALANCER_TRACK},
      {TTB_BALANCER_RING_HASH, TTB_BALANCER_TRACK},
      {TTB_BALANCER_JUMP, TTB_BALANCER_TRACK},
      {TTB_BALANCER_WEIGHTED_RANDOM, TTB_BALANCER_TRACK},
      {TTB_BALANCER_PATCHED_MAGLEV, TTB_BALANCER_TRACK},
      {TTB_BALANCER_ANCHOR, TTB_BALANCER_TRACK},
      {TTB_BALANCER_TWO_CHOICES, TTB_BALANCER_LEVELS | TTB_BALANCER_CAPS | TTB_BALANCER_TAGS},
      {TTB_BALANCER_MAGLEV, BOUNDED},
  };
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    for (int what = 0; what < CALLS; what++) {
      bool history = k == 7 || k == 8, levels = k == 9;
      bool writers = k == 0 || k == 3 || levels || (k == 4 && what != WEIGHT) || (history && what != MARK);
      if (what != PICK && !writers) continue;
      stepped x = {.algorithm = kinds[k].algorithm, .flags = kinds[k].flags, .what = what};
      ttb_balancer_config c = config_of(x.algorithm, x.flags);
      singlestep s = {.size = (uint64_t)ttb_balancer_size(&c), .ctx = &x, .prepare = prepare,
                      .enter = enter, .call = call, .recover = recover_child,
                      .check = check_after, .most = thorough ? SINGLESTEP_ALL : 0};
      int result = singlestep_run(&s);
      if (result == SINGLESTEP_UNSUPPORTED) {
        printf("single steps: not possible here\n");
        return;
      }
      printf("algorithm %u flags %u, %s: %llu kill points, %llu wrong\n", x.algorithm, x.flags,
             call_names[what], (unsigned long long)s.points, (unsigned long long)s.failed);
      verdict(call_names[what], result == 0 && s.points > 10);
    }
}

/* ---- 3. torture ---- */

typedef struct shared {
  _Alignas(64) _Atomic uint64_t out; /* round << 8 | slot + 1 of an endpoint that is out, 0: none */
  _Alignas(64) _Atomic uint32_t violations;
} shared;

typedef struct setup {
  uint64_t size[2];
  ttb_balancer b[2], mine[2]; /* the parent's */
} setup;

static shared *shared_of(torture *t) { return t->mem; }
static unsigned char *region_of(torture *t, int i) {
  setup *u = t->ctx;
  return (unsigned char *)t->mem + 128 + (i ? u->size[0] : 0);
}

static void pick(torture *t, uint32_t worker, ttb_balancer *mine, uint64_t *random) {
  int64_t held[2][5];
  memset(held, 0xff, sizeof held);
  for (;;) {
    for (int i = 0; i < 2; i++) {
      *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
      int64_t *h = &held[i][(*random >> 40) % 5];
      if (*h >= 0) {
        int32_t code = ttb_balancer_report(&mine[i], *h, TTB_SUCCESS, 0, 0);
        /* Stale is right if the endpoint was removed, and its slot given away, just
         * between the pick's last look and its count. Slots 0..3 never are. */
        if (code != TTB_OK && !(code == TTB_STALE && ttb_ticket_slot(*h) >= 4)) {
          printf("report: %d for slot %d\n", code, ttb_ticket_slot(*h));
          fflush(stdout);
          _exit(3);
        }
      }
      uint64_t before = atomic_load_explicit(&shared_of(t)->out, memory_order_acquire);
      *h = ttb_balancer_acquire(&mine[i], 0, 0);
      uint64_t after = atomic_load_explicit(&shared_of(t)->out, memory_order_acquire);
      if (*h >= 0 && before != 0 && before == after &&
          ttb_ticket_slot(*h) + 1 == (int32_t)(before & 255))
        atomic_fetch_add(&shared_of(t)->violations, 1);
      if (*h < 0 && *h != TTB_NO_ENDPOINT) _exit(4);
    }
    torture_progress(t, worker);
  }
}

/* Endpoints 1..4 stay in slots 0..3, others come and go. That an endpoint is out
 * is announced after mark has returned, and withdrawn before it is in again; the
 * random number in the announcement keeps two of one slot apart. */
static void change(torture *t, uint32_t worker, ttb_balancer *mine, uint64_t *random) {
  atomic_store(&shared_of(t)->out, 0); /* of a predecessor */
  for (int i = 0; i < 2; i++)
    for (uint32_t s = 0; s < 4; s++) (void)ttb_balancer_mark(&mine[i], s, TTB_CAUSE_PROBE, 0);
  for (;;) {
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    uint32_t r = (uint32_t)(*random >> 33), slot = r % 4;
    for (int i = 0; i < 2; i++) {
      ttb_endpoint list[] = {{sizeof *list, 1, 1}, {sizeof *list, 2, 2}, {sizeof *list, 3, 3},
                             {sizeof *list, 4, 4}, {sizeof *list, 2, 20 + r % 3}};
      int32_t code = 0;
      switch (r / 4 % 4) {
      case 0: code = add(&mine[i], 10 + r % 5, 1 + r % 3); break;
      case 1: code = ttb_balancer_remove(&mine[i], 10 + r % 5); break;
      case 2: code = ttb_balancer_set_weight(&mine[i], 1 + slot, r / 16 % 6); break;
      default: code = ttb_balancer_update(&mine[i], list, 5, NULL); break;
      }
      if (code < 0 && code != TTB_ERR_DUPLICATE && code != TTB_ERR_UNKNOWN_ID &&
          code != TTB_ERR_NOSPACE && code != TTB_AGAIN)
        _exit(5);
    }
    for (int i = 0; i < 2; i++) (void)ttb_balancer_mark(&mine[i], slot, TTB_CAUSE_PROBE, 1);
    atomic_store_explicit(&shared_of(t)->out, (uint64_t)r << 8 | (slot + 1), memory_order_release);
    for (int i = 0; i < 20; i++) (void)ttb_balancer_find(&mine[0], 999); /* for a while */
    atomic_store_explicit(&shared_of(t)->out, 0, memory_order_release);
    for (int i = 0; i < 2; i++) (void)ttb_balancer_mark(&mine[i], slot, TTB_CAUSE_PROBE, 0);
    torture_progress(t, worker);
  }
}

static void work(torture *t, uint32_t worker, uint64_t token) {
  setup *u = t->ctx;
  ttb_balancer b, mine[2];
  uint64_t random = token;
  for (int i = 0; i < 2; i++)
    if (ttb_balancer_attach(&b, region_of(t, i), u->size[i]) < 0 ||
        ttb_balancer_join(&b, token, &mine[i]) < 0)
      _exit(2);
  if (worker == 0) change(t, worker, mine, &random);
  else pick(t, worker, mine, &random);
}

static int recover_worker(torture *t, uint32_t worker, uint64_t token) {
  setup *u = t->ctx;
  if (worker == 0) atomic_store(&shared_of(t)->out, 0);
  for (int i = 0; i < 2; i++) {
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
  if (wrong) printf("%u picks of an endpoint that was out\n", wrong);
  return wrong != 0;
}

static int check_quiet(torture *t) {
  setup *u = t->ctx;
  int bad = 0;
  for (int i = 0; i < 2; i++) {
    for (uint32_t s = 0; s < 4; s++) (void)ttb_balancer_mark(&u->mine[i], s, TTB_CAUSE_PROBE, 0);
    bad |= !whole(&u->mine[i], 0, i == 1);
    bad |= stats_of(&u->b[i]).joined != 1;
    for (uint64_t id = 1; id <= 4; id++)
      bad |= ttb_balancer_find(&u->b[i], id) != (int32_t)id - 1;
  }
  return bad;
}

int main(int argc, char **argv) {
  setup u;
  torture t = {.workers = 4, .ctx = &u, .work = work, .recover = recover_worker,
               .check_running = check_running, .check_quiet = check_quiet};
  verdict("two mappings", two_mappings());
  every_instruction(argc > 1 && atol(argv[1]) >= 1000);

  torture_arguments(&t, argc, argv);
  ttb_balancer_config c[] = {
      config_of(TTB_BALANCER_TWO_CHOICES, 0),
      config_of(TTB_BALANCER_WEIGHTED_ROUND_ROBIN,
                TTB_BALANCER_TRACK | TTB_BALANCER_CHECK_TICKETS)};
  t.size = 128;
  for (int i = 0; i < 2; i++) t.size += u.size[i] = (uint64_t)ttb_balancer_size(&c[i]);
  if (torture_map(&t) < 0) return 1;
  for (int i = 0; i < 2; i++) {
    if (ttb_balancer_init(&u.b[i], region_of(&t, i), u.size[i], &c[i]) < 0 ||
        ttb_balancer_join(&u.b[i], PARENT, &u.mine[i]) < 0)
      return 1;
    for (uint64_t id = 1; id <= 4; id++)
      if (add(&u.mine[i], id, (uint32_t)id) < 0) return 1;
  }
  verdict("killed at random", torture_run(&t) == 0);
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
