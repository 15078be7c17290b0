/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/pool/pool_limits.c: several limits in one call. */
#include "../../../lib/pool/pool.h"
#include "fixture.h"

#include <sys/mman.h>

static ttb_limiter_config limit_of(uint32_t kind) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = kind;
  return c;
}

static ttb_limiter_info limit(const fleet *f, uint32_t i) {
  ttb_limiter_info info = TTB_CONFIG(ttb_limiter_info);
  assert_int_equal(ttb_pool_limit(&f->shared, i, 0, f->clock.now_ns, &info), TTB_OK);
  return info;
}

static void test_all_limits_are_asked_and_given_back(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l[4] = {limit_of(TTB_LIMITER_BULKHEAD), limit_of(TTB_LIMITER_RATE),
                             limit_of(TTB_LIMITER_RETRY_TOKENS), limit_of(TTB_LIMITER_THROTTLE)};
  l[0].permits = 3, l[1].burst = 100;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.limits = l, c.n_limits = 4;
  fleet_open(&f, &c, 2);
  const ttb__pool *p = ttb__pool_of(&f.mine);
  const uint8_t order[] = {2, 1, 3, 0}; /* tokens, rate, throttle, bulkhead */
  assert_memory_equal(p->order, order, sizeof order);

  ttb_pool_call call[4];
  for (int i = 0; i < 3; i++) {
    call[i] = (ttb_pool_call){.struct_size = sizeof call[i]};
    assert_true(ttb_pool_begin(&f.mine, &call[i], f.clock.now_ns) >= 0);
    assert_in_range(ttb_ticket_slot(call[i].ticket), 0, 1);
    assert_int_equal(call[i].refused_by, -1);
  }
  assert_int_equal(limit(&f, 0).in_use, 3);
  assert_int_equal(limit(&f, 1).available, 97);
  assert_int_equal(fleet_stats(&f).in_flight, 3);

  /* The bulkhead is the last to say no: the rate gets its event back. */
  call[3] = (ttb_pool_call){.struct_size = sizeof call[3]};
  assert_int_equal(ttb_pool_begin(&f.mine, &call[3], f.clock.now_ns), TTB_LIMIT);
  assert_int_equal(call[3].refused_by, 0);
  assert_int_equal(limit(&f, 1).available, 97);
  assert_int_equal(fleet_stats(&f).in_flight, 3);
  assert_int_equal(fleet_stats(&f).limited, 1);
  assert_int_equal(ttb_pool_end(&f.mine, &call[3], TTB_SUCCESS, 0, f.clock.now_ns), TTB_STALE);

  for (int i = 0; i < 3; i++) {
    assert_int_equal(ttb_pool_end(&f.mine, &call[i], TTB_SUCCESS, 1000, f.clock.now_ns), TTB_OK);
    assert_int_equal(ttb_pool_end(&f.mine, &call[i], TTB_SUCCESS, 1000, f.clock.now_ns), TTB_STALE);
  }
  assert_int_equal(limit(&f, 0).in_use, 0);
  assert_int_equal(limit(&f, 1).available, 97); /* events stay spent */
  assert_int_equal(limit(&f, 3).requests, 3);
  assert_int_equal(limit(&f, 3).accepts, 3);
  assert_int_equal(fleet_stats(&f).in_flight, 0);
  assert_int_equal(ttb_pool_end(&f.mine, &call[0], TTB_CANCELLED, 0, f.clock.now_ns), TTB_STALE);
  fleet_close(&f);
}

