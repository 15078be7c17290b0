/* SPDX-License-Identifier: MIT */
/* Violation budgets: prop_budget [STEPS [SEED]].
 *
 * What the slot keeps by and by (lowest orders, windows, blocks) is held against
 * plain arrays of everything that was seen; decisions against what the header says. */
#include <string.h>

#include "../../lib/budget/budget.h"
#include "check.h"

#define TICK UINT64_C(15000000000)
#define PAST 4096

/* A load of some character: level, noise, jumps. */
typedef struct weather {
  int64_t level, spread;
} weather;

static int64_t blow(check *c, weather *w) {
  if (check_chance(c, 1, 200)) w->spread = check_between(c, 0, 3000000);
  if (check_chance(c, 1, 300)) w->level = check_between(c, 0, 40000000);
  int64_t x = w->level + check_between(c, -w->spread, w->spread);
  if (check_chance(c, 1, 500)) x *= 3;
  return x > 0 ? x : 0;
}

static ttb_budget_config any_config(check *c) {
  ttb_budget_config k = TTB_CONFIG(ttb_budget_config);
  k.replica_milli = check_between(c, 500000, 2000000);
  k.budget_ppm = (int32_t)check_between(c, 100, 50000);
  k.startup_ms = (uint32_t)check_between(c, 1, check_chance(c, 1, 2) ? 120000 : 1200000);
  k.min_replicas = (int32_t)check_between(c, 1, 4);
  k.max_replicas = (int32_t)check_between(c, 4, 200);
  k.actions_a_day = check_chance(c, 1, 4) ? TTB_OFF : (int32_t)check_between(c, 10, 2000);
  return k;
}

static ttb_budget_decision tick(check *c, ttb_budget *b, int64_t load, int32_t current, uint64_t now) {
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
  s.load_milli = load;
  s.current = current;
  int32_t code = ttb_budget_tick(b, 0, &s, now, &d);
  CHECK(c, code == TTB_OK, "code %d", code);
  return d;
}

/* ---- what is kept by and by ---- */

static struct {
  int32_t demand[PAST], form[PAST][TTB__FORMS], needed[PAST], decided[PAST];
} past;

static int32_t highest(uint64_t tick_, uint32_t n) {
  int32_t x = 0;
  for (uint32_t k = 0; k < n && k <= tick_; k++) x = ttb__higher(x, past.demand[tick_ - k]);
  return x;
}

/* Ticks of which an order may not serve yet in `tick_`. */
static uint32_t waiting(const ttb__budget *b, uint64_t tick_) {
  return b->grain * (b->groups - 1) + (uint32_t)(tick_ % b->grain) + 1;
}

static void look_back(check *c, const ttb_budget *h, uint64_t tick_) {
  const ttb__budget *b = ttb__budget_of(h);
  const ttb__budget_slot *s = ttb__budget_slot_at(b, 0);
  uint32_t n = waiting(b, tick_), group = ttb__budget_group(b, tick_);
  CHECK(c, n > b->startup, "only %u ticks are looked back on, %u are needed", n, b->startup + 1);
  for (uint32_t i = 0; i < TTB__FORMS; i++) {
    int32_t low = past.form[tick_][i];
    for (uint32_t k = 1; k < n && k <= tick_; k++) low = ttb__lower(low, past.form[tick_ - k][i]);
    CHECK(c, ttb__budget_get(&s->low[i]) == low, "form %u: lowest %d, kept %d", i, low,
          ttb__budget_get(&s->low[i]));
  }
  /* Windows: forms 3 and 4 are the highest of 8, and of 33 to 40 ticks. */
  int32_t eight = ttb__budget_get(&s->form[group][3]), forty = ttb__budget_get(&s->form[group][4]);
  if (b->grain == 1) {
    CHECK(c, eight == highest(tick_, 8), "8 ticks: %d, kept %d", highest(tick_, 8), eight);
    CHECK(c, forty >= highest(tick_, 33) && forty <= highest(tick_, 40), "40 ticks: %d..%d, kept %d",
          highest(tick_, 33), highest(tick_, 40), forty);
  }
  /* Blocks: the longest hold looks back on 20 of them and the one at work. */
  int32_t most = 0;
  for (uint64_t k = 0; k <= 80 + tick_ % 4 && k <= tick_; k++) most = ttb__higher(most, past.needed[tick_ - k]);
  int32_t kept = ttb__higher(ttb__budget_get(&s->hold_most[TTB__HOLDS - 1]), ttb__budget_get(&s->block));
  CHECK(c, kept == most, "needed at most %d, kept %d", most, kept);
}

