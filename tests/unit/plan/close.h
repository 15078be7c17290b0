/* SPDX-License-Identifier: MIT */
/* What plan's unit tests share. Expected doubles in them were computed with
 * exact rationals (Python's fractions, of the doubles as given) or with 50
 * digits (decimal) where e or a square root is in it, then rounded once. */
#ifndef TESTS_UNIT_PLAN_CLOSE_H
#define TESTS_UNIT_PLAN_CLOSE_H

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <trimtab/plan.h>

/* Much tighter than the header's 1e-10, which is for the largest numbers. */
#define NEAR 1e-13

static inline void close_at(double got, double expected, double part, const char *file, int line) {
  if (fabs(got - expected) <= fabs(expected) * part) return;
  print_error("got %.17g, expected %.17g\n", got, expected);
  _fail(file, line);
}
#define assert_close(got, expected, part) close_at((got), (expected), (part), __FILE__, __LINE__)

/* No double of these is within any range. */
static const double never[] = {NAN,      -NAN,   INFINITY, -INFINITY, -1,
                               -DBL_MIN, -1e-300, -DBL_MAX, DBL_MAX,   1.1e15};
#define NEVER (sizeof never / sizeof *never)

/* What an output holds before a call that must not touch it. */
#define UNTOUCHED 12345.678

#endif
