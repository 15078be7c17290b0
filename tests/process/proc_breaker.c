/* SPDX-License-Identifier: MIT */
/* The breaker between processes: proc_breaker [KILLS [SEED]].
 *
 * 1. Two processes, two addresses: one trips, the other is refused.
 * 2. Single-stepped: killed at every instruction of the calls that change most,
 *    then recovered, then checked.
 * 3. Torture: eight workers on one table, killed at random. Held against what
 *    the workers themselves write down, each in words of its own:
 *    never more than the configured probes of one generation in their hands; no
 *    transition told twice, none lost but by a kill; the probes of the dead
 *    come back; no breaker wedged past its lease; counts off by at most one
 *    outcome a death. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <trimtab/breaker.h>

#include "singlestep.h"
#include "torture.h"

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)
#define PARENT 1 /* the parent's token; torture counts its own from 1 */
#define TOKEN(t) ((t) + 100)

static int wrong(const char *what, int64_t number) {
  printf("%s (%lld)\n", what, (long long)number);
  return 1;
}

static ttb_breaker_info info(const ttb_breaker *b, uint32_t slot, uint64_t now) {
  ttb_breaker_info i = {.struct_size = sizeof i};
  (void)ttb_breaker_explain(b, slot, now, &i);
  return i;
}

/* Brings a breaker from any state to closed as any user would; how many events
 * of closing that took, or -1 if it would not. */
static int close_it(ttb_breaker *b, uint32_t slot, uint64_t *now, uint64_t step_ms, int tries) {
  for (int i = 0; i < tries; i++) {
    if (info(b, slot, *now).state == TTB_BREAKER_CLOSED) return 0;
    int64_t t = ttb_breaker_acquire(b, slot, *now);
    if (t < 0) *now += step_ms * MS;
    else if (ttb_breaker_report(b, t, TTB_SUCCESS, *now) == TTB_BREAKER_RECLOSED) return 1;
  }
  return -1;
}

/* ---- 1. two processes ---- */

static int two_processes(void) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  ttb_breaker mine;
  c.consecutive = 3;
  size_t size = (size_t)ttb_breaker_size(&c);
  int fd = memfd_create("breaker", 0), status;
  if (fd < 0 || ftruncate(fd, (off_t)size) < 0) return wrong("memfd", fd);
  void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mem == MAP_FAILED) return wrong("mmap", 0);
  pid_t pid = fork();
  if (pid == 0) { /* attaches as soon as there is something, elsewhere */
    ttb_breaker b;
    void *other = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int32_t code;
    if (other == MAP_FAILED || other == mem) _exit(1);
    while ((code = ttb_breaker_attach(&b, other, size)) == TTB_AGAIN) usleep(100);
    if (code < 0) _exit(2);
    for (int i = 0; i < 3; i++) {
      int64_t t = ttb_breaker_acquire(&b, 0, T0);
      code = t < 0 ? (int32_t)t : ttb_breaker_report(&b, t, TTB_FAILURE, T0);
    }
    _exit(code == TTB_BREAKER_OPENED ? 0 : 3);
  }
  usleep(2000);
  if (ttb_breaker_init(&mine, mem, size, &c) < 0) return wrong("init", 0);
  waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return wrong("the other process", status);
  if (ttb_breaker_acquire(&mine, 0, T0) != TTB_OPEN) return wrong("this one is not refused", 0);
  if (info(&mine, 0, T0).opened != 1) return wrong("opened", info(&mine, 0, T0).opened);
  munmap(mem, size);
  close(fd);
  return 0;
}

/* ---- 2. killed at every instruction ---- */

typedef struct stepped {
  const char *name;
  int state;       /* before the call: closed, open and over, half-open */
  int failures;    /* reported before it */
  int32_t outcome; /* what the call reports; -1: it only acquires */
  bool recovers;   /* the call is a recover of a third process */
  /* */
  ttb_breaker parent, child;
  uint64_t now;
  uint32_t calls, opened;
} stepped;

static ttb_breaker_config stepped_config(void) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.consecutive = 3;
  c.failure_rate_ppm = 1000000;
  c.min_calls = 1000;
  c.open_ms = 100;
  c.lease_ms = 1000;
  c.half_open_probes = 2;
  c.half_open_successes = 1;
  c.threads = 4;
  return c;
}

