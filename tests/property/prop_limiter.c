/* SPDX-License-Identifier: MIT */
/* The limiter against plain references: prop_limiter [STEPS [SEED]].
 *
 * Bulkhead: an array of who holds what until when; now and then bits are left set
 * as by a process killed, which may hide permits for 100 ms or until recover. Rate: a bucket of tokens, in
 * the limiter's own units to the last bit, and an exact one that it must never
 * outrun. Retry: a list of attempts. Tokens: a number. Throttle: the formula in
 * doubles. Backoff: its bounds. Adaptive: a list of the permits that are out; the
 * rules: the peers' formulas in doubles, a step at a time. Keys: a map. All kinds:
 * peek and retry_after against what acquire does. */
#include <math.h>
#include <string.h>

#include "../../lib/limiter/limiter.h"

#include "check.h"

#define MS UINT64_C(1000000)
#define T0 (3600000 * MS)

static ttb_limiter_info info(const ttb_limiter *l, uint32_t slot, uint32_t ask, uint64_t now) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  (void)ttb_limiter_explain(l, slot, ask, now, &i);
  return i;
}

/* ---- bulkhead ---- */

#define SLOTS 3
#define PERMITS 200
#define HANDLES 4
#define PAUSE_MS 100

typedef struct held {
  int64_t ticket;
  uint64_t until_ms; /* UINT64_MAX: for ever */
  uint32_t owner;    /* handle */
  bool taken;
} held;

typedef struct model {
  held at[SLOTS][PERMITS];
  uint64_t certain[SLOTS]; /* ms from which on nothing is hidden */
  uint32_t from[4], own[4];
} model;

static bool is_free(const model *m, uint32_t slot, uint32_t i, uint64_t now_ms) {
  return !m->at[slot][i].taken || m->at[slot][i].until_ms <= now_ms;
}

static uint32_t free_between(const model *m, uint32_t slot, uint32_t from, uint32_t to,
                             uint64_t now_ms) {
  uint32_t n = 0;
  for (uint32_t i = from; i < to; i++) n += is_free(m, slot, i, now_ms);
  return n;
}

/* As a process leaves it that was killed between a bit and its permit. */
static void leave_bits(check *c, const ttb_limiter *l, uint32_t slot, uint32_t permits) {
  const ttb__limiter *h = ttb__limiter_of(l);
  ttb__a64 *skip = (ttb__a64 *)ttb__limiter_slot_at(h, slot) + 1;
  for (uint32_t n = (uint32_t)check_below(c, permits); n-- > 0;) {
    uint32_t i = (uint32_t)check_below(c, permits);
    (void)ttb__or_rlx(&skip[i / 64], UINT64_C(1) << i % 64);
  }
}

/* 63, 64, 65 and what is far from it. */
static uint32_t some_permits(check *c, uint32_t most) {
  if (check_chance(c, 1, 2)) return 1 + (uint32_t)check_below(c, 20);
  uint32_t n = 64 * (uint32_t)check_between(c, 1, 3) + (uint32_t)check_below(c, 3) - 1;
  return check_chance(c, 1, 2) && n < most ? n : 1 + (uint32_t)check_below(c, most);
}

