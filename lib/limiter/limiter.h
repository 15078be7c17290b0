/* SPDX-License-Identifier: MIT */
/* Inside a limiter: the private handle, the rows of kinds, what a slot is.
 *
 *     bulkhead       permits words (permit.h)
 *     rate           one word: the time at which the key is idle, 1/256 ns
 *     retry          16 buckets (turns.h): retries, first attempts
 *     retry tokens   one word: millionths of a token that are missing
 *     throttle       16 buckets: accepts, requests; one word: how many draws
 *     adaptive       limit, window, what the rule keeps; permits words (permit.h)
 *     concurrent     a cell a row: {incarnation 16 | retries 24 | calls 24}
 *
 * I1  All zero is an unused slot, of every kind. A slot has no header.
 * I2  Every decision is one word changed by one compare-and-swap (or a bucket
 *     by one addition), so a caller killed anywhere leaves all legal. Words
 *     decide alone: relaxed is enough everywhere but between a permit and the bit
 *     that hides it (permit.h).
 * I3  What is in flight stands in words that say whose it is (permit.h, and the
 *     cells of concurrent.c): it is given back by a swap from exactly that, or by
 *     who cleans up a dead row. */
#ifndef TTB_LIB_LIMITER_LIMITER_H
#define TTB_LIB_LIMITER_LIMITER_H

#include "../base/atomic.h"
#include "../base/handle.h"
#include "../base/region.h"
#include "../base/rows.h"
#include "../base/ticket.h"
#include "limits.h"
#include "permit.h"

#include <trimtab/limiter.h>

#define TTB__LIMITER_MAX_PERMITS 16384u
#define TTB__LIMITER_CLASSES 4u
#define TTB__LIMITER_KINDS 7u
/* The longest refill of a burst. */
#define TTB__LIMITER_HORIZON_MS UINT64_C(2592000000) /* 30 days */
/* A caller may be preempted this long between reading the clock and a word. */
#define TTB__LIMITER_LAG_MS UINT64_C(3600000)

/* Counters of the table: touched by refusals and stale reports only. */
typedef struct ttb__limiter_table {
  ttb__a64 refused, stale;
  uint64_t reserved[6];
} ttb__limiter_table;
_Static_assert(sizeof(ttb__limiter_table) == 64, "one line");

typedef TTB__HANDLE_STRUCT ttb__limiter {
  uint64_t tag;
  /* hot */
  const struct ttb__limiter_kind *kind;
  unsigned char *slots;
  uint32_t number; /* of the kind */
  uint32_t capacity, stride, max_ask;
  uint32_t row; /* TTB__NO_ROW unless joined */
  union {
    struct {
      ttb__permits permits;
      uint32_t from[TTB__LIMITER_CLASSES]; /* importance k may use permits from[k] and up */
      uint32_t own[TTB__LIMITER_CLASSES];  /* there begins what the less important use too */
      uint32_t hint;                       /* where a joined handle looks first */
    } bulkhead;
    struct {
      uint64_t interval, horizon; /* of one event, of a burst; 1/256 ns */
    } rate;
    struct {
      uint64_t inverse; /* 2^64 / window_ms */
      int64_t reserve_ppm;
      uint32_t ratio_ppm;
    } retry;
    struct {
      uint64_t full; /* millionths */
      uint32_t ratio_ppm;
    } tokens;
    struct {
      uint64_t inverse, seed;
      int32_t accept_ppm, max_reject_ppm;
      uint32_t aggression, min_requests;
    } throttle;
    struct {
      ttb__permits permits;
      ttb__limit_params params;
      uint32_t algorithm, window_ms, samples, timeout_ms; /* ms 0: none */
      uint32_t measure, quantile;                         /* calls, ppm */
      uint32_t hint; /* where a joined handle looks first */
    } adaptive;
    struct {
      uint32_t budget_ppm, min_retries;
    } concurrent;
  } u;
  ttb__a64 *keys; /* NULL unless keyed */
  uint64_t seed;
  /* cold */
  uint32_t threads;
  ttb__region *region;
  ttb__limiter_table *table;
  ttb__rows *rows;
  ttb__row mine;  /* the row of a joined handle */
  uint64_t owned; /* bytes to give back, 0 if the memory is the caller's */
  ttb_allocator allocator;
} ttb__limiter;
_Static_assert(sizeof(ttb__limiter) <= sizeof(ttb_limiter), "the handle's size is frozen");

