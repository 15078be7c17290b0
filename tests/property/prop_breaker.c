/* SPDX-License-Identifier: MIT */
/* The breaker against a plain reference: arrays of timestamps instead of packed
 * buckets, whole generations, tickets looked up in a list, a clock by the words
 * of lib/base/clock.h. Every answer and every number of explain must be equal,
 * step by step. */
#include <string.h>

#include <trimtab/breaker.h>

#include "check.h"

#define SLOTS 4
#define ROWS 3
#define LIFE 3000    /* steps of one table */
#define TICKETS 48   /* how far back a ticket may be reported again */
#define START 1000000
#define SKIP INT64_C(4000000000)

/* ---- the reference ---- */

typedef struct event {
  int64_t v;
  bool failed, slow, ignored;
  uint64_t us;
} event;

typedef struct probe {
  int64_t ticket; /* -1: not out */
  int holder;     /* which handle took it */
} probe;

typedef struct ref_slot {
  int kind;
  uint32_t gen;
  int64_t deadline;
  uint32_t row, sum, good_row, successes, opened;
  int64_t began;   /* a fixed window */
  uint32_t round_calls, round_failures, round_slow;
  uint32_t step;   /* of the open time; while closed, of the next one when it closed */
  int64_t closed;  /* when that was */
  bool ramp;       /* closed, and not all pass yet */
  uint64_t ramp_calls;
  probe probes[32];
  event events[LIFE];
  int n_events;
} ref_slot;

typedef struct given {
  int64_t ticket;
  int slot, is_probe;
  uint32_t gen;
  bool done;
} given;

typedef struct ref {
  ttb_breaker_config c;
  ttb_breaker_cusum_plan plan;
  ref_slot slot[SLOTS];
  uint64_t refused, stale, adoptions;
  /* the clock */
  bool begun, noted, had_before;
  int64_t last, offset, before, note_raw, note_last;
  /* tickets */
  given given[TICKETS];
  int n_given;
} ref;

/* The virtual time of raw; keep: remembers what follows from it. */
static int64_t ref_time(ref *r, int64_t raw, bool keep) {
  ref saved = {.begun = r->begun, .noted = r->noted, .had_before = r->had_before,
               .last = r->last, .offset = r->offset, .before = r->before,
               .note_raw = r->note_raw, .note_last = r->note_last, .adoptions = r->adoptions};
  int64_t v = r->last, ahead = raw + r->offset - r->last;
  int64_t ahead_before = raw + r->before - r->last;
  bool adopt = false;
  if (!r->begun) {
    v = START;
    r->offset = v - raw;
    r->begun = true;
  } else if (ahead < -1000) {
    int64_t stood = raw - r->note_raw;
    if (!r->noted || r->note_last != r->last || stood < 0 || stood > SKIP) {
      r->noted = true;
      r->note_raw = raw;
      r->note_last = r->last;
    } else if (stood > 1000) {
      v = r->last + stood;
      adopt = true;
    }
  } else if (ahead > 1000 && r->had_before && ahead_before >= 0 && ahead_before <= 1000) {
    v = r->last + ahead_before;
    adopt = true;
  } else if (ahead > SKIP) {
    v = r->last + SKIP;
    adopt = true;
  } else if (ahead > 0) {
    v = r->last + ahead;
  }
  if (adopt) {
    r->before = r->offset;
    r->had_before = true;
    r->offset = v - raw;
    r->adoptions++;
  }
  r->last = v;
  if (!keep) {
    r->begun = saved.begun, r->noted = saved.noted, r->had_before = saved.had_before;
    r->last = saved.last, r->offset = saved.offset, r->before = saved.before;
    r->note_raw = saved.note_raw, r->note_last = saved.note_last;
    r->adoptions = saved.adoptions;
  }
  return v;
}

/* What opened it can be seen while it is open. */
static void ref_move(ref_slot *s, int kind, int64_t deadline) {
  bool keep = kind == TTB_BREAKER_OPEN && s->kind != TTB_BREAKER_OPEN;
  s->kind = kind;
  s->gen++;
  s->ramp = false;
  s->ramp_calls = 0;
  s->deadline = deadline;
  if (!keep) {
    s->row = s->successes = s->round_calls = s->round_failures = s->round_slow = 0;
    s->sum = s->good_row = 0;
    s->n_events = 0;
  }
  for (int i = 0; i < 32; i++) s->probes[i].ticket = -1;
}

