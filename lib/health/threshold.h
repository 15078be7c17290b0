/* SPDX-License-Identifier: MIT */
/* What one result makes of a target: rise, fall and the latency rule.
 *
 * The rule is HAProxy's counter (src/check.c): `fall` failures in a row take a
 * target down, `rise` passes in a row bring it up, any result of the other kind
 * starts the count anew. Told as a row of equal results instead of HAProxy's one
 * number, it is also Envoy's, Kubernetes' and Consul's; Consul adds a middle
 * level after some failures, which takes `rise` passes to leave.
 *
 * I1  A verdict is {level, kind of the last result, how many of it in a row}. A
 *     row of 0 means that there is no history: the next result decides at once.
 * I2  The row saturates at rise (passes) or fall (failures), so in a steady
 *     state a result changes nothing.
 * I3  Degrading takes one slow pass; leaving it takes one quick pass, if there
 *     are `rise` passes in a row by then. */
#ifndef TTB_LIB_HEALTH_THRESHOLD_H
#define TTB_LIB_HEALTH_THRESHOLD_H

#include <stdbool.h>
#include <stdint.h>
#include <trimtab/base.h>

#define TTB__MAX_ROW 100u /* of rise and fall; 7 bits in the word */

typedef struct ttb__thresholds {
  uint32_t rise, fall;
  uint32_t degrade_after; /* failures in a row; above fall: never */
} ttb__thresholds;

typedef struct ttb__verdict {
  uint32_t level;   /* TTB_STATUS_* */
  uint32_t failing; /* the last result: 0 passed, 1 failed */
  uint32_t row;     /* how many of it in a row */
} ttb__verdict;

static inline ttb__verdict ttb__verdict_pass(const ttb__thresholds *t, ttb__verdict v, bool slow) {
  uint32_t grade = slow ? TTB_STATUS_DEGRADED : TTB_STATUS_HEALTHY;
  uint32_t row = v.failing ? 1 : v.row + 1;
  if (v.row == 0 || row > t->rise) row = t->rise;
  bool sinks = slow && v.level == TTB_STATUS_HEALTHY;
  return (ttb__verdict){row >= t->rise || sinks ? grade : v.level, 0, row};
}

/* at_least: how many failures in a row there are at the least, 1 ordinarily. */
static inline ttb__verdict ttb__verdict_fail(const ttb__thresholds *t, ttb__verdict v,
                                             uint32_t at_least) {
  uint32_t row = v.failing ? v.row + 1 : 1;
  if (row < at_least) row = at_least;
  if (v.row == 0 || row > t->fall) row = t->fall;
  uint32_t level = v.level;
  if (row >= t->fall)
    level = TTB_STATUS_UNHEALTHY;
  else if (row >= t->degrade_after && level == TTB_STATUS_HEALTHY)
    level = TTB_STATUS_DEGRADED;
  return (ttb__verdict){level, 1, row};
}

static inline bool ttb__level_is_up(uint32_t level) {
  return level == TTB_STATUS_HEALTHY || level == TTB_STATUS_DEGRADED;
}

/* HAProxy's health, 0..rise+fall-1, up from rise on. What has no history is
 * between the two: any result decides. */
static inline uint32_t ttb__verdict_counter(const ttb__thresholds *t, ttb__verdict v) {
  bool up = ttb__level_is_up(v.level);
  if (v.row == 0) return up ? t->rise : t->rise - 1;
  uint32_t lost = v.failing ? v.row : 0;
  if (up) return lost < t->fall ? t->rise + t->fall - 1 - lost : t->rise;
  return v.failing ? 0 : v.row;
}

#endif