static void bulkhead_life(check *c, uint32_t steps) {
  ttb_limiter_config k = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter h[HANDLES]; /* 0 shared, the others joined by processes 1, 2, 3 */
  model m;
  bool joined[HANDLES] = {true};
  memset(&m, 0, sizeof m);
  k.capacity = SLOTS;
  k.permits = some_permits(c, PERMITS);
  k.reserve_1 = (uint32_t)check_below(c, k.permits);
  k.reserve_2 = (uint32_t)check_below(c, k.permits);
  k.reserve_3 = check_chance(c, 1, 2) ? 0 : (uint32_t)check_below(c, k.permits);
  k.lease_ms = check_chance(c, 1, 2) ? TTB_OFF : (int32_t)check_between(c, 1, 400);
  k.threads = HANDLES;
  const uint32_t from[4] = {0, k.reserve_1, k.reserve_2, k.reserve_3};
  memcpy(m.from, from, sizeof from);
  for (int a = 0; a < 4; a++) {
    m.own[a] = k.permits;
    for (int b = 0; b < 4; b++)
      if (from[b] > from[a] && from[b] < m.own[a]) m.own[a] = from[b];
  }
  if (ttb_limiter_new(&h[0], &k, NULL) != TTB_OK) {
    CHECK(c, false, "new");
    return;
  }
  uint64_t now = T0;
  int64_t old[16] = {0};
  uint32_t olds = 0, bias = (uint32_t)check_between(c, 15, 24); /* few are out, or all */
  while (steps-- > 0 && check_step(c)) {
    now += check_below(c, 3) * MS;
    uint32_t who = (uint32_t)check_below(c, HANDLES), slot = (uint32_t)check_below(c, SLOTS);
    uint32_t ask = (uint32_t)check_below(c, 4), kind = (uint32_t)check_below(c, 42);
    uint64_t ms = now / MS;
    if (!joined[who]) {
      int32_t code = ttb_limiter_join(&h[0], who, &h[who]);
      joined[who] = code == TTB_OK;
      CHECK(c, joined[who], "join: %d", code);
    }
    if (kind < bias) {
      uint32_t can = free_between(&m, slot, m.from[ask], k.permits, ms);
      bool certain = ms >= m.certain[slot];
      ttb_limiter_info i = info(&h[0], slot, ask, now);
      CHECK(c, i.available == can, "available %u, %u are free", i.available, can);
      int64_t t = ttb_limiter_acquire(&h[who], slot, ask, now);
      CHECK(c, (t >= 0) == (can > 0) || (t < 0 && !certain), "ticket %lld, %u are free",
            (long long)t, can);
      if (t < 0) {
        CHECK(c, t == TTB_LIMIT, "code %lld", (long long)t);
        continue;
      }
      uint32_t p = (uint32_t)(t >> 48);
      CHECK(c, p >= m.from[ask] && p < k.permits && is_free(&m, slot, p, ms),
            "permit %u of importance %u", p, ask);
      if (p >= PERMITS) break;
      /* The lowest; a joined handle's last one, if that is of its own. */
      uint32_t below = who == 0 || p >= m.own[ask] ? p : m.from[ask];
      CHECK(c, !certain || free_between(&m, slot, m.from[ask], below, ms) == 0,
            "permit %u, though a lower one was free", p);
      uint64_t until = k.lease_ms > 0 ? ms + (uint64_t)k.lease_ms : UINT64_MAX;
      m.at[slot][p] = (held){t, until, who, true};
    } else if (kind < 37) { /* a report: held, or an old one */
      held *x = &m.at[slot][check_below(c, k.permits)];
      int64_t t = x->taken ? x->ticket : old[check_below(c, 16)];
      bool good = false;
      uint32_t p = (uint32_t)(t >> 48), s = (uint32_t)ttb_ticket_slot(t);
      if (p < PERMITS && s < SLOTS) good = m.at[s][p].taken && m.at[s][p].ticket == t;
      int32_t code = ttb_limiter_report(&h[who], t, (int32_t)check_below(c, 6), now);
      CHECK(c, code == (good ? TTB_OK : TTB_STALE), "report: %d", code);
      if (good) m.at[s][p].taken = false;
      old[olds++ % 16] = t;
    } else if (kind == 37) { /* anything */
      int64_t t = (int64_t)(check_rand(c) >> 1);
      uint32_t p = (uint32_t)(t >> 48), s = (uint32_t)ttb_ticket_slot(t);
      bool is_one = s < SLOTS && p < PERMITS && m.at[s][p].taken && m.at[s][p].ticket == t;
      if (!is_one) CHECK(c, ttb_limiter_report(&h[0], t, 0, now) < 0, "a made-up ticket");
    } else if (who > 0 && joined[who]) { /* leaves, or dies and is recovered by another */
      uint32_t other = who % 3 + 1;
      bool dies = kind > 38 && joined[other];
      if (dies && kind > 39) {
        leave_bits(c, &h[0], slot, k.permits);
        m.certain[slot] = ms + PAUSE_MS;
      }
      if (dies && kind == 41) continue; /* nobody knows yet */
      if (!dies) ttb_limiter_free(&h[who]);
      else CHECK(c, ttb_limiter_recover(&h[other], who) == 1, "recover");
      for (uint32_t s = 0; s < SLOTS; s++) m.certain[s] = 0;
      joined[who] = false;
      for (uint32_t s = 0; s < SLOTS; s++)
        for (uint32_t p = 0; p < k.permits; p++)
          if (m.at[s][p].owner == who) m.at[s][p].taken = false;
    }
    uint32_t in_use = k.permits - free_between(&m, slot, 0, k.permits, now / MS);
    ttb_limiter_info i = info(&h[0], slot, 0, now);
    CHECK(c, i.in_use == in_use, "in use %u, should be %u", i.in_use, in_use);
  }
  for (uint32_t i = HANDLES; i-- > 0;)
    if (joined[i]) ttb_limiter_free(&h[i]);
}

/* ---- rate ---- */

