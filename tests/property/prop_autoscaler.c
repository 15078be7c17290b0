/* SPDX-License-Identifier: MIT */
/* Autoscaler against a plain reference, written after the description of the
 * HPA and not after the library: it keeps every recommendation and every change
 * in lists as the controller does, scans them all, and computes with double. */
#include <float.h>
#include <math.h>
#include <string.h>

#include <trimtab/autoscaler.h>

#include "check.h"
#include "dec_hash.h"

#define LIST 1024
#define METRICS 3
#define POLICIES 3

/* ---- the reference ---- */

typedef struct past {
  int64_t value, time;
} past;

typedef struct list {
  past item[LIST];
  int n;
} list;

typedef struct rules {
  ttb_autoscaler_policy policy[POLICIES];
  int n;
  uint32_t select;
  int64_t window, longest;
} rules;

typedef struct model {
  ttb_autoscaler_config c;
  ttb_autoscaler_metric metric[METRICS];
  rules up, down;
  int64_t min, max;
  double tol_up, tol_down;
  list seen, ups, downs;
  bool known;
  int64_t order_from, order_to, order_at; /* order_from -1: none */
} model;

typedef struct answer {
  int64_t desired, proposed, stabilised;
  int32_t reason, window, limit, metric;
} answer;

/* The controller's way to keep a list short: the last expired slot is reused. */
static void put(list *l, int64_t value, int64_t now, int64_t longest, int64_t other) {
  int at = l->n;
  for (int i = 0; i < l->n; i++) {
    int64_t age = now - l->item[i].time;
    if (age > longest && age > other) at = i;
  }
  if (at == l->n) l->n++;
  if (l->n > LIST) abort();
  l->item[at] = (past){value, now};
}

static int64_t sum_of(const list *l, int64_t period, int64_t now) {
  int64_t sum = 0;
  for (int i = 0; i < l->n; i++)
    if (now - l->item[i].time < period) sum += l->item[i].value;
  return sum;
}

static int64_t ceil32(double x) {
  x = ceil(x);
  return x >= 2147483647.0 ? INT32_MAX : x <= 0 ? 0 : (int64_t)x;
}

static bool holds(const model *m, double r) {
  if (m->c.flags & TTB_AUTOSCALER_OLD_TOLERANCE)
    return fabs(1.0 - r) <= (r > 1.0 ? m->tol_up : m->tol_down);
  double low = 1.0 - m->tol_down, high = 1.0 + m->tol_up;
  return low <= r && r <= high;
}

/* -1: no value. */
static int64_t proposal_of(const model *m, const ttb_autoscaler_metric *spec,
                           const ttb_autoscaler_sample *s, int64_t current, int32_t *ret_reason) {
  bool of_replicas =
      spec->kind == TTB_AUTOSCALER_UTILISATION || spec->kind == TTB_AUTOSCALER_AVERAGE;
  int64_t n = s->replicas == 0 ? current : s->replicas < 0 ? 0 : s->replicas;
  if (spec->kind == TTB_AUTOSCALER_TOTAL)
    n = spec->flags & TTB_AUTOSCALER_STATUS ? (s->replicas < 0 ? 0 : s->replicas) : current;
  int64_t v = s->value_milli, p;
  *ret_reason = TTB_AUTOSCALER_MISSING;
  if (s->missing || s->capacity_milli < 0) return -1;
  if (of_replicas && (n == 0 || current == 0)) return -1;
  if (spec->kind == TTB_AUTOSCALER_UTILISATION) {
    bool fine = spec->flags & TTB_AUTOSCALER_FINE;
    int64_t c = s->capacity_milli, scale = fine ? 100000 : 100, most = fine ? INT64_MAX : INT32_MAX;
    int64_t u = fine ? v : v / 1000;
    if (c > 0) { /* below 2^40, so the remainder can be scaled */
      int64_t whole = v / c, rest = v % c * scale / c;
      u = whole > INT64_MAX / scale - 1   ? INT64_MAX
          : whole < -INT64_MAX / scale + 1 ? -INT64_MAX
                                           : whole * scale + rest;
    }
    u = u > most ? most : u < -most ? -most : u;
    v = u * (fine ? 1 : 1000);
  }
  double target = (double)spec->target_milli, r = (double)v / target;
  int64_t here = current;
  if (spec->kind == TTB_AUTOSCALER_TOTAL) {
    double all = target * (double)n;
    here = n;
    r = (double)v / all;
  }
  if (here != 0 && v >= 0 && holds(m, r)) {
    *ret_reason = r == 1.0 ? TTB_AUTOSCALER_STEADY : TTB_AUTOSCALER_TOLERANCE;
    return here;
  }
  if (spec->kind == TTB_AUTOSCALER_TOTAL || here == 0) p = ceil32((double)v / target);
  else p = ceil32(r * (double)n);
  *ret_reason = p > current   ? TTB_AUTOSCALER_ABOVE_TARGET
                : p < current ? TTB_AUTOSCALER_BELOW_TARGET
                              : TTB_AUTOSCALER_STEADY;
  return p;
}

