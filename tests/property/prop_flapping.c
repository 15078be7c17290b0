/* SPDX-License-Identifier: MIT */
/* While a load stands still, nothing is ordered after something was taken away:
 * whatever the configuration, if it asks what-if. And the brakes' other promises,
 * on loads that move: against plain sums over everything that was ordered. */
#include <string.h>

#include <trimtab/autoscaler.h>

#include "check.h"

#define METRICS 3
#define STEPS 6
#define HISTORY 4096

typedef struct setup {
  ttb_autoscaler_config c;
  ttb_autoscaler_metric metric[METRICS];
  ttb_autoscaler_step step[STEPS];
  int64_t load[METRICS]; /* of the whole workload, thousandths */
  int32_t min, max;
} setup;

static void draw_metric(check *c, setup *s, uint32_t i) {
  ttb_autoscaler_metric *m = &s->metric[i];
  *m = TTB_CONFIG(ttb_autoscaler_metric);
  m->kind = 1 + (uint32_t)check_below(c, 3); /* a VALUE's answer to fewer is not known */
  m->method = m->kind == TTB_AUTOSCALER_TOTAL ? 1 + 2 * (uint32_t)check_below(c, 2)
                                              : 1 + (uint32_t)check_below(c, 3);
  m->flags = check_chance(c, 1, 3) ? TTB_AUTOSCALER_FINE : 0;
  if (check_chance(c, 1, 6)) m->flags |= TTB_AUTOSCALER_GUARD;
  m->target_milli = 1000 * check_between(c, 5, 100);
  m->low_milli = m->target_milli * check_between(c, 10, 100) / 100;
}

static void draw_steps(check *c, setup *s) {
  s->c.steps_n = 0;
  for (uint32_t i = 0; i < s->c.metrics_n; i++) {
    if (s->metric[i].method != TTB_AUTOSCALER_STEPS) continue;
    int64_t low = 1000 * check_between(c, 1, 60), high = low + 1000 * check_between(c, 1, 40);
    int32_t fewer = (int32_t)check_between(c, 100000, 999999);
    s->step[s->c.steps_n++] = (ttb_autoscaler_step){
        sizeof(ttb_autoscaler_step), i, high, 0, TTB_AUTOSCALER_STEP_PERCENT,
        (int32_t)check_between(c, 1, 200), 0, 0};
    s->step[s->c.steps_n++] = (ttb_autoscaler_step){
        sizeof(ttb_autoscaler_step), i, 0, low, TTB_AUTOSCALER_STEP_FACTOR, fewer, 0, 0};
  }
}

static void draw(check *c, setup *s) {
  memset(s, 0, sizeof *s);
  s->c.struct_size = sizeof s->c;
  s->min = (int32_t)check_between(c, 1, 3);
  s->max = s->min + (int32_t)check_between(c, 1, 60);
  s->c.min_replicas = s->min;
  s->c.max_replicas = s->max;
  s->c.flags = TTB_AUTOSCALER_WHAT_IF | (uint32_t)check_below(c, 2);
  s->c.tolerance_up_ppm = check_chance(c, 1, 3) ? TTB_OFF : (int32_t)check_between(c, 1, 300000);
  s->c.tolerance_down_ppm = check_chance(c, 1, 3) ? TTB_OFF : (int32_t)check_between(c, 1, 300000);
  s->c.up_window_ms = check_chance(c, 1, 3) ? 30000 : 0;
  s->c.down_window_ms = check_chance(c, 1, 2) ? TTB_OFF : 60000;
  s->c.tick_ms = 1000;
  s->c.metrics_n = 1 + (uint32_t)check_below(c, METRICS);
  s->c.metrics = s->metric;
  s->c.steps = s->step;
  for (uint32_t i = 0; i < s->c.metrics_n; i++) {
    draw_metric(c, s, i);
    s->load[i] = check_between(c, 0, 100000 * (int64_t)s->max);
  }
  draw_steps(c, s);
}

/* What the replicas show of the load. */
static void look(const setup *s, int32_t replicas, ttb_autoscaler_sample *ret) {
  for (uint32_t i = 0; i < s->c.metrics_n; i++) {
    ret[i] = TTB_CONFIG(ttb_autoscaler_sample);
    bool total = s->metric[i].kind == TTB_AUTOSCALER_TOTAL;
    ret[i].value_milli = total ? s->load[i] : s->load[i] / replicas;
  }
}

