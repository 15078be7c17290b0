/* SPDX-License-Identifier: MIT */
/* A table of autoscalers: its place in memory and its life.
 *
 *     region header | stored config | metrics, policies | slot 0 | slot 1 | ...
 *
 * I1  layout() alone knows where things are; size, init and attach ask it, and
 *     nothing it returns is ever read back from the region.
 * I2  Metrics and policies are copied into the handle: a hot call reads no part
 *     of the configuration from the region. */
#include "autoscaler.h"

#include <string.h>

static const uint32_t facts[] = {sizeof(ttb__autoscaler_slot), sizeof(ttb__autoscaler_arrays),
                                 sizeof(ttb_autoscaler_metric), sizeof(ttb_autoscaler_policy),
                                 sizeof(ttb_autoscaler_step), sizeof(ttb_autoscaler_schedule),
                                 TTB__MAX_ENTRIES};
static const ttb__format format = {TTB__KIND_AUTOSCALER, &ttb__autoscaler_stored_fields, facts,
                                   sizeof facts / sizeof *facts};

typedef struct layout {
  uint64_t arrays, slots, total;
  uint32_t stride;
  uint32_t window_entries[2], window_at[2], change_entries[2], changes_at[2], longest[2];
} layout;

/* Entries for a span of time: one a tick, and one for each end. */
static uint32_t entries_for(uint32_t span_ms, uint32_t tick_ms) {
  uint32_t n = span_ms / tick_ms + 2;
  return n < TTB__MAX_ENTRIES ? n : TTB__MAX_ENTRIES;
}

/* A legacy window keeps what is as old as itself, and there is none up. */
static uint32_t window_of(const ttb__autoscaler_stored *c, uint32_t way) {
  bool legacy = c->flags & TTB_AUTOSCALER_LEGACY;
  if (way == TTB__UP) return legacy ? 0 : c->up_window_ms;
  return (c->down_window_ms < 0 ? 0 : (uint32_t)c->down_window_ms) + legacy;
}

static uint32_t most(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* How long a change of a direction is asked about by the brakes. */
static uint32_t braked_ms(const ttb__autoscaler_stored *c, uint32_t way) {
  if (way == TTB__DOWN) return c->down_cooldown_ms;
  return most(most(c->startup_ms, c->billing_ms), most(c->up_cooldown_ms, c->down_cooldown_ms));
}

static uint32_t policies_of(const ttb__autoscaler_stored *c, uint32_t way) {
  return way == TTB__UP ? c->up_policies_n : c->down_policies_n;
}

static layout layout_of(const ttb__autoscaler_stored *c, const ttb__autoscaler_arrays *arrays) {
  layout l;
  uint32_t at = 0;
  for (uint32_t way = TTB__UP; way <= TTB__DOWN; way++) {
    uint32_t window = window_of(c, way);
    l.window_entries[way] = window > 0 ? entries_for(window, c->tick_ms) : 0;
    l.window_at[way] = at;
    at += l.window_entries[way];
  }
  for (uint32_t way = TTB__UP; way <= TTB__DOWN; way++) {
    l.longest[way] = braked_ms(c, way);
    for (uint32_t i = 0; i < policies_of(c, way) && !(c->flags & TTB_AUTOSCALER_LEGACY); i++)
      l.longest[way] = most(l.longest[way], arrays->policies[way][i].period_ms);
    l.change_entries[way] = l.longest[way] > 0 ? entries_for(l.longest[way], c->tick_ms) : 0;
    l.changes_at[way] = at;
    at += l.change_entries[way];
  }
  l.arrays = ttb__region_body(sizeof *c);
  l.slots = l.arrays + sizeof *arrays;
  l.stride = (uint32_t)ttb__round64(sizeof(ttb__autoscaler_slot) + 8 * (uint64_t)at);
  l.total = l.slots + (uint64_t)l.stride * c->capacity;
  return l;
}

static ttb__fp ratio_ppm(int32_t ppm) {
  return ttb__fp_div(ttb__fp_int(ppm < 0 ? 0 : (uint64_t)ppm), ttb__fp_int(1000000));
}

static ttb__scaled_policy scale_policy(const ttb_autoscaler_policy *p, uint32_t way) {
  ttb__fp one = ttb__fp_int(1), part = ttb__fp_div(ttb__fp_int(p->value), ttb__fp_int(100));
  ttb__scaled_policy s = {.value = (int32_t)p->value,
                          .period_ms = p->period_ms,
                          .type = p->type,
                          .negative = way == TTB__DOWN && p->value > 100};
  if (way == TTB__UP) s.factor = ttb__fp_add(one, part);
  else s.factor = s.negative ? ttb__fp_sub(part, one) : ttb__fp_sub(one, part);
  return s;
}

/* Makes a handle from a checked config: the only way one comes to be. */
static void open_handle(ttb_autoscaler *ret, void *mem, const ttb__autoscaler_stored *c,
                        const ttb__autoscaler_arrays *arrays) {
  layout l = layout_of(c, arrays);
  ttb__fp one = ttb__fp_int(1);
  ttb__autoscaler a = {
      .tag = TTB__TAG(TTB__KIND_AUTOSCALER),
      .slots = (unsigned char *)mem + l.slots,
      .capacity = c->capacity,
      .stride = l.stride,
      .min = c->min_replicas < 0 ? 0 : c->min_replicas,
      .max = c->max_replicas,
      .flags = c->flags,
      .metrics_n = c->metrics_n,
      .combine = c->combine,
      .from_zero = c->from_zero,
      .startup_ms = c->startup_ms,
      .billing_ms = c->billing_ms,
      .action_cost_ms = c->action_cost_ms,
      .week_offset_s = c->week_offset_s,
      .up_ppm = c->tolerance_up_ppm < 0 ? 0 : c->tolerance_up_ppm,
      .steps_n = c->steps_n,
      .schedule_n = c->schedule_n,
      .tolerance_up = ratio_ppm(c->tolerance_up_ppm),
      .tolerance_down = ratio_ppm(c->tolerance_down_ppm),
      .region = mem,
  };
  /* More than 100 % holds whatever falls. */
  a.lowest = c->tolerance_down_ppm < 1000000 ? ttb__fp_sub(one, a.tolerance_down) : ttb__fp_int(0);
  a.highest = ttb__fp_add(one, a.tolerance_up);
  for (uint32_t i = 0; i < c->metrics_n; i++) {
    const ttb_autoscaler_metric *m = &arrays->metrics[i];
    a.metrics[i] = (ttb__scaled_metric){.target = m->target_milli,
                                        .low = m->low_milli,
                                        .divisor = ttb__fp_int((uint64_t)m->target_milli),
                                        .low_divisor = ttb__fp_int((uint64_t)m->low_milli),
                                        .kind = m->kind,
                                        .flags = m->flags,
                                        .method = m->method,
                                        .source = m->source};
  }
  memcpy(a.steps, arrays->steps, sizeof a.steps);
  memcpy(a.schedule, arrays->schedule, sizeof a.schedule);
  if (c->startup_ms > 0) a.extras |= TTB__HAS_STARTUP;
  if (c->schedule_n > 0) a.extras |= TTB__HAS_SCHEDULE;
  if (c->flags & TTB_AUTOSCALER_WHAT_IF || c->billing_ms || c->action_cost_ms ||
      c->up_cooldown_ms || c->down_cooldown_ms)
    a.extras |= TTB__HAS_BRAKES;
  for (uint32_t way = TTB__UP; way <= TTB__DOWN; way++) {
    ttb__direction *d = &a.way[way];
    d->window_ms = window_of(c, way);
    d->window_entries = l.window_entries[way];
    d->window_at = l.window_at[way];
    d->longest_ms = l.longest[way];
    d->change_entries = l.change_entries[way];
    d->changes_at = l.changes_at[way];
    d->select = way == TTB__UP ? c->up_select : c->down_select;
    d->policies_n = policies_of(c, way);
    d->cooldown_ms = way == TTB__UP ? c->up_cooldown_ms : c->down_cooldown_ms;
    for (uint32_t i = 0; i < d->policies_n; i++)
      d->policies[i] = scale_policy(&arrays->policies[way][i], way);
  }
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &a, sizeof a);
}

