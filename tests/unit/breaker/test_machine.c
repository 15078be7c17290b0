/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/machine.c: the state machine, transition by
 * transition and at its boundaries. */
#include "../../../lib/breaker/breaker.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define T0 (UINT64_C(3600000) * MS) /* an hour after boot */

static ttb_breaker b;
static ttb_breaker_config config;
static uint64_t now;

static ttb_breaker_config base(void) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.consecutive = 3;
  c.failure_rate_ppm = TTB_OFF;
  c.open_ms = 1000;
  c.lease_ms = 500;
  c.half_open_probes = 2;
  c.half_open_successes = 2;
  return c;
}

static int start(const ttb_breaker_config *c) {
  ttb_breaker_free(&b);
  config = *c;
  now = T0;
  return ttb_breaker_new(&b, c, NULL);
}
static int setup(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  return start(&c);
}
static int teardown(void **state) {
  (void)state;
  ttb_breaker_free(&b);
  return 0;
}

static ttb_breaker_info info(void) {
  ttb_breaker_info i = {.struct_size = sizeof i};
  assert_int_equal(ttb_breaker_explain(&b, 0, now, &i), TTB_OK);
  return i;
}
static uint64_t stale_count(void) {
  ttb_breaker_stats s = {.struct_size = sizeof s};
  assert_int_equal(ttb_breaker_statistics(&b, &s), TTB_OK);
  return s.stale;
}
static int64_t acquire(void) { return ttb_breaker_acquire(&b, 0, now); }
static int32_t report(int64_t t, int32_t outcome) {
  return ttb_breaker_report(&b, t, outcome, now);
}
static int32_t call(int32_t outcome) {
  int64_t t = acquire();
  assert_true(t >= 0);
  return report(t, outcome);
}
static void trip(void) {
  assert_int_equal(call(TTB_FAILURE), TTB_OK);
  assert_int_equal(call(TTB_FAILURE), TTB_OK);
  assert_int_equal(call(TTB_FAILURE), TTB_BREAKER_OPENED);
}
static void half_open(void) {
  trip();
  now += 1000 * MS;
}

/* ---- closed ---- */

static void test_consecutive_boundary(void **state) {
  (void)state;
  call(TTB_FAILURE), call(TTB_FAILURE);
  assert_int_equal(info().state, TTB_BREAKER_CLOSED);
  assert_int_equal(info().consecutive, 2);
  assert_int_equal(call(TTB_FAILURE), TTB_BREAKER_OPENED);
  assert_int_equal(info().state, TTB_BREAKER_OPEN);
  assert_int_equal(info().opened, 1);
  assert_int_equal(info().generation, 1);
  assert_int_equal(acquire(), TTB_OPEN);
}

static void test_success_and_slow_end_a_row(void **state) {
  (void)state;
  const int32_t good[] = {TTB_SUCCESS, TTB_SLOW};
  for (int i = 0; i < 2; i++) {
    call(TTB_FAILURE), call(TTB_FAILURE);
    assert_int_equal(call(good[i]), TTB_OK);
    assert_int_equal(info().consecutive, 0);
  }
  assert_int_equal(info().state, TTB_BREAKER_CLOSED);
}

static void test_ignored_and_cancelled_count_nowhere(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  c.failure_rate_ppm = 1;
  c.min_calls = 1000;
  assert_int_equal(start(&c), TTB_OK);
  call(TTB_FAILURE), call(TTB_FAILURE);
  for (int i = 0; i < 10; i++) {
    assert_int_equal(call(TTB_IGNORED), TTB_OK);
    assert_int_equal(call(TTB_CANCELLED), TTB_OK);
  }
  assert_int_equal(info().consecutive, 2);
  assert_int_equal(info().calls, 2);
  assert_int_equal(call(TTB_FAILURE), TTB_BREAKER_OPENED); /* nor do they end a row */
}

