/* SPDX-License-Identifier: MIT */
/* One evaluation: the metrics alone, with windows and policies, in batches. */
#include <stdio.h>

#include <trimtab/autoscaler.h>

#include "bench.h"

static const ttb_autoscaler_metric four[] = {
    {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_UTILISATION, 0, 0, 70000, 0, 0, 0},
    {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_UTILISATION, 0, 0, 80000, 0, 0, 0},
    {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_AVERAGE, 0, 0, 10000, 0, 0, 0},
    {sizeof(ttb_autoscaler_metric), TTB_AUTOSCALER_TOTAL, 0, 0, 20000, 0, 0, 0}};

typedef struct load {
  ttb_autoscaler a;
  ttb_autoscaler_sample s[4];
  uint32_t n;
  int32_t current;
  uint64_t now, random;
  int64_t mean, spread; /* of the value */
} load;

static void evaluate(void *ctx, uint64_t n) {
  load *l = ctx;
  while (n--) {
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    l->random = l->random * UINT64_C(6364136223846793005) + 1;
    int64_t value = l->mean + (l->spread ? (int64_t)(l->random >> 33) % l->spread : 0);
    for (uint32_t i = 0; i < l->n; i++) l->s[i].value_milli = value;
    l->now += UINT64_C(15000000000);
    (void)ttb_autoscaler_evaluate(&l->a, 0, l->s, l->n, l->current, l->now, &d);
    l->current = d.desired;
  }
}

#define BATCH 64
static struct {
  ttb_autoscaler a;
  ttb_autoscaler_sample s[BATCH];
  ttb_autoscaler_decision d[BATCH];
  int32_t current[BATCH];
  uint64_t now;
} many;

static void batch(void *ctx, uint64_t n) {
  (void)ctx;
  for (uint64_t i = 0; i < n; i += BATCH) {
    many.now += UINT64_C(15000000000);
    (void)ttb_autoscaler_evaluate_n(&many.a, NULL, BATCH, many.s, 1, many.current, many.now, many.d,
                                    NULL);
  }
}

static int start(load *l, uint32_t metrics, int64_t mean, int64_t spread) {
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.metrics = four;
  c.metrics_n = metrics;
  *l = (load){.n = metrics, .current = 20, .now = 1, .random = 1, .mean = mean, .spread = spread};
  for (int i = 0; i < 4; i++) l->s[i].struct_size = sizeof l->s[i];
  return ttb_autoscaler_new(&l->a, &c, NULL);
}

int main(int argc, char **argv) {
  static load steady, noisy, all;
  bench b = bench_start(argc, argv);
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.capacity = BATCH;
  if (start(&steady, 1, 70000, 0) < 0 || start(&noisy, 1, 40000, 60000) < 0 ||
      start(&all, 4, 40000, 60000) < 0 || ttb_autoscaler_new(&many.a, &c, NULL) < 0)
    return 1;
  for (int i = 0; i < BATCH; i++) {
    many.s[i] = TTB_CONFIG(ttb_autoscaler_sample);
    many.s[i].value_milli = 80000;
    many.d[i] = TTB_CONFIG(ttb_autoscaler_decision);
    many.current[i] = 20;
  }
  bench_one(&b, "autoscaler evaluate, within tolerance", BENCH_ADD, evaluate, &steady);
  bench_one(&b, "autoscaler evaluate, noise: windows and policies", BENCH_ADD, evaluate, &noisy);
  bench_one(&b, "autoscaler evaluate, four metrics, noise", BENCH_ADD, evaluate, &all);
  bench_one(&b, "autoscaler evaluate_n, a workload of 64", BENCH_ADD, batch, NULL);
  int status = bench_end(&b);
  ttb_autoscaler_free(&steady.a);
  ttb_autoscaler_free(&noisy.a);
  ttb_autoscaler_free(&all.a);
  ttb_autoscaler_free(&many.a);
  return status;
}
