/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/rules.h: slow calls, any or all, the boundaries on
 * which systems differ, rounds judged by rates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../lib/breaker/rules.h"

#define MS UINT64_C(1000000)
#define NOW (UINT64_C(5000) * 1000 * MS)

static _Alignas(64) unsigned char memory[65536];

static ttb_breaker_config rates(int32_t failures, int32_t slow, uint32_t min_calls) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.consecutive = TTB_OFF;
  c.failure_rate_ppm = failures, c.slow_rate_ppm = slow, c.min_calls = min_calls;
  return c;
}

static ttb_breaker made(const ttb_breaker_config *c) {
  ttb_breaker b;
  assert_int_equal(ttb_breaker_init(&b, memory, sizeof memory, c), TTB_OK);
  return b;
}

/* Calls by letters, s S f i: success, slow, failure, ignored. The index of the
 * one that made a transition, -1 if none did; *what: which. */
static int calls(ttb_breaker *b, const char *letters, int32_t *what) {
  for (int i = 0; letters[i]; i++) {
    int32_t outcome = letters[i] == 's'   ? TTB_SUCCESS
                      : letters[i] == 'S' ? TTB_SLOW
                      : letters[i] == 'f' ? TTB_FAILURE
                                          : TTB_IGNORED;
    int64_t t = ttb_breaker_acquire(b, 0, NOW);
    assert_true(t >= 0);
    *what = ttb_breaker_report(b, t, outcome, NOW);
    assert_true(*what >= 0);
    if (*what > 0) return i;
  }
  return -1;
}

static int opens_at(const ttb_breaker_config *c, const char *letters) {
  int32_t what;
  ttb_breaker b = made(c);
  int at = calls(&b, letters, &what);
  if (at >= 0) assert_int_equal(what, TTB_BREAKER_OPENED);
  return at;
}

static void test_slow_calls_open(void **state) {
  (void)state;
  ttb_breaker_config c = rates(TTB_OFF, 500000, 4);
  assert_int_equal(opens_at(&c, "SSsS"), 3);
  assert_int_equal(opens_at(&c, "ssssSSSS"), 7);
  assert_int_equal(opens_at(&c, "SSsssS"), 5);
  assert_int_equal(opens_at(&c, "SSSsssf"), -1); /* only a slow call does */
  assert_int_equal(opens_at(&c, "SfffffffSSSS"), -1);
  assert_int_equal(opens_at(&c, "SiSiSiii"), -1);
  c.slow_rate_ppm = 1000000; /* all of them, resilience4j's default */
  assert_int_equal(opens_at(&c, "SSSS"), 3);
  assert_int_equal(opens_at(&c, "SSSsSSSS"), -1);
}

static void test_slow_without_its_rule_is_a_success(void **state) {
  (void)state;
  ttb_breaker_config c = rates(500000, TTB_OFF, 4);
  assert_int_equal(opens_at(&c, "ffSSSSSSSf"), -1);
  assert_int_equal(opens_at(&c, "ffS"), -1);
}

static void test_slow_is_explained(void **state) {
  (void)state;
  int32_t what;
  ttb_breaker_config c = rates(900000, 900000, 4);
  ttb_breaker b = made(&c);
  ttb_breaker_info i = {.struct_size = sizeof i};
  calls(&b, "Ssf", &what);
  ttb_breaker_explain(&b, 0, NOW, &i);
  assert_int_equal(i.calls, 3);
  assert_int_equal(i.slow, 1);
  assert_int_equal(i.slow_rate_ppm, -1);
  calls(&b, "s", &what);
  ttb_breaker_explain(&b, 0, NOW, &i);
  assert_int_equal(i.slow_rate_ppm, 250000);
  assert_int_equal(i.failure_rate_ppm, 250000);
  ttb_breaker_explain(&b, 0, NOW + 10000 * MS, &i); /* left the window together */
  assert_int_equal(i.calls + i.slow + i.failures, 0);
  ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, NOW); /* as does a reset */
  ttb_breaker_explain(&b, 0, NOW, &i);
  assert_int_equal(i.calls + i.slow, 0);
}