static void kept_as_seen(check *c) {
  check_property_slow(c, "what is kept by and by is what was seen", 10);
  while (check_step(c)) {
    ttb_budget_config k = any_config(c);
    ttb_budget b;
    weather w = {10000000, 500000};
    int32_t current = 4;
    if (ttb_budget_new(&b, &k, NULL) < 0) continue;
    const ttb__budget *in = ttb__budget_of(&b);
    const ttb__budget_slot *s = ttb__budget_slot_at(in, 0);
    uint64_t ticks = (uint64_t)check_between(c, 1, 400);
    for (uint64_t t = 0; t < ticks && (t == 0 || check_step(c)); t++) {
      ttb_budget_decision d = tick(c, &b, blow(c, &w), current, (t + 1) * TICK);
      uint32_t group = ttb__budget_group(in, t);
      past.demand[t] = ttb__budget_get(&s->recent[t % TTB__RECENT]);
      past.needed[t] = ttb__lower(d.needed, TTB_BUDGET_MAX_REPLICAS);
      for (uint32_t i = 0; i < TTB__FORMS; i++) past.form[t][i] = ttb__budget_get(&s->form[group][i]);
      look_back(c, &b, t);
      current = d.desired;
    }
    ttb_budget_free(&b);
  }
}

/* ---- decisions ---- */

static void decisions_are_legal(check *c) {
  check_property_slow(c, "within bounds, never below the need, no more downs than paid for", 3);
  while (check_step(c)) {
    ttb_budget_config k = any_config(c);
    ttb_budget b;
    weather w = {10000000, 500000};
    int32_t current = (int32_t)check_between(c, 0, 250);
    uint64_t ticks = (uint64_t)check_between(c, 1, 3000), now = TICK, downs = 0;
    if (ttb_budget_new(&b, &k, NULL) < 0) continue;
    for (uint64_t t = 0; t < ticks && (t == 0 || check_step(c)); t++) {
      ttb_budget_decision d = tick(c, &b, blow(c, &w), current, now);
      int32_t least = ttb__lower(d.needed, k.max_replicas);
      CHECK(c, d.desired >= k.min_replicas && d.desired <= k.max_replicas, "%d of %d..%d", d.desired,
            k.min_replicas, k.max_replicas);
      CHECK(c, d.desired >= least, "%d, needed %d", d.desired, least);
      CHECK(c, d.arm >= 0 && d.arm < TTB_BUDGET_ARMS && d.hold >= 0 && d.hold < (int32_t)TTB__HOLDS,
            "arm %d, hold %d", d.arm, d.hold);
      CHECK(c, d.reason != TTB_BUDGET_MORE || d.desired > current, "more, from %d to %d", current, d.desired);
      CHECK(c, d.reason != TTB_BUDGET_FEWER || d.desired < current, "fewer, from %d to %d", current, d.desired);
      downs += d.desired < current && current <= k.max_replicas;
      current = d.desired;
      now += TICK;
    }
    /* Saved up at first, then half of actions_a_day a day, each a little rounded up. */
    if (k.actions_a_day > 0) {
      uint64_t a = (uint64_t)k.actions_a_day, most = 3 + a / 16 + a * ticks / 2 / 5760 + ticks / 50000;
      CHECK(c, downs <= most, "%llu downs in %llu ticks at %d a day", (unsigned long long)downs,
            (unsigned long long)ticks, k.actions_a_day);
    }
    ttb_budget_free(&b);
  }
}

/* ---- the unit of the load does not matter ---- */

static void scale_free(check *c) {
  check_property_slow(c, "twice the load on replicas of twice the size: the same decisions", 10);
  while (check_step(c)) {
    ttb_budget_config k = any_config(c), twice = k;
    ttb_budget a, b;
    weather w = {10000000, 500000};
    int32_t shift = (int32_t)check_between(c, 1, 20), current = 5;
    twice.replica_milli <<= shift;
    if (ttb_budget_new(&a, &k, NULL) < 0) continue;
    if (ttb_budget_new(&b, &twice, NULL) == TTB_OK) {
      uint64_t ticks = (uint64_t)check_between(c, 1, 300);
      for (uint64_t t = 1; t <= ticks && (t == 1 || check_step(c)); t++) {
        int64_t load = blow(c, &w);
        ttb_budget_decision one = tick(c, &a, load, current, t * TICK);
        ttb_budget_decision two = tick(c, &b, load << shift, current, t * TICK);
        CHECK(c, memcmp(&one, &two, sizeof one) == 0, "%d and %d", one.desired, two.desired);
        current = one.desired;
      }
      ttb_budget_free(&b);
    }
    ttb_budget_free(&a);
  }
}

/* A load that never moves is carried, and after two days nothing is done about it. */
static void rest(check *c) {
  check_property_slow(c, "a load that never moves: no action after two days", 50000);
  while (check_step(c)) {
    ttb_budget_config k = any_config(c);
    ttb_budget b;
    int64_t load = check_between(c, 0, 50000000);
    int32_t current = (int32_t)check_between(c, 0, 250), settled = -1;
    if (ttb_budget_new(&b, &k, NULL) < 0) continue;
    for (uint64_t t = 1; t <= 4 * 5760; t++) {
      ttb_budget_decision d = tick(c, &b, load, current, t * TICK);
      if (t == 3 * 5760) settled = d.desired;
      CHECK(c, t < 3 * 5760 || d.desired == settled, "%d after %d at tick %llu", d.desired, settled,
            (unsigned long long)t);
      current = d.desired;
    }
    ttb_budget_free(&b);
  }
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  kept_as_seen(&c);
  decisions_are_legal(&c);
  scale_free(&c);
  rest(&c);
  return check_end(&c);
}
