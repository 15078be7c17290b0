/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/probes.c and the words of breaker.h. */
#include "../../../lib/breaker/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GEN 9u
#define PROBES 4u

/* A handle and a slot by hand: nothing but what probes.c looks at. */
static _Alignas(64) unsigned char memory[sizeof(ttb__breaker_slot) + 8 * 32];
static ttb__breaker_slot *s = (ttb__breaker_slot *)(void *)memory;
static ttb__breaker b;

static int fresh(void **state) {
  (void)state;
  memset(memory, 0, sizeof memory);
  b = (ttb__breaker){.probes = PROBES, .row = TTB__NO_ROW};
  ttb__store_rlx(&s->state, ttb__state(GEN, TTB_BREAKER_HALF_OPEN, 0));
  return 0;
}

static int64_t take(uint32_t gen) { return ttb__breaker_take_probe(&b, s, 5, gen); }
static bool give(int64_t t) { return ttb__breaker_give_probe(&b, s, t); }

static void test_words(void **state) {
  (void)state;
  uint64_t w = ttb__state(TTB__GEN_MASK, TTB_BREAKER_DISABLED, UINT64_MAX);
  assert_int_equal(ttb__word_gen(w), TTB__GEN_MASK);
  assert_int_equal(ttb__state_kind(w), TTB_BREAKER_DISABLED);
  assert_int_equal(ttb__word_gen(ttb__state(TTB__GEN_MASK + 1, 0, 0)), 0);
  w = ttb__probe(TTB__GEN_MASK, 256, UINT32_MAX);
  assert_int_equal(ttb__word_gen(w), TTB__GEN_MASK);
  assert_int_equal(ttb__probe_holder(w), 256);
  assert_int_equal(ttb__probe_nonce(w), UINT32_MAX);
  w = ttb__count(3, 1000000);
  assert_int_equal(ttb__count_of(w, 3), 1000000);
  assert_int_equal(ttb__count_of(w, 4), 0);
  for (uint32_t i = 0; i < TTB__BREAKER_MAX_PROBES; i++) {
    uint32_t permit = ttb__permit(i, UINT32_MAX);
    assert_true(permit > 0 && permit <= TTB__MAX_PERMIT);
    assert_int_equal(ttb__permit_index(permit), i);
  }
  assert_true(ttb__permit_index(0) >= TTB__BREAKER_MAX_PROBES);
}

static void test_take_all_and_give_back(void **state) {
  (void)state;
  int64_t t[PROBES];
  for (uint32_t i = 0; i < PROBES; i++) {
    t[i] = take(GEN);
    assert_int_equal(ttb_ticket_slot(t[i]), 5);
    assert_int_equal(ttb__ticket_unpack(t[i]).gen, GEN);
    assert_int_equal(ttb__breaker_probes_out(&b, s, GEN), i + 1);
  }
  assert_int_equal(take(GEN), TTB_HALF_OPEN_FULL);
  assert_true(give(t[2]));
  assert_false(give(t[2]));
  assert_int_equal(ttb__breaker_probes_out(&b, s, GEN), PROBES - 1);
  int64_t again = take(GEN);
  assert_true(again >= 0 && again != t[2]);
  assert_false(give(t[2])); /* the nonce has moved on */
  assert_true(give(again));
  for (uint32_t i = 0; i < PROBES; i++) assert_true(give(t[i]) == (i != 2));
  assert_int_equal(ttb__breaker_probes_out(&b, s, GEN), 0);
}

static void test_thirty_two_probes(void **state) {
  (void)state;
  int64_t t[TTB__BREAKER_MAX_PROBES];
  b.probes = TTB__BREAKER_MAX_PROBES;
  for (uint32_t i = 0; i < 32; i++) {
    t[i] = take(GEN);
    assert_true(t[i] >= 0);
    for (uint32_t k = 0; k < i; k++) assert_true(t[k] != t[i]);
  }
  assert_int_equal(take(GEN), TTB_HALF_OPEN_FULL);
  for (uint32_t i = 32; i-- > 0;) assert_true(give(t[i]));
  assert_int_equal(ttb__breaker_probes_out(&b, s, GEN), 0);
}