static void rate_life(check *c, uint32_t steps) {
  ttb_limiter_config k = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter l;
  k.kind = TTB_LIMITER_RATE;
  k.rate = 1 + (uint32_t)check_below(c, check_chance(c, 1, 2) ? 20 : 1000000);
  k.period_ms = 1 + (uint32_t)check_below(c, 10000);
  k.burst = 1 + (uint32_t)check_below(c, check_chance(c, 1, 2) ? 10 : 100000);
  if (ttb_limiter_new(&l, &k, NULL) != TTB_OK) return; /* takes too long to refill */
  /* In 1/256 ns: what the limiter promises. In 1/rate ns: what was asked for. */
  uint64_t interval = (k.period_ms * UINT64_C(256000000) + k.rate - 1) / k.rate;
  uint64_t full = interval * k.burst, level = full;
  uint64_t period = k.period_ms * MS, exact_full = period * k.burst, exact = exact_full;
  uint64_t now = T0, event_ns = period / k.rate + 1;
  uint32_t most = k.burst < 32767 ? k.burst : 32767;
  while (steps-- > 0 && check_step(c)) {
    uint64_t dt = check_below(c, check_chance(c, 1, 50) ? event_ns * (k.burst + 1) : 2 * event_ns);
    now += dt;
    level = full - level < dt * 256 ? full : level + dt * 256;
    exact = exact_full / k.rate < dt || exact_full - exact < dt * k.rate ? exact_full : exact + dt * k.rate;
    uint32_t ask = check_chance(c, 3, 4) ? 0 : 1 + (uint32_t)check_below(c, most);
    uint64_t n = ask ? ask : 1;
    ttb_limiter_info i = info(&l, 0, ask, now);
    CHECK(c, i.available == level / interval, "available %u, should be %" PRIu64, i.available,
          level / interval);
    uint64_t wait = level >= n * interval ? 0 : (n * interval - level + 255) / 256;
    CHECK(c, i.retry_after_ns == (int64_t)wait, "retry after %" PRId64 ", should be %" PRIu64,
          i.retry_after_ns, wait);
    int64_t t = ttb_limiter_acquire(&l, 0, ask, now);
    CHECK(c, (t >= 0) == (wait == 0), "ticket %" PRId64, t);
    if (t < 0) continue;
    level -= n * interval;
    CHECK(c, exact >= n * period, "more than the rate");
    exact -= n * period;
    if (check_chance(c, 1, 10)) {
      CHECK(c, ttb_limiter_report(&l, t, TTB_CANCELLED, now) == TTB_OK, "cancel");
      level += n * interval;
      exact += n * period;
    }
  }
  ttb_limiter_free(&l);
}

/* ---- retry ---- */

#define LIST 4096

static void retry_life(check *c, uint32_t steps) {
  static struct {
    uint64_t turn;
    int32_t all, some;
  } list[LIST];
  uint32_t n = 0;
  ttb_limiter_config k = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter l;
  k.kind = TTB_LIMITER_RETRY;
  k.window_ms = 1000 + (uint32_t)check_below(c, 9000);
  k.ratio_ppm = check_chance(c, 1, 8) ? TTB_OFF : (int32_t)check_between(c, 1, 2000000);
  k.per_second = check_chance(c, 1, 2) ? TTB_OFF : (int32_t)check_between(c, 1, 5);
  if (ttb_limiter_new(&l, &k, NULL) != TTB_OK) CHECK(c, false, "new");
  int64_t ratio = k.ratio_ppm > 0 ? k.ratio_ppm : 0;
  int64_t reserve = k.per_second > 0 ? k.per_second * (int64_t)k.window_ms * 1000 : 0;
  uint64_t now = T0, since = 0;
  for (bool first = true; steps-- > 0 && check_step(c); first = false) {
    uint64_t dt = first ? 0 : check_below(c, check_chance(c, 1, 100) ? 3 * k.window_ms : 20);
    now += dt * MS;
    since += dt;
    /* Virtual time begins at 1,000,000 ms with the first call. */
    uint64_t turn = (1000000 + since) * 16 / k.window_ms;
    if (steps % 64 == 0) { /* forget what nobody looks at */
      uint32_t kept = 0;
      for (uint32_t i = 0; i < n; i++)
        if (turn - list[i].turn < 16) list[kept++] = list[i];
      n = kept;
    }
    int64_t balance = reserve;
    for (uint32_t i = 0; i < n; i++)
      if (turn - list[i].turn < 16) balance += list[i].all * ratio - list[i].some * INT64_C(1000000);
    uint32_t attempt = (uint32_t)check_below(c, 3);
    ttb_limiter_info i = info(&l, 0, attempt, now);
    CHECK(c, i.balance_ppm == balance, "balance %" PRId64 ", should be %" PRId64,
          i.balance_ppm, balance);
    int64_t t = ttb_limiter_acquire(&l, 0, attempt, now);
    CHECK(c, (t >= 0) == (attempt == 0 || balance >= 1000000), "ticket %" PRId64, t);
    if (t < 0 || n == LIST) continue;
    if (check_chance(c, 1, 8)) {
      CHECK(c, ttb_limiter_report(&l, t, TTB_CANCELLED, now) == TTB_OK, "cancel");
      continue;
    }
    list[n].turn = turn;
    list[n].all = attempt == 0;
    list[n++].some = attempt != 0;
  }
  ttb_limiter_free(&l);
}

