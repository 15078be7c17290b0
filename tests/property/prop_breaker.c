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
  bool failed;
} event;

typedef struct probe {
  int64_t ticket; /* -1: not out */
  int holder;     /* which handle took it */
} probe;

typedef struct ref_slot {
  int kind;
  uint32_t gen;
  int64_t deadline;
  uint32_t row, successes, opened;
  probe probes[32];
  event events[LIFE];
  int n_events;
} ref_slot;

typedef struct given {
  int64_t ticket;
  int slot, is_probe;
  uint32_t gen;
} given;

typedef struct ref {
  ttb_breaker_config c;
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

static void ref_move(ref_slot *s, int kind, int64_t deadline) {
  s->kind = kind;
  s->gen++;
  s->deadline = deadline;
  s->row = s->successes = 0;
  s->n_events = 0;
  for (int i = 0; i < 32; i++) s->probes[i].ticket = -1;
}

static uint32_t ref_out(const ref *r, const ref_slot *s) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < r->c.half_open_probes; i++) n += s->probes[i].ticket >= 0;
  return n;
}

static void ref_window(const ref *r, const ref_slot *s, int64_t v, uint32_t *calls,
                       uint32_t *failures) {
  int64_t turn = v * 16 / r->c.window_ms;
  *calls = *failures = 0;
  for (int i = 0; i < s->n_events; i++) {
    int64_t age = turn - s->events[i].v * 16 / r->c.window_ms;
    if (age < 0 || age > 15) continue;
    ++*calls;
    *failures += s->events[i].failed;
  }
}

/* Whether an acquire is granted, and as what: 0 plain, 1 probe, or a code. */
static int ref_acquire(ref *r, ref_slot *s, int64_t raw) {
  if (s->kind == TTB_BREAKER_CLOSED) return 0;
  int64_t v = ref_time(r, raw, true);
  if (s->kind == TTB_BREAKER_DISABLED) return 0;
  if (s->kind == TTB_BREAKER_OPEN && v >= s->deadline)
    ref_move(s, TTB_BREAKER_HALF_OPEN, v + r->c.lease_ms);
  if (s->kind == TTB_BREAKER_HALF_OPEN && v >= s->deadline)
    ref_move(s, TTB_BREAKER_HALF_OPEN, v + r->c.lease_ms);
  if (s->kind == TTB_BREAKER_HALF_OPEN && ref_out(r, s) < r->c.half_open_probes) return 1;
  r->refused++;
  return s->kind == TTB_BREAKER_HALF_OPEN ? TTB_HALF_OPEN_FULL : TTB_OPEN;
}

static int ref_report(ref *r, const given *g, int outcome, int64_t raw) {
  ref_slot *s = &r->slot[g->slot];
  probe *p = NULL;
  for (uint32_t i = 0; i < r->c.half_open_probes; i++)
    if (g->is_probe && s->probes[i].ticket == g->ticket) p = &s->probes[i];
  bool valid = g->gen == s->gen && (g->is_probe ? p != NULL
                                                : s->kind == TTB_BREAKER_CLOSED ||
                                                      s->kind == TTB_BREAKER_DISABLED);
  if (!valid) {
    r->stale++;
    return TTB_STALE;
  }
  if (p) p->ticket = -1;
  if (outcome == TTB_IGNORED || outcome == TTB_CANCELLED || s->kind == TTB_BREAKER_DISABLED)
    return TTB_OK;
  bool failed = outcome == TTB_FAILURE;
  if (p) {
    if (failed) {
      ref_move(s, TTB_BREAKER_OPEN, ref_time(r, raw, true) + r->c.open_ms);
      s->opened++;
      return TTB_BREAKER_REOPENED;
    }
    if (++s->successes < r->c.half_open_successes) return TTB_OK;
    ref_move(s, TTB_BREAKER_CLOSED, 0);
    return TTB_BREAKER_RECLOSED;
  }
  bool open = false;
  s->row = failed ? s->row + 1 : 0;
  if (failed && r->c.consecutive > 0) open = s->row >= (uint32_t)r->c.consecutive;
  if (r->c.failure_rate_ppm > 0) {
    int64_t v = ref_time(r, raw, true);
    uint32_t calls, failures;
    s->events[s->n_events++] = (event){v, failed};
    ref_window(r, s, v, &calls, &failures);
    if (failed && calls >= r->c.min_calls &&
        (uint64_t)failures * 1000000 >= (uint64_t)r->c.failure_rate_ppm * calls)
      open = true;
  }
  if (!open) return TTB_OK;
  ref_move(s, TTB_BREAKER_OPEN, ref_time(r, raw, true) + r->c.open_ms);
  s->opened++;
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

static _Alignas(64) unsigned char memory[65536];
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
  memset(&l, 0, sizeof l);
  l.r.c = k;
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
  CHECK(c, peek == (want < 0 ? want : TTB_OK), "peek %d, acquire should be %d", peek, want);
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
  l.r.given[l.r.n_given++ % TICKETS] = (given){t, slot, want, s->gen};
}

