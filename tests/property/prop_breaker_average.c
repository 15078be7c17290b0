/* SPDX-License-Identifier: MIT */
/* The moving average of successes against one in double, by the formulas of
 * trimtab/breaker.h: what explain shows, and when it opens. */
#include <math.h>
#include <string.h>

#include <trimtab/breaker.h>

#include "check.h"

#define MS UINT64_C(1000000)
#define START INT64_C(1000000) /* where a table's own time begins */

typedef struct ref {
  ttb_breaker_config c;
  double average; /* of successes; -1: no call yet */
  int64_t closed, last; /* ms: since when it is closed; of the last call, in ticks */
  uint32_t calls;
  int64_t at[4096]; /* of the calls in the window */
  uint32_t from, to;
} ref;

static ref r;
static int64_t v;

static void anew(void) {
  r.average = -1;
  r.calls = r.from = r.to = 0;
  r.closed = v;
}

/* 1024ths of the window. */
static int64_t tick(void) { return v * 1024 / r.c.window_ms; }

static uint32_t in_window(void) {
  int64_t turn = v * 16 / r.c.window_ms;
  while (r.from != r.to && turn - r.at[r.from % 4096] * 16 / r.c.window_ms > 15) r.from++;
  return r.to - r.from;
}

/* Counts one call; how far the average is below the threshold, if it is known. */
static double count(bool failed) {
  double w = r.c.average_calls > 0 ? exp(-1.0 / r.c.average_calls)
                                   : exp(-(double)(tick() - r.last) / 1024);
  r.average = r.average < 0 ? !failed : r.average * w + !failed * (1 - w);
  r.last = tick();
  r.calls++;
  r.at[r.to++ % 4096] = v;
  bool known = r.calls >= (uint32_t)r.c.average_calls;
  if (r.c.average_calls < 0) known = v - r.closed >= r.c.window_ms && in_window() >= r.c.min_calls;
  return known && failed ? r.c.average_success_ppm / 1e6 - r.average : -1;
}

/* What rounding may come to: by time an average has 21 bits, and a thousand calls
 * weigh in it. */
static double within(void) { return r.c.average_calls > 0 ? 2e-6 : 2e-4; }

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  check_property(&c, "the moving average is that of the formulas");
  ttb_breaker b = {{0}};
  uint64_t base = 0;
  uint32_t bad = 0;
  for (uint32_t i = 0; check_step(&c); i++) {
    if (i % 3000 == 0) {
      ttb_breaker_free(&b);
      r.c = (ttb_breaker_config){.struct_size = sizeof r.c};
      r.c.consecutive = r.c.failure_rate_ppm = TTB_OFF;
      r.c.window_ms = (uint32_t)check_between(&c, 1000, 30000);
      r.c.min_calls = (uint32_t)check_between(&c, 1, 30);
      r.c.average_success_ppm = (int32_t)check_between(&c, 1, 1000000);
      r.c.average_calls = check_chance(&c, 1, 2) ? TTB_OFF : (int32_t)check_between(&c, 1, 400);
      CHECK(&c, ttb_breaker_new(&b, &r.c, NULL) == TTB_OK, "new");
      base = check_rand(&c) >> 8;
      v = START;
      anew();
    }
    if (i % 300 == 0) bad = (uint32_t)check_below(&c, 1001);
    if (i % 3000 > 0) { /* time begins with the first call */
      if (check_chance(&c, 2, 3)) v += (int64_t)check_below(&c, 40);
      if (check_chance(&c, 1, 500)) v += (int64_t)check_below(&c, 100000);
    }
    uint64_t now = base + (uint64_t)(v - START) * MS;
    bool failed = check_chance(&c, bad, 1000);
    int64_t t = ttb_breaker_acquire(&b, 0, now);
    CHECK(&c, t >= 0, "acquire: %d", (int)t);
    double short_by = count(failed), off = within();
    int32_t what = ttb_breaker_report(&b, t, failed ? TTB_FAILURE : TTB_SUCCESS, now);
    if (short_by > off) CHECK(&c, what == TTB_BREAKER_OPENED, "%d, short by %g", what, short_by);
    if (short_by < -off) CHECK(&c, what == TTB_OK, "%d, short by %g", what, short_by);
    if (what == TTB_BREAKER_OPENED) {
      CHECK(&c, ttb_breaker_set(&b, 0, TTB_BREAKER_CLOSED, now) == TTB_OK, "set");
      anew();
      continue;
    }
    ttb_breaker_info info = TTB_CONFIG(ttb_breaker_info);
    CHECK(&c, ttb_breaker_explain(&b, 0, now, &info) == TTB_OK, "explain");
    double differs = info.average_ppm / 1e6 - r.average;
    CHECK(&c, differs < off && differs > -off, "%d, is %g", info.average_ppm, r.average);
  }
  ttb_breaker_free(&b);
  return check_end(&c);
}