/* Windows, policies, bounds; changes nothing. */
static void behave(const model *m, int64_t current, int64_t now, answer *a) {
  int64_t lo = a->proposed, hi = a->proposed, x = current;
  for (int i = 0; i < m->seen.n; i++) {
    int64_t age = now - m->seen.item[i].time, v = m->seen.item[i].value;
    if (age < m->up.window && v < lo) lo = v;
    if (age < m->down.window && v > hi) hi = v;
  }
  if (x < lo) x = lo;
  if (x > hi) x = hi;
  a->window = x == a->proposed        ? 0
              : a->proposed >= current ? TTB_AUTOSCALER_UP_WINDOW
                                       : TTB_AUTOSCALER_DOWN_WINDOW;
  a->stabilised = a->desired = x;
  a->limit = 0;
  if (x == current) return;
  bool up = x > current;
  const rules *r = up ? &m->up : &m->down;
  int64_t allowed = current;
  for (int i = 0; i < r->n && r->select != TTB_AUTOSCALER_SELECT_DISABLED; i++) {
    const ttb_autoscaler_policy *p = &r->policy[i];
    int64_t start = current - sum_of(&m->ups, p->period_ms, now) +
                    sum_of(&m->downs, p->period_ms, now);
    double part = (double)p->value / 100, factor = up ? 1 + part : 1 - part;
    double scaled = (double)start * factor;
    int64_t limit = p->type == TTB_AUTOSCALER_REPLICAS ? start + (up ? 1 : -1) * (int64_t)p->value
                    : up ? (int64_t)ceil(scaled)
                         : (int64_t)trunc(scaled);
    bool take = (r->select == TTB_AUTOSCALER_SELECT_MIN) == up ? limit < allowed : limit > allowed;
    if (i == 0 || take) allowed = limit;
  }
  if (up) {
    int64_t most = allowed > current ? allowed : current;
    int64_t bound = m->max > most ? most : m->max;
    if (x > bound) {
      a->desired = bound;
      a->limit = m->max > most ? TTB_AUTOSCALER_UP_POLICY : TTB_AUTOSCALER_AT_MAX;
    }
  } else {
    int64_t least = allowed < current ? allowed : current;
    int64_t bound = m->min < least ? least : m->min;
    if (x < bound) {
      a->desired = bound;
      a->limit = m->min < least ? TTB_AUTOSCALER_DOWN_POLICY : TTB_AUTOSCALER_AT_MIN;
    }
  }
}

static int64_t toward(int64_t done, int64_t all) {
  if (all > 0) return done < 0 ? 0 : done > all ? all : done;
  return done > 0 ? 0 : done < all ? all : done;
}

