/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/autoscaler.h
 * @brief How many replicas: a decision, its reason, and when it may change.
 *
 * An autoscaler compares what it is told about a workload with targets and
 * answers with a replica count. It starts and stops nothing; the caller does,
 * and says with the next call how many there are.
 *
 *     samples --> a proposal a metric --> the largest --> stabilisation windows
 *                 (ratio, steps, marks)                           |
 *           decision <-- brakes <-- min, max <-- policies (steps a period)
 *
 * One engine, policies as data. As it stands it follows Kubernetes'
 * HorizontalPodAutoscaler v2 (pkg/controller/podautoscaler, release 1.33 and
 * later), to the bit, on every platform: metrics a pod (pods.h), several metrics
 * with partial failure, both tolerance forms, `behavior` and an HPA without it,
 * scale to zero, conditions (hpa.h). Rows of its configuration make it AWS' step
 * scaling and target tracking, Azure's rules with their what-if test, Google's
 * ten-minute peak, a watermark autoscaler; presets fill them in. Knative's panic
 * mode (knative.h) and KEDA's activation (keda.h) are functions of their own.
 *
 *     ttb_autoscaler_metric cpu = TTB_CONFIG(ttb_autoscaler_metric);
 *     cpu.kind = TTB_AUTOSCALER_UTILISATION;
 *     cpu.target_milli = 70000;                              // 70 %
 *     ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
 *     c.min_replicas = 2;
 *     c.max_replicas = 20;
 *     c.metrics = &cpu;
 *     c.metrics_n = 1;
 *     ttb_autoscaler a;
 *     if (ttb_autoscaler_new(&a, &c, NULL) < 0) return 1;
 *
 *     ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
 *     s.value_milli = 91500;                                 // 91.5 %
 *     ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
 *     if (ttb_autoscaler_evaluate(&a, 0, &s, 1, running, now_ns, &d) == TTB_OK)
 *       start_or_stop(d.desired - running);                  // d.reason says why
 *
 * ## From a metric to a proposal
 *
 * With the ratio r = value / target each metric proposes ceil(replicas * r),
 * unless r lies within 1 - tolerance_down .. 1 + tolerance_up (both ends
 * belong to it): then it proposes what there is. The largest proposal wins. The
 * kind says what the value is (the HPA's names in brackets):
 *
 * | kind                        | the value is            | r             | proposal       |
 * |-----------------------------|-------------------------|---------------|----------------|
 * | #TTB_AUTOSCALER_UTILISATION | percent of the capacity | value/target  | ceil(r * n)    |
 * | #TTB_AUTOSCALER_AVERAGE     | average of the replicas | value/target  | ceil(r * n)    |
 * | #TTB_AUTOSCALER_TOTAL       | sum over the workload   | value/target/n | ceil(value/target) |
 * | #TTB_AUTOSCALER_VALUE       | one number              | value/target  | ceil(r * n)    |
 *
 * (Resource/Utilization; Pods and Resource/AverageValue; Object and
 * External/AverageValue; Object and External/Value.) n is the number of replicas
 * the value speaks of: current_replicas, unless the sample says otherwise.
 * Utilisation is cut to whole percent, as the HPA does, unless
 * #TTB_AUTOSCALER_FINE is set.
 *
 * A sample that is missing counts as no proposal. If a metric is missing, the
 * others may scale up or hold, but not down; if all are, nothing changes.
 *
 * A metric's `method` says how else it may propose:
 *
 * - #TTB_AUTOSCALER_STEPS: the config's `steps` of this metric, intervals of its
 *   value with what to do in them (AWS step scaling, Azure's and Nomad's
 *   threshold rules). No step has the value: hold.
 * - #TTB_AUTOSCALER_WATERMARK: above target * (1 + tolerance_up) ceil(n * value /
 *   target), below low * (1 - tolerance_down) floor(n * value / low), at least 1;
 *   between them hold (DataDog's Watermark Pod Autoscaler).
 *
 * With #TTB_AUTOSCALER_GUARD a metric never asks for more than there is; it can
 * only keep replicas from going. An error rate belongs there: more replicas of a
 * program that fails are more failures.
 *
 * The largest proposal wins, which is "out if any, in if all" (AWS, Azure); or
 * the smallest, with #TTB_AUTOSCALER_COMBINE_MIN.
 *
 * ## Stabilisation
 *
 * Every proposal is remembered. The count goes up at most to the lowest
 * proposal of the last up_window_ms and down at most to the highest of the last
 * down_window_ms; a proposal counts while it is younger than the window. So
 * nothing is removed within down_window_ms of a higher proposal. The first
 * evaluation of a workload also remembers what it found running.
 *
 * ## Policies
 *
 * How far one direction may go within a period: so many replicas, or so many
 * percent of the count at the period's start. Several policies of a direction:
 * the one that allows most (select max, the default), or least (min);
 * #TTB_AUTOSCALER_SELECT_DISABLED forbids the direction. The changes of the
 * past that count are those the autoscaler decided and the caller carried out:
 * a decision is booked at the time it was made, once current_replicas shows it.
 *
 * An HPA without `behavior` is another machine, #TTB_AUTOSCALER_LEGACY: one
 * window (down) whose highest proposal counts whatever there is, entries as old
 * as the window included; policies count from the present count and remember
 * nothing; max(2 n, 4) up if no policy is given; down there is no limit.
 *
 * ## Schedule
 *
 * Rows of `schedule` raise min_replicas or lower max_replicas for hours of a day
 * or of a week; `week_offset_s` says where in the week now_ns = 0 lies.
 *
 * ## Brakes
 *
 * What a change costs, known to the decision. All are off by default.
 *
 * - `startup_ms`: replicas ordered less than that ago do not serve yet. Values a
 *   replica are taken to speak of the others, so that a load which the ordered
 *   replicas will carry does not order them twice.
 * - #TTB_AUTOSCALER_WHAT_IF (Azure autoscale's test against flapping): no
 *   scale-in to a count at which a metric, its load spread over fewer, would ask
 *   for more. With it no scale-up follows a scale-down while the load stands still.
 * - `billing_ms`: replicas ordered less than that ago are paid for already and
 *   are kept.
 * - `up_cooldown_ms` after the last scale-up no scale-up; `down_cooldown_ms`
 *   after the last change of either direction no scale-down (AWS).
 * - `action_cost_ms`: what an action costs, in replicas times ms. A scale-in waits
 *   until the replicas it would have saved add up to that (the break-even rule of
 *   ski rental: never more than twice the cost of knowing the future).
 *
 * ## When to ask again
 *
 * `next_change_ms` is how long the answer holds without news: until then the
 * same proposal with the decision carried out gives the same count. So callers
 * need not tick. -1: for ever.
 *
 * ## A table of workloads
 *
 * An object holds `capacity` workloads (slots) under one configuration. A
 * workload costs `size(n+1) - size(n)` bytes: 384 with the defaults, and 8 for
 * each tick a window or a period holds beyond.
 *
 * ## Several processes, restarts, what-if
 *
 * All state is in the region: it survives a restart if the memory does (a file
 * mapping), and each process attaches at its own address. For each slot **one
 * writer at a time** evaluates; anybody may explain. Nothing is ever held: a
 * writer killed at any instruction leaves a state as before or after its call
 * (or its proposal remembered and its decision not; or a change counted twice,
 * which for one period allows less), and another may go on at once. A copy of
 * the region's bytes is a snapshot: attach to the copy and evaluate there to see
 * what would happen.
 *
 * ## Numbers
 *
 * Values are thousandths (milli) in int64. Any value has a result: negative
 * ones propose 0, huge ones saturate. Ratios follow IEEE 754 double step by step,
 * because the HPA's do and ceil() shows it (0.07 * 100 asks for 8); where the
 * machine's double is not exact they are computed with integers.
 */
#ifndef TRIMTAB_AUTOSCALER_H
#define TRIMTAB_AUTOSCALER_H

#include <trimtab/base.h>
#include <trimtab/pods.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle; see base.h. May be used by several threads, one writer a slot. */
typedef struct ttb_autoscaler {
  uint64_t opaque[480]; /**< private */
} ttb_autoscaler;

/** Replicas a workload may have at the most. */
#define TTB_AUTOSCALER_MAX_REPLICAS 10000000
/** Metrics of an autoscaler at the most. */
#define TTB_AUTOSCALER_MAX_METRICS 16
/** Policies of a direction at the most. */
#define TTB_AUTOSCALER_MAX_POLICIES 8
/** Steps of all metrics together at the most. */
#define TTB_AUTOSCALER_MAX_STEPS 32
/** Rows of a schedule at the most. */
#define TTB_AUTOSCALER_MAX_SCHEDULE 16

/** @name Kinds of metric
 *  @{ */
#define TTB_AUTOSCALER_UTILISATION 1 /**< percent of what the replicas were given */
#define TTB_AUTOSCALER_AVERAGE 2     /**< average of the replicas */
#define TTB_AUTOSCALER_TOTAL 3       /**< sum over the workload, target a replica */
#define TTB_AUTOSCALER_VALUE 4       /**< one number and its target */
/** @} */

/** @name Flags of a metric
 *  @{ */
#define TTB_AUTOSCALER_FINE 1u   /**< do not cut utilisation to whole percent */
#define TTB_AUTOSCALER_GUARD 2u  /**< never propose more than there is */
#define TTB_AUTOSCALER_STATUS 4u /**< TOTAL: compare, for the tolerance, with the sample's replicas
                                      (status.replicas, 0 too) and not with current_replicas, as
                                      Kubernetes does while its issue 138505 is open */
/** @} */

/** @name Methods: from a value to a proposal
 *  @{ */
#define TTB_AUTOSCALER_RATIO 1     /**< ceil(n * value / target) outside the tolerance */
#define TTB_AUTOSCALER_STEPS 2     /**< the first of the config's steps that has the value */
#define TTB_AUTOSCALER_WATERMARK 3 /**< up above target, down below low, hold between */
/** @} */

/** @name Sources: what the HPA calls a metric's type (for conditions only)
 *  @{ */
#define TTB_AUTOSCALER_RESOURCE 1           /**< Resource */
#define TTB_AUTOSCALER_CONTAINER_RESOURCE 2 /**< ContainerResource */
#define TTB_AUTOSCALER_PODS 3               /**< Pods */
#define TTB_AUTOSCALER_OBJECT 4             /**< Object */
#define TTB_AUTOSCALER_EXTERNAL 5           /**< External */
/** @} */

/** @name What a step does
 *  @{ */
#define TTB_AUTOSCALER_STEP_CHANGE 1  /**< value replicas more (fewer if negative) */
#define TTB_AUTOSCALER_STEP_PERCENT 2 /**< value percent more or fewer, towards 0, but at least
                                             `least` (AWS: MinAdjustmentMagnitude) */
#define TTB_AUTOSCALER_STEP_EXACT 3   /**< value replicas */
#define TTB_AUTOSCALER_STEP_FACTOR 4  /**< value ppm of what there is, cut */
/** @} */

/** @name How proposals become one
 *  @{ */
#define TTB_AUTOSCALER_COMBINE_MAX 1 /**< the largest: out if any, in if all */
#define TTB_AUTOSCALER_COMBINE_MIN 2 /**< the smallest: out if all, in if any */
/** @} */

/** @name Starting from 0 replicas
 *  @{ */
#define TTB_AUTOSCALER_FROM_ZERO_ANY 1   /**< min_replicas 0 and a TOTAL or VALUE metric suffice */
#define TTB_AUTOSCALER_FROM_ZERO_OWN 2   /**< only if the autoscaler stopped it itself (the HPA with
                                              HPAScaleToZero); then min_replicas above 0 suffice too */
