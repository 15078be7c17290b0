/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/health/outlier.c: rows of errors, limits, shadow, shares. */
#include "outlier_help.h"

static void test_rows(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ENVOY, 2);
  c.eject_max_ppm = 1000000;
  make(&c);
  for (int i = 0; i < 4; i++) assert_int_equal(told(0, TTB_FAILURE), TTB_OK);
  assert_int_equal(told(0, TTB_IGNORED), TTB_OK); /* says nothing */
  assert_int_equal(told(0, TTB_SLOW), TTB_OK);    /* ends the row */
  for (int i = 0; i < 4; i++) assert_int_equal(told(0, TTB_FAILURE), TTB_OK);
  assert_int_equal(ejected(0), 0);
  assert_int_equal(told(0, TTB_FAILURE), TTB_HEALTH_EJECTED);
  assert_int_equal(ejected(0), 1);
  assert_int_equal(ejected(1), 0);
  assert_int_equal(info(0).ejected, 1);
  assert_int_equal(info(0).ejections, 1);
  assert_int_equal(info(0).eject_left_ms, 30000);
  assert_int_equal(ttb_health_status(&h, 0, now), TTB_STATUS_UNKNOWN); /* is another matter */
  calls(0, 0, 7);
  assert_int_equal(stats().enforced, 1); /* what is ejected is not ejected again */
  assert_int_equal(stats().detected, 1); /* nor found again, as in Envoy */
  assert_int_equal(stats().ejected, 1);
}

static void test_codes(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_OFF, 1);
  make(&c);
  assert_int_equal(ttb_health_ejected(NULL, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_ejected(&h, 1), TTB_ERR_RANGE);
  assert_int_equal(ejected(0), 0);
  assert_int_equal(told(0, 15), TTB_ERR_RANGE);
  assert_int_equal(told(0, 18), TTB_ERR_RANGE);
  calls(0, 0, 100);
  assert_int_equal(told(0, TTB_HEALTH_LOCAL), TTB_OK);
  assert_int_equal(ejected(0), 0);
  assert_int_equal(stats().detected, 0);
  assert_int_equal(ttb_health_size(&c), ttb_health_size(&c) / 64 * 64);
  int64_t off = ttb_health_size(&c);
  c.eject = TTB_HEALTH_EJECT_ROBUST;
  assert_int_equal(ttb_health_size(&c), off + 192); /* one line a target, two for all */
}

/* Failures with a cause have rows of their own. */
static void test_causes(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ENVOY, 4);
  c.eject_max_ppm = 1000000;
  c.eject_errors = 9;
  c.eject_gateway = 3;
  c.enforce_gateway_ppm = 1000000;
  make(&c);
  told(0, TTB_HEALTH_GATEWAY), told(0, TTB_HEALTH_GATEWAY);
  told(0, TTB_FAILURE); /* another kind */
  told(0, TTB_HEALTH_GATEWAY), told(0, TTB_HEALTH_LOCAL);
  assert_int_equal(ejected(0), 0);
  assert_int_equal(told(0, TTB_HEALTH_GATEWAY), TTB_HEALTH_EJECTED); /* local ones count with them */
  ttb_health_free(&h);
  c.flags = TTB_HEALTH_EJECT_SPLIT;
  c.eject_local = 4;
  make(&c);
  for (int i = 0; i < 3; i++) told(0, TTB_HEALTH_LOCAL);
  told(0, TTB_FAILURE);
  for (int i = 0; i < 3; i++) told(0, TTB_HEALTH_LOCAL);
  assert_int_equal(ejected(0), 0);
  assert_int_equal(told(0, TTB_HEALTH_LOCAL), TTB_HEALTH_EJECTED);
}

/* The limit is what holds after the ejection. */
static void test_limit(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ENVOY, 10);
  c.eject_max_ppm = 200000;
  make(&c);
  for (uint32_t i = 0; i < 10; i++) calls(i, 0, 5);
  assert_int_equal(stats().ejected, 2);
  assert_int_equal(stats().overflows, 8);
  ttb_health_free(&h);
  c.eject_max_ppm = 199999;
  make(&c);
  for (uint32_t i = 0; i < 10; i++) calls(i, 0, 5);
  assert_int_equal(stats().ejected, 1);
  ttb_health_free(&h);
  c.eject_max_ppm = TTB_OFF;
  make(&c);
  calls(3, 0, 5);
  assert_int_equal(stats().ejected, 0);
  ttb_health_free(&h);
  c.flags = TTB_HEALTH_EJECT_ONE; /* Envoy of old */
  make(&c);
  for (uint32_t i = 0; i < 10; i++) calls(i, 0, 5);
  assert_int_equal(stats().ejected, 1);
  ttb_health_free(&h);
  c.flags = 0;
  c.eject_max_ppm = 1000000;
  c.eject_min_kept = 7;
  make(&c);
  for (uint32_t i = 0; i < 10; i++) calls(i, 0, 5);
  assert_int_equal(stats().ejected, 3);
  ttb_health_free(&h);
  c.eject = TTB_HEALTH_EJECT_GRPC; /* while less than 20 % are: the third one, too, of 11 */
  c.capacity = 11;
  c.eject_errors = 5;
  c.eject_min_kept = TTB_OFF;
  c.eject_max_ppm = 200000;
  make(&c);
  for (uint32_t i = 0; i < 11; i++) calls(i, 0, 5);
  assert_int_equal(stats().ejected, 3);
}

