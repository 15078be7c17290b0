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
 *     ADAPTIVE       permits, a window       0                    TTB_LIMIT
 *     RETRY_CONCURRENT  a cell a thread      attempt, 0 = first   TTB_LIMIT
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
 * It is for a call that was not made after all, and said at once: if the bucket
 * has been full since, time has given them back already, and they are too many.
 *
 * ## Retry: retries at most a share of the calls
 *
 * Each first attempt earns ratio_ppm of a retry, for window_ms; per_second
 * retries a second are free, so that a quiet client can retry too:
 *
 *     balance = per_second * window + ratio * first attempts - retries >= 1
 *
 * (finagle's RetryBudget and tower's TpsBudget, but the ratio is exact.) A
 * hedge is an attempt like any other retry. RETRY_CONCURRENT is Envoy's budget:
 * a retry passes while fewer than max(min_retries, floor(budget * calls)) are in
 * flight, of all calls in flight. RETRY_TOKENS is gRPC's A6: `tokens`
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
 * calls are refused with probability p, at most max_reject_ppm and never all. K of the book
 * is 1 / accept. Success and slow are accepts; a failure, and a refusal of the
 * throttle itself, is a request without accept; ignored and cancelled count
 * nowhere. The draw is a function of the seed and of how many were drawn.
 *
 * ## Adaptive: as many at once as the other side can take
 *
 * A fixed number of permits is right for one speed of the other side. Here the
 * limit follows from how long the calls take: a ticket knows when it was taken,
 * its report is a sample, and once a window one caller derives the next limit.
 *
 *     AIMD       a drop: limit * backoff; else limit + 1
 *     VEGAS      queue = limit * (1 - least / latency); up while it is short
 *                (below alpha * log10(limit)), down while long (above beta * ...)
 *     GRADIENT2  g = tolerance * long / latency, in 0.5..1;
 *                limit + smoothing * (limit * g + queue - limit)
 *     GRADIENT   g = least * (1 + buffer) / latency, in 0.5..2;
 *                limit * g + sqrt(limit * g)
 *
 * The first three are those of Netflix's concurrency-limits, with its formulas
 * and defaults (long is the average of `long_window` windows; Gradient2 there is
 * meant to run in windows of a second, AIMD and Vegas on each call: that is
 * limit_window_ms TTB_OFF). The fourth is Envoy's adaptive concurrency: every
 * measure_ms the limit goes down to min_limit until measure_samples calls have
 * come back, and a quantile of these is the least latency; the first measurement
 * is at the start. The first three raise no limit that is not half used; Envoy's
 * does, so an idle service's limit drifts up to max_limit.
 *
 *     defaults    min  max   window   samples  smoothing  backoff  timeout
 *     AIMD        20   200   100 ms   10       -          0.9      5 s
 *     VEGAS       1    1000  100 ms   10       1          log10    off
 *     GRADIENT2   20   200   1 s      10       0.2        -        off
 *     GRADIENT    3    1000  100 ms   1        -          -        off
 *
 * A success or slow outcome is a sample; a failure is a drop, and so is a call
 * longer than timeout_ms; ignored and cancelled say nothing, nor does a success
 * whose time is before its acquire's. Report an error that says nothing of load as
 * TTB_IGNORED. Permits are exact and come back as those of a bulkhead: never one
 * beyond the limit is granted. After a cut the calls that are out above it run to
 * their end and are not replaced.
 *
 * ## Keys
 *
 * With TTB_LIMITER_KEYED a slot belongs to a 64-bit key (ttb_hash of a client's
 * name, say): ttb_limiter_claim finds it or takes one that is unused or idle: a
 * bucket that is full again, a window with nothing in it. Make the table twice as
 * large as there can be busy keys: a key looks at 32 places. Bulkheads, adaptive
 * limits and concurrent budgets never count as idle, and keep their slots.
 *
 * ## Several processes
 *
 * Give `init` a shared mapping and let the others `attach`. A killed worker
 * takes with it at most the outcome it was reporting and what it had in flight
 * (permits, retries), until that is recovered. Time: docs/memory.md.
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
#define TTB_LIMITER_ADAPTIVE 6     /**< how many at once: found out from the latency */
#define TTB_LIMITER_RETRY_CONCURRENT 7 /**< how many retries: a share of the calls in flight */
/** @} */

/** @name Algorithms of an adaptive limit (config.algorithm)
 *  @{ */
#define TTB_LIMIT_AIMD 1      /**< one more a window, a tenth less when a call is dropped */
#define TTB_LIMIT_VEGAS 2     /**< as many as make a short queue */
#define TTB_LIMIT_GRADIENT2 3 /**< latency against its long average */
#define TTB_LIMIT_GRADIENT 4  /**< latency against the least, which is measured (Envoy) */
/** @} */

