/* SPDX-License-Identifier: MIT */
/* The router on bytes of any kind: a configuration, a sequence of operations
 * with a few checks, then the same calls on a region that is overwritten by the
 * rest of the input: decisions may be bad, memory stays safe.
 *
 *     input = config 56 | operations of 8 bytes each */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/router.h>

#define MAX_REGION (1u << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct bytes {
  const uint8_t *at;
  size_t left;
} bytes;

static uint64_t take(bytes *b) {
  uint64_t v = 0;
  size_t n = b->left < 8 ? b->left : 8;
  for (size_t i = 0; i < n; i++) v |= (uint64_t)b->at[i] << 8 * i;
  b->at += n;
  b->left -= n;
  return v;
}

static void need(int ok) {
  if (!ok) abort();
}

/* One operation; `honest`: nobody writes into the region but the library. */
static void operate(ttb_router *shared, ttb_router *mine, uint64_t x, uint64_t *now,
                    int64_t *held, uint32_t capacity, int honest) {
  uint64_t id = (x >> 8) % 12;
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  w.mode = (uint32_t)(x >> 16) % 7;
  w.max_lag_ms = (int32_t)(x >> 20) % 5000;
  w.avoid = x >> 40;
  switch (x % 11) {
  case 0: {
    ttb_endpoint e = {.struct_size = sizeof e, .weight = (uint32_t)(x >> 16) % 70000, .id = id};
    int32_t slot = ttb_router_add(mine, &e);
    need(slot < (int32_t)capacity);
    break;
  }
  case 1: (void)ttb_router_remove(mine, id); break;
  case 2:
  case 3: {
    ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
    o.role = (uint32_t)(x >> 12) % 5;
    o.status = (uint32_t)(x >> 16) % 7;
    o.lag_ms = (int32_t)(x >> 20);
    o.epoch = x >> 24 & 7;
    o.rtt_ns = (int64_t)(x >> 30);
    (void)ttb_router_observe(shared, id, &o, *now);
    break;
  }
  case 4: *now += x >> 8 & 0xffffffff; break;
  case 5: *now = x << 1; break;
  case 6: {
    int64_t t = ttb_router_write(mine, *now);
    need(t < 0 || (uint32_t)ttb_ticket_slot(t) < capacity);
    held[x >> 60] = t;
    break;
  }
  case 7: {
    int64_t t = ttb_router_read(mine, &w, *now);
    need(t < 0 || (uint32_t)ttb_ticket_slot(t) < capacity);
    if (honest && t >= 0) need(w.mode <= TTB_READ_NEAREST);
    held[x >> 60] = t;
    break;
  }
  case 8: (void)ttb_router_report(mine, held[x >> 60], (int32_t)(x >> 8) % 6, x, *now); break;
  case 9: {
    ttb_router_node row[64];
    for (int i = 0; i < 64; i++) row[i] = TTB_CONFIG(ttb_router_node);
    int32_t n = ttb_router_explain(shared, &w, *now, row, 64);
    need(n <= (int32_t)capacity);
    (void)ttb_router_report(mine, (int64_t)(x >> 1), TTB_SUCCESS, x, *now);
    break;
  }
  default: {
    int64_t t[16];
    (void)ttb_router_drain(shared, id, (uint32_t)(x >> 16) & 1);
    (void)ttb_router_read_n(mine, &w, 16, *now, t);
    if (x >> 63) (void)ttb_router_set_epoch(shared, x >> 24);
    ttb_router_stats s = TTB_CONFIG(ttb_router_stats);
    (void)ttb_router_statistics(shared, &s);
    if (honest) need(s.nodes <= capacity && s.joined == 1);
    (void)ttb_router_recover(mine, 77);
  }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static _Alignas(64) unsigned char region[MAX_REGION];
  bytes b = {data, size};
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  uint32_t words[12];
  for (int i = 0; i < 6; i++) {
    uint64_t v = take(&b);
    memcpy(&words[2 * i], &v, 8);
  }
  c.seed = take(&b);
  memcpy((char *)&c + 4, words + 1, 44);
  if (words[0] & 1) c.struct_size = (words[0] >> 1) % (uint32_t)(sizeof c + 1);
  ttb_detail d = TTB_CONFIG(ttb_detail);
  int32_t code = ttb_router_check(&c, &d);
  int64_t bytes_needed = ttb_router_size(&c);
  need(code == (bytes_needed < 0 ? (int32_t)bytes_needed : TTB_OK));
  if (code < 0 || bytes_needed > MAX_REGION) {
    c = TTB_CONFIG(ttb_router_config);
    bytes_needed = ttb_router_size(&c);
  }
  ttb_router shared, mine, other;
  need(ttb_router_init(&shared, region, (uint64_t)bytes_needed, &c) == TTB_OK);
  need(ttb_router_join(&shared, 1, &mine) == TTB_OK);
  uint32_t capacity = c.capacity ? c.capacity : 16;
  uint64_t now = UINT64_C(3600000000000);
  int64_t held[16];
  memset(held, 0xff, sizeof held);
  bytes again = b;
  for (int i = 0; i < 400 && b.left > 0; i++)
    operate(&shared, &mine, take(&b), &now, held, capacity, 1);

  for (int i = 0; i < 400 && again.left > 0; i++) {
    uint64_t x = take(&again);
    for (uint64_t k = 0; k < 8; k++)
      region[64 + (x * (k * 2 + 1) + (uint64_t)i * 61) % ((uint64_t)bytes_needed - 64)] ^=
          (unsigned char)(x >> 8 * k);
    operate(&shared, &mine, x, &now, held, capacity, 0);
    if (i % 16 == 0 && ttb_router_attach(&other, region, (uint64_t)bytes_needed) == TTB_OK)
      (void)ttb_router_explain(&other, NULL, now, NULL, 0);
  }
  ttb_router_free(&mine);
  ttb_router_free(&shared);
  return 0;
}
