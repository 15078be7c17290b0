/* SPDX-License-Identifier: MIT */
/* Health against a slow, plain reference: it keeps every result as a letter and
 * counts rows by looking back over them. Outliers against the formulas in doubles,
 * with sorted medians. And JSON that a strict reader accepts,
 * whatever the texts hold. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/health.h>

#include "check.h"

#define SLOTS 5
#define LONGEST 512

/* ---- the reference ---- */

typedef struct target {
  bool enabled;
  int32_t level;       /* as the last change left it; TTB_STATUS_STALE once announced */
  char past[LONGEST];  /* P and F since it has a history, oldest first */
  uint32_t n;
  uint64_t reported;   /* ms */
  uint32_t errors;
  /* probing */
  bool wanted, leased;
  uint64_t leased_at;
} target;

typedef struct model {
  ttb_health_config c;
  target t[SLOTS];
  uint64_t now;        /* ms */
  uint64_t ticked;     /* 0: never */
  uint64_t held_until; /* 0: not */
} model;

static bool held(const model *m) { return m->held_until > m->now; }

static bool silent(const model *m, const target *t) {
  return m->c.ttl_ms > 0 && m->now - t->reported >= (uint64_t)m->c.ttl_ms && !held(m);
}

static int32_t shown(const model *m, const target *t) {
  if (!t->enabled || t->level == TTB_STATUS_UNKNOWN) return TTB_STATUS_UNKNOWN;
  return silent(m, t) ? TTB_STATUS_STALE : t->level;
}

static void remember(target *t, char what) {
  if (t->n == LONGEST) {
    memmove(t->past, t->past + LONGEST / 2, LONGEST / 2);
    t->n = LONGEST / 2;
  }
  t->past[t->n++] = what;
}

static uint32_t row_of(const target *t, char what) {
  uint32_t row = 0;
  while (row < t->n && t->past[t->n - 1 - row] == what) row++;
  return row;
}

static uint32_t at_most(uint32_t n, uint32_t most) { return n < most ? n : most; }

static void decide_at_once(target *t, int32_t level, char what, uint32_t times) {
  t->n = 0;
  while (times--) remember(t, what);
  t->level = level;
}

static void pass(model *m, target *t, bool slow, bool anew) {
  int32_t grade = slow ? TTB_STATUS_DEGRADED : TTB_STATUS_HEALTHY;
  if (anew) {
    decide_at_once(t, grade, 'P', m->c.rise);
    return;
  }
  remember(t, 'P');
  if (row_of(t, 'P') >= m->c.rise || (slow && t->level == TTB_STATUS_HEALTHY)) t->level = grade;
}

static void fail(model *m, target *t, uint32_t times, bool anew) {
  if (anew) {
    decide_at_once(t, TTB_STATUS_UNHEALTHY, 'F', m->c.fall);
    return;
  }
  uint32_t row = row_of(t, 'F') + 1;
  do {
    remember(t, 'F');
  } while (row_of(t, 'F') < times);
  if (row < times) row = times;
  if (row >= m->c.fall)
    t->level = TTB_STATUS_UNHEALTHY;
  else if (m->c.degrade_after > 0 && row >= (uint32_t)m->c.degrade_after &&
           t->level == TTB_STATUS_HEALTHY)
    t->level = TTB_STATUS_DEGRADED;
}

static int32_t ref_report(model *m, target *t, int32_t outcome, uint64_t latency_ms) {
  if (outcome == TTB_SLOW_FAILURE) outcome = TTB_FAILURE;
  if (!t->enabled) return TTB_STALE;
  if (outcome == TTB_CANCELLED) t->wanted = true;
  if (outcome >= TTB_IGNORED) return TTB_OK;
  int32_t was = shown(m, t);
  bool anew = t->n == 0 || was == TTB_STATUS_STALE;
  bool degraded = was == TTB_STATUS_DEGRADED;
  uint64_t limit = degraded ? m->c.recover_ms : (uint64_t)m->c.degraded_ms;
  bool slow = outcome == TTB_SLOW || (m->c.degraded_ms > 0 && latency_ms >= limit);
  bool too_long = m->c.fail_ms > 0 && latency_ms >= (uint64_t)m->c.fail_ms;
  if (outcome == TTB_FAILURE || too_long)
    fail(m, t, 1, anew);
  else
    pass(m, t, slow, anew);
  t->leased = t->wanted = false;
  t->reported = m->now;
  return t->level == was ? TTB_OK : t->level;
}

