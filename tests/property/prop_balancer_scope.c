/* SPDX-License-Identifier: MIT */
/* Every algorithm with every modifier, against plain references: who may be picked
 * at all, what a refusal says, how picks spread over levels, zones and endpoints.
 *
 * The references are sets of slots and shares in floating point, written from the
 * rules in the header and not from the library. */
#include <math.h>
#include <string.h>
#include <trimtab/balancer.h>

#include "../support/check.h"

enum { CAPACITY = 14, LEVELS = 17, OUT = 24 };

typedef struct endpoint {
  uint64_t id, tags; /* id 0: nobody */
  uint32_t weight, zone, priority, backup, cap, causes, in_flight;
  int32_t status;
} endpoint;

typedef struct world {
  ttb_balancer shared, mine;
  ttb_balancer_config c;
  endpoint e[CAPACITY];
  int64_t out[OUT];
  uint32_t outs;
  uint64_t next_id;
} world;

static void end(world *w) {
  ttb_balancer_free(&w->mine);
  ttb_balancer_free(&w->shared);
}

/* Any algorithm there is. */
static uint32_t any_algorithm(check *c) {
  for (;;) {
    ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
    config.algorithm = (uint32_t)check_between(c, 1, 31);
    if (ttb_balancer_check(&config, NULL) == TTB_OK) return config.algorithm;
  }
}

static void begin(check *c, world *w, uint32_t flags) {
  memset(w, 0, sizeof *w);
  w->c = TTB_CONFIG(ttb_balancer_config);
  w->c.algorithm = any_algorithm(c);
  w->c.capacity = CAPACITY;
  w->c.flags = flags;
  w->c.seed = check_rand(c);
  if (check_chance(c, 1, 3)) w->c.residency = (uint64_t)check_between(c, 1, 15);
  if (check_chance(c, 1, 2)) w->c.zone = (uint32_t)check_between(c, 1, 3);
  w->c.zone_min = (uint32_t)check_between(c, 1, 3);
  w->c.panic_ppm = check_chance(c, 1, 4) ? TTB_OFF : (int32_t)check_between(c, 1, 1000000);
  w->c.overprovisioning_ppm = (uint32_t)check_between(c, 1000000, 2000000);
  if (check_chance(c, 1, 4)) w->c.slow_start_ms = 1000;
  if (w->c.algorithm == TTB_BALANCER_MAGLEV) w->c.table_size = 101;
  CHECK(c, ttb_balancer_new(&w->shared, &w->c, NULL) == TTB_OK &&
               ttb_balancer_join(&w->shared, 1, &w->mine) == TTB_OK, "set up");
}

static bool leveled(const world *w) { return (w->c.flags & TTB_BALANCER_LEVELS) != 0; }

static void add(check *c, world *w, int32_t slot) {
  endpoint *e = &w->e[slot];
  ttb_endpoint given = TTB_CONFIG(ttb_endpoint);
  *e = (endpoint){.id = ++w->next_id,
                  .weight = (uint32_t)check_between(c, 1, 4),
                  .zone = (uint32_t)check_below(c, 4),
                  .priority = (uint32_t)check_below(c, 3),
                  .backup = check_chance(c, 1, 6),
                  .in_flight = e->in_flight};
  if (w->c.flags & TTB_BALANCER_TAGS) e->tags = check_below(c, 4);
  if (w->c.flags & TTB_BALANCER_CAPS) e->cap = (uint32_t)check_below(c, 4);
  given.id = e->id, given.weight = e->weight, given.zone = e->zone, given.priority = e->priority;
  given.flags = e->backup ? TTB_ENDPOINT_BACKUP : 0, given.tags = e->tags;
  given.max_inflight = e->cap;
  int32_t got = ttb_balancer_add(&w->mine, &given);
  CHECK(c, got == slot, "add: %d, not %d", got, slot);
}