static answer ask(model *m, const ttb_autoscaler_sample *s, int64_t current, int64_t now) {
  answer a = {current, -1, -1, TTB_AUTOSCALER_STEADY, 0, 0, -1};
  bool wakes = false, outside = current > m->max || current < m->min;
  int missing = 0;
  if (m->order_from >= 0) {
    int64_t done = toward(current - m->order_from, m->order_to - m->order_from);
    if (done > 0) put(&m->ups, done, m->order_at, m->up.longest, -1);
    if (done < 0) put(&m->downs, -done, m->order_at, m->down.longest, -1);
    m->order_from = -1;
  }
  if (!m->known) put(&m->seen, current, now, m->up.window, m->down.window);
  m->known = true;
  for (uint32_t i = 0; i < m->c.metrics_n; i++)
    wakes |= m->min == 0 && m->metric[i].kind >= TTB_AUTOSCALER_TOTAL;
  if (current == 0 && !wakes) {
    a.reason = m->min > 0 ? TTB_AUTOSCALER_SWITCHED_OFF : TTB_AUTOSCALER_MISSING;
    return a;
  }
  if (current != 0 && outside && !(m->c.flags & TTB_AUTOSCALER_GRADUAL)) {
    a.desired = current > m->max ? m->max : m->min;
    a.reason = a.limit = current > m->max ? TTB_AUTOSCALER_AT_MAX : TTB_AUTOSCALER_AT_MIN;
    m->order_from = current, m->order_to = a.desired, m->order_at = now;
    return a;
  }
  for (uint32_t i = 0; i < m->c.metrics_n; i++) {
    int32_t why;
    int64_t p = proposal_of(m, &m->metric[i], &s[i], current, &why);
    if (p < 0) missing++;
    if (p >= 0 && (a.proposed <= 0 || p > a.proposed))
      a.proposed = p, a.reason = why, a.metric = (int32_t)i;
  }
  if (a.proposed > 16777214) a.proposed = 16777214;
  if (a.proposed < 0 || (missing > 0 && a.proposed < current)) {
    a.reason = TTB_AUTOSCALER_MISSING;
    return a;
  }
  behave(m, current, now, &a);
  if (a.window) a.reason = a.window;
  if (a.limit) a.reason = a.limit;
  put(&m->seen, a.proposed, now, m->up.window, m->down.window);
  if (a.desired != current) m->order_from = current, m->order_to = a.desired, m->order_at = now;
  return a;
}

/* ---- random configurations and samples ---- */

static void draw_rules(check *c, rules *r, uint32_t *select) {
  static const uint32_t periods[] = {100, 500, 1000, 1500, 3000, 7000};
  static const uint32_t values[] = {1, 2, 4, 7, 10, 50, 100, 150, 300};
  r->n = (int)check_below(c, POLICIES + 1);
  *select = (uint32_t)check_below(c, check_chance(c, 1, 8) ? 4 : 3);
  r->select = *select;
  for (int i = 0; i < r->n; i++)
    r->policy[i] = (ttb_autoscaler_policy){sizeof(ttb_autoscaler_policy),
                                           1 + (uint32_t)check_below(c, 2),
                                           values[check_below(c, 9)], periods[check_below(c, 6)]};
}

static void finish_rules(rules *r, bool up) {
  if (r->n == 0) {
    r->policy[r->n++] = (ttb_autoscaler_policy){sizeof(ttb_autoscaler_policy),
                                                TTB_AUTOSCALER_PERCENT, 100, 15000};
    if (up)
      r->policy[r->n++] = (ttb_autoscaler_policy){sizeof(ttb_autoscaler_policy),
                                                  TTB_AUTOSCALER_REPLICAS, 4, 15000};
  }
  for (int i = 0; i < r->n; i++)
    if (r->policy[i].period_ms > r->longest) r->longest = r->policy[i].period_ms;
}

static double tolerance_of(int32_t ppm) { return ppm < 0 ? 0 : ppm == 0 ? 0.1 : ppm / 1e6; }

