/* SPDX-License-Identifier: MIT */
/* A pool's events, and its rows for people.
 *
 *     record = now | id | slot 32, kind 32 | value | token | 0 | 0 */
#include "pool.h"

#include <string.h>

void ttb__pool_event(ttb__pool *p, int32_t kind, uint32_t slot, uint64_t id, int64_t value,
                     uint64_t now_ns) {
  const ttb__balancer *b = ttb__balancer_of(&p->balancer);
  const uint64_t words[TTB__RING_WORDS] = {
      now_ns, id, (uint64_t)slot << 32 | (uint32_t)kind, (uint64_t)value,
      ttb__row_token(b->mine.word), 0, 0};
  (void)ttb__ring_put(p->ring, p->shift, b->row, words); /* a dropped one is counted there */
}

void ttb__pool_event_of(ttb__pool *p, int32_t kind, uint32_t slot, int64_t value,
                        uint64_t now_ns) {
  ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
  uint64_t id = ttb_balancer_inspect(&p->balancer, slot, &i) == TTB_OK ? i.id : 0;
  ttb__pool_event(p, kind, slot, id, value, now_ns);
}

/* Others may have written nonsense, and readers index their arrays by these. */
static bool is_event(const ttb__pool *p, const uint64_t *words) {
  uint64_t slot = words[2] >> 32, kind = words[2] & UINT32_MAX;
  return slot < p->capacity && kind >= TTB_POOL_ADDED && kind <= TTB_POOL_LIMITED;
}

int32_t ttb_pool_events(const ttb_pool *h, uint64_t *cursor, ttb_pool_event *ret_events, uint32_t n,
                        uint64_t *ret_lost) {
  const ttb__pool *p = ttb__pool_of(h);
  uint64_t words[TTB__RING_WORDS], lost = 0;
  if (!p || !cursor || n > INT32_MAX || (n > 0 && !ret_events)) return TTB_ERR_MISUSE;
  uint32_t got = 0;
  while (got < n && ttb__ring_get(p->ring, p->shift, cursor, words, &lost) > 0) {
    if (!is_event(p, words)) {
      lost++;
      continue;
    }
    ret_events[got++] = (ttb_pool_event){.now_ns = words[0],
                                         .id = words[1],
                                         .slot = (uint32_t)(words[2] >> 32),
                                         .kind = (int32_t)(uint32_t)words[2],
                                         .value = (int64_t)words[3],
                                         .token = words[4]};
  }
  if (ret_lost) *ret_lost += lost;
  return (int32_t)got;
}

/* ---- rows ---- */

/* A pool's row begins as a balancer's: explain lets the balancer write its part
 * into the caller's rows and puts the rest over it. */
_Static_assert(offsetof(ttb_pool_info, weight) == offsetof(ttb_balancer_info, weight) &&
                   offsetof(ttb_pool_info, generation) == offsetof(ttb_balancer_info, generation) &&
                   offsetof(ttb_pool_info, weight_64ths) == offsetof(ttb_balancer_info, zone),
               "the row of a balancer, and more");

/* Completes the balancer's row in b and writes it over ret. */
static int32_t complete(const ttb__pool *p, const ttb_balancer_info *b, uint64_t now_ns,
                        ttb_pool_info *ret) {
  ttb_breaker_info br = TTB_CONFIG(ttb_breaker_info);
  ttb_health_info he = TTB_CONFIG(ttb_health_info);
  (void)ttb_breaker_explain(&p->breaker, b->slot, now_ns, &br);
  (void)ttb_health_explain(&p->health, b->slot, now_ns, &he);
  ttb_pool_info i = {.slot = b->slot,
                     .id = b->id,
                     .weight = ttb__pool_weight(p, b),
                     .in_flight = b->in_flight,
                     .causes = b->causes,
                     .status = he.status,
                     .reason = b->reason,
                     .generation = b->generation,
                     .weight_64ths = b->weight,
                     .breaker = br.state,
                     .retry_after_ms = br.retry_after_ms,
                     .eject_left_ms = he.eject_left_ms};
  return ttb__struct_write(&ttb__pool_info_fields, &i, ret);
}

int32_t ttb_pool_inspect(const ttb_pool *h, uint32_t slot, uint64_t now_ns, ttb_pool_info *ret) {
  const ttb__pool *p = ttb__pool_of(h);
  if (!p || !ret) return TTB_ERR_MISUSE;
  ttb_balancer_info b = TTB_CONFIG(ttb_balancer_info);
  int32_t code = ttb_balancer_inspect(&p->balancer, slot, &b);
  return code < 0 ? code : complete(p, &b, now_ns, ret);
}

int32_t ttb_pool_explain(const ttb_pool *h, uint64_t hash, const uint32_t *excluded_slots,
                         uint32_t n_excluded, uint64_t now_ns, ttb_pool_info *ret_rows,
                         uint32_t n) {
  const ttb__pool *p = ttb__pool_of(h);
  if (!p || (n > 0 && !ret_rows)) return TTB_ERR_MISUSE;
  uint32_t stride = n > 0 ? ret_rows[0].struct_size : (uint32_t)sizeof *ret_rows;
  if (stride < sizeof *ret_rows || stride % 8 != 0) return TTB_ERR_RANGE;
  int32_t there = ttb_balancer_explain(&p->balancer, hash, excluded_slots, n_excluded,
                                       (ttb_balancer_info *)(void *)ret_rows, n);
  for (uint32_t i = 0; there > 0 && i < (uint32_t)there && i < n; i++) {
    unsigned char *row = (unsigned char *)ret_rows + (uint64_t)stride * i;
    ttb_balancer_info b = TTB_CONFIG(ttb_balancer_info);
    memcpy(&b, row, offsetof(ttb_balancer_info, zone));
    int32_t code = complete(p, &b, now_ns, (ttb_pool_info *)(void *)row);
    if (code < 0) return code;
  }
  return there;
}

int32_t ttb_pool_statistics(const ttb_pool *h, ttb_pool_stats *ret) {
  const ttb__pool *p = ttb__pool_of(h);
  if (!p || !ret) return TTB_ERR_MISUSE;
  ttb_balancer_stats b = TTB_CONFIG(ttb_balancer_stats);
  int32_t code = ttb_balancer_statistics(&p->balancer, &b);
  if (code < 0) return code;
  ttb_pool_stats s = {.capacity = p->capacity,
                      .endpoints = b.endpoints,
                      .eligible = b.eligible,
                      .joined = b.joined,
                      .in_flight = b.in_flight,
                      .stale = b.stale,
                      .refused = ttb__load_rlx(&p->table->refused),
                      .events = ttb__ring_now(p->ring),
                      .events_dropped = ttb__ring_dropped(p->ring),
                      .limited = ttb__pool_limits_refused(p)};
  return ttb__struct_write(&ttb__pool_stats_fields, &s, ret);
}