/* The ticket knows 9 bits of the nonce: for 511 reuses of a probe word within
 * one round an old ticket of the same row is told apart. */
static void test_nonce(void **state) {
  (void)state;
  b.probes = 1;
  int64_t first = take(GEN);
  assert_true(give(first));
  for (int i = 0; i < 511; i++) {
    int64_t t = take(GEN);
    assert_true(t != first);
    assert_false(give(first));
    assert_true(give(t));
  }
  assert_true(take(GEN) == first); /* the 512th: documented in docs/breaker.md */
}

static void test_nonce_wraps(void **state) {
  (void)state;
  b.probes = 1;
  ttb__store_rlx(&s->probe[0], ttb__probe(GEN, 0, UINT32_MAX));
  int64_t t = take(GEN);
  assert_true(t >= 0);
  assert_int_equal(ttb__word_gen(ttb__load_rlx(&s->probe[0])), GEN); /* no carry */
  assert_int_equal(ttb__probe_nonce(ttb__load_rlx(&s->probe[0])), 0);
  assert_true(give(t));
}

/* A caller that still believes in the round before must not take a probe of the
 * present one, held or free. */
static void test_a_late_round_takes_nothing(void **state) {
  (void)state;
  int64_t held = take(GEN), freed = take(GEN);
  assert_true(give(freed));
  assert_int_equal(take(GEN - 1), TTB_AGAIN);
  assert_int_equal(ttb__breaker_probes_out(&b, s, GEN), 1);
  assert_true(give(held));
  assert_int_equal(take(GEN - 1), TTB_AGAIN);
  assert_int_equal(take(GEN - 2), TTB_AGAIN);
  assert_true(take(GEN) >= 0);
}

static void test_a_new_round_takes_the_old_ones_probes(void **state) {
  (void)state;
  int64_t old = take(GEN);
  assert_true(old >= 0 && take(GEN) >= 0);
  ttb__store_rlx(&s->state, ttb__state(GEN + 1, TTB_BREAKER_HALF_OPEN, 0));
  assert_int_equal(ttb__breaker_probes_out(&b, s, GEN + 1), 0);
  for (uint32_t i = 0; i < PROBES; i++) assert_true(take(GEN + 1) >= 0);
  assert_int_equal(take(GEN + 1), TTB_HALF_OPEN_FULL);
  assert_false(give(old));
  assert_int_equal(ttb__breaker_probes_out(&b, s, GEN + 1), PROBES);
}

static void test_rows_and_forged_permits(void **state) {
  (void)state;
  b.row = 3;
  int64_t t = take(GEN);
  ttb__ticket u = ttb__ticket_unpack(t);
  assert_int_equal(u.row, 3);
  assert_int_equal(ttb__probe_holder(ttb__load_rlx(&s->probe[0])), 4);
  assert_false(give(ttb__ticket_pack(5, GEN, 2, u.permit)));
  assert_false(give(ttb__ticket_pack(5, GEN, TTB__NO_ROW, u.permit)));
  assert_false(give(ttb__ticket_pack(5, GEN, 3, u.permit ^ 0x40)));
  for (uint32_t index = PROBES; index < 64; index++) /* beyond the table */
    assert_false(give(ttb__ticket_pack(5, GEN, 3, index + 1 < 64 ? index + 1 : 0)));
  b.row = TTB__NO_ROW; /* another thread may report it */
  assert_true(give(t));
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, fresh)
  const struct CMUnitTest tests[] = {
      T(test_words),
      T(test_take_all_and_give_back),
      T(test_thirty_two_probes),
      T(test_nonce),
      T(test_nonce_wraps),
      T(test_a_late_round_takes_nothing),
      T(test_a_new_round_takes_the_old_ones_probes),
      T(test_rows_and_forged_permits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
