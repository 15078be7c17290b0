/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/ring.{h,c}. Competition and kills are explored in
 * tests/explore; here kills are played by hand. */
#include "../../../lib/base/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SHIFT 2u
#define RECORDS 4u

static _Alignas(64) unsigned char memory[64 + 64 * RECORDS];

static ttb__ring *fresh(void) {
  memset(memory, 0, sizeof memory);
  return (ttb__ring *)(void *)memory;
}

static int32_t put(ttb__ring *ring, uint32_t row, uint64_t x) {
  const uint64_t event[TTB__RING_WORDS] = {x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6};
  return ttb__ring_put(ring, SHIFT, row, event);
}

/* Word 0 of the next event, or 0 for none. */
static uint64_t get(const ttb__ring *ring, uint64_t *cursor, uint64_t *lost) {
  uint64_t event[TTB__RING_WORDS] = {0};
  if (ttb__ring_get(ring, SHIFT, cursor, event, lost) == 0) return 0;
  for (uint32_t i = 0; i < TTB__RING_WORDS; i++) assert_int_equal(event[i], event[0] + i);
  return event[0];
}

/* As if a producer of row 5 had been killed right behind its claim. */
static void die_at_claim(ttb__ring *ring, uint64_t position) {
  uint64_t lap = (position >> SHIFT) + 1;
  ttb__store_rlx(&ring->record[position % RECORDS].claim, lap << 16 | (5 + 1));
}

static void test_layout(void **state) {
  (void)state;
  assert_int_equal(sizeof(ttb__ring_record), 64);
  assert_int_equal(offsetof(ttb__ring, record), 64);
  assert_int_equal(TTB__RING_BYTES(SHIFT), sizeof memory);
}

static void test_empty(void **state) {
  (void)state;
  uint64_t cursor = 0, lost = 0;
  assert_int_equal(get(fresh(), &cursor, &lost), 0);
  assert_int_equal(cursor, 0);
  assert_int_equal(lost, 0);
}

static void test_in_order_to_each_reader(void **state) {
  (void)state;
  ttb__ring *ring = fresh();
  uint64_t a = 0, b = 0, lost = 0;
  for (uint64_t i = 1; i <= 3; i++) assert_int_equal(put(ring, (uint32_t)i, 100 * i), TTB_OK);
  for (uint64_t i = 1; i <= 3; i++) assert_int_equal(get(ring, &a, &lost), 100 * i);
  assert_int_equal(get(ring, &a, &lost), 0);
  for (uint64_t i = 1; i <= 3; i++) assert_int_equal(get(ring, &b, &lost), 100 * i);
  assert_int_equal(lost, 0);
}

static void test_over_many_laps(void **state) {
  (void)state;
  ttb__ring *ring = fresh();
  uint64_t cursor = 0, lost = 0;
  for (uint64_t i = 1; i <= 1000; i++) {
    assert_int_equal(put(ring, 0, 10 * i), TTB_OK);
    if (i % 3 != 0) continue;
    for (uint64_t k = i - 2; k <= i; k++) assert_int_equal(get(ring, &cursor, &lost), 10 * k);
  }
  assert_int_equal(lost, 0);
}

static void test_lapped_reader_is_told(void **state) {
  (void)state;
  ttb__ring *ring = fresh();
  uint64_t cursor = 0, lost = 0;
  for (uint64_t i = 1; i <= 11; i++) assert_int_equal(put(ring, 0, 10 * i), TTB_OK);
  for (uint64_t i = 8; i <= 11; i++) assert_int_equal(get(ring, &cursor, &lost), 10 * i);
  assert_int_equal(lost, 7);
  assert_int_equal(cursor, 11);
}

static void test_starts_now(void **state) {
  (void)state;
  ttb__ring *ring = fresh();
  uint64_t lost = 0;
  assert_int_equal(put(ring, 0, 10), TTB_OK);
  uint64_t cursor = ttb__ring_now(ring);
  assert_int_equal(put(ring, 0, 20), TTB_OK);
  assert_int_equal(get(ring, &cursor, &lost), 20);
  assert_int_equal(lost, 0);
}