static int prepare(singlestep *s) {
  stepped *x = s->ctx;
  ttb_breaker_config c = stepped_config();
  ttb_breaker b, third;
  memset(s->mem, 0, (size_t)s->size);
  if (ttb_breaker_init(&b, s->mem, s->size, &c) < 0) return wrong("init", 0);
  if (ttb_breaker_join(&b, 1, &x->parent) < 0) return wrong("join", 0);
  x->now = T0;
  for (int i = 0; i < x->failures; i++)
    (void)ttb_breaker_report(&b, ttb_breaker_acquire(&b, 0, x->now), TTB_FAILURE, x->now);
  if (x->state != TTB_BREAKER_CLOSED) {
    (void)ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, x->now);
    x->now += 100 * MS;
  }
  if (x->state == TTB_BREAKER_HALF_OPEN) {
    int64_t t = ttb_breaker_acquire(&b, 0, x->now);
    (void)ttb_breaker_report(&b, t, TTB_CANCELLED, x->now);
  }
  if (x->recovers) { /* the third process holds both probes */
    if (ttb_breaker_join(&b, 3, &third) < 0) return wrong("join", 0);
    (void)ttb_breaker_acquire(&third, 0, x->now);
    (void)ttb_breaker_acquire(&third, 0, x->now);
  }
  x->calls = info(&b, 0, x->now).calls;
  x->opened = info(&b, 0, x->now).opened;
  return 0;
}

static void enter(singlestep *s) {
  stepped *x = s->ctx;
  ttb_breaker b;
  if (ttb_breaker_attach(&b, s->mem, s->size) < 0 || ttb_breaker_join(&b, 2, &x->child) < 0)
    _exit(1);
}

static void call(singlestep *s) {
  stepped *x = s->ctx;
  if (x->recovers) {
    (void)ttb_breaker_recover(&x->child, 3);
    return;
  }
  int64_t t = ttb_breaker_acquire(&x->child, 0, x->now);
  if (x->outcome >= 0) (void)ttb_breaker_report(&x->child, t, x->outcome, x->now);
}

static int recover_stepped(singlestep *s) {
  stepped *x = s->ctx;
  int32_t freed = ttb_breaker_recover(&x->parent, 2);
  if (freed < 1) return wrong("recover", freed);
  if (!x->recovers) return 0;
  freed += ttb_breaker_recover(&x->parent, 3);
  return freed == 1 || freed == 2 ? 0 : wrong("recover of the third", freed);
}

static int check_stepped(singlestep *s, int ended) {
  stepped *x = s->ctx;
  ttb_breaker_info i = info(&x->parent, 0, x->now);
  if (i.probes_out != 0) return wrong("probes of the dead are out", i.probes_out);
  if (i.state > TTB_BREAKER_HALF_OPEN) return wrong("state", i.state);
  if (i.state == TTB_BREAKER_CLOSED && x->state == TTB_BREAKER_CLOSED &&
      i.calls - x->calls > 1)
    return wrong("more than one outcome counted", i.calls - x->calls);
  if (i.opened - x->opened > 1) return wrong("opened", i.opened - x->opened);
  if (ended && x->outcome == TTB_SUCCESS && i.state != TTB_BREAKER_CLOSED)
    return wrong("not closed by its success", i.state);
  if (ended && x->outcome == TTB_FAILURE && i.state != TTB_BREAKER_OPEN)
    return wrong("not opened by its failure", i.state);

  /* All of the quota is there, and no more. */
  if (i.state == TTB_BREAKER_HALF_OPEN) {
    int64_t t = ttb_breaker_acquire(&x->parent, 0, x->now), u, v;
    u = ttb_breaker_acquire(&x->parent, 0, x->now);
    v = ttb_breaker_acquire(&x->parent, 0, x->now);
    if (t < 0 || u < 0) return wrong("a probe is missing", t < 0 ? t : u);
    if (v != TTB_HALF_OPEN_FULL) return wrong("a probe too many", v);
    (void)ttb_breaker_report(&x->parent, t, TTB_CANCELLED, x->now);
    (void)ttb_breaker_report(&x->parent, u, TTB_CANCELLED, x->now);
  }
  /* Nothing is wedged; and a whole life follows. */
  int events = close_it(&x->parent, 0, &x->now, 100, 8);
  if (events < 0) return wrong("would not close", info(&x->parent, 0, x->now).state);
  (void)ttb_breaker_set(&x->parent, 0, TTB_BREAKER_CLOSED, x->now);
  int32_t code = 0;
  for (int k = 0; k < 3; k++)
    code = ttb_breaker_report(&x->parent, ttb_breaker_acquire(&x->parent, 0, x->now), TTB_FAILURE,
                              x->now);
  if (code != TTB_BREAKER_OPENED) return wrong("three failures did not open it", code);
  if (close_it(&x->parent, 0, &x->now, 100, 8) != 1) return wrong("would not close again", 0);
  return 0;
}

