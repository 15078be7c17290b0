/* SPDX-License-Identifier: MIT */
/* Fuzz target: an autoscaler of any configuration, any samples, any region.
 *
 *     byte 0      what to do (bit 0: hostile region bytes; bits 1-2: elements of the arrays;
 *                 0xfe: Knative, 0xfc: KEDA)
 *     then        the scalars of a config, arrays, operations of 16 bytes each */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/hpa.h>
#include <trimtab/keda.h>
#include <trimtab/knative.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
  const uint8_t *at;
  size_t left;
} input;

/* The next n bytes; zeros when there are no more. */
static void take(input *in, void *to, size_t n) {
  size_t have = n < in->left ? n : in->left;
  memset(to, 0, n);
  if (have > 0) memcpy(to, in->at, have);
  in->at += have;
  in->left -= have;
}

static uint32_t small(input *in, uint32_t below) {
  uint8_t b;
  take(in, &b, 1);
  return b % below;
}

/* Mostly legal numbers: a byte picks the magnitude. */
static uint32_t number(input *in) {
  uint32_t n;
  uint8_t shift;
  take(in, &n, 4);
  take(in, &shift, 1);
  return n >> (shift & 31);
}

/* Pods of any flags and numbers, one by one and together. */
static void gather(ttb_pods *pods, const ttb_autoscaler_config *c, input *in) {
  ttb_pods_config pc = TTB_CONFIG(ttb_pods_config);
  ttb_pod list[8];
  ttb_container box[3];
  uint64_t now;
  take(in, &now, 8);
  pc.kind = c->metrics_n ? c->metrics[0].kind : 0;
  pc.target_milli = c->metrics_n ? c->metrics[0].target_milli : 0;
  pc.flags = small(in, 2);
  if (ttb_pods_start(pods, &pc, (int64_t)now) < 0) memset(pods, 0, sizeof *pods);
  for (uint32_t i = 0; i < 8; i++) {
    list[i] = TTB_CONFIG(ttb_pod);
    list[i].flags = number(in);
    take(in, &list[i].value_milli, small(in, 9));
    take(in, &list[i].request_milli, small(in, 9));
    take(in, &list[i].start_ms, small(in, 9));
    list[i].ready_changed_ms = (int64_t)(now - number(in));
    list[i].window_ms = number(in);
  }
  for (uint32_t i = 0; i < 3; i++)
    box[i] = (ttb_container){sizeof *box, number(in), list[i].value_milli, list[i].request_milli};
  (void)ttb_pod_fold(&list[7], box, small(in, 4), (int32_t)small(in, 6) - 2);
  (void)ttb_pods_add(pods, list, small(in, 9));
  int32_t group = ttb_pods_group(pods, &list[0]);
  if (group > TTB_PODS_IGNORED) abort();
}

/* The states of Knative and of windows are memory of the caller's: any bytes. */
static void knative(input *in) {
  static ttb_knative k;
  static ttb_knative_window w;
  ttb_knative_config c = TTB_CONFIG(ttb_knative_config);
  c.target_milli = number(in);
  c.up_rate_milli = number(in);
  c.down_rate_milli = number(in);
  c.panic_milli = number(in);
  c.delay_ms = number(in);
  c.stable_ms = (int32_t)number(in);
  c.burst_milli = (int64_t)number(in) - 1;
  (void)!ttb_knative_start(&k, &c, (int32_t)number(in), number(in));
  (void)!ttb_knative_window_start(&w, number(in), number(in));
  while (in->left > 0) {
    ttb_knative_input i = TTB_CONFIG(ttb_knative_input);
    ttb_knative_decision d = TTB_CONFIG(ttb_knative_decision);
    uint64_t now;
    uint32_t place;
    int64_t average;
    take(in, &now, small(in, 9));
    take(in, &i.stable_milli, small(in, 9));
    take(in, &i.panic_milli, small(in, 9));
    i.ready = (int32_t)number(in);
    take(in, &place, 4);
    if (small(in, 4) == 0) { /* but for the mark that says it is one */
      ((unsigned char *)&k)[8 + place % (sizeof k - 8)] = (unsigned char)small(in, 255);
      ((unsigned char *)&w)[8 + place % 40] = (unsigned char)small(in, 255);
    }
    if (ttb_knative_decide(&k, &c, &i, now, &d) == TTB_OK && d.valid && d.desired < 0 &&
        d.panic_maximum >= 0 && d.delayed == 0)
      abort();
    (void)ttb_knative_window_record(&w, now, i.stable_milli);
    (void)ttb_knative_window_average(&w, now, place & 1, &average);
  }
}

