/* SPDX-License-Identifier: MIT */
/* A table of nodes: its place in memory and its life.
 *
 *     region header | config | table: claim, lock, counters | rows | node 0 | node 1 | ...
 *
 * I1  layout_of() alone knows where things are; size, init and attach ask it,
 *     and nothing it returns is ever read back from the region. */
#include "router.h"

#include <string.h>
#include "rtt.h"

static const uint32_t facts[] = {sizeof(ttb__router_node), sizeof(ttb__router_table),
                                 TTB__EPOCH_SHIFT, TTB__LAG_BITS, TTB__RTT_FRACTION};
static const ttb__format format = {TTB__KIND_ROUTER, &ttb__router_config_fields, facts,
                                   sizeof facts / sizeof *facts};

typedef struct layout {
  uint64_t table, rows, nodes, total;
  uint32_t stride;
} layout;

static layout layout_of(const ttb_router_config *c) {
  layout l;
  l.stride = (uint32_t)ttb__round64(sizeof(ttb__router_node) + 4 * (uint64_t)c->threads);
  l.table = ttb__region_body(sizeof *c);
  l.rows = l.table + sizeof(ttb__router_table);
  l.nodes = l.rows + ttb__round64(TTB__ROWS_BYTES(c->threads));
  l.total = l.nodes + (uint64_t)l.stride * c->capacity;
  return l;
}

static int32_t read_config(const ttb_router_config *config, ttb_router_config *ret,
                           ttb_detail *d) {
  int32_t code = ttb__config_read(&ttb__router_config_fields, config, ret, -1, d);
  if (code < 0) return code;
  int32_t soft = ret->max_lag_ms, hard = ret->hard_lag_ms;
  if (hard >= 0 && (soft < 0 || hard < soft))
    return ttb__fail(d, TTB_ERR_RANGE, "hard_lag_ms", -1, hard, soft, TTB__MAX_LAG);
  return TTB_OK;
}

/* Makes a handle from a checked config: the only way one comes to be. */
static void open_handle(ttb_router *ret, void *mem, const ttb_router_config *c) {
  layout l = layout_of(c);
  unsigned char *base = mem;
  bool reported = (c->flags & TTB_ROUTER_RTT_REPORTED) != 0;
  ttb__router r = {
      .tag = TTB__TAG(TTB__KIND_ROUTER),
      .nodes = base + l.nodes,
      .table = (ttb__router_table *)(void *)(base + l.table),
      .region = mem,
      .rows = (ttb__rows *)(void *)(base + l.rows),
      .ttl = c->ttl_ms < 0 ? INT64_MAX : (int64_t)c->ttl_ms << TTB__LAG_BITS,
      .window = c->window_us < 0 ? UINT64_MAX
                                 : (uint64_t)c->window_us * 1000 << TTB__RTT_FRACTION,
      .capacity = c->capacity,
      .stride = l.stride,
      .rtt_at = (uint32_t)(reported ? offsetof(ttb__router_node, latency)
                                    : offsetof(ttb__router_node, rtt)),
      .mode = c->mode,
      .claims = c->claims,
      .flags = c->flags,
      .max_lag_ms = c->max_lag_ms,
      .hard_lag_ms = c->hard_lag_ms,
      .min_replicas = c->min_replicas,
      .threads = c->threads,
      .row = TTB__NO_ROW,
      .seed = c->seed,
  };
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &r, sizeof r);
}

int32_t ttb_router_check(const ttb_router_config *config, ttb_detail *ret_detail) {
  ttb_router_config c;
  return read_config(config, &c, ret_detail);
}

int64_t ttb_router_size(const ttb_router_config *config) {
  ttb_router_config c;
  int32_t code = read_config(config, &c, NULL);
  return code < 0 ? code : (int64_t)layout_of(&c).total;
}

int32_t ttb_router_init(ttb_router *ret, void *mem, uint64_t size,
                        const ttb_router_config *config) {
  ttb_router_config c;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = read_config(config, &c, NULL);
  if (code < 0) return code;
  uint64_t total = layout_of(&c).total;
  if ((code = ttb__region_span(mem, size, total)) < 0) return code;
  ttb__region_build(mem, total, &format, &c, c.seed);
  ttb__region_ready(mem);
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_router_attach(ttb_router *ret, void *mem, uint64_t size) {
  ttb_router_config stored, c;
  uint64_t total;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__region_open(mem, size, &format, &stored, &total);
  if (code < 0) return code;
  if (read_config(&stored, &c, NULL) < 0 || layout_of(&c).total != total) return TTB_ERR_CORRUPT;
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_router_new(ttb_router *ret, const ttb_router_config *config,
                       const ttb_allocator *allocator) {
  ttb_allocator a;
  if (!ret) return TTB_ERR_MISUSE;
  int64_t size = ttb_router_size(config);
  void *mem;
  int32_t code = ttb__take(allocator, size, &a, &mem);
  if (code < 0) return code;
  code = ttb_router_init(ret, mem, (uint64_t)size, config);
  if (code < 0) {
    ttb__release(&a, mem, (uint64_t)size);
    return code;
  }
  ttb__router *r = ttb__router_of(ret);
  r->owned = (uint64_t)size;
  r->allocator = a;
  return TTB_OK;
}

void ttb_router_free(ttb_router *h) {
  ttb__router *r = ttb__router_of(h);
  if (!r) return;
  if (r->row != TTB__NO_ROW) ttb__router_leave(r);
  if (r->owned) {
    ttb_allocator a = r->allocator;
    ttb__release(&a, r->region, r->owned);
  }
  memset(h, 0, sizeof *h);
}