static int32_t ref_observe(model *m, target *t, int32_t outcome) {
  if (outcome == TTB_SLOW_FAILURE) outcome = TTB_FAILURE;
  if (!t->enabled) return TTB_STALE;
  if (m->c.passive_errors < 0 || outcome >= TTB_IGNORED) return TTB_OK;
  if (outcome != TTB_FAILURE) {
    t->errors = 0;
    return TTB_OK;
  }
  if (++t->errors < (uint32_t)m->c.passive_errors) return TTB_OK;
  t->errors = 0;
  int32_t was = shown(m, t);
  t->wanted = true;
  if (was == TTB_STATUS_STALE) return TTB_OK;
  uint32_t times = m->c.passive_action == TTB_HEALTH_MARK_DOWN      ? m->c.fall
                   : m->c.passive_action == TTB_HEALTH_SUDDEN_DEATH ? m->c.fall - 1
                                                                    : 1;
  fail(m, t, times, t->n == 0);
  return t->level == was ? TTB_OK : t->level;
}

static int32_t ref_set(model *m, target *t, int32_t status) {
  if (!t->enabled) return TTB_STALE;
  int32_t was = shown(m, t);
  t->n = 0;
  t->level = status;
  if (status == TTB_STATUS_HEALTHY) decide_at_once(t, status, 'P', m->c.rise);
  if (status == TTB_STATUS_UNHEALTHY) decide_at_once(t, status, 'F', m->c.fall);
  t->leased = t->wanted = false;
  t->reported = m->now;
  return t->level == was ? TTB_OK : t->level;
}

static void ref_begin(model *m, target *t, bool enabled) {
  *t = (target){.enabled = enabled, .reported = m->now};
  if (!enabled) return;
  switch (m->c.start) {
  case TTB_HEALTH_START_UP: t->level = TTB_STATUS_HEALTHY; break;
  case TTB_HEALTH_START_DOWN: t->level = TTB_STATUS_UNHEALTHY; break;
  case TTB_HEALTH_START_FULLY_UP: decide_at_once(t, TTB_STATUS_HEALTHY, 'P', m->c.rise); break;
  case TTB_HEALTH_START_FULLY_DOWN:
    decide_at_once(t, TTB_STATUS_UNHEALTHY, 'F', m->c.fall);
    break;
  default: break;
  }
  t->wanted = t->n > 0;
}

static int32_t ref_tick(model *m) {
  int32_t found = 0;
  if (m->c.max_pause_ms > 0) {
    uint64_t pause = (uint64_t)m->c.max_pause_ms;
    bool late = m->ticked && m->now - m->ticked > pause;
    if (late && m->held_until == 0) m->held_until = m->now + pause;
    else if (!late && m->ticked && !held(m)) m->held_until = 0;
    m->ticked = m->now;
  }
  if (held(m)) return 0;
  for (int i = 0; i < SLOTS; i++) {
    target *t = &m->t[i];
    if (!t->enabled || t->level == TTB_STATUS_UNKNOWN || t->level == TTB_STATUS_STALE) continue;
    if (!silent(m, t)) continue;
    t->level = TTB_STATUS_STALE;
    found++;
  }
  return found;
}

