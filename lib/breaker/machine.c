/* SPDX-License-Identifier: MIT */
/* The state machine: acquire, report, set. See I1..I4 in breaker.h.
 *
 * Each word decides alone, and words of another generation read as empty, so
 * accesses are relaxed; only taking over a word of another generation needs
 * more (I2). */
#include "breaker.h"
#include "window.h"

static uint64_t clock_of(ttb__breaker *b, uint64_t now_ns) {
  return ttb__clock_now(&b->region->clock, now_ns);
}

static int64_t refuse(ttb__breaker *b, int32_t code) {
  ttb__add_rlx(&b->table->refused, 1);
  return code;
}

/* One transition: true for the caller whose CAS made it. */
static bool move(ttb__breaker_slot *s, uint64_t *seen, uint32_t kind, uint64_t deadline) {
  return ttb__cas_rlx(&s->state, seen, ttb__state(ttb__word_gen(*seen) + 1, kind, deadline));
}

/* ---- acquire ---- */

/* Not closed: moves on if time says so. Each turn of the loop follows a
 * transition somebody made. The state is read before the clock, so that a
 * deadline is seldom compared with an older time (I4). */
static TTB__SELDOM int64_t acquire_slow(ttb__breaker *b, ttb__breaker_slot *s, uint32_t slot,
                                        uint64_t now_ns) {
  for (;;) {
    uint64_t w = ttb__load_rlx(&s->state), now = clock_of(b, now_ns);
    uint32_t gen = ttb__word_gen(w);
    switch (ttb__state_kind(w)) {
    case TTB_BREAKER_CLOSED:
    case TTB_BREAKER_DISABLED: return ttb__ticket_pack(slot, gen, b->row, 0);
    case TTB_BREAKER_OPEN:
      if (ttb__state_remaining(w, now, b->open_ms) > 0) return refuse(b, TTB_OPEN);
      move(s, &w, TTB_BREAKER_HALF_OPEN, now + b->lease_ms);
      break;
    case TTB_BREAKER_HALF_OPEN:
      if (ttb__state_remaining(w, now, b->lease_ms) == 0) {
        move(s, &w, TTB_BREAKER_HALF_OPEN, now + b->lease_ms);
      } else {
        int64_t t = ttb__breaker_take_probe(b, s, slot, gen);
        if (t == TTB_HALF_OPEN_FULL) return refuse(b, TTB_HALF_OPEN_FULL);
        if (t >= 0) return t;
      }
      break;
    default: return refuse(b, TTB_OPEN);
    }
  }
}

int64_t ttb_breaker_acquire(ttb_breaker *h, uint32_t slot, uint64_t now_ns) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (!b) return TTB_ERR_MISUSE;
  if (slot >= b->capacity) return TTB_ERR_RANGE;
  ttb__breaker_slot *s = ttb__breaker_slot_at(b, slot);
  uint64_t w = ttb__load_rlx(&s->state);
  if (ttb__state_kind(w) == TTB_BREAKER_CLOSED)
    return ttb__ticket_pack(slot, ttb__word_gen(w), b->row, 0);
  return acquire_slow(b, s, slot, now_ns);
}

/* ---- report ---- */

/* Counts one more in a word of generation gen: how many there are then, 0 if
 * the generation is over. */
static uint64_t count_one(ttb__breaker_slot *s, ttb__a64 *word, uint32_t gen) {
  for (;;) {
    /* acquire: pairs with the release below. Without it a late report could
     * wipe out the count of a later generation. */
    uint64_t w = ttb__load_acq(word);
    if (!ttb__may_write(w, gen, &s->state)) return 0;
    uint64_t n = ttb__count_of(w, gen) + 1;
    if (ttb__cas_rel(word, &w, ttb__count(gen, n))) return n;
  }
}

/* A healthy breaker has no row: this is one load then. */
static void end_row(ttb__breaker_slot *s, uint32_t gen) {
  uint64_t w = ttb__load_rlx(&s->row_of_failures);
  while (ttb__count_of(w, gen) != 0)
    if (ttb__cas_rlx(&s->row_of_failures, &w, ttb__count(gen, 0))) return;
}

static bool rate_is_bad(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t turn) {
  ttb__counts c = ttb__window_sum(ttb__breaker_buckets(b, s), turn);
  return c.calls >= b->min_calls &&
         (uint64_t)c.failures * 1000000 >= (uint64_t)b->failure_rate_ppm * c.calls;
}

/* The turn of now in this generation. */
static uint32_t turn_of(ttb__breaker *b, uint32_t gen, uint64_t now_ns) {
  return ttb__window_turn(b->window_inverse, clock_of(b, now_ns), gen);
}

