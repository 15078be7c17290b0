/* SPDX-License-Identifier: MIT */
/* lib/router/router_observe.c: observations, epochs, two primaries. */
#include "fleet.h"

static fleet pair(uint32_t claims) {
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.claims = claims;
  fleet f = fleet_of(&c);
  assert_int_equal(add(&f, 1), 0);
  assert_int_equal(add(&f, 2), 1);
  return f;
}

static void test_bad_observations(void **state) {
  (void)state;
  fleet f = pair(0);
  ttb_router_observation good = seen(R, 0, 0), o = good;
  assert_int_equal(ttb_router_observe(&f.shared, 1, NULL, T0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_observe(&f.shared, 3, &o, T0), TTB_ERR_UNKNOWN_ID);
#define REFUSED(field, value)                                                  \
  do {                                                                         \
    o = good;                                                                  \
    o.field = value;                                                           \
    assert_int_equal(ttb_router_observe(&f.shared, 1, &o, T0), TTB_ERR_RANGE); \
  } while (0)
  REFUSED(struct_size, 8);
  REFUSED(role, 4);
  REFUSED(status, 6);
  REFUSED(rtt_ns, -1);
  REFUSED(rtt_ns, (INT64_C(1) << 43) + 1);
  REFUSED(epoch, TTB_ROUTER_MAX_EPOCH + 1);
  o = good;
  o.reserved = 1;
  assert_int_equal(ttb_router_observe(&f.shared, 1, &o, T0), TTB_ERR_UNSUPPORTED);
  assert_int_equal(why(&f, NULL, 0, T0), TTB_ROUTER_NO_ROLE);
  fleet_end(&f);
}

static void test_what_is_kept(void **state) {
  (void)state;
  fleet f = pair(0);
  ttb_router_observation o = seen(R, 250, 3);
  o.status = TTB_STATUS_DEGRADED;
  o.rtt_ns = 4000000;
  o.position = UINT64_C(0x80d5880);
  assert_int_equal(ttb_router_observe(&f.shared, 1, &o, T0), TTB_OK);
  o.rtt_ns = 9000000;
  assert_int_equal(ttb_router_observe(&f.shared, 1, &o, T0 + S), TTB_OK);
  ttb_router_node n = row(&f, NULL, 0, T0 + 4 * S);
  assert_int_equal(n.id, 1);
  assert_int_equal(n.role, R);
  assert_int_equal(n.status, TTB_STATUS_DEGRADED);
  assert_int_equal(n.lag_ms, 250);
  assert_int_equal(n.age_ms, 3000);
  assert_int_equal(n.rtt_ns, 5000000);
  assert_int_equal(n.epoch, 3);
  assert_int_equal(n.position, 0x80d5880);
  assert_int_equal(n.latency_ns, -1);
  /* Unreachable: what comes back may be somewhere else. */
  assert_int_equal(observe_status(&f, 1, TTB_ROLE_UNKNOWN, 0, T0 + 4 * S), TTB_OK);
  assert_int_equal(row(&f, NULL, 0, T0 + 4 * S).rtt_ns, -1);
  fleet_end(&f);
}

/* A lag nobody could measure is not zero. */
static void test_unknown_lag(void **state) {
  (void)state;
  fleet f = pair(0);
  static const int64_t unknown[] = {TTB_ROUTER_LAG_UNKNOWN, INT64_MIN, INT64_MAX, 16777215};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(observe(&f, 1, R, unknown[i], 0, T0), TTB_OK);
    assert_int_equal(row(&f, NULL, 0, T0).lag_ms, -1);
    assert_int_equal(read_to(&f, NULL, T0), TTB_TOO_STALE);
    ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
    w.max_lag_ms = 16777214;
    assert_int_equal(read_to(&f, &w, T0), TTB_TOO_STALE);
    w.max_lag_ms = TTB_OFF; /* any, the unknown too */
    assert_int_equal(read_to(&f, &w, T0), 0);
  }
  fleet_end(&f);
}

