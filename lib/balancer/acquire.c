/* SPDX-License-Identifier: MIT */
/* Acquire and report: what surrounds an algorithm's choice. Counting is by the
 * rules of cells, I3 in balancer.h.
 *
 * All accesses but those of tables are relaxed: a cell and an eligibility word
 * each stand for themselves, and publish nothing else. */
#include "bounded.h"
#include "load_weights.h"
#include "tickets.h"

TTB__SELDOM static int32_t stale(ttb__balancer *b) {
  ttb__add_rlx(&b->table->stale, 1);
  return TTB_STALE;
}

/* ---- counting ---- */

static uint32_t tag_of(int64_t ticket) { return (uint32_t)(ticket >> 20) << TTB__CELL_TAG; }

/* A cell with one more. What it counted for an earlier generation is void. */
static uint32_t one_more(uint32_t cell, uint32_t tag) {
  return ((cell ^ tag) >> TTB__CELL_TAG ? tag : cell) + 1;
}

/* Whether it counts any of this generation; and then with one less. */
static bool counts(uint32_t cell, uint32_t tag) {
  return (cell ^ tag) >> TTB__CELL_TAG == 0 && (cell & TTB__CELL_COUNT) != 0;
}
static uint32_t one_less(uint32_t cell) {
  return (cell - 1) & TTB__CELL_COUNT ? cell - 1 : 0;
}

/* What becomes void by counting one more. */
static uint32_t voided(uint32_t cell, uint32_t tag) {
  return (cell ^ tag) >> TTB__CELL_TAG ? cell & TTB__CELL_COUNT : 0;
}

/* Each increment and decrement exists for the sole owner of a cell and for
 * several threads of its process. Counting returns the cell as it was. */
static uint32_t count(ttb__a32 *cell, uint32_t tag) {
  uint32_t seen = ttb__load_rlx(cell);
  ttb__store_rlx(cell, one_more(seen, tag));
  return seen;
}
static uint32_t count_shared(ttb__a32 *cell, uint32_t tag) {
  uint32_t seen = ttb__load_rlx(cell);
  while (!ttb__cas_rlx(cell, &seen, one_more(seen, tag))) continue;
  return seen;
}
static inline bool uncount(ttb__a32 *cell, uint32_t tag) {
  uint32_t seen = ttb__load_rlx(cell);
  if (!counts(seen, tag)) return false;
  ttb__store_rlx(cell, one_less(seen));
  return true;
}
static bool uncount_shared(ttb__a32 *cell, uint32_t tag) {
  uint32_t seen = ttb__load_rlx(cell);
  while (counts(seen, tag))
    if (ttb__cas_rlx(cell, &seen, one_less(seen))) return true;
  return false;
}

/* ---- acquire ---- */

/* Whatever the tickets are, and for algorithms that look on. */
static int64_t take_carefully(ttb__balancer *b, int64_t candidate) {
  int64_t ticket = candidate | b->ticket;
  if (b->flags & TTB_BALANCER_CHECK_TICKETS) ticket = ttb__ticket_issue(b, candidate);
  if (ticket < 0) return ticket;
  uint32_t slot = (uint32_t)candidate & TTB__GEN_MASK;
  if (b->tracked) {
    ttb__a32 *cell = ttb__cell_at(b, slot, b->row);
    uint32_t tag = tag_of(ticket);
    bool moving = b->flags & TTB_BALANCER_MOVING_TICKETS;
    uint32_t before = moving ? count_shared(cell, tag) : count(cell, tag);
    if (b->flags & TTB__BALANCER_BOUNDED) ttb__bound_count(b, b->row, 1, voided(before, tag));
  }
  if (b->algorithm->took) b->algorithm->took(b, slot);
  return ticket;
}

/* The rule of flips: a table that changed meanwhile is read again, twice at the
 * most; whatever was read last, the eligibility word has confirmed it. */
TTB__SELDOM static int64_t choose_again(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  int64_t candidate = TTB_NO_ENDPOINT;
  for (int tries = 0; tries < TTB__FLIP_RETRIES; tries++) {
    candidate = b->algorithm->choose(b, hash, x);
    if (ttb__balancer_seen(b)) break;
  }
  return candidate;
}

int64_t ttb__choose_of_table(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  (void)ttb__balancer_seen(b);
  int64_t candidate = b->algorithm->choose(b, hash, x);
  return ttb__balancer_seen(b) ? candidate : choose_again(b, hash, x);
}

/* Whatever is not the plain pick with plain tickets. */
TTB__SELDOM static int64_t acquire_carefully(ttb__balancer *b, const ttb_pick *pick,
                                             const int64_t *tickets, uint32_t n_tickets,
                                             uint64_t now_ns) {
  b->now = now_ns;
  int64_t candidate = ttb__balancer_pick(b, pick, tickets, n_tickets);
  if (b->last & TTB_LAST_PANIC) (void)ttb__add_rlx(&b->table->panics, 1);
  return candidate < 0 ? candidate : take_carefully(b, candidate);
}

