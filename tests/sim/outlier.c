/* SPDX-License-Identifier: MIT */
/* False and true ejections: the deviation test of Envoy and gRPC beside the
 * leave-one-out median, on targets whose calls fail by chance. Prints the table
 * of docs/health.md; exit status 1 if it is not what the field notes found, see
 * `claims`.
 *
 * Every sweep is a table of its own with nothing but that test: its limits of
 * ejected targets are off, so that it shows what is detected, not what is held
 * back. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <trimtab/health.h>

#define T0 UINT64_C(3600000000000)

typedef struct scenario {
  const char *name;
  uint32_t targets, calls; /* calls a target and sweep */
  uint32_t failing_ppm;    /* of everybody's */
  uint32_t bad, bad_ppm;   /* so many fail more */
  uint32_t sweeps;
} scenario;

static const scenario scenarios[] = {
    {"healthy", 5, 100, 20000, 0, 0, 2000},
    {"healthy", 20, 100, 20000, 0, 0, 2000},
    {"healthy, nobody fails", 20, 100, 0, 0, 0, 100},
    {"healthy, 0.1 %", 20, 1000, 1000, 0, 0, 500},
    {"healthy, 20 %", 20, 100, 200000, 0, 0, 2000},
    {"healthy", 100, 100, 20000, 0, 0, 1000},
    {"healthy", 100, 10000, 20000, 0, 0, 30},
    {"1 dead", 5, 100, 20000, 1, 1000000, 500},
    {"2 dead", 5, 100, 20000, 2, 1000000, 500},
    {"3 dead", 10, 100, 20000, 3, 1000000, 500},
    {"4 dead", 20, 100, 20000, 4, 1000000, 500},
    {"8 dead", 20, 100, 20000, 8, 1000000, 500},
    {"1 at 30 %", 20, 100, 20000, 1, 300000, 1000},
    {"4 at 30 %", 20, 100, 20000, 4, 300000, 1000},
    {"8 at 30 %", 20, 100, 20000, 8, 300000, 1000},
    {"1 at 10 %", 20, 1000, 20000, 1, 100000, 300},
    {"1 at 5 %", 20, 1000, 20000, 1, 50000, 300},
};
#define SCENARIOS (sizeof scenarios / sizeof scenarios[0])

typedef struct outcome {
  uint32_t false_sweeps; /* a healthy target was ejected */
  uint32_t found;        /* bad targets that were */
} outcome;

static uint64_t state = 1;
static uint32_t draw(void) { /* 0..999999; Knuth's MMIX generator */
  state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)((state >> 32) * 1000000 >> 32);
}

/* One sweep of one profile over failures that both see. */
static void judge(const scenario *s, int32_t profile, const uint32_t *failures, outcome *ret) {
  ttb_health h;
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = s->targets;
  c.passive_errors = TTB_OFF;
  c.eject = profile;
  c.eject_errors = c.eject_failure_ppm = TTB_OFF;
  c.eject_max_ppm = 1000000;
  c.eject_min_kept = TTB_OFF;
  if (ttb_health_new(&h, &c, NULL) < 0) return;
  for (uint32_t i = 0; i < s->targets; i++)
    for (uint32_t k = 0; k < s->calls; k++)
      (void)ttb_health_observe(&h, i, k < failures[i] ? TTB_FAILURE : TTB_SUCCESS, T0);
  (void)ttb_health_tick(&h, T0, NULL, 0);
  bool wrong = false;
  for (uint32_t i = 0; i < s->targets; i++) {
    bool ejected = ttb_health_ejected(&h, i) == 1;
    if (i < s->bad) ret->found += ejected;
    else wrong = wrong || ejected;
  }
  ret->false_sweeps += wrong;
  ttb_health_free(&h);
}

static void run(const scenario *s, outcome ret[2]) {
  uint32_t failures[100];
  for (uint32_t round = 0; round < s->sweeps; round++) {
    for (uint32_t i = 0; i < s->targets; i++) {
      uint32_t ppm = i < s->bad ? s->bad_ppm : s->failing_ppm;
      failures[i] = 0;
      for (uint32_t k = 0; k < s->calls; k++) failures[i] += draw() < ppm;
    }
    judge(s, TTB_HEALTH_EJECT_ENVOY, failures, &ret[0]);
    judge(s, TTB_HEALTH_EJECT_ROBUST, failures, &ret[1]);
  }
}

/* Of ten thousand, rounded. */
static uint32_t share(uint64_t n, uint64_t of) { return (uint32_t)((n * 10000 + of / 2) / of); }

/* What the design was chosen by, in percent: the deviation test within a
 * tolerance, of the median at most so many false sweeps or at least so many found. */
static const struct {
  const char *name;
  uint32_t targets, calls;
  bool found; /* else false sweeps */
  double deviation, within, median;
} claims[] = {
    {"healthy", 20, 100, false, 65, 7, 0.7},
    {"healthy", 100, 10000, false, 100, 0, 0},
    {"2 dead", 5, 100, true, 0, 0, 100},
    {"8 dead", 20, 100, true, 0, 0, 100},
    {"1 at 30 %", 20, 100, true, 100, 1, 99},
};

static bool check(const scenario *s, const outcome o[2]) {
  bool ok = true;
  for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
    if (strcmp(claims[i].name, s->name) != 0 || claims[i].targets != s->targets ||
        claims[i].calls != s->calls)
      continue;
    double got[2];
    for (int k = 0; k < 2; k++)
      got[k] = (claims[i].found ? share(o[k].found, (uint64_t)s->sweeps * s->bad)
                                : share(o[k].false_sweeps, s->sweeps)) / 100.0;
    bool agrees = got[0] >= claims[i].deviation - claims[i].within &&
                  got[0] <= claims[i].deviation + claims[i].within &&
                  (claims[i].found ? got[1] >= claims[i].median : got[1] <= claims[i].median);
    if (!agrees)
      printf("# WRONG: %s of %u: %.2f and %.2f %%, claimed %.1f and %.1f\n", s->name, s->targets,
             got[0], got[1], claims[i].deviation, claims[i].median);
    ok = ok && agrees;
  }
  return ok;
}

static void cell(bool any, uint32_t n, uint64_t of) {
  uint32_t x = any ? share(n, of) : 0;
  if (any) printf(" %7u.%02u", x / 100, x % 100);
  else printf("          -");
}

int main(void) {
  bool ok = true;
  printf("# Outliers, simulated. tests/sim/outlier.c; what it means: docs/health.md\n"
         "# 2 %% of all calls fail unless the name says otherwise. false: %% of sweeps that eject a\n"
         "# healthy target. found: %% of the bad ones ejected by their first sweep.\n"
         "# deviation: below mean - 1.9 stdev (Envoy, gRPC). median: against that of the others.\n\n"
         "#                                         -- deviation 1.9 --   ---- median, 4.5 ---\n"
         "# %-22s %7s %7s %10s %10s %10s %10s\n", "situation", "targets", "calls", "false", "found",
         "false", "found");
  for (size_t i = 0; i < SCENARIOS; i++) {
    const scenario *s = &scenarios[i];
    outcome o[2] = {{0, 0}, {0, 0}};
    run(s, o);
    printf("%-24s %7u %7u", s->name, s->targets, s->calls);
    for (int k = 0; k < 2; k++) {
      cell(true, o[k].false_sweeps, s->sweeps);
      cell(s->bad > 0, o[k].found, (uint64_t)s->sweeps * s->bad);
    }
    printf("\n");
    ok = check(s, o) && ok;
  }
  return ok ? 0 : 1;
}
