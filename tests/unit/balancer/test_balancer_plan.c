/* SPDX-License-Identifier: MIT */
/* lib/balancer/balancer_plan.c: what levels, panic and zones make of picks. */
#include "helper.h"

#include <stdbool.h>

static int32_t put(pair *p, uint64_t id, uint32_t zone, uint32_t priority, uint32_t flags) {
  ttb_endpoint e = {.struct_size = sizeof e, .weight = 40, .id = id, .zone = zone,
                    .priority = priority, .flags = flags};
  return ttb_balancer_add(&p->mine, &e);
}

/* Picks n, each of another key; counts by slot. Every bit of `last` that was set. */
static uint32_t spread(pair *p, uint32_t n, uint32_t *picked) {
  uint32_t bits = 0;
  memset(picked, 0, 16 * sizeof *picked);
  for (uint64_t i = 0; i < n; i++) {
    int64_t t = ttb_balancer_acquire(&p->mine, mixed(i), 0);
    assert_true(t >= 0);
    uint32_t last = (uint32_t)ttb_balancer_last(&p->mine);
    ttb_balancer_info info = info_of(&p->shared, (uint32_t)ttb_ticket_slot(t));
    assert_int_equal(TTB_LAST_LEVEL(last), info.flags & TTB_ENDPOINT_BACKUP ? 16 : info.priority);
    assert_int_equal(TTB_LAST_ZONE(last), info.zone);
    bits |= last & 255;
    picked[ttb_ticket_slot(t)]++;
    assert_int_equal(report(p, t), TTB_OK);
  }
  return bits;
}

static uint32_t sum(const uint32_t *picked, uint32_t from, uint32_t to) {
  uint32_t n = 0;
  for (uint32_t i = from; i < to; i++) n += picked[i];
  return n;
}

static pair levels_of(uint32_t algorithm) {
  ttb_balancer_config c = config_of(algorithm, 16);
  c.flags = TTB_BALANCER_LEVELS;
  pair p = make(c);
  for (uint32_t i = 0; i < 10; i++) assert_int_equal(put(&p, i + 1, 0, i / 5, 0), i);
  return p; /* 0..4 of priority 0, 5..9 of priority 1 */
}

/* Each algorithm: the first level takes all it is able to, the next the rest. */
static void overprovisioning(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a)) continue;
    pair p = levels_of(a);
    uint32_t picked[16];
    assert_int_equal(spread(&p, 1000, picked), 0);
    assert_int_equal(sum(picked, 0, 5), 1000);
    ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_PROBE, 1); /* 80 % * 1.4 */
    assert_int_equal(spread(&p, 1000, picked), 0);
    assert_int_equal(sum(picked, 1, 5), 1000);
    ttb_balancer_mark(&p.shared, 1, TTB_CAUSE_BREAKER, 1); /* 60 % * 1.4 = 84 % */
    assert_int_equal(spread(&p, 4000, picked), 0);
    assert_in_range(sum(picked, 2, 5), 3200, 3520);
    assert_int_equal(sum(picked, 0, 2), 0);
    for (uint32_t i = 2; i < 10 && a != TTB_BALANCER_FIRST_FIT; i++)
      assert_true(picked[i] > 20);
    ttb_level l[17] = {{.struct_size = sizeof *l}};
    assert_int_equal(ttb_balancer_level_stats(&p.shared, l, 17), 17);
    assert_int_equal(l[0].healthy_load, 84);
    assert_int_equal(l[1].healthy_load, 16);
    assert_int_equal(l[0].endpoints, 5);
    assert_int_equal(l[0].healthy, 3);
    /* Taken out on purpose: no failure. */
    ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_ADMIN, 1);
    ttb_balancer_mark(&p.shared, 1, TTB_CAUSE_DRAIN, 1);
    spread(&p, 500, picked);
    assert_int_equal(sum(picked, 2, 5), 500);
    drop(&p);
  }
}

