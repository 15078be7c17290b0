/* SPDX-License-Identifier: MIT */
/* Inside a violation budget: the words of a slot, the private handle, the stages.
 *
 *     load --> demand --> signals --> arms --> need --> hold --> decision
 *             (Q12 of     windows,    a + g s  cheapest  few
 *             replicas)   trend,               arm       actions
 *                         forecast
 *
 * Demand is in replicas, Q12: 4096 is what one replica may carry without being in
 * violation. Each *arm* i says, each tick, a_i + g_i * s_i: a base, and a headroom
 * of g_i times a scale of its own. The arms run in the shadow: once a load is
 * known, the headroom that would have been needed (all orders of the start-up time
 * before it had to reach it) goes into the arm's histogram, so its g_i is read off
 * as the quantile the budget names, and its cost is the mean of a + g s. The
 * cheapest arm speaks. Quantile control as for forecast intervals (Gibbs and
 * Candes, "Adaptive conformal inference", 2021); choice of an arm by its cost in
 * the shadow after Autopilot (Rzadca et al., EuroSys 2020).
 *
 * I1  A slot has one writer at a time; all its words are atomic and read relaxed,
 *     any value of any of them is legal: a kill between two writes or a hostile
 *     neighbour can make decisions bad for some days, nothing more.
 * I2  Nothing read from the region is used as an index, size, shift or divisor
 *     before it was bounded.
 * I3  Integers only. A demand is at most TTB__BUDGET_MOST (2^29), so sums of
 *     three fit 31 bits; products are made in 64. */
#ifndef TTB_LIB_BUDGET_BUDGET_H
#define TTB_LIB_BUDGET_BUDGET_H

#include "../base/fp.h"

#include "../base/atomic.h"
#include "../base/handle.h"
#include "../base/region.h"

#include <trimtab/budget.h>

#define TTB__BUDGET_ONE 4096            /* one replica in Q12 */
#define TTB__BUDGET_MOST (1 << 29)      /* demand at the most: 131072 replicas */
#define TTB__ARMS TTB_BUDGET_ARMS
#define TTB__FORMS 13u    /* bases and scales, of which an arm picks two */
#define TTB__BINS 160u    /* of needed headroom: 16 an octave of 1/4 + g */
#define TTB__AGES 17u     /* groups of orders that may not serve yet */
#define TTB__RECENT 64u   /* loads kept, a power of two */
#define TTB__HOLDS 12u
#define TTB__BLOCKS 64u   /* of 4 ticks each, kept for the holds; a power of two */
#define TTB__DAY 288u     /* buckets of 5 minutes */
#define TTB__WEEK 336u    /* buckets of 30 minutes */
#define TTB__REVIEW 64u   /* ticks from one choice of arm and hold to the next */
#define TTB__GAP 8u       /* ticks that may be missed in a row */

/* What the forecast keeps (forecast.c). */
typedef struct ttb__profile {
  ttb__a64 end; /* virtual ms at which the bucket at work ends; 0: none is */
  ttb__a64 sum; /* of demand in it: sum 40 | count 24 */
  ttb__a32 error;  /* mean error relative to demand, Q24 */
  ttb__a32 filled; /* buckets learned */
} ttb__profile;

typedef struct ttb__budget_slot {
  ttb__a64 known;   /* virtual ms of the last tick; 0: this slot has no past */
  ttb__a64 ticks;   /* learned from */
  ttb__a64 result;  /* desired 32 | arm 8 | hold 8 | reason 8 */
  ttb__a64 violations, actions;
  ttb__a64 level;     /* mean demand of about a day, Q12 + 14 */
  ttb__a64 hour;      /* the same of 128 ticks */
  ttb__a64 change[2]; /* mean |change| over the start-up time, of 16 and 128 ticks, Q12 + 14 */
  ttb__a32 spent;   /* share of ticks in violation, Q30 */
  ttb__a32 tokens;  /* downs that may be taken, Q16 */
  ttb__a32 phase;   /* ticks since the histograms were halved */
  ttb__a32 total;   /* weight of all ticks in the histograms */
  ttb__a32 block;   /* highest need of the block at work, in replicas */
  ttb__a32 aim;     /* what the arms aim at: a multiple of the budget, Q16 */
  ttb__a32 foreseen; /* demand the forecast foresees, Q12; renewed every 4 ticks */
  ttb__a32 need;    /* what the arm asked for last, Q12 */
  ttb__a32 peak;    /* load that was judged last, Q12 */
  ttb__profile day, week;
  ttb__a32 recent[TTB__RECENT];          /* demand, by tick */
  ttb__a32 decided[TTB__AGES];           /* the lowest count of a group of ticks */
  ttb__a32 highest[8];                   /* highest demand of 8 ticks */
  ttb__a32 blocks[TTB__BLOCKS];          /* highest need of 4 ticks, in replicas */
  ttb__a32 hold[TTB__HOLDS];             /* replicas it has, in the shadow */
  ttb__a32 hold_most[TTB__HOLDS];        /* highest need of the blocks it looks back on */
  ttb__a64 hold_sum[TTB__HOLDS];         /* since the last review: actions 20 | replicas 44 */
  ttb__a32 hold_actions[TTB__HOLDS];     /* its actions a review, Q20 */
  ttb__a64 hold_cost[TTB__HOLDS];        /* its mean replicas a review, Q16 */
  ttb__a32 headroom[TTB__ARMS];          /* g, Q8 */
  ttb__a64 form_mean[TTB__FORMS];        /* mean of a base or scale, Q12 + 14 */
  ttb__a32 form[TTB__AGES][TTB__FORMS];  /* the lowest of a group of ticks */
  ttb__a32 low[TTB__FORMS];              /* the lowest of all groups */
  ttb__a32 needed[TTB__ARMS][TTB__BINS]; /* histograms of needed headroom */
  ttb__a32 day_mean[TTB__DAY], week_mean[TTB__WEEK];
} ttb__budget_slot;

