/* SPDX-License-Identifier: MIT */
/* Consistent hashing on a circle: D. Karger et al., "Consistent Hashing and
 * Random Trees" (STOC 1997). Each endpoint has points on the circle of all
 * positions; a key belongs to the first point at or after its own position.
 *
 * I1  Points are sorted in place in the idle copy, by a byte at a time from the
 *     highest on ("American flag sort", P. McIlroy, K. Bostic, M. McIlroy,
 *     "Engineering Radix Sort", 1993). Loops are bounded and indices are checked,
 *     whatever a hostile neighbour writes meanwhile.
 * I2  An ineligible endpoint keeps its points: nothing is rebuilt. Its keys go on
 *     to the next point of somebody eligible, each always to the same one, and
 *     come back; other keys do not move.
 * I3  It refuses only if nobody may be picked: whoever has no point at all (its
 *     weight was too small for one) is found by slot, as the last resort. */
#include "circle.h"

/* Points that are sorted by insertion. */
#define FEW 24u

typedef struct point {
  uint64_t position;
  uint32_t slot;
} point;

/* While the circle is built a hand is the slot alone. */
static point get(const ttb__circle *c, uint32_t i) {
  const ttb__a32 *at = &c->entry[2 * ((uint64_t)c->room + i) + 2];
  return (point){(uint64_t)ttb__load_rlx(&at[0]) << 32 | ttb__load_rlx(&at[1]),
                 ttb__load_rlx(&c->entry[i])};
}

static void put(const ttb__circle *c, uint32_t i, point p) {
  ttb__a32 *at = &c->entry[2 * ((uint64_t)c->room + i) + 2];
  ttb__flip_put32(&at[0], (uint32_t)(p.position >> 32));
  ttb__flip_put32(&at[1], (uint32_t)p.position);
  ttb__flip_put32(&c->entry[i], p.slot);
}

void ttb__circle_add(ttb__circle *c, uint64_t position, uint32_t slot) {
  if (c->n < c->room) put(c, c->n++, (point){position, slot});
}

static inline uint32_t arc_of(const ttb__circle *c, uint64_t position) {
  return (uint32_t)(position >> 1 >> (63 - c->bits));
}
static inline uint32_t byte_of(uint64_t position, uint32_t level) {
  return (uint32_t)(position >> (56 - 8 * level)) & 255;
}
static inline uint32_t hand_of(const ttb__circle *c, uint64_t position) {
  return (uint32_t)(position << c->bits >> 52);
}

/* ---- sorting ---- */

static bool point_after(point a, point b) {
  return a.position == b.position ? a.slot > b.slot : a.position > b.position;
}

static void sink_point(const ttb__circle *c, uint32_t base, uint32_t k, uint32_t n) {
  point p = get(c, base + k);
  for (uint32_t child = 2 * k + 1; child < n; k = child, child = 2 * k + 1) {
    point larger = get(c, base + child);
    if (child + 1 < n) {
      point other = get(c, base + child + 1);
      if (point_after(other, larger)) larger = other, child++;
    }
    if (!point_after(larger, p)) break;
    put(c, base + k, larger);
  }
  put(c, base + k, p);
}

static void sort_many(const ttb__circle *c, uint32_t base, uint32_t n) {
  for (uint32_t k = n / 2; k-- > 0;) sink_point(c, base, k, n);
  while (n > 1) {
    point top = get(c, base);
    put(c, base, get(c, base + --n));
    put(c, base + n, top);
    sink_point(c, base, 0, n);
  }
}

static void sort_few(const ttb__circle *c, uint32_t base, uint32_t n) {
  for (uint32_t i = 1; i < n; i++) {
    point p = get(c, base + i), before;
    uint32_t k = i;
    for (; k > 0 && point_after(before = get(c, base + k - 1), p); k--) put(c, base + k, before);
    if (k < i) put(c, base + k, p);
  }
}

/* Sorts n points from `from` on, whose positions agree in the first `level` bytes:
 * by their next byte, each to its place, then those of each byte. */
