/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/pool.h
 * @brief One acquire and one report over balancer, breaker, health and limits.
 *
 * A pool is what most programs want: endpoints come and go, each call goes to
 * one that is up, a failing one is taken out and probed back in, a slow one gets
 * less, and when nobody is left the answer says so at once.
 *
 *     ttb_pool p, mine;
 *     ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
 *     if (ttb_pool_new(&p, &c, NULL) < 0) return 1;
 *     if (ttb_pool_join(&p, token, &mine) < 0) return 1;         // one a thread
 *     ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
 *     e.id = 17;
 *     int32_t slot = ttb_pool_add(&mine, &e, now_ns);
 *     backends[slot] = "10.0.0.17:80";
 *
 *     int64_t t = ttb_pool_acquire(&mine, 0, now_ns);
 *     if (t < 0) return refuse(ttb_strerror((int32_t)t));
 *     bool ok = call(backends[ttb_ticket_slot(t)]);
 *     ttb_pool_report(&mine, t, ok ? TTB_SUCCESS : TTB_FAILURE, latency_ns, now_ns);
 *
 *     ttb_pool_tick(&mine, now_ns);                              // ten times a second or so
 *
 * ## What it is made of
 *
 * One region holds a balancer, a table of breakers, a table of health targets
 * and an event ring. They share capacity and slot numbers: endpoint i is slot i
 * in all of them. Their configurations are those of trimtab/balancer.h,
 * trimtab/breaker.h and trimtab/health.h; NULL takes the pool's defaults:
 *
 *  - balancer: two choices;
 *  - breaker: five failures in a row or half of at least 20 calls in 10 s, open
 *    for 5 s;
 *  - health: rise 2, fall 3 (unlike health's own 1 and 1, also when a
 *    configuration leaves them 0), degraded at 1000 ms, interval 2 s.
 *
 * ## How a call goes
 *
 *     acquire:  balancer picks among the eligible -> the endpoint's breaker agrees
 *               (closed: one load), or the pick is given back and made again
 *     report:   balancer: no longer in flight
 *               breaker:  counts the outcome (slow, if the latency is above its
 *                         slow_ms); may open, reopen, close
 *               health:   with active probing, failures of real traffic in a row
 *                         may take it down (ttb_health_observe); with `eject`,
 *                         one that does worse than its peers is ejected
 *
 * While a breaker lets its calls back by and by (ramp_ms), a call it turns away
 * goes elsewhere, and the endpoint stays in.
 *
 * What breaker and health say reaches the balancer as *causes*: one bit each in
 * the endpoint's eligibility word. The bits are set by the call that finds the
 * reason, and ttb_pool_tick derives all of them anew from the breakers and the
 * health table. So a bit that a killed process could not set or clear lives for
 * one tick, and a tick may be made by anybody, any number of times.
 *
 * ## Probing back in
 *
 * `probing` says how an endpoint whose breaker opened proves itself when the
 * open time is over:
 *
 *  - #TTB_POOL_PROBE_TRAFFIC (default): it gets half_open_probes ordinary calls
 *    at a time. Their tickets are marked (ttb_pool_is_probe); calls that must not
 *    be spent on a probe (a POST) use ttb_pool_acquire_ordinary. Needs nothing of
 *    the caller but ticks.
 *  - #TTB_POOL_PROBE_ACTIVE: ordinary calls stay away until a probe has
 *    succeeded. The caller asks ttb_pool_probe_due, sends its own requests (GET
 *    /health, PING) and tells ttb_pool_probe_result. No user ever pays for a probe.
 *
 * In both, endpoints are probed only if the caller asks ttb_pool_probe_due and
 * does so; results raise and lower the health status with rise and fall. If the
 * results stop coming the endpoint is STALE, which takes nothing out: a dead
 * prober must not take a fleet down.
 *
 * ## One that does worse than its peers
 *
 * A breaker looks at one endpoint: one of ten whose calls fail in one of five
 * cases may never open it. Health compares them (trimtab/health.h, Outliers), in
 * both ways of probing, if its configuration asks for it:
 *
 *     ttb_health_config health = TTB_CONFIG(ttb_health_config);
 *     health.eject = TTB_HEALTH_EJECT_ROBUST;
 *     c.health = &health;
 *
 * Then every report is observed, and ttb_pool_tick makes the sweeps, one in
 * eject_interval_ms. An ejected endpoint has #TTB_CAUSE_OUTLIER, by the report
 * that filled a row of errors or by the tick that swept, and loses it by the tick
 * that finds its time over (or by a probe, #TTB_HEALTH_EJECT_PROBED). How many may be
 * ejected at the most, how many are kept and when everybody is bad and nobody to
 * blame is health's to say; it counts its own ejections, not open breakers. With
 * #TTB_HEALTH_EJECT_SHADOW it only counts. A failed call is a TTB_FAILURE here,
 * so the rows of gateway and local failures never fill.
 *
 * ## A slow one gets less
 *
 * Twice: two choices sees its calls in flight pile up and passes it over; and a
 * DEGRADED endpoint (health's latency rule) keeps degraded_weight_ppm of its
 * weight (10 %) until its probes are quick again.
 *
 * ## Limits
 *
 * A pool may have up to four limits that hold for all its calls together: so
 * many at once (a bulkhead, or an adaptive limit), so many a second, so many
 * retries, a throttle (trimtab/limiter.h). What a call holds of them is more than
 * a ticket can say, so such a pool is called with a ttb_pool_call, which is the
 * caller's for as long as the call lasts:
 *
 *     ttb_pool_call call = TTB_CONFIG(ttb_pool_call);
 *     do {
 *       if (ttb_pool_begin(&mine, &call, now_ns) < 0) break;     // call.refused_by: which limit
 *       ok = query(backends[ttb_ticket_slot(call.ticket)]);
 *       ttb_pool_end(&mine, &call, ok ? TTB_SUCCESS : TTB_FAILURE, latency_ns, now_ns);
 *       call.attempt++;                                          // for a retry budget
 *     } while (!ok);
 *
 * They are asked before an endpoint is picked, the cheapest refusal first: retry
 * tokens, rate, concurrent retries, retry budget, throttle, adaptive, bulkhead.
 * If one refuses, or no endpoint is to be had, those before it get back what
 * they gave (TTB_CANCELLED). Permits of a dead process come back by
 * ttb_pool_recover, exactly, like its calls in flight. ttb_pool_tick tells by an
 * event that a limit has refused calls since the last one.
 *
 * ## Events
 *
 * What happened to whom is in a ring that any process may read, each with its
 * own cursor: ttb_pool_events. Delivery is at most once; what was overwritten
 * before it was read is counted as lost.
 *
 * ## Weights
 *
 * In a pool weights are 1..1000 (#TTB_POOL_MAX_WEIGHT). The balancer is given
 * 64 for each 1, so that a degraded endpoint of weight 1 can still be given less.
 *
 * ## Tickets
 *
 * A ticket names slot, generation, breaker round and thread. A second report of
 * it is TTB_STALE, unless its thread has another call out on the same endpoint
 * under the same round: the two tickets are then the same number. A ticket that
 * is never reported holds its slot (not its endpoint) until its thread leaves
 * or is recovered. The endpoint's call in flight
 * ends with its report even if the breaker has moved on meanwhile; the breaker
 * then finds the report stale and ignores it. As in the balancer, a ticket is
 * reported by the thread that acquired it, unless the balancer's configuration
 * says #TTB_BALANCER_MOVING_TICKETS. #TTB_BALANCER_CHECK_TICKETS and
 * #TTB_BREAKER_CHECK_TICKETS are not offered (TTB_ERR_RANGE): a ticket has no
 * room for both parts' bits.
 */
#ifndef TRIMTAB_POOL_H
#define TRIMTAB_POOL_H

#include <trimtab/balancer.h>
#include <trimtab/base.h>
#include <trimtab/breaker.h>
#include <trimtab/health.h>
#include <trimtab/limiter.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle; see base.h. One that has joined belongs to one thread. */
typedef struct ttb_pool {
  uint64_t opaque[512]; /**< private */
} ttb_pool;

/** The largest weight of an endpoint in a pool. */
#define TTB_POOL_MAX_WEIGHT 1000

/** Limits of a pool at the most. */
#define TTB_POOL_MAX_LIMITS 4

/** @name Flags of a call (ttb_pool_call.flags)
 *  @{ */
#define TTB_POOL_ORDINARY 1u /**< never a probe, as ttb_pool_acquire_ordinary */
/** @} */

/** @name How an endpoint is probed back in (ttb_pool_config.probing)
 *  @{ */
#define TTB_POOL_PROBE_TRAFFIC 1 /**< by marked ordinary calls; the default */
#define TTB_POOL_PROBE_ACTIVE 2  /**< by the caller's own probes only */
/** @} */

/** @name Kinds of events
 *  @{ */
#define TTB_POOL_ADDED 1      /**< value: its weight */
#define TTB_POOL_REMOVED 2    /**< */
#define TTB_POOL_EJECTED 3    /**< its breaker opened; value: TTB_BREAKER_OPENED, or _REOPENED
                                   after a failed probe. Or it is ejected as an outlier;
                                   value: TTB_HEALTH_EJECTED */
#define TTB_POOL_READMITTED 4 /**< its breaker closed; value: 0. Or its time as an outlier is
                                   over; value: TTB_HEALTH_EJECTED */
#define TTB_POOL_STATUS 5     /**< its health changed; value: the new TTB_STATUS_* */
#define TTB_POOL_PROBED 6     /**< a marked call or a probe for its breaker; value: 1 passed, 0 sent */
#define TTB_POOL_CAUSES 7     /**< the pool changed its causes; value: TTB_CAUSE_*, 0: it may be
                                   picked again. Who only asks who is in and who is out needs
                                   no other kind but _ADDED and _REMOVED */
#define TTB_POOL_RECOVERED 8  /**< a dead process was cleaned up; id: its token, value: rows freed */
#define TTB_POOL_LIMITED 9    /**< seen by a tick: a limit has refused calls since the last; id:
                                   which, from 1; value: how many */
/** @} */

/** What a pool shall do. Start with TTB_CONFIG. */
typedef struct ttb_pool_config {
  uint32_t struct_size;        /**< sizeof(ttb_pool_config) */
  uint32_t capacity;           /**< endpoints at the most, 1..1048576; default 64 */
  uint32_t threads;            /**< threads that may join at once, 1..254; default 14 */
  uint32_t events;             /**< events kept, a power of two 16..65536; default 256 */
  int32_t probing;             /**< TTB_POOL_PROBE_*; default TTB_POOL_PROBE_TRAFFIC */
  int32_t degraded_weight_ppm; /**< weight a degraded one keeps, 1..1000000, TTB_OFF (all);
                                    default 100000 */
  uint64_t seed;               /**< of everything drawn; any */
  const ttb_balancer_config *balancer; /**< NULL: defaults; capacity, threads 0 or as here */
  const ttb_breaker_config *breaker;   /**< NULL: defaults; capacity, threads 0 or as here */
  const ttb_health_config *health;     /**< NULL: defaults; capacity 0 or as here */
  const ttb_limiter_config *limits;    /**< n_limits of equal struct_size; capacity 0 or 1,
                                            threads 0 or as here; NULL if there are none */
  uint32_t n_limits;                   /**< 0..TTB_POOL_MAX_LIMITS */
  uint32_t reserved;                   /**< 0 */
} ttb_pool_config;

/** A call through a pool with limits: what is asked, and what it holds. It is the
 *  caller's from ttb_pool_begin to ttb_pool_end. Start with TTB_CONFIG. */
typedef struct ttb_pool_call {
  uint32_t struct_size; /**< sizeof(ttb_pool_call) */
  uint32_t flags;       /**< TTB_POOL_ORDINARY; default none */
  uint64_t hash;        /**< the key's hash, for algorithms that go by it */
  uint32_t attempt;     /**< attempts made before this one, for retry budgets; 0 is the first */
  uint32_t importance;  /**< for a bulkhead, 0 (the highest) .. 3 */
  uint32_t events;      /**< for a rate, 0 (means 1)..32767 */
  uint32_t n_excluded;  /**< how many excluded_slots, 0..1000 */
  int32_t refused_by;   /**< out: which limit refused, from 0; -1: none did */
  uint32_t n_held;      /**< out: private */
  int64_t ticket;       /**< out: as ttb_pool_acquire's; -1 when it has ended */
  int64_t held_0;       /**< out: private */
  int64_t held_1;       /**< out: private */
  int64_t held_2;       /**< out: private */
  int64_t held_3;       /**< out: private */
  const uint32_t *excluded_slots; /**< n_excluded slots already tried; NULL if there are none */
} ttb_pool_call;

/** One endpoint as the pool sees it. Begins as ttb_balancer_info does. */
typedef struct ttb_pool_info {
  uint32_t struct_size;   /**< sizeof(ttb_pool_info) */
  uint32_t slot;          /**< its slot */
  uint64_t id;            /**< its id */
  uint32_t weight;        /**< as the caller set it, 1..1000 */
  uint32_t in_flight;     /**< calls out on it */
  uint32_t causes;        /**< TTB_CAUSE_*: why it gets no calls; 0: it may */
  int32_t status;         /**< TTB_STATUS_*, of the health table */
  int32_t reason;         /**< TTB_BALANCER_*: the first reason it is not the next one */
  uint32_t generation;    /**< of its slot, modulo 2^20 */
  uint32_t weight_64ths;  /**< as the balancer uses it: 64 * weight, less if degraded */
  int32_t breaker;        /**< TTB_BREAKER_* */
  int64_t retry_after_ms; /**< until its breaker lets a call pass: 0 now, -1 not by itself */
  int64_t eject_left_ms;  /**< until its ejection is over, which the next sweep sees; 0 none */
} ttb_pool_info;

/** What concerns the whole pool. */
typedef struct ttb_pool_stats {
  uint32_t struct_size;  /**< sizeof(ttb_pool_stats) */
  uint32_t capacity;     /**< endpoints it can hold */
  uint32_t endpoints;    /**< endpoints it holds */
  uint32_t eligible;     /**< of these, those that may be picked */
  uint32_t joined;       /**< threads joined */
  uint32_t reserved;     /**< 0 */
  uint64_t in_flight;    /**< calls out */
  uint64_t stale;        /**< reports that came twice, too late or from elsewhere */
  uint64_t refused;      /**< picks a breaker refused (each was made again) */
  uint64_t events;       /**< events so far */
  uint64_t events_dropped; /**< events that found no place, beside those */
  uint64_t limited;      /**< calls a limit refused */
} ttb_pool_stats;

/** One event. Frozen: 48 bytes. */
typedef struct ttb_pool_event {
  uint64_t now_ns;   /**< the caller's time when it happened */
  uint64_t id;       /**< the endpoint */
  uint32_t slot;     /**< its slot */
  int32_t kind;      /**< TTB_POOL_* */
  int64_t value;     /**< depends on kind */
  uint64_t token;    /**< the process that made it happen */
  uint64_t reserved; /**< 0 */
} ttb_pool_event;

/**
 * @brief Checks a configuration, those it points to included.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (also: parts that do not
 *         go together, as a half-open lease too short for the active probes it
 *         waits for); TTB_ERR_UNSUPPORTED; or what the module's own check says
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_check(const ttb_pool_config *config, ttb_detail *ret_detail);

/**
 * @brief Bytes a region needs.
 * @param config what it shall do
 * @return a multiple of 64, or the error ttb_pool_check would give
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_pool_size(const ttb_pool_config *config);

/**
 * @brief Makes an empty pool in memory the caller owns.
 * @param ret_pool the handle
 * @param mem      the region, on a multiple of TTB_ALIGN; exclusive until this returns
 * @param size     bytes there
 * @param config   what it shall do; copied
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, misaligned); TTB_ERR_NOSPACE; or as
 *         ttb_pool_check
 * @threads exclusive @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_pool_init(ttb_pool *ret_pool, void *mem, uint64_t size,
                                            const ttb_pool_config *config);

/**
 * @brief Makes a handle to a pool that another process (or mapping) made.
 * @param ret_pool the handle
 * @param mem      the region, on a multiple of TTB_ALIGN; any address
 * @param size     bytes mapped there
 * @return TTB_OK; TTB_AGAIN (not made yet, or being made); TTB_ERR_MISUSE;
 *         TTB_ERR_NOSPACE (mapped short); TTB_ERR_CORRUPT; TTB_ERR_VERSION;
 *         TTB_ERR_MISMATCH (another kind of object)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_pool_attach(ttb_pool *ret_pool, void *mem, uint64_t size);

/**
 * @brief Makes a pool in memory of its own: one allocation, then init.
 * @param ret_pool  the handle
 * @param config    what it shall do
 * @param allocator where the memory comes from; NULL for the C library's
 * @return TTB_OK; TTB_ERR_NOMEM; TTB_ERR_MISUSE; or as ttb_pool_check
 * @threads any @progress as the allocator @alloc once @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_pool_new(ttb_pool *ret_pool, const ttb_pool_config *config,
                                           const ttb_allocator *allocator);

/**
 * @brief Ends a handle: gives back the memory ttb_pool_new took; a joined one
 *        gives up its row and what is in flight on it.
 * @param pool the handle; NULL or a cleared one is a no-op
 * @threads exclusive (the handle) @progress wait-free @alloc none @since 0.1
 */
TTB_API void ttb_pool_free(ttb_pool *pool);

/**
 * @brief Makes a thread's own handle. After fork a child joins anew, with its own
 *        token, and does not free the handle it inherited: that row is its
 *        parent's.
 * @param shared     a handle to the pool
 * @param token      the process, 1..TTB_MAX_TOKEN (see base.h)
 * @param ret_joined the thread's handle; end it with ttb_pool_free
 * @return TTB_OK; TTB_ERR_MISUSE (also: both handles the same); TTB_ERR_RANGE
 *         (token); TTB_ERR_NOSPACE (all rows taken: raise `threads`, or recover
 *         the dead)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_pool_join(const ttb_pool *shared, uint64_t token,
                                            ttb_pool *ret_joined);

/**
 * @brief Takes back what a dead process held: calls in flight, breaker probes,
 *        a write it had begun.
 *
 * The caller states that the process is dead (it has waited for it, or a pidfd
 * says so). Idempotent.
 * @param joined the caller's own handle
 * @param token  the dead process; not the caller's
 * @param now_ns the time, ns
 * @return rows freed (0 or more); TTB_ERR_MISUSE (not joined, own token);
 *         TTB_ERR_RANGE (token)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_recover(ttb_pool *joined, uint64_t token, uint64_t now_ns);

/**
 * @brief Adds an endpoint. It may be picked when this returns.
 * @param joined   the caller's handle
 * @param endpoint what it is; copied
 * @param now_ns   the time, ns
 * @return its slot (0 or more); TTB_ERR_DUPLICATE; TTB_ERR_NOSPACE; TTB_AGAIN
 *         (another writer is at work); TTB_ERR_RANGE; TTB_ERR_UNSUPPORTED;
 *         TTB_ERR_MISUSE (not joined)
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_add(ttb_pool *joined, const ttb_endpoint *endpoint, uint64_t now_ns);

/**
 * @brief Removes an endpoint: no acquire that begins later picks it. Calls in
 *        flight on it are reported as ever.
 * @param joined the caller's handle
 * @param id     which
 * @param now_ns the time, ns
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID; TTB_AGAIN; TTB_ERR_MISUSE (not joined)
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_remove(ttb_pool *joined, uint64_t id, uint64_t now_ns);

/**
 * @brief Makes the set of endpoints equal to a list: those missing from it are
 *        removed, new ones added, the others keep slot, calls in flight, causes,
 *        breaker and health, and get the list's weight.
 *
 * The balancer's tables are built once, however much changes. Until the next tick
 * a degraded endpoint has its whole weight.
 * @param joined     the caller's handle
 * @param endpoints  n endpoints of equal struct_size; may be NULL if n is 0
 * @param n          how many, 0..capacity
 * @param now_ns     the time, ns
 * @param ret_detail what is wrong with which; may be NULL
 * @return TTB_OK; TTB_AGAIN (another writer is at work); TTB_ERR_MISUSE;
 *         TTB_ERR_DUPLICATE, TTB_ERR_RANGE, TTB_ERR_UNSUPPORTED (an endpoint), or
 *         TTB_ERR_NOSPACE (n above capacity): nothing has changed;
 *         TTB_ERR_NOSPACE also if slots that were to be reused have calls in
 *         flight, as ttb_balancer_update: repeat it
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_update(ttb_pool *joined, const ttb_endpoint *endpoints, uint32_t n,
                                uint64_t now_ns, ttb_detail *ret_detail);

/**
 * @brief Begins or ends a drain: no new calls, those in flight go on.
 * @param joined the caller's handle
 * @param id     which
 * @param on     1 begins, 0 ends
 * @param now_ns the time, ns
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID; TTB_ERR_MISUSE (not joined)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_drain(ttb_pool *joined, uint64_t id, int32_t on, uint64_t now_ns);

/**
 * @brief Sets an endpoint's weight; 0 = no new calls until another is set.
 * @param joined the caller's handle
 * @param id     which
 * @param weight 0..TTB_POOL_MAX_WEIGHT
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID; TTB_ERR_RANGE; TTB_AGAIN; TTB_ERR_MISUSE
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_set_weight(ttb_pool *joined, uint64_t id, uint32_t weight);

/**
 * @brief The slot of an endpoint.
 * @param pool the handle
 * @param id   which
 * @return 0..capacity-1; TTB_ERR_UNKNOWN_ID; TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_find(const ttb_pool *pool, uint64_t id);

/**
 * @brief Picks an endpoint for one call.
 * @param joined the thread's handle
 * @param hash   the key's hash (ttb_hash makes one), for algorithms that go by it; else ignored
 * @param now_ns the time, ns
 * @return a ticket (0 or more): make the call, then report; TTB_NO_ENDPOINT
 *         (nobody may be picked); TTB_THROTTLED (all who may be are taking their
 *         calls back by and by, and this is not one of them); TTB_ERR_UNSUPPORTED
 *         (the pool has limits: ttb_pool_begin); TTB_ERR_MISUSE (not a joined
 *         handle)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_pool_acquire(ttb_pool *joined, uint64_t hash, uint64_t now_ns);

/**
 * @brief ttb_pool_acquire, but none of these: for a retry elsewhere.
 * @param joined         the thread's handle
 * @param hash           as ttb_pool_acquire
 * @param excluded_slots n slots already tried; may be NULL if n is 0
 * @param n              how many, 0..1000
 * @param now_ns         the time, ns
 * @return as ttb_pool_acquire; TTB_ALL_EXCLUDED if all that may be picked are on
 *         the list; TTB_ERR_RANGE (n)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_pool_acquire_except(ttb_pool *joined, uint64_t hash,
                                        const uint32_t *excluded_slots, uint32_t n,
                                        uint64_t now_ns);

/**
 * @brief ttb_pool_acquire_except, but never a probe: for calls that cannot be
 *        retried and should not be the ones to try out an endpoint.
 *
 * With probing by traffic somebody has to be the probe: if all calls are made
 * this way, an endpoint whose breaker opened never comes back.
 * @param joined         the thread's handle
 * @param hash           as ttb_pool_acquire
 * @param excluded_slots n slots already tried; may be NULL if n is 0
 * @param n              how many, 0..1000
 * @param now_ns         the time, ns
 * @return as ttb_pool_acquire_except
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_pool_acquire_ordinary(ttb_pool *joined, uint64_t hash,
                                          const uint32_t *excluded_slots, uint32_t n,
                                          uint64_t now_ns);

/**
 * @brief Begins a call: asks the limits, then picks an endpoint. Also for pools
 *        without limits.
 * @param joined the thread's handle
 * @param call   what is asked; on success it holds ticket and permits until
 *               ttb_pool_end. On a refusal it holds nothing.
 * @param now_ns the time, ns
 * @return the ticket (0 or more); TTB_LIMIT, TTB_THROTTLED (refused_by says by
 *         which limit; -1: by the ramps of all that may be picked);
 *         TTB_NO_ENDPOINT; TTB_ALL_EXCLUDED; TTB_ERR_RANGE (a field);
 *         TTB_ERR_UNSUPPORTED (flags, struct_size); TTB_ERR_MISUSE (handle, NULL)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_pool_begin(ttb_pool *joined, ttb_pool_call *call, uint64_t now_ns);

/**
 * @brief Ends a call that ttb_pool_begin began. It can be used for the next.
 * @param joined     the handle that began it (see Tickets)
 * @param call       the same struct
 * @param outcome    TTB_SUCCESS .. TTB_SLOW_FAILURE
 * @param latency_ns how long it took, ns
 * @param now_ns     the time, ns
 * @return as ttb_pool_report; TTB_STALE also if the call has ended or not begun
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_end(ttb_pool *joined, ttb_pool_call *call, int32_t outcome,
                             uint64_t latency_ns, uint64_t now_ns);

/**
 * @brief A limit's state.
 * @param pool     the handle
 * @param limit    which, 0..n_limits-1
 * @param ask      as ttb_limiter_explain's, for its kind
 * @param now_ns   the time, ns
 * @param ret_info filled in; its struct_size must be set
 * @return as ttb_limiter_explain; TTB_ERR_RANGE also if there is no such limit
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_limit(const ttb_pool *pool, uint32_t limit, uint32_t ask, uint64_t now_ns,
                               ttb_limiter_info *ret_info);

/**
 * @brief Says that the call of a ticket ended, and how.
 * @param joined     the handle of the thread that acquired it (see Tickets)
 * @param ticket     what acquire returned
 * @param outcome    TTB_SUCCESS .. TTB_SLOW_FAILURE
 * @param latency_ns how long it took, ns
 * @param now_ns     the time, ns
 * @return TTB_OK; TTB_STALE (twice, or from elsewhere: nothing changed);
 *         TTB_ERR_MISUSE (handle, a negative ticket); TTB_ERR_RANGE
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_report(ttb_pool *joined, int64_t ticket, int32_t outcome,
                                uint64_t latency_ns, uint64_t now_ns);

/**
 * @brief ttb_pool_acquire n times, in order, at one time.
 * @param joined      the thread's handle
 * @param hashes      n hashes; NULL: all 0
 * @param n           how many, 0..2^31-1
 * @param now_ns      the time, ns
 * @param ret_tickets n tickets or codes
 * @return how many were granted; TTB_ERR_MISUSE
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_acquire_n(ttb_pool *joined, const uint64_t *hashes, uint32_t n,
                                   uint64_t now_ns, int64_t *ret_tickets);

/**
 * @brief ttb_pool_report for n tickets, in order, at one time.
 * @param joined       the handle
 * @param tickets      n tickets; negative ones (refusals) are passed over
 * @param outcomes     n outcomes; NULL: all TTB_SUCCESS
 * @param latencies_ns n latencies; NULL: all 0
 * @param n            how many, 0..2^31-1
 * @param now_ns       the time, ns
 * @param ret_codes    n results as of ttb_pool_report; may be NULL
 * @return how many ended well (not stale, not refused); TTB_ERR_MISUSE
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_report_n(ttb_pool *joined, const int64_t *tickets,
                                  const int32_t *outcomes, const uint64_t *latencies_ns, uint32_t n,
                                  uint64_t now_ns, int32_t *ret_codes);

/**
 * @brief Whether a ticket is a probe for an endpoint's breaker.
 * @param ticket what acquire returned
 * @return 1 or 0; TTB_ERR_MISUSE for a negative one
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_is_probe(int64_t ticket);

/**
 * @brief Brings everything up to time: derives each endpoint's causes and
 *        weight from its breaker and its health, notices staleness.
 *
 * Call it several times a second, from one process or all. Idempotent.
 * @param joined the caller's handle
 * @param now_ns the time, ns
 * @return how many endpoints changed (0 or more); TTB_ERR_MISUSE (not joined)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_tick(ttb_pool *joined, uint64_t now_ns);

/**
 * @brief Hands out endpoints that should be probed now, each to one caller.
 * @param joined    the caller's handle
 * @param now_ns    the time, ns
 * @param ret_slots up to n slots
 * @param n         room there, 0..2^31-1
 * @return how many were handed out; TTB_ERR_MISUSE
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_probe_due(ttb_pool *joined, uint64_t now_ns, uint32_t *ret_slots,
                                   uint32_t n);

/**
 * @brief Says how a probe ended. With active probing it also counts for the
 *        endpoint's breaker once its open time is over: a success may close it,
 *        a failure sends it back to open. With probing by traffic ordinary calls
 *        decide that: a health URL may answer while the work fails.
 * @param joined     the caller's handle
 * @param slot       which endpoint
 * @param outcome    TTB_SUCCESS .. TTB_CANCELLED
 * @param latency_ns how long it took, ns; 0 if it was not measured
 * @param now_ns     the time, ns
 * @return TTB_OK; a positive TTB_STATUS_* if the endpoint's status changed to
 *         it; TTB_STALE (nobody lives there); TTB_ERR_MISUSE; TTB_ERR_RANGE
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_probe_result(ttb_pool *joined, uint32_t slot, int32_t outcome,
                                      uint64_t latency_ns, uint64_t now_ns);

/**
 * @brief Reads events.
 * @param pool       the handle; need not be joined
 * @param cursor     where the reader is; 0 the first time; moved on
 * @param ret_events up to n events
 * @param n          room there, 0..2^31-1
 * @param ret_lost   grows by the events that were overwritten or dropped before
 *                   this reader came; may be NULL
 * @return how many were read; TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_events(const ttb_pool *pool, uint64_t *cursor, ttb_pool_event *ret_events,
                                uint32_t n, uint64_t *ret_lost);

/**
 * @brief One row an endpoint: what is known of it and why it is not the next one.
 * @param pool           the handle
 * @param hash           as acquire
 * @param excluded_slots n_excluded slots; may be NULL
 * @param n_excluded     how many
 * @param now_ns         the time, ns
 * @param ret_rows       n rows; the first's struct_size must be set and is the stride
 * @param n              rows there
 * @return how many endpoints there are, which may be more than were written;
 *         TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any (a joined one: its thread) @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_explain(const ttb_pool *pool, uint64_t hash,
                                 const uint32_t *excluded_slots, uint32_t n_excluded,
                                 uint64_t now_ns, ttb_pool_info *ret_rows, uint32_t n);

/**
 * @brief One endpoint by its slot.
 * @param pool     the handle
 * @param slot     which
 * @param now_ns   the time, ns
 * @param ret_info filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID (nobody lives there); TTB_ERR_RANGE; TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_inspect(const ttb_pool *pool, uint32_t slot, uint64_t now_ns,
                                 ttb_pool_info *ret_info);

/**
 * @brief Numbers of the whole pool. Walks all endpoints.
 * @param pool      the handle
 * @param ret_stats filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_statistics(const ttb_pool *pool, ttb_pool_stats *ret_stats);

/**
 * @brief The structs of this header as the library sees them, for bindings.
 * @param which     0 config, 1 info, 2 stats, 3 event, 4 call
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pool_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
