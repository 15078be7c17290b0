/* SPDX-License-Identifier: MIT */
/* A table's life: size, init, attach, new, free, batch calls, hostile memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../lib/health/health.h"
#include "alloc.h"

#define NOW UINT64_C(3600000000000)

static ttb_health_config config_of(uint32_t capacity) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = capacity;
  return c;
}

static void sizes(void **state) {
  (void)state;
  ttb_health_config one = config_of(1), two = config_of(2), most = config_of(TTB_MAX_SLOTS);
  assert_int_equal(ttb_health_size(&one) % 64, 0);
  assert_int_equal(ttb_health_size(&two) - ttb_health_size(&one), 64);
  assert_int_equal(ttb_health_size(&most) - ttb_health_size(&one), 64 * (TTB_MAX_SLOTS - 1));
}

static void init_refuses(void **state) {
  (void)state;
  ttb_health_config c = config_of(3);
  uint64_t size = (uint64_t)ttb_health_size(&c);
  unsigned char *mem = aligned_alloc(64, size);
  ttb_health h, untouched;
  memset(&h, 0x5a, sizeof h);
  memset(&untouched, 0x5a, sizeof h);
  assert_int_equal(ttb_health_init(NULL, mem, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_init(&h, NULL, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_init(&h, mem, size, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_init(&h, mem + 8, size - 8, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_init(&h, mem, size - 1, &c), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_health_init(&h, mem, 0, &c), TTB_ERR_NOSPACE);
  c.rise = 101;
  assert_int_equal(ttb_health_init(&h, mem, size, &c), TTB_ERR_RANGE);
  assert_memory_equal(&h, &untouched, sizeof h);
  free(mem);
}

static void attach_agrees_and_refuses(void **state) {
  (void)state;
  ttb_health_config c = config_of(3);
  c.rise = 2;
  c.seed = 7;
  uint64_t size = (uint64_t)ttb_health_size(&c);
  unsigned char *mem = aligned_alloc(64, size), *copy = aligned_alloc(64, size);
  ttb_health a, b;
  memset(mem, 0, size);
  assert_int_equal(ttb_health_attach(&b, mem, size), TTB_AGAIN);
  memset(mem, 0xa5, size); /* no byte of it is trusted */
  assert_int_equal(ttb_health_init(&a, mem, size, &c), TTB_OK);
  assert_int_equal(ttb_health_attach(&b, mem, size), TTB_OK);
  assert_int_equal(ttb_health_report(&a, 1, TTB_FAILURE, 0, NOW), TTB_STATUS_UNHEALTHY);
  assert_int_equal(ttb_health_status(&b, 1, NOW), TTB_STATUS_UNHEALTHY);
  assert_int_equal(ttb_health_report(&b, 1, TTB_SUCCESS, 0, NOW), TTB_OK);
  assert_int_equal(ttb_health_report(&a, 1, TTB_SUCCESS, 0, NOW), TTB_STATUS_HEALTHY);

  memcpy(copy, mem, size); /* relocatable */
  assert_int_equal(ttb_health_attach(&b, copy, size), TTB_OK);
  assert_int_equal(ttb_health_status(&b, 1, NOW), TTB_STATUS_HEALTHY);

  assert_int_equal(ttb_health_attach(NULL, mem, size), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_attach(&b, mem, size - 64), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_health_attach(&b, mem, 64), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_health_attach(&b, mem + 1, size - 1), TTB_ERR_MISUSE);
  ((ttb__region *)(void *)copy)->kind = TTB__KIND_BREAKER;
  assert_int_equal(ttb_health_attach(&b, copy, size), TTB_ERR_MISMATCH);
  memcpy(copy, mem, size);
  ((ttb__region *)(void *)copy)->layout ^= 1;
  assert_int_equal(ttb_health_attach(&b, copy, size), TTB_ERR_VERSION);
  memcpy(copy, mem, size);
  ((ttb_health_config *)(void *)(copy + sizeof(ttb__region)))->capacity = 4;
  assert_int_equal(ttb_health_attach(&b, copy, size), TTB_ERR_CORRUPT);
  ((ttb_health_config *)(void *)(copy + sizeof(ttb__region)))->capacity = UINT32_MAX;
  assert_int_equal(ttb_health_attach(&b, copy, size), TTB_ERR_CORRUPT);
  copy[0] ^= 1;
  assert_int_equal(ttb_health_attach(&b, copy, size), TTB_ERR_CORRUPT);
  free(mem);
  free(copy);
}

static int32_t make(void *ctx, const ttb_allocator *allocator) {
  ttb_health_config c = config_of(5);
  return ttb_health_new(ctx, &c, allocator);
}
static void end(void *ctx) { ttb_health_free(ctx); }

