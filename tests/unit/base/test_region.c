/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/region.{h,c}: what is not a region of this library is
 * refused, whatever its bytes, and read no further than it is mapped. */
#include "../../../lib/base/region.h"

#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"

typedef struct toy {
  uint32_t struct_size;
  uint32_t capacity;
  uint64_t seed;
} toy;
static const ttb__field toy_rows[] = {
    TTB__FIELD(toy, U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    TTB__FIELD(toy, U32, capacity, "", 1, 100, 5, 0),
    TTB__FIELD(toy, U64, seed, "", 0, 0, 0, TTB__ANY),
};
static const ttb__struct toy_fields = TTB__STRUCT(toy, toy_rows);
static const uint32_t facts[] = {48, 16};
static const ttb__format format = {7, &toy_fields, facts, 2};

#define SIZE 256u
static _Alignas(64) unsigned char memory[2 * SIZE];

static const toy config = {sizeof config, 9, 77};

static void build(void) {
  memset(memory, 0xee, sizeof memory);
  ttb__region_build(memory, SIZE, &format, &config, 1234);
  ttb__region_ready(memory);
}

static int32_t open_it(void *mem, uint64_t size) {
  toy t;
  uint64_t total;
  return ttb__region_open(mem, size, &format, &t, &total);
}

static ttb__region *header(void) { return (ttb__region *)(void *)memory; }

static void test_build_and_open(void **state) {
  (void)state;
  toy t;
  uint64_t total = 0;
  build();
  assert_int_equal(ttb__region_open(memory, SIZE, &format, &t, &total), TTB_OK);
  assert_memory_equal(&t, &config, sizeof t);
  assert_int_equal(total, SIZE);
  assert_int_equal(ttb__region_open(memory, 2 * SIZE, &format, &t, &total), TTB_OK);
  assert_int_equal(total, SIZE);
  assert_int_equal(header()->seed, 1234);
  for (size_t i = 128 + sizeof t; i < SIZE; i++) assert_int_equal(memory[i], 0);
  assert_int_equal(memory[SIZE], 0xee); /* not a byte further */
}

/* The picture in region.h. */
static void test_places(void **state) {
  (void)state;
  assert_int_equal(offsetof(ttb__region, magic), 0);
  assert_int_equal(offsetof(ttb__region, abi), 8);
  assert_int_equal(offsetof(ttb__region, kind), 12);
  assert_int_equal(offsetof(ttb__region, layout), 16);
  assert_int_equal(offsetof(ttb__region, size), 24);
  assert_int_equal(offsetof(ttb__region, seed), 32);
  assert_int_equal(offsetof(ttb__region, config_size), 40);
  assert_int_equal(offsetof(ttb__region, clock), 64);
  assert_int_equal(sizeof(ttb__region), 128);
  assert_int_equal(ttb__region_body(1), 192);
  assert_int_equal(ttb__region_body(64), 192);
  assert_int_equal(ttb__region_body(65), 256);
  build();
  if ((union { uint32_t u; char c; }){1}.c) assert_memory_equal(memory, "TTBREG01", 8);
}

static void test_not_made_yet(void **state) {
  (void)state;
  memset(memory, 0, sizeof memory);
  assert_int_equal(open_it(memory, SIZE), TTB_AGAIN);
  ttb__region_build(memory, SIZE, &format, &config, 0);
  assert_int_equal(open_it(memory, SIZE), TTB_AGAIN); /* complete but not ready */
  ttb__region_ready(memory);
  assert_int_equal(open_it(memory, SIZE), TTB_OK);
}

static void test_spans(void **state) {
  (void)state;
  build();
  assert_int_equal(open_it(NULL, SIZE), TTB_ERR_MISUSE);
  for (int by = 1; by < 64; by++) assert_int_equal(open_it(memory + by, SIZE), TTB_ERR_MISUSE);
  for (uint64_t size = 0; size < SIZE; size++)
    assert_int_equal(open_it(memory, size), TTB_ERR_NOSPACE);
  assert_int_equal(open_it(memory, UINT64_MAX), TTB_ERR_NOSPACE);
  assert_int_equal(ttb__region_span(memory, SIZE, SIZE), TTB_OK);
  assert_int_equal(ttb__region_span(memory, SIZE, SIZE + 1), TTB_ERR_NOSPACE);
}

static void test_foreign_headers(void **state) {
  (void)state;
  build();
  header()->abi++;
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_VERSION);
  build();
  header()->kind++;
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_MISMATCH);
  build();
  header()->layout ^= 1;
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_VERSION);
  build();
  header()->config_size += 8;
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_VERSION);
  build();
  header()->size = 128;
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_CORRUPT);
  header()->size = 0;
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_CORRUPT);
  header()->size = UINT64_MAX;
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_NOSPACE);
}

