/* SPDX-License-Identifier: MIT */
/* The event ring (lib/base/ring.h): two producers, a reader, a kill at any step
 * and recovery. Word i of an event is 16 * number + i, so a mix shows. */
#include "../../lib/base/ring.h"

#include "explore.h"

#define MAX_SHIFT 2u
#define EVENTS 8u

static struct {
  ttb__a64 head, dropped;
  uint64_t reserved[6];
  ttb__ring_record record[1u << MAX_SHIFT];
} m; /* as ttb__ring, with its records */

static struct {
  uint32_t begun;    /* a bit an event */
  uint32_t put;      /* a bit an event: put said it is in */
  uint32_t got;      /* a bit an event: the reader has it */
  uint32_t returned; /* how many the reader got */
  uint64_t lost;     /* what it was told is lost */
  uint64_t cursor;
} g;

static uint32_t shift;

static ttb__ring *ring(void) { return (ttb__ring *)(void *)&m; }

static void setup_one(void) {
  ex_shared(&m, sizeof m);
  ex_ghost(&g, sizeof g);
  shift = 0;
}
static void setup_two(void) {
  setup_one();
  shift = 1;
}

static void setup_four(void) {
  setup_one();
  shift = 2;
}

static void put(uint32_t row, uint32_t number) {
  uint64_t event[TTB__RING_WORDS];
  for (uint32_t i = 0; i < TTB__RING_WORDS; i++) event[i] = 16 * number + i;
  g.begun |= 1u << number;
  if (ttb__ring_put(ring(), shift, row, event) == TTB_OK) g.put |= 1u << number;
}

static void get(void) {
  uint64_t event[TTB__RING_WORDS] = {0}, cursor = g.cursor, lost = 0;
  int32_t got = ttb__ring_get(ring(), shift, &cursor, event, &lost);
  ex_check(cursor - g.cursor == lost + (uint64_t)got,
           "the cursor moves by other than got and lost");
  g.cursor = cursor;
  g.lost += lost;
  if (got == 0) return;
  uint64_t number = event[0] / 16;
  for (uint32_t i = 0; i < TTB__RING_WORDS; i++)
    ex_check(event[i] == 16 * number + i, "a torn event is returned");
  ex_check(number < EVENTS && (g.begun >> number & 1), "an event is returned that was never put");
  if (number >= EVENTS) return;
  ex_check(!(g.got >> number & 1), "an event is returned twice");
  g.got |= 1u << number;
  g.returned++;
}

static void producer_0(void) { put(0, 1); }
static void producer_1(void) { put(1, 2); }
static void producer_0_twice(void) {
  put(0, 1);
  put(0, 3);
}
static void reader(void) { get(); }
static void reader_twice(void) {
  get();
  get();
}
static void recoverer(void) {
  ex_wait_dead(0);
  if (!ex_logic("recovers-nothing")) ttb__ring_recover(ring(), shift, 0);
}

static uint32_t count(uint32_t bits) {
  uint32_t n = 0;
  for (; bits != 0; bits &= bits - 1) n++;
  return n;
}

/* Nothing runs any more: all that is left is there to be read, then each lap
 * takes new events, and nothing was lost in silence. */
static void check(void) {
  uint64_t records = 1u << shift;
  for (uint64_t i = 0; i <= records; i++) get();
  uint64_t head = ttb__load_rlx(&ring()->head);
  uint64_t dropped = ttb__ring_dropped(ring());
  ex_check(g.cursor == head, "the reader is stuck");
  ex_check(g.returned + g.lost == head, "positions are not accounted for");
  ex_check(count(g.put & ~g.got) <= g.lost, "an event is lost in silence");
  ex_check(count(g.begun & ~g.put) <= dropped + ex_dead(0), "an event is dropped in silence");
  for (uint32_t i = 0; i < records; i++) {
    put(1, 4 + i);
    ex_check(g.put >> (4 + i) & 1, "the ring is wedged");
    get();
    ex_check(g.got >> (4 + i) & 1, "an event put in peace is not returned");
  }
}

/* No kill, no lap: then there is no loss either. */
static void check_peace(void) {
  check();
  ex_check(g.lost == 0, "a loss is reported that is none");
  ex_check(ttb__ring_dropped(ring()) == 0, "an event is dropped without need");
}

const ex_harness ex_ring_peace = {
    .name = "ring-peace",
    .what = "four records, two producers, a reader: nothing is lost",
    .setup = setup_four,
    .actor = {producer_0, producer_1, reader_twice},
    .check = check_peace,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

const ex_harness ex_ring_laps = {
    .name = "ring-laps",
    .what = "one record, two producers lap each other and the reader",
    .setup = setup_one,
    .actor = {producer_0, producer_1, reader},
    .check = check,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

const ex_harness ex_ring_kill = {
    .name = "ring-kill",
    .what = "one record, a producer killed at any step, recovery, another, a reader",
    .setup = setup_one,
    .actor = {producer_0, producer_1, reader, recoverer},
    .check = check,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
    .logic = {"recovers-nothing"},
};

const ex_harness ex_ring_more = {
    .name = "ring-more",
    .what = "two records, three events, a kill, recovery, a reader",
    .setup = setup_two,
    .actor = {producer_0_twice, producer_1, reader_twice, recoverer},
    .check = check,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = 2,
    .deep_bound = 4,
};
