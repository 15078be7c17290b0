/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/budget.h
 * @brief How many replicas, if all you want to say is how much violation you can bear.
 *
 * Other autoscalers are told a utilisation to aim at, windows, steps and
 * cooldowns, and nobody knows which of them keep the service fast at the least
 * cost. A *violation budget* is told what can be known: how much a replica
 * carries, how long one takes to start, and which share of the time there may be
 * too few. It finds out the rest from the load itself, and keeps finding out.
 *
 *     load --> 16 arms, each a rule with its own base and headroom,
 *                run in the shadow: what would it have cost, how often
 *                would it have been too little?
 *          --> the cheapest arm within the budget says what is needed
 *          --> a hold, chosen the same way, turns that into few actions
 *          --> desired, with the reason
 *
 *     ttb_budget_config c = TTB_CONFIG(ttb_budget_config);
 *     c.replica_milli = 50000;                   // a replica does 50 requests/s
 *     c.budget_ppm = 10000;                      // too few during 1 % of the time
 *     c.startup_ms = 60000;                      // from order to service
 *     c.min_replicas = 2;
 *     c.max_replicas = 40;
 *     ttb_budget b;
 *     if (ttb_budget_new(&b, &c, NULL) < 0) return 1;
 *
 *     ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);      // every 15 s
 *     s.load_milli = 812500;                     // 812.5 requests/s came in
 *     s.current = running;
 *     ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
 *     if (ttb_budget_tick(&b, 0, &s, now_ns, &d) == TTB_OK)
 *       start_or_stop(d.desired - running);
 *
 * ## What is a violation
 *
 * A tick in which the load is above limit_ppm (90 %) of what serves:
 *
 *     load > limit * replicas * replica_milli
 *
 * The budget is the share of ticks in which that may happen, in the long run and
 * counted by time, not by requests. It is a goal and not a promise: a load unlike
 * anything it has seen will violate, and is learned from. Where no start-up time
 * stands between a decision and its effect the budget could be met exactly; the
 * longer it is, the more of the load's jumps must be paid for in advance.
 *
 * Demand that is not linear in replicas (a wanted waiting time, contention) is
 * given as a curve: `carries_milli[n-1]` is the load n replicas carry without
 * violation. <trimtab/plan.h> computes such curves: ttb_plan_servers for a share
 * of requests that waits (Erlang C), ttb_plan_usl_throughput for contention.
 *
 * ## Arms
 *
 * An arm asks for a + g * s. The base a and the scale s follow from the load; the
 * headroom g is the quantile that would have kept the budget, read off a
 * histogram of the headroom that was needed each tick. Half of its weight is a
 * half-life (seven days) old. So no arm has a knob. See ttb_budget_arm.
 *
 * | base                                     | scale                                 |
 * |------------------------------------------|---------------------------------------|
 * | the load                                 | mean change over the start-up time, of minutes or of an hour; level of days |
 * | the load and its trend                   | mean change                           |
 * | the highest of 8 or 40 ticks             | itself; level of days; mean change    |
 * | the same, or the trend if it is higher   | itself                                |
 * | the mean of about half an hour           | mean change                           |
 * | the load and the forecast                | mean change; itself                   |
 *
 * The trend is the rise of the last ticks carried on over the start-up time, at
 * the most the load again. The forecast is what the profile of a day (5 minutes a
 * bucket) or of a week (30 minutes a bucket) shows from now to the end of that
 * time. Both can only add, at the most the load again. The forecast is used only
 * while its mean error is below 30 % of the load; and as an arm with a poor
 * forecast needs more headroom and costs more, it is not chosen.
 *
 * Until something is known an arm goes by a cautious prior worth two hours.
 *
 * ## Holds
 *
 * What is needed changes at every tick. A hold rides over that: it goes up when
 * more is needed, a little further than needed; and down when what was needed for
 * some time is well below. Twelve run in the shadow; the cheapest one that takes
 * at most actions_a_day is used. Downs beyond that number wait.
 *
 * ## State, restarts, several processes
 *
 * As with ttb_autoscaler: one region, fixed size (see ttb_budget_size; about 15 KB a
 * workload), no allocation after init, nothing held; one writer a slot at a time,
 * anybody may explain; a copy of the bytes is a snapshot to try things on. What has
 * been learned survives a restart if the memory does.
 *
 * ## Ticks
 *
 * Call every tick_ms; the time decides, not the number of calls. A call that comes
 * before half a tick is over learns nothing and repeats the answer. Up to 8 ticks
 * without a call count as if the load had been the next one seen; after a longer
 * gap the last minutes are forgotten, what was learned is not.
 *
 * ## Numbers
 *
 * Integers throughout: the same samples give the same decisions on every machine.
 * Loads are thousandths (milli) of any unit; negative ones count as 0 and
 * huge ones as the most that is representable (131072 replicas).
 */