#define TTB_AUTOSCALER_FROM_ZERO_NEVER 3 /**< 0 means switched off (the HPA without it) */
/** @} */

/** @name Flags of an autoscaler
 *  @{ */
#define TTB_AUTOSCALER_OLD_TOLERANCE 1u /**< |1 - r| <= tolerance, as before Kubernetes 1.33 */
#define TTB_AUTOSCALER_GRADUAL 2u       /**< a count outside the bounds returns by windows and
                                             policies, not at once */
#define TTB_AUTOSCALER_LEGACY 4u        /**< an HPA without `behavior` */
#define TTB_AUTOSCALER_WHAT_IF 8u       /**< no scale-in that would ask for a scale-out */
/** @} */

/** @name Types of policy
 *  @{ */
#define TTB_AUTOSCALER_REPLICAS 1 /**< so many replicas a period (the HPA's "Pods") */
#define TTB_AUTOSCALER_PERCENT 2  /**< so many percent a period */
#define TTB_AUTOSCALER_UP_TO 3    /**< up to that count at any time, whatever there is (not down) */
/** @} */

/** @name Which policy counts if there are several
 *  @{ */
#define TTB_AUTOSCALER_SELECT_MAX 1      /**< the one that allows the largest change */
#define TTB_AUTOSCALER_SELECT_MIN 2      /**< the one that allows the smallest */
#define TTB_AUTOSCALER_SELECT_DISABLED 3 /**< none: no change in this direction */
/** @} */

