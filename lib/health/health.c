/* SPDX-License-Identifier: MIT */
/* A table of targets: its place in memory, its life, its batch calls.
 *
 *     region header | config | table counters | slot 0 | slot 1 | ...
 *     and if targets are ejected    | counters of that | a line a slot | ...
 *
 * I1  layout() alone knows where things are; size, init and attach ask it, and
 *     nothing it returns is ever read back from the region. */
#include "health.h"

#include <string.h>

#include "../base/fixed.h"

static const uint32_t facts[] = {sizeof(ttb__health_slot), sizeof(ttb__health_table),
                                 TTB__TIME_BITS, sizeof(ttb__outlier_slot),
                                 TTB__OUTLIER_FIELD, sizeof(ttb__outlier_table)};
static const ttb__format format = {TTB__KIND_HEALTH, &ttb__health_config_fields, facts,
                                   sizeof facts / sizeof *facts};

typedef struct layout {
  uint64_t table, slots, ejections, outliers, total;
} layout;

static layout layout_of(const ttb_health_config *c) {
  layout l;
  l.table = ttb__region_body(sizeof *c);
  l.slots = l.table + sizeof(ttb__health_table);
  l.ejections = l.slots + sizeof(ttb__health_slot) * (uint64_t)c->capacity;
  l.outliers = l.ejections + sizeof(ttb__outlier_table);
  l.total = l.outliers + sizeof(ttb__outlier_slot) * (uint64_t)c->capacity;
  if (c->eject < 0) l.total = l.ejections;
  return l;
}

static int32_t read_config(const ttb_health_config *config, ttb_health_config *ret,
                           ttb_detail *d) {
  ttb_health_config c;
  int32_t code = ttb__config_read(&ttb__health_config_fields, config, &c, -1, d);
  if (code < 0) return code;
  if (c.recover_ms == 0 && c.degraded_ms > 0) c.recover_ms = (uint32_t)c.degraded_ms;
  if (c.degraded_ms > 0 && c.recover_ms > (uint32_t)c.degraded_ms)
    return ttb__fail(d, TTB_ERR_RANGE, "recover_ms", -1, c.recover_ms, 1, c.degraded_ms);
  if ((code = ttb__health_eject_read(&c, d)) < 0) return code;
  if (c.fast_interval_ms == 0) c.fast_interval_ms = c.interval_ms;
  if (c.down_interval_ms == 0) c.down_interval_ms = c.interval_ms;
  *ret = c;
  return TTB_OK;
}

static uint64_t ns_or_never(int32_t ms) {
  return ms > 0 ? (uint64_t)ms * 1000000 : UINT64_MAX;
}

static ttb__verdict first_verdict(const ttb_health_config *c) {
  switch (c->start) {
  case TTB_HEALTH_START_UP: return (ttb__verdict){TTB_STATUS_HEALTHY, 0, 0};
  case TTB_HEALTH_START_DOWN: return (ttb__verdict){TTB_STATUS_UNHEALTHY, 1, 0};
  case TTB_HEALTH_START_FULLY_UP: return (ttb__verdict){TTB_STATUS_HEALTHY, 0, c->rise};
  case TTB_HEALTH_START_FULLY_DOWN: return (ttb__verdict){TTB_STATUS_UNHEALTHY, 1, c->fall};
  default: return (ttb__verdict){TTB_STATUS_UNKNOWN, 0, 0};
  }
}

/* How many failures in a row a full row of traffic errors counts for. */
static uint32_t passive_failures(const ttb_health_config *c) {
  switch (c->passive_action) {
  case TTB_HEALTH_SUDDEN_DEATH: return c->fall > 1 ? c->fall - 1 : 1;
  case TTB_HEALTH_MARK_DOWN: return c->fall;
  default: return 1;
  }
}

/* Makes a handle from a checked config: the only way one comes to be. */
static void open_handle(ttb_health *ret, void *mem, const ttb_health_config *c) {
  layout l = layout_of(c);
  unsigned char *base = mem;
  ttb__health t = {
      .tag = TTB__TAG(TTB__KIND_HEALTH),
      .slots = (ttb__health_slot *)(void *)(base + l.slots),
      .region = mem,
      .table = (ttb__health_table *)(void *)(base + l.table),
      .degraded_ns = ns_or_never(c->degraded_ms),
      .recover_ns = c->degraded_ms > 0 ? (uint64_t)c->recover_ms * 1000000 : UINT64_MAX,
      .fail_ns = ns_or_never(c->fail_ms),
      .half_life_inverse = ttb__half_life(c->half_life_ms),
      .seed = c->seed,
      .thresholds = {c->rise, c->fall,
                     c->degrade_after > 0 ? (uint32_t)c->degrade_after : UINT32_MAX},
      .capacity = c->capacity,
      .ttl_ms = c->ttl_ms > 0 ? (uint32_t)c->ttl_ms : 0,
      .max_pause_ms = c->max_pause_ms > 0 ? (uint32_t)c->max_pause_ms : 0,
      .interval_ms = {c->interval_ms, c->fast_interval_ms, c->down_interval_ms},
      .lease_ms = c->lease_ms,
      .passive_errors = c->passive_errors > 0 ? (uint32_t)c->passive_errors : 0,
      .passive_failures = passive_failures(c),
      .start = first_verdict(c),
  };
  t.steady = ttb__target(0, 1, (ttb__verdict){TTB_STATUS_HEALTHY, 0, c->rise}, 0);
  t.steady_ms = t.ttl_ms ? t.ttl_ms : TTB__TIME_MASK / 2;
  t.quick_ns = t.degraded_ns < t.fail_ns ? t.degraded_ns : t.fail_ns;
  ttb__outlier_open(&t.outlier, c);
  if (c->eject > 0) {
    t.ejections = (ttb__outlier_table *)(void *)(base + l.ejections);
    t.outliers = (ttb__outlier_slot *)(void *)(base + l.outliers);
  }
  for (int i = 0; i < 3; i++) {
    uint64_t ppm = c->jitter_ppm > 0 ? (uint64_t)c->jitter_ppm : 0;
    t.spread_ms[i] = (uint32_t)(t.interval_ms[i] * ppm / 1000000);
  }
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &t, sizeof t);
}

