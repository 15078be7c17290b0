/* SPDX-License-Identifier: MIT */
/* A table of breakers: its place in memory, its life, its batch calls.
 *
 *     region header | config | table counters | rows | keys | receipts | slot 0 | slot 1 | ...
 *
 * I1  layout() alone knows where things are; size, init and attach ask it, and
 *     nothing it returns is ever read back from the region. */
#include "breaker.h"

#include <string.h>

#include "average.h"
#include "receipts.h"
#include "rules.h"

static const uint32_t facts[] = {sizeof(ttb__breaker_slot), sizeof(ttb__breaker_table),
                                 TTB__BREAKER_INLINE_PROBES, TTB__BUCKETS, TTB__COUNT_BITS,
                                 TTB__ROW_BITS, TTB__BITS_BY_TIME};
static const ttb__format format = {TTB__KIND_BREAKER, &ttb__breaker_config_fields, facts,
                                   sizeof facts / sizeof *facts};

typedef struct layout {
  uint64_t table, rows, keys, receipts, slots, total;
  uint32_t stride, extra, window, planes; /* of a slot */
} layout;

static bool has(const ttb_breaker_config *c, uint32_t flag) { return (c->flags & flag) != 0; }

/* Whether a rule (or who asks for details) needs the window. */
static bool has_window(const ttb_breaker_config *c) {
  return c->failure_rate_ppm > 0 || c->slow_rate_ppm > 0 ||
         (c->average_success_ppm > 0 && c->average_calls < 0);
}

/* Whether open times differ from each other. */
static bool grows(const ttb_breaker_config *c) {
  return c->open_growth_ppm > 1000000 || c->open_steps > 0;
}

static layout layout_of(const ttb_breaker_config *c) {
  layout l;
  uint64_t head = sizeof(ttb__breaker_slot) + 8 * (uint64_t)c->half_open_probes;
  bool slow = c->slow_rate_ppm > 0, detailed = has(c, TTB_BREAKER_DETAILED);
  l.extra = (uint32_t)ttb__round64(head);
  l.window = l.extra + (detailed || c->average_success_ppm > 0 ? 64 : 0);
  l.planes = detailed ? 4 : slow ? 1 : 0;
  l.stride = l.window;
  if (has_window(c) && c->window_calls > 0) {
    uint32_t words = ttb__last_words((uint32_t)c->window_calls);
    uint32_t bytes = 8 * (1 + words * (slow || detailed ? 2u : 1u)) + (detailed ? 128 * words : 0);
    l.stride += (uint32_t)ttb__round64(bytes);
  } else if (has_window(c)) {
    l.stride += 8 * TTB__BUCKETS * (c->stripes + l.planes);
  }
  l.table = ttb__region_body(sizeof *c);
  l.rows = l.table + sizeof(ttb__breaker_table);
  l.keys = l.rows + ttb__round64(TTB__ROWS_BYTES(c->threads));
  l.receipts = l.keys + (c->key_idle_ms > 0 ? ttb__keys_bytes(c->capacity) : 0);
  l.slots = l.receipts;
  if (has(c, TTB_BREAKER_CHECK_TICKETS))
    l.slots += ttb__receipts_stride(c->tickets) * (c->threads + 1);
  l.total = l.slots + (uint64_t)l.stride * c->capacity;
  return l;
}

static uint32_t rules_of(const ttb_breaker_config *c) {
  return (c->consecutive > 0 ? TTB__RULE_ROW : 0) |
         (c->failure_rate_ppm > 0 ? TTB__RULE_FAILURES : 0) |
         (c->slow_rate_ppm > 0 ? TTB__RULE_SLOW : 0) | (c->cusum_bad_ppm > 0 ? TTB__RULE_SUM : 0) |
         (c->average_success_ppm > 0 ? TTB__RULE_AVERAGE : 0);
}

static uint8_t heard(const ttb_breaker_config *c, int32_t outcome) {
  return (uint8_t)ttb__breaker_heard(rules_of(c), c->flags, outcome);
}