static void test_no_endpoint_gives_all_back(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l[3] = {limit_of(TTB_LIMITER_BULKHEAD), limit_of(TTB_LIMITER_RATE),
                             limit_of(TTB_LIMITER_RETRY)};
  l[1].burst = 5, l[1].rate = 1, l[1].period_ms = 1000000;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.limits = l, c.n_limits = 3;
  fleet_open(&f, &c, 1);
  ttb_pool_call call = TTB_CONFIG(ttb_pool_call);
  ttb_pool_drain(&f.mine, 100, 1, f.clock.now_ns);
  for (int i = 0; i < 20; i++)
    assert_int_equal(ttb_pool_begin(&f.mine, &call, f.clock.now_ns), TTB_NO_ENDPOINT);
  assert_int_equal(call.refused_by, -1);
  assert_int_equal(limit(&f, 0).in_use, 0);
  assert_int_equal(limit(&f, 1).available, 5);
  assert_int_equal(limit(&f, 2).requests, 0); /* it has earned no retries */
  ttb_pool_drain(&f.mine, 100, 0, f.clock.now_ns);
  const uint32_t slot = 0;
  call.excluded_slots = &slot, call.n_excluded = 1;
  assert_int_equal(ttb_pool_begin(&f.mine, &call, f.clock.now_ns), TTB_ALL_EXCLUDED);
  assert_int_equal(limit(&f, 0).in_use, 0);
  assert_int_equal(limit(&f, 1).available, 5);
  fleet_close(&f);
}

static void test_retries_have_a_budget(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l = limit_of(TTB_LIMITER_RETRY);
  l.ratio_ppm = 200000, l.per_second = TTB_OFF;
  ttb_breaker_config br = TTB_CONFIG(ttb_breaker_config);
  br.consecutive = TTB_OFF, br.failure_rate_ppm = TTB_OFF;
  br.slow_rate_ppm = 1000000; /* some rule there must be */
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.limits = &l, c.n_limits = 1, c.breaker = &br;
  fleet_open(&f, &c, 3);
  int attempts = 0;
  for (int i = 0; i < 100; i++) { /* everything fails, each tries up to three times more */
    ttb_pool_call call = TTB_CONFIG(ttb_pool_call);
    for (; call.attempt < 4; call.attempt++, attempts++) {
      if (ttb_pool_begin(&f.mine, &call, f.clock.now_ns) < 0) break;
      assert_int_equal(ttb_pool_end(&f.mine, &call, TTB_FAILURE, 1000, f.clock.now_ns), TTB_OK);
    }
    assert_true(call.attempt == 4 || call.refused_by == 0);
  }
  assert_int_equal(attempts, 120); /* not 400 */
  fleet_close(&f);
}

/* Its cells are those of the pool's rows. */
static void test_retries_in_flight_are_counted_over_all_threads(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l = limit_of(TTB_LIMITER_RETRY_CONCURRENT);
  l.min_retries = 2;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.limits = &l, c.n_limits = 1;
  fleet_open(&f, &c, 2);
  ttb_pool other;
  assert_int_equal(ttb_pool_join(&f.shared, 77, &other), TTB_OK);
  ttb_pool_call retry[3] = {{.struct_size = sizeof retry[0], .attempt = 1}};
  retry[1] = retry[2] = retry[0];
  uint64_t now = f.clock.now_ns;
  assert_true(ttb_pool_begin(&f.mine, &retry[0], now) >= 0);
  assert_true(ttb_pool_begin(&other, &retry[1], now) >= 0);
  assert_int_equal(ttb_pool_begin(&f.mine, &retry[2], now), TTB_LIMIT);
  assert_int_equal(limit(&f, 0).accepts, 2);
  assert_int_equal(ttb_pool_end(&f.mine, &retry[0], TTB_SUCCESS, 0, now), TTB_OK);
  assert_true(ttb_pool_begin(&f.mine, &retry[2], now) >= 0);
  assert_int_equal(ttb_pool_recover(&f.mine, 77, now), 1); /* its retry is gone */
  assert_int_equal(limit(&f, 0).accepts, 1);
  assert_int_equal(ttb_pool_end(&f.mine, &retry[2], TTB_SUCCESS, 0, now), TTB_OK);
  assert_int_equal(limit(&f, 0).requests, 0);
  fleet_close(&f);
}

