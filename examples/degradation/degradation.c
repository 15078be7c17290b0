/* SPDX-License-Identifier: MIT */
/* A service that recommends: a model behind a breaker, a cache, and popular
 * items, held together by a ladder. A minute of its life in virtual time: a rush,
 * then an outage that outlasts the cache. README.md shows what it prints. */
#include <stdbool.h>
#include <stdio.h>
#include <trimtab/trimtab.h>

enum { USERS = 200, CAPACITY = 100 /* calls a second the model can take */ };
#define MS UINT64_C(1000000)

typedef struct service {
  ttb_breaker breaker;
  ttb_ladder ladder;
  bool model_is_up;
  bool kept[USERS]; /* the cache: what it keeps does not matter here, only since when */
  uint64_t kept_at[USERS];
} service;

typedef struct request {
  uint32_t user, importance;
  bool popular_will_do; /* the strip of related items is left out instead */
} request;

/* Where the answer came from: TTB_LADDER_PRIMARY .. TTB_LADDER_REFUSE. */
static int32_t recommend(service *s, request r, uint64_t now) {
  ttb_ladder_ask ask = {.importance = r.importance};
  if (r.popular_will_do) ask.flags |= TTB_LADDER_HAS_FALLBACK;
  if (s->kept[r.user]) {
    ask.flags |= TTB_LADDER_HAS_CACHED;
    ask.cache_age_ms = (int64_t)((now - s->kept_at[r.user]) / MS);
  }
  int64_t ticket = ttb_breaker_acquire(&s->breaker, 0, now);
  if (ticket < 0) ask.primary = (int32_t)ticket;
  int32_t rung = ttb_ladder_serve(&s->ladder, &ask, now, NULL);
  if (rung != TTB_LADDER_PRIMARY) { /* a ticket that is not used goes back */
    if (ticket >= 0) ttb_breaker_report(&s->breaker, ticket, TTB_CANCELLED, now);
    return rung;
  }
  bool ok = s->model_is_up; /* here the model would be called */
  ttb_breaker_report(&s->breaker, ticket, ok ? TTB_SUCCESS : TTB_FAILURE, now);
  if (ok) {
    s->kept[r.user] = true;
    s->kept_at[r.user] = now;
    return rung;
  }
  ask.primary = TTB_FAILURE;
  return ttb_ladder_serve(&s->ladder, &ask, now, NULL);
}

static request request_of(uint32_t i) {
  /* 0 checkout, 1 product pages, 2 mails, 3 the strip of related items */
  request r = {.user = i * 37 % USERS, .importance = i % 4};
  r.popular_will_do = r.importance < 3;
  return r;
}

static const char *breaker_of(const service *s, uint64_t now) {
  ttb_breaker_info i = TTB_CONFIG(ttb_breaker_info);
  (void)ttb_breaker_explain(&s->breaker, 0, now, &i);
  return i.state == TTB_BREAKER_CLOSED ? "closed" : i.state == TTB_BREAKER_OPEN ? "open" : "half-open";
}

int main(void) {
  static service s;
  ttb_breaker_config bc = TTB_CONFIG(ttb_breaker_config);
  bc.consecutive = 5, bc.open_ms = 2000;
  ttb_ladder_config lc = TTB_CONFIG(ttb_ladder_config);
  lc.stale_error_ms = 15000; /* recommendations keep for a quarter of a minute */
  lc.stale_brownout_ms = 8000;
  lc.hold_ms = 2000;
  if (ttb_breaker_new(&s.breaker, &bc, NULL) < 0 || ttb_ladder_new(&s.ladder, &lc, NULL) < 0)
    return 1;

  static const struct {
    const char *name;
    uint32_t seconds, a_second;
    bool up;
  } scenes[] = {
      {"an ordinary hour", 6, 60, true}, {"a rush", 8, 120, true},   {"it is over", 8, 60, true},
      {"the model is down", 24, 60, false}, {"it is back", 8, 60, true},
  };
  printf("%-18s %4s %6s %-10s %8s %7s %8s %8s\n", "", "s", "level", "breaker", "primary", "cached",
         "popular", "refused");
  uint64_t now = 1000 * MS;
  uint32_t second = 0, asked = 0, answered = 0;
  for (uint32_t k = 0; k < sizeof scenes / sizeof *scenes; k++) {
    s.model_is_up = scenes[k].up;
    for (uint32_t i = 0; i < scenes[k].seconds; i++, second++) {
      uint32_t n = scenes[k].a_second, count[5] = {0};
      /* What is asked for, not what was let through: else sparing the model would
       * look as if there were nothing to do. */
      int32_t level = ttb_ladder_observe(&s.ladder, (int32_t)(n * 1000000 / CAPACITY), now);
      for (uint32_t j = 0; j < n; j++, asked++, now += 1000 * MS / n)
        count[recommend(&s, request_of(asked), now)]++;
      answered += count[1] + count[2] + count[3];
      if (i % 2 == 0)
        printf("%-18s %4u %6d %-10s %8u %7u %8u %8u\n", i == 0 ? scenes[k].name : "", second, level,
               breaker_of(&s, now), count[1], count[2], count[3], count[4]);
    }
  }
  printf("%u of %u requests got an answer\n", answered, asked);
  ttb_ladder_free(&s.ladder);
  ttb_breaker_free(&s.breaker);
  return 0;
}
