/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/lock.h. Competition is explored in tests/explore. */
#include "../../../lib/base/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_try_and_unlock(void **state) {
  (void)state;
  ttb__lock l = {{0}};
  assert_int_equal(ttb__lock_try(&l, 5), TTB_OK);
  assert_int_equal(ttb__lock_holder(ttb__load_rlx(&l.word)), 5);
  assert_int_equal(ttb__lock_try(&l, 6), TTB_AGAIN);
  assert_int_equal(ttb__lock_try(&l, 5), TTB_AGAIN); /* not recursive */
  assert_int_equal(ttb__lock_unlock(&l, 5), TTB_OK);
  assert_int_equal(ttb__lock_try(&l, 6), TTB_OK);
}

static void test_unlock_refuses_strangers(void **state) {
  (void)state;
  ttb__lock l = {{0}};
  assert_int_equal(ttb__lock_unlock(&l, 5), TTB_ERR_MISUSE);
  assert_int_equal(ttb__lock_try(&l, 5), TTB_OK);
  assert_int_equal(ttb__lock_unlock(&l, 6), TTB_ERR_MISUSE);
  assert_int_equal(ttb__lock_unlock(&l, 5), TTB_OK);
  assert_int_equal(ttb__lock_unlock(&l, 5), TTB_ERR_MISUSE);
}

static void test_takeover(void **state) {
  (void)state;
  ttb__lock l = {{0}};
  assert_int_equal(ttb__lock_takeover(&l, 5, 6), TTB_AGAIN); /* nobody holds it */
  assert_int_equal(ttb__lock_try(&l, 5), TTB_OK);
  assert_int_equal(ttb__lock_takeover(&l, 7, 6), TTB_AGAIN); /* the dead one does not */
  assert_int_equal(ttb__lock_takeover(&l, 5, 6), TTB_OK);
  assert_int_equal(ttb__lock_takeover(&l, 5, 7), TTB_AGAIN); /* somebody was faster */
  assert_int_equal(ttb__lock_unlock(&l, 5), TTB_ERR_MISUSE);
  assert_int_equal(ttb__lock_takeover(&l, 6, 7), TTB_OK); /* the successor died as well */
  assert_int_equal(ttb__lock_unlock(&l, 7), TTB_OK);
}

static void test_sequence_grows_and_wraps(void **state) {
  (void)state;
  ttb__lock l = {{0}};
  uint64_t before = ttb__load_rlx(&l.word);
  assert_int_equal(ttb__lock_try(&l, TTB_MAX_TOKEN), TTB_OK);
  assert_int_equal(ttb__load_rlx(&l.word) >> 40, (before >> 40) + 1);
  assert_int_equal(ttb__lock_unlock(&l, TTB_MAX_TOKEN), TTB_OK);
  ttb__store_rlx(&l.word, UINT64_C(0xffffff) << 40);
  assert_int_equal(ttb__lock_try(&l, 3), TTB_OK);
  assert_int_equal(ttb__load_rlx(&l.word), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_try_and_unlock),
      cmocka_unit_test(test_unlock_refuses_strangers),
      cmocka_unit_test(test_takeover),
      cmocka_unit_test(test_sequence_grows_and_wraps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