static void test_fence(void **state) {
  (void)state;
  fleet f = pair(0);
  assert_int_equal(observe(&f, 1, P, 0, 1, T0), TTB_OK);
  assert_int_equal(write_to(&f, T0), 0);
  assert_int_equal(observe(&f, 2, P, 0, 2, T0), TTB_OK); /* promoted */
  assert_int_equal(write_to(&f, T0), 1);
  assert_int_equal(why(&f, NULL, 0, T0), TTB_ROUTER_FENCED);
  assert_int_equal(observe(&f, 1, P, 0, 1, T0), TTB_STALE); /* it still thinks so */
  assert_int_equal(write_to(&f, T0), 1);
  assert_int_equal(mode_to(&f, TTB_READ_NEAREST, T0), 1);
  assert_int_equal(stats(&f).fenced, 1);
  assert_int_equal(stats(&f).epoch, 2);
  /* The new one goes away: the old one does not come back into office. */
  assert_int_equal(observe(&f, 2, TTB_ROLE_UNKNOWN, 0, 0, T0), TTB_OK);
  assert_int_equal(observe(&f, 1, P, 0, 1, T0), TTB_STALE);
  assert_int_equal(write_to(&f, T0), TTB_NO_PRIMARY);
  assert_int_equal(observe(&f, 1, P, 0, 3, T0), TTB_OK);
  assert_int_equal(write_to(&f, T0), 0);
  fleet_end(&f);
}

/* A replica on a newer timeline proves that the primary was deposed. */
static void test_epoch_of_a_replica(void **state) {
  (void)state;
  fleet f = pair(0);
  assert_int_equal(observe(&f, 1, P, 0, 1, T0), TTB_OK);
  assert_int_equal(observe(&f, 2, R, 0, 0, T0), TTB_OK); /* not told: fine */
  assert_int_equal(write_to(&f, T0), 0);
  assert_int_equal(observe(&f, 2, R, 0, 2, T0), TTB_OK);
  assert_int_equal(write_to(&f, T0), TTB_NO_PRIMARY);
  fleet_end(&f);
}

static void test_conflict(void **state) {
  (void)state;
  for (uint64_t epoch = 0; epoch < 2; epoch++) {
    fleet f = pair(TTB_ROUTER_CONFLICT);
    assert_int_equal(observe(&f, 1, P, 0, epoch, T0), TTB_OK);
    assert_int_equal(observe(&f, 2, P, 0, epoch, T0), TTB_OK);
    assert_int_equal(write_to(&f, T0), TTB_NO_PRIMARY);
    assert_int_equal(why(&f, NULL, 0, T0), TTB_ROUTER_CONFLICTING);
    assert_int_equal(why(&f, NULL, 1, T0), TTB_ROUTER_CONFLICTING);
    assert_int_equal(observe(&f, 1, R, 0, epoch, T0), TTB_OK); /* yields */
    assert_int_equal(write_to(&f, T0), 1);
    assert_int_equal(observe(&f, 1, P, 0, epoch, T0), TTB_OK);
    assert_int_equal(write_to(&f, T0), TTB_NO_PRIMARY);
    assert_int_equal(observe_status(&f, 2, P, TTB_STATUS_UNHEALTHY, T0),
                     epoch ? TTB_STALE : TTB_OK); /* (epoch 0) down: claims nothing */
    assert_int_equal(write_to(&f, T0), 0);
    assert_int_equal(observe(&f, 2, P, 0, epoch, T0), TTB_OK);
    assert_int_equal(ttb_router_drain(&f.shared, 2, 1), TTB_OK); /* still claims */
    assert_int_equal(write_to(&f, T0), TTB_NO_PRIMARY);
    assert_int_equal(observe(&f, 1, P, 0, epoch, T0 + 20 * S), TTB_OK);
    assert_int_equal(write_to(&f, T0 + 31 * S), 0); /* 2 has expired */
    assert_int_equal(observe(&f, 2, P, 0, epoch, T0 + 31 * S), TTB_OK);
    assert_int_equal(observe(&f, 1, P, 0, 7, T0 + 31 * S), TTB_OK); /* a higher epoch */
    assert_int_equal(write_to(&f, T0 + 31 * S), 0);
    fleet_end(&f);
  }
}

