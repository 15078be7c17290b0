/* SPDX-License-Identifier: MIT */
/* Active health checks: GET /health to whomever the steer wants checked. */
#ifndef GATEWAY_PROBE_H
#define GATEWAY_PROBE_H

#include "fleet.h"

#define PROBE_TIMEOUT_MS 500

/* Sends the checks that are due; their results go to the steer and the log. */
void probe_run(fleet *f);

#endif
