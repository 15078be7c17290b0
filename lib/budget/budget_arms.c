/* SPDX-License-Identifier: MIT */
/* The arms: what they go by, what headroom they would have needed, which is the
 * cheapest. See budget.h.
 *
 * A load of tick t is carried by what all decisions of the ticks t - startup .. t
 * left standing, so the lowest a and the lowest s among them are kept by tick
 * (groups of ticks if the start-up time is long: then a little before it, too).
 * A histogram has 16 bins an octave of 1/4 + g (g in Q8); the first is for those
 * that needed none.
 *
 * I1  An arm's shadow is never better than what would have been: the lowest a and
 *     the lowest s need not be of one tick.
 * I2  Rounding to whole replicas is known to the histogram: needed is only what
 *     the next lower count would not have carried.
 * I3  Weights grow from WEIGHT to twice that over a half-life; then all is
 *     halved. Totals stay below 2^32 for half-lives of 2^17 ticks. */
#include "budget.h"

#define WEIGHT 4096u
/* A prior of so many ticks says how much headroom loads in general need. */
#define PRIOR_TICKS 480u
/* In its first hour a slot goes by the first arm: what it has seen of itself is
 * too little to tell changes of minutes from those of hours. */
#define FIRST_TICKS 240u
/* The arms' headroom is read off for this share of the budget at first, Q16 (85 %);
 * the rest is for the error of a quantile of few and dependent samples. By what is
 * then spent it moves between these bounds, by a 128th a review. */
#define AIM 55705u
#define LEAST_AIM (AIM * 3 / 4)
#define MOST_AIM 196608u
/* Headroom before there is a histogram. */
#define FIRST_HEADROOM 160u

/* Bases, then scales. */
enum {
  LOAD, RISE, RISE_LONG, WINDOW, WINDOW_LONG, WINDOW_RISE, WINDOW_LONG_RISE, FORECAST, HOUR,
  SHORT, LONG, DAYS,
  LEAST, /* what no scale is below */
  ITSELF /* the scale is the base */
};
_Static_assert(ITSELF == TTB__FORMS, "all but ITSELF are kept");

typedef struct recipe {
  uint32_t base, scale;
} recipe;

static const recipe arms[TTB__ARMS] = {
    {WINDOW, ITSELF},      {WINDOW_LONG, ITSELF}, {WINDOW_RISE, ITSELF}, {WINDOW_LONG_RISE, ITSELF},
    {LOAD, SHORT},         {LOAD, LONG},          {RISE, SHORT},         {RISE, LONG},
    {RISE_LONG, SHORT},    {HOUR, LONG},          {LOAD, DAYS},          {WINDOW, DAYS},
    {WINDOW_LONG, LONG},   {FORECAST, SHORT},     {FORECAST, LONG},      {FORECAST, ITSELF},
};

/* ---- what they say ---- */

static void forms_of(const ttb__signals *g, int32_t f[TTB__FORMS]) {
  int32_t least = g->level / 64 + 16, rising = g->load + g->rise[1];
  f[LOAD] = g->load;
  f[RISE] = g->load + g->rise[0];
  f[RISE_LONG] = g->load + g->rise[2];
  f[WINDOW] = g->window[0];
  f[WINDOW_LONG] = g->window[1];
  f[WINDOW_RISE] = ttb__higher(g->window[0], rising);
  f[WINDOW_LONG_RISE] = ttb__higher(g->window[1], rising);
  f[FORECAST] = g->load + ttb__higher(g->rise[0], g->forecast);
  f[HOUR] = g->hour;
  f[SHORT] = ttb__higher(g->change[0], least);
  f[LONG] = ttb__higher(g->change[1], least);
  f[DAYS] = ttb__higher((g->window[0] + g->level) / 2, least);
  f[LEAST] = least;
}

/* The basis of an arm, from all forms at a time. */
static ttb__basis basis_of(uint32_t i, const ttb__a32 f[TTB__FORMS]) {
  ttb__basis x = {ttb__budget_get(&f[arms[i].base]), 0};
  x.scale = arms[i].scale == ITSELF ? ttb__higher(x.base, ttb__budget_get(&f[LEAST]))
                                    : ttb__budget_get(&f[arms[i].scale]);
  return x;
}

static bool plays(const ttb__budget *b, uint32_t i) {
  return arms[i].base != FORECAST || !(b->flags & TTB_BUDGET_NO_FORECAST);
}

static uint32_t lowest(const ttb__budget *b, const ttb__budget_slot *s, uint32_t i) {
  uint32_t low = ttb__load_rlx(&s->form[0][i]);
  for (uint32_t k = 1; k < b->groups; k++) {
    uint32_t x = ttb__load_rlx(&s->form[k][i]);
    low = x < low ? x : low;
  }
  return low;
}

