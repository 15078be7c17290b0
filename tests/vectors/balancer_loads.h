/* SPDX-License-Identifier: MIT */
/* Vector sets of the balancer's algorithms that look at load: each function runs the
 * cases of the set it is named after. */
#ifndef TESTS_VECTORS_BALANCER_LOADS_H
#define TESTS_VECTORS_BALANCER_LOADS_H

#include <jansson.h>
#include <stdbool.h>

typedef void (*counter)(const char *set, const char *name, bool ok);

void peak_ewma(const char *set, const json_t *root, counter count);
void prequal(const char *set, const json_t *root, counter count);
void orca_weight(const char *set, const json_t *root, counter count);
void envoy_edf_least_request(const char *set, const json_t *root, counter count);
void grpc_static_stride(const char *set, const json_t *root, counter count);

#endif