/* Without jitter: it is switched off here. */
static uint64_t ref_due_in(const model *m, const target *t) {
  if (t->wanted) return 0;
  if (t->leased && m->now - t->leased_at < m->c.lease_ms)
    return m->c.lease_ms - (m->now - t->leased_at);
  if (t->n == 0) return 0;
  bool up = t->level == TTB_STATUS_HEALTHY || t->level == TTB_STATUS_DEGRADED;
  bool failed = t->past[t->n - 1] == 'F';
  uint64_t wait = m->c.fast_interval_ms;
  if (up && !failed) wait = m->c.interval_ms;
  if (!up && failed) wait = m->c.down_interval_ms;
  uint64_t age = m->now - t->reported;
  return age < wait ? wait - age : 0;
}

/* ---- the comparison ---- */

static ttb_health_config any_config(check *c) {
  ttb_health_config k = TTB_CONFIG(ttb_health_config);
  static const int32_t actions[] = {TTB_HEALTH_FAIL_CHECK, TTB_HEALTH_SUDDEN_DEATH,
                                    TTB_HEALTH_MARK_DOWN};
  k.capacity = SLOTS;
  k.rise = (uint32_t)check_between(c, 1, 5);
  k.fall = (uint32_t)check_between(c, 1, 5);
  k.degrade_after = check_chance(c, 1, 2) ? TTB_OFF : (int32_t)check_between(c, 1, 5);
  k.start = (int32_t)check_between(c, 1, 5);
  k.degraded_ms = check_chance(c, 1, 5) ? TTB_OFF : 100;
  k.recover_ms = check_chance(c, 1, 2) ? 100 : 50;
  k.fail_ms = check_chance(c, 1, 2) ? TTB_OFF : 300;
  k.ttl_ms = check_chance(c, 1, 5) ? TTB_OFF : (int32_t)check_between(c, 1, 3000);
  k.max_pause_ms = check_chance(c, 1, 3) ? TTB_OFF : (int32_t)check_between(c, 100, 2000);
  k.interval_ms = (uint32_t)check_between(c, 100, 1000);
  k.fast_interval_ms = (uint32_t)check_between(c, 50, 500);
  k.down_interval_ms = (uint32_t)check_between(c, 100, 2000);
  k.lease_ms = (uint32_t)check_between(c, 50, 2000);
  k.jitter_ppm = TTB_OFF;
  k.passive_errors = check_chance(c, 1, 5) ? TTB_OFF : (int32_t)check_between(c, 1, 4);
  k.passive_action = actions[check_below(c, 3)];
  return k;
}

static void compare(check *c, const ttb_health *h, const model *m) {
  uint64_t now_ns = m->now * 1000000;
  for (uint32_t i = 0; i < SLOTS; i++) {
    const target *t = &m->t[i];
    ttb_health_info x = TTB_CONFIG(ttb_health_info);
    int32_t status = ttb_health_status(h, i, now_ns);
    CHECK(c, status == shown(m, t), "slot %u: status %d, reference %d", i, status, shown(m, t));
    ttb_health_explain(h, i, now_ns, &x);
    uint32_t passes = at_most(row_of(t, 'P'), m->c.rise);
    uint32_t failures = at_most(row_of(t, 'F'), m->c.fall);
    CHECK(c, x.passes == passes && x.failures == failures && x.errors == t->errors,
          "slot %u: %u passes %u failures %u errors, reference %u %u %u", i, x.passes, x.failures,
          x.errors, passes, failures, t->errors);
    if (!t->enabled) continue;
    CHECK(c, (uint64_t)x.next_due_ms == ref_due_in(m, t), "slot %u: due in %" PRId64
          " ms, reference %" PRIu64, i, x.next_due_ms, ref_due_in(m, t));
  }
}

