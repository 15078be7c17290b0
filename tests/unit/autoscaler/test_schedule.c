/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/schedule.c: floors and ceilings by the hour. */
#include "fixture.h"

#define HOUR 3600u
#define DAY 86400u

static const ttb_autoscaler_schedule rows[] = {
    {sizeof *rows, DAY, 9 * HOUR, 17 * HOUR, 20, 0},        /* each day, office hours */
    {sizeof *rows, DAY, 22 * HOUR, 6 * HOUR, 0, 8},         /* each night, over midnight */
    {sizeof *rows, 7 * DAY, 6 * DAY, 0, 0, 5},              /* Sundays, to the week's end */
    {sizeof *rows, 7 * DAY, DAY + 10 * HOUR, DAY + 11 * HOUR, 500, 30}, /* Tuesdays at ten */
};

static ttb_autoscaler_decision at(uint32_t offset, uint64_t second) {
  ttb_autoscaler_config c = count_config();
  c.schedule = rows;
  c.schedule_n = 4;
  c.week_offset_s = offset;
  c.flags = TTB_AUTOSCALER_GRADUAL;
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_decision d = ask(&a, 10, 10, second);
  ttb_autoscaler_free(&a);
  return d;
}

#define BOUNDS(second, low, high)                  \
  do {                                             \
    ttb_autoscaler_decision d = at(0, second);     \
    assert_int_equal(d.min_replicas, low);         \
    assert_int_equal(d.max_replicas, high);        \
  } while (0)

static void test_bounds(void **unused) {
  (void)unused;
  BOUNDS(8 * HOUR, 1, 100);
  BOUNDS(9 * HOUR - 1, 1, 100);
  BOUNDS(9 * HOUR, 20, 100);
  BOUNDS(17 * HOUR - 1, 20, 100);
  BOUNDS(17 * HOUR, 1, 100);
  BOUNDS(22 * HOUR, 1, 8);
  BOUNDS(DAY, 1, 8);
  BOUNDS(DAY + 6 * HOUR, 1, 100);
  BOUNDS(6 * DAY + 12 * HOUR, 20, 20); /* the ceiling gives way to the floor */
  BOUNDS(7 * DAY + 12 * HOUR, 20, 100);
  BOUNDS(DAY + 10 * HOUR, 100, 100); /* both give way to max_replicas */
  BOUNDS(8 * DAY + 10 * HOUR, 100, 100);
}

static void test_offset(void **unused) {
  (void)unused;
  /* Unix time 0 was a Thursday. */
  assert_int_equal(at(3 * DAY, 3 * DAY + 12 * HOUR).max_replicas, 20); /* a Sunday */
  assert_int_equal(at(3 * DAY, 9 * HOUR).min_replicas, 20);
  assert_int_equal(at(HOUR, 8 * HOUR).min_replicas, 20); /* a zone */
}

static void test_next(void **unused) {
  (void)unused;
  assert_int_equal(at(0, 8 * HOUR).next_change_ms, HOUR * 1000);
  assert_int_equal(at(0, 9 * HOUR).next_change_ms, HOUR * 8000);
  assert_int_equal(at(0, 18 * HOUR).next_change_ms, HOUR * 4000);
  ttb_autoscaler_config c = count_config();
  c.schedule = rows;
  c.schedule_n = 1;
  ttb_autoscaler a = start(&c);
  ttb_autoscaler_sample s = value(10000);
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  assert_int_equal(ttb_autoscaler_evaluate(&a, 0, &s, 1, 10, 8 * HOUR * SECOND + 999000000, &d),
                   TTB_OK);
  assert_int_equal(d.next_change_ms, HOUR * 1000 - 999);
  ttb_autoscaler_free(&a);
}

static void test_floor_acts_at_once(void **unused) {
  (void)unused;
  ttb_autoscaler_config c = count_config();
  c.schedule = rows;
  c.schedule_n = 2;
  ttb_autoscaler a = start(&c);
  assert_int_equal(ask(&a, 10, 10, 8 * HOUR).desired, 10);
  ttb_autoscaler_decision d = ask(&a, 10, 10, 9 * HOUR);
  assert_int_equal(d.desired, 20);
  assert_int_equal(d.reason, TTB_AUTOSCALER_AT_MIN);
  assert_int_equal(ask(&a, 30, 20, 10 * HOUR).desired, 30); /* a floor, no more */
  d = ask(&a, 30, 30, 23 * HOUR);
  assert_int_equal(d.desired, 8);
  assert_int_equal(d.reason, TTB_AUTOSCALER_AT_MAX);
  ttb_autoscaler_free(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bounds), cmocka_unit_test(test_offset), cmocka_unit_test(test_next),
      cmocka_unit_test(test_floor_acts_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
