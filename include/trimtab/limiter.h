/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/limiter.h
 * @brief Limits that all threads and processes of a host share: how many at
 *        once, how many a second, how many retries, how much of an overload.
 *
 * Every call is `acquire`, the guarded call, `report`. A table has one *kind*;
 * its slots are keys: an endpoint, a route, a tenant.
 *
 *     kind           a slot is               acquire's `ask`      refused with
 *     BULKHEAD       so many permits         importance 0..3      TTB_LIMIT
 *     RATE           one GCRA word           events, 0 means 1    TTB_LIMIT
 *     RETRY          a window of 16 buckets  attempt, 0 = first   TTB_LIMIT
 *     RETRY_TOKENS   one word of tokens      attempt, 0 = first   TTB_LIMIT
 *     THROTTLE       a window, a draw        0                    TTB_THROTTLED
 *
 *     ttb_limiter l;
 *     ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
 *     c.kind = TTB_LIMITER_BULKHEAD;
 *     c.permits = 20;
 *     if (ttb_limiter_new(&l, &c, NULL) < 0) return 1;
 *
 *     int64_t t = ttb_limiter_acquire(&l, 0, 0, now_ns);
 *     if (t < 0) return refuse(ttb_strerror((int32_t)t));
 *     bool ok = query();
 *     ttb_limiter_report(&l, t, ok ? TTB_SUCCESS : TTB_FAILURE, now_ns);
 *
 * ## Bulkhead: at most `permits` at once
 *
 * Each permit is a word that names its holder, so the limit is exact: never one
 * more, in all processes together, and neither a double nor a late report frees
 * another's permit. Permits of a dead process come back exactly, by recover
 * (threads must join for that), or each at the end of its own lease_ms. Without
 * either, a permit is out until it is reported.
 *
 * Importance 0 may use all permits, importance k all but reserve_k of them
 * (criticality of the Google SRE book, chapter 21: CRITICAL_PLUS is 0,
 * SHEDDABLE is 3). Each takes first what the less important may not touch.
 *
 * ## Rate: `rate` events in `period_ms`, `burst` at once
 *
 * The generic cell rate algorithm (ITU-T I.371): one word holds the time at
 * which the key would be idle again. It behaves as a bucket of `burst` tokens
 * that starts full and gets `rate` tokens each period. In any stretch of time d
 * at most burst + d * rate / period events pass; the interval between two
 * events is rounded up to 1/256 ns, never down. TTB_CANCELLED gives events back.
 *
 * ## Retry: retries at most a share of the calls
 *
 * Each first attempt earns ratio_ppm of a retry, for window_ms; per_second
 * retries a second are free, so that a quiet client can retry too:
 *
 *     balance = per_second * window + ratio * first attempts - retries >= 1
 *
 * (finagle's RetryBudget and tower's TpsBudget, but the ratio is exact.) A
 * hedge is an attempt like any other retry. RETRY_TOKENS is gRPC's A6: `tokens`
 * at the start, each failure takes one, each success earns ratio_ppm of one;
 * retries pass only while more than half are left. How long to wait before one:
 * ttb_limiter_backoff_ms.
 *
 * ## Throttle: refuse at home what would be refused there
 *
 * The client-side throttle of the Google SRE book (chapter 21) and of Envoy's
 * admission control. Of the last window_ms:
 *
 *     p = max(0, (requests - accepts / accept) / (requests + 1)) ^ (1 / aggression)
 *
 * calls are refused with probability p, at most max_reject_ppm. K of the book
 * is 1 / accept. Success and slow are accepts; a failure, and a refusal of the
 * throttle itself, is a request without accept; ignored and cancelled count
 * nowhere. The draw is a function of the seed and of how many were drawn.
 *
 * ## Several processes
 *
 * Give `init` a shared mapping and let the others `attach`. A killed worker
 * takes with it at most the outcome it was reporting and, in a bulkhead, the
 * permits it held, until they are recovered. Time: docs/memory.md.
 */
#ifndef TRIMTAB_LIMITER_H
#define TRIMTAB_LIMITER_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle; see base.h. May be used by several threads at once unless it has
 *  been made by ttb_limiter_join. */
typedef struct ttb_limiter {
  uint64_t opaque[32]; /**< private */
} ttb_limiter;

/** @name Kinds of limiters
 *  @{ */
#define TTB_LIMITER_BULKHEAD 1     /**< how many at once */
#define TTB_LIMITER_RATE 2         /**< how many in a time */
#define TTB_LIMITER_RETRY 3        /**< how many retries: a share of the first attempts */
#define TTB_LIMITER_RETRY_TOKENS 4 /**< how many retries: gRPC's tokens */
#define TTB_LIMITER_THROTTLE 5     /**< refuse a share while the other side refuses */
/** @} */