static void test_shadow(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ENVOY, 3);
  c.eject_max_ppm = 1000000;
  c.flags = TTB_HEALTH_EJECT_SHADOW;
  make(&c);
  for (uint32_t i = 0; i < 3; i++) calls(i, 0, 10);
  assert_int_equal(stats().detected, 6); /* each five anew */
  assert_int_equal(stats().enforced, 0);
  assert_int_equal(stats().ejected, 0);
}

/* A share of the detections, drawn from the seed. */
static void test_share(void **state) {
  (void)state;
  uint64_t first = 0;
  for (int round = 0; round < 2; round++) {
    ttb_health_config c = config(TTB_HEALTH_EJECT_ENVOY, 1000);
    c.eject_max_ppm = 1000000;
    c.enforce_errors_ppm = 300000;
    make(&c);
    for (uint32_t i = 0; i < 1000; i++) calls(i, 0, 5);
    assert_int_equal(stats().detected, 1000);
    assert_in_range(stats().enforced, 240, 360);
    if (round == 0) first = stats().enforced;
    assert_int_equal(stats().enforced, first);
    ttb_health_free(&h);
  }
}

/* Another target in the slot begins with nothing. */
static void test_another_target(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ENVOY, 2);
  c.eject_max_ppm = 1000000;
  make(&c);
  calls(0, 0, 5);
  assert_int_equal(ejected(0), 1);
  assert_int_equal(ttb_health_disable(&h, 0, now), TTB_OK);
  assert_int_equal(ejected(0), 0);
  assert_int_equal(stats().ejected, 0);
  assert_int_equal(told(0, TTB_FAILURE), TTB_STALE);
  assert_int_equal(ttb_health_enable(&h, 0, now), TTB_OK);
  assert_int_equal(ejected(0), 0);
  calls(0, 0, 4);
  assert_int_equal(ejected(0), 0);
  calls(0, 0, 1);
  assert_int_equal(info(0).ejections, 1);
}

/* A probe that passes ends it, if so configured. */
static void test_probed(void **state) {
  (void)state;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ENVOY, 1);
  c.eject_max_ppm = 1000000;
  for (int with = 0; with < 2; with++) {
    c.flags = with ? TTB_HEALTH_EJECT_PROBED : 0;
    make(&c);
    calls(0, 0, 5);
    (void)ttb_health_report(&h, 0, TTB_FAILURE, 0, now);
    assert_int_equal(ejected(0), 1);
    (void)ttb_health_report(&h, 0, TTB_SUCCESS, 0, now);
    assert_int_equal(ejected(0), !with);
    ttb_health_free(&h);
  }
}

/* Whatever a neighbour writes: no crash, no more ejected than there may be after a sweep. */
static void test_scribbled(void **state) {
  (void)state;
  uint64_t x = 88172645463325252u;
  ttb_health_config c = config(TTB_HEALTH_EJECT_ROBUST, 8);
  for (c.eject = TTB_HEALTH_EJECT_ROBUST; c.eject <= TTB_HEALTH_EJECT_GRPC; c.eject++) {
    c.eject_max_ppm = 250000;
    c.flags = TTB_HEALTH_EJECT_SPLIT;
    c.eject_jitter_ms = 1000;
    make(&c);
    ttb__health *t = ttb__health_of(&h);
    for (int round = 0; round < 2000; round++) {
      uint64_t *w = (uint64_t *)(void *)t->ejections;
      for (int k = 0; k < 5; k++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        w[x % (8 + 8 * 8)] = x >> (x >> 50) % 64;
      }
      (void)told((uint32_t)(x >> 20) % 8, x & 1 ? TTB_FAILURE : TTB_HEALTH_LOCAL);
      t->ejections->swept = (ttb__a64){0};
      sweep(1000);
      (void)info(round % 8);
      assert_true(stats().ejected <= 3);
    }
    ttb_health_free(&h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_rows, teardown),
      cmocka_unit_test_teardown(test_codes, teardown),
      cmocka_unit_test_teardown(test_causes, teardown),
      cmocka_unit_test_teardown(test_limit, teardown),
      cmocka_unit_test_teardown(test_shadow, teardown),
      cmocka_unit_test_teardown(test_share, teardown),
      cmocka_unit_test_teardown(test_another_target, teardown),
      cmocka_unit_test_teardown(test_probed, teardown),
      cmocka_unit_test_teardown(test_scribbled, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
