/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/knative.c: stable, panic, rates, delay. */
#include <trimtab/knative.h>

#include "../../../lib/autoscaler/knative.h"

#include "fixture.h"

static ttb_knative k;
static ttb_knative_config c;

static void begin(int32_t ready) {
  c = TTB_CONFIG(ttb_knative_config);
  c.target_milli = 10000;
  assert_int_equal(ttb_knative_start(&k, &c, ready, 1000 * SECOND), TTB_OK);
}

static ttb_knative_decision decide(int32_t ready, int64_t stable, int64_t panic, uint64_t second) {
  ttb_knative_input in = TTB_CONFIG(ttb_knative_input);
  ttb_knative_decision d = TTB_CONFIG(ttb_knative_decision);
  in.ready = ready;
  in.stable_milli = stable * 1000;
  in.panic_milli = panic * 1000;
  assert_int_equal(ttb_knative_decide(&k, &c, &in, second * SECOND, &d), TTB_OK);
  return d;
}

static void test_panic(void **unused) {
  (void)unused;
  begin(1);
  ttb_knative_decision d = decide(1, 15, 15, 1000);
  assert_int_equal(d.desired, 2);
  assert_int_equal(d.panicking, 1); /* 2 of 1 is 200 % */
  d = decide(10, 30, 199, 1002);    /* 20 of 10 */
  assert_int_equal(d.desired, 20);
  assert_int_equal(d.panic_maximum, 20);
  d = decide(20, 30, 10, 1010); /* over, but not for long enough */
  assert_int_equal(d.desired, 20);
  assert_int_equal(d.panic_age_ms, 8000);
  assert_int_equal(d.next_change_ms, 52001);
  assert_int_equal(decide(20, 30, 10, 1062).desired, 20);
  d = decide(20, 30, 10, 1063);
  assert_int_equal(d.panicking, 0);
  assert_int_equal(d.desired, 10); /* half a tick, no more */
  assert_int_equal(d.least, 10);
  c.unreachable = 1;
  assert_int_equal(decide(20, 30, 10, 1064).desired, 3);
}

static void test_rates(void **unused) {
  (void)unused;
  begin(0);
  c.up_rate_milli = 1100;
  ttb_knative_decision d = decide(110, 2000, 0, 1001);
  assert_int_equal(d.most, 122); /* 1.1 * 110 is a bit above 121 in double */
  assert_int_equal(d.desired, 122);
  c.activation = 5;
  assert_int_equal(decide(1, 1, 0, 1002).desired, 5);
  assert_int_equal(decide(1, 0, 0, 1003).desired, 0);
  c.min_replicas = 1;
  assert_int_equal(decide(1, 0, 0, 1004).desired, 1);
  c.max_replicas = 3;
  assert_int_equal(decide(1, 1, 0, 1005).desired, 3);
}

static void test_delay(void **unused) {
  (void)unused;
  begin(0);
  c.delay_ms = 10000;
  assert_int_equal(decide(4, 40, 0, 1000).desired, 4);
  ttb_knative_decision d = decide(4, 20, 0, 1005);
  assert_int_equal(d.desired, 4);
  assert_int_equal(d.delayed, 1);
  assert_int_equal(d.next_change_ms, 5000);
  assert_int_equal(decide(4, 20, 0, 1009).desired, 4);
  assert_int_equal(decide(4, 20, 0, 1010).desired, 2);
}

static void test_burst(void **unused) {
  (void)unused;
  begin(0);
  assert_int_equal(decide(3, 1, 1, 1000).excess_burst_milli, 0);
  c.burst_milli = TTB_OFF;
  assert_int_equal(decide(3, 1, 1, 1000).excess_burst_milli, -1000);
  c.burst_milli = 20000;
  assert_int_equal(decide(3, 1, 5, 1000).excess_burst_milli, 3 * 14285 - 25000);
  c.total_milli = INT64_MAX;
  assert_true(decide(3, 1, 5, 1000).excess_burst_milli == INT64_MAX - 25000);
  c.burst_milli = INT64_MAX;
  c.total_milli = 1;
  assert_true(decide(0, 1, INT64_MAX / 1000, 1000).excess_burst_milli < 0);
}

static void test_extremes(void **unused) {
  (void)unused;
  begin(10000000);
  c.up_rate_milli = 1000000000;
  c.target_milli = 1;
  ttb_knative_decision d = decide(10000000, INT64_MAX / 1000, INT64_MAX / 1000, 1001);
  assert_int_equal(d.desired, INT32_MAX);
  begin(1);
  d = decide(1, INT64_MIN / 1000, -5, 1001);
  assert_int_equal(d.desired, 0);
  d = decide(1, 15, 0, 500); /* an earlier time is the last */
  assert_int_equal(d.valid, 1);
  assert_int_equal(decide(TTB_OFF, 15, 15, 1002).valid, 0);
  memset(&k, 0xff, sizeof k); /* hostile bytes: wrong, but harmless */
  ((ttb__knative *)(void *)&k)->tag = TTB__KNATIVE_TAG;
  c.delay_ms = 3600000;
  for (uint64_t s = 0; s < 10000; s++) (void)decide(1, 15, 15, s);
}

static void test_misuse(void **unused) {
  (void)unused;
  begin(1);
  ttb_knative_input in = TTB_CONFIG(ttb_knative_input);
  ttb_knative_decision d = TTB_CONFIG(ttb_knative_decision);
  assert_int_equal(ttb_knative_decide(NULL, &c, &in, 0, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_knative_decide(&(ttb_knative){{0}}, &c, &in, 0, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_knative_decide(&k, NULL, &in, 0, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_knative_decide(&k, &c, NULL, 0, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_knative_decide(&k, &c, &in, 0, NULL), TTB_ERR_MISUSE);
  in.ready = -2;
  assert_int_equal(ttb_knative_decide(&k, &c, &in, 0, &d), TTB_ERR_RANGE);
  in.ready = 1;
  c.target_milli = 0;
  assert_int_equal(ttb_knative_decide(&k, &c, &in, 0, &d), TTB_ERR_RANGE);
  c.target_milli = 1;
  c.min_replicas = 2;
  c.max_replicas = 1;
  assert_int_equal(ttb_knative_start(&k, &c, 0, 0), TTB_ERR_RANGE);
  c.max_replicas = 2;
  assert_int_equal(ttb_knative_start(&k, &c, -2, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_knative_start(NULL, &c, 0, 0), TTB_ERR_MISUSE);
  c.reserved = 1;
  assert_int_equal(ttb_knative_start(&k, &c, 0, 0), TTB_ERR_UNSUPPORTED);
  d.struct_size = 8;
  c.reserved = 0;
  assert_int_equal(ttb_knative_decide(&k, &c, &in, 0, &d), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_panic), cmocka_unit_test(test_rates),    cmocka_unit_test(test_delay),
      cmocka_unit_test(test_burst), cmocka_unit_test(test_extremes), cmocka_unit_test(test_misuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
