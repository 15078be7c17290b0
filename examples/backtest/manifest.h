/* SPDX-License-Identifier: MIT */
/* A HorizontalPodAutoscaler manifest, autoscaling/v2, as kubectl would apply it.
 *
 * Read with libyaml. The first document of kind HorizontalPodAutoscaler counts; a
 * field that autoscaling/v2 does not have, a wrong type, a value out of range is
 * a fault, told with its line. Defaults are the API server's.
 * Source: kubernetes.io, API reference, HorizontalPodAutoscaler v2. */
#ifndef BACKTEST_MANIFEST_H
#define BACKTEST_MANIFEST_H

#include <stdint.h>
#include <stdio.h>

#define MANIFEST_METRICS 16
#define MANIFEST_POLICIES 8

enum source { SOURCE_RESOURCE, SOURCE_CONTAINER, SOURCE_PODS, SOURCE_OBJECT, SOURCE_EXTERNAL };
enum target { TARGET_UTILIZATION, TARGET_AVERAGE_VALUE, TARGET_VALUE };

typedef struct manifest_metric {
  enum source source;
  enum target target;
  char name[64];
  int64_t target_milli; /* thousandths; of a utilisation: thousandths of a percent */
} manifest_metric;

typedef struct manifest_policy {
  int percent; /* else pods */
  int32_t value, period_s;
} manifest_policy;

typedef struct manifest_rules {
  int32_t window_s;         /* -1: not said */
  int64_t tolerance_milli;  /* -1: not said */
  char select[16];          /* Max, Min, Disabled; "" not said */
  manifest_policy policy[MANIFEST_POLICIES];
  int policies;
} manifest_rules;

typedef struct manifest {
  char name[64];
  int32_t min, max;
  manifest_metric metric[MANIFEST_METRICS];
  int metrics;
  int behavior; /* said at all */
  manifest_rules up, down;
} manifest;

/* 0, or -1 after complaints (to `complaints`, one a line). */
int manifest_read(const char *path, FILE *complaints, manifest *ret);

#endif
