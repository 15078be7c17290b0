/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/keyed.c and lib/base/keys.c: find, claim, reuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../lib/breaker/breaker.h"

#define MS UINT64_C(1000000)
#define NOW (UINT64_C(5000) * 1000 * MS)
#define IDLE_MS 60000
#define LATER (NOW + (IDLE_MS + 1000) * MS)

static _Alignas(64) unsigned char memory[1 << 16];

static ttb_breaker made(uint32_t capacity) {
  ttb_breaker b;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.capacity = capacity;
  c.key_idle_ms = IDLE_MS;
  c.consecutive = 2;
  c.lease_ms = 1000;
  assert_int_equal(ttb_breaker_init(&b, memory, sizeof memory, &c), TTB_OK);
  return b;
}

static ttb_breaker_info look(const ttb_breaker *b, int32_t slot, uint64_t now) {
  ttb_breaker_info i = TTB_CONFIG(ttb_breaker_info);
  assert_int_equal(ttb_breaker_explain(b, (uint32_t)slot, now, &i), TTB_OK);
  return i;
}

static void test_claims_and_finds(void **state) {
  (void)state;
  ttb_breaker b = made(16);
  bool taken[16] = {false};
  assert_int_equal(ttb_breaker_find(&b, 7), TTB_ERR_UNKNOWN_ID);
  for (uint64_t key = 1; key <= 8; key++) {
    int32_t slot = ttb_breaker_claim(&b, key, NOW);
    assert_in_range(slot, 0, 15);
    assert_false(taken[slot]);
    taken[slot] = true;
    assert_int_equal(look(&b, slot, NOW).key, key);
  }
  for (uint64_t key = 1; key <= 8; key++) {
    assert_int_equal(ttb_breaker_claim(&b, key, NOW), ttb_breaker_find(&b, key));
    int64_t t = ttb_breaker_acquire_key(&b, key, NOW);
    assert_int_equal(ttb_ticket_slot(t), ttb_breaker_find(&b, key));
  }
}

static void test_each_key_has_its_own(void **state) {
  (void)state;
  ttb_breaker b = made(16);
  for (int i = 0; i < 2; i++)
    (void)ttb_breaker_report(&b, ttb_breaker_acquire_key(&b, 11, NOW), TTB_FAILURE, NOW);
  assert_int_equal(ttb_breaker_acquire_key(&b, 11, NOW), TTB_OPEN);
  assert_true(ttb_breaker_acquire_key(&b, 12, NOW) >= 0);
  uint64_t keys[] = {11, 12, 0, 13, UINT64_MAX};
  int64_t tickets[5];
  assert_int_equal(ttb_breaker_acquire_key_n(&b, keys, 5, NOW, tickets), 2);
  assert_int_equal(tickets[0], TTB_OPEN);
  assert_true(tickets[1] >= 0 && tickets[3] >= 0);
  assert_int_equal(tickets[2], TTB_ERR_RANGE);
  assert_int_equal(tickets[4], TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_acquire_key_n(&b, NULL, 0, NOW, NULL), 0);
  assert_int_equal(ttb_breaker_acquire_key_n(&b, NULL, 1, NOW, tickets), TTB_ERR_MISUSE);
}

