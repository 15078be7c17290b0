/* SPDX-License-Identifier: MIT */
/* The explorer's side of lib/base/atomic.h, which includes this file if it is
 * compiled with -DTTB_EXPLORE: each access of the library becomes a call that
 * says where it stands, what it does and in which order. Inside an actor the
 * call is a step of the exploration, elsewhere a plain access. */
#ifndef TTB_TESTS_EXPLORE_HOOK_H
#define TTB_TESTS_EXPLORE_HOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define EX_KIND_LOAD 0
#define EX_KIND_STORE 1
#define EX_KIND_ADD 2
#define EX_KIND_AND 3
#define EX_KIND_OR 4
#define EX_KIND_CAS 5

/* Where an access stands in the source. */
#define EX_HERE __FILE__, __LINE__

uint64_t ex_access64(const ttb__a64 *a, int kind, uint64_t x, memory_order order, const char *file,
                     int line);
uint32_t ex_access32(const ttb__a32 *a, int kind, uint32_t x, memory_order order, const char *file,
                     int line);
bool ex_cas64(ttb__a64 *a, uint64_t *expected, uint64_t x, memory_order order, const char *file,
              int line);
bool ex_cas32(ttb__a32 *a, uint32_t *expected, uint32_t x, memory_order order, const char *file,
              int line);

#define EX_ACCESS(a) \
  _Generic((a),                 \
      ttb__a64 *: ex_access64,  \
      const ttb__a64 *: ex_access64, \
      ttb__a32 *: ex_access32,  \
      const ttb__a32 *: ex_access32)

#define TTB__ATOMIC_LOAD(a, order) EX_ACCESS(a)(a, EX_KIND_LOAD, 0, order, EX_HERE)
#define TTB__ATOMIC_STORE(a, x, order) ((void)EX_ACCESS(a)(a, EX_KIND_STORE, x, order, EX_HERE))
#define TTB__ATOMIC_ADD(a, x, order) EX_ACCESS(a)(a, EX_KIND_ADD, x, order, EX_HERE)
#define TTB__ATOMIC_AND(a, x, order) EX_ACCESS(a)(a, EX_KIND_AND, x, order, EX_HERE)
#define TTB__ATOMIC_OR(a, x, order) EX_ACCESS(a)(a, EX_KIND_OR, x, order, EX_HERE)
#define TTB__ATOMIC_CAS(a, expected, x, order) \
  _Generic((a), ttb__a64 * : ex_cas64, ttb__a32 * : ex_cas32)(a, expected, x, order, EX_HERE)

#endif
