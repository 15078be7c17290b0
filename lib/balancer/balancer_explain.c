/* SPDX-License-Identifier: MIT */
/* Looking at a balancer without touching it: explain, inspect, statistics. */
#include "bounded.h"

#include <string.h>

/* TTB_BALANCER_BY_* of the first cause, or TTB_BALANCER_CHOSEN. */
static int32_t first_cause(uint32_t causes) {
  for (int32_t i = 0; i < 8; i++)
    if (causes >> i & 1) return i + 1 < TTB_BALANCER_BY_WEIGHT ? i + 1 : TTB_BALANCER_BY_WEIGHT;
  return TTB_BALANCER_CHOSEN;
}

static bool describe(const ttb__balancer *b, uint32_t slot, ttb_balancer_info *ret) {
  const ttb__endpoint *e = ttb__endpoint_at(b, slot);
  /* acquire: as lives_in in table.c. */
  uint64_t w = ttb__load_acq(&e->word);
  if (!ttb__word_used(w)) return false;
  *ret = (ttb_balancer_info){
      .slot = slot,
      .id = ttb__load_rlx(&ttb__balancer_ids(b)[slot]),
      .weight = ttb__word_weight(w),
      .in_flight = ttb__in_flight(e, ttb__rows_active(b->rows, b->threads)),
      .causes = ttb__word_causes(w),
      .status = (int32_t)ttb__word_status(w),
      .reason = first_cause(ttb__word_causes(w)),
      .generation = ttb__word_generation(w),
      .zone = ttb__word_zone(w),
      .priority = ttb__word_priority(w),
      .flags = w & TTB__WORD_BACKUP ? TTB_ENDPOINT_BACKUP : 0,
  };
  if (b->flags & TTB_BALANCER_TAGS) ret->tags = ttb__load_rlx(&ttb__balancer_tags(b)[slot]);
  if (b->flags & TTB_BALANCER_CAPS) ret->max_inflight = ttb__load_rlx(&ttb__balancer_caps(b)[slot]);
  return true;
}

/* The pick this thread would make next, worked out on a copy of its handle. */
static int64_t foresee(const ttb__balancer *b, const ttb_pick *pick, uint64_t now_ns,
                       uint32_t *ret_last) {
  ttb__balancer copy = *b;
  copy.now = now_ns;
  if (copy.left == 0) copy.turn = ttb__load_rlx(&copy.table->cursor); /* where it would lease */
  copy.turn += UINT32_MAX - copy.left; /* a lease that does not end: none is taken */
  copy.left = UINT32_MAX;
  ttb__balancer_refresh(&copy, ttb__flip_begin(&copy.table->flip).generation);
  bool plain = !(b->flags & (TTB__BALANCER_SCOPED | TTB__BALANCER_BOUNDED)) && !pick->n_excluded && !pick->zones &&
               !pick->tags && !pick->id;
  if (plain) return copy.algorithm->choose(&copy, pick->hash, NULL);
  int64_t chosen = ttb__balancer_pick(&copy, pick, NULL, 0);
  *ret_last = copy.last;
  return chosen;
}

/* Why an endpoint without causes is not in the scope of a pick, or CHOSEN. */
static int32_t beyond(const ttb__balancer *b, const ttb_pick *p, const ttb_balancer_info *i) {
  uint64_t zones = b->residency & (p->zones ? p->zones : UINT64_MAX);
  for (uint32_t k = 0; k < p->n_excluded; k++)
    if (p->excluded_slots[k] == i->slot) return TTB_BALANCER_EXCLUDED;
  if (!(zones >> i->zone & 1)) return TTB_BALANCER_BY_RESIDENCY;
  if (p->tags & ~i->tags) return TTB_BALANCER_BY_TAGS;
  if (i->max_inflight && i->in_flight >= i->max_inflight) return TTB_BALANCER_FULL;
  return TTB_BALANCER_CHOSEN;
}

/* Why an endpoint that might have been picked was not, by what the pick did. */
static int32_t passed_over(const ttb__balancer *b, const ttb_balancer_info *i, uint32_t last,
                           uint64_t now_ns) {
  bool levels = b->flags & TTB_BALANCER_LEVELS, backup = i->flags & TTB_ENDPOINT_BACKUP;
  uint32_t level = backup ? TTB__BACKUP_LEVEL : i->priority;
  bool degraded = i->status == TTB_STATUS_DEGRADED;
  if (levels && level != TTB_LAST_LEVEL(last)) return TTB_BALANCER_BY_LEVEL;
  if (levels && !(last & TTB_LAST_PANIC) && degraded != ((last & TTB_LAST_DEGRADED) != 0))
    return TTB_BALANCER_BY_LEVEL;
  if (last & (TTB_LAST_LOCAL | TTB_LAST_SPILLED) && i->zone != TTB_LAST_ZONE(last))
    return TTB_BALANCER_BY_ZONE;
  if (b->slow_start_ms) {
    ttb__balancer copy = *b;
    copy.now = now_ns;
    if (ttb__slow_start_share(&copy, i->slot, copy.plan->oldest) < 1000000)
      return TTB_BALANCER_STARTING;
  }
  if (b->flags & TTB__BALANCER_BOUNDED && !(last & (TTB_LAST_PANIC | TTB_LAST_DEGRADED))) {
    ttb__balancer copy = *b;
    ttb__scope x = {0};
    ttb__bound_scope(&copy, copy.plan, levels ? level : 0, &x);
    uint64_t w = ttb__load_rlx(&ttb__endpoint_at(b, i->slot)->word);
    if (ttb__is_over_bound(b, i->slot, w, &x)) return TTB_BALANCER_OVER_BOUND;
  }
  return TTB_BALANCER_NOT_CHOSEN;
}