/* By hash, a level's keys are the same ones each time. */
static void keys_keep_their_level(void **state) {
  static const uint32_t algorithms[] = {TTB_BALANCER_MAGLEV, TTB_BALANCER_RING_HASH,
                                        TTB_BALANCER_KETAMA, TTB_BALANCER_ANCHOR};
  (void)state;
  for (int k = 0; k < 4; k++) {
    pair p = levels_of(algorithms[k]);
    int32_t at[500];
    for (uint32_t s = 0; s < 3; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_OUTLIER, 1);
    for (int round = 0; round < 3; round++)
      for (uint64_t i = 0; i < 500; i++) {
        int32_t slot = home(&p, i);
        if (round > 0) assert_int_equal(slot, at[i]);
        at[i] = slot;
      }
    drop(&p);
  }
}

/* The degraded come behind the healthy of all levels. */
static void degraded(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a)) continue;
    pair p = levels_of(a);
    uint32_t picked[16];
    for (uint64_t id = 1; id <= 5; id++)
      ttb_balancer_set_status(&p.shared, id, TTB_STATUS_DEGRADED);
    spread(&p, 500, picked);
    assert_int_equal(sum(picked, 5, 10), 500);
    for (uint32_t s = 5; s < 9; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
    assert_int_equal(spread(&p, 2000, picked), TTB_LAST_DEGRADED); /* 28 %, then the degraded */
    assert_in_range(picked[9], 400, 720);
    assert_int_equal(sum(picked, 0, 5) + picked[9], 2000);
    drop(&p);
  }
}

static void panic(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a)) continue;
    pair p = levels_of(a);
    uint32_t picked[16];
    for (uint32_t s = 0; s < 4; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
    for (uint32_t s = 5; s < 9; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_OUTLIER, 1);
    ttb_balancer_mark(&p.shared, 1, TTB_CAUSE_ADMIN, 1);
    ttb_balancer_mark(&p.shared, 6, TTB_CAUSE_DRAIN, 1);
    ttb_balancer_mark(&p.shared, 8, TTB_CAUSE_BREAKER, 1);
    /* 25 % each, 35 + 35 < 100: all panic. What was taken out on purpose stays out,
     * so does a breaker's. */
    assert_int_equal(spread(&p, 3000, picked), TTB_LAST_PANIC);
    assert_int_equal(picked[1] + picked[6] + picked[8], 0);
    for (uint32_t s = 0; s < 10 && a != TTB_BALANCER_FIRST_FIT; s++)
      if (s != 1 && s != 6 && s != 8) assert_true(picked[s] > 50);
    assert_int_equal(stats_of(&p.shared).panics, 3000);
    ttb_level l[17] = {{.struct_size = sizeof *l}};
    ttb_balancer_level_stats(&p.shared, l, 17);
    assert_true(l[0].panic && l[1].panic);
    /* One recovers: it is over, for all handles. */
    for (uint32_t s = 0; s < 4; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 0);
    assert_int_equal(spread(&p, 300, picked), 0);
    assert_int_equal(sum(picked, 5, 10) + picked[1], 0);
    drop(&p);
  }
}

/* Everybody is out by probes: with panic some answer is tried, without none. */
static void all_out(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++)
    for (int off = 0; off < 2; off++) {
      if (!offered(a)) continue;
      ttb_balancer_config c = config_of(a, 16);
      c.flags = TTB_BALANCER_LEVELS;
      if (off) c.panic_ppm = TTB_OFF;
      pair p = make(c);
      for (uint32_t i = 0; i < 4; i++) put(&p, i + 1, 0, i % 2, 0);
      for (uint32_t s = 0; s < 4; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
      for (uint64_t i = 0; i < 50; i++) {
        int64_t t = ttb_balancer_acquire(&p.mine, mixed(i), 0);
        if (off) assert_int_equal(t, TTB_NO_ENDPOINT);
        else assert_true(t >= 0 && ttb_balancer_last(&p.mine) & TTB_LAST_PANIC);
      }
      for (uint32_t s = 0; s < 4; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_ADMIN, 1);
      assert_int_equal(ttb_balancer_acquire(&p.mine, 1, 0), TTB_NO_ENDPOINT);
      drop(&p);
    }
}

