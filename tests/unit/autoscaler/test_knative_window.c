/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/knative_window.c: averages over buckets. */
#include <trimtab/knative.h>

#include "../../../lib/autoscaler/knative.h"

#include "fixture.h"

static ttb_knative_window w;

static int64_t average(uint64_t second, uint32_t weighted) {
  int64_t a = -1;
  assert_int_equal(ttb_knative_window_average(&w, second * SECOND, weighted, &a), TTB_OK);
  return a;
}

static void record(uint64_t second, int64_t v) {
  assert_int_equal(ttb_knative_window_record(&w, second * SECOND, v), TTB_OK);
}

static void test_plain(void **unused) {
  (void)unused;
  assert_int_equal(ttb_knative_window_start(&w, 5000, 1000), TTB_OK);
  assert_true(average(0, 0) == 0);
  record(0, 7000); /* the first second there is */
  assert_true(average(0, 0) == 7000);
  record(1, 1000);
  assert_true(average(1, 0) == 4000);
  assert_true(average(3, 0) == 4000); /* no data is no zero */
  record(3, 1000);
  assert_true(average(3, 0) == 2250);
  assert_true(average(8, 0) == 0);
  record(2, -9000); /* late */
  assert_true(average(3, 0) == 0);
  record(3, 2);
  assert_true(average(3, 0) == 1); /* half a thousandth, up */
  record(3, -4);
  assert_true(average(3, 0) == -1);
}

static void test_weights(void **unused) {
  (void)unused;
  /* 1 bucket: 0.9999. 100 buckets: 0.2. */
  assert_int_equal(ttb_knative_window_start(&w, 1000, 1000), TTB_OK);
  record(10, 1000000);
  assert_true(average(10, 1) == 999900);
  assert_int_equal(ttb_knative_window_start(&w, 100000, 1000), TTB_OK);
  record(10, 1000000);
  assert_true(average(10, 1) == 200000 && average(11, 1) == 160000 && average(12, 1) == 128000);
  /* The weights add up to nearly 1. */
  for (uint64_t t = 11; t < 200; t++) record(t, 1000000);
  assert_true(average(199, 1) == 1000000);
  assert_int_equal(ttb_knative_window_start(&w, 10000, 1000), TTB_OK);
  for (uint64_t t = 11; t < 200; t++) record(t, -1000000);
  assert_true(average(199, 1) == -999900);
}

static void test_extremes(void **unused) {
  (void)unused;
  assert_int_equal(ttb_knative_window_start(&w, 3600000, 2000), TTB_OK);
  for (uint64_t t = 0; t < 4000; t++) record(t, INT64_MAX);
  assert_true(average(3999, 0) == INT64_C(1) << 52);
  assert_true(average(3999, 1) > INT64_C(1) << 51);
  for (uint64_t t = 4000; t < 8000; t++) record(t, INT64_MIN);
  assert_true(average(7999, 0) == -(INT64_C(1) << 52));
  assert_int_equal(ttb_knative_window_record(&w, UINT64_MAX, 1), TTB_OK);
  memset(&w, 0xff, sizeof w); /* hostile bytes */
  ttb__knative_window *in = (ttb__knative_window *)(void *)&w;
  in->tag = TTB__KNATIVE_WINDOW_TAG;
  assert_int_equal(ttb_knative_window_record(&w, 0, 1), TTB_ERR_MISUSE);
  in->n = 1800;
  in->bucket_ms = 1;
  record(5, 1);
  (void)average(5, 0);
  (void)average(5, 1);
  in->last = 3;
  in->first = UINT64_MAX;
  (void)average(0, 0);
}

static void test_misuse(void **unused) {
  (void)unused;
  int64_t a;
  assert_int_equal(ttb_knative_window_start(NULL, 1, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_knative_window_start(&w, 0, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_knative_window_start(&w, 1, 2), TTB_ERR_RANGE);
  assert_int_equal(ttb_knative_window_start(&w, 3600001, 3600000), TTB_ERR_RANGE);
  assert_int_equal(ttb_knative_window_start(&w, 3600000, 1999), TTB_ERR_RANGE);
  assert_int_equal(ttb_knative_window_start(&w, 1800, 1), TTB_OK);
  assert_int_equal(ttb_knative_window_average(&w, 0, 2, &a), TTB_ERR_RANGE);
  assert_int_equal(ttb_knative_window_average(&w, 0, 0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_knative_window_record(NULL, 0, 0), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain), cmocka_unit_test(test_weights),
      cmocka_unit_test(test_extremes), cmocka_unit_test(test_misuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