static uint64_t ref_splitmix(uint64_t *state) {
  uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* The open time of a step, by repeated multiplication; grown: is it at its bound? */
static int64_t ref_length(const ref *r, uint32_t step, bool *bound) {
  int64_t length = r->c.open_ms;
  int64_t most = r->c.open_growth_ppm > 1000000 ? r->c.open_max_ms : r->c.open_ms;
  if (r->c.open_steps > 0) most = r->c.open_max_ms;
  if (r->c.open_steps > 0 && step >= (uint32_t)r->c.open_steps) length = most;
  for (uint32_t i = 0; i < step && r->c.open_growth_ppm > 1000000; i++) {
    if (length >= most) break;
    int64_t next = length * r->c.open_growth_ppm / 1000000;
    length = next > length ? next : length + 1;
  }
  *bound = length >= most;
  return length < most ? length : most;
}
static uint32_t ref_next(const ref *r, uint32_t step) {
  bool bound;
  (void)ref_length(r, step, &bound);
  return bound || step == 15 ? step : step + 1;
}

/* What the next open time's step is. */
static uint32_t ref_step(const ref *r, const ref_slot *s, int64_t v) {
  if (s->kind == TTB_BREAKER_HALF_OPEN) return ref_next(r, s->step);
  if (s->kind != TTB_BREAKER_CLOSED) return s->step;
  int64_t back = s->step > 0 ? (v - s->closed) / r->c.open_decay_ms : 0;
  return back < (int64_t)s->step ? s->step - (uint32_t)back : 0;
}

static void ref_open(ref *r, ref_slot *s, int64_t v) {
  bool bound;
  s->step = ref_step(r, s, v);
  int64_t length = ref_length(r, s->step, &bound);
  if (r->c.open_jitter_ppm > 0) {
    uint64_t state = r->c.seed, most = (uint64_t)length * (uint64_t)r->c.open_jitter_ppm / 1000000;
    uint64_t where = (uint64_t)(s - r->slot) << 20 | ((s->gen + 1) & 0xfffff);
    state = ref_splitmix(&state) ^ where;
    if (most == (uint64_t)length) most--;
    length -= (int64_t)((ref_splitmix(&state) >> 32) * (most + 1) >> 32);
  }
  if (r->c.flags & TTB_BREAKER_OPEN_AFTER) length++;
  ref_move(s, TTB_BREAKER_OPEN, v + length);
  s->opened++;
}

/* Whether x of n are too many. */
static bool ref_many(const ref *r, uint64_t x, uint64_t n, int32_t ppm) {
  uint64_t have = x * 1000000, limit = n * (uint64_t)ppm;
  return have > limit || (have == limit && !(r->c.flags & TTB_BREAKER_RATE_ABOVE));
}

static uint32_t ref_least(const ref *r) {
  int32_t n = r->c.window_calls;
  return n > 0 && r->c.min_calls > (uint32_t)n ? (uint32_t)n : r->c.min_calls;
}

static uint32_t ref_out(const ref *r, const ref_slot *s) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < r->c.half_open_probes; i++) n += s->probes[i].ticket >= 0;
  return n;
}

typedef struct seen {
  uint32_t calls, failures, slow, both, ignored;
  uint64_t us;
} seen;

static seen ref_window(const ref *r, const ref_slot *s, int64_t v) {
  bool fixed = (r->c.flags & TTB_BREAKER_FIXED_WINDOW) != 0;
  int64_t length = (int64_t)r->c.window_ms * (fixed ? 2 : 1), turn = v * 16 / length;
  seen w = {0};
  for (int i = 0; i < s->n_events; i++) {
    const event *e = &s->events[i];
    int64_t age = turn - e->v * 16 / length;
    if (r->c.window_calls > 0) age = s->n_events - i > r->c.window_calls ? -1 : 0;
    if (age < 0 || age > 15) continue;
    w.calls += !e->ignored;
    w.failures += e->failed;
    w.slow += e->slow;
    w.both += e->slow && e->failed;
    w.ignored += e->ignored;
    w.us += e->us;
  }
  return w;
}

static bool ref_over(const ref *r, const ref_slot *s, int64_t v) {
  return r->c.flags & TTB_BREAKER_FIXED_WINDOW && s->kind == TTB_BREAKER_CLOSED &&
         v - s->began > r->c.window_ms;
}
static void ref_next_window(ref *r, ref_slot *s, int64_t v) {
  s->step = ref_step(r, s, v);
  ref_move(s, TTB_BREAKER_CLOSED, 0);
  s->began = s->closed = v;
}

/* Probes that may be out at this moment. */
static uint32_t ref_most(const ref *r, const ref_slot *s) {
  if (!(r->c.flags & TTB_BREAKER_PROBES_IN_ALL)) return r->c.half_open_probes;
  uint32_t done = r->c.half_open_calls > 0 ? s->round_calls : s->successes;
  uint32_t all = r->c.half_open_calls > 0 ? (uint32_t)r->c.half_open_calls : r->c.half_open_successes;
  uint32_t needed = done < all ? all - done : 0;
  return needed < r->c.half_open_probes ? needed : r->c.half_open_probes;
}