TTB__SELDOM static int64_t acquire_by_config(ttb__balancer *b, uint64_t hash) {
  ttb_pick pick = {.hash = hash};
  if (b->flags & TTB__BALANCER_SCOPED) return acquire_carefully(b, &pick, NULL, 0, b->now);
  b->last = 0;
  int64_t candidate = b->flags & TTB__BALANCER_BOUNDED ? ttb__choose_bounded(b, hash)
                                                       : ttb__choose_of_table(b, hash, NULL);
  return candidate < 0 ? candidate : take_carefully(b, candidate);
}

static inline int64_t acquire(ttb__balancer *b, uint64_t hash, uint64_t now_ns) {
  b->now = now_ns;
  if (b->flags & (TTB__BALANCER_CAREFUL | TTB__BALANCER_SCOPED)) return acquire_by_config(b, hash);
  b->last = 0;
  (void)ttb__balancer_seen(b);
  int64_t candidate = b->algorithm->choose(b, hash, NULL);
  if (!ttb__balancer_seen(b)) candidate = choose_again(b, hash, NULL);
  if (candidate < 0) return candidate;
  if (b->tracked) {
    (void)count(ttb__cell_at(b, (uint32_t)candidate & TTB__GEN_MASK, b->row), tag_of(candidate));
  }
  return candidate | b->ticket;
}

int64_t ttb_balancer_acquire(ttb_balancer *h, uint64_t hash, uint64_t now_ns) {
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b) return TTB_ERR_MISUSE;
  return acquire(b, hash, now_ns);
}

int64_t ttb_balancer_acquire_except(ttb_balancer *h, uint64_t hash, const uint32_t *slots,
                                    uint32_t n, uint64_t now_ns) {
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b || (n > 0 && !slots)) return TTB_ERR_MISUSE;
  if (n == 0) return acquire(b, hash, now_ns);
  ttb_pick pick = {.hash = hash, .excluded_slots = slots, .n_excluded = n};
  return acquire_carefully(b, &pick, NULL, 0, now_ns);
}

int64_t ttb_balancer_acquire_with(ttb_balancer *h, const ttb_pick *pick, uint64_t now_ns) {
  ttb_pick p;
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b) return TTB_ERR_MISUSE;
  int32_t code = ttb__pick_read(b, pick, &p);
  return code < 0 ? code : acquire_carefully(b, &p, NULL, 0, now_ns);
}

int32_t ttb_balancer_acquire_distinct(ttb_balancer *h, const ttb_pick *pick, uint32_t k,
                                      uint64_t now_ns, int64_t *ret_tickets) {
  ttb_pick p;
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b || !ret_tickets) return TTB_ERR_MISUSE;
  if (k < 1 || k > b->capacity) return TTB_ERR_RANGE;
  int32_t code = ttb__pick_read(b, pick, &p), granted = 0;
  if (code < 0) return code;
  int64_t t = 0;
  for (uint32_t i = 0; i < k; i++) {
    if (t >= 0) t = acquire_carefully(b, &p, ret_tickets, i, now_ns);
    granted += t >= 0;
    ret_tickets[i] = t;
    p.id = 0; /* asked for once */
  }
  return granted;
}

int32_t ttb_balancer_last(const ttb_balancer *h) {
  const ttb__balancer *b = ttb__balancer_joined(h);
  return b ? (int32_t)b->last : TTB_ERR_MISUSE;
}

int32_t ttb_balancer_acquire_n(ttb_balancer *h, const uint64_t *hashes, uint32_t n,
                               uint64_t now_ns, int64_t *ret_tickets) {
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b || n > INT32_MAX || (n > 0 && !ret_tickets)) return TTB_ERR_MISUSE;
  int32_t granted = 0;
  for (uint32_t i = 0; i < n; i++) {
    ret_tickets[i] = acquire(b, hashes ? hashes[i] : 0, now_ns);
    granted += ret_tickets[i] >= 0;
  }
  return granted;
}

/* ---- report ---- */

/* Whether the slot is still of the ticket's generation. */
static inline bool lives(const ttb__balancer *b, ttb__ticket t) {
  return ttb__word_generation(ttb__load_rlx(&ttb__endpoint_at(b, t.slot)->word)) == t.gen;
}

/* Whether the ticket's row is this handle's, or (moving tickets) a live row of
 * its process; and whether the ticket is of the row's present life. */
static bool of_our_row(const ttb__balancer *b, ttb__ticket t) {
  if (t.row >= b->threads) return false;
  uint64_t word = b->mine.word;
  if (t.row != b->row) {
    if (!(b->flags & TTB_BALANCER_MOVING_TICKETS)) return false;
    word = ttb__load_rlx(&b->rows->row[t.row]);
    if (ttb__row_state(word) != TTB__ROW_LIVE ||
        ttb__row_token(word) != ttb__row_token(b->mine.word))
      return false;
  }
  return b->flags & TTB_BALANCER_CHECK_TICKETS ||
         t.permit == (ttb__row_incarnation(word) & TTB__MAX_PERMIT);
}

