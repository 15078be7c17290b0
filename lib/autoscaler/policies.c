/* SPDX-License-Identifier: MIT */
/* Policies: how far a direction may go in a period.
 *
 * After calculateScaleUpLimitWithScalingRules, calculateScaleDownLimit... and
 * storeScaleEvent in horizontal.go of Kubernetes. The count at the start of a
 * period is the present one less the changes up, plus the changes down, that
 * are younger than the period; policies allow so much from there.
 *
 * I1  A change is one word. A new one takes the place of the last entry that is
 *     older than its direction's longest period, else the next free place: the
 *     rule of the HPA, which shows when a policy of the other direction looks
 *     further back. The count word rises after the entry is written.
 * I2  Without a place (evaluations faster than tick_ms) the change is added to
 *     the newest entry: it counts longer, never shorter. */
#include "autoscaler.h"

static uint32_t used_entries(const ttb__direction *d, ttb__autoscaler_slot *s, uint32_t way) {
  /* acquire: pairs with the release in ttb__policies_book. */
  uint64_t n = ttb__load_acq(&s->changes[way]);
  return n < d->change_entries ? (uint32_t)n : d->change_entries;
}

uint32_t ttb__policies_count(const ttb__direction *d, ttb__autoscaler_slot *s, uint32_t way) {
  return used_entries(d, s, way);
}

int64_t ttb__policies_sum(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                          uint32_t period_ms, uint64_t now) {
  const ttb__direction *d = &a->way[way];
  const ttb__a64 *entry = s->entry + d->changes_at;
  uint32_t n = used_entries(d, s, way);
  int64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t w = ttb__load_rlx(&entry[i]);
    if (ttb__entry_age(w, now) < period_ms) sum += ttb__entry_value(w);
  }
  return sum;
}

/* start * factor: up to the next integer (up), or cut (down). */
static int64_t percent_of(const ttb__scaled_policy *p, uint32_t way, int64_t start) {
  bool below = (start < 0) != (p->negative != 0);
  uint64_t size = start < 0 ? (uint64_t)-start : (uint64_t)start;
  ttb__fp x = ttb__fp_mul(ttb__fp_int(size), p->factor);
  if (below) return -ttb__fp_floor(x);
  return way == TTB__UP ? ttb__fp_ceil(x) : ttb__fp_floor(x);
}

ttb__allowance ttb__policies_ask(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                                 int32_t current, uint64_t now) {
  const ttb__direction *d = &a->way[way];
  ttb__allowance best = {current, -1, 0};
  if (d->select == TTB_AUTOSCALER_SELECT_DISABLED) return best;
  /* "max" means the largest change: the highest count up, the lowest down. */
  bool highest = (d->select == TTB_AUTOSCALER_SELECT_MAX) == (way == TTB__UP);
  for (uint32_t i = 0; i < d->policies_n; i++) {
    const ttb__scaled_policy *p = &d->policies[i];
    int64_t net = 0;
    if (!(a->flags & TTB_AUTOSCALER_LEGACY) && p->type != TTB_AUTOSCALER_UP_TO)
      net = ttb__policies_sum(a, s, TTB__UP, p->period_ms, now) -
            ttb__policies_sum(a, s, TTB__DOWN, p->period_ms, now);
    int64_t start = current - net, step = way == TTB__UP ? p->value : -(int64_t)p->value;
    int32_t limit = p->type == TTB_AUTOSCALER_UP_TO ? p->value
                    : ttb__saturate32(p->type == TTB_AUTOSCALER_PERCENT
                                          ? percent_of(p, way, start)
                                          : start + step);
    if (best.policy >= 0 && (highest ? limit <= best.limit : limit >= best.limit)) continue;
    best = (ttb__allowance){limit, (int32_t)i, ttb__saturate32(way == TTB__UP ? net : -net)};
  }
  return best;
}

void ttb__policies_book(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                        int32_t change, uint64_t time) {
  const ttb__direction *d = &a->way[way];
  if (d->longest_ms == 0) return; /* nobody asks */
  ttb__a64 *entry = s->entry + d->changes_at;
  uint32_t n = used_entries(d, s, way), old = n, newest = 0;
  uint64_t youngest = UINT64_MAX;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t age = ttb__entry_age(ttb__load_rlx(&entry[i]), time);
    if (age > d->longest_ms) old = i;
    if (age < youngest) youngest = age, newest = i;
  }
  if (old < n) {
    ttb__store_rlx(&entry[old], ttb__entry(change, time));
  } else if (n < d->change_entries) {
    ttb__store_rlx(&entry[n], ttb__entry(change, time));
    /* release: pairs with used_entries. */
    ttb__store_rel(&s->changes[way], n + 1);
  } else {
    int64_t sum = (int64_t)ttb__entry_value(ttb__load_rlx(&entry[newest])) + change;
    ttb__store_rlx(&entry[newest], ttb__entry(ttb__few(sum), time));
    ttb__tally(&s->merged);
  }
}

int64_t ttb__policies_next(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                           uint64_t now) {
  const ttb__direction *d = &a->way[way];
  int64_t next = INT64_MAX;
  if (d->select == TTB_AUTOSCALER_SELECT_DISABLED) return next;
  for (uint32_t list = TTB__UP; list <= TTB__DOWN; list++) {
    const ttb__a64 *entry = s->entry + a->way[list].changes_at;
    uint32_t n = used_entries(&a->way[list], s, list);
    for (uint32_t i = 0; i < n; i++) {
      uint64_t age = ttb__entry_age(ttb__load_rlx(&entry[i]), now);
      for (uint32_t k = 0; k < d->policies_n; k++) {
        int64_t left = (int64_t)d->policies[k].period_ms - (int64_t)age;
        if (left > 0 && left < next) next = left;
      }
    }
  }
  return next;
}

int64_t ttb__policies_leaves(const ttb__autoscaler *a, ttb__autoscaler_slot *s, uint32_t way,
                             uint32_t span_ms, uint64_t now, bool latest) {
  const ttb__a64 *entry = s->entry + a->way[way].changes_at;
  uint32_t n = used_entries(&a->way[way], s, way);
  int64_t found = INT64_MAX;
  for (uint32_t i = 0; i < n; i++) {
    int64_t left = (int64_t)span_ms - (int64_t)ttb__entry_age(ttb__load_rlx(&entry[i]), now);
    if (left > 0 && (found == INT64_MAX || (latest ? left > found : left < found))) found = left;
  }
  return found;
}