static int single_steps(unsigned *passed, unsigned *failed) {
  static stepped cases[] = {
      {.name = "success while closed", .state = TTB_BREAKER_CLOSED, .outcome = TTB_SUCCESS,
       .failures = 1},
      {.name = "the failure that opens", .state = TTB_BREAKER_CLOSED, .outcome = TTB_FAILURE,
       .failures = 2},
      {.name = "the probe that begins a round", .state = TTB_BREAKER_OPEN, .outcome = -1},
      {.name = "the probe that closes", .state = TTB_BREAKER_HALF_OPEN, .outcome = TTB_SUCCESS},
      {.name = "the probe that opens again", .state = TTB_BREAKER_HALF_OPEN,
       .outcome = TTB_FAILURE},
      {.name = "recover", .state = TTB_BREAKER_HALF_OPEN, .outcome = -1, .recovers = true},
  };
  ttb_breaker_config c = stepped_config();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    singlestep s = {.size = (uint64_t)ttb_breaker_size(&c), .ctx = &cases[i], .prepare = prepare,
                    .enter = enter, .call = call, .recover = recover_stepped,
                    .check = check_stepped};
    int code = singlestep_run(&s);
    if (code == SINGLESTEP_UNSUPPORTED) {
      printf("no single-stepping here\n");
      return 0;
    }
    printf("%s: %llu kill points, %llu wrong\n", cases[i].name, (unsigned long long)s.points,
           (unsigned long long)s.failed);
    *passed += (unsigned)(s.points - s.failed);
    *failed += (unsigned)s.failed + (code != 0 && s.failed == 0);
  }
  return 0;
}

/* Killed while a slot at rest changes its key, and while a call enters the last
 * calls. */

typedef struct claimed {
  ttb_breaker b;
  int64_t old; /* a ticket of the old key */
  uint64_t now;
} claimed;

#define OLD_KEY 5
#define NEW_KEY 6

static int prepare_claim(singlestep *s) {
  claimed *x = s->ctx;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.key_idle_ms = 1000;
  c.consecutive = 3;
  c.window_calls = 100;
  memset(s->mem, 0, (size_t)s->size);
  if (ttb_breaker_init(&x->b, s->mem, s->size, &c) < 0) return wrong("init", 0);
  x->old = ttb_breaker_acquire_key(&x->b, OLD_KEY, T0);
  (void)ttb_breaker_report(&x->b, x->old, TTB_FAILURE, T0);
  x->now = T0 + 10000 * MS;
  return 0;
}
static void call_claim(singlestep *s) {
  claimed *x = s->ctx;
  int64_t t = ttb_breaker_acquire_key(&x->b, NEW_KEY, x->now);
  (void)ttb_breaker_report(&x->b, t, TTB_FAILURE, x->now);
}
static int check_claim(singlestep *s, int ended) {
  claimed *x = s->ctx;
  ttb_breaker_info i = info(&x->b, 0, x->now);
  if (ended && i.key != NEW_KEY) return wrong("not claimed", (int64_t)i.key);
  if (i.key == NEW_KEY && i.failures > 1) return wrong("failures of both keys", i.failures);
  if (i.key == NEW_KEY && i.consecutive > 1) return wrong("a row of both keys", i.consecutive);
  if (ttb_breaker_claim(&x->b, NEW_KEY, x->now) != 0) return wrong("wedged", (int64_t)i.key);
  if (ttb_breaker_report(&x->b, x->old, TTB_FAILURE, x->now) != TTB_STALE)
    return wrong("the old key counts for the new one", 0);
  uint32_t calls = info(&x->b, 0, x->now).calls;
  (void)ttb_breaker_report(&x->b, ttb_breaker_acquire_key(&x->b, NEW_KEY, x->now), TTB_SUCCESS, x->now);
  i = info(&x->b, 0, x->now);
  if (i.calls != calls + 1 || i.failures > 1) return wrong("calls", i.calls);
  return ttb_breaker_claim(&x->b, OLD_KEY, x->now) == TTB_LIMIT ? 0 : wrong("one slot, two keys", 0);
}

