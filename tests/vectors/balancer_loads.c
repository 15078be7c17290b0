/* SPDX-License-Identifier: MIT */
/* Vector sets of the balancer's algorithms that look at load. See balancer_loads.h. */
#include "balancer_loads.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <trimtab/balancer.h>

#include "../../lib/balancer/load_weights.h"
#include "../../lib/balancer/peak_ewma.h"
#include "../../lib/balancer/prequal.h"

static double number(const json_t *array, size_t i) {
  return json_number_value(json_array_get(array, i));
}
static double field(const json_t *object, const char *name) {
  return json_number_value(json_object_get(object, name));
}
#define EACH(array, i, v) json_array_foreach((json_t *)(uintptr_t)(array), i, v)

/* Costs are kept in 2 ns and 4 ms: to one in a thousand. */
void peak_ewma(const char *set, const json_t *root, counter count) {
  const json_t *row, *sample;
  size_t i, k;
  uint64_t inverse =
      ttb__half_life(ttb__cost_half_life((uint32_t)(field(root, "tau_ns") / 1e6)));
  EACH(json_object_get(root, "peak_rows"), i, row) {
    const json_t *expected = json_object_get(row, "ewma_ns");
    const uint64_t start = UINT64_C(1000000000000);
    uint64_t word = 0;
    bool ok = json_array_size(expected) > 0;
    EACH(json_object_get(row, "samples_t_rtt_ns"), k, sample) {
      word = ttb__cost_after(word, inverse, start + (uint64_t)number(sample, 0),
                             (uint64_t)number(sample, 1), false);
      double got = (double)(ttb__cost_of(word) << TTB__COST_UNIT), want = number(expected, k);
      ok = ok && fabs(got - want) <= want / 1000;
    }
    char name[32];
    snprintf(name, sizeof name, "row %u", (unsigned)i);
    count(set, name, ok);
  }
}

void prequal(const char *set, const json_t *root, counter count) {
  const json_t *row, *p;
  size_t i, k;
  char name[32];
  EACH(json_object_get(root, "b_reuse_rows"), i, row) {
    const json_t *b = json_object_get(row, "b");
    uint64_t got = ttb__probe_reuse((uint32_t)field(row, "m"), (uint32_t)field(row, "n"),
                                    (uint64_t)(field(row, "r_probe") * 1e6));
    snprintf(name, sizeof name, "reuse %u", (unsigned)i);
    count(set, name, json_is_null(b) ? got == UINT64_MAX
                                     : fabs((double)got / 1e6 - json_number_value(b)) < 1e-5);
  }
  EACH(json_object_get(root, "hcl_cases"), i, row) {
    ttb__probe probe[TTB__PROBES];
    uint32_t sorted[TTB__PROBES], n = 0, theta = (uint32_t)field(row, "theta");
    EACH(json_object_get(row, "probes"), k, p) {
      if (n == TTB__PROBES) break;
      uint32_t rif = (uint32_t)field(p, "rif"), at = n;
      probe[n].rif = rif;
      probe[n].latency_ns = (uint64_t)field(p, "lat");
      for (; at > 0 && sorted[at - 1] > rif; at--) sorted[at] = sorted[at - 1];
      sorted[at] = rif;
      n++;
    }
    const json_t *quantile = json_object_get(row, "q_rif");
    bool ok = n > 0;
    if (ok && quantile)
      ok = ttb__rif_quantile(sorted, n, (uint32_t)(json_number_value(quantile) * 1e6)) == theta;
    ok = ok && ttb__hot_cold(probe, (1u << n) - 1, theta) == (uint32_t)field(row, "pick");
    snprintf(name, sizeof name, "hot-cold %u", (unsigned)i);
    count(set, name, ok);
  }
}

void orca_weight(const char *set, const json_t *root, counter count) {
  const json_t *row;
  size_t i;
  EACH(json_object_get(root, "rows"), i, row) {
    ttb_load l = {.struct_size = sizeof l,
                  .utilisation_ppm = (int32_t)(field(row, "util") * 1e6 + 0.5),
                  .qps_milli = (uint64_t)(field(row, "qps") * 1e3 + 0.5),
                  .eps_milli = (uint64_t)(field(row, "eps") * 1e3 + 0.5)};
    double got = (double)ttb__worth_by_load(&l, (uint32_t)(field(row, "penalty") * 1e6)) / 1e3;
    char name[32];
    snprintf(name, sizeof name, "row %u", (unsigned)i);
    count(set, name, fabs(got - field(row, "weight")) <= 0.001);
  }
}

/* ---- balancers whose endpoints have calls out ---- */

typedef struct fleet {
  ttb_balancer shared, mine;
  uint32_t n;
  bool ok;
} fleet;

/* Endpoints 1..n, of the weights given or of 1. */
static fleet make(const ttb_balancer_config *c, uint32_t n, const uint32_t *weights) {
  fleet f = {.n = n};
  f.ok = ttb_balancer_new(&f.shared, c, NULL) == TTB_OK;
  f.ok = f.ok && ttb_balancer_join(&f.shared, 1, &f.mine) == TTB_OK;
  for (uint32_t i = 0; i < n; i++) {
    ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
    e.id = i + 1;
    e.weight = weights ? weights[i] : 1;
    f.ok = f.ok && ttb_balancer_add(&f.mine, &e) == (int32_t)i;
  }
  return f;
}
static void drop(fleet *f) {
  ttb_balancer_free(&f->mine);
  ttb_balancer_free(&f->shared);
}