static void test_killed_producer_does_not_wedge(void **state) {
  (void)state;
  ttb__ring *ring = fresh();
  uint64_t cursor = 0, lost = 0;
  die_at_claim(ring, 0); /* before the head moved on: the next one helps */
  assert_int_equal(put(ring, 0, 10), TTB_OK);
  assert_int_equal(get(ring, &cursor, &lost), 0); /* waits for the unfinished one */
  assert_int_equal(lost, 0);
  assert_int_equal(put(ring, 0, 20), TTB_OK); /* half the ring lies behind it now */
  assert_int_equal(get(ring, &cursor, &lost), 10);
  assert_int_equal(get(ring, &cursor, &lost), 20);
  assert_int_equal(lost, 1);
  for (uint64_t i = 1; i <= 20; i++) { /* laps skip the record, lose nothing else */
    assert_int_equal(put(ring, 0, 1000 * i), TTB_OK);
    uint64_t x = get(ring, &cursor, &lost);
    assert_int_equal(x, 1000 * i);
  }
  assert_int_equal(ttb__ring_dropped(ring), 0);
}

static void test_recovered_record_is_used_again(void **state) {
  (void)state;
  ttb__ring *ring = fresh();
  uint64_t cursor = 0, lost = 0;
  die_at_claim(ring, 0);
  assert_int_equal(put(ring, 0, 10), TTB_OK);
  ttb__ring_recover(ring, SHIFT, 5);
  ttb__ring_recover(ring, SHIFT, 5);               /* twice is once */
  assert_int_equal(get(ring, &cursor, &lost), 10); /* no wait any more */
  assert_int_equal(lost, 1);
  for (uint64_t i = 1; i <= 4; i++) {
    assert_int_equal(put(ring, 0, 100 * i), TTB_OK);
    assert_int_equal(get(ring, &cursor, &lost), 100 * i);
  }
  assert_int_equal(lost, 1);
  assert_int_equal(cursor, 6); /* no position was skipped */
}

static void test_recover_leaves_others_alone(void **state) {
  (void)state;
  ttb__ring *ring = fresh();
  die_at_claim(ring, 0);
  uint64_t held = ttb__load_rlx(&ring->record[0].claim);
  ttb__ring_recover(ring, SHIFT, 4);
  assert_true(ttb__load_rlx(&ring->record[0].claim) == held);
}

static void test_drops_are_counted(void **state) {
  (void)state;
  ttb__ring *ring = fresh();
  for (uint64_t p = 0; p < RECORDS; p++) die_at_claim(ring, p);
  assert_int_equal(put(ring, 0, 10), TTB_AGAIN);
  assert_int_equal(put(ring, 0, 20), TTB_AGAIN);
  assert_int_equal(ttb__ring_dropped(ring), 2);
}

static void test_hostile_head(void **state) {
  (void)state;
  ttb__ring *ring = fresh();
  uint64_t cursor = 3, lost = 0;
  ttb__store_rlx(&ring->head, 2); /* behind the cursor */
  assert_int_equal(get(ring, &cursor, &lost), 0);
  assert_int_equal(cursor, 3);
  ttb__store_rlx(&ring->head, UINT64_C(1) << 40); /* far ahead of any event */
  assert_int_equal(get(ring, &cursor, &lost), 0);
  assert_int_equal(cursor, UINT64_C(1) << 40);
  assert_int_equal(lost, (UINT64_C(1) << 40) - 3);
  ttb__store_rlx(&ring->head, UINT64_MAX);
  for (int i = 0; i < 8; i++) { /* laps beyond 48 bits: whatever it gets, it stays inside */
    uint64_t event[TTB__RING_WORDS];
    (void)ttb__ring_get(ring, SHIFT, &cursor, event, &lost);
    (void)put(ring, 0, 10);
    ttb__ring_recover(ring, SHIFT, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layout),
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_in_order_to_each_reader),
      cmocka_unit_test(test_over_many_laps),
      cmocka_unit_test(test_lapped_reader_is_told),
      cmocka_unit_test(test_starts_now),
      cmocka_unit_test(test_killed_producer_does_not_wedge),
      cmocka_unit_test(test_recovered_record_is_used_again),
      cmocka_unit_test(test_recover_leaves_others_alone),
      cmocka_unit_test(test_drops_are_counted),
      cmocka_unit_test(test_hostile_head),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