/* Whether an acquire is granted, and as what: 0 plain, 1 probe, or a code. */
static int ref_acquire(ref *r, ref_slot *s, int64_t raw) {
  bool fixed = (r->c.flags & TTB_BREAKER_FIXED_WINDOW) != 0;
  if (s->kind == TTB_BREAKER_CLOSED && !s->ramp && !fixed) return 0;
  int64_t v = ref_time(r, raw, true);
  if (s->kind == TTB_BREAKER_DISABLED) return 0;
  if (ref_over(r, s, v)) ref_next_window(r, s, v);
  if (s->ramp && v - s->closed >= r->c.ramp_ms) s->ramp = false;
  if (s->kind == TTB_BREAKER_CLOSED) {
    if (!s->ramp) return 0;
    uint64_t start = (uint64_t)r->c.ramp_start_ppm;
    uint64_t share = start + (1000000 - start) * (uint64_t)(v - s->closed) / (uint64_t)r->c.ramp_ms;
    uint64_t state = r->c.seed, where = (uint64_t)(s - r->slot) << 20 | (s->gen & 0xfffff);
    state = ref_splitmix(&state) ^ where;
    uint64_t point = ref_splitmix(&state) + ++s->ramp_calls * UINT64_C(0x9e3779b97f4a7c15);
    /* point / 2^64 < share / 10^6, in two halves */
    uint64_t high = (point >> 32) * 1000000, low = (point & 0xffffffff) * 1000000;
    if ((high + (low >> 32)) >> 32 < share) return 0;
    r->refused++;
    return TTB_THROTTLED;
  }
  if (s->kind == TTB_BREAKER_OPEN && v >= s->deadline)
    ref_move(s, TTB_BREAKER_HALF_OPEN, v + r->c.lease_ms);
  if (s->kind == TTB_BREAKER_HALF_OPEN && v >= s->deadline)
    ref_move(s, TTB_BREAKER_HALF_OPEN, v + r->c.lease_ms);
  if (s->kind == TTB_BREAKER_HALF_OPEN && ref_out(r, s) < ref_most(r, s)) return 1;
  r->refused++;
  return s->kind == TTB_BREAKER_HALF_OPEN ? TTB_HALF_OPEN_FULL : TTB_OPEN;
}

static int ref_report(ref *r, given *g, int outcome, uint64_t us, int64_t raw) {
  ref_slot *s = &r->slot[g->slot];
  probe *p = NULL;
  for (uint32_t i = 0; i < r->c.half_open_probes; i++)
    if (g->is_probe && s->probes[i].ticket == g->ticket) p = &s->probes[i];
  bool valid = g->gen == s->gen && (g->is_probe ? p != NULL
                                                : s->kind == TTB_BREAKER_CLOSED ||
                                                      s->kind == TTB_BREAKER_DISABLED);
  uint32_t flags = r->c.flags;
  bool detailed = (flags & TTB_BREAKER_DETAILED) != 0;
  bool windowed = r->c.failure_rate_ppm > 0 || r->c.slow_rate_ppm > 0;
  if (valid && flags & TTB_BREAKER_CHECK_TICKETS && !g->is_probe) {
    valid = !g->done;
    g->done = true;
  }
  /* Where each outcome is looked at with the time, it may find the window over. */
  if (valid && s->kind == TTB_BREAKER_CLOSED && flags & TTB_BREAKER_FIXED_WINDOW &&
      outcome != TTB_CANCELLED) {
    int64_t v = ref_time(r, raw, true);
    if (ref_over(r, s, v)) {
      ref_next_window(r, s, v);
      valid = false;
    }
  }
  if (!valid) {
    r->stale++;
    return TTB_STALE;
  }
  if (p) p->ticket = -1;
  if (outcome == TTB_IGNORED && s->kind == TTB_BREAKER_CLOSED && !p && windowed && detailed &&
      r->c.window_calls <= 0)
    s->events[s->n_events++] = (event){ref_time(r, raw, true), false, false, true, 0};
  if (outcome == TTB_IGNORED || outcome == TTB_CANCELLED || s->kind == TTB_BREAKER_DISABLED)
    return TTB_OK;
  bool failed = outcome == TTB_FAILURE || outcome == TTB_SLOW_FAILURE;
  bool was_slow = outcome == TTB_SLOW || outcome == TTB_SLOW_FAILURE;
  bool slow = was_slow && r->c.slow_rate_ppm > 0;
  if (p) {
    bool again = failed || slow, well = false;
    if (r->c.half_open_calls > 0) {
      uint32_t n = (uint32_t)r->c.half_open_calls, left;
      s->round_calls++;
      s->round_failures += failed;
      s->round_slow += slow;
      left = n > s->round_calls ? n - s->round_calls : 0;
      uint32_t all = s->round_calls + left;
      again = ref_many(r, s->round_failures, all, r->c.half_open_rate_ppm) ||
              (r->c.slow_rate_ppm > 0 && ref_many(r, s->round_slow, all, r->c.slow_rate_ppm));
      well = !ref_many(r, s->round_failures + left, all, r->c.half_open_rate_ppm) &&
             !(r->c.slow_rate_ppm > 0 &&
               ref_many(r, s->round_slow + left, all, r->c.slow_rate_ppm));
      if (left > 0 && !(flags & TTB_BREAKER_EARLY_VERDICT)) again = well = false;
    } else if (!again) {
      well = ++s->successes >= r->c.half_open_successes;
    }
    if (again) {
      ref_open(r, s, ref_time(r, raw, true));
      return TTB_BREAKER_REOPENED;
    }
    if (!well) return TTB_OK;
    s->step = r->c.open_decay_ms > 0 ? ref_next(r, s->step) : 0;
    bool fixed = (flags & TTB_BREAKER_FIXED_WINDOW) != 0;
    if (s->step > 0 || r->c.ramp_ms > 0 || fixed) s->closed = ref_time(r, raw, true);
    ref_move(s, TTB_BREAKER_CLOSED, 0);
    s->began = s->closed;
    s->ramp = r->c.ramp_ms > 0;
    return TTB_BREAKER_RECLOSED;
  }
  bool all = (flags & TTB_BREAKER_ALL) != 0, any = (flags & TTB_BREAKER_TRIP_ON_SUCCESS) != 0;
  int rules = 0, said = 0;
  s->row = failed ? s->row + 1 : 0;
  s->good_row = failed ? 0 : s->good_row + 1;
  if (r->c.cusum_bad_ppm > 0) {
    uint32_t down = r->plan.down < s->sum ? r->plan.down : s->sum;
    s->sum = failed ? s->sum + r->plan.up : s->sum - down;
    if (s->sum > r->plan.limit) s->sum = r->plan.limit;
    rules++;
    said += (failed || all || any) && failed && s->sum >= r->plan.limit;
  }
  if (r->c.consecutive > 0) {
    rules++;
    said += failed && s->row >= (uint32_t)r->c.consecutive;
  }
  if (r->c.failure_rate_ppm > 0 || r->c.slow_rate_ppm > 0) {
    int64_t v = r->c.window_calls > 0 ? 0 : ref_time(r, raw, true);
    s->events[s->n_events++] = (event){v, failed, was_slow, false, us};
    seen w = ref_window(r, s, v);
    uint32_t calls = w.calls, failures = w.failures, slows = w.slow;
    if (r->c.failure_rate_ppm > 0) {
      rules++;
      said += (failed || all || any) && calls >= ref_least(r) &&
              ref_many(r, failures, calls, r->c.failure_rate_ppm);
    }
    if (r->c.slow_rate_ppm > 0) {
      rules++;
      said += (slow || all || any) && calls >= ref_least(r) &&
              ref_many(r, slows, calls, r->c.slow_rate_ppm);
    }
  }
  if (!failed && !slow && !any) return TTB_OK;
  if (all ? said < rules : said == 0) return TTB_OK;
  if (flags & TTB_BREAKER_METRICS_ONLY) {
    if (flags & TTB_BREAKER_FIXED_WINDOW) s->began = ref_time(r, raw, true);
    ref_move(s, TTB_BREAKER_CLOSED, 0);
    s->step = 0;
    s->opened++;
    return TTB_OK;
  }
  ref_open(r, s, ref_time(r, raw, true));
  return TTB_BREAKER_OPENED;
}

