/* SPDX-License-Identifier: MIT */
/* Shared words and the only ways to touch them.
 *
 * I1  A shared word is a struct, so that a naked access does not compile.
 * I2  The order of every access stands in its name: rlx, acq, rel, acqrel.
 *     There are no fences and no seq_cst: ThreadSanitizer does not understand
 *     fences, and no protocol here needs one total order.
 * I3  A plain `int` is lock-free whatever its width here (asserted).
 * I4  Every access goes through TTB__ATOMIC_*, the explorer's one hook: built
 *     with -DTTB_EXPLORE the same library source runs under tests/explore,
 *     which sees each access with its order and its place in the source.
 *
 * Compare-and-swap is the strong form: it fails only if the value differs, and
 * then writes the value seen to *expected, read relaxed. */
#ifndef TTB_LIB_BASE_ATOMIC_H
#define TTB_LIB_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must be lock-free");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "32-bit atomics must be lock-free");

typedef struct ttb__a64 {
  _Alignas(8) _Atomic uint64_t v;
} ttb__a64;
typedef struct ttb__a32 {
  _Alignas(4) _Atomic uint32_t v;
} ttb__a32;
_Static_assert(sizeof(ttb__a64) == 8 && _Alignof(ttb__a64) == 8, "a64");
_Static_assert(sizeof(ttb__a32) == 4 && _Alignof(ttb__a32) == 4, "a32");

#ifdef TTB_EXPLORE
/* The explorer's versions: macros, so that __FILE__ and __LINE__ are those of
 * the access in the library. */
#include "explore_hook.h"
#else

#define TTB__ATOMIC_LOAD(a, order) atomic_load_explicit(&(a)->v, order)
#define TTB__ATOMIC_STORE(a, x, order) atomic_store_explicit(&(a)->v, x, order)
#define TTB__ATOMIC_ADD(a, x, order) atomic_fetch_add_explicit(&(a)->v, x, order)
#define TTB__ATOMIC_AND(a, x, order) atomic_fetch_and_explicit(&(a)->v, x, order)
#define TTB__ATOMIC_OR(a, x, order) atomic_fetch_or_explicit(&(a)->v, x, order)
#define TTB__ATOMIC_CAS(a, expected, x, order) \
  atomic_compare_exchange_strong_explicit(&(a)->v, expected, x, order, memory_order_relaxed)
#endif

/* Loads, stores. */
#define ttb__load_rlx(a) TTB__ATOMIC_LOAD(a, memory_order_relaxed)
#define ttb__load_acq(a) TTB__ATOMIC_LOAD(a, memory_order_acquire)
#define ttb__store_rlx(a, x) TTB__ATOMIC_STORE(a, x, memory_order_relaxed)
#define ttb__store_rel(a, x) TTB__ATOMIC_STORE(a, x, memory_order_release)

/* Read-modify-writes: all return the value before. */
#define ttb__add_rlx(a, x) TTB__ATOMIC_ADD(a, x, memory_order_relaxed)
#define ttb__add_rel(a, x) TTB__ATOMIC_ADD(a, x, memory_order_release)
#define ttb__add_acq(a, x) TTB__ATOMIC_ADD(a, x, memory_order_acquire)
#define ttb__and_rlx(a, x) TTB__ATOMIC_AND(a, x, memory_order_relaxed)
#define ttb__or_rlx(a, x) TTB__ATOMIC_OR(a, x, memory_order_relaxed)

/* The newest value there is: a read-modify-write that changes nothing. A plain
 * load may lag behind a writer that was killed; this cannot (takeover, recovery). */
#define ttb__newest_rlx(a) TTB__ATOMIC_ADD(a, 0, memory_order_relaxed)
#define ttb__newest_acq(a) TTB__ATOMIC_ADD(a, 0, memory_order_acquire)
#define ttb__newest_rel(a) TTB__ATOMIC_ADD(a, 0, memory_order_release)

/* Compare-and-swap: true if it took place. */
#define ttb__cas_rlx(a, expected, x) TTB__ATOMIC_CAS(a, expected, x, memory_order_relaxed)
#define ttb__cas_acq(a, expected, x) TTB__ATOMIC_CAS(a, expected, x, memory_order_acquire)
#define ttb__cas_rel(a, expected, x) TTB__ATOMIC_CAS(a, expected, x, memory_order_release)
#define ttb__cas_acqrel(a, expected, x) TTB__ATOMIC_CAS(a, expected, x, memory_order_acq_rel)

#endif