/* Rate: failures / calls >= threshold from min_calls on; a success never opens. */
static void test_rate_boundary(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  c.consecutive = TTB_OFF;
  c.failure_rate_ppm = 500000;
  c.min_calls = 10;
  assert_int_equal(start(&c), TTB_OK);
  for (int i = 0; i < 5; i++) call(TTB_SUCCESS);
  for (int i = 0; i < 4; i++) assert_int_equal(call(TTB_FAILURE), TTB_OK);
  assert_int_equal(info().failure_rate_ppm, -1); /* 9 calls: too few to say */
  assert_int_equal(call(TTB_FAILURE), TTB_BREAKER_OPENED); /* 5 of 10 >= 50 % */

  assert_int_equal(start(&c), TTB_OK);
  for (int i = 0; i < 6; i++) call(TTB_SUCCESS);
  for (int i = 0; i < 5; i++) assert_int_equal(call(TTB_FAILURE), TTB_OK); /* 5 of 11 < 50 % */
  assert_int_equal(info().failure_rate_ppm, 454545);
  assert_int_equal(call(TTB_FAILURE), TTB_BREAKER_OPENED); /* 6 of 12 */

  assert_int_equal(start(&c), TTB_OK); /* the call that completes min_calls is a success */
  for (int i = 0; i < 9; i++) assert_int_equal(call(TTB_FAILURE), TTB_OK);
  assert_int_equal(call(TTB_SUCCESS), TTB_OK);
  assert_int_equal(info().failure_rate_ppm, 900000);
  assert_int_equal(info().state, TTB_BREAKER_CLOSED);
  assert_int_equal(call(TTB_FAILURE), TTB_BREAKER_OPENED);
}

static void test_rate_of_one_ppm_and_of_all(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  c.consecutive = TTB_OFF;
  c.failure_rate_ppm = 1;
  c.min_calls = 1;
  assert_int_equal(start(&c), TTB_OK);
  assert_int_equal(call(TTB_FAILURE), TTB_BREAKER_OPENED);
  c.failure_rate_ppm = 1000000;
  assert_int_equal(start(&c), TTB_OK);
  call(TTB_SUCCESS);
  for (int i = 0; i < 100000; i++) assert_int_equal(call(TTB_FAILURE), TTB_OK);
  now += 10000 * MS; /* the success leaves the window */
  assert_int_equal(call(TTB_FAILURE), TTB_BREAKER_OPENED);
}

static void test_either_rule_is_enough(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  c.failure_rate_ppm = 200000;
  c.min_calls = 5;
  assert_int_equal(start(&c), TTB_OK);
  for (int i = 0; i < 4; i++) call(TTB_SUCCESS);
  assert_int_equal(call(TTB_FAILURE), TTB_BREAKER_OPENED); /* by the rate: 1 of 5 */
  c.min_calls = 50;
  assert_int_equal(start(&c), TTB_OK);
  trip(); /* by the row */
}

/* ---- open ---- */

static void test_open_ends_at_the_millisecond(void **state) {
  (void)state;
  trip();
  for (uint64_t ms = 0; ms < 1000; ms += 37) {
    now = T0 + ms * MS;
    assert_int_equal(acquire(), TTB_OPEN);
    assert_int_equal(info().retry_after_ms, 1000 - ms);
  }
  now = T0 + 1000 * MS - 1;
  assert_int_equal(acquire(), TTB_OPEN);
  assert_int_equal(info().retry_after_ms, 1);
  now = T0 + 1000 * MS;
  assert_int_equal(info().state, TTB_BREAKER_HALF_OPEN);
  int64_t t = acquire();
  assert_true(t >= 0);
  assert_int_equal(ttb_breaker_is_probe(t), 1);
}

static void test_open_over_after_any_idle_time(void **state) {
  (void)state;
  const uint64_t idle_ms[] = {1000, 86400000, UINT64_C(4000000000), UINT64_C(100000000000)};
  for (int i = 0; i < 4; i++) {
    setup(NULL);
    trip();
    now += idle_ms[i] * MS;
    assert_true(acquire() >= 0);
  }
}

