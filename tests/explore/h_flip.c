/* SPDX-License-Identifier: MIT */
/* Flip (lib/base/flip.h) under the owner lock (lib/base/lock.h): a writer flips
 * twice and is killed at any step, a second one takes over, readers read. Each
 * word of the table holds the generation it was built for. */
#include "../../lib/base/flip.h"

#include "../../lib/base/lock.h"
#include "explore.h"

#define W1 21u
#define W2 22u

static struct {
  ttb__lock lock;
  ttb__flip flip;
  struct {
    ttb__a64 wide;
    ttb__a32 narrow;
    uint32_t reserved;
  } copy[2];
} m;

static struct {
  uint64_t published; /* the newest generation */
  uint32_t took_over;
} g;

static void setup(void) {
  ex_shared(&m, sizeof m);
  ex_ghost(&g, sizeof g);
}

static void put(uint64_t next) {
  uint32_t copy = ttb__flip_copy(next);
  ttb__flip_put64(&m.copy[copy].wide, next);
  ttb__flip_put32(&m.copy[copy].narrow, (uint32_t)next);
}

static void publish(uint64_t next) {
  ttb__flip_publish(&m.flip, next);
  g.published = next;
}

static void writer(void) {
  if (ttb__lock_try(&m.lock, W1) != TTB_OK) return;
  for (int i = 0; i < 2; i++) {
    uint64_t next = ttb__flip_build(&m.flip);
    put(next);
    publish(next);
  }
  (void)ttb__lock_unlock(&m.lock, W1);
}

static void successor(void) {
  ex_wait_dead(0);
  if (ttb__lock_takeover(&m.lock, W1, W2) != TTB_OK) return;
  uint64_t next = ttb__flip_build(&m.flip);
  /* What a takeover carries over comes from the published copy. */
  uint64_t carried = ttb__flip_get64(&m.copy[ttb__flip_copy(next - 1)].wide);
  ex_check(carried == next - 1, "a takeover carries over what is not published");
  if (!ex_logic("takeover-rebuilds-nothing")) put(next);
  publish(next);
  g.took_over = 1;
  (void)ttb__lock_unlock(&m.lock, W2);
}

static void reader(void) {
  uint64_t wide, narrow;
  ttb__flip_view v = ttb__flip_begin(&m.flip);
  do {
    wide = ttb__flip_get64(&m.copy[v.copy].wide);
    narrow = ttb__flip_get32(&m.copy[v.copy].narrow);
    if (ex_logic("reader-skips-the-last-look")) {
      v.clean = 1;
      break;
    }
  } while (ttb__flip_again(&m.flip, &v));
  if (!v.clean) return;
  ex_check(wide == narrow, "a clean read is a mix");
  ex_check(wide == v.generation, "a clean read is of another generation");
}

static void check(void) {
  uint64_t generation = ttb__load_rlx(&m.flip.generation);
  uint32_t copy = ttb__flip_copy(generation);
  ex_check(generation == g.published, "a publication was undone");
  ex_check(ttb__load_rlx(&m.copy[copy].wide) == generation &&
               ttb__load_rlx(&m.copy[copy].narrow) == (uint32_t)generation,
           "what is published is not complete");
  bool held = ttb__lock_holder(ttb__load_rlx(&m.lock.word)) != 0;
  ex_check(!held || (ex_dead(0) && !ex_done(1)), "the lock is left behind");
  ex_check(!ex_dead(0) || ex_done(1), "the successor does not come through");
}

const ex_harness ex_flip = {
    .name = "flip",
    .what = "two flips, the writer killed at any step, takeover, a reader",
    .setup = setup,
    .actor = {writer, successor, reader},
    .check = check,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
    .logic = {"takeover-rebuilds-nothing", "reader-skips-the-last-look"},
};

const ex_harness ex_flip_readers = {
    .name = "flip-readers",
    .what = "the same with two readers",
    .setup = setup,
    .actor = {writer, successor, reader, reader},
    .check = check,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};