static void draw(check *c, model *m, uint32_t tick_ms) {
  static const int64_t windows[] = {0, 0, 100, 1000, 3000, 10000};
  static const int32_t tolerances[] = {TTB_OFF, 0, 10000, 50000, 100000, 360000, 1000000};
  memset(m, 0, sizeof *m);
  memset(&m->c, 0, sizeof m->c);
  m->c.struct_size = sizeof m->c;
  m->order_from = -1;
  m->min = check_chance(c, 1, 3) ? 0 : check_between(c, 1, 5);
  m->max = m->min + check_between(c, m->min == 0, check_chance(c, 1, 4) ? 10000 : 40);
  m->c.min_replicas = m->min == 0 ? TTB_OFF : (int32_t)m->min;
  m->c.max_replicas = (int32_t)m->max;
  m->c.tolerance_up_ppm = tolerances[check_below(c, 7)];
  m->c.tolerance_down_ppm = tolerances[check_below(c, 7)];
  m->tol_up = tolerance_of(m->c.tolerance_up_ppm);
  m->tol_down = tolerance_of(m->c.tolerance_down_ppm);
  m->up.window = windows[check_below(c, 6)];
  m->down.window = windows[check_below(c, 6)];
  m->c.up_window_ms = (uint32_t)m->up.window;
  m->c.down_window_ms = m->down.window == 0 ? TTB_OFF : (int32_t)m->down.window;
  m->c.tick_ms = tick_ms;
  m->c.flags = (uint32_t)check_below(c, 4);
  draw_rules(c, &m->up, &m->c.up_select);
  draw_rules(c, &m->down, &m->c.down_select);
  m->c.up_policies_n = (uint32_t)m->up.n;
  m->c.down_policies_n = (uint32_t)m->down.n;
  m->c.up_policies = m->up.policy;
  m->c.down_policies = m->down.policy;
  m->c.metrics_n = 1 + (uint32_t)check_below(c, METRICS);
  m->c.metrics = m->metric;
  for (uint32_t i = 0; i < m->c.metrics_n; i++)
    m->metric[i] = (ttb_autoscaler_metric){
        sizeof(ttb_autoscaler_metric), 1 + (uint32_t)check_below(c, 4),
        (uint32_t)check_below(c, 2) | (check_chance(c, 1, 2) ? TTB_AUTOSCALER_STATUS : 0), 0,
        check_chance(c, 1, 3) ? 1000 * check_between(c, 1, 100) : check_between(c, 1, 200000), 0, 0,
        0};
}

static int64_t draw_value(check *c, int64_t target, int64_t current) {
  switch (check_below(c, 12)) {
  case 0: return 0;
  case 1: return (int64_t)check_rand(c);
  case 2: return -check_between(c, 1, 1000000);
  case 3: return target;
  case 4: return target * 11 / 10;
  case 5: return target * current;
  default: return target * check_between(c, 0, 3000) / 1000 * (check_chance(c, 1, 2) ? 1 : current);
  }
}

static void draw_samples(check *c, const model *m, int64_t current, ttb_autoscaler_sample *s) {
  for (uint32_t i = 0; i < METRICS; i++) {
    s[i] = TTB_CONFIG(ttb_autoscaler_sample);
    s[i].value_milli = draw_value(c, m->metric[i].target_milli, current);
    s[i].missing = check_chance(c, 1, 25);
    if (check_chance(c, 1, 10)) s[i].replicas = (int32_t)check_between(c, -1, 50);
    if (check_chance(c, 1, 4)) s[i].capacity_milli = check_between(c, -1, 1000000);
    if (check_chance(c, 1, 50)) s[i].capacity_milli = (int64_t)(check_rand(c) >> 24);
  }
}

/* What the caller makes of a decision: mostly what it was told. */
static int64_t carry_out(check *c, int64_t current, int64_t desired) {
  switch (check_below(c, 20)) {
  case 0: return current;                       /* it failed */
  case 1: return (current + desired) / 2;       /* half of it */
  case 2: return check_between(c, 0, 60);       /* somebody else */
  default: return desired;
  }
}

