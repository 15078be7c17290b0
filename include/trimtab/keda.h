/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/keda.h
 * @brief KEDA's part beside an HPA: activation, idle and zero, fallback, jobs.
 *
 * KEDA leaves 1..n to an HPA (autoscaler.h, kind TOTAL) and decides itself when a
 * workload leaves 0 or its idle count and when it goes back, what a failing
 * trigger counts as, and how many jobs to create. These are those rules
 * (pkg/scaling/executor, pkg/scaling/cache, pkg/fallback of kedacore/keda, commit
 * 8b4f083c), as functions without state: what they need to know of the past is an
 * age or a counter the caller keeps.
 *
 *     ttb_keda_config k = TTB_CONFIG(ttb_keda_config);
 *     k.cooldown_ms = 60000;
 *     ttb_keda_input in = TTB_CONFIG(ttb_keda_input);
 *     in.current = running;
 *     in.active = queue_length > activation;       // strictly, as KEDA
 *     in.active_age_ms = last_active ? now - last_active : -1;
 *     in.created_age_ms = now - created;
 *     ttb_keda_decision d = TTB_CONFIG(ttb_keda_decision);
 *     ttb_keda_activate(&k, &in, &d);
 *     if (d.replicas != running) apply(d.replicas);
 *     else if (running > 0) ...ttb_autoscaler_evaluate...
 *
 * ## Activation
 *
 * | triggers              | count                           | it becomes                   |
 * |-----------------------|---------------------------------|------------------------------|
 * | one is active         | 0, or below min with idle count | max(min, 1)                  |
 * | none, errors, fallback| any                             | the fallback's count         |
 * | none, errors          | any                             | stays                        |
 * | none                  | above the idle count            | the idle count, when cooled  |
 * | none, no idle count   | above 0 and min is 0            | 0, when cooled               |
 * | none, no idle count   | below min                       | min                          |
 *
 * Cooled: the last activity is longer ago than cooldown_ms, or there was none and
 * the object is older than initial_cooldown_ms (both strictly).
 *
 * ## Fallback
 *
 * A trigger that failed more than `failures` times in a row counts as what asks
 * for `replicas`: its target times that many.
 *
 * ## Jobs
 *
 * | strategy                | jobs to create at the most                              |
 * |-------------------------|---------------------------------------------------------|
 * | #TTB_KEDA_JOBS_DEFAULT  | wanted - running                                        |
 * | #TTB_KEDA_JOBS_CUSTOM   | min(wanted - deduction - running * part, max)           |
 * | #TTB_KEDA_JOBS_ACCURATE | wanted + running - pending > max ? max - running : wanted - pending |
 * | #TTB_KEDA_JOBS_EAGER    | min(max - running - pending, wanted), all at once       |
 *
 * with running counted above min_replicas; fewer than min are first filled up.
 */
#ifndef TRIMTAB_KEDA_H
#define TRIMTAB_KEDA_H

