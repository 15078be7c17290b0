/* SPDX-License-Identifier: MIT */
/* The degradation ladder: which rung to serve from, and a brownout level with
 * hysteresis. Bounds on staleness as RFC 5861's stale-if-error; levels after
 * Klein et al., "Brownout" (ICSE 2014), and the Google SRE book, chapter 21.
 *
 *     region header | config | word, seen, utilisation
 *
 *     word = since 62 | level 2     since: the virtual ms from which on utilisation
 *                                   has been low enough to fall; 0: it is not
 *
 * I1  The word alone is the level and changes by one CAS. Who loses it has been
 *     overtaken by another measurement and lets that one count.
 * I2  seen only ages the level out, utilisation is only shown: lost to a kill,
 *     they are one measurement behind.
 * I3  Any bytes in the three words are a legal state: a level of two bits, and a
 *     time that at worst lies ahead, which observe corrects. */
#include "../base/atomic.h"
#include "../base/handle.h"
#include "../base/region.h"

#include <string.h>
#include <trimtab/ladder.h>

#define LEVELS 3
#define NEVER INT64_MAX /* a threshold that is off */

typedef struct ladder_state {
  ttb__a64 word, seen, utilisation;
  uint64_t reserved[5];
} ladder_state;
_Static_assert(sizeof(ladder_state) == 64, "one line");

typedef TTB__HANDLE_STRUCT ladder {
  uint64_t tag;
  ladder_state *state;
  ttb__region *region;
  uint64_t owned; /* bytes to give back, 0 if the memory is the caller's */
  ttb_allocator allocator;
  int32_t up[LEVELS]; /* ppm, or -1: off */
  int32_t gap, hold_ms, expire_ms, stale_brownout_ms, stale_error_ms;
} ladder;
_Static_assert(sizeof(ladder) <= sizeof(ttb_ladder), "the handle's size is frozen");

/* ---- configuration ---- */

#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_ladder_config, type, field, unit, min, max, def, flags)

static const ttb__field config_fields[] = {
    C(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(I32, up_1_ppm, "ppm", 1, 1000000000, 800000, TTB__MAY_BE_OFF),
    C(I32, up_2_ppm, "ppm", 1, 1000000000, 900000, TTB__MAY_BE_OFF),
    C(I32, up_3_ppm, "ppm", 1, 1000000000, 950000, TTB__MAY_BE_OFF),
    C(I32, gap_ppm, "ppm", 1, 1000000000, 100000, TTB__MAY_BE_OFF),
    C(I32, hold_ms, "ms", 1, 3600000, 5000, TTB__MAY_BE_OFF),
    C(I32, expire_ms, "ms", 1, 3600000, 10000, TTB__MAY_BE_OFF),
    C(I32, stale_brownout_ms, "ms", 1, 2000000000, 60000, TTB__MAY_BE_OFF),
    C(I32, stale_error_ms, "ms", 1, 2000000000, 3600000, TTB__MAY_BE_OFF),
    C(U32, reserved, "", 0, 0, 0, 0),
};
static const ttb__struct config_struct = TTB__STRUCT(ttb_ladder_config, config_fields);

#define A(type, field, unit) TTB__OUT(ttb_ladder_ask, type, field, unit)
static const ttb__field ask_fields[] = {
    A(U32, flags, ""),    A(U32, importance, ""),    A(I32, primary, ""),
    A(U32, reserved, ""), A(I64, cache_age_ms, "ms"),
};
static const ttb__struct ask_struct = TTB__STRUCT(ttb_ladder_ask, ask_fields);

#define R(type, field) TTB__OUT(ttb_ladder_answer, type, field, "")
static const ttb__field answer_fields[] = {R(I32, rung), R(I32, reason), R(I32, cache),
                                           R(I32, level)};
static const ttb__struct answer_struct = TTB__STRUCT(ttb_ladder_answer, answer_fields);

#define I(type, field, unit) TTB__OUT(ttb_ladder_info, type, field, unit)
static const ttb__field info_fields[] = {
    I(U32, struct_size, "bytes"), I(I32, level, ""),        I(I64, utilisation_ppm, "ppm"),
    I(I64, measured_ms, "ms"),    I(I64, falls_in_ms, "ms"),
};
static const ttb__struct info_struct = TTB__STRUCT(ttb_ladder_info, info_fields);

int32_t ttb_ladder_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {&config_struct, &ask_struct, &answer_struct,
                                           &info_struct};
  return ttb__field_get(all, 4, which, index, ret_field);
}

/* A level that is off makes those above it unreachable: by default they are off
 * too, and to ask for one is an error. */
