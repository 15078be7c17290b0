/* SPDX-License-Identifier: MIT */
/* Adaptive: as many calls at once as the other side can take, found out from
 * how long they take.
 *
 * Permits are those of permit.h, in quarters of a us: they say when they were
 * taken, so a report knows the latency. Latencies are gathered in windows; who
 * ends a window tells the rule of the algorithm (limits.h) and stores the limit it
 * says. Windows are after WindowedLimit of Netflix's concurrency-limits and the
 * sample window of Envoy's gradient controller.
 *
 *     limit = round 16 | limit 48 (Q32)
 *     edge  = measured 1 | virtual ms 40: the window ends (or, 0 1, began) then
 *     sum   = round 8 | calls 16 | their latencies 40 (quarters of a us)
 *     marks = drops 48 | the most permits out 16
 *
 * I1  An acquire looks only at permits below the limit, so none is granted
 *     beyond it. After a cut, those that are out above it run to their end and
 *     are not granted again.
 * I2  A window is ended by one compare-and-swap of `sum`, which takes all that
 *     was added until then: by one caller, and no latency counts twice.
 * I3  The limit is stored by a swap from what was read before the window was
 *     won: an older winner, or one that slept, changes nothing.
 * I4  Any value of any word is legal: a caller killed between two of them loses
 *     a window, or begins a measurement again.
 * I5  Calls that began before a measurement do not count in it, and no call whose
 *     latency the clock cannot tell counts at all. */
#include "limiter.h"

#define CALLS(w) ((uint32_t)((w) >> 40) & 0xffff)
#define LATENCY_BITS ((UINT64_C(1) << 40) - 1)
#define ONE_CALL (UINT64_C(1) << 40)
/* A window ends early before its fields overflow: 512 late adders have room. */
#define FULL_CALLS 0x8000u
#define FULL_SUM (UINT64_C(1) << 39)
#define LIMIT_BITS ((UINT64_C(1) << 48) - 1)
#define MEASURED (UINT64_C(1) << 40)
#define TIME_BITS ((UINT64_C(1) << 40) - 1)
#define ONE_DROP (UINT64_C(1) << 16)
#define QUARTERS_A_MS 4000
/* A taker's clock can be ahead of ours by this much; more is a permit of long
 * ago. */
#define AHEAD_MS 600000

/* Latencies by their size: 8 buckets an octave, as wide as 1/8 of it. */
#define BUCKETS 224u

typedef struct adaptive_slot {
  ttb__a64 limit, edge, a, b; /* read by all, written once a window */
  ttb__a64 high;              /* no permit is out from here on, as far as is known */
  uint64_t reserved[3];
  ttb__a64 sum, marks; /* written by each report */
  uint64_t reserved2[6];
} adaptive_slot;
_Static_assert(sizeof(adaptive_slot) == 128, "two lines, then the buckets, then the permits");

static ttb__limit_rule *const rules[] = {ttb__limit_aimd, ttb__limit_vegas, ttb__limit_gradient2,
                                         ttb__limit_gradient};

static uint64_t bucket_bytes(uint32_t algorithm) {
  return algorithm == TTB_LIMIT_GRADIENT ? 2 * BUCKETS * sizeof(ttb__a32) : 0;
}

static uint64_t stride(const ttb_limiter_config *c) {
  return sizeof(adaptive_slot) + bucket_bytes(c->algorithm) + ttb__permits_bytes(c->max_limit);
}