/** @name Reasons: why the count is what it is
 *
 * The last stage that changed something names the reason.
 *  @{ */
#define TTB_AUTOSCALER_STEADY 0        /**< the metrics ask for what there is */
#define TTB_AUTOSCALER_ABOVE_TARGET 1  /**< more, as the metrics ask */
#define TTB_AUTOSCALER_BELOW_TARGET 2  /**< fewer, as the metrics ask */
#define TTB_AUTOSCALER_TOLERANCE 3     /**< within the tolerance of the target: hold */
#define TTB_AUTOSCALER_UP_WINDOW 4     /**< a lower proposal lies in the up window */
#define TTB_AUTOSCALER_DOWN_WINDOW 5   /**< a higher proposal lies in the down window */
#define TTB_AUTOSCALER_UP_POLICY 6     /**< the policies allow no more in this period */
#define TTB_AUTOSCALER_DOWN_POLICY 7   /**< the policies allow no fewer in this period */
#define TTB_AUTOSCALER_AT_MAX 8        /**< more are asked for than max_replicas */
#define TTB_AUTOSCALER_AT_MIN 9        /**< fewer are asked for than min_replicas */
#define TTB_AUTOSCALER_MISSING 10      /**< metrics are missing: hold */
#define TTB_AUTOSCALER_SWITCHED_OFF 11 /**< there are 0 and nothing may start them: stopped by hand */
#define TTB_AUTOSCALER_FLAPPING 12     /**< fewer would soon ask for more again (WHAT_IF) */
#define TTB_AUTOSCALER_PAID 13         /**< the replicas are paid for already (billing_ms) */
#define TTB_AUTOSCALER_COOLDOWN 14     /**< too soon after the last change */
#define TTB_AUTOSCALER_ACTION_COST 15  /**< what would be saved is not yet worth an action */
#define TTB_AUTOSCALER_GUARDED 16      /**< a guard metric asks for more: nothing goes */
/** @} */