static void test_reports_while_open_are_stale(void **state) {
  (void)state;
  int64_t early = acquire();
  trip();
  assert_int_equal(report(early, TTB_SUCCESS), TTB_STALE);
  assert_int_equal(report(early, TTB_FAILURE), TTB_STALE);
  assert_int_equal(report(early, TTB_IGNORED), TTB_STALE);
  assert_int_equal(stale_count(), 3);
  assert_int_equal(info().opened, 1);
  assert_int_equal(info().retry_after_ms, 1000);
}

/* ---- half-open ---- */

static void test_probes_and_closing(void **state) {
  (void)state;
  half_open();
  int64_t p = acquire(), q = acquire();
  assert_true(p >= 0 && q >= 0 && p != q);
  assert_int_equal(info().state, TTB_BREAKER_HALF_OPEN);
  assert_int_equal(info().probes_out, 2);
  assert_int_equal(acquire(), TTB_HALF_OPEN_FULL);
  assert_int_equal(report(p, TTB_SUCCESS), TTB_OK);
  assert_int_equal(info().probe_successes, 1);
  assert_int_equal(info().probes_out, 1);
  int64_t r = acquire(); /* a probe has come back */
  assert_true(r >= 0);
  assert_int_equal(report(r, TTB_SLOW), TTB_BREAKER_RECLOSED); /* slow is success */
  assert_int_equal(info().state, TTB_BREAKER_CLOSED);
  assert_int_equal(report(q, TTB_FAILURE), TTB_STALE); /* too late */
  assert_int_equal(info().state, TTB_BREAKER_CLOSED);
  assert_int_equal(info().consecutive, 0);
}

static void test_one_failed_probe_reopens(void **state) {
  (void)state;
  half_open();
  int64_t p = acquire(), q = acquire();
  assert_int_equal(report(p, TTB_SUCCESS), TTB_OK);
  now += 7 * MS;
  assert_int_equal(report(q, TTB_FAILURE), TTB_BREAKER_REOPENED);
  assert_int_equal(info().opened, 2);
  assert_int_equal(info().retry_after_ms, 1000); /* a whole open time again */
  assert_int_equal(acquire(), TTB_OPEN);
  now += 1000 * MS;
  int64_t r = acquire();
  assert_true(r >= 0);
  assert_int_equal(info().probe_successes, 0); /* the round before counts no more */
}

static void test_unused_probes_come_back(void **state) {
  (void)state;
  half_open();
  for (int i = 0; i < 50; i++) {
    int64_t p = acquire(), q = acquire();
    assert_true(p >= 0 && q >= 0);
    assert_int_equal(acquire(), TTB_HALF_OPEN_FULL);
    assert_int_equal(report(p, TTB_IGNORED), TTB_OK);
    assert_int_equal(report(q, TTB_CANCELLED), TTB_OK);
  }
  assert_int_equal(info().state, TTB_BREAKER_HALF_OPEN);
  assert_int_equal(info().probe_successes, 0);
}

static void test_lease(void **state) {
  (void)state;
  half_open();
  int64_t p = acquire(), q = acquire();
  uint32_t gen = info().generation;
  now += 499 * MS;
  assert_int_equal(acquire(), TTB_HALF_OPEN_FULL);
  assert_int_equal(info().retry_after_ms, 1);
  now += 1 * MS; /* to the millisecond, as the open time */
  int64_t r = acquire();
  assert_true(r >= 0);
  assert_int_equal(info().generation, gen + 1);
  assert_int_equal(info().probes_out, 1);
  assert_int_equal(report(p, TTB_SUCCESS), TTB_STALE);
  assert_int_equal(report(q, TTB_FAILURE), TTB_STALE);
  assert_int_equal(info().state, TTB_BREAKER_HALF_OPEN);
  assert_int_equal(info().probes_out, 1);
  assert_int_equal(info().opened, 1); /* a new round is no new opening */
  assert_int_equal(report(r, TTB_SUCCESS), TTB_OK);
  assert_int_equal(call(TTB_SUCCESS), TTB_BREAKER_RECLOSED);
}