/* Time moves on before each report, so that "since the last report" has no ties. */
static void step(check *c, ttb_health *h, model *m) {
  uint32_t slot = (uint32_t)check_below(c, SLOTS);
  target *t = &m->t[slot];
  uint64_t op = check_below(c, 20);
  m->now += check_chance(c, 1, 50) ? check_below(c, 5000) + 1 : check_below(c, 60) + 1;
  uint64_t now_ns = m->now * 1000000 + check_below(c, 1000000);
  if (op < 11) {
    int32_t outcome = (int32_t)check_below(c, 8) - 2;
    if (outcome < 0) outcome = TTB_SUCCESS;
    uint64_t ms = check_below(c, 400);
    int32_t got = ttb_health_report(h, slot, outcome, ms * 1000000 + check_below(c, 1000000),
                                    now_ns);
    int32_t want = ref_report(m, t, outcome, ms);
    CHECK(c, got == want, "report %d of slot %u: %d, reference %d", outcome, slot, got, want);
  } else if (op < 14) {
    int32_t outcome = check_chance(c, 3, 4) ? TTB_FAILURE : (int32_t)check_below(c, 6);
    int32_t got = ttb_health_observe(h, slot, outcome, now_ns), want = ref_observe(m, t, outcome);
    CHECK(c, got == want, "observe %d of slot %u: %d, reference %d", outcome, slot, got, want);
  } else if (op < 15) {
    static const int32_t all[] = {TTB_STATUS_UNKNOWN, TTB_STATUS_HEALTHY, TTB_STATUS_UNHEALTHY};
    int32_t status = all[check_below(c, 3)];
    int32_t got = ttb_health_set(h, slot, status, now_ns), want = ref_set(m, t, status);
    CHECK(c, got == want, "set %d of slot %u: %d, reference %d", status, slot, got, want);
  } else if (op < 17) {
    int32_t got = ttb_health_tick(h, now_ns, NULL, 0), want = ref_tick(m);
    CHECK(c, got == want, "tick: %d, reference %d", got, want);
  } else if (op < 19) {
    uint32_t slots[SLOTS];
    int32_t got = ttb_health_due(h, now_ns, slots, (uint32_t)check_between(c, 1, SLOTS));
    for (int32_t i = 0; i < got; i++) {
      target *d = &m->t[slots[i]];
      CHECK(c, d->enabled && ref_due_in(m, d) == 0, "slot %u is not due", slots[i]);
      d->leased = true;
      d->wanted = false;
      d->leased_at = m->now;
    }
  } else if (check_chance(c, 1, 3)) {
    bool enabled = check_chance(c, 2, 3);
    if (enabled) ttb_health_enable(h, slot, now_ns);
    else ttb_health_disable(h, slot, now_ns);
    ref_begin(m, t, enabled);
  }
}

static void against_the_reference(check *c) {
  ttb_health h = {{0}};
  model m = {.now = 0};
  check_property(c, "every status and code is the reference's");
  for (uint64_t i = 0; check_step(c); i++) {
    if (i % 2000 == 0) {
      ttb_health_free(&h);
      m = (model){.c = any_config(c), .now = 5000000};
      int32_t code = ttb_health_new(&h, &m.c, NULL);
      CHECK(c, code == TTB_OK, "config: %d", code);
      if (code < 0) break;
      (void)ttb_health_tick(&h, m.now * 1000000, NULL, 0); /* the clock begins here */
      for (int s = 0; s < SLOTS; s++) ref_begin(&m, &m.t[s], true);
      (void)ref_tick(&m);
    }
    step(c, &h, &m);
    compare(c, &h, &m);
  }
  ttb_health_free(&h);
}

/* ---- a strict reader of JSON ---- */