/* ---- a life ---- */

typedef struct life {
  ttb_breaker handle[1 + ROWS]; /* 0 shared, the others joined with tokens 1.. */
  ref r;
  uint64_t now_ns;
  uint64_t lag_ns; /* a second clock, behind by so much ... */
  bool lagging;    /* ... is the one that is passed now */
  int left;        /* steps */
} life;

static _Alignas(64) unsigned char memory[131072];
static life l;

static void begin(check *c) {
  ttb_breaker_config k = TTB_CONFIG(ttb_breaker_config);
  k.capacity = (uint32_t)check_between(c, 1, SLOTS);
  k.consecutive = check_chance(c, 1, 4) ? TTB_OFF : (int32_t)check_between(c, 1, 6);
  k.failure_rate_ppm =
      check_chance(c, 1, 4) && k.consecutive > 0 ? TTB_OFF : (int32_t)check_between(c, 1, 1000000);
  k.window_ms = check_chance(c, 1, 2) ? (uint32_t)check_between(c, 1000, 3000)
                                      : (uint32_t)check_between(c, 1000, 86400000);
  k.min_calls = (uint32_t)check_between(c, 1, 25);
  k.open_ms = (uint32_t)check_between(c, 1, check_chance(c, 1, 2) ? 20 : 5000);
  k.half_open_probes = (uint32_t)check_between(c, 1, check_chance(c, 1, 4) ? 32 : 4);
  k.half_open_successes = (uint32_t)check_between(c, 1, 4);
  k.lease_ms = (uint32_t)check_between(c, 1, check_chance(c, 1, 2) ? 20 : 5000);
  k.threads = ROWS;
  if (check_chance(c, 1, 2)) k.slow_rate_ppm = (int32_t)check_between(c, 1, 1000000);
  k.half_open_calls = check_chance(c, 1, 2) ? TTB_OFF : (int32_t)check_between(c, 1, 9);
  k.half_open_rate_ppm = (int32_t)check_between(c, 1, 1000000);
  k.open_growth_ppm = check_chance(c, 1, 2) ? 1000000 : (int32_t)check_between(c, 1000000, 4000000);
  k.open_max_ms = (uint32_t)check_between(c, k.open_ms, check_chance(c, 1, 2) ? 20000 : 3600000);
  if (check_chance(c, 1, 3)) k.open_jitter_ppm = (int32_t)check_between(c, 1, 1000000);
  k.open_decay_ms = check_chance(c, 1, 3) ? TTB_OFF : (int32_t)check_between(c, 1, 30000);
  if (check_chance(c, 2, 3)) k.flags = (uint32_t)check_below(c, check_chance(c, 1, 4) ? 64 : 32);
  if (check_chance(c, 1, 2)) k.flags |= (uint32_t)check_below(c, 16) << 6;
  k.seed = check_rand(c);
  if (check_chance(c, 1, 3)) k.ramp_ms = (int32_t)check_between(c, 1, 20000);
  k.ramp_start_ppm = (int32_t)check_between(c, 1, 1000000);
  if (check_chance(c, 1, 3)) k.window_calls = (int32_t)check_between(c, 1, check_chance(c, 1, 3) ? 300 : 40);
  if (check_chance(c, 1, 3)) {
    k.cusum_healthy_ppm = (int32_t)check_between(c, 1000, 300000);
    k.cusum_bad_ppm = 2 * k.cusum_healthy_ppm + 50000;
    k.cusum_calls = (uint64_t)check_between(c, 1, 100000);
  }
  if (check_chance(c, 1, 4)) k.open_steps = (int32_t)check_between(c, 1, 15);
  if (check_chance(c, 1, 3)) k.slow_ms = (int32_t)check_between(c, 1, 50);
  k.stripes = 1u << check_below(c, 3);
  k.tickets = 64; /* more than are remembered */
  if (k.flags & TTB_BREAKER_FIXED_WINDOW) {
    k.ramp_ms = k.window_calls = 0;
    if (k.failure_rate_ppm == TTB_OFF) k.failure_rate_ppm = 999999;
    if (k.window_ms > 10000) k.window_ms = 1000 + k.window_ms % 9000;
    if (k.open_decay_ms > (int32_t)k.window_ms) k.open_decay_ms = (int32_t)k.window_ms;
  }
  for (int i = 0; i < 3; i++) { /* rates that are met exactly */
    int32_t *rate[] = {&k.failure_rate_ppm, &k.slow_rate_ppm, &k.half_open_rate_ppm};
    if (*rate[i] > 0 && check_chance(c, 1, 3)) *rate[i] = (int32_t)check_between(c, 1, 4) * 250000;
  }
  memset(&l, 0, sizeof l);
  l.r.c = k;
  l.r.plan.struct_size = sizeof l.r.plan;
  if (k.cusum_bad_ppm > 0)
    CHECK(c, ttb_breaker_cusum(k.cusum_healthy_ppm, k.cusum_bad_ppm, k.cusum_calls, &l.r.plan) ==
                 TTB_OK, "cusum of %d and %d", k.cusum_healthy_ppm, k.cusum_bad_ppm);
  for (int s = 0; s < SLOTS; s++) l.r.slot[s].began = START;
  l.left = LIFE;
  l.now_ns = check_rand(c) >> check_below(c, 64);
  l.lag_ns = check_below(c, 6000000000);
  for (int s = 0; s < SLOTS; s++)
    for (int i = 0; i < 32; i++) l.r.slot[s].probes[i].ticket = -1;
  int64_t size = ttb_breaker_size(&k);
  CHECK(c, size > 0 && size <= (int64_t)sizeof memory, "size %" PRId64, size);
  memset(memory, 0xa5, sizeof memory);
  int32_t code = ttb_breaker_init(&l.handle[0], memory, (uint64_t)size, &k);
  CHECK(c, code == TTB_OK, "init: %s", ttb_errname(code));
  for (uint64_t i = 1; i <= ROWS; i++) {
    code = ttb_breaker_join(&l.handle[0], i, &l.handle[i]);
    CHECK(c, code == TTB_OK, "join: %s", ttb_errname(code));
  }
}

