/* SPDX-License-Identifier: MIT */
/* A table of violation budgets: its place in memory and its life.
 *
 *     region header | stored config | curve | slot 0 | slot 1 | ...
 *
 * I1  layout() alone knows where things are; size, init and attach ask it, and
 *     nothing it returns is ever read back from the region.
 * I2  The curve is read from the region on each tick: its values are demand, not
 *     places, and are bounded where they are used. */
#include "budget.h"

#include <string.h>

#define DAY_MS UINT64_C(86400000)
#define HALF_LIFE_MS (7 * DAY_MS)

static const uint32_t facts[] = {sizeof(ttb__budget_slot), TTB__ARMS, TTB__BINS, TTB__AGES,
                                 TTB__HOLDS, TTB__BLOCKS};
static const ttb__format format = {TTB__KIND_BUDGET, &ttb__budget_stored_fields, facts,
                                   sizeof facts / sizeof *facts};

typedef struct layout {
  uint64_t curve, slots, total;
  uint32_t stride;
} layout;

static layout layout_of(const ttb__budget_stored *c) {
  layout l;
  l.curve = ttb__region_body(sizeof *c);
  l.slots = l.curve + ttb__round64(8 * (uint64_t)c->carries_n);
  l.stride = (uint32_t)ttb__round64(sizeof(ttb__budget_slot));
  l.total = l.slots + (uint64_t)l.stride * c->capacity;
  return l;
}

/* Q12 of replicas in a unit of load, if a replica may use `ppm` of what it can. */
static ttb__fp unit_of(int64_t replica_milli, int32_t ppm) {
  ttb__fp one = ttb__fp_mul(ttb__fp_int((uint64_t)replica_milli), ttb__fp_int((uint64_t)(uint32_t)ppm));
  return ttb__fp_div(ttb__fp_int(UINT64_C(1000000) * TTB__BUDGET_ONE), one);
}

/* Makes a handle from a checked config: the only way one comes to be. */
static void open_handle(ttb_budget *ret, void *mem, const ttb__budget_stored *c) {
  layout l = layout_of(c);
  uint64_t half_life = HALF_LIFE_MS / c->tick_ms;
  uint32_t startup = (c->startup_ms + c->tick_ms - 1) / c->tick_ms;
  uint32_t grain = (startup + 1 + TTB__AGES - 2) / (TTB__AGES - 1);
  ttb__budget b = {
      .tag = TTB__TAG(TTB__KIND_BUDGET),
      .slots = (unsigned char *)mem + l.slots,
      .curve = (void *)((char *)mem + l.curve),
      .carries_n = c->carries_n,
      .capacity = c->capacity,
      .stride = l.stride,
      .min = c->min_replicas < 0 ? 0 : c->min_replicas,
      .max = c->max_replicas,
      .flags = c->flags,
      .tick_ms = c->tick_ms,
      .startup = startup,
      .grain = grain,
      .groups = grain == 1 ? startup + 1 : (startup + grain) / grain + 1,
      .half_life = half_life < 131072 ? (uint32_t)half_life : 131072,
      .budget_q24 = (uint32_t)(((uint64_t)(uint32_t)c->budget_ppm << 24) / 1000000),
      .region = mem,
  };
  if (c->actions_a_day > 0) {
    uint64_t actions = (uint64_t)(uint32_t)c->actions_a_day * c->tick_ms;
    uint64_t q20 = (actions * TTB__REVIEW << 20) / DAY_MS, q16 = (actions << 15) / DAY_MS;
    b.action_q20 = q20 < TTB__REVIEW << 20 ? (uint32_t)q20 : TTB__REVIEW << 20;
    b.token_q16 = q16 < 65536 ? (uint32_t)q16 + 1 : 65536;
    b.token_most = 65536 * (2 + (uint32_t)c->actions_a_day % 65536 / 16);
  }
  if (c->carries_n == 0) {
    b.unit = unit_of(c->replica_milli, c->limit_ppm);
    b.full = unit_of(c->replica_milli, 1000000);
  }
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &b, sizeof b);
}

int32_t ttb_budget_check(const ttb_budget_config *config, ttb_detail *ret_detail) {
  ttb__budget_stored c;
  const int64_t *curve;
  return ttb__budget_read(config, &c, &curve, ret_detail);
}

int64_t ttb_budget_size(const ttb_budget_config *config) {
  ttb__budget_stored c;
  const int64_t *curve;
  int32_t code = ttb__budget_read(config, &c, &curve, NULL);
  return code < 0 ? code : (int64_t)layout_of(&c).total;
}

int32_t ttb_budget_init(ttb_budget *ret, void *mem, uint64_t size, const ttb_budget_config *config) {
  ttb__budget_stored c;
  const int64_t *curve;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__budget_read(config, &c, &curve, NULL);
  if (code < 0) return code;
  layout l = layout_of(&c);
  if ((code = ttb__region_span(mem, size, l.total)) < 0) return code;
  ttb__region_build(mem, l.total, &format, &c, 0);
  ttb__a64 *to = (void *)((char *)mem + l.curve);
  for (uint32_t i = 0; i < c.carries_n; i++) ttb__store_rlx(&to[i], (uint64_t)curve[i]);
  ttb__region_ready(mem);
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_budget_attach(ttb_budget *ret, void *mem, uint64_t size) {
  ttb__budget_stored c;
  uint64_t total;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__region_open(mem, size, &format, &c, &total);
  if (code < 0) return code;
  if (ttb__budget_bounds(&c, NULL) < 0 || layout_of(&c).total != total) return TTB_ERR_CORRUPT;
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_budget_new(ttb_budget *ret, const ttb_budget_config *config,
                       const ttb_allocator *allocator) {
  ttb_allocator al;
  if (!ret) return TTB_ERR_MISUSE;
  int64_t size = ttb_budget_size(config);
  void *mem;
  int32_t code = ttb__take(allocator, size, &al, &mem);
  if (code < 0) return code;
  code = ttb_budget_init(ret, mem, (uint64_t)size, config);
  if (code < 0) {
    ttb__release(&al, mem, (uint64_t)size);
    return code;
  }
  ttb__budget *b = ttb__budget_of(ret);
  b->owned = (uint64_t)size;
  b->allocator = al;
  return TTB_OK;
}

void ttb_budget_free(ttb_budget *h) {
  ttb__budget *b = ttb__budget_of(h);
  if (!b) return;
  if (b->owned) {
    ttb_allocator al = b->allocator;
    ttb__release(&al, b->region, b->owned);
  }
  memset(h, 0, sizeof *h);
}