int32_t ttb_autoscaler_check(const ttb_autoscaler_config *config, ttb_detail *ret_detail) {
  ttb__autoscaler_stored c;
  ttb__autoscaler_arrays arrays;
  return ttb__autoscaler_read(config, &c, &arrays, ret_detail);
}

int64_t ttb_autoscaler_size(const ttb_autoscaler_config *config) {
  ttb__autoscaler_stored c;
  ttb__autoscaler_arrays arrays;
  int32_t code = ttb__autoscaler_read(config, &c, &arrays, NULL);
  return code < 0 ? code : (int64_t)layout_of(&c, &arrays).total;
}

int32_t ttb_autoscaler_init(ttb_autoscaler *ret, void *mem, uint64_t size,
                            const ttb_autoscaler_config *config) {
  ttb__autoscaler_stored c;
  ttb__autoscaler_arrays arrays;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__autoscaler_read(config, &c, &arrays, NULL);
  if (code < 0) return code;
  layout l = layout_of(&c, &arrays);
  if ((code = ttb__region_span(mem, size, l.total)) < 0) return code;
  ttb__region_build(mem, l.total, &format, &c, 0);
  memcpy((char *)mem + l.arrays, &arrays, sizeof arrays);
  ttb__region_ready(mem);
  open_handle(ret, mem, &c, &arrays);
  return TTB_OK;
}

int32_t ttb_autoscaler_attach(ttb_autoscaler *ret, void *mem, uint64_t size) {
  ttb__autoscaler_stored c;
  ttb__autoscaler_arrays arrays;
  uint64_t total;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__region_open(mem, size, &format, &c, &total);
  if (code < 0) return code;
  uint64_t at = ttb__region_body(sizeof c);
  if (total < at + sizeof arrays) return TTB_ERR_CORRUPT;
  const ttb__autoscaler_arrays *stored = (const void *)((const char *)mem + at);
  if (ttb__autoscaler_reread(&c, stored, &arrays) < 0) return TTB_ERR_CORRUPT;
  if (layout_of(&c, &arrays).total != total) return TTB_ERR_CORRUPT;
  open_handle(ret, mem, &c, &arrays);
  return TTB_OK;
}

int32_t ttb_autoscaler_new(ttb_autoscaler *ret, const ttb_autoscaler_config *config,
                           const ttb_allocator *allocator) {
  ttb_allocator al;
  if (!ret) return TTB_ERR_MISUSE;
  int64_t size = ttb_autoscaler_size(config);
  void *mem;
  int32_t code = ttb__take(allocator, size, &al, &mem);
  if (code < 0) return code;
  code = ttb_autoscaler_init(ret, mem, (uint64_t)size, config);
  if (code < 0) {
    ttb__release(&al, mem, (uint64_t)size);
    return code;
  }
  ttb__autoscaler *a = ttb__autoscaler_of(ret);
  a->owned = (uint64_t)size;
  a->allocator = al;
  return TTB_OK;
}

void ttb_autoscaler_free(ttb_autoscaler *h) {
  ttb__autoscaler *a = ttb__autoscaler_of(h);
  if (!a) return;
  if (a->owned) {
    ttb_allocator al = a->allocator;
    ttb__release(&al, a->region, a->owned);
  }
  memset(h, 0, sizeof *h);
}