static void pass_time(check *c) {
  const uint64_t ms = 1000000;
  switch (check_below(c, 400)) {
  case 0: l.now_ns += check_below(c, UINT64_C(86400000)) * ms; break; /* idle */
  case 1: l.now_ns -= check_below(c, 1200) * ms; break;
  case 2: l.now_ns -= check_below(c, 10000000) * ms; break;
  case 3: l.now_ns += check_below(c, 10000000) * ms; break;
  case 4: l.now_ns = check_chance(c, 1, 20) ? 0 : l.now_ns; break;
  case 5: l.now_ns = check_chance(c, 1, 20) ? UINT64_MAX : l.now_ns; break;
  default:
    if (check_chance(c, 1, 3)) l.now_ns += check_below(c, 40) * ms;
    if (check_chance(c, 1, 30)) l.now_ns += check_below(c, 1500) * ms;
  }
  if (check_chance(c, 1, l.lagging ? 4 : 40)) {
    l.now_ns = l.lagging ? l.now_ns + l.lag_ns : l.now_ns - l.lag_ns;
    l.lagging = !l.lagging;
  }
  /* Words that name a time come round after months; that is another test's
   * matter (test_window.c, test_machine.c). */
  if (l.r.last > INT64_C(80) * 86400000) l.left = 0;
}