static void sort_points(const ttb__circle *c, uint32_t from, uint32_t n, uint32_t level) {
  uint32_t head[256], end[256] = {0}, begin = from, swaps = 0;
  if (n <= FEW || level == 8) {
    if (n <= FEW) sort_few(c, from, n);
    else sort_many(c, from, n);
    return;
  }
  for (uint32_t i = 0; i < n; i++) end[byte_of(get(c, from + i).position, level)]++;
  for (uint32_t d = 0; d < 256; d++) {
    head[d] = begin;
    begin += end[d];
    end[d] = begin;
  }
  for (uint32_t d = 0; d < 256; d++) {
    while (head[d] < end[d]) {
      point p = get(c, head[d]);
      uint32_t home = byte_of(p.position, level), to = head[home]++;
      if (home == d) continue;
      if (to >= from + n || swaps++ == n) return; /* hostile memory */
      put(c, head[d], get(c, to));
      put(c, to, p);
    }
  }
  for (uint32_t d = 0; d < 256; d++) {
    uint32_t first = d ? end[d - 1] : from;
    if (end[d] - first > 1) sort_points(c, first, end[d] - first, level + 1);
  }
}

void ttb__circle_sort(ttb__circle *c) {
  ttb__a32 *index = &c->entry[(uint64_t)c->room + 1];
  sort_points(c, 0, c->n, 0);
  for (c->bits = 0; 2u << c->bits <= c->n;) c->bits++;
  uint32_t arcs = 1u << c->bits, begun = 0;
  for (uint32_t i = 0; i < c->n; i++) {
    point p = get(c, i);
    uint32_t arc = arc_of(c, p.position);
    for (; begun <= arc; begun++) ttb__flip_put32(&index[begun], i);
    ttb__flip_put32(&c->entry[i], hand_of(c, p.position) << 20 | (p.slot & TTB__GEN_MASK));
  }
  for (; begun <= arcs; begun++) ttb__flip_put32(&index[begun], c->n);
  if (c->n) ttb__flip_put32(&c->entry[c->n], ttb__load_rlx(&c->entry[0]));
}

/* ---- lookup ---- */

/* Where hands are equal, or there are many in the arc. */
TTB__SELDOM static uint32_t find_exactly(const ttb__circle *c, uint64_t position, uint32_t at,
                                         uint32_t end) {
  for (; at < end && at < c->n; at++) {
    const ttb__a32 *word = &c->entry[2 * ((uint64_t)c->room + at) + 2];
    uint64_t there = (uint64_t)ttb__flip_get32(&word[0]) << 32 | ttb__flip_get32(&word[1]);
    if (there >= position) break;
  }
  return at < c->n ? at : 0;
}

/* An arc holds one or two points. The first four hands are compared all, so that
 * the processor has nothing to guess. */
uint32_t ttb__circle_find(const ttb__circle *c, uint64_t position) {
  const ttb__a32 *index = &c->entry[(uint64_t)c->room + 1 + arc_of(c, position)];
  uint32_t at = ttb__flip_get32(&index[0]), end = ttb__flip_get32(&index[1]);
  uint32_t hand = hand_of(c, position) << 20;
  if (at > c->n) at = c->n; /* hostile memory, as end below */
  const ttb__a32 *there = &c->entry[at];
  uint32_t n = end - at, before = (n > 0) & (ttb__flip_get32(&there[0]) < hand);
  before += (n > 1) & (ttb__flip_get32(&there[1]) < hand);
  before += (n > 2) & (ttb__flip_get32(&there[2]) < hand);
  before += (n > 3) & (ttb__flip_get32(&there[3]) < hand);
  bool unclear = (ttb__flip_get32(&there[before]) ^ hand) >> 20 == 0 || before == 4;
  if (unclear && before < n) return find_exactly(c, position, at, end);
  return at + before < c->n ? at + before : 0;
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
  ttb__circle c = {.entry = (ttb__a32 *)(uintptr_t)b->seen->entry, .n = b->seen_length,
                   .room = ttb__circle_room(b), .bits = b->seen_bits};
  uint32_t n = c.n;
  if (n == 0 || n > c.room) return TTB_NO_ENDPOINT;
  uint32_t at = ttb__circle_find(&c, position);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t slot = ttb__circle_slot(&c, at);
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