static void change(check *c, world *w) {
  uint32_t s = (uint32_t)check_below(c, CAPACITY);
  endpoint *e = &w->e[s];
  if (!e->id) {
    for (s = 0; s < CAPACITY; s++)
      if (!w->e[s].id && !w->e[s].in_flight) break;
    if (s < CAPACITY) add(c, w, (int32_t)s);
  } else if (check_chance(c, 1, 12)) {
    CHECK(c, ttb_balancer_remove(&w->mine, e->id) == TTB_OK, "remove");
    e->id = 0;
  } else if (check_chance(c, 1, 3)) {
    e->status = (int32_t)check_below(c, 6);
    e->causes &= ~(uint32_t)(TTB_CAUSE_PROBE | TTB_CAUSE_DRAIN);
    if (e->status == TTB_STATUS_UNHEALTHY || e->status == TTB_STATUS_STALE)
      e->causes |= TTB_CAUSE_PROBE;
    if (e->status == TTB_STATUS_DRAINING) e->causes |= TTB_CAUSE_DRAIN;
    CHECK(c, ttb_balancer_set_status(&w->shared, e->id, e->status) == TTB_OK, "set_status");
  } else {
    uint32_t cause = 1u << check_below(c, 6);
    int32_t on = check_chance(c, 1, 3);
    e->causes = on ? e->causes | cause : e->causes & ~cause;
    CHECK(c, ttb_balancer_mark(&w->shared, s, cause, on) >= 0, "mark");
  }
}

/* ---- the reference ---- */

typedef struct reference {
  uint32_t hard;      /* slots that nothing hard forbids, causes clear; bit a slot */
  uint32_t forgiven;  /* the same with causes probe and outlier forgiven */
  uint32_t healthy[LEVELS], degraded[LEVELS]; /* percent */
  bool panic[LEVELS];
  uint32_t zoned;     /* the level that prefers the local zone; LEVELS: none */
  double stay;        /* what stays there, 0..1 */
} reference;

static uint32_t level_of(const world *w, const endpoint *e) {
  if (!leveled(w)) return 0;
  return e->backup ? 16 : e->priority;
}
static bool is_degraded(const world *w, const endpoint *e) {
  return leveled(w) && e->status == TTB_STATUS_DEGRADED;
}
static bool member(const world *w, const endpoint *e) {
  return e->id && !(e->causes & (TTB_CAUSE_ADMIN | TTB_CAUSE_DRAIN | TTB_CAUSE_WEIGHT)) &&
         (!w->c.residency || w->c.residency >> e->zone & 1);
}

/* Envoy's loads, in whole percents as there. */
static void share(const world *w, reference *r) {
  double all[LEVELS] = {0}, well[LEVELS] = {0}, ill[LEVELS] = {0}, able[2][LEVELS] = {{0}};
  double total = 0, factor = w->c.overprovisioning_ppm / 1e6, everybody = 0;
  for (int s = 0; s < CAPACITY; s++) {
    const endpoint *e = &w->e[s];
    if (!member(w, e)) continue;
    uint32_t l = level_of(w, e);
    all[l]++;
    if (l < 16) everybody++;
    if (e->causes == 0) (is_degraded(w, e) ? ill : well)[l]++;
  }
  memset(r->healthy, 0, sizeof r->healthy);
  memset(r->degraded, 0, sizeof r->degraded);
  memset(r->panic, 0, sizeof r->panic);
  double available = 0;
  for (int l = 0; l < 16; l++) available += well[l] + ill[l];
  if (!leveled(w)) {
    r->healthy[0] = 100;
    return;
  }
  if (available == 0 && well[16] + ill[16] > 0) {
    if (well[16] > 0) r->healthy[16] = 100;
    else r->degraded[16] = 100;
    return;
  }
  for (int l = 0; l < 16; l++) {
    if (all[l] == 0) continue;
    able[0][l] = fmin(100, floor(100 * factor * well[l] / all[l] + 1e-9));
    able[1][l] = fmin(100, floor(100 * factor * ill[l] / all[l] + 1e-9));
    total += able[0][l] + able[1][l];
  }
  total = fmin(100, total);
  double left = 100;
  int first = -1, panics = 0;
  uint32_t *load[2] = {r->healthy, r->degraded};
  for (int tier = 0; tier < 2 && total > 0; tier++)
    for (int l = 0; l < 16; l++) {
      double part = fmin(left, floor(able[tier][l] * 100 / total + 1e-9));
      load[tier][l] = (uint32_t)part;
      left -= part;
      if (first < 0 && able[tier][l] > 0) first = tier * 16 + l;
    }
  if (first >= 0) load[first / 16][first % 16] += (uint32_t)left;
  for (int l = 0; l < 16; l++) {
    double percent = all[l] > 0 ? (well[l] + ill[l]) / all[l] : 0;
    r->panic[l] = w->c.panic_ppm > 0 && total < 100 && percent < w->c.panic_ppm / 1e6 - 1e-12;
    panics += r->panic[l];
  }
  if (panics < 16) return;
  for (int l = 0, best = -1; l < 16; l++) {
    uint32_t part = everybody > 0 ? (uint32_t)floor(100 * all[l] / everybody + 1e-9) : 0;
    r->healthy[l] = part;
    r->degraded[l] = 0;
    if (l == 0) left = 100;
    left -= part;
    if (best < 0 && all[l] > 0) best = l;
    if (l == 15 && best >= 0) r->healthy[best] += (uint32_t)left;
  }
}