static int32_t report_success(ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen,
                              uint64_t now_ns) {
  if (b->consecutive > 0) end_row(s, gen);
  if (b->window_inverse) ttb__window_add(ttb__breaker_buckets(b, s), turn_of(b, gen, now_ns), 0);
  return TTB_OK;
}

static TTB__SELDOM int32_t report_failure(ttb__breaker *b, ttb__breaker_slot *s, uint64_t w,
                                          uint64_t now_ns) {
  uint32_t gen = ttb__word_gen(w);
  bool open = false;
  if (b->consecutive > 0)
    open = count_one(s, &s->row_of_failures, gen) >= (uint64_t)b->consecutive;
  if (b->window_inverse) {
    uint32_t turn = turn_of(b, gen, now_ns);
    ttb__window_add(ttb__breaker_buckets(b, s), turn, 1);
    open = open || rate_is_bad(b, s, turn);
  }
  if (!open || !move(s, &w, TTB_BREAKER_OPEN, clock_of(b, now_ns) + b->open_ms)) return TTB_OK;
  ttb__add_rlx(&s->opened, 1);
  return TTB_BREAKER_OPENED;
}

/* The successes of a round are counted even if its last reporter dies before it
 * closes the breaker: the next success then does. */
static int32_t report_probe(ttb__breaker *b, ttb__breaker_slot *s, uint64_t w, bool failed,
                            uint64_t now_ns) {
  if (failed) {
    if (!move(s, &w, TTB_BREAKER_OPEN, clock_of(b, now_ns) + b->open_ms)) return TTB_OK;
    ttb__add_rlx(&s->opened, 1);
    return TTB_BREAKER_REOPENED;
  }
  if (count_one(s, &s->round, ttb__word_gen(w)) < b->successes) return TTB_OK;
  return move(s, &w, TTB_BREAKER_CLOSED, 0) ? TTB_BREAKER_RECLOSED : TTB_OK;
}

static int32_t stale(ttb__breaker *b) {
  ttb__add_rlx(&b->table->stale, 1);
  return TTB_STALE;
}

/* A probe, or a breaker that is not closed. */
static TTB__SELDOM int32_t report_slow(ttb__breaker *b, ttb__breaker_slot *s, uint64_t w,
                                       int64_t ticket, int32_t outcome, uint64_t now_ns) {
  uint32_t kind = ttb__state_kind(w);
  bool is_probe = ttb__ticket_unpack(ticket).permit != 0;
  if (kind == TTB_BREAKER_DISABLED && !is_probe) return TTB_OK;
  /* No other ticket is given out in these states. */
  if (kind != TTB_BREAKER_HALF_OPEN || !is_probe) return stale(b);
  if (!ttb__breaker_give_probe(b, s, ticket)) return stale(b);
  if (outcome >= TTB_IGNORED) return TTB_OK;
  return report_probe(b, s, w, outcome == TTB_FAILURE, now_ns);
}

int32_t ttb_breaker_report(ttb_breaker *h, int64_t ticket, int32_t outcome, uint64_t now_ns) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (!b || ticket < 0) return TTB_ERR_MISUSE;
  ttb__ticket t = ttb__ticket_unpack(ticket);
  if (t.slot >= b->capacity || outcome < TTB_SUCCESS || outcome > TTB_CANCELLED)
    return TTB_ERR_RANGE;

  ttb__breaker_slot *s = ttb__breaker_slot_at(b, t.slot);
  uint64_t w = ttb__load_rlx(&s->state);
  if (ttb__word_gen(w) != t.gen) return stale(b);
  if (t.permit != 0 || ttb__state_kind(w) != TTB_BREAKER_CLOSED)
    return report_slow(b, s, w, ticket, outcome, now_ns);
  if (outcome >= TTB_IGNORED) return TTB_OK;
  if (outcome == TTB_FAILURE) return report_failure(b, s, w, now_ns);
  return report_success(b, s, t.gen, now_ns);
}

/* ---- set ---- */

int32_t ttb_breaker_set(ttb_breaker *h, uint32_t slot, int32_t state, uint64_t now_ns) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (!b) return TTB_ERR_MISUSE;
  if (slot >= b->capacity) return TTB_ERR_RANGE;
  if (state != TTB_BREAKER_CLOSED && state != TTB_BREAKER_OPEN &&
      state != TTB_BREAKER_FORCED_OPEN && state != TTB_BREAKER_DISABLED)
    return TTB_ERR_RANGE;
  ttb__breaker_slot *s = ttb__breaker_slot_at(b, slot);
  uint64_t now = clock_of(b, now_ns), w = ttb__load_rlx(&s->state);
  while (!move(s, &w, (uint32_t)state, state == TTB_BREAKER_OPEN ? now + b->open_ms : 0))
    continue; /* somebody else's transition came between: ours follows it */
  if (state == TTB_BREAKER_OPEN) ttb__add_rlx(&s->opened, 1);
  return TTB_OK;
}