void ttb__arms_say(const ttb__budget *b, ttb__budget_slot *s, const ttb__signals *g, uint64_t tick,
                   bool fresh) {
  uint32_t group = ttb__budget_group(b, tick), shift = 0;
  bool joins = b->grain > 1 && (uint32_t)tick % b->grain != 0;
  /* All groups are looked at now and then, so that no wrong word stays for ever. */
  bool heal = fresh || tick % TTB__REVIEW == 0;
  /* The means need not see every tick. */
  bool sampled = tick % 4 == 0;
  if (tick >> 13) shift = 11;
  while (sampled && shift < 11 && tick / 4 >> shift) shift++;
  int32_t f[TTB__FORMS];
  forms_of(g, f);
  for (uint32_t i = 0; i < TTB__FORMS; i++) {
    uint32_t x = (uint32_t)ttb__budget_cut(f[i]);
    uint32_t before = ttb__load_rlx(&s->form[group][i]), low = ttb__load_rlx(&s->low[i]);
    if (sampled)
      ttb__store_rlx(&s->form_mean[i],
                     ttb__toward(ttb__load_rlx(&s->form_mean[i]), (uint64_t)x << 14, shift));
    for (uint32_t k = 0; fresh && k < b->groups; k++) ttb__store_rlx(&s->form[k][i], x);
    if (joins && before < x) x = before;
    ttb__store_rlx(&s->form[group][i], x);
    /* Only if the one that leaves was the lowest, all have to be looked at. */
    if (x <= low) ttb__store_rlx(&s->low[i], x);
    else if (before <= low || heal) ttb__store_rlx(&s->low[i], lowest(b, s, i));
  }
}

ttb__basis ttb__arms_basis(const ttb__budget *b, const ttb__budget_slot *s, uint32_t arm,
                           uint64_t tick) {
  return basis_of(arm, s->form[ttb__budget_group(b, tick)]);
}

int32_t ttb__arms_ask(const ttb__budget *b, const ttb__budget_slot *s, uint32_t arm, uint64_t tick) {
  ttb__basis x = ttb__arms_basis(b, s, arm, tick);
  int64_t g = ttb__load_rlx(&s->headroom[arm]) & 0xffff;
  return ttb__budget_cut(x.base + (g * x.scale >> 8));
}

/* ---- what they would have needed ---- */

/* The place of the highest bit that is set; v is 64..65535. */
static uint32_t top_bit(uint32_t v) {
  uint32_t e = 6;
  if (v >> 14) v >>= 8, e += 8;
  if (v >> 10) v >>= 4, e += 4;
  if (v >> 8) v >>= 2, e += 2;
  return e + (v >> 7);
}

/* The bin of a headroom above 0: never the first. */
static uint32_t bin_of(int64_t g) {
  uint32_t v = g < 4 ? 68 : g < 65535 - 64 ? (uint32_t)g + 64 : 65535, e = top_bit(v);
  return (e - 6) * 16 + (v >> (e - 4) & 15);
}

/* Where a bin begins, as g in Q8. */
static uint32_t bin_begin(uint32_t bin) { return ((16 + bin % 16) << (bin / 16 + 2)) - 64; }

static uint32_t weight_of(const ttb__budget *b, ttb__budget_slot *s) {
  uint32_t phase = ttb__load_rlx(&s->phase);
  if (phase >= b->half_life) phase = 0;
  return WEIGHT + (uint32_t)((uint64_t)WEIGHT * phase / b->half_life);
}

static void halve(ttb__budget_slot *s) {
  ttb__store_rlx(&s->phase, 0);
  ttb__store_rlx(&s->total, ttb__load_rlx(&s->total) >> 1);
  for (uint32_t i = 0; i < TTB__ARMS; i++)
    for (uint32_t k = 0; k < TTB__BINS; k++)
      ttb__store_rlx(&s->needed[i][k], ttb__load_rlx(&s->needed[i][k]) >> 1);
}

void ttb__arms_judge(const ttb__budget *b, ttb__budget_slot *s, int32_t peak) {
  int32_t replicas = ttb__budget_replicas(peak);
  /* What min_replicas carry needs nobody; more than max_replicas nobody could carry. */
  replicas = replicas <= b->min ? 0 : ttb__lower(replicas, b->max);
  int32_t below = replicas > 0 ? (replicas - 1) * TTB__BUDGET_ONE : 0;
  uint32_t weight = weight_of(b, s);
  for (uint32_t i = 0; i < TTB__ARMS; i++) {
    ttb__basis x = basis_of(i, s->low);
    int64_t lack = below - x.base;
    uint32_t bin = lack > 0 ? bin_of(((lack << 8) / (x.scale > 0 ? x.scale : 1)) + 1) : 0;
    ttb__a32 *w = &s->needed[i][bin];
    ttb__store_rlx(w, ttb__load_rlx(w) + weight);
  }
  ttb__store_rlx(&s->total, ttb__load_rlx(&s->total) + weight);
  uint32_t phase = ttb__load_rlx(&s->phase) + 1;
  if (phase >= b->half_life) halve(s);
  else ttb__store_rlx(&s->phase, phase);
}

/* ---- the choice ---- */

static uint32_t aim_of(const ttb__budget_slot *s) {
  uint32_t aim = ttb__load_rlx(&s->aim);
  return aim < LEAST_AIM ? LEAST_AIM : aim > MOST_AIM ? MOST_AIM : aim;
}

