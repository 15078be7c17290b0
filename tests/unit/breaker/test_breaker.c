/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/breaker/breaker.c: life of a table, batch calls, attach. */
#define _GNU_SOURCE
#include "../../../lib/breaker/breaker.h"
#include "../../../lib/breaker/window.h"

#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"

#define NS UINT64_C(1000000)

static ttb_breaker_config small(void) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.capacity = 3;
  c.consecutive = 2;
  return c;
}

static _Alignas(64) unsigned char memory[16384];

static uint64_t made(ttb_breaker *b) {
  ttb_breaker_config c = small();
  int64_t size = ttb_breaker_size(&c);
  assert_true(size > 0 && (uint64_t)size <= sizeof memory);
  memset(memory, 0xa5, sizeof memory);
  assert_int_equal(ttb_breaker_init(b, memory, (uint64_t)size, &c), TTB_OK);
  return (uint64_t)size;
}

static void untouched(const ttb_breaker *b) {
  for (size_t i = 0; i < sizeof *b; i++) assert_int_equal(((const unsigned char *)b)[i], 0x77);
}

static void test_init(void **state) {
  (void)state;
  ttb_breaker b, bad;
  uint64_t size = made(&b);
  for (uint32_t slot = 0; slot < 3; slot++) {
    int64_t t = ttb_breaker_acquire(&b, slot, NS);
    assert_true(t >= 0);
    assert_int_equal(ttb_ticket_slot(t), slot);
    assert_int_equal(ttb_breaker_is_probe(t), 0);
    assert_int_equal(ttb_breaker_report(&b, t, TTB_SUCCESS, NS), TTB_OK);
  }
  assert_int_equal(memory[size], 0xa5);

  ttb_breaker_config c = small();
  memset(&bad, 0x77, sizeof bad);
  assert_int_equal(ttb_breaker_init(NULL, memory, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_init(&bad, NULL, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_init(&bad, memory + 8, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_init(&bad, memory, size, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_init(&bad, memory, size - 1, &c), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_breaker_init(&bad, memory, 0, &c), TTB_ERR_NOSPACE);
  c.open_ms = UINT32_MAX;
  assert_int_equal(ttb_breaker_init(&bad, memory, size, &c), TTB_ERR_RANGE);
  c = small(), c.struct_size = 3;
  assert_int_equal(ttb_breaker_init(&bad, memory, size, &c), TTB_ERR_RANGE);
  untouched(&bad);
}

static void test_attach(void **state) {
  (void)state;
  ttb_breaker b, other, bad;
  uint64_t size = made(&b);
  assert_int_equal(ttb_breaker_attach(&other, memory, sizeof memory), TTB_OK);
  int64_t t1 = ttb_breaker_acquire(&b, 1, NS), t2 = ttb_breaker_acquire(&other, 1, NS);
  assert_int_equal(ttb_breaker_report(&other, t1, TTB_FAILURE, NS), TTB_OK);
  assert_int_equal(ttb_breaker_report(&b, t2, TTB_FAILURE, NS), TTB_BREAKER_OPENED);
  assert_int_equal(ttb_breaker_acquire(&other, 1, NS), TTB_OPEN);
  assert_true(ttb_breaker_acquire(&other, 0, NS) >= 0);

  memset(&bad, 0x77, sizeof bad);
  assert_int_equal(ttb_breaker_attach(NULL, memory, size), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_attach(&bad, NULL, size), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_attach(&bad, memory + 1, size), TTB_ERR_MISUSE);
  for (uint64_t s = 0; s < size; s += 8)
    assert_int_equal(ttb_breaker_attach(&bad, memory, s), TTB_ERR_NOSPACE);
  untouched(&bad);
}

/* Every bit of header and config flipped: refused, or the handle still knows
 * the size of its table and no call leaves it (ASan looks on). */
static void test_hostile_region(void **state) {
  (void)state;
  static _Alignas(64) unsigned char copy[16384];
  ttb_breaker b;
  uint64_t size = made(&b);
  for (unsigned bit = 0; bit < 192 * 8; bit++) {
    ttb_breaker h;
    memcpy(copy, memory, size);
    copy[bit / 8] ^= (unsigned char)(1u << bit % 8);
    if (ttb_breaker_attach(&h, copy, size) != TTB_OK) continue;
    for (uint32_t slot = 0; slot < 8; slot++) {
      int64_t t = ttb_breaker_acquire(&h, slot, bit * NS);
      if (t >= 0) (void)ttb_breaker_report(&h, t, TTB_FAILURE, bit * NS);
    }
  }
  memset(copy, 0, size);
  assert_int_equal(ttb_breaker_attach(&b, copy, size), TTB_AGAIN);
  memset(copy, 0xff, size);
  assert_int_equal(ttb_breaker_attach(&b, copy, size), TTB_ERR_CORRUPT);
}

/* A neighbour that scribbles over everything behind the config after attach:
 * decisions may be bad, but every call ends, and inside its memory. */
static void test_scribbled_region(void **state) {
  (void)state;
  ttb_breaker b, mine;
  ttb_breaker_config c = small();
  c.half_open_probes = 3;
  c.half_open_successes = 2;
  int64_t size = ttb_breaker_size(&c);
  assert_int_equal(ttb_breaker_init(&b, memory, (uint64_t)size, &c), TTB_OK);
  assert_int_equal(ttb_breaker_join(&b, 5, &mine), TTB_OK);
  uint64_t x = 99;
  for (int i = 0; i < 30000; i++) {
    for (int k = 0; k < 8; k++) {
      x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
      uint64_t word = (x >> 33) % ((uint64_t)size / 8), value = x * x;
      if (word >= 8) memcpy(memory + 8 * word, &value, 8);
    }
    uint32_t slot = (uint32_t)(x >> 60) & 3;
    int64_t t = ttb_breaker_acquire(i & 1 ? &b : &mine, slot, x >> 20);
    if (t >= 0) (void)ttb_breaker_report(&b, t, (int32_t)(x >> 50) % 5, x >> 20);
    ttb_breaker_info info = {.struct_size = sizeof info};
    (void)ttb_breaker_explain(&b, slot, x >> 20, &info);
    (void)ttb_breaker_peek(&b, slot, x >> 20);
    (void)ttb_breaker_report(&mine, (int64_t)(x >> 1), TTB_FAILURE, x >> 20);
    if (i % 100 == 0) (void)ttb_breaker_recover(&mine, 6);
    if (i % 100 == 50) (void)ttb_breaker_set(&b, slot, (int32_t)(x >> 45) % 5, x >> 20);
  }
}

static void test_new_and_free(void **state) {
  (void)state;
  ttb_breaker b, cleared = {{0}};
  ttb_breaker_config c = small();
  test_alloc counted = {0};
  ttb_allocator a = test_allocator(&counted);
  assert_int_equal(ttb_breaker_new(&b, &c, &a), TTB_OK);
  assert_int_equal(counted.calls, 1);
  assert_int_equal(counted.live_bytes, ttb_breaker_size(&c));
  assert_true(ttb_breaker_acquire(&b, 2, NS) >= 0);
  ttb_breaker_free(&b);
  assert_int_equal(counted.live + counted.wrong, 0);
  assert_memory_equal(&b, &cleared, sizeof b);
  ttb_breaker_free(&b); /* twice: nothing */
  ttb_breaker_free(NULL);
  assert_int_equal(counted.wrong, 0);
  assert_int_equal(ttb_breaker_acquire(&b, 0, NS), TTB_ERR_MISUSE);

  assert_int_equal(ttb_breaker_new(&b, &c, NULL), TTB_OK); /* the C library's */
  ttb_breaker_free(&b);
}

static int32_t make(void *ctx, const ttb_allocator *a) {
  ttb_breaker_config c = small();
  return ttb_breaker_new(ctx, &c, a);
}
static void end(void *ctx) { ttb_breaker_free(ctx); }

static void *crooked_alloc(void *ctx, uint64_t size, uint64_t align) {
  (void)size, (void)align;
  return (char *)ctx + 8;
}
static void crooked_free(void *ctx, void *ptr, uint64_t size, uint64_t align) {
  (void)size;
  assert_ptr_equal(ptr, (char *)ctx + 8);
  assert_int_equal(align, TTB_ALIGN);
}

static void test_allocators_that_fail(void **state) {
  (void)state;
  ttb_breaker b;
  ttb_breaker_config c = small();
  assert_int_equal(alloc_torture(make, end, &b), 1);

  memset(&b, 0x77, sizeof b);
  ttb_allocator a = {sizeof a, 0, memory, crooked_alloc, crooked_free};
  assert_int_equal(ttb_breaker_new(&b, &c, &a), TTB_ERR_MISUSE); /* misaligned: given back */
  a.alloc = NULL;
  assert_int_equal(ttb_breaker_new(&b, &c, &a), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_new(NULL, &c, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_new(&b, NULL, NULL), TTB_ERR_MISUSE);
  c.threads = 255;
  assert_int_equal(ttb_breaker_new(&b, &c, NULL), TTB_ERR_RANGE);
  untouched(&b);
}

static void test_free_of_borrowed_memory_only_clears(void **state) {
  (void)state;
  ttb_breaker b, other;
  uint64_t size = made(&b);
  ttb_breaker_free(&b);
  assert_int_equal(ttb_breaker_acquire(&b, 0, NS), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_attach(&other, memory, size), TTB_OK);
  assert_true(ttb_breaker_acquire(&other, 0, NS) >= 0);
}

/* A handle points into the region, never into itself. */
static void test_handles_may_be_moved(void **state) {
  (void)state;
  ttb_breaker b, moved;
  made(&b);
  memcpy(&moved, &b, sizeof b);
  memset(&b, 0, sizeof b);
  assert_true(ttb_breaker_acquire(&moved, 0, NS) >= 0);
}

/* One memfd mapped twice: two addresses, one breaker. */
static void test_two_mappings(void **state) {
  (void)state;
  ttb_breaker_config c = small();
  size_t size = (size_t)ttb_breaker_size(&c);
  int fd = memfd_create("breaker", MFD_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(ftruncate(fd, (off_t)size), 0);
  void *a = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  void *b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  assert_true(a != MAP_FAILED && b != MAP_FAILED && a != b);
  ttb_breaker first, second;
  assert_int_equal(ttb_breaker_attach(&second, b, size), TTB_AGAIN);
  assert_int_equal(ttb_breaker_init(&first, a, size, &c), TTB_OK);
  assert_int_equal(ttb_breaker_attach(&second, b, size), TTB_OK);
  int64_t t = ttb_breaker_acquire(&first, 2, NS);
  assert_int_equal(ttb_breaker_report(&second, t, TTB_FAILURE, NS), TTB_OK);
  t = ttb_breaker_acquire(&second, 2, NS);
  assert_int_equal(ttb_breaker_report(&first, t, TTB_FAILURE, NS), TTB_BREAKER_OPENED);
  assert_int_equal(ttb_breaker_acquire(&second, 2, NS), TTB_OPEN);
  munmap(a, size); /* the other mapping goes on */
  assert_int_equal(ttb_breaker_acquire(&second, 2, NS), TTB_OPEN);
  munmap(b, size);
  close(fd);
}

static void test_dead_handles(void **state) {
  (void)state;
  ttb_breaker zero = {{0}}, junk;
  ttb_breaker_info info = {.struct_size = sizeof info};
  ttb_breaker_stats stats = {.struct_size = sizeof stats};
  memset(&junk, 0x77, sizeof junk);
  ttb_breaker *dead[] = {NULL, &zero, &junk};
  for (int i = 0; i < 3; i++) {
    ttb_breaker *b = dead[i], out;
    assert_int_equal(ttb_breaker_acquire(b, 0, NS), TTB_ERR_MISUSE);
    assert_int_equal(ttb_breaker_report(b, 0, TTB_SUCCESS, NS), TTB_ERR_MISUSE);
    assert_int_equal(ttb_breaker_acquire_n(b, NULL, 0, NS, NULL), TTB_ERR_MISUSE);
    assert_int_equal(ttb_breaker_report_n(b, NULL, NULL, 0, NS, NULL), TTB_ERR_MISUSE);
    assert_int_equal(ttb_breaker_set(b, 0, TTB_BREAKER_OPEN, NS), TTB_ERR_MISUSE);
    assert_int_equal(ttb_breaker_peek(b, 0, NS), TTB_ERR_MISUSE);
    assert_int_equal(ttb_breaker_explain(b, 0, NS, &info), TTB_ERR_MISUSE);
    assert_int_equal(ttb_breaker_statistics(b, &stats), TTB_ERR_MISUSE);
    assert_int_equal(ttb_breaker_join(b, 1, &out), TTB_ERR_MISUSE);
    assert_int_equal(ttb_breaker_recover(b, 1), TTB_ERR_MISUSE);
    ttb_breaker_free(b);
  }
  untouched(&junk);
}

static void test_batches(void **state) {
  (void)state;
  ttb_breaker b;
  made(&b);
  const uint32_t slots[] = {0, 1, 9, 1, 2, 2};
  int64_t tickets[6];
  assert_int_equal(ttb_breaker_set(&b, 2, TTB_BREAKER_FORCED_OPEN, NS), TTB_OK);
  assert_int_equal(ttb_breaker_acquire_n(&b, slots, 6, NS, tickets), 3);
  assert_true(tickets[0] >= 0 && tickets[1] >= 0 && tickets[3] >= 0);
  assert_int_equal(tickets[2], TTB_ERR_RANGE);
  assert_int_equal(tickets[4], TTB_OPEN);
  assert_int_equal(tickets[5], TTB_OPEN);

  /* In order: the second failure of slot 1 opens it, a third would be stale. */
  const int64_t again[] = {tickets[0], tickets[1], tickets[2], tickets[3], tickets[1], tickets[4]};
  const int32_t outcomes[] = {TTB_SUCCESS, TTB_FAILURE, TTB_FAILURE, TTB_FAILURE, TTB_FAILURE, 0};
  int32_t codes[6];
  assert_int_equal(ttb_breaker_report_n(&b, again, outcomes, 6, NS, codes), 3);
  const int32_t want[] = {TTB_OK,    TTB_OK,        TTB_ERR_MISUSE, TTB_BREAKER_OPENED,
                          TTB_STALE, TTB_ERR_MISUSE};
  assert_memory_equal(codes, want, sizeof want);

  assert_int_equal(ttb_breaker_acquire_n(&b, NULL, 0, NS, NULL), 0);
  assert_int_equal(ttb_breaker_report_n(&b, NULL, NULL, 0, NS, NULL), 0);
  assert_int_equal(ttb_breaker_report_n(&b, tickets, outcomes, 1, NS, NULL), 1);
  assert_int_equal(ttb_breaker_acquire_n(&b, NULL, 1, NS, tickets), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_acquire_n(&b, slots, 1, NS, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_acquire_n(&b, slots, 0x80000000u, NS, tickets), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_report_n(&b, NULL, outcomes, 1, NS, codes), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_report_n(&b, tickets, NULL, 1, NS, codes), TTB_ERR_MISUSE);
  assert_int_equal(ttb_breaker_report_n(&b, tickets, outcomes, 0x80000000u, NS, codes),
                   TTB_ERR_MISUSE);
}

static void test_statistics(void **state) {
  (void)state;
  ttb_breaker b;
  ttb_breaker_stats s = {.struct_size = sizeof s};
  made(&b);
  assert_int_equal(ttb_breaker_statistics(&b, &s), TTB_OK);
  assert_int_equal(s.struct_size, sizeof s);
  assert_int_equal(s.capacity, 3);
  assert_int_equal(s.joined + s.refused + s.stale + s.clock_adoptions, 0);
  int64_t t = ttb_breaker_acquire(&b, 0, NS);
  ttb_breaker_set(&b, 0, TTB_BREAKER_OPEN, NS);
  ttb_breaker_acquire(&b, 0, NS);
  ttb_breaker_acquire(&b, 0, NS);
  ttb_breaker_report(&b, t, TTB_SUCCESS, NS);
  assert_int_equal(ttb_breaker_statistics(&b, &s), TTB_OK);
  assert_int_equal(s.refused, 2);
  assert_int_equal(s.stale, 1);
  assert_int_equal(ttb_breaker_statistics(&b, NULL), TTB_ERR_MISUSE);
  s.struct_size = 1;
  assert_int_equal(ttb_breaker_statistics(&b, &s), TTB_ERR_RANGE);
  assert_int_equal(s.refused, 2);
}

static void test_the_map_in_the_docs(void **state) {
  (void)state;
  static _Alignas(64) unsigned char map[1344];
  ttb_breaker h;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.capacity = 2;
  assert_int_equal(ttb_breaker_size(&c), sizeof map);
  assert_int_equal(ttb_breaker_init(&h, map, sizeof map, &c), TTB_OK);
  ttb__breaker *b = ttb__breaker_of(&h);
#define AT(p) ((size_t)((unsigned char *)(p) - map))
  assert_int_equal(AT(&b->region->magic), 0);
  assert_int_equal(AT(&b->region->abi), 8);
  assert_int_equal(AT(&b->region->layout), 16);
  assert_int_equal(AT(&b->region->size), 24);
  assert_int_equal(AT(&b->region->seed), 32);
  assert_int_equal(AT(&b->region->config_size), 40);
  assert_int_equal(AT(&b->region->clock.last), 64);
  assert_int_equal(AT(&b->region->clock.offset), 72);
  assert_int_equal(AT(&b->region->clock.before), 80);
  assert_int_equal(AT(&b->region->clock.late), 88);
  assert_int_equal(AT(&b->region->clock.adoptions), 96);
  assert_int_equal(*(uint32_t *)(void *)(map + 128), sizeof c); /* the config */
  assert_int_equal(*(uint32_t *)(void *)(map + 132), 2);
  assert_int_equal(AT(&b->table->refused), 320);
  assert_int_equal(AT(&b->table->stale), 328);
  assert_int_equal(AT(&b->rows->active), 384);
  assert_int_equal(AT(&b->rows->row[0]), 392);
  assert_int_equal(AT(&b->rows->row[63]), 896);
  for (uint32_t slot = 0; slot < 2; slot++) {
    ttb__breaker_slot *s = ttb__breaker_slot_at(b, slot);
    size_t at = 960 + slot * 192;
    assert_int_equal(AT(&s->state), at);
    assert_int_equal(AT(&s->streak), at + 8);
    assert_int_equal(AT(&s->round), at + 16);
    assert_int_equal(AT(&s->opened), at + 24);
    assert_int_equal(AT(&s->probe[0]), at + 32);
    assert_int_equal(AT(ttb__breaker_words(b, s)), at + 64);
    assert_int_equal(AT(ttb__breaker_words(b, s) + TTB__BUCKETS), at + 192);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_map_in_the_docs),
      cmocka_unit_test(test_init),
      cmocka_unit_test(test_attach),
      cmocka_unit_test(test_hostile_region),
      cmocka_unit_test(test_scribbled_region),
      cmocka_unit_test(test_new_and_free),
      cmocka_unit_test(test_allocators_that_fail),
      cmocka_unit_test(test_free_of_borrowed_memory_only_clears),
      cmocka_unit_test(test_handles_may_be_moved),
      cmocka_unit_test(test_two_mappings),
      cmocka_unit_test(test_dead_handles),
      cmocka_unit_test(test_batches),
      cmocka_unit_test(test_statistics),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