/* Whoever never reports holds nothing beyond the lease, for ever after. */
static void test_lost_probes_never_wedge(void **state) {
  (void)state;
  half_open();
  for (int i = 0; i < 100; i++) {
    assert_true(acquire() >= 0);
    assert_true(acquire() >= 0);
    assert_int_equal(acquire(), TTB_HALF_OPEN_FULL);
    now += 500 * MS;
  }
  call(TTB_SUCCESS);
  assert_int_equal(call(TTB_SUCCESS), TTB_BREAKER_RECLOSED);
}

static void test_results_of_the_closed_state_decide_nothing(void **state) {
  (void)state;
  int64_t old[4];
  for (int i = 0; i < 4; i++) old[i] = acquire();
  half_open();
  int64_t p = acquire();
  assert_int_equal(report(old[0], TTB_SUCCESS), TTB_STALE);
  assert_int_equal(report(old[1], TTB_SUCCESS), TTB_STALE);
  assert_int_equal(report(old[2], TTB_FAILURE), TTB_STALE);
  assert_int_equal(report(old[3], TTB_IGNORED), TTB_STALE);
  assert_int_equal(info().state, TTB_BREAKER_HALF_OPEN);
  assert_int_equal(info().probes_out, 1);
  assert_int_equal(report(p, TTB_SUCCESS), TTB_OK);
  assert_int_equal(stale_count(), 4);
}

/* A round whose last success was counted by a caller that died before closing:
 * the next success closes, and is told so. */
static void test_a_death_between_count_and_close(void **state) {
  (void)state;
  half_open();
  call(TTB_SUCCESS);
  ttb__breaker_slot *s = ttb__breaker_slot_at(ttb__breaker_of(&b), 0);
  ttb__add_rlx(&s->round, 1);
  assert_int_equal(info().probe_successes, 2);
  int64_t p = acquire();
  assert_true(p >= 0);
  assert_int_equal(info().state, TTB_BREAKER_HALF_OPEN); /* nobody swallowed the event */
  assert_int_equal(report(p, TTB_SUCCESS), TTB_BREAKER_RECLOSED);
}

/* ---- tickets ---- */

static void test_double_reports(void **state) {
  (void)state;
  half_open();
  int64_t p = acquire();
  assert_int_equal(report(p, TTB_SUCCESS), TTB_OK);
  assert_int_equal(report(p, TTB_SUCCESS), TTB_STALE);
  assert_int_equal(info().probe_successes, 1);
  int64_t q = acquire(); /* the same probe word, another nonce */
  assert_int_equal(report(p, TTB_FAILURE), TTB_STALE);
  assert_int_equal(info().probes_out, 1);
  assert_int_equal(report(q, TTB_SUCCESS), TTB_BREAKER_RECLOSED);
}

