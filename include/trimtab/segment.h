/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/segment.h
 * @brief The one place that asks the operating system: the time.
 *
 * Every call of trimtab that needs the time takes it as `now_ns`. A program
 * with an event loop has a time already (one read of the clock costs as much as
 * ten decisions); for the others there is ttb_now().
 */
#ifndef TRIMTAB_SEGMENT_H
#define TRIMTAB_SEGMENT_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @brief The time of the host's monotonic clock, the same for all its processes.
 * @return nanoseconds since some moment before the host's start
 *         (CLOCK_MONOTONIC); never 0
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API uint64_t ttb_now(void);

#ifdef __cplusplus
}
#endif

#endif