static int64_t raw_ms(void) { return (int64_t)(l.now_ns / 1000000); }

static void acquire(check *c) {
  int slot = (int)check_below(c, l.r.c.capacity), h = (int)check_below(c, 1 + ROWS);
  ref_slot *s = &l.r.slot[slot];
  int32_t peek = ttb_breaker_peek(&l.handle[h], (uint32_t)slot, l.now_ns);
  int want = ref_acquire(&l.r, s, raw_ms());
  int64_t t = ttb_breaker_acquire(&l.handle[h], (uint32_t)slot, l.now_ns);
  CHECK(c, peek == (want < 0 && want != TTB_THROTTLED ? want : TTB_OK), "peek %d, acquire should be %d", peek, want);
  if (want < 0 || t < 0) {
    CHECK(c, t == want, "acquire %" PRId64 ", should be %d", t, want);
    return;
  }
  CHECK(c, ttb_ticket_slot(t) == slot, "slot %d of ticket", ttb_ticket_slot(t));
  CHECK(c, ttb_breaker_is_probe(t) == want, "is_probe should be %d", want);
  for (uint32_t i = 0; want == 1 && i < l.r.c.half_open_probes; i++)
    if (s->probes[i].ticket < 0) {
      s->probes[i] = (probe){t, h};
      break;
    }
  l.r.given[l.r.n_given++ % TICKETS] = (given){t, slot, want, s->gen, false};
}

static void report(check *c) {
  if (l.r.n_given == 0) return;
  int back = l.r.n_given < TICKETS ? l.r.n_given : TICKETS;
  if (check_chance(c, 4, 5) && back > 6) back = 6; /* mostly fresh ones */
  given *g = &l.r.given[(l.r.n_given - 1 - (int)check_below(c, (uint64_t)back)) % TICKETS];
  int outcome = check_chance(c, 1, 8) ? (int)check_between(c, 2, 5) : (int)check_below(c, 2);
  ttb_breaker *by = &l.handle[check_below(c, 1 + ROWS)];
  uint64_t us = check_chance(c, 1, 2) ? 0 : check_below(c, 60000);
  int told = outcome;
  if (l.r.c.slow_ms > 0 && us > (uint64_t)l.r.c.slow_ms * 1000 && outcome < TTB_SLOW)
    outcome = outcome == TTB_SUCCESS ? TTB_SLOW : TTB_SLOW_FAILURE;
  int want = ref_report(&l.r, g, outcome, us, raw_ms());
  int32_t got = us ? ttb_breaker_report_timed(by, g->ticket, told, us * 1000, l.now_ns)
                   : ttb_breaker_report(by, g->ticket, told, l.now_ns);
  CHECK(c, got == want, "report of %d: %d, should be %d", outcome, got, want);
}

/* Tickets nobody was given: another slot, another generation, other bits. */
static void report_foreign(check *c) {
  int64_t t = (int64_t)(check_rand(c) >> 1);
  if (check_chance(c, 1, 2) && l.r.n_given > 0) {
    const given *g = &l.r.given[(l.r.n_given - 1) % TICKETS];
    t = g->ticket ^ INT64_C(1) << check_below(c, 63);
    /* The row of a plain ticket is only for people. */
    if (!g->is_probe && ((t ^ g->ticket) >> 40 & 0xff)) return;
  }
  for (int i = 0; i < TICKETS && i < l.r.n_given; i++)
    if (l.r.given[i].ticket == t) return;
  for (uint32_t s = 0; s < l.r.c.capacity; s++) { /* by chance a good one */
    if ((t & 0xfffff) == s && (t >> 20 & 0xfffff) == (l.r.slot[s].gen & 0xfffff) &&
        (t >> 48 == 0 || l.r.c.flags & TTB_BREAKER_CHECK_TICKETS))
      return;
    if (l.r.c.flags & TTB_BREAKER_FIXED_WINDOW) return; /* may find the window over */
  }
  int want = (t & 0xfffff) >= (int64_t)l.r.c.capacity ? TTB_ERR_RANGE : TTB_STALE;
  if (want == TTB_STALE) l.r.stale++;
  int32_t got = ttb_breaker_report(&l.handle[0], t, (int)check_below(c, 5), l.now_ns);
  CHECK(c, got == want, "foreign ticket %" PRIx64 ": %d, should be %d", (uint64_t)t, got, want);
}