static void open(ttb__limiter *l, const ttb_limiter_config *c) {
  ttb__limit_params *p = &l->u.adaptive.params;
  l->max_ask = 0;
  l->u.adaptive.algorithm = c->algorithm;
  l->u.adaptive.window_ms = c->limit_window_ms > 0 ? (uint32_t)c->limit_window_ms : 0;
  l->u.adaptive.samples = c->limit_samples;
  l->u.adaptive.permits = ttb__permits_of(c->max_limit, QUARTERS_A_MS,
                                          c->lease_ms > 0 ? (uint32_t)c->lease_ms : 0, AHEAD_MS);
  l->u.adaptive.timeout_ms = c->timeout_ms > 0 ? (uint32_t)c->timeout_ms : 0;
  l->u.adaptive.measure = c->measure_samples;
  l->u.adaptive.quantile = (uint32_t)c->quantile_ppm;
  l->u.adaptive.hint = 0;
  p->seed = c->seed;
  p->initial = c->algorithm == TTB_LIMIT_GRADIENT ? c->min_limit : c->initial_limit;
  p->min = c->min_limit;
  p->max = c->max_limit;
  p->smoothing = (uint32_t)c->smoothing_ppm;
  p->backoff = c->backoff_ppm > 0 ? (uint32_t)c->backoff_ppm : 0;
  switch (c->algorithm) {
  case TTB_LIMIT_VEGAS:
    p->u.vegas.alpha = c->alpha;
    p->u.vegas.beta = c->beta;
    break;
  case TTB_LIMIT_GRADIENT2:
    p->u.gradient2.queue = c->queue;
    p->u.gradient2.window = c->long_window;
    p->u.gradient2.tolerance = (uint32_t)c->tolerance_ppm;
    break;
  case TTB_LIMIT_GRADIENT:
    p->u.gradient.buffer = c->buffer_ppm > 0 ? (uint32_t)c->buffer_ppm : 0;
    p->u.gradient.every_ms = c->measure_ms;
    p->u.gradient.jitter = c->measure_jitter_ppm > 0 ? (uint32_t)c->measure_jitter_ppm : 0;
    break;
  default: break;
  }
}

static ttb__a32 *buckets_of(const adaptive_slot *s) {
  return (ttb__a32 *)(uintptr_t)(s + 1);
}
static ttb__a64 *permits_of(const ttb__limiter *l, const adaptive_slot *s) {
  uintptr_t behind = (uintptr_t)bucket_bytes(l->u.adaptive.algorithm);
  return (ttb__a64 *)((uintptr_t)(s + 1) + behind);
}

/* ---- permits ---- */

static uint64_t limit_q32(const ttb__limiter *l, uint64_t word) {
  uint64_t limit = word & LIMIT_BITS, max = (uint64_t)l->u.adaptive.params.max << 32;
  if (limit >> 32 == 0) return (uint64_t)l->u.adaptive.params.initial << 32;
  return limit < max ? limit : max;
}

/* Quarters of a us of virtual time. */
static uint64_t quarters(uint64_t now_ms, uint64_t now_ns) {
  return now_ms * QUARTERS_A_MS + now_ns % 1000000 / (1000000 / QUARTERS_A_MS);
}

/* Notes that n permits were out at once. */
static void saw(adaptive_slot *s, uint32_t n) {
  uint64_t w = ttb__load_rlx(&s->marks);
  while ((w & 0xffff) < n && !ttb__cas_rlx(&s->marks, &w, (w & ~UINT64_C(0xffff)) | n)) {
  }
}

/* Notes how far up permits are out. */
static int64_t took(adaptive_slot *s, int64_t ticket) {
  uint64_t next = (uint64_t)ttb__ticket_unpack(ticket).permit + 1, high = ttb__load_rlx(&s->high);
  while (high < next && !ttb__cas_rlx(&s->high, &high, next)) continue;
  return ticket;
}

static int64_t acquire(ttb__limiter *l, void *slot, uint32_t number, uint32_t ask,
                       uint64_t now_ns) {
  adaptive_slot *s = slot;
  const ttb__permits *p = &l->u.adaptive.permits;
  ttb__a64 *permits = permits_of(l, s);
  uint64_t now = quarters(ttb__limiter_clock(l, now_ns), now_ns);
  uint32_t limit = (uint32_t)(limit_q32(l, ttb__load_rlx(&s->limit)) >> 32), first = 0;
  (void)ask;
  if (l->row != TTB__NO_ROW && l->u.adaptive.hint < limit) first = l->u.adaptive.hint;
  int64_t t = ttb__permit_take(p, permits, number, first, l->row, now);
  if (t >= 0) return took(s, t);
  t = ttb__permits_search(p, permits, number, 0, limit, l->row, now);
  saw(s, t < 0 ? limit : ttb__ticket_unpack(t).permit + 1); /* all below it were out */
  return t < 0 ? t : took(s, t);
}

