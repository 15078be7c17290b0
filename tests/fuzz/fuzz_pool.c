/* SPDX-License-Identifier: MIT */
/* Any bytes as a pool's configuration, as operations, and as the region itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/pool.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes n bytes from the front; zeros when they run out. */
static void take(const uint8_t **data, size_t *size, void *ret, size_t n) {
  memset(ret, 0, n);
  size_t got = *size < n ? *size : n;
  memcpy(ret, *data, got);
  *data += got;
  *size -= got;
}

static void operate(ttb_pool *p, const uint8_t *data, size_t size) {
  int64_t out[32];
  ttb_pool_call call[8];
  uint32_t n = 0, calls = 0;
  uint64_t now = 1;
  while (size > 0) {
    struct {
      uint8_t op, a;
      uint16_t b;
      uint32_t dt;
    } o;
    take(&data, &size, &o, sizeof o);
    now += (uint64_t)o.dt << (o.a & 15); /* wraps too: the clock may do anything */
    switch (o.op % 13) {
    case 0: {
      ttb_endpoint e = {.struct_size = sizeof e, .weight = o.b, .id = o.a};
      (void)ttb_pool_add(p, &e, now);
      break;
    }
    case 1: (void)ttb_pool_remove(p, o.a, now); break;
    case 2: (void)ttb_pool_drain(p, o.a, o.b & 1, now); break;
    case 3: (void)ttb_pool_set_weight(p, o.a, o.b); break;
    case 4: (void)ttb_pool_tick(p, now); break;
    case 5: {
      uint32_t slots[3];
      (void)ttb_pool_probe_due(p, now, slots, 3);
      (void)ttb_pool_probe_result(p, o.a, o.b % 6, o.dt, now);
      break;
    }
    case 6: (void)ttb_pool_recover(p, o.a, now); break;
    case 7: (void)ttb_pool_report(p, (int64_t)((uint64_t)o.dt << 32 | o.b), o.a % 7, 0, now); break;
    case 8: {
      uint64_t cursor = o.dt, lost = 0;
      ttb_pool_event e[4];
      ttb_pool_info row[2] = {TTB_CONFIG(ttb_pool_info)};
      (void)ttb_pool_events(p, &cursor, e, 4, &lost);
      (void)ttb_pool_explain(p, o.b, &o.dt, 1, now, row, 2);
      break;
    }
    case 9:
      if (n > 0) {
        n--;
        (void)ttb_pool_report(p, out[n], o.a % 6, o.b, now);
      }
      break;
    case 10:
      if (calls < 8) {
        call[calls] = TTB_CONFIG(ttb_pool_call);
        call[calls].importance = o.a & 7, call[calls].attempt = o.b;
        calls += ttb_pool_begin(p, &call[calls], now) >= 0;
      }
      break;
    case 11:
      if (calls > 0) (void)ttb_pool_end(p, &call[--calls], o.a % 6, o.b, now);
      break;
    default:
      if (n < 32) {
        const uint32_t excluded[] = {o.a, o.b};
        out[n] = ttb_pool_acquire_except(p, o.dt, excluded, o.a % 3, now);
        n += out[n] >= 0;
      }
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  ttb_balancer_config b = TTB_CONFIG(ttb_balancer_config);
  ttb_pool shared, mine;
  uint8_t how;
  take(&data, &size, &how, 1);
  take(&data, &size, &c.capacity, 24); /* up to the pointers */
  take(&data, &size, &b.algorithm, 32);
  if (how & 1) c.capacity %= 32;
  if (how & 2) c.events = 16;
  if (how & 4) c.threads = 1 + c.threads % 20;
  if (how & 8) c.balancer = &b;
  if (how & 16) memset(&b.algorithm, 0, 32), b.algorithm = 1 + c.threads % 5;
  ttb_limiter_config l[2] = {TTB_CONFIG(ttb_limiter_config), TTB_CONFIG(ttb_limiter_config)};
  l[0].kind = TTB_LIMITER_BULKHEAD, l[0].permits = 3;
  l[1].kind = TTB_LIMITER_RATE;
  if (how % 3 == 0) c.limits = l, c.n_limits = 2;
  ttb_health_config h = TTB_CONFIG(ttb_health_config);
  h.eject = TTB_HEALTH_EJECT_ROBUST + how % 3;
  h.eject_errors = 2, h.eject_requests = 1, h.eject_interval_ms = 1;
  if (how & 128) c.health = &h;
  ttb_breaker_config k = TTB_CONFIG(ttb_breaker_config);
  k.flags = (uint32_t)c.seed & 1023, k.consecutive = 1 + (int32_t)(c.seed >> 10 & 3);
  k.open_ms = k.lease_ms = 1 + (uint32_t)(c.seed >> 16 & 255);
  if (c.seed >> 12 & 1) k.slow_rate_ppm = 500000;
  if (c.seed >> 13 & 1) k.ramp_ms = 100;
  k.half_open_probes = 1 + (uint32_t)(c.seed >> 24 & 31);
  if (how & 16) c.breaker = &k;
  if (how & 32) c.probing = 1 + how % 2, c.degraded_weight_ppm = 0;
  int64_t bytes = ttb_pool_size(&c);
  if (bytes < 0 || bytes > 4000000) return 0;
  uint8_t *mem = aligned_alloc(64, (size_t)bytes);
  if (!mem || ttb_pool_init(&shared, mem, (uint64_t)bytes, &c) < 0) abort();
  if (ttb_pool_join(&shared, 42, &mine) < 0) abort();
  if (how & 64) { /* a hostile neighbour: bytes anywhere, before and between calls */
    uint32_t at;
    for (int i = 0; i < 64 && size > 5; i++) {
      take(&data, &size, &at, 4);
      mem[at % (uint64_t)bytes] = data[0];
    }
    ttb_pool other, theirs;
    if (ttb_pool_attach(&other, mem, (uint64_t)bytes) == TTB_OK) {
      ttb_pool_stats s = TTB_CONFIG(ttb_pool_stats);
      (void)ttb_pool_statistics(&other, &s);
      if (ttb_pool_join(&other, 43, &theirs) == TTB_OK) {
        operate(&theirs, data, size);
        ttb_pool_free(&theirs);
      }
    }
  }
  operate(&mine, data, size);
  ttb_pool_free(&mine);
  free(mem);
  return 0;
}
