/* SPDX-License-Identifier: MIT */
/* examples/backtest/replay.c, by hand: start-up, queue, violation, cost, flips. */
#include "fixture.h"

#include "../../../examples/backtest/replay.c"

static int32_t scripted(void *ctx, const replay_view *v) { return ((const int32_t *)ctx)[v->tick]; }

typedef struct steps {
  int32_t serving[16], violation[16];
  double queue[16], seen[16], newest[16];
} steps;

static void note(void *ctx, const replay_step *s) {
  steps *x = ctx;
  x->serving[s->view->tick] = s->serving;
  x->violation[s->view->tick] = s->violation;
  x->queue[s->view->tick] = s->queue;
  x->seen[s->view->tick] = s->view->load;
  x->newest[s->view->tick] = s->view->newest;
}

static int near(double a, double b) { return a - b < 1e-9 && b - a < 1e-9; }

static void test_a_story(void **unused) {
  (void)unused;
  /* A replica does 10; 4 ticks of start-up; at most 90 % may be used. */
  const double load[10] = {9, 9, 18, 18, 18, 18, 18, 9, 9, 9};
  int32_t wanted[10] = {1, 1, 2, 2, 3, 2, 2, 2, 1, 1};
  replay_model m = replay_defaults();
  m.capacity = 10, m.initial = 1;
  replay_policy p = {.name = "scripted", .ctx = wanted, .tick = scripted};
  replay_score s;
  steps x;
  memset(&x, 0, sizeof x);
  assert_int_equal(replay_run(&m, load, 10, &p, note, &x, &s), 0);
  /* The order of tick 2 serves from 6; that of tick 4 was taken back in 5, unstarted. */
  const int32_t serving[10] = {1, 1, 1, 1, 1, 1, 2, 2, 1, 1};
  const int32_t violation[10] = {0, 0, 1, 1, 1, 1, 1, 0, 0, 0};
  for (int k = 0; k < 10; k++) {
    assert_int_equal(x.serving[k], serving[k]);
    assert_int_equal(x.violation[k], violation[k]);
  }
  /* 8 a second too much for 15 s; nobody waits longer than 10 s: 100 stay. */
  assert_true(near(x.queue[2], 100) && near(x.queue[5], 100));
  assert_true(near(x.queue[6], 70)); /* 2 a second are caught up with */
  assert_true(near(x.queue[7], 0));
  assert_true(near(x.seen[3], 13.5) && near(x.newest[3], 18) && near(x.newest[2], 9));
  assert_true(near(s.violation, 0.5) && near(s.violation_s, 75));
  assert_true(near(s.replica_hours, 17 * 15.0 / 3600) && near(s.minimum_hours, 15 * 15.0 / 3600));
  assert_true(near(s.cost, 17.0 / 15));
  assert_int_equal(s.actions, 4);
  assert_int_equal(s.flips, 1); /* 1 2 3 | 2 1: up, up, down, down */
  assert_int_equal(s.peak_replicas, 3);
  assert_true(near(s.dropped, (20 + 3 * 120) / 15.0 / 135));
  /* Too few in ticks 2..5 by half, too many in 7 by one of one. */
  assert_true(near(s.theta_u, 100 * 4 * 0.5 / 10) && near(s.tau_u, 40));
  assert_true(near(s.theta_o, 100 * 1.0 / 10) && near(s.tau_o, 10));
  /* Demand moves at 2 and 7, supply at 6 and 8. */
  assert_true(near(s.instability, 100 * 4 / 9.0));
}

static void test_signals(void **unused) {
  (void)unused;
  const double load[4] = {30, 30, 30, 30};
  int32_t wanted[4] = {1, 1, 1, 1};
  replay_model m = replay_defaults();
  m.capacity = 10, m.initial = 1, m.signal = REPLAY_CAPPED;
  replay_policy p = {.name = "scripted", .ctx = wanted, .tick = scripted};
  replay_score s;
  steps x;
  assert_int_equal(replay_run(&m, load, 4, &p, note, &x, &s), 0);
  assert_true(near(x.newest[2], 10)); /* what was served, not what came */
  m.signal = REPLAY_OFFERED;
  assert_int_equal(replay_run(&m, load, 4, &p, note, &x, &s), 0);
  assert_true(near(x.newest[2], 30));
}

static int32_t refuses(void *ctx, const replay_view *v) { return (void)ctx, v->tick < 2 ? 1 : -7; }

static void test_bad(void **unused) {
  (void)unused;
  const double load[4] = {1, 1, 1, 1};
  replay_model m = replay_defaults();
  replay_policy p = {.name = "refuses", .tick = refuses};
  replay_score s;
  assert_int_equal(replay_run(&m, load, 4, &p, NULL, NULL, &s), -1); /* no capacity */
  m.capacity = 1;
  assert_int_equal(replay_run(&m, load, 4, &p, NULL, NULL, &s), -7);
  m.startup_s = 1e9;
  assert_int_equal(replay_run(&m, load, 4, &p, NULL, NULL, &s), -1);
  assert_int_equal(replay_run(NULL, load, 4, &p, NULL, NULL, &s), -1);
}

static void test_resample(void **unused) {
  (void)unused;
  const double value[3] = {10, 20, -5};
  double *load = NULL;
  assert_int_equal(replay_resample(value, 3, 60, 15, REPLAY_LINEAR, &load), 12);
  assert_true(near(load[0], 10) && near(load[2], 15) && near(load[4], 20) && near(load[6], 10));
  assert_true(near(load[8], 0) && near(load[11], 0)); /* below 0 counts as 0, the last is held */
  free(load);
  assert_int_equal(replay_resample(value, 3, 60, 15, REPLAY_HOLD, &load), 12);
  assert_true(near(load[3], 10) && near(load[4], 20) && near(load[8], 0));
  assert_true(near(replay_capacity_for(load, 12, 2), 5));
  free(load);
  assert_int_equal(replay_resample(value, 0, 60, 15, 0, &load), 0);
  assert_int_equal(replay_resample(value, 3, 0, 15, 0, &load), 0);
  assert_int_equal(replay_resample(value, 3, 60, 0.0 / 1, 0, &load), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_story),
      cmocka_unit_test(test_signals),
      cmocka_unit_test(test_bad),
      cmocka_unit_test(test_resample),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