/* ---- windows ---- */

static uint32_t bucket_of(uint64_t quarter) {
  uint32_t e = 0; /* the octave: quarter is 2^e .. 2^(e+1)-1 */
  for (uint32_t step = 16; step > 0; step /= 2)
    if (quarter >> (e + step) != 0) e += step;
  return e < 3 ? (uint32_t)quarter : (e - 2) * 8 + ((uint32_t)(quarter >> (e - 3)) & 7);
}
/* The least latency of a bucket; that of BUCKETS is the end of all. */
static uint64_t bucket_from(uint32_t b) {
  return b < 8 ? b : (UINT64_C(8) + b % 8) << (b / 8 - 1);
}

/* The quantile of a bank of buckets, Q4, straight between a bucket's ends; 0 if
 * there is nothing. Empties the bank. */
static uint64_t take_quantile(ttb__a32 *bank, uint32_t ppm) {
  uint32_t count[BUCKETS];
  uint64_t total = 0, below = 0;
  for (uint32_t i = 0; i < BUCKETS; i++) {
    total += count[i] = ttb__load_rlx(&bank[i]);
    if (count[i] > 0) ttb__store_rlx(&bank[i], 0);
  }
  if (total == 0) return 0;
  uint64_t rank = ttb__limit_part(total, ppm), i = 0;
  if (rank == total) rank = total - 1;
  while (below + count[i] <= rank) below += count[i++];
  uint64_t from = bucket_from((uint32_t)i), to = bucket_from((uint32_t)i + 1);
  uint64_t q4 = (from << 4) + ((to - from) << 3) * (2 * (rank - below) + 1) / count[i];
  return q4 > 0 ? q4 : 1;
}

static bool measures(const ttb__limiter *l, uint64_t edge) {
  return l->u.adaptive.algorithm == TTB_LIMIT_GRADIENT && (edge & MEASURED) == 0;
}

/* Whether a window that has so many calls and drops is at its end. */
static bool is_over(const ttb__limiter *l, uint64_t sum, uint64_t drops, uint64_t edge,
                    uint64_t now_ms) {
  if (CALLS(sum) >= FULL_CALLS || (sum & LATENCY_BITS) >= FULL_SUM) return true;
  bool measuring = measures(l, edge);
  if (CALLS(sum) + drops < (measuring ? l->u.adaptive.measure : l->u.adaptive.samples))
    return false;
  if (measuring || edge == 0) return true;
  uint64_t left = (edge - now_ms) & TIME_BITS;
  return left == 0 || left > l->u.adaptive.window_ms;
}

/* The most permits that were out, as far as a rule wants to know: it asks only
 * whether half the limit was. The one just given back counts, even if its lease
 * had ended and it stood above `high`; one that is taken while we look may not. */
static uint32_t most_out(const ttb__limiter *l, adaptive_slot *s, uint32_t limit, uint32_t seen,
                         uint64_t now) {
  const ttb__permits *p = &l->u.adaptive.permits;
  uint64_t high = ttb__load_rlx(&s->high);
  uint32_t n = high < p->n ? (uint32_t)high : p->n, out = 1, last = 0;
  if (2 * (uint64_t)seen > limit || 2 * ((uint64_t)n + 1) < limit) return seen;
  for (uint32_t i = 0; i < n; i++) {
    if (!ttb__permit_is_out(p, ttb__load_rlx(ttb__permit_at(p, permits_of(l, s), i)), now)) continue;
    last = i + 1;
    if (2 * (uint64_t)++out > limit) return out;
  }
  if (high != last) (void)ttb__cas_rlx(&s->high, &high, last);
  return out > seen ? out : seen;
}

