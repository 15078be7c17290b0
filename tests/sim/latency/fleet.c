/* SPDX-License-Identifier: MIT */
/* The fleet, event by event. An endpoint needs no queue of its own: served in
 * order, a call's end follows from when the endpoint is free again. */
#include "fleet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../../lib/base/random.h"

#define START (3600 * SECOND) /* an hour after boot */

typedef struct call {
  uint64_t end, begin;
  int64_t ticket;
  uint32_t endpoint, worker;
  bool ok;
} call;

struct fleet {
  const scenario *s;
  uint32_t n, speeds; /* speeds: their sum */
  bool trouble;       /* it has begun */
  uint64_t free_at[LARGEST];
  uint64_t served[LARGEST]; /* calls of the measured time */
  uint32_t in_flight[LARGEST];
  call *heap; /* calls out, by their end */
  uint32_t calls, room;
};

/* ---- what is where ---- */

static uint32_t speed_of(const scenario *s, uint32_t endpoint) {
  return s->mixed ? 1u << endpoint % 3 : 1;
}
uint32_t fleet_weight(const scenario *s, uint32_t endpoint) {
  return s->told ? speed_of(s, endpoint) : 1;
}
bool fleet_joins_late(const scenario *s, uint32_t endpoint) {
  return s->trouble == JOIN && endpoint % 10 == 9;
}
static bool is_hit(trouble t, uint32_t endpoint) {
  switch (t) {
    case SLOW: return endpoint % 20 == 3;
    case HOLE: return endpoint % 50 == 7;
    case ZONE: return endpoint % ZONES == 2;
    case JOIN: return endpoint % 10 == 9;
    default: return false;
  }
}
static uint64_t measured_from(const scenario *s) {
  return START + (s->trouble == NOTHING || s->trouble == HOT ? WARM : TROUBLE);
}

/* How long a call that would take `length` at mean speed keeps it busy. */
static uint64_t busy_for(const fleet *f, uint32_t endpoint, uint64_t length, uint64_t now) {
  uint64_t ns = length * f->speeds / (f->n * speed_of(f->s, endpoint));
  if (!f->trouble || !is_hit(f->s->trouble, endpoint)) return ns;
  if (f->s->trouble == SLOW) return ns * 10;
  uint64_t age = now - START - TROUBLE;
  if (f->s->trouble == JOIN && age < COLD) return ns + ns * 4 / 1000 * ((COLD - age) / (COLD / 1000));
  return ns;
}

bool fleet_answers(const fleet *f, uint32_t endpoint) {
  return !(f->trouble && f->s->trouble == ZONE && is_hit(ZONE, endpoint));
}
uint32_t fleet_in_flight(const fleet *f, uint32_t endpoint) { return f->in_flight[endpoint]; }
uint64_t fleet_latency(const fleet *f, uint32_t endpoint, uint64_t now) {
  uint64_t wait = f->free_at[endpoint] > now ? f->free_at[endpoint] - now : 0;
  return wait + busy_for(f, endpoint, SERVICE, now);
}

/* ---- draws ---- */

/* Exponential with mean 1, in 2^-32: J. von Neumann's way (1951), by comparing
 * random numbers; needs no logarithm. */
static uint64_t exponential(ttb__random *r) {
  for (uint64_t whole = 0;; whole++) {
    uint64_t first = ttb__random_next(r) >> 32, last = first;
    for (bool odd = true;; odd = !odd) {
      uint64_t next = ttb__random_next(r) >> 32;
      if (next >= last) {
        if (odd) return (whole << 32) + first;
        break;
      }
      last = next;
    }
  }
}
static uint64_t around(ttb__random *r, uint64_t mean) {
  uint64_t x = exponential(r);
  return (x >> 32) * mean + ((x & UINT32_MAX) * mean >> 32);
}

/* ---- the calls that are out ---- */