/* Backups get nothing while anybody else may be picked, and all of it when not. */
static void backups(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a)) continue;
    ttb_balancer_config c = config_of(a, 16);
    c.flags = TTB_BALANCER_LEVELS;
    pair p = make(c);
    uint32_t picked[16];
    for (uint32_t i = 0; i < 6; i++)
      put(&p, i + 1, 0, i % 2, i >= 4 ? TTB_ENDPOINT_BACKUP : 0);
    for (uint32_t s = 0; s < 3; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
    spread(&p, 300, picked);
    assert_int_equal(sum(picked, 4, 6), 0);
    ttb_balancer_mark(&p.shared, 3, TTB_CAUSE_PROBE, 1);
    assert_int_equal(spread(&p, 300, picked), 0); /* no panic: there are backups */
    assert_int_equal(sum(picked, 4, 6), 300);
    uint32_t x[] = {4, 5}; /* nor for a retry: exclusion is no failure */
    assert_int_equal(ttb_balancer_acquire_except(&p.mine, 5, x, 2, 0), TTB_ALL_EXCLUDED);
    ttb_balancer_mark(&p.shared, 4, TTB_CAUSE_PROBE, 1);
    ttb_balancer_mark(&p.shared, 5, TTB_CAUSE_PROBE, 1);
    assert_true(spread(&p, 300, picked) & TTB_LAST_PANIC);
    ttb_balancer_mark(&p.shared, 1, TTB_CAUSE_PROBE, 0);
    spread(&p, 300, picked);
    assert_true(picked[1] > 0 && sum(picked, 4, 6) == 0);
    drop(&p);
  }
}

/* A pick whose tags nobody in the drawn level has goes to the next that has. */
static void elsewhere(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_TWO_CHOICES, 16);
  c.flags = TTB_BALANCER_LEVELS | TTB_BALANCER_TAGS;
  pair p = make(c);
  ttb_pick pick = TTB_CONFIG(ttb_pick);
  (void)state;
  for (uint32_t i = 0; i < 6; i++) {
    ttb_endpoint e = {.struct_size = sizeof e, .id = i + 1, .priority = i / 2,
                      .tags = UINT64_C(1) << i / 2};
    assert_int_equal(ttb_balancer_add(&p.mine, &e), i);
  }
  for (uint32_t tag = 0; tag < 3; tag++)
    for (int i = 0; i < 40; i++) {
      pick.tags = UINT64_C(1) << tag;
      int64_t t = ttb_balancer_acquire_with(&p.mine, &pick, 0);
      assert_int_equal(ttb_ticket_slot(t) / 2, tag);
      assert_int_equal(ttb_balancer_last(&p.mine) & 255, tag ? TTB_LAST_ELSEWHERE : 0);
    }
  pick.tags = 2;
  ttb_balancer_mark(&p.shared, 2, TTB_CAUSE_PROBE, 1);
  for (int i = 0; i < 20; i++)
    assert_int_equal(ttb_ticket_slot(ttb_balancer_acquire_with(&p.mine, &pick, 0)), 3);
  ttb_balancer_mark(&p.shared, 3, TTB_CAUSE_PROBE, 1); /* all with the tag are out: panic */
  int64_t t = ttb_balancer_acquire_with(&p.mine, &pick, 0);
  assert_int_equal(ttb_ticket_slot(t) / 2, 1);
  assert_true(ttb_balancer_last(&p.mine) & TTB_LAST_PANIC);
  drop(&p);
}

/* ---- zones ---- */

/* Zones 1, 2, 3 in turn, four each. */
static pair zones_of(uint32_t algorithm, uint32_t zone) {
  ttb_balancer_config c = config_of(algorithm, 16);
  c.zone = zone;
  pair p = make(c);
  for (uint32_t i = 0; i < 12; i++) assert_int_equal(put(&p, i + 1, 1 + i % 3, 0, 0), i);
  return p;
}