static void test_magic(void **state) {
  (void)state;
  build();
  unsigned char swapped[8];
  for (int i = 0; i < 8; i++) swapped[i] = memory[7 - i];
  memcpy(memory, swapped, 8);
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_VERSION); /* the other byte order */
  memset(memory, 1, 8);
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_CORRUPT);
  memset(memory, 0xff, sizeof memory);
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_CORRUPT);
}

/* Another build of the same kind: a fact differs, or the config has grown. */
static void test_layouts(void **state) {
  (void)state;
  static const uint32_t others[] = {48, 32};
  ttb__format other = format;
  toy t = {0};
  uint64_t total = 0;
  build();
  other.facts = others;
  assert_int_equal(ttb__region_open(memory, SIZE, &other, &t, &total), TTB_ERR_VERSION);
  other = format;
  other.nfacts = 1;
  assert_int_equal(ttb__region_open(memory, SIZE, &other, &t, &total), TTB_ERR_VERSION);
  other = format;
  other.kind = 8;
  assert_int_equal(ttb__region_open(memory, SIZE, &other, &t, &total), TTB_ERR_MISMATCH);
  assert_int_equal(total + t.capacity, 0); /* untouched */
}

static void test_hostile_config(void **state) {
  (void)state;
  toy *stored = (toy *)(void *)(memory + 128);
  build();
  stored->capacity = 101;
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_CORRUPT);
  build();
  stored->struct_size = 0;
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_CORRUPT);
  stored->struct_size = sizeof(toy) - 4;
  assert_int_equal(open_it(memory, SIZE), TTB_ERR_CORRUPT);
}

/* A stored struct_size beyond the mapping, on its last page: an attacher that
 * believed it would read into the page behind and die. */
static void test_hostile_struct_size(void **state) {
  (void)state;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  unsigned char *map =
      mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(map != MAP_FAILED);
  assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
  unsigned char *mem = map + page - SIZE;
  ttb__region_build(mem, SIZE, &format, &config, 0);
  ttb__region_ready(mem);
  assert_int_equal(open_it(mem, SIZE), TTB_OK);
  const uint32_t sizes[] = {SIZE, 4096, 65536, UINT32_MAX};
  for (int i = 0; i < 4; i++) {
    memcpy(mem + 128, &sizes[i], 4);
    assert_int_equal(open_it(mem, SIZE), TTB_ERR_CORRUPT);
  }
  munmap(map, 2 * page);
}

/* Any single bit flipped: refused, or of no consequence. */
static void test_every_bit(void **state) {
  (void)state;
  for (unsigned bit = 0; bit < SIZE * 8; bit++) {
    toy t;
    uint64_t total;
    build();
    memory[bit / 8] ^= (unsigned char)(1u << bit % 8);
    if (ttb__region_open(memory, SIZE, &format, &t, &total) != TTB_OK) continue;
    assert_true(total >= 192 && total <= SIZE);
    assert_true(t.struct_size == sizeof t && t.capacity >= 1 && t.capacity <= 100);
  }
}

static void test_allocators(void **state) {
  (void)state;
  ttb_allocator a, out;
  void *mem = NULL;
  assert_int_equal(ttb__take(NULL, 100, &a, &mem), TTB_OK);
  assert_non_null(mem);
  assert_int_equal((uintptr_t)mem % TTB_ALIGN, 0);
  memset(mem, 1, 128); /* rounded up */
  ttb__release(&a, mem, 100);
  assert_int_equal(ttb__take(NULL, INT64_MAX, &a, &mem), TTB_ERR_NOMEM);
  assert_int_equal(ttb__take(NULL, TTB_ERR_RANGE, &a, &mem), TTB_ERR_RANGE); /* size's own error */

  test_alloc counted = {0};
  ttb_allocator own = test_allocator(&counted);
  assert_int_equal(ttb__take(&own, 65, &out, &mem), TTB_OK);
  assert_int_equal(counted.live_bytes, 128);
  ttb__release(&out, mem, 65);
  assert_int_equal(counted.live + counted.wrong, 0);
  own.alloc = NULL;
  assert_int_equal(ttb__take(&own, 65, &out, &mem), TTB_ERR_MISUSE);
  own = test_allocator(&counted), own.free = NULL;
  assert_int_equal(ttb__take(&own, 65, &out, &mem), TTB_ERR_MISUSE);
  own = test_allocator(&counted), own.struct_size = 4;
  assert_int_equal(ttb__take(&own, 65, &out, &mem), TTB_ERR_MISUSE);
  assert_int_equal(counted.calls, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_build_and_open),
      cmocka_unit_test(test_places),
      cmocka_unit_test(test_not_made_yet),
      cmocka_unit_test(test_spans),
      cmocka_unit_test(test_foreign_headers),
      cmocka_unit_test(test_magic),
      cmocka_unit_test(test_layouts),
      cmocka_unit_test(test_hostile_config),
      cmocka_unit_test(test_hostile_struct_size),
      cmocka_unit_test(test_every_bit),
      cmocka_unit_test(test_allocators),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