static void single_steps_of_keys(unsigned *passed, unsigned *failed) {
  claimed x;
  singlestep s = {.size = 4096, .ctx = &x, .prepare = prepare_claim,
                  .call = call_claim, .check = check_claim};
  int code = singlestep_run(&s);
  if (code == SINGLESTEP_UNSUPPORTED) return;
  printf("a claim of a slot at rest: %llu kill points, %llu wrong\n", (unsigned long long)s.points,
         (unsigned long long)s.failed);
  *passed += (unsigned)(s.points - s.failed);
  *failed += (unsigned)s.failed + (code != 0 && s.failed == 0);
}

/* ---- 3. torture ---- */

#define WORKERS 8
#define PROBES 2u
#define SUCCESSES 2u
#define OPEN_MS 2u
#define LEASE_MS 20u
#define FLAPPING 2u  /* slots that open and close all the time */
#define COUNTED 62u  /* slots of the other table, that only count */
#define LAST 30u     /* slots that keep the last calls */
#define LAST_N 4096u
#define KEYED 8u     /* slots for .. */
#define KEYS 12u     /* .. so many keys */
#define GENS (1u << 20)
#define TOLD 1
#define SEEN 2

typedef _Atomic uint64_t word;
typedef struct shared {
  _Alignas(64) word clock;
  _Alignas(64) word claim[WORKERS][8]; /* sequence 32 | slot + 1 8 | generation 20 */
  _Alignas(64) word calls[WORKERS][8], failures[WORKERS][8];
  _Alignas(64) word full[FLAPPING]; /* since when in ms 40 | in this generation 20 */
  word faults, events[4];
  /* Generations: the newest anybody saw, and up to which gens is checked and clear. */
  word newest[FLAPPING], checked[FLAPPING];
  _Atomic unsigned char gens[FLAPPING][GENS]; /* TOLD: its event, SEEN: a probe of it */
  _Alignas(64) unsigned char flapping[8192], counted[65536], last[65536], keyed[8192];
  _Alignas(64) word last_calls[WORKERS][8], last_failures[WORKERS][8];
} shared;

/* The parent's, and each child's copy. */
static ttb_breaker flapping, counted, last, keyed;
static uint32_t deaths, deaths_since_quiet, holes;

static uint64_t rnd(uint64_t *x) {
  *x = *x * UINT64_C(6364136223846793005) + 1442695040888963407;
  return *x >> 33;
}

static uint64_t tick(shared *m) { return atomic_fetch_add(&m->clock, 20000); }

/* A worker saw something that must not be. */
static void fault(shared *m, const char *what, uint32_t number) {
  if (atomic_fetch_add(&m->faults, 1) < 5) printf("%s (%u)\n", what, number);
  fflush(stdout);
}

/* More hands on probes of one generation than there may be, in two equal
 * collects: then all of them held at one moment in between. */
static bool too_many(shared *m) {
  uint64_t a[WORKERS];
  for (int i = 0; i < WORKERS; i++) a[i] = atomic_load(&m->claim[i][0]);
  for (int i = 0; i < WORKERS; i++) {
    uint32_t same = 0;
    for (int k = 0; k < WORKERS; k++)
      same += (uint32_t)a[k] == (uint32_t)a[i] && (a[i] & 0xff00000) != 0;
    if (same <= PROBES) continue;
    bool equal = true;
    for (int k = 0; k < WORKERS; k++) equal = equal && atomic_load(&m->claim[k][0]) == a[k];
    return equal;
  }
  return false;
}

static void note_event(shared *m, uint32_t slot, uint32_t gen, int32_t code) {
  if (code <= 0) return;
  atomic_fetch_add(&m->events[code], 1);
  if (atomic_fetch_or(&m->gens[slot][(gen + 1) % GENS], TOLD) & TOLD)
    fault(m, "a transition was told twice", gen + 1);
}

/* No round may stay full for longer than its lease (and what a caller's own
 * time may lag behind). The time noted is read after the generation, so that it
 * is never older than it. */
static void note_full(shared *m, const ttb_breaker *b, uint32_t slot, uint64_t now) {
  uint64_t gen = info(b, slot, now).generation, since = atomic_load(&m->full[slot]);
  if ((since & (GENS - 1)) != gen)
    atomic_store(&m->full[slot], atomic_load(&m->clock) / MS << 20 | gen);
  else if (now / MS > (since >> 20) + 3 * LEASE_MS) fault(m, "wedged past its lease", slot);
}

