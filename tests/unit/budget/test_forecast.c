/* SPDX-License-Identifier: MIT */
/* lib/budget/forecast.c: a day's and a week's profile, trusted only when right. */
#include "fixture.h"

#define ONE 4096
#define MINUTE UINT64_C(60000)

/* The demand that is told to the forecast at a time. */
typedef int32_t (*shape)(uint64_t v, uint64_t *dice);

static int32_t rise_after(ttb__budget_slot *s, shape f, uint64_t from, uint64_t to, uint64_t *dice) {
  int32_t rise = 0;
  for (uint64_t v = from; v < to; v += 15000)
    rise = ttb__forecast(s, f(v, dice), v, 75000, v / 15000 % 4 == 0);
  return rise;
}

/* 10 replicas, 15 from six o'clock on for an hour. */
static int32_t daily(uint64_t v, uint64_t *dice) {
  (void)dice;
  return (v / (60 * MINUTE) % 24 == 6 ? 15 : 10) * ONE;
}
/* The same, but not on the last two days of a week. */
static int32_t weekly(uint64_t v, uint64_t *dice) {
  return v / (1440 * MINUTE) % 7 < 5 ? daily(v, dice) : 10 * ONE;
}
/* Every quarter of an hour something else. */
static int32_t any(uint64_t v, uint64_t *dice) {
  if (v % (15 * MINUTE) == 0) *dice = v * 7 + 1;
  uint64_t now = *dice;
  return (int32_t)(2 + roll(&now) % 40) * ONE;
}

#define AT(day, hour, minute) (((uint64_t)(day) * 1440 + (hour) * 60 + (minute)) * MINUTE)

static void test_daily(void **unused) {
  (void)unused;
  ttb__budget_slot *s = calloc(1, sizeof *s);
  assert_int_equal(ttb__forecast_error(s), -1);
  /* On the first day nothing is known. */
  for (uint64_t v = 0; v < AT(1, 0, 0); v += 15000)
    assert_int_equal(ttb__forecast(s, daily(v, NULL), v, 75000, true), 0);
  rise_after(s, daily, AT(1, 0, 0), AT(2, 5, 50), NULL);
  assert_true(ttb__forecast_error(s) >= 0 && ttb__forecast_error(s) < 300000);
  /* A minute ahead (of the minute and a quarter asked for, looked at once a minute). */
  assert_int_equal(rise_after(s, daily, AT(2, 5, 50), AT(2, 5, 59), NULL), 0);
  assert_int_equal(rise_after(s, daily, AT(2, 5, 59), AT(2, 6, 0), NULL), 5 * ONE);
  /* Once it is there, it adds nothing; nor when it goes. */
  assert_int_equal(rise_after(s, daily, AT(2, 6, 0), AT(2, 6, 30), NULL), 0);
  assert_int_equal(rise_after(s, daily, AT(2, 6, 30), AT(2, 7, 30), NULL), 0);
  free(s);
}

static void test_weekly(void **unused) {
  (void)unused;
  ttb__budget_slot *s = calloc(1, sizeof *s);
  rise_after(s, weekly, 0, AT(19, 5, 59), NULL);
  /* Day 19 is one of the quiet ones. */
  assert_int_equal(rise_after(s, weekly, AT(19, 5, 59), AT(19, 6, 0), NULL), 0);
  assert_int_equal(rise_after(s, weekly, AT(19, 6, 0), AT(22, 6, 0), NULL), 5 * ONE);
  free(s);
}

static void test_not_trusted(void **unused) {
  (void)unused;
  ttb__budget_slot *s = calloc(1, sizeof *s);
  uint64_t dice = 5;
  assert_int_equal(rise_after(s, any, 0, AT(9, 0, 0), &dice), 0);
  assert_true(ttb__forecast_error(s) >= 300000);
  free(s);
}

/* It at most doubles the load, and a gap begins the filling in anew. */
static void test_bounds(void **unused) {
  (void)unused;
  ttb__budget_slot *s = calloc(1, sizeof *s);
  rise_after(s, daily, 0, AT(2, 5, 59), NULL);
  assert_int_equal(ttb__forecast(s, ONE, AT(2, 5, 59), 75000, true), ONE);
  assert_int_equal(ttb__forecast(s, 0, AT(2, 5, 59), 75000, true), 0);
  ttb__store_rlx(&s->day.filled, 100);
  ttb__forecast(s, ONE, AT(2, 9, 0), 75000, true);
  assert_true(ttb__load_rlx(&s->day.filled) <= 1);
  /* Any bytes, any times. */
  uint64_t dice = 6;
  for (int k = 0; k < 300000; k++) {
    if (k % 50 == 0)
      for (size_t i = 0; i < sizeof *s / 8; i++) ((uint64_t *)(void *)s)[i] = roll(&dice) >> (roll(&dice) & 63);
    int32_t x = (int32_t)(roll(&dice) % TTB__BUDGET_MOST);
    int32_t rise = ttb__forecast(s, x, roll(&dice) >> (roll(&dice) & 63), (uint32_t)roll(&dice), k & 1);
    assert_true(rise >= 0 && rise <= x);
    assert_true(ttb__forecast_error(s) >= -1);
  }
  free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_daily),
      cmocka_unit_test(test_weekly),
      cmocka_unit_test(test_not_trusted),
      cmocka_unit_test(test_bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