static void report(check *c) {
  if (l.r.n_given == 0) return;
  int back = l.r.n_given < TICKETS ? l.r.n_given : TICKETS;
  if (check_chance(c, 4, 5) && back > 6) back = 6; /* mostly fresh ones */
  const given *g = &l.r.given[(l.r.n_given - 1 - (int)check_below(c, (uint64_t)back)) % TICKETS];
  int outcome = check_chance(c, 1, 8) ? (int)check_between(c, 2, 4) : (int)check_below(c, 2);
  int want = ref_report(&l.r, g, outcome, raw_ms());
  int32_t got = ttb_breaker_report(&l.handle[check_below(c, 1 + ROWS)], g->ticket, outcome,
                                   l.now_ns);
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
    if ((t & 0xfffff) == s && (t >> 20 & 0xfffff) == (l.r.slot[s].gen & 0xfffff) && t >> 48 == 0)
      return;
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
  ref_move(&l.r.slot[slot], state, state == TTB_BREAKER_OPEN ? v + l.r.c.open_ms : 0);
  l.r.slot[slot].opened += state == TTB_BREAKER_OPEN;
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
  uint32_t slot = (uint32_t)check_below(c, l.r.c.capacity), calls, failures;
  const ref_slot *s = &l.r.slot[slot];
  ttb_breaker_info i = {.struct_size = sizeof i};
  ttb_breaker_stats st = {.struct_size = sizeof st};
  (void)ttb_breaker_explain(&l.handle[0], slot, l.now_ns, &i);
  (void)ttb_breaker_statistics(&l.handle[0], &st);
  int64_t v = ref_time(&l.r, raw_ms(), false), left = s->deadline > v ? s->deadline - v : 0;
  bool half = s->kind == TTB_BREAKER_HALF_OPEN, open = s->kind == TTB_BREAKER_OPEN;
  CHECK(c, i.state == (open && left == 0 ? TTB_BREAKER_HALF_OPEN : s->kind), "state %d for %d",
        i.state, s->kind);
  CHECK(c, i.generation == (s->gen & 0xfffff), "generation %u for %u", i.generation, s->gen);
  CHECK(c, i.opened == s->opened, "opened %u for %u", i.opened, s->opened);
  CHECK(c, i.consecutive == (l.r.c.consecutive > 0 ? s->row : 0), "row %u for %u", i.consecutive,
        s->row);
  CHECK(c, i.probes_out == (half ? ref_out(&l.r, s) : 0), "%u probes out", i.probes_out);
  CHECK(c, i.probe_successes == (half ? s->successes : 0), "%u successes", i.probe_successes);
  ref_window(&l.r, s, v, &calls, &failures);
  if (l.r.c.failure_rate_ppm > 0) {
    CHECK(c, i.calls == calls && i.failures == failures, "%u/%u in the window for %u/%u",
          i.failures, i.calls, failures, calls);
    CHECK(c,
          i.failure_rate_ppm ==
              (calls >= l.r.c.min_calls ? (int32_t)((uint64_t)failures * 1000000 / calls) : -1),
          "rate %d", i.failure_rate_ppm);
  }
  int64_t wait = open ? left
                 : s->kind == TTB_BREAKER_FORCED_OPEN                        ? -1
                 : half && ref_out(&l.r, s) >= l.r.c.half_open_probes ? left
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
  static _Alignas(64) unsigned char twin_memory[65536];
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
