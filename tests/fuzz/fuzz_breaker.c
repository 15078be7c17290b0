/* SPDX-License-Identifier: MIT */
/* Fuzz: a breaker from any config, any calls, any bytes in its region.
 *
 *     byte 0: 0 = a region of our own making, else the bytes themselves are it
 *     64 bytes: the config (struct_size included); the rest of it follows if
 *     struct_size is above 64, else it is zero
 *     then: operations of 12 bytes; those of kind 7 scribble over the region
 *
 * Nothing may crash, hang or touch what is not the region's; while nobody
 * scribbles, what explain says must make sense. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/breaker.h>

#define SIZE 65536u
#define OUT 16 /* tickets remembered */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
  if (!ok) abort();
}

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

static void looks_right(ttb_breaker *b, const ttb_breaker_config *c, uint32_t slot, uint64_t now) {
  ttb_breaker_info i = {.struct_size = sizeof i};
  if (ttb_breaker_explain(b, slot, now, &i) != TTB_OK) return;
  must(i.state >= TTB_BREAKER_CLOSED && i.state <= TTB_BREAKER_DISABLED);
  must(i.failures <= i.calls);
  must(i.failure_rate_ppm >= -1 && i.failure_rate_ppm <= 1000000);
  must(i.probes_out <= (c->half_open_probes ? c->half_open_probes : 1));
  must(i.retry_after_ms >= -1 && i.retry_after_ms <= 604800001);
  must(i.cusum <= i.cusum_limit && i.slow_failures <= i.slow + i.failures);
  must(i.average_ppm >= -1 && i.average_ppm <= 1000000);
  must(i.slow <= i.calls && i.slow_rate_ppm >= -1 && i.slow_rate_ppm <= 1000000);
  must(i.open_step < 16 && i.probe_failures <= i.probe_calls && i.probe_slow <= i.probe_calls);
  must(ttb_breaker_peek(b, slot, now) == TTB_OK || i.retry_after_ms != 0);
}

static void operate(ttb_breaker *shared, ttb_breaker *mine, unsigned char *mem, uint64_t bytes,
                    const ttb_breaker_config *c, reader *r) {
  struct {
    uint8_t kind, slot, ticket, value;
  } op;
  uint64_t time;
  int64_t out[OUT] = {0};
  uint32_t n = 0;
  uint64_t now = 0;
  bool scribbled = bytes == 0, joined = false; /* 0: hostile from the beginning */
  for (int steps = 0; steps < 2000 && take(r, &op, 4) && take(r, &time, 8); steps++) {
    now = op.kind & 0x80 ? time : now + (time & 0xffffffff);
    ttb_breaker *b = joined && op.kind & 0x40 ? mine : shared;
    switch (op.kind & 7) {
    case 0:
    case 1: {
      int64_t t = ttb_breaker_acquire(b, op.slot, now);
      if (t >= 0) out[n++ % OUT] = t;
      if (op.value & 1) { /* and by key */
        uint64_t keys[2] = {op.value, time};
        int64_t tickets[2];
        int32_t slot = ttb_breaker_claim(b, keys[op.ticket & 1], now);
        must(slot < (int32_t)(c->capacity ? c->capacity : 1) || bytes == 0);
        must(ttb_breaker_find(b, op.value) < (int32_t)(c->capacity ? c->capacity : 1) || bytes == 0);
        if (ttb_breaker_acquire_key_n(b, keys, 2, now, tickets) > 0 && tickets[0] >= 0)
          out[n++ % OUT] = tickets[0];
      }
      break;
    }
    case 2:
      if (op.value & 0x80) {
        (void)ttb_breaker_report_timed(b, out[op.ticket % OUT], op.value % 6, time, now);
      } else {
        (void)ttb_breaker_report(b, out[op.ticket % OUT], op.value % 6, now);
      }
      break;
    case 3: (void)ttb_breaker_report(b, (int64_t)time, op.value, now); break;
    case 4:
      if (op.value & 0x80) (void)ttb_breaker_open_for(b, op.slot, (uint32_t)time, now);
      else (void)ttb_breaker_set(b, op.slot, op.value % 6, now);
      break;
    case 5:
      if (!joined) joined = ttb_breaker_join(shared, 1 + op.value % 2, mine) == TTB_OK;
      else if (op.value & 1) ttb_breaker_free(mine), joined = false;
      else (void)ttb_breaker_recover(mine, 1 + op.slot % 3);
      break;
    case 6: {
      uint32_t slots[4] = {op.slot, op.ticket, op.value, 0};
      int64_t tickets[4];
      int32_t codes[4], outcomes[4] = {op.value % 5, op.slot % 5, 0, 1};
      must(ttb_breaker_acquire_n(b, slots, 4, now, tickets) <= 4);
      must(ttb_breaker_report_n(b, tickets, outcomes, 4, now, codes) <= 4);
      break;
    }
    default:
      if (bytes > 192) { /* behind header and config */
        uint64_t at = 64 + (time >> 8) % (bytes - 72);
        memcpy(mem + at, &time, 8);
        scribbled = true;
      }
    }
    if (!scribbled) looks_right(shared, c, op.slot, now);
  }
  if (joined) ttb_breaker_free(mine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static _Alignas(64) unsigned char memory[SIZE];
  reader r = {data, size};
  uint8_t hostile;
  union {
    ttb_breaker_config c;
    unsigned char bytes[sizeof(ttb_breaker_config)];
  } config;
  ttb_breaker b, mine;
  ttb_detail detail = {.struct_size = sizeof detail};
  char text[80];
  (void)take(&r, &hostile, 1);
  memset(&config, 0, sizeof config);
  (void)take(&r, &config, 64);
  if (config.c.struct_size == 56 || config.c.struct_size == 64) config.c.struct_size = sizeof config;
  else (void)take(&r, config.bytes + 64, sizeof config - 64);
  if (config.c.struct_size > sizeof config) config.c.struct_size = sizeof config;

  int32_t code = ttb_breaker_check(&config.c, &detail);
  must(detail.code == code);
  must(ttb_detail_format(&detail, text, sizeof text) > 0);
  int64_t need = ttb_breaker_size(&config.c);
  must((need < 0) == (code < 0));

  /* Hostile bytes as they are: behind a header that fits them, to get past it. */
  memset(memory, 0, sizeof memory);
  if (hostile) {
    ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
    if (ttb_breaker_init(&b, memory, sizeof memory, need < 0 ? &c : &config.c) == TTB_OK) {
      size_t from = hostile & 1 ? 64 : (size_t)hostile * 2;
      size_t n = size < SIZE - from ? size : SIZE - from;
      memcpy(memory + from, data, n);
    } else {
      memcpy(memory, data, size < SIZE ? size : SIZE);
    }
    if (ttb_breaker_attach(&b, memory, sizeof memory) == TTB_OK)
      operate(&b, &mine, memory, 0, &config.c, &r);
    return 0;
  }
  if (need < 0 || need > (int64_t)SIZE) return 0;
  must(ttb_breaker_init(&b, memory, (uint64_t)need, &config.c) == TTB_OK);
  must(ttb_breaker_attach(&mine, memory, (uint64_t)need) == TTB_OK);
  operate(&b, &mine, memory, (uint64_t)need, &config.c, &r);
  ttb_breaker_free(&b);
  return 0;
}