/** @name Flags of a configuration
 *  @{ */
#define TTB_LIMITER_KEYED 1u /**< slots are found by 64-bit keys: ttb_limiter_claim */
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
  int32_t lease_ms;       /**< bulkhead, adaptive: life of a permit, 1..3600000, TTB_OFF; default
                               TTB_OFF */
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
  uint64_t seed;          /**< of the draws, of where keys lie; any */
  uint32_t flags;         /**< TTB_LIMITER_KEYED or 0 */
  uint32_t algorithm;     /**< adaptive: TTB_LIMIT_*; default TTB_LIMIT_GRADIENT2 */
  uint32_t initial_limit; /**< adaptive: calls at once at first, min_limit..max_limit; default 20;
                               gradient: always min_limit */
  uint32_t min_limit;     /**< adaptive: never fewer, 1..max_limit; default by algorithm */
  uint32_t max_limit;     /**< adaptive: never more, 1..32767; default by algorithm */
  int32_t limit_window_ms; /**< adaptive: from limit to limit, 1..3600000, TTB_OFF: each report */
  uint32_t limit_samples; /**< adaptive: calls a window must have, 1..10000; default 10 (1) */
  int32_t smoothing_ppm;  /**< vegas, gradient2: of a step taken, 1..1000000 */
  int32_t backoff_ppm;    /**< aimd, vegas: left after a cut, 1..999999; vegas: TTB_OFF */
  int32_t timeout_ms;     /**< adaptive: a longer call is a drop, 1..3600000, TTB_OFF */
  uint32_t alpha;         /**< vegas: shortest queue wanted, in log10s, 1..1000; default 3 */
  uint32_t beta;          /**< vegas: longest queue wanted, in log10s, 1..1000; default 6 */
  uint32_t queue;         /**< gradient2: calls that may wait, 1..10000; default 4 */
  uint32_t long_window;   /**< gradient2: windows of the long average, 1..1000000; default 600 */
  int32_t tolerance_ppm;  /**< gradient2: latency allowed, 1000000..10000000; default 1500000 */
  int32_t buffer_ppm;     /**< gradient: latency allowed above the least, 1..10000000, TTB_OFF;
                               default 250000 */
  uint32_t measure_ms;    /**< gradient: between measurements, 1000..86400000; default 60000 */
  uint32_t measure_samples; /**< gradient: calls of a measurement, 1..10000; default 50 */
  int32_t measure_jitter_ppm; /**< gradient: measure_ms longer by up to, 1..1000000, TTB_OFF;
                                   default 150000 */
  int32_t quantile_ppm;   /**< gradient: of a window's latencies, 1..1000000; default 500000 */
  int32_t budget_ppm;     /**< retry concurrent: of the calls, 1..1000000, TTB_OFF; default 200000 */
  int32_t min_retries;    /**< retry concurrent: always, 1..1000000, TTB_OFF; default 3 */
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
  uint32_t available;     /**< how many would be granted in a row. Rate: events; retry tokens:
                               how many retries may fail before one is refused; throttle: 0 */
  uint32_t in_use;        /**< bulkhead, adaptive, retry concurrent: calls in flight */
  int32_t reject_ppm;     /**< throttle: probability of a refusal, at most 999999, ppm */
  uint32_t reserved;      /**< 0 */
  uint64_t requests;      /**< retry: first attempts in the window; throttle: requests; retry
                               concurrent: calls in flight */
  uint64_t accepts;       /**< retry: retries in the window; throttle: accepted requests; retry
                               concurrent: retries in flight */
  int64_t balance_ppm;    /**< retry: what is left, in millionths of a retry (of a token) */
  int64_t retry_after_ns; /**< when to ask again, ns: 0 now, -1 when others report or time passes */
  uint64_t latency_ns;    /**< adaptive: the least (vegas, gradient) or long latency known, 0 none */
  uint32_t limit;         /**< adaptive: calls at once now; retry concurrent: retries at once now */
  int32_t measuring;      /**< adaptive: 1 while the gradient measures the least latency */
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
 *         below permits; burst that takes more than 30 days to refill; limits
 *         out of order; aimd without backoff);
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
 * Bulkhead, adaptive: the cost does not grow with the permits that are out, but
 * for a bit each. A refusal has found every permit out; it may miss one that is
 * given back meanwhile, and one that was free when a process was killed in the
 * middle of a call: until that one is recovered, for 100 ms at the most. (It looks
 * at every permit whenever a lease ends, and every 100 ms.) One too many is never
 * granted.
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
 * Bulkhead, adaptive, retry concurrent: any outcome gives the permit back. Rate
 * and retry: TTB_CANCELLED gives back what acquire took (once; a second time is
 * not noticed there).
 * @param limiter the handle
 * @param ticket  what acquire returned
 * @param outcome TTB_SUCCESS .. TTB_SLOW_FAILURE (here as TTB_FAILURE)
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
 * @brief Finds the slot of a key, or claims one for it.
 *
 * A claimed slot is the key's as long as it is not idle; so claim anew for each
 * call rather than keep the number. If the slot of an idle key is taken over
 * between its claim and the first event in it (the acquire of a rate or a retry
 * budget, the report of a throttle or of tokens), that is charged to the new key.
 * @param limiter the handle of a table with TTB_LIMITER_KEYED
 * @param key     any but 0; spread as a hash is, or not
 * @param now_ns  the time, ns: what is idle now
 * @return the slot; TTB_ERR_NOSPACE (the 32 places of this key are all busy);
 *         TTB_ERR_UNSUPPORTED (not a keyed table); TTB_ERR_RANGE (key 0);
 *         TTB_ERR_MISUSE (handle)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_claim(ttb_limiter *limiter, uint64_t key, uint64_t now_ns);