static void tokens_life(check *c, uint32_t steps) {
  ttb_limiter_config k = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter l;
  k.kind = TTB_LIMITER_RETRY_TOKENS;
  k.tokens = 1 + (uint32_t)check_below(c, 30);
  k.ratio_ppm = (int32_t)check_between(c, 1, 2000000);
  if (ttb_limiter_new(&l, &k, NULL) != TTB_OK) CHECK(c, false, "new");
  int64_t full = k.tokens * INT64_C(1000000), left = full;
  while (steps-- > 0 && check_step(c)) {
    uint32_t attempt = (uint32_t)check_below(c, 2);
    int64_t t = ttb_limiter_acquire(&l, 0, attempt, T0);
    CHECK(c, (t >= 0) == (attempt == 0 || 2 * left > full), "ticket %" PRId64, t);
    if (t < 0) t = ttb_limiter_acquire(&l, 0, 0, T0);
    int32_t outcome = (int32_t)check_below(c, 6);
    CHECK(c, ttb_limiter_report(&l, t, outcome, T0) == TTB_OK, "report");
    if (outcome == TTB_FAILURE || outcome == TTB_SLOW_FAILURE) left = left > 1000000 ? left - 1000000 : 0;
    if (outcome == TTB_SUCCESS || outcome == TTB_SLOW)
      left = left + k.ratio_ppm < full ? left + k.ratio_ppm : full;
    CHECK(c, info(&l, 0, 0, T0).balance_ppm == left, "left %" PRId64, left);
  }
  ttb_limiter_free(&l);
}

/* ---- throttle, backoff ---- */

static void formula(check *c) {
  uint64_t n = check_rand(c) >> (24 + check_below(c, 40)), good = check_below(c, n + 1);
  int32_t accept = (int32_t)check_between(c, 1000, 1000000);
  int32_t most = (int32_t)check_between(c, 1, 1000000);
  uint32_t a = 1 + (uint32_t)check_below(c, 8);
  double p = ((double)n - (double)good * 1e6 / accept) / ((double)n + 1);
  double want = p > 0 ? pow(p, 1.0 / a) * 1e6 : 0;
  /* The root of a small number magnifies the last bit of it. */
  double slack = a == 1 || want == 0 ? 1.01 : 1.01 + 64 * want / (p * 4294967296.0 * a);
  int32_t got = ttb_limiter_reject_ppm(n, good, accept, a, most);
  if (want > most) want = most;
  CHECK(c, fabs(got - want) <= slack, "%d ppm, should be %f", got, want);
}

static void backoff(check *c) {
  ttb_limiter_backoff_config k = TTB_CONFIG(ttb_limiter_backoff_config);
  k.jitter = 1 + (uint32_t)check_below(c, 4);
  k.base_ms = 1 + (uint32_t)check_below(c, 3600000);
  k.cap_ms = (uint32_t)check_between(c, k.base_ms, 86400000);
  k.seed = check_rand(c);
  uint32_t attempt = (uint32_t)check_below(c, 70);
  uint64_t previous = check_rand(c) >> check_below(c, 64);
  double step = fmin(ldexp(k.base_ms, (int)attempt), k.cap_ms), from = 0, to = step;
  if (k.jitter == TTB_BACKOFF_EQUAL) from = floor(step / 2);
  if (k.jitter == TTB_BACKOFF_NONE) from = step;
  if (k.jitter == TTB_BACKOFF_DECORRELATED) {
    from = k.base_ms;
    to = fmin(k.cap_ms, 3 * fmax((double)previous, k.base_ms));
  }
  int64_t ms = ttb_limiter_backoff_ms(&k, attempt, previous);
  CHECK(c, (double)ms >= from && (double)ms <= to, "%" PRId64 " ms, not in %f..%f", ms, from, to);
}

/* ---- adaptive ---- */

#define MOST 200

/* Exactly those below the limit are granted, the lowest first; latencies of
 * Vegas' least are those that passed; the limit moves as AIMD says. */
