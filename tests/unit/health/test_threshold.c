/* SPDX-License-Identifier: MIT */
/* The rule alone: rise, fall, degrade_after, and HAProxy's counter. The peers'
 * own sequences are in tests/vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/health/threshold.h"

#define U TTB_STATUS_UNHEALTHY
#define H TTB_STATUS_HEALTHY
#define D TTB_STATUS_DEGRADED

static const ttb__verdict nothing = {TTB_STATUS_UNKNOWN, 0, 0};

/* P pass, S slow pass, F failure. */
static ttb__verdict play(const ttb__thresholds *t, ttb__verdict v, const char *seq) {
  for (; *seq; seq++)
    v = *seq == 'F' ? ttb__verdict_fail(t, v, 1) : ttb__verdict_pass(t, v, *seq == 'S');
  return v;
}

static void first_result_decides(void **state) {
  (void)state;
  const ttb__thresholds t = {5, 7, UINT32_MAX};
  assert_int_equal(play(&t, nothing, "P").level, H);
  assert_int_equal(play(&t, nothing, "S").level, D);
  assert_int_equal(play(&t, nothing, "F").level, U);
  /* ... in full: what follows needs the whole row */
  assert_int_equal(play(&t, nothing, "PFFFFFF").level, H);
  assert_int_equal(play(&t, nothing, "PFFFFFFF").level, U);
  assert_int_equal(play(&t, nothing, "FPPPP").level, U);
  assert_int_equal(play(&t, nothing, "FPPPPP").level, H);
}

static void rows_start_anew(void **state) {
  (void)state;
  const ttb__thresholds t = {2, 3, UINT32_MAX};
  assert_int_equal(play(&t, nothing, "PFFPFFPFF").level, H);
  assert_int_equal(play(&t, nothing, "PFFPFFF").level, U);
  assert_int_equal(play(&t, nothing, "FPFPFPF").level, U);
  assert_int_equal(play(&t, nothing, "FPFPP").level, H);
}

static void slow_sinks_at_once_and_rises_with_rise(void **state) {
  (void)state;
  const ttb__thresholds t = {3, 3, UINT32_MAX};
  assert_int_equal(play(&t, nothing, "PS").level, D);
  assert_int_equal(play(&t, nothing, "PSP").level, H);
  assert_int_equal(play(&t, nothing, "PSFP").level, D);  /* one pass in a row */
  assert_int_equal(play(&t, nothing, "PSFPP").level, D);
  assert_int_equal(play(&t, nothing, "PSFPPP").level, H);
  assert_int_equal(play(&t, nothing, "PFS").level, D);
  assert_int_equal(play(&t, nothing, "FSS").level, U);
  assert_int_equal(play(&t, nothing, "FSSS").level, D);
}

static void failures_may_degrade_first(void **state) {
  (void)state;
  const ttb__thresholds t = {2, 4, 2};
  assert_int_equal(play(&t, nothing, "PF").level, H);
  assert_int_equal(play(&t, nothing, "PFF").level, D);
  assert_int_equal(play(&t, nothing, "PFFF").level, D);
  assert_int_equal(play(&t, nothing, "PFFFF").level, U);
  assert_int_equal(play(&t, nothing, "PFFP").level, D);
  assert_int_equal(play(&t, nothing, "PFFPP").level, H);
}

static void steady_states_do_not_change(void **state) {
  (void)state;
  const ttb__thresholds t = {4, 5, UINT32_MAX};
  ttb__verdict up = play(&t, nothing, "P"), down = play(&t, nothing, "F");
  ttb__verdict up2 = play(&t, up, "PPPPPPPPPP"), down2 = play(&t, down, "FFFFFFFFFF");
  assert_memory_equal(&up, &up2, sizeof up);
  assert_memory_equal(&down, &down2, sizeof down);
}

static void weight_of_a_failure(void **state) {
  (void)state;
  const ttb__thresholds t = {1, 5, UINT32_MAX};
  ttb__verdict v = ttb__verdict_fail(&t, play(&t, nothing, "P"), 4);
  assert_int_equal(v.level, H);
  assert_int_equal(v.row, 4);
  assert_int_equal(ttb__verdict_fail(&t, v, 1).level, U);
  assert_int_equal(ttb__verdict_fail(&t, play(&t, nothing, "P"), 5).level, U);
}

static void counter_is_haproxys(void **state) {
  (void)state;
  const ttb__thresholds t = {2, 3, UINT32_MAX};
  static const struct {
    const char *seq;
    uint32_t counter;
  } rows[] = {{"", 1},    {"P", 4},   {"PF", 3},  {"PFF", 2},  {"PFFF", 0},
              {"F", 0},   {"FP", 1},  {"FPP", 4}, {"FPF", 0},  {"PFP", 4}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal(ttb__verdict_counter(&t, play(&t, nothing, rows[i].seq)), rows[i].counter);
  /* a word of somebody else's making: no underflow */
  assert_int_equal(ttb__verdict_counter(&t, (ttb__verdict){H, 1, 127}), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(first_result_decides),
      cmocka_unit_test(rows_start_anew),
      cmocka_unit_test(slow_sinks_at_once_and_rises_with_rise),
      cmocka_unit_test(failures_may_degrade_first),
      cmocka_unit_test(steady_states_do_not_change),
      cmocka_unit_test(weight_of_a_failure),
      cmocka_unit_test(counter_is_haproxys),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