int32_t ttb_health_check(const ttb_health_config *config, ttb_detail *ret_detail) {
  ttb_health_config c;
  return read_config(config, &c, ret_detail);
}

int64_t ttb_health_size(const ttb_health_config *config) {
  ttb_health_config c;
  int32_t code = read_config(config, &c, NULL);
  return code < 0 ? code : (int64_t)layout_of(&c).total;
}

int32_t ttb_health_init(ttb_health *ret, void *mem, uint64_t size,
                        const ttb_health_config *config) {
  ttb_health_config c;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = read_config(config, &c, NULL);
  if (code < 0) return code;
  uint64_t total = layout_of(&c).total;
  if ((code = ttb__region_span(mem, size, total)) < 0) return code;
  ttb__region_build(mem, total, &format, &c, c.seed);

  ttb_health made;
  open_handle(&made, mem, &c);
  ttb__health *t = ttb__health_of(&made);
  uint32_t enabled = (c.flags & TTB_HEALTH_DISABLED) == 0;
  ttb__verdict v = enabled ? t->start : (ttb__verdict){TTB_STATUS_UNKNOWN, 0, 0};
  for (uint32_t i = 0; i < c.capacity; i++) {
    ttb__health_slot *s = &t->slots[i];
    ttb__store_rlx(&s->state, ttb__target(0, enabled, v, TTB__CLOCK_START));
    if (v.row > 0) ttb__store_rlx(&s->ask, ttb__ask(0, TTB__WANTED, TTB__CLOCK_START));
    ttb__store_rlx(&s->since, ttb__since(0, v.level, TTB_HEALTH_BY_NOTHING, TTB__CLOCK_START));
  }
  if (t->outliers) ttb__room_count(t);
  ttb__region_ready(mem);
  *ret = made;
  return TTB_OK;
}

int32_t ttb_health_attach(ttb_health *ret, void *mem, uint64_t size) {
  ttb_health_config stored, c;
  uint64_t total;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__region_open(mem, size, &format, &stored, &total);
  if (code < 0) return code;
  if (read_config(&stored, &c, NULL) < 0 || layout_of(&c).total != total) return TTB_ERR_CORRUPT;
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_health_new(ttb_health *ret, const ttb_health_config *config,
                       const ttb_allocator *allocator) {
  ttb_allocator a;
  if (!ret) return TTB_ERR_MISUSE;
  int64_t size = ttb_health_size(config);
  void *mem;
  int32_t code = ttb__take(allocator, size, &a, &mem);
  if (code < 0) return code;
  code = ttb_health_init(ret, mem, (uint64_t)size, config);
  if (code < 0) {
    ttb__release(&a, mem, (uint64_t)size);
    return code;
  }
  ttb__health *t = ttb__health_of(ret);
  t->owned = (uint64_t)size;
  t->allocator = a;
  return TTB_OK;
}

void ttb_health_free(ttb_health *h) {
  ttb__health *t = ttb__health_of(h);
  if (!t) return;
  if (t->owned) {
    ttb_allocator a = t->allocator;
    ttb__release(&a, t->region, t->owned);
  }
  memset(h, 0, sizeof *h);
}

int32_t ttb_health_report_n(ttb_health *h, const uint32_t *slots, const int32_t *outcomes,
                            const uint64_t *latency_ns, uint32_t n, uint64_t now_ns,
                            int32_t *ret_codes) {
  if (!ttb__health_of(h) || n > INT32_MAX || (n > 0 && (!slots || !outcomes)))
    return TTB_ERR_MISUSE;
  int32_t taken = 0;
  for (uint32_t i = 0; i < n; i++) {
    int32_t code =
        ttb_health_report(h, slots[i], outcomes[i], latency_ns ? latency_ns[i] : 0, now_ns);
    if (ret_codes) ret_codes[i] = code;
    taken += code >= 0;
  }
  return taken;
}

int32_t ttb_health_status_n(const ttb_health *h, const uint32_t *slots, uint32_t n,
                            uint64_t now_ns, int32_t *ret_status) {
  if (!ttb__health_of(h) || n > INT32_MAX || (n > 0 && !ret_status)) return TTB_ERR_MISUSE;
  int32_t up = 0;
  for (uint32_t i = 0; i < n; i++) {
    ret_status[i] = ttb_health_status(h, slots ? slots[i] : i, now_ns);
    up += ret_status[i] == TTB_STATUS_HEALTHY || ret_status[i] == TTB_STATUS_DEGRADED;
  }
  return up;
}