/** @name What ttb_autoscaler_record can put into a state
 *  @{ */
#define TTB_AUTOSCALER_PROPOSAL 1 /**< a proposal, as of a metric */
#define TTB_AUTOSCALER_CHANGE 2   /**< a change carried out: +n or -n replicas */
#define TTB_AUTOSCALER_STOPPED 3  /**< 1: the autoscaler itself scaled it to 0; 0: it did not */
/** @} */

/** @name Why a metric has no proposal
 *  @{ */
#define TTB_AUTOSCALER_NO_VALUE 1       /**< the caller says so */
#define TTB_AUTOSCALER_INVALID_SOURCE 2 /**< the caller says: no such type of metric */
#define TTB_AUTOSCALER_NO_PODS 3        /**< pods were asked for, there are none */
#define TTB_AUTOSCALER_NO_SAMPLES 4     /**< no pod has a sample */
#define TTB_AUTOSCALER_ALL_UNREADY 5    /**< samples, but of no pod that counts */
#define TTB_AUTOSCALER_NO_REQUEST 6     /**< utilisation of a pod without a request */
#define TTB_AUTOSCALER_NO_CAPACITY 7    /**< utilisation of nothing: requests, or capacity, of 0 or less */
#define TTB_AUTOSCALER_NOBODY 8         /**< a value a replica, and no replica */
/** @} */

/** @name Presets
 *  @{ */
#define TTB_AUTOSCALER_PRESET_HPA 1 /**< what an HPA with `behavior` and nothing else in it does */
#define TTB_AUTOSCALER_PRESET_HPA_LEGACY 2 /**< what an HPA without `behavior` does */
#define TTB_AUTOSCALER_PRESET_AWS_TARGET 3 /**< AWS target tracking: out after 3 datapoints of a minute
                                                above the target, in after 15 below 90 % of it */
#define TTB_AUTOSCALER_PRESET_GCP_MIG 4    /**< Google's managed groups: the peak of ten minutes */
#define TTB_AUTOSCALER_PRESET_DOUBLE_HALVE 5 /**< the rule many write by hand: double if any of CPU 70 %,
                                                memory 80 %, response time 500 ms, error rate 1 % is
                                                passed, halve if all are below 30 %, 40 %, 100 ms, 0.1 %;
                                                2..20. Metrics in that order, error rate in millionths */
#define TTB_AUTOSCALER_PRESET_DOUBLE_HALVE_SAFE 6 /**< the same thresholds without its faults: replicas
                                                that start are not ordered twice, nothing goes within
                                                5 minutes of a need, at most 10 % a minute, never so that
                                                it comes back; errors guard and do not trigger */
/** @} */

/** One metric and its target. Elements of an array have equal struct_size. */
typedef struct ttb_autoscaler_metric {
  uint32_t struct_size; /**< sizeof(ttb_autoscaler_metric) */
  uint32_t kind;        /**< TTB_AUTOSCALER_UTILISATION, ...; default utilisation */
  uint32_t flags;       /**< TTB_AUTOSCALER_FINE | _GUARD | _STATUS */
  uint32_t method;      /**< TTB_AUTOSCALER_RATIO (default), _STEPS, _WATERMARK */
  int64_t target_milli; /**< 1..2^63-1 thousandths (70 % = 70000); default 80000 for
                             utilisation, must be given for the others (but for STEPS) */
  int64_t low_milli;    /**< WATERMARK: 1..target_milli, the lower mark; must be given */
  uint32_t source;      /**< TTB_AUTOSCALER_RESOURCE, ...; default as the kind: RESOURCE, PODS,
                             EXTERNAL, EXTERNAL */
  uint32_t reserved;    /**< 0 */
} ttb_autoscaler_metric;

/** What to do while a metric's value lies in [lower, upper). The first that has it counts. */
typedef struct ttb_autoscaler_step {
  uint32_t struct_size; /**< sizeof(ttb_autoscaler_step) */
  uint32_t metric;      /**< index of a metric whose method is STEPS */
  int64_t lower_milli;  /**< 0..2^63-1; values below 0 count as 0 */
  int64_t upper_milli;  /**< above lower_milli; 0: no end */
  uint32_t type;        /**< TTB_AUTOSCALER_STEP_CHANGE (default), ... */
  int32_t value;        /**< replicas, percent or ppm, -10000000..2^31-1 */
  uint32_t least;       /**< STEP_PERCENT: replicas changed at least, 0..10000000 (0 as 1) */
  uint32_t reserved;    /**< 0 */
} ttb_autoscaler_step;

