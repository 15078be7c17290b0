/* SPDX-License-Identifier: MIT */
/* The limiter between processes: proc_limiter [KILLS [SEED]].
 *
 * 1. Two processes, two addresses: what one takes, the other does not get.
 * 2. Single-stepped: killed at every instruction of acquire, report and recover,
 *    then recovered: every permit is there again, and no more than there are. Or
 *    not recovered: those that are not out are found 100 ms later at the latest.
 * 3. Torture: eight workers on one bulkhead, killed at random; then on an adaptive
 *    limit that moves with each report. By what they write down themselves there
 *    are never more permits in their hands than there are, and none of them above
 *    its importance; after recover none is missing. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <trimtab/limiter.h>

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

static ttb_limiter_info info(const ttb_limiter *l, uint32_t slot, uint32_t ask) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  (void)ttb_limiter_explain(l, slot, ask, T0, &i);
  return i;
}

/* Takes all there are of a slot and gives them back: how many. */
static int take_all_at(ttb_limiter *l, uint32_t slot, uint32_t ask, uint64_t now) {
  int64_t t[64];
  int n = 0;
  while (n < 64 && (t[n] = ttb_limiter_acquire(l, slot, ask, now)) >= 0) n++;
  for (int i = 0; i < n; i++)
    if (ttb_limiter_report(l, t[i], TTB_CANCELLED, now) != TTB_OK) return -1;
  return n;
}
static int take_all(ttb_limiter *l, uint32_t slot, uint32_t ask) {
  return take_all_at(l, slot, ask, T0);
}

/* ---- 1. two processes ---- */

static int two_processes(uint32_t kind, uint32_t ask, uint32_t half) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter mine;
  c.kind = kind;
  c.permits = 2 * half;
  c.burst = 2 * half;
  c.per_second = 1;
  c.window_ms = 2000 * half;
  size_t size = (size_t)ttb_limiter_size(&c);
  int fd = memfd_create("limiter", 0), status;
  if (fd < 0 || ftruncate(fd, (off_t)size) < 0) return wrong("memfd", fd);
  void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mem == MAP_FAILED) return wrong("mmap", 0);
  pid_t pid = fork();
  if (pid == 0) { /* attaches as soon as there is something, elsewhere */
    ttb_limiter l;
    void *other = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int32_t code;
    if (other == MAP_FAILED || other == mem) _exit(1);
    while ((code = ttb_limiter_attach(&l, other, size)) == TTB_AGAIN) usleep(100);
    if (code < 0) _exit(2);
    for (uint32_t i = 0; i < half; i++)
      if (ttb_limiter_acquire(&l, 0, ask, T0) < 0) _exit(3);
    _exit(0);
  }
  usleep(2000);
  if (ttb_limiter_init(&mine, mem, size, &c) < 0) return wrong("init", 0);
  waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return wrong("the other process", status);
  if (info(&mine, 0, ask).available != half) return wrong("left", info(&mine, 0, ask).available);
  for (uint32_t i = 0; i < half; i++)
    if (ttb_limiter_acquire(&mine, 0, ask, T0) < 0) return wrong("refused", i);
  if (ttb_limiter_acquire(&mine, 0, ask, T0) != TTB_LIMIT) return wrong("one too many", kind);
  munmap(mem, size);
  close(fd);
  return 0;
}

/* ---- 2. killed at every instruction ---- */

#define PERMITS 3

typedef struct stepped {
  const char *name;
  uint32_t kind, ask;
  int held;        /* acquires of the child before the call; above PERMITS they are refused */
  bool reports;    /* the call is a report of the last granted, else an acquire */
  bool recovers;   /* the call is a recover of a third process, that holds two */
  bool left_alone; /* nobody recovers it */
  int32_t outcome, lease_ms;
  /* */
  ttb_limiter parent, child;
  int64_t ticket;
} stepped;

