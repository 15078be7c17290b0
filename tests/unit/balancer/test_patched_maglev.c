/* SPDX-License-Identifier: MIT */
/* lib/balancer/patched_maglev.c */
#include "helper.h"

#include "../../../lib/balancer/balancer.h"

enum { M = 1009 };

static pair table_of(uint32_t algorithm, uint32_t capacity) {
  ttb_balancer_config c = config_of(algorithm, capacity);
  c.table_size = M;
  return make(c);
}

/* Who has entry i. */
static int32_t owner(pair *p, uint64_t i) {
  return ttb_ticket_slot(ttb_balancer_acquire(&p->mine, i, 0));
}

/* The first table of equals is Maglev's. */
static void begins_as_maglev(void **state) {
  pair p = table_of(TTB_BALANCER_PATCHED_MAGLEV, 20), q = table_of(TTB_BALANCER_MAGLEV, 20);
  (void)state;
  fill(&p, 20, NULL);
  fill(&q, 20, NULL);
  for (uint64_t i = 0; i < M; i++) assert_int_equal(owner(&p, i), owner(&q, i));
  drop(&p);
  drop(&q);
}

static void keys(void **state) {
  (void)state;
  keeps_keys(TTB_BALANCER_PATCHED_MAGLEV, 0);
  shares_by_weight(TTB_BALANCER_PATCHED_MAGLEV, 4);
}

/* Replaced within one update, also in the same slot: the newcomer has what the
 * leaver had, nothing else changes. A list that says nothing new changes nothing. */
static void replaced(void **state) {
  pair p = table_of(TTB_BALANCER_PATCHED_MAGLEV, 10);
  int32_t before[M];
  ttb_endpoint list[10];
  (void)state;
  for (uint32_t i = 0; i < 10; i++) list[i] = (ttb_endpoint){.struct_size = sizeof *list, .weight = 1 + i % 3, .id = i + 1};
  assert_int_equal(ttb_balancer_update(&p.mine, list, 10, NULL), TTB_OK);
  for (uint64_t i = 0; i < M; i++) before[i] = owner(&p, i);
  assert_int_equal(ttb_balancer_update(&p.mine, list, 10, NULL), TTB_OK);
  for (uint64_t i = 0; i < M; i++) assert_int_equal(owner(&p, i), before[i]);
  list[4].id = 99;
  assert_int_equal(ttb_balancer_update(&p.mine, list, 10, NULL), TTB_OK);
  assert_int_equal(ttb_balancer_find(&p.shared, 99), 4);
  for (uint64_t i = 0; i < M; i++) assert_int_equal(owner(&p, i), before[i]);
  drop(&p);
}

/* Heavier: it gains, from all; lighter: it loses, to all. */
static void weights(void **state) {
  pair p = table_of(TTB_BALANCER_PATCHED_MAGLEV, 10);
  int32_t before[M];
  uint32_t count[10] = {0};
  (void)state;
  fill(&p, 10, NULL);
  for (uint64_t i = 0; i < M; i++) before[i] = owner(&p, i);
  assert_int_equal(ttb_balancer_set_weight(&p.mine, 4, 11), TTB_OK);
  for (uint64_t i = 0; i < M; i++) {
    int32_t now = owner(&p, i);
    count[now]++;
    assert_true(now == before[i] || now == 3);
    before[i] = now;
  }
  assert_in_range(count[3], 550, 558); /* 11 of 20 */
  for (int i = 0; i < 10; i++)
    if (i != 3) assert_in_range(count[i], 50, 51);
  assert_int_equal(ttb_balancer_set_weight(&p.mine, 4, 1), TTB_OK);
  for (uint64_t i = 0; i < M; i++) assert_true(owner(&p, i) == before[i] || before[i] == 3);
  assert_int_equal(stats_of(&p.shared).weight_error_ppm, 8919); /* 100 or 101 of 100.9 */
  drop(&p);
}

/* Somebody has written nonsense into the published table: no pick leaves the
 * region, and the next change deals what is nobody's again. */
static void repairs(void **state) {
  pair p = table_of(TTB_BALANCER_PATCHED_MAGLEV, 10);
  uint32_t count[10] = {0};
  (void)state;
  fill(&p, 9, NULL);
  const ttb__balancer *b = (const ttb__balancer *)(const void *)&p.mine;
  ttb__a32 *entry = (ttb__a32 *)(uintptr_t)b->seen->entry;
  (void)acquire(&p); /* looks up which copy it is */
  entry = (ttb__a32 *)(uintptr_t)b->seen->entry;
  for (uint32_t i = 0; i < M; i += 2) ttb__store_rlx(&entry[i], i * 2654435761u);
  for (uint64_t i = 0; i < M; i++) assert_in_range(owner(&p, i), 0, 8);
  assert_int_equal(add(&p.mine, 50, 1), 9);
  for (uint64_t i = 0; i < M; i++) count[owner(&p, i)]++;
  for (int i = 0; i < 10; i++) assert_in_range(count[i], 100, 101);
  drop(&p);
}

/* All leave, others come: a table as on the first day. */
static void empties(void **state) {
  pair p = table_of(TTB_BALANCER_PATCHED_MAGLEV, 10);
  (void)state;
  fill(&p, 10, NULL);
  assert_int_equal(ttb_balancer_update(&p.mine, NULL, 0, NULL), TTB_OK);
  assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  assert_int_equal(add(&p.mine, 7, 3), 0);
  for (uint64_t i = 0; i < M; i++) assert_int_equal(owner(&p, i), 0);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(begins_as_maglev), cmocka_unit_test(keys),    cmocka_unit_test(replaced),
      cmocka_unit_test(weights),          cmocka_unit_test(repairs), cmocka_unit_test(empties),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
