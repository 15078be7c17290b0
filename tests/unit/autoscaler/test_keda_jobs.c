/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/keda_jobs.c: how many jobs to create. */
#include <trimtab/keda.h>

#include "fixture.h"

static ttb_keda_jobs_decision jobs(uint32_t strategy, int64_t wanted, int64_t running,
                                   int64_t pending) {
  ttb_keda_jobs_config c = TTB_CONFIG(ttb_keda_jobs_config);
  ttb_keda_jobs_input in = {sizeof in, 1, 1000, wanted, running, pending};
  ttb_keda_jobs_decision d = TTB_CONFIG(ttb_keda_jobs_decision);
  c.strategy = strategy;
  c.max_replicas = 10;
  c.deduction = 1;
  c.running_ppm = 500000;
  assert_int_equal(ttb_keda_jobs(&c, &in, &d), TTB_OK);
  return d;
}

static void test_strategies(void **unused) {
  (void)unused;
  assert_int_equal(jobs(0, 8, 3, 2).create, 5);
  assert_int_equal(jobs(0, 3, 8, 2).effective, -5);
  assert_int_equal(jobs(0, 3, 8, 2).create, 0);
  assert_int_equal(jobs(TTB_KEDA_JOBS_CUSTOM, 8, 3, 2).create, 6); /* 8 - 1 - 1.5 cut */
  assert_int_equal(jobs(TTB_KEDA_JOBS_CUSTOM, 80, 3, 2).create, 10);
  assert_int_equal(jobs(TTB_KEDA_JOBS_ACCURATE, 8, 3, 2).create, 6);
  assert_int_equal(jobs(TTB_KEDA_JOBS_ACCURATE, 10, 3, 2).create, 7);
  assert_int_equal(jobs(TTB_KEDA_JOBS_EAGER, 8, 3, 2).create, 5);
  assert_int_equal(jobs(TTB_KEDA_JOBS_EAGER, 4, 3, 2).create, 4);
  assert_int_equal(jobs(TTB_KEDA_JOBS_EAGER, 4, 3, 2).scale_to, 10);
  assert_int_equal(jobs(0, INT64_MAX, INT64_MIN, 0).create, 1000);
  assert_true(jobs(TTB_KEDA_JOBS_CUSTOM, INT64_MIN, INT64_MAX, INT64_MAX).effective < 0);
}

static void test_minimum(void **unused) {
  (void)unused;
  ttb_keda_jobs_config c = TTB_CONFIG(ttb_keda_jobs_config);
  ttb_keda_jobs_input in = {sizeof in, 1, 9, 9, 2, 0};
  ttb_keda_jobs_decision d = TTB_CONFIG(ttb_keda_jobs_decision);
  c.min_replicas = 5;
  assert_int_equal(ttb_keda_jobs(&c, &in, &d), TTB_OK);
  assert_int_equal(d.create, 3); /* first filled up */
  in.running = 6;
  assert_int_equal(ttb_keda_jobs(&c, &in, &d), TTB_OK);
  assert_int_equal(d.create, 8); /* one of them is for the queue */
  in.active = 0;
  assert_int_equal(ttb_keda_jobs(&c, &in, &d), TTB_OK);
  assert_int_equal(d.create, 0);
}

static void combine(uint32_t how, int64_t queue, int64_t wanted) {
  static const ttb_keda_trigger t[] = {{sizeof *t, 1, 20000, 1000},
                                       {sizeof *t, 1, 10500, 2000},
                                       {sizeof *t, 0, 1000, 1000},
                                       {sizeof *t, 1, 5000, 3000}};
  ttb_keda_jobs_config c = TTB_CONFIG(ttb_keda_jobs_config);
  ttb_keda_jobs_input in = TTB_CONFIG(ttb_keda_jobs_input);
  in.running = 77;
  assert_int_equal(ttb_keda_triggers(&c, t, 4, how, &in), TTB_OK);
  assert_int_equal(in.queue, queue);
  assert_int_equal(in.wanted, wanted);
  assert_int_equal(in.active, 1);
  assert_int_equal(in.running, 77); /* not its business */
}

static void test_triggers(void **unused) {
  (void)unused;
  combine(TTB_KEDA_MAX, 20, 20);
  combine(TTB_KEDA_MIN, 5, 2);
  combine(TTB_KEDA_AVG, 12, 10); /* 35.5 / 3 and 28 / 3, up */
  combine(TTB_KEDA_SUM, 36, 28);
  ttb_keda_jobs_config c = TTB_CONFIG(ttb_keda_jobs_config);
  ttb_keda_jobs_input in = TTB_CONFIG(ttb_keda_jobs_input);
  assert_int_equal(ttb_keda_triggers(&c, NULL, 0, TTB_KEDA_SUM, &in), TTB_OK);
  assert_int_equal(in.active, 0);
  c.min_replicas = 1;
  assert_int_equal(ttb_keda_triggers(&c, NULL, 0, TTB_KEDA_AVG, &in), TTB_OK);
  assert_int_equal(in.active, 1);
}

static void test_misuse(void **unused) {
  (void)unused;
  ttb_keda_jobs_config c = TTB_CONFIG(ttb_keda_jobs_config);
  ttb_keda_jobs_input in = TTB_CONFIG(ttb_keda_jobs_input);
  ttb_keda_jobs_decision d = TTB_CONFIG(ttb_keda_jobs_decision);
  ttb_keda_trigger t = {sizeof t, 1, 1, 0};
  assert_int_equal(ttb_keda_jobs(NULL, &in, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_keda_jobs(&c, NULL, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_keda_jobs(&c, &in, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_keda_triggers(&c, NULL, 1, 1, &in), TTB_ERR_MISUSE);
  assert_int_equal(ttb_keda_triggers(&c, &t, 1, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_keda_triggers(&c, &t, 1, 1, &in), TTB_ERR_RANGE); /* no target */
  assert_int_equal(ttb_keda_triggers(&c, &t, 1, 5, &in), TTB_ERR_RANGE);
  c.strategy = 5;
  assert_int_equal(ttb_keda_jobs(&c, &in, &d), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_strategies), cmocka_unit_test(test_minimum),
      cmocka_unit_test(test_triggers), cmocka_unit_test(test_misuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