#ifndef TRIMTAB_BUDGET_H
#define TRIMTAB_BUDGET_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle; see base.h. May be used by several threads, one writer a slot. */
typedef struct ttb_budget {
  uint64_t opaque[32]; /**< private */
} ttb_budget;

/** Replicas a workload may have at the most. */
#define TTB_BUDGET_MAX_REPLICAS 100000
/** Arms there are. */
#define TTB_BUDGET_ARMS 16
/** Points of a capacity curve at the most. */
#define TTB_BUDGET_MAX_CURVE 1024

/** @name Flags of a configuration
 *  @{ */
#define TTB_BUDGET_NO_FORECAST 1u /**< arms with a forecast are left out */
#define TTB_BUDGET_CAPPED 2u      /**< loads are what was served, which stops at what the replicas
                                       can do: a load that high counts for half as much again */
/** @} */

/** @name Reasons: why the count is what it is
 *  @{ */
#define TTB_BUDGET_STEADY 0   /**< what is needed is what there is */
#define TTB_BUDGET_MORE 1     /**< more are needed */
#define TTB_BUDGET_FEWER 2    /**< fewer have been needed for long enough */
#define TTB_BUDGET_HELD 3     /**< fewer are needed, but not by enough or for long enough */
#define TTB_BUDGET_ACTIONS 4  /**< fewer would do, but the actions are used up */
#define TTB_BUDGET_AT_MAX 5   /**< more are needed than max_replicas */
#define TTB_BUDGET_AT_MIN 6   /**< fewer are needed than min_replicas, or the floor */
#define TTB_BUDGET_MISSING 7  /**< there is no load: hold */
#define TTB_BUDGET_EARLY 8    /**< the tick is not over: as before */
/** @} */

/** What a table of budgets shall do. Start with TTB_CONFIG. */
typedef struct ttb_budget_config {
  uint32_t struct_size;   /**< sizeof(ttb_budget_config) */
  uint32_t capacity;      /**< workloads in the table, 1..1048576; default 1 */
  int64_t replica_milli;  /**< load a replica does at 100 %, 1..2^53; must be given, or a curve */
  int32_t budget_ppm;     /**< share of the time in violation, 100..500000; default 10000 (1 %) */
  int32_t limit_ppm;      /**< share of what serves that may be used, 1..1000000; default 900000 */
  int32_t min_replicas;   /**< 1..100000, TTB_OFF for 0; default 1 */
  int32_t max_replicas;   /**< 1..100000, not below min_replicas; default 100 */
  uint32_t startup_ms;    /**< from order to service, 1..3600000; default 60000 */
  uint32_t tick_ms;       /**< time between samples, 1000..300000; default 15000 */
  int32_t actions_a_day;  /**< changes of the count a day, 10..1000000, TTB_OFF: any number;
                               default 450 */
  uint32_t flags;         /**< TTB_BUDGET_NO_FORECAST | TTB_BUDGET_CAPPED */
  uint32_t carries_n;     /**< points of carries_milli, 0..1024; 0: linear, by replica_milli */
  uint32_t reserved;      /**< 0 */
  const int64_t *carries_milli; /**< rising, each 1..2^53; more replicas go on as the last two
                                     points do; copied. replica_milli and limit_ppm are not
                                     used then (TTB_BUDGET_CAPPED goes by the curve) */
} ttb_budget_config;

