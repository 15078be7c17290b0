/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/health/outlier_room.c: one word says how many are ejected. */
#include "outlier_help.h"

static ttb__health *table(void) { return ttb__health_of(&h); }

static ttb__outlier_tally room(void) {
  return ttb__room_numbers(ttb__load_rlx(&table()->ejections->room));
}
static void assert_exact(void) {
  ttb__outlier_tally n = ttb__outlier_count(table());
  assert_int_equal(room().enabled, n.enabled);
  assert_int_equal(room().ejected, n.ejected);
}

/* The first failure ejects. */
static ttb_health_config at_once(uint32_t targets, int32_t most_ppm) {
  ttb_health_config c = config(TTB_HEALTH_EJECT_ENVOY, targets);
  c.eject_errors = 1;
  c.eject_max_ppm = most_ppm;
  c.flags = TTB_HEALTH_EJECT_PROBED;
  return c;
}

static void test_start(void **state) {
  (void)state;
  ttb_health_config c = at_once(10, 500000);
  make(&c);
  assert_int_equal(room().enabled, 10);
  assert_exact();
  ttb_health_free(&h);
  c.flags |= TTB_HEALTH_DISABLED;
  make(&c);
  assert_int_equal(room().enabled, 0);
  assert_int_equal(ttb_health_enable(&h, 3, now), TTB_OK);
  assert_int_equal(ttb_health_enable(&h, 4, now), TTB_OK);
  assert_int_equal(ttb_health_enable(&h, 4, now), TTB_OK); /* anew: one all the same */
  assert_int_equal(room().enabled, 2);
  assert_int_equal(told(3, TTB_FAILURE), TTB_HEALTH_EJECTED); /* one of two, before any sweep */
  assert_int_equal(told(4, TTB_FAILURE), TTB_OK);
  assert_exact();
}

/* Whoever leaves the table takes the place it had along. */
static void test_leaving(void **state) {
  (void)state;
  ttb_health_config c = at_once(4, 250000);
  make(&c);
  assert_int_equal(told(0, TTB_FAILURE), TTB_HEALTH_EJECTED);
  assert_int_equal(told(1, TTB_FAILURE), TTB_OK); /* one of four may be */
  assert_int_equal(ttb_health_enable(&h, 0, now), TTB_OK); /* another target in the slot */
  assert_int_equal(ejected(0), 0);
  assert_exact();
  assert_int_equal(told(1, TTB_FAILURE), TTB_HEALTH_EJECTED);
  assert_int_equal(ttb_health_disable(&h, 1, now), TTB_OK);
  assert_int_equal(ttb_health_disable(&h, 1, now), TTB_OK);
  assert_int_equal(room().enabled, 3);
  assert_int_equal(told(2, TTB_FAILURE), TTB_OK); /* a quarter of three is none */
  assert_int_equal(stats().ejected, 0);
  assert_exact();
}

/* Any serial history: the word is exact, the limit holds after each call. */
static void test_any_history(void **state) {
  (void)state;
  uint64_t x = 88172645463325252u;
  for (int round = 0; round < 60; round++) {
    ttb_health_config c = at_once(1 + (uint32_t)round % 12, 100000 + round % 7 * 100000);
    c.eject = 1 + round % 3;
    c.eject_min_kept = round % 4 == 0 ? TTB_OFF : round % 4;
    c.eject_interval_ms = 50;
    c.eject_base_ms = 80;
    make(&c);
    for (int i = 0; i < 2000; i++) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      uint32_t slot = (uint32_t)(x >> 8) % c.capacity;
      switch (x >> 40 & 15) {
      case 0: (void)ttb_health_disable(&h, slot, now); break;
      case 1: (void)ttb_health_enable(&h, slot, now); break;
      case 2: (void)ttb_health_report(&h, slot, TTB_SUCCESS, 0, now); break;
      case 3: case 4: sweep((uint32_t)(x >> 20) % 40); break;
      default: (void)told(slot, x >> 50 & 1 ? TTB_FAILURE : TTB_SUCCESS);
      }
      assert_exact();
      if (told(slot, TTB_FAILURE) != TTB_HEALTH_EJECTED) continue;
      assert_true(ttb__outlier_allowed(&table()->outlier, ttb__outlier_count(table())));
    }
    ttb_health_free(&h);
  }
}

/* Two that eject while a sweep counts: who finds a new epoch asks again. */
static void test_new_epoch(void **state) {
  (void)state;
  uint32_t first, second;
  ttb_health_config c = at_once(4, 250000);
  make(&c);
  assert_true(ttb__room_take(table(), &first)); /* stands still before its mark */
  ttb__room_count(table());
  assert_true(ttb__room_take(table(), &second)); /* the place is free again */
  assert_true(ttb__room_keep(table(), second));
  assert_false(ttb__room_keep(table(), first));
  assert_int_equal(room().ejected, 1);
  ttb__room_give(table(), first); /* knows nothing of this epoch */
  assert_int_equal(room().ejected, 1);
  assert_true(ttb__room_epoch(table()) != first);
  ttb__room_count(table());
  ttb__room_count(table()); /* nothing to do: no new epoch */
  assert_int_equal(room().ejected, 0);
  assert_int_equal(ttb__room_epoch(table()), (first + 2) & 2047);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_start, teardown),
      cmocka_unit_test_teardown(test_leaving, teardown),
      cmocka_unit_test_teardown(test_any_history, teardown),
      cmocka_unit_test_teardown(test_new_epoch, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
