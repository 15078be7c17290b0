/* SPDX-License-Identifier: MIT */
/* Workers of one pool killed with -9 at random; and one killed at every seventh
 * instruction of acquire and report, at every 37th of the longer calls. After
 * recovery nothing is in flight, no permit of a limit is out, no breaker waits for
 * a probe that is lost, and every endpoint that should be there can be picked. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <trimtab/pool.h>

#include "singlestep.h"
#include "torture.h"

#define ENDPOINTS 6
#define NS UINT64_C(1000000)

#define PERMITS 20

static ttb_breaker_config breaker;
static ttb_limiter_config limits[2];
static bool limited; /* the pool has limits: all at once, and retries */

static ttb_pool_config config_of(void) {
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  breaker = TTB_CONFIG(ttb_breaker_config);
  breaker.consecutive = 3;
  breaker.open_ms = 1; /* the workers' time runs fast */
  breaker.lease_ms = 3600000; /* probes must come back by recovery, not by time */
  c.capacity = 16;
  c.threads = 14;
  c.breaker = &breaker;
  limits[0] = limits[1] = TTB_CONFIG(ttb_limiter_config);
  limits[0].kind = TTB_LIMITER_BULKHEAD;
  limits[0].permits = PERMITS;
  limits[1].kind = TTB_LIMITER_RETRY_TOKENS;
  c.limits = limits;
  c.n_limits = limited ? 2 : 0;
  return c;
}

static int make(void *mem, uint64_t size) {
  ttb_pool p, mine;
  ttb_pool_config c = config_of();
  if (ttb_pool_init(&p, mem, size, &c) < 0 || ttb_pool_join(&p, 1, &mine) < 0) return -1;
  for (uint32_t i = 0; i < ENDPOINTS; i++) {
    ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
    e.id = 100 + i;
    if (ttb_pool_add(&mine, &e, NS) < 0) return -1;
  }
  ttb_pool_free(&mine);
  return 0;
}

/* One row of the pool's own for the parent, given back each time. */
static int joined(void *mem, uint64_t size, uint64_t token, ttb_pool *ret) {
  ttb_pool p;
  if (ttb_pool_attach(&p, mem, size) < 0) return -1;
  return ttb_pool_join(&p, token, ret) < 0 ? -1 : 0;
}

/* ---- random kills ---- */

static void work(torture *t, uint32_t worker, uint64_t token) {
  ttb_pool mine;
  if (joined(t->mem, t->size, token, &mine) < 0) return;
  uint64_t now = NS, random = token;
  ttb_pool_call out[8];
  uint32_t n = 0;
  for (;;) {
    random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    uint32_t dice = (uint32_t)(random >> 40);
    now += dice % 3 * NS;
    out[n] = TTB_CONFIG(ttb_pool_call);
    out[n].attempt = dice % 2;
    if (ttb_pool_begin(&mine, &out[n], now) >= 0) n++;
    if (n == 8 || dice % 5 == 0)
      while (n > 0) {
        n--;
        (void)ttb_pool_end(&mine, &out[n], (dice + n) % 3 ? TTB_SUCCESS : TTB_FAILURE, 1, now);
      }
    if (dice % 7 == 0) (void)ttb_pool_tick(&mine, now);
    if (dice % 31 == 0) { /* endpoints 200.. come and go */
      ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
      e.id = 200 + worker;
      if (ttb_pool_find(&mine, e.id) < 0) (void)ttb_pool_add(&mine, &e, now);
      else (void)ttb_pool_remove(&mine, e.id, now);
    }
    torture_progress(t, worker);
  }
}

static int recover(torture *t, uint32_t worker, uint64_t token) {
  (void)worker;
  ttb_pool mine;
  if (joined(t->mem, t->size, UINT64_C(1) << 39, &mine) < 0) {
    printf("FAILED no row for the parent\n");
    return -1;
  }
  int32_t freed = ttb_pool_recover(&mine, token, NS);
  ttb_pool_free(&mine);
  if (freed < 0 || freed > 1) printf("FAILED recover gave %d\n", freed);
  return freed < 0 || freed > 1;
}