static const char *value(const char *s);
static const char *skip(const char *s, const char *what) {
  size_t n = strlen(what);
  return s && !strncmp(s, what, n) ? s + n : NULL;
}
static const char *string(const char *s) {
  if (!(s = skip(s, "\""))) return NULL;
  while (*s != '"') {
    unsigned char c = (unsigned char)*s;
    if (c < 0x20) return NULL;
    if (c == '\\') {
      if (s[1] == 'u') {
        for (int i = 2; i < 6; i++)
          if (!s[i] || !strchr("0123456789abcdef", s[i])) return NULL;
        s += 6;
      } else if (s[1] && strchr("\"\\nrt", s[1])) {
        s += 2;
      } else {
        return NULL;
      }
    } else if (c < 0x80) {
      s++;
    } else { /* UTF-8, by its code point */
      uint32_t n = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1, point = c & (0x3fu >> n);
      static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
      if (c < 0xc0 || c > 0xf7) return NULL;
      for (uint32_t i = 1; i <= n; i++) {
        if (((unsigned char)s[i] & 0xc0) != 0x80) return NULL;
        point = point << 6 | ((unsigned char)s[i] & 0x3f);
      }
      if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return NULL;
      s += n + 1;
    }
  }
  return s + 1;
}
static const char *number(const char *s) {
  const char *from = s;
  if (*s == '0' && s[1] >= '0' && s[1] <= '9') return NULL;
  while (*s >= '0' && *s <= '9') s++;
  if (s == from) return NULL;
  if (*s != '.') return s;
  for (from = ++s; *s >= '0' && *s <= '9';) s++;
  return s > from && s[-1] != '0' ? s : NULL;
}
static const char *list(const char *s, const char *end, bool keys) {
  if (skip(s, end)) return NULL; /* none of ours is empty */
  for (;;) {
    if (keys) s = skip(string(s), ":");
    if (!s || !(s = value(s))) return NULL;
    if (skip(s, end)) return s + 1;
    if (!(s = skip(s, ","))) return NULL;
  }
}
static const char *value(const char *s) {
  if (*s == '{') return list(s + 1, "}", true);
  if (*s == '[') return list(s + 1, "]", false);
  return *s == '"' ? string(s) : number(s);
}

static const char *any_text(check *c, char *buf, uint32_t most, bool name) {
  uint32_t n = (uint32_t)check_below(c, most);
  if (!name && check_chance(c, 1, 3)) return NULL;
  if (name && n == 0) n = 1;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t kind = check_below(c, 4);
    static const char hard[] = "\"\\\n\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8e\xed\xa0\x80\xc0";
    buf[i] = kind == 0   ? (char)check_between(c, 1, 255)
             : kind == 1 ? hard[check_below(c, sizeof hard - 1)]
                         : (char)check_between(c, 'a', 'z');
    if (name && buf[i] == ':') buf[i] = ';';
  }
  buf[n] = 0;
  return buf;
}

static void json_is_json(check *c) {
  static char buf[65536], texts[8][5][32];
  static const char *const words[] = {"", "pass", "warn", "fail"};
  ttb_health_config k = TTB_CONFIG(ttb_health_config);
  ttb_health h;
  uint64_t now = 5000000;
  k.capacity = SLOTS;
  k.ttl_ms = 5000;
  check_property_slow(c, "the text is JSON and says what overall says", 10);
  if (ttb_health_new(&h, &k, NULL) < 0) return;
  while (check_step(c)) {
    ttb_health_member rows[8];
    ttb_health_view v = TTB_CONFIG(ttb_health_view);
    v.count = (uint32_t)check_below(c, 9);
    v.members = rows;
    v.at_least = (int32_t)check_below(c, 5) - 1;
    v.wall_ms = check_chance(c, 1, 3) ? 0 : check_below(c, 253402300800000u);
    now += check_below(c, 700);
    ttb_health_report(&h, (uint32_t)check_below(c, SLOTS), (int32_t)check_below(c, 3),
                      check_rand(c) >> check_below(c, 64), now * 1000000);
    for (uint32_t i = 0; i < v.count; i++) {
      rows[i] = TTB_CONFIG(ttb_health_member);
      rows[i].slot = (uint32_t)check_below(c, SLOTS);
      rows[i].criticality = (int32_t)check_below(c, 3);
      rows[i].name = i > 0 && check_chance(c, 1, 3) ? rows[i - 1].name
                                                    : any_text(c, texts[i][0], 32, true);
      rows[i].measurement = any_text(c, texts[i][1], 32, false);
      rows[i].id = any_text(c, texts[i][2], 32, false);
      rows[i].type = any_text(c, texts[i][3], 32, false);
      rows[i].output = any_text(c, texts[i][4], 32, false);
    }
    int32_t status = ttb_health_overall(&h, &v, now * 1000000, NULL);
    int64_t n = ttb_health_json(&h, &v, now * 1000000, buf, sizeof buf, NULL);
    CHECK(c, status > 0 && n > 0, "status %d, length %" PRId64, status, n);
    if (status <= 0 || n <= 0) break;
    const char *end = value(buf);
    CHECK(c, end && !*end && end - buf == n, "not JSON: %s", buf);
    CHECK(c, !strncmp(buf + 11, words[status], 4), "%s of status %d", buf, status);
    uint64_t size = check_below(c, (uint64_t)n + 2);
    static char cut[65536];
    memset(cut, 'Z', sizeof cut);
    CHECK(c, ttb_health_json(&h, &v, now * 1000000, cut, size, NULL) == n, "cut at %" PRIu64, size);
    CHECK(c, cut[size] == 'Z' && (size == 0 || !memcmp(cut, buf, strlen(cut))), "cut at %" PRIu64,
          size);
  }
  ttb_health_free(&h);
}

