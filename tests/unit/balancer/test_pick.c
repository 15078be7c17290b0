/* SPDX-License-Identifier: MIT */
/* lib/balancer/pick.c: picks within bounds, and what they say when there are none. */
#include "helper.h"

#include <stdbool.h>

static ttb_endpoint at_zone(uint64_t id, uint32_t zone) {
  return (ttb_endpoint){.struct_size = sizeof(ttb_endpoint), .id = id, .zone = zone};
}

static int64_t with(pair *p, ttb_pick pick) {
  pick.struct_size = sizeof pick;
  return ttb_balancer_acquire_with(&p->mine, &pick, 0);
}

/* Slots 0..11: zones 0, 1, 2, 3 in turn; tags: bit slot % 3. */
static pair twelve(uint32_t algorithm, uint32_t flags) {
  ttb_balancer_config c = config_of(algorithm, 12);
  c.flags = flags | TTB_BALANCER_TAGS;
  pair p = make(c);
  for (uint32_t i = 0; i < 12; i++) {
    ttb_endpoint e = at_zone(i + 1, i % 4);
    e.tags = UINT64_C(1) << i % 3;
    assert_int_equal(ttb_balancer_add(&p.mine, &e), i);
  }
  return p;
}

/* Each algorithm keeps to zones and tags, and reaches all that are within. */
static void zones_and_tags(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a)) continue;
    pair p = twelve(a, TTB_BALANCER_TRACK);
    uint32_t picked[12] = {0};
    for (uint64_t i = 0; i < 600; i++) {
      int64_t t = with(&p, (ttb_pick){.hash = mixed(i), .zones = 1u << 1 | 1u << 3});
      assert_true(t >= 0);
      picked[ttb_ticket_slot(t)]++;
      assert_int_equal(TTB_LAST_ZONE(ttb_balancer_last(&p.mine)), ttb_ticket_slot(t) % 4);
      assert_int_equal(report(&p, t), TTB_OK);
    }
    for (uint32_t i = 0; i < 12; i++) {
      bool in = i % 4 == 1 || i % 4 == 3;
      assert_true(in ? picked[i] > 20 || a == TTB_BALANCER_FIRST_FIT : picked[i] == 0);
    }
    for (uint64_t i = 0; i < 200; i++) {
      int64_t t = with(&p, (ttb_pick){.hash = mixed(i), .zones = 1u << 2, .tags = 4});
      assert_int_equal(ttb_ticket_slot(t), 2); /* the only one of zone 2 with tag 2 */
      assert_int_equal(report(&p, t), TTB_OK);
    }
    assert_int_equal(with(&p, (ttb_pick){.tags = 3}), TTB_NO_ENDPOINT);
    assert_int_equal(with(&p, (ttb_pick){.tags = 8}), TTB_NO_ENDPOINT);
    assert_int_equal(with(&p, (ttb_pick){.zones = 16}), TTB_NO_ENDPOINT);
    assert_int_equal(ttb_balancer_last(&p.mine), 0);
    drop(&p);
  }
}

