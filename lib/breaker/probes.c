/* SPDX-License-Identifier: MIT */
/* Half-open probes: permits that name their holder, see I3 in breaker.h.
 *
 * A probe word stands for itself; acquire and release serve only to tell a
 * later round's word from a forgotten one (I2 in breaker.h). */
#include "breaker.h"

/* Outcomes that the round still waits for. */
static uint32_t still_needed(const ttb__breaker *b, const ttb__breaker_slot *s, uint32_t gen) {
  uint64_t w = ttb__load_rlx(&s->round);
  uint64_t done = b->half_calls > 0 ? ttb__round_of(w, gen).calls : ttb__count_of(w, gen);
  uint32_t all = b->half_calls > 0 ? b->half_calls : b->successes;
  return done < all ? all - (uint32_t)done : 0;
}

bool ttb__breaker_has_room(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen) {
  uint32_t out = ttb__breaker_probes_out(b, s, gen), most = b->probes;
  if (b->flags & TTB_BREAKER_PROBES_IN_ALL) {
    uint32_t needed = still_needed(b, s, gen);
    if (needed < most) most = needed;
  }
  return out < most;
}

int64_t ttb__breaker_take_probe(ttb__breaker *b, ttb__breaker_slot *s, uint32_t slot,
                                uint32_t gen) {
  if (b->flags & TTB_BREAKER_PROBES_IN_ALL && !ttb__breaker_has_room(b, s, gen))
    return TTB_HALF_OPEN_FULL;
  for (uint32_t i = 0; i < b->probes; i++) {
    for (;;) {
      /* acquire: pairs with the release below. Without it a caller of a round
       * that is over could take the probe of a later one for a forgotten word,
       * and one probe too many would be out. */
      uint64_t w = ttb__load_acq(&s->probe[i]);
      if (ttb__probe_is_out(w, gen)) break;
      if (!ttb__may_write(w, gen, &s->state)) return TTB_AGAIN;
      uint32_t nonce = ttb__probe_nonce(w) + 1;
      if (ttb__cas_rel(&s->probe[i], &w, ttb__probe(gen, b->row + 1, nonce)))
        return ttb__ticket_pack(slot, gen, b->row, ttb__permit(i, nonce));
    }
  }
  return TTB_HALF_OPEN_FULL;
}

bool ttb__breaker_give_probe(ttb__breaker *b, ttb__breaker_slot *s, int64_t ticket) {
  ttb__ticket t = ttb__ticket_unpack(ticket);
  uint32_t i = ttb__permit_index(t.permit);
  if (i >= b->probes) return false;
  uint64_t w = ttb__load_rlx(&s->probe[i]);
  uint32_t nonce = ttb__probe_nonce(w);
  if (w != ttb__probe(t.gen, t.row + 1, nonce) || ttb__permit(i, nonce) != t.permit) return false;
  return ttb__cas_rlx(&s->probe[i], &w, ttb__probe(t.gen, 0, nonce));
}

uint32_t ttb__breaker_probes_out(const ttb__breaker *b, ttb__breaker_slot *s, uint32_t gen) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < b->probes; i++)
    n += ttb__probe_is_out(ttb__load_rlx(&s->probe[i]), gen);
  return n;
}
