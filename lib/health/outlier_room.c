/* SPDX-License-Identifier: MIT */
/* Whether one more may be ejected: how many are stands in one word, so that an
 * ejection looks at its own target and at this, not at the whole table.
 *
 *     room = changes 11 | epoch 11 | targets in use 21 | ejected 21
 *
 * Who wants to eject takes a place here first, then marks its target, then has the
 * mark kept; who takes a mark away gives the place back. A caller that is killed
 * in between leaves a place too many taken. Each sweep counts the marks themselves
 * and, if it finds another number, puts that in: a new epoch (outlier_count.c).
 *
 * I1  As many places are taken as there are marks, or more; of targets in use no
 *     more are counted than there are. So a limit holds at each moment, not only
 *     once all is done.
 * I2  A new epoch replaces the very word that stood when its count began: each
 *     change moves `changes` on, so it fails if there was one. What began in one
 *     epoch and ends in another does not know whether the count saw it, and takes
 *     it for the worse: who ejects takes a place once more (keep), who gives back
 *     gives none (give).
 * I3  What is too many is so until the next epoch. One too few, until then, is
 *     only what nobody is left to put right: a caller killed in the moment between
 *     a mark that a count missed and its being kept; one that stood still for just
 *     2048 epochs; 2048 changes while one count goes on. */
#include "health.h"

bool ttb__outlier_allowed(const ttb__outlier_params *p, ttb__outlier_tally n) {
  uint64_t most = (uint64_t)p->max_ppm * n.enabled, one = 1000000;
  if (n.enabled < (uint64_t)n.ejected + p->min_kept) return false;
  if (p->profile == TTB_HEALTH_EJECT_GRPC) return n.ejected > 0 && (n.ejected - 1) * one < most;
  return n.ejected * one <= most || (n.ejected == 1 && (p->flags & TTB_HEALTH_EJECT_ONE) != 0);
}

/* One more than in w; it fits, for so many are in use. */
static bool one_more_allowed(const ttb__health *t, uint64_t w) {
  ttb__outlier_tally n = ttb__room_numbers(w);
  n.ejected++;
  return ttb__outlier_allowed(&t->outlier, n);
}

/* acquire: pairs with the release of a new epoch. What its count did not see yet
 * must not have been changed before this load, or it would be taken for seen. */
uint32_t ttb__room_epoch(const ttb__health *t) {
  return ttb__room_epoch_of(ttb__load_acq(&t->ejections->room));
}

bool ttb__room_take(ttb__health *t, uint32_t *ret_epoch) {
  uint64_t w = ttb__load_rlx(&t->ejections->room);
  do {
    if (!one_more_allowed(t, w)) return false;
  } while (!ttb__cas_rlx(&t->ejections->room, &w, w + TTB__ROOM_CHANGE + TTB__ROOM_EJECTED));
  *ret_epoch = ttb__room_epoch_of(w);
  return true;
}

/* release: pairs with the acquire of a count. Who counts after this must see the
 * mark that stands by now; without it, it would be taken for a place left behind. */
bool ttb__room_keep(ttb__health *t, uint32_t epoch) {
  uint64_t w = ttb__load_rlx(&t->ejections->room), next;
  do {
    bool again = ttb__room_epoch_of(w) != epoch;
    if (again && !one_more_allowed(t, w)) return false;
    next = w + TTB__ROOM_CHANGE + (again ? TTB__ROOM_EJECTED : 0);
  } while (!ttb__cas_rel(&t->ejections->room, &w, next));
  return true;
}

void ttb__room_give(ttb__health *t, uint32_t epoch) {
  uint64_t w = ttb__load_rlx(&t->ejections->room);
  do {
    if (ttb__room_epoch_of(w) != epoch || ttb__room_numbers(w).ejected == 0) return;
  } while (!ttb__cas_rlx(&t->ejections->room, &w, w + TTB__ROOM_CHANGE - TTB__ROOM_EJECTED));
}

void ttb__room_enabled(ttb__health *t, uint32_t epoch) {
  uint64_t w = ttb__load_rlx(&t->ejections->room);
  do {
    if (ttb__room_epoch_of(w) != epoch || ttb__room_numbers(w).enabled >= t->capacity) return;
  } while (!ttb__cas_rlx(&t->ejections->room, &w, w + TTB__ROOM_CHANGE + TTB__ROOM_ENABLED));
}

/* Fewer in use is the worse: counted in any epoch. release: as in keep, who counts
 * after this must not take it for one in use. */
void ttb__room_disabled(ttb__health *t) {
  uint64_t w = ttb__load_rlx(&t->ejections->room);
  do {
    if (ttb__room_numbers(w).enabled == 0) return;
  } while (!ttb__cas_rel(&t->ejections->room, &w, w + TTB__ROOM_CHANGE - TTB__ROOM_ENABLED));
}

bool ttb__room_is_kept(const ttb__health *t) {
  ttb__outlier_tally n = ttb__room_numbers(ttb__load_rlx(&t->ejections->room));
  return n.ejected == 0 || ttb__outlier_allowed(&t->outlier, n);
}
