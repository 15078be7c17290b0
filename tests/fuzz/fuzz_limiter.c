/* SPDX-License-Identifier: MIT */
/* Fuzz: a limiter from any config, any calls, any bytes in its region.
 *
 *     byte 0: 0 = a region of our own making, else the bytes themselves are it
 *     96 bytes: the config (struct_size included); more of it if struct_size says so
 *     then: operations of 12 bytes; those of kind 7 scribble over the region
 *
 * Nothing may crash, hang or touch what is not the region's; while nobody
 * scribbles, what explain says must make sense. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/limiter.h>

#define SIZE 65536u
#define OUT 16 /* tickets remembered */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
  if (!ok) abort();
}
_Static_assert(sizeof(ttb_limiter_config) >= 96, "the corpora have that much of it");

typedef struct reader {
  const uint8_t *p;
  size_t left;
} reader;

static bool take(reader *r, void *to, size_t n) {
  memset(to, 0, n);
  size_t k = r->left < n ? r->left : n;
  memcpy(to, r->p, k);
  r->p += k;
  r->left -= k;
  return k == n;
}

static void looks_right(ttb_limiter *l, uint32_t slot, uint32_t ask, uint64_t now) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  if (ttb_limiter_explain(l, slot, ask, now, &i) != TTB_OK) return;
  uint64_t token[255], sum = 0;
  uint32_t held[255];
  int32_t holders = ttb_limiter_holders(l, slot, now, token, held, 255);
  must(holders >= 0 && holders <= 255);
  for (int32_t k = 0; k < holders; k++) sum += held[k];
  must(sum == i.in_use); /* 0 of those that hold nothing */
  must(i.kind >= TTB_LIMITER_BULKHEAD && i.kind <= TTB_LIMITER_RETRY_CONCURRENT);
  must(i.in_use <= 32767);
  must(i.limit <= 1000000);
  must(i.reject_ppm >= 0 && i.reject_ppm <= 1000000);
  must(i.retry_after_ns >= -1);
  must((ttb_limiter_peek(l, slot, ask, now) == TTB_OK) == (i.retry_after_ns == 0));
  if (i.kind == TTB_LIMITER_THROTTLE) must(i.accepts <= i.requests);
  if (i.kind == TTB_LIMITER_RETRY_CONCURRENT) must(i.accepts <= i.requests);
  if (i.kind == TTB_LIMITER_ADAPTIVE) must(i.limit > 0 && i.limit <= 32767 && i.available <= i.limit);
}