static void test_last_claim(void **state) {
  (void)state;
  fleet f = pair(TTB_ROUTER_LAST_CLAIM);
  assert_int_equal(observe(&f, 1, P, 0, 1, T0), TTB_OK);
  assert_int_equal(observe(&f, 2, P, 0, 1, T0), TTB_OK);
  assert_int_equal(write_to(&f, T0), 1);
  assert_int_equal(why(&f, NULL, 0, T0), TTB_ROUTER_FENCED);
  assert_int_equal(observe(&f, 1, P, 0, 1, T0), TTB_OK);
  assert_int_equal(write_to(&f, T0), 0);
  /* The newest claimant goes: the earlier one has to claim again. */
  assert_int_equal(observe(&f, 1, R, 0, 1, T0), TTB_OK);
  assert_int_equal(write_to(&f, T0), TTB_NO_PRIMARY);
  assert_int_equal(observe(&f, 2, P, 0, 1, T0), TTB_OK);
  assert_int_equal(write_to(&f, T0), 1);
  /* A new node in the slot of the claimant does not inherit the claim. */
  assert_int_equal(ttb_router_remove(&f.mine, 2), TTB_OK);
  assert_int_equal(add(&f, 3), 1);
  assert_int_equal(write_to(&f, T0), TTB_NO_PRIMARY);
  fleet_end(&f);
}

static void test_set_epoch(void **state) {
  (void)state;
  fleet f = pair(0);
  assert_int_equal(observe(&f, 1, P, 0, 9, T0), TTB_OK);
  assert_int_equal(ttb_router_set_epoch(&f.shared, TTB_ROUTER_MAX_EPOCH + 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_router_set_epoch(&f.shared, 10), TTB_OK); /* fences at once */
  assert_int_equal(write_to(&f, T0), TTB_NO_PRIMARY);
  assert_int_equal(observe(&f, 1, P, 0, 9, T0), TTB_STALE);
  assert_int_equal(ttb_router_set_epoch(&f.shared, 0), TTB_OK); /* restored from a backup */
  assert_int_equal(observe(&f, 2, P, 0, 1, T0), TTB_OK);
  assert_int_equal(write_to(&f, T0), 1);
  fleet_end(&f);
}

static void test_batch(void **state) {
  (void)state;
  fleet f = pair(0);
  uint64_t ids[] = {1, 3, 2};
  int32_t codes[3];
  ttb_router_observation o[] = {seen(P, 0, 2), seen(R, 0, 0), seen(P, 0, 1)};
  assert_int_equal(ttb_router_observe_n(&f.shared, ids, o, 3, T0, codes), 1);
  assert_int_equal(codes[0], TTB_OK);
  assert_int_equal(codes[1], TTB_ERR_UNKNOWN_ID);
  assert_int_equal(codes[2], TTB_STALE);
  o[1].struct_size = 8;
  assert_int_equal(ttb_router_observe_n(&f.shared, ids, o, 3, T0, codes), 1);
  assert_int_equal(codes[1], TTB_ERR_RANGE);
  assert_int_equal(ttb_router_observe_n(&f.shared, NULL, NULL, 0, T0, NULL), 0);
  assert_int_equal(ttb_router_observe_n(&f.shared, NULL, o, 1, T0, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_observe_n(&f.shared, ids, NULL, 1, T0, NULL), TTB_ERR_MISUSE);
  fleet_end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bad_observations), cmocka_unit_test(test_what_is_kept),
      cmocka_unit_test(test_unknown_lag),      cmocka_unit_test(test_fence),
      cmocka_unit_test(test_epoch_of_a_replica), cmocka_unit_test(test_conflict),
      cmocka_unit_test(test_last_claim),       cmocka_unit_test(test_set_epoch),
      cmocka_unit_test(test_batch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