#if FLT_EVAL_METHOD == 2 && defined(__i386__)
/* The reference computes with double: let the x87 round to it. */
static void round_to_double(void) {
  unsigned short word;
  __asm__ volatile("fnstcw %0" : "=m"(word));
  word = (unsigned short)((word & ~0x300) | 0x200);
  __asm__ volatile("fldcw %0" : : "m"(word));
}
#else
static void round_to_double(void) {}
#endif

/* ---- properties ---- */

static void agree(check *c, dec_hash *h, model *m, ttb_autoscaler *a, int64_t *current,
                  int64_t now) {
  ttb_autoscaler_sample s[METRICS];
  ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
  draw_samples(c, m, *current, s);
  answer want = ask(m, s, *current, now);
  int32_t code = ttb_autoscaler_evaluate(a, 0, s, m->c.metrics_n, (int32_t)*current,
                                         (uint64_t)now * 1000000, &d);
  CHECK(c, code == TTB_OK, "code %d", code);
  CHECK(c, d.desired == want.desired, "desired %d, reference %" PRId64 " (current %" PRId64
        ", proposed %d / %" PRId64 ", reason %d / %d)", d.desired, want.desired, *current,
        d.proposed, want.proposed, d.reason, want.reason);
  CHECK(c, d.proposed == want.proposed, "proposed %d, reference %" PRId64, d.proposed,
        want.proposed);
  CHECK(c, d.stabilised == want.stabilised || want.reason == TTB_AUTOSCALER_MISSING,
        "stabilised %d, reference %" PRId64, d.stabilised, want.stabilised);
  CHECK(c, d.reason == want.reason, "reason %d, reference %d", d.reason, want.reason);
  CHECK(c, d.window == want.window && d.limit == want.limit, "window %d / %d, limit %d / %d",
        d.window, want.window, d.limit, want.limit);
  CHECK(c, d.metric == want.metric, "metric %d, reference %d", d.metric, want.metric);
  bool inside = *current >= m->min && *current <= m->max;
  CHECK(c, !inside || d.reason == TTB_AUTOSCALER_SWITCHED_OFF ||
        (d.desired >= m->min && d.desired <= m->max), "desired %d outside", d.desired);
  dec_hash_add(h, (uint64_t)(uint32_t)d.desired << 32 | (uint32_t)d.proposed);
  dec_hash_add(h, (uint64_t)(uint32_t)d.reason << 32 | (uint32_t)d.next_change_ms);

  /* Until next_change the same proposal gives the same count. */
  if (want.reason != TTB_AUTOSCALER_MISSING && d.proposed >= 0 && check_chance(c, 1, 4)) {
    model later = *m;
    int64_t last = d.next_change_ms < 0 ? 100000000 : d.next_change_ms - 1;
    int64_t at = now + (check_chance(c, 1, 2) ? last : check_between(c, 0, last));
    answer then = {d.desired, d.proposed, -1, 0, 0, 0, -1};
    if (later.order_from >= 0) {
      int64_t done = later.order_to - later.order_from;
      if (done > 0) put(&later.ups, done, now, later.up.longest, -1);
      else put(&later.downs, -done, now, later.down.longest, -1);
    }
    behave(&later, d.desired, at, &then);
    CHECK(c, then.desired == d.desired, "promised to hold for %d ms, but at %" PRId64
          " it is %" PRId64 " instead of %d (proposed %d, current %" PRId64
          ", window %d, limit %d)",
          d.next_change_ms, at - now, then.desired, d.desired, d.proposed, *current, d.window,
          d.limit);
  }
  *current = carry_out(c, *current, d.desired);
}