static void operate(ttb_limiter *shared, ttb_limiter *mine, unsigned char *mem, uint64_t bytes,
                    reader *r) {
  struct {
    uint8_t kind, slot, ask, value;
  } op;
  uint64_t time;
  int64_t out[OUT] = {0};
  uint32_t n = 0;
  uint64_t now = 0;
  bool scribbled = bytes == 0, joined = false; /* 0: hostile from the beginning */
  for (int steps = 0; steps < 2000 && take(r, &op, 4) && take(r, &time, 8); steps++) {
    now = op.kind & 0x80 ? time : now + (time & 0xffffffff);
    ttb_limiter *l = joined && op.kind & 0x40 ? mine : shared;
    switch (op.kind & 7) {
    case 0:
    case 1: {
      ttb_limiter_info i = TTB_CONFIG(ttb_limiter_info);
      bool known = ttb_limiter_explain(l, op.slot, op.ask, now, &i) == TTB_OK;
      uint64_t token[2];
      uint32_t held[2];
      must(ttb_limiter_holders(l, op.slot, now, token, held, 2) <= 255);
      int64_t t = ttb_limiter_acquire(l, op.slot, op.ask, now);
      if (known && !scribbled && (i.kind == TTB_LIMITER_BULKHEAD || i.kind == TTB_LIMITER_ADAPTIVE))
        must((t >= 0) == (i.available > 0)); /* no bit hides a free permit */
      if (t >= 0) out[n++ % OUT] = t;
      break;
    }
    case 2: (void)ttb_limiter_report(l, out[op.ask % OUT], op.value % 7, now); break;
    case 3: (void)ttb_limiter_report(l, (int64_t)time, op.value, now); break;
    case 4: {
      ttb_limiter_backoff_config c = TTB_CONFIG(ttb_limiter_backoff_config);
      c.jitter = op.value % 6;
      c.base_ms = op.slot;
      c.cap_ms = (uint32_t)(time >> 40);
      c.seed = time;
      int64_t ms = ttb_limiter_backoff_ms(&c, op.ask, time);
      must(ms < 0 ? ttb_limiter_backoff_check(&c, NULL) == ms : ms <= 86400000);
      ms = ttb_limiter_reject_ppm(time >> 20, time >> op.ask % 64, op.value * 4000, op.slot % 10, 1000000);
      must(ms == TTB_ERR_RANGE || (ms >= 0 && ms <= 1000000));
      break;
    }
    case 5:
      if (!joined) joined = ttb_limiter_join(shared, 1 + op.value % 2, mine) == TTB_OK;
      else if (op.value & 1) ttb_limiter_free(mine), joined = false;
      else (void)ttb_limiter_recover(mine, 1 + op.slot % 3);
      break;
    case 6: {
      uint32_t slots[4] = {op.slot, op.ask, op.value, 0}, asks[4] = {op.ask, 0, 1, op.value};
      int64_t tickets[4];
      int32_t codes[4], outcomes[4] = {op.value % 6, op.slot % 6, 0, 4};
      must(ttb_limiter_acquire_n(l, slots, asks, 4, now, tickets) <= 4);
      must(ttb_limiter_report_n(l, tickets, outcomes, 4, now, codes) <= 4);
      uint64_t keys[4] = {op.slot, op.ask, time, op.value};
      must(ttb_limiter_acquire_key_n(l, keys, asks, 4, now, tickets) <= 4);
      int32_t found = ttb_limiter_claim(l, keys[0], now);
      if (found >= 0 && !scribbled) must(ttb_limiter_claim(shared, keys[0], now) == found);
      break;
    }
    default:
      if (bytes > 256) { /* behind header and config */
        uint64_t at = 64 + (time >> 8) % (bytes - 72);
        memcpy(mem + at, &time, 8);
        scribbled = true;
      }
    }
    if (!scribbled) looks_right(shared, op.slot, op.ask, now);
  }
  if (joined) ttb_limiter_free(mine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static _Alignas(64) unsigned char memory[SIZE];
  reader r = {data, size};
  uint8_t hostile;
  union {
    ttb_limiter_config c;
    unsigned char bytes[sizeof(ttb_limiter_config) + 8];
  } config;
  ttb_limiter l, mine;
  ttb_detail detail = {.struct_size = sizeof detail};
  char text[80];
  (void)take(&r, &hostile, 1);
  memset(&config, 0, sizeof config);
  (void)take(&r, &config, 96);
  if (config.c.struct_size > sizeof config) config.c.struct_size = sizeof config;
  if (config.c.struct_size > 96) (void)take(&r, config.bytes + 96, config.c.struct_size - 96);

  int32_t code = ttb_limiter_check(&config.c, &detail);
  must(detail.code == code);
  must(ttb_detail_format(&detail, text, sizeof text) > 0);
  int64_t need = ttb_limiter_size(&config.c);
  must((need < 0) == (code < 0));

  /* Hostile bytes as they are: behind a header that fits them, to get past it. */
  memset(memory, 0, sizeof memory);
  if (hostile) {
    ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
    if (ttb_limiter_init(&l, memory, sizeof memory, need < 0 ? &c : &config.c) == TTB_OK) {
      size_t from = hostile & 1 ? 64 : (size_t)hostile * 2;
      size_t n = size < SIZE - from ? size : SIZE - from;
      memcpy(memory + from, data, n);
    } else {
      memcpy(memory, data, size < SIZE ? size : SIZE);
    }
    if (ttb_limiter_attach(&l, memory, sizeof memory) == TTB_OK) operate(&l, &mine, memory, 0, &r);
    return 0;
  }
  if (need < 0 || need > (int64_t)SIZE) return 0;
  must(ttb_limiter_init(&l, memory, (uint64_t)need, &config.c) == TTB_OK);
  must(ttb_limiter_attach(&mine, memory, (uint64_t)need) == TTB_OK);
  operate(&l, &mine, memory, (uint64_t)need, &r);
  ttb_limiter_free(&l);
  return 0;
}