/** Bounds for a time of the day or of the week. Overlapping: the highest min, the lowest max,
 *  min before max. */
typedef struct ttb_autoscaler_schedule {
  uint32_t struct_size;  /**< sizeof(ttb_autoscaler_schedule) */
  uint32_t period_s;     /**< 604800 (default) or 86400: begin and end count from Monday 0:00, or
                              from each midnight */
  uint32_t begin_s;      /**< 0..604799 */
  uint32_t end_s;        /**< 0..604800; not after begin_s: over the end of the period */
  int32_t min_replicas;  /**< floor meanwhile, 1..10000000; 0: none */
  int32_t max_replicas;  /**< ceiling meanwhile, 1..10000000, TTB_OFF for 0; 0: none */
} ttb_autoscaler_schedule;

/** How far a direction may go in a period. */
typedef struct ttb_autoscaler_policy {
  uint32_t struct_size; /**< sizeof(ttb_autoscaler_policy) */
  uint32_t type;        /**< TTB_AUTOSCALER_REPLICAS (default), _PERCENT, _UP_TO */
  uint32_t value;       /**< replicas or percent, 1..10000000; must be given */
  uint32_t period_ms;   /**< 1..86400000; default 15000 */
} ttb_autoscaler_policy;

/** What a table of autoscalers shall do. Start with TTB_CONFIG. */
typedef struct ttb_autoscaler_config {
  uint32_t struct_size;       /**< sizeof(ttb_autoscaler_config) */
  uint32_t capacity;          /**< workloads in the table, 1..1048576; default 1 */
  int32_t min_replicas;       /**< 1..10000000, TTB_OFF for 0; default 1 */
  int32_t max_replicas;       /**< 1..10000000, not below min_replicas; default 100 */
  int32_t tolerance_up_ppm;   /**< 1..1000000000, TTB_OFF for 0; default 100000 (10 %) */
  int32_t tolerance_down_ppm; /**< 1..1000000000, TTB_OFF for 0; default 100000 (10 %) */
  uint32_t up_window_ms;      /**< 0..86400000; default 0 */
  int32_t down_window_ms;     /**< 1..86400000, TTB_OFF for 0; default 300000 */
  uint32_t up_select;         /**< TTB_AUTOSCALER_SELECT_*; default max */
  uint32_t down_select;       /**< TTB_AUTOSCALER_SELECT_*; default max */
  uint32_t tick_ms;           /**< shortest usual time between evaluations, 1..3600000; default
                                   15000. Says how much memory windows and periods get */
  uint32_t flags;             /**< TTB_AUTOSCALER_OLD_TOLERANCE | _GRADUAL | _LEGACY | _WHAT_IF */
  uint32_t metrics_n;         /**< elements of metrics, 0..16; 0: one of utilisation at 80 % */
  uint32_t up_policies_n;     /**< elements of up_policies, 0..8; 0: 4 replicas and 100 % in 15 s */
  uint32_t down_policies_n;   /**< elements of down_policies, 0..8; 0: 100 % in 15 s */
  uint32_t combine;           /**< TTB_AUTOSCALER_COMBINE_MAX (default), _MIN */
  uint32_t from_zero;         /**< TTB_AUTOSCALER_FROM_ZERO_ANY (default), _OWN, _NEVER */
  uint32_t startup_ms;        /**< from an order to a replica that serves, 0..86400000; default 0 */
  uint32_t billing_ms;        /**< a replica is paid at least that long, 0..86400000; default 0 */
  uint32_t action_cost_ms;    /**< cost of an action in replica-ms, 0..2^31-1; default 0 */
  uint32_t up_cooldown_ms;    /**< 0..86400000; default 0 */
  uint32_t down_cooldown_ms;  /**< 0..86400000; default 0 */
  uint32_t week_offset_s;     /**< seconds from Monday 0:00 to now_ns = 0, 0..604799; default 0.
                                   For Unix time (a Thursday) 259200 plus the zone's offset */
  uint32_t steps_n;           /**< elements of steps, 0..32 */
  uint32_t schedule_n;        /**< elements of schedule, 0..16 */
  uint32_t reserved;          /**< 0 */
  const ttb_autoscaler_metric *metrics;       /**< copied */
  const ttb_autoscaler_policy *up_policies;   /**< copied */
  const ttb_autoscaler_policy *down_policies; /**< copied */
  const ttb_autoscaler_step *steps;           /**< copied */
  const ttb_autoscaler_schedule *schedule;    /**< copied */
} ttb_autoscaler_config;

