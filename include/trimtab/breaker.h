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
 * Some rules, any of which is enough (or all that are on must agree:
 * #TTB_BREAKER_ALL); each may be switched off (#TTB_OFF):
 *
 *  - **consecutive**: so many failures in a row (the rule of Nygard's "Release
 *    It!", of Envoy's consecutive_5xx and of most small libraries);
 *  - **failure rate**: failures / calls >= failure_rate within the window, once
 *    min_calls are in it (as Hystrix, resilience4j, Polly);
 *  - **slow rate**: the same of the calls reported as #TTB_SLOW or
 *    #TTB_SLOW_FAILURE, if slow_rate_ppm is on (as resilience4j, Sentinel);
 *    ttb_breaker_report_timed compares with slow_ms itself;
 *  - **CUSUM**, if cusum_bad_ppm is on: the sequential test of Page (1954). A sum
 *    goes up at each failure, down at each success, never below 0:
 *
 *        S = max(0, S + up) or max(0, S - down), opens at S >= limit
 *
 *    Steps and limit come from a healthy failure rate, a bad one, and how many
 *    calls there should be on average between two trips for nothing
 *    (ttb_breaker_cusum shows them). Of all rules with as few false trips it
 *    finds a rate like 30 % soonest: from 5 % to 30 % in 44 calls, where five in
 *    a row takes 600. Keep **consecutive** beside it: that is quicker when
 *    everything fails. A healthy success writes no memory;
 *  - **average**: the moving average of successes is below average_success_ppm,
 *    over about average_calls calls or over window_ms (as finagle's failure
 *    accrual):
 *
 *        average = average * w + success * (1 - w)
 *        w = e^(-1/average_calls)  or  e^(-time since the last call/window_ms)
 *
 *    once average_calls are in, or window_ms is over and min_calls are in it. Time
 *    is in 1024ths of window_ms here: of the calls of one only the first weighs.
 *
 * The window is the last window_ms in 16 buckets; the oldest leaves whole, so
 * between 15/16 and 16/16 of window_ms are looked at. It is exact over idle gaps
 * of any length. A bucket that reaches 240,000 calls halves its counts: its
 * rates stay right, `calls` then says less than there were. With window_calls it
 * is the last so many calls instead, whenever they were, up to 4,096: k of n, as
 * Failsafe, and resilience4j's default. With #TTB_BREAKER_FIXED_WINDOW the window
 * begins anew when window_ms is over, and with it a generation (as gobreaker's
 * Interval).
 *
 * A success counts as a call, resets the row of failures and does not open the
 * breaker (unless #TTB_BREAKER_TRIP_ON_SUCCESS). To all rules but the slow rate a
 * slow success is a success, a slow failure a failure. Ignored and cancelled
 * outcomes count nowhere.
 *
 * ## Open, half-open, closed again
 *
 * OPEN lasts open_ms, to the millisecond: a call at opened + open_ms is the
 * first that may probe (">=", as Polly and Sentinel; #TTB_BREAKER_OPEN_AFTER for
 * ">"). With open_growth_ppm each open time is so much longer than the one
 * before, up to open_max_ms:
 *
 *     length(step) = min(open_ms * growth^step, open_max_ms)
 *
 * and open_max_ms from step open_steps on, if that is set. There are 15 steps at the
 * most, fewer if open_max_ms is reached: with a growth of 1.1 the last is 4.2 times
 * open_ms. A failed round is one step; after closing, the next opening is one step,
 * too, less one for each open_decay_ms it was closed. open_jitter_ppm takes up to
 * that share off, drawn from seed, slot and generation; nothing is ever added.
 *
 * HALF_OPEN is a *round*: at the most half_open_probes tickets are out at any
 * moment, each named by its holder, so neither a double report nor a late one
 * can free another's. half_open_successes successes close the breaker, one
 * failure opens it again (and one slow call, if the slow rule is on). With
 * half_open_calls so many probes are awaited instead, and the round's failure
 * rate (half_open_rate_ppm) and slow rate (slow_rate_ppm) decide.
 * A round has a lease: lease_ms after it began, whatever is out is forgotten
 * and a new round begins. So probes whose callers died or forgot to report
 * never wedge the breaker (resilience4j#544, Polly#1979). Outcomes of a lapsed
 * round do not count on: what closes it must fit into one.
 *
 * With ramp_ms a breaker that a round has closed takes its calls back by and by:
 * of those that ask, ramp_start_ppm pass at first, then evenly more; the others
 * are #TTB_THROTTLED. Which ones follows from seed, slot, generation and their
 * number, evenly spread.
 *
 * By hand: ttb_breaker_set opens a breaker for open_ms, forces it open until
 * somebody sets another state, disables or resets it; ttb_breaker_open_for opens
 * it for any time.
 *
 * Each transition begins a new generation. A report that belongs to an earlier
 * one is #TTB_STALE: counted, and changes nothing (Polly#217). While closed a
 * ticket is otherwise a permission: reporting it twice counts twice, unless
 * #TTB_BREAKER_CHECK_TICKETS keeps a ring of those that are out.
 *
 * ## A table of breakers
 *
 * An object holds `capacity` breakers (slots 0..capacity-1) under one
 * configuration: one an endpoint, a route, a tenant. A single breaker is a
 * table of one: slot 0. A breaker costs `size(n+1) - size(n)` bytes, at up to 4
 * probes: 64 with the consecutive and the CUSUM rule, 192 with a time window, 320
 * with the slow rule, too; with window_calls 128 up to 128 of them (1,152 for
 * 4,096; about twice that with the slow rule); 64 more with the average, 128 for
 * each further stripe, about 500 with #TTB_BREAKER_DETAILED.
 *
 * With key_idle_ms the table finds its slots by itself: a breaker for each of up
 * to some 800,000 keys (a route, a tenant, a host), without a lock:
 *
 *     int64_t t = ttb_breaker_acquire_key(&b, ttb_hash(route, n, 0), now_ns);
 *
 * A key that nobody asks for during that time may lose its breaker to another
 * one. It costs 12 bytes a slot.
 *
 * Threads that share one busy breaker write to one line. Let them join: a joined
 * thread adds to the line without reading it. With `stripes` the time window has
 * so many copies, and threads that have joined write each to their own; who asks
 * sums over all.
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
  uint64_t opaque[48]; /**< private */
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

/** @name Flags of a configuration: boundaries on which systems differ
 *  @{ */
#define TTB_BREAKER_ALL 1u             /**< opens only when all rules that are on say so */
#define TTB_BREAKER_OPEN_AFTER 2u      /**< the open time is over after open_ms, not at it (">") */
#define TTB_BREAKER_RATE_ABOVE 4u      /**< a rate is too high above its threshold, not at it (">") */
#define TTB_BREAKER_TRIP_ON_SUCCESS 8u /**< rates are looked at after every outcome: a success
                                            that completes min_calls may open it */
#define TTB_BREAKER_EARLY_VERDICT 16u  /**< a round judged by rate ends as soon as its end is sure */
#define TTB_BREAKER_METRICS_ONLY 32u   /**< does not open by itself: where it would have, that is
                                            counted in `opened` and counting begins anew. One that
                                            is opened by hand is an ordinary one until it closes */
#define TTB_BREAKER_CHECK_TICKETS 64u  /**< also while closed, only the first report of a ticket
                                            counts */
#define TTB_BREAKER_FIXED_WINDOW 128u  /**< window_ms begins anew, and with it the generation, when it
                                            is over; not with ramp_ms, window_calls, an average over
                                            window_ms, nor an open_decay_ms above window_ms if open
                                            times grow (each window takes its own steps back) */
#define TTB_BREAKER_PROBES_IN_ALL 512u /**< a round takes no more probes than it still needs (two at the
                                            same moment may be one more) */
#define TTB_BREAKER_DETAILED 256u      /**< counts more for people: ignored outcomes, slow failures,
                                            durations, successes in a row */
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
  uint32_t flags;               /**< TTB_BREAKER_ALL, ...; default none */
  uint64_t seed;                /**< of the jitter; any */
  int32_t slow_rate_ppm;        /**< share of slow calls that opens it, 1..1000000, TTB_OFF; default off */
  int32_t half_open_calls;      /**< a round is judged by the rates of so many probes, 1..10000,
                                     TTB_OFF: by half_open_successes; default off */
  int32_t half_open_rate_ppm;   /**< failure rate of a round that opens it again, 1..1000000; default
                                     500000; only with half_open_calls */
  int32_t open_growth_ppm;      /**< each open time to the one before, 1000000 (no growth)..100000000;
                                     default 1000000 */
  uint32_t open_max_ms;         /**< an open time that grows stops here, open_ms..3600000; default
                                     300000 */
  int32_t open_jitter_ppm;      /**< up to this share is taken off an open time, 1..1000000, TTB_OFF;
                                     default off */
  int32_t open_decay_ms;        /**< so long closed takes one step of growth back, 1..86400000,
                                     TTB_OFF: closing takes back all; default 60000; with
                                     FIXED_WINDOW and growth window_ms at the most */
  int32_t window_calls;         /**< rates are of the last so many calls instead of window_ms,
                                     1..4096, TTB_OFF; default off. More than this for min_calls is
                                     this */
  int32_t ramp_ms;              /**< after a round has closed it, the share of calls that pass grows
                                     to all over this time, 1..3600000, TTB_OFF; default off */
  int32_t ramp_start_ppm;       /**< where that share begins, 1..1000000; default 100000 */
  int32_t cusum_healthy_ppm;    /**< CUSUM: failure rate of a healthy callee, 1..900000; default
                                     50000 (5 %) */
  int32_t cusum_bad_ppm;        /**< CUSUM: failure rate to be found quickly, above that one and
                                     up to 990000, TTB_OFF; default off */
  uint64_t cusum_calls;         /**< CUSUM: mean calls between two false trips, 1..10^15; default
                                     10,000,000 */
  int32_t key_idle_ms;          /**< a table of keys: a key not asked for during this time may lose
                                     its breaker to another, 1..86400000, TTB_OFF; default off */
  int32_t slow_ms;              /**< ttb_breaker_report_timed: longer than this is slow, 1..3600000,
                                     TTB_OFF; default off */
  int32_t average_success_ppm;  /**< moving average of successes below which it opens, 1..1000000,
                                     TTB_OFF; default off */
  int32_t average_calls;        /**< that average is over about so many calls, 1..10000, TTB_OFF: over
                                     window_ms; default off */
  int32_t open_steps;           /**< after so many steps of growth the open time is open_max_ms,
                                     1..15, TTB_OFF; default off */
  uint32_t stripes;             /**< copies of the time window, a power of two up to 64, so that
                                     joined threads write to different lines; default 1 */
  uint32_t tickets;             /**< with CHECK_TICKETS: tickets a thread may have out, a power of
                                     two, 16..2048; default 256 */
  uint32_t reserved;            /**< 0 */
} ttb_breaker_config;

/** One breaker's state and why it is so. While it is open, the numbers are those
 *  that opened it. */
typedef struct ttb_breaker_info {
  uint32_t struct_size;    /**< sizeof(ttb_breaker_info) */
  int32_t state;           /**< TTB_BREAKER_*; OPEN turns to HALF_OPEN when its time is over */
  uint32_t generation;     /**< counts transitions, modulo 2^20 */
  uint32_t calls;          /**< calls in the window (successes and failures) */
  uint32_t failures;       /**< failures in the window */
  int32_t failure_rate_ppm; /**< their ratio, -1 below min_calls or without a window */
  uint32_t consecutive;    /**< failures in a row (with consecutive or DETAILED) */
  uint32_t probes_out;     /**< probes out in this round */
  uint32_t probe_successes; /**< successes of this round, slow ones included */
  uint32_t opened;         /**< how often it opened (TTB_BREAKER_METRICS_ONLY: would have), modulo 2^32 */
  int64_t retry_after_ms;  /**< when a call may pass: 0 now, -1 not until somebody acts */
  uint32_t slow;           /**< slow calls in the window (with slow_rate_ppm) */
  int32_t slow_rate_ppm;   /**< their share, -1 below min_calls or without the rule */
  uint32_t open_step;      /**< how often the open time has grown, 0..15; while closed, that of the
                                next open time */
  uint32_t probe_calls;    /**< outcomes of this round (with half_open_calls) */
  uint32_t probe_failures; /**< failures among them */
  uint32_t probe_slow;     /**< slow ones among them (with slow_rate_ppm) */
  uint32_t cusum;          /**< the CUSUM (with cusum_bad_ppm) */
  uint32_t cusum_limit;    /**< where it opens, 0 without the rule */
  uint64_t key;            /**< whose it is (with key_idle_ms), 0 nobody's */
  int32_t average_ppm;     /**< the moving average of successes, -1 before the first call or without
                                average_success_ppm */
  uint32_t slow_failures;  /**< with DETAILED: of the failures, those that were slow, too */
  uint32_t ignored;        /**< with DETAILED: ignored outcomes in the time window */
  uint32_t successes_in_row; /**< with DETAILED: successes since the last failure */
  uint64_t duration_us;    /**< with DETAILED: the sum of the durations of the window's calls */
} ttb_breaker_info;

/** What the CUSUM rule makes of two rates and a distance. */
typedef struct ttb_breaker_cusum_plan {
  uint32_t struct_size; /**< sizeof(ttb_breaker_cusum_plan) */
  uint32_t up;          /**< a failure adds this */
  uint32_t down;        /**< a success takes this off, never below 0 */
  uint32_t limit;       /**< the breaker opens here */
  uint64_t calls;       /**< mean calls between two false trips, at least what was wanted */
} ttb_breaker_cusum_plan;

/** What concerns the whole table. */
typedef struct ttb_breaker_stats {
  uint32_t struct_size;     /**< sizeof(ttb_breaker_stats) */
  uint32_t capacity;        /**< breakers in the table */
  uint32_t joined;          /**< rows taken by threads */
  uint32_t reserved;        /**< 0 */
  uint64_t refused;         /**< acquires refused (open, half-open full, throttled) */
  uint64_t stale;           /**< reports that came too late, twice, or from elsewhere */
  uint64_t clock_adoptions; /**< jumps of the clock beyond the ordinary */
} ttb_breaker_stats;

/** @name Presets (ttb_breaker_preset)
 *  @{ */
#define TTB_BREAKER_PLAIN 1        /**< five failures in a row, 60 s */
#define TTB_BREAKER_RESILIENCE4J 2 /**< its defaults: 50 % of the last 100 calls, 60 s */
#define TTB_BREAKER_GOBREAKER 3    /**< its defaults: more than five in a row, 60 s */
#define TTB_BREAKER_POLLY 4        /**< version 8: 10 % of 100 calls in 30 s, 5 s */
#define TTB_BREAKER_FAILSAFE 5     /**< its defaults: one failure, 60 s */
#define TTB_BREAKER_ENVOY 6        /**< consecutive_5xx: 5 in a row; 30 s, growing to 300 s */
#define TTB_BREAKER_HYSTRIX 7      /**< 50 % of 20 calls in 10 s, 5 s */
#define TTB_BREAKER_HTTP 8         /**< a service behind HTTP: many short calls */
#define TTB_BREAKER_DATABASE 9     /**< a database that fails over */
#define TTB_BREAKER_CACHE 10       /**< a cache: cheap to miss */
#define TTB_BREAKER_SLOW_MODEL 11  /**< a model API: few calls, each up to a minute */
/** @} */

/**
 * @brief Fills in a configuration to begin with; change in it what you like.
 * @param preset     TTB_BREAKER_PLAIN, ...
 * @param ret_config overwritten; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (preset, struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_preset(int32_t preset, ttb_breaker_config *ret_config);

/**
 * @brief Checks a configuration and says what is wrong with it.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (a field, or all rules
 *         off); TTB_ERR_UNSUPPORTED (a field this library does not know)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_check(const ttb_breaker_config *config, ttb_detail *ret_detail);

/**
 * @brief The steps and the limit of the CUSUM rule for two failure rates.
 *
 * What init does with cusum_healthy_ppm, cusum_bad_ppm and cusum_calls, to look
 * at beforehand. Exact, not simulated (lib/breaker/cusum.c has the formula).
 * @param healthy_ppm failure rate of a healthy callee, ppm, 1..900000
 * @param bad_ppm     failure rate to be found, ppm, above that one, at most 990000
 * @param calls       wanted mean number of calls between two false trips, 1..10^15
 * @param ret_plan    filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (also: the two rates are
 *         too close to each other)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_cusum(int32_t healthy_ppm, int32_t bad_ppm, uint64_t calls,
                                  ttb_breaker_cusum_plan *ret_plan);

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
 * @return TTB_OK; TTB_ERR_MISUSE (also: both handles
 *         the same); TTB_ERR_RANGE (token); TTB_ERR_NOSPACE (all
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
 *         forced open); TTB_HALF_OPEN_FULL; TTB_THROTTLED (ramp_ms); TTB_ERR_MISUSE (handle);
 *         TTB_ERR_RANGE (slot)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_breaker_acquire(ttb_breaker *breaker, uint32_t slot, uint64_t now_ns);

/**
 * @brief The slot of a key; claims one if the key has none.
 *
 * For tables with key_idle_ms. A slot whose key has not been asked for during
 * that time, and whose breaker is closed or has nothing more to wait for, may go
 * to another key; it begins anew, and what is still out of the old one is stale.
 * A key can have one of 32 slots, so give the table a quarter more slots than
 * there will be keys in use.
 * @param breaker the handle
 * @param key     1..2^64-1-2^16: an id, or a hash such as ttb_hash gives
 * @param now_ns  the time, ns
 * @return the slot, 0 or more; TTB_LIMIT (all slots this key could have are in
 *         use); TTB_AGAIN (others were quicker several times over);
 *         TTB_ERR_MISUSE (also: not a table of keys); TTB_ERR_RANGE (key)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_claim(ttb_breaker *breaker, uint64_t key, uint64_t now_ns);

/**
 * @brief The slot of a key, if it has one; changes nothing.
 * @param breaker the handle
 * @param key     as of ttb_breaker_claim
 * @return the slot; TTB_ERR_UNKNOWN_ID; TTB_ERR_MISUSE (also: not a table of
 *         keys); TTB_ERR_RANGE (key)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_find(const ttb_breaker *breaker, uint64_t key);

/**
 * @brief ttb_breaker_claim and ttb_breaker_acquire in one: asks whether a call
 *        may be made for a key.
 *
 * Better than the two calls by themselves: the ticket is of the key's own
 * breaker even if the slot changes hands in between.
 * @param breaker the handle
 * @param key     as of ttb_breaker_claim
 * @param now_ns  the time, ns
 * @return a ticket or what ttb_breaker_acquire returns; TTB_LIMIT, TTB_AGAIN,
 *         TTB_ERR_MISUSE, TTB_ERR_RANGE as of ttb_breaker_claim
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_breaker_acquire_key(ttb_breaker *breaker, uint64_t key, uint64_t now_ns);

/**
 * @brief ttb_breaker_acquire_key for n keys, in order, at one time.
 * @param breaker     the handle
 * @param keys        n keys; may be NULL if n is 0
 * @param n           how many, 0..2^31-1
 * @param now_ns      the time, ns
 * @param ret_tickets n tickets or codes
 * @return how many were granted; TTB_ERR_MISUSE (handle, NULL, n)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_acquire_key_n(ttb_breaker *breaker, const uint64_t *keys, uint32_t n,
                                          uint64_t now_ns, int64_t *ret_tickets);

/**
 * @brief Says how the call of a ticket ended. Any thread or process may.
 * @param breaker the handle
 * @param ticket  what acquire returned
 * @param outcome TTB_SUCCESS, TTB_FAILURE, TTB_SLOW, TTB_IGNORED, TTB_CANCELLED,
 *                TTB_SLOW_FAILURE
 * @param now_ns  the time, ns
 * @return TTB_OK; TTB_BREAKER_OPENED, _REOPENED, _RECLOSED (to exactly one
 *         caller each); TTB_STALE (counted, nothing changed); TTB_ERR_MISUSE
 *         (handle, a negative ticket); TTB_ERR_RANGE (slot, outcome)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_report(ttb_breaker *breaker, int64_t ticket, int32_t outcome,
                                   uint64_t now_ns);

/**
 * @brief ttb_breaker_report for who has measured how long the call took.
 *
 * Longer than slow_ms makes a success TTB_SLOW and a failure TTB_SLOW_FAILURE;
 * with TTB_BREAKER_DETAILED the durations are summed up, too (each up to 71
 * minutes).
 * @param breaker     the handle
 * @param ticket      what acquire returned
 * @param outcome     as of ttb_breaker_report
 * @param duration_ns how long the call took, ns
 * @param now_ns      the time, ns
 * @return as ttb_breaker_report
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_report_timed(ttb_breaker *breaker, int64_t ticket, int32_t outcome,
                                         uint64_t duration_ns, uint64_t now_ns);

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
 * @brief Opens a breaker by hand for a time of its own; half-open follows.
 *
 * For good, until somebody sets another state, is TTB_BREAKER_FORCED_OPEN.
 * @param breaker the handle
 * @param slot    which breaker
 * @param for_ms  how long, ms, 1..604800000 (a week)
 * @param now_ns  the time, ns
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, for_ms)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_breaker_open_for(ttb_breaker *breaker, uint32_t slot, uint32_t for_ms,
                                     uint64_t now_ns);

/**
 * @brief Whether acquire would let a call pass now; takes nothing. In a ramp,
 *        where some pass: yes.
 *
 * It only looks, also at the clock: after the caller's clock has jumped back, time
 * goes on with the next acquire, report or set. Who gates calls by peek alone
 * would wait for that; ask acquire.
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
 * @param which     0 config, 1 info, 2 stats, 3 cusum plan
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