/* A limit that learns: what the calls of a pool tell it is how long they took. */
/* A thread that may not end a call changes nothing of it; who began it still can. */
static void test_another_thread_cannot_end_a_call(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l[3] = {limit_of(TTB_LIMITER_BULKHEAD), limit_of(TTB_LIMITER_RETRY_TOKENS),
                             limit_of(TTB_LIMITER_RETRY_CONCURRENT)};
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  ttb_pool other;
  c.limits = l, c.n_limits = 3;
  fleet_open(&f, &c, 2);
  assert_int_equal(ttb_pool_join(&f.shared, 9, &other), TTB_OK);
  ttb_pool_call call = TTB_CONFIG(ttb_pool_call);
  assert_true(ttb_pool_begin(&f.mine, &call, f.clock.now_ns) >= 0);
  assert_int_equal(ttb_pool_end(&other, &call, TTB_FAILURE, 0, f.clock.now_ns), TTB_STALE);
  assert_int_equal(limit(&f, 0).in_use, 1);
  assert_int_equal(limit(&f, 1).balance_ppm, 10000000);
  assert_int_equal(limit(&f, 2).in_use, 1);
  assert_int_equal(fleet_stats(&f).in_flight, 1);
  assert_int_equal(ttb_pool_end(&f.mine, &call, TTB_FAILURE, 0, f.clock.now_ns), TTB_OK);
  assert_int_equal(limit(&f, 0).in_use, 0);
  assert_int_equal(limit(&f, 1).balance_ppm, 9000000);
  assert_int_equal(limit(&f, 2).in_use, 0);
  assert_int_equal(fleet_stats(&f).in_flight, 0);
  ttb_pool_free(&other);
  fleet_close(&f);
}

static void test_an_adaptive_limit_learns_from_the_calls(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l = limit_of(TTB_LIMITER_ADAPTIVE);
  l.algorithm = TTB_LIMIT_AIMD, l.initial_limit = 20, l.min_limit = 1, l.timeout_ms = 1000;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.limits = &l, c.n_limits = 1;
  fleet_open(&f, &c, 2);
  ttb_pool_call call[64];
  uint32_t first = 0, last = 0;
  for (int round = 0; round < 60; round++) {
    uint32_t n = 0;
    for (; n < 64; n++) {
      call[n] = (ttb_pool_call){.struct_size = sizeof call[n]};
      if (ttb_pool_begin(&f.mine, &call[n], f.clock.now_ns) < 0) break;
    }
    if (round == 0) first = n;
    last = n;
    vclock_ms(&f.clock, 1500); /* all take too long */
    while (n-- > 0)
      assert_int_equal(ttb_pool_end(&f.mine, &call[n], TTB_SUCCESS, 0, f.clock.now_ns), TTB_OK);
  }
  assert_int_equal(first, 20);
  assert_true(last < first / 2);
  fleet_close(&f);
}

/* What only breakers tell apart is a failure to the limits. */
static void test_a_slow_failure_ends_a_call(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l[2] = {limit_of(TTB_LIMITER_THROTTLE), limit_of(TTB_LIMITER_BULKHEAD)};
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.limits = l, c.n_limits = 2;
  fleet_open(&f, &c, 1);
  for (int i = 0; i < 5; i++) {
    ttb_pool_call call = TTB_CONFIG(ttb_pool_call);
    assert_true(ttb_pool_begin(&f.mine, &call, f.clock.now_ns) >= 0);
    assert_int_equal(limit(&f, 1).in_use, 1);
    assert_int_equal(ttb_pool_end(&f.mine, &call, TTB_SLOW_FAILURE, 1000, f.clock.now_ns), TTB_OK);
    assert_int_equal(limit(&f, 1).in_use, 0);
  }
  assert_int_equal(limit(&f, 0).requests, 5);
  assert_int_equal(limit(&f, 0).accepts, 0);
  assert_int_equal(fleet_row(&f, 0).breaker, TTB_BREAKER_OPEN);
  fleet_close(&f);
}

