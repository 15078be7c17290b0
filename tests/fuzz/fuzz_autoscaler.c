/* SPDX-License-Identifier: MIT */
/* Fuzz target: an autoscaler of any configuration, any samples, any region.
 *
 *     byte 0      what to do (bit 0: hostile region bytes; bits 1-2: elements of the arrays)
 *     then        the scalars of a config, arrays, operations of 16 bytes each */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/autoscaler.h>

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

static void operate(ttb_autoscaler *a, const ttb_autoscaler_config *c, input *in) {
  uint64_t now = UINT64_C(3600000000000);
  ttb_autoscaler_row rows[20];
  while (in->left > 0) {
    ttb_autoscaler_sample s[20];
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    ttb_autoscaler_info info = TTB_CONFIG(ttb_autoscaler_info);
    uint64_t value;
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
    d.rows = op & 1 ? rows : NULL;
    d.rows_n = n;
    switch (op) {
    case 0: (void)ttb_autoscaler_record(a, slot, 1 + (int32_t)(value & 1), current, now); break;
    case 1: (void)ttb_autoscaler_reset(a, slot); break;
    case 2: (void)ttb_autoscaler_explain(a, slot, now, &info); break;
    default: {
      int32_t code = ttb_autoscaler_evaluate(a, slot, s, n, current, now, &d);
      int32_t min = c->min_replicas < 0 ? 0 : c->min_replicas ? c->min_replicas : 1;
      int32_t max = c->max_replicas ? c->max_replicas : 100;
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
  ttb_autoscaler_config c = TTB_CONFIG(ttb_autoscaler_config);
  take(&in, &what, 1);
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
  c.flags = small(&in, 5);
  c.metrics_n = (what >> 1 & 3) * 5;
  c.up_policies_n = (what >> 3 & 3) * 2;
  c.down_policies_n = (what >> 5 & 3) * 2;
  c.metrics = metrics;
  c.up_policies = policies[0];
  c.down_policies = policies[1];
  for (uint32_t i = 0; i < c.metrics_n; i++) {
    metrics[i] = TTB_CONFIG(ttb_autoscaler_metric);
    metrics[i].kind = small(&in, 6);
    metrics[i].flags = small(&in, 3);
    metrics[i].target_milli = (int64_t)((uint64_t)number(&in) << small(&in, 33));
  }
  for (uint32_t way = 0; way < 2; way++)
    for (uint32_t i = 0; i < 8; i++)
      policies[way][i] = (ttb_autoscaler_policy){sizeof(ttb_autoscaler_policy), small(&in, 4),
                                                 number(&in), number(&in)};
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
