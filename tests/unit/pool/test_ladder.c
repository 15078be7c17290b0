/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/pool/ladder.c: rungs, levels, life, bad input. */
#include <trimtab/breaker.h>
#include <trimtab/ladder.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../support/alloc.h"
#include "../../support/check_rows.h"
#include "../../support/vclock.h"

static _Alignas(64) unsigned char memory[1024];

static ttb_ladder open_with(ttb_ladder_config c) {
  ttb_ladder l;
  c.struct_size = sizeof c;
  assert_int_equal(ttb_ladder_init(&l, memory, sizeof memory, &c), TTB_OK);
  return l;
}
static ttb_ladder open_default(void) { return open_with((ttb_ladder_config){0}); }

static ttb_ladder_answer serve(const ttb_ladder *l, ttb_ladder_ask ask, uint64_t now) {
  ttb_ladder_answer a;
  int32_t rung = ttb_ladder_serve(l, &ask, now, &a);
  assert_int_equal(a.rung, rung);
  assert_int_equal(ttb_ladder_serve(l, &ask, now, NULL), a.rung);
  return a;
}

#define CACHED TTB_LADDER_HAS_CACHED
#define FALLBACK TTB_LADDER_HAS_FALLBACK

/* ---- which rung ---- */

static void test_a_primary_that_can_serves_whatever_else_there_is(void **state) {
  (void)state;
  ttb_ladder l = open_default();
  for (uint32_t flags = 0; flags <= 3; flags++)
    for (uint32_t k = 0; k <= 3; k++) {
      ttb_ladder_answer a = serve(&l, (ttb_ladder_ask){.flags = flags, .importance = k}, 1);
      assert_int_equal(a.rung, TTB_LADDER_PRIMARY);
      assert_int_equal(a.reason, TTB_LADDER_NORMAL);
      assert_int_equal(a.cache, TTB_LADDER_CACHE_UNASKED);
      assert_int_equal(a.level, 0);
    }
}

static void test_a_primary_that_cannot(void **state) {
  (void)state;
  ttb_ladder l = open_default();
  static const struct {
    uint32_t flags;
    int64_t age;
    int32_t rung, cache;
  } rows[] = {
      {CACHED | FALLBACK, 0, TTB_LADDER_CACHED, TTB_LADDER_CACHE_UNASKED},
      {CACHED | FALLBACK, -5, TTB_LADDER_CACHED, TTB_LADDER_CACHE_UNASKED},
      {CACHED, 3600000, TTB_LADDER_CACHED, TTB_LADDER_CACHE_UNASKED}, /* the bound itself */
      {CACHED, 3600001, TTB_LADDER_REFUSE, TTB_LADDER_CACHE_STALE},
      {CACHED | FALLBACK, 3600001, TTB_LADDER_FALLBACK, TTB_LADDER_CACHE_STALE},
      {CACHED | FALLBACK, INT64_MAX, TTB_LADDER_FALLBACK, TTB_LADDER_CACHE_STALE},
      {FALLBACK, 0, TTB_LADDER_FALLBACK, TTB_LADDER_CACHE_NONE},
      {0, 0, TTB_LADDER_REFUSE, TTB_LADDER_CACHE_NONE},
  };
  static const int32_t codes[] = {TTB_OPEN, TTB_LIMIT, TTB_NO_ENDPOINT, INT32_MIN, TTB_FAILURE};
  for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (uint32_t c = 0; c < 5; c++) {
      ttb_ladder_ask ask = {
          .flags = rows[i].flags, .primary = codes[c], .cache_age_ms = rows[i].age};
      ttb_ladder_answer a = serve(&l, ask, 1);
      assert_int_equal(a.rung, rows[i].rung);
      assert_int_equal(a.cache, rows[i].cache);
      assert_int_equal(a.reason, codes[c] < 0 ? TTB_LADDER_REFUSED : TTB_LADDER_FAILED);
    }
}