/** What a metric shows now. Elements of an array have equal struct_size. */
typedef struct ttb_autoscaler_sample {
  uint32_t struct_size;   /**< sizeof(ttb_autoscaler_sample) */
  uint32_t missing;       /**< not 0: there is no value; TTB_AUTOSCALER_NO_VALUE or
                               TTB_AUTOSCALER_INVALID_SOURCE */
  int64_t value_milli;    /**< the value in thousandths; any */
  int64_t capacity_milli; /**< utilisation only: if not 0, value_milli is a sum of use and this
                               the sum of what was given for it; if 0, value_milli is percent */
  int32_t replicas;       /**< how many replicas the value speaks of (of those that serve);
                               0: current_replicas, or those past their startup_ms;
                               TTB_OFF: none. TOTAL: only with TTB_AUTOSCALER_STATUS */
  uint32_t reserved;      /**< 0 */
  const ttb_pods *pods;   /**< UTILISATION and AVERAGE by RATIO: if not NULL, the pods counted; the
                               other fields but missing are not read. Kind and target must be
                               the metric's */
} ttb_autoscaler_sample;

/** What one metric came to. */
typedef struct ttb_autoscaler_row {
  uint32_t struct_size; /**< sizeof(ttb_autoscaler_row) */
  uint32_t kind;        /**< TTB_AUTOSCALER_UTILISATION, ... */
  int32_t reason;       /**< STEADY, ABOVE_TARGET, BELOW_TARGET, TOLERANCE, GUARDED or MISSING */
  int32_t proposal;     /**< replicas proposed, -1 if missing */
  int64_t value_milli;  /**< what was compared; for a total the average of the replicas */
  int64_t target_milli; /**< the target */
  int64_t ratio_ppm;    /**< value / target, cut, saturating; -1 if missing or negative */
  int64_t raw_milli;    /**< pods: the average value of the measured (HPA: averageValue); else 0 */
  int64_t second_ppm;   /**< pods: the ratio with guesses for the missing and the unready; -1 if it
                             was not needed */
  int32_t failure;      /**< TTB_AUTOSCALER_NO_VALUE, ... if missing, else 0 */
  int32_t step;         /**< STEPS: index of the step in the config; -1 */
  int32_t ready;        /**< pods: how many were measured; else the count the value speaks of */
  int32_t unready;      /**< pods: starting or not ready */
  int32_t unmeasured;   /**< pods: without a sample */
  int32_t ignored;      /**< pods: on their way out */
} ttb_autoscaler_row;

/** A decision and why it is so. Windows and periods are in ms. */
typedef struct ttb_autoscaler_decision {
  uint32_t struct_size;     /**< sizeof(ttb_autoscaler_decision) */
  int32_t desired;          /**< how many replicas there shall be */
  int32_t current;          /**< how many there are, as the caller said */
  int32_t reason;           /**< TTB_AUTOSCALER_STEADY, ...; see ttb_autoscaler_reason */
  int32_t metric;           /**< index of the metric that won, -1 if none did */
  int32_t missing;          /**< metrics without a value */
  int32_t proposed;         /**< the largest proposal, at most 16777214; -1 if none was made */
  int32_t stabilised;       /**< what the windows made of it; -1 if none was made */
  int32_t window;           /**< TTB_AUTOSCALER_UP_WINDOW, _DOWN_WINDOW, or 0: neither bound it */
  int32_t window_value;     /**< the remembered proposal that bound it, -1 if none did */
  int32_t window_age_ms;    /**< its age, -1 if none did */
  int32_t limit;            /**< UP_POLICY, DOWN_POLICY, AT_MAX, AT_MIN, or 0: none bound it */
  int32_t brake;            /**< FLAPPING, PAID, COOLDOWN, ACTION_COST, or 0: none bound it */
  int32_t policy;           /**< index of the policy in its direction that set policy_limit; -1 */
  int32_t policy_limit;     /**< the count the policies allow, -1 if they were not asked */
  int32_t policy_period_ms; /**< period of that policy, -1 if none */
  int32_t policy_used;      /**< net change of that period counted against it, in its direction */
  int32_t next_change_ms;   /**< the answer holds at least that long without news; -1 for ever */
  int32_t min_replicas;     /**< the bounds now: the config's and the schedule's */
  int32_t max_replicas;     /**< the other bound */
  int32_t serving;          /**< current less those still within startup_ms */
  int32_t failed;           /**< index of the first metric without a proposal, -1 if none */
  int32_t failure;          /**< why: TTB_AUTOSCALER_NO_VALUE, ...; 0 */
  uint32_t failed_source;   /**< its source; 0 */
  int32_t zero;             /**< 1: the autoscaler itself scaled it to 0, now or before */
  uint32_t rows_n;          /**< in: elements of rows; out: how many were filled */
  ttb_autoscaler_row *rows; /**< in: room for a row a metric, or NULL */
} ttb_autoscaler_decision;