static void occupy(fleet *f, const json_t *active) {
  for (uint32_t i = 0; i < f->n; i++)
    for (uint32_t k = 0; k < (uint32_t)number(active, i); k++) {
      ttb_pick pick = TTB_CONFIG(ttb_pick);
      pick.id = i + 1;
      f->ok = f->ok && ttb_balancer_acquire_with(&f->mine, &pick, 0) >= 0;
    }
}

static fleet busy(const json_t *active, uint32_t exact, uint32_t choices) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.algorithm = TTB_BALANCER_LEAST_CONNECTIONS;
  c.exact = exact;
  c.choices = choices;
  fleet f = make(&c, (uint32_t)json_array_size(active), NULL);
  occupy(&f, active);
  return f;
}

/* One pick, given back. */
static int32_t pick(fleet *f) {
  int64_t t = ttb_balancer_acquire(&f->mine, 0, 0);
  if (t >= 0) (void)ttb_balancer_report(&f->mine, t, TTB_CANCELLED, 0, 0);
  return ttb_ticket_slot(t);
}

void envoy_edf_least_request(const char *set, const json_t *root, counter count) {
  const json_t *scan = json_object_get(root, "full_scan"), *c;
  const json_t *ties = json_object_get(root, "full_scan_ties");
  const json_t *drawn = json_object_get(root, "n_choices_with_replacement");
  size_t i;
  if (scan) {
    fleet f = busy(json_object_get(scan, "active"), 0, 0);
    count(set, "full_scan", f.ok && pick(&f) == (int32_t)field(scan, "pick"));
    drop(&f);
  }
  if (ties) {
    const json_t *over = json_object_get(ties, "uniform_over");
    fleet f = busy(json_object_get(ties, "active"), 0, 0);
    uint32_t picks[64] = {0}, sum = 0;
    for (int k = 0; k < 1000000 && f.ok; k++) picks[pick(&f) & 63]++;
    bool ok = f.ok && json_array_size(over) > 0;
    json_array_foreach((json_t *)(uintptr_t)over, i, c) {
      double got = picks[json_integer_value(c) & 63];
      ok = ok && fabs(got - 1e6 / (double)json_array_size(over)) <= field(ties, "tolerance_of_1e6");
      sum += (uint32_t)got;
    }
    count(set, "full_scan_ties", ok && sum == 1000000);
    drop(&f);
  }
  /* Ours are all different, so that as many as there are always hold the least. */
  EACH(drawn, i, c) {
    char name[32];
    fleet f = busy(json_object_get(c, "active"), 1, (uint32_t)field(c, "choices"));
    snprintf(name, sizeof name, "n_choices %u", (unsigned)i);
    bool ok = f.ok && field(c, "choices") >= f.n;
    for (int k = 0; k < 100 && ok; k++) ok = pick(&f) == (int32_t)field(c, "pick");
    count(set, name, ok);
    drop(&f);
  }
}

/* ---- grpc_static_stride: the weights are clamped, and then taken in their shares ---- */

static uint32_t weights_of(const json_t *given, uint32_t *ret) {
  uint64_t worth[64], sum = 0, most = 0;
  uint32_t n = (uint32_t)json_array_size(given), known = 0;
  if (n > 64) return 0;
  for (uint32_t i = 0; i < n; i++) {
    double w = number(given, i) * 1e6;
    worth[i] = w > 0 && w < 1 ? 1 : (uint64_t)w;
    known += worth[i] > 0;
    sum += worth[i];
    if (worth[i] > most) most = worth[i];
  }
  for (uint32_t i = 0; i < n && known > 0; i++)
    ret[i] = ttb__weight_by_worth(worth[i], sum / known, most);
  return known;
}

void grpc_static_stride(const char *set, const json_t *root, counter count) {
  const json_t *c;
  size_t i;
  char name[32];
  uint32_t weight[64], picks[64] = {0};
  EACH(json_object_get(root, "cases"), i, c) {
    const json_t *given = json_object_get(c, "weights"), *counts = json_object_get(c, "counts");
    uint32_t n = (uint32_t)json_array_size(given), largest = 0;
    ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
    config.algorithm = TTB_BALANCER_WEIGHTED_ROUND_ROBIN;
    config.table_size = 262144;
    bool ok = weights_of(given, weight) > 1;
    fleet f = make(&config, n, weight);
    memset(picks, 0, sizeof picks);
    for (uint32_t k = 0; k < (uint32_t)field(c, "picks") && ok && f.ok; k++) {
      uint32_t slot = (uint32_t)pick(&f) & 63;
      if (++picks[slot] > largest) largest = picks[slot];
    }
    ok = ok && f.ok;
    if (json_object_get(c, "count_of_largest")) ok = ok && largest == field(c, "count_of_largest");
    else ok = ok && json_array_size(counts) == n;
    for (uint32_t k = 0; k < n && ok && counts; k++) ok = picks[k] == number(counts, k);
    snprintf(name, sizeof name, "case %u", (unsigned)i);
    count(set, name, ok);
    drop(&f);
  }
  /* "No scheduler": with fewer than two known all weigh the same. */
  EACH(json_object_get(root, "null_cases"), i, c) {
    snprintf(name, sizeof name, "null case %u", (unsigned)i);
    count(set, name, weights_of(c, weight) < 2);
  }
}