/* 600,000 slow of 1,200,000 calls in one bucket: halved together, to a half. */
static void test_slow_is_halved_with_its_bucket(void **state) {
  (void)state;
  int32_t what;
  ttb_breaker_config c = rates(TTB_OFF, 600000, 20);
  ttb_breaker b = made(&c);
  for (int i = 0; i < 120000; i++) assert_int_equal(calls(&b, "sSsSsSsSsS", &what), -1);
  ttb_breaker_info i = {.struct_size = sizeof i};
  ttb_breaker_explain(&b, 0, NOW, &i);
  assert_true(i.calls > 100000 && i.calls < 262144);
  assert_in_range(i.slow_rate_ppm, 499900, 500100);
}

/* Two threads with a stripe each, of which one is busier: what one stripe halves
 * the other and the slow calls follow. */
static void test_stripes_are_halved_together(void **state) {
  (void)state;
  ttb_breaker_config c = rates(TTB_OFF, 1000000, 20);
  c.stripes = 2;
  c.flags = TTB_BREAKER_RATE_ABOVE; /* so that it never opens */
  ttb_breaker b = made(&c), one, two;
  assert_int_equal(ttb_breaker_join(&b, 1, &one), TTB_OK);
  assert_int_equal(ttb_breaker_join(&b, 2, &two), TTB_OK);
  int32_t what;
  for (int i = 0; i < 60000; i++) {
    assert_int_equal(calls(&one, "SSSSSSSSSS", &what), -1);
    assert_int_equal(calls(&two, "sSSS", &what), -1);
  }
  ttb_breaker_info i = {.struct_size = sizeof i};
  ttb_breaker_explain(&b, 0, NOW, &i);
  assert_in_range(i.calls, 100000, 2 * 262144);
  assert_in_range(i.slow_rate_ppm, 928400, 928700); /* 13 of 14 */
}

/* Killed between the halvings slow reads up to twice: never above the calls. */
static void test_slow_never_exceeds_the_calls(void **state) {
  (void)state;
  ttb_breaker_config c = rates(TTB_OFF, 1000000, 1000);
  ttb_breaker b = made(&c);
  ttb__breaker *p = ttb__breaker_of(&b);
  ttb__breaker_slot *s = ttb__breaker_slot_at(p, 0);
  ttb__window win = ttb__breaker_window(p, s);
  for (int i = 0; i < 3; i++) ttb__window_add_plane(win, TTB__PLANE_SLOW, 5, 1);
  ttb__window_add(win, 0, 5, 0);
  assert_int_equal(ttb__breaker_slow(p, s, 0, 5, 1), 1);
  uint32_t later = 5 + TTB__BUCKETS * 2;
  ttb__window_add_plane(win, TTB__PLANE_SLOW, later - 1, 1); /* another word; 5 has left */
  assert_int_equal(ttb__breaker_slow(p, s, 0, later - 1, 9), 1);
  ttb__window_add_plane(win, TTB__PLANE_SLOW, later, 1); /* taken over, not added to */
  assert_int_equal(ttb__breaker_slow(p, s, 0, later, 9), 2);
  ttb__window_add_plane(win, TTB__PLANE_SLOW, 5, 1); /* far too late: counts nowhere */
  assert_int_equal(ttb__breaker_slow(p, s, 0, later, 9), 2);
  ttb__window_halve_rest(win, win.buckets, 5); /* no longer that turn */
  assert_int_equal(ttb__breaker_slow(p, s, 0, later, 9), 2);
}

static void test_all(void **state) {
  (void)state;
  ttb_breaker_config c = rates(500000, TTB_OFF, 4);
  c.consecutive = 3;
  assert_int_equal(opens_at(&c, "fff"), 2);
  assert_int_equal(opens_at(&c, "ssff"), 3);
  c.flags = TTB_BREAKER_ALL;
  assert_int_equal(opens_at(&c, "fff"), -1);  /* too few calls */
  assert_int_equal(opens_at(&c, "ffff"), 3);
  assert_int_equal(opens_at(&c, "ffsff"), -1); /* 80 %, but no three in a row */
  assert_int_equal(opens_at(&c, "ffsfff"), 5);
  assert_int_equal(opens_at(&c, "sssssfff"), -1); /* in a row, but 37 % */
  c = rates(500000, TTB_OFF, 4), c.flags = TTB_BREAKER_ALL;
  assert_int_equal(opens_at(&c, "fffS"), -1); /* a slow success is a success here */
  assert_int_equal(opens_at(&c, "fffSf"), 4);
  c = rates(500000, 250000, 4), c.flags = TTB_BREAKER_ALL;
  assert_int_equal(opens_at(&c, "ffff"), -1);
  assert_int_equal(opens_at(&c, "fffS"), 3); /* heard at the other's outcome, too */
  assert_int_equal(opens_at(&c, "Ssff"), 3);
  c.failure_rate_ppm = TTB_OFF; /* all of one */
  assert_int_equal(opens_at(&c, "sssS"), 3);
}