static void adaptive_life(check *c, uint32_t steps) {
  ttb_limiter_config k = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter l;
  struct {
    int64_t ticket;
    uint64_t since;
    bool out; /* not reported, and no other has it */
  } at[MOST] = {{0, 0, false}};
  k.kind = TTB_LIMITER_ADAPTIVE;
  k.algorithm = check_chance(c, 1, 2) ? TTB_LIMIT_AIMD : TTB_LIMIT_VEGAS;
  k.limit_window_ms = TTB_OFF;
  k.min_limit = 1 + (uint32_t)check_below(c, 10);
  k.max_limit = k.min_limit - 1 + some_permits(c, MOST + 1 - k.min_limit);
  k.initial_limit = (uint32_t)check_between(c, k.min_limit, k.max_limit);
  k.lease_ms = check_chance(c, 1, 2) ? TTB_OFF : (int32_t)check_between(c, 1, 150);
  uint64_t lease = k.lease_ms > 0 ? (uint64_t)k.lease_ms * MS : UINT64_MAX;
  uint32_t bias = (uint32_t)check_between(c, 9, 13);
  if (ttb_limiter_new(&l, &k, NULL) != TTB_OK) {
    CHECK(c, false, "new");
    return;
  }
  uint64_t now = T0, least = UINT64_MAX;
  uint32_t limit = k.initial_limit, peak = 0, samples = 0;
  while (steps-- > 0 && check_step(c) && samples < 14 * k.min_limit) { /* Vegas forgets from 15 on */
    now += check_below(c, 4000) * 250;
    uint32_t lowest = 0, out = 0;
    while (lowest < MOST && at[lowest].out && now - at[lowest].since < lease) lowest++;
    for (uint32_t i = 0; i < MOST; i++) out += at[i].out && now - at[i].since < lease;
    if (check_chance(c, bias, 20)) {
      int64_t t = ttb_limiter_acquire(&l, 0, 0, now);
      CHECK(c, (t >= 0) == (lowest < limit), "ticket %" PRId64 " at %u of %u", t, lowest, limit);
      peak = peak > (t >= 0 ? lowest + 1 : limit) ? peak : (t >= 0 ? lowest + 1 : limit);
      if (t < 0) continue;
      CHECK(c, (uint32_t)(t >> 48) == lowest, "permit %d, not the lowest", (int)(t >> 48));
      at[lowest].ticket = t, at[lowest].since = now, at[lowest].out = true;
    } else {
      uint32_t i = (uint32_t)check_below(c, MOST);
      int32_t outcome = (int32_t)check_below(c, 6), code;
      code = ttb_limiter_report(&l, at[i].ticket, outcome, now);
      if (!at[i].out) {
        CHECK(c, code == TTB_STALE || at[i].ticket == 0, "report: %d", code);
        continue;
      }
      CHECK(c, code == TTB_OK, "report: %d", code);
      at[i].out = false;
      out += now - at[i].since >= lease; /* late, but it was out until now */
      if (outcome == TTB_SLOW_FAILURE) outcome = TTB_FAILURE;
      if (outcome >= TTB_IGNORED) continue;
      uint32_t inflight = peak > out ? peak : out;
      if (k.algorithm == TTB_LIMIT_AIMD) {
        if (outcome == TTB_FAILURE) limit = limit * 9 / 10;
        else if (2 * inflight >= limit) limit++;
        limit = limit < k.min_limit ? k.min_limit : limit > k.max_limit ? k.max_limit : limit;
        CHECK(c, info(&l, 0, 0, now).limit == limit, "limit %u, should be %u",
              info(&l, 0, 0, now).limit, limit);
      } else {
        uint64_t took = now > at[i].since ? now - at[i].since : 250;
        samples++;
        if (outcome != TTB_FAILURE && took < least) least = took;
        if (least != UINT64_MAX)
          CHECK(c, info(&l, 0, 0, now).latency_ns == least, "least %" PRIu64, least);
        limit = info(&l, 0, 0, now).limit;
        CHECK(c, limit >= k.min_limit && limit <= k.max_limit, "limit %u", limit);
      }
      peak = 0;
    }
    ttb_limiter_info i = info(&l, 0, 0, now);
    out = 0;
    for (uint32_t n = 0; n < MOST; n++) out += at[n].out && now - at[n].since < lease;
    CHECK(c, i.in_use == out, "in use %u, should be %u", i.in_use, out);
  }
  ttb_limiter_free(&l);
}

static double between(double x, double low, double high) { return fmin(fmax(x, low), high); }

/* One step of a rule from any state, beside its formula in doubles. A step that
 * depends on which side of a border a double falls is not judged. */
