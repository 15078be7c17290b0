/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/cusum.c and streak.h: limits against an independent
 * computation, the sum step by step, a healthy success that writes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../lib/breaker/streak.h"

#define MS UINT64_C(1000000)
#define NOW (UINT64_C(5000) * 1000 * MS)

static _Alignas(64) unsigned char memory[65536];

static ttb_breaker made(int32_t consecutive, int32_t healthy, int32_t bad, uint64_t calls) {
  ttb_breaker b;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.consecutive = consecutive;
  c.failure_rate_ppm = TTB_OFF;
  c.cusum_healthy_ppm = healthy, c.cusum_bad_ppm = bad, c.cusum_calls = calls;
  assert_int_equal(ttb_breaker_init(&b, memory, sizeof memory, &c), TTB_OK);
  return b;
}

static int32_t call(ttb_breaker *b, int32_t outcome) {
  return ttb_breaker_report(b, ttb_breaker_acquire(b, 0, NOW), outcome, NOW);
}

static ttb_breaker_info look(const ttb_breaker *b) {
  ttb_breaker_info i = TTB_CONFIG(ttb_breaker_info);
  assert_int_equal(ttb_breaker_explain(b, 0, NOW, &i), TTB_OK);
  return i;
}

/* Mean calls until the limit at a failure rate: Gauss-Seidel on the equations of
 * the walk itself. */
static double mean_calls(uint32_t up, uint32_t down, uint32_t limit, double p) {
  static double u[256];
  memset(u, 0, sizeof u);
  assert_true(limit < 256);
  for (double change = 1; change > 1e-9;) {
    change = 0;
    for (uint32_t s = limit; s-- > 0;) {
      double fail = s + up < limit ? u[s + up] : 0, pass = u[s > down ? s - down : 0];
      double old = u[s];
      u[s] = s > 0 ? 1 + p * fail + (1 - p) * pass : 1 / p + fail; /* 0: waits for a failure */
      double moved = u[s] > old ? u[s] - old : old - u[s];
      if (moved > change * u[s]) change = moved / u[s];
    }
  }
  return u[0];
}

static void test_limits_are_the_smallest(void **state) {
  (void)state;
  static const struct {
    int32_t healthy, bad;
    uint64_t calls;
    uint32_t up, down;
  } rows[] = {{50000, 300000, 10000, 6, 1},  {10000, 100000, 20000, 24, 1},
              {200000, 600000, 5000, 2, 1},  {300000, 900000, 5000, 1, 2},
              {400000, 600000, 2000, 1, 1},  {100000, 990000, 10000, 1, 2},
              {100, 20000, 1000000, 255, 1}, {600000, 900000, 5000, 1, 3}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    ttb_breaker_cusum_plan p = TTB_CONFIG(ttb_breaker_cusum_plan);
    assert_int_equal(ttb_breaker_cusum(rows[i].healthy, rows[i].bad, rows[i].calls, &p), TTB_OK);
    if (p.up != rows[i].up || p.down != rows[i].down) print_message("row %d: %u %u\n", (int)i, p.up, p.down);
    assert_int_equal(p.up, rows[i].up);
    assert_int_equal(p.down, rows[i].down);
    assert_true(p.calls >= rows[i].calls);
    if (p.limit > 255) continue;
    double exact = mean_calls(p.up, p.down, p.limit, rows[i].healthy / 1e6);
    assert_true((double)p.calls <= exact * 1.0001 && (double)p.calls + 1 >= exact * 0.9999);
    if (p.limit > 1)
      assert_true(mean_calls(p.up, p.down, p.limit - 1, rows[i].healthy / 1e6) <
                  (double)rows[i].calls);
  }
}

static void test_rates_too_close_and_nonsense(void **state) {
  (void)state;
  ttb_breaker_cusum_plan p = TTB_CONFIG(ttb_breaker_cusum_plan);
  assert_int_equal(ttb_breaker_cusum(50000, 300000, 1000, NULL), TTB_ERR_MISUSE);
  static const int32_t rates[][2] = {{340000, 400000}, {300000, 300000}, {300000, 50000},
                                     {0, 300000},      {-1, 300000},     {50000, 1000000},
                                     {1, 2},           {INT32_MIN, INT32_MAX}};
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
    assert_int_equal(ttb_breaker_cusum(rates[i][0], rates[i][1], 1000, &p), TTB_ERR_RANGE);
    assert_int_equal(p.limit, 0);
  }
  assert_int_equal(ttb_breaker_cusum(50000, 300000, 0, &p), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_cusum(50000, 300000, UINT64_MAX, &p), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_cusum(500000, 510000, UINT64_C(1000000000000000), &p),
                   TTB_ERR_RANGE); /* no limit within reach */
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  ttb_detail d = TTB_CONFIG(ttb_detail);
  c.cusum_healthy_ppm = 340000, c.cusum_bad_ppm = 400000;
  assert_int_equal(ttb_breaker_check(&c, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "cusum_bad_ppm");
}