static void test_rate_above(void **state) {
  (void)state;
  ttb_breaker_config c = rates(500000, TTB_OFF, 2);
  assert_int_equal(opens_at(&c, "sf"), 1);
  c.flags = TTB_BREAKER_RATE_ABOVE;
  assert_int_equal(opens_at(&c, "sf"), -1);
  assert_int_equal(opens_at(&c, "sff"), 2);
  c.failure_rate_ppm = 1000000; /* nothing is above all */
  assert_int_equal(opens_at(&c, "ffffffff"), -1);
}

/* resilience4j looks after every call, Polly after failures. */
static void test_trip_on_success(void **state) {
  (void)state;
  ttb_breaker_config c = rates(500000, TTB_OFF, 5);
  assert_int_equal(opens_at(&c, "fffss"), -1);
  assert_int_equal(opens_at(&c, "fffSS"), -1);
  c.flags = TTB_BREAKER_TRIP_ON_SUCCESS;
  assert_int_equal(opens_at(&c, "fffss"), 4);
  assert_int_equal(opens_at(&c, "fffSS"), 4);
  c.slow_rate_ppm = 500000;
  assert_int_equal(opens_at(&c, "fSSSs"), 4);
  assert_int_equal(opens_at(&c, "fSSSf"), 4);
  c.consecutive = 2; /* a success ends the row before it is looked at */
  assert_int_equal(opens_at(&c, "fsfs"), -1);
}

static void test_metrics_only(void **state) {
  (void)state;
  int32_t what;
  ttb_breaker_config c = rates(500000, TTB_OFF, 4);
  c.flags = TTB_BREAKER_METRICS_ONLY;
  ttb_breaker b = made(&c);
  ttb_breaker_info i = {.struct_size = sizeof i};
  assert_int_equal(calls(&b, "ffff" "ffff" "fff", &what), -1);
  ttb_breaker_explain(&b, 0, NOW, &i);
  assert_int_equal(i.state, TTB_BREAKER_CLOSED);
  assert_int_equal(i.opened, 2); /* would have, and began anew each time */
  assert_int_equal(i.failures, 3);
  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, NOW), TTB_OK); /* by hand it does */
  assert_int_equal(ttb_breaker_acquire(&b, 0, NOW), TTB_OPEN);
}

/* ---- rounds ---- */

static int round_ends_at(const ttb_breaker_config *c, const char *letters, int32_t *what) {
  ttb_breaker b = made(c);
  ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, NOW - c->open_ms * MS);
  return calls(&b, letters, what);
}

static void ends(const ttb_breaker_config *c, const char *letters, int at, int32_t want) {
  int32_t what = 0;
  assert_int_equal(round_ends_at(c, letters, &what), at);
  if (at >= 0) assert_int_equal(what, want);
}
#define CLOSES(letters, at) ends(&c, letters, at, TTB_BREAKER_RECLOSED)
#define REOPENS(letters, at) ends(&c, letters, at, TTB_BREAKER_REOPENED)
#define GOES_ON(letters) ends(&c, letters, -1, 0)