static ttb_limiter_config stepped_config(const stepped *x) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = x->kind;
  c.lease_ms = x->lease_ms;
  c.permits = c.burst = PERMITS;
  c.period_ms = 86400000; /* a rate that gives nothing back meanwhile */
  c.rate = 1;
  c.ratio_ppm = TTB_OFF;
  c.per_second = 1;
  c.window_ms = PERMITS * 1000;
  c.reserve_3 = 1;
  c.threads = 4;
  c.algorithm = TTB_LIMIT_VEGAS;
  c.min_limit = c.max_limit = PERMITS;
  c.limit_samples = 1;
  c.min_retries = PERMITS;
  return c;
}

static int prepare(singlestep *s) {
  stepped *x = s->ctx;
  ttb_limiter_config c = stepped_config(x);
  ttb_limiter l, third;
  memset(s->mem, 0, (size_t)s->size);
  if (ttb_limiter_init(&l, s->mem, s->size, &c) < 0) return wrong("init", 0);
  if (ttb_limiter_join(&l, 1, &x->parent) < 0) return wrong("join", 0);
  if (!x->recovers) return 0;
  if (ttb_limiter_join(&l, 3, &third) < 0) return wrong("join", 0);
  for (int i = 0; i < 2; i++)
    if (ttb_limiter_acquire(&third, 0, 0, T0) < 0) return wrong("the third's permit", i);
  return 0;
}

static void enter(singlestep *s) {
  stepped *x = s->ctx;
  ttb_limiter l;
  if (ttb_limiter_attach(&l, s->mem, s->size) < 0 || ttb_limiter_join(&l, 2, &x->child) < 0)
    _exit(1);
  for (int i = 0; i < x->held; i++) {
    int64_t t = ttb_limiter_acquire(&x->child, 0, x->ask, T0);
    if (t >= 0) x->ticket = t;
  }
}

static void call(singlestep *s) {
  stepped *x = s->ctx;
  if (x->recovers) (void)ttb_limiter_recover(&x->child, 3);
  else if (x->reports) (void)ttb_limiter_report(&x->child, x->ticket, x->outcome, T0);
  else (void)ttb_limiter_acquire(&x->child, 0, x->ask, T0);
}

static int recover_stepped(singlestep *s) {
  stepped *x = s->ctx;
  if (x->left_alone) return 0;
  int32_t freed = ttb_limiter_recover(&x->parent, 2);
  if (freed < 1) return wrong("recover", freed);
  if (!x->recovers) return 0;
  freed += ttb_limiter_recover(&x->parent, 3);
  return freed == 1 || freed == 2 ? 0 : wrong("recover of the third", freed);
}

/* What the dead one does not hold is found in time, whatever bits it left. */
static int check_left_alone(stepped *x, int ended) {
  int out = (int)info(&x->parent, 0, 0).in_use;
  int held = x->held < PERMITS ? x->held : PERMITS, after = held;
  if (x->reports) after--;
  else if (held < PERMITS) after++;
  if (out != after && (ended || out != held)) return wrong("out", out);
  int found = take_all_at(&x->parent, 0, 0, T0 + 100 * MS);
  return found == PERMITS - out ? 0 : wrong("found", found);
}

static int check_stepped(singlestep *s, int ended) {
  stepped *x = s->ctx;
  if (x->left_alone) return check_left_alone(x, ended);
  ttb_limiter_stats stats = {.struct_size = sizeof stats};
  (void)ttb_limiter_statistics(&x->parent, &stats);
  if (stats.joined != 1) return wrong("rows", stats.joined);
  if (x->kind == TTB_LIMITER_BULKHEAD) {
    if (info(&x->parent, 0, 0).in_use != 0) return wrong("out", info(&x->parent, 0, 0).in_use);
    if (take_all(&x->parent, 0, 0) != PERMITS) return wrong("permits", take_all(&x->parent, 0, 0));
    if (take_all(&x->parent, 0, 3) != PERMITS - 1) return wrong("of the least important", 3);
    return 0;
  }
  if (x->kind == TTB_LIMITER_ADAPTIVE) { /* wherever a window was left off */
    ttb_limiter_info i = info(&x->parent, 0, 0);
    if (i.in_use != 0 || i.limit != PERMITS) return wrong("out, or another limit", i.in_use);
    if (take_all(&x->parent, 0, 0) != PERMITS) return wrong("permits", take_all(&x->parent, 0, 0));
    for (uint64_t ms = 0; ms < 1000; ms += 100) { /* and it goes on */
      int64_t t = ttb_limiter_acquire(&x->parent, 0, 0, T0 + ms * MS);
      if (ttb_limiter_report(&x->parent, t, TTB_SUCCESS, T0 + (ms + 5) * MS) != TTB_OK)
        return wrong("report", t);
    }
    if (info(&x->parent, 0, 0).latency_ns == 0) return wrong("no window ends any more", 0);
    return 0;
  }
  if (x->kind == TTB_LIMITER_RETRY_CONCURRENT) { /* its row is clean */
    ttb_limiter_info i = info(&x->parent, 0, 1);
    return i.in_use == 0 && i.available == PERMITS ? 0 : wrong("in flight", i.in_use);
  }
  /* A rate or a budget: what was taken is taken, once or not at all. */
  int left = (int)info(&x->parent, 0, x->ask).available, before = PERMITS - x->held;
  int after = before + (x->reports ? 1 : -1);
  if (left != after && (ended || left != before)) return wrong("left", left);
  return 0;
}