/** @name Jitter of a backoff
 *
 * The names are those of M. Brooker, "Exponential Backoff And Jitter" (AWS, 2015).
 *  @{ */
#define TTB_BACKOFF_FULL 1         /**< anything from 0 to the step */
#define TTB_BACKOFF_EQUAL 2        /**< half the step and anything up to the other half */
#define TTB_BACKOFF_DECORRELATED 3 /**< anything from base to three times the last wait */
#define TTB_BACKOFF_NONE 4         /**< the step itself */
/** @} */

/** What a table of limits shall do. Start with TTB_CONFIG. Fields of other
 *  kinds than the table's are checked and otherwise ignored. */
typedef struct ttb_limiter_config {
  uint32_t struct_size;   /**< sizeof(ttb_limiter_config) */
  uint32_t kind;          /**< TTB_LIMITER_*; default TTB_LIMITER_BULKHEAD */
  uint32_t capacity;      /**< keys in the table, 1..1048576; default 1 */
  uint32_t threads;       /**< threads that may join at once, 1..254; default 64 */
  uint32_t permits;       /**< bulkhead: calls at once, 1..16384; default 25 */
  uint32_t reserve_1;     /**< bulkhead: permits importance 1 may not use, 0..permits-1 */
  uint32_t reserve_2;     /**< bulkhead: permits importance 2 may not use, 0..permits-1 */
  uint32_t reserve_3;     /**< bulkhead: permits importance 3 may not use, 0..permits-1 */
  int32_t lease_ms;       /**< bulkhead: life of a permit, 1..3600000, TTB_OFF; default TTB_OFF */
  uint32_t rate;          /**< rate: events in a period, 1..1000000000; default 100 */
  uint32_t period_ms;     /**< rate: the period, 1..86400000; default 1000 */
  uint32_t burst;         /**< rate: events at once, 1..1000000000; default 10 */
  uint32_t window_ms;     /**< retry, throttle: what is looked at, 1000..86400000; default 10000 */
  int32_t ratio_ppm;      /**< retry: earned by a call, 1..1000000000, TTB_OFF; default 200000 */
  int32_t per_second;     /**< retry: free retries a second, 1..1000000, TTB_OFF; default 10 */
  uint32_t tokens;        /**< retry tokens: the most there are, 1..1000000; default 10 */
  int32_t accept_ppm;     /**< throttle: accepted share to keep, 1000..1000000; default 500000 */
  uint32_t aggression;    /**< throttle: root taken of the probability, 1..8; default 1 */
  int32_t max_reject_ppm; /**< throttle: highest probability, 1..1000000; default 800000 */
  uint32_t min_requests;  /**< throttle: below this it refuses none, 1..100000; default 20 */
  uint64_t seed;          /**< throttle: of the draws; any */
} ttb_limiter_config;

/** How long to wait before a retry. Start with TTB_CONFIG. */
typedef struct ttb_limiter_backoff_config {
  uint32_t struct_size; /**< sizeof(ttb_limiter_backoff_config) */
  uint32_t jitter;      /**< TTB_BACKOFF_*; default TTB_BACKOFF_FULL */
  uint32_t base_ms;     /**< the first step, 1..3600000; default 100 */
  uint32_t cap_ms;      /**< the longest, base_ms..86400000; default 20000 */
  uint64_t seed;        /**< any; a request's own number will do */
} ttb_limiter_backoff_config;

/** One key's state. */
typedef struct ttb_limiter_info {
  uint32_t struct_size;   /**< sizeof(ttb_limiter_info) */
  uint32_t kind;          /**< TTB_LIMITER_* */
  uint32_t available;     /**< bulkhead, rate, retry: how many would be granted in a row */
  uint32_t in_use;        /**< bulkhead: permits out */
  int32_t reject_ppm;     /**< throttle: probability of a refusal, ppm */
  uint32_t reserved;      /**< 0 */
  uint64_t requests;      /**< retry: first attempts in the window; throttle: requests */
  uint64_t accepts;       /**< retry: retries in the window; throttle: accepted requests */
  int64_t balance_ppm;    /**< retry: what is left, in millionths of a retry (of a token) */
  int64_t retry_after_ns; /**< when to ask again, ns: 0 now, -1 when others report or time passes */
} ttb_limiter_info;

/** What concerns the whole table. */
typedef struct ttb_limiter_stats {
  uint32_t struct_size;     /**< sizeof(ttb_limiter_stats) */
  uint32_t capacity;        /**< keys in the table */
  uint32_t joined;          /**< rows taken by threads */
  uint32_t kind;            /**< TTB_LIMITER_* */
  uint64_t refused;         /**< acquires refused */
  uint64_t stale;           /**< reports that came too late, twice, or from elsewhere */
  uint64_t clock_adoptions; /**< jumps of the clock beyond the ordinary */
} ttb_limiter_stats;

