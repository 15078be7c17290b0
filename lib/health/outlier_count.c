/* SPDX-License-Identifier: MIT */
/* How many targets are in use and how many of them ejected, by looking at each:
 * what a sweep puts into the room word (outlier_room.c, I2) when the two differ.
 *
 * They differ once a caller was killed between a place and its mark, or between a
 * target and its number; by ones that are between the two right now; or if a
 * neighbour wrote nonsense.
 *
 * I1  The count is put in only if nobody changed the word while it went on; else
 *     it is made again, three times in all. If it still fails the numbers stay
 *     until the next sweep: on the safe side.
 * I2  Marks are read by plain loads: whoever had one counted (keep) before the
 *     word was read here is seen, whoever has it counted later makes the swap
 *     fail or finds another epoch. */
#include "health.h"

ttb__outlier_tally ttb__outlier_count(const ttb__health *t) {
  ttb__outlier_tally n = {0, 0};
  for (uint32_t i = 0; i < t->capacity; i++) {
    uint64_t w = ttb__load_rlx(&t->slots[i].state);
    if (!ttb__target_enabled(w)) continue;
    n.enabled++;
    n.ejected += ttb__eject_is(ttb__load_rlx(&t->outliers[i].eject), ttb__target_gen(w));
  }
  return n;
}

/* The word with other numbers, in the next epoch. */
static uint64_t next_epoch(uint64_t w, ttb__outlier_tally n) {
  uint64_t epoch = (ttb__room_epoch_of(w) + 1) & 2047;
  return (w & ~(TTB__ROOM_CHANGE - 1)) | epoch << 42 | (uint64_t)n.enabled << 21 | n.ejected;
}

void ttb__room_count(ttb__health *t) {
  for (int tries = 0; tries < 3; tries++) {
    /* acquire: pairs with keep and disabled, whose marks are to be seen. */
    uint64_t w = ttb__load_acq(&t->ejections->room);
    ttb__outlier_tally n = ttb__outlier_count(t), was = ttb__room_numbers(w);
    if (n.enabled == was.enabled && n.ejected == was.ejected) return;
    /* release: pairs with ttb__room_epoch. */
    if (ttb__cas_rel(&t->ejections->room, &w, next_epoch(w, n))) return;
  }
}
