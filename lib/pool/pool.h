/* SPDX-License-Identifier: MIT */
/* Inside a pool: objects in one region, and the private handle.
 *
 *     region header | settings | counters | weights | ring | balancer | breaker | health
 *     | limiter, 0 to 4 of them
 *
 *     ticket = slot 20 | the slot's generation 20 | row 8 | permit 15
 *     permit = 0 | the breaker's generation, 14 bits      an ordinary call
 *              1 | nonce 9 | probe 5                      a probe of its breaker
 *
 * I1  The balancer alone knows which slots are in use. Breaker, health and
 *     weight of a slot follow; ttb_pool_tick puts right what a killed writer
 *     left undone.
 * I2  A cause bit is derived: from the breaker, from the health status, or from
 *     an ejection as an outlier. Who sees the reason change sets the bit; a tick
 *     derives it again.
 * I3  A thread's row is the balancer's. The breaker's probes, the limits' permits
 *     and the ring's records carry the same number, so one recovery cleans all of
 *     them and frees the row last.
 * I4  A report ends the call in flight first. All that follows is evidence, of
 *     which a kill may lose one piece. */
#ifndef TTB_LIB_POOL_POOL_H
#define TTB_LIB_POOL_POOL_H

#include "../balancer/balancer.h"
#include "../base/ring.h"
#include "../breaker/breaker.h"
#include "../health/health.h"
#include "../limiter/limiter.h"

#include <trimtab/pool.h>

/* Slots a caller may exclude from one pick. */
#define TTB__POOL_EXCLUDED 1000u

/* The balancer's weight of a weight of 1. */
#define TTB__POOL_UNIT 64u

/* What of the configuration is stored: its beginning, without the pointers. */
typedef struct ttb__pool_settings {
  uint32_t struct_size, capacity, threads, events;
  int32_t probing, degraded_weight_ppm;
  uint64_t seed;
} ttb__pool_settings;

typedef struct ttb__pool_table {
  ttb__a64 refused; /* picks a breaker refused */
  ttb__a64 told[TTB_POOL_MAX_LIMITS]; /* refusals of each limit that an event has told of */
  uint64_t reserved[3];
} ttb__pool_table;
_Static_assert(sizeof(ttb__pool_table) == 64, "one line");

typedef TTB__HANDLE_STRUCT ttb__pool {
  uint64_t tag;
  ttb_balancer balancer;
  ttb_breaker breaker;
  ttb_health health;
  ttb_limiter limits[TTB_POOL_MAX_LIMITS];
  uint32_t n_limits;
  uint8_t order[TTB_POOL_MAX_LIMITS]; /* they are asked in: the cheapest refusal first */
  uint32_t capacity, shift; /* 1 << shift events */
  int32_t probing, degraded_weight_ppm;
  ttb__pool_table *table;
  ttb__a64 *weights; /* a slot: generation 20 | off 1 | weight 43, as the caller set it */
  ttb__ring *ring;
  ttb__region *region;
  uint64_t owned; /* bytes to give back, 0 if the memory is the caller's */
  ttb_allocator allocator;
} ttb__pool;
_Static_assert(sizeof(ttb__pool) <= sizeof(ttb_pool), "the handle's size is frozen");

extern const ttb__struct ttb__pool_config_fields, ttb__pool_settings_fields, ttb__pool_info_fields,
    ttb__pool_stats_fields, ttb__pool_event_fields, ttb__pool_call_fields;

/* The configurations of a pool's parts, complete. */
typedef struct ttb__pool_parts {
  ttb__pool_settings settings;
  ttb_balancer_config balancer;
  ttb_breaker_config breaker;
  ttb_health_config health;
  ttb_limiter_config limits[TTB_POOL_MAX_LIMITS];
  uint32_t n_limits;
} ttb__pool_parts;

/* Checks a configuration and works out what each part is told (pool_config.c). */
int32_t ttb__pool_config_read(const ttb_pool_config *config, ttb__pool_parts *ret, ttb_detail *d);

/* NULL unless h is a live pool handle. */
static inline ttb__pool *ttb__pool_of(const ttb_pool *h) {
  ttb__pool *p = (ttb__pool *)(uintptr_t)h;
  return p && p->tag == TTB__TAG(TTB__KIND_POOL) ? p : NULL;
}
static inline uint32_t ttb__pool_row(const ttb__pool *p) {
  return ttb__balancer_of(&p->balancer)->row;
}
/* NULL unless it has also joined. */
static inline ttb__pool *ttb__pool_joined(const ttb_pool *h) {
  ttb__pool *p = ttb__pool_of(h);
  return p && ttb__pool_row(p) != TTB__NO_ROW ? p : NULL;
}

/* Whether health is told how ordinary calls end: to be taken down by them, which
 * only active probes could undo, or to be ejected as an outlier. */
static inline bool ttb__pool_observes(const ttb__pool *p) {
  return p->probing == TTB_POOL_PROBE_ACTIVE || ttb__health_of(&p->health)->outliers != NULL;
}

/* ---- the way of a call (call.c) ---- */

/* A ticket for any endpoint but the excluded ones; a probe only if not ordinary. */
int64_t ttb__pool_pick(ttb__pool *p, uint64_t hash, const uint32_t *excluded, uint32_t n,
                       bool ordinary, uint64_t now_ns);

/* ---- limits (pool_limits.c) ---- */

/* Once all limits are in a handle: whose their rows are, in which order they are
 * asked. */
void ttb__pool_limits_open(ttb__pool *p);
/* Tells by an event of what a limit has refused since somebody did so last. */
void ttb__pool_limits_tell(ttb__pool *p, uint64_t now_ns);
uint64_t ttb__pool_limits_refused(const ttb__pool *p);

/* ---- causes and weights (derive.c) ---- */

/* Whether the breaker of a slot keeps ordinary calls away. */
bool ttb__pool_breaker_says_no(const ttb__pool *p, uint32_t slot, uint64_t now_ns);
/* Marks a slot in the balancer; true, and an event, if that changed something. */
bool ttb__pool_mark(ttb__pool *p, uint32_t slot, uint32_t causes, bool on, uint64_t now_ns);
/* Sets or clears the breaker's cause as the breaker says. */
void ttb__pool_derive_breaker(ttb__pool *p, uint32_t slot, uint64_t now_ns);
/* Derives everything of a slot: 1 if something changed. */
int32_t ttb__pool_derive(ttb__pool *p, uint32_t slot, uint64_t now_ns);
/* The caller's weight of a slot that the balancer describes so. */
uint32_t ttb__pool_weight(const ttb__pool *p, const ttb_balancer_info *i);
/* What the balancer is to use for a weight in a status. */
uint32_t ttb__pool_weight_now(const ttb__pool *p, uint32_t weight, int32_t status);
/* Keeps the caller's wish: a weight, or 0 for none until another is set. */
void ttb__pool_keep_weight(ttb__pool *p, const ttb_balancer_info *i, uint32_t weight);

/* ---- events (events.c) ---- */

void ttb__pool_event(ttb__pool *p, int32_t kind, uint32_t slot, uint64_t id, int64_t value,
                     uint64_t now_ns);
/* The same for whoever lives in slot. */
void ttb__pool_event_of(ttb__pool *p, int32_t kind, uint32_t slot, int64_t value, uint64_t now_ns);

/* What a breaker's report did (a positive TTB_BREAKER_*), to causes and events. */
void ttb__pool_breaker_moved(ttb__pool *p, uint32_t slot, int32_t what, uint64_t now_ns);

#endif
