/* SPDX-License-Identifier: MIT */
/* Ejection, killed at every instruction.
 *
 * One process observes the call that ejects, or the one that may not, gives a
 * target back, sweeps, lets a target come or go, and dies after n instructions.
 * Whatever it had done: no more are ejected than may be; the next sweep takes all
 * counts, puts the number of the ejected right and gives back whose time is over;
 * and then everybody can be ejected and come back as ever. */
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "../../lib/health/health.h"
#include "singlestep.h"

#define TARGETS 6u
#define MOST 2u /* of so many */
#define SECOND UINT64_C(1000000000)
#define NOW (3620 * SECOND) /* when the call is made: 21 s after the first ejection */

enum { EJECT, REFUSED, RETURN, SWEEP, ENABLE, DISABLE, CALLS };
static const char *const names[] = {"observe that ejects", "observe that may not", "return",
                                    "sweep", "enable", "disable"};

typedef struct stepped {
  ttb_health h;
  int what;
  int32_t profile;
} stepped;

static ttb_health_config config_of(int32_t profile) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = TARGETS;
  c.passive_errors = c.ttl_ms = TTB_OFF;
  c.flags = TTB_HEALTH_EJECT_PROBED;
  c.eject = profile;
  c.eject_errors = 3;
  c.eject_base_ms = 20000;
  c.eject_max_ppm = profile == TTB_HEALTH_EJECT_GRPC ? 330000 : 340000; /* its last one may exceed it */
  c.eject_requests = c.eject_failure_requests = 10;
  c.eject_failure_hosts = 3;
  c.eject_failure_ppm = 500000;
  c.enforce_failure_ppm = 1000000;
  return c;
}

static void calls(ttb_health *h, uint32_t slot, uint32_t good, uint32_t bad, uint64_t now) {
  while (good-- > 0) (void)ttb_health_observe(h, slot, TTB_SUCCESS, now);
  while (bad-- > 0) (void)ttb_health_observe(h, slot, TTB_FAILURE, now);
}

/* Target 4 is ejected (5 too, if no more may be), 0 is one failure before it; 0 and
 * 1 fail more than half of their calls. */
static int prepare(singlestep *s) {
  stepped *x = s->ctx;
  ttb_health *h = &x->h;
  ttb_health_config c = config_of(x->profile);
  if (ttb_health_init(h, s->mem, s->size, &c) < 0) return 1;
  calls(h, 4, 0, 3, NOW - 21 * SECOND);
  if (x->what == REFUSED) calls(h, 5, 0, 3, NOW - 21 * SECOND);
  (void)ttb_health_tick(h, NOW - 21 * SECOND, NULL, 0);
  for (uint32_t i = 0; i < TARGETS; i++)
    for (int k = 0; k < 10; k++) calls(h, i, i < 2 ? 1 : 3, i < 2 ? 2 : 0, NOW - SECOND);
  return ttb_health_ejected(h, 4) != 1;
}

static void enter(singlestep *s) {
  stepped *x = s->ctx;
  if (ttb_health_attach(&x->h, s->mem, s->size) < 0) _exit(9);
}

static void call(singlestep *s) {
  stepped *x = s->ctx;
  switch (x->what) {
  case EJECT:
  case REFUSED: (void)ttb_health_observe(&x->h, 0, TTB_FAILURE, NOW - SECOND); break;
  case RETURN: (void)ttb_health_report(&x->h, 4, TTB_SUCCESS, 0, NOW - SECOND); break;
  case SWEEP: (void)ttb_health_tick(&x->h, NOW, NULL, 0); break;
  case ENABLE: (void)ttb_health_enable(&x->h, 4, NOW - SECOND); break;
  default: (void)ttb_health_disable(&x->h, 4, NOW - SECOND);
  }
}

static int wrong(const char *what, uint64_t got, uint64_t want) {
  printf("  %s: %llu, expected %llu\n", what, (unsigned long long)got, (unsigned long long)want);
  return 1;
}

static ttb_health_stats stats_of(const ttb_health *h, uint64_t now) {
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  (void)ttb_health_statistics(h, now, &s);
  return s;
}

/* What the word says is what there is. */
static bool exact(const ttb_health *h) {
  const ttb__health *t = ttb__health_of(h);
  ttb__outlier_tally said = ttb__room_numbers(ttb__load_rlx(&t->ejections->room));
  ttb__outlier_tally is = ttb__outlier_count(t);
  return said.enabled == is.enabled && said.ejected == is.ejected;
}