/**
 * @brief Checks a configuration and says what is wrong with it.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (a field; a reserve not
 *         below permits; burst that takes more than 30 days to refill);
 *         TTB_ERR_UNSUPPORTED (a field this library does not know)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_check(const ttb_limiter_config *config, ttb_detail *ret_detail);

/**
 * @brief Bytes a region needs.
 * @param config what it shall do
 * @return a multiple of 64, or the error ttb_limiter_check would give
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_limiter_size(const ttb_limiter_config *config);

/**
 * @brief Makes a table of unused limits in memory the caller owns.
 *
 * The memory is exclusive until this returns; no byte of it is trusted.
 * Others may attach afterwards.
 * @param ret_limiter the handle
 * @param mem         the region, on a multiple of TTB_ALIGN
 * @param size        bytes there
 * @param config      what it shall do; copied
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, misaligned); TTB_ERR_NOSPACE; or as
 *         ttb_limiter_check
 * @threads exclusive @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_limiter_init(ttb_limiter *ret_limiter, void *mem, uint64_t size,
                                               const ttb_limiter_config *config);

/**
 * @brief Makes a handle to a table that another process (or mapping) made.
 *
 * Checks the region and copies all it needs; hostile bytes are an error here
 * and harmless later.
 * @param ret_limiter the handle
 * @param mem         the region, on a multiple of TTB_ALIGN; any address
 * @param size        bytes mapped there
 * @return TTB_OK; TTB_AGAIN (not made yet, or being made); TTB_ERR_MISUSE;
 *         TTB_ERR_NOSPACE (mapped short); TTB_ERR_CORRUPT; TTB_ERR_VERSION;
 *         TTB_ERR_MISMATCH (another kind of object)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_limiter_attach(ttb_limiter *ret_limiter, void *mem,
                                                 uint64_t size);

/**
 * @brief Makes a table in memory of its own: one allocation, then init.
 * @param ret_limiter the handle
 * @param config      what it shall do
 * @param allocator   where the memory comes from; NULL for the C library's
 * @return TTB_OK; TTB_ERR_NOMEM; TTB_ERR_MISUSE; or as ttb_limiter_check
 * @threads any @progress as the allocator @alloc once @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_limiter_new(ttb_limiter *ret_limiter,
                                              const ttb_limiter_config *config,
                                              const ttb_allocator *allocator);

/**
 * @brief Ends a handle: gives back the memory ttb_limiter_new took, leaves the
 *        row of a joined one (its permits are given back), and clears it.
 * @param limiter the handle; NULL or a cleared one is a no-op
 * @threads exclusive (the handle) @progress wait-free @alloc none @since 0.1
 */
TTB_API void ttb_limiter_free(ttb_limiter *limiter);