/* ---- outliers ---- */

#define HOSTS 24

typedef struct host {
  uint32_t calls, failures;
  bool ejected, judged, want;
  uint64_t since, until, times; /* ms */
} host;

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* What each test finds, in `want`. False: a border a double cannot judge. */
static bool robust(host *h, uint32_t n, const ttb_health_config *k) {
  uint32_t bad = 0, judged = 0;
  for (uint32_t i = 0; i < n; i++) judged += h[i].judged;
  if (judged < k->eject_hosts) return true;
  for (uint32_t i = 0; i < n; i++) {
    double others[HOSTS], f = h[i].failures, c = h[i].calls;
    uint32_t m = 0;
    if (!h[i].judged) continue;
    for (uint32_t j = 0; j < n; j++)
      if (h[j].judged && j != i) others[m++] = (double)h[j].failures / h[j].calls;
    qsort(others, m, sizeof *others, by_size);
    double median = others[(m - 1) / 2], p = median + 1 / c;
    double z = f > c * p ? (f - c * p) * (f - c * p) - 20.25 * c * p * (1 - p) : -1;
    double gap = f / c - median - k->eject_gap_ppm / 1e6;
    if (fabs(z) < 1e-3 || fabs(gap) < 1e-6) return false;
    h[i].want = z > 0 && gap > 0;
    bad += h[i].want;
  }
  for (uint32_t i = 0; i < n && bad * 2 > judged; i++) h[i].want = false; /* systemic */
  return true;
}

static bool deviation(host *h, uint32_t n, const ttb_health_config *k) {
  double sum = 0, squares = 0, judged = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (!h[i].judged) continue;
    sum += 1 - (double)h[i].failures / h[i].calls;
    judged++;
  }
  if (judged < k->eject_hosts) return true;
  double mean = sum / judged;
  for (uint32_t i = 0; i < n; i++) {
    double apart = 1 - (double)h[i].failures / h[i].calls - mean;
    if (h[i].judged) squares += apart * apart;
  }
  double threshold = mean - 1.9 * sqrt(squares / judged);
  for (uint32_t i = 0; i < n; i++) {
    if (!h[i].judged) continue;
    double rate = 1 - (double)h[i].failures / h[i].calls;
    if (fabs(rate - threshold) < 1e-5) return false;
    h[i].want = rate < threshold;
  }
  return true;
}

