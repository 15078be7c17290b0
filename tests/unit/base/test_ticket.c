/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/ticket.{h,c}. */
#include "../../../lib/base/ticket.h"

#include <trimtab/base.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_round_trip_at_the_edges(void **state) {
  (void)state;
  const uint32_t slots[] = {0, 1, TTB_MAX_SLOTS / 2, TTB_MAX_SLOTS - 1};
  const uint32_t gens[] = {0, 1, 0x80000, TTB__GEN_MASK};
  const uint32_t rows[] = {0, 1, 253, TTB__NO_ROW};
  const uint32_t permits[] = {0, 1, 0x4000, TTB__MAX_PERMIT};
  for (int i = 0; i < 256; i++) {
    uint32_t slot = slots[i & 3], gen = gens[i >> 2 & 3], row = rows[i >> 4 & 3];
    uint32_t permit = permits[i >> 6];
    int64_t t = ttb__ticket_pack(slot, gen, row, permit);
    assert_true(t >= 0);
    ttb__ticket u = ttb__ticket_unpack(t);
    assert_int_equal(u.slot, slot);
    assert_int_equal(u.gen, gen);
    assert_int_equal(u.row, row);
    assert_int_equal(u.permit, permit);
    assert_int_equal(ttb_ticket_slot(t), slot);
  }
}

/* The picture in ticket.h, as numbers: bindings may rely on the slot. */
static void test_places(void **state) {
  (void)state;
  assert_true(ttb__ticket_pack(1, 0, 0, 0) == 1);
  assert_true(ttb__ticket_pack(0, 1, 0, 0) == INT64_C(1) << 20);
  assert_true(ttb__ticket_pack(0, 0, 1, 0) == INT64_C(1) << 40);
  assert_true(ttb__ticket_pack(0, 0, 0, 1) == INT64_C(1) << 48);
  assert_true(ttb__ticket_pack(TTB_MAX_SLOTS - 1, TTB__GEN_MASK, 255, TTB__MAX_PERMIT) ==
              INT64_MAX);
}

static void test_any_number_unpacks(void **state) {
  (void)state;
  assert_int_equal(ttb_ticket_slot(INT64_MAX), TTB_MAX_SLOTS - 1);
  assert_int_equal(ttb_ticket_slot(0), 0);
  assert_int_equal(ttb_ticket_slot(-1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_ticket_slot(TTB_OPEN), TTB_ERR_MISUSE);
  assert_int_equal(ttb_ticket_slot(INT64_MIN), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip_at_the_edges),
      cmocka_unit_test(test_places),
      cmocka_unit_test(test_any_number_unpacks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