static bool before(const call *a, const call *b) {
  return a->end != b->end ? a->end < b->end : a->begin < b->begin;
}
static void push(fleet *f, call c) {
  if (f->calls == f->room) {
    f->room = f->room ? 2 * f->room : 1024;
    f->heap = realloc(f->heap, f->room * sizeof *f->heap);
    if (!f->heap) abort();
  }
  uint32_t i = f->calls++;
  while (i > 0 && before(&c, &f->heap[(i - 1) / 2])) {
    f->heap[i] = f->heap[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  f->heap[i] = c;
}
static call pop(fleet *f) {
  call top = f->heap[0], c = f->heap[--f->calls];
  uint32_t i = 0, child;
  while ((child = 2 * i + 1) < f->calls) {
    if (child + 1 < f->calls && before(&f->heap[child + 1], &f->heap[child])) child++;
    if (!before(&f->heap[child], &c)) break;
    f->heap[i] = f->heap[child];
    i = child;
  }
  f->heap[i] = c;
  return top;
}

static void begin(fleet *f, const caller *c, uint32_t worker, uint64_t key, uint64_t length,
                  uint64_t now, outcome *ret) {
  uint32_t e = 0;
  int64_t ticket = c->acquire(c->self, worker, key, now, &e);
  bool measured = now >= measured_from(f->s);
  ret->calls += measured;
  if (ticket < 0) {
    ret->errors += measured;
    return;
  }
  assert(e < f->n);
  f->served[e] += measured;
  f->in_flight[e]++;
  call it = {.begin = now, .ticket = ticket, .endpoint = e, .worker = worker};
  trouble t = f->trouble && is_hit(f->s->trouble, e) ? f->s->trouble : NOTHING;
  uint64_t starts = f->free_at[e] > now ? f->free_at[e] : now;
  if (t == HOLE) {
    it.end = now + 1 * MS;
  } else if (t == ZONE || starts >= now + TIMEOUT) {
    it.end = now + TIMEOUT; /* nobody will begin it */
  } else {
    uint64_t ends = f->free_at[e] = starts + busy_for(f, e, length, now);
    it.ok = ends <= now + TIMEOUT;
    it.end = it.ok ? ends : now + TIMEOUT;
  }
  push(f, it);
}

static void finish(fleet *f, const caller *c, outcome *ret) {
  call it = pop(f);
  uint64_t latency = it.end - it.begin;
  f->in_flight[it.endpoint]--;
  c->report(c->self, it.worker, it.ticket, it.ok, latency, it.end);
  if (it.begin < measured_from(f->s)) return;
  ret->errors += !it.ok;
  if (!it.ok && latency < TIMEOUT) return;
  ret->latency[latency / (MS / 10)]++;
  ret->sum_us += latency / 1000;
}

static void every_100_ms(fleet *f, const caller *c, uint64_t now) {
  if (now == START + TROUBLE) {
    f->trouble = true;
    for (uint32_t e = 0; e < f->n; e++)
      if (fleet_joins_late(f->s, e)) c->add(c->self, e, fleet_weight(f->s, e), now);
  }
  if (now == START + NOTICED && f->s->trouble == ZONE)
    for (uint32_t e = 0; e < f->n; e++)
      if (is_hit(ZONE, e)) c->mark(c->self, e, now);
  c->tick(c->self, now);
}

static void balance(const fleet *f, outcome *ret) {
  uint64_t all = 0, most = 0, least = UINT64_MAX;
  for (uint32_t e = 0; e < f->n; e++) all += f->served[e];
  for (uint32_t e = 0; e < f->n; e++) {
    uint64_t share = f->served[e] * 1000 * f->speeds / (all * speed_of(f->s, e));
    if (share > most) most = share;
    if (share < least) least = share;
  }
  ret->busiest_permille += most;
  ret->idlest_permille += least;
}

void fleet_run(const scenario *s, uint32_t n, uint64_t seed, make_caller *make, const void *how,
               outcome *ret) {
  fleet *f = calloc(1, sizeof *f);
  if (!f) abort();
  f->s = s, f->n = n;
  for (uint32_t e = 0; e < n; e++) f->speeds += speed_of(s, e);

  ttb__random times = ttb__random_start(seed, 1), rest = ttb__random_start(seed, 2);
  uint32_t hot = n < 200 ? 1 : n / 100;
  uint64_t gap = SERVICE * 100 / (n * s->load), tick = START;
  uint64_t next = START + around(&times, gap);
  caller c = make(how, s, f, n, seed, START);
  for (;;) {
    bool more = next < START + LENGTH, ends = f->calls > 0 && (!more || f->heap[0].end <= next);
    if (!more && !ends) break;
    uint64_t event = ends ? f->heap[0].end : next;
    if (tick <= event) {
      every_100_ms(f, &c, tick);
      tick += 100 * MS;
    } else if (ends) {
      finish(f, &c, ret);
    } else {
      uint64_t length = around(&rest, SERVICE), key = ttb__random_next(&rest);
      uint64_t bits = ttb__random_next(&rest);
      uint32_t lot = ttb__scale32((uint32_t)bits, n);
      if (s->trouble == HOT && lot < hot) key = (lot + 1) * UINT64_C(0x9e3779b97f4a7c15);
      begin(f, &c, (uint32_t)(bits >> 32) % CLIENTS, key, length, next, ret);
      next += around(&times, gap);
    }
  }
  c.end(c.self);
  balance(f, ret);
  ret->runs++;
  free(f->heap);
  free(f);
}

uint32_t outcome_quantile(const outcome *o, uint32_t of_10000) {
  uint64_t all = 0, sum = 0;
  for (uint32_t i = 0; i < BUCKETS; i++) all += o->latency[i];
  for (uint32_t i = 0; i < BUCKETS; i++)
    if ((sum += o->latency[i]) * 10000 >= all * of_10000) return i;
  return BUCKETS - 1;
}
