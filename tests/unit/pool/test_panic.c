/* SPDX-License-Identifier: MIT */
/* Unit tests of the balancer's levels and panic in a pool. */
#include "fixture.h"

static void fail_probes(fleet *f, uint32_t from, uint32_t to) {
  for (int round = 0; round < 10; round++)
    for (uint32_t s = from; s < to; s++) {
      vclock_ms(&f->clock, 10);
      (void)ttb_pool_probe_result(&f->mine, s, TTB_FAILURE, 1000, f->clock.now_ns);
    }
  (void)ttb_pool_tick(&f->mine, f->clock.now_ns);
}

static uint32_t reached(fleet *f) {
  uint32_t slots = 0;
  for (int i = 0; i < 400; i++) {
    int32_t s = fleet_call(f, TTB_SUCCESS);
    if (s >= 0) slots |= 1u << s;
  }
  return slots;
}

/* Most fail their probes: without levels the rest carries all, with levels everybody does. */
static void test_panic(void **state) {
  (void)state;
  for (int levels = 0; levels <= 1; levels++) {
    fleet f;
    ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
    ttb_balancer_config b = TTB_CONFIG(ttb_balancer_config);
    b.flags = levels ? TTB_BALANCER_LEVELS : 0;
    c.balancer = &b;
    c.probing = TTB_POOL_PROBE_ACTIVE;
    fleet_open(&f, &c, 5);
    assert_int_equal(reached(&f), 31);
    fail_probes(&f, 0, 4);
    for (uint32_t s = 0; s < 4; s++) assert_true(fleet_row(&f, s).causes & TTB_CAUSE_PROBE);
    assert_int_equal(reached(&f), levels ? 31 : 16);
    fail_probes(&f, 4, 5);
    assert_int_equal(reached(&f), levels ? 31 : 0);
    if (!levels) assert_int_equal(fleet_call(&f, TTB_SUCCESS), TTB_NO_ENDPOINT);
    fleet_close(&f);
  }
}

/* A circuit that is open stays so, whoever panics. */
static void test_open_circuits(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  ttb_balancer_config b = TTB_CONFIG(ttb_balancer_config);
  b.flags = TTB_BALANCER_LEVELS;
  c.balancer = &b;
  c.probing = TTB_POOL_PROBE_ACTIVE;
  fleet_open(&f, &c, 5);
  for (int i = 0; i < 2000 && fleet_call(&f, TTB_FAILURE) >= 0; i++) continue;
  assert_int_equal(fleet_call(&f, TTB_SUCCESS), TTB_NO_ENDPOINT);
  for (uint32_t s = 0; s < 5; s++) assert_true(fleet_row(&f, s).causes & TTB_CAUSE_BREAKER);
  fleet_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_panic),
      cmocka_unit_test(test_open_circuits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