/** What was seen since the last tick. */
typedef struct ttb_budget_sample {
  uint32_t struct_size; /**< sizeof(ttb_budget_sample) */
  uint32_t missing;     /**< not 0: there is no load */
  int64_t load_milli;   /**< the load: mean of the tick, or the newest finer value there is */
  int64_t peak_milli;   /**< the highest load in the tick if finer values are known, else 0: what
                             violation is judged by */
  int32_t current;      /**< replicas there are (ordered, not only serving), 0..100000 */
  int32_t serving;      /**< of them, those that serve (TTB_BUDGET_CAPPED needs it); 0: not known */
  int32_t floor;        /**< never fewer than this many, from a schedule or elsewhere; 0: none */
  uint32_t reserved;    /**< 0 */
} ttb_budget_sample;

/** A decision and why it is so. */
typedef struct ttb_budget_decision {
  uint32_t struct_size;  /**< sizeof(ttb_budget_decision) */
  int32_t desired;       /**< how many replicas there shall be */
  int32_t current;       /**< how many there are, as the caller said */
  int32_t reason;        /**< TTB_BUDGET_STEADY, ...; see ttb_budget_reason */
  int32_t needed;        /**< what the arm asks for, before holds and bounds */
  int32_t arm;           /**< which arm spoke; see ttb_budget_arm */
  int32_t hold;          /**< which hold was used, 0 (none) and up: longer */
  int32_t demand_milli;  /**< thousandths of the replicas the load itself needs */
  int32_t base_milli;    /**< the arm's base, in thousandths of replicas */
  int32_t scale_milli;   /**< its scale, the same */
  int32_t headroom_ppm;  /**< its headroom, in millionths of the scale; saturates */
  int32_t spent_ppm;     /**< share of recent time in violation, as seen from here */
} ttb_budget_decision;

/** What an arm has come to. Elements of an array have equal struct_size. */
typedef struct ttb_budget_row {
  uint32_t struct_size;  /**< sizeof(ttb_budget_row) */
  int32_t arm;           /**< its number, see ttb_budget_arm */
  int32_t chosen;        /**< 1: it speaks */
  int32_t headroom_ppm;  /**< g, in millionths of its scale; saturates */
  int32_t violation_ppm; /**< share of the remembered time its headroom would not have done */
  int32_t base_milli;    /**< its base in the last tick, in thousandths of replicas */
  int32_t scale_milli;   /**< its scale, the same */
  int32_t ask_milli;     /**< what it asked for in the last tick, the same */
  int64_t cost_milli;    /**< mean of what it asks for, the same */
} ttb_budget_row;

/** A workload's state. */
typedef struct ttb_budget_info {
  uint32_t struct_size;  /**< sizeof(ttb_budget_info) */
  int32_t desired;       /**< of the last decision; -1: never asked */
  int32_t reason;        /**< of the last decision */
  int32_t arm;           /**< the arm that speaks */
  int32_t hold;          /**< the hold in use */
  int32_t spent_ppm;     /**< share of recent time (half-life 5700 ticks, a day of 15 s) in violation */
  int32_t aim_ppm;       /**< violation the arms' headroom is read off for; at first 85 % of the budget */
  int32_t forecast_error_ppm; /**< mean error of the forecast, of the load; -1: nothing known */
  int32_t actions_left;  /**< downs that may follow one another now; -1: any number */
  int32_t level_milli;   /**< mean demand of days, in thousandths of replicas */
  uint64_t ticks;        /**< learned from */
  uint64_t violations;   /**< ticks in violation, as seen from here */
  uint64_t actions;      /**< changes decided */
  int64_t age_ms;        /**< time since the last tick, -1: never */
  uint32_t rows_n;       /**< in: elements of rows; out: how many were filled */
  uint32_t reserved;     /**< 0 */
  ttb_budget_row *rows;  /**< in: room for a row an arm (TTB_BUDGET_ARMS), or NULL */
} ttb_budget_info;