uint32_t ttb__arms_aim(const ttb__budget *b, const ttb__budget_slot *s) {
  return (uint32_t)((uint64_t)b->budget_q24 * aim_of(s) >> 16);
}

/* Holds and bounds leave more standing than the arms ask for, so that less of the
 * budget is spent than they aim at; a load that gets worse spends more. */
static void adapt(const ttb__budget *b, ttb__budget_slot *s) {
  uint32_t spent = ttb__budget_spent(s), aim = aim_of(s);
  if (spent < b->budget_q24 - b->budget_q24 / 4) aim += aim / 128;
  else if (spent > b->budget_q24 + b->budget_q24 / 4) aim -= aim / 128;
  ttb__store_rlx(&s->aim, aim);
}

/* The smallest g of which at most `allowed` of the weight needed more. */
static uint32_t headroom_for(ttb__budget_slot *s, uint32_t i, uint64_t allowed) {
  uint64_t above = 0;
  for (uint32_t k = TTB__BINS; k-- > 1;) {
    uint64_t w = ttb__load_rlx(&s->needed[i][k]);
    if (above + w > allowed) {
      uint32_t begin = bin_begin(k), end = bin_begin(k + 1);
      return end - (uint32_t)((end - begin) * (allowed - above) / w);
    }
    above += w;
  }
  return 0;
}

uint64_t ttb__arms_above(const ttb__budget_slot *s, uint32_t arm, uint32_t g) {
  uint64_t above = 0;
  for (uint32_t k = TTB__BINS; k-- > 1 && bin_begin(k + 1) > g;) {
    uint64_t w = ttb__load_rlx(&s->needed[arm][k]);
    uint32_t begin = bin_begin(k), end = bin_begin(k + 1);
    above += begin >= g ? w : w * (end - g) / (end - begin);
  }
  return above;
}

uint64_t ttb__arms_cost(const ttb__budget_slot *s, uint32_t arm) {
  uint64_t g = ttb__load_rlx(&s->headroom[arm]) & 0xffff;
  uint32_t scale = arms[arm].scale == ITSELF ? arms[arm].base : arms[arm].scale;
  uint64_t base = ttb__load_rlx(&s->form_mean[arms[arm].base]) >> 14 & 0x7fffffff;
  return base + ((ttb__load_rlx(&s->form_mean[scale]) >> 14 & 0x7fffffff) * g >> 8);
}

uint32_t ttb__arms_review(const ttb__budget *b, ttb__budget_slot *s, uint64_t tick,
                          uint32_t speaking) {
  adapt(b, s);
  uint64_t allowed = (uint64_t)ttb__load_rlx(&s->total) * ttb__arms_aim(b, s) >> 24;
  uint64_t best_cost = UINT64_MAX;
  uint32_t best = 0;
  for (uint32_t i = 0; i < TTB__ARMS; i++) {
    uint32_t g = headroom_for(s, i, allowed);
    ttb__store_rlx(&s->headroom[i], g);
    uint64_t cost = ttb__arms_cost(s, i);
    /* Whoever speaks goes on unless another is clearly cheaper. */
    if (i == speaking) cost -= cost >> 6;
    if (plays(b, i) && cost < best_cost) best_cost = cost, best = i;
  }
  return tick < FIRST_TICKS ? 0 : best;
}

/* ---- the beginning ---- */

/* What share of ticks (of 1000) need more than so much headroom: of the base
 * itself, and of the mean change. A rule of thumb, forgotten with time. */
typedef struct prior {
  uint32_t above[2], share;
} prior;
static const prior priors[] = {
    {{26, 256}, 50}, {{51, 512}, 30}, {{90, 1024}, 15}, {{154, 1536}, 8}, {{256, 2560}, 3},
    {{512, 4096}, 1},
};

void ttb__arms_begin(ttb__budget_slot *s) {
  const uint32_t n = sizeof priors / sizeof *priors;
  ttb__store_rlx(&s->phase, 0);
  ttb__store_rlx(&s->aim, AIM);
  ttb__store_rlx(&s->total, PRIOR_TICKS * WEIGHT);
  for (uint32_t i = 0; i < TTB__ARMS; i++) {
    uint32_t kind = arms[i].scale == SHORT || arms[i].scale == LONG;
    ttb__store_rlx(&s->headroom[i], FIRST_HEADROOM);
    for (uint32_t k = 0; k < TTB__BINS; k++) ttb__store_rlx(&s->needed[i][k], 0);
    ttb__store_rlx(&s->needed[i][0],
                   PRIOR_TICKS * WEIGHT / 1000 * (1000 - priors[0].share));
    for (uint32_t k = 0; k < n; k++) {
      uint32_t more = k + 1 < n ? priors[k + 1].share : 0;
      ttb__a32 *w = &s->needed[i][bin_of(priors[k].above[kind])];
      ttb__store_rlx(w, ttb__load_rlx(w) + PRIOR_TICKS * WEIGHT / 1000 * (priors[k].share - more));
    }
  }
}
