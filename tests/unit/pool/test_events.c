/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/pool/events.c: events and rows for people. */
#include "fixture.h"

#include "../../../lib/pool/pool.h"

static void test_story(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  fleet_open(&f, &c, 1);
  ttb_pool_drain(&f.mine, 100, 1, f.clock.now_ns);
  ttb_pool_drain(&f.mine, 100, 1, f.clock.now_ns); /* no change, no event */
  ttb_pool_remove(&f.mine, 100, f.clock.now_ns);
  ttb_pool_event e[8];
  assert_int_equal(ttb_pool_events(&f.shared, &f.cursor, e, 8, &f.lost), 3);
  assert_int_equal(e[0].kind, TTB_POOL_ADDED);
  assert_int_equal(e[0].value, 1);
  assert_int_equal(e[1].kind, TTB_POOL_CAUSES);
  assert_int_equal(e[1].value, TTB_CAUSE_DRAIN);
  assert_int_equal(e[2].kind, TTB_POOL_REMOVED);
  assert_int_equal(e[2].id, 100);
  assert_int_equal(ttb_pool_events(&f.shared, &f.cursor, e, 8, &f.lost), 0);
  /* Another reader has its own cursor. */
  uint64_t mine = 0;
  assert_int_equal(ttb_pool_events(&f.mine, &mine, e, 2, NULL), 2);
  assert_int_equal(ttb_pool_events(&f.mine, &mine, e, 2, NULL), 1);
  fleet_close(&f);
}

/* In and out, whatever the reason, is one kind of event. */
static void test_causes(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.probing = TTB_POOL_PROBE_ACTIVE;
  fleet_open(&f, &c, 2);
  fleet_skip_events(&f);
  fleet_fail(&f, 0, 5);
  for (int i = 0; i < 4; i++)
    ttb_pool_probe_result(&f.mine, 0, TTB_FAILURE, 1, f.clock.now_ns);
  vclock_ms(&f.clock, 5000);
  for (int i = 0; i < 4; i++)
    ttb_pool_probe_result(&f.mine, 0, TTB_SUCCESS, 1, f.clock.now_ns);
  const int64_t then[] = {TTB_CAUSE_BREAKER, TTB_CAUSE_BREAKER | TTB_CAUSE_PROBE, TTB_CAUSE_PROBE, 0};
  for (int i = 0; i < 4; i++) {
    ttb_pool_event e;
    do {
      e = fleet_event(&f);
      assert_int_not_equal(e.kind, 0);
    } while (e.kind != TTB_POOL_CAUSES);
    assert_int_equal(e.id, 100);
    assert_int_equal(e.value, then[i]);
  }
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  fleet_close(&f);
}

static void test_overwritten_are_counted(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.events = 16;
  fleet_open(&f, &c, 1);
  for (int i = 0; i < 50; i++) ttb_pool_drain(&f.mine, 100, i % 2 == 0, f.clock.now_ns);
  ttb_pool_event e[64];
  int32_t n = ttb_pool_events(&f.shared, &f.cursor, e, 64, &f.lost);
  assert_in_range(n, 1, 16);
  assert_int_equal((uint64_t)n + f.lost, 51);
  assert_int_equal(e[n - 1].value, 0); /* the last one */
  assert_int_equal(fleet_stats(&f).events, 51);
  fleet_close(&f);
}

/* A neighbour's nonsense is a loss: readers index their arrays by slot and kind. */
static void test_nonsense_is_lost(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  fleet_open(&f, &c, 5); /* five events */
  ttb__ring *ring = ttb__pool_of(&f.mine)->ring;
  const uint64_t words[] = {UINT64_MAX, 0, UINT64_C(64) << 32 | TTB_POOL_ADDED,
                            TTB_POOL_LIMITED + 1};
  for (uint32_t i = 0; i < 4; i++) ttb__store_rlx(&ring->record[i].word[2], words[i]);
  ttb_pool_event e[8];
  assert_int_equal(ttb_pool_events(&f.shared, &f.cursor, e, 8, &f.lost), 1);
  assert_int_equal(e[0].id, 104);
  assert_int_equal(f.lost, 4);
  fleet_close(&f);
}

static void test_rows(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  fleet_open(&f, &c, 3);
  fleet_fail(&f, 2, 5);
  ttb_pool_info rows[4];
  memset(rows, 0x5a, sizeof rows);
  rows[0].struct_size = sizeof rows[0];
  const uint32_t excluded = 0;
  assert_int_equal(ttb_pool_explain(&f.mine, 0, &excluded, 1, f.clock.now_ns, rows, 4), 3);
  const int32_t reason[] = {TTB_BALANCER_EXCLUDED, TTB_BALANCER_CHOSEN, TTB_BALANCER_BY_BREAKER};
  for (uint32_t i = 0; i < 3; i++) {
    assert_int_equal(rows[i].struct_size, sizeof rows[0]);
    assert_int_equal(rows[i].slot, i);
    assert_int_equal(rows[i].id, 100 + i);
    assert_int_equal(rows[i].weight, 1);
    assert_int_equal(rows[i].weight_64ths, 64);
    assert_int_equal(rows[i].reason, reason[i]);
  }
  assert_int_equal(rows[2].breaker, TTB_BREAKER_OPEN);
  assert_int_equal(rows[2].retry_after_ms, 5000);
  assert_int_equal(rows[3].slot, 0x5a5a5a5a); /* untouched */
  /* Fewer rows than endpoints; none at all; a wrong size. */
  assert_int_equal(ttb_pool_explain(&f.mine, 0, NULL, 0, f.clock.now_ns, rows, 1), 3);
  assert_int_equal(ttb_pool_explain(&f.shared, 0, NULL, 0, f.clock.now_ns, NULL, 0), 3);
  rows[0].struct_size = 12;
  assert_int_equal(ttb_pool_explain(&f.mine, 0, NULL, 0, 0, rows, 4), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_explain(NULL, 0, NULL, 0, 0, rows, 4), TTB_ERR_MISUSE);
  fleet_close(&f);
}

static void test_misuse(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  fleet_open(&f, &c, 1);
  ttb_pool_info i = TTB_CONFIG(ttb_pool_info);
  ttb_pool_stats s = TTB_CONFIG(ttb_pool_stats);
  ttb_field field = TTB_CONFIG(ttb_field);
  assert_int_equal(ttb_pool_inspect(&f.mine, 1, 0, &i), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_pool_inspect(&f.mine, 64, 0, &i), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_inspect(&f.mine, 0, 0, NULL), TTB_ERR_MISUSE);
  i.struct_size = 3;
  assert_int_equal(ttb_pool_inspect(&f.mine, 0, 0, &i), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_statistics(NULL, &s), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_statistics(&f.mine, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_events(&f.mine, NULL, NULL, 0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_field(5, 0, &field), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_field(3, 0, &field), TTB_OK);
  assert_string_equal(field.type_name, "ttb_pool_event");
  fleet_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_story),
      cmocka_unit_test(test_causes),
      cmocka_unit_test(test_overwritten_are_counted),
      cmocka_unit_test(test_nonsense_is_lost),
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_misuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