static void test_a_level_keeps_the_least_important_away(void **state) {
  (void)state;
  static const int32_t measured[] = {0, 800000, 900000, 950000};
  for (int32_t level = 0; level <= 3; level++) {
    ttb_ladder l = open_default();
    assert_int_equal(ttb_ladder_observe(&l, measured[level], 1), level);
    for (uint32_t k = 0; k <= 3; k++) {
      ttb_ladder_answer a = serve(&l, (ttb_ladder_ask){.importance = k, .flags = FALLBACK}, 1);
      bool away = (int32_t)k > 3 - level;
      assert_int_equal(a.level, level);
      assert_int_equal(a.rung, away ? TTB_LADDER_FALLBACK : TTB_LADDER_PRIMARY);
      assert_int_equal(a.reason, away ? TTB_LADDER_BROWNOUT : TTB_LADDER_NORMAL);
    }
  }
}

static void test_a_spared_primary_has_a_tighter_bound_on_staleness(void **state) {
  (void)state;
  ttb_ladder l = open_default();
  assert_int_equal(ttb_ladder_observe(&l, 800000, 1), 1);
  ttb_ladder_ask ask = {.flags = CACHED, .importance = 3, .cache_age_ms = 60000};
  assert_int_equal(serve(&l, ask, 1).rung, TTB_LADDER_CACHED);
  ask.cache_age_ms++;
  assert_int_equal(serve(&l, ask, 1).cache, TTB_LADDER_CACHE_STALE);
  assert_int_equal(serve(&l, ask, 1).rung, TTB_LADDER_REFUSE);
  ask.primary = TTB_OPEN; /* now it could not be asked anyway */
  assert_int_equal(serve(&l, ask, 1).rung, TTB_LADDER_CACHED);
  assert_int_equal(serve(&l, ask, 1).reason, TTB_LADDER_REFUSED);

  l = open_with((ttb_ladder_config){.stale_brownout_ms = TTB_OFF, .stale_error_ms = TTB_OFF});
  assert_int_equal(ttb_ladder_observe(&l, 800000, 1), 1);
  ask = (ttb_ladder_ask){.flags = CACHED, .importance = 3};
  assert_int_equal(serve(&l, ask, 1).rung, TTB_LADDER_REFUSE);
  ask.primary = TTB_OPEN;
  assert_int_equal(serve(&l, ask, 1).rung, TTB_LADDER_REFUSE);
}

/* ---- the level ---- */

static int64_t falls_in(const ttb_ladder *l, uint64_t now) {
  ttb_ladder_info i = TTB_CONFIG(ttb_ladder_info);
  assert_int_equal(ttb_ladder_explain(l, now, &i), TTB_OK);
  return i.falls_in_ms;
}

static void test_it_rises_at_once_and_falls_one_level_a_hold(void **state) {
  (void)state;
  ttb_ladder l = open_default();
  vclock clock = vclock_start();
  assert_int_equal(ttb_ladder_observe(&l, 799999, clock.now_ns), 0);
  assert_int_equal(ttb_ladder_observe(&l, 2000000, clock.now_ns), 3);
  assert_int_equal(ttb_ladder_observe(&l, 850000, clock.now_ns), 3); /* 950000 - 100000: not below */
  assert_int_equal(falls_in(&l, clock.now_ns), -1);
  assert_int_equal(ttb_ladder_observe(&l, 0, clock.now_ns), 3);
  assert_int_equal(falls_in(&l, clock.now_ns), 5000);
  for (int i = 0; i < 4; i++)
    assert_int_equal(ttb_ladder_observe(&l, 0, vclock_ms(&clock, 1000)), 3);
  assert_int_equal(ttb_ladder_observe(&l, 0, vclock_ms(&clock, 999)), 3);
  assert_int_equal(ttb_ladder_observe(&l, 0, vclock_ms(&clock, 1)), 2);
  assert_int_equal(falls_in(&l, clock.now_ns), 5000);
  assert_int_equal(ttb_ladder_observe(&l, 0, vclock_ms(&clock, 5000)), 1);
  assert_int_equal(ttb_ladder_observe(&l, 0, vclock_ms(&clock, 5000)), 0);
  assert_int_equal(falls_in(&l, clock.now_ns), -1);
  /* Low for level 3 is not low for level 2, whose time begins when it is. */
  assert_int_equal(ttb_ladder_observe(&l, 2000000, clock.now_ns), 3);
  assert_int_equal(ttb_ladder_observe(&l, 820000, clock.now_ns), 3);
  assert_int_equal(ttb_ladder_observe(&l, 820000, vclock_ms(&clock, 5000)), 2);
  assert_int_equal(falls_in(&l, clock.now_ns), -1);
  assert_int_equal(ttb_ladder_observe(&l, 790000, vclock_ms(&clock, 1000)), 2);
  assert_int_equal(falls_in(&l, clock.now_ns), 5000);
  assert_int_equal(ttb_ladder_observe(&l, 790000, vclock_ms(&clock, 4999)), 2);
  assert_int_equal(ttb_ladder_observe(&l, 790000, vclock_ms(&clock, 1)), 1);
}

