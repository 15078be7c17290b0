/* SPDX-License-Identifier: MIT */
/* The clock rule: an object's own time, that no jump of a caller's clock can
 * stop, tear or run away with.
 *
 * Callers pass now_ns. The object keeps a virtual time in milliseconds,
 * v = now_ms + offset, that only moves forward:
 *
 *   forward by at most TTB__MAX_SKIP_MS  v follows;
 *   forward by more                      v advances by that much, no further;
 *   back by at most TTB__JITTER_MS       v stands still (two processors, two reads);
 *   back by more                         v stands still: a caller with a late clock.
 *                                        If v has then stood for TTB__JITTER_MS of
 *                                        that clock, nobody has a better one
 *                                        (another boot): it becomes the domain, and
 *                                        v goes on from where it was; counted;
 *   forward, to where the domain before would be now
 *                                        that domain again, so that two groups with
 *                                        different clocks cannot make time run.
 *
 * So every deadline and window stays within its configured length of v: no
 * clock holds a breaker open longer than its open time (and that second), none
 * loses or revives the samples of a window. A caller with an old time (an event
 * loop that cached it seconds ago) moves nothing as long as right ones call in
 * between. What no rule can tell apart is a clock that went back by 5 s and on
 * by 3 s, and two callers 5 s and 2 s late with no right one in between: it is
 * taken for the first, and v advances by 3 s.
 *
 * I1  offset alone is the truth about the domain and changes by one CAS; the
 *     other words only remember. A caller killed anywhere leaves all legal.
 * I2  last is written once a tick, not once a call: callers of one millisecond
 *     read a shared line and write nothing. It is raised by CAS, so a caller
 *     that slept between reading and writing cannot set it back.
 * I3  TTB__MAX_SKIP_MS exceeds the longest time any module can be told to wait,
 *     so that an idle day expires what it should. */
#ifndef TTB_LIB_BASE_CLOCK_H
#define TTB_LIB_BASE_CLOCK_H

#include "atomic.h"

#define TTB__MAX_SKIP_MS UINT64_C(4000000000) /* 46 days */
#define TTB__JITTER_MS UINT64_C(1000)
/* Virtual time of the first call. Not 0: last == 0 means "never called". */
#define TTB__CLOCK_START UINT64_C(1000000)

typedef struct ttb__clock {
  ttb__a64 last;      /* the newest virtual ms anybody saw; 0 = none yet */
  ttb__a64 offset;    /* virtual minus caller's ms, modulo 2^64 */
  ttb__a64 before;    /* the offset of the domain before this one */
  ttb__a64 late;      /* when a late caller came, and where v stood then */
  ttb__a64 adoptions; /* changes of domain, and forward jumps cut short */
  uint64_t reserved[3];
} ttb__clock;
_Static_assert(sizeof(ttb__clock) == 64, "the clock is one line");

/* What v is after a first call or a jump; adopts a domain if that takes one. */
uint64_t ttb__clock_jump(ttb__clock *c, uint64_t raw_ms, uint64_t offset, uint64_t last);

/* Whether time stands: now_ns is of the ms that was seen last, which is *ret. */
static inline bool ttb__clock_stands(const ttb__clock *c, uint64_t now_ns, uint64_t *ret) {
  uint64_t last = ttb__load_rlx(&c->last);
  *ret = last;
  return now_ns / 1000000 + ttb__load_rlx(&c->offset) == last && last != 0;
}

/* The virtual time of now_ns, in ms. */
static inline uint64_t ttb__clock_now(ttb__clock *c, uint64_t now_ns) {
  uint64_t raw = now_ns / 1000000, offset = ttb__load_rlx(&c->offset);
  uint64_t last = ttb__load_rlx(&c->last), v = raw + offset;
  if (v == last && last != 0) return v;
  if (v - last > TTB__JITTER_MS || last == 0) return ttb__clock_jump(c, raw, offset, last);
  (void)ttb__cas_rlx(&c->last, &last, v);
  return v;
}

/* The same for calls that only look: leaves no trace. */
uint64_t ttb__clock_peek(const ttb__clock *c, uint64_t now_ns);

/* ttb__clock_peek, in line while time goes on as it did. */
static inline uint64_t ttb__clock_look(const ttb__clock *c, uint64_t now_ns) {
  uint64_t last = ttb__load_rlx(&c->last);
  uint64_t v = now_ns / 1000000 + ttb__load_rlx(&c->offset);
  return v - last <= TTB__JITTER_MS && last != 0 ? v : ttb__clock_peek(c, now_ns);
}

#endif
