/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/flip.h: one thread at a time plays all parts. What
 * several do at once is explored in tests/explore. */
#include "../../../lib/base/flip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct table {
  ttb__flip flip;
  ttb__a64 wide[2];
  ttb__a32 narrow[2];
} table;

static void flip_to(table *t, uint32_t x) {
  uint64_t next = ttb__flip_build(&t->flip);
  uint32_t copy = ttb__flip_copy(next);
  ttb__flip_put64(&t->wide[copy], x);
  ttb__flip_put32(&t->narrow[copy], x);
  ttb__flip_publish(&t->flip, next);
}

static void test_zero_is_valid(void **state) {
  (void)state;
  table t = {.flip = {{0}}};
  ttb__flip_view v = ttb__flip_begin(&t.flip);
  assert_int_equal(v.copy, 0);
  assert_int_equal(ttb__flip_get64(&t.wide[v.copy]), 0);
  assert_false(ttb__flip_again(&t.flip, &v));
  assert_true(v.clean);
}

static void test_publishes_in_turn(void **state) {
  (void)state;
  table t = {.flip = {{0}}};
  for (uint32_t i = 1; i < 6; i++) {
    flip_to(&t, 10 * i);
    ttb__flip_view v = ttb__flip_begin(&t.flip);
    assert_int_equal(v.generation, i);
    assert_int_equal(v.copy, i % 2);
    assert_int_equal(ttb__flip_get64(&t.wide[v.copy]), 10 * i);
    assert_int_equal(ttb__flip_get32(&t.narrow[v.copy]), 10 * i);
    assert_false(ttb__flip_again(&t.flip, &v));
    assert_true(v.clean);
  }
}

static void test_building_leaves_the_published_copy(void **state) {
  (void)state;
  table t = {.flip = {{0}}};
  flip_to(&t, 7);
  uint64_t next = ttb__flip_build(&t.flip); /* and killed here */
  ttb__flip_put64(&t.wide[ttb__flip_copy(next)], 999);
  ttb__flip_view v = ttb__flip_begin(&t.flip);
  assert_int_equal(ttb__flip_get64(&t.wide[v.copy]), 7);
  assert_false(ttb__flip_again(&t.flip, &v));
  assert_true(v.clean);
  assert_int_equal(ttb__flip_build(&t.flip), next); /* the successor builds the same one */
}

static void test_retry_reads_the_new_copy(void **state) {
  (void)state;
  table t = {.flip = {{0}}};
  flip_to(&t, 1);
  ttb__flip_view v = ttb__flip_begin(&t.flip);
  flip_to(&t, 2);
  assert_true(ttb__flip_again(&t.flip, &v));
  assert_int_equal(ttb__flip_get32(&t.narrow[v.copy]), 2);
  assert_false(ttb__flip_again(&t.flip, &v));
  assert_true(v.clean);
}

static void test_gives_up_unclean(void **state) {
  (void)state;
  table t = {.flip = {{0}}};
  ttb__flip_view v = ttb__flip_begin(&t.flip);
  int tries = 0;
  do {
    tries++;
    flip_to(&t, (uint32_t)tries);
  } while (ttb__flip_again(&t.flip, &v));
  assert_int_equal(tries, 1 + TTB__FLIP_RETRIES);
  assert_false(v.clean);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_zero_is_valid),
      cmocka_unit_test(test_publishes_in_turn),
      cmocka_unit_test(test_building_leaves_the_published_copy),
      cmocka_unit_test(test_retry_reads_the_new_copy),
      cmocka_unit_test(test_gives_up_unclean),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