static void test_around_a_threshold_it_does_not_flap(void **state) {
  (void)state;
  ttb_ladder l = open_default();
  vclock clock = vclock_start();
  assert_int_equal(ttb_ladder_observe(&l, 800000, clock.now_ns), 1);
  for (int i = 0; i < 100; i++) /* swings over both bounds: never low for the whole hold */
    assert_int_equal(ttb_ladder_observe(&l, i % 4 ? 690000 : 700000, vclock_ms(&clock, 1000)), 1);
  for (int i = 0; i < 100; i++) /* between the bounds for ever */
    assert_int_equal(ttb_ladder_observe(&l, 700000 + 999 * i, vclock_ms(&clock, 1000)), 1);
}

static void test_a_measurement_that_nobody_renews_ages_out(void **state) {
  (void)state;
  ttb_ladder l = open_default();
  vclock clock = vclock_start();
  ttb_ladder_info i = TTB_CONFIG(ttb_ladder_info);
  assert_int_equal(ttb_ladder_explain(&l, clock.now_ns, &i), TTB_OK);
  assert_int_equal(i.level, 0);
  assert_int_equal(i.utilisation_ppm, -1);
  assert_int_equal(i.measured_ms, -1);
  assert_int_equal(ttb_ladder_observe(&l, 960000, clock.now_ns), 3);
  vclock_ms(&clock, 10000);
  assert_int_equal(ttb_ladder_explain(&l, clock.now_ns, &i), TTB_OK);
  assert_int_equal(i.level, 3);
  assert_int_equal(i.utilisation_ppm, 960000);
  assert_int_equal(i.measured_ms, 10000);
  vclock_ms(&clock, 1);
  assert_int_equal(serve(&l, (ttb_ladder_ask){.importance = 3}, clock.now_ns).level, 0);
  assert_int_equal(ttb_ladder_explain(&l, clock.now_ns, &i), TTB_OK);
  assert_int_equal(i.level, 0);
  assert_int_equal(i.utilisation_ppm, -1);
  assert_int_equal(i.measured_ms, 10001);
  assert_int_equal(ttb_ladder_observe(&l, 890000, clock.now_ns), 1); /* begins from 0 */

  l = open_with((ttb_ladder_config){.expire_ms = TTB_OFF});
  assert_int_equal(ttb_ladder_observe(&l, 960000, clock.now_ns), 3);
  vclock_s(&clock, 86400);
  assert_int_equal(serve(&l, (ttb_ladder_ask){.importance = 3}, clock.now_ns).level, 3);
}