/* The configuration as a region holds it: the public one without its pointer. */
typedef struct ttb__budget_stored {
  uint32_t struct_size, capacity;
  int64_t replica_milli;
  int32_t budget_ppm, limit_ppm, min_replicas, max_replicas;
  uint32_t startup_ms, tick_ms;
  int32_t actions_a_day;
  uint32_t flags, carries_n, reserved;
} ttb__budget_stored;

typedef TTB__HANDLE_STRUCT ttb__budget {
  uint64_t tag;
  unsigned char *slots;
  ttb__a64 *curve; /* carries_n points */
  uint32_t carries_n, capacity, stride;
  int32_t min, max;
  uint32_t flags, tick_ms;
  uint32_t startup;    /* ticks from order to service */
  uint32_t grain;      /* ticks of a group of orders */
  uint32_t groups;     /* groups that may not serve yet, 1..TTB__AGES */
  uint32_t half_life;  /* of the histograms, in ticks */
  uint32_t budget_q24; /* the budget as a share */
  uint32_t token_q16;  /* downs a tick; 0: any number */
  uint32_t token_most; /* downs that may be saved up, Q16 */
  uint32_t action_q20; /* actions a review that holds may take */
  ttb__fp unit;        /* linear: 4096 / load a replica may carry */
  ttb__fp full;        /* the same at 100 % */
  ttb__region *region;
  uint64_t owned; /* bytes to give back, 0 if the memory is the caller's */
  ttb_allocator allocator;
} ttb__budget;
_Static_assert(sizeof(ttb__budget) <= sizeof(ttb_budget), "the handle's size is frozen");

extern const ttb__struct ttb__budget_config_fields, ttb__budget_stored_fields,
    ttb__budget_sample_fields, ttb__budget_decision_fields, ttb__budget_row_fields,
    ttb__budget_info_fields;

/* Reads and checks a caller's config; the curve stays where it is (*ret_curve). */
int32_t ttb__budget_read(const ttb_budget_config *config, ttb__budget_stored *ret,
                         const int64_t **ret_curve, ttb_detail *d);
/* What the rows cannot say: bounds in order, a load or a curve. */
int32_t ttb__budget_bounds(const ttb__budget_stored *c, ttb_detail *d);

/* NULL unless h is a live handle. */
static inline ttb__budget *ttb__budget_of(const ttb_budget *h) {
  ttb__budget *b = (ttb__budget *)(uintptr_t)h;
  return b && b->tag == TTB__TAG(TTB__KIND_BUDGET) ? b : NULL;
}

static inline ttb__budget_slot *ttb__budget_slot_at(const ttb__budget *b, uint32_t slot) {
  return (ttb__budget_slot *)(void *)(b->slots + (uint64_t)slot * b->stride);
}

/* ---- words as numbers ---- */

/* A demand (or scale, or mean) as it stands in a word: never negative, never
 * beyond the most, whatever a neighbour wrote. */
static inline int32_t ttb__budget_get(const ttb__a32 *w) {
  uint32_t x = ttb__load_rlx(w);
  return x < TTB__BUDGET_MOST ? (int32_t)x : TTB__BUDGET_MOST;
}
static inline void ttb__budget_put(ttb__a32 *w, int32_t x) { ttb__store_rlx(w, (uint32_t)x); }