static void zone_share(const world *w, reference *r) {
  uint32_t busy = 0;
  double all = 0, mine = 0, here = 0, healthy = 0;
  r->zoned = LEVELS;
  if (!w->c.zone) return;
  for (uint32_t l = 1; l < LEVELS; l++)
    if (r->healthy[l] > r->healthy[busy]) busy = l;
  for (int s = 0; s < CAPACITY; s++) {
    const endpoint *e = &w->e[s];
    if (!member(w, e)) continue;
    all++;
    mine += e->zone == w->c.zone;
    if (e->causes || is_degraded(w, e) || level_of(w, e) != busy) continue;
    healthy++;
    here += e->zone == w->c.zone;
  }
  if (r->panic[busy] || healthy < w->c.zone_min) return;
  r->zoned = busy;
  double clients = floor(1e4 * mine / all + 1e-9), endpoints = floor(1e4 * here / healthy + 1e-9);
  r->stay = endpoints == 0 ? 0 : endpoints >= clients ? 1 : endpoints / clients;
}

static bool excluded(const ttb_pick *p, uint32_t s) {
  for (uint32_t i = 0; i < p->n_excluded; i++)
    if (p->excluded_slots[i] == s) return true;
  return false;
}

static uint32_t within(const world *w, const ttb_pick *p, uint32_t ignored, bool capped) {
  uint32_t set = 0;
  for (uint32_t s = 0; s < CAPACITY; s++) {
    const endpoint *e = &w->e[s];
    if (!e->id || e->causes & ~ignored || (p->tags & ~e->tags) || excluded(p, s)) continue;
    if (w->c.residency && !(w->c.residency >> e->zone & 1)) continue;
    if (p->zones && !(p->zones >> e->zone & 1)) continue;
    if (capped && e->cap && e->in_flight >= e->cap) continue;
    set |= 1u << s;
  }
  return set;
}

static uint32_t of_level(const world *w, uint32_t set, uint32_t level, int tier) {
  uint32_t part = 0;
  for (uint32_t s = 0; s < CAPACITY; s++)
    if (set >> s & 1 && level_of(w, &w->e[s]) == level &&
        (tier < 0 || is_degraded(w, &w->e[s]) == (tier == 1)))
      part |= 1u << s;
  return part;
}

/* The first level and tier with anybody. */
static uint32_t first_of(const world *w, uint32_t set) {
  uint32_t part = 0;
  for (uint32_t group = 0; group < 2 && !part; group++)
    for (int tier = 0; tier < 2 && !part; tier++)
      for (uint32_t l = group ? 16 : 0; l < (group ? 17u : 16u) && !part; l++)
        part = of_level(w, set, l, tier);
  return part;
}

