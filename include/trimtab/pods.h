/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/pods.h
 * @brief Metrics a pod (replica): from each one's sample to one number, as the HPA does it.
 *
 * An average over replicas is only as good as its list: some have no sample
 * yet, some are still starting and burn CPU for it, some are on their way out.
 * Kubernetes' HorizontalPodAutoscaler sorts them into groups, takes the ratio of
 * the good ones, and then asks a second time with careful guesses for the others.
 * This is that rule (groupPods, GetResourceReplicas and
 * calcPlainMetricReplicas of pkg/controller/podautoscaler/replica_calculator.go,
 * 1.33 and later) as an accumulator: feed each pod once, in any order, then give
 * the accumulator to ttb_autoscaler_evaluate. Memory is constant, the result
 * exact: sums are integers of 128 bits.
 *
 *     ttb_pods_config pc = TTB_CONFIG(ttb_pods_config);
 *     pc.kind = TTB_PODS_UTILISATION;
 *     pc.target_milli = 70000;                    // as the autoscaler's metric
 *     pc.flags = TTB_PODS_CPU;
 *     ttb_pods pods;
 *     if (ttb_pods_start(&pods, &pc, now_ms) < 0) return 1;
 *     for (...) {
 *       ttb_pod p = TTB_CONFIG(ttb_pod);
 *       p.flags = TTB_POD_READY | TTB_POD_STARTED | TTB_POD_SAMPLED | TTB_POD_REQUESTED;
 *       p.value_milli = 350;                      // uses 0.35 of a core
 *       p.request_milli = 500;                    // was given 0.5
 *       p.start_ms = ..., p.ready_changed_ms = ..., p.sample_ms = ..., p.window_ms = 15000;
 *       ttb_pods_add(&pods, &p, 1);               // or all of them in one call
 *     }
 *     ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
 *     s.pods = &pods;
 *     ttb_autoscaler_evaluate(&a, 0, &s, 1, replicas, now_ns, &decision);
 *
 * ## Groups
 *
 * | group               | who                                                        |
 * |---------------------|------------------------------------------------------------|
 * | #TTB_PODS_IGNORED   | deleted, failed or succeeded                               |
 * | #TTB_PODS_UNREADY   | pending; with #TTB_PODS_CPU also: no Ready condition or no start time; in the first cpu_init_ms after the start: not ready, or its sample reaches back before it became ready; later: not ready and never was readiness_delay_ms after its start |
 * | #TTB_PODS_MISSING   | no sample                                                  |
 * | #TTB_PODS_READY     | the others: they are measured                              |
 *
 * ## Two passes
 *
 * With S the sum of the measured values and R that of their requests, k how many
 * (samples of pods that are not in the list count too in an average):
 *
 *     utilisation = trunc(100 * S / R) percent    average = trunc(S / k)
 *     r = utilisation or average / target
 *
 * r within the tolerance, or nobody unready (if r > 1) and nobody missing: the
 * proposal is ceil(r * ready). Else the missing are put in with what speaks
 * against the change (r < 1: at max(100 %, target) of their request, or at the
 * target; r > 1: at 0), the unready at 0 if r > 1, and r is taken again. If it
 * now lies within the tolerance or on the other side of 1, or asks for a change
 * the other way, there is no change; else the proposal is ceil(r * pods).
 *
 * ## Errors instead of a proposal
 *
 * No pods, no samples, all unready, a pod without a request where
 * utilisation needs one: the metric counts as missing
 * (ttb_autoscaler_row.failure says why).
 *
 * Times are ms of one clock, any: compared with each other and with the now of
 * ttb_pods_start only. Values and requests are thousandths. Negative and huge
 * ones have a result: sums never wrap (Kubernetes#126892), a ratio below 0
 * proposes 0.
 */
#ifndef TRIMTAB_PODS_H
#define TRIMTAB_PODS_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The accumulator. Plain private memory: copy it, drop it; it holds no pointer. */
typedef struct ttb_pods {
  uint64_t opaque[40]; /**< private */
} ttb_pods;

/** @name What the metric is
 *  @{ */
#define TTB_PODS_UTILISATION 1 /**< values against requests; a target in percent (HPA: Resource,
                                    ContainerResource with averageUtilization) */
#define TTB_PODS_AVERAGE 2     /**< values alone (HPA: Pods; Resource with averageValue) */
/** @} */

/** @name Flags of an accumulator
 *  @{ */
#define TTB_PODS_CPU 1u /**< CPU: leave out who is starting. Not for memory or Pods metrics */
/** @} */

/** @name Flags of a pod
 *
 * At most one of READY, NOT_READY and READY_UNKNOWN; none: no Ready condition.
 *  @{ */
#define TTB_POD_READY 1u         /**< its Ready condition is True */
#define TTB_POD_NOT_READY 2u     /**< its Ready condition is False */
#define TTB_POD_READY_UNKNOWN 4u /**< its Ready condition is Unknown */
#define TTB_POD_STARTED 8u       /**< start_ms is known */
#define TTB_POD_PENDING 16u      /**< phase Pending */
#define TTB_POD_ENDED 32u        /**< phase Failed or Succeeded */
#define TTB_POD_DELETED 64u      /**< its deletion was asked for */
#define TTB_POD_SAMPLED 128u     /**< value_milli is its sample */
#define TTB_POD_REQUESTED 256u   /**< request_milli is its request */
#define TTB_POD_UNLISTED 512u    /**< a sample without a pod: the list does not have it */
/** @} */