static void set_by_hand(check *c) {
  static const int states[] = {TTB_BREAKER_CLOSED, TTB_BREAKER_CLOSED, TTB_BREAKER_OPEN,
                               TTB_BREAKER_FORCED_OPEN, TTB_BREAKER_DISABLED};
  int slot = (int)check_below(c, l.r.c.capacity), state = states[check_below(c, 5)];
  int64_t v = ref_time(&l.r, raw_ms(), true);
  if (state == TTB_BREAKER_OPEN && check_chance(c, 1, 2)) { /* for a time of its own */
    uint32_t for_ms = (uint32_t)check_between(c, 1, 604800000 / (1 + (int64_t)check_below(c, 100000)));
    ref_slot *s = &l.r.slot[slot];
    if (s->kind == TTB_BREAKER_CLOSED) s->step = ref_step(&l.r, s, v);
    ref_move(s, TTB_BREAKER_OPEN, v + for_ms + ((l.r.c.flags & TTB_BREAKER_OPEN_AFTER) != 0));
    s->opened++;
    CHECK(c, ttb_breaker_open_for(&l.handle[0], (uint32_t)slot, for_ms, l.now_ns) == TTB_OK,
          "open for %u", for_ms);
    return;
  }
  if (state == TTB_BREAKER_OPEN) {
    ref_open(&l.r, &l.r.slot[slot], v);
  } else {
    ref_move(&l.r.slot[slot], state, 0);
    l.r.slot[slot].step = 0;
    l.r.slot[slot].began = v;
  }
  int32_t got = ttb_breaker_set(&l.handle[0], (uint32_t)slot, state, l.now_ns);
  CHECK(c, got == TTB_OK, "set: %d", got);
}

/* One "process" dies, another takes back its probes, a third joins anew. */
static void recover(check *c) {
  int dead = (int)check_between(c, 1, ROWS), by = dead % ROWS + 1;
  for (uint32_t s = 0; s < l.r.c.capacity; s++)
    for (int i = 0; i < 32; i++)
      if (l.r.slot[s].probes[i].ticket >= 0 && l.r.slot[s].probes[i].holder == dead)
        l.r.slot[s].probes[i].ticket = -1;
  int32_t got = ttb_breaker_recover(&l.handle[by], (uint64_t)dead);
  CHECK(c, got == 1, "recover: %d", got);
  got = ttb_breaker_join(&l.handle[0], (uint64_t)dead, &l.handle[dead]);
  CHECK(c, got == TTB_OK, "join again: %d", got);
}