static void rule_step(check *c) {
  ttb__limit_params p = {.min = 1 + (uint32_t)check_below(c, 50)};
  p.max = (uint32_t)check_between(c, p.min, 32767);
  p.smoothing = (uint32_t)check_between(c, 1, 1000000);
  p.backoff = (uint32_t)check_between(c, 100000, 999999);
  uint64_t before = ((uint64_t)check_between(c, p.min, p.max) << 32);
  if (before >> 32 < p.max) before += check_rand(c) >> 32;
  ttb__limit_state s = {.limit = before};
  ttb__limit_sample x = {.latency = 1 + check_below(c, check_chance(c, 1, 2) ? 1000 : 1u << 30),
                         .inflight = (uint32_t)check_below(c, 2 * (before >> 32) + 2),
                         .now_ms = 1000, .dropped = check_chance(c, 1, 8)};
  double limit = (double)before / 4294967296.0, want = limit, low = p.min, high = p.max;
  double latency = (double)x.latency, smoothing = p.smoothing / 1e6;
  uint32_t which = 1 + (uint32_t)check_below(c, 3);
  if (which == TTB_LIMIT_VEGAS) {
    uint64_t least = 1 + check_below(c, x.latency);
    double log = limit >= 10 ? floor(log10(floor(limit))) : 1;
    bool root = check_chance(c, 1, 2);
    p.u.vegas.alpha = 1 + (uint32_t)check_below(c, 5);
    p.u.vegas.beta = p.u.vegas.alpha + (uint32_t)check_below(c, 5);
    if (!root) p.backoff = 0;
    s.a = least;
    double queue = limit * (1 - (double)least / latency), next = limit;
    double down = root ? limit * p.backoff / 1e6 : limit - log;
    if (fabs(queue - nearbyint(queue)) < 0.01) return; /* Q12 of the limit decides there */
    queue = ceil(queue);
    if (x.dropped) next = down;
    else if (x.inflight * 2.0 < limit) next = limit;
    else if (queue <= log) next = limit + p.u.vegas.beta * log;
    else if (queue < p.u.vegas.alpha * log) next = limit + log;
    else if (queue > p.u.vegas.beta * log) next = down;
    if (next != limit) want = between((1 - smoothing) * limit + smoothing * between(next, low, high), low, high);
    ttb__limit_vegas(&p, &s, &x);
  } else if (which == TTB_LIMIT_GRADIENT2) {
    uint64_t average = 1 + check_below(c, 1u << 30);
    p.u.gradient2.queue = 1 + (uint32_t)check_below(c, 20);
    p.u.gradient2.window = 1 + (uint32_t)check_below(c, 1000);
    p.u.gradient2.tolerance = (uint32_t)check_between(c, 1000000, 3000000);
    s.a = UINT64_C(10) << 60 | average << 20;
    double longer = (double)average + (latency - (double)average) * 2 / (p.u.gradient2.window + 1.0);
    double gradient = between(p.u.gradient2.tolerance / 1e6 * longer / latency, 0.5, 1);
    if (x.inflight >= limit / 2)
      want = between((1 - smoothing) * limit + smoothing * (limit * gradient + p.u.gradient2.queue), low, high);
    ttb__limit_gradient2(&p, &s, &x);
    double after = longer / latency > 2 ? longer * 0.95 : longer;
    double got = (double)ttb__limit_gradient2_long(s.a);
    if (fabs(longer / latency - 2) > 1e-5)
      CHECK(c, fabs(got - after) <= 1.1 + after * 1e-9, "long %f, should be %f", got, after);
  } else {
    uint64_t least = 1 + check_below(c, 1u << 30);
    p.u.gradient.buffer = (uint32_t)check_below(c, 1000000);
    p.u.gradient.every_ms = 60000;
    s.a = least, s.b = 31000;
    s.limit = before = before >> 32 << 32;
    limit = floor(limit);
    double allowed = (double)least * (1 + p.u.gradient.buffer / 1e6);
    double scaled = limit * between(allowed / latency, 0.5, 2);
    want = between(scaled + sqrt(scaled), low, high);
    ttb__limit_gradient(&p, &s, &x);
    double got = (double)(s.limit >> 32);
    /* least * (1 + buffer) is a whole number here: up to 1 of few */
    double slack = want * 1.5 / allowed + 0.01;
    CHECK(c, got <= want + slack && got >= floor(want - slack), "limit %f, should be %f", got, want);
    return;
  }
  double got = (double)s.limit / 4294967296.0;
  CHECK(c, fabs(got - want) <= 1e-4 + want * 1e-7, "rule %u: limit %f, should be %f", which, got, want);
}

/* ---- keys ---- */

#define KEYS 300

