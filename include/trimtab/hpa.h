/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/hpa.h
 * @brief A decision in the words of Kubernetes: conditions, reasons, messages.
 *
 * A HorizontalPodAutoscaler tells what it did by conditions in its status; people
 * and dashboards know them by heart. ttb_hpa_conditions makes them from a decision
 * of ttb_autoscaler_evaluate, with upstream's reasons and texts
 * (reconcileAutoscaler and the functions it calls in
 * pkg/controller/podautoscaler/horizontal.go).
 *
 *     ttb_hpa_condition c[TTB_HPA_CONDITIONS];
 *     for (int i = 0; i < TTB_HPA_CONDITIONS; i++) c[i] = TTB_CONFIG(ttb_hpa_condition);
 *     ttb_hpa_conditions(&decision, 0, c, TTB_HPA_CONDITIONS);
 *     char text[200];
 *     ttb_hpa_message(&c[0], "cpu resource utilization (percentage of request)", text, sizeof text);
 *
 * | condition     | True                                          | False                             |
 * |---------------|-----------------------------------------------|-----------------------------------|
 * | AbleToScale   | SucceededGetScale, ReadyForNewScale, ScaleDownStabilized, ScaleUpStabilized, SucceededRescale | FailedUpdateScale |
 * | ScalingActive | ValidMetricFound                              | ScalingDisabled, FailedGet...Metric, InvalidMetricSourceType |
 * | ScalingLimited| ScaleUpLimit, ScaleDownLimit, TooManyReplicas, TooFewReplicas | DesiredWithinRange |
 * | ScaledToZero  | ScaledToZero                                  | NotScaledToZero                   |
 *
 * A condition the decision says nothing about is absent: in Kubernetes it then
 * keeps what it was. What an HPA does not have (brakes, schedules) shows as
 * ScaleDownStabilized or ScaleUpStabilized: something of the past or of the
 * future holds the count.
 */
#ifndef TRIMTAB_HPA_H
#define TRIMTAB_HPA_H

