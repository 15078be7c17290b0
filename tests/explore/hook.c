/* SPDX-License-Identifier: MIT */
/* Where the library's accesses arrive (explore_hook.h): a step of the actor that
 * makes it; a plain access if none runs (setup, check). */
#include "engine.h"
#include "model.h"

static uint64_t access(const void *a, uint32_t width, int kind, uint64_t x, memory_order order,
                       const char *file, int line) {
  return ex_step((ex_op){.kind = kind,
                         .location = ex_model_location(a, width),
                         .site = ex_site_of(file, line, kind, order, kind == EX_KIND_ADD && x == 0),
                         .x = x})
      .result;
}

uint64_t ex_access64(const ttb__a64 *a, int kind, uint64_t x, memory_order order, const char *file,
                     int line) {
  if (ex_inside()) return access(a, 8, kind, x, order, file, line);
  _Atomic uint64_t *v = &((ttb__a64 *)(uintptr_t)a)->v;
  switch (kind) {
    case EX_KIND_LOAD: return atomic_load_explicit(v, memory_order_relaxed);
    case EX_KIND_STORE: return atomic_store_explicit(v, x, memory_order_relaxed), 0;
    case EX_KIND_ADD: return atomic_fetch_add_explicit(v, x, memory_order_relaxed);
    case EX_KIND_AND: return atomic_fetch_and_explicit(v, x, memory_order_relaxed);
    default: return atomic_fetch_or_explicit(v, x, memory_order_relaxed);
  }
}

uint32_t ex_access32(const ttb__a32 *a, int kind, uint32_t x, memory_order order, const char *file,
                     int line) {
  if (ex_inside()) return (uint32_t)access(a, 4, kind, x, order, file, line);
  _Atomic uint32_t *v = &((ttb__a32 *)(uintptr_t)a)->v;
  switch (kind) {
    case EX_KIND_LOAD: return atomic_load_explicit(v, memory_order_relaxed);
    case EX_KIND_STORE: return atomic_store_explicit(v, x, memory_order_relaxed), 0;
    case EX_KIND_ADD: return atomic_fetch_add_explicit(v, x, memory_order_relaxed);
    case EX_KIND_AND: return atomic_fetch_and_explicit(v, x, memory_order_relaxed);
    default: return atomic_fetch_or_explicit(v, x, memory_order_relaxed);
  }
}

static bool cas(void *a, uint32_t width, uint64_t *expected, uint64_t x, memory_order order,
                const char *file, int line) {
  ex_op op = ex_step((ex_op){.kind = EX_KIND_CAS,
                             .location = ex_model_location(a, width),
                             .site = ex_site_of(file, line, EX_KIND_CAS, order, false),
                             .x = x,
                             .expected = *expected});
  *expected = op.result;
  return op.swapped;
}

bool ex_cas64(ttb__a64 *a, uint64_t *expected, uint64_t x, memory_order order, const char *file,
              int line) {
  if (ex_inside()) return cas(a, 8, expected, x, order, file, line);
  return atomic_compare_exchange_strong_explicit(&a->v, expected, x, memory_order_relaxed,
                                                 memory_order_relaxed);
}

bool ex_cas32(ttb__a32 *a, uint32_t *expected, uint32_t x, memory_order order, const char *file,
              int line) {
  if (!ex_inside())
    return atomic_compare_exchange_strong_explicit(&a->v, expected, x, memory_order_relaxed,
                                                   memory_order_relaxed);
  uint64_t wide = *expected;
  bool swapped = cas(a, 4, &wide, x, order, file, line);
  *expected = (uint32_t)wide;
  return swapped;
}
