/* SPDX-License-Identifier: MIT */
/* The breaker (lib/breaker): rounds, late callers, late reports, kills, on a
 * real region of one slot. What must hold of every execution: never more probes
 * of one generation out than configured; each transition told to exactly one,
 * or to none if that one was killed; late reports change nothing; the dead give
 * their probes back. */
#include "../../lib/breaker/breaker.h"

#include "explore.h"

#define MS UINT64_C(1000000)
#define NOW (3600000 * MS)
#define LATER (NOW + 10 * MS) /* an open time later */
#define BYTES 768

static _Alignas(64) unsigned char memory[BYTES];
static ttb_breaker handle[EX_ACTORS]; /* joined, tokens 1.. */
static uint32_t probes;

static struct {
  uint32_t out[16];  /* probes in somebody's hands, a generation */
  uint32_t told[16]; /* transitions told, by the generation they began */
} g;

/* What harnesses of other rules begin with. */
static ttb_breaker_config others(void) { return TTB_CONFIG(ttb_breaker_config); }

static void make_as(ttb_breaker_config c, int32_t consecutive, uint32_t n, uint32_t successes) {
  ttb_breaker b;
  c.consecutive = consecutive;
  if (c.window_calls == 0) c.failure_rate_ppm = TTB_OFF;
  c.open_ms = 10;
  c.lease_ms = 1000;
  c.half_open_probes = probes = n;
  c.half_open_successes = successes;
  c.threads = EX_ACTORS;
  ex_shared(memory, sizeof memory);
  ex_ghost(&g, sizeof g);
  int64_t size = ttb_breaker_size(&c);
  ex_check(size > 0 && size <= BYTES, "the region fits");
  ex_check(ttb_breaker_init(&b, memory, (uint64_t)size, &c) == TTB_OK, "init");
  for (uint64_t i = 0; i < EX_ACTORS; i++)
    ex_check(ttb_breaker_join(&b, i + 1, &handle[i]) == TTB_OK, "join");
}

static void make(int32_t consecutive, uint32_t n, uint32_t successes) {
  make_as(others(), consecutive, n, successes);
}

/* Half-open at NOW, no probe out. */
static void half_open(void) {
  (void)ttb_breaker_set(&handle[0], 0, TTB_BREAKER_OPEN, NOW - 10 * MS);
  int64_t t = ttb_breaker_acquire(&handle[0], 0, NOW);
  ex_check(ttb_breaker_report(&handle[0], t, TTB_CANCELLED, NOW) == TTB_OK, "set up");
}

static uint32_t gen_of(int64_t t) { return ttb__ticket_unpack(t).gen % 16; }

static int64_t take(uint32_t actor, uint64_t now) {
  int64_t t = ttb_breaker_acquire(&handle[actor], 0, now);
  if (ttb_breaker_is_probe(t) == 1)
    ex_check(++g.out[gen_of(t)] <= probes, "more probes of one generation out than there are");
  return t;
}

static int32_t end(uint32_t actor, int64_t t, int32_t outcome, uint64_t now) {
  if (ttb_breaker_is_probe(t) == 1) g.out[gen_of(t)]--;
  int32_t code = ttb_breaker_report(&handle[actor], t, outcome, now);
  if (code > 0)
    ex_check(g.told[(gen_of(t) + 1) % 16]++ == 0, "a transition was told twice");
  return code;
}

static ttb_breaker_info info(uint64_t now) {
  ttb_breaker_info i = {.struct_size = sizeof i};
  (void)ttb_breaker_explain(&handle[0], 0, now, &i);
  return i;
}

/* From whatever is left, probes and a closed breaker can be had. */
static void check_goes_on(uint64_t now) {
  for (uint32_t i = 0; i < 6 && info(now).state != TTB_BREAKER_CLOSED; i++) {
    int64_t t = ttb_breaker_acquire(&handle[0], 0, now);
    if (t >= 0) (void)ttb_breaker_report(&handle[0], t, TTB_SUCCESS, now);
    else now += 1000 * MS;
  }
  ex_check(info(now).state == TTB_BREAKER_CLOSED, "wedged");
}

/* ---- one round: three want its probe, one is killed and recovered ---- */

