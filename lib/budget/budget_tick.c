/* SPDX-License-Identifier: MIT */
/* A tick of a violation budget: what the load was is judged and learned, then
 * decided upon. See budget.h.
 *
 * I1  What has been decided is judged by the same rule as the arms: a load is
 *     carried by the lowest count of the start-up time before it. A count the
 *     caller did not bring about is taken as it is.
 * I2  The slot's tick count moves last but for the decision, so a writer killed on
 *     the way is at worst one tick's weight too much. */
#include "budget.h"

#include <string.h>

/* The load of served requests says nothing beyond this share of what serves. */
#define SATURATED_PPM 970000

/* ---- demand ---- */

static int32_t on_curve(const ttb__budget *b, uint64_t load) {
  /* Point i is what i + 1 replicas carry; 0 replicas carry nothing. */
  uint32_t low = 0, high = b->carries_n;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (ttb__load_rlx(&b->curve[middle]) < load) low = middle + 1;
    else high = middle;
  }
  uint32_t i = low < b->carries_n ? low : b->carries_n - 1;
  uint64_t begin = i > 0 ? ttb__load_rlx(&b->curve[i - 1]) : 0, end = ttb__load_rlx(&b->curve[i]);
  uint64_t width = end > begin ? end - begin : 1, above = load > begin ? load - begin : 0;
  uint64_t whole = above / width, part = above % width;
  if (whole >= TTB__BUDGET_MOST / TTB__BUDGET_ONE) return TTB__BUDGET_MOST;
  /* Rounded up, so that what is beyond a point needs one more. */
  while (width >> 50) width >>= 1, part >>= 1;
  uint64_t q = part * TTB__BUDGET_ONE / width + (part * TTB__BUDGET_ONE % width != 0);
  return ttb__budget_cut((int64_t)(((uint64_t)i + whole) * TTB__BUDGET_ONE + q));
}

static int32_t linear(int64_t load, ttb__fp unit) {
  return ttb__budget_cut(ttb__fp_floor(ttb__fp_mul(ttb__fp_int((uint64_t)load), unit)));
}

int32_t ttb__budget_demand(const ttb__budget *b, int64_t load) {
  if (load <= 0) return 0;
  return b->carries_n > 0 ? on_curve(b, (uint64_t)load) : linear(load, b->unit);
}

/* Whether what was served is all that could be. */
static bool saturated(const ttb__budget *b, const ttb_budget_sample *s, int32_t demand) {
  if (!(b->flags & TTB_BUDGET_CAPPED) || s->serving <= 0 || s->load_milli <= 0) return false;
  int64_t use = b->carries_n > 0 ? demand : linear(s->load_milli, b->full);
  return use * 1000000 >= (int64_t)s->serving * TTB__BUDGET_ONE * SATURATED_PPM;
}

/* ---- learning ---- */

static uint64_t mean_shift(uint64_t tick, uint32_t most) {
  uint32_t shift = tick >> most ? most : 1;
  while (shift < most && tick >> shift) shift++;
  return shift;
}

static int32_t ago(ttb__budget_slot *s, uint64_t tick, uint32_t age) {
  return ttb__budget_get(&s->recent[(tick - age) % TTB__RECENT]);
}

static int32_t rise_of(const ttb__budget *b, ttb__budget_slot *s, uint64_t tick, int32_t x,
                       uint32_t power) {
  int64_t more = (int64_t)(x - ago(s, tick, 1u << power)) * (b->startup + 1);
  if (more > 0) more >>= power;
  return more < 0 ? 0 : more < x ? (int32_t)more : x;
}

static int32_t mean_of(ttb__a64 *w, int32_t x, uint64_t shift) {
  uint64_t m = ttb__toward(ttb__load_rlx(w) & ((UINT64_C(1) << 44) - 1),
                           (uint64_t)(uint32_t)x << 14, (uint32_t)shift);
  ttb__store_rlx(w, m);
  return ttb__budget_cut((int64_t)(m >> 14));
}

