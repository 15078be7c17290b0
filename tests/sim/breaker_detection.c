/* SPDX-License-Identifier: MIT */
/* How many calls each rule takes to find that a callee has become worse, and
 * how many it takes to trip for nothing: the real breaker, fed with a seeded
 * stream of outcomes.
 *
 *     breaker_detection [--full]
 *
 * Healthy is 5 % failures, here and in all rows. A round: 200 healthy calls, then
 * the worse rate until the breaker opens; the mean over the rounds. False trips:
 * healthy calls only, how many to a trip.
 *
 * `known` is what an independent simulation found for the same rule (of the
 * breaker's author, in another program and generator; its CUSUM was in floating
 * point, with limits 12.7 and 14.4). Ours must be within 16 % and one call of
 * it; false trips, which are rare, within a factor of two. A figure outside makes
 * the program fail, whatever the table says. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <trimtab/breaker.h>

#define NOW UINT64_C(3600000000000)
#define HEALTHY 50000u
#define WARM 200
#define NEVER 100000 /* calls of one round that are waited for */
#define RATES 4

typedef struct rule {
  const char *name;
  int32_t consecutive, window_calls, cusum_bad_ppm, average_calls;
  uint64_t cusum_calls;
  double known_false, known[RATES]; /* millions of calls; calls; -1 never, 0 not known */
} rule;

static const uint32_t rates[RATES] = {200000, 300000, 500000, 1000000};
static const rule rules[] = {
    {"5 in a row", 5, 0, 0, 0, 0, 3.2, {3826, 608, 57, 4.9}},
    {"50 % of the last 10", 0, 10, 0, 0, 0, 0.03, {119, 35, 11, 4.7}},
    {"50 % of the last 20", 0, 20, 0, 0, 0, 18.5, {1445, 142, 22, 9.4}},
    {"50 % of the last 100", 0, 100, 0, 0, 0, -1, {-1, -1, 122, 48}},
    {"average of 10, below 55 %", 0, 0, 0, 10, 0, 0, {0, 0, 0, 0}},
    {"CUSUM 5 % to 30 %, 3.7 million", 0, 0, 300000, 0, 3700000, 3.7, {88, 37, 17, 7.6}},
    {"CUSUM 5 % to 30 %, 20.7 million", 0, 0, 300000, 0, 20700000, 20.7, {109, 44, 20, 8.6}},
    {"CUSUM (3.7 million) or 5 in a row", 5, 0, 300000, 0, 3700000, 0, {0, 0, 0, 0}},
};

static ttb_breaker b;
static uint64_t draws;

/* splitmix64 (Steele, Lea, Flood 2014), as millionths. */
static bool fails(uint32_t rate_ppm) {
  uint64_t z = (draws += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  z ^= z >> 31;
  return (z >> 32) * 1000000 >> 32 < rate_ppm;
}

static bool opens(uint32_t rate_ppm) {
  int64_t t = ttb_breaker_acquire(&b, 0, NOW);
  return ttb_breaker_report(&b, t, fails(rate_ppm) ? TTB_FAILURE : TTB_SUCCESS, NOW) ==
         TTB_BREAKER_OPENED;
}

static void begin(void) {
  for (;;) {
    int n = 0;
    (void)ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, NOW);
    while (n < WARM && !opens(HEALTHY)) n++;
    if (n == WARM) return;
  }
}

/* Mean calls to find a rate, in tenths; -1 if some round never did. */
static int64_t delay(uint32_t rate_ppm, int rounds) {
  int64_t calls = 0;
  for (int i = 0; i < rounds; i++) {
    int n = 1;
    for (begin(); !opens(rate_ppm); n++)
      if (n == NEVER) return -1;
    calls += n;
  }
  return (calls * 10 + rounds / 2) / rounds;
}

static bool made(const rule *r) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  c.consecutive = r->consecutive > 0 ? r->consecutive : TTB_OFF;
  c.failure_rate_ppm = r->window_calls > 0 ? 500000 : TTB_OFF;
  c.window_calls = r->window_calls > 0 ? r->window_calls : TTB_OFF;
  c.min_calls = (uint32_t)r->window_calls;
  c.cusum_healthy_ppm = (int32_t)HEALTHY;
  c.cusum_bad_ppm = r->cusum_bad_ppm > 0 ? r->cusum_bad_ppm : TTB_OFF;
  c.cusum_calls = r->cusum_calls;
  if (r->average_calls > 0) c.average_success_ppm = 550000, c.average_calls = r->average_calls;
  return ttb_breaker_new(&b, &c, NULL) == TTB_OK;
}

static bool near(double got, double known) {
  if (known == 0) return true;
  if (known < 0 || got < 0) return known < 0 && got < 0;
  double off = got > known ? got - known : known - got;
  return off <= known * 0.16 + 1;
}

static void show(int64_t tenths) {
  if (tenths < 0) printf(" %8s", "never");
  else printf(" %6lld.%lld", (long long)tenths / 10, (long long)tenths % 10);
}

int main(int argc, char **argv) {
  bool full = argc > 1 && strcmp(argv[1], "--full") == 0;
  int rounds = full ? 20000 : 2000, wrong = 0;
  uint64_t healthy_calls = full ? UINT64_C(400000000) : 20000000;
  printf("Calls until a breaker opens, mean of %d rounds, after the callee's failure rate has gone from\n"
         "5 %% to that of the column; and calls to a false trip at 5 %% (of %llu million).\n\n",
         rounds, (unsigned long long)healthy_calls / 1000000);
  printf("%-34s %12s %8s %8s %8s %8s\n", "rule", "false trip", "20 %", "30 %", "50 %", "100 %");
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    const rule *r = &rules[i];
    uint32_t trips = 0;
    draws = 1000 * (i + 1);
    if (!made(r)) return 1;
    for (uint64_t n = 0; n < healthy_calls; n++) {
      if (!opens(HEALTHY)) continue;
      trips++;
      (void)ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, NOW);
    }
    printf("%-34s", r->name);
    if (trips == 0) printf(" %12s", "none");
    else printf(" %12llu", (unsigned long long)(healthy_calls / trips));
    double mean = trips > 0 ? (double)healthy_calls / trips / 1e6 : -1;
    bool few = trips < 5; /* says little */
    if (!few && r->known_false > 0 && (mean < r->known_false / 2 || mean > r->known_false * 2)) wrong++;
    for (int k = 0; k < RATES; k++) {
      int64_t tenths = delay(rates[k], rounds);
      show(tenths);
      if (!near(tenths < 0 ? -1 : (double)tenths / 10, r->known[k])) {
        printf("!");
        wrong++;
      }
    }
    printf("\n");
    ttb_breaker_free(&b);
  }
  if (wrong > 0) printf("%d outside the tolerances\n", wrong);
  return wrong > 0;
}
