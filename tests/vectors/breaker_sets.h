/* SPDX-License-Identifier: MIT */
/* The sets of vectors/breaker that other modules than the breaker answer. Each
 * runs one scenario, prints a line if it fails and says whether it passed. */
#ifndef BREAKER_SETS_H
#define BREAKER_SETS_H

#include <jansson.h>
#include <stdbool.h>

bool limits_scenario(const json_t *scenario);  /* limits, retry-budget, throttle */
bool outlier_scenario(const json_t *scenario); /* outlier */

#endif