/** A workload's state. */
typedef struct ttb_autoscaler_info {
  uint32_t struct_size;     /**< sizeof(ttb_autoscaler_info) */
  int32_t desired;          /**< of the last decision; -1: never evaluated */
  int32_t current;          /**< of the last decision; -1 */
  int32_t proposed;         /**< of the last decision; -1: there was none */
  int32_t reason;           /**< of the last decision */
  int32_t metric;           /**< of the last decision; -1 */
  int32_t up_window_min;    /**< lowest proposal in the up window, -1 if it is empty */
  int32_t down_window_max;  /**< highest proposal in the down window, -1 if it is empty */
  uint32_t proposals;       /**< proposals kept for both windows */
  uint32_t changes;         /**< changes kept for the policies */
  int64_t age_ms;           /**< time since the last evaluation, -1: never */
} ttb_autoscaler_info;

/** What concerns the whole table. */
typedef struct ttb_autoscaler_stats {
  uint32_t struct_size;     /**< sizeof(ttb_autoscaler_stats) */
  uint32_t capacity;        /**< workloads in the table */
  uint64_t evaluations;     /**< decisions made */
  uint64_t ups;             /**< that raised the count */
  uint64_t downs;           /**< that lowered it */
  uint64_t held;            /**< that held it because metrics were missing */
  uint64_t merged;          /**< proposals and changes that shared an entry: tick_ms was too long */
  uint64_t clock_adoptions; /**< jumps of the clock beyond the ordinary */
} ttb_autoscaler_stats;

/**
 * @brief Fills a configuration with a preset's values; add metrics and bounds.
 * @param preset     TTB_AUTOSCALER_PRESET_*
 * @param ret_config a started config (TTB_CONFIG); its arrays point to static data
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (preset, struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_autoscaler_preset(int32_t preset, ttb_autoscaler_config *ret_config);

/**
 * @brief Checks a configuration and says what is wrong with it.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault; index is the element's); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, also of an array that should have
 *         elements); TTB_ERR_RANGE; TTB_ERR_UNSUPPORTED (a field this library
 *         does not know)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_autoscaler_check(const ttb_autoscaler_config *config, ttb_detail *ret_detail);

/**
 * @brief Bytes a region needs.
 * @param config what it shall do
 * @return a multiple of 64, or the error ttb_autoscaler_check would give
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_autoscaler_size(const ttb_autoscaler_config *config);

/**
 * @brief Makes a table of workloads without a past in memory the caller owns.
 *
 * The memory is exclusive until this returns; no byte of it is trusted.
 * @param ret_autoscaler the handle
 * @param mem            the region, on a multiple of TTB_ALIGN
 * @param size           bytes there
 * @param config         what it shall do; copied with its arrays
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, misaligned); TTB_ERR_NOSPACE; or as
 *         ttb_autoscaler_check
 * @threads exclusive @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_autoscaler_init(ttb_autoscaler *ret_autoscaler, void *mem,
                                                  uint64_t size,
                                                  const ttb_autoscaler_config *config);

/**
 * @brief Makes a handle to a table that another process (or an earlier run) made.
 * @param ret_autoscaler the handle
 * @param mem            the region, on a multiple of TTB_ALIGN; any address
 * @param size           bytes mapped there
 * @return TTB_OK; TTB_AGAIN (not made yet, or being made); TTB_ERR_MISUSE;
 *         TTB_ERR_NOSPACE (mapped short); TTB_ERR_CORRUPT; TTB_ERR_VERSION;
 *         TTB_ERR_MISMATCH (another kind of object)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_autoscaler_attach(ttb_autoscaler *ret_autoscaler, void *mem,
                                                    uint64_t size);

/**
 * @brief Makes a table in memory of its own: one allocation, then init.
 * @param ret_autoscaler the handle
 * @param config         what it shall do
 * @param allocator      where the memory comes from; NULL for the C library's
 * @return TTB_OK; TTB_ERR_NOMEM; TTB_ERR_MISUSE; or as ttb_autoscaler_check
 * @threads any @progress as the allocator @alloc once @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_autoscaler_new(ttb_autoscaler *ret_autoscaler,
                                                 const ttb_autoscaler_config *config,
                                                 const ttb_allocator *allocator);

/**
 * @brief Ends a handle: gives back the memory ttb_autoscaler_new took, and clears it.
 * @param autoscaler the handle; NULL or a cleared one is a no-op
 * @threads exclusive (the handle) @progress wait-free @alloc none @since 0.1
 */
TTB_API void ttb_autoscaler_free(ttb_autoscaler *autoscaler);