/* Each key has a bucket of its own, in one place as long as it is not full. */
static void keys_life(check *c, uint32_t steps) {
  ttb_limiter_config k = TTB_CONFIG(ttb_limiter_config);
  ttb_limiter l;
  struct {
    uint64_t idle; /* when it is full again, 1/256 ns */
    int32_t place;
  } key[KEYS];
  memset(key, 0, sizeof key);
  k.kind = TTB_LIMITER_RATE;
  k.flags = TTB_LIMITER_KEYED;
  k.capacity = check_chance(c, 1, 2) ? 2 * KEYS : 1 + (uint32_t)check_below(c, 20);
  k.rate = 10;
  k.burst = 3;
  k.seed = check_rand(c);
  if (ttb_limiter_new(&l, &k, NULL) != TTB_OK) CHECK(c, false, "new");
  uint64_t now = T0, interval = UINT64_C(100) * MS * 256;
  while (steps-- > 0 && check_step(c)) {
    now += check_below(c, 5) * MS;
    uint32_t i = (uint32_t)check_below(c, KEYS);
    uint64_t at = now * 256, ahead = key[i].idle > at ? key[i].idle - at : 0;
    int64_t t = ttb_limiter_acquire_key(&l, i + 1, 0, now);
    if (t == TTB_ERR_NOSPACE) { /* then as many others are busy as it looks at */
      uint32_t busy = 0;
      for (uint32_t n = 0; n < KEYS; n++) busy += key[n].idle > at;
      CHECK(c, ahead == 0, "a busy key lost its place");
      CHECK(c, busy >= (k.capacity < 32 ? k.capacity : 32), "no place, and %u busy", busy);
      continue;
    }
    CHECK(c, (t >= 0) == (ahead + interval <= 3 * interval), "ticket %" PRId64, t);
    if (t < 0) continue;
    int32_t place = ttb_ticket_slot(t);
    CHECK(c, ahead == 0 || place == key[i].place, "a busy key moved");
    for (uint32_t n = 0; n < KEYS; n++)
      CHECK(c, n == i || key[n].idle <= at || key[n].place != place, "two busy keys in one place");
    key[i].place = place;
    key[i].idle = at + ahead + interval;
  }
  ttb_limiter_free(&l);
}

/* ---- every kind, any configuration ---- */

static int32_t off_or(check *c, uint32_t most) {
  return check_chance(c, 1, 3) ? TTB_OFF : 1 + (int32_t)check_below(c, most);
}

static ttb_limiter_config any_config(check *c) {
  ttb_limiter_config k = TTB_CONFIG(ttb_limiter_config);
  k.kind = 1 + (uint32_t)check_below(c, TTB__LIMITER_KINDS);
  k.threads = 1 + (uint32_t)check_below(c, 254);
  k.permits = some_permits(c, PERMITS);
  k.reserve_2 = (uint32_t)check_below(c, k.permits);
  k.lease_ms = off_or(c, 2000);
  k.rate = 1 + (uint32_t)check_below(c, check_chance(c, 1, 2) ? 20 : 1000000000);
  k.period_ms = 1 + (uint32_t)check_below(c, check_chance(c, 1, 2) ? 2000 : 86400000);
  k.burst = 1 + (uint32_t)check_below(c, check_chance(c, 1, 2) ? 5 : 100000);
  k.window_ms = 1000 + (uint32_t)check_below(c, check_chance(c, 1, 2) ? 1000 : 86399000);
  k.ratio_ppm = off_or(c, 3000000);
  k.per_second = off_or(c, 3);
  k.tokens = 1 + (uint32_t)check_below(c, 20);
  k.accept_ppm = 1000 + (int32_t)check_below(c, 999001);
  k.aggression = 1 + (uint32_t)check_below(c, 8);
  k.max_reject_ppm = 1 + (int32_t)check_below(c, 1000000);
  k.min_requests = 1 + (uint32_t)check_below(c, 30);
  k.algorithm = 1 + (uint32_t)check_below(c, 4);
  k.min_limit = 1 + (uint32_t)check_below(c, 8);
  k.max_limit = k.min_limit + (uint32_t)check_below(c, 90);
  k.limit_window_ms = off_or(c, 50);
  k.limit_samples = (uint32_t)check_below(c, 6);
  if (k.algorithm != TTB_LIMIT_AIMD) k.timeout_ms = off_or(c, 100);
  k.measure_samples = 1 + (uint32_t)check_below(c, 20);
  k.measure_ms = 1000 + (uint32_t)check_below(c, 3000);
  k.budget_ppm = off_or(c, 1000000);
  k.min_retries = off_or(c, 5);
  k.seed = check_rand(c);
  return k;
}

/* What peek says is what acquire does, with clocks that jump, too; retry_after is
 * the first time at which it grants; and all that a thread held comes back. */