static void test_foreign_tickets(void **state) {
  (void)state;
  assert_int_equal(report(-1, TTB_SUCCESS), TTB_ERR_MISUSE);
  assert_int_equal(report(TTB_OPEN, TTB_SUCCESS), TTB_ERR_MISUSE);
  assert_int_equal(report(INT64_MIN, TTB_SUCCESS), TTB_ERR_MISUSE);
  assert_int_equal(report(1, TTB_SUCCESS), TTB_ERR_RANGE);         /* slot 1 of 1 */
  assert_int_equal(report(INT64_MAX, TTB_SUCCESS), TTB_ERR_RANGE);
  int64_t t = acquire();
  assert_int_equal(report(t, -1), TTB_ERR_RANGE);
  assert_int_equal(report(t, 6), TTB_ERR_RANGE);
  assert_int_equal(report(t, INT32_MAX), TTB_ERR_RANGE);
  /* A probe's ticket while closed, each permit; another generation. */
  for (uint32_t permit = 1; permit <= TTB__MAX_PERMIT; permit += 61)
    assert_int_equal(report(ttb__ticket_pack(0, 0, TTB__NO_ROW, permit), TTB_FAILURE), TTB_STALE);
  for (uint32_t gen = 1; gen < TTB__GEN_MASK; gen += 9973)
    assert_int_equal(report(ttb__ticket_pack(0, gen, TTB__NO_ROW, 0), TTB_FAILURE), TTB_STALE);
  assert_int_equal(info().consecutive, 0);
  assert_int_equal(report(t, TTB_SUCCESS), TTB_OK);

  half_open();
  int64_t p = acquire();
  uint32_t gen = ttb__ticket_unpack(p).gen;
  for (uint32_t permit = 0; permit <= TTB__MAX_PERMIT; permit++) {
    int64_t forged = ttb__ticket_pack(0, gen, TTB__NO_ROW, permit);
    if (forged == p) continue;
    assert_int_equal(report(forged, TTB_FAILURE), TTB_STALE);
    forged = ttb__ticket_pack(0, gen, permit % 255, ttb__ticket_unpack(p).permit);
    assert_int_equal(report(forged, TTB_FAILURE), TTB_STALE);
  }
  assert_int_equal(info().probes_out, 1);
  assert_int_equal(report(p, TTB_SUCCESS), TTB_OK);
}

static void test_slots_out_of_range(void **state) {
  (void)state;
  assert_int_equal(ttb_breaker_acquire(&b, 1, now), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_acquire(&b, UINT32_MAX, now), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_set(&b, 1, TTB_BREAKER_OPEN, now), TTB_ERR_RANGE);
}

static void test_slots_are_apart(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  c.capacity = 5;
  c.failure_rate_ppm = 500000;
  assert_int_equal(start(&c), TTB_OK);
  for (int i = 0; i < 3; i++) {
    int64_t t = ttb_breaker_acquire(&b, 3, now);
    assert_int_equal(ttb_ticket_slot(t), 3);
    ttb_breaker_report(&b, t, TTB_FAILURE, now);
  }
  for (uint32_t slot = 0; slot < 5; slot++) {
    ttb_breaker_info i = {.struct_size = sizeof i};
    assert_int_equal(ttb_breaker_explain(&b, slot, now, &i), TTB_OK);
    assert_int_equal(i.state, slot == 3 ? TTB_BREAKER_OPEN : TTB_BREAKER_CLOSED);
    assert_int_equal(i.calls, slot == 3 ? 3 : 0); /* what opened it */
  }
}

/* ---- by hand ---- */

static void test_set_by_hand(void **state) {
  (void)state;
  int64_t t = acquire();
  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, now), TTB_OK);
  assert_int_equal(info().state, TTB_BREAKER_OPEN);
  assert_int_equal(info().opened, 1);
  assert_int_equal(info().retry_after_ms, 1000);
  assert_int_equal(report(t, TTB_SUCCESS), TTB_STALE);
  now += 1000 * MS;
  assert_int_equal(ttb_breaker_is_probe(acquire()), 1); /* and then as any open one */

  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_FORCED_OPEN, now), TTB_OK);
  now += UINT64_C(86400000) * MS;
  assert_int_equal(acquire(), TTB_OPEN);
  assert_int_equal(info().retry_after_ms, -1);
  assert_int_equal(info().state, TTB_BREAKER_FORCED_OPEN);

  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_DISABLED, now), TTB_OK);
  for (int i = 0; i < 100; i++) assert_int_equal(call(TTB_FAILURE), TTB_OK);
  assert_int_equal(info().state, TTB_BREAKER_DISABLED);
  assert_int_equal(info().consecutive, 0);
  assert_int_equal(info().retry_after_ms, 0);

  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, now), TTB_OK);
  trip();
}

