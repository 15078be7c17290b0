/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/trimtab.h
 * @brief All of trimtab. Each module also stands alone: include only what you use.
 */
#ifndef TRIMTAB_TRIMTAB_H
#define TRIMTAB_TRIMTAB_H

#include <trimtab/autoscaler.h>
#include <trimtab/balancer.h>
#include <trimtab/base.h>
#include <trimtab/breaker.h>
#include <trimtab/budget.h>
#include <trimtab/health.h>
#include <trimtab/hpa.h>
#include <trimtab/keda.h>
#include <trimtab/knative.h>
#include <trimtab/ladder.h>
#include <trimtab/limiter.h>
#include <trimtab/plan.h>
#include <trimtab/pods.h>
#include <trimtab/pool.h>
#include <trimtab/router.h>
#include <trimtab/segment.h>

#endif