/* The configuration's residency binds every way to a ticket. */
static void residency(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a)) continue;
    ttb_balancer_config c = config_of(a, 12);
    c.residency = 1u << 2;
    pair p = make(c);
    for (uint32_t i = 0; i < 12; i++) {
      ttb_endpoint e = at_zone(i + 1, i % 4);
      assert_int_equal(ttb_balancer_add(&p.mine, &e), i);
    }
    uint64_t hashes[9];
    int64_t t[9];
    for (uint64_t i = 0; i < 9; i++) hashes[i] = mixed(i);
    assert_int_equal(ttb_balancer_acquire_n(&p.mine, hashes, 9, 0, t), 9);
    for (int i = 0; i < 9; i++) assert_int_equal(ttb_ticket_slot(t[i]) % 4, 2);
    int64_t next = ttb_balancer_next(&p.mine, t[0], TTB_SUCCESS, 0, 77, 0);
    assert_int_equal(ttb_ticket_slot(next) % 4, 2);
    assert_int_equal(ttb_ticket_slot(ttb_balancer_acquire(&p.mine, 3, 0)) % 4, 2);
    uint32_t x[] = {2, 6};
    assert_int_equal(ttb_ticket_slot(ttb_balancer_acquire_except(&p.mine, 3, x, 2, 0)), 10);
    assert_int_equal(with(&p, (ttb_pick){.zones = ~(UINT64_C(1) << 2)}), TTB_NO_ENDPOINT);
    assert_int_equal(with(&p, (ttb_pick){.id = 2}), TTB_NOT_ELIGIBLE);
    int64_t fallen = with(&p, (ttb_pick){.id = 2, .flags = TTB_PICK_FALLBACK});
    assert_int_equal(ttb_ticket_slot(fallen) % 4, 2);
    for (uint32_t s = 2; s < 12; s += 4) ttb_balancer_mark(&p.shared, s, TTB_CAUSE_PROBE, 1);
    assert_int_equal(ttb_balancer_acquire(&p.mine, 3, 0), TTB_NO_ENDPOINT);
    ttb_balancer_info row = TTB_CONFIG(ttb_balancer_info);
    assert_int_equal(ttb_balancer_explain(&p.mine, 0, NULL, 0, &row, 1), 12);
    assert_int_equal(row.reason, TTB_BALANCER_BY_RESIDENCY);
    drop(&p);
  }
}

static void asked_for(void **state) {
  pair p = twelve(TTB_BALANCER_TWO_CHOICES, 0);
  (void)state;
  for (uint32_t i = 0; i < 12; i++) {
    int64_t t = with(&p, (ttb_pick){.id = i + 1});
    assert_int_equal(ttb_ticket_slot(t), i);
    assert_int_equal(ttb_balancer_last(&p.mine), TTB_LAST_ASKED | (int)(i % 4) << 16);
    assert_int_equal(report(&p, t), TTB_OK);
  }
  uint32_t x[] = {4};
  assert_int_equal(with(&p, (ttb_pick){.id = 13}), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(with(&p, (ttb_pick){.id = 5, .excluded_slots = x, .n_excluded = 1}),
                   TTB_NOT_ELIGIBLE);
  assert_int_equal(with(&p, (ttb_pick){.id = 5, .tags = 1}), TTB_NOT_ELIGIBLE);
  assert_int_equal(with(&p, (ttb_pick){.id = 5, .zones = 2}), TTB_NOT_ELIGIBLE);
  for (int i = 0; i < 50; i++) {
    int64_t t = with(&p, (ttb_pick){.id = 13, .flags = TTB_PICK_FALLBACK, .zones = 2});
    assert_int_equal(ttb_ticket_slot(t) % 4, 1);
    assert_int_equal(ttb_balancer_last(&p.mine) & 255, TTB_LAST_FALLBACK);
    assert_int_equal(report(&p, t), TTB_OK);
  }
  /* Draining: only who says so gets it, and no other cause is forgiven. */
  ttb_balancer_set_status(&p.shared, 5, TTB_STATUS_DRAINING);
  assert_int_equal(with(&p, (ttb_pick){.id = 5}), TTB_NOT_ELIGIBLE);
  int64_t t = with(&p, (ttb_pick){.id = 5, .flags = TTB_PICK_DRAINING});
  assert_int_equal(ttb_ticket_slot(t), 4);
  assert_int_equal(report(&p, t), TTB_OK);
  ttb_balancer_mark(&p.shared, 4, TTB_CAUSE_ADMIN, 1);
  assert_int_equal(with(&p, (ttb_pick){.id = 5, .flags = TTB_PICK_DRAINING}), TTB_NOT_ELIGIBLE);
  assert_int_equal(ttb_balancer_remove(&p.mine, 5), TTB_OK);
  assert_int_equal(with(&p, (ttb_pick){.id = 5}), TTB_ERR_UNKNOWN_ID);
  drop(&p);
}

/* k different endpoints, for each algorithm; then the code why there are no more. */
static void distinct(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a)) continue;
    pair p = twelve(a, TTB_BALANCER_TRACK);
    ttb_pick pick = TTB_CONFIG(ttb_pick);
    int64_t t[12];
    for (uint64_t round = 0; round < 50; round++) {
      uint32_t k = 1 + (uint32_t)round % 12, seen = 0;
      pick.hash = mixed(round);
      assert_int_equal(ttb_balancer_acquire_distinct(&p.mine, &pick, k, 0, t), k);
      for (uint32_t i = 0; i < k; i++) {
        assert_int_equal(seen >> ttb_ticket_slot(t[i]) & 1, 0);
        seen |= 1u << ttb_ticket_slot(t[i]);
        assert_int_equal(report(&p, t[i]), TTB_OK);
      }
    }
    pick.zones = 1u << 1; /* slots 1, 5, 9 */
    pick.id = 10;
    assert_int_equal(ttb_balancer_acquire_distinct(&p.mine, &pick, 5, 0, t), 3);
    assert_int_equal(ttb_ticket_slot(t[0]), 9);
    assert_int_equal(ttb_ticket_slot(t[1]) + ttb_ticket_slot(t[2]), 6);
    assert_int_equal(t[3], TTB_ALL_EXCLUDED);
    assert_int_equal(t[4], TTB_ALL_EXCLUDED);
    for (int i = 0; i < 3; i++) assert_int_equal(report(&p, t[i]), TTB_OK);
    assert_int_equal(stats_of(&p.shared).in_flight, 0);
    assert_int_equal(ttb_balancer_acquire_distinct(&p.mine, &pick, 0, 0, t), TTB_ERR_RANGE);
    assert_int_equal(ttb_balancer_acquire_distinct(&p.mine, &pick, 13, 0, t), TTB_ERR_RANGE);
    assert_int_equal(ttb_balancer_acquire_distinct(&p.mine, &pick, 1, 0, NULL), TTB_ERR_MISUSE);
    drop(&p);
  }
}

