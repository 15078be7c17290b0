/* SPDX-License-Identifier: MIT */
/* Handles: a frozen array of words outside, a private struct inside.
 *
 * I1  The first word of a live handle is its kind's tag; a cleared, zeroed or
 *     foreign handle is refused by one compare.
 * I2  A handle points into the region, never into itself: it may be moved. */
#ifndef TTB_LIB_BASE_HANDLE_H
#define TTB_LIB_BASE_HANDLE_H

#include <stdint.h>

/* The private struct is read through the caller's uint64_t array. */
#if defined(__GNUC__)
#define TTB__HANDLE_STRUCT struct __attribute__((__may_alias__))
#else
#define TTB__HANDLE_STRUCT struct
#endif

/* For what a hot call seldom needs: inlined, it would cost every call the saving
 * of registers. */
#if defined(__GNUC__)
#define TTB__SELDOM __attribute__((__noinline__))
#else
#define TTB__SELDOM
#endif

#define TTB__TAG(kind) (UINT64_C(0x7472696d74616200) + (kind)) /* "trimtab" + kind */

#endif