static void test_importance_reaches_the_bulkhead(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l = limit_of(TTB_LIMITER_BULKHEAD);
  l.permits = 3, l.reserve_3 = 2;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.limits = &l, c.n_limits = 1;
  fleet_open(&f, &c, 1);
  ttb_pool_call low = TTB_CONFIG(ttb_pool_call), low2 = TTB_CONFIG(ttb_pool_call),
                high = TTB_CONFIG(ttb_pool_call);
  low.importance = low2.importance = 3;
  assert_true(ttb_pool_begin(&f.mine, &low, f.clock.now_ns) >= 0);
  assert_int_equal(ttb_pool_begin(&f.mine, &low2, f.clock.now_ns), TTB_LIMIT);
  assert_true(ttb_pool_begin(&f.mine, &high, f.clock.now_ns) >= 0);
  assert_int_equal(ttb_pool_end(&f.mine, &low, TTB_SUCCESS, 0, f.clock.now_ns), TTB_OK);
  assert_true(ttb_pool_begin(&f.mine, &low2, f.clock.now_ns) >= 0);
  assert_int_equal(limit(&f, 0).in_use, 2);
  fleet_close(&f);
}

static void test_a_tick_tells_what_was_refused(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l[2] = {limit_of(TTB_LIMITER_RATE), limit_of(TTB_LIMITER_BULKHEAD)};
  l[0].burst = 1000, l[1].permits = 1;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.limits = l, c.n_limits = 2;
  fleet_open(&f, &c, 1);
  ttb_pool_call call = TTB_CONFIG(ttb_pool_call), more = TTB_CONFIG(ttb_pool_call);
  assert_true(ttb_pool_begin(&f.mine, &call, f.clock.now_ns) >= 0);
  for (int i = 0; i < 7; i++)
    assert_int_equal(ttb_pool_begin(&f.mine, &more, f.clock.now_ns), TTB_LIMIT);
  fleet_skip_events(&f);
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  ttb_pool_event e = fleet_event(&f);
  assert_int_equal(e.kind, TTB_POOL_LIMITED);
  assert_int_equal(e.id, 2); /* the second limit */
  assert_int_equal(e.value, 7);
  assert_int_equal(fleet_event(&f).kind, 0); /* once */
  fleet_close(&f);
}

static void test_a_dead_process_gives_its_permits_back(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l = limit_of(TTB_LIMITER_BULKHEAD);
  l.permits = 4;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.limits = &l, c.n_limits = 1;
  fleet_open(&f, &c, 2);
  ttb_pool other;
  assert_int_equal(ttb_pool_join(&f.shared, 77, &other), TTB_OK);
  ttb_pool_call ours = TTB_CONFIG(ttb_pool_call), dead[3];
  assert_true(ttb_pool_begin(&f.mine, &ours, f.clock.now_ns) >= 0);
  for (int i = 0; i < 3; i++) {
    dead[i] = ours;
    assert_true(ttb_pool_begin(&other, &dead[i], f.clock.now_ns) >= 0);
  }
  assert_int_equal(limit(&f, 0).in_use, 4);
  assert_int_equal(ttb_pool_recover(&f.mine, 77, f.clock.now_ns), 1);
  assert_int_equal(limit(&f, 0).in_use, 1);
  assert_int_equal(fleet_stats(&f).in_flight, 1);
  /* It lives after all: its ends are stale and take nobody's permit. */
  for (int i = 0; i < 3; i++)
    assert_int_equal(ttb_pool_end(&other, &dead[i], TTB_SUCCESS, 0, f.clock.now_ns), TTB_STALE);
  assert_int_equal(limit(&f, 0).in_use, 1);
  assert_int_equal(ttb_pool_end(&f.mine, &ours, TTB_SUCCESS, 0, f.clock.now_ns), TTB_OK);
  /* Leaving gives back, too. */
  ttb_pool_free(&other);
  assert_int_equal(ttb_pool_join(&f.shared, 78, &other), TTB_OK);
  assert_true(ttb_pool_begin(&other, &dead[0], f.clock.now_ns) >= 0);
  ttb_pool_free(&other);
  assert_int_equal(limit(&f, 0).in_use, 0);
  fleet_close(&f);
}