/* Everybody is dead and recovered: nothing is in flight, and after the open
 * time each endpoint takes calls again, at the latest by its probe. */
static int usable(void *mem, uint64_t size, const char *when) {
  ttb_pool mine;
  ttb_pool_stats s = TTB_CONFIG(ttb_pool_stats);
  if (joined(mem, size, (UINT64_C(1) << 39) + 1, &mine) < 0) {
    printf("FAILED %s: cannot attach and join\n", when);
    return 1;
  }
  int wrong = 0;
  (void)ttb_pool_statistics(&mine, &s);
  if (s.in_flight != 0 || s.joined != 1) {
    printf("FAILED %s: %" PRIu64 " in flight, %u joined\n", when, s.in_flight, s.joined);
    wrong = 1;
  }
  ttb_limiter_info l = TTB_CONFIG(ttb_limiter_info);
  if (limited && (ttb_pool_limit(&mine, 0, 0, NS, &l) < 0 || l.in_use != 0)) {
    printf("FAILED %s: %u permits are out\n", when, l.in_use);
    wrong = 1;
  }
  uint64_t now = NS;
  uint32_t seen = 0;
  for (int i = 0; i < 4000 && seen != (1u << ENDPOINTS) - 1; i++) {
    now += NS;
    (void)ttb_pool_tick(&mine, now);
    ttb_pool_call one = TTB_CONFIG(ttb_pool_call);
    if (ttb_pool_begin(&mine, &one, now) < 0) continue;
    uint32_t slot = (uint32_t)ttb_ticket_slot(one.ticket);
    if (slot < ENDPOINTS) seen |= 1u << slot;
    if (ttb_pool_end(&mine, &one, TTB_SUCCESS, 1, now) != TTB_OK) {
      printf("FAILED %s: a fresh ticket is stale\n", when);
      wrong = 1;
    }
  }
  if (seen != (1u << ENDPOINTS) - 1) {
    printf("FAILED %s: endpoints %02x of 3f take calls\n", when, seen);
    wrong = 1;
  }
  (void)ttb_pool_statistics(&mine, &s);
  if (s.in_flight != 0) {
    printf("FAILED %s: %" PRIu64 " in flight in the end\n", when, s.in_flight);
    wrong = 1;
  }
  ttb_pool_free(&mine);
  return wrong;
}

static int check_quiet(torture *t) { return usable(t->mem, t->size, "after random kills"); }

/* ---- every instruction ---- */

typedef struct step {
  const char *name;
  void (*act)(ttb_pool *mine, int64_t held);
} step;

static ttb_pool stepped;
static int64_t held;
static ttb_pool_call begun;
static const step *now_at;

static void act_acquire(ttb_pool *p, int64_t t) {
  (void)t;
  (void)ttb_pool_acquire(p, 0, 10 * NS);
}
static void act_report(ttb_pool *p, int64_t t) {
  (void)ttb_pool_report(p, t, TTB_SUCCESS, 1, 10 * NS);
}
static void act_trip(ttb_pool *p, int64_t t) { /* the third failure in a row */
  (void)ttb_pool_report(p, t, TTB_FAILURE, 1, 10 * NS);
}
static void act_add(ttb_pool *p, int64_t t) {
  (void)t;
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  e.id = 300;
  (void)ttb_pool_add(p, &e, 10 * NS);
}
static void act_drain(ttb_pool *p, int64_t t) {
  (void)t;
  (void)ttb_pool_drain(p, 100, 1, 10 * NS);
  (void)ttb_pool_drain(p, 100, 0, 10 * NS);
}

