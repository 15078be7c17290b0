/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/explain.c: looking takes nothing and tells the
 * truth. */
#include "../../../lib/breaker/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static _Alignas(64) unsigned char memory[4096], before[4096];
static ttb_breaker b;
static uint64_t now, size;

static int setup(void **state) {
  (void)state;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.consecutive = 4;
  c.min_calls = 4;
  c.open_ms = 2000;
  c.lease_ms = 1000;
  c.half_open_probes = 2;
  c.half_open_successes = 2;
  now = 3600000 * MS;
  size = (uint64_t)ttb_breaker_size(&c);
  return size <= sizeof memory ? ttb_breaker_init(&b, memory, size, &c) : -1;
}

/* Explains and peeks; neither may change a byte. */
static ttb_breaker_info look(int32_t peek) {
  ttb_breaker_info i = {.struct_size = sizeof i};
  memcpy(before, memory, size);
  assert_int_equal(ttb_breaker_explain(&b, 0, now, &i), TTB_OK);
  assert_int_equal(ttb_breaker_peek(&b, 0, now), peek);
  assert_memory_equal(memory, before, size);
  assert_int_equal(i.struct_size, sizeof i);
  return i;
}
static int32_t call(int32_t outcome) {
  return ttb_breaker_report(&b, ttb_breaker_acquire(&b, 0, now), outcome, now);
}

static void test_through_a_life(void **state) {
  (void)state;
  ttb_breaker_info i = look(TTB_OK);
  assert_int_equal(i.state, TTB_BREAKER_CLOSED);
  assert_int_equal(i.failure_rate_ppm, -1);
  assert_int_equal(i.calls + i.failures + i.consecutive + i.opened + i.generation, 0);

  call(TTB_SUCCESS), call(TTB_SUCCESS), call(TTB_SUCCESS);
  assert_int_equal(look(TTB_OK).failure_rate_ppm, -1);
  call(TTB_FAILURE);
  i = look(TTB_OK);
  assert_int_equal(i.calls, 4);
  assert_int_equal(i.failures, 1);
  assert_int_equal(i.failure_rate_ppm, 250000);
  assert_int_equal(i.consecutive, 1);

  call(TTB_FAILURE);
  assert_int_equal(call(TTB_FAILURE), TTB_BREAKER_OPENED);
  i = look(TTB_OPEN);
  assert_int_equal(i.state, TTB_BREAKER_OPEN);
  assert_int_equal(i.retry_after_ms, 2000);
  assert_int_equal(i.opened, 1);
  assert_int_equal(i.generation, 1);

  now += 1999 * MS;
  assert_int_equal(look(TTB_OPEN).retry_after_ms, 1);
  now += 1 * MS;
  i = look(TTB_OK); /* nobody has asked for a probe yet */
  assert_int_equal(i.state, TTB_BREAKER_HALF_OPEN);
  assert_int_equal(i.generation, 1);
  assert_int_equal(i.retry_after_ms, 0);

  int64_t p = ttb_breaker_acquire(&b, 0, now);
  i = look(TTB_OK);
  assert_int_equal(i.generation, 2);
  assert_int_equal(i.probes_out, 1);
  (void)ttb_breaker_acquire(&b, 0, now);
  now += 400 * MS;
  i = look(TTB_HALF_OPEN_FULL);
  assert_int_equal(i.probes_out, 2);
  assert_int_equal(i.retry_after_ms, 600); /* the lease */
  now += 600 * MS;
  assert_int_equal(look(TTB_OK).retry_after_ms, 0);
  now -= 1 * MS;
  assert_int_equal(ttb_breaker_report(&b, p, TTB_SUCCESS, now), TTB_OK);
  i = look(TTB_OK);
  assert_int_equal(i.probe_successes, 1);
  assert_int_equal(i.probes_out, 1);
  assert_int_equal(call(TTB_SUCCESS), TTB_BREAKER_RECLOSED);
  i = look(TTB_OK);
  assert_int_equal(i.state, TTB_BREAKER_CLOSED);
  assert_int_equal(i.probes_out + i.probe_successes + i.calls, 0);
  assert_int_equal(i.opened, 1);
}

static void test_by_hand(void **state) {
  (void)state;
  ttb_breaker_set(&b, 0, TTB_BREAKER_FORCED_OPEN, now);
  ttb_breaker_info i = look(TTB_OPEN);
  assert_int_equal(i.state, TTB_BREAKER_FORCED_OPEN);
  assert_int_equal(i.retry_after_ms, -1);
  ttb_breaker_set(&b, 0, TTB_BREAKER_DISABLED, now);
  assert_int_equal(look(TTB_OK).state, TTB_BREAKER_DISABLED);
}

/* peek and acquire agree, whatever is in the state word. */
static void test_peek_foretells_acquire(void **state) {
  (void)state;
  uint64_t x = 5;
  for (int i = 0; i < 20000; i++) {
    x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
    now += (x >> 40) % 700 * MS;
    if (x >> 60 == 0) ttb_breaker_set(&b, 0, (int32_t[]){0, 1, 3, 4}[x >> 58 & 3], now);
    if (x >> 60 == 1)
      ttb__store_rlx(&ttb__breaker_slot_at(ttb__breaker_of(&b), 0)->state, x * x);
    int32_t peek = ttb_breaker_peek(&b, 0, now);
    int64_t t = ttb_breaker_acquire(&b, 0, now);
    assert_int_equal(t >= 0 ? 0 : t, peek);
    if (t >= 0) (void)ttb_breaker_report(&b, t, (int32_t)(x >> 33 & 3), now);
  }
}

static void test_sizes_of_info(void **state) {
  (void)state;
  ttb_breaker_info i = {.struct_size = sizeof i, .calls = 9};
  assert_int_equal(ttb_breaker_explain(&b, 1, now, &i), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_explain(&b, 0, now, NULL), TTB_ERR_MISUSE);
  i.struct_size = sizeof i - 1;
  assert_int_equal(ttb_breaker_explain(&b, 0, now, &i), TTB_ERR_RANGE);
  assert_int_equal(i.calls, 9);
  assert_int_equal(ttb_breaker_peek(&b, 1, now), TTB_ERR_RANGE);
  struct {
    ttb_breaker_info known;
    uint64_t more;
  } newer = {.known = {.struct_size = sizeof newer}, .more = 77};
  assert_int_equal(ttb_breaker_explain(&b, 0, now, &newer.known), TTB_OK);
  assert_true(newer.more == 0);
}

static void test_is_probe(void **state) {
  (void)state;
  assert_int_equal(ttb_breaker_is_probe(-1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_is_probe(TTB_HALF_OPEN_FULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_is_probe(ttb_breaker_acquire(&b, 0, now)), 0);
  ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, now);
  now += 2000 * MS;
  assert_int_equal(ttb_breaker_is_probe(ttb_breaker_acquire(&b, 0, now)), 1);
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, setup)
  const struct CMUnitTest tests[] = {
      T(test_through_a_life),
      T(test_by_hand),
      T(test_peek_foretells_acquire),
      T(test_sizes_of_info),
      T(test_is_probe),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
