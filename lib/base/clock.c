/* SPDX-License-Identifier: MIT */
/* First calls and jumps: see clock.h. */
#include "clock.h"

static bool is_back(uint64_t ahead) { return ahead > UINT64_MAX / 2; }

/* What a raw time means: the v it stands for, and what is to be remembered. */
typedef struct place {
  uint64_t v;
  bool adopt; /* the domain must change for it */
  bool late;  /* it does not count, but note that it came */
} place;

/* The note of a late caller: its ms 44 | last as it stood 20. 0 = none. */
#define LAST_BITS 20
#define LAST_MASK ((UINT64_C(1) << LAST_BITS) - 1)
static uint64_t note(uint64_t raw, uint64_t last) { return raw << LAST_BITS | (last & LAST_MASK); }

/* A caller far behind v: late, or the only kind there is now? */
static place judge_late(const ttb__clock *c, uint64_t raw, uint64_t last) {
  uint64_t w = ttb__load_rlx(&c->late);
  uint64_t stood = (raw << LAST_BITS >> LAST_BITS) - (w >> LAST_BITS);
  if (w == 0 || (w & LAST_MASK) != (last & LAST_MASK) || stood > TTB__MAX_SKIP_MS)
    return (place){last, false, true};
  return stood > TTB__JITTER_MS ? (place){last + stood, true, false} : (place){last, false, false};
}

static place judge(const ttb__clock *c, uint64_t raw, uint64_t offset, uint64_t last) {
  if (last == 0) return (place){TTB__CLOCK_START, true, false};
  uint64_t ahead = raw + offset - last, before = ttb__load_rlx(&c->before);
  if (is_back(ahead))
    return 0 - ahead > TTB__JITTER_MS ? judge_late(c, raw, last) : (place){last, false, false};
  if (ahead <= TTB__JITTER_MS) return (place){last + ahead, false, false};
  uint64_t ahead_before = raw + before - last;
  if (before != 0 && ahead_before <= TTB__JITTER_MS)
    return (place){last + ahead_before, true, false};
  if (ahead <= TTB__MAX_SKIP_MS) return (place){last + ahead, false, false};
  return (place){last + TTB__MAX_SKIP_MS, true, false};
}

uint64_t ttb__clock_jump(ttb__clock *c, uint64_t raw, uint64_t offset, uint64_t last) {
  place p = judge(c, raw, offset, last);
  if (p.late) ttb__store_rlx(&c->late, note(raw, last));
  if (p.adopt) {
    uint64_t old = offset;
    if (!ttb__cas_rlx(&c->offset, &offset, p.v - raw)) {
      /* Another caller adopted first; if its domain is not ours either, the
       * next call says so again. Meanwhile time stands. */
      last = ttb__load_rlx(&c->last);
      return last ? last : TTB__CLOCK_START;
    }
    if (last != 0) {
      ttb__store_rlx(&c->before, old);
      ttb__add_rlx(&c->adoptions, 1);
    }
  }
  if (p.v != last) (void)ttb__cas_rlx(&c->last, &last, p.v);
  return p.v;
}

uint64_t ttb__clock_peek(const ttb__clock *c, uint64_t now_ns) {
  return judge(c, now_ns / 1000000, ttb__load_rlx(&c->offset), ttb__load_rlx(&c->last)).v;
}
