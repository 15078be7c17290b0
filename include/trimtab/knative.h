/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/knative.h
 * @brief Knative's autoscaler: a stable window for the usual, a panic window for bursts.
 *
 * The KPA looks at the same traffic through two windows. The long one (60 s)
 * decides as long as all is calm. When the short one (6 s) alone would ask for
 * twice what is ready, the autoscaler panics: it takes the larger answer and goes
 * only up until the panic has been over for a whole stable window. After
 * pkg/autoscaler/scaling/autoscaler.go and pkg/autoscaler/aggregation of
 * knative/serving (commit 98e5ef90).
 *
 *     ttb_knative_config c = TTB_CONFIG(ttb_knative_config);
 *     c.target_milli = 70000;                       // 70 requests at a time a pod
 *     ttb_knative k;
 *     if (ttb_knative_start(&k, &c, ready, now_ns) < 0) return 1;
 *     ...each 2 s:
 *     ttb_knative_input in = TTB_CONFIG(ttb_knative_input);
 *     in.ready = ready;
 *     in.stable_milli = average over 60 s, in.panic_milli = average over 6 s;
 *     ttb_knative_decision d = TTB_CONFIG(ttb_knative_decision);
 *     if (ttb_knative_decide(&k, &c, &in, now_ns, &d) == TTB_OK) want(d.desired);
 *
 * ## The rule
 *
 * With R = max(1, ready), rates u and w (1000 and 2), target t:
 *
 *     most  = ceil(u R)        least = reachable ? floor(R / w) : 0
 *     S = stable / t rounded up, between least and most; the same P from panic
 *     activation scale a > 1: S and P are at least a, if they were above 0
 *     panic / t rounded up >= R * threshold: panic (again) now
 *     else panicking for longer than the stable window: end of panic
 *     desired = panicking ? max(S, P, the panic's own maximum) : S
 *     scale-down delay: the largest desired of that time (in steps of 2 s)
 *     min_replicas <= desired <= max_replicas
 *
 * `excess_burst` is the room for a sudden burst, ready * total - burst - panic: below 0
 * Knative routes through its activator. Burst capacity 0: always 0; TTB_OFF: always -1.
 *
 * ## Windows
 *
 * ttb_knative_window averages what was recorded in buckets: the plain average of
 * the buckets since the first record, or weighted, newest first, so that the
 * oldest bucket's weight is about 1/10,000 (at least 20 % a bucket).
 *
 * State lies where the caller puts it: plain memory without pointers, the same
 * for every process of one byte order. It may be copied to ask "what if" and
 * kept in a file over a restart (Knative starts in panic instead, and so does
 * ttb_knative_start if more than one pod is ready). One thread or process at a time
 * uses one state.
 *
 * Values are thousandths. Any has a result: below 0 counts as 0, huge ones saturate
 * at 2^31-1 replicas.
 */
#ifndef TRIMTAB_KNATIVE_H
#define TRIMTAB_KNATIVE_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Buckets of a window, or steps of a scale-down delay, at the most. */
#define TTB_KNATIVE_MAX_BUCKETS 1800

/** An autoscaler's state. Opaque, relocatable, without pointers. */
typedef struct ttb_knative {
  uint64_t opaque[1808]; /**< private */
} ttb_knative;

/** A window's state. Opaque, relocatable, without pointers. */
typedef struct ttb_knative_window {
  uint64_t opaque[1808]; /**< private */
} ttb_knative_window;

/** The rule's numbers. Start with TTB_CONFIG; target_milli must be given. */
typedef struct ttb_knative_config {
  uint32_t struct_size;         /**< sizeof(ttb_knative_config) */
  uint32_t unreachable;         /**< 1: no route leads to it, so it may go at once; 0 */
  int64_t target_milli;         /**< load a pod shall have, 1..2^63-1 thousandths */
  int64_t total_milli;          /**< load a pod can have, 0..2^63-1; default target_milli / 0.7 */
  int64_t burst_milli;          /**< burst to have room for, 1..2^63-1, TTB_OFF: unlimited;
                                     default 0: none (Knative's is 211000) */
  int64_t up_rate_milli;        /**< 1001..10^9; default 1000000 (1000 times) */
  int64_t down_rate_milli;      /**< 1001..10^9; default 2000 (half) */
  int64_t panic_milli;          /**< threshold, 1000..10^9; default 2000 (200 %) */
  int32_t stable_ms;            /**< stable window, 1..3600000, TTB_OFF for 0; default 60000 */
  uint32_t delay_ms;            /**< scale-down delay, 0..3600000; default 0 */
  uint32_t activation;          /**< activation scale, 0..10000000; default 0 (as 1) */
  uint32_t min_replicas;        /**< 0..10000000; default 0 */
  uint32_t max_replicas;        /**< 0..10000000; default 0: no bound */
  uint32_t reserved;            /**< 0 */
} ttb_knative_config;

/** What is seen now. */
typedef struct ttb_knative_input {
  uint32_t struct_size; /**< sizeof(ttb_knative_input) */
  uint32_t missing;     /**< not 0: there are no values; the decision is not valid */
  int32_t ready;        /**< pods that serve, 0..10000000; TTB_OFF: not known */
  uint32_t reserved;    /**< 0 */
  int64_t stable_milli; /**< load (concurrency, or requests a second), stable window's average */
  int64_t panic_milli;  /**< the panic window's */
} ttb_knative_input;

/** A decision and why it is so. */
typedef struct ttb_knative_decision {
  uint32_t struct_size;       /**< sizeof(ttb_knative_decision) */
  int32_t desired;            /**< how many pods there shall be; -1 if not valid */
  uint32_t valid;             /**< 0: no data, keep what there is */
  uint32_t panicking;         /**< 1: panic */
  int32_t stable;             /**< what the stable window asks for, within the rates; -1 */
  int32_t panic;              /**< what the panic window asks for, within the rates; -1 */
  int32_t most;               /**< bound of the up rate; -1 */
  int32_t least;              /**< bound of the down rate; -1 */
  int32_t panic_maximum;      /**< largest count of this panic; 0 */
  int32_t delayed;            /**< 1: the scale-down delay holds it up */
  int64_t excess_burst_milli; /**< room for a burst; below 0: not enough */
  int64_t panic_age_ms;       /**< since the panic was last renewed; -1: none */
  int64_t next_change_ms;     /**< when panic or delay may let go by themselves; -1: not */
} ttb_knative_decision;

/**
 * @brief Begins an autoscaler; with more than one ready pod it begins in panic.
 * @param ret_state the state
 * @param config    the rule's numbers
 * @param ready     pods that serve, 0..10000000; TTB_OFF: not known
 * @param now_ns    the time, ns, monotonic
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE; TTB_ERR_UNSUPPORTED
 * @threads exclusive (the state) @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_knative_start(ttb_knative *ret_state,
                                                const ttb_knative_config *config, int32_t ready,
                                                uint64_t now_ns);

/**
 * @brief Decides how many pods there shall be.
 *
 * The config may be another than the last time's: what it says holds from now.
 * @param state        the state
 * @param config       the rule's numbers
 * @param input        what is seen
 * @param now_ns       the time, ns; one before the last counts as the last
 * @param ret_decision filled in; its struct_size must be set
 * @return TTB_OK (look at valid); TTB_ERR_MISUSE (NULL, not started);
 *         TTB_ERR_RANGE; TTB_ERR_UNSUPPORTED
 * @threads exclusive (the state) @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_knative_decide(ttb_knative *state, const ttb_knative_config *config,
                                   const ttb_knative_input *input, uint64_t now_ns,
                                   ttb_knative_decision *ret_decision);

/**
 * @brief Begins an averaging window.
 * @param ret_window  the window
 * @param window_ms   how long it is, 1..3600000, at most 1800 buckets
 * @param bucket_ms   length of a bucket, 1..window_ms
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads exclusive (the window) @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_knative_window_start(ttb_knative_window *ret_window,
                                                       uint32_t window_ms, uint32_t bucket_ms);

/**
 * @brief Adds a value to the bucket of its time. What is older than the window is not kept.
 * @param window      the window
 * @param now_ns      the value's time, ns
 * @param value_milli thousandths, cut to -2^52..2^52
 * @return TTB_OK; TTB_ERR_MISUSE
 * @threads exclusive (the window) @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_knative_window_record(ttb_knative_window *window, uint64_t now_ns,
                                          int64_t value_milli);

/**
 * @brief The average of the buckets of a window that ends now.
 * @param window    the window
 * @param now_ns    the time, ns
 * @param weighted  0: plain; 1: newer ones weigh more
 * @param ret_milli the average, thousandths, to the nearest; 0 if nothing is in it
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (weighted)
 * @threads exclusive (the window) @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_knative_window_average(const ttb_knative_window *window, uint64_t now_ns,
                                           uint32_t weighted, int64_t *ret_milli);

/**
 * @brief The structs of this header as the library sees them, for bindings.
 * @param which     0 config, 1 input, 2 decision
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_knative_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