static inline int32_t ttb__budget_cut(int64_t x) {
  return x < 0 ? 0 : x < TTB__BUDGET_MOST ? (int32_t)x : TTB__BUDGET_MOST;
}
static inline int32_t ttb__higher(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t ttb__lower(int32_t a, int32_t b) { return a < b ? a : b; }


/* A mean moved by 2^-shift of the way to x; both below 2^62. */
static inline uint64_t ttb__toward(uint64_t mean, uint64_t x, uint32_t shift) {
  return x >= mean ? mean + ((x - mean) >> shift) : mean - ((mean - x) >> shift);
}

/* Replicas that carry a demand: rounded up. */
static inline int32_t ttb__budget_replicas(int32_t demand) {
  return (demand + (TTB__BUDGET_ONE - 1)) / TTB__BUDGET_ONE;
}

/* What is carried from tick to tick in `result`. */
typedef struct ttb__budget_choice {
  int32_t desired;
  uint32_t arm, hold, reason;
} ttb__budget_choice;

static inline ttb__budget_choice ttb__budget_choice_of(uint64_t w) {
  uint32_t desired = (uint32_t)(w >> 40), reason = (uint32_t)w & 0xff;
  return (ttb__budget_choice){
      .desired = desired <= TTB_BUDGET_MAX_REPLICAS ? (int32_t)desired : TTB_BUDGET_MAX_REPLICAS,
      .arm = (uint32_t)(w >> 16 & 0xff) % TTB__ARMS,
      .hold = (uint32_t)(w >> 8 & 0xff) % TTB__HOLDS,
      .reason = reason <= TTB_BUDGET_EARLY ? reason : TTB_BUDGET_STEADY};
}
static inline uint64_t ttb__budget_choice_word(const ttb__budget_choice *c) {
  return (uint64_t)(uint32_t)c->desired << 40 | c->arm << 16 | c->hold << 8 | c->reason;
}

/* Where the orders of a tick are kept. 32 bits of ticks last 2000 years. */
static inline uint32_t ttb__budget_group(const ttb__budget *b, uint64_t tick) {
  uint32_t t = (uint32_t)tick;
  return (b->grain == 1 ? t : t / b->grain) % b->groups;
}

/* Share of recent ticks in violation, Q24. */
static inline uint32_t ttb__budget_spent(const ttb__budget_slot *s) {
  return (ttb__load_rlx(&s->spent) & 0x7fffffff) >> 6;
}

/* ---- forecast (forecast.c) ---- */

/* Learns demand x at time v (virtual ms) and returns the rise over x, at the most
 * x again, that is foreseen for until v + ahead_ms; 0 if there is no forecast to
 * trust. renew: look at the profiles again; else what was foreseen then stands. */
int32_t ttb__forecast(ttb__budget_slot *s, int32_t x, uint64_t v, uint32_t ahead_ms, bool renew);

/* Mean error of the profile in use, in ppm of the load; -1: none is filled. */
int32_t ttb__forecast_error(const ttb__budget_slot *s);

/* ---- arms (budget_arms.c) ---- */

/* All that arms go by, in Q12. */
typedef struct ttb__signals {
  int32_t load;
  int32_t rise[3];   /* of the last 1, 2, 4 ticks, carried on until an order serves */
  int32_t window[2]; /* the highest load of 8 and of 40 ticks */
  int32_t change[2]; /* mean |change| over the start-up time */
  int32_t level, hour; /* mean demand of about a day, and of 128 ticks */
  int32_t forecast;  /* the rise foreseen */
} ttb__signals;

/* Demand of a load, Q12. */
int32_t ttb__budget_demand(const ttb__budget *b, int64_t load_milli);

/* A slot without a past gets the prior. */
void ttb__arms_begin(ttb__budget_slot *s);
/* What each arm would have needed to carry `peak` goes into its histogram. */
void ttb__arms_judge(const ttb__budget *b, ttb__budget_slot *s, int32_t peak);
/* Every arm says what it says now. fresh: the groups before it are forgotten. */
void ttb__arms_say(const ttb__budget *b, ttb__budget_slot *s, const ttb__signals *g, uint64_t tick,
                   bool fresh);
/* Headroom of the arms, and which is the cheapest. */
uint32_t ttb__arms_review(const ttb__budget *b, ttb__budget_slot *s, uint64_t tick,
                          uint32_t speaking);
/* What an arm goes by in a tick: a and s. */
typedef struct ttb__basis {
  int32_t base, scale;
} ttb__basis;
ttb__basis ttb__arms_basis(const ttb__budget *b, const ttb__budget_slot *s, uint32_t arm,
                           uint64_t tick);
/* What it asks for: a + g s. */
int32_t ttb__arms_ask(const ttb__budget *b, const ttb__budget_slot *s, uint32_t arm, uint64_t tick);

/* Share of violation the headroom is read off for, Q24. */
uint32_t ttb__arms_aim(const ttb__budget *b, const ttb__budget_slot *s);

/* Weight of the ticks that needed more headroom than g. */
uint64_t ttb__arms_above(const ttb__budget_slot *s, uint32_t arm, uint32_t g);
/* What an arm asks for in the mean, Q12. */
uint64_t ttb__arms_cost(const ttb__budget_slot *s, uint32_t arm);

/* ---- holds (budget_hold.c) ---- */

typedef struct ttb__held {
  int32_t desired, reason;
} ttb__held;

/* Runs all holds in the shadow. */
void ttb__hold_run(ttb__budget_slot *s, int32_t need, int32_t current, uint64_t tick);
/* The hold to use from now on; once in TTB__REVIEW ticks. */
uint32_t ttb__hold_review(const ttb__budget *b, ttb__budget_slot *s, uint64_t tick, uint32_t used);
/* What hold h makes of a need, given what there is. */
ttb__held ttb__hold_apply(const ttb__budget *b, const ttb__budget_slot *s, uint32_t h,
                          int32_t need, int32_t current);

#endif