/* Ends the window that was seen as `sum`, if nobody else has. */
static void end_window(const ttb__limiter *l, adaptive_slot *s, uint32_t slot, uint64_t sum,
                       uint64_t edge, uint64_t now_ms, uint64_t now) {
  uint64_t seen = ttb__load_rlx(&s->limit), round = sum >> 56;
  if (!ttb__cas_rlx(&s->sum, &sum, (round + 1) << 56)) return;
  ttb__limit_state state = {limit_q32(l, seen), ttb__load_rlx(&s->a), ttb__load_rlx(&s->b),
                            measures(l, edge)};
  uint64_t marks = ttb__load_rlx(&s->marks);
  while (!ttb__cas_rlx(&s->marks, &marks, 0)) continue;
  /* At once, so that the calls that come meanwhile begin a window. */
  ttb__store_rlx(&s->edge, MEASURED | ((now_ms + l->u.adaptive.window_ms) & TIME_BITS));

  ttb__limit_sample x = {.now_ms = now_ms, .slot = slot, .dropped = marks >> 16 != 0};
  if (CALLS(sum) > 0) x.latency = ((sum & LATENCY_BITS) << 4) / CALLS(sum);
  if (l->u.adaptive.algorithm == TTB_LIMIT_GRADIENT) {
    uint64_t q = take_quantile(buckets_of(s) + (round & 1) * BUCKETS, l->u.adaptive.quantile);
    if (q > 0) x.latency = q;
  }
  if (x.latency > TTB__LIMIT_LATENCY) x.latency = TTB__LIMIT_LATENCY;
  x.inflight = most_out(l, s, (uint32_t)(state.limit >> 32), (uint32_t)marks & 0xffff, now);
  rules[l->u.adaptive.algorithm - 1](&l->u.adaptive.params, &state, &x);

  ttb__store_rlx(&s->a, state.a);
  ttb__store_rlx(&s->b, state.b);
  uint64_t next = ((seen >> 48) + 1) << 48 | state.limit;
  if (ttb__cas_rlx(&s->limit, &seen, next) && state.measuring)
    ttb__store_rlx(&s->edge, now_ms & TIME_BITS);
}

/* A call came back after `age`. */
static void sample(const ttb__limiter *l, adaptive_slot *s, uint32_t slot, uint64_t age,
                   bool failed, uint64_t now_ms, uint64_t now) {
  uint64_t edge = ttb__load_rlx(&s->edge), sum;
  if (measures(l, edge) && edge != 0 &&
      age > (((now_ms - edge) & TIME_BITS) + 1) * QUARTERS_A_MS)
    return;
  uint64_t timeout = (uint64_t)l->u.adaptive.timeout_ms * QUARTERS_A_MS;
  if (timeout != 0 && age > timeout) failed = true; /* it can be above the longest */
  if (age > TTB__LIMIT_LONGEST) age = TTB__LIMIT_LONGEST;
  if (age == 0) age = 1;
  if (failed) {
    (void)ttb__add_rlx(&s->marks, ONE_DROP);
    sum = ttb__load_rlx(&s->sum);
  } else {
    if (l->u.adaptive.algorithm == TTB_LIMIT_GRADIENT) {
      uint32_t bank = (uint32_t)(ttb__load_rlx(&s->sum) >> 56) & 1;
      (void)ttb__add_rlx(&buckets_of(s)[bank * BUCKETS + bucket_of(age)], 1);
    }
    sum = ttb__add_rlx(&s->sum, ONE_CALL | age) + (ONE_CALL | age);
  }
  if (is_over(l, sum, ttb__load_rlx(&s->marks) >> 16, edge, now_ms))
    end_window(l, s, slot, sum, edge, now_ms, now);
}

/* Whether an age says how long a call took. Not if the time it was taken at is later
 * than ours (a clock that went back, or a call of more than two hours), nor if time
 * stood still: it does for callers whose own is behind. A least latency of nothing
 * would hold the limit down for long. */
