/* SPDX-License-Identifier: MIT */
/* Outlier ejection: what a target's traffic says beside that of the others.
 *
 *     counts = unused 1 | calls 21 | failures 21 | local failures 21   of this interval
 *     last   = judged 1 | the same three                               of the one before
 *     rows   = generation 16 | errors 16 | gateway 16 | local 16       in a row
 *     eject  = generation 16 | ejected 1 | times 11 | time 36
 *
 * Calls are counted as they are observed; every eject_interval_ms one caller of
 * tick sweeps the table: takes the counts, gives targets back whose time is over
 * and asks the tests of the profile. Rows of errors eject at once.
 *
 * I1  The eject word is the only truth about an ejection; it changes by one
 *     compare-and-swap, whose winner counts it.
 * I2  Whoever ejects has taken a place among those that may be before it marks, so
 *     two that eject at once cannot both have the last one, and the limit, the one
 *     in question included, holds at each moment. What a caller leaves that is
 *     killed in between, the next sweep puts right (outlier_room.c).
 * I3  A caller that is killed in a sweep loses the counts it had taken; nothing
 *     is held, the next sweep is complete.
 * I4  Words of another generation read as empty; counts that a target left
 *     behind in its slot are cleared when the next one is enabled. */
#ifndef TTB_LIB_HEALTH_OUTLIER_H
#define TTB_LIB_HEALTH_OUTLIER_H

#include "../base/atomic.h"

#include <trimtab/health.h>

typedef struct ttb__outlier_slot {
  ttb__a64 counts, rows, eject, last;
  uint64_t reserved[4];
} ttb__outlier_slot;
_Static_assert(sizeof(ttb__outlier_slot) == 64, "one line more a target");

typedef struct ttb__outlier_table {
  ttb__a64 swept; /* virtual ms of the last sweep, 0 none */
  ttb__a64 detected, enforced, overflows, systemic, sweeps;
  ttb__a64 rates;  /* mean + 2^31, threshold + 2^31, 32 each: ppm */
  ttb__a64 judged; /* targets the last sweep compared */
  ttb__a64 room;   /* how many are in use, how many ejected: outlier_room.c */
  uint64_t reserved[7];
} ttb__outlier_table;
_Static_assert(sizeof(ttb__outlier_table) == 128, "two lines");

/* From a config with its defaults; ppm, ms, calls. 0 is off. */
typedef struct ttb__outlier_params {
  uint32_t profile; /* TTB_HEALTH_EJECT_*, 0 off */
  uint32_t flags;
  uint32_t interval_ms, base_ms, max_ms, jitter_ms;
  uint32_t max_ppm, min_kept, systemic_ppm;
  uint32_t errors, gateway, local;
  uint32_t hosts, requests, stdev_ppm;
  uint32_t failure_ppm, failure_hosts, failure_requests;
  uint32_t z_ppm, gap_ppm;
  uint32_t enforce_errors, enforce_gateway, enforce_local, enforce_rate, enforce_failure;
} ttb__outlier_params;

struct ttb__health;

void ttb__outlier_open(ttb__outlier_params *ret, const ttb_health_config *c);

/* One call's outcome: true if it ejected the target. */
bool ttb__outlier_note(struct ttb__health *t, uint32_t slot, uint32_t gen, int32_t outcome,
                       uint64_t now_ns);
/* A slot's state word became `after`: clears what its last target left. epoch is
 * from before that change. */
void ttb__outlier_begin(struct ttb__health *t, uint32_t slot, uint64_t before, uint64_t after,
                        uint32_t epoch);
/* Gives a target back, if it is ejected; true if this call did. */
bool ttb__outlier_return(struct ttb__health *t, uint32_t slot, uint64_t now);
bool ttb__outlier_is_ejected(const struct ttb__health *t, uint32_t slot);
/* If it is time for a sweep and nobody else has begun it. */
void ttb__outlier_sweep(struct ttb__health *t, uint64_t now);

/* ---- for the parts of the sweep ---- */

/* A test found it: counts it, and ejects it unless that is not enforced. */
bool ttb__outlier_detect(struct ttb__health *t, uint32_t slot, uint32_t gen, uint32_t enforce_ppm,
                         uint64_t now);

/* What the last interval says of a target, as the tests see it. `local` asks for
 * failures of local origin, else for the others'. False: it is not judged. */
typedef struct ttb__outlier_rate {
  uint32_t calls, failures;
} ttb__outlier_rate;
bool ttb__outlier_rate_of(const struct ttb__health *t, uint32_t slot, bool local,
                          uint32_t least_calls, ttb__outlier_rate *ret);

