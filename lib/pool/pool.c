/* SPDX-License-Identifier: MIT */
/* A pool's place in memory and its life. See pool.h.
 *
 * I1  layout() alone knows where the pool's own parts are. The objects follow
 *     one another, each checked by its own attach; the length of one is taken
 *     from its header only after that, and never beyond what is mapped. */
#include "pool.h"

#include <string.h>

static const uint32_t facts[] = {sizeof(ttb__pool_settings), sizeof(ttb__pool_table),
                                 sizeof(ttb__ring), sizeof(ttb__ring_record), TTB__POOL_UNIT};
static const ttb__format format = {TTB__KIND_POOL, &ttb__pool_settings_fields, facts,
                                   sizeof facts / sizeof *facts};

typedef struct layout {
  uint64_t table, weights, ring, objects;
  uint32_t shift;
} layout;

static layout layout_of(const ttb__pool_settings *c) {
  layout l = {.shift = 4};
  while (UINT32_C(1) << l.shift < c->events) l.shift++;
  l.table = ttb__region_body(sizeof *c);
  l.weights = l.table + sizeof(ttb__pool_table);
  l.ring = l.weights + ttb__round64(8 * (uint64_t)c->capacity);
  l.objects = l.ring + TTB__RING_BYTES(l.shift);
  return l;
}

static uint64_t total_of(const ttb__pool_parts *p) {
  uint64_t total = layout_of(&p->settings).objects + (uint64_t)ttb_balancer_size(&p->balancer) +
                   (uint64_t)ttb_breaker_size(&p->breaker) + (uint64_t)ttb_health_size(&p->health);
  for (uint32_t i = 0; i < p->n_limits; i++) total += (uint64_t)ttb_limiter_size(&p->limits[i]);
  return total;
}

/* The pool's own half of a handle. */
static ttb__pool handle_of(void *mem, const ttb__pool_settings *c) {
  layout l = layout_of(c);
  unsigned char *base = mem;
  return (ttb__pool){
      .tag = TTB__TAG(TTB__KIND_POOL),
      .capacity = c->capacity,
      .shift = l.shift,
      .probing = c->probing,
      .degraded_weight_ppm = c->degraded_weight_ppm,
      .table = (ttb__pool_table *)(void *)(base + l.table),
      .weights = (ttb__a64 *)(void *)(base + l.weights),
      .ring = (ttb__ring *)(void *)(base + l.ring),
      .region = mem,
  };
}

static void give_handle(ttb_pool *ret, const ttb__pool *p) {
  memset(ret, 0, sizeof *ret);
  memcpy(ret, p, sizeof *p);
}

int64_t ttb_pool_size(const ttb_pool_config *config) {
  ttb__pool_parts parts;
  int32_t code = ttb__pool_config_read(config, &parts, NULL);
  return code < 0 ? code : (int64_t)total_of(&parts);
}

int32_t ttb_pool_init(ttb_pool *ret, void *mem, uint64_t size, const ttb_pool_config *config) {
  ttb__pool_parts parts;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__pool_config_read(config, &parts, NULL);
  if (code < 0) return code;
  uint64_t total = total_of(&parts);
  if ((code = ttb__region_span(mem, size, total)) < 0) return code;

  ttb__region_build(mem, total, &format, &parts.settings, parts.settings.seed);
  ttb__pool p = handle_of(mem, &parts.settings);
  unsigned char *at = (unsigned char *)mem + layout_of(&parts.settings).objects;
  uint64_t n = (uint64_t)ttb_balancer_size(&parts.balancer);
  if ((code = ttb_balancer_init(&p.balancer, at, n, &parts.balancer)) < 0) return code;
  at += n;
  n = (uint64_t)ttb_breaker_size(&parts.breaker);
  if ((code = ttb_breaker_init(&p.breaker, at, n, &parts.breaker)) < 0) return code;
  at += n;
  n = (uint64_t)ttb_health_size(&parts.health);
  if ((code = ttb_health_init(&p.health, at, n, &parts.health)) < 0) return code;
  for (; p.n_limits < parts.n_limits; p.n_limits++) {
    at += n;
    n = (uint64_t)ttb_limiter_size(&parts.limits[p.n_limits]);
    code = ttb_limiter_init(&p.limits[p.n_limits], at, n, &parts.limits[p.n_limits]);
    if (code < 0) return code;
  }
  ttb__pool_limits_open(&p);
  ttb__region_ready(mem);
  give_handle(ret, &p);
  return TTB_OK;
}