static void test_levels_may_be_off(void **state) {
  (void)state;
  ttb_ladder l = open_with((ttb_ladder_config){.up_1_ppm = TTB_OFF});
  assert_int_equal(ttb_ladder_observe(&l, INT32_MAX, 1), 0);
  l = open_with((ttb_ladder_config){.up_2_ppm = TTB_OFF});
  assert_int_equal(ttb_ladder_observe(&l, INT32_MAX, 1), 1);
  l = open_with((ttb_ladder_config){.up_3_ppm = TTB_OFF, .gap_ppm = TTB_OFF, .hold_ms = TTB_OFF});
  assert_int_equal(ttb_ladder_observe(&l, INT32_MAX, 1), 2);
  assert_int_equal(ttb_ladder_observe(&l, 900000, 1), 2);
  assert_int_equal(ttb_ladder_observe(&l, 899999, 1), 1); /* no gap, no hold */
  assert_int_equal(ttb_ladder_observe(&l, 899999, 1), 1);
  assert_int_equal(ttb_ladder_observe(&l, 0, 1), 0);
}

static void test_a_clock_that_goes_back_holds_nothing(void **state) {
  (void)state;
  ttb_ladder l = open_default();
  vclock clock = vclock_start();
  assert_int_equal(ttb_ladder_observe(&l, 800000, clock.now_ns), 1);
  vclock_jump_ms(&clock, -1800000);
  int32_t level = 1;
  for (int i = 0; i < 10; i++) level = ttb_ladder_observe(&l, 0, vclock_ms(&clock, 1000));
  assert_int_equal(level, 0);
}

/* ---- the example of a service that recommends ---- */

/* What it has: a model behind a breaker, a cache, and popular items. */
typedef struct recommender {
  ttb_breaker breaker;
  ttb_ladder ladder;
  bool model_is_up;
  bool cached;
  uint64_t cached_at;
} recommender;

static int32_t recommend(recommender *r, uint64_t now) {
  int64_t ticket = ttb_breaker_acquire(&r->breaker, 0, now);
  ttb_ladder_ask ask = {.importance = 1, .flags = TTB_LADDER_HAS_FALLBACK};
  ask.primary = ticket < 0 ? (int32_t)ticket : 0;
  if (r->cached) {
    ask.flags |= TTB_LADDER_HAS_CACHED;
    ask.cache_age_ms = (int64_t)((now - r->cached_at) / 1000000);
  }
  int32_t rung = ttb_ladder_serve(&r->ladder, &ask, now, NULL);
  if (rung == TTB_LADDER_PRIMARY) {
    (void)ttb_breaker_report(&r->breaker, ticket, r->model_is_up ? TTB_SUCCESS : TTB_FAILURE, now);
    if (r->model_is_up) {
      r->cached = true;
      r->cached_at = now;
      return rung;
    }
    ask.primary = TTB_FAILURE;
    rung = ttb_ladder_serve(&r->ladder, &ask, now, NULL);
  } else if (ticket >= 0) {
    (void)ttb_breaker_report(&r->breaker, ticket, TTB_CANCELLED, now);
  }
  return rung;
}

static void test_primary_then_cached_then_popular_items(void **state) {
  (void)state;
  recommender r = {.model_is_up = true};
  ttb_breaker_config bc = TTB_CONFIG(ttb_breaker_config);
  bc.consecutive = 3, bc.open_ms = 1000;
  assert_int_equal(ttb_breaker_new(&r.breaker, &bc, NULL), TTB_OK);
  r.ladder = open_with((ttb_ladder_config){.stale_error_ms = 5000});
  vclock clock = vclock_start();

  assert_int_equal(recommend(&r, clock.now_ns), TTB_LADDER_PRIMARY);
  r.model_is_up = false;
  for (int i = 0; i < 5; i++) /* the model fails, from the fourth on nobody asks it */
    assert_int_equal(recommend(&r, vclock_ms(&clock, 100)), TTB_LADDER_CACHED);
  assert_int_equal(ttb_breaker_peek(&r.breaker, 0, clock.now_ns), TTB_OPEN);
  vclock_ms(&clock, 4500); /* what was kept is exactly 5 s old */
  assert_int_equal(recommend(&r, clock.now_ns), TTB_LADDER_CACHED);
  assert_int_equal(recommend(&r, vclock_ms(&clock, 1)), TTB_LADDER_FALLBACK);
  r.model_is_up = true;
  assert_int_equal(recommend(&r, vclock_ms(&clock, 1000)), TTB_LADDER_PRIMARY);
  assert_int_equal(ttb_breaker_peek(&r.breaker, 0, clock.now_ns), TTB_OK);

  assert_int_equal(ttb_ladder_observe(&r.ladder, 950000, clock.now_ns), 3);
  assert_int_equal(recommend(&r, clock.now_ns), TTB_LADDER_CACHED); /* spared, and what it kept is new */
  r.cached = false;
  assert_int_equal(recommend(&r, clock.now_ns), TTB_LADDER_FALLBACK);
  ttb_breaker_free(&r.breaker);
}

