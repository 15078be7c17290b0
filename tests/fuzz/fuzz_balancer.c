/* SPDX-License-Identifier: MIT */
/* Fuzz: a balancer from any config, any calls, any bytes in its region.
 *
 *     byte 0: 0 = a region of our own making, else the bytes themselves are it
 *     64 bytes: the config (struct_size included; above 64, the rest of it follows)
 *     then: operations of 12 bytes; those of kind 15 scribble over the region
 *
 * Nothing may crash, hang or touch what is not the region's. While nobody
 * scribbles, tickets name endpoints that may be picked. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/balancer.h>

#define SIZE 262144u
#define OUT 32 /* tickets remembered */

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

typedef struct world {
  ttb_balancer shared, mine[2];
  bool joined[2];
  unsigned char *mem;
  uint64_t bytes;
  bool scribbled;
  uint64_t zones; /* that may be used */
  uint32_t flags;
  int64_t out[OUT];
} world;

static void picked(world *w, uint8_t who, int64_t t, uint8_t at) {
  if (!w->joined[who]) { /* more threads than rows */
    must(t == TTB_ERR_MISUSE);
    return;
  }
  if (t < 0) {
    must(w->scribbled || t == TTB_NO_ENDPOINT || t == TTB_ALL_EXCLUDED || t == TTB_LIMIT);
    return;
  }
  ttb_balancer_info i = {.struct_size = sizeof i};
  int32_t code = ttb_balancer_inspect(&w->shared, (uint32_t)ttb_ticket_slot(t), &i);
  int32_t last = ttb_balancer_last(&w->mine[who]);
  uint32_t may = last & TTB_LAST_PANIC ? TTB_CAUSE_PROBE | TTB_CAUSE_OUTLIER : 0;
  if (last & TTB_LAST_ASKED) may |= TTB_CAUSE_DRAIN;
  must(w->scribbled || (code == TTB_OK && (i.causes & ~may) == 0 && (w->zones >> i.zone & 1)));
  w->out[at % OUT] = t;
}

/* Bounds out of the bits of an operation. */
static void pick_within(world *w, uint8_t who, uint8_t at, uint8_t value, uint64_t word) {
  uint32_t x[2] = {at, value};
  ttb_pick pick = {.struct_size = sizeof pick, .flags = value & 7, .hash = word,
                   .zones = word >> 8 & 15, .tags = word >> 16 & 3, .id = word >> 24 & 31,
                   .excluded_slots = x, .n_excluded = word >> 32 & 1};
  ttb_balancer_info rows[3] = {{.struct_size = sizeof *rows}};
  int64_t t[3];
  if (value & 8) {
    int32_t n = ttb_balancer_acquire_distinct(&w->mine[who], &pick, 3, word, t);
    must(n < 0 || w->scribbled || n < 2 || ttb_ticket_slot(t[0]) != ttb_ticket_slot(t[1]));
    for (int32_t i = 0; i < n; i++) w->out[(at + i) % OUT] = t[i];
  } else {
    t[0] = ttb_balancer_acquire_with(&w->mine[who], &pick, word);
    if (t[0] == TTB_ERR_RANGE || t[0] == TTB_ERR_UNSUPPORTED) return;
    if (t[0] == TTB_ERR_UNKNOWN_ID || t[0] == TTB_NOT_ELIGIBLE) return;
    picked(w, who, t[0], at);
  }
  (void)ttb_balancer_explain_with(&w->mine[who], &pick, word, rows, 3);
}