/**
 * @brief ttb_limiter_claim, then ttb_limiter_acquire.
 * @param limiter the handle of a table with TTB_LIMITER_KEYED
 * @param key     any but 0
 * @param ask     as for acquire
 * @param now_ns  the time, ns
 * @return as ttb_limiter_acquire; a negative code of ttb_limiter_claim
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_limiter_acquire_key(ttb_limiter *limiter, uint64_t key, uint32_t ask,
                                        uint64_t now_ns);

/**
 * @brief ttb_limiter_acquire_key for n keys, in order, at one time.
 * @param limiter     the handle of a table with TTB_LIMITER_KEYED
 * @param keys        n keys; may be NULL if n is 0
 * @param asks        n asks; NULL: all 0
 * @param n           how many, 0..2^31-1
 * @param now_ns      the time, ns
 * @param ret_tickets n tickets or codes
 * @return how many were granted; TTB_ERR_MISUSE (handle, NULL, n)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_acquire_key_n(ttb_limiter *limiter, const uint64_t *keys,
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
 * @brief Whether acquire would grant it now; takes nothing. A throttle draws,
 *        and no refusal of it is certain: it is TTB_OK here.
 * @param limiter the handle
 * @param slot    which key
 * @param ask     as for acquire
 * @param now_ns  the time, ns
 * @return TTB_OK (it would); TTB_LIMIT; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, ask)
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
 * @brief Who holds a key's permits: for people who want to know which process
 *        has them. Takes nothing.
 *
 * Bulkhead, adaptive: permits that are out; retry concurrent: calls in flight.
 * Of other kinds nobody holds anything. A process that is dead and still told
 * here wants ttb_limiter_recover. What handles hold that never joined is told
 * under token 0; only a lease, or their reports, give that back. Calls of
 * others go on meanwhile, so the sum need not be `in_use`.
 * @param limiter    the handle
 * @param slot       which key
 * @param now_ns     the time, ns
 * @param ret_tokens n process tokens, as given to join; 0: nobody who joined
 * @param ret_held   how many each of them holds, 1..16384 and more for calls
 * @param n          room there; 255 is enough, 0 only counts
 * @return how many processes hold something, 0..255, also those that found no
 *         room; TTB_ERR_MISUSE (handle, NULL); TTB_ERR_RANGE (slot)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_limiter_holders(const ttb_limiter *limiter, uint32_t slot, uint64_t now_ns,
                                    uint64_t *ret_tokens, uint32_t *ret_held, uint32_t n);

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
 * @brief When to send a hedge: the latency that a share of the calls stay below.
 *
 * Keep one number a kind of call (0 at first) and give it back with each first
 * attempt's latency: it follows the quantile, by a thirty-second of itself at the
 * most (Robbins and Monro). If an attempt is out for longer than that number, ask a
 * retry budget (attempt 1) whether a second may be sent. With 950000 about one
 * call in twenty is hedged ("The Tail at Scale", Dean and Barroso, 2013).
 * @param estimate_ns  what the last call returned, 0 for none, ns
 * @param latency_ns   how long an attempt took, ns; above 2.4 hours counts as that
 * @param quantile_ppm share of the calls that shall be quicker, 1..999999, ppm
 * @return the new estimate, 1..2^43 ns; TTB_ERR_RANGE (a negative estimate, the
 *         quantile)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_limiter_hedge_ns(int64_t estimate_ns, uint64_t latency_ns,
                                     int32_t quantile_ppm);

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