static bool is_latency(const ttb__limiter *l, uint64_t was, uint64_t age, uint64_t now_ms,
                       uint64_t now, uint64_t now_ns) {
  uint64_t own = now_ns / 1000000 + ttb__load_rlx(&l->region->clock.offset);
  if (age == 0 && ((was ^ now) & TTB__PERMIT_TIME) != 0) return false;
  return own == now_ms || age >= QUARTERS_A_MS;
}

static int32_t report(ttb__limiter *l, void *slot, ttb__ticket t, int32_t outcome,
                      uint64_t now_ns) {
  adaptive_slot *s = slot;
  uint64_t was;
  int32_t code = ttb__permit_give(&l->u.adaptive.permits, permits_of(l, s), t, &was);
  if (code < 0) return code;
  if (l->row != TTB__NO_ROW) l->u.adaptive.hint = t.permit;
  if (outcome >= TTB_IGNORED) return TTB_OK;
  uint64_t now_ms = ttb__limiter_clock(l, now_ns), now = quarters(now_ms, now_ns);
  uint64_t age = ttb__permit_age(&l->u.adaptive.permits, was, now);
  if (outcome != TTB_FAILURE && !is_latency(l, was, age, now_ms, now, now_ns)) return TTB_OK;
  sample(l, s, t.slot, age, outcome == TTB_FAILURE, now_ms, now);
  return TTB_OK;
}

/* ---- looking ---- */

static uint64_t known_latency(const ttb__limiter *l, uint64_t a) {
  switch (l->u.adaptive.algorithm) {
  case TTB_LIMIT_VEGAS:
  case TTB_LIMIT_GRADIENT: return a & TTB__LIMIT_LATENCY;
  case TTB_LIMIT_GRADIENT2: return ttb__limit_gradient2_long(a);
  default: return 0;
  }
}

static int32_t look(const ttb__limiter *l, void *slot, uint32_t ask, uint64_t now_ns,
                    ttb_limiter_info *ret) {
  const adaptive_slot *s = slot;
  const ttb__permits *p = &l->u.adaptive.permits;
  uint64_t now = quarters(ttb__clock_peek(&l->region->clock, now_ns), now_ns), oldest = 0;
  (void)ask;
  ret->limit = (uint32_t)(limit_q32(l, ttb__load_rlx(&s->limit)) >> 32);
  ret->measuring = measures(l, ttb__load_rlx(&s->edge));
  ret->latency_ns = known_latency(l, ttb__load_rlx(&s->a)) * 125 / 8;
  for (uint32_t i = 0; i < p->n; i++) {
    uint64_t w = ttb__load_rlx(ttb__permit_at(p, permits_of(l, s), i));
    bool out = ttb__permit_is_out(p, w, now), asked = i < ret->limit;
    ret->in_use += out;
    ret->available += !out && asked;
    if (out && asked && ttb__permit_age(p, w, now) > oldest) oldest = ttb__permit_age(p, w, now);
  }
  if (ret->available > 0) return TTB_OK;
  /* A report may come sooner, but only leases have a time. */
  ret->retry_after_ns = p->lease == 0 ? -1 : (int64_t)((p->lease - oldest) * 250);
  return TTB_LIMIT;
}

static void count(const ttb__limiter *l, void *slot, uint64_t now_ns, uint32_t *held) {
  uint64_t now = quarters(ttb__clock_peek(&l->region->clock, now_ns), now_ns);
  ttb__permits_count(&l->u.adaptive.permits, permits_of(l, slot), now, l->threads, held);
}

static void give_all(const ttb__limiter *l, void *slot, uint32_t row) {
  ttb__permits_give_all(&l->u.adaptive.permits, permits_of(l, slot), row);
}

const ttb__limiter_kind ttb__limiter_adaptive = {
    stride, open, acquire, report, look, give_all, NULL, count};