int32_t ttb_balancer_explain_with(const ttb_balancer *h, const ttb_pick *pick, uint64_t now_ns,
                                  ttb_balancer_info *ret_rows, uint32_t n) {
  ttb_pick p;
  const ttb__balancer *b = ttb__balancer_of(h);
  if (!b || (n > 0 && !ret_rows)) return TTB_ERR_MISUSE;
  int32_t code = ttb__pick_read(b, pick, &p);
  if (code < 0) return code;
  uint32_t stride = n > 0 ? ret_rows->struct_size : 0;
  if (n > 0 && (stride < ttb__balancer_info_fields.first_size || stride > 4096))
    return TTB_ERR_RANGE;
  bool joined = b->row != TTB__NO_ROW;
  uint32_t last = 0;
  int64_t chosen = joined ? foresee(b, &p, now_ns, &last) : TTB_NO_ENDPOINT;
  uint32_t count = 0;
  for (uint32_t slot = 0; slot < b->capacity; slot++) {
    ttb_balancer_info i;
    if (!describe(b, slot, &i)) continue;
    if (count++ >= n) continue;
    bool is_it = joined && ttb_ticket_slot(chosen) == (int32_t)slot;
    if (is_it)
      i.reason = TTB_BALANCER_CHOSEN; /* a draining one that was asked for, too */
    else if (i.reason == TTB_BALANCER_CHOSEN)
      i.reason = beyond(b, &p, &i);
    if (i.reason == TTB_BALANCER_CHOSEN && joined && !is_it)
      i.reason = chosen < 0 ? TTB_BALANCER_NOT_CHOSEN : passed_over(b, &i, last, now_ns);
    unsigned char *row = (unsigned char *)ret_rows + (uint64_t)(count - 1) * stride;
    memcpy(row, &stride, sizeof stride);
    (void)ttb__struct_write(&ttb__balancer_info_fields, &i, row);
  }
  return (int32_t)count;
}

int32_t ttb_balancer_explain(const ttb_balancer *h, uint64_t hash, const uint32_t *excluded,
                             uint32_t n_excluded, ttb_balancer_info *ret_rows, uint32_t n) {
  ttb_pick pick = {.struct_size = sizeof pick,
                   .hash = hash,
                   .excluded_slots = excluded,
                   .n_excluded = n_excluded};
  return ttb_balancer_explain_with(h, &pick, 0, ret_rows, n);
}

int32_t ttb_balancer_inspect(const ttb_balancer *h, uint32_t slot, ttb_balancer_info *ret) {
  ttb_balancer_info i;
  const ttb__balancer *b = ttb__balancer_of(h);
  if (!b || !ret) return TTB_ERR_MISUSE;
  if (slot >= b->capacity) return TTB_ERR_RANGE;
  if (!describe(b, slot, &i)) return TTB_ERR_UNKNOWN_ID;
  return ttb__struct_write(&ttb__balancer_info_fields, &i, ret);
}

int32_t ttb_balancer_statistics(const ttb_balancer *h, ttb_balancer_stats *ret) {
  const ttb__balancer *b = ttb__balancer_of(h);
  if (!b || !ret) return TTB_ERR_MISUSE;
  ttb_balancer_stats s = {.capacity = b->capacity};
  uint32_t active = ttb__rows_active(b->rows, b->threads);
  for (uint32_t slot = 0; slot < b->capacity; slot++) {
    const ttb__endpoint *e = ttb__endpoint_at(b, slot);
    uint64_t w = ttb__load_rlx(&e->word);
    s.endpoints += ttb__word_used(w);
    s.eligible += ttb__word_eligible(w);
    s.in_flight += ttb__in_flight(e, active);
  }
  for (uint32_t i = 0; i < b->threads; i++)
    s.joined += ttb__row_state(ttb__load_rlx(&b->rows->row[i])) == TTB__ROW_LIVE;
  ttb__flip_view v = ttb__flip_begin(&b->table->flip);
  do {
    const ttb__copy *copy = ttb__balancer_part(b, b->copies_at[v.copy]);
    s.table_length = ttb__flip_get32(&copy->length);
    s.weight_error_ppm = (int32_t)ttb__flip_get32(&copy->error_ppm);
  } while (ttb__flip_again(&b->table->flip, &v));
  s.stale = ttb__load_rlx(&b->table->stale);
  s.rebuilds = ttb__load_rlx(&b->table->rebuilds);
  s.panics = ttb__load_rlx(&b->table->panics);
  return ttb__struct_write(&ttb__balancer_stats_fields, &s, ret);
}