/* Who may be picked, and 0 with the code if nobody. */
static uint32_t may(const world *w, const ttb_pick *p, const reference *r, int64_t *code) {
  const uint32_t failing = TTB_CAUSE_PROBE | TTB_CAUSE_OUTLIER;
  uint32_t hard = within(w, p, 0, true), forgiven = within(w, p, failing, true), set = 0;
  uint32_t load = 0;
  for (uint32_t l = 0; l < LEVELS; l++)
    for (int tier = 0; tier < 2; tier++) {
      uint32_t part = tier ? r->degraded[l] : r->healthy[l], drawn;
      load += part;
      if (part == 0) continue;
      drawn = r->panic[l] ? of_level(w, forgiven, l, -1)
                          : of_level(w, hard, l, leveled(w) ? tier : -1);
      if (r->zoned == l && tier == 0 && r->stay == 1) { /* local, if anybody is */
        uint32_t local = 0;
        for (uint32_t s = 0; s < CAPACITY; s++)
          if (drawn >> s & 1 && w->e[s].zone == w->c.zone) local |= 1u << s;
        if (local) drawn = local;
      }
      set |= drawn ? drawn : leveled(w) ? first_of(w, hard) : hard;
    }
  if (load == 0) set |= leveled(w) ? first_of(w, hard) : hard;
  if (set) return set;
  ttb_pick q = *p;
  q.n_excluded = 0;
  *code = TTB_NO_ENDPOINT;
  if (within(w, &q, 0, true)) *code = TTB_ALL_EXCLUDED;
  else if (within(w, &q, 0, false)) *code = TTB_LIMIT;
  else if (leveled(w) && w->c.panic_ppm > 0) {
    for (uint32_t group = 0; group < 2 && !set; group++)
      for (int tier = 0; tier < 2 && !set; tier++)
        for (uint32_t l = group ? 16 : 0; l < (group ? 17u : 16u) && !set; l++)
          if (of_level(w, forgiven, l, tier)) set = of_level(w, forgiven, l, -1);
  }
  return set;
}

/* ---- the properties ---- */

static void pick_once(check *c, world *w) {
  uint32_t x[3];
  ttb_pick p = TTB_CONFIG(ttb_pick);
  reference r = {0};
  p.hash = check_rand(c);
  p.n_excluded = check_chance(c, 1, 3) ? (uint32_t)check_below(c, 4) : 0;
  p.excluded_slots = x;
  for (uint32_t i = 0; i < 3; i++) x[i] = (uint32_t)check_below(c, CAPACITY + 2);
  if (check_chance(c, 1, 4)) p.zones = (uint64_t)check_between(c, 1, 15);
  if (w->c.flags & TTB_BALANCER_TAGS && check_chance(c, 1, 3)) p.tags = check_below(c, 4);
  uint32_t asked = CAPACITY;
  if (check_chance(c, 1, 8)) {
    asked = (uint32_t)check_below(c, CAPACITY);
    p.id = w->e[asked].id ? w->e[asked].id : w->next_id + 1;
    p.flags = (uint32_t)check_below(c, 4);
  }
  share(w, &r);
  zone_share(w, &r);
  int64_t code = 0;
  uint32_t set = may(w, &p, &r, &code);
  int64_t t = ttb_balancer_acquire_with(&w->mine, &p, c->step * 1000000);
  int32_t last = ttb_balancer_last(&w->mine);
  if (p.id) {
    uint32_t ignored = p.flags & TTB_PICK_DRAINING ? TTB_CAUSE_DRAIN : 0;
    bool has = w->e[asked].id && within(w, &p, ignored, true) >> asked & 1;
    int32_t why = w->e[asked].id ? TTB_NOT_ELIGIBLE : TTB_ERR_UNKNOWN_ID;
    if (has) set = 1u << asked;
    else if (!(p.flags & TTB_PICK_FALLBACK)) set = 0, code = why;
  }
  if (set == 0) {
    CHECK(c, t == code, "algorithm %u: %" PRId64 ", not %" PRId64, w->c.algorithm, t, code);
    return;
  }
  int s = ttb_ticket_slot(t);
  CHECK(c, t >= 0 && s < CAPACITY && set >> s & 1,
        "algorithm %u, flags %u: slot %d (%" PRId64 "), of %x; last %x", w->c.algorithm,
        w->c.flags, s, t, set, (unsigned)last);
  if (t < 0 || s >= CAPACITY) return;
  const endpoint *e = &w->e[s];
  CHECK(c, (int)TTB_LAST_LEVEL(last) == (int)level_of(w, e) && TTB_LAST_ZONE(last) == (int)e->zone,
        "last %x of slot %d", (unsigned)last, s);
  CHECK(c, !e->causes || last & (TTB_LAST_PANIC | TTB_LAST_ASKED), "causes %u", e->causes);
  CHECK(c, (w->c.residency ? w->c.residency : 15) >> e->zone & 1, "residency");
  w->e[s].in_flight++;
  w->out[w->outs++] = t;
}