/**
 * @brief Checks a configuration and says what is wrong with it.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault; index is the point of a curve); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, also of a curve that should have
 *         points); TTB_ERR_RANGE; TTB_ERR_UNSUPPORTED (a field this library
 *         does not know)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_budget_check(const ttb_budget_config *config, ttb_detail *ret_detail);

/**
 * @brief Bytes a region needs.
 * @param config what it shall do
 * @return a multiple of 64, or the error ttb_budget_check would give
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_budget_size(const ttb_budget_config *config);

/**
 * @brief Makes a table of workloads without a past in memory the caller owns.
 *
 * The memory is exclusive until this returns; no byte of it is trusted.
 * @param ret_budget the handle
 * @param mem        the region, on a multiple of TTB_ALIGN
 * @param size       bytes there
 * @param config     what it shall do; copied with its curve
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, misaligned); TTB_ERR_NOSPACE; or as
 *         ttb_budget_check
 * @threads exclusive @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_budget_init(ttb_budget *ret_budget, void *mem, uint64_t size,
                                              const ttb_budget_config *config);

/**
 * @brief Makes a handle to a table that another process (or an earlier run) made.
 * @param ret_budget the handle
 * @param mem        the region, on a multiple of TTB_ALIGN; any address
 * @param size       bytes mapped there
 * @return TTB_OK; TTB_AGAIN (not made yet, or being made); TTB_ERR_MISUSE;
 *         TTB_ERR_NOSPACE (mapped short); TTB_ERR_CORRUPT; TTB_ERR_VERSION;
 *         TTB_ERR_MISMATCH (another kind of object)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_budget_attach(ttb_budget *ret_budget, void *mem, uint64_t size);

/**
 * @brief Makes a table in memory of its own: one allocation, then init.
 * @param ret_budget the handle
 * @param config     what it shall do
 * @param allocator  where the memory comes from; NULL for the C library's
 * @return TTB_OK; TTB_ERR_NOMEM; TTB_ERR_MISUSE; or as ttb_budget_check
 * @threads any @progress as the allocator @alloc once @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_budget_new(ttb_budget *ret_budget,
                                             const ttb_budget_config *config,
                                             const ttb_allocator *allocator);

/**
 * @brief Ends a handle: gives back the memory ttb_budget_new took, and clears it.
 * @param budget the handle; NULL or a cleared one is a no-op
 * @threads exclusive (the handle) @progress wait-free @alloc none @since 0.1
 */
TTB_API void ttb_budget_free(ttb_budget *budget);

/**
 * @brief Learns from a tick and decides how many replicas there shall be.
 * @param budget       the handle
 * @param slot         which workload, 0..capacity-1
 * @param sample       what was seen; its struct_size must be set
 * @param now_ns       the time, ns
 * @param ret_decision filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE (handle, NULL); TTB_ERR_RANGE (slot, current,
 *         serving, floor, a struct_size)
 * @threads one writer a slot @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_budget_tick(ttb_budget *budget, uint32_t slot, const ttb_budget_sample *sample,
                                uint64_t now_ns, ttb_budget_decision *ret_decision);

/**
 * @brief ttb_budget_tick for n workloads, in order, at one time.
 * @param budget        the handle
 * @param slots         n slots; NULL for 0..n-1
 * @param n             how many, 0..2^31-1
 * @param samples       n samples of equal struct_size
 * @param now_ns        the time, ns
 * @param ret_decisions n decisions of equal struct_size
 * @param ret_codes     n results as of ttb_budget_tick; may be NULL
 * @return how many were decided; TTB_ERR_MISUSE (handle, NULL, n)
 * @threads one writer a slot @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_budget_tick_n(ttb_budget *budget, const uint32_t *slots, uint32_t n,
                                  const ttb_budget_sample *samples, uint64_t now_ns,
                                  ttb_budget_decision *ret_decisions, int32_t *ret_codes);

/**
 * @brief Forgets a workload: its next tick is its first.
 * @param budget the handle
 * @param slot   which workload
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot)
 * @threads one writer a slot @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_budget_reset(ttb_budget *budget, uint32_t slot);

/**
 * @brief What a workload has come to, arm by arm. Changes nothing.
 * @param budget   the handle
 * @param slot     which workload
 * @param now_ns   the time, ns
 * @param ret_info filled in; its struct_size must be set, and rows, rows_n if wanted
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, a struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_budget_explain(const ttb_budget *budget, uint32_t slot, uint64_t now_ns,
                                   ttb_budget_info *ret_info);

/**
 * @brief What an arm goes by, in a few words: "load and trend, change of an hour".
 * @param arm any number
 * @return static text, never NULL
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API const char *ttb_budget_arm(int32_t arm);

/**
 * @brief A sentence for a reason.
 * @param reason any number
 * @return static text, never NULL
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API const char *ttb_budget_reason(int32_t reason);

/**
 * @brief The structs of this header as the library sees them, for bindings.
 * @param which     0 config, 1 sample, 2 decision, 3 row, 4 info
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_budget_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