static ttb__signals observe(const ttb__budget *b, ttb__budget_slot *s, int32_t x, uint64_t tick,
                            uint64_t v, bool fresh) {
  ttb__signals g = {.load = x};
  uint32_t span = b->startup + 1 < TTB__RECENT - 1 ? b->startup + 1 : TTB__RECENT - 1;
  for (uint32_t i = 0; fresh && i < TTB__RECENT; i++) ttb__budget_put(&s->recent[i], x);
  int32_t change = x - ago(s, tick, span);
  ttb__budget_put(&s->recent[tick % TTB__RECENT], x);
  if (change < 0) change = -change;
  if (tick == 0) change = x / 8;
  g.level = mean_of(&s->level, x, tick == 0 ? 0 : mean_shift(tick, 12));
  g.hour = mean_of(&s->hour, x, tick == 0 ? 0 : mean_shift(tick, 7));
  g.change[0] = mean_of(&s->change[0], change, tick == 0 ? 0 : 4);
  g.change[1] = mean_of(&s->change[1], change, tick == 0 ? 0 : 7);
  g.rise[0] = rise_of(b, s, tick, x, 0);
  g.rise[1] = rise_of(b, s, tick, x, 1);
  g.rise[2] = rise_of(b, s, tick, x, 2);
  for (uint32_t k = 0; k < 8; k++) g.window[0] = ttb__higher(g.window[0], ago(s, tick, k));
  for (uint32_t k = 0; fresh && k < 8; k++) ttb__budget_put(&s->highest[k], x);
  ttb__budget_put(&s->highest[tick / 8 % 8], tick % 8 == 0 ? x : g.window[0]);
  g.window[1] = g.window[0];
  for (uint32_t k = 1; k < 5; k++)
    g.window[1] = ttb__higher(g.window[1], ttb__budget_get(&s->highest[(tick / 8 - k) % 8]));
  if (!(b->flags & TTB_BUDGET_NO_FORECAST))
    g.forecast = ttb__forecast(s, x, v, (b->startup + 1) * b->tick_ms, fresh || tick % 4 == 0);
  return g;
}

/* The lowest count of the start-up time: what served. */
static int32_t served(const ttb__budget *b, ttb__budget_slot *s) {
  int32_t n = ttb__budget_get(&s->decided[0]);
  for (uint32_t k = 1; k < b->groups; k++) n = ttb__lower(n, ttb__budget_get(&s->decided[k]));
  return n;
}

static void decide(const ttb__budget *b, ttb__budget_slot *s, int32_t n, uint64_t tick, bool fresh) {
  uint32_t group = ttb__budget_group(b, tick);
  for (uint32_t k = 0; fresh && k < b->groups; k++) ttb__budget_put(&s->decided[k], n);
  if (tick % b->grain != 0) n = ttb__lower(n, ttb__budget_get(&s->decided[group]));
  ttb__budget_put(&s->decided[group], n);
}

static void judge(const ttb__budget *b, ttb__budget_slot *s, int32_t peak) {
  ttb__arms_judge(b, s, peak);
  bool bad = ttb__budget_replicas(peak) > served(b, s);
  uint32_t spent = ttb__load_rlx(&s->spent) & 0x7fffffff;
  ttb__store_rlx(&s->spent, (uint32_t)ttb__toward(spent, bad ? 1u << 30 : 0, 13));
  if (bad) ttb__store_rlx(&s->violations, ttb__load_rlx(&s->violations) + 1);
}

/* One tick: x is the demand, peak what it is judged by. */
static void learn(const ttb__budget *b, ttb__budget_slot *s, int32_t x, int32_t peak,
                  int32_t current, uint64_t v, uint64_t tick, bool fresh, ttb__budget_choice *c) {
  if (!fresh) judge(b, s, peak);
  ttb__signals g = observe(b, s, x, tick, v, fresh);
  if (tick == 0) {
    ttb__arms_begin(s);
    ttb__store_rlx(&s->spent, b->budget_q24 << 5); /* half of it */
    ttb__store_rlx(&s->tokens, b->token_most);
    ttb__store_rlx(&s->block, 0);
  }
  ttb__arms_say(b, s, &g, tick, fresh);
  bool review = tick % TTB__REVIEW == TTB__REVIEW - 1;
  if (review) c->arm = ttb__arms_review(b, s, tick, c->arm);
  int32_t need = ttb__arms_ask(b, s, c->arm, tick);
  ttb__budget_put(&s->need, need);
  ttb__hold_run(s, ttb__budget_replicas(need), current, tick);
  if (review) c->hold = ttb__hold_review(b, s, tick, c->hold);
  uint64_t tokens = (uint64_t)ttb__load_rlx(&s->tokens) + b->token_q16;
  ttb__store_rlx(&s->tokens, (uint32_t)(tokens < b->token_most ? tokens : b->token_most));
}

