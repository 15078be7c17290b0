/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/rows.{h,c}. Competition and kills are explored in
 * tests/explore. */
#include "../../../lib/base/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define N 3u

static _Alignas(8) unsigned char memory[8 + 8 * N];

static ttb__rows *fresh(void) {
  memset(memory, 0, sizeof memory);
  return (ttb__rows *)(void *)memory;
}

static uint64_t word_of(const ttb__rows *rows, uint32_t i) { return ttb__load_rlx(&rows->row[i]); }

static void test_layout(void **state) {
  (void)state;
  assert_int_equal(offsetof(ttb__rows, row), 8);
  assert_int_equal(TTB__ROWS_BYTES(N), sizeof memory);
  assert_int_equal(sizeof(ttb__row), 16);
}

static void test_word(void **state) {
  (void)state;
  uint64_t w = ttb__row_word(TTB__ROW_INCARNATIONS - 1, TTB__ROW_DEAD, TTB_MAX_TOKEN);
  assert_int_equal(ttb__row_incarnation(w), TTB__ROW_INCARNATIONS - 1);
  assert_int_equal(ttb__row_state(w), TTB__ROW_DEAD);
  assert_true(ttb__row_token(w) == TTB_MAX_TOKEN);
  assert_int_equal(ttb__row_word(TTB__ROW_INCARNATIONS, TTB__ROW_FREE, 0), 0); /* wraps */
}

static void test_join_until_full(void **state) {
  (void)state;
  ttb__rows *rows = fresh();
  ttb__row row = {.word = 1, .index = 77};
  for (uint32_t i = 0; i < N; i++) {
    assert_int_equal(ttb__rows_active(rows, N), i);
    assert_int_equal(ttb__rows_join(rows, N, 9, &row), (int)i);
    assert_int_equal(row.index, i);
    assert_int_equal(ttb__row_incarnation(row.word), 1);
    assert_true(ttb__rows_mine(rows, &row));
  }
  ttb__row kept = row;
  assert_int_equal(ttb__rows_join(rows, N, 9, &row), TTB_ERR_NOSPACE);
  assert_memory_equal(&row, &kept, sizeof row); /* untouched */
}

static void test_leave_and_join_anew(void **state) {
  (void)state;
  ttb__rows *rows = fresh();
  ttb__row row, next;
  assert_int_equal(ttb__rows_join(rows, 1, 9, &row), 0);
  assert_int_equal(ttb__rows_finish(rows, &row), TTB_STALE); /* lives */
  assert_int_equal(ttb__rows_leave(rows, &row), TTB_OK);
  assert_int_equal(ttb__rows_leave(rows, &row), TTB_STALE);             /* left already */
  assert_int_equal(ttb__rows_join(rows, 1, 9, &next), TTB_ERR_NOSPACE); /* not cleaned yet */
  assert_int_equal(ttb__rows_finish(rows, &row), TTB_OK);
  assert_int_equal(ttb__rows_finish(rows, &row), TTB_STALE);
  assert_int_equal(ttb__rows_join(rows, 1, 9, &next), 0);
  assert_int_equal(ttb__row_incarnation(next.word), 2);
  assert_int_equal(ttb__rows_active(rows, 1), 1); /* never shrinks, never beyond n */
}

static void test_recover_takes_all_of_the_dead(void **state) {
  (void)state;
  ttb__rows *rows = fresh();
  ttb__row row, live;
  uint32_t cursor = 0;
  assert_int_equal(ttb__rows_join(rows, N, 8, &row), 0);
  assert_int_equal(ttb__rows_join(rows, N, 9, &live), 1);
  assert_int_equal(ttb__rows_join(rows, N, 8, &row), 2);
  assert_int_equal(ttb__rows_recover_next(rows, N, 8, 9, &cursor, &row), 0);
  assert_int_equal(ttb__rows_finish(rows, &row), TTB_OK);
  assert_int_equal(ttb__rows_recover_next(rows, N, 8, 9, &cursor, &row), 2);
  assert_int_equal(ttb__rows_finish(rows, &row), TTB_OK);
  assert_int_equal(ttb__rows_recover_next(rows, N, 8, 9, &cursor, &row), TTB_ERR_UNKNOWN_ID);
  cursor = 0;
  assert_int_equal(ttb__rows_recover_next(rows, N, 8, 9, &cursor, &row), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb__rows_recover_next(rows, N, 9, 9, &cursor, &row), TTB_ERR_MISUSE);
  assert_true(ttb__rows_mine(rows, &live));
}

