/* SPDX-License-Identifier: MIT */
/* A table of limits: its place in memory, its life, its calls.
 *
 *     region header | config | table counters | rows | (keys) | slot 0 | slot 1 | ...
 *
 * I1  layout() alone knows where things are; size, init and attach ask it, and
 *     nothing it returns is ever read back from the region.
 * I2  Slots, asks and outcomes are checked here, so a kind never sees a bad one; a
 *     slow failure reaches it as a failure. */
#include "limiter.h"

#include <string.h>
#include "turns.h"

/* By public number less one. */
static const ttb__limiter_kind *const kinds[TTB__LIMITER_KINDS] = {
    &ttb__limiter_bulkhead, &ttb__limiter_rate, &ttb__limiter_retry, &ttb__limiter_retry_tokens,
    &ttb__limiter_throttle, &ttb__limiter_adaptive, &ttb__limiter_concurrent};

static const uint32_t facts[] = {sizeof(ttb__limiter_table), TTB__TURNS, TTB__TURNS_COUNT,
                                 TTB__LIMITER_KINDS};
static const ttb__format format = {TTB__KIND_LIMITER, &ttb__limiter_config_fields, facts,
                                   sizeof facts / sizeof *facts};

typedef struct layout {
  uint64_t table, rows, keys, slots, stride, total;
} layout;

static layout layout_of(const ttb_limiter_config *c) {
  layout l;
  l.stride = kinds[c->kind - 1]->stride(c);
  l.table = ttb__region_body(sizeof *c);
  l.rows = l.table + sizeof(ttb__limiter_table);
  l.keys = l.rows + ttb__round64(TTB__ROWS_BYTES(c->threads));
  l.slots = l.keys;
  if (c->flags & TTB_LIMITER_KEYED) l.slots += ttb__round64(8 * (uint64_t)c->capacity);
  l.total = l.slots + ttb__round64(l.stride * c->capacity);
  return l;
}

/* Makes a handle from a checked config: the only way one comes to be. */
static void open_handle(ttb_limiter *ret, void *mem, const ttb_limiter_config *c) {
  layout l = layout_of(c);
  unsigned char *base = mem;
  ttb__limiter h = {
      .tag = TTB__TAG(TTB__KIND_LIMITER),
      .kind = kinds[c->kind - 1],
      .slots = base + l.slots,
      .number = c->kind,
      .capacity = c->capacity,
      .stride = (uint32_t)l.stride,
      .row = TTB__NO_ROW,
      .keys = c->flags & TTB_LIMITER_KEYED ? (ttb__a64 *)(void *)(base + l.keys) : NULL,
      .seed = c->seed,
      .threads = c->threads,
      .region = mem,
      .table = (ttb__limiter_table *)(void *)(base + l.table),
      .rows = (ttb__rows *)(void *)(base + l.rows),
  };
  h.kind->open(&h, c);
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &h, sizeof h);
}

int32_t ttb_limiter_check(const ttb_limiter_config *config, ttb_detail *ret_detail) {
  ttb_limiter_config c;
  return ttb__limiter_config_read(config, &c, ret_detail);
}

int64_t ttb_limiter_size(const ttb_limiter_config *config) {
  ttb_limiter_config c;
  int32_t code = ttb__limiter_config_read(config, &c, NULL);
  return code < 0 ? code : (int64_t)layout_of(&c).total;
}

