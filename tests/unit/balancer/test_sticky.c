/* SPDX-License-Identifier: MIT */
/* lib/balancer/sticky.c: tokens open with their key, and nothing else does. */
#include "helper.h"

static const unsigned char key[16] = "an unknown key!", other[16] = "an unknown key?";

static void there_and_back(void **state) {
  char token[TTB_STICKY_SIZE], before[TTB_STICKY_SIZE] = "";
  uint64_t id;
  (void)state;
  for (uint64_t i = 0; i < 2000; i++) {
    uint64_t wanted = i < 1000 ? i + 1 : mixed(i);
    assert_int_equal(ttb_sticky_seal(key, wanted, token), TTB_OK);
    assert_int_equal(strlen(token), 22);
    assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                     22);
    assert_string_not_equal(token, before);
    assert_int_equal(ttb_sticky_open(key, token, 22, &id), TTB_OK);
    assert_true(id == wanted);
    assert_int_equal(ttb_sticky_open(other, token, 22, &id), TTB_FORGED);
    memcpy(before, token, sizeof token);
  }
  /* Neighbours in ids are none in tokens: nothing of the id shows. */
  char a[TTB_STICKY_SIZE], b[TTB_STICKY_SIZE];
  uint32_t same = 0;
  assert_int_equal(ttb_sticky_seal(key, 1000, a), TTB_OK);
  assert_int_equal(ttb_sticky_seal(key, 1001, b), TTB_OK);
  for (int i = 0; i < 22; i++) same += a[i] == b[i];
  assert_in_range(same, 0, 5);
}

/* Every single change of a character, and every other length, is noticed. */
static void forged(void **state) {
  char token[64];
  uint64_t id = 7;
  (void)state;
  assert_int_equal(ttb_sticky_seal(key, 4711, token), TTB_OK);
  for (int i = 0; i < 22; i++)
    for (int c = 0; c < 256; c++) {
      char changed[22];
      memcpy(changed, token, 22);
      if (changed[i] == (char)c) continue;
      changed[i] = (char)c;
      assert_int_equal(ttb_sticky_open(key, changed, 22, &id), TTB_FORGED);
    }
  memset(token + 22, 'A', 42);
  for (uint64_t n = 0; n < 64; n++)
    if (n != 22) assert_int_equal(ttb_sticky_open(key, token, n, &id), TTB_FORGED);
  for (uint64_t i = 0; i < 20000; i++) { /* made up */
    for (int k = 0; k < 22; k++) token[k] = "ABCDwxyz0189-_Qq"[mixed(i * 22 + (uint64_t)k) >> 60];
    assert_int_equal(ttb_sticky_open(key, token, 22, &id), TTB_FORGED);
  }
  assert_int_equal(id, 7);
  assert_int_equal(ttb_sticky_seal(key, 0, token), TTB_ERR_RANGE);
  assert_int_equal(ttb_sticky_seal(NULL, 1, token), TTB_ERR_MISUSE);
  assert_int_equal(ttb_sticky_seal(key, 1, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_sticky_open(NULL, token, 22, &id), TTB_ERR_MISUSE);
  assert_int_equal(ttb_sticky_open(key, NULL, 22, &id), TTB_ERR_MISUSE);
  assert_int_equal(ttb_sticky_open(key, token, 22, NULL), TTB_ERR_MISUSE);
}

/* A session: it stays, learns that its endpoint is away or gone, and goes on. */
static void session(void **state) {
  pair p = make(config_of(TTB_BALANCER_TWO_CHOICES, 8));
  char token[TTB_STICKY_SIZE];
  ttb_pick pick = TTB_CONFIG(ttb_pick);
  (void)state;
  fill(&p, 8, NULL);
  int64_t t = acquire(&p);
  uint32_t slot = (uint32_t)ttb_ticket_slot(t);
  assert_int_equal(ttb_sticky_seal(key, info_of(&p.shared, slot).id, token), TTB_OK);
  assert_int_equal(report(&p, t), TTB_OK);
  for (int i = 0; i < 20; i++) {
    assert_int_equal(ttb_sticky_open(key, token, 22, &pick.id), TTB_OK);
    assert_int_equal(ttb_ticket_slot(ttb_balancer_acquire_with(&p.mine, &pick, 0)), slot);
  }
  ttb_balancer_mark(&p.shared, slot, TTB_CAUSE_PROBE, 1);
  assert_int_equal(ttb_balancer_acquire_with(&p.mine, &pick, 0), TTB_NOT_ELIGIBLE);
  ttb_balancer_remove(&p.mine, pick.id);
  assert_int_equal(ttb_balancer_acquire_with(&p.mine, &pick, 0), TTB_ERR_UNKNOWN_ID);
  pick.flags = TTB_PICK_FALLBACK;
  t = ttb_balancer_acquire_with(&p.mine, &pick, 0);
  assert_true(t >= 0 && ttb_ticket_slot(t) != (int32_t)slot);
  assert_int_equal(ttb_balancer_last(&p.mine), TTB_LAST_FALLBACK);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(forged),
                                     cmocka_unit_test(session)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
