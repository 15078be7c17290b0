/* SPDX-License-Identifier: MIT */
/* Inside a table of targets: the words of a slot and the private handle.
 *
 *     state   = generation 16 | enabled 1 | level 3 | failing 1 | row 7 | time 36
 *     since   = generation 16 | unused 5 | level 3 | reason 4 | time 36
 *     ask     = when a probe was handed out or wanted: see health_due.c
 *     latency, average, errors, changes = generation 16 | number 48
 *
 * Times are virtual ms of the region's clock, in words modulo 2^36 (two years).
 *
 * I1  The state word is the only truth about a target. Every change of level is
 *     one CAS of it; its winner announces the change.
 * I2  The other words only describe or advise. Each names the generation it
 *     belongs to; one of another generation reads as empty. So a caller killed
 *     between two words leaves both legal: at the worst an unknown `since`.
 * I3  The level in the word is what results said; whether it has become stale
 *     is judged at each read. tick only writes down what readers see already.
 * I4  Times are compared by age, and an age is never negative: whatever a word
 *     holds, nothing waits longer than it is configured to, and an hour. */
#ifndef TTB_LIB_HEALTH_HEALTH_H
#define TTB_LIB_HEALTH_HEALTH_H

#include "../base/atomic.h"
#include "../base/handle.h"
#include "../base/region.h"
#include "outlier.h"
#include "threshold.h"

#include <trimtab/health.h>

typedef struct ttb__health_slot {
  ttb__a64 state, ask;
  ttb__a64 latency, average; /* ns */
  ttb__a64 errors;           /* of traffic, in a row */
  ttb__a64 since, changes;
  uint64_t reserved;
} ttb__health_slot;
_Static_assert(sizeof(ttb__health_slot) == 64, "a target is one line");

typedef struct ttb__health_table {
  ttb__a64 ticked; /* last tick 32 | staleness held back until 32 (0: not) */
  ttb__a64 cursor; /* slot where the next due starts to look */
  ttb__a64 changes, late, pauses;
  uint64_t reserved[3];
} ttb__health_table;
_Static_assert(sizeof(ttb__health_table) == 64, "one line");

typedef TTB__HANDLE_STRUCT ttb__health {
  uint64_t tag;
  /* hot */
  ttb__health_slot *slots;
  ttb__region *region;
  ttb__health_table *table;
  uint64_t steady; /* the word of a target that has been healthy for long, and how */
  uint64_t steady_ms, quick_ns; /* soon and how quickly it must pass to stay just that */
  uint64_t degraded_ns, recover_ns, fail_ns; /* UINT64_MAX: off */
  uint64_t half_life_inverse, seed;
  ttb__thresholds thresholds;
  uint32_t capacity;
  uint32_t ttl_ms, max_pause_ms; /* 0: off */
  uint32_t interval_ms[3], spread_ms[3]; /* by pace - 1; spread: most it is shortened by */
  uint32_t lease_ms;
  uint32_t passive_errors, passive_failures; /* errors 0: off */
  ttb__verdict start;
  ttb__outlier_slot *outliers; /* NULL unless targets are ejected */
  ttb__outlier_table *ejections;
  ttb__outlier_params outlier;
  /* cold */
  uint64_t owned; /* bytes to give back, 0 if the memory is the caller's */
  ttb_allocator allocator;
} ttb__health;
_Static_assert(sizeof(ttb__health) <= sizeof(ttb_health), "the handle's size is frozen");

extern const ttb__struct ttb__health_config_fields, ttb__health_info_fields,
    ttb__health_stats_fields, ttb__health_member_fields, ttb__health_view_fields,
    ttb__health_summary_fields;

/* Puts in what the profile of ejection has by default, and checks it. */
int32_t ttb__health_eject_read(ttb_health_config *c, ttb_detail *d);

/* NULL unless h is a live health handle. */
static inline ttb__health *ttb__health_of(const ttb_health *h) {
  ttb__health *t = (ttb__health *)(uintptr_t)h;
  return t && t->tag == TTB__TAG(TTB__KIND_HEALTH) ? t : NULL;
}

static inline uint64_t ttb__health_look(const ttb__health *t, uint64_t now_ns) {
  return ttb__clock_look(&t->region->clock, now_ns);
}

/* ---- the words ---- */

#define TTB__TIME_BITS 36
#define TTB__TIME_MASK ((UINT64_C(1) << TTB__TIME_BITS) - 1)
#define TTB__SLOT_GEN_MASK 0xffffu
#define TTB__TAGGED_MASK ((UINT64_C(1) << 48) - 1)

