/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/health.h
 * @brief What is known of the health of targets, shared by all threads and
 *        processes of a host, and how a service tells others of its own.
 *
 * Somebody probes a target (an HTTP request, a ping, a query) and reports how it
 * went. trimtab turns results into a status, says which target should be probed
 * next and writes the whole as application/health+json. It never probes.
 *
 *               rise passes in a row
 *      UNHEALTHY -----------------------> HEALTHY <-----------> DEGRADED
 *          ^                                 |     slow / quick     |
 *          +---------------------------------+----------------------+
 *                       fall failures in a row
 *
 *      UNKNOWN   nothing reported yet        the first result decides at once
 *      STALE     nothing reported for ttl_ms the next result decides at once
 *
 *     ttb_health h;
 *     ttb_health_config c = TTB_CONFIG(ttb_health_config);
 *     c.capacity = 3;
 *     if (ttb_health_new(&h, &c, NULL) < 0) return 1;
 *
 *     uint32_t slots[8];
 *     int32_t n = ttb_health_due(&h, now_ns, slots, 8);
 *     for (int32_t i = 0; i < n; i++) {
 *       bool ok = probe(slots[i], &latency_ns);
 *       ttb_health_report(&h, slots[i], ok ? TTB_SUCCESS : TTB_FAILURE, latency_ns, now_ns);
 *     }
 *     if (ttb_health_status(&h, 0, now_ns) == TTB_STATUS_HEALTHY) use(0);
 *
 * ## Thresholds
 *
 * A pass is a success or a slow outcome, a failure is a failure or a success
 * that took fail_ms or longer. `fall` failures in a row make a target
 * UNHEALTHY, `rise` passes in a row bring it back; any pass in between starts
 * the count of failures anew, and the other way round. That is HAProxy's
 * rise/fall counter (its value is in explain), and Envoy's, Kubernetes' and
 * Consul's thresholds are the same rule with other settings:
 *
 *     who          start        rise                  fall                  degrade_after
 *     HAProxy      UP           2                     3                     off
 *     Envoy        DOWN         healthy_threshold     unhealthy_threshold   off
 *     Kubernetes   FULLY_DOWN   successThreshold 1    failureThreshold 3    off
 *     Consul       DOWN         success_before_       failures_before_      failures_before_
 *                               passing               critical              warning
 *
 * The default is rise = fall = 1: each result speaks for itself. It is the
 * plain rule "an error is unhealthy", right for checks that a service makes of
 * its own parts. For probing endpoints over a network take rise 2 and fall 3:
 * at 1 % lost probes and one every 2 s, fall 1 gives some 430 false alarms a
 * day and a target, fall 3 one in three weeks.
 *
 * ## Latency
 *
 * A pass below degraded_ms (1000) is HEALTHY, one at or above it DEGRADED. Once
 * degraded, a target is HEALTHY again when a pass takes less than recover_ms
 * (default: degraded_ms, no hysteresis). TTB_SLOW degrades whatever the latency
 * was. Degrading takes one result; so does recovering, if the passes in a row
 * have reached rise.
 *
 * ## Staleness
 *
 * A target without a report for ttl_ms is STALE: a prober that died can
 * neither keep a target healthy nor declare it dead. Every reader sees this by
 * itself; ttb_health_tick also records it, once, so that somebody can be told.
 * If the ticks themselves had stopped for longer than max_pause_ms, the machine
 * slept, not the targets: staleness is then held back for max_pause_ms, once,
 * until the ticks are regular again (the local-pause guard of Cassandra).
 *
 * ## Which to probe
 *
 * ttb_health_due hands out targets whose time has come and leases them for
 * lease_ms, so that of several processes one probes. After a report the next is
 * due in interval_ms, in fast_interval_ms while the status is about to change, in
 * down_interval_ms while it is UNHEALTHY; jitter shortens each by a seeded
 * random part. A probe whose result never comes is due again when its lease ends.
 *
 * ## Real traffic
 *
 * ttb_health_observe takes outcomes of ordinary calls. They can only take a
 * target down: passive_errors errors in a row count as passive_action says, and
 * make a probe due at once. What the target does next is up to the probes
 * (HAProxy's observe and on-error).
 *
 * ## Outliers
 *
 * A target can pass its probes and fail its calls. With `eject` set, what
 * ttb_health_observe is told is also counted, and targets that stand out are
 * ejected for a time: ttb_health_ejected says so, the status stays as it is.
 *
 *     ROBUST  m = median failure rate of the others, p = m + 1 / calls
 *             outlier if (failures - calls * p)^2 >= z^2 * calls * p * (1 - p)
 *             and failures / calls >= m + gap
 *     ENVOY   rows of errors; rate < mean - 1.9 * stdev; failures >= 85 %
 *     GRPC    rate < mean - 1.9 * stdev; failures > 85 %
 *
 * Every eject_interval_ms a tick sweeps the table: one caller takes the counts,
 * gives back whose time is over, and judges the others. Rows eject at once. The
 * n-th ejection lasts min(n * eject_base_ms, eject_max_ms); n falls by one an
 * interval in which it behaves.
 *
 *     default            ROBUST   ENVOY    GRPC
 *     eject_max_ppm      50 %     10 %     10 %, the last one may exceed it
 *     eject_min_kept     1        off      off
 *     eject_systemic_ppm 50 %     off      off
 *     eject_errors       off      5        off
 *     eject_gateway      off      5        off, enforced nowhere by default
 *     eject_hosts        3        5        5
 *     eject_requests     50       100      100
 *     enforce_failure    -        off      all
 *
 * ROBUST is what we recommend; the others are for whoever has them today. Their
 * deviation test finds none if more than 21.7 % are dead, and in a healthy set
 * of 20 somebody is ejected in two of three sweeps (docs/health.md has the table).
 * eject_max_ppm counts the ejection in question, so 10 % of 9 targets is none;
 * in Envoy's older releases, and with TTB_HEALTH_EJECT_ONE, one always may be. It
 * and eject_min_kept hold at each moment, however many processes eject at once; if
 * targets leave the table or a process is killed, the next sweep puts it right.
 *
 * ## A view: the health of a service
 *
 * A ttb_health_view names some targets and how much each matters. Three views
 * over one table make liveness, readiness and startup. It yields one status
 * (pass, warn, fail), an HTTP code and the JSON of draft-inadarei-api-health-check-06.
 *
 * ## Cost and sharing
 *
 * A target takes 64 bytes, 128 if it can be ejected. Its truth is one word; each change is one
 * compare-and-swap, so exactly one caller, in whatever process, learns of it.
 * Nothing is held by anybody: a process killed at any instruction leaves
 * at the most a lease that runs out. There is nothing to join or to recover.
 */
#ifndef TRIMTAB_HEALTH_H
#define TRIMTAB_HEALTH_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle; see base.h. May be used by several threads at once. */
typedef struct ttb_health {
  uint64_t opaque[48]; /**< private */
} ttb_health;

/** @name What a target is before its first result (config.start)
 *
 * Of the first three only the status shown differs: the first result decides.
 *  @{ */
#define TTB_HEALTH_START_UNKNOWN 1    /**< TTB_STATUS_UNKNOWN */
#define TTB_HEALTH_START_UP 2         /**< HEALTHY until the first result says otherwise */
#define TTB_HEALTH_START_DOWN 3       /**< UNHEALTHY until the first result says otherwise */
#define TTB_HEALTH_START_FULLY_UP 4   /**< HEALTHY; takes `fall` failures to go down */
#define TTB_HEALTH_START_FULLY_DOWN 5 /**< UNHEALTHY; takes `rise` passes to come up */
/** @} */

/** @name What passive_errors errors in a row do (config.passive_action)
 *  @{ */
#define TTB_HEALTH_FAIL_CHECK 1   /**< count as one failed probe */
#define TTB_HEALTH_SUDDEN_DEATH 2 /**< one failure more and it is UNHEALTHY */
#define TTB_HEALTH_MARK_DOWN 3    /**< UNHEALTHY at once */
/** @} */

/** @name Flags of a configuration
 *  @{ */
#define TTB_HEALTH_DISABLED 1u      /**< slots are disabled until ttb_health_enable */
#define TTB_HEALTH_EJECT_SHADOW 2u  /**< outliers are detected and counted, not ejected */
#define TTB_HEALTH_EJECT_SPLIT 4u   /**< failures of local origin are judged apart */
#define TTB_HEALTH_EJECT_ONE 8u     /**< one may always be ejected, whatever eject_max_ppm says */
#define TTB_HEALTH_EJECT_PROBED 16u /**< a probe that passes ends an ejection */
/** @} */

/** @name How outliers are found (config.eject)
 *  @{ */
#define TTB_HEALTH_EJECT_ROBUST 1 /**< each against the median of the others */
#define TTB_HEALTH_EJECT_ENVOY 2  /**< Envoy's outlier detection */
#define TTB_HEALTH_EJECT_GRPC 3   /**< gRPC's (proposal A50) */
/** @} */

/** @name Failures with a cause, for ttb_health_observe
 *  @{ */
#define TTB_HEALTH_GATEWAY 16 /**< the target could not reach what is behind it (502, 503, 504) */
#define TTB_HEALTH_LOCAL 17   /**< it was not reached: no connection, no answer in time */
/** @} */

/** What ttb_health_observe returns to the one caller whose outcome ejected the target. */
#define TTB_HEALTH_EJECTED 16

/** @name How much a member matters to its view
 *  @{ */
#define TTB_HEALTH_REQUIRED 0 /**< its failure is the view's failure */
#define TTB_HEALTH_OPTIONAL 1 /**< its failure is a warning */
#define TTB_HEALTH_INFO 2     /**< shown, but decides nothing */
/** @} */

/** @name Why a target has its status (explain)
 *  @{ */
#define TTB_HEALTH_BY_NOTHING 0 /**< no result yet */
#define TTB_HEALTH_BY_PASSES 1  /**< enough passes in a row */
#define TTB_HEALTH_BY_FAILURES 2 /**< enough failures in a row (probes) */
#define TTB_HEALTH_BY_LATENCY 3 /**< a pass, but slow */
#define TTB_HEALTH_BY_TRAFFIC 4 /**< errors of real traffic */
#define TTB_HEALTH_BY_SILENCE 5 /**< no report for ttl_ms */
#define TTB_HEALTH_BY_HAND 6    /**< ttb_health_set */
/** @} */

/** @name Which interval the next probe waits (explain)
 *  @{ */
#define TTB_HEALTH_STEADY 1   /**< interval_ms: up, and the last result passed */
#define TTB_HEALTH_CHANGING 2 /**< fast_interval_ms: the last result speaks against the status */
#define TTB_HEALTH_DOWN 3     /**< down_interval_ms: down, and the last result failed */
/** @} */

/** What a table of targets shall do. Start with TTB_CONFIG. */
typedef struct ttb_health_config {
  uint32_t struct_size;      /**< sizeof(ttb_health_config) */
  uint32_t capacity;         /**< targets in the table, 1..1048576; default 1 */
  uint32_t rise;             /**< passes in a row that bring it up, 1..100; default 1 */
  uint32_t fall;             /**< failures in a row that take it down, 1..100; default 1 */
  int32_t degrade_after;     /**< failures in a row that degrade it, 1..100; default TTB_OFF */
  int32_t start;             /**< TTB_HEALTH_START_*; default TTB_HEALTH_START_UNKNOWN */
  int32_t degraded_ms;       /**< latency that is degraded, 1..3600000, TTB_OFF; default 1000 */
  uint32_t recover_ms;       /**< latency that ends this, 1..degraded_ms; default degraded_ms */
  int32_t fail_ms;           /**< latency that is a failure, 1..3600000; default TTB_OFF */
  int32_t ttl_ms;            /**< silence that is stale, 1..86400000, TTB_OFF; default 30000 */
  int32_t max_pause_ms;      /**< tick gap that is a pause, 1..3600000, TTB_OFF; default 5000 */
  uint32_t interval_ms;      /**< between probes, 1..86400000; default 2000 */
  uint32_t fast_interval_ms; /**< while changing, 1..86400000; default interval_ms */
  uint32_t down_interval_ms; /**< while UNHEALTHY, 1..86400000; default interval_ms */
  int32_t jitter_ppm;        /**< most to shorten one by, 1..500000, TTB_OFF; default 100000 */
  uint32_t lease_ms;         /**< a probe handed out is due again after, 1..3600000; default 5000 */
  int32_t passive_errors;    /**< traffic errors that count, 1..1000000, TTB_OFF; default 10 */
  int32_t passive_action;    /**< TTB_HEALTH_FAIL_CHECK (default), _SUDDEN_DEATH, _MARK_DOWN */
  uint32_t half_life_ms;     /**< of the latency average, 2..3600000; default 10000 */
  uint32_t flags;            /**< TTB_HEALTH_DISABLED, TTB_HEALTH_EJECT_*, or 0 */
  uint64_t seed;             /**< of the jitter, of enforced shares; any */
  int32_t eject;             /**< TTB_HEALTH_EJECT_ROBUST, _ENVOY, _GRPC; default TTB_OFF */
  uint32_t eject_interval_ms; /**< from sweep to sweep, 1..3600000; default 10000 */
  uint32_t eject_base_ms;    /**< the first ejection, 1..86400000; default 30000 */
  uint32_t eject_max_ms;     /**< the longest, eject_base_ms..86400000; default 300000 */
  int32_t eject_jitter_ms;   /**< most to lengthen one by, 1..3600000; default TTB_OFF */
  int32_t eject_max_ppm;     /**< most that may be ejected, 1..1000000, TTB_OFF; default by profile */
  int32_t eject_min_kept;    /**< targets that are never ejected, 1..1048576, TTB_OFF */
  int32_t eject_systemic_ppm; /**< robust: if more look bad, none is, 1..1000000, TTB_OFF */
  int32_t eject_errors;      /**< failures in a row that eject, 1..60000, TTB_OFF */
  int32_t eject_gateway;     /**< the same of TTB_HEALTH_GATEWAY, 1..60000, TTB_OFF */
  int32_t eject_local;       /**< the same of TTB_HEALTH_LOCAL if split, 1..60000, TTB_OFF */
  uint32_t eject_hosts;      /**< targets needed to compare rates, 2..1048576 */
  uint32_t eject_requests;   /**< calls a target needs for it, 1..1000000 */
  int32_t eject_stdev_ppm;   /**< deviations below the mean, 1..100000000, TTB_OFF; default 1900000 */
  int32_t eject_failure_ppm; /**< failure percentage, 1..1000000, TTB_OFF; default 850000 */
  uint32_t eject_failure_hosts; /**< targets needed for it, 1..1048576; default 5 */
  uint32_t eject_failure_requests; /**< calls a target needs for it, 1..1000000; default 50 */
  int32_t eject_z_ppm;       /**< robust: deviations, 100000..100000000; default 4500000 */
  int32_t eject_gap_ppm;     /**< robust: and this much above, 1..1000000, TTB_OFF; default 50000 */
  int32_t enforce_errors_ppm; /**< share of detections ejected, 1..1000000, TTB_OFF; default all */
  int32_t enforce_gateway_ppm; /**< the same; default TTB_OFF */
  int32_t enforce_local_ppm; /**< the same; default all */
  int32_t enforce_rate_ppm;  /**< the same of success rates and robust; default all */
  int32_t enforce_failure_ppm; /**< the same of percentages; default TTB_OFF, gRPC all */
} ttb_health_config;

/** One target's status and why it is so. */
typedef struct ttb_health_info {
  uint32_t struct_size;   /**< sizeof(ttb_health_info) */
  int32_t status;         /**< TTB_STATUS_* */
  int32_t reason;         /**< TTB_HEALTH_BY_* */
  int32_t enabled;        /**< 1, or 0 if the slot is not in use */
  uint32_t generation;    /**< of the slot: counts enables and disables, modulo 2^16 */
  uint32_t passes;        /**< passes in a row, up to rise */
  uint32_t failures;      /**< failures in a row, up to fall */
  uint32_t counter;       /**< HAProxy's health: 0..rise+fall-1, up from rise on */
  uint32_t errors;        /**< errors of traffic in a row */
  int32_t pace;           /**< TTB_HEALTH_STEADY, _CHANGING, _DOWN */
  uint32_t changes;       /**< of status since it was enabled, modulo 2^32 */
  uint32_t reserved;      /**< 0 */
  int64_t since_ms;       /**< how long it has this status, -1 unknown */
  int64_t age_ms;         /**< since the last report, -1 if there was none */
  int64_t next_due_ms;    /**< until a probe is due: 0 now, -1 never (disabled) */
  uint64_t latency_ns;    /**< the last one reported, 0 none */
  uint64_t latency_avg_ns; /**< decaying average, 0 none */
  int32_t ejected;        /**< 1 while it is ejected */
  uint32_t ejections;     /**< of late: they make the next one longer */
  int64_t eject_left_ms;  /**< until the ejection is over, which the next sweep sees; 0 none */
  uint32_t calls;         /**< observed in the interval before the last sweep */
  uint32_t call_failures; /**< failures among them */
} ttb_health_info;

/** What concerns the whole table. */
typedef struct ttb_health_stats {
  uint32_t struct_size;     /**< sizeof(ttb_health_stats) */
  uint32_t capacity;        /**< targets in the table */
  uint32_t enabled;         /**< of these in use */
  uint32_t unknown;         /**< of these TTB_STATUS_UNKNOWN */
  uint32_t healthy;         /**< ... HEALTHY */
  uint32_t degraded;        /**< ... DEGRADED */
  uint32_t unhealthy;       /**< ... UNHEALTHY */
  uint32_t stale;           /**< ... STALE */
  uint64_t changes;         /**< changes of status */
  uint64_t late;            /**< reports for slots not in use */
  uint64_t pauses;          /**< local pauses found */
  uint64_t clock_adoptions; /**< jumps of the clock beyond the ordinary */
  uint32_t ejected;         /**< targets that are ejected */
  uint32_t judged;          /**< targets whose rates the last sweep compared */
  uint64_t sweeps;          /**< over all targets */
  uint64_t detected;        /**< outliers found, of any kind */
  uint64_t enforced;        /**< of these ejected */
  uint64_t overflows;       /**< of these not, because too many are */
  uint64_t systemic;        /**< sweeps in which too many looked bad to be so */
  int32_t mean_ppm;         /**< success rate they were compared with, ppm (if judged > 0) */
  int32_t threshold_ppm;    /**< below this one is an outlier, ppm (if judged > 0); may be negative */
} ttb_health_stats;

/** A target as a view names it. Arrays carry equal struct_size: the stride.
 *  Texts are UTF-8, end with a NUL and are only read during the call; what is
 *  not valid UTF-8 appears as U+FFFD. */
typedef struct ttb_health_member {
  uint32_t struct_size;    /**< sizeof(ttb_health_member) */
  uint32_t slot;           /**< which target, 0..capacity-1 */
  int32_t criticality;     /**< TTB_HEALTH_REQUIRED, _OPTIONAL, _INFO */
  uint32_t reserved;       /**< 0 */
  const char *name;        /**< of the component: not empty, without ':' */
  const char *measurement; /**< what was measured; NULL: "responseTime" */
  const char *id;          /**< componentId; NULL: none */
  const char *type;        /**< componentType: "datastore", "system", ...; NULL: none */
  const char *output;      /**< shown unless it passes: an error's text; NULL: the reason */
} ttb_health_member;

/** A named set of targets, how they are judged together and shown. Rows with
 *  the same name and measurement stand together and share one JSON array. */
typedef struct ttb_health_view {
  uint32_t struct_size;  /**< sizeof(ttb_health_view) */
  uint32_t count;        /**< rows in `members`, 0..1048576 */
  int32_t at_least;      /**< 0: the worst decides; k, 1..1048576: k of n; TTB_OFF: 0 of n */
  int32_t degraded_as;   /**< what DEGRADED counts as: HEALTHY, DEGRADED (default), UNHEALTHY */
  int32_t unknown_as;    /**< what UNKNOWN counts as; default DEGRADED */
  int32_t stale_as;      /**< what STALE counts as; default UNHEALTHY */
  int32_t http_pass;     /**< code for pass, 200..399; default 200 */
  int32_t http_warn;     /**< code for warn, 200..599; default 200 */
  int32_t http_fail;     /**< code for fail, 400..599; default 503 */
  uint32_t reserved;     /**< 0 */
  uint64_t wall_ms;      /**< Unix time of now_ns in ms, for `time`; 0: `time` is left out */
  const ttb_health_member *members; /**< `count` rows; may be NULL if count is 0 */
  const char *service_id;  /**< serviceId; NULL: none */
  const char *version;     /**< version; NULL: none */
  const char *description; /**< description; NULL: none */
} ttb_health_view;

/** What a view comes to. */
typedef struct ttb_health_summary {
  uint32_t struct_size; /**< sizeof(ttb_health_summary) */
  int32_t status;       /**< TTB_STATUS_HEALTHY (pass), _DEGRADED (warn), _UNHEALTHY (fail) */
  int32_t http_code;    /**< what an HTTP endpoint should answer */
  uint32_t healthy;     /**< checks that are HEALTHY, whatever they count for */
  uint32_t degraded;    /**< ... DEGRADED */
  uint32_t unhealthy;   /**< ... UNHEALTHY */
  uint32_t unknown;     /**< ... UNKNOWN (or not in use) */
  uint32_t stale;       /**< ... STALE */
} ttb_health_summary;

/**
 * @brief Checks a configuration and says what is wrong with it.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (a field, or recover_ms
 *         above degraded_ms, or eject_max_ms below eject_base_ms); TTB_ERR_UNSUPPORTED (a field this library does not know)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_check(const ttb_health_config *config, ttb_detail *ret_detail);

/**
 * @brief Bytes a region needs.
 * @param config what it shall do
 * @return a multiple of 64, or the error ttb_health_check would give
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_health_size(const ttb_health_config *config);

/**
 * @brief Makes a table of targets in memory the caller owns.
 *
 * The memory is exclusive until this returns; no byte of it is trusted.
 * Others may attach afterwards.
 * @param ret_health the handle
 * @param mem        the region, on a multiple of TTB_ALIGN
 * @param size       bytes there
 * @param config     what it shall do; copied
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, misaligned); TTB_ERR_NOSPACE; or as
 *         ttb_health_check
 * @threads exclusive @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_health_init(ttb_health *ret_health, void *mem, uint64_t size,
                                              const ttb_health_config *config);

/**
 * @brief Makes a handle to a table that another process (or mapping) made.
 * @param ret_health the handle
 * @param mem        the region, on a multiple of TTB_ALIGN; any address
 * @param size       bytes mapped there
 * @return TTB_OK; TTB_AGAIN (not made yet, or being made); TTB_ERR_MISUSE;
 *         TTB_ERR_NOSPACE (mapped short); TTB_ERR_CORRUPT; TTB_ERR_VERSION;
 *         TTB_ERR_MISMATCH (another kind of object)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_health_attach(ttb_health *ret_health, void *mem, uint64_t size);

/**
 * @brief Makes a table in memory of its own: one allocation, then init.
 * @param ret_health the handle
 * @param config     what it shall do
 * @param allocator  where the memory comes from; NULL for the C library's
 * @return TTB_OK; TTB_ERR_NOMEM; TTB_ERR_MISUSE; or as ttb_health_check
 * @threads any @progress as the allocator @alloc once @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_health_new(ttb_health *ret_health,
                                             const ttb_health_config *config,
                                             const ttb_allocator *allocator);

/**
 * @brief Ends a handle: gives back the memory ttb_health_new took and clears it.
 * @param health the handle; NULL or a cleared one is a no-op
 * @threads exclusive (the handle) @progress wait-free @alloc none @since 0.1
 */
TTB_API void ttb_health_free(ttb_health *health);

/**
 * @brief Starts a slot for a (new) target: generation + 1, config.start, no
 *        history, a probe due at once. Also: starts one anew.
 *
 * Give a slot to another target only when no probe of the old one is out: a
 * result does not say which target it belonged to.
 * @param health the handle
 * @param slot   which target
 * @param now_ns the time, ns
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_enable(ttb_health *health, uint32_t slot, uint64_t now_ns);

/**
 * @brief Takes a slot out of use: generation + 1, UNKNOWN, never due, reports
 *        for it are TTB_STALE.
 * @param health the handle
 * @param slot   which target
 * @param now_ns the time, ns
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_disable(ttb_health *health, uint32_t slot, uint64_t now_ns);

/**
 * @brief Says how a probe ended.
 *
 * TTB_SUCCESS and TTB_SLOW pass, TTB_FAILURE and TTB_SLOW_FAILURE fail. TTB_IGNORED (the prober
 * itself broke) says nothing: the target is due again when its lease ends.
 * TTB_CANCELLED makes it due again at once. Neither is a report for ttl_ms.
 * @param health     the handle
 * @param slot       which target
 * @param outcome    TTB_SUCCESS .. TTB_SLOW_FAILURE
 * @param latency_ns how long it took, ns; 0 if it was not measured
 * @param now_ns     the time, ns
 * @return TTB_OK; the new status (TTB_STATUS_HEALTHY, _DEGRADED, _UNHEALTHY) if
 *         this report changed it: exactly one caller gets it; TTB_STALE (slot
 *         not in use; counted); TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, outcome)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_report(ttb_health *health, uint32_t slot, int32_t outcome,
                                  uint64_t latency_ns, uint64_t now_ns);

/**
 * @brief ttb_health_report for n targets, in order, at one time.
 * @param health     the handle
 * @param slots      n slots
 * @param outcomes   n outcomes
 * @param latency_ns n latencies; may be NULL (none measured)
 * @param n          how many, 0..2^31-1
 * @param now_ns     the time, ns
 * @param ret_codes  n results as of ttb_health_report; may be NULL
 * @return how many were taken (neither stale nor an error); TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_report_n(ttb_health *health, const uint32_t *slots,
                                    const int32_t *outcomes, const uint64_t *latency_ns, uint32_t n,
                                    uint64_t now_ns, int32_t *ret_codes);

/**
 * @brief Says how an ordinary call to the target ended (passive health).
 *
 * A success or slow outcome ends the row of errors and does nothing else; a
 * target that is STALE is left alone. Without an error this is two loads, and one
 * addition if outliers are ejected. An ejection costs a few additions more, however
 * large the table is and however many fail.
 * @param health  the handle
 * @param slot    which target
 * @param outcome TTB_SUCCESS .. TTB_SLOW_FAILURE (a failure); TTB_HEALTH_GATEWAY,
 *                TTB_HEALTH_LOCAL: a failure with a cause
 * @param now_ns  the time, ns
 * @return TTB_OK; the new status if this call changed it (exactly one caller
 *         gets it); TTB_HEALTH_EJECTED if it ejected the target and did not
 *         change its status; TTB_STALE (slot not in use; counted); TTB_ERR_MISUSE;
 *         TTB_ERR_RANGE (slot, outcome)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_observe(ttb_health *health, uint32_t slot, int32_t outcome,
                                   uint64_t now_ns);

/**
 * @brief Whether a target is ejected as an outlier.
 *
 * It comes back by a sweep of ttb_health_tick, and, with TTB_HEALTH_EJECT_PROBED,
 * by a probe that passes.
 * @param health the handle
 * @param slot   which target
 * @return 1 or 0; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_ejected(const ttb_health *health, uint32_t slot);

/**
 * @brief Puts a target into a status by hand, as if enough results had done it.
 *        Further results count as ever.
 * @param health the handle
 * @param slot   which target
 * @param status TTB_STATUS_HEALTHY, TTB_STATUS_UNHEALTHY, or TTB_STATUS_UNKNOWN
 *               (the next result decides)
 * @param now_ns the time, ns
 * @return TTB_OK; the new status if it was another before (not for UNKNOWN);
 *         TTB_STALE (slot not in use); TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, status)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_set(ttb_health *health, uint32_t slot, int32_t status, uint64_t now_ns);

/**
 * @brief A target's status now.
 * @param health the handle
 * @param slot   which target
 * @param now_ns the time, ns
 * @return TTB_STATUS_UNKNOWN (also: slot not in use), _HEALTHY, _DEGRADED,
 *         _UNHEALTHY, _STALE; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_status(const ttb_health *health, uint32_t slot, uint64_t now_ns);

/**
 * @brief ttb_health_status for n targets at one time.
 * @param health     the handle
 * @param slots      n slots; NULL for 0..n-1
 * @param n          how many, 0..2^31-1
 * @param now_ns     the time, ns
 * @param ret_status n results
 * @return how many are HEALTHY or DEGRADED; TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_status_n(const ttb_health *health, const uint32_t *slots, uint32_t n,
                                    uint64_t now_ns, int32_t *ret_status);

/**
 * @brief Records which targets have become stale, looks for local pauses, and
 *        sweeps for outliers when it is time.
 *
 * Call it from time to time, more often than max_pause_ms, and first of all
 * after a wake-up. Reads see staleness without it; this announces each once.
 * @param health    the handle
 * @param now_ns    the time, ns
 * @param ret_slots up to n slots that became stale; NULL (with n = 0): only count
 * @param n         room there; if more have become stale, the next call gets them
 * @return how many became stale by this call; TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_tick(ttb_health *health, uint64_t now_ns, uint32_t *ret_slots,
                                uint32_t n);

/**
 * @brief Hands out targets that should be probed now, each to one caller.
 *
 * Probe them and report; what is not reported is due again after lease_ms.
 * Slots are looked at in turn, so a small n starves none.
 * @param health    the handle
 * @param now_ns    the time, ns
 * @param ret_slots up to n slots
 * @param n         room there, 0..2^31-1
 * @return how many were handed out; TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_due(ttb_health *health, uint64_t now_ns, uint32_t *ret_slots,
                               uint32_t n);

/**
 * @brief How long a probing loop may sleep.
 * @param health the handle
 * @param now_ns the time, ns
 * @return ms until the earliest probe is due: 0 now, INT64_MAX if no slot is in
 *         use; TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_health_next_due_ms(const ttb_health *health, uint64_t now_ns);

/**
 * @brief Checks a view and its rows and says what is wrong.
 * @param health     the handle, for the slots
 * @param view       what to check
 * @param ret_detail filled in (TTB_OK or the fault, with the row's index); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL; a name that is empty or holds ':');
 *         TTB_ERR_RANGE; TTB_ERR_UNSUPPORTED
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_view_check(const ttb_health *health, const ttb_health_view *view,
                                      ttb_detail *ret_detail);

/**
 * @brief What a view comes to: the worst of its members, or k of n.
 *
 * The worst: a required member counts as it is, an optional one at the worst as
 * a warning, an info one not at all; none at all is a pass. k of n: info members
 * aside, all count alike; k that pass make a pass, k that pass or warn a
 * warning, fewer a failure (Route 53's calculated checks, with a middle level).
 * @param health      the handle
 * @param view        which members
 * @param now_ns      the time, ns
 * @param ret_summary filled in; its struct_size must be set; may be NULL
 * @return TTB_STATUS_HEALTHY (pass), _DEGRADED (warn), _UNHEALTHY (fail); or as
 *         ttb_health_view_check
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_overall(const ttb_health *health, const ttb_health_view *view,
                                   uint64_t now_ns, ttb_health_summary *ret_summary);

/**
 * @brief Writes a view as application/health+json.
 *
 * As snprintf: the text is always ended by a NUL if size is not 0, and what is
 * returned is the length it would have. A text that did not fit (length >=
 * size) is cut between characters and is no valid JSON: use a larger buffer.
 * @param health      the handle
 * @param view        which members
 * @param now_ns      the time, ns
 * @param buf         where the text goes; may be NULL if size is 0
 * @param size        bytes there
 * @param ret_summary what the text says, with the HTTP code; its struct_size
 *                    must be set; may be NULL
 * @return length without the NUL; or as ttb_health_view_check
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_health_json(const ttb_health *health, const ttb_health_view *view,
                                uint64_t now_ns, char *buf, uint64_t size,
                                ttb_health_summary *ret_summary);

/**
 * @brief A target's status and the numbers behind it. Takes nothing.
 * @param health   the handle
 * @param slot     which target
 * @param now_ns   the time, ns
 * @param ret_info filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_explain(const ttb_health *health, uint32_t slot, uint64_t now_ns,
                                   ttb_health_info *ret_info);

/**
 * @brief Counts and counters of the whole table.
 * @param health    the handle
 * @param now_ns    the time, ns
 * @param ret_stats filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_statistics(const ttb_health *health, uint64_t now_ns,
                                      ttb_health_stats *ret_stats);

/**
 * @brief The structs of this header as the library sees them, for bindings.
 * @param which     0 config, 1 info, 2 stats, 3 member, 4 view, 5 summary
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_health_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
