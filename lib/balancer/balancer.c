/* SPDX-License-Identifier: MIT */
/* A balancer: its place in memory and its life.
 *
 *     region header | config | table words | rows | bitmap | endpoints | ids |
 *     index | table copy A | copy B | scratch | tickets | slots' and rows' state |
 *     tags | caps | when each began | rows' plans
 *
 * I1  layout_of() alone knows where things are; size, init and attach ask it,
 *     and nothing it returns is ever read back from the region.
 * I2  Scratch belongs to the holder of the owner lock and means nothing to the
 *     next one. */
#include "bounded.h"
#include "load_weights.h"
#include "peak_ewma.h"

#include <string.h>

static const uint32_t facts[] = {sizeof(ttb__endpoint), sizeof(ttb__copy),
                                 sizeof(ttb__balancer_table), TTB__CELL_TAG, TTB__GEN_BITS};
static const ttb__format format = {TTB__KIND_BALANCER, &ttb__balancer_config_fields, facts,
                                   sizeof facts / sizeof *facts};

typedef struct layout {
  uint64_t table, rows, bitmap, endpoints, ids, index, copies[2], scratch, tickets;
  uint64_t common_state, slot_state, row_state, tags, caps, began, plans, bounds, worths, total;
  uint32_t stride, entries, index_size;
} layout;

static bool is_planned(const ttb_balancer_config *c) {
  return c->flags & TTB_BALANCER_LEVELS || c->zone || c->slow_start_ms || c->bounded_ppm;
}

static layout layout_of(const ttb_balancer_config *c) {
  const ttb__algorithm *a = ttb__balancer_algorithm(c->algorithm);
  layout l = {.entries = a->entries(c), .index_size = 8};
  while (l.index_size < 2 * c->capacity) l.index_size *= 2;
  l.stride = (uint32_t)ttb__round64(offsetof(ttb__endpoint, cell) + 4 * (uint64_t)c->threads);

  uint64_t at = ttb__region_body(sizeof *c);
  l.table = at, at += sizeof(ttb__balancer_table);
  l.rows = at, at += ttb__round64(TTB__ROWS_BYTES(c->threads));
  l.bitmap = at, at += ttb__round64(8 * ((uint64_t)c->capacity / 64 + 1));
  l.endpoints = at, at += (uint64_t)l.stride * c->capacity;
  l.ids = at, at += ttb__round64(8 * (uint64_t)c->capacity);
  l.index = at, at += ttb__round64(4 * (uint64_t)l.index_size);
  for (int i = 0; i < 2; i++)
    l.copies[i] = at, at += ttb__round64(sizeof(ttb__copy) + 4 * (uint64_t)l.entries);
  /* The roster, then the builder's own or update's table of ids. */
  uint64_t scratch = a->scratch(c), ids = 4 * (uint64_t)l.index_size;
  l.scratch = at, at += ttb__round64(4 * (uint64_t)c->capacity + (scratch > ids ? scratch : ids));
  l.tickets = at;
  if (c->flags & TTB_BALANCER_CHECK_TICKETS) at += 8 * (uint64_t)c->tickets * c->threads;
  l.common_state = at = ttb__round64(at);
  if (a->common_bytes) at += ttb__round64(a->common_bytes(c));
  l.slot_state = at, at += ttb__round64((uint64_t)a->slot_bytes * c->capacity);
  l.row_state = at, at += (uint64_t)a->row_bytes * c->threads;
  l.tags = at = ttb__round64(at);
  if (c->flags & TTB_BALANCER_TAGS) at += ttb__round64(8 * (uint64_t)c->capacity);
  l.caps = at;
  if (c->flags & TTB_BALANCER_CAPS) at += ttb__round64(4 * (uint64_t)c->capacity);
  l.began = at;
  if (c->slow_start_ms) at += ttb__round64(8 * (uint64_t)c->capacity);
  l.plans = at;
  if (is_planned(c)) at += sizeof(ttb__plan) * (uint64_t)c->threads;
  l.bounds = at;
  if (c->bounded_ppm) at += sizeof(ttb__bound) * (uint64_t)c->threads;
  l.worths = at = ttb__round64(at);
  if (c->flags & TTB_BALANCER_LOAD_WEIGHTS) at += sizeof(ttb__worth) * (uint64_t)c->capacity;
  l.total = ttb__round64(at);
  return l;
}