static void flap(shared *m, ttb_breaker *b, uint32_t worker, uint64_t *x) {
  uint32_t slot = (uint32_t)rnd(x) % FLAPPING;
  uint64_t unchecked = (atomic_load(&m->newest[slot]) - atomic_load(&m->checked[slot])) % GENS;
  if (unchecked > GENS / 4 && unchecked < GENS / 2) return; /* or they come round */
  uint64_t now = tick(m);
  int64_t t = ttb_breaker_acquire(b, slot, now);
  if (t == TTB_HALF_OPEN_FULL) note_full(m, b, slot, now);
  if (t < 0) return;
  uint32_t gen = (uint32_t)(t >> 20) & (GENS - 1);
  atomic_store(&m->newest[slot], gen);
  bool probe = ttb_breaker_is_probe(t) == 1;
  uint64_t sequence = (atomic_load(&m->claim[worker][0]) >> 32) + 1;
  if (probe) {
    atomic_fetch_or(&m->gens[slot][gen], SEEN);
    atomic_store(&m->claim[worker][0], sequence << 32 | (uint64_t)(slot + 1) << 20 | gen);
    if (too_many(m)) fault(m, "more probes out than there may be", gen);
  }
  for (uint64_t pause = rnd(x) % 64; pause > 0; pause--) atomic_signal_fence(memory_order_seq_cst);
  if (rnd(x) % 256 == 0) { /* forgets to report; the lease will see to it */
    if (probe) atomic_store(&m->claim[worker][0], (sequence + 1) << 32);
    return;
  }
  if (probe) atomic_store(&m->claim[worker][0], (sequence + 1) << 32);
  int32_t outcome = probe ? rnd(x) % 4 == 0 : rnd(x) % 4 != 0;
  int32_t code = ttb_breaker_report(b, t, outcome, tick(m));
  note_event(m, slot, gen, code);
  if (rnd(x) % 4 != 0) return;
  code = ttb_breaker_report(b, t, outcome, tick(m)); /* twice */
  note_event(m, slot, gen, code); /* while closed a ticket is no more than a permission */
  if (probe && code != TTB_STALE) fault(m, "a double report of a probe counted", gen);
}

static void count(shared *m, ttb_breaker *b, uint32_t worker, uint64_t *x) {
  uint32_t slot = (uint32_t)rnd(x) % COUNTED;
  bool failed = rnd(x) % 2;
  uint64_t now = tick(m);
  int64_t t = ttb_breaker_acquire(b, slot, now);
  int32_t code = t < 0 ? (int32_t)t : ttb_breaker_report(b, t, failed, now);
  if (code != TTB_OK) fault(m, "a breaker that only counts said", (uint32_t)-code);
  atomic_fetch_add(&m->calls[worker][0], 1);
  if (failed) atomic_fetch_add(&m->failures[worker][0], 1);
}

/* The same for the last calls. */
static void count_last(shared *m, ttb_breaker *b, uint32_t worker, uint64_t *x) {
  uint32_t slot = (uint32_t)rnd(x) % LAST;
  bool failed = rnd(x) % 2;
  uint64_t now = tick(m);
  int64_t t = ttb_breaker_acquire(b, slot, now);
  int32_t code = t < 0 ? (int32_t)t : ttb_breaker_report(b, t, failed, now);
  if (code != TTB_OK) fault(m, "a breaker that only counts said", (uint32_t)-code);
  atomic_fetch_add(&m->last_calls[worker][0], 1);
  if (failed) atomic_fetch_add(&m->last_failures[worker][0], 1);
}

/* More keys than slots: they change hands all the time. */
static void change_keys(shared *m, ttb_breaker *b, uint64_t *x) {
  uint64_t key = 1 + rnd(x) % KEYS, now = tick(m);
  int64_t t = ttb_breaker_acquire_key(b, key, now);
  if (t < 0 && t != TTB_LIMIT && t != TTB_AGAIN && t != TTB_OPEN && t != TTB_HALF_OPEN_FULL)
    fault(m, "a claim said", (uint32_t)-t);
  if (t < 0) return;
  int32_t code = ttb_breaker_report(b, t, rnd(x) % 2, tick(m));
  if (code < 0 && code != TTB_STALE) fault(m, "a report by key said", (uint32_t)-code);
}