static int32_t read_config(const ttb_ladder_config *config, ttb_ladder_config *ret, ttb_detail *d) {
  ttb_ladder_config c;
  int32_t code = ttb__config_read(&config_struct, config, &c, -1, d);
  if (code < 0) return code;
  if (c.up_1_ppm < 0 && config->up_2_ppm == 0) c.up_2_ppm = TTB_OFF;
  if (c.up_2_ppm < 0 && config->up_3_ppm == 0) c.up_3_ppm = TTB_OFF;
  if (c.up_2_ppm >= 0 && (c.up_1_ppm < 0 || c.up_2_ppm <= c.up_1_ppm))
    return ttb__fail(d, TTB_ERR_RANGE, "up_2_ppm", -1, c.up_2_ppm, (int64_t)c.up_1_ppm + 1,
                     1000000000);
  if (c.up_3_ppm >= 0 && (c.up_2_ppm < 0 || c.up_3_ppm <= c.up_2_ppm))
    return ttb__fail(d, TTB_ERR_RANGE, "up_3_ppm", -1, c.up_3_ppm, (int64_t)c.up_2_ppm + 1,
                     1000000000);
  if (c.up_1_ppm >= 0 && c.gap_ppm >= c.up_1_ppm)
    return ttb__fail(d, TTB_ERR_RANGE, "gap_ppm", -1, c.gap_ppm, 1, (int64_t)c.up_1_ppm - 1);
  *ret = c;
  return TTB_OK;
}

int32_t ttb_ladder_check(const ttb_ladder_config *config, ttb_detail *ret_detail) {
  ttb_ladder_config c;
  return read_config(config, &c, ret_detail);
}

/* ---- life ---- */

static const uint32_t facts[] = {sizeof(ladder_state), LEVELS};
static const ttb__format format = {TTB__KIND_LADDER, &config_struct, facts,
                                   sizeof facts / sizeof *facts};

static uint64_t total(void) {
  return ttb__region_body(sizeof(ttb_ladder_config)) + sizeof(ladder_state);
}

static ladder *ladder_of(const ttb_ladder *h) {
  ladder *l = (ladder *)(uintptr_t)h;
  return l && l->tag == TTB__TAG(TTB__KIND_LADDER) ? l : NULL;
}

static void open_handle(ttb_ladder *ret, void *mem, const ttb_ladder_config *c) {
  ladder l = {
      .tag = TTB__TAG(TTB__KIND_LADDER),
      .state = (ladder_state *)(void *)((unsigned char *)mem + ttb__region_body(sizeof *c)),
      .region = mem,
      .up = {c->up_1_ppm, c->up_2_ppm, c->up_3_ppm},
      .gap = c->gap_ppm < 0 ? 0 : c->gap_ppm,
      .hold_ms = c->hold_ms < 0 ? 0 : c->hold_ms,
      .expire_ms = c->expire_ms,
      .stale_brownout_ms = c->stale_brownout_ms,
      .stale_error_ms = c->stale_error_ms,
  };
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &l, sizeof l);
}

int64_t ttb_ladder_size(const ttb_ladder_config *config) {
  ttb_ladder_config c;
  int32_t code = read_config(config, &c, NULL);
  return code < 0 ? code : (int64_t)total();
}

