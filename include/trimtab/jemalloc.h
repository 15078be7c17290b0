/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/jemalloc.h
 * @brief trimtab's memory on a jemalloc arena of its own. Header only.
 *
 * For applications that run on jemalloc: include this, link jemalloc yourself
 * (`pkg-config --cflags --libs jemalloc`). The trimtab library never does: a
 * shared library that needs jemalloc cannot be loaded at run time by ctypes or
 * dlopen ("cannot allocate memory in static TLS block").
 *
 *     ttb_jemalloc arena;
 *     ttb_allocator a;
 *     if (ttb_jemalloc_open(&arena, &a) < 0) return 1;
 *     ttb_pool_new(&pool, &config, &a);
 *     ...
 *     ttb_jemalloc_stats s = TTB_CONFIG(ttb_jemalloc_stats);
 *     ttb_jemalloc_statistics(&arena, &s);
 *     ttb_pool_free(&pool);
 *     ttb_jemalloc_close(&arena);
 *
 * Open one arena an application, not one an object: jemalloc has 4095 of them.
 */
#ifndef TRIMTAB_JEMALLOC_H
#define TRIMTAB_JEMALLOC_H

#include <jemalloc/jemalloc.h>
#include <stddef.h>
#include <stdio.h>
#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An arena; must outlive every object made with its allocator. */
typedef struct ttb_jemalloc {
  uint32_t index; /**< jemalloc's number of it */
  uint32_t open;  /**< 1 between open and close */
} ttb_jemalloc;

/** What an arena holds, in bytes and calls. */
typedef struct ttb_jemalloc_stats {
  uint32_t struct_size; /**< sizeof(ttb_jemalloc_stats) */
  uint32_t index;       /**< jemalloc's number of the arena */
  uint64_t allocated;   /**< bytes in use */
  uint64_t resident;    /**< bytes of memory behind them */
  uint64_t allocations; /**< calls that took memory */
  uint64_t frees;       /**< calls that gave some back */
} ttb_jemalloc_stats;

/** @brief The allocator's alloc. @param ctx the ttb_jemalloc @param size bytes
 *  @param align power of two @return memory or NULL
 *  @threads any @progress as jemalloc @alloc once @since 0.1 */
static inline void *ttb_jemalloc_alloc(void *ctx, uint64_t size, uint64_t align) {
  const ttb_jemalloc *a = (const ttb_jemalloc *)ctx;
  if (size == 0 || size > SIZE_MAX / 2) return NULL;
  return mallocx((size_t)size, MALLOCX_ARENA(a->index) | MALLOCX_TCACHE_NONE |
                                   MALLOCX_ALIGN((size_t)align));
}

/** @brief The allocator's free. @param ctx the ttb_jemalloc @param ptr from alloc
 *  @param size as then @param align as then
 *  @threads any @progress as jemalloc @alloc none @since 0.1 */
static inline void ttb_jemalloc_free(void *ctx, void *ptr, uint64_t size, uint64_t align) {
  (void)ctx;
  sdallocx(ptr, (size_t)size, MALLOCX_TCACHE_NONE | MALLOCX_ALIGN((size_t)align));
}

/** @brief Opens an arena and an allocator on it.
 *  @param ret_arena the arena @param ret_allocator what ttb_X_new takes
 *  @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_NOMEM (jemalloc has no more)
 *  @threads any @progress as jemalloc @alloc jemalloc's own @since 0.1 */
static inline int32_t ttb_jemalloc_open(ttb_jemalloc *ret_arena, ttb_allocator *ret_allocator) {
  unsigned index = 0;
  size_t n = sizeof index;
  if (!ret_arena || !ret_allocator) return TTB_ERR_MISUSE;
  if (mallctl("arenas.create", &index, &n, NULL, 0) != 0) return TTB_ERR_NOMEM;
  ret_arena->index = index;
  ret_arena->open = 1;
  ret_allocator->struct_size = (uint32_t)sizeof *ret_allocator;
  ret_allocator->reserved = 0;
  ret_allocator->ctx = ret_arena;
  ret_allocator->alloc = ttb_jemalloc_alloc;
  ret_allocator->free = ttb_jemalloc_free;
  return TTB_OK;
}

/** @brief One number of an arena. @param index the arena @param name after "stats.arenas.N."
 *  @return the number, 0 if jemalloc was built without statistics
 *  @threads any @progress as jemalloc @alloc none @since 0.1 */
static inline uint64_t ttb_jemalloc_number(uint32_t index, const char *name) {
  char key[96];
  uint64_t wide = 0;
  size_t n = sizeof(size_t), small = 0;
  snprintf(key, sizeof key, "stats.arenas.%u.%s", index, name);
  if (mallctl(key, &small, &n, NULL, 0) == 0) return (uint64_t)small;
  n = sizeof wide; /* counters are 64 bits wide on every platform */
  return mallctl(key, &wide, &n, NULL, 0) == 0 ? wide : 0;
}

/** @brief What the arena holds now.
 *  @param arena the arena @param ret_stats filled in; its struct_size must be set
 *  @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 *  @threads any @progress as jemalloc @alloc none @since 0.1 */
static inline int32_t ttb_jemalloc_statistics(const ttb_jemalloc *arena,
                                              ttb_jemalloc_stats *ret_stats) {
  uint64_t epoch = 1;
  size_t n = sizeof epoch;
  if (!arena || !arena->open || !ret_stats) return TTB_ERR_MISUSE;
  if (ret_stats->struct_size != sizeof *ret_stats) return TTB_ERR_RANGE;
  (void)mallctl("epoch", &epoch, &n, &epoch, n); /* statistics are as of this call */
  ret_stats->index = arena->index;
  ret_stats->allocated = ttb_jemalloc_number(arena->index, "small.allocated") +
                         ttb_jemalloc_number(arena->index, "large.allocated");
  ret_stats->resident = ttb_jemalloc_number(arena->index, "resident");
  ret_stats->allocations = ttb_jemalloc_number(arena->index, "small.nmalloc") +
                           ttb_jemalloc_number(arena->index, "large.nmalloc");
  ret_stats->frees = ttb_jemalloc_number(arena->index, "small.ndalloc") +
                     ttb_jemalloc_number(arena->index, "large.ndalloc");
  return TTB_OK;
}

/** @brief Closes an arena that holds nothing any more.
 *  @param arena the arena
 *  @return TTB_OK; TTB_ERR_MISUSE (closed, NULL, or something is still
 *          allocated: jemalloc would throw it away under its user)
 *  @threads exclusive @progress as jemalloc @alloc none @since 0.1 */
static inline int32_t ttb_jemalloc_close(ttb_jemalloc *arena) {
  char key[48];
  ttb_jemalloc_stats s = TTB_CONFIG(ttb_jemalloc_stats);
  int32_t code = ttb_jemalloc_statistics(arena, &s);
  if (code < 0) return code;
  if (s.allocated != 0) return TTB_ERR_MISUSE;
  snprintf(key, sizeof key, "arena.%u.destroy", arena->index);
  if (mallctl(key, NULL, NULL, NULL, 0) != 0) return TTB_ERR_MISUSE;
  arena->open = 0;
  return TTB_OK;
}

#ifdef __cplusplus
}
#endif

#endif