static uint64_t against_reference(check *c) {
  static model m;
  ttb_autoscaler a = {0};
  dec_hash h = dec_hash_start();
  int64_t now = 1000000, current = 1;
  check_property(c, "every decision is the reference's, and holds until next_change");
  while (check_step(c)) {
    if ((c->step - 1) % 250 == 0) {
      ttb_autoscaler_stats stats = TTB_CONFIG(ttb_autoscaler_stats);
      if (c->step > 1) {
        CHECK(c, ttb_autoscaler_statistics(&a, &stats) == TTB_OK && stats.merged == 0,
              "%" PRIu64 " entries merged", stats.merged);
      }
      ttb_autoscaler_free(&a);
      draw(c, &m, 50);
      CHECK(c, ttb_autoscaler_new(&a, &m.c, NULL) == TTB_OK, "new");
      finish_rules(&m.up, true);
      finish_rules(&m.down, false);
      if (m.up.select == 0) m.up.select = TTB_AUTOSCALER_SELECT_MAX;
      if (m.down.select == 0) m.down.select = TTB_AUTOSCALER_SELECT_MAX;
      current = check_between(c, 0, 30);
    }
    now += check_chance(c, 1, 40) ? check_between(c, 50, 30000) : check_between(c, 50, 700);
    agree(c, &h, &m, &a, &current, now);
  }
  ttb_autoscaler_free(&a);
  return h.value;
}

/* Evaluations much faster than tick_ms share entries; that may only hold longer. */
static void when_merging(check *c) {
  static model m;
  static list seen;
  ttb_autoscaler a = {0};
  int64_t now = 1000000, current = 10;
  check_property_slow(c, "faster than tick_ms: no scale-down within the window, and an end to it",
                      4);
  while (check_step(c)) {
    if ((c->step - 1) % 400 == 0) {
      ttb_autoscaler_free(&a);
      draw(c, &m, 2000);
      m.metric[0] = (ttb_autoscaler_metric){sizeof m.metric[0], TTB_AUTOSCALER_TOTAL, 0, 0, 1000, 0, 0, 0};
      m.c.metrics_n = 1;
      m.c.tolerance_down_ppm = m.c.tolerance_up_ppm = TTB_OFF;
      m.c.down_window_ms = 3000;
      m.c.up_window_ms = 2000;
      m.c.down_select = m.c.up_select = 0;
      CHECK(c, ttb_autoscaler_new(&a, &m.c, NULL) == TTB_OK, "new");
      current = check_between(c, m.min > 1 ? m.min : 1, m.max);
      seen.n = 0;
    }
    bool calm = (c->step - 1) % 400 >= 300; /* the proposal stands still */
    int64_t p = calm ? 3 : check_between(c, 0, 40);
    ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    now += check_between(c, 1, calm ? 500 : 60);
    if (seen.n == 0) seen.item[seen.n++] = (past){current, now};
    s.value_milli = p * 1000;
    CHECK(c, ttb_autoscaler_evaluate(&a, 0, &s, 1, (int32_t)current, (uint64_t)now * 1000000, &d) ==
                 TTB_OK, "evaluate");
    int64_t highest = p, lowest = p;
    for (int i = 0; i < seen.n; i++) {
      int64_t age = now - seen.item[i].time, v = seen.item[i].value;
      if (age < 3000 && v > highest) highest = v;
      if (age < 2000 && v < lowest) lowest = v;
    }
    bool off = d.reason == TTB_AUTOSCALER_SWITCHED_OFF;
    CHECK(c, off || d.desired >= current || d.desired >= highest || d.desired >= m.max,
          "down to %d below %" PRId64 " of the window", d.desired, highest);
    CHECK(c, off || d.desired <= current || d.desired <= lowest || d.desired <= m.min,
          "up to %d above %" PRId64 " of the window", d.desired, lowest);
    if (d.reason != TTB_AUTOSCALER_MISSING && !off) seen.item[seen.n++] = (past){p, now};
    if (c->step % 400 == 0) {
      CHECK(c, off || d.stabilised == 3, "after 25 s of 3 still %d", d.stabilised);
    }
    current = d.desired;
  }
  ttb_autoscaler_free(&a);
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  round_to_double();
  uint64_t hash = against_reference(&c);
  when_merging(&c);
  printf("decisions %016" PRIx64 "\n", hash);
  return check_end(&c);
}