/* ---- deciding ---- */

static void bound(const ttb__budget *b, int32_t floor, int32_t needed, ttb__budget_choice *c) {
  int32_t least = ttb__lower(ttb__higher(b->min, floor), b->max);
  if (c->desired < least || (c->desired == least && needed < least)) {
    c->desired = least;
    c->reason = TTB_BUDGET_AT_MIN;
  }
  if (c->desired > b->max || (c->desired == b->max && needed > b->max)) {
    c->desired = b->max;
    c->reason = TTB_BUDGET_AT_MAX;
  }
}

static int32_t milli(int32_t q12) { return (int32_t)((int64_t)q12 * 1000 / TTB__BUDGET_ONE); }

static void tell(const ttb__budget *b, ttb__budget_slot *s, const ttb__budget_choice *c, int32_t current,
                 uint64_t ticks, ttb_budget_decision *d) {
  ttb__basis x = ttb__arms_basis(b, s, c->arm, ticks > 0 ? ticks - 1 : 0);
  d->desired = c->desired;
  d->current = current;
  d->reason = (int32_t)c->reason;
  d->needed = ttb__budget_replicas(ttb__budget_get(&s->need));
  d->arm = (int32_t)c->arm;
  d->hold = (int32_t)c->hold;
  d->demand_milli = milli(ttb__budget_get(&s->recent[(ticks - 1) % TTB__RECENT]));
  d->base_milli = milli(x.base);
  d->scale_milli = milli(x.scale);
  d->headroom_ppm = (int32_t)((uint64_t)(ttb__load_rlx(&s->headroom[c->arm]) & 0xffff) * 1000000 >> 8);
  d->spent_ppm = (int32_t)((uint64_t)ttb__budget_spent(s) * 1000000 >> 24);
}

static void step(const ttb__budget *b, ttb__budget_slot *s, const ttb_budget_sample *sample,
                 uint64_t v, ttb_budget_decision *d) {
  uint64_t known = ttb__load_rlx(&s->known), ticks = ttb__load_rlx(&s->ticks);
  ttb__budget_choice c = ttb__budget_choice_of(ttb__load_rlx(&s->result));
  uint64_t elapsed = v > known ? v - known : 0, half = b->tick_ms / 2, steps = TTB__GAP + 1;
  if (elapsed < UINT32_MAX / 2) steps = (uint32_t)(elapsed + half) / b->tick_ms;
  if (known == 0) c = (ttb__budget_choice){0, 0, 0, 0}, ticks = 0, steps = 1;
  if (sample->missing || steps == 0) {
    c.desired = sample->missing ? sample->current : c.desired;
    c.reason = sample->missing ? TTB_BUDGET_MISSING : TTB_BUDGET_EARLY;
    int32_t as_it_is = c.desired;
    bound(b, sample->floor, as_it_is, &c);
    tell(b, s, &c, sample->current, ticks, d);
    return;
  }
  int32_t x = ttb__budget_demand(b, sample->load_milli), peak = x;
  if (sample->peak_milli > 0) peak = ttb__budget_demand(b, sample->peak_milli);
  if (saturated(b, sample, x)) x = ttb__budget_cut((int64_t)x + x / 2);
  bool fresh = known == 0 || steps > TTB__GAP;
  if (fresh) steps = 1;
  /* What the caller did not carry out did not serve (I1). */
  if (!fresh && sample->current < c.desired && ticks > 0) {
    uint32_t group = ttb__budget_group(b, ticks - 1);
    ttb__budget_put(&s->decided[group], ttb__lower(sample->current, ttb__budget_get(&s->decided[group])));
  }
  uint64_t end = ticks + steps;
  for (; ticks < end; ticks++) {
    uint64_t at = v - (end - 1 - ticks) * b->tick_ms;
    learn(b, s, x, peak, sample->current, at, ticks, fresh, &c);
    if (ticks + 1 < end) decide(b, s, sample->current, ticks, fresh);
  }
  int32_t needed = ttb__budget_replicas(ttb__budget_get(&s->need));
  ttb__held h = ttb__hold_apply(b, s, c.hold, needed, sample->current);
  c.desired = h.desired;
  c.reason = (uint32_t)h.reason;
  bound(b, sample->floor, needed, &c);
  decide(b, s, c.desired, ticks - 1, fresh);
  if (c.desired != sample->current) ttb__store_rlx(&s->actions, ttb__load_rlx(&s->actions) + 1);
  if (c.desired < sample->current && b->token_q16 > 0) {
    uint32_t tokens = ttb__load_rlx(&s->tokens);
    ttb__store_rlx(&s->tokens, tokens > 65536 ? tokens - 65536 : 0);
  }
  ttb__store_rlx(&s->ticks, ticks);
  ttb__store_rlx(&s->result, ttb__budget_choice_word(&c));
  ttb__store_rlx(&s->known, v);
  tell(b, s, &c, sample->current, ticks, d);
}