static uint32_t in_zone(const uint32_t *picked, uint32_t zone) {
  uint32_t n = 0;
  for (uint32_t i = zone - 1; i < 12; i += 3) n += picked[i];
  return n;
}

static void local_first(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a)) continue;
    pair p = zones_of(a, 2);
    uint32_t picked[16];
    assert_int_equal(spread(&p, 500, picked), TTB_LAST_LOCAL);
    assert_int_equal(in_zone(picked, 2), 500);
    /* Half of the zone fails: 2 of 10 endpoints for a third of the clients, 60 %. */
    ttb_balancer_mark(&p.shared, 1, TTB_CAUSE_PROBE, 1);
    ttb_balancer_mark(&p.shared, 4, TTB_CAUSE_PROBE, 1);
    assert_int_equal(spread(&p, 4000, picked), TTB_LAST_LOCAL | TTB_LAST_SPILLED);
    assert_in_range(in_zone(picked, 2), 2250, 2550);
    assert_in_range(in_zone(picked, 1), 600, 1000);
    /* All of it: everything spills. */
    ttb_balancer_mark(&p.shared, 7, TTB_CAUSE_PROBE, 1);
    ttb_balancer_mark(&p.shared, 10, TTB_CAUSE_PROBE, 1);
    assert_int_equal(spread(&p, 2000, picked), TTB_LAST_SPILLED);
    assert_int_equal(in_zone(picked, 2), 0);
    assert_in_range(in_zone(picked, 1), 850, 1150);
    drop(&p);
  }
}

