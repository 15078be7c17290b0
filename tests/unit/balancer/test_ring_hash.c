/* SPDX-License-Identifier: MIT */
/* lib/balancer/ring_hash.c */
#include "helper.h"

#include "../../../lib/balancer/ring_hash.h"

/* Envoy's own test (ring_hash_lb_test.cc, BasicWithHostname): hosts "90" to "95",
 * a ring of 12; that is what ids 90 to 95 give. */
static void envoys_ring(void **state) {
  static const struct {
    uint64_t position, id;
  } ring[] = {
      {UINT64_C(1975508444536362413), 95},  {UINT64_C(2376063919839173711), 95},
      {UINT64_C(2386806903309390596), 93},  {UINT64_C(6749904478991551885), 94},
      {UINT64_C(6803900775736438537), 93},  {UINT64_C(7225015537174310577), 92},
      {UINT64_C(8787465352164086522), 90},  {UINT64_C(11282020843382717940), 92},
      {UINT64_C(13723418369486627818), 91}, {UINT64_C(13776502110861797421), 90},
      {UINT64_C(14338313586354474791), 91}, {UINT64_C(15364271037087512980), 94}};
  ttb_balancer_config c = config_of(TTB_BALANCER_RING_HASH, 8);
  (void)state;
  c.table_size = 12;
  pair p = make(c);
  for (uint64_t id = 95; id >= 90; id--) add(&p.mine, id, 7);
  assert_int_equal(stats_of(&p.shared).table_length, 12);
  assert_int_equal(stats_of(&p.shared).weight_error_ppm, 0);
  for (int i = 0; i < 12; i++) {
    int64_t t = ttb_balancer_acquire(&p.mine, ring[i].position, 0);
    assert_int_equal(info_of(&p.shared, (uint32_t)ttb_ticket_slot(t)).id, ring[i].id);
    t = ttb_balancer_acquire(&p.mine, ring[i].position + 1, 0);
    assert_int_equal(info_of(&p.shared, (uint32_t)ttb_ticket_slot(t)).id, ring[(i + 1) % 12].id);
  }
  drop(&p);
}

/* Whole points for the lightest; from `least` points on, but to `max`. */
static void scale(void **state) {
  (void)state;
  ttb__ring_scale s = ttb__ring_scale_of(2, 1, 3, 100); /* UnevenHosts: 4 of 2 hosts */
  assert_int_equal(ttb__ring_up_to(s, 1), 2);
  assert_int_equal(ttb__ring_up_to(s, 2), 4);
  s = ttb__ring_scale_of(6, 1, 6, 6); /* HostWeightedTinyRing: 1, 2, 3 */
  assert_int_equal(ttb__ring_up_to(s, 1), 1);
  assert_int_equal(ttb__ring_up_to(s, 3), 3);
  assert_int_equal(ttb__ring_up_to(s, 6), 6);
  s = ttb__ring_scale_of(1000, 1, 10, 20); /* the lightest cannot have a point */
  assert_int_equal(ttb__ring_up_to(s, 1000), 20);
  s = ttb__ring_scale_of(UINT64_C(65535) << 20, 65535, 5000011, 10000022);
  assert_int_equal(ttb__ring_up_to(s, UINT64_C(65535) << 20), 5 << 20);
}

static void keys(void **state) {
  (void)state;
  keeps_keys(TTB_BALANCER_RING_HASH, 300);
  forgets_history(TTB_BALANCER_RING_HASH);
  shares_by_weight(TTB_BALANCER_RING_HASH, 25);
}

static void sizes(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_RING_HASH, 100);
  ttb_detail d = TTB_CONFIG(ttb_detail);
  (void)state;
  c.table_size = 99;
  assert_int_equal(ttb_balancer_check(&c, &d), TTB_ERR_NOSPACE);
  assert_string_equal(d.field, "table_size");
  c.table_size = 100;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_OK);
  c.table_size = 5000012;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
  c = config_of(TTB_BALANCER_RING_HASH, TTB_MAX_SLOTS); /* 4 points each; not made here */
  assert_true(ttb_balancer_size(&c) > 0);
}

/* Weights too unlike for a ring this small: the largest size holds, and the
 * statistics say how far off the worst share is. */
static void too_unlike(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_RING_HASH, 4);
  uint32_t w[] = {1, 1000, 1000, 1000};
  (void)state;
  c.table_size = 10;
  pair p = make(c);
  fill(&p, 4, w);
  ttb_balancer_stats s = stats_of(&p.shared);
  assert_int_equal(s.table_length, 20);
  assert_true(s.weight_error_ppm > 500000);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(envoys_ring),
      cmocka_unit_test(scale),
      cmocka_unit_test(keys),
      cmocka_unit_test(sizes),
      cmocka_unit_test(too_unlike),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