static void test_the_sum_step_by_step(void **state) {
  (void)state;
  ttb_breaker b = made(TTB_OFF, 50000, 300000, 1000); /* up 6, down 1 */
  uint32_t limit = look(&b).cusum_limit, sum = 0;
  static const char letters[] = "ssfsssssssssffsffsSi";
  assert_true(limit > 12);
  for (size_t i = 0; letters[i]; i++) {
    int32_t outcome = letters[i] == 'f'   ? TTB_FAILURE
                      : letters[i] == 'S' ? TTB_SLOW
                      : letters[i] == 'i' ? TTB_IGNORED
                                          : TTB_SUCCESS;
    if (outcome == TTB_FAILURE) sum += 6;
    else if (outcome != TTB_IGNORED && sum > 0) sum--;
    int32_t code = call(&b, outcome);
    if (sum >= limit) {
      assert_int_equal(code, TTB_BREAKER_OPENED);
      assert_int_equal(look(&b).cusum, limit); /* what opened it can be seen */
      return;
    }
    assert_int_equal(code, TTB_OK);
    assert_int_equal(look(&b).cusum, sum);
    assert_int_equal(look(&b).consecutive, 0); /* that rule is off */
  }
  fail();
}

static void test_with_a_row(void **state) {
  (void)state;
  ttb_breaker b = made(3, 50000, 300000, 1000000);
  (void)call(&b, TTB_FAILURE);
  (void)call(&b, TTB_SLOW_FAILURE);
  assert_int_equal(look(&b).consecutive, 2);
  assert_int_equal(look(&b).cusum, 12);
  (void)call(&b, TTB_SUCCESS);
  assert_int_equal(look(&b).consecutive, 0);
  assert_int_equal(look(&b).cusum, 11);
  (void)call(&b, TTB_FAILURE);
  (void)call(&b, TTB_FAILURE);
  assert_int_equal(call(&b, TTB_FAILURE), TTB_BREAKER_OPENED);
}

/* What the limit is for: half the calls fail, five in a row seldom do. */
static void test_finds_what_a_row_does_not(void **state) {
  (void)state;
  ttb_breaker b = made(5, 50000, 300000, 10000000);
  for (int i = 0; i < 100; i++)
    if (call(&b, i % 2 ? TTB_FAILURE : TTB_SUCCESS) == TTB_BREAKER_OPENED) {
      assert_in_range(i, 15, 25);
      return;
    }
  fail();
}

static void test_a_healthy_success_writes_nothing(void **state) {
  (void)state;
  static unsigned char before[sizeof memory];
  ttb_breaker b = made(5, 50000, 300000, 10000000);
  (void)call(&b, TTB_FAILURE);
  for (int i = 0; i < 6; i++) (void)call(&b, TTB_SUCCESS);
  memcpy(before, memory, sizeof memory);
  for (uint64_t i = 0; i < 1000; i++) {
    int64_t t = ttb_breaker_acquire(&b, 0, NOW + i * MS);
    assert_int_equal(ttb_breaker_report(&b, t, TTB_SUCCESS, NOW + i * MS), TTB_OK);
  }
  assert_memory_equal(before, memory, sizeof memory);
}

static void test_a_row_does_not_reach_the_sum(void **state) {
  (void)state;
  ttb_breaker b = made(TTB_OFF, 50000, 300000, 10000000);
  ttb__breaker *p = ttb__breaker_of(&b);
  ttb__breaker_slot *s = ttb__breaker_slot_at(p, 0);
  p->strike_row = 1;
  ttb__store_rlx(&s->streak, ttb__streak_word(0, (ttb__streak){TTB__ROW_MASK, 0}));
  ttb__streak k = ttb__streak_strike(p, s, 0);
  assert_int_equal(k.row, TTB__ROW_MASK);
  assert_int_equal(k.sum, 6);
  for (int i = 0; i < 1000; i++) k = ttb__streak_strike(p, s, 0);
  assert_int_equal(k.sum, p->sum_limit);
  assert_int_equal(ttb__word_gen(ttb__load_rlx(&s->streak)), 0);
}

static void test_bytes(void **state) {
  (void)state;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.failure_rate_ppm = TTB_OFF;
  c.cusum_bad_ppm = 300000;
  int64_t one = ttb_breaker_size(&c);
  c.capacity = 2;
  assert_int_equal(ttb_breaker_size(&c) - one, 64);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_limits_are_the_smallest),
      cmocka_unit_test(test_rates_too_close_and_nonsense),
      cmocka_unit_test(test_the_sum_step_by_step),
      cmocka_unit_test(test_with_a_row),
      cmocka_unit_test(test_finds_what_a_row_does_not),
      cmocka_unit_test(test_a_healthy_success_writes_nothing),
      cmocka_unit_test(test_a_row_does_not_reach_the_sum),
      cmocka_unit_test(test_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
