/* SPDX-License-Identifier: MIT */
/* lib/balancer/circle.c */
#include "helper.h"

#include "../../../lib/balancer/circle.h"

/* Against a linear search, with equal positions and both ends of the circle. */
static void finds_and_sorts(void **state) {
  static ttb__a32 entry[TTB__CIRCLE_ENTRIES(200)];
  uint64_t seed = 5;
  (void)state;
  for (uint32_t n = 1; n <= 200; n += n < 70 ? 1 : 19) {
    ttb__circle c = {.entry = entry, .room = n};
    uint64_t position[200];
    for (uint32_t i = 0; i < n; i++) {
      position[i] = ttb__splitmix(&seed);
      if (n % 2 && i % 3) position[i] >>= 44; /* far from evenly spread */
      if (i % 5 == 4) position[i] = position[i - 1];
      if (i == 7) position[i] = 0;
      if (i == 8) position[i] = UINT64_MAX;
      ttb__circle_add(&c, position[i], i);
    }
    ttb__circle_add(&c, 1, 999); /* no room */
    assert_int_equal(c.n, n);
    ttb__circle_sort(&c);
    for (int k = 0; k < 300; k++) {
      uint64_t key = k < 200 && (uint32_t)k < n ? position[k] : ttb__splitmix(&seed);
      if (k == 250) key = 0;
      if (k == 251) key = UINT64_MAX;
      uint32_t best = n;
      for (uint32_t i = 0; i < n; i++)
        if (position[i] >= key && (best == n || position[i] < position[best])) best = i;
      for (uint32_t i = 0; i < n && best == n; i++) {
        bool least = true;
        for (uint32_t j = 0; j < n; j++) least = least && position[i] <= position[j];
        if (least) best = i;
      }
      uint32_t at = ttb__circle_find(&c, key);
      assert_int_equal(ttb__circle_slot(&c, at), best); /* of equals the first added */
    }
  }
}

/* 32-bit points: equal ones in the order of ranks. */
static void equal_points(void **state) {
  ttb__a32 entry[TTB__CIRCLE_ENTRIES(3)];
  ttb__circle c = {.entry = entry, .room = 3};
  (void)state;
  ttb__circle_add(&c, ttb__position32(7, 2), 0);
  ttb__circle_add(&c, ttb__position32(7, 1), 5);
  ttb__circle_add(&c, ttb__position32(3, 0), 9);
  ttb__circle_sort(&c);
  assert_int_equal(ttb__circle_slot(&c, ttb__circle_find(&c, ttb__position32(7, 0))), 5);
  assert_int_equal(ttb__circle_slot(&c, ttb__circle_find(&c, ttb__position32(8, 0))), 9);
}

/* Many points where the index and the hands cannot tell them apart: all at one
 * position, all within 2^-40 of the circle, at both ends. */
static void crowded(void **state) {
  enum { N = 150 };
  static ttb__a32 entry[TTB__CIRCLE_ENTRIES(N)];
  (void)state;
  for (int kind = 0; kind < 4; kind++) {
    ttb__circle c = {.entry = entry, .room = N};
    uint64_t base = kind < 2 ? UINT64_C(0x7777777777777777) : kind == 2 ? 0 : UINT64_MAX - 3 * N;
    uint64_t step = kind ? 3 : 0;
    for (uint32_t i = N; i-- > 0;) ttb__circle_add(&c, base + step * i, i);
    ttb__circle_sort(&c);
    for (uint32_t i = 0; i < N; i++) {
      uint32_t at = ttb__circle_find(&c, base + step * i);
      assert_int_equal(ttb__circle_slot(&c, at), step ? i : 0);
      if (step == 0) continue;
      at = ttb__circle_find(&c, base + step * i + 1);
      assert_int_equal(ttb__circle_slot(&c, at), (i + 1) % N);
    }
    if (step == 0) assert_int_equal(ttb__circle_slot(&c, ttb__circle_find(&c, base + 1)), 0);
    for (uint32_t i = 0; i < N; i++) assert_int_equal(ttb__circle_slot(&c, i), i);
  }
}

static void decimal(void **state) {
  static const struct {
    uint64_t n;
    const char *text;
  } cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {4711, "4711"},
               {UINT64_MAX, "18446744073709551615"}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[21] = {0};
    assert_int_equal(ttb__decimal(text, cases[i].n), strlen(cases[i].text));
    assert_string_equal(text, cases[i].text);
  }
}

/* One of many that may be picked is found, wherever it is and though it has no
 * point: ketama gives a weight of 1 among 60,000 none. */
static void without_a_point(void **state) {
  pair p = make(config_of(TTB_BALANCER_KETAMA, 3));
  (void)state;
  add(&p.mine, 1, 60000);
  add(&p.mine, 2, 60000);
  add(&p.mine, 3, 1);
  assert_int_equal(stats_of(&p.shared).weight_error_ppm, 1000000);
  for (uint64_t i = 0; i < 1000; i++) assert_int_not_equal(home(&p, i), 2);
  ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_ADMIN, 1);
  ttb_balancer_mark(&p.shared, 1, TTB_CAUSE_ADMIN, 1);
  for (uint64_t i = 0; i < 100; i++) assert_int_equal(home(&p, i), 2);
  uint32_t no = 2;
  assert_int_equal(ttb_balancer_acquire_except(&p.mine, 5, &no, 1, 0), TTB_ALL_EXCLUDED);
  ttb_balancer_mark(&p.shared, 2, TTB_CAUSE_ADMIN, 1);
  assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_and_sorts),
      cmocka_unit_test(equal_points),
      cmocka_unit_test(crowded),
      cmocka_unit_test(decimal),
      cmocka_unit_test(without_a_point),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