/* Whether the ticket was out, and is so no more. */
static inline bool untake(ttb__balancer *b, int64_t ticket, ttb__ticket t) {
  if (b->tracked) {
    ttb__a32 *cell = ttb__cell_at(b, t.slot, t.row);
    bool moving = b->flags & TTB_BALANCER_MOVING_TICKETS;
    return moving ? uncount_shared(cell, tag_of(ticket)) : uncount(cell, tag_of(ticket));
  }
  if (b->flags & (TTB_BALANCER_MOVING_TICKETS | TTB_BALANCER_CHECK_TICKETS)) return true;
  return lives(b, t);
}

TTB__SELDOM static int32_t report_carefully(ttb__balancer *b, int64_t ticket, ttb__ended *e) {
  ttb__ticket t = ttb__ticket_unpack(ticket);
  if (!of_our_row(b, t)) return stale(b);
  if (b->flags & TTB_BALANCER_CHECK_TICKETS && !ttb__ticket_redeem(b, ticket)) return stale(b);
  if (!untake(b, ticket, t)) return stale(b);
  if (b->flags & TTB__BALANCER_BOUNDED) ttb__bound_count(b, t.row, 0, 1);
  if (!(b->flags & (TTB__BALANCER_HOOKED | TTB_BALANCER_LOAD_WEIGHTS)) || !lives(b, t)) return TTB_OK;
  if (b->algorithm->observe) b->algorithm->observe(b, e);
  if (e->load && b->flags & TTB_BALANCER_LOAD_WEIGHTS) ttb__load_heard(b, e);
  return TTB_OK;
}

static inline int32_t report(ttb__balancer *b, int64_t ticket, int32_t outcome,
                             uint64_t latency_ns, const ttb_load *load, uint64_t now_ns) {
  uint32_t slot = (uint32_t)ticket & TTB__GEN_MASK;
  if (slot >= b->capacity || (uint32_t)outcome > TTB_SLOW_FAILURE) return TTB_ERR_RANGE;
  if (b->flags & TTB__BALANCER_CAREFUL) {
    if (outcome == TTB_SLOW_FAILURE) outcome = TTB_FAILURE; /* algorithms know no other */
    return report_carefully(b, ticket, &(ttb__ended){slot, outcome, latency_ns, now_ns, load});
  }
  if ((ticket ^ b->ticket) >> 40) return stale(b); /* row and permit */
  if (b->tracked)
    return uncount(ttb__cell_at(b, slot, b->row), tag_of(ticket)) ? TTB_OK : stale(b);
  return lives(b, ttb__ticket_unpack(ticket)) ? TTB_OK : stale(b);
}

int32_t ttb_balancer_report(ttb_balancer *h, int64_t ticket, int32_t outcome, uint64_t latency_ns,
                            uint64_t now_ns) {
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b || ticket < 0) return TTB_ERR_MISUSE;
  return report(b, ticket, outcome, latency_ns, NULL, now_ns);
}

int32_t ttb_balancer_report_load(ttb_balancer *h, int64_t ticket, int32_t outcome,
                                 uint64_t latency_ns, const ttb_load *load, uint64_t now_ns) {
  ttb_load l;
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b || ticket < 0) return TTB_ERR_MISUSE;
  if (load) {
    int32_t code = ttb__config_read(&ttb__balancer_load_fields, load, &l, -1, NULL);
    if (code < 0) return code;
    load = &l;
  }
  return report(b, ticket, outcome, latency_ns, load, now_ns);
}

int32_t ttb_balancer_report_n(ttb_balancer *h, const int64_t *tickets, const int32_t *outcomes,
                              const uint64_t *latencies_ns, uint32_t n, uint64_t now_ns,
                              int32_t *ret_codes) {
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b || n > INT32_MAX || (n > 0 && !tickets)) return TTB_ERR_MISUSE;
  int32_t ended = 0;
  for (uint32_t i = 0; i < n; i++) {
    int32_t code = TTB_ERR_MISUSE;
    if (tickets[i] >= 0)
      code = report(b, tickets[i], outcomes ? outcomes[i] : TTB_SUCCESS,
                    latencies_ns ? latencies_ns[i] : 0, NULL, now_ns);
    if (ret_codes) ret_codes[i] = code;
    ended += code == TTB_OK;
  }
  return ended;
}

int64_t ttb_balancer_next(ttb_balancer *h, int64_t ticket, int32_t outcome, uint64_t latency_ns,
                          uint64_t hash, uint64_t now_ns) {
  ttb__balancer *b = ttb__balancer_joined(h);
  if (!b) return TTB_ERR_MISUSE;
  if (ticket >= 0) (void)report(b, ticket, outcome, latency_ns, NULL, now_ns);
  return acquire(b, hash, now_ns);
}