/* Steps over the object at *at, whose attach has succeeded. */
static bool step(unsigned char **at, uint64_t *left) {
  uint64_t n = ((const ttb__region *)(const void *)*at)->size;
  if (n > *left || n % TTB_ALIGN != 0) return false;
  *at += n;
  *left -= n;
  return true;
}

int32_t ttb_pool_attach(ttb_pool *ret, void *mem, uint64_t size) {
  ttb__pool_settings c;
  uint64_t total;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__region_open(mem, size, &format, &c, &total);
  if (code < 0) return code;
  layout l = layout_of(&c);
  if ((c.events & (c.events - 1)) != 0 || l.objects >= total) return TTB_ERR_CORRUPT;

  ttb__pool p = handle_of(mem, &c);
  unsigned char *at = (unsigned char *)mem + l.objects;
  uint64_t left = total - l.objects;
  if ((code = ttb_balancer_attach(&p.balancer, at, left)) < 0 || !step(&at, &left) ||
      (code = ttb_breaker_attach(&p.breaker, at, left)) < 0 || !step(&at, &left) ||
      (code = ttb_health_attach(&p.health, at, left)) < 0 || !step(&at, &left))
    return code == TTB_ERR_VERSION ? code : TTB_ERR_CORRUPT;
  for (; left > 0; p.n_limits++) {
    if (p.n_limits == TTB_POOL_MAX_LIMITS) return TTB_ERR_CORRUPT;
    ttb_limiter *limit = &p.limits[p.n_limits];
    if ((code = ttb_limiter_attach(limit, at, left)) < 0 || !step(&at, &left))
      return code == TTB_ERR_VERSION ? code : TTB_ERR_CORRUPT;
    if (ttb__limiter_of(limit)->capacity != 1 || ttb__limiter_of(limit)->threads != c.threads)
      return TTB_ERR_CORRUPT;
  }
  ttb__pool_limits_open(&p);
  ttb_breaker_stats bs = TTB_CONFIG(ttb_breaker_stats);
  ttb_health_stats hs = TTB_CONFIG(ttb_health_stats);
  if (ttb_breaker_statistics(&p.breaker, &bs) < 0 || bs.capacity != c.capacity ||
      ttb_health_statistics(&p.health, 0, &hs) < 0 || hs.capacity != c.capacity ||
      ttb__balancer_of(&p.balancer)->capacity != c.capacity ||
      ttb__balancer_of(&p.balancer)->threads != c.threads)
    return TTB_ERR_CORRUPT;
  /* Rings that checked tickets need there are but for one row. */
  if (ttb__breaker_of(&p.breaker)->tickets > 0) return TTB_ERR_CORRUPT;
  give_handle(ret, &p);
  return TTB_OK;
}

int32_t ttb_pool_new(ttb_pool *ret, const ttb_pool_config *config, const ttb_allocator *allocator) {
  ttb_allocator a;
  if (!ret) return TTB_ERR_MISUSE;
  int64_t size = ttb_pool_size(config);
  void *mem;
  int32_t code = ttb__take(allocator, size, &a, &mem);
  if (code < 0) return code;
  code = ttb_pool_init(ret, mem, (uint64_t)size, config);
  if (code < 0) {
    ttb__release(&a, mem, (uint64_t)size);
    return code;
  }
  ttb__pool *p = ttb__pool_of(ret);
  p->owned = (uint64_t)size;
  p->allocator = a;
  return TTB_OK;
}

/* ---- joined threads ---- */