static void any_life(check *c, uint32_t steps) {
  ttb_limiter_config k = any_config(c);
  ttb_limiter shared, l;
  int64_t out[64];
  uint32_t n = 0, most = k.burst < 32767 ? k.burst : 32767;
  uint64_t now = T0, usual = 3 * MS;
  bool odd = check_chance(c, 1, 3);
  if (k.kind == TTB_LIMITER_RATE) usual = k.period_ms * MS / k.rate + 1;
  if (k.kind == TTB_LIMITER_RETRY || k.kind == TTB_LIMITER_THROTTLE) usual = k.window_ms * MS / 40;
  if (ttb_limiter_new(&shared, &k, NULL) != TTB_OK) return; /* takes too long to refill */
  CHECK(c, ttb_limiter_join(&shared, 9, &l) == TTB_OK, "join");
  bool exact = k.kind == TTB_LIMITER_BULKHEAD || k.kind == TTB_LIMITER_ADAPTIVE;
  while (steps-- > 0 && check_step(c)) {
    uint32_t ask = k.kind == TTB_LIMITER_THROTTLE || exact ? 0 : (uint32_t)check_below(c, 3);
    if (k.kind == TTB_LIMITER_BULKHEAD) ask = (uint32_t)check_below(c, 4);
    if (k.kind == TTB_LIMITER_RATE) ask = (uint32_t)check_below(c, most + 1);
    now += check_below(c, check_chance(c, 1, 10) ? 20 * usual : 2 * usual);
    uint64_t my = now;
    if (odd && check_chance(c, 1, 6)) my -= check_below(c, check_chance(c, 1, 2) ? 3000 * MS : 100 * MS);
    if (odd && check_chance(c, 1, 200)) my = check_rand(c);
    if (n == 0 || (n < 64 && check_chance(c, 3, 5))) {
      ttb_limiter_info i = info(&l, 0, ask, my);
      int32_t peek = ttb_limiter_peek(&l, 0, ask, my);
      uint64_t wait = i.retry_after_ns > 0 ? (uint64_t)i.retry_after_ns : 0;
      uint64_t unit = k.kind == TTB_LIMITER_BULKHEAD ? MS : k.kind == TTB_LIMITER_ADAPTIVE ? 250 : 1;
      CHECK(c, (peek == TTB_OK) == (i.retry_after_ns == 0), "peek %d, retry after %" PRId64, peek,
            i.retry_after_ns);
      if (wait > 0 && !odd) {
        CHECK(c, ttb_limiter_peek(&l, 0, ask, my + wait) == TTB_OK, "not granted after %" PRIu64, wait);
        CHECK(c, wait <= unit || ttb_limiter_peek(&l, 0, ask, my + wait - unit) != TTB_OK,
              "granted before %" PRIu64, wait);
      }
      int64_t t = ttb_limiter_acquire(&l, 0, ask, my);
      bool drawn = k.kind == TTB_LIMITER_THROTTLE && i.reject_ppm > 0;
      CHECK(c, drawn ? t >= 0 || t == TTB_THROTTLED : (t >= 0) == (peek == TTB_OK),
            "kind %u: peek %d, acquire %" PRId64, k.kind, peek, t);
      if (t >= 0) out[n++] = t;
    } else {
      uint32_t x = (uint32_t)check_below(c, n);
      int32_t outcome = (int32_t)check_below(c, 6), code = ttb_limiter_report(&l, out[x], outcome, my);
      CHECK(c, code == TTB_OK || (exact && k.lease_ms > 0 && code == TTB_STALE), "report: %d", code);
      if (exact) CHECK(c, ttb_limiter_report(&l, out[x], outcome, my) == TTB_STALE, "twice");
      out[x] = out[--n];
    }
  }
  ttb_limiter_free(&l);
  CHECK(c, info(&shared, 0, 0, now).in_use == 0, "a thread that left has calls out");
  ttb_limiter_free(&shared);
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  check_property(&c, "a bulkhead grants exactly what is free, by importance, to its holder");
  while (!c.wrong && c.step < c.limit) bulkhead_life(&c, 2000);
  check_property(&c, "peek is what acquire does, retry_after when it grants, in every kind");
  while (!c.wrong && c.step < c.limit) any_life(&c, 300);
  check_property(&c, "a rate is its bucket of tokens, and never outruns the exact one");
  while (!c.wrong && c.step < c.limit) rate_life(&c, 2000);
  check_property_slow(&c, "a retry budget is the list of its attempts", 5);
  while (!c.wrong && c.step < c.limit) retry_life(&c, 2000);
  check_property(&c, "tokens are a number between 0 and full");
  while (!c.wrong && c.step < c.limit) tokens_life(&c, 2000);
  check_property(&c, "the throttle's formula");
  while (check_step(&c)) formula(&c);
  check_property(&c, "a backoff stays within its bounds");
  while (check_step(&c)) backoff(&c);
  check_property(&c, "an adaptive limit grants the lowest below it, and moves by its samples");
  while (!c.wrong && c.step < c.limit) adaptive_life(&c, 500);
  check_property(&c, "the rules are the peers' formulas");
  while (check_step(&c)) rule_step(&c);
  check_property_slow(&c, "a key has its own bucket in one place while it is busy", 5);
  while (!c.wrong && c.step < c.limit) keys_life(&c, 2000);
  return check_end(&c);
}
