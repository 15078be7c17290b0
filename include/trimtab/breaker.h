/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/breaker.h
 * @brief A circuit breaker that all threads and all processes of a host share.
 *
 * A breaker watches how calls to something end and, when too many fail, refuses
 * further calls at once for a while instead of letting them wait and fail. Then
 * it lets a few probes through and closes again when they succeed.
 *
 *                  enough failures                     open time over
 *      CLOSED ----------------------------> OPEN -----------------------> HALF_OPEN
 *        ^                                    ^   (noticed by acquire)      |    |
 *        |                                    +------- a probe fails -------+    |
 *        +---------------------- enough probes succeed --------------------------+
 *
 * Every call is `acquire`, the guarded call, `report`. Nothing is held in
 * between, so a worker killed at any instruction can at the most take one
 * outcome with it.
 *
 *     ttb_breaker b;
 *     ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
 *     c.consecutive = 5;
 *     c.open_ms = 60000;
 *     if (ttb_breaker_new(&b, &c, NULL) < 0) return 1;
 *
 *     int64_t t = ttb_breaker_acquire(&b, 0, now_ns);
 *     if (t < 0) return refuse(ttb_strerror((int32_t)t));
 *     bool ok = query();
 *     ttb_breaker_report(&b, t, ok ? TTB_SUCCESS : TTB_FAILURE, now_ns);
 *
 * ## When it opens
 *
 * Two rules, either of which is enough; each may be switched off (#TTB_OFF):
 *
 *  - **consecutive**: so many failures in a row (the rule of Nygard's "Release
 *    It!", of Envoy's consecutive_5xx and of most small libraries);
 *  - **failure rate**: failures / calls >= failure_rate within the last
 *    window_ms, once min_calls are in it (as Hystrix, resilience4j, Polly).
 *    The window is 16 buckets; the oldest leaves whole, so between 15/16 and
 *    16/16 of window_ms are looked at. It is exact over idle gaps of any length.
 *    A bucket that reaches 260,000 calls halves both its counts: the rate stays
 *    right, `calls` then says less than there were.
 *
 * A success counts as a call, resets the row of failures and never opens the
 * breaker. A slow outcome counts as a success. Ignored and cancelled outcomes
 * count nowhere.
 *
 * ## Open, half-open, closed again
 *
 * OPEN lasts open_ms, to the millisecond: a call at opened + open_ms is the
 * first that may probe (">=", as Polly and Sentinel). HALF_OPEN is a *round*: at
 * the most half_open_probes tickets are out at any moment, each named by its
 * holder, so neither a double report nor a late one can free another's.
 * half_open_successes successes close the breaker, one failure opens it again.
 * A round has a lease: lease_ms after it began, whatever is out is forgotten
 * and a new round begins. So probes whose callers died or forgot to report
 * never wedge the breaker (resilience4j#544, Polly#1979). Successes of a lapsed
 * round do not count on: half_open_successes must fit into one.
 *
 * Each transition begins a new generation. A report that belongs to an earlier
 * one is #TTB_STALE: counted, and changes nothing (Polly#217).
 *
 * ## A table of breakers
 *
 * An object holds `capacity` breakers (slots 0..capacity-1) under one
 * configuration: one an endpoint, a route, a tenant. A single breaker is a
 * table of one: slot 0. A breaker costs `size(n+1) - size(n)` bytes: 64 with
 * the consecutive rule alone, 192 with a window, at up to 4 probes.
 *
 * ## Several processes
 *
 * Give `init` a shared mapping and let the others `attach`. To have a dead
 * worker's probes back at once instead of at the end of the lease, threads may
 * `join` (their probes then carry their row) and a survivor calls `recover` for
 * a process it knows to be dead (waitpid, pidfd).
 *
 * ## Time
 *
 * See lib/base/clock.h and docs/memory.md: time never runs backwards for a
 * breaker, and a jumping clock cannot hold it open longer than open_ms.
 */
#ifndef TRIMTAB_BREAKER_H
#define TRIMTAB_BREAKER_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle; see base.h. May be used by several threads at once unless it has
 *  been made by ttb_breaker_join. */
typedef struct ttb_breaker {
  uint64_t opaque[32]; /**< private */
} ttb_breaker;

/** @name States of a breaker
 *  @{ */
#define TTB_BREAKER_CLOSED 0      /**< calls pass and are counted */
#define TTB_BREAKER_OPEN 1        /**< calls are refused until the open time is over */
#define TTB_BREAKER_HALF_OPEN 2   /**< probes pass */
#define TTB_BREAKER_FORCED_OPEN 3 /**< calls are refused until somebody sets another state */
#define TTB_BREAKER_DISABLED 4    /**< calls pass and are not counted */
/** @} */

/** @name What a report did (positive results of ttb_breaker_report)
 *
 * Exactly one caller, in whatever process, gets each of them.
 *  @{ */
#define TTB_BREAKER_OPENED 1   /**< this report opened the breaker */
#define TTB_BREAKER_REOPENED 2 /**< this failed probe opened it again */
#define TTB_BREAKER_RECLOSED 3 /**< this successful probe closed it */
/** @} */

/** What a table of breakers shall do. Start with TTB_CONFIG. */
typedef struct ttb_breaker_config {
  uint32_t struct_size;         /**< sizeof(ttb_breaker_config) */
  uint32_t capacity;            /**< breakers in the table, 1..1048576; default 1 */
  int32_t consecutive;          /**< failures in a row that open it, 1..1000000, TTB_OFF; default 5 */
  int32_t failure_rate_ppm;     /**< rate that opens it, 1..1000000, TTB_OFF; default 500000 (50 %) */
  uint32_t window_ms;           /**< length of the window, 1000..86400000; default 10000 */
  uint32_t min_calls;           /**< calls in the window before the rate counts, 1..100000; default 20 */
  uint32_t open_ms;             /**< how long it stays open, 1..3600000; default 5000 */
  uint32_t half_open_probes;    /**< probes out at any moment, 1..32; default 1 */
  uint32_t half_open_successes; /**< successes that close it, 1..1000000; default 1 */
  uint32_t lease_ms;            /**< life of a half-open round, 1..3600000; default 60000 */
  uint32_t threads;             /**< threads that may join at once, 1..254; default 64 */
  uint32_t reserved;            /**< 0 */
  uint64_t seed;                /**< reserved for rules that draw; any */
} ttb_breaker_config;

/** One breaker's state and why it is so. */
typedef struct ttb_breaker_info {
  uint32_t struct_size;    /**< sizeof(ttb_breaker_info) */
  int32_t state;           /**< TTB_BREAKER_*; OPEN turns to HALF_OPEN when its time is over */
  uint32_t generation;     /**< counts transitions, modulo 2^20 */
  uint32_t calls;          /**< calls in the window (successes and failures) */
  uint32_t failures;       /**< failures in the window */
  int32_t failure_rate_ppm; /**< their ratio, -1 below min_calls or without a window */
  uint32_t consecutive;    /**< failures in a row */
  uint32_t probes_out;     /**< probes out in this round */
  uint32_t probe_successes; /**< successes of this round */
  uint32_t opened;         /**< how often it opened, modulo 2^32 */
  int64_t retry_after_ms;  /**< when a call may pass: 0 now, -1 not until somebody acts */
} ttb_breaker_info;

/** What concerns the whole table. */
typedef struct ttb_breaker_stats {
  uint32_t struct_size;     /**< sizeof(ttb_breaker_stats) */
  uint32_t capacity;        /**< breakers in the table */
  uint32_t joined;          /**< rows taken by threads */
  uint32_t reserved;        /**< 0 */
  uint64_t refused;         /**< acquires refused (open, half-open full, forced) */
  uint64_t stale;           /**< reports that came too late, twice, or from elsewhere */
  uint64_t clock_adoptions; /**< jumps of the clock beyond the ordinary */
} ttb_breaker_stats;

/**
 * @brief Checks a configuration and says what is wrong with it.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (a field, or both rules
 *         off); TTB_ERR_UNSUPPORTED (a field this library does not know)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_check(const ttb_breaker_config *config, ttb_detail *ret_detail);

/**
 * @brief Bytes a region needs.
 * @param config what it shall do
 * @return a multiple of 64, or the error ttb_breaker_check would give
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_breaker_size(const ttb_breaker_config *config);

/**
 * @brief Makes a table of closed breakers in memory the caller owns.
 *
 * The memory is exclusive until this returns; no byte of it is trusted.
 * Others may attach afterwards.
 * @param ret_breaker the handle
 * @param mem         the region, on a multiple of TTB_ALIGN
 * @param size        bytes there
 * @param config      what it shall do; copied
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, misaligned); TTB_ERR_NOSPACE; or as
 *         ttb_breaker_check
 * @threads exclusive @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_breaker_init(ttb_breaker *ret_breaker, void *mem, uint64_t size,
                                               const ttb_breaker_config *config);

/**
 * @brief Makes a handle to a table that another process (or mapping) made.
 *
 * Checks the region and copies all it needs; hostile bytes are an error here
 * and harmless later.
 * @param ret_breaker the handle
 * @param mem         the region, on a multiple of TTB_ALIGN; any address
 * @param size        bytes mapped there
 * @return TTB_OK; TTB_AGAIN (not made yet, or being made); TTB_ERR_MISUSE;
 *         TTB_ERR_NOSPACE (mapped short); TTB_ERR_CORRUPT; TTB_ERR_VERSION;
 *         TTB_ERR_MISMATCH (another kind of object)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_breaker_attach(ttb_breaker *ret_breaker, void *mem,
                                                 uint64_t size);

/**
 * @brief Makes a table in memory of its own: one allocation, then init.
 * @param ret_breaker the handle
 * @param config      what it shall do
 * @param allocator   where the memory comes from; NULL for the C library's
 * @return TTB_OK; TTB_ERR_NOMEM; TTB_ERR_MISUSE; or as ttb_breaker_check
 * @threads any @progress as the allocator @alloc once @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_breaker_new(ttb_breaker *ret_breaker,
                                              const ttb_breaker_config *config,
                                              const ttb_allocator *allocator);

/**
 * @brief Ends a handle: gives back the memory ttb_breaker_new took, leaves the
 *        row of a joined one, and clears it.
 * @param breaker the handle; NULL or a cleared one is a no-op
 * @threads exclusive (the handle) @progress wait-free @alloc none @since 0.1
 */
TTB_API void ttb_breaker_free(ttb_breaker *breaker);

/**
 * @brief Makes a thread's own handle, whose probes a survivor can take back.
 * @param shared     a handle to the table
 * @param token      the process, 1..TTB_MAX_TOKEN (see base.h)
 * @param ret_joined the thread's handle; end it with ttb_breaker_free
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (token); TTB_ERR_NOSPACE (all
 *         rows taken: raise `threads`, or recover the dead)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_breaker_join(const ttb_breaker *shared, uint64_t token,
                                               ttb_breaker *ret_joined);

/**
 * @brief Takes back what a dead process held: its rows and its probes.
 *
 * The caller states that the process is dead (it has waited for it, or a pidfd
 * says so); nothing here can check that. Idempotent; if the recovering process
 * dies in the middle, recover that one too.
 * @param joined the caller's own handle (from ttb_breaker_join)
 * @param token  the dead process; not the caller's
 * @return rows freed (0 or more); TTB_ERR_MISUSE (not joined, own token);
 *         TTB_ERR_RANGE (token)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_recover(ttb_breaker *joined, uint64_t token);

/**
 * @brief Asks whether a call may be made.
 *
 * Closed, this is one load.
 * @param breaker the handle
 * @param slot    which breaker, 0..capacity-1
 * @param now_ns  the time, ns
 * @return a ticket (0 or more): make the call, then report; TTB_OPEN (open or
 *         forced open); TTB_HALF_OPEN_FULL; TTB_ERR_MISUSE (handle);
 *         TTB_ERR_RANGE (slot)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_breaker_acquire(ttb_breaker *breaker, uint32_t slot, uint64_t now_ns);

/**
 * @brief Says how the call of a ticket ended. Any thread or process may.
 * @param breaker the handle
 * @param ticket  what acquire returned
 * @param outcome TTB_SUCCESS, TTB_FAILURE, TTB_SLOW, TTB_IGNORED, TTB_CANCELLED
 * @param now_ns  the time, ns
 * @return TTB_OK; TTB_BREAKER_OPENED, _REOPENED, _RECLOSED (to exactly one
 *         caller each); TTB_STALE (counted, nothing changed); TTB_ERR_MISUSE
 *         (handle, a negative ticket); TTB_ERR_RANGE (slot, outcome)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_report(ttb_breaker *breaker, int64_t ticket, int32_t outcome,
                                   uint64_t now_ns);

/**
 * @brief ttb_breaker_acquire for n slots, in order, at one time.
 * @param breaker     the handle
 * @param slots       n slots; may be NULL if n is 0
 * @param n           how many, 0..2^31-1
 * @param now_ns      the time, ns
 * @param ret_tickets n tickets or codes
 * @return how many were granted; TTB_ERR_MISUSE (handle, NULL, n)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_acquire_n(ttb_breaker *breaker, const uint32_t *slots, uint32_t n,
                                      uint64_t now_ns, int64_t *ret_tickets);

/**
 * @brief ttb_breaker_report for n tickets, in order, at one time.
 * @param breaker   the handle
 * @param tickets   n tickets; negative ones (refusals) are passed over
 * @param outcomes  n outcomes
 * @param n         how many, 0..2^31-1
 * @param now_ns    the time, ns
 * @param ret_codes n results as of ttb_breaker_report; may be NULL
 * @return how many were counted (not stale, not refused); TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_report_n(ttb_breaker *breaker, const int64_t *tickets,
                                     const int32_t *outcomes, uint32_t n, uint64_t now_ns,
                                     int32_t *ret_codes);

/**
 * @brief Puts a breaker into a state by hand; a new generation begins.
 * @param breaker the handle
 * @param slot    which breaker
 * @param state   TTB_BREAKER_CLOSED (also: reset), TTB_BREAKER_OPEN (for
 *                open_ms), TTB_BREAKER_FORCED_OPEN, TTB_BREAKER_DISABLED
 * @param now_ns  the time, ns
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, state)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_set(ttb_breaker *breaker, uint32_t slot, int32_t state,
                                uint64_t now_ns);

/**
 * @brief Whether acquire would let a call pass now; takes nothing.
 * @param breaker the handle
 * @param slot    which breaker
 * @param now_ns  the time, ns
 * @return TTB_OK (it would); TTB_OPEN; TTB_HALF_OPEN_FULL; TTB_ERR_MISUSE;
 *         TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_peek(const ttb_breaker *breaker, uint32_t slot, uint64_t now_ns);

/**
 * @brief A breaker's state and the numbers behind it. Takes nothing.
 * @param breaker  the handle
 * @param slot     which breaker
 * @param now_ns   the time, ns
 * @param ret_info filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_explain(const ttb_breaker *breaker, uint32_t slot, uint64_t now_ns,
                                    ttb_breaker_info *ret_info);

/**
 * @brief Counters of the whole table.
 * @param breaker   the handle
 * @param ret_stats filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_statistics(const ttb_breaker *breaker, ttb_breaker_stats *ret_stats);

/**
 * @brief Whether a ticket is a probe of a half-open round.
 * @param ticket what acquire returned
 * @return 1 or 0; TTB_ERR_MISUSE for a negative one
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_is_probe(int64_t ticket);

/**
 * @brief The structs of this header as the library sees them, for bindings.
 * @param which     0 config, 1 info, 2 stats
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