static int32_t read_config(const ttb_balancer_config *config, ttb_balancer_config *ret,
                           ttb_detail *d) {
  ttb_balancer_config c;
  int32_t code = ttb__config_read(&ttb__balancer_config_fields, config, &c, -1, d);
  if (code < 0) return code;
  const ttb__algorithm *a = ttb__balancer_algorithm(c.algorithm);
  if (!a) return ttb__fail(d, TTB_ERR_RANGE, "algorithm", -1, c.algorithm, 1, TTB_BALANCER_NGINX_HASH);
  if (c.capacity > a->max_endpoints)
    return ttb__fail(d, TTB_ERR_RANGE, "capacity", -1, c.capacity, 1, a->max_endpoints);
  if (c.bounded_ppm && !a->hashes)
    return ttb__fail(d, TTB_ERR_RANGE, "bounded_ppm", -1, c.bounded_ppm, 0, 0);
  if (c.tickets & (c.tickets - 1))
    return ttb__fail(d, TTB_ERR_RANGE, "tickets", -1, c.tickets, 16, 2048);
  if (a->check) {
    if ((code = a->check(&c, d)) < 0) return code;
  } else if (c.table_size != 0) {
    return ttb__fail(d, TTB_ERR_RANGE, "table_size", -1, c.table_size, 0, 0);
  }
  *ret = c;
  return TTB_OK;
}

static uint32_t line_of(uint64_t offset) { return (uint32_t)(offset / 64); }

/* Makes a handle from a checked config: the only way one comes to be. */
static void open_handle(ttb_balancer *ret, void *mem, const ttb_balancer_config *c) {
  layout l = layout_of(c);
  unsigned char *base = mem;
  uint32_t bits = 0;
  while (1u << bits < c->tickets) bits++;
  const ttb__algorithm *a = ttb__balancer_algorithm(c->algorithm);
  ttb__balancer b = {
      .tag = TTB__TAG(TTB__KIND_BALANCER),
      .endpoints = base + l.endpoints,
      .algorithm = a,
      .rows = (ttb__rows *)(void *)(base + l.rows),
      .table = (ttb__balancer_table *)(void *)(base + l.table),
      .capacity = c->capacity,
      .stride = l.stride,
      .threads = c->threads,
      .flags = c->flags | (a->took || a->observe ? TTB__BALANCER_HOOKED : 0),
      .row = TTB__NO_ROW,
      .common_state = base + l.common_state,
      .slot_state = base + l.slot_state,
      .row_state = base + l.row_state, /* of row 0 until it joins */
      .slot_bytes = a->slot_bytes,
      .row_bytes = a->row_bytes,
      .half_life_inverse = ttb__half_life(ttb__cost_half_life(c->decay_ms)),
      .choices = c->choices,
      .exact = c->exact,
      .bias = a == &ttb__least_connections
                  ? (uint32_t)((uint64_t)(uint32_t)c->bias_ppm * 65536 / 1000000) : 0,
      .least = TTB__NO_SLOT,
      .worths_at = line_of(l.worths),
      .error_penalty = c->error_penalty_ppm,
      .load_blackout = c->load_blackout_ms == TTB_OFF ? 0 : (uint32_t)c->load_blackout_ms,
      .load_expiry = (uint32_t)c->load_expiry_ms,
      .probe_age = UINT64_C(1000000) * c->probe_age_ms,
      .probe_rate = c->probe_rate_ppm,
      .rif_quantile = c->rif_quantile_ppm,
      .lease = c->lease,
      .tracked = a->tracks || (c->flags & (TTB_BALANCER_TRACK | TTB_BALANCER_CAPS)) || c->bounded_ppm,
      .entries = l.entries,
      .ticket_bits = bits,
      .index_mask = l.index_size - 1,
      .region = mem,
      .copies_at = {line_of(l.copies[0]), line_of(l.copies[1])},
      .bitmap_at = line_of(l.bitmap),
      .ids_at = line_of(l.ids),
      .index_at = line_of(l.index),
      .scratch_at = line_of(l.scratch),
      .tickets_at = line_of(l.tickets),
      .tags_at = line_of(l.tags),
      .caps_at = line_of(l.caps),
      .config_order = c->wrr_order,
      .residency = c->residency ? c->residency : UINT64_MAX,
      .planned = UINT64_MAX,
      .zone = c->zone,
      .zone_min = c->zone_min,
      .overprovisioning_ppm = c->overprovisioning_ppm,
      .panic_ppm = c->panic_ppm == TTB_OFF ? 0 : (uint32_t)c->panic_ppm,
      .slow_start_ms = c->slow_start_ms,
      .slow_start_rule = c->slow_start_rule,
      .slow_start_min = c->slow_start_min_ppm,
      .slow_start_aggression = c->slow_start_aggression_ppm,
      .began_at = line_of(l.began),
      .plans_at = line_of(l.plans),
      .bounds_at = line_of(l.bounds),
      .bound_16 = (uint32_t)(((uint64_t)(uint32_t)c->bounded_ppm * 65536 + 999999) / 1000000),
  };
  if (c->residency || c->flags & TTB_BALANCER_CAPS) b.flags |= TTB__BALANCER_SCOPED;
  if (c->flags & TTB_BALANCER_LEVELS || c->zone || c->slow_start_ms)
    b.flags |= TTB__BALANCER_SCOPED;
  if (is_planned(c)) b.flags |= TTB__BALANCER_PLANNED;
  if (c->bounded_ppm) b.flags |= TTB__BALANCER_BOUNDED;
  memset(ret, 0, sizeof *ret);
  ttb__balancer_refresh(&b, ttb__flip_begin(&b.table->flip).generation);
  memcpy(ret, &b, sizeof b);
}