/* ---- calls ---- */

static bool counts_ok(const ttb_budget_sample *s) {
  return s->current >= 0 && s->current <= TTB_BUDGET_MAX_REPLICAS && s->serving >= 0 &&
         s->serving <= TTB_BUDGET_MAX_REPLICAS && s->floor >= 0 && s->floor <= TTB_BUDGET_MAX_REPLICAS;
}

int32_t ttb_budget_tick(ttb_budget *h, uint32_t slot, const ttb_budget_sample *sample,
                        uint64_t now_ns, ttb_budget_decision *ret) {
  const ttb__budget *b = ttb__budget_of(h);
  if (!b || !sample || !ret) return TTB_ERR_MISUSE;
  if (slot >= b->capacity || sample->struct_size < sizeof sample->struct_size) return TTB_ERR_RANGE;
  ttb_budget_sample full = *sample;
  if (full.struct_size != sizeof full || full.reserved != 0) {
    int32_t code = ttb__config_read(&ttb__budget_sample_fields, sample, &full, -1, NULL);
    if (code < 0) return code;
  }
  ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
  if (ret->struct_size < ttb__budget_decision_fields.first_size) return TTB_ERR_RANGE;
  if (!counts_ok(&full)) return TTB_ERR_RANGE;
  step(b, ttb__budget_slot_at(b, slot), &full, ttb__clock_now(&b->region->clock, now_ns), &d);
  return ttb__struct_write(&ttb__budget_decision_fields, &d, ret);
}

int32_t ttb_budget_tick_n(ttb_budget *h, const uint32_t *slots, uint32_t n,
                          const ttb_budget_sample *samples, uint64_t now_ns,
                          ttb_budget_decision *ret_decisions, int32_t *ret_codes) {
  if (!ttb__budget_of(h) || n > INT32_MAX) return TTB_ERR_MISUSE;
  if (n > 0 && (!samples || !ret_decisions)) return TTB_ERR_MISUSE;
  int32_t done = 0;
  for (uint32_t i = 0; i < n; i++) {
    const void *sample = (const char *)samples + (uint64_t)i * samples->struct_size;
    void *decision = (char *)ret_decisions + (uint64_t)i * ret_decisions->struct_size;
    int32_t code = ttb_budget_tick(h, slots ? slots[i] : i, sample, now_ns, decision);
    if (ret_codes) ret_codes[i] = code;
    done += code == TTB_OK;
  }
  return done;
}

int32_t ttb_budget_reset(ttb_budget *h, uint32_t slot) {
  const ttb__budget *b = ttb__budget_of(h);
  if (!b) return TTB_ERR_MISUSE;
  if (slot >= b->capacity) return TTB_ERR_RANGE;
  ttb__budget_slot *s = ttb__budget_slot_at(b, slot);
  ttb__store_rlx(&s->known, 0);
  ttb__store_rlx(&s->ticks, 0);
  ttb__store_rlx(&s->result, 0);
  ttb__store_rlx(&s->violations, 0);
  ttb__store_rlx(&s->actions, 0);
  ttb__store_rlx(&s->day.filled, 0);
  ttb__store_rlx(&s->week.filled, 0);
  return TTB_OK;
}