/* The outcomes after which more is done than counting a success. */
static uint32_t judged(const ttb_breaker_config *c) {
  uint32_t bits = 1u << TTB_FAILURE | 1u << TTB_SLOW_FAILURE;
  bool more = has(c, TTB_BREAKER_FIXED_WINDOW | TTB_BREAKER_DETAILED);
  bool all = more || c->window_calls > 0 || c->average_success_ppm > 0;
  if (heard(c, TTB_SUCCESS) || all) bits |= 1u << TTB_SUCCESS;
  if (heard(c, TTB_SLOW) || all) bits |= 1u << TTB_SLOW;
  return more ? bits | 1u << TTB_IGNORED : bits;
}

/* What may be off, as a number: 0 then. */
static uint32_t or_0(int32_t v) { return v > 0 ? (uint32_t)v : 0; }

static int32_t read_config(const ttb_breaker_config *config, ttb_breaker_config *ret,
                           ttb_detail *d) {
  int32_t code = ttb__config_read(&ttb__breaker_config_fields, config, ret, -1, d);
  if (code < 0) return code;
  if (rules_of(ret) == 0)
    return ttb__fail(d, TTB_ERR_RANGE, "failure_rate_ppm", -1, TTB_OFF, 1, 1000000);
  ttb__cusum sum;
  if (ret->cusum_bad_ppm > 0 &&
      ttb__cusum_plan(ret->cusum_healthy_ppm, ret->cusum_bad_ppm, ret->cusum_calls, &sum) < 0)
    return ttb__fail(d, TTB_ERR_RANGE, "cusum_bad_ppm", -1, ret->cusum_bad_ppm,
                     (int64_t)ret->cusum_healthy_ppm + 1, 990000);
  if (ret->stripes & (ret->stripes - 1))
    return ttb__fail(d, TTB_ERR_RANGE, "stripes", -1, ret->stripes, 1, 64);
  if (ret->tickets & (ret->tickets - 1))
    return ttb__fail(d, TTB_ERR_RANGE, "tickets", -1, ret->tickets, 16, 2048);
  bool fixed = has(ret, TTB_BREAKER_FIXED_WINDOW);
  if (fixed && (ret->ramp_ms > 0 || ret->window_calls > 0 || !has_window(ret)))
    return ttb__fail(d, TTB_ERR_RANGE, "flags", -1, ret->flags, 0,
                     ret->flags & ~TTB_BREAKER_FIXED_WINDOW);
  /* The state has room for one time: of closing, or of the window's beginning. */
  if (fixed && grows(ret) && ret->open_decay_ms > (int64_t)ret->window_ms)
    return ttb__fail(d, TTB_ERR_RANGE, "open_decay_ms", -1, ret->open_decay_ms, 1, ret->window_ms);
  if (ret->average_success_ppm > 0 && ret->average_calls < 0 && (ret->window_calls > 0 || fixed))
    return ttb__fail(d, TTB_ERR_RANGE, "average_calls", -1, TTB_OFF, 1, TTB__AVERAGE_CALLS_MAX);
  if (grows(ret) && ret->open_max_ms < ret->open_ms)
    return ttb__fail(d, TTB_ERR_RANGE, "open_max_ms", -1, ret->open_max_ms, ret->open_ms, 3600000);
  return TTB_OK;
}