static void who(check *c) {
  check_property(c, "each algorithm with each modifier picks whom the rules allow, and says why not");
  world w;
  uint64_t until = 0;
  bool begun = false;
  while (check_step(c)) {
    if (c->step >= until) {
      if (begun) end(&w);
      begin(c, &w, (uint32_t)check_below(c, 8) << 3 | TTB_BALANCER_TRACK);
      begun = true;
      until = c->step + (uint64_t)check_between(c, 50, 2000);
    }
    if (check_chance(c, 1, 4)) {
      change(c, &w);
    } else if (w.outs == OUT || (w.outs > 0 && check_chance(c, 1, 3))) {
      uint32_t k = (uint32_t)check_below(c, w.outs);
      int s = ttb_ticket_slot(w.out[k]);
      int32_t code = ttb_balancer_report(&w.mine, w.out[k], TTB_SUCCESS, 1000000, c->step * 1000000);
      CHECK(c, code == TTB_OK, "report: %d", code);
      w.e[s].in_flight--;
      w.out[k] = w.out[--w.outs];
    } else {
      pick_once(c, &w);
    }
  }
  if (begun) end(&w);
}

/* n trials of probability p: whether k is within six deviations. */
static bool plausible(double k, double n, double p) {
  return fabs(k - n * p) <= 6 * sqrt(n * p * (1 - p)) + 1;
}

/* Levels and zones get their shares, whoever chooses within them. */
static void shares(check *c) {
  check_property_slow(c, "levels and zones get their shares of the picks, for each algorithm", 4000);
  enum { PICKS = 1500 };
  while (check_step(c)) {
    world w;
    reference r = {0};
    begin(c, &w, TTB_BALANCER_LEVELS);
    for (int32_t s = 0; s < CAPACITY; s++) add(c, &w, s);
    for (int i = 0; i < 6; i++) change(c, &w);
    share(&w, &r);
    zone_share(&w, &r);
    double at[LEVELS][2] = {{0}}, local = 0, zoned = 0;
    uint32_t load = 0, here = 0;
    for (int i = 0; i < PICKS; i++) {
      int64_t t = ttb_balancer_acquire(&w.mine, check_rand(c), UINT64_C(10000000000));
      if (t < 0) break;
      const endpoint *e = &w.e[ttb_ticket_slot(t)];
      int32_t last = ttb_balancer_last(&w.mine);
      at[level_of(&w, e)][!(last & TTB_LAST_PANIC) && is_degraded(&w, e)]++;
      if (last & (TTB_LAST_LOCAL | TTB_LAST_SPILLED)) zoned++, local += (last & TTB_LAST_LOCAL) != 0;
      (void)ttb_balancer_report(&w.mine, t, TTB_SUCCESS, 1000000, UINT64_C(10000000000));
    }
    for (int s = 0; s < CAPACITY; s++)
      here += w.e[s].id && !w.e[s].causes && w.e[s].zone == w.c.zone;
    for (int l = 0; l < LEVELS; l++) load += r.healthy[l] + r.degraded[l];
    for (int l = 0; l < LEVELS && load == 100; l++) {
      /* A panicking level whose members cannot be had passes its share on. */
      bool sure = true;
      for (int k = 0; k < LEVELS; k++) sure = sure && !r.panic[k];
      if (!sure) break;
      CHECK(c, plausible(at[l][0], PICKS, r.healthy[l] / 100.0) &&
                   plausible(at[l][1], PICKS, r.degraded[l] / 100.0),
            "algorithm %u, level %d: %.0f and %.0f of %d, not %u and %u percent", w.c.algorithm, l,
            at[l][0], at[l][1], PICKS, r.healthy[l], r.degraded[l]);
    }
    CHECK(c, r.zoned == LEVELS || zoned == 0 || here == 0 || plausible(local, zoned, r.stay),
          "algorithm %u: %.0f of %.0f stay, not %.3f", w.c.algorithm, local, zoned, r.stay);
    end(&w);
  }
}