int32_t ttb_ladder_init(ttb_ladder *ret, void *mem, uint64_t size,
                        const ttb_ladder_config *config) {
  ttb_ladder_config c;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = read_config(config, &c, NULL);
  if (code < 0) return code;
  if ((code = ttb__region_span(mem, size, total())) < 0) return code;
  ttb__region_build(mem, total(), &format, &c, 0);
  ttb__region_ready(mem);
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_ladder_attach(ttb_ladder *ret, void *mem, uint64_t size) {
  ttb_ladder_config stored, c;
  uint64_t claimed;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__region_open(mem, size, &format, &stored, &claimed);
  if (code < 0) return code;
  if (read_config(&stored, &c, NULL) < 0 || claimed != total()) return TTB_ERR_CORRUPT;
  open_handle(ret, mem, &c);
  return TTB_OK;
}

int32_t ttb_ladder_new(ttb_ladder *ret, const ttb_ladder_config *config,
                       const ttb_allocator *allocator) {
  ttb_allocator a;
  if (!ret) return TTB_ERR_MISUSE;
  int64_t size = ttb_ladder_size(config);
  void *mem;
  int32_t code = ttb__take(allocator, size, &a, &mem);
  if (code < 0) return code;
  code = ttb_ladder_init(ret, mem, (uint64_t)size, config);
  if (code < 0) {
    ttb__release(&a, mem, (uint64_t)size);
    return code;
  }
  ladder *l = ladder_of(ret);
  l->owned = (uint64_t)size;
  l->allocator = a;
  return TTB_OK;
}

void ttb_ladder_free(ttb_ladder *h) {
  ladder *l = ladder_of(h);
  if (!l) return;
  if (l->owned) {
    ttb_allocator a = l->allocator;
    ttb__release(&a, l->region, l->owned);
  }
  memset(h, 0, sizeof *h);
}

/* ---- the level ---- */

static int64_t rises_at(const ladder *l, int level) {
  return level < LEVELS && l->up[level] >= 0 ? l->up[level] : NEVER;
}
static bool may_fall(const ladder *l, int level, int32_t utilisation) {
  if (level == 0) return false;
  int32_t up = l->up[level - 1]; /* off: no measurement led here, a neighbour did */
  return up < 0 || utilisation < up - l->gap;
}

/* The word after a measurement at virtual time v. */
static uint64_t after(const ladder *l, uint64_t word, int32_t utilisation, uint64_t v) {
  int level = (int)(word & 3);
  uint64_t since = word >> 2;
  if (utilisation >= rises_at(l, level)) {
    while (utilisation >= rises_at(l, level)) level++;
    since = 0;
  } else if (!may_fall(l, level, utilisation)) {
    since = 0;
  } else {
    if (since == 0 || since > v) since = v;
    if (v - since >= (uint64_t)l->hold_ms) {
      level--;
      since = may_fall(l, level, utilisation) ? v : 0; /* the next bound is a lower one */
    }
  }
  return since << 2 | (uint64_t)level;
}

/* Whether the last measurement still counts at v. */
static bool fresh(const ladder *l, uint64_t seen, uint64_t v) {
  return seen != 0 && (l->expire_ms < 0 || v <= seen || v - seen <= (uint64_t)l->expire_ms);
}
static int level_at(const ladder *l, uint64_t v) {
  if (!fresh(l, ttb__load_rlx(&l->state->seen), v)) return 0;
  return (int)(ttb__load_rlx(&l->state->word) & 3);
}

int32_t ttb_ladder_observe(ttb_ladder *h, int32_t utilisation_ppm, uint64_t now_ns) {
  ladder *l = ladder_of(h);
  if (!l) return TTB_ERR_MISUSE;
  if (utilisation_ppm < 0) return TTB_ERR_RANGE;
  uint64_t v = ttb__clock_now(&l->region->clock, now_ns);
  bool counts = fresh(l, ttb__load_rlx(&l->state->seen), v);
  uint64_t word = ttb__load_rlx(&l->state->word);
  uint64_t next = after(l, counts ? word : 0, utilisation_ppm, v);
  if (next != word && !ttb__cas_rlx(&l->state->word, &word, next)) next = word;
  ttb__store_rlx(&l->state->utilisation, (uint64_t)utilisation_ppm);
  ttb__store_rlx(&l->state->seen, v);
  return (int32_t)(next & 3);
}

int32_t ttb_ladder_explain(const ttb_ladder *h, uint64_t now_ns, ttb_ladder_info *ret) {
  const ladder *l = ladder_of(h);
  if (!l || !ret) return TTB_ERR_MISUSE;
  uint64_t v = ttb__clock_look(&l->region->clock, now_ns);
  uint64_t seen = ttb__load_rlx(&l->state->seen);
  ttb_ladder_info i = {.level = level_at(l, v),
                       .utilisation_ppm = -1,
                       .measured_ms = -1,
                       .falls_in_ms = -1};
  if (seen != 0) i.measured_ms = v > seen ? (int64_t)((v - seen) & INT64_MAX) : 0;
  if (fresh(l, seen, v)) {
    uint64_t since = ttb__load_rlx(&l->state->word) >> 2, hold = (uint64_t)l->hold_ms;
    i.utilisation_ppm = (int64_t)(ttb__load_rlx(&l->state->utilisation) & INT32_MAX);
    if (i.level > 0 && since != 0)
      i.falls_in_ms = since > v ? l->hold_ms : v - since < hold ? (int64_t)(hold - (v - since)) : 0;
  }
  return ttb__struct_write(&info_struct, &i, ret);
}

/* ---- which rung ---- */

int32_t ttb_ladder_serve(const ttb_ladder *h, const ttb_ladder_ask *ask, uint64_t now_ns,
                         ttb_ladder_answer *ret) {
  const ladder *l = ladder_of(h);
  if (!l || !ask) return TTB_ERR_MISUSE;
  if (ask->importance > LEVELS) return TTB_ERR_RANGE;
  if (ask->flags & ~(TTB_LADDER_HAS_CACHED | TTB_LADDER_HAS_FALLBACK) || ask->reserved != 0)
    return TTB_ERR_UNSUPPORTED;
  ttb_ladder_answer a = {.rung = TTB_LADDER_PRIMARY,
                         .level = level_at(l, ttb__clock_look(&l->region->clock, now_ns))};
  if (ask->primary != 0)
    a.reason = ask->primary < 0 ? TTB_LADDER_REFUSED : TTB_LADDER_FAILED;
  else if (ask->importance + (uint32_t)a.level > LEVELS)
    a.reason = TTB_LADDER_BROWNOUT;
  if (a.reason != TTB_LADDER_NORMAL) {
    int32_t bound = a.reason == TTB_LADDER_BROWNOUT ? l->stale_brownout_ms : l->stale_error_ms;
    if (!(ask->flags & TTB_LADDER_HAS_CACHED))
      a.cache = TTB_LADDER_CACHE_NONE;
    else if (bound < 0 || ask->cache_age_ms > bound)
      a.cache = TTB_LADDER_CACHE_STALE;
    if (a.cache == TTB_LADDER_CACHE_UNASKED)
      a.rung = TTB_LADDER_CACHED;
    else
      a.rung = ask->flags & TTB_LADDER_HAS_FALLBACK ? TTB_LADDER_FALLBACK : TTB_LADDER_REFUSE;
  }
  if (ret) *ret = a;
  return a.rung;
}
