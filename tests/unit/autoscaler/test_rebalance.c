/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/rebalance.c: two passes over the sums of pods. */
#include "fixture.h"

#define RUNS (TTB_POD_READY | TTB_POD_STARTED | TTB_POD_SAMPLED | TTB_POD_REQUESTED)

typedef struct crowd {
  uint32_t kind;
  int64_t target;
  uint32_t ready, unready, missing, unlisted;
  int64_t use, request;
} crowd;

static ttb_pods gather(const crowd *x) {
  ttb_pods pods;
  ttb_pods_config c = TTB_CONFIG(ttb_pods_config);
  c.kind = x->kind;
  c.target_milli = x->target;
  assert_int_equal(ttb_pods_start(&pods, &c, 0), TTB_OK);
  ttb_pod p = TTB_CONFIG(ttb_pod);
  p.value_milli = x->use;
  p.request_milli = x->request;
  const uint32_t n[] = {x->ready, x->unready, x->missing, x->unlisted};
  const uint32_t flags[] = {RUNS, RUNS | TTB_POD_PENDING, RUNS & ~TTB_POD_SAMPLED,
                            TTB_POD_SAMPLED | TTB_POD_UNLISTED};
  for (int g = 0; g < 4; g++)
    for (uint32_t i = 0; i < n[g]; i++) {
      p.flags = flags[g];
      assert_int_equal(ttb_pods_add(&pods, &p, 1), TTB_OK);
    }
  return pods;
}

static ttb_autoscaler_row row_of(const crowd *x, int32_t current) {
  ttb_pods pods = gather(x);
  ttb_autoscaler_metric m = TTB_CONFIG(ttb_autoscaler_metric);
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  ttb_autoscaler_row row = TTB_CONFIG(ttb_autoscaler_row);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  m.kind = x->kind;
  m.target_milli = x->target;
  c.metrics = &m;
  c.metrics_n = 1;
  c.max_replicas = TTB_AUTOSCALER_MAX_REPLICAS;
  s.pods = &pods;
  d.rows = &row;
  d.rows_n = 1;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, current, SECOND, &d), TTB_OK);
  ttb_autoscaler_free(&a);
  return row;
}

static void test_one_pass(void **unused) {
  (void)unused;
  crowd x = {.kind = TTB_PODS_UTILISATION, .target = 50000, .ready = 4, .use = 759, .request = 1000};
  ttb_autoscaler_row r = row_of(&x, 4);
  assert_int_equal(r.proposal, 6); /* 75 % of 50 %: 4 * 1.5 */
  assert_true(r.value_milli == 75000 && r.raw_milli == 759 && r.ratio_ppm == 1500000);
  assert_true(r.second_ppm == -1 && r.ready == 4 && r.failure == 0);
  r = row_of(&x, 9); /* ready counts, not what was ordered */
  assert_int_equal(r.proposal, 6);
  x.unlisted = 2; /* nothing for a utilisation's ratio in one pass */
  assert_int_equal(row_of(&x, 4).proposal, 6);
}

static void test_unready_hold_it_down(void **unused) {
  (void)unused;
  crowd x = {.kind = TTB_PODS_UTILISATION, .target = 50000, .ready = 2, .unready = 1, .use = 1000,
             .request = 1000};
  ttb_autoscaler_row r = row_of(&x, 3);
  assert_true(r.ratio_ppm == 2000000 && r.second_ppm == 1320000); /* 66 % */
  assert_int_equal(r.proposal, 4);
  assert_int_equal(r.unready, 1);
  x.unready = 2; /* now all is well */
  r = row_of(&x, 4);
  assert_int_equal(r.proposal, 4);
  x.unready = 6; /* it would turn round: hold */
  assert_int_equal(row_of(&x, 8).proposal, 8);
  x.use = 100; /* below the target nobody asks for the unready */
  r = row_of(&x, 8);
  assert_true(r.second_ppm == -1);
  assert_int_equal(r.proposal, 1);
}

static void test_missing(void **unused) {
  (void)unused;
  crowd x = {.kind = TTB_PODS_UTILISATION, .target = 50000, .ready = 2, .missing = 2, .use = 100,
             .request = 1000};
  ttb_autoscaler_row r = row_of(&x, 4); /* down: the missing at 100 % */
  assert_true(r.ratio_ppm == 200000 && r.second_ppm == 1100000);
  assert_int_equal(r.proposal, 4); /* the other side of 1: hold */
  x.target = 300000;               /* above 100 %: at the target */
  r = row_of(&x, 4);
  assert_true(r.second_ppm == 516666);
  assert_int_equal(r.proposal, 3);
  x.use = 9000; /* up: at 0 */
  r = row_of(&x, 4);
  assert_true(r.second_ppm == 1500000);
  assert_int_equal(r.proposal, 6);
  x = (crowd){.kind = TTB_PODS_AVERAGE, .target = 100, .ready = 2, .missing = 2, .use = 20};
  r = row_of(&x, 4); /* an average: at the target */
  assert_true(r.second_ppm == 600000);
  assert_int_equal(r.proposal, 3);
  x.use = 100; /* on target: the missing are left out */
  r = row_of(&x, 4);
  assert_true(r.second_ppm == 1000000);
  assert_int_equal(r.proposal, 4);
}