/* Within a scope the spreading algorithms keep to the weights: chi-square over the
 * endpoints, k - 1 degrees of freedom, seven deviations above its mean and 12 for the long
 * tail of few degrees: chance does that less than twice in a million. */
static void fairness(check *c) {
  static const uint32_t algorithms[] = {TTB_BALANCER_ROUND_ROBIN, TTB_BALANCER_WEIGHTED_ROUND_ROBIN,
                                        TTB_BALANCER_WEIGHTED_RANDOM, TTB_BALANCER_TWO_CHOICES,
                                        TTB_BALANCER_LEAST_CONNECTIONS, TTB_BALANCER_RENDEZVOUS};
  check_property_slow(c, "within a scope picks spread by weight", 4000);
  enum { PICKS = 3000 };
  while (check_step(c)) {
    world w;
    begin(c, &w, TTB_BALANCER_TAGS);
    end(&w);
    w.c = TTB_CONFIG(ttb_balancer_config);
    w.c.algorithm = algorithms[check_below(c, 6)];
    w.c.capacity = CAPACITY;
    w.c.flags = TTB_BALANCER_TAGS;
    w.c.seed = check_rand(c);
    CHECK(c, ttb_balancer_new(&w.shared, &w.c, NULL) == TTB_OK &&
                 ttb_balancer_join(&w.shared, 1, &w.mine) == TTB_OK, "set up");
    memset(w.e, 0, sizeof w.e);
    for (int32_t s = 0; s < CAPACITY; s++) add(c, &w, s);
    uint32_t scopes = 3, picked[3][CAPACITY] = {{0}};
    ttb_pick p[3];
    for (uint32_t k = 0; k < scopes; k++) /* different ones: of one scope all share the turns */
      p[k] = (ttb_pick){.struct_size = sizeof *p, .zones = (uint64_t)check_between(c, 1, 5) + 5 * k,
                        .tags = check_below(c, 3)};
    for (int i = 0; i < PICKS; i++) /* by turns, so that they could disturb each other */
      for (uint32_t k = 0; k < scopes; k++) {
        p[k].hash = check_rand(c);
        int64_t t = ttb_balancer_acquire_with(&w.mine, &p[k], 0);
        if (t < 0) continue;
        picked[k][ttb_ticket_slot(t)]++;
        (void)ttb_balancer_report(&w.mine, t, TTB_SUCCESS, 0, 0);
      }
    bool alike = w.c.algorithm == TTB_BALANCER_ROUND_ROBIN;
    for (uint32_t k = 0; k < scopes; k++) {
      double sum = 0, chi = 0, n = 0;
      uint32_t set = within(&w, &p[k], 0, true);
      for (uint32_t s = 0; s < CAPACITY; s++)
        if (set >> s & 1) sum += alike ? 1 : w.e[s].weight, n++;
      for (uint32_t s = 0; s < CAPACITY; s++) {
        if (!(set >> s & 1)) continue;
        double expected = PICKS * (alike ? 1 : w.e[s].weight) / sum;
        chi += (picked[k][s] - expected) * (picked[k][s] - expected) / expected;
      }
      /* Two choices idle: of two drawn alike, one by weight. Only that nobody starves. */
      bool exact = w.c.algorithm != TTB_BALANCER_TWO_CHOICES;
      for (uint32_t s = 0; s < CAPACITY && !exact; s++)
        CHECK(c, !(set >> s & 1) || picked[k][s] > PICKS / n / 10, "slot %u starves", s);
      CHECK(c, n < 2 || !exact || chi <= n + 11 + 7 * sqrt(2 * (n - 1)),
            "algorithm %u, scope %u: chi-square %.1f of %.0f endpoints", w.c.algorithm, k, chi, n);
    }
    end(&w);
  }
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  who(&c);
  shares(&c);
  fairness(&c);
  return check_end(&c);
}