/* Limits hold while one thread picks, for each algorithm; full is TTB_LIMIT. */
static void limits(void **state) {
  (void)state;
  for (uint32_t a = 1; a < ALGORITHM_NUMBERS; a++) {
    if (!offered(a)) continue;
    ttb_balancer_config c = config_of(a, 4);
    c.flags = TTB_BALANCER_CAPS;
    pair p = make(c);
    int64_t t[6];
    for (uint32_t i = 0; i < 3; i++) {
      ttb_endpoint e = at_zone(i + 1, 0);
      e.max_inflight = i + 1;
      e.weight = 50;
      assert_int_equal(ttb_balancer_add(&p.mine, &e), i);
    }
    for (uint64_t i = 0; i < 6; i++) {
      t[i] = ttb_balancer_acquire(&p.mine, mixed(i), 0);
      assert_true(t[i] >= 0);
    }
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(info_of(&p.shared, i).in_flight, i + 1);
    assert_int_equal(ttb_balancer_acquire(&p.mine, 1, 0), TTB_LIMIT);
    uint32_t x[] = {0, 1};
    assert_int_equal(ttb_balancer_acquire_except(&p.mine, 1, x, 2, 0), TTB_LIMIT);
    ttb_balancer_info row = TTB_CONFIG(ttb_balancer_info);
    assert_int_equal(ttb_balancer_explain(&p.mine, 1, NULL, 0, &row, 1), 3);
    assert_int_equal(row.reason, TTB_BALANCER_FULL);
    assert_int_equal(row.max_inflight, 1);
    for (int i = 0; i < 6; i++) assert_int_equal(report(&p, t[i]), TTB_OK);
    assert_int_equal(add(&p.mine, 4, 1), 3); /* without a limit */
    for (uint64_t i = 0; i < 50; i++) assert_true(ttb_balancer_acquire(&p.mine, mixed(i), 0) >= 0);
    drop(&p);
  }
}