/* What of a row is not the balancer's: the breaker's probes, the limits' permits,
 * the ring's records. */
static void clean_row(void *ctx, uint32_t row) {
  ttb__pool *p = ctx;
  ttb__breaker_give_all(ttb__breaker_of(&p->breaker), row);
  for (uint32_t i = 0; i < p->n_limits; i++)
    ttb__limiter_give_all(ttb__limiter_of(&p->limits[i]), row);
  ttb__ring_recover(p->ring, p->shift, row);
}

void ttb_pool_free(ttb_pool *h) {
  ttb__pool *p = ttb__pool_of(h);
  if (!p) return;
  if (ttb__pool_joined(h)) ttb__balancer_leave(ttb__balancer_of(&p->balancer), clean_row, p);
  if (p->owned) {
    ttb_allocator a = p->allocator;
    ttb__release(&a, p->region, p->owned);
  }
  memset(h, 0, sizeof *h);
}

int32_t ttb_pool_join(const ttb_pool *shared, uint64_t token, ttb_pool *ret) {
  const ttb__pool *p = ttb__pool_of(shared);
  if (!p || !ret || ret == shared) return TTB_ERR_MISUSE;
  ttb__pool joined = *p;
  joined.owned = 0;
  int32_t code = ttb_balancer_join(&p->balancer, token, &joined.balancer);
  if (code < 0) return code;
  ttb__breaker_of(&joined.breaker)->row = ttb__pool_row(&joined);
  for (uint32_t i = 0; i < joined.n_limits; i++)
    ttb__limiter_use_row(ttb__limiter_of(&joined.limits[i]),
                         ttb__balancer_of(&joined.balancer)->mine);
  give_handle(ret, &joined);
  return TTB_OK;
}

int32_t ttb_pool_recover(ttb_pool *h, uint64_t token, uint64_t now_ns) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p) return TTB_ERR_MISUSE;
  int32_t freed = ttb__balancer_recover(ttb__balancer_of(&p->balancer), token, clean_row, p);
  if (freed > 0) ttb__pool_event(p, TTB_POOL_RECOVERED, 0, token, freed, now_ns);
  return freed;
}

/* ---- endpoints ---- */

static int32_t endpoint_of(const ttb_endpoint *given, ttb_endpoint *ret) {
  int32_t code = ttb_balancer_endpoint_check(given, NULL);
  if (code < 0) return code;
  (void)ttb__config_read(&ttb__endpoint_fields, given, ret, -1, NULL);
  return ret->weight > TTB_POOL_MAX_WEIGHT ? TTB_ERR_RANGE : TTB_OK;
}

/* What follows from an endpoint that came, left, or was given another weight: all
 * of it again in the next tick, if a kill cuts it short. */
static void came(ttb__pool *p, uint32_t slot, uint64_t id, uint32_t weight, uint64_t now_ns) {
  ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
  if (ttb_balancer_inspect(&p->balancer, slot, &i) == TTB_OK)
    ttb__pool_keep_weight(p, &i, weight);
  (void)ttb_breaker_set(&p->breaker, slot, TTB_BREAKER_CLOSED, now_ns);
  ttb__pool_derive_breaker(p, slot, now_ns); /* somebody may have met its predecessor's */
  (void)ttb_health_enable(&p->health, slot, now_ns);
  ttb__pool_event(p, TTB_POOL_ADDED, slot, id, (int64_t)weight, now_ns);
}
static void left(ttb__pool *p, uint32_t slot, uint64_t id, uint64_t now_ns) {
  /* Closed for the next one: nobody who meets the newcomer early is refused. */
  (void)ttb_breaker_set(&p->breaker, slot, TTB_BREAKER_CLOSED, now_ns);
  (void)ttb_health_disable(&p->health, slot, now_ns);
  ttb__pool_event(p, TTB_POOL_REMOVED, slot, id, 0, now_ns);
}

