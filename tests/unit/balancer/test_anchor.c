/* SPDX-License-Identifier: MIT */
/* lib/balancer/anchor.c; tests/property/prop_balancer_hashes.c compares it with the
 * paper's rule in its plainest form. */
#include "helper.h"

#include "../../../lib/balancer/balancer.h"

static void keys(void **state) {
  (void)state;
  keeps_keys(TTB_BALANCER_ANCHOR, 0);
}

/* Few of many buckets work; weights do not matter. */
static void roomy(void **state) {
  pair p = make(config_of(TTB_BALANCER_ANCHOR, 4096));
  uint32_t w[] = {1, 200, 3, 4, 5}, picks[5] = {0};
  (void)state;
  fill(&p, 5, w);
  for (uint64_t i = 0; i < 50000; i++) picks[home(&p, i)]++;
  for (int i = 0; i < 5; i++) assert_in_range(picks[i], 9600, 10400);
  drop(&p);
}

/* Sequential hashes, and those whose upper half is empty, spread as well. */
static void plain_numbers(void **state) {
  pair p = make(config_of(TTB_BALANCER_ANCHOR, 10));
  uint32_t low[10] = {0}, high[10] = {0};
  (void)state;
  fill(&p, 10, NULL);
  for (uint64_t i = 0; i < 10000; i++) {
    low[ttb_ticket_slot(ttb_balancer_acquire(&p.mine, i, 0))]++;
    high[ttb_ticket_slot(ttb_balancer_acquire(&p.mine, i << 40, 0))]++;
  }
  for (int i = 0; i < 10; i++) {
    assert_in_range(low[i], 700, 1300);
    assert_in_range(high[i], 700, 1300);
  }
  drop(&p);
}

/* Replaced within one update, also in another slot: the heir has exactly the
 * leaver's keys. */
static void replaced(void **state) {
  enum { KEYS = 5000 };
  static int32_t before[KEYS];
  pair p = make(config_of(TTB_BALANCER_ANCHOR, 12));
  ttb_endpoint list[10];
  (void)state;
  for (uint32_t i = 0; i < 10; i++) list[i] = (ttb_endpoint){.struct_size = sizeof *list, .weight = 1, .id = i + 1};
  assert_int_equal(ttb_balancer_update(&p.mine, list, 10, NULL), TTB_OK);
  assert_int_equal(ttb_balancer_remove(&p.mine, 2), TTB_OK);
  for (uint64_t i = 0; i < KEYS; i++) before[i] = home(&p, i);
  list[1].id = 98; /* in 1's slot, 4 goes */
  list[3] = list[9];
  assert_int_equal(ttb_balancer_update(&p.mine, list, 9, NULL), TTB_OK);
  int32_t heir = ttb_balancer_find(&p.shared, 98);
  for (uint64_t i = 0; i < KEYS; i++) {
    int32_t now = home(&p, i);
    assert_true(before[i] == 3 ? now == heir : now == before[i]);
  }
  drop(&p);
}

/* A published table full of nonsense: picks stay in the region and end, and the
 * next change begins anew. */
static void repairs(void **state) {
  pair p = make(config_of(TTB_BALANCER_ANCHOR, 64));
  uint64_t seed = 1;
  (void)state;
  fill(&p, 10, NULL);
  (void)acquire(&p);
  const ttb__balancer *b = (const ttb__balancer *)(const void *)&p.mine;
  ttb__a32 *entry = (ttb__a32 *)(uintptr_t)b->seen->entry;
  for (uint32_t round = 0; round < 100; round++) {
    for (uint32_t i = 0; i < b->entries; i++)
      ttb__store_rlx(&entry[i], (uint32_t)ttb__splitmix(&seed) % 128 | (i % 3 ? 0x80000000u : 0));
    for (uint64_t i = 0; i < 100; i++) assert_in_range(home(&p, i), 0, 9);
  }
  for (uint32_t i = 0; i < b->entries; i++) /* cycles */
    ttb__store_rlx(&entry[i], i < 64 ? 0x80000000u | 40 : i % 64);
  for (uint64_t i = 0; i < 100; i++) assert_in_range(home(&p, i), 0, 9);
  assert_int_equal(add(&p.mine, 50, 1), 10);
  uint32_t picks[11] = {0};
  for (uint64_t i = 0; i < 11000; i++) picks[home(&p, i)]++;
  for (int i = 0; i < 11; i++) assert_in_range(picks[i], 850, 1150);
  drop(&p);
}

/* One bucket; all buckets; all leave. */
static void edges(void **state) {
  pair p = make(config_of(TTB_BALANCER_ANCHOR, 1));
  (void)state;
  assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  add(&p.mine, 5, 1);
  assert_int_equal(home(&p, 3), 0);
  ttb_balancer_remove(&p.mine, 5);
  assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  assert_int_equal(add(&p.mine, 6, 1), 0);
  assert_int_equal(home(&p, 3), 0);
  drop(&p);
  p = make(config_of(TTB_BALANCER_ANCHOR, 3));
  for (int round = 0; round < 3; round++) {
    uint32_t seen = 0;
    fill(&p, 3, NULL);
    for (uint64_t i = 0; i < 100; i++) seen |= 1u << home(&p, i);
    assert_int_equal(seen, 7);
    for (uint64_t id = 1; id <= 3; id++)
      assert_int_equal(ttb_balancer_remove(&p.mine, (id + (uint64_t)round) % 3 + 1), TTB_OK);
    assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  }
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keys),     cmocka_unit_test(roomy),   cmocka_unit_test(plain_numbers),
      cmocka_unit_test(replaced), cmocka_unit_test(repairs), cmocka_unit_test(edges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