static void work(torture *t, uint32_t worker, uint64_t token) {
  /* Another address than the parent's: the same pages mapped once more. */
  shared *m = mremap(t->mem, 0, (size_t)t->size, MREMAP_MAYMOVE);
  ttb_breaker shared_flapping, mine, shared_counted, shared_last, shared_keyed;
  uint64_t x = t->seed * 1000003 + token;
  if (m == MAP_FAILED || (void *)m == t->mem ||
      ttb_breaker_attach(&shared_flapping, m->flapping, sizeof m->flapping) < 0 ||
      ttb_breaker_attach(&shared_counted, m->counted, sizeof m->counted) < 0 ||
      ttb_breaker_attach(&shared_last, m->last, sizeof m->last) < 0 ||
      ttb_breaker_attach(&shared_keyed, m->keyed, sizeof m->keyed) < 0 ||
      ttb_breaker_join(&shared_flapping, TOKEN(token), &mine) < 0)
    _exit(1);
  for (;;) {
    for (int i = 0; i < 16; i++) flap(m, &mine, worker, &x);
    count(m, &shared_counted, worker, &x);
    count_last(m, &shared_last, worker, &x);
    change_keys(m, &shared_keyed, &x);
    torture_progress(t, worker);
  }
}

static int recover(torture *t, uint32_t worker, uint64_t token) {
  shared *m = t->mem;
  deaths++, deaths_since_quiet++;
  atomic_store(&m->claim[worker][0], ((atomic_load(&m->claim[worker][0]) >> 32) + 1) << 32);
  int32_t freed = ttb_breaker_recover(&flapping, TOKEN(token));
  return freed == 0 || freed == 1 ? 0 : wrong("recover", freed);
}

static int check_running(torture *t) {
  shared *m = t->mem;
  if (atomic_load(&m->faults) != 0) return wrong("faults", (int64_t)atomic_load(&m->faults));
  return too_many(m) ? wrong("too many probes", 0) : 0;
}

/* The last calls: as many as were made, until the window is full. */
static int check_last(shared *m, uint64_t now) {
  uint64_t calls = 0, failures = 0, in_window = 0, bad = 0;
  bool full = false;
  for (int i = 0; i < WORKERS; i++) {
    calls += atomic_exchange(&m->last_calls[i][0], 0);
    failures += atomic_exchange(&m->last_failures[i][0], 0);
  }
  for (uint32_t slot = 0; slot < LAST; slot++) {
    ttb_breaker_info i = info(&last, slot, now);
    in_window += i.calls;
    bad += i.failures;
    full = full || i.calls == LAST_N;
    (void)ttb_breaker_set(&last, slot, TTB_BREAKER_CLOSED, now);
  }
  if (full) return 0;
  if (in_window - calls > deaths_since_quiet) return wrong("last calls", (int64_t)(in_window - calls));
  /* A kill between head and bit: the call is there, its failure is not. */
  int64_t off = (int64_t)(bad - failures);
  if (off > (int64_t)deaths_since_quiet || off < -(int64_t)deaths_since_quiet)
    return wrong("last failures", off);
  return 0;
}

/* After the idle time every slot can be had, and each key has one. */
static int check_keys(uint64_t *now) {
  *now += 10000 * MS;
  for (uint32_t slot = 0; slot < KEYED; slot++)
    if (info(&keyed, slot, *now).state == TTB_BREAKER_FORCED_OPEN) return wrong("state", slot);
  for (uint64_t key = 100; key < 100 + KEYED; key++)
    if (ttb_breaker_claim(&keyed, key, *now) < 0) return wrong("no slot for a key", (int64_t)key);
  for (uint64_t key = 100; key < 100 + KEYED; key++) {
    uint32_t slots = 0;
    for (uint32_t slot = 0; slot < KEYED; slot++) slots += info(&keyed, slot, *now).key == key;
    if (slots != 1) return wrong("slots of one key", slots);
  }
  *now += 10000 * MS;
  return 0;
}

