/* SPDX-License-Identifier: MIT */
/* Backoff: how long to wait before a retry.
 *
 * Exponential with a cap, and the jitters of M. Brooker, "Exponential Backoff
 * And Jitter" (AWS Architecture Blog, 2015). Clients that failed together must
 * not come back together: full and decorrelated spread best, equal keeps a
 * least wait.
 *
 * I1  Pure: the wait is a function of the arguments.
 * I2  Never above cap_ms, whatever attempt or previous wait is given. */
#include "limiter.h"

#include "../base/random.h"

static int32_t read_config(const ttb_limiter_backoff_config *config,
                           ttb_limiter_backoff_config *ret, ttb_detail *d) {
  int32_t code = ttb__config_read(&ttb__limiter_backoff_fields, config, ret, -1, d);
  if (code < 0) return code;
  if (ret->cap_ms < ret->base_ms)
    return ttb__fail(d, TTB_ERR_RANGE, "cap_ms", -1, ret->cap_ms, ret->base_ms, 86400000);
  return TTB_OK;
}

int32_t ttb_limiter_backoff_check(const ttb_limiter_backoff_config *config,
                                  ttb_detail *ret_detail) {
  ttb_limiter_backoff_config c;
  return read_config(config, &c, ret_detail);
}

/* from .. to, both included; from <= to. */
static uint64_t between(uint64_t seed, uint32_t attempt, uint64_t from, uint64_t to) {
  uint64_t state = seed;
  state = ttb__splitmix(&state) ^ attempt;
  return from + ttb__mulhi(ttb__splitmix(&state), to - from + 1);
}

int64_t ttb_limiter_backoff_ms(const ttb_limiter_backoff_config *config, uint32_t attempt,
                               uint64_t previous_ms) {
  ttb_limiter_backoff_config c;
  int32_t code = read_config(config, &c, NULL);
  if (code < 0) return code;
  uint64_t step = c.cap_ms, three = c.cap_ms;
  if (attempt < 32 && (uint64_t)c.base_ms << attempt < step) step = (uint64_t)c.base_ms << attempt;
  switch (c.jitter) {
  case TTB_BACKOFF_FULL: return (int64_t)between(c.seed, attempt, 0, step);
  case TTB_BACKOFF_EQUAL: return (int64_t)(step - step / 2 + between(c.seed, attempt, 0, step / 2));
  case TTB_BACKOFF_DECORRELATED:
    if (previous_ms < c.base_ms) previous_ms = c.base_ms;
    if (previous_ms <= c.cap_ms / 3) three = previous_ms * 3;
    return (int64_t)between(c.seed, attempt, c.base_ms, three);
  default: return (int64_t)step;
  }
}