static void new_and_free(void **state) {
  (void)state;
  ttb_health h;
  ttb_health_config c = config_of(1);
  assert_int_equal(alloc_torture(make, end, &h), 1);
  assert_int_equal(ttb_health_new(&h, &c, NULL), TTB_OK);
  ttb_health_free(&h);
  assert_int_equal(ttb_health_status(&h, 0, NOW), TTB_ERR_MISUSE);
  ttb_health_free(&h);
  ttb_health_free(NULL);
  assert_int_equal(ttb_health_new(NULL, &c, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_new(&h, NULL, NULL), TTB_ERR_MISUSE);
}

static void batches_are_calls_in_order(void **state) {
  (void)state;
  ttb_health h;
  ttb_health_config c = config_of(4);
  assert_int_equal(ttb_health_new(&h, &c, NULL), TTB_OK);
  const uint32_t slots[6] = {0, 1, 2, 2, 9, 3};
  const int32_t outcomes[6] = {TTB_SUCCESS, TTB_FAILURE, TTB_SUCCESS, TTB_SUCCESS, TTB_SUCCESS, 7};
  const uint64_t latency[6] = {1, 2, 2000000000, 5, 5, 5};
  int32_t codes[6], status[4];
  assert_int_equal(ttb_health_report_n(&h, slots, outcomes, latency, 6, NOW, codes), 4);
  const int32_t expected[6] = {TTB_STATUS_HEALTHY, TTB_STATUS_UNHEALTHY, TTB_STATUS_DEGRADED,
                               TTB_STATUS_HEALTHY, TTB_ERR_RANGE,        TTB_ERR_RANGE};
  assert_memory_equal(codes, expected, sizeof codes);
  assert_int_equal(ttb_health_status_n(&h, NULL, 4, NOW, status), 2);
  const int32_t now[4] = {TTB_STATUS_HEALTHY, TTB_STATUS_UNHEALTHY, TTB_STATUS_HEALTHY,
                          TTB_STATUS_UNKNOWN};
  assert_memory_equal(status, now, sizeof now);
  assert_int_equal(ttb_health_status_n(&h, slots + 3, 2, NOW, status), 1);
  assert_int_equal(status[1], TTB_ERR_RANGE);
  assert_int_equal(ttb_health_report_n(&h, slots, outcomes, NULL, 2, NOW, NULL), 2);
  assert_int_equal(ttb_health_report_n(&h, NULL, NULL, NULL, 0, NOW, NULL), 0);
  assert_int_equal(ttb_health_report_n(&h, NULL, outcomes, NULL, 1, NOW, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_report_n(&h, slots, NULL, NULL, 1, NOW, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_report_n(&h, slots, outcomes, NULL, UINT32_MAX, NOW, NULL),
                   TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_status_n(&h, NULL, 4, NOW, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_health_status_n(NULL, NULL, 0, NOW, NULL), TTB_ERR_MISUSE);
  ttb_health_free(&h);
}

/* Whatever a neighbour writes: codes in range, no access outside. */
static void hostile_region(void **state) {
  (void)state;
  ttb_health_config c = config_of(8);
  uint64_t size = (uint64_t)ttb_health_size(&c);
  unsigned char *mem = aligned_alloc(64, size);
  ttb_health h;
  char buf[2048];
  uint32_t slots[8];
  ttb_health_member m = TTB_CONFIG(ttb_health_member);
  ttb_health_view v = TTB_CONFIG(ttb_health_view);
  m.name = "a";
  v.members = &m;
  v.count = 1;
  v.wall_ms = 1;
  assert_int_equal(ttb_health_init(&h, mem, size, &c), TTB_OK);
  uint64_t x = 1;
  for (int round = 0; round < 300; round++) {
    for (uint64_t i = 64; i < size; i++) {
      x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
      mem[i] = round < 3 ? (unsigned char)(round == 0 ? 0xff : round == 1 ? 0x7f : 0x80)
                         : (unsigned char)(x >> 56);
    }
    uint64_t now = NOW + (x >> 20);
    for (uint32_t s = 0; s < 8; s++) {
      ttb_health_info i = TTB_CONFIG(ttb_health_info);
      assert_in_range(ttb_health_status(&h, s, now), 0, TTB_STATUS_STALE);
      assert_int_equal(ttb_health_explain(&h, s, now, &i), TTB_OK);
      assert_true(i.next_due_ms >= -1 && i.next_due_ms <= 5000);
      (void)ttb_health_report(&h, s, (int32_t)(x % 5), x, now);
      (void)ttb_health_observe(&h, s, TTB_FAILURE, now);
    }
    m.slot = (uint32_t)x % 8;
    assert_true(ttb_health_json(&h, &v, now, buf, sizeof buf, NULL) > 0);
    assert_in_range(ttb_health_due(&h, now, slots, 8), 0, 8);
    assert_in_range(ttb_health_tick(&h, now, slots, 8), 0, 8);
  }
  free(mem);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sizes),        cmocka_unit_test(init_refuses),
      cmocka_unit_test(new_and_free), cmocka_unit_test(attach_agrees_and_refuses),
      cmocka_unit_test(hostile_region), cmocka_unit_test(batches_are_calls_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