/* Sweeps of one table, each beside the reference. */
static void outliers(check *c) {
  host h[HOSTS];
  ttb_health t;
  ttb_health_config k = TTB_CONFIG(ttb_health_config);
  uint32_t n = 2 + (uint32_t)check_below(c, HOSTS - 1);
  memset(h, 0, sizeof h);
  k.capacity = n;
  k.passive_errors = TTB_OFF;
  k.eject = check_chance(c, 1, 2) ? TTB_HEALTH_EJECT_ROBUST : TTB_HEALTH_EJECT_ENVOY;
  bool is_robust = k.eject == TTB_HEALTH_EJECT_ROBUST;
  k.eject_errors = k.eject_failure_ppm = TTB_OFF;
  k.eject_hosts = 2 + (uint32_t)check_below(c, 4);
  k.eject_requests = 1 + (uint32_t)check_below(c, 60);
  k.eject_max_ppm = (int32_t)check_between(c, 1, 1000000);
  k.eject_min_kept = check_chance(c, 1, 2) ? TTB_OFF : (int32_t)check_between(c, 1, n);
  if (ttb_health_new(&t, &k, NULL) != TTB_OK) {
    CHECK(c, false, "new");
    return;
  }
  uint64_t ms = 3600000;
  for (int sweep = 0; sweep < 20 && check_step(c); sweep++, ms += 10000) {
    uint64_t now = ms * 1000000;
    for (uint32_t i = 0; i < n; i++) {
      uint32_t share = check_chance(c, 1, 4) ? 100 : (uint32_t)check_below(c, 10);
      h[i].calls = (uint32_t)check_below(c, 120);
      h[i].failures = h[i].want = 0;
      for (uint32_t j = 0; j < h[i].calls; j++) {
        bool bad = check_below(c, 100) < share;
        h[i].failures += bad;
        (void)ttb_health_observe(&t, i, bad ? TTB_FAILURE : TTB_SUCCESS, now);
      }
    }
    (void)ttb_health_tick(&t, now, NULL, 0);
    uint32_t out = 0;
    for (uint32_t i = 0; i < n; i++) {
      if (h[i].ejected && ms >= h[i].until) h[i].ejected = false, h[i].since = ms;
      h[i].judged = !h[i].ejected && h[i].calls >= k.eject_requests;
      out += h[i].ejected;
    }
    if (!(is_robust ? robust(h, n, &k) : deviation(h, n, &k))) break;
    uint32_t kept = k.eject_min_kept > 0 ? (uint32_t)k.eject_min_kept : is_robust && k.eject_min_kept == 0;
    for (uint32_t i = 0; i < n; i++) {
      bool room = (out + 1) * UINT64_C(1000000) <= (uint64_t)k.eject_max_ppm * n && out + 1 + kept <= n;
      if (!h[i].want || !room) continue;
      h[i].ejected = true;
      h[i].times += h[i].times * 30000 < 330000;
      h[i].until = ms + (h[i].times * 30000 < 300000 ? h[i].times * 30000 : 300000);
      out++;
    }
    for (uint32_t i = 0; i < n; i++)
      if (!h[i].ejected && h[i].times > 0 && ms - h[i].since >= 10000) h[i].times--;
    for (uint32_t i = 0; i < n; i++) {
      ttb_health_info f = TTB_CONFIG(ttb_health_info);
      (void)ttb_health_explain(&t, i, now, &f);
      CHECK(c, f.ejected == h[i].ejected, "target %u of %u: %d, should be %d (%u of %u failed)", i, n,
            f.ejected, h[i].ejected, h[i].failures, h[i].calls);
      CHECK(c, f.ejections == h[i].times, "target %u: %u times, should be %u", i, f.ejections,
            (unsigned)h[i].times);
      CHECK(c, f.eject_left_ms == (h[i].ejected ? (int64_t)(h[i].until - ms) : 0), "left");
    }
  }
  ttb_health_free(&t);
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  check_property_slow(&c, "outliers are those of the formulas, within the limits", 500);
  while (!c.wrong && c.step < c.limit) outliers(&c);
  against_the_reference(&c);
  json_is_json(&c);
  return check_end(&c);
}