static void standing_load(check *c) {
  static setup s;
  ttb_autoscaler a = {0};
  ttb_autoscaler_sample sample[METRICS];
  int32_t current = 1;
  bool fell = false;
  uint64_t now = 0, downs = 0;
  check_property(c, "what-if: no scale-up after a scale-down while the load stands still");
  while (check_step(c)) {
    if ((c->step - 1) % 40 == 0) {
      ttb_autoscaler_free(&a);
      draw(c, &s);
      CHECK(c, ttb_autoscaler_new(&a, &s.c, NULL) == TTB_OK, "new");
      current = (int32_t)check_between(c, s.min, s.max);
      now = UINT64_C(1000000000);
      fell = false;
    }
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    look(&s, current, sample);
    now += (uint64_t)check_between(c, 1000, 40000) * 1000000;
    CHECK(c, ttb_autoscaler_evaluate(&a, 0, sample, s.c.metrics_n, current, now, &d) == TTB_OK,
          "evaluate");
    CHECK(c, !(fell && d.desired > current), "from %d up to %d (metric %d, proposed %d, reason %d)",
          current, d.desired, d.metric, d.proposed, d.reason);
    fell |= d.desired < current;
    downs += d.desired < current;
    current = d.desired;
  }
  CHECK(c, downs > c->limit / 1000, "only %" PRIu64 " scale-downs", downs);
  ttb_autoscaler_free(&a);
}

typedef struct past {
  int64_t time[HISTORY];
  int32_t change[HISTORY];
  uint32_t n;
} past;

static int32_t ups_within(const past *p, int64_t span, int64_t now) {
  int32_t sum = 0;
  for (uint32_t i = 0; i < p->n; i++)
    if (p->change[i] > 0 && now - p->time[i] < span) sum += p->change[i];
  return sum;
}

static int64_t last_change(const past *p, bool also_down) {
  for (uint32_t i = p->n; i-- > 0;)
    if (also_down || p->change[i] > 0) return p->time[i];
  return INT64_MIN / 2;
}

static void moving_load(check *c) {
  static setup s;
  static past p;
  ttb_autoscaler a = {0};
  ttb_autoscaler_sample sample[METRICS];
  int32_t current = 1;
  int64_t now = 0, held_until = 0, held_at = 0;
  check_property_slow(c, "brakes keep what they promise, and let go when they said", 2);
  while (check_step(c)) {
    if ((c->step - 1) % 250 == 0) {
      ttb_autoscaler_free(&a);
      draw(c, &s);
      s.c.flags &= TTB_AUTOSCALER_OLD_TOLERANCE;
      s.c.down_window_ms = TTB_OFF;
      s.c.up_window_ms = 0;
      s.c.startup_ms = check_chance(c, 1, 2) ? (uint32_t)check_between(c, 1, 90000) : 0;
      s.c.billing_ms = check_chance(c, 1, 2) ? (uint32_t)check_between(c, 1, 90000) : 0;
      s.c.up_cooldown_ms = check_chance(c, 1, 2) ? (uint32_t)check_between(c, 1, 60000) : 0;
      s.c.down_cooldown_ms = check_chance(c, 1, 2) ? (uint32_t)check_between(c, 1, 60000) : 0;
      CHECK(c, ttb_autoscaler_new(&a, &s.c, NULL) == TTB_OK, "new");
      current = (int32_t)check_between(c, s.min, s.max);
      now = 1000;
      p.n = 0;
      held_until = 0;
    }
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    if (held_until == 0 && check_chance(c, 1, 2))
      for (uint32_t i = 0; i < s.c.metrics_n; i++)
        s.load[i] = check_between(c, 0, 100000 * (int64_t)s.max);
    look(&s, current, sample);
    /* Sometimes exactly when a brake was said to let go, or just before. */
    int64_t next = now + check_between(c, 1000, 40000);
    if (held_until > 0) next = held_until - (int64_t)check_below(c, 2);
    bool early = held_until > 0 && next < held_until;
    if (next <= now) next = now + 1000, early = false;
    now = next;
    CHECK(c, ttb_autoscaler_evaluate(&a, 0, sample, s.c.metrics_n, current, (uint64_t)now * 1000000,
                                     &d) == TTB_OK, "evaluate");
    int32_t starting = ups_within(&p, s.c.startup_ms, now);
    CHECK(c, d.serving == (current - starting > 1 ? current - starting : current > 0),
          "serving %d of %d, %d are starting", d.serving, current, starting);
    CHECK(c, !early || d.desired == current, "held at %" PRId64 " until %" PRId64
          ", but moves at %" PRId64, held_at, held_until, now);
    if (d.desired > current)
      CHECK(c, now - last_change(&p, false) >= s.c.up_cooldown_ms, "up within the cooldown");
    if (d.desired < current) {
      CHECK(c, now - last_change(&p, true) >= s.c.down_cooldown_ms, "down within the cooldown");
      CHECK(c, d.desired >= ups_within(&p, s.c.billing_ms, now) || s.c.billing_ms == 0,
            "%d, though %d are paid for", d.desired, ups_within(&p, s.c.billing_ms, now));
    }
    /* Only what a cooldown holds has one moment; start-ups change the proposals. */
    held_until = 0;
    if (d.brake == TTB_AUTOSCALER_COOLDOWN && d.next_change_ms > 1 && check_chance(c, 1, 2)) {
      held_until = now + d.next_change_ms;
      held_at = now;
    }
    if (d.desired != current && p.n < HISTORY) {
      p.time[p.n] = now;
      p.change[p.n++] = d.desired - current;
    }
    current = d.desired;
  }
  ttb_autoscaler_free(&a);
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  standing_load(&c);
  moving_load(&c);
  return check_end(&c);
}
