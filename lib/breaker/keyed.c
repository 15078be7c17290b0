/* SPDX-License-Identifier: MIT */
/* A breaker a key: routes, tenants, endpoints that come and go. The table of
 * keys is that of ../base/keys.h.
 *
 * I1  A slot may change its key when the key has not been asked for during
 *     key_idle_ms and the breaker waits for nothing: closed, or its open time or
 *     round over. Who was forced open or disabled by hand stays.
 * I2  With its key a slot changes its generation: what calls of the old key
 *     still report is stale. */
#include "../base/keys.h"
#include "breaker.h"

static bool at_rest(const void *table, uint32_t slot, uint64_t now_ms) {
  const ttb__breaker *b = table;
  uint64_t w = ttb__load_rlx(&ttb__breaker_slot_at(b, slot)->state);
  uint32_t kind = ttb__state_kind(w);
  if (kind == TTB_BREAKER_DISABLED || kind == TTB_BREAKER_FORCED_OPEN) return false;
  return ttb__breaker_left(b, w, now_ms) == 0;
}

static uint32_t mark(const void *table, uint32_t slot) {
  return ttb__word_gen(ttb__load_rlx(&ttb__breaker_slot_at(table, slot)->state));
}

/* Closed, in a generation after the mark's. */
static void renew(void *table, uint32_t slot, uint32_t mark_before, uint64_t now_ms) {
  const ttb__breaker *b = table;
  uint64_t as_new = ttb__breaker_closed(b, 0, now_ms);
  ttb__breaker_slot *s = ttb__breaker_slot_at(table, slot);
  uint64_t w = ttb__load_rlx(&s->state);
  while (ttb__state_kind(w) != TTB_BREAKER_CLOSED || (ttb__word_gen(w) & 0xffff) == mark_before) {
    /* release: pairs with ttb_breaker_acquire_key. Without it a ticket of the
     * new generation could be given to a caller with the old key. */
    if (!ttb__cas_rel(&s->state, &w, ttb__count(ttb__word_gen(w) + 1, as_new))) continue;
    ttb__store_rlx(&s->opened, 0); /* for people: a kill before this is no harm */
    return;
  }
}

static const ttb__keys_of of = {at_rest, mark, renew};

/* The key's slot; claims one if there is none. */
static int32_t claim(ttb__breaker *b, uint64_t key, uint64_t now_ns) {
  uint64_t now = ttb__clock_now(&b->region->clock, now_ns);
  int32_t slot = ttb__keys_find(&b->keys, key);
  if (slot < 0) return ttb__keys_claim(&b->keys, &of, b, key, now);
  ttb__keys_touch(&b->keys, (uint32_t)slot, now);
  return slot;
}

int32_t ttb_breaker_claim(ttb_breaker *h, uint64_t key, uint64_t now_ns) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (!b || !b->keys.key) return TTB_ERR_MISUSE;
  if (!ttb__key_is_valid(key)) return TTB_ERR_RANGE;
  return claim(b, key, now_ns);
}

int32_t ttb_breaker_find(const ttb_breaker *h, uint64_t key) {
  const ttb__breaker *b = ttb__breaker_of(h);
  if (!b || !b->keys.key) return TTB_ERR_MISUSE;
  if (!ttb__key_is_valid(key)) return TTB_ERR_RANGE;
  return ttb__keys_find(&b->keys, key);
}

int64_t ttb_breaker_acquire_key(ttb_breaker *h, uint64_t key, uint64_t now_ns) {
  ttb__breaker *b = ttb__breaker_of(h);
  if (!b || !b->keys.key) return TTB_ERR_MISUSE;
  if (!ttb__key_is_valid(key)) return TTB_ERR_RANGE;
  for (uint32_t tries = 0; tries < 4; tries++) {
    int32_t slot = claim(b, key, now_ns);
    if (slot < 0) return slot;
    int64_t t = ttb_breaker_acquire(h, (uint32_t)slot, now_ns);
    /* acquire: pairs with the release in renew. If the ticket is of a generation
     * that a new key began, the key is seen to have gone. */
    (void)ttb__load_acq(&ttb__breaker_slot_at(b, (uint32_t)slot)->state);
    if (ttb__load_rlx(&b->keys.key[slot]) == key) return t;
    if (t >= 0) (void)ttb_breaker_report(h, t, TTB_CANCELLED, now_ns);
  }
  return TTB_AGAIN;
}

int32_t ttb_breaker_acquire_key_n(ttb_breaker *h, const uint64_t *keys, uint32_t n,
                                  uint64_t now_ns, int64_t *ret_tickets) {
  const ttb__breaker *b = ttb__breaker_of(h);
  if (!b || !b->keys.key || n > INT32_MAX || (n > 0 && (!keys || !ret_tickets)))
    return TTB_ERR_MISUSE;
  int32_t granted = 0;
  for (uint32_t i = 0; i < n; i++) {
    ret_tickets[i] = ttb_breaker_acquire_key(h, keys[i], now_ns);
    granted += ret_tickets[i] >= 0;
  }
  return granted;
}