static void told_clients(void **state) {
  pair p = zones_of(TTB_BALANCER_WEIGHTED_RANDOM, 1);
  uint32_t picked[16], clients[] = {0, 2, 1, 1};
  (void)state;
  /* Half of the clients, a third of the endpoints: two thirds stay. */
  assert_int_equal(ttb_balancer_set_clients(&p.shared, clients, 4), TTB_OK);
  spread(&p, 6000, picked);
  assert_in_range(in_zone(picked, 1), 3850, 4150);
  assert_int_equal(ttb_balancer_set_clients(&p.shared, NULL, 0), TTB_OK);
  spread(&p, 300, picked);
  assert_int_equal(in_zone(picked, 1), 300);
  assert_int_equal(ttb_balancer_set_clients(&p.shared, clients, 65), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_set_clients(&p.shared, NULL, 1), TTB_ERR_MISUSE);
  /* Fewer than zone_min: no zone comes first. */
  for (uint32_t s = 0; s < 7; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
  assert_int_equal(spread(&p, 300, picked), 0);
  assert_true(in_zone(picked, 2) > 0);
  drop(&p);
}

/* The share of a zone is of the level that takes most; residency bounds all. */
static void zones_and_levels(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_ROUND_ROBIN, 16);
  c.flags = TTB_BALANCER_LEVELS;
  c.zone = 1;
  c.zone_min = 2;
  c.residency = 1u << 1 | 1u << 2;
  pair p = make(c);
  uint32_t picked[16];
  (void)state;
  for (uint32_t i = 0; i < 12; i++) put(&p, i + 1, 1 + i % 3, i / 6, 0);
  assert_int_equal(spread(&p, 300, picked), TTB_LAST_LOCAL);
  assert_int_equal(picked[0] + picked[3], 300);
  ttb_level l[17] = {{.struct_size = sizeof *l}};
  ttb_balancer_level_stats(&p.shared, l, 17);
  assert_int_equal(l[0].endpoints, 4); /* of six, two in a zone not allowed */
  for (uint32_t s = 0; s < 6; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
  assert_int_equal(spread(&p, 300, picked), TTB_LAST_LOCAL);
  assert_int_equal(picked[6] + picked[9], 300);
  for (uint32_t s = 6; s < 11; s++) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
  assert_int_equal(spread(&p, 900, picked), TTB_LAST_PANIC); /* slot 11 is of zone 3: nobody left */
  for (uint32_t s = 0; s < 12; s++) assert_true(s % 3 == 2 ? picked[s] == 0 : picked[s] > 0);
  drop(&p);
}

/* ---- what is said ---- */

static void explained(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_LEAST_CONNECTIONS, 16);
  c.flags = TTB_BALANCER_LEVELS;
  c.zone = 1;
  c.zone_min = 2;
  pair p = make(c);
  ttb_balancer_info row[8] = {{.struct_size = sizeof *row}};
  ttb_pick pick = TTB_CONFIG(ttb_pick);
  (void)state;
  put(&p, 1, 1, 0, 0);
  put(&p, 2, 2, 0, 0);
  put(&p, 3, 1, 1, 0);
  put(&p, 4, 1, 0, TTB_ENDPOINT_BACKUP);
  put(&p, 5, 1, 0, 0);
  ttb_balancer_set_status(&p.shared, 5, TTB_STATUS_DEGRADED);
  assert_int_equal(ttb_balancer_explain_with(&p.mine, &pick, 0, row, 8), 5);
  assert_int_equal(row[0].reason, TTB_BALANCER_CHOSEN);
  assert_int_equal(row[1].reason, TTB_BALANCER_BY_ZONE);
  assert_int_equal(row[2].reason, TTB_BALANCER_BY_LEVEL);
  assert_int_equal(row[3].reason, TTB_BALANCER_BY_LEVEL);
  assert_int_equal(row[4].reason, TTB_BALANCER_BY_LEVEL);
  assert_int_equal(row[3].flags, TTB_ENDPOINT_BACKUP);
  assert_int_equal(row[2].priority, 1);
  assert_int_equal(row[1].zone, 2);
  assert_int_equal(ttb_ticket_slot(acquire(&p)), 0);
  assert_int_equal(ttb_balancer_explain_with(&p.shared, &pick, 0, row, 8), 5);
  for (int i = 0; i < 5; i++) assert_int_equal(row[i].reason, TTB_BALANCER_CHOSEN); /* may be */
  assert_int_equal(ttb_balancer_level_stats(NULL, NULL, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_level_stats(&p.shared, NULL, 0), 17);
  ttb_level bad = {.struct_size = 8};
  assert_int_equal(ttb_balancer_level_stats(&p.shared, &bad, 1), TTB_ERR_RANGE);
  drop(&p);
}

/* Description changes by update: slot, calls in flight and phase stay. */
static void redescribed(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_TWO_CHOICES, 16);
  c.flags = TTB_BALANCER_LEVELS | TTB_BALANCER_TAGS | TTB_BALANCER_CAPS;
  pair p = make(c);
  uint32_t picked[16];
  (void)state;
  for (uint32_t i = 0; i < 4; i++) put(&p, i + 1, 0, 0, 0);
  int64_t t = acquire(&p);
  uint32_t slot = (uint32_t)ttb_ticket_slot(t);
  ttb_endpoint list[4];
  for (uint32_t i = 0; i < 4; i++)
    list[i] = (ttb_endpoint){.struct_size = sizeof *list, .id = i + 1, .zone = 5, .priority = 1,
                             .max_inflight = 9, .tags = 6, .weight = 3};
  list[slot].priority = 2;
  assert_int_equal(ttb_balancer_update(&p.mine, list, 4, NULL), TTB_OK);
  ttb_balancer_info i = info_of(&p.shared, slot);
  assert_true(i.zone == 5 && i.priority == 2 && i.max_inflight == 9 && i.tags == 6 &&
              i.weight == 3 && i.in_flight == 1 && i.generation == 1 && i.id == slot + 1);
  spread(&p, 200, picked);
  assert_int_equal(picked[slot], 0);
  assert_int_equal(report(&p, t), TTB_OK);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(overprovisioning), cmocka_unit_test(keys_keep_their_level),
      cmocka_unit_test(degraded),         cmocka_unit_test(panic),
      cmocka_unit_test(all_out),          cmocka_unit_test(backups),
      cmocka_unit_test(elsewhere),        cmocka_unit_test(local_first),
      cmocka_unit_test(told_clients),     cmocka_unit_test(zones_and_levels),
      cmocka_unit_test(explained),        cmocka_unit_test(redescribed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
