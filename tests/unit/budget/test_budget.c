/* SPDX-License-Identifier: MIT */
/* lib/budget/budget.c: sizes, regions, handles. */
#include "fixture.h"

#include "../../support/alloc.h"

static void test_sizes(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  int64_t one = ttb_budget_size(&c);
  assert_true(one > 0 && one % 64 == 0);
  c.capacity = 2;
  int64_t slot = ttb_budget_size(&c) - one;
  assert_true(slot > 8000 && slot < 16384 && slot % 64 == 0);
  c.capacity = 1;
  int64_t curve[3] = {1, 2, 3};
  c.carries_milli = curve, c.carries_n = 3;
  assert_int_equal(ttb_budget_size(&c), one + 64);
  assert_int_equal(ttb_budget_size(NULL), TTB_ERR_MISUSE);
}

static void test_region_elsewhere(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  uint64_t size = (uint64_t)ttb_budget_size(&c);
  void *first = aligned_alloc(64, size), *second = aligned_alloc(64, size);
  play p = {.current = 1}, q = p;
  memset(first, 0x5a, size);
  assert_int_equal(ttb_budget_attach(&p.b, first, size), TTB_ERR_CORRUPT);
  memset(first, 0, size);
  assert_int_equal(ttb_budget_attach(&p.b, first, size), TTB_AGAIN);
  assert_int_equal(ttb_budget_init(&p.b, first, size - 1, &c), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_budget_init(&p.b, (char *)first + 8, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_init(&p.b, NULL, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_init(NULL, first, size, &c), TTB_ERR_MISUSE);
  memset(first, 0xff, size); /* init trusts no byte */
  assert_int_equal(ttb_budget_init(&p.b, first, size, &c), TTB_OK);
  uint64_t dice = 1;
  for (int i = 0; i < 2000; i++) play_tick(&p, (int64_t)(roll(&dice) % 9000));
  /* A copy of the bytes is a snapshot: the same future from there. */
  memcpy(second, first, size);
  assert_int_equal(ttb_budget_attach(&q.b, second, size), TTB_OK);
  q.tick = p.tick, q.current = p.current;
  for (int i = 0; i < 2000; i++) {
    int64_t load = (int64_t)(roll(&dice) % 9000);
    ttb_budget_decision a = play_tick(&p, load), b = play_tick(&q, load);
    assert_memory_equal(&a, &b, sizeof a);
  }
  ttb_budget_free(&p.b);
  ttb_budget_free(&q.b);
  free(first);
  free(second);
}

static void test_attach_checks(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  uint64_t size = (uint64_t)ttb_budget_size(&c), head = 128 + 64 + 128;
  unsigned char *mem = aligned_alloc(64, size), *copy = malloc(size);
  ttb_budget b;
  assert_int_equal(ttb_budget_init(&b, mem, size, &c), TTB_OK);
  memcpy(copy, mem, size);
  assert_int_equal(ttb_budget_attach(NULL, mem, size), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_attach(&b, mem, size - 64), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_budget_attach(&b, mem, 64), TTB_ERR_NOSPACE);
  ttb__region *r = (void *)mem;
  r->kind = TTB__KIND_AUTOSCALER;
  assert_int_equal(ttb_budget_attach(&b, mem, size), TTB_ERR_MISMATCH);
  memcpy(mem, copy, size);
  r->layout ^= 1;
  assert_int_equal(ttb_budget_attach(&b, mem, size), TTB_ERR_VERSION);
  /* Any word of configuration and slot head spoilt: refused, or legal; never a crash. */
  for (uint64_t i = 32; i < head / 4 + 64; i++) {
    static const uint32_t bad[] = {0, 1, 17, 0x7fffffff, 0x80000000, 0xffffffff};
    for (unsigned k = 0; k < 6; k++) {
      memcpy(mem, copy, size);
      memcpy(mem + 4 * i, &bad[k], 4);
      play p = {.current = 3};
      int32_t code = ttb_budget_attach(&p.b, mem, size);
      assert_true(code == TTB_OK || code == TTB_ERR_CORRUPT);
      for (int t = 0; code == TTB_OK && t < 70; t++) play_tick(&p, 2500);
    }
  }
  free(copy);
  free(mem);
}

/* A neighbour that scribbles over everything behind the header: answers stay in bounds. */
static void test_scribbled(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  c.min_replicas = 2, c.max_replicas = 50;
  int64_t curve[5] = {1000, 5000, 9000, 12000, 13000};
  uint64_t dice = 9;
  for (int round = 0; round < 60; round++) {
    c.carries_milli = round % 2 ? curve : NULL, c.carries_n = round % 2 ? 5 : 0;
    c.startup_ms = round % 3 ? 60000 : 900000;
    uint64_t size = (uint64_t)ttb_budget_size(&c);
    unsigned char *mem = aligned_alloc(64, size);
    play p = {.current = 10};
    assert_int_equal(ttb_budget_init(&p.b, mem, size, &c), TTB_OK);
    for (int t = 0; t < 200; t++) {
      if (t % 20 == 5)
        for (uint64_t i = 192; i < size; i++)
          mem[i] = round % 4 == 0 ? 0xff : round % 4 == 1 ? 0x7f : (unsigned char)roll(&dice);
      ttb_budget_decision d = play_tick(&p, (int64_t)(roll(&dice) % 60000));
      assert_true(d.desired >= 2 && d.desired <= 50);
      assert_true(d.arm >= 0 && d.arm < TTB_BUDGET_ARMS && d.spent_ppm >= 0 && d.needed >= 0);
      ttb_budget_row rows[TTB_BUDGET_ARMS];
      for (int i = 0; i < TTB_BUDGET_ARMS; i++) rows[i] = TTB_CONFIG(ttb_budget_row);
      ttb_budget_info i = TTB_CONFIG(ttb_budget_info);
      i.rows = rows, i.rows_n = TTB_BUDGET_ARMS;
      assert_int_equal(ttb_budget_explain(&p.b, 0, SECOND, &i), TTB_OK);
    }
    free(mem);
  }
}

static int32_t make(void *ctx, const ttb_allocator *al) {
  ttb_budget_config c = plain_config();
  return ttb_budget_new(ctx, &c, al);
}
static void end(void *ctx) { ttb_budget_free(ctx); }

static void test_new(void **unused) {
  (void)unused;
  ttb_budget b;
  assert_int_equal(alloc_torture(make, end, &b), 1);
  assert_int_equal(ttb_budget_new(NULL, NULL, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_new(&b, NULL, NULL), TTB_ERR_MISUSE);
  ttb_budget_free(&b); /* cleared: a no-op */
  ttb_budget_free(NULL);
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
  assert_int_equal(ttb_budget_tick(&b, 0, &s, 0, &d), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_reset(&b, 0), TTB_ERR_MISUSE);
}

static void test_slots_are_apart(void **unused) {
  (void)unused;
  ttb_budget_config c = plain_config();
  ttb_budget many, one;
  ttb_budget_sample s[3];
  ttb_budget_decision d[3], alone = TTB_CONFIG(ttb_budget_decision);
  int32_t codes[3];
  uint64_t dice = 4;
  assert_int_equal(ttb_budget_new(&one, &c, NULL), TTB_OK);
  c.capacity = 3;
  assert_int_equal(ttb_budget_new(&many, &c, NULL), TTB_OK);
  for (int i = 0; i < 3; i++) {
    s[i] = TTB_CONFIG(ttb_budget_sample);
    d[i] = TTB_CONFIG(ttb_budget_decision);
    d[i].desired = 5;
  }
  alone.desired = 5;
  for (uint64_t t = 0; t < 500; t++) {
    for (int i = 0; i < 3; i++) {
      s[i].load_milli = (int64_t)(roll(&dice) % 9000000);
      s[i].current = d[i].desired;
    }
    assert_int_equal(ttb_budget_tick_n(&many, NULL, 3, s, SECOND + t * TICK, d, codes), 3);
    assert_int_equal(ttb_budget_tick(&one, 0, &s[1], SECOND + t * TICK, &alone), TTB_OK);
    assert_memory_equal(&alone, &d[1], sizeof alone);
  }
  uint32_t slots[2] = {2, 3};
  assert_int_equal(ttb_budget_tick_n(&many, slots, 2, s, 600 * TICK, d, codes), 1);
  assert_int_equal(codes[1], TTB_ERR_RANGE);
  assert_int_equal(ttb_budget_tick_n(&many, NULL, 1, NULL, 0, d, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_tick_n(&many, NULL, 1, s, 0, NULL, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_budget_tick_n(&many, NULL, 0, NULL, 0, NULL, NULL), 0);
  ttb_budget_free(&many);
  ttb_budget_free(&one);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes),     cmocka_unit_test(test_region_elsewhere),
      cmocka_unit_test(test_attach_checks), cmocka_unit_test(test_scribbled),
      cmocka_unit_test(test_new),       cmocka_unit_test(test_slots_are_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
