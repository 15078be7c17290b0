/* SPDX-License-Identifier: MIT */
/* The event ring: put, get, recover. The rules are in ring.h. */
#include "ring.h"

static uint64_t claim_word(uint64_t lap, uint32_t holder) { return lap << 16 | holder; }
static uint64_t claim_lap(uint64_t claim) { return claim >> 16; }
static uint32_t claim_holder(uint64_t claim) { return (uint32_t)claim & 0xffffu; }

/* The lap and the record of a position. */
static uint64_t lap_of(uint64_t position, uint32_t shift) { return (position >> shift) + 1; }
static uint64_t index_of(uint64_t position, uint32_t shift) {
  return position & ((UINT64_C(1) << shift) - 1);
}

/* Claims a record for `lap`: an older one that nobody is writing (keeps I1). */
static bool claim(ttb__ring_record *record, uint64_t lap, uint32_t row) {
  uint64_t seen = ttb__load_rlx(&record->claim);
  uint32_t holder = claim_holder(seen);
  if (claim_lap(seen) >= lap) return false;
  if (holder != 0 && holder != TTB__RING_GONE) return false;
  /* acquire: pairs with the publication in `fill`. Without it the payload of
   * the lap before may settle over the one written now. */
  return ttb__cas_acq(&record->claim, &seen, claim_word(lap, row + 1));
}

static void fill(ttb__ring_record *record, uint64_t lap, const uint64_t *event) {
  /* release: pairs with the acquire loads in `copy`. A reader that meets a word
   * of this lap also learns of its claim, so that its last look at the claim
   * word differs from its first (I3). */
  for (uint32_t i = 0; i < TTB__RING_WORDS; i++) ttb__store_rel(&record->word[i], event[i]);
  /* release: pairs with the first load in `copy`: published means written (I3),
   * and with `claim` of the next lap. */
  ttb__store_rel(&record->claim, claim_word(lap, 0));
}

int32_t ttb__ring_put(ttb__ring *ring, uint32_t shift, uint32_t row,
                      const uint64_t event[TTB__RING_WORDS]) {
  uint64_t head = ttb__load_rlx(&ring->head);
  for (uint32_t i = 0; i < TTB__RING_TRIES; i++) {
    ttb__ring_record *record = &ring->record[index_of(head, shift)];
    uint64_t lap = lap_of(head, shift);
    bool mine = claim(record, lap, row);
    /* Ours or another's: this position is taken (I2). release: pairs with the
     * load of the head in ttb__ring_get. Without it a reader may see that the
     * head has passed, but not the claim, and report a loss that is none. */
    if (ttb__cas_rel(&ring->head, &head, head + 1)) head++;
    if (mine) {
      fill(record, lap, event);
      return TTB_OK;
    }
  }
  (void)ttb__add_rlx(&ring->dropped, 1);
  return TTB_AGAIN;
}

/* Copies the record if it is published for `lap`; *ret_claim is the claim word
 * to judge by if it is not. */
static bool copy(const ttb__ring_record *record, uint64_t lap, uint64_t *event,
                 uint64_t *ret_claim) {
  uint64_t word[TTB__RING_WORDS];
  /* acquire: pairs with the publication in `fill`. Without it the payload may
   * still be that of an earlier lap. */
  *ret_claim = ttb__load_acq(&record->claim);
  if (*ret_claim != claim_word(lap, 0)) return false;
  /* acquire: pairs with the payload stores in `fill`, see there. */
  for (uint32_t i = 0; i < TTB__RING_WORDS; i++) word[i] = ttb__load_acq(&record->word[i]);
  *ret_claim = ttb__load_rlx(&record->claim);
  if (*ret_claim != claim_word(lap, 0)) return false;
  for (uint32_t i = 0; i < TTB__RING_WORDS; i++) event[i] = word[i];
  return true;
}

/* True if a producer is (or seems to be) writing this position. */
static bool unfinished(uint64_t claim, uint64_t lap) {
  uint32_t holder = claim_holder(claim);
  return claim_lap(claim) == lap && holder != 0 && holder != TTB__RING_GONE;
}

int32_t ttb__ring_get(const ttb__ring *ring, uint32_t shift, uint64_t *cursor,
                      uint64_t event[TTB__RING_WORDS], uint64_t *lost) {
  uint64_t records = UINT64_C(1) << shift;
  /* acquire: pairs with the head's advance in ttb__ring_put, see there. */
  uint64_t head = ttb__load_acq(&ring->head);
  if (head <= *cursor) return 0;
  if (head - *cursor > records) { /* lapped: on to the oldest that can still be there */
    *lost += head - records - *cursor;
    *cursor = head - records;
  }
  for (; *cursor < head; (*cursor)++, (*lost)++) {
    uint64_t lap = lap_of(*cursor, shift), claim;
    if (copy(&ring->record[index_of(*cursor, shift)], lap, event, &claim)) {
      (*cursor)++;
      return 1;
    }
    if (unfinished(claim, lap) && head - *cursor <= records / 2) return 0;
  }
  return 0;
}

void ttb__ring_recover(ttb__ring *ring, uint32_t shift, uint32_t row) {
  for (uint64_t i = 0; i < UINT64_C(1) << shift; i++) {
    ttb__a64 *claim = &ring->record[i].claim;
    /* newest: a plain load may not have seen the dead producer's claim. */
    uint64_t seen = ttb__newest_rlx(claim);
    if (claim_holder(seen) != row + 1) continue;
    (void)ttb__cas_rlx(claim, &seen, claim_word(claim_lap(seen), TTB__RING_GONE));
  }
}