static inline uint64_t ttb__target(uint32_t gen, uint32_t enabled, ttb__verdict v, uint64_t at) {
  return (uint64_t)(gen & TTB__SLOT_GEN_MASK) << 48 | (uint64_t)enabled << 47 |
         (uint64_t)v.level << 44 | (uint64_t)v.failing << 43 | (uint64_t)v.row << 36 |
         (at & TTB__TIME_MASK);
}
/* All of it but generation and time. */
#define TTB__VERDICT_MASK (((UINT64_C(1) << 12) - 1) << TTB__TIME_BITS)
static inline uint32_t ttb__target_gen(uint64_t w) { return (uint32_t)(w >> 48); }
static inline bool ttb__target_enabled(uint64_t w) { return (w >> 47 & 1) != 0; }
static inline uint32_t ttb__target_level(uint64_t w) {
  uint32_t level = (uint32_t)(w >> 44 & 7);
  return level <= TTB_STATUS_STALE ? level : TTB_STATUS_UNKNOWN; /* a neighbour's nonsense */
}
static inline ttb__verdict ttb__target_verdict(uint64_t w) {
  return (ttb__verdict){ttb__target_level(w), (uint32_t)(w >> 43 & 1), (uint32_t)(w >> 36 & 127)};
}

/* So long a caller may have slept between asking for the time and using it. */
#define TTB__ASLEEP_MS UINT64_C(3600000)

/* ms from a time in a word to now; 0 if it lies ahead: another's, while this caller
 * slept. */
static inline uint64_t ttb__ms_since(uint64_t w, uint64_t now) {
  uint64_t age = (now - w) & TTB__TIME_MASK;
  return age <= TTB__TIME_MASK - TTB__ASLEEP_MS ? age : 0;
}

#define TTB__WANTED (UINT64_C(1) << 47)
#define TTB__HANDED_OUT (UINT64_C(1) << 46)
static inline uint64_t ttb__ask(uint32_t gen, uint64_t what, uint64_t at) {
  return (uint64_t)gen << 48 | what | (at & TTB__TIME_MASK);
}

static inline uint64_t ttb__tagged(uint32_t gen, uint64_t n) {
  return (uint64_t)gen << 48 | (n < TTB__TAGGED_MASK ? n : TTB__TAGGED_MASK);
}
static inline uint64_t ttb__tagged_of(uint64_t w, uint32_t gen) {
  return ttb__target_gen(w) == gen ? w & TTB__TAGGED_MASK : 0;
}

static inline uint64_t ttb__since(uint32_t gen, uint32_t level, uint32_t reason, uint64_t at) {
  return (uint64_t)gen << 48 | (uint64_t)level << 40 | (uint64_t)reason << 36 |
         (at & TTB__TIME_MASK);
}
/* Whether a since word speaks of this generation and level (I2). */
static inline bool ttb__since_fits(uint64_t w, uint32_t gen, uint32_t level) {
  return ttb__target_gen(w) == gen && (w >> 40 & 7) == level;
}
static inline uint32_t ttb__since_reason(uint64_t w) {
  uint32_t reason = (uint32_t)(w >> 36 & 15);
  return reason <= TTB_HEALTH_BY_HAND ? reason : TTB_HEALTH_BY_NOTHING; /* as above */
}

/* ---- staleness (health_tick.c) ---- */

/* Whether a local pause holds staleness back at `now`. */
bool ttb__health_held(const ttb__health *t, uint64_t now);

static inline bool ttb__health_silent(const ttb__health *t, uint64_t w, uint64_t now) {
  return t->ttl_ms != 0 && ttb__ms_since(w, now) >= t->ttl_ms && !ttb__health_held(t, now);
}

/* The level a reader sees (I3): 0..TTB_STATUS_STALE, whatever the word holds. */
static inline uint32_t ttb__health_level(const ttb__health *t, uint64_t w, uint64_t now) {
  uint32_t level = ttb__target_level(w);
  if (level - 1 >= TTB_STATUS_STALE) return TTB_STATUS_UNKNOWN;
  return ttb__health_silent(t, w, now) ? TTB_STATUS_STALE : level;
}

/* ---- what follows a change or a result ---- */

/* Writes down that the level became `level`; returns it. By the CAS's winner. */
int32_t ttb__health_changed(ttb__health *t, ttb__health_slot *s, uint32_t gen, uint32_t level,
                            uint32_t reason, uint64_t now);

/* Which interval comes next: TTB_HEALTH_STEADY, _CHANGING, _DOWN. */
static inline int32_t ttb__health_pace(ttb__verdict v) {
  if (ttb__level_is_up(v.level)) return v.failing ? TTB_HEALTH_CHANGING : TTB_HEALTH_STEADY;
  return v.failing ? TTB_HEALTH_DOWN : TTB_HEALTH_CHANGING;
}

/* ms until an ejection is over, 0 if there is none (outlier_sweep.c). */
uint64_t ttb__outlier_left(const ttb__health *t, uint32_t slot, uint64_t now);

/* ms until a probe is due; w and ask are the slot's words (health_due.c). */
uint64_t ttb__health_due_in(const ttb__health *t, uint32_t slot, uint64_t w, uint64_t ask,
                            uint64_t now);

#endif
