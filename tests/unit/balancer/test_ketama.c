/* SPDX-License-Identifier: MIT */
/* lib/balancer/ketama.c */
#include "helper.h"

#include "../../../lib/balancer/ketama.h"

/* libmemcached's test of the key whose position lies behind the last point. */
static void key_hash(void **state) {
  (void)state;
  assert_int_equal(ttb_ketama_hash("VDEAAAAA", 8), 0xfffcd1b5);
  assert_int_equal(ttb_ketama_hash("", 0), 0xd98c1dd4);
  assert_int_equal(ttb_ketama_hash(NULL, 0), 0xd98c1dd4);
  assert_int_equal(ttb_ketama_hash(NULL, 3), 0);
}

/* 40 texts each; what libmemcached's single precision makes of other shares. */
static void texts(void **state) {
  (void)state;
  for (uint32_t n = 1; n <= 1000; n++)
    assert_in_range(ttb__ketama_texts(1, n, n), 39, 40); /* 1/n is not exact */
  assert_int_equal(ttb__ketama_texts(1, 8, 8), 40);
  assert_int_equal(ttb__ketama_texts(600, 4300, 8), 44);
  assert_int_equal(ttb__ketama_texts(100, 4300, 8), 7);
  assert_int_equal(ttb__ketama_texts(1, 120001, 3), 0);
}

/* The first points of "17": MD5 of "17-0" in four little-endian words. */
static void points(void **state) {
  ttb__a32 entry[TTB__CIRCLE_ENTRIES(8)];
  ttb__circle c = {.entry = entry, .room = 8};
  char text[2 + 11] = "17";
  static const uint32_t words[4] = {0xe66ca859, 0xc3790426, 0x3a1557e5, 0xeac940e8};
  (void)state;
  ttb__ketama_place(&c, text, 2, 3, 0, 1, 4);
  assert_int_equal(c.n, 4);
  for (int i = 0; i < 4; i++) assert_int_equal(ttb__load_rlx(&entry[2 * (8 + i) + 2]), words[i]);
  ttb__ketama_place(&c, text, 2, 3, 0, 40, 4);
  assert_int_equal(c.n, 8); /* no more room */
}

static void keys(void **state) {
  (void)state;
  keeps_keys(TTB_BALANCER_KETAMA, 400);
  forgets_history(TTB_BALANCER_KETAMA);
  shares_by_weight(TTB_BALANCER_KETAMA, 25);
}

static void limits(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_KETAMA, 16384);
  (void)state;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_OK);
  c.capacity++;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
  c = config_of(TTB_BALANCER_KETAMA, 10);
  c.table_size = 5000;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE); /* it knows its size */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(key_hash),
      cmocka_unit_test(texts),
      cmocka_unit_test(points),
      cmocka_unit_test(keys),
      cmocka_unit_test(limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