static void test_round_by_rate(void **state) {
  (void)state;
  ttb_breaker_config c = rates(500000, TTB_OFF, 5);
  c.open_ms = 1000, c.half_open_calls = 4;
  REOPENS("fffs", 3);
  REOPENS("ffff", 3); /* only when all are in, as resilience4j */
  REOPENS("sffs", 3);
  CLOSES("sfss", 3);
  CLOSES("fsisiss", 5); /* ignored ones are not of the four */
  CLOSES("SSSS", 3);
  GOES_ON("fff");
  c.flags = TTB_BREAKER_EARLY_VERDICT;
  REOPENS("ff", 1);
  REOPENS("fsf", 2);
  CLOSES("sss", 2);
  CLOSES("fsss", 3);
  GOES_ON("fs");
  c.flags |= TTB_BREAKER_RATE_ABOVE;
  GOES_ON("ff");
  REOPENS("fff", 2);
  CLOSES("ss", 1);
  CLOSES("ffss", 3);
}

static void test_round_by_slow_rate(void **state) {
  (void)state;
  ttb_breaker_config c = rates(500000, 500000, 5);
  c.open_ms = 1000, c.half_open_calls = 4;
  REOPENS("SSSs", 3);
  CLOSES("Ssss", 3);
  CLOSES("Sfss", 3); /* each a quarter */
  c.flags = TTB_BREAKER_EARLY_VERDICT;
  REOPENS("SS", 1);
  GOES_ON("Sfs"); /* one more of either would be too many */
  CLOSES("sss", 2);
  c.half_open_calls = TTB_OFF, c.flags = 0; /* by count: a slow probe is no good one */
  REOPENS("S", 0);
  c.slow_rate_ppm = TTB_OFF;
  CLOSES("S", 0);
}

static void test_round_is_explained(void **state) {
  (void)state;
  int32_t what;
  ttb_breaker_config c = rates(500000, 1000000, 5);
  c.half_open_calls = 10, c.half_open_probes = 3;
  ttb_breaker b = made(&c);
  ttb_breaker_info i = {.struct_size = sizeof i};
  ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, NOW - 5000 * MS);
  calls(&b, "sfSssfi", &what);
  ttb_breaker_explain(&b, 0, NOW, &i);
  assert_int_equal(i.probe_calls, 6);
  assert_int_equal(i.probe_failures, 2);
  assert_int_equal(i.probe_slow, 1);
  assert_int_equal(i.probe_successes, 4);
  calls(&b, "ssss", &what);
  ttb_breaker_explain(&b, 0, NOW, &i);
  assert_int_equal(i.state, TTB_BREAKER_CLOSED);
  assert_int_equal(i.probe_calls + i.probe_failures + i.probe_slow + i.probe_successes, 0);
}

/* Hostile bytes: a round that is full already counts no further. */
static void test_round_word_is_full(void **state) {
  (void)state;
  int32_t what;
  ttb_breaker_config c = rates(500000, TTB_OFF, 5);
  c.half_open_calls = 10000, c.open_ms = 1000;
  ttb_breaker b = made(&c);
  ttb__breaker_slot *s = ttb__breaker_slot_at(ttb__breaker_of(&b), 0);
  ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, NOW - 1000 * MS);
  assert_int_equal(calls(&b, "i", &what), -1);
  uint32_t gen = ttb__word_gen(ttb__load_rlx(&s->state));
  ttb__round full = {TTB__ROUND_MASK, 1, 0};
  ttb__store_rlx(&s->round, ttb__round_word(gen, full));
  assert_int_equal(calls(&b, "f", &what), 0);
  assert_int_equal(what, TTB_BREAKER_RECLOSED);
  assert_int_equal(ttb__round_of(ttb__load_rlx(&s->round), gen).failures, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_slow_calls_open),
      cmocka_unit_test(test_slow_without_its_rule_is_a_success),
      cmocka_unit_test(test_slow_is_explained),
      cmocka_unit_test(test_slow_is_halved_with_its_bucket),
      cmocka_unit_test(test_stripes_are_halved_together),
      cmocka_unit_test(test_slow_never_exceeds_the_calls),
      cmocka_unit_test(test_all),
      cmocka_unit_test(test_rate_above),
      cmocka_unit_test(test_trip_on_success),
      cmocka_unit_test(test_metrics_only),
      cmocka_unit_test(test_round_by_rate),
      cmocka_unit_test(test_round_by_slow_rate),
      cmocka_unit_test(test_round_is_explained),
      cmocka_unit_test(test_round_word_is_full),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