/* Makes a handle from a checked config: the only way one comes to be. */
static void open_handle(ttb_breaker *ret, void *mem, const ttb_breaker_config *c) {
  layout l = layout_of(c);
  uint32_t rules = rules_of(c);
  ttb__cusum sum = {0, 0, 0, 0};
  if (rules & TTB__RULE_SUM)
    (void)ttb__cusum_plan(c->cusum_healthy_ppm, c->cusum_bad_ppm, c->cusum_calls, &sum);
  bool window = has_window(c), last = window && c->window_calls > 0;
  bool by_time = rules & TTB__RULE_AVERAGE && c->average_calls < 0;
  uint32_t last_calls = last ? (uint32_t)c->window_calls : 0;
  /* A fixed window keeps all of its calls: buckets for twice its length. */
  uint32_t window_ms = has(c, TTB_BREAKER_FIXED_WINDOW) ? 2 * c->window_ms : c->window_ms;
  unsigned char *base = mem;
  ttb__breaker b = {
      .tag = TTB__TAG(TTB__KIND_BREAKER),
      .slots = base + l.slots,
      .capacity = c->capacity,
      .stride = l.stride,
      .window_inverse = window && !last ? ttb__window_inverse(window_ms) : 0,
      .window_at = l.window,
      .stripes = c->stripes,
      .consecutive = c->consecutive,
      .failure_rate_ppm = c->failure_rate_ppm,
      .min_calls = last && c->min_calls > last_calls ? last_calls : c->min_calls,
      .lease_ms = c->lease_ms,
      .probes = c->half_open_probes,
      .successes = c->half_open_successes,
      .judged = judged(c),
      .plain = (1u << TTB_SUCCESS | 1u << TTB_SLOW) & ~judged(c),
      .heard = {heard(c, TTB_SUCCESS), heard(c, TTB_FAILURE), heard(c, TTB_SLOW), 0, 0,
                heard(c, TTB_SLOW_FAILURE)},
      .rules = rules,
      .flags = c->flags,
      .rate_above = (c->flags & TTB_BREAKER_RATE_ABOVE) != 0,
      .streak = rules & TTB__RULES_OF_STREAK || has(c, TTB_BREAKER_DETAILED),
      .strike_row = c->consecutive > 0 || has(c, TTB_BREAKER_DETAILED),
      .sum_up = sum.up,
      .sum_down = sum.down,
      .sum_limit = sum.limit,
      .slow_rate_ppm = c->slow_rate_ppm,
      .last_calls = last_calls,
      .last_words = ttb__last_words(last_calls),
      .half_calls = or_0(c->half_open_calls),
      .half_rate_ppm = c->half_open_rate_ppm,
      .open_ms = c->open_ms,
      .open_growth_ppm = (uint32_t)c->open_growth_ppm,
      .open_max_ms = grows(c) ? c->open_max_ms : c->open_ms,
      .open_steps = c->open_steps > 0 ? (uint32_t)c->open_steps : UINT32_MAX,
      .open_jitter_ppm = or_0(c->open_jitter_ppm),
      .open_decay_ms = or_0(c->open_decay_ms),
      .ramp_ms = or_0(c->ramp_ms),
      .ramp_start_ppm = (uint32_t)c->ramp_start_ppm,
      .seed = c->seed,
      .row = TTB__NO_ROW,
      .tickets = has(c, TTB_BREAKER_CHECK_TICKETS) ? c->tickets : 0,
      .extra_at = l.extra,
      .planes = l.planes,
      .window_ms = c->window_ms,
      .slow_ms = or_0(c->slow_ms),
      .average_calls = or_0(c->average_calls),
      .average_success_ppm = or_0(c->average_success_ppm),
      .average_keep = c->average_calls > 0 ? ttb__exp_neg(1, (uint64_t)c->average_calls) : 0,
      .average_inverse = by_time ? ttb__window_inverse(c->window_ms) : 0,
      .receipts = base + l.receipts,
      .threads = c->threads,
      .region = mem,
      .table = (ttb__breaker_table *)(void *)(base + l.table),
      .rows = (ttb__rows *)(void *)(base + l.rows),
  };
  if (c->key_idle_ms > 0)
    b.keys = ttb__keys_at(base + l.keys, c->capacity, (uint32_t)c->key_idle_ms);
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &b, sizeof b);
}

/* Breakers that begin with a time: that of the first call there will be. */
static void begin(const ttb__breaker *b) {
  uint64_t as_new = ttb__breaker_closed(b, 0, TTB__CLOCK_START);
  if (as_new == 0) return;
  for (uint32_t i = 0; i < b->capacity; i++)
    ttb__store_rlx(&ttb__breaker_slot_at(b, i)->state, as_new);
}

int32_t ttb_breaker_check(const ttb_breaker_config *config, ttb_detail *ret_detail) {
  ttb_breaker_config c;
  return read_config(config, &c, ret_detail);
}

int64_t ttb_breaker_size(const ttb_breaker_config *config) {
  ttb_breaker_config c;
  int32_t code = read_config(config, &c, NULL);
  return code < 0 ? code : (int64_t)layout_of(&c).total;
}

