/* SPDX-License-Identifier: MIT */
/* A ladder against a plain one: every measurement remembered, the level worked
 * out from the whole list; and what every answer must satisfy. */
#include <string.h>
#include <trimtab/ladder.h>

#include "check.h"

#define MS UINT64_C(1000000)

/* The reference has thresholds as they are documented, and a time since when
 * everything measured was low. */
typedef struct reference {
  int64_t up[3], gap, hold, expire;
  int level;
  int64_t low_since, measured; /* ms, -1: not */
} reference;

static void measure(reference *r, int64_t u, int64_t now) {
  if (r->measured >= 0 && r->expire >= 0 && now - r->measured > r->expire)
    r->level = 0, r->low_since = -1;
  r->measured = now;
  int highest = 0;
  for (int k = 1; k <= 3; k++)
    if (r->up[k - 1] >= 0 && u >= r->up[k - 1]) highest = k;
  if (highest > r->level) {
    r->level = highest, r->low_since = -1;
  } else if (r->level > 0 && u < r->up[r->level - 1] - r->gap) {
    if (r->low_since < 0) r->low_since = now;
    if (now - r->low_since >= r->hold) {
      r->level--;
      /* Low for the next level only if it is below that one's threshold, too. */
      r->low_since = r->level > 0 && u < r->up[r->level - 1] - r->gap ? now : -1;
    }
  } else {
    r->low_since = -1;
  }
}
static int level_now(const reference *r, int64_t now) {
  bool counts = r->measured >= 0 && (r->expire < 0 || now - r->measured <= r->expire);
  return counts ? r->level : 0;
}

static ttb_ladder_config draw(check *c, reference *r) {
  ttb_ladder_config k = TTB_CONFIG(ttb_ladder_config);
  int32_t at = 200000;
  int32_t *const up[] = {&k.up_1_ppm, &k.up_2_ppm, &k.up_3_ppm};
  uint32_t levels = (uint32_t)check_below(c, 4);
  for (uint32_t i = 0; i < 3; i++) {
    at += (int32_t)check_between(c, 1, 300000);
    r->up[i] = *up[i] = i < levels ? at : TTB_OFF;
  }
  k.gap_ppm = check_below(c, 3) ? (int32_t)check_between(c, 1, 150000) : TTB_OFF;
  k.hold_ms = check_below(c, 3) ? (int32_t)check_between(c, 1, 500) : TTB_OFF;
  k.expire_ms = check_below(c, 3) ? (int32_t)check_between(c, 1, 800) : TTB_OFF;
  k.stale_brownout_ms = check_below(c, 3) ? (int32_t)check_between(c, 1, 100) : TTB_OFF;
  k.stale_error_ms = check_below(c, 3) ? (int32_t)check_between(c, 1, 100) : TTB_OFF;
  r->gap = k.gap_ppm < 0 ? 0 : k.gap_ppm;
  r->hold = k.hold_ms < 0 ? 0 : k.hold_ms;
  r->expire = k.expire_ms;
  r->level = 0, r->low_since = r->measured = -1;
  return k;
}

static void ask_it(check *c, const ttb_ladder *l, const ttb_ladder_config *k, int level,
                   uint64_t now_ns) {
  static const int32_t codes[] = {0, 0, TTB_OPEN, TTB_LIMIT, TTB_FAILURE};
  ttb_ladder_ask ask = {.flags = (uint32_t)check_below(c, 4),
                        .importance = (uint32_t)check_below(c, 4),
                        .primary = codes[check_below(c, 5)],
                        .cache_age_ms = check_between(c, -1, 120)};
  ttb_ladder_answer a;
  int32_t rung = ttb_ladder_serve(l, &ask, now_ns, &a);
  CHECK(c, rung == a.rung && a.level == level, "rung %d %d, level %d, want %d", rung, a.rung,
        a.level, level);
  bool away = (int)ask.importance > 3 - level, can = ask.primary == 0;
  CHECK(c, (rung == TTB_LADDER_PRIMARY) == (can && !away), "rung %d, can %d, away %d", rung, can,
        away);
  int64_t bound = can ? k->stale_brownout_ms : k->stale_error_ms;
  bool kept = ask.flags & TTB_LADDER_HAS_CACHED && bound >= 0 && ask.cache_age_ms <= bound;
  if (rung != TTB_LADDER_PRIMARY) {
    CHECK(c, (rung == TTB_LADDER_CACHED) == kept, "rung %d, kept %d", rung, kept);
    CHECK(c, kept || (rung == TTB_LADDER_FALLBACK) == !!(ask.flags & TTB_LADDER_HAS_FALLBACK),
          "rung %d, flags %u", rung, ask.flags);
  }
}

/* What explain says of the level, and of when it would fall if nothing changed. */
static void look_at_it(check *c, const ttb_ladder *l, const reference *r, int64_t last, int64_t now,
                       uint64_t now_ns) {
  ttb_ladder_info i = TTB_CONFIG(ttb_ladder_info);
  int level = level_now(r, now);
  bool counts = r->measured >= 0 && (r->expire < 0 || now - r->measured <= r->expire);
  CHECK(c, ttb_ladder_explain(l, now_ns, &i) == TTB_OK && i.level == level, "level %d", i.level);
  CHECK(c, i.measured_ms == (r->measured < 0 ? -1 : now - r->measured), "measured %d ago",
        (int)i.measured_ms);
  CHECK(c, i.utilisation_ppm == (counts ? last : -1), "utilisation %d", (int)i.utilisation_ppm);
  int64_t falls = -1;
  if (counts && level > 0 && r->low_since >= 0) {
    falls = r->low_since + r->hold - now;
    if (falls < 0) falls = 0;
  }
  CHECK(c, i.falls_in_ms == falls, "falls in %d, want %d", (int)i.falls_in_ms, (int)falls);
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  check_property(&c, "level and rung are those of the plain ladder");
  ttb_ladder l = {{0}};
  ttb_ladder_config k = {0};
  reference r = {0};
  int64_t now = 0, last = 0;
  for (uint32_t i = 0; check_step(&c); i++) {
    if (i % 1000 == 0) {
      ttb_ladder_free(&l);
      k = draw(&c, &r);
      if (ttb_ladder_new(&l, &k, NULL) < 0) return 1;
      now = 3600000;
    }
    now += check_between(&c, 0, 150);
    uint64_t now_ns = (uint64_t)now * MS + check_below(&c, MS);
    if (check_below(&c, 3) > 0) {
      int32_t u = (int32_t)check_between(&c, 0, check_below(&c, 4) ? 1200000 : 300000);
      measure(&r, last = u, now);
      int32_t level = ttb_ladder_observe(&l, u, now_ns);
      CHECK(&c, level == r.level, "level %d, want %d after %d", level, r.level, u);
    }
    ask_it(&c, &l, &k, level_now(&r, now), now_ns);
    look_at_it(&c, &l, &r, last, now, now_ns);
  }
  ttb_ladder_free(&l);
  return check_end(&c);
}