/**
 * @brief Decides how many replicas a workload shall have.
 *
 * A current count outside min_replicas..max_replicas is brought back at once,
 * whatever the metrics say (but see TTB_AUTOSCALER_SWITCHED_OFF and
 * TTB_AUTOSCALER_GRADUAL).
 * @param autoscaler       the handle
 * @param slot             which workload, 0..capacity-1
 * @param samples          n samples, in the order of the config's metrics
 * @param n                how many, 0..metrics; those not given are missing
 * @param current_replicas how many there are (ordered, not only ready), 0..10000000
 * @param now_ns           the time, ns
 * @param ret_decision     filled in; its struct_size must be set, and rows, rows_n if wanted
 * @return TTB_OK; TTB_ERR_MISUSE (handle, NULL); TTB_ERR_RANGE (slot, n,
 *         current_replicas, a struct_size); TTB_ERR_MISMATCH (pods of another kind
 *         or target, or not started)
 * @threads one writer a slot @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_autoscaler_evaluate(ttb_autoscaler *autoscaler, uint32_t slot,
                                        const ttb_autoscaler_sample *samples, uint32_t n,
                                        int32_t current_replicas, uint64_t now_ns,
                                        ttb_autoscaler_decision *ret_decision);

/**
 * @brief ttb_autoscaler_evaluate for n workloads, in order, at one time.
 * @param autoscaler       the handle
 * @param slots            n slots; NULL for 0..n-1
 * @param n                how many, 0..2^31-1
 * @param samples          n * samples_n samples, workload by workload
 * @param samples_n        samples of a workload, 0..metrics
 * @param current_replicas n counts
 * @param now_ns           the time, ns
 * @param ret_decisions    n decisions of equal struct_size
 * @param ret_codes        n results as of ttb_autoscaler_evaluate; may be NULL
 * @return how many were decided; TTB_ERR_MISUSE (handle, NULL, n)
 * @threads one writer a slot @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_autoscaler_evaluate_n(ttb_autoscaler *autoscaler, const uint32_t *slots,
                                          uint32_t n, const ttb_autoscaler_sample *samples,
                                          uint32_t samples_n, const int32_t *current_replicas,
                                          uint64_t now_ns, ttb_autoscaler_decision *ret_decisions,
                                          int32_t *ret_codes);

/**
 * @brief Puts something of the past into a workload's state.
 *
 * To take over from another autoscaler, to restore a saved history in the order
 * of its times, or to have a proposal from elsewhere respected by the windows.
 * @param autoscaler the handle
 * @param slot       which workload
 * @param what       TTB_AUTOSCALER_PROPOSAL, _CHANGE, _STOPPED
 * @param value      the proposal, 0..10000000; the change, not 0; 0 or 1
 * @param now_ns     its time, ns; not before what was recorded earlier
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, what, value)
 * @threads one writer a slot @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_autoscaler_record(ttb_autoscaler *autoscaler, uint32_t slot, int32_t what,
                                      int32_t value, uint64_t now_ns);

/**
 * @brief Forgets a workload: its next evaluation is its first.
 * @param autoscaler the handle
 * @param slot       which workload
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot)
 * @threads one writer a slot @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_autoscaler_reset(ttb_autoscaler *autoscaler, uint32_t slot);

/**
 * @brief A workload's last decision and what its windows hold. Changes nothing.
 * @param autoscaler the handle
 * @param slot       which workload
 * @param now_ns     the time, ns
 * @param ret_info   filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (slot, struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_autoscaler_explain(const ttb_autoscaler *autoscaler, uint32_t slot,
                                       uint64_t now_ns, ttb_autoscaler_info *ret_info);

/**
 * @brief Counters of the whole table, summed over its slots.
 * @param autoscaler the handle
 * @param ret_stats  filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_autoscaler_statistics(const ttb_autoscaler *autoscaler,
                                          ttb_autoscaler_stats *ret_stats);

/**
 * @brief A sentence for a reason.
 * @param reason any number
 * @return static text, never NULL
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API const char *ttb_autoscaler_reason(int32_t reason);

/**
 * @brief A decision as JSON: one object on one line, every field by its name, the reason in
 *        words, and the rows it has.
 *
 *     {"desired":14,"current":10,"reason":1,"why":"a metric is above its target",...,
 *      "rows":[{"kind":1,"reason":1,...}]}
 *
 * Integers only, in the order of the struct: the same bytes on every platform.
 * @param decision the decision
 * @param buf      room for the text and its NUL; may be NULL if size is 0
 * @param size     bytes there; the text is cut to fit
 * @return bytes of the whole text without its NUL; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_autoscaler_json(const ttb_autoscaler_decision *decision, char *buf,
                                    uint64_t size);

/**
 * @brief A sample from a double: NaN is missing, infinities and what is too large saturate.
 *
 * value * 1000, rounded to the nearest, halves away from zero; by integers, so it is the
 * same on every platform. Only value_milli and missing are written.
 * @param value      any
 * @param ret_sample a started sample (TTB_CONFIG)
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_autoscaler_sample_of(double value, ttb_autoscaler_sample *ret_sample);

/**
 * @brief The structs of this header and of pods.h as the library sees them, for bindings.
 * @param which     0 config, 1 metric, 2 policy, 3 sample, 4 row, 5 decision, 6 info, 7 stats,
 *                  8 step, 9 schedule, 10 pods config, 11 pod, 12 container, 13 pods info
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_autoscaler_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
