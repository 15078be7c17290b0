/* SPDX-License-Identifier: MIT */
/* Stabilisation windows: the lowest and the highest recent proposal.
 *
 * The HPA (stabilizeRecommendationWithBehaviors in horizontal.go of Kubernetes)
 * scans all recommendations that are younger than the window. Here each window
 * is a monotone queue: a ring of entries whose times rise and whose values fall
 * (down window) or rise (up window) from the front to the back. The front is
 * the extremum; an entry that a newer one equals or exceeds can never be it
 * again and is dropped. Same answers, one step a proposal on the average.
 *
 * I1  The queue word alone says which entries count. An entry is written before
 *     the word that includes it. A writer killed in between has at the most
 *     overwritten an entry that its own proposal made superfluous, by that
 *     proposal; what stands behind it is lower (higher) and older, so it
 *     leaves with it and never binds.
 * I2  A full ring (evaluations come faster than tick_ms) gives the newest entry
 *     the time of the new proposal and keeps its value: that holds longer,
 *     never shorter.
 * I3  Head and count are bounded by the handle's number before use. */
#include "autoscaler.h"

typedef struct queue {
  ttb__a64 *entry;
  uint32_t head, count, room;
} queue;

static queue open_queue(const ttb__direction *d, ttb__autoscaler_slot *s, uint32_t way) {
  /* acquire: pairs with close_queue, so that who reads beside the writer (explain)
   * or after it sees the entries the word speaks of. */
  uint64_t w = ttb__load_acq(&s->queue[way]);
  queue q = {s->entry + d->window_at, (uint32_t)(w >> 32), (uint32_t)w, d->window_entries};
  if (q.head >= q.room || q.count > q.room) q.head = q.count = 0;
  return q;
}

static void close_queue(ttb__autoscaler_slot *s, uint32_t way, const queue *q) {
  /* release: pairs with open_queue. */
  ttb__store_rel(&s->queue[way], (uint64_t)q->head << 32 | q->count);
}

static uint32_t place(const queue *q, uint32_t i) {
  uint32_t at = q->head + i;
  return at < q->room ? at : at - q->room;
}

static void drop_old(queue *q, uint32_t window_ms, uint64_t now) {
  while (q->count > 0 && ttb__entry_age(ttb__load_rlx(&q->entry[q->head]), now) >= window_ms) {
    q->head = place(q, 1);
    q->count--;
  }
}

static void push(const ttb__direction *d, ttb__autoscaler_slot *s, uint32_t way, int32_t value,
                 uint64_t now) {
  if (d->window_ms == 0) return;
  queue q = open_queue(d, s, way);
  drop_old(&q, d->window_ms, now);
  while (q.count > 0) {
    int32_t back = ttb__entry_value(ttb__load_rlx(&q.entry[place(&q, q.count - 1)]));
    if (way == TTB__DOWN ? back > value : back < value) break;
    q.count--;
  }
  if (q.count == q.room) {
    ttb__a64 *back = &q.entry[place(&q, q.count - 1)];
    ttb__store_rlx(back, ttb__entry(ttb__entry_value(ttb__load_rlx(back)), now));
    ttb__tally(&s->merged);
  } else {
    ttb__store_rlx(&q.entry[place(&q, q.count)], ttb__entry(value, now));
    q.count++;
  }
  close_queue(s, way, &q);
}

void ttb__window_remember(const ttb__autoscaler *a, ttb__autoscaler_slot *s, int32_t value,
                          uint64_t now) {
  push(&a->way[TTB__UP], s, TTB__UP, value, now);
  push(&a->way[TTB__DOWN], s, TTB__DOWN, value, now);
}

bool ttb__window_bound(const ttb__direction *d, ttb__autoscaler_slot *s, uint32_t way,
                       uint64_t now, int32_t *ret_value, uint64_t *ret_age) {
  if (d->window_ms == 0) return false;
  queue q = open_queue(d, s, way);
  drop_old(&q, d->window_ms, now);
  if (q.count == 0) return false;
  uint64_t w = ttb__load_rlx(&q.entry[q.head]);
  *ret_value = ttb__entry_value(w);
  *ret_age = ttb__entry_age(w, now);
  return true;
}

uint32_t ttb__window_count(const ttb__direction *d, ttb__autoscaler_slot *s, uint32_t way) {
  return d->window_ms == 0 ? 0 : open_queue(d, s, way).count;
}