int32_t ttb_balancer_check(const ttb_balancer_config *config, ttb_detail *ret_detail) {
  ttb_balancer_config c;
  return read_config(config, &c, ret_detail);
}

int64_t ttb_balancer_size(const ttb_balancer_config *config) {
  ttb_balancer_config c;
  int32_t code = read_config(config, &c, NULL);
  return code < 0 ? code : (int64_t)layout_of(&c).total;
}

int32_t ttb_balancer_init(ttb_balancer *ret, void *mem, uint64_t size,
                          const ttb_balancer_config *config) {
  ttb_balancer_config c;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = read_config(config, &c, NULL);
  if (code < 0) return code;
  uint64_t total = layout_of(&c).total;
  if ((code = ttb__region_span(mem, size, total)) < 0) return code;
  ttb__region_build(mem, total, &format, &c, c.seed);
  open_handle(ret, mem, &c);
  uint64_t phase = c.seed;
  if (phase != 0) ttb__store_rlx(&ttb__balancer_of(ret)->table->cursor, ttb__splitmix(&phase));
  ttb__region_ready(mem);
  return TTB_OK;
}

int32_t ttb_balancer_attach(ttb_balancer *ret, void *mem, uint64_t size) {
  ttb_balancer_config stored, c;
  uint64_t total;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__region_open(mem, size, &format, &stored, &total);
  if (code < 0) return code;
  if (read_config(&stored, &c, NULL) < 0 || layout_of(&c).total != total) return TTB_ERR_CORRUPT;
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_balancer_new(ttb_balancer *ret, const ttb_balancer_config *config,
                         const ttb_allocator *allocator) {
  ttb_allocator a;
  if (!ret) return TTB_ERR_MISUSE;
  int64_t size = ttb_balancer_size(config);
  void *mem;
  int32_t code = ttb__take(allocator, size, &a, &mem);
  if (code < 0) return code;
  code = ttb_balancer_init(ret, mem, (uint64_t)size, config);
  if (code < 0) {
    ttb__release(&a, mem, (uint64_t)size);
    return code;
  }
  ttb__balancer *b = ttb__balancer_of(ret);
  b->owned = (uint64_t)size;
  b->free_ctx = a.ctx;
  b->free = a.free;
  return TTB_OK;
}

void ttb_balancer_free(ttb_balancer *h) {
  ttb__balancer *b = ttb__balancer_of(h);
  if (!b) return;
  if (b->row != TTB__NO_ROW) ttb__balancer_leave(b, NULL, NULL);
  if (b->owned) {
    ttb_allocator a = {.struct_size = sizeof a, .ctx = b->free_ctx, .free = b->free};
    ttb__release(&a, b->region, b->owned);
  }
  memset(h, 0, sizeof *h);
}
