/* SPDX-License-Identifier: MIT */
/* One evaluation: the metrics alone, with windows and policies, with brakes, in
 * batches; a pod and metric; a year of evaluations each 15 s, as one of them. */
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

/* ---- pods ---- */

#define PODS 4096
typedef struct crowd {
  ttb_pods_config c;
  ttb_pods pods;
  ttb_pod pod[PODS];
} crowd;

/* n pods; a start for every PODS of them. */
static void count_pods(void *ctx, uint64_t n) {
  crowd *x = ctx;
  for (uint64_t i = 0; i < n; i += PODS) {
    if (ttb_pods_start(&x->pods, &x->c, 1000000) < 0) return;
    (void)ttb_pods_add(&x->pods, x->pod, n - i < PODS ? (uint32_t)(n - i) : PODS);
  }
}

/* Of 100 pods some are starting and some have no sample. */
static void gather(crowd *x, uint32_t flags, uint32_t unready, uint32_t missing) {
  uint64_t random = 1;
  x->c = TTB_CONFIG(ttb_pods_config);
  x->c.flags = flags;
  for (uint32_t i = 0; i < PODS; i++) {
    random = random * UINT64_C(6364136223846793005) + 1;
    uint32_t draw = (uint32_t)(random >> 33) % 100;
    x->pod[i] = (ttb_pod){.struct_size = sizeof(ttb_pod),
                          .flags = TTB_POD_READY | TTB_POD_STARTED | TTB_POD_SAMPLED |
                                   TTB_POD_REQUESTED,
                          .value_milli = 300 + (int64_t)(random >> 60),
                          .request_milli = 500};
    if (draw < unready) x->pod[i].start_ms = x->pod[i].ready_changed_ms = 999990;
    else if (draw < unready + missing) x->pod[i].flags &= ~TTB_POD_SAMPLED;
  }
}

/* ---- a year ---- */

#define YEAR (365u * 24 * 240)
typedef struct replay {
  ttb_autoscaler a;
  int64_t day[5760]; /* a day's load, in thousandths of a replica at 100 % */
} replay;

/* One call is one tick: n ticks of a load that goes by day and night, with noise. */
static void tick(void *ctx, uint64_t n) {
  static uint64_t now = 1, at;
  static int32_t current = 10;
  replay *r = ctx;
  for (; n > 0; n--, at++) {
    ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    s.value_milli = r->day[at % 5760] * 100 / current; /* percent, thousandths */
    now += UINT64_C(15000000000);
    (void)ttb_autoscaler_evaluate(&r->a, 0, &s, 1, current, now, &d);
    current = d.desired;
  }
}

static int start_replay(replay *r) {
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  uint64_t random = 1;
  for (int64_t i = 0; i < 5760; i++) {
    random = random * UINT64_C(6364136223846793005) + 1;
    int64_t up = i < 2880 ? i : 5760 - i;
    r->day[i] = 4000 + up * 5 + (int64_t)(random >> 33) % 1500;
  }
  return ttb_autoscaler_new(&r->a, &c, NULL);
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
  static load steady, noisy, all, braked;
  static crowd ready, mixed;
  static replay year;
  bench b = bench_start(argc, argv);
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  c.capacity = BATCH;
  if (start(&steady, 1, 70000, 0) < 0 || start(&noisy, 1, 40000, 60000) < 0 ||
      start(&all, 4, 40000, 60000) < 0 || ttb_autoscaler_new(&many.a, &c, NULL) < 0)
    return 1;
  ttb_autoscaler_config brakes = TTB_CONFIG(ttb_autoscaler_config);
  brakes.metrics = four;
  brakes.metrics_n = 1;
  brakes.startup_ms = brakes.billing_ms = brakes.down_cooldown_ms = 60000;
  brakes.action_cost_ms = 30000;
  brakes.flags = TTB_AUTOSCALER_WHAT_IF;
  braked = noisy;
  if (ttb_autoscaler_new(&braked.a, &brakes, NULL) < 0 || start_replay(&year) < 0) return 1;
  gather(&ready, TTB_PODS_CPU, 0, 0);
  gather(&mixed, TTB_PODS_CPU, 10, 5);
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
  bench_one(&b, "autoscaler evaluate, noise, all brakes", BENCH_ADD, evaluate, &braked);
  bench_one(&b, "autoscaler a pod and metric, all ready", BENCH_ADD, count_pods, &ready);
  bench_one(&b, "autoscaler a pod and metric, 10 % unready, 5 % missing", BENCH_ADD, count_pods, &mixed);
  bench_one(&b, "autoscaler a tick of a year's replay", BENCH_ADD, tick, &year);
  int status = bench_end(&b);
  for (uint32_t i = 0; i < b.count; i++)
    if (b.cases[i].run == tick)
      printf("a year of 15 s ticks: %.1f ms\n", b.cases[i].ns * YEAR / 1e6);
  ttb_autoscaler_free(&braked.a);
  ttb_autoscaler_free(&year.a);
  ttb_autoscaler_free(&steady.a);
  ttb_autoscaler_free(&noisy.a);
  ttb_autoscaler_free(&all.a);
  ttb_autoscaler_free(&many.a);
  return status;
}