static void test_misuse(void **state) {
  (void)state;
  ttb_breaker b = made(1), plain = {{0}};
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  assert_int_equal(ttb_breaker_claim(NULL, 1, NOW), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_claim(&b, 0, NOW), TTB_ERR_RANGE);
  assert_int_equal(ttb_breaker_find(&b, TTB__KEY_MARK), TTB_ERR_RANGE);
  assert_true(ttb_breaker_claim(&b, TTB__KEY_MARK - 1, NOW) == 0);
  assert_int_equal(ttb_breaker_new(&plain, &c, NULL), TTB_OK);
  assert_int_equal(ttb_breaker_claim(&plain, 1, NOW), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_find(&plain, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_acquire_key(&plain, 1, NOW), TTB_ERR_MISUSE);
  ttb_breaker_free(&plain);
}

static void test_full_and_idle(void **state) {
  (void)state;
  ttb_breaker b = made(3);
  for (uint64_t key = 1; key <= 3; key++) assert_in_range(ttb_breaker_claim(&b, key, NOW), 0, 2);
  assert_int_equal(ttb_breaker_claim(&b, 4, NOW), TTB_LIMIT);
  assert_int_equal(ttb_breaker_acquire_key(&b, 4, NOW), TTB_LIMIT);
  int32_t first = ttb_breaker_find(&b, 1);
  (void)ttb_breaker_report(&b, ttb_breaker_acquire_key(&b, 1, NOW), TTB_FAILURE, NOW);
  int64_t old = ttb_breaker_acquire_key(&b, 1, NOW);
  assert_int_equal(look(&b, first, NOW).consecutive, 1);
  (void)ttb_breaker_claim(&b, 2, LATER - 2000 * MS); /* still in use */
  (void)ttb_breaker_acquire_key(&b, 3, LATER - 2000 * MS);
  assert_int_equal(ttb_breaker_claim(&b, 4, LATER), first);
  assert_int_equal(ttb_breaker_find(&b, 1), TTB_ERR_UNKNOWN_ID);
  ttb_breaker_info i = look(&b, first, LATER);
  assert_int_equal(i.key, 4);
  assert_int_equal(i.generation, 1);
  assert_int_equal(i.consecutive, 0);
  assert_int_equal(ttb_breaker_report(&b, old, TTB_FAILURE, LATER), TTB_STALE);
  assert_int_equal(ttb_breaker_claim(&b, 5, LATER), TTB_LIMIT);
}

static void set_and_wait(ttb_breaker *b, int32_t state, bool reusable) {
  int32_t slot = ttb_breaker_claim(b, 1, NOW);
  assert_int_equal(ttb_breaker_set(b, (uint32_t)slot, state, NOW), TTB_OK);
  int32_t got = ttb_breaker_claim(b, 2, LATER);
  assert_int_equal(got, reusable ? slot : TTB_LIMIT);
  if (reusable) assert_int_equal(look(b, slot, LATER).state, TTB_BREAKER_CLOSED);
}

static bool rests(const void *table, uint32_t slot, uint64_t now_ms) {
  (void)table, (void)slot, (void)now_ms;
  return true;
}
static uint32_t no_mark(const void *table, uint32_t slot) {
  (void)table, (void)slot;
  return 0;
}
static void no_renewal(void *table, uint32_t slot, uint32_t mark, uint64_t now_ms) {
  (void)table, (void)slot, (void)mark, (void)now_ms;
}

/* A caller preempted between reading the clock and looking at the slots: who has
 * asked for a key since then has it in use. */
static void test_used_after_a_late_caller_looked(void **state) {
  (void)state;
  ttb_breaker b = made(1);
  ttb__breaker *p = ttb__breaker_of(&b);
  assert_int_equal(ttb_breaker_claim(&b, 1, NOW), 0);
  const ttb__keys_of of = {rests, no_mark, no_renewal};
  uint64_t now_ms = ttb__load_rlx(&p->region->clock.last);
  assert_int_equal(ttb__keys_claim(&p->keys, &of, p, 2, now_ms - 128), TTB_LIMIT);
  assert_int_equal(ttb__keys_claim(&p->keys, &of, p, 2, now_ms - 10 * IDLE_MS), TTB_LIMIT);
  assert_int_equal(ttb_breaker_find(&b, 1), 0);
  assert_int_equal(ttb__keys_claim(&p->keys, &of, p, 2, now_ms + IDLE_MS + 384), 0);
}

static void test_what_is_at_rest(void **state) {
  (void)state;
  ttb_breaker b = made(1);
  set_and_wait(&b, TTB_BREAKER_OPEN, true);
  b = made(1);
  set_and_wait(&b, TTB_BREAKER_FORCED_OPEN, false);
  b = made(1);
  set_and_wait(&b, TTB_BREAKER_DISABLED, false);
  b = made(1); /* a probe that never reports: its round is over */
  (void)ttb_breaker_set(&b, (uint32_t)ttb_breaker_claim(&b, 1, NOW), TTB_BREAKER_OPEN, NOW);
  int64_t t = ttb_breaker_acquire_key(&b, 1, NOW + 10000 * MS);
  assert_int_equal(ttb_breaker_is_probe(t), 1);
  assert_int_equal(ttb_breaker_claim(&b, 2, LATER + 10000 * MS), 0);
  assert_int_equal(ttb_breaker_report(&b, t, TTB_FAILURE, LATER + 10000 * MS), TTB_STALE);
}

/* A claimer was killed between two keys: the next goes on. */
static void test_between_two_keys(void **state) {
  (void)state;
  ttb_breaker b = made(1);
  ttb__breaker *p = ttb__breaker_of(&b);
  assert_int_equal(ttb_breaker_claim(&b, 1, NOW), 0);
  int64_t old = ttb_breaker_acquire_key(&b, 1, NOW);
  ttb__store_rlx(&ttb__breaker_slot_at(p, 0)->opened, 7);
  ttb__store_rlx(&p->keys.key[0], TTB__KEY_MARK | 0); /* marked, not renewed */
  assert_int_equal(ttb_breaker_find(&b, 1), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(look(&b, 0, NOW).key, 0);
  assert_int_equal(ttb_breaker_claim(&b, 2, NOW), 0);
  assert_int_equal(look(&b, 0, NOW).generation, 1);
  assert_int_equal(look(&b, 0, NOW).opened, 0); /* those were the old key's */
  assert_int_equal(ttb_breaker_report(&b, old, TTB_FAILURE, NOW), TTB_STALE);
  ttb__store_rlx(&p->keys.key[0], TTB__KEY_MARK | 0); /* marked and renewed */
  assert_int_equal(ttb_breaker_claim(&b, 3, NOW), 0);
  assert_int_equal(look(&b, 0, NOW).generation, 1);
}

/* 100,000 keys in a table of 125,000: all find a place, each its own. */
static void test_a_hundred_thousand(void **state) {
  (void)state;
  enum { KEYS = 100000, SLOTS = 125000 };
  ttb_breaker b = {{0}};
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.capacity = SLOTS;
  c.failure_rate_ppm = TTB_OFF;
  c.key_idle_ms = IDLE_MS;
  assert_int_equal(ttb_breaker_new(&b, &c, NULL), TTB_OK);
  unsigned char *taken = calloc(SLOTS, 1);
  assert_non_null(taken);
  for (uint64_t i = 0; i < KEYS; i++) {
    int32_t slot = ttb_breaker_claim(&b, ttb_hash(&i, 1, i) | 1, NOW); /* as a user would */
    assert_in_range(slot, 0, SLOTS - 1);
    assert_false(taken[slot]);
    taken[slot] = 1;
  }
  for (uint64_t i = 0; i < KEYS; i++)
    assert_true(ttb_breaker_find(&b, ttb_hash(&i, 1, i) | 1) >= 0);
  /* Small numbers do as well, an idle time later. */
  for (uint64_t i = 1; i <= KEYS; i++) assert_true(ttb_breaker_claim(&b, i, LATER) >= 0);
  free(taken);
  ttb_breaker_free(&b);
}

/* Whatever a neighbour wrote there: an answer, and nothing outside the table. */
static void test_hostile_keys(void **state) {
  (void)state;
  ttb_breaker b = made(11);
  ttb__breaker *p = ttb__breaker_of(&b);
  uint64_t x = 1;
  for (int i = 0; i < 2000; i++) {
    x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
    ttb__store_rlx(&p->keys.key[x >> 33 & 7], i % 3 ? x : TTB__KEY_MARK | (x >> 40 & 0xffff));
    ttb__store_rlx(&p->keys.used[x >> 36 & 7], (uint32_t)(x >> 12));
    int32_t slot = ttb_breaker_claim(&b, 1 + (x >> 50), NOW + (x >> 30 & 0xffff) * MS);
    assert_true((slot >= 0 && slot < 11) || slot == TTB_LIMIT || slot == TTB_AGAIN);
  }
}

static void test_bytes(void **state) {
  (void)state;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.failure_rate_ppm = TTB_OFF;
  c.key_idle_ms = IDLE_MS;
  c.capacity = 16;
  int64_t small = ttb_breaker_size(&c);
  c.capacity = 16 + 1024;
  assert_int_equal(ttb_breaker_size(&c) - small, 1024 * (64 + 8 + 4));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_claims_and_finds),
      cmocka_unit_test(test_each_key_has_its_own),
      cmocka_unit_test(test_misuse),
      cmocka_unit_test(test_full_and_idle),
      cmocka_unit_test(test_used_after_a_late_caller_looked),
      cmocka_unit_test(test_what_is_at_rest),
      cmocka_unit_test(test_between_two_keys),
      cmocka_unit_test(test_a_hundred_thousand),
      cmocka_unit_test(test_hostile_keys),
      cmocka_unit_test(test_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
