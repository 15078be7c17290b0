/* SPDX-License-Identifier: MIT */
/* Consistent hashing on a circle: D. Karger et al., "Consistent Hashing and
 * Random Trees" (STOC 1997). Each endpoint has points on the circle of all
 * positions; a key belongs to the first point at or after its own position.
 *
 * I1  Points are sorted in place in the idle copy: a heapsort, whose indices
 *     depend on nothing it reads, so hostile bytes cannot lead it astray.
 * I2  An ineligible endpoint keeps its points: nothing is rebuilt. Its keys go on
 *     to the next point of somebody eligible, each always to the same one, and
 *     come back; other keys do not move.
 * I3  It refuses only if nobody may be picked: whoever has no point at all (its
 *     weight was too small for one) is found by slot, as the last resort. */
#include "circle.h"

typedef struct point {
  uint64_t position;
  uint32_t slot;
} point;

static point get(const ttb__a32 *entry, uint32_t i) {
  const ttb__a32 *at = &entry[TTB__CIRCLE_WORDS * (uint64_t)i];
  return (point){(uint64_t)ttb__load_rlx(&at[0]) << 32 | ttb__load_rlx(&at[1]),
                 ttb__load_rlx(&at[2])};
}

static void put(ttb__a32 *entry, uint32_t i, point p) {
  ttb__a32 *at = &entry[TTB__CIRCLE_WORDS * (uint64_t)i];
  ttb__flip_put32(&at[0], (uint32_t)(p.position >> 32));
  ttb__flip_put32(&at[1], (uint32_t)p.position);
  ttb__flip_put32(&at[2], p.slot);
}

void ttb__circle_add(ttb__circle *c, uint64_t position, uint32_t slot) {
  if (c->n < c->room) put(c->entry, c->n++, (point){position, slot});
}

static bool point_after(point a, point b) {
  return a.position == b.position ? a.slot > b.slot : a.position > b.position;
}

static void sink_point(ttb__a32 *entry, uint32_t k, uint32_t n) {
  point p = get(entry, k);
  for (uint32_t child = 2 * k + 1; child < n; k = child, child = 2 * k + 1) {
    point larger = get(entry, child);
    if (child + 1 < n) {
      point other = get(entry, child + 1);
      if (point_after(other, larger)) larger = other, child++;
    }
    if (!point_after(larger, p)) break;
    put(entry, k, larger);
  }
  put(entry, k, p);
}

void ttb__circle_sort(ttb__circle *c) {
  uint32_t n = c->n;
  for (uint32_t k = n / 2; k-- > 0;) sink_point(c->entry, k, n);
  while (n > 1) {
    point top = get(c->entry, 0);
    put(c->entry, 0, get(c->entry, --n));
    put(c->entry, n, top);
    sink_point(c->entry, 0, n);
  }
}

/* ---- lookup ---- */

static inline uint64_t position_of(const ttb__a32 *entry, uint32_t i) {
  const ttb__a32 *at = &entry[TTB__CIRCLE_WORDS * (uint64_t)i];
  return (uint64_t)ttb__flip_get32(&at[0]) << 32 | ttb__flip_get32(&at[1]);
}

/* Points are hashes, so the one sought lies about where it would if they were
 * evenly spread. From there doubling steps find two points around it, however
 * they are spread; then it is halved. Before low all are before position, high
 * is not (or is n). */
uint32_t ttb__circle_find(const ttb__a32 *entry, uint32_t n, uint64_t position) {
  uint32_t low = 0, high = n, guess = (uint32_t)ttb__mulhi(position, n);
  if (position_of(entry, guess) < position) {
    low = guess + 1;
    for (uint32_t step = 16; step < n - low; low += step + 1, step *= 2) {
      if (position_of(entry, low + step) < position) continue;
      high = low + step;
      break;
    }
  } else {
    high = guess;
    for (uint32_t step = 16; step <= high; high -= step, step *= 2) {
      if (position_of(entry, high - step) >= position) continue;
      low = high - step + 1;
      break;
    }
  }
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (position_of(entry, middle) < position) low = middle + 1;
    else high = middle;
  }
  return low < n ? low : 0;
}

int64_t ttb__choose_near(const ttb__balancer *b, uint32_t from, const ttb__scope *x) {
  for (int round = 0; round < 2; round++) {
    uint32_t begin = round ? 0 : from, end = round && from < b->capacity ? from : b->capacity;
    for (uint32_t s = ttb__balancer_next(b, begin, x); s < end;
         s = ttb__balancer_next(b, s + 1, x)) {
      uint64_t w = ttb__eligible_word(b, s, x);
      if (w) return ttb__candidate(s, w);
    }
  }
  return TTB_NO_ENDPOINT;
}

int64_t ttb__choose_on_circle(ttb__balancer *b, uint64_t position, const ttb__scope *x) {
  const ttb__a32 *entry = b->seen->entry;
  uint32_t n = b->seen_length, room = b->entries / TTB__CIRCLE_WORDS;
  if (n > room) n = room;
  if (n == 0) return TTB_NO_ENDPOINT;
  uint32_t at = ttb__circle_find(entry, n, position);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t slot = ttb__circle_slot(entry, at);
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (w) return ttb__candidate(slot, w);
    if (i == ttb__balancer_tries(b, x) && !ttb__balancer_any(b, x)) return TTB_NO_ENDPOINT;
    at = at + 1 == n ? 0 : at + 1;
  }
  return ttb__choose_near(b, ttb__scale32((uint32_t)(position >> 32), b->capacity), x);
}

/* ---- who puts points there ---- */

static bool slot_after(const ttb__balancer *b, uint32_t i, uint32_t j) {
  const ttb__a64 *ids = ttb__balancer_ids(b);
  uint32_t last = b->capacity - 1;
  return ttb__load_rlx(&ids[i < last ? i : last]) > ttb__load_rlx(&ids[j < last ? j : last]);
}

static void sink_slot(const ttb__balancer *b, uint32_t *order, uint32_t k, uint32_t n) {
  uint32_t slot = order[k];
  for (uint32_t child = 2 * k + 1; child < n; k = child, child = 2 * k + 1) {
    if (child + 1 < n && slot_after(b, order[child + 1], order[child])) child++;
    if (!slot_after(b, order[child], slot)) break;
    order[k] = order[child];
  }
  order[k] = slot;
}

ttb__roster ttb__roster_by_id(const ttb__roster *r, uint32_t *order) {
  uint32_t n = r->n;
  for (uint32_t i = 0; i < n; i++) order[i] = ttb__roster_slot(r, i);
  for (uint32_t k = n / 2; k-- > 0;) sink_slot(r->b, order, k, n);
  while (n > 1) {
    uint32_t top = order[0];
    order[0] = order[--n];
    order[n] = top;
    sink_slot(r->b, order, 0, n);
  }
  return (ttb__roster){r->b, order, r->n, r->old};
}

uint32_t ttb__decimal(char *to, uint64_t n) {
  char digits[20];
  uint32_t length = 0;
  do digits[length++] = (char)('0' + n % 10);
  while ((n /= 10) != 0);
  for (uint32_t i = 0; i < length; i++) to[i] = digits[length - 1 - i];
  return length;
}
