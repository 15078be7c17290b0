/* SPDX-License-Identifier: MIT */
/* What the two files of KEDA's rules share: the tables of the jobs' structs.
 *
 * I1  The tables stand beside the code that reads them (keda_jobs.c); keda.c only
 *     lists them for reflection. */
#ifndef TTB_LIB_AUTOSCALER_KEDA_H
#define TTB_LIB_AUTOSCALER_KEDA_H

#include "../base/config.h"

#include <trimtab/keda.h>

extern const ttb__struct ttb__keda_jobs_config_struct, ttb__keda_jobs_input_struct,
    ttb__keda_jobs_decision_struct, ttb__keda_trigger_struct;

#endif
