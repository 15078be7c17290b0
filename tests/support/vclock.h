/* SPDX-License-Identifier: MIT */
/* A virtual clock: tests never wait and never read the real one.
 *
 *     vclock clock = vclock_start();
 *     ttb_breaker_acquire(&b, 0, clock.now_ns);
 *     vclock_ms(&clock, 5000);
 */
#ifndef TESTS_SUPPORT_VCLOCK_H
#define TESTS_SUPPORT_VCLOCK_H

#include <stdint.h>

typedef struct vclock {
  uint64_t now_ns;
} vclock;

/* An hour after boot: far enough from 0 to jump back. */
static inline vclock vclock_start(void) {
  return (vclock){.now_ns = UINT64_C(3600000000000)};
}

/* All return the new time. */
static inline uint64_t vclock_ns(vclock *clock, uint64_t ns) { return clock->now_ns += ns; }
static inline uint64_t vclock_us(vclock *clock, uint64_t us) {
  return clock->now_ns += us * 1000u;
}
static inline uint64_t vclock_ms(vclock *clock, uint64_t ms) {
  return clock->now_ns += ms * 1000000u;
}
static inline uint64_t vclock_s(vclock *clock, uint64_t s) {
  return clock->now_ns += s * 1000000000u;
}

/* A jump, also backwards; stops at 0. */
static inline uint64_t vclock_jump_ms(vclock *clock, int64_t ms) {
  uint64_t by = (ms < 0 ? (uint64_t)-ms : (uint64_t)ms) * 1000000u;
  if (ms >= 0) clock->now_ns += by;
  else clock->now_ns = clock->now_ns > by ? clock->now_ns - by : 0;
  return clock->now_ns;
}

#endif