static int check_quiet(torture *t) {
  shared *m = t->mem;
  uint64_t now = atomic_load(&m->clock), calls = 0, failures = 0, in_window = 0, bad = 0;
  ttb_breaker_stats stats = {.struct_size = sizeof stats};
  if (check_running(t) != 0) return 1;
  (void)ttb_breaker_statistics(&flapping, &stats);
  if (stats.joined != 1) return wrong("rows still taken", stats.joined);

  for (uint32_t slot = 0; slot < FLAPPING; slot++) {
    ttb_breaker_info i = info(&flapping, slot, now);
    if (i.probes_out != 0) return wrong("probes of the dead are out", i.probes_out);
    /* Every generation was told, or is a round somebody had a probe of; a kill
     * may hide one. */
    uint32_t gen = i.generation;
    for (uint32_t g = (uint32_t)atomic_load(&m->checked[slot]); g != gen;) {
      g = (g + 1) % GENS;
      holes += atomic_exchange(&m->gens[slot][g], 0) == 0;
    }
    if (holes > deaths) return wrong("generations nobody was told of", holes);
    if (close_it(&flapping, slot, &now, LEASE_MS, 8) < 0) return wrong("wedged", slot);
    atomic_store(&m->checked[slot], info(&flapping, slot, now).generation);
  }

  for (int i = 0; i < WORKERS; i++) {
    calls += atomic_exchange(&m->calls[i][0], 0);
    failures += atomic_exchange(&m->failures[i][0], 0);
  }
  for (uint32_t slot = 0; slot < COUNTED; slot++) {
    ttb_breaker_info i = info(&counted, slot, now);
    in_window += i.calls;
    bad += i.failures;
    (void)ttb_breaker_set(&counted, slot, TTB_BREAKER_CLOSED, now);
  }
  /* The region may know of one outcome more a death: counted, not yet noted. */
  if (in_window - calls > deaths_since_quiet) return wrong("calls", (int64_t)(in_window - calls));
  if (bad - failures > deaths_since_quiet) return wrong("failures", (int64_t)(bad - failures));
  if (check_last(m, now) != 0 || check_keys(&now) != 0) return 1;
  deaths_since_quiet = 0;
  atomic_store(&m->clock, now);
  return 0;
}

static int torture_it(int argc, char **argv, unsigned *passed) {
  torture t = {.workers = WORKERS, .size = sizeof(shared), .work = work, .recover = recover,
               .check_running = check_running, .check_quiet = check_quiet};
  torture_arguments(&t, argc, argv);
  if (torture_map(&t) < 0) return 1;
  shared *m = t.mem;
  ttb_breaker b;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.capacity = FLAPPING;
  c.consecutive = 3;
  c.failure_rate_ppm = 900000;
  c.window_ms = 1000;
  c.open_ms = OPEN_MS;
  c.lease_ms = LEASE_MS;
  c.half_open_probes = PROBES;
  c.half_open_successes = SUCCESSES;
  c.threads = WORKERS + 1;
  if (ttb_breaker_init(&b, m->flapping, sizeof m->flapping, &c) < 0 ||
      ttb_breaker_join(&b, PARENT, &flapping) < 0)
    return 1;
  c = TTB_CONFIG(ttb_breaker_config);
  c.capacity = COUNTED;
  c.consecutive = TTB_OFF;
  c.failure_rate_ppm = 1000000; /* opens only if all of so many fail */
  c.min_calls = 100000;
  c.window_ms = 86400000;
  if (ttb_breaker_init(&counted, m->counted, sizeof m->counted, &c) < 0) return 1;
  c.capacity = LAST;
  c.flags = TTB_BREAKER_RATE_ABOVE; /* never */
  c.window_calls = LAST_N;
  if (ttb_breaker_init(&last, m->last, sizeof m->last, &c) < 0) return 1;
  c = TTB_CONFIG(ttb_breaker_config);
  c.capacity = KEYED;
  c.key_idle_ms = 100;
  c.open_ms = OPEN_MS;
  c.lease_ms = LEASE_MS;
  if (ttb_breaker_init(&keyed, m->keyed, sizeof m->keyed, &c) < 0) return 1;
  atomic_store(&m->clock, T0);
  int status = torture_run(&t);
  printf("opened %llu, reopened %llu, reclosed %llu; generations nobody was told of: %u\n",
         (unsigned long long)atomic_load(&m->events[1]),
         (unsigned long long)atomic_load(&m->events[2]),
         (unsigned long long)atomic_load(&m->events[3]), holes);
  *passed += t.checked;
  return status;
}

int main(int argc, char **argv) {
  unsigned passed = 0, failed = 0;
  if (two_processes() == 0) passed++;
  else failed++;
  (void)single_steps(&passed, &failed);
  single_steps_of_keys(&passed, &failed);
  if (torture_it(argc, argv, &passed) != 0) failed++;
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