/* ---- life and bad input ---- */

static void test_rows(void **state) {
  (void)state;
  assert_int_equal(check_rows(ttb_ladder_field), 4);
  assert_int_equal(sizeof(ttb_ladder_ask), 24);
  assert_int_equal(sizeof(ttb_ladder_answer), 16);
}

static int32_t check(ttb_ladder_config c, const char *field) {
  ttb_detail d = TTB_CONFIG(ttb_detail);
  c.struct_size = sizeof c;
  int32_t code = ttb_ladder_check(&c, &d);
  assert_int_equal(d.code, code);
  if (field) assert_string_equal(d.field, field);
  return code;
}

static void test_configurations(void **state) {
  (void)state;
  assert_int_equal(check((ttb_ladder_config){0}, NULL), TTB_OK);
  assert_int_equal(check((ttb_ladder_config){.up_1_ppm = 900000}, "up_2_ppm"), TTB_ERR_RANGE);
  assert_int_equal(check((ttb_ladder_config){.up_3_ppm = 1}, "up_3_ppm"), TTB_ERR_RANGE);
  assert_int_equal(check((ttb_ladder_config){.up_1_ppm = TTB_OFF, .up_2_ppm = 5}, "up_2_ppm"),
                   TTB_ERR_RANGE);
  assert_int_equal(check((ttb_ladder_config){.up_2_ppm = TTB_OFF, .up_3_ppm = 5}, "up_3_ppm"),
                   TTB_ERR_RANGE);
  assert_int_equal(check((ttb_ladder_config){.up_1_ppm = 100000}, "gap_ppm"), TTB_ERR_RANGE);
  assert_int_equal(check((ttb_ladder_config){.up_1_ppm = 1, .gap_ppm = TTB_OFF}, NULL), TTB_OK);
  assert_int_equal(check((ttb_ladder_config){.hold_ms = -2}, "hold_ms"), TTB_ERR_RANGE);
  assert_int_equal(check((ttb_ladder_config){.reserved = 1}, "reserved"), TTB_ERR_UNSUPPORTED);
  assert_int_equal(ttb_ladder_check(NULL, NULL), TTB_ERR_MISUSE);
}