#include <trimtab/autoscaler.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name Why a count is what it is
 *  @{ */
#define TTB_KEDA_STAYS 0     /**< nothing to do: the HPA decides, or it is idle */
#define TTB_KEDA_ACTIVATED 1 /**< a trigger is active: up to min, or to 1 */
#define TTB_KEDA_IDLED 2     /**< no trigger is active: to idle, or to 0 */
#define TTB_KEDA_TO_MIN 3    /**< it was below min */
#define TTB_KEDA_COOLING 4   /**< no trigger is active, but one was not long ago */
#define TTB_KEDA_PAUSED 5    /**< it would change, but that direction is paused */
#define TTB_KEDA_FAILED 6    /**< triggers fail and there is no fallback: stays */
#define TTB_KEDA_FELL_BACK 7 /**< triggers fail: to the fallback's count */
/** @} */

/** @name What a fallback counts with
 *  @{ */
#define TTB_KEDA_STATIC 1            /**< replicas */
#define TTB_KEDA_CURRENT 2           /**< what there is */
#define TTB_KEDA_CURRENT_IF_HIGHER 3 /**< the larger of the two */
#define TTB_KEDA_CURRENT_IF_LOWER 4  /**< the smaller of the two */
/** @} */

/** @name Strategies for jobs
 *  @{ */
#define TTB_KEDA_JOBS_DEFAULT 1  /**< "default" */
#define TTB_KEDA_JOBS_CUSTOM 2   /**< "custom" */
#define TTB_KEDA_JOBS_ACCURATE 3 /**< "accurate": the queue has no jobs that are running */
#define TTB_KEDA_JOBS_EAGER 4    /**< "eager" */
/** @} */

/** @name How several triggers of a job become one
 *  @{ */
#define TTB_KEDA_MAX 1 /**< the longest queue */
#define TTB_KEDA_MIN 2 /**< the shortest that is not empty */
#define TTB_KEDA_AVG 3 /**< the average */
#define TTB_KEDA_SUM 4 /**< the sum */
/** @} */

/** A ScaledObject. Start with TTB_CONFIG. */
typedef struct ttb_keda_config {
  uint32_t struct_size;         /**< sizeof(ttb_keda_config) */
  int32_t min_replicas;         /**< 0..10000000; default 0 */
  int32_t idle_replicas;        /**< 1..10000000, TTB_OFF for 0; default: none. Counts only below min */
  int32_t cooldown_ms;          /**< 1..2^31-1, TTB_OFF for 0; default 300000 */
  uint32_t initial_cooldown_ms; /**< 0..2^31-1; default 0 */
  int32_t fallback_replicas;    /**< 0..10000000; default 0: no fallback */
  uint32_t fallback_behavior;   /**< TTB_KEDA_STATIC (default), ... */
  uint32_t fallback_failures;   /**< failures in a row that are borne, 0..2^31-1; default 0 */
} ttb_keda_config;

/** What is seen now. */
typedef struct ttb_keda_input {
  uint32_t struct_size;   /**< sizeof(ttb_keda_input) */
  int32_t current;        /**< how many there are, 0..10000000 */
  uint32_t active;        /**< not 0: a trigger is above its activation value */
  uint32_t failing;       /**< not 0: a trigger could not be asked */
  uint32_t force;         /**< not 0: as if a trigger were active */
  uint32_t pause_in;      /**< not 0: never down */
  uint32_t pause_out;     /**< not 0: never up */
  uint32_t reserved;      /**< 0 */
  int64_t active_age_ms;  /**< since a trigger was last active; below 0: never was */
  int64_t created_age_ms; /**< since the object was made */
} ttb_keda_input;

/** A decision and why it is so. */
typedef struct ttb_keda_decision {
  uint32_t struct_size;   /**< sizeof(ttb_keda_decision) */
  int32_t replicas;       /**< how many there shall be; current if nothing changes */
  int32_t reason;         /**< TTB_KEDA_STAYS, ... */
  uint32_t active;        /**< the condition Active: 1, 0 */
  int64_t next_change_ms; /**< COOLING: until it may go; else -1 */
} ttb_keda_decision;

/** A ScaledJob. Start with TTB_CONFIG. */
typedef struct ttb_keda_jobs_config {
  uint32_t struct_size;  /**< sizeof(ttb_keda_jobs_config) */
  uint32_t strategy;     /**< TTB_KEDA_JOBS_DEFAULT (default), ... */
  int32_t min_replicas;  /**< jobs always running, 0..10000000; default 0 */
  int32_t max_replicas;  /**< 1..10000000; default 100 */
  int32_t deduction;     /**< CUSTOM: taken from the queue's length, 0..10000000; default 0 */
  int32_t running_ppm;   /**< CUSTOM: part of the running jobs taken from it, 0..1000000000;
                              default 0 */
} ttb_keda_jobs_config;

/** What is seen of jobs now. */
typedef struct ttb_keda_jobs_input {
  uint32_t struct_size; /**< sizeof(ttb_keda_jobs_input) */
  uint32_t active;      /**< not 0: a trigger is active; else nothing is created */
  int64_t queue;        /**< length of the queue: jobs at the most in one go */
  int64_t wanted;       /**< jobs the queue is worth (queue / target, up) */
  int64_t running;      /**< jobs that are not finished */
  int64_t pending;      /**< of these, jobs that have not begun */
} ttb_keda_jobs_input;

/** How many jobs to create. */
typedef struct ttb_keda_jobs_decision {
  uint32_t struct_size; /**< sizeof(ttb_keda_jobs_decision) */
  uint32_t reserved;    /**< 0 */
  int64_t create;       /**< jobs to create now, 0 or more */
  int64_t effective;    /**< what the strategy says; may be below 0 */
  int64_t scale_to;     /**< at the most in one go */
} ttb_keda_jobs_decision;

/** One trigger of a job. Elements of an array have equal struct_size. */
typedef struct ttb_keda_trigger {
  uint32_t struct_size; /**< sizeof(ttb_keda_trigger) */
  uint32_t active;      /**< not 0: above its activation value */
  int64_t queue_milli;  /**< length of its queue, thousandths; below 0 as 0 */
  int64_t target_milli; /**< a job's share of it, 1..2^63-1 */
} ttb_keda_trigger;

/**
 * @brief Whether a workload leaves 0 or its idle count, or goes back.
 * @param config       the object's rules
 * @param input        what is seen
 * @param ret_decision filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE; TTB_ERR_UNSUPPORTED
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_keda_activate(const ttb_keda_config *config, const ttb_keda_input *input,
                                  ttb_keda_decision *ret_decision);

/**
 * @brief What a trigger counts as, counting its failures.
 * @param config   the object's rules; fallback_replicas 0: failures are not counted
 * @param target_milli the trigger's target a replica, 1..2^63-1
 * @param current  how many replicas there are
 * @param failures in and out: failures in a row; above 0 means "Failing"
 * @param sample   in: as it was measured (missing if that failed); out: with the fallback's value,
 *                 saturating, if it applies
 * @return 1 if the fallback was put in, else 0; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 *         (struct_size, config, target, current); TTB_ERR_UNSUPPORTED
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_keda_fallback(const ttb_keda_config *config, int64_t target_milli,
                                  int32_t current, uint32_t *failures,
                                  ttb_autoscaler_sample *sample);

/**
 * @brief How many jobs to create.
 * @param config       the job's rules
 * @param input        what is seen; numbers below 0 count as 0
 * @param ret_decision filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE; TTB_ERR_UNSUPPORTED
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_keda_jobs(const ttb_keda_jobs_config *config, const ttb_keda_jobs_input *input,
                              ttb_keda_jobs_decision *ret_decision);

/**
 * @brief Several triggers of a job as one: queue, wanted and active of an input.
 *
 * Only active ones count. With min_replicas above 0 the result is active anyway.
 * @param config    the job's rules: bounds
 * @param trigger   n triggers
 * @param n         how many
 * @param combine   TTB_KEDA_MAX, ...
 * @param ret_input a started input (TTB_CONFIG); only queue, wanted and active are written
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE; TTB_ERR_UNSUPPORTED
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_keda_triggers(const ttb_keda_jobs_config *config,
                                  const ttb_keda_trigger *trigger, uint32_t n, uint32_t combine,
                                  ttb_keda_jobs_input *ret_input);

/**
 * @brief The structs of this header as the library sees them, for bindings.
 * @param which     0 config, 1 input, 2 decision, 3 jobs config, 4 jobs input, 5 jobs decision,
 *                  6 trigger
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_keda_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