int32_t ttb_limiter_init(ttb_limiter *ret, void *mem, uint64_t size,
                         const ttb_limiter_config *config) {
  ttb_limiter_config c;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__limiter_config_read(config, &c, NULL);
  if (code < 0) return code;
  uint64_t total = layout_of(&c).total;
  if ((code = ttb__region_span(mem, size, total)) < 0) return code;
  ttb__region_build(mem, total, &format, &c, c.seed);
  ttb__region_ready(mem);
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_limiter_attach(ttb_limiter *ret, void *mem, uint64_t size) {
  ttb_limiter_config stored, c;
  uint64_t total;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__region_open(mem, size, &format, &stored, &total);
  if (code < 0) return code;
  if (ttb__limiter_config_read(&stored, &c, NULL) < 0 || layout_of(&c).total != total)
    return TTB_ERR_CORRUPT;
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_limiter_new(ttb_limiter *ret, const ttb_limiter_config *config,
                        const ttb_allocator *allocator) {
  ttb_allocator a;
  if (!ret) return TTB_ERR_MISUSE;
  int64_t size = ttb_limiter_size(config);
  void *mem;
  int32_t code = ttb__take(allocator, size, &a, &mem);
  if (code < 0) return code;
  code = ttb_limiter_init(ret, mem, (uint64_t)size, config);
  if (code < 0) {
    ttb__release(&a, mem, (uint64_t)size);
    return code;
  }
  ttb__limiter *l = ttb__limiter_of(ret);
  l->owned = (uint64_t)size;
  l->allocator = a;
  return TTB_OK;
}

void ttb_limiter_free(ttb_limiter *h) {
  ttb__limiter *l = ttb__limiter_of(h);
  if (!l) return;
  if (l->row != TTB__NO_ROW) ttb__limiter_leave(l);
  if (l->owned) {
    ttb_allocator a = l->allocator;
    ttb__release(&a, l->region, l->owned);
  }
  memset(h, 0, sizeof *h);
}

int64_t ttb_limiter_acquire(ttb_limiter *h, uint32_t slot, uint32_t ask, uint64_t now_ns) {
  ttb__limiter *l = ttb__limiter_of(h);
  if (!l) return TTB_ERR_MISUSE;
  if (slot >= l->capacity || ask > l->max_ask) return TTB_ERR_RANGE;
  int64_t t = l->kind->acquire(l, ttb__limiter_slot_at(l, slot), slot, ask, now_ns);
  if (t < 0) ttb__add_rlx(&l->table->refused, 1);
  return t;
}

int32_t ttb_limiter_report(ttb_limiter *h, int64_t ticket, int32_t outcome, uint64_t now_ns) {
  ttb__limiter *l = ttb__limiter_of(h);
  if (!l || ticket < 0) return TTB_ERR_MISUSE;
  ttb__ticket t = ttb__ticket_unpack(ticket);
  if (t.slot >= l->capacity || outcome < TTB_SUCCESS || outcome > TTB_SLOW_FAILURE)
    return TTB_ERR_RANGE;
  if (outcome == TTB_SLOW_FAILURE) outcome = TTB_FAILURE;
  int32_t code = l->kind->report(l, ttb__limiter_slot_at(l, t.slot), t, outcome, now_ns);
  if (code < 0) ttb__add_rlx(&l->table->stale, 1);
  return code;
}

int32_t ttb_limiter_acquire_n(ttb_limiter *h, const uint32_t *slots, const uint32_t *asks,
                              uint32_t n, uint64_t now_ns, int64_t *ret_tickets) {
  if (!ttb__limiter_of(h) || n > INT32_MAX || (n > 0 && (!slots || !ret_tickets)))
    return TTB_ERR_MISUSE;
  int32_t granted = 0;
  for (uint32_t i = 0; i < n; i++) {
    ret_tickets[i] = ttb_limiter_acquire(h, slots[i], asks ? asks[i] : 0, now_ns);
    granted += ret_tickets[i] >= 0;
  }
  return granted;
}

int32_t ttb_limiter_report_n(ttb_limiter *h, const int64_t *tickets, const int32_t *outcomes,
                             uint32_t n, uint64_t now_ns, int32_t *ret_codes) {
  if (!ttb__limiter_of(h) || n > INT32_MAX || (n > 0 && (!tickets || !outcomes)))
    return TTB_ERR_MISUSE;
  int32_t counted = 0;
  for (uint32_t i = 0; i < n; i++) {
    int32_t code = TTB_ERR_MISUSE;
    if (tickets[i] >= 0) code = ttb_limiter_report(h, tickets[i], outcomes[i], now_ns);
    if (ret_codes) ret_codes[i] = code;
    counted += code >= 0;
  }
  return counted;
}