static void test_init_and_attach(void **state) {
  (void)state;
  ttb_ladder l, other, untouched;
  ttb_ladder_config c = TTB_CONFIG(ttb_ladder_config);
  c.up_1_ppm = TTB_OFF; /* what follows from it must survive being stored */
  uint64_t size = (uint64_t)ttb_ladder_size(&c);
  assert_int_equal(size % 64, 0);
  memset(&untouched, 0x77, sizeof untouched);
  other = untouched;
  memset(memory, 0xa5, sizeof memory);
  assert_int_equal(ttb_ladder_init(&other, memory, size - 64, &c), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_ladder_init(&other, memory + 8, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_ladder_init(&other, NULL, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_ladder_init(NULL, memory, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_ladder_init(&other, memory, size, NULL), TTB_ERR_MISUSE);
  memset(memory, 0, 64);
  assert_int_equal(ttb_ladder_attach(&other, memory, size), TTB_AGAIN);
  assert_memory_equal(&other, &untouched, sizeof other);
  assert_int_equal(ttb_ladder_init(&l, memory, size, &c), TTB_OK);
  assert_int_equal(memory[size], 0xa5);
  assert_int_equal(ttb_ladder_attach(&other, memory, size - 64), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_ladder_attach(NULL, memory, size), TTB_ERR_MISUSE);
  assert_int_equal(ttb_ladder_attach(&other, memory, size), TTB_OK);
  ttb_ladder_free(&l);
  ttb_ladder_free(&l);
  ttb_ladder_free(NULL);
  assert_int_equal(ttb_ladder_observe(&l, 0, 1), TTB_ERR_MISUSE);

  l = open_default(); /* two handles, one level */
  assert_int_equal(ttb_ladder_attach(&other, memory, sizeof memory), TTB_OK);
  assert_int_equal(ttb_ladder_observe(&l, 960000, 1), 3);
  assert_int_equal(serve(&other, (ttb_ladder_ask){0}, 1).level, 3);
  memset(memory + 24, 0xff, 8);
  assert_int_equal(ttb_ladder_attach(&other, memory, sizeof memory), TTB_ERR_NOSPACE);
}

static int32_t make(void *ctx, const ttb_allocator *a) {
  ttb_ladder_config c = TTB_CONFIG(ttb_ladder_config);
  return ttb_ladder_new(ctx, &c, a);
}
static void end(void *ctx) { ttb_ladder_free(ctx); }

static void test_new_takes_one_allocation(void **state) {
  (void)state;
  ttb_ladder l;
  ttb_ladder_config c = TTB_CONFIG(ttb_ladder_config);
  assert_int_equal(alloc_torture(make, end, &l), 1);
  assert_int_equal(ttb_ladder_new(&l, &c, NULL), TTB_OK);
  ttb_ladder_free(&l);
  c.hold_ms = -7;
  assert_int_equal(ttb_ladder_new(&l, &c, NULL), TTB_ERR_RANGE);
  assert_int_equal(ttb_ladder_new(NULL, &c, NULL), TTB_ERR_MISUSE);
}

static void test_bad_input(void **state) {
  (void)state;
  ttb_ladder l = open_default(), none = {{0}};
  ttb_ladder_ask ask = {0};
  ttb_ladder_info i = TTB_CONFIG(ttb_ladder_info);
  assert_int_equal(ttb_ladder_observe(NULL, 0, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_ladder_observe(&none, 0, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_ladder_observe(&l, -1, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_ladder_serve(NULL, &ask, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_ladder_serve(&l, NULL, 1, NULL), TTB_ERR_MISUSE);
  ask.importance = 4;
  assert_int_equal(ttb_ladder_serve(&l, &ask, 1, NULL), TTB_ERR_RANGE);
  ask = (ttb_ladder_ask){.flags = 4};
  assert_int_equal(ttb_ladder_serve(&l, &ask, 1, NULL), TTB_ERR_UNSUPPORTED);
  ask = (ttb_ladder_ask){.reserved = 1};
  assert_int_equal(ttb_ladder_serve(&l, &ask, 1, NULL), TTB_ERR_UNSUPPORTED);
  assert_int_equal(ttb_ladder_explain(NULL, 1, &i), TTB_ERR_MISUSE);
  assert_int_equal(ttb_ladder_explain(&l, 1, NULL), TTB_ERR_MISUSE);
  i.struct_size = 3;
  assert_int_equal(ttb_ladder_explain(&l, 1, &i), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_primary_that_can_serves_whatever_else_there_is),
      cmocka_unit_test(test_a_primary_that_cannot),
      cmocka_unit_test(test_a_level_keeps_the_least_important_away),
      cmocka_unit_test(test_a_spared_primary_has_a_tighter_bound_on_staleness),
      cmocka_unit_test(test_it_rises_at_once_and_falls_one_level_a_hold),
      cmocka_unit_test(test_around_a_threshold_it_does_not_flap),
      cmocka_unit_test(test_a_measurement_that_nobody_renews_ages_out),
      cmocka_unit_test(test_levels_may_be_off),
      cmocka_unit_test(test_a_clock_that_goes_back_holds_nothing),
      cmocka_unit_test(test_primary_then_cached_then_popular_items),
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_configurations),
      cmocka_unit_test(test_init_and_attach),
      cmocka_unit_test(test_new_takes_one_allocation),
      cmocka_unit_test(test_bad_input),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
