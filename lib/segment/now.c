/* SPDX-License-Identifier: MIT */
/* The monotonic clock of the host, in nanoseconds. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include <trimtab/segment.h>

uint64_t ttb_now(void) {
  struct timespec t = {0, 0};
  (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
  uint64_t ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
  return ns ? ns : 1;
}