static void test_another_process_attaches_with_the_limits(void **state) {
  (void)state;
  ttb_limiter_config l[2] = {limit_of(TTB_LIMITER_RATE), limit_of(TTB_LIMITER_BULKHEAD)};
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.capacity = 4, c.limits = l, c.n_limits = 2;
  uint64_t size = (uint64_t)ttb_pool_size(&c);
  void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ttb_pool first, second, joined;
  assert_int_equal(ttb_pool_init(&first, mem, size, &c), TTB_OK);
  assert_int_equal(ttb_pool_attach(&second, mem, size), TTB_OK);
  assert_int_equal(ttb__pool_of(&second)->n_limits, 2);
  assert_memory_equal(ttb__pool_of(&second)->order, ttb__pool_of(&first)->order, 4);
  assert_int_equal(ttb_pool_join(&second, 5, &joined), TTB_OK);
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  e.id = 1;
  assert_int_equal(ttb_pool_add(&joined, &e, 1), 0);
  ttb_pool_call call = TTB_CONFIG(ttb_pool_call);
  assert_true(ttb_pool_begin(&joined, &call, 1) >= 0);
  ttb_limiter_info i = TTB_CONFIG(ttb_limiter_info);
  assert_int_equal(ttb_pool_limit(&first, 1, 0, 1, &i), TTB_OK);
  assert_int_equal(i.in_use, 1);
  assert_int_equal(ttb_pool_end(&joined, &call, TTB_SUCCESS, 0, 1), TTB_OK);
  ttb_pool_free(&joined);
  munmap(mem, size);
}

static int32_t check(const ttb_pool_config *c, const char *field, int32_t index) {
  ttb_detail d = TTB_CONFIG(ttb_detail);
  int32_t code = ttb_pool_check(c, &d);
  assert_int_equal(d.code, code);
  if (field) assert_string_equal(d.field, field);
  if (field) assert_int_equal(d.index, index);
  return code;
}

static void test_configurations(void **state) {
  (void)state;
  ttb_limiter_config l[5] = {limit_of(1), limit_of(2), limit_of(3), limit_of(4), limit_of(5)};
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.n_limits = 1;
  assert_int_equal(check(&c, "limits", -1), TTB_ERR_MISUSE);
  c.limits = l, c.n_limits = 5;
  assert_int_equal(check(&c, "n_limits", -1), TTB_ERR_RANGE);
  c.n_limits = 4;
  assert_int_equal(check(&c, NULL, 0), TTB_OK);
  l[2].capacity = 2;
  assert_int_equal(check(&c, "limits.capacity", -1), TTB_ERR_RANGE);
  l[2].capacity = 1, l[3].threads = 3;
  assert_int_equal(check(&c, "limits.threads", -1), TTB_ERR_RANGE);
  l[3].threads = 0, l[1].struct_size -= 8;
  assert_int_equal(check(&c, "limits.struct_size", 1), TTB_ERR_RANGE);
  l[1].struct_size += 8, l[1].flags = TTB_LIMITER_KEYED;
  assert_int_equal(check(&c, "limits.flags", 1), TTB_ERR_RANGE);
  l[1].flags = 0, l[0].permits = 99999;
  assert_int_equal(check(&c, "permits", -1), TTB_ERR_RANGE);
}

