/* SPDX-License-Identifier: MIT */
/* The least loaded of up to 4,096 endpoints without looking at each: a lower bound
 * for every 8 slots.
 *
 *     word of a group = bound 48 | version 16
 *
 * The load of an endpoint as one number is its key, floor(load * 2^32 / weight): two
 * different fractions of weights below 2^16 differ by more than 2^-32, so keys are
 * ordered as the fractions are, and equal only if these are (to a load of 65,535,
 * from where on all count as equal). Who may not be picked has the largest key.
 *
 * I1  At rest a group's bound is not above the least key of its endpoints. So an
 *     endpoint whose key equals the least of all bounds is least loaded; and if the
 *     group with the least bound has none, its bound is raised to what was found.
 *     Truth stays in cells and eligibility words, bounds are a hint that can be set
 *     to 0 at any time: that is what recovery does, and every change of a word.
 * I2  Whoever may have lowered a key (a report, a change of a word) counts the
 *     group's version on, with release, after its own store, even if the bound needs
 *     no lowering. Whoever raises a bound took the word, with acquire, before it
 *     looked at the endpoints, and gives up if the word has changed since. So of a
 *     store that lowers a key either the raiser saw it, or its version stops him.
 *     (A raiser that is stopped for exactly a multiple of 65,536 changes of one
 *     group, and finds the same bound, raises wrongly; the next change of that group
 *     or endpoint mends it.)
 * I3  Stores that raise keys are followed by nothing: bounds stay bounds. */
#ifndef TTB_LIB_BALANCER_MINIMA_H
#define TTB_LIB_BALANCER_MINIMA_H

#include "balancer.h"

#define TTB__GROUP_SHIFT 3
#define TTB__GROUP (1u << TTB__GROUP_SHIFT)
#define TTB__EXACT_SLOTS 4096u
#define TTB__KEY_NONE ((UINT64_C(1) << 48) - 1)

/* Lower bounds of the groups. */
static inline ttb__a64 *ttb__bounds(const ttb__balancer *b) {
  return (ttb__a64 *)(void *)b->common_state;
}
static inline uint32_t ttb__group_count(uint32_t slots) {
  if (slots > TTB__EXACT_SLOTS) slots = TTB__EXACT_SLOTS;
  return (slots + TTB__GROUP - 1) >> TTB__GROUP_SHIFT;
}

/* A group's bound is at most `key` from now on. */
static inline void ttb__bound_lower(ttb__a64 *group, uint64_t key) {
  uint64_t word = ttb__load_rlx(group), next;
  do {
    next = (word >> 16 < key ? word >> 16 : key) << 16 | ((word + 1) & 0xffff);
    /* release: I2, pairs with ttb__bound_look. */
  } while (!ttb__cas_rel(group, &word, next));
}

/* Before looking at a group's endpoints. */
static inline uint64_t ttb__bound_look(const ttb__a64 *group) {
  /* acquire: I2. Without it the raiser may miss what a report had lowered, though it
   * knows the version that report left. */
  return ttb__load_acq(group);
}

/* After: all its keys were `key` or more. */
static inline void ttb__bound_raise(ttb__a64 *group, uint64_t looked, uint64_t key) {
  /* relaxed: it publishes nothing; that it fails if the version has moved is what
   * counts. */
  (void)ttb__cas_rlx(group, &looked, key << 16 | ((looked + 1) & 0xffff));
}

#endif
