/* SPDX-License-Identifier: MIT */
/* lib/router/router_view.c: the lag bound that gives way. Cases after Vitess'
 * TestFilterByReplicationLag. */
#include "fleet.h"

static fleet lags(const int64_t *lag_s, uint32_t n, uint32_t min) {
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.max_lag_ms = 30000;
  c.hard_lag_ms = 7200000;
  c.min_replicas = min;
  fleet f = fleet_of(&c);
  for (uint32_t i = 0; i < n; i++) {
    assert_int_equal(add(&f, i + 1), (int32_t)i);
    assert_int_equal(observe(&f, i + 1, R, lag_s[i] * 1000, 0, T0), TTB_OK);
  }
  return f;
}

static uint32_t kept(fleet *f, uint32_t n) {
  uint32_t mask = 0;
  for (uint32_t i = 0; i < n; i++) mask |= (uint32_t)(why(f, NULL, i, T0) == 0) << i;
  return mask;
}

static void test_fill_up(void **state) {
  (void)state;
  static const struct {
    int64_t lag[6];
    uint32_t n, min, expect;
  } v[] = {
      {{1, 1, 1, 2400, 2400, 2400}, 6, 2, 7}, {{1, 2400, 2400, 2400}, 4, 2, 3},
      {{10800, 108000}, 2, 2, 0},             {{1, 1, 600, 660}, 4, 3, 7},
      {{60, 6000}, 2, 1, 1},                  {{6000, 60}, 2, 1, 2},
      {{7200, 7201}, 2, 2, 1},
  };
  for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
    fleet f = lags(v[i].lag, v[i].n, v[i].min);
    assert_int_equal(kept(&f, v[i].n), v[i].expect);
    int32_t to = read_to(&f, NULL, T0);
    if (v[i].expect)
      assert_true(v[i].expect >> to & 1);
    else
      assert_int_equal(to, TTB_TOO_STALE);
    fleet_end(&f);
  }
  (void)state;
}

/* Unhealthy ones neither count nor fill; a bound of the call does not give way. */
static void test_limits_of_it(void **state) {
  (void)state;
  static const int64_t lag[] = {1, 100, 200};
  fleet f = lags(lag, 3, 2);
  assert_int_equal(kept(&f, 3), 3);
  assert_int_equal(ttb_router_drain(&f.shared, 2, 1), TTB_OK);
  assert_int_equal(kept(&f, 3), 5);
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  w.max_lag_ms = 30000;
  assert_int_equal(why(&f, &w, 2, T0), TTB_ROUTER_LAGGING);
  assert_int_equal(read_to(&f, &w, T0), 0);
  fleet_end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fill_up),
      cmocka_unit_test(test_limits_of_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