int32_t ttb_pool_add(ttb_pool *h, const ttb_endpoint *endpoint, uint64_t now_ns) {
  ttb__pool *p = ttb__pool_joined(h);
  ttb_endpoint e;
  if (!p) return TTB_ERR_MISUSE;
  int32_t slot = endpoint_of(endpoint, &e);
  if (slot < 0) return slot;
  uint32_t weight = e.weight;
  e.weight *= TTB__POOL_UNIT;
  if ((slot = ttb_balancer_add(&p->balancer, &e)) < 0) return slot;
  came(p, (uint32_t)slot, e.id, weight, now_ns);
  return slot;
}

int32_t ttb_pool_remove(ttb_pool *h, uint64_t id, uint64_t now_ns) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p) return TTB_ERR_MISUSE;
  int32_t slot = ttb_balancer_find(&p->balancer, id);
  if (slot < 0) return slot;
  int32_t code = ttb_balancer_remove(&p->balancer, id);
  if (code < 0) return code;
  left(p, (uint32_t)slot, id, now_ns);
  return TTB_OK;
}

typedef struct update {
  ttb__pool *pool;
  uint64_t now_ns;
} update;

static void tell(void *ctx, int32_t what, uint32_t slot, uint64_t id, uint32_t weight) {
  const update *u = ctx;
  ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
  if (what == TTB__CAME)
    came(u->pool, slot, id, weight, u->now_ns);
  else if (what == TTB__LEFT)
    left(u->pool, slot, id, u->now_ns);
  else if (ttb_balancer_inspect(&u->pool->balancer, slot, &i) == TTB_OK)
    ttb__pool_keep_weight(u->pool, &i, weight);
}

int32_t ttb_pool_update(ttb_pool *h, const ttb_endpoint *endpoints, uint32_t n, uint64_t now_ns,
                        ttb_detail *ret_detail) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p) return ttb__fail(ret_detail, TTB_ERR_MISUSE, "joined", -1, 0, 0, 0);
  update u = {p, now_ns};
  const ttb__update by = {TTB__POOL_UNIT, TTB_POOL_MAX_WEIGHT, &u, tell};
  return ttb__balancer_update(&p->balancer, endpoints, n, &by, ret_detail);
}

int32_t ttb_pool_drain(ttb_pool *h, uint64_t id, int32_t on, uint64_t now_ns) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p) return TTB_ERR_MISUSE;
  int32_t slot = ttb_balancer_find(&p->balancer, id);
  if (slot < 0) return slot;
  bool marked = ttb__pool_mark(p, (uint32_t)slot, TTB_CAUSE_DRAIN, on != 0, now_ns);
  if (ttb_balancer_find(&p->balancer, id) == slot) return TTB_OK;
  /* It left meanwhile, and its slot may have a new owner that is not meant. */
  if (marked && on) (void)ttb__pool_mark(p, (uint32_t)slot, TTB_CAUSE_DRAIN, false, now_ns);
  return TTB_ERR_UNKNOWN_ID;
}

int32_t ttb_pool_set_weight(ttb_pool *h, uint64_t id, uint32_t weight) {
  ttb__pool *p = ttb__pool_joined(h);
  if (!p) return TTB_ERR_MISUSE;
  if (weight > TTB_POOL_MAX_WEIGHT) return TTB_ERR_RANGE;
  int32_t slot = ttb_balancer_find(&p->balancer, id);
  if (slot < 0) return slot;
  ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
  if (ttb_balancer_inspect(&p->balancer, (uint32_t)slot, &i) < 0) return TTB_ERR_UNKNOWN_ID;
  /* Until the next tick a degraded one has its whole weight. */
  int32_t code = ttb_balancer_set_weight(&p->balancer, id, weight * TTB__POOL_UNIT);
  /* Kept after it: cut short in between, the next tick takes it back. */
  if (code == TTB_OK) ttb__pool_keep_weight(p, &i, weight);
  return code;
}

int32_t ttb_pool_find(const ttb_pool *h, uint64_t id) {
  const ttb__pool *p = ttb__pool_of(h);
  return p ? ttb_balancer_find(&p->balancer, id) : TTB_ERR_MISUSE;
}