/** @name Groups
 *  @{ */
#define TTB_PODS_READY 1   /**< measured */
#define TTB_PODS_UNREADY 2 /**< starting or not ready */
#define TTB_PODS_MISSING 3 /**< has no sample */
#define TTB_PODS_IGNORED 4 /**< on its way out */
/** @} */

/** What is counted, and by which rules. Start with TTB_CONFIG. */
typedef struct ttb_pods_config {
  uint32_t struct_size;       /**< sizeof(ttb_pods_config) */
  uint32_t kind;              /**< TTB_PODS_UTILISATION (default), TTB_PODS_AVERAGE */
  int64_t target_milli;       /**< 1..2^63-1: that of the autoscaler's metric, in its unit (70 % =
                                   70000); default 80000 for utilisation, else must be given */
  uint32_t flags;             /**< TTB_PODS_CPU */
  int32_t cpu_init_ms;        /**< how long a start disturbs the CPU, 1..86400000, TTB_OFF for 0;
                                   default 300000 */
  int32_t readiness_delay_ms; /**< how late a pod may first become ready, 1..86400000, TTB_OFF for
                                   0; default 30000 */
  uint32_t reserved;          /**< 0 */
} ttb_pods_config;

/** One pod. Elements of an array have equal struct_size. */
typedef struct ttb_pod {
  uint32_t struct_size;     /**< sizeof(ttb_pod) */
  uint32_t flags;           /**< TTB_POD_*; none: running, without condition, sample or request */
  int64_t value_milli;      /**< its sample, thousandths (CPU: of a core); any */
  int64_t request_milli;    /**< what it was given, thousandths, 0..2^63-1 */
  int64_t start_ms;         /**< when it was started */
  int64_t ready_changed_ms; /**< when its Ready condition last changed */
  int64_t sample_ms;        /**< end of its sample */
  uint32_t window_ms;       /**< the time its sample spans */
  uint32_t reserved;        /**< 0 */
} ttb_pod;

/** One container of a pod, for ttb_pod_fold. */
typedef struct ttb_container {
  uint32_t struct_size;  /**< sizeof(ttb_container) */
  uint32_t flags;        /**< TTB_POD_SAMPLED, TTB_POD_REQUESTED */
  int64_t value_milli;   /**< its sample; any */
  int64_t request_milli; /**< what it was given, 0..2^63-1 */
} ttb_container;

/** What an accumulator has seen. */
typedef struct ttb_pods_info {
  uint32_t struct_size; /**< sizeof(ttb_pods_info) */
  uint32_t ready;       /**< measured */
  uint32_t unready;     /**< starting or not ready */
  uint32_t missing;     /**< without a sample */
  uint32_t ignored;     /**< on their way out */
  uint32_t unlisted;    /**< samples without a pod */
  uint32_t serving;     /**< neither pending nor ended, and Ready is True: what a metric of kind
                             VALUE is multiplied with (ttb_autoscaler_sample.replicas) */
  uint32_t requestless; /**< listed and without a request */
} ttb_pods_info;

/** For ttb_pod_fold: all containers, not one. */
#define TTB_POD_ALL_CONTAINERS (-1)

/**
 * @brief Empties an accumulator and says what it shall count.
 * @param ret_pods the accumulator
 * @param config   the metric and the rules
 * @param now_ms   the present, ms of the pods' clock
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE; TTB_ERR_UNSUPPORTED (a
 *         field this library does not know)
 * @threads exclusive (the accumulator) @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_pods_start(ttb_pods *ret_pods, const ttb_pods_config *config,
                                             int64_t now_ms);

/**
 * @brief Counts pods in, in any order.
 *
 * A negative request counts as none. If an element is at fault, those before
 * it are counted.
 * @param pods the accumulator
 * @param pod  n pods
 * @param n    how many
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, not started); TTB_ERR_RANGE (a struct_size,
 *         more than 2^31-1 pods in all); TTB_ERR_UNSUPPORTED (a longer pod with
 *         something in its unknown tail)
 * @threads exclusive (the accumulator) @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pods_add(ttb_pods *pods, const ttb_pod *pod, uint32_t n);

/**
 * @brief The group a pod would be counted in.
 * @param pods the accumulator: its rules and its now
 * @param pod  the pod
 * @return TTB_PODS_READY, _UNREADY, _MISSING, _IGNORED; TTB_ERR_MISUSE;
 *         TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pods_group(const ttb_pods *pods, const ttb_pod *pod);

/**
 * @brief Puts a pod's value and request together from its containers.
 *
 * All containers: the sums; one without a sample leaves the pod without a
 * sample, one without a request without a request. One container (the HPA's
 * ContainerResource): its value and request; if it is not there the pod has no
 * sample, and a request of 0. Sums saturate. Other fields of the pod stay.
 * @param pod       its value, request and their flags are written
 * @param container n containers
 * @param n         how many
 * @param which     index of the one that counts; TTB_POD_ALL_CONTAINERS
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (a struct_size, which)
 * @threads exclusive (the pod) @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pod_fold(ttb_pod *pod, const ttb_container *container, uint32_t n,
                             int32_t which);

/**
 * @brief How many pods an accumulator has seen, by group.
 * @param pods     the accumulator
 * @param ret_info filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_pods_count(const ttb_pods *pods, ttb_pods_info *ret_info);

#ifdef __cplusplus
}
#endif

#endif