/* The tests (outlier_rate.c, outlier_robust.c). */
void ttb__outlier_success_rate(struct ttb__health *t, bool local, uint64_t now);
void ttb__outlier_failure_percentage(struct ttb__health *t, bool local, uint64_t now);
void ttb__outlier_robust(struct ttb__health *t, bool local, uint64_t now);

/* ms of an ejection, the times-th of a target, without its jitter. */
uint64_t ttb__outlier_length(const ttb__outlier_params *p, uint32_t times);
/* Envoy's: random modulo the most and one. */
static inline uint32_t ttb__outlier_jitter(uint64_t random, uint32_t most_ms) {
  return (uint32_t)(random % ((uint64_t)most_ms + 1));
}

/* ---- how many are ejected (outlier_room.c, outlier_count.c) ---- */

/* room = changes 11 | epoch 11 | targets in use 21 | ejected 21 */
#define TTB__ROOM_EJECTED UINT64_C(1)
#define TTB__ROOM_ENABLED (UINT64_C(1) << 21)
#define TTB__ROOM_CHANGE (UINT64_C(1) << 53)
_Static_assert(TTB_MAX_SLOTS < TTB__ROOM_ENABLED, "a number of targets fits");

typedef struct ttb__outlier_tally {
  uint32_t enabled, ejected;
} ttb__outlier_tally;
static inline ttb__outlier_tally ttb__room_numbers(uint64_t w) {
  return (ttb__outlier_tally){(uint32_t)(w >> 21 & 0x1fffff), (uint32_t)(w & 0x1fffff)};
}
static inline uint32_t ttb__room_epoch_of(uint64_t w) { return (uint32_t)(w >> 42) & 2047; }

/* Whether so many may be ejected, the last one included. */
bool ttb__outlier_allowed(const ttb__outlier_params *p, ttb__outlier_tally n);
/* False if more are ejected than may be. */
bool ttb__room_is_kept(const struct ttb__health *t);

/* The epoch: asked for before a mark or a target goes, or a target comes. */
uint32_t ttb__room_epoch(const struct ttb__health *t);
/* Takes a place for a mark, if there is one left. */
bool ttb__room_take(struct ttb__health *t, uint32_t *ret_epoch);
/* Once it is marked. False: there is none left after all, it must go again. */
bool ttb__room_keep(struct ttb__health *t, uint32_t epoch);
/* Gives the place of a mark that has gone (or did not come) back. */
void ttb__room_give(struct ttb__health *t, uint32_t epoch);
/* A target more in use; one less. */
void ttb__room_enabled(struct ttb__health *t, uint32_t epoch);
void ttb__room_disabled(struct ttb__health *t);

/* The numbers by looking at each target; and puts them into the word. */
ttb__outlier_tally ttb__outlier_count(const struct ttb__health *t);
void ttb__room_count(struct ttb__health *t);

/* ---- the words ---- */

#define TTB__OUTLIER_FIELD 21
#define TTB__OUTLIER_MOST ((UINT64_C(1) << TTB__OUTLIER_FIELD) - 1)
#define TTB__OUTLIER_FULL (TTB__OUTLIER_MOST - 1023) /* room for late adders */
#define TTB__OUTLIER_JUDGED (UINT64_C(1) << 63)
#define TTB__OUTLIER_TIMES 2047u

static inline uint32_t ttb__outlier_calls(uint64_t w) {
  return (uint32_t)(w >> 2 * TTB__OUTLIER_FIELD & TTB__OUTLIER_MOST);
}
static inline uint32_t ttb__outlier_failures(uint64_t w) {
  return (uint32_t)(w >> TTB__OUTLIER_FIELD & TTB__OUTLIER_MOST);
}
static inline uint32_t ttb__outlier_local(uint64_t w) {
  return (uint32_t)(w & TTB__OUTLIER_MOST);
}

static inline uint64_t ttb__eject(uint32_t gen, bool ejected, uint32_t times, uint64_t at) {
  return (uint64_t)gen << 48 | (uint64_t)ejected << 47 | (uint64_t)times << 36 |
         (at & ((UINT64_C(1) << 36) - 1));
}
static inline bool ttb__eject_is(uint64_t w, uint32_t gen) {
  return w >> 48 == gen && (w >> 47 & 1) != 0;
}
/* Neither ejected nor of late. */
static inline bool ttb__eject_is_empty(uint64_t w) { return (w >> 36 & 0xfff) == 0; }
/* How often it was ejected of late: 0 for another generation. */
static inline uint32_t ttb__eject_times(uint64_t w, uint32_t gen) {
  return w >> 48 == gen ? (uint32_t)(w >> 36) & TTB__OUTLIER_TIMES : 0;
}

#endif