#include <trimtab/autoscaler.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name Conditions; their order in the result
 *  @{ */
#define TTB_HPA_ABLE_TO_SCALE 0  /**< AbleToScale */
#define TTB_HPA_SCALING_ACTIVE 1 /**< ScalingActive */
#define TTB_HPA_SCALING_LIMITED 2 /**< ScalingLimited */
#define TTB_HPA_SCALED_TO_ZERO 3 /**< ScaledToZero */
#define TTB_HPA_CONDITIONS 4     /**< how many there are */
/** @} */

/** @name Status of a condition
 *  @{ */
#define TTB_HPA_ABSENT 0 /**< nothing is said about it */
#define TTB_HPA_TRUE 1   /**< "True" */
#define TTB_HPA_FALSE 2  /**< "False" */
/** @} */

/** @name Reasons
 *  @{ */
#define TTB_HPA_SUCCEEDED_GET_SCALE 1   /**< SucceededGetScale */
#define TTB_HPA_READY_FOR_NEW_SCALE 2   /**< ReadyForNewScale */
#define TTB_HPA_SCALE_DOWN_STABILIZED 3 /**< ScaleDownStabilized */
#define TTB_HPA_SCALE_UP_STABILIZED 4   /**< ScaleUpStabilized */
#define TTB_HPA_SUCCEEDED_RESCALE 5     /**< SucceededRescale */
#define TTB_HPA_FAILED_UPDATE_SCALE 6   /**< FailedUpdateScale */
#define TTB_HPA_VALID_METRIC_FOUND 7    /**< ValidMetricFound */
#define TTB_HPA_SCALING_DISABLED 8      /**< ScalingDisabled */
#define TTB_HPA_FAILED_GET_RESOURCE_METRIC 9            /**< FailedGetResourceMetric */
#define TTB_HPA_FAILED_GET_CONTAINER_RESOURCE_METRIC 10 /**< FailedGetContainerResourceMetric */
#define TTB_HPA_FAILED_GET_PODS_METRIC 11               /**< FailedGetPodsMetric */
#define TTB_HPA_FAILED_GET_OBJECT_METRIC 12             /**< FailedGetObjectMetric */
#define TTB_HPA_FAILED_GET_EXTERNAL_METRIC 13           /**< FailedGetExternalMetric */
#define TTB_HPA_INVALID_METRIC_SOURCE_TYPE 14           /**< InvalidMetricSourceType */
#define TTB_HPA_SCALE_UP_LIMIT 15       /**< ScaleUpLimit */
#define TTB_HPA_SCALE_DOWN_LIMIT 16     /**< ScaleDownLimit */
#define TTB_HPA_TOO_MANY_REPLICAS 17    /**< TooManyReplicas */
#define TTB_HPA_TOO_FEW_REPLICAS 18     /**< TooFewReplicas */
#define TTB_HPA_DESIRED_WITHIN_RANGE 19 /**< DesiredWithinRange */
#define TTB_HPA_SCALED_TO_ZERO_ITSELF 20 /**< ScaledToZero */
#define TTB_HPA_NOT_SCALED_TO_ZERO 21   /**< NotScaledToZero */
/** @} */

/** @name Flags of ttb_hpa_conditions
 *  @{ */
#define TTB_HPA_UPDATE_FAILED 1u /**< the change could not be carried out */
#define TTB_HPA_SCALE_TO_ZERO 2u /**< the gate HPAScaleToZero is on: ScaledToZero is told */
/** @} */

/** One condition. Elements of an array have equal struct_size. */
typedef struct ttb_hpa_condition {
  uint32_t struct_size; /**< sizeof(ttb_hpa_condition) */
  uint32_t type;        /**< TTB_HPA_ABLE_TO_SCALE, ... */
  uint32_t status;      /**< TTB_HPA_ABSENT, TTB_HPA_TRUE, TTB_HPA_FALSE */
  uint32_t reason;      /**< TTB_HPA_SUCCEEDED_GET_SCALE, ...; 0 if absent */
  int32_t replicas;     /**< the number its message speaks of; -1: none */
  int32_t metric;       /**< index of the metric its message speaks of; -1: none */
} ttb_hpa_condition;

/**
 * @brief The conditions of a decision.
 * @param decision of ttb_autoscaler_evaluate
 * @param flags    TTB_HPA_UPDATE_FAILED | TTB_HPA_SCALE_TO_ZERO
 * @param ret      n started conditions, filled in the order of their types
 * @param n        how many, 1..TTB_HPA_CONDITIONS
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (n, flags, a struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_hpa_conditions(const ttb_autoscaler_decision *decision, uint32_t flags,
                                   ttb_hpa_condition *ret, uint32_t n);

/**
 * @brief Whether the controller would have returned an error from this reconciliation.
 *
 * It does when a metric failed, also if the others decided.
 * @param decision of ttb_autoscaler_evaluate
 * @return 1, 0; TTB_ERR_MISUSE (NULL)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_hpa_failed(const ttb_autoscaler_decision *decision);

/**
 * @brief A condition's type as Kubernetes writes it.
 * @param type any number
 * @return static text ("AbleToScale"), never NULL
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API const char *ttb_hpa_type(uint32_t type);

/**
 * @brief A reason as Kubernetes writes it.
 * @param reason any number
 * @return static text ("ReadyForNewScale"), never NULL; "" for 0
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API const char *ttb_hpa_reason(uint32_t reason);

/**
 * @brief A condition's message as Kubernetes writes it.
 * @param condition of ttb_hpa_conditions
 * @param metric    what the metric is called, or why it failed; NULL: "metric N"
 * @param buf       room for the text and its NUL; may be NULL if size is 0
 * @param size      bytes there; the text is cut to fit
 * @return bytes of the whole text without its NUL; TTB_ERR_MISUSE (NULL);
 *         TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_hpa_message(const ttb_hpa_condition *condition, const char *metric, char *buf,
                                uint64_t size);

/**
 * @brief The struct of this header as the library sees it, for bindings.
 * @param which     0 condition
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_hpa_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