static void compare(check *c) {
  uint32_t slot = (uint32_t)check_below(c, l.r.c.capacity);
  const ref_slot *s = &l.r.slot[slot];
  ttb_breaker_info i = {.struct_size = sizeof i};
  ttb_breaker_stats st = {.struct_size = sizeof st};
  (void)ttb_breaker_explain(&l.handle[0], slot, l.now_ns, &i);
  (void)ttb_breaker_statistics(&l.handle[0], &st);
  int64_t v = ref_time(&l.r, raw_ms(), false), left = s->deadline > v ? s->deadline - v : 0;
  bool half = s->kind == TTB_BREAKER_HALF_OPEN, open = s->kind == TTB_BREAKER_OPEN;
  ref_slot none = {.kind = s->kind, .gen = s->gen, .deadline = s->deadline, .opened = s->opened,
                   .step = s->step};
  for (int k = 0; k < 32; k++) none.probes[k].ticket = -1;
  if (open && left == 0) s = &none; /* what opened it is past */
  bool over = ref_over(&l.r, s, v);
  none.gen += over;
  none.closed = s->closed;
  if (over) s = &none;
  CHECK(c, i.state == (open && left == 0 ? TTB_BREAKER_HALF_OPEN : s->kind), "state %d for %d",
        i.state, s->kind);
  CHECK(c, i.generation == (s->gen & 0xfffff), "generation %u for %u", i.generation, s->gen);
  CHECK(c, i.opened == s->opened, "opened %u for %u", i.opened, s->opened);
  CHECK(c, i.consecutive == (l.r.c.consecutive > 0 || l.r.c.flags & TTB_BREAKER_DETAILED ? s->row : 0), "row %u for %u", i.consecutive,
        s->row);
  CHECK(c, i.probes_out == (half ? ref_out(&l.r, s) : 0), "%u probes out", i.probes_out);
  uint32_t good = s->successes + s->round_calls - s->round_failures;
  CHECK(c, i.probe_successes == good, "%u successes", i.probe_successes);
  CHECK(c, i.probe_calls == s->round_calls && i.probe_failures == s->round_failures &&
            i.probe_slow == s->round_slow, "round %u/%u/%u", i.probe_calls, i.probe_failures,
        i.probe_slow);
  uint32_t step = s->kind == TTB_BREAKER_CLOSED ? ref_step(&l.r, s, v) : s->step;
  CHECK(c, i.open_step == step, "step %u for %u", i.open_step, step);
  CHECK(c, i.cusum == s->sum, "sum %u for %u", i.cusum, s->sum);
  seen w = ref_window(&l.r, s, v);
  uint32_t calls = w.calls, failures = w.failures, slow = w.slow;
  if (l.r.c.flags & TTB_BREAKER_DETAILED) {
    CHECK(c, i.successes_in_row == s->good_row, "%u good for %u", i.successes_in_row, s->good_row);
    if (l.r.c.failure_rate_ppm > 0 || l.r.c.slow_rate_ppm > 0)
      CHECK(c, i.slow == slow && i.slow_failures == w.both && i.ignored == w.ignored &&
                i.duration_us == w.us, "details: %u/%u/%u/%" PRIu64 " for %u/%u/%u/%" PRIu64,
            i.slow, i.slow_failures, i.ignored, i.duration_us, slow, w.both, w.ignored, w.us);
  }
  if (l.r.c.slow_rate_ppm > 0) {
    CHECK(c, i.calls == calls && i.slow == slow, "%u/%u slow for %u/%u", i.slow, i.calls, slow,
          calls);
    CHECK(c, i.slow_rate_ppm ==
              (calls >= ref_least(&l.r) ? (int32_t)((uint64_t)slow * 1000000 / calls) : -1),
          "slow rate %d", i.slow_rate_ppm);
  }
  if (l.r.c.failure_rate_ppm > 0) {
    CHECK(c, i.calls == calls && i.failures == failures, "%u/%u in the window for %u/%u",
          i.failures, i.calls, failures, calls);
    CHECK(c,
          i.failure_rate_ppm ==
              (calls >= ref_least(&l.r) ? (int32_t)((uint64_t)failures * 1000000 / calls) : -1),
          "rate %d", i.failure_rate_ppm);
  }
  int64_t wait = open ? left
                 : s->kind == TTB_BREAKER_FORCED_OPEN                        ? -1
                 : half && ref_out(&l.r, s) >= ref_most(&l.r, s) ? left
                                                                      : 0;
  CHECK(c, i.retry_after_ms == wait, "retry after %" PRId64 " for %" PRId64, i.retry_after_ms,
        wait);
  CHECK(c,
        st.refused == l.r.refused && st.stale == l.r.stale &&
            st.clock_adoptions == l.r.adoptions,
        "refused %" PRIu64 "/%" PRIu64 ", stale %" PRIu64 "/%" PRIu64 ", adoptions %" PRIu64
        "/%" PRIu64,
        st.refused, l.r.refused, st.stale, l.r.stale, st.clock_adoptions, l.r.adoptions);
  CHECK(c, st.joined == ROWS, "%u joined", st.joined);
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);

  check_property(&c, "the breaker answers as the plain reference does");
  while (check_step(&c)) {
    if (l.left-- <= 0) begin(&c);
    pass_time(&c);
    switch (check_below(&c, 128)) {
    case 0: set_by_hand(&c); break;
    case 1: recover(&c); break;
    case 2: report_foreign(&c); break;
    default:
      if (check_chance(&c, 1, 2)) acquire(&c);
      else report(&c);
    }
    compare(&c);
  }

  /* The batch calls are the single ones, in order. */
  check_property_slow(&c, "n calls at once are n calls", 20);
  static _Alignas(64) unsigned char twin_memory[131072];
  ttb_breaker one = {{0}}, batch = {{0}};
  uint64_t now = 0;
  while (check_step(&c)) {
    if (c.step % 500 == 1) {
      ttb_breaker_config k = TTB_CONFIG(ttb_breaker_config);
      k.capacity = SLOTS;
      k.consecutive = 3;
      k.open_ms = k.lease_ms = 30;
      k.half_open_probes = 2;
      int64_t size = ttb_breaker_size(&k);
      CHECK(&c, ttb_breaker_init(&one, memory, (uint64_t)size, &k) == TTB_OK, "init");
      CHECK(&c, ttb_breaker_init(&batch, twin_memory, (uint64_t)size, &k) == TTB_OK, "init");
      now = 0;
    }
    uint32_t slots[8], n = (uint32_t)check_between(&c, 0, 8);
    int64_t a[8], b[8];
    int32_t outcomes[8], codes[8];
    int32_t granted = 0, counted = 0;
    now += check_below(&c, 10000000);
    for (uint32_t i = 0; i < n; i++) {
      slots[i] = (uint32_t)check_below(&c, SLOTS + 1);
      a[i] = ttb_breaker_acquire(&one, slots[i], now);
      granted += a[i] >= 0;
    }
    CHECK(&c, ttb_breaker_acquire_n(&batch, slots, n, now, b) == granted, "granted");
    CHECK(&c, memcmp(a, b, n * sizeof a[0]) == 0, "tickets differ");
    for (uint32_t i = 0; i < n; i++) outcomes[i] = (int32_t)check_below(&c, 6);
    CHECK(&c, ttb_breaker_report_n(&batch, b, outcomes, n, now, codes) >= 0, "report_n");
    for (uint32_t i = 0; i < n; i++) {
      int32_t code = ttb_breaker_report(&one, a[i], outcomes[i], now);
      counted += code >= 0;
      CHECK(&c, codes[i] == code, "code %d for %d", codes[i], code);
    }
    (void)counted;
  }
  return check_end(&c);
}