static int single_steps(unsigned *passed, unsigned *failed) {
  static stepped cases[] = {
      {.name = "bulkhead acquire", .kind = TTB_LIMITER_BULKHEAD},
      {.name = "bulkhead acquire, the last but one", .kind = TTB_LIMITER_BULKHEAD, .held = 2},
      {.name = "bulkhead acquire, refused", .kind = TTB_LIMITER_BULKHEAD, .held = 3},
      {.name = "bulkhead acquire, with a lease", .kind = TTB_LIMITER_BULKHEAD, .lease_ms = 1000},
      {.name = "bulkhead acquire, past others, with a lease", .kind = TTB_LIMITER_BULKHEAD,
       .held = 2, .lease_ms = 1000},
      {.name = "bulkhead report", .kind = TTB_LIMITER_BULKHEAD, .held = 2, .reports = true},
      {.name = "bulkhead report, of one found out", .kind = TTB_LIMITER_BULKHEAD, .held = 4,
       .reports = true},
      {.name = "bulkhead acquire, past others, left alone", .kind = TTB_LIMITER_BULKHEAD,
       .held = 2, .left_alone = true},
      {.name = "bulkhead acquire, refused, left alone", .kind = TTB_LIMITER_BULKHEAD, .held = 3,
       .left_alone = true},
      {.name = "bulkhead report, left alone", .kind = TTB_LIMITER_BULKHEAD, .held = 4,
       .reports = true, .left_alone = true},
      {.name = "bulkhead recover", .kind = TTB_LIMITER_BULKHEAD, .recovers = true},
      {.name = "rate acquire", .kind = TTB_LIMITER_RATE},
      {.name = "rate cancel", .kind = TTB_LIMITER_RATE, .held = 2, .reports = true,
       .outcome = TTB_CANCELLED},
      {.name = "retry acquire", .kind = TTB_LIMITER_RETRY, .ask = 1},
      {.name = "retry cancel", .kind = TTB_LIMITER_RETRY, .ask = 1, .held = 2, .reports = true,
       .outcome = TTB_CANCELLED},
      {.name = "adaptive acquire", .kind = TTB_LIMITER_ADAPTIVE, .held = 1},
      {.name = "adaptive acquire, refused", .kind = TTB_LIMITER_ADAPTIVE, .held = 3},
      {.name = "adaptive acquire, past others, left alone", .kind = TTB_LIMITER_ADAPTIVE,
       .held = 2, .left_alone = true},
      {.name = "adaptive report, left alone", .kind = TTB_LIMITER_ADAPTIVE, .held = 4,
       .reports = true, .left_alone = true},
      {.name = "adaptive report, a window ends", .kind = TTB_LIMITER_ADAPTIVE, .held = 2,
       .reports = true},
      {.name = "adaptive recover", .kind = TTB_LIMITER_ADAPTIVE, .recovers = true},
      {.name = "concurrent acquire", .kind = TTB_LIMITER_RETRY_CONCURRENT, .ask = 1},
      {.name = "concurrent report", .kind = TTB_LIMITER_RETRY_CONCURRENT, .ask = 1, .held = 2,
       .reports = true},
      {.name = "concurrent recover", .kind = TTB_LIMITER_RETRY_CONCURRENT, .recovers = true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ttb_limiter_config c = stepped_config(&cases[i]);
    singlestep s = {.size = (uint64_t)ttb_limiter_size(&c), .ctx = &cases[i], .prepare = prepare,
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

/* ---- 3. torture ---- */

#define WORKERS 8
#define SLOTS 2u
#define CAP 4u
#define RESERVE 2u /* what importance 3 may not touch */
#define HOLD 2     /* permits a worker holds at once */

typedef _Atomic uint64_t word;
typedef struct shared {
  _Alignas(64) word claim[WORKERS][8]; /* HOLD of them: sequence 32 | ask + 1 4 | slot + 1 4 */
  word faults, granted, refused;
  _Alignas(64) unsigned char region[8192];
} shared;

static ttb_limiter mine; /* the parent's */
static uint32_t kind;

static uint64_t rnd(uint64_t *x) {
  *x = *x * UINT64_C(6364136223846793005) + 1442695040888963407;
  return *x >> 33;
}

static void fault(shared *m, const char *what, uint32_t number) {
  if (atomic_fetch_add(&m->faults, 1) < 5) printf("%s (%u)\n", what, number);
  fflush(stdout);
}

/* More permits in the workers' hands than there may be, in two equal collects:
 * then all of them were held at one moment in between. */
static bool too_many(shared *m) {
  uint64_t a[WORKERS * HOLD];
  uint32_t all[SLOTS] = {0}, least[SLOTS] = {0};
  for (int i = 0; i < WORKERS * HOLD; i++) {
    a[i] = atomic_load(&m->claim[i / HOLD][i % HOLD]);
    uint32_t slot = (uint32_t)(a[i] & 15), ask = (uint32_t)(a[i] >> 4 & 15);
    if (slot == 0) continue;
    all[slot - 1]++;
    least[slot - 1] += ask == 4;
  }
  bool bad = false;
  for (uint32_t s = 0; s < SLOTS; s++) bad = bad || all[s] > CAP || least[s] > CAP - RESERVE;
  for (int i = 0; i < WORKERS * HOLD && bad; i++)
    bad = atomic_load(&m->claim[i / HOLD][i % HOLD]) == a[i];
  return bad;
}

static void set_claim(shared *m, uint32_t worker, uint32_t k, uint64_t what) {
  uint64_t sequence = (atomic_load(&m->claim[worker][k]) >> 32) + 1;
  atomic_store(&m->claim[worker][k], sequence << 32 | what);
}

static void work(torture *t, uint32_t worker, uint64_t token) {
  /* Another address than the parent's: the same pages mapped once more. */
  shared *m = mremap(t->mem, 0, (size_t)t->size, MREMAP_MAYMOVE);
  ttb_limiter l, own;
  uint64_t x = t->seed * 1000003 + token;
  int64_t ticket[HOLD] = {-1, -1};
  if (m == MAP_FAILED || (void *)m == t->mem ||
      ttb_limiter_attach(&l, m->region, sizeof m->region) < 0 ||
      ttb_limiter_join(&l, TOKEN(token), &own) < 0)
    _exit(1);
  for (;;) {
    uint32_t k = (uint32_t)rnd(&x) % HOLD, slot = (uint32_t)rnd(&x) % SLOTS;
    uint32_t ask = rnd(&x) % 2 && kind == TTB_LIMITER_BULKHEAD ? 3 : 0;
    if (ticket[k] < 0) {
      ticket[k] = ttb_limiter_acquire(&own, slot, ask, T0);
      atomic_fetch_add(ticket[k] < 0 ? &m->refused : &m->granted, 1);
      if (ticket[k] >= 0) {
        set_claim(m, worker, k, (uint64_t)(ask + 1) << 4 | (slot + 1));
        if (too_many(m)) fault(m, "more permits out than there may be", slot);
      } else if (ticket[k] != TTB_LIMIT) {
        fault(m, "acquire", (uint32_t)-ticket[k]);
      }
    } else {
      set_claim(m, worker, k, 0); /* before the permit is another's */
      int32_t outcome = rnd(&x) % 4 ? TTB_SUCCESS : TTB_FAILURE;
      if (ttb_limiter_report(&own, ticket[k], outcome, T0) != TTB_OK) fault(m, "report", k);
      if (rnd(&x) % 4 == 0 && ttb_limiter_report(&own, ticket[k], TTB_SUCCESS, T0) != TTB_STALE)
        fault(m, "a double report", k);
      ticket[k] = -1;
    }
    torture_progress(t, worker);
  }
}

static int recover(torture *t, uint32_t worker, uint64_t token) {
  shared *m = t->mem;
  for (uint32_t k = 0; k < HOLD; k++) set_claim(m, worker, k, 0);
  int32_t freed = ttb_limiter_recover(&mine, TOKEN(token));
  return freed == 0 || freed == 1 ? 0 : wrong("recover", freed);
}

static int check_running(torture *t) {
  shared *m = t->mem;
  if (atomic_load(&m->faults) != 0) return wrong("faults", (int64_t)atomic_load(&m->faults));
  return too_many(m) ? wrong("too many permits", 0) : 0;
}

static int check_quiet(torture *t) {
  ttb_limiter_stats stats = {.struct_size = sizeof stats};
  if (check_running(t) != 0) return 1;
  (void)ttb_limiter_statistics(&mine, &stats);
  if (stats.joined != 1) return wrong("rows still taken", stats.joined);
  for (uint32_t slot = 0; slot < SLOTS; slot++) {
    if (info(&mine, slot, 0).in_use != 0) return wrong("permits of the dead are out", slot);
    ttb_limiter_info i = info(&mine, slot, 0);
    if (kind == TTB_LIMITER_ADAPTIVE && (i.limit < 2 || i.limit > CAP)) return wrong("limit", i.limit);
    int all = kind == TTB_LIMITER_ADAPTIVE ? (int)i.limit : (int)CAP;
    if (take_all(&mine, slot, 0) != all) return wrong("a permit is missing", slot);
    if (kind == TTB_LIMITER_BULKHEAD && take_all(&mine, slot, 3) != (int)(CAP - RESERVE)) return wrong("the reserve", slot);
  }
  return 0;
}

static int torture_it(int argc, char **argv) {
  torture t = {.workers = WORKERS, .size = sizeof(shared), .work = work, .recover = recover,
               .check_running = check_running, .check_quiet = check_quiet};
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter l;
  torture_arguments(&t, argc, argv);
  if (torture_map(&t) < 0) return 1;
  shared *m = t.mem;
  c.kind = kind;
  c.capacity = SLOTS;
  c.permits = c.max_limit = CAP;
  c.min_limit = 2;
  c.algorithm = TTB_LIMIT_AIMD;
  c.limit_window_ms = TTB_OFF;
  c.reserve_3 = RESERVE;
  c.threads = WORKERS + 1;
  if (ttb_limiter_init(&l, m->region, sizeof m->region, &c) < 0 ||
      ttb_limiter_join(&l, PARENT, &mine) < 0)
    return 1;
  int status = torture_run(&t);
  printf("granted %llu, refused %llu\n", (unsigned long long)atomic_load(&m->granted),
         (unsigned long long)atomic_load(&m->refused));
  if (atomic_load(&m->granted) == 0 || atomic_load(&m->refused) == 0)
    return wrong("nothing was granted, or nothing refused", 0);
  return status;
}

int main(int argc, char **argv) {
  unsigned passed = 0, failed = 0;
  failed += (unsigned)two_processes(TTB_LIMITER_BULKHEAD, 0, 4);
  failed += (unsigned)two_processes(TTB_LIMITER_RATE, 0, 4);
  failed += (unsigned)two_processes(TTB_LIMITER_RETRY, 1, 4);
  passed += 3 - failed;
  if (single_steps(&passed, &failed) != 0) failed++;
  fflush(stdout);
  for (int i = 0; i < 2; i++) {
    kind = i == 0 ? TTB_LIMITER_BULKHEAD : TTB_LIMITER_ADAPTIVE;
    if (torture_it(argc, argv) == 0) passed++;
    else failed++;
  }
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
