/* SPDX-License-Identifier: MIT */
/* Half-open probes: permits that name their holder, see I3 in breaker.h.
 *
 * A probe word stands for itself; acquire and release serve only to tell a
 * later round's word from a forgotten one (I2 in breaker.h). */
#include "breaker.h"

int64_t ttb__breaker_take_probe(ttb__breaker *b, ttb__breaker_slot *s, uint32_t slot,
                                uint32_t gen) {
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
