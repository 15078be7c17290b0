/* SPDX-License-Identifier: MIT */
/* Fuzz target: a violation budget of any configuration, any samples, any region.
 *
 *     byte 0      what to do (bit 0: hostile region bytes; bit 1: a curve)
 *     then        the scalars of a config, the curve, operations of 16 bytes each */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/budget.h>

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
static uint64_t number(input *in) {
  uint64_t n;
  uint8_t shift;
  take(in, &n, 8);
  take(in, &shift, 1);
  return n >> (shift & 63);
}

static void scribble(input *in, unsigned char *mem, uint32_t size) {
  uint32_t n = 1 + small(in, 64);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t place, byte = small(in, 255);
    take(in, &place, 4);
    mem[128 + place % (size - 128)] = (unsigned char)byte;
  }
}

static void operate(ttb_budget *b, int32_t min, int32_t max, input *in, unsigned char *mem,
                    uint32_t size) {
  uint64_t now = UINT64_C(3600000000000);
  while (in->left > 0) {
    ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
    ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
    ttb_budget_info info = TTB_CONFIG(ttb_budget_info);
    ttb_budget_row rows[TTB_BUDGET_ARMS];
    uint32_t op = small(in, 16), slot = small(in, 3), repeat = 1 + small(in, 255);
    uint64_t step = number(in);
    s.load_milli = (int64_t)number(in);
    s.peak_milli = op == 4 ? (int64_t)number(in) : 0;
    s.current = (int32_t)(uint32_t)number(in);
    s.serving = op == 5 ? s.current : 0;
    s.floor = op == 6 ? (int32_t)(uint32_t)number(in) : 0;
    s.missing = op == 7;
    switch (op) {
    case 0: (void)ttb_budget_reset(b, slot); break;
    case 1:
      for (int i = 0; i < TTB_BUDGET_ARMS; i++) rows[i] = TTB_CONFIG(ttb_budget_row);
      info.rows = rows;
      info.rows_n = small(in, TTB_BUDGET_ARMS + 1);
      (void)ttb_budget_explain(b, slot, now, &info);
      break;
    case 2:
      if (mem) scribble(in, mem, size);
      break;
    default:
      for (uint32_t i = 0; i < repeat; i++) {
        now += op == 8 ? step : UINT64_C(15000000000);
        int32_t code = ttb_budget_tick(b, slot, &s, now, &d);
        if (code != TTB_OK) break;
        if (d.desired < min || d.desired > max) abort();
        if (d.needed < 0 || d.arm < 0 || d.arm >= TTB_BUDGET_ARMS || d.spent_ppm < 0) abort();
        if (op & 1) s.current = d.desired;
      }
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input in = {data, size};
  uint8_t what;
  int64_t curve[16], last = 0;
  ttb_budget_config c = TTB_CONFIG(ttb_budget_config);
  take(&in, &what, 1);
  c.capacity = 1 + small(&in, 3);
  c.replica_milli = (int64_t)number(&in);
  c.budget_ppm = (int32_t)(uint32_t)number(&in);
  c.limit_ppm = (int32_t)(uint32_t)number(&in);
  c.min_replicas = (int32_t)(uint32_t)number(&in);
  c.max_replicas = (int32_t)(uint32_t)number(&in);
  c.startup_ms = (uint32_t)number(&in);
  c.tick_ms = (uint32_t)number(&in);
  c.actions_a_day = (int32_t)(uint32_t)number(&in);
  c.flags = small(&in, 5);
  c.carries_n = what & 2 ? 1 + small(&in, 16) : 0;
  c.carries_milli = curve;
  for (uint32_t i = 0; i < 16; i++) curve[i] = last += (int64_t)(number(&in) >> 12);
  int64_t need = ttb_budget_size(&c);
  ttb_detail detail = TTB_CONFIG(ttb_detail);
  char text[200];
  int32_t code = ttb_budget_check(&c, &detail);
  (void)ttb_detail_format(&detail, text, sizeof text);
  if ((need < 0) != (code < 0)) abort();
  if (need < 0) return 0;
  unsigned char *mem = aligned_alloc(64, (size_t)need);
  ttb_budget b;
  if (!mem || ttb_budget_init(&b, mem, (uint64_t)need, &c) != TTB_OK) abort();
  int32_t min = c.min_replicas < 0 ? 0 : c.min_replicas ? c.min_replicas : 1;
  int32_t max = c.max_replicas ? c.max_replicas : 100;
  if (what & 1) {
    /* A neighbour scribbles: before attach, and beside a live handle. */
    scribble(&in, mem, (uint32_t)need);
    ttb_budget other;
    if (ttb_budget_attach(&other, mem, (uint64_t)need) == TTB_OK && small(&in, 2)) {
      b = other;
      min = 0, max = TTB_BUDGET_MAX_REPLICAS; /* the bounds may be others now */
    }
  }
  operate(&b, min, max, &in, what & 1 ? mem : NULL, (uint32_t)need);
  ttb_budget_free(&b);
  free(mem);
  return 0;
}