/* Two scopes by turns over A1 A2 B1 B2: everybody in each has its turn, and first
 * tries stay fair when each is followed by a retry elsewhere. */
static void turns(void **state) {
  (void)state;
  for (uint32_t a = 2; a <= 3; a++) {
    pair p = make(config_of(a, 4));
    uint32_t picked[4] = {0}, first[4] = {0};
    for (uint32_t i = 0; i < 4; i++) {
      ttb_endpoint e = at_zone(i + 1, 1 + i / 2);
      assert_int_equal(ttb_balancer_add(&p.mine, &e), i);
    }
    for (int i = 0; i < 100; i++)
      for (uint32_t z = 1; z <= 2; z++) {
        int64_t t = with(&p, (ttb_pick){.zones = UINT64_C(1) << z});
        picked[ttb_ticket_slot(t)]++;
        assert_int_equal(report(&p, t), TTB_OK);
      }
    for (int i = 0; i < 4; i++) assert_int_equal(picked[i], 50);
    for (int i = 0; i < 400; i++) {
      uint32_t slot = (uint32_t)turn(&p);
      first[slot]++;
      int64_t t = ttb_balancer_acquire_except(&p.mine, 0, &slot, 1, 0);
      assert_int_not_equal(ttb_ticket_slot(t), slot);
      assert_int_equal(report(&p, t), TTB_OK);
    }
    for (int i = 0; i < 4; i++) assert_int_equal(first[i], 100);
    drop(&p);
  }
}

static void bad_picks(void **state) {
  pair p = make(config_of(0, 4));
  ttb_pick pick = TTB_CONFIG(ttb_pick);
  (void)state;
  add(&p.mine, 1, 1);
  assert_int_equal(ttb_balancer_acquire_with(&p.mine, NULL, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_acquire_with(&p.shared, &pick, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_last(&p.shared), TTB_ERR_MISUSE);
  pick.n_excluded = 1;
  assert_int_equal(ttb_balancer_acquire_with(&p.mine, &pick, 0), TTB_ERR_MISUSE);
  pick.n_excluded = 0;
  pick.flags = 4;
  assert_int_equal(ttb_balancer_acquire_with(&p.mine, &pick, 0), TTB_ERR_RANGE);
  pick.flags = 0;
  pick.reserved = 1;
  assert_int_equal(ttb_balancer_acquire_with(&p.mine, &pick, 0), TTB_ERR_UNSUPPORTED);
  pick.reserved = 0;
  pick.tags = 1;
  assert_int_equal(ttb_balancer_acquire_with(&p.mine, &pick, 0), TTB_ERR_UNSUPPORTED);
  pick.tags = 0;
  pick.struct_size = 8;
  assert_int_equal(ttb_balancer_acquire_with(&p.mine, &pick, 0), TTB_ERR_RANGE);
  pick.struct_size = sizeof pick;
  assert_true(ttb_balancer_acquire_with(&p.mine, &pick, 0) >= 0);
  /* What this balancer cannot keep is refused, not forgotten. */
  ttb_endpoint e = at_zone(2, 64);
  assert_int_equal(ttb_balancer_add(&p.mine, &e), TTB_ERR_RANGE);
  e = at_zone(2, 63);
  e.tags = 1;
  assert_int_equal(ttb_balancer_add(&p.mine, &e), TTB_ERR_UNSUPPORTED);
  e.tags = 0;
  e.max_inflight = 1;
  ttb_detail d = TTB_CONFIG(ttb_detail);
  assert_int_equal(ttb_balancer_update(&p.mine, &e, 1, &d), TTB_ERR_UNSUPPORTED);
  assert_string_equal(d.field, "max_inflight");
  assert_int_equal(stats_of(&p.shared).endpoints, 1);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(zones_and_tags), cmocka_unit_test(residency), cmocka_unit_test(asked_for),
      cmocka_unit_test(distinct),       cmocka_unit_test(limits),    cmocka_unit_test(turns),
      cmocka_unit_test(bad_picks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
