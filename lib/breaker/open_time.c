/* SPDX-License-Identifier: MIT */
/* How long a breaker stays open: open_ms, growing from one open time to the next
 * while the callee does not recover, up to a bound; less a little at random, so
 * that a fleet does not come back as one.
 *
 *     length(step) = min(open_ms * growth^step, open_max_ms), in whole ms
 *
 * With open_steps the length jumps to open_max_ms after so many steps (finagle's
 * list of backoffs with what follows it).
 *
 * A failed probe takes the next step, and so does the next opening after the
 * breaker has closed; each open_decay_ms closed takes one step back (Envoy's
 * outlier detection counts its multiplier up and down like this; brpc doubles
 * the time of a node that fails again soon after its return). Steps stop where
 * the length does, so that decay begins at once.
 *
 * I1  All of it is a function of the state word, the config and now: whoever
 *     wins the transition, the deadline is the same.
 * I2  Jitter takes off and never adds: no open time exceeds its length. It is
 *     drawn from seed, slot and generation, so the same history draws the same. */
#include "breaker.h"

#include "../base/random.h"

static uint64_t length_of(const ttb__breaker *b, uint32_t step) {
  uint64_t length = b->open_ms;
  if (step >= b->open_steps) return b->open_max_ms;
  if (b->open_growth_ppm <= 1000000) return length;
  for (uint32_t i = 0; i < step && length < b->open_max_ms; i++) {
    uint64_t next = length * b->open_growth_ppm / 1000000;
    length = next > length ? next : length + 1; /* a few ms hardly grow: at least one */
  }
  return length < b->open_max_ms ? length : b->open_max_ms;
}

static uint32_t next_step(const ttb__breaker *b, uint32_t step) {
  return step < TTB__MAX_STEP && length_of(b, step) < b->open_max_ms ? step + 1 : step;
}

uint32_t ttb__breaker_step_now(const ttb__breaker *b, uint64_t w, uint64_t now_ms) {
  uint32_t step = ttb__state_step(w);
  if (step == 0 || ttb__state_kind(w) != TTB_BREAKER_CLOSED) return step;
  if (b->open_decay_ms == 0) return 0;
  uint64_t back = ttb__closed_for(w, now_ms) / b->open_decay_ms;
  return back < step ? step - (uint32_t)back : 0;
}

uint32_t ttb__breaker_step_to_open(const ttb__breaker *b, uint64_t w, uint64_t now_ms) {
  uint32_t step = ttb__breaker_step_now(b, w, now_ms);
  return ttb__state_kind(w) == TTB_BREAKER_HALF_OPEN ? next_step(b, step) : step;
}

uint32_t ttb__breaker_step_to_close(const ttb__breaker *b, uint64_t w) {
  return b->open_decay_ms > 0 ? next_step(b, ttb__state_step(w)) : 0;
}

uint64_t ttb__breaker_draw(const ttb__breaker *b, const ttb__breaker_slot *s, uint32_t gen) {
  uint64_t slot = (uint64_t)((const unsigned char *)s - b->slots) / b->stride;
  return ttb__random_start(b->seed, slot << TTB__GEN_BITS | (gen & TTB__GEN_MASK)).key;
}

uint64_t ttb__breaker_open_until(const ttb__breaker *b, const ttb__breaker_slot *s, uint32_t gen,
                                 uint32_t step, uint64_t now_ms) {
  uint64_t length = length_of(b, step);
  if (b->open_jitter_ppm > 0) {
    uint64_t most = length * b->open_jitter_ppm / 1000000;
    if (most == length) most--; /* not open at all is none */
    length -= ttb__scale32((uint32_t)(ttb__breaker_draw(b, s, gen) >> 32), (uint32_t)most + 1);
  }
  return now_ms + length + ((b->flags & TTB_BREAKER_OPEN_AFTER) != 0);
}