static void test_strangers(void **unused) {
  (void)unused;
  crowd x = {.kind = TTB_PODS_AVERAGE, .target = 100, .ready = 2, .unlisted = 2, .use = 200};
  ttb_autoscaler_row r = row_of(&x, 2);
  assert_int_equal(r.proposal, 4); /* the ready, times the ratio over all samples */
  x.missing = 1;
  assert_int_equal(row_of(&x, 3).proposal, 8); /* all samples and the missing: 5 * 1.6 */
}

static void test_failures(void **unused) {
  (void)unused;
  crowd x = {.kind = TTB_PODS_UTILISATION, .target = 50000, .use = 1, .request = 1};
#define FAILS(why) assert_int_equal(row_of(&x, 1).failure, TTB_AUTOSCALER_##why)
  FAILS(NO_SAMPLES);
  x.missing = 1;
  FAILS(NO_SAMPLES);
  x.unlisted = 1;
  FAILS(NO_CAPACITY); /* a sample, but no pod of it */
  x.missing = 0;
  FAILS(NO_PODS);
  x.unlisted = 0;
  x.unready = 1;
  FAILS(ALL_UNREADY);
  x.ready = 1;
  x.request = 0;
  FAILS(NO_CAPACITY);
}

static void test_requests_of_all(void **unused) {
  (void)unused;
  crowd x = {.kind = TTB_PODS_UTILISATION, .target = 50000, .ready = 1, .use = 1, .request = 1};
  ttb_pods pods = gather(&x);
  ttb_pod p = TTB_CONFIG(ttb_pod);
  p.flags = TTB_POD_DELETED; /* even of those that are ignored */
  assert_int_equal(ttb_pods_add(&pods, &p, 1), TTB_OK);
  ttb_autoscaler_metric m = TTB_CONFIG(ttb_autoscaler_metric);
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  m.target_milli = 50000;
  c.metrics = &m;
  c.metrics_n = 1;
  s.pods = &pods;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 1, SECOND, &d), TTB_OK);
  assert_int_equal(d.failure, TTB_AUTOSCALER_NO_REQUEST);
  assert_int_equal(d.reason, TTB_AUTOSCALER_MISSING);
  ttb_autoscaler_free(&a);
  m.target_milli = 51000; /* counted for another target */
  a = start(&c);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 1, SECOND, &d), TTB_ERR_MISMATCH);
  s.pods = &(ttb_pods){{0}};
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 1, SECOND, &d), TTB_ERR_MISMATCH);
  s.missing = 1; /* then nobody looks */
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 1, SECOND, &d), TTB_OK);
  ttb_autoscaler_free(&a);
}

static void test_extremes(void **unused) {
  (void)unused;
  crowd x = {.kind = TTB_PODS_AVERAGE, .target = 1, .ready = 3, .use = INT64_MAX};
  assert_int_equal(row_of(&x, 1).proposal, INT32_MAX);
  x.use = INT64_MIN;
  assert_int_equal(row_of(&x, 1).proposal, 0);
  x.missing = 5; /* still below 0 with the missing at the target */
  assert_int_equal(row_of(&x, 1).proposal, 0);
  x.target = INT64_MAX;
  x.use = 0;
  assert_int_equal(row_of(&x, 8).proposal, 5); /* 5 of 8 at the target: 128 bits */
  x = (crowd){.kind = TTB_PODS_UTILISATION, .target = INT64_MAX, .ready = 1, .missing = 1,
              .use = INT64_MAX, .request = INT64_MAX};
  assert_int_equal(row_of(&x, 2).failure, 0);
  x = (crowd){.kind = TTB_PODS_UTILISATION, .target = 50000, .ready = 6, .use = INT64_MAX,
              .request = INT64_MAX};
  ttb_autoscaler_row r = row_of(&x, 6); /* 100 %, though neither sum fits 64 bits */
  assert_true(r.value_milli == 100000 && r.proposal == 12 && r.raw_milli == INT64_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_pass),  cmocka_unit_test(test_unready_hold_it_down),
      cmocka_unit_test(test_missing),   cmocka_unit_test(test_strangers),
      cmocka_unit_test(test_failures),  cmocka_unit_test(test_requests_of_all),
      cmocka_unit_test(test_extremes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