static void keda(input *in) {
  ttb_keda_config c = TTB_CONFIG(ttb_keda_config);
  ttb_keda_input i = TTB_CONFIG(ttb_keda_input);
  ttb_keda_decision d = TTB_CONFIG(ttb_keda_decision);
  ttb_keda_jobs_config jc = TTB_CONFIG(ttb_keda_jobs_config);
  ttb_keda_jobs_input j = TTB_CONFIG(ttb_keda_jobs_input);
  ttb_keda_jobs_decision jd = TTB_CONFIG(ttb_keda_jobs_decision);
  ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
  uint32_t failures = number(in);
  take(in, (char *)&c + 4, sizeof c - 4);
  take(in, (char *)&i + 4, sizeof i - 4);
  take(in, (char *)&jc + 4, sizeof jc - 4);
  take(in, (char *)&j + 4, sizeof j - 4);
  i.reserved = 0;
  if (small(in, 2)) jc.strategy %= 5, jc.max_replicas &= 0xffff, jc.running_ppm &= 0xffffff;
  if (ttb_keda_activate(&c, &i, &d) == TTB_OK && d.replicas < 0) abort();
  if (ttb_keda_jobs(&jc, &j, &jd) == TTB_OK && jd.create < 0) abort();
  s.missing = small(in, 2);
  (void)ttb_keda_fallback(&c, j.wanted, i.current, &failures, &s);
}