static void test_a_dead_recoverer_is_recovered(void **state) {
  (void)state;
  ttb__rows *rows = fresh();
  ttb__row row, again;
  uint32_t cursor = 0;
  assert_int_equal(ttb__rows_join(rows, N, 7, &row), 0);
  assert_int_equal(ttb__rows_recover_next(rows, N, 7, 8, &cursor, &row), 0); /* and 8 dies */
  cursor = 0;
  assert_int_equal(ttb__rows_recover_next(rows, N, 7, 9, &cursor, &again), TTB_ERR_UNKNOWN_ID);
  cursor = 0;
  assert_int_equal(ttb__rows_recover_next(rows, N, 8, 9, &cursor, &again), 0);
  assert_int_equal(ttb__rows_finish(rows, &row), TTB_STALE);
  assert_int_equal(ttb__rows_finish(rows, &again), TTB_OK);
  assert_int_equal(ttb__row_state(word_of(rows, 0)), TTB__ROW_FREE);
}

/* A thread killed between leave and finish. */
static void test_a_dead_leaver_is_recovered(void **state) {
  (void)state;
  ttb__rows *rows = fresh();
  ttb__row row;
  uint32_t cursor = 0;
  assert_int_equal(ttb__rows_join(rows, N, 7, &row), 0);
  assert_int_equal(ttb__rows_leave(rows, &row), TTB_OK);
  assert_int_equal(ttb__rows_recover_next(rows, N, 7, 9, &cursor, &row), 0);
  assert_int_equal(ttb__rows_finish(rows, &row), TTB_OK);
}

static void test_active_is_never_trusted(void **state) {
  (void)state;
  ttb__rows *rows = fresh();
  ttb__store_rlx(&rows->active, UINT32_MAX);
  assert_int_equal(ttb__rows_active(rows, N), N);
}

static void test_incarnation_wraps(void **state) {
  (void)state;
  ttb__rows *rows = fresh();
  ttb__row row;
  uint64_t last = ttb__row_word(TTB__ROW_INCARNATIONS - 1, TTB__ROW_FREE, 0);
  ttb__store_rlx(&rows->row[0], last);
  assert_int_equal(ttb__rows_join(rows, N, 7, &row), 0);
  assert_int_equal(ttb__row_incarnation(row.word), 0);
  assert_int_equal(ttb__row_state(row.word), TTB__ROW_LIVE);
}

static void test_cells(void **state) {
  (void)state;
  ttb__a32 cell[4][N] = {{{0}}};
  ttb__cell_inc(&cell[1][0]);
  ttb__cell_inc(&cell[1][2]);
  ttb__cell_inc_shared(&cell[1][2]);
  assert_int_equal(ttb__cells_sum(cell[1], N), 3);
  assert_int_equal(ttb__cells_sum(cell[1], 1), 1);
  assert_int_equal(ttb__cells_sum(cell[1], 0), 0);
  assert_int_equal(ttb__cell_dec(&cell[1][0]), TTB_OK);
  assert_int_equal(ttb__cell_dec(&cell[1][0]), TTB_ERR_MISUSE); /* never wraps */
  assert_int_equal(ttb__cell_dec_shared(&cell[1][0]), TTB_ERR_MISUSE);
  assert_int_equal(ttb__load_rlx(&cell[1][0]), 0);
  assert_int_equal(ttb__cell_dec_shared(&cell[1][2]), TTB_OK);
  assert_int_equal(ttb__cells_sum(cell[1], N), 1);
}

static void test_clear_is_one_column(void **state) {
  (void)state;
  ttb__a32 cell[4][N] = {{{0}}};
  for (int e = 0; e < 4; e++)
    for (uint32_t r = 0; r < N; r++) ttb__cell_inc(&cell[e][r]);
  ttb__cells_clear(&cell[0][1], sizeof cell[0], 3);
  for (int e = 0; e < 4; e++) {
    assert_int_equal(ttb__load_rlx(&cell[e][1]), e == 3);
    assert_int_equal(ttb__cells_sum(cell[e], N), e == 3 ? 3 : 2);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layout),
      cmocka_unit_test(test_word),
      cmocka_unit_test(test_join_until_full),
      cmocka_unit_test(test_leave_and_join_anew),
      cmocka_unit_test(test_recover_takes_all_of_the_dead),
      cmocka_unit_test(test_a_dead_recoverer_is_recovered),
      cmocka_unit_test(test_a_dead_leaver_is_recovered),
      cmocka_unit_test(test_active_is_never_trusted),
      cmocka_unit_test(test_incarnation_wraps),
      cmocka_unit_test(test_cells),
      cmocka_unit_test(test_clear_is_one_column),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