/**
 * @brief Makes a thread's own handle, whose permits a survivor can take back.
 *        It is faster, too: it tries first the permit it gave back last.
 * @param shared     a handle to the table
 * @param token      the process, 1..TTB_MAX_TOKEN (see base.h)
 * @param ret_joined the thread's handle; end it with ttb_limiter_free
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (token); TTB_ERR_NOSPACE (all
 *         rows taken: raise `threads`, or recover the dead)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_limiter_join(const ttb_limiter *shared, uint64_t token,
                                               ttb_limiter *ret_joined);

/**
 * @brief Takes back what a dead process held: its rows and its permits.
 *
 * The caller states that the process is dead (it has waited for it, or a pidfd
 * says so); nothing here can check that. Idempotent; if the recovering process
 * dies in the middle, recover that one too.
 * @param joined the caller's own handle (from ttb_limiter_join)
 * @param token  the dead process; not the caller's
 * @return rows freed (0 or more); TTB_ERR_MISUSE (not joined, own token);
 *         TTB_ERR_RANGE (token)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_recover(ttb_limiter *joined, uint64_t token);

/**
 * @brief Asks whether a call may be made.
 *
 * A bulkhead's refusal has looked at every permit; one given back meanwhile may
 * be missed, one too many is never granted.
 * @param limiter the handle
 * @param slot    which key, 0..capacity-1
 * @param ask     bulkhead: importance, 0..3, 0 the highest; rate: events,
 *                0 (means 1)..32767, at most burst; retry: attempts made
 *                before, 0 for the first; throttle: 0
 * @param now_ns  the time, ns
 * @return a ticket (0 or more): make the call, then report; TTB_LIMIT;
 *         TTB_THROTTLED; TTB_ERR_MISUSE (handle); TTB_ERR_RANGE (slot, ask)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_limiter_acquire(ttb_limiter *limiter, uint32_t slot, uint32_t ask,
                                    uint64_t now_ns);

/**
 * @brief Says how the call of a ticket ended. Any thread or process may.
 *
 * Bulkhead: any outcome gives the permit back. Rate and retry: TTB_CANCELLED
 * gives back what acquire took (once; a second time is not noticed there).
 * @param limiter the handle
 * @param ticket  what acquire returned
 * @param outcome TTB_SUCCESS, TTB_FAILURE, TTB_SLOW, TTB_IGNORED, TTB_CANCELLED
 * @param now_ns  the time, ns
 * @return TTB_OK; TTB_STALE (late, double or foreign: counted, nothing
 *         changed); TTB_ERR_MISUSE (handle, a negative ticket); TTB_ERR_RANGE
 *         (slot, outcome)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_report(ttb_limiter *limiter, int64_t ticket, int32_t outcome,
                                   uint64_t now_ns);

/**
 * @brief ttb_limiter_acquire for n slots, in order, at one time.
 * @param limiter     the handle
 * @param slots       n slots; may be NULL if n is 0
 * @param asks        n asks; NULL: all 0
 * @param n           how many, 0..2^31-1
 * @param now_ns      the time, ns
 * @param ret_tickets n tickets or codes
 * @return how many were granted; TTB_ERR_MISUSE (handle, NULL, n)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_acquire_n(ttb_limiter *limiter, const uint32_t *slots,
                                      const uint32_t *asks, uint32_t n, uint64_t now_ns,
                                      int64_t *ret_tickets);

/**
 * @brief ttb_limiter_report for n tickets, in order, at one time.
 * @param limiter   the handle
 * @param tickets   n tickets; negative ones (refusals) are passed over
 * @param outcomes  n outcomes
 * @param n         how many, 0..2^31-1
 * @param now_ns    the time, ns
 * @param ret_codes n results as of ttb_limiter_report; may be NULL
 * @return how many were counted (not stale, not refused); TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_report_n(ttb_limiter *limiter, const int64_t *tickets,
                                     const int32_t *outcomes, uint32_t n, uint64_t now_ns,
                                     int32_t *ret_codes);

/**
 * @brief Whether acquire would grant it now; takes nothing. A throttle draws:
 *        it is TTB_OK here unless the refusal is certain.
 * @param limiter the handle
 * @param slot    which key
 * @param ask     as for acquire
 * @param now_ns  the time, ns
 * @return TTB_OK (it would); TTB_LIMIT; TTB_THROTTLED; TTB_ERR_MISUSE;
 *         TTB_ERR_RANGE (slot, ask)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_peek(const ttb_limiter *limiter, uint32_t slot, uint32_t ask,
                                 uint64_t now_ns);

/**
 * @brief A key's state and the numbers behind it. Takes nothing.
 * @param limiter  the handle
 * @param slot     which key
 * @param ask      as for acquire: `available` and `retry_after_ns` are told for it
 * @param now_ns   the time, ns
 * @param ret_info filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, ask, struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_explain(const ttb_limiter *limiter, uint32_t slot, uint32_t ask,
                                    uint64_t now_ns, ttb_limiter_info *ret_info);

/**
 * @brief Counters of the whole table.
 * @param limiter   the handle
 * @param ret_stats filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_statistics(const ttb_limiter *limiter, ttb_limiter_stats *ret_stats);

/**
 * @brief The throttle's formula alone: the probability of a refusal.
 * @param requests       what was asked of the other side
 * @param accepts        what it accepted; at most requests counts
 * @param accept_ppm     share to keep, 1000..1000000, ppm
 * @param aggression     root taken, 1..8
 * @param max_reject_ppm highest probability, 1..1000000, ppm
 * @return 0..max_reject_ppm, rounded; TTB_ERR_RANGE (requests of 2^40 or
 *         more, or another number out of range)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_reject_ppm(uint64_t requests, uint64_t accepts, int32_t accept_ppm,
                                       uint32_t aggression, int32_t max_reject_ppm);

/**
 * @brief Checks a backoff's configuration and says what is wrong with it.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (a field, or cap_ms
 *         below base_ms); TTB_ERR_UNSUPPORTED
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_backoff_check(const ttb_limiter_backoff_config *config,
                                          ttb_detail *ret_detail);

/**
 * @brief How long to wait before a retry: exponential, with jitter.
 *
 * step = min(cap_ms, base_ms * 2^attempt). A pure function: the same arguments
 * give the same wait, so give each request (or client) a seed of its own.
 * @param config      how to wait
 * @param attempt     attempts that failed before this wait, less one: 0, 1, 2, ...
 * @param previous_ms the wait before this one, 0 if there was none; only
 *                    TTB_BACKOFF_DECORRELATED looks at it
 * @return ms to wait, 0..cap_ms; or as ttb_limiter_backoff_check
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_limiter_backoff_ms(const ttb_limiter_backoff_config *config, uint32_t attempt,
                                       uint64_t previous_ms);

/**
 * @brief The structs of this header as the library sees them, for bindings.
 * @param which     0 config, 1 info, 2 stats, 3 backoff config
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