/* What a kind does, in one row; rows stand in limiter.c by their public number. */
typedef struct ttb__limiter_kind {
  /* Bytes of a slot: a multiple of 8. */
  uint64_t (*stride)(const ttb_limiter_config *c);
  /* Fills u and max_ask of a handle from a checked config. */
  void (*open)(ttb__limiter *l, const ttb_limiter_config *c);
  /* ask is at most max_ask. A ticket, TTB_LIMIT or TTB_THROTTLED. */
  int64_t (*acquire)(ttb__limiter *l, void *slot, uint32_t number, uint32_t ask, uint64_t now_ns);
  /* TTB_OK or TTB_STALE. */
  int32_t (*report)(ttb__limiter *l, void *slot, ttb__ticket t, int32_t outcome, uint64_t now_ns);
  /* What acquire would say (but for a draw), and the numbers. Leaves no trace. */
  int32_t (*look)(const ttb__limiter *l, void *slot, uint32_t ask, uint64_t now_ns,
                  ttb_limiter_info *ret);
  /* Gives back all a row holds in a slot; NULL if rows hold nothing. */
  void (*give_all)(const ttb__limiter *l, void *slot, uint32_t row);
  /* Whether a slot is as good as unused; NULL if it never is again. */
  bool (*idle)(const ttb__limiter *l, const void *slot, uint64_t now_ns);
  /* Adds what each row holds to held[row], and what those hold who never joined
   * to held[l->threads]; NULL if nobody holds anything. */
  void (*count)(const ttb__limiter *l, void *slot, uint64_t now_ns, uint32_t *held);
} ttb__limiter_kind;

extern const ttb__limiter_kind ttb__limiter_bulkhead, ttb__limiter_rate, ttb__limiter_retry,
    ttb__limiter_retry_tokens, ttb__limiter_throttle, ttb__limiter_adaptive,
    ttb__limiter_concurrent;

extern const ttb__struct ttb__limiter_config_fields, ttb__limiter_info_fields,
    ttb__limiter_stats_fields, ttb__limiter_backoff_fields;

/* Checks a configuration; ret is the full struct with its defaults. */
int32_t ttb__limiter_config_read(const ttb_limiter_config *config, ttb_limiter_config *ret,
                                 ttb_detail *d);

/* The interval of a rate in 1/256 ns, rounded up. */
static inline uint64_t ttb__limiter_interval(uint32_t rate, uint32_t period_ms) {
  return ((uint64_t)period_ms * 256000000 + rate - 1) / rate;
}

/* NULL unless h is a live limiter handle. */
static inline ttb__limiter *ttb__limiter_of(const ttb_limiter *h) {
  ttb__limiter *l = (ttb__limiter *)(uintptr_t)h;
  return l && l->tag == TTB__TAG(TTB__KIND_LIMITER) ? l : NULL;
}

static inline void *ttb__limiter_slot_at(const ttb__limiter *l, uint32_t slot) {
  return l->slots + (uint64_t)slot * l->stride;
}

static inline uint64_t ttb__limiter_clock(ttb__limiter *l, uint64_t now_ns) {
  return ttb__clock_now(&l->region->clock, now_ns);
}

/* ---- joined threads (limiter_join.c) ---- */

void ttb__limiter_leave(ttb__limiter *l);
/* Makes a handle that of a row. A pool's rows are not of l->rows: it has put its
 * own there first. */
void ttb__limiter_use_row(ttb__limiter *l, ttb__row mine);
/* Gives back all that a row holds. */
void ttb__limiter_give_all(const ttb__limiter *l, uint32_t row);

#endif