static void test_misuse(void **state) {
  (void)state;
  fleet f;
  ttb_limiter_config l = limit_of(TTB_LIMITER_RATE);
  l.burst = 10;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.limits = &l, c.n_limits = 1;
  fleet_open(&f, &c, 1);
  ttb_pool_call call = TTB_CONFIG(ttb_pool_call);
  ttb_limiter_info i = TTB_CONFIG(ttb_limiter_info);
  uint64_t now = f.clock.now_ns;
  assert_int_equal(ttb_pool_acquire(&f.mine, 0, now), TTB_ERR_UNSUPPORTED);
  assert_int_equal(ttb_pool_acquire_except(&f.mine, 0, NULL, 0, now), TTB_ERR_UNSUPPORTED);
  assert_int_equal(ttb_pool_acquire_ordinary(&f.mine, 0, NULL, 0, now), TTB_ERR_UNSUPPORTED);
  assert_int_equal(ttb_pool_begin(NULL, &call, now), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_begin(&f.shared, &call, now), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_begin(&f.mine, NULL, now), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_end(&f.mine, NULL, 0, 0, now), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_end(&f.mine, &call, 0, 0, now), TTB_STALE); /* never begun */
  call.events = 11;
  assert_int_equal(ttb_pool_begin(&f.mine, &call, now), TTB_ERR_RANGE); /* above burst */
  assert_int_equal(call.refused_by, -1);
  call.events = 0, call.importance = 4;
  assert_int_equal(ttb_pool_begin(&f.mine, &call, now), TTB_ERR_RANGE);
  call.importance = 0, call.flags = 2;
  assert_int_equal(ttb_pool_begin(&f.mine, &call, now), TTB_ERR_UNSUPPORTED);
  call.flags = 0, call.n_excluded = 1;
  assert_int_equal(ttb_pool_begin(&f.mine, &call, now), TTB_ERR_MISUSE);
  call.n_excluded = 0, call.struct_size--;
  assert_int_equal(ttb_pool_begin(&f.mine, &call, now), TTB_ERR_UNSUPPORTED);
  call.struct_size++;
  assert_true(ttb_pool_begin(&f.mine, &call, now) >= 0);
  assert_int_equal(ttb_pool_end(&f.mine, &call, 6, 0, now), TTB_ERR_RANGE); /* still out */
  assert_int_equal(fleet_stats(&f).in_flight, 1);
  assert_int_equal(ttb_pool_end(&f.mine, &call, TTB_SLOW_FAILURE, 0, now), TTB_OK);
  assert_int_equal(fleet_stats(&f).in_flight, 0);
  assert_true(ttb_pool_begin(&f.mine, &call, now) >= 0);
  assert_int_equal(ttb_pool_end(&f.mine, &call, TTB_SUCCESS, 0, now), TTB_OK);
  assert_int_equal(ttb_pool_limit(&f.mine, 1, 0, now, &i), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_limit(&f.mine, 0, 0, now, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_limit(NULL, 0, 0, now, &i), TTB_ERR_MISUSE);
  fleet_close(&f);

  c.n_limits = 0; /* begin and end also do without */
  fleet_open(&f, &c, 1);
  call = (ttb_pool_call){.struct_size = sizeof call, .flags = TTB_POOL_ORDINARY};
  assert_true(ttb_pool_begin(&f.mine, &call, now) >= 0);
  assert_int_equal(ttb_pool_end(&f.mine, &call, TTB_SUCCESS, 0, now), TTB_OK);
  fleet_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_limits_are_asked_and_given_back),
      cmocka_unit_test(test_no_endpoint_gives_all_back),
      cmocka_unit_test(test_retries_have_a_budget),
      cmocka_unit_test(test_retries_in_flight_are_counted_over_all_threads),
      cmocka_unit_test(test_another_thread_cannot_end_a_call),
      cmocka_unit_test(test_an_adaptive_limit_learns_from_the_calls),
      cmocka_unit_test(test_a_slow_failure_ends_a_call),
      cmocka_unit_test(test_importance_reaches_the_bulkhead),
      cmocka_unit_test(test_a_tick_tells_what_was_refused),
      cmocka_unit_test(test_a_dead_process_gives_its_permits_back),
      cmocka_unit_test(test_another_process_attaches_with_the_limits),
      cmocka_unit_test(test_configurations),
      cmocka_unit_test(test_misuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