/* It came to its end: so it has done what it is for. */
static int check_done(const stepped *x, const ttb_health *h) {
  ttb_health_stats s = stats_of(h, NOW);
  int32_t first = ttb_health_ejected(h, 0), fourth = ttb_health_ejected(h, 4);
  uint32_t want;
  switch (x->what) {
  case EJECT: return first == 1 && s.enforced == 2 ? 0 : wrong("ejected", s.enforced, 2);
  case REFUSED: return first == 0 && s.overflows == 1 ? 0 : wrong("refused", s.overflows, 1);
  case SWEEP: /* gRPC judges before any come back: one place less */
    want = x->profile == TTB_HEALTH_EJECT_GRPC ? MOST - 1 : MOST;
    return first == 1 && fourth == 0 && s.ejected == want && exact(h)
               ? 0
               : wrong("swept", s.ejected, want);
  default: return fourth == 0 && exact(h) ? 0 : wrong("back", (uint64_t)fourth, 0);
  }
}

/* All come back, each call is counted once more, and as many may be ejected as ever. */
static int check_after(ttb_health *h) {
  uint64_t now = NOW;
  for (int i = 0; i < 2; i++) { /* what was left is judged; then nobody has calls */
    uint32_t sweeps = (uint32_t)stats_of(h, now).sweeps;
    now += 1000 * SECOND;
    (void)ttb_health_tick(h, now, NULL, 0);
    ttb_health_stats s = stats_of(h, now);
    if (s.sweeps != sweeps + 1) return wrong("sweeps", s.sweeps, sweeps + 1);
    if (s.ejected > MOST || !exact(h)) return wrong("ejected after a sweep", s.ejected, MOST);
  }
  if (stats_of(h, now).ejected != 0) return wrong("for ever", stats_of(h, now).ejected, 0);
  if (stats_of(h, now).enabled < TARGETS) (void)ttb_health_enable(h, 4, now);
  for (uint32_t i = 0; i < TARGETS; i++) calls(h, i, 20, 0, now);
  for (uint32_t i = 1; i < 4; i++) calls(h, i, 1, 3, now);
  ttb_health_stats s = stats_of(h, now);
  if (s.enabled != TARGETS || s.ejected != MOST || !exact(h)) return wrong("anew", s.ejected, MOST);
  if (ttb_health_ejected(h, 1) != 1 || ttb_health_ejected(h, 2) != 1) return wrong("first", 0, 1);
  now += 10 * SECOND;
  (void)ttb_health_tick(h, now, NULL, 0);
  for (uint32_t i = 0; i < TARGETS; i++) {
    ttb_health_info f = TTB_CONFIG(ttb_health_info);
    uint32_t want = i >= 1 && i < 4 ? 24 : 20;
    (void)ttb_health_explain(h, i, now, &f);
    if (f.calls != want) return wrong("calls counted", f.calls, want);
  }
  return 0;
}

static int check(singlestep *s, int ended) {
  const stepped *x = s->ctx;
  ttb_health h;
  if (ttb_health_attach(&h, s->mem, s->size) < 0) return wrong("attach", 0, 1);
  ttb_health_stats now = stats_of(&h, NOW);
  if (now.ejected > MOST) return wrong("ejected", now.ejected, MOST);
  if (ended && check_done(x, &h)) return 1;
  return check_after(&h);
}

int main(void) {
  uint32_t passed = 0, failed = 0;
  for (int what = 0; what < CALLS; what++)
    for (int32_t p = TTB_HEALTH_EJECT_ROBUST; p <= TTB_HEALTH_EJECT_GRPC; p++) {
      if (what != SWEEP && p != TTB_HEALTH_EJECT_ENVOY) continue; /* the tests are the sweep's */
      stepped x = {.what = what, .profile = p};
      ttb_health_config c = config_of(p);
      singlestep s = {.size = (uint64_t)ttb_health_size(&c), .ctx = &x, .prepare = prepare,
                      .enter = enter, .call = call, .check = check,
                      .most = SINGLESTEP_ALL};
      int result = singlestep_run(&s);
      if (result == SINGLESTEP_UNSUPPORTED) {
        printf("single steps: not possible here\n");
        return 0;
      }
      printf("%s, profile %d: %llu kill points, %llu wrong\n", names[what], (int)p,
             (unsigned long long)s.points, (unsigned long long)s.failed);
      result == 0 && s.points > 10 ? passed++ : failed++;
    }
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