static void setup_round(void) {
  make(1, 1, 1);
  half_open();
}
static void round_success(uint32_t actor) {
  int64_t t = take(actor, NOW);
  if (t >= 0) (void)end(actor, t, TTB_SUCCESS, NOW);
}
static void round_a(void) { round_success(0); }
static void round_b(void) { round_success(1); }
static void round_c(void) {
  ex_wait_dead(1);
  if (ex_logic("recovers-nothing")) return;
  (void)ttb_breaker_recover(&handle[2], 2);
  for (uint32_t i = 0; i < 16; i++) g.out[i] = 0; /* only A's may be out; it counts it down */
}
static void check_round(void) {
  ttb_breaker_info i = info(NOW);
  if (ex_dead(1) && ex_done(2) && i.state == TTB_BREAKER_HALF_OPEN)
    ex_check(i.probes_out == 0, "a probe of the dead is out");
  if (i.state == TTB_BREAKER_CLOSED && i.generation == 3 && !ex_dead(1))
    ex_check(g.told[3] == 1, "nobody was told that it closed");
  check_goes_on(NOW);
}

const ex_harness ex_breaker_round = {
    .name = "breaker-round",
    .what = "half-open: two want the one probe, one is killed at any step and recovered",
    .setup = setup_round,
    .actor = {round_a, round_b, round_c},
    .check = check_round,
    .crashable = 1u << 1,
    .crashes = 1,
    .bound = 4,
    .deep_bound = 6,
    .logic = {"recovers-nothing"},
};

/* ---- the moment the open time ends: three at once, two probes ---- */

static void setup_stampede(void) {
  make(1, 2, 2);
  (void)ttb_breaker_set(&handle[0], 0, TTB_BREAKER_OPEN, NOW - 10 * MS);
}
static void stampede(uint32_t actor, int32_t outcome) {
  int64_t t = take(actor, NOW);
  if (t >= 0) (void)end(actor, t, outcome, NOW);
}
static void stampede_a(void) { stampede(0, TTB_SUCCESS); }
static void stampede_b(void) { stampede(1, TTB_SUCCESS); }
static void stampede_c(void) { stampede(2, TTB_FAILURE); }
static void check_stampede(void) {
  ttb_breaker_info i = info(NOW);
  if (i.state == TTB_BREAKER_CLOSED || (i.state == TTB_BREAKER_OPEN && i.generation > 1))
    ex_check(ex_dead(0) || ex_dead(1) || ex_dead(2) || g.told[i.generation % 16] == 1,
             "nobody was told of the transition");
  check_goes_on(NOW);
}

const ex_harness ex_breaker_stampede = {
    .name = "breaker-stampede",
    .what = "the end of the open time: three at once, two probes, one killed",
    .setup = setup_stampede,
    .actor = {stampede_a, stampede_b, stampede_c},
    .check = check_stampede,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = 3,
    .deep_bound = 4,
};

/* ---- a caller that still believes in the round before ---- */

static void setup_late(void) {
  make(1, 1, 1);
  half_open();
}
static void late_a(void) { (void)take(0, NOW); }
static void late_b(void) { /* its probe fails; an open time later it has the next one */
  int64_t t = take(1, NOW);
  if (t >= 0) (void)end(1, t, TTB_FAILURE, NOW);
  (void)take(1, LATER);
}
static void late_c(void) { (void)take(2, LATER); }
static void check_late(void) { check_goes_on(LATER); }

const ex_harness ex_breaker_late = {
    .name = "breaker-late",
    .what = "a caller of the round before takes no probe of the next",
    .setup = setup_late,
    .actor = {late_a, late_b, late_c},
    .check = check_late,
    .bound = 4,
    .deep_bound = 5,
};

/* ---- late reports: what a later generation counted stays ---- */

static int64_t early; /* a ticket of the generation before */

static void setup_counts(void) {
  make(5, 1, 1);
  early = ttb_breaker_acquire(&handle[0], 0, NOW);
}
static void counts_a(void) { (void)end(0, early, TTB_FAILURE, NOW); }
static void counts_b(void) {
  (void)ttb_breaker_set(&handle[1], 0, TTB_BREAKER_CLOSED, NOW);
  (void)end(1, take(1, NOW), TTB_FAILURE, NOW);
}
static void counts_c(void) { (void)end(2, early, TTB_SUCCESS, NOW); }
static void check_counts(void) {
  ex_check(info(NOW).consecutive == 1, "a late report changed a later generation's count");
}