static void operate(ttb_autoscaler *a, const ttb_autoscaler_config *c, input *in) {
  uint64_t now = UINT64_C(3600000000000);
  ttb_autoscaler_row rows[20];
  while (in->left > 0) {
    ttb_autoscaler_sample s[20];
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    ttb_autoscaler_info info = TTB_CONFIG(ttb_autoscaler_info);
    uint64_t value;
    ttb_pods pods;
    char json[300];
    uint32_t op = small(in, 8), slot = small(in, 3), n = small(in, 18);
    int32_t current = (int32_t)number(in);
    take(in, &value, 8);
    now += (value & 1) ? value >> 20 : (value & 0xffff) * 1000000;
    for (uint32_t i = 0; i < 20; i++) {
      s[i] = TTB_CONFIG(ttb_autoscaler_sample);
      rows[i] = TTB_CONFIG(ttb_autoscaler_row);
      s[i].value_milli = (int64_t)(value >> (i & 63));
      s[i].missing = value >> i & 1;
      s[i].capacity_milli = op == 5 ? (int64_t)(value * 3) : 0;
      s[i].replicas = op == 6 ? current : 0;
    }
    if (op == 7) {
      gather(&pods, c, in);
      s[0].pods = &pods;
      s[0].missing = 0;
    }
    d.rows = op & 1 ? rows : NULL;
    d.rows_n = n;
    switch (op) {
    case 0: (void)ttb_autoscaler_record(a, slot, 1 + (int32_t)(value & 1), current, now); break;
    case 1: (void)ttb_autoscaler_reset(a, slot); break;
    case 2: (void)ttb_autoscaler_explain(a, slot, now, &info); break;
    default: {
      int32_t code = ttb_autoscaler_evaluate(a, slot, s, n, current, now, &d);
      ttb_hpa_condition conditions[TTB_HPA_CONDITIONS];
      for (uint32_t i = 0; i < TTB_HPA_CONDITIONS; i++)
        conditions[i] = TTB_CONFIG(ttb_hpa_condition);
      if (code == TTB_OK) {
        (void)ttb_autoscaler_json(&d, json, n);
        (void)ttb_hpa_conditions(&d, 0, conditions, TTB_HPA_CONDITIONS);
        (void)ttb_hpa_message(&conditions[n % TTB_HPA_CONDITIONS], NULL, json, n);
      }
      int32_t min = d.min_replicas, max = d.max_replicas; /* the schedule's too */
      if (code == TTB_OK && current >= min && current <= max &&
          (d.desired < min || d.desired > max) && d.reason != TTB_AUTOSCALER_SWITCHED_OFF)
        abort();
    }
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input in = {data, size};
  uint8_t what;
  ttb_autoscaler_metric metrics[16];
  ttb_autoscaler_policy policies[2][8];
  ttb_autoscaler_step steps[4];
  ttb_autoscaler_schedule schedule[2];
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  take(&in, &what, 1);
  if (what == 0xfe) {
    knative(&in);
    return 0;
  }
  if (what == 0xfc) {
    keda(&in);
    return 0;
  }
  c.capacity = 1 + small(&in, 3);
  c.min_replicas = (int32_t)number(&in);
  c.max_replicas = (int32_t)number(&in);
  c.tolerance_up_ppm = (int32_t)number(&in);
  c.tolerance_down_ppm = (int32_t)number(&in);
  c.up_window_ms = number(&in);
  c.down_window_ms = (int32_t)number(&in);
  c.up_select = small(&in, 5);
  c.down_select = small(&in, 5);
  c.tick_ms = number(&in);
  c.flags = small(&in, 17);
  c.combine = small(&in, 4);
  c.from_zero = small(&in, 5);
  c.startup_ms = number(&in);
  c.billing_ms = number(&in);
  c.action_cost_ms = number(&in);
  c.up_cooldown_ms = number(&in);
  c.down_cooldown_ms = number(&in);
  c.week_offset_s = number(&in);
  c.steps_n = small(&in, 5);
  c.schedule_n = small(&in, 3);
  c.steps = steps;
  c.schedule = schedule;
  c.metrics_n = (what >> 1 & 3) * 5;
  c.up_policies_n = (what >> 3 & 3) * 2;
  c.down_policies_n = (what >> 5 & 3) * 2;
  c.metrics = metrics;
  c.up_policies = policies[0];
  c.down_policies = policies[1];
  for (uint32_t i = 0; i < c.metrics_n; i++) {
    metrics[i] = TTB_CONFIG(ttb_autoscaler_metric);
    metrics[i].kind = small(&in, 6);
    metrics[i].flags = small(&in, 9);
    metrics[i].method = small(&in, 5);
    metrics[i].low_milli = number(&in);
    metrics[i].source = small(&in, 7);
    metrics[i].target_milli = (int64_t)((uint64_t)number(&in) << small(&in, 33));
  }
  for (uint32_t way = 0; way < 2; way++)
    for (uint32_t i = 0; i < 8; i++)
      policies[way][i] = (ttb_autoscaler_policy){sizeof(ttb_autoscaler_policy), small(&in, 4),
                                                 number(&in), number(&in)};
  for (uint32_t i = 0; i < c.steps_n; i++) {
    steps[i] = TTB_CONFIG(ttb_autoscaler_step);
    steps[i].metric = small(&in, 4);
    steps[i].lower_milli = number(&in);
    steps[i].upper_milli = number(&in);
    steps[i].type = small(&in, 6);
    steps[i].value = (int32_t)number(&in);
    steps[i].least = number(&in);
  }
  for (uint32_t i = 0; i < c.schedule_n; i++)
    schedule[i] = (ttb_autoscaler_schedule){sizeof *schedule, small(&in, 2) ? 86400 : 0, number(&in),
                                            number(&in), (int32_t)number(&in), (int32_t)number(&in)};
  int64_t need = ttb_autoscaler_size(&c);
  ttb_detail detail = TTB_CONFIG(ttb_detail);
  char text[200];
  int32_t code = ttb_autoscaler_check(&c, &detail);
  (void)ttb_detail_format(&detail, text, sizeof text);
  if ((need < 0) != (code < 0)) abort();
  if (need < 0 || need > 1 << 20) return 0;
  unsigned char *mem = aligned_alloc(64, (size_t)need);
  ttb_autoscaler a;
  if (!mem || ttb_autoscaler_init(&a, mem, (uint64_t)need, &c) != TTB_OK) abort();
  if (what & 1) {
    /* A neighbour scribbles: before attach, or beside a live handle. */
    uint32_t n = 1 + small(&in, 64);
    for (uint32_t i = 0; i < n; i++) {
      uint32_t place, byte = small(&in, 255);
      take(&in, &place, 4);
      mem[128 + place % ((uint32_t)need - 128)] = (unsigned char)byte;
    }
    ttb_autoscaler other;
    if (ttb_autoscaler_attach(&other, mem, (uint64_t)need) == TTB_OK && small(&in, 2)) {
      a = other;
      c.min_replicas = TTB_OFF; /* the bounds may be others now */
      c.max_replicas = 0x7fffffff;
    }
  }
  operate(&a, &c, &in);
  ttb_autoscaler_free(&a);
  free(mem);
  return 0;
}
