/* SPDX-License-Identifier: MIT */
/* A ttb_allocator that counts, checks what it is given back, and can fail.
 *
 *     test_alloc a = {0};
 *     ttb_allocator allocator = test_allocator(&a);
 *     ttb_breaker_new(&b, &c, &allocator);       a.calls == 1, a.live == 1
 *     ttb_breaker_free(&b);                      a.live == 0, a.wrong == 0
 *
 * Out of memory, at every allocation in turn:
 *
 *     alloc_torture(make, end, ctx) == 1         make needs one allocation and
 *                                                gets TTB_ERR_NOMEM without it
 */
#ifndef TESTS_SUPPORT_ALLOC_H
#define TESTS_SUPPORT_ALLOC_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/base.h>

typedef struct test_alloc {
  uint64_t calls;      /* allocations asked for */
  uint64_t live;       /* not given back yet */
  uint64_t live_bytes; /* in them */
  uint64_t peak_bytes; /* the most there ever were */
  uint64_t wrong;      /* frees with another size or align, or of a stranger */
  uint64_t fail_at;    /* the allocation that fails, from 1; 0: none */
} test_alloc;

/* Stands just before each block. */
typedef struct test_alloc_note {
  uint64_t magic, size, align, lead;
} test_alloc_note;
#define TEST_ALLOC_MAGIC UINT64_C(0x7472696d74616221)

static inline void *test_alloc_get(void *ctx, uint64_t size, uint64_t align) {
  test_alloc *a = ctx;
  uint64_t lead = align > sizeof(test_alloc_note) ? align : sizeof(test_alloc_note);
  test_alloc_note note = {TEST_ALLOC_MAGIC, size, align, lead};
  unsigned char *block;
  void *base = NULL;
  a->calls++;
  if (a->calls == a->fail_at) return NULL;
  if (align == 0 || (align & (align - 1)) != 0) {
    a->wrong++;
    return NULL;
  }
  if (posix_memalign(&base, (size_t)lead, (size_t)(lead + size)) != 0) return NULL;
  block = (unsigned char *)base + lead;
  memcpy(block - sizeof(note), &note, sizeof(note));
  memset(block, 0xa5, (size_t)size); /* nobody may count on zeros */
  a->live++;
  a->live_bytes += size;
  if (a->live_bytes > a->peak_bytes) a->peak_bytes = a->live_bytes;
  return block;
}

static inline void test_alloc_put(void *ctx, void *ptr, uint64_t size, uint64_t align) {
  test_alloc *a = ctx;
  test_alloc_note note;
  unsigned char *block = ptr;
  if (ptr == NULL) return;
  memcpy(&note, block - sizeof(note), sizeof(note));
  if (note.magic != TEST_ALLOC_MAGIC || note.size != size || note.align != align) {
    a->wrong++;
    if (note.magic != TEST_ALLOC_MAGIC) return;
  }
  a->live--;
  a->live_bytes -= note.size;
  memset(block - sizeof(note), 0, sizeof(note));
  memset(block, 0x5a, (size_t)note.size);
  free(block - note.lead);
}

static inline ttb_allocator test_allocator(test_alloc *a) {
  return (ttb_allocator){.struct_size = (uint32_t)sizeof(ttb_allocator),
                         .ctx = a,
                         .alloc = test_alloc_get,
                         .free = test_alloc_put};
}

/* Calls make with the 1st, 2nd, ... allocation failing until it succeeds, then
 * end. Returns how many allocations make needs, or -1 (said on stdout) if it
 * leaked, failed with another code than TTB_ERR_NOMEM, or succeeded although
 * an allocation had failed. */
static inline int64_t alloc_torture(int32_t (*make)(void *ctx, const ttb_allocator *allocator),
                                    void (*end)(void *ctx), void *ctx) {
  for (uint64_t k = 1;; k++) {
    test_alloc a = {.fail_at = k};
    ttb_allocator allocator = test_allocator(&a);
    int32_t code = make(ctx, &allocator);
    const char *what = NULL;
    if (code >= 0) {
      if (a.calls >= k) what = "it succeeded although an allocation failed";
      end(ctx);
      if (!what && a.live != 0) what = "its end leaks";
    } else if (code != TTB_ERR_NOMEM) {
      what = "the code is not TTB_ERR_NOMEM";
    } else if (a.calls < k) {
      what = "TTB_ERR_NOMEM although no allocation failed";
    } else if (a.live != 0) {
      what = "it leaks";
    }
    if (!what && a.wrong != 0) what = "a free does not fit its allocation";
    if (what) {
      printf("allocation %llu failing: %s (code %d, %llu live)\n", (unsigned long long)k, what,
             (int)code, (unsigned long long)a.live);
      return -1;
    }
    if (code >= 0) return (int64_t)k - 1;
  }
}

#endif