const ex_harness ex_breaker_counts = {
    .name = "breaker-counts",
    .what = "late reports beside a reset: the later count stays",
    .setup = setup_counts,
    .actor = {counts_a, counts_b, counts_c},
    .check = check_counts,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

/* ---- the same for the moving average ---- */

static void setup_average(void) {
  ttb_breaker_config c = others();
  c.average_calls = 10;
  c.average_success_ppm = 1;
  make_as(c, TTB_OFF, 1, 1);
  early = ttb_breaker_acquire(&handle[0], 0, NOW);
}
static void check_average(void) {
  ex_check(info(NOW).average_ppm == 0, "a late report changed a later generation's average");
}

const ex_harness ex_breaker_average = {
    .name = "breaker-average",
    .what = "late reports beside a reset: the later average stays",
    .setup = setup_average,
    .actor = {counts_a, counts_b, counts_c},
    .check = check_average,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

/* ---- a deadline set by a caller whose time is newer ---- */

static void setup_clock(void) {
  make(1, 1, 1);
  (void)ttb_breaker_set(&handle[0], 0, TTB_BREAKER_CLOSED, NOW); /* the clock goes */
  early = ttb_breaker_acquire(&handle[0], 0, NOW);
}
static void clock_a(void) { (void)end(0, early, TTB_FAILURE, NOW + 1 * MS); }
static void clock_b(void) {
  ex_check(ttb_breaker_is_probe(take(1, NOW)) != 1, "a breaker that has just opened is probed");
}
static void clock_c(void) { (void)take(2, NOW + 2 * MS); }
static void check_clock(void) {
  ttb_breaker_info i = info(NOW + 1 * MS);
  ex_check(i.state == TTB_BREAKER_OPEN && i.retry_after_ms <= 10, "not open as configured");
}

const ex_harness ex_breaker_clock = {
    .name = "breaker-clock",
    .what = "a caller whose time is older meets a deadline just set",
    .setup = setup_clock,
    .actor = {clock_a, clock_b, clock_c},
    .check = check_clock,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

/* ---- the same for the last calls: each of their words ---- */

static void setup_last(void) {
  ttb_breaker_config c = others();
  c.window_calls = 4;
  c.slow_rate_ppm = 1000000;
  make_as(c, TTB_OFF, 1, 1);
  early = ttb_breaker_acquire(&handle[0], 0, NOW);
}
static void last_a(void) { (void)end(0, early, TTB_FAILURE, NOW); }
static void last_b(void) {
  (void)ttb_breaker_set(&handle[1], 0, TTB_BREAKER_CLOSED, NOW);
  (void)end(1, take(1, NOW), TTB_SLOW_FAILURE, NOW);
}
static void last_c(void) { (void)end(2, early, TTB_SUCCESS, NOW); }
static void check_last(void) {
  ttb_breaker_info i = info(NOW);
  ex_check(i.calls == 1 && i.failures == 1 && i.slow == 1,
           "a late report changed a later generation's calls");
}

const ex_harness ex_breaker_last = {
    .name = "breaker-last",
    .what = "late reports beside a reset: the later last calls stay",
    .setup = setup_last,
    .actor = {last_a, last_b, last_c},
    .check = check_last,
    .bound = 4,
    .deep_bound = 6,
};

/* ---- three count at once, one is killed: nobody's outcome is lost but its own ---- */

static int64_t tickets[3];

static void setup_sums(void) {
  ttb_breaker_config c = others();
  c.window_calls = 4;
  c.min_calls = 100;
  c.failure_rate_ppm = 1000000;
  c.flags = TTB_BREAKER_RATE_ABOVE; /* never opens */
  c.cusum_bad_ppm = 300000; /* up 6, down 1 */
  make_as(c, TTB_OFF, 1, 1);
  for (uint32_t i = 0; i < 3; i++) tickets[i] = ttb_breaker_acquire(&handle[i], 0, NOW);
}
static void sums_a(void) { (void)end(0, tickets[0], TTB_FAILURE, NOW); }
static void sums_b(void) { (void)end(1, tickets[1], TTB_FAILURE, NOW); }
static void sums_c(void) { (void)end(2, tickets[2], TTB_SUCCESS, NOW); }
static void check_sums(void) {
  ttb_breaker_info i = info(NOW);
  uint32_t failed = (uint32_t)ex_done(0) + ex_done(1), all = failed + ex_done(2);
  ex_check(i.calls >= all && i.calls <= 3, "a call was lost");
  ex_check(i.failures >= failed && i.failures <= 2, "a failure was lost");
  ex_check(i.cusum + 1 >= 6 * failed && i.cusum <= 12, "a part of the sum was lost");
}

const ex_harness ex_breaker_sums = {
    .name = "breaker-sums",
    .what = "last calls and CUSUM: three report at once, one is killed",
    .setup = setup_sums,
    .actor = {sums_a, sums_b, sums_c},
    .check = check_sums,
    .crashable = 1u << 1,
    .crashes = 1,
    .bound = 4,
    .deep_bound = 6,
};

/* ---- and for a round judged by rates ---- */

static void setup_verdict(void) {
  ttb_breaker_config c = others();
  c.half_open_calls = 3;
  make_as(c, 1, 2, 1);
  half_open();
  early = take(0, NOW);
}
static void verdict_a(void) { (void)end(0, early, TTB_FAILURE, NOW); }
static void verdict_b(void) { /* a later round, of which one outcome is in */
  (void)ttb_breaker_set(&handle[1], 0, TTB_BREAKER_OPEN, NOW);
  int64_t t = take(1, LATER);
  if (t >= 0) (void)end(1, t, TTB_SUCCESS, LATER);
}
static void check_verdict(void) {
  ttb_breaker_info i = info(LATER);
  if (ex_dead(1)) return;
  ex_check(i.state == TTB_BREAKER_HALF_OPEN && i.probe_calls == 1 && i.probe_failures == 0,
           "a late probe changed a later round");
}

const ex_harness ex_breaker_verdict = {
    .name = "breaker-verdict",
    .what = "a probe of the round before beside a round judged by rates",
    .setup = setup_verdict,
    .actor = {verdict_a, verdict_b},
    .check = check_verdict,
    .crashable = 1u << 1,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

/* ---- and for one that closes after so many successes ---- */

static void setup_closing(void) {
  make_as(others(), 1, 2, 3);
  half_open();
  early = take(0, NOW);
}
static void closing_a(void) { (void)end(0, early, TTB_SUCCESS, NOW); }
static void check_closing(void) {
  ttb_breaker_info i = info(LATER);
  if (ex_dead(1)) return;
  ex_check(i.state == TTB_BREAKER_HALF_OPEN && i.probe_successes == 1,
           "a late probe changed a later round");
}

const ex_harness ex_breaker_closing = {
    .name = "breaker-closing",
    .what = "a probe of the round before beside a round that counts successes",
    .setup = setup_closing,
    .actor = {closing_a, verdict_b},
    .check = check_closing,
    .crashable = 1u << 1,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

/* ---- the end of a ramp beside an opening ---- */

static int64_t early_too;

static void setup_ramp(void) {
  ttb_breaker_config c = others();
  c.ramp_ms = 10;
  c.ramp_start_ppm = 1000000;
  make_as(c, 2, 1, 1);
  half_open();
  (void)end(0, take(0, NOW), TTB_SUCCESS, NOW);
  early = ttb_breaker_acquire(&handle[0], 0, NOW);
  early_too = ttb_breaker_acquire(&handle[0], 0, NOW);
}
static void ramp_a(void) { (void)take(0, LATER); } /* ends it */
static void ramp_b(void) { (void)end(1, early, TTB_FAILURE, LATER); }
static void ramp_c(void) { (void)end(2, early_too, TTB_FAILURE, LATER); }
static void check_ramp(void) {
  ex_check(info(LATER).state == TTB_BREAKER_OPEN, "the end of a ramp stopped an opening");
}

const ex_harness ex_breaker_ramp = {
    .name = "breaker-ramp",
    .what = "the end of a ramp beside two failures that open it",
    .setup = setup_ramp,
    .actor = {ramp_a, ramp_b, ramp_c},
    .check = check_ramp,
    .bound = 4,
    .deep_bound = 6,
};