int32_t ttb_breaker_init(ttb_breaker *ret, void *mem, uint64_t size,
                         const ttb_breaker_config *config) {
  ttb_breaker_config c;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = read_config(config, &c, NULL);
  if (code < 0) return code;
  uint64_t total = layout_of(&c).total;
  if ((code = ttb__region_span(mem, size, total)) < 0) return code;
  ttb__region_build(mem, total, &format, &c, c.seed);
  open_handle(ret, mem, &c);
  begin(ttb__breaker_of(ret));
  ttb__region_ready(mem);
  return TTB_OK;
}

int32_t ttb_breaker_attach(ttb_breaker *ret, void *mem, uint64_t size) {
  ttb_breaker_config stored, c;
  uint64_t total;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__region_open(mem, size, &format, &stored, &total);
  if (code < 0) return code;
  if (read_config(&stored, &c, NULL) < 0 || layout_of(&c).total != total) return TTB_ERR_CORRUPT;
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_breaker_new(ttb_breaker *ret, const ttb_breaker_config *config,
                        const ttb_allocator *allocator) {
  ttb_allocator a;
  if (!ret) return TTB_ERR_MISUSE;
  int64_t size = ttb_breaker_size(config);
  void *mem;
  int32_t code = ttb__take(allocator, size, &a, &mem);
  if (code < 0) return code;
  code = ttb_breaker_init(ret, mem, (uint64_t)size, config);
  if (code < 0) {
    ttb__release(&a, mem, (uint64_t)size);
    return code;
  }
  ttb__breaker *b = ttb__breaker_of(ret);
  b->owned = (uint64_t)size;
  b->allocator = a;
  return TTB_OK;
}

void ttb_breaker_free(ttb_breaker *h) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (!b) return;
  if (b->row != TTB__NO_ROW) ttb__breaker_leave(b);
  if (b->owned) {
    ttb_allocator a = b->allocator;
    ttb__release(&a, b->region, b->owned);
  }
  memset(h, 0, sizeof *h);
}

int32_t ttb_breaker_acquire_n(ttb_breaker *h, const uint32_t *slots, uint32_t n, uint64_t now_ns,
                              int64_t *ret_tickets) {
  if (!ttb__breaker_of(h) || n > INT32_MAX || (n > 0 && (!slots || !ret_tickets)))
    return TTB_ERR_MISUSE;
  int32_t granted = 0;
  for (uint32_t i = 0; i < n; i++) {
    ret_tickets[i] = ttb_breaker_acquire(h, slots[i], now_ns);
    granted += ret_tickets[i] >= 0;
  }
  return granted;
}

int32_t ttb_breaker_report_n(ttb_breaker *h, const int64_t *tickets, const int32_t *outcomes,
                             uint32_t n, uint64_t now_ns, int32_t *ret_codes) {
  if (!ttb__breaker_of(h) || n > INT32_MAX || (n > 0 && (!tickets || !outcomes)))
    return TTB_ERR_MISUSE;
  int32_t counted = 0;
  for (uint32_t i = 0; i < n; i++) {
    int32_t code = TTB_ERR_MISUSE;
    if (tickets[i] >= 0) code = ttb_breaker_report(h, tickets[i], outcomes[i], now_ns);
    if (ret_codes) ret_codes[i] = code;
    counted += code >= 0;
  }
  return counted;
}

int32_t ttb_breaker_statistics(const ttb_breaker *h, ttb_breaker_stats *ret) {
  const ttb__breaker *b = ttb__breaker_of(h);
  if (!b || !ret) return TTB_ERR_MISUSE;
  ttb_breaker_stats s = {.capacity = b->capacity};
  for (uint32_t i = 0; i < b->threads; i++)
    s.joined += ttb__row_state(ttb__load_rlx(&b->rows->row[i])) == TTB__ROW_LIVE;
  s.refused = ttb__load_rlx(&b->table->refused);
  s.stale = ttb__load_rlx(&b->table->stale);
  s.clock_adoptions = ttb__load_rlx(&b->region->clock.adoptions);
  return ttb__struct_write(&ttb__breaker_stats_fields, &s, ret);
}
