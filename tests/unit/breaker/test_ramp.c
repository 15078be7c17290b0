/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/ramp.c: the share that passes after closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/breaker/breaker.h"

#define MS UINT64_C(1000000)
#define START (UINT64_C(5000) * 1000 * MS)

static _Alignas(64) unsigned char memory[65536];
static ttb_breaker b;
static uint64_t now;

/* Closed by a probe at `now`. */
static void closed(int32_t ramp_ms, int32_t start_ppm) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.failure_rate_ppm = TTB_OFF;
  c.ramp_ms = ramp_ms, c.ramp_start_ppm = start_ppm;
  assert_int_equal(ttb_breaker_init(&b, memory, sizeof memory, &c), TTB_OK);
  now = START;
  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, now), TTB_OK);
  now += 5000 * MS;
  int64_t t = ttb_breaker_acquire(&b, 0, now);
  assert_int_equal(ttb_breaker_report(&b, t, TTB_SUCCESS, now), TTB_BREAKER_RECLOSED);
}

static int passes_of(int n) {
  int passed = 0;
  for (int i = 0; i < n; i++) {
    int64_t t = ttb_breaker_acquire(&b, 0, now);
    assert_true(t >= 0 || t == TTB_THROTTLED);
    passed += t >= 0;
  }
  return passed;
}

static void test_off(void **state) {
  (void)state;
  closed(TTB_OFF, 0);
  assert_int_equal(passes_of(1000), 1000);
}

static void test_share_grows(void **state) {
  (void)state;
  closed(10000, 200000);
  for (int ms = 0; ms < 10000; ms += 500) {
    assert_in_range(passes_of(1000), 200 + ms * 8 / 100 - 6, 200 + ms * 8 / 100 + 6);
    now += 500 * MS;
  }
  assert_int_equal(passes_of(1000), 1000);
  ttb_breaker_stats s = {.struct_size = sizeof s};
  assert_int_equal(ttb_breaker_statistics(&b, &s), TTB_OK);
  assert_true(s.refused > 0);
}

/* Evenly: of any ten calls about half, and no period of two. */
static void test_evenly_spread(void **state) {
  (void)state;
  closed(3600000, 500000);
  for (int i = 0; i < 100; i++) assert_in_range(passes_of(10), 4, 6);
  int odd = 0;
  for (int i = 0; i < 1000; i++) {
    (void)passes_of(1);
    odd += passes_of(1);
  }
  assert_in_range(odd, 470, 530);
}

/* What passes is an ordinary call: it may open the breaker, also in the ramp;
 * the end of the ramp is no transition. */
static void test_the_rest_goes_on(void **state) {
  (void)state;
  ttb_breaker_info i = {.struct_size = sizeof i};
  closed(1000, 1000000);
  int64_t t = ttb_breaker_acquire(&b, 0, now);
  assert_int_equal(ttb_breaker_is_probe(t), 0);
  assert_int_equal(ttb_breaker_peek(&b, 0, now), TTB_OK);
  now += 1000 * MS;
  assert_true(ttb_breaker_acquire(&b, 0, now) >= 0); /* ends the ramp */
  for (int k = 0; k < 5; k++)
    assert_int_equal(ttb_breaker_report(&b, t, TTB_FAILURE, now), k == 4 ? TTB_BREAKER_OPENED : 0);
  ttb_breaker_explain(&b, 0, now, &i);
  assert_int_equal(i.state, TTB_BREAKER_OPEN);
  closed(1000, 1000000);
  for (int k = 0; k < 5; k++)
    assert_int_equal(ttb_breaker_report(&b, ttb_breaker_acquire(&b, 0, now), TTB_FAILURE, now),
                     k == 4 ? TTB_BREAKER_OPENED : 0);
  ttb_breaker_explain(&b, 0, now, &i);
  assert_int_equal(i.probe_successes, 0); /* the ramp's count is not a round's */
  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, now), TTB_OK); /* by hand: no ramp */
  closed(1000, 1);
  assert_int_equal(ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, now), TTB_OK);
  assert_int_equal(passes_of(100), 100);
}

/* A late caller (I4 in breaker.h) is taken for one at the moment of closing. */
static void test_late_caller(void **state) {
  (void)state;
  closed(1000, 1);
  const ttb__breaker *in = ttb__breaker_of(&b);
  ttb__breaker_slot *s = ttb__breaker_slot_at(in, 0);
  uint64_t w = ttb__load_rlx(&s->state);
  assert_true(!ttb__state_passes(w) && ttb__state_kind(w) == TTB_BREAKER_CLOSED);
  assert_int_equal(ttb__closed_for(w, (w & TTB__DEADLINE_MASK) - 5), 0);
  assert_true(ttb__breaker_ramp_passes(in, s, 1, 1, 1000));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_off),
      cmocka_unit_test(test_share_grows),
      cmocka_unit_test(test_evenly_spread),
      cmocka_unit_test(test_the_rest_goes_on),
      cmocka_unit_test(test_late_caller),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
