/* SPDX-License-Identifier: MIT */
/* The owner lock: one writer at a time, and the dead one's lock goes on.
 *
 * One word {sequence 24 | token 40} that names its holder; token 0 is nobody.
 * After nginx' shared-memory mutex (ngx_shmtx_force_unlock: the word holds the
 * process, and who learns of its death releases it) and robust futexes.
 *
 * I1  The holder stands in the word: no second word can contradict it.
 * I2  Nobody waits. TTB_AGAIN means another writer has it; try later.
 * I3  Every holder sees what all earlier holders wrote before their unlock,
 *     also if one in between was killed while it held the lock.
 * I4  Takeover decides by compare-and-swap on the newest value, so of many who
 *     take a dead process' lock over exactly one gets it.
 * I5  Each change of holder takes a new sequence, so an exchange never takes a
 *     later holding of the same token for the one it looked at.
 *
 * Takeover is for those who know that the process is dead (`recover`): what a
 * dead holder wrote half is its successor's to rebuild (flip.h, I4). */
#ifndef TTB_LIB_BASE_LOCK_H
#define TTB_LIB_BASE_LOCK_H

#include <trimtab/base.h>

#include "atomic.h"

/* In the region. All zero is valid: nobody holds it. */
typedef struct ttb__lock {
  ttb__a64 word;
} ttb__lock;

/* Who holds it in a word read from one; 0 is nobody. */
static inline uint64_t ttb__lock_holder(uint64_t word) { return word & TTB_MAX_TOKEN; }

/* The word that follows `word` when `token` becomes the holder. */
static inline uint64_t ttb__lock_next(uint64_t word, uint64_t token) {
  return ((word >> 40) + 1) << 40 | token;
}

/* Takes a free lock. 0, or TTB_AGAIN. */
static inline int32_t ttb__lock_try(ttb__lock *lock, uint64_t token) {
  uint64_t seen = ttb__load_rlx(&lock->word);
  if (ttb__lock_holder(seen) != 0) return TTB_AGAIN;
  /* acquire: pairs with ttb__lock_unlock. Without it the new holder may miss
   * what the last one wrote (I3). */
  return ttb__cas_acq(&lock->word, &seen, ttb__lock_next(seen, token)) ? TTB_OK : TTB_AGAIN;
}

/* Gives it back. 0, or TTB_ERR_MISUSE if token does not hold it. */
static inline int32_t ttb__lock_unlock(ttb__lock *lock, uint64_t token) {
  uint64_t seen = ttb__load_rlx(&lock->word); /* the holder's own last store */
  if (ttb__lock_holder(seen) != token) return TTB_ERR_MISUSE;
  /* release: pairs with ttb__lock_try, and through a holder that was killed
   * (its compare-and-swap continues the release sequence) with
   * ttb__lock_takeover. Without it what was written under the lock may not be
   * seen by the next holder (I3). */
  uint64_t freed = seen & ~TTB_MAX_TOKEN;
  return ttb__cas_rel(&lock->word, &seen, freed) ? TTB_OK : TTB_ERR_MISUSE;
}

/* Takes it from a dead process. 0, or TTB_AGAIN if that one does not hold it:
 * it never did, or somebody else took it over. */
static inline int32_t ttb__lock_takeover(ttb__lock *lock, uint64_t dead, uint64_t token) {
  /* newest: a plain load may not have seen that the dead one took it (I4). */
  uint64_t seen = ttb__newest_rlx(&lock->word);
  if (ttb__lock_holder(seen) != dead) return TTB_AGAIN;
  /* acquire: pairs with the last ttb__lock_unlock before the dead holder (I3). */
  return ttb__cas_acq(&lock->word, &seen, ttb__lock_next(seen, token)) ? TTB_OK : TTB_AGAIN;
}

#endif
