/* SPDX-License-Identifier: MIT */
/* lib/router/router_join.c: rows and what the dead leave behind. */
#include "fleet.h"

#include "../../../lib/router/router.h"

static void test_join(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.threads = 2;
  fleet f = fleet_of(&c);
  ttb_router second, third;
  assert_int_equal(ttb_router_join(&f.shared, 0, &second), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_join(&f.shared, TTB_MAX_TOKEN + 1, &second), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_join(&f.shared, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_join(&f.shared, 2, &second), TTB_OK);
  assert_int_equal(ttb_router_join(&f.shared, 3, &third), TTB_ERR_NOSPACE);
  assert_int_equal(stats(&f).joined, 2);
  ttb_router_free(&second);
  assert_int_equal(stats(&f).joined, 1);
  assert_int_equal(ttb_router_join(&f.mine, 3, &third), TTB_OK);
  ttb_router_free(&third);
  fleet_end(&f);
}

static void test_recover(void **state) {
  (void)state;
  fleet f = fleet_plain();
  ttb_router dead;
  assert_int_equal(add(&f, 1), 0);
  assert_int_equal(observe(&f, 1, P, 0, 1, T0), TTB_OK);
  assert_int_equal(ttb_router_join(&f.shared, 9, &dead), TTB_OK);
  int64_t t = ttb_router_write(&dead, T0);
  for (int i = 0; i < 4; i++) assert_true(ttb_router_write(&dead, T0) >= 0);
  assert_true(ttb_router_write(&f.mine, T0) >= 0);
  assert_int_equal(row(&f, NULL, 0, T0).in_flight, 6);
  /* It dies with the owner lock in its hands. */
  ttb__router *d = ttb__router_of(&dead);
  assert_int_equal(ttb__lock_try(&d->table->lock, 9), TTB_OK);
  assert_int_equal(add(&f, 2), TTB_AGAIN);

  assert_int_equal(ttb_router_recover(&f.mine, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_recover(&f.mine, 0), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_recover(&f.mine, 9), 1);
  assert_int_equal(ttb_router_recover(&f.mine, 9), 0);
  assert_int_equal(row(&f, NULL, 0, T0).in_flight, 1);
  assert_int_equal(add(&f, 2), 1);

  /* Its row goes to another; its tickets fit nobody. */
  ttb_router next;
  assert_int_equal(ttb_router_join(&f.shared, 10, &next), TTB_OK);
  assert_true(ttb_router_write(&next, T0) >= 0);
  assert_int_equal(ttb_router_report(&next, t, TTB_SUCCESS, 0, T0), TTB_STALE);
  assert_int_equal(row(&f, NULL, 0, T0).in_flight, 2);
  ttb_router_free(&next);
  assert_int_equal(row(&f, NULL, 0, T0).in_flight, 1);
  fleet_end(&f);
}

/* Same seed, same history, same draws; another row draws otherwise. */
static void test_random_sequence(void **state) {
  (void)state;
  int32_t slots[2][64], differ = 0;
  for (int run = 0; run < 2; run++) {
    fleet f = fleet_plain();
    ttb_router other;
    assert_int_equal(ttb_router_join(&f.shared, 1, &other), TTB_OK);
    for (uint64_t id = 1; id <= 8; id++) {
      assert_int_equal(add(&f, id), (int32_t)id - 1);
      assert_int_equal(observe(&f, id, R, 0, 0, T0), TTB_OK);
    }
    for (int i = 0; i < 64; i++) {
      slots[run][i] = read_to(&f, NULL, T0);
      int64_t t = ttb_router_read(&other, NULL, T0);
      differ += ttb_ticket_slot(t) != slots[run][i];
      assert_int_equal(ttb_router_report(&other, t, TTB_CANCELLED, 0, T0), TTB_OK);
    }
    ttb_router_free(&other);
    fleet_end(&f);
  }
  assert_memory_equal(slots[0], slots[1], sizeof slots[0]);
  assert_true(differ > 64);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_join),
      cmocka_unit_test(test_recover),
      cmocka_unit_test(test_random_sequence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