static void test_set_closed_resets(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  c.failure_rate_ppm = 500000;
  assert_int_equal(start(&c), TTB_OK);
  call(TTB_FAILURE), call(TTB_FAILURE);
  assert_int_equal(info().calls, 2);
  int64_t t = acquire();
  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, now), TTB_OK);
  assert_int_equal(info().calls, 0);
  assert_int_equal(info().failures, 0);
  assert_int_equal(info().consecutive, 0);
  assert_int_equal(report(t, TTB_FAILURE), TTB_STALE);
  trip();
}

static void test_set_refuses(void **state) {
  (void)state;
  const int32_t bad[] = {TTB_BREAKER_HALF_OPEN, -1, 5, INT32_MAX, INT32_MIN};
  for (int i = 0; i < 5; i++)
    assert_int_equal(ttb_breaker_set(&b, 0, bad[i], now), TTB_ERR_RANGE);
  assert_int_equal(info().state, TTB_BREAKER_CLOSED);
  assert_int_equal(info().generation, 0);
}

/* ---- time ---- */

static void test_clock_back_while_open(void **state) {
  (void)state;
  trip();
  now -= 1800000 * MS; /* half an hour */
  assert_int_equal(acquire(), TTB_OPEN);
  assert_int_equal(info().retry_after_ms, 1000);
  now += 1000 * MS;
  assert_int_equal(acquire(), TTB_OPEN); /* is it only a late caller? */
  now += 1 * MS;
  assert_true(acquire() >= 0); /* no: and its time counted */
}

static void test_clock_back_while_half_open(void **state) {
  (void)state;
  half_open();
  assert_true(acquire() >= 0 && acquire() >= 0);
  now -= 3000000 * MS;
  assert_int_equal(acquire(), TTB_HALF_OPEN_FULL);
  now += 1001 * MS;
  assert_true(acquire() >= 0);
}

static void test_wild_times(void **state) {
  (void)state;
  const uint64_t wild[] = {0, UINT64_MAX, 1, UINT64_MAX / 2, 0, T0};
  for (int i = 0; i < 6; i++) {
    now = wild[i];
    int64_t t = acquire();
    if (t >= 0) report(t, TTB_FAILURE);
  }
  /* Whatever state that left, an ordinary clock gets it closed again. */
  for (int i = 0; i < 10 && info().state != TTB_BREAKER_CLOSED; i++) {
    for (int k = 0; k < 2; k++) {
      int64_t t = acquire();
      if (t >= 0) report(t, TTB_SUCCESS);
    }
    now += 1001 * MS;
  }
  assert_int_equal(info().state, TTB_BREAKER_CLOSED);
}

/* A caller that read the clock, slept, and meets a deadline set meanwhile: an
 * older time makes the deadline no less binding (I4). */
static void test_deadline_and_an_older_time(void **state) {
  (void)state;
  uint64_t w = ttb__state(7, TTB_BREAKER_OPEN, 5000 + 1000);
  assert_int_equal(ttb__state_remaining(w, 5000, 1000), 1000);
  assert_int_equal(ttb__state_remaining(w, 4999, 1000), 1000);
  assert_int_equal(ttb__state_remaining(w, 0, 1000), 1000);
  assert_int_equal(ttb__state_remaining(w, 5999, 1000), 1);
  assert_int_equal(ttb__state_remaining(w, 6000, 1000), 0);
  assert_int_equal(ttb__state_remaining(w, 6001, 1000), 0);
  assert_int_equal(ttb__state_remaining(w, UINT64_C(1) << 35, 1000), 0);
  /* 36 bits of ms wrap every two years. */
  w = ttb__state(7, TTB_BREAKER_OPEN, (UINT64_C(1) << 36) + 400);
  assert_int_equal(ttb__state_remaining(w, (UINT64_C(1) << 36) - 100, 1000), 500);
  assert_int_equal(ttb__state_remaining(w, (UINT64_C(1) << 36) + 400, 1000), 0);
  /* A deadline no one can have set: over. */
  w = ttb__state(7, TTB_BREAKER_OPEN, UINT64_C(1) << 33);
  assert_int_equal(ttb__state_remaining(w, 5000, 1000), 0);
}