static void act_remove(ttb_pool *p, int64_t t) {
  (void)t;
  (void)ttb_pool_remove(p, 105, 10 * NS);
}
static void act_weight(ttb_pool *p, int64_t t) {
  (void)t;
  (void)ttb_pool_set_weight(p, 101, 0);
  (void)ttb_pool_set_weight(p, 101, 7);
}
static void act_begin(ttb_pool *p, int64_t t) {
  (void)t;
  ttb_pool_call one = TTB_CONFIG(ttb_pool_call);
  (void)ttb_pool_begin(p, &one, 10 * NS);
}
static void act_end(ttb_pool *p, int64_t t) {
  (void)t;
  (void)ttb_pool_end(p, &begun, TTB_SUCCESS, 1, 10 * NS);
}
static void act_update(ttb_pool *p, int64_t t) { /* 105 goes, 300 comes, the others stay */
  (void)t;
  ttb_endpoint list[ENDPOINTS];
  for (uint32_t i = 0; i < ENDPOINTS; i++) {
    list[i] = TTB_CONFIG(ttb_endpoint);
    list[i].id = i < 5 ? 100 + i : 300;
  }
  (void)ttb_pool_update(p, list, ENDPOINTS, 10 * NS, NULL);
}
static void act_tick(ttb_pool *p, int64_t t) {
  (void)t;
  (void)ttb_pool_tick(p, 10 * NS);
}

static int prepare(singlestep *s) { return make(s->mem, s->size); }
static void enter(singlestep *s) {
  if (joined(s->mem, s->size, 50, &stepped) < 0) return;
  const uint32_t others[] = {1, 2, 3, 4, 5};
  begun = TTB_CONFIG(ttb_pool_call);
  if (limited) {
    (void)ttb_pool_begin(&stepped, &begun, 9 * NS);
    return;
  }
  for (int i = 0; i < 2; i++)
    (void)ttb_pool_report(&stepped, ttb_pool_acquire_except(&stepped, 0, others, 5, 9 * NS),
                          TTB_FAILURE, 1, 9 * NS);
  held = ttb_pool_acquire_except(&stepped, 0, others, 5, 9 * NS);
}
static void call(singlestep *s) {
  (void)s;
  now_at->act(&stepped, held);
}
static int step_recover(singlestep *s) {
  ttb_pool mine;
  if (joined(s->mem, s->size, 60, &mine) < 0) return -1;
  int32_t freed = ttb_pool_recover(&mine, 50, 11 * NS);
  /* What was cut short stays as far as it got; finish it, as its caller would. */
  (void)ttb_pool_drain(&mine, 100, 0, 11 * NS);
  (void)ttb_pool_set_weight(&mine, 101, 7);
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  e.id = 105;
  (void)ttb_pool_remove(&mine, 300, 11 * NS);
  int32_t slot = ttb_pool_find(&mine, e.id) < 0 ? ttb_pool_add(&mine, &e, 11 * NS) : ENDPOINTS - 1;
  ttb_pool_free(&mine);
  return freed == 1 && slot == ENDPOINTS - 1 ? 0 : -1;
}
static int step_check(singlestep *s, int ended) {
  (void)ended;
  return usable(s->mem, s->size, now_at->name);
}

int main(int argc, char **argv) {
  ttb_pool_config c = config_of();
  uint64_t size = 0;
  int failed = 0, passed = 0;
  static const step steps[] = {{"acquire", act_acquire}, {"report", act_report},
                               {"the report that trips", act_trip}, {"add", act_add},
                               {"remove", act_remove}, {"drain", act_drain},
                               {"weight", act_weight}, {"tick", act_tick},
                               {"update", act_update}, {"begin", act_begin}, {"end", act_end}};
  for (uint32_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    now_at = &steps[i];
    limited = i >= 9;
    c = config_of();
    size = (uint64_t)ttb_pool_size(&c);
    singlestep s = {.size = size, .prepare = prepare, .enter = enter, .call = call,
                    .recover = step_recover, .check = step_check};
    int code = singlestep_run(&s);
    if (code == SINGLESTEP_UNSUPPORTED) {
      printf("%s: single-stepping is not to be had here\n", steps[i].name);
      continue;
    }
    printf("%s: killed at %" PRIu64 " instructions, %" PRIu64 " wrong\n", steps[i].name, s.points,
           s.failed);
    if (code == 0) passed++;
    else failed++;
  }
  torture t = {.workers = 4, .size = size, .work = work, .recover = recover,
               .check_quiet = check_quiet};
  torture_arguments(&t, argc, argv);
  if (torture_map(&t) < 0 || make(t.mem, t.size) < 0) return 1;
  int code = torture_run(&t);
  printf("%d passed, %d failed\n", passed + (code == 0) , failed + (code != 0));
  return code != 0 || failed != 0;
}