static void operate(world *w, reader *r) {
  struct {
    uint8_t kind, who, at, value;
    uint64_t word;
  } op;
  unsigned char raw[12];
  while (take(r, raw, sizeof raw)) {
    op.kind = raw[0], op.who = raw[1] & 1, op.at = raw[2], op.value = raw[3];
    memcpy(&op.word, raw + 4, 8);
    ttb_balancer *mine = &w->mine[op.who];
    ttb_endpoint list[4];
    uint32_t x[2] = {op.at, op.value};
    int64_t batch[3];
    ttb_balancer_info rows[3] = {{.struct_size = sizeof *rows}};
    ttb_balancer_stats s = {.struct_size = sizeof s};
    for (uint32_t i = 0; i < 4; i++)
      list[i] = (ttb_endpoint){.struct_size = sizeof *list,
                               .weight = (uint32_t)op.word & 0x1ffff,
                               .id = op.word % 32 + i * op.at,
                               .zone = op.word >> 32 & 3,
                               .priority = op.word >> 34 & 3,
                               .flags = op.word >> 36 & 1,
                               .max_inflight = w->flags & TTB_BALANCER_CAPS ? op.value & 3 : 0,
                               .tags = w->flags & TTB_BALANCER_TAGS ? op.word >> 40 & 3 : 0};
    switch (op.kind & 15) {
    case 0: picked(w, op.who, ttb_balancer_acquire(mine, op.word, op.word), op.at); break;
    case 1:
      if (op.kind & 16) {
        pick_within(w, op.who, op.at, op.value, op.word);
        break;
      }
      picked(w, op.who, ttb_balancer_acquire_except(mine, op.word, x, 2, 0), op.at);
      break;
    case 2:
      (void)ttb_balancer_report(mine, w->out[op.at % OUT], op.value % 6, op.word >> op.value % 64,
                                op.word);
      break;
    case 3: (void)ttb_balancer_report(mine, (int64_t)op.word, 0, 0, 0); break;
    case 4:
      picked(w, op.who, ttb_balancer_next(mine, w->out[op.at % OUT], 0, 0, op.word, 0), op.at);
      break;
    case 5: (void)ttb_balancer_add(mine, &list[0]); break;
    case 6: (void)ttb_balancer_remove(mine, op.word % 32); break;
    case 7: (void)ttb_balancer_set_weight(mine, op.word % 32, op.value * UINT32_C(300)); break;
    case 8: (void)ttb_balancer_update(mine, list, op.value % 5, NULL); break;
    case 9: (void)ttb_balancer_mark(&w->shared, op.at, op.value, (int32_t)(op.word & 1)); break;
    case 10: (void)ttb_balancer_set_status(&w->shared, op.word % 32, op.value % 8); break;
    case 11:
      if (w->joined[op.who]) ttb_balancer_free(mine);
      w->joined[op.who] = ttb_balancer_join(&w->shared, op.who + UINT64_C(1), mine) == TTB_OK;
      break;
    case 12:
      (void)ttb_balancer_explain(mine, op.word, x, 2, rows, 3);
      (void)ttb_balancer_find(&w->shared, op.word);
      break;
    case 13:
      (void)ttb_balancer_recover(mine, 2 - op.who + UINT64_C(0));
      break;
    case 14:
      (void)ttb_balancer_acquire_n(mine, NULL, 3, 0, batch);
      (void)ttb_balancer_report_n(mine, batch, NULL, NULL, 3, 0, NULL);
      break;
    default:
      if (op.value < 100) {
        ttb_load load = {sizeof load, (int32_t)op.word, op.word >> op.at % 64, op.word >> 30};
        (void)ttb_balancer_report_load(mine, w->out[op.at % OUT], op.value % 6, op.word, &load,
                                       op.word >> op.value % 64);
      }
      if (op.value > 200) { /* seldom, so that the orderly world is seen, too */
        memcpy(w->mem + op.word % (w->bytes - 8), raw + 4, 8);
        w->scribbled = true;
      }
      break;
    }
    if (ttb_balancer_statistics(&w->shared, &s) == TTB_OK && !w->scribbled)
      must(s.eligible <= s.endpoints && s.endpoints <= s.capacity && s.in_flight < 1000000);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static unsigned char *mem;
  if (!mem) mem = aligned_alloc(64, SIZE);
  must(mem != NULL);
  reader r = {data, size};
  uint8_t hostile;
  unsigned char raw[64];
  ttb_balancer_config c = {0};
  ttb_detail d = {.struct_size = sizeof d};
  world w = {.mem = mem};
  (void)take(&r, &hostile, 1);
  (void)take(&r, raw, sizeof raw);
  memset(&c, 0, sizeof c);
  memcpy(&c, raw, sizeof c < sizeof raw ? sizeof c : sizeof raw);
  if (c.struct_size > sizeof raw && sizeof c > sizeof raw)
    (void)take(&r, (unsigned char *)&c + sizeof raw, sizeof c - sizeof raw);
  if (r.left > 0) { /* the later fields, of the last byte, in range more often than not */
    uint8_t last = r.p[--r.left];
    if (last & 1) c.decay_ms = 90 + last * 1000u;
    if (last & 2) c.choices = 1 + last % 11u;
    if (last & 4) c.exact = last;
    if (last & 8) c.bias_ppm = last * 40000;
    if (last & 16) c.residency = last * UINT64_C(0x0101010101010101);
  }
  if (c.struct_size >= 48) c.struct_size = sizeof c;
  int32_t code = ttb_balancer_check(&c, &d);
  int64_t bytes = ttb_balancer_size(&c);
  must(code < 0 ? bytes == code : bytes > 0 && bytes % 64 == 0);
  if (bytes > SIZE || bytes < 0) {
    must(ttb_balancer_init(&w.shared, mem, SIZE, &c) < 0);
    return 0;
  }
  must(ttb_balancer_init(&w.shared, mem, (uint64_t)bytes, &c) == TTB_OK);
  w.bytes = (uint64_t)bytes;
  w.flags = c.flags;
  w.zones = c.residency ? c.residency : UINT64_MAX;
  if (hostile) {
    /* What follows lies over header, config and tables; then attach. */
    size_t n = r.left / 2 < w.bytes ? r.left / 2 : w.bytes;
    for (size_t i = 0; i < n; i++) mem[(i * 7 + hostile) % w.bytes] ^= r.p[i];
    r.p += n;
    r.left -= n;
    w.scribbled = true;
    if (ttb_balancer_attach(&w.shared, mem, SIZE) < 0) return 0;
  }
  for (uint32_t i = 0; i < 2; i++)
    w.joined[i] = ttb_balancer_join(&w.shared, i + 1, &w.mine[i]) == TTB_OK;
  operate(&w, &r);
  for (uint32_t i = 0; i < 2; i++)
    if (w.joined[i]) ttb_balancer_free(&w.mine[i]);
  ttb_balancer_free(&w.shared);
  return 0;
}