/* ---- generations ---- */

/* 2^20 transitions later the generation has come round. What was counted under
 * it long ago is not what is counted now: every state still works. */
static void test_generations_wrap(void **state) {
  (void)state;
  ttb_breaker_config c = base();
  c.failure_rate_ppm = 1000000;
  c.min_calls = 1000;
  assert_int_equal(start(&c), TTB_OK);
  for (uint32_t i = 0; i < TTB__GEN_MASK - 1; i++)
    assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, now), TTB_OK);
  assert_int_equal(info().generation, TTB__GEN_MASK - 1);
  for (int round = 0; round < 4; round++) {
    call(TTB_FAILURE);
    assert_int_equal(info().calls, 1); /* the window sees the present generation */
    call(TTB_SUCCESS);
    assert_int_equal(info().calls, 2);
    half_open();
    assert_true(acquire() >= 0);
    call(TTB_SUCCESS);
    assert_int_equal(call(TTB_SUCCESS), TTB_BREAKER_RECLOSED);
  }
  assert_true(info().generation < 20);
}

/* A word forgotten for half of all generations is not the future's: probes and
 * counts go on. (A first version refused such probe words for ever.) */
static void test_forgotten_words(void **state) {
  (void)state;
  for (uint32_t gens = 1; gens < TTB__GEN_MASK; gens = gens * 2 + 1) {
    setup(NULL);
    ttb__breaker_slot *s = ttb__breaker_slot_at(ttb__breaker_of(&b), 0);
    half_open();
    uint32_t gen = info().generation + 1;
    ttb__store_rlx(&s->probe[0], ttb__probe((gen + gens) & TTB__GEN_MASK, 3, 7));
    ttb__store_rlx(&s->probe[1], ttb__probe((gen + gens) & TTB__GEN_MASK, 0, 7));
    ttb__store_rlx(&s->round, ttb__count((gen + gens) & TTB__GEN_MASK, 99));
    ttb__store_rlx(&s->streak, ttb__count((gen + 1 + gens) & TTB__GEN_MASK, 99));
    int64_t p = acquire(), q = acquire();
    assert_true(p >= 0 && q >= 0);
    assert_int_equal(acquire(), TTB_HALF_OPEN_FULL);
    assert_int_equal(report(p, TTB_SUCCESS), TTB_OK);
    assert_int_equal(report(q, TTB_SUCCESS), TTB_BREAKER_RECLOSED);
    assert_int_equal(info().consecutive, 0);
    trip();
  }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(test_consecutive_boundary),
      T(test_success_and_slow_end_a_row),
      T(test_ignored_and_cancelled_count_nowhere),
      T(test_rate_boundary),
      T(test_rate_of_one_ppm_and_of_all),
      T(test_either_rule_is_enough),
      T(test_open_ends_at_the_millisecond),
      T(test_open_over_after_any_idle_time),
      T(test_reports_while_open_are_stale),
      T(test_probes_and_closing),
      T(test_one_failed_probe_reopens),
      T(test_unused_probes_come_back),
      T(test_lease),
      T(test_lost_probes_never_wedge),
      T(test_results_of_the_closed_state_decide_nothing),
      T(test_a_death_between_count_and_close),
      T(test_double_reports),
      T(test_foreign_tickets),
      T(test_slots_out_of_range),
      T(test_slots_are_apart),
      T(test_set_by_hand),
      T(test_set_closed_resets),
      T(test_set_refuses),
      T(test_clock_back_while_open),
      T(test_clock_back_while_half_open),
      T(test_wild_times),
      T(test_deadline_and_an_older_time),
      T(test_generations_wrap),
      T(test_forgotten_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
